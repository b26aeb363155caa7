//! What the others say about themselves, and catching up with those who are further.
//!
//! ```text
//! somebody is further ──300 ms without a block──> CatchUp ──twice as long──> again, from somebody else ...
//! ```
//!
//! A block that others have decided is mostly decided here a moment later, by the same votes; copying it at once would
//! send it twice. And what others say about their height is a claim: each is tried a few times and then forgotten, so
//! that a liar cannot keep this node busy.

use std::collections::BTreeMap;

use waxwing_core::Hash;
use waxwing_core::keys::ValidatorId;
use waxwing_store::Tables;

use super::timers::LAG;
use super::{Fault, Validator};
use crate::order::event::{Action, Frame, To};

/// How long nothing may move while others are further.
const PATIENCE_MS: u64 = 300;

/// How often one claim is tried.
const TRIES: u32 = 6;

/// How often one validator is shown the contents of one block.
const SHOWN_MAX: u32 = 8;

/// One other validator.
#[derive(Debug, Default)]
struct Peer {
    is_up: bool,
    /// The height that it claims.
    height: u64,
    /// How often that claim was tried.
    tries: u32,
    /// The height of ours that it was told when it turned out to be behind.
    told: u64,
}

/// All others.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: BTreeMap<ValidatorId, Peer>,
    /// Our height when the patience began.
    since: u64,
    /// How often somebody was shown the contents of a block under way.
    shown: BTreeMap<(ValidatorId, Hash), u32>,
}

impl Peers {
    fn up(&mut self, peer: ValidatorId) {
        self.all.entry(peer).or_default().is_up = true;
    }

    pub(super) fn down(&mut self, peer: &ValidatorId) {
        if let Some(peer) = self.all.get_mut(peer) {
            peer.is_up = false;
        }
    }

    /// Those who can be reached, from one of them on, around.
    pub(super) fn reachable(&self, from: &ValidatorId) -> impl Iterator<Item = ValidatorId> {
        let after = self.all.range(*from..).chain(self.all.range(..*from));
        after.filter(|(_, peer)| peer.is_up).map(|(id, _)| *id)
    }

    /// Whether somebody may be shown the contents of a block once more: a few connections may have been lost, no more.
    pub(super) fn may_be_shown(&mut self, peer: ValidatorId, block: Hash) -> bool {
        let times = self.shown.entry((peer, block)).or_default();
        *times += 1;
        *times <= SHOWN_MAX
    }

    pub(super) fn forget_shown(&mut self) {
        self.shown.clear();
    }

    fn claim(&mut self, peer: ValidatorId, height: u64) {
        let peer = self.all.entry(peer).or_default();
        // Whoever is heard can be asked, whether or not it listens here.
        peer.is_up = true;
        if height > peer.height {
            (peer.height, peer.tries) = (height, 0);
        }
    }

    /// Who says that it is further than `height`, those who were tried least first; their claim, and how often it was
    /// tried.
    fn further(&self, height: u64) -> Option<(ValidatorId, u64, u32)> {
        let claims = self
            .all
            .iter()
            .filter(|(_, peer)| peer.is_up && peer.height > height && peer.tries < TRIES);
        let next = claims.min_by_key(|(_, peer)| (peer.tries, u64::MAX - peer.height))?;
        Some((*next.0, next.1.height, next.1.tries))
    }

    fn tried(&mut self, peer: &ValidatorId) {
        if let Some(peer) = self.all.get_mut(peer) {
            peer.tries += 1;
        }
    }
}

impl<T: Tables> Validator<T> {
    /// Somebody can be reached: it may lack what was sent before.
    pub(super) fn peer_up(&mut self, peer: ValidatorId) -> Result<(), Fault> {
        self.peers.up(peer);
        self.send(To::One(peer), Frame::Status(self.height()));
        let Some(seat) = &self.seat else { return Ok(()) };
        let (shown, published) = (seat.shown.clone(), seat.published.clone());
        for block in shown {
            self.show_to(To::One(peer), &block);
        }
        for frame in published {
            self.send(To::One(peer), frame);
        }
        Ok(())
    }

    /// Somebody says how far it is, or shows it by what it talks about.
    pub(super) fn claimed(&mut self, peer: ValidatorId, height: u64) {
        self.peers.claim(peer, height);
        let own = self.height();
        if height > own {
            if self.timers.start(LAG) {
                self.peers.since = own;
                self.out.push(Action::Set(LAG, PATIENCE_MS));
            }
        } else if height < own {
            self.tell(peer);
        }
    }

    /// Tells somebody who seems to be behind, once a height.
    pub(super) fn tell(&mut self, peer: ValidatorId) {
        let own = self.height();
        let told = &mut self.peers.all.entry(peer).or_default().told;
        if *told < own {
            *told = own;
            self.send(To::One(peer), Frame::Status(own));
        }
    }

    /// Copies from those who are further, if nothing has moved in the meantime.
    pub(super) fn look_ahead(&mut self) {
        let own = self.height();
        let Some((from, height, tries)) = self.peers.further(own) else {
            return;
        };
        if self.peers.since < own {
            self.peers.since = own;
            self.set(LAG, PATIENCE_MS);
            return;
        }
        self.peers.tried(&from);
        self.out.push(Action::CatchUp { height, from });
        self.set(LAG, PATIENCE_MS << (tries + 1));
    }
}
