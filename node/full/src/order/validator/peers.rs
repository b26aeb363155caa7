//! What the others say about themselves, and catching up with those who are further.
//!
//! ```text
//! somebody is further ──300 ms without a block──> CatchUp ──twice as long──> again, from somebody else ...
//! ```
//!
//! A block that others have decided is mostly decided here a moment later, by the same votes; copying it at once would
//! send it twice. And what others say about their height is a claim, which costs a liar nothing: so they are tried in
//! turn, whatever they claim and however often, and more and more seldom. But they are never given up: a committee that
//! needs this node makes no block until it has copied those that it lacks, and so nobody would ever claim anything new.

use std::collections::BTreeMap;

use waxwing_core::Hash;
use waxwing_core::keys::ValidatorId;
use waxwing_order::{Timer, TimerKind};
use waxwing_store::Tables;

use super::timers::LAG;
use super::{Fault, Validator};
use crate::order::event::{Action, Frame, To};

/// How long nothing may move while others are further.
const PATIENCE_MS: u64 = 300;

/// How often the patience is doubled while nothing moves: up to 19 seconds, at which a try costs a liar's victim nothing
/// worth mentioning, and is still soon for a node that everybody waits for.
const DOUBLED_MAX: u32 = 6;

/// How long somebody is waited for at its turn that let the one before pass and was not heard of since. Whoever lives
/// votes at every height, so it was heard of; whoever comes back says so before its turn.
const SILENT_MS: u64 = 100;

/// How often one validator is shown the contents of one block.
const SHOWN_MAX: u32 = 8;

/// One other validator.
#[derive(Debug, Default)]
struct Peer {
    is_up: bool,
    /// Whether it let its turn pass and nothing was heard of it since.
    is_silent: bool,
    /// The height that it claims.
    height: u64,
    /// When it was tried last, as a number of tries: those who were tried longest ago come first.
    tried: u64,
    /// The height of ours that it was told when it turned out to be behind.
    told: u64,
}

/// All others.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: BTreeMap<ValidatorId, Peer>,
    /// Our height when the patience began.
    since: u64,
    /// How often somebody was tried at that height.
    tries: u32,
    /// How often somebody was ever tried.
    tries_ever: u64,
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

    /// Something was heard of somebody.
    pub(super) fn heard(&mut self, peer: &ValidatorId) {
        if let Some(peer) = self.all.get_mut(peer) {
            peer.is_silent = false;
        }
    }

    /// Somebody let its turn pass.
    pub(super) fn missed(&mut self, peer: ValidatorId) {
        self.all.entry(peer).or_default().is_silent = true;
    }

    /// Whether somebody let its turn pass and nothing was heard of it since.
    pub(super) fn is_silent(&self, peer: &ValidatorId) -> bool {
        self.all.get(peer).is_some_and(|peer| peer.is_silent)
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
        peer.height = peer.height.max(height);
    }

    /// Who says that it is further than `height`, those who were tried longest ago first, and what it claims.
    fn further(&self, height: u64) -> Option<(ValidatorId, u64)> {
        let claims = self.all.iter().filter(|(_, peer)| peer.is_up && peer.height > height);
        let next = claims.min_by_key(|(_, peer)| (peer.tried, u64::MAX - peer.height))?;
        Some((*next.0, next.1.height))
    }

    /// Somebody is tried; returns how long to wait for it.
    fn try_it(&mut self, peer: &ValidatorId) -> u64 {
        self.tries_ever += 1;
        self.tries = (self.tries + 1).min(DOUBLED_MAX);
        if let Some(peer) = self.all.get_mut(peer) {
            peer.tried = self.tries_ever;
        }
        PATIENCE_MS << self.tries
    }

    /// Patience begins at this height.
    const fn wait_at(&mut self, height: u64) {
        (self.since, self.tries) = (height, 0);
    }
}

impl<T: Tables> Validator<T> {
    /// How long a timer of the host runs: less than the host wants if it waits for somebody who is silent, as long as the
    /// host allows haste.
    pub(super) fn wait(&self, timer: Timer, wanted_ms: u64) -> u64 {
        let is_hopeless = timer.kind == TimerKind::Propose
            && self.seat.as_ref().is_some_and(|seat| {
                let proposer = seat.host.proposer(timer.round);
                seat.host.may_hurry(timer.round) && proposer.is_some_and(|proposer| self.peers.is_silent(&proposer))
            });
        if is_hopeless {
            wanted_ms.min(SILENT_MS)
        } else {
            wanted_ms
        }
    }

    /// A timer of the host ran out: whoever was waited for is noted.
    pub(super) fn note_silence(&mut self, timer: Timer) {
        let Some(seat) = self.seat.as_ref().filter(|_| timer.kind == TimerKind::Propose) else {
            return;
        };
        if let Some(proposer) = seat.host.proposer(timer.round).filter(|proposer| *proposer != seat.me) {
            self.peers.missed(proposer);
        }
    }

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
                self.peers.wait_at(own);
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
        let Some((from, height)) = self.peers.further(own) else {
            return;
        };
        if self.peers.since < own {
            self.peers.wait_at(own);
            self.set(LAG, PATIENCE_MS);
            return;
        }
        let patience = self.peers.try_it(&from);
        self.out.push(Action::CatchUp { height, from });
        self.set(LAG, patience);
    }
}
