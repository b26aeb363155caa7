//! What this device says in a group: sealed for the epoch, and again for the next if the epoch ends first.

use rusqlite::Connection;
use waxwing_core::Hash;
use waxwing_core::envelope::KeepFor;
use waxwing_core::keys::LogKey;
use waxwing_seal::content::Content;
use waxwing_seal::group::{Group, Outgoing};
use waxwing_seal::{DeviceId, Keeping};

use super::event::Event;
use super::state::{failed, keep, load, put_back};
use crate::account;
use crate::error::Error;
use crate::message::{ChannelId, MessageId};
use crate::store::channels::Channel;
use crate::store::messages::{Changed, Heard, Outcome, State};
use crate::store::{StoreError, Transaction, messages, mls, networks, outbox, wanted};
use crate::sync;

/// What was sealed, with what it takes to post it.
pub(crate) struct Said {
    pub(crate) outgoing: Outgoing,
    /// This device.
    pub(crate) own: DeviceId,
    /// Signs on the epoch's log.
    pub(crate) log_key: LogKey,
}

/// Seals a content for the present epoch of a group, in the transaction that stores it.
pub(crate) fn seal(
    tx: &Transaction<'_>,
    channel: &Channel,
    content: &Content,
    keep_for: KeepFor,
    now: u64,
) -> Result<Said, Error> {
    let myself = account::myself_again(tx, channel.network, now)?;
    let mut group = load(tx, channel)?;
    // Asked for only where somebody's keys have changed: the list of a large group is long.
    let accounts = core::iter::once_with(|| group.members())
        .flatten()
        .map(|member| member.account);
    account::contacts::may_say(tx, accounts)?;
    let sealed = mls::lend(tx, |provider| {
        group.seal(provider, &myself, content, Keeping::Erasable(keep_for))
    });
    let outgoing = sealed.map_err(Error::Group)?;
    let keys = group.keys().ok_or(Error::NotAMember)?;
    let said = Said {
        outgoing,
        own: myself.key().id(),
        log_key: keys.log_key().clone(),
    };
    put_back(tx, channel, group)?;
    Ok(said)
}

/// An own message has appeared. It cannot be decrypted by the one who wrote it: its words are in the row that waits for it.
pub(super) fn own(
    tx: &Transaction<'_>,
    channel: &Channel,
    group: &Group,
    inside: Hash,
    own: DeviceId,
) -> Result<Outcome, StoreError> {
    let account = group
        .members()
        .into_iter()
        .find(|member| member.device == own)
        .map(|member| member.account);
    let row = match outbox::with_inside(tx, channel.id, inside)? {
        Some(message) => messages::load(tx, message)?,
        None => None,
    };
    Ok(match (row, account) {
        (Some(row), Some(account)) if row.event.is_some() => Outcome::Changed(Box::new(Changed {
            device: own,
            account,
            event: Event {
                leaving: true,
                epoch: group.epoch(),
                ..Event::default()
            },
        })),
        (Some(row), account) if row.content.is_some() => Outcome::Opened(Box::new(Heard {
            device: own,
            account,
            counter: None,
            content: row.content.ok_or(StoreError::Damaged)?,
        })),
        _ => Outcome::Unopened("this device wrote it, and what it said is not here any more".to_owned()),
    })
}

/// The epoch ended before these were ordered: the same contents, under the same ids, go into the next.
pub(super) fn seal_again(tx: &Transaction<'_>, next: &Channel, group: &mut Group, now: u64) -> Result<(), StoreError> {
    let keys = networks::load(tx, next.network)?
        .ok_or(StoreError::Damaged)?
        .genesis
        .keys();
    let myself = account::myself_again(tx, next.network, now).map_err(|_| StoreError::Damaged)?;
    for message in outbox::of_channel(tx, next.id)? {
        let row = messages::load(tx, message)?.ok_or(StoreError::Damaged)?;
        let item = outbox::load(tx, message)?.ok_or(StoreError::Damaged)?;
        let keep_for = item.sealed.keep_for;
        outbox::remove(tx, message)?;
        let Some(mut content) = row.content else {
            // A commit or a wish to leave belonged to the epoch: whether it is still wanted is decided anew.
            messages::remove_waiting(tx, message)?;
            continue;
        };
        content.view = sync::view_of(tx, next)?;
        messages::set_content(tx, message, &content)?;
        let keeping = Keeping::Erasable(keep_for);
        let sealed = mls::lend(tx, |provider| group.seal(provider, &myself, &content, keeping));
        let outgoing = sealed.map_err(|error| failed(&error))?;
        put(tx, next, message, &outgoing)?;
        messages::set_state(tx, message, State::Queued, None)?;
        crate::deliver::sign_at_once(tx, &keys, next, message, &outgoing.sealed, now)?;
    }
    keep(tx, next, group)
}

/// Stores what is to be submitted, and how it will be known again.
pub(super) fn put(
    tx: &Transaction<'_>,
    channel: &Channel,
    message: MessageId,
    outgoing: &Outgoing,
) -> Result<(), StoreError> {
    outbox::insert(tx, message, channel.id, &outgoing.sealed)?;
    outbox::set_inside(tx, message, outgoing.id)
}

/// Nothing of what is on its way can be sent any more.
pub(super) fn give_up_all(tx: &Connection, channel: ChannelId, reason: &str) -> Result<(), StoreError> {
    for message in outbox::of_channel(tx, channel)? {
        let row = messages::load(tx, message)?.ok_or(StoreError::Damaged)?;
        outbox::remove(tx, message)?;
        if row.content.is_some() {
            messages::set_state(tx, message, State::Failed, Some(reason))?;
        } else {
            messages::remove_waiting(tx, message)?;
        }
    }
    wanted::remove_all(tx, channel)
}
