//! `waxwing-sim`: runs seeds, says what they injected and what they found, and how to see a failure again.
//!
//! ```text
//! waxwing-sim [--seeds A..B] [--broken RULE] [--keep-going]     200 seeds, or these
//! waxwing-sim --story SEED                                      what happens in one run, line by line
//! waxwing-sim figures                                           what a committee of fifty costs, as JSON lines
//! ```
//!
//! Exit code 0: every promise held and enough was injected. 1: a promise was broken, or too little was injected. 2: the
//! arguments make no sense.

mod arguments;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{HELP, Task};
use waxwing_sim::figures;
use waxwing_sim::plan::Plan;
use waxwing_sim::runs::{Failure, Next, Runner};

fn main() -> ExitCode {
    match arguments::read().and_then(perform) {
        Ok(code) => code,
        Err(error) => {
            // Nowhere is left to complain to if this fails too.
            let _ = writeln!(std::io::stderr(), "waxwing-sim: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn perform(task: Task) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let Task::Run {
        seeds,
        kind,
        keeps_going,
    } = task
    else {
        match task {
            Task::Story { seed, kind } => {
                writeln!(out, "{}", Plan::new(seed).0)?;
                let outcome = Runner::default().tell(seed, &kind);
                for line in &outcome.story {
                    writeln!(out, "{line}")?;
                }
                if let Some((violation, at)) = outcome.violation {
                    writeln!(out, "{}", Failure::new(seed, violation, at, &kind))?;
                }
            }
            Task::Figures => figures::all(|line| writeln!(out, "{line}"))?,
            _ => out.write_all(HELP.as_bytes())?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    let asked = seeds.end.saturating_sub(seeds.start);
    let mut told = Ok(());
    let summary = Runner::default().run_all(seeds, &kind, |seed, outcome| {
        if let Some((violation, at)) = &outcome.violation {
            let failure = Failure::new(seed, violation.clone(), *at, &kind);
            told = writeln!(out, "FAILED {failure}").and_then(|()| out.flush());
        }
        let is_over = told.is_err() || (outcome.violation.is_some() && !keeps_going);
        if is_over { Next::Stop } else { Next::GoOn }
    });
    told?;
    write!(out, "{summary}")?;
    let mut is_good = summary.failures.is_empty();
    for (fault, seen, floor) in summary.counts.below_floor(asked) {
        writeln!(out, "TOO FEW {fault}: {seen}, at least {floor} belong to {asked} seeds")?;
        is_good = false;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
