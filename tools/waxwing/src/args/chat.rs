//! `waxwing chat`: channels and messages of a person, on this device.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::attach::FileVerb;
use super::groups::GroupVerb;
use super::manners::MannerVerb;
use super::which::{Which, WhichAndText};
use super::who::WhoVerb;

/// `waxwing chat`.
#[derive(Args, Debug)]
#[command(after_help = "Without a command, a screen opens in the terminal; F1 lists its keys.")]
pub(crate) struct Chat {
    /// File with the passphrase that opens this device's messages; `-` for standard input [default: asked for on a
    /// terminal]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "WAXWING_PASSPHRASE_FILE",
        hide_env_values = true
    )]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// Which of several accounts in this home: each has a passphrase, device and 24 words of its own
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "WAXWING_PROFILE",
        hide_env_values = true
    )]
    pub(crate) profile: Option<String>,

    /// Without a verb: lines in, lines out, for screen readers, instead of the screen
    #[arg(long)]
    pub(crate) plain: bool,

    #[command(subcommand)]
    pub(crate) verb: Option<ChatVerb>,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum ChatVerb {
    /// Open a new channel on a network
    ///
    /// Others come in by invitations. What is said is sealed for those who are in at that moment, with keys that are
    /// forgotten once they were used.
    New(NewChannel),

    #[command(flatten)]
    Group(GroupVerb),

    /// List the channels of this device
    Channels,

    #[command(flatten)]
    Say(SayVerb),

    #[command(flatten)]
    File(FileVerb),

    /// Fetch what is new, check it, and print the conversation
    Read {
        /// The channel: its name, number or id [default: the only one]
        channel: Option<String>,

        /// The newest so many messages
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        last: u32,

        /// Show where each message stands in the ledger
        #[arg(long)]
        proofs: bool,

        /// Only what is on this device; connect to nobody
        #[arg(long)]
        offline: bool,

        /// Leave it unread: nothing counts as shown
        #[arg(long)]
        peek: bool,

        /// Show what people whom you blocked say as well
        #[arg(long)]
        blocked: bool,
    },

    /// Print messages as they become final, until interrupted; with --json every change
    ///
    /// With --json each line is one change: a new message, reaction, edit or retraction, or a further step of one on its
    /// way. `change` numbers them, ever upwards; --after goes on behind the last one that was read, so that nothing is
    /// missed and nothing comes twice. Where two final blocks of one height are met, it says so in a line of its own and
    /// ends with exit code 30.
    Tail(TailChannel),

    /// Find messages on this device by their words; connects to nobody
    Search(SearchMessages),

    #[command(flatten)]
    Keep(KeepVerb),

    #[command(flatten)]
    Manner(MannerVerb),

    #[command(flatten)]
    Who(WhoVerb),

    #[command(flatten)]
    Proof(ProofVerb),
}

/// The verbs about what is proven.
#[derive(Subcommand, Debug)]
pub(crate) enum ProofVerb {
    /// List every check behind a message, and those that were not made
    Why {
        #[command(flatten)]
        which: Which,
    },

    /// Write the evidence that this device has met, each piece as a file that anybody can check
    ///
    /// Where two different blocks of one height were certified, this device stopped believing that network, and keeps
    /// both of them.
    Evidence {
        /// Folder for the files [default: the current one]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },

    /// Fetch a message's receipt: it convinces anybody, offline, that it is final and where it stands
    Receipt {
        #[command(flatten)]
        which: Which,

        /// Where to write it; `-` for standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// The verbs that say something.
#[derive(Subcommand, Debug)]
pub(crate) enum SayVerb {
    /// Send a message, and wait until it is final
    Send(SendMessage),

    /// Answer a message
    Reply(Reply),

    /// React to a message with an emoji, or take a reaction back
    React(React),

    /// Put other words in the place of a message that you wrote on this device
    Edit(EditMessage),

    /// Take a message back that you wrote on this device: readers are asked to forget it
    Retract(Retract),
}

/// How long to wait for what was said.
#[derive(Args, Debug)]
pub(crate) struct Waiting {
    /// Do not wait: it is queued on this device and goes out with the next command that connects
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Give up waiting after so many seconds; the message stays queued
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,
}

/// `waxwing chat send`.
#[derive(Args, Debug)]
pub(crate) struct SendMessage {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// The message; `-` reads it from standard input
    #[arg(required = true, num_args = 1..)]
    pub(crate) text: Vec<String>,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `waxwing chat reply`.
#[derive(Args, Debug)]
pub(crate) struct Reply {
    #[command(flatten)]
    pub(crate) said: WhichAndText,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `waxwing chat react`.
#[derive(Args, Debug)]
pub(crate) struct React {
    #[command(flatten)]
    pub(crate) which: Which,

    /// An emoji, or a few letters
    pub(crate) emoji: String,

    /// Take the reaction back
    #[arg(long)]
    pub(crate) take_back: bool,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `waxwing chat search`.
#[derive(Args, Debug)]
pub(crate) struct SearchMessages {
    /// Words that all occur, each from its beginning: `ros` finds roses. Quoted together they follow each other
    #[arg(required = true, num_args = 1..)]
    pub(crate) words: Vec<String>,

    /// In this channel only: its name, number or id
    #[arg(long)]
    pub(crate) channel: Option<String>,

    /// The newest so many messages
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) last: u32,
}

/// `waxwing chat tail`.
#[derive(Args, Debug)]
pub(crate) struct TailChannel {
    /// The channel: its name, number or id [default: the only one]
    pub(crate) channel: Option<String>,

    /// Begin with the newest so many messages
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(crate) last: u32,

    /// Begin behind this change instead; 0 begins with the first
    #[arg(long, value_name = "CHANGE", conflicts_with = "last", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) after: Option<i64>,

    /// Show where each message stands in the ledger
    #[arg(long)]
    pub(crate) proofs: bool,

    /// Show what people whom you blocked say as well
    #[arg(long)]
    pub(crate) blocked: bool,
}

/// The verbs about what this device keeps.
#[derive(Subcommand, Debug)]
pub(crate) enum KeepVerb {
    /// Write a conversation into a file that says what is proven about it; connects to nobody
    Export(ExportChannel),

    /// Leave a channel and forget it: its secret, its messages, and what was not sent yet
    Forget(ForgetChannel),

    /// Write what was said and who is known into one encrypted file; no key is in it
    Backup(BackUp),

    /// Take what is not here yet out of a backup: conversations can then be read, and joined anew
    Restore(BackUp),

    /// Change the passphrase that opens this device's messages
    Passphrase(ChangePassphrase),

    /// Show the name that members see with your messages, or change it
    Name {
        /// The new name; members see it with your next messages
        name: Option<String>,
    },
}

/// `waxwing chat forget`.
#[derive(Args, Debug)]
pub(crate) struct ForgetChannel {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// Even if own messages are not final yet: those that no node has will never be sent
    #[arg(long)]
    pub(crate) drop_waiting: bool,
}

/// `waxwing chat backup` and `waxwing chat restore`.
#[derive(Args, Debug)]
pub(crate) struct BackUp {
    /// The file
    pub(crate) file: PathBuf,

    /// File with the passphrase of the backup; `-` for standard input [default: asked for on a terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) backup_passphrase_file: Option<PathBuf>,
}

/// `waxwing chat passphrase`.
#[derive(Args, Debug)]
pub(crate) struct ChangePassphrase {
    /// File with the new passphrase; `-` for standard input [default: asked for twice on a terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
}

/// `waxwing chat export`.
#[derive(Args, Debug)]
pub(crate) struct ExportChannel {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// JSON for programs, or a page to read and print
    #[arg(long, value_name = "json|html", hide_possible_values = true)]
    pub(crate) format: ExportFormat,

    /// The file to write, in plaintext; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Forms of a conversation in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ExportFormat {
    /// `waxwing.transcript/1`.
    Json,
    /// One page, without script.
    Html,
}

/// `waxwing chat edit`.
#[derive(Args, Debug)]
pub(crate) struct EditMessage {
    #[command(flatten)]
    pub(crate) said: WhichAndText,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `waxwing chat retract`.
#[derive(Args, Debug)]
pub(crate) struct Retract {
    #[command(flatten)]
    pub(crate) which: Which,

    /// Have the nodes drop its sealed body as well, and those of its edits
    #[arg(long)]
    pub(crate) erase: bool,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `waxwing chat new`.
#[derive(Args, Debug)]
pub(crate) struct NewChannel {
    /// What the channel is called
    #[arg(required_unless_present = "called")]
    pub(crate) name: Option<String>,

    /// The same, as an option
    #[arg(long = "name", value_name = "NAME", conflicts_with = "name")]
    pub(crate) called: Option<String>,

    /// Without members: everybody with its link is in, from its beginning, and stays in; there is no forward secrecy
    #[arg(long)]
    pub(crate) by_link: bool,

    /// Genesis of the network [default: the one in --home]
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: Option<PathBuf>,

    /// A node of the network, as it prints its address; may stand several times [default: the node that runs in --home]
    #[arg(long, value_name = "KEY@HOST:PORT")]
    pub(crate) node: Vec<String>,

    /// What members see as your name
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) member: Option<String>,
}
