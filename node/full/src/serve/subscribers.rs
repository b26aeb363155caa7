//! Who follows which logs: told by the thread that applies a block, in time that does not depend on how slowly anybody
//! reads.
//!
//! A subscriber is not sent what happened; it is told *that* something happened to a log, and reads the rest itself when
//! its peer has taken the push before. So the memory of a subscription is bounded by the number of its logs, and a slow
//! reader gets larger pushes instead of a queue that overflows.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use waxwing_core::keys::LogId;
use waxwing_net::wire::Refusal;

/// Logs that all subscriptions together may follow: about a hundred megabytes.
const LOGS_MAX: usize = 1 << 19;

/// Logs that the subscriptions from one address may follow: an eighth, so that one address alone cannot use up what all
/// share.
const LOGS_PER_ADDRESS_MAX: usize = LOGS_MAX / 8;

/// When somebody should try again who found no room.
const RETRY_MS: u64 = 5000;

/// All subscriptions of a node.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    register: Mutex<Register>,
}

#[derive(Debug, Default)]
struct Register {
    by_log: HashMap<LogId, Vec<Arc<Due>>>,
    /// Logs followed from each address.
    by_address: HashMap<IpAddr, usize>,
    /// Logs followed in all.
    followed: usize,
}

/// What is counted as one address: an IPv4 address, or the /64 that one IPv6 subscriber gets.
pub(crate) fn subscriber_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// What a subscriber has not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Due {
    logs: Mutex<BTreeSet<LogId>>,
    wake: Notify,
}

impl Due {
    fn logs(&self) -> MutexGuard<'_, BTreeSet<LogId>> {
        lock(&self.logs)
    }

    /// Notes that there is something to look at.
    pub(super) fn add(&self, log: LogId) {
        self.logs().insert(log);
        self.wake.notify_one();
    }

    /// A log to look at.
    pub(super) fn take(&self) -> Option<LogId> {
        self.logs().pop_first()
    }

    /// Waits until there is something to look at.
    pub(super) async fn some(&self) {
        while self.logs().is_empty() {
            self.wake.notified().await;
        }
    }
}

/// A subscription's place in the register; given up by being dropped.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) due: Arc<Due>,
    subscribers: Arc<Subscribers>,
    address: IpAddr,
    logs: Vec<LogId>,
}

impl Subscribers {
    /// Registers a subscription. All its logs are due at once: they may have entries already.
    ///
    /// # Errors
    /// If this address, or all together, follow as many logs as they may.
    pub(super) fn register(self: &Arc<Self>, address: IpAddr, logs: Vec<LogId>) -> Result<Registered, Refusal> {
        let address = subscriber_of(address);
        let due = Arc::new(Due::default());
        let mut register = lock(&self.register);
        let here = register.by_address.get(&address).copied().unwrap_or(0) + logs.len();
        if here > LOGS_PER_ADDRESS_MAX {
            return Err(Refusal::TooManySubscriptions);
        }
        if register.followed + logs.len() > LOGS_MAX {
            return Err(Refusal::Busy {
                retry_after_ms: RETRY_MS,
            });
        }
        register.followed += logs.len();
        if here > 0 {
            register.by_address.insert(address, here);
        }
        for log in &logs {
            register.by_log.entry(*log).or_default().push(Arc::clone(&due));
        }
        drop(register);
        due.logs().extend(logs.iter().copied());
        Ok(Registered {
            due,
            subscribers: Arc::clone(self),
            address,
            logs,
        })
    }

    /// A block that is true now added to these logs.
    pub(crate) fn announce(&self, logs: &[LogId]) {
        let register = lock(&self.register);
        if register.by_log.is_empty() {
            return;
        }
        for log in logs {
            for due in register.by_log.get(log).into_iter().flatten() {
                due.add(*log);
            }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut register = lock(&self.subscribers.register);
        register.followed -= self.logs.len();
        if let Some(here) = register.by_address.get_mut(&self.address) {
            *here -= self.logs.len();
            if *here == 0 {
                register.by_address.remove(&self.address);
            }
        }
        for log in &self.logs {
            if let Some(followers) = register.by_log.get_mut(log) {
                followers.retain(|due| !Arc::ptr_eq(due, &self.due));
                if followers.is_empty() {
                    register.by_log.remove(log);
                }
            }
        }
    }
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    // Sets and lists that every line leaves whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn names(range: std::ops::Range<usize>) -> Vec<LogId> {
        let name = |number: usize| {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_be_bytes());
            LogId(name)
        };
        range.map(name).collect()
    }

    #[test]
    fn a_subscriber_is_told_of_its_own_logs_once_each_until_it_looks() {
        let subscribers = Arc::new(Subscribers::default());
        let [one, two, three] = [1, 2, 3].map(|number| LogId([number; 32]));
        let first = subscribers.register(HOME, vec![one, two]).unwrap();
        let second = subscribers.register(HOME, vec![two]).unwrap();
        assert_eq!(
            [first.due.take(), first.due.take(), first.due.take()],
            [Some(one), Some(two), None]
        );
        assert_eq!(second.due.take(), Some(two));
        subscribers.announce(&[two, three]);
        subscribers.announce(&[two]);
        assert_eq!([first.due.take(), first.due.take()], [Some(two), None]);
        drop(first);
        subscribers.announce(&[one, two]);
        assert_eq!([second.due.take(), second.due.take()], [Some(two), None]);
        drop(second);
        let register = lock(&subscribers.register);
        assert!(
            register.by_log.is_empty() && register.by_address.is_empty(),
            "nobody is left, nothing is kept"
        );
        assert_eq!(register.followed, 0);
    }

    #[test]
    fn an_address_has_its_share_and_cannot_take_that_of_others() {
        let subscribers = Arc::new(Subscribers::default());
        let address = |number: u8, host: u64| {
            let network = [0x2001, 0xdb8, 0, u16::from(number)];
            let bits = network.iter().fold(0_u128, |bits, part| bits << 16 | u128::from(*part)) << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits | u128::from(host)))
        };
        let mut held = vec![
            subscribers
                .register(address(0, 1), names(0..LOGS_PER_ADDRESS_MAX))
                .unwrap(),
        ];
        let more = subscribers.register(address(0, 2), names(0..1)).unwrap_err();
        assert_eq!(
            more,
            Refusal::TooManySubscriptions,
            "another host of the same subscriber"
        );
        for number in 1..8 {
            held.push(
                subscribers
                    .register(address(number, 1), names(0..LOGS_PER_ADDRESS_MAX))
                    .unwrap(),
            );
        }
        let full = subscribers.register(address(9, 1), names(0..1)).unwrap_err();
        assert_eq!(
            full,
            Refusal::Busy {
                retry_after_ms: RETRY_MS
            }
        );
        held.pop();
        assert!(subscribers.register(address(9, 1), names(0..1)).is_ok());
    }
}
