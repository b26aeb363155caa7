//! Bundles: written, read back, cut off, shortened, damaged.

use std::io::Cursor;

use proptest::prelude::*;
use waxwing_audit::bundle::{Bundle, Writer, export};
use waxwing_audit::finding::Fault;
use waxwing_audit::report::Report;
use waxwing_audit::source::{HistorySource, SourceError, SourceKind};
use waxwing_audit::{audit, audit_path, unopened};
use waxwing_core::codec::Encode;
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;

use crate::histories::{History, honest, tiny};

fn bundle_of(history: &History) -> Vec<u8> {
    let mut bytes = Vec::new();
    let exported = export(&mut history.source(), &mut bytes, &mut |_| ()).unwrap();
    assert_eq!(exported.bytes, u64::try_from(bytes.len()).unwrap());
    bytes
}

fn audit_bytes(bytes: &[u8], policy: Option<&Policy>) -> Report {
    match Bundle::read(Cursor::new(bytes)) {
        Ok(mut bundle) => audit(&mut bundle, policy, &mut |_| ()).unwrap(),
        Err(error) => unopened(SourceKind::Bundle, policy, error).unwrap(),
    }
}

#[test]
fn a_bundle_is_read_back_and_verified_like_what_it_was_made_from() {
    let history = honest();
    let bytes = bundle_of(&history);
    let report = audit_bytes(&bytes, Some(&history.policy_at(7)));
    assert_eq!(report.verdict, Verdict::Verified, "{report}");
    let memory = history.audit(Some(&history.policy_at(7)));
    assert_eq!((report.figures, report.bodies), (memory.figures, memory.bodies));
}

#[test]
fn a_bundle_has_the_specified_bytes() {
    let mut history = honest();
    history.blocks.truncate(1);
    let (genesis, block) = (history.genesis.to_bytes(), history.blocks[0].to_bytes());
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_be_bytes();
    let mut expected = [b"WXBUNDL\x01", &length(&genesis)[..], &genesis, &length(&block), &block].concat();
    expected.extend_from_slice(&[0; 4]);
    expected.extend_from_slice(&1_u64.to_be_bytes());
    let hash = blake3::derive_key("waxwing v1 bundle", &expected);
    expected.extend_from_slice(&hash);
    assert_eq!(bundle_of(&history), expected);
}

/// The hexadecimal digits of a worked example in the specification, whose lines carry notes: 1 is a bundle, 2 evidence.
pub(crate) fn worked_example(number: usize) -> Vec<u8> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/BUNDLE.md")).unwrap();
    let example = text
        .split("```text\n")
        .nth(number)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let digits: String = example
        .lines()
        .map(|line| line.split("   ").next().unwrap())
        .flat_map(|line| line.chars().filter(char::is_ascii_hexdigit))
        .collect();
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

#[test]
fn the_worked_example_of_the_specification_is_what_a_writer_writes() {
    let genesis = waxwing_store::fixture::genesis(1);
    let bytes = Writer::new(Vec::new(), &genesis).unwrap().finish().unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(worked_example(1), bytes, "{hex}");
}

#[test]
fn a_file_names_its_number_of_blocks_before_it_is_read() {
    let history = honest();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.bundle");
    std::fs::write(&path, bundle_of(&history)).unwrap();
    let mut bundle = Bundle::open(&path).unwrap();
    assert_eq!(bundle.claimed(), Some(7));
    let mut seen = Vec::new();
    let report = audit(&mut bundle, Some(&history.policy()), &mut |progress| {
        seen.push(progress)
    })
    .unwrap();
    assert_eq!(report.verdict, Verdict::Verified);
    let last = seen.last().unwrap();
    assert_eq!((last.blocks, last.claimed, last.entries), (7, Some(7), 11));
    let anyhow = audit_path(&path, Some(&history.policy()), &mut |_| ()).unwrap();
    assert_eq!(anyhow, report, "what stands at a path is told by looking");
    let missing = Bundle::open(&directory.path().join("none")).map(|_| ());
    assert!(
        matches!(missing, Err(SourceError::Failed(_))),
        "a missing file is no verdict"
    );
}

#[test]
fn a_bundle_that_breaks_off_anywhere_is_malformed_and_says_how_far_it_goes() {
    let history = History::of(&tiny());
    let bytes = bundle_of(&history);
    let policy = history.policy();
    for length in 0..bytes.len() {
        let report = audit_bytes(&bytes[..length], Some(&policy));
        assert_eq!(
            (report.verdict, report.exit_code()),
            (Verdict::Malformed, 50),
            "cut to {length}: {report}"
        );
    }
    let at_a_block = bytes.len() - 44;
    let report = audit_bytes(&bytes[..at_a_block], Some(&policy));
    assert!(report.headline().contains("breaks off after block 1"), "{report}");
    assert_eq!(
        (report.head.unwrap().height, report.figures.entries),
        (1, 2),
        "what is there was replayed"
    );
}

#[test]
fn a_bundle_shortened_on_purpose_is_whole_and_only_a_pinned_head_tells() {
    let history = honest();
    let mut shorter = history.clone();
    shorter.blocks.truncate(2);
    let bytes = bundle_of(&shorter);
    assert_eq!(audit_bytes(&bytes, Some(&history.policy())).verdict, Verdict::Verified);
    assert_eq!(
        audit_bytes(&bytes, Some(&history.policy_at(7))).verdict,
        Verdict::Incomplete
    );
}

#[test]
fn an_end_mark_that_lies_is_refused() {
    let history = honest();
    let good = bundle_of(&history);
    let policy = history.policy();
    let changed = |from_end: usize, value: u8| {
        let mut bytes = good.clone();
        let place = bytes.len() - from_end;
        bytes[place] ^= value;
        bytes
    };
    let changes = [
        ("end mark speaks of 6 blocks", changed(33, 1)),
        ("the hash that its end mark names", changed(32, 1)),
        ("behind the bundle's end mark", [&good[..], &[0]].concat()),
        ("none has so many", changed(44, 1)),
    ];
    for (words, bytes) in changes {
        let report = audit_bytes(&bytes, Some(&policy));
        assert_eq!(report.verdict, Verdict::Malformed);
        assert!(report.headline().contains(words), "{words}: {report}");
    }
}

#[test]
fn tampering_is_found_in_a_bundle_whose_hash_was_made_anew() {
    let mut history = honest();
    history.at(2).entries[0].signed.signature.0[0] ^= 1;
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &history.genesis).unwrap();
    history.blocks.iter().for_each(|block| writer.block(block).unwrap());
    writer.finish().unwrap();
    let report = audit_bytes(&bytes, Some(&history.policy()));
    assert_eq!(report.verdict, Verdict::Tampered);
    assert_eq!(
        (report.first().unwrap().at.height, report.first().unwrap().at.place),
        (2, Some(0))
    );
}

#[test]
fn a_block_that_cannot_be_read_is_malformed_and_the_blocks_before_it_are_not() {
    let history = honest();
    let mut bytes = bundle_of(&history);
    let before: usize = history.blocks[..2].iter().map(|block| 4 + block.to_bytes().len()).sum();
    let third = 8 + 4 + history.genesis.to_bytes().len() + before + 4;
    bytes[third] ^= 1;
    let report = audit_bytes(&bytes, Some(&history.policy()));
    assert_eq!(report.verdict, Verdict::Malformed);
    assert!(matches!(report.first().unwrap().fault, Fault::Malformed { .. }));
    assert_eq!((report.first().unwrap().at.height, report.good.unwrap().height), (3, 2));
}

#[test]
fn every_flipped_bit_of_a_tiny_bundle_is_found() {
    let history = History::of(&tiny());
    let good = bundle_of(&history);
    let policy = history.policy();
    assert_eq!(audit_bytes(&good, Some(&policy)).verdict, Verdict::Verified);
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let report = audit_bytes(&bytes, Some(&policy));
        assert_ne!(report.verdict, Verdict::Verified, "bit {} of byte {}", bit % 8, bit / 8);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_anywhere_in_a_bundle_is_found_with_or_without_policy(place in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let history = honest();
        let mut bytes = bundle_of(&history);
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let anchored = audit_bytes(&bytes, Some(&history.policy()));
        prop_assert_ne!(anchored.verdict, Verdict::Verified);
        prop_assert_ne!(audit_bytes(&bytes, None).verdict, Verdict::Verified);
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_verify(bytes in prop::collection::vec(any::<u8>(), 0..400), is_marked in any::<bool>()) {
        let start: &[u8] = if is_marked { b"WXBUNDL\x01" } else { b"" };
        let report = audit_bytes(&[start, &bytes].concat(), None);
        prop_assert_eq!(report.verdict, Verdict::Malformed);
    }
}
