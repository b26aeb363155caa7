//! Figures for the operator, in the form that Prometheus reads. No figure names a user, a log or an address.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use waxwing_net::quic::Counts;

/// What became of a submitted envelope.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome {
    /// Waits for a block now.
    Taken,
    /// Waited already.
    Waiting,
    /// Was ordered before.
    Final,
    /// Refused for good.
    Refused,
    /// Refused because the pool or the log's share of it is full.
    Full,
    /// Dropped from the pool: it can never be ordered.
    Hopeless,
}

/// Anything with a fixed name can be a label.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Name(&'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.encode(encoder)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByOutcome {
    outcome: Name,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByKind {
    kind: Name,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Waiting => "waiting",
            Self::Final => "final",
            Self::Refused => "refused",
            Self::Full => "full",
            Self::Hopeless => "hopeless",
        }
    }
}

/// What is read off when somebody looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Levels {
    pub(crate) height: u64,
    pub(crate) entries: u64,
    pub(crate) logs: u64,
    pub(crate) pool_envelopes: u64,
    pub(crate) pool_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) connections: u64,
    pub(crate) connections_dropped: u64,
    pub(crate) requests_refused: u64,
    pub(crate) upstreams_connected: u64,
    pub(crate) wal_syncs: u64,
    pub(crate) committee_term: u64,
    pub(crate) committee_members: u64,
    pub(crate) certificate_round: u64,
    pub(crate) certificate_signers: u64,
    pub(crate) order_round: u64,
    pub(crate) links: u64,
    pub(crate) evidence: u64,
    pub(crate) chunks: u64,
    pub(crate) chunk_bytes: u64,
    pub(crate) chunk_quota_bytes: u64,
}

impl Levels {
    /// Adds what the server counts itself.
    pub(crate) fn note_server(&mut self, counts: &Counts) {
        self.connections = u64::try_from(counts.open).unwrap_or(u64::MAX);
        self.connections_dropped = counts.dropped.values().sum();
        self.requests_refused = counts.refused;
    }
}

/// All figures.
#[derive(Debug)]
pub(crate) struct Meter {
    registry: Registry,
    envelopes: Family<ByOutcome, Counter>,
    requests: Family<ByKind, Counter>,
    upstream_faults: Family<ByKind, Counter>,
    bodies_dropped: Family<ByKind, Counter>,
    chunk_puts: Family<ByOutcome, Counter>,
    chunk_gets: Family<ByOutcome, Counter>,
    /// Chunks whose day has passed.
    pub(crate) chunks_expired: Counter,
    /// In the order of [`LEVELS`].
    levels: Vec<Gauge>,
    blocks: Counter,
    ordered: Counter,
    block_seconds: Histogram,
    commit_seconds: Histogram,
    /// Envelopes whose signatures were checked here before they waited, each once.
    pub(crate) verified: Counter,
    /// Beacons signed or fetched.
    pub(crate) beacons: Counter,
    /// Subscriptions that are open.
    pub(crate) subscriptions: Gauge,
    /// Pushes sent to subscribers.
    pub(crate) pushes: Counter,
}

/// A figure that is read off when somebody looks.
#[derive(Clone, Copy)]
struct Level {
    name: &'static str,
    help: &'static str,
    read: fn(&Levels) -> u64,
}

const LEVELS: [Level; 21] = [
    Level {
        name: "ledger_height",
        help: "Height of the newest block",
        read: |levels| levels.height,
    },
    Level {
        name: "ledger_entries",
        help: "Entries in the ledger",
        read: |levels| levels.entries,
    },
    Level {
        name: "ledger_logs",
        help: "Logs in the ledger",
        read: |levels| levels.logs,
    },
    Level {
        name: "pool_envelopes",
        help: "Envelopes that wait for a block",
        read: |levels| levels.pool_envelopes,
    },
    Level {
        name: "pool_bytes",
        help: "Bytes of envelopes that wait for a block",
        read: |levels| levels.pool_bytes,
    },
    Level {
        name: "disk_bytes",
        help: "Bytes that the database takes on disk",
        read: |levels| levels.disk_bytes,
    },
    Level {
        name: "connections",
        help: "Connections that are open",
        read: |levels| levels.connections,
    },
    Level {
        name: "connections_dropped",
        help: "Connections that were ended for a peer's fault since the start",
        read: |levels| levels.connections_dropped,
    },
    Level {
        name: "requests_refused",
        help: "Requests that were refused before they were looked at since the start",
        read: |levels| levels.requests_refused,
    },
    Level {
        name: "upstreams_connected",
        help: "Upstream nodes that answer",
        read: |levels| levels.upstreams_connected,
    },
    Level {
        name: "wal_syncs",
        help: "Writes that the database made durable since the start: never fewer than blocks",
        read: |levels| levels.wal_syncs,
    },
    Level {
        name: "committee_term",
        help: "Term of the committee of the next block",
        read: |levels| levels.committee_term,
    },
    Level {
        name: "committee_members",
        help: "Validators in the committee of the next block",
        read: |levels| levels.committee_members,
    },
    Level {
        name: "certificate_round",
        help: "Round in which the newest block became final",
        read: |levels| levels.certificate_round,
    },
    Level {
        name: "certificate_signers",
        help: "Validators whose signatures are in the newest block's certificate",
        read: |levels| levels.certificate_signers,
    },
    Level {
        name: "order_round",
        help: "Round under way at the next height, 0 at rest",
        read: |levels| levels.order_round,
    },
    Level {
        name: "links_connected",
        help: "Other validators that this one hears",
        read: |levels| levels.links,
    },
    Level {
        name: "evidence_seen",
        help: "Signed contradictions seen since the start, the newest 64 at most",
        read: |levels| levels.evidence,
    },
    Level {
        name: "chunks_held",
        help: "Pieces of attachments that are kept",
        read: |levels| levels.chunks,
    },
    Level {
        name: "chunk_bytes",
        help: "Bytes of them, in whole blocks of the disk",
        read: |levels| levels.chunk_bytes,
    },
    Level {
        name: "chunk_quota_bytes",
        help: "Bytes of them that are kept at most",
        read: |levels| levels.chunk_quota_bytes,
    },
];

impl Meter {
    pub(crate) fn new() -> Self {
        let durations = || Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]);
        let mut meter = Self {
            registry: Registry::with_prefix("waxwing"),
            envelopes: Family::default(),
            requests: Family::default(),
            upstream_faults: Family::default(),
            bodies_dropped: Family::default(),
            chunk_puts: Family::default(),
            chunk_gets: Family::default(),
            chunks_expired: Counter::default(),
            levels: LEVELS.map(|_| Gauge::default()).to_vec(),
            blocks: Counter::default(),
            ordered: Counter::default(),
            block_seconds: durations(),
            commit_seconds: durations(),
            verified: Counter::default(),
            beacons: Counter::default(),
            subscriptions: Gauge::default(),
            pushes: Counter::default(),
        };
        meter.register();
        meter
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        for (gauge, level) in self.levels.iter().zip(LEVELS) {
            registry.register(level.name, level.help, gauge.clone());
        }
        registry.register(
            "intake_envelopes",
            "Envelopes that came, by what became of them",
            self.envelopes.clone(),
        );
        registry.register(
            "requests",
            "Requests that were answered, by kind",
            self.requests.clone(),
        );
        registry.register(
            "upstream_faults",
            "Upstream nodes given up for a time, by reason",
            self.upstream_faults.clone(),
        );
        registry.register(
            "bodies_dropped",
            "Bodies dropped, by reason",
            self.bodies_dropped.clone(),
        );
        self.register_chunks();
        let registry = &mut self.registry;
        registry.register("blocks", "Blocks made durable", self.blocks.clone());
        registry.register("ordered_entries", "Entries made durable", self.ordered.clone());
        registry.register(
            "intake_verified",
            "Envelopes whose signatures held when they were checked, before they waited",
            self.verified.clone(),
        );
        registry.register("beacons", "Beacons signed or fetched", self.beacons.clone());
        registry.register(
            "subscriptions",
            "Subscriptions that are open",
            self.subscriptions.clone(),
        );
        registry.register("pushes", "Pushes sent to subscribers", self.pushes.clone());
        let (block, commit) = (self.block_seconds.clone(), self.commit_seconds.clone());
        registry.register_with_unit(
            "block",
            "From choosing entries to the announcement",
            Unit::Seconds,
            block,
        );
        registry.register_with_unit("commit", "Writing and syncing a block", Unit::Seconds, commit);
    }

    fn register_chunks(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "chunk_puts",
            "Pieces of attachments that came, by what became of them",
            self.chunk_puts.clone(),
        );
        registry.register(
            "chunk_gets",
            "Pieces of attachments that were asked for, by what became of it",
            self.chunk_gets.clone(),
        );
        registry.register(
            "chunks_expired",
            "Pieces of attachments that were removed when their day had passed",
            self.chunks_expired.clone(),
        );
    }

    /// A block was made durable: how many entries it has, and how long it took in all.
    pub(crate) fn block(&self, entries: usize, took_us: u128) {
        self.blocks.inc();
        self.ordered.inc_by(u64::try_from(entries).unwrap_or(u64::MAX));
        self.block_seconds.observe(seconds(took_us));
    }

    /// The database wrote and synced a block.
    pub(crate) fn commit(&self, took_us: u128) {
        self.commit_seconds.observe(seconds(took_us));
    }

    pub(crate) fn envelope(&self, outcome: Outcome, count: u64) {
        let outcome = Name(outcome.name());
        self.envelopes.get_or_create(&ByOutcome { outcome }).inc_by(count);
    }

    pub(crate) fn request(&self, kind: &'static str) {
        self.requests.get_or_create(&ByKind { kind: Name(kind) }).inc();
    }

    pub(crate) fn upstream_fault(&self, kind: &'static str) {
        self.upstream_faults.get_or_create(&ByKind { kind: Name(kind) }).inc();
    }

    pub(crate) fn bodies_dropped(&self, reason: &'static str, count: u64) {
        self.bodies_dropped
            .get_or_create(&ByKind { kind: Name(reason) })
            .inc_by(count);
    }

    pub(crate) fn chunk_put(&self, outcome: &'static str) {
        let outcome = Name(outcome);
        self.chunk_puts.get_or_create(&ByOutcome { outcome }).inc();
    }

    pub(crate) fn chunk_get(&self, outcome: &'static str) {
        let outcome = Name(outcome);
        self.chunk_gets.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn text(&self, levels: &Levels) -> String {
        for (gauge, level) in self.levels.iter().zip(LEVELS) {
            gauge.set(i64::try_from((level.read)(levels)).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail, and every label encodes");
        text
    }
}

fn seconds(us: u128) -> f64 {
    Duration::from_micros(u64::try_from(us).unwrap_or(u64::MAX)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_under_their_names() {
        let meter = Meter::new();
        meter.envelope(Outcome::Taken, 3);
        meter.request("status");
        meter.commit_seconds.observe(0.003);
        let text = meter.text(&Levels {
            height: 7,
            ..Levels::default()
        });
        for line in [
            "waxwing_ledger_height 7",
            "waxwing_intake_envelopes_total{outcome=\"taken\"} 3",
            "waxwing_requests_total{kind=\"status\"} 1",
            "waxwing_commit_seconds_count 1",
            "waxwing_blocks_total 0",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
        }
    }
}
