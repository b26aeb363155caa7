//! What the program is asked to do.

use std::ops::Range;

use anyhow::{Context as _, bail};
use waxwing_sim::runs::Kind;

/// What `--help` says.
pub(crate) const HELP: &str = "\
Runs whole validators in virtual time with everything that can go wrong, and checks what must never happen.

Usage: waxwing-sim [--seeds A..B] [--broken RULE] [--keep-going]
       waxwing-sim --story SEED [--broken RULE]
       waxwing-sim figures

  --seeds A..B    which seeds, the last not included [default: 0..200]
  --broken RULE   lets validators break a rule: quorum, flush or anchor (needs the feature broken-on-purpose)
  --keep-going    goes on behind a seed that failed
  --story SEED    what happens in one run, line by line
  figures         what a committee of fifty costs, as JSON lines
";

/// What to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// Run seeds.
    Run {
        seeds: Range<u64>,
        kind: Kind,
        keeps_going: bool,
    },
    /// Run one seed and say all that happens.
    Story { seed: u64, kind: Kind },
    /// Measure.
    Figures,
    /// Explain.
    Help,
}

/// Reads the arguments.
pub(crate) fn read() -> anyhow::Result<Task> {
    use lexopt::prelude::{Long, Short, Value, ValueExt as _};

    let mut parser = lexopt::Parser::from_env();
    let (mut seeds, mut kind, mut keeps_going, mut story) = (0..200, Kind::SOUND, false, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seeds") => seeds = range(&parser.value()?.to_string_lossy())?,
            Long("broken") => kind = broken(&parser.value()?.to_string_lossy())?,
            Long("story") => story = Some(parser.value()?.parse()?),
            Long("keep-going") => keeps_going = true,
            Long("help") | Short('h') => return Ok(Task::Help),
            Value(word) if word == "figures" => return Ok(Task::Figures),
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(seed) = story {
        return Ok(Task::Story { seed, kind });
    }
    Ok(Task::Run {
        seeds,
        kind,
        keeps_going,
    })
}

fn range(text: &str) -> anyhow::Result<Range<u64>> {
    let (from, to) = text.split_once("..").context("--seeds wants a range such as 0..200")?;
    let number = |text: &str| text.parse::<u64>().context("--seeds wants numbers around the dots");
    let range = number(from)?..number(to)?;
    if range.is_empty() {
        bail!("--seeds {text} holds no seed");
    }
    Ok(range)
}

#[cfg(feature = "broken-on-purpose")]
fn broken(rule: &str) -> anyhow::Result<Kind> {
    Kind::broken(rule).context("--broken knows the rules quorum, flush and anchor")
}

#[cfg(not(feature = "broken-on-purpose"))]
fn broken(_: &str) -> anyhow::Result<Kind> {
    bail!("--broken needs the feature broken-on-purpose: cargo run -p waxwing-sim --features broken-on-purpose -- ...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_seeds_is_read_and_nonsense_is_refused() {
        assert_eq!(range("3..17").unwrap(), 3..17);
        for nonsense in ["3", "3..", "..3", "7..7", "9..2", "a..b", "-1..2"] {
            assert!(range(nonsense).is_err(), "{nonsense}");
        }
    }
}
