//! Entries of inboxes, in certified order: of this home's, and of somebody else's in which it looks for the opening.

use waxwing_core::HashKeys;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::Body;
use waxwing_seal::inbox::{Event, Inbox, Opened, PersonLink, WholeWelcome};

use super::{admit, ask, invited, known, siblings};
use crate::account::linking;
use crate::groups::open::Read;
use crate::open::{Checked, append};
use crate::store::channels::{Channel, ChannelKind};
use crate::store::inboxes::{self, AskedState};
use crate::store::messages::{Outcome, Proved};
use crate::store::{self, StoreError, Transaction, channels, known as rows, messages, outbox};

/// Reads and stores a piece of an inbox's log.
pub(crate) fn store(
    tx: &mut Transaction<'_>,
    keys: &HashKeys,
    channel: &Channel,
    entries: Vec<Checked>,
    now: u64,
) -> Result<Read, StoreError> {
    let own = store::device(tx)?.0.id();
    let mut state = channel.state.clone();
    let (mut read, mut newest) = (Read::Whole, 0);
    for entry in entries {
        newest = entry.place.time;
        let Some(outcome) = step(tx, channel, state.length(), &entry, now)? else {
            channels::set_state(tx, channel.id, &state)?;
            return Ok(Read::ToMissing);
        };
        if matches!(outcome, Outcome::Posted) {
            read = Read::WithMore;
        }
        let index = state.length();
        append(keys, &mut state, &entry);
        let proved = Proved {
            index,
            entry: entry.entry,
            root: state.leaf(keys).root,
            place: entry.place,
            signed: entry.signed.clone(),
        };
        messages::store_posted(tx, channel.id, &proved, &outcome, own)?;
    }
    channels::set_state(tx, channel.id, &state)?;
    rest(tx, channel, newest)?;
    Ok(read)
}

/// What one entry leads to; `None` if its body has to be here first.
fn step(
    tx: &mut Transaction<'_>,
    channel: &Channel,
    index: u64,
    entry: &Checked,
    now: u64,
) -> Result<Option<Outcome>, StoreError> {
    match channel.kind {
        ChannelKind::Inbox => own(tx, channel, index, entry, now),
        _ => others(tx, channel, entry, now),
    }
}

fn own(
    tx: &mut Transaction<'_>,
    channel: &Channel,
    index: u64,
    entry: &Checked,
    now: u64,
) -> Result<Option<Outcome>, StoreError> {
    let mut inbox = Inbox::from_bytes(&channels::engine(tx, channel.id)?)?;
    let header = &entry.signed.header;
    let body = match &entry.body {
        Body::Present(body) => body,
        // A node that says without reason that it has expired keeps it back too.
        Body::Withheld | Body::Expired if inbox.wants(entry.place.time, header) && !entry.is_excused() => {
            return Ok(None);
        }
        absent => return Ok(Some(passed_over(absent))),
    };
    let event = inbox.apply(index, entry.place.time, header, body);
    channels::set_engine(tx, channel.id, &inbox.to_bytes())?;
    match event {
        Ok(event) => {
            happened(tx, channel, event, entry.place.time, now)?;
            Ok(Some(Outcome::Posted))
        }
        Err(void) => Ok(Some(Outcome::Unopened(void.to_string()))),
    }
}

fn happened(tx: &mut Transaction<'_>, channel: &Channel, event: Event, time: u64, now: u64) -> Result<(), StoreError> {
    match event {
        Event::Request(taken) => admit::requested(tx, channel, &taken, time, now),
        Event::Welcome(whole) => welcomed(tx, channel, &whole, (time, now)),
        Event::Declined(reason) => ask::declined(tx, channel, reason, now),
        Event::OpenedByAnother => channels::set_live(tx, channel.id, false),
        Event::Greeting(greeting, to) => known::greeted(tx, channel, (&greeting, &to), now),
        Event::Opened | Event::Part { .. } => Ok(()),
        event @ (Event::Offer(_) | Event::Accepted(_) | Event::HandOver(_)) => {
            linking::happened(tx, channel, event, now)
        }
    }
}

/// A welcome is whole: the answer to a request, a word of another own device, or an invitation of a contact.
fn welcomed(
    tx: &mut Transaction<'_>,
    channel: &Channel,
    whole: &WholeWelcome,
    (time, now): (u64, u64),
) -> Result<(), StoreError> {
    match inboxes::answered_in(tx, channel.id)? {
        Some(asked) if asked.state == AskedState::Asked => ask::welcomed(tx, channel, &asked, whole, now),
        _ if rows::is_own_inbox(tx, channel.id)? => siblings::welcomed(tx, channel, whole, now),
        _ => invited::welcomed(tx, channel, whole, (time, now)),
    }
}

/// Somebody else's inbox: the opening is looked for, then this device asks.
fn others(
    tx: &mut Transaction<'_>,
    channel: &Channel,
    entry: &Checked,
    now: u64,
) -> Result<Option<Outcome>, StoreError> {
    let asking = inboxes::asked_at(tx, channel.id)?.and_then(|asked| Some((asked.link.clone()?, asked)));
    let Some((link, asked)) = asking else {
        return linking::others(tx, channel, entry, now);
    };
    let door = PersonLink::from_link(&link).map_err(|_| StoreError::Damaged)?.door();
    let header = &entry.signed.header;
    let body = match &entry.body {
        Body::Present(body) => body,
        _ if door.may_open(header) => return Ok(None),
        absent => return Ok(Some(passed_over(absent))),
    };
    match door.read(entry.place.time, header, body) {
        Ok(Opened::Person(open)) => {
            ask::ask(tx, channel, &asked, &open, now)?;
            Ok(Some(Outcome::Posted))
        }
        Ok(Opened::Device(_)) => Ok(Some(Outcome::Posted)),
        Err(void) => Ok(Some(Outcome::Unopened(void.to_string()))),
    }
}

fn passed_over(absent: &Body) -> Outcome {
    match absent {
        Body::Erased(_) => Outcome::Erased,
        Body::Expired => Outcome::Expired,
        Body::Present(_) | Body::Withheld => {
            Outcome::Unopened("it can be nothing that is expected here: its body was not fetched".to_owned())
        }
    }
}

/// Logs of which nothing is expected any more are not followed. By the time of what was read: what was posted before the end
/// may still be to read when this device's clock is past it.
fn rest(tx: &Transaction<'_>, channel: &Channel, time: u64) -> Result<(), StoreError> {
    let is_over = match channel.kind {
        ChannelKind::Inbox => Inbox::from_bytes(&channels::engine(tx, channel.id)?)?.is_over(time),
        _ => {
            let is_asking = inboxes::asked_at(tx, channel.id)?.is_some_and(|asked| asked.link.is_some());
            !is_asking && !linking::is_looking(tx, channel)? && outbox::of_channel(tx, channel.id)?.is_empty()
        }
    };
    if is_over {
        channels::set_live(tx, channel.id, false)
    } else {
        Ok(())
    }
}
