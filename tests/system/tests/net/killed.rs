//! `kill -9` of as many validators as a committee bears, under load.

use waxwing_system::hosts::in_namespaces;

use crate::stage::Stage;

#[test]
fn a_committee_goes_on_when_one_of_four_is_killed_and_takes_it_back() {
    in_namespaces(
        "killed::a_committee_goes_on_when_one_of_four_is_killed_and_takes_it_back",
        || {
            let mut stage = Stage::committee(4);
            stage.start_all(&[1, 2, 3, 4]);
            let loads = vec![stage.load(1), stage.load(2)];
            for load in &loads {
                stage.more("the committee orders", load, 50);
            }
            for victim in [4, 3] {
                stage.node(victim).kill();
                let gap = stage.more("three of four order", loads.first().unwrap(), 200);
                if gap > 5_000 {
                    println!("{}", stage.logs(20_000));
                }
                let (start, target) = (stage.time(), stage.height(1));
                stage.node(victim).start();
                stage.until_height(&[victim], target);
                let back = stage.time() - start;
                println!("killed: node {victim}, longest gap {gap} ms; restarted and caught up after {back} ms");
                stage.more("four order again", loads.first().unwrap(), 50);
            }
            drop(stage.end(loads));
        },
    );
}
