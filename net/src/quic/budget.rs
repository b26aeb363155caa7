//! How much memory a conversation may take: bytes are reserved before they are held, and given back by being dropped.
//!
//! Two bounds apply to every reservation. The connection's own makes *it* wait: whoever asks for much at once is slowed
//! down and harms nobody. The server's, shared by all, makes requests be refused as busy: waiting there would only move
//! the queue into memory. One address alone cannot exhaust it (see the assertion in [`crate::wire::limits`]).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All connections together hold as much as they may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// What one connection may hold of one kind.
#[derive(Debug)]
pub(super) struct Budget {
    own: Arc<Semaphore>,
    own_max: usize,
    shared: Arc<Semaphore>,
}

/// A reservation.
#[derive(Debug)]
pub(super) struct Hold {
    own: OwnedSemaphorePermit,
    shared: OwnedSemaphorePermit,
}

impl Budget {
    /// `own` bytes for this connection, out of what all share.
    pub(super) fn new(own: usize, shared: Arc<Semaphore>) -> Self {
        Self {
            own: Arc::new(Semaphore::new(own)),
            own_max: own,
            shared,
        }
    }

    /// Waits until the connection itself holds little enough, then asks for the shared part.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<Hold, Full> {
        let permits = self.permits(bytes);
        let own = self.own.clone().acquire_many_owned(permits).await.map_err(|_| Full)?;
        let shared = self.shared.clone().try_acquire_many_owned(permits).map_err(|_| Full)?;
        Ok(Hold { own, shared })
    }

    /// Makes `hold` cover `bytes`, if that is possible at once.
    pub(super) fn grow(&self, hold: &mut Hold, bytes: usize) -> Result<(), Full> {
        let more = self.permits(bytes.saturating_sub(hold.own.num_permits()));
        let own = self.own.clone().try_acquire_many_owned(more).map_err(|_| Full)?;
        let shared = self.shared.clone().try_acquire_many_owned(more).map_err(|_| Full)?;
        hold.own.merge(own);
        hold.shared.merge(shared);
        Ok(())
    }

    /// Nothing may need more than the connection has, or it would wait for ever.
    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.own_max)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(own: usize, shared: usize) -> Budget {
        Budget::new(own, Arc::new(Semaphore::new(shared)))
    }

    #[tokio::test]
    async fn a_connection_waits_for_itself_and_goes_on_when_something_is_given_back() {
        let budget = budget(10, 100);
        let first = budget.reserve(6).await.unwrap();
        let mut second = Box::pin(budget.reserve(6));
        tokio::select! {
            biased;
            _ = &mut second => panic!("ten bytes do not hold twice six"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        assert_eq!(second.await.unwrap().own.num_permits(), 6);
    }

    #[tokio::test]
    async fn what_all_share_is_refused_at_once_and_leaves_nothing_reserved() {
        let shared = Arc::new(Semaphore::new(10));
        let (one, other) = (Budget::new(8, shared.clone()), Budget::new(8, shared.clone()));
        let held = one.reserve(8).await.unwrap();
        assert_eq!(other.reserve(3).await.unwrap_err(), Full);
        assert_eq!(other.own.available_permits(), 8);
        drop(held);
        assert_eq!(shared.available_permits(), 10);
    }

    #[tokio::test]
    async fn a_hold_grows_only_as_far_as_there_is_room() {
        let budget = budget(10, 100);
        let mut hold = budget.reserve(4).await.unwrap();
        assert_eq!(budget.grow(&mut hold, 9), Ok(()));
        assert_eq!(hold.own.num_permits(), 9);
        assert_eq!(budget.grow(&mut hold, 2), Ok(()), "less than it has");
        let other = budget.reserve(1).await.unwrap();
        assert_eq!(budget.grow(&mut hold, 10), Err(Full));
        drop((hold, other));
        assert_eq!(budget.own.available_permits(), 10);
    }

    #[tokio::test]
    async fn a_wish_beyond_the_whole_budget_waits_for_all_of_it_instead_of_for_ever() {
        let budget = budget(10, 100);
        assert_eq!(budget.reserve(50).await.unwrap().own.num_permits(), 10);
    }
}
