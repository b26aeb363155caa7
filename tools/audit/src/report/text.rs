//! The report as people read it.

use core::fmt;

use waxwing_core::verdict::Verdict;

use super::{Reached, Report};
use crate::finding::{At, Coverage, Finding};
use crate::words::{count, time};

/// Logs that are listed.
const LOGS_LISTED: usize = 8;

impl Report {
    /// The first line: a verdict with its limits.
    #[must_use]
    pub fn headline(&self) -> String {
        format!("{}  {}", self.verdict, self.claim())
    }

    fn claim(&self) -> String {
        let reached = self.head.map_or_else(String::new, |head| up_to(&head));
        match self.verdict {
            Verdict::Verified => format!(
                "{reached}: {} and {} hold, certified by {}; {}",
                count(self.figures.blocks, "block", "blocks"),
                count(self.figures.entries, "entry", "entries"),
                self.vouchers(),
                self.end_note()
            ),
            Verdict::Incomplete => format!(
                "{reached}: all that is here holds, certified by {}; {}",
                self.vouchers(),
                self.lacks()
            ),
            Verdict::Unanchored => match &self.anchor {
                None => {
                    let joined = self.joined_note().map_or_else(String::new, |note| format!("; {note}"));
                    format!("consistent in itself {reached}; no policy says which network this should be{joined}")
                }
                Some(anchor) => format!(
                    "consistent in itself {reached}, but of another network than {}, which the policy pins",
                    anchor.network
                ),
            },
            Verdict::Diverged => self.conflict.as_ref().map_or_else(String::new, |conflict| {
                format!(
                    "consistent in itself {reached}, but block {} is {} here, and the policy pins {}",
                    conflict.pinned.height, conflict.found, conflict.pinned.id
                )
            }),
            Verdict::Tampered | Verdict::Malformed => self.first().map_or_else(String::new, |first| {
                let note = match self.verdict {
                    Verdict::Malformed => "; this says nothing about tampering",
                    _ => "",
                };
                let place = self
                    .network
                    .as_ref()
                    .map_or_else(String::new, |_| place(&first.at) + ": ");
                format!("{place}{}{note}", first.fault)
            }),
        }
    }

    fn vouchers(&self) -> String {
        let now = self.newest_vouchers();
        match self.terms {
            0 | 1 => now,
            terms => format!("the committees of {terms} terms, the last by {now}"),
        }
    }

    fn newest_vouchers(&self) -> String {
        self.network
            .as_ref()
            .map_or_else(String::new, |network| match network.quorum {
                (_, 1) => "the network's only validator".to_owned(),
                (quorum, all) => format!("at least {quorum} of {all} validators"),
            })
    }

    /// What is known of whether the history ends there.
    fn end_note(&self) -> String {
        match self.anchor.as_ref().and_then(|anchor| anchor.pinned) {
            Some(pinned) => format!("the policy's block {} is among them", pinned.height),
            None => "the policy pins no head, so there may be later blocks".to_owned(),
        }
    }

    /// Why a source has only part of its history, if that is so.
    fn joined_note(&self) -> Option<String> {
        self.joined.map(|joined| match joined.height {
            0 => "a node was joining here and had not arrived: it has nothing yet".to_owned(),
            height => format!(
                "the node joined at block {height} and has filled in what came before up to block {}; the rest is not here yet",
                joined.filled
            ),
        })
    }

    fn lacks(&self) -> String {
        let mut lacks = Vec::new();
        lacks.extend(self.joined_note());
        if let Some((reached, pinned)) = self.missing_blocks() {
            lacks.push(format!(
                "it ends at block {reached}, and the policy pins block {pinned}"
            ));
        }
        if self.bodies.withheld > 0 {
            lacks.push(format!(
                "{} withheld",
                count(self.bodies.withheld, "body is", "bodies are")
            ));
        }
        lacks.join("; ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        self.write_findings(f)?;
        self.write_withheld(f)?;
        self.write_facts(f)?;
        for line in self.next_steps() {
            row(f, "next", &line)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.first().filter(|_| self.network.is_some()) else {
            return Ok(());
        };
        row(f, "where", &place_in_full(&first.at))?;
        if first.verdict() == Verdict::Tampered {
            row(f, "expected", &first.expected)?;
            row(f, "found", &first.found)?;
            row(f, "certified", coverage(first))?;
        }
        let further = u64::try_from(self.findings.len().saturating_sub(1)).unwrap_or(u64::MAX);
        let further = further.saturating_add(self.more_findings);
        if further > 0 {
            row(f, "further", &format!("{further} more after it"))?;
        }
        let affected = self.affected();
        if let Some((height, since)) = affected.from {
            let blocks = match self.claimed {
                Some(claimed) if claimed > height => format!("blocks {height} to {claimed}"),
                Some(claimed) if claimed == height => format!("block {height}"),
                _ => format!("everything from block {height} on"),
            };
            let since = since.map_or_else(String::new, |since| format!(", ordered after {}", time(since)));
            row(f, "affected", &format!("{blocks}{since}"))?;
        }
        for (log, index) in affected.logs.iter().take(LOGS_LISTED) {
            row(f, "affected", &format!("log {log} from entry {index}"))?;
        }
        if affected.logs.len() > LOGS_LISTED {
            row(
                f,
                "affected",
                &format!("and {} more logs", affected.logs.len() - LOGS_LISTED),
            )?;
        }
        for line in self.holds() {
            row(f, "holds", &line)?;
        }
        match self.good {
            Some(good) => row(f, "last good", &named(&good)),
            None => Ok(()),
        }
    }

    fn write_withheld(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in &self.bodies.first_withheld {
            row(f, "withheld", &place_in_full(at))?;
        }
        let listed = u64::try_from(self.bodies.first_withheld.len()).unwrap_or(u64::MAX);
        match self.bodies.withheld.saturating_sub(listed) {
            0 => Ok(()),
            more => row(f, "withheld", &format!("and {more} more")),
        }
    }

    fn write_facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(network) = &self.network {
            row(f, "network", &format!("{} {}", network.id, network.name))?;
            let (quorum, all) = network.quorum;
            let votes = format!(
                "{}, of which {} may lie",
                count(all, "validator", "validators"),
                all - quorum
            );
            row(f, "trust", &votes)?;
        }
        if let Some(head) = &self.head {
            row(f, "head", &named(head))?;
        }
        if let Some(conflict) = &self.conflict {
            row(
                f,
                "pinned",
                &format!("block {} {}", conflict.pinned.height, conflict.pinned.id),
            )?;
        }
        row(f, "policy", &self.policy_note())?;
        if self.network.is_none() {
            return Ok(());
        }
        let (figures, bodies) = (&self.figures, &self.bodies);
        let sums = format!(
            "{}, {}, {}, {} bytes",
            count(figures.blocks, "block", "blocks"),
            count(figures.entries, "entry", "entries"),
            count(figures.logs, "log", "logs"),
            figures.bytes
        );
        row(f, "replayed", &sums)?;
        if figures.evidence > 0 {
            let pieces = count(figures.evidence, "piece", "pieces");
            row(
                f,
                "evidence",
                &format!("{pieces} about validators that broke the rules"),
            )?;
        }
        let kinds = format!(
            "{} present, {} erased by their authors, {} expired, {} withheld, {} damaged",
            bodies.present, bodies.erased, bodies.expired, bodies.withheld, bodies.damaged
        );
        row(f, "bodies", &kinds)?;
        let depth = "full depth: hashes, signatures, stamps, anchors, duplicates, limits, roots, certificates, bodies";
        row(f, "checked", depth)
    }

    fn policy_note(&self) -> String {
        match &self.anchor {
            None => "none given".to_owned(),
            Some(anchor) => match anchor.pinned {
                Some(pinned) => format!("{}, pins block {}", anchor.fingerprint, pinned.height),
                None => format!("{}, pins no head", anchor.fingerprint),
            },
        }
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:<9} {value}")
}

fn up_to(reached: &Reached) -> String {
    format!("to height {} ({})", reached.height, time(reached.time))
}

fn named(reached: &Reached) -> String {
    format!("block {} {} of {}", reached.height, reached.id, time(reached.time))
}

fn coverage(finding: &Finding) -> &'static str {
    match finding.coverage {
        Coverage::Changed => "a certificate covers what should be there: it was changed after it was certified",
        Coverage::Certified => {
            "a certificate covers exactly this: the validators certified a block that breaks the rules"
        }
        Coverage::Later => "a later certified block names this header: the block stands, its own certificate does not",
        Coverage::Computed => "not itself, but what it is computed from is certified and holds",
        Coverage::Open => "no certificate speaks for or against what is there",
    }
}

/// Where, as short as it can be said.
fn place(at: &At) -> String {
    match at.entry {
        Some((log, index)) => format!("entry {index} of log {log} in block {}", at.height),
        None => format!("block {}", at.height),
    }
}

/// Where, with everything that is known.
fn place_in_full(at: &At) -> String {
    let mut text = format!("block {}", at.height);
    if let Some(place) = at.place {
        text += &format!(", place {place}");
    }
    if let Some(position) = at.position {
        text += &format!(" (entry {position} of the ledger)");
    }
    if let Some((log, index)) = at.entry {
        text += &format!(", entry {index} of log {log}");
    }
    if let Some(ordered) = at.time {
        text += &format!(", ordered {}", time(ordered));
    }
    text
}
