//! Heights: when they begin, what the host wants done meanwhile, and how they end.

use std::sync::Arc;

use waxwing_core::certificate::Certificate;
use waxwing_core::committee::Committee;
use waxwing_core::evidence::Evidence;
use waxwing_core::keys::{ValidatorId, VoteKey};
use waxwing_core::ledger::Step;
use waxwing_core::{Hash, Verified};
use waxwing_order::{Guard, Host, Input, Message, Output, StopReason, Timer};
use waxwing_store::Tables;

use super::{Fault, Seat, Validator};
use crate::order::event::{Action, Frame, Now, Role, To};
use crate::order::pace::Next;
use crate::order::record;

/// Messages of one height that are kept for those who connect later; the newest say all.
const PUBLISHED_MAX: usize = 64;

impl<T: Tables> Validator<T> {
    /// Begins the next height. Does nothing if it was begun, or if the key has signed something there of which the
    /// journal knows nothing: then its block is copied.
    pub(super) fn begin(&mut self, now: Now) -> Result<(), Fault> {
        let (height, turns) = {
            let ledger = self.shared.chain.ledger();
            (ledger.head().height + 1, ledger.turns())
        };
        let recovered = std::mem::take(&mut self.recovered);
        let Some(seat) = &mut self.seat else { return Ok(()) };
        if seat.begun.is_some() || (self.guard.height >= height && recovered.is_empty()) {
            return Ok(());
        }
        seat.begun = Some(height);
        self.began_us = Some(self.steady_us());
        let Some(seat) = &mut self.seat else { return Ok(()) };
        if !seat.is_alone() && !self.is_journal_used {
            self.append(record::begun(height));
        }
        let Some(seat) = &mut self.seat else { return Ok(()) };
        let outputs = seat.host.begin(height, &seat.committee, &turns, &recovered);
        self.note_signed();
        self.carry_out(outputs, now)
    }

    /// Another validator's message.
    pub(super) fn heard(&mut self, from: ValidatorId, message: Message, has_work: bool, now: Now) -> Result<(), Fault> {
        let (height, own) = (message.height(), self.height());
        if height <= own {
            self.tell(from);
        } else if height > own + 1 {
            self.claimed(from, height - 1);
        }
        if self.seat.is_none() {
            return Ok(());
        }
        let outputs = self.tell_host(Input::Message(message));
        self.carry_out(outputs, now)?;
        if self.seat.as_ref().is_some_and(|seat| seat.begun.is_none()) {
            self.wake(now)?;
        }
        if has_work { self.thaw(now) } else { Ok(()) }
    }

    /// Tells the host something, and notes what it signed before anything of it can leave.
    pub(super) fn tell_host(&mut self, input: Input) -> Vec<Output> {
        let Some(seat) = &mut self.seat else { return Vec::new() };
        let outputs = seat.host.on(input);
        self.note_signed();
        outputs
    }

    fn note_signed(&mut self) {
        if let Some(seat) = &self.seat {
            let (signed, at) = (seat.host.signed(), seat.host.at());
            self.guard = self.guard.max(signed);
            let mut voter = self.voter();
            voter.signed(signed);
            voter.go_on(at);
        }
    }

    /// Carries out what the host wants, in order; what follows from it comes behind everything that was wanted before.
    pub(super) fn carry_out(&mut self, outputs: Vec<Output>, now: Now) -> Result<(), Fault> {
        let mut outputs = std::collections::VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            let more = self.carry_out_one(output, now)?;
            outputs.extend(more);
        }
        Ok(())
    }

    fn carry_out_one(&mut self, output: Output, now: Now) -> Result<Vec<Output>, Fault> {
        let is_alone = self.seat.as_ref().is_none_or(Seat::is_alone);
        match output {
            // Whoever is alone publishes nothing but finished blocks: what the machine forgets, nobody has seen.
            Output::Record(_) | Output::Flush | Output::Publish(_) if is_alone => {}
            Output::Record(recorded) => {
                let me = self.seat.as_ref().map(|seat| seat.me);
                let signed = me.and_then(|me| recorded.signed_by(&me));
                self.recorded = self.recorded.max(signed.unwrap_or_default());
                self.append(record::host(&recorded));
            }
            Output::Flush => {
                self.out.push(Action::Flush);
                self.note_beside_the_key(self.recorded);
            }
            Output::Publish(message) => self.publish(message),
            Output::Set(timer, after) => {
                let ms = self.wait(timer, u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
                let id = self.timers.set(timer);
                self.out.push(Action::Set(id, ms));
            }
            Output::Cancel(timer) => {
                if let Some(seat) = &mut self.seat {
                    seat.frozen.retain(|frozen| *frozen != timer);
                }
                let id = self.timers.cancel(timer);
                self.out.extend(id.map(Action::Cancel));
            }
            Output::Propose { round, .. } => return self.propose(round, now),
            Output::Judge {
                header, id, proposer, ..
            } => return self.judge(id, *header, proposer, now),
            Output::Decided { id, certificate, .. } => self.decided(&id, &certificate, now)?,
            Output::Equivocation(votes) => self.found(Evidence::TwoVotes(votes)),
            // Its block is copied when the others have decided it.
            Output::SitOut { height } => tracing::warn!(
                code = crate::faults::JOURNAL_DAMAGED,
                height,
                "the journal contradicts itself; this validator takes no part in the height"
            ),
            Output::Stop(reason) => return Err(fault(reason)),
        }
        Ok(Vec::new())
    }

    fn publish(&mut self, message: Message) {
        if let Message::Proposal(proposal) = &message {
            let id = proposal.header.id(self.shared.chain.store().keys());
            let is_shown = self.seat.as_mut().is_some_and(|seat| {
                let is_shown = seat.shown.contains(&id);
                if !is_shown {
                    seat.shown.push(id);
                }
                is_shown
            });
            if !is_shown {
                self.show_to(To::All, &id);
            }
        }
        let frame = Frame::Consensus {
            message: Box::new(message),
            has_work: self.has_work(),
        };
        if let Some(seat) = &mut self.seat {
            if seat.published.len() >= PUBLISHED_MAX {
                seat.published.remove(0);
            }
            seat.published.push(frame.clone());
        }
        self.send(To::All, frame);
    }

    pub(super) fn found(&mut self, evidence: Evidence) {
        let keys = self.shared.chain.store().keys();
        if self.shared.reports.found(keys, &evidence) {
            self.out.push(Action::Evidence(evidence));
        }
    }

    /// Notes where the key has signed, if that is news. The note never says more than what is durable: of a signature
    /// that neither the journal nor anybody else knows, it would be all that is left after a crash, and forbid to sign
    /// again.
    fn note_beside_the_key(&mut self, signed: Guard) {
        if signed > self.noted {
            self.noted = signed;
            self.out.push(Action::Signed(signed));
        }
    }

    // ---- Rest ------------------------------------------------------------------------------------------------------

    /// A timer of the host ran out. If nobody has anything to order, time stands still at this height.
    pub(super) fn ran_out(&mut self, timer: Timer, now: Now) -> Result<(), Fault> {
        let has_work = self.has_work();
        let Some(seat) = &mut self.seat else { return Ok(()) };
        if !has_work && !seat.is_needed {
            seat.frozen.push(timer);
            return Ok(());
        }
        seat.is_needed = false;
        self.note_silence(timer);
        let outputs = self.tell_host(Input::Timeout(timer));
        self.carry_out(outputs, now)
    }

    /// Somebody has work: what should have happened in the meantime happens now.
    pub(super) fn thaw(&mut self, now: Now) -> Result<(), Fault> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        seat.is_needed = true;
        for timer in std::mem::take(&mut seat.frozen) {
            // What follows of a pause that nobody needed says nothing about anybody.
            let outputs = self.tell_host(Input::Timeout(timer));
            self.carry_out(outputs, now)?;
        }
        Ok(())
    }

    /// There is work here: a block that was asked for in vain can be made, and time goes on.
    pub(super) fn resume(&mut self, now: Now) -> Result<(), Fault> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        if let Some(round) = seat.owed.take() {
            let outputs = self.propose(round, now)?;
            self.carry_out(outputs, now)?;
        }
        let is_frozen = self.seat.as_ref().is_some_and(|seat| !seat.frozen.is_empty());
        if is_frozen { self.thaw(now) } else { Ok(()) }
    }

    // ---- The end of a height ---------------------------------------------------------------------------------------

    fn decided(&mut self, id: &Hash, certificate: &Certificate, now: Now) -> Result<(), Fault> {
        match self.under_way.take_ready(id) {
            Some(step) => self.apply(step, certificate, now),
            // Only a block that was judged here is decided here, and what was judged is kept until the height ends.
            None => Err(Fault::Broken("a block was decided that was not judged")),
        }
    }

    /// Makes a certified block part of the ledger, and puts everything about its height aside.
    pub(super) fn apply(&mut self, step: Step, certificate: &Certificate, now: Now) -> Result<(), Fault> {
        let began = self.steady_us();
        let (height, id) = (step.header.height, step.id);
        let stamps: Vec<Hash> = step.entries.iter().map(|entry| entry.stamp).collect();
        let evidence = step.evidence.clone();
        // Before the block is announced: whoever hears of it may ask for a beacon about it at once.
        self.voter().head((height, id));
        self.shared.chain.apply(step, certificate)?;
        // Never ahead of what is durable; for whoever is alone this is the only note.
        self.note_beside_the_key(self.guard);
        let now_us = self.steady_us();
        self.shared.meter.commit(now_us - began);
        let took = now_us - self.began_us.take().unwrap_or(began);
        self.shared.meter.block(stamps.len(), took);
        let took_ms = u64::try_from(took / 1000).unwrap_or(u64::MAX);
        self.shared.waiting.settle(&stamps, &[], took_ms);
        self.shared.reports.settle(self.shared.chain.store().keys(), &evidence);
        self.put_aside(height);
        self.pace.done(now.steady_ms);
        self.take_seat();
        self.rest(now);
        if self.seat.as_ref().is_some_and(|seat| !seat.is_alone()) {
            self.send(To::All, Frame::Status(height));
        }
        Ok(())
    }

    fn put_aside(&mut self, height: u64) {
        self.under_way.forget(height);
        self.shared.lookup.clear();
        self.peers.forget_shown();
        let timers = self.timers.clear();
        self.out.extend(timers.map(Action::Cancel));
        if let Some(seat) = &mut self.seat {
            seat.put_aside();
        }
        self.recovered.clear();
        if std::mem::take(&mut self.is_journal_used) {
            self.out.push(Action::Reset);
        }
    }

    /// Says when to look for work again: never, if there is none.
    fn rest(&mut self, now: Now) {
        if self.seat.is_none() {
            return;
        }
        match self.next(now, self.shared.waiting.backlog()) {
            Next::Rest => {}
            Next::Pause(ms) => self.set_pace(ms),
            Next::Propose => self.set_pace(0),
        }
    }

    // ---- Terms -----------------------------------------------------------------------------------------------------

    /// Takes the place in the committee of the next block that the key has, or leaves it.
    pub(super) fn take_seat(&mut self) {
        let (network, next, committee) = {
            let ledger = self.shared.chain.ledger();
            let sits = self
                .seat
                .as_ref()
                .filter(|seat| seat.committee.term() == ledger.committee().term());
            let committee = sits.map_or_else(
                || Arc::new(ledger.committee().clone()),
                |seat| Arc::clone(&seat.committee),
            );
            (ledger.keys().network(), ledger.head().height + 1, committee)
        };
        let is_member = |key: &VoteKey| committee.members().binary_search(&key.public()).is_ok();
        match self.key.clone() {
            Some(key) if is_member(&key) => self.sit(key, network, committee),
            // A node that catches up passes through terms in which its key did not vote yet.
            Some(_) if self.seat.is_some() || self.guard > Guard::default() => self.leave(next > self.guard.height),
            _ => {}
        }
        if let Some(seat) = &mut self.seat {
            let outputs = seat.host.expect(next, &seat.committee);
            // Timers of a height that was left are gone already; evidence about it is still worth having.
            for output in outputs {
                if let Output::Equivocation(votes) = output {
                    self.found(Evidence::TwoVotes(votes));
                }
            }
        }
    }

    fn sit(&mut self, key: VoteKey, network: Hash, committee: Arc<Committee>) {
        if let Some(seat) = &mut self.seat {
            seat.committee = committee;
            return;
        }
        self.voter().join(key.clone());
        let me = key.public();
        let host = Host::new(network, key, self.settings, self.guard);
        self.seat = Some(Seat::new(me, committee, host));
        self.out.push(Action::Role(Role::Validator));
    }

    /// The key does not belong to the committee. One that has voted and will not again is worth stealing and good for
    /// nothing.
    fn leave(&mut self, is_over: bool) {
        self.voter().leave();
        if is_over {
            self.key = None;
            self.out.push(Action::DestroyKey);
        }
        if self.seat.take().is_some() {
            self.out.push(Action::Role(Role::Follower));
        }
    }

    /// Takes up what the journal holds, if it is about the next height.
    pub(super) fn recover(&mut self, journal: &[Vec<u8>]) -> Result<(), Fault> {
        let recovered = record::read(journal).map_err(|_| Fault::Journal)?;
        let next = self.height() + 1;
        if recovered.height > next {
            // The ledger is an older copy. What was signed since is not signed again; its blocks are copied.
            self.guard.height = self.guard.height.max(recovered.height);
        }
        if self.seat.is_none() || recovered.height != next {
            if recovered.height < next && std::mem::take(&mut self.is_journal_used) {
                self.out.push(Action::Reset);
            }
            return Ok(());
        }
        for block in recovered.blocks {
            let chain = &self.shared.chain;
            let ledger = chain.ledger();
            let (keys, bits) = (ledger.keys(), ledger.parameters().stamp_bits);
            let entries = block
                .entries
                .into_iter()
                .map(|entry| entry.verify(keys, bits).map(Arc::new));
            let entries: Result<Vec<Arc<Verified<_>>>, _> = entries.collect();
            // Written by this program after it was checked, on this ledger.
            let checked = entries.ok().and_then(|entries| {
                let checked = ledger.check(chain.store(), &block.header, entries, block.evidence);
                checked.ok()
            });
            drop(ledger);
            let step = checked.ok_or(Fault::Journal)?;
            self.offer(&step);
            self.under_way.put_ready(step);
        }
        self.recovered = recovered.records;
        Ok(())
    }
}

impl Seat {
    fn new(me: ValidatorId, committee: Arc<Committee>, host: Host) -> Self {
        Self {
            me,
            committee,
            host,
            begun: None,
            owed: None,
            published: Vec::new(),
            shown: Vec::new(),
            frozen: Vec::new(),
            is_needed: false,
        }
    }

    fn put_aside(&mut self) {
        self.begun = None;
        self.owed = None;
        self.published.clear();
        self.shown.clear();
        self.frozen.clear();
        self.is_needed = false;
    }
}

fn fault(reason: StopReason) -> Fault {
    match reason {
        StopReason::SecondMachine { height, .. } => Fault::SecondMachine { height },
        StopReason::Contradiction { height, .. } => Fault::SignedTwice { signed: height },
        StopReason::Engine(reason) => Fault::Engine(reason),
    }
}
