//! What can go wrong for the person in front of the client: what is wrong, and what to do next.
//!
//! Never content, keys, links or recipients: these sentences end up in terminals, logs and bug reports.

use core::fmt;

use waxwing_core::Hash;
use waxwing_core::follow::FollowError;
use waxwing_core::keys::NodeId;
use waxwing_seal::content::TooLong;
use waxwing_seal::group::{GroupError, JoinError, KeyPackageFault};
use waxwing_seal::inbox::PostError;
use waxwing_seal::{LinkError, SealError};

use crate::account::{AccountError, ContactError};
use crate::files::FileError;
use crate::inbox::AddError;
use crate::mention::Candidate;
use crate::message::ChannelId;
use crate::nodes::Fault;
use crate::store::StoreError;
use crate::store::backup::BackupError;
use crate::store::home::HomeError;

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The home cannot be used.
    Home(HomeError),
    /// The store failed.
    Store(StoreError),
    /// Something about the account was not done.
    Account(AccountError),
    /// Something about a person was not done.
    Contact(ContactError),
    /// A file was not sent, or not saved.
    File(FileError),
    /// The link is not an invitation.
    Link(LinkError),
    /// The text is too long.
    TooLong(TooLong),
    /// The message cannot be sealed.
    Seal(SealError),
    /// This home does not know that ledger.
    UnknownNetwork(Hash),
    /// There is no such conversation here.
    UnknownChannel,
    /// Several conversations could be meant: these.
    SeveralChannels(Vec<ChannelId>),
    /// There is no such message here.
    UnknownMessage,
    /// Several messages could be meant: those with these indices, and perhaps some that have none yet.
    SeveralMessages(Vec<u64>),
    /// There are too many conversations in this home.
    TooManyChannels,
    /// The group cannot do that.
    Group(GroupError),
    /// The key package cannot be used.
    KeyPackage(KeyPackageFault),
    /// The welcome leads nowhere.
    Welcome(JoinError),
    /// Nothing can be put into that inbox.
    Post(PostError),
    /// Nobody was asked, or nobody answered as hoped.
    Ask(AskError),
    /// Somebody who is known cannot be added.
    Add(AddError),
    /// The conversation has no group: everybody with its link is in.
    NoGroup,
    /// That account, or this device, is not in the group.
    NotAMember,
    /// Only an admin can do that.
    NotAnAdmin,
    /// No admin would be left.
    NoAdmin,
    /// The conversation came out of a backup: nothing can be said in it.
    Archived,
    /// Something about a backup was not done.
    Backup(BackupError),
    /// The message is not final yet.
    NotFinal,
    /// The message did not become final in the time that was given. It stays in the outbox.
    StillWaiting,
    /// Only the device that wrote a message can do that.
    NotOwn,
    /// The message is not one that can be erased.
    NotErasable,
    /// The message was only told by a member.
    OnlyTold,
    /// A conversation of two people has no newcomers.
    NoNewcomers,
    /// There is no such rule about what newcomers are told.
    NoSuchRule,
    /// No reader would show what was to be said.
    NotSaid(NotSaid),
    /// A name behind an `@` could mean several members, or looks like one's and is not.
    Ambiguous(Vec<Candidate>),
    /// What is looked for has no letter and no digit.
    NothingToFind,
    /// This home has not changed so often.
    NoSuchChange {
        /// The number of its newest change.
        newest: i64,
    },
    /// Something of that conversation is still on its way.
    UnderWay {
        /// Own messages that are not final.
        messages: u64,
        /// Erasures that no node has confirmed.
        erasures: u64,
    },
    /// The message did not fail, so that there is nothing to try again.
    NotFailed,
    /// Two final blocks at one height were seen: nothing is believed or sent on this ledger any more.
    Forked {
        /// The height.
        height: u64,
    },
    /// The head that is held is too old to start from, or the clock is far ahead.
    NeedsPin,
    /// The committee has changed numbers that this version knows only from the founding.
    NeedsUpdate,
    /// The invitation names a block that is not in the history that this home has checked.
    OtherHistory {
        /// Height of that block.
        height: u64,
    },
    /// No node is known for the ledger.
    NoNodes,
    /// No node served. The faults in the order in which they happened.
    NobodyServed(Vec<(NodeId, Fault)>),
    /// The program could not open a socket.
    NoSocket(std::io::ErrorKind),
}

// The longer sentences stand by themselves, so that the table below stays one: a fault, and what is said about it.

const UNKNOWN_CHANNEL: &str = "no conversation is called that: list them, and use the name, number or id of one";
const UNKNOWN_MESSAGE: &str = "no message is called that: read the conversation, and use the index or id of one";
const TOO_MANY_CHANNELS: &str = "this home has as many conversations as it can follow: make another home";
const ARCHIVED: &str = "this conversation came out of a backup and can only be read: ask a member for an invitation to \
                        speak again";
const STILL_WAITING: &str = "the message is not final yet; it stays in the outbox and is sent whenever the client runs";
const NEEDS_PIN: &str = "the last checked block is more than 30 days old, or this device's clock is far ahead: check the \
                         clock, else ask a member for a new invitation";
const NEEDS_UPDATE: &str = "the network has changed its rules since its founding: update this program to send";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Home(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Account(error) => error.fmt(f),
            Self::Contact(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
            Self::Link(error) => error.fmt(f),
            Self::TooLong(error) => error.fmt(f),
            Self::Seal(error) => error.fmt(f),
            Self::UnknownNetwork(network) => unknown_network(f, *network),
            Self::UnknownChannel => f.write_str(UNKNOWN_CHANNEL),
            Self::SeveralChannels(channels) => several_channels(f, channels),
            Self::UnknownMessage => f.write_str(UNKNOWN_MESSAGE),
            Self::SeveralMessages(indices) => several_messages(f, indices),
            Self::TooManyChannels => f.write_str(TOO_MANY_CHANNELS),
            Self::Group(error) => error.fmt(f),
            Self::KeyPackage(error) => error.fmt(f),
            Self::Welcome(error) => error.fmt(f),
            Self::Post(error) => error.fmt(f),
            Self::Ask(error) => error.fmt(f),
            Self::Add(error) => error.fmt(f),
            Self::NoGroup => f.write_str("that conversation has no members: everybody with its link is in"),
            Self::NotAMember => f.write_str("not in that group: ask one of its members to be added"),
            Self::NotAnAdmin => f.write_str("only an admin of the group can do that: ask one"),
            Self::NoAdmin => f.write_str("the group would have no admin any more: appoint somebody else first"),
            Self::Archived => f.write_str(ARCHIVED),
            Self::Backup(error) => error.fmt(f),
            Self::NotFinal => f.write_str("the message is not final yet: wait for it, or look at why it is not"),
            Self::StillWaiting => f.write_str(STILL_WAITING),
            Self::NotOwn => f.write_str("this device did not write that message: ask the one that did"),
            Self::OnlyTold => f.write_str(
                "that message is from before you came, as a member tells it: nothing of it is proven, so there is no receipt",
            ),
            Self::NoNewcomers => {
                f.write_str("a conversation of two people has no newcomers: what they said is told to nobody")
            }
            Self::NoSuchRule => f.write_str("newcomers can be told nothing, all, or 1 to 3650 days"),
            Self::NotErasable => f.write_str("that message cannot be erased: it is a tombstone, or was made to stay"),
            Self::NotSaid(refusal) => refusal.fmt(f),
            Self::Ambiguous(candidates) => ambiguous(f, candidates),
            Self::NothingToFind => f.write_str("words are found by their letters and digits: type some"),
            Self::NoSuchChange { newest } => no_such_change(f, *newest),
            Self::UnderWay { messages, erasures } => under_way(f, *messages, *erasures),
            Self::NotFailed => f.write_str("the message did not fail: it is on its way, or final"),
            Self::Forked { height } => forked(f, *height),
            Self::NeedsPin => f.write_str(NEEDS_PIN),
            Self::NeedsUpdate => f.write_str(NEEDS_UPDATE),
            Self::OtherHistory { height } => other_history(f, *height),
            Self::NoNodes => f.write_str("no node of this network is known: add one by its address and key"),
            Self::NobodyServed(faults) => nobody_served(f, faults),
            Self::NoSocket(kind) => write!(f, "no network socket can be opened ({kind}): check the system's limits"),
        }
    }
}

fn unknown_network(f: &mut fmt::Formatter<'_>, network: Hash) -> fmt::Result {
    write!(
        f,
        "this home does not know the network {network}: join it by an invitation, or name its genesis and a node"
    )
}

fn forked(f: &mut fmt::Formatter<'_>, height: u64) -> fmt::Result {
    write!(
        f,
        "two final blocks at height {height} were seen: nothing is sent or believed on this network any more; keep the \
         evidence and talk to its operators"
    )
}

fn other_history(f: &mut fmt::Formatter<'_>, height: u64) -> fmt::Result {
    write!(
        f,
        "the invitation names a block at height {height} that is not in the history this home has checked: one of you was \
         shown a fork; compare with the inviter in person"
    )
}

fn several_channels(f: &mut fmt::Formatter<'_>, channels: &[ChannelId]) -> fmt::Result {
    f.write_str("several conversations are called that: use the number of one, ")?;
    one_of(f, channels.iter().map(|channel| channel.0))
}

fn ambiguous(f: &mut fmt::Formatter<'_>, candidates: &[Candidate]) -> fmt::Result {
    let names: Vec<String> = candidates.iter().map(ToString::to_string).collect();
    write!(
        f,
        "the name behind the @ could mean more than one, or only looks like somebody's: say who is meant by typing {}",
        names.join(" or ")
    )
}

fn several_messages(f: &mut fmt::Formatter<'_>, indices: &[u64]) -> fmt::Result {
    f.write_str("several messages are called that: use more digits of the id")?;
    if indices.is_empty() {
        return Ok(());
    }
    f.write_str(", or an index: ")?;
    one_of(f, indices.iter())
}

/// `1, 2 or 3`.
fn one_of(f: &mut fmt::Formatter<'_>, numbers: impl ExactSizeIterator<Item: fmt::Display>) -> fmt::Result {
    let last = numbers.len().saturating_sub(1);
    for (place, number) in numbers.enumerate() {
        let before = match place {
            0 => "",
            place if place == last => " or ",
            _ => ", ",
        };
        write!(f, "{before}{number}")?;
    }
    Ok(())
}

fn no_such_change(f: &mut fmt::Formatter<'_>, newest: i64) -> fmt::Result {
    write!(
        f,
        "the newest change of this home is {newest}: that number comes from another home, or this one was put back from \
         a copy; read it from its beginning"
    )
}

fn under_way(f: &mut fmt::Formatter<'_>, messages: u64, erasures: u64) -> fmt::Result {
    write!(
        f,
        "of this conversation {messages} own messages are not final and {erasures} erasures not confirmed: connect \
         until they are, or say that they are to be dropped"
    )
}

fn nobody_served(f: &mut fmt::Formatter<'_>, faults: &[(NodeId, Fault)]) -> fmt::Result {
    f.write_str("no node served")?;
    for (node, fault) in faults {
        let name = node.to_string();
        write!(f, "; {}: {fault}", name.get(..8).unwrap_or(&name))?;
    }
    f.write_str(". Check the network connection, or add another node")
}

impl core::error::Error for Error {}

/// Why something is not said: no reader would show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotSaid {
    /// There are no words in it.
    Empty,
    /// Nothing can be said about that message: it does not open, was taken back, or was erased.
    NothingThere,
    /// That message does something to another one, and has no words of its own.
    NotWords,
    /// This device has reacted so already.
    SameReaction,
    /// This device has not reacted so.
    NoReaction,
    /// It means more people at once than a message can.
    TooManyMentions,
}

impl fmt::Display for NotSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty: say something",
            Self::NothingThere => {
                "nothing is there to be answered or changed: that message does not open, was taken back, or was erased"
            }
            Self::NotWords => "that is a reaction, an edit or a retraction: name the message that it is about instead",
            Self::SameReaction => "this device has reacted so already: take that back, or react otherwise",
            Self::TooManyMentions => {
                "it means more people at once than a message can: leave out the @ before some of them"
            }
            Self::NoReaction => "this device has not reacted so: look at the reactions below the message",
        })
    }
}

/// Why nobody was asked to let this person in, or nobody answered as hoped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskError {
    /// The link takes in a new device, and is no invitation.
    DeviceLink,
    /// The invitation is this person's own.
    OwnInvitation,
    /// The time of the invitation has passed.
    InvitationOver,
    /// Somebody else than the one who was asked let this device in.
    WelcomedByAnother,
    /// No such invitation lets anybody in.
    UnknownInvitation,
    /// There is no such request that waits.
    UnknownRequest,
    /// The request was not answered in the time that was given. It stays.
    StillAsking,
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeviceLink => "this link takes a new device into an account: use it where devices are linked",
            Self::OwnInvitation => "this invitation is your own: hand it to somebody else",
            Self::InvitationOver => "the time of this invitation has passed: ask for a new one",
            Self::WelcomedByAnother => {
                "somebody else than who sent the invitation answered it: ask for a new one"
            }
            Self::UnknownInvitation => "no such invitation lets anybody in any more: list them",
            Self::UnknownRequest => "no such request waits for an answer: list them",
            Self::StillAsking => {
                "the request is not answered yet; it stays, and the answer is taken whenever the client runs: the other has \
                 to be connected, or to say yes"
            }
        })
    }
}

macro_rules! wraps {
    ($($from:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$from> for Error {
            fn from(error: $from) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}

wraps! {
    HomeError => Home,
    StoreError => Store,
    AccountError => Account,
    ContactError => Contact,
    FileError => File,
    LinkError => Link,
    TooLong => TooLong,
    SealError => Seal,
    NotSaid => NotSaid,
    AskError => Ask,
    AddError => Add,
}

/// What stops work with one node: the node, or this client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The node's fault: another one may serve.
    Node(Fault),
    /// Nothing that another node could change.
    Here(Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Head(FollowError::Fork(evidence)) => Self::Here(Error::Forked {
                height: evidence.height(),
            }),
            Fault::Head(FollowError::NeedsPin) => Self::Here(Error::NeedsPin),
            fault => Self::Node(fault),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Here(Error::Store(error))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}
