//! A validator that follows no rule: it holds a vote key, sees everything, and says what it likes.
//!
//! It is no altered validator but a script of its own, so that it can do what no program of ours would. It knows the
//! one history as it is, which is more than any real liar knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_core::certificate::{VoteKind, vote_message};
use waxwing_core::envelope::{Carried, Envelope};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{ValidatorId, Verified};
use waxwing_node::order::event::{Contents, Frame, Listed};
use waxwing_order::message::proposal_message;
use waxwing_order::{Message, Proposal, Vote};

use crate::chance::Chance;
use crate::chronicle::Chronicle;
use crate::faults::{Counts, Fault};
use crate::founding::Founding;
use crate::invalid::{Forged, Invalid, Scene};
use crate::network::Seat;
use crate::plan::Habit;

/// Heights that a liar begins by itself, without anybody having work: more would keep the network from ever resting.
const BEGUN_MAX: u32 = 20;

/// Entries of others in a block of a liar.
const FIT_MAX: usize = 4;

/// What a liar sees.
#[derive(Debug)]
pub struct Sky<'a> {
    /// The network.
    pub founding: &'a Founding,
    /// The one history.
    pub chronicle: &'a Chronicle,
    /// Who is honest.
    pub honest: &'a [Seat],
    /// The true time, ms since 1970.
    pub now_ms: u64,
    /// Whether faults are still to come.
    pub is_calm: bool,
}

/// What a liar says to whom.
pub type Said = Vec<(Seat, Frame)>;

/// A liar.
#[derive(Debug)]
pub struct Liar {
    /// Its place in the committee.
    pub seat: Seat,
    /// How it lies.
    pub habit: Habit,
    me: ValidatorId,
    /// Turns it has used.
    proposed: BTreeSet<(u64, u32)>,
    /// Blocks that were proposed, by height and round.
    known: BTreeMap<(u64, u32), BTreeSet<Hash>>,
    /// Rounds in which a liar proposed.
    lied: BTreeSet<(u64, u32)>,
    /// Votes it has cast: to whom, where, what.
    cast: BTreeSet<(Seat, u64, u32, bool, Hash)>,
    /// Its own blocks, and whether it shows them.
    blocks: BTreeMap<Hash, (Forged, bool)>,
    /// Envelopes that it was given.
    given: Vec<Arc<Verified<Carried>>>,
    begun: u32,
    number: u64,
    /// Which rule it breaks next.
    broken: usize,
}

impl Liar {
    /// A liar with this habit. Which rule it breaks first follows from the seed, so that many seeds break all alike.
    #[must_use]
    pub fn new(seat: Seat, habit: Habit, founding: &Founding, seed: u64) -> Self {
        Self {
            seat,
            habit,
            me: founding.id(seat),
            proposed: BTreeSet::new(),
            known: BTreeMap::new(),
            lied: BTreeSet::new(),
            cast: BTreeSet::new(),
            blocks: BTreeMap::new(),
            given: Vec::new(),
            begun: 0,
            number: u64::try_from(seat).unwrap_or(0) << 32,
            broken: usize::try_from(seed % 1000).unwrap_or(0),
        }
    }

    /// Somebody gives it an envelope: something to order, if it is its turn.
    pub fn take(&mut self, envelope: Envelope, sky: &Sky<'_>, chance: &mut Chance, counts: &mut Counts) -> Said {
        let carried = sky.founding.verified(envelope);
        if !self.given.iter().any(|given| given.id() == carried.id()) {
            self.given.push(carried);
        }
        let mut said = Vec::new();
        self.work(sky, chance, counts, &mut said);
        said
    }

    /// Begins the next height if there is something to order and it is its turn.
    fn work(&mut self, sky: &Sky<'_>, chance: &mut Chance, counts: &mut Counts, said: &mut Said) {
        let model = sky.chronicle.model();
        let time = sky.now_ms.max(model.head().time + 1);
        let is_fit = |given: &Arc<Verified<Carried>>| model.verdict(time, &[], &given.signed).is_ok();
        if self.habit != Habit::Silent && self.given.iter().any(is_fit) {
            self.propose((sky.chronicle.height() + 1, 0), sky, chance, counts, said);
        }
    }

    /// Entries of its blocks, for whoever asks.
    pub fn entries(&mut self, block: &Hash, chance: &mut Chance) -> Option<Vec<Arc<Verified<Carried>>>> {
        let (forged, is_shown) = self.blocks.get(block)?;
        let answers = self.habit != Habit::Silent && (*is_shown || chance.once_in(8));
        answers.then(|| forged.entries.clone())
    }

    /// Somebody says something to it.
    pub fn hear(&mut self, from: Seat, frame: &Frame, sky: &Sky<'_>, chance: &mut Chance, counts: &mut Counts) -> Said {
        let next = sky.chronicle.height() + 1;
        if self.habit == Habit::Silent {
            if matches!(frame, Frame::Consensus { .. }) {
                counts.count(Fault::Silence);
            }
            return Vec::new();
        }
        let mut said = Vec::new();
        match frame {
            Frame::Consensus { message, .. } if message.height() == next => {
                self.learn(message, sky);
                let round = message.round();
                self.propose((next, round), sky, chance, counts, &mut said);
                if matches!(**message, Message::Round(_)) {
                    self.propose((next, round + 1), sky, chance, counts, &mut said);
                }
                self.vote((next, round), sky, chance, counts, &mut said);
            }
            Frame::Consensus { .. } | Frame::Contents(_) => {}
            Frame::WantContents(block) => said.extend(self.contents(block, from, sky)),
            Frame::Status(height) => {
                self.work(sky, chance, counts, &mut said);
                if *height + 1 == next && !sky.is_calm && self.begun < BEGUN_MAX && chance.once_in(4) {
                    self.begun += 1;
                    self.propose((next, 0), sky, chance, counts, &mut said);
                }
                if chance.once_in(16) {
                    said.push((from, Frame::Status(next + chance.below(1000))));
                }
            }
        }
        said
    }

    fn learn(&mut self, message: &Message, sky: &Sky<'_>) {
        if let Message::Proposal(proposal) = message {
            let at = (proposal.header.height, proposal.round);
            self.known
                .entry(at)
                .or_default()
                .insert(proposal.header.id(&sky.founding.keys));
            let proposer = sky.founding.seat(&proposal.validator);
            if proposer.is_some_and(|proposer| !sky.honest.contains(&proposer)) {
                self.lied.insert(at);
            }
        }
    }

    // ---- Votes -----------------------------------------------------------------------------------------------------

    fn vote(&mut self, at: (u64, u32), sky: &Sky<'_>, chance: &mut Chance, counts: &mut Counts, said: &mut Said) {
        let blocks: Vec<Hash> = self.known.get(&at).into_iter().flatten().copied().collect();
        let Some(first) = blocks.first().copied() else { return };
        let last = blocks.last().copied().unwrap_or(first);
        let other = match self.habit {
            // Whoever conspires shows both halves a block that can become final.
            Habit::Conspires if last == first && self.lied.contains(&at) => return,
            Habit::Conspires => last,
            _ if last == first => Hash::ZERO,
            _ => last,
        };
        let own = self.seat;
        for (place, peer) in (0..sky.founding.voters.len()).filter(|peer| *peer != own).enumerate() {
            let rank = sky.honest.iter().position(|honest| *honest == peer).unwrap_or(place);
            let choice = if rank % 2 == 0 { first } else { other };
            let both = [first, other];
            let targets: &[Hash] = match self.habit {
                Habit::Equivocates if chance.once_in(8) => &both,
                Habit::Equivocates | Habit::Conspires => &[choice],
                Habit::Anything if chance.once_in(4) => &[Hash::ZERO],
                _ => &[first],
            };
            for target in targets {
                for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                    said.extend(self.ballot(peer, at, kind, *target, sky, counts));
                }
            }
        }
    }

    /// One vote, if it was not cast before.
    fn ballot(
        &mut self,
        peer: Seat,
        (height, round): (u64, u32),
        kind: VoteKind,
        block: Hash,
        sky: &Sky<'_>,
        counts: &mut Counts,
    ) -> Option<(Seat, Frame)> {
        let is_second = kind == VoteKind::Precommit;
        if !self.cast.insert((peer, height, round, is_second, block)) {
            return None;
        }
        let contradicts = |cast: &&(Seat, u64, u32, bool, Hash)| {
            (cast.1, cast.2, cast.3) == (height, round, is_second) && cast.4 != block
        };
        if self.cast.iter().any(|cast| contradicts(&cast)) {
            counts.count(Fault::TwoVotes);
        }
        let signed = vote_message(sky.founding.keys.network(), kind, height, round, block);
        let vote = Vote {
            validator: self.me,
            kind,
            height,
            round,
            block,
            signature: sky.founding.voter(self.seat).sign(&signed),
        };
        Some((peer, frame(Message::Vote(vote))))
    }

    // ---- Blocks ----------------------------------------------------------------------------------------------------

    fn propose(&mut self, at: (u64, u32), sky: &Sky<'_>, chance: &mut Chance, counts: &mut Counts, said: &mut Said) {
        let turns = sky.chronicle.ledger().turns();
        let turn = usize::try_from(at.1).unwrap_or(0) % turns.len().max(1);
        if turns.get(turn) != Some(&self.me) || !self.proposed.insert(at) {
            return;
        }
        self.number += 1;
        let habit = match self.habit {
            // Whoever never proposes a block that is taken is hardly ever asked again.
            Habit::Invalid | Habit::Withholds if self.number.is_multiple_of(2) => {
                let sound = self.scene(sky).sound();
                let all = self.others(sky);
                return self.show(at.1, sound, (&all, &all), sky, said);
            }
            Habit::Anything => *chance
                .pick(&[Habit::Equivocates, Habit::Withholds, Habit::Invalid])
                .unwrap_or(&Habit::Invalid),
            habit => habit,
        };
        let scene = self.scene(sky);
        let all = self.others(sky);
        match habit {
            Habit::Equivocates | Habit::Conspires => {
                let (one, mut other) = (scene.sound(), scene.sound());
                other.header.time += 1;
                other.header = scene.model.next_header(other.header.time, self.me, &signed(&other));
                counts.count(Fault::TwoBlocks);
                self.show_two(at.1, [one, other], sky, said);
            }
            Habit::Withholds => {
                counts.count(Fault::Withheld);
                let forged = scene.sound();
                let shown: Vec<Seat> = all.iter().copied().filter(|_| chance.once_in(3)).collect();
                self.show(at.1, forged, (&all, &shown), sky, said);
            }
            _ => {
                let Some((rule, forged)) = self.invalid(&scene) else {
                    return;
                };
                counts.count(Fault::Invalid(rule));
                self.show(at.1, forged, (&all, &all), sky, said);
            }
        }
    }

    /// A block that breaks the next rule in turn. The history may give no occasion for one; for most it always does.
    fn invalid(&mut self, scene: &Scene<'_>) -> Option<(Invalid, Forged)> {
        let first = self.broken % Invalid::ALL.len();
        self.broken += 5;
        let (before, from) = Invalid::ALL.split_at(first);
        // Few moments let an anchor expire, so it goes first where it can.
        let rare = [Invalid::AnchorExpired];
        let rare = rare.iter().filter(|_| self.number % 4 == 1);
        let mut rules = rare.chain(from).chain(before);
        rules.find_map(|rule| Some((*rule, scene.forge(*rule)?)))
    }

    fn others(&self, sky: &Sky<'_>) -> Vec<Seat> {
        (0..sky.founding.voters.len())
            .filter(|peer| *peer != self.seat)
            .collect()
    }

    fn scene<'a>(&self, sky: &Sky<'a>) -> Scene<'a> {
        let model = sky.chronicle.model();
        let time = sky.now_ms.max(model.head().time + 1);
        let mut fit: Vec<Arc<Verified<Carried>>> = Vec::new();
        let mut before = Vec::new();
        for given in &self.given {
            if fit.len() < FIT_MAX && model.verdict(time, &before, &given.signed).is_ok() {
                before.push(given.signed.clone());
                fit.push(Arc::clone(given));
            }
        }
        let mut scene = Scene {
            founding: sky.founding,
            model,
            proposer: self.me,
            now_ms: sky.now_ms,
            fit,
            ordered: sky.chronicle.newest_entry(),
            number: self.number,
        };
        if scene.fit.is_empty() {
            scene.fit.push(scene.own_newest());
        }
        scene
    }

    /// Each block to one half of the honest, both to the other liars. Who sees which follows from the block ids, so
    /// that liars that know each other vote to the same halves.
    fn show_two(&mut self, round: u32, blocks: [Forged; 2], sky: &Sky<'_>, said: &mut Said) {
        let mut blocks = blocks.map(|block| (block.header.id(&sky.founding.keys), block));
        blocks.sort_by_key(|(id, _)| *id);
        for (half, (_, block)) in blocks.into_iter().enumerate() {
            let sees = |peer: &Seat| match sky.honest.iter().position(|honest| honest == peer) {
                Some(rank) => rank % 2 == half,
                None => *peer != self.seat,
            };
            let audience: Vec<Seat> = (0..sky.founding.voters.len()).filter(sees).collect();
            self.show(round, block, (&audience, &audience), sky, said);
        }
    }

    /// A proposal to some, its contents to some of them.
    fn show(&mut self, round: u32, forged: Forged, (told, shown): (&[Seat], &[Seat]), sky: &Sky<'_>, said: &mut Said) {
        let (keys, header) = (&sky.founding.keys, &forged.header);
        let (id, height) = (header.id(keys), header.height);
        let signed = proposal_message(keys.network(), height, round, None, id);
        let proposal = Message::Proposal(Box::new(Proposal {
            header: header.clone(),
            round,
            polka_round: None,
            validator: self.me,
            signature: sky.founding.voter(self.seat).sign(&signed),
        }));
        self.known.entry((height, round)).or_default().insert(id);
        self.lied.insert((height, round));
        self.blocks.insert(id, (forged, shown.len() == told.len()));
        for peer in told {
            said.push((*peer, frame(proposal.clone())));
        }
        for peer in shown {
            said.extend(self.contents(&id, *peer, sky));
        }
    }

    fn contents(&self, block: &Hash, to: Seat, sky: &Sky<'_>) -> Option<(Seat, Frame)> {
        let (forged, _) = self.blocks.get(block)?;
        let listed = forged.entries.iter().map(|entry| Listed {
            stamp: entry.signed.header.stamp(&sky.founding.keys),
            entry: entry.id(),
        });
        let contents = Contents {
            header: forged.header.clone(),
            entries: listed.collect(),
            evidence: forged.evidence.clone(),
        };
        Some((to, Frame::Contents(Box::new(contents))))
    }
}

fn signed(forged: &Forged) -> Vec<waxwing_core::envelope::SignedHeader> {
    forged.entries.iter().map(|entry| entry.signed.clone()).collect()
}

fn frame(message: Message) -> Frame {
    Frame::Consensus {
        message: Box::new(message),
        has_work: true,
    }
}
