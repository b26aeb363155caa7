//! Whose device a home is, and what it can do without the words.

use tempfile::TempDir;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;

use super::*;
use crate::store::home::HomeError;
use crate::tests::{CHEAP, options};

fn genesis(name: &str) -> Genesis {
    let validator = VoteKey::from_seed(&[1; 32]).public();
    Genesis::new(name, 1_000, Parameters::DEFAULT, vec![validator]).unwrap()
}

async fn knows(client: &Client, name: &str) -> Hash {
    client.add_network(&genesis(name), &[]).await.unwrap()
}

async fn new_home() -> (TempDir, Client) {
    let home = tempfile::tempdir().unwrap();
    let client = Client::create(options(home.path()), "Ada", CHEAP).await.unwrap();
    (home, client)
}

fn refused<T: fmt::Debug>(outcome: Result<T, Error>) -> AccountError {
    match outcome {
        Err(Error::Account(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_home_has_an_account_that_its_words_give_back() {
    let (home, client) = new_home().await;
    let account = client.account().await.unwrap();
    let phrase = client.phrase().await.unwrap();
    assert_eq!(account.id, phrase.account().id());
    assert_eq!(account.device, client.device().await.unwrap().0);
    assert_eq!(account.root, Root::Here);
    client.check_phrase(phrase.clone()).await.unwrap();
    let (_, other) = new_home().await;
    assert_ne!(other.account().await.unwrap().id, account.id, "drawn, not derived");
    let stranger = other.phrase().await.unwrap();
    assert_eq!(refused(client.check_phrase(stranger).await), AccountError::OtherAccount);
    // Another program with the same home sees the same account.
    let again = Client::open(options(home.path())).await.unwrap();
    assert_eq!(again.account().await.unwrap(), account);
}

#[tokio::test]
async fn a_device_is_certified_once_on_each_ledger() {
    let (_home, client) = new_home().await;
    let (one, two) = (knows(&client, "one").await, knows(&client, "two").await);
    let account = client.account().await.unwrap();
    let store = client.core.store();
    let first = store.write(|tx| myself(tx, one, 5_000)).unwrap();
    assert_eq!(
        (first.member().account, first.member().device),
        (account.id, account.device)
    );
    let kept = |network| store.read(|tx| rows::certificate(tx, network)).unwrap();
    let certificate = kept(one).unwrap();
    assert_eq!(kept(two), None, "on demand only");
    store.write(|tx| myself(tx, one, 9_000)).unwrap();
    assert_eq!(kept(one), Some(certificate.clone()), "others have seen it");
    store.write(|tx| myself(tx, two, 9_000)).unwrap();
    assert_ne!(kept(two).unwrap().signature, certificate.signature);
    assert!(kept(two).unwrap().verify(two, account.id).is_ok());
    assert!(
        certificate.clone().verify(two, account.id).is_err(),
        "one ledger's is none of another"
    );
    // A clock that is fast makes none that begins tomorrow.
    assert_eq!(certificate.validity.from_ms(), 1_000, "the time of the held block");
    let unknown = Hash([9; 32]);
    let nowhere = store.write(|tx| myself(tx, unknown, 5_000)).err();
    assert_eq!(nowhere, Some(Error::UnknownNetwork(unknown)));
}

#[tokio::test]
async fn without_its_words_a_device_stands_where_it_stood_and_nowhere_new() {
    let (home, client) = new_home().await;
    let known = knows(&client, "one").await;
    let phrase = client.phrase().await.unwrap();
    client.forget_root().await.unwrap();
    assert_eq!(client.account().await.unwrap().root, Root::OnPaper);
    assert_eq!(refused(client.phrase().await), AccountError::RootOnPaper);
    assert_eq!(refused(client.forget_root().await), AccountError::RootOnPaper);
    client.member(known).await.unwrap();
    let new = knows(&client, "two").await;
    assert_eq!(refused(client.member(new).await), AccountError::RootOnPaper);

    client.check_phrase(phrase.clone()).await.unwrap();
    let (_, other) = new_home().await;
    let stranger = other.phrase().await.unwrap();
    assert_eq!(refused(client.restore_root(stranger).await), AccountError::OtherAccount);
    client.restore_root(phrase.clone()).await.unwrap();
    assert_eq!(client.phrase().await.unwrap(), phrase);
    client.member(new).await.unwrap();
    drop(home);
}

#[tokio::test]
async fn a_recovered_account_has_a_new_device_that_waits_for_the_card() {
    let (_home, client) = new_home().await;
    let phrase = client.phrase().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let recover = |phrase| Client::recover(options(folder.path()), "Ada", CHEAP, phrase);
    let recovered = recover(phrase.clone()).await.unwrap();
    let (old, new) = (client.account().await.unwrap(), recovered.account().await.unwrap());
    assert_eq!((old.id, new.root), (new.id, Root::Here));
    assert_ne!(old.device, new.device);
    let network = knows(&recovered, "one").await;
    assert_eq!(refused(recovered.member(network).await), AccountError::CardUnread);
    recovered.forget_root().await.unwrap();
    let exists = recover(phrase).await.err();
    assert_eq!(exists, Some(Error::Home(HomeError::Exists(folder.path().to_owned()))));
}
