//! Reading logs: every entry recomputed to the proven root, every body checked, each opened in certified order.
//!
//! ```text
//! head proof ──> proven length and root
//!     few entries missing:  fetch with bodies ──extend──> proven state ──> open, store
//!     many:                 measure without bodies ──> states on the way, proven by the last root
//!                           then piece by piece: fetch with bodies ──extend──> its proven state ──> open, store
//! ```
//!
//! A root says nothing about a prefix, so a long log cannot be checked page by page without help; measured first, each
//! piece has a proven end of its own, memory stays bounded, and what was stored stays when the client is interrupted.
//!
//! Inboxes are read like a long log, and only those bodies are fetched that can lead to anything by their headers
//! (`inbox/expected`): strangers decide what else lies there.
//!
//! A body that no asked node gives is stored as withheld, shown as such, and asked for again; the reading goes on: one
//! withheld body must not hide everything after it.

use core::num::NonZeroU32;
use std::collections::BTreeMap;

use waxwing_core::envelope::{Body, Carried, SignedHeader};
use waxwing_core::follow::{Follow, HeadProof};
use waxwing_core::keys::LogId;
use waxwing_core::log::{LogCursor, LogError, LogState, Place, log_leaf, log_tree};
use waxwing_core::logmap::MapLeaf;
use waxwing_core::{Hash, HashKeys};
use waxwing_net::wire::Refusal;

use crate::core::Core;
use crate::error::{Error, Trouble};
use crate::groups::open::Read;
use crate::inbox::expected::Expected;
use crate::limits::{ENTRIES_PER_TRANSACTION_MAX, HEADERS_PER_PAGE, PAGE_BYTES};
use crate::message::ChannelId;
use crate::nodes::Fault;
use crate::open::{self, Checked};
use crate::peer::Peer;
use crate::store::channels::{Channel, Proven};
use crate::store::{StoreError, channels, networks};
use crate::trust::{self, Taken};

/// How often something is tried again because another process was faster.
const TRIES: u32 = 5;

/// Bodies in one piece of a measured log, in bytes: what is held in memory before it is proven.
const PIECE_BYTES: u64 = 4 << 20;

/// What a head says about a channel's log, and how far it has been read.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) channel: Channel,
    /// `None` if there is no such log.
    pub(crate) leaf: Option<MapLeaf>,
    /// Time of the head: what excuses of absent bodies are judged by.
    pub(crate) head_time: u64,
    /// The head.
    pub(crate) follow: Follow,
}

impl Target {
    /// Entries that are proven to exist and were not read.
    pub(crate) fn missing(&self) -> u64 {
        let proven = self.leaf.map_or(0, |leaf| leaf.length);
        proven.saturating_sub(self.channel.state.length())
    }
}

/// One ledger, read through one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) core: &'a Core,
    pub(crate) network: Hash,
    pub(crate) keys: &'a HashKeys,
    pub(crate) peer: &'a Peer,
}

impl Reading<'_> {
    /// Proves the state of a channel's log under the node's newest head, and reads everything up to it.
    pub(crate) async fn read_log(&self, channel: ChannelId) -> Result<(), Trouble> {
        let mut tries = 0;
        while tries < TRIES {
            let Some(target) = self.prove_log(channel).await? else {
                tries += 1;
                continue;
            };
            match self.read_up_to(&target).await? {
                Went::Through => return Ok(()),
                Went::Elsewhere => tries += 1,
                // One more of the epochs that this device has missed.
                Went::NextLog if self.is_live(channel).await? => {}
                Went::NextLog => return Ok(()),
            }
        }
        // Another process is always a step ahead: it reads what is to be read. Nobody relies on this call alone, what
        // counts is what is stored.
        Ok(())
    }

    async fn is_live(&self, channel: ChannelId) -> Result<bool, StoreError> {
        let row = self.core.read(move |tx| channels::load(tx, channel)).await?;
        Ok(row.is_some_and(|row| row.is_live))
    }

    /// One question, one answer: the newest head and the log under it. `None` if another process moved the held head.
    async fn prove_log(&self, channel: ChannelId) -> Result<Option<Target>, Trouble> {
        let network = self.network;
        let held = trust::load(self.core, network).await?.follow();
        let row = self.core.read(move |tx| channels::load(tx, channel)).await?;
        let log = row.ok_or(Error::UnknownChannel)?.log();
        match self.peer.log(log, held.header().height).await? {
            Some(proof) => self.take_proof(channel, log, held.id(), proof).await,
            None => self.nothing_ordered(channel, held).await.map(Some),
        }
    }

    /// The ledger has block 0 and no other: every log is empty, by the founding facts alone.
    async fn nothing_ordered(&self, channel: ChannelId, founding: Follow) -> Result<Target, Trouble> {
        let target = self.core.write::<_, Error>(move |tx| {
            channels::set_proven(tx, channel, &proven(&founding, None))?;
            Ok(Target {
                channel: channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?,
                leaf: None,
                head_time: founding.header().time,
                follow: founding,
            })
        });
        Ok(target.await?)
    }

    /// Accepts a head proof that starts from the block `base` and is about `log`, and says what is to be read. `None` if
    /// it has to be asked for again, from what is held now.
    pub(crate) async fn take_proof(
        &self,
        channel: ChannelId,
        log: LogId,
        base: Hash,
        proof: HeadProof,
    ) -> Result<Option<Target>, Trouble> {
        let (network, from, now) = (self.network, self.peer.node(), self.core.clock.now());
        let taken = self.core.write::<_, Error>(move |tx| {
            let follow = match trust::take(tx, network, from, base, &proof.update, now)? {
                Taken::Held(follow) => follow,
                Taken::BaseMoved => return Ok(Ok(None)),
                Taken::Refused(fault) => return Ok(Err(fault)),
            };
            if proof.update.is_partial() {
                // Hundreds of terms have passed: the log is told under the newest head, and this one is on the way.
                return Ok(Ok(None));
            }
            let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
            if channel.log() != log {
                // The epoch ended between the question and its answer: the answer is true, but about the log before.
                return Ok(Ok(None));
            }
            match judge_log(&follow, &channel, &proof) {
                Ok(target) => {
                    channels::set_proven(tx, channel.id, &proven(&follow, target.leaf.as_ref()))?;
                    Ok(Ok(Some(target)))
                }
                Err(fault) => Ok(Err(fault)),
            }
        });
        Ok(taken.await??)
    }

    /// Reads what a head proves to exist and was not read yet.
    pub(crate) async fn read_up_to(&self, target: &Target) -> Result<Went, Trouble> {
        let (Some(leaf), missing) = (target.leaf, target.missing()) else {
            return Ok(Went::Through);
        };
        if missing == 0 {
            return Ok(Went::Through);
        }
        let log = target.channel.log();
        let expected = self.expected(&target.channel).await?;
        if missing <= u64::from(ENTRIES_PER_TRANSACTION_MAX) && expected.is_all() {
            let count = self.count(missing);
            let first = self
                .peer
                .entries(log, target.channel.state.length(), count, page_bytes());
            let first = first
                .await
                .map_err(withheld(target.channel.state.length(), leaf.length))?;
            if u64::try_from(first.len()) == Ok(missing) {
                return self.store_piece(target, &target.channel.state, leaf, first).await;
            }
        }
        let mut start = target.channel.state.clone();
        for end in self.measure(&expected, &start, &leaf).await? {
            let entries = if expected.is_all() {
                self.piece(log, start.length(), end.length()).await?
            } else {
                self.wanted_piece(&expected, log, (start.length(), end.length()))
                    .await?
            };
            match self.store_piece(target, &start, end.leaf(self.keys), entries).await? {
                Went::Through => start = end,
                elsewhere => return Ok(elsewhere),
            }
        }
        Ok(Went::Through)
    }

    async fn expected(&self, channel: &Channel) -> Result<Expected, StoreError> {
        let channel = channel.clone();
        self.core.read(move |tx| Expected::of(tx, &channel)).await
    }

    fn count(&self, missing: u64) -> NonZeroU32 {
        let count = u32::try_from(missing)
            .unwrap_or(u32::MAX)
            .min(ENTRIES_PER_TRANSACTION_MAX);
        NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
    }

    /// Recomputes a log without bodies from `start` to the proven state, and says where it can be cut: every returned
    /// state is proven by the last one.
    async fn measure(&self, expected: &Expected, start: &LogState, leaf: &MapLeaf) -> Result<Vec<LogState>, Fault> {
        let mut state = start.clone();
        let mut cuts = Cuts::default();
        while state.length() < leaf.length {
            let missing = leaf.length - state.length();
            let count = u32::try_from(missing).unwrap_or(u32::MAX).min(HEADERS_PER_PAGE);
            let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
            let page = self.peer.entry_headers(start.log, state.length(), count, page_bytes());
            let page = page.await.map_err(withheld(state.length(), leaf.length))?;
            if page.is_empty() {
                return Err(withheld_entries(state.length(), leaf.length));
            }
            for (place, signed) in page {
                let is_wanted = expected.wants(&place, &signed.header);
                cuts.before(&state, if is_wanted { signed.header.body_length } else { 0 });
                append(self.keys, &mut state, &signed.entry_id(self.keys), &place);
            }
        }
        if state.leaf(self.keys) != *leaf {
            return Err(Fault::Entries(LogError::WrongRoot));
        }
        cuts.states.push(state);
        Ok(cuts.states)
    }

    /// The entries of one piece with their bodies, page by page.
    async fn piece(&self, log: LogId, start: u64, end: u64) -> Result<Vec<(Place, Carried)>, Fault> {
        let mut entries: Vec<(Place, Carried)> = Vec::new();
        let mut next = start;
        while next < end {
            let page = self.peer.entries(log, next, self.count(end - next), page_bytes());
            let page = page.await.map_err(withheld(next, end))?;
            if page.is_empty() {
                return Err(withheld_entries(next, end));
            }
            next = next.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
            entries.extend(page);
        }
        Ok(entries)
    }

    /// The same, with those bodies alone that can lead to anything. The others count as kept back until
    /// [`Self::store_piece`] passes them over.
    async fn wanted_piece(
        &self,
        expected: &Expected,
        log: LogId,
        (start, end): (u64, u64),
    ) -> Result<Vec<(Place, Carried)>, Fault> {
        let mut headers: Vec<(Place, SignedHeader)> = Vec::new();
        let mut next = start;
        while next < end {
            let page = self.peer.entry_headers(log, next, self.count(end - next), page_bytes());
            let page = page.await.map_err(withheld(next, end))?;
            if page.is_empty() {
                return Err(withheld_entries(next, end));
            }
            next = next.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
            headers.extend(page);
        }
        let is_wanted = |(place, signed): &(Place, SignedHeader)| expected.wants(place, &signed.header);
        let (mut entries, mut next) = (Vec::new(), start);
        for run in headers.chunk_by(|one, other| is_wanted(one) == is_wanted(other)) {
            let behind = next.saturating_add(u64::try_from(run.len()).unwrap_or(u64::MAX));
            if run.first().is_some_and(is_wanted) {
                entries.extend(self.piece(log, next, behind).await?);
            } else {
                let unread = |(place, signed): &(Place, SignedHeader)| {
                    let body = Body::Withheld;
                    (
                        *place,
                        Carried {
                            signed: signed.clone(),
                            body,
                        },
                    )
                };
                entries.extend(run.iter().map(unread));
            }
            next = behind;
        }
        Ok(entries)
    }

    /// Checks a piece against its proven end, asks others for bodies that this node lacks, opens and stores.
    pub(crate) async fn store_piece(
        &self,
        target: &Target,
        start: &LogState,
        end: MapLeaf,
        entries: Vec<(Place, Carried)>,
    ) -> Result<Went, Trouble> {
        let check = || check_piece(self.keys, start, &end, entries, target.head_time);
        let mut checked = tracing::trace_span!("check").in_scope(check)?;
        let expected = self.expected(&target.channel).await?;
        for entry in &mut checked {
            if !expected.wants(&entry.place, &entry.signed.header) {
                entry.pass_over();
            }
        }
        let withheld = self.fill_gaps(target, start.length(), &mut checked).await?;
        let channel = target.channel.id;
        let (base, keys, network) = (start.clone(), self.keys.clone(), self.network);
        let now = self.core.clock.now();
        let (went, has_more) = self
            .core
            .write::<_, StoreError>(move |tx| {
                // Another process may have read on, or forgotten the conversation.
                let is_here = |row: &Channel| row.log() == base.log && row.state.length() == base.length();
                let row = channels::load(tx, channel)?.filter(is_here);
                let Some(row) = row else {
                    return Ok((Went::Elsewhere, false));
                };
                debug_assert_eq!(row.network, network, "a channel never changes its ledger");
                Ok(match open::store(tx, &keys, &row, checked, now)? {
                    Read::Whole | Read::ToMissing => (Went::Through, false),
                    Read::WithMore => (Went::Through, true),
                    Read::ToClosing => (Went::NextLog, true),
                })
            })
            .await?;
        if has_more {
            self.core.lists_changed();
        }
        match withheld {
            // What it gave is stored; for what comes next another node is asked.
            Some(index) => Err(Fault::WithheldBody { index }.into()),
            None => Ok(went),
        }
    }

    /// Bodies that this node keeps back are asked of the others, once each, before they are called withheld. Returns
    /// the first of them.
    async fn fill_gaps(&self, target: &Target, base: u64, checked: &mut [Checked]) -> Result<Option<u64>, StoreError> {
        let channel = target.channel.id;
        let mut gaps: BTreeMap<u64, &mut Checked> =
            (base..).zip(checked).filter(|(_, entry)| !entry.is_settled()).collect();
        let Some(first) = gaps.keys().next().copied() else {
            return Ok(None);
        };
        let own: Vec<(u64, Hash)> = gaps
            .iter()
            .map(|(index, entry)| (*index, entry.signed.header.body_hash))
            .collect();
        for (index, body) in self.core.read(move |tx| open::own_bodies(tx, channel, &own)).await? {
            if let Some(entry) = gaps.remove(&index) {
                entry.fill(Body::Present(body), target.head_time);
            }
        }
        for node in self.core.nodes(self.network).await? {
            if gaps.is_empty() {
                break;
            }
            if node.address.id() == self.peer.node() {
                continue;
            }
            let Ok(other) = self.core.peer(self.network, &node.address).await else {
                continue;
            };
            let asked = Reading { peer: &other, ..*self };
            gaps = asked.fill_from(target, gaps).await?;
        }
        Ok(Some(first))
    }

    /// Asks this node for single bodies that another one keeps back; returns the gaps that are left.
    async fn fill_from<'a>(
        &self,
        target: &Target,
        gaps: BTreeMap<u64, &'a mut Checked>,
    ) -> Result<BTreeMap<u64, &'a mut Checked>, StoreError> {
        let mut left = BTreeMap::new();
        let mut gaps = gaps.into_iter();
        for (index, entry) in gaps.by_ref() {
            match self.body_of(target.channel.log(), index, &entry.signed).await {
                Ok(body) => {
                    entry.fill(body, target.head_time);
                    if !entry.is_settled() {
                        left.insert(index, entry);
                    }
                }
                Err(fault) => {
                    left.insert(index, entry);
                    self.core.blame(self.network, self.peer.node(), &fault).await?;
                    break;
                }
            }
        }
        left.extend(gaps);
        Ok(left)
    }

    /// What this node gives as the body of exactly this entry.
    async fn body_of(&self, log: LogId, index: u64, signed: &SignedHeader) -> Result<Body, Fault> {
        let given = self.peer.entries(log, index, NonZeroU32::MIN, page_bytes()).await?;
        let same = given.into_iter().find(|(_, carried)| carried.signed == *signed);
        let (_, carried) = same.ok_or(Fault::WithheldBody { index })?;
        carried
            .body
            .check(&signed.header, self.keys)
            .map_err(Fault::AlteredBody)?;
        Ok(carried.body)
    }

    /// Asks this node again for bodies that nobody gave so far.
    pub(crate) async fn ask_for_withheld(&self, channel: ChannelId) -> Result<(), Trouble> {
        let (row, waiting) = self.core.read(move |tx| open::withheld(tx, channel)).await?;
        let Some(row) = row else { return Ok(()) };
        let head_time = trust::load(self.core, self.network).await?.held.header.time;
        let now = self.core.clock.now();
        for (index, signed, place) in waiting {
            let body = self.body_of(row.log(), index, &signed).await?;
            let entry = Checked::new(self.keys, place, Carried { signed, body }, head_time);
            if entry.is_settled() {
                let (id, keys) = (row.id, self.keys.clone());
                self.core
                    .write(move |tx| open::settle(tx, &keys, id, index, entry, now))
                    .await?;
            }
        }
        Ok(())
    }
}

/// Whether a piece was stored, or another process had read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Went {
    Through,
    Elsewhere,
    /// It was stored, and the log is over: the conversation has another one now, or none.
    NextLog,
}

/// What the head proof says about a channel's log, held against what was read of it.
fn judge_log(follow: &Follow, channel: &Channel, proof: &HeadProof) -> Result<Target, Fault> {
    let leaf = follow.check_log(&channel.log(), &proof.log).map_err(Fault::LogProof)?;
    let (have, claimed) = (channel.state.length(), leaf.map_or(0, |leaf| leaf.length));
    if claimed < have {
        return Err(Fault::Shrunk { proven: have, claimed });
    }
    let same_root = leaf.is_none_or(|leaf| leaf == channel.state.leaf(follow.keys()));
    if claimed == have && !same_root {
        return Err(Fault::Entries(LogError::WrongRoot));
    }
    Ok(Target {
        channel: channel.clone(),
        leaf,
        head_time: follow.header().time,
        follow: follow.clone(),
    })
}

pub(crate) fn proven(follow: &Follow, leaf: Option<&MapLeaf>) -> Proven {
    Proven {
        height: follow.header().height,
        head: follow.id(),
        time: follow.header().time,
        length: leaf.map_or(0, |leaf| leaf.length),
    }
}

fn append(keys: &HashKeys, state: &mut LogState, entry: &Hash, place: &Place) {
    state.frontier.append(&log_tree(keys), log_leaf(keys, entry, place));
    state.last_height = place.height;
}

/// Where a measured log is cut: so that no piece has more entries or bytes than a transaction should.
#[derive(Default)]
struct Cuts {
    states: Vec<LogState>,
    entries: u32,
    bytes: u64,
}

impl Cuts {
    fn before(&mut self, state: &LogState, body_length: u32) {
        let bytes = self.bytes.saturating_add(u64::from(body_length));
        if self.entries > 0 && (self.entries >= ENTRIES_PER_TRANSACTION_MAX || bytes > PIECE_BYTES) {
            self.states.push(state.clone());
            *self = Self {
                states: core::mem::take(&mut self.states),
                ..Self::default()
            };
        }
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(u64::from(body_length));
    }
}

const fn page_bytes() -> NonZeroU32 {
    match NonZeroU32::new(PAGE_BYTES) {
        Some(bytes) => bytes,
        None => NonZeroU32::MIN,
    }
}

const fn withheld_entries(have: u64, proven: u64) -> Fault {
    Fault::WithheldEntries { have, proven }
}

/// "I have no such entries" is withholding, if they are proven to exist.
fn withheld(have: u64, proven: u64) -> impl Fn(Fault) -> Fault {
    move |fault| match fault {
        Fault::Refused(Refusal::IndexAhead { .. } | Refusal::UnknownLog | Refusal::Pruned { .. }) => {
            withheld_entries(have, proven)
        }
        other => other,
    }
}

/// Recomputes a piece to its proven end, and checks every body against its entry. On a failure nothing was stored.
fn check_piece(
    keys: &HashKeys,
    start: &LogState,
    end: &MapLeaf,
    entries: Vec<(Place, Carried)>,
    head_time: u64,
) -> Result<Vec<Checked>, Fault> {
    let leaves: Vec<(Hash, Place)> = entries
        .iter()
        .map(|(place, carried)| (carried.signed.entry_id(keys), *place))
        .collect();
    LogCursor::at(start.clone())
        .extend(keys, &leaves, end)
        .map_err(|error| match error {
            LogError::Withheld { have, proven } => withheld_entries(have, proven),
            error => Fault::Entries(error),
        })?;
    entries
        .into_iter()
        .map(|(place, carried)| {
            carried
                .body
                .check(&carried.signed.header, keys)
                .map_err(Fault::AlteredBody)?;
            Ok(Checked::new(keys, place, carried, head_time))
        })
        .collect()
}

/// The signed header and place of a stored entry, to compare what a node gives with.
pub(crate) type Waiting = (u64, SignedHeader, Place);

/// Held head and layer 3 view of a channel: what a new message says it has seen.
pub(crate) fn view_of(tx: &crate::store::Transaction<'_>, channel: &Channel) -> Result<waxwing_seal::View, StoreError> {
    let network = networks::load(tx, channel.network)?.ok_or(StoreError::Damaged)?;
    Ok(view_on(&network, &network.genesis.keys(), channel))
}

/// The same, of a ledger whose row is at hand.
pub(crate) fn view_on(network: &networks::Network, keys: &HashKeys, channel: &Channel) -> waxwing_seal::View {
    match channel.proven.filter(|_| channel.is_read()) {
        Some(proven) if proven.length > 0 => waxwing_seal::View {
            height: proven.height,
            head: proven.head,
            length: proven.length,
            root: channel.state.leaf(keys).root,
        },
        Some(proven) => waxwing_seal::View::empty_log(proven.height, proven.head),
        // Nothing is proven of this log yet: all that can be said is which head is held.
        None => {
            let follow = network.follow();
            waxwing_seal::View::empty_log(follow.header().height, follow.id())
        }
    }
}
