//! The engine's view of our world: its traits on small types.
//!
//! Nothing here decides. A block is its header, shared and named by its id; an address is a vote key; every validator
//! weighs one. Nothing of the engine leaves this crate.

mod words;

use core::fmt;
use std::sync::Arc;

use arc_malachitebft_core_consensus as consensus;
use arc_malachitebft_core_types as types;
use types::{NilOrVal, ThresholdParam, ThresholdParams, VoteType};
use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::committee::Committee;
use waxwing_core::hash::HashKeys;
use waxwing_core::keys::{Signature, ValidatorId};

pub(crate) use types::Round;
pub(crate) use words::*;

pub(crate) type Input = consensus::Input<Waxwing>;
pub(crate) type State = consensus::State<Waxwing>;
pub(crate) type SignedVote = types::SignedVote<Waxwing>;
pub(crate) type SignedProposal = types::SignedProposal<Waxwing>;
pub(crate) type PolkaCertificate = types::PolkaCertificate<Waxwing>;
pub(crate) type RoundCertificate = types::RoundCertificate<Waxwing>;
pub(crate) type CommitCertificate = types::CommitCertificate<Waxwing>;
pub(crate) type ProposedValue = consensus::ProposedValue<Waxwing>;
pub(crate) type CertificateError = types::CertificateError<Waxwing>;

/// A vote key, as the engine's address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Address(pub(crate) ValidatorId);

/// A block id, as the engine's value id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct BlockId(pub(crate) Hash);

/// A signature, ordered by its bytes because the engine asks for an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sig(pub(crate) Signature);

/// A height.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(crate) struct Height(pub(crate) u64);

/// A block: what the engine decides on. Two with the same id are the same.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) id: Hash,
    pub(crate) header: Arc<BlockHeader>,
}

impl Block {
    pub(crate) fn new(keys: &HashKeys, header: BlockHeader) -> Self {
        Self {
            id: header.id(keys),
            header: Arc::new(header),
        }
    }
}

/// A member of the committee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member(Address);

impl Member {
    pub(crate) const fn id(&self) -> ValidatorId {
        self.0.0
    }
}

/// The committee of a height and the turns of its rounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Members(Arc<Turns>);

#[derive(PartialEq, Eq, Debug)]
struct Turns {
    members: Vec<Member>,
    turns: Vec<Member>,
}

impl Members {
    /// Turns of strangers are left out; without any turn, members propose in their order.
    pub(crate) fn new(committee: &Committee, turns: &[ValidatorId]) -> Self {
        let member = |id: &ValidatorId| Member(Address(*id));
        let members: Vec<Member> = committee.members().iter().map(member).collect();
        let is_member = |id: &&ValidatorId| committee.members().binary_search(id).is_ok();
        let mut turns: Vec<Member> = turns.iter().filter(is_member).map(member).collect();
        if turns.is_empty() {
            turns.clone_from(&members);
        }
        Self(Arc::new(Turns { members, turns }))
    }

    /// Whose turn it is.
    pub(crate) fn proposer(&self, round: Round) -> &Member {
        let turns = &self.0.turns;
        let round = usize::try_from(round.as_u32().unwrap_or(0)).unwrap_or(usize::MAX);
        turns
            .get(round % turns.len())
            .expect("a remainder is below the length, which is not zero")
    }
}

/// How many votes count as what. The engine compares `weight * denominator > total * numerator`, so these fractions say
/// exactly "at least `quorum`" and "more than f", by the ledger's own arithmetic.
pub(crate) fn thresholds(committee: &Committee, quorum: usize) -> ThresholdParams {
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let total = wide(committee.members().len());
    ThresholdParams {
        quorum: ThresholdParam::new(wide(quorum.saturating_sub(1)), total),
        honest: ThresholdParam::new(wide(committee.tolerated()), total),
    }
}

/// A proposal without its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Proposal {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) block: Block,
    pub(crate) polka_round: Round,
    pub(crate) validator: Address,
}

/// A vote without its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Vote {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) kind: VoteType,
    pub(crate) block: NilOrVal<BlockId>,
    pub(crate) validator: Address,
}

/// The family of types the engine is made of.
#[derive(Clone, Debug)]
pub(crate) struct Waxwing;

/// Blocks come whole; the engine's parts are not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NoPart;

/// Verification is ours, so this only names the types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Strict;

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Block {}

impl PartialOrd for Block {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Block {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.id.cmp(&other.id)
    }
}

impl PartialOrd for Sig {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sig {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.0.cmp(&other.0.0)
    }
}

impl types::Address for Address {}

impl types::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    fn decrement_by(&self, count: u64) -> Option<Self> {
        self.0.checked_sub(count).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl types::Value for Block {
    type Id = BlockId;

    fn id(&self) -> BlockId {
        BlockId(self.id)
    }
}

impl types::Validator<Waxwing> for Member {
    fn address(&self) -> &Address {
        &self.0
    }

    fn public_key(&self) -> &Address {
        &self.0
    }

    fn voting_power(&self) -> u64 {
        1
    }
}

impl types::ValidatorSet<Waxwing> for Members {
    fn count(&self) -> usize {
        self.0.members.len()
    }

    fn total_voting_power(&self) -> u64 {
        u64::try_from(self.0.members.len()).unwrap_or(u64::MAX)
    }

    fn get_by_address(&self, address: &Address) -> Option<&Member> {
        let members = &self.0.members;
        let place = members.binary_search_by(|member| member.0.cmp(address)).ok()?;
        members.get(place)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.members.get(index)
    }
}

impl types::ProposalPart<Waxwing> for NoPart {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

impl types::Proposal<Waxwing> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &Block {
        &self.block
    }

    fn take_value(self) -> Block {
        self.block
    }

    fn pol_round(&self) -> Round {
        self.polka_round
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }
}

impl types::Vote<Waxwing> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.block
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.block
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }

    fn extension(&self) -> Option<&types::SignedExtension<Waxwing>> {
        None
    }

    fn take_extension(&mut self) -> Option<types::SignedExtension<Waxwing>> {
        None
    }

    /// Votes are not extended: the host asks for none, see `VoteExtensionPolicy::Disabled`.
    fn extend(self, _: types::SignedExtension<Waxwing>) -> Self {
        self
    }
}

/// Signatures and keys of the wrong length: the engine never sees bytes, so nobody meets this.
#[derive(Debug)]
pub(crate) struct WrongLength;

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes have the wrong length")
    }
}

impl types::SigningScheme for Strict {
    type DecodingError = WrongLength;
    type Signature = Sig;
    type PublicKey = Address;
    /// The engine signs nothing itself.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Sig, WrongLength> {
        bytes
            .try_into()
            .map(|bytes| Sig(Signature(bytes)))
            .map_err(|_| WrongLength)
    }

    fn encode_signature(signature: &Sig) -> Vec<u8> {
        signature.0.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<Address, WrongLength> {
        bytes
            .try_into()
            .map(|bytes| Address(ValidatorId(bytes)))
            .map_err(|_| WrongLength)
    }

    fn encode_public_key(key: &Address) -> Vec<u8> {
        key.0.as_bytes().to_vec()
    }
}

impl types::Context for Waxwing {
    type Address = Address;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = Proposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = types::LinearTimeouts;
    type Value = Block;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Strict;

    fn select_proposer<'a>(&self, members: &'a Members, _: Height, round: Round) -> &'a Member {
        members.proposer(round)
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        block: Block,
        polka_round: Round,
        validator: Address,
    ) -> Proposal {
        Proposal {
            height,
            round,
            block,
            polka_round,
            validator,
        }
    }

    fn new_prevote(&self, height: Height, round: Round, block: NilOrVal<BlockId>, validator: Address) -> Vote {
        Vote {
            height,
            round,
            kind: VoteType::Prevote,
            block,
            validator,
        }
    }

    fn new_precommit(&self, height: Height, round: Round, block: NilOrVal<BlockId>, validator: Address) -> Vote {
        Vote {
            kind: VoteType::Precommit,
            ..self.new_prevote(height, round, block, validator)
        }
    }
}
