//! A further device for an account: this one into somebody's, or another one into this home's.
//!
//! ```text
//! new device                                             a device of the account, with the 24 words
//! begin_linking: opens an inbox, shows a link ─────────> link_device: reads what the link leads to
//! shows who offers; its owner agrees    <───── offer ─── offers at once: its owner typed the link in
//! accepts                        ───── acceptance ─────> its card: the addition, then, once that is final,
//! is one of the account's       <───── hand-over ─────── certificate and card
//! ```
//!
//! Every step is a row and a body in the outbox, made in the transaction of what led to it; whatever is interrupted goes on
//! when the client runs next. A device joins on one ledger at a time. What was said before stays where it is: the new
//! device reads what is said once members let it in. `// SPEC 28.8`

use std::time::Duration;

use rusqlite::Connection;
use serde::Serialize;
use tokio::time::timeout;
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Body, KeepFor};
use waxwing_core::limits::HOUR_MS;
use waxwing_seal::ChannelSecret;
use waxwing_seal::content::Name;
use waxwing_seal::identity::Acceptance;
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::hand::{NewDevice, RootHand};
use waxwing_seal::inbox::{DeviceLink, Event, Handed, Inbox, OpenDevice, Opened};
use waxwing_seal::invitation::Pin;
use waxwing_seal::{EpochKeys, NodeAddress};
use zeroize::Zeroizing;

use super::cards::{self, Right};
use super::{AccountError, myself};
use crate::chance;
use crate::client::Client;
use crate::error::Error;
use crate::inbox::post;
use crate::limits::NOTICE_MS;
use crate::nodes::in_order;
use crate::open::Checked;
use crate::store::account as own;
use crate::store::cards::CardRow;
use crate::store::channels::{Channel, ChannelKind, New, NotAdded};
use crate::store::linkings::{self as rows, Linking, LinkingState, Side};
use crate::store::messages::Outcome;
use crate::store::{self, StoreError, Transaction, channels, networks};

/// How long a new device waits: it is shown and read within minutes.
const WAITS_MS: u64 = HOUR_MS;

/// How long nodes keep what goes through its inbox.
const KEPT: KeepFor = KeepFor::Day;

/// An account that would take this device in. The name is hostile.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct OfferView {
    /// Names it, to agree to it.
    pub offer: String,
    /// The account.
    pub account: String,
    /// The device of the account that offers.
    pub device: String,
    /// What its owner calls himself.
    pub name: String,
}

/// Names reach no log line by way of `{:?}`.
impl core::fmt::Debug for OfferView {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OfferView({})", self.account)
    }
}

/// A device on its way into an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LinkingView {
    /// In this home.
    pub id: i64,
    /// How far it is.
    pub state: LinkingState,
    /// The new device, where it is another one and was found.
    pub device: Option<String>,
    /// Who offered to take this device in.
    pub offers: Vec<OfferView>,
}

/// A log that is written on by its key, or read as an inbox.
fn row<'a>(kind: ChannelKind, network: Hash, keys: &EpochKeys, secret: &'a ChannelSecret, engine: &'a [u8]) -> New<'a> {
    New {
        kind,
        network,
        log: keys.log(),
        secret,
        name: "",
        engine,
    }
}

fn follow(
    tx: &Transaction<'_>,
    kind: ChannelKind,
    network: Hash,
    keys: &EpochKeys,
    engine: &[u8],
    now: u64,
) -> Result<Channel, Error> {
    let secret = ChannelSecret::from_bytes(*keys.log_key().seed());
    let added = channels::insert_any(tx, &row(kind, network, keys, &secret, engine), now)?;
    let id = match added {
        Ok(id) => id,
        Err(NotAdded::Known(id)) => {
            channels::set_live(tx, id, true)?;
            id
        }
        Err(NotAdded::TooMany) => return Err(Error::TooManyChannels),
    };
    Ok(channels::load(tx, id)?.ok_or(StoreError::Damaged)?)
}

/// Whether this home could still become another account's: nobody has seen its own.
fn is_unused(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM certificate) AND NOT EXISTS (SELECT 1 FROM card) FROM account";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Linking.
impl Client {
    /// Makes this device ready to be taken into an account, and returns its number here and the link to show there. The
    /// account that this home began with is given up when that happens; nobody has seen it.
    ///
    /// # Errors
    /// [`AccountError::InUse`] if others know this home's account already.
    pub async fn begin_linking(&self, network: Hash, name: &str) -> Result<(i64, Zeroizing<String>), Error> {
        let name = DeviceName::new(name)?;
        let now = self.core.clock.now();
        let (id, seed, opening) = self
            .core
            .write::<_, Error>(move |tx| {
                networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
                if !is_unused(tx)? {
                    return Err(AccountError::InUse.into());
                }
                let (key, _) = store::device(tx)?;
                let until = now.saturating_add(WAITS_MS);
                let opened = Inbox::open_device(network, &key, (name.clone(), until), &mut chance::fill);
                let (inbox, sealed) = opened.map_err(Error::Post)?;
                let (_, opening) = inbox.device_opening().ok_or(StoreError::Damaged)?;
                let channel = follow(tx, ChannelKind::Inbox, network, inbox.keys(), &inbox.to_bytes(), now)?;
                post::queue(tx, &channel, &sealed, now)?;
                let linking = Linking {
                    id: 0,
                    side: Side::New,
                    network,
                    inbox: channel.id,
                    answer: None,
                    link: None,
                    name: name.as_str().to_owned(),
                    acceptance: None,
                    state: LinkingState::Looking,
                };
                Ok((rows::insert(tx, &linking)?, inbox.seed().clone(), opening))
            })
            .await?;
        let nodes = self.core.nodes(network).await?;
        self.core.lists_changed();
        self.core.outbox_changed();
        let link = DeviceLink {
            network,
            nodes: nodes.into_iter().map(|node| node.address).collect(),
            seed,
            opening,
        };
        Ok((id, link.link()))
    }

    /// Agrees to be taken into an account that offered to.
    ///
    /// # Errors
    /// If there is no such offer.
    pub async fn agree_to_link(&self, id: i64, offer: &str) -> Result<(), Error> {
        let (offer, now) = (offer.to_owned(), self.core.clock.now());
        self.core
            .write::<_, Error>(move |tx| agree(tx, id, &offer, now))
            .await?;
        self.core.lists_changed();
        self.core.outbox_changed();
        Ok(())
    }

    /// Takes a new device into this home's account, by the link that it shows. Goes on by itself: the offer, and after the
    /// device agreed, its addition and what it has to know.
    ///
    /// # Errors
    /// If the link is none of a device, its ledger is not known here, or the 24 words are not here.
    pub async fn link_device(&self, link: &str) -> Result<i64, Error> {
        let read = DeviceLink::from_link(link)?;
        let (link, now) = (link.to_owned(), self.core.clock.now());
        let id = self
            .core
            .write::<_, Error>(move |tx| {
                let network = read.network;
                networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
                if !own::has_phrase(tx)? {
                    return Err(AccountError::RootOnPaper.into());
                }
                cards::begin(tx, network, now)?;
                let door = follow(tx, ChannelKind::Post, network, read.door().keys(), &[], now)?;
                let linking = Linking {
                    id: 0,
                    side: Side::Account,
                    network,
                    inbox: door.id,
                    answer: None,
                    link: Some(link),
                    name: String::new(),
                    acceptance: None,
                    state: LinkingState::Looking,
                };
                Ok(rows::insert(tx, &linking)?)
            })
            .await?;
        self.core.lists_changed();
        Ok(id)
    }

    /// How far a device is on its way.
    ///
    /// # Errors
    /// If there is none of that number.
    pub async fn linking(&self, id: i64) -> Result<LinkingView, Error> {
        self.core.read::<_, Error>(move |tx| view(tx, id)).await
    }

    /// Follows it until it comes to one of these states.
    ///
    /// # Errors
    /// [`Error::StillWaiting`] if that takes longer.
    pub async fn linking_is(&self, id: i64, states: &[LinkingState], within: Duration) -> Result<LinkingView, Error> {
        self.start();
        let came = async {
            let mut writes = self.core.writes();
            loop {
                let view = self.linking(id).await?;
                if states.contains(&view.state) {
                    return Ok(view);
                }
                let _ = timeout(Duration::from_millis(NOTICE_MS), writes.changed()).await;
            }
        };
        timeout(within, came).await.unwrap_or(Err(Error::StillWaiting))
    }
}

fn view(connection: &Connection, id: i64) -> Result<LinkingView, Error> {
    let linking = rows::load(connection, id)?.ok_or(AccountError::UnknownLinking)?;
    let mut offers = Vec::new();
    if linking.side == Side::New {
        let inbox = Inbox::from_bytes(&channels::engine(connection, linking.inbox)?).map_err(StoreError::from)?;
        offers = inbox
            .offers()
            .iter()
            .map(|heard| OfferView {
                offer: heard.id.to_string(),
                account: heard.offer.certificate.account.to_string(),
                device: heard.offer.certificate.device.to_string(),
                name: heard.offer.name.as_str().to_owned(),
            })
            .collect();
    }
    Ok(LinkingView {
        id,
        state: linking.state,
        device: linking.acceptance.map(|acceptance| acceptance.device.to_string()),
        offers,
    })
}

fn agree(tx: &Transaction<'_>, id: i64, offer: &str, now: u64) -> Result<(), Error> {
    let mut linking = rows::load(tx, id)?.ok_or(AccountError::UnknownLinking)?;
    let mut inbox = Inbox::from_bytes(&channels::engine(tx, linking.inbox)?).map_err(StoreError::from)?;
    let offer = inbox.offers().iter().find(|heard| heard.id.to_string() == offer);
    let offer = offer.ok_or(AccountError::UnknownLinking)?.id;
    let (key, _) = store::device(tx)?;
    let (mail, keys) = inbox
        .accept(offer, &key, KEPT, &mut chance::fill)
        .map_err(Error::Post)?;
    channels::set_engine(tx, linking.inbox, &inbox.to_bytes())?;
    let answer = follow(tx, ChannelKind::Post, linking.network, &keys, &[], now)?;
    post::queue(tx, &answer, &mail.sealed, now)?;
    linking.answer = Some(answer.id);
    linking.state = LinkingState::Agreed;
    Ok(rows::update(tx, &linking)?)
}

/// What came to an inbox that has to do with linking.
pub(crate) fn happened(tx: &Transaction<'_>, channel: &Channel, event: Event, now: u64) -> Result<(), StoreError> {
    let Some(mut linking) = rows::at(tx, channel.id)? else {
        return Ok(());
    };
    match event {
        // Whoever sees the link can offer: it is the owner who decides, and may wait for another offer.
        Event::Offer(_) if linking.state == LinkingState::Looking => linking.state = LinkingState::Offered,
        Event::Accepted(accepted) => {
            let here = accepted.into_iter().find(|(network, _)| *network == linking.network);
            linking.acceptance = here.map(|(_, acceptance)| acceptance);
            linking.state = LinkingState::Agreed;
        }
        Event::HandOver(handed) => {
            for one in handed.handed.into_iter().filter(|one| one.network == linking.network) {
                become_one(tx, one, now)?;
            }
            linking.state = LinkingState::Done;
        }
        _ => return Ok(()),
    }
    rows::update(tx, &linking)
}

/// This device is one of the account's now.
fn become_one(tx: &Transaction<'_>, handed: Handed, now: u64) -> Result<(), StoreError> {
    if !is_unused(tx)? {
        tracing::warn!("an account was handed over to a home whose own is in use: it keeps that");
        return Ok(());
    }
    let (account, network) = (handed.certificate.account, handed.network);
    own::join(tx, account)?;
    own::keep_certificate(tx, network, &handed.certificate)?;
    let address = handed.card.address(network);
    let followed = cards::follow(tx, network, account, address, Right::Write(handed.card), now);
    followed.map(|_| ()).map_err(|error| match error {
        Error::Store(error) => error,
        _ => StoreError::Full,
    })
}

/// Whether this row is the door of a device that is to be linked and was not found yet.
pub(crate) fn is_looking(connection: &Connection, channel: &Channel) -> Result<bool, StoreError> {
    let linking = rows::at(connection, channel.id)?;
    Ok(linking.is_some_and(|linking| linking.side == Side::Account && linking.state != LinkingState::Done))
}

/// An entry of a new device's inbox, read by the account's device: its opening is looked for.
pub(crate) fn others(
    tx: &Transaction<'_>,
    channel: &Channel,
    entry: &Checked,
    now: u64,
) -> Result<Option<Outcome>, StoreError> {
    let elsewhere = || Ok(Some(Outcome::Unopened("it is for somebody else".to_owned())));
    let Some(linking) = rows::at(tx, channel.id)? else {
        return elsewhere();
    };
    let Some(link) = &linking.link else {
        return elsewhere();
    };
    let door = DeviceLink::from_link(link).map_err(|_| StoreError::Damaged)?.door();
    let header = &entry.signed.header;
    let body = match &entry.body {
        Body::Present(body) => body,
        _ if door.may_open(header) => return Ok(None),
        _ => return elsewhere(),
    };
    match door.read(entry.place.time, header, body) {
        Ok(Opened::Device(open)) => match offer(tx, channel, linking, &open, now) {
            Ok(()) => Ok(Some(Outcome::Posted)),
            Err(Error::Store(error)) => Err(error),
            Err(error) => Ok(Some(Outcome::Unopened(error.to_string()))),
        },
        Ok(Opened::Person(_)) => elsewhere(),
        Err(void) => Ok(Some(Outcome::Unopened(void.to_string()))),
    }
}

fn offer(tx: &Transaction<'_>, door: &Channel, mut linking: Linking, open: &OpenDevice, now: u64) -> Result<(), Error> {
    let me = myself(tx, door.network, now)?;
    let (_, name) = store::device(tx)?;
    let about = (Name::new(name)?, &[door.network][..]);
    let (mail, inbox) = open.offer(&me, about, KEPT, &mut chance::fill).map_err(Error::Post)?;
    let answer = follow(
        tx,
        ChannelKind::Inbox,
        door.network,
        inbox.keys(),
        &inbox.to_bytes(),
        now,
    )?;
    post::queue(tx, door, &mail.sealed, now)?;
    linking.answer = Some(answer.id);
    linking.link = None;
    linking.name = open.opening().name.as_str().to_owned();
    linking.state = LinkingState::Offered;
    Ok(rows::update(tx, &linking)?)
}

/// What the account's device still has to do about devices that agreed, on a card that is read and quiet.
pub(super) enum Next {
    /// The root adds it.
    Add(Acceptance, DeviceName),
    /// It stands on the card: it is told.
    Tell(Box<Linking>),
}

/// The next of it.
pub(super) fn next(
    connection: &Connection,
    row: &CardRow,
    card: &waxwing_seal::identity::Card,
) -> Result<Option<Next>, StoreError> {
    for linking in rows::agreed(connection, row.network)? {
        let Some(acceptance) = linking.acceptance else { continue };
        if card.device(acceptance.device).is_some() {
            return Ok(Some(Next::Tell(Box::new(linking))));
        }
        if own::has_phrase(connection)? {
            return Ok(Some(Next::Add(acceptance, linking.device_name())));
        }
    }
    Ok(None)
}

/// Does it.
pub(super) fn go_on(tx: &Transaction<'_>, row: &CardRow, next: Next, now: u64) -> Result<(), Error> {
    let card = store::cards::folded(tx, row)?;
    match next {
        Next::Add(accepted, name) => {
            let root = own::phrase(tx)?.ok_or(AccountError::RootOnPaper)?.account();
            let time = cards::head_time(tx, row.network)?;
            let device = NewDevice {
                accepted,
                name,
                validity: Validity::from(time),
            };
            let hand = RootHand::new(&root, row.network, time);
            let statement = hand.add(&card, &device).map_err(AccountError::Void)?;
            cards::post(tx, row, &statement, now)
        }
        Next::Tell(linking) => tell(tx, row, &card, *linking, now),
    }
}

fn tell(
    tx: &Transaction<'_>,
    row: &CardRow,
    card: &waxwing_seal::identity::Card,
    mut linking: Linking,
    now: u64,
) -> Result<(), Error> {
    let device = linking.acceptance.and_then(|acceptance| card.device(acceptance.device));
    let (device, answer) = (
        device.ok_or(StoreError::Damaged)?,
        linking.answer.ok_or(StoreError::Damaged)?,
    );
    let known = networks::load(tx, row.network)?.ok_or(Error::UnknownNetwork(row.network))?;
    let held = known.follow();
    let nodes = in_order(networks::nodes(tx, row.network)?, now);
    let handed = Handed {
        network: row.network,
        pin: Pin {
            height: held.header().height,
            id: held.id(),
        },
        nodes: most(nodes.into_iter().map(|node| node.address).collect()),
        card: row.seed.clone().ok_or(AccountError::CardUnwritable)?,
        certificate: (**device.certificate()).clone(),
    };
    let (_, name) = store::device(tx)?;
    let me = myself(tx, row.network, now)?;
    let inbox = Inbox::from_bytes(&channels::engine(tx, answer)?).map_err(StoreError::from)?;
    let about = (Name::new(name)?, vec![handed]);
    let (mail, _) = inbox
        .hand_over(&me, about, KEPT, &mut chance::fill)
        .map_err(Error::Post)?;
    channels::set_live(tx, linking.inbox, true)?;
    let door = channels::load(tx, linking.inbox)?.ok_or(StoreError::Damaged)?;
    post::queue(tx, &door, &mail.sealed, now)?;
    linking.state = LinkingState::Done;
    Ok(rows::update(tx, &linking)?)
}

/// As many nodes as fit.
fn most(mut nodes: Vec<NodeAddress>) -> Vec<NodeAddress> {
    nodes.truncate(usize::try_from(waxwing_seal::limits::INVITATION_NODES_MAX).unwrap_or(0));
    nodes
}

#[cfg(test)]
mod tests;
