//! The one source of chance of a run: ChaCha8, whose stream a seed determines on every machine and in every year.
//!
//! Whatever is drawn is drawn from here, in the order in which things happen. So a seed is a whole run, and a failure
//! replays from the seed alone.

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, SeedableRng as _};

/// A stream of choices.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Spelt out rather than left to the crate, whose way to spread a number over a seed may change.
        let mut bytes = [0; 32];
        for (byte, from) in bytes.iter_mut().zip(seed.to_be_bytes()) {
            *byte = from;
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// A number below `limit`; 0 if there is none. The bias is far below what any run could notice.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64().checked_rem(limit).unwrap_or(0)
    }

    /// A number from `least` up to but without `end`; `least` if there is none.
    pub fn between(&mut self, least: u64, end: u64) -> u64 {
        least + self.below(end.saturating_sub(least))
    }

    /// True in so many of a thousand cases.
    pub fn permille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// True once in `times` on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A place in something of this length.
    pub fn place(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(length)).unwrap_or(0)
    }

    /// One of these; `None` if there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let place = self.place(choices.len());
        choices.get(place)
    }

    /// The same things in another order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = self.place(last + 1);
            things.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut chance = Chance::new(7);
        let drawn: Vec<u64> = (0..4).map(|_| chance.below(1_000_000)).collect();
        assert_eq!(drawn, [394_057, 165_398, 725_923, 415_182]);
    }

    #[test]
    fn choices_reach_both_ends_and_nothing_beyond() {
        let mut chance = Chance::new(1);
        let drawn: Vec<u64> = (0..200).map(|_| chance.between(3, 6)).collect();
        assert!((3..6).all(|number| drawn.contains(&number)) && drawn.iter().all(|number| (3..6).contains(number)));
        assert_eq!((chance.below(0), chance.between(5, 5)), (0, 5));
        assert_eq!(chance.pick::<u8>(&[]), None);
        let mut things: Vec<u8> = (0..20).collect();
        chance.shuffle(&mut things);
        assert!(!things.is_sorted());
        things.sort_unstable();
        assert!(things.iter().copied().eq(0..20));
    }
}
