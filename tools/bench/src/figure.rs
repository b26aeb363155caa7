//! What a figure is, and the run that measures several.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::history::{Histories, Shape};
use crate::limit::Limits;
use crate::number::rounded;
use crate::{
    agree, audit, catch_up, copying, dead, disk, fifty, idle, ingest, latency, limit, memory, proofs, quiet, talk,
};

/// Something that is promised and can be measured.
pub(crate) struct Figure {
    /// Its name on the command line; its lines are named `name.part`.
    pub(crate) name: &'static str,
    /// What is measured.
    pub(crate) about: &'static str,
    /// What must be reached.
    pub(crate) target: &'static str,
    run: fn(&mut Bench) -> anyhow::Result<()>,
}

/// All of them, in the order in which they are measured.
pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "limits",
        about: "what the machine can do: strict signature checks on all cores and on one, synced writes, QUIC",
        target: "nothing; the other figures are compared with these",
        run: limit::report,
    },
    Figure {
        name: "head-proof",
        about: "the proof of one log's state at 1 M logs, 7 validators: bytes, and the time to read and verify it",
        target: "1.5 kB, 2.4 kB with the proof that it extends the held head, 0.3 ms",
        run: proofs::head_proof,
    },
    Figure {
        name: "receipt",
        about: "the receipt of an entry in a full block, 7 validators: bytes, and the time to read and verify it",
        target: "1.4 kB, 0.3 ms",
        run: proofs::receipt,
    },
    Figure {
        name: "catch-up",
        about: "a client that missed 1 M blocks of a ledger of 1 M logs: round trips, bytes of the answer, time",
        target: "one round trip, 2.4 kB beside its own entries",
        run: catch_up::measure,
    },
    Figure {
        name: "ingest",
        about: "envelopes of 1 kB on 10,000 logs that become final in a second, over QUIC from another process, for 60 s",
        target: "18,000/s where all cores verify 89,000 signatures/s, a ratio of 0.2",
        run: ingest::measure,
    },
    Figure {
        name: "latency",
        about: "from submitting an envelope to holding its proof, one a second over loopback: p50 and p99",
        target: "8 ms and 30 ms where a synced write takes less than 5 ms",
        run: latency::measure,
    },
    Figure {
        name: "idle",
        about: "a node without clients, 60 s: resident memory, processor time",
        target: "40 MB, 0.1 % of a core",
        run: idle::measure,
    },
    Figure {
        name: "committee",
        about: "envelopes of 1 kB that become final in a second on all of four validators, each a process, 60 s",
        target: "5,000/s where all cores verify 89,000 signatures/s, a ratio of 0.22",
        run: agree::measure,
    },
    Figure {
        name: "committee-latency",
        about: "from submitting an envelope to one of four validators to holding its proof, one a second: p50 and p99",
        target: "20 ms and 60 ms where a synced write takes less than 5 ms",
        run: latency::of_a_committee,
    },
    Figure {
        name: "one-dead",
        about: "the same four under load, one of them killed: throughput before and after, longest time without a head",
        target: "95 % of the throughput before, 2 s",
        run: dead::measure,
    },
    Figure {
        name: "copying",
        about: "a node that copies 300,000 entries from another one and checks all of them",
        target: "25 MB/s",
        run: copying::measure,
    },
    Figure {
        name: "committee-idle",
        about: "four validators without clients, 60 s: processor time of all, bytes between them",
        target: "0.4 % of a core, 1 kB/s",
        run: quiet::measure,
    },
    Figure {
        name: "fifty",
        about: "a committee of fifty in virtual time: bytes of a certificate, of a change of the committee, on the wire",
        target: "nothing; to be known",
        run: fifty::measure,
    },
    Figure {
        name: "send",
        about: "a sentence sealed, signed and durable, in groups of 2, 32 and 256 that are all new: p50 and p99",
        target: "0.6, 0.7 and 1 ms",
        run: talk::send,
    },
    Figure {
        name: "receive",
        about: "10,000 messages that wait for a member of a group of 32: fetched, checked, opened and read",
        target: "4 s",
        run: talk::receive,
    },
    Figure {
        name: "members",
        about: "one more in a group of 255 that are all new, and what another member makes of it",
        target: "80 and 25 ms in a group whose members have renewed their keys",
        run: talk::members,
    },
    Figure {
        name: "start",
        about: "a home with 100,000 messages, from its key to the first screen",
        target: "1 s without the derivation of the key",
        run: talk::start,
    },
    Figure {
        name: "waits",
        about: "a client that follows a conversation in which nothing is said, 60 s: resident memory, processor time",
        target: "60 MB, 0.2 % of a core",
        run: talk::waits,
    },
    Figure {
        name: "audit",
        about: "entries a second that an audit checks, everything included: 1 M entries in 1 M logs and in 1,000 logs",
        target: "ratios of 0.65 and 0.75",
        run: audit::measure,
    },
    Figure {
        name: "disk",
        about: "bytes on disk per entry beyond its body, 1 M entries in 1,000 logs and in 1 M logs",
        target: "450 B",
        run: disk::measure,
    },
    Figure {
        name: "memory",
        about: "a node with 1 M logs: resident memory after its start, and after reading and writing",
        target: "450 MB",
        run: memory::measure,
    },
];

/// How large the measurements are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// As promised.
    Full,
    /// Small: shows that the figures can be measured, not what they are.
    Quick,
}

/// Whether somebody says when the machine is quiet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Pause {
    /// What is prepared is measured at once.
    #[default]
    None,
    /// A line on the standard input begins each measurement that takes long to prepare.
    Waits,
}

/// A run: what figures share.
pub(crate) struct Bench {
    size: Size,
    seconds: u64,
    members: Vec<u32>,
    pause: Pause,
    dir: PathBuf,
    histories: Histories,
    pub(crate) limits: Limits,
}

impl Bench {
    pub(crate) fn start(
        (size, seconds): (Size, u64),
        (members, pause): (Vec<u32>, Pause),
        dir: PathBuf,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(dir.is_dir(), "'{}' is not a directory", dir.display());
        Ok(Self {
            size,
            seconds,
            members,
            pause,
            dir,
            histories: Histories::default(),
            limits: Limits::new(size),
        })
    }

    pub(crate) fn run(&mut self, figure: &Figure) -> anyhow::Result<()> {
        say(&format!("{}: {}", figure.name, figure.about));
        (figure.run)(self).map_err(|error| error.context(format!("measuring '{}'", figure.name)))
    }

    /// How large the measurements are.
    pub(crate) const fn size(&self) -> Size {
        self.size
    }

    /// Everything is prepared: what is measured begins.
    pub(crate) fn begin(&self) -> anyhow::Result<()> {
        if self.pause == Pause::Waits {
            say("  prepared: a line on the standard input begins the measurement");
            std::io::stdin().read_line(&mut String::new())?;
        }
        Ok(())
    }

    /// In groups of how many to measure: those that were named, or these.
    pub(crate) fn members(&self, full: &[u32], quick: &[u32]) -> anyhow::Result<Vec<u32>> {
        let members = match (self.members.as_slice(), self.size) {
            ([], Size::Full) => full,
            ([], Size::Quick) => quick,
            (named, _) => named,
        };
        anyhow::ensure!(
            members.iter().all(|members| *members > 1),
            "a group has two members or more"
        );
        Ok(members.to_vec())
    }

    /// For how long the rates of committees are measured.
    pub(crate) const fn window(&self) -> Duration {
        Duration::from_secs(self.sized(self.seconds, 2))
    }

    /// The full size, or the quick one.
    pub(crate) const fn sized(&self, full: u64, quick: u64) -> u64 {
        match self.size {
            Size::Full => full,
            Size::Quick => quick,
        }
    }

    /// Where databases may be made.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of a node with a long history, made when it is first asked for.
    pub(crate) fn history(&mut self, shape: Shape) -> anyhow::Result<PathBuf> {
        let entries = match shape {
            Shape::Conversations => self.sized(300_000, 2_000),
            Shape::ManyLogs | Shape::LongLogs => self.sized(1_000_000, 2_000),
        };
        self.histories.directory(&self.dir, shape, entries)
    }

    /// Prints a result beside the limit it is held against.
    pub(crate) fn line(&self, name: &str, value: f64, unit: &str, limit: Option<f64>) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", line(name, value, unit, limit))?;
        out.flush()?;
        Ok(())
    }
}

/// One result as JSON, its keys in the order in which people read them.
fn line(name: &str, value: f64, unit: &str, limit: Option<f64>) -> String {
    let number = |number: Option<f64>| serde_json::Value::from(number.map(rounded)).to_string();
    format!(
        r#"{{"name":{},"value":{},"unit":{},"limit":{},"ratio":{}}}"#,
        serde_json::Value::from(name),
        number(Some(value)),
        serde_json::Value::from(unit),
        number(limit),
        number(limit.map(|limit| value / limit)),
    )
}

/// Tells the person who waits what is going on.
pub(crate) fn say(text: &str) {
    // A closed stderr is no reason to stop measuring.
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_with_five_keys_in_order() {
        let text = line("ingest", 18_000.4, "entries/s", Some(72_000.0));
        assert_eq!(
            text,
            r#"{"name":"ingest","value":18000.0,"unit":"entries/s","limit":72000.0,"ratio":0.25}"#
        );
        let none = line("x", 1.0, "B", None);
        assert!(none.ends_with(r#""limit":null,"ratio":null}"#), "{none}");
        assert!(serde_json::from_str::<serde_json::Value>(&none).is_ok());
    }

    #[test]
    fn names_are_distinct_and_none_is_all() {
        let mut names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        names.push("all");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
