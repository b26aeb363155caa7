//! Whether this node can be recommended to clients, and if not, why: for its operator's page and for whoever asks.
//!
//! One list of reasons answers both, so that a monitor elsewhere sees what the page on the machine says.

use std::sync::PoisonError;

use waxwing_net::wire::{Hindrance, List, Response};
use waxwing_store::Tables;

use super::Serving;

/// Blocks that a node may be behind what its upstream nodes have shown, and still be ready: some seconds under load.
const LAG_BLOCKS: u64 = 64;

/// What decides it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    is_stopping: bool,
    is_halted: bool,
    height: u64,
    target: u64,
    company: Company,
}

/// Whom the node needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Company {
    /// Somebody to copy from.
    Upstreams { known: usize, connected: usize },
    /// Enough others to decide with, itself counted: a vote reaches them, and theirs come back, over links both ways.
    Validators {
        linked: usize,
        members: usize,
        needed: usize,
    },
}

impl Seen {
    fn hindrances(&self) -> Vec<Hindrance> {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let company = match self.company {
            Company::Upstreams { known, connected } => {
                (connected == 0).then(|| Hindrance::NoUpstream { known: number(known) })
            }
            Company::Validators {
                linked,
                members,
                needed,
            } => (linked < needed).then(|| Hindrance::NoQuorum {
                linked: number(linked),
                members: number(members),
                needed: number(needed),
            }),
        };
        let behind = Hindrance::Behind {
            height: self.height,
            target: self.target,
        };
        let is_behind = self.target.saturating_sub(self.height) > LAG_BLOCKS;
        let all = [
            self.is_stopping.then_some(Hindrance::Stopping),
            company,
            is_behind.then_some(behind),
            self.is_halted.then_some(Hindrance::TwoHistories),
        ];
        all.into_iter().flatten().collect()
    }
}

impl<T: Tables> Serving<T> {
    /// What stands in the way of recommending this node; nothing, if it is ready.
    pub(crate) fn hindrances(&self) -> Vec<Hindrance> {
        let votes = *self.votes.borrow();
        let seen = Seen {
            is_stopping: self.lifeline.is_stopping(),
            is_halted: self.is_halted(),
            height: self.chain.tip().height,
            target: self.upstreams.announced_height(),
            company: if votes { self.validators() } else { self.sources() },
        };
        seen.hindrances()
    }

    pub(super) fn ready(&self) -> Response {
        Response::Ready(List::new(self.hindrances()).unwrap_or(List::EMPTY))
    }

    fn sources(&self) -> Company {
        let upstreams = self.upstreams.status();
        Company::Upstreams {
            known: upstreams.len(),
            connected: upstreams.iter().filter(|upstream| upstream.is_connected).count(),
        }
    }

    fn validators(&self) -> Company {
        let own = self.voter.lock().unwrap_or_else(PoisonError::into_inner).public();
        let linked = self.links.linked();
        let ledger = self.chain.ledger();
        let committee = ledger.committee();
        let votes_with_us = |member| own == Some(member) || linked.contains(&member);
        Company::Validators {
            // Who joins in the next term is linked already, and does not vote yet.
            linked: (committee.members().iter().copied())
                .filter(|member| votes_with_us(*member))
                .count(),
            members: committee.members().len(),
            needed: committee.quorum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Seen = Seen {
        is_stopping: false,
        is_halted: false,
        height: 100,
        target: 100 + LAG_BLOCKS,
        company: Company::Upstreams { known: 2, connected: 1 },
    };

    fn voting(linked: usize, members: usize, needed: usize) -> Seen {
        Seen {
            company: Company::Validators {
                linked,
                members,
                needed,
            },
            ..WELL
        }
    }

    #[test]
    fn a_validator_is_ready_with_a_quorum_and_not_without() {
        assert_eq!(voting(3, 4, 3).hindrances(), []);
        assert_eq!(voting(1, 1, 1).hindrances(), [], "who votes alone waits for nobody");
        let [lacks] = voting(2, 4, 3).hindrances()[..] else {
            panic!("two of four decide nothing")
        };
        assert_eq!(
            lacks.to_string(),
            "linked with 2 of 4 validators, itself counted; 3 must be"
        );
    }

    #[test]
    fn a_follower_needs_one_that_it_copies_from() {
        assert_eq!(WELL.hindrances(), []);
        let alone = Seen {
            company: Company::Upstreams { known: 2, connected: 0 },
            ..WELL
        };
        assert_eq!(alone.hindrances(), [Hindrance::NoUpstream { known: 2 }]);
    }

    #[test]
    fn each_reason_is_named_beside_the_others() {
        let all = Seen {
            is_stopping: true,
            is_halted: true,
            target: 101 + LAG_BLOCKS,
            ..voting(0, 4, 3)
        };
        let behind = Hindrance::Behind {
            height: 100,
            target: 101 + LAG_BLOCKS,
        };
        let none = Hindrance::NoQuorum {
            linked: 0,
            members: 4,
            needed: 3,
        };
        let named = [Hindrance::Stopping, none, behind, Hindrance::TwoHistories];
        assert_eq!(all.hindrances(), named);
    }
}
