//! Every bound of a group, each with its reason.

use waxwing_core::limits::DAY_MS;

use crate::limits::{CHANNEL_NAME_BYTES_MAX, COUNTER_WINDOW, NAME_BYTES_MAX};

/// Devices in a group: a commit in a tree that nobody has updated yet has one ciphertext per member, about 1.2 kB each,
/// and has to fit into one body.
pub const MEMBERS_MAX: u32 = 256;

/// Devices added by one commit: each brings a key package of about 3 kB and leaves a blank path behind that makes the
/// next commits longer, until it has updated itself.
pub const ADDS_MAX: u32 = 32;

/// Accounts that may remove, rename and choose admins: more would be no list but a membership.
pub const ADMINS_MAX: u32 = 64;

/// Accounts in a direct channel.
pub const DIRECT_ACCOUNTS_MAX: usize = 2;

/// A group's name, UTF-8 bytes; as long as in an invitation.
pub const GROUP_NAME_BYTES_MAX: u32 = CHANNEL_NAME_BYTES_MAX;

/// How far behind a sender's newest message one may come and still open: a proposer may shuffle within a block.
pub const OUT_OF_ORDER_MAX: u32 = COUNTER_WINDOW;

/// How far ahead of a sender's newest message one may be. Bodies that were erased or have expired leave gaps, and each
/// missing key costs about 10 microseconds to step over: a liar who claims the farthest one costs a tenth of a second.
pub const FORWARD_MAX: u32 = 10_000;

/// How long a key package may be offered: whoever steals a device's store can read what was sent to any of them.
pub const KEY_PACKAGE_LIFE_MS_MAX: u64 = 90 * DAY_MS;

/// A welcome, and the tree beside it: 256 members and the 255 nodes above them, 1.7 kB each, and reserve.
pub const WELCOME_BYTES_MAX: u32 = 1 << 20;

/// Own messages that were sealed and have not appeared on the log: a day without a connection, and an end to the memory.
pub const OUTSTANDING_MAX: u32 = 4096;

const _: () = assert!(ADDS_MAX < MEMBERS_MAX);
const _: () = assert!(ADMINS_MAX <= MEMBERS_MAX);
const _: () = assert!(GROUP_NAME_BYTES_MAX <= NAME_BYTES_MAX);
