//! A whole network in memory, small and always the same: what vectors are taken from and laws are tried on.
//!
//! It keeps every block it made, so any proof about any height can be made for it. Keys come from seeds, times are
//! arguments, stamps cost a few hashes: what it makes on one machine it makes on every machine.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use waxwing_core::block::{BlockHeader, CertifiedBlock, block_leaf};
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Anchor, Body, Carried, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::{HeadUpdate, LogProof};
use waxwing_core::genesis::{FirstOfLog, Genesis, Parameters};
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::history;
use waxwing_core::keys::{LogId, LogKey, ValidatorId, Verified, VoteKey};
use waxwing_core::ledger::{Draft, Ledger, LedgerReader, Step};
use waxwing_core::log::{LogState, Place};
use waxwing_core::logmap::{MapPath, map_key};
use waxwing_core::merkle::{InclusionProof, KeyedTree, Sha256Tree, path_of};
use waxwing_core::receipt::Receipt;

/// When the network was founded.
pub const FOUNDED: u64 = 1_700_000_000_000;

/// Cheap stamps: the rules are the same, the tests are quick.
pub const CHEAP: Parameters = Parameters {
    stamp_bits: 1,
    new_log_bits: 3,
};

/// What a store would hold beside the blocks.
#[derive(Clone, Default, Debug)]
pub struct Rows {
    logs: HashMap<LogId, LogState>,
    known: HashSet<(u64, Hash)>,
}

impl Rows {
    /// The leaves of the log map, ascending by map key, as (map key, hash).
    #[must_use]
    pub fn map_leaves(&self, keys: &HashKeys) -> Vec<(Hash, Hash)> {
        let leaf = |state: &LogState| (map_key(keys, &state.log.as_hash()), state.leaf(keys).hash(keys));
        let mut leaves: Vec<(Hash, Hash)> = self.logs.values().map(leaf).collect();
        leaves.sort_unstable();
        leaves
    }

    /// Takes in what a block changes, and forgets what its anchors' end makes useless.
    pub fn apply(&mut self, step: &Step) {
        for change in &step.logs {
            self.logs.insert(change.state.log, change.state.clone());
        }
        for entry in &step.entries {
            self.known
                .insert((entry.carried.signed.header.anchor.height, entry.stamp));
        }
        self.known.retain(|(anchor, _)| !step.expired_anchors.contains(anchor));
    }
}

impl LedgerReader for Rows {
    type Error = Infallible;

    fn log(&self, log: &LogId) -> Result<Option<LogState>, Infallible> {
        Ok(self.logs.get(log).cloned())
    }

    fn is_known(&self, anchor: u64, stamp: &Hash) -> Result<bool, Infallible> {
        Ok(self.known.contains(&(anchor, *stamp)))
    }
}

/// A network: its founding facts, its secrets, and everything that happened.
#[derive(Debug)]
pub struct World {
    /// The founding facts.
    pub genesis: Genesis,
    /// The keys of whoever votes in any term; the founders' first, in committee order.
    pub voters: Vec<VoteKey>,
    /// The state after the newest block.
    pub ledger: Ledger,
    /// The rest of the state.
    pub rows: Rows,
    /// Every block from height 1 on.
    pub blocks: Vec<CertifiedBlock>,
    /// The index in its log of every entry of every block.
    indexes: Vec<Vec<u64>>,
}

/// The keys of `count` validators, ascending by public key.
#[must_use]
pub fn voters(seeds: core::ops::RangeInclusive<u8>) -> Vec<VoteKey> {
    let mut voters: Vec<_> = seeds.map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
    voters.sort_by_key(VoteKey::public);
    voters
}

/// The key of the log that writer number `writer` writes on.
#[must_use]
pub fn log_key(writer: u8) -> LogKey {
    LogKey::from_seed(&[writer; 32])
}

impl World {
    /// A network of this many validators, with [`CHEAP`] stamps.
    ///
    /// # Panics
    /// If that is no committee.
    #[must_use]
    pub fn new(validators: u8) -> Self {
        let voters = voters(1..=validators);
        let members = voters.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("small world", FOUNDED, CHEAP, members).expect("sound facts");
        Self {
            ledger: Ledger::new(&genesis),
            rows: Rows::default(),
            blocks: Vec::new(),
            indexes: Vec::new(),
            genesis,
            voters,
        }
    }

    /// The network's hash keys.
    #[must_use]
    pub const fn keys(&self) -> &HashKeys {
        self.ledger.keys()
    }

    /// Height of the newest block.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.ledger.head().height
    }

    /// The header at a height.
    ///
    /// # Panics
    /// If there is no such block.
    #[must_use]
    pub fn header(&self, height: u64) -> BlockHeader {
        self.headers()
            .nth(usize::try_from(height).expect("heights of tests are small"))
            .expect("the block was made before")
    }

    /// All headers, oldest first.
    pub fn headers(&self) -> impl Iterator<Item = BlockHeader> {
        let blocks = self.blocks.iter().map(|block| block.head.header.clone());
        core::iter::once(self.genesis.block()).chain(blocks)
    }

    /// An envelope under any anchor, whose stamp has exactly this many zero bits: neither fewer nor more.
    ///
    /// # Panics
    /// If the body is longer than four gigabytes.
    #[must_use]
    pub fn envelope_at(&self, anchor: Anchor, writer: u8, body: &[u8], bits: u32) -> Envelope {
        let (keys, key) = (self.keys(), log_key(writer));
        let mut header = EnvelopeHeader {
            body_length: u32::try_from(body.len()).expect("bodies of tests are small"),
            log: key.public(),
            anchor,
            body_hash: keys.hash(Meaning::Body, body),
            erasure: ErasureSecret([writer; 32]).commitment(keys),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        while header.stamp(keys).leading_zero_bits() != bits {
            header.nonce += 1;
        }
        Envelope {
            signed: header.sign(keys, &key),
            body: body.to_vec(),
        }
    }

    /// An envelope that may stand in the next block: under the newest anchor, with the stamp that its log asks for.
    ///
    /// # Panics
    /// Never: there is always an anchor.
    #[must_use]
    pub fn envelope(&self, writer: u8, body: &[u8]) -> Envelope {
        let anchor = self.newest_anchor();
        let first = if self.rows.logs.contains_key(&log_key(writer).public()) {
            FirstOfLog::No
        } else {
            FirstOfLog::Yes
        };
        let length = u32::try_from(body.len()).expect("bodies of tests are small");
        let bits = self.ledger.parameters().required_bits(length, first);
        self.envelope_at(anchor, writer, body, bits)
    }

    /// The newest block that envelopes may name.
    ///
    /// # Panics
    /// Never: block 0 is one.
    #[must_use]
    pub fn newest_anchor(&self) -> Anchor {
        self.ledger.anchors().newest().expect("there is always an anchor")
    }

    /// Checks an envelope as intake would.
    ///
    /// # Panics
    /// If it is not sound in itself.
    #[must_use]
    pub fn verified(&self, envelope: &Envelope) -> Arc<Verified<Carried>> {
        let carried = Carried {
            signed: envelope.signed.clone(),
            body: Body::Present(envelope.body.clone()),
        };
        let bits = self.ledger.parameters().stamp_bits;
        Arc::new(
            carried
                .verify(self.keys(), bits)
                .expect("an envelope made here is sound"),
        )
    }

    /// A block of these envelopes as the next one.
    ///
    /// # Panics
    /// If one of them may not stand there.
    pub fn propose(&self, time: u64, envelopes: &[Envelope], evidence: Vec<Evidence>) -> Step {
        let members = self.ledger.committee().members();
        let proposer = *members.first().expect("there is a validator");
        self.drafted(time, envelopes).finish(proposer, evidence)
    }

    /// The same by a proposer of choice.
    ///
    /// # Panics
    /// If one of them may not stand there.
    pub fn propose_as(&self, proposer: ValidatorId, time: u64, envelopes: &[Envelope]) -> Step {
        self.drafted(time, envelopes).finish(proposer, Vec::new())
    }

    fn drafted(&self, time: u64, envelopes: &[Envelope]) -> Draft<'_, Rows> {
        let mut draft = self.ledger.draft(&self.rows, time);
        for envelope in envelopes {
            let admitted = draft.add(self.verified(envelope)).expect("memory can be read");
            admitted.expect("the envelope may stand in this block");
        }
        draft
    }

    /// The block that a step makes, certified.
    #[must_use]
    pub fn certified(&self, step: &Step) -> CertifiedBlock {
        CertifiedBlock {
            head: self.certify(&step.header),
            entries: step.entries.iter().map(|entry| (**entry.carried).clone()).collect(),
            evidence: step.evidence.clone(),
        }
    }

    /// A header with the certificate of the smallest quorum.
    #[must_use]
    pub fn certify(&self, header: &BlockHeader) -> Head {
        self.certify_with(header, self.ledger.ladder().at(header.height).quorum())
    }

    /// A header with the signatures of the first few validators of its height.
    #[must_use]
    pub fn certify_with(&self, header: &BlockHeader, signers: usize) -> Head {
        let committee = self.ledger.ladder().at(header.height);
        let signers: Vec<&VoteKey> = self.keys_of(committee).into_iter().take(signers).collect();
        let id = header.id(self.keys());
        Head {
            header: header.clone(),
            certificate: Certificate::sign(committee, 0, header, id, &signers),
        }
    }

    /// The keys of a committee, in its order.
    #[must_use]
    pub fn keys_of(&self, committee: &Committee) -> Vec<&VoteKey> {
        let key = |member: &ValidatorId| self.voters.iter().find(|key| key.public() == *member);
        committee.members().iter().filter_map(key).collect()
    }

    /// Adds a block of these envelopes, a second after the newest one.
    pub fn grow(&mut self, envelopes: &[Envelope]) -> u64 {
        let time = self.ledger.head().time + 1_000;
        self.grow_at(time, envelopes, Vec::new())
    }

    /// Adds a block.
    pub fn grow_at(&mut self, time: u64, envelopes: &[Envelope], evidence: Vec<Evidence>) -> u64 {
        let step = self.propose(time, envelopes, evidence);
        self.commit(step)
    }

    /// Makes a step true: what a store and a ledger do with it.
    pub fn commit(&mut self, step: Step) -> u64 {
        self.rows.apply(&step);
        self.indexes
            .push(step.entries.iter().map(|entry| entry.log_index).collect());
        self.blocks.push(self.certified(&step));
        self.ledger.advance(step);
        self.height()
    }

    /// The newest head, or an older one.
    ///
    /// # Panics
    /// If there is no such block.
    #[must_use]
    pub fn head(&self, height: u64) -> Head {
        self.block(height).head.clone()
    }

    /// The block at a height from 1 on.
    ///
    /// # Panics
    /// If there is no such block.
    #[must_use]
    pub fn block(&self, height: u64) -> &CertifiedBlock {
        let place = usize::try_from(height).ok().and_then(|height| height.checked_sub(1));
        place
            .and_then(|place| self.blocks.get(place))
            .expect("the block was made before")
    }

    /// That the header at `older` stands in the history of the one at `newer`. Empty if they are one.
    ///
    /// # Panics
    /// If `older` is not older.
    #[must_use]
    pub fn extension(&self, older: u64, newer: u64) -> InclusionProof {
        if older == newer {
            return InclusionProof::default();
        }
        let before = usize::try_from(newer).expect("heights of tests are small");
        let leaves: Vec<Hash> = self
            .headers()
            .take(before)
            .map(|header| history::leaf(&header))
            .collect();
        path_of(&Sha256Tree, &leaves, older).expect("it is older")
    }

    /// What brings a client from one head to a newer one.
    #[must_use]
    pub fn update(&self, held: u64, newer: u64) -> HeadUpdate {
        HeadUpdate {
            ladder: Vec::new(),
            head: self.head(newer),
            extension: self.extension(held, newer),
        }
    }

    /// What the newest head says about a log.
    ///
    /// # Panics
    /// Never: the rows hold every log of the map.
    #[must_use]
    pub fn log_proof(&self, log: &LogId) -> LogProof {
        let keys = self.keys();
        match self.ledger.prove(&map_key(keys, &log.as_hash())) {
            MapPath::Present(path) => LogProof {
                leaf: self.rows.logs.get(log).map(|state| state.leaf(keys)),
                path,
            },
            MapPath::EmptySlot(path) => LogProof { leaf: None, path },
            MapPath::OtherLeaf(path) => {
                let mut leaves = self.rows.logs.values().map(|state| state.leaf(keys));
                let other = leaves
                    .find(|leaf| leaf.map_key(keys) == *path.map_key())
                    .expect("the rows hold every log of the map");
                let path = path.into_absence(keys, other).expect("it is that log's leaf");
                LogProof { leaf: None, path }
            }
        }
    }

    /// The entries of a log, oldest first: id and place.
    #[must_use]
    pub fn entries(&self, log: &LogId) -> Vec<(Hash, Place)> {
        let keys = self.keys();
        let of_block = |block: &CertifiedBlock| {
            let (height, time) = (block.head.header.height, block.head.header.time);
            (0..)
                .zip(&block.entries)
                .filter(|(_, entry)| entry.signed.header.log == *log)
                .map(|(in_block, entry)| {
                    let place = Place { height, time, in_block };
                    (entry.signed.entry_id(keys), place)
                })
                .collect::<Vec<_>>()
        };
        self.blocks.iter().flat_map(of_block).collect()
    }

    /// The leaves of a block's entries tree.
    ///
    /// # Panics
    /// If there is no such block.
    #[must_use]
    pub fn block_leaves(&self, height: u64) -> Vec<Hash> {
        let keys = self.keys();
        let indexes = usize::try_from(height - 1)
            .ok()
            .and_then(|place| self.indexes.get(place));
        let indexes = indexes.expect("the block was made before");
        let entries = self.block(height).entries.iter().zip(indexes);
        entries
            .map(|(entry, index)| block_leaf(keys, &entry.signed.entry_id(keys), *index))
            .collect()
    }

    /// The receipt of one entry.
    ///
    /// # Panics
    /// If there is no such entry.
    #[must_use]
    pub fn receipt(&self, height: u64, in_block: u32) -> Receipt {
        let place = usize::try_from(in_block).expect("blocks of tests are small");
        let block = usize::try_from(height - 1).expect("heights of tests are small");
        let log_index = self.indexes.get(block).and_then(|indexes| indexes.get(place));
        let carried = self.block(height).entries.get(place).expect("the entry is there");
        let leaves = self.block_leaves(height);
        Receipt {
            signed: carried.signed.clone(),
            log_index: *log_index.expect("the entry is there"),
            in_block,
            path: path_of(&KeyedTree::block(self.keys()), &leaves, u64::from(in_block)).expect("the entry is there"),
            head: self.head(height),
        }
    }
}
