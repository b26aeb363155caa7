//! A device whose clock is wrong is told so.

use super::*;
use crate::clock::ClockVerdict;
use crate::error::Error;
use crate::status::Age;

const HOUR: i64 = 3_600_000;

/// Somebody whose clock is wrong by so much, after a look at two honest nodes.
async fn looked(wrong_by: i64) -> (crate::status::NetworkView, Person) {
    let world = World::new("test");
    let (one, two) = (TestNode::honest(&world), TestNode::honest(&world));
    world.order();
    let person = Person::with_clock("Ada", Clock::shifted(wrong_by)).await;
    person.knows(&world, &[&one, &two]).await;
    person.client.refresh().await.unwrap();
    person.client.compare(world.network()).await.unwrap();
    (person.client.status(world.network()).await.unwrap(), person)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_clock_agrees_with_beacons() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    assert_eq!(
        ada.client.status(world.network()).await.unwrap().clock,
        ClockVerdict::Unchecked
    );
    // Founded a minute ago: only a beacon makes it fresh.
    ada.client.refresh().await.unwrap();
    let status = ada.client.status(world.network()).await.unwrap();
    assert_eq!(status.clock, ClockVerdict::Agrees);
    assert!(
        matches!(status.age, Age::Fresh { age_ms } if age_ms < 10_000),
        "{:?}",
        status.age
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_behind_is_noticed_by_the_first_block() {
    let (status, _) = looked(-HOUR).await;
    let ClockVerdict::Behind { by_ms } = status.clock else {
        panic!("{:?}", status.clock);
    };
    assert!(by_ms.abs_diff(3_600_000) < 60_000, "{by_ms}");
    assert_eq!(status.age, Age::Unknown);
    assert!(status.clock.to_string().contains("set it"));
    assert!(
        status.faults.is_empty(),
        "the nodes are not to blame: {:?}",
        status.faults
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_ahead_is_noticed_when_all_nodes_show_the_same_past() {
    let (status, person) = looked(HOUR).await;
    let ClockVerdict::Ahead { by_ms, nodes } = status.clock else {
        panic!("{:?}", status.clock);
    };
    assert!(by_ms.abs_diff(3_600_000) < 60_000, "{by_ms}");
    assert_eq!(nodes, 2);
    assert!(matches!(status.age, Age::Stale { .. }));
    drop(person);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_fresh_node_clears_the_clock() {
    let world = World::new("test");
    let (stale, fresh) = (
        TestNode::lying(&world, Lie::OldBeacons(50_000)),
        TestNode::honest(&world),
    );
    let ada = Person::on("Ada", &world, &[&stale]).await;
    ada.client.refresh().await.unwrap();
    let status = ada.client.status(world.network()).await.unwrap();
    assert!(
        matches!(status.clock, ClockVerdict::Ahead { nodes: 1, .. }),
        "{:?}",
        status.clock
    );
    ada.client.add_node(world.network(), fresh.address()).await.unwrap();
    ada.client.compare(world.network()).await.unwrap();
    let status = ada.client.status(world.network()).await.unwrap();
    assert_eq!(status.clock, ClockVerdict::Agrees);
    assert!(matches!(status.age, Age::Fresh { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_month_without_a_look_a_new_invitation_leads_over_the_gap() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.say_finally(channel.0, "before").await;
    ben.client.refresh().await.unwrap();
    let month = 31 * 24 * HOUR;
    // Ada looks every week, Ben does not.
    for _ in 0..5 {
        world.clock.shift(month / 5);
        ada.client.clock().shift(month / 5);
        world.order_many(30);
        ada.client.refresh().await.unwrap();
    }
    ada.say_finally(channel.0, "after").await;
    ben.client.clock().shift(month);
    assert_eq!(ben.client.refresh().await, Err(Error::NeedsPin));
    let link = ada.client.invite(channel.0).await.unwrap();
    ben.client.join(&link).await.unwrap();
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(channel.1).await, ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_far_ahead_looks_like_a_ledger_too_old_to_start_from_and_that_is_said() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    world.order();
    let ada = Person::with_clock("Ada", Clock::shifted(31 * 24 * HOUR)).await;
    ada.knows(&world, &[&node]).await;
    let refused = ada.client.refresh().await;
    assert_eq!(refused, Err(Error::NeedsPin));
    assert!(Error::NeedsPin.to_string().contains("clock"));
    ada.client.clock().shift(-31 * 24 * HOUR);
    ada.client.refresh().await.unwrap();
}
