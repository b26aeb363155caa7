//! What honest peers lose while hostile ones do everything they can.
//!
//! One honest client submits as fast as the node answers. Attackers at another address, on a thread of their own, take
//! turns with calm, because the machine that runs this does other things as well. Compared are neighbours; what counts is
//! the median of their ratios.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::time::{Instant, sleep};

use super::*;
use crate::wire::limits::REQUEST_BYTES_MAX;
use crate::wire::{Admission, List, Opaque, Promise, frame};

const WINDOW: Duration = Duration::from_millis(100);

/// Calm, attack, attack, calm: what gets slower or faster by itself cancels out.
const TURNS: [bool; 4] = [false, true, true, false];

/// So many of those make a measurement; 9 seconds.
const QUADS: usize = 22;

/// Measurements until it is believed that the client is hurt: the machine may be doing something else just then.
const ROUNDS: usize = 3;

/// How long an attacker rests between two connections: six of them try to connect 150 times a second, far more often than
/// one address may. A real attacker brings a computer of its own; at this pace these take 5 % of ours, which counts
/// as harm done by them although it is not.
const PACE: Duration = Duration::from_millis(40);

/// Below this share of its speed a client may be said to have been hurt.
const SHARE: f64 = 0.8;

/// Takes every envelope.
struct Taker;

impl Service for Taker {
    async fn call(&self, _: PeerInfo, request: Request, responder: Responder) {
        let Request::Submit { envelopes, .. } = request else {
            return;
        };
        let taken = vec![Admission::Taken; envelopes.len()];
        responder.answer(Response::Submit(List::new(taken).unwrap())).await;
    }
}

/// 100 envelopes of 1.2 kB, over and over, four at a time.
async fn submit_for_ever(client: Connection, answered: Arc<AtomicU64>) {
    let envelopes = List::new(vec![Opaque::from(vec![5; 1200]); 100]).unwrap();
    let request = Request::Submit {
        envelopes,
        promise: Promise::Word,
    };
    loop {
        client
            .request(&request, PATIENCE)
            .await
            .expect("an honest client is served");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug)]
enum Attack {
    Garbage,
    Oversize,
    HalfFrame,
    SlowBytes,
    TenThousandStreams,
    Connections,
}

const ATTACKS: [Attack; 6] = [
    Attack::Garbage,
    Attack::Oversize,
    Attack::HalfFrame,
    Attack::SlowBytes,
    Attack::TenThousandStreams,
    Attack::Connections,
];

/// Connects and misbehaves, again and again, while it is time to attack.
async fn attack(attack: Attack, dialer: &Dialer, server: (SocketAddr, waxwing_core::keys::NodeId), on: &AtomicBool) {
    loop {
        sleep(PACE).await;
        if !on.load(Ordering::Relaxed) {
            continue;
        }
        let Ok(client) = dialer.connect(server.0, server.1, Duration::from_secs(1)).await else {
            continue;
        };
        let bytes: Vec<u8> = match attack {
            Attack::Garbage => [&[0, 0, 0x10, 0][..], &[0xa5; 0x1000]].concat(),
            Attack::Oversize => vec![0xff; 2000],
            Attack::HalfFrame => frame(&Request::Head { held: 4 }).unwrap()[..9].to_vec(),
            Attack::SlowBytes => vec![0],
            Attack::TenThousandStreams => {
                [&u32::try_from(REQUEST_BYTES_MAX).unwrap().to_be_bytes()[..], &[0; 900]].concat()
            }
            Attack::Connections => continue,
        };
        let streams = if matches!(attack, Attack::TenThousandStreams) {
            10_000
        } else {
            1
        };
        let mut open = Vec::new();
        for _ in 0..streams {
            let Ok((mut send, receive)) = client.quinn().open_bi().await else {
                break;
            };
            if send.write_all(&bytes).await.is_err() {
                break;
            }
            if matches!(attack, Attack::HalfFrame | Attack::Garbage) {
                let _ = send.finish();
            }
            open.push((send, receive));
        }
        // Until the node has had enough.
        client.closed().await;
    }
}

/// Everything at once, from 127.0.0.2, and packets that are no QUIC.
fn attackers(server: (SocketAddr, waxwing_core::keys::NodeId), on: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let dialer = Arc::new(Dialer::from_address(loopback(2), Shown::Always(Identity::ephemeral())).unwrap());
            for kind in ATTACKS {
                let (dialer, on) = (dialer.clone(), on.clone());
                tokio::spawn(async move { attack(kind, &dialer, server, &on).await });
            }
            let noise = UdpSocket::bind(loopback(2)).unwrap();
            loop {
                sleep(Duration::from_millis(1)).await;
                if on.load(Ordering::Relaxed) {
                    let _ = noise.send_to(&[0x5a; 1200], server.0);
                }
            }
        });
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_client_keeps_four_fifths_of_its_speed_while_others_attack() {
    let limits = ServerLimits {
        transfer_time: Duration::from_secs(1),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Taker);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let answered = Arc::new(AtomicU64::new(0));
    let honest: Vec<_> = (0..4)
        .map(|_| tokio::spawn(submit_for_ever(client.clone(), answered.clone())))
        .collect();
    let on = Arc::new(AtomicBool::new(false));
    attackers((server.address().unwrap(), server.node()), on.clone());

    let mut ratios = Vec::new();
    let mut median = 0.0;
    for _ in 0..ROUNDS {
        measure(&on, &answered, &mut ratios).await;
        median = ratios[ratios.len() / 2];
        println!("median {median:.2} of {ratios:.2?}");
        if median >= SHARE {
            break;
        }
    }
    on.store(false, Ordering::Relaxed);
    let counts = server.counts();
    println!("{counts:?}");

    for code in [
        CloseCode::Malformed,
        CloseCode::Oversize,
        CloseCode::HalfFrame,
        CloseCode::TooSlow,
        CloseCode::TooManyStreams,
    ] {
        assert!(counts.dropped.contains_key(&code), "{code:?} was not tried: {counts:?}");
    }
    assert!(
        counts.explained + counts.turned_away > 0,
        "the door was never stormed: {counts:?}"
    );
    assert!(client.why_closed().is_none() && honest.iter().all(|task| !task.is_finished()));
    for task in honest {
        task.abort();
    }
    assert!(median >= SHARE, "{median:.2} of its speed was left");
}

/// Adds speeds under attack as shares of the speeds around it, and sorts them.
async fn measure(on: &AtomicBool, answered: &AtomicU64, ratios: &mut Vec<f64>) {
    for _ in 0..QUADS {
        let (mut calm, mut attacked) = (0.0, 0.0);
        for turn in TURNS {
            on.store(turn, Ordering::Relaxed);
            let (begin, before) = (Instant::now(), answered.load(Ordering::Relaxed));
            sleep(WINDOW).await;
            let requests = answered.load(Ordering::Relaxed) - before;
            let speed = f64::from(u32::try_from(requests).unwrap()) / begin.elapsed().as_secs_f64();
            *(if turn { &mut attacked } else { &mut calm }) += speed;
        }
        ratios.push(attacked / calm);
    }
    ratios.sort_by(f64::total_cmp);
}
