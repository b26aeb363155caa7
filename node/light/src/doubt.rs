//! What this person knows about whoever wrote a message, beside what the ledger proves: their keys, and whether they are blocked.
//!
//! It is looked up whenever a message is shown and kept nowhere, because it changes without the message: a card is read on, a
//! person is compared or blocked. So what was said by a device that its account revoked is marked even if the message came
//! first to this home, and blocking hides what is there already.

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::Hash;
use waxwing_core::codec::Decode;
use waxwing_seal::identity::AccountId;
use waxwing_seal::identity::card::What;
use waxwing_seal::identity::change::Keys;
use waxwing_seal::identity::statement::Standing;
use waxwing_seal::{DeviceId, Kind};

use crate::account::contacts;
use crate::message::{Exception, MessageView};
use crate::store::messages::Message;
use crate::store::{StoreError, cards, hash};

/// What is known of an author.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Author {
    network: Hash,
    account: AccountId,
    is_blocked: bool,
    /// Their keys there, as they are now.
    keys: Option<Keys>,
    /// Keys that no sound account can have stop the sending to them.
    is_stopped: bool,
}

/// Who wrote a message, if it is somebody else whom this home knows.
pub(crate) fn author(connection: &Connection, row: &Message) -> Result<Option<Author>, StoreError> {
    let Some(account) = row.account.filter(|_| !row.is_own) else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(
        "SELECT channel.network, contact.blocked IS NOT NULL, noted, seen FROM channel, contact
         LEFT JOIN contact_keys ON contact_keys.contact = contact.id AND contact_keys.network = channel.network
         WHERE channel.id = ?1 AND contact.account = ?2",
    )?;
    type Found = (Vec<u8>, bool, Option<Vec<u8>>, Option<Vec<u8>>);
    let found: Option<Found> = statement
        .query_row((row.channel.0, account.as_bytes()), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((network, is_blocked, noted, seen)) = found else {
        return Ok(None);
    };
    let is_stopped = seen.is_some();
    let keys = seen.or(noted).map(|keys| Keys::from_bytes(&keys)).transpose()?;
    Ok(Some(Author {
        network: hash(&network)?,
        account,
        is_blocked,
        keys,
        is_stopped,
    }))
}

/// What the account's card says of the device that wrote a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnCard {
    /// No card of the account was read here.
    NoCard,
    /// It spoke for the account then.
    Speaks,
    /// It is not there.
    Unknown,
    /// It was suspended or revoked before the message was ordered.
    Out,
}

impl Author {
    pub(crate) const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// The device's place on the card, for a message ordered at this time.
    pub(crate) fn on_card(
        &self,
        connection: &Connection,
        device: Option<DeviceId>,
        ordered: Option<u64>,
    ) -> Result<OnCard, StoreError> {
        let (Some(keys), Some(device)) = (&self.keys, device) else {
            return Ok(OnCard::NoCard);
        };
        match keys.devices.get(&device).map(|seen| seen.standing) {
            None => Ok(OnCard::Unknown),
            Some(Standing::Active) => Ok(OnCard::Speaks),
            Some(Standing::Suspended | Standing::Revoked) => {
                let since = self.out_since(connection, device)?;
                let is_later = since.zip(ordered).is_none_or(|(since, ordered)| ordered > since);
                Ok(if is_later { OnCard::Out } else { OnCard::Speaks })
            }
        }
    }

    /// When a device stopped to speak for the account, by the ledger; none if that stands on a card that was not read.
    fn out_since(&self, connection: &Connection, device: DeviceId) -> Result<Option<u64>, StoreError> {
        let mut since = None;
        for row in cards::of(connection, self.account, self.network)? {
            for happening in cards::fold(connection, &row)?.history() {
                match happening.what {
                    What::Suspended { device: out, .. } | What::Revoked { device: out } if out == device => {
                        since = since.or(Some(happening.at.time_ms));
                    }
                    What::Lifted { device: back } if back == device => since = None,
                    _ => {}
                }
            }
        }
        Ok(since)
    }
}

/// Says beside a message what speaks against its author.
pub(crate) fn mark(connection: &Connection, row: &Message, view: &mut MessageView) -> Result<(), StoreError> {
    let Some(author) = author(connection, row)? else {
        return Ok(());
    };
    view.blocked = author.is_blocked && row.event.is_none();
    if author.is_stopped {
        view.exceptions.push(Exception::KeyChanged);
    }
    let ordered = row.place.map(|place| place.time);
    if let OnCard::Unknown | OnCard::Out = author.on_card(connection, row.device, ordered)? {
        view.exceptions.push(Exception::DeviceUnknown);
    }
    Ok(())
}

/// Takes what a blocked person said out of a message; that there is one stays.
pub(crate) fn hide(view: &mut MessageView) {
    if !view.blocked {
        return;
    }
    view.text = None;
    view.attachment = None;
    view.quotes = None;
    view.mentions.clear();
    view.reactions.clear();
}

/// Whether this person blocked whoever wrote a message.
pub(crate) fn is_of_blocked(connection: &Connection, row: &Message) -> Result<bool, StoreError> {
    match row.account.filter(|_| !row.is_own) {
        Some(account) => contacts::is_blocked(connection, account),
        None => Ok(false),
    }
}

/// Takes the reactions of blocked people out of what was done to a message.
pub(crate) fn without_reactions_of_blocked(
    connection: &Connection,
    about: &mut Vec<Message>,
) -> Result<(), StoreError> {
    let mut out = Vec::new();
    for later in about.iter() {
        let kind = later.content.as_ref().map(|content| &content.kind);
        if matches!(kind, Some(Kind::Reaction { .. })) && is_of_blocked(connection, later)? {
            out.push(later.id);
        }
    }
    about.retain(|later| !out.contains(&later.id));
    Ok(())
}
