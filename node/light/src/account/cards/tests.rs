//! Cards on a ledger: published, kept fresh, moved on, recovered, and read by contacts.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use waxwing_core::limits::DAY_MS;
use waxwing_seal::inbox::Uses;

use super::*;
use crate::account::OwnDevices;
use crate::client::Client;
use crate::conversations::Joined;
use crate::inbox::Inviting;
use crate::tests::{CHEAP, Person, TestNode, World, options, until};

const PATIENCE: Duration = Duration::from_secs(15);

/// One round after another until nothing of the account is on its way.
async fn settle(client: &Client, network: Hash, what: &str, holds: impl Fn(&OwnDevices) -> bool) -> OwnDevices {
    until(what, || async {
        client.refresh().await.unwrap();
        let devices = client.devices(network).await.unwrap();
        !devices.waiting && holds(&devices)
    })
    .await;
    client.devices(network).await.unwrap()
}

/// A ledger, its node, and somebody whose account is published there.
async fn published() -> (Arc<World>, TestNode, Person) {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    ada.client.publish_account(world.network()).await.unwrap();
    settle(&ada.client, world.network(), "the card is open", offers).await;
    (world, node, ada)
}

fn offers(devices: &OwnDevices) -> bool {
    devices
        .devices
        .iter()
        .any(|device| device.own && device.key_packages == 1)
}

/// The account on a new machine that knows the same ledger.
async fn recovered(of: &Person, world: &World, node: &TestNode) -> (TempDir, Client) {
    let phrase = of.client.phrase().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let client = Client::recover(options(home.path()), "Ada", CHEAP, phrase)
        .await
        .unwrap();
    client.add_network(&world.genesis, &[node.address()]).await.unwrap();
    (home, client)
}

fn standings(devices: &OwnDevices) -> Vec<&'static str> {
    let mut all: Vec<_> = devices.devices.iter().map(|device| device.standing).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_published_with_its_device_and_key_packages_and_only_once() {
    let (world, node, ada) = published().await;
    let devices = ada.client.devices(world.network()).await.unwrap();
    assert_eq!((devices.card, devices.devices.len()), (Some(0), 1));
    let device = &devices.devices[0];
    assert_eq!(
        (device.own, device.standing, device.since_ms.is_some()),
        (true, "active", true)
    );
    let core = &ada.client.core;
    let network = world.network();
    let (row, card) = core.store().read(|tx| own_card(tx, network)).unwrap().unwrap();
    let log = row.address.log();
    assert_eq!(world.length(&log), 2, "an opening and key packages");
    // The certificate on the card is the one that groups see.
    let kept = core.store().read(|tx| own::certificate(tx, network)).unwrap().unwrap();
    assert_eq!(&kept, &**card.device(kept.device).unwrap().certificate());
    for _ in 0..3 {
        ada.client.publish_account(network).await.unwrap();
        ada.client.refresh().await.unwrap();
    }
    assert_eq!(world.length(&log), 2, "nothing is said twice");
    // A stranger to the words makes no card.
    let ben = Person::on("Ben", &world, &[&node]).await;
    ben.client.refresh().await.unwrap();
    assert_eq!(
        ben.client.devices(network).await.unwrap().card,
        None,
        "nobody asked for one"
    );
    ben.client.forget_root().await.unwrap();
    let refused = ben.client.publish_account(network).await.err();
    assert_eq!(refused, Some(AccountError::RootOnPaper.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_packages_are_replaced_each_week_and_their_secrets_go_later() {
    let (world, _node, ada) = published().await;
    let network = world.network();
    let offered = || {
        let store = ada.client.core.store();
        store
            .read(|tx| {
                let (row, _) = own_card(tx, network)?.unwrap();
                rows::offered(tx, row.channel)
            })
            .unwrap()
    };
    let first = offered();
    assert_eq!(first.len(), 1);
    ada.client.clock().shift(i64::try_from(8 * DAY_MS).unwrap());
    until("others are published", || async {
        // The ledger's clock is the true one: only what this device does by itself goes by its own.
        let _ = ada.client.refresh().await;
        offered().len() == 2
    })
    .await;
    assert!(offered()[0].replaced.is_some() && offered()[1].replaced.is_none());
    assert_eq!(
        first[0].bytes,
        offered()[0].bytes,
        "what was sent to the first still opens"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovered_account_finds_its_card_adds_its_device_and_sees_the_old_ones() {
    let (world, node, ada) = published().await;
    let network = world.network();
    let (_home, new) = recovered(&ada, &world, &node).await;
    let devices = settle(&new, network, "the new device is on the card", offers).await;
    assert_eq!((devices.card, standings(&devices)), (Some(0), vec!["active", "active"]));
    new.member(network).await.unwrap();
    let seen = settle(&ada.client, network, "the old device sees it", |devices| {
        devices.devices.len() == 2
    })
    .await;
    assert!(
        seen.devices
            .iter()
            .any(|device| !device.own && device.key_packages == 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_device_is_suspended_lifted_and_revoked_for_ever() {
    let (world, node, ada) = published().await;
    let network = world.network();
    let (_home, new) = recovered(&ada, &world, &node).await;
    settle(&new, network, "the new device is on the card", offers).await;
    let lost = ada.client.account().await.unwrap().device;
    let this = new.account().await.unwrap().device;

    new.forget_root().await.unwrap();
    new.suspend_device(network, lost).await.unwrap();
    let suspended = |devices: &OwnDevices| standings(devices) == ["active", "suspended"];
    settle(&new, network, "it is suspended", suspended).await;
    assert_eq!(
        new.lift_device(network, lost, None).await.err(),
        Some(AccountError::RootOnPaper.into())
    );
    new.restore_root(ada.client.phrase().await.unwrap()).await.unwrap();
    new.lift_device(network, lost, None).await.unwrap();
    settle(&new, network, "it is lifted", |devices| {
        standings(devices) == ["active", "active"]
    })
    .await;
    let again = new.lift_device(network, lost, None).await.err();
    assert_eq!(
        again,
        Some(AccountError::Void(Void::NotSuspended).into()),
        "what would be void is not said"
    );
    assert_eq!(
        new.revoke_device(network, this, None).await.err(),
        Some(AccountError::ThisDevice.into())
    );

    new.revoke_device(network, lost, None).await.unwrap();
    let busy = new.suspend_device(network, lost).await.err();
    assert_eq!(busy, Some(AccountError::CardBusy.into()), "one statement at a time");
    let moved = |devices: &OwnDevices| devices.card == Some(1) && offers(devices);
    let devices = settle(&new, network, "the card has moved", moved).await;
    assert_eq!(standings(&devices), ["active", "revoked"]);
    // The revoked device has the words in this test, so it finds the next card; it stands there as revoked.
    let seen = settle(&ada.client, network, "the old device follows", |devices| {
        devices.card == Some(1)
    })
    .await;
    let own = seen.devices.iter().find(|device| device.own).unwrap();
    assert_eq!((own.standing, own.key_packages), ("revoked", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_read_the_card_and_follow_it_when_it_moves() {
    let (world, node, ada) = published().await;
    let network = world.network();
    let ben = Person::on("Ben", &world, &[&node]).await;
    let account = ada.client.account().await.unwrap();
    let of_ada = ben.client.add_contact(account.id, "Ada").await.unwrap();
    let address = ada
        .client
        .core
        .store()
        .write(|tx| own_address(tx, network, 1))
        .unwrap()
        .unwrap();
    ben.client
        .core
        .store()
        .write(|tx| follow_contact(tx, network, account.id, &address, 1))
        .unwrap();
    let sees = |what: &'static str, devices: usize, card: u64| {
        let client = &ben.client;
        async move {
            until(what, || async {
                client.refresh().await.unwrap();
                let keys = client.contact(of_ada).await.unwrap().keys;
                keys.iter()
                    .any(|keys| keys.devices.len() == devices && keys.card == card)
            })
            .await;
        }
    };
    sees("the first device is seen", 1, 0).await;
    ben.client.note_compared(of_ada).await.unwrap();
    let (_home, new) = recovered(&ada, &world, &node).await;
    settle(&new, network, "the new device is on the card", offers).await;
    sees("the second device is seen", 2, 0).await;
    new.revoke_device(network, account.device, None).await.unwrap();
    settle(&new, network, "the card has moved", |devices| devices.card == Some(1)).await;
    sees("the next card is seen", 2, 1).await;
    let detail = ben.client.contact(of_ada).await.unwrap();
    assert!(
        detail.contact.compared_ms.is_some(),
        "the account that was compared says so itself"
    );
    assert_eq!(detail.contact.standstill, crate::account::Standstill::None);
    let standings: Vec<_> = detail.keys[0].devices.iter().map(|device| device.standing).collect();
    assert!(
        standings.contains(&"revoked") && standings.contains(&"active"),
        "{standings:?}"
    );
    // A contact may read, and not write.
    let store = ben.client.core.store();
    let followed = store.read(|tx| rows::of(tx, account.id, network)).unwrap();
    for row in &followed {
        let channel = store.read(|tx| channels::load(tx, row.channel)).unwrap().unwrap();
        assert!(row.seed.is_none() && channel.log_key().is_none());
    }
    assert_eq!(followed.len(), 2);
    assert_eq!(
        ben.client.channels().await.unwrap().len(),
        0,
        "a card is no conversation"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_device_is_taken_out_of_the_groups_that_it_is_in() {
    let world = World::new("test");
    let network = world.network();
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let channel = ada.client.found_group(network, "plans").await.unwrap();
    let inviting = Inviting {
        uses: Uses::ONE,
        valid_ms: DAY_MS,
        asks: false,
    };
    let invited = ada.client.invite_to_group(channel, inviting).await.unwrap();
    ada.client.start();
    ada.client.settle(invited.opening, PATIENCE).await.unwrap();
    let ben = Person::on("Ben", &world, &[&node]).await;
    let Joined::Asked(asked) = ben.client.join_with(&invited.link, "").await.unwrap() else {
        panic!("a link to a group is asked by");
    };
    ben.client.answered(asked, PATIENCE).await.unwrap();
    let lost = ben.client.account().await.unwrap();
    let is_member = || async {
        let group = ada.client.group(channel).await.unwrap().unwrap();
        group
            .members
            .iter()
            .any(|member| member.device == lost.device.to_string())
    };
    assert!(is_member().await);
    ben.client.settle_account(network, PATIENCE).await.unwrap();
    ben.client.stop();

    let (_home, new) = recovered(&ben, &world, &node).await;
    settle(&new, network, "the new device is on the card", offers).await;
    new.revoke_device(network, lost.device, None).await.unwrap();
    settle(&new, network, "the card has moved", |devices| devices.card == Some(1)).await;
    // Members wait a random while, lest all of them commit at once.
    ada.client.clock().shift(i64::try_from(LEAVER_WAIT_MS).unwrap());
    until("the lost device is out", || async {
        let _ = ada.client.refresh().await;
        !is_member().await
    })
    .await;
}
