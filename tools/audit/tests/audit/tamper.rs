//! Every kind of damage, on a real directory, and what the audit says of it.

use std::path::Path;

use waxwing_audit::bundle::{Bundle, export};
use waxwing_audit::directory::Directory;
use waxwing_audit::finding::At;
use waxwing_audit::report::Report;
use waxwing_audit::tamper::{Damage, TamperError, TamperKind, tamper};
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::verdict::Verdict;
use waxwing_store::fixture::{World, genesis};
use waxwing_store::{Options, Store};

use crate::directory::audit_path;
use crate::histories::{VALIDATORS, live, note};

/// Nine blocks, 51 entries: [`live`], then a block of forty entries on four logs, so that there are kept nodes.
fn directory(path: &Path) -> Policy {
    let store = Store::create(path, &genesis(VALIDATORS), &Options::default()).unwrap();
    let mut world = World::resume(store, VALIDATORS);
    live(&mut world);
    let notes: Vec<_> = (0..40).map(|number| note(number % 2, 100 + number)).collect();
    world.append(100, &notes);
    world.append(100, &[note(5, 200)]);
    let head = PinnedHead {
        height: 9,
        id: world.ledger.id(),
    };
    Policy {
        genesis: genesis(VALIDATORS),
        head: Some(head),
    }
}

/// What an audit says: verdict, exit code, name of the fault, height, place in the block, index in the log.
type Said = (Verdict, u8, &'static str, u64, Option<u32>, Option<u64>);

fn said(report: &Report) -> Said {
    let at = named(report);
    let fault = match report.first() {
        Some(first) => first.fault.code(),
        None if report.bodies.withheld > 0 => "withheld",
        None => "shorter",
    };
    let index = at.entry.map(|(_, index)| index);
    (report.verdict, report.exit_code(), fault, at.height, at.place, index)
}

/// Chooses the places of [`TABLE`].
const SEED: u64 = 7;

#[rustfmt::skip]
const TABLE: [(TamperKind, Said); 21] = [
    (TamperKind::BodyBit, (Verdict::Tampered, 40, "body", 8, Some(23), Some(16))),
    (TamperKind::HeaderBit, (Verdict::Tampered, 40, "signature", 8, Some(37), Some(23))),
    (TamperKind::SignatureBit, (Verdict::Tampered, 40, "signature", 8, Some(6), Some(3))),
    (TamperKind::CertificateBit, (Verdict::Tampered, 40, "not-certified", 1, None, None)),
    (TamperKind::BlockHeaderBit, (Verdict::Tampered, 40, "not-certified", 2, None, None)),
    (TamperKind::IndexBit, (Verdict::Tampered, 40, "row", 2, Some(1), Some(1))),
    (TamperKind::NodeBit, (Verdict::Tampered, 40, "row", 8, Some(21), Some(15))),
    (TamperKind::LogBit, (Verdict::Tampered, 40, "row", 8, None, Some(19))),
    (TamperKind::RecentBit, (Verdict::Tampered, 40, "row", 8, Some(5), Some(7))),
    (TamperKind::AppliedChanged, (Verdict::Tampered, 40, "row", 9, None, None)),
    (TamperKind::EntryDropped, (Verdict::Tampered, 40, "missing-entry", 8, Some(22), Some(11))),
    (TamperKind::EntriesSwapped, (Verdict::Tampered, 40, "other-entry", 1, Some(0), Some(0))),
    (TamperKind::EntryInserted, (Verdict::Tampered, 40, "other-entry", 2, Some(2), Some(0))),
    (TamperKind::BlockDropped, (Verdict::Tampered, 40, "missing-block", 8, None, None)),
    (TamperKind::BlockForged, (Verdict::Tampered, 40, "not-certified", 10, None, None)),
    (TamperKind::BodyRemoved, (Verdict::Incomplete, 12, "withheld", 2, Some(0), Some(2))),
    (TamperKind::ExcuseForged, (Verdict::Tampered, 40, "excuse", 8, Some(21), Some(15))),
    (TamperKind::OlderDirectory, (Verdict::Incomplete, 12, "shorter", 1, None, None)),
    (TamperKind::TableByte, (Verdict::Malformed, 50, "malformed", 1, None, None)),
    (TamperKind::TableCut, (Verdict::Malformed, 50, "malformed", 0, None, None)),
    (TamperKind::ManifestByte, (Verdict::Malformed, 50, "malformed", 0, None, None)),
];

/// A directory, audited before and after a kind of damage.
fn damaged(kind: TamperKind, seed: u64) -> (Report, Damage, Policy) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger");
    let policy = directory(&path);
    let before = audit_path(&path, &policy);
    assert_eq!(before.verdict, Verdict::Verified, "{before}");
    let damage = tamper(&path, kind, seed).unwrap();
    (audit_path(&path, &policy), damage, policy)
}

/// What the audit names: the first finding, or what is withheld, or how far it came.
fn named(report: &Report) -> At {
    let withheld = || report.bodies.first_withheld.first().copied();
    let reached = || At::block(report.head.unwrap().height, None);
    let first = report.first().map(|first| first.at);
    first.or_else(withheld).unwrap_or_else(reached)
}

#[test]
fn each_kind_of_damage_has_its_verdict_and_is_found_in_its_place() {
    for (kind, expected) in TABLE {
        let (report, damage, _) = damaged(kind, SEED);
        assert_eq!(said(&report), expected, "{damage}\n{report}");
    }
}

#[test]
fn the_table_names_every_kind() {
    assert_eq!(TABLE.map(|(kind, _)| kind), TamperKind::ALL);
    for kind in TamperKind::ALL {
        assert_eq!(TamperKind::from_name(kind.name()), Some(kind));
        assert!(!kind.describe().is_empty());
    }
    assert_eq!(TamperKind::from_name("nothing"), None);
}

#[test]
fn wherever_damage_is_done_the_audit_names_that_very_place() {
    for (kind, (verdict, ..)) in TABLE {
        for seed in 100..102 {
            let (report, damage, _) = damaged(kind, seed);
            assert_eq!(report.verdict, verdict, "{damage}\n{report}");
            let Some(at) = damage.at else { break };
            let found = named(&report);
            assert_eq!(found.height, at.height, "{damage}\n{report}");
            assert_eq!((found.place, found.entry), (at.place, at.entry), "{damage}\n{report}");
        }
    }
}

#[test]
fn the_same_seed_does_the_same_damage_and_gives_the_same_report() {
    for kind in [
        TamperKind::EntryInserted,
        TamperKind::NodeBit,
        TamperKind::BlockHeaderBit,
    ] {
        let (one, two) = (damaged(kind, 3), damaged(kind, 3));
        assert_eq!(one.1, two.1);
        assert_eq!(one.0.to_json(), two.0.to_json());
    }
}

#[test]
fn an_older_directory_is_sound_without_a_pinned_head_and_incomplete_with_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger");
    let policy = directory(&path);
    let damage = tamper(&path, TamperKind::OlderDirectory, SEED).unwrap();
    let height = damage.at.unwrap().height;
    let pinned = audit_path(&path, &policy);
    assert_eq!(
        (pinned.verdict, pinned.head.unwrap().height),
        (Verdict::Incomplete, height)
    );
    assert!(
        pinned
            .headline()
            .contains(&format!("it ends at block {height}, and the policy pins block 9")),
        "{pinned}"
    );
    let unpinned = Policy { head: None, ..policy };
    let report = audit_path(&path, &unpinned);
    assert_eq!(report.verdict, Verdict::Verified, "{report}");
    assert!(
        report
            .headline()
            .starts_with(&format!("VERIFIED  to height {height} (")),
        "{report}"
    );
    assert!(!place.path().join("ledger.older").exists() && !place.path().join("ledger.newer").exists());
}

#[test]
fn damage_needs_something_to_damage_and_a_directory_that_nobody_has_open() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::create(place.path(), &genesis(1), &Options::default()).unwrap();
    let open = tamper(place.path(), TamperKind::BodyBit, 0).unwrap_err();
    assert!(matches!(open, TamperError::Open(_)), "{open}");
    assert!(
        open.to_string().contains("another process has the ledger open"),
        "{open}"
    );
    drop(store);
    let whole = [
        TamperKind::AppliedChanged,
        TamperKind::BlockForged,
        TamperKind::ManifestByte,
    ];
    for kind in TamperKind::ALL.into_iter().filter(|kind| !whole.contains(kind)) {
        let nothing = tamper(place.path(), kind, 0);
        if matches!(kind, TamperKind::TableByte | TamperKind::TableCut) {
            continue;
        }
        assert!(
            matches!(nothing, Err(TamperError::Nothing { .. })),
            "{kind}: {nothing:?}"
        );
    }
}

/// Exports a directory as a bundle and audits that.
fn audit_as_bundle(path: &Path, policy: &Policy) -> Option<Report> {
    let mut bytes = Vec::new();
    let mut source = Directory::open(path).unwrap();
    export(&mut source, &mut bytes, &mut |_| ()).ok()?;
    let mut bundle = Bundle::read(bytes.as_slice()).unwrap();
    Some(waxwing_audit::audit(&mut bundle, Some(policy), &mut |_| ()).unwrap())
}

#[test]
fn damage_to_the_blocks_is_found_in_a_bundle_of_them_too() {
    for (kind, entry_is_named) in [
        (TamperKind::BodyBit, true),
        (TamperKind::SignatureBit, true),
        (TamperKind::HeaderBit, true),
        (TamperKind::ExcuseForged, true),
        (TamperKind::CertificateBit, false),
        (TamperKind::BlockHeaderBit, false),
        (TamperKind::EntriesSwapped, false),
        (TamperKind::EntryInserted, false),
    ] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger");
        let policy = directory(&path);
        assert_eq!(audit_as_bundle(&path, &policy).unwrap().verdict, Verdict::Verified);
        let at = tamper(&path, kind, SEED).unwrap().at.unwrap();
        let report = audit_as_bundle(&path, &policy).unwrap();
        assert_eq!(report.verdict, Verdict::Tampered, "{kind}: {report}");
        assert_eq!(named(&report).height, at.height, "{kind}: {report}");
        assert_eq!(
            named(&report).entry == at.entry,
            entry_is_named || at.entry.is_none(),
            "{kind}: {report}"
        );
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger");
    let policy = directory(&path);
    tamper(&path, TamperKind::EntryDropped, SEED).unwrap();
    assert_eq!(
        audit_as_bundle(&path, &policy),
        None,
        "what lacks entries is not exported"
    );
}
