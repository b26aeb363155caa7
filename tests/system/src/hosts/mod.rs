//! Several hosts on one machine: a network namespace each, and between any two of them a relay that can be bad.
//!
//! ```text
//! host 1  10.77.1.2 ──veth── 10.77.1.1                      this test, and its own clients
//!                            10.77.1.102  "host 2" ── relay ── 10.77.2.101  "host 1" ──veth── 10.77.2.2  host 2
//! ```
//!
//! Every host sees every other under an address of its own on its own wire, in both directions, so a node that calls back
//! where it was called from arrives. All packets pass through user space: delay, loss, doubling and cuts need no module of
//! the kernel. The test itself sits at the other end of every wire and reaches each host directly, whatever the relay does.
//!
//! The network is the test's own: [`in_namespaces`] starts the test once more inside `tests/system/namespaces`, and what it
//! makes there is gone with it.

mod relay;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

use crate::command::done;
pub use relay::{Carried, Weather};
use relay::{Link, Relay};

/// The port at which every node listens: each has a host for itself.
const PORT: u16 = 4040;

/// Hosts, numbered from 1. Addresses are made from these numbers.
#[derive(Debug)]
pub struct Hosts {
    count: u8,
    relay: Relay,
}

/// Says that the test is inside already.
const INSIDE: &str = "WAXWING_INSIDE_NAMESPACES";

/// What `tools/test` found that this machine cannot do.
const WITHOUT: &str = "WAXWING_WITHOUT";

/// Plays a test in a network of its own, by starting the test of this name once more in there. Where `tools/test` has
/// found that the machine cannot do that, and has said so, nothing is played.
///
/// # Panics
/// If the test fails in there, or cannot be started.
pub fn in_namespaces(test: &str, play: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return play();
    }
    if std::env::var(WITHOUT).is_ok_and(|names| names.split(' ').any(|name| name == "namespaces")) {
        return;
    }
    let me = std::env::current_exe().expect("the system knows the path of a running program");
    let status = Command::new(crate::root().join("tests/system/namespaces"))
        .arg(me)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    let status = status.expect("the script is part of the tree");
    assert!(status.success(), "{test}: {status}");
}

impl Hosts {
    /// Makes so many hosts, between which everything arrives at once.
    ///
    /// # Panics
    /// If the system does not permit it, outside of [`in_namespaces`] for instance.
    #[must_use]
    pub fn new(count: u8, seed: u64) -> Self {
        assert!((1..=99).contains(&count), "addresses are made for up to 99 hosts");
        for host in 1..=count {
            let mut script = format!(
                "ip netns add h{host} && ip link add w{host} type veth peer name e0 netns h{host} && \
                 ip addr add 10.77.{host}.1/24 dev w{host} && ip link set w{host} up && \
                 ip -n h{host} addr add 10.77.{host}.2/24 dev e0 && ip -n h{host} link set e0 up && \
                 ip -n h{host} link set lo up"
            );
            for other in (1..=count).filter(|other| *other != host) {
                script += &format!(" && ip addr add 10.77.{host}.{}/24 dev w{host}", 100 + other);
            }
            done(Command::new("sh").args(["-c", &script]));
        }
        let pairs = (1..=count).flat_map(|from| (1..=count).map(move |to| (from, to)));
        let links = pairs.filter(|(from, to)| from != to).map(|(from, to)| Link {
            from,
            to,
            listens: place(from, 100 + to, PORT),
            sends: place(to, 100 + from, 0),
            target: place(to, 2, PORT),
        });
        let relay = Relay::start(links.collect(), seed);
        Self { count, relay }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// What a host's namespace is called.
    #[must_use]
    pub fn name(host: u8) -> String {
        format!("h{host}")
    }

    /// Where a node of this host listens.
    #[must_use]
    pub const fn listens(host: u8) -> SocketAddr {
        place(host, 2, PORT)
    }

    /// Where `host` finds the node of `other`, through the relay.
    #[must_use]
    pub const fn seen_from(host: u8, other: u8) -> SocketAddr {
        place(host, 100 + other, PORT)
    }

    /// What packets from one host to another meet from now on.
    pub fn set(&self, from: u8, to: u8, weather: Weather) {
        self.relay.set(from, to, weather);
    }

    /// The same on every way.
    pub fn set_all(&self, weather: Weather) {
        for from in 1..=self.count {
            for to in 1..=self.count {
                self.set(from, to, weather);
            }
        }
    }

    /// Only hosts of one group reach each other.
    pub fn part(&self, groups: &[&[u8]]) {
        let group = |host: u8| groups.iter().position(|group| group.contains(&host));
        for from in 1..=self.count {
            for to in 1..=self.count {
                let weather = if group(from) == group(to) {
                    Weather::FINE
                } else {
                    Weather::CUT
                };
                self.set(from, to, weather);
            }
        }
    }

    /// What became of all packets so far.
    #[must_use]
    pub fn carried(&self) -> Carried {
        self.relay.carried()
    }
}

const fn place(wire: u8, end: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, wire, end)), port)
}
