//! Handing messages on their way to nodes, until the synced log shows them.
//!
//! [`crate::outbox`] says what is due; here it is done, in the order that survives a crash at any point:
//!
//! ```text
//! sealed body durable ──> envelope signed ──> durable ──> submitted ──> promise durable ──> ... the log shows it:
//! final
//! ```
//!
//! An envelope that nobody has stored must not be seen by anybody: after a crash another one would be signed, perhaps
//! under another anchor, and both could be ordered.

mod signing;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::codec::Decode;
use waxwing_core::envelope::Envelope;
use waxwing_core::keys::NodeId;
use waxwing_core::receipt::Acknowledgement;
use waxwing_net::wire::{Admission, EnvelopeRefusal, Refusal};

use crate::account::cards;
use crate::clock::ticks;
use crate::core::{Core, blocking};
use crate::error::{Error, Trouble};
use crate::groups;
use crate::history;
use crate::inbox;
use crate::limits::{ATTEMPT_WAIT_MS_MAX, NODES_COMPARED_MAX};
use crate::message::{ChannelId, MessageId};
use crate::nodes::Fault;
use crate::outbox::{self, Known, Sent, Step, Wait};
use crate::peer::Peer;
use crate::store::messages::State;
use crate::store::outbox::{Item, Signing, Stored};
use crate::store::{StoreError, Transaction, channels, messages, networks, outbox as rows, past, wanted};
use crate::sync::Reading;
use crate::trust;

pub(crate) use signing::{sign_at_once, sign_envelope, signed_at_once};

/// Messages looked at, and submitted, at once.
const ITEMS_AT_ONCE: u32 = 32;

/// Bytes of one submission; a request takes a megabyte.
const SUBMISSION_BYTES: usize = 900 << 10;

/// Whether there is more to do at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    Yes,
    No,
}

/// Does whatever is due for the messages of one ledger. Most of the time it is called because something was queued, and all
/// else is as it was: that is seen in one look.
pub(crate) async fn deliver(reading: &Reading<'_>) -> Result<(), Trouble> {
    let (network, now) = (reading.network, reading.core.clock.now());
    let (is_more_due, mut waiting) = reading
        .core
        .read::<_, StoreError>(move |tx| Ok((is_more_due(tx, network, now)?, rows::ids(tx)?)))
        .await?;
    if is_more_due {
        groups::change::propose_due(reading).await?;
        history::hand_over_due(reading).await?;
        cards::speak_due(reading).await?;
        inbox::chores::do_due(reading).await?;
        waiting = reading.core.read(|tx| rows::ids(tx)).await?;
    }
    reading.core.attempts.keep_only(&waiting);
    if waiting.is_empty() {
        return Ok(());
    }
    // Each round may find that a node refused, and turn to the next.
    for _ in 0..NODES_COMPARED_MAX {
        if round(reading).await? == Again::No {
            break;
        }
    }
    Ok(())
}

/// Whether anything is due that puts messages on their way, or goes along with them.
fn is_more_due(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<bool, StoreError> {
    Ok(!wanted::channels(tx, now)?.is_empty()
        || !past::due(tx, now)?.is_empty()
        || cards::is_due(tx, network, now)?
        || inbox::chores::is_due(tx, network, now)?)
}

async fn round(reading: &Reading<'_>) -> Result<Again, Trouble> {
    let network = reading.network;
    let mut after = MessageId(0);
    let mut again = Again::No;
    loop {
        let items = reading
            .core
            .read(move |tx| items_with_steps(tx, network, after))
            .await?;
        let Some((last, _)) = items.last() else {
            return Ok(again);
        };
        after = last.message;
        let mut ready = Vec::new();
        for (item, step) in items {
            ready.extend(prepare(reading, item, step).await?);
        }
        if hand_on(reading, in_order(ready, reading.peer.node())).await? == Again::Yes {
            again = Again::Yes;
        }
    }
}

/// A message with an envelope that is durable and may be shown.
#[derive(Clone)]
struct Due {
    item: Item,
    envelope: Envelope,
    entry: Hash,
    /// Nodes that have had it.
    had: Vec<NodeId>,
    /// Its own time has come.
    is_due: bool,
    /// A later one of its channel is given to this node for the first time.
    precedes: bool,
    counts: Counts,
}

/// Whether a submission is an attempt for the message itself. One that only goes before a later one is none: whoever writes
/// on and on would put off the time at which a further node is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Counts {
    Yes,
    No,
}

impl Due {
    fn counting(self, counts: Counts) -> Self {
        Self { counts, ..self }
    }
}

/// What is to be handed on: whatever is due, and before what this node is given for the first time everything that was
/// said earlier in the same channel. Even what the node has had: since then it may have been started anew, or have
/// passed it on to one that was, and pools are only memory. What still waits there is recognised, and what was lost is not
/// overtaken.
fn in_order(mut ready: Vec<Due>, node: NodeId) -> Vec<Due> {
    let new = ready.iter().filter(|one| one.is_due && !one.had.contains(&node));
    let newest: BTreeMap<ChannelId, MessageId> = new.map(|one| (one.item.channel, one.item.message)).collect();
    for one in &mut ready {
        let newest = newest.get(&one.item.channel);
        one.precedes = newest.is_some_and(|newest| one.item.message < *newest);
    }
    ready.retain(|one| one.is_due || one.precedes);
    ready
}

/// The next messages that are not final, each with what is to be done.
fn items_with_steps(tx: &Transaction<'_>, network: Hash, after: MessageId) -> Result<Vec<(Item, Step)>, StoreError> {
    let held = networks::load(tx, network)?.ok_or(StoreError::Damaged)?.held;
    let mut known = BTreeMap::new();
    let mut items = Vec::new();
    for item in rows::items(tx, network, after, ITEMS_AT_ONCE)? {
        let known = match known.entry(item.channel) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let channel = channels::load(tx, item.channel)?.ok_or(StoreError::Damaged)?;
                place.insert(Known::of(&channel))
            }
        };
        let step = next(item.signing.as_ref(), &held.header, known);
        items.push((item, step));
    }
    Ok(items)
}

fn next(signing: Option<&Signing>, held: &BlockHeader, known: &Known) -> Step {
    let signing = signing.map(|signing| (&signing.signed.header.anchor, signing.anchor_time));
    outbox::next(signing, held, known)
}

/// Brings one message to the point where its envelope can be submitted; `None` if it has none yet.
async fn prepare(reading: &Reading<'_>, item: Item, step: Step) -> Result<Option<Due>, Trouble> {
    let signing = match step {
        Step::Submit => item.signing.clone(),
        Step::Sign | Step::SignAgain => sign(reading, &item).await?,
        Step::ProveAbsence => {
            reading.read_log(item.channel).await?;
            let message = item.message;
            let still = reading.core.read(move |tx| rows::load(tx, message)).await?;
            match still {
                Some(item) if step_for(reading, &item).await? == Some(Step::SignAgain) => sign(reading, &item).await?,
                // Final after all, or the head is still too early.
                _ => None,
            }
        }
    };
    let Some(signing) = signing else { return Ok(None) };
    let (is_due, had) = reading.core.attempts.of(item.message, signing.entry, ticks());
    Ok(Some(Due {
        envelope: Envelope {
            signed: signing.signed,
            body: item.sealed.body.clone(),
        },
        entry: signing.entry,
        item,
        had,
        is_due,
        precedes: false,
        counts: Counts::Yes,
    }))
}

/// What is to be done; nothing if the conversation was forgotten meanwhile.
async fn step_for(reading: &Reading<'_>, item: &Item) -> Result<Option<Step>, Trouble> {
    let (network, channel) = (reading.network, item.channel);
    let signing = item.signing.clone();
    let step = reading
        .core
        .read::<_, StoreError>(move |tx| step_in(tx, network, channel, signing.as_ref()))
        .await?;
    Ok(step)
}

fn step_in(
    tx: &Transaction<'_>,
    network: Hash,
    channel: ChannelId,
    signing: Option<&Signing>,
) -> Result<Option<Step>, StoreError> {
    let held = networks::load(tx, network)?.ok_or(StoreError::Damaged)?.held;
    let Some(channel) = channels::load(tx, channel)? else {
        return Ok(None);
    };
    Ok(Some(next(signing, &held.header, &Known::of(&channel))))
}

/// Signs an envelope over the sealed body, for the first time or in place of one that is provably dead, and stores it.
/// If another process was faster, its envelope; `None` if the message is final.
async fn sign(reading: &Reading<'_>, item: &Item) -> Result<Option<Signing>, Trouble> {
    let (network, message) = (reading.network, item.message);
    let anchor = trust::anchor(reading.core, network, reading.peer).await?;
    let row = trust::load(reading.core, network).await?;
    if row.held.header.parameters != row.genesis.parameters.hash(reading.keys) {
        return Err(Error::NeedsUpdate.into());
    }
    let channel_id = item.channel;
    let channel = reading.core.read(move |tx| channels::load(tx, channel_id)).await?;
    let Some(channel) = channel else { return Ok(None) };
    let (keys, sealed, genesis) = (reading.keys.clone(), item.sealed.clone(), row.genesis);
    let signing = blocking(move || sign_envelope(&keys, &genesis, &channel, &sealed, &anchor)).await;
    // The epoch has ended meanwhile: the message is sealed for the next, and looked at again.
    let Some(signing) = signing else { return Ok(None) };
    let replaces = item.signing.clone();
    let stored = reading
        .core
        .write::<_, StoreError>(move |tx| {
            // Looked at again where nothing can change any more: two envelopes over one body must never both live.
            let step = step_in(tx, network, channel_id, replaces.as_ref())?;
            let entry = replaces.map(|signing| signing.entry);
            let may_sign = matches!(step, Some(Step::Sign | Step::SignAgain));
            if may_sign && rows::sign(tx, message, entry, &signing)? == Stored::Yes {
                return Ok(Some(signing));
            }
            // Another process was faster: its envelope goes out, or what was said later would overtake this message.
            Ok(rows::load(tx, message)?.and_then(|item| item.signing))
        })
        .await?;
    Ok(stored)
}

/// Submits what is due: to the node that is used anyway, or, if it had its chance, to a further one.
async fn hand_on(reading: &Reading<'_>, due: Vec<Due>) -> Result<Again, Trouble> {
    let mut here = Vec::new();
    let mut further: BTreeMap<NodeId, (Peer, Vec<Due>)> = BTreeMap::new();
    for due in due {
        if !due.had.contains(&reading.peer.node()) {
            here.push(due.counting(Counts::Yes));
        } else if !due.is_due {
            here.push(due.counting(Counts::No));
        } else if let Some(peer) = further_peer(reading, &due.had).await? {
            if due.precedes {
                here.push(due.clone().counting(Counts::No));
            }
            let (_, theirs) = further.entry(peer.node()).or_insert_with(|| (peer, Vec::new()));
            theirs.push(due);
        } else {
            reading.core.attempts.begin_again(due.item.message);
            here.push(due);
        }
    }
    let mut again = submit_all(reading, here).await?;
    for (node, (peer, due)) in further {
        let other = Reading {
            peer: &peer,
            ..*reading
        };
        match submit_all(&other, due).await {
            Ok(Again::Yes) => again = Again::Yes,
            Ok(Again::No) => {}
            Err(Trouble::Node(fault)) => {
                reading.core.blame(reading.network, node, &fault).await?;
                again = Again::Yes;
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(again)
}

/// The next node that has not had a message; those that cannot be reached count as asked.
async fn further_peer(reading: &Reading<'_>, had: &[NodeId]) -> Result<Option<Peer>, StoreError> {
    for node in reading.core.nodes(reading.network).await? {
        if had.contains(&node.address.id()) {
            continue;
        }
        match reading.core.peer(reading.network, &node.address).await {
            Ok(peer) => return Ok(Some(peer)),
            Err(fault) => reading.core.blame(reading.network, node.address.id(), &fault).await?,
        }
    }
    Ok(None)
}

async fn submit_all(reading: &Reading<'_>, due: Vec<Due>) -> Result<Again, Trouble> {
    let mut again = Again::No;
    let mut due = due.into_iter().peekable();
    while due.peek().is_some() {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(next) =
            due.next_if(|next| batch.is_empty() || bytes + next.envelope.body.len() < SUBMISSION_BYTES)
        {
            bytes += next.envelope.body.len() + 512;
            batch.push(next);
        }
        if submit(reading, batch).await? == Again::Yes {
            again = Again::Yes;
        }
    }
    Ok(again)
}

async fn submit(reading: &Reading<'_>, batch: Vec<Due>) -> Result<Again, Trouble> {
    let envelopes: Vec<Envelope> = batch.iter().map(|due| due.envelope.clone()).collect();
    let node = reading.peer.node();
    let note = |due: &Due, wait| {
        if due.counts == Counts::No {
            return;
        }
        let sent = Sent {
            network: reading.network,
            message: due.item.message,
            entry: due.entry,
        };
        reading.core.attempts.submitted(&sent, node, wait, ticks());
    };
    let admissions = match reading.peer.submit(&envelopes).await {
        Ok(admissions) => admissions,
        Err(fault) => {
            // Nobody knows whether it arrived: the same bytes go to a further node.
            batch.iter().for_each(|due| note(due, Wait::For(Duration::ZERO)));
            let refusals: Vec<_> = batch.iter().map(|due| (due, fault.to_string())).collect();
            if matches!(fault, Fault::Refused(Refusal::NotAllowed)) {
                refused(reading, refusals).await?;
                return Ok(Again::Yes);
            }
            return Err(fault.into());
        }
    };
    // One synced write for all of them; for those before a fault as well.
    let mut promises = Vec::new();
    let judged = judge_all(reading, &batch, admissions, &mut promises, note).await;
    if !promises.is_empty() {
        let now = reading.core.clock.now();
        let noted = reading.core.write::<_, StoreError>(move |tx| {
            let mut promises = promises.iter();
            promises.try_for_each(|(message, promise)| rows::acknowledged(tx, *message, promise, now))
        });
        noted.await?;
    }
    judged
}

/// What the answers to a submission mean; promises are collected.
async fn judge_all(
    reading: &Reading<'_>,
    batch: &[Due],
    admissions: Vec<Admission>,
    promises: &mut Vec<(MessageId, Acknowledgement)>,
    note: impl Fn(&Due, Wait),
) -> Result<Again, Trouble> {
    let mut again = Again::No;
    for (due, admission) in batch.iter().zip(admissions) {
        let wait = match judge(reading, due, admission).await? {
            Judged::Promised(promise) => {
                promises.push((due.item.message, *promise));
                Wait::ForInclusion(reading.core.pace.inclusion)
            }
            Judged::Patience => Wait::ForInclusion(reading.core.pace.inclusion),
            Judged::Wait(ms) => Wait::For(Duration::from_millis(ms)),
            Judged::Refused(refusal) => {
                let all_refused = refused(reading, vec![(due, refusal.to_string())]).await?;
                if all_refused {
                    Wait::For(Duration::from_millis(ATTEMPT_WAIT_MS_MAX))
                } else {
                    again = Again::Yes;
                    Wait::For(Duration::ZERO)
                }
            }
        };
        note(due, wait);
    }
    Ok(again)
}

/// What an answer to an envelope means here.
enum Judged {
    /// A node promised to include it.
    Promised(Box<Acknowledgement>),
    /// It should be included soon, or nothing can be said.
    Patience,
    Wait(u64),
    Refused(EnvelopeRefusal),
}

async fn judge(reading: &Reading<'_>, due: &Due, admission: Admission) -> Result<Judged, Trouble> {
    match admission {
        Admission::Acknowledged(promise) | Admission::Waiting(promise) => {
            let promise = Acknowledgement::from_bytes(&promise).map_err(Fault::Garbled)?;
            // Not always the node that was asked: one that does not order hands back the word of the one that does.
            if promise.entry != due.entry || promise.verify(reading.network).is_err() {
                return Err(Fault::Acknowledgement.into());
            }
            Ok(Judged::Promised(Box::new(promise)))
        }
        Admission::Final { height, .. } => {
            prove_final(reading, due, height).await?;
            Ok(Judged::Patience)
        }
        // A promise was asked for.
        Admission::Taken => Err(Fault::WrongAnswer.into()),
        Admission::Refused(refusal) => {
            let lives_on = matches!(
                refusal,
                EnvelopeRefusal::ExpiredAnchor { .. } | EnvelopeRefusal::UnknownAnchor { .. }
            );
            Ok(match refusal.retry_after_ms() {
                Some(ms) => Judged::Wait(ms),
                // A node's word that an anchor is dead moves nothing; it may also be behind. The next head will tell.
                None if lives_on => Judged::Patience,
                None => Judged::Refused(refusal),
            })
        }
    }
}

/// A node says that a message is final. Believed when the log shows it, and a lie when a head at that height does not.
async fn prove_final(reading: &Reading<'_>, due: &Due, height: u64) -> Result<(), Trouble> {
    reading.read_log(due.item.channel).await?;
    let (message, channel) = (due.item.message, due.item.channel);
    let (still, channel) = reading
        .core
        .read::<_, StoreError>(move |tx| Ok((rows::load(tx, message)?, channels::load(tx, channel)?)))
        .await?;
    let proven = channel.and_then(|channel| channel.proven.filter(|_| channel.is_read()));
    if still.is_some() && proven.is_some_and(|proven| proven.height >= height) {
        return Err(Fault::FalseFinal.into());
    }
    Ok(())
}

/// Notes refusals. If every known node has refused a message, it failed, and it is said whether that is so.
async fn refused(reading: &Reading<'_>, refusals: Vec<(&Due, String)>) -> Result<bool, StoreError> {
    let (node, now, network) = (reading.peer.node(), reading.core.clock.now(), reading.network);
    let refusals: Vec<_> = refusals
        .into_iter()
        .map(|(due, reason)| (due.item.message, due.entry, reason))
        .collect();
    reading
        .core
        .write::<_, StoreError>(move |tx| {
            let nodes = networks::nodes(tx, network)?;
            let mut all = true;
            for (message, entry, reason) in refusals {
                rows::refused(tx, message, entry, node, &reason, now)?;
                let said = rows::submissions(tx, message)?;
                let refuses = |node: NodeId| {
                    said.iter()
                        .any(|said| said.node == node && said.entry == entry && said.refusal.is_some())
                };
                if nodes.iter().all(|node| refuses(node.address.id())) {
                    let reason =
                        format!("no node takes it ({reason}): add another node, it is tried again from time to time");
                    messages::set_state(tx, message, State::Failed, Some(&reason))?;
                } else {
                    all = false;
                }
            }
            Ok(all)
        })
        .await
}

/// Reveals the secrets of own messages that are to be erased.
pub(crate) async fn reveal(reading: &Reading<'_>) -> Result<(), Trouble> {
    let network = reading.network;
    for reveal in reading.core.read(move |tx| rows::reveals(tx, network)).await? {
        match reading.peer.reveal(reveal.log, reveal.index, reveal.secret).await {
            Ok(()) => {
                let message = reveal.message;
                reading.core.write(move |tx| rows::revealed(tx, message)).await?;
            }
            // A node that is behind does not know the entry yet; the next one may.
            Err(Fault::Refused(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(())
}

/// Everything a person may want to hurry: the message is due now, whatever was tried.
pub(crate) fn hurry(core: &Core, message: MessageId) {
    core.attempts.hurry(message, ticks());
    core.outbox_changed();
}
