//! People: met, named, blocked, compared, and what becomes of their keys.

use tempfile::TempDir;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use waxwing_seal::DeviceId;
use waxwing_seal::identity::Scanned;
use waxwing_seal::identity::change::{Change, SeenDevice};

use super::*;
use crate::tests::{CHEAP, options};

const BEN: AccountId = AccountId([2; 32]);
const EVE: AccountId = AccountId([3; 32]);
const PHONE: DeviceId = DeviceId([5; 32]);
const LAPTOP: DeviceId = DeviceId([6; 32]);

async fn new_home() -> (TempDir, Client) {
    let home = tempfile::tempdir().unwrap();
    let client = Client::create(options(home.path()), "Ada", CHEAP).await.unwrap();
    (home, client)
}

async fn knows(client: &Client) -> Hash {
    let validator = VoteKey::from_seed(&[1; 32]).public();
    let genesis = Genesis::new("test", 1_000, Parameters::DEFAULT, vec![validator]).unwrap();
    client.add_network(&genesis, &[]).await.unwrap()
}

fn refused<T: fmt::Debug>(outcome: Result<T, Error>) -> ContactError {
    match outcome {
        Err(Error::Contact(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn shown(client: &Client, id: ContactId) -> ContactView {
    client.contact(id).await.unwrap().contact
}

fn keys(card: u64, devices: &[(DeviceId, u64, Standing)]) -> Keys {
    let seen = |(id, sequence, standing): &(DeviceId, u64, Standing)| {
        let (sequence, standing) = (*sequence, *standing);
        (*id, SeenDevice { sequence, standing })
    };
    Keys {
        account: BEN,
        card,
        devices: devices.iter().map(seen).collect(),
    }
}

#[tokio::test]
async fn a_person_is_met_once_by_their_account_and_may_ask_first() {
    let (_home, client) = new_home().await;
    let store = client.core.store();
    let meet = |account, name, consent| store.write(|tx| meet(tx, account, name, consent, 7));
    let ben = meet(BEN, "Ben", Consent::Asks).unwrap();
    assert_eq!(
        (shown(&client, ben).await.consent, shown(&client, ben).await.met_ms),
        (Consent::Asks, 7)
    );
    client.accept_contact(ben).await.unwrap();
    // Asking once more does not take the answer back.
    assert_eq!(meet(BEN, "Benjamin", Consent::Asks), Ok(ben));
    let view = shown(&client, ben).await;
    assert_eq!((view.name.as_str(), view.consent), ("Benjamin", Consent::Given));
    client.rename_contact(ben, "  my Ben ").await.unwrap();
    meet(BEN, "Boss", Consent::Asks).unwrap();
    let view = shown(&client, ben).await;
    assert_eq!((view.name.as_str(), view.claimed.as_str()), ("my Ben", "Boss"));
    client.rename_contact(ben, "").await.unwrap();
    assert_eq!(shown(&client, ben).await.name, "Boss");
    let own = client.account().await.unwrap().id;
    assert_eq!(refused(meet(own, "Ada", Consent::Given)), ContactError::Oneself);
    assert_eq!(client.contacts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_people_with_names_that_look_alike_are_two_and_said_to_be_alike() {
    let (_home, client) = new_home().await;
    let ben = client.add_contact(BEN, "Paul").await.unwrap();
    let eve = client.add_contact(EVE, "P\u{430}ul").await.unwrap();
    assert_ne!(ben, eve);
    assert_eq!(shown(&client, ben).await.alike, [eve]);
    assert_eq!(shown(&client, eve).await.alike, [ben]);
    client.rename_contact(eve, "Eve").await.unwrap();
    assert_eq!(shown(&client, ben).await.alike, []);
}

#[tokio::test]
async fn blocking_and_reporting_stay_here_and_can_be_taken_back() {
    let (_home, client) = new_home().await;
    let ben = client.add_contact(BEN, "Ben").await.unwrap();
    assert_eq!(shown(&client, ben).await.standstill, Standstill::None);
    client.block_contact(ben).await.unwrap();
    let since = shown(&client, ben).await.blocked_ms;
    assert!(since.is_some());
    client.report_contact(ben, "sends nothing but links").await.unwrap();
    let view = shown(&client, ben).await;
    assert_eq!((view.blocked_ms, view.standstill), (since, Standstill::Blocked));
    assert_eq!(view.report.as_deref(), Some("sends nothing but links"));
    client.unblock_contact(ben).await.unwrap();
    let view = shown(&client, ben).await;
    assert_eq!(
        (view.blocked_ms, view.report, view.standstill),
        (None, None, Standstill::None)
    );
    let long = "x".repeat(REPORT_BYTES_MAX + 1);
    let refusal = refused(client.report_contact(ben, &long).await);
    assert_eq!(refusal, ContactError::TooLong { most: REPORT_BYTES_MAX });
    client.forget_contact(ben).await.unwrap();
    assert_eq!(refused(client.contact(ben).await), ContactError::Unknown);
    assert_eq!(refused(client.block_contact(ben).await), ContactError::Unknown);
    assert_eq!(refused(client.forget_contact(ben).await), ContactError::Unknown);
}

#[tokio::test]
async fn both_people_see_one_number_and_each_scans_the_others_code() {
    let ((_one, ada), (_two, ben)) = (new_home().await, new_home().await);
    let network = knows(&ada).await;
    assert_eq!(knows(&ben).await, network);
    let (ada_id, ben_id) = (ada.account().await.unwrap().id, ben.account().await.unwrap().id);
    let of_ben = ada.add_contact(ben_id, "Ben").await.unwrap();
    let of_ada = ben.add_contact(ada_id, "Ada").await.unwrap();
    let of_eve = ben.add_contact(EVE, "Eve").await.unwrap();
    let one = ada.safety_number(of_ben, network).await.unwrap();
    let other = ben.safety_number(of_ada, network).await.unwrap();
    assert_eq!(one.digits(), other.digits());
    assert_eq!(one.scan(&other.code()), Scanned::Match);
    assert_eq!(one.scan(&one.code()), Scanned::OwnCode);
    let eve = ben.safety_number(of_eve, network).await.unwrap();
    assert_eq!(one.scan(&eve.code()), Scanned::OtherPerson);
    let unknown = ada.safety_number(of_ben, Hash([9; 32])).await.err();
    assert_eq!(unknown, Some(Error::UnknownNetwork(Hash([9; 32]))));
}

/// A device that is gone without having been revoked: no sound account can bring that about.
#[tokio::test]
async fn keys_that_no_sound_account_can_have_stop_the_sending_to_whom_had_been_compared() {
    let (_home, client) = new_home().await;
    let network = knows(&client).await;
    let store = client.core.store();
    let see = |id, keys, now| store.write(|tx| see_keys(tx, id, network, keys, now)).unwrap();
    let both = keys(0, &[(PHONE, 1, Standing::Active), (LAPTOP, 2, Standing::Active)]);
    let one = keys(0, &[(PHONE, 1, Standing::Active)]);

    let ben = client.add_contact(BEN, "Ben").await.unwrap();
    assert_eq!(see(ben, both.clone(), 1).changes, [], "met now");
    assert_eq!(
        see(ben, one.clone(), 2).sending,
        Sending::Allowed,
        "nobody had compared"
    );
    assert_eq!(see(ben, both.clone(), 3).sending, Sending::Allowed);
    client.note_compared(ben).await.unwrap();
    assert_eq!(shown(&client, ben).await.standstill, Standstill::None);
    let stopped = see(ben, one.clone(), 4);
    assert_eq!(
        (stopped.sending, stopped.changes.as_slice()),
        (Sending::Stopped, &[Change::Vanished(LAPTOP)][..])
    );
    assert_eq!(
        see(ben, one.clone(), 5).sending,
        Sending::Stopped,
        "it does not heal by being seen twice"
    );
    let detail = client.contact(ben).await.unwrap();
    assert_eq!(detail.contact.standstill, Standstill::KeysChanged);
    assert_eq!(detail.keys[0].devices.len(), 1, "what is there is shown");
    let times: Vec<u64> = detail.changes.iter().map(|change| change.time_ms).collect();
    assert_eq!(times, [4, 3, 2], "each is told once, the newest first");
    assert_eq!((detail.changes[0].breaks, detail.changes[1].breaks), (true, false));

    // The person in front of the screen decides; not comparing takes back what had been compared.
    client.go_on_without_comparing(ben).await.unwrap();
    let view = shown(&client, ben).await;
    assert_eq!((view.standstill, view.compared_ms), (Standstill::None, None));
    assert_eq!(see(ben, one, 6).changes, []);
    client.note_compared(ben).await.unwrap();
    see(ben, keys(0, &[]), 7);
    assert_eq!(shown(&client, ben).await.standstill, Standstill::KeysChanged);
    let to = |accounts: &[AccountId]| store.read(|tx| may_say(tx, accounts.iter().copied()));
    assert_eq!(refused(to(&[EVE, BEN])), ContactError::KeysChanged);
    assert_eq!(to(&[EVE]), Ok(()), "others are not concerned");
    client.note_compared(ben).await.unwrap();
    assert_eq!(to(&[EVE, BEN]), Ok(()));
    let view = shown(&client, ben).await;
    assert!(view.standstill == Standstill::None && view.compared_ms.is_some());
}

#[tokio::test]
async fn a_new_phone_of_somebody_compared_is_shown_and_stops_nothing() {
    let (_home, client) = new_home().await;
    let network = knows(&client).await;
    let ben = client.add_contact(BEN, "Ben").await.unwrap();
    let store = client.core.store();
    let see = |keys, now| store.write(|tx| see_keys(tx, ben, network, keys, now)).unwrap();
    see(keys(0, &[(PHONE, 1, Standing::Active)]), 1);
    client.note_compared(ben).await.unwrap();
    let moved = keys(1, &[(PHONE, 1, Standing::Revoked), (LAPTOP, 2, Standing::Active)]);
    assert_eq!(see(moved, 2).sending, Sending::Allowed);
    let detail = client.contact(ben).await.unwrap();
    assert_eq!(detail.contact.standstill, Standstill::None);
    assert!(detail.contact.compared_ms.is_some());
    assert_eq!(detail.changes.len(), 3);
    assert_eq!((detail.keys[0].card, detail.keys[0].devices.len()), (1, 2));
    assert_eq!(detail.contact.changed_ms, Some(2));
}
