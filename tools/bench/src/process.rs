//! What a process uses of the machine, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// What the kernel calls a clock tick, in the files under `/proc`: a hundredth of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// A reading.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    /// Resident memory, bytes.
    pub(crate) resident: u64,
    /// The most it ever was, bytes.
    pub(crate) resident_peak: u64,
    /// Processor time of all threads there ever were, in whole ticks.
    ticks: Duration,
    /// Processor time of each thread that lives, by its number: exact, but what ended is forgotten.
    threads: BTreeMap<String, Duration>,
}

impl Usage {
    /// Of a process that has not begun.
    pub(crate) const NONE: Self = Self {
        resident: 0,
        resident_peak: 0,
        ticks: Duration::ZERO,
        threads: BTreeMap::new(),
    };

    /// Reads the usage of a running process.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        Ok(Self {
            resident: kib(&status, "VmRSS")? * 1024,
            resident_peak: kib(&status, "VmHWM")? * 1024,
            ticks: ticks(&fs::read_to_string(format!("/proc/{process}/stat"))?)?,
            threads: threads(process)?,
        })
    }

    /// Processor time since an earlier reading: the larger of both counts, since each may miss something.
    pub(crate) fn processor_since(&self, earlier: &Self) -> Duration {
        let of_thread = |(thread, now): (&String, &Duration)| {
            let before = earlier.threads.get(thread).copied().unwrap_or_default();
            now.saturating_sub(before)
        };
        let exact: Duration = self.threads.iter().map(of_thread).sum();
        exact.max(self.ticks.saturating_sub(earlier.ticks))
    }
}

fn kib(status: &str, name: &str) -> anyhow::Result<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.strip_suffix("kB"));
    value
        .with_context(|| format!("the kernel does not tell {name}"))?
        .trim()
        .parse()
        .context("a number of kB")
}

/// User and system time: fields 14 and 15, counted behind the name, which may itself hold spaces.
fn ticks(stat: &str) -> anyhow::Result<Duration> {
    let (_, behind) = stat.rsplit_once(')').context("the kernel tells no name")?;
    let fields: Vec<&str> = behind.split_whitespace().skip(11).take(2).collect();
    let ticks: u32 = fields.iter().map(|field| field.parse::<u32>()).sum::<Result<_, _>>()?;
    anyhow::ensure!(fields.len() == 2, "the kernel counts no time");
    Ok(TICK * ticks)
}

/// Nanoseconds on a processor, of every thread.
fn threads(process: u32) -> anyhow::Result<BTreeMap<String, Duration>> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?;
        // A thread that ended while the list was read is counted no more.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else {
            continue;
        };
        let name = thread.file_name().to_string_lossy().into_owned();
        threads.insert(name, on_processor(&text)?);
    }
    Ok(threads)
}

/// Processor time of this thread.
pub(crate) fn thread_time() -> anyhow::Result<Duration> {
    on_processor(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

/// The first field of a thread's `schedstat`.
fn on_processor(schedstat: &str) -> anyhow::Result<Duration> {
    let first = schedstat.split_whitespace().next();
    let nanoseconds = first.context("the kernel counts no time per thread")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn memory_and_time_that_are_used_are_seen() {
        let before = Usage::of(std::process::id()).unwrap();
        let memory = vec![1_u8; 64 << 20];
        let sum: u64 = black_box(&memory).iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(black_box(sum), 64 << 20);
        let after = Usage::of(std::process::id()).unwrap();
        assert!(after.resident > before.resident + (60 << 20), "{before:?} {after:?}");
        assert!(after.resident_peak >= after.resident);
        assert!(after.processor_since(&before) > Duration::ZERO);
        drop(memory);
    }

    #[test]
    fn time_of_threads_that_ended_is_not_forgotten() {
        let before = Usage::of(std::process::id()).unwrap();
        let busy = std::thread::spawn(|| {
            let id = std::process::id();
            while Usage::of(id).unwrap().processor_since(&before) < TICK * 4 {}
            before
        });
        let before = busy.join().unwrap();
        assert!(Usage::of(std::process::id()).unwrap().processor_since(&before) >= TICK * 2);
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_hides_no_field() {
        let stat = "7 (a ) b) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 1 0 0";
        assert_eq!(ticks(stat).unwrap(), Duration::from_secs(3));
        assert!(ticks("7 (a) S 1").is_err());
    }

    #[test]
    fn a_process_that_is_not_there_has_no_usage() {
        assert!(Usage::of(u32::MAX).is_err());
    }
}
