//! `waxwing dev`: a whole network on this machine; break it on purpose.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::node::RunNode;

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Dev {
    /// Run a network on this machine until interrupted: validators and followers, on loopback
    Up {
        /// Validators, which order: of 4 one may fail or lie
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        validators: u16,

        /// Followers beside them, which copy and serve
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        followers: u16,

        /// Folder for the network, kept and taken up again the next time [default: dev in --home]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },

    /// Show everything once: a real conversation, sealed, ordered by four validators, proven; one of them killed, one of
    /// them lying; a history tampered with
    Demo(Demo),

    /// Run a validator that lies, to see it caught: wherever it votes, it votes for two blocks
    ///
    /// In everything else it is the node that `waxwing node run` starts, which cannot be told to do this. Its two votes
    /// are evidence, for ever, for everybody who sees them: run it only with a key that is good for nothing else, in a
    /// network of your own.
    Liar(RunNode),

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
