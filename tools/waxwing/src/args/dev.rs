//! `waxwing dev`: a whole network on this machine; break it on purpose.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Dev {
    /// Run a network on this machine until interrupted: a validator and followers, on loopback
    Up {
        /// Followers beside the validator
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        followers: u16,

        /// Folder for the network, kept and taken up again the next time [default: dev in --home]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },

    /// Show everything once: a real conversation, sealed, ordered, proven; a follower killed; a history tampered with
    Demo(Demo),

    /// Damage a history on purpose, to see whether an audit notices
    Tamper {
        /// What to damage; without it, all kinds are listed
        kind: Option<String>,

        /// A node's data directory; it is changed for good, so take a copy
        #[arg(value_name = "DIR", requires = "kind")]
        dir: Option<PathBuf>,

        /// Chooses the place: the same seed damages the same thing
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        seed: u64,
    },
}

/// `waxwing dev demo`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Folder of logs in the format of the bundled excerpt; one of them is replayed
    #[arg(long, value_name = "DIR")]
    pub(crate) corpus: Option<PathBuf>,

    /// Messages to replay
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub(crate) messages: u32,

    /// Folder to leave everything in [default: a new one among the temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
