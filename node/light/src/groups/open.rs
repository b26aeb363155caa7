//! From the entries of a group's log to messages and changes, in certified order, each in a savepoint of its own.
//!
//! ```text
//! entry ─> Group::process ─┬─ message, own message ──> a row, as on every log
//!                          ├─ wish to leave ─────────> a row, and somebody has to make it true: wanted
//!                          ├─ commit ────────────────> a row; the epoch's log ends here, the next one begins
//!                          └─ void ──────────────────> rolled back; a tombstone with its reason
//! ```
//!
//! What follows on a log behind the commit that closed it is nothing for anybody, and is not looked at. A body that must stay
//! and that no node gives is waited for, since it may decide who is a member: the reading stops before it.

use waxwing_core::HashKeys;
use waxwing_core::envelope::Body;
use waxwing_core::log::LogState;
use waxwing_seal::group::{Charter, Closed, Entry, Group, Member, Standing, Verdict};
use waxwing_seal::inbox::CommitPlace;
use waxwing_seal::{DeviceId, EpochKeys};

use super::event::Event;
use super::state::{failed, keep, load, put_back};
use super::{change, send};
use crate::history;
use crate::open::{Checked, append, give_up_own};
use crate::store::channels::Channel;
use crate::store::messages::{Changed, Heard, Outcome, Proved};
use crate::store::{self, StoreError, Transaction, channels, epochs, messages, mls};

/// How far a piece of a log was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Read {
    /// To its end.
    Whole,
    /// To its end; and there is more to follow, or something to send.
    WithMore,
    /// To a commit that closed the epoch: there is another log now, or none for this device.
    ToClosing,
    /// To an entry whose body must be here first.
    ToMissing,
}

/// What one entry led to.
enum Step {
    Row(Outcome),
    Closed(Outcome, Box<Closed>),
    Missing,
}

/// Reads and stores a piece of a group's log, right behind what was read of it.
pub(crate) fn store(
    tx: &mut Transaction<'_>,
    keys: &HashKeys,
    channel: &Channel,
    entries: Vec<Checked>,
    now: u64,
) -> Result<Read, StoreError> {
    let own = store::device(tx)?.0.id();
    let mut group = load(tx, channel)?;
    let mut state = channel.state.clone();
    if group.standing() != Standing::Member {
        // A piece that was asked for before this device was out, by a list from before that: it is nothing any more.
        return Ok(Read::Whole);
    }
    if group.keys().map(EpochKeys::log) != Some(channel.log()) {
        // The group's state and the conversation's are not of one epoch: nothing that others write would open.
        tracing::error!("the state of a group is damaged: this device has to be added afresh");
        group.strand();
        strand(tx, channel, &group, &state)?;
        return Ok(Read::ToClosing);
    }
    for entry in entries {
        let before = state.clone();
        append(keys, &mut state, &entry);
        let proved = Proved {
            index: channel.base.saturating_add(before.length()),
            entry: entry.entry,
            root: state.leaf(keys).root,
            place: entry.place,
            signed: entry.signed.clone(),
        };
        match step(tx, channel, &mut group, &entry, (own, now))? {
            Step::Row(outcome) => {
                store_row(tx, channel, &proved, &outcome, own)?;
                if let Outcome::Unopened(reason) = &outcome {
                    give_up_own(tx, entry.entry, reason)?;
                }
            }
            Step::Closed(outcome, closed) => {
                store_row(tx, channel, &proved, &outcome, own)?;
                close(tx, channel, &mut group, &state, (&closed, own), now)?;
                tx.keep_group(channel.id, group)?;
                return Ok(Read::ToClosing);
            }
            Step::Missing => {
                put_back(tx, channel, group)?;
                channels::set_state(tx, channel.id, &before)?;
                return Ok(Read::ToMissing);
            }
        }
        if group.standing() == Standing::Stranded {
            strand(tx, channel, &group, &state)?;
            return Ok(Read::ToClosing);
        }
    }
    put_back(tx, channel, group)?;
    channels::set_state(tx, channel.id, &state)?;
    Ok(Read::Whole)
}

fn store_row(
    tx: &Transaction<'_>,
    channel: &Channel,
    proved: &Proved,
    outcome: &Outcome,
    own: DeviceId,
) -> Result<(), StoreError> {
    messages::store_entry(tx, channel.id, proved, outcome, own)?;
    Ok(())
}

/// The body of an entry that came late, while its epoch goes on.
pub(crate) fn settle(
    tx: &mut Transaction<'_>,
    channel: &Channel,
    entry: &Checked,
    now: u64,
) -> Result<Outcome, StoreError> {
    let own = store::device(tx)?.0.id();
    let mut group = load(tx, channel)?;
    let outcome = match step(tx, channel, &mut group, entry, (own, now))? {
        Step::Row(outcome) => outcome,
        // What closes an epoch stays, and what must stay was never passed over.
        Step::Closed(..) | Step::Missing => return Err(StoreError::Damaged),
    };
    put_back(tx, channel, group)?;
    Ok(outcome)
}

fn step(
    tx: &mut Transaction<'_>,
    channel: &Channel,
    group: &mut Group,
    entry: &Checked,
    (own, now): (DeviceId, u64),
) -> Result<Step, StoreError> {
    if !entry.is_signed() {
        return Ok(Step::Row(Outcome::Unopened(
            "the log's key never signed it: the validators let it in against the rules".to_owned(),
        )));
    }
    let body = match &entry.body {
        Body::Present(body) => body,
        _ if group.must_stay(&entry.signed.header) => return Ok(Step::Missing),
        Body::Erased(_) => return Ok(Step::Row(Outcome::Erased)),
        Body::Expired if entry.is_settled() => return Ok(Step::Row(Outcome::Expired)),
        Body::Expired | Body::Withheld => return Ok(Step::Row(Outcome::Withheld)),
    };
    let told = Entry {
        header: &entry.signed.header,
        body,
        time_ms: entry.place.time,
    };
    let before = (group.charter().clone(), group.leaving());
    let savepoint = tx.savepoint()?;
    let process = || mls::lend(&savepoint, |provider| group.process(provider, &told));
    let verdict = tracing::trace_span!("open").in_scope(process);
    let verdict = verdict.map_err(|error| failed(&error))?;
    if verdict.changed_nothing() {
        drop(savepoint);
        mls::lend(tx, |provider| group.restore(provider)).map_err(|error| failed(&error))?;
    } else {
        savepoint.commit()?;
    }
    outcome(tx, channel, group, verdict, &before, (own, now))
}

fn outcome(
    tx: &Transaction<'_>,
    channel: &Channel,
    group: &Group,
    verdict: Verdict,
    (charter, leaving): &(Charter, Vec<Member>),
    (own, now): (DeviceId, u64),
) -> Result<Step, StoreError> {
    let changed = |by: Member, event| {
        Outcome::Changed(Box::new(Changed {
            device: by.device,
            account: by.account,
            event,
        }))
    };
    Ok(match verdict {
        Verdict::Message { by, content, .. } => Step::Row(Outcome::Opened(Box::new(Heard {
            device: by.device,
            account: Some(by.account),
            counter: None,
            content: *content,
        }))),
        Verdict::Own(inside) => Step::Row(send::own(tx, channel, group, inside, own)?),
        Verdict::Leaving(by) => {
            change::want_removal_of_leaver(tx, channel, by, own, now)?;
            Step::Row(changed(
                by,
                Event {
                    leaving: true,
                    epoch: group.epoch(),
                    ..Event::default()
                },
            ))
        }
        Verdict::Closed(closed) => {
            let event = Event::of(&closed, (charter, leaving), group.epoch());
            // What it is called on this device alone stays, whatever members call it.
            if event.name.is_some() && channel.name == charter.name().as_str() {
                change::take_name(tx, channel, group)?;
            }
            Step::Closed(changed(closed.by, event), closed)
        }
        Verdict::Withdrawn(breach) => {
            change::withdrawn(tx, channel)?;
            Step::Row(Outcome::Unopened(format!(
                "it was a change of this device that was not allowed any more: {breach}"
            )))
        }
        Verdict::Stranded => Step::Row(Outcome::Unopened(
            "it changed the group, and what it says to this device alone does not open: ask a member to add you afresh"
                .to_owned(),
        )),
        Verdict::Void(void) => Step::Row(Outcome::Unopened(void.to_string())),
    })
}

/// The epoch is over: what was on its way is sealed for the next, and what this device wanted is looked at again.
fn close(
    tx: &mut Transaction<'_>,
    channel: &Channel,
    group: &mut Group,
    end: &LogState,
    (closed, own): (&Closed, DeviceId),
    now: u64,
) -> Result<(), StoreError> {
    epochs::close(tx, channel, end, group.keys())?;
    keep(tx, channel, group)?;
    let place = CommitPlace {
        log: end.log,
        index: end.length().saturating_sub(1),
        height: end.last_height,
    };
    change::after_closing(tx, channel, group, (closed, own), place, now)?;
    let number = channel.base.saturating_add(place.index);
    history::after_closing(tx, channel, group, (closed, own), number)?;
    if group.keys().is_none() {
        return send::give_up_all(
            tx,
            channel.id,
            "this device is not in the group any more: it was never sent",
        );
    }
    let next = channels::load(tx, channel.id)?.ok_or(StoreError::Damaged)?;
    send::seal_again(tx, &next, group, now)
}

/// This device cannot follow any more. Its log is left as it is, until it is added afresh.
fn strand(tx: &Transaction<'_>, channel: &Channel, group: &Group, end: &LogState) -> Result<(), StoreError> {
    keep(tx, channel, group)?;
    epochs::close(tx, channel, end, None)?;
    let reason = "this device cannot follow the group any more: ask a member to add it afresh";
    send::give_up_all(tx, channel.id, reason)
}
