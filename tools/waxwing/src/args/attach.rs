//! `waxwing chat attach` and `waxwing chat save`: files beside the ledger.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::chat::Waiting;
use super::which::Which;

/// The verbs about files.
#[derive(Subcommand, Debug)]
pub(crate) enum FileVerb {
    /// Send a file of any type: sealed, in pieces, beside the ledger
    ///
    /// Nodes keep the pieces for a time and learn neither name nor type nor exact size. The message goes out once they keep
    /// all of them, two nodes where two take the file. If this is interrupted, the same command goes on where it was.
    Attach(AttachFile),

    /// Fetch the file of a message, check all of it, and save it
    ///
    /// The name that its sender gave it is made harmless, and nothing is overwritten. If this is interrupted, the same
    /// command goes on where it was.
    Save(SaveFile),
}

/// `waxwing chat attach`.
#[derive(Args, Debug)]
pub(crate) struct AttachFile {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// The file
    pub(crate) file: PathBuf,

    /// What is said with it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) text: String,

    /// What it is called for the others [default: its name here, without folders]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Its media type, as image/png [default: what its ending says]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) media_type: Option<String>,

    /// For how many days nodes are asked to keep it; they may keep it for less, and say so
    #[arg(long, value_name = "DAYS", default_value = "30")]
    pub(crate) days: NonZeroU32,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `waxwing chat save`.
#[derive(Args, Debug)]
pub(crate) struct SaveFile {
    #[command(flatten)]
    pub(crate) which: Which,

    /// A folder, the name of a new file, or `-` for standard output
    #[arg(long, value_name = "DIR|FILE|-", default_value = ".")]
    pub(crate) to: PathBuf,
}
