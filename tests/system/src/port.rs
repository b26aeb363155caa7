//! A port that stays a node's own while the node is dead.
//!
//! A port that the system gave out is anybody's the moment its node is killed: every client on this machine that opens a
//! socket before the node is back may be given the same one, and a run that kills hundreds of nodes beside hundreds of
//! clients meets that. So nodes of tests listen below the range that the system gives out, and no two tests take the same.

use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;

/// Below are the ports of services that people run.
const LOWEST: u16 = 15_000;

/// Where the range begins that the system gives out, unless it says otherwise.
const GIVEN_OUT_FROM: u16 = 32_768;

/// Fewer would soon be taken; then the whole of the rest is chosen from, as the system would.
const FEW: usize = 1_000;

/// Ports that are looked at until one is free: more than tests and services hold together.
const LOOKS: usize = 2_000;

/// A port of the loopback, for packets and streams, until it is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    #[cfg(target_os = "linux")]
    _claim: std::os::unix::net::UnixDatagram,
}

impl Port {
    /// Takes one that is free.
    ///
    /// # Panics
    /// If none is.
    #[must_use]
    pub fn take() -> Self {
        let range = range(given_out_from());
        let start =
            usize::try_from(std::hash::RandomState::new().build_hasher().finish() % 100_003).unwrap_or_default();
        let mut candidates = range.clone().cycle().skip(start % range.len()).take(LOOKS);
        candidates
            .find_map(Self::claim)
            .expect("a machine that runs tests has a free port")
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// Nothing if another test has it, or any other program.
    fn claim(number: u16) -> Option<Self> {
        let port = Self {
            number,
            #[cfg(target_os = "linux")]
            _claim: claim(number)?,
        };
        let is_free = UdpSocket::bind(port.address()).is_ok() && TcpListener::bind(port.address()).is_ok();
        is_free.then_some(port)
    }
}

/// A name that one process at a time can have, in the namespace that also has the port.
#[cfg(target_os = "linux")]
fn claim(number: u16) -> Option<std::os::unix::net::UnixDatagram> {
    use std::os::linux::net::SocketAddrExt as _;
    let name = std::os::unix::net::SocketAddr::from_abstract_name(format!("waxwing-test-port-{number}")).ok()?;
    std::os::unix::net::UnixDatagram::bind_addr(&name).ok()
}

fn range(given_out_from: u16) -> Range<u16> {
    let below = LOWEST..given_out_from;
    if below.len() < FEW { LOWEST..u16::MAX } else { below }
}

fn given_out_from() -> u16 {
    let told = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    told.and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(GIVEN_OUT_FROM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_once_and_free_again_when_it_is_dropped() {
        let port = Port::take();
        // It is held by name: the node that it is for can listen at it.
        assert!(UdpSocket::bind(port.address()).is_ok() && TcpListener::bind(port.address()).is_ok());
        #[cfg(target_os = "linux")]
        assert!(Port::claim(port.number).is_none());
        let number = port.number;
        drop(port);
        assert_eq!(Port::claim(number).map(|port| port.number), Some(number));
    }

    #[test]
    fn a_port_at_which_somebody_listens_is_not_taken() {
        let (packets, streams) = (Port::take(), Port::take());
        let listens = (
            UdpSocket::bind(packets.address()).unwrap(),
            TcpListener::bind(streams.address()).unwrap(),
        );
        let numbers = [packets.number, streams.number];
        drop((packets, streams));
        assert!(numbers.iter().all(|number| Port::claim(*number).is_none()));
        drop(listens);
        assert!(numbers.iter().all(|number| Port::claim(*number).is_some()));
    }

    #[test]
    fn the_system_gives_none_of_them_out_where_there_is_room() {
        assert_eq!(range(32_768), 15_000..32_768);
        assert_eq!(range(1_024), 15_000..65_535);
        assert!((15_000..u16::MAX).contains(&Port::take().number));
    }
}
