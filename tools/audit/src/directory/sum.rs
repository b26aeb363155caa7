//! The sum of a table: one number for a set of rows, the same in whatever order they come.
//!
//! The replay meets the rows of a table in the order of the ledger, the database keeps them in the order of their keys.
//! Holding one beside the other would take a lookup a row, some microseconds; adding up keyed hashes of the rows on both
//! sides takes a tenth of that. If the sums are equal, so are the sets: who does not know the key can do no better than
//! guess a number of 256 bits. If they are not, [`super::locate`] looks the rows up one by one.

/// A sum of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sum {
    limbs: [u64; 4],
    /// Number of rows.
    pub(super) count: u64,
}

/// The key of the sums of one audit.
#[derive(Clone, Copy)]
pub(super) struct SumKey([u8; 32]);

impl SumKey {
    pub(super) fn new(secret: &[u8; 32], table: &str) -> Self {
        let mut bytes = secret.to_vec();
        bytes.extend_from_slice(table.as_bytes());
        Self(blake3::derive_key("waxwing v1 audit table sum", &bytes))
    }
}

impl Sum {
    /// Adds a row.
    pub(super) fn add(&mut self, key: &SumKey, row_key: &[u8], value: &[u8]) {
        let length = u32::try_from(row_key.len()).unwrap_or(u32::MAX).to_be_bytes();
        let hash = blake3::keyed_hash(&key.0, &[&length, row_key, value].concat());
        let (words, _) = hash.as_bytes().as_chunks::<8>();
        let mut carry = false;
        for (limb, word) in self.limbs.iter_mut().zip(words) {
            (*limb, carry) = carrying(*limb, u64::from_le_bytes(*word), carry);
        }
        self.count += 1;
    }
}

fn carrying(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = a.overflowing_add(b);
    let (sum, over_again) = sum.overflowing_add(u64::from(carry));
    (sum, over || over_again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[(&[u8], &[u8])]) -> Sum {
        let key = SumKey::new(&[1; 32], "index");
        let mut sum = Sum::default();
        for (row_key, value) in rows {
            sum.add(&key, row_key, value);
        }
        sum
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let row = |key: &'static [u8], value: &'static [u8]| (key, value);
        let (a, b) = (row(b"a", b"1"), row(b"b", b"2"));
        assert_eq!(sum(&[a, b]), sum(&[b, a]));
        assert_ne!(sum(&[a]), sum(&[b]));
        assert_ne!(sum(&[a, a]), sum(&[a]));
        assert_ne!(sum(&[a, a]), sum(&[b, b]));
        assert_ne!(sum(&[(b"a", b"2"), (b"b", b"1")]), sum(&[a, b]));
        assert_ne!(sum(&[(b"a", b"bc")]), sum(&[(b"ab", b"c")]));
    }

    #[test]
    fn carries_reach_the_next_limb() {
        assert_eq!(carrying(u64::MAX, 0, true), (0, true));
        assert_eq!(carrying(u64::MAX, u64::MAX, true), (u64::MAX, true));
        assert_eq!(carrying(1, 2, true), (4, false));
    }

    #[test]
    fn tables_and_audits_have_keys_of_their_own() {
        let keys = [
            SumKey::new(&[1; 32], "index"),
            SumKey::new(&[1; 32], "node"),
            SumKey::new(&[2; 32], "index"),
        ];
        assert!(keys[0].0 != keys[1].0 && keys[0].0 != keys[2].0);
    }
}
