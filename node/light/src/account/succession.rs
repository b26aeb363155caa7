//! After a revocation: who stays gets the new card's seed from whoever has it.
//!
//! The words are typed in where a device is revoked, and that device alone can write on the next card then. Before anything else
//! it hands the seed to every other device that still speaks for the account; each of them opens it as soon as it reads the new
//! card, and goes on publishing there. If the device that revoked goes away in between, the next one with the words does it.

use waxwing_seal::DeviceId;
use waxwing_seal::group::KeyPackage;
use waxwing_seal::identity::hand::DeviceHand;
use waxwing_seal::identity::statement::{SealedSeed, Standing};
use waxwing_seal::identity::{AccountKey, Card, Phrase, Said, Statement, open_seed, seal_seed};

use super::AccountError;
use super::cards::{self, Right};
use crate::error::Error;
use crate::store::account as own;
use crate::store::cards::{self as rows, CardRow};
use crate::store::{self, StoreError, Transaction, mls, networks};

/// Devices that speak for the account and have never shown that they can write on this card; with the key package that each
/// published last before.
fn left_behind(tx: &Transaction<'_>, row: &CardRow, card: &Card) -> Result<Vec<KeyPackage>, StoreError> {
    let this_device = store::device(tx)?.0.id();
    let is_left = |device: &&waxwing_seal::identity::card::Device| {
        let id = device.certificate().device;
        let has_spoken = device.next_number() > 1;
        device.standing() == Standing::Active && id != this_device && !has_spoken && !card.was_handed_to(id)
    };
    let left: Vec<DeviceId> = card
        .devices()
        .filter(is_left)
        .map(|device| device.certificate().device)
        .collect();
    // The first card is begun by the words alone; whoever is linked later gets the seed with the certificate.
    let is_first = card.number().is_none_or(|(number, _)| number == 0);
    if left.is_empty() || is_first {
        return Ok(Vec::new());
    }
    let now = cards::head_time(tx, row.network).map_err(|_| StoreError::Damaged)?;
    let mut before = Vec::new();
    for other in rows::of(tx, row.account, row.network)? {
        if other.channel != row.channel {
            before.push(rows::folded(tx, &other)?);
        }
    }
    let newest = |device: DeviceId| {
        let offers = before.iter().rev().filter_map(|card| card.device(device));
        let mut packages = offers.flat_map(|device| device.key_packages().iter().rev());
        packages.find_map(|package| {
            let read = KeyPackage::read(package.as_bytes(), row.network, now).ok()?;
            (read.member().device == device).then_some(read)
        })
    };
    Ok(left.into_iter().filter_map(newest).collect())
}

/// Whether somebody waits for the seed of a card that this device can write on.
pub(super) fn is_somebody_left(tx: &Transaction<'_>, row: &CardRow, card: &Card) -> Result<bool, StoreError> {
    Ok(row.seed.is_some() && !left_behind(tx, row, card)?.is_empty())
}

/// The statement that hands the seed to all of them.
pub(super) fn hand_over(tx: &Transaction<'_>, row: &CardRow) -> Result<Statement, Error> {
    let seed = row.seed.as_ref().ok_or(AccountError::CardUnwritable)?;
    let card = rows::folded(tx, row)?;
    let (key, _) = store::device(tx)?;
    let seeds: Option<Vec<SealedSeed>> = left_behind(tx, row, &card)?
        .iter()
        .map(|package| seal_seed(row.network, seed, package))
        .collect();
    let hand = DeviceHand::new(&key, row.network, cards::head_time(tx, row.network)?);
    let statement = hand.hand_over(&card, seeds.ok_or(StoreError::Damaged)?);
    Ok(statement.map_err(AccountError::Void)?)
}

/// Something counts on the account's card: if it hands this device the seed, it may write there from now on.
pub(super) fn take(tx: &Transaction<'_>, row: &CardRow, statement: &Statement, now: u64) -> Result<(), Error> {
    let Said::HandOver(seeds) = statement.said() else {
        return Ok(());
    };
    if row.account != own::load(tx)?.id || rows::load(tx, row.channel)?.is_none_or(|row| row.seed.is_some()) {
        return Ok(());
    }
    let this_device = store::device(tx)?.0.id();
    let Some(sealed) = seeds.iter().find(|seed| seed.device == this_device) else {
        return Ok(());
    };
    for card in rows::of(tx, row.account, row.network)? {
        for offered in rows::offered(tx, card.channel)? {
            // Read at the time at which it was made: it may have expired since, and still opens what was sealed to it.
            let Ok(package) = KeyPackage::read(&offered.bytes, row.network, offered.made) else {
                continue;
            };
            let opened = mls::lend(tx, |provider| {
                open_seed(provider, row.network, &row.address, (&package, sealed))
            });
            if let Some(seed) = opened.map_err(Error::Group)? {
                let address = row.address.clone();
                cards::follow(tx, row.network, row.account, address, Right::Write(seed), now)?;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The root key for one call: from the words that were typed in for it, or from those in this home.
pub(super) fn root(tx: &Transaction<'_>, typed: Option<&Phrase>, now: u64) -> Result<AccountKey, Error> {
    let Some(phrase) = typed else {
        return Ok(own::phrase(tx)?.ok_or(AccountError::RootOnPaper)?.account());
    };
    super::check(tx, phrase)?;
    let root = phrase.account();
    claim(tx, &root, now)?;
    Ok(root)
}

/// Whoever has the words can write on every card of the account: the seeds of those that this device only reads are made
/// from them.
pub(super) fn claim(tx: &Transaction<'_>, root: &AccountKey, now: u64) -> Result<(), Error> {
    for network in networks::ids(tx)? {
        for row in rows::of(tx, root.id(), network)? {
            let Some((number, _)) = rows::fold(tx, &row)?.number() else {
                continue;
            };
            let seed = root.card_seed(network, number);
            if row.seed.is_none() && seed.address(network) == row.address {
                let address = row.address.clone();
                cards::follow(tx, network, row.account, address, Right::Write(seed), now)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
