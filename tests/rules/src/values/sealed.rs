//! Random values of what stands inside an envelope's body, and beside it in the client's store.

use waxwing_core::codec::{Decode, put_count};
use waxwing_core::hash::Hash;
use waxwing_seal::content::{EraseSalt, Text, Unknown};
use waxwing_seal::{Content, ContentId, Kind, StandIn, View};

use crate::chance::Chance;

fn text<const MAX: u32>(chance: &mut Chance) -> Text<MAX> {
    const LETTERS: [char; 6] = ['a', ' ', 'ß', '\u{202e}', '\n', '🐦'];
    let letters: String = chance.list(0, 12, |chance| *chance.pick(&LETTERS)).iter().collect();
    Text::new(letters).expect("twelve letters fit everywhere")
}

fn kind(chance: &mut Chance) -> Kind {
    let id = ContentId(chance.array());
    match chance.below(6) {
        0 => Kind::Text(text(chance)),
        1 => Kind::Reply {
            to: id,
            body: text(chance),
        },
        2 => Kind::Reaction {
            to: id,
            emoji: text(chance),
        },
        3 => Kind::Edit {
            of: id,
            body: text(chance),
        },
        4 => Kind::Retraction { of: id },
        _ => {
            let number = 6 + u16::from_be_bytes(chance.array()) % 1000;
            let payload = chance.list(0, 20, Chance::byte);
            Kind::Unknown(Unknown::new(number, payload).expect("numbers from 6 on have no layout yet"))
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
