//! The log map: roots of small maps, proofs of presence and of absence, and everything that only looks like one.

use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::logmap::{LogMap, MapLeaf, MapPath, MapProof, map_key};

use crate::case::{Cases, hex};

const NETWORK: Hash = Hash([0xaa; 32]);

fn leaf(number: u8) -> MapLeaf {
    MapLeaf {
        log: Hash([number; 32]),
        length: u64::from(number) + 1,
        root: Hash([0x10 + number; 32]),
        last_height: 9,
    }
}

struct Map {
    keys: HashKeys,
    leaves: Vec<MapLeaf>,
    map: LogMap,
}

impl Map {
    fn new(count: u8) -> Self {
        let keys = HashKeys::new(NETWORK);
        let leaves: Vec<MapLeaf> = (0..count).map(leaf).collect();
        let mut hashed: Vec<_> = leaves
            .iter()
            .map(|leaf| (leaf.map_key(&keys), leaf.hash(&keys)))
            .collect();
        hashed.sort_unstable();
        let map = LogMap::build(&keys, hashed).unwrap();
        Self { keys, leaves, map }
    }

    fn proof(&self, log: &Hash) -> MapProof {
        match self.map.prove(&map_key(&self.keys, log)) {
            MapPath::Present(proof) | MapPath::EmptySlot(proof) => proof,
            MapPath::OtherLeaf(path) => {
                let other = self
                    .leaves
                    .iter()
                    .find(|leaf| leaf.map_key(&self.keys) == *path.map_key());
                path.into_absence(&self.keys, *other.unwrap()).unwrap()
            }
        }
    }

    /// The first log number from 100 on whose absence is shown this way.
    fn absent(&self, is_wanted: fn(&MapPath) -> bool) -> Hash {
        (100..=255)
            .map(|number| Hash([number; 32]))
            .find(|log| is_wanted(&self.map.prove(&map_key(&self.keys, log))))
            .unwrap()
    }

    fn present(&self, proof: &[u8], leaf: &MapLeaf) -> Value {
        json!({"root": hex(self.map.root().0), "leaf": hex(leaf.to_bytes()), "proof": hex(proof)})
    }

    fn gone(&self, proof: &[u8], log: &Hash) -> Value {
        json!({"root": hex(self.map.root().0), "log": hex(log.0), "proof": hex(proof)})
    }
}

pub(crate) fn cases() -> Cases {
    let story = "The log map. Leaf number n: log 32 x n, length n + 1, root 32 x (16 + n), last height 9.";
    let mut cases = Cases::new(story, json!({"network": hex(NETWORK.0)}));
    cases.accept("leaf 3", "map leaf", json!({"bytes": hex(leaf(3).to_bytes())}));
    for count in [0, 1, 2, 9] {
        let leaves: Vec<_> = (0..count).map(|number| hex(leaf(number).to_bytes())).collect();
        cases.accept(&format!("root of {count} logs"), "map root", json!({"leaves": leaves}));
    }
    let map = Map::new(9);
    proofs(&mut cases, &map);
    second_forms(&mut cases, &map);
    cases
}

fn proofs(cases: &mut Cases, map: &Map) {
    let own = leaf(3);
    let proof = map.proof(&own.log).to_bytes();
    cases.accept("log 3 is there", "presence", map.present(&proof, &own));
    let empty = map.absent(|path| matches!(path, MapPath::EmptySlot(_)));
    let in_empty = map.proof(&empty).to_bytes();
    cases.accept("absent: an empty slot", "absence", map.gone(&in_empty, &empty));
    let taken = map.absent(|path| matches!(path, MapPath::OtherLeaf(_)));
    let beside = map.proof(&taken).to_bytes();
    cases.accept("absent: another log stands there", "absence", map.gone(&beside, &taken));
    let nothing = json!({"root": hex([0; 32]), "log": hex([3; 32]), "proof": "010000"});
    cases.accept("absent: the map is empty", "absence", nothing);

    let longer = MapLeaf { length: 5, ..own };
    cases.refuse(
        "WrongRoot",
        "the leaf is the one in the map",
        "presence",
        map.present(&proof, &longer),
    );
    let other = map.present(&proof, &leaf(4));
    cases.refuse("WrongRoot", "a proof is for its own log", "presence", other);
    cases.refuse(
        "WrongRoot",
        "an empty proof shows nothing in a map of nine",
        "absence",
        map.gone(&[1, 0, 0], &empty),
    );
    cases.refuse(
        "NotPresence",
        "an empty slot is no presence",
        "presence",
        map.present(&in_empty, &own),
    );
    cases.refuse(
        "NotAbsence",
        "presence is no absence",
        "absence",
        map.gone(&proof, &own.log),
    );
    let mut own_leaf = proof.clone();
    own_leaf[0] = 2;
    own_leaf.extend(own.to_bytes());
    cases.refuse(
        "SameLog",
        "a log is not absent with its own leaf",
        "absence",
        map.gone(&own_leaf, &own.log),
    );
    let mut off_path = map.proof(&leaf(4).log).to_bytes();
    off_path[0] = 2;
    off_path.extend(leaf(4).to_bytes());
    cases.refuse(
        "OffPath",
        "another branch says nothing about this one",
        "absence",
        map.gone(&off_path, &own.log),
    );
    uncollapsed(cases, map);
}

/// The hashes agree; only the rule that a leaf alone takes its node's place refuses them.
fn uncollapsed(cases: &mut Cases, map: &Map) {
    let own = leaf(3);
    let (keys, hash) = (&map.keys, own.hash(&map.keys));
    let (left, right) = if own.map_key(keys).bit(0) {
        (Hash::ZERO, hash)
    } else {
        (hash, Hash::ZERO)
    };
    let root = keys.node(Meaning::MapNode, &left, &right);
    let given = json!({"root": hex(root.0), "leaf": hex(own.to_bytes()), "proof": "00000100"});
    cases.refuse(
        "Uncollapsed",
        "a leaf alone stands in its node's place",
        "presence",
        given,
    );
}

/// Every second way to write a proof down.
fn second_forms(cases: &mut Cases, map: &Map) {
    let proof = map.proof(&leaf(3).log).to_bytes();
    cases.cut_and_extended("map proof", &proof);
    cases.cut_and_extended("map leaf", &leaf(3).to_bytes());
    let mut refuse = |rule: &str, name: &str, bytes: &[u8]| {
        cases.refuse(
            rule,
            name,
            "decode",
            json!({"format": "map proof", "bytes": hex(bytes)}),
        );
    };
    let changed = |place: usize, value: u8| {
        let mut other = proof.clone();
        other[place] = value;
        other
    };
    refuse("Codec(BadValue)", "an end is 0, 1 or 2", &changed(0, 3));
    let deep = [&[0, 1, 1][..], &[0xff; 33], &[1; 257 * 32]].concat();
    refuse("Codec(TooLong)", "a path has at most 256 levels", &deep);
    refuse(
        "Codec(BadValue)",
        "no bit is set below the last level",
        &changed(3, proof[3] | 1),
    );
    let zero = [&[0, 0, 1, 0x80][..], &[0; 32]].concat();
    refuse("Codec(BadValue)", "an empty sibling takes no bytes but its bit", &zero);
}
