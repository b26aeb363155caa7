//! The links between the nodes, as QUIC connections show themselves to whoever uses them.
//!
//! ```text
//! up ──(break)──> cut, nobody knows ──(detected)──> down ──(reconnected)──> up
//!  └──(stall)───> everything waits, nothing is lost ──> up
//! ```
//!
//! Within one connection messages arrive in order. A connection that breaks takes with it what was under way; some of
//! that may still sit in a buffer of the receiver, and is then read behind what the next connection brings. A message
//! may also vanish or come twice alone: senders drop what does not fit a queue, and send again what they are not sure
//! of.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::faults::{Counts, Fault};
use crate::time::{MS, Micros, SECOND};

/// A node, by its place among all nodes.
pub type Seat = usize;

/// A connection that carries nothing for longer than this is given up.
pub const IDLE_LIMIT: Micros = 5 * SECOND;

/// What the links of a run do by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// Shortest way from one node to another.
    pub delay_least: Micros,
    /// Longest, but for stragglers.
    pub delay_most: Micros,
    /// Messages in a thousand that take up to ten times as long.
    pub slow_permille: u64,
    /// Messages in a thousand that vanish.
    pub loss_permille: u64,
    /// Messages in a thousand that come twice.
    pub twice_permille: u64,
}

impl Weather {
    /// What links do when all goes well.
    pub const FAIR: Self = Self {
        delay_least: 2 * MS,
        delay_most: 40 * MS,
        slow_permille: 0,
        loss_permille: 0,
        twice_permille: 0,
    };
}

/// One direction between two nodes.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    /// Which connection it is, counted.
    connection: u64,
    /// Whether the sender takes it to be there.
    is_up: bool,
    /// Whether what is sent gets lost.
    is_cut: bool,
    /// Nothing arrives before this.
    stalled_until: Micros,
    /// Nobody finds the other again before this.
    closed_until: Micros,
    /// When the newest message arrives: those behind it come later.
    newest: Micros,
}

/// A message's ticket for the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// When it arrives.
    pub at: Micros,
    /// On which connection.
    connection: u64,
}

/// What a node comes to know about another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Who is told.
    pub node: Seat,
    /// About whom.
    pub peer: Seat,
    /// Whether the peer can be reached from now on.
    pub is_up: bool,
    /// When.
    pub at: Micros,
    connection: u64,
}

/// All links.
#[derive(Debug)]
pub struct Network {
    links: BTreeMap<(Seat, Seat), Link>,
    nodes: usize,
    /// What the links do by themselves at present.
    pub weather: Weather,
    /// Bytes that were sent so far.
    pub bytes: u64,
}

impl Network {
    /// So many nodes, none of which can reach another yet.
    #[must_use]
    pub fn new(nodes: usize, weather: Weather) -> Self {
        let pairs = (0..nodes).flat_map(|from| (0..nodes).filter(move |to| *to != from).map(move |to| (from, to)));
        Self {
            links: pairs.map(|pair| (pair, Link::default())).collect(),
            nodes,
            weather,
            bytes: 0,
        }
    }

    fn link(&mut self, from: Seat, to: Seat) -> &mut Link {
        self.links.entry((from, to)).or_default()
    }

    /// Sends something now. Gives a ticket for each time it arrives: none if it is lost, two if it comes twice.
    pub fn send(
        &mut self,
        (from, to): (Seat, Seat),
        bytes: usize,
        now: Micros,
        chance: &mut Chance,
        counts: &mut Counts,
    ) -> Vec<Ticket> {
        let weather = self.weather;
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        let link = self.link(from, to);
        if !link.is_up {
            return Vec::new();
        }
        if link.is_cut || chance.permille(weather.loss_permille) {
            counts.count(Fault::Lost);
            return Vec::new();
        }
        let slow = if chance.permille(weather.slow_permille) { 10 } else { 1 };
        let delay = chance.between(weather.delay_least, weather.delay_most * slow);
        let at = (now + delay).max(link.stalled_until).max(link.newest);
        link.newest = at;
        let ticket = Ticket {
            at,
            connection: link.connection,
        };
        if chance.permille(weather.twice_permille) {
            counts.count(Fault::Duplicated);
            let again = Ticket {
                at: at + chance.below(500 * MS),
                ..ticket
            };
            return vec![ticket, again];
        }
        vec![ticket]
    }

    /// Whether a message with this ticket arrives. One of a connection that is gone does so seldom.
    pub fn arrives(
        &mut self,
        (from, to): (Seat, Seat),
        ticket: Ticket,
        chance: &mut Chance,
        counts: &mut Counts,
    ) -> bool {
        let link = self.link(from, to);
        if ticket.connection == link.connection {
            return true;
        }
        let sits_in_a_buffer = chance.once_in(3);
        counts.count(if sits_in_a_buffer {
            Fault::Reordered
        } else {
            Fault::Lost
        });
        sits_in_a_buffer
    }

    /// Ends the connection between two nodes. Both come to know after a while; then, unless `until` is later, they find
    /// each other again.
    pub fn cut(&mut self, (a, b): (Seat, Seat), now: Micros, until: Micros, chance: &mut Chance) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (node, peer) in [(a, b), (b, a)] {
            let link = self.link(node, peer);
            link.connection += 1;
            link.is_cut = true;
            link.closed_until = link.closed_until.max(until);
            let (connection, closed_until) = (link.connection, link.closed_until);
            let detected = now + chance.between(MS, IDLE_LIMIT);
            let again = detected.max(closed_until) + chance.between(10 * MS, 2 * SECOND);
            notices.extend([(false, detected), (true, again)].map(|(is_up, at)| Notice {
                node,
                peer,
                is_up,
                at,
                connection,
            }));
        }
        notices
    }

    /// Holds everything between two nodes back for a while, which loses nothing.
    pub fn stall(&mut self, (a, b): (Seat, Seat), until: Micros) {
        for pair in [(a, b), (b, a)] {
            let link = self.link(pair.0, pair.1);
            link.stalled_until = link.stalled_until.max(until);
        }
    }

    /// Whether a notice is about the present; then it is true from now on.
    pub fn notice(&mut self, notice: &Notice) -> bool {
        let link = self.link(notice.node, notice.peer);
        if notice.connection != link.connection || link.is_up == notice.is_up {
            return false;
        }
        link.is_up = notice.is_up;
        if notice.is_up {
            link.is_cut = false;
        }
        true
    }

    /// Notices to all nodes that they can reach all others from `at` on.
    #[must_use]
    pub fn hello(&self, at: Micros) -> Vec<Notice> {
        let notice = |(node, peer): &(Seat, Seat)| Notice {
            node: *node,
            peer: *peer,
            is_up: true,
            at,
            connection: 0,
        };
        self.links.keys().map(notice).collect()
    }

    /// The nodes beside this one.
    pub fn others(&self, node: Seat) -> impl Iterator<Item = Seat> + use<> {
        (0..self.nodes).filter(move |other| *other != node)
    }

    /// Whether a node takes another to be there.
    #[must_use]
    pub fn is_up(&self, from: Seat, to: Seat) -> bool {
        self.links.get(&(from, to)).is_some_and(|link| link.is_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(weather: Weather) -> (Network, Chance, Counts) {
        let mut network = Network::new(3, weather);
        let notices = network.hello(0);
        assert!(notices.len() == 6 && notices.iter().all(|notice| network.notice(notice)));
        (network, Chance::new(9), Counts::default())
    }

    #[test]
    fn messages_of_one_connection_arrive_in_order() {
        let (mut network, mut chance, mut counts) = network(Weather {
            slow_permille: 300,
            ..Weather::FAIR
        });
        let sent: Vec<Micros> = (0..200)
            .flat_map(|n| network.send((0, 1), 10, n * MS, &mut chance, &mut counts))
            .map(|ticket| ticket.at)
            .collect();
        assert!(sent.len() == 200 && sent.is_sorted());
        assert_eq!((counts, network.bytes), (Counts::default(), 2000));
    }

    #[test]
    fn bad_weather_loses_and_repeats_messages() {
        let (mut network, mut chance, mut counts) = network(Weather {
            loss_permille: 100,
            twice_permille: 100,
            ..Weather::FAIR
        });
        let sent = (0..1000).flat_map(|n| network.send((0, 1), 10, n * MS, &mut chance, &mut counts));
        let arrived = u64::try_from(sent.count()).unwrap();
        let (lost, twice) = (counts.of(Fault::Lost), counts.of(Fault::Duplicated));
        assert!(lost > 50 && twice > 50);
        assert_eq!(arrived, 1000 - lost + twice);
    }

    #[test]
    fn what_was_under_way_on_a_broken_connection_is_lost_or_late() {
        let (mut network, mut chance, mut counts) = network(Weather::FAIR);
        let under_way: Vec<Ticket> = (0..100)
            .flat_map(|_| network.send((0, 1), 10, 0, &mut chance, &mut counts))
            .collect();
        let notices = network.cut((1, 0), MS, 0, &mut chance);
        assert!(network.send((0, 1), 10, 2 * MS, &mut chance, &mut counts).is_empty());
        assert_eq!(network.send((0, 2), 10, 2 * MS, &mut chance, &mut counts).len(), 1);
        let arrived = under_way
            .into_iter()
            .filter(|ticket| network.arrives((0, 1), *ticket, &mut chance, &mut counts))
            .count();
        assert!((10..60).contains(&arrived), "{arrived}");
        for notice in &notices {
            assert!(network.notice(notice));
            assert!(!network.notice(notice), "nobody is told the same twice");
        }
        let later = network.send((0, 1), 10, 9 * SECOND, &mut chance, &mut counts);
        assert!(network.arrives((0, 1), *later.first().unwrap(), &mut chance, &mut counts));
    }

    #[test]
    fn a_stall_loses_nothing() {
        let (mut network, mut chance, mut counts) = network(Weather::FAIR);
        network.stall((0, 1), 3 * SECOND);
        let sent = network.send((1, 0), 10, 0, &mut chance, &mut counts);
        assert_eq!(sent.first().map(|ticket| ticket.at), Some(3 * SECOND));
        assert!(network.is_up(0, 1) && counts == Counts::default());
    }
}
