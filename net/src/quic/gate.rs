//! Who comes in: decides about each new connection before anything is spent on it.
//!
//! ```text
//!            first packet
//!                 │
//!   address unproven, and many on the threshold, or this address has half of its share?
//!                 │                └────── yes ──> must prove it (Retry: one packet, nothing remembered) ──> again
//!   address connects too often, or has its share?
//!                 │                └────── yes ──> told why, a few times a second; else turned away
//!   threshold full, and nobody there who has more on it than this address?
//!                 │                └────── yes ──> turned away (one packet, nothing remembered)
//!   ordinary place free?
//!                 │                └────── no ───> stays on the threshold until somebody vouches for it, or not
//!              admitted
//! ```
//!
//! A packet's source address can be forged. So an unproven address may use half of its share at most, and never its
//! owner's right to try: otherwise a stranger could lock somebody out by writing that one's address on packets.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::close::CloseCode;
use super::doors::{Doors, Origin, Owner, Place, Word};
use super::limits::ServerLimits;

/// Addresses that a limiter remembers before it forgets those that have been quiet. 100 bytes each.
const REMEMBERED_MAX: usize = 16 << 10;

type Limiter<K> =
    RateLimiter<K, DashMapStateStore<K>, MonotonicClock, NoOpMiddleware<<MonotonicClock as Clock>::Instant>>;

/// Whether a newcomer has shown that it receives packets at its address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Address {
    Unproven,
    Proven,
}

/// What to do with a newcomer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Bring the connection up; it counts as long as the ticket lives.
    Admit(Ticket),
    /// Bring the connection up and end it with this code.
    Explain(Ticket, CloseCode),
    /// Make it prove its address.
    Prove,
    /// Refuse it at the first packet.
    TurnAway,
}

/// Counts connections and requests by where they come from.
pub(super) struct Gate {
    limits: ServerLimits,
    doors: Mutex<Doors>,
    attempts: Limiter<(Origin, Address)>,
    requests: Limiter<Origin>,
    explanations: DefaultDirectRateLimiter,
}

/// The right to be connected, or to try. Given back by being dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    gate: Arc<Gate>,
    origin: Origin,
    number: u64,
    word: Arc<Word>,
}

/// A place that is kept for somebody the service vouches for, while it does. Given back by being dropped: then the
/// connection goes on in an ordinary place, or ends if there is none.
#[derive(Debug)]
pub struct KeptPlace {
    gate: Arc<Gate>,
    owner: Owner,
    turn: u64,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    pub(super) fn new(limits: ServerLimits) -> Self {
        let attempts = Quota::per_second(limits.attempts_per_second).allow_burst(limits.attempts_burst);
        let requests = Quota::per_second(limits.requests_per_second).allow_burst(limits.requests_burst);
        let explanations = Quota::per_second(limits.explanations_per_second);
        Self {
            limits,
            doors: Mutex::default(),
            attempts: RateLimiter::dashmap_with_clock(attempts, MonotonicClock),
            requests: RateLimiter::dashmap_with_clock(requests, MonotonicClock),
            explanations: RateLimiter::direct(explanations),
        }
    }

    /// Decides about a newcomer.
    pub(super) fn judge(self: &Arc<Self>, origin: Origin, address: Address) -> Verdict {
        let mut doors = self.doors();
        let here = doors.of(origin);
        let crowded = doors.waiting() >= self.limits.handshakes_unproven;
        if address == Address::Unproven && (crowded || here * 2 >= self.limits.connections_per_address) {
            return Verdict::Prove;
        }
        let too_often = self.attempts.check_key(&(origin, address)).is_err();
        let unwanted = match address {
            Address::Unproven if too_often => return Verdict::Prove,
            _ if too_often => Some(CloseCode::ConnectingTooOften),
            _ if here >= self.limits.connections_per_address => Some(CloseCode::AddressFull),
            _ => None,
        };
        let is_full = doors.waiting() >= self.limits.handshakes;
        match unwanted {
            // Nobody makes room for whoever is only to be told something.
            Some(code) if !is_full && self.explanations.check().is_ok() => {
                Verdict::Explain(self.ticket(&mut doors, origin, Place::None), code)
            }
            Some(_) => Verdict::TurnAway,
            None if is_full && !doors.make_room(origin) => Verdict::TurnAway,
            None if doors.ordinary() >= self.limits.connections => {
                Verdict::Admit(self.ticket(&mut doors, origin, Place::Threshold))
            }
            None => Verdict::Admit(self.ticket(&mut doors, origin, Place::Ordinary)),
        }
    }

    /// Gives a connection the place that is kept for `owner`; `None` if there are more owners than kept places.
    pub(super) fn keep(self: &Arc<Self>, number: u64, owner: Owner) -> Option<KeptPlace> {
        let (kept, ordinary) = (self.limits.connections_kept, self.limits.connections);
        let turn = self.doors().keep(number, owner, kept, ordinary)?;
        Some(KeptPlace {
            gate: Arc::clone(self),
            owner,
            turn,
        })
    }

    /// Counts a request of this weight. `Err` is how long to wait.
    pub(super) fn request(&self, origin: Origin, weight: NonZeroU32) -> Result<(), Duration> {
        match self.requests.check_key_n(&origin, weight) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_yet)) => Err(not_yet.wait_time_from(MonotonicClock.now())),
            // An operator allows less at once than one request weighs: then it may come when everything is quiet.
            Err(_) => self
                .requests
                .check_key(&origin)
                .map_err(|not_yet| not_yet.wait_time_from(MonotonicClock.now())),
        }
    }

    fn ticket(self: &Arc<Self>, doors: &mut Doors, origin: Origin, place: Place) -> Ticket {
        let (number, word) = doors.enter(origin, place);
        Ticket {
            gate: self.clone(),
            origin,
            number,
            word,
        }
    }

    /// Forgets addresses that have been quiet, if there are many. Called now and then; takes a millisecond.
    pub(super) fn tidy(&self) {
        if self.attempts.len() > REMEMBERED_MAX {
            self.attempts.retain_recent();
            self.attempts.shrink_to_fit();
        }
        if self.requests.len() > REMEMBERED_MAX {
            self.requests.retain_recent();
            self.requests.shrink_to_fit();
        }
    }

    /// How many are on the threshold.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.doors().waiting()
    }

    /// How many have a place that is for everybody.
    #[cfg(test)]
    pub(super) fn ordinary(&self) -> usize {
        self.doors().ordinary()
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        // Nothing that holds the lock can leave the counts half changed.
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    pub(super) const fn origin(&self) -> Origin {
        self.origin
    }

    /// Never given again.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// What becomes of its place.
    pub(super) const fn word(&self) -> &Arc<Word> {
        &self.word
    }

    /// The handshake is over.
    pub(super) fn established(&self) {
        self.gate.doors().established(self.number);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.doors().leave(self.number);
    }
}

impl Drop for KeptPlace {
    fn drop(&mut self) {
        let ordinary = self.gate.limits.connections;
        self.gate.doors().release(&self.owner, self.turn, ordinary);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn many(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).unwrap()
    }

    fn gate(change: impl FnOnce(&mut ServerLimits)) -> Arc<Gate> {
        let mut limits = ServerLimits {
            connections: 100,
            connections_per_address: 4,
            attempts_burst: many(1000),
            handshakes: 50,
            handshakes_unproven: 40,
            explanations_per_second: many(1000),
            ..ServerLimits::DEFAULT
        };
        change(&mut limits);
        Arc::new(Gate::new(limits))
    }

    fn origin(last: u8) -> Origin {
        Origin::of(IpAddr::from([10, 0, 0, last]))
    }

    fn admitted(verdict: Verdict) -> Ticket {
        match verdict {
            Verdict::Admit(ticket) => ticket,
            other => panic!("expected to be admitted, got {other:?}"),
        }
    }

    #[test]
    fn an_address_gets_its_share_and_gets_it_back() {
        let gate = gate(|_| {});
        let mut tickets: Vec<Ticket> = (0..4)
            .map(|_| admitted(gate.judge(origin(1), Address::Proven)))
            .collect();
        let fifth = gate.judge(origin(1), Address::Proven);
        assert!(
            matches!(fifth, Verdict::Explain(_, CloseCode::AddressFull)),
            "{fifth:?}"
        );
        drop(admitted(gate.judge(origin(2), Address::Proven)));
        tickets.pop();
        drop(admitted(gate.judge(origin(1), Address::Proven)));
        drop((tickets, fifth));
        assert!(gate.doors().are_empty());
    }

    #[test]
    fn in_a_full_node_newcomers_stay_on_the_threshold_until_somebody_vouches_for_them() {
        let gate = gate(|limits| (limits.connections, limits.connections_kept) = (2, 1));
        let strangers = [1, 2].map(|last| admitted(gate.judge(origin(last), Address::Proven)));
        let [one, other] = [3, 4].map(|last| admitted(gate.judge(origin(last), Address::Proven)));
        for ticket in strangers.iter().chain([&one, &other]) {
            ticket.established();
        }
        assert!(strangers.iter().all(|ticket| !ticket.word().is_on_the_threshold()));
        assert!(one.word().is_on_the_threshold() && other.word().is_on_the_threshold());
        let place = gate.keep(one.number(), [1; 32]).unwrap();
        assert!(one.word().is_vouched_for());
        assert!(gate.keep(other.number(), [2; 32]).is_none(), "there is one such place");
        assert!(other.word().is_on_the_threshold());
        drop((other, place));
        assert!(!one.word().is_vouched_for(), "it was sent away");
        drop((one, strangers));
        assert!(gate.doors().are_empty());
    }

    #[test]
    fn whoever_comes_once_is_not_kept_out_by_those_who_come_often() {
        let gate = gate(|limits| {
            (limits.connections, limits.handshakes, limits.handshakes_unproven) = (0, 8, 8);
        });
        // Four addresses take the whole threshold, and try again and again.
        let mut strangers: Vec<Ticket> = (0..8)
            .map(|number| admitted(gate.judge(origin(number % 4), Address::Proven)))
            .collect();
        let validator = admitted(gate.judge(origin(9), Address::Proven));
        for number in 0..100 {
            if let Verdict::Admit(ticket) = gate.judge(origin(number % 4), Address::Proven) {
                strangers.push(ticket);
            }
        }
        assert!(gate.keep(validator.number(), [1; 32]).is_some());
        assert!(gate.doors().waiting() <= 8);
    }

    #[test]
    fn forged_addresses_cannot_use_up_what_their_owner_needs() {
        let gate = gate(|limits| limits.attempts_burst = many(3));
        let _forged: Vec<Ticket> = (0..2)
            .map(|_| admitted(gate.judge(origin(1), Address::Unproven)))
            .collect();
        for _ in 0..10 {
            assert!(matches!(gate.judge(origin(1), Address::Unproven), Verdict::Prove));
        }
        let _owner: Vec<Ticket> = (0..2)
            .map(|_| admitted(gate.judge(origin(1), Address::Proven)))
            .collect();
    }

    #[test]
    fn an_address_that_connects_too_often_must_prove_itself_and_is_then_told() {
        let gate = gate(|limits| (limits.attempts_per_second, limits.attempts_burst) = (many(1), many(2)));
        for _ in 0..2 {
            drop(admitted(gate.judge(origin(1), Address::Unproven)));
            drop(admitted(gate.judge(origin(1), Address::Proven)));
        }
        assert!(matches!(gate.judge(origin(1), Address::Unproven), Verdict::Prove));
        let told = gate.judge(origin(1), Address::Proven);
        assert!(
            matches!(told, Verdict::Explain(_, CloseCode::ConnectingTooOften)),
            "{told:?}"
        );
        drop(admitted(gate.judge(origin(2), Address::Unproven)));
    }

    #[test]
    fn explanations_are_rationed() {
        let gate = gate(|limits| (limits.connections_per_address, limits.explanations_per_second) = (0, many(2)));
        for _ in 0..2 {
            assert!(matches!(
                gate.judge(origin(1), Address::Proven),
                Verdict::Explain(_, CloseCode::AddressFull)
            ));
        }
        assert!(matches!(gate.judge(origin(1), Address::Proven), Verdict::TurnAway));
    }

    #[test]
    fn under_a_storm_newcomers_prove_their_address_and_finally_are_turned_away() {
        let gate = gate(|limits| (limits.handshakes_unproven, limits.handshakes) = (2, 3));
        let mut storm: Vec<Ticket> = (0..2)
            .map(|last| admitted(gate.judge(origin(last), Address::Unproven)))
            .collect();
        assert!(matches!(gate.judge(origin(9), Address::Unproven), Verdict::Prove));
        storm.push(admitted(gate.judge(origin(9), Address::Proven)));
        assert!(matches!(gate.judge(origin(9), Address::Proven), Verdict::TurnAway));
        storm[0].established();
        drop(admitted(gate.judge(origin(9), Address::Proven)));
    }

    #[test]
    fn requests_are_counted_by_weight_and_address() {
        let gate = gate(|limits| (limits.requests_per_second, limits.requests_burst) = (many(1), many(10)));
        assert_eq!(gate.request(origin(1), many(8)), Ok(()));
        let wait = gate.request(origin(1), many(8)).unwrap_err();
        assert!(
            wait > Duration::from_secs(5) && wait < Duration::from_secs(7),
            "{wait:?}"
        );
        assert_eq!(gate.request(origin(1), many(1)), Ok(()));
        assert_eq!(gate.request(origin(2), many(10)), Ok(()));
        assert!(
            gate.request(origin(3), many(11)).is_ok(),
            "heavier than the burst, but nothing else goes on"
        );
    }
}
