//! A real process that writes blocks is killed with SIGKILL, again and again, at no moment in particular.
//!
//! This says nothing about syncing, since the page cache survives its process (for that see `crash`); it says that no
//! directory needs repair, and that what was reported is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use waxwing_core::envelope::Body;
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::{OpenError, Options, RocksTables, Store};

const DIRECTORY: &str = "WAXWING_KILLED_DIRECTORY";
const ROUNDS: u64 = 20;

fn world(directory: &Path) -> World<RocksTables> {
    let store = match Store::open(directory, &Options::default()) {
        Err(error) if error.error == OpenError::NoLedger => {
            Store::create(directory, &fixture::genesis(1), &Options::default())
        }
        opened => opened,
    };
    World::resume(store.unwrap(), 1)
}

/// The notes of a block follow from its height, so whoever looks knows what must be there.
fn notes(height: u64) -> Vec<Note> {
    (0..8)
        .map(|place| Note {
            bytes: 600,
            ..Note::new((height + place) % 20, 8 * height + place)
        })
        .collect()
}

/// The child: writes until it is killed, and reports each height once its commit has returned.
fn write_for_ever(directory: &Path) {
    let mut world = world(directory);
    loop {
        let height = world.ledger.head().height + 1;
        world.append(1000, &notes(height));
        let mut out = std::io::stdout().lock();
        writeln!(out, "committed {height}").unwrap();
        out.flush().unwrap();
    }
}

fn child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::what_a_killed_process_reported_is_there",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn what_a_killed_process_reported_is_there() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        write_for_ever(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut reported = 0;
    for round in 0..ROUNDS {
        let mut child = child(directory.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heights = lines.filter_map(|line| line.unwrap().rsplit_once("committed ")?.1.parse::<u64>().ok());
        // Now and then while it starts, else after a number of blocks that differs from round to round.
        for height in heights.take(usize::try_from(round * 7 % 13).unwrap()) {
            assert!(height > reported, "block {height} was there before");
            reported = height;
            let second = Store::open(directory.path(), &Options::default()).unwrap_err();
            assert_eq!(second.error, OpenError::Locked, "another process has it");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if reported == 0 {
            continue;
        }
        let world = world(directory.path());
        assert!(
            world.store.applied() >= reported,
            "{} of {reported}",
            world.store.applied()
        );
        reported = world.store.applied();
        check(&world);
    }
    assert!(reported > ROUNDS, "{reported} blocks are no load");
}

/// Every block is there, once, as it was written.
fn check(world: &World<RocksTables>) {
    let keys = world.store.keys();
    for height in 1..=world.store.applied() {
        let block = world.store.block(height).unwrap().unwrap();
        let bodies: Vec<Body> = block.entries.into_iter().map(|entry| entry.body).collect();
        let expected: Vec<Body> = notes(height)
            .iter()
            .map(|note| Body::Present(note.body(keys)))
            .collect();
        assert_eq!(bodies, expected, "block {height}");
    }
}
