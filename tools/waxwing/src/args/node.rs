//! `waxwing node`: run a full node, look at one.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use waxwing_node::config::{KEYS, NodeConfig};

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Node {
    /// Make a node's directory, keys and settings; asks nothing
    Init(InitNode),

    /// Run the node until it is interrupted; makes its directory first if there is none
    ///
    /// The first interrupt (Ctrl-C, SIGTERM) drains: nothing new is taken, what waits is ordered, and what is waited
    /// for is said. The second ends the program at once; nothing that is final is lost either way.
    Run(RunNode),

    /// Show what a running node says of itself
    Status {
        /// Show it again every second, until interrupted
        #[arg(long)]
        watch: bool,

        #[command(flatten)]
        place: Place,
    },

    /// Tell by the exit code whether a node is well: 0 yes, 1 no
    Health {
        /// Whether the process serves at all
        #[arg(long, conflicts_with = "ready")]
        live: bool,

        /// Whether it is of use: verified to its head, with its peers (the default)
        #[arg(long)]
        ready: bool,

        #[command(flatten)]
        place: Place,
    },

    /// Show or check settings
    #[command(subcommand)]
    Config(ConfigVerb),
}

/// Which running node is asked.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The node, as it prints its address [default: the one that runs in --home]
    #[arg(long, value_name = "KEY@HOST:PORT")]
    pub(crate) node: Option<String>,
}

/// The verbs of `waxwing node config`.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigVerb {
    /// Show every setting, as a file that explains them
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,

        #[command(flatten)]
        settings: Settings,
    },

    /// Check a settings file without starting anything
    Check {
        /// The file; `-` for standard input [default: the one in --home]
        file: Option<PathBuf>,
    },
}

/// `waxwing node init` and `waxwing node run`.
#[derive(Args, Debug)]
pub(crate) struct InitNode {
    /// Genesis of the network [default: genesis.wxg in --home; without one a new network is founded]
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: Option<PathBuf>,

    /// Vote key of a validator [default: vote.key in --home; without one the node follows]
    #[arg(long, value_name = "FILE")]
    pub(crate) vote_key: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// `waxwing node run`.
#[derive(Args, Debug)]
pub(crate) struct RunNode {
    #[command(flatten)]
    pub(crate) init: InitNode,

    /// Drain when standard input ends, as it does when the program that started this one is gone
    #[arg(long, hide = true)]
    pub(crate) with_parent: bool,
}

/// Settings given as flags. The flags are made from the node's own table, so there is one for every setting, and the
/// values are read where all others are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Name of the setting, and the value as typed.
    pub(crate) flags: Vec<(String, String)>,
}

/// Argument ids share one space with all other options.
fn id_of(name: &str) -> String {
    format!("setting.{name}")
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let defaults = NodeConfig::default();
        KEYS.iter().fold(command, |command, key| {
            let meaning = key.meaning.replace('\n', " ");
            let meaning = meaning.trim_end_matches('.');
            let default = (key.show)(&defaults);
            let default = default.trim_matches('"');
            let help = match default {
                "" | "[]" => meaning.to_owned(),
                _ => format!("{meaning} [default: {default}]"),
            };
            command.arg(
                Arg::new(id_of(key.name))
                    .long(key.name.replace('_', "-"))
                    .value_name("VALUE")
                    .allow_negative_numbers(true)
                    .help(help)
                    .help_heading("Settings (a flag beats WAXWING_*, which beats node.toml)"),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |name: &str| matches.get_one::<String>(&id_of(name)).cloned();
        let flags = KEYS
            .iter()
            .filter_map(|key| Some((key.name.to_owned(), given(key.name)?)));
        Ok(Self { flags: flags.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
