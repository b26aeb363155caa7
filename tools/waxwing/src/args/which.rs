//! The message that a verb is about: the same words for every verb.

use clap::Args;

/// A message, named by one word or two.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// The message: CHANNEL#ENTRY, CHANNEL ENTRY, or its id, as `send` and `read --proofs` print them
    #[arg(required = true, num_args = 1..=2)]
    pub(crate) message: Vec<String>,
}

/// A message, and words about it.
#[derive(Args, Debug)]
pub(crate) struct WhichAndText {
    /// The message: CHANNEL#ENTRY, CHANNEL ENTRY, or its id, as `send` and `read --proofs` print them
    pub(crate) message: String,

    /// What to say, all of it; `-` reads it from standard input
    #[arg(required = true, num_args = 1..)]
    pub(crate) text: Vec<String>,
}
