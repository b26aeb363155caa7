//! The search: needles that must not be there, sizes that must be buckets, values that must not repeat.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::Envelope;
use waxwing_core::keys::{LogId, NodeId};
use waxwing_core::limits::CHUNK_OVERHEAD_BYTES;
use waxwing_net::wire::{List, Opaque, Request};

use super::{Capture, Seen};

/// Bytes that two logs must not share.
const WINDOW: usize = 16;

/// What somebody could learn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    /// Which group.
    GroupId,
    /// How many changes it has had.
    Epoch,
    /// Who is in it: accounts, devices, their certificates, the names that they show.
    Member,
    /// What kind of message it is: the front of what the group library writes.
    ContentType,
    /// What is said, what things are called, what files are called.
    Words,
    /// Which message: content ids, erase salts before they are revealed.
    Message,
    /// Which key package a newcomer offered.
    KeyPackage,
    /// Keys: of logs, devices, accounts, files.
    Key,
    /// Whose inbox it is, and for what: its seed, its keys, the link that leads there.
    Inbox,
    /// How long a text or file is.
    Size,
    /// Two logs that belong together.
    Repeat,
}

impl Class {
    pub(super) const ALL: [Self; 11] = [
        Self::GroupId,
        Self::Epoch,
        Self::Member,
        Self::ContentType,
        Self::Words,
        Self::Message,
        Self::KeyPackage,
        Self::Key,
        Self::Inbox,
        Self::Size,
        Self::Repeat,
    ];
}

/// What the clients know and a node must not.
#[derive(Default)]
pub(super) struct Known {
    /// Each also looked for as hexadecimal digits, unless it is text.
    pub(super) needles: BTreeMap<Class, BTreeSet<Vec<u8>>>,
    /// Epochs that the group was in.
    pub(super) epochs: BTreeSet<u64>,
    /// True lengths of what was attached.
    pub(super) lengths: BTreeSet<u64>,
    /// Logs of inboxes.
    pub(super) inboxes: BTreeSet<LogId>,
}

impl Known {
    pub(super) fn add(&mut self, class: Class, needle: &[u8]) {
        assert!(needle.len() >= 5, "{class:?}: chance would find {needle:?}");
        self.needles.entry(class).or_default().insert(needle.to_vec());
    }

    pub(super) fn counts(&self) -> Vec<(Class, usize)> {
        self.needles
            .iter()
            .map(|(class, needles)| (*class, needles.len()))
            .collect()
    }
}

/// Something that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Leak {
    pub(super) class: Class,
    pub(super) what: String,
}

impl Capture {
    pub(super) fn bytes(&self) -> usize {
        self.seen.iter().map(|seen| seen.bytes.len()).sum()
    }

    /// Names of what was asked.
    pub(super) fn kinds(&self) -> BTreeSet<String> {
        self.seen
            .iter()
            .map(|seen| format!("{:?}", seen.request.kind()))
            .collect()
    }

    pub(super) fn connections(&self) -> usize {
        let connections: BTreeSet<u64> = self.seen.iter().map(|seen| seen.connection).collect();
        connections.len()
    }

    pub(super) fn envelopes(&self) -> Vec<Envelope> {
        let submitted = self.seen.iter().filter_map(|seen| match &seen.request {
            Request::Submit { envelopes, .. } => Some(envelopes.iter()),
            _ => None,
        });
        submitted
            .flatten()
            .map(|bytes| Envelope::from_bytes(bytes).unwrap())
            .collect()
    }

    pub(super) fn logs(&self) -> BTreeSet<LogId> {
        self.envelopes()
            .iter()
            .map(|envelope| envelope.signed.header.log)
            .collect()
    }

    pub(super) fn chunks(&self) -> Vec<Vec<u8>> {
        let put = self.seen.iter().filter_map(|seen| match &seen.request {
            Request::PutChunk { bytes, .. } => Some(bytes.to_vec()),
            _ => None,
        });
        put.collect()
    }
}

pub(super) fn search(capture: &Capture, known: &Known) -> Vec<Leak> {
    let mut leaks = needles(capture, known);
    leaks.extend(epochs(capture, known));
    leaks.extend(sizes(capture, known));
    leaks.extend(repeats(capture));
    leaks.extend(shown(capture));
    leaks
}

fn digits(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .collect()
}

/// All needles at once: found by their first bytes, then compared.
fn needles(capture: &Capture, known: &Known) -> Vec<Leak> {
    let mut by_front: HashMap<[u8; 4], Vec<(Class, Vec<u8>)>> = HashMap::new();
    for (class, needles) in &known.needles {
        for needle in needles {
            for form in [needle.clone(), digits(needle), needle.to_ascii_lowercase()] {
                by_front
                    .entry(*form.first_chunk().unwrap())
                    .or_default()
                    .push((*class, form));
            }
        }
    }
    let mut leaks = Vec::new();
    for seen in &capture.seen {
        let bytes = [&seen.bytes[..], &seen.shown.0].concat();
        for at in 0..bytes.len().saturating_sub(3) {
            let rest = &bytes[at..];
            let Some(candidates) = by_front.get(rest.first_chunk::<4>().unwrap()) else {
                continue;
            };
            for (class, _) in candidates.iter().filter(|(_, form)| rest.starts_with(form)) {
                let what = format!("{:?} at {at} of a {:?}", &rest[..5], seen.request.kind());
                leaks.push(Leak { class: *class, what });
            }
        }
    }
    leaks
}

/// Epoch numbers as the group library writes them, eight bytes; in everything that only members can have made: an envelope's own
/// header has heights and counts of the ledger in it.
fn epochs(capture: &Capture, known: &Known) -> Vec<Leak> {
    let mut leaks = Vec::new();
    for envelope in capture.envelopes() {
        let header = &envelope.signed.header;
        for part in [
            &envelope.body[..],
            header.erasure.as_bytes(),
            header.body_hash.as_bytes(),
        ] {
            for window in part.windows(8) {
                let number = u64::from_be_bytes(window.try_into().unwrap());
                if known.epochs.contains(&number) || known.epochs.contains(&number.swap_bytes()) {
                    let what = format!("{number} on {:?}", header.log);
                    leaks.push(Leak {
                        class: Class::Epoch,
                        what,
                    });
                }
            }
        }
    }
    leaks
}

/// The sizes that there are, computed from the papers and not by the code that pads.
fn is_bucket(length: u64) -> bool {
    if length <= 4096 {
        return length >= 512 && length.is_power_of_two();
    }
    let exponent = u64::from(length.ilog2());
    let significant = u64::from(exponent.ilog2()) + 1;
    length.is_multiple_of(1 << (exponent - significant))
}

/// A whole piece, all of a padded file that is shorter than one, or the end of a longer one, of which Padmé keeps six bits.
fn is_piece(length: u64) -> bool {
    let Some(text) = length.checked_sub(16).filter(|text| (4096..=1 << 18).contains(text)) else {
        return false;
    };
    is_bucket(text) || text.is_multiple_of(1 << 13)
}

fn sizes(capture: &Capture, known: &Known) -> Vec<Leak> {
    let mut leaks = Vec::new();
    for envelope in capture.envelopes() {
        let length = u64::try_from(envelope.body.len()).unwrap();
        if !is_bucket(length) {
            leaks.push(Leak {
                class: Class::Size,
                what: format!("a body of {length} bytes"),
            });
        }
    }
    let overhead = u64::from(CHUNK_OVERHEAD_BYTES);
    for chunk in capture.chunks() {
        let length = u64::try_from(chunk.len()).unwrap();
        if !is_piece(length) {
            leaks.push(Leak {
                class: Class::Size,
                what: format!("a chunk of {length} bytes, which is the end of no padded file"),
            });
        }
        let is_true = |known: &u64| (length.saturating_sub(overhead)..=length).contains(known);
        if known.lengths.iter().any(is_true) {
            leaks.push(Leak {
                class: Class::Size,
                what: format!("a chunk of {length} bytes"),
            });
        }
    }
    leaks
}

/// What a request says about one log, or about none, cut where something stands that has to be the same for all:
///
/// - the network's id is in no request at all: the connection was made for it;
/// - an envelope's anchor, because everybody who writes at one time names the newest block that there is;
/// - its first bytes (format and body length), which are shorter than what is looked for;
/// - numbers of the protocol: heights, counts, waits.
fn values(request: &Request) -> Vec<(Option<LogId>, Vec<Vec<u8>>)> {
    match request {
        Request::Submit { envelopes, .. } => envelopes.iter().map(|bytes| of_envelope(bytes)).collect(),
        Request::Reveal { log, secret, .. } => vec![(Some(*log), vec![secret.0.to_vec()])],
        Request::PutChunk { bytes, .. } => vec![(None, vec![bytes.to_vec()])],
        // A log's name alone, or of all that one connection follows: that is what a node learns, and all.
        Request::Log { .. } | Request::Entries { .. } | Request::Receipt { .. } | Request::Subscribe { .. } => {
            Vec::new()
        }
        // Names of chunks: whoever may read them asks for them, so they come again and again, and in no envelope.
        Request::GetChunk { id } => vec![(None, vec![id.0.to_vec()])],
        Request::HaveChunks { ids } => vec![(None, ids.iter().map(|chunk| chunk.0.0.to_vec()).collect())],
        Request::ChunkTerms => Vec::new(),
        // The ledger's own numbers and hashes, the same for everybody.
        Request::Status
        | Request::Genesis
        | Request::Head { .. }
        | Request::Headers { .. }
        | Request::HistoryProof { .. }
        | Request::Blocks { .. }
        | Request::Beacon { .. }
        | Request::Peers
        | Request::Ready => Vec::new(),
        // Between nodes; a client that asks such a thing is looked at whole.
        Request::Statement { .. }
        | Request::Report { .. }
        | Request::Order { .. }
        | Request::Spread { .. }
        | Request::Missing { .. }
        | Request::Confirm { .. }
        | Request::Snapshot { .. } => panic!("no client asks {:?} here", request.kind()),
    }
}

fn of_envelope(bytes: &[u8]) -> (Option<LogId>, Vec<Vec<u8>>) {
    let header = Envelope::from_bytes(bytes).unwrap().signed.header;
    let anchor = [&header.anchor.height.to_be_bytes()[..], header.anchor.id.as_bytes()].concat();
    let at = bytes.windows(anchor.len()).position(|window| window == anchor);
    let at = at.expect("an envelope names its anchor");
    let parts = vec![bytes[..at].to_vec(), bytes[at + anchor.len()..].to_vec()];
    (Some(header.log), parts)
}

/// A key that is shown on two connections: whoever shows it is one and the same.
fn shown(capture: &Capture) -> Vec<Leak> {
    let mut first: BTreeMap<NodeId, u64> = BTreeMap::new();
    let twice = capture
        .seen
        .iter()
        .filter(|seen| *first.entry(seen.shown).or_insert(seen.connection) != seen.connection);
    let leak = |seen: &Seen| Leak {
        class: Class::Repeat,
        what: format!("{:?} shown on connection {} and another", seen.shown, seen.connection),
    };
    twice.map(leak).collect()
}

/// Sixteen bytes under two logs, or in an envelope and in a chunk, in a chunk's name, or in what a connection shows.
fn repeats(capture: &Capture) -> Vec<Leak> {
    let mut first: HashMap<[u8; WINDOW], Option<LogId>> = HashMap::new();
    let mut leaks = Vec::new();
    let (mut chunks, mut rest) = (Vec::new(), Vec::new());
    // What connections show is compared with everything, like what stands in chunks.
    for seen in &capture.seen {
        chunks.push((None, vec![seen.shown.0.to_vec()]));
    }
    for (log, parts) in capture.seen.iter().flat_map(|seen| values(&seen.request)) {
        if log.is_none() {
            chunks.push((log, parts));
        } else {
            rest.push((log, parts));
        }
    }
    for (log, parts) in rest {
        for window in parts.iter().flat_map(|part| part.windows(WINDOW)) {
            let before = *first.entry(window.try_into().unwrap()).or_insert(log);
            if before != log {
                leaks.push(Leak {
                    class: Class::Repeat,
                    what: format!("{window:02x?} under {before:?} and {log:?}"),
                });
            }
        }
    }
    // Chunks are long: what they share with envelopes is looked for everywhere, and nothing of them is remembered.
    for (_, parts) in chunks {
        for window in parts.iter().flat_map(|part| part.windows(WINDOW)) {
            if let Some(log) = first.get(&<[u8; WINDOW]>::try_from(window).unwrap()) {
                leaks.push(Leak {
                    class: Class::Repeat,
                    what: format!("{window:02x?} under {log:?} and beside the logs"),
                });
            }
        }
    }
    leaks
}

/// A capture with one leak more.
pub(super) struct Planted {
    pub(super) capture: Capture,
    pub(super) how: String,
}

/// The capture with a leak of this class in it, in every form that is looked for, each by itself.
pub(super) fn plant(capture: &Capture, known: &Known, class: Class) -> Vec<Planted> {
    match class {
        Class::Epoch => plant_epoch(capture, known),
        Class::Size => plant_sizes(capture, known),
        Class::Repeat => plant_repeats(capture),
        _ => plant_needle(capture, known, class),
    }
}

fn plant_epoch(capture: &Capture, known: &Known) -> Vec<Planted> {
    let epoch = known.epochs.last().unwrap().to_be_bytes();
    vec![capture.with_envelopes("a number inside a body", |envelopes| {
        envelopes[7].body[100..108].copy_from_slice(&epoch);
    })]
}

fn plant_sizes(capture: &Capture, known: &Known) -> Vec<Planted> {
    let length = usize::try_from(*known.lengths.first().unwrap()).unwrap();
    vec![
        capture.with_envelopes("a body as long as its text", |envelopes| {
            envelopes[7].body.truncate(391);
            envelopes[7].signed.header.body_length = 391;
        }),
        capture.with_chunk("a chunk as long as the end of its file", |chunk| {
            chunk.resize(length + 16, 7)
        }),
        capture.with_chunk("a chunk that is cut anywhere", |chunk| chunk.truncate(100_001)),
    ]
}

fn plant_repeats(capture: &Capture) -> Vec<Planted> {
    let envelopes = capture.envelopes();
    let first = envelopes[0].clone();
    let bytes = first.body[40..40 + WINDOW].to_vec();
    let name = capture.seen.iter().find_map(|seen| match &seen.request {
        Request::GetChunk { id } => Some(id.0),
        _ => None,
    });
    let (name, shown) = (name.unwrap(), capture.seen[0].shown);
    let other = |envelopes: &mut Vec<Envelope>| {
        let at = envelopes
            .iter()
            .position(|one| one.signed.header.log != first.signed.header.log);
        at.unwrap()
    };
    let mut planted = vec![
        capture.with_envelopes("the same bytes in bodies of two logs", |envelopes| {
            let at = other(envelopes);
            envelopes[at].body[77..77 + WINDOW].copy_from_slice(&bytes);
        }),
        capture.with_envelopes("one erasure commitment on two logs", |envelopes| {
            let at = other(envelopes);
            envelopes[at].signed.header.erasure = first.signed.header.erasure;
        }),
        capture.with_envelopes("the name of a chunk in a body", |envelopes| {
            envelopes[0].body[50..82].copy_from_slice(&name);
        }),
        capture.with_envelopes("what a connection shows in a body", |envelopes| {
            envelopes[0].body[50..82].copy_from_slice(&shown.0);
        }),
        capture.with_chunk("the bytes of a body in a chunk", |chunk| {
            chunk[99..99 + WINDOW].copy_from_slice(&bytes);
        }),
    ];
    let mut same = capture.clone();
    let at = same
        .seen
        .iter()
        .position(|seen| seen.connection != same.seen[0].connection);
    same.seen[at.unwrap()].shown = shown;
    planted.push(Planted {
        capture: same,
        how: "one key on two connections".to_owned(),
    });
    planted
}

/// In what a group says, in what is posted to an inbox, and in a piece of a file.
fn plant_needle(capture: &Capture, known: &Known, class: Class) -> Vec<Planted> {
    let needle = known.needles[&class].last().unwrap().clone();
    let forms = [("bytes", needle.clone()), ("digits", digits(&needle))];
    let mut planted = Vec::new();
    for (form, bytes) in forms {
        for (place, is_inbox) in [("group", false), ("inbox", true)] {
            planted.push(
                capture.with_envelopes(&format!("{form} on the log of a {place}"), |envelopes| {
                    let there = envelopes
                        .iter_mut()
                        .filter(|one| known.inboxes.contains(&one.signed.header.log) == is_inbox);
                    let longest = there.max_by_key(|one| one.body.len()).unwrap();
                    longest.body[333..333 + bytes.len()].copy_from_slice(&bytes);
                }),
            );
        }
        planted.push(capture.with_chunk(&format!("{form} in a chunk"), |chunk| {
            chunk[333..333 + bytes.len()].copy_from_slice(&bytes);
        }));
    }
    planted
}

impl Capture {
    fn with_envelopes(&self, how: &str, change: impl FnOnce(&mut Vec<Envelope>)) -> Planted {
        let mut envelopes = self.envelopes();
        change(&mut envelopes);
        Planted {
            capture: self.with(&envelopes),
            how: how.to_owned(),
        }
    }

    /// The same with the first chunk that was put changed.
    fn with_chunk(&self, how: &str, change: impl FnOnce(&mut Vec<u8>)) -> Planted {
        let mut capture = self.clone();
        let put = capture.seen.iter_mut().find_map(|seen| match &mut seen.request {
            Request::PutChunk { bytes, .. } => Some((&mut seen.bytes, bytes)),
            _ => None,
        });
        let (raw, bytes) = put.unwrap();
        let mut chunk = bytes.to_vec();
        change(&mut chunk);
        raw.clone_from(&chunk);
        *bytes = Opaque::from(chunk);
        Planted {
            capture,
            how: how.to_owned(),
        }
    }

    /// The same with other envelopes, in the order of [`Self::envelopes`].
    fn with(&self, envelopes: &[Envelope]) -> Self {
        let mut next = envelopes.iter();
        let seen = self.seen.iter().map(|seen| {
            let Request::Submit { envelopes, promise } = &seen.request else {
                return seen.clone();
            };
            let mut bytes = Vec::new();
            let changed: Vec<Opaque> = (0..envelopes.len())
                .map(|_| Opaque::from(next.next().unwrap().to_bytes()))
                .collect();
            changed.iter().for_each(|one| bytes.extend_from_slice(one));
            let request = Request::Submit {
                envelopes: List::new(changed).unwrap(),
                promise: *promise,
            };
            Seen {
                bytes,
                request,
                ..seen.clone()
            }
        });
        Self { seen: seen.collect() }
    }
}
