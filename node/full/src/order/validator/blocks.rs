//! Blocks under way: our own, and those of others until they can be voted for.
//!
//! A block may be voted for when all of it is here, it follows from the ledger by every rule, its time is not ahead of
//! this clock by more than the skew that is allowed, and all of it is in the journal.

use std::sync::Arc;

use waxwing_core::block::BlockHeader;
use waxwing_core::envelope::Carried;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ledger::{BlockError, Step, is_timely};
use waxwing_core::limits::CLOCK_SKEW_MS;
use waxwing_core::{Hash, Verified};
use waxwing_order::{Input, Output};
use waxwing_store::Tables;

use super::timers::{CLOCK, FETCH};
use super::{Fault, Validator};
use crate::meter::Outcome;
use crate::order::draft::draft;
use crate::order::event::{Action, Contents, Frame, Now, To};
use crate::order::record;
use crate::order::under_way::{Complete, Question, contents};

/// How long contents that were asked for are waited for.
const FETCH_MS: u64 = 500;

/// How often others are asked for the contents of one block: by then the round is over.
const FETCH_TRIES: u32 = 12;

/// How far ahead of the clock a block may be to be looked at again later: whoever proposes it again does so within a
/// few rounds.
const EARLY_MS_MAX: u64 = 60_000;

impl<T: Tables> Validator<T> {
    /// Our turn: a block of what waits. Nothing, if nothing does.
    pub(super) fn propose(&mut self, round: u32, now: Now) -> Result<Vec<Output>, Fault> {
        let Some(seat) = &mut self.seat else {
            return Ok(Vec::new());
        };
        let (me, is_alone) = (seat.me, seat.is_alone());
        let selected = self.shared.waiting.select();
        let drafted = draft(
            &self.shared.chain,
            &self.shared.reports,
            selected,
            me,
            (now, &self.behind),
        )?;
        if !drafted.hopeless.is_empty() {
            let dropped = self.shared.waiting.settle(&[], &drafted.hopeless, 0);
            let dropped = u64::try_from(dropped).unwrap_or(u64::MAX);
            self.shared.meter.envelope(Outcome::Hopeless, dropped);
        }
        let Some(step) = drafted.step else {
            seat.owed = Some(round);
            return Ok(Vec::new());
        };
        let (id, header) = (step.id, Box::new(step.header.clone()));
        if !is_alone {
            // Sent before it is durable: it says nothing that we could be held to, and the others can fetch what they
            // lack while this disk writes.
            seat.shown.push(id);
            self.send(To::All, Frame::Contents(Box::new(contents(&step))));
            self.keep(&step);
        }
        self.under_way.put_ready(step);
        Ok(self.tell_host(Input::Proposed { round, header }))
    }

    /// Writes down what a block consists of, and lets others ask for its entries.
    fn keep(&mut self, step: &Step) {
        self.append(record::contents(step));
        self.offer(step);
    }

    pub(super) fn offer(&self, step: &Step) {
        let entries = step
            .entries
            .iter()
            .map(|entry| (entry.stamp, Arc::clone(&entry.carried)));
        self.shared.lookup.put(step.id, entries.collect());
    }

    /// Another validator lists what a block consists of.
    pub(super) fn listed(&mut self, from: ValidatorId, contents: Contents, now: Now) -> Result<(), Fault> {
        let (height, own) = (contents.header.height, self.height());
        // One height further than the next is where those are who decided a moment earlier.
        if height <= own || height > own + 2 || self.seat.is_none() {
            return Ok(());
        }
        let id = contents.header.id(self.shared.chain.store().keys());
        if self.under_way.is_ready(&id) {
            return Ok(());
        }
        let waiting = &self.shared.waiting;
        self.under_way.list((from, id), contents, |listed| {
            waiting.find(listed.iter().map(|listed| &listed.stamp))
        });
        self.pull(&id, from);
        self.thaw(now)?;
        self.try_judge(&id, now)
    }

    /// Asks somebody for what the listings of a block still miss.
    fn pull(&mut self, block: &Hash, from: ValidatorId) {
        let mut pulls = Vec::new();
        for listing in self.under_way.of(block) {
            if listing.ask(from) {
                pulls.push(listing.missing());
            }
        }
        let block = *block;
        let pulls = pulls.into_iter().map(|stamps| Action::Pull { block, from, stamps });
        self.out.extend(pulls);
    }

    /// What was pulled has come, all of it or not.
    pub(super) fn missing(&mut self, block: &Hash, entries: &[Arc<Verified<Carried>>], now: Now) -> Result<(), Fault> {
        self.under_way.fill(block, entries);
        let first = self.under_way.of(block).find(|listing| !listing.is_complete());
        if let Some(by) = first.map(|listing| listing.by) {
            let others: Vec<_> = self.peers.reachable(&by).collect();
            let next = others.into_iter().find(|other| {
                self.under_way
                    .of(block)
                    .any(|listing| !listing.is_complete() && listing.would_ask(other))
            });
            if let Some(next) = next {
                self.pull(block, next);
            }
        }
        self.try_judge(block, now)
    }

    /// The host wants to know whether a block may be voted for.
    pub(super) fn judge(
        &mut self,
        id: Hash,
        header: BlockHeader,
        proposer: ValidatorId,
        now: Now,
    ) -> Result<Vec<Output>, Fault> {
        if self.under_way.is_ready(&id) {
            return Ok(self.tell_host(Input::Judged { id, is_valid: true }));
        }
        // A block without entries only makes the history longer.
        if header.entry_count == 0 {
            return Ok(self.tell_host(Input::Judged { id, is_valid: false }));
        }
        let is_early = !is_timely(header.time, now.wall_ms);
        let ahead = header.time.saturating_sub(now.wall_ms.saturating_add(CLOCK_SKEW_MS));
        let question = Question {
            header,
            proposer,
            tries: 0,
            is_early,
        };
        self.under_way.ask(id, question);
        if is_early {
            if ahead <= EARLY_MS_MAX {
                self.set(CLOCK, ahead);
            }
            return Ok(self.tell_host(Input::Judged { id, is_valid: false }));
        }
        if self.under_way.of(&id).next().is_none() {
            self.send(To::One(proposer), Frame::WantContents(id));
        }
        self.set(FETCH, FETCH_MS);
        self.judged(&id)
    }

    /// Answers the host as soon as a block can be judged, and carries out what follows.
    fn try_judge(&mut self, id: &Hash, now: Now) -> Result<(), Fault> {
        let outputs = self.judged(id)?;
        self.carry_out(outputs, now)
    }

    fn judged(&mut self, id: &Hash) -> Result<Vec<Output>, Fault> {
        let mut outputs = Vec::new();
        while let Some(question) = self.under_way.question(id).filter(|question| !question.is_early) {
            let header = question.header.clone();
            let Some((by, complete)) = self.under_way.take_complete(id) else {
                break;
            };
            if let Some(step) = self.check(&header, complete)? {
                self.keep(&step);
                self.under_way.put_ready(step);
                self.under_way.answered(id);
                outputs.extend(self.tell_host(Input::Judged {
                    id: *id,
                    is_valid: true,
                }));
            } else if by == header.proposer {
                // Whoever made the block knows what it consists of; of anybody else this was only a wrong list. If its
                // maker listed it wrongly for us alone, the others still show it to us in a later round.
                outputs.extend(self.tell_host(Input::Judged {
                    id: *id,
                    is_valid: false,
                }));
            }
        }
        Ok(outputs)
    }

    /// What a block leads to, if it may be voted for.
    fn check(&self, header: &BlockHeader, complete: Complete) -> Result<Option<Step>, Fault> {
        let Complete { entries, evidence } = complete;
        // Bodies may be missing from old blocks, with an excuse; nobody votes for what nobody can read.
        if entries.iter().any(|entry| entry.body.present().is_none()) {
            return Ok(None);
        }
        let chain = &self.shared.chain;
        let checked = chain.ledger().check(chain.store(), header, entries, evidence);
        match checked {
            Ok(step) => Ok(Some(step)),
            Err(BlockError::Read(error)) => Err(Fault::Store(error)),
            Err(error) => {
                let (height, proposer) = (header.height, header.proposer);
                tracing::debug!(height, %proposer, "a block is not voted for: {error}");
                Ok(None)
            }
        }
    }

    /// Looks again at blocks that were ahead of the clock.
    pub(super) fn judge_early(&mut self, now: Now) -> Result<(), Fault> {
        let mut wait = None;
        let mut due = Vec::new();
        for (id, question) in self.under_way.questions().filter(|(_, question)| question.is_early) {
            let ahead = question
                .header
                .time
                .saturating_sub(now.wall_ms.saturating_add(CLOCK_SKEW_MS));
            if ahead == 0 {
                due.push(*id);
            } else if ahead <= EARLY_MS_MAX {
                wait = Some(wait.map_or(ahead, |wait: u64| wait.min(ahead)));
            }
        }
        if let Some(wait) = wait {
            self.set(CLOCK, wait);
        }
        for id in due {
            if let Some(question) = self.under_way.question(&id) {
                question.is_early = false;
            }
            self.try_judge(&id, now)?;
        }
        self.fetch_again();
        Ok(())
    }

    /// Asks others for what has not come.
    pub(super) fn fetch_again(&mut self) {
        let asked = self.under_way.questions();
        let open: Vec<Hash> = asked
            .filter(|(_, question)| !question.is_early && question.tries < FETCH_TRIES)
            .map(|(id, _)| *id)
            .collect();
        for id in &open {
            let Some(question) = self.under_way.question(id) else {
                continue;
            };
            question.tries += 1;
            let (turn, proposer) = (question.tries, question.proposer);
            let others: Vec<_> = self.peers.reachable(&proposer).collect();
            let place = usize::try_from(turn).unwrap_or(0).checked_rem(others.len());
            let Some(whom) = place.and_then(|place| others.get(place)).copied() else {
                continue;
            };
            self.send(To::One(whom), Frame::WantContents(*id));
            for listing in self.under_way.of(id) {
                listing.ask_again();
            }
            self.pull(id, whom);
        }
        if !open.is_empty() {
            self.set(FETCH, FETCH_MS);
        }
    }

    /// Somebody wants to know what a block consists of.
    pub(super) fn show(&mut self, to: ValidatorId, block: &Hash) {
        if self.peers.may_be_shown(to, *block) {
            self.show_to(To::One(to), block);
        }
    }

    pub(super) fn show_to(&mut self, to: To, block: &Hash) {
        if let Some(step) = self.under_way.ready(block) {
            let contents = Box::new(contents(step));
            self.send(to, Frame::Contents(contents));
        }
    }
}
