//! What the engine asks for while it takes a step, and what it gets.

use std::time::Duration;

use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Error, LivenessMsg, Resumable, Resume, SignedConsensusMsg, process,
};
use arc_malachitebft_core_types::{RoundCertificateType, SignedMessage};
use waxwing_core::certificate::{Certificate, VoteKind};
use waxwing_core::committee::Signatures;
use waxwing_core::keys::Signature;

use super::{Core, End, Height, Known};
use crate::engine::{self, CertificateError, Sig, Waxwing};
use crate::event::{Output, StopReason, Timer, TimerKind};
use crate::message::Message;
use crate::record::Record;
use crate::signer::Signing;

/// Stands where a signature was refused: it counts for no key.
const UNSIGNED: Sig = Sig(Signature([0; 64]));

/// What the engine hears of a certificate that does not count. It only logs it.
const DOES_NOT_COUNT: CertificateError = CertificateError::VerificationError(None);

impl Height {
    /// One input, and every effect of it.
    pub(super) fn step(&mut self, core: &mut Core, input: engine::Input) {
        let Some(mut engine) = self.engine.take() else {
            return;
        };
        let result: Result<(), Error<Waxwing>> = process!(
            input: input,
            state: &mut engine,
            metrics: &(),
            with: effect => Ok::<_, Error<Waxwing>>(self.answer(core, effect))
        );
        self.engine = Some(engine);
        match result {
            Ok(()) => {}
            Err(Error::ReplayDivergence(..)) => {
                self.end = Some(End::SatOut);
                core.out.push(Output::SitOut { height: self.height });
            }
            Err(error) => core.stop(StopReason::Engine(error.to_string())),
        }
    }

    /// Effects that wait for a value. An error instead of one would kill the step, so there is always a value.
    fn answer(&mut self, core: &mut Core, effect: Effect<Waxwing>) -> Resume<Waxwing> {
        match effect {
            Effect::SignVote(vote, r) => {
                let message = Message::Vote(engine::vote_out(&vote, UNSIGNED));
                r.resume_with(SignedMessage::new(vote, self.sign(core, message)))
            }
            Effect::SignProposal(proposal, r) => {
                let message = Message::Proposal(Box::new(engine::proposal_out(&proposal, UNSIGNED)));
                r.resume_with(SignedMessage::new(proposal, self.sign(core, message)))
            }
            Effect::VerifySignature(signed, _, r) => {
                r.resume_with(self.counts(core, &signed.message, signed.signature))
            }
            Effect::VerifyCommitCertificate(certificate, _, _, r) => {
                let counts = self.votes.verify_all(&engine::precommits(&certificate), self.quorum);
                r.resume_with(counts.then_some(()).ok_or(DOES_NOT_COUNT))
            }
            Effect::VerifyPolkaCertificate(certificate, _, _, r) => {
                let counts = self.votes.verify_all(&engine::prevotes(&certificate), self.quorum);
                r.resume_with(counts.then_some(()).ok_or(DOES_NOT_COUNT))
            }
            Effect::VerifyRoundCertificate(certificate, _, _, r) => {
                let counts = self.verify_round(&certificate);
                r.resume_with(counts.then_some(()).ok_or(DOES_NOT_COUNT))
            }
            // Blocks that others certified do not come this way, and votes are not extended.
            Effect::VerifyExtendedCommitCertificate(.., r) => r.resume_with(Err(DOES_NOT_COUNT)),
            Effect::ExtendVote(.., r) => r.resume_with(None),
            Effect::VerifyVoteExtension(.., r) => r.resume_with(Ok(())),
            told => {
                self.carry_out(core, told);
                Resume::Continue
            }
        }
    }

    /// Effects that wait for nothing.
    fn carry_out(&mut self, core: &mut Core, effect: Effect<Waxwing>) {
        match effect {
            Effect::CancelAllTimeouts(_) => self.leave(core),
            Effect::CancelTimeout(timeout, _) => self.cancel(core, engine::timer_out(self.height, &timeout)),
            Effect::ScheduleTimeout(timeout, _) => self.set(core, engine::timer_out(self.height, &timeout)),
            Effect::GetValue(_, round, ..) => self.propose(core, engine::number(round)),
            Effect::WalAppend(_, input, _) => self.note(core, input),
            Effect::PublishConsensusMsg(SignedConsensusMsg::Vote(vote), _)
            | Effect::PublishLivenessMsg(LivenessMsg::Vote(vote), _)
            | Effect::RepublishVote(vote, _) => {
                self.publish(core, Message::Vote(engine::vote_out(&vote.message, vote.signature)));
            }
            Effect::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal), _) => {
                let proposal = engine::proposal_out(&proposal.message, proposal.signature);
                self.publish(core, Message::Proposal(Box::new(proposal)));
            }
            Effect::PublishLivenessMsg(LivenessMsg::PolkaCertificate(certificate), _) => {
                self.publish(core, Message::Polka(engine::polka_out(&certificate)));
            }
            Effect::PublishLivenessMsg(LivenessMsg::SkipRoundCertificate(certificate), _)
            | Effect::RepublishRoundCertificate(certificate, _) => {
                self.publish(core, Message::Round(engine::round_out(&certificate)));
            }
            Effect::Decide(certificate, ..) => self.decide(core, &certificate),
            // Done elsewhere: contents go with their proposal, evidence is given when it is found.
            Effect::StartRound(..) | Effect::RestreamProposal(..) | Effect::Finalize(..) => {}
            // Blocks that others certified do not come this way.
            Effect::CertVerifiedSyncValue(..) | Effect::CertRejectedSyncValue(..) => {}
            // Answered with a value already.
            Effect::SignVote(..)
            | Effect::SignProposal(..)
            | Effect::VerifySignature(..)
            | Effect::VerifyCommitCertificate(..)
            | Effect::VerifyExtendedCommitCertificate(..)
            | Effect::VerifyPolkaCertificate(..)
            | Effect::VerifyRoundCertificate(..)
            | Effect::ExtendVote(..)
            | Effect::VerifyVoteExtension(..) => {}
        }
    }

    // ---- Signatures ------------------------------------------------------------------------------------------------

    fn sign(&mut self, core: &mut Core, message: Message) -> Sig {
        let (height, round) = (message.height(), message.round());
        match core.signer.sign(message.clone()) {
            Signing::New(signature) => {
                if let Some(replay) = &mut self.replay {
                    // A crash came before this was recorded, so nobody has heard it: it is said now.
                    replay.fresh.extend(own_record(message.with_signature(signature)));
                }
                Sig(signature)
            }
            Signing::Again(signature) => Sig(signature),
            Signing::Refused => UNSIGNED,
            Signing::Contradiction => {
                core.stop(StopReason::Contradiction { height, round });
                UNSIGNED
            }
        }
    }

    /// Whether the signature of a single vote or proposal counts. What the journal holds was checked before.
    fn counts(&mut self, core: &Core, message: &ConsensusMsg<Waxwing>, signature: Sig) -> bool {
        let message = match message {
            ConsensusMsg::Vote(vote) => Message::Vote(engine::vote_out(vote, signature)),
            ConsensusMsg::Proposal(proposal) => Message::Proposal(Box::new(engine::proposal_out(proposal, signature))),
        };
        let is_known = core.signer.is_ours(&message) || (self.replay.is_some() && signature != UNSIGNED);
        match &message {
            Message::Vote(vote) if is_known => {
                self.votes.remember(vote);
                true
            }
            Message::Vote(vote) => self.votes.verify(vote),
            _ => is_known || message.is_signed(&core.keys),
        }
    }

    fn verify_round(&mut self, certificate: &engine::RoundCertificate) -> bool {
        let votes = engine::round_votes(certificate);
        match certificate.cert_type {
            RoundCertificateType::Skip => self.votes.verify_all(&votes, self.committee.tolerated() + 1),
            RoundCertificateType::Precommit => {
                let are_last = votes.iter().all(|vote| vote.kind == VoteKind::Precommit);
                are_last && self.votes.verify_all(&votes, self.quorum)
            }
        }
    }

    // ---- Timers, journal, links ------------------------------------------------------------------------------------

    /// Whoever is alone in the committee waits for nobody.
    fn is_alone(&self) -> bool {
        self.committee.members().len() == 1
    }

    fn set(&mut self, core: &mut Core, timer: Option<Timer>) {
        if let Some(timer) = timer
            && self.end.is_none()
            && !self.is_alone()
        {
            self.timers.insert(timer);
            let wait = if self.is_lost(timer) {
                Duration::ZERO
            } else {
                core.settings.wait(timer)
            };
            core.out.push(Output::Set(timer, wait));
        }
    }

    /// Whether `timer` would wait for votes that cannot matter: a quorum cast its second vote for no block, so this round
    /// decides nothing, and the next proposer may begin.
    fn is_lost(&self, timer: Timer) -> bool {
        timer.kind == TimerKind::Precommit
            && self.may_hurry(timer.round)
            && self.votes.precommits_for_nothing(timer.round) >= self.quorum
    }

    fn cancel(&mut self, core: &mut Core, timer: Option<Timer>) {
        if let Some(timer) = timer
            && self.timers.remove(&timer)
        {
            core.out.push(Output::Cancel(timer));
        }
    }

    /// It is our turn. During a replay the journal may hold the answer.
    pub(super) fn propose(&mut self, core: &mut Core, round: u32) {
        if let Some(replay) = &mut self.replay {
            replay.turn = Some(round);
            return;
        }
        let (height, kind) = (self.height, TimerKind::Propose);
        if core.signer.can_propose(height, round) {
            core.out.push(Output::Propose {
                height,
                round,
                within: core.settings.wait(Timer { height, round, kind }),
            });
        }
    }

    /// Writes an input down. Certificates of rounds come here vote by vote.
    fn note(&mut self, core: &mut Core, input: engine::Input) {
        match input {
            engine::Input::Vote(vote) => {
                self.record(core, Record::Vote(engine::vote_out(&vote.message, vote.signature)));
            }
            engine::Input::Proposal(signed) => {
                let proposal = engine::proposal_out(&signed.message, signed.signature);
                let (block, round) = (signed.message.block, proposal.round);
                let known = Known {
                    block,
                    round,
                    proposer: proposal.validator,
                    is_judged: false,
                };
                self.record(core, Record::Proposal(Box::new(proposal)));
                self.learn(core, known);
            }
            engine::Input::ProposedValue(value, _) => {
                let judged = engine::judged_out(&value);
                let known = Known {
                    block: value.value,
                    round: judged.round,
                    proposer: judged.proposer,
                    is_judged: true,
                };
                self.record(core, Record::Judged(Box::new(judged)));
                self.learn(core, known);
            }
            engine::Input::PolkaCertificate(certificate) => {
                self.record(core, Record::Polka(engine::polka_out(&certificate)));
            }
            engine::Input::TimeoutElapsed(timeout) => {
                if let Some(timer) = engine::timer_out(self.height, &timeout) {
                    self.record(core, Record::Timeout(timer));
                }
            }
            engine::Input::StartHeight(..)
            | engine::Input::RoundCertificate(_)
            | engine::Input::Propose(_)
            | engine::Input::SyncValueResponse(_) => {}
        }
    }

    /// Appends to the journal. Whoever is alone has nobody to contradict: its block is durable before it is
    /// announced, and until then nobody has seen a vote.
    pub(super) fn record(&mut self, core: &mut Core, record: Record) {
        if self.replay.is_none() && !self.is_alone() {
            self.has_unflushed = true;
            core.out.push(Output::Record(record));
        }
    }

    /// Remembers a block, and asks about it if it is new and somebody else's.
    fn learn(&mut self, core: &mut Core, known: Known) {
        if let Some(earlier) = self.blocks.get_mut(&known.block.id) {
            earlier.is_judged |= known.is_judged;
            return;
        }
        if !known.is_judged && self.replay.is_none() {
            core.out.push(known.judge());
        }
        self.blocks.insert(known.block.id, known);
    }

    /// Sends something, once everything it rests on is durable. What names us as its signer and is not ours word for
    /// word was refused by the signer.
    pub(super) fn publish(&mut self, core: &mut Core, message: Message) {
        let is_refused = message.validator() == Some(core.signer.me()) && !core.signer.is_ours(&message);
        if is_refused || core.is_stopped || self.replay.is_some() || self.is_alone() {
            return;
        }
        if self.has_unflushed {
            self.has_unflushed = false;
            flush(core);
        }
        core.out.push(Output::Publish(message));
    }

    fn decide(&mut self, core: &mut Core, certificate: &engine::CommitCertificate) {
        let id = certificate.value_id.0;
        let Some(known) = self.blocks.get(&id) else {
            core.stop(StopReason::Engine(format!("it decided {id}, which nobody proposed")));
            return;
        };
        let members = self.committee.members();
        let signed = engine::precommits(certificate).into_iter().filter_map(|vote| {
            let member = members.binary_search(&vote.validator).ok()?;
            Some((member, vote.signature))
        });
        self.decided = Some(Output::Decided {
            header: Box::new(known.header()),
            id,
            certificate: Certificate {
                round: engine::number(certificate.round),
                signatures: Signatures::collect(&self.committee, signed.collect::<Vec<_>>()),
            },
        });
        self.end = Some(End::Decided);
    }
}

#[cfg(not(feature = "broken-on-purpose"))]
fn flush(core: &mut Core) {
    core.out.push(Output::Flush);
}

#[cfg(feature = "broken-on-purpose")]
fn flush(core: &mut Core) {
    if core.settings.broken != crate::event::Broken::NoFlush {
        core.out.push(Output::Flush);
    }
}

fn own_record(message: Message) -> Option<Record> {
    match message {
        Message::Proposal(proposal) => Some(Record::Proposal(proposal)),
        Message::Vote(vote) => Some(Record::Vote(vote)),
        Message::Polka(_) | Message::Round(_) => None,
    }
}
