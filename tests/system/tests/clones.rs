//! Two clones that share a target directory: each one runs what was compiled from its own files.
//!
//! Cargo tells the crates of two clones apart by the time of their files only. So the older clone, run after the younger,
//! once ran the younger one's tests, in the younger one's folders. `tools/setup` has to prevent it, and is tried here as
//! `tools/test` calls it, on small workspaces with one crate of ours and one of somebody else.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use waxwing_system::command::done;
use waxwing_system::root;

const PROGRAM: &str = r#"fn main() { println!("{} {}", env!("CARGO_MANIFEST_DIR"), theirs::WORD); }"#;

fn manifest(name: &str, more: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n{more}")
}

/// A machine with a cache, somebody else's crate, and clones of a tree.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let theirs = machine.path().join("theirs");
        fs::create_dir_all(theirs.join("src")).unwrap();
        fs::write(theirs.join("Cargo.toml"), manifest("theirs", "[workspace]\n")).unwrap();
        fs::write(theirs.join("src/lib.rs"), "pub const WORD: &str = \"hello\";").unwrap();
        machine
    }

    /// Where it lies, as cargo calls it.
    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// A clone whose files were written long ago, before anything was compiled.
    fn clone(&self, name: &str) -> PathBuf {
        let clone = self.path().join(name);
        fs::create_dir_all(clone.join("tools")).unwrap();
        fs::create_dir_all(clone.join("src")).unwrap();
        fs::copy(root().join("tools/setup"), clone.join("tools/setup")).unwrap();
        let more = "[dependencies]\ntheirs = { path = \"../theirs\" }\n[workspace]\n";
        fs::write(clone.join("Cargo.toml"), manifest("waxwing-small", more)).unwrap();
        fs::write(clone.join("src/main.rs"), PROGRAM).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        for file in ["Cargo.toml", "src/main.rs"] {
            File::options()
                .write(true)
                .open(clone.join(file))
                .unwrap()
                .set_modified(long_ago)
                .unwrap();
        }
        clone
    }

    fn target(&self) -> PathBuf {
        self.path().join("cache/target")
    }

    fn shell(&self, clone: &Path, commands: &str) -> String {
        let mut bash = Command::new("bash");
        bash.args(["-euc", commands])
            .current_dir(clone)
            .env("WAXWING_CACHE", self.path().join("cache"))
            // Nothing here needs RocksDB.
            .env("ROCKSDB_LIB_DIR", self.path())
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTC_WRAPPER")
            .env_remove("CARGO_BUILD_TARGET");
        done(&mut bash)
    }

    /// As `tools/test` does it.
    fn run(&self, clone: &Path) -> String {
        self.shell(clone, ". tools/setup; cargo run --offline --quiet")
    }

    /// A cargo command typed by hand, without the set-up.
    fn run_by_hand(&self, clone: &Path) -> String {
        let target = self.target();
        self.shell(
            clone,
            &format!("CARGO_TARGET_DIR={} cargo run --offline --quiet", target.display()),
        )
    }

    /// When cargo noted that it had compiled a crate.
    fn compiled(&self, of: &str) -> SystemTime {
        let notes = fs::read_dir(self.target().join("debug/.fingerprint")).unwrap();
        let note = notes
            .map(|entry| entry.unwrap())
            .find(|entry| entry.file_name().to_string_lossy().starts_with(of))
            .unwrap();
        note.metadata().unwrap().modified().unwrap()
    }
}

fn said(clone: &Path) -> String {
    format!("{} hello\n", clone.display())
}

#[test]
fn without_the_set_up_a_clone_runs_what_was_compiled_from_another() {
    let machine = Machine::new();
    let (one, two) = (machine.clone("one"), machine.clone("two"));
    assert_eq!(machine.run_by_hand(&one), said(&one));
    // If cargo ever learns to tell them apart, the set-up may forget about it.
    assert_eq!(machine.run_by_hand(&two), said(&one));
}

#[test]
fn each_clone_runs_its_own_files_and_dependencies_stay_compiled() {
    let machine = Machine::new();
    let (one, two) = (machine.clone("one"), machine.clone("two"));
    assert_eq!(machine.run(&one), said(&one));
    let theirs = machine.compiled("theirs");
    assert_eq!(machine.run(&two), said(&two));
    assert_eq!(machine.run(&one), said(&one));
    assert_eq!(machine.compiled("theirs"), theirs);
}

#[test]
fn a_clone_that_is_run_again_is_not_compiled_again() {
    let machine = Machine::new();
    let one = machine.clone("one");
    assert_eq!(machine.run(&one), said(&one));
    let compiled = machine.compiled("waxwing-small");
    assert_eq!(machine.run(&one), said(&one));
    assert_eq!(machine.compiled("waxwing-small"), compiled);
}

#[test]
fn commands_typed_in_another_clone_do_not_deceive_the_note() {
    let machine = Machine::new();
    let (one, two) = (machine.clone("one"), machine.clone("two"));
    assert_eq!(machine.run(&one), said(&one));
    // Two's files are edited, and compiled by hand into the directory that is noted as one's.
    fs::write(two.join("src/main.rs"), PROGRAM).unwrap();
    assert_eq!(machine.run_by_hand(&two), said(&two));
    assert_eq!(machine.run(&one), said(&one));
}

#[test]
fn two_runs_of_one_clone_at_once_both_end_well() {
    let machine = Machine::new();
    let (one, two) = (machine.clone("one"), machine.clone("two"));
    assert_eq!(machine.run(&one), said(&one));
    std::thread::scope(|scope| {
        let runs = [(); 2].map(|()| scope.spawn(|| machine.run(&two)));
        for run in runs {
            assert_eq!(run.join().unwrap(), said(&two));
        }
    });
}

#[test]
fn a_target_directory_inside_the_clone_is_its_own() {
    let machine = Machine::new();
    let one = machine.clone("one");
    let target = one.join("target");
    let commands = format!("export CARGO_TARGET_DIR={}; . tools/setup", target.display());
    machine.shell(&one, &commands);
    assert!(!target.join(".compiled-from").exists());
}

/// The set-up knows our crates by it.
#[test]
fn every_crate_of_ours_is_called_waxwing_something() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .unwrap()
        .0;
    let members: Vec<_> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 10, "{members:?}");
    for member in members {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        let name = manifest
            .lines()
            .find_map(|line| line.strip_prefix("name = \""))
            .unwrap();
        assert!(name.starts_with("waxwing"), "{member} is called {name}");
    }
}
