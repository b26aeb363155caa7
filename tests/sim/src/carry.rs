//! What a validator wants done is done here, and what comes of it told to it: the driver, the links and the copying of
//! a real node, without threads.

use std::sync::Arc;

use waxwing_core::block::CertifiedBlock;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Body, Carried, Envelope};
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::Hash;
use waxwing_core::keys::{ValidatorId, Verified};
use waxwing_node::order::event::{Action, Event, Frame, To};
use waxwing_order::Message;

use crate::chance::Chance;
use crate::faults::{Counts, Fault};
use crate::liar::{Liar, Said, Sky};
use crate::network::Seat;
use crate::node::{ANSWER_LIMIT, BLOCKS_MAX, Node, verified};
use crate::packet::Packet;
use crate::story;
use crate::violation::Violation;
use crate::world::{Awaited, Coming, Member, World};

impl World {
    /// Tells a validator something, and carries out what it wants then.
    pub(crate) fn tell(&mut self, seat: Seat, event: Event) -> Result<(), Violation> {
        let now = self.queue.now();
        let actions = self.node_mut(seat).map_or_else(Vec::new, |node| node.on(event, now));
        self.carry_out(seat, actions)
    }

    /// Carries out what a validator wants, in order, as far as its process lives.
    pub(crate) fn carry_out(&mut self, seat: Seat, actions: Vec<Action>) -> Result<(), Violation> {
        // What was applied is durable and true before any action is carried out: a client may have asked by now.
        self.compare(seat)?;
        for action in actions {
            if self.dies_now(seat) {
                self.counts.count(Fault::CrashBetween);
                self.crash(seat);
                return Ok(());
            }
            let now = self.queue.now();
            self.story.tell(now, || match story::action(&action) {
                said if said.is_empty() => said,
                said => format!("validator {seat} {said}"),
            });
            self.carry_out_one(seat, action)?;
            if self.boot(seat).is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn dies_now(&mut self, seat: Seat) -> bool {
        let Some(node) = self.node_mut(seat) else { return false };
        match &mut node.doom {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    fn carry_out_one(&mut self, seat: Seat, action: Action) -> Result<(), Violation> {
        let now = self.queue.now();
        let Some(Member::Honest(node)) = self.members.get_mut(seat) else {
            return Ok(());
        };
        let (clock, boot) = (node.clock, node.boot);
        match action {
            Action::Append(record) => node.disk.append(record),
            Action::Flush => node.disk.flush(),
            Action::Reset => node.disk.reset(),
            Action::Signed(guard) => node.disk.sign(guard),
            Action::Send { to, frame } => return self.send(seat, to, &frame),
            Action::Set(timer, ms) => {
                if let Some(process) = &mut node.process {
                    let set = process.set(timer);
                    let coming = Coming::Timer {
                        node: seat,
                        boot,
                        timer,
                        set,
                    };
                    self.queue.at(now + clock.lasts(ms), coming);
                }
            }
            Action::Cancel(timer) => {
                if let Some(process) = &mut node.process {
                    process.timers.remove(&timer);
                }
            }
            Action::Pull { block, from, stamps } => self.pull(seat, block, from, stamps.into()),
            Action::CatchUp { from, height } => self.catch_up(seat, height, from),
            Action::Evidence(evidence) => return self.spread_evidence(seat, evidence),
            Action::Stop(fault) => return self.stopped(seat, &fault),
            Action::DestroyKey => node.has_left = true,
            Action::Copied { .. } | Action::Role(_) => {}
        }
        Ok(())
    }

    fn send(&mut self, seat: Seat, to: To, frame: &Frame) -> Result<(), Violation> {
        if let Frame::Consensus { message, .. } = frame {
            let own = (seat, self.founding.id(seat));
            self.ballots.note(own, message, &self.founding.keys)?;
            if self.is_guest(seat) && matches!(**message, Message::Vote(_)) {
                self.counts.count(Fault::Joined);
            }
        }
        let packet = Packet::Frame(frame.to_bytes().into());
        let peers: Vec<Seat> = match to {
            To::All => self.network.others(seat).collect(),
            To::One(peer) => self.founding.seat(&peer).into_iter().collect(),
        };
        for peer in peers {
            self.transmit(seat, peer, &packet);
        }
        Ok(())
    }

    /// A validator gave up. With a bad disk, or too many liars about, it may.
    fn stopped(&mut self, seat: Seat, fault: &waxwing_node::Fault) -> Result<(), Violation> {
        match fault {
            waxwing_node::Fault::Store(_) => {
                let lives = self.node(seat).is_some_and(|node| {
                    let probe = waxwing_store::Tables::get(&node.tables, waxwing_store::Family::Meta, &[]);
                    probe.is_ok()
                });
                self.counts
                    .count(if lives { Fault::DiskFull } else { Fault::CrashInWrite });
                self.crash(seat);
                Ok(())
            }
            _ if self.plan.is_conspiracy() => {
                // It stays away: an operator has to look.
                if let Some(node) = self.node_mut(seat) {
                    node.process = None;
                }
                Ok(())
            }
            fault => Err(Violation::Stopped {
                node: seat,
                why: fault.to_string(),
            }),
        }
    }

    // ---- Entries of a block under way -----------------------------------------------------------------------------

    fn pull(&mut self, seat: Seat, block: Hash, from: ValidatorId, stamps: Arc<[Hash]>) {
        let Some(peer) = self.founding.seat(&from) else { return };
        if let Some(process) = self.process(seat) {
            process.pulls.insert((block, peer));
        }
        self.transmit(seat, peer, &Packet::Ask { block, stamps });
        self.await_answer(seat, Awaited::Entries(block, peer));
    }

    fn await_answer(&mut self, node: Seat, awaited: Awaited) {
        let boot = self.boot(node).unwrap_or(0);
        self.queue.after(ANSWER_LIMIT, Coming::NoAnswer { node, boot, awaited });
    }

    /// An answer that was waited for has not come.
    pub(crate) fn give_up(&mut self, seat: Seat, awaited: Awaited) -> Result<(), Violation> {
        match awaited {
            Awaited::Entries(block, peer) => self.delivered(seat, block, peer, Vec::new()),
            Awaited::Blocks(peer) => {
                let Some(process) = self.process(seat) else {
                    return Ok(());
                };
                let Some((height, from)) = process.copying.filter(|(_, from)| *from == peer) else {
                    return Ok(());
                };
                process.copying = None;
                // Whoever copies turns to others by itself.
                let others: Vec<Seat> = self.network.others(seat).filter(|other| *other > from).collect();
                if let Some(next) = others.into_iter().find(|other| self.network.is_up(seat, *other)) {
                    self.copy_from(seat, height, next);
                }
                Ok(())
            }
        }
    }

    fn delivered(
        &mut self,
        seat: Seat,
        block: Hash,
        from: Seat,
        entries: Vec<Arc<Verified<Carried>>>,
    ) -> Result<(), Violation> {
        let was_waiting = self
            .process(seat)
            .is_some_and(|process| process.pulls.remove(&(block, from)));
        if was_waiting {
            self.tell(seat, Event::Missing { block, entries })
        } else {
            Ok(())
        }
    }

    // ---- Blocks of others -----------------------------------------------------------------------------------------

    fn catch_up(&mut self, seat: Seat, height: u64, from: ValidatorId) {
        let Some(peer) = self.founding.seat(&from) else { return };
        let is_idle = self.process(seat).is_some_and(|process| process.copying.is_none());
        if is_idle {
            self.copy_from(seat, height, peer);
        }
    }

    fn copy_from(&mut self, seat: Seat, height: u64, peer: Seat) {
        let own = self.node(seat).and_then(crate::node::Node::height).unwrap_or(0);
        if let Some(process) = self.process(seat) {
            process.copying = Some((height, peer));
        }
        // The newest block as well: whoever has another one of that height is on another history.
        self.transmit(seat, peer, &Packet::WantBlocks(own));
        self.await_answer(seat, Awaited::Blocks(peer));
    }

    fn copied(&mut self, seat: Seat, from: Seat, blocks: &[CertifiedBlock]) -> Result<(), Violation> {
        for block in blocks {
            self.compare_with_own(seat, block)?;
        }
        let Some(process) = self.process(seat) else {
            return Ok(());
        };
        let Some((height, _)) = process.copying.filter(|(_, whom)| *whom == from) else {
            return Ok(());
        };
        process.copying = None;
        let mut has_grown = false;
        for block in blocks {
            let own = self.node(seat).and_then(crate::node::Node::height).unwrap_or(0);
            if block.head.header.height != own + 1 {
                continue;
            }
            let Some(committee) = self.committee_of(seat, own + 1) else {
                break;
            };
            let Some(block) = verified(block.clone(), &self.founding, &committee) else {
                break;
            };
            self.tell(seat, Event::Copied(block))?;
            has_grown = self.node(seat).and_then(crate::node::Node::height) == Some(own + 1);
            if !has_grown {
                break;
            }
            match self.node(seat) {
                Some(node) if node.has_left => self.counts.count(Fault::Left),
                Some(node) if node.follows() => self.counts.count(Fault::Followed),
                _ => {}
            }
        }
        let own = self.node(seat).and_then(crate::node::Node::height);
        if has_grown && own.is_some_and(|own| own < height) {
            self.copy_from(seat, height, from);
        }
        Ok(())
    }

    /// What a node that follows the heads of others does with a block that it has already.
    fn compare_with_own(&mut self, seat: Seat, block: &CertifiedBlock) -> Result<(), Violation> {
        let Some(process) = self.node(seat).and_then(|node| node.process.as_ref()) else {
            return Ok(());
        };
        let own = process
            .validator
            .store()
            .certified(block.head.header.height)
            .ok()
            .flatten();
        let Some(own) = own.filter(|own| own.header != block.head.header) else {
            return Ok(());
        };
        let keys = &self.founding.keys;
        let evidence = Evidence::of_heads(keys, own, block.head.clone());
        if evidence.verify(keys, self.committee(evidence.height())).is_ok() {
            self.spread_evidence(seat, evidence)
        } else {
            Ok(())
        }
    }

    // ---- Evidence -------------------------------------------------------------------------------------------------

    fn spread_evidence(&mut self, seat: Seat, evidence: Evidence) -> Result<(), Violation> {
        let height = evidence.height();
        let is_sound = evidence.verify(&self.founding.keys, self.committee(height)).is_ok();
        if !is_sound || self.accuses_honest(&evidence) {
            return Err(Violation::Framed { node: seat, height });
        }
        let packet = Packet::Evidence(evidence.to_bytes().into());
        for peer in self.network.others(seat) {
            self.transmit(seat, peer, &packet);
        }
        self.evidence.push(evidence);
        Ok(())
    }

    // ---- Arrivals -------------------------------------------------------------------------------------------------

    pub(crate) fn receive(&mut self, (from, to): (Seat, Seat), packet: Packet) -> Result<(), Violation> {
        if matches!(self.members.get(to), Some(Member::Liar(_))) {
            self.receive_as_liar((from, to), &packet);
            return Ok(());
        }
        match packet {
            Packet::Frame(bytes) => {
                let unreadable = |_| Violation::Unreadable {
                    node: from,
                    what: "a frame",
                };
                let frame = Frame::from_bytes(&bytes).map_err(unreadable)?;
                // Nodes follow each other's heads, which is how they notice that there are two; only here may there be.
                if let (Frame::Status(height), true) = (&frame, self.plan.is_conspiracy()) {
                    self.transmit(to, from, &Packet::WantBlocks(*height));
                }
                let from = self.founding.id(from);
                self.tell(to, Event::Frame { from, frame })
            }
            // Envelopes are passed on among those who vote.
            Packet::Spread(_) if self.node(to).is_some_and(Node::follows) => Ok(()),
            Packet::Spread(envelope) => self.submit(to, &envelope).map(|_| ()),
            Packet::Ask { block, stamps } => {
                let entries = self
                    .process(to)
                    .map(|process| process.validator.entries(&block, &stamps));
                let entries: Vec<Vec<u8>> = entries.into_iter().flatten().map(|entry| entry.to_bytes()).collect();
                let entries = entries.into();
                self.transmit(to, from, &Packet::Entries { block, entries });
                Ok(())
            }
            Packet::Entries { block, entries } => {
                let entries = self.read_entries(&entries);
                self.delivered(to, block, from, entries)
            }
            Packet::WantBlocks(height) => {
                let blocks = self.node(to).map(|node| node.blocks(height)).unwrap_or_default();
                self.transmit(to, from, &Packet::Blocks(blocks.into()));
                Ok(())
            }
            Packet::Blocks(blocks) => self.copied(to, from, &blocks),
            Packet::Evidence(bytes) => {
                let is_news = self.process(to).is_some_and(|process| process.validator.report(&bytes));
                if is_news { self.tell(to, Event::Work) } else { Ok(()) }
            }
        }
    }

    /// Entries that were handed over, each verified as if it had been submitted; those that are none are left out.
    fn read_entries(&self, entries: &[Vec<u8>]) -> Vec<Arc<Verified<Carried>>> {
        let (keys, bits) = (&self.founding.keys, self.founding.genesis.parameters.stamp_bits);
        let read = |bytes: &Vec<u8>| {
            let carried = Carried::from_bytes(bytes).ok()?;
            let carried = Some(carried).filter(|carried| matches!(carried.body, Body::Present(_)))?;
            carried.verify(keys, bits).ok().map(Arc::new)
        };
        entries.iter().filter_map(read).collect()
    }

    /// A validator is given an envelope; whether it waits there now.
    pub(crate) fn submit(&mut self, seat: Seat, envelope: &[u8]) -> Result<bool, Violation> {
        let now = self.queue.now();
        let Some(node) = self.node(seat) else { return Ok(false) };
        let told = node.clock.now(now);
        let submitted = node
            .process
            .as_ref()
            .map(|process| process.validator.submit(envelope, told));
        match submitted {
            Some(Ok(true)) => self.tell(seat, Event::Work).map(|()| true),
            // A store that fails stops the validator at its next block.
            Some(Ok(false) | Err(_)) | None => Ok(false),
        }
    }

    fn receive_as_liar(&mut self, (from, to): (Seat, Seat), packet: &Packet) {
        match packet {
            Packet::Frame(bytes) => {
                let Ok(frame) = Frame::from_bytes(bytes) else { return };
                let said = self.with_liar(to, |liar, sky, chance, counts| {
                    liar.hear(from, &frame, sky, chance, counts)
                });
                self.say(to, said);
            }
            Packet::Spread(envelope) => self.give(to, envelope),
            Packet::Ask { block, .. } => {
                let Some(Member::Liar(liar)) = self.members.get_mut(to) else {
                    return;
                };
                if let Some(entries) = liar.entries(block, &mut self.chance) {
                    let entries: Vec<Vec<u8>> = entries.iter().map(|entry| entry.to_bytes()).collect();
                    let (block, entries) = (*block, entries.into());
                    self.transmit(to, from, &Packet::Entries { block, entries });
                }
            }
            Packet::WantBlocks(height) => self.pass_off(to, from, *height),
            Packet::Entries { .. } | Packet::Blocks(_) | Packet::Evidence(_) => {}
        }
    }

    fn with_liar(
        &mut self,
        seat: Seat,
        act: impl FnOnce(&mut Liar, &Sky<'_>, &mut Chance, &mut Counts) -> Said,
    ) -> Said {
        let now_ms = self.now_ms();
        let Some(Member::Liar(liar)) = self.members.get_mut(seat) else {
            return Vec::new();
        };
        let sky = Sky {
            founding: &self.founding,
            chronicle: &self.chronicle,
            honest: &self.honest,
            now_ms,
            is_calm: self.is_calm,
        };
        act(liar, &sky, &mut self.chance, &mut self.counts)
    }

    fn say(&mut self, seat: Seat, said: Said) {
        for (peer, frame) in said {
            let now = self.queue.now();
            self.story
                .tell(now, || format!("liar {seat} to {peer}: {}", story::frame(&frame)));
            self.transmit(seat, peer, &Packet::Frame(frame.to_bytes().into()));
        }
    }

    /// A liar is given an envelope, and passes it on to nobody.
    pub(crate) fn give(&mut self, seat: Seat, envelope: &[u8]) {
        let Ok(envelope) = Envelope::from_bytes(envelope) else {
            return;
        };
        let said = self.with_liar(seat, |liar, sky, chance, counts| {
            liar.take(envelope, sky, chance, counts)
        });
        self.say(seat, said);
    }

    /// What a liar hands to somebody who wants blocks: nothing, or blocks that nobody certified.
    fn pass_off(&mut self, seat: Seat, to: Seat, height: u64) {
        if self.chance.once_in(2) {
            return;
        }
        let store = self.chronicle.store();
        let heights = (height..=store.applied()).take(BLOCKS_MAX);
        let mut blocks: Vec<CertifiedBlock> = heights
            .filter_map(|height| store.block(height).ok().flatten())
            .collect();
        if let Some(last) = blocks.last_mut() {
            last.head.header.map_root = Hash([8; 32]);
        }
        self.transmit(seat, to, &Packet::Blocks(blocks.into()));
    }
}
