//! Every bound of the light client, each with its reason.
//!
//! Sizes are bytes, times are milliseconds. What others send is bounded by `waxwing_net::wire::limits` and
//! `waxwing_core::limits` before it arrives here.

use std::time::Duration;

use waxwing_core::limits::{DAY_MS, FRESH_MS, SECOND_MS};

/// A passphrase, UTF-8 bytes: a long sentence, and no file picked by mistake.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;

/// Memory that a key file may ask for: more would keep a small machine from opening its own home.
pub const KDF_MEMORY_KIB_MAX: u32 = 1 << 20;

/// Passes over that memory: a minute at most.
pub const KDF_PASSES_MAX: u32 = 64;

/// Lanes of Argon2.
pub const KDF_LANES_MAX: u32 = 16;

/// How long a process waits for another one that writes to the same home. Each holds it for one transaction.
pub const BUSY_MS: u64 = 10 * SECOND_MS;

/// Entries that are checked, opened and stored in one transaction: as many as the design allows, so that catching up is
/// not one synced write per message.
pub const ENTRIES_PER_TRANSACTION_MAX: u32 = 256;

/// Bytes of entries asked for at once. A page is held in memory whole until its part of the log is proven.
pub const PAGE_BYTES: u32 = 2 << 20;

/// Entries without bodies asked for at once while a long log is measured: about a megabyte.
pub const HEADERS_PER_PAGE: u32 = 4096;

/// Nodes remembered for one network: those a person named, and others they led to.
pub const NODES_MAX: usize = 32;

/// Nodes asked for their head in one round. More would say little more and cost each of them.
pub const NODES_COMPARED_MAX: usize = 8;

/// Sentences about nodes' faults that are kept for one network.
pub const FAULTS_KEPT: u32 = 200;

/// How long a client waits for others. A person on a line of many seconds may choose longer times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How long a node may take to accept a connection.
    pub connect: Duration,
    /// How long a node may take for an answer that it does not have to wait for itself, before it counts as stalled.
    pub answer: Duration,
    /// How long a sent message may stay out of the ledger before it is handed to a further node; doubled each time.
    pub inclusion: Duration,
    /// How often the heads of several nodes are compared while a client runs.
    pub compare: Duration,
    /// How long at least a device waits before it tells others how far it has come.
    pub telling: Duration,
}

impl Pace {
    /// For a bad mobile line: two round trips of a second, some loss, and a node that reads from disk.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(10),
        inclusion: Duration::from_secs(4),
        compare: Duration::from_millis(FRESH_MS),
        telling: Duration::from_secs(20),
    };
}

/// The longest wait between two attempts for one message.
pub const ATTEMPT_WAIT_MS_MAX: u64 = 300 * SECOND_MS;

/// An anchor that was checked longer ago than this is not used for a new signature before a newer head was checked: the
/// network may have moved on, and the message would have to wait for its proof of death.
pub const ANCHOR_RECENT_MS: u64 = 3600 * SECOND_MS;

/// Stamps up to this strength are ground where a message is queued; stronger ones in the background.
pub const STAMP_BITS_AT_ONCE: u32 = 16;

/// How often a process looks for what other processes wrote to the same home.
pub const NOTICE_MS: u64 = 250;

/// How far two nodes' certified times may lie apart while a wrong device clock is judged.
pub const CLOCK_AGREE_MS: u64 = 10 * SECOND_MS;

/// Silence after which a node counts as lost. QUIC begins to count anew when the client says that it is still there, which
/// it does every eight seconds, so a node that died is left before its last word stops to count as fresh.
pub const SILENCE_MS: u64 = 20 * SECOND_MS;

const _: () = assert!(
    SILENCE_MS * 7 / 5 < FRESH_MS,
    "two fifths of the silence pass before it begins to count"
);

/// How long a client that ends waits until its nodes know. A node that is not told holds the connection, against the
/// few that one address may have, for half a minute; that the word gets lost on the way is not worth waiting for.
pub const LEAVE_MS: u64 = 50;

/// The longest wait before a change of a group that another member's overtook is proposed again: of several who want something
/// at the same time, one is first.
pub const COMMIT_AGAIN_MS: u64 = 2 * SECOND_MS;

/// The longest wait before a member makes another's wish to leave true: long enough that one of many is clearly first.
pub const LEAVER_WAIT_MS: u64 = 20 * SECOND_MS;

/// How long a device keeps its keys in a group: who read its store reads along for so long, and for a quarter more. Each of
/// 256 members makes a commit of some 20 kB in this time, about 35 a day.
pub const RENEW_MS: u64 = 7 * DAY_MS;

/// The longest wait before a newcomer takes keys of its own choice: others commit in short trees only then, and not all of a
/// large group's newcomers at once.
pub const NEWCOMER_RENEWS_MS: u64 = 600 * SECOND_MS;

/// How long a key package that this device hands out can be used: a newcomer waits at most so long for a member to come by.
pub const KEY_PACKAGE_LIFE_MS: u64 = 30 * DAY_MS;

/// Groups that are kept in memory between transactions: a large one takes some megabytes, and people are in few talks at once.
pub const GROUPS_IN_MEMORY_MAX: usize = 8;

/// Cards that are kept in memory: those of this account are asked for in every round, those of contacts when something comes
/// from them. One takes some ten kilobytes, with the key packages on it.
pub const CARDS_IN_MEMORY_MAX: usize = 64;

/// How often a device puts new key packages on its account's card: whoever steals its store reads what was sent to those that
/// it still has the secrets of.
pub const KEY_PACKAGES_ROTATE_MS: u64 = 7 * DAY_MS;

/// How long the secrets of key packages are kept after others took their place: somebody may have used them meanwhile.
pub const KEY_PACKAGES_KEPT_MS: u64 = 14 * DAY_MS;

const _: () = assert!(
    KEY_PACKAGES_ROTATE_MS + KEY_PACKAGES_KEPT_MS < KEY_PACKAGE_LIFE_MS,
    "what may still be used has not expired"
);

/// How long key packages that were seen in use stay on the card: others take their place then. Not at once, so that who adds
/// this device all the time makes it write at most this often.
pub const KEY_PACKAGES_USED_MS: u64 = 600 * SECOND_MS;

/// Inboxes of contacts that are followed: each is a log that is asked for, and a link may let 256 strangers in.
pub const CONTACT_INBOXES_MAX: u32 = 512;

/// Inboxes that are followed for one contact: one for each of their devices that asked, and no more for one that asks all the
/// time.
pub const INBOXES_PER_CONTACT_MAX: usize = 4;

/// Welcomes of one contact that wait for consent. Each may have two megabytes.
pub const WELCOMES_WAITING_MAX: u32 = 8;

/// How long an answer to a request is waited for: nodes keep the request for a month.
pub const ANSWER_AWAITED_MS: u64 = 30 * DAY_MS;

/// Channels in one home.
pub const CHANNELS_MAX: u32 = 4096;

/// People in one home: a busy life has some thousands, and whoever sends requests to an inbox must not fill the disk.
pub const CONTACTS_MAX: u32 = 16_384;

/// Sentences about what became of a person's keys that are kept: years of new phones.
pub const KEY_CHANGES_KEPT: u32 = 200;

/// What somebody calls a person, UTF-8 bytes; as long as the name that they may claim.
pub const PETNAME_BYTES_MAX: usize = 128;

/// Why somebody was reported, UTF-8 bytes: a few sentences.
pub const REPORT_BYTES_MAX: usize = 2048;

/// What is looked for at once, UTF-8 bytes: some dozen words. More is a text pasted by mistake.
pub const SEARCH_BYTES_MAX: usize = 1024;

/// Hexadecimal digits of a device behind a name that tell whom of several a mention means: 24 bits of chance.
pub const MENTION_DIGITS: usize = 6;

/// Members up to whom each tells the others what it holds, unless it was chosen otherwise: with more of them that would be
/// most of what is written.
pub const SEEN_MEMBERS_MAX: u64 = 8;

/// Messages that disappear in one transaction.
pub const EXPIRED_AT_ONCE: u32 = 256;

/// What a device owes each member of wait before it tells again how far it has come: so that all of 256 members together
/// write about one such entry in three seconds at worst, and a member alone every ten minutes or so.
pub const TELLING_MS_PER_MEMBER: u64 = 2 * SECOND_MS;

/// Nodes that keep a file, if as many take it: one may be gone when its readers come. More would multiply what the sender
/// uploads and what all nodes store.
pub const COPIES: usize = 2;

/// Chunks on their way to nodes at a time: a connection holds 2 MiB of requests, and what waits here is in memory.
pub const CHUNKS_SENT_AT_ONCE: usize = 6;

/// Chunks on their way from nodes at a time: 20 MB/s at 100 ms.
pub const CHUNKS_FETCHED_AT_ONCE: usize = 8;

/// How many times as long as for other answers a node may take for one about chunks: several of them share the line.
pub const CHUNK_PATIENCE: u32 = 6;

/// How often a node that is busy is asked again for one chunk.
pub const BUSY_TRIES: u32 = 60;

/// How often a node that was lost is tried again for one chunk: long enough for its restart.
pub const LOST_TRIES: u32 = 4;

/// The first wait before that; then longer ones.
pub const LOST_WAIT_MS: u64 = 500;

/// What a node says to keep for a shorter time than this is put there again: an upload that goes on after days must not
/// hand over a file whose beginning is about to be dropped.
pub const CHUNK_KEPT_ENOUGH_MS: u64 = DAY_MS;

/// How long an upload that was broken off can be gone on with: beyond it, nodes have dropped most of it.
pub const UPLOAD_KEPT_MS: u64 = 30 * DAY_MS;

/// How often an upload begins anew because the file changed while it was being sent.
pub const PLANS_MAX: u32 = 3;

/// How long the next member waits with telling newcomers what was said before: whoever let them in is connected at that time,
/// but for a line that breaks just then.
pub const HISTORY_WAIT_MS: u64 = 120 * SECOND_MS;

/// Members that wait one after the other; further ones wait as long as the last of them, but for chance.
pub const HISTORY_TURNS_MAX: u64 = 8;

/// Members from whom a newcomer takes what was said before: the second one's word shows where the first one's is odd, and
/// more would only fill the store.
pub const HISTORY_TELLERS_MAX: usize = 2;

/// Messages handed out at once.
pub const MESSAGES_PER_READ_MAX: u32 = 1000;
