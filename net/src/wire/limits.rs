//! Every bound of a conversation between two programs, each with its reason, related to each other and to the ledger's
//! own bounds at compile time.
//!
//! The first part is the protocol: both sides refuse what is beyond it, so a change here is a change of [`ALPN`]. The
//! second part is how much one node lets others cost it; these are the defaults of [`crate::quic::ServerLimits`], an
//! operator may set others. Sizes are bytes, times are milliseconds.

use waxwing_core::block::HEADER_BYTES;
use waxwing_core::limits as ledger;

/// Name and version of the protocol, agreed upon in the TLS handshake: two programs that speak different versions part
/// before the first frame instead of guessing at bytes.
pub const ALPN: &[u8] = b"waxwing/1";

// ---- The protocol -------------------------------------------------------------------------------------------------

/// Payload of a request frame: an envelope with the largest body, or some 800 envelopes with ordinary ones. It bounds
/// what a stranger can make a node hold before the node knows what it is about.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Payload of a reply or push frame: the largest block with everything around it, so that every block can be served.
pub const REPLY_BYTES_MAX: usize = 4 << 20;

/// Envelopes in one submission; about as many of ordinary size as the frame takes.
pub const ENVELOPES_PER_SUBMIT_MAX: usize = 1024;

/// Entries in one reply; without bodies they take half a frame.
pub const ENTRIES_PER_REPLY_MAX: usize = 4096;

/// Headers in one reply: 64 k blocks in 64 round trips, about half a megabyte each.
pub const HEADERS_PER_REPLY_MAX: usize = 1024;

/// Blocks in one reply; only blocks that are nearly empty come so many at a time.
pub const BLOCKS_PER_REPLY_MAX: usize = 256;

/// Logs in one subscription: the epochs, inboxes and cards that a busy person follows, and a fifth of a request frame.
pub const LOGS_PER_SUBSCRIPTION_MAX: usize = 4096;

/// Peers in one reply: enough to find a few that answer.
pub const PEERS_PER_REPLY_MAX: usize = 64;

/// Name and version of a node's software, UTF-8 bytes.
pub const SOFTWARE_BYTES_MAX: usize = 64;

/// What an operator says about access, in a sentence or two, UTF-8 bytes.
pub const POLICY_BYTES_MAX: usize = 512;

/// How long a node may hold the answer to a wish for a beacon while it collects one. A third of the time for which a
/// head counts as fresh, so that a client can ask somebody else before its head is stale.
pub const BEACON_WAIT_MS_MAX: u64 = 10_000;

/// The longest wait that a refusal may ask for; a client treats more as this much.
pub const RETRY_AFTER_MS_MAX: u64 = 60_000;

/// Bytes around an entry and its body in a reply: two lengths, the entry's place, the state of its body.
const AROUND_ENTRY_BYTES: usize = 64;

/// The largest entry with its body and everything around it.
pub const ENTRY_ROOM_BYTES: usize = ledger::SIGNED_HEADER_BYTES + widen(ledger::BODY_BYTES_MAX) + AROUND_ENTRY_BYTES;

/// A header and whatever stands beside it: a length, a path of hashes.
pub const HEADER_ROOM_BYTES: usize = 1024;

/// A certificate of the largest committee: its signatures, bitmap and round, with room to spare.
const CERTIFICATE_ROOM_BYTES: usize = widen(ledger::COMMITTEE_MAX) * 64 + 256;

/// One ladder step: a head, its extension proof, and the keys of the next committee.
const LADDER_STEP_ROOM_BYTES: usize =
    widen(ledger::COMMITTEE_MAX) * 64 + HEADER_ROOM_BYTES + CERTIFICATE_ROOM_BYTES + ledger::TREE_LEVELS_MAX * 32;

/// The largest block with its certificate, its evidence and everything around its entries.
pub const BLOCK_ROOM_BYTES: usize = widen(ledger::BLOCK_BYTES_MAX)
    + widen(ledger::BLOCK_ENTRIES_MAX) * AROUND_ENTRY_BYTES
    + HEADER_ROOM_BYTES
    + CERTIFICATE_ROOM_BYTES
    + EVIDENCE_ROOM_BYTES;

/// A node's acknowledgement of one envelope, or the reason against it.
pub const ACKNOWLEDGEMENT_ROOM_BYTES: usize = 160;

/// A validator's hello: its key, its port, a signature, and room for what later versions add.
pub const HELLO_BYTES_MAX: usize = 256;

/// A frame that brings a hello: its kind and length before it.
pub const HELLO_FRAME_BYTES_MAX: usize = HELLO_BYTES_MAX + 12;

/// One message about the next block: at most two names of each of its entries, and the evidence it carries. A vote takes
/// 200 bytes.
pub const ORDER_BYTES_MAX: usize = 2 * STAMP_BYTES * MISSING_PER_REQUEST_MAX + EVIDENCE_ROOM_BYTES + (16 << 10);

/// Entries that one request asks for by their stamps: all of a block.
pub const MISSING_PER_REQUEST_MAX: usize = widen(ledger::BLOCK_ENTRIES_MAX);

/// A question for a part of a snapshot: its kind and a range.
pub const SNAPSHOT_ASK_BYTES_MAX: usize = 64;

/// The largest part of a snapshot, and what stands around it.
pub const SNAPSHOT_ROOM_BYTES: usize = waxwing_core::snapshot::PART_BYTES_MAX + 64;

const _: () = assert!(SNAPSHOT_ROOM_BYTES < REPLY_BYTES_MAX);

/// Reasons why a node is of no use, in one reply: three times those that there are.
pub const HINDRANCES_PER_REPLY_MAX: usize = 16;

/// Chunks that one request asks about by their ids: a file of 1 GiB in four questions.
pub const CHUNKS_PER_QUESTION_MAX: usize = 1024;

/// The largest chunk, and what stands around it.
pub const CHUNK_ROOM_BYTES: usize = widen(ledger::CHUNK_BYTES_MAX) + 64;

const _: () = assert!(
    CHUNK_ROOM_BYTES * 4 < CONNECTION_REQUEST_BYTES_MAX && CHUNK_ROOM_BYTES * 16 < CONNECTION_REPLY_BYTES_MAX,
    "several chunks must be under way at once, or a long way halves the speed"
);
const _: () = assert!(
    CHUNK_ROOM_BYTES < REPLY_BYTES_MAX / 8,
    "a message must not wait long behind a piece of a file"
);
const _: () = assert!(CHUNKS_PER_QUESTION_MAX * 32 < REQUEST_BYTES_MAX / 16);

/// The name of an envelope while it is on its way.
const STAMP_BYTES: usize = 32;

/// The evidence that one block may carry.
const EVIDENCE_ROOM_BYTES: usize = widen(ledger::EVIDENCE_MAX) * 2 * (HEADER_ROOM_BYTES + CERTIFICATE_ROOM_BYTES);

const _: () = assert!(
    ORDER_BYTES_MAX < REPLY_BYTES_MAX / 4,
    "urgent messages must be small ones"
);
const _: () = assert!(
    MISSING_PER_REQUEST_MAX * STAMP_BYTES + 1024 < REQUEST_BYTES_MAX,
    "the entries of a block must be asked for at once"
);
const _: () = assert!(HEADER_BYTES + ledger::TREE_LEVELS_MAX * 8 < HEADER_ROOM_BYTES);
const _: () = assert!(
    ENTRY_ROOM_BYTES < REQUEST_BYTES_MAX,
    "the largest envelope must be submittable"
);
const _: () = assert!(ENTRY_ROOM_BYTES < REPLY_BYTES_MAX && BLOCK_ROOM_BYTES < REPLY_BYTES_MAX);
const _: () = assert!(
    widen(ledger::LOG_BYTES_PER_BLOCK_MAX)
        + widen(ledger::LOG_ENTRIES_PER_BLOCK_MAX) * AROUND_ENTRY_BYTES
        + widen(ledger::LADDER_STEPS_MAX) * LADDER_STEP_ROOM_BYTES
        + (ledger::MAP_DEPTH_MAX + ledger::TREE_LEVELS_MAX) * 32
        + HEADER_ROOM_BYTES
        + CERTIFICATE_ROOM_BYTES
        < REPLY_BYTES_MAX,
    "what one block adds to a log must be pushable with its proof"
);
const _: () = assert!(
    ENTRIES_PER_REPLY_MAX * (ledger::SIGNED_HEADER_BYTES + AROUND_ENTRY_BYTES) < REPLY_BYTES_MAX / 2,
    "entries without bodies must fit as many as may be asked for"
);
const _: () = assert!(HEADERS_PER_REPLY_MAX * HEADER_ROOM_BYTES < REPLY_BYTES_MAX);
const _: () = assert!(LOGS_PER_SUBSCRIPTION_MAX * 40 < REQUEST_BYTES_MAX / 4);
const _: () = assert!(BEACON_WAIT_MS_MAX * 3 <= ledger::FRESH_MS);

// ---- What one connection may have open (part of the protocol: an honest client keeps to it by itself) -------------

/// Requests of one connection that are not yet answered. Enough to fill a link of 100 ms and 20 MB/s with small
/// requests; more would only queue.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;

/// Subscriptions of one connection: one that changes with the list of channels, and its successor, and the same for a
/// second program behind the same connection.
pub const SUBSCRIPTIONS_MAX: usize = 4;

/// Bytes of requests that one connection has under way, from the first byte sent to the answer. Two of the largest, so
/// that one can travel while the other is served. An honest client keeps to it by itself: a node reads no further than
/// this, and what it does not read would fill QUIC's window and keep back what it waits for.
pub const CONNECTION_REQUEST_BYTES_MAX: usize = 2 << 20;

/// Open streams at which a peer is told that it has too many and is dropped. Twice what it may use, because the end of
/// a cancelled request may arrive after the beginning of the next.
pub const STREAMS_TOLERATED_MAX: usize = 2 * (REQUESTS_IN_FLIGHT_MAX + SUBSCRIPTIONS_MAX);

/// Streams that QUIC itself lets a peer open. A few more than are tolerated, so that who takes them can be told so; who
/// takes more than these breaks QUIC and is dropped by it.
pub const STREAMS_GRANTED: u32 = 160;

const _: () = assert!(STREAMS_TOLERATED_MAX < widen(STREAMS_GRANTED));

/// A connection on which nothing was heard for so long is over.
pub const IDLE_MS: u64 = 30_000;

/// When a client that waits says that it is still there, as a share of that time: twice before the connection would end,
/// and rarely enough for a phone.
pub const KEEP_ALIVE_PERCENT: u32 = 40;

const _: () = assert!(KEEP_ALIVE_PERCENT * 2 < 100);

// ---- What one node lets others cost it (defaults; an operator may choose others) ----------------------------------

/// Connections of everybody. Each may make QUIC hold two windows.
pub const CONNECTIONS_MAX: usize = 1024;

/// Connections beside those that are kept for validators, one for each that has shown its vote key: 32 addresses can take
/// every place that is for everybody, and a committee that cannot meet decides nothing. As many as vote now and may vote
/// in the next term, so there is always one.
pub const CONNECTIONS_KEPT_MAX: usize = 2 * widen(ledger::COMMITTEE_MAX);

/// Connections from one address (an IPv4 address, or the /64 that one IPv6 subscriber gets). An identity costs nothing,
/// an address does, so addresses are what is counted.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 32;

/// Connections that an address may begin in a second, after a burst. A handshake costs half a millisecond of one core.
pub const ATTEMPTS_PER_SECOND: u32 = 8;

/// Connections that an address may begin at once.
pub const ATTEMPTS_BURST: u32 = 64;

/// Handshakes under way in all, and connections that came when all places were taken and have not shown yet who they are.
/// Beyond it the address that has most of them loses its oldest to a newcomer that has fewer, else newcomers are turned
/// away at the first packet. An address begins [`ATTEMPTS_PER_SECOND`], so even a hundred that push leave a newcomer 300 ms
/// to show who it is.
pub const HANDSHAKES_MAX: usize = 256;

/// Handshakes under way at which a newcomer must first prove that it receives packets at its address (QUIC Retry),
/// which costs the node nothing to remember.
pub const HANDSHAKES_UNPROVEN_MAX: usize = 32;

/// Time for a handshake: four round trips of half a second, and loss.
pub const HANDSHAKE_MS: u64 = 5_000;

/// Time for a connection that has no place to show who it is: a round trip of half a second, and loss. A stranger has no
/// kept place for a moment, and none on the threshold for longer than this.
pub const HELLO_MS: u64 = 2_000;

/// Connections that are brought up only to say why they are not wanted, in a second. Who comes beyond that is turned
/// away at the first packet, without a reason: explaining must not cost more than serving.
pub const EXPLANATIONS_PER_SECOND: u32 = 16;

/// What QUIC may hold for a peer that sends out of order: 20 MB/s at 100 ms.
pub const RECEIVE_WINDOW_BYTES: u32 = 2 << 20;

/// What QUIC may hold for a peer that does not confirm what it got: likewise.
pub const SEND_WINDOW_BYTES: u32 = 2 << 20;

const _: () = assert!(
    REQUEST_BYTES_MAX <= widen(RECEIVE_WINDOW_BYTES),
    "a request must not need two windows"
);

/// Replies to one connection that are being written, in bytes. Beyond it the connection waits.
pub const CONNECTION_REPLY_BYTES_MAX: usize = 6 << 20;

/// The same for all connections together. Beyond it requests are refused as [`crate::wire::Refusal::Busy`].
pub const SERVER_REQUEST_BYTES_MAX: usize = 128 << 20;

/// The same for all connections together.
pub const SERVER_REPLY_BYTES_MAX: usize = 384 << 20;

const _: () = assert!(REQUEST_BYTES_MAX <= CONNECTION_REQUEST_BYTES_MAX);
const _: () = assert!(REPLY_BYTES_MAX < CONNECTION_REPLY_BYTES_MAX);
const _: () = assert!(
    CONNECTIONS_PER_ADDRESS_MAX * CONNECTION_REQUEST_BYTES_MAX * 2 <= SERVER_REQUEST_BYTES_MAX
        && CONNECTIONS_PER_ADDRESS_MAX * CONNECTION_REPLY_BYTES_MAX * 2 <= SERVER_REPLY_BYTES_MAX
        && CONNECTIONS_PER_ADDRESS_MAX * STREAMS_TOLERATED_MAX * 2 <= REQUESTS_SERVED_MAX
        && CONNECTIONS_PER_ADDRESS_MAX * 2 <= CONNECTIONS_MAX,
    "one address alone must not be able to make the node refuse others"
);

/// Requests being served in all, whether or not who asked is still there. A task that waits takes a few kilobytes.
pub const REQUESTS_SERVED_MAX: usize = 16_384;

/// The share of validators that may be hostile, and use up all that they may.
const HOSTILE_VALIDATORS_MAX: usize = widen(ledger::COMMITTEE_MAX) / 3;

/// What connections with a kept place hold together, apart from what everybody holds: two addresses that send slowly and
/// read nothing can take all of that. A third of the committee can not take all of this.
pub const KEPT_REQUEST_BYTES_MAX: usize = 72 << 20;

/// The same for replies.
pub const KEPT_REPLY_BYTES_MAX: usize = 216 << 20;

/// The same for requests being served.
pub const KEPT_REQUESTS_SERVED_MAX: usize = 6_144;

const _: () = assert!(
    HOSTILE_VALIDATORS_MAX * CONNECTION_REQUEST_BYTES_MAX < KEPT_REQUEST_BYTES_MAX
        && HOSTILE_VALIDATORS_MAX * CONNECTION_REPLY_BYTES_MAX < KEPT_REPLY_BYTES_MAX
        && HOSTILE_VALIDATORS_MAX * STREAMS_TOLERATED_MAX < KEPT_REQUESTS_SERVED_MAX,
    "hostile validators must not be able to make the node refuse the others"
);
const _: () = assert!(
    (CONNECTIONS_MAX + CONNECTIONS_KEPT_MAX + HANDSHAKES_MAX) * STREAMS_TOLERATED_MAX * HELLO_FRAME_BYTES_MAX
        < SERVER_REQUEST_BYTES_MAX / 2,
    "frames as short as a hello are bounded by streams alone, and must stay small beside what is counted"
);

/// Time for the first bytes of a request to become a whole one, and for a reply to be taken, before its length counts.
pub const TRANSFER_MS: u64 = 10_000;

/// The slowest transfer that is waited for: a bad mobile link.
pub const TRANSFER_BYTES_PER_SECOND: u32 = 16 << 10;

/// Requests of one address in a second, after a burst; requests that read much from disk count several times
/// ([`crate::wire::Request::cost`]).
pub const REQUESTS_PER_SECOND: u32 = 4000;

/// Requests of one address at once.
pub const REQUESTS_BURST: u32 = 8000;

/// Requests in a row that a connection may send although it is told each time to wait; then it is dropped.
pub const REFUSALS_IN_A_ROW_MAX: u32 = 256;

const _: () = assert!(
    widen(REFUSALS_IN_A_ROW_MAX) > STREAMS_TOLERATED_MAX,
    "one round trip must not be enough"
);

/// A `u32` as a `usize` where a constant is needed.
#[expect(
    clippy::as_conversions,
    reason = "From is not const; usize has at least 32 bits wherever tokio runs"
)]
const fn widen(value: u32) -> usize {
    value as usize
}
