//! The specification against the code: a text that says something else than the code does fails here.
//!
//! `SPEC.md` quotes vectors in two kinds of blocks. ```` ```bytes FILE | CASE | FIELD ```` is a table of offset, size, field and
//! value that must cover the bytes exactly; a field in brackets is not shown. ```` ```facts FILE | CASE ```` names facts of a
//! case. When vectors are written, these blocks are filled in anew. Its tables of contexts, domains, limits and verdicts
//! are compared with the code, and so are the names of all refusals and the marks (`SPEC 9.2`) in the sources.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waxwing_core::hash::Meaning;
use waxwing_core::limits;
use waxwing_core::verdict::Verdict;

use crate::case::{Case, File};
use crate::check::unhex;
use crate::{FILES, computed, is_writing};

/// Width of the field's name in a table of bytes.
const FIELD: usize = 38;

fn ledger() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ledger")
}

fn spec() -> String {
    fs::read_to_string(ledger().join("SPEC.md")).unwrap()
}

/// One value of a case: what it was given, what all cases share, or what came of it.
fn value(file: &File, case: &Case, field: &str) -> Value {
    let found = case.given.get(field).or_else(|| file.shared.get(field));
    let facts = case.outcome.as_ref().ok();
    let found = found.or_else(|| facts.and_then(|facts| facts.get(field)));
    found
        .unwrap_or_else(|| panic!("the case {:?} has no {field:?}", case.name))
        .clone()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a block should say. `names` is its first line, `lines` are its rows.
fn rendered(names: &str, lines: &[&str]) -> String {
    let (kind, names) = names.split_once(' ').unwrap();
    let names: Vec<&str> = names.split(" | ").collect();
    let file = computed(names[0]);
    let case = file.cases.iter().find(|case| case.name == names[1]);
    let case = case.unwrap_or_else(|| panic!("no case {names:?}"));
    match kind {
        "facts" => facts(&file, case, lines),
        "bytes" => table(&unhex(&shown(&value(&file, case, names[2]))), lines),
        other => panic!("no such block: {other}"),
    }
}

fn facts(file: &File, case: &Case, lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        let name = line.split("  ").next().unwrap();
        let fact = case.outcome.as_ref().ok().and_then(|facts| facts.get(name));
        let fact = fact.unwrap_or_else(|| panic!("{:?} has no fact {name:?}", case.name));
        writeln!(out, "{name:<17} {}", shown(fact)).unwrap();
    }
    assert!(!file.story.is_empty());
    out
}

/// A row is: offset, size, name, value. What stands in brackets instead of a value is kept.
fn table(bytes: &[u8], lines: &[&str]) -> String {
    let mut out = "offset  size  field\n".to_owned();
    let mut offset = 0;
    let is_row = |line: &&&str| {
        line.split_whitespace()
            .next()
            .is_some_and(|word| word.parse::<usize>().is_ok())
    };
    for line in lines
        .iter()
        .filter(is_row)
        .filter(|line| !line.starts_with("          "))
    {
        let mut words = line.split_whitespace();
        let size: usize = words.nth(1).unwrap().parse().unwrap();
        let rest = words.collect::<Vec<_>>().join(" ");
        let chunk = &bytes[offset..offset + size];
        let chunks: Vec<String> = chunk.chunks(32).map(crate::case::hex).collect();
        if rest.starts_with('(') {
            writeln!(out, "{offset:>6}  {size:>4}  {rest}").unwrap();
        } else {
            let name = rest.strip_suffix(&chunks[0]).unwrap_or(&rest).trim_end();
            writeln!(out, "{offset:>6}  {size:>4}  {name:<FIELD$}{}", chunks[0]).unwrap();
            for chunk in &chunks[1..] {
                writeln!(out, "{:>14}{:<FIELD$}{chunk}", "", "").unwrap();
            }
        }
        offset += size;
    }
    assert_eq!(offset, bytes.len(), "a table covers all bytes: {lines:?}");
    out
}

/// The text with every quoted block as it should be.
fn corrected(text: &str) -> (String, usize) {
    let (mut out, mut blocks) = (String::new(), 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        writeln!(out, "{line}").unwrap();
        let Some(names) = line.strip_prefix("```").filter(|names| names.contains(" | ")) else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        out.push_str(&rendered(names, &block));
        out.push_str("```\n");
        blocks += 1;
    }
    (out, blocks)
}

#[test]
fn every_example_of_the_specification_is_a_vector() {
    let text = spec();
    let (corrected, blocks) = corrected(&text);
    if is_writing() {
        fs::write(ledger().join("SPEC.md"), corrected).unwrap();
        return;
    }
    assert!(blocks > 30, "only {blocks} examples");
    for (written, right) in text.lines().zip(corrected.lines()) {
        assert_eq!(written, right);
    }
    assert_eq!(text, corrected);
}

/// The rows of the table in a section, each as its cells.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let section = text.split_once(&format!("\n{heading}")).unwrap().1;
    let section = section.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    lines.map(cells).collect()
}

fn quoted(cell: &str) -> &str {
    cell.trim_matches('`')
}

#[test]
fn contexts_domains_and_verdicts_are_those_of_the_code() {
    use waxwing_core::certificate::{BEACON_DOMAIN, VOTE_DOMAIN};
    use waxwing_core::change::CHANGE_DOMAIN;
    use waxwing_core::envelope::ENVELOPE_DOMAIN;
    use waxwing_core::receipt::ACKNOWLEDGEMENT_DOMAIN;
    use waxwing_seal::identity::certificate::{ACCEPTANCE_DOMAIN, CERTIFICATE_DOMAIN};
    use waxwing_seal::identity::statement::STATEMENT_DOMAIN;
    use waxwing_seal::inbox::opening::{DEVICE_OPENING_DOMAIN, OPENING_DOMAIN};
    use waxwing_seal::inbox::post::POST_DOMAIN;
    let text = spec();
    let first = |heading| -> Vec<String> {
        rows(&text, heading)
            .iter()
            .map(|row| quoted(&row[0]).to_owned())
            .collect()
    };
    assert_eq!(first("### 3.1 "), Meaning::ALL.map(Meaning::context));
    let domains = [
        ENVELOPE_DOMAIN,
        VOTE_DOMAIN,
        // Of crates above the rules: the agreement, the links between validators, the messages of devices.
        b"waxwing v1 proposal",
        BEACON_DOMAIN,
        CHANGE_DOMAIN,
        b"waxwing v1 hello",
        ACKNOWLEDGEMENT_DOMAIN,
        b"waxwing v1 device message",
        ACCEPTANCE_DOMAIN,
        CERTIFICATE_DOMAIN,
        STATEMENT_DOMAIN,
        OPENING_DOMAIN,
        DEVICE_OPENING_DOMAIN,
        POST_DOMAIN,
    ];
    let domains = domains.map(|domain| String::from_utf8(domain.to_vec()).unwrap());
    assert_eq!(first("### 4.2 "), domains);
    let verdicts = [
        Verdict::Verified,
        Verdict::Incomplete,
        Verdict::Unanchored,
        Verdict::Diverged,
        Verdict::Tampered,
        Verdict::Malformed,
    ];
    let expected = verdicts.map(|verdict| (verdict.exit_code().to_string(), verdict.word().to_owned()));
    let written = rows(&text, "## 20. ")
        .into_iter()
        .map(|row| (row[0].clone(), quoted(&row[1]).to_owned()));
    assert_eq!(written.collect::<Vec<_>>(), expected);
}

#[test]
fn the_limits_of_the_specification_are_those_of_the_code() {
    let number = |row: &Vec<String>| -> u64 {
        let digits: String = row[1].chars().filter(|digit| *digit != ',').collect();
        digits.split(' ').next().unwrap().parse().unwrap()
    };
    let written: Vec<u64> = rows(&spec(), "## 21. ").iter().map(number).collect();
    let wide = |value: usize| u64::try_from(value).unwrap();
    let expected = [
        wide(limits::ENVELOPE_HEADER_BYTES),
        wide(limits::SIGNED_HEADER_BYTES),
        limits::BODY_BYTES_MAX.into(),
        limits::CHUNK_OVERHEAD_BYTES.into(),
        limits::CHUNK_BYTES_MAX.into(),
        limits::BLOCK_BYTES_MAX.into(),
        limits::BLOCK_ENTRIES_MAX.into(),
        limits::LOG_ENTRIES_PER_BLOCK_MAX.into(),
        limits::LOG_BYTES_PER_BLOCK_MAX.into(),
        limits::NEW_LOGS_PER_BLOCK_MAX.into(),
        limits::COMMITTEE_MAX.into(),
        limits::MISSED_TURNS_MAX.into(),
        limits::ANCHOR_INTERVAL,
        limits::ANCHOR_VALID_MS,
        limits::CLOCK_SKEW_MS,
        limits::FRESH_MS,
        limits::TRUSTING_PERIOD_MS,
        wide(limits::MAP_DEPTH_MAX),
        limits::LADDER_STEPS_MAX.into(),
        limits::EVIDENCE_RUNGS_MAX.into(),
        limits::EVIDENCE_MAX.into(),
        limits::NETWORK_NAME_BYTES_MAX.into(),
        limits::STAMP_BITS_MAX.into(),
        wide(limits::TREE_LEVELS_MAX),
    ];
    assert_eq!(written, expected);
    let constants = fs::read_to_string(ledger().join("core/src/limits.rs")).unwrap();
    let constants = constants.lines().filter(|line| line.starts_with("pub const ")).count();
    assert_eq!(
        constants,
        expected.len() + 3,
        "all but second, hour and day are in the table"
    );
}

/// The enums whose variants refuse bytes or proofs of others, and the files they stand in.
const REFUSALS: [(&str, &str); 32] = [
    ("core/src/codec.rs", "CodecError"),
    ("core/src/merkle/mod.rs", "ProofError"),
    ("core/src/logmap/proof.rs", "MapProofError"),
    ("core/src/genesis.rs", "GenesisError"),
    ("core/src/committee.rs", "CommitteeError"),
    ("core/src/committee.rs", "QuorumError"),
    ("core/src/envelope.rs", "EnvelopeError"),
    ("core/src/certificate.rs", "HeadError"),
    ("core/src/log.rs", "LogError"),
    ("core/src/ledger/mod.rs", "BlockError"),
    ("core/src/ledger/mod.rs", "HeaderField"),
    ("core/src/ledger/draft.rs", "EntryFault"),
    ("core/src/ledger/anchors.rs", "AnchorError"),
    ("core/src/follow.rs", "FollowError"),
    ("core/src/follow.rs", "BeaconError"),
    ("core/src/receipt.rs", "ReceiptError"),
    ("core/src/evidence.rs", "EvidenceError"),
    ("core/src/change.rs", "ChangeError"),
    ("core/src/evidence_file.rs", "RungFault"),
    ("core/src/policy.rs", "PolicyFault"),
    ("seal/src/engine.rs", "OpenError"),
    ("seal/src/invitation.rs", "LinkError"),
    ("seal/src/identity/phrase.rs", "PhraseError"),
    ("seal/src/identity/certificate.rs", "CertificateError"),
    ("seal/src/identity/void.rs", "DeviceFault"),
    ("seal/src/identity/void.rs", "Void"),
    ("seal/src/inbox/void.rs", "Void"),
    ("seal/src/file/stream.rs", "PieceError"),
    ("core/src/envelope.rs", "KeepFor"),
    ("core/src/envelope.rs", "Body"),
    ("core/src/certificate.rs", "VoteKind"),
    ("core/src/hash.rs", "Meaning"),
];

/// The last four have no refusals: they show that variants are really read.
const REAL: usize = 28;

fn variants(file: &str, name: &str) -> Vec<String> {
    let text = fs::read_to_string(ledger().join(file)).unwrap();
    let start = text
        .split_once(&format!("pub enum {name}"))
        .unwrap_or_else(|| panic!("{file} has no {name}"));
    let body = start.1.split_once("\n}\n").unwrap().0;
    let is_variant = |line: &&str| line.starts_with("    ") && line.as_bytes()[4].is_ascii_uppercase();
    let ends = [',', '(', ' ', '{'];
    let lines = body.lines().filter(|line| line.len() > 5).filter(is_variant);
    lines
        .map(|line| line.trim().split(ends).next().unwrap().to_owned())
        .collect()
}

fn refusals() -> BTreeSet<String> {
    let all = REFUSALS[..REAL].iter().flat_map(|(file, name)| {
        let found = variants(file, name);
        assert!(!found.is_empty(), "{file}: {name}");
        found
    });
    all.collect()
}

#[test]
fn every_refusal_of_the_code_is_named_in_the_specification() {
    assert_eq!(
        variants("core/src/certificate.rs", "VoteKind"),
        ["Prevote", "Precommit"]
    );
    assert_eq!(variants("core/src/hash.rs", "Meaning").len(), Meaning::ALL.len());
    let text = spec();
    // What travels in parts has no vectors: its laws are in `ledger/core` and `ledger/store`.
    let of_parts = variants("core/src/snapshot/mod.rs", "SnapshotError");
    let missing: Vec<String> = refusals()
        .into_iter()
        .chain(of_parts)
        .filter(|name| !["Expired", "Unknown"].contains(&name.as_str()))
        .filter(|name| !text.contains(&format!("`{name}`")) && !text.contains(&format!("`{name}(")))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// Refusals that no file of vectors can hold, and where they are tested.
const WITHOUT_VECTOR: [(&str, &str); 10] = [
    ("Read", "says nothing about bytes"),
    ("NewLogsFull", "takes 2049 logs: blocks.rs"),
    ("TooManyDevices", "takes 1025 devices: ledger/seal"),
    ("OffersFull", "takes nine offers: ledger/seal"),
    ("BadName", "founding only, decodes as BadValue: ledger/core"),
    ("StampTooHigh", "founding only, decodes as BadValue: ledger/core"),
    ("BadSize", "decodes as BadValue or TooLong: ledger/core"),
    ("NotAscending", "decodes as BadValue: ledger/core"),
    ("UnusableKey", "decodes as BadValue: ledger/core"),
    ("Unknown", "of an anchor: AnchorUnknown in the ledger"),
];

#[test]
fn every_refusal_of_the_code_has_a_vector() {
    let refused: String = FILES
        .iter()
        .flat_map(|(name, _)| computed(name).cases)
        .filter_map(|case| case.outcome.err())
        .collect::<Vec<_>>()
        .join("\n");
    let words: BTreeSet<&str> = refused.split(|letter: char| !letter.is_alphanumeric()).collect();
    let without: Vec<String> = refusals()
        .into_iter()
        .filter(|name| !words.contains(name.as_str()))
        .filter(|name| name != "Expired")
        .collect();
    let mut expected: Vec<&str> = WITHOUT_VECTOR.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert_eq!(without, expected);
    assert!(WITHOUT_VECTOR.iter().all(|(_, why)| why.len() > 10));
}

fn headings(text: &str) -> Vec<String> {
    let numbered = |line: &str| -> Option<String> {
        let rest = line.strip_prefix("## ").or_else(|| line.strip_prefix("### "))?;
        Some(rest.split(' ').next()?.trim_end_matches('.').to_owned())
    };
    text.lines().filter_map(numbered).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The section numbers that a source names.
fn marks(text: &str) -> Vec<String> {
    let numbers = text.split("SPEC ").skip(1);
    let number = |rest: &str| -> String {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        rest[..end.unwrap_or(rest.len())].trim_end_matches('.').to_owned()
    };
    numbers.map(number).collect()
}

#[test]
fn every_mark_in_the_sources_names_a_section_and_every_section_is_marked() {
    let headings = headings(&spec());
    let whole: Vec<u32> = headings.iter().filter_map(|number| number.parse().ok()).collect();
    assert_eq!(whole, (1..=29).collect::<Vec<_>>(), "sections are numbered in order");
    let mut files = Vec::new();
    ["core/src", "seal/src"]
        .iter()
        .for_each(|folder| sources(&ledger().join(folder), &mut files));
    let mut marked = BTreeSet::new();
    for file in files {
        for mark in marks(&fs::read_to_string(&file).unwrap()) {
            assert!(headings.contains(&mark), "{}: SPEC {mark}", file.display());
            marked.insert(mark.split('.').next().unwrap().parse::<u32>().unwrap());
        }
    }
    // 1 is about this text, 23 and 24 are specified elsewhere.
    assert_eq!(marked, (2..=22).chain([25, 26, 27, 28, 29]).collect());
    assert_eq!(marks("// SPEC 9.2\n/// SPEC 13."), ["9.2", "13"]);
}
