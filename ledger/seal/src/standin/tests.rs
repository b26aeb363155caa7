//! The stand-in's laws: what one device protects opens once, for the same terms, and never otherwise.

use std::collections::BTreeSet;

use proptest::prelude::*;
use waxwing_core::keys::LogId;

use super::*;
use crate::content::{Kind, Name, View, Words};

fn binding() -> Binding {
    Binding {
        network: Hash([1; 32]),
        log: LogId([2; 32]),
        erasure: Hash([3; 32]),
        keep_for: KeepFor::Week,
    }
}

fn device(seed: u8) -> DeviceKey {
    DeviceKey::from_seed(&[seed; 32])
}

fn content(words: &str) -> Content {
    let view = View::empty_log(64, Hash([5; 32]));
    Content::new(
        &mut |bytes| bytes.fill(6),
        7,
        Name::new("Ada").unwrap(),
        view,
        Kind::Text(Words::new(words).unwrap()),
    )
}

/// A message with any counter, as a hostile member could make it.
fn forged(device: &DeviceKey, counter: u64) -> Vec<u8> {
    let mut engine = StandIn {
        used: counter.wrapping_sub(1),
        seen: BTreeMap::new(),
    };
    engine.protect(device, &content("hello"), &binding()).unwrap()
}

#[test]
fn a_message_opens_with_its_author_counter_and_content() {
    let (mut ada, mut ben) = (StandIn::new(), StandIn::new());
    for counter in 1..=3 {
        let message = ada.protect(&device(1), &content("hello"), &binding()).unwrap();
        let expected = Authored {
            device: device(1).id(),
            counter,
            content: content("hello"),
        };
        assert_eq!(ben.unprotect(&message, &binding()), Ok(expected.clone()));
        assert_eq!(
            ada.unprotect(&message, &binding()),
            Ok(expected),
            "the author reads it back as well"
        );
    }
}

#[test]
fn every_flipped_bit_is_refused_and_changes_nothing() {
    let message = StandIn::new()
        .protect(&device(1), &content("hello"), &binding())
        .unwrap();
    let mut engine = StandIn::new();
    for bit in 0..message.len() * 8 {
        let mut altered = message.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(engine.unprotect(&altered, &binding()).is_err(), "bit {bit}");
        assert_eq!(engine, StandIn::new(), "bit {bit}");
    }
    assert!(engine.unprotect(&message, &binding()).is_ok());
}

#[test]
fn other_terms_than_the_author_signed_are_refused_by_name() {
    let message = StandIn::new()
        .protect(&device(1), &content("hello"), &binding())
        .unwrap();
    let mut engine = StandIn::new();
    for (other, refusal) in [
        (
            Binding {
                erasure: Hash([9; 32]),
                ..binding()
            },
            OpenError::WrongErasure,
        ),
        (
            Binding {
                erasure: Hash::ZERO,
                ..binding()
            },
            OpenError::WrongErasure,
        ),
        (
            Binding {
                keep_for: KeepFor::Ever,
                ..binding()
            },
            OpenError::WrongKeepFor,
        ),
        (
            Binding {
                keep_for: KeepFor::Day,
                ..binding()
            },
            OpenError::WrongKeepFor,
        ),
        (
            Binding {
                log: LogId([9; 32]),
                ..binding()
            },
            OpenError::BadSignature,
        ),
        (
            Binding {
                network: Hash([9; 32]),
                ..binding()
            },
            OpenError::BadSignature,
        ),
    ] {
        assert_eq!(engine.unprotect(&message, &other), Err(refusal));
    }
}

#[test]
fn rewriting_the_claim_to_fit_other_terms_breaks_the_signature() {
    let other = Binding {
        keep_for: KeepFor::Day,
        ..binding()
    };
    let mut message = StandIn::new()
        .protect(&device(1), &content("hello"), &binding())
        .unwrap();
    message[73..77].copy_from_slice(&1_u32.to_be_bytes());
    assert_eq!(StandIn::new().unprotect(&message, &other), Err(OpenError::BadSignature));
}

#[test]
fn each_broken_message_is_refused_by_its_own_name() {
    let message = StandIn::new()
        .protect(&device(1), &content("hello"), &binding())
        .unwrap();
    let mut engine = StandIn::new();
    let mut open = |bytes: &[u8]| engine.unprotect(bytes, &binding());
    assert_eq!(open(&[]), Err(OpenError::Malformed(CodecError::Truncated)));
    assert_eq!(open(&message[..140]), Err(OpenError::Malformed(CodecError::Truncated)));
    let mut later = message.clone();
    later[0] = 2;
    assert_eq!(open(&later), Err(OpenError::UnknownEngine(2)));
    let mut uncounted = message.clone();
    uncounted[33..41].fill(0);
    assert_eq!(open(&uncounted), Err(OpenError::Malformed(CodecError::BadValue)));
    let mut longer = message;
    longer.push(0);
    assert_eq!(open(&longer), Err(OpenError::BadSignature));
}

#[test]
fn a_signed_content_that_is_none_is_refused_without_using_up_its_counter() {
    let claim = Claim {
        device: device(1).id(),
        counter: 1,
        erasure: binding().erasure,
        keep_for: KeepFor::Week,
    };
    let signature = device(1).sign(&claim.signed_message(&binding(), b"nonsense"));
    let mut message = vec![ENGINE];
    claim.encode(&mut message);
    signature.encode(&mut message);
    message.extend_from_slice(b"nonsense");
    let mut engine = StandIn::new();
    assert_eq!(
        engine.unprotect(&message, &binding()),
        Err(OpenError::Malformed(CodecError::WrongMagic))
    );
    assert_eq!(engine, StandIn::new());
}

#[test]
fn a_replay_is_refused_and_what_was_overtaken_is_not() {
    let mut engine = StandIn::new();
    for counter in [5, 2, 260, 300] {
        assert!(
            engine.unprotect(&forged(&device(1), counter), &binding()).is_ok(),
            "{counter}"
        );
    }
    for (counter, refusal) in [
        (5, OpenError::TooOld),
        (44, OpenError::TooOld),
        (260, OpenError::Replayed),
        (300, OpenError::Replayed),
    ] {
        assert_eq!(
            engine.unprotect(&forged(&device(1), counter), &binding()),
            Err(refusal),
            "{counter}"
        );
    }
    assert!(
        engine.unprotect(&forged(&device(1), 45), &binding()).is_ok(),
        "256 behind"
    );
    assert!(
        engine.unprotect(&forged(&device(2), 5), &binding()).is_ok(),
        "each device counts for itself"
    );
}

#[test]
fn a_device_whose_store_went_back_in_time_continues_behind_what_the_ledger_shows() {
    let mut ada = StandIn::new();
    let old = ada.clone();
    let messages: Vec<_> = (0..3)
        .map(|_| ada.protect(&device(1), &content("hello"), &binding()).unwrap())
        .collect();
    let mut restored = old;
    for message in &messages {
        restored.unprotect(message, &binding()).unwrap();
    }
    let next = restored.protect(&device(1), &content("again"), &binding()).unwrap();
    assert_eq!(ada.unprotect(&messages[2], &binding()).unwrap().counter, 3);
    assert_eq!(ada.unprotect(&next, &binding()).unwrap().counter, 4);
}

#[test]
fn a_used_up_counter_says_so() {
    let mut engine = StandIn {
        used: u64::MAX - 1,
        seen: BTreeMap::new(),
    };
    let last = engine.protect(&device(1), &content("last"), &binding()).unwrap();
    assert_eq!(
        engine.protect(&device(1), &content("more"), &binding()),
        Err(SealError::CounterExhausted)
    );
    assert_eq!(StandIn::new().unprotect(&last, &binding()).unwrap().counter, u64::MAX);
}

#[test]
fn devices_are_remembered_up_to_the_limit_and_known_ones_go_on() {
    let mut engine = StandIn::new();
    for number in 0..DEVICES_PER_LOG_MAX {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        engine.seen.insert(DeviceId(id), Window::starting_with(1));
    }
    assert_eq!(
        engine.unprotect(&forged(&device(1), 1), &binding()),
        Err(OpenError::TooManyDevices)
    );
    engine.seen.pop_first();
    assert!(engine.unprotect(&forged(&device(1), 1), &binding()).is_ok());
    assert!(engine.unprotect(&forged(&device(1), 2), &binding()).is_ok());
    assert_eq!(
        engine.unprotect(&forged(&device(2), 1), &binding()),
        Err(OpenError::TooManyDevices)
    );
    assert_eq!(
        StandIn::from_bytes(&engine.to_bytes()),
        Ok(engine),
        "a full table is stored and read back"
    );
}

#[test]
fn a_stored_state_that_cannot_have_come_about_is_refused() {
    let mut engine = StandIn::new();
    for seed in 1..=2 {
        engine.unprotect(&forged(&device(seed), 3), &binding()).unwrap();
    }
    let good = engine.to_bytes();
    assert_eq!(StandIn::from_bytes(&good), Ok(engine));
    let row = 20..20 + 72;
    let altered = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        StandIn::from_bytes(&bytes)
    };
    assert_eq!(altered(&|bytes| bytes[7] = 2), Err(CodecError::WrongMagic));
    assert_eq!(altered(&|bytes| bytes[19] = 3), Err(CodecError::Truncated));
    assert_eq!(altered(&|bytes| bytes[19] = 1), Err(CodecError::Trailing));
    assert_eq!(altered(&|bytes| bytes[16] = 1), Err(CodecError::TooLong));
    assert_eq!(
        altered(&|bytes| bytes.copy_within(row.clone(), row.end)),
        Err(CodecError::BadValue),
        "a device twice"
    );
    assert_eq!(
        altered(&|bytes| bytes[row.end - 1] = 0),
        Err(CodecError::BadValue),
        "highest not seen"
    );
    assert_eq!(
        altered(&|bytes| bytes[row.end - 1] = 0b1001),
        Err(CodecError::BadValue),
        "counter 0 seen"
    );
    assert_eq!(
        altered(&|bytes| bytes[row.start + 40] = 1),
        Err(CodecError::BadValue),
        "a counter below 0 seen"
    );
}

proptest! {
    /// A set of numbers, and the rule in its own words.
    #[test]
    fn the_window_agrees_with_a_naive_one(
        counters in prop::collection::vec(prop_oneof![1..40_u64, 1..600_u64, 1..5_000_u64], 1..120),
    ) {
        let mut window: Option<Window> = None;
        let mut seen = BTreeSet::new();
        for counter in counters {
            let highest = seen.last().copied().unwrap_or(0);
            let expected = if counter + 256 <= highest {
                Err(OpenError::TooOld)
            } else if seen.contains(&counter) {
                Err(OpenError::Replayed)
            } else {
                Ok(())
            };
            let next = window.map_or(Ok(Window::starting_with(counter)), |window| window.with(counter));
            prop_assert_eq!(next.map(|_| ()), expected);
            if let Ok(next) = next {
                prop_assert!(next.is_sound());
                window = Some(next);
                seen.insert(counter);
            }
        }
    }

    #[test]
    fn a_jump_of_any_size_keeps_the_window_sound(first in 1..=u64::MAX, second in 1..=u64::MAX) {
        let (low, high) = (first.min(second), first.max(second));
        let window = Window::starting_with(low).with(high);
        if low == high {
            prop_assert_eq!(window, Err(OpenError::Replayed));
        } else {
            prop_assert!(window.unwrap().is_sound());
        }
    }

    #[test]
    fn the_state_is_stored_and_read_back(messages in prop::collection::vec((1..4_u8, 1..400_u64), 0..40)) {
        let mut engine = StandIn::new();
        for (seed, counter) in messages {
            let _ = engine.unprotect(&forged(&device(seed), counter), &binding());
        }
        let read = StandIn::from_bytes(&engine.to_bytes());
        prop_assert_eq!(read, Ok(engine));
    }
}
