//! Files beside the ledger. A piece is sealed here a second time, from the specification alone; it must be what the code
//! makes, byte for byte.

use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305, XNonce};
use serde_json::{Value, json};
use waxwing_core::chunk::ChunkId;
use waxwing_core::codec::Encode;
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::NodeId;
use waxwing_seal::content::Words;
use waxwing_seal::file::{FileKey, FileName, Manifest, MediaType};

use crate::case::{Cases, hex};

const NETWORK: Hash = Hash([0xaa; 32]);

fn key() -> [u8; 32] {
    core::array::from_fn(|place| u8::try_from(place).unwrap())
}

/// A chunk, from the specification.
fn sealed(level: u32, position: u32, is_last: bool, text: &[u8]) -> Vec<u8> {
    let key = blake3::derive_key("waxwing v1 file level", &[&key()[..], &level.to_be_bytes()].concat());
    let nonce = [&[0; 19][..], &position.to_be_bytes(), &[u8::from(is_last)]].concat();
    let nonce: [u8; 24] = nonce.try_into().unwrap();
    let mut chunk = text.to_vec();
    let tag = XChaCha20Poly1305::new(&key.into())
        .encrypt_inout_detached(&XNonce::from(nonce), &[], chunk.as_mut_slice().into())
        .unwrap();
    chunk.extend_from_slice(&tag);
    chunk
}

pub(crate) fn cases() -> Cases {
    let story = "A file key 00 to 1f, network 32 x aa. Texts are one byte repeated.";
    let shared = json!({"network": hex(NETWORK.0), "file key": hex(key()), "level": 0, "position": 0, "fill": 0x5a});
    let mut cases = Cases::new(story, shared);
    shapes(&mut cases);
    pieces(&mut cases);
    refused_pieces(&mut cases);
    manifests(&mut cases);
    names(&mut cases);
    cases
}

fn shapes(cases: &mut Cases) {
    for length in [
        0_u64,
        4096,
        4097,
        262_144,
        262_145,
        2_097_152,
        2_097_153,
        20_000_000,
        1_000_000_000,
        1_u64 << 40,
    ] {
        cases.accept(&format!("{length} bytes"), "file shape", json!({"length": length}));
    }
    let given = json!({"length": (1_u64 << 40) + 1});
    cases.refuse("TooLarge", "a file has at most 2^40 bytes", "file shape", given);
}

fn pieces(cases: &mut Cases) {
    let mut text = vec![0x5a; 5];
    text.resize(4096, 0);
    let by_hand = sealed(0, 0, true, &text);
    let given = json!({"length": 5});
    cases.accept("a file of five bytes", "file piece", given);
    let id = ChunkId::of(&HashKeys::new(NETWORK), &by_hand);
    let code = FileKey::from_bytes(key()).level(0, waxwing_seal::file::Shape::of(5).unwrap());
    assert_eq!(code.seal(0, &[0x5a; 5]).unwrap(), by_hand, "sealed by hand");
    assert_eq!(
        ChunkId::of(&HashKeys::new(NETWORK), &code.seal(0, &[0x5a; 5]).unwrap()),
        id
    );
    let whole = sealed(0, 1, false, &vec![0x5a; 262_144]);
    let code = FileKey::from_bytes(key()).level(0, waxwing_seal::file::Shape::of(1_000_000).unwrap());
    assert_eq!(code.seal(1, &vec![0x5a; 262_144]).unwrap(), whole);
    let middle = json!({"length": 1_000_000, "position": 1});
    cases.accept("the second piece of four", "file piece", middle);
    let last = json!({"length": 1_000_000, "position": 3});
    cases.accept("the last piece of four", "file piece", last);
    let list = json!({"length": 2_400, "level": 1});
    cases.accept("a list of 75 ids", "file piece", list);
}

fn refused_pieces(cases: &mut Cases) {
    let mut refuse = |rule: &str, name: &str, given: Value| cases.refuse(rule, name, "file piece", given);
    let five = |field: &str, value: Value| {
        let mut given = json!({"length": 1_000_000, "position": 1});
        given[field] = value;
        given
    };
    refuse(
        "NoPiece",
        "there is no piece behind the last",
        five("position", json!(4)),
    );
    refuse("WrongLength", "a chunk is whole", five("cut to", json!(262_159)));
    refuse("Broken", "no byte is altered", five("flipped byte", json!(100_000)));
    refuse("Broken", "the tag is not altered", five("flipped byte", json!(262_159)));
    refuse(
        "Broken",
        "a piece opens in its own place",
        five("opened position", json!(2)),
    );
    refuse(
        "Broken",
        "a piece opens on its own level",
        five("opened level", json!(1)),
    );
    refuse(
        "Broken",
        "a piece opens in its own file",
        five("opened file key", json!(hex([9; 32]))),
    );
    let cut = json!({"length": 524_288, "position": 0, "opened length": 262_144});
    refuse("Broken", "a file ends with its last piece", cut);
    let longer = json!({"length": 262_144, "position": 0, "opened length": 524_288});
    refuse("Broken", "a file does not go on behind its last piece", longer);
    let behind = json!({"length": 11, "opened length": 10});
    refuse("BadPadding", "behind the end are zeros", behind);
}

fn manifest() -> Manifest {
    Manifest {
        name: FileName::new("cat.jpg").unwrap(),
        media_type: MediaType::new("image/jpeg").unwrap(),
        length: 5,
        hash: Hash(*blake3::hash(&[0x5a; 5]).as_bytes()),
        key: FileKey::from_bytes(key()),
        kept_until_ms: 1_702_592_000_000,
        holders: vec![NodeId([0xee; 32])],
        chunks: vec![ChunkId([0xcc; 32])],
        words: Words::new("look").unwrap(),
    }
}

fn manifests(cases: &mut Cases) {
    let good = manifest().to_bytes();
    cases.accept("a manifest", "file manifest", json!({"bytes": hex(&good)}));
    let forgotten = Manifest::forgotten().to_bytes();
    cases.accept(
        "what is left of a file that was taken back",
        "file manifest",
        json!({"bytes": hex(forgotten)}),
    );
    refused_manifests(cases, &good);
}

fn refused_manifests(cases: &mut Cases, good: &[u8]) {
    let mut refuse = |rule: &str, name: &str, bytes: &[u8]| {
        cases.refuse(rule, name, "file manifest", json!({"bytes": hex(bytes)}));
    };
    let altered = |place: usize, with: &[u8]| {
        let mut other = good.to_vec();
        other[place..place + with.len()].copy_from_slice(with);
        other
    };
    refuse("Codec(WrongMagic)", "the version of a manifest is 1", &altered(0, &[2]));
    refuse(
        "Codec(TooLong)",
        "a file name has at most 255 bytes",
        &altered(1, &256_u32.to_be_bytes()),
    );
    refuse(
        "Codec(TooLong)",
        "a media type has at most 127 bytes",
        &altered(12, &128_u32.to_be_bytes()),
    );
    refuse("Codec(BadValue)", "a file name is UTF-8", &altered(5, &[0xff]));
    let length = 1 + 4 + 7 + 4 + 10;
    refuse(
        "Codec(BadValue)",
        "the file of a manifest has at most 2^40 bytes",
        &altered(length, &u64::MAX.to_be_bytes()),
    );
    refuse(
        "Codec(BadValue)",
        "as many ids are listed as the length needs",
        &altered(length, &300_000_u64.to_be_bytes()),
    );
    let holders = length + 8 + 32 + 32 + 8;
    refuse(
        "Codec(TooLong)",
        "at most 8 nodes are named",
        &altered(holders, &9_u32.to_be_bytes()),
    );
    let chunks = holders + 4 + 32;
    refuse(
        "Codec(TooLong)",
        "at most 8 ids are listed",
        &altered(chunks, &257_u32.to_be_bytes()),
    );
    refuse(
        "Codec(BadValue)",
        "an id has 32 bytes",
        &altered(chunks, &33_u32.to_be_bytes()),
    );
    refuse(
        "Codec(Truncated)",
        "a manifest has all its fields",
        &good[..good.len() - 1],
    );
    let longer = [good, &[0]].concat();
    refuse("Codec(Truncated)", "a manifest ends with its words", &longer);
}

fn names(cases: &mut Cases) {
    for (name, theirs) in [
        ("an ordinary name", "Bericht 2026 (final).pdf"),
        ("a path", "../../.ssh/authorized_keys"),
        ("a path of another system", "..\\..\\boot.ini"),
        ("a name that turns around", "photo\u{202e}gpj.exe"),
        ("an option", "-rf"),
        ("a device", "nul.txt"),
        ("a hidden file", ".profile"),
        ("no name", "..."),
        ("shell characters", "a;rm $HOME&`id`"),
    ] {
        cases.accept(name, "file name", json!({"theirs": theirs}));
    }
}
