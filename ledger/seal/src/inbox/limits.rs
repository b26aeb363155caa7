//! Every bound of an inbox, each with its reason. `// SPEC 28.9`

use waxwing_core::limits::BODY_BYTES_MAX;

use crate::group::limits::{MEMBERS_MAX, WELCOME_BYTES_MAX};
use crate::limits::{
    CHANNEL_NAME_BYTES_MAX, DEVICE_NAME_BYTES_MAX, INVITATION_NODES_MAX, KEY_PACKAGE_BYTES_MAX, NAME_BYTES_MAX,
    NODE_ADDRESS_BYTES_MAX,
};

/// Public key of the hybrid KEM: 1184 bytes of ML-KEM-768 and 32 of X25519. Too many for a link.
pub const PUBLIC_KEY_BYTES: usize = 1216;

/// What the KEM adds to a post: 1088 bytes of ML-KEM-768 and 32 of X25519.
pub const ENCAPSULATED_BYTES: usize = 1120;

/// What somebody who asks says about himself, UTF-8 bytes: a few sentences. Strangers write it.
pub const NOTE_BYTES_MAX: u32 = 500;

/// Requests that one invitation takes: as many as a group has devices. Each that was taken is remembered, and shown to
/// somebody.
pub const USES_MAX: u32 = MEMBERS_MAX;

/// Bytes that are sealed for a post, at least: shorter ones are filled up with zeros, so that a request, a refusal, a
/// greeting and the welcome to two or three devices all make bodies of 8 KiB.
pub const POST_TEXT_BYTES_MIN: u32 = (8 << 10) - POST_AROUND_BYTES;

/// Bytes of a part of a welcome; the last part has what is left. A part that fills a body nearly, so that there are few.
pub const WELCOME_PART_BYTES: u32 = 500 << 10;

/// A welcome with all that goes with it: message and tree, and where the commit is.
pub const WELCOME_WHOLE_BYTES_MAX: u32 = 2 * WELCOME_BYTES_MAX + 128;

/// Parts of a welcome.
pub const WELCOME_PARTS_MAX: u32 = WELCOME_WHOLE_BYTES_MAX.div_ceil(WELCOME_PART_BYTES);

/// Welcomes whose parts are kept at a time: one that began and never came, and one that comes. Beyond, the older one is
/// forgotten: memory has an end, and nobody is locked out by what he did not finish.
pub const TRANSFERS_MAX: u32 = 2;

/// Welcomes and greetings that are known again: whoever wrote them has no reason to repeat more.
pub const REMEMBERED_MAX: u32 = 16;

/// Accounts that may offer to take a new device in: its owner has one, and whoever looked over his shoulder another.
pub const OFFERS_MAX: u32 = 8;

/// Networks that a device is handed at once.
pub const HANDED_NETWORKS_MAX: u32 = 8;

/// Outer seal 44, form 1, encapsulated key, tag 16: what stands around a post in a body.
const POST_AROUND_BYTES: u32 = 44 + 1 + 1120 + 16;

/// The longest certificate.
const CERTIFICATE_BYTES_MAX: u32 = 221 + DEVICE_NAME_BYTES_MAX;

/// The longest opening.
pub const OPENING_BYTES_MAX: u32 =
    1 + CERTIFICATE_BYTES_MAX + 1216 + 65 + 4 + NAME_BYTES_MAX + 5 + CHANNEL_NAME_BYTES_MAX + 8 + 4 + 64;

/// The longest request.
pub const REQUEST_BYTES_MAX: u32 =
    CERTIFICATE_BYTES_MAX + 4 + NAME_BYTES_MAX + 4 + NOTE_BYTES_MAX + 4 + KEY_PACKAGE_BYTES_MAX + 32 + 1216 + 65 + 64;

/// The body of an opening, at most: whoever looks for one fetches nothing longer.
pub const OPENING_BODY_BYTES_MAX: u32 = 2048;

/// The body of a request, at most, and of an offer. Whoever has a link can post 512 KiB; nobody has to fetch them.
pub const REQUEST_BODY_BYTES_MAX: u32 = 12 << 10;

/// The body of a hand-over, at most.
pub const HAND_OVER_BODY_BYTES_MAX: u32 = 32 << 10;

/// What a device is handed of one network, at most: id, pin, nodes, card seed, certificate.
const HANDED_BYTES_MAX: u32 =
    32 + 40 + 4 + INVITATION_NODES_MAX * (4 + NODE_ADDRESS_BYTES_MAX + 32) + 32 + CERTIFICATE_BYTES_MAX;

/// Bytes of a post, its length aside: what is longer fits into no body.
pub const POST_BYTES_MAX: u32 = BODY_BYTES_MAX - POST_AROUND_BYTES - 4;

/// The longest hand-over.
const HAND_OVER_BYTES_MAX: u32 = 32 + 4 + NAME_BYTES_MAX + 4 + HANDED_NETWORKS_MAX * HANDED_BYTES_MAX + 64;

/// The longest offer.
const OFFER_BYTES_MAX: u32 = CERTIFICATE_BYTES_MAX + 4 + NAME_BYTES_MAX + 4 + HANDED_NETWORKS_MAX * 32 + 32 + 1216 + 64;

// Beside a post stand its length and kind. The limits of bodies are sizes that padding makes, so it goes beyond none.
const _: () = assert!(44 + 1 + OPENING_BYTES_MAX <= OPENING_BODY_BYTES_MAX);
const _: () = assert!(POST_AROUND_BYTES + 5 + REQUEST_BYTES_MAX <= REQUEST_BODY_BYTES_MAX);
const _: () = assert!(OFFER_BYTES_MAX < REQUEST_BYTES_MAX);
const _: () = assert!(POST_AROUND_BYTES + 5 + HAND_OVER_BYTES_MAX <= HAND_OVER_BODY_BYTES_MAX);
const _: () = assert!(1 + 32 + 4 + 4 + 4 + WELCOME_PART_BYTES <= POST_BYTES_MAX);
const _: () = assert!(WELCOME_PARTS_MAX == 5);
