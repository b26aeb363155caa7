//! Checks about files beside the ledger: how they are cut, sealed and named.

use serde_json::{Value, json};
use waxwing_core::chunk::ChunkId;
use waxwing_core::codec::Decode;
use waxwing_seal::file::{FileKey, Manifest, Shape, levels, safe_file_name};

use crate::case::{Outcome, hex};
use crate::check::{Given, rule};

pub(crate) fn run(check: &str, given: &Given<'_>) -> Option<Outcome> {
    Some(match check {
        "file shape" => shape(given),
        "file piece" => piece(given),
        "file manifest" => manifest(given),
        "file name" => Ok(json!({"name": safe_file_name(given.text("theirs"))})),
        _ => return None,
    })
}

fn shape(given: &Given<'_>) -> Outcome {
    let levels = levels(given.number("length")).ok_or("TooLarge")?;
    let last = levels[0].extent(levels[0].pieces() - 1).unwrap();
    Ok(json!({
        "padded": levels[0].padded(),
        "pieces": levels[0].pieces(),
        "last piece": last.padded,
        "levels": levels.iter().map(Shape::pieces).collect::<Vec<_>>(),
    }))
}

/// A text of so many bytes `fill`, sealed in one place, altered as the case says, and opened in the same or another place.
fn piece(given: &Given<'_>) -> Outcome {
    let number = |field: &str| given.number(field);
    let opened = |field: &str| {
        let other = format!("opened {field}");
        if given.has(&other) {
            number(&other)
        } else {
            number(field)
        }
    };
    let small = |number: u64| u32::try_from(number).unwrap();
    let key = FileKey::from_bytes(given.array("file key"));
    let level = key.level(small(number("level")), Shape::of(number("length")).unwrap());
    let position = small(number("position"));
    let extent = level.shape().extent(position).ok_or("NoPiece")?;
    let fill = vec![u8::try_from(number("fill")).unwrap(); extent.text];
    let mut chunk = level.seal(position, &fill).unwrap();
    let sealed = chunk.clone();
    if given.has("flipped byte") {
        chunk[usize::try_from(number("flipped byte")).unwrap()] ^= 1;
    }
    if given.has("cut to") {
        chunk.truncate(usize::try_from(number("cut to")).unwrap());
    }
    let other = FileKey::from_bytes(given.array(if given.has("opened file key") {
        "opened file key"
    } else {
        "file key"
    }));
    let level = other.level(small(opened("level")), Shape::of(opened("length")).unwrap());
    let text = level.open(small(opened("position")), &chunk).map_err(rule)?;
    assert_eq!(*text, fill);
    Ok(facts(given, &sealed))
}

fn facts(given: &Given<'_>, chunk: &[u8]) -> Value {
    json!({
        "bytes": chunk.len(),
        "first 32": hex(&chunk[..32]),
        "tag": hex(&chunk[chunk.len() - 16..]),
        "chunk id": hex(ChunkId::of(&given.keys(), chunk).0),
    })
}

fn manifest(given: &Given<'_>) -> Outcome {
    let manifest = Manifest::from_bytes(&given.bytes("bytes")).map_err(|error| format!("Codec({error:?})"))?;
    Ok(json!({
        "name": manifest.name.as_str(),
        "type": manifest.media_type.as_str(),
        "length": manifest.length,
        "hash": hex(manifest.hash.0),
        "key": hex(manifest.key.expose()),
        "kept until": manifest.kept_until_ms,
        "holders": manifest.holders.iter().map(|node| hex(node.0)).collect::<Vec<_>>(),
        "chunks": manifest.chunks.iter().map(|id| hex(id.0)).collect::<Vec<_>>(),
        "words": manifest.words.as_str(),
    }))
}
