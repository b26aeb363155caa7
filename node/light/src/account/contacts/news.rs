//! What becomes of somebody's keys is said in every conversation with them, at the place where it was noticed.
//!
//! It is no entry: the ledger has it on the person's card, and each member reads that when it does. So every home has this
//! line at a place of its own, between what it had read before and what it read afterwards.

use rusqlite::Connection;
use waxwing_core::Hash;
use waxwing_seal::DeviceId;
use waxwing_seal::identity::AccountId;
use waxwing_seal::identity::change::Change;

use crate::groups;
use crate::groups::event::{Event, KeyNews};
use crate::store::channels::ChannelKind;
use crate::store::contacts::ChangeRow;
use crate::store::{StoreError, cards, channels, messages};

/// As it is kept behind the person.
pub(super) fn row(network: Hash, time: u64, change: Change) -> ChangeRow {
    ChangeRow {
        network,
        time,
        device: device_of(change),
        breaks: change.breaks_comparison(),
        sentence: change.to_string(),
    }
}

/// The device that it is about.
const fn device_of(change: Change) -> Option<Hash> {
    match change {
        Change::Account { .. } | Change::Card { .. } | Change::OlderCard { .. } => None,
        Change::Added(device)
        | Change::AddedSuspended(device)
        | Change::CameAndWent(device)
        | Change::Renewed(device)
        | Change::Suspended(device)
        | Change::Lifted(device)
        | Change::Revoked(device)
        | Change::Returned(device)
        | Change::Vanished(device)
        | Change::OlderCertificate(device) => Some(Hash(device.0)),
    }
}

/// Says it in every group that the account is in.
pub(super) fn tell(
    connection: &Connection,
    account: AccountId,
    network: Hash,
    changes: &[Change],
    now: u64,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut keys = Vec::new();
    for change in changes {
        keys.push(news(connection, account, network, *change)?);
    }
    let event = Event {
        keys,
        ..Event::default()
    };
    for channel in channels::all(connection)? {
        let is_here = channel.kind == ChannelKind::Group && channel.network == network && channel.is_live;
        if is_here && groups::has_account(connection, &channel, account)? {
            messages::note_beside(connection, &channel, &event, now)?;
        }
    }
    Ok(())
}

fn news(connection: &Connection, account: AccountId, network: Hash, change: Change) -> Result<KeyNews, StoreError> {
    let device = device_of(change).map(|device| DeviceId(device.0));
    let device_name = match device {
        Some(device) => device_name(connection, account, network, device)?,
        None => None,
    };
    Ok(KeyNews {
        account: account.to_string(),
        device: device.map(|device| device.to_string()),
        device_name,
        breaks: change.breaks_comparison(),
        sentence: change.to_string(),
    })
}

/// What the account's newest card that lists a device calls it.
pub(super) fn device_name(
    connection: &Connection,
    account: AccountId,
    network: Hash,
    device: DeviceId,
) -> Result<Option<String>, StoreError> {
    for row in cards::of(connection, account, network)?.iter().rev() {
        if let Some(listed) = cards::fold(connection, row)?.device(device) {
            let name = listed.certificate().name.as_str();
            return Ok((!name.is_empty()).then(|| name.to_owned()));
        }
    }
    Ok(None)
}
