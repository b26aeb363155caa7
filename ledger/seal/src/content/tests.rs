//! Contents are read back as they were written, in one form only, and broken ones are refused by name.

use proptest::prelude::*;

use super::*;
use crate::limits::TEXT_BYTES_MAX;

fn content(kind: Kind) -> Content {
    let view = View {
        height: 64,
        head: Hash([1; 32]),
        length: 3,
        root: Hash([2; 32]),
    };
    Content::new(
        &mut |bytes| bytes.fill(7),
        1_700_000_000_000,
        Name::new("Ada").unwrap(),
        view,
        kind,
    )
}

fn text<const MAX: u32>() -> impl Strategy<Value = Text<MAX>> {
    ".{0,12}".prop_map(|text| Text::new(text).unwrap())
}

/// Words, the first half of whose characters may mean somebody each.
fn words() -> impl Strategy<Value = Words> {
    (".{0,12}", any::<[u8; 32]>(), any::<bool>()).prop_map(|(text, id, is_device)| {
        let who = if is_device {
            Meant::Device(crate::DeviceId(id))
        } else {
            Meant::Account(crate::identity::AccountId(id))
        };
        let mention = |(begin, letter): (usize, char)| Mention {
            begin: u32::try_from(begin).unwrap(),
            length: u32::try_from(letter.len_utf8()).unwrap(),
            who,
        };
        let mentions = text
            .char_indices()
            .take(text.chars().count() / 2)
            .map(mention)
            .collect();
        Words::new(text).unwrap().meaning(mentions).unwrap()
    })
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let mark = (any::<[u8; 32]>(), 1..=u64::MAX, any::<u64>());
    prop::collection::vec(mark, 0..4).prop_filter_map("one watermark for each log", |marks| {
        let marks = marks.into_iter().map(|(log, delivered, read)| Watermark {
            log: waxwing_core::keys::LogId(log),
            delivered,
            read: read.min(delivered),
        });
        Receipt::new(marks.collect())
    })
}

fn attachment(length: u64, name: Text<255>, words: Words) -> Kind {
    let pieces = crate::file::Shape::of(length).unwrap().pieces();
    let chunks = vec![waxwing_core::chunk::ChunkId([9; 32]); usize::try_from(pieces).unwrap()];
    let manifest = Manifest {
        length,
        name,
        chunks,
        words,
        ..Manifest::forgotten()
    };
    Kind::Attachment(Box::new(manifest))
}

fn kind() -> impl Strategy<Value = Kind> {
    let id = || any::<[u8; 16]>().prop_map(ContentId);
    prop_oneof![
        words().prop_map(Kind::Text),
        (id(), words()).prop_map(|(to, body)| Kind::Reply { to, body }),
        (id(), text()).prop_map(|(to, emoji)| Kind::Reaction { to, emoji }),
        (id(), words()).prop_map(|(of, body)| Kind::Edit { of, body }),
        id().prop_map(|of| Kind::Retraction { of }),
        receipt().prop_map(Kind::Receipt),
        prop::sample::select(KeepFor::ALL.to_vec()).prop_map(|keep_for| Kind::Timer { keep_for }),
        (any::<u64>(), text(), words()).prop_map(|(length, name, words)| attachment(length % 2_000_000, name, words)),
        (11..=u16::MAX, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(number, payload)| Kind::Unknown(Unknown::new(number, payload).unwrap())),
    ]
}

proptest! {
    #[test]
    fn every_content_is_read_back_and_has_one_encoding(
        kind in kind(), id: [u8; 16], salt: [u8; 16], time_ms: u64, name in text(), height: u64, length: u64,
        head: [u8; 32], root: [u8; 32],
    ) {
        let view = View { height, head: Hash(head), length, root: Hash(root) };
        let content = Content { id: ContentId(id), time_ms, name, salt: EraseSalt(salt), view, kind };
        let bytes = content.to_bytes();
        let read = Content::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &content);
        prop_assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(
        kind in kind(), at: prop::sample::Index, to: u8, cut: prop::sample::Index,
    ) {
        let mut bytes = content(kind).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(read) = Content::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes.clone());
        }
        let shorter = &bytes[..cut.index(bytes.len())];
        prop_assert!(Content::from_bytes(shorter).is_err());
    }
}

#[test]
fn leftover_bytes_are_refused_behind_the_content_and_inside_a_known_payload() {
    let mut bytes = content(Kind::Retraction { of: ContentId([1; 16]) }).to_bytes();
    bytes.push(0);
    assert_eq!(Content::from_bytes(&bytes), Err(CodecError::Trailing));
    let length_at = bytes.len() - 17 - 4;
    bytes[length_at + 3] = 17;
    assert_eq!(Content::from_bytes(&bytes), Err(CodecError::Trailing));
}

#[test]
fn each_broken_content_is_refused_by_its_own_name() {
    let good = content(Kind::Text(Words::new("hello").unwrap())).to_bytes();
    let altered = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        Content::from_bytes(&bytes)
    };
    let kind_at = good.len() - 5 - 4 - 4 - 2;
    assert_eq!(altered(0, 2), Err(CodecError::WrongMagic), "a later version");
    assert_eq!(altered(kind_at + 1, 0), Err(CodecError::BadValue), "kind 0");
    assert_eq!(altered(good.len() - 1, 0xff), Err(CodecError::BadValue), "not UTF-8");
    assert_eq!(altered(25, 1), Err(CodecError::TooLong), "a name of 16 million bytes");
    assert_eq!(
        altered(kind_at + 2, 1),
        Err(CodecError::TooLong),
        "a payload of 16 million bytes"
    );
    assert_eq!(Content::from_bytes(&good[..good.len() - 1]), Err(CodecError::Truncated));
}

#[test]
fn texts_are_bounded_in_bytes() {
    let limit = usize::try_from(TEXT_BYTES_MAX).unwrap();
    assert!(Words::new("x".repeat(limit)).is_ok());
    assert_eq!(
        Words::new("x".repeat(limit + 1)),
        Err(TooLong { limit: TEXT_BYTES_MAX })
    );
    assert!(Name::new("é".repeat(64)).is_ok());
    assert_eq!(Name::new("é".repeat(65)), Err(TooLong { limit: 128 }));
}

#[test]
fn an_unknown_kind_keeps_its_bytes_and_cannot_pose_as_a_known_one() {
    let kind = Kind::Unknown(Unknown::new(999, b"from the future".to_vec()).unwrap());
    let read = Content::from_bytes(&content(kind.clone()).to_bytes()).unwrap();
    assert_eq!(read.kind, kind);
    assert_eq!(read.kind.word(), "unknown");
    for known in 0..=8 {
        assert_eq!(Unknown::new(known, Vec::new()), None);
    }
    let too_long = vec![0; usize::try_from(PAYLOAD_BYTES_MAX).unwrap() + 1];
    assert_eq!(Unknown::new(9, too_long), None);
}

#[test]
fn numbers_of_kinds_never_change() {
    let id = ContentId([0; 16]);
    let known = [
        (1, "text", Kind::Text(Words::default())),
        (
            2,
            "reply",
            Kind::Reply {
                to: id,
                body: Words::default(),
            },
        ),
        (
            3,
            "reaction",
            Kind::Reaction {
                to: id,
                emoji: Emoji::default(),
            },
        ),
        (
            4,
            "edit",
            Kind::Edit {
                of: id,
                body: Words::default(),
            },
        ),
        (5, "retraction", Kind::Retraction { of: id }),
        (6, "receipt", Kind::Receipt(Receipt::default())),
        (
            8,
            "timer",
            Kind::Timer {
                keep_for: KeepFor::Week,
            },
        ),
        (7, "attachment", Kind::Attachment(Box::new(Manifest::forgotten()))),
        (10, "history", Kind::History(Past::new(7, (0, 1), Vec::new()).unwrap())),
    ];
    let later = [(9, "device"), (11, "unknown")]
        .map(|(number, word)| (number, word, Kind::Unknown(Unknown::new(number, Vec::new()).unwrap())));
    for (number, word, kind) in known.into_iter().chain(later) {
        assert_eq!((kind.number(), kind.word()), (number, word));
    }
}

#[test]
fn a_timer_is_one_of_five_times_and_nothing_else() {
    for keep_for in KeepFor::ALL {
        let bytes = content(Kind::Timer { keep_for }).to_bytes();
        assert_eq!(Content::from_bytes(&bytes).unwrap().kind, Kind::Timer { keep_for });
    }
    let mut bytes = content(Kind::Timer { keep_for: KeepFor::Day }).to_bytes();
    *bytes.last_mut().unwrap() = 2;
    assert_eq!(Content::from_bytes(&bytes), Err(CodecError::BadValue), "two days");
}

#[test]
fn debug_output_shows_no_content() {
    let shown = format!("{:?}", content(Kind::Text(Words::new("meet at noon").unwrap())));
    assert!(!shown.contains("noon") && !shown.contains("Ada"), "{shown}");
    let shown = format!("{:?}", Unknown::new(9, b"cat.jpg".to_vec()).unwrap());
    assert_eq!(shown, "Unknown(kind 9, 7 bytes)");
}
