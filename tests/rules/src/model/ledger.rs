//! The ledger's rules once more, with no state but the list of all blocks: every question is answered by looking
//! through all of them, every root is computed from the first entry on.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_core::block::{BlockHeader, block_leaf};
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Anchor, SignedHeader};
use waxwing_core::genesis::Genesis;
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::history;
use waxwing_core::keys::{LogId, ValidatorId};
use waxwing_core::ledger::EntryFault;
use waxwing_core::log::{Place, log_leaf};
use waxwing_core::logmap::MapLeaf;
use waxwing_core::merkle::{KeyedTree, Sha256Tree};

use super::tree;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Everything that was ever ordered.
#[derive(Clone, Debug)]
pub struct NaiveLedger {
    genesis: Genesis,
    keys: HashKeys,
    /// From block 0 on, with the entries of each.
    blocks: Vec<(BlockHeader, Vec<SignedHeader>)>,
    /// Who votes from which height on. What changes it is for others to say: see [`NaiveLedger::expect_term`].
    terms: Vec<(u64, Committee)>,
}

/// The definition of the log map's root.
#[must_use]
pub fn map_root(keys: &HashKeys, leaves: &[(Hash, Hash)], depth: usize) -> Hash {
    match leaves {
        [] => Hash::ZERO,
        [(_, leaf)] => *leaf,
        more => {
            let (left, right): (Vec<_>, Vec<_>) = more.iter().partition(|(key, _)| !key.bit(depth));
            let (left, right) = (map_root(keys, &left, depth + 1), map_root(keys, &right, depth + 1));
            keys.node(Meaning::MapNode, &left, &right)
        }
    }
}

fn share(entry: &SignedHeader) -> u64 {
    224 + u64::from(entry.header.body_length)
}

impl NaiveLedger {
    /// Block 0 alone.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            keys: genesis.keys(),
            blocks: vec![(genesis.block(), Vec::new())],
            terms: vec![(0, genesis.committee())],
            genesis: genesis.clone(),
        }
    }

    /// The newest header.
    ///
    /// # Panics
    /// Never: there is a block 0.
    #[must_use]
    pub fn head(&self) -> &BlockHeader {
        &self.blocks.last().expect("there is a block 0").0
    }

    /// All headers, oldest first.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = &BlockHeader> {
        self.blocks.iter().map(|(header, _)| header)
    }

    /// From a height on another committee votes. One of the same term that was expected is not any more.
    pub fn expect_term(&mut self, from: u64, next: Committee) {
        self.terms.retain(|(_, committee)| committee.term() < next.term());
        self.terms.push((from, next));
    }

    fn committee(&self, height: u64) -> &Committee {
        let in_force = self.terms.iter().rev().find(|(from, _)| *from <= height);
        &in_force.or(self.terms.first()).expect("there is the genesis's").1
    }

    /// Adds a block.
    pub fn add(&mut self, header: BlockHeader, entries: Vec<SignedHeader>) {
        self.blocks.push((header, entries));
    }

    fn entries(&self) -> impl Iterator<Item = &SignedHeader> {
        self.blocks.iter().flat_map(|(_, entries)| entries)
    }

    fn has_log(&self, log: &LogId) -> bool {
        self.entries().any(|entry| entry.header.log == *log)
    }

    /// The blocks that envelopes may name, oldest first; expired ones until the ledger forgets them.
    #[must_use]
    pub fn anchors(&self) -> Vec<&BlockHeader> {
        let all: Vec<&BlockHeader> = self.headers().filter(|header| header.height % 64 == 0).collect();
        let newest = all.last().map(|header| header.height);
        let head = self.head().time;
        let is_kept = |header: &&BlockHeader| Some(header.height) == newest || head - header.time <= DAY_MS;
        all.into_iter().filter(is_kept).collect()
    }

    fn anchor_fault(&self, anchor: &Anchor, time: u64) -> Option<EntryFault> {
        let anchors = self.anchors();
        let named = anchors
            .iter()
            .find(|header| header.height == anchor.height && header.id(&self.keys) == anchor.id);
        let Some(named) = named else {
            return Some(EntryFault::AnchorUnknown);
        };
        let is_newest = anchors.last().is_some_and(|newest| newest.height == named.height);
        (!is_newest && time - named.time > DAY_MS).then_some(EntryFault::AnchorExpired)
    }

    /// Whether an entry may stand behind these in a block of this time.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verdict(&self, time: u64, before: &[SignedHeader], entry: &SignedHeader) -> Result<(), EntryFault> {
        let header = &entry.header;
        let total: u64 = before.iter().map(share).sum();
        if before.len() >= 8192 || total + share(entry) > 2 << 20 {
            return Err(EntryFault::BlockFull);
        }
        if let Some(fault) = self.anchor_fault(&header.anchor, time) {
            return Err(fault);
        }
        let stamp = header.stamp(&self.keys);
        if self
            .entries()
            .chain(before)
            .any(|other| other.header.stamp(&self.keys) == stamp)
        {
            return Err(EntryFault::Duplicate);
        }
        let same_log: Vec<&SignedHeader> = before.iter().filter(|other| other.header.log == header.log).collect();
        let of_log: u64 = same_log.iter().copied().map(share).sum();
        if same_log.len() >= 64 || of_log + share(entry) > 1 << 20 {
            return Err(EntryFault::LogFull);
        }
        let opens = same_log.is_empty() && !self.has_log(&header.log);
        let required = self.required(header.body_length, opens);
        if stamp.leading_zero_bits() < required {
            return Err(EntryFault::WeakStamp { required });
        }
        let opened: BTreeSet<LogId> = before.iter().map(|other| other.header.log).collect();
        if opens && opened.iter().filter(|log| !self.has_log(log)).count() >= 2048 {
            return Err(EntryFault::NewLogsFull);
        }
        Ok(())
    }

    fn required(&self, body_length: u32, opens: bool) -> u32 {
        let mut bits = u32::from(self.genesis.parameters.stamp_bits);
        let mut room = 1024;
        while room < body_length {
            room *= 2;
            bits += 1;
        }
        if opens {
            bits + u32::from(self.genesis.parameters.new_log_bits)
        } else {
            bits
        }
    }

    /// The state of every log after these blocks and one more, as leaves of the log map in order.
    fn logs(&self, next: (u64, u64, &[SignedHeader])) -> Vec<MapLeaf> {
        let mut logs: BTreeMap<LogId, (Vec<Hash>, u64)> = BTreeMap::new();
        let blocks = self
            .blocks
            .iter()
            .map(|(header, entries)| (header.height, header.time, entries.as_slice()));
        for (height, time, entries) in blocks.chain([next]) {
            for (in_block, entry) in (0..).zip(entries) {
                let place = Place { height, time, in_block };
                let leaf = log_leaf(&self.keys, &entry.entry_id(&self.keys), &place);
                let (leaves, last) = logs.entry(entry.header.log).or_default();
                leaves.push(leaf);
                *last = height;
            }
        }
        let leaf = |(log, (leaves, last_height)): (LogId, (Vec<Hash>, u64))| MapLeaf {
            log: log.as_hash(),
            length: u64::try_from(leaves.len()).unwrap_or(u64::MAX),
            root: tree::root(&KeyedTree::log(&self.keys), &leaves),
            last_height,
        };
        logs.into_iter().map(leaf).collect()
    }

    /// The log map's leaves after the newest block, as (map key, hash), ascending.
    #[must_use]
    pub fn map_leaves(&self) -> Vec<(Hash, Hash)> {
        self.sorted(&self.logs((0, 0, &[])))
    }

    fn sorted(&self, logs: &[MapLeaf]) -> Vec<(Hash, Hash)> {
        let mut leaves: Vec<_> = logs
            .iter()
            .map(|leaf| (leaf.map_key(&self.keys), leaf.hash(&self.keys)))
            .collect();
        leaves.sort_unstable();
        leaves
    }

    /// The header of the next block with these entries and no evidence.
    ///
    /// # Panics
    /// Never: there is always a committee.
    #[must_use]
    pub fn next_header(&self, time: u64, proposer: ValidatorId, entries: &[SignedHeader]) -> BlockHeader {
        let (keys, head) = (&self.keys, self.head());
        let height = head.height + 1;
        let history: Vec<Hash> = self.headers().map(history::leaf).collect();
        let logs = self.logs((height, time, entries));
        let mut lengths: BTreeMap<LogId, u64> = BTreeMap::new();
        for entry in self.entries() {
            *lengths.entry(entry.header.log).or_default() += 1;
        }
        let leaves: Vec<Hash> = entries
            .iter()
            .map(|entry| {
                let index = lengths.entry(entry.header.log).or_default();
                *index += 1;
                block_leaf(keys, &entry.entry_id(keys), *index - 1)
            })
            .collect();
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let committee = self.committee(height);
        BlockHeader {
            parameters: self.genesis.parameters.hash(keys),
            network: self.genesis.network(),
            term: committee.term(),
            height,
            time,
            parent: head.id(keys),
            history_root: tree::root(&Sha256Tree, &history),
            entries_root: tree::root(&KeyedTree::block(keys), &leaves),
            entry_count: count,
            total_entries: head.total_entries + u64::from(count),
            map_root: map_root(keys, &self.sorted(&logs), 0),
            log_count: u64::try_from(logs.len()).unwrap_or(u64::MAX),
            committee: committee.hash(keys),
            next_committee: self.committee(height + 1).hash(keys),
            evidence_root: Hash::ZERO,
            proposer,
        }
    }
}
