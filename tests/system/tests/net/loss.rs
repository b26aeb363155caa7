//! A committee across an ocean and a bad wire: 100 ms each way, 2 % of all packets lost, some twice.

use waxwing_system::hosts::{Weather, in_namespaces};

use crate::stage::Stage;

#[test]
fn a_committee_orders_at_100_ms_and_2_percent_loss() {
    in_namespaces("loss::a_committee_orders_at_100_ms_and_2_percent_loss", || {
        let mut stage = Stage::committee(4);
        stage.start_all(&[1, 2, 3, 4]);
        stage.hosts.set_all(Weather {
            delay_ms: 100,
            jitter_ms: 10,
            lost: 20,
            doubled: 10,
            ..Weather::FINE
        });
        let loads = vec![stage.load(1), stage.load(2)];
        stage.more("the committee begins", loads.first().unwrap(), 5);
        let (start, height, told) = (stage.time(), stage.height(1), loads.first().unwrap().told());
        let gap = stage.more("the committee orders", loads.first().unwrap(), 200);
        let (time, blocks) = (stage.time() - start, stage.height(1) - height);
        let told = loads.first().unwrap().told() - told;
        stage.until_lost(1);
        println!("loss: {told} envelopes of one client final in {time} ms, {blocks} blocks, longest gap {gap} ms");
        stage.hosts.set_all(Weather::FINE);
        drop(stage.end(loads));
    });
}
