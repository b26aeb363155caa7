//! Golden vectors: every format accepted, every refusal by the name of its rule, stored under `tests/data/golden`.
//!
//! A vector is a *check* (what is asked), what is *given*, and what comes of it: facts, or the name of the rule that
//! refuses. They are JSON and name no type of ours, so another implementation can be held against them. The cases are
//! generated here from keys, times and a network that never change; the tests compute them again and compare, case by
//! case, and run each stored case on its own as a stranger would.
//!
//! `WAXWING_GOLDEN=write cargo test -p waxwing-rules --test golden` writes them anew, and the examples of `ledger/SPEC.md`
//! with them. A difference that was not meant is a change of the format.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on panics"
)]

mod attachments;
mod bodies;
mod by_hand;
mod cards;
mod case;
mod check;
mod check_file;
mod check_follow;
mod check_identity;
mod check_inbox;
mod check_proof;
mod check_seal;
mod committees;
mod envelopes;
mod follows;
mod heads;
mod identities;
mod inbox_answers;
mod inbox_papers;
mod inboxes;
mod ledgers;
mod maps;
mod pinned;
mod policies;
mod primitives;
mod receipts;
mod spec;
mod terms;
mod trees;

use case::{Cases, File};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Where the vectors are.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/golden")
}

/// Whether this run is to write what it computes instead of comparing it.
fn is_writing() -> bool {
    std::env::var_os("WAXWING_GOLDEN").is_some_and(|value| value == "write")
}

/// A file's name and what makes it.
type Made = (&'static str, fn() -> Cases);

/// Every file.
const FILES: [Made; 28] = [
    ("hashes", primitives::hashes),
    ("signatures", primitives::signatures),
    ("trees", trees::cases),
    ("log-map", maps::cases),
    ("genesis", committees::genesis),
    ("committee", committees::committee),
    ("envelope", envelopes::envelopes),
    ("body", envelopes::bodies),
    ("block", heads::blocks),
    ("head", heads::heads),
    ("beacon", heads::beacons),
    ("log", receipts::logs),
    ("history", heads::history),
    ("ledger", ledgers::cases),
    ("change", terms::changes),
    ("terms", terms::terms),
    ("turns", terms::turns),
    ("receipt-file", terms::receipt_files),
    ("follow", follows::cases),
    ("receipt", receipts::receipts),
    ("evidence", receipts::evidence),
    ("policy", policies::policies),
    ("verdict", policies::verdicts),
    ("seal", bodies::cases),
    ("identity", identities::cases),
    ("card", cards::cases),
    ("inbox", inboxes::cases),
    ("file", attachments::cases),
];

fn computed(name: &str) -> File {
    let (_, make) = FILES.iter().find(|(file, _)| *file == name).unwrap();
    make().into_file()
}

#[test]
fn every_vector_is_what_the_code_computes() {
    for (name, make) in FILES {
        let file = make().into_file();
        if is_writing() {
            file.write(name);
            continue;
        }
        let stored = File::read(name);
        let names = |file: &File| file.cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&stored), names(&file), "cases of {name}.json");
        for (stored, computed) in stored.cases.iter().zip(&file.cases) {
            assert_eq!(stored, computed, "{name}.json: {}", stored.name);
        }
        assert!(stored == file, "{name}.json: story or shared values");
    }
}

#[test]
fn every_stored_vector_holds_by_itself() {
    let mut count = 0;
    for (name, _) in FILES {
        let file = if is_writing() { computed(name) } else { File::read(name) };
        for case in &file.cases {
            assert_eq!(file.run(case), case.outcome, "{name}.json: {}", case.name);
            count += 1;
        }
    }
    assert!(count > 300, "only {count} cases");
}

#[test]
fn names_are_unique_and_no_file_is_forgotten() {
    for (name, _) in FILES {
        let file = computed(name);
        let names: BTreeSet<_> = file.cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), file.cases.len(), "two cases of one name in {name}.json");
    }
    if is_writing() {
        return;
    }
    let stored: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    let expected = FILES.iter().map(|(name, _)| format!("{name}.json"));
    assert_eq!(stored, expected.chain(["pinned.json".to_owned()]).collect());
}
