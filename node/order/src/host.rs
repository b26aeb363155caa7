//! The host: what a validator's part in the agreement looks like from outside.
//!
//! It rests between heights, keeps what others say about the next ones, and looks at everything that comes before the
//! engine does. A height is begun by the caller, who knows when there is work; until then there is no timer and nothing
//! to send.

use std::sync::Arc;

use waxwing_core::certificate::Certificate;
use waxwing_core::committee::Committee;
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_core::{Hash, HashKeys};

use crate::ahead::Ahead;
use crate::event::{Input, Output, Settings, StopReason};
use crate::guard::Guard;
use crate::height::{Core, End, Height};
use crate::message::Message;
use crate::record::Record;
use crate::signer::Signer;
use crate::votes::Votes;

/// One validator's part in the agreement.
pub struct Host {
    core: Core,
    current: Option<Box<Height>>,
    /// The newest height that is over.
    tip: u64,
    /// A height that goes on without us.
    sat_out: Option<u64>,
    ahead: Ahead,
    /// The votes of the height before: a late one may contradict them.
    past: Option<Votes>,
}

impl Host {
    /// A host that signs with `key` for `network`, and nothing at or before `guard` that its journal does not show.
    #[must_use]
    pub fn new(network: Hash, key: VoteKey, settings: Settings, guard: Guard) -> Self {
        let keys = HashKeys::new(network);
        Self {
            core: Core {
                signer: Signer::new(keys.clone(), key, guard),
                keys,
                settings,
                out: Vec::new(),
                is_stopped: false,
            },
            current: None,
            tip: 0,
            sat_out: None,
            ahead: Ahead::default(),
            past: None,
        }
    }

    /// Rests until `height` begins, and keeps what members of its committee say about it. To be called at the start and
    /// whenever the ledger has grown, by whomever the block was certified.
    pub fn expect(&mut self, height: u64, committee: &Arc<Committee>) -> Vec<Output> {
        if self.current.as_ref().is_some_and(|current| current.height() < height) {
            self.leave();
        }
        self.tip = self.tip.max(height.saturating_sub(1));
        let current = self.current.iter().map(|current| Arc::clone(current.committee()));
        let committees = current.chain([Arc::clone(committee)]).collect();
        self.ahead.expect(height, committees);
        self.take()
    }

    /// Begins a height: the committee that certifies its block, and whose turn each round is (round r is
    /// `turns[r % turns.len()]`). `recovered` is what the journal holds of exactly this height, oldest first.
    pub fn begin(
        &mut self,
        height: u64,
        committee: &Arc<Committee>,
        turns: &[ValidatorId],
        recovered: &[Record],
    ) -> Vec<Output> {
        if self.core.is_stopped {
            return Vec::new();
        }
        self.leave();
        self.tip = height.saturating_sub(1);
        self.sat_out = None;
        self.core.signer.begin(height);
        let heard = self.ahead.take(height);
        self.ahead.expect(height, vec![Arc::clone(committee)]);
        let mut current = Box::new(Height::new(&self.core, height, Arc::clone(committee), turns));
        current.start(&mut self.core, recovered);
        self.current = Some(current);
        for message in heard {
            self.deliver_kept(&message);
        }
        self.settle();
        self.take()
    }

    /// Takes an input and says what it leads to, in the order in which it is to be done.
    pub fn on(&mut self, input: Input) -> Vec<Output> {
        if self.core.is_stopped {
            return Vec::new();
        }
        match input {
            Input::Message(message) => self.hear(message),
            Input::Timeout(timer) => self.with_current(|current, core| current.time_out(core, timer)),
            Input::Proposed { round, header } => {
                self.with_current(|current, core| current.propose_block(core, round, *header));
            }
            Input::Judged { id, is_valid } => self.with_current(|current, core| current.judged(core, id, is_valid)),
        }
        self.settle();
        self.take()
    }

    /// Compares a certificate that came from elsewhere with what was heard here, at the height under way and the one
    /// before: whoever told this host something else than it told the others is caught. To be called for every block
    /// that is copied, before [`Self::expect`].
    pub fn compare(&mut self, height: u64, id: Hash, certificate: &Certificate) -> Vec<Output> {
        let current = self.current.as_mut().map(|current| current.votes());
        let mut heard = current.into_iter().chain(self.past.as_mut());
        if let Some(votes) = heard.find(|votes| votes.height() == height) {
            votes.compare_certificate(id, certificate);
            let found = votes.take_found();
            self.core.accuse(found);
        }
        self.take()
    }

    /// The newest thing signed, by this host or as far as it was told.
    #[must_use]
    pub const fn signed(&self) -> Guard {
        self.core.signer.newest()
    }

    /// Height and round under way; none while the host rests.
    #[must_use]
    pub fn at(&self) -> Option<(u64, u32)> {
        self.current.as_ref().map(|current| (current.height(), current.round()))
    }

    /// Whose turn it is in a round of the height under way; none while the host rests.
    #[must_use]
    pub fn proposer(&self, round: u32) -> Option<ValidatorId> {
        self.current.as_ref()?.proposer(round)
    }

    /// Whether a round of the height under way may be cut short, by a shorter wait for somebody of whom nothing is
    /// expected: once round the table only. False while the host rests.
    #[must_use]
    pub fn may_hurry(&self, round: u32) -> bool {
        self.current.as_ref().is_some_and(|current| current.may_hurry(round))
    }

    /// Whether a validator has said something about a height that has not begun: a reason to begin it.
    #[must_use]
    pub fn is_awaited(&self, height: u64) -> bool {
        self.ahead.is_waiting(height)
    }

    /// Our statement that `head` (height and id) is still the newest block at `time`, for a beacon. None if we may have
    /// precommitted above it: then somebody may hold a newer final block.
    #[must_use]
    pub fn statement(&self, head: (u64, Hash), time: u64) -> Option<Signature> {
        if self.core.is_stopped {
            return None;
        }
        self.core.signer.statement(head, time)
    }

    // ---- Messages --------------------------------------------------------------------------------------------------

    fn hear(&mut self, message: Message) {
        let height = message.height();
        if height > self.tip && self.meets_itself(&message) {
            return;
        }
        if height <= self.tip {
            self.look_back(&message);
        } else if self.sat_out == Some(height) {
            // Whoever contradicts itself is not to be trusted with counting either.
        } else if self.current.as_ref().is_some_and(|current| current.height() == height) {
            self.with_current(|current, core| current.hear(core, &message));
        } else {
            self.ahead.keep(&self.core.keys, self.tip, message);
        }
    }

    /// Whether a message speaks in our name. Nobody but us has reason to send such a thing, so it is of no use; and
    /// if it says what we never said, and our signature counts, our key is on a second machine.
    fn meets_itself(&mut self, message: &Message) -> bool {
        let me = self.core.signer.me();
        let ours = message.votes().into_iter().filter(|vote| vote.validator == me);
        let mut said: Vec<Message> = ours.map(Message::Vote).collect();
        if matches!(message, Message::Proposal(proposal) if proposal.validator == me) {
            said.push(message.clone());
        }
        let is_foreign = |said: &&Message| self.core.signer.is_strange(said) && said.is_signed(&self.core.keys);
        if let Some(said) = said.iter().find(is_foreign) {
            let (height, round) = (said.height(), said.round());
            self.core.stop(StopReason::SecondMachine { height, round });
            return true;
        }
        message.validator() == Some(me)
    }

    /// Votes about the height before are of no use but as evidence.
    fn look_back(&mut self, message: &Message) {
        if let Some(past) = &mut self.past
            && past.height() == message.height()
        {
            for vote in message.votes() {
                past.compare(&vote);
            }
            let found = past.take_found();
            self.core.accuse(found);
        }
    }

    /// What was kept was verified then.
    fn deliver_kept(&mut self, message: &Message) {
        self.with_current(|current, core| {
            if let Message::Vote(vote) = message {
                current.remember(vote);
            }
            current.hear(core, message);
        });
    }

    // ---- Heights ---------------------------------------------------------------------------------------------------

    fn with_current(&mut self, act: impl FnOnce(&mut Height, &mut Core)) {
        if let Some(current) = &mut self.current {
            act(current, &mut self.core);
        }
    }

    /// Puts a height that is over aside.
    fn settle(&mut self) {
        let Some(end) = self.current.as_ref().and_then(|current| current.end()) else {
            return;
        };
        if let Some(current) = self.current.take() {
            match end {
                End::Decided => self.tip = current.height(),
                End::SatOut => self.sat_out = Some(current.height()),
            }
            self.past = Some(current.into_votes());
        }
    }

    /// Leaves the height under way, whose block came from elsewhere.
    fn leave(&mut self) {
        if let Some(mut current) = self.current.take() {
            current.leave(&mut self.core);
            self.past = Some(current.into_votes());
        }
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.core.out)
    }
}
