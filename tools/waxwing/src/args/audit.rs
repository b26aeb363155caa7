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
    ///  20  UNANCHORED  consistent in itself; proves nothing about the world without its network's policy
    ///  30  DIVERGED    valid, but contradicts the policy's head: evidence
    ///  40  TAMPERED    a hash, signature or proof fails; the first divergent entry is named
    ///  50  MALFORMED   cannot be read: says nothing about tampering
    #[command(verbatim_doc_comment)]
    Run {
        /// A node's data directory (opened read-only), a bundle file (`-` for standard input), or a running node as
        /// KEY@HOST:PORT
        source: PathBuf,

        /// What you trust: pins the network, and optionally a block (see `waxwing audit policy new`)
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },

    /// Hold two histories against each other: how far they agree, or evidence that validators signed both
    ///
    /// Block ids are compared, each of which covers all blocks before it, and the certificates wherever
    /// the histories are looked at; `waxwing audit run` checks what the blocks hold. Where two different
    /// blocks of one height are certified, one file is written that anybody can check
    /// (`waxwing-verify`). Such a file can be given in the place of one of the two: then it is checked,
    /// and said on which side the history is. Two votes of one validator are about that validator: the
    /// history is judged as if it stood alone.
    ///
    /// Exit codes, as of `waxwing audit run`:
    ///
    ///   0  VERIFIED    one history as far as both go, of the network that the policy pins
    ///  12  INCOMPLETE  one history, shorter than the policy's head
    ///  20  UNANCHORED  one history; without a policy of its network it proves nothing about the world
    ///  30  DIVERGED    two certified histories: evidence; or one that contradicts the policy's head
    ///  40  TAMPERED    one of the two does not hold where it was looked at
    ///  50  MALFORMED   cannot be read: says nothing about tampering
    #[command(verbatim_doc_comment)]
    Compare {
        /// A node's data directory, a bundle file, a running node as KEY@HOST:PORT, or an evidence file
        #[arg(value_name = "A")]
        first: PathBuf,

        /// What to compare it with: the same kinds
        #[arg(value_name = "B")]
        second: PathBuf,

        /// What you trust: pins the network, and optionally a block (see `waxwing audit policy new`)
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,

        /// Where to write evidence, if there is any [default: evidence-HEIGHT.wxe]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },

    /// Write what a history says of validators that broke the rules, each piece as a file that anybody can check
    Evidence {
        /// A node's data directory, a bundle file, or a running node as KEY@HOST:PORT
        source: PathBuf,

        /// Folder for the files [default: the current one]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
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
