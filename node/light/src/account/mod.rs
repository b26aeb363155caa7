//! Whose device this is: the account in its home, and this device's part in it.
//!
//! ```text
//! 24 words ── in the home until the person removes them ──> root key, in memory for one call
//!                                                           └─ certifies this device, once on each ledger
//! ```
//!
//! The home is encrypted, and who can read it can write as this device anyway; so the words may stay in it for
//! convenience. Whoever keeps them on paper alone loses nothing but convenience: this device goes on as it is, and the
//! words are asked for when devices change. Nothing here shows them but [`Client::phrase`].

pub(crate) mod cards;
pub(crate) mod contacts;
mod devices;
pub(crate) mod linking;
mod plan;
mod succession;

use core::fmt;

use rusqlite::Connection;
use waxwing_core::Hash;
use waxwing_seal::group::{Member, Myself};
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::{Acceptance, AccountId, DeviceCertificate, Phrase, Void};
use waxwing_seal::{DeviceId, DeviceKey};

pub use contacts::{
    Consent, ContactDetail, ContactDevice, ContactError, ContactId, ContactKeys, ContactView, KeyChange, Standstill,
};

pub use devices::{OwnDevice, OwnDevices};
pub use linking::{LinkingView, OfferView};

use crate::client::{Client, Options};
use crate::core::blocking;
use crate::error::Error;
use crate::store::account::{self as rows, Began};
use crate::store::key::Cost;
use crate::store::{self, Store, StoreError, Transaction, networks};

/// Where the 24 words are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// In this home: devices can be certified without asking for them.
    Here,
    /// Nowhere but where the person wrote them down.
    OnPaper,
}

/// Whose device this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// This device.
    pub device: DeviceId,
    /// Where its words are.
    pub root: Root,
}

/// Why something about the account was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountError {
    /// It takes the 24 words, and they are not in this home.
    RootOnPaper,
    /// These 24 words are of another account than this home's.
    OtherAccount,
    /// The account began elsewhere, and what it said on this ledger was not read yet.
    CardUnread,
    /// The account has no card on this ledger yet.
    Unpublished,
    /// This device may read the account's card, and not write on it.
    CardUnwritable,
    /// Something is on its way to the card already.
    CardBusy,
    /// A device cannot revoke itself.
    ThisDevice,
    /// Others know this home's account already: it cannot become another one.
    InUse,
    /// No device is on its way under that number, or nobody made that offer.
    UnknownLinking,
    /// It would have no effect.
    Void(Void),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RootOnPaper => {
                "this takes the account's 24 words, and they are not in this home: put them back from where you wrote \
                 them down"
            }
            Self::OtherAccount => {
                "these 24 words are of another account than the one in this home: look for the right paper, or recover \
                 that account in a home of its own"
            }
            Self::Unpublished => "the account is not published on this network: publish it first",
            Self::CardUnwritable => {
                "the account went on without this device's knowing how: bring the 24 words here, or do it on another device"
            }
            Self::CardBusy => "a change of the account is on its way already: wait until it is final",
            Self::InUse => "others know this home's account already: link from a home of its own, or from another profile",
            Self::UnknownLinking => "no such device is on its way, or nobody made that offer: begin anew",
            Self::ThisDevice => "this is the device in front of you: revoke it from another one",
            Self::Void(void) => return void.fmt(f),
            Self::CardUnread => {
                "this account began on another device, and what it said on this network was not read yet: connect first"
            }
        })
    }
}

impl core::error::Error for AccountError {}

/// This device as it stands in groups on a ledger. Certifies it on first demand, inside of the transaction that asks: so
/// this is to be called where something is written.
///
/// # Errors
/// [`AccountError`] if there is no certificate and none can be made here.
pub(crate) fn myself(connection: &Connection, network: Hash, now: u64) -> Result<Myself, Error> {
    let (key, _) = store::device(connection)?;
    let account = rows::load(connection)?;
    let certificate = match rows::certificate(connection, network)? {
        Some(certificate) => certificate,
        None => certify(connection, network, &key, account.began, now)?,
    };
    let certified = certificate.verify(network, account.id);
    let myself = certified.ok().and_then(|certified| Myself::new(key, certified));
    // What is stored was verified when it was made: another one is not what was written.
    Ok(myself.ok_or(StoreError::Damaged)?)
}

/// The same for what is done often: verified in this process once for the same rows.
pub(crate) fn myself_again(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<Myself, Error> {
    let standing = rows::standing(tx, network)?;
    if let Some(known) = standing.as_ref().and_then(|standing| tx.myself(network, standing)) {
        return Ok(known);
    }
    let verified = myself(tx, network, now)?;
    // Rows that this transaction has just made may be rolled back; then they are made anew, and verified.
    if let Some(standing) = standing {
        tx.keep_myself(network, standing, verified.clone());
    }
    Ok(verified)
}

/// Whether this device will have its certificate on a ledger when the account's card is found there, and has none now.
pub(crate) fn is_awaited(connection: &Connection, network: Hash) -> Result<bool, StoreError> {
    let is_new = rows::load(connection)?.began == Began::Elsewhere && rows::has_phrase(connection)?;
    Ok(is_new && rows::certificate(connection, network)?.is_none())
}

/// The first certificate of an account that began here.
fn certify(
    connection: &Connection,
    network: Hash,
    key: &DeviceKey,
    began: Began,
    now: u64,
) -> Result<DeviceCertificate, Error> {
    let known = networks::load(connection, network)?.ok_or(Error::UnknownNetwork(network))?;
    if began == Began::Elsewhere {
        return Err(AccountError::CardUnread.into());
    }
    let phrase = rows::phrase(connection)?.ok_or(AccountError::RootOnPaper)?;
    let root = phrase.account();
    let accepted = Acceptance::sign(key, network, root.id());
    // A clock that is fast must not make a certificate that starts tomorrow: the held block is in the past for everybody.
    let from = Validity::from(now.min(known.held.header.time));
    let certificate = DeviceCertificate::sign(&root, network, &accepted, DeviceName::default(), from, FIRST);
    rows::keep_certificate(connection, network, &certificate)?;
    Ok(certificate)
}

/// Sequence of an account's first certificate on a ledger.
const FIRST: u64 = 1;

/// The account.
impl Client {
    /// Makes a client with a new device of an account that there was before. What its other devices are is read from
    /// the ledgers that this home comes to know.
    ///
    /// # Errors
    /// If there is a client already, or the folder cannot be used.
    pub async fn recover(options: Options, name: &str, cost: Cost, phrase: Phrase) -> Result<Self, Error> {
        Self::make(options, name, move |home, passphrase, name| {
            Store::recover(home, passphrase, cost, name, &phrase)
        })
        .await
    }

    /// Whose device this is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn account(&self) -> Result<Account, Error> {
        self.core
            .read::<_, Error>(|tx| {
                let (key, _) = store::device(tx)?;
                let root = if rows::has_phrase(tx)? {
                    Root::Here
                } else {
                    Root::OnPaper
                };
                Ok(Account {
                    id: rows::load(tx)?.id,
                    device: key.id(),
                    root,
                })
            })
            .await
    }

    /// How others see this device in groups on a ledger.
    ///
    /// # Errors
    /// If it is not certified there, and cannot be.
    pub async fn member(&self, network: Hash) -> Result<Member, Error> {
        let now = self.core.clock.now();
        let myself = self.core.write(move |tx| myself(tx, network, now)).await?;
        Ok(myself.member())
    }

    /// The account's 24 words, to be written down.
    ///
    /// # Errors
    /// [`AccountError::RootOnPaper`] if they are there already.
    pub async fn phrase(&self) -> Result<Phrase, Error> {
        let phrase = self.core.read::<_, Error>(|tx| Ok(rows::phrase(tx)?)).await?;
        Ok(phrase.ok_or(AccountError::RootOnPaper)?)
    }

    /// Whether these are the account's 24 words; also where they are not in this home.
    ///
    /// # Errors
    /// [`AccountError::OtherAccount`] if they are not.
    pub async fn check_phrase(&self, phrase: Phrase) -> Result<(), Error> {
        self.core.read(move |tx| check(tx, &phrase)).await
    }

    /// Removes the 24 words from this home.
    ///
    /// # Errors
    /// [`AccountError::RootOnPaper`] if they are gone already.
    pub async fn forget_root(&self) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.core
            .write::<_, Error>(move |tx| {
                if !rows::has_phrase(tx)? {
                    return Err(AccountError::RootOnPaper.into());
                }
                // Whatever this device needs of the root from day to day is made while it is here.
                for network in networks::ids(tx)? {
                    match myself(tx, network, now) {
                        Ok(_) | Err(Error::Account(AccountError::CardUnread)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(rows::set_phrase(tx, None)?)
            })
            .await?;
        let store = std::sync::Arc::clone(self.core.store());
        blocking(move || store.empty_journal()).await;
        Ok(())
    }

    /// Keeps the 24 words in this home again.
    ///
    /// # Errors
    /// [`AccountError::OtherAccount`] if they are not this account's.
    pub async fn restore_root(&self, phrase: Phrase) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.core
            .write(move |tx| {
                check(tx, &phrase)?;
                succession::claim(tx, &phrase.account(), now)?;
                Ok(rows::set_phrase(tx, Some(&phrase))?)
            })
            .await
    }
}

fn check(connection: &Connection, phrase: &Phrase) -> Result<(), Error> {
    if phrase.account().id() == rows::load(connection)?.id {
        Ok(())
    } else {
        Err(AccountError::OtherAccount.into())
    }
}

#[cfg(test)]
mod tests;
