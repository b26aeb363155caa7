//! Who is in, who is on the threshold, and whose places these are.
//!
//! ```text
//! newcomer ──> threshold ──┬──> ordinary place     anybody, as long as there is one
//!                          └──> kept place         whoever the service vouches for, one for each owner
//! ```
//!
//! On the threshold is whoever shakes hands, and whoever found every ordinary place taken and has not been vouched for
//! yet. It has room for so many; when it is full, the address that has most on it makes room for one that has less. So
//! somebody who comes once gets as far as showing who it is, however many others push.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which is what one subscriber gets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Origin(IpAddr);

impl Origin {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.into()),
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into()),
        }
    }
}

/// Whom a place is kept for: a name that the service has checked. One owner has one place.
pub(super) type Owner = [u8; 32];

/// What a connection takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// None: it comes up only to be told why it is unwanted.
    None,
    /// None yet: it came when all were taken.
    Threshold,
    /// One of those for everybody.
    Ordinary,
    /// One that is kept for somebody. The second number tells two times apart for which the same owner was let in.
    Kept(Owner, u64),
}

/// What a connection is told about its place while it talks.
#[derive(Debug, Default)]
pub(super) struct Word {
    is: AtomicU8,
    leave: Notify,
}

const HAS_A_PLACE: u8 = 0;
const ON_THE_THRESHOLD: u8 = 1;
const VOUCHED_FOR: u8 = 2;

impl Word {
    /// Whether it has no place yet.
    pub(super) fn is_on_the_threshold(&self) -> bool {
        self.is.load(Ordering::Acquire) == ON_THE_THRESHOLD
    }

    /// Whether somebody vouches for it.
    pub(super) fn is_vouched_for(&self) -> bool {
        self.is.load(Ordering::Acquire) == VOUCHED_FOR
    }

    /// Returns when its place, or its chance of one, is taken away. It returns once.
    pub(super) async fn to_leave(&self) {
        self.leave.notified().await;
    }
}

/// Somebody in the doors.
#[derive(Debug)]
struct Guest {
    origin: Origin,
    place: Place,
    is_shaking_hands: bool,
    word: Arc<Word>,
}

impl Guest {
    fn is_waiting(&self) -> bool {
        self.is_shaking_hands || self.place == Place::Threshold
    }
}

/// Everybody, and the counts that decisions need.
#[derive(Debug, Default)]
pub(super) struct Doors {
    guests: BTreeMap<u64, Guest>,
    next: u64,
    connections: HashMap<Origin, usize>,
    kept: BTreeMap<Owner, u64>,
    ordinary: usize,
    waiting: usize,
}

impl Doors {
    /// Connections of an address, wherever they are.
    pub(super) fn of(&self, origin: Origin) -> usize {
        self.connections.get(&origin).copied().unwrap_or(0)
    }

    /// How many are on the threshold.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many have a place that is for everybody.
    pub(super) const fn ordinary(&self) -> usize {
        self.ordinary
    }

    /// Lets a newcomer onto the threshold; returns its number.
    pub(super) fn enter(&mut self, origin: Origin, place: Place) -> (u64, Arc<Word>) {
        let (number, word) = (self.next, Arc::<Word>::default());
        self.next += 1;
        let guest = Guest {
            origin,
            place,
            is_shaking_hands: true,
            word: Arc::clone(&word),
        };
        self.put(number, guest);
        (number, word)
    }

    /// The handshake is over.
    pub(super) fn established(&mut self, number: u64) {
        if let Some(mut guest) = self.take(number) {
            guest.is_shaking_hands = false;
            self.put(number, guest);
        }
    }

    /// The connection is over, or is to be.
    pub(super) fn leave(&mut self, number: u64) {
        drop(self.take(number));
    }

    /// Makes room on the threshold for a newcomer: the address that has most there loses its oldest, if it has more than
    /// the newcomer's.
    pub(super) fn make_room(&mut self, newcomer: Origin) -> bool {
        let mut counts: BTreeMap<Origin, (usize, u64)> = BTreeMap::new();
        for (number, guest) in self.guests.iter().rev().filter(|(_, guest)| guest.is_waiting()) {
            let (count, oldest) = counts.entry(guest.origin).or_default();
            (*count, *oldest) = (*count + 1, *number);
        }
        let own = counts.get(&newcomer).map_or(0, |(count, _)| *count);
        let most = counts
            .values()
            .max_by_key(|(count, oldest)| (*count, u64::MAX - *oldest));
        match most.copied() {
            Some((count, oldest)) if count > own => {
                self.send_away(oldest);
                true
            }
            _ => false,
        }
    }

    /// Gives a connection the place that is kept for `owner`; whoever had it goes on in an ordinary one, or goes. Returns
    /// what tells this time apart; `None` if it has gone already, or more owners came than there are places.
    pub(super) fn keep(&mut self, number: u64, owner: Owner, places: usize, ordinary: usize) -> Option<u64> {
        let before = self.kept.get(&owner).copied();
        if before.is_none() && self.kept.len() >= places {
            return None;
        }
        if let Some(before) = before.filter(|before| *before != number) {
            self.demote(before, ordinary);
        }
        let mut guest = self.take(number)?;
        let turn = self.next;
        self.next += 1;
        guest.place = Place::Kept(owner, turn);
        self.put(number, guest);
        Some(turn)
    }

    /// Nobody vouches any more for whom `owner`'s place was given at that turn.
    pub(super) fn release(&mut self, owner: &Owner, turn: u64, ordinary: usize) {
        let Some(number) = self.kept.get(owner).copied() else {
            return;
        };
        let is_this = |guest: &Guest| guest.place == Place::Kept(*owner, turn);
        if self.guests.get(&number).is_some_and(is_this) {
            self.demote(number, ordinary);
        }
    }

    fn demote(&mut self, number: u64, ordinary: usize) {
        if self.ordinary >= ordinary {
            self.send_away(number);
        } else if let Some(mut guest) = self.take(number) {
            guest.place = Place::Ordinary;
            self.put(number, guest);
        }
    }

    fn send_away(&mut self, number: u64) {
        if let Some(guest) = self.take(number) {
            // Whatever it asks for until it is gone, it asks without a place.
            guest.word.is.store(ON_THE_THRESHOLD, Ordering::Release);
            guest.word.leave.notify_one();
        }
    }

    fn put(&mut self, number: u64, guest: Guest) {
        let word = match guest.place {
            Place::None | Place::Ordinary => HAS_A_PLACE,
            Place::Threshold => ON_THE_THRESHOLD,
            Place::Kept(owner, _) => {
                self.kept.insert(owner, number);
                VOUCHED_FOR
            }
        };
        guest.word.is.store(word, Ordering::Release);
        self.ordinary += usize::from(guest.place == Place::Ordinary);
        self.waiting += usize::from(guest.is_waiting());
        if guest.place != Place::None {
            *self.connections.entry(guest.origin).or_default() += 1;
        }
        self.guests.insert(number, guest);
    }

    fn take(&mut self, number: u64) -> Option<Guest> {
        let guest = self.guests.remove(&number)?;
        if let Place::Kept(owner, _) = guest.place {
            self.kept.remove(&owner);
        }
        self.ordinary -= usize::from(guest.place == Place::Ordinary);
        self.waiting -= usize::from(guest.is_waiting());
        if guest.place != Place::None
            && let Some(here) = self.connections.get_mut(&guest.origin)
        {
            *here -= 1;
            if *here == 0 {
                self.connections.remove(&guest.origin);
            }
        }
        Some(guest)
    }

    /// Nobody is anywhere, and no count says otherwise.
    #[cfg(test)]
    pub(super) fn are_empty(&self) -> bool {
        self.guests.is_empty()
            && self.connections.is_empty()
            && self.kept.is_empty()
            && (self.ordinary, self.waiting) == (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDINARY: usize = 4;
    const PLACES: usize = 2;

    fn origin(last: u8) -> Origin {
        Origin::of(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address_and_an_ipv4_address_is_the_same_in_both_forms() {
        let of = |text: &str| Origin::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn whoever_has_most_on_the_threshold_makes_room_and_nobody_for_its_own() {
        let mut doors = Doors::default();
        let (_, first) = doors.enter(origin(1), Place::Ordinary);
        let second = doors.enter(origin(1), Place::Threshold).0;
        let (other, word) = doors.enter(origin(2), Place::Threshold);
        assert!(!doors.make_room(origin(1)), "it has most itself");
        assert!(doors.make_room(origin(2)));
        assert!(!doors.guests.contains_key(&0), "the oldest of the first");
        assert_eq!(Arc::strong_count(&first), 1);
        // One each: a newcomer is worth as much as the oldest.
        assert!(!doors.make_room(origin(2)));
        assert!(doors.make_room(origin(3)));
        assert!(!doors.guests.contains_key(&second) && word.is_on_the_threshold());
        doors.leave(other);
        assert!(doors.are_empty() && !doors.make_room(origin(3)));
    }

    #[test]
    fn an_owner_has_one_place_and_the_last_who_shows_its_key_has_it() {
        let mut doors = Doors::default();
        let (one, first) = doors.enter(origin(1), Place::Threshold);
        let (other, second) = doors.enter(origin(2), Place::Threshold);
        let turn = doors.keep(one, [1; 32], PLACES, ORDINARY).unwrap();
        assert!(first.is_vouched_for() && second.is_on_the_threshold());
        let later = doors.keep(other, [1; 32], PLACES, ORDINARY).unwrap();
        assert!(!first.is_vouched_for() && second.is_vouched_for());
        assert!(!first.is_on_the_threshold());
        assert_eq!(doors.ordinary(), 1, "there was an ordinary place for it");
        doors.release(&[1; 32], turn, ORDINARY);
        assert!(second.is_vouched_for(), "that was the turn of the other one");
        doors.release(&[1; 32], later, ORDINARY);
        assert!(!second.is_vouched_for() && !second.is_on_the_threshold());
        assert_eq!(doors.ordinary(), 2);
    }

    #[tokio::test]
    async fn whoever_nobody_vouches_for_any_more_goes_if_all_is_taken() {
        let mut doors = Doors::default();
        let (number, word) = doors.enter(origin(1), Place::Threshold);
        let turn = doors.keep(number, [1; 32], PLACES, ORDINARY).unwrap();
        for _ in 0..ORDINARY {
            doors.enter(origin(2), Place::Ordinary);
        }
        doors.release(&[1; 32], turn, ORDINARY);
        word.to_leave().await;
        assert_eq!((doors.of(origin(1)), doors.of(origin(2))), (0, ORDINARY));
        assert_eq!(doors.keep(number, [1; 32], PLACES, ORDINARY), None, "it has gone");
    }

    #[test]
    fn there_are_so_many_kept_places_and_a_second_hello_takes_no_second_one() {
        let mut doors = Doors::default();
        let numbers = [1, 2, 3].map(|last| doors.enter(origin(last), Place::Threshold).0);
        let first = doors.keep(numbers[0], [1; 32], PLACES, ORDINARY).unwrap();
        let second = doors.keep(numbers[0], [1; 32], PLACES, ORDINARY).unwrap();
        assert!(doors.keep(numbers[1], [2; 32], PLACES, ORDINARY).is_some());
        assert_eq!(doors.keep(numbers[2], [3; 32], PLACES, ORDINARY), None);
        doors.release(&[1; 32], first, ORDINARY);
        assert_eq!(doors.ordinary(), 0, "the second one stands");
        doors.release(&[1; 32], second, ORDINARY);
        assert_eq!(doors.ordinary(), 1);
        assert!(doors.keep(numbers[2], [3; 32], PLACES, ORDINARY).is_some());
        for number in numbers {
            doors.established(number);
            doors.leave(number);
        }
        assert!(doors.are_empty());
    }
}
