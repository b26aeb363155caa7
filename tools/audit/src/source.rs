//! Where a history comes from: a directory, a bundle, nodes.
//!
//! A source hands out blocks in order and says what it could not read. It decides nothing: what it hands out are claims,
//! and whatever is missing or unreadable is handed out as such, because whether that matters depends on what a
//! certificate says about it. Nothing here is async: a source that asks the network blocks, or reads from a channel.

use core::fmt;
use core::ops::Range;

use waxwing_core::Hash;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::Head;
use waxwing_core::codec::CodecError;
use waxwing_core::envelope::Carried;
use waxwing_core::evidence::Evidence;
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{Ledger, Step};

use crate::finding::Finding;
use crate::state::State;

/// What kind of place a history was read from; the word in reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind {
    /// A node's data directory.
    Directory,
    /// A bundle file.
    Bundle,
    /// Nodes over the network.
    Nodes,
    /// Blocks in memory.
    Memory,
    /// An evidence file: a contradiction of somebody else's two histories.
    Evidence,
}

impl SourceKind {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Bundle => "bundle",
            Self::Nodes => "nodes",
            Self::Memory => "memory",
            Self::Evidence => "evidence",
        }
    }
}

/// A history, block by block.
pub trait HistorySource: Send {
    /// What kind of place it is.
    fn kind(&self) -> SourceKind;

    /// The founding facts that the history claims for itself. Only a policy says whether they are the right ones.
    fn genesis(&self) -> &Genesis;

    /// Height of its newest block as far as it says so before it is read: for progress, and to say what an audit that
    /// stopped early did not reach. Nothing rests on it.
    fn claimed(&self) -> Option<u64>;

    /// The block after the one handed out last, the first time block 1; `None` after the newest.
    ///
    /// # Errors
    /// If it cannot be read; the source is not asked again.
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceError>;

    /// Where a source begins that does not have the whole history yet.
    ///
    /// # Errors
    /// If it cannot be read.
    fn joined(&self) -> Result<Option<Joined>, SourceError> {
        Ok(None)
    }

    /// What the source keeps beside the blocks, to be held against the replay.
    fn beside(&self) -> Option<Box<dyn Beside>> {
        None
    }
}

/// A source that has only part of its history: a node that joined lately, and is still filling in what came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Height at which it was joined; 0 if the snapshot was not brought in to its end.
    pub height: u64,
    /// Height up to which it has everything from the genesis on.
    pub filled: u64,
}

/// Why a source ends before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceError {
    /// What is stored there is not in the form in which it was written: a verdict about the source.
    Malformed {
        /// What could not be read, and why: for people.
        what: String,
    },
    /// The next block is missing, and the source itself has later ones or says so.
    MissingBlock,
    /// The source could not be read now: disk, network, permission. Says nothing about what it holds.
    Failed(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what } => f.write_str(what),
            Self::MissingBlock => f.write_str("a block is missing"),
            Self::Failed(why) => write!(f, "the history could not be read: {why}"),
        }
    }
}

impl core::error::Error for SourceError {}

/// A block as a source has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceBlock {
    /// Header and certificate.
    pub head: Head,
    /// Its entries in order, up to the first that is not there.
    pub entries: Vec<Carried>,
    /// What it reports of validators' misconduct.
    pub evidence: Vec<Evidence>,
    /// Why there are fewer entries than the header says.
    pub gap: Option<Gap>,
    /// What rows say of their entries' places, for sources in which entries are found by row; else none.
    pub labels: Vec<Label>,
}

impl From<CertifiedBlock> for SourceBlock {
    fn from(block: CertifiedBlock) -> Self {
        Self {
            head: block.head,
            entries: block.entries,
            evidence: block.evidence,
            gap: None,
            labels: Vec::new(),
        }
    }
}

/// Why a source has no entry where the header says that there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gap {
    /// Its row is not there.
    Missing,
    /// Its row cannot be read.
    Undecodable(CodecError),
}

/// What an entry's row says of its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    /// Height of its block.
    pub height: u64,
    /// Its index in its log.
    pub index: u64,
}

/// Where a source's own index says an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Its place among all entries of the ledger.
    pub position: u64,
    /// The log.
    pub log: LogId,
    /// Its index there.
    pub index: u64,
    /// Its leaf in the log's tree.
    pub leaf: Hash,
}

/// What a source keeps beside the blocks: tables that can be computed from them.
///
/// None of it is certified on its own. It is compared with the replay, and it helps to name the entry when a block's
/// entries are not those that were certified.
pub trait Beside: Send {
    /// What is said to stand at these positions, ascending by position.
    ///
    /// # Errors
    /// If it cannot be read.
    fn placed(&self, positions: Range<u64>) -> Result<Vec<Placed>, SourceError>;

    /// Takes note of a block that holds; says what of the block's own rows contradicts it.
    ///
    /// # Errors
    /// If rows cannot be read.
    fn follow(&mut self, step: &Step) -> Result<Option<Finding>, SourceError>;

    /// Compares everything after the last block.
    ///
    /// # Errors
    /// If rows cannot be read.
    fn compare(&mut self, ledger: &Ledger, state: &State) -> Result<Vec<Finding>, SourceError>;
}

/// Blocks from an iterator: from memory, or from whatever a program fetches them with.
#[derive(Debug)]
pub struct Blocks<I> {
    genesis: Genesis,
    kind: SourceKind,
    claimed: Option<u64>,
    blocks: I,
}

impl<I> Blocks<I>
where
    I: Iterator<Item = Result<CertifiedBlock, SourceError>> + Send,
{
    /// The blocks 1, 2, ... of a network, up to `claimed` if that is known.
    pub const fn new(genesis: Genesis, kind: SourceKind, claimed: Option<u64>, blocks: I) -> Self {
        Self {
            genesis,
            kind,
            claimed,
            blocks,
        }
    }
}

impl<I> HistorySource for Blocks<I>
where
    I: Iterator<Item = Result<CertifiedBlock, SourceError>> + Send,
{
    fn kind(&self) -> SourceKind {
        self.kind
    }

    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn claimed(&self) -> Option<u64> {
        self.claimed
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceError> {
        self.blocks.next().map(|block| block.map(SourceBlock::from)).transpose()
    }
}
