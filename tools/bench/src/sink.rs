//! A server that does nothing with what it is sent: what remains of ingest when only QUIC and frames are left.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use waxwing_net::quic::{Identity, PeerInfo, Responder, Server, ServerLimits, Service};
use waxwing_net::wire::{Admission, List, Refusal, Request, Response};

use crate::load::Target;
use crate::role;

struct Sink;

impl Service for Sink {
    async fn call(&self, _peer: PeerInfo, request: Request, responder: Responder) {
        let Request::Submit { envelopes, .. } = request else {
            return responder.refuse(Refusal::NotAllowed).await;
        };
        match List::new(vec![Admission::Taken; envelopes.len()]) {
            Some(admissions) => responder.answer(Response::Submit(admissions)).await,
            None => responder.refuse(Refusal::Broken).await,
        }
    }
}

/// Serves until the pipe is closed.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(anywhere, &Identity::ephemeral(), ServerLimits::DEFAULT, Sink)?;
        role::ready(Target {
            address: server.address()?,
            node: server.node(),
        })?;
        role::stopped().await?;
        server.shut_down(Duration::from_secs(1)).await;
        Ok(())
    })
}
