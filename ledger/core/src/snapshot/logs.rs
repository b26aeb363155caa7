//! The logs of one slot: their leaves in the log map, and the frontiers that the next entries are appended to.
//!
//! A leaf says how long a log is and what its root is; to append to it one needs the peaks that fold to that root. Both
//! travel together. For a log whose length is a power of two the root *is* the only peak, and it is not sent twice: most
//! logs are short. `// SPEC 25.3`

use super::SnapshotError;
use super::outline::{Slot, Span, subtree_root};
use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::{Hash, HashKeys};
use crate::keys::LogId;
use crate::log::{LogState, log_tree};
use crate::logmap::{MAP_LEAF_BYTES, MapLeaf};
use crate::merkle::Frontier;

/// The smallest row: a log of a length that is a power of two.
pub(super) const LOG_ROW_BYTES: usize = MAP_LEAF_BYTES;

/// One log as it travels. Nothing is checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRow {
    /// Its leaf in the log map.
    pub leaf: MapLeaf,
    /// The peaks of its tree.
    pub frontier: Frontier,
}

impl LogRow {
    /// The row of a log that has entries.
    #[must_use]
    pub fn of(keys: &HashKeys, state: &LogState) -> Self {
        Self {
            leaf: state.leaf(keys),
            frontier: state.frontier.clone(),
        }
    }

    /// The state, if the peaks fold to the root.
    fn check(self, keys: &HashKeys) -> Result<LogState, SnapshotError> {
        let Self { leaf, frontier } = self;
        let state = LogState {
            log: LogId(leaf.log.0),
            frontier,
            last_height: leaf.last_height,
        };
        if state.frontier.root(&log_tree(keys)) == leaf.root {
            Ok(state)
        } else {
            Err(SnapshotError::WrongFrontier { log: state.log })
        }
    }
}

impl Encode for LogRow {
    fn encode(&self, out: &mut Vec<u8>) {
        self.leaf.encode(out);
        if !self.leaf.length.is_power_of_two() {
            for peak in self.frontier.peaks() {
                peak.encode(out);
            }
        }
    }
}

impl Decode for LogRow {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let leaf = MapLeaf::decode(reader)?;
        if leaf.length == 0 {
            // Such a log is in no map.
            return Err(CodecError::BadValue);
        }
        let peaks = if leaf.length.is_power_of_two() {
            vec![leaf.root]
        } else {
            (0..leaf.length.count_ones())
                .map(|_| reader.hash())
                .collect::<Result<_, _>>()?
        };
        let frontier = Frontier::from_parts(leaf.length, peaks).map_err(|_| CodecError::BadValue)?;
        Ok(Self { leaf, frontier })
    }
}

/// Checks the rows of a slot against the outline; gives the states with their map keys, ascending.
///
/// Only the hash of a slot is certified. How many logs are in it is what the outline claims, and serves to say what is
/// wrong with rows that do not have the hash.
pub(super) fn check(
    keys: &HashKeys,
    (span, slot): &(Span, Slot),
    rows: Vec<LogRow>,
) -> Result<Vec<(Hash, LogState)>, SnapshotError> {
    let mut states = Vec::with_capacity(rows.len());
    let mut leaves: Vec<(Hash, Hash)> = Vec::with_capacity(rows.len());
    for row in rows {
        let (log, key) = (LogId(row.leaf.log.0), row.leaf.map_key(keys));
        if !span.contains(&key) {
            return Err(SnapshotError::OutsideSlot { log });
        }
        if leaves.last().is_some_and(|(last, _)| *last >= key) {
            return Err(SnapshotError::Unsorted { log });
        }
        leaves.push((key, row.leaf.hash(keys)));
        states.push((key, row.check(keys)?));
    }
    if subtree_root(keys, span.depth, &leaves) == slot.hash {
        return Ok(states);
    }
    let (given, claimed) = (u32::try_from(states.len()).unwrap_or(u32::MAX), slot.logs);
    Err(match given.cmp(&claimed) {
        core::cmp::Ordering::Less => SnapshotError::MissingLog { given, claimed },
        core::cmp::Ordering::Greater => SnapshotError::ExtraLog { given, claimed },
        core::cmp::Ordering::Equal => SnapshotError::WrongLog { start: span.start },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Place, log_leaf};

    fn keys() -> HashKeys {
        HashKeys::new(Hash([5; 32]))
    }

    fn state(keys: &HashKeys, number: u8) -> LogState {
        let mut state = LogState::empty(LogId([number; 32]));
        for index in 0..number {
            let place = Place {
                height: index.into(),
                time: index.into(),
                in_block: 0,
            };
            let leaf = log_leaf(keys, &Hash([index; 32]), &place);
            state.frontier.append(&log_tree(keys), leaf);
        }
        state.last_height = number.into();
        state
    }

    /// Eleven logs in one slot.
    fn slot(keys: &HashKeys) -> ((Span, Slot), Vec<LogRow>) {
        let mut rows: Vec<LogRow> = (1..12).map(|number| LogRow::of(keys, &state(keys, number))).collect();
        rows.sort_by_key(|row| row.leaf.map_key(keys));
        let leaves: Vec<_> = rows
            .iter()
            .map(|row| (row.leaf.map_key(keys), row.leaf.hash(keys)))
            .collect();
        let slot = Slot {
            depth: 0,
            logs: 11,
            hash: subtree_root(keys, 0, &leaves),
        };
        ((Span::ALL, slot), rows)
    }

    #[test]
    fn the_states_of_a_slot_come_out_as_they_went_in() {
        let keys = keys();
        let (slot, rows) = slot(&keys);
        let states = check(&keys, &slot, rows).unwrap();
        assert_eq!(states.len(), 11);
        for (key, found) in states {
            assert_eq!(found, state(&keys, found.log.0[0]));
            assert_eq!(key, found.leaf(&keys).map_key(&keys));
        }
    }

    #[test]
    fn each_lie_about_a_slot_has_a_name() {
        let keys = keys();
        let lie = |change: &dyn Fn(&mut Vec<LogRow>)| {
            let (slot, mut rows) = slot(&keys);
            change(&mut rows);
            check(&keys, &slot, rows).unwrap_err()
        };
        let start = Hash::ZERO;
        assert_eq!(
            lie(&|rows| rows[3].leaf.last_height += 1),
            SnapshotError::WrongLog { start }
        );
        let other = |rows: &mut Vec<LogRow>| {
            // Sound in itself, and not what is certified.
            let log = rows[3].leaf.log;
            let mut longer = state(&keys, 12);
            longer.log = LogId(log.0);
            rows[3] = LogRow::of(&keys, &longer);
        };
        assert_eq!(lie(&other), SnapshotError::WrongLog { start });
        let (given, claimed) = (10, 11);
        assert_eq!(
            lie(&|rows| drop(rows.remove(4))),
            SnapshotError::MissingLog { given, claimed }
        );
        let extra = |rows: &mut Vec<LogRow>| {
            rows.push(LogRow::of(&keys, &state(&keys, 99)));
            rows.sort_by_key(|row| row.leaf.map_key(&keys));
        };
        assert_eq!(lie(&extra), SnapshotError::ExtraLog { given: 12, claimed });
        let crooked = |rows: &mut Vec<LogRow>| {
            let row = rows.iter_mut().find(|row| row.leaf.length == 7).unwrap();
            let mut peaks = row.frontier.peaks().to_vec();
            peaks[1].0[0] ^= 1;
            row.frontier = Frontier::from_parts(7, peaks).unwrap();
        };
        let log = LogId([7; 32]);
        assert_eq!(lie(&crooked), SnapshotError::WrongFrontier { log });
        let twice = |rows: &mut Vec<LogRow>| rows.insert(4, rows[4].clone());
        assert!(matches!(lie(&twice), SnapshotError::Unsorted { .. }));
        assert!(matches!(lie(&|rows| rows.swap(1, 2)), SnapshotError::Unsorted { .. }));
    }

    #[test]
    fn a_log_of_another_slot_is_refused() {
        let keys = keys();
        let ((_, slot), rows) = slot(&keys);
        let half = Span::new(Hash::ZERO, 1).unwrap();
        let outside = rows.iter().find(|row| row.leaf.map_key(&keys).bit(0)).unwrap();
        let log = LogId(outside.leaf.log.0);
        assert_eq!(
            check(&keys, &(half, slot), rows),
            Err(SnapshotError::OutsideSlot { log })
        );
    }

    #[test]
    fn a_row_has_one_encoding_and_logs_of_a_power_of_two_send_no_peaks() {
        let keys = keys();
        for (length, bytes) in [
            (1, 80),
            (2, 80),
            (3, 80 + 64),
            (4, 80),
            (7, 80 + 96),
            (8, 80),
            (11, 80 + 96),
        ] {
            let row = LogRow::of(&keys, &state(&keys, length));
            let encoded = row.to_bytes();
            assert_eq!(encoded.len(), bytes, "a log of {length}");
            assert_eq!(LogRow::from_bytes(&encoded), Ok(row));
            assert!(LogRow::from_bytes(&encoded[..encoded.len() - 1]).is_err());
        }
        let mut empty = LogRow::of(&keys, &state(&keys, 1));
        empty.leaf.length = 0;
        assert_eq!(LogRow::from_bytes(&empty.leaf.to_bytes()), Err(CodecError::BadValue));
        empty.leaf.length = 1 << 63;
        assert_eq!(LogRow::from_bytes(&empty.leaf.to_bytes()), Err(CodecError::BadValue));
    }
}
