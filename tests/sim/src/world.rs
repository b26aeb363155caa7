//! A run: validators, clients and liars in one virtual time, and everything that is checked while it passes.
//!
//! ```text
//! seed ──> plan ──> [ trouble, letters, lies ........ calm ] [ letters become final ] [ rest ] ──> outcome
//! ```
//!
//! After every event the heights that validators reached are compared with the one history, and everything they sign is
//! held against what they signed before. When faults have ended, every letter must become final within [`LIVE_WITHIN`];
//! then all must have all blocks, and come to rest. Liars go on lying to the end.

use waxwing_core::evidence::Evidence;
use waxwing_core::hash::Hash;
use waxwing_node::order::event::{Event, TimerId};
use waxwing_order::Settings;

use crate::ballots::Ballots;
use crate::chance::Chance;
use crate::chronicle::{Certificates, Chronicle};
use crate::client::Client;
use crate::faults::{Counts, Fault};
use crate::founding::{Archive, BEGUN_MS, Founding};
use crate::liar::Liar;
use crate::network::{Network, Notice, Seat, Ticket};
use crate::node::Node;
use crate::packet::Packet;
use crate::plan::{Plan, Trouble};
use crate::queue::Queue;
use crate::story::Story;
use crate::time::{Clock, MS, Micros, SECOND};
use crate::violation::Violation;

/// Within this time after the last fault, every letter is final.
pub const LIVE_WITHIN: Micros = 60 * SECOND;

/// Within this time after the last letter is final, every validator has every block and rests. A validator whose clock
/// was a minute behind may still wait for the time of a block that it took for one from the future.
pub const EVEN_WITHIN: Micros = 90 * SECOND;

/// One of the committee.
#[derive(Debug)]
pub(crate) enum Member {
    /// Follows the rules.
    Honest(Box<Node>),
    /// Does not.
    Liar(Box<Liar>),
}

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Coming {
    /// A message arrives.
    Arrival {
        /// From whom, to whom.
        way: (Seat, Seat),
        /// To which of the receiver's processes.
        boot: u64,
        ticket: Ticket,
        packet: Packet,
    },
    /// A validator's timer runs out.
    Timer {
        node: Seat,
        boot: u64,
        timer: TimerId,
        set: u64,
    },
    /// An answer should have come by now.
    NoAnswer { node: Seat, boot: u64, awaited: Awaited },
    /// A validator comes to know something about another.
    Notice(Notice),
    /// A misfortune.
    Trouble(Trouble),
    /// A process starts.
    Start(Seat),
    /// A client turns to somebody.
    Visit(usize),
    /// A quorum decides who votes.
    Change,
    /// Faults end.
    Calm,
}

/// What a validator waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Awaited {
    /// Entries of a block.
    Entries(Hash, Seat),
    /// Blocks.
    Blocks(Seat),
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What was broken, if anything, and when.
    pub violation: Option<(Violation, Micros)>,
    /// What was injected.
    pub counts: Counts,
    /// Newest height, and its block.
    pub head: (u64, Option<Hash>),
    /// Letters that became final.
    pub letters: usize,
    /// Things that happened.
    pub events: u64,
    /// Different things that honest validators signed.
    pub signed: usize,
    /// Bytes sent between validators.
    pub bytes: u64,
    /// How often a client was told that its head is the newest.
    pub beacons: u64,
    /// How long after the last fault the last letter was final.
    pub live_after: Micros,
    /// What happened, if it was written down.
    pub story: Vec<String>,
}

/// A run.
#[derive(Debug)]
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) queue: Queue<Coming>,
    pub(crate) network: Network,
    pub(crate) founding: Founding,
    pub(crate) chronicle: Chronicle,
    pub(crate) ballots: Ballots,
    pub(crate) counts: Counts,
    pub(crate) members: Vec<Member>,
    pub(crate) honest: Vec<Seat>,
    pub(crate) clients: Vec<Client>,
    /// What honest validators found out about others.
    pub(crate) evidence: Vec<Evidence>,
    /// Who applied another block than the chronicle's, and at which height: with too many liars that is no violation.
    pub(crate) astray: Option<(Seat, u64)>,
    pub(crate) is_calm: bool,
    /// How often a client was told that its head is the newest.
    pub(crate) beacons: u64,
    pub(crate) story: Story,
    live_after: Micros,
    events: u64,
}

impl World {
    /// A run that has not begun.
    #[must_use]
    pub fn new(
        (plan, chance): (Plan, Chance),
        archive: &Archive,
        settings: Settings,
        certificates: Certificates,
    ) -> Self {
        let founding = archive.founding.clone();
        let founding = match plan.change {
            Some(_) => founding.with_guest(),
            None => founding,
        };
        let past = archive.past(plan.past);
        let members: Vec<Member> = (0..founding.voters.len())
            .map(|seat| match plan.liars.iter().find(|(liar, _)| *liar == seat) {
                Some((_, habit)) => Member::Liar(Box::new(Liar::new(seat, *habit, &founding, plan.seed))),
                None => {
                    let (skew, drift) = plan.clocks.get(seat).copied().unwrap_or_default();
                    let clock = Clock::new(BEGUN_MS, skew, drift);
                    Member::Honest(Box::new(Node::new(seat, clock, past.tables.copy(), settings)))
                }
            })
            .collect();
        let is_honest = |seat: &Seat| !plan.liars.iter().any(|(liar, _)| liar == seat);
        let mut world = Self {
            queue: Queue::default(),
            network: Network::new(members.len(), plan.weather),
            chronicle: Chronicle::new(&founding, past, certificates),
            ballots: Ballots::default(),
            counts: Counts::default(),
            honest: (0..members.len()).filter(is_honest).collect(),
            clients: Vec::new(),
            evidence: Vec::new(),
            astray: None,
            is_calm: false,
            beacons: 0,
            story: Story::default(),
            live_after: 0,
            events: 0,
            members,
            founding,
            plan,
            chance,
        };
        world.expect();
        world
    }

    /// Plans everything that is known before.
    fn expect(&mut self) {
        for notice in self.network.hello(2) {
            self.queue.at(notice.at, Coming::Notice(notice));
        }
        for seat in self.honest.clone() {
            self.queue.at(1, Coming::Start(seat));
        }
        for (at, trouble) in self.plan.troubles.clone() {
            self.queue.at(at.max(3), Coming::Trouble(trouble));
        }
        self.queue.at(self.plan.calm, Coming::Calm);
        if let Some(change) = self.plan.change {
            self.queue.at(change.at.max(3), Coming::Change);
        }
        let (clients, letters) = self.plan.clients;
        for number in 0..clients {
            let client = Client::new(&self.founding, number, letters, self.plan.calm, &mut self.chance);
            self.clients.push(client);
            let at = self.chance.below(SECOND);
            self.queue.at(at, Coming::Visit(usize::from(number)));
        }
        let clocks = self.plan.clocks.iter().enumerate();
        for (seat, _) in clocks.filter(|(_, (skew, _))| skew.unsigned_abs() >= 1000) {
            if self.honest.contains(&seat) {
                self.counts.count(Fault::ClockWrong);
            }
        }
    }

    /// The same, written down.
    #[must_use]
    pub fn told(mut self) -> Self {
        self.story = Story::written();
        self
    }

    /// Runs to the end.
    #[must_use]
    pub fn run(self) -> Outcome {
        self.run_and_show().0
    }

    /// Runs to the end, and shows the history that was made.
    #[must_use]
    pub fn run_and_show(mut self) -> (Outcome, Chronicle) {
        let ended = if self.plan.is_conspiracy() {
            self.pass(self.plan.calm + 10 * SECOND, |_| false)
                .and_then(|()| self.judge_fork())
        } else {
            self.live().and_then(|()| self.even())
        };
        let height = self.chronicle.height();
        let waiting: usize = self.clients.iter().map(Client::waiting).sum();
        let (clients, letters) = self.plan.clients;
        let written = usize::from(clients) * usize::try_from(letters).unwrap_or(0);
        let outcome = Outcome {
            violation: ended.err().map(|violation| (violation, self.queue.now())),
            counts: self.counts,
            head: (height, self.chronicle.id(height)),
            letters: written - waiting,
            events: self.events,
            signed: self.ballots.count(),
            bytes: self.network.bytes,
            beacons: self.beacons,
            live_after: self.live_after,
            story: self.story.lines().to_vec(),
        };
        (outcome, self.chronicle)
    }

    /// Lets time pass until `end`, or until it is enough.
    pub(crate) fn pass(&mut self, end: Micros, is_enough: impl Fn(&Self) -> bool) -> Result<(), Violation> {
        while !is_enough(self) {
            let Some(coming) = self.queue.next(end) else { break };
            self.events += 1;
            self.happen(coming)?;
        }
        Ok(())
    }

    fn live(&mut self) -> Result<(), Violation> {
        let all_final = |world: &Self| world.is_calm && world.clients.iter().all(|client| client.waiting() == 0);
        self.pass(self.plan.calm + LIVE_WITHIN, all_final)?;
        self.live_after = self.queue.now().saturating_sub(self.plan.calm);
        let waiting = self.clients.iter().map(Client::waiting).sum();
        if waiting > 0 {
            let height = self.chronicle.height();
            return Err(Violation::NotLive { waiting, height });
        }
        Ok(())
    }

    /// Everybody has every block in the end, and rests.
    fn even(&mut self) -> Result<(), Violation> {
        self.queue
            .retain(|coming| !matches!(coming, Coming::Visit(_) | Coming::Change));
        let end = self.queue.now() + EVEN_WITHIN;
        let has_liars = !self.plan.liars.is_empty();
        self.pass(end, |world| !has_liars && world.is_at_rest())?;
        let height = self.chronicle.height();
        for seat in self.honest.clone() {
            let has = self.node(seat).and_then(Node::height).unwrap_or(0);
            if has != height {
                return Err(Violation::Behind {
                    node: seat,
                    has,
                    height,
                });
            }
        }
        if has_liars || self.is_at_rest() {
            Ok(())
        } else {
            Err(Violation::Restless {
                timers: self.honest.iter().map(|seat| self.timers(*seat)).sum(),
            })
        }
    }

    /// Nothing is under way or about to be, and no timer runs; those that were cancelled still stand in the queue.
    fn is_at_rest(&self) -> bool {
        let is_idle = |seat: &Seat| {
            let process = self.node(*seat).and_then(|node| node.process.as_ref());
            process.is_some_and(|process| process.timers.is_empty())
        };
        let is_timer = |coming: &Coming| matches!(coming, Coming::Timer { .. });
        self.honest.iter().all(is_idle) && self.queue.coming().all(is_timer)
    }

    fn timers(&self, seat: Seat) -> usize {
        let process = self.node(seat).and_then(|node| node.process.as_ref());
        process.map_or(0, |process| process.timers.len())
    }

    fn happen(&mut self, coming: Coming) -> Result<(), Violation> {
        match coming {
            Coming::Arrival {
                way,
                boot,
                ticket,
                packet,
            } => {
                let is_same = self.boot(way.1) == Some(boot);
                if is_same && self.network.arrives(way, ticket, &mut self.chance, &mut self.counts) {
                    return self.receive(way, packet);
                }
                Ok(())
            }
            Coming::Timer { node, boot, timer, set } => {
                let is_due = self.boot(node) == Some(boot)
                    && self.process(node).is_some_and(|process| process.run_out(timer, set));
                if is_due {
                    self.tell(node, Event::Timer(timer))
                } else {
                    Ok(())
                }
            }
            Coming::NoAnswer { node, boot, awaited } if self.boot(node) == Some(boot) => self.give_up(node, awaited),
            Coming::NoAnswer { .. } => Ok(()),
            Coming::Notice(notice) => self.notice(&notice),
            Coming::Trouble(trouble) => self.suffer(trouble),
            Coming::Start(node) => self.start(node),
            Coming::Visit(client) => self.visit(client),
            Coming::Change => self.decide_change(),
            Coming::Calm => self.calm(),
        }
    }

    // ---- Who is there ----------------------------------------------------------------------------------------------

    pub(crate) fn node(&self, seat: Seat) -> Option<&Node> {
        match self.members.get(seat)? {
            Member::Honest(node) => Some(node),
            Member::Liar(_) => None,
        }
    }

    pub(crate) fn node_mut(&mut self, seat: Seat) -> Option<&mut Node> {
        match self.members.get_mut(seat)? {
            Member::Honest(node) => Some(node),
            Member::Liar(_) => None,
        }
    }

    pub(crate) fn process(&mut self, seat: Seat) -> Option<&mut crate::node::Process> {
        self.node_mut(seat)?.process.as_mut()
    }

    /// Which process of a validator runs; none while none does. A liar's never ends.
    pub(crate) fn boot(&self, seat: Seat) -> Option<u64> {
        match self.members.get(seat)? {
            Member::Honest(node) => node.process.as_ref().map(|_| node.boot),
            Member::Liar(_) => Some(0),
        }
    }

    /// The true time, ms since 1970.
    pub(crate) const fn now_ms(&self) -> u64 {
        BEGUN_MS + self.queue.now() / MS
    }

    // ---- What is checked -------------------------------------------------------------------------------------------

    /// Compares what a validator has applied since with the one history.
    pub(crate) fn compare(&mut self, seat: Seat) -> Result<(), Violation> {
        let now_ms = self.now_ms();
        let Some(Member::Honest(node)) = self.members.get_mut(seat) else {
            return Ok(());
        };
        let Some(process) = &node.process else { return Ok(()) };
        let height = process.validator.tip().height;
        if self.astray.is_some_and(|(astray, _)| astray == seat) {
            return Ok(());
        }
        for applied in node.known_height.max(self.plan.past) + 1..=height {
            let block = process.validator.store().block(applied).ok().flatten();
            let unreadable = Violation::Unreadable {
                node: seat,
                what: "a block",
            };
            let term = self.chronicle.ledger().committee().term();
            let applied_there = self.chronicle.applied(seat, &block.ok_or(unreadable)?, now_ms);
            if self.chronicle.ledger().committee().term() > term {
                self.counts.count(Fault::Changed);
            }
            match applied_there {
                Err(Violation::TwoBlocks { .. }) if self.plan.is_conspiracy() => {
                    self.counts.count(Fault::Conspiracy);
                    self.astray = self.astray.or(Some((seat, applied)));
                    break;
                }
                outcome => outcome?,
            }
            self.story
                .tell(self.queue.now(), || format!("validator {seat} applied block {applied}"));
        }
        node.known_height = height;
        Ok(())
    }

    /// Something is sent by one validator to another.
    pub(crate) fn transmit(&mut self, from: Seat, to: Seat, packet: &Packet) {
        let Some(boot) = self.boot(to).or_else(|| self.node(to).map(|node| node.boot)) else {
            return;
        };
        let now = self.queue.now();
        let sent = self
            .network
            .send((from, to), packet.size(), now, &mut self.chance, &mut self.counts);
        for ticket in sent {
            let arrival = Coming::Arrival {
                way: (from, to),
                boot,
                ticket,
                packet: packet.clone(),
            };
            self.queue.at(ticket.at, arrival);
        }
    }
}
