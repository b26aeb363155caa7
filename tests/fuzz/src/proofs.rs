//! Proofs, receipts and light client sessions, where it is known what is true.
//!
//! Hashes do not collide and signatures are not forged, so of all proofs about one thing exactly the true one may pass.
//! The games take it, spoil it or replace it, and compare. The sessions are those of a light client whose committee of
//! four has betrayed it: three of them certified two histories from height [`COMMON`] on.

use std::sync::{Arc, LazyLock};

use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::certificate::Beacon;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::follow::{Accepted, Follow, FollowError, HeadUpdate, LogProof};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::{LogId, VoteKey};
use waxwing_core::ledger::Ledger;
use waxwing_core::log::{LogCursor, Place};
use waxwing_core::logmap::{LogMap, MapLeaf, MapPath, MapProof, map_key};
use waxwing_core::merkle::{
    ConsistencyProof, Frontier, InclusionProof, LeafSlice, RangeProof, Sha256Tree, consistency_path, path_of,
    prefix_root_from_inclusion, range_path, root_of, verify_consistency, verify_inclusion, verify_range,
};
use waxwing_core::receipt::Receipt;
use waxwing_rules::world::{FOUNDED, World, log_key};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::answered;

/// The two histories are one up to here.
const COMMON: u64 = 4;

/// Blocks of each history.
const HEIGHT: u64 = 11;

/// Two histories of one network.
static WORLDS: LazyLock<[World; 2]> = LazyLock::new(|| [grown(0), grown(1)]);

fn grown(history: u8) -> World {
    let mut world = World::new(4);
    for height in 1..=HEIGHT {
        let say = if height > COMMON { history } else { 0 };
        let entries = height % 4;
        for place in 0..entries {
            // One entry a block and writer, so that a first entry knows that it is the first.
            let number = u8::try_from(height * 8 + place).expect("heights are small");
            let writer = u8::try_from(place).expect("few writers") + 1;
            let envelope = world.envelope(writer, &[say, number]);
            if place + 1 == entries {
                world.grow(&[envelope]);
            }
        }
        if entries == 0 {
            world.grow_at(world.ledger.head().time + 1_000 + u64::from(say), &[], Vec::new());
        }
    }
    world
}

const GAMES: [fn(&mut Script<'_>); 11] = [
    inclusion,
    consistency,
    range,
    map,
    receipt,
    session,
    raw_session,
    log,
    next_block,
    raw_proofs,
    join,
];

/// Place of [`raw_session`] among the games.
const RAW_SESSION: usize = 6;

/// Plays one input: the game, and its script.
pub fn run(data: &[u8]) {
    let Some((chosen, rest)) = data.split_first() else {
        return;
    };
    GAMES[usize::from(*chosen) % GAMES.len()](&mut Script::new(rest));
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count)
        .map(|leaf| Sha256Tree.leaf_hash(&leaf.to_be_bytes()))
        .collect()
}

fn size(length: usize) -> u64 {
    u64::try_from(length).expect("small")
}

/// The honest value, spoilt in its bytes; `None` if it cannot be read any more.
fn spoilt<T: Encode + Decode>(script: &mut Script<'_>, honest: &T) -> Option<T> {
    let mut bytes = honest.to_bytes();
    script.spoil(&mut bytes);
    T::from_bytes(&bytes).ok()
}

fn inclusion(script: &mut Script<'_>) {
    let leaves = leaves(1 + script.place(70));
    let (index, root) = (script.place(leaves.len()), root_of(&Sha256Tree, &leaves));
    let honest = path_of(&Sha256Tree, &leaves, size(index)).expect("the leaf is there");
    let Some(proof) = spoilt(script, &honest) else { return };
    let (claimed, of) = (script.below(72), script.below(72));
    let is_accepted = |index, of, proof: &InclusionProof, leaf| {
        verify_inclusion(&Sha256Tree, index, of, leaf, &proof.siblings, root).is_ok()
    };
    let all = size(leaves.len());
    assert_eq!(is_accepted(size(index), all, &proof, leaves[index]), proof == honest);
    // Another place or size may pass only if it is the same way up; never with the size of this tree.
    if claimed != size(index) {
        assert!(!is_accepted(claimed, all, &proof, leaves[index]));
    }
    let _ = is_accepted(claimed, of, &proof, leaves[index]);
    let before = prefix_root_from_inclusion(&Sha256Tree, size(index), all, &honest.siblings);
    assert_eq!(before, Ok(root_of(&Sha256Tree, &leaves[..index])));
    let _ = prefix_root_from_inclusion(&Sha256Tree, claimed, of, &proof.siblings);
}

fn consistency(script: &mut Script<'_>) {
    let leaves = leaves(1 + script.place(70));
    let old = 1 + script.place(leaves.len());
    let reader = LeafSlice::new(&Sha256Tree, &leaves);
    let hashes = consistency_path(&Sha256Tree, &reader, size(old), size(leaves.len())).expect("old is not newer");
    let Some(proof) = spoilt(script, &hashes) else { return };
    let roots = (root_of(&Sha256Tree, &leaves[..old]), root_of(&Sha256Tree, &leaves));
    let is_accepted = |old, new, proof: &ConsistencyProof| {
        verify_consistency(&Sha256Tree, old, new, &proof.hashes, roots.0, roots.1).is_ok()
    };
    assert_eq!(is_accepted(size(old), size(leaves.len()), &proof), proof == hashes);
    let (other_old, other_new) = (script.below(72), script.below(72));
    if other_old != size(old) {
        assert!(!is_accepted(other_old, size(leaves.len()), &proof));
    }
    let _ = is_accepted(other_old, other_new, &proof);
}

fn range(script: &mut Script<'_>) {
    let leaves = leaves(1 + script.place(70));
    let start = script.place(leaves.len());
    let end = start + 1 + script.place(leaves.len() - start);
    let reader = LeafSlice::new(&Sha256Tree, &leaves);
    let honest = range_path(&Sha256Tree, &reader, size(start)..size(end), size(leaves.len())).expect("it is a range");
    let Some(proof) = spoilt::<RangeProof>(script, &honest) else {
        return;
    };
    let mut given = leaves[start..end].to_vec();
    if script.coin() {
        let place = script.place(given.len());
        match script.byte() % 3 {
            0 => drop(given.remove(place)),
            1 => given.push(leaves[place]),
            _ => given[place].0[0] ^= script.byte(),
        }
    }
    let root = root_of(&Sha256Tree, &leaves);
    let outcome = verify_range(&Sha256Tree, &proof.left, &given, &proof.right, size(leaves.len()), root);
    let is_true = proof == honest && given == leaves[start..end];
    match outcome {
        Ok(frontier) => {
            assert!(
                is_true || is_another_truth(&leaves, &proof, &given),
                "a range that is not there"
            );
            assert_eq!(
                frontier.root(&Sha256Tree),
                root_of(&Sha256Tree, &leaves[..start + given.len()])
            );
        }
        Err(_) => assert!(!is_true),
    }
}

/// A shorter or longer range with the same start can be true as well.
fn is_another_truth(leaves: &[Hash], proof: &RangeProof, given: &[Hash]) -> bool {
    let start = usize::try_from(proof.left.len()).unwrap_or(usize::MAX);
    let is_there = leaves.get(start..start.saturating_add(given.len())) == Some(given);
    is_there && proof.left.root(&Sha256Tree) == root_of(&Sha256Tree, &leaves[..start])
}

fn map(script: &mut Script<'_>) {
    let keys = HashKeys::new(Hash([9; 32]));
    let leaf = |number: usize| {
        let number = u8::try_from(number).expect("few logs");
        MapLeaf {
            log: Hash([number; 32]),
            length: u64::from(number),
            root: Hash([number; 32]),
            last_height: 1,
        }
    };
    let count = script.place(40);
    let mut sorted: Vec<(Hash, Hash)> = (0..count)
        .map(|n| (leaf(n).map_key(&keys), leaf(n).hash(&keys)))
        .collect();
    sorted.sort_unstable();
    let map = LogMap::build(&keys, sorted).expect("the leaves are sorted");
    let asked = leaf(script.place(60));
    let is_there = asked.log.0[0] < u8::try_from(count).expect("few logs");
    let honest = match map.prove(&map_key(&keys, &asked.log)) {
        MapPath::Present(proof) | MapPath::EmptySlot(proof) => proof,
        MapPath::OtherLeaf(path) => {
            let other = (0..count).map(leaf).find(|leaf| leaf.map_key(&keys) == *path.map_key());
            path.into_absence(&keys, other.expect("the map holds these leaves"))
                .expect("it is that leaf")
        }
    };
    let Some(proof) = spoilt::<MapProof>(script, &honest) else {
        return;
    };
    let root = map.root();
    assert_eq!(
        proof.verify_presence(&keys, &root, &asked).is_ok(),
        is_there && proof == honest
    );
    let absent = proof.verify_absence(&keys, &root, &asked.log).is_ok();
    assert_eq!(absent, !is_there && proof == honest);
}

fn receipt(script: &mut Script<'_>) {
    static RECEIPTS: LazyLock<Vec<Receipt>> = LazyLock::new(|| {
        let blocks = WORLDS[0].blocks.iter().filter(|block| !block.entries.is_empty());
        blocks
            .map(|block| WORLDS[0].receipt(block.head.header.height, 0))
            .collect()
    });
    let honest = script.pick(&RECEIPTS);
    let Some(receipt) = spoilt(script, honest) else { return };
    let world = &WORLDS[0];
    match receipt.verify(world.keys(), &world.genesis.committee()) {
        Ok(ordered) => {
            let true_one = RECEIPTS.iter().find(|honest| honest.head.header == receipt.head.header);
            let true_one = true_one.expect("a receipt of a block that was never made");
            let (said, known) = (&receipt, true_one);
            assert!(
                (&said.signed, said.log_index, said.in_block, &said.path)
                    == (&known.signed, known.log_index, known.in_block, &known.path),
                "a place that is not the entry's"
            );
            assert_eq!(ordered.block, receipt.head.header.id(world.keys()));
        }
        Err(_) => assert!(receipt != *honest),
    }
}

/// Which of the two histories a header belongs to.
fn histories(header: &BlockHeader) -> [bool; 2] {
    WORLDS
        .each_ref()
        .map(|world| world.headers().any(|known| known == *header))
}

/// A light client that is told updates, beacons and log proofs of both histories, spoilt or not.
fn session(script: &mut Script<'_>) {
    let genesis = &WORLDS[0].genesis;
    let mut follow = Follow::from_genesis(genesis);
    let mut now = FOUNDED + 20_000;
    for _ in 0..12 {
        if script.is_over() {
            return;
        }
        let world = script.pick(&*WORLDS);
        match script.byte() % 4 {
            0 | 1 => {
                let newer = 1 + script.below(HEIGHT);
                let held = if script.coin() {
                    follow.header().height
                } else {
                    script.below(HEIGHT)
                };
                let update = world.update(held.min(newer), newer);
                told(script, &mut follow, &update, now);
            }
            2 => told_beacon(script, &mut follow, world, now),
            _ => told_log(script, &follow, world),
        }
        if script.byte() == 255 {
            now += script.number() * 1_000_000;
        }
    }
}

fn told(script: &mut Script<'_>, follow: &mut Follow, honest: &HeadUpdate, now: u64) {
    let Some(update) = spoilt::<HeadUpdate>(script, honest) else {
        return;
    };
    let before = follow.held().clone();
    match follow.accept(&update, now) {
        Ok(accepted) => {
            let (old, new) = (histories(&before.header), histories(follow.header()));
            assert!(
                (0..2).any(|history| old[history] && new[history]),
                "believed what was not made"
            );
            assert!(follow.header().height >= before.header.height);
            assert_eq!(accepted == Accepted::Same, *follow.header() == before.header);
        }
        Err(FollowError::Fork(evidence)) => {
            assert!(evidence.height() > COMMON, "a fork where there was none");
            let committee = &WORLDS[0].genesis.committee();
            assert_eq!(
                evidence.verify(follow.keys(), committee),
                Ok(()),
                "evidence that does not hold"
            );
            assert_eq!(follow.held().halted.as_ref(), Some(&evidence));
            assert_eq!(follow.header(), &before.header);
        }
        Err(_) => assert_eq!(*follow.held(), before, "a refusal that changed something"),
    }
}

fn told_beacon(script: &mut Script<'_>, follow: &mut Follow, world: &World, now: u64) {
    let header = world.header(script.below(HEIGHT + 1));
    let head = (header.height, header.id(world.keys()));
    let voters: Vec<&VoteKey> = world.voters.iter().take(script.place(5)).collect();
    let committee = world.genesis.committee();
    let time = FOUNDED + script.number() * 10;
    let honest = Beacon::sign(&committee, world.keys().network(), head, time, &voters);
    let Some(beacon) = spoilt::<Beacon>(script, &honest) else {
        return;
    };
    let before = follow.held().clone();
    if follow.accept_beacon(&beacon, now).is_ok() {
        assert!(voters.len() >= committee.quorum());
        assert_eq!(
            (beacon.height, beacon.head, beacon.time),
            (honest.height, honest.head, honest.time)
        );
        assert_eq!(beacon.head, follow.id());
        assert_eq!(follow.held().confirmed, before.confirmed.max(beacon.time));
    } else {
        assert_eq!(*follow.held(), before);
    }
    answered(follow.freshness(now));
}

fn told_log(script: &mut Script<'_>, follow: &Follow, world: &World) {
    let log = log_key(script.byte() % 6).public();
    let Some(proof) = spoilt::<LogProof>(script, &world.log_proof(&log)) else {
        return;
    };
    let asked = if script.coin() {
        log
    } else {
        log_key(script.byte() % 6).public()
    };
    let Ok(leaf) = follow.check_log(&asked, &proof) else {
        return;
    };
    // Every history's log map is known at its newest head only; a root that is equal there holds the same logs.
    let is_known = |world: &&World| world.ledger.head().map_root == follow.header().map_root;
    if let Some(world) = WORLDS.iter().find(is_known) {
        assert_eq!(
            leaf,
            world.log_proof(&asked).leaf,
            "another length of a log than the true one"
        );
    }
}

/// Updates as raw bytes, against the networks of the vectors: nothing is known but that a head never runs back.
fn raw_session(script: &mut Script<'_>) {
    let genesis = script.pick(&GOLDEN.networks);
    let mut follow = Follow::from_genesis(genesis);
    let now = genesis.time + u64::from(script.byte()) * 1_000_000;
    while !script.is_over() {
        let length = usize::try_from(script.number()).unwrap_or(0);
        let Ok(update) = HeadUpdate::from_bytes(script.bytes(length)) else {
            continue;
        };
        let before = follow.held().clone();
        match follow.accept(&update, now) {
            Ok(_) => assert!(follow.header().height >= before.header.height),
            Err(FollowError::Fork(_)) => {}
            Err(_) => assert_eq!(*follow.held(), before),
        }
    }
}

/// Entries of a log in whatever order and selection: only all of them, in their order, lead to the proven root.
fn log(script: &mut Script<'_>) {
    let world = script.pick(&*WORLDS);
    let log = log_key(1 + script.byte() % 3).public();
    let all = world.entries(&log);
    let Some(proven) = world.log_proof(&log).leaf else {
        return;
    };
    let split = script.place(all.len() + 1);
    let mut given: Vec<(Hash, Place)> = all[split..].to_vec();
    for _ in 0..script.byte() % 3 {
        if given.is_empty() {
            break;
        }
        let place = script.place(given.len());
        match script.byte() % 6 {
            0 => drop(given.remove(place)),
            1 => given.push(given[place]),
            2 => given[place].1.time ^= u64::from(script.byte()),
            3 => given[place].1.in_block ^= u32::from(script.byte()),
            4 => given[place].0.0[0] ^= script.byte(),
            _ => {
                let to = script.place(given.len());
                given.swap(place, to);
            }
        }
    }
    let mut cursor = LogCursor::start(log);
    let first = cursor.state.length();
    assert_eq!(first, 0);
    let keys = world.keys();
    let mut honest = Frontier::empty();
    for (id, place) in &all[..split] {
        honest.append(
            &waxwing_core::log::log_tree(keys),
            waxwing_core::log::log_leaf(keys, id, place),
        );
    }
    cursor.state.frontier = honest;
    cursor.state.last_height = split.checked_sub(1).map_or(0, |last| all[last].1.height);
    let before = cursor.clone();
    match cursor.extend(keys, &given, &proven) {
        Ok(()) => assert_eq!(given, all[split..], "entries that are not the log's"),
        Err(_) => {
            assert_eq!(cursor, before);
            assert!(given != all[split..], "the log's own entries were refused");
        }
    }
}

/// The next block, spoilt, for the ledger of its height.
fn next_block(script: &mut Script<'_>) {
    let world = &WORLDS[0];
    let height = 1 + script.below(HEIGHT);
    let honest = world.block(height);
    let Some(block) = spoilt::<CertifiedBlock>(script, honest) else {
        return;
    };
    let mut grown = (Ledger::new(&world.genesis), waxwing_rules::world::Rows::default());
    for below in 1..height {
        let step = checked(world, &grown.0, &grown.1, world.block(below)).expect("the world's own block");
        grown.1.apply(&step);
        grown.0.advance(step);
    }
    let step = checked(world, &grown.0, &grown.1, &block);
    match step {
        Some(step) => assert_eq!(step.header, block.head.header),
        None => assert!(block != *honest, "the true block was refused"),
    }
}

fn checked(
    world: &World,
    ledger: &Ledger,
    rows: &waxwing_rules::world::Rows,
    block: &CertifiedBlock,
) -> Option<waxwing_core::ledger::Step> {
    let bits = ledger.parameters().stamp_bits;
    let entries = block
        .entries
        .iter()
        .map(|entry| entry.clone().verify(world.keys(), bits).map(Arc::new));
    let entries = entries.collect::<Result<Vec<_>, _>>().ok()?;
    ledger
        .check(rows, &block.head.header, entries, block.evidence.clone())
        .ok()
}

/// Hashes and numbers of any kind: an answer, whatever it is.
fn raw_proofs(script: &mut Script<'_>) {
    let numbers: [u64; 4] = std::array::from_fn(|_| {
        let shift = script.byte() % 64;
        (script.number() << 16 | script.number()) << shift
    });
    let hash = |script: &mut Script<'_>| Hash(std::array::from_fn(|_| script.byte()));
    let (one, other) = (hash(script), hash(script));
    let hashes: Vec<Hash> = (0..script.byte() % 70).map(|_| hash(script)).collect();
    let _ = verify_inclusion(&Sha256Tree, numbers[0], numbers[1], one, &hashes, other);
    let _ = prefix_root_from_inclusion(&Sha256Tree, numbers[0], numbers[1], &hashes);
    let _ = verify_consistency(&Sha256Tree, numbers[0], numbers[1], &hashes, one, other);
    let peaks = usize::try_from(numbers[2].count_ones()).unwrap_or(0).min(hashes.len());
    if let Ok(left) = Frontier::from_parts(numbers[2], hashes[..peaks].to_vec()) {
        let _ = verify_range(&Sha256Tree, &left, &hashes[peaks..], &[], numbers[3], one);
    }
    let proven = MapLeaf {
        log: one,
        length: numbers[0],
        root: other,
        last_height: numbers[1],
    };
    let _ = LogCursor::start(LogId(one.0)).extend(&HashKeys::new(other), &[], &proven);
}

/// A node joins by a snapshot of one of the histories.
fn join(script: &mut Script<'_>) {
    let world = script.pick(&*WORLDS);
    crate::joining::joining(script, world);
}

/// Every game with scripts of a few kinds, and the vectors' updates as one session each.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for game in 0..GAMES.len() {
        for start in 0..6_u8 {
            let script: Vec<u8> = (0..120_u8)
                .map(|at| start.wrapping_mul(at).wrapping_add(at / 7))
                .collect();
            seeds.push(seed(game, &script));
        }
        seeds.push(seed(game, &[0; 200]));
    }
    for network in 0..GOLDEN.networks.len() {
        for update in GOLDEN
            .bytes
            .iter()
            .filter(|bytes| HeadUpdate::from_bytes(bytes).is_ok())
        {
            let length = u16::try_from(update.len()).unwrap_or(u16::MAX).to_be_bytes();
            let network = u8::try_from(network).expect("few networks");
            seeds.push(seed(RAW_SESSION, &[&[network, 1], &length[..], update].concat()));
        }
    }
    seeds
}
