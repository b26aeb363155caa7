//! One validator and followers behind a bad network.

use waxwing_system::hosts::{Weather, in_namespaces};

use crate::stage::Stage;

#[test]
fn followers_behind_a_bad_wire_lose_nothing_and_catch_up_when_it_is_mended() {
    in_namespaces(
        "followers::followers_behind_a_bad_wire_lose_nothing_and_catch_up_when_it_is_mended",
        || {
            let mut stage = Stage::followers(2);
            stage.watch(1);
            stage.start_all(&[2, 3]);
            let load = stage.load(1);
            stage.more("the validator orders", &load, 50);
            stage.until_height(&[2, 3], stage.height(1));

            // 100 ms, and of a thousand packets twenty are lost and ten arrive twice.
            stage.hosts.set_all(Weather {
                delay_ms: 100,
                jitter_ms: 10,
                lost: 20,
                doubled: 10,
                ..Weather::FINE
            });
            stage.until_lost(5);
            let behind = stage.until_height(&[2, 3], stage.height(1));

            // Host 3 is alone.
            stage.hosts.part(&[&[1, 2], &[3]]);
            // What had crossed before is still checked and applied.
            stage.until_cut(10);
            let alone = stage.height(3);
            stage.more("the validator orders on without it", &load, 50);
            stage.until_height(&[2], stage.height(1));
            stage.until_cut(10);
            assert_eq!(stage.height(3), alone, "a block crossed the cut");
            stage.hosts.set_all(Weather::FINE);
            let recovered = stage.until_height(&[3], stage.height(1));
            println!("followers: {behind} ms behind at 100 ms and 2 % loss; {recovered} ms to catch up after a cut");
            drop(stage.end(vec![load]));
        },
    );
}
