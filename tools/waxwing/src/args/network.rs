//! `waxwing network`: found a network, look at one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use waxwing_core::genesis::Parameters;

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Network {
    /// Found a network: make a vote key and the genesis that names it
    New(NewNetwork),

    /// Show what a genesis file says
    Show {
        /// The genesis file, or a folder that holds one; `-` for standard input [default: the one in --home]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// `waxwing network new`.
#[derive(Args, Debug)]
pub(crate) struct NewNetwork {
    /// What people call it: 1 to 64 ASCII letters, digits, spaces, `-`, `_`, `.`
    pub(crate) name: String,

    /// Folder for genesis.wxg and vote.key [default: --home]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Leading zero bits of every stamp: what a message costs its writer
    #[arg(long, value_name = "BITS", default_value_t = Parameters::DEFAULT.stamp_bits)]
    pub(crate) stamp_bits: u8,

    /// Further bits for the first entry of a log
    #[arg(long, value_name = "BITS", default_value_t = Parameters::DEFAULT.new_log_bits)]
    pub(crate) new_log_bits: u8,
}
