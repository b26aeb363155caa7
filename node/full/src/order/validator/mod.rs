//! One validator: the host of the agreement, the blocks it is about, and the ledger they become part of.
//!
//! ```text
//!            pool ──select──> draft ──┐
//! Contents, Missing ──> blocks under way ──judged, journaled──> Host ──Decided──> chain.apply ──> next height
//! Copied ──────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Told [`Event`]s, it changes itself and the ledger and says what else is to be done, as [`Action`]s. It knows no
//! socket, file, clock or thread; a simulation runs many of them in virtual time. A node that does not vote runs it as
//! well: then it applies what is copied and nothing else, so that a change of the committee needs no restart.
//!
//! At rest it does nothing: a height is begun when there is something to order, or when another validator began it. A
//! height that was begun for nothing rests too: its timers stand still until somebody has work.

mod agreement;
mod blocks;
mod copied;
mod peers;
mod timers;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waxwing_core::committee::Committee;
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_core::ledger::Ledger;
use waxwing_core::{Hash, Verified};
use waxwing_order::{Guard, Host, Record, Settings, Timer};
use waxwing_store::{RestoreError, Store, Tables};

use super::event::{Action, Event, Frame, Now, Role, TimerId, To};
use super::lookup::Lookup;
use super::pace::{Backlog, Next, Pace};
use super::under_way::UnderWay;
use super::voter::Voter;
use crate::chain::{Chain, Tip};
use crate::clock::Clock;
use crate::faults::{Fault, Seldom};
use crate::intake::{Examined, examine};
use crate::meter::Meter;
use crate::pool::{Candidate, PoolLimits, Waiting};
use crate::reports::{Report, Reports};
use peers::Peers;
use timers::{CLOCK, FETCH, LAG, PACE, Timers};

/// What a validator shares with the rest of its node.
pub(crate) struct Shared<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) voter: Arc<Mutex<Voter>>,
    pub(crate) lookup: Arc<Lookup>,
    pub(crate) meter: Arc<Meter>,
    /// For figures alone; a simulation has none.
    pub(crate) watch: Option<Clock>,
}

/// What a validator starts with.
#[derive(Debug)]
pub(crate) struct Beginning {
    /// The vote key, if there is one, whether or not the committee knows it.
    pub(crate) key: Option<VoteKey>,
    pub(crate) settings: Settings,
    pub(crate) pace: Pace,
    /// Where the key has last signed, as noted beside it.
    pub(crate) guard: Guard,
    /// What the journal holds, oldest first.
    pub(crate) journal: Vec<Vec<u8>>,
}

/// What a simulation starts a validator with.
#[derive(Debug)]
pub struct Setup<T> {
    /// The ledger.
    pub store: Store<T>,
    /// The vote key, if there is one.
    pub key: Option<VoteKey>,
    /// How long it waits for others.
    pub settings: Settings,
    /// Pause after a block that was not full.
    pub block_pause_ms: u64,
    /// Where the key has last signed: what the last [`Action::Signed`] said.
    pub guard: Guard,
    /// What the journal holds: the records of every [`Action::Append`] since the last [`Action::Reset`] that are still
    /// there.
    pub journal: Vec<Vec<u8>>,
}

/// One validator.
pub struct Validator<T> {
    shared: Shared<T>,
    key: Option<VoteKey>,
    settings: Settings,
    /// The newest thing the key signed, as far as this process or the notes know.
    guard: Guard,
    /// The newest thing that the journal shows.
    recorded: Guard,
    /// What was noted beside the key.
    noted: Guard,
    seat: Option<Seat>,
    pace: Pace,
    peers: Peers,
    timers: Timers,
    under_way: UnderWay,
    /// What the journal holds of the next height.
    recovered: Vec<Record>,
    /// Whether the journal holds anything.
    is_journal_used: bool,
    behind: Seldom,
    /// When the height under way was begun, for figures.
    began_us: Option<u128>,
    out: Vec<Action>,
    is_stopped: bool,
}

/// A place in the committee of the next block.
struct Seat {
    me: ValidatorId,
    committee: Arc<Committee>,
    host: Host,
    /// The height that was begun.
    begun: Option<u64>,
    /// Rounds for which a block of ours was asked while there was nothing to order.
    owed: Option<u32>,
    /// What was published at this height, for those who come later.
    published: Vec<Frame>,
    /// Blocks whose contents were sent to all.
    shown: Vec<Hash>,
    /// Timers that ran out while nobody had anything to order.
    frozen: Vec<Timer>,
    /// Whether another validator had work since a timer was last heeded.
    is_needed: bool,
}

impl Seat {
    fn is_alone(&self) -> bool {
        self.committee.members().len() == 1
    }
}

impl<T: Tables> Validator<T> {
    /// A validator, or a node that may become one, on what it shares with the rest of a node.
    pub(crate) fn new(shared: Shared<T>, beginning: Beginning, now: Now) -> (Self, Vec<Action>) {
        let Beginning {
            key,
            settings,
            pace,
            guard,
            journal,
        } = beginning;
        let mut validator = Self {
            shared,
            key,
            settings,
            guard,
            recorded: guard,
            noted: guard,
            seat: None,
            pace,
            peers: Peers::default(),
            timers: Timers::default(),
            under_way: UnderWay::default(),
            recovered: Vec::new(),
            is_journal_used: !journal.is_empty(),
            behind: Seldom::default(),
            began_us: None,
            out: Vec::new(),
            is_stopped: false,
        };
        if let Err(fault) = validator.start(&journal, now) {
            validator.stop(fault);
        }
        let actions = validator.take();
        (validator, actions)
    }

    fn start(&mut self, journal: &[Vec<u8>], now: Now) -> Result<(), Fault> {
        self.take_seat();
        self.recover(journal)?;
        // Whoever is alone notes a signature only when its block is durable.
        if self.seat.as_ref().is_some_and(Seat::is_alone) && self.guard.height > self.height() {
            return Err(Fault::SecondMachine {
                height: self.guard.height,
            });
        }
        if self.recovered.is_empty() {
            self.wake(now)
        } else {
            self.begin(now)
        }
    }

    /// Tells it something; returns what is to be done, in order.
    pub fn on(&mut self, event: Event, now: Now) -> Vec<Action> {
        if self.is_stopped {
            return Vec::new();
        }
        let done = match event {
            Event::Frame { from, frame } => {
                self.peers.heard(&from);
                self.frame(from, frame, now)
            }
            Event::PeerUp(peer) => self.peer_up(peer),
            Event::PeerDown(peer) => {
                self.peers.down(&peer);
                Ok(())
            }
            Event::Timer(id) => self.timer(id, now),
            Event::Work => self.wake(now),
            Event::Copied(block) => self.copied(*block, now),
            Event::Missing { block, entries } => self.missing(&block, &entries, now),
        };
        if let Err(fault) = done {
            self.stop(fault);
        }
        self.take()
    }

    /// Orders what waits without a pause, for a node that is about to end.
    pub(crate) fn hurry(&mut self, now: Now) -> Vec<Action> {
        if self.is_stopped || self.shared.waiting.backlog() == Backlog::Empty {
            return Vec::new();
        }
        let is_begun = self.seat.as_ref().is_some_and(|seat| seat.begun.is_some());
        let done = if is_begun { self.resume(now) } else { self.begin(now) };
        if let Err(fault) = done {
            self.stop(fault);
        }
        self.take()
    }

    /// Whether it is the whole committee.
    pub(crate) fn is_alone(&self) -> bool {
        self.seat.as_ref().is_some_and(Seat::is_alone)
    }

    /// Whether nothing waits for a block.
    pub(crate) fn is_drained(&self) -> bool {
        self.shared.waiting.backlog() == Backlog::Empty
    }

    fn frame(&mut self, from: ValidatorId, frame: Frame, now: Now) -> Result<(), Fault> {
        match frame {
            Frame::Consensus { message, has_work } => self.heard(from, *message, has_work, now),
            Frame::Contents(contents) => self.listed(from, *contents, now),
            Frame::WantContents(block) => {
                self.show(from, &block);
                Ok(())
            }
            Frame::Status(height) => {
                self.claimed(from, height);
                Ok(())
            }
        }
    }

    fn timer(&mut self, id: TimerId, now: Now) -> Result<(), Fault> {
        if let Some(timer) = self.timers.run_out(id) {
            return self.ran_out(timer, now);
        }
        self.timers.stop(id);
        match id {
            PACE => self.wake(now),
            LAG => {
                self.look_ahead();
                Ok(())
            }
            FETCH => {
                self.fetch_again();
                Ok(())
            }
            CLOCK => self.judge_early(now),
            // It was cancelled when it was already on its way.
            _ => Ok(()),
        }
    }

    /// Begins the next height if there is something to order and it is time; goes on with one that rested.
    fn wake(&mut self, now: Now) -> Result<(), Fault> {
        let backlog = self.shared.waiting.backlog();
        let Some(seat) = &self.seat else { return Ok(()) };
        if seat.begun.is_some() {
            return if backlog == Backlog::Empty {
                Ok(())
            } else {
                self.resume(now)
            };
        }
        match self.next(now, backlog) {
            Next::Rest => Ok(()),
            Next::Pause(ms) => {
                self.set_pace(ms);
                Ok(())
            }
            Next::Propose => self.begin(now),
        }
    }

    /// When the next height begins: at once if others have begun it.
    fn next(&self, now: Now, backlog: Backlog) -> Next {
        let height = self.height() + 1;
        let is_awaited = self.seat.as_ref().is_some_and(|seat| seat.host.is_awaited(height));
        if is_awaited {
            Next::Propose
        } else {
            self.pace.next(now.steady_ms, backlog)
        }
    }

    fn height(&self) -> u64 {
        self.shared.chain.tip().height
    }

    fn voter(&self) -> MutexGuard<'_, Voter> {
        // Single assignments; nothing panics half way.
        self.shared.voter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is something to order, as far as is known here.
    fn has_work(&self) -> bool {
        !self.under_way.is_empty() || self.shared.waiting.backlog() != Backlog::Empty
    }

    /// Starts one of the validator's own timers, unless it runs.
    fn set(&mut self, id: TimerId, ms: u64) {
        if self.timers.start(id) {
            self.out.push(Action::Set(id, ms));
        }
    }

    /// Looks for work after so many milliseconds, whenever it would have looked before.
    fn set_pace(&mut self, ms: u64) {
        self.timers.start(PACE);
        self.out.push(Action::Set(PACE, ms));
    }

    fn steady_us(&self) -> u128 {
        self.shared.watch.as_ref().map_or(0, Clock::steady_us)
    }

    fn send(&mut self, to: To, frame: Frame) {
        self.out.push(Action::Send { to, frame });
    }

    fn append(&mut self, record: Vec<u8>) {
        self.is_journal_used = true;
        self.out.push(Action::Append(record));
    }

    fn stop(&mut self, fault: Fault) {
        self.is_stopped = true;
        self.out.push(Action::Stop(fault));
    }

    fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.out)
    }
}

/// For simulations: what the rest of a node does around a validator.
impl<T: Tables> Validator<T> {
    /// A validator on a ledger of its own.
    ///
    /// # Errors
    /// If what is stored does not add up to what is certified.
    pub fn open(setup: Setup<T>, now: Now) -> Result<(Self, Vec<Action>), RestoreError> {
        let ledger = setup.store.restore()?;
        #[cfg(feature = "broken-on-purpose")]
        let ledger = if setup.settings.broken == waxwing_order::event::Broken::AnchorsUnchecked {
            ledger.without_anchor_checks()
        } else {
            ledger
        };
        let head = (ledger.head().height, ledger.id());
        // Nobody waits for the database to be closed.
        let (chain, _) = Chain::new(setup.store, ledger, None, Box::new(|_| {}));
        let waiting = Arc::new(Waiting::new(PoolLimits {
            entries: 65_536,
            bytes: 64 << 20,
        }));
        let shared = Shared {
            chain: Arc::new(chain),
            lookup: Arc::new(Lookup::new(Arc::clone(&waiting))),
            waiting,
            reports: Arc::default(),
            voter: Arc::new(Mutex::new(Voter::new(head, setup.guard))),
            meter: Arc::new(Meter::new()),
            watch: None,
        };
        let beginning = Beginning {
            key: setup.key,
            settings: setup.settings,
            pace: Pace::new(setup.block_pause_ms),
            guard: setup.guard,
            journal: setup.journal,
        };
        Ok(Self::new(shared, beginning, now))
    }

    /// Takes the bytes of an envelope in as a node does; whether it waits for a block now. The validator is told
    /// [`Event::Work`] afterwards.
    ///
    /// # Errors
    /// If the store fails.
    pub fn submit(&self, envelope: &[u8], now: Now) -> Result<bool, waxwing_store::StoreError> {
        let Shared { chain, waiting, .. } = &self.shared;
        match examine(chain, Some(waiting), envelope, now.wall_ms)? {
            Examined::Fit(candidate) => Ok(self.admit(*candidate)),
            Examined::Waits(_) => Ok(true),
            Examined::Final { .. } | Examined::Refused(_) => Ok(false),
        }
    }

    fn admit(&self, candidate: Candidate) -> bool {
        let admitted = self.shared.waiting.admit(vec![candidate]);
        admitted.iter().all(Result::is_ok)
    }

    /// Takes evidence that somebody reports; whether it is news here. The validator is told [`Event::Work`] afterwards.
    #[must_use]
    pub fn report(&self, evidence: &[u8]) -> bool {
        let Shared { chain, reports, .. } = &self.shared;
        reports.take(evidence, &chain.ledger()) == Report::News
    }

    /// Entries that this validator holds, for another one's [`Action::Pull`].
    #[must_use]
    pub fn entries(&self, block: &Hash, stamps: &[Hash]) -> Vec<Arc<Verified<waxwing_core::envelope::Carried>>> {
        self.shared.lookup.find(block, stamps)
    }

    /// This validator's part of a beacon: that a head is still the newest block at a time.
    #[must_use]
    pub fn statement(&self, head: (u64, Hash), time: u64) -> Option<Signature> {
        self.voter()
            .statement(self.shared.chain.store().keys().network(), head, time)
    }

    /// The newest block that is true here.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.shared.chain.tip()
    }

    /// The ledger as it is stored.
    #[must_use]
    pub fn store(&self) -> &Store<T> {
        self.shared.chain.store()
    }

    /// The rules and their state after the newest block.
    pub fn ledger(&self) -> impl std::ops::Deref<Target = Ledger> + '_ {
        self.shared.chain.ledger()
    }

    /// Whether it votes.
    #[must_use]
    pub const fn role(&self) -> Role {
        if self.seat.is_some() {
            Role::Validator
        } else {
            Role::Follower
        }
    }

    /// Envelopes that wait for a block.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.shared.waiting.level().0
    }
}

impl<T> std::fmt::Debug for Validator<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Validator({:?})", self.shared.chain)
    }
}
