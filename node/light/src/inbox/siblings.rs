//! The account's own devices: whatever group one of them is in, the others come into.
//!
//! Any member may add. So a device that is in a group adds those devices of its own account that stand on the card and offer
//! keys, and welcomes them by an inbox whose keys grow from the card's seed. Each is brought into a group once: one that left
//! it stays out. When somebody else adds all devices of the account and welcomes one of them, that one passes the welcome on.
//! `// SPEC 28.1`

use std::collections::BTreeSet;

use rusqlite::Connection;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_seal::group::limits::MEMBERS_MAX;
use waxwing_seal::identity::{AccountId, Card};
use waxwing_seal::inbox::{Inbox, Recipient, WholeWelcome};
use waxwing_seal::{ChannelSecret, DeviceId};

use super::{add, invited, post};
use crate::account::cards;
use crate::chance;
use crate::groups;
use crate::limits::COMMIT_AGAIN_MS;
use crate::message::ChannelId;
use crate::store::cards::{self as card_rows, CardRow};
use crate::store::channels::{Channel, ChannelKind, New, NotAdded};
use crate::store::wanted::{self, Want};
use crate::store::{self, StoreError, Transaction, account as own, channels, known as rows};

/// The account's devices on a ledger, where this one is among them.
struct Family {
    row: CardRow,
    card: Card,
    /// The others that may speak for the account; there is at least one.
    others: Vec<DeviceId>,
}

/// The account's devices, if this one is one of several.
fn family(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<Option<Family>, StoreError> {
    let Some((row, card)) = cards::own_card(tx, network)? else {
        return Ok(None);
    };
    let this = store::device(tx)?.0.id();
    if row.seed.is_none() || card.next().is_some() || card.check(this, now).is_err() {
        return Ok(None);
    }
    let devices = card.devices().map(|device| device.certificate().device);
    let others: Vec<_> = devices
        .filter(|id| *id != this && card.check(*id, now).is_ok())
        .collect();
    Ok((!others.is_empty()).then_some(Family { row, card, others }))
}

impl Family {
    /// Those of some devices that can be added to groups now, each with the keys for it. Whether keys can be used takes
    /// signatures to find out, so it is asked only of devices that are missing somewhere.
    fn ready(&self, devices: &BTreeSet<DeviceId>, now: u64) -> Vec<(DeviceId, Vec<u8>)> {
        if devices.is_empty() {
            return Vec::new();
        }
        let mut ready = add::usable(&self.card, (self.row.account, self.row.network), now);
        ready.retain(|(device, _)| devices.contains(device));
        ready
    }

    /// For each group that has room, those of the others that were never there.
    fn missing(&self, tx: &Transaction<'_>) -> Result<Vec<(Channel, Vec<DeviceId>)>, StoreError> {
        let mut found = Vec::new();
        for channel in groups_on(tx, self.row.network)? {
            if tx.is_full(channel.id, channel.log()) {
                continue;
            }
            let mut missing = Vec::new();
            for device in &self.others {
                if !rows::is_brought(tx, channel.id, *device)? {
                    missing.push(*device);
                }
            }
            if !missing.is_empty() {
                found.push((channel, missing));
            }
        }
        Ok(found)
    }
}

/// Where this account's other devices are written to, if this one may.
pub(super) fn recipient(tx: &Transaction<'_>, network: Hash) -> Result<Option<Recipient>, StoreError> {
    let present = cards::own_card(tx, network)?;
    let present = present.and_then(|(row, _)| Some((row.account, row.seed?)));
    Ok(present.map(|(account, seed)| Recipient::own(network, account, &seed)))
}

/// Whether something is to be done for the account's devices.
pub(super) fn is_due(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<bool, StoreError> {
    let Some(family) = family(tx, network, now)? else {
        return Ok(false);
    };
    if rows::own_inbox(tx, family.row.channel)?.is_none() {
        return Ok(true);
    }
    let missing = family.missing(tx)?;
    let missing = missing.into_iter().flat_map(|(_, devices)| devices).collect();
    Ok(!family.ready(&missing, now).is_empty())
}

/// The groups that this device is in and has read, so that it knows who else is.
fn groups_on(connection: &Connection, network: Hash) -> Result<Vec<Channel>, StoreError> {
    let mut found = channels::all(connection)?;
    found.retain(|row| row.kind == ChannelKind::Group && row.network == network && row.is_live && row.is_read());
    Ok(found)
}

/// Does it.
pub(super) fn go_on(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<(), StoreError> {
    go_on_up_to(tx, network, MEMBERS_MAX, now)
}

/// The same for groups of this many at most.
fn go_on_up_to(tx: &Transaction<'_>, network: Hash, most: u32, now: u64) -> Result<(), StoreError> {
    let Some(family) = family(tx, network, now)? else {
        return Ok(());
    };
    follow(tx, &family.row, now)?;
    let missing = family.missing(tx)?;
    let devices = missing
        .iter()
        .flat_map(|(_, devices)| devices.iter().copied())
        .collect();
    let ready = family.ready(&devices, now);
    for (channel, missing) in missing {
        let missing = ready.iter().filter(|(device, _)| missing.contains(device));
        bring(tx, &channel, family.row.account, (missing.collect(), most), now)?;
    }
    Ok(())
}

/// Follows the inbox that goes with a card, and none of those that went with cards before it.
fn follow(tx: &Transaction<'_>, card: &CardRow, now: u64) -> Result<(), StoreError> {
    if rows::own_inbox(tx, card.channel)?.is_some() {
        return Ok(());
    }
    let Some(seed) = &card.seed else { return Ok(()) };
    for old in card_rows::of(tx, card.account, card.network)? {
        if let Some(inbox) = rows::own_inbox(tx, old.channel)? {
            channels::set_live(tx, inbox, false)?;
        }
    }
    let inbox = Inbox::own(card.network, card.account, seed);
    let log_seed = inbox.keys().log_key().seed();
    let new = New {
        kind: ChannelKind::Inbox,
        network: card.network,
        log: inbox.log(),
        secret: &ChannelSecret::from_bytes(*log_seed),
        name: "",
        engine: &inbox.to_bytes(),
    };
    let channel = match channels::insert_any(tx, &new, now)? {
        Ok(channel) | Err(NotAdded::Known(channel)) => channel,
        Err(NotAdded::TooMany) => return Err(StoreError::Full),
    };
    rows::insert_own_inbox(tx, channel, card.channel)
}

/// Wants those of the account's devices in a group that were never there. Where there is no room they wait for an epoch in
/// which there is.
fn bring(
    tx: &Transaction<'_>,
    channel: &Channel,
    account: AccountId,
    (missing, most): (Vec<&(DeviceId, Vec<u8>)>, u32),
    now: u64,
) -> Result<(), StoreError> {
    if missing.is_empty() {
        return Ok(());
    }
    let members = groups::devices(tx, channel)?;
    let mut room = most.saturating_sub(u32::try_from(members.len()).unwrap_or(most));
    for (device, key_package) in missing {
        if members.contains(device) {
            rows::bring(tx, channel.id, *device)?;
            continue;
        }
        if room == 0 {
            tx.note_full(channel.id, channel.log());
            continue;
        }
        room -= 1;
        rows::bring(tx, channel.id, *device)?;
        let want = Want::Add {
            device: device.0,
            key_package: key_package.clone(),
            request: None,
            to: Some(account.0),
            afresh: false,
        };
        // Another device of the account sees the same: of two commits one is first.
        wanted::insert(
            tx,
            channel.id,
            &want,
            now.saturating_add(chance::below(COMMIT_AGAIN_MS)),
        )?;
    }
    Ok(())
}

/// A welcome that another device of the account passes on, or made.
pub(super) fn welcomed(
    tx: &mut Transaction<'_>,
    inbox: &Channel,
    whole: &WholeWelcome,
    now: u64,
) -> Result<(), StoreError> {
    if invited::take(tx, inbox, whole, now)?.is_some() {
        card_rows::use_offered(tx, inbox.network, now)?;
    }
    Ok(())
}

/// This device was welcomed to a group, and others of the account with it: they are told.
pub(super) fn pass_on(
    tx: &Transaction<'_>,
    channel: ChannelId,
    whole: &WholeWelcome,
    now: u64,
) -> Result<(), StoreError> {
    let row = channels::load(tx, channel)?.ok_or(StoreError::Damaged)?;
    let (this, account) = (store::device(tx)?.0.id(), own::load(tx)?.id);
    let is_other = |member: &waxwing_seal::group::Member| member.account == account && member.device != this;
    if !groups::members(tx, &row)?.iter().any(is_other) {
        return Ok(());
    }
    let Some(to) = recipient(tx, row.network)? else {
        return Ok(());
    };
    post::welcome(tx, row.network, &to, (&whole.welcome, whole.place), now)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use waxwing_core::keys::LogId;

    use super::*;
    use crate::client::Client;
    use crate::error::Error;
    use crate::store::channels::Proven;
    use crate::tests::{CHEAP, Person, TestNode, World, options, until};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_device_for_which_a_group_has_no_room_waits_for_the_epoch_in_which_it_has() {
        let world = World::new("test");
        let node = TestNode::honest(&world);
        let ada = Person::on("Ada", &world, &[&node]).await;
        let network = world.network();
        ada.client.publish_account(network).await.unwrap();
        ada.client.refresh().await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let phrase = ada.client.phrase().await.unwrap();
        let new = Client::recover(options(home.path()), "Ada", CHEAP, phrase);
        let new = new.await.unwrap();
        new.add_network(&world.genesis, &[node.address()]).await.unwrap();
        let (device, store) = (new.account().await.unwrap().device, ada.client.core.store());
        let now = ada.client.core.clock.now();
        let is_ready = || {
            let devices = BTreeSet::from([device]);
            store
                .read(|tx| {
                    Ok::<_, StoreError>(family(tx, network, now)?.map(|family| family.ready(&devices, now).len()))
                })
                .unwrap()
        };
        until("both devices know each other", || async {
            new.refresh().await.unwrap();
            ada.client.refresh().await.unwrap();
            is_ready() == Some(1)
        })
        .await;

        // No round looks at the group before this test does: it is marked as read here.
        let group = ada.client.found_group(network, "birds").await.unwrap();
        let read = |tx: &mut Transaction<'_>| {
            let proven = Proven {
                height: 1,
                head: Hash([0; 32]),
                time: now,
                length: 0,
            };
            channels::set_proven(tx, group, &proven)
        };
        store.write(read).unwrap();
        let due = || store.read(|tx| is_due(tx, network, now)).unwrap();
        let found = || {
            store
                .read(|tx| Ok::<_, StoreError>((rows::is_brought(tx, group, device)?, wanted::all(tx, group)?.len())))
                .unwrap()
        };
        assert!(due());
        store.write(|tx| go_on_up_to(tx, network, 1, now)).unwrap();
        assert_eq!(found(), (false, 0), "it is not there, and was not given up");
        assert!(!due(), "nothing is looked at again and again while nobody goes");

        // Somebody goes: the epoch ends.
        let forget = |tx: &mut Transaction<'_>| {
            tx.note_full(group, LogId([7; 32]));
            Ok::<_, Error>(())
        };
        store.write(forget).unwrap();
        assert!(due());
        store.write(|tx| go_on_up_to(tx, network, 2, now)).unwrap();
        assert_eq!(found(), (true, 1));
        assert!(!due());
    }
}
