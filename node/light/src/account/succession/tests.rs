//! After a revocation: those who stay can write, with the words and without.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use waxwing_core::Hash;
use waxwing_seal::identity::Void;

use crate::account::{AccountError, OwnDevices, Root};
use crate::client::Client;
use crate::error::Error;
use crate::store::linkings::LinkingState;
use crate::tests::{CHEAP, Person, TestNode, World, options, until};

const PATIENCE: Duration = Duration::from_secs(20);

/// Both read and say what is due until this holds for the one.
async fn settle(clients: &[&Client], network: Hash, what: &str, holds: impl Fn(&OwnDevices) -> bool) -> OwnDevices {
    let first = clients[0];
    until(what, || async {
        for client in clients {
            client.refresh().await.unwrap();
        }
        let devices = first.devices(network).await.unwrap();
        !devices.waiting && holds(&devices)
    })
    .await;
    first.devices(network).await.unwrap()
}

fn own_packages(devices: &OwnDevices) -> usize {
    let own = devices.devices.iter().find(|device| device.own);
    own.map_or(0, |device| device.key_packages)
}

/// A ledger, Ada with the words, her laptop without them, and a lost device of hers.
struct House {
    _node: TestNode,
    network: Hash,
    ada: Person,
    laptop: Person,
    lost: (TempDir, Client),
}

async fn house() -> House {
    let world: Arc<World> = World::new("test");
    let (node, network) = (TestNode::honest(&world), world.network());
    let ada = Person::on("Ada", &world, &[&node]).await;
    let laptop = Person::on("Ada", &world, &[&node]).await;
    let (showing, link) = laptop.client.begin_linking(network, "laptop").await.unwrap();
    let taking = ada.client.link_device(&link).await.unwrap();
    ada.client.start();
    let offered = laptop
        .client
        .linking_is(showing, &[LinkingState::Offered], PATIENCE)
        .await;
    let offer = offered.unwrap().offers[0].offer.clone();
    laptop.client.agree_to_link(showing, &offer).await.unwrap();
    ada.client
        .linking_is(taking, &[LinkingState::Done], PATIENCE)
        .await
        .unwrap();
    laptop
        .client
        .linking_is(showing, &[LinkingState::Done], PATIENCE)
        .await
        .unwrap();
    laptop.client.settle_account(network, PATIENCE).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let words = ada.client.phrase().await.unwrap();
    let lost = Client::recover(options(folder.path()), "Ada", CHEAP, words)
        .await
        .unwrap();
    lost.add_network(&world.genesis, &[node.address()]).await.unwrap();
    ada.client.stop();
    laptop.client.stop();
    let offers = |devices: &OwnDevices| devices.devices.len() == 3 && own_packages(devices) == 1;
    settle(&[&lost, &ada.client], network, "the third device is there", offers).await;
    House {
        _node: node,
        network,
        ada,
        laptop,
        lost: (folder, lost),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_without_the_words_goes_on_publishing_after_another_was_revoked() {
    let house = house().await;
    let (ada, laptop, network) = (&house.ada.client, &house.laptop.client, house.network);
    let gone = house.lost.1.account().await.unwrap().device;
    // Without the words in the home: typed in for this call, as they are on paper.
    let words = ada.phrase().await.unwrap();
    ada.forget_root().await.unwrap();
    let refused = ada.revoke_device(network, gone, None).await.err();
    assert_eq!(refused, Some(AccountError::RootOnPaper.into()));
    ada.revoke_device(network, gone, Some(words)).await.unwrap();
    assert_eq!(ada.account().await.unwrap().root, Root::OnPaper, "they do not stay");
    let publishes = |devices: &OwnDevices| devices.card == Some(1) && own_packages(devices) == 1;
    settle(&[ada, laptop], network, "the first goes on", publishes).await;
    settle(&[laptop, ada], network, "the laptop goes on as well", publishes).await;
    assert_eq!(laptop.account().await.unwrap().root, Root::OnPaper);
    // It can write there: what takes no words it does.
    let first = ada.account().await.unwrap().device;
    laptop.suspend_device(network, first).await.unwrap();
    let is_suspended = |devices: &OwnDevices| devices.devices.iter().any(|device| device.standing == "suspended");
    let seen = settle(&[laptop], network, "suspended", is_suspended).await;
    assert_eq!(seen.devices.len(), 3);
    // The one that was revoked reads the card like everybody, and was handed nothing that opens.
    let lost = &house.lost.1;
    lost.forget_root().await.unwrap();
    settle(&[lost], network, "the lost one follows", |devices| {
        devices.card == Some(1)
    })
    .await;
    let cannot = lost.suspend_device(network, first).await.err();
    assert!(
        matches!(
            cannot,
            Some(Error::Account(AccountError::Void(_) | AccountError::CardUnwritable))
        ),
        "{cannot:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_give_a_device_that_was_handed_nothing_the_right_to_write() {
    let house = house().await;
    let (ada, laptop, network) = (&house.ada.client, &house.laptop.client, house.network);
    let words = ada.phrase().await.unwrap();
    let knows_all = |devices: &OwnDevices| devices.devices.len() == 3;
    settle(&[laptop], network, "the laptop knows all three", knows_all).await;
    // The laptop revokes the first device; the words are typed in there, and that device alone knows the next seed.
    let first = ada.account().await.unwrap().device;
    laptop.revoke_device(network, first, Some(words.clone())).await.unwrap();
    let publishes = |devices: &OwnDevices| devices.card == Some(1) && own_packages(devices) == 1;
    settle(&[laptop], network, "the laptop goes on", publishes).await;
    let lost = &house.lost.1;
    settle(&[lost, laptop], network, "the third goes on", publishes).await;
    // A wrong paper is refused before anything is said.
    let other = Person::new("Eve").await.client.phrase().await.unwrap();
    let refused = laptop.rename_device(network, first, "x", Some(other)).await.err();
    assert_eq!(refused, Some(AccountError::OtherAccount.into()));
    let revoked = laptop.rename_device(network, first, "x", Some(words)).await.err();
    assert_eq!(revoked, Some(AccountError::Void(Void::AlreadyRevoked).into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_called_something_else_and_the_others_see_it() {
    let house = house().await;
    let (ada, laptop, network) = (&house.ada.client, &house.laptop.client, house.network);
    let own = laptop.account().await.unwrap().device;
    let refused = laptop.rename_device(network, own, "old laptop", None).await.err();
    assert_eq!(refused, Some(AccountError::RootOnPaper.into()));
    assert!(ada.rename_device(network, own, &"x".repeat(65), None).await.is_err());
    ada.rename_device(network, own, "old laptop", None).await.unwrap();
    let is_called = |devices: &OwnDevices| devices.devices.iter().any(|device| device.name == "old laptop");
    settle(&[ada], network, "it has the name", is_called).await;
    let seen = settle(&[laptop], network, "the laptop knows its name", is_called).await;
    let laptop_now = seen.devices.iter().find(|device| device.own).unwrap();
    assert_eq!((laptop_now.standing, laptop_now.key_packages), ("active", 1));
    laptop.member(network).await.unwrap();
}
