//! What an operator is told, under codes that never change.
//!
//! Every warning and error of this crate carries one of these codes in its `code` field, so that a search, an alert rule
//! or a runbook can hold on to it while the words improve. 1xxx stops the node, 2xxx is about other nodes, 3xxx about load
//! and clocks.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;
use waxwing_store::StoreError;

/// A code, and what to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code {
    /// The code as it stands in the log.
    pub name: &'static str,
    /// What it means and what to do.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $name:literal, $meaning:literal;)+) => {
        $(#[doc = $meaning] pub(crate) const $constant: &str = $name;)+

        /// Every code.
        pub const CODES: &[Code] = &[$(Code { name: $name, meaning: $meaning }),+];
    };
}

codes! {
    STORE_FAILED = "WX-1001",
        "The database or its disk failed; the node stops. Check the disk and its space, then start the node again: it \
         checks its whole state against the newest certified block before it serves.";
    SIGNED_TWICE = "WX-1002",
        "The node was about to sign a second block of one height and stopped instead. This is a fault of the program: keep \
         the directory and report it.";
    FORKED = "WX-1003",
        "Two certified blocks of one height exist: validators broke the rules. The node stops copying and keeps the \
         evidence; compare with other operators before going on.";
    BROKEN = "WX-1004",
        "The node met something that cannot be: a fault of the program. It stops; keep the log and report it.";
    SECOND_MACHINE = "WX-1005",
        "This validator's key votes on another machine as well, or this directory is an older copy of one that went on \
         voting; the node stops before both contradict each other. Run the key in one place only. If the other place is \
         gone for ever, write the newest height at which it can have voted into keys/signed; if you do not know it, have \
         the committee replace the key.";
    JOURNAL_DAMAGED = "WX-1006",
        "The journal of the block under way does not fit together. Without it the validator cannot know what it has \
         signed, so it takes no part in that block and copies it from the others. Check the disk.";
    UPSTREAM_LOST = "WX-2001",
        "An upstream node does not answer or ended the connection; others are used, and it is tried again later.";
    UPSTREAM_LIED = "WX-2002",
        "An upstream node sent something that does not verify. It is used last from now on; tell its operator.";
    UPSTREAM_STALLED = "WX-2003",
        "An upstream node does not deliver blocks that others have announced; another one is used.";
    BODY_WITHHELD = "WX-2004",
        "Upstream nodes lack a body without an excuse. The block is kept without it; every proof still holds.";
    NO_VALIDATOR = "WX-2005",
        "No upstream node that orders could be reached, so envelopes cannot be passed on. Check the network and upstreams.";
    LINK_BROKE = "WX-2006",
        "Another validator cannot be reached, or does not keep to the rules among validators. The committee goes on while \
         more than two thirds of it are linked; check the network, and tell its operator.";
    POOL_FULL = "WX-3001",
        "Envelopes come faster than they are ordered; senders are told to wait. If it lasts, the machine is too small or \
         somebody floods it: see waxwing_intake_envelopes_total.";
    CLOCK_BEHIND = "WX-3002",
        "The ledger's newest block is ahead of this machine's clock. Set the clock: clients refuse what seems to come from \
         the future.";
    QUOTA_REACHED = "WX-3003",
        "The disk quota is reached; no envelopes are taken. Raise quota_mib or move the node to a larger disk.";
    CHUNKS_UNUSABLE = "WX-3006",
        "Pieces of attachments cannot be read or written on the disk. Nothing was promised that is not there, and the ledger \
         does not depend on it. Check the disk below `chunks`, its rights and the number of open files.";
    CHUNK_DAMAGED = "WX-3007",
        "A piece of an attachment was not what had been written, and is forgotten; whoever wants it gets it elsewhere or has \
         it sent again. If it recurs, the disk changes what it was given: check it, the ledger is on it too.";
    EVIDENCE_UNKEPT = "WX-3005",
        "What is known of evidence against validators cannot be written beside the ledger, and is forgotten when the node \
         stops; blocks and other nodes still have it. Check the disk and its space.";
    SLOW_TO_CLOSE = "WX-3004",
        "A part of the stopping node did not let go of the database in time, and the node ended without closing it. \
         Nothing that was final is lost; if it recurs, report it.";
}

/// A warning whose cause may recur a thousand times a second, and which is worth a line a minute.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    /// When it is due again, by the steady clock.
    due_ms: AtomicU64,
}

impl Seldom {
    const BETWEEN_MS: u64 = 60_000;

    /// Whether to say it now.
    pub(crate) fn is_due(&self, steady_ms: u64) -> bool {
        let next = |due: u64| (steady_ms >= due).then_some(steady_ms + Self::BETWEEN_MS);
        self.due_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

/// Why a node stopped by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The database failed.
    Store(StoreError),
    /// The vote key was about to be used against an earlier signature.
    SignedTwice {
        /// Height up to which blocks were signed.
        signed: u64,
    },
    /// The vote key was met on another machine.
    SecondMachine {
        /// Height at which it voted there.
        height: u64,
    },
    /// The journal holds what this program did not write.
    Journal,
    /// The engine of the agreement failed: a fault of the program.
    Engine(String),
    /// Something that cannot be was met: a fault of the program.
    Broken(&'static str),
}

impl Fault {
    /// The code it is logged under.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => STORE_FAILED,
            Self::SignedTwice { .. } => SIGNED_TWICE,
            Self::SecondMachine { .. } => SECOND_MACHINE,
            Self::Journal => JOURNAL_DAMAGED,
            Self::Engine(_) | Self::Broken(_) => BROKEN,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "{error}; check the disk and its space, then start the node again"),
            Self::SignedTwice { signed } => {
                write!(
                    f,
                    "a second block was to be signed although block {signed} was signed already"
                )
            }
            Self::SecondMachine { height } => write!(
                f,
                "this validator's key has voted at height {height} and not here: it runs on a second machine, or this \
                 directory is an older copy. Stop one of them; see {SECOND_MACHINE}"
            ),
            Self::Journal => f.write_str(
                "the journal of the block under way is not one: move the file `journal` away and start again; the validator \
                 then leaves that block to the others",
            ),
            Self::Engine(reason) => write!(f, "the agreement failed, a fault of the program, please report it: {reason}"),
            Self::Broken(what) => write!(f, "{what}: this is a fault of the program, please report it"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Tells all parts of a node that it stops, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lifeline {
    stopping: CancellationToken,
    fault: Arc<OnceLock<Fault>>,
}

impl Lifeline {
    /// Stops the node because of a fault; the first one counts.
    pub(crate) fn fail(&self, fault: Fault) {
        // A store that failed once says `Stopped` to everybody who asks later: only the first word is news.
        if self.fault.set(fault.clone()).is_ok() {
            tracing::error!(code = fault.code(), "the node stops: {fault}");
        }
        self.stopping.cancel();
    }

    /// Stops the node in good order.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Why the node stopped by itself, if it did.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.get()
    }

    /// Returns when the node stops.
    pub(crate) async fn stopped(&self) {
        self.stopping.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_used_once_and_explained() {
        let mut names: Vec<&str> = CODES.iter().map(|code| code.name).collect();
        assert!(names.iter().all(|name| name.len() == 7 && name.starts_with("WX-")));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
        assert!(CODES.iter().all(|code| code.meaning.len() > 60));
    }

    #[test]
    fn a_warning_comes_once_a_minute_however_often_there_is_reason() {
        let seldom = Seldom::default();
        let said: Vec<u64> = (0..200_000).step_by(7).filter(|now| seldom.is_due(*now)).collect();
        assert_eq!(said, [0, 60_004, 120_008, 180_012]);
    }

    #[test]
    fn the_first_fault_counts() {
        let lifeline = Lifeline::default();
        assert!(!lifeline.is_stopping());
        lifeline.fail(Fault::SignedTwice { signed: 3 });
        lifeline.clone().fail(Fault::Store(StoreError::Stopped));
        assert!(lifeline.is_stopping());
        assert_eq!(lifeline.fault(), Some(&Fault::SignedTwice { signed: 3 }));
    }
}
