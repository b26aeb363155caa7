//! Who votes, and how many must agree.
//!
//! Of n = 3f + 1 validators up to f may lie; a statement counts when n - f of them signed it, since any two such
//! quorums share an honest one. `// SPEC 8`

use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::{Hash, HashKeys, Meaning};
use crate::keys::{Signature, ValidatorId};
use crate::limits::COMMITTEE_MAX;

/// The validators of one term, ascending by key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committee {
    term: u64,
    members: Vec<ValidatorId>,
}

/// Why a list of keys is no committee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitteeError {
    /// Nobody, or more than the limit.
    BadSize,
    /// Not strictly ascending: a key twice, or in another order.
    NotAscending,
    /// A key no signature could ever count for.
    UnusableKey,
}

impl core::fmt::Display for CommitteeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BadSize => write!(f, "a committee has 1 to {COMMITTEE_MAX} validators"),
            Self::NotAscending => f.write_str("a validator's key is listed twice or out of order"),
            Self::UnusableKey => f.write_str("a validator's key is not a usable ed25519 key"),
        }
    }
}

impl core::error::Error for CommitteeError {}

impl Committee {
    /// A committee of these members.
    ///
    /// # Errors
    /// If the list is not one; see [`CommitteeError`].
    pub fn new(term: u64, members: Vec<ValidatorId>) -> Result<Self, CommitteeError> {
        let limit = usize::try_from(COMMITTEE_MAX).unwrap_or(usize::MAX);
        if members.is_empty() || members.len() > limit {
            return Err(CommitteeError::BadSize);
        }
        if !members.is_sorted_by(|a, b| a < b) {
            return Err(CommitteeError::NotAscending);
        }
        if !members.iter().all(ValidatorId::is_usable) {
            return Err(CommitteeError::UnusableKey);
        }
        Ok(Self { term, members })
    }

    /// The term they vote in.
    #[must_use]
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// Their keys, ascending; a certificate's bitmap counts in this order.
    #[must_use]
    pub fn members(&self) -> &[ValidatorId] {
        &self.members
    }

    /// How many may lie without harm: f.
    #[must_use]
    pub fn tolerated(&self) -> usize {
        (self.members.len() - 1) / 3
    }

    /// How many must sign: n - f.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.members.len() - self.tolerated()
    }

    /// The hash in the headers.
    #[must_use]
    pub fn hash(&self, keys: &HashKeys) -> Hash {
        keys.hash(Meaning::Committee, &self.to_bytes())
    }

    pub(crate) fn decode_members(term: u64, reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let members = reader.list(COMMITTEE_MAX, 32)?;
        Self::new(term, members).map_err(|_| CodecError::BadValue)
    }
}

impl Encode for Committee {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.term.to_be_bytes());
        crate::codec::put_list(out, &self.members);
    }
}

impl Decode for Committee {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let term = reader.u64()?;
        Self::decode_members(term, reader)
    }
}

/// Why signatures are not a quorum's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuorumError {
    /// The bitmap has not one bit per member, or bits beyond the last.
    WrongBitmap,
    /// Fewer signers than the quorum.
    TooFew,
    /// A signature does not count.
    BadSignature,
}

impl core::fmt::Display for QuorumError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::WrongBitmap => "the list of signers does not fit the committee",
            Self::TooFew => "too few validators signed",
            Self::BadSignature => "a validator's signature does not count",
        })
    }
}

impl core::error::Error for QuorumError {}

/// Signatures of several members over one message: a bitmap in committee order (most significant bit first), then one
/// signature per set bit. There is no way to write a signer twice or in another order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signatures {
    bitmap: Vec<u8>,
    signatures: Vec<Signature>,
}

impl Signatures {
    /// Collects `(member index, signature)` pairs, in any order; of two for one member the first stays.
    #[must_use]
    pub fn collect(committee: &Committee, signed: impl IntoIterator<Item = (usize, Signature)>) -> Self {
        let mut slots: Vec<Option<Signature>> = vec![None; committee.members.len()];
        for (member, signature) in signed {
            if let Some(slot) = slots.get_mut(member) {
                slot.get_or_insert(signature);
            }
        }
        let mut bitmap = vec![0; slots.len().div_ceil(8)];
        for (member, _) in slots.iter().enumerate().filter(|(_, slot)| slot.is_some()) {
            if let Some(byte) = bitmap.get_mut(member / 8) {
                *byte |= 0x80 >> (member % 8);
            }
        }
        Self {
            bitmap,
            signatures: slots.into_iter().flatten().collect(),
        }
    }

    /// Member indexes of the signers, ascending.
    pub fn signers(&self) -> impl Iterator<Item = usize> {
        let set = |(place, byte): (usize, &u8)| {
            let byte = *byte;
            (0..8)
                .filter(move |bit| byte & (0x80 >> bit) != 0)
                .map(move |bit| place * 8 + bit)
        };
        self.bitmap.iter().enumerate().flat_map(set)
    }

    /// Member indexes with their signatures, ascending.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, Signature)> {
        self.signers().zip(self.signatures.iter().copied())
    }

    /// Checks that a quorum of `committee` signed `message`.
    ///
    /// # Errors
    /// See [`QuorumError`]; every given signature must count, not only enough of them.
    pub fn verify(&self, committee: &Committee, message: &[u8]) -> Result<(), QuorumError> {
        let members = committee.members();
        let in_range = self.signers().all(|member| member < members.len());
        if self.bitmap.len() != members.len().div_ceil(8) || !in_range {
            return Err(QuorumError::WrongBitmap);
        }
        if self.signatures.len() < committee.quorum() {
            return Err(QuorumError::TooFew);
        }
        for (member, signature) in self.signers().zip(&self.signatures) {
            let key = members.get(member).ok_or(QuorumError::WrongBitmap)?;
            key.verify(message, signature).map_err(|_| QuorumError::BadSignature)?;
        }
        Ok(())
    }
}

impl Encode for Signatures {
    fn encode(&self, out: &mut Vec<u8>) {
        crate::codec::put_bytes(out, &self.bitmap);
        for signature in &self.signatures {
            signature.encode(out);
        }
    }
}

impl Decode for Signatures {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let bitmap = reader.bytes(COMMITTEE_MAX.div_ceil(8))?.to_vec();
        let signers: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
        let signatures = (0..signers)
            .map(|_| Signature::decode(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self { bitmap, signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::VoteKey;

    fn members(count: u8) -> (Committee, Vec<VoteKey>) {
        let mut secrets: Vec<_> = (1..=count).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        secrets.sort_by_key(VoteKey::public);
        (
            Committee::new(3, secrets.iter().map(VoteKey::public).collect()).unwrap(),
            secrets,
        )
    }

    #[test]
    fn quorums_share_an_honest_member() {
        for (n, quorum) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)] {
            let (committee, _) = members(n);
            assert_eq!(committee.quorum(), quorum, "n = {n}");
            assert!(2 * quorum > usize::from(n) + committee.tolerated());
        }
    }

    #[test]
    fn a_quorum_counts_and_one_signer_less_does_not() {
        let (committee, secrets) = members(10);
        let sign = |member: usize| (member, secrets[member].sign(b"x"));
        let quorum = Signatures::collect(&committee, (3..10).rev().map(sign));
        assert_eq!(quorum.verify(&committee, b"x"), Ok(()));
        assert_eq!(quorum.verify(&committee, b"y"), Err(QuorumError::BadSignature));
        assert_eq!(Signatures::from_bytes(&quorum.to_bytes()), Ok(quorum));
        let fewer = Signatures::collect(&committee, (4..10).map(sign));
        assert_eq!(fewer.verify(&committee, b"x"), Err(QuorumError::TooFew));
    }

    #[test]
    fn one_member_cannot_count_twice_or_for_another() {
        let (committee, secrets) = members(4);
        let own = secrets[0].sign(b"x");
        let twice = Signatures::collect(&committee, [(0, own), (0, own), (0, own)]);
        assert_eq!(twice.verify(&committee, b"x"), Err(QuorumError::TooFew));
        let posing = Signatures::collect(&committee, [(0, own), (1, own), (2, own)]);
        assert_eq!(posing.verify(&committee, b"x"), Err(QuorumError::BadSignature));
    }

    #[test]
    fn bits_beyond_the_last_member_are_refused() {
        let (committee, secrets) = members(4);
        let mut all = Signatures::collect(&committee, (0..4).map(|m| (m, secrets[m].sign(b"x"))));
        all.bitmap[0] |= 0x08;
        all.signatures.push(all.signatures[0]);
        assert_eq!(all.verify(&committee, b"x"), Err(QuorumError::WrongBitmap));
    }

    #[test]
    fn lists_that_are_no_committee_are_refused() {
        let (committee, _) = members(4);
        let mut reversed = committee.members().to_vec();
        reversed.reverse();
        assert_eq!(Committee::new(0, reversed), Err(CommitteeError::NotAscending));
        assert_eq!(Committee::new(0, vec![]), Err(CommitteeError::BadSize));
        assert_eq!(
            Committee::new(0, vec![ValidatorId([0; 32])]),
            Err(CommitteeError::UnusableKey)
        );
    }
}
