//! Turns at the disk: so many at once, and few of them for one address, so that nobody waits behind all that somebody else
//! asks for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{TURNS_PER_ADDRESS, TURNS_REMEMBERED};

/// The turns.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    by_address: Mutex<BTreeMap<IpAddr, Weak<Semaphore>>>,
}

/// A turn. Given up by being dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _all: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
    /// Kept until after the permit, so that whoever asks meanwhile waits at the same.
    _address: Arc<Semaphore>,
}

impl Turns {
    /// So many at once.
    pub(super) fn new(at_once: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(at_once)),
            by_address: Mutex::default(),
        }
    }

    /// Waits for a turn: first for one of those of the address, then for one of all.
    pub(super) async fn take(&self, address: IpAddr) -> Turn {
        let here = self.of(address);
        // Neither is ever closed; a turn without permits would only be one more.
        let own = Arc::clone(&here).acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn {
            _all: all,
            _own: own,
            _address: here,
        }
    }

    fn of(&self, address: IpAddr) -> Arc<Semaphore> {
        // A map of references: no half-made change can be in it.
        let mut known = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = known.get(&address).and_then(Weak::upgrade) {
            return here;
        }
        if known.len() >= TURNS_REMEMBERED {
            known.retain(|_, here| here.strong_count() > 0);
        }
        let here = Arc::new(Semaphore::new(TURNS_PER_ADDRESS));
        known.insert(address, Arc::downgrade(&here));
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::net::Ipv4Addr;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    fn now(turns: &Turns, who: u32) -> Option<Turn> {
        match pin!(turns.take(address(who))).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn an_address_has_few_turns_however_many_are_free() {
        let turns = Turns::new(8);
        let first: Vec<_> = (0..10).filter_map(|_| now(&turns, 1)).collect();
        assert_eq!(first.len(), TURNS_PER_ADDRESS);
        assert!(now(&turns, 2).is_some(), "others do not wait for it");
        drop(first);
        assert!(now(&turns, 1).is_some());
    }

    #[test]
    fn no_more_have_a_turn_than_the_disk_is_to_be_asked_by() {
        let turns = Turns::new(4);
        let held: Vec<_> = (0..10).filter_map(|who| now(&turns, who)).collect();
        assert_eq!(held.len(), 4);
        assert!(now(&turns, 11).is_none());
        drop(held);
        assert!(now(&turns, 11).is_some());
    }

    #[test]
    fn addresses_at_rest_are_forgotten() {
        let turns = Turns::new(4);
        for who in 0..5000 {
            drop(now(&turns, who));
        }
        assert!(turns.by_address.lock().unwrap().len() <= TURNS_REMEMBERED);
    }
}
