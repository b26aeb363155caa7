//! Sizes that say little: every body is as long as its bucket.
//!
//! A length tells a node what a message is about to say: "yes" and "no" differ. Up to 4 kB, where almost all messages
//! are, a body has one of four sizes (512 B x 2^k). Above, Padmé (Nikitin et al., "Reducing Metadata Leakage from
//! Encrypted Files and Communication with PURBs", 2019, section 4.2) keeps only as many leading bits of the length as
//! its order of magnitude needs: at most 12 % larger, and O(log log L) bits leak. `// SPEC 22.3`
//!
//! The padded text is `u32 length, message, zeros`. A message has exactly one padded form: the length says where it
//! ends, the rest must be zero, and the whole must be the bucket that this length belongs to.

use waxwing_core::codec::Reader;
use waxwing_core::limits::BODY_BYTES_MAX;

/// Smallest body: a line of chat with everything around it fits.
const BUCKET_BYTES_MIN: u32 = 512;

/// Largest of the buckets that double; Padmé above.
const BUCKET_BYTES_DOUBLING_MAX: u32 = 4096;

/// The length prefix of the padded text.
pub(crate) const LENGTH_BYTES: usize = 4;

/// The bucket that a body of at least `length` bytes gets; `None` above the largest body.
pub(crate) fn bucket(length: usize) -> Option<u32> {
    let length = u32::try_from(length).ok().filter(|length| *length <= BODY_BYTES_MAX)?;
    if length <= BUCKET_BYTES_DOUBLING_MAX {
        return Some(length.next_power_of_two().max(BUCKET_BYTES_MIN));
    }
    u32::try_from(padme(u64::from(length))).ok()
}

/// Rounds up so that of the E + 1 bits of `length` only the leading one and floor(log2 E) + 1 more may be set.
/// For lengths from 4 up.
pub(crate) const fn padme(length: u64) -> u64 {
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1 << (exponent - kept)) - 1;
    (length + mask) & !mask
}

/// Whether a body may have this length at all.
pub(crate) fn is_bucket(length: usize) -> bool {
    bucket(length).is_some_and(|bucket| usize::try_from(bucket) == Ok(length))
}

/// The message in a padded text that, with `overhead` bytes around it, made a body; `None` if it is not the one padded
/// form of any message.
pub(crate) fn unpad(padded: &[u8], overhead: usize) -> Option<&[u8]> {
    let mut reader = Reader::new(padded);
    let message = reader.bytes(BODY_BYTES_MAX).ok()?;
    let expected = bucket(overhead + LENGTH_BYTES + message.len())?;
    let zeros = reader.take(reader.remaining()).ok()?;
    let canonical = usize::try_from(expected) == Ok(overhead + padded.len()) && zeros.iter().all(|byte| *byte == 0);
    canonical.then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_have_four_sizes() {
        for (length, expected) in [
            (0, 512),
            (1, 512),
            (512, 512),
            (513, 1024),
            (1024, 1024),
            (1025, 2048),
            (2049, 4096),
            (4096, 4096),
        ] {
            assert_eq!(bucket(length), Some(expected), "{length}");
        }
    }

    #[test]
    fn larger_bodies_follow_padme_up_to_the_limit() {
        // Computed by hand from the paper: E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits become zero.
        for (length, expected) in [
            (4097, 4352), // E 12, S 4: multiples of 256
            (4352, 4352),
            (5000, 5120),
            (8191, 8192),
            (8193, 8704),     // E 13, S 4: multiples of 512
            (65_537, 67_584), // E 16, S 5: multiples of 2048
            (100_000, 100_352),
            (524_287, 524_288), // E 18, S 5: multiples of 8192
            (524_288, 524_288),
        ] {
            assert_eq!(bucket(length), Some(expected), "{length}");
        }
        assert_eq!(bucket(524_289), None);
        assert_eq!(bucket(usize::MAX), None);
    }

    #[test]
    fn buckets_never_shrink_are_stable_and_cost_at_most_12_percent_above_4_kb() {
        let mut last = 0;
        let mut sizes = 0;
        for length in 0..=usize::try_from(BODY_BYTES_MAX).unwrap() {
            let bucket = bucket(length).unwrap();
            let size = usize::try_from(bucket).unwrap();
            assert!(size >= length && bucket >= last);
            if bucket != last {
                assert!(is_bucket(size));
                sizes += 1;
            }
            assert_eq!(is_bucket(length), size == length, "{length}");
            assert!(length <= 4096 || (size - length) * 100 <= 12 * length, "{length}");
            last = bucket;
        }
        // 4 that double, then per octave 16 (E 12 to 15) or 32 (E 16 to 18) sizes.
        assert_eq!(sizes, 4 + 4 * 16 + 3 * 32);
    }

    #[test]
    fn a_message_has_one_padded_form() {
        let overhead = 40;
        let padded = |length: u32, total: usize| {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.resize(4 + usize::try_from(length).unwrap(), 7);
            bytes.resize(total - overhead, 0);
            bytes
        };
        assert_eq!(unpad(&padded(5, 512), overhead), Some(&[7; 5][..]));
        assert_eq!(unpad(&padded(468, 512), overhead), Some(&[7; 468][..]));
        assert_eq!(unpad(&padded(5, 1024), overhead), None, "more padding than its bucket");
        let mut dirty = padded(5, 512);
        *dirty.last_mut().unwrap() = 1;
        assert_eq!(unpad(&dirty, overhead), None, "padding that is not zero");
        let mut long = padded(5, 512);
        long[..4].copy_from_slice(&469_u32.to_be_bytes());
        assert_eq!(unpad(&long, overhead), None, "a length beyond the end");
        assert_eq!(unpad(&[0, 0, 0], overhead), None, "no room for a length");
    }
}
