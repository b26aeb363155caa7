//! From a proven entry to a message: opened in certified order, each in a savepoint of its own.
//!
//! What does not open becomes a visible tombstone with its reason, and the reading goes on: whoever may write to a
//! channel could else stop it with one odd entry. The state of layer 3, the rows and the cursor change in one
//! transaction.

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Body, Carried, SignedHeader};
use waxwing_core::log::{LogState, Place, log_leaf, log_tree};
use waxwing_core::{Hash, HashKeys};
use waxwing_seal::{DeviceKey, Sealer, StandIn};

use crate::account::cards;
use crate::groups;
use crate::groups::open::Read;
use crate::inbox;
use crate::message::ChannelId;
use crate::store::channels::{Channel, ChannelKind};
use crate::store::messages::{Outcome, Proved, State};
use crate::store::{self, StoreError, Transaction, channels, messages, outbox};
use crate::sync::Waiting;

/// Entries whose bodies are asked for again at once.
const WITHHELD_AT_ONCE: u32 = 16;

/// An entry whose place is proven and whose body, if it is here, is the one it commits to.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) place: Place,
    pub(crate) signed: SignedHeader,
    pub(crate) entry: Hash,
    pub(crate) body: Body,
    /// Whether the key that is the log signed it. A certified entry without that means that a quorum broke the rules.
    is_signed: bool,
    is_excused: bool,
    /// Whether the body was left where it is, because it can lead to nothing.
    is_passed_over: bool,
}

impl Checked {
    /// Looks at the log's signature, and at the excuse of an absent body from header time `head_time`.
    pub(crate) fn new(keys: &HashKeys, place: Place, carried: Carried, head_time: u64) -> Self {
        let Carried { signed, body } = carried;
        let is_excused = body.is_excused(&signed.header, place.time, head_time);
        Self {
            place,
            entry: signed.entry_id(keys),
            is_signed: signed.clone().verify_signature(keys).is_ok(),
            is_excused,
            is_passed_over: false,
            signed,
            body,
        }
    }

    /// Takes a body, or an excuse, that was found elsewhere and belongs to this entry. An excuse that does not hold
    /// changes nothing.
    pub(crate) fn fill(&mut self, body: Body, head_time: u64) {
        if body.is_excused(&self.signed.header, self.place.time, head_time) {
            self.body = body;
            self.is_excused = true;
        }
    }

    /// Its body can lead to nothing: nobody is asked for it.
    pub(crate) const fn pass_over(&mut self) {
        self.is_passed_over = true;
    }

    /// Whether its body is here, or need not be.
    pub(crate) const fn is_excused(&self) -> bool {
        self.is_excused
    }

    /// Whether the log's key has signed it.
    pub(crate) const fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Whether nothing more is to be asked of others.
    pub(crate) const fn is_settled(&self) -> bool {
        self.is_excused || self.is_passed_over
    }
}

/// Opens and stores a piece of what has a log, right behind what was read of it.
pub(crate) fn store(
    tx: &mut Transaction<'_>,
    keys: &HashKeys,
    channel: &Channel,
    entries: Vec<Checked>,
    now: u64,
) -> Result<Read, StoreError> {
    match channel.kind {
        ChannelKind::Link => {
            store_link(tx, keys, channel, entries)?;
            Ok(Read::Whole)
        }
        ChannelKind::Group => groups::open::store(tx, keys, channel, entries, now),
        ChannelKind::Inbox | ChannelKind::Post => inbox::open::store(tx, keys, channel, entries, now),
        ChannelKind::Card => cards::store(tx, keys, channel, entries, now),
        // It is not followed.
        ChannelKind::Archive => Ok(Read::Whole),
    }
}

/// Opens and stores a piece of the log of a channel that everybody with its link is in.
fn store_link(
    tx: &mut Transaction<'_>,
    keys: &HashKeys,
    channel: &Channel,
    entries: Vec<Checked>,
) -> Result<(), StoreError> {
    let (device, _) = store::device(tx)?;
    let mut sealer = sealer(tx, keys, channel, device)?;
    let mut state = channel.state.clone();
    for entry in entries {
        let index = state.length();
        append(keys, &mut state, &entry);
        let proved = Proved {
            index,
            entry: entry.entry,
            root: state.leaf(keys).root,
            place: entry.place,
            signed: entry.signed.clone(),
        };
        let outcome = in_savepoint(tx, &mut sealer, &entry)?;
        let own = sealer.device();
        messages::store_entry(tx, channel.id, &proved, &outcome, own)?;
        if let Outcome::Unopened(reason) = &outcome {
            give_up_own(tx, entry.entry, reason)?;
        }
    }
    channels::set_engine(tx, channel.id, &sealer.engine().to_bytes())?;
    channels::set_state(tx, channel.id, &state)
}

/// Puts an entry behind what was read of a log.
pub(crate) fn append(keys: &HashKeys, state: &mut LogState, entry: &Checked) {
    state
        .frontier
        .append(&log_tree(keys), log_leaf(keys, &entry.entry, &entry.place));
    state.last_height = entry.place.height;
}

/// A sealer for a channel, with the layer 3 state of this transaction.
pub(crate) fn sealer(
    tx: &Transaction<'_>,
    keys: &HashKeys,
    channel: &Channel,
    device: DeviceKey,
) -> Result<Sealer<StandIn>, StoreError> {
    let epoch = channel.secret.epoch_keys(channel.network, 0);
    let engine = StandIn::from_bytes(&channels::engine(tx, channel.id)?)?;
    Ok(Sealer::new(keys.clone(), epoch, device, engine))
}

/// Opens one entry. If it does not open, everything is as before, the state of layer 3 too.
fn in_savepoint(
    tx: &mut Transaction<'_>,
    sealer: &mut Sealer<StandIn>,
    entry: &Checked,
) -> Result<Outcome, StoreError> {
    if !entry.is_signed {
        return Ok(Outcome::Unopened(
            "the log's key never signed it: the validators let it in against the rules".to_owned(),
        ));
    }
    let body = match &entry.body {
        Body::Present(body) => body,
        Body::Erased(_) => return Ok(Outcome::Erased),
        Body::Expired if entry.is_excused => return Ok(Outcome::Expired),
        Body::Expired | Body::Withheld => return Ok(Outcome::Withheld),
    };
    let before = sealer.engine().clone();
    // A failed opening leaves nothing of itself behind.
    let savepoint = tx.savepoint()?;
    match sealer.open(&entry.signed.header, body) {
        Ok(opened) => {
            savepoint.commit()?;
            Ok(Outcome::Opened(Box::new(opened.into())))
        }
        Err(error) => {
            drop(savepoint);
            sealer.restore(before);
            Ok(Outcome::Unopened(error.to_string()))
        }
    }
}

/// An own envelope is in the ledger and does not open, for nobody: the message failed, and must not be sent again as
/// it is.
pub(crate) fn give_up_own(tx: &Transaction<'_>, entry: Hash, reason: &str) -> Result<(), StoreError> {
    let Some(message) = outbox::signed_as(tx, entry)? else {
        return Ok(());
    };
    let reason = format!("it was ordered, and nobody can open it ({reason}): write it again");
    messages::set_state(tx, message, State::Failed, Some(&reason))?;
    outbox::remove(tx, message)
}

/// Own bodies that are still in the outbox: no node is needed for them.
pub(crate) fn own_bodies(
    tx: &Transaction<'_>,
    channel: ChannelId,
    wanted: &[(u64, Hash)],
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    for (index, body_hash) in wanted {
        if let Some(body) = outbox::with_body(tx, channel, *body_hash)? {
            found.push((*index, body));
        }
    }
    Ok(found)
}

/// Entries of a channel whose bodies nobody gave so far.
pub(crate) fn withheld(
    tx: &Transaction<'_>,
    channel: ChannelId,
) -> Result<(Option<Channel>, Vec<Waiting>), StoreError> {
    let Some(channel) = channels::load(tx, channel)? else {
        return Ok((None, Vec::new()));
    };
    // What was passed over elsewhere is passed over for good.
    if !matches!(channel.kind, ChannelKind::Link | ChannelKind::Group) {
        return Ok((Some(channel), Vec::new()));
    }
    let rows = messages::withheld(tx, channel.id, WITHHELD_AT_ONCE)?;
    let index = |number: u64| number.checked_sub(channel.base);
    // What stands on the log of an epoch that is over would not open any more.
    let waiting = rows
        .into_iter()
        .filter_map(|row| Some((index(row.log_index?)?, row.signed?, row.place?)))
        .collect();
    Ok((Some(channel), waiting))
}

/// Stores the body of an entry that was withheld so far.
pub(crate) fn settle(
    tx: &mut Transaction<'_>,
    keys: &HashKeys,
    channel: ChannelId,
    index: u64,
    entry: Checked,
    now: u64,
) -> Result<(), StoreError> {
    // Another process may have forgotten the conversation meanwhile.
    let Some(channel) = channels::load(tx, channel)? else {
        return Ok(());
    };
    let number = channel.base.saturating_add(index);
    let row = messages::at(tx, channel.id, number)?.ok_or(StoreError::Damaged)?;
    // The epoch may have ended meanwhile.
    let is_this = row.entry == Some(entry.entry);
    if !is_this || row.body != messages::BodyState::Withheld {
        return Ok(());
    }
    let (device, _) = store::device(tx)?;
    let own = device.id();
    let outcome = match channel.kind {
        ChannelKind::Link => {
            let mut sealer = sealer(tx, keys, &channel, device)?;
            let outcome = in_savepoint(tx, &mut sealer, &entry)?;
            channels::set_engine(tx, channel.id, &sealer.engine().to_bytes())?;
            outcome
        }
        ChannelKind::Group => groups::open::settle(tx, &channel, &entry, now)?,
        // What was passed over there is passed over for good.
        ChannelKind::Inbox | ChannelKind::Post | ChannelKind::Card | ChannelKind::Archive => return Ok(()),
    };
    messages::settle_body(tx, channel.id, row.id, number, &outcome, own)
}
