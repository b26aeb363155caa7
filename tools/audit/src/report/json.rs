//! The report as programs read it: schema `waxwing.audit/1`.
//!
//! Fields are only added within a version, hashes are hexadecimal, times ISO 8601 in UTC, what is not known is `null`.

use serde::Serialize;
use waxwing_core::codec::Encode;

use super::{Reached, Report};
use crate::finding::{At, Blame, Coverage, Fault, Finding};
use crate::words::time;

/// Name and version of the form.
const SCHEMA: &str = "waxwing.audit/1";

#[derive(Serialize)]
struct Audit {
    schema: &'static str,
    verdict: &'static str,
    exit_code: u8,
    headline: String,
    source: &'static str,
    depth: &'static str,
    network: Option<Network>,
    terms: usize,
    policy: Option<Policy>,
    head: Option<Block>,
    last_good: Option<Block>,
    claimed_height: Option<u64>,
    joined: Option<Joined>,
    figures: Figures,
    findings: Vec<Found>,
    more_findings: u64,
    affected: Affected,
    withheld: Vec<Place>,
    conflict: Option<Conflict>,
    holds: Vec<String>,
    next: Vec<String>,
}

/// A source that does not have the whole history yet.
#[derive(Serialize)]
struct Joined {
    height: u64,
    filled_height: u64,
}

#[derive(Serialize)]
struct Network {
    id: String,
    name: String,
    quorum: usize,
    validators: usize,
}

#[derive(Serialize)]
struct Policy {
    fingerprint: String,
    network: String,
    pinned_height: Option<u64>,
    pinned_id: Option<String>,
}

#[derive(Serialize)]
struct Block {
    height: u64,
    id: String,
    time: String,
}

#[derive(Serialize)]
struct Figures {
    blocks: u64,
    entries: u64,
    logs: u64,
    bytes: u64,
    evidence: u64,
    bodies_present: u64,
    bodies_erased: u64,
    bodies_expired: u64,
    bodies_withheld: u64,
    bodies_damaged: u64,
    body_bytes: u64,
}

#[derive(Serialize)]
struct Found {
    fault: &'static str,
    says: String,
    at: Place,
    expected: String,
    found: String,
    coverage: &'static str,
    blame: Option<&'static str>,
    table: Option<&'static str>,
}

#[derive(Serialize)]
struct Place {
    height: u64,
    time: Option<String>,
    place: Option<u32>,
    position: Option<u64>,
    log: Option<String>,
    index: Option<u64>,
}

#[derive(Serialize)]
struct Affected {
    from_height: Option<u64>,
    after: Option<String>,
    logs: Vec<Log>,
}

#[derive(Serialize)]
struct Log {
    log: String,
    from_index: u64,
}

#[derive(Serialize)]
struct Conflict {
    height: u64,
    pinned: String,
    found: String,
    /// Header and certificate of the block found, encoded, in hexadecimal.
    evidence: Option<String>,
}

impl Report {
    /// One JSON object, indented, with a line break at the end.
    ///
    /// # Panics
    /// Never: nothing in a report has a form that JSON lacks.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.as_json())
            .expect("strings, numbers and lists of them have a form in JSON");
        text.push('\n');
        text
    }

    fn as_json(&self) -> Audit {
        Audit {
            schema: SCHEMA,
            verdict: self.verdict.word(),
            exit_code: self.exit_code(),
            headline: self.headline(),
            source: self.source.word(),
            depth: "full",
            network: self.network.as_ref().map(Network::of),
            terms: self.terms,
            policy: self.anchor.as_ref().map(Policy::of),
            head: self.head.map(Block::of),
            last_good: self.good.map(Block::of),
            claimed_height: self.claimed,
            joined: self.joined.map(|joined| Joined {
                height: joined.height,
                filled_height: joined.filled,
            }),
            figures: Figures::of(self),
            findings: self.findings.iter().map(Found::of).collect(),
            more_findings: self.more_findings,
            affected: Affected::of(self),
            withheld: self.bodies.first_withheld.iter().map(Place::of).collect(),
            conflict: self.conflict.as_ref().map(Conflict::of),
            holds: self.holds(),
            next: self.next_steps(),
        }
    }
}

impl Network {
    fn of(network: &super::Network) -> Self {
        Self {
            id: network.id.to_string(),
            name: network.name.clone(),
            quorum: network.quorum.0,
            validators: network.quorum.1,
        }
    }
}

impl Policy {
    fn of(anchor: &super::Anchoring) -> Self {
        Self {
            fingerprint: anchor.fingerprint.to_string(),
            network: anchor.network.to_string(),
            pinned_height: anchor.pinned.map(|pinned| pinned.height),
            pinned_id: anchor.pinned.map(|pinned| pinned.id.to_string()),
        }
    }
}

impl Block {
    fn of(reached: Reached) -> Self {
        Self {
            height: reached.height,
            id: reached.id.to_string(),
            time: time(reached.time),
        }
    }
}

impl Figures {
    fn of(report: &Report) -> Self {
        let (figures, bodies) = (&report.figures, &report.bodies);
        Self {
            blocks: figures.blocks,
            entries: figures.entries,
            logs: figures.logs,
            bytes: figures.bytes,
            evidence: figures.evidence,
            bodies_present: bodies.present,
            bodies_erased: bodies.erased,
            bodies_expired: bodies.expired,
            bodies_withheld: bodies.withheld,
            bodies_damaged: bodies.damaged,
            body_bytes: bodies.bytes,
        }
    }
}

impl Found {
    fn of(finding: &Finding) -> Self {
        Self {
            fault: finding.fault.code(),
            says: finding.fault.to_string(),
            at: Place::of(&finding.at),
            expected: finding.expected.clone(),
            found: finding.found.clone(),
            coverage: match finding.coverage {
                Coverage::Changed => "changed-after-certified",
                Coverage::Certified => "certified-as-found",
                Coverage::Later => "vouched-for-by-later-block",
                Coverage::Computed => "computed-from-certified",
                Coverage::Open => "open",
            },
            blame: match finding.fault {
                Fault::NotCertified { blame, .. } => Some(match blame {
                    Blame::Header => "header",
                    Blame::Certificate => "certificate",
                    Blame::Either => "either",
                }),
                _ => None,
            },
            table: match finding.fault {
                Fault::Row { table } => Some(table),
                _ => None,
            },
        }
    }
}

impl Place {
    fn of(at: &At) -> Self {
        Self {
            height: at.height,
            time: at.time.map(time),
            place: at.place,
            position: at.position,
            log: at.entry.map(|(log, _)| log.to_string()),
            index: at.entry.map(|(_, index)| index),
        }
    }
}

impl Affected {
    fn of(report: &Report) -> Self {
        let affected = report.affected();
        Self {
            from_height: affected.from.map(|(height, _)| height),
            after: affected.from.and_then(|(_, since)| since).map(time),
            logs: affected
                .logs
                .iter()
                .map(|(log, index)| Log {
                    log: log.to_string(),
                    from_index: *index,
                })
                .collect(),
        }
    }
}

impl Conflict {
    fn of(conflict: &super::Conflict) -> Self {
        Self {
            height: conflict.pinned.height,
            pinned: conflict.pinned.id.to_string(),
            found: conflict.found.to_string(),
            evidence: conflict
                .evidence
                .as_ref()
                .map(|head| head.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}
