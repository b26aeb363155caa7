//! What a process uses of the machine, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// A reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Resident memory, bytes.
    pub(crate) resident: u64,
    /// The most it ever was, bytes.
    pub(crate) resident_peak: u64,
    /// Processor time of all threads that live.
    pub(crate) processor: Duration,
}

impl Usage {
    /// Reads the usage of a running process.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        Ok(Self {
            resident: kib(&status, "VmRSS")? * 1024,
            resident_peak: kib(&status, "VmHWM")? * 1024,
            processor: processor(process)?,
        })
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

/// Nanoseconds on a processor, of every thread: the counter of clock ticks is too coarse for a process that does nothing.
fn processor(process: u32) -> anyhow::Result<Duration> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread that ended while the list was read is counted no more.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let first = text
            .split_whitespace()
            .next()
            .context("the kernel counts no time per thread")?;
        total += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
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
        assert!(after.resident_peak >= after.resident && after.processor > before.processor);
        drop(memory);
    }

    #[test]
    fn a_process_that_is_not_there_has_no_usage() {
        assert!(Usage::of(u32::MAX).is_err());
    }
}
