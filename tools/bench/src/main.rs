//! `waxwing-bench`: every figure that Waxwing promises, measured by one command, beside the physical limit of the same
//! machine in the same minute.
//!
//! A rate alone says nothing: the machine may be faster, or busy. So each figure is printed with the limit that no
//! implementation of this design could pass (strict signature verification on all cores, synced writes, QUIC over
//! loopback) and the ratio of the two, which is what can be compared between machines and over months.
//!
//! ```text
//! waxwing-bench [NAME...] [--quick] [--dir DIR]      all figures, or these
//! waxwing-bench --list                               their names, and what must be reached
//! ```
//!
//! Read [`figure`] for how a figure is made, then any of the figures.

mod agree;
mod arguments;
mod audit;
mod catch_up;
mod chain;
mod client;
mod clock;
mod committee;
mod copying;
mod dead;
mod disk;
mod envelopes;
mod fifty;
mod figure;
mod history;
mod idle;
mod ingest;
mod latency;
mod layers;
mod limit;
mod load;
mod memory;
mod node;
mod number;
mod people;
mod process;
mod proofs;
mod quiet;
mod role;
mod sink;
mod talk;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::Task;
use figure::{Bench, FIGURES};

fn main() -> ExitCode {
    match arguments::read().and_then(perform) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to complain to if this fails too.
            let _ = writeln!(std::io::stderr(), "waxwing-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn perform(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Print(text) => {
            std::io::stdout().write_all(text.as_bytes())?;
            Ok(())
        }
        Task::Play { role, dir, neighbours } => role.play(&dir, &neighbours),
        Task::Measure {
            names,
            size,
            seconds,
            members,
            pause,
            dir,
        } => {
            let mut bench = Bench::start((size, seconds), (members, pause), dir)?;
            for figure in FIGURES.iter().filter(|figure| names.contains(&figure.name)) {
                bench.run(figure)?;
            }
            Ok(())
        }
    }
}
