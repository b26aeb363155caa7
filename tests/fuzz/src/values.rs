//! Every format that is hashed, signed or kept for ever: decoded from raw bytes, encoded again, verified.
//!
//! What is accepted has one encoding, the bytes that were read. Verifying, hashing and printing what was accepted never
//! panics, whatever stands in it; that what verifies is true is for [`crate::proofs`], where it is known what is true.

use std::fmt::Debug;
use std::sync::LazyLock;

use waxwing_core::block::{Block, BlockHeader, CertifiedBlock, entries_root, evidence_root};
use waxwing_core::certificate::{Beacon, Certificate, Head};
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::{Committee, Signatures};
use waxwing_core::envelope::{Body, Carried, Envelope, EnvelopeHeader, SignedHeader};
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::{EvidenceFile, Rung};
use waxwing_core::follow::{Follow, HeadProof, HeadUpdate, Held, LadderStep, LogProof};
use waxwing_core::genesis::{FirstOfLog, Genesis, Parameters};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::{LogId, NodeId, Signature};
use waxwing_core::ledger::LedgerReader;
use waxwing_core::log::Place;
use waxwing_core::logmap::{MapLeaf, MapProof};
use waxwing_core::merkle::{ConsistencyProof, Frontier, InclusionProof, RangeProof, Sha256Tree};
use waxwing_core::receipt::{Acknowledgement, Receipt};
use waxwing_core::snapshot::{Answer, Ask, Cutter, LastChange, LogRow, Opening, Slot, Span, WindowBlock, WindowEntry};
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;
use waxwing_rules::world::{World, log_key};

use crate::golden::GOLDEN;
use crate::script::seed;

/// What a value is verified against.
struct Facts {
    keys: HashKeys,
    committee: Committee,
}

/// The networks of the vectors, and one of four validators.
static FACTS: LazyLock<Vec<Facts>> = LazyLock::new(|| {
    let world = World::new(4).genesis;
    let networks = GOLDEN.networks.iter().chain([&world]);
    networks
        .map(|genesis| Facts {
            keys: genesis.keys(),
            committee: genesis.committee(),
        })
        .collect()
});

/// Whatever the answer is, there is one.
pub(crate) fn answered<T>(answer: T) {
    std::hint::black_box(&answer);
}

/// Decodes `bytes`; what is accepted has one encoding and can be printed.
pub(crate) fn again<T: Decode + Encode + Debug>(bytes: &[u8]) -> Option<T> {
    let value = T::from_bytes(bytes).ok()?;
    assert_eq!(value.to_bytes(), bytes, "accepted, but not the one encoding: {value:?}");
    Some(value)
}

/// One format: how a value of it is judged, after it was read back.
struct Decoder {
    name: &'static str,
    run: fn(&[u8], &[Facts]),
    accepts: fn(&[u8]) -> bool,
}

macro_rules! decoders {
    ($($type:ty => $judge:expr,)*) => {
        const DECODERS: &[Decoder] = &[$(Decoder {
            name: stringify!($type),
            run: |bytes, facts| {
                let judge: fn($type, &Facts) = $judge;
                if let Some(value) = again::<$type>(bytes) {
                    facts.iter().for_each(|facts| judge(value.clone(), facts));
                }
            },
            accepts: |bytes| <$type>::from_bytes(bytes).is_ok(),
        },)*];
    };
}

decoders! {
    Hash => |_, _| (),
    Signature => |signature, facts| answered(facts.committee.members()[0].verify(b"a message", &signature)),
    LogId => |log, _| answered(log.verify(b"a message", &Signature([1; 64]))),
    NodeId => |node, _| answered(node.verify(b"a message", &Signature([1; 64]))),
    Parameters => |parameters, facts| {
        answered(parameters.hash(&facts.keys));
        for first in [FirstOfLog::Yes, FirstOfLog::No] {
            assert!(parameters.required_bits(u32::MAX, first) >= parameters.required_bits(0, first));
        }
    },
    Genesis => |genesis, _| {
        let follow = Follow::from_genesis(&genesis);
        assert_eq!(follow.header().network, genesis.network());
        answered(genesis.committee_log_id());
    },
    Committee => |committee, facts| {
        answered(committee.hash(&facts.keys));
        let (all, quorum, tolerated) = (committee.members().len(), committee.quorum(), committee.tolerated());
        assert!(quorum > 2 * tolerated && 2 * quorum > all + tolerated && quorum + tolerated <= all);
    },
    Signatures => |signatures, facts| {
        answered(signatures.verify(&facts.committee, b"a message"));
        assert_eq!(signatures.signers().count(), signatures.pairs().count());
    },
    EnvelopeHeader => |header, facts| answered(header.stamp(&facts.keys)),
    SignedHeader => |signed, facts| {
        answered(signed.entry_id(&facts.keys));
        answered(signed.verify(&facts.keys, 0));
    },
    Envelope => |envelope, facts| answered(envelope.verify(&facts.keys, 0)),
    Body => |_, _| (),
    Carried => |carried, facts| {
        let header = carried.signed.header.clone();
        answered(carried.body.check(&header, &facts.keys));
        answered(carried.body.is_excused(&header, 0, u64::MAX));
        answered(carried.share());
        answered(carried.verify(&facts.keys, 0));
    },
    BlockHeader => |header, facts| {
        answered(header.id(&facts.keys));
        answered(header.first_position());
        answered(header.can_be_anchor());
    },
    Block => |block, facts| answered(entries_root(&facts.keys, &vec![Hash::ZERO; block.entries.len()])),
    CertifiedBlock => |block, facts| {
        answered(evidence_root(&facts.keys, &block.evidence));
        answered(block.head.verify(&facts.keys, &facts.committee));
    },
    Certificate => |certificate, facts| {
        answered(certificate.verify(&facts.committee, facts.keys.network(), 1, Hash([1; 32])));
    },
    Head => |head, facts| answered(head.verify(&facts.keys, &facts.committee)),
    Beacon => |beacon, facts| answered(beacon.verify(&facts.committee, facts.keys.network())),
    Place => |_, _| (),
    MapLeaf => |leaf, facts| {
        answered(leaf.hash(&facts.keys));
        answered(leaf.map_key(&facts.keys));
    },
    MapProof => |proof, facts| {
        answered(proof.verify_absence(&facts.keys, &Hash([1; 32]), &Hash([2; 32])));
        assert!(proof.depth() <= 256);
    },
    InclusionProof => |_, _| (),
    ConsistencyProof => |_, _| (),
    RangeProof => |range, _| answered(range.left.root(&Sha256Tree)),
    Frontier => |mut frontier, _| {
        let length = frontier.len();
        assert_eq!(frontier.peaks().len(), usize::try_from(length.count_ones()).unwrap_or(usize::MAX));
        if length < 1 << 40 {
            frontier.append(&Sha256Tree, Hash::ZERO);
            assert_eq!(frontier.len(), length + 1);
        }
    },
    LadderStep => |_, _| (),
    HeadUpdate => |update, facts| answered(update.head.verify(&facts.keys, &facts.committee)),
    LogProof => |_, _| (),
    HeadProof => |_, _| (),
    Held => |held, facts| answered(Follow::resume(facts.keys.clone(), held).freshness(1)),
    Receipt => |receipt, facts| answered(receipt.verify(&facts.keys, &facts.committee)),
    Acknowledgement => |promise, facts| answered(promise.verify(facts.keys.network())),
    Evidence => |evidence, facts| {
        answered(evidence.height());
        answered(evidence.verify(&facts.keys, &facts.committee));
    },
    CommitteeChange => |change, facts| answered(change.verify(&facts.keys, &facts.committee)),
    EvidenceFile => |file, _| answered(file.verify()),
    Rung => |rung, facts| answered(rung.climb(&facts.keys, &facts.committee, 0)),
    Slot => |_, _| (),
    LogRow => |_, _| (),
    LastChange => |_, _| (),
    Opening => |opening, _| answered(opening.history.root(&Sha256Tree)),
    WindowBlock => |_, _| (),
    WindowEntry => |_, _| (),
    Ask => |_, _| (),
}

/// What a joining node asks of others: their answers come from strangers.
const QUESTIONS: [Ask; 5] = [
    Ask::Opening { size: 9 },
    Ask::Outline { first: 0 },
    Ask::Logs(Span::ALL),
    Ask::Headers { from: 1, count: 9 },
    Ask::Window { from: 1, count: 9 },
];

/// Plays one input: the format, and its bytes.
pub fn run(data: &[u8]) {
    let Some((chosen, bytes)) = data.split_first() else {
        return;
    };
    let chosen = usize::from(*chosen) % (DECODERS.len() + QUESTIONS.len());
    match DECODERS.get(chosen) {
        Some(decoder) => (decoder.run)(bytes, &FACTS),
        None => {
            if let Ok(answer) = QUESTIONS[chosen - DECODERS.len()].answer(bytes) {
                assert_eq!(
                    answer.to_bytes(),
                    bytes,
                    "accepted, but not the one encoding: {answer:?}"
                );
            }
        }
    }
}

/// Every vector's bytes under each format that accepts them, and under three that do not; random values; and what a
/// network of four made, whose signatures count.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let made = made();
    for (place, decoder) in DECODERS.iter().enumerate() {
        let known = made.iter().chain(&GOLDEN.bytes);
        seeds.extend(
            known
                .filter(|bytes| (decoder.accepts)(bytes))
                .take(24)
                .map(|bytes| seed(place, bytes)),
        );
        let refused = GOLDEN.bytes.iter().filter(|bytes| !(decoder.accepts)(bytes));
        seeds.extend(refused.step_by(97).take(3).map(|bytes| seed(place, bytes)));
        for format in FORMATS {
            let bytes = (format.random)(&mut Chance::new(7));
            if (decoder.accepts)(&bytes) {
                seeds.push(seed(place, &bytes));
            }
        }
        assert!(
            seeds.iter().any(|seed| usize::from(seed[0]) == place),
            "{} has no seed",
            decoder.name
        );
    }
    for (place, question) in QUESTIONS.iter().enumerate() {
        let known = made.iter().filter(|bytes| question.answer(bytes).is_ok());
        seeds.extend(known.map(|bytes| seed(DECODERS.len() + place, bytes)));
    }
    seeds
}

/// Values of a network of four, each signed by whoever has to.
fn made() -> Vec<Vec<u8>> {
    let mut world = World::new(4);
    let envelope = world.envelope(1, b"a body");
    world.grow(&[envelope.clone()]);
    let (head, keys) = (world.head(1), world.keys().clone());
    let committee = world.genesis.committee();
    let mut change = CommitteeChange::propose(&keys, &committee, 9, committee.members()[1..].to_vec())
        .expect("three validators are a committee");
    for voter in &world.voters {
        change.sign(&committee, voter).expect("they vote now");
    }
    let voters: Vec<_> = world.voters.iter().collect();
    let beacon = Beacon::sign(
        &committee,
        keys.network(),
        (1, head.header.id(&keys)),
        head.header.time + 1,
        &voters,
    );
    let log = world.rows.log(&log_key(1).public()).expect("memory can be read");
    let log = LogRow::of(&keys, &log.expect("the log was begun"));
    let mut cutter = Cutter::new(&keys);
    cutter.push(log.leaf.map_key(&keys), log.leaf.hash(&keys));
    let outline = cutter.finish();
    let entry = WindowEntry {
        signed: envelope.signed.clone(),
        log_index: 0,
    };
    let window = WindowBlock {
        entries: vec![entry.clone()],
    };
    let last = LastChange {
        before: Frontier::empty(),
        header: head.header.clone(),
        path: InclusionProof::default(),
        in_block: 0,
        signed: envelope.signed.clone(),
        body: change.to_bytes(),
    };
    let opening = Opening {
        history: log.frontier.clone(),
        change: Some(last.clone()),
    };
    let mut made: Vec<Vec<u8>> = QUESTIONS.iter().map(Encode::to_bytes).collect();
    made.extend(outline.iter().map(Encode::to_bytes));
    made.extend([
        envelope.to_bytes(),
        envelope.signed.to_bytes(),
        world.block(1).to_bytes(),
        world.block(1).entries[0].to_bytes(),
        head.to_bytes(),
        head.certificate.to_bytes(),
        world.update(0, 1).to_bytes(),
        world.receipt(1, 0).to_bytes(),
        beacon.to_bytes(),
        change.to_bytes(),
        last.to_bytes(),
        opening.to_bytes(),
        log.to_bytes(),
        entry.to_bytes(),
        window.to_bytes(),
        Rung {
            head: head.clone(),
            next: committee,
        }
        .to_bytes(),
    ]);
    let answers = [
        Answer::Opening(Box::new(opening)),
        Answer::Outline(outline),
        Answer::Logs(vec![log]),
        Answer::Headers(vec![head.header]),
        Answer::Window(vec![window]),
    ];
    made.extend(answers.iter().map(Answer::to_bytes));
    made
}
