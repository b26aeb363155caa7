//! `waxwing audit`: check histories and receipts.

use std::path::PathBuf;

use clap::Subcommand;

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Audit {
    /// Check a receipt offline: that an entry is final, and where it stands
    Receipt {
        /// The receipt file; `-` for standard input
        file: PathBuf,

        /// What you trust: pins the network (see `waxwing audit policy new`)
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,

        /// Also check that this is the sealed body that was ordered
        #[arg(long, value_name = "FILE")]
        body: Option<PathBuf>,
    },

    /// Make or read a policy: what an auditor trusts before looking at any data
    #[command(subcommand)]
    Policy(PolicyVerb),
}

/// The verbs of `waxwing audit policy`.
#[derive(Subcommand, Debug)]
pub(crate) enum PolicyVerb {
    /// Write a policy that pins a genesis, and optionally a block
    New {
        /// The genesis file, or a folder that holds one; `-` for standard input. Get it from somebody you trust, not from
        /// the data that is to be checked
        #[arg(value_name = "GENESIS")]
        genesis: PathBuf,

        /// A block that a history must contain: height and block id, for example 1204:9f86d0...
        #[arg(long, value_name = "HEIGHT:ID")]
        head: Option<String>,

        /// Where to write it; `-` for standard output
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },

    /// Show what a policy pins
    Show {
        /// The policy file; `-` for standard input
        file: PathBuf,
    },

    /// Print the fingerprint that every report names
    Fingerprint {
        /// The policy file; `-` for standard input
        file: PathBuf,
    },
}
