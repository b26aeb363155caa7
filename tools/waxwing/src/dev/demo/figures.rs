//! What was measured on the way.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::story::seconds;
use crate::words::grouped;

/// The figures of one run.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) messages: usize,
    pub(super) people: usize,
    /// From sending to final, one per message.
    pub(super) latencies: Vec<Duration>,
    /// From the death of a validator to the reader's next message.
    pub(super) switched: Option<Duration>,
    /// From its start to having all blocks again.
    pub(super) caught_up: Option<Duration>,
    pub(super) blocks: u64,
    pub(super) entries: u64,
    /// Entries, and how long it took.
    pub(super) audited: Option<(u64, Duration)>,
    /// Files and bytes searched for plaintext.
    pub(super) searched: (u64, u64),
    /// Bytes of a validator's directory.
    disk: u64,
    total: Duration,
}

impl Figures {
    /// Takes the last measures.
    pub(super) fn measure(&mut self, dir: &Path, total: Duration) {
        self.latencies.sort_unstable();
        self.disk = bytes_of(&dir.join("validator-1").join("node").join("db"));
        self.total = total;
    }

    /// The latency that so many of a hundred messages do not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).copied().unwrap_or_default()
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            (
                "messages",
                format!("{} of {} people, in {} blocks", self.messages, self.people, self.blocks),
            ),
            (
                "to final",
                format!(
                    "{} median, {} at worst",
                    seconds(self.percentile(50)),
                    seconds(self.percentile(100))
                ),
            ),
        ];
        if let (Some(switched), Some(caught_up)) = (self.switched, self.caught_up) {
            lines.push((
                "death",
                format!(
                    "the reader waited {}; the validator was back after {}",
                    seconds(switched),
                    seconds(caught_up)
                ),
            ));
        }
        if let Some((entries, time)) = self.audited {
            lines.push((
                "audit",
                format!("{} entries, everything checked, in {}", grouped(entries), seconds(time)),
            ));
        }
        lines.push((
            "disk",
            format!("{} kB hold a validator's ledger", grouped(self.disk / 1000)),
        ));
        lines.push(("all of it", seconds(self.total)));
        lines
    }

    pub(super) fn as_json(&self) -> Value {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        json!({
            "messages": self.messages,
            "people": self.people,
            "blocks": self.blocks,
            "entries": self.entries,
            "final_p50_ms": ms(self.percentile(50)),
            "final_max_ms": ms(self.percentile(100)),
            "switched_ms": self.switched.map(ms),
            "caught_up_ms": self.caught_up.map(ms),
            "audit_ms": self.audited.map(|(_, time)| ms(time)),
            "searched_files": self.searched.0,
            "searched_bytes": self.searched.1,
            "disk_bytes": self.disk,
            "total_ms": ms(self.total),
        })
    }
}

/// Bytes of all files in a folder and below.
fn bytes_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_of(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let latencies = (1..=200).map(Duration::from_millis).collect();
        let figures = Figures {
            latencies,
            ..Figures::default()
        };
        assert_eq!(figures.percentile(50), Duration::from_millis(101));
        assert_eq!(figures.percentile(100), Duration::from_millis(200));
        assert_eq!(Figures::default().percentile(50), Duration::ZERO);
    }
}
