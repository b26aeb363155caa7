//! Random values of what stands in inboxes, and of what their owners store.
//!
//! Assembled from bytes, as cards are: keys are keys of nobody, signatures sign nothing.

use waxwing_core::codec::{Decode, Encode, put_bytes, put_count};
use waxwing_seal::inbox::opening::{DeviceOpening, Opening};
use waxwing_seal::inbox::{Inbox, Post, Recipient, Taken, WholeWelcome};

use super::identity;
use crate::chance::Chance;

const PUBLIC: usize = 1216;

fn card(chance: &mut Chance) -> Vec<u8> {
    if chance.once_in(2) {
        vec![0]
    } else {
        [&[1][..], &chance.bytes(64)].concat()
    }
}

fn put_text(chance: &mut Chance, out: &mut Vec<u8>) {
    const LETTERS: [&str; 5] = ["a", " ", "ß", "\u{202e}", "🐦"];
    let text = chance.list(0, 6, |chance| *chance.pick(&LETTERS)).concat();
    put_bytes(out, text.as_bytes());
}

pub(super) fn opening(chance: &mut Chance) -> Opening {
    let mut bytes = vec![1];
    identity::certificate(chance).encode(&mut bytes);
    bytes.extend(chance.bytes(PUBLIC));
    bytes.extend(card(chance));
    put_text(chance, &mut bytes);
    if chance.once_in(2) {
        bytes.push(1);
    } else {
        bytes.push(2);
        put_text(chance, &mut bytes);
    }
    bytes.extend(chance.number().to_be_bytes());
    let uses = 1 + u32::try_from(chance.below(256)).unwrap_or(0);
    bytes.extend(uses.to_be_bytes());
    bytes.extend(chance.bytes(64));
    Opening::from_bytes(&bytes).expect("it has one of two purposes, and takes up to 256 requests")
}

pub(super) fn device_opening(chance: &mut Chance) -> DeviceOpening {
    let mut bytes = vec![1];
    bytes.extend(chance.bytes(32 + PUBLIC));
    put_text(chance, &mut bytes);
    bytes.extend(chance.number().to_be_bytes());
    bytes.extend(chance.bytes(64));
    DeviceOpening::from_bytes(&bytes).expect("a device, keys and times are any bytes")
}

fn request(chance: &mut Chance) -> Vec<u8> {
    let mut said = identity::certificate(chance).to_bytes();
    put_text(chance, &mut said);
    put_text(chance, &mut said);
    put_bytes(&mut said, &chance.list(1, 40, Chance::byte));
    said.extend(chance.bytes(32 + PUBLIC));
    said.extend(card(chance));
    said.extend(chance.bytes(64));
    said
}

fn greeting(chance: &mut Chance) -> Vec<u8> {
    let mut said = identity::certificate(chance).to_bytes();
    put_text(chance, &mut said);
    said.extend(chance.bytes(32 + PUBLIC));
    said.extend(card(chance));
    said.extend(chance.bytes(64));
    said
}

/// At least one, in ascending order.
fn networks(chance: &mut Chance) -> Vec<u8> {
    let mut networks: Vec<[u8; 32]> = chance.list(1, 3, Chance::array);
    networks.sort_unstable();
    let mut out = Vec::new();
    put_count(&mut out, networks.len());
    out.extend(networks.concat());
    out
}

fn offer(chance: &mut Chance) -> Vec<u8> {
    let mut said = identity::certificate(chance).to_bytes();
    put_text(chance, &mut said);
    said.extend(networks(chance));
    said.extend(chance.bytes(32 + PUBLIC + 64));
    said
}

/// A welcome's last part, of which there may be others: alone it is short.
fn part(chance: &mut Chance, count: u32) -> Vec<u8> {
    let mut said = chance.bytes(32);
    said.extend(count.to_be_bytes());
    said.extend(count.saturating_sub(1).to_be_bytes());
    put_bytes(&mut said, &chance.list(1, 40, Chance::byte));
    said
}

fn hand_over(chance: &mut Chance) -> Vec<u8> {
    let mut said = chance.bytes(32);
    put_text(chance, &mut said);
    let handed = chance.list(0, 2, |chance| {
        let mut one = chance.bytes(32 + 40);
        one.extend([0; 4]);
        one.extend(chance.bytes(32));
        identity::certificate(chance).encode(&mut one);
        one
    });
    put_count(&mut said, handed.len());
    said.extend(handed.concat());
    said.extend(chance.bytes(64));
    said
}

fn accepting(chance: &mut Chance) -> Vec<u8> {
    let signatures: Vec<[u8; 64]> = chance.list(0, 3, Chance::array);
    let mut said = Vec::new();
    put_count(&mut said, signatures.len());
    said.extend(signatures.concat());
    said
}

pub(super) fn post(chance: &mut Chance) -> Post {
    let kind = 1 + u8::try_from(chance.below(7)).unwrap_or(0);
    let said = match kind {
        1 => request(chance),
        2 => {
            let count = 1 + u32::try_from(chance.below(5)).unwrap_or(0);
            part(chance, count)
        }
        3 => chance.bytes(33),
        4 => hand_over(chance),
        5 => greeting(chance),
        6 => offer(chance),
        _ => accepting(chance),
    };
    Post::from_bytes(&[&[kind], said.as_slice()].concat()).expect("each kind has the form it needs")
}

pub(super) fn welcome(chance: &mut Chance) -> WholeWelcome {
    let mut bytes = vec![1];
    bytes.extend(chance.bytes(32 + 48));
    put_bytes(&mut bytes, &chance.list(0, 40, Chance::byte));
    put_bytes(&mut bytes, &chance.list(0, 40, Chance::byte));
    WholeWelcome::from_bytes(&bytes).expect("a welcome and a tree are any bytes")
}

pub(super) fn taken(chance: &mut Chance) -> Taken {
    let bytes = [chance.bytes(64), request(chance)].concat();
    Taken::from_bytes(&bytes).expect("a request, and what names it")
}

pub(super) fn recipient(chance: &mut Chance) -> Recipient {
    Recipient::from_bytes(&chance.bytes(32 + 32 + 32 + PUBLIC + 32)).expect("keys and ids are any bytes")
}

/// Of an invitation, with some who have asked.
fn requests(chance: &mut Chance) -> Vec<u8> {
    let mut rest = opening(chance).to_bytes();
    rest.push(u8::try_from(chance.below(3)).unwrap_or(0));
    let mut asked: Vec<[u8; 64]> = chance.list(0, 3, Chance::array);
    asked.sort_unstable();
    put_count(&mut rest, asked.len());
    rest.extend(asked.concat());
    rest
}

/// Of somebody who waits for an answer, with the ends of up to two welcomes.
fn answers(chance: &mut Chance) -> Vec<u8> {
    let mut rest = chance.bytes(64);
    rest.push(u8::from(chance.once_in(2)));
    let remembered: Vec<[u8; 32]> = chance.list(0, 3, Chance::array);
    put_count(&mut rest, remembered.len());
    rest.extend(remembered.concat());
    let transfers = chance.list(0, 2, |chance| {
        let count = 2 + u32::try_from(chance.below(4)).unwrap_or(0);
        [&1_u32.to_be_bytes()[..], &part(chance, count)].concat()
    });
    put_count(&mut rest, transfers.len());
    rest.extend(transfers.concat());
    rest
}

/// Of a new device, with the offers that it has heard.
fn newcomer(chance: &mut Chance) -> Vec<u8> {
    let mut rest = device_opening(chance).to_bytes();
    let progress = u8::try_from(chance.below(4)).unwrap_or(0);
    rest.push(progress);
    if progress == 2 {
        rest.extend(chance.bytes(32));
    }
    let offers = chance.list(0, 1, |chance| [chance.bytes(32), offer(chance)].concat());
    put_count(&mut rest, offers.len());
    rest.extend(offers.concat());
    rest
}

/// Of a device that has offered.
fn waiting(chance: &mut Chance) -> Vec<u8> {
    let mut rest = chance.bytes(32 + 8 + 32 + PUBLIC + 32 + 32 + 32);
    rest.extend(networks(chance));
    rest.push(u8::from(chance.once_in(2)));
    rest
}

pub(super) fn inbox(chance: &mut Chance) -> Inbox {
    let mut bytes = b"WXINBOX\x01".to_vec();
    bytes.extend(chance.bytes(32 + 32 + 32));
    bytes.extend(chance.number().to_be_bytes());
    let role = 1 + u8::try_from(chance.below(4)).unwrap_or(0);
    bytes.push(role);
    bytes.extend(match role {
        1 => requests(chance),
        2 => answers(chance),
        3 => newcomer(chance),
        _ => waiting(chance),
    });
    Inbox::from_bytes(&bytes).expect("each role has the form it needs, and its lists are in order")
}
