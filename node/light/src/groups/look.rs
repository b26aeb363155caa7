//! What others of this crate want to know of a group without changing it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use waxwing_core::Hash;
use waxwing_seal::DeviceId;
use waxwing_seal::group::{Group, HistoryRule, Member, Standing};
use waxwing_seal::identity::AccountId;

use super::event::Event;
use super::state;
use crate::error::Error;
use crate::message::ChannelId;
use crate::store::channels::{Channel, ChannelKind};
use crate::store::{StoreError, account as own, channels};

/// The group of a conversation, if this device is in it.
pub(crate) fn joined(connection: &Connection, channel: &Channel) -> Result<Group, Error> {
    if channel.kind != ChannelKind::Group {
        return Err(Error::NoGroup);
    }
    let group = state::read(connection, channel)?;
    match group.standing() {
        Standing::Member => Ok(group),
        Standing::Stranded | Standing::Removed => Err(Error::NotAMember),
    }
}

/// The conversations on a ledger whose groups this device cannot follow any more, and did not leave.
pub(crate) fn stranded(connection: &Connection, network: Hash) -> Result<BTreeSet<ChannelId>, StoreError> {
    let mut found = BTreeSet::new();
    for channel in channels::all(connection)? {
        let is_over = channel.kind == ChannelKind::Group && channel.network == network && !channel.is_live;
        if is_over && state::read(connection, &channel)?.standing() == Standing::Stranded {
            found.insert(channel.id);
        }
    }
    Ok(found)
}

/// Everybody in it.
pub(crate) fn members(connection: &Connection, channel: &Channel) -> Result<Vec<Member>, StoreError> {
    Ok(state::read(connection, channel)?.members())
}

/// Their devices.
pub(crate) fn devices(connection: &Connection, channel: &Channel) -> Result<BTreeSet<DeviceId>, StoreError> {
    let members = members(connection, channel)?;
    Ok(members.into_iter().map(|member| member.device).collect())
}

/// The other people in it.
pub(crate) fn others(connection: &Connection, channel: &Channel) -> Result<BTreeSet<AccountId>, StoreError> {
    let account = own::load(connection)?.id;
    let accounts = members(connection, channel)?.into_iter().map(|member| member.account);
    Ok(accounts.filter(|other| *other != account).collect())
}

/// What it is called, nothing if it is a conversation of two; and how many people are in it.
pub(crate) fn outline(connection: &Connection, channel: &Channel) -> Result<(String, u64), StoreError> {
    let group = state::read(connection, channel)?;
    let people: BTreeSet<AccountId> = group.members().into_iter().map(|member| member.account).collect();
    let name = group.charter().name().as_str().to_owned();
    Ok((name, u64::try_from(people.len()).unwrap_or(u64::MAX)))
}

/// Whose devices are in a conversation's group; nothing where there is no group.
pub(crate) fn accounts(
    connection: &Connection,
    channel: ChannelId,
) -> Result<BTreeMap<DeviceId, AccountId>, StoreError> {
    let channel = channels::load(connection, channel)?.filter(|channel| channel.kind == ChannelKind::Group);
    let Some(channel) = channel else {
        return Ok(BTreeMap::new());
    };
    let members = state::read(connection, &channel)?.members();
    Ok(members
        .into_iter()
        .map(|member| (member.device, member.account))
        .collect())
}

/// Whether an account has a device in a conversation's group.
pub(crate) fn has_account(connection: &Connection, channel: &Channel, account: AccountId) -> Result<bool, StoreError> {
    let group = state::read(connection, channel)?;
    Ok(group.members().iter().any(|member| member.account == account))
}

/// What newcomers are told; `None` if of those whom a change let in nobody is in the group any more.
pub(crate) fn rule(
    connection: &Connection,
    channel: &Channel,
    event: &Event,
) -> Result<Option<HistoryRule>, StoreError> {
    let group = state::read(connection, channel)?;
    let is_in = |device: &str| group.members().iter().any(|member| member.device.to_string() == device);
    let stays = event.added.iter().any(|newcomer| is_in(&newcomer.device));
    Ok(stays.then(|| group.charter().history()))
}
