//! What an operator lets others cost a node. The defaults and their reasons are in [`crate::wire::limits`].

use std::num::NonZeroU32;
use std::time::Duration;

use crate::wire::limits as default;

/// Limits of a [`Server`](super::Server). They bound what the node spends, not what the protocol allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerLimits {
    /// Connections of everybody.
    pub connections: usize,
    /// Connections beside those, each of somebody whom the service vouches for ([`Responder::keep_place`]).
    ///
    /// [`Responder::keep_place`]: super::Responder::keep_place
    pub connections_kept: usize,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// Connections that one address may begin in a second.
    pub attempts_per_second: NonZeroU32,
    /// Connections that one address may begin at once.
    pub attempts_burst: NonZeroU32,
    /// Handshakes under way in all, and connections that have no place yet.
    pub handshakes: usize,
    /// Handshakes under way at which newcomers must prove their address first.
    pub handshakes_unproven: usize,
    /// Time for a handshake.
    pub handshake_time: Duration,
    /// Time for a connection that has no place to show who it is.
    pub hello_time: Duration,
    /// Unwanted connections that are told why, in a second.
    pub explanations_per_second: NonZeroU32,
    /// Silence after which a connection is over.
    pub idle: Duration,
    /// Requests of one address in a second.
    pub requests_per_second: NonZeroU32,
    /// Requests of one address at once.
    pub requests_burst: NonZeroU32,
    /// Requests being served in all.
    pub requests_served: usize,
    /// Bytes of requests that are held for all connections together.
    pub request_bytes: usize,
    /// Bytes of replies that are held for all connections together.
    pub reply_bytes: usize,
    /// The three above for connections with a kept place, which share nothing with the others.
    pub kept: KeptLimits,
    /// Time for a request to arrive or a reply to be taken, before its length counts.
    pub transfer_time: Duration,
    /// Bytes that a slow peer gets a further second for.
    pub transfer_bytes_per_second: NonZeroU32,
}

/// What connections with a kept place may use together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptLimits {
    /// Requests being served.
    pub requests_served: usize,
    /// Bytes of requests.
    pub request_bytes: usize,
    /// Bytes of replies.
    pub reply_bytes: usize,
}

const fn per_second(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

impl ServerLimits {
    /// What a node uses if its operator sets nothing.
    pub const DEFAULT: Self = Self {
        connections: default::CONNECTIONS_MAX,
        connections_kept: default::CONNECTIONS_KEPT_MAX,
        connections_per_address: default::CONNECTIONS_PER_ADDRESS_MAX,
        attempts_per_second: per_second(default::ATTEMPTS_PER_SECOND),
        attempts_burst: per_second(default::ATTEMPTS_BURST),
        handshakes: default::HANDSHAKES_MAX,
        handshakes_unproven: default::HANDSHAKES_UNPROVEN_MAX,
        handshake_time: Duration::from_millis(default::HANDSHAKE_MS),
        hello_time: Duration::from_millis(default::HELLO_MS),
        explanations_per_second: per_second(default::EXPLANATIONS_PER_SECOND),
        idle: Duration::from_millis(default::IDLE_MS),
        requests_per_second: per_second(default::REQUESTS_PER_SECOND),
        requests_burst: per_second(default::REQUESTS_BURST),
        requests_served: default::REQUESTS_SERVED_MAX,
        request_bytes: default::SERVER_REQUEST_BYTES_MAX,
        reply_bytes: default::SERVER_REPLY_BYTES_MAX,
        kept: KeptLimits {
            requests_served: default::KEPT_REQUESTS_SERVED_MAX,
            request_bytes: default::KEPT_REQUEST_BYTES_MAX,
            reply_bytes: default::KEPT_REPLY_BYTES_MAX,
        },
        transfer_time: Duration::from_millis(default::TRANSFER_MS),
        transfer_bytes_per_second: per_second(default::TRANSFER_BYTES_PER_SECOND),
    };

    /// How long so many bytes may take.
    pub(super) fn time_for(&self, bytes: usize) -> Duration {
        let seconds = bytes / usize::try_from(self.transfer_bytes_per_second.get()).unwrap_or(usize::MAX);
        self.transfer_time + Duration::from_secs(seconds.try_into().unwrap_or(u64::MAX))
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
