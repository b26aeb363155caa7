//! A validator that lies, so that people and tests can see it caught: it votes for two blocks wherever it votes for one.
//!
//! In everything else it is an honest node; the second vote is made here, beside the agreement, because the host would
//! refuse to sign it. This is only there with the feature `liar`, and only for who asks for it by
//! [`Directory::vote_twice`](crate::directory::Directory::vote_twice): no setting of a node leads here.

use waxwing_core::Hash;
use waxwing_core::certificate::vote_message;
use waxwing_core::keys::VoteKey;
use waxwing_order::{Message, Vote};

use crate::order::event::{Action, Frame};

/// What a validator says, and after each vote of its own the one that excludes it.
pub(crate) fn tongue(
    key: VoteKey,
    network: Hash,
    mut honest: Box<dyn FnMut(Action) + Send>,
) -> Box<dyn FnMut(Action) + Send> {
    Box::new(move |action| {
        let lie = match &action {
            Action::Send {
                to,
                frame: Frame::Consensus { message, has_work },
            } => other_vote(message, &key, network).map(|message| Action::Send {
                to: *to,
                frame: Frame::Consensus {
                    message: Box::new(message),
                    has_work: *has_work,
                },
            }),
            _ => None,
        };
        // The honest vote first: it is the one that counts, so that the others lose nothing by this one's lies.
        honest(action);
        if let Some(lie) = lie {
            honest(lie);
        }
    })
}

/// A vote of the same step for a block that nobody proposed.
fn other_vote(message: &Message, key: &VoteKey, network: Hash) -> Option<Message> {
    let Message::Vote(vote) = message else { return None };
    if vote.validator != key.public() || vote.block == Hash::ZERO {
        return None;
    }
    let block = Hash(vote.block.0.map(|byte| !byte));
    let signature = key.sign(&vote_message(network, vote.kind, vote.height, vote.round, block));
    Some(Message::Vote(Vote {
        block,
        signature,
        ..vote.clone()
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::order::event::To;
    use waxwing_core::certificate::VoteKind;
    use waxwing_core::evidence::{Evidence, TwoVotes};
    use waxwing_core::genesis::{Genesis, Parameters};

    #[test]
    fn each_vote_for_a_block_is_followed_by_one_that_convicts() {
        let key = VoteKey::from_seed(&[1; 32]);
        let genesis = Genesis::new("test", 1, Parameters::DEFAULT, vec![key.public()]).unwrap();
        let said: Arc<Mutex<Vec<Vote>>> = Arc::default();
        let heard = Arc::clone(&said);
        let mut tongue = tongue(
            key.clone(),
            genesis.network(),
            Box::new(move |action| {
                if let Action::Send {
                    frame: Frame::Consensus { message, .. },
                    ..
                } = action
                    && let Message::Vote(vote) = *message
                {
                    heard.lock().unwrap().push(vote);
                }
            }),
        );
        let mut cast = |block: Hash| {
            let message = vote_message(genesis.network(), VoteKind::Precommit, 3, 0, block);
            let vote = Vote {
                validator: key.public(),
                kind: VoteKind::Precommit,
                height: 3,
                round: 0,
                block,
                signature: key.sign(&message),
            };
            tongue(Action::Send {
                to: To::All,
                frame: Frame::Consensus {
                    message: Box::new(Message::Vote(vote)),
                    has_work: false,
                },
            });
        };
        cast(Hash::ZERO);
        cast(Hash([9; 32]));
        let said = said.lock().unwrap().clone();
        assert_eq!(said.len(), 3, "a vote for no block is left alone");
        let mut pair = [&said[1], &said[2]].map(|vote| (vote.block, vote.signature));
        pair.sort_unstable_by_key(|(block, _)| *block);
        let [first, second] = pair;
        let evidence = Evidence::TwoVotes(Box::new(TwoVotes {
            validator: key.public(),
            kind: VoteKind::Precommit,
            height: 3,
            round: 0,
            first,
            second,
        }));
        assert_eq!(evidence.verify(&genesis.keys(), &genesis.committee()), Ok(()));
    }
}
