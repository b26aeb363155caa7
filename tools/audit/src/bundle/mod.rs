//! Bundles: a whole history in one file.
//!
//! ```text
//! magic      "WXBUNDL\x01"                      8
//! genesis    length u32, bytes                  at most GENESIS_BYTES_MAX
//! block 1    length u32, CertifiedBlock bytes   at most BLOCK_BYTES_MAX; never 0
//! block 2    ...
//! end mark   0 u32, number of blocks u64, hash 32
//! ```
//!
//! A bundle is what an operator hands an auditor, or keeps beside the backups: it needs no database to be read, and any
//! program that knows the rules can check it. The file is kept for ever, so its layout is fixed like everything that is
//! hashed: `tools/audit/BUNDLE.md` specifies it.
//!
//! The end mark tells an accident from an intention. A file that breaks off, wherever it does, lacks the mark or has the
//! wrong one: it is no bundle but the beginning of one, and that is *malformed*, which says nothing about tampering. Who
//! shortens a history on purpose writes a new mark; then the bundle is whole and ends early, which no file can tell about
//! itself: only a policy that pins a head does, and calls it *incomplete*. The hash covers every byte before it. It is no
//! protection, anybody can compute it; it finds damage in the few places that no signature covers.

mod read;
mod write;

pub use read::Bundle;
pub use write::{ExportError, Exported, Writer, export};

use waxwing_core::limits::{BLOCK_BYTES_MAX as CORE_BLOCK_BYTES_MAX, BLOCK_ENTRIES_MAX, COMMITTEE_MAX, EVIDENCE_MAX};

/// First bytes of every bundle; the last one is the version.
pub const BUNDLE_MAGIC: [u8; 8] = *b"WXBUNDL\x01";

/// What the hash in the end mark is derived under.
pub const BUNDLE_CONTEXT: &str = "waxwing v1 bundle";

/// Bytes of the end mark.
pub const END_BYTES: u64 = 4 + 8 + 32;

/// A genesis: magic, name, time, parameters, 100 validators.
pub const GENESIS_BYTES_MAX: u32 = 4096;

/// An encoded block: its entries' share, and 1 MiB for what the share does not count: header, certificate, evidence, the
/// marks of bodies, and secrets in the place of bodies that were shorter.
pub const BLOCK_BYTES_MAX: u32 = CORE_BLOCK_BYTES_MAX + (1 << 20);

const CERTIFICATE_BYTES_MAX: u32 = 4 + 4 + 13 + 64 * COMMITTEE_MAX;
const BODY_FRAME_MAX: u32 = 1 + 32;
const _: () = assert!(
    CORE_BLOCK_BYTES_MAX
        + BLOCK_ENTRIES_MAX * BODY_FRAME_MAX
        + (1 + 2 * EVIDENCE_MAX) * (372 + CERTIFICATE_BYTES_MAX)
        + 64
        < BLOCK_BYTES_MAX
);
const _: () = assert!(8 + 4 + 64 + 8 + 2 + 4 + 32 * COMMITTEE_MAX < GENESIS_BYTES_MAX);
