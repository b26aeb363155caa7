//! Files come back as they were, whatever their length, and no piece opens where it does not belong.

use proptest::prelude::*;
use waxwing_core::Hash;
use waxwing_core::chunk::ChunkId;
use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::keys::NodeId;

use super::*;
use crate::content::Words;
use crate::limits::{FILE_BYTES_MAX, IDS_IN_MANIFEST_MAX, PIECE_BYTES, PIECE_TAG_BYTES};

const PIECE: u64 = 262_144;

fn key() -> FileKey {
    FileKey::from_bytes([7; 32])
}

fn file(length: u64) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn seal(key: &FileKey, text: &[u8]) -> Vec<Vec<u8>> {
    let shape = Shape::of(u64::try_from(text.len()).unwrap()).unwrap();
    let level = key.level(0, shape);
    (0..shape.pieces())
        .map(|position| {
            let extent = shape.extent(position).unwrap();
            let start = usize::try_from(extent.start).unwrap().min(text.len());
            level.seal(position, &text[start..start + extent.text]).unwrap()
        })
        .collect()
}

fn open(key: &FileKey, length: u64, chunks: &[Vec<u8>]) -> Result<Vec<u8>, PieceError> {
    let level = key.level(0, Shape::of(length).unwrap());
    let mut text = Vec::new();
    for (position, chunk) in (0..).zip(chunks) {
        text.extend_from_slice(&level.open(position, chunk)?);
    }
    Ok(text)
}

#[test]
fn lengths_around_the_borders_of_pieces_come_back() {
    for length in [
        0,
        1,
        4095,
        4096,
        4097,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        2 * PIECE - 1,
        2 * PIECE,
        2 * PIECE + 1,
        9 * PIECE,
    ] {
        let text = file(length);
        let chunks = seal(&key(), &text);
        assert_eq!(open(&key(), length, &chunks).unwrap(), text, "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_file_of_any_length_comes_back(length in 0_u64..1_500_000, seed in any::<u8>()) {
        let text: Vec<u8> = (0..length).map(|at| u8::try_from(at % 256).unwrap() ^ seed).collect();
        let chunks = seal(&key(), &text);
        prop_assert_eq!(open(&key(), length, &chunks).unwrap(), text);
    }

    #[test]
    fn a_shape_covers_its_text_once_and_shows_a_bucket_only(length in 0..=FILE_BYTES_MAX) {
        let shape = Shape::of(length).unwrap();
        prop_assert!(shape.padded() >= length.max(4096));
        prop_assert!((shape.padded() - length.max(4096)) * 100 <= 12 * length.max(4096));
        prop_assert_eq!(Shape::of(shape.padded().min(FILE_BYTES_MAX)).unwrap().padded(), shape.padded());
        let last = shape.extent(shape.pieces() - 1).unwrap();
        prop_assert!(last.is_last && last.padded > 0);
        prop_assert_eq!(last.start + u64::try_from(last.padded).unwrap(), shape.padded());
        prop_assert_eq!(shape.extent(shape.pieces()), None);
        let levels = levels(length).unwrap();
        prop_assert!(levels.last().unwrap().pieces() <= IDS_IN_MANIFEST_MAX);
        for pair in levels.windows(2) {
            prop_assert_eq!(pair[1].length(), u64::from(pair[0].pieces()) * 32);
        }
    }

    #[test]
    fn a_flipped_bit_is_refused(length in 0_u64..300_000, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut chunks = seal(&key(), &file(length));
        let count = chunks.len();
        let chunk = &mut chunks[at.index(count)];
        let place = at.index(chunk.len());
        chunk[place] ^= 1 << bit;
        prop_assert_eq!(open(&key(), length, &chunks), Err(PieceError::Broken));
    }
}

#[test]
fn a_file_cut_at_the_border_of_a_piece_is_refused() {
    // Whole pieces, so that nothing but the mark of the last one tells where the end is.
    let length = 16 * PIECE;
    let chunks = seal(&key(), &file(length));
    let shorter = 12 * PIECE;
    let shape = Shape::of(shorter).unwrap();
    let kept = &chunks[..usize::try_from(shape.pieces()).unwrap()];
    assert_eq!(open(&key(), shorter, kept), Err(PieceError::Broken));
    let last = shape.pieces() - 1;
    let level = key().level(0, shape);
    assert!(level.open(0, &chunks[0]).is_ok(), "the first piece is the same in both");
    assert!(level.open(last, &chunks[usize::try_from(last).unwrap()]).is_err());
}

#[test]
fn a_file_that_was_made_longer_is_refused() {
    let short = 12 * PIECE;
    let chunks = seal(&key(), &file(short));
    let longer = 16 * PIECE;
    let level = key().level(0, Shape::of(longer).unwrap());
    let last = chunks.len() - 1;
    let position = u32::try_from(last).unwrap();
    assert!(level.open(position, &chunks[last]).is_err(), "it was the last one");
    assert_eq!(
        level.open(position + 1, &chunks[0]),
        Err(PieceError::Broken),
        "a repeated piece"
    );
}

#[test]
fn swapped_repeated_and_foreign_pieces_are_refused() {
    let length = 5 * PIECE;
    let text = file(length);
    let chunks = seal(&key(), &text);
    let refused = |chunks: &[Vec<u8>]| assert_eq!(open(&key(), length, chunks), Err(PieceError::Broken));
    let mut swapped = chunks.clone();
    swapped.swap(1, 2);
    refused(&swapped);
    let mut repeated = chunks.clone();
    repeated[2] = chunks[1].clone();
    refused(&repeated);
    let other = seal(&FileKey::from_bytes([8; 32]), &text);
    let mut mixed = chunks.clone();
    mixed[1] = other[1].clone();
    refused(&mixed);
    let list = key().level(1, Shape::of(length).unwrap());
    assert_eq!(
        list.open(1, &chunks[1]),
        Err(PieceError::Broken),
        "a piece of another level"
    );
}

#[test]
fn a_chunk_of_another_length_is_refused_before_any_work() {
    let chunks = seal(&key(), &file(10));
    let level = key().level(0, Shape::of(10).unwrap());
    assert_eq!(chunks[0].len(), 4096 + PIECE_TAG_BYTES);
    for length in [0, 15, 16, 4096, 4111] {
        assert_eq!(level.open(0, &chunks[0][..length]), Err(PieceError::WrongLength));
    }
    let mut longer = chunks[0].clone();
    longer.push(0);
    assert_eq!(level.open(0, &longer), Err(PieceError::WrongLength));
    assert_eq!(level.open(1, &chunks[0]), Err(PieceError::NoPiece));
    assert_eq!(level.seal(0, &[0; 11]), Err(PieceError::WrongLength));
    assert_eq!(level.seal(1, &[]), Err(PieceError::NoPiece));
}

#[test]
fn something_behind_the_end_is_refused() {
    // A sender who knows the key claims fewer bytes than were sealed.
    let chunks = seal(&key(), &file(11));
    assert_eq!(open(&key(), 10, &chunks), Err(PieceError::BadPadding));
}

#[test]
fn the_same_text_seals_to_the_same_chunks() {
    let text = file(600_000);
    assert_eq!(seal(&key(), &text), seal(&key(), &text));
}

#[test]
fn a_node_sees_few_different_sizes() {
    // 20 MB and everything near it look the same.
    let sizes = |length| {
        let shape = Shape::of(length).unwrap();
        (shape.pieces(), shape.extent(shape.pieces() - 1).unwrap().padded)
    };
    assert_eq!(sizes(20_000_000), sizes(20_400_000));
    assert_eq!(sizes(0), sizes(4096));
    assert_ne!(sizes(4096), sizes(4097));
}

#[test]
fn known_shapes() {
    for (length, padded, pieces) in [
        (0, 4096, 1),
        (5000, 5120, 1),
        (262_144, 262_144, 1),
        (262_145, 270_336, 2),
        (1_000_000_000, 1_006_632_960, 3840),
        (1 << 40, 1 << 40, 4_194_304),
    ] {
        let shape = Shape::of(length).unwrap();
        assert_eq!((shape.padded(), shape.pieces()), (padded, pieces), "{length}");
    }
    assert_eq!(Shape::of((1 << 40) + 1), None);
    let depth = |length| levels(length).unwrap().len();
    assert_eq!((depth(2_000_000), depth(1_000_000_000), depth(1 << 40)), (1, 2, 3));
    assert_eq!(u64::from(PIECE_BYTES), PIECE);
}

fn manifest(length: u64) -> Manifest {
    let pieces = levels(length).unwrap().last().unwrap().pieces();
    Manifest {
        name: FileName::new("cat.jpg").unwrap(),
        media_type: MediaType::new("image/jpeg").unwrap(),
        length,
        hash: Hash([1; 32]),
        key: key(),
        kept_until_ms: 1_700_000_000_000,
        holders: vec![NodeId([3; 32]), NodeId([4; 32])],
        chunks: (0..pieces)
            .map(|at| ChunkId([u8::try_from(at + 1).unwrap(); 32]))
            .collect(),
        words: Words::new("look").unwrap(),
    }
}

#[test]
fn a_manifest_comes_back_and_stays_small_whatever_the_size() {
    for length in [0, 3_000_000, 1_000_000_000, FILE_BYTES_MAX] {
        let manifest = manifest(length);
        let bytes = manifest.to_bytes();
        assert_eq!(Manifest::from_bytes(&bytes), Ok(manifest));
        assert!(bytes.len() < 512, "{}", bytes.len());
    }
    let forgotten = Manifest::forgotten();
    assert!(forgotten.is_forgotten() && !manifest(3_000_000).is_forgotten());
    assert_eq!(Manifest::from_bytes(&forgotten.to_bytes()), Ok(forgotten));
}

#[test]
fn a_manifest_lists_as_many_ids_as_its_length_needs() {
    let good = manifest(700_000);
    for change in [-1_i32, 1] {
        let mut other = good.clone();
        if change < 0 {
            other.chunks.pop();
        } else {
            other.chunks.push(ChunkId([9; 32]));
        }
        assert_eq!(Manifest::from_bytes(&other.to_bytes()), Err(CodecError::BadValue));
    }
    let mut huge = good.clone();
    huge.length = FILE_BYTES_MAX + 1;
    assert_eq!(Manifest::from_bytes(&huge.to_bytes()), Err(CodecError::BadValue));
    let bytes = good.to_bytes();
    assert_eq!(
        Manifest::from_bytes(&bytes[..bytes.len() - 1]),
        Err(CodecError::Truncated)
    );
    let mut newer = bytes.clone();
    newer[0] = 2;
    assert_eq!(Manifest::from_bytes(&newer), Err(CodecError::WrongMagic));
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(Manifest::from_bytes(&longer), Err(CodecError::Truncated), "no mentions");
}

#[test]
fn lists_of_ids_are_whole() {
    let ids = vec![ChunkId([1; 32]), ChunkId([2; 32])];
    assert_eq!(listed(&list_bytes(&ids)), Some(ids));
    assert_eq!(listed(&[0; 33]), None);
    assert_eq!(listed(&[]), Some(Vec::new()));
}

#[test]
fn debug_output_shows_neither_names_nor_keys() {
    let shown = format!("{:?} {:?}", manifest(10), key());
    assert_eq!(shown, "Manifest(10 bytes, 1 ids) FileKey(..)");
}
