//! A light client for tests: believes nothing but proofs, with the very state machine that light clients run.

use std::num::NonZeroU32;

use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Reader};
use waxwing_core::envelope::{Carried, Envelope};
use waxwing_core::follow::{Follow, HeadProof, HeadUpdate};
use waxwing_core::keys::LogId;
use waxwing_core::log::{LogCursor, Place};
use waxwing_core::logmap::MapLeaf;
use waxwing_core::receipt::{Ordered, Receipt};
use waxwing_net::quic::{Connection, Dialer, RequestError, Shown};
use waxwing_net::wire::{Admission, Bodies, Entries, List, Promise, Refusal, Request, Response};
use waxwing_node::{Clock, NodeAddress};

use crate::world::{Running, SOON, World, opaque};

pub(crate) struct Client {
    /// Kept open: a connection dies with the socket it came from.
    _dialer: Dialer,
    pub(crate) connection: Connection,
    pub(crate) follow: Follow,
    clock: Clock,
}

impl Client {
    pub(crate) async fn to(world: &World, node: &Running) -> Self {
        Self::at(world, &node.address()).await
    }

    pub(crate) async fn at(world: &World, address: &NodeAddress) -> Self {
        let dialer = Dialer::from_address(([127, 0, 0, 1], 0).into(), Shown::Ephemeral).unwrap();
        let place = format!("{}:{}", address.host, address.port).parse().unwrap();
        Self {
            connection: dialer.connect(place, address.node, SOON).await.unwrap(),
            _dialer: dialer,
            follow: Follow::from_genesis(&world.genesis),
            clock: world.clock.clone(),
        }
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Response, Refusal> {
        match self.connection.request(&request, SOON).await {
            Ok(response) => Ok(response),
            Err(RequestError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    pub(crate) async fn submit_for(&self, envelopes: &[Envelope], promise: Promise) -> Vec<Admission> {
        let envelopes = List::new(envelopes.iter().map(opaque).collect()).unwrap();
        match self.ask(Request::Submit { envelopes, promise }).await {
            Ok(Response::Submit(admissions)) => admissions.into_vec(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn submit(&self, envelopes: &[Envelope]) -> Vec<Admission> {
        self.submit_for(envelopes, Promise::Word).await
    }

    /// Submits one envelope and says what became of it.
    pub(crate) async fn submit_one(&self, envelope: &Envelope) -> Admission {
        self.submit(std::slice::from_ref(envelope)).await.remove(0)
    }

    /// Moves to the newest head; every check is the light client's own.
    pub(crate) async fn catch_up(&mut self) -> u64 {
        let held = self.follow.header().height;
        match self.ask(Request::Head { held }).await {
            Ok(Response::Head(update)) => {
                let update = HeadUpdate::from_bytes(&update).unwrap();
                self.follow.accept(&update, self.clock.now_ms()).unwrap();
            }
            Err(Refusal::HeightAhead { newest: 0 }) if held == 0 => {}
            other => panic!("{other:?}"),
        }
        self.follow.header().height
    }

    /// What the newest head proves about a log.
    pub(crate) async fn log(&mut self, log: LogId) -> Option<MapLeaf> {
        let held = self.follow.header().height;
        let proof = match self.ask(Request::Log { log, held }).await {
            Ok(Response::Log(proof)) => HeadProof::from_bytes(&proof).unwrap(),
            Err(Refusal::HeightAhead { newest: 0 }) if held == 0 => return None,
            other => panic!("{other:?}"),
        };
        self.follow.accept(&proof.update, self.clock.now_ms()).unwrap();
        self.follow.check_log(&log, &proof.log).unwrap()
    }

    pub(crate) async fn entries(&self, log: LogId, from: u64, count: u32, bytes: u32) -> Result<Entries, Refusal> {
        let wanted = Request::Entries {
            log,
            from,
            count: NonZeroU32::new(count).unwrap(),
            bytes: NonZeroU32::new(bytes).unwrap(),
            bodies: Bodies::With,
        };
        match self.ask(wanted).await? {
            Response::Entries(entries) => Ok(entries),
            other => panic!("{other:?}"),
        }
    }

    /// A whole log, recomputed to the root that the newest head proves; the entries with their places.
    pub(crate) async fn read(&mut self, log: LogId) -> Vec<(Carried, Place)> {
        let Some(leaf) = self.log(log).await else {
            return Vec::new();
        };
        let mut read = Vec::new();
        while u64::try_from(read.len()).unwrap() < leaf.length {
            let from = u64::try_from(read.len()).unwrap();
            let page = self.entries(log, from, 1000, 1 << 20).await.unwrap();
            assert!(!page.entries.is_empty());
            read.extend(page.entries.iter().map(|bytes| parse(bytes)));
        }
        let keys = self.follow.keys();
        let ids: Vec<(Hash, Place)> = (read.iter())
            .map(|(carried, place)| (carried.signed.entry_id(keys), *place))
            .collect();
        LogCursor::start(log).extend(keys, &ids, &leaf).unwrap();
        for (carried, _) in &read {
            carried.body.check(&carried.signed.header, keys).unwrap();
        }
        read
    }

    /// Waits until the log has this many entries under a proven head.
    pub(crate) async fn until_length(&mut self, log: LogId, length: u64) -> MapLeaf {
        loop {
            if let Some(leaf) = self.log(log).await
                && leaf.length >= length
            {
                return leaf;
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn receipt(&self, world: &World, log: LogId, index: u64) -> Result<Ordered, Refusal> {
        match self.ask(Request::Receipt { log, index }).await? {
            Response::Receipt(receipt) => {
                let receipt = Receipt::from_bytes(&receipt).unwrap();
                Ok(receipt.verify(&world.keys, &world.genesis.committee()).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }
}

/// An entry as it comes with its body.
pub(crate) fn parse(bytes: &[u8]) -> (Carried, Place) {
    let mut reader = Reader::new(bytes);
    let place = Place::decode(&mut reader).unwrap();
    let carried = Carried::decode(&mut reader).unwrap();
    reader.finish().unwrap();
    (carried, place)
}
