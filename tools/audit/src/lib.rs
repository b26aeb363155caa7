//! The auditor: replays a whole history, checks everything, and explains the first thing that does not hold.
//!
//! It needs no key and no node. Trust comes in through a policy, which pins the network's founding facts and optionally a
//! block; everything else is a claim that is checked: every hash, signature, stamp, anchor, limit, root and certificate, by
//! the same rules that a node runs. What cannot be checked is said, and never called tampered.
//!
//! ```text
//! directory | bundle | nodes  ──>  source  ──>  check (all cores)  ──>  replay  ──>  report: verdict, first divergence
//! ```
//!
//! Read in this order: [`source`], `check`, `replay`, `blame`, [`finding`], [`report`]; [`compare`] holds two histories
//! against each other, [`bundle`] is the file format, `directory` reads a node's database, `tamper` damages one on purpose.

mod blame;
mod bodies;
pub mod bundle;
mod check;
pub mod compare;
#[cfg(feature = "store")]
pub mod directory;
pub mod finding;
mod pipeline;
mod replay;
pub mod report;
pub mod source;
mod state;
#[cfg(feature = "tamper")]
pub mod tamper;
mod words;

pub use bodies::Bodies;
pub use pipeline::Progress;
pub use replay::Figures;
pub use report::Report;
pub use source::{HistorySource, SourceError, SourceKind};
pub use state::State;

use std::path::Path;
use std::sync::Arc;

use waxwing_core::genesis::Genesis;
use waxwing_core::policy::Policy;

use check::{Checker, Committees};
use finding::{At, Coverage, Fault, Finding, hash};
use replay::Replay;

/// Audits everything that a source has, at full depth. The outcome depends on the source's content and the policy alone.
///
/// # Errors
/// [`SourceError::Failed`] if the source cannot be read now: then nothing is claimed about it.
pub fn audit(
    source: &mut dyn HistorySource,
    policy: Option<&Policy>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, SourceError> {
    let (kind, claimed, genesis) = (source.kind(), source.claimed(), source.genesis().clone());
    let joined = source.joined()?;
    let pinned = policy
        .filter(|policy| policy.genesis == genesis)
        .and_then(|policy| policy.head);
    let committees = Arc::new(Committees::default());
    let mut replay = Replay::new(&genesis, pinned, source.beside(), Arc::clone(&committees));
    pipeline::run(source, Checker::new(&genesis, committees), &mut replay, progress)?;
    if let Err(error) = replay.compare() {
        let finding = pipeline::refuse(replay.ledger.head().height, error)?;
        replay.record(finding);
    }
    let mut outcome = replay.finish();
    if let Some(policy) = policy {
        blame_genesis(&mut outcome.findings, &genesis, policy);
    }
    Ok(Report {
        joined,
        ..report::conclude(kind, claimed, &genesis, policy, outcome)
    }
    .judged())
}

/// Audits a data directory or a bundle file, whichever stands at this path.
///
/// # Errors
/// [`SourceError::Failed`] if there is neither, or it cannot be read now: then nothing is claimed about it.
pub fn audit_path(
    path: &Path,
    policy: Option<&Policy>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, SourceError> {
    match open(path) {
        Ok(mut source) => audit(source.as_mut(), policy, progress),
        Err(error) => unopened(kind_of(path), policy, error),
    }
}

/// Opens a data directory or a bundle file, to be audited or exported.
///
/// # Errors
/// [`SourceError::Malformed`] if what stands there cannot be read as what it should be, [`SourceError::Failed`] if there is
/// nothing, or it cannot be read now.
pub fn open(path: &Path) -> Result<Box<dyn HistorySource>, SourceError> {
    match kind_of(path) {
        #[cfg(feature = "store")]
        SourceKind::Directory => Ok(Box::new(directory::Directory::open(path)?)),
        #[cfg(not(feature = "store"))]
        SourceKind::Directory => Err(SourceError::Failed(
            "this program was built without a database: export the directory as a bundle and audit that".to_owned(),
        )),
        _ => Ok(Box::new(bundle::Bundle::open(path)?)),
    }
}

fn kind_of(path: &Path) -> SourceKind {
    if path.is_dir() {
        SourceKind::Directory
    } else {
        SourceKind::Bundle
    }
}

/// The report on a source that could not even be opened because of what it holds.
///
/// # Errors
/// [`SourceError::Failed`] if that is why it could not be opened: then nothing is claimed about it.
pub fn unopened(kind: SourceKind, policy: Option<&Policy>, error: SourceError) -> Result<Report, SourceError> {
    Ok(Report::unopened(kind, policy, pipeline::refuse(0, error)?))
}

/// The first block belongs to the network that the policy pins, and the founding facts beside it do not: so it is these
/// facts that were changed.
fn blame_genesis(findings: &mut [Finding], genesis: &Genesis, policy: &Policy) {
    let (pinned, stored) = (policy.genesis.network(), genesis.network());
    let Some(first) = findings.first_mut() else { return };
    if stored != pinned && first.fault == (Fault::ForeignBlock { network: pinned }) {
        *first = Finding {
            fault: Fault::Genesis,
            at: At::block(0, None),
            expected: hash("the founding facts of network", pinned),
            found: hash("those of network", stored),
            coverage: Coverage::Open,
        };
    }
}
