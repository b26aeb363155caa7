//! A random value of every format, and the way to read it back: what all laws about decoders run over.
//!
//! Values have the right *shape* and nothing else: hashes are random bytes, signatures sign nothing. They are made in
//! their canonical form by assembling bytes where a type cannot be put together from outside.

use std::sync::OnceLock;

use waxwing_core::block::{Block, BlockHeader, CertifiedBlock};
use waxwing_core::certificate::{Beacon, Certificate, Head, VoteKind};
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::committee::{Committee, Signatures};
use waxwing_core::envelope::{Anchor, Body, Carried, Envelope, EnvelopeHeader, ErasureSecret, KeepFor, SignedHeader};
use waxwing_core::evidence::{Evidence, TwoHeads, TwoVotes};
use waxwing_core::evidence_file::Rung;
use waxwing_core::follow::{HeadProof, HeadUpdate, Held, LadderStep, LogProof};
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{LogId, NodeId, Signature, ValidatorId, VoteKey};
use waxwing_core::log::Place;
use waxwing_core::logmap::{MapLeaf, MapProof, ProofEnd};
use waxwing_core::merkle::{ConsistencyProof, Frontier, InclusionProof, LEAVES_MAX, RangeProof};
use waxwing_core::receipt::{Acknowledgement, Receipt};
use waxwing_core::receipt_file::ReceiptFile;
use waxwing_core::snapshot::{Ask, LogRow, Opening, Slot, WindowBlock};
use waxwing_seal::identity::{Acceptance, CardAddress, DeviceCertificate, Known, Statement};
use waxwing_seal::inbox::opening::{DeviceOpening, Opening as InboxOpening};
use waxwing_seal::inbox::{Inbox, Post, Recipient, Taken, WholeWelcome};
use waxwing_seal::{Content, StandIn};

use crate::chance::Chance;

mod identity;
mod inboxes;
mod sealed;
mod snapshots;

/// One format of the ledger: how to make a value of it, and how to read one.
pub struct Format {
    /// What it is called in the specification.
    pub name: &'static str,
    /// The encoding of a random value.
    pub random: fn(&mut Chance) -> Vec<u8>,
    /// Decodes bytes and encodes the value again.
    pub again: fn(&[u8]) -> Result<Vec<u8>, CodecError>,
}

fn again<T: Decode + Encode>(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    T::from_bytes(bytes).map(|value| value.to_bytes())
}

macro_rules! formats {
    ($($name:literal: $value:path => $type:ty,)*) => {
        /// Every format there is a decoder for.
        pub const FORMATS: &[Format] = &[$(Format {
            name: $name,
            random: |chance| $value(chance).to_bytes(),
            again: again::<$type>,
        },)*];
    };
}

formats! {
    "hash": hash => Hash,
    "signature": signature => Signature,
    "log id": log => LogId,
    "node id": node => NodeId,
    "parameters": parameters => Parameters,
    "genesis": genesis => Genesis,
    "committee": committee => Committee,
    "signatures": signatures => Signatures,
    "envelope header": envelope_header => EnvelopeHeader,
    "signed header": signed_header => SignedHeader,
    "envelope": envelope => Envelope,
    "body": body => Body,
    "carried": carried => Carried,
    "block header": block_header => BlockHeader,
    "block": block => Block,
    "certified block": certified_block => CertifiedBlock,
    "certificate": certificate => Certificate,
    "head": head => Head,
    "beacon": beacon => Beacon,
    "place": place => Place,
    "map leaf": map_leaf => MapLeaf,
    "map proof": map_proof => MapProof,
    "inclusion proof": inclusion => InclusionProof,
    "consistency proof": consistency => ConsistencyProof,
    "range proof": range => RangeProof,
    "frontier": frontier => Frontier,
    "ladder step": ladder_step => LadderStep,
    "head update": head_update => HeadUpdate,
    "log proof": log_proof => LogProof,
    "head proof": head_proof => HeadProof,
    "held": held => Held,
    "receipt": receipt => Receipt,
    "acknowledgement": acknowledgement => Acknowledgement,
    "evidence": evidence => Evidence,
    "content": sealed::content => Content,
    "stand-in state": sealed::stand_in => StandIn,
    "committee change": change => CommitteeChange,
    "receipt file": receipt_file => ReceiptFile,
    "question for a snapshot": snapshots::ask => Ask,
    "slot": snapshots::slot => Slot,
    "log row": snapshots::log_row => LogRow,
    "window block": snapshots::window_block => WindowBlock,
    "opening": snapshots::opening => Opening,
    "acceptance": identity::acceptance => Acceptance,
    "device certificate": identity::certificate => DeviceCertificate,
    "card address": identity::address => CardAddress,
    "card statement": identity::statement => Statement,
    "known keys": identity::known => Known,
    "inbox opening": inboxes::opening => InboxOpening,
    "device opening": inboxes::device_opening => DeviceOpening,
    "inbox post": inboxes::post => Post,
    "welcome": inboxes::welcome => WholeWelcome,
    "taken request": inboxes::taken => Taken,
    "recipient": inboxes::recipient => Recipient,
    "inbox": inboxes::inbox => Inbox,
}

/// A hundred keys that could vote, ascending: computing one takes longer than encoding a block.
fn voters() -> &'static [ValidatorId] {
    static VOTERS: OnceLock<Vec<ValidatorId>> = OnceLock::new();
    VOTERS.get_or_init(|| {
        let mut voters: Vec<_> = (0..100).map(|seed| VoteKey::from_seed(&[seed; 32]).public()).collect();
        voters.sort_unstable();
        voters
    })
}

fn hash(chance: &mut Chance) -> Hash {
    if chance.once_in(16) {
        Hash::ZERO
    } else {
        Hash(chance.array())
    }
}

fn some_hash(chance: &mut Chance) -> Hash {
    Hash(chance.array())
}

fn signature(chance: &mut Chance) -> Signature {
    Signature(chance.array())
}

fn log(chance: &mut Chance) -> LogId {
    LogId(chance.array())
}

fn node(chance: &mut Chance) -> NodeId {
    NodeId(chance.array())
}

fn parameters(chance: &mut Chance) -> Parameters {
    let stamp_bits = chance.byte() % 41;
    Parameters {
        stamp_bits,
        new_log_bits: chance.byte() % (41 - stamp_bits),
    }
}

fn members(chance: &mut Chance) -> Vec<ValidatorId> {
    if chance.once_in(64) {
        return voters().to_vec();
    }
    let mut members = chance.list(1, 8, |chance| *chance.pick(voters()));
    members.sort_unstable();
    members.dedup();
    members
}

fn committee(chance: &mut Chance) -> Committee {
    let term = chance.number();
    Committee::new(term, members(chance)).expect("sorted, without doubles, and all keys can sign")
}

fn genesis(chance: &mut Chance) -> Genesis {
    const LETTERS: [char; 8] = ['a', 'Z', '7', '-', '_', '.', ' ', 'q'];
    let name: String = chance.list(1, 31, |chance| *chance.pick(&LETTERS)).iter().collect();
    let (time, parameters) = (chance.number(), parameters(chance));
    Genesis::new(&name, time, parameters, members(chance)).expect("a printable name and a sound committee")
}

fn signatures(chance: &mut Chance) -> Signatures {
    let bitmap = chance.list(0, 2, Chance::byte);
    let signers: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
    let mut bytes = Vec::new();
    waxwing_core::codec::put_bytes(&mut bytes, &bitmap);
    bytes.extend(chance.bytes(64 * usize::try_from(signers).unwrap_or(0)));
    Signatures::from_bytes(&bytes).expect("one signature per bit")
}

fn anchor(chance: &mut Chance) -> Anchor {
    Anchor {
        height: chance.number(),
        id: hash(chance),
    }
}

fn keep_for(chance: &mut Chance) -> KeepFor {
    *chance.pick(&KeepFor::ALL)
}

fn header_for(chance: &mut Chance, body_length: u32) -> EnvelopeHeader {
    EnvelopeHeader {
        body_length,
        log: log(chance),
        anchor: anchor(chance),
        body_hash: hash(chance),
        erasure: some_hash(chance),
        keep_for: keep_for(chance),
        nonce: chance.number(),
    }
}

fn envelope_header(chance: &mut Chance) -> EnvelopeHeader {
    let length = chance.number32() % (waxwing_core::limits::BODY_BYTES_MAX + 1);
    header_for(chance, length)
}

fn signed_header(chance: &mut Chance) -> SignedHeader {
    SignedHeader {
        header: envelope_header(chance),
        signature: signature(chance),
    }
}

fn envelope(chance: &mut Chance) -> Envelope {
    let body = chance.list(0, 40, Chance::byte);
    let header = header_for(chance, u32::try_from(body.len()).unwrap_or(0));
    Envelope {
        signed: SignedHeader {
            header,
            signature: signature(chance),
        },
        body,
    }
}

fn body(chance: &mut Chance) -> Body {
    match chance.below(4) {
        0 => Body::Present(chance.list(0, 40, Chance::byte)),
        1 => Body::Erased(ErasureSecret(chance.array())),
        2 => Body::Expired,
        _ => Body::Withheld,
    }
}

fn carried(chance: &mut Chance) -> Carried {
    Carried {
        signed: signed_header(chance),
        body: body(chance),
    }
}

fn header_with(chance: &mut Chance, entry_count: u32) -> BlockHeader {
    BlockHeader {
        parameters: hash(chance),
        network: hash(chance),
        term: chance.number(),
        height: chance.number(),
        time: chance.number(),
        parent: hash(chance),
        history_root: hash(chance),
        entries_root: hash(chance),
        entry_count,
        total_entries: u64::from(entry_count).saturating_add(chance.number()),
        map_root: hash(chance),
        log_count: chance.number(),
        committee: hash(chance),
        next_committee: hash(chance),
        evidence_root: hash(chance),
        proposer: ValidatorId(chance.array()),
    }
}

fn block_header(chance: &mut Chance) -> BlockHeader {
    let entries = chance.number32() % (waxwing_core::limits::BLOCK_ENTRIES_MAX + 1);
    header_with(chance, entries)
}

fn content_of_block(chance: &mut Chance) -> (BlockHeader, Vec<Carried>, Vec<Evidence>) {
    let entries = chance.list(0, 4, carried);
    let evidence = if chance.once_in(4) {
        chance.list(0, 2, evidence)
    } else {
        Vec::new()
    };
    let header = header_with(chance, u32::try_from(entries.len()).unwrap_or(0));
    (header, entries, evidence)
}

fn block(chance: &mut Chance) -> Block {
    let (header, entries, evidence) = content_of_block(chance);
    Block {
        header,
        entries,
        evidence,
    }
}

fn certified_block(chance: &mut Chance) -> CertifiedBlock {
    let (header, entries, evidence) = content_of_block(chance);
    CertifiedBlock {
        head: Head {
            header,
            certificate: certificate(chance),
        },
        entries,
        evidence,
    }
}

fn certificate(chance: &mut Chance) -> Certificate {
    Certificate {
        round: chance.number32(),
        signatures: signatures(chance),
    }
}

fn head(chance: &mut Chance) -> Head {
    Head {
        header: block_header(chance),
        certificate: certificate(chance),
    }
}

fn beacon(chance: &mut Chance) -> Beacon {
    Beacon {
        height: chance.number(),
        head: hash(chance),
        time: chance.number(),
        signatures: signatures(chance),
    }
}

fn place(chance: &mut Chance) -> Place {
    Place {
        height: chance.number(),
        time: chance.number(),
        in_block: chance.number32(),
    }
}

fn map_leaf(chance: &mut Chance) -> MapLeaf {
    MapLeaf {
        log: hash(chance),
        length: chance.number(),
        root: hash(chance),
        last_height: chance.number(),
    }
}

fn map_proof(chance: &mut Chance) -> MapProof {
    let spread = if chance.once_in(32) { 256 } else { 20 };
    let depth = chance.place(spread + 1);
    let siblings: Vec<Hash> = (0..depth).map(|_| hash(chance)).collect();
    let end = u8::try_from(chance.below(3)).unwrap_or(0);
    let mut bytes = vec![end];
    bytes.extend(u16::try_from(depth).unwrap_or(0).to_be_bytes());
    bytes.extend(siblings.chunks(8).map(|eight| {
        let padded = eight.iter().chain([&Hash::ZERO; 8]).take(8);
        padded.fold(0_u8, |byte, sibling| (byte << 1) | u8::from(*sibling != Hash::ZERO))
    }));
    siblings
        .iter()
        .filter(|sibling| **sibling != Hash::ZERO)
        .for_each(|sibling| sibling.encode(&mut bytes));
    if end == 2 {
        map_leaf(chance).encode(&mut bytes);
    }
    MapProof::from_bytes(&bytes).expect("these parts have one encoding")
}

fn siblings(chance: &mut Chance) -> Vec<Hash> {
    let spread = if chance.once_in(16) { 64 } else { 8 };
    chance.list(0, spread, hash)
}

fn inclusion(chance: &mut Chance) -> InclusionProof {
    InclusionProof {
        siblings: siblings(chance),
    }
}

fn consistency(chance: &mut Chance) -> ConsistencyProof {
    ConsistencyProof {
        hashes: siblings(chance),
    }
}

fn frontier(chance: &mut Chance) -> Frontier {
    let len = chance.number().min(LEAVES_MAX);
    let peaks = (0..len.count_ones()).map(|_| hash(chance)).collect();
    Frontier::from_parts(len, peaks).expect("one peak per set bit")
}

fn range(chance: &mut Chance) -> RangeProof {
    RangeProof {
        left: frontier(chance),
        right: siblings(chance),
    }
}

fn ladder_step(chance: &mut Chance) -> LadderStep {
    LadderStep {
        head: head(chance),
        extension: inclusion(chance),
        next: committee(chance),
    }
}

fn head_update(chance: &mut Chance) -> HeadUpdate {
    HeadUpdate {
        ladder: if chance.once_in(3) {
            chance.list(0, 2, ladder_step)
        } else {
            Vec::new()
        },
        head: head(chance),
        extension: inclusion(chance),
    }
}

fn log_proof(chance: &mut Chance) -> LogProof {
    let path = map_proof(chance);
    let leaf = matches!(path.end(), ProofEnd::Present).then(|| map_leaf(chance));
    LogProof { leaf, path }
}

fn head_proof(chance: &mut Chance) -> HeadProof {
    HeadProof {
        update: head_update(chance),
        log: log_proof(chance),
    }
}

fn change(chance: &mut Chance) -> CommitteeChange {
    CommitteeChange {
        network: hash(chance),
        from_height: chance.number(),
        current: hash(chance),
        next: committee(chance),
        signatures: signatures(chance),
    }
}

fn held(chance: &mut Chance) -> Held {
    Held {
        committee: committee(chance),
        header: block_header(chance),
        certificate: chance.once_in(2).then(|| certificate(chance)),
        confirmed: chance.number(),
        halted: chance.once_in(4).then(|| evidence(chance)),
        former: chance.once_in(4).then(|| committee(chance)),
    }
}

fn receipt(chance: &mut Chance) -> Receipt {
    Receipt {
        signed: signed_header(chance),
        log_index: chance.number(),
        in_block: chance.number32(),
        path: inclusion(chance),
        head: head(chance),
    }
}

fn receipt_file(chance: &mut Chance) -> ReceiptFile {
    let rung = |chance: &mut Chance| Rung {
        head: head(chance),
        next: committee(chance),
    };
    ReceiptFile {
        ladder: (0..chance.place(3)).map(|_| rung(chance)).collect(),
        receipt: receipt(chance),
    }
}

fn acknowledgement(chance: &mut Chance) -> Acknowledgement {
    Acknowledgement {
        node: node(chance),
        entry: hash(chance),
        time: chance.number(),
        signature: signature(chance),
    }
}

fn evidence(chance: &mut Chance) -> Evidence {
    if chance.once_in(2) {
        return Evidence::TwoHeads(Box::new(TwoHeads {
            first: head(chance),
            second: head(chance),
        }));
    }
    Evidence::TwoVotes(Box::new(TwoVotes {
        validator: ValidatorId(chance.array()),
        kind: *chance.pick(&[VoteKind::Prevote, VoteKind::Precommit]),
        height: chance.number(),
        round: chance.number32(),
        first: (hash(chance), signature(chance)),
        second: (hash(chance), signature(chance)),
    }))
}
