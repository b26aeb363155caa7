//! A second device for an account, over a ledger: shown, offered, agreed to, added, told.

use std::sync::Arc;

use waxwing_seal::LinkError;

use super::*;
use crate::account::{OwnDevices, Root};
use crate::tests::{Person, TestNode, World};

const PATIENCE: Duration = Duration::from_secs(15);

/// Somebody with an account, and a machine that nobody knows yet.
async fn two() -> (Arc<World>, TestNode, Person, Person) {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let new = Person::on("Ada's laptop", &world, &[&node]).await;
    (world, node, ada, new)
}

async fn is(client: &Client, id: i64, state: LinkingState) -> LinkingView {
    client.linking_is(id, &[state], PATIENCE).await.unwrap()
}

async fn linked(ada: &Client, new: &Client, network: Hash) -> (LinkingView, OwnDevices) {
    let (showing, link) = new.begin_linking(network, "laptop").await.unwrap();
    let taking = ada.link_device(&link).await.unwrap();
    ada.start();
    let offered = is(new, showing, LinkingState::Offered).await;
    new.agree_to_link(showing, &offered.offers[0].offer).await.unwrap();
    is(ada, taking, LinkingState::Done).await;
    is(new, showing, LinkingState::Done).await;
    (offered, new.settle_account(network, PATIENCE).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_device_is_taken_in_without_ever_seeing_the_words() {
    let (world, _node, ada, new) = two().await;
    let network = world.network();
    let account = ada.client.account().await.unwrap();
    let (offered, devices) = linked(&ada.client, &new.client, network).await;
    assert_eq!(offered.offers.len(), 1);
    assert_eq!(offered.offers[0].account, account.id.to_string());
    assert_eq!(
        (offered.offers[0].device.clone(), offered.offers[0].name.as_str()),
        (account.device.to_string(), "Ada")
    );

    let its = new.client.account().await.unwrap();
    assert_eq!((its.id, its.root), (account.id, Root::OnPaper));
    assert_ne!(its.device, account.device);
    assert_eq!(new.client.member(network).await.unwrap().account, account.id);
    assert_eq!((devices.card, devices.devices.len()), (Some(0), 2));
    let laptop = devices.devices.iter().find(|device| device.own).unwrap();
    assert_eq!(
        (laptop.name.as_str(), laptop.standing, laptop.key_packages),
        ("laptop", "active", 1)
    );
    // It may suspend the first one, and only the words lift that.
    new.client.suspend_device(network, account.device).await.unwrap();
    let after = new.client.settle_account(network, PATIENCE).await.unwrap();
    assert!(after.devices.iter().any(|device| device.standing == "suspended"));
    let refused = new.client.lift_device(network, account.device, None).await.err();
    assert_eq!(refused, Some(AccountError::RootOnPaper.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_happens_until_the_owner_of_the_new_device_agrees() {
    let (world, node, ada, new) = two().await;
    let network = world.network();
    let (showing, link) = new.client.begin_linking(network, "laptop").await.unwrap();
    // Somebody who looked over the shoulder is faster.
    let eve = Person::on("Eve", &world, &[&node]).await;
    eve.client.link_device(&link).await.unwrap();
    eve.client.start();
    let offered = is(&new.client, showing, LinkingState::Offered).await;
    assert_eq!(offered.offers[0].name, "Eve");
    let own = new.client.account().await.unwrap();
    assert_eq!(own.root, Root::Here, "it is still its own");
    ada.client.link_device(&link).await.unwrap();
    ada.client.start();
    let account = ada.client.account().await.unwrap().id;
    crate::tests::until("the true offer is there as well", || async {
        new.client.linking(showing).await.unwrap().offers.len() == 2
    })
    .await;
    let offers = new.client.linking(showing).await.unwrap().offers;
    let right = offers
        .iter()
        .find(|offer| offer.account == account.to_string())
        .unwrap();
    let none = new.client.agree_to_link(showing, "no such offer").await.err();
    assert_eq!(none, Some(AccountError::UnknownLinking.into()));
    new.client.agree_to_link(showing, &right.offer).await.unwrap();
    is(&new.client, showing, LinkingState::Done).await;
    assert_eq!(new.client.account().await.unwrap().id, account);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_become_a_device_of_the_account_is_refused_before_anything_is_shown() {
    let (world, _node, ada, new) = two().await;
    let network = world.network();
    let unknown = new.client.begin_linking(Hash([9; 32]), "laptop").await.err();
    assert_eq!(unknown, Some(Error::UnknownNetwork(Hash([9; 32]))));
    let (_, link) = new.client.begin_linking(network, "laptop").await.unwrap();
    ada.client.forget_root().await.unwrap();
    assert_eq!(
        ada.client.link_device(&link).await.err(),
        Some(AccountError::RootOnPaper.into())
    );
    assert!(matches!(
        ada.client.link_device("waxwing:").await.err(),
        Some(Error::Link(_))
    ));
    // Whom others know under an account does not change it unseen.
    let in_use = ada.client.begin_linking(network, "laptop").await.err();
    assert_eq!(in_use, Some(AccountError::InUse.into()));
    let channel = ada.client.create_channel(network, "plans").await.unwrap();
    let other = ada.client.invite(channel).await.unwrap();
    let refused = new.client.link_device(&other).await.err();
    assert!(
        matches!(refused, Some(Error::Link(LinkError::OtherKind { .. }))),
        "{refused:?}"
    );
}
