//! What can go wrong with a file: what is wrong, and what to do next. Never a name from others, never content.

use core::fmt;
use std::io;

use waxwing_core::keys::NodeId;
use waxwing_net::wire::Refusal;
use waxwing_seal::file::PieceError;

use crate::nodes::Fault;

/// Why a file was not sent or saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileError {
    /// The system does not let it be read.
    Read(io::ErrorKind),
    /// The system does not let it be written.
    Write(io::ErrorKind),
    /// What is to be sent is a folder, a pipe or a device.
    NoFile,
    /// Larger than any attachment.
    TooLarge,
    /// It changes while it is being sent.
    Changes,
    /// Another program has sent the same file meanwhile.
    SentElsewhere,
    /// No node takes it. Why not, node by node.
    NobodyKeeps(Vec<(NodeId, Fault)>),
    /// The message hands over no file.
    NoAttachment,
    /// The sender took it back, it was erased, or the message has had its time.
    TakenBack,
    /// No node that is known has it any more, or says so.
    NobodyHas {
        /// Until when it was to be kept, ms since 1970; 0 if no end was named.
        kept_until_ms: u64,
        /// Whether that is over.
        is_over: bool,
        /// What else went wrong, node by node.
        faults: Vec<(NodeId, Fault)>,
    },
    /// What its sender sealed is not what its manifest says.
    Unsound(PieceError),
    /// Every piece is in its place, and the whole has another hash than its manifest says.
    WrongHash,
    /// There is something at the place where it was to be saved.
    Exists,
    /// Another program is saving it to the same place.
    BeingSaved,
    /// Whoever wanted it is gone.
    GivenUp,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(kind) => write!(f, "the file cannot be read ({kind})"),
            Self::Write(kind) => write!(
                f,
                "the file cannot be written ({kind}): check the folder and the free space"
            ),
            Self::NoFile => f.write_str("that is no file: folders are sent as an archive, for example made with tar"),
            Self::TooLarge => f.write_str("the file is larger than any attachment can be: cut it into several"),
            Self::Changes => f.write_str("the file changes while it is being sent: send a copy of it"),
            Self::SentElsewhere => {
                f.write_str("another program on this device has just sent the same file to the same conversation")
            }
            Self::NobodyKeeps(faults) => {
                f.write_str("no node takes the file")?;
                nodes(f, faults)?;
                f.write_str(". Add a node that keeps attachments, or send something smaller")
            }
            Self::NoAttachment => f.write_str("that message hands over no file"),
            Self::TakenBack => f.write_str("the file was taken back by its sender, or its message has had its time"),
            Self::NobodyHas { is_over, faults, .. } => {
                f.write_str(if *is_over {
                    "the file was to be kept until a time that has passed, and no known node has it any more: ask its sender \
                     to send it again"
                } else {
                    "no known node has the file: try again later, add the node that its sender uses, or ask for it to be sent \
                     again"
                })?;
                nodes(f, faults)
            }
            Self::Unsound(error) => write!(
                f,
                "the file was not sealed as its message says ({error}): ask its sender"
            ),
            Self::WrongHash => {
                f.write_str("the file is not the one that its message names: nothing was saved; ask its sender")
            }
            Self::Exists => {
                f.write_str("there is a file at that place, and it is not overwritten: choose another place")
            }
            Self::BeingSaved => f.write_str("another program is saving that file to the same place"),
            Self::GivenUp => f.write_str("it was given up"),
        }
    }
}

fn nodes(f: &mut fmt::Formatter<'_>, faults: &[(NodeId, Fault)]) -> fmt::Result {
    for (node, fault) in faults {
        let name = node.to_string();
        let short = name.get(..8).unwrap_or(&name);
        match fault {
            // Judged here by the node's terms: it was not asked, and named no time.
            Fault::Refused(Refusal::ChunksFull { retry_after_ms: 0 }) => {
                write!(f, "; {short}: the file is larger than what is free there")?;
            }
            fault => write!(f, "; {short}: {fault}")?,
        }
    }
    Ok(())
}

impl core::error::Error for FileError {}

impl FileError {
    pub(super) fn reading(error: &io::Error) -> Self {
        match error.kind() {
            // Shorter than it was: a read that was to be whole was not.
            io::ErrorKind::UnexpectedEof => Self::Changes,
            kind => Self::Read(kind),
        }
    }

    pub(super) fn writing(error: &io::Error) -> Self {
        Self::Write(error.kind())
    }
}
