//! What tests of whole systems share: where the tree and its programs are, nodes and people as processes, a real
//! conversation, and kills. Processes are awaited by what they print and never outlive their test.
//!
//! Tests of this crate start the programs as a user would and look at what comes out: exit codes, lines, files. They
//! never reach into a crate's private parts, and they wait for conditions, not for time.

pub mod command;
pub mod conversation;
pub mod den;
pub mod heads;
pub mod hosts;
pub mod kills;
pub mod load;
pub mod node;
pub mod person;
pub mod port;
pub mod process;
pub mod terminal;
pub mod told;
pub mod until;

use std::path::{Path, PathBuf};

/// The root of the tree: the folder with the workspace's `Cargo.toml`.
///
/// # Panics
/// Never in the tree: this crate lies two folders below it.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies in tests/system")
}

/// A program of the workspace as `tools/test` built it, for example `program("waxwing")`.
///
/// Cargo names the programs of a package only to that package's own tests; here they are found beside the test itself,
/// in the same profile.
///
/// # Panics
/// If the program has not been built: a test of yesterday's program, or of none, must not pass.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the system knows the path of a running program");
    // <target>/debug/deps/<test>, or <target>/debug/<program> when a program asks.
    let folder = test
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"))
        .expect("a file lies in a folder");
    let path = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.is_file(),
        "{} is not there: run tools/test, or `cargo build --workspace --bins`",
        path.display()
    );
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.toml").is_file());
        assert!(root().join("ledger/core").is_dir());
    }

    #[test]
    #[should_panic(expected = "run tools/test")]
    fn a_program_that_was_not_built_is_named() {
        let _ = program("no-such-program");
    }
}
