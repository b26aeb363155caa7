//! Real endpoints on loopback: what honest peers get, what hostile peers get, and what the former lose to the latter.

mod conversation;
mod fairness;
mod hostile;
mod hostile_node;
mod kept;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use waxwing_core::keys::NodeKey;

use super::*;
use crate::wire::samples::conversation;
use crate::wire::{Push, Refusal, Reply, Request, Response};

/// Far beyond what anything here takes, and short enough to see a hanging test.
const PATIENCE: Duration = Duration::from_secs(20);

fn many(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

fn loopback(last: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0))
}

fn node_identity() -> Identity {
    Identity::new(&NodeKey::from_seed(&[1; 32]))
}

fn listen(limits: ServerLimits, service: impl Service) -> Server {
    Server::bind(loopback(1), &node_identity(), limits, service).unwrap()
}

/// A dialer that calls from 127.0.0.`last`.
fn dialer(last: u8) -> Dialer {
    Dialer::from_address(loopback(last), Shown::Ephemeral).unwrap()
}

async fn call(dialer: &Dialer, server: &Server) -> Connection {
    dialer
        .connect(server.address().unwrap(), server.node(), PATIENCE)
        .await
        .unwrap()
}

/// Awaits what must not take for ever.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("this does not take so long")
}

/// Waits until a condition holds that nobody can be told about.
async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Answers the questions of the sample conversation.
struct Script;

impl Service for Script {
    async fn call(&self, _: PeerInfo, request: Request, responder: Responder) {
        let answer = conversation().into_iter().find(|(question, _)| *question == request);
        match answer {
            Some((_, Response::Subscribed)) => {
                if let Ok(mut pushes) = responder.subscribe().await {
                    for left_out in 0..3 {
                        pushes.send(&Push::Lagged { left_out }).await.unwrap();
                    }
                    pushes.end(Refusal::ShuttingDown).await;
                }
            }
            Some((_, response)) => responder.answer(response).await,
            None => responder.refuse(Refusal::UnknownLog).await,
        }
    }
}

/// Answers every request with the same reply.
struct Always(Reply);

impl Service for Always {
    async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
        responder.reply(self.0.clone()).await;
    }
}

/// Answers when it is told to.
#[derive(Clone, Default)]
struct Patient(Arc<Notify>);

impl Service for Patient {
    async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
        self.0.notified().await;
        responder.answer(Response::Reveal).await;
    }
}

/// Carries packets between whoever sends to `address` and a node that can be exchanged.
struct Relay {
    address: SocketAddr,
    node: Arc<Mutex<SocketAddr>>,
}

impl Relay {
    fn to(node: SocketAddr) -> Self {
        let socket = UdpSocket::bind(loopback(1)).unwrap();
        let address = socket.local_addr().unwrap();
        let node = Arc::new(Mutex::new(node));
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        std::thread::spawn({
            let node = node.clone();
            move || {
                let (mut packet, mut client, mut nodes) = ([0; 2000], None, Vec::new());
                while let Ok((length, from)) = socket.recv_from(&mut packet) {
                    let node = *node.lock().unwrap();
                    if !nodes.contains(&node) {
                        nodes.push(node);
                    }
                    let to = if nodes.contains(&from) { client } else { Some(node) };
                    if to == Some(node) {
                        client = Some(from);
                    }
                    if let Some(to) = to {
                        let _ = socket.send_to(&packet[..length], to);
                    }
                }
            }
        });
        Self { address, node }
    }

    fn lead_to(&self, node: SocketAddr) {
        *self.node.lock().unwrap() = node;
    }
}
