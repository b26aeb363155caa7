//! Whole nodes in this process, with real QUIC on loopback and real databases, seen through the eyes of a light client.

mod client;
mod submit;
mod world;
