//! A group as it is kept: the library's state and our record of it, read and written in one transaction.

use rusqlite::Connection;
use waxwing_seal::group::{Group, GroupError};

use crate::store::channels::Channel;
use crate::store::{StoreError, channels, mls};

/// The group of a conversation.
pub(crate) fn load(connection: &Connection, channel: &Channel) -> Result<Group, StoreError> {
    let record = channels::engine(connection, channel.id)?;
    mls::lend(connection, |provider| Group::load(provider, &record)).map_err(|error| failed(&error))
}

/// Stores what goes with the library's state.
pub(crate) fn keep(connection: &Connection, channel: &Channel, group: &Group) -> Result<(), StoreError> {
    channels::set_engine(connection, channel.id, &group.record())
}

/// What a fault of the library or its storage is to this client. The transaction that it happened in is dropped, so nothing
/// of the step is left.
pub(crate) fn failed(error: &GroupError) -> StoreError {
    tracing::error!("a group could not be used: {error}");
    StoreError::Damaged
}
