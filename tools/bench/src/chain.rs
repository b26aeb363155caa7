//! A ledger of which only the headers exist: a million blocks in seconds, for proofs that only speak of headers.
//!
//! The chain is as real as a proof can tell: heights, parents, times and history roots follow the rules, and any header
//! can be certified by a quorum. There are no entries behind the roots.

use std::collections::HashSet;

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::committee::Committee;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use waxwing_core::logmap::{LogMap, MapLeaf, MapPath, MapProof, map_key};
use waxwing_core::merkle::{self, Frontier, InclusionProof, Sha256Tree};
use waxwing_core::{Hash, HashKeys, Meaning, history};

/// Validators of the network whose proofs are measured.
pub(crate) const VALIDATORS: u8 = 7;

const FOUNDED_MS: u64 = 1_700_000_000_000;

/// Time between two blocks.
const PACE_MS: u64 = 1_000;

/// A committee with its keys.
pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    pub(crate) keys: HashKeys,
    pub(crate) committee: Committee,
    voters: Vec<VoteKey>,
}

impl Network {
    pub(crate) fn found() -> anyhow::Result<Self> {
        let voters: Vec<VoteKey> = (1..=VALIDATORS).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        let members = voters.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("bench", FOUNDED_MS, Parameters::DEFAULT, members)?;
        Ok(Self {
            keys: genesis.keys(),
            committee: genesis.committee(),
            genesis,
            voters,
        })
    }

    /// Makes a header final with no more signatures than a quorum needs.
    pub(crate) fn certify(&self, header: BlockHeader) -> Head {
        let id = header.id(&self.keys);
        let quorum: Vec<&VoteKey> = self.voters.iter().take(self.committee.quorum()).collect();
        let certificate = Certificate::sign(&self.committee, 0, &header, id, &quorum);
        Head { header, certificate }
    }
}

/// A chain of headers.
pub(crate) struct Chain {
    /// The newest header.
    pub(crate) newest: BlockHeader,
    /// The header that a client is to hold.
    pub(crate) held: BlockHeader,
    /// Leaves of the history tree, the newest header not among them.
    leaves: Vec<Hash>,
}

impl Chain {
    /// So many blocks after genesis, of one entry each; `change` sets what the newest header says beside that.
    pub(crate) fn grow(network: &Network, blocks: u64, held: u64, change: impl FnOnce(&mut BlockHeader)) -> Self {
        let mut newest = network.genesis.block();
        let mut held_header = newest.clone();
        let (mut history, mut leaves) = (Frontier::empty(), Vec::new());
        for height in 1..=blocks {
            let leaf = history::leaf(&newest);
            history.append(&Sha256Tree, leaf);
            leaves.push(leaf);
            newest = BlockHeader {
                height,
                time: newest.time + PACE_MS,
                parent: newest.id(&network.keys),
                history_root: history.root(&Sha256Tree),
                entries_root: leaf,
                entry_count: 1,
                total_entries: height,
                ..newest
            };
            if height == held {
                held_header = newest.clone();
            }
        }
        change(&mut newest);
        Self {
            newest,
            held: held_header,
            leaves,
        }
    }

    /// That the newest header extends the held one.
    pub(crate) fn extension(&self) -> anyhow::Result<InclusionProof> {
        Ok(merkle::path_of(&Sha256Tree, &self.leaves, self.held.height)?)
    }
}

/// A log map of so many logs, and some of its leaves.
pub(crate) struct Logs {
    pub(crate) map: LogMap,
    /// Spread evenly over the map.
    pub(crate) sample: Vec<MapLeaf>,
}

impl Logs {
    pub(crate) fn new(keys: &HashKeys, count: u64, sample: u64) -> anyhow::Result<Self> {
        let mut rows: Vec<(Hash, MapLeaf)> = (0..count)
            .map(|number| {
                let log = keys.hash(Meaning::Body, &number.to_be_bytes());
                let leaf = MapLeaf {
                    log,
                    length: number + 1,
                    root: keys.hash(Meaning::LogNode, log.as_bytes()),
                    last_height: number,
                };
                (map_key(keys, &log), leaf)
            })
            .collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        let map = LogMap::build(keys, rows.iter().map(|(key, leaf)| (*key, leaf.hash(keys))))?;
        let step = usize::try_from((count / sample).max(1))?;
        let sample = rows.iter().step_by(step).map(|(_, leaf)| *leaf).collect();
        Ok(Self { map, sample })
    }

    pub(crate) fn prove(&self, keys: &HashKeys, leaf: &MapLeaf) -> anyhow::Result<MapProof> {
        match self.map.prove(&leaf.map_key(keys)) {
            MapPath::Present(proof) => Ok(proof),
            MapPath::EmptySlot(_) | MapPath::OtherLeaf(_) => {
                anyhow::bail!("a log that was put into the map is missing")
            }
        }
    }
}

/// Numbers below `end` that look random and are the same in every run, each once.
pub(crate) fn spread(keys: &HashKeys, end: u64, count: u64) -> Vec<u64> {
    let mut seen = HashSet::new();
    (0_u64..)
        .map(|number| keys.hash(Meaning::Evidence, &number.to_be_bytes()))
        .map(|hash| {
            hash.0
                .iter()
                .take(8)
                .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
                % end
        })
        .filter(|number| seen.insert(*number))
        .take(usize::try_from(count.min(end)).unwrap_or(usize::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::follow::{Accepted, Follow, HeadUpdate};

    #[test]
    fn a_client_follows_the_chain_from_any_header_of_it() {
        let network = Network::found().unwrap();
        for held in [0, 13, 69] {
            let chain = Chain::grow(&network, 70, held, |_| ());
            let id = chain.held.id(&network.keys);
            let committee = network.committee.clone();
            let mut follow = Follow::from_pin(network.keys.clone(), id, chain.held.clone(), committee).unwrap();
            let update = HeadUpdate {
                ladder: Vec::new(),
                head: network.certify(chain.newest.clone()),
                extension: chain.extension().unwrap(),
            };
            assert_eq!(follow.accept(&update, chain.newest.time), Ok(Accepted::Newer));
        }
    }

    #[test]
    fn spread_numbers_are_distinct_and_within_bounds() {
        let keys = HashKeys::new(Hash::ZERO);
        let numbers = spread(&keys, 10, 100);
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        assert_ne!(numbers, sorted, "in another order");
    }
}
