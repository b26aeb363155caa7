//! Whole nodes in this process, with real QUIC on loopback and real databases, seen through the eyes of a light client.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod chunks;
#[cfg(test)]
mod client;
#[cfg(test)]
mod committee;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod join;
#[cfg(test)]
mod liar;
#[cfg(test)]
mod links;
#[cfg(test)]
mod live;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod start;
#[cfg(test)]
mod submit;
#[cfg(test)]
mod world;
