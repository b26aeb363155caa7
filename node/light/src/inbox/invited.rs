//! A welcome from somebody who is known: it waits among the requests until this person agrees.
//!
//! Being in a group shows its members who one is, so that nobody is put into one unasked, not even by a friend. Two
//! welcomes need no consent: one to a group that this device is in and cannot follow any more, and one that another device
//! of the same account passes on. A welcome that is declined is deleted; its members still see the devices that were added,
//! until somebody removes them.

use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::inbox::WholeWelcome;

use super::siblings;
use crate::error::Error;
use crate::groups;
use crate::limits::WELCOMES_WAITING_MAX;
use crate::message::ChannelId;
use crate::store::channels::Channel;
use crate::store::inboxes::{self, Request, RequestState, Welcomed};
use crate::store::{StoreError, Transaction, cards, channels, contacts as people, known};

/// What stands behind a welcome.
enum Seen {
    /// A group that this device is not in.
    New(Welcomed, waxwing_seal::identity::AccountId),
    /// One that it could not follow any more: it can now.
    Back,
    /// Nothing that this device could join.
    Nothing,
}

/// A welcome came to an inbox that was made for one contact.
pub(super) fn welcomed(
    tx: &mut Transaction<'_>,
    inbox: &Channel,
    whole: &WholeWelcome,
    (time, now): (u64, u64),
) -> Result<(), StoreError> {
    let Some(account) = known::writer(tx, inbox.id)? else {
        return Ok(());
    };
    let Some(contact) = people::find(tx, account)? else {
        // Whoever was forgotten is a stranger again.
        return channels::set_live(tx, inbox.id, false);
    };
    if contact.blocked.is_some() {
        return Ok(());
    }
    if inboxes::welcomed_waiting(tx, account)? >= WELCOMES_WAITING_MAX {
        tracing::warn!("a welcome was passed over: too many of the same person wait for an answer");
        return Ok(());
    }
    match look(tx, inbox, whole, now)? {
        // Whoever was handed this inbox welcomes by it, and nobody whom they passed it on to.
        Seen::New(welcomed, by) if by == account => {
            cards::use_offered(tx, inbox.network, now)?;
            inboxes::insert_welcomed(tx, (inbox.id, account), &welcomed, time)?;
        }
        Seen::Back => cards::use_offered(tx, inbox.network, now)?,
        Seen::New(..) | Seen::Nothing => {}
    }
    Ok(())
}

/// Joins to see what would be joined, and leaves no trace of it.
fn look(tx: &mut Transaction<'_>, inbox: &Channel, whole: &WholeWelcome, now: u64) -> Result<Seen, StoreError> {
    let stranded = groups::stranded(tx, inbox.network)?;
    let savepoint = tx.savepoint()?;
    match groups::join(&savepoint, inbox.network, &whole.welcome, now) {
        Ok((channel, by)) => {
            if stranded.contains(&channel) {
                savepoint.commit()?;
                return Ok(Seen::Back);
            }
            let row = channels::load(&savepoint, channel)?.ok_or(StoreError::Damaged)?;
            let (called, members) = groups::outline(&savepoint, &row)?;
            drop(savepoint);
            let welcomed = Welcomed {
                device: by.device,
                called,
                members,
                whole: whole.to_bytes(),
            };
            Ok(Seen::New(welcomed, by.account))
        }
        Err(Error::Store(error)) => Err(error),
        Err(error) => {
            drop(savepoint);
            tracing::info!("a welcome leads nowhere: {error}");
            Ok(Seen::Nothing)
        }
    }
}

/// This person agrees.
pub(super) fn accept(tx: &mut Transaction<'_>, request: &Request, welcomed: &Welcomed, now: u64) -> Result<(), Error> {
    let whole = WholeWelcome::from_bytes(&welcomed.whole).map_err(StoreError::from)?;
    let inbox = channels::load(tx, request.inbox)?.ok_or(StoreError::Damaged)?;
    match take(tx, &inbox, &whole, now)? {
        Some(channel) => {
            inboxes::set_leads(tx, request.id, channel)?;
            inboxes::set_request(tx, request.id, RequestState::LetIn)?;
            siblings::pass_on(tx, channel, &whole, now)?;
        }
        // Others took this device out again meanwhile, or its keys are gone.
        None => inboxes::set_request(tx, request.id, RequestState::Over)?,
    }
    Ok(inboxes::forget_welcome(tx, request.id)?)
}

/// Joins by a welcome, if it leads anywhere.
pub(super) fn take(
    tx: &mut Transaction<'_>,
    inbox: &Channel,
    whole: &WholeWelcome,
    now: u64,
) -> Result<Option<ChannelId>, StoreError> {
    let savepoint = tx.savepoint()?;
    match groups::join(&savepoint, inbox.network, &whole.welcome, now) {
        Ok((channel, _)) => {
            savepoint.commit()?;
            call_by_other(tx, channel)?;
            Ok(Some(channel))
        }
        Err(Error::Store(error)) => Err(error),
        Err(error) => {
            drop(savepoint);
            tracing::info!("a welcome leads nowhere: {error}");
            Ok(None)
        }
    }
}

/// A conversation of two has no name of its own: here it is called after the other one.
fn call_by_other(tx: &Transaction<'_>, channel: ChannelId) -> Result<(), StoreError> {
    let row = channels::load(tx, channel)?.ok_or(StoreError::Damaged)?;
    if row.name != groups::NAMELESS {
        return Ok(());
    }
    for account in groups::others(tx, &row)? {
        if let Some(contact) = people::find(tx, account)? {
            return channels::rename(tx, channel, contact.name());
        }
    }
    Ok(())
}

/// This person does not want to be in it.
pub(super) fn decline(tx: &Transaction<'_>, request: &Request) -> Result<(), Error> {
    inboxes::set_request(tx, request.id, RequestState::Declined)?;
    Ok(inboxes::forget_welcome(tx, request.id)?)
}
