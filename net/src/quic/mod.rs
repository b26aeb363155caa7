//! Endpoints that know each other by their keys, on quinn and rustls.
//!
//! A [`Server`] answers requests with a [`Service`]; a [`Dialer`] calls a node by address and key and gets a
//! [`Connection`] to ask questions on. Each request has a QUIC stream of its own:
//!
//! ```text
//! client ── Request, end ──────────────────────────────> node
//!        <── Reply, end ───────────────────────────────        a question
//!        <── Reply (Subscribed), Push, Push, ..., end ──        a subscription
//! ```
//!
//! This is the edge of the crate where time passes: tokio's clock measures how long a peer may take, governor's how
//! often it may come. Nothing else here reads a clock, and no time is sent or believed.

mod budget;
mod client;
mod close;
mod doors;
mod error;
mod gate;
mod identity;
mod limits;
mod peer;
mod receive;
mod respond;
mod restart;
mod server;
mod tally;
mod tls;
mod transport;

pub use client::{Connection, Dialer, Shown, Subscription};
pub use close::{CloseCode, Closed};
pub use error::{ConnectError, RequestError};
pub use gate::KeptPlace;
pub use identity::Identity;
pub use limits::{KeptLimits, ServerLimits};
pub use peer::PeerInfo;
pub use respond::{Gone, Pushes, Responder};
pub use server::{Server, Service};
pub use tally::Counts;

#[cfg(test)]
mod tests;
