//! The test of the test: validators that break one rule are caught within two hundred seeds, and by what that rule
//! prevents.
#![expect(clippy::unwrap_used, reason = "tests may fail here")]

use waxwing_sim::runs::{Failure, Kind, Next, Runner};
use waxwing_sim::violation::Violation;

/// The first seed of two hundred that shows what breaking `rule` leads to.
fn found(rule: &str, leads_to: impl Fn(&Violation) -> bool) -> Failure {
    let summary = Runner::default().run_all(0..200, &Kind::broken(rule).unwrap(), |_, outcome| {
        let violation = outcome.violation.as_ref();
        if violation.is_some_and(|(violation, _)| leads_to(violation)) {
            Next::Stop
        } else {
            Next::GoOn
        }
    });
    let last = summary.failures.last().cloned();
    last.filter(|failure| leads_to(&failure.violation)).unwrap()
}

#[test]
fn a_quorum_of_2f_makes_two_histories() {
    let failure = found("quorum", |violation| matches!(violation, Violation::TwoBlocks { .. }));
    assert!(failure.to_string().ends_with("--broken quorum"), "{failure}");
}

#[test]
fn a_journal_that_is_not_flushed_lets_a_validator_sign_twice() {
    let failure = found("flush", |violation| matches!(violation, Violation::SignedTwice { .. }));
    assert!(failure.to_string().ends_with("--broken flush"), "{failure}");
}

#[test]
fn an_anchor_that_nobody_checks_lets_an_old_entry_in() {
    let is_about_anchors = |violation: &Violation| match violation {
        Violation::BadBlock { rule, .. } => rule.contains("the anchor is"),
        _ => false,
    };
    let failure = found("anchor", is_about_anchors);
    assert!(failure.to_string().ends_with("--broken anchor"), "{failure}");
}

#[test]
fn there_is_no_other_rule_to_break() {
    assert!(Kind::broken("something").is_none());
}
