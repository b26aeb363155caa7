//! People met, as this person keeps them: names, consent, and what was compared. Nobody else ever sees this list.
//!
//! A person is an account. Another account is another person, whatever it calls itself; that two names look alike is
//! said beside both. Devices follow from the account by signatures, and what becomes of them is judged by
//! [`waxwing_seal::identity::judge`]: all of it is kept and shown, and the sending stops only where somebody who had
//! been compared has keys that no sound account can have. `// SPEC 26.8`
//!
//! Reporting is local as well: there is nobody to report to. It blocks, and keeps why.

mod news;

use core::fmt;

use rusqlite::Connection;
use serde::Serialize;
use waxwing_core::{Hash, HashKeys};
use waxwing_seal::DeviceId;
use waxwing_seal::display::look_alike;
use waxwing_seal::identity::change::{Judgement, Keys, SeenDevice};
use waxwing_seal::identity::statement::Standing;
use waxwing_seal::identity::{AccountId, Known, SafetyNumber, Sending, judge};

use crate::client::Client;
use crate::error::Error;
use crate::limits::{PETNAME_BYTES_MAX, REPORT_BYTES_MAX};
use crate::store::account as own;
use crate::store::contacts::{self as rows, ChangeRow, Contact, KeysRow};
use crate::store::{StoreError, networks, unread};

/// A person in this home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct ContactId(pub i64);

/// Whether this person agreed to hear from somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// They asked, and wait for an answer.
    Asks,
    /// Yes.
    Given,
}

/// Whether something may be sent to somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standstill {
    /// It may.
    None,
    /// Their keys changed after they had been compared: compare again, or go on without.
    KeysChanged,
    /// This person blocked them.
    Blocked,
}

/// Why something about a person was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContactError {
    /// There is no such person here, or several could be meant.
    Unknown,
    /// It is the account of this home.
    Oneself,
    /// Somebody who had been compared has keys that no sound account can have.
    KeysChanged,
    /// There are as many as a home has room for.
    TooMany,
    /// The name or reason is too long.
    TooLong {
        /// How many bytes it may have.
        most: usize,
    },
}

impl fmt::Display for ContactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no contact, or more than one, is called that: list them, and use the number"),
            Self::Oneself => f.write_str("this is the account of this home: nobody is their own contact"),
            Self::KeysChanged => f.write_str(
                "somebody here whom you had compared has other keys now, as no sound account can have them: look at your \
                 contacts, and compare again before you go on",
            ),
            Self::TooMany => f.write_str("this home has as many contacts as it can keep: forget one"),
            Self::TooLong { most } => write!(f, "it is longer than {most} bytes: say it in fewer words"),
        }
    }
}

impl core::error::Error for ContactError {}

/// A person as a list shows them.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ContactView {
    /// In this home.
    pub id: ContactId,
    /// The account: names them everywhere.
    pub account: String,
    /// What they are called here: the name given to them, else the one that they claim.
    pub name: String,
    /// The name that they claim.
    pub claimed: String,
    /// The name that was given to them.
    pub petname: Option<String>,
    /// When they were met, by this device's clock.
    pub met_ms: u64,
    /// Whether this person agreed to hear from them.
    pub consent: Consent,
    /// When the account was compared, if that still stands.
    pub compared_ms: Option<u64>,
    /// Since when they are blocked.
    pub blocked_ms: Option<u64>,
    /// Why they were reported.
    pub report: Option<String>,
    /// Whether something may be sent to them.
    pub standstill: Standstill,
    /// When something became of their keys, last.
    pub changed_ms: Option<u64>,
    /// Others whose names look like theirs.
    pub alike: Vec<ContactId>,
}

/// A device of somebody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ContactDevice {
    /// The device.
    pub device: String,
    /// What its owner calls it, if it has a name; hostile.
    pub name: Option<String>,
    /// The sequence of its certificate.
    pub sequence: u64,
    /// What it may do: `active`, `suspended` or `revoked`.
    pub standing: &'static str,
}

/// Somebody's keys on a ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ContactKeys {
    /// The ledger.
    pub network: String,
    /// Which of the account's cards they stand on.
    pub card: u64,
    /// The devices.
    pub devices: Vec<ContactDevice>,
}

/// Something that became of somebody's keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KeyChange {
    /// The ledger.
    pub network: String,
    /// When this device saw it.
    pub time_ms: u64,
    /// The device, if it is about one.
    pub device: Option<String>,
    /// Whether what was compared says nothing any more.
    pub breaks: bool,
    /// In words.
    pub sentence: String,
}

/// A person, with all that is known of their keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ContactDetail {
    /// As the list shows them.
    #[serde(flatten)]
    pub contact: ContactView,
    /// Their keys, by ledger.
    pub keys: Vec<ContactKeys>,
    /// What became of them, newest first.
    pub changes: Vec<KeyChange>,
}

/// Names never reach a log line by way of `{:?}`.
impl fmt::Debug for ContactView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContactView({}, {:?})", self.id.0, self.standstill)
    }
}

impl Contact {
    /// What this person calls them.
    pub(crate) fn name(&self) -> &str {
        self.petname.as_deref().unwrap_or(&self.claimed)
    }

    fn known(&self, keys: Keys) -> Known {
        match self.compared {
            Some(time) => Known::compared(keys, time),
            None => Known::new(keys),
        }
    }
}

/// Somebody is met, or met again: by a group, a request or a hand. A request from somebody who is known already changes
/// nothing but the name that they claim.
///
/// # Errors
/// If there is no room for more.
pub(crate) fn meet(
    connection: &Connection,
    account: AccountId,
    claimed: &str,
    consent: Consent,
    now: u64,
) -> Result<ContactId, Error> {
    if account == own::load(connection)?.id {
        return Err(ContactError::Oneself.into());
    }
    let Some(mut contact) = rows::find(connection, account)? else {
        let added = rows::insert(connection, account, claimed, consent, now)?;
        return Ok(added.ok_or(ContactError::TooMany)?);
    };
    if !claimed.is_empty() {
        claimed.clone_into(&mut contact.claimed);
    }
    if consent == Consent::Given {
        contact.consent = Consent::Given;
    }
    rows::update(connection, &contact)?;
    Ok(contact.id)
}

/// Whether something may be said to these accounts. // SPEC 26.8
///
/// # Errors
/// [`ContactError::KeysChanged`] if one of them has to be compared again.
pub(crate) fn may_say(connection: &Connection, to: impl Iterator<Item = AccountId>) -> Result<(), Error> {
    let stopped = rows::stopped(connection)?;
    if stopped.is_empty() {
        return Ok(());
    }
    for account in to {
        if stopped.contains(&account) {
            return Err(ContactError::KeysChanged.into());
        }
    }
    Ok(())
}

/// Whether this person blocked an account. Whoever was never met is not blocked.
pub(crate) fn is_blocked(connection: &Connection, account: AccountId) -> Result<bool, StoreError> {
    Ok(rows::find(connection, account)?.is_some_and(|contact| contact.blocked.is_some()))
}

/// Somebody's card shows these keys now. What changed is kept; what stops the sending waits for the person.
pub(crate) fn see_keys(
    connection: &Connection,
    id: ContactId,
    network: Hash,
    now: Keys,
    now_ms: u64,
) -> Result<Judgement, Error> {
    let contact = rows::load(connection, id)?.ok_or(ContactError::Unknown)?;
    let Some(before) = rows::keys_on(connection, id, network)? else {
        // Seen for the first time: there is nothing that this could contradict but the account, which is the same.
        let keys = KeysRow {
            network,
            noted: now,
            seen: None,
        };
        rows::set_keys(connection, id, &keys)?;
        return Ok(Judgement {
            changes: Vec::new(),
            sending: Sending::Allowed,
        });
    };
    let judgement = judge(&contact.known(before.noted.clone()), &now);
    // What was told already is not told again while it waits for an answer.
    let told = before.seen.as_ref().unwrap_or(&before.noted);
    let changes = judge(&contact.known(told.clone()), &now).changes;
    for change in &changes {
        rows::add_change(connection, id, &news::row(network, now_ms, *change))?;
    }
    news::tell(connection, contact.account, network, &changes, now_ms)?;
    let keys = match judgement.sending {
        Sending::Allowed => KeysRow {
            network,
            noted: now,
            seen: None,
        },
        Sending::Stopped => KeysRow {
            seen: Some(now),
            ..before
        },
    };
    rows::set_keys(connection, id, &keys)?;
    Ok(judgement)
}

/// Whether something may be sent to somebody; to whom is not known, it may.
fn standstill(connection: &Connection, contact: &Contact) -> Result<Standstill, StoreError> {
    if contact.blocked.is_some() {
        return Ok(Standstill::Blocked);
    }
    let waits = rows::keys(connection, contact.id)?
        .iter()
        .any(|keys| keys.seen.is_some());
    Ok(if waits {
        Standstill::KeysChanged
    } else {
        Standstill::None
    })
}

/// The keys that are there now are those that count from now on.
fn note_all(connection: &Connection, id: ContactId) -> Result<(), StoreError> {
    for keys in rows::keys(connection, id)? {
        if let Some(seen) = keys.seen {
            let noted = KeysRow {
                network: keys.network,
                noted: seen,
                seen: None,
            };
            rows::set_keys(connection, id, &noted)?;
        }
    }
    Ok(())
}

fn view(connection: &Connection, contact: &Contact, all: &[Contact]) -> Result<ContactView, StoreError> {
    let is_alike = |other: &&Contact| other.id != contact.id && look_alike(other.name(), contact.name());
    Ok(ContactView {
        id: contact.id,
        account: contact.account.to_string(),
        name: contact.name().to_owned(),
        claimed: contact.claimed.clone(),
        petname: contact.petname.clone(),
        met_ms: contact.met,
        consent: contact.consent,
        compared_ms: contact.compared,
        blocked_ms: contact.blocked,
        report: contact.report.clone(),
        standstill: standstill(connection, contact)?,
        changed_ms: rows::newest_change(connection, contact.id)?,
        alike: all.iter().filter(is_alike).map(|other| other.id).collect(),
    })
}

fn keys_view(connection: &Connection, keys: &KeysRow) -> Result<ContactKeys, StoreError> {
    let shown = keys.seen.as_ref().unwrap_or(&keys.noted);
    let device = |(id, seen): (&DeviceId, &SeenDevice)| {
        Ok(ContactDevice {
            device: id.to_string(),
            name: news::device_name(connection, shown.account, keys.network, *id)?,
            sequence: seen.sequence,
            standing: standing_word(seen.standing),
        })
    };
    Ok(ContactKeys {
        network: keys.network.to_string(),
        card: shown.card,
        devices: shown.devices.iter().map(device).collect::<Result<_, StoreError>>()?,
    })
}

/// What a device may do, in one word.
pub(crate) const fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Suspended => "suspended",
        Standing::Revoked => "revoked",
    }
}

fn change_view(change: ChangeRow) -> KeyChange {
    KeyChange {
        network: change.network.to_string(),
        time_ms: change.time,
        device: change.device.map(|device| device.to_string()),
        breaks: change.breaks,
        sentence: change.sentence,
    }
}

fn fitting(text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.len() > most {
        return Err(ContactError::TooLong { most }.into());
    }
    Ok(text.to_owned())
}

/// People.
impl Client {
    /// Everybody who was met.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn contacts(&self) -> Result<Vec<ContactView>, Error> {
        self.core
            .read::<_, Error>(|tx| {
                let all = rows::all(tx)?;
                let views: Result<Vec<_>, StoreError> = all.iter().map(|contact| view(tx, contact, &all)).collect();
                Ok(views?)
            })
            .await
    }

    /// One person, with all that is known of their keys.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn contact(&self, id: ContactId) -> Result<ContactDetail, Error> {
        self.core
            .read::<_, Error>(move |tx| {
                let all = rows::all(tx)?;
                let contact = all.iter().find(|contact| contact.id == id);
                let contact = contact.ok_or(ContactError::Unknown)?;
                let keys = rows::keys(tx, id)?;
                let keys: Result<Vec<_>, StoreError> = keys.iter().map(|keys| keys_view(tx, keys)).collect();
                Ok(ContactDetail {
                    contact: view(tx, contact, &all)?,
                    keys: keys?,
                    changes: rows::changes(tx, id)?.into_iter().map(change_view).collect(),
                })
            })
            .await
    }

    /// Adds a person by their account, as they handed it over. Somebody who is there already is taken as agreed to.
    ///
    /// # Errors
    /// If it is this home's own account, or the name too long.
    pub async fn add_contact(&self, account: AccountId, name: &str) -> Result<ContactId, Error> {
        let (name, now) = (fitting(name, PETNAME_BYTES_MAX)?, self.core.clock.now());
        self.core
            .write::<_, Error>(move |tx| {
                let id = meet(tx, account, "", Consent::Given, now)?;
                change(tx, id, |contact| {
                    if !name.is_empty() {
                        contact.petname = Some(name);
                    }
                })?;
                Ok(id)
            })
            .await
    }

    /// Calls a person something else on this device; an empty name is the one that they claim.
    ///
    /// # Errors
    /// If the name is too long.
    pub async fn rename_contact(&self, id: ContactId, name: &str) -> Result<(), Error> {
        let name = fitting(name, PETNAME_BYTES_MAX)?;
        self.change_contact(id, move |contact| {
            contact.petname = Some(name).filter(|name| !name.is_empty())
        })
        .await
    }

    /// Agrees to hear from a person who asked.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn accept_contact(&self, id: ContactId) -> Result<(), Error> {
        self.change_contact(id, |contact| contact.consent = Consent::Given)
            .await
    }

    /// Blocks a person on this device. They are not told.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn block_contact(&self, id: ContactId) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.change_contact(id, move |contact| contact.blocked = contact.blocked.or(Some(now)))
            .await?;
        self.hear_nothing_of(id).await
    }

    /// Blocks a person and keeps why, on this device.
    ///
    /// # Errors
    /// If there is no such person, or the reason is too long.
    pub async fn report_contact(&self, id: ContactId, why: &str) -> Result<(), Error> {
        let (why, now) = (fitting(why, REPORT_BYTES_MAX)?, self.core.clock.now());
        self.change_contact(id, move |contact| {
            contact.blocked = contact.blocked.or(Some(now));
            contact.report = Some(why);
        })
        .await?;
        self.hear_nothing_of(id).await
    }

    async fn hear_nothing_of(&self, id: ContactId) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                let contact = rows::load(tx, id)?.ok_or(ContactError::Unknown)?;
                Ok(unread::gone_of(tx, contact.account)?)
            })
            .await
    }

    /// Blocks a person no more.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn unblock_contact(&self, id: ContactId) -> Result<(), Error> {
        self.change_contact(id, |contact| {
            contact.blocked = None;
            contact.report = None;
        })
        .await
    }

    /// Forgets a person: their names, what was compared, what became of their keys. Whoever was blocked can be met anew.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn forget_contact(&self, id: ContactId) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                rows::load(tx, id)?.ok_or(ContactError::Unknown)?;
                Ok(rows::forget(tx, id)?)
            })
            .await?;
        let store = std::sync::Arc::clone(self.core.store());
        crate::core::blocking(move || store.empty_journal()).await;
        Ok(())
    }

    /// What this person and another compare, on a ledger that both use.
    ///
    /// # Errors
    /// If there is no such person or ledger.
    pub async fn safety_number(&self, id: ContactId, network: Hash) -> Result<SafetyNumber, Error> {
        self.core
            .read::<_, Error>(move |tx| {
                networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
                let contact = rows::load(tx, id)?.ok_or(ContactError::Unknown)?;
                let own = own::load(tx)?.id;
                Ok(SafetyNumber::new(&HashKeys::new(network), own, contact.account))
            })
            .await
    }

    /// The two people compared, and it matched. The keys that are there now are those that count from now on.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn note_compared(&self, id: ContactId) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.settle_keys(id, Some(now)).await
    }

    /// Goes on without comparing: what had been compared counts no longer.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn go_on_without_comparing(&self, id: ContactId) -> Result<(), Error> {
        self.settle_keys(id, None).await
    }

    /// The two people compared, and it did not match: what had been compared counts no longer.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn note_differs(&self, id: ContactId) -> Result<(), Error> {
        self.change_contact(id, |contact| contact.compared = None).await
    }

    async fn settle_keys(&self, id: ContactId, compared: Option<u64>) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                change(tx, id, |contact| contact.compared = compared)?;
                Ok(note_all(tx, id)?)
            })
            .await
    }

    async fn change_contact(&self, id: ContactId, to: impl FnOnce(&mut Contact) + Send + 'static) -> Result<(), Error> {
        self.core.write(move |tx| change(tx, id, to)).await
    }
}

fn change(connection: &Connection, id: ContactId, to: impl FnOnce(&mut Contact)) -> Result<(), Error> {
    let mut contact = rows::load(connection, id)?.ok_or(ContactError::Unknown)?;
    to(&mut contact);
    Ok(rows::update(connection, &contact)?)
}

#[cfg(test)]
mod tests;
