//! Another validator wants to hear what this one says.

use std::sync::Arc;

use waxwing_core::keys::ValidatorId;
use waxwing_net::quic::{PeerInfo, Pushes, Responder};
use waxwing_net::wire::{Opaque, Push, Refusal};
use waxwing_store::Tables;

use super::hello::Hello;
use super::limits::LEARNT_MAX;
use super::queue::Queue;
use super::{Links, Listener};
use crate::address::NodeAddress;
use crate::order::event::Event;

impl<T: Tables> Links<T> {
    /// Answers [`Request::Order`](waxwing_net::wire::Request::Order): tells a validator everything that is sent, until one
    /// side ends it.
    pub(crate) async fn listen(self: Arc<Self>, peer: PeerInfo, hello: &[u8], responder: Responder) {
        if self.own().is_none() {
            return responder.refuse(Refusal::NoValidator).await;
        }
        let Some(theirs) = self.meet(hello, &peer.node) else {
            return responder.refuse(Refusal::Stranger).await;
        };
        let Some(own) = self.hello(&peer.node) else {
            return responder.refuse(Refusal::NoValidator).await;
        };
        // Strangers may hold every other place, and everything that all share. Before anything is written: that takes some
        // of it. A committee has no more members than there are such places.
        let place = responder.keep_place(*theirs.validator.as_bytes());
        let Ok(pushes) = responder.subscribe().await else {
            return;
        };
        pushes.make_urgent();
        self.learn(&theirs, peer);
        self.tell_all(theirs.validator, peer, own, pushes).await;
        drop(place);
    }

    async fn tell_all(&self, validator: ValidatorId, peer: PeerInfo, own: Opaque, mut pushes: Pushes) {
        if pushes.send(&Push::Order(own)).await.is_err() {
            return;
        }
        let queue = Arc::new(Queue::default());
        let listener = Listener {
            node: peer.node,
            queue: Arc::clone(&queue),
        };
        let before = self.state().listeners.insert(validator, listener);
        if let Some(before) = before {
            // The one that came last counts: the other one may be a connection whose end nobody has noticed yet.
            before.queue.end();
        }
        (self.deliver)(Event::PeerUp(validator));
        let refusal = self.say(&queue, &mut pushes).await;
        let is_gone = {
            let mut state = self.state();
            let is_own = (state.listeners.get(&validator)).is_some_and(|listener| Arc::ptr_eq(&listener.queue, &queue));
            if is_own {
                state.listeners.remove(&validator);
            }
            is_own
        };
        if is_gone {
            (self.deliver)(Event::PeerDown(validator));
        }
        if let Some(refusal) = refusal {
            pushes.end(refusal).await;
        }
    }

    /// Writes what is sent; returns why it ends, unless the other one went.
    async fn say(&self, queue: &Queue, pushes: &mut Pushes) -> Option<Refusal> {
        loop {
            let frame = tokio::select! {
                frame = queue.next() => frame,
                () = pushes.gone() => return None,
                () = self.lifeline.stopped() => return Some(Refusal::ShuttingDown),
            };
            let Ok(frame) = frame else {
                return Some(Refusal::Busy { retry_after_ms: 0 });
            };
            let frame = Push::Order(frame);
            tokio::select! {
                sent = pushes.send(&frame) => if sent.is_err() { return None },
                // It does not read: half a frame is on its way, and nothing can be said behind that.
                () = queue.over() => return None,
            }
        }
    }

    /// Dials whoever dialled here, if nobody does so already.
    fn learn(self: &Arc<Self>, hello: &Hello, peer: PeerInfo) {
        let mut state = self.state();
        let is_known = state.dialled.contains_key(&peer.node);
        if !is_known {
            // A validator that moved to another node is looked for there alone.
            if let Some(before) = state.learnt.insert(hello.validator, peer.node) {
                state.dialled.remove(&before);
            }
            if state.learnt.len() > LEARNT_MAX {
                state.learnt.remove(&hello.validator);
                return;
            }
        }
        drop(state);
        if is_known {
            self.poke(&peer.node);
        } else {
            let ip = peer.address.ip().to_canonical();
            self.dial(NodeAddress {
                node: peer.node,
                host: if ip.is_ipv6() {
                    format!("[{ip}]")
                } else {
                    ip.to_string()
                },
                port: hello.port,
            });
        }
    }
}
