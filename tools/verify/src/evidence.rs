//! Checks evidence: that validators signed two things of which they may sign one.
//!
//! An evidence file names the network's founding facts, how the committee came to be the accused one, and the
//! contradiction. Only the policy says whether it is the network that one means; everything else proves itself.

use core::fmt;

use waxwing_core::Hash;
use waxwing_core::certificate::{Head, VoteKind};
use waxwing_core::codec::{CodecError, Decode};
use waxwing_core::evidence::{Evidence, TwoHeads, TwoVotes};
use waxwing_core::evidence_file::{EvidenceFile, EvidenceFileError, convicted};
use waxwing_core::hash::HashKeys;
use waxwing_core::keys::ValidatorId;
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;

use crate::utc;

/// What came of checking an evidence file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceOutcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What it rests on.
    pub finding: EvidenceFinding,
    /// Fingerprint of the policy that anchors it.
    pub policy: Option<Hash>,
}

/// The facts behind a verdict on evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EvidenceFinding {
    /// The contradiction holds.
    Proven(Box<Proven>),
    /// Bytes that are no evidence file.
    NotEvidence(CodecError),
    /// A check fails.
    Refuted(EvidenceFileError),
}

/// A contradiction that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven {
    /// The file.
    pub file: EvidenceFile,
    /// Id of the network.
    pub network: Hash,
    /// The term in which it happened.
    pub term: u64,
    /// Validators whose signatures make a block final, and how many there were.
    pub quorum: (usize, usize),
    /// Who is convicted by name; empty if the evidence does not say who.
    pub convicted: Vec<ValidatorId>,
    /// Network that the policy pins, if it is another one.
    pub pinned: Option<Hash>,
}

/// Checks an evidence file against a policy.
#[must_use]
pub fn verify_evidence(bytes: &[u8], policy: Option<&Policy>) -> EvidenceOutcome {
    let (verdict, finding) = match EvidenceFile::from_bytes(bytes) {
        Err(error) => (Verdict::Malformed, EvidenceFinding::NotEvidence(error)),
        Ok(file) => judge(file, policy),
    };
    EvidenceOutcome {
        verdict,
        finding,
        policy: policy.map(Policy::fingerprint),
    }
}

fn judge(file: EvidenceFile, policy: Option<&Policy>) -> (Verdict, EvidenceFinding) {
    let committee = match file.verify() {
        Ok(committee) => committee,
        Err(error) => return (Verdict::Tampered, EvidenceFinding::Refuted(error)),
    };
    let network = file.genesis.network();
    let pinned = policy.map(|policy| policy.genesis.network());
    let verdict = if pinned == Some(network) {
        Verdict::Verified
    } else {
        Verdict::Unanchored
    };
    let proven = Proven {
        network,
        term: committee.term(),
        quorum: (committee.quorum(), committee.members().len()),
        convicted: convicted(&file.evidence, &committee),
        pinned: pinned.filter(|pinned| *pinned != network),
        file,
    };
    (verdict, EvidenceFinding::Proven(Box::new(proven)))
}

impl Proven {
    /// The two block ids, the smaller one first.
    #[must_use]
    pub fn blocks(&self) -> (Hash, Hash) {
        match &self.file.evidence {
            Evidence::TwoVotes(votes) => (votes.first.0, votes.second.0),
            Evidence::TwoHeads(heads) => {
                let keys = HashKeys::new(self.network);
                (heads.first.header.id(&keys), heads.second.header.id(&keys))
            }
        }
    }

    /// What it proves, in a sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let height = self.file.evidence.height();
        match &self.file.evidence {
            Evidence::TwoHeads(_) => format!("the validators made two different blocks final at height {height}"),
            Evidence::TwoVotes(votes) => {
                let kind = match votes.kind {
                    VoteKind::Prevote => "prevotes",
                    VoteKind::Precommit => "precommits",
                };
                format!(
                    "a validator cast two contradicting {kind} at height {height}, round {}",
                    votes.round
                )
            }
        }
    }

    fn heads(&self, f: &mut fmt::Formatter<'_>, heads: &TwoHeads) -> fmt::Result {
        let (first, second) = self.blocks();
        for (name, id, head) in [("first", first, &heads.first), ("second", second, &heads.second)] {
            writeln!(f, "  {name:8} {id}  {}", described(head))?;
        }
        if self.convicted.is_empty() {
            return writeln!(
                f,
                "  broke    more than a third of them; different rounds, so nobody is convicted by name"
            );
        }
        self.culprits(f, "signed both")
    }

    fn votes(&self, f: &mut fmt::Formatter<'_>, votes: &TwoVotes) -> fmt::Result {
        writeln!(f, "  first    {}", votes.first.0)?;
        writeln!(f, "  second   {}", votes.second.0)?;
        self.culprits(f, "cast both")
    }

    fn culprits(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        self.convicted
            .iter()
            .try_for_each(|validator| writeln!(f, "  broke    {validator}  {what}"))
    }
}

fn described(head: &Head) -> String {
    format!(
        "{}, round {}, {} signatures",
        utc(head.header.time),
        head.certificate.round,
        head.certificate.signatures.signers().count()
    )
}

/// A verdict line, then the facts.
impl fmt::Display for EvidenceOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", self.verdict)?;
        match &self.finding {
            EvidenceFinding::NotEvidence(error) => writeln!(f, "this is not an evidence file: {error}")?,
            EvidenceFinding::Refuted(error) => writeln!(f, "the evidence does not hold: {error}")?,
            EvidenceFinding::Proven(proven) => {
                let network = proven.network;
                match (self.verdict, proven.pinned) {
                    (Verdict::Verified, _) => writeln!(f, "{}", proven.headline())?,
                    (_, Some(pinned)) => writeln!(
                        f,
                        "the evidence is about network {network}, the policy pins {pinned}: get the policy of that network"
                    )?,
                    _ => writeln!(
                        f,
                        "{}; nothing says whose network it is: give --policy FILE",
                        proven.headline()
                    )?,
                }
                match &proven.file.evidence {
                    Evidence::TwoHeads(heads) => proven.heads(f, heads)?,
                    Evidence::TwoVotes(votes) => proven.votes(f, votes)?,
                }
                writeln!(f, "  network  {network}")?;
                writeln!(
                    f,
                    "  checked  term {}: {} of {} validators make a block final, strict ed25519",
                    proven.term, proven.quorum.0, proven.quorum.1
                )?;
            }
        }
        match self.policy {
            Some(fingerprint) => writeln!(f, "  policy   {fingerprint}"),
            None => Ok(()),
        }
    }
}
