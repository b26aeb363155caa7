//! `waxwing chat account|contact|verify ...`: who this person is, and who the others are.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The verbs about who somebody is.
#[derive(Subcommand, Debug)]
pub(crate) enum WhoVerb {
    /// Whose device this is, and the 24 words behind it
    #[command(subcommand)]
    Account(AccountVerb),

    /// List the accounts of this home, each a profile of its own
    Accounts,

    /// List the devices that speak for this account on a network, or change which ones do
    Devices(Devices),

    /// Take a further device into this account; or, without a link, show one to be taken into an account
    ///
    /// The new device shows a link and then who offers; a device of the account, with its 24 words, takes the link. The words
    /// never leave it.
    Link(LinkDevice),

    /// Make a new device of an account that there was before, from its 24 words
    ///
    /// The device is new: it reads what is said from now on, once members let it in. Channels and messages of the old
    /// devices come back from a backup, never from the words.
    Recover(RecoverAccount),

    /// List the people this device knows
    Contacts,

    /// One person: names, keys, whether they are blocked
    #[command(subcommand)]
    Contact(ContactVerb),

    /// Compare with a person, so that nobody stands between you
    ///
    /// Both run this. Read the digits to each other over a telephone, look at both screens side by side, or scan each
    /// other's code. On a terminal the answer is asked for below them. What matches is noted; from then on a change that no
    /// sound account can bring about stops the sending to them. What does not match is noted as well.
    Verify(VerifyContact),

    /// Block a person and note why, on this device; nobody is told
    Report {
        /// The person: their name, number or account
        contact: String,

        /// Why, for yourself; `-` reads it from standard input
        #[arg(required = true, num_args = 1..)]
        why: Vec<String>,
    },
}

/// `waxwing chat account`.
#[derive(Subcommand, Debug)]
pub(crate) enum AccountVerb {
    /// Show the account, this device, and whether the 24 words are in this home
    Show,

    /// Show the 24 words: whoever has them is this account
    Phrase {
        /// Even if standard output is no terminal
        #[arg(long)]
        print: bool,
    },

    /// Ask for the 24 words and compare them, to see whether the paper is right
    Check(Words),

    /// Remove the 24 words from this home, once they are written down
    ForgetRoot(Words),

    /// Keep the 24 words in this home again
    RestoreRoot(Words),
}

/// `waxwing chat devices`.
#[derive(Args, Debug)]
pub(crate) struct Devices {
    /// The network: its name or id [default: the only one]
    #[arg(long, global = true)]
    pub(crate) network: Option<String>,

    /// Give up waiting after so many seconds; what was said stays queued
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,

    /// Only what is on this device; connect to nobody
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(subcommand)]
    pub(crate) verb: Option<DevicesVerb>,
}

/// `waxwing chat devices publish` and what follows.
#[derive(Subcommand, Debug)]
pub(crate) enum DevicesVerb {
    /// Publish the account on the network, for contacts alone to read: its card begins, with this device on it
    Publish,

    /// Suspend another device that may be lost, until the 24 words lift it
    Suspend {
        /// The device: its name or id
        device: String,
    },

    /// Lift a suspension; takes the 24 words
    Lift {
        /// The device: its name or id
        device: String,

        #[command(flatten)]
        words: Words,
    },

    /// Call a device something else, for everybody who knows this account; takes the 24 words
    Rename {
        /// The device: its name or id
        device: String,

        /// The new name; an empty one is none
        name: String,

        #[command(flatten)]
        words: Words,
    },

    /// Revoke a device for ever; takes the 24 words. The devices that stay go on by themselves
    Revoke {
        /// The device: its name or id
        device: String,

        #[command(flatten)]
        words: Words,
    },
}

/// `waxwing chat link`.
#[derive(Args, Debug)]
pub(crate) struct LinkDevice {
    /// On a device of the account: the link that the new one shows; `-` reads it from standard input
    #[arg(conflicts_with_all = ["genesis", "node", "name", "account", "qr"])]
    pub(crate) link: Option<String>,

    /// On the new device: genesis of the network [default: the one in --home, or the only one it knows]
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: Option<PathBuf>,

    /// On the new device: a node of the network, as it prints its address; may stand several times
    #[arg(long, value_name = "KEY@HOST:PORT")]
    pub(crate) node: Vec<String>,

    /// On the new device: what members see as your name
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// On the new device: what to call it among your devices; all members of your channels see that
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) device: String,

    /// On the new device: the account that it is for; agrees to its offer without asking
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,

    /// On the new device: the link as a QR code as well
    #[arg(long)]
    pub(crate) qr: bool,

    /// Give up waiting for the other device after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
}

/// Where 24 words come from, if they are not in the home.
#[derive(Args, Debug)]
pub(crate) struct Words {
    /// File with the 24 words; `-` for standard input [default: asked for on a terminal]
    #[arg(long = "words", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `waxwing chat recover`.
#[derive(Args, Debug)]
pub(crate) struct RecoverAccount {
    /// What members see as your name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) words: Words,
}

/// `waxwing chat contact`.
#[derive(Subcommand, Debug)]
pub(crate) enum ContactVerb {
    /// Add a person by their account, as `account show -v` prints it on their device
    Add {
        /// The whole account id
        account: String,

        /// What to call them here
        name: String,
    },

    /// Show a person: keys on each network, and what became of them
    Show {
        /// The person: their name, number or account
        contact: String,
    },

    /// Call a person something else on this device
    Rename {
        /// The person: their name, number or account
        contact: String,

        /// The new name; an empty one is the name that they claim
        name: String,
    },

    /// Agree to hear from a person who asked
    Accept {
        /// The person: their name, number or account
        contact: String,
    },

    /// Block a person on this device; they are not told
    Block {
        /// The person: their name, number or account
        contact: String,
    },

    /// Block a person no more
    Unblock {
        /// The person: their name, number or account
        contact: String,
    },

    /// Forget a person: names, what was compared, what became of their keys
    Forget {
        /// The person: their name, number or account
        contact: String,
    },
}

/// `waxwing chat verify`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("answer"))]
pub(crate) struct VerifyContact {
    /// The person: their name, number or account
    pub(crate) contact: String,

    /// The network that both use: its name or id [default: the only one]
    #[arg(long)]
    pub(crate) network: Option<String>,

    /// Your code as a QR code to be scanned, below the digits
    #[arg(long)]
    pub(crate) qr: bool,

    /// What you scanned from their screen: 146 hexadecimal digits; `-` reads them from standard input
    #[arg(long, value_name = "CODE", group = "answer")]
    pub(crate) scanned: Option<String>,

    /// The 60 digits that they read to you, in quotes
    #[arg(long, value_name = "DIGITS", group = "answer")]
    pub(crate) digits: Option<String>,

    /// You compared the digits or emoji yourself, and all of them are the same
    #[arg(long = "match", group = "answer")]
    pub(crate) matches: bool,

    /// You compared them, and they differ: what had been compared counts no longer
    #[arg(long, group = "answer")]
    pub(crate) differs: bool,

    /// Go on without comparing after their keys changed; what had been compared counts no longer
    #[arg(long, group = "answer")]
    pub(crate) without_comparing: bool,
}
