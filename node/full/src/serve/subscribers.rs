//! Who follows which logs: told by the thread that applies a block, in time that does not depend on how slowly anybody
//! reads.
//!
//! A subscriber is not sent what happened; it is told *that* something happened to a log, and reads the rest itself when
//! its peer has taken the push before. So the memory of a subscription is bounded by the number of its logs, and a slow
//! reader gets larger pushes instead of a queue that overflows.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use waxwing_core::keys::LogId;

/// All subscriptions of a node.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    by_log: Mutex<HashMap<LogId, Vec<Arc<Due>>>>,
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
    logs: Vec<LogId>,
}

impl Subscribers {
    /// Registers a subscription. All its logs are due at once: they may have entries already.
    pub(super) fn register(self: &Arc<Self>, logs: Vec<LogId>) -> Registered {
        let due = Arc::new(Due::default());
        let mut by_log = lock(&self.by_log);
        for log in &logs {
            by_log.entry(*log).or_default().push(Arc::clone(&due));
        }
        drop(by_log);
        due.logs().extend(logs.iter().copied());
        Registered {
            due,
            subscribers: Arc::clone(self),
            logs,
        }
    }

    /// A block that is true now added to these logs.
    pub(crate) fn announce(&self, logs: &[LogId]) {
        let by_log = lock(&self.by_log);
        if by_log.is_empty() {
            return;
        }
        for log in logs {
            for due in by_log.get(log).into_iter().flatten() {
                due.add(*log);
            }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut by_log = lock(&self.subscribers.by_log);
        for log in &self.logs {
            if let Some(followers) = by_log.get_mut(log) {
                followers.retain(|due| !Arc::ptr_eq(due, &self.due));
                if followers.is_empty() {
                    by_log.remove(log);
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

    #[test]
    fn a_subscriber_is_told_of_its_own_logs_once_each_until_it_looks() {
        let subscribers = Arc::new(Subscribers::default());
        let [one, two, three] = [1, 2, 3].map(|number| LogId([number; 32]));
        let first = subscribers.register(vec![one, two]);
        let second = subscribers.register(vec![two]);
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
        assert!(lock(&subscribers.by_log).is_empty(), "nobody is left, nothing is kept");
    }
}
