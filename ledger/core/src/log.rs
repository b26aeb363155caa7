//! A log: an append-only sequence of entries, an RFC 6962 shaped tree over their places.
//!
//! A log leaf commits to when and where its entry was ordered, so a client that appends the entries it was given and
//! arrives at the proven root knows each one's block, time and place without believing anybody. `// SPEC 12`

use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::{Hash, HashKeys, Meaning};
use crate::keys::LogId;
use crate::logmap::MapLeaf;
use crate::merkle::{Frontier, KeyedTree};

/// Where an entry stands, apart from its index in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Height of its block.
    pub height: u64,
    /// Time of its block, ms since 1970.
    pub time: u64,
    /// Its place among the block's entries.
    pub in_block: u32,
}

impl Encode for Place {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.time.to_be_bytes());
        out.extend_from_slice(&self.in_block.to_be_bytes());
    }
}

impl Decode for Place {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: reader.u64()?,
            time: reader.u64()?,
            in_block: reader.u32()?,
        })
    }
}

/// The leaf of one entry in its log.
#[must_use]
pub fn log_leaf(keys: &HashKeys, entry: &Hash, place: &Place) -> Hash {
    let mut bytes = Vec::with_capacity(52);
    entry.encode(&mut bytes);
    place.encode(&mut bytes);
    keys.hash(Meaning::LogLeaf, &bytes)
}

/// The hasher of every log's tree.
#[must_use]
pub const fn log_tree(keys: &HashKeys) -> KeyedTree<'_> {
    KeyedTree::log(keys)
}

/// What must be known of a log to append to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogState {
    /// The log.
    pub log: LogId,
    /// Peaks of its tree; they know its length.
    pub frontier: Frontier,
    /// Height of the block with its last entry; 0 while empty.
    pub last_height: u64,
}

impl LogState {
    /// A log without entries.
    #[must_use]
    pub fn empty(log: LogId) -> Self {
        Self {
            log,
            frontier: Frontier::empty(),
            last_height: 0,
        }
    }

    /// Entries in it.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.frontier.len()
    }

    /// Its leaf in the log map.
    #[must_use]
    pub fn leaf(&self, keys: &HashKeys) -> MapLeaf {
        MapLeaf {
            log: self.log.as_hash(),
            length: self.length(),
            root: self.frontier.root(&log_tree(keys)),
            last_height: self.last_height,
        }
    }
}

/// Why entries do not continue a log to its proven state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogError {
    /// The proof is about another log.
    OtherLog,
    /// Fewer entries were given than the proof says there are.
    Withheld {
        /// Entries known now.
        have: u64,
        /// Entries there are.
        proven: u64,
    },
    /// More entries were given than there are, or the log got shorter.
    TooMany,
    /// Entries are not in the order of their blocks and places.
    OutOfOrder,
    /// The entries do not hash to the proven root.
    WrongRoot,
}

impl core::fmt::Display for LogError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OtherLog => f.write_str("the proof is about another log"),
            Self::Withheld { have, proven } => write!(f, "{proven} entries are proven to exist, {have} were given"),
            Self::TooMany => f.write_str("more entries were given than are proven to exist"),
            Self::OutOfOrder => f.write_str("the entries are out of order"),
            Self::WrongRoot => f.write_str("the entries do not hash to the proven root"),
        }
    }
}

impl core::error::Error for LogError {}

/// A reader's position in a log: the frontier of what it has checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogCursor {
    /// What is known and checked.
    pub state: LogState,
    last: Option<Place>,
}

impl LogCursor {
    /// At the start of a log.
    #[must_use]
    pub fn start(log: LogId) -> Self {
        Self {
            state: LogState::empty(log),
            last: None,
        }
    }

    /// Behind what was checked before, or behind a frontier somebody claims: a claim is as good as a check, because
    /// only the true one leads to the proven root.
    #[must_use]
    pub const fn at(state: LogState) -> Self {
        Self { state, last: None }
    }

    /// Appends `(entry id, place)` pairs and compares with the proven state; on any failure nothing has changed.
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn extend(&mut self, keys: &HashKeys, entries: &[(Hash, Place)], proven: &MapLeaf) -> Result<(), LogError> {
        if proven.log != self.state.log.as_hash() {
            return Err(LogError::OtherLog);
        }
        let added = u64::try_from(entries.len()).map_err(|_| LogError::TooMany)?;
        let have = self.state.length().checked_add(added).ok_or(LogError::TooMany)?;
        if have < proven.length {
            return Err(LogError::Withheld {
                have,
                proven: proven.length,
            });
        }
        if have > proven.length {
            return Err(LogError::TooMany);
        }
        let next = self.append(keys, entries)?;
        if next.state.leaf(keys) != *proven {
            return Err(LogError::WrongRoot);
        }
        *self = next;
        Ok(())
    }

    fn append(&self, keys: &HashKeys, entries: &[(Hash, Place)]) -> Result<Self, LogError> {
        let mut next = self.clone();
        for (id, place) in entries {
            let follows = match next.last {
                Some(last) => (last.height, last.in_block) < (place.height, place.in_block) && last.time <= place.time,
                None => next.state.last_height <= place.height,
            };
            if !follows {
                return Err(LogError::OutOfOrder);
            }
            next.state.frontier.append(&log_tree(keys), log_leaf(keys, id, place));
            next.state.last_height = place.height;
            next.last = Some(*place);
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: u32) -> Vec<(Hash, Place)> {
        let place = |n: u32| Place {
            height: 1 + u64::from(n) / 2,
            time: u64::from(n),
            in_block: n % 2,
        };
        (0..count)
            .map(|n| (Hash([u8::try_from(n).unwrap(); 32]), place(n)))
            .collect()
    }

    fn proven(keys: &HashKeys, log: LogId, entries: &[(Hash, Place)]) -> MapLeaf {
        LogCursor::start(log).append(keys, entries).unwrap().state.leaf(keys)
    }

    #[test]
    fn entries_are_accepted_exactly_when_they_lead_to_the_proven_root() {
        let (keys, log) = (HashKeys::new(Hash([1; 32])), LogId([2; 32]));
        let all = entries(7);
        let leaf = proven(&keys, log, &all);
        let mut cursor = LogCursor::start(log);
        cursor.extend(&keys, &all[..3], &proven(&keys, log, &all[..3])).unwrap();
        assert_eq!(cursor.clone().extend(&keys, &all[3..], &leaf), Ok(()));

        let short = cursor.clone().extend(&keys, &all[3..6], &leaf);
        assert_eq!(short, Err(LogError::Withheld { have: 6, proven: 7 }));
        let twice: Vec<_> = all[3..].iter().chain(&all[6..]).copied().collect();
        assert_eq!(cursor.clone().extend(&keys, &twice, &leaf), Err(LogError::TooMany));
        let mut swapped = all[3..].to_vec();
        swapped.swap(0, 1);
        assert_eq!(cursor.clone().extend(&keys, &swapped, &leaf), Err(LogError::OutOfOrder));
        let mut altered = all[3..].to_vec();
        altered[1].1.time += 1;
        assert_eq!(cursor.clone().extend(&keys, &altered, &leaf), Err(LogError::WrongRoot));
        let other = MapLeaf {
            log: Hash([3; 32]),
            ..leaf
        };
        assert_eq!(cursor.extend(&keys, &all[3..], &other), Err(LogError::OtherLog));
    }
}
