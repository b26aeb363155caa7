//! How fast submissions travel over loopback on this machine, and what each envelope costs: the limit that the
//! network sets to a node's intake. Prints one JSON object a line.
//!
//! `cargo run --release -p waxwing-net --example loopback`

#![expect(clippy::print_stdout, reason = "a program whose output is its purpose")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;
use waxwing_net::quic::{Dialer, Identity, PeerInfo, Responder, Server, ServerLimits, Service, Shown};
use waxwing_net::wire::{Admission, List, Opaque, Promise, Refusal, Request, Response, codec};

const ENVELOPE_BYTES: usize = 1248;
const ENVELOPES: usize = 256;
const AT_ONCE: usize = 4;
const SECONDS: u64 = 5;

/// Takes every envelope and looks at none.
struct Taker;

impl Service for Taker {
    async fn call(&self, _: PeerInfo, request: Request, responder: Responder) {
        let taken = match request {
            Request::Submit { envelopes, .. } => List::new(vec![Admission::Taken; envelopes.len()]),
            _ => None,
        };
        match taken {
            Some(taken) => responder.answer(Response::Submit(taken)).await,
            None => responder.refuse(Refusal::NotAllowed).await,
        }
    }
}

fn submission() -> Option<Request> {
    let envelopes = List::new(vec![Opaque::from(vec![7; ENVELOPE_BYTES]); ENVELOPES])?;
    Some(Request::Submit {
        envelopes,
        promise: Promise::Word,
    })
}

/// Processor time of this process in seconds: user and system.
fn processor_seconds() -> Option<f64> {
    /// What the kernel counts in on every platform that has this file.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn report(name: &str, value: f64, unit: &str) {
    println!(r#"{{"name":"{name}","value":{value:.3},"unit":"{unit}"}}"#);
}

fn codec_cost(request: &Request) -> Result<(), Box<dyn Error>> {
    const TIMES: u32 = 2000;
    let envelopes = f64::from(u32::try_from(ENVELOPES)?) * f64::from(TIMES);
    let mut bytes = Vec::new();
    let begin = Instant::now();
    for _ in 0..TIMES {
        bytes.clear();
        codec::encode(request, &mut bytes)?;
    }
    report(
        "encode an envelope",
        begin.elapsed().as_secs_f64() * 1e9 / envelopes,
        "ns",
    );
    let begin = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(codec::decode::<Request>(&bytes)?);
    }
    report(
        "decode an envelope",
        begin.elapsed().as_secs_f64() * 1e9 / envelopes,
        "ns",
    );
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let request = submission().ok_or("the submission is beyond the limits")?;
    codec_cost(&request)?;

    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::bind(loopback, &Identity::ephemeral(), ServerLimits::DEFAULT, Taker)?;
    let dialer = Dialer::from_address(loopback, Shown::Ephemeral)?;
    let patience = Duration::from_secs(10);
    let begin = Instant::now();
    let client = dialer.connect(server.address()?, server.node(), patience).await?;
    report("connect", begin.elapsed().as_secs_f64() * 1e3, "ms");

    let (begin, before) = (Instant::now(), processor_seconds().unwrap_or(0.0));
    let end = begin + Duration::from_secs(SECONDS);
    let submitters: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (client, request) = (client.clone(), request.clone());
            tokio::spawn(async move {
                let mut sent = 0u32;
                while Instant::now() < end && client.request(&request, patience).await.is_ok() {
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let mut sent = 0.0;
    for submitter in submitters {
        sent += f64::from(submitter.await?) * f64::from(u32::try_from(ENVELOPES)?);
    }
    let seconds = begin.elapsed().as_secs_f64();
    report("envelopes over loopback", sent / seconds, "1/s");
    let used = processor_seconds().unwrap_or(0.0) - before;
    report("processor time of both sides for an envelope", used * 1e6 / sent, "us");
    client.close();
    Ok(())
}
