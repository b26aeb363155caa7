//! Random values of what stands inside an envelope's body, and beside it in the client's store.

use waxwing_core::chunk::ChunkId;
use waxwing_core::codec::{Decode, put_count};
use waxwing_core::envelope::KeepFor;
use waxwing_core::hash::Hash;
use waxwing_core::keys::{LogId, NodeId};
use waxwing_seal::content::{EraseSalt, Meant, Mention, Past, Receipt, Text, Told, Unknown, Watermark, Words};
use waxwing_seal::file::{FileKey, Manifest, levels};
use waxwing_seal::identity::AccountId;
use waxwing_seal::{Content, ContentId, DeviceId, Kind, StandIn, View};

use crate::chance::Chance;

fn text<const MAX: u32>(chance: &mut Chance) -> Text<MAX> {
    const LETTERS: [char; 6] = ['a', ' ', 'ß', '\u{202e}', '\n', '🐦'];
    let letters: String = chance.list(0, 12, |chance| *chance.pick(&LETTERS)).iter().collect();
    Text::new(letters).expect("twelve letters fit everywhere")
}

/// A few words, the first letter of which may mean somebody.
fn words(chance: &mut Chance) -> Words {
    let text: Text<64> = text(chance);
    let words = Words::new(text.as_str()).expect("twelve letters fit everywhere");
    let (Some(first), true) = (text.as_str().chars().next(), chance.below(2) == 0) else {
        return words;
    };
    let who = if chance.below(2) == 0 {
        Meant::Device(DeviceId(chance.array()))
    } else {
        Meant::Account(AccountId(chance.array()))
    };
    let length = u32::try_from(first.len_utf8()).expect("a letter has four bytes at most");
    let mention = Mention { begin: 0, length, who };
    words.meaning(vec![mention]).expect("the first letter is a range")
}

fn receipt(chance: &mut Chance) -> Receipt {
    let watermarks = chance.list(0, 3, |chance| {
        let delivered = chance.number().max(1);
        Watermark {
            log: LogId(chance.array()),
            delivered,
            read: chance.number().min(delivered),
        }
    });
    Receipt::new(watermarks).expect("no two logs are one")
}

/// Of a file of at most eight pieces, or one whose ids are a list.
fn manifest(chance: &mut Chance) -> Manifest {
    let length = chance.number() % 3_000_000;
    let levels = levels(length).expect("three megabytes are no large file");
    let ids = levels.last().map_or(0, |level| u64::from(level.pieces()));
    Manifest {
        name: text(chance),
        media_type: text(chance),
        length,
        hash: Hash(chance.array()),
        key: FileKey::from_bytes(chance.array()),
        kept_until_ms: chance.number(),
        holders: chance.list(0, 3, |chance| NodeId(chance.array())),
        chunks: chance.list(ids, 0, |chance| ChunkId(chance.array())),
        words: words(chance),
    }
}

fn past(chance: &mut Chance) -> Past {
    let mut told = chance.list(0, 3, |chance| Told {
        id: ContentId(chance.array()),
        device: DeviceId(chance.array()),
        account: AccountId(chance.array()),
        written_ms: chance.number(),
        ordered_ms: chance.number(),
        is_edited: chance.below(2) == 1,
        name: text(chance),
        kind: Kind::Attachment(Box::new(manifest(chance))),
    });
    told.sort_by_key(|told| told.ordered_ms);
    Past::new(chance.number(), (0, 1), told).expect("random ids differ, and they are in order")
}

fn kind(chance: &mut Chance) -> Kind {
    let id = ContentId(chance.array());
    match chance.below(10) {
        0 => Kind::Text(words(chance)),
        1 => Kind::Reply {
            to: id,
            body: words(chance),
        },
        2 => Kind::Reaction {
            to: id,
            emoji: text(chance),
        },
        3 => Kind::Edit {
            of: id,
            body: words(chance),
        },
        4 => Kind::Retraction { of: id },
        5 => Kind::Receipt(receipt(chance)),
        6 => Kind::Timer {
            keep_for: *chance.pick(&KeepFor::ALL),
        },
        7 => Kind::Attachment(Box::new(manifest(chance))),
        8 => Kind::History(past(chance)),
        _ => {
            let number = 11 + u16::from_be_bytes(chance.array()) % 1000;
            let payload = chance.list(0, 20, Chance::byte);
            Kind::Unknown(Unknown::new(number, payload).expect("numbers from 11 on have no layout yet"))
        }
    }
}

pub(super) fn content(chance: &mut Chance) -> Content {
    Content {
        id: ContentId(chance.array()),
        time_ms: chance.number(),
        name: text(chance),
        salt: EraseSalt(chance.array()),
        view: View {
            height: chance.number(),
            head: Hash(chance.array()),
            length: chance.number(),
            root: Hash(chance.array()),
        },
        kind: kind(chance),
    }
}

/// The counters of a few devices: the highest one seen, and some of the 255 before it, none below 1.
pub(super) fn stand_in(chance: &mut Chance) -> StandIn {
    let mut devices: Vec<[u8; 32]> = chance.list(0, 4, Chance::array);
    devices.sort_unstable();
    let mut bytes = b"WXSTAND\x01".to_vec();
    bytes.extend(chance.number().to_be_bytes());
    put_count(&mut bytes, devices.len());
    for device in devices {
        let highest = chance.number().max(1);
        let possible = |distance: u64| distance < highest;
        let mut window = [0_u8; 32];
        // The last bit of the last byte is the highest counter itself.
        for (distance, byte) in (0..32).rev().map(|byte| (31 - byte) * 8).zip(window.iter_mut().rev()) {
            *byte = (0..8)
                .filter(|bit| possible(distance + bit))
                .map(|bit| u8::from(distance + bit == 0 || chance.once_in(3)) << bit)
                .fold(0, core::ops::BitOr::bitor);
        }
        bytes.extend(device);
        bytes.extend(highest.to_be_bytes());
        bytes.extend(window);
    }
    StandIn::from_bytes(&bytes).expect("windows without counters below 1, devices in order")
}
