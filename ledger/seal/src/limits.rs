//! Every bound of the inside of an envelope, each with its reason, related to the ledger's own at compile time.

use waxwing_core::limits::{BODY_BYTES_MAX, CHUNK_BYTES_MAX, CHUNK_OVERHEAD_BYTES, DAY_MS, LOG_ENTRIES_PER_BLOCK_MAX};

/// A name as claimed, UTF-8 bytes: 40 characters of any script and some to spare; it travels with every message.
pub const NAME_BYTES_MAX: u32 = 128;

/// Body of a text, reply or edit, UTF-8 bytes. What is longer is a document, and travels as an attachment.
pub const TEXT_BYTES_MAX: u32 = 64 << 10;

/// Mentions in one text: a large table of people. More is a list, and who wants to reach everybody writes to the channel.
pub const MENTIONS_MAX: u32 = 64;

/// Logs that one receipt speaks of: that of the present epoch, and those before it in which something is still unread.
pub const WATERMARKS_MAX: u32 = 16;

/// Messages of the past that one member hands to newcomers, the newest: some screens to know what is being talked about. Who
/// needs more asks for an export.
pub const HISTORY_MESSAGES_MAX: u32 = 500;

/// Parts in which they come. All members fetch them, and the log takes one megabyte a block.
pub const HISTORY_PARTS_MAX: u8 = 4;

/// Payload of a part: the longest text and its surroundings fit several times, and all parts together are a megabyte.
pub const HISTORY_PART_BYTES_MAX: u32 = 256 << 10;

/// Days that a rule about the past may reach back, if it does not reach back to the beginning: ten years.
pub const HISTORY_DAYS_MAX: u16 = 3650;

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

/// A phrase as typed, UTF-8 bytes: 24 words of at most 8 letters need 215; what is far longer is not one.
pub const PHRASE_BYTES_MAX: usize = 1024;

/// A device's name, UTF-8 bytes: tells a person's devices apart, and travels in every leaf of a group.
pub const DEVICE_NAME_BYTES_MAX: u32 = 64;

/// How far the clock that a certificate was signed with may have been fast. Nothing rests on it but that a slip does not
/// keep a device out: what ends a device early is revoking it.
pub const CERTIFICATE_SKEW_MS: u64 = DAY_MS;

/// Devices of an account that are not revoked: each is a leaf in every group of its owner, and a group has at most 256.
pub const ACCOUNT_DEVICES_MAX: u32 = 16;

/// A card seed of 32 bytes, sealed to a device: 1120 bytes of the hybrid KEM and a tag of 16.
pub const SEALED_SEED_BYTES: u32 = 1120 + 32 + 16;

/// Devices that an account ever had, since every card lists them all: one a month for twenty years, in 75 kB.
pub const CARD_DEVICES_MAX: u32 = 256;

/// A key package of the hybrid suite has about 3 kB, and most of it is two public keys: room for a larger suite.
pub const KEY_PACKAGE_BYTES_MAX: u32 = 8 << 10;

/// Key packages that a device offers at a time: they are reused until rotated, so more would not last longer; several
/// are there for suites side by side.
pub const KEY_PACKAGES_MAX: u32 = 8;

/// A piece of a file, sealed into one chunk: so many bytes are held in memory at a time, and are sent again at most where a
/// transfer breaks off.
pub const PIECE_BYTES: u32 = CHUNK_BYTES_MAX - CHUNK_OVERHEAD_BYTES;

/// What sealing adds to a piece: the tag of the cipher.
pub const PIECE_TAG_BYTES: usize = 16;

/// The largest file: the ids of its 4 million chunks still fit into memory, and no node takes as much.
pub const FILE_BYTES_MAX: u64 = 1 << 40;

/// Ids of chunks that a manifest lists: 2 MB of file. More stand in a chunk of their own, so that the size of a message says
/// nothing about the size of the file, and a message with a file is as small as one with words.
pub const IDS_IN_MANIFEST_MAX: u32 = 8;

/// Nodes that a manifest names: more copies than anybody makes.
pub const HOLDERS_MAX: u32 = 8;

/// A file's name as its sender has it, UTF-8 bytes: the longest component of common file systems.
pub const FILE_NAME_BYTES_MAX: u32 = 255;

/// A media type, bytes: RFC 6838 allows 127 on either side of the slash; the longest registered ones have about 80.
pub const MEDIA_TYPE_BYTES_MAX: u32 = 127;

/// The longest certificate: its fields of fixed width and the longest name.
const CERTIFICATE_BYTES_MAX: u32 = 221 + DEVICE_NAME_BYTES_MAX;

/// Everything in a statement beside what is said, and a body around it.
const STATEMENT_AROUND_BYTES: u32 = 106 + 44;

const _: () = assert!(CARD_DEVICES_MAX * (CERTIFICATE_BYTES_MAX + 1) + 44 + STATEMENT_AROUND_BYTES < BODY_BYTES_MAX);
const _: () = assert!(KEY_PACKAGES_MAX * (KEY_PACKAGE_BYTES_MAX + 4) + 4 + STATEMENT_AROUND_BYTES < BODY_BYTES_MAX);
const _: () = assert!(ACCOUNT_DEVICES_MAX < CARD_DEVICES_MAX);
const _: () = assert!(ACCOUNT_DEVICES_MAX * (SEALED_SEED_BYTES + 36) + 4 + STATEMENT_AROUND_BYTES < BODY_BYTES_MAX);
const _: () = assert!(TEXT_BYTES_MAX + MENTIONS_MAX * 41 + 64 < PAYLOAD_BYTES_MAX);
const _: () = assert!(2 * TEXT_BYTES_MAX < HISTORY_PART_BYTES_MAX && HISTORY_PART_BYTES_MAX < PAYLOAD_BYTES_MAX);
const _: () = assert!(PIECE_TAG_BYTES == 16 && CHUNK_OVERHEAD_BYTES >= 16);
const _: () = assert!(PIECE_BYTES == 1 << 18 && FILE_BYTES_MAX >> 18 < 1 << 32);
const _: () = assert!(
    TEXT_BYTES_MAX + FILE_NAME_BYTES_MAX + MEDIA_TYPE_BYTES_MAX + 32 * (HOLDERS_MAX + IDS_IN_MANIFEST_MAX) + 256
        < PAYLOAD_BYTES_MAX
);
const _: () = assert!(LOG_ENTRIES_PER_BLOCK_MAX < COUNTER_WINDOW);
