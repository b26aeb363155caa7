//! What members are called here: by what they wrote, else by what this person knows them as.
//!
//! All of these are claims and petnames, hostile until they went through `waxwing_seal::display`. Whoever has neither written
//! nor been met has no name here, and is named by the account.

use std::collections::BTreeMap;

use waxwing_seal::DeviceId;
use waxwing_seal::identity::AccountId;

use super::event::Event;
use crate::message::ChannelId;
use crate::store::{self, StoreError, Transaction, account, contacts, messages};

/// What a device is called in a conversation, the account being known or not.
pub(crate) fn of(
    tx: &Transaction<'_>,
    channel: ChannelId,
    account: Option<AccountId>,
    device: DeviceId,
) -> Result<Option<String>, StoreError> {
    match (messages::name_of(tx, channel, device)?, account) {
        (None, Some(account)) => of_account(tx, account),
        (name, _) => Ok(name),
    }
}

/// What a person is called in a conversation, whichever device of theirs wrote last.
pub(crate) fn of_person(
    tx: &Transaction<'_>,
    channel: ChannelId,
    account: AccountId,
) -> Result<Option<String>, StoreError> {
    match messages::name_of_account(tx, channel, account)? {
        None => of_account(tx, account),
        name => Ok(name),
    }
}

/// The same of an account by itself: this person's own name, or the contact's.
fn of_account(tx: &Transaction<'_>, id: AccountId) -> Result<Option<String>, StoreError> {
    if account::load(tx)?.id == id {
        return Ok(Some(store::device(tx)?.1));
    }
    let contact = contacts::find(tx, id)?;
    Ok(contact
        .map(|contact| contact.name().to_owned())
        .filter(|name| !name.is_empty()))
}

/// Looks up the names of all whom a change is about.
pub(crate) fn look_up(tx: &Transaction<'_>, channel: ChannelId, event: &mut Event) -> Result<(), StoreError> {
    let mut names = BTreeMap::new();
    for member in event.added.iter().chain(&event.removed) {
        let (Some(account), Some(device)) = (bytes(&member.account), bytes(&member.device)) else {
            return Err(StoreError::Damaged);
        };
        if let Some(name) = of(tx, channel, Some(AccountId(account)), DeviceId(device))? {
            names.insert(member.device.clone(), name.clone());
            names.entry(member.account.clone()).or_insert(name);
        }
    }
    for account in event.appointed.iter().chain(&event.dismissed) {
        let id = AccountId(bytes(account).ok_or(StoreError::Damaged)?);
        if let Some(name) = messages::name_of_account(tx, channel, id)?.or(of_account(tx, id)?) {
            names.insert(account.clone(), name);
        }
    }
    for news in &event.keys {
        let id = AccountId(bytes(&news.account).ok_or(StoreError::Damaged)?);
        if let Some(name) = of_account(tx, id)?.or(messages::name_of_account(tx, channel, id)?) {
            names.insert(news.account.clone(), name);
        }
    }
    event.names = names;
    Ok(())
}

/// 32 bytes from their hexadecimal digits.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 {
        return None;
    }
    let pairs = hex
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| core::str::from_utf8(pair).ok());
    let bytes: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written_and_nothing_else_is() {
        let account = AccountId([0xa7; 32]);
        assert_eq!(bytes(&account.to_string()), Some(account.0));
        for wrong in ["", "a7", "xy", &"a".repeat(63), &"é".repeat(32)] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
