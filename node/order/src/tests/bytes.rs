//! Messages and records as bytes: one way to write each, bounded, and signatures over exactly what is specified.

use waxwing_core::Hash;
use waxwing_core::certificate::{VoteKind, beacon_message, vote_message};
use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::keys::Signature;
use waxwing_core::limits::COMMITTEE_MAX;

use super::bench::{BLANK, Bench};
use crate::limits::{MESSAGE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::message::{PROPOSAL_DOMAIN, proposal_message};
use crate::{Judged, Message, Polka, Record, RoundCertificate, RoundKind, RoundVote, Timer, TimerKind};

const BLOCK: Hash = Hash([4; 32]);

fn messages(bench: &Bench) -> Vec<Message> {
    let header = bench.block(0, 0);
    let over: Vec<_> = (0..3).map(|member| bench.precommit(member, 2, Hash::ZERO)).collect();
    vec![
        Message::Proposal(Box::new(bench.proposal(0, &header, 0, None))),
        Message::Proposal(Box::new(bench.proposal(1, &header, 5, Some(3)))),
        Message::Vote(bench.prevote(2, 1, BLOCK)),
        Message::Vote(bench.precommit(2, 1, Hash::ZERO)),
        Message::Polka(bench.polka(&[0, 1, 3], 1, BLOCK)),
        Message::Round(bench.round_certificate(RoundKind::Over, &over)),
        Message::Round(bench.round_certificate(RoundKind::Skip, &over[..2])),
    ]
}

/// A value is read back from its bytes and from no others that begin or end like them.
fn reads_back<T: Encode + Decode + PartialEq + core::fmt::Debug>(value: &T) {
    let mut bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    for length in 0..bytes.len() {
        assert_eq!(T::from_bytes(&bytes[..length]), Err(CodecError::Truncated), "{value:?}");
    }
    bytes.push(0);
    assert_eq!(T::from_bytes(&bytes), Err(CodecError::Trailing));
}

#[test]
fn messages_and_records_are_read_back_and_nothing_longer_or_shorter_is() {
    let bench = Bench::new(4);
    messages(&bench).iter().for_each(reads_back);
    let judged = |is_valid| {
        Record::Judged(Box::new(Judged {
            header: bench.block(1, 0),
            round: 7,
            proposer: bench.id(2),
            is_valid,
        }))
    };
    let timeout = |kind| {
        Record::Timeout(Timer {
            height: 9,
            round: 3,
            kind,
        })
    };
    let kinds = [
        TimerKind::Propose,
        TimerKind::Prevote,
        TimerKind::Precommit,
        TimerKind::Again,
    ];
    kinds.map(timeout).iter().for_each(reads_back);
    [judged(true), judged(false)].iter().for_each(reads_back);
    reads_back(&Record::Vote(bench.prevote(0, 0, BLOCK)));
    reads_back(&Record::Polka(bench.polka(&[0, 1, 2], 0, BLOCK)));
    reads_back(&Record::Proposal(Box::new(bench.proposal(
        0,
        &bench.block(0, 0),
        0,
        None,
    ))));
}

#[test]
fn there_is_one_way_to_write_collected_votes() {
    let bench = Bench::new(4);
    let read = |message: Message| Message::from_bytes(&message.to_bytes());
    let polka = bench.polka(&[0, 1, 2], 0, BLOCK);
    assert!(read(Message::Polka(polka.clone())).is_ok());
    for members in [&[1, 0, 2][..], &[0, 1, 1]] {
        let unordered = bench.polka(members, 0, BLOCK);
        assert_eq!(read(Message::Polka(unordered)), Err(CodecError::BadValue));
    }
    let for_nothing = Polka {
        block: Hash::ZERO,
        ..polka
    };
    assert_eq!(read(Message::Polka(for_nothing)), Err(CodecError::BadValue));

    let votes: Vec<_> = (0..3).map(|member| bench.precommit(member, 0, BLOCK)).collect();
    let mut round = bench.round_certificate(RoundKind::Over, &votes);
    assert!(read(Message::Round(round.clone())).is_ok());
    round.votes.swap(0, 1);
    assert_eq!(read(Message::Round(round)), Err(CodecError::BadValue));
}

#[test]
fn unknown_kinds_are_refused() {
    let bench = Bench::new(1);
    let vote = Message::Vote(bench.prevote(0, 0, BLOCK)).to_bytes();
    for (at, value) in [(0, 0), (0, 5), (33, 0), (33, 3)] {
        let mut bytes = vote.clone();
        bytes[at] = value;
        assert_eq!(Message::from_bytes(&bytes), Err(CodecError::BadValue));
    }
    let timer = Timer {
        height: 1,
        round: 0,
        kind: TimerKind::Again,
    };
    let mut timeout = Record::Timeout(timer).to_bytes();
    *timeout.last_mut().unwrap() = 5;
    assert_eq!(Record::from_bytes(&timeout), Err(CodecError::BadValue));
}

#[test]
fn the_largest_message_fits_the_limit_and_a_larger_one_is_refused_unread() {
    let certificate = |count: u32| {
        let vote = |number: u32| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_be_bytes());
            RoundVote {
                validator: waxwing_core::keys::ValidatorId(key),
                kind: VoteKind::Precommit,
                block: BLOCK,
                signature: BLANK,
            }
        };
        Message::Round(RoundCertificate {
            height: u64::MAX,
            round: u32::MAX,
            kind: RoundKind::Over,
            votes: (0..count).map(vote).collect(),
        })
    };
    let largest = certificate(COMMITTEE_MAX).to_bytes();
    assert!(u32::try_from(largest.len()).unwrap() <= MESSAGE_BYTES_MAX);
    assert!(Message::from_bytes(&largest).is_ok());
    let larger = certificate(COMMITTEE_MAX + 1).to_bytes();
    assert_eq!(Message::from_bytes(&larger), Err(CodecError::TooLong));
    const { assert!(MESSAGE_BYTES_MAX < RECORD_BYTES_MAX) };
}

#[test]
fn votes_sign_the_ledgers_bytes_and_proposals_their_own() {
    let bench = Bench::new(4);
    let network = bench.genesis.network();
    let vote = bench.precommit(1, 6, BLOCK);
    assert_eq!(
        vote.signed_bytes(network),
        vote_message(network, VoteKind::Precommit, 1, 6, BLOCK)
    );

    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    let proposal = bench.proposal(0, &header, 6, Some(2));
    let mut bytes = PROPOSAL_DOMAIN.to_vec();
    bytes.extend_from_slice(network.as_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend_from_slice(&[0, 0, 0, 6]);
    bytes.extend_from_slice(&[0, 0, 0, 2]);
    bytes.extend_from_slice(id.as_bytes());
    assert_eq!(proposal.signed_bytes(&bench.hashes), bytes);
    let first = proposal_message(network, 1, 6, None, id);
    assert_eq!(first[63..67], [0xff; 4]);
}

#[test]
fn a_proposal_is_no_vote_and_no_statement() {
    let bench = Bench::new(4);
    let (network, header) = (bench.genesis.network(), bench.block(0, 0));
    let id = bench.block_id(&header);
    let proposal = bench.proposal(0, &header, 0, None);
    let counts = |bytes: &[u8], signature: &Signature| bench.id(0).verify(bytes, signature).is_ok();
    assert!(counts(&proposal_message(network, 1, 0, None, id), &proposal.signature));
    for kind in [VoteKind::Prevote, VoteKind::Precommit] {
        assert!(!counts(&vote_message(network, kind, 1, 0, id), &proposal.signature));
    }
    assert!(!counts(&beacon_message(network, 1, id, 0), &proposal.signature));
}
