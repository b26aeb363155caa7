//! One height under way: the engine, and what its effects mean here.
//!
//! The engine is a coroutine that yields effects and wants each answered before it goes on. Every answer is a value,
//! never an error, which would kill the step half done: a vote that may not be signed gets an empty signature, and the
//! engine, asking for it to be verified, drops it. What the engine decides inside a step comes out when the step is
//! over, behind everything else it wanted: a committee of one decides before it has published its own vote.
//!
//! Replay is the normal path with the doors shut: the journal's records are the inputs, nothing is recorded, published
//! or asked, and what was left open is settled when the last record is in.

mod effects;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_malachitebft_core_consensus::{LocallyProposedValue, Params};
use arc_malachitebft_core_types::{ValueOrigin, ValuePayload, VoteExtensionPolicy};
use waxwing_core::block::BlockHeader;
use waxwing_core::committee::Committee;
use waxwing_core::evidence::TwoVotes;
use waxwing_core::keys::ValidatorId;
use waxwing_core::{Hash, HashKeys};

use crate::engine::{self, Address, Block, Members, Round, Waxwing};
use crate::event::{Output, Settings, StopReason, Timer, TimerKind};
use crate::message::{self, Message, Vote};
use crate::record::{Judged, Record};
use crate::signer::Signer;
use crate::votes::Votes;

/// What a host keeps from height to height.
pub(crate) struct Core {
    pub(crate) keys: HashKeys,
    pub(crate) signer: Signer,
    pub(crate) settings: Settings,
    pub(crate) out: Vec<Output>,
    pub(crate) is_stopped: bool,
}

impl Core {
    pub(crate) fn accuse(&mut self, found: Vec<TwoVotes>) {
        let evidence = found.into_iter().map(|votes| Output::Equivocation(Box::new(votes)));
        self.out.extend(evidence);
    }

    pub(crate) fn stop(&mut self, reason: StopReason) {
        if !self.is_stopped {
            self.is_stopped = true;
            self.out.push(Output::Stop(reason));
        }
    }
}

/// A block that somebody proposed at this height.
struct Known {
    block: Block,
    round: u32,
    proposer: ValidatorId,
    is_judged: bool,
}

impl Known {
    fn header(&self) -> BlockHeader {
        BlockHeader::clone(&self.block.header)
    }

    fn judge(&self) -> Output {
        Output::Judge {
            header: Box::new(self.header()),
            id: self.block.id,
            round: self.round,
            proposer: self.proposer,
        }
    }
}

/// What a replay leaves to be done when it is over.
#[derive(Default)]
struct Replay {
    /// The last time it was our turn.
    turn: Option<u32>,
    /// Rounds for which the journal holds a block of ours.
    proposed: BTreeSet<u32>,
    /// What was signed during the replay, because a crash had come before it was recorded.
    fresh: Vec<Record>,
}

/// How a height ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Its block is final.
    Decided,
    /// It goes on without us.
    SatOut,
}

pub(crate) struct Height {
    height: u64,
    committee: Arc<Committee>,
    quorum: usize,
    engine: Option<engine::State>,
    votes: Votes,
    blocks: BTreeMap<Hash, Known>,
    timers: BTreeSet<Timer>,
    has_unflushed: bool,
    replay: Option<Replay>,
    decided: Option<Output>,
    end: Option<End>,
}

impl Height {
    /// Prepares a height; nothing happens before [`Self::start`].
    pub(crate) fn new(core: &Core, height: u64, committee: Arc<Committee>, turns: &[ValidatorId]) -> Self {
        let quorum = quorum(core, &committee);
        let params = Params {
            address: Address(core.signer.me()),
            threshold_params: engine::thresholds(&committee, quorum),
            value_payload: ValuePayload::ProposalAndParts,
            enabled: true,
        };
        // The engine's own queue of messages for later heights stays empty: `Ahead` keeps them, and bounds them.
        let members = Members::new(&committee, turns);
        let engine = engine::State::new(Waxwing, engine::Height(height), members, params, 1, 1);
        Self {
            height,
            votes: Votes::new(core.keys.network(), Arc::clone(&committee), height),
            committee,
            quorum,
            engine: Some(engine),
            blocks: BTreeMap::new(),
            timers: BTreeSet::new(),
            has_unflushed: false,
            replay: None,
            decided: None,
            end: None,
        }
    }

    pub(crate) const fn height(&self) -> u64 {
        self.height
    }

    pub(crate) const fn end(&self) -> Option<End> {
        self.end
    }

    pub(crate) const fn votes(&mut self) -> &mut Votes {
        &mut self.votes
    }

    pub(crate) fn into_votes(self) -> Votes {
        self.votes
    }

    /// The round under way.
    pub(crate) fn round(&self) -> u32 {
        self.engine.as_ref().map_or(0, |engine| engine::number(engine.round()))
    }

    /// Whose turn it is in a round.
    pub(crate) fn proposer(&self, round: u32) -> Option<ValidatorId> {
        let members = self.engine.as_ref()?.validator_set();
        Some(members.proposer(Round::new(round)).id())
    }

    /// Whether a round may be cut short: once round the table, after which everybody may as well take the time.
    /// Whatever makes all proposals fail is not mended by more of them.
    pub(crate) fn may_hurry(&self, round: u32) -> bool {
        usize::try_from(round).is_ok_and(|round| round < self.committee.members().len())
    }

    pub(crate) fn committee(&self) -> &Arc<Committee> {
        &self.committee
    }

    /// A vote that was verified before the height began.
    pub(crate) fn remember(&mut self, vote: &Vote) {
        if self.votes.has_member(&vote.validator) {
            self.votes.remember(vote);
        }
    }

    /// Begins, with what the journal holds of this height.
    pub(crate) fn start(&mut self, core: &mut Core, recovered: &[Record]) {
        let records: Vec<_> = recovered
            .iter()
            .filter(|record| record.height() == self.height)
            .collect();
        if !records.is_empty() {
            // Before the engine starts: a turn taken now would be a second proposal.
            self.enter_replay(core, &records);
        }
        let members = self.engine.as_ref().map(|engine| engine.validator_set().clone());
        let Some(members) = members else { return };
        let start = engine::Input::StartHeight(
            engine::Height(self.height),
            members,
            false,
            None,
            VoteExtensionPolicy::Disabled,
        );
        self.feed(core, start);
        for record in records {
            let input = replayed(&core.keys, record);
            self.feed(core, input);
        }
        self.leave_replay(core);
    }

    fn enter_replay(&mut self, core: &mut Core, records: &[&Record]) {
        let mut replay = Replay::default();
        for record in records {
            match record {
                Record::Vote(vote) => core.signer.recover(Message::Vote(vote.clone())),
                Record::Proposal(proposal) => core.signer.recover(Message::Proposal(proposal.clone())),
                Record::Judged(judged) if judged.proposer == core.signer.me() => {
                    replay.proposed.insert(judged.round);
                }
                Record::Judged(_) | Record::Polka(_) | Record::Timeout(_) => {}
            }
        }
        let inputs: Vec<_> = records.iter().map(|record| replayed(&core.keys, record)).collect();
        if let Some(engine) = &mut self.engine {
            engine.index_wal_entries(inputs.iter());
        }
        self.replay = Some(replay);
    }

    /// Says what was said again, because nobody may have heard it, and asks what was left unasked.
    fn leave_replay(&mut self, core: &mut Core) {
        let Some(replay) = self.replay.take() else { return };
        if let Some(engine) = &mut self.engine {
            engine.reset_entries_index();
        }
        if self.end != Some(End::SatOut) {
            for record in replay.fresh {
                self.record(core, record);
            }
            let said: Vec<Message> = core.signer.said(self.height, self.round()).cloned().collect();
            for message in said {
                self.publish(core, message);
            }
        }
        self.finish(core);
        if self.end.is_some() || core.is_stopped {
            return;
        }
        let open = self.blocks.iter().filter(|(_, known)| !known.is_judged);
        core.out.extend(open.map(|(_, known)| known.judge()));
        let is_open = |turn: &u32| *turn == self.round() && !replay.proposed.contains(turn);
        let turn = replay.turn.filter(is_open);
        if let Some(round) = turn {
            self.propose(core, round);
        }
    }

    // ---- Inputs ----------------------------------------------------------------------------------------------------

    /// A message about this height.
    pub(crate) fn hear(&mut self, core: &mut Core, message: &Message) {
        let input = match message {
            Message::Proposal(proposal) if is_plausible(core.keys.network(), proposal) => {
                engine::Input::Proposal(engine::proposal_in(&core.keys, proposal))
            }
            Message::Proposal(_) => return,
            Message::Vote(vote) => engine::Input::Vote(engine::vote_in(vote)),
            Message::Polka(polka) => engine::Input::PolkaCertificate(engine::polka_in(polka)),
            Message::Round(certificate) => engine::Input::RoundCertificate(engine::round_in(certificate)),
        };
        self.feed(core, input);
    }

    /// A timer ran out.
    pub(crate) fn time_out(&mut self, core: &mut Core, timer: Timer) {
        if !self.timers.remove(&timer) {
            return;
        }
        if timer.kind == TimerKind::Again {
            // The engine says its votes again; without the proposal they may be of no use to whoever lost it.
            let said: Vec<Message> = core.signer.said(self.height, self.round()).cloned().collect();
            for message in said
                .into_iter()
                .filter(|message| matches!(message, Message::Proposal(_)))
            {
                self.publish(core, message);
            }
        }
        self.feed(core, engine::Input::TimeoutElapsed(engine::timeout_in(timer)));
    }

    /// Our block for a round.
    pub(crate) fn propose_block(&mut self, core: &mut Core, round: u32, header: BlockHeader) {
        let is_ours = header.proposer == core.signer.me() && header.network == core.keys.network();
        if is_ours && header.height == self.height && core.signer.can_propose(self.height, round) {
            let block = Block::new(&core.keys, header);
            let value = LocallyProposedValue::new(engine::Height(self.height), Round::new(round), block);
            self.feed(core, engine::Input::Propose(value));
        }
    }

    /// What was found about a block.
    pub(crate) fn judged(&mut self, core: &mut Core, id: Hash, is_valid: bool) {
        let Some(known) = self.blocks.get_mut(&id) else { return };
        known.is_judged = true;
        let judged = Judged {
            header: known.header(),
            round: known.round,
            proposer: known.proposer,
            is_valid,
        };
        let value = engine::judged_in(&core.keys, &judged);
        self.feed(core, engine::Input::ProposedValue(value, ValueOrigin::Consensus));
    }

    /// Stops taking part: no timer is left.
    pub(crate) fn leave(&mut self, core: &mut Core) {
        for timer in std::mem::take(&mut self.timers) {
            core.out.push(Output::Cancel(timer));
        }
    }

    /// One input and whatever follows from it, one step after the other.
    fn feed(&mut self, core: &mut Core, input: engine::Input) {
        if self.end.is_none() && !core.is_stopped {
            self.step(core, input);
            let found = self.votes.take_found();
            core.accuse(found);
        }
        if self.replay.is_none() {
            self.finish(core);
        }
    }

    /// Behind everything else that a step wanted: no timer is left, and the decision is told.
    fn finish(&mut self, core: &mut Core) {
        if self.end.is_some() || core.is_stopped {
            self.leave(core);
        }
        if let Some(decided) = self.decided.take()
            && !core.is_stopped
        {
            core.out.push(decided);
        }
    }
}

/// How many votes are a quorum: the ledger's number.
#[cfg(not(feature = "broken-on-purpose"))]
fn quorum(_: &Core, committee: &Committee) -> usize {
    committee.quorum()
}

/// How many votes are a quorum: the ledger's number, unless that is the rule to break.
#[cfg(feature = "broken-on-purpose")]
fn quorum(core: &Core, committee: &Committee) -> usize {
    use crate::event::Broken;

    match core.settings.broken {
        Broken::SmallQuorum => (2 * committee.tolerated()).max(1),
        Broken::Nothing | Broken::NoFlush | Broken::AnchorsUnchecked => committee.quorum(),
    }
}

/// What can be said of a proposal without the engine: it is about this network, whoever proposes a block for the first
/// time made it, and a polka is from an earlier round.
fn is_plausible(network: Hash, proposal: &message::Proposal) -> bool {
    let is_in_order = match proposal.polka_round {
        None => proposal.header.proposer == proposal.validator,
        Some(round) => round < proposal.round,
    };
    is_in_order && proposal.header.network == network
}

/// A record of the journal as the input that it was.
fn replayed(keys: &HashKeys, record: &Record) -> engine::Input {
    match record {
        Record::Proposal(proposal) => engine::Input::Proposal(engine::proposal_in(keys, proposal)),
        Record::Vote(vote) => engine::Input::Vote(engine::vote_in(vote)),
        Record::Polka(polka) => engine::Input::PolkaCertificate(engine::polka_in(polka)),
        Record::Judged(judged) => {
            let value = engine::judged_in(keys, judged);
            engine::Input::ProposedValue(value, ValueOrigin::Consensus)
        }
        Record::Timeout(timer) => engine::Input::TimeoutElapsed(engine::timeout_in(*timer)),
    }
}
