//! A committee that is parted: no half decides alone, and when the parts meet again they go on as one.

use waxwing_system::hosts::{Weather, in_namespaces};

use crate::stage::Stage;

#[test]
fn a_parted_committee_waits_or_goes_on_by_quorum_and_heals() {
    in_namespaces(
        "partition::a_parted_committee_waits_or_goes_on_by_quorum_and_heals",
        || {
            let mut stage = Stage::committee(4);
            stage.start_all(&[1, 2, 3, 4]);
            let loads = vec![stage.load(1), stage.load(3)];
            for load in &loads {
                stage.more("the committee orders", load, 50);
            }

            // Two and two: nobody has a quorum.
            stage.hosts.part(&[&[1, 2], &[3, 4]]);
            stage.until_cut(100);
            let stand = [1, 2, 3, 4].map(|number| stage.height(number));
            let told: Vec<u64> = loads.iter().map(|load| load.told()).collect();
            stage.until_cut(100);
            assert_eq!(
                [1, 2, 3, 4].map(|number| stage.height(number)),
                stand,
                "half a committee decided"
            );
            assert_eq!(loads.iter().map(|load| load.told()).collect::<Vec<_>>(), told);
            stage.hosts.set_all(Weather::FINE);
            let start = stage.time();
            for load in &loads {
                stage.more("the healed committee orders", load, 20);
            }
            println!(
                "partition: 2|2 healed, final again on both sides after {} ms",
                stage.time() - start
            );

            // One and three: the three go on.
            stage.hosts.part(&[&[1], &[2, 3, 4]]);
            stage.until_cut(20);
            let alone = stage.height(1);
            stage.more("three of four order", loads.get(1).unwrap(), 50);
            assert_eq!(stage.height(1), alone, "one validator decided alone");
            let target = stage.height(3);
            assert!(target > alone);
            stage.hosts.set_all(Weather::FINE);
            let recovered = stage.until_height(&[1], target);
            let start = stage.time();
            stage.more("what waited at the lonely one is ordered", loads.first().unwrap(), 20);
            println!(
                "partition: 1|3 healed, caught up after {recovered} ms, its own clients' envelopes final {} ms later",
                stage.time() - start
            );
            drop(stage.end(loads));
        },
    );
}
