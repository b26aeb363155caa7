//! What can be typed: nouns, verbs and options, with the words that `--help` says about them.
//!
//! The definitions hold no decisions; modules of the same names act on them. The texts are golden files of the tests:
//! a change of what people can type is a change that a reviewer sees.

mod attach;
mod audit;
mod chat;
#[cfg(feature = "node")]
mod dev;
mod groups;
mod manners;
mod network;
#[cfg(feature = "node")]
mod node;
mod which;
mod who;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use attach::{AttachFile, FileVerb, SaveFile};
pub(crate) use audit::{Audit, PolicyVerb};
pub(crate) use chat::{
    BackUp, ChangePassphrase, Chat, ChatVerb, EditMessage, ExportChannel, ExportFormat, ForgetChannel, KeepVerb,
    NewChannel, ProofVerb, React, Reply, Retract, SayVerb, SearchMessages, SendMessage, TailChannel, Waiting,
};
#[cfg(feature = "node")]
pub(crate) use dev::{Demo, Dev};
pub(crate) use groups::{Add, GroupVerb, History, Invite, Join, Leave, MemberRole, Remove, Rename, Role, Settling};
pub(crate) use manners::{MannerVerb, Receipts, SeenSwitch, Switch, Timer, TimerTime};
pub(crate) use network::{Committee, Network, NewNetwork, ProposeChange, SignChange};
#[cfg(feature = "node")]
pub(crate) use node::{ConfigVerb, InitNode, Node, Place, RunNode, Settings};
pub(crate) use who::{
    AccountVerb, ContactVerb, Devices, DevicesVerb, LinkDevice, RecoverAccount, VerifyContact, WhoVerb, Words,
};

/// The messenger whose ledger lies open: sealed messages, one order, proofs for everything.
#[derive(Parser, Debug)]
#[command(name = "waxwing", version, max_term_width = 100, propagate_version = false)]
#[command(
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 used wrongly; audits add their own, see `waxwing audit run --help`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// Options that every command has.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options everywhere")]
pub(crate) struct Global {
    /// Folder for keys, channels and data [default: ~/.local/share/waxwing]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "WAXWING_HOME",
        hide_env_values = true
    )]
    pub(crate) home: Option<PathBuf>,

    /// Standard output is JSON only, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Results only: no progress, no hints
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more: full ids and details; twice, what happens inside
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// When to use colours (NO_COLOR counts)
    #[arg(
        long,
        global = true,
        value_name = "auto|always|never",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub(crate) color: Color,

    /// Symbols in plain ASCII
    #[arg(long, global = true)]
    pub(crate) ascii: bool,

    /// Answer yes to what would be asked
    #[arg(long, global = true)]
    pub(crate) yes: bool,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Even into a file.
    Always,
    /// Not at all.
    Never,
}

/// The nouns.
#[derive(Subcommand, Debug)]
pub(crate) enum Noun {
    /// Found a network, look at one, change who votes in it
    #[command(subcommand)]
    Network(Network),

    /// Run a full node, look at one
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Node(Node),

    /// Channels and messages on this device
    Chat(Chat),

    /// Check histories and receipts without trusting anybody
    #[command(subcommand)]
    Audit(Audit),

    /// Write a whole history into one file, for an auditor or beside the backups
    Export {
        /// The data directory of a node, which may be running, or a running node as KEY@HOST:PORT
        dir: PathBuf,

        /// The file to write; `-` for standard output
        #[arg(long, value_name = "BUNDLE")]
        out: PathBuf,
    },

    /// A whole network on this machine; break it on purpose
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Dev(Dev),

    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Print the manual, or write all its pages
    Man {
        /// Write one page per command into this folder
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },

    /// Print version and build
    Version,
}
