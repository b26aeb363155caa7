//! Blocks, certified heads, beacons, and the history that links them.

use serde_json::{Value, json};
use waxwing_core::block::{Block, BlockHeader};
use waxwing_core::certificate::{Beacon, Certificate, Head, VoteKind, vote_message};
use waxwing_core::codec::Encode;
use waxwing_core::committee::Signatures;
use waxwing_core::hash::Hash;
use waxwing_core::keys::VoteKey;
use waxwing_core::merkle::InclusionProof;
use waxwing_rules::world::{World, voters};

use crate::case::{Cases, hex};
use crate::check::unhex;

/// Four validators; block 1 holds three entries on two logs, block 2 one more.
pub(crate) fn world() -> World {
    let mut world = World::new(4);
    let third = world.envelope_at(world.newest_anchor(), 1, b"three", 1);
    world.grow(&[world.envelope(1, b"one"), world.envelope(2, b"two"), third]);
    world.grow(&[world.envelope(2, b"four")]);
    world
}

pub(crate) fn shared(world: &World) -> Value {
    json!({"genesis": hex(world.genesis.to_bytes())})
}

fn replaced(bytes: &[u8], place: usize, with: &[u8]) -> String {
    let mut other = bytes.to_vec();
    other[place..place + with.len()].copy_from_slice(with);
    hex(other)
}

pub(crate) fn blocks() -> Cases {
    let world = world();
    let story = "Block 1 of a network of four: three entries on two logs. Log indexes are what the ledger gives them.";
    let mut cases = Cases::new(story, shared(&world));
    let certified = world.block(1).to_bytes();
    let (header, entries) = (world.header(1), world.block(1).entries.clone());
    let block = Block {
        header: header.clone(),
        entries,
        evidence: Vec::new(),
    };
    let (header, block) = (header.to_bytes(), block.to_bytes());
    let indexes = json!([0, 0, 1]);
    cases.accept("a header", "block header", json!({"bytes": hex(&header)}));
    cases.accept(
        "block 0",
        "block header",
        json!({"bytes": hex(world.header(0).to_bytes())}),
    );
    let given = |bytes: String| json!({"bytes": bytes, "log indexes": indexes});
    cases.accept("a block", "block", given(hex(&block)));
    cases.accept("a certified block", "certified block", given(hex(&certified)));

    let block_of = |bytes: &[u8]| given(hex(bytes));
    broken_blocks(&mut cases, &header, &block, &block_of);
    cases.cut_and_extended("block header", &header);
    cases.cut_and_extended("block", &block);
    cases.cut_and_extended("certified block", &certified);
    cases
}

fn broken_blocks(cases: &mut Cases, header: &[u8], block: &[u8], given: &dyn Fn(&[u8]) -> Value) {
    let mut refuse = |rule: &str, name: &str, place: usize, with: &[u8]| {
        cases.refuse(
            rule,
            name,
            "block header",
            json!({"bytes": replaced(header, place, with)}),
        );
    };
    refuse("Codec(WrongMagic)", "the magic is WXBH", 0, b"w");
    refuse("Codec(WrongMagic)", "the protocol version is 1", 7, &[2]);
    refuse(
        "Codec(TooLong)",
        "a block has at most 8192 entries",
        192,
        &8193_u32.to_be_bytes(),
    );
    refuse(
        "Codec(BadValue)",
        "the total includes this block's entries",
        196,
        &2_u64.to_be_bytes(),
    );
    let miscounted = given(&unhex(&replaced(block, 192, &2_u32.to_be_bytes())));
    cases.refuse(
        "Codec(BadValue)",
        "a block holds as many entries as its header says",
        "block",
        miscounted,
    );
    let evidence = [&block[..block.len() - 4], &17_u32.to_be_bytes()].concat();
    cases.refuse(
        "Codec(TooLong)",
        "a block holds at most 16 pieces of evidence",
        "block",
        given(&evidence),
    );
}

pub(crate) fn heads() -> Cases {
    let world = world();
    let story = "A certified head: header, round, and the precommits of a quorum of four.";
    let mut cases = Cases::new(story, shared(&world));
    let header = world.header(2);
    let given = |head: &Head| json!({"bytes": hex(head.to_bytes())});
    let good = world.head(2);
    cases.accept("three of four", "head", given(&good));
    cases.accept("all four", "head", given(&world.certify_with(&header, 4)));
    let certificate = good.certificate.to_bytes();
    cases.accept(
        "a certificate",
        "decode",
        json!({"format": "certificate", "bytes": hex(&certificate)}),
    );

    let mut refuse = |rule: &str, name: &str, head: &Head| cases.refuse(rule, name, "head", given(head));
    refuse(
        "Quorum(TooFew)",
        "a quorum is three of four",
        &world.certify_with(&header, 2),
    );
    let mut round = good.clone();
    round.certificate.round = 1;
    refuse("Quorum(BadSignature)", "the round is signed", &round);
    let mut other = good.clone();
    other.header.time += 1;
    refuse("Quorum(BadSignature)", "every byte of the header is signed", &other);
    let id = header.id(world.keys());
    let message = vote_message(header.network, VoteKind::Prevote, 2, 0, id);
    let prevotes = world.voters.iter().map(|key| key.sign(&message)).enumerate();
    let posing = Head {
        header: header.clone(),
        certificate: Certificate {
            round: 0,
            signatures: Signatures::collect(&world.genesis.committee(), prevotes),
        },
    };
    refuse("Quorum(BadSignature)", "prevotes make no certificate", &posing);
    let changed = |change: fn(&mut BlockHeader)| {
        let mut header = header.clone();
        change(&mut header);
        world.certify(&header)
    };
    refuse(
        "ForeignNetwork",
        "the head is of this network",
        &changed(|header| header.network = Hash([0xaa; 32])),
    );
    refuse(
        "WrongCommittee",
        "the term is the committee's",
        &changed(|header| header.term = 1),
    );
    refuse(
        "WrongCommittee",
        "the committee is the one named",
        &changed(|header| header.committee = Hash::ZERO),
    );
    cases.cut_and_extended("certificate", &certificate);
    cases.cut_and_extended("head", &good.to_bytes());
    cases
}

pub(crate) fn beacons() -> Cases {
    let world = world();
    let story = "A quorum's word that block 2 was still the newest at a time.";
    let mut cases = Cases::new(story, shared(&world));
    let committee = world.genesis.committee();
    let (network, head) = (world.keys().network(), (2, world.ledger.id()));
    let time = world.ledger.head().time + 60_000;
    let signed = |signers: &[&VoteKey]| Beacon::sign(&committee, network, head, time, signers);
    let voters: Vec<&VoteKey> = world.voters.iter().collect();
    let given = |beacon: &Beacon| json!({"bytes": hex(beacon.to_bytes())});
    let good = signed(&voters[..3]);
    cases.accept("three of four", "beacon", given(&good));
    cases.refuse(
        "TooFew",
        "a quorum is three of four",
        "beacon",
        given(&signed(&voters[..2])),
    );
    let later = Beacon {
        time: time + 1,
        ..good.clone()
    };
    cases.refuse("BadSignature", "the time is signed", "beacon", given(&later));
    let votes = world.head(2).certificate.signatures;
    let posing = Beacon {
        signatures: votes,
        ..good.clone()
    };
    cases.refuse("BadSignature", "a vote is no beacon", "beacon", given(&posing));
    let strangers = self::voters(11..=14);
    let members = strangers.iter().map(VoteKey::public).collect();
    let elsewhere = waxwing_core::committee::Committee::new(0, members).unwrap();
    let usurped = Beacon::sign(&elsewhere, network, head, time, &strangers.iter().collect::<Vec<_>>());
    cases.refuse(
        "BadSignature",
        "the committee's own keys sign",
        "beacon",
        given(&usurped),
    );
    cases.cut_and_extended("beacon", &good.to_bytes());
    cases
}

pub(crate) fn history() -> Cases {
    let mut world = world();
    (0..11).for_each(|_| {
        world.grow(&[]);
    });
    let story = "One path proves that a newer header extends an older one: the older is a leaf, and the left siblings \
        fold to the history root that the older one names.";
    let mut cases = Cases::new(story, json!({}));
    let given = |older: &BlockHeader, newer: &BlockHeader, path: &InclusionProof| json!({"older": hex(older.to_bytes()), "newer": hex(newer.to_bytes()), "path": hex(path.to_bytes())});
    let header = |height| world.header(height);
    for (older, newer) in [(0, 1), (0, 13), (5, 13), (12, 13), (7, 8)] {
        let path = world.extension(older, newer);
        let given = given(&header(older), &header(newer), &path);
        cases.accept(&format!("block {newer} extends block {older}"), "extension", given);
    }
    let (five, last, path) = (header(5), header(13), world.extension(5, 13));
    let mut refuse = |rule: &str, name: &str, older: &BlockHeader, newer: &BlockHeader, path: &InclusionProof| {
        cases.refuse(rule, name, "extension", given(older, newer, path));
    };
    refuse(
        "OutOfRange",
        "a block does not extend itself",
        &five,
        &five,
        &InclusionProof::default(),
    );
    refuse(
        "OutOfRange",
        "an older block extends nothing newer",
        &last,
        &five,
        &path,
    );
    refuse(
        "WrongLength",
        "an empty path extends nothing",
        &five,
        &last,
        &InclusionProof::default(),
    );
    let longer = InclusionProof {
        siblings: [&path.siblings[..], &[Hash::ZERO]].concat(),
    };
    refuse("WrongLength", "every hash is used", &five, &last, &longer);
    let rewritten = BlockHeader {
        time: five.time + 1,
        ..five.clone()
    };
    refuse(
        "WrongRoot",
        "the held header is a leaf of the newer history",
        &rewritten,
        &last,
        &path,
    );
    lying(&mut cases, &world);
    cases
}

/// A committee that keeps the held header in its place and rewrites what came before it.
fn lying(cases: &mut Cases, world: &World) {
    use waxwing_core::history::leaf;
    use waxwing_core::merkle::{Sha256Tree, path_of, root_of};
    let mut headers: Vec<BlockHeader> = world.headers().take(13).collect();
    headers[3].time += 1;
    let leaves: Vec<Hash> = headers.iter().map(leaf).collect();
    let newer = BlockHeader {
        history_root: root_of(&Sha256Tree, &leaves),
        ..world.header(13)
    };
    let path = path_of(&Sha256Tree, &leaves, 5).unwrap();
    let given = json!({"older": hex(headers[5].to_bytes()), "newer": hex(newer.to_bytes()),
        "path": hex(path.to_bytes())});
    cases.refuse(
        "WrongPrefix",
        "the history before the held header is the one it names",
        "extension",
        given,
    );
}
