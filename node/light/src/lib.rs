//! The light client: what a person's device knows, proves and says.
//!
//! It seals and opens messages, checks order, integrity, completeness and freshness of its conversations with proofs of
//! about two kilobytes, and believes no node. Whoever wants to know how a message becomes `final`:
//!
//! ```text
//! client.send ──> sealed, durable            [`Client::send`], store/outbox.rs
//!             ──> signed under an anchor, durable ──> nodes      deliver.rs, outbox.rs (what is due, pure)
//! head proof  ──> held, in one transaction   trust.rs
//!             ──> entries recomputed to the proven root          sync.rs
//!             ──> opened in certified order, stored: `final`     open.rs
//! ```
//!
//! [`Client`] is all that a program needs; what it hands out can be printed as JSON. Texts of others are hostile
//! until they went through `waxwing_seal::display`. The folder's README lists what is guaranteed, what is never done
//! here, and why things are as they are.

mod about;
mod account;
mod backup;
mod chance;
mod chat;
mod client;
mod clock;
mod conversations;
mod core;
mod deliver;
mod doubt;
mod error;
mod files;
mod forget;
mod groups;
mod history;
mod inbox;
mod join;
pub mod limits;
mod mention;
mod message;
mod nodes;
mod open;
mod others;
mod outbox;
mod parting;
mod peer;
mod reach;
mod receipt;
mod search;
mod status;
mod store;
mod sync;
mod tail;
mod telling;
mod trust;
mod views;
mod why;
mod worker;

pub use about::Erasure;
pub use account::{
    Account, AccountError, Consent, ContactDetail, ContactDevice, ContactError, ContactId, ContactKeys, ContactView,
    KeyChange, LinkingView, OfferView, OwnDevice, OwnDevices, Root, Standstill,
};
pub use chat::{Draft, Range};
pub use client::{Client, Options, Served};
pub use clock::{Clock, ClockVerdict};
pub use conversations::Joined;
pub use error::{AskError, Error, NotSaid};
pub use files::{Attached, Attachment, AttachmentView, Destination, FileError, Offer, Progress, Report, Stage};
pub use forget::{Forgotten, UnderWay};
pub use groups::event::{Event, KeyNews, MemberId};
pub use groups::{GroupView, MemberView};
pub use history::ToldView;
pub use inbox::{AddError, Adding, AskedView, InvitationView, Invited, InvitesView, Inviting, RequestView};
pub use limits::Pace;
pub use mention::{Candidate, MentionView};
pub use message::{
    Author, BodyKind, ChannelId, ChannelView, Exception, Ladder, MessageId, MessageView, Quote, Reaction,
};
pub use nodes::{Fault, Severity, Standing};
pub use reach::{Manners, MemberReach, ReachView};
pub use receipt::Receipted;
pub use search::{Hit, Query};
pub use status::{Age, FaultView, NetworkView, NodeView};
pub use store::StoreError;
pub use store::backup::{BackupError, Counts};
pub use store::home::HomeError;
pub use store::inboxes::{AskedState, RequestState};
pub use store::key::{Cost, Passphrase};
pub use store::linkings::LinkingState;
pub use store::manners::Seen;
pub use tail::{Change, Tail};
pub use waxwing_seal::group::HistoryRule;
pub use waxwing_seal::inbox::Uses;
pub use why::{Check, Finding, Said, Why};

#[cfg(test)]
mod tests;
