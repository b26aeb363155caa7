//! Checks a receipt: that an envelope stands where the receipt says, in a block that the network made final. Checks
//! evidence: that validators signed what excludes each other.
//!
//! The rules are `waxwing-core`'s; this crate reads two files and words the outcome. It knows no network, no disk
//! beyond those files, no clock, and builds for browsers too.

mod evidence;
mod kind;

use core::fmt;

use waxwing_core::codec::{CodecError, Decode};
use waxwing_core::envelope::EnvelopeHeader;
use waxwing_core::genesis::Genesis;
use waxwing_core::policy::Policy;
use waxwing_core::receipt::Ordered;
use waxwing_core::receipt_file::{ReceiptFile, ReceiptFileError};
use waxwing_core::verdict::Verdict;
use waxwing_core::{Hash, Meaning};

pub use evidence::{EvidenceFinding, EvidenceOutcome, Proven, verify_evidence};
pub use kind::{FileKind, KIND_BYTES};

/// What came of checking a receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What it rests on.
    pub finding: Finding,
    /// Fingerprint of the policy that anchors it.
    pub policy: Option<Hash>,
}

/// The facts behind a verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The entry stands there.
    Ordered {
        /// Where, and in which block.
        ordered: Box<Ordered>,
        /// Of which network.
        network: Hash,
        /// Whether a given body is the entry's.
        body: BodyCheck,
        /// Entries and validators that vouch: quorum of how many.
        quorum: (usize, usize),
    },
    /// Bytes that are no receipt.
    NotAReceipt(CodecError),
    /// A file of another kind.
    AnotherKind(FileKind),
    /// The receipt belongs to a network that the policy does not pin.
    OtherNetwork {
        /// Named by the receipt.
        found: Hash,
        /// Pinned by the policy.
        pinned: Hash,
    },
    /// There is no policy to hold it against.
    NoPolicy {
        /// Named by the receipt.
        network: Hash,
    },
    /// A check fails.
    Refuted(ReceiptFileError),
    /// The body is not the entry's.
    WrongBody,
    /// Certified, but another block is pinned at that height.
    OtherBlock {
        /// The height.
        height: u64,
        /// Pinned by the policy.
        pinned: Hash,
        /// Certified for the receipt.
        found: Hash,
    },
}

/// Whether a given body is the entry's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyCheck {
    /// None was given.
    NotGiven,
    /// It is.
    Matches,
}

/// Checks a receipt against a policy, and a body against the receipt.
#[must_use]
pub fn verify(receipt: &[u8], policy: Option<&Policy>, body: Option<&[u8]>) -> Outcome {
    let outcome = |verdict, finding| Outcome {
        verdict,
        finding,
        policy: policy.map(Policy::fingerprint),
    };
    let file = match ReceiptFile::from_bytes(receipt) {
        Ok(file) => file,
        Err(error) => {
            let other = FileKind::of(receipt).filter(|kind| *kind != FileKind::Receipt);
            let finding = other.map_or(Finding::NotAReceipt(error), Finding::AnotherKind);
            return outcome(Verdict::Malformed, finding);
        }
    };
    let found = file.receipt.head.header.network;
    let Some(policy) = policy else {
        return outcome(Verdict::Unanchored, Finding::NoPolicy { network: found });
    };
    let pinned = policy.genesis.network();
    if found != pinned {
        return outcome(Verdict::Unanchored, Finding::OtherNetwork { found, pinned });
    }
    let (verdict, finding) = judge(&file, policy, body);
    outcome(verdict, finding)
}

fn judge(file: &ReceiptFile, policy: &Policy, body: Option<&[u8]>) -> (Verdict, Finding) {
    let (ordered, committee) = match file.verify(&policy.genesis) {
        Ok(verified) => verified,
        Err(error) => return (Verdict::Tampered, Finding::Refuted(error)),
    };
    if let Some(pin) = policy
        .head
        .filter(|pin| pin.height == ordered.place.height && pin.id != ordered.block)
    {
        let (height, found) = (pin.height, ordered.block);
        return (
            Verdict::Diverged,
            Finding::OtherBlock {
                height,
                pinned: pin.id,
                found,
            },
        );
    }
    let body = match body.map(|body| is_body_of(&policy.genesis, &file.receipt.signed.header, body)) {
        None => BodyCheck::NotGiven,
        Some(true) => BodyCheck::Matches,
        Some(false) => return (Verdict::Tampered, Finding::WrongBody),
    };
    let quorum = (committee.quorum(), committee.members().len());
    (
        Verdict::Verified,
        Finding::Ordered {
            ordered: Box::new(ordered),
            network: policy.genesis.network(),
            body,
            quorum,
        },
    )
}

fn is_body_of(genesis: &Genesis, header: &EnvelopeHeader, body: &[u8]) -> bool {
    let same_length = u32::try_from(body.len()) == Ok(header.body_length);
    same_length && genesis.keys().hash(Meaning::Body, body) == header.body_hash
}

/// Header time, ms since 1970, as ISO 8601; the number itself where no calendar reaches.
fn utc(time: u64) -> String {
    let instant = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_millis(time));
    // The calendar of the library ends with the year 9999.
    match instant.filter(|_| time < 253_402_300_800_000) {
        Some(instant) => humantime::format_rfc3339_millis(instant).to_string(),
        None => format!("{time} ms after 1970-01-01T00:00:00Z"),
    }
}

/// A verdict line with its limits, then the facts.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", self.verdict)?;
        match &self.finding {
            Finding::Ordered {
                ordered,
                network,
                body,
                quorum,
            } => {
                let place = &ordered.place;
                writeln!(
                    f,
                    "entry {} of its log is final in block {}",
                    ordered.index, place.height
                )?;
                writeln!(f, "  entry    {}", ordered.entry)?;
                writeln!(f, "  log      {}", ordered.log)?;
                writeln!(f, "  block    {}  place {}", ordered.block, place.in_block)?;
                writeln!(f, "  ordered  {}", utc(place.time))?;
                writeln!(f, "  network  {network}")?;
                writeln!(f, "  vouched  {} of {} validators, strict ed25519", quorum.0, quorum.1)?;
                writeln!(
                    f,
                    "  body     {}",
                    match body {
                        BodyCheck::NotGiven => "not given, not checked",
                        BodyCheck::Matches => "the one that was ordered",
                    }
                )?;
            }
            Finding::NotAReceipt(error) => writeln!(
                f,
                "this is not a receipt: {error}; give a receipt file (.wxr), or to `waxwing-verify` an evidence file (.wxe)"
            )?,
            Finding::AnotherKind(kind) => writeln!(f, "this is {kind}, and not a receipt: {}", kind.advice())?,
            Finding::OtherNetwork { found, pinned } => {
                writeln!(
                    f,
                    "the receipt is of network {found}, the policy pins {pinned}: get the policy of that network"
                )?;
            }
            Finding::NoPolicy { network } => {
                writeln!(
                    f,
                    "nothing anchors this receipt: give --policy FILE for network {network}"
                )?;
            }
            Finding::Refuted(error) => writeln!(f, "{error}")?,
            Finding::WrongBody => writeln!(f, "the body given is not the one that was ordered")?,
            Finding::OtherBlock { height, pinned, found } => {
                writeln!(
                    f,
                    "block {height} is certified as {found}, the policy pins {pinned}: keep both, they are evidence"
                )?;
            }
        }
        match self.policy {
            Some(fingerprint) => writeln!(f, "  policy   {fingerprint}"),
            None => Ok(()),
        }
    }
}
