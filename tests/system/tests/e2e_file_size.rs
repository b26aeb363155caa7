//! A file of any size goes up and down piece by piece: whoever is killed on the way, what is kept already is not sent again,
//! and neither the clients nor the node ever hold more of it in memory than a few pieces.
//!
//! 40 MiB, or as many as `WAXWING_FILE_MIB` says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use waxwing_system::command::number;
use waxwing_system::den::Den;
use waxwing_system::node::Node;
use waxwing_system::person::Person;
use waxwing_system::process::Running;

/// What a client may use: the derivation of its key from the passphrase takes 64 MiB of it, whatever follows.
const CLIENT_KIB_MAX: u64 = 136 << 10;

/// What a node may use, with an empty ledger. The file alone would be more than the difference to what it starts with.
const NODE_KIB_MAX: u64 = 88 << 10;

const PIECE: u64 = 262_144;

/// MiB of the file.
fn size() -> u64 {
    match std::env::var("WAXWING_FILE_MIB") {
        Ok(wanted) => wanted.parse().expect("WAXWING_FILE_MIB is to be a number"),
        Err(_) => 40,
    }
}

/// A file that no two pieces have in common: the output of a generator (xorshift64).
fn film(folder: &Path, mib: u64) -> PathBuf {
    let path = folder.join("film.mp4");
    let mut out = BufWriter::new(File::create(&path).unwrap());
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..(mib << 20) / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.write_all(&state.to_be_bytes()).unwrap();
    }
    out.into_inner().unwrap().sync_all().unwrap();
    path
}

fn is_same(one: &Path, other: &Path) -> bool {
    let (mut one, mut other) = (File::open(one).unwrap(), File::open(other).unwrap());
    loop {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        (&mut one).take(1 << 20).read_to_end(&mut left).unwrap();
        (&mut other).take(1 << 20).read_to_end(&mut right).unwrap();
        if left != right || left.is_empty() {
            return left == right;
        }
    }
}

/// The most that each of them ever used.
#[derive(Default, Debug)]
struct Peaks {
    client: u64,
    node: u64,
}

impl Peaks {
    fn look(&mut self, client: &Running, node: &mut Node) {
        self.client = self.client.max(client.peak_kib().unwrap_or(0));
        self.node = self.node.max(node.process().peak_kib().unwrap_or(0));
    }

    /// Runs a client until so many pieces are there, or to its end.
    fn watch(&mut self, client: &mut Running, node: &mut Node, mut is_there: impl FnMut(&Node) -> bool) {
        while !client.is_over() {
            self.look(client, node);
            if is_there(node) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a command to its end, which must be a good one.
    fn done(&mut self, command: &mut Command, node: &mut Node) -> Value {
        let mut client = Running::start(command.arg("--json"));
        self.watch(&mut client, node, |_| false);
        let (status, printed) = client.end();
        assert!(status.success(), "{printed}");
        let line = printed.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.unwrap()).unwrap()
    }
}

fn kept(node: &Node) -> u64 {
    number(&node.status(), "/chunks/chunks")
}

fn attach(person: &Person, file: &Path) -> Command {
    let mut command = person.chat(&["attach", "den"]);
    command.arg(file);
    command
}

fn save(person: &Person, to: &Path) -> Command {
    let mut command = person.chat(&["save", "den", "0", "--to"]);
    command.arg(to);
    command
}

/// Bytes of the unfinished file.
fn there(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut parts = files.filter(|path| path.extension().is_some_and(|ending| ending == "part"));
    parts.next().map_or(0, |part| fs::metadata(part).unwrap().len())
}

/// A node with room for the file, whoever asks.
fn den(mib: u64) -> Den {
    let mut den = Den::new();
    den.node.kill();
    let Den {
        node,
        network,
        ann,
        ben,
        folder,
    } = den;
    let room = (2 * mib).to_string();
    let mut node = node.with("chunks-mib", &room).with("chunks-share", "100");
    node.start();
    Den {
        node,
        network,
        ann,
        ben,
        folder,
    }
}

#[test]
fn a_file_of_any_size_goes_up_and_down_with_the_memory_of_a_few_pieces_whoever_is_killed() {
    let mib = size();
    let mut den = den(mib);
    let sent = film(den.folder.path(), mib);
    let to = den.folder.path().join("there");
    fs::create_dir(&to).unwrap();
    let mut peaks = Peaks::default();
    goes_up(&mut den, &sent, &mut peaks);
    println!("{mib} MiB are up: {peaks:?} KiB");
    comes_down(&mut den, &to, &mut peaks);
    println!("{mib} MiB are down: {peaks:?} KiB");
    assert!(is_same(&sent, &to.join("film.mp4")), "byte by byte");
    assert!(0 < peaks.client && peaks.client < CLIENT_KIB_MAX, "{peaks:?} KiB");
    assert!(0 < peaks.node && peaks.node < NODE_KIB_MAX, "{peaks:?} KiB");
}

/// The node dies at a quarter and comes back, the sender dies at a half; what is kept by then is not sent again.
fn goes_up(den: &mut Den, sent: &Path, peaks: &mut Peaks) {
    let Den { node, ann, .. } = den;
    let pieces = (size() << 20).div_ceil(PIECE);
    let mut sender = Running::start(&mut attach(ann, sent));
    peaks.watch(&mut sender, node, |node| kept(node) >= pieces / 4);
    node.kill();
    node.start();
    peaks.watch(&mut sender, node, |node| kept(node) >= pieces / 2);
    assert!(
        !sender.is_over(),
        "it was over before it could be killed: {}",
        sender.so_far()
    );
    sender.kill();
    let before = kept(node);
    assert!((pieces / 2..pieces).contains(&before), "{before} of {pieces}");
    let attached = peaks.done(&mut attach(ann, sent), node);
    let all = kept(node);
    assert_eq!(number(&attached, "/copies"), 1);
    // A put that was on its way when the sender died may have been counted before it was answered.
    let again = number(&attached, "/put_bytes");
    assert!(
        again <= (all - before) * (PIECE + 16),
        "{before} of {all} were kept: {attached}"
    );
}

/// The same for the reader: what lies in the unfinished file is not fetched again.
fn comes_down(den: &mut Den, to: &Path, peaks: &mut Peaks) {
    let Den { node, ben, .. } = den;
    let all = kept(node);
    let _ = ben.read("den");
    let mut reader = Running::start(&mut save(ben, to));
    peaks.watch(&mut reader, node, |_| there(to) >= (size() << 20) / 4);
    node.kill();
    node.start();
    peaks.watch(&mut reader, node, |_| there(to) >= (size() << 20) / 2);
    assert!(
        !reader.is_over(),
        "it was over before it could be killed: {}",
        reader.so_far()
    );
    reader.kill();
    let before = there(to) / PIECE;
    let gets = node.figure("waxwing_requests_total{kind=\"get_chunk\"}");
    peaks.done(&mut save(ben, to), node);
    let again = node.figure("waxwing_requests_total{kind=\"get_chunk\"}") - gets;
    assert!(
        again <= all - before + 3,
        "{again} of {all} were fetched, {before} were there"
    );
    assert_eq!(there(to), 0, "nothing unfinished is left");
}
