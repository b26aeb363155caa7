//! How much memory a conversation may take: bytes are reserved before they are held, and given back by being dropped.
//!
//! Two bounds apply to every reservation. The connection's own makes *it* wait: whoever asks for much at once is slowed
//! down and harms nobody. The server's, shared by many, makes requests be refused as busy: waiting there would only move
//! the queue into memory. One address alone cannot exhaust it (see the assertion in [`crate::wire::limits`]). Connections
//! with a kept place share one of their own, which strangers cannot touch.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Those who share hold as much as they may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// What one connection may hold of one kind.
#[derive(Debug)]
pub(super) struct Budget {
    own: Arc<Semaphore>,
    own_max: usize,
}

/// A reservation.
#[derive(Debug)]
pub(super) struct Hold {
    own: OwnedSemaphorePermit,
    /// Nothing for what is bounded otherwise.
    shared: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// `own` bytes for this connection.
    pub(super) fn new(own: usize) -> Self {
        Self {
            own: Arc::new(Semaphore::new(own)),
            own_max: own,
        }
    }

    /// Waits until the connection itself holds little enough, then asks for its part of what is shared, if it is.
    pub(super) async fn reserve(&self, bytes: usize, shared: Option<&Arc<Semaphore>>) -> Result<Hold, Full> {
        let permits = self.permits(bytes);
        let own = self.own.clone().acquire_many_owned(permits).await.map_err(|_| Full)?;
        let shared = shared.map(|shared| shared.clone().try_acquire_many_owned(permits));
        Ok(Hold {
            own,
            shared: shared.transpose().map_err(|_| Full)?,
        })
    }

    /// Makes `hold` cover `bytes`, if that is possible at once.
    pub(super) fn grow(&self, hold: &mut Hold, bytes: usize) -> Result<(), Full> {
        let more = self.permits(bytes.saturating_sub(hold.own.num_permits()));
        let own = self.own.clone().try_acquire_many_owned(more).map_err(|_| Full)?;
        if let Some(held) = &mut hold.shared {
            // Whoever was vouched for meanwhile still holds this of what it took it from.
            let shared = held.semaphore().clone().try_acquire_many_owned(more);
            held.merge(shared.map_err(|_| Full)?);
        }
        hold.own.merge(own);
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

    fn budget(own: usize, shared: usize) -> (Budget, Arc<Semaphore>) {
        (Budget::new(own), Arc::new(Semaphore::new(shared)))
    }

    #[tokio::test]
    async fn a_connection_waits_for_itself_and_goes_on_when_something_is_given_back() {
        let (budget, shared) = budget(10, 100);
        let first = budget.reserve(6, Some(&shared)).await.unwrap();
        let mut second = Box::pin(budget.reserve(6, Some(&shared)));
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
        let (one, shared) = budget(8, 10);
        let (other, apart) = budget(8, 10);
        let held = one.reserve(8, Some(&shared)).await.unwrap();
        assert_eq!(other.reserve(3, Some(&shared)).await.unwrap_err(), Full);
        assert_eq!(other.own.available_permits(), 8);
        assert!(other.reserve(3, Some(&apart)).await.is_ok(), "shared with others");
        assert!(other.reserve(3, None).await.is_ok(), "bounded otherwise");
        drop(held);
        assert_eq!(shared.available_permits(), 10);
    }

    #[tokio::test]
    async fn a_hold_grows_only_as_far_as_there_is_room() {
        let (budget, shared) = budget(10, 100);
        let mut hold = budget.reserve(4, Some(&shared)).await.unwrap();
        assert_eq!(budget.grow(&mut hold, 9), Ok(()));
        assert_eq!(hold.own.num_permits(), 9);
        assert_eq!(budget.grow(&mut hold, 2), Ok(()), "less than it has");
        let other = budget.reserve(1, Some(&shared)).await.unwrap();
        assert_eq!(budget.grow(&mut hold, 10), Err(Full));
        assert_eq!(shared.available_permits(), 90);
        drop((hold, other));
        assert_eq!((budget.own.available_permits(), shared.available_permits()), (10, 100));
    }

    #[tokio::test]
    async fn a_wish_beyond_the_whole_budget_waits_for_all_of_it_instead_of_for_ever() {
        let (budget, shared) = budget(10, 100);
        assert_eq!(budget.reserve(50, Some(&shared)).await.unwrap().own.num_permits(), 10);
    }
}
