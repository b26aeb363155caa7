//! What a light client downloads and checks: head proofs, receipts, and what it takes to catch up.
//!
//! Every proof is measured as it travels: encoded, then read back and verified from the bytes. The limits are what no
//! other encoding of the same statement could leave out, and the strict signature checks in it.

use std::time::Duration;

use waxwing_core::block::{HEADER_BYTES, block_leaf, entries_root};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Anchor, EnvelopeHeader, ErasureSecret, KeepFor, SignedHeader};
use waxwing_core::follow::{Accepted, Follow, HeadProof, HeadUpdate, LogProof};
use waxwing_core::keys::{LogId, LogKey, SIGNATURE_BYTES};
use waxwing_core::limits::{BLOCK_BYTES_MAX, SIGNED_HEADER_BYTES};
use waxwing_core::logmap::{MAP_LEAF_BYTES, MapLeaf};
use waxwing_core::merkle::{self, InclusionProof, KeyedTree};
use waxwing_core::receipt::Receipt;
use waxwing_core::{Hash, HashKeys, Meaning};

use crate::chain::{Chain, Logs, Network, spread};
use crate::clock::timed;
use crate::figure::Bench;
use crate::number::{Samples, ms, real_len};

/// Bytes of the bodies in all figures.
pub(crate) const BODY_BYTES: u32 = 1000;

/// Proofs whose sizes are measured, and times a proof is verified.
const SAMPLES: u64 = 1_000;

/// Measures head proofs.
pub(crate) fn head_proof(bench: &mut Bench) -> anyhow::Result<()> {
    let network = Network::found()?;
    let blocks = bench.sized(1_000_000, 1_000);
    let (logs, chain) = ledger(&network, bench.sized(1_000_000, 1_000), blocks, blocks / 2)?;
    let head = network.certify(chain.newest.clone());
    let follow = Follow::from_pin(
        network.keys.clone(),
        chain.held.id(&network.keys),
        chain.held.clone(),
        network.committee.clone(),
    )?;
    let extension = chain.extension()?;

    let (mut bare, mut extended, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for leaf in &logs.sample {
        let log = LogProof {
            leaf: Some(*leaf),
            path: logs.prove(&network.keys, leaf)?,
        };
        let proof = |extension: &InclusionProof| HeadProof {
            update: HeadUpdate {
                ladder: Vec::new(),
                head: head.clone(),
                extension: extension.clone(),
            },
            log: log.clone(),
        };
        bare.push(real_len(
            proof(&InclusionProof { siblings: Vec::new() }).to_bytes().len(),
        ));
        let bytes = proof(&extension).to_bytes();
        extended.push(real_len(bytes.len()));
        times.push(ms(verify_head_proof(&follow, leaf, &bytes, chain.newest.time)?));
    }
    let least = least_bytes(&network, chain.newest.log_count);
    let (bare, extended, times) = (Samples::new(bare)?, Samples::new(extended)?, Samples::new(times)?);
    let signatures = real_len(network.committee.quorum()) * bench.limits.verify_ms()?;
    bench.line("head-proof.bytes", bare.median(), "B", Some(least))?;
    bench.line("head-proof.bytes_max", bare.max(), "B", Some(least))?;
    let least = least + path_bytes(blocks);
    bench.line("head-proof.extended_bytes", extended.median(), "B", Some(least))?;
    bench.line("head-proof.extended_bytes_max", extended.max(), "B", Some(least))?;
    bench.line("head-proof.verify", times.median(), "ms", Some(signatures))
}

/// A ledger of headers whose newest one commits to a map of so many logs, for a client that holds one of them.
pub(crate) fn ledger(network: &Network, logs: u64, blocks: u64, held: u64) -> anyhow::Result<(Logs, Chain)> {
    let logs = Logs::new(&network.keys, logs, SAMPLES)?;
    let chain = Chain::grow(network, blocks, held, |header| {
        header.map_root = logs.map.root();
        header.log_count = u64::try_from(logs.map.len()).unwrap_or(u64::MAX);
    });
    Ok((logs, chain))
}

/// Reads a proof and does all that a client does with it, on a copy of the client.
fn verify_head_proof(follow: &Follow, leaf: &MapLeaf, bytes: &[u8], now: u64) -> anyhow::Result<Duration> {
    let (mut follow, log) = (follow.clone(), LogId(leaf.log.0));
    let (outcome, took) = timed(|| -> anyhow::Result<_> {
        let proof = HeadProof::from_bytes(bytes)?;
        let accepted = follow.accept(&proof.update, now)?;
        Ok((accepted, follow.check_log(&log, &proof.log)?))
    });
    anyhow::ensure!(
        outcome? == (Accepted::Newer, Some(*leaf)),
        "the proof shows something else than what it was made for"
    );
    Ok(took)
}

/// What a proof of one of so many logs cannot leave out.
pub(crate) fn least_bytes(network: &Network, logs: u64) -> f64 {
    certified_bytes(network) + real_len(MAP_LEAF_BYTES) + path_bytes(logs)
}

/// A path in a balanced tree over so many leaves.
pub(crate) fn path_bytes(leaves: u64) -> f64 {
    32.0 * f64::from(u64::BITS - leaves.saturating_sub(1).leading_zeros())
}

/// Header and a quorum's signatures.
fn certified_bytes(network: &Network) -> f64 {
    real_len(HEADER_BYTES + network.committee.quorum() * SIGNATURE_BYTES)
}

/// Measures receipts, out of a block with as many entries as fit.
pub(crate) fn receipt(bench: &mut Bench) -> anyhow::Result<()> {
    let network = Network::found()?;
    let keys = &network.keys;
    let block = FullBlock::new(keys);
    let chain = Chain::grow(&network, 1, 0, |header| {
        header.entries_root = entries_root(keys, &block.leaves());
        header.entry_count = block.count();
        header.total_entries = u64::from(block.count());
    });
    let head = network.certify(chain.newest);
    let leaves = block.leaves();
    let (mut sizes, mut times) = (Vec::new(), Vec::new());
    for place in spread(keys, u64::from(block.count()), bench.sized(SAMPLES, 20)) {
        let in_block = u32::try_from(place)?;
        let receipt = Receipt {
            signed: block.entry(in_block),
            log_index: 0,
            in_block,
            path: merkle::path_of(&KeyedTree::block(keys), &leaves, place)?,
            head: head.clone(),
        };
        let bytes = receipt.to_bytes();
        let (ordered, took) =
            timed(|| -> anyhow::Result<_> { Ok(Receipt::from_bytes(&bytes)?.verify(keys, &network.committee)?) });
        anyhow::ensure!(ordered?.place.in_block == in_block, "the receipt shows another place");
        sizes.push(real_len(bytes.len()));
        times.push(ms(took));
    }
    let least = certified_bytes(&network) + real_len(SIGNED_HEADER_BYTES) + path_bytes(u64::from(block.count()));
    let (sizes, times) = (Samples::new(sizes)?, Samples::new(times)?);
    bench.line("receipt.bytes", sizes.median(), "B", Some(least))?;
    bench.line("receipt.bytes_max", sizes.max(), "B", Some(least))?;
    let signatures = (real_len(network.committee.quorum()) + 1.0) * bench.limits.verify_ms()?;
    bench.line("receipt.verify", times.median(), "ms", Some(signatures))
}

/// The entries of a block that is full, one of each of as many logs.
struct FullBlock<'a> {
    keys: &'a HashKeys,
    entries: Vec<SignedHeader>,
}

impl<'a> FullBlock<'a> {
    fn new(keys: &'a HashKeys) -> Self {
        let each = BODY_BYTES + u32::try_from(SIGNED_HEADER_BYTES).unwrap_or(u32::MAX);
        let count = BLOCK_BYTES_MAX / each;
        let entries = (0..count).map(|number| {
            let body = keys.hash(Meaning::Body, &number.to_be_bytes());
            let header = EnvelopeHeader {
                body_length: BODY_BYTES,
                log: LogKey::from_seed(&body.0).public(),
                anchor: Anchor {
                    height: 0,
                    id: Hash::ZERO,
                },
                body_hash: body,
                erasure: ErasureSecret(body.0).commitment(keys),
                keep_for: KeepFor::Ever,
                nonce: 0,
            };
            header.sign(keys, &LogKey::from_seed(&body.0))
        });
        Self {
            keys,
            entries: entries.collect(),
        }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    fn entry(&self, in_block: u32) -> SignedHeader {
        let entry = usize::try_from(in_block).ok().and_then(|place| self.entries.get(place));
        entry.expect("places are chosen below the count").clone()
    }

    fn leaves(&self) -> Vec<Hash> {
        let leaf = |entry: &SignedHeader| block_leaf(self.keys, &entry.entry_id(self.keys), 0);
        self.entries.iter().map(leaf).collect()
    }
}
