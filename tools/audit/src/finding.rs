//! What does not hold, where, and what a certificate says about it.
//!
//! A finding names the first thing that is wrong and no more than can be shown: "changed after it was certified" only where
//! a certificate over the original content is at hand, "the committee certified this" only where it did.

use core::fmt;

use waxwing_core::Hash;
use waxwing_core::certificate::HeadError;
use waxwing_core::envelope::EnvelopeError;
use waxwing_core::evidence::EvidenceError;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{EntryFault, HeaderField};
use waxwing_core::verdict::Verdict;

/// What does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Something is not in the form in which it was written.
    Malformed {
        /// What, and why: for people.
        what: String,
    },
    /// A block is missing, and later ones are there or said to be.
    MissingBlock,
    /// A block of another network.
    ForeignBlock {
        /// The one it names.
        network: Hash,
    },
    /// The founding facts are not those of the network that the blocks belong to.
    Genesis,
    /// A block's certificate does not certify its header.
    NotCertified {
        /// Why not.
        error: HeadError,
        /// Which of the two was changed, if that can be told.
        blame: Blame,
    },
    /// A block does not follow the one before it.
    NotNext,
    /// A block's time is not after its parent's.
    TimeRunsBack,
    /// A field of a header is not what content and history lead to.
    Header(HeaderField),
    /// An entry is missing.
    MissingEntry,
    /// An entry in the place of another.
    OtherEntry,
    /// An entry whose stamp or signature does not count.
    Envelope(EnvelopeError),
    /// A body, or the secret that excuses its absence, is not the entry's.
    Body(EnvelopeError),
    /// An entry that the rules do not allow there.
    Rule(EntryFault),
    /// Evidence that proves nothing.
    Evidence(EvidenceError),
    /// A row that is computed from the blocks is not what it must be.
    Row {
        /// The table it is in.
        table: &'static str,
    },
}

/// Which of a header and its certificate was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The header: content, history or a later certified block say something else.
    Header,
    /// The certificate: a later certified block names this very header.
    Certificate,
    /// Nothing tells.
    Either,
}

/// What a certificate says about the thing found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coverage {
    /// A certificate covers what should be there, and this is something else: it was changed after it was certified.
    Changed,
    /// A certificate covers exactly what is there: whoever certified it broke the rules.
    Certified,
    /// A later certified block names this very header: it stands, though its own certificate does not.
    Later,
    /// It is computed from what is certified and holds; it is certified itself by nobody.
    Computed,
    /// No certificate speaks for or against it.
    Open,
}

/// Where something was found. What is not known is absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct At {
    /// Height of the block.
    pub height: u64,
    /// The block's time, ms since 1970, if its header can be believed.
    pub time: Option<u64>,
    /// Place among the block's entries.
    pub place: Option<u32>,
    /// Place among all entries of the ledger.
    pub position: Option<u64>,
    /// The log and the entry's index in it.
    pub entry: Option<(LogId, u64)>,
}

impl At {
    /// A block as a whole.
    #[must_use]
    pub fn block(height: u64, time: Option<u64>) -> Self {
        Self {
            height,
            time,
            ..Self::default()
        }
    }

    fn order(&self) -> (u64, Option<u32>) {
        (self.height, self.place)
    }
}

/// One thing that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// Where.
    pub at: At,
    /// What should be there, for people.
    pub expected: String,
    /// What is there, for people.
    pub found: String,
    /// What a certificate says about it.
    pub coverage: Coverage,
}

impl Finding {
    /// Bytes that cannot be read.
    #[must_use]
    pub fn malformed(at: At, what: impl Into<String>) -> Self {
        Self {
            fault: Fault::Malformed { what: what.into() },
            at,
            expected: "the form in which it was written".into(),
            found: "something that cannot be read".into(),
            coverage: Coverage::Open,
        }
    }

    /// A row that is computed from the blocks and is not what it must be.
    #[must_use]
    pub fn row(table: &'static str, at: At, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            fault: Fault::Row { table },
            at,
            expected: expected.into(),
            found: found.into(),
            coverage: Coverage::Computed,
        }
    }

    /// The verdict on a history with this finding.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self.fault {
            Fault::Malformed { .. } => Verdict::Malformed,
            _ => Verdict::Tampered,
        }
    }

    /// Whether the order of entries is in doubt after it. Bodies and computed rows can be wrong while everything that is
    /// certified holds, and so can a certificate whose block a later one vouches for.
    #[must_use]
    pub const fn breaks_order(&self) -> bool {
        match self.fault {
            Fault::Body(_) | Fault::Row { .. } => false,
            Fault::NotCertified { blame, .. } => !matches!(blame, Blame::Certificate),
            _ => true,
        }
    }

    /// Sorts by place in the history, where it is the same in the order found.
    pub(crate) fn sort(findings: &mut [Self]) {
        findings.sort_by_key(|finding| finding.at.order());
    }
}

/// The fault in a few words; what was expected and found stands beside it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what } => f.write_str(what),
            Self::MissingBlock => f.write_str("the block is missing"),
            Self::ForeignBlock { .. } => f.write_str("the block belongs to another network"),
            Self::Genesis => f.write_str("the founding facts are not those that the blocks belong to"),
            Self::NotCertified { error, blame } => {
                f.write_str(match blame {
                    Blame::Header => "the header is not the one that was certified: ",
                    Blame::Certificate => "the certificate is not the one that was given: ",
                    Blame::Either => "header and certificate do not belong together: ",
                })?;
                error.fmt(f)
            }
            Self::NotNext => f.write_str("the block does not follow the one before it"),
            Self::TimeRunsBack => f.write_str("the block's time is not after its parent's"),
            Self::Header(field) => write!(f, "the header's {field} does not match its content"),
            Self::MissingEntry => f.write_str("the entry is missing"),
            Self::OtherEntry => f.write_str("another entry stands in its place"),
            Self::Envelope(error) | Self::Body(error) => error.fmt(f),
            Self::Rule(fault) => fault.fmt(f),
            Self::Evidence(error) => write!(f, "the block's evidence proves nothing: {error}"),
            Self::Row { table } => write!(f, "a row of table '{table}' is not what the blocks lead to"),
        }
    }
}

/// The name of a fault in reports for programs.
impl Fault {
    /// Stable; one word each.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::MissingBlock => "missing-block",
            Self::ForeignBlock { .. } => "foreign-block",
            Self::Genesis => "genesis",
            Self::NotCertified { .. } => "not-certified",
            Self::NotNext => "not-next",
            Self::TimeRunsBack => "time",
            Self::Header(_) => "header",
            Self::MissingEntry => "missing-entry",
            Self::OtherEntry => "other-entry",
            Self::Envelope(EnvelopeError::WeakStamp { .. }) => "stamp",
            Self::Envelope(_) => "signature",
            Self::Body(EnvelopeError::WrongSecret) => "excuse",
            Self::Body(_) => "body",
            Self::Rule(_) => "rule",
            Self::Evidence(_) => "evidence",
            Self::Row { .. } => "row",
        }
    }
}

/// A hash, shown as expected or found.
pub(crate) fn hash(what: &str, hash: Hash) -> String {
    format!("{what} {hash}")
}
