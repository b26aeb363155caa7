//! Every bound of the inside of an envelope, each with its reason, related to the ledger's own at compile time.

use waxwing_core::limits::{BODY_BYTES_MAX, LOG_ENTRIES_PER_BLOCK_MAX};

/// A name as claimed, UTF-8 bytes: 40 characters of any script and some to spare; it travels with every message.
pub const NAME_BYTES_MAX: u32 = 128;

/// Body of a text, reply or edit, UTF-8 bytes. What is longer is a document, and travels as an attachment.
pub const TEXT_BYTES_MAX: u32 = 64 << 10;

/// A reaction, UTF-8 bytes: the longest emoji sequences in use have about 40.
pub const REACTION_BYTES_MAX: u32 = 64;

/// Room for everything around a payload: outer seal 44, layer 3 (141 for the stand-in, 146 measured for group
/// messages), the content's fixed part and longest name 259; the rest is reserve.
pub const OVERHEAD_BYTES_MAX: u32 = 1024;

/// Payload of any kind: what fits into the largest body.
pub const PAYLOAD_BYTES_MAX: u32 = BODY_BYTES_MAX - OVERHEAD_BYTES_MAX;

/// How far behind a device's highest counter an entry may come. A proposer may shuffle within a block, several nodes
/// may overtake each other, and an entry whose anchor expired is submitted again later: a strict order would throw
/// away honest messages. The same tolerance as group encryption has.
pub const COUNTER_WINDOW: u32 = 256;

/// Devices whose counters are remembered for one log: a channel is meant for at most 256, and whoever has the link can
/// make up more, so that the memory needs an end.
pub const DEVICES_PER_LOG_MAX: u32 = 1024;

/// A channel's name in an invitation, UTF-8 bytes.
pub const CHANNEL_NAME_BYTES_MAX: u32 = 128;

/// Nodes named in an invitation: more would not fit a QR code that a phone can read.
pub const INVITATION_NODES_MAX: u32 = 8;

/// `host:port` of a node: the longest DNS name and a port.
pub const NODE_ADDRESS_BYTES_MAX: u32 = 260;

/// Characters of a link that are looked at: more than the largest invitation needs; longer pastes are not links.
pub const LINK_CHARACTERS_MAX: usize = 8192;

const _: () = assert!(TEXT_BYTES_MAX + 64 < PAYLOAD_BYTES_MAX);
const _: () = assert!(LOG_ENTRIES_PER_BLOCK_MAX < COUNTER_WINDOW);
