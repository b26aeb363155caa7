//! Files beside the ledger: sent to nodes in sealed chunks, announced in a message, fetched, checked and saved.
//!
//! ```text
//! attach   file ──read twice──> ids, noted ──> chunks ──> two nodes, or more ──> all kept: the message is queued
//!                                 plan.rs      upload.rs                          (and only then)
//! save     message ──> ids ──> chunks from whoever has them ──> NAME.part ──> whole, checked, durable: its name
//!                      fetch.rs                                  place.rs, download.rs
//! ```
//!
//! A file is never in memory as a whole, on neither side. Both directions go on after a crash where they were: sending,
//! because the same piece seals to the same chunk and nodes say which ones they have; saving, because what lies in the
//! unfinished file is sealed again and counts only if that gives the ids of the manifest.
//!
//! **What keeps a key from being used for two texts.** The ids of all chunks are noted, durably, before the first chunk
//! leaves. A chunk that does not have its noted id leaves never: the file has changed, and everything begins anew with
//! another key.

mod ask;
mod download;
mod error;
mod fetch;
mod offer;
mod place;
mod plan;
mod progress;
mod upload;
mod view;

pub use download::Destination;
pub use error::FileError;
pub use offer::Offer;
pub(crate) use plan::Plan;
pub use progress::{Progress, Report, Stage};
pub use upload::{Attached, Attachment};
pub use view::AttachmentView;
