//! Random values of what stands on cards, and of what a client remembers of a person.
//!
//! Assembled from bytes: signatures sign nothing, and the types that check them cannot be put together from outside.

use waxwing_core::codec::{Decode, Encode, put_bytes, put_count};
use waxwing_seal::identity::{Acceptance, CardAddress, DeviceCertificate, Known, Statement};

use crate::chance::Chance;

pub(super) fn acceptance(chance: &mut Chance) -> Acceptance {
    Acceptance::from_bytes(&chance.bytes(96)).expect("a device and a signature are any bytes")
}

pub(super) fn address(chance: &mut Chance) -> CardAddress {
    CardAddress::from_bytes(&chance.bytes(64)).expect("a log and a key are any bytes")
}

pub(super) fn certificate(chance: &mut Chance) -> DeviceCertificate {
    let sequence = chance.number().max(1);
    numbered(chance, sequence)
}

fn numbered(chance: &mut Chance, sequence: u64) -> DeviceCertificate {
    const LETTERS: [&str; 5] = ["a", " ", "ß", "\u{202e}", "🐦"];
    let name = chance.list(0, 12, |chance| *chance.pick(&LETTERS)).concat();
    let from = chance.number().min(u64::MAX - 1);
    let until = from.saturating_add(chance.number().max(1));
    let mut bytes = vec![1];
    bytes.extend(chance.array::<64>());
    put_bytes(&mut bytes, name.as_bytes());
    for number in [from, until, sequence] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(chance.array::<128>());
    DeviceCertificate::from_bytes(&bytes).expect("it ends after its start, and its sequence is not 0")
}

/// Devices in ascending order, each once.
fn devices(chance: &mut Chance) -> Vec<[u8; 32]> {
    let mut devices: Vec<[u8; 32]> = chance.list(0, 4, Chance::array);
    devices.sort_unstable();
    devices
}

fn standing(chance: &mut Chance) -> u8 {
    u8::try_from(chance.below(3)).unwrap_or(0)
}

fn opening(chance: &mut Chance) -> Vec<u8> {
    let card = if chance.once_in(2) { 0 } else { chance.number() };
    let mut said = card.to_be_bytes().to_vec();
    if card == 0 {
        said.extend([0; 32]);
    } else {
        said.extend(chance.array::<32>());
    }
    let mut sequence = 0;
    let listed = chance.list(0, 3, |chance| {
        sequence += 1 + chance.below(1000);
        (numbered(chance, sequence), standing(chance))
    });
    put_count(&mut said, listed.len());
    for (certificate, standing) in listed {
        certificate.encode(&mut said);
        said.push(standing);
    }
    said
}

fn packages(chance: &mut Chance) -> Vec<u8> {
    let packages = chance.list(0, 3, |chance| chance.list(1, 40, Chance::byte));
    let mut said = Vec::new();
    put_count(&mut said, packages.len());
    packages.iter().for_each(|package| put_bytes(&mut said, package));
    said
}

fn moved(chance: &mut Chance) -> Vec<u8> {
    let revoked = devices(chance);
    let mut said = Vec::new();
    put_count(&mut said, revoked.len());
    said.extend(revoked.concat());
    address(chance).encode(&mut said);
    said
}

pub(super) fn statement(chance: &mut Chance) -> Statement {
    let kind = 1 + u8::try_from(chance.below(6)).unwrap_or(0);
    let said = match kind {
        1 => opening(chance),
        2 => certificate(chance).to_bytes(),
        4 => moved(chance),
        6 => packages(chance),
        _ => chance.bytes(32),
    };
    let number = match kind {
        1 => 0,
        5 => chance.number(),
        _ => chance.number().max(1),
    };
    let mut bytes = vec![1, kind];
    bytes.extend(chance.array::<32>());
    bytes.extend(number.to_be_bytes());
    bytes.extend(said);
    bytes.extend(chance.array::<64>());
    Statement::from_bytes(&bytes).expect("each kind has the number it needs, and its lists are in order")
}

pub(super) fn known(chance: &mut Chance) -> Known {
    let mut bytes = vec![1];
    if chance.once_in(2) {
        bytes.extend([0; 9]);
    } else {
        bytes.push(1);
        bytes.extend(chance.number().to_be_bytes());
    }
    bytes.extend(chance.array::<32>());
    bytes.extend(chance.number().to_be_bytes());
    let devices = devices(chance);
    put_count(&mut bytes, devices.len());
    for device in devices {
        bytes.extend(device);
        bytes.extend(chance.number().to_be_bytes());
        bytes.push(standing(chance));
    }
    Known::from_bytes(&bytes).expect("devices in order, and a time only if compared")
}
