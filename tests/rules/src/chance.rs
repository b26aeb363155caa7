//! Random values that are the same on every machine and in every year.
//!
//! The formats are pinned by a hash over many generated values, so the generator must never change: not with the version
//! of a crate, not with the width of a word. It is the output stream of BLAKE3 over a seed, read in order. A failing law
//! replays from its seed alone.

/// A stream of random numbers that its seed determines.
pub struct Chance(blake3::OutputReader);

impl Chance {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("waxwing v1 test values");
        hasher.update(&seed.to_be_bytes());
        Self(hasher.finalize_xof())
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    /// A number below `limit`, or 0 if there is none. The bias is far below what any test could notice.
    pub fn below(&mut self, limit: u64) -> u64 {
        u64::from_be_bytes(self.array()).checked_rem(limit).unwrap_or(0)
    }

    /// A place in something of this length.
    pub fn place(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(length)).unwrap_or(0)
    }

    /// A number of any size: small ones and large ones are equally likely, and so are both ends.
    pub fn number(&mut self) -> u64 {
        match self.below(16) {
            0 => 0,
            1 => u64::MAX,
            _ => {
                let shift = self.below(64);
                u64::from_be_bytes(self.array()) >> shift
            }
        }
    }

    /// The same with 32 bits.
    pub fn number32(&mut self) -> u32 {
        match self.below(16) {
            0 => 0,
            1 => u32::MAX,
            _ => {
                let shift = self.below(32);
                u32::from_be_bytes(self.array()) >> shift
            }
        }
    }

    /// True once in `times` on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let place = self.place(choices.len());
        choices.get(place).expect("there is something to pick from")
    }

    /// As many values as `fewest` and up to `spread` more.
    pub fn list<T>(&mut self, fewest: u64, spread: u64, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = fewest + self.below(spread + 1);
        (0..count).map(|_| value(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_everything_and_another_seed_something_else() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (
                chance.array::<4>(),
                chance.below(1000),
                chance.number(),
                chance.bytes(3),
            )
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn numbers_stay_below_their_limit_and_reach_both_ends() {
        let mut chance = Chance::new(7);
        let drawn: Vec<u64> = (0..200).map(|_| chance.below(5)).collect();
        assert!((0..5).all(|number| drawn.contains(&number)) && drawn.iter().all(|number| *number < 5));
        assert_eq!(chance.below(0), 0);
        let numbers: Vec<u64> = (0..200).map(|_| chance.number()).collect();
        assert!(numbers.contains(&0) && numbers.contains(&u64::MAX));
    }
}
