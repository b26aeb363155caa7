//! Choices read from bytes: how an input of a fuzzer becomes a sequence of moves.

/// The bytes that are left. When they are used up every choice is zero, so that each input is a whole script.
#[derive(Clone, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// Reads from the start.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether anything is left.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// A number of two bytes.
    pub fn number(&mut self) -> u64 {
        u64::from(self.byte()) << 8 | u64::from(self.byte())
    }

    /// A number below `limit`; 0 if there is none.
    pub fn below(&mut self, limit: u64) -> u64 {
        let number = if limit > 256 {
            self.number()
        } else {
            u64::from(self.byte())
        };
        number.checked_rem(limit).unwrap_or(0)
    }

    /// A place in something of this length.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'b, T>(&mut self, choices: &'b [T]) -> &'b T {
        &choices[self.place(choices.len())]
    }

    /// True for an odd byte.
    pub fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// So many bytes, or as many as there are.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Spoils bytes: flips some, cuts, adds, repeats. Perhaps nothing at all.
    pub fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.byte() % 4 {
            if bytes.is_empty() {
                return;
            }
            let at = self.place(bytes.len());
            match self.byte() % 6 {
                0 => bytes[at] ^= 1 << (self.byte() % 8),
                1 => bytes[at] = self.byte(),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.byte()),
                4 => drop(bytes.remove(at)),
                _ => {
                    let to = self.place(bytes.len());
                    bytes.swap(at, to);
                }
            }
        }
    }
}

/// A script that chooses game `game` and then these bytes: how seeds are written.
#[must_use]
pub fn seed(game: usize, bytes: &[u8]) -> Vec<u8> {
    let mut seed = vec![u8::try_from(game).expect("there are few games")];
    seed.extend_from_slice(bytes);
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_over_goes_on_with_zeros() {
        let mut script = Script::new(&[7, 1, 2]);
        assert_eq!((script.byte(), script.number()), (7, 258));
        assert!(script.is_over());
        assert_eq!((script.byte(), script.below(3), script.bytes(4)), (0, 0, &[][..]));
    }

    #[test]
    fn spoiling_may_change_nothing_and_may_change_everything() {
        let mut bytes = vec![1, 2, 3];
        Script::new(&[0]).spoil(&mut bytes);
        assert_eq!(bytes, [1, 2, 3]);
        Script::new(&[1, 0, 0, 0]).spoil(&mut bytes);
        assert_eq!(bytes, [0, 2, 3]);
        Script::new(&[1, 1, 2]).spoil(&mut bytes);
        assert_eq!(bytes, [0]);
    }
}
