//! `kill -9` of nodes and clients at moments drawn by lot, under load; the laws and how they are checked are in
//! `waxwing_system::kills`. Twenty strikes here. Five hundred, in about half an hour:
//!
//! ```text
//! WAXWING_KILLS=500 cargo test -p waxwing-system --test kill -- --nocapture
//! ```
//!
//! A failure names its plan; the same variables with the same values strike the same victims at the same moments.

use waxwing_system::kills::{self, Plan};

#[test]
fn whoever_is_killed_at_any_moment_goes_on_and_nothing_final_is_lost_or_doubled() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let plan = Plan::from_environment(20);
    println!("{plan}");
    let report = kills::run(&plan, folder.path());
    println!("{report}");
    if plan.kills >= 10 {
        let killed = [report.validators, report.followers, report.readers, report.writers];
        assert!(killed.iter().all(|count| *count > 0), "somebody was spared: {report}");
        assert!(
            report.messages > 0 && report.receipts > 0 && report.heads > 0,
            "nothing was at stake: {report}"
        );
    }
}
