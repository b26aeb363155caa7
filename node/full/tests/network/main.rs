//! Whole nodes in this process, with real QUIC on loopback and real databases, seen through the eyes of a light client.

mod bodies;
mod client;
mod copy;
mod liar;
mod live;
mod start;
mod submit;
mod world;
