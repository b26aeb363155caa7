//! What is sound, and what it takes for VERIFIED: a policy, its pinned head, every body or its excuse.

use waxwing_audit::report::Report;
use waxwing_core::Hash;
use waxwing_core::envelope::Body;
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::verdict::Verdict;
use waxwing_store::fixture::genesis;

use crate::histories::{History, honest, note, town};

#[test]
fn an_honest_history_is_verified_and_its_figures_are_right() {
    let history = honest();
    let report = history.verdict();
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Verified, 0), "{report}");
    let (figures, bodies) = (&report.figures, &report.bodies);
    assert_eq!((figures.blocks, figures.entries, figures.logs), (7, 11, 3));
    assert_eq!((bodies.present, bodies.erased, bodies.expired), (9, 1, 1));
    assert_eq!((bodies.withheld, bodies.damaged), (0, 0));
    assert!(report.headline().starts_with("VERIFIED  to height 7 ("), "{report}");
    assert!(report.headline().contains("at least 3 of 4 validators"), "{report}");
}

#[test]
fn without_a_policy_or_with_another_networks_it_proves_nothing_about_the_world() {
    let history = honest();
    let none = history.audit(None);
    assert_eq!((none.verdict, none.exit_code()), (Verdict::Unanchored, 20), "{none}");
    assert!(none.headline().contains("consistent in itself to height 7"), "{none}");
    let other = Policy {
        genesis: genesis(1),
        head: None,
    };
    let foreign = history.audit(Some(&other));
    assert_eq!(foreign.verdict, Verdict::Unanchored, "{foreign}");
    let next = foreign.next_steps().join(" ");
    assert!(next.contains("the policy pins another network"), "{next}");
    assert_ne!(foreign.next_steps(), none.next_steps());
    assert!(foreign.headline().contains("another network"), "{foreign}");
}

#[test]
fn a_shorter_history_is_incomplete_and_both_heights_are_named() {
    let mut history = honest();
    let policy = history.policy_at(7);
    let whole = history.audit(Some(&policy));
    assert_eq!(whole.verdict, Verdict::Verified, "{whole}");
    assert!(whole.headline().contains("block 7 is among them"), "{whole}");
    history.blocks.truncate(2);
    let short = history.audit(Some(&policy));
    assert_eq!((short.verdict, short.exit_code()), (Verdict::Incomplete, 12));
    assert!(
        short
            .headline()
            .contains("it ends at block 2, and the policy pins block 7"),
        "{short}"
    );
    let unpinned = history.verdict();
    assert_eq!(unpinned.verdict, Verdict::Verified);
    assert!(unpinned.headline().starts_with("VERIFIED  to height 2 ("), "{unpinned}");
}

#[test]
fn a_network_without_a_block_is_verified_to_height_0() {
    let mut history = honest();
    history.blocks.clear();
    let report = history.verdict();
    assert_eq!(report.verdict, Verdict::Verified, "{report}");
    assert!(report.headline().starts_with("VERIFIED  to height 0 ("), "{report}");
}

#[test]
fn another_certified_block_at_the_pinned_height_is_a_second_history() {
    let history = honest();
    let mut world = town();
    world.append(100, &[note(1, 99)]);
    let other = History::of(&world);
    assert_eq!(other.verdict().verdict, Verdict::Verified);
    let report = other.audit(Some(&history.policy_at(1)));
    assert_eq!(
        (report.verdict, report.exit_code()),
        (Verdict::Diverged, 30),
        "{report}"
    );
    let conflict = report.conflict.unwrap();
    assert_eq!(conflict.evidence.unwrap(), other.blocks[0].head);
    let pinned = PinnedHead {
        height: 0,
        id: Hash([1; 32]),
    };
    let at_the_start = Policy {
        head: Some(pinned),
        ..history.policy()
    };
    assert_eq!(history.audit(Some(&at_the_start)).verdict, Verdict::Diverged);
}

#[test]
fn a_body_without_excuse_is_withheld_and_never_called_tampered() {
    let mut history = honest();
    history.at(4).entries[0].body = Body::Withheld;
    let report = history.verdict();
    assert_eq!(
        (report.verdict, report.exit_code()),
        (Verdict::Incomplete, 12),
        "{report}"
    );
    assert_eq!(report.bodies.withheld, 1);
    let at = report.bodies.first_withheld[0];
    assert_eq!((at.height, at.place, at.position), (4, Some(0), Some(8)));
    assert_eq!(at.entry.unwrap().1, 2);
    assert!(!report.to_string().contains("TAMPERED"), "{report}");
}

#[test]
fn a_body_called_expired_before_its_time_is_withheld() {
    let mut history = honest();
    history.at(3).entries[1].body = Body::Expired;
    let report = history.verdict();
    assert_eq!(report.verdict, Verdict::Incomplete, "{report}");
    assert_eq!((report.bodies.expired, report.bodies.withheld), (1, 1));
    // The day of the other one has passed only with block 6.
    history.blocks.truncate(5);
    assert_eq!(history.verdict().bodies.withheld, 2);
}

#[test]
fn the_same_history_gives_the_same_report() {
    let mut history = honest();
    history.at(2).entries[0].signed.signature.0[5] ^= 1;
    let (one, two) = (history.verdict(), history.verdict());
    assert_eq!(one.to_string(), two.to_string());
    assert_eq!(one.to_json(), two.to_json());
}

#[test]
fn the_report_for_programs_says_the_same() {
    let report = honest().verdict();
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["schema"], "waxwing.audit/1");
    assert_eq!((&json["verdict"], &json["exit_code"]), (&"VERIFIED".into(), &0.into()));
    assert_eq!(json["headline"], report.headline());
    assert_eq!(json["head"]["height"], 7);
    assert_eq!(json["figures"]["bodies_erased"], 1);
    assert_eq!(json["findings"], serde_json::json!([]));
}

/// The text of a report, its hashes told apart by letters: the first one met is A.
fn lettered(report: &Report) -> String {
    let mut known: Vec<String> = Vec::new();
    let mut letter = |word: &str| {
        let digits = word.trim_end_matches([',', ':']);
        if digits.len() != 64 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return word.to_owned();
        }
        let place = known.iter().position(|hash| hash == digits).unwrap_or_else(|| {
            known.push(digits.to_owned());
            known.len() - 1
        });
        word.replace(digits, &char::from(b'A' + u8::try_from(place).unwrap()).to_string())
    };
    let text = report.to_string();
    text.split_inclusive([' ', '\n'])
        .map(|piece| {
            let word = piece.trim_end_matches([' ', '\n']);
            piece.replace(word, &letter(word))
        })
        .collect()
}

#[test]
fn a_sound_history_reads_like_this() {
    let history = honest();
    let expected = "\
VERIFIED  to height 7 (2025-01-03T00:00:00.6Z): 7 blocks and 11 entries hold, certified by at least 3 of 4 validators; \
the policy's block 7 is among them
  network   A generated
  trust     4 validators, of which 1 may lie
  head      block 7 B of 2025-01-03T00:00:00.6Z
  policy    C, pins block 7
  replayed  7 blocks, 11 entries, 3 logs, 10275 bytes
  bodies    9 present, 1 erased by their authors, 1 expired, 0 withheld, 0 damaged
  checked   full depth: hashes, signatures, stamps, anchors, duplicates, limits, roots, certificates, bodies
";
    assert_eq!(lettered(&history.audit(Some(&history.policy_at(7)))), expected);
}

#[test]
fn a_tampered_history_reads_like_this() {
    let mut history = honest();
    history.at(3).entries[1].signed.signature.0[9] ^= 4;
    let expected = "\
TAMPERED  entry 3 of log A in block 3: the log's signature does not count
  where     block 3, place 1 (entry 7 of the ledger), entry 3 of log A, ordered 2025-01-01T00:00:00.3Z
  expected  a signature by log A
  found     one that does not count for it
  certified a certificate covers what should be there: it was changed after it was certified
  affected  blocks 3 to 7, ordered after 2025-01-01T00:00:00.2Z
  affected  log A from entry 3
  holds     every block, signature, stamp and root up to block 2
  last good block 2 B of 2025-01-01T00:00:00.2Z
  network   C generated
  trust     4 validators, of which 1 may lie
  head      block 2 B of 2025-01-01T00:00:00.2Z
  policy    D, pins no head
  replayed  2 blocks, 6 entries, 3 logs, 2850 bytes
  bodies    5 present, 1 erased by their authors, 0 expired, 0 withheld, 0 damaged
  checked   full depth: hashes, signatures, stamps, anchors, duplicates, limits, roots, certificates, bodies
  next      keep this copy unchanged: it is the evidence
  next      audit another copy of this network; where they differ, the certified one is right
  next      put a backup in its place, or copy the history again from another node
";
    assert_eq!(lettered(&history.verdict()), expected);
}
