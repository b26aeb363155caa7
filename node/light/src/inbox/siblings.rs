//! The account's own devices: whatever group one of them is in, the others come into.
//!
//! Any member may add. So a device that is in a group adds those devices of its own account that stand on the card and offer
//! keys, and welcomes them by an inbox whose keys grow from the card's seed. Each is brought into a group once: one that left
//! it stays out. When somebody else adds all devices of the account and welcomes one of them, that one passes the welcome on.
//! `// SPEC 28.1`

use rusqlite::Connection;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_seal::group::limits::MEMBERS_MAX;
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
pub(super) struct Family {
    card: CardRow,
    /// The others that may speak for the account.
    others: usize,
    /// Those of them that can be added to groups now.
    ready: Vec<(DeviceId, Vec<u8>)>,
}

/// The account's devices, if this one is one of several.
pub(super) fn family(connection: &Connection, network: Hash, now: u64) -> Result<Option<Family>, StoreError> {
    let Some((row, card)) = cards::own_card(connection, network)? else {
        return Ok(None);
    };
    let this = store::device(connection)?.0.id();
    if row.seed.is_none() || card.next().is_some() || card.check(this, now).is_err() {
        return Ok(None);
    }
    let speak = |id: DeviceId| id != this && card.check(id, now).is_ok();
    let others = card
        .devices()
        .filter(|device| speak(device.certificate().device))
        .count();
    if others == 0 {
        return Ok(None);
    }
    let mut ready = add::usable(&card, (row.account, network), now);
    ready.retain(|(device, _)| *device != this);
    Ok(Some(Family {
        card: row,
        others,
        ready,
    }))
}

/// Where this account's other devices are written to, if this one may.
pub(super) fn recipient(connection: &Connection, network: Hash) -> Result<Option<Recipient>, StoreError> {
    let present = cards::own_card(connection, network)?;
    let present = present.and_then(|(row, _)| Some((row.account, row.seed?)));
    Ok(present.map(|(account, seed)| Recipient::own(network, account, &seed)))
}

/// Whether something is to be done for the account's devices.
pub(super) fn is_due(connection: &Connection, network: Hash, now: u64) -> Result<bool, StoreError> {
    let Some(family) = family(connection, network, now)? else {
        return Ok(false);
    };
    if rows::own_inbox(connection, family.card.channel)?.is_none() {
        return Ok(true);
    }
    for channel in groups_on(connection, network)? {
        for (device, _) in &family.ready {
            if !rows::is_brought(connection, channel.id, *device)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The groups that this device is in and has read, so that it knows who else is.
fn groups_on(connection: &Connection, network: Hash) -> Result<Vec<Channel>, StoreError> {
    let mut found = channels::all(connection)?;
    found.retain(|row| row.kind == ChannelKind::Group && row.network == network && row.is_live && row.is_read());
    Ok(found)
}

/// Does it.
pub(super) fn go_on(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<(), StoreError> {
    let Some(family) = family(tx, network, now)? else {
        return Ok(());
    };
    debug_assert!(family.others > 0, "an account of one device has nobody to bring");
    follow(tx, &family.card, now)?;
    for channel in groups_on(tx, network)? {
        bring(tx, &channel, &family, now)?;
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

/// Wants those of the account's devices in a group that were never there.
fn bring(tx: &Transaction<'_>, channel: &Channel, family: &Family, now: u64) -> Result<(), StoreError> {
    let mut missing = Vec::new();
    for (device, key_package) in &family.ready {
        if !rows::is_brought(tx, channel.id, *device)? {
            missing.push((*device, key_package));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let members = groups::devices(tx, channel)?;
    for (device, key_package) in missing {
        rows::bring(tx, channel.id, device)?;
        let is_full = u32::try_from(members.len()).map_or(true, |count| count >= MEMBERS_MAX);
        if members.contains(&device) || is_full {
            continue;
        }
        let want = Want::Add {
            device: device.0,
            key_package: key_package.clone(),
            request: None,
            to: Some(family.card.account.0),
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
