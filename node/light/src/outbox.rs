//! Exactly once, without trusting anyone: what to do next for a message that is not final.
//!
//! ```text
//! sealed ──sign under an anchor──> signed ──submit──> ... ──the synced log shows it──> final
//!   ^                                │ not included in time: the same bytes to further nodes
//!   │                                v
//!   └──sign again── absent under a head after the anchor's end, log recomputed
//! ```
//!
//! The body is sealed once and for ever. Only its envelope may be signed again, and only when the one before is
//! *provably dead*: its anchor has expired under a checked head, and the log, recomputed to the root that this head
//! proves, does not hold it. What a node says ("expired", "unknown", "already there") moves nothing here.
//!
//! This file is pure but for [`Attempts`], a memory of what was tried: it looks at what is stored and says what to do.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::envelope::Anchor;
use waxwing_core::keys::NodeId;
use waxwing_core::limits::{ANCHOR_INTERVAL, ANCHOR_VALID_MS};

use crate::limits::ATTEMPT_WAIT_MS_MAX;
use crate::message::MessageId;
use crate::store::channels::{Channel, Proven};

/// What is to be done for a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// It has no envelope: sign one.
    Sign,
    /// Hand the signed bytes to nodes, until the log shows them.
    Submit,
    /// Its anchor has expired under the held head, and the log was not yet checked under such a head: do that.
    ProveAbsence,
    /// It is provably dead: sign the same body under a new anchor.
    SignAgain,
}

/// How far a channel's log is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    /// The head under which the log was last proven.
    pub(crate) proven: Option<Proven>,
    /// Entries that were read and recomputed.
    pub(crate) read: u64,
}

impl Known {
    pub(crate) fn of(channel: &Channel) -> Self {
        Self {
            proven: channel.proven,
            read: channel.state.length(),
        }
    }

    /// Whether everything that the head proves has been read: only then does the log show what is absent.
    fn complete(&self) -> Option<Proven> {
        self.proven.filter(|proven| proven.length == self.read)
    }
}

/// Whether no block after one of this height and time can include an envelope with this anchor.
///
/// The rules keep an anchor valid while it is the newest, so a newer one must exist; after that for a day of header
/// time.
pub(crate) const fn is_expired(anchor: &Anchor, anchor_time: u64, height: u64, time: u64) -> bool {
    let has_newer = height >= anchor.height.saturating_add(ANCHOR_INTERVAL);
    // Strictly later than `time`: a following block's time is at least one more.
    has_newer && time.saturating_add(1).saturating_sub(anchor_time) > ANCHOR_VALID_MS
}

/// The next step for a message that the read part of the log does not show.
pub(crate) fn next(signing: Option<(&Anchor, u64)>, held: &BlockHeader, known: &Known) -> Step {
    let Some((anchor, anchor_time)) = signing else {
        return Step::Sign;
    };
    if let Some(proven) = known.complete()
        && is_expired(anchor, anchor_time, proven.height, proven.time)
    {
        return Step::SignAgain;
    }
    if is_expired(anchor, anchor_time, held.height, held.time) {
        Step::ProveAbsence
    } else {
        Step::Submit
    }
}

/// What this process did for messages on their way, so that each is handed to a further node in its time. Kept in
/// memory: after a restart everything is due again, which costs a submission that nodes recognise.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<MessageId, Attempt>>);

#[derive(Clone, Debug)]
struct Attempt {
    network: Hash,
    /// The envelope that was submitted.
    entry: Hash,
    submissions: u32,
    /// Nodes that have it.
    nodes: Vec<NodeId>,
    due: Instant,
}

impl Attempts {
    fn lock(&self) -> MutexGuard<'_, HashMap<MessageId, Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an envelope is to be handed on now, and which nodes have had it in this round.
    pub(crate) fn of(&self, message: MessageId, entry: Hash, now: Instant) -> (bool, Vec<NodeId>) {
        match self.lock().get(&message) {
            Some(attempt) if attempt.entry == entry => (attempt.due <= now, attempt.nodes.clone()),
            _ => (true, Vec::new()),
        }
    }

    /// Notes that a node was given an envelope, and how long to wait now.
    pub(crate) fn submitted(&self, sent: &Sent, node: NodeId, wait: Wait, now: Instant) {
        let mut attempts = self.lock();
        let attempt = attempts.entry(sent.message).or_insert_with(|| Attempt::new(sent, now));
        if attempt.entry != sent.entry {
            *attempt = Attempt::new(sent, now);
        }
        attempt.submissions = attempt.submissions.saturating_add(1);
        if !attempt.nodes.contains(&node) {
            attempt.nodes.push(node);
        }
        attempt.due = now
            + match wait {
                Wait::ForInclusion(first) => patience(first, attempt.submissions),
                Wait::For(wait) => wait,
            };
    }

    /// Every node has had it: begin again with the first.
    pub(crate) fn begin_again(&self, message: MessageId) {
        if let Some(attempt) = self.lock().get_mut(&message) {
            attempt.nodes.clear();
        }
    }

    /// Everything is due now: a person asked, or a connection is new.
    pub(crate) fn hurry(&self, message: MessageId, now: Instant) {
        if let Some(attempt) = self.lock().get_mut(&message) {
            attempt.due = now;
        }
    }

    /// When the next message of a ledger is due, of those that were attempted.
    pub(crate) fn next_due(&self, network: Hash) -> Option<Instant> {
        let attempts = self.lock();
        let of_network = attempts.values().filter(|attempt| attempt.network == network);
        of_network.map(|attempt| attempt.due).min()
    }

    /// What was due and could not be done is tried again after `wait`.
    pub(crate) fn postpone(&self, network: Hash, now: Instant, wait: Duration) {
        for attempt in self.lock().values_mut() {
            if attempt.network == network && attempt.due <= now {
                attempt.due = now + wait;
            }
        }
    }

    /// Forgets what is not on its way any more; `waiting` ascends.
    pub(crate) fn keep_only(&self, waiting: &[MessageId]) {
        self.lock().retain(|message, _| waiting.binary_search(message).is_ok());
    }
}

/// How long to wait before a message is handed on again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// Until it should have been included; the first time so long, then longer.
    ForInclusion(Duration),
    /// Just so long.
    For(Duration),
}

/// What was handed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) network: Hash,
    pub(crate) message: MessageId,
    pub(crate) entry: Hash,
}

impl Attempt {
    const fn new(sent: &Sent, now: Instant) -> Self {
        Self {
            network: sent.network,
            entry: sent.entry,
            submissions: 0,
            nodes: Vec::new(),
            due: now,
        }
    }
}

/// How long to wait for inclusion after so many submissions before a further node is asked.
fn patience(first: Duration, submissions: u32) -> Duration {
    let factor = 1_u32.checked_shl(submissions.saturating_sub(1)).unwrap_or(u32::MAX);
    first
        .saturating_mul(factor)
        .min(Duration::from_millis(ATTEMPT_WAIT_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::genesis::{Genesis, Parameters};
    use waxwing_core::keys::VoteKey;

    const ANCHOR: Anchor = Anchor {
        height: 64,
        id: Hash([6; 32]),
    };
    const ANCHORED: u64 = 1_000_000;
    const END: u64 = ANCHORED + ANCHOR_VALID_MS;

    fn header(height: u64, time: u64) -> BlockHeader {
        let validator = VoteKey::from_seed(&[1; 32]).public();
        let genesis = Genesis::new("test", 1, Parameters::DEFAULT, vec![validator]).unwrap();
        BlockHeader {
            height,
            time,
            ..genesis.block()
        }
    }

    fn known(height: u64, time: u64, length: u64, read: u64) -> Known {
        Known {
            proven: Some(Proven {
                height,
                head: Hash([1; 32]),
                time,
                length,
            }),
            read,
        }
    }

    #[test]
    fn a_message_is_signed_first_and_then_submitted_while_its_anchor_lives() {
        let fresh = known(70, ANCHORED + 1, 3, 3);
        assert_eq!(next(None, &header(70, ANCHORED + 1), &fresh), Step::Sign);
        let signing = Some((&ANCHOR, ANCHORED));
        assert_eq!(next(signing, &header(70, ANCHORED + 1), &fresh), Step::Submit);
        assert_eq!(
            next(signing, &header(200, END - 1), &known(200, END - 1, 3, 3)),
            Step::Submit
        );
    }

    #[test]
    fn the_newest_anchor_never_expires() {
        let signing = Some((&ANCHOR, ANCHORED));
        let late = 10 * END;
        assert_eq!(next(signing, &header(127, late), &known(127, late, 0, 0)), Step::Submit);
        assert_eq!(
            next(signing, &header(128, late), &known(128, late, 0, 0)),
            Step::SignAgain
        );
    }

    #[test]
    fn it_is_signed_again_only_when_a_complete_log_under_a_late_head_lacks_it() {
        let signing = Some((&ANCHOR, ANCHORED));
        let held = header(300, END + 5);
        assert_eq!(next(signing, &held, &known(300, END + 5, 3, 3)), Step::SignAgain);
        let not_read = known(300, END + 5, 4, 3);
        assert_eq!(
            next(signing, &held, &not_read),
            Step::ProveAbsence,
            "an entry is still to be read"
        );
        let too_early = known(299, END - 1, 3, 3);
        assert_eq!(
            next(signing, &held, &too_early),
            Step::ProveAbsence,
            "it may stand in a later block"
        );
        let never = Known { proven: None, read: 0 };
        assert_eq!(next(signing, &held, &never), Step::ProveAbsence);
    }

    /// The boundary must be the ledger's own: a client that is one ms too early delivers twice.
    #[test]
    fn the_end_of_an_anchor_is_where_the_rules_put_it() {
        // The last block time that may include it is END; so a head at END - 1 may be followed by one that does.
        assert!(!is_expired(&ANCHOR, ANCHORED, 200, END - 1));
        // The next block after a head at END is at END + 1 at least.
        assert!(is_expired(&ANCHOR, ANCHORED, 200, END));
    }

    #[test]
    fn patience_doubles_and_ends() {
        let first = Duration::from_secs(4);
        let waits: Vec<u64> = (0..12)
            .map(|submissions| patience(first, submissions).as_secs())
            .collect();
        assert_eq!(waits, [4, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    }
}
