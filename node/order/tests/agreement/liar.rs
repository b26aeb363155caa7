//! A validator that tells one half this and the other half that, and now and then both to everybody.
//!
//! It proposes two blocks in its turn, one of them sometimes on a wrong parent, and votes for whatever it hears of, and
//! for nothing.

use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::certificate::VoteKind;
use waxwing_core::codec::Encode;
use waxwing_core::keys::Signature;
use waxwing_order::{Message, Proposal, Vote};

use crate::world::World;

/// Hears a message and makes the worst of it.
pub(crate) fn answer(world: &mut World, liar: usize, message: &Message) {
    let (height, round) = (message.height(), message.round());
    for round in [round, round + 1] {
        propose_twice(world, liar, height, round);
    }
    match message {
        Message::Proposal(proposal) => {
            let block = proposal.header.id(&world.hashes);
            vote_twice(world, liar, (height, round), VoteKind::Prevote, block);
        }
        Message::Vote(vote) if vote.block != Hash::ZERO => {
            vote_twice(world, liar, (height, round), VoteKind::Prevote, vote.block);
            if vote.kind == VoteKind::Precommit || world.chance.of_thousand(300) {
                vote_twice(world, liar, (height, round), VoteKind::Precommit, vote.block);
            }
        }
        Message::Vote(_) | Message::Polka(_) | Message::Round(_) => {}
    }
}

fn propose_twice(world: &mut World, liar: usize, height: u64, round: u32) {
    let me = world.key(liar).public();
    let turns = world.turns(height);
    let turn = turns[usize::try_from(round).unwrap() % turns.len()];
    let Some(parent) = world.final_block(height - 1).filter(|_| turn == me) else {
        return;
    };
    if !world.lies.insert((liar, height, round, 0, Hash::ZERO)) {
        return;
    }
    let other_parent = if world.chance.of_thousand(300) {
        Hash([9; 32])
    } else {
        parent
    };
    for (half, parent) in [parent, other_parent].into_iter().enumerate() {
        let header = world.block(height, parent, me);
        let mut proposal = Proposal {
            header,
            round,
            polka_round: None,
            validator: me,
            signature: Signature([0; 64]),
        };
        proposal.signature = world.key(liar).sign(&proposal.signed_bytes(&world.hashes));
        tell(world, liar, &Message::Proposal(Box::new(proposal)), Some(half));
    }
}

fn vote_twice(world: &mut World, liar: usize, (height, round): (u64, u32), kind: VoteKind, block: Hash) {
    let step = if kind == VoteKind::Prevote { 1 } else { 2 };
    if !world.lies.insert((liar, height, round, step, block)) {
        return;
    }
    let to_all = world.chance.of_thousand(200);
    for (half, block) in [block, Hash::ZERO].into_iter().enumerate() {
        let mut vote = Vote {
            validator: world.key(liar).public(),
            kind,
            height,
            round,
            block,
            signature: Signature([0; 64]),
        };
        vote.signature = world.key(liar).sign(&vote.signed_bytes(world.genesis.network()));
        tell(world, liar, &Message::Vote(vote), (!to_all).then_some(half));
    }
}

/// Sends to one half of the others, or to all.
fn tell(world: &mut World, liar: usize, message: &Message, half: Option<usize>) {
    let bytes = Arc::new(message.to_bytes());
    for to in (0..world.validators()).filter(|to| *to != liar && half.is_none_or(|half| to % 2 == half)) {
        world.send(liar, to, &bytes);
    }
}
