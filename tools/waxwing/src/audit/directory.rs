//! A node's data directory as the source of an audit.

use std::path::Path;

use waxwing_audit::SourceError;
use waxwing_audit::compare::Heads;

use super::run::Opened;
use crate::failure::Failure;

/// Opens a data directory read-only: the database itself, the node's directory around it, or the home around that.
///
/// # Errors
/// If there is no database.
#[cfg(feature = "node")]
pub(super) fn open(path: &Path) -> Result<Opened, Failure> {
    use waxwing_audit::directory::Directory;
    use waxwing_audit::source::SourceKind;

    let opened = Directory::open(&database_in(path)?).map(super::run::boxed);
    Ok((SourceKind::Directory, opened))
}

/// Opens a data directory read-only, to look up single blocks.
///
/// # Errors
/// If there is no database.
#[cfg(feature = "node")]
pub(super) fn heads(path: &Path) -> Result<Result<Box<dyn Heads>, SourceError>, Failure> {
    use waxwing_audit::directory::Directory;

    let opened = Directory::open(&database_in(path)?);
    Ok(opened.map(|directory| -> Box<dyn Heads> { Box::new(directory) }))
}

/// The database in a node's home, in its directory, or named itself.
///
/// # Errors
/// If there is none.
#[cfg(feature = "node")]
pub(crate) fn database_in(path: &Path) -> Result<std::path::PathBuf, Failure> {
    let places = [path.join("node").join("db"), path.join("db"), path.to_owned()];
    let found = places.into_iter().find(|place| place.join("CURRENT").exists());
    found.ok_or_else(|| {
        Failure::usage(format!(
            "{} holds no ledger: name a node's home, its directory, or the `db` in it",
            path.display()
        ))
    })
}

/// Data directories need a database, and this program was built without one.
///
/// # Errors
/// Always.
#[cfg(not(feature = "node"))]
pub(super) fn open(path: &Path) -> Result<Opened, Failure> {
    Err(without_database(path))
}

/// As [`open`].
///
/// # Errors
/// Always.
#[cfg(not(feature = "node"))]
pub(super) fn heads(path: &Path) -> Result<Result<Box<dyn Heads>, SourceError>, Failure> {
    Err(without_database(path))
}

#[cfg(not(feature = "node"))]
fn without_database(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} is a folder, and this program was built without what reads one: give a bundle (`waxwing export`)",
        path.display()
    ))
}
