//! Nodes for tests: over real QUIC, honest or lying in one way.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Body, ErasureSecret};
use waxwing_core::evidence::Evidence;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::{LogId, NodeKey, VoteKey};
use waxwing_core::merkle::Frontier;
use waxwing_core::receipt::Acknowledgement;
use waxwing_net::quic::{Identity, PeerInfo, Pushes, Responder, Server, ServerLimits, Service};
use waxwing_net::wire::{
    Admission, Bodies, Entries, EnvelopeRefusal, FollowLog, Kind, List, Opaque, Peer, Push, Refusal, Reply, Request,
    Response, Role, Watch,
};
use waxwing_seal::NodeAddress;

use super::garble::garble;
use super::kept::Kept;
use super::world::{Admitted, LogRow, World, bytes};

/// One way to misbehave.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Lie {
    /// Proves another log than was asked for.
    OtherLogProof(LogId),
    /// Gives no entry at all, and says there are none.
    NoEntries,
    /// Pretends that logs end after so many entries.
    EndsAfter(usize),
    /// Gives at most so many entries at once.
    SmallPages(usize),
    /// Moves an entry to another time.
    MovedEntry,
    /// Flips a bit in every body.
    AlteredBodies,
    /// Has no bodies and no excuse.
    NoBodies,
    /// Has no body of one entry and no excuse.
    NoBody(u64),
    /// Says that bodies have expired that were to be kept for ever.
    FalselyExpired,
    /// Answers requests of one kind when it has repented.
    Holds(Kind),
    /// Answers requests of one kind never.
    Silent(Kind),
    /// Refuses requests of one kind.
    Refuses(Kind, Refusal),
    /// Promises to include envelopes and forgets them.
    Forgets,
    /// Takes no envelope.
    TakesNone(EnvelopeRefusal),
    /// Says that envelopes are final that it has not even kept.
    FalseFinal,
    /// Promises in somebody else's name, without their signature.
    FalsePromise,
    /// Promises to include another envelope.
    OtherPromise,
    /// No lie: hands back the promise of the node that orders.
    PassesOn,
    /// Gives the receipt of the first entry for every entry.
    OtherReceipt,
    /// Spoils the certificate in receipts.
    SpoiltReceipt,
    /// Shows another genesis.
    OtherGenesis,
    /// Answers with bytes that are nothing.
    Garbled(Kind),
    /// Gives beacons from so many ms ago.
    OldBeacons(u64),
    /// Signs beacons with too few validators.
    SpoiltBeacons,
    /// Accepts a subscription and never pushes.
    NeverPushes,
    /// Says that it has no block at the held height, whatever that is.
    Behind,
}

/// Makes another answer of an honest one.
pub(crate) type Forgery = Arc<dyn Fn(&World, &Request, Reply) -> Reply + Send + Sync>;

/// Is told every request as the node reads it.
pub(crate) type Ear = Arc<dyn Fn(&PeerInfo, &Request) + Send + Sync>;

/// What a node and its server share.
struct Inner {
    world: Mutex<Arc<World>>,
    lies: Mutex<Vec<Lie>>,
    forgery: Mutex<Option<Forgery>>,
    ear: Mutex<Option<Ear>>,
    key: NodeKey,
    kept: Kept,
    peers: Mutex<Vec<Peer>>,
    submitted: AtomicU32,
    asked: AtomicU32,
    holding: AtomicBool,
}

/// A listening node.
pub(crate) struct TestNode {
    inner: Arc<Inner>,
    server: Server,
    key: NodeKey,
}

impl TestNode {
    /// An honest node of a ledger, on a port of its own.
    pub(crate) fn honest(world: &Arc<World>) -> Self {
        let mut seed = [0; 32];
        crate::chance::fill(&mut seed);
        let key = NodeKey::from_seed(&seed);
        let inner = Arc::new(Inner {
            world: Mutex::new(Arc::clone(world)),
            lies: Mutex::default(),
            forgery: Mutex::default(),
            ear: Mutex::default(),
            key: key.clone(),
            kept: Kept::default(),
            peers: Mutex::default(),
            submitted: AtomicU32::new(0),
            asked: AtomicU32::new(0),
            holding: AtomicBool::new(false),
        });
        let service = Answering(Arc::clone(&inner));
        let address = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(address, &Identity::new(&key), ServerLimits::DEFAULT, service).unwrap();
        Self { inner, server, key }
    }

    pub(crate) fn lying(world: &Arc<World>, lie: Lie) -> Self {
        let node = Self::honest(world);
        node.lie(lie);
        node
    }

    pub(crate) fn lie(&self, lie: Lie) {
        self.inner.lies.lock().unwrap_or_else(PoisonError::into_inner).push(lie);
    }

    /// Answers everything in another way than an honest node from now on.
    pub(crate) fn forges(&self, forgery: impl Fn(&World, &Request, Reply) -> Reply + Send + Sync + 'static) {
        *self.inner.forgery.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(forgery));
    }

    /// Tells somebody every request from now on, before it is answered.
    pub(crate) fn tells(&self, ear: impl Fn(&Request) + Send + Sync + 'static) {
        self.tells_who(move |_, request| ear(request));
    }

    /// The same, with what the connection shows of whoever asks.
    pub(crate) fn tells_who(&self, ear: impl Fn(&PeerInfo, &Request) + Send + Sync + 'static) {
        *self.inner.ear.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ear));
    }

    pub(crate) fn repent(&self) {
        self.inner.lies.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Serves another ledger from now on.
    pub(crate) fn serve(&self, world: &Arc<World>) {
        *self.inner.world.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(world);
    }

    pub(crate) fn knows(&self, other: &Self) {
        let peer = Peer {
            node: other.key.public(),
            address: other.server.address().unwrap(),
            role: Role::Follower,
        };
        self.inner
            .peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(peer);
    }

    pub(crate) fn address(&self) -> NodeAddress {
        NodeAddress::new(&self.server.address().unwrap().to_string(), self.key.public()).unwrap()
    }

    /// What it keeps of files.
    pub(crate) fn kept(&self) -> &Kept {
        &self.inner.kept
    }

    /// Envelopes that were handed to it.
    pub(crate) fn submitted(&self) -> u32 {
        self.inner.submitted.load(Ordering::Relaxed)
    }

    /// Requests that it was asked.
    pub(crate) fn asked(&self) -> u32 {
        self.inner.asked.load(Ordering::Relaxed)
    }

    /// Whether a request was held back.
    pub(crate) fn is_holding(&self) -> bool {
        self.inner.holding.load(Ordering::Relaxed)
    }

    /// Stops listening and hangs up.
    pub(crate) async fn shut_down(self) {
        self.server.shut_down(Duration::from_millis(100)).await;
    }
}

struct Answering(Arc<Inner>);

impl Service for Answering {
    async fn call(&self, from: PeerInfo, request: Request, responder: Responder) {
        let inner = Arc::clone(&self.0);
        inner.asked.fetch_add(1, Ordering::Relaxed);
        let ear = inner.ear.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(ear) = ear {
            ear(&from, &request);
        }
        let kind = request.kind();
        while inner.lies(&Lie::Holds(kind)) {
            inner.holding.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if inner.lies(&Lie::Silent(kind)) {
            std::future::pending::<()>().await;
        }
        if let Request::Beacon { newer_than_ms, wait_ms } = &request {
            inner.await_newer(*newer_than_ms, *wait_ms).await;
        }
        if let Request::Subscribe { logs, held, watch } = request {
            subscription(inner, logs.into_vec(), held, watch, responder).await;
            return;
        }
        let reply = inner.answer(request);
        responder.reply(reply).await;
    }
}

impl Inner {
    fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lies(&self, lie: &Lie) -> bool {
        self.find(|found| (found == lie).then_some(())).is_some()
    }

    fn find<R>(&self, find: impl Fn(&Lie) -> Option<R>) -> Option<R> {
        self.lies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find_map(find)
    }

    fn answer(&self, request: Request) -> Reply {
        let kind = request.kind();
        let refusal = self.find(|lie| match lie {
            Lie::Refuses(refused, refusal) if *refused == kind => Some(*refusal),
            _ => None,
        });
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let forgery = self.forgery.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reply = match forgery {
            Some(forge) => forge(&self.world(), &request, self.honest(request.clone())),
            None => self.honest(request),
        };
        if self.lies(&Lie::Garbled(kind)) {
            return reply.map(garble);
        }
        reply
    }

    fn honest(&self, request: Request) -> Reply {
        let world = self.world();
        let ahead = Refusal::HeightAhead { newest: world.height() };
        match request {
            Request::Genesis => Ok(Response::Genesis(bytes(&self.genesis(&world)))),
            Request::Submit { envelopes, .. } => Ok(self.submit(&world, &envelopes)),
            Request::Head { .. } if self.lies(&Lie::Behind) => Err(Refusal::HeightAhead { newest: 0 }),
            Request::Head { held } => world
                .head_update(held)
                .map(|update| Response::Head(bytes(&update)))
                .ok_or(ahead),
            Request::Log { log, held } => self.log(&world, log, held).ok_or(ahead),
            Request::Entries {
                log,
                from,
                count,
                bytes,
                bodies,
            } => self.entries(&world, log, from, (count, bytes), bodies),
            Request::Receipt { log, index } => self.receipt(&world, log, index).ok_or(Refusal::UnknownLog),
            Request::Headers { from, .. } => {
                let header = world.header(from).ok_or(ahead)?;
                Ok(Response::Headers(List::new(vec![bytes(&header)]).unwrap()))
            }
            Request::HistoryProof { height, size } => {
                let (header, proof) = world.history(height, size).ok_or(ahead)?;
                Ok(Response::HistoryProof {
                    header: bytes(&header),
                    proof: bytes(&proof),
                })
            }
            Request::Blocks { from, .. } => {
                let block = world.block(from).ok_or(ahead)?;
                Ok(Response::Blocks(List::new(vec![bytes(&block)]).unwrap()))
            }
            Request::Beacon { newer_than_ms, .. } => self.beacon(&world, newer_than_ms),
            Request::Reveal { log, index, secret } => reveal(&world, &log, index, secret),
            Request::Peers => {
                let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Ok(Response::Peers(List::new(peers).unwrap()))
            }
            Request::Report { evidence } => {
                world.report(Evidence::from_bytes(&evidence).map_err(|_| Refusal::NoEvidence)?);
                Ok(Response::Report)
            }
            Request::Status
            | Request::Ready
            | Request::Statement { .. }
            | Request::Subscribe { .. }
            | Request::Order { .. }
            | Request::Spread { .. }
            | Request::Missing { .. }
            | Request::Confirm { .. }
            | Request::Snapshot { .. } => Err(Refusal::NotAllowed),
            about_chunks @ (Request::PutChunk { .. }
            | Request::GetChunk { .. }
            | Request::HaveChunks { .. }
            | Request::ChunkTerms) => self.kept.answer(&world, about_chunks),
        }
    }

    fn genesis(&self, world: &World) -> Genesis {
        if self.lies(&Lie::OtherGenesis) {
            let validator = VoteKey::from_seed(&[77; 32]).public();
            return Genesis::new("other", 1, Parameters::DEFAULT, vec![validator]).unwrap();
        }
        world.genesis.clone()
    }

    fn log(&self, world: &World, log: LogId, held: u64) -> Option<Response> {
        let shown = self.find(|lie| match lie {
            Lie::OtherLogProof(other) => Some(*other),
            _ => None,
        });
        let proof = world.head_proof(&shown.unwrap_or(log), held)?;
        Some(Response::Log(bytes(&proof)))
    }

    fn submit(&self, world: &World, envelopes: &[Opaque]) -> Response {
        let admissions = envelopes.iter().map(|envelope| self.admit(world, envelope)).collect();
        Response::Submit(List::new(admissions).unwrap())
    }

    fn admit(&self, world: &World, envelope: &[u8]) -> Admission {
        self.submitted.fetch_add(1, Ordering::Relaxed);
        let refusal = self.find(|lie| match lie {
            Lie::TakesNone(refusal) => Some(*refusal),
            _ => None,
        });
        if let Some(refusal) = refusal {
            return Admission::Refused(refusal);
        }
        if self.lies(&Lie::FalseFinal) {
            return Admission::Final {
                index: 0,
                height: world.height(),
            };
        }
        if self.lies(&Lie::Forgets) {
            let envelope = waxwing_core::envelope::Envelope::from_bytes(envelope).unwrap();
            return Admission::Acknowledged(self.promise(world, envelope.signed.entry_id(&world.keys)));
        }
        match world.submit(envelope) {
            Admitted::Taken(entry) => Admission::Acknowledged(self.promise(world, entry)),
            Admitted::Waiting(entry) => Admission::Waiting(self.promise(world, entry)),
            Admitted::Final { index, height } => Admission::Final { index, height },
            Admitted::Unknown(newest) => Admission::Refused(EnvelopeRefusal::UnknownAnchor { newest }),
            Admitted::Expired(newest) => Admission::Refused(EnvelopeRefusal::ExpiredAnchor { newest }),
            Admitted::Malformed => Admission::Refused(EnvelopeRefusal::Malformed),
        }
    }

    fn promise(&self, world: &World, entry: Hash) -> Opaque {
        let (other, now) = (NodeKey::from_seed(&[99; 32]), world.clock.now());
        let sign = |key: &NodeKey, entry| Acknowledgement::sign(key, world.network(), entry, now);
        bytes(&if self.lies(&Lie::FalsePromise) {
            Acknowledgement {
                node: other.public(),
                ..sign(&self.key, entry)
            }
        } else if self.lies(&Lie::OtherPromise) {
            sign(&self.key, Hash([7; 32]))
        } else if self.lies(&Lie::PassesOn) {
            sign(&other, entry)
        } else {
            sign(&self.key, entry)
        })
    }

    fn entries(
        &self,
        world: &World,
        log: LogId,
        from: u64,
        (count, room): (NonZeroU32, NonZeroU32),
        bodies: Bodies,
    ) -> Reply {
        let mut all = world.log(&log);
        let end = self.find(|lie| match lie {
            Lie::EndsAfter(end) => Some(*end),
            _ => None,
        });
        all.truncate(end.unwrap_or(usize::MAX));
        if all.is_empty() || self.lies(&Lie::NoEntries) {
            return Err(Refusal::UnknownLog);
        }
        let start = usize::try_from(from).unwrap();
        if start > all.len() {
            let length = u64::try_from(all.len()).unwrap();
            return Err(Refusal::IndexAhead { length });
        }
        let count = usize::try_from(count.get()).unwrap();
        let fewer = self.find(|lie| match lie {
            Lie::SmallPages(most) => Some(*most),
            _ => None,
        });
        let (mut entries, mut used) = (Vec::new(), 0);
        for (index, row) in (from..).zip(all.iter().skip(start).take(count.min(fewer.unwrap_or(count)))) {
            let entry = self.entry(row, index, bodies);
            used += entry.len();
            if !entries.is_empty() && used > usize::try_from(room.get()).unwrap() {
                break;
            }
            entries.push(Opaque::from(entry));
        }
        Ok(Response::Entries(Entries {
            from,
            frontier: bytes(&Frontier::empty()),
            entries: List::new(entries).unwrap(),
            length: u64::try_from(all.len()).unwrap(),
        }))
    }

    fn entry(&self, row: &LogRow, index: u64, bodies: Bodies) -> Vec<u8> {
        let LogRow { mut place, mut carried } = row.clone();
        if self.lies(&Lie::MovedEntry) {
            place.time += 1;
        }
        if let (Body::Present(body), true) = (&mut carried.body, self.lies(&Lie::AlteredBodies)) {
            body[0] ^= 1;
        }
        if self.lies(&Lie::NoBodies) || self.lies(&Lie::NoBody(index)) {
            carried.body = Body::Withheld;
        }
        if self.lies(&Lie::FalselyExpired) {
            carried.body = Body::Expired;
        }
        let mut out = Vec::new();
        place.encode(&mut out);
        match bodies {
            Bodies::With => carried.encode(&mut out),
            Bodies::Without => carried.signed.encode(&mut out),
        }
        out
    }

    fn receipt(&self, world: &World, log: LogId, index: u64) -> Option<Response> {
        let index = if self.lies(&Lie::OtherReceipt) { 0 } else { index };
        let mut receipt = world.receipt(&log, index)?;
        if self.lies(&Lie::SpoiltReceipt) {
            receipt.head.certificate.round += 1;
        }
        Some(Response::Receipt(bytes(&receipt)))
    }

    /// The time of a beacon made now.
    fn beacon_time(&self, world: &World) -> u64 {
        let age = self.find(|lie| match lie {
            Lie::OldBeacons(age) => Some(*age),
            _ => None,
        });
        world.clock.now() - age.unwrap_or(0)
    }

    /// As long as the asker would wait, until a beacon would be newer than the one it has.
    async fn await_newer(&self, newer_than_ms: u64, wait_ms: u64) {
        let newer = async {
            while self.beacon_time(&self.world()) <= newer_than_ms {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(wait_ms), newer).await;
    }

    fn beacon(&self, world: &World, newer_than_ms: u64) -> Reply {
        let time = self.beacon_time(world);
        if time <= newer_than_ms {
            return Err(Refusal::NoBeacon);
        }
        let mut beacon = world.beacon(time);
        if self.lies(&Lie::SpoiltBeacons) {
            beacon.time += 1;
        }
        Ok(Response::Beacon(bytes(&beacon)))
    }
}

fn reveal(world: &World, log: &LogId, index: u64, secret: ErasureSecret) -> Reply {
    if world.erase(log, index, secret) {
        Ok(Response::Reveal)
    } else {
        Err(Refusal::WrongSecret)
    }
}

/// Pushes entries with their proof when a block brought some, else the head.
async fn subscription(inner: Arc<Inner>, logs: Vec<FollowLog>, held: u64, watch: Watch, responder: Responder) {
    let world = inner.world();
    let mut tips = world.tips();
    let Ok(mut pushes) = responder.subscribe().await else {
        return;
    };
    let (mut next, mut shown) = (logs, held);
    loop {
        tips.borrow_and_update();
        if !inner.lies(&Lie::NeverPushes)
            && push_news(&inner, &world, &mut next, &mut shown, watch, &mut pushes)
                .await
                .is_err()
        {
            return;
        }
        tokio::select! {
            changed = tips.changed() => if changed.is_err() { return },
            () = pushes.gone() => return,
        }
    }
}

async fn push_news(
    inner: &Inner,
    world: &World,
    next: &mut [FollowLog],
    shown: &mut u64,
    watch: Watch,
    pushes: &mut Pushes,
) -> Result<(), waxwing_net::quic::Gone> {
    for follow in next.iter_mut() {
        let length = world.length(&follow.log);
        if length <= follow.from {
            continue;
        }
        let Some(proof) = world.head_proof(&follow.log, *shown) else {
            continue;
        };
        let room = NonZeroU32::new(1 << 20).unwrap();
        let count = NonZeroU32::new(1024).unwrap();
        let reply = inner.entries(world, follow.log, follow.from, (count, room), Bodies::With);
        let Ok(Response::Entries(entries)) = reply else {
            continue;
        };
        *shown = proof.update.head.header.height;
        follow.from += u64::try_from(entries.entries.len()).unwrap();
        let push = Push::Entries {
            log: follow.log,
            entries,
            proof: bytes(&proof),
        };
        pushes.send(&push).await?;
    }
    let newest = world.height();
    if watch != Watch::Logs
        && newest > *shown
        && let Some(update) = world.head_update(*shown)
    {
        *shown = newest;
        pushes.send(&Push::Head(bytes(&update))).await?;
    }
    if watch == Watch::HeadsAndBeacons {
        pushes
            .send(&Push::Beacon(bytes(&world.beacon(world.clock.now()))))
            .await?;
    }
    Ok(())
}
