//! Logs and their cursor, receipts, acknowledgements, evidence.

use serde_json::{Value, json};
use waxwing_core::certificate::{Head, VoteKind, vote_message};
use waxwing_core::codec::Encode;
use waxwing_core::evidence::{Evidence, TwoVotes};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{LogId, NodeKey, Signature, VoteKey};
use waxwing_core::log::{LogState, Place, log_leaf, log_tree};
use waxwing_core::logmap::MapLeaf;
use waxwing_core::merkle::Frontier;
use waxwing_core::receipt::{Acknowledgement, Receipt};
use waxwing_rules::world::{World, voters};

use crate::case::{Cases, hex};
use crate::heads::{shared, world};

const LOG: LogId = LogId([0x11; 32]);

/// Two entries a block, from height 1 on.
fn entries() -> Vec<(Hash, Place)> {
    let place = |number: u8| Place {
        height: 1 + u64::from(number) / 2,
        time: 1_000 * (1 + u64::from(number) / 2),
        in_block: u32::from(number) % 2,
    };
    (0..7)
        .map(|number| (Hash([0xe0 + number; 32]), place(number)))
        .collect()
}

fn state(world: &World, entries: &[(Hash, Place)]) -> LogState {
    let mut frontier = Frontier::empty();
    for (entry, place) in entries {
        frontier.append(&log_tree(world.keys()), log_leaf(world.keys(), entry, place));
    }
    LogState {
        log: LOG,
        frontier,
        last_height: entries.last().map_or(0, |(_, place)| place.height),
    }
}

pub(crate) fn logs() -> Cases {
    let world = world();
    let story = "A reader's cursor: entries are accepted exactly when they lead to the proven leaf of the log map. \
        Entry n has id 32 x (e0 + n).";
    let mut cases = Cases::new(
        story,
        json!({"network": hex(world.keys().network().0), "log": hex(LOG.0)}),
    );
    let all = entries();
    let (entry, place) = all[0];
    let given = json!({"entry": hex(entry.0), "place": hex(place.to_bytes())});
    cases.accept("a log leaf", "log leaf", given);
    cases.cut_and_extended("place", &place.to_bytes());
    cursor(&mut cases, &world, &all);
    cases
}

/// A reader that holds `held` and is given `entries`.
fn asked(world: &World, held: &[(Hash, Place)], entries: &[(Hash, Place)], proven: &MapLeaf) -> Value {
    let state = state(world, held);
    let entries = entries
        .iter()
        .map(|(entry, place)| json!({"entry": hex(entry.0), "place": hex(place.to_bytes())}));
    json!({"frontier": hex(state.frontier.to_bytes()), "last height": state.last_height,
        "entries": entries.collect::<Vec<_>>(), "proven": hex(proven.to_bytes())})
}

fn cursor(cases: &mut Cases, world: &World, all: &[(Hash, Place)]) {
    let leaf = state(world, all).leaf(world.keys());
    let given = |held: usize, entries: &[(Hash, Place)], proven: &MapLeaf| asked(world, &all[..held], entries, proven);
    cases.accept("a whole log", "log", given(0, all, &leaf));
    cases.accept("the rest of a log", "log", given(3, &all[3..], &leaf));
    cases.accept("nothing new", "log", given(7, &[], &leaf));
    broken_logs(cases, world, all, leaf);
}

fn broken_logs(cases: &mut Cases, world: &World, all: &[(Hash, Place)], leaf: MapLeaf) {
    let leaf_of = |entries: &[(Hash, Place)]| state(world, entries).leaf(world.keys());
    let given = |held: usize, entries: &[(Hash, Place)], proven: &MapLeaf| asked(world, &all[..held], entries, proven);
    let mut refuse = |rule: &str, name: &str, held: usize, entries: &[(Hash, Place)], proven: &MapLeaf| {
        cases.refuse(rule, name, "log", given(held, entries, proven));
    };
    let other = MapLeaf {
        log: Hash([0x12; 32]),
        ..leaf
    };
    refuse("OtherLog", "the proof is about this log", 3, &all[3..], &other);
    let rule = "Withheld { have: 6, proven: 7 }";
    refuse(rule, "the last entry is not left out", 3, &all[3..6], &leaf);
    refuse(
        rule,
        "no entry is left out",
        3,
        &[&all[3..4], &all[5..]].concat(),
        &leaf,
    );
    refuse(
        "TooMany",
        "no entry is inserted",
        3,
        &[&all[3..], &all[6..]].concat(),
        &leaf,
    );
    refuse("TooMany", "a log does not shrink", 7, &[], &leaf_of(&all[..6]));
    altered_logs(cases, world, all, leaf);
}

/// As many entries as are proven, and not those.
fn altered_logs(cases: &mut Cases, world: &World, all: &[(Hash, Place)], leaf: MapLeaf) {
    let mut refuse = |rule: &str, name: &str, held: usize, entries: &[(Hash, Place)], proven: &MapLeaf| {
        let given = asked(world, &all[..held], entries, proven);
        cases.refuse(rule, name, "log", given);
    };
    let swapped = [all[4], all[3], all[5], all[6]];
    refuse(
        "OutOfOrder",
        "entries stand in the order of blocks and places",
        3,
        &swapped,
        &leaf,
    );
    let mut shared = all.to_vec();
    shared[4].1 = shared[3].1;
    refuse(
        "OutOfOrder",
        "two entries do not share a place, whatever is proven",
        3,
        &shared[3..],
        &state(world, &shared).leaf(world.keys()),
    );
    let mut moved = all[3..].to_vec();
    moved[0].1.height = 1;
    refuse("OutOfOrder", "no entry stands before what is held", 3, &moved, &leaf);
    let mut later = all[3..].to_vec();
    later[2].1.time += 1;
    refuse("WrongRoot", "the time is the block's", 3, &later, &leaf);
    let mut altered = all[3..].to_vec();
    altered[1].0 = Hash([0xff; 32]);
    refuse("WrongRoot", "no entry is altered", 3, &altered, &leaf);
    let other_height = MapLeaf { last_height: 5, ..leaf };
    refuse(
        "WrongRoot",
        "the last height is the last entry's",
        3,
        &all[3..],
        &other_height,
    );
    refuse(
        "WrongRoot",
        "a frontier that was made up leads nowhere",
        4,
        &all[3..6],
        &leaf,
    );
}

pub(crate) fn receipts() -> Cases {
    let world = world();
    let story = "Receipts of block 1, which holds three entries, and a node's acknowledgement.";
    let mut cases = Cases::new(story, shared(&world));
    let given = |receipt: &Receipt| json!({"bytes": hex(receipt.to_bytes())});
    for in_block in 0..3 {
        let name = format!("entry {in_block} of block 1");
        cases.accept(&name, "receipt", given(&world.receipt(1, in_block)));
    }
    cases.accept("the only entry of block 2", "receipt", given(&world.receipt(2, 0)));
    broken_receipts(&mut cases, &world);
    acknowledgements(&mut cases, &world);
    cases
}

fn broken_receipts(cases: &mut Cases, world: &World) {
    let good = world.receipt(1, 1);
    let mut refuse = |rule: &str, name: &str, change: &dyn Fn(&mut Receipt)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        cases.refuse(rule, name, "receipt", json!({"bytes": hex(receipt.to_bytes())}));
    };
    refuse("Proof(WrongRoot)", "the index in the log is proven", &|receipt| {
        receipt.log_index += 1
    });
    refuse("Proof(WrongRoot)", "the place in the block is proven", &|receipt| {
        receipt.in_block = 0
    });
    refuse("Proof(OutOfRange)", "the place is in the block", &|receipt| {
        receipt.in_block = 3
    });
    refuse("Proof(WrongLength)", "no sibling is missing", &|receipt| {
        receipt.path.siblings.pop();
    });
    refuse("Proof(WrongLength)", "every sibling is used", &|receipt| {
        receipt.path.siblings.push(Hash::ZERO)
    });
    let other = world.receipt(1, 0);
    refuse("Proof(WrongRoot)", "a receipt is for its own entry", &|receipt| {
        receipt.signed = other.signed.clone();
    });
    refuse("BadSignature", "the log signed the entry", &|receipt| {
        receipt.signed.signature.0[9] ^= 1
    });
    let few = world.certify_with(&world.header(1), 2);
    refuse("Head(Quorum(TooFew))", "the block is final", &|receipt| {
        receipt.head = few.clone()
    });
    refuse(
        "Head(Quorum(BadSignature))",
        "the header is the certified one",
        &|receipt| {
            receipt.head.header.entry_count += 1;
            receipt.head.header.total_entries += 1;
        },
    );
    refuse("Head(ForeignNetwork)", "the receipt is of this network", &|receipt| {
        receipt.head.header.network = Hash([0xaa; 32]);
    });
    refuse("Head(WrongCommittee)", "the committee is the one named", &|receipt| {
        receipt.head.header.committee = Hash::ZERO;
    });
    let mut bytes = good.to_bytes();
    bytes[7] = 2;
    cases.refuse(
        "Codec(WrongMagic)",
        "the version is 1",
        "receipt",
        json!({"bytes": hex(&bytes)}),
    );
    cases.cut_and_extended("receipt", &good.to_bytes());
}

fn acknowledgements(cases: &mut Cases, world: &World) {
    let node = NodeKey::from_seed(&[0x21; 32]);
    let entry = world.receipt(1, 1).signed.entry_id(world.keys());
    let network = world.keys().network();
    let good = Acknowledgement::sign(&node, network, entry, 1_700_000_000_500);
    let given = |promise: &Acknowledgement| json!({"bytes": hex(promise.to_bytes())});
    cases.accept("an acknowledgement", "acknowledgement", given(&good));
    let mut refuse = |name: &str, promise: &Acknowledgement| {
        cases.refuse("BadSignature", name, "acknowledgement", given(promise));
    };
    let other = Acknowledgement {
        entry: Hash([1; 32]),
        ..good.clone()
    };
    refuse("a promise is about its own entry", &other);
    let earlier = Acknowledgement {
        time: 0,
        ..good.clone()
    };
    refuse("the time of a promise is signed", &earlier);
    let blamed = Acknowledgement {
        node: NodeKey::from_seed(&[0x22; 32]).public(),
        ..good.clone()
    };
    refuse("a promise names who made it", &blamed);
    let foreign = Acknowledgement::sign(&node, Hash([0xaa; 32]), entry, 1_700_000_000_500);
    refuse("a promise counts in its own network", &foreign);
    cases.cut_and_extended("acknowledgement", &good.to_bytes());
}

/// Two final blocks at height 2.
fn fork(world: &World) -> (Head, Head) {
    let mut other = world.header(2);
    other.time += 1;
    (world.head(2), world.certify(&other))
}

fn vote(world: &World, key: &VoteKey, round: u32, block: u8) -> (Hash, Signature) {
    let block = Hash([block; 32]);
    let message = vote_message(world.keys().network(), VoteKind::Precommit, 9, round, block);
    (block, key.sign(&message))
}

fn two_votes(key: &VoteKey, first: (Hash, Signature), second: (Hash, Signature)) -> Evidence {
    Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind: VoteKind::Precommit,
        height: 9,
        round: 2,
        first,
        second,
    }))
}

pub(crate) fn evidence() -> Cases {
    let world = world();
    let story = "Signed contradictions: two votes of one validator in one round, two certified heads of one height.";
    let mut cases = Cases::new(story, shared(&world));
    let given = |evidence: &Evidence| json!({"bytes": hex(evidence.to_bytes())});
    let key = &world.voters[1];
    let (one, two) = (vote(&world, key, 2, 1), vote(&world, key, 2, 2));
    let votes = two_votes(key, one, two);
    let (a, b) = fork(&world);
    let heads = Evidence::of_heads(world.keys(), a.clone(), b.clone());
    cases.accept("two votes", "evidence", given(&votes));
    cases.accept("two heads", "evidence", given(&heads));

    let mut refuse =
        |rule: &str, name: &str, evidence: &Evidence| cases.refuse(rule, name, "evidence", given(evidence));
    let again = two_votes(key, one, one);
    refuse("NoContradiction", "the same vote twice is no contradiction", &again);
    refuse(
        "NoContradiction",
        "the smaller block id comes first",
        &two_votes(key, two, one),
    );
    let other_round = two_votes(key, one, vote(&world, key, 3, 2));
    refuse("BadSignature", "votes of two rounds are no contradiction", &other_round);
    let stranger = &voters(9..=9)[0];
    let strange = two_votes(stranger, vote(&world, stranger, 2, 1), vote(&world, stranger, 2, 2));
    refuse("Stranger", "the validator is of this committee", &strange);
    let same = Evidence::of_heads(world.keys(), a.clone(), a.clone());
    refuse("NoContradiction", "one head twice is no contradiction", &same);
    let parent = Evidence::of_heads(world.keys(), world.head(1), a.clone());
    refuse("NoContradiction", "heads of two heights are no contradiction", &parent);
    let Evidence::TwoHeads(mut swapped) = heads.clone() else {
        unreachable!("it is of two heads")
    };
    core::mem::swap(&mut swapped.first.header, &mut swapped.second.header);
    core::mem::swap(&mut swapped.first.certificate, &mut swapped.second.certificate);
    refuse(
        "NoContradiction",
        "the head with the smaller id comes first",
        &Evidence::TwoHeads(swapped),
    );
    let few = world.certify_with(&b.header, 2);
    let uncertified = Evidence::of_heads(world.keys(), a, few);
    refuse("Head(Quorum(TooFew))", "both heads are certified", &uncertified);
    let mut kind = votes.to_bytes();
    cases.cut_and_extended("evidence", &kind);
    kind[0] = 3;
    cases.refuse(
        "Codec(BadValue)",
        "evidence is of kind 1 or 2",
        "evidence",
        json!({"bytes": hex(&kind)}),
    );
    kind[0] = 1;
    kind[33] = 3;
    cases.refuse(
        "Codec(BadValue)",
        "a vote is a prevote or a precommit",
        "evidence",
        json!({"bytes": hex(&kind)}),
    );
    cases
}
