//! `waxwing audit`: check histories and receipts.

use std::path::PathBuf;

use clap::Subcommand;

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Audit {
    /// Replay a whole history, check everything in it, explain the first thing that does not hold
    ///
    /// Exit codes are a contract; treat any other as a failure:
    ///
    ///   0  VERIFIED    all checks hold, and the policy anchors them
    ///   1  the audit failed, 2  it was used wrongly: nothing is claimed
    ///  12  INCOMPLETE  sound as far as it goes: bodies withheld, or shorter than the policy's head
    ///  20  UNANCHORED  consistent in itself; without a policy it proves nothing about the world
    ///  30  DIVERGED    valid, but contradicts the policy's head: evidence
    ///  40  TAMPERED    a hash, signature or proof fails; the first divergent entry is named
    ///  50  MALFORMED   cannot be read: says nothing about tampering
    #[command(verbatim_doc_comment)]
    Run {
        /// A node's data directory (opened read-only), or a bundle file; `-` for a bundle on standard input
        source: PathBuf,

        /// What you trust: pins the network, and optionally a block (see `waxwing audit policy new`)
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },

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
