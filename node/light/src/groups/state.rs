//! A group as it is kept: the library's state and our record of it, read and written in one transaction.

use rusqlite::Connection;
use waxwing_seal::group::{Group, GroupError};

use crate::store::channels::Channel;
use crate::store::{StoreError, Transaction, channels, mls};

/// The group of a conversation, to be looked at.
pub(crate) fn read(connection: &Connection, channel: &Channel) -> Result<Group, StoreError> {
    let record = channels::engine(connection, channel.id)?;
    mls::lend(connection, |provider| Group::load(provider, &record)).map_err(|error| failed(&error))
}

/// The group of a conversation, to be changed: from memory, if it is there as it was last written.
pub(crate) fn load(tx: &Transaction<'_>, channel: &Channel) -> Result<Group, StoreError> {
    match tx.group(channel.id)? {
        Some(group) => Ok(group),
        None => read(tx, channel),
    }
}

/// Stores what goes with the library's state.
pub(crate) fn keep(connection: &Connection, channel: &Channel, group: &Group) -> Result<(), StoreError> {
    channels::set_engine(connection, channel.id, &group.record())
}

/// The same, and this was the last step with it in this transaction: the next one finds it in memory.
pub(crate) fn put_back(tx: &Transaction<'_>, channel: &Channel, group: Group) -> Result<(), StoreError> {
    keep(tx, channel, &group)?;
    tx.keep_group(channel.id, group)
}

/// What a fault of the library or its storage is to this client. The transaction that it happened in is dropped, so nothing
/// of the step is left.
pub(crate) fn failed(error: &GroupError) -> StoreError {
    tracing::error!("a group could not be used: {error}");
    StoreError::Damaged
}
