//! How two people get together: links, and the inboxes that they lead to.
//!
//! ```text
//! Ada                                                        Bob
//! makes an inbox: seed, key pair
//! posts its opening, signed by her device ──> [Ada's inbox]
//! hands Bob a link: network, head, nodes; her account, the seed
//!                                             [Ada's inbox] <── reads the opening that her account signed
//!                                             [Ada's inbox] <── asks: certificate, name, note, key package,
//!                                                               and an inbox of his own for the answer
//! reads the request, consents, adds him to a group
//! sends the welcome, in parts ──────────────> [Bob's inbox] ──> joins
//! ```
//!
//! Inboxes are logs like all others. Whoever has the seed of one may write on it, since the seed is its key. What is
//! written is sealed to the owner, so that a link that went through many hands shows nobody who else used it. The answer
//! goes to a log that only the two know, and that nobody can link to the first by its keys.
//!
//! Said plainly: whoever has a link can use it up. It shows that somebody posts, when, and in what size. What was asked can
//! be read for as long as its owner keeps the key: it is deleted with the inbox. The account in a link and the name in it
//! are as trustworthy as the way the link came; the opening proves that it is that account's, and that its device was
//! certified, not that it was never revoked since: that stands on the card, if the opening names it.
//!
//! Read in this order: `key`, `opening`, `post`, `body`, [`link`], `door`, `state`, `requests`, `answers`, `welcome`,
//! `device`, `recipient`, `own`, `void`. `// SPEC 28`

mod answers;
mod body;
mod device;
mod door;
mod key;
pub mod limits;
pub mod link;
pub mod opening;
mod own;
pub mod post;
mod recipient;
mod requests;
mod state;
mod void;
mod welcome;

pub use body::Mail;
pub use device::Offered;
pub use door::{Asking, Door, OpenDevice, OpenInbox, Opened};
pub use key::{InboxAddress, InboxKey, InboxPublic, InboxSeed};
pub use link::{DeviceLink, Link, PersonLink};
pub use opening::{Purpose, Terms, Uses};
pub use post::{Handed, Note, Post, Reason, Request};
pub use recipient::{Recipient, Taken};
pub use state::{Event, Inbox};
pub use void::{PostError, Void};
pub use welcome::{CommitPlace, WholeWelcome};

#[cfg(test)]
mod tests;
