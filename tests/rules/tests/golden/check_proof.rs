//! Checks about trees, the log map, logs, history, receipts and evidence.

use serde_json::{Value, json};
use waxwing_core::block::BlockHeader;
use waxwing_core::codec::Encode;
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::LogProof;
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::history;
use waxwing_core::keys::LogId;
use waxwing_core::log::{LogCursor, LogState, Place, log_leaf};
use waxwing_core::logmap::{LogMap, MapLeaf, MapProof};
use waxwing_core::merkle::{
    Frontier, InclusionProof, KeyedTree, Sha256Tree, TreeHasher, prefix_root_from_inclusion, root_of,
    verify_consistency, verify_inclusion, verify_range,
};
use waxwing_core::receipt::{Acknowledgement, Receipt};
use waxwing_core::receipt_file::ReceiptFile;

use crate::case::{Outcome, hex};
use crate::check::{Given, rule, unhex};

pub(crate) fn run(check: &str, given: &Given<'_>) -> Option<Outcome> {
    Some(match check {
        "root" => with_tree(given, Asked::Root),
        "inclusion" => with_tree(given, Asked::Inclusion),
        "prefix root" => with_tree(given, Asked::PrefixRoot),
        "consistency" => with_tree(given, Asked::Consistency),
        "range" => with_tree(given, Asked::Range),
        "frontier" => with_tree(given, Asked::Frontier),
        "map leaf" => map_leaf(given),
        "map root" => map_root(given),
        "presence" => presence(given),
        "absence" => absence(given),
        "log leaf" => log_leaf_of(given),
        "log" => log(given),
        "extension" => extension(given),
        "log proof" => log_proof(given),
        "receipt" => receipt(given),
        "receipt file" => receipt_file(given),
        "acknowledgement" => acknowledgement(given),
        "evidence" => evidence(given),
        _ => return None,
    })
}

#[derive(Clone, Copy)]
enum Asked {
    Root,
    Inclusion,
    PrefixRoot,
    Consistency,
    Range,
    Frontier,
}

fn with_tree(given: &Given<'_>, asked: Asked) -> Outcome {
    match given.text("tree") {
        "sha-256" => about_tree(given, &Sha256Tree, asked),
        "log" => about_tree(given, &KeyedTree::log(&given.keys()), asked),
        "block" => about_tree(given, &KeyedTree::block(&given.keys()), asked),
        other => panic!("no such tree: {other}"),
    }
}

fn about_tree(given: &Given<'_>, hasher: &impl TreeHasher, asked: Asked) -> Outcome {
    let place = || (given.number("index"), given.number("size"));
    match asked {
        Asked::Root => Ok(json!({"root": hex(root_of(hasher, &given.hashes("leaves")).0)})),
        Asked::Inclusion => {
            let (index, size) = place();
            let (leaf, siblings) = (given.hash("leaf"), given.hashes("siblings"));
            verify_inclusion(hasher, index, size, leaf, &siblings, given.hash("root")).map_err(rule)?;
            Ok(json!({}))
        }
        Asked::PrefixRoot => {
            let (index, size) = place();
            let root = prefix_root_from_inclusion(hasher, index, size, &given.hashes("siblings")).map_err(rule)?;
            Ok(json!({"root": hex(root.0)}))
        }
        Asked::Consistency => {
            let (old, new) = (given.number("old size"), given.number("new size"));
            let (old_root, new_root) = (given.hash("old root"), given.hash("new root"));
            verify_consistency(hasher, old, new, &given.hashes("hashes"), old_root, new_root).map_err(rule)?;
            Ok(json!({}))
        }
        Asked::Range => {
            let left: Frontier = given.sound("left");
            let (leaves, right) = (given.hashes("leaves"), given.hashes("right"));
            let (size, root) = (given.number("size"), given.hash("root"));
            let behind = verify_range(hasher, &left, &leaves, &right, size, root).map_err(rule)?;
            Ok(json!({"frontier behind": hex(behind.to_bytes())}))
        }
        Asked::Frontier => {
            let frontier: Frontier = given.decoded("bytes")?;
            Ok(json!({"length": frontier.len(), "root": hex(frontier.root(hasher).0)}))
        }
    }
}

fn map_leaf(given: &Given<'_>) -> Outcome {
    let (leaf, keys): (MapLeaf, HashKeys) = (given.decoded("bytes")?, given.keys());
    Ok(json!({"map key": hex(leaf.map_key(&keys).0), "hash": hex(leaf.hash(&keys).0)}))
}

fn map_root(given: &Given<'_>) -> Outcome {
    let keys = given.keys();
    let leaves = given.list("leaves");
    let leaf = |value: &Given<'_>| -> MapLeaf {
        let bytes = unhex(value.0.as_str().unwrap());
        waxwing_core::codec::Decode::from_bytes(&bytes).unwrap()
    };
    let mut hashed: Vec<(Hash, Hash)> = leaves
        .iter()
        .map(|value| (leaf(value).map_key(&keys), leaf(value).hash(&keys)))
        .collect();
    hashed.sort_unstable();
    let map = LogMap::build(&keys, hashed).map_err(rule)?;
    Ok(json!({"root": hex(map.root().0)}))
}

fn presence(given: &Given<'_>) -> Outcome {
    let proof: MapProof = given.decoded("proof")?;
    proof
        .verify_presence(&given.keys(), &given.hash("root"), &given.sound("leaf"))
        .map_err(rule)?;
    Ok(json!({"levels": proof.depth()}))
}

fn absence(given: &Given<'_>) -> Outcome {
    let proof: MapProof = given.decoded("proof")?;
    proof
        .verify_absence(&given.keys(), &given.hash("root"), &given.hash("log"))
        .map_err(rule)?;
    Ok(json!({"levels": proof.depth()}))
}

fn log_leaf_of(given: &Given<'_>) -> Outcome {
    let place: Place = given.decoded("place")?;
    let leaf = log_leaf(&given.keys(), &given.hash("entry"), &place);
    Ok(json!({"leaf": hex(leaf.0)}))
}

fn log(given: &Given<'_>) -> Outcome {
    let keys = given.keys();
    let state = LogState {
        log: LogId(given.array("log")),
        frontier: given.sound("frontier"),
        last_height: given.number("last height"),
    };
    let mut cursor = LogCursor::at(state);
    let entries: Vec<(Hash, Place)> = given
        .list("entries")
        .iter()
        .map(|entry| (entry.hash("entry"), entry.sound("place")))
        .collect();
    cursor.extend(&keys, &entries, &given.sound("proven")).map_err(rule)?;
    Ok(json!({"frontier behind": hex(cursor.state.frontier.to_bytes())}))
}

fn extension(given: &Given<'_>) -> Outcome {
    let (older, newer): (BlockHeader, BlockHeader) = (given.sound("older"), given.sound("newer"));
    let path: InclusionProof = given.decoded("path")?;
    history::verify_extension(&older, &newer, &path).map_err(rule)?;
    Ok(json!({"leaf": hex(history::leaf(&older).0)}))
}

fn log_proof(given: &Given<'_>) -> Outcome {
    let (proof, header): (LogProof, BlockHeader) = (given.decoded("bytes")?, given.sound("header"));
    let log = LogId(given.array("log"));
    let found = proof.verify(&given.keys(), &header, &log).map_err(rule)?;
    Ok(found.map_or_else(
        || json!({"entries": 0}),
        |leaf| json!({"entries": leaf.length, "root": hex(leaf.root.0), "last height": leaf.last_height}),
    ))
}

fn receipt(given: &Given<'_>) -> Outcome {
    let receipt: Receipt = given.decoded("bytes")?;
    let ordered = receipt.verify(&given.keys(), &given.committee()).map_err(rule)?;
    Ok(json!({
        "entry": hex(ordered.entry.0),
        "log": hex(ordered.log.0),
        "index": ordered.index,
        "place": place(&ordered.place),
        "block": hex(ordered.block.0),
    }))
}

fn receipt_file(given: &Given<'_>) -> Outcome {
    let file: ReceiptFile = given.decoded("bytes")?;
    let (ordered, committee) = file.verify(&given.genesis()).map_err(rule)?;
    Ok(json!({"entry": hex(ordered.entry.0), "height": ordered.place.height, "term": committee.term()}))
}

fn place(place: &Place) -> Value {
    json!({"height": place.height, "time": place.time, "in block": place.in_block})
}

fn acknowledgement(given: &Given<'_>) -> Outcome {
    let promise: Acknowledgement = given.decoded("bytes")?;
    promise.verify(given.keys().network()).map_err(rule)?;
    Ok(json!({"node": hex(promise.node.0), "entry": hex(promise.entry.0), "time": promise.time}))
}

fn evidence(given: &Given<'_>) -> Outcome {
    let evidence: Evidence = given.decoded("bytes")?;
    evidence.verify(&given.keys(), &given.committee()).map_err(rule)?;
    Ok(json!({"height": evidence.height()}))
}
