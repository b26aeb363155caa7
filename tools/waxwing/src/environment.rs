//! The environment, as far as it names us: a `WAXWING_*` variable that nothing reads is an error.
//!
//! A misspelt setting that is silently ignored is worse than none: `WAXWING_SUBMITS=nobody` would run a node that takes
//! everybody's envelopes. What counts is collected from where it is read, the arguments and the table of settings; beside it
//! stand the variables of the tree's own scripts and tests, which may run this program.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{Command, CommandFactory};

use crate::args::Cli;
use crate::failure::Failure;

const OURS: &str = "WAXWING_";

/// Variables of `tools/setup`, `tools/test`, `tests/fuzz/run` and of tests. This program reads none of them.
const OF_SCRIPTS_AND_TESTS: [&str; 15] = [
    "WAXWING_CACHE",
    "WAXWING_FILE_MIB",
    "WAXWING_FUZZ_SEEDS",
    "WAXWING_GOLDEN",
    "WAXWING_GROUP_SCHEDULES",
    "WAXWING_INSIDE_NAMESPACES",
    "WAXWING_KILLED_DIRECTORY",
    "WAXWING_KILLS",
    "WAXWING_SCHEDULES",
    "WAXWING_SCREEN_PANICS",
    "WAXWING_SEARCH_MESSAGES",
    "WAXWING_SEED",
    "WAXWING_TEST_MLS_VECTORS",
    "WAXWING_TEST_SHIFT_S",
    "WAXWING_WITHOUT",
];

/// Refuses what is misspelt.
///
/// # Errors
/// The first variable, in the order of the alphabet, that nothing reads.
pub(crate) fn expect_known() -> Result<(), Failure> {
    refuse_unknown(std::env::vars_os().map(|(name, _)| name), &known())
}

fn refuse_unknown(names: impl Iterator<Item = OsString>, known: &BTreeSet<String>) -> Result<(), Failure> {
    let ours = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with(OURS));
    let is_unknown = |name: &String| !known.contains(name) && !OF_SCRIPTS_AND_TESTS.contains(&name.as_str());
    match ours.filter(is_unknown).min() {
        None => Ok(()),
        Some(name) => {
            let distance = |known: &&String| strsim::damerau_levenshtein(known, &name);
            let nearest = known.iter().min_by_key(distance).map_or("", String::as_str);
            Err(Failure::usage(format!(
                "${name}: there is no such variable; did you mean {nearest}? Else unset it"
            )))
        }
    }
}

/// What arguments and settings read.
fn known() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(&Cli::command(), &mut names);
    #[cfg(feature = "node")]
    names.extend((waxwing_node::config::KEYS.iter()).map(|key| format!("{OURS}{}", key.name.to_ascii_uppercase())));
    names
}

fn collect(command: &Command, names: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(clap::Arg::get_env);
    names.extend(variables.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|verb| collect(verb, names));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(names: &[&str]) -> Option<String> {
        let refused = refuse_unknown(names.iter().map(OsString::from), &known());
        refused.err().map(|failure| failure.to_string())
    }

    #[test]
    fn a_misspelt_variable_is_refused_and_the_nearest_one_named() {
        assert_eq!(
            refusal(&["PATH", "WAXWING_HOME", "WAXWING_HOEM"]).as_deref(),
            Some("$WAXWING_HOEM: there is no such variable; did you mean WAXWING_HOME? Else unset it")
        );
        assert!(refusal(&["WAXWING_"]).is_some());
        assert!(refusal(&["WAXWING_home"]).is_some(), "nothing reads it");
    }

    #[test]
    fn what_is_read_here_or_belongs_to_others_is_let_be() {
        let names = known();
        assert!(names.contains("WAXWING_PASSPHRASE_FILE"), "of a verb: {names:?}");
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(refusal(&names), None);
        assert_eq!(refusal(&OF_SCRIPTS_AND_TESTS), None);
        assert_eq!(refusal(&["HOME", "WAXWINGS", "waxwing_home", "XWAXWING_HOEM"]), None);
    }

    #[cfg(feature = "node")]
    #[test]
    fn every_setting_has_its_variable() {
        assert_eq!(refusal(&["WAXWING_QUOTA_MIB", "WAXWING_LOG"]), None);
        let refused = refusal(&["WAXWING_SUBMITS"]).unwrap();
        assert!(refused.contains("did you mean WAXWING_SUBMIT?"), "{refused}");
    }
}
