//! What is over cannot be opened any more, and what is kept back is shown: keys of epochs that ended, looked for in everything
//! that a device still has; a stolen copy of it, tried on what was captured; and nodes that withhold what a group's members
//! wrote.

use ciborium::Value;
use openmls::group::{GroupId, MlsGroup};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{MlsMessageIn, ProcessedMessageContent};
use openmls_traits::OpenMlsProvider as _;
use waxwing_core::envelope::Body;
use waxwing_core::keys::LogId;
use waxwing_seal::EpochKeys;

use super::afresh::go_on;
use super::groups::{Member, group};
use super::stranded::{nobody_renews_keys, spite};
use super::world::LogRow;
use super::*;
use crate::error::Error;
use crate::store::{StoreError, channels, mls};

/// Secrets of an epoch, by the names that the library gives them, and where it keeps them.
const SECRETS: [(&str, &str); 6] = [
    ("group_epoch_secrets", "init_secret"),
    ("group_epoch_secrets", "exporter_secret"),
    ("group_epoch_secrets", "epoch_authenticator"),
    ("message_secrets", "sender_data_secret"),
    ("message_secrets", "membership_key"),
    ("message_secrets", "confirmation_key"),
];

/// The value of a field, wherever in it.
pub(super) fn inside<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    match value {
        Value::Map(entries) => entries.iter().find_map(|(name, value)| {
            let is_it = name.as_text() == Some(field);
            if is_it { Some(value) } else { inside(value, field) }
        }),
        Value::Array(values) => values.iter().find_map(|value| inside(value, field)),
        _ => None,
    }
}

/// What opens the present epoch, as it is written in the store.
async fn secrets(member: &Member) -> Vec<(&'static str, Vec<u8>)> {
    let channel = member.channel;
    let read = member.client().core.read::<_, StoreError>(move |tx| {
        let seed = channels::load(tx, channel)?.unwrap().log_key().unwrap().seed().to_vec();
        let mut secrets = vec![("log key", seed)];
        for (kind, name) in SECRETS {
            let select = "SELECT group_data FROM openmls_group_data WHERE data_type = ?1";
            let row: Vec<u8> = tx.query_row(select, [kind], |row| row.get(0))?;
            let value: Value = ciborium::from_reader(row.as_slice()).unwrap();
            let mut bytes = Vec::new();
            ciborium::into_writer(inside(&value, name).unwrap_or_else(|| panic!("no {name}")), &mut bytes).unwrap();
            assert!(bytes.len() >= 32, "{name}");
            secrets.push((name, bytes));
        }
        Ok(secrets)
    });
    read.await.unwrap()
}

/// Tables in which some bytes stand, whatever table that is.
async fn tables_with(member: &Member, needle: &[u8]) -> Vec<String> {
    let needle = needle.to_vec();
    let read = member.client().core.read::<_, StoreError>(move |tx| {
        let mut names = tx.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
        let names = names.query_map([], |row| row.get(0))?;
        let mut found = Vec::new();
        for name in names.collect::<Result<Vec<String>, _>>()? {
            let mut statement = tx.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            let mut is_here = false;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    let bytes = match row.get_ref(column)? {
                        rusqlite::types::ValueRef::Blob(bytes) | rusqlite::types::ValueRef::Text(bytes) => bytes,
                        _ => continue,
                    };
                    is_here |= bytes.windows(needle.len()).any(|part| part == needle);
                }
            }
            if is_here {
                found.push(name);
            }
        }
        Ok(found)
    });
    read.await.unwrap()
}

async fn all_go_on(members: &[Member]) {
    go_on(&members.iter().map(Member::client).collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_opened_an_epoch_is_nowhere_in_a_device_when_the_epoch_is_over() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    nobody_renews_keys(&members).await;
    all_go_on(&members).await;
    for member in &members {
        member.person.say(member.channel, "before").await;
    }
    all_go_on(&members).await;
    let mut all = Vec::new();
    for member in &members {
        let secrets = secrets(member).await;
        for (name, secret) in &secrets {
            assert!(
                !tables_with(member, secret).await.is_empty(),
                "{name}: the search finds what is there"
            );
        }
        all.push(secrets);
    }
    let before = members[0].view().await.epoch;
    members[0]
        .client()
        .rename_group(members[0].channel, "next")
        .await
        .unwrap();
    all_go_on(&members).await;
    for (member, secrets) in members.iter().zip(&all) {
        assert!(member.view().await.epoch > before);
        for (name, secret) in secrets {
            let found = tables_with(member, secret).await;
            assert!(found.is_empty(), "{name} of an epoch that is over stands in {found:?}");
        }
    }
}

/// The newest message on a log as everybody could capture it, taken out of its outer seal, whose key is given away.
fn captured(world: &World, log: &LogId, keys: &EpochKeys) -> Vec<u8> {
    let LogRow { carried, .. } = world.log(log).pop().unwrap();
    let Body::Present(body) = carried.body else {
        panic!("it is here")
    };
    spite::taken_out(world, keys, &carried.signed.header, &body)
}

/// Whether somebody who has a device's whole store opens a message with it. Nothing of it is kept.
async fn opens(member: &Member, message: &[u8]) -> bool {
    let (channel, message) = (member.channel, message.to_vec());
    let tried = member.client().core.write::<bool, StoreError>(move |tx| {
        let record = channels::engine(tx, channel)?;
        let savepoint = tx.savepoint()?;
        let opened = mls::lend(&savepoint, |provider| {
            let id = GroupId::from_slice(&record[spite::GROUP_ID]);
            let mut mls = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
            let message = MlsMessageIn::tls_deserialize_exact_bytes(&message).unwrap();
            let message = message.try_into_protocol_message().unwrap();
            let processed = mls.process_message(provider, message);
            processed.is_ok_and(|said| matches!(said.content(), ProcessedMessageContent::ApplicationMessage(_)))
        });
        drop(savepoint);
        Ok(opened)
    });
    tried.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_steals_a_device_opens_nothing_that_it_has_read_nor_anything_of_an_epoch_that_is_over() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    nobody_renews_keys(&members).await;
    all_go_on(&members).await;
    let (ada, ben, channel) = (&members[0], &members[1], members[0].channel);
    let keys = ada
        .client()
        .core
        .read::<_, StoreError>(move |tx| Ok(spite::group(tx, channel).0.keys().cloned()));
    let (keys, epoch) = (keys.await.unwrap().unwrap(), ada.view().await.epoch);
    let mut said = Vec::new();
    for words in ["read in time", "never read"] {
        ada.person.say(ada.channel, words).await;
        ada.refresh().await;
        said.push(captured(&world, &keys.log(), &keys));
        if words == "read in time" {
            assert_eq!(ben.view().await.epoch, epoch, "nobody has renewed keys meanwhile");
            assert!(opens(ben, &said[0]).await, "who steals it before it is read reads it");
            ben.refresh().await;
            assert!(!opens(ben, &said[0]).await, "its key is gone with the reading");
        }
    }
    assert!(opens(ben, &said[1]).await);
    // Ben gets behind the end of the epoch; what he was not shown of it, nobody reads with his device either.
    ada.client().rename_group(ada.channel, "next").await.unwrap();
    all_go_on(&members).await;
    assert_eq!(ben.view().await.authenticator, ada.view().await.authenticator);
    for message in &said {
        assert!(!opens(ben, message).await, "the epoch is over");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nodes_withhold_of_a_group_is_shown_and_a_withheld_change_is_waited_for() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    nobody_renews_keys(&members).await;
    all_go_on(&members).await;
    let (ada, ben) = (&members[0], &members[1]);
    ada.person.say(ada.channel, "kept back").await;
    ada.refresh().await;
    node.lie(Lie::NoBodies);
    let served = ben.client().refresh().await;
    assert!(
        served.is_ok() || matches!(served, Err(Error::NobodyServed(_))),
        "{served:?}"
    );
    assert_eq!(ben.texts().await.last().map(String::as_str), Some("(Withheld)"));
    assert!(
        ben.person
            .faults(world.network())
            .await
            .contains(&"withheld-body".to_owned())
    );
    // A change of the group decides who reads what comes: nothing behind it is read before it.
    node.repent();
    ada.client().rename_group(ada.channel, "next").await.unwrap();
    ada.refresh().await;
    ada.refresh().await;
    ada.person.say(ada.channel, "in the next epoch").await;
    ada.refresh().await;
    node.lie(Lie::NoBodies);
    let before = ben.view().await.epoch;
    let nobody = ben.client().refresh().await.unwrap_err();
    assert!(matches!(nobody, Error::NobodyServed(_)), "{nobody:?}");
    assert_eq!(ben.view().await.epoch, before);
    let channel = ben.client().channels().await.unwrap().remove(0);
    assert!(
        channel.proven.unwrap() > channel.entries,
        "what is missing is known to be there: {channel:?}"
    );
    node.repent();
    all_go_on(&members).await;
    let read = ben.texts().await;
    // What was kept back until its epoch was over cannot be opened any more, and stays in its place as what it is.
    assert_eq!(read, ["(Withheld)", "in the next epoch"]);
    assert_eq!(ben.view().await.authenticator, ada.view().await.authenticator);
}
