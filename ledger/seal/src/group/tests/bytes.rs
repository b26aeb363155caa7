//! Bytes of ours: each form is read back, each broken one refused by name, and the specification's examples are computed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::*;
use crate::engine::Binding;
use crate::group::record::Record;
use crate::group::wire::{Carried, Framing, authenticated_data, message_id};
use crate::limits::HISTORY_DAYS_MAX;

fn id(byte: u8) -> AccountId {
    AccountId([byte; 32])
}

fn birds() -> Charter {
    Charter::channel(GroupName::new("birds").unwrap(), vec![id(2), id(1)]).unwrap()
}

fn record() -> Record {
    Record {
        pending: Some(Hash([0xc1; 32])),
        leave: None,
        leaving: BTreeSet::from([3, 9]),
        outstanding: BTreeSet::from([Hash([0xc2; 32])]),
        ..Record::new(Hash([0xaa; 32]), 0x004e, [0xb1; 32])
    }
}

fn binding() -> Binding {
    Binding {
        network: Hash([0xaa; 32]),
        log: LogId([0x11; 32]),
        erasure: Hash([0xe1; 32]),
        keep_for: KeepFor::Week,
    }
}

/// One value a line, 32 bytes of it; further lines are indented.
fn line(out: &mut String, name: &str, bytes: &[u8]) {
    for (number, chunk) in bytes.chunks(32).enumerate() {
        let name = if number == 0 { name } else { "" };
        let hex = chunk
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        writeln!(out, "{name:<19}{hex}").unwrap();
    }
}

#[test]
fn the_examples_of_the_specification_are_what_the_code_computes() {
    let text = include_str!("../../../../SPEC.md");
    let mut examples = [String::new(), String::new(), String::new(), String::new()];
    line(&mut examples[0], "charter", &birds().to_bytes());
    let open = birds().with_history(HistoryRule::Days(30)).unwrap();
    line(
        &mut examples[0],
        "its 30 days",
        &open.to_bytes()[open.to_bytes().len() - 4..],
    );
    let lifetime = Lifetime::new(1_800_000_000_000, 1_800_604_800_000).unwrap();
    line(&mut examples[1], "lifetime", &lifetime.to_bytes());
    line(&mut examples[2], "authenticated data", &authenticated_data(&binding()));
    line(&mut examples[2], "message id", &message_id(b"message").0);
    line(&mut examples[3], "record", &record().to_bytes());
    let missing: String = examples.into_iter().filter(|example| !text.contains(example)).collect();
    assert!(missing.is_empty(), "SPEC.md should contain:\n{missing}");
    for label in [LOG_KEY_LABEL, SEAL_KEY_LABEL] {
        assert!(text.contains(&format!("\"{label}\"")), "{label}");
    }
    for bound in [
        limits::MEMBERS_MAX,
        limits::ADDS_MAX,
        limits::ADMINS_MAX,
        limits::OUTSTANDING_MAX,
    ] {
        assert!(text.contains(&bound.to_string()), "{bound}");
    }
}

/// The variants of an enum, read from the source that defines it.
fn variants<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    lines
        .map(|line| line.trim_end_matches(',').split('(').next().unwrap())
        .collect()
}

#[test]
fn every_refusal_is_named_in_the_specification() {
    let text = include_str!("../../../../SPEC.md");
    let section = text.split_once("### 22.8 ").unwrap().1.split_once("## 23. ").unwrap().0;
    for (source, name, count) in [
        (include_str!("../process.rs"), "Void", 10),
        (include_str!("../rules.rs"), "Breach", 12),
        (include_str!("../key_package.rs"), "KeyPackageFault", 6),
        (include_str!("../member.rs"), "LeafFault", 4),
    ] {
        let variants = variants(source, name);
        assert_eq!(variants.len(), count, "{name}: {variants:?}");
        for variant in variants {
            let named = section.contains(&format!("`{variant}`")) || section.contains(&format!("`{variant}("));
            assert!(named, "{name}::{variant}");
        }
    }
}

#[test]
fn a_charter_is_read_back_and_each_broken_one_is_refused() {
    let good = birds().to_bytes();
    assert_eq!(Charter::from_bytes(&good), Ok(birds()));
    assert_eq!(Charter::of(&birds().extensions()), Ok(birds()));
    let direct = Charter::direct(id(1), id(2)).unwrap();
    assert_eq!(Charter::from_bytes(&direct.to_bytes()), Ok(direct));
    let altered = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Charter::from_bytes(&bytes)
    };
    assert_eq!(altered(&|bytes| bytes[0] = 3), Err(CodecError::WrongMagic));
    assert_eq!(
        altered(&|bytes| bytes[0] = 2),
        Err(CodecError::Truncated),
        "a rule follows"
    );
    assert_eq!(altered(&|bytes| bytes[1] = 0), Err(CodecError::BadValue));
    assert_eq!(
        altered(&|bytes| bytes[1] = 1),
        Err(CodecError::BadValue),
        "a direct channel has no name"
    );
    assert_eq!(altered(&|bytes| bytes[5] = 129), Err(CodecError::TooLong));
    assert_eq!(altered(&|bytes| bytes[14] = 65), Err(CodecError::TooLong));
    assert_eq!(
        altered(&|bytes| bytes[15] = 3),
        Err(CodecError::BadValue),
        "not ascending"
    );
    assert_eq!(
        altered(&|bytes| bytes[15..47].fill(2)),
        Err(CodecError::BadValue),
        "one twice"
    );
    assert_eq!(altered(&|bytes| bytes.push(0)), Err(CodecError::Trailing));
    let none = [&good[..11], &[0; 4]].concat();
    assert_eq!(
        Charter::from_bytes(&none),
        Err(CodecError::BadValue),
        "nobody may change it"
    );
}

#[test]
fn charters_that_cannot_be_are_not_made() {
    let name = || GroupName::new("birds").unwrap();
    assert_eq!(Charter::direct(id(1), id(1)), Err(BadCharter));
    assert_eq!(Charter::channel(name(), vec![]), Err(BadCharter));
    assert_eq!(Charter::channel(name(), vec![id(1), id(1)]), Err(BadCharter));
    assert_eq!(Charter::channel(name(), (0..65).map(id).collect()), Err(BadCharter));
    let full = Charter::channel(name(), (0..64).rev().map(id).collect()).unwrap();
    assert!(full.is_admin(id(63)) && !full.is_admin(id(64)));
}

#[test]
fn a_rule_about_the_past_has_one_form_and_stands_in_version_2_alone() {
    let with = |rule| birds().with_history(rule);
    assert_eq!(with(HistoryRule::Nothing), Ok(birds()), "as before there was a choice");
    for (rule, number) in [
        (HistoryRule::Days(1), 1_u32),
        (HistoryRule::Days(HISTORY_DAYS_MAX), u32::from(HISTORY_DAYS_MAX)),
        (HistoryRule::All, u32::MAX),
    ] {
        let charter = with(rule).unwrap();
        let bytes = charter.to_bytes();
        assert_eq!((bytes[0], &bytes[bytes.len() - 4..]), (2, &number.to_be_bytes()[..]));
        assert_eq!(Charter::from_bytes(&bytes), Ok(charter.clone()));
        assert_eq!(Charter::of(&charter.extensions()), Ok(charter));
        for other in [0, u32::from(HISTORY_DAYS_MAX) + 1, u32::MAX - 1] {
            let other = [&bytes[..bytes.len() - 4], &other.to_be_bytes()].concat();
            assert_eq!(Charter::from_bytes(&other), Err(CodecError::BadValue));
        }
    }
    assert_eq!(with(HistoryRule::Days(0)), Err(BadCharter));
    assert_eq!(with(HistoryRule::Days(HISTORY_DAYS_MAX + 1)), Err(BadCharter));
    let direct = Charter::direct(id(1), id(2)).unwrap();
    assert_eq!(direct.with_history(HistoryRule::All), Err(BadCharter));
}

#[test]
fn a_record_is_read_back_and_each_broken_one_is_refused() {
    for standing in [Standing::Member, Standing::Stranded, Standing::Removed] {
        let record = Record { standing, ..record() };
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }
    let good = record().to_bytes();
    let altered = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Record::from_bytes(&bytes)
    };
    let standing = 8 + 32 + 2 + 32;
    let leaving = standing + 1 + 33 + 1;
    assert_eq!(altered(&|bytes| bytes[7] = 2), Err(CodecError::WrongMagic));
    assert_eq!(altered(&|bytes| bytes[standing] = 3), Err(CodecError::BadValue));
    assert_eq!(altered(&|bytes| bytes[standing + 1] = 2), Err(CodecError::BadValue));
    assert_eq!(altered(&|bytes| bytes[leaving + 2] = 2), Err(CodecError::TooLong));
    assert_eq!(
        altered(&|bytes| bytes[leaving + 7] = 9),
        Err(CodecError::BadValue),
        "not ascending"
    );
    assert_eq!(altered(&|bytes| bytes.push(0)), Err(CodecError::Trailing));
    assert_eq!(
        altered(&|bytes| bytes.truncate(bytes.len() - 1)),
        Err(CodecError::Truncated)
    );
}

#[test]
fn the_front_of_a_message_is_read_with_lengths_of_every_width() {
    let message = |length: &[u8], data: usize| {
        let mut bytes = vec![0, 1, 0, 2, 2, 0xb1, 0xb1];
        bytes.extend_from_slice(&7_u64.to_be_bytes());
        bytes.push(1);
        bytes.extend_from_slice(length);
        bytes.resize(bytes.len() + data, 0xd1);
        bytes
    };
    for (length, data) in [
        (&[0x3f][..], 63),
        (&[0x40, 0x40], 64),
        (&[0x7f, 0xff], 16_383),
        (&[0x80, 0, 0x40, 0], 16_384),
    ] {
        let bytes = message(length, data);
        let expected = Framing {
            group: &[0xb1, 0xb1],
            epoch: 7,
            carried: Carried::Application,
            authenticated_data: &vec![0xd1; data],
        };
        assert_eq!(Framing::read(&bytes), Ok(expected));
        assert_eq!(Framing::read(&bytes[..bytes.len() - 1]), Err(CodecError::Truncated));
    }
    assert_eq!(Framing::read(&message(&[0xc0], 0)), Err(CodecError::BadValue));
    assert_eq!(
        Framing::read(&[0, 1, 0, 1]),
        Err(CodecError::WrongMagic),
        "a public message"
    );
    assert_eq!(
        Framing::read(&[0, 2, 0, 2]),
        Err(CodecError::WrongMagic),
        "another version"
    );
    for (content_type, carried) in [
        (1, Ok(Carried::Application)),
        (2, Ok(Carried::Handshake)),
        (3, Ok(Carried::Handshake)),
        (4, Err(CodecError::BadValue)),
    ] {
        let mut bytes = message(&[0], 0);
        bytes[15] = content_type;
        assert_eq!(Framing::read(&bytes).map(|framing| framing.carried), carried);
    }
}

#[test]
fn each_term_is_in_the_authenticated_data() {
    let mut seen = BTreeSet::from([authenticated_data(&binding())]);
    for other in [
        Binding {
            log: LogId([0x12; 32]),
            ..binding()
        },
        Binding {
            erasure: Hash([0xe2; 32]),
            ..binding()
        },
        Binding {
            keep_for: KeepFor::Day,
            ..binding()
        },
    ] {
        assert!(seen.insert(authenticated_data(&other)));
    }
}

#[test]
fn errors_say_what_to_do_next_and_debug_output_shows_no_secret() {
    let (_, devices) = channel(2);
    let group = devices[0].group();
    let keys = group.keys().unwrap();
    let secret = format!("{:02x?}", *keys.log_key().seed());
    let shown = format!("{group:?} {:?}", devices[0].myself);
    assert!(!shown.contains(&secret[1..20]));
    assert!(shown.contains("epoch: 1"), "{shown}");
    let breach = Void::Breach(Breach::KeyPackage(KeyPackageFault::NotNow)).to_string();
    assert!(breach.ends_with("wait until the device offers a new one"), "{breach}");
    assert!(JoinError::NotForUs.to_string().contains(": be added again"));
    for error in [
        GroupError::NotRestored,
        GroupError::NotAMember,
        GroupError::CommitPending,
    ] {
        assert!(error.to_string().contains(": "), "what is wrong: what to do next");
    }
}
