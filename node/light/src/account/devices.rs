//! The account's devices: what the card says of them, and what this person does about them.

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;
use waxwing_core::Hash;
use waxwing_seal::DeviceId;
use waxwing_seal::identity::card::What;
use waxwing_seal::identity::certificate::DeviceName;
use waxwing_seal::identity::hand::{DeviceHand, NewDevice, RootHand};
use waxwing_seal::identity::{Acceptance, Card, Phrase, Void};

use super::AccountError;
use super::cards::{self, Right};
use super::contacts::standing_word;
use super::succession::root;
use crate::client::Client;
use crate::error::Error;
use crate::limits::NOTICE_MS;
use crate::store::cards::CardRow;
use crate::store::{self, Transaction, channels, networks, outbox};

/// A device of the account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OwnDevice {
    /// The device.
    pub device: String,
    /// What the owner calls it; may be empty.
    pub name: String,
    /// What it may do: `active`, `suspended` or `revoked`.
    pub standing: &'static str,
    /// Since when, by the ledger; none if that stands on an earlier card.
    pub since_ms: Option<u64>,
    /// Whether it is this one.
    pub own: bool,
    /// Key packages that it offers.
    pub key_packages: usize,
}

/// The account's devices on a ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OwnDevices {
    /// The ledger.
    pub network: String,
    /// Which of the account's cards it is; none while there is none.
    pub card: Option<u64>,
    /// Whether something of this device's is on its way to the card.
    pub waiting: bool,
    /// The devices, in the order of their ids.
    pub devices: Vec<OwnDevice>,
}

/// The device that a change of the card is about.
const fn subject(what: &What) -> Option<DeviceId> {
    match what {
        What::Added { device, .. }
        | What::Suspended { device, .. }
        | What::Lifted { device }
        | What::Revoked { device } => Some(*device),
        What::Opened { .. } | What::Renewed { .. } | What::Published { .. } | What::Moved { .. } => None,
    }
}

fn view(card: &Card, this_device: DeviceId) -> Vec<OwnDevice> {
    let opened = card.history().first();
    let is_first = card.number().is_some_and(|(number, _)| number == 0);
    let since = |id: DeviceId| {
        let last = card.history().iter().rfind(|one| subject(&one.what) == Some(id));
        // Whoever stands on the first card's opening became active with it.
        last.or(opened.filter(|_| is_first)).map(|one| one.at.time_ms)
    };
    let device = |device: &waxwing_seal::identity::card::Device| {
        let certificate = device.certificate();
        OwnDevice {
            device: certificate.device.to_string(),
            name: certificate.name.as_str().to_owned(),
            standing: standing_word(device.standing()),
            since_ms: since(certificate.device),
            own: certificate.device == this_device,
            key_packages: device.key_packages().len(),
        }
    };
    card.devices().map(device).collect()
}

/// The account's card, if it can be written on now.
fn writable(tx: &Transaction<'_>, network: Hash) -> Result<(CardRow, Card), Error> {
    let (row, card) = cards::own_card(tx, network)?.ok_or(AccountError::Unpublished)?;
    let channel = channels::load(tx, row.channel)?.ok_or(Error::UnknownChannel)?;
    if card.number().is_none() || !channel.is_read() {
        return Err(AccountError::CardUnread.into());
    }
    if row.seed.is_none() {
        return Err(AccountError::CardUnwritable.into());
    }
    if card.next().is_some() || !outbox::of_channel(tx, row.channel)?.is_empty() {
        return Err(AccountError::CardBusy.into());
    }
    Ok((row, card))
}

/// Devices.
impl Client {
    /// Publishes the account on a ledger: its card begins, with this device on it. Goes out when a node is reached.
    ///
    /// # Errors
    /// If the ledger is not known, or the 24 words are not here.
    pub async fn publish_account(&self, network: Hash) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.core
            .write::<_, Error>(move |tx| cards::begin(tx, network, now).map(|_| ()))
            .await?;
        self.core.lists_changed();
        self.core.outbox_changed();
        Ok(())
    }

    /// Follows the account's card until nothing of this device's is on its way to it and nothing more is due.
    ///
    /// # Errors
    /// [`Error::StillWaiting`] if that takes longer than so much patience. It goes on whenever the client runs.
    pub async fn settle_account(&self, network: Hash, patience: Duration) -> Result<OwnDevices, Error> {
        self.start();
        let mut writes = self.core.writes();
        let settled = async {
            loop {
                let now = self.core.clock.now();
                if self.core.read(move |tx| cards::is_settled(tx, network, now)).await? {
                    return self.devices(network).await;
                }
                // Another process may be the one that reads the card.
                let _ = timeout(Duration::from_millis(NOTICE_MS), writes.changed()).await;
            }
        };
        timeout(patience, settled).await.unwrap_or(Err(Error::StillWaiting))
    }

    /// The account's devices on a ledger, as far as its card was read.
    ///
    /// # Errors
    /// If the ledger is not known.
    pub async fn devices(&self, network: Hash) -> Result<OwnDevices, Error> {
        self.core
            .read::<_, Error>(move |tx| {
                networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
                let (this_device, _) = store::device(tx)?;
                let present = cards::own_card(tx, network)?;
                let waiting = match &present {
                    Some((row, _)) => !outbox::of_channel(tx, row.channel)?.is_empty(),
                    None => false,
                };
                let card = present.map(|(_, card)| card);
                Ok(OwnDevices {
                    network: network.to_string(),
                    card: card.as_ref().and_then(Card::number).map(|(number, _)| number),
                    waiting,
                    devices: card.map_or_else(Vec::new, |card| view(&card, this_device.id())),
                })
            })
            .await
    }

    /// Suspends another device of the account, until the 24 words lift that: it may be lost.
    ///
    /// # Errors
    /// If the card was not read to its end, or it would have no effect.
    pub async fn suspend_device(&self, network: Hash, device: DeviceId) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.say_on_card(move |tx| {
            let (row, card) = writable(tx, network)?;
            let (key, _) = store::device(tx)?;
            let hand = DeviceHand::new(&key, network, cards::head_time(tx, network)?);
            let statement = hand.suspend(&card, device).map_err(AccountError::Void)?;
            cards::post(tx, &row, &statement, now)
        })
        .await
    }

    /// Lifts a device's suspension. Takes the 24 words: those in this home, or typed in for this one call.
    ///
    /// # Errors
    /// If the words are not here, the card was not read to its end, or it would have no effect.
    pub async fn lift_device(&self, network: Hash, device: DeviceId, words: Option<Phrase>) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.say_on_card(move |tx| {
            let root = root(tx, words.as_ref(), now)?;
            let (row, card) = writable(tx, network)?;
            let hand = RootHand::new(&root, network, cards::head_time(tx, network)?);
            let statement = hand.lift(&card, device).map_err(AccountError::Void)?;
            cards::post(tx, &row, &statement, now)
        })
        .await
    }

    /// Calls a device something else, for everybody who reads the card. Takes the 24 words, since the name stands in the
    /// certificate.
    ///
    /// # Errors
    /// If the name is too long, the words are not here, the card was not read to its end, or it would have no effect.
    pub async fn rename_device(
        &self,
        network: Hash,
        device: DeviceId,
        name: &str,
        words: Option<Phrase>,
    ) -> Result<(), Error> {
        let (name, now) = (DeviceName::new(name)?, self.core.clock.now());
        self.say_on_card(move |tx| {
            let root = root(tx, words.as_ref(), now)?;
            let (row, card) = writable(tx, network)?;
            let known = card.device(device).ok_or(AccountError::Void(Void::UnknownDevice))?;
            let certificate = known.certificate();
            let renamed = NewDevice {
                accepted: Acceptance {
                    device,
                    signature: certificate.acceptance,
                },
                name,
                validity: certificate.validity,
            };
            let hand = RootHand::new(&root, network, cards::head_time(tx, network)?);
            let statement = hand.add(&card, &renamed).map_err(AccountError::Void)?;
            cards::post(tx, &row, &statement, now)
        })
        .await
    }

    /// Revokes a device for ever: the account goes on with another card, which the device cannot write on. Takes the 24
    /// words, those in this home or typed in for this one call. Who stays is handed the next card's seed.
    ///
    /// # Errors
    /// If the words are not here, the card was not read to its end, it is this device, or it would have no effect.
    pub async fn revoke_device(&self, network: Hash, device: DeviceId, words: Option<Phrase>) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.say_on_card(move |tx| {
            if store::device(tx)?.0.id() == device {
                return Err(AccountError::ThisDevice.into());
            }
            let root = root(tx, words.as_ref(), now)?;
            let (row, card) = writable(tx, network)?;
            let hand = RootHand::new(&root, network, cards::head_time(tx, network)?);
            let moved = hand.move_on(&card, &[device], None);
            let (farewell, next) = moved.map_err(AccountError::Void)?;
            let address = next.seed.address(network);
            let right = Right::Begin(next.seed, Box::new(next.opening));
            cards::follow(tx, network, row.account, address, right, now)?;
            cards::post(tx, &row, &farewell, now)
        })
        .await
    }

    async fn say_on_card(
        &self,
        say: impl FnOnce(&mut Transaction<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.core.write(say).await?;
        self.core.lists_changed();
        self.core.outbox_changed();
        Ok(())
    }
}
