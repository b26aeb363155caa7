//! Snapshots: what a node must know of a ledger to go on from a certified block without having seen what came before.
//!
//! ```text
//! ladder ──> certified header ─┬─ history root ──── frontier of the history
//!            (every byte below ├─ log map root ──── outline ── slots: each log's leaf and frontier
//!             is held against  │                                 └─ the committee log: the change that is agreed on
//!             this one)        └─ parent ── header ── header ── ...: anchors, proposers
//!                                             └─ entries root ── entries: the duplicate window
//! ```
//!
//! Replaying a ledger takes hours one day, and a new node is of use as soon as it can check the next block. What it takes
//! for that is the state of the log map, the frontiers that the next entries are appended to, and what could come again.
//! All of it follows from one certified header, so it can come from anybody, in any order, a part from here and a part
//! from there: a part that does not fit is refused for a reason with a name, and asked of somebody else.
//!
//! That the committee certified the header is all that such a node knows of earlier blocks: that they followed the rules it
//! finds out by replaying them, and until then it does not call itself verified.
//!
//! [`Ascent`] climbs to the header ([`PinnedAscent`] from a genesis that is old), [`Assembly`] says what to ask for and
//! checks what comes, [`Ask`] and [`Answer`] are what travels. Pure: no socket, no disk, no clock. `// SPEC 25`

mod assembly;
mod limits;
mod logs;
mod outline;
mod part;
mod pinned;
mod window;

pub use assembly::{Ascent, Assembly, ChangeEntry, Joint, Question, Rows};
pub use limits::{
    BLOCKS_PER_PART_MAX, ENTRIES_PER_PART_MAX, HEADERS_PER_PART_MAX, PART_BYTES_MAX, SLOT_LOGS_MAX, SLOTS_PER_PART_MAX,
};
pub use logs::LogRow;
pub use outline::{Cutter, Slot, Span};
pub use part::{Answer, Ask, LastChange, Opening};
pub use pinned::{PinError, PinnedAscent};
pub use window::{Recent, WindowBlock, WindowEntry};

use crate::change::ChangeError;
use crate::codec::CodecError;
use crate::follow::FollowError;
use crate::hash::Hash;
use crate::keys::LogId;

/// Why a part of a snapshot is refused. Each is the fault of who sent it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnapshotError {
    /// The bytes are no such part.
    Malformed(CodecError),
    /// Something else than was asked for.
    OtherAnswer,
    /// The head cannot be accepted: foreign, not certified, or not reached by the ladder.
    Head(FollowError),
    /// The history's frontier is not that of the head.
    WrongHistory,
    /// The slots do not cover the log map, each as large as it may be.
    OutlineShape,
    /// The slots have other than the certified number of logs in all.
    OutlineCount,
    /// The slots do not fold to the certified root.
    OutlineRoot,
    /// A log does not belong into the slot that was asked for.
    OutsideSlot {
        /// Which log.
        log: LogId,
    },
    /// The logs of a slot are not in order, or one comes twice.
    Unsorted {
        /// The one that stands wrong.
        log: LogId,
    },
    /// The frontier of a log does not fold to the root of its leaf.
    WrongFrontier {
        /// Which log.
        log: LogId,
    },
    /// A slot without some of its logs.
    MissingLog {
        /// Logs that came.
        given: u32,
        /// Logs that the outline says there are.
        claimed: u32,
    },
    /// A slot with logs that do not belong to it.
    ExtraLog {
        /// Logs that came.
        given: u32,
        /// Logs that the outline says there are.
        claimed: u32,
    },
    /// The logs of a slot do not hash to what is certified.
    WrongLog {
        /// Where the slot begins.
        start: Hash,
    },
    /// A header is not the one that the header above it names as its parent.
    BrokenChain {
        /// Its height.
        height: u64,
    },
    /// A block of the window without some of its entries.
    MissingEntry {
        /// Which block.
        height: u64,
    },
    /// A block of the window with more entries than it has.
    ExtraEntry {
        /// Which block.
        height: u64,
    },
    /// The entries of a block of the window are not those that are certified.
    WrongEntry {
        /// Which block.
        height: u64,
    },
    /// What is said to be the last change of the committee is not the last entry of the committee log.
    WrongChange,
    /// A change of the committee was held back.
    MissingChange,
    /// The last entry of the committee log is a change that cannot take over.
    BadChange(ChangeError),
}

impl From<CodecError> for SnapshotError {
    fn from(error: CodecError) -> Self {
        Self::Malformed(error)
    }
}

impl core::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "a part of a snapshot cannot be read: {error}"),
            Self::OtherAnswer => f.write_str("another part of the snapshot than was asked for"),
            Self::Head(error) => write!(f, "the snapshot's head cannot be accepted: {error}"),
            Self::WrongHistory => f.write_str("the history's frontier is not that of the head"),
            Self::OutlineShape => f.write_str("the outline does not cover the log map"),
            Self::OutlineCount => f.write_str("the outline has another number of logs than is certified"),
            Self::OutlineRoot => f.write_str("the outline does not fold to the certified root of the log map"),
            Self::OutsideSlot { log } => write!(f, "log {log} does not belong into its slot of the log map"),
            Self::Unsorted { log } => write!(f, "log {log} stands out of order or twice"),
            Self::WrongFrontier { log } => write!(f, "the frontier of log {log} does not fold to its root"),
            Self::MissingLog { given, claimed } => {
                write!(f, "logs are missing: {given} of {claimed} in a slot of the log map")
            }
            Self::ExtraLog { given, claimed } => {
                write!(f, "logs that are not in the log map: {given} in a slot of {claimed}")
            }
            Self::WrongLog { start } => {
                write!(
                    f,
                    "the logs of the slot from {start} on are not those that are certified"
                )
            }
            Self::BrokenChain { height } => write!(f, "header {height} is not the parent of the one above it"),
            Self::MissingEntry { height } => write!(f, "entries of block {height} are missing from the window"),
            Self::ExtraEntry { height } => write!(f, "block {height} of the window has more entries than it should"),
            Self::WrongEntry { height } => {
                write!(
                    f,
                    "the window's entries of block {height} are not those that are certified"
                )
            }
            Self::WrongChange => {
                f.write_str("what is shown as the committee's last change is not the last entry of its log")
            }
            Self::MissingChange => f.write_str("the committee's last change was held back"),
            Self::BadChange(error) => write!(f, "the committee's last change cannot take over: {error}"),
        }
    }
}

impl core::error::Error for SnapshotError {}
