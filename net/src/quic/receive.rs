//! From a stream to a request: the only place where a stranger's bytes are waited for, and so the place where waiting
//! has an end.
//!
//! ```text
//! stream ── 4 bytes ──> length ── reserve memory ──> payload ── end of stream ──> decode ──> count ──> Request
//!              └─ time ─┘            (waits)            └─ time + length / slowest rate ─┘
//! ```

use std::num::NonZeroU32;

use quinn::{ReadError, RecvStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::budget::{Full, Hold};
use super::close::CloseCode;
use super::peer::{BUSY, Peer};
use crate::wire::limits::{HELLO_FRAME_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::wire::{FrameError, FrameReader, Refusal, Request, codec};

/// A request and what it holds until it is answered.
pub(super) struct Received {
    pub(super) request: Request,
    pub(super) held: Held,
}

/// Memory and a place that a request takes. Given back by being dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) request: Hold,
    pub(super) reply: Hold,
    /// Nothing for a hello.
    pub(super) served: Option<OwnedSemaphorePermit>,
}

/// Why a stream brings no request.
pub(super) enum Trouble {
    /// The peer thought better of it, or is gone.
    Cancelled,
    /// Not now, or not for you: an answer.
    Refused(Refusal),
    /// The peer breaks the protocol: the connection ends.
    Broke(CloseCode),
}

/// Reads the one request that a stream carries.
pub(super) async fn receive(peer: &Peer, stream: &mut RecvStream) -> Result<Received, Trouble> {
    // Streams that never bring a request count as well, so the first unit is paid in advance.
    peer.may_ask(NonZeroU32::MIN).map_err(Trouble::Refused)?;
    let (payload, request_hold) = arrive(peer, stream).await?;
    let request: Request = codec::decode(&payload).map_err(|_| Trouble::Broke(CloseCode::Malformed))?;
    drop(payload);
    if let Some(rest) = NonZeroU32::new(request.cost().get() - 1) {
        peer.may_ask(rest).map_err(Trouble::Refused)?;
    }
    let no_room = || Trouble::Refused(peer.shared.no_room());
    // Strangers can hold everything that is shared; whoever shows a key for which a place is kept must be heard all the
    // same. A hello is answered or refused at once, and the streams of its connection bound how many there are.
    let pool = (!matches!(request, Request::Order { .. })).then(|| peer.pool());
    let served = pool.map(|pool| pool.served.clone().try_acquire_owned());
    let served = served.transpose().map_err(|_| no_room())?;
    let reply = peer
        .replies
        .reserve(request.reply_bytes(), pool.map(|pool| &pool.reply_bytes))
        .await
        .map_err(|Full| no_room())?;
    Ok(Received {
        request,
        held: Held {
            request: request_hold,
            reply,
            served,
        },
    })
}

/// Waits for one whole frame and the end of the stream.
async fn arrive(peer: &Peer, stream: &mut RecvStream) -> Result<(Vec<u8>, Hold), Trouble> {
    let limits = &peer.shared.limits;
    let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
    let mut deadline = Instant::now() + limits.transfer_time;
    let mut hold = None;
    let mut payload = None;
    loop {
        let chunk = timeout_at(deadline, stream.read_chunk(usize::MAX, true))
            .await
            .map_err(|_| Trouble::Broke(CloseCode::TooSlow))?;
        let chunk = match chunk {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(ReadError::IllegalOrderedRead) => return Err(Trouble::Broke(CloseCode::Broken)),
            Err(_) => return Err(Trouble::Cancelled),
        };
        let mut bytes = &chunk.bytes[..];
        let complete = reader.feed(&mut bytes).map_err(broke)?;
        if payload.is_some() || !bytes.is_empty() {
            // A second request on the same stream: the first one's answer would have nowhere to end.
            return Err(Trouble::Broke(CloseCode::Malformed));
        }
        payload = complete;
        if hold.is_none()
            && let Some(length) = payload.as_ref().map(Vec::len).or(reader.expects())
        {
            // An honest peer has no more under way than it may; only what is not yet given back of its last request can
            // make it wait. That is not its slowness, so the time to send the rest begins afterwards.
            let shared = (length > HELLO_FRAME_BYTES_MAX).then(|| &peer.pool().request_bytes);
            let reserved = peer.requests.reserve(length, shared).await;
            hold = Some(reserved.map_err(|Full| Trouble::Refused(BUSY))?);
            deadline = Instant::now() + limits.time_for(length);
        }
    }
    payload.zip(hold).ok_or(Trouble::Broke(CloseCode::HalfFrame))
}

const fn broke(error: FrameError) -> Trouble {
    match error {
        FrameError::Oversize { .. } => Trouble::Broke(CloseCode::Oversize),
        FrameError::Empty => Trouble::Broke(CloseCode::Malformed),
        FrameError::Half => Trouble::Broke(CloseCode::HalfFrame),
    }
}
