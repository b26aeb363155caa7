//! Damage on purpose: a ledger's directory is changed past every rule, to see that an audit finds it.
//!
//! Most kinds go through the database, so that its checksums are valid and nothing but the ledger's own rules can notice;
//! the last few damage files, which the database itself must notice. The same directory, kind and seed give the same
//! damage, and what was done is returned, so that a finding can be compared with it.

mod files;
mod older;
mod order;
mod rows;

use core::fmt;
use std::path::Path;

use waxwing_store::{DirectoryError, Options, Store, StoreError, Tables};

use crate::finding::At;

/// A kind of damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TamperKind {
    /// A bit in a body.
    BodyBit,
    /// A bit in an envelope header.
    HeaderBit,
    /// A bit in an envelope's signature.
    SignatureBit,
    /// A bit in a certificate.
    CertificateBit,
    /// A bit in a block header.
    BlockHeaderBit,
    /// A bit in a row of the index.
    IndexBit,
    /// A bit in a kept node of a tree.
    NodeBit,
    /// A bit in the state of a log: a leaf of the log map.
    LogBit,
    /// A bit in the memory of envelopes that could come again.
    RecentBit,
    /// The note of the newest block.
    AppliedChanged,
    /// An entry removed.
    EntryDropped,
    /// Two neighbouring entries exchanged.
    EntriesSwapped,
    /// A stranger's sound envelope put between two entries.
    EntryInserted,
    /// A block removed.
    BlockDropped,
    /// A block added that nobody certified.
    BlockForged,
    /// A body removed without excuse.
    BodyRemoved,
    /// A body removed, its absence excused by a made-up secret.
    ExcuseForged,
    /// The directory as it was some blocks ago.
    OlderDirectory,
    /// A byte in a file of tables.
    TableByte,
    /// A file of tables cut short.
    TableCut,
    /// A byte in the list of files.
    ManifestByte,
}

impl TamperKind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::BodyBit,
        Self::HeaderBit,
        Self::SignatureBit,
        Self::CertificateBit,
        Self::BlockHeaderBit,
        Self::IndexBit,
        Self::NodeBit,
        Self::LogBit,
        Self::RecentBit,
        Self::AppliedChanged,
        Self::EntryDropped,
        Self::EntriesSwapped,
        Self::EntryInserted,
        Self::BlockDropped,
        Self::BlockForged,
        Self::BodyRemoved,
        Self::ExcuseForged,
        Self::OlderDirectory,
        Self::TableByte,
        Self::TableCut,
        Self::ManifestByte,
    ];

    /// The name it is asked for by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// What it does, for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        self.words().1
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::BodyBit => ("body-bit", "flip a bit in a sealed body"),
            Self::HeaderBit => ("header-bit", "flip a bit in an envelope header"),
            Self::SignatureBit => ("signature-bit", "flip a bit in an envelope's signature"),
            Self::CertificateBit => ("certificate-bit", "flip a bit in a block's certificate"),
            Self::BlockHeaderBit => ("block-header-bit", "flip a bit in a block header"),
            Self::IndexBit => ("index-bit", "flip a bit in a row of the index"),
            Self::NodeBit => ("node-bit", "flip a bit in a kept node of a tree"),
            Self::LogBit => ("log-bit", "flip a bit in the state of a log"),
            Self::RecentBit => ("recent-bit", "flip a bit in the memory of recent envelopes"),
            Self::AppliedChanged => ("applied-changed", "change the note of the newest block's height"),
            Self::EntryDropped => ("entry-dropped", "remove an entry"),
            Self::EntriesSwapped => ("entries-swapped", "exchange two neighbouring entries"),
            Self::EntryInserted => ("entry-inserted", "put a stranger's sound envelope between two entries"),
            Self::BlockDropped => ("block-dropped", "remove a block"),
            Self::BlockForged => ("block-forged", "add a block that no validator certified"),
            Self::BodyRemoved => ("body-removed", "remove a body without excuse"),
            Self::ExcuseForged => ("excuse-forged", "remove a body and excuse it with a made-up secret"),
            Self::OlderDirectory => ("older-directory", "put the directory of some blocks ago in its place"),
            Self::TableByte => ("table-byte", "change a byte in a file of tables"),
            Self::TableCut => ("table-cut", "cut off half of a file of tables"),
            Self::ManifestByte => ("manifest-byte", "change a byte in the database's list of files"),
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for TamperKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The kind of it.
    pub kind: TamperKind,
    /// Where: what a finding should name. Nothing is known of a place in a damaged file.
    pub at: Option<At>,
    /// For people: what was changed into what.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what)
    }
}

/// Why nothing was damaged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TamperError {
    /// The directory cannot be opened.
    Open(DirectoryError),
    /// There is nothing there that could be damaged in this way.
    Nothing {
        /// What would have to be there.
        needs: &'static str,
    },
    /// The database failed, or its rows make no sense already.
    Store(StoreError),
    /// A file could not be changed.
    File(String),
}

impl fmt::Display for TamperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Nothing { needs } => write!(f, "there is nothing to damage in this way: it takes {needs}"),
            Self::Store(error) => error.fmt(f),
            Self::File(why) => write!(f, "a file could not be changed: {why}"),
        }
    }
}

impl core::error::Error for TamperError {}

impl From<StoreError> for TamperError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Damages the ledger in a directory that nobody else has open. The seed chooses the place.
///
/// # Errors
/// See [`TamperError`]; nothing was changed then, unless a file or the database failed in the middle.
pub fn tamper(directory: &Path, kind: TamperKind, seed: u64) -> Result<Damage, TamperError> {
    let store = Store::open(directory, &Options::default()).map_err(TamperError::Open)?;
    let choice = Choice::new(kind, seed);
    let (at, what) = match kind {
        TamperKind::OlderDirectory => older::put_back(directory, store, &choice)?,
        TamperKind::TableByte | TamperKind::TableCut | TamperKind::ManifestByte => {
            (None, files::damage(directory, store, kind, &choice)?)
        }
        _ => {
            let (at, what) = Scene { store: &store, choice }.damage(kind)?;
            (Some(at), what)
        }
    };
    Ok(Damage { kind, at, what })
}

/// What was done, for people, and where.
type Done = (At, String);

/// An open ledger, and the choice of a place in it.
struct Scene<'a, T> {
    store: &'a Store<T>,
    choice: Choice,
}

impl<T: Tables> Scene<'_, T> {
    fn damage(&self, kind: TamperKind) -> Result<Done, TamperError> {
        match kind {
            TamperKind::BodyBit => self.body_bit(),
            TamperKind::HeaderBit => self.header_bit(),
            TamperKind::SignatureBit => self.signature_bit(),
            TamperKind::CertificateBit => self.certificate_bit(),
            TamperKind::BlockHeaderBit => self.block_header_bit(),
            TamperKind::IndexBit => self.index_bit(),
            TamperKind::NodeBit => self.node_bit(),
            TamperKind::LogBit => self.log_bit(),
            TamperKind::RecentBit => self.recent_bit(),
            TamperKind::AppliedChanged => self.applied_changed(),
            TamperKind::EntryDropped => self.entry_dropped(),
            TamperKind::EntriesSwapped => self.entries_swapped(),
            TamperKind::EntryInserted => self.entry_inserted(),
            TamperKind::BlockDropped => self.block_dropped(),
            TamperKind::BlockForged => self.block_forged(),
            TamperKind::BodyRemoved => self.body_removed(),
            TamperKind::ExcuseForged => self.excuse_forged(),
            TamperKind::OlderDirectory | TamperKind::TableByte | TamperKind::TableCut | TamperKind::ManifestByte => {
                Err(TamperError::Nothing {
                    needs: "a directory, not only its rows",
                })
            }
        }
    }
}

/// Numbers that depend on kind and seed alone.
#[derive(Clone, Copy, Debug)]
struct Choice {
    seed: [u8; 32],
}

impl Choice {
    fn new(kind: TamperKind, seed: u64) -> Self {
        let bytes = [kind.name().as_bytes(), &seed.to_be_bytes()].concat();
        Self {
            seed: blake3::derive_key("waxwing v1 tamper choice", &bytes),
        }
    }

    /// Below `count`; 0 if there is nothing to choose from.
    fn below(&self, what: &str, count: u64) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = blake3::derive_key(what, &self.seed);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
            .checked_rem(count)
            .unwrap_or(0)
    }

    /// All of `from..to`, starting with the one chosen.
    fn around(&self, what: &str, from: u64, to: u64) -> impl Iterator<Item = u64> + use<> {
        let start = from + self.below(what, to.saturating_sub(from));
        (start..to).chain(from..start)
    }

    /// Flips one of the bits of these bytes; says which.
    fn flip(&self, bytes: &mut [u8]) -> String {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let (byte, bit) = (self.below("byte", length), self.below("bit", 8));
        let place = usize::try_from(byte).unwrap_or(usize::MAX);
        match bytes.get_mut(place) {
            Some(there) => {
                *there ^= 1 << bit;
                format!("bit {bit} of byte {byte}")
            }
            None => "nothing".to_owned(),
        }
    }
}
