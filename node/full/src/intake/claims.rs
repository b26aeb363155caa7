//! Envelopes whose signatures are being checked at this moment, so that none is checked on two threads.
//!
//! The same envelope may come from its sender and from another validator within a millisecond; the pool knows it only when
//! the check is done. Nobody waits for a claim on a thread that checks: the one that holds it might be waiting, further down
//! on the same stack, for that very thread.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use waxwing_core::Hash;

/// Stamps of what is being checked.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    stamps: Mutex<HashSet<Hash>>,
    released: Notify,
}

/// The right to check an envelope, until the pool knows what came of it. Given back by being dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    stamp: Hash,
}

impl Claims {
    fn stamps(&self) -> MutexGuard<'_, HashSet<Hash>> {
        // Single insertions and removals.
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims an envelope; `None` if somebody else is at it.
    pub(super) fn claim(self: &Arc<Self>, stamp: Hash) -> Option<Claim> {
        let is_free = self.stamps().insert(stamp);
        is_free.then(|| Claim {
            claims: Arc::clone(self),
            stamp,
        })
    }

    /// Waits until none of these is being checked.
    pub(super) async fn free(&self, stamps: &[Hash]) {
        loop {
            let mut released = std::pin::pin!(self.released.notified());
            // Before looking, or a release between looking and waiting would be missed.
            released.as_mut().enable();
            let is_free = {
                let claimed = self.stamps();
                !stamps.iter().any(|stamp| claimed.contains(stamp))
            };
            if is_free {
                return;
            }
            released.await;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.stamps().remove(&self.stamp);
        self.claims.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_envelope_is_checked_by_one_at_a_time_and_the_others_wait_for_the_outcome() {
        let claims = Arc::new(Claims::default());
        let (one, other) = (Hash([1; 32]), Hash([2; 32]));
        let claim = claims.claim(one).unwrap();
        assert!(claims.claim(one).is_none());
        let beside = claims.claim(other).unwrap();
        let both = [one, other];
        let mut waiting = Box::pin(claims.free(&both));
        tokio::select! {
            biased;
            () = &mut waiting => panic!("both are being checked"),
            () = std::future::ready(()) => {}
        }
        drop(claim);
        drop(beside);
        waiting.await;
        assert!(claims.claim(one).is_some());
    }
}
