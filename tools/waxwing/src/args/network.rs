//! `waxwing network`: found a network, look at one, change who votes in it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use waxwing_core::genesis::Parameters;

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Network {
    /// Found a network: write down who votes in it; alone, with a vote key of its own
    ///
    /// Alone it makes a vote key and the genesis that names it. Several operators found a network
    /// together, and nobody's secret leaves his machine:
    ///
    ///   1  everybody     waxwing network key
    ///                    makes a vote key and prints its public line: send that line to one of you
    ///   2  one of you    waxwing network new NAME --key LINE --key LINE --key LINE --key LINE
    ///                    puts the lines into one file, genesis.wxg: send it to everybody
    ///   3  everybody     waxwing network show genesis.wxg
    ///                    prints its fingerprint: compare it by voice, all of you, and look for your own key
    ///   4  everybody     waxwing node init --genesis genesis.wxg
    #[command(verbatim_doc_comment)]
    New(NewNetwork),

    /// Make this machine's vote key, or show the public line of the one that it has
    Key {
        /// Folder for vote.key, which is secret, and vote.pub, which is for others [default: --home]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },

    /// Show what a genesis file says
    Show {
        /// The genesis file, or a folder that holds one; `-` for standard input [default: the one in --home]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },

    /// Show who votes, and change it by a quorum of those who vote now
    #[command(subcommand)]
    Committee(Committee),
}

/// `waxwing network new`.
#[derive(Args, Debug)]
pub(crate) struct NewNetwork {
    /// What people call it: 1 to 64 ASCII letters, digits, spaces, `-`, `_`, `.`
    pub(crate) name: String,

    /// How many validators it has; more than one need --key [default: as many as keys are given, else 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) validators: Option<u16>,

    /// A validator's public line (`vote1...`), or a file with one or several; once for each operator
    #[arg(long = "key", value_name = "LINE|FILE")]
    pub(crate) keys: Vec<String>,

    /// Folder for genesis.wxg, and for vote.key if it is founded alone [default: --home]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Leading zero bits of every stamp: what a message costs its writer
    #[arg(long, value_name = "BITS", default_value_t = Parameters::DEFAULT.stamp_bits)]
    pub(crate) stamp_bits: u8,

    /// Further bits for the first entry of a log
    #[arg(long, value_name = "BITS", default_value_t = Parameters::DEFAULT.new_log_bits)]
    pub(crate) new_log_bits: u8,
}

/// The verbs of `waxwing network committee`.
#[derive(Subcommand, Debug)]
pub(crate) enum Committee {
    /// Show who votes now, since when, and who voted before, checked from the genesis on
    Show {
        /// A node's data directory, a bundle file, or a running node as KEY@HOST:PORT [default: the node in --home]
        source: Option<PathBuf>,
    },

    /// Write down a change of the committee, for those who vote now to sign
    Propose(ProposeChange),

    /// Sign a change with this machine's vote key; the signature that completes the quorum submits it
    Sign(SignChange),
}

/// `waxwing network committee propose`.
#[derive(Args, Debug)]
pub(crate) struct ProposeChange {
    /// Who joins: a validator's public line (`vote1...`), or a file with it; may be repeated
    #[arg(long, value_name = "LINE|FILE")]
    pub(crate) add: Vec<String>,

    /// Who leaves: the `vote1...` id that `waxwing network committee show` prints; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) remove: Vec<String>,

    /// The first height that the next committee certifies [default: 64 blocks after the newest]
    #[arg(long, value_name = "HEIGHT")]
    pub(crate) from_height: Option<u64>,

    /// Where to read who votes now: a directory, a bundle, or KEY@HOST:PORT [default: the node in --home]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<PathBuf>,

    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "change.wxc")]
    pub(crate) out: PathBuf,
}

/// `waxwing network committee sign`.
#[derive(Args, Debug)]
pub(crate) struct SignChange {
    /// The change; the signature is added to this file
    pub(crate) file: PathBuf,

    /// Files with the same change that others signed meanwhile: their signatures are taken over; may be repeated
    #[arg(long = "with", value_name = "FILE")]
    pub(crate) with: Vec<PathBuf>,

    /// The vote key [default: the one in --home]
    #[arg(long, value_name = "FILE")]
    pub(crate) vote_key: Option<PathBuf>,

    /// Only take over signatures and submit, without a key of one's own
    #[arg(long, conflicts_with = "vote_key")]
    pub(crate) collect: bool,

    /// Where to read who votes now: a directory, a bundle, or KEY@HOST:PORT [default: the node in --home]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<PathBuf>,

    /// The node to submit the complete change to [default: the one that runs in --home]
    #[arg(long, value_name = "KEY@HOST:PORT")]
    pub(crate) node: Option<String>,

    /// Do not submit it, even if it is complete
    #[arg(long)]
    pub(crate) no_submit: bool,
}
