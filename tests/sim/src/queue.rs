//! What will happen, in order: by time, and among things of one time by when they were planned.

use std::collections::BTreeMap;

use crate::time::Micros;

/// Things to come.
#[derive(Debug)]
pub struct Queue<T> {
    now: Micros,
    planned: u64,
    coming: BTreeMap<(Micros, u64), T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            now: 0,
            planned: 0,
            coming: BTreeMap::new(),
        }
    }
}

impl<T> Queue<T> {
    /// The time of the newest thing that happened.
    #[must_use]
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// Plans something for a time; for now if that has passed.
    pub fn at(&mut self, time: Micros, what: T) {
        self.planned += 1;
        self.coming.insert((time.max(self.now), self.planned), what);
    }

    /// Plans something for later.
    pub fn after(&mut self, delay: Micros, what: T) {
        self.at(self.now.saturating_add(delay), what);
    }

    /// The next thing that happens, not later than `end`.
    pub fn next(&mut self, end: Micros) -> Option<T> {
        let first = self.coming.first_entry()?;
        if first.key().0 > end {
            return None;
        }
        self.now = first.key().0;
        Some(first.remove())
    }

    /// Cancels what does not count any more.
    pub fn retain(&mut self, counts: impl Fn(&T) -> bool) {
        self.coming.retain(|_, what| counts(what));
    }

    /// Everything to come.
    pub fn coming(&self) -> impl Iterator<Item = &T> {
        self.coming.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_by_time_and_then_as_planned() {
        let mut queue = Queue::default();
        queue.at(5, 'b');
        queue.at(3, 'a');
        queue.at(5, 'c');
        queue.at(9, 'd');
        assert_eq!((queue.next(5), queue.now()), (Some('a'), 3));
        queue.at(1, 'e');
        queue.after(1, 'f');
        let rest: Vec<char> = std::iter::from_fn(|| queue.next(5)).collect();
        assert_eq!((rest, queue.now()), (vec!['e', 'f', 'b', 'c'], 5));
        assert_eq!(queue.coming().count(), 1);
    }
}
