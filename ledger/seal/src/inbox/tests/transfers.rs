//! Welcomes in parts: in any order, mixed, doubled, missing, or not what was announced.

use super::*;
use crate::group::Welcome;
use crate::group::limits::WELCOME_BYTES_MAX;
use crate::inbox::limits::{WELCOME_PART_BYTES, WELCOME_PARTS_MAX};
use crate::inbox::welcome::{Step, Transfers, WelcomePart};
use waxwing_core::codec::CodecError;
use waxwing_core::keys::LogId;

const PART: usize = 500 << 10;

fn whole(fill: u8, message: usize, tree: usize) -> WholeWelcome {
    WholeWelcome {
        answers: Hash([0x61; 32]),
        place: CommitPlace {
            log: LogId([0x62; 32]),
            index: 5,
            height: 1204,
        },
        welcome: Welcome {
            message: vec![fill; message],
            tree: (0..tree).map(|at| u8::try_from(at % 251).unwrap()).collect(),
        },
    }
}

fn largest() -> usize {
    usize::try_from(WELCOME_BYTES_MAX).unwrap()
}

fn parts(whole: &WholeWelcome) -> Vec<WelcomePart> {
    whole.cut(NETWORK).unwrap()
}

fn take(transfers: &mut Transfers, part: &WelcomePart) -> Result<Step, Void> {
    let taken = transfers.take(NETWORK, part.clone());
    assert_eq!(Transfers::from_bytes(&transfers.to_bytes()).as_ref(), Ok(&*transfers));
    taken
}

/// A part as somebody could write it who keeps no rules.
fn made(whole: Hash, count: u32, number: u32, bytes: &[u8]) -> Result<WelcomePart, CodecError> {
    let mut out = whole.to_bytes();
    out.extend(count.to_be_bytes());
    out.extend(number.to_be_bytes());
    waxwing_core::codec::put_bytes(&mut out, bytes);
    WelcomePart::from_bytes(&out)
}

#[test]
fn welcomes_of_any_size_come_back() {
    let around = 1 + 32 + 48 + 8;
    for (length, count) in [
        (around + 2, 1),
        (PART - 1, 1),
        (PART, 1),
        (PART + 1, 2),
        (2 * PART, 2),
        (around + 2 * largest(), 5),
    ] {
        let rest = length - around;
        let sent = whole(1, rest / 2, rest - rest / 2);
        let cut = parts(&sent);
        assert_eq!(cut.len(), count, "{length}");
        let mut transfers = Transfers::default();
        let (last, first) = cut.split_last().unwrap();
        for (have, part) in (1..).zip(first) {
            let of = u32::try_from(count).unwrap();
            assert_eq!(take(&mut transfers, part), Ok(Step::Part { have, of }));
        }
        let Ok(Step::Whole { whole, .. }) = take(&mut transfers, last) else {
            panic!("all parts are there");
        };
        assert!(*whole == sent && transfers == Transfers::default());
    }
    assert_eq!(WELCOME_PARTS_MAX, 5);
    assert!(
        whole(1, largest(), largest() + 100).cut(NETWORK).is_none(),
        "longer than any welcome"
    );
}

/// All 120 orders of five parts.
#[test]
fn parts_come_in_any_order() {
    let sent = whole(1, largest(), largest());
    let cut = parts(&sent);
    let mut orders = 0;
    for code in 0..5_usize.pow(5) {
        let order: Vec<usize> = (0..5).map(|digit| code / 5_usize.pow(digit) % 5).collect();
        let distinct: std::collections::BTreeSet<_> = order.iter().collect();
        if distinct.len() < 5 {
            continue;
        }
        let mut transfers = Transfers::default();
        let steps: Vec<_> = order
            .iter()
            .map(|at| transfers.take(NETWORK, cut[*at].clone()))
            .collect();
        assert!(steps[..4].iter().all(|step| matches!(step, Ok(Step::Part { .. }))));
        assert!(
            matches!(&steps[4], Ok(Step::Whole { whole, .. }) if **whole == sent),
            "{order:?}"
        );
        orders += 1;
    }
    assert_eq!(orders, 120);
}

#[test]
fn a_part_that_is_missing_is_waited_for_and_a_doubled_one_is_void() {
    let cut = parts(&whole(1, largest(), 10));
    let mut transfers = Transfers::default();
    assert_eq!(take(&mut transfers, &cut[2]), Ok(Step::Part { have: 1, of: 3 }));
    let before = transfers.clone();
    assert_eq!(take(&mut transfers, &cut[2]), Err(Void::Repeated));
    assert_eq!(transfers, before);
    assert_eq!(take(&mut transfers, &cut[0]), Ok(Step::Part { have: 2, of: 3 }));
    assert_eq!(take(&mut transfers, &cut[0]), Err(Void::Repeated));
    assert!(matches!(take(&mut transfers, &cut[1]), Ok(Step::Whole { .. })));
}

#[test]
fn two_welcomes_at_a_time_come_side_by_side_and_a_third_pushes_the_oldest_out() {
    let (one, two, three) = (
        parts(&whole(1, largest(), 10)),
        parts(&whole(2, largest(), 10)),
        parts(&whole(3, largest(), 10)),
    );
    let mut transfers = Transfers::default();
    for at in 0..2 {
        take(&mut transfers, &one[at]).unwrap();
        take(&mut transfers, &two[at]).unwrap();
    }
    let mut both = transfers.clone();
    assert!(matches!(take(&mut both, &one[2]), Ok(Step::Whole { .. })));
    assert!(matches!(take(&mut both, &two[2]), Ok(Step::Whole { .. })));
    assert_eq!(take(&mut transfers, &three[0]), Ok(Step::Part { have: 1, of: 3 }));
    assert_eq!(
        take(&mut transfers, &one[2]),
        Ok(Step::Part { have: 1, of: 3 }),
        "it begins anew"
    );
    assert!(transfers.to_bytes().len() < 2 * 5 * (PART + 50), "memory has an end");
}

#[test]
fn a_flood_of_beginnings_stays_within_two_welcomes_of_memory() {
    let mut transfers = Transfers::default();
    for number in 0..=u8::MAX {
        let part = made(Hash([number; 32]), 5, 0, &vec![number; PART]).unwrap();
        assert_eq!(transfers.take(NETWORK, part), Ok(Step::Part { have: 1, of: 5 }));
    }
    assert!(transfers.to_bytes().len() < 2 * (PART + 60));
}

#[test]
fn parts_of_two_welcomes_do_not_make_one() {
    let (one, two) = (whole(1, largest(), 10), whole(2, largest(), 10));
    let (cut, other) = (parts(&one), parts(&two));
    let id = cut[0].whole();
    let swapped = made(id, 3, 1, &vec![2; PART]).unwrap();
    let mut transfers = Transfers::default();
    take(&mut transfers, &cut[0]).unwrap();
    take(&mut transfers, &swapped).unwrap();
    assert_eq!(take(&mut transfers, &cut[2]), Err(Void::OtherWhole));
    assert_eq!(transfers, Transfers::default(), "what came to nothing is thrown away");
    for part in &cut[..2] {
        take(&mut transfers, part).unwrap();
    }
    assert!(
        matches!(take(&mut transfers, &cut[2]), Ok(Step::Whole { .. })),
        "the true one can come again"
    );
    assert_ne!(other[0].whole(), id);
}

#[test]
fn a_welcome_has_one_number_of_parts() {
    let cut = parts(&whole(1, largest(), 10));
    let mut transfers = Transfers::default();
    take(&mut transfers, &cut[0]).unwrap();
    let other = made(cut[0].whole(), 4, 1, &vec![1; PART]).unwrap();
    let before = transfers.clone();
    assert_eq!(take(&mut transfers, &other), Err(Void::OtherCount));
    assert_eq!(transfers, before);
}

#[test]
fn parts_are_full_but_for_the_last_and_there_are_at_most_five() {
    let id = Hash([1; 32]);
    assert!(made(id, 5, 4, &[1]).is_ok() && made(id, 5, 0, &vec![1; PART]).is_ok());
    let refused = |count, number, bytes: &[u8]| made(id, count, number, bytes).unwrap_err();
    assert_eq!(refused(6, 0, &vec![1; PART]), CodecError::BadValue, "six parts");
    assert_eq!(refused(0, 0, &[1]), CodecError::BadValue, "no parts");
    assert_eq!(refused(5, 5, &[1]), CodecError::BadValue, "the sixth of five");
    assert_eq!(refused(u32::MAX, u32::MAX, &[1]), CodecError::BadValue);
    assert_eq!(refused(5, 4, &[]), CodecError::BadValue, "nothing in it");
    assert_eq!(
        refused(5, 0, &vec![1; PART - 1]),
        CodecError::BadValue,
        "a short one in front"
    );
    assert_eq!(refused(5, 0, &vec![1; PART + 1]), CodecError::TooLong);
    assert_eq!(u32::try_from(PART), Ok(WELCOME_PART_BYTES));
}

#[test]
fn a_whole_that_is_no_welcome_is_void() {
    let garbage = [9; 200];
    let id = Hash(*crate::channel::derive(
        "waxwing v1 welcome id",
        &[&NETWORK.0, &garbage],
    ));
    let mut transfers = Transfers::default();
    let refused = take(&mut transfers, &made(id, 1, 0, &garbage).unwrap());
    assert_eq!(refused, Err(Void::Malformed(CodecError::WrongMagic)));
    assert_eq!(transfers, Transfers::default());
}

/// Each part is an entry of its own.
#[test]
fn the_largest_welcome_arrives_once() {
    let mut open = opened(2);
    let mut bob = Person::new(2);
    let (asked, mut bobs) = bob.ask(&open.enter());
    let bobs_request = request(read(&mut open.inbox, &asked.sealed));
    let sent = whole(1, largest(), largest());
    let send = |open: &mut Open, taken: &Taken| {
        let recipient = taken.recipient();
        open.ada.chance(|myself, chance| {
            recipient.welcome(myself.key(), (&sent.welcome, sent.place), KeepFor::Week, chance)
        })
    };
    let mails = send(&mut open, &bobs_request).unwrap();
    assert_eq!(mails.len(), 5);
    for (have, mail) in (1..5).zip(&mails) {
        assert_eq!(read(&mut bobs, &mail.sealed), Ok(Event::Part { have, of: 5 }));
    }
    let Ok(Event::Welcome(arrived)) = read(&mut bobs, &mails[4].sealed) else {
        panic!("the welcome is complete");
    };
    assert!(arrived.welcome == sent.welcome && arrived.answers == bobs_request.id);
    assert_eq!(read(&mut bobs, &mails[4].sealed), Err(Void::Repeated), "once is enough");
}

/// Ada's program mixes two who asked up.
#[test]
fn what_answers_another_request_is_void() {
    let mut open = opened(2);
    let (mut bob, mut eve) = (Person::new(2), Person::new(3));
    let (asked, mut bobs) = bob.ask(&open.enter());
    let bobs_request = request(read(&mut open.inbox, &asked.sealed));
    let (asked, _) = eve.ask(&open.enter());
    let eves_request = request(read(&mut open.inbox, &asked.sealed));
    let for_eve = WholeWelcome {
        answers: eves_request.id,
        ..whole(1, 10, 10)
    };
    let part = parts(&for_eve).remove(0);
    let declined = Post::Declined(post::Declined {
        request: eves_request.id,
        reason: Reason::Full,
    });
    let answer = &bobs_request.request.answer;
    let send =
        |occasion: Hash, post: &Post| post_to(&answer.seed, &answer.public, occasion, open.ada.myself.key(), post);
    let mistaken = send(bobs_request.id, &Post::Part(part));
    assert_eq!(read(&mut bobs, &mistaken), Err(Void::OtherOccasion));
    let mistaken = send(bobs_request.id, &declined);
    assert_eq!(read(&mut bobs, &mistaken), Err(Void::OtherOccasion));
    let elsewhere = send(eves_request.id, &declined);
    assert_eq!(
        read(&mut bobs, &elsewhere),
        Err(Void::NotForUs),
        "sealed for another occasion"
    );
}
