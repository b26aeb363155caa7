//! Waiting for a condition that can only be looked at, not be told of: a page of a node, a file, a process that is gone.
//!
//! The pause between two looks costs a few milliseconds at most and decides nothing; the bound only ends a test that
//! would never end.

use std::thread;
use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks before a condition counts as one that never comes: a minute on a machine that does nothing else.
const LOOKS: u32 = 6_000;

/// Looks until there is something to see, and returns it.
///
/// # Panics
/// If it never comes.
#[expect(clippy::panic, reason = "the test fails here")]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(seen) = look() {
            return seen;
        }
        thread::sleep(PAUSE);
    }
    panic!("it never came to this: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looking_ends_with_the_first_sight() {
        let mut looks = 0;
        let seen = until("three looks", || {
            looks += 1;
            (looks == 3).then_some("it")
        });
        assert_eq!((seen, looks), ("it", 3));
    }
}
