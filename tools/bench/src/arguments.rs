//! What was asked for on the command line.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::figure::{FIGURES, Pause, Size};
use crate::node::Neighbours;
use crate::role::Role;

const USAGE: &str = "\
Measures what Waxwing promises, each figure beside the physical limit of this machine in the same run.
Prints one JSON object a line: {\"name\",\"value\",\"unit\",\"limit\",\"ratio\"}; what it is doing goes to stderr.

Usage: waxwing-bench [NAME...] [--quick] [--seconds N] [--members N]... [--pause] [--dir DIR]

  NAME       figures to measure, see --list (`all` if none is named)
  --quick    small sizes: shows that the figures can be measured, not what they are
  --seconds N  for how long the rates of committees are measured (default: 60)
  --members N  in a group of so many, for figures of groups; may be given several times (default: as --list says)
  --pause    wait for a line on the standard input between what takes long to prepare and what is measured
  --dir DIR  where databases are made and removed again: choose the disk that is to be measured (default: $TMPDIR)
  --list     names of the figures, what each measures and what it must reach
";

/// What to do.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Say this.
    Print(String),
    /// Be the other process of a measurement.
    Play {
        /// As what.
        role: Role,
        /// Its directory.
        dir: PathBuf,
        /// Nodes that it knows.
        neighbours: Neighbours,
    },
    /// Measure these.
    Measure {
        /// Names of figures.
        names: Vec<&'static str>,
        /// How large.
        size: Size,
        /// For how long the rates of committees are measured.
        seconds: u64,
        /// In groups of how many.
        members: Vec<u32>,
        /// Whether somebody says when the machine is quiet.
        pause: Pause,
        /// Where databases are made.
        dir: PathBuf,
    },
}

/// Reads the program's arguments.
pub(crate) fn read() -> anyhow::Result<Task> {
    parse(lexopt::Parser::from_env())
}

fn parse(mut parser: lexopt::Parser) -> anyhow::Result<Task> {
    let (mut names, mut size, mut dir) = (Vec::new(), Size::Full, std::env::temp_dir());
    let mut seconds = 60;
    let (mut members, mut pause) = (Vec::new(), Pause::None);
    let (mut role, mut neighbours) = (None, Neighbours::default());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Task::Print(USAGE.to_owned())),
            Long("list") => return Ok(Task::Print(list())),
            Long("quick") => size = Size::Quick,
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("members") => members.push(parser.value()?.parse()?),
            Long("pause") => pause = Pause::Waits,
            Long("role") => role = Some(Role::named(&parser.value()?.string()?)?),
            Long("validator") => neighbours.validators.push(parser.value()?.parse()?),
            Long("upstream") => neighbours.upstreams.push(parser.value()?.parse()?),
            Long("dir") => dir = parser.value()?.into(),
            Value(name) => names.extend(named(&name.string()?)?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    if let Some(role) = role {
        return Ok(Task::Play { role, dir, neighbours });
    }
    if names.is_empty() {
        names = named("all")?;
    }
    Ok(Task::Measure {
        names,
        size,
        seconds,
        members,
        pause,
        dir,
    })
}

fn named(name: &str) -> anyhow::Result<Vec<&'static str>> {
    let found: Vec<&str> = FIGURES
        .iter()
        .map(|figure| figure.name)
        .filter(|known| name == "all" || *known == name)
        .collect();
    anyhow::ensure!(!found.is_empty(), "there is no figure '{name}': --list names them all");
    Ok(found)
}

fn list() -> String {
    let lines = FIGURES.iter().map(|figure| {
        format!(
            "{:<17} {}\n{:<17} to reach: {}\n",
            figure.name, figure.about, "", figure.target
        )
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(arguments: &[&str]) -> anyhow::Result<Task> {
        parse(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn without_a_name_everything_is_measured() {
        let Task::Measure { names, size, .. } = task(&[]).unwrap() else {
            panic!("nothing was asked to be printed");
        };
        assert_eq!((names.len(), size), (FIGURES.len(), Size::Full));
        assert_eq!(task(&[]).unwrap(), task(&["all"]).unwrap());
    }

    #[test]
    fn named_figures_are_measured_alone() {
        let expected = Task::Measure {
            names: vec!["receipt"],
            size: Size::Quick,
            seconds: 60,
            members: Vec::new(),
            pause: Pause::None,
            dir: "/x".into(),
        };
        assert_eq!(task(&["--quick", "receipt", "--dir", "/x"]).unwrap(), expected);
    }

    #[test]
    fn unknown_names_and_options_are_refused() {
        let error = task(&["speed"]).unwrap_err().to_string();
        assert_eq!(error, "there is no figure 'speed': --list names them all");
        assert!(task(&["--fast"]).is_err());
        assert!(task(&["--dir"]).is_err());
    }
}
