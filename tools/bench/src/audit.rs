//! How fast a whole history is audited, everything included, beside nothing but the signatures in it.

use std::path::Path;

use waxwing_audit::directory;
use waxwing_core::genesis::Genesis;
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;
use waxwing_node::directory::Directory;

use crate::clock::timed;
use crate::figure::Bench;
use crate::history::Shape;
use crate::number::{Samples, real};
use crate::process::Usage;

/// Audits of each history; the median counts.
const TIMES: usize = 3;

/// Measures the audit of the long histories.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    for (name, shape) in [("audit.1M_logs", Shape::ManyLogs), ("audit.1000_logs", Shape::LongLogs)] {
        let directory = Directory::open(&bench.history(shape)?)?;
        let (mut rates, mut costs, mut verify) = (Vec::new(), Vec::new(), 0.0);
        for _ in 0..TIMES {
            verify = bench.limits.verify_all_cores()?;
            let before = Usage::of(std::process::id())?;
            let (entries, took) = timed(|| verified(&directory.database(), directory.genesis()));
            let entries = real(entries?);
            let used = Usage::of(std::process::id())?.processor_since(&before);
            rates.push(entries / took.as_secs_f64());
            costs.push(used.as_secs_f64() * 1e6 / entries);
        }
        bench.line(name, Samples::new(rates)?.median(), "entries/s", Some(verify))?;
        let verify_us = bench.limits.verify_ms()? * 1e3;
        let cost = Samples::new(costs)?.median();
        bench.line(&format!("{name}_processor"), cost, "us", Some(verify_us))?;
    }
    Ok(())
}

/// Audits a ledger at full depth, with its genesis pinned; the number of entries, if the verdict is VERIFIED.
pub(crate) fn verified(database: &Path, genesis: &Genesis) -> anyhow::Result<u64> {
    let mut source = directory::Directory::open(database)?;
    let policy = Policy {
        genesis: genesis.clone(),
        head: None,
    };
    let report = waxwing_audit::audit(&mut source, Some(&policy), &mut |_| {})?;
    anyhow::ensure!(report.verdict == Verdict::Verified, "{report}");
    Ok(report.figures.entries)
}
