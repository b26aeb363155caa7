//! From an answer to a stream: one reply, or a reply and pushes. Whoever does not read what it asked for is dropped.

use std::sync::Arc;

use bytes::Bytes;
use quinn::SendStream;
use tokio::time::timeout;

use super::budget::Hold;
use super::close::CloseCode;
use super::gate::KeptPlace;
use super::peer::{BUSY, Peer, Slot};
use super::receive::Held;
use crate::wire::{Push, Refusal, Reply, Response, frame};

/// QUIC sends streams of a higher priority first; all others have 0.
const URGENT: i32 = 1;

/// The peer is no longer there, or no longer interested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the peer is gone or no longer interested")
    }
}

impl std::error::Error for Gone {}

/// The right, and the duty, to answer one request. Dropped without an answer it tells the peer that there is none.
#[derive(Debug)]
pub struct Responder {
    line: Line,
    held: Held,
}

impl Responder {
    pub(super) const fn new(line: Line, held: Held) -> Self {
        Self { line, held }
    }

    /// Answers. Returns when everything is on its way, or the peer turned out not to want it.
    pub async fn answer(self, response: Response) {
        self.reply(Ok(response)).await;
    }

    /// Says why there is no answer.
    pub async fn refuse(self, refusal: Refusal) {
        self.reply(Err(refusal)).await;
    }

    /// Answers either way.
    pub async fn reply(mut self, reply: Reply) {
        let Held {
            request,
            reply: mut room,
            served,
        } = self.held;
        // Whoever sees the answer may send the next request at once, so this one must be forgotten before.
        drop(request);
        let mut bytes = encoded(&reply);
        drop(reply);
        // What was set aside is a guess; a reply that is larger than there is room for must not be kept waiting in
        // memory, it can be made again.
        if self.line.peer.replies.grow(&mut room, bytes.len()).is_err() {
            bytes = encoded(&Err(BUSY));
        }
        if self.line.write(bytes).await.is_ok() {
            self.line.finish();
        }
        drop((room, served));
    }

    /// Says that the peer is one for whom a place is kept, under the name of `owner`: as long as what is returned lives, its
    /// connection takes no place, memory or turn of everybody's. An owner has one place; whoever is vouched for last has
    /// it. `None` if there are more owners than such places: then the connection stays what it is.
    #[must_use]
    pub fn keep_place(&self, owner: [u8; 32]) -> Option<KeptPlace> {
        self.line.peer.keep_place(owner)
    }

    /// Accepts a subscription. What the request held is given back, the stream stays open for pushes.
    ///
    /// # Errors
    /// If the peer has too many subscriptions, which it is told, or is gone.
    pub async fn subscribe(mut self) -> Result<Pushes, Gone> {
        let Some(slot) = self.line.peer.subscription() else {
            self.refuse(Refusal::TooManySubscriptions).await;
            return Err(Gone);
        };
        self.line.write(encoded(&Ok(Response::Subscribed))).await?;
        Ok(Pushes {
            line: self.line,
            _slot: slot,
        })
    }
}

/// An open subscription. Dropped without [`Pushes::end`] it tells the peer that the node failed.
#[derive(Debug)]
pub struct Pushes {
    line: Line,
    _slot: Slot,
}

impl Pushes {
    /// From now on what is pushed here goes before everything else on this connection: a vote must not wait behind a
    /// block of two megabytes that somebody reads.
    pub fn make_urgent(&self) {
        // It fails only for a stream that is over, which the next push finds out.
        let _ = self.line.stream.set_priority(URGENT);
    }

    /// Sends one push. Waits while the subscriber reads slowly; one that does not read at all is dropped.
    ///
    /// # Errors
    /// If the subscriber is gone.
    pub async fn send(&mut self, push: &Push) -> Result<(), Gone> {
        let Ok(bytes) = frame(push) else {
            // Larger than a frame: our own fault, which the subscriber can repair by asking for the range.
            let lagged = frame(&Push::Lagged { left_out: 1 }).map_err(|_| Gone)?;
            return self.line.write(lagged).await;
        };
        let peer = self.line.peer.clone();
        let _hold = self.room(&peer, bytes.len()).await?;
        self.line.write(bytes).await
    }

    /// Ends the subscription and says why.
    pub async fn end(mut self, refusal: Refusal) {
        if self.send(&Push::Ended(refusal)).await.is_ok() {
            self.line.finish();
        }
    }

    /// Waits until the subscriber has ended the subscription or is gone.
    pub async fn gone(&mut self) {
        let _ = self.line.stream.stopped().await;
    }

    /// Memory for a push, within the time for a push.
    async fn room(&self, peer: &Peer, bytes: usize) -> Result<Hold, Gone> {
        let reserve = peer.replies.reserve(bytes, Some(&peer.pool().reply_bytes));
        match timeout(peer.shared.limits.time_for(bytes), reserve).await {
            Ok(hold) => hold.map_err(|_| Gone),
            Err(_) => {
                peer.drop_for(CloseCode::NotReading);
                Err(Gone)
            }
        }
    }
}

fn encoded(reply: &Reply) -> Bytes {
    // A reply that does not fit its frame is a fault of the service, not of the peer.
    frame(reply)
        .or_else(|_| frame::<Reply>(&Err(Refusal::Broken)))
        .unwrap_or_default()
}

/// The answering direction of a stream.
#[derive(Debug)]
pub(super) struct Line {
    peer: Arc<Peer>,
    stream: SendStream,
    slot: Option<Slot>,
    finished: bool,
}

impl Line {
    pub(super) const fn new(peer: Arc<Peer>, stream: SendStream, slot: Slot) -> Self {
        Self {
            peer,
            stream,
            slot: Some(slot),
            finished: false,
        }
    }

    /// Sends a refusal that no service has seen.
    pub(super) async fn refuse(mut self, refusal: Refusal) {
        self.peer.shared.tally.count(|counts| counts.refused += 1);
        if self.write(encoded(&Err(refusal))).await.is_ok() {
            self.finish();
        }
    }

    /// Nobody waits for an answer any more.
    pub(super) fn forget(mut self) {
        self.finished = true;
        let _ = self.stream.reset(CloseCode::Done.var_int());
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Gone> {
        let time = self.peer.shared.limits.time_for(bytes.len());
        match timeout(time, self.stream.write_chunk(bytes)).await {
            Ok(written) => written.map_err(|_| Gone),
            Err(_) => {
                self.peer.drop_for(CloseCode::NotReading);
                Err(Gone)
            }
        }
    }

    fn finish(mut self) {
        // First the place, then the end: who sees the end may open the next stream at once.
        self.slot = None;
        self.finished = self.stream.finish().is_ok();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.finished {
            // Without this QUIC would end the stream in good order, as if a half answer were a whole one.
            let _ = self.stream.reset(CloseCode::Broken.var_int());
        }
    }
}
