//! Statements: one encoding each, and what no encoding can say.

use super::*;
use crate::identity::certificate::{Acceptance, DeviceName, Validity};

const NETWORK: Hash = Hash([1; 32]);
const CARD: LogId = LogId([2; 32]);

fn root() -> AccountKey {
    AccountKey::from_entropy(&[7; 32])
}

fn certificate(byte: u8, sequence: u64) -> DeviceCertificate {
    let accepted = Acceptance::sign(&DeviceKey::from_seed(&[byte; 32]), NETWORK, root().id());
    let name = DeviceName::new("phone").unwrap();
    DeviceCertificate::sign(&root(), NETWORK, &accepted, name, Validity::from(5), sequence)
}

fn listed(byte: u8, sequence: u64) -> Listed {
    Listed {
        certificate: certificate(byte, sequence),
        standing: Standing::Active,
    }
}

fn address() -> CardAddress {
    root().card_seed(NETWORK, 1).address(NETWORK)
}

fn signed(number: u64, said: Said) -> Statement {
    Statement::sign(Signer::Root(&root()), NETWORK, CARD, number, said)
}

fn opening(card: u64, previous: u8, devices: Vec<Listed>) -> Said {
    Said::Opening(Opening {
        card,
        previous: LogId([previous; 32]),
        devices,
    })
}

fn moved(revoked: &[u8]) -> Said {
    Said::Move(Move {
        revoked: revoked.iter().map(|byte| DeviceId([*byte; 32])).collect(),
        next: address(),
    })
}

fn sealed(device: u8, length: usize) -> Option<SealedSeed> {
    SealedSeed::new(DeviceId([device; 32]), vec![9; length])
}

fn read(statement: &Statement) -> Result<Statement, CodecError> {
    Statement::from_bytes(&statement.to_bytes())
}

#[test]
fn every_kind_is_read_back_and_its_signature_counts() {
    let package = KeyPackage::new(vec![9; 100]).unwrap();
    let all = [
        (0, opening(0, 0, vec![])),
        (0, opening(4, 3, vec![listed(1, 2), listed(2, 5)])),
        (1, Said::Addition(certificate(1, 1))),
        (
            1,
            Said::HandOver(vec![sealed(1, 1168).unwrap(), sealed(2, 1168).unwrap()]),
        ),
        (2, Said::Lifting(DeviceId([3; 32]))),
        (3, moved(&[1, 2])),
        (0, Said::Suspension(DeviceId([3; 32]))),
        (9, Said::KeyPackages(vec![package.clone(), package])),
    ];
    for (number, said) in all {
        let statement = signed(number, said);
        assert_eq!(read(&statement).as_ref(), Ok(&statement));
        assert_eq!(statement.verify(NETWORK, CARD), Ok(()));
        assert_eq!(statement.verify(Hash([9; 32]), CARD), Err(BadSignature));
        assert_eq!(statement.verify(NETWORK, LogId([9; 32])), Err(BadSignature));
    }
}

#[test]
fn every_altered_byte_is_noticed() {
    let statement = signed(3, moved(&[1, 2]));
    let bytes = statement.to_bytes();
    for place in 0..bytes.len() {
        let mut other = bytes.clone();
        other[place] ^= 1;
        let noticed = Statement::from_bytes(&other).is_err_and(|_| true)
            || Statement::from_bytes(&other).is_ok_and(|read| read.verify(NETWORK, CARD).is_err());
        assert!(noticed, "byte {place}");
    }
}

#[test]
fn an_opening_is_number_0_and_nothing_else_of_the_root_is() {
    assert_eq!(read(&signed(1, opening(0, 0, vec![]))), Err(CodecError::BadValue));
    assert_eq!(
        read(&signed(0, Said::Lifting(DeviceId([3; 32])))),
        Err(CodecError::BadValue)
    );
    assert_eq!(read(&signed(0, Said::KeyPackages(vec![]))), Err(CodecError::BadValue));
}

#[test]
fn the_first_card_alone_has_none_before_it() {
    assert_eq!(read(&signed(0, opening(0, 3, vec![]))), Err(CodecError::BadValue));
    assert_eq!(read(&signed(0, opening(1, 0, vec![]))), Err(CodecError::BadValue));
}

#[test]
fn devices_are_listed_once_and_in_order() {
    for devices in [
        vec![listed(1, 2), listed(2, 1)],
        vec![listed(1, 1), listed(2, 1)],
        vec![listed(1, 1), listed(1, 2)],
    ] {
        assert_eq!(read(&signed(0, opening(0, 0, devices))), Err(CodecError::BadValue));
    }
    for revoked in [&[2, 1][..], &[1, 1]] {
        assert_eq!(read(&signed(1, moved(revoked))), Err(CodecError::BadValue));
    }
}

#[test]
fn key_packages_have_bytes_and_limits() {
    assert_eq!(KeyPackage::new(vec![]), None);
    assert!(KeyPackage::new(vec![0; 8192]).is_some());
    assert_eq!(KeyPackage::new(vec![0; 8193]), None);
    let one = || KeyPackage::new(vec![1]).unwrap();
    let many = |count| signed(1, Said::KeyPackages((0..count).map(|_| one()).collect()));
    assert!(read(&many(8)).is_ok());
    assert_eq!(read(&many(9)), Err(CodecError::TooLong));
}

#[test]
fn seeds_are_handed_over_to_somebody_once_each_in_order_and_whole() {
    assert_eq!((sealed(1, 1167), sealed(1, 1169)), (None, None));
    let said = |devices: &[u8]| {
        let seeds = devices.iter().map(|device| sealed(*device, 1168).unwrap());
        signed(1, Said::HandOver(seeds.collect()))
    };
    assert!(read(&said(&[1, 2, 3])).is_ok());
    for wrong in [&[][..], &[2, 1], &[1, 1]] {
        assert_eq!(read(&said(wrong)), Err(CodecError::BadValue), "{wrong:?}");
    }
    let sixteen: Vec<u8> = (1..=16).collect();
    assert!(read(&said(&sixteen)).is_ok());
    let seventeen: Vec<u8> = (1..=17).collect();
    assert_eq!(read(&said(&seventeen)), Err(CodecError::TooLong));
}
