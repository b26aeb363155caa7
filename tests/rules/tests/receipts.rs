//! Laws of receipts and acknowledgements: accepted for their own entry at its own place, and nowhere else.

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::NodeKey;
use waxwing_core::merkle::ProofError;
use waxwing_core::receipt::{Acknowledgement, Ordered, Receipt, ReceiptError};
use waxwing_rules::world::{World, voters};

/// One block of each size from 1 to 17; three writers take turns.
fn world() -> World {
    let mut world = World::new(4);
    for size in 1..=17_u8 {
        let envelopes: Vec<_> = (0..size)
            .map(|number| {
                let writer = 1 + number % 3;
                world.envelope_at(world.newest_anchor(), writer, &[size, number], 4)
            })
            .collect();
        world.grow(&envelopes);
    }
    world
}

fn verify(world: &World, receipt: &Receipt) -> Result<Ordered, ReceiptError> {
    receipt.verify(world.keys(), &world.genesis.committee())
}

#[test]
fn every_entry_of_every_block_has_a_receipt_that_says_where_it_stands() {
    let world = world();
    for height in 1..=17 {
        let block = world.block(height);
        for in_block in 0..block.head.header.entry_count {
            let receipt = world.receipt(height, in_block);
            let receipt = Receipt::from_bytes(&receipt.to_bytes()).unwrap();
            let ordered = verify(&world, &receipt).unwrap();
            let log = receipt.signed.header.log;
            let (entry, place) = world.entries(&log)[usize::try_from(ordered.index).unwrap()];
            assert_eq!((ordered.entry, ordered.place, ordered.log), (entry, place, log));
            assert_eq!(ordered.block, block.head.header.id(world.keys()));
        }
    }
}

/// Every receipt, tried at every place of every block, and with every index: one combination holds.
#[test]
fn a_receipt_is_accepted_at_its_own_place_only() {
    let world = world();
    for height in [1, 2, 3, 7, 13] {
        for in_block in 0..world.header(height).entry_count {
            let own = world.receipt(height, in_block);
            for other_height in 1..=17 {
                let head = world.head(other_height);
                for other_place in 0..head.header.entry_count + 2 {
                    let moved = Receipt {
                        in_block: other_place,
                        head: head.clone(),
                        ..own.clone()
                    };
                    let is_own = (other_height, other_place) == (height, in_block);
                    assert_eq!(
                        verify(&world, &moved).is_ok(),
                        is_own,
                        "{height}/{in_block} at {other_height}/{other_place}"
                    );
                }
            }
            for log_index in 0..60 {
                let renumbered = Receipt {
                    log_index,
                    ..own.clone()
                };
                assert_eq!(verify(&world, &renumbered).is_ok(), log_index == own.log_index);
            }
        }
    }
}

#[test]
fn a_receipt_does_not_vouch_for_another_entry() {
    let world = world();
    for in_block in 0..9 {
        let own = world.receipt(9, in_block);
        for other in (0..9).filter(|other| *other != in_block) {
            let swapped = Receipt {
                signed: world.receipt(9, other).signed,
                ..own.clone()
            };
            assert_eq!(
                verify(&world, &swapped),
                Err(ReceiptError::Proof(ProofError::WrongRoot))
            );
        }
    }
}

#[test]
fn every_flipped_bit_cut_and_addition_makes_a_receipt_worthless() {
    let world = world();
    for (height, in_block) in [(1, 0), (17, 16)] {
        let bytes = world.receipt(height, in_block).to_bytes();
        let accepted = |bytes: &[u8]| Receipt::from_bytes(bytes).is_ok_and(|receipt| verify(&world, &receipt).is_ok());
        assert!(accepted(&bytes));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(!accepted(&flipped), "bit {bit} of the receipt of {height}/{in_block}");
        }
        assert!((0..bytes.len()).all(|length| !accepted(&bytes[..length])));
        assert!(!accepted(&[&bytes[..], &[0]].concat()));
    }
}

/// A path with room for other bytes would make two receipts of one, and one of them could carry anything.
#[test]
fn a_receipt_has_no_siblings_too_many_or_too_few() {
    let world = world();
    let own = world.receipt(13, 5);
    for extra in 0..70 {
        let mut longer = own.clone();
        longer.path.siblings.extend(vec![Hash::ZERO; extra]);
        let expected = if extra == 0 {
            Ok(())
        } else {
            Err(ReceiptError::Proof(ProofError::WrongLength))
        };
        assert_eq!(verify(&world, &longer).map(|_| ()), expected, "{extra} more");
    }
    for kept in 0..own.path.siblings.len() {
        let mut shorter = own.clone();
        shorter.path.siblings.truncate(kept);
        assert_eq!(
            verify(&world, &shorter),
            Err(ReceiptError::Proof(ProofError::WrongLength)),
            "{kept} left"
        );
    }
}

#[test]
fn only_the_networks_own_committee_makes_a_receipt_final() {
    let world = world();
    let own = world.receipt(4, 2);
    for signers in 0..=4 {
        let receipt = Receipt {
            head: world.certify_with(&own.head.header, signers),
            ..own.clone()
        };
        assert_eq!(verify(&world, &receipt).is_ok(), signers >= 3, "{signers} of 4");
    }
    let strangers = voters(11..=14)
        .iter()
        .map(waxwing_core::keys::VoteKey::public)
        .collect();
    let strangers = Committee::new(0, strangers).unwrap();
    assert!(own.verify(world.keys(), &strangers).is_err());
    let members = world.genesis.validators.clone();
    let other = Genesis::new("elsewhere", world.genesis.time, Parameters::DEFAULT, members).unwrap();
    assert!(own.verify(&other.keys(), &other.committee()).is_err());
}

#[test]
fn every_flipped_bit_makes_an_acknowledgement_worthless() {
    let network = Hash([1; 32]);
    let bytes = Acknowledgement::sign(&NodeKey::from_seed(&[5; 32]), network, Hash([2; 32]), 77).to_bytes();
    let accepted =
        |bytes: &[u8], network| Acknowledgement::from_bytes(bytes).is_ok_and(|promise| promise.verify(network).is_ok());
    assert!(accepted(&bytes, network));
    assert!(!accepted(&bytes, HashKeys::new(Hash([3; 32])).network()));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        assert!(!accepted(&flipped, network), "bit {bit}");
    }
}
