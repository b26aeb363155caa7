//! The language that two programs speak: requests, replies, pushes, and the frames they travel in.
//!
//! Pure: no socket, no clock, no randomness. Bytes in, values out, and back. Everything a stranger can send is bounded
//! by [`limits`] while it is read, before it is allocated.
//!
//! ```text
//! Request --codec::encode--> payload --frame--> | length | payload |  --FrameReader--> payload --codec::decode--> Request
//! ```

pub mod codec;
pub mod limits;

mod chunks;
mod frame;
mod ready;
mod refusal;
mod reply;
mod request;
mod values;

pub use chunks::{Chunk, ChunkTerms, Holding};
pub use codec::{Message, WireError};
pub use frame::{FRAME_HEADER_BYTES, FrameError, FrameReader, frame};
pub use ready::Hindrance;
pub use refusal::{EnvelopeRefusal, Refusal};
pub use reply::{
    Access, Admission, Entries, Peer, Progress, Push, Reply, Response, Retention, Role, Room, Status, Submitters,
};
pub use request::{Bodies, FollowLog, Kind, Promise, Request, Stamp, Watch};
pub use values::{List, Opaque, Text};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
