//! The relay: takes datagrams from one host and hands them to another, late, twice or not at all.
//!
//! It knows nothing of what it carries. Every way from one host to another has a socket that stands for the other; every
//! caller gets a socket of its own at the far end, by which the answers come back. Chance comes from a seed; what the
//! kernel and the programs do with it is theirs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use waxwing_rules::chance::Chance;

/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_536;

/// What happens to packets on one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// How long each is under way.
    pub delay_ms: u64,
    /// By how much more at most, by lot: packets overtake each other.
    pub jitter_ms: u64,
    /// Of a thousand, how many are lost.
    pub lost: u64,
    /// Of a thousand, how many arrive twice.
    pub doubled: u64,
    /// Whether nothing gets through.
    pub is_cut: bool,
}

impl Weather {
    /// Everything arrives at once.
    pub const FINE: Self = Self {
        delay_ms: 0,
        jitter_ms: 0,
        lost: 0,
        doubled: 0,
        is_cut: false,
    };

    /// Nothing arrives.
    pub const CUT: Self = Self {
        is_cut: true,
        ..Self::FINE
    };
}

/// What became of packets.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Carried {
    /// Taken from a host.
    pub taken: u64,
    /// Lost by lot.
    pub lost: u64,
    /// Handed over twice.
    pub doubled: u64,
    /// Not handed over because the way was cut.
    pub cut: u64,
}

/// One way: from a host that calls to one that listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: u8,
    pub(super) to: u8,
    /// Where `from` finds `to`.
    pub(super) listens: SocketAddr,
    /// Where `to` sees `from` come from; any port.
    pub(super) sends: SocketAddr,
    /// Where `to` really is.
    pub(super) target: SocketAddr,
}

/// The relay of all ways. It carries until the process ends.
#[derive(Debug)]
pub(super) struct Relay(Arc<Sky>);

struct Sky {
    weather: Mutex<HashMap<(u8, u8), Weather>>,
    chance: Mutex<Chance>,
    taken: AtomicU64,
    lost: AtomicU64,
    doubled: AtomicU64,
    cut: AtomicU64,
}

impl std::fmt::Debug for Sky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sky")
    }
}

impl Relay {
    pub(super) fn start(links: Vec<Link>, seed: u64) -> Self {
        let sky = Arc::new(Sky {
            weather: Mutex::default(),
            chance: Mutex::new(Chance::new(seed)),
            taken: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            doubled: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let (ready, is_ready) = std::sync::mpsc::channel();
        let shared = Arc::clone(&sky);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("the system has room for a runtime")
                .block_on(async move {
                    for link in links {
                        let socket = UdpSocket::bind(link.listens).await.expect("the address is the relay's");
                        tokio::spawn(carry(link, Arc::new(socket), Arc::clone(&shared)));
                    }
                    ready.send(()).expect("whoever starts the relay waits for it");
                    std::future::pending::<()>().await;
                });
        });
        is_ready.recv().expect("every way has its socket");
        Self(sky)
    }

    pub(super) fn set(&self, from: u8, to: u8, weather: Weather) {
        let mut all = self.0.weather.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((from, to), weather);
    }

    pub(super) fn carried(&self) -> Carried {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Carried {
            taken: read(&self.0.taken),
            lost: read(&self.0.lost),
            doubled: read(&self.0.doubled),
            cut: read(&self.0.cut),
        }
    }
}

impl Sky {
    /// When a packet arrives, once or twice or never.
    fn fate(&self, from: u8, to: u8) -> Vec<Duration> {
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let weather = *self
            .weather
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(from, to))
            .unwrap_or(&Weather::FINE);
        count(&self.taken);
        if weather.is_cut {
            count(&self.cut);
            return Vec::new();
        }
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        if chance.below(1000) < weather.lost {
            count(&self.lost);
            return Vec::new();
        }
        let copies = if chance.below(1000) < weather.doubled { 2 } else { 1 };
        if copies == 2 {
            count(&self.doubled);
        }
        let mut delay = || Duration::from_millis(weather.delay_ms + chance.below(weather.jitter_ms + 1));
        (0..copies).map(|_| delay()).collect()
    }

    async fn hand_over(self: &Arc<Self>, way: (u8, u8), packet: &[u8], socket: &Arc<UdpSocket>, to: SocketAddr) {
        for delay in self.fate(way.0, way.1) {
            if delay.is_zero() {
                // A host that is not there loses packets, as hosts do.
                let _ = socket.send_to(packet, to).await;
                continue;
            }
            let (packet, socket) = (packet.to_vec(), Arc::clone(socket));
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let _ = socket.send_to(&packet, to).await;
            });
        }
    }
}

/// Takes what `from` sends to `to`; every caller gets its own socket at the far end.
async fn carry(link: Link, socket: Arc<UdpSocket>, sky: Arc<Sky>) {
    let mut callers: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut room = vec![0; DATAGRAM_MAX];
    loop {
        let Ok((length, caller)) = socket.recv_from(&mut room).await else {
            continue;
        };
        let far = match callers.get(&caller) {
            Some(far) => far,
            None => {
                let far = UdpSocket::bind(link.sends).await.expect("the address is the relay's");
                let far = Arc::new(far);
                let back = answer(link, caller, Arc::clone(&far), Arc::clone(&socket), Arc::clone(&sky));
                tokio::spawn(back);
                callers.entry(caller).or_insert(far)
            }
        };
        if let Some(packet) = room.get(..length) {
            sky.hand_over((link.from, link.to), packet, far, link.target).await;
        }
    }
}

/// Takes what comes back for one caller.
async fn answer(link: Link, caller: SocketAddr, far: Arc<UdpSocket>, near: Arc<UdpSocket>, sky: Arc<Sky>) {
    let mut room = vec![0; DATAGRAM_MAX];
    loop {
        if let Ok((length, _)) = far.recv_from(&mut room).await
            && let Some(packet) = room.get(..length)
        {
            sky.hand_over((link.to, link.from), packet, &near, caller).await;
        }
    }
}
