//! Laws of every decoder: one value, one encoding; and whatever bytes a stranger sends, an answer without a panic and
//! without more memory than was sent.

use proptest::prelude::*;
use waxwing_core::codec::CodecError;
use waxwing_core::limits::MAP_DEPTH_MAX;
use waxwing_rules::chance::Chance;
use waxwing_rules::values::{FORMATS, Format};
use waxwing_seal::inbox::Link;
use waxwing_seal::{Invitation, LinkError};

/// Memory that reading may take: a value is at most a few times as large as its bytes, and the path of a map proof
/// stands for up to 256 empty levels in 32 bytes of bitmap.
fn memory_for(bytes: usize) -> u64 {
    u64::try_from(4 * bytes + 2 * 32 * MAP_DEPTH_MAX).unwrap_or(u64::MAX)
}

/// The law for any bytes at all: refused, or the one encoding of a value; without a panic, within bounds.
fn one_encoding_or_refusal(format: &Format, bytes: &[u8]) -> Result<(), CodecError> {
    let mut outcome = Ok(Vec::new());
    let memory = allocation_counter::measure(|| outcome = (format.again)(bytes));
    assert!(
        memory.bytes_max <= memory_for(bytes.len()),
        "{}: {} bytes of memory for {} bytes",
        format.name,
        memory.bytes_max,
        bytes.len()
    );
    let again = outcome?;
    assert_eq!(again, bytes, "{}: accepted, but not the one encoding", format.name);
    Ok(())
}

#[test]
fn a_value_of_every_format_is_read_back_to_the_same_bytes() {
    for format in FORMATS {
        let mut chance = Chance::new(1);
        for number in 0..400 {
            let bytes = (format.random)(&mut chance);
            assert_eq!(
                one_encoding_or_refusal(format, &bytes),
                Ok(()),
                "{} {number}",
                format.name
            );
        }
    }
}

/// No encoding is the beginning of another, so nothing can be cut off or added unnoticed.
#[test]
fn every_cut_is_refused_and_every_addition_is_trailing() {
    for format in FORMATS {
        let mut chance = Chance::new(2);
        for _ in 0..10 {
            let bytes = (format.random)(&mut chance);
            for length in 0..bytes.len() {
                let cut = one_encoding_or_refusal(format, &bytes[..length]);
                assert!(cut.is_err(), "{} cut to {length} of {}", format.name, bytes.len());
            }
            for added in [0, 1, 0xff] {
                let longer = [&bytes[..], &[added]].concat();
                let outcome = one_encoding_or_refusal(format, &longer);
                assert_eq!(
                    outcome,
                    Err(CodecError::Trailing),
                    "{} with {added} behind",
                    format.name
                );
            }
        }
    }
}

#[test]
fn a_flipped_bit_gives_a_refusal_or_another_value_in_its_one_encoding() {
    for format in FORMATS {
        let mut chance = Chance::new(3);
        for _ in 0..3 {
            let bytes = (format.random)(&mut chance);
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 0x80 >> (bit % 8);
                let _ = one_encoding_or_refusal(format, &flipped);
            }
        }
    }
}

#[test]
fn all_inputs_of_up_to_two_bytes_have_an_answer() {
    for format in FORMATS {
        let _ = one_encoding_or_refusal(format, &[]);
        for first in 0..=u8::MAX {
            let _ = one_encoding_or_refusal(format, &[first]);
            for second in 0..=u8::MAX {
                let _ = one_encoding_or_refusal(format, &[first, second]);
            }
        }
    }
}

/// Every field of four bytes, overwritten with huge numbers: whichever of them is a count, it must not be believed.
#[test]
fn a_huge_count_anywhere_allocates_nothing() {
    for format in FORMATS {
        let mut chance = Chance::new(4);
        for _ in 0..2 {
            let bytes = (format.random)(&mut chance);
            for place in 0..bytes.len().saturating_sub(3) {
                for huge in [u32::MAX, 1 << 24, 8192, 100] {
                    let mut other = bytes.clone();
                    other[place..place + 4].copy_from_slice(&huge.to_be_bytes());
                    let _ = one_encoding_or_refusal(format, &other);
                }
            }
        }
    }
}

/// Links are text and have laws of their own: whatever is pasted gets an answer, and what is accepted is the same
/// invitation when it is written again.
fn link_has_an_answer(text: &str) -> Result<(), LinkError> {
    let invitation = Invitation::from_link(text)?;
    assert_eq!(
        Invitation::from_link(&invitation.link()).as_ref(),
        Ok(&invitation),
        "{text}"
    );
    Ok(())
}

/// As above, for links of every kind.
fn any_link_has_an_answer(text: &str) -> Result<(), LinkError> {
    let link = Link::read(text)?;
    let again = match &link {
        Link::Channel(invitation) => invitation.link(),
        Link::Person(person) => person.link(),
        Link::Device(device) => device.link(),
    };
    assert_eq!(Link::read(&again).as_ref(), Ok(&link), "{text}");
    Ok(())
}

proptest! {
    #[test]
    fn random_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..600), chosen in 0..FORMATS.len()) {
        let _ = one_encoding_or_refusal(&FORMATS[chosen], &bytes);
    }

    /// Random bytes hardly ever get past the magic; a true beginning does.
    #[test]
    fn a_true_beginning_with_a_random_end_has_an_answer(
        seed in any::<u64>(),
        chosen in 0..FORMATS.len(),
        kept in any::<prop::sample::Index>(),
        end in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let format = &FORMATS[chosen];
        let bytes = (format.random)(&mut Chance::new(seed));
        let kept = kept.index(bytes.len() + 1);
        let _ = one_encoding_or_refusal(format, &[&bytes[..kept], &end[..]].concat());
    }

    #[test]
    fn any_seed_gives_a_value_with_one_encoding(seed in any::<u64>(), chosen in 0..FORMATS.len()) {
        let format = &FORMATS[chosen];
        let bytes = (format.random)(&mut Chance::new(seed));
        prop_assert_eq!(one_encoding_or_refusal(format, &bytes), Ok(()));
    }

    #[test]
    fn any_text_has_an_answer_as_a_link(text in "(waxwing:)?[ -~]{0,80}(#[A-Za-z0-9_-]{0,80})?") {
        let _ = link_has_an_answer(&text);
        let _ = any_link_has_an_answer(&text);
    }
}
