//! Cards in this home: the account's own, which this device writes on, and those of contacts, which it reads.
//!
//! ```text
//! entry of a card's log ──> Card::apply ─┬─ counts ──> kept; then: own card? contact's card? moved?
//!                                        └─ void ────> passed over, with its reason
//! own card, read to its end ──> plan::due ──> a statement on its way, one at a time
//! ```
//!
//! A statement must stay, so a body that no node gives is waited for: it may decide which devices there are. What could be
//! erased is void whatever it says, and is not waited for. `// SPEC 26.5`

use rusqlite::Connection;
use waxwing_core::envelope::Body;
use waxwing_core::{Hash, HashKeys};
use waxwing_seal::group::KeyPackage;
use waxwing_seal::identity::card::Device;
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::hand::{DeviceHand, NewDevice, RootHand};
use waxwing_seal::identity::statement::{KeyPackage as Package, Standing};
use waxwing_seal::identity::{Acceptance, AccountId, At, Card, CardAddress, CardSeed, Statement, Void, address};
use waxwing_seal::{ChannelSecret, DeviceId};

use super::plan::{Due, Facts, due, over};
use super::{AccountError, Root, contacts, linking, succession};
use crate::error::{Error, Trouble};
use crate::groups;
use crate::groups::open::Read;
use crate::limits::LEAVER_WAIT_MS;
use crate::message::ChannelId;
use crate::open::{Checked, append};
use crate::store::account::{self as own, Began};
use crate::store::cards::{self as rows, CardRow, Offered};
use crate::store::channels::{Channel, ChannelKind, New, NotAdded};
use crate::store::contacts as people;
use crate::store::messages::{Outcome, Proved};
use crate::store::wanted::{self, Want};
use crate::store::{self, StoreError, Transaction, channels, messages, mls, networks, outbox};
use crate::sync::Reading;
use crate::{chance, deliver};

/// Follows a card from now on, or learns that this device may write on one that it follows.
pub(super) fn follow(
    tx: &Transaction<'_>,
    network: Hash,
    account: AccountId,
    address: CardAddress,
    right: Right,
    now: u64,
) -> Result<ChannelId, Error> {
    let (seed, opening) = match right {
        Right::Read => (None, None),
        Right::Write(seed) => (Some(seed), None),
        Right::Begin(seed, opening) => (Some(seed), Some(*opening)),
    };
    // What signs on the log, if this device may; the row of a log that is only read holds nothing secret.
    let log_seed = seed.as_ref().map(|seed| seed.keys(network).log_key().seed());
    let secret = log_seed.map_or([0; 32], |seed| *seed);
    let new = New {
        kind: ChannelKind::Card,
        network,
        log: address.log(),
        secret: &ChannelSecret::from_bytes(secret),
        name: "",
        engine: &[],
    };
    let channel = match channels::insert_any(tx, &new, now)? {
        Ok(channel) => channel,
        Err(NotAdded::Known(channel)) => {
            if seed.is_some() {
                channels::set_secret(tx, channel, &ChannelSecret::from_bytes(secret))?;
            }
            channel
        }
        Err(NotAdded::TooMany) => return Err(Error::TooManyChannels),
    };
    let row = CardRow {
        channel,
        network,
        account,
        address,
        seed,
        opening,
    };
    rows::insert(tx, &row)?;
    Ok(channel)
}

/// What this device may do on a card.
pub(super) enum Right {
    /// Read it.
    Read,
    /// Write on it.
    Write(CardSeed),
    /// Begin it, once the move to it is final.
    Begin(CardSeed, Box<Statement>),
}

/// Follows the first card of this home's account on a ledger, to write on it.
pub(super) fn begin(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<ChannelId, Error> {
    networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
    let account = own::load(tx)?.id;
    if let Some(known) = rows::of(tx, account, network)?.pop() {
        return Ok(known.channel);
    }
    let phrase = own::phrase(tx)?.ok_or(AccountError::RootOnPaper)?;
    let seed = phrase.account().card_seed(network, 0);
    follow(tx, network, account, seed.address(network), Right::Write(seed), now)
}

/// Follows a contact's card.
pub(crate) fn follow_contact(
    tx: &Transaction<'_>,
    network: Hash,
    account: AccountId,
    address: &CardAddress,
    now: u64,
) -> Result<(), Error> {
    if account != own::load(tx)?.id {
        follow(tx, network, account, address.clone(), Right::Read, now)?;
    }
    Ok(())
}

/// Where the account's card is, for whoever is met. It begins with the first of them, if the 24 words are here; its opening
/// is on its way then. `None` where there is none and none can be.
pub(crate) fn own_address(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<Option<CardAddress>, Error> {
    match begin(tx, network, now) {
        Ok(_) | Err(Error::Account(AccountError::RootOnPaper)) => {}
        Err(error) => return Err(error),
    }
    Ok(own_card(tx, network)?.map(|(row, _)| row.address))
}

/// The card that the account stands on now, as far as this device knows.
pub(crate) fn own_card(tx: &Transaction<'_>, network: Hash) -> Result<Option<(CardRow, Card)>, StoreError> {
    let account = own::load(tx)?.id;
    let mut last = None;
    for row in rows::of(tx, account, network)? {
        let card = rows::folded(tx, &row)?;
        let waits_for_move = row.opening.is_some() && card.number().is_none();
        if last.is_none() || !waits_for_move {
            last = Some((row, card));
        }
    }
    Ok(last)
}

/// Reads and stores a piece of a card's log.
pub(crate) fn store(
    tx: &mut Transaction<'_>,
    keys: &HashKeys,
    channel: &Channel,
    entries: Vec<Checked>,
    now: u64,
) -> Result<Read, StoreError> {
    let row = rows::load(tx, channel.id)?.ok_or(StoreError::Damaged)?;
    let this_device = store::device(tx)?.0.id();
    let mut card = rows::folded(tx, &row)?;
    let before = revoked(&card);
    let mut state = channel.state.clone();
    let mut end = Read::WithMore;
    for entry in entries {
        let index = state.length();
        let Some(outcome) = step(tx, keys, &row, &mut card, (index, now), &entry)? else {
            end = Read::ToMissing;
            break;
        };
        append(keys, &mut state, &entry);
        let proved = Proved {
            index,
            entry: entry.entry,
            root: state.leaf(keys).root,
            place: entry.place,
            signed: entry.signed.clone(),
        };
        messages::store_posted(tx, channel.id, &proved, &outcome, this_device)?;
    }
    channels::set_state(tx, channel.id, &state)?;
    learn(tx, &row, &card, now).map_err(stored)?;
    let mut gone = revoked(&card);
    gone.retain(|device| *device != this_device && !before.contains(device));
    cast_out(tx, row.network, &gone, now)?;
    Ok(end)
}

fn revoked(card: &Card) -> Vec<DeviceId> {
    let is_revoked = |device: &&Device| device.standing() == Standing::Revoked;
    let devices = card.devices().filter(is_revoked);
    devices.map(|device| device.certificate().device).collect()
}

/// Devices that were revoked go from the groups in which this device may take them out, after a random wait: other members
/// have read the same. Where they are no members the wish comes to nothing.
fn cast_out(tx: &Transaction<'_>, network: Hash, devices: &[DeviceId], now: u64) -> Result<(), StoreError> {
    if devices.is_empty() {
        return Ok(());
    }
    let not_before = now.saturating_add(chance::below(LEAVER_WAIT_MS));
    for channel in channels::all(tx)? {
        if channel.kind == ChannelKind::Group && channel.network == network && channel.is_live {
            for device in devices {
                let want = Want::Remove { device: device.0 };
                wanted::insert(tx, channel.id, &want, not_before)?;
            }
        }
    }
    Ok(())
}

/// What one entry leads to; `None` if its body has to be here first.
fn step(
    tx: &Transaction<'_>,
    keys: &HashKeys,
    row: &CardRow,
    card: &mut Card,
    (index, now): (u64, u64),
    entry: &Checked,
) -> Result<Option<Outcome>, StoreError> {
    let header = &entry.signed.header;
    let body = match &entry.body {
        Body::Present(body) => body,
        _ if row.address.must_stay(header) => return Ok(None),
        Body::Erased(_) => return Ok(Some(Outcome::Erased)),
        Body::Expired => return Ok(Some(Outcome::Expired)),
        Body::Withheld => return Ok(Some(Outcome::Withheld)),
    };
    let at = At {
        index,
        time_ms: entry.place.time,
    };
    let said = row.address.open(keys, header, body);
    let counts = said.and_then(|statement| card.apply(at, &statement).map(|()| statement));
    Ok(Some(match counts {
        Ok(statement) => {
            rows::keep(tx, row.channel, at, &statement)?;
            succession::take(tx, row, &statement, now).map_err(stored)?;
            Outcome::Posted
        }
        Err(void) => Outcome::Unopened(void.to_string()),
    }))
}

/// Takes note of what a card says now.
fn learn(tx: &Transaction<'_>, row: &CardRow, card: &Card, now: u64) -> Result<(), Error> {
    if row.account == own::load(tx)?.id {
        learn_own(tx, row, card)?;
    } else if let (Some(contact), Some(keys)) = (people::find(tx, row.account)?, card.keys()) {
        contacts::see_keys(tx, contact.id, row.network, keys, now)?;
    }
    let Some(next) = card.next() else { return Ok(()) };
    // Everything that is said there later is void.
    channels::set_live(tx, row.channel, false)?;
    let number = card.number().map_or(0, |(number, _)| number);
    let seed = match own::phrase(tx)? {
        Some(phrase) if row.account == own::load(tx)?.id => {
            let seed = phrase.account().card_seed(row.network, number.saturating_add(1));
            (seed.address(row.network) == *next).then_some(seed)
        }
        _ => None,
    };
    let known = rows::of(tx, row.account, row.network)?;
    if known.iter().any(|known| known.address == *next) {
        return Ok(());
    }
    let right = seed.map_or(Right::Read, Right::Write);
    follow(tx, row.network, row.account, next.clone(), right, now)?;
    Ok(())
}

/// This device's certificate is the one on the card.
fn learn_own(tx: &Transaction<'_>, row: &CardRow, card: &Card) -> Result<(), StoreError> {
    let this_device = store::device(tx)?.0.id();
    let Some(device) = card.device(this_device) else {
        return Ok(());
    };
    let stored = own::certificate(tx, row.network)?;
    if stored.as_ref() != Some(&**device.certificate()) {
        own::keep_certificate(tx, row.network, device.certificate())?;
    }
    Ok(())
}

/// Says on the account's card whatever is due on one ledger, where everything proven has been read.
pub(crate) async fn speak_due(reading: &Reading<'_>) -> Result<(), Trouble> {
    let (network, now) = (reading.network, reading.core.clock.now());
    let is_due = reading.core.read(move |tx| is_due(tx, network, now)).await?;
    if !is_due {
        return Ok(());
    }
    let spoken = reading.core.write::<_, Error>(move |tx| speak(tx, network, now));
    match spoken.await {
        // Another process has forgotten what this takes.
        Err(error @ Error::Account(_)) => tracing::warn!("the account's card waits: {error}"),
        other => other?,
    }
    reading.core.lists_changed();
    Ok(())
}

/// An account that began elsewhere is looked for by itself; one that began here is published when somebody wants it.
pub(crate) fn is_due(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<bool, StoreError> {
    let account = own::load(tx)?;
    let known = rows::of(tx, account.id, network)?;
    if known.is_empty() {
        return Ok(account.began == Began::Elsewhere && own::has_phrase(tx)?);
    }
    for row in known {
        let has_old = over(&rows::offered(tx, row.channel)?, now).next().is_some();
        if has_old || next_of(tx, &row, now)?.is_some() || next_to_link(tx, &row)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the card is open and read, nothing of this device's is on its way to it, and nothing is due.
pub(super) fn is_settled(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<bool, StoreError> {
    let Some((present, card)) = own_card(tx, network)? else {
        return Ok(false);
    };
    let channel = channels::load(tx, present.channel)?.ok_or(StoreError::Damaged)?;
    let is_open = card.number().is_some() && card.next().is_none() && channel.is_read();
    if !is_open || is_due(tx, network, now)? {
        return Ok(false);
    }
    for row in rows::of(tx, present.account, network)? {
        let waits = row.opening.is_some() && rows::folded(tx, &row)?.number().is_none();
        if waits || !outbox::of_channel(tx, row.channel)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is due on one of the account's cards.
fn next_of(tx: &Transaction<'_>, row: &CardRow, now_ms: u64) -> Result<Option<Due>, StoreError> {
    let channel = channels::load(tx, row.channel)?.ok_or(StoreError::Damaged)?;
    let is_quiet = channel.is_live && channel.is_read() && outbox::of_channel(tx, row.channel)?.is_empty();
    if row.seed.is_none() || !is_quiet {
        return Ok(None);
    }
    let (card, offered) = (rows::folded(tx, row)?, rows::offered(tx, row.channel)?);
    if card.number().is_none() && row.opening.is_some() && !was_moved_to(tx, row)? {
        return Ok(None);
    }
    let has_words = own::has_phrase(tx)? || row.opening.is_some();
    let facts = Facts {
        card: &card,
        device: store::device(tx)?.0.id(),
        root: if has_words { Root::Here } else { Root::OnPaper },
        offered: &offered,
        leaves_somebody: succession::is_somebody_left(tx, row, &card)?,
        now_ms,
    };
    Ok(due(&facts))
}

/// What a device that agreed to be linked waits for, on a card on which this one may say something now.
fn next_to_link(tx: &Transaction<'_>, row: &CardRow) -> Result<Option<linking::Next>, StoreError> {
    let channel = channels::load(tx, row.channel)?.ok_or(StoreError::Damaged)?;
    let is_quiet = channel.is_live && channel.is_read() && outbox::of_channel(tx, row.channel)?.is_empty();
    let card = rows::folded(tx, row)?;
    if row.seed.is_none() || !is_quiet || card.number().is_none() || card.next().is_some() {
        return Ok(None);
    }
    linking::next(tx, row, &card)
}

/// Whether the move to a card is final.
fn was_moved_to(tx: &Transaction<'_>, row: &CardRow) -> Result<bool, StoreError> {
    for other in rows::of(tx, row.account, row.network)? {
        if rows::folded(tx, &other)?.next() == Some(&row.address) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn speak(tx: &mut Transaction<'_>, network: Hash, now: u64) -> Result<(), Error> {
    let account = own::load(tx)?.id;
    if rows::of(tx, account, network)?.is_empty() {
        begin(tx, network, now)?;
        return Ok(());
    }
    for row in rows::of(tx, account, network)? {
        for old in over(&rows::offered(tx, row.channel)?, now) {
            forget_secrets(tx, &row, old)?;
        }
        let Some(due) = next_of(tx, &row, now)? else {
            if let Some(next) = next_to_link(tx, &row)? {
                linking::go_on(tx, &row, next, now)?;
            }
            continue;
        };
        let statement = match due {
            Due::Open => opening(tx, &row, now)?,
            Due::Add => addition(tx, &row, now)?,
            Due::HandOver => succession::hand_over(tx, &row)?,
            Due::Publish => packages(tx, &row, now)?,
        };
        post(tx, &row, &statement, now)?;
    }
    Ok(())
}

fn forget_secrets(tx: &Transaction<'_>, row: &CardRow, old: &Offered) -> Result<(), Error> {
    // Read at the time at which it was made: it may have expired since.
    if let Ok(package) = KeyPackage::read(&old.bytes, row.network, old.made) {
        mls::lend(tx, |provider| package.forget(provider)).map_err(Error::Group)?;
    }
    Ok(rows::forget_offered(tx, row.channel, old.number)?)
}

/// The time of the newest head: statements are ordered then, or a little later.
pub(super) fn head_time(connection: &Connection, network: Hash) -> Result<u64, Error> {
    let known = networks::load(connection, network)?.ok_or(Error::UnknownNetwork(network))?;
    Ok(known.held.header.time)
}

/// This device, to be certified; as it stands in groups already, if it does.
fn this_device(tx: &Transaction<'_>, row: &CardRow) -> Result<NewDevice, Error> {
    let (key, _) = store::device(tx)?;
    if let Some(known) = own::certificate(tx, row.network)? {
        let accepted = Acceptance {
            device: known.device,
            signature: known.acceptance,
        };
        return Ok(NewDevice {
            accepted,
            name: known.name,
            validity: known.validity,
        });
    }
    Ok(NewDevice {
        accepted: Acceptance::sign(&key, row.network, row.account),
        name: DeviceName::default(),
        validity: Validity::from(head_time(tx, row.network)?),
    })
}

/// What would be void is not written: the card was read to its end, so it is this program that is wrong.
fn unsaid(void: Void) -> Error {
    AccountError::Void(void).into()
}

fn opening(tx: &Transaction<'_>, row: &CardRow, now: u64) -> Result<Statement, Error> {
    if let Some(opening) = &row.opening {
        return Ok(opening.clone());
    }
    let root = own::phrase(tx)?.ok_or(AccountError::RootOnPaper)?.account();
    let time = head_time(tx, row.network)?.min(now);
    let begun = RootHand::new(&root, row.network, time).begin(&this_device(tx, row)?);
    Ok(begun.map_err(unsaid)?.opening)
}

fn addition(tx: &Transaction<'_>, row: &CardRow, _now: u64) -> Result<Statement, Error> {
    let root = own::phrase(tx)?.ok_or(AccountError::RootOnPaper)?.account();
    let (card, time) = (rows::folded(tx, row)?, head_time(tx, row.network)?);
    let hand = RootHand::new(&root, row.network, time);
    hand.add(&card, &this_device(tx, row)?).map_err(unsaid)
}

fn packages(tx: &Transaction<'_>, row: &CardRow, now: u64) -> Result<Statement, Error> {
    let (key, _) = store::device(tx)?;
    let (card, time) = (rows::folded(tx, row)?, head_time(tx, row.network)?);
    let after = rows::offered(tx, row.channel)?.last().map_or(0, |last| last.number);
    let bytes = groups::offer(tx, row.network, now)?;
    let package = Package::new(bytes.clone()).ok_or(StoreError::Damaged)?;
    let statement = DeviceHand::new(&key, row.network, time)
        .publish(&card, after, vec![package])
        .map_err(unsaid)?;
    let offered = Offered {
        number: statement.number(),
        made: now,
        replaced: None,
        used: None,
        bytes,
    };
    rows::offer(tx, row.channel, &offered)?;
    rows::replace_elsewhere(tx, row, now)?;
    Ok(statement)
}

/// Puts a statement on its way.
pub(super) fn post(tx: &Transaction<'_>, row: &CardRow, statement: &Statement, now: u64) -> Result<(), Error> {
    let seed = row.seed.as_ref().ok_or(AccountError::CardUnwritable)?;
    let channel = channels::load(tx, row.channel)?.ok_or(StoreError::Damaged)?;
    let keys = HashKeys::new(row.network);
    let sealed = address::seal(&keys, &seed.keys(row.network), statement, &mut chance::fill)?;
    let message = messages::queue_posted(tx, row.channel, store::device(tx)?.0.id(), now)?;
    outbox::insert(tx, message, row.channel, &sealed)?;
    Ok(deliver::sign_at_once(tx, &keys, &channel, message, &sealed, now)?)
}

/// Inside of what reads a log only the store can fail; all else waits for the next look.
fn stored(error: Error) -> StoreError {
    match error {
        Error::Store(error) => error,
        other => {
            tracing::error!("a card was read and could not be acted upon: {other}");
            StoreError::Damaged
        }
    }
}

#[cfg(test)]
mod tests;
