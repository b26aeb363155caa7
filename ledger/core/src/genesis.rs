//! The founding facts of a network.
//!
//! Whoever pins the hash of these bytes has pinned everything: who votes first, what a stamp costs, when time began.
//! The network id *is* that hash, every key derivation starts from it, and so nothing of one network verifies in
//! another. `// SPEC 7`

use crate::block::BlockHeader;
use crate::codec::{CodecError, Decode, Encode, Reader, put_bytes};
use crate::committee::{Committee, CommitteeError};
use crate::hash::{Hash, HashKeys, Meaning};
use crate::keys::{LogId, LogKey, ValidatorId};
use crate::limits::{NETWORK_NAME_BYTES_MAX, STAMP_BITS_MAX};

/// First bytes of every genesis; the last one is the version.
pub const GENESIS_MAGIC: [u8; 8] = *b"WXGENES\x01";

const NETWORK_CONTEXT: &str = "waxwing v1 network";
const COMMITTEE_LOG_CONTEXT: &str = "waxwing v1 committee log";

/// Numbers a committee can change; their hash stands in every header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// Leading zero bits every stamp needs.
    pub stamp_bits: u8,
    /// Further bits for the first entry of a log: logs are kept for ever by every node.
    pub new_log_bits: u8,
}

impl Parameters {
    /// About 50 µs and 3 ms of one core: unnoticed by a writer, felt by whoever writes thousands.
    pub const DEFAULT: Self = Self {
        stamp_bits: 8,
        new_log_bits: 6,
    };

    /// The hash in the header.
    #[must_use]
    pub fn hash(&self, keys: &HashKeys) -> Hash {
        keys.hash(Meaning::Parameters, &self.to_bytes())
    }

    /// Bits the stamp of an envelope needs.
    #[must_use]
    pub fn required_bits(&self, body_length: u32, first_of_log: FirstOfLog) -> u32 {
        let base = crate::envelope::stamp_bits(self.stamp_bits, body_length);
        match first_of_log {
            FirstOfLog::Yes => base.saturating_add(u32::from(self.new_log_bits)),
            FirstOfLog::No => base,
        }
    }
}

/// Whether an entry opens its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstOfLog {
    /// The log is new.
    Yes,
    /// The log has entries.
    No,
}

impl Encode for Parameters {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.stamp_bits, self.new_log_bits]);
    }
}

impl Decode for Parameters {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let parameters = Self {
            stamp_bits: reader.u8()?,
            new_log_bits: reader.u8()?,
        };
        let total = u16::from(parameters.stamp_bits) + u16::from(parameters.new_log_bits);
        if total > u16::from(STAMP_BITS_MAX) {
            Err(CodecError::BadValue)
        } else {
            Ok(parameters)
        }
    }
}

/// A network's founding facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Genesis {
    /// A name for people: 1 to 64 ASCII letters, digits, spaces, `-`, `_`, `.`. Other letters would make the network's id
    /// depend on the Unicode tables of whoever reads it.
    pub name: String,
    /// When the network was founded: the time of block 0, ms since 1970.
    pub time: u64,
    /// What a stamp costs.
    pub parameters: Parameters,
    /// Who votes in term 0, ascending.
    pub validators: Vec<ValidatorId>,
}

/// Why facts cannot found a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GenesisError {
    /// Empty, too long, or with other characters.
    BadName,
    /// Stamps would cost more than anybody can pay.
    StampTooHigh,
    /// Not a committee.
    Committee(CommitteeError),
}

impl core::fmt::Display for GenesisError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BadName => write!(
                f,
                "a network's name takes 1 to {NETWORK_NAME_BYTES_MAX} ASCII letters, digits, spaces, `-`, `_`, `.`"
            ),
            Self::StampTooHigh => write!(f, "stamps of more than {STAMP_BITS_MAX} bits cannot be paid by anybody"),
            Self::Committee(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for GenesisError {}

impl Genesis {
    /// Founds a network; validators may come in any order.
    ///
    /// # Errors
    /// If a fact is outside its bounds.
    pub fn new(
        name: &str,
        time: u64,
        parameters: Parameters,
        mut validators: Vec<ValidatorId>,
    ) -> Result<Self, GenesisError> {
        validators.sort_unstable();
        let genesis = Self {
            name: name.to_owned(),
            time,
            parameters,
            validators,
        };
        if !is_printable(name) {
            return Err(GenesisError::BadName);
        }
        if parameters.stamp_bits.saturating_add(parameters.new_log_bits) > STAMP_BITS_MAX {
            return Err(GenesisError::StampTooHigh);
        }
        Committee::new(0, genesis.validators.clone()).map_err(GenesisError::Committee)?;
        Ok(genesis)
    }

    /// The network id.
    #[must_use]
    pub fn network(&self) -> Hash {
        Hash(blake3::derive_key(NETWORK_CONTEXT, &self.to_bytes()))
    }

    /// The network's hash keys.
    #[must_use]
    pub fn keys(&self) -> HashKeys {
        HashKeys::new(self.network())
    }

    /// The committee of term 0.
    #[must_use]
    pub fn committee(&self) -> Committee {
        Committee::new(0, self.validators.clone()).expect("a genesis is only made and decoded with a sound committee")
    }

    /// The log on which committee changes are proposed. Its key grows from the genesis, so everybody can write there;
    /// what counts is the quorum of vote keys inside.
    #[must_use]
    pub fn committee_log(&self) -> LogKey {
        LogKey::from_seed(&blake3::derive_key(COMMITTEE_LOG_CONTEXT, &self.to_bytes()))
    }

    /// Its public name.
    #[must_use]
    pub fn committee_log_id(&self) -> LogId {
        self.committee_log().public()
    }

    /// Block 0: needs no certificate, everybody computes it.
    #[must_use]
    pub fn block(&self) -> BlockHeader {
        let keys = self.keys();
        let committee = self.committee().hash(&keys);
        BlockHeader {
            parameters: self.parameters.hash(&keys),
            network: keys.network(),
            term: 0,
            height: 0,
            time: self.time,
            parent: Hash::ZERO,
            history_root: crate::history::empty_root(),
            entries_root: Hash::ZERO,
            entry_count: 0,
            total_entries: 0,
            map_root: Hash::ZERO,
            log_count: 0,
            committee,
            next_committee: committee,
            evidence_root: Hash::ZERO,
            proposer: ValidatorId([0; 32]),
        }
    }
}

fn is_printable(name: &str) -> bool {
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    (1..=NETWORK_NAME_BYTES_MAX).contains(&length)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || " -_.".contains(c))
}

impl Encode for Genesis {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&GENESIS_MAGIC);
        put_bytes(out, self.name.as_bytes());
        out.extend_from_slice(&self.time.to_be_bytes());
        self.parameters.encode(out);
        crate::codec::put_list(out, &self.validators);
    }
}

impl Decode for Genesis {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&GENESIS_MAGIC)?;
        let name = core::str::from_utf8(reader.bytes(NETWORK_NAME_BYTES_MAX)?).map_err(|_| CodecError::BadValue)?;
        let time = reader.u64()?;
        let parameters = Parameters::decode(reader)?;
        let committee = Committee::decode_members(0, reader)?;
        if !is_printable(name) {
            return Err(CodecError::BadValue);
        }
        Ok(Self {
            name: name.to_owned(),
            time,
            parameters,
            validators: committee.members().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::VoteKey;

    fn genesis() -> Genesis {
        let validators = (1..=4).map(|seed| VoteKey::from_seed(&[seed; 32]).public()).collect();
        Genesis::new("test net", 1_000, Parameters::DEFAULT, validators).unwrap()
    }

    #[test]
    fn a_genesis_is_read_back_and_its_hash_covers_every_byte() {
        let genesis = genesis();
        let bytes = genesis.to_bytes();
        assert_eq!(Genesis::from_bytes(&bytes).as_ref(), Ok(&genesis));
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1;
            if let Ok(other) = Genesis::from_bytes(&other) {
                assert_ne!(other.network(), genesis.network(), "byte {place}");
            }
        }
    }

    #[test]
    fn unsound_facts_are_refused() {
        let one = vec![VoteKey::from_seed(&[1; 32]).public()];
        let new = |name: &str, parameters, validators| Genesis::new(name, 0, parameters, validators);
        assert_eq!(new("", Parameters::DEFAULT, one.clone()), Err(GenesisError::BadName));
        assert_eq!(
            new("a\u{1b}[2J", Parameters::DEFAULT, one.clone()),
            Err(GenesisError::BadName)
        );
        let high = Parameters {
            stamp_bits: 40,
            new_log_bits: 1,
        };
        assert_eq!(new("a", high, one.clone()), Err(GenesisError::StampTooHigh));
        let twice = vec![one[0], one[0]];
        let unsound = GenesisError::Committee(CommitteeError::NotAscending);
        assert_eq!(new("a", Parameters::DEFAULT, twice), Err(unsound));
    }
}
