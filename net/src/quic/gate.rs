//! Who comes in: decides about each new connection before anything is spent on it.
//!
//! ```text
//!            first packet
//!                 │
//!   too many handshakes in all? ── yes ──> turned away (one packet, nothing remembered)
//!                 │
//!   address unproven, and many handshakes, or this address has half of its share?
//!                 │                └────── yes ──> must prove it (Retry: one packet, nothing remembered) ──> again
//!   address connects too often, has its share, or the node is full?
//!                 │                └────── yes ──> told why, a few times a second; else turned away
//!              admitted
//! ```
//!
//! A packet's source address can be forged. So an unproven address may use half of its share at most, and never its
//! owner's right to try: otherwise a stranger could lock somebody out by writing that one's address on packets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::close::CloseCode;
use super::limits::ServerLimits;

/// Addresses that a limiter remembers before it forgets those that have been quiet. 100 bytes each.
const REMEMBERED_MAX: usize = 16 << 10;

type Limiter<K> =
    RateLimiter<K, DashMapStateStore<K>, MonotonicClock, NoOpMiddleware<<MonotonicClock as Clock>::Instant>>;

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which is what one subscriber gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Origin(IpAddr);

impl Origin {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.into()),
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into()),
        }
    }
}

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

#[derive(Default)]
struct Doors {
    connections: HashMap<Origin, usize>,
    total: usize,
    handshakes: usize,
}

/// The right to be connected. Given back by being dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    gate: Arc<Gate>,
    origin: Origin,
    counted: bool,
    shaking_hands: bool,
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
        let here = doors.connections.get(&origin).copied().unwrap_or(0);
        if doors.handshakes >= self.limits.handshakes {
            return Verdict::TurnAway;
        }
        let crowded = doors.handshakes >= self.limits.handshakes_unproven;
        if address == Address::Unproven && (crowded || here * 2 >= self.limits.connections_per_address) {
            return Verdict::Prove;
        }
        let too_often = self.attempts.check_key(&(origin, address)).is_err();
        let unwanted = match address {
            Address::Unproven if too_often => return Verdict::Prove,
            _ if too_often => CloseCode::ConnectingTooOften,
            _ if here >= self.limits.connections_per_address => CloseCode::AddressFull,
            _ if doors.total >= self.limits.connections => CloseCode::NodeFull,
            _ => {
                *doors.connections.entry(origin).or_default() += 1;
                doors.total += 1;
                return Verdict::Admit(self.ticket(&mut doors, origin, true));
            }
        };
        if self.explanations.check().is_ok() {
            Verdict::Explain(self.ticket(&mut doors, origin, false), unwanted)
        } else {
            Verdict::TurnAway
        }
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

    fn ticket(self: &Arc<Self>, doors: &mut Doors, origin: Origin, counted: bool) -> Ticket {
        doors.handshakes += 1;
        Ticket {
            gate: self.clone(),
            origin,
            counted,
            shaking_hands: true,
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

    fn doors(&self) -> MutexGuard<'_, Doors> {
        // Nothing that holds the lock can leave the counts half changed.
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    pub(super) const fn origin(&self) -> Origin {
        self.origin
    }

    /// The handshake is over.
    pub(super) fn established(&mut self) {
        if std::mem::take(&mut self.shaking_hands) {
            self.gate.doors().handshakes -= 1;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.established();
        if self.counted {
            let mut doors = self.gate.doors();
            doors.total -= 1;
            if let Some(here) = doors.connections.get_mut(&self.origin) {
                *here -= 1;
                if *here == 0 {
                    doors.connections.remove(&self.origin);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        let doors = gate.doors();
        assert_eq!((doors.total, doors.handshakes, doors.connections.len()), (0, 0, 0));
    }

    #[test]
    fn a_full_node_says_so() {
        let gate = gate(|limits| limits.connections = 2);
        let _tickets = [1, 2].map(|last| admitted(gate.judge(origin(last), Address::Proven)));
        assert!(matches!(
            gate.judge(origin(3), Address::Proven),
            Verdict::Explain(_, CloseCode::NodeFull)
        ));
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
        let gate = gate(|limits| (limits.connections, limits.explanations_per_second) = (0, many(2)));
        for _ in 0..2 {
            assert!(matches!(
                gate.judge(origin(1), Address::Proven),
                Verdict::Explain(_, CloseCode::NodeFull)
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
        assert!(matches!(gate.judge(origin(10), Address::Proven), Verdict::TurnAway));
        storm[0].established();
        drop(admitted(gate.judge(origin(10), Address::Proven)));
    }

    #[test]
    fn one_ipv6_subscriber_is_one_address_and_mapped_ipv4_is_ipv4() {
        let of = |text: &str| Origin::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
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
