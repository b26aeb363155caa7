//! A client among honest and lying nodes, against a naive client that holds whole histories and compares lists.
//!
//! The lying is done by a whole committee, the worst case: forks at any height, a held head hidden in a rewritten
//! history, ladders left out or made up, heads that too few signed, paths from elsewhere, cut or padded. Whatever the
//! order: the client never holds a head that is not certified, or that does not extend every head it held before.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

use core::fmt;

use proptest::prelude::*;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::Beacon;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::follow::{Accepted, BeaconError, Follow, FollowError, HeadUpdate, Held};
use waxwing_core::hash::Hash;
use waxwing_core::limits::{CLOCK_SKEW_MS, DAY_MS, TRUSTING_PERIOD_MS};
use waxwing_rules::chance::Chance;
use waxwing_rules::model::chain::{Chain, Term};
use waxwing_rules::world::FOUNDED;

/// What comes of an update, without the details.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Newer,
    Same,
    Halted,
    NeedsPin,
    Older,
    NotCertified,
    NotExtending,
    TimeRunsBack,
    BadLadder,
    Fork,
}

fn outcome(result: Result<Accepted, FollowError>) -> Outcome {
    match result {
        Ok(Accepted::Newer) => Outcome::Newer,
        Ok(Accepted::Same) => Outcome::Same,
        Err(FollowError::Halted) => Outcome::Halted,
        Err(FollowError::NeedsPin) => Outcome::NeedsPin,
        Err(FollowError::Older { .. }) => Outcome::Older,
        Err(FollowError::Head(_)) => Outcome::NotCertified,
        Err(FollowError::NotExtending(_)) => Outcome::NotExtending,
        Err(FollowError::TimeRunsBack) => Outcome::TimeRunsBack,
        Err(FollowError::BadLadder) => Outcome::BadLadder,
        Err(FollowError::Fork(_)) => Outcome::Fork,
    }
}

/// What a node does to a true update before it sends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    None,
    FewSigners,
    NoLadder,
    MadeUpCommittee,
    CutPath,
    PaddedPath,
}

/// An update as the node made it: from which history, from where to where, and how it lies.
#[derive(Clone, Copy)]
struct Offer<'a> {
    chain: &'a Chain,
    /// All histories that were ever certified.
    all: &'a [Chain],
    from: usize,
    to: usize,
    lie: Lie,
}

/// Without the whole history.
impl fmt::Debug for Offer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {} to {}", self.lie, self.from, self.to)
    }
}

impl Offer<'_> {
    fn update(&self) -> HeadUpdate {
        let mut update = self.chain.update(self.from, self.to);
        match self.lie {
            Lie::None => {}
            Lie::FewSigners => update.head = self.chain.head_signed(self.to, 2),
            Lie::NoLadder => {
                update.ladder.clear();
                update.extension = self.chain.extension(self.from, self.to);
            }
            Lie::MadeUpCommittee => {
                if let Some(rung) = update.ladder.first_mut() {
                    rung.next = Term::new(40).committee;
                }
            }
            Lie::CutPath => drop(update.extension.siblings.pop()),
            Lie::PaddedPath => update.extension.siblings.push(Hash::ZERO),
        }
        update
    }

    /// Heads on the way: where each path starts, and where it leads.
    fn stops(&self) -> Vec<(usize, usize)> {
        let mut stops = Vec::new();
        let mut at = self.from;
        if self.lie != Lie::NoLadder {
            for end in self.chain.ends_between(self.from, self.to) {
                stops.push((at, end));
                at = end;
            }
        }
        stops.push((at, self.to));
        stops
    }
}

/// The naive client: all headers it believes in, and who certifies the next.
#[derive(Clone, Debug)]
struct Naive {
    headers: Vec<BlockHeader>,
    term: usize,
    has_certificate: bool,
    confirmed: u64,
    halted: bool,
}

impl Naive {
    fn new(chain: &Chain) -> Self {
        Self {
            headers: vec![chain.genesis.block()],
            term: 0,
            has_certificate: false,
            confirmed: chain.genesis.time,
            halted: false,
        }
    }

    fn height(&self) -> usize {
        self.headers.len() - 1
    }

    fn accept(&mut self, offer: &Offer<'_>, now: u64) -> Outcome {
        if self.halted {
            return Outcome::Halted;
        }
        if now.saturating_sub(self.confirmed) > TRUSTING_PERIOD_MS {
            return Outcome::NeedsPin;
        }
        let mut next = self.clone();
        match next.follow(offer) {
            Err(Outcome::Fork) => {
                self.halted = true;
                Outcome::Fork
            }
            Err(refused) => refused,
            Ok(()) => {
                let moved = next.headers.len() != self.headers.len();
                *self = next;
                if moved { Outcome::Newer } else { Outcome::Same }
            }
        }
    }

    fn follow(&mut self, offer: &Offer<'_>) -> Result<(), Outcome> {
        let stops = offer.stops();
        for (number, (from, to)) in (1..).zip(&stops) {
            let is_last = number == stops.len();
            self.step(offer, (*from, *to), is_last)?;
            if is_last {
                continue;
            }
            if number == 1 && offer.lie == Lie::MadeUpCommittee {
                return Err(Outcome::BadLadder);
            }
            // A rung is climbed once: a second time it leads nowhere.
            if offer.chain.term_after(*to) != self.term + 1 {
                return Err(Outcome::BadLadder);
            }
            self.term += 1;
        }
        // Whoever holds a head knows who certifies the next one.
        let newest = offer.chain.term_after(offer.to);
        if newest == self.term {
            Ok(())
        } else {
            Err(Outcome::BadLadder)
        }
    }

    fn step(&mut self, offer: &Offer<'_>, (from, to): (usize, usize), is_last: bool) -> Result<(), Outcome> {
        let (held, chain) = (self.height(), offer.chain);
        let header = chain.header(to);
        if to < held {
            return Err(Outcome::Older);
        }
        if self.headers.last() == Some(header) {
            let path = chain.extension(from, to).siblings.len();
            let sent = match offer.lie {
                Lie::PaddedPath if is_last => path + 1,
                Lie::CutPath if is_last => path.saturating_sub(1),
                _ => path,
            };
            return if sent == 0 { Ok(()) } else { Err(Outcome::NotExtending) };
        }
        let signed = !(is_last && offer.lie == Lie::FewSigners);
        // Another block at the held height is of the held one's term, whoever certifies the next.
        let own = self.headers.last().map(|held| usize::try_from(held.term).unwrap());
        let certifies = if to == held { own } else { Some(self.term) };
        if !signed || usize::try_from(header.term).ok() != certifies {
            return Err(Outcome::NotCertified);
        }
        if to == held {
            return Err(if self.has_certificate {
                Outcome::Fork
            } else {
                Outcome::NotExtending
            });
        }
        let is_altered = match offer.lie {
            Lie::PaddedPath => is_last,
            // The path from block 0 to block 1 is empty: nothing can be cut off.
            Lie::CutPath => is_last && to > 1,
            _ => false,
        };
        // Some certified history must hold this head, continue what is held, and give this very path. It need not be the
        // one that the node took the path from: where two histories agree, their paths do.
        let path = chain.extension(from, to);
        let proves = |other: &&Chain| {
            let continues = other
                .headers
                .iter()
                .zip(&self.headers)
                .all(|(theirs, ours)| theirs == ours);
            continues && other.header(to) == header && other.is_linked(to) && other.extension(held, to) == path
        };
        let history = offer.all.iter().find(proves).filter(|_| !is_altered);
        let Some(history) = history else {
            return Err(Outcome::NotExtending);
        };
        if header.time <= self.headers.last().unwrap().time {
            return Err(Outcome::TimeRunsBack);
        }
        self.headers = history.headers.iter().take(to + 1).cloned().collect();
        self.has_certificate = true;
        self.confirmed = self.confirmed.max(header.time);
        Ok(())
    }

    fn accept_beacon(&mut self, chain: &Chain, beacon: &Beacon, term: usize, signers: usize, now: u64) -> bool {
        let height = usize::try_from(beacon.height).unwrap();
        let about_held = height == self.height() && self.headers.last() == chain.headers.get(height);
        let trusted = now.saturating_sub(self.confirmed) <= TRUSTING_PERIOD_MS;
        let signed = term == self.term && signers >= 3;
        let good = about_held && trusted && signed && beacon.time <= now + CLOCK_SKEW_MS;
        if good {
            self.confirmed = self.confirmed.max(beacon.time);
        }
        good
    }
}

fn grow_to(chain: &mut Chain, height: usize, chance: &mut Chance) {
    while chain.height() < height {
        match chance.below(8) {
            0 => chain.end_term(),
            // The committee certifies time running back: nothing but the client can refuse it.
            1 => chain.grow(|header| header.time -= 6_000),
            _ => chain.grow(|_| ()),
        }
    }
}

/// The honest history, and others that the same committees certified too.
fn histories(chance: &mut Chance) -> Vec<Chain> {
    let mut honest = Chain::new();
    while honest.height() < 24 {
        if chance.once_in(9) {
            honest.end_term()
        } else {
            honest.grow(|_| ())
        }
    }
    let mut all = vec![honest];
    for _ in 0..3 {
        let start = chance.place(23);
        let mut fork = all[0].branch(start);
        fork.grow(|header| header.time += 7);
        grow_to(&mut fork, 24, chance);
        all.push(fork);
    }
    all.extend(hidden(&all[0], chance));
    all
}

/// The honest header at some height, in a history that was rewritten before it.
fn hidden(honest: &Chain, chance: &mut Chance) -> Option<Chain> {
    let height = 2 + chance.place(20);
    if honest.ends().iter().any(|end| (height - 2..=height).contains(end)) {
        return None;
    }
    let mut lying = honest.branch(height - 2);
    lying.grow(|header| header.time += 7);
    lying.headers.push(honest.header(height).clone());
    while lying.height() < 24 {
        lying.grow(|_| ());
    }
    Some(lying)
}

fn offer<'a>(chains: &'a [Chain], held: usize, chance: &mut Chance) -> Offer<'a> {
    const LIES: [Lie; 5] = [
        Lie::FewSigners,
        Lie::NoLadder,
        Lie::MadeUpCommittee,
        Lie::CutPath,
        Lie::PaddedPath,
    ];
    let chain = if chance.once_in(2) {
        &chains[0]
    } else {
        chance.pick(chains)
    };
    let to = if chance.once_in(5) {
        chance.place(25)
    } else {
        held + chance.place(25 - held)
    };
    let from = if chance.once_in(6) {
        chance.place(to + 1)
    } else {
        held.min(to)
    };
    let lie = if chance.once_in(3) {
        *chance.pick(&LIES)
    } else {
        Lie::None
    };
    Offer {
        chain,
        all: chains,
        from,
        to,
        lie,
    }
}

/// Random updates, beacons, restarts and passing days; the client and the naive one say the same all along.
fn life(seed: u64, steps: u32) -> Vec<Outcome> {
    let mut chance = Chance::new(seed);
    let chains = histories(&mut chance);
    let (mut client, mut naive) = (Follow::from_genesis(&chains[0].genesis), Naive::new(&chains[0]));
    let mut now = FOUNDED + 60_000;
    let mut outcomes = Vec::new();
    for _ in 0..steps {
        now += if chance.once_in(40) {
            31 * DAY_MS
        } else {
            chance.below(60_000)
        };
        match chance.below(8) {
            0 => beacon(&chains, &mut client, &mut naive, now, &mut chance),
            1 => {
                let stored = Held::from_bytes(&client.held().to_bytes()).unwrap();
                client = Follow::resume(chains[0].keys.clone(), stored);
            }
            _ => {
                let offer = offer(&chains, naive.height(), &mut chance);
                let sent = HeadUpdate::from_bytes(&offer.update().to_bytes()).unwrap();
                let expected = naive.accept(&offer, now);
                assert_eq!(outcome(client.accept(&sent, now)), expected, "seed {seed}: {offer:?}");
                outcomes.push(expected);
            }
        }
        assert_eq!(client.header(), naive.headers.last().unwrap(), "seed {seed}");
        assert_eq!(client.held().confirmed, naive.confirmed, "seed {seed}");
        assert_eq!(client.held().halted.is_some(), naive.halted, "seed {seed}");
        let term = usize::try_from(client.held().committee.term()).unwrap();
        assert_eq!(term, naive.term, "seed {seed}");
    }
    if let Some(evidence) = &client.held().halted {
        let term = Term::new(u8::try_from(client.header().term).unwrap());
        assert_eq!(evidence.verify(&chains[0].keys, &term.committee), Ok(()), "seed {seed}");
    }
    outcomes
}

fn beacon(chains: &[Chain], client: &mut Follow, naive: &mut Naive, now: u64, chance: &mut Chance) {
    let chain = chance.pick(chains);
    let height = if chance.once_in(4) {
        chance.place(25)
    } else {
        naive.height()
    };
    let term = chance
        .place(2)
        .min(chain.terms.len() - 1)
        .max(naive.term.min(chain.terms.len() - 1));
    let signers = 2 + chance.place(3);
    let time = (now + 2 * CLOCK_SKEW_MS).saturating_sub(chance.below(4 * CLOCK_SKEW_MS));
    let beacon = chain.beacon_of(term, height, time, signers);
    let accepted = client.accept_beacon(&beacon, now);
    let expected = naive.accept_beacon(chain, &beacon, term, signers, now);
    assert_eq!(accepted.is_ok(), expected, "{accepted:?}");
    if accepted == Err(BeaconError::OtherHead) {
        assert!(beacon.head != client.id());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_client_says_what_a_client_with_whole_histories_says(seed in any::<u64>()) {
        life(seed, 40);
    }
}

/// So that the law above is not about refusals alone: over a few lives everything that can happen does.
#[test]
fn every_outcome_comes_about_in_random_lives() {
    let seen: Vec<Outcome> = (0..150).flat_map(|seed| life(seed, 30)).collect();
    for wanted in [
        Outcome::Newer,
        Outcome::Same,
        Outcome::Halted,
        Outcome::NeedsPin,
        Outcome::Older,
        Outcome::NotCertified,
        Outcome::NotExtending,
        Outcome::TimeRunsBack,
        Outcome::BadLadder,
        Outcome::Fork,
    ] {
        let count = seen.iter().filter(|outcome| **outcome == wanted).count();
        assert!(count >= 3, "{wanted:?} came about {count} times in {}", seen.len());
    }
}

/// An honest client reaches the newest head over any stops, whatever terms end between them.
#[test]
fn an_honest_node_brings_a_client_from_any_height_to_any_other() {
    let mut chain = Chain::grown(3);
    chain.end_term();
    chain.grow(|_| ());
    chain.end_term();
    chain.end_term();
    (0..3).for_each(|_| chain.grow(|_| ()));
    for first in 0..=chain.height() {
        for second in first..=chain.height() {
            let mut client = Follow::from_genesis(&chain.genesis);
            let now = FOUNDED + 60_000;
            client.accept(&chain.update(0, first), now).unwrap();
            client.accept(&chain.update(first, second), now).unwrap();
            assert_eq!(client.header(), chain.header(second), "{first} to {second}");
        }
    }
}

/// The bytes of an update on the wire: whatever bit flips, the client holds what it held, or the head that was meant.
#[test]
fn a_flipped_bit_never_leads_to_another_head() {
    let mut chain = Chain::grown(5);
    chain.end_term();
    (0..3).for_each(|_| chain.grow(|_| ()));
    let now = FOUNDED + 60_000;
    let mut client = Follow::from_genesis(&chain.genesis);
    client.accept(&chain.update(0, 3), now).unwrap();
    for to in [3, 8] {
        let bytes = chain.update(3, to).to_bytes();
        let mut accepted = 0;
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            let Ok(update) = HeadUpdate::from_bytes(&flipped) else {
                continue;
            };
            let mut other = client.clone();
            if other.accept(&update, now).is_ok() {
                accepted += 1;
                assert_eq!(other.header(), chain.header(to), "bit {bit} on the way to {to}");
            }
            assert!(other.held().halted.is_none(), "bit {bit} on the way to {to}");
        }
        // Only the held head itself may come with a certificate that nobody looks at.
        assert_eq!(accepted > 0, to == 3, "{accepted} flips on the way to {to}");
    }
}

/// A client whose trust is too old does not let itself be brought back by a beacon or an honest head.
#[test]
fn trust_that_has_run_out_comes_back_by_a_pin_alone() {
    let chain = Chain::grown(6);
    let mut client = Follow::from_genesis(&chain.genesis);
    let late = FOUNDED + TRUSTING_PERIOD_MS + 1;
    assert_eq!(client.accept(&chain.update(0, 6), late), Err(FollowError::NeedsPin));
    let beacon = chain.beacon(0, late, 4);
    assert_eq!(client.accept_beacon(&beacon, late), Err(BeaconError::NeedsPin));
    let (pin, header) = (chain.id(5), chain.header(5).clone());
    let committee = chain.terms[0].committee.clone();
    let mut pinned = Follow::from_pin(chain.keys.clone(), pin, header, committee).unwrap();
    assert_eq!(pinned.accept(&chain.update(5, 6), late), Ok(Accepted::Newer));
}
