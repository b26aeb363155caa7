//! Evidence in a file of its own: everything that a stranger needs to check it, and nothing that he has to believe.
//!
//! [`Evidence`] names keys and blocks; whether those keys were the network's validators at that height is the other half
//! of the accusation. So the file carries the founding facts, the changes of the committee from there to the accused one,
//! and the contradiction itself. Whoever pins the genesis checks all of it offline.
//!
//! ```text
//! genesis ──> committee of term 0 ──(rung)──> committee of term 1 ──(rung)──> ... ──> the accused
//! ```
//!
//! The layout is fixed; `tools/audit/BUNDLE.md` has it byte for byte.

use crate::block::HEADER_BYTES;
use crate::certificate::{Head, HeadError};
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::committee::Committee;
use crate::evidence::{Evidence, EvidenceError};
use crate::follow::LadderStep;
use crate::genesis::Genesis;
use crate::hash::HashKeys;
use crate::keys::ValidatorId;
use crate::limits::EVIDENCE_RUNGS_MAX;

/// First bytes of every evidence file; the last one is the version.
pub const EVIDENCE_FILE_MAGIC: [u8; 8] = *b"WXEVIDN\x01";

/// A change of the committee: the last certified block of a term, and the committee that its header names.
///
/// A light client's [`LadderStep`] also proves that the block extends what the client held; here
/// nothing is held, and a certificate of the committee before is all that makes the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rung {
    /// The block.
    pub head: Head,
    /// Who votes from the next block on.
    pub next: Committee,
}

/// Evidence and what makes it checkable by anybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceFile {
    /// The network's founding facts. Only a policy says whether they are those of the network that one means.
    pub genesis: Genesis,
    /// The changes of the committee up to the accused one, oldest first.
    pub ladder: Vec<Rung>,
    /// The contradiction.
    pub evidence: Evidence,
}

/// Why an evidence file proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EvidenceFileError {
    /// A change of the committee does not follow from the ones before it.
    Rung {
        /// Which, counted from 0.
        index: usize,
        /// What is wrong with it.
        fault: RungFault,
    },
    /// The contradiction does not hold against the committee that the ladder leads to.
    Evidence(EvidenceError),
}

/// What is wrong with a rung.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RungFault {
    /// Its block is not certified by the committee before.
    Head(HeadError),
    /// Its block stands before the one of the rung below.
    NotLater,
    /// Its block names another committee than the one that is given, or none that is new.
    WrongCommittee,
    /// It comes after the height that all this is about, which an earlier committee certified.
    TooLate,
}

impl core::fmt::Display for RungFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Head(error) => error.fmt(f),
            Self::NotLater => f.write_str("its block does not come after the change before it"),
            Self::WrongCommittee => f.write_str("its block does not name the committee that is given"),
            Self::TooLate => f.write_str("its block comes after what it should lead to"),
        }
    }
}

impl core::fmt::Display for EvidenceFileError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Rung { index, fault } => {
                write!(
                    f,
                    "change {} of the committee does not hold: {fault}",
                    index.saturating_add(1)
                )
            }
            Self::Evidence(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EvidenceFileError {}

impl From<LadderStep> for Rung {
    fn from(step: LadderStep) -> Self {
        Self {
            head: step.head,
            next: step.next,
        }
    }
}

impl Rung {
    /// Checks that `committee` handed over to the next one in a block above `height`, and returns that one.
    ///
    /// # Errors
    /// See [`RungFault`].
    pub fn climb(&self, keys: &HashKeys, committee: &Committee, height: u64) -> Result<Committee, RungFault> {
        let head = self.head.clone().verify(keys, committee).map_err(RungFault::Head)?;
        if head.header.height <= height {
            return Err(RungFault::NotLater);
        }
        let next = self.next.hash(keys);
        let follows = next == head.header.next_committee
            && next != head.header.committee
            && Some(self.next.term()) == committee.term().checked_add(1);
        if follows {
            Ok(self.next.clone())
        } else {
            Err(RungFault::WrongCommittee)
        }
    }
}

/// The committee to which all these changes lead from the founding, each in a block below `height`; or the first change
/// that does not hold.
pub(crate) fn climb_below(genesis: &Genesis, ladder: &[Rung], height: u64) -> Result<Committee, (usize, RungFault)> {
    let keys = genesis.keys();
    let (mut committee, mut last) = (genesis.committee(), 0);
    for (index, rung) in ladder.iter().enumerate() {
        let climbed = rung.climb(&keys, &committee, last);
        committee = climbed.map_err(|fault| (index, fault))?;
        last = rung.head.header.height;
        if last >= height {
            return Err((index, RungFault::TooLate));
        }
    }
    Ok(committee)
}

impl EvidenceFile {
    /// Checks everything, and returns the committee that stands accused: one of its members in the case of two votes, a
    /// quorum of it in the case of two heads.
    ///
    /// # Errors
    /// See [`EvidenceFileError`].
    pub fn verify(&self) -> Result<Committee, EvidenceFileError> {
        let climbed = climb_below(&self.genesis, &self.ladder, self.evidence.height());
        let committee = climbed.map_err(|(index, fault)| EvidenceFileError::Rung { index, fault })?;
        let holds = self.evidence.verify(&self.genesis.keys(), &committee);
        holds.map_err(EvidenceFileError::Evidence)?;
        Ok(committee)
    }
}

/// The validators of `committee` that verified evidence convicts: the one with two votes, or everybody whose precommits
/// stand under two heads in one round. Two heads of different rounds prove that more than f broke the rules and not who:
/// an honest validator may have signed in both.
#[must_use]
pub fn convicted(evidence: &Evidence, committee: &Committee) -> Vec<ValidatorId> {
    match evidence {
        Evidence::TwoVotes(votes) => vec![votes.validator],
        Evidence::TwoHeads(heads) => {
            let (first, second) = (&heads.first.certificate, &heads.second.certificate);
            if first.round != second.round {
                return Vec::new();
            }
            let others: Vec<usize> = second.signatures.signers().collect();
            let both = first.signatures.signers().filter(|member| others.contains(member));
            both.filter_map(|member| committee.members().get(member).copied())
                .collect()
        }
    }
}

impl Encode for Rung {
    fn encode(&self, out: &mut Vec<u8>) {
        self.head.encode(out);
        self.next.encode(out);
    }
}

impl Decode for Rung {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            head: Head::decode(reader)?,
            next: Committee::decode(reader)?,
        })
    }
}

impl Encode for EvidenceFile {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&EVIDENCE_FILE_MAGIC);
        self.genesis.encode(out);
        put_list(out, &self.ladder);
        self.evidence.encode(out);
    }
}

impl Decode for EvidenceFile {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&EVIDENCE_FILE_MAGIC)?;
        Ok(Self {
            genesis: Genesis::decode(reader)?,
            ladder: reader.list(EVIDENCE_RUNGS_MAX, HEADER_BYTES)?,
            evidence: Evidence::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockHeader;
    use crate::certificate::{Certificate, VoteKind, vote_message};
    use crate::committee::QuorumError;
    use crate::evidence::TwoVotes;
    use crate::genesis::Parameters;
    use crate::hash::Hash;
    use crate::keys::VoteKey;

    fn secrets(from: u8) -> Vec<VoteKey> {
        let mut secrets: Vec<_> = (from..from + 4).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        secrets.sort_by_key(VoteKey::public);
        secrets
    }

    fn committee(term: u64, secrets: &[VoteKey]) -> Committee {
        Committee::new(term, secrets.iter().map(VoteKey::public).collect()).unwrap()
    }

    fn genesis() -> Genesis {
        let validators = secrets(1).iter().map(VoteKey::public).collect();
        Genesis::new("test", 1, Parameters::DEFAULT, validators).unwrap()
    }

    fn certified(header: BlockHeader, committee: &Committee, round: u32, secrets: &[VoteKey]) -> Head {
        let keys = HashKeys::new(header.network);
        let voters: Vec<&VoteKey> = secrets.iter().take(3).collect();
        let certificate = Certificate::sign(committee, round, &header, header.id(&keys), &voters);
        Head { header, certificate }
    }

    /// Two committees; the second one certifies two blocks at height 9.
    fn file() -> EvidenceFile {
        let (genesis, first, second) = (genesis(), secrets(1), secrets(5));
        let (keys, before, after) = (genesis.keys(), committee(0, &first), committee(1, &second));
        let handover = BlockHeader {
            height: 5,
            time: 50,
            next_committee: after.hash(&keys),
            ..genesis.block()
        };
        let rung = Rung {
            head: certified(handover, &before, 0, &first),
            next: after.clone(),
        };
        let other = |time| BlockHeader {
            height: 9,
            term: 1,
            time,
            committee: after.hash(&keys),
            next_committee: after.hash(&keys),
            ..genesis.block()
        };
        let heads = [90, 91].map(|time| certified(other(time), &after, 0, &second));
        let [a, b] = heads;
        let evidence = Evidence::of_heads(&keys, a, b);
        EvidenceFile {
            genesis,
            ladder: vec![rung],
            evidence,
        }
    }

    #[test]
    fn evidence_against_a_later_committee_holds_with_the_ladder_that_leads_to_it() {
        let file = file();
        assert_eq!(EvidenceFile::from_bytes(&file.to_bytes()).as_ref(), Ok(&file));
        let accused = file.verify().unwrap();
        assert_eq!(accused, committee(1, &secrets(5)));
        assert_eq!(convicted(&file.evidence, &accused), accused.members()[..3]);
        let bare = EvidenceFile {
            ladder: Vec::new(),
            ..file
        };
        let stranger = EvidenceFileError::Evidence(EvidenceError::Head(HeadError::WrongCommittee));
        assert_eq!(bare.verify(), Err(stranger));
    }

    #[test]
    fn each_rung_that_does_not_hold_is_refused_by_name() {
        let good = file();
        let refused = |change: &dyn Fn(&mut Rung)| {
            let mut file = good.clone();
            file.ladder.iter_mut().for_each(change);
            let Err(EvidenceFileError::Rung { index: 0, fault }) = file.verify() else {
                panic!("it was accepted")
            };
            fault
        };
        assert_eq!(
            refused(&|rung| rung.head.certificate.round = 1),
            RungFault::Head(HeadError::Quorum(QuorumError::BadSignature))
        );
        assert_eq!(
            refused(&|rung| rung.next = committee(1, &secrets(9))),
            RungFault::WrongCommittee
        );
        let (genesis, first) = (genesis(), secrets(1));
        let (before, keys) = (committee(0, &first), genesis.keys());
        let handover = |height, next: &Committee| BlockHeader {
            height,
            next_committee: next.hash(&keys),
            ..genesis.block()
        };
        // A rung to the same members, or over a term, changes nothing that could be climbed.
        for next in [before.clone(), committee(2, &secrets(5))] {
            let head = certified(handover(5, &next), &before, 0, &first);
            let rung = Rung { head, next };
            assert_eq!(refused(&|place| *place = rung.clone()), RungFault::WrongCommittee);
        }
        let next = committee(1, &secrets(5));
        let rung = Rung {
            head: certified(handover(0, &next), &before, 0, &first),
            next,
        };
        assert_eq!(refused(&|place| *place = rung.clone()), RungFault::NotLater);
        // The block of the change itself was certified by the committee before.
        for height in [9, 10] {
            let next = committee(1, &secrets(5));
            let head = certified(handover(height, &next), &before, 0, &first);
            let rung = Rung { head, next };
            assert_eq!(refused(&|place| *place = rung.clone()), RungFault::TooLate);
        }
    }

    #[test]
    fn only_who_signed_twice_in_one_round_is_convicted() {
        let (genesis, secrets) = (genesis(), secrets(1));
        let (keys, committee) = (genesis.keys(), genesis.committee());
        let head = |time, round, voters: &[VoteKey]| {
            let header = BlockHeader {
                height: 3,
                time,
                ..genesis.block()
            };
            certified(header, &committee, round, voters)
        };
        let other_round = Evidence::of_heads(&keys, head(10, 0, &secrets), head(11, 1, &secrets));
        assert_eq!(other_round.verify(&keys, &committee), Ok(()));
        assert_eq!(convicted(&other_round, &committee), []);
        let overlap = Evidence::of_heads(&keys, head(10, 0, &secrets), head(11, 0, &secrets[1..]));
        let both: Vec<_> = secrets[1..3].iter().map(VoteKey::public).collect();
        assert_eq!(convicted(&overlap, &committee), both);

        let vote = |block: Hash| {
            let message = vote_message(keys.network(), VoteKind::Prevote, 9, 0, block);
            (block, secrets[2].sign(&message))
        };
        let votes = Evidence::TwoVotes(Box::new(TwoVotes {
            validator: secrets[2].public(),
            kind: VoteKind::Prevote,
            height: 9,
            round: 0,
            first: vote(Hash([1; 32])),
            second: vote(Hash([2; 32])),
        }));
        let file = EvidenceFile {
            genesis,
            ladder: Vec::new(),
            evidence: votes,
        };
        let accused = file.verify().unwrap();
        assert_eq!(convicted(&file.evidence, &accused), [secrets[2].public()]);
    }
}
