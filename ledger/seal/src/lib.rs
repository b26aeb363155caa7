//! End-to-end encryption of Waxwing channels: what turns a message into the body of an envelope, and back.
//!
//! ```text
//! layer 4  Content       kind, content id, time, name as claimed, body, erase salt, the writer's view
//! layer 3  GroupEngine   who wrote it, tied to the terms that the envelope states in the open
//! layer 2  outer seal    XChaCha20-Poly1305 over the padded whole: hides everything but a bucket of sizes
//! layer 1  Envelope      what a node sees (waxwing-core)
//! ```
//!
//! A [`group`] has all four layers for each of its epochs: its exporter gives the [`EpochKeys`], the key that *is* the log and
//! the key of the outer seal. A channel that is made from a link alone has one random secret that travels in an
//! [`Invitation`]; [`ChannelSecret::epoch_keys`] turns it into the same two keys, and [`StandIn`] stands in layer 3. Said
//! plainly: there is no forward secrecy in it, names are as claimed, and anybody who has the link is in.
//!
//! Everything here is pure: randomness and stored state are arguments, nothing reads a clock; what the library behind
//! [`group`] does beyond that is said there. What came from other
//! people goes through [`display`] before it meets a screen.
//!
//! Read in this order: [`channel`], [`content`], [`engine`], [`standin`], [`sealer`], [`invitation`], [`display`]; then
//! [`identity`]: who somebody is; then [`group`] and [`inbox`]: how people get together.

pub mod channel;
pub mod content;
pub mod device;
pub mod display;
pub mod engine;
pub mod file;
pub mod group;
pub mod identity;
pub mod inbox;
pub mod invitation;
pub mod limits;
mod outer;
mod padding;
pub mod sealer;
pub mod standin;
#[cfg(test)]
mod worked_example;

pub use channel::{ChannelSecret, EpochKeys, SealKey};
pub use content::{Content, ContentId, Kind, View};
pub use device::{DeviceId, DeviceKey};
pub use engine::{Authored, Binding, GroupEngine, OpenError, SealError};
pub use invitation::{Invitation, LinkError, NodeAddress};
pub use sealer::{Keeping, Sealed, Sealer};
pub use standin::StandIn;

/// Where random bytes come from: the caller's generator fills what it is handed.
///
/// Not a trait of ours and not a generator of our own: tests pass a counter, programs pass the operating system.
pub type Chance<'a> = dyn FnMut(&mut [u8]) + 'a;

/// Draws `N` random bytes.
pub(crate) fn draw<const N: usize>(chance: &mut Chance<'_>) -> [u8; N] {
    let mut bytes = [0; N];
    chance(&mut bytes);
    bytes
}
