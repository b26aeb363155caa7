//! A change of the committee: no operator's privilege, but a quorum's word.
//!
//! Whoever votes now says who votes from a height on. A change travels as the body of an entry on the network's committee
//! log, on which everybody may write; what counts is the signatures inside. They are over the committee that signs, so a
//! change counts once: the next committee is another one. `// SPEC 8.4`

use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::committee::{Committee, CommitteeError, QuorumError, Signatures};
use crate::hash::{Hash, HashKeys};
use crate::keys::{ValidatorId, Verified, VoteKey};

/// First bytes of every change; the last one is the version.
pub const CHANGE_MAGIC: [u8; 8] = *b"WXCHANG\x01";

/// What the signed message starts with.
pub const CHANGE_DOMAIN: &[u8] = b"waxwing v1 committee change";

/// Who shall vote from a height on, and the signatures of those who vote now: a quorum's, or fewer while they are
/// being collected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitteeChange {
    /// The network.
    pub network: Hash,
    /// The first height that the next committee certifies.
    pub from_height: u64,
    /// Hash of the committee that signs.
    pub current: Hash,
    /// The next committee, its term one more.
    pub next: Committee,
    /// Signatures of the current one.
    pub signatures: Signatures,
}

/// Why a change has no effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// Its body is not here, so nobody can say what it changes. Such a body may not be erased.
    BodyMissing,
    /// It would expire one day, and whoever checks the ledger after that could not.
    WouldExpire,
    /// The bytes are no change.
    Malformed(CodecError),
    /// It is about another network.
    ForeignNetwork,
    /// It was signed for another committee than the one in force: it took effect already, or came too late.
    OtherCommittee,
    /// The next committee's term does not follow.
    WrongTerm,
    /// The height from which it should hold is not ahead any more.
    NotAhead,
    /// Another change, agreed on before, takes over at that height or earlier.
    Superseded,
    /// A quorum of the committee in force did not sign it.
    Quorum(QuorumError),
}

impl core::fmt::Display for ChangeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BodyMissing => f.write_str("the body of a change of the committee is missing"),
            Self::WouldExpire => f.write_str("a change of the committee must be kept for ever"),
            Self::Malformed(error) => write!(f, "not a change of the committee: {error}"),
            Self::ForeignNetwork => f.write_str("the change belongs to another network"),
            Self::OtherCommittee => f.write_str("the change was signed for another committee than the one in force"),
            Self::WrongTerm => f.write_str("the next committee's term does not follow"),
            Self::NotAhead => f.write_str("the height from which the change should hold has passed"),
            Self::Superseded => f.write_str("another change takes over at that height or earlier"),
            Self::Quorum(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ChangeError {}

/// The key does not vote in the committee that signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAMember;

impl core::fmt::Display for NotAMember {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the key does not vote in the committee that decides about this change")
    }
}

impl core::error::Error for NotAMember {}

impl CommitteeChange {
    /// A change that nobody has signed yet. Members may come in any order; one that comes twice is refused.
    ///
    /// # Errors
    /// If they are no committee.
    pub fn propose(
        keys: &HashKeys,
        current: &Committee,
        from_height: u64,
        mut members: Vec<ValidatorId>,
    ) -> Result<Self, CommitteeError> {
        members.sort_unstable();
        Ok(Self {
            network: keys.network(),
            from_height,
            current: current.hash(keys),
            next: Committee::new(current.term().saturating_add(1), members)?,
            signatures: Signatures::collect(current, []),
        })
    }

    /// The bytes that members of the current committee sign.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let mut message = CHANGE_DOMAIN.to_vec();
        self.encode_terms(&mut message);
        message
    }

    /// Adds a signature; a second one of the same key changes nothing.
    ///
    /// # Errors
    /// If the key does not vote in `current`.
    pub fn sign(&mut self, current: &Committee, key: &VoteKey) -> Result<(), NotAMember> {
        let place = current.members().binary_search(&key.public());
        let signed = (place.map_err(|_| NotAMember)?, key.sign(&self.message()));
        self.signatures = Signatures::collect(current, self.signatures.pairs().chain([signed]));
        Ok(())
    }

    /// Adds the signatures that somebody else collected for the same change. Whether they count is for
    /// [`CommitteeChange::verify`] to say.
    ///
    /// # Errors
    /// [`ChangeError::OtherCommittee`] if it is another change.
    pub fn merge(&mut self, current: &Committee, other: &Self) -> Result<(), ChangeError> {
        if self.message() != other.message() {
            return Err(ChangeError::OtherCommittee);
        }
        let both = self.signatures.pairs().chain(other.signatures.pairs());
        self.signatures = Signatures::collect(current, both);
        Ok(())
    }

    /// Checks that a quorum of `current` wants this. From when on it can hold is for the ledger to say.
    ///
    /// # Errors
    /// The first check that fails; see [`ChangeError`].
    pub fn verify(self, keys: &HashKeys, current: &Committee) -> Result<Verified<Self>, ChangeError> {
        if self.network != keys.network() {
            return Err(ChangeError::ForeignNetwork);
        }
        if self.current != current.hash(keys) {
            return Err(ChangeError::OtherCommittee);
        }
        if Some(self.next.term()) != current.term().checked_add(1) {
            return Err(ChangeError::WrongTerm);
        }
        self.signatures
            .verify(current, &self.message())
            .map_err(ChangeError::Quorum)?;
        let id = self.next.hash(keys);
        Ok(Verified::new(self, id))
    }

    fn encode_terms(&self, out: &mut Vec<u8>) {
        self.network.encode(out);
        out.extend_from_slice(&self.from_height.to_be_bytes());
        self.current.encode(out);
        self.next.encode(out);
    }
}

impl Encode for CommitteeChange {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&CHANGE_MAGIC);
        self.encode_terms(out);
        self.signatures.encode(out);
    }
}

impl Decode for CommitteeChange {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&CHANGE_MAGIC)?;
        Ok(Self {
            network: reader.hash()?,
            from_height: reader.u64()?,
            current: reader.hash()?,
            next: Committee::decode(reader)?,
            signatures: Signatures::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four(first: u8) -> (Committee, Vec<VoteKey>) {
        let mut secrets: Vec<_> = (first..first + 4).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        secrets.sort_by_key(VoteKey::public);
        let members = secrets.iter().map(VoteKey::public).collect();
        (Committee::new(3, members).unwrap(), secrets)
    }

    fn keys() -> HashKeys {
        HashKeys::new(Hash([9; 32]))
    }

    fn change(signers: usize) -> (CommitteeChange, Committee) {
        let (current, secrets) = four(1);
        let (next, _) = four(3);
        let mut change = CommitteeChange::propose(&keys(), &current, 40, next.members().to_vec()).unwrap();
        for key in secrets.iter().take(signers) {
            change.sign(&current, key).unwrap();
        }
        (change, current)
    }

    #[test]
    fn a_quorum_changes_the_committee_and_one_signature_less_does_not() {
        let (change3, current) = change(3);
        assert_eq!(CommitteeChange::from_bytes(&change3.to_bytes()).as_ref(), Ok(&change3));
        let verified = change3.clone().verify(&keys(), &current).unwrap();
        assert_eq!(verified.id(), change3.next.hash(&keys()));
        assert_eq!(verified.next.term(), 4);
        let (change2, _) = change(2);
        let few = Err(ChangeError::Quorum(QuorumError::TooFew));
        assert_eq!(change2.verify(&keys(), &current), few);
    }

    #[test]
    fn what_was_signed_is_what_counts() {
        let (good, current) = change(3);
        let refused = |change: CommitteeChange| change.verify(&keys(), &current).unwrap_err();
        let broken = ChangeError::Quorum(QuorumError::BadSignature);
        let mut later = good.clone();
        later.from_height += 1;
        assert_eq!(refused(later), broken);
        let mut other = good.clone();
        other.next = Committee::new(4, current.members().to_vec()).unwrap();
        assert_eq!(refused(other), broken);
        let mut term = good.clone();
        term.next = Committee::new(5, good.next.members().to_vec()).unwrap();
        assert_eq!(refused(term), ChangeError::WrongTerm);
        let mut foreign = good.clone();
        foreign.network = Hash([8; 32]);
        assert_eq!(refused(foreign), ChangeError::ForeignNetwork);
        let again = good.clone().verify(&keys(), &good.next).unwrap_err();
        assert_eq!(again, ChangeError::OtherCommittee);
    }

    #[test]
    fn the_next_committee_has_no_say_about_itself() {
        let (mut change, current) = change(0);
        let (next, secrets) = four(3);
        let strangers = secrets.iter().filter(|key| !current.members().contains(&key.public()));
        for key in strangers {
            assert_eq!(change.sign(&current, key), Err(NotAMember));
        }
        change.signatures = Signatures::collect(
            &next,
            (0..)
                .zip(&secrets)
                .map(|(place, key)| (place, key.sign(&change.message()))),
        );
        let refused = change.verify(&keys(), &current).unwrap_err();
        assert_eq!(refused, ChangeError::Quorum(QuorumError::BadSignature));
    }

    #[test]
    fn signatures_are_collected_in_any_order_and_from_several_hands() {
        let (whole, current) = change(3);
        let (_, secrets) = four(1);
        let (mut one, mut two) = (change(0).0, change(0).0);
        one.sign(&current, &secrets[2]).unwrap();
        one.sign(&current, &secrets[2]).unwrap();
        two.sign(&current, &secrets[1]).unwrap();
        two.sign(&current, &secrets[0]).unwrap();
        one.merge(&current, &two).unwrap();
        assert_eq!(one, whole);
        two.from_height += 1;
        assert_eq!(one.merge(&current, &two), Err(ChangeError::OtherCommittee));
    }
}
