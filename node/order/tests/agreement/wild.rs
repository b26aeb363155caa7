//! A validator that says whatever is well formed.
//!
//! Its own votes for anything and any round, blocks of others proposed again with invented polkas, and certificates put
//! together from every vote it ever heard, good, bad and mixed. It is here for what nobody thought of: an input that makes
//! the engine fail would stop an honest validator.

use std::collections::BTreeMap;
use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::certificate::VoteKind;
use waxwing_core::codec::Encode;
use waxwing_core::keys::{Signature, ValidatorId};
use waxwing_order::{Message, Polka, Proposal, RoundCertificate, RoundKind, RoundVote, Vote};

use crate::world::World;

/// Messages remembered, to be used again.
const REMEMBERED: usize = 200;

/// Hears a message, and answers with a few of its own.
pub(crate) fn answer(world: &mut World, wild: usize, message: &Message) {
    if world.heard.len() >= REMEMBERED {
        world.heard.remove(0);
    }
    world.heard.push(message.clone());
    if world.chance.of_thousand(600) {
        // Fewer answers than messages: two of its kind must not talk to each other for ever.
        return;
    }
    for _ in 0..2 {
        let answer = invent(world, wild, message.height(), message.round());
        let bytes = Arc::new(answer.to_bytes());
        for to in (0..world.validators()).filter(|to| *to != wild) {
            if world.chance.of_thousand(500) {
                world.send(wild, to, &bytes);
            }
        }
    }
}

fn invent(world: &mut World, wild: usize, height: u64, round: u32) -> Message {
    let round = any_round(world, round);
    match world.chance.below(6) {
        0 => again(world),
        1 => Message::Proposal(Box::new(proposal(world, wild, round))),
        2 => Message::Polka(polka(world, wild, height, round)),
        3 => Message::Round(round_certificate(world, wild, height, round)),
        _ => Message::Vote(vote(world, wild, height, round)),
    }
}

fn any_round(world: &mut World, round: u32) -> u32 {
    let near = u32::try_from(world.chance.below(12)).unwrap();
    match world.chance.below(12) {
        0 => u32::MAX - near,
        1 => round.saturating_add(near),
        2 => round.saturating_sub(near),
        3 => round.saturating_add(1),
        _ => round,
    }
}

/// A message that was said before, by whomever.
fn again(world: &mut World) -> Message {
    let count = u64::try_from(world.heard.len()).unwrap();
    let at = usize::try_from(world.chance.below(count)).unwrap();
    world.heard[at].clone()
}

/// The id of some block that was proposed or voted for, or of none.
fn any_block(world: &mut World) -> Hash {
    match again(world) {
        Message::Proposal(proposal) => proposal.header.id(&world.hashes),
        Message::Vote(vote) => vote.block,
        Message::Polka(polka) => polka.block,
        Message::Round(_) => Hash::ZERO,
    }
}

fn vote(world: &mut World, wild: usize, height: u64, round: u32) -> Vote {
    let mut vote = Vote {
        validator: world.key(wild).public(),
        kind: if world.chance.of_thousand(500) {
            VoteKind::Prevote
        } else {
            VoteKind::Precommit
        },
        height,
        round,
        block: any_block(world),
        signature: Signature([0; 64]),
    };
    vote.signature = world.key(wild).sign(&vote.signed_bytes(world.genesis.network()));
    vote
}

fn proposal(world: &mut World, wild: usize, round: u32) -> Proposal {
    let me = world.key(wild).public();
    let theirs = world.heard.iter().rev().find_map(|heard| match heard {
        Message::Proposal(proposal) => Some(proposal.header.clone()),
        _ => None,
    });
    let mut header = theirs.unwrap_or_else(|| world.genesis.block());
    if world.chance.of_thousand(300) {
        header.proposer = me;
        header.time += world.chance.below(5);
    }
    let polka_round = world.chance.of_thousand(600).then(|| any_round(world, round));
    let mut proposal = Proposal {
        header,
        round,
        // All ones stand for "none", so no round is called that.
        polka_round: polka_round.filter(|round| *round != u32::MAX),
        validator: me,
        signature: Signature([0; 64]),
    };
    proposal.signature = world.key(wild).sign(&proposal.signed_bytes(&world.hashes));
    proposal
}

/// Votes heard about a round, one of each validator, and now and then a forged or a moved one.
fn votes(world: &mut World, wild: usize, height: u64, round: u32) -> BTreeMap<ValidatorId, Vote> {
    let mut votes = BTreeMap::new();
    let own = vote(world, wild, height, round);
    votes.insert(own.validator, own);
    let heard: Vec<Vote> = world.heard.iter().flat_map(Message::votes).collect();
    for vote in heard {
        if vote.height == height && (vote.round == round || world.chance.of_thousand(20)) {
            votes.insert(vote.validator, vote);
        }
    }
    votes
}

fn polka(world: &mut World, wild: usize, height: u64, round: u32) -> Polka {
    let block = Some(any_block(world)).filter(|block| *block != Hash::ZERO);
    let block = block.unwrap_or(Hash([1; 32]));
    let votes = votes(world, wild, height, round);
    let wanted = |vote: &&Vote| vote.block == block && vote.kind == VoteKind::Prevote;
    let few = world.chance.of_thousand(300);
    let chosen = votes.values().filter(|vote| few || wanted(vote));
    Polka {
        height,
        round,
        block,
        votes: chosen.map(|vote| (vote.validator, vote.signature)).collect(),
    }
}

fn round_certificate(world: &mut World, wild: usize, height: u64, round: u32) -> RoundCertificate {
    let votes = votes(world, wild, height, round);
    let kind = if world.chance.of_thousand(500) {
        RoundKind::Skip
    } else {
        RoundKind::Over
    };
    let of = |vote: &Vote| RoundVote {
        validator: vote.validator,
        kind: vote.kind,
        block: vote.block,
        signature: vote.signature,
    };
    RoundCertificate {
        height,
        round,
        kind,
        votes: votes.values().map(of).collect(),
    }
}
