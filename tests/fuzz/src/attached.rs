//! Files that messages hand over. Games of the target [`crate::seal`].
//!
//! Whoever sends one chooses every word of its manifest, and whoever keeps it gives any bytes for a chunk. A manifest has one
//! form; a piece opens as what was sealed in its place or not at all; and no name, whatever it is, leads out of the folder
//! that a file is saved in.

use waxwing_core::chunk::ChunkId;
use waxwing_core::codec::{Decode, Encode};
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;
use waxwing_seal::file::{FileKey, Level, Manifest, Shape, levels, list_bytes, listed, safe_file_name};
use waxwing_seal::{Content, Kind};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::{again, answered};

/// The games, numbered by the target behind those of inboxes.
pub(crate) const GAMES: [fn(&[u8]); 3] = [manifest, pieces, name];

fn manifest(bytes: &[u8]) {
    let Some(manifest) = again::<Manifest>(bytes) else {
        return;
    };
    let shapes = manifest.levels().expect("what was accepted has a form");
    let last = shapes.last().expect("a file has a level");
    assert_eq!(usize::try_from(last.pieces()), Ok(manifest.chunks.len()));
    answered(manifest.is_forgotten());
    safe(manifest.name.as_str());
    // A piece of any level, with whatever stands behind the manifest's first bytes as its chunk.
    for (number, shape) in (0..).zip(shapes) {
        assert!(shape.pieces() > 0 && shape.padded() >= shape.length());
        let level = manifest.key.level(number, shape);
        assert!(level.open(0, bytes).is_err(), "nobody sealed it");
        assert!(level.open(u32::MAX, bytes).is_err(), "there is no such piece");
    }
}

/// A short file under some key, its pieces spoilt, swapped, cut, or taken from another place.
fn pieces(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    // Around the borders of the padding and of the first pieces.
    let bases = [0, 1, 4095, 4096, 4097, 262_143, 262_144, 262_145, 524_288];
    let length = script.pick(&bases) + script.below(3);
    let shape = Shape::of(length).expect("it is short");
    let key = |byte| FileKey::from_bytes([byte; 32]);
    let level = key(1).level(0, shape);
    let texts: Vec<Vec<u8>> = (0..shape.pieces())
        .map(|position| {
            let extent = shape.extent(position).expect("it is a piece");
            vec![u8::try_from(position % 251).expect("a byte"); extent.text]
        })
        .collect();
    let seal = |level: &Level, position: usize| {
        let position = u32::try_from(position).expect("few pieces");
        level.seal(position, &texts[usize::try_from(position).expect("few")])
    };
    for _ in 0..4 {
        let (from, to) = (script.place(texts.len()), script.place(texts.len()));
        let honest = seal(&level, from).expect("its own text");
        let mut chunk = match script.byte() % 4 {
            0 => seal(&key(2).level(0, shape), from).expect("its own text"),
            1 => seal(&key(1).level(1, shape), from).expect("its own text"),
            _ => honest.clone(),
        };
        script.spoil(&mut chunk);
        let opened = level.open(u32::try_from(to).expect("few pieces"), &chunk);
        if from == to && chunk == honest {
            assert_eq!(opened.as_deref(), Ok(&texts[to]), "the true piece does not open");
        } else {
            assert!(opened.is_err(), "a piece opens that nobody sealed there");
        }
    }
    let ids: Vec<ChunkId> = texts.iter().map(|_| ChunkId([script.byte(); 32])).collect();
    assert_eq!(listed(&list_bytes(&ids)), Some(ids));
    answered(listed(script.bytes(70)));
    let any = script.number() << 48 | script.number() << 32 | script.number() << 16 | script.number();
    answered(levels(any));
}

fn name(bytes: &[u8]) {
    safe(&String::from_utf8_lossy(bytes));
}

/// What is saved stays in its folder, is seen, and means nothing to a shell.
fn safe(name: &str) {
    let safe = safe_file_name(name);
    assert!(!safe.is_empty() && safe.len() <= 200, "{safe:?}");
    assert!(!safe.contains([
        '/', '\\', ':', '*', '?', '"', '<', '>', '|', '$', '`', '\'', ';', '&', '!'
    ]));
    assert!(
        !safe.starts_with(['.', '-', '~', ' ']) && !safe.ends_with(['.', ' ']),
        "{safe:?}"
    );
    assert!(!safe.chars().any(char::is_control), "{safe:?}");
    let path = std::path::Path::new(&safe);
    assert_eq!(path.file_name(), Some(safe.as_ref()), "{safe:?} is more than a name");
    assert_eq!(safe_file_name(&safe), safe, "what is safe is safe");
}

/// The vectors' manifests, those of any content that has one, names with tricks, and some scripts. `first` is the number of
/// the first game.
pub(crate) fn seeds(first: usize) -> Vec<Vec<u8>> {
    let [manifest, pieces, name] = core::array::from_fn(|place| first + place);
    let mut seeds = vec![seed(manifest, &Manifest::forgotten().to_bytes())];
    for bytes in &GOLDEN.bytes {
        if Manifest::from_bytes(bytes).is_ok() {
            seeds.push(seed(manifest, bytes));
        }
    }
    let content = FORMATS.iter().find(|format| format.name == "content");
    let content = content.expect("it is a format");
    let contents = (0..200).map(|number| (content.random)(&mut Chance::new(number)));
    let manifests = contents.filter_map(|bytes| match Content::from_bytes(&bytes).ok()?.kind {
        Kind::Attachment(manifest) => Some(manifest.to_bytes()),
        _ => None,
    });
    seeds.extend(manifests.take(4).map(|bytes| seed(manifest, &bytes)));
    for text in [
        "cat.jpg",
        "../../.ssh/authorized_keys",
        "C:\\boot.ini",
        "-rf",
        "~",
        "nul .txt",
        "photo\u{202e}gpj.exe",
        "a\u{1b}[2Jb",
        "x;rm $HOME&`id`",
        "end. . ",
        "\u{a0}\u{2028}x",
    ] {
        seeds.push(seed(name, text.as_bytes()));
    }
    let long = ["é".repeat(120), "x.".repeat(150), format!("{}. .jpeg", "x".repeat(192))];
    seeds.extend(long.iter().map(|text| seed(name, text.as_bytes())));
    for start in 0..8_u8 {
        let script: Vec<u8> = (0..60_u8)
            .map(|at| start.wrapping_mul(at).wrapping_add(at >> 2))
            .collect();
        seeds.push(seed(pieces, &script));
    }
    seeds
}
