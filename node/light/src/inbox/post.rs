//! Putting something into an inbox: on its way like a message, and shown in no conversation.

use waxwing_core::codec::Encode;
use waxwing_seal::Sealed;
use waxwing_seal::group::Welcome;
use waxwing_seal::inbox::{CommitPlace, Recipient};

use super::ask::KEPT;
use crate::message::{ChannelId, MessageId};
use crate::store::channels::{Channel, ChannelKind, New, NotAdded};
use crate::store::{self, StoreError, Transaction, channels, messages, networks, outbox};
use crate::{chance, deliver};

/// Queues a body for the log of an inbox.
pub(crate) fn queue(tx: &Transaction<'_>, inbox: &Channel, sealed: &Sealed, now: u64) -> Result<MessageId, StoreError> {
    let own = store::device(tx)?.0.id();
    let keys = networks::load(tx, inbox.network)?
        .ok_or(StoreError::Damaged)?
        .genesis
        .keys();
    let message = messages::queue_posted(tx, inbox.id, own, now)?;
    outbox::insert(tx, message, inbox.id, sealed)?;
    deliver::sign_at_once(tx, &keys, inbox, message, sealed, now)?;
    Ok(message)
}

/// Queues a welcome for somebody's inbox. Says whether there is one: what no inbox takes is given up.
pub(super) fn welcome(
    tx: &Transaction<'_>,
    network: waxwing_core::Hash,
    to: &Recipient,
    (welcome, place): (&Welcome, CommitPlace),
    now: u64,
) -> Result<bool, StoreError> {
    let (device, _) = store::device(tx)?;
    let mails = match to.welcome(&device, (welcome, place), KEPT, &mut chance::fill) {
        Ok(mails) => mails,
        Err(error) => {
            tracing::error!("a welcome could not be sealed: {error}");
            return Ok(false);
        }
    };
    let door = door(tx, network, to, now)?;
    for mail in mails {
        queue(tx, &door, &mail.sealed, now)?;
    }
    Ok(true)
}

/// The row behind which somebody's inbox for answers is posted to.
pub(super) fn door(
    tx: &Transaction<'_>,
    network: waxwing_core::Hash,
    to: &Recipient,
    now: u64,
) -> Result<Channel, StoreError> {
    let keys = to.keys();
    let seed = keys.log_key().seed();
    let new = New {
        kind: ChannelKind::Post,
        network,
        log: keys.log(),
        secret: &waxwing_seal::ChannelSecret::from_bytes(*seed),
        name: "",
        engine: &to.to_bytes(),
    };
    let id: ChannelId = match channels::insert_any(tx, &new, now)? {
        Ok(id) => id,
        Err(NotAdded::Known(id)) => {
            channels::set_live(tx, id, true)?;
            id
        }
        // There is room for as many as a home has conversations, and these are followed for a moment only.
        Err(NotAdded::TooMany) => return Err(StoreError::Full),
    };
    channels::load(tx, id)?.ok_or(StoreError::Damaged)
}
