//! All validators conspire: they show two members two histories, each of them certified by all. Nothing can prevent that; it
//! is noticed. The members' messages stop passing between the histories, and the first comparison of heads, whoever makes it,
//! leaves evidence that convinces a stranger.
//!
//! ```text
//! block       1 ─ 2 ─ 3 ─┬─ 4 ─ 5 ─ ... ─ 64 ─ ...     shown to Ann, and to an honest follower
//!                        └─ 4'─ 5'─ ... ─ 64'─ ...     shown to Ben, by the same nodes at the same addresses
//! ```
//!
//! The conspirators are the real program, with the real keys, run on two copies of their directories by turns: nothing in
//! it had to be changed to make them lie, which is the point.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, and says where"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::Envelope;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::EvidenceFile;
use waxwing_net::quic::{Dialer, Shown};
use waxwing_net::wire::{Admission, EnvelopeRefusal, List, Opaque, Promise, Request, Response};
use waxwing_store::{Options, Store};
use waxwing_system::command::{json, list, number, run, text, verdict, waxwing};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Beyond the first block after the fork that envelopes have to name.
const BEYOND_THE_ANCHOR: u64 = 70;

/// The validators of one network, and the two histories that they keep.
struct Conspiracy {
    folder: tempfile::TempDir,
    network: Network,
    /// Who is shown by each validator now: the honest beginning, then one history, then the other.
    members: Vec<Node>,
}

impl Conspiracy {
    fn begin() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let homes: Vec<PathBuf> = (1..=4)
            .map(|number| folder.path().join(format!("one-{number}")))
            .collect();
        let network = Network::found_together(&folder.path().join("network"), "quartet", &homes);
        let mut members: Vec<Node> = Vec::new();
        for home in &homes {
            let others: Vec<String> = members.iter().map(Node::address).collect();
            let (mut member, _) = Node::member(home, &network);
            if !others.is_empty() {
                member = member.with("validators", &others.join(","));
            }
            member = member.with("block-pause-ms", "5");
            member.start();
            members.push(member);
        }
        network.policy(&folder.path().join("policy"), None);
        Self {
            folder,
            network,
            members,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn addresses(&self) -> Vec<String> {
        self.members.iter().map(Node::address).collect()
    }

    fn stop(&mut self) {
        for member in &mut self.members {
            member.stop();
        }
    }

    /// Copies everything that the validators have, keys included. They are stopped.
    fn copy(&self) {
        for number in 1..=4 {
            copy_folder(&self.at(&format!("one-{number}")), &self.at(&format!("two-{number}")));
        }
    }

    /// From now on the same validators, at the same addresses, show the other history.
    fn turn_over(&mut self) {
        let addresses = self.addresses();
        self.stop();
        for (number, one) in (1..=4).zip(std::mem::take(&mut self.members)) {
            let other = Node::in_home(&self.at(&format!("two-{number}"))).in_place_of(&one);
            let mut member = other
                .with("block-pause-ms", "5")
                .with("validators", &addresses.join(","));
            member.start();
            self.members.push(member);
        }
        assert_eq!(self.addresses(), addresses, "nobody can tell by the address");
    }

    /// Others' envelopes, until the next block that new envelopes have to name is a block of this history alone.
    fn go_on(&self, seed: u64) {
        let load = Load::start(&self.members[0], &self.network.genesis(), seed);
        self.members[0].until_height(BEYOND_THE_ANCHOR);
        assert!(!load.finish().is_empty());
    }

    fn verify(&self, file: &Path) -> String {
        let mut command = Command::new(waxwing_system::program("waxwing-verify"));
        let said = run(command.arg(file).arg("--policy").arg(self.at("policy")));
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        said.out
    }

    /// `waxwing audit compare` of anything, with the policy.
    fn compare(&self, first: &Path, second: &Path) -> (i32, serde_json::Value) {
        let mut command = waxwing(&self.at("nobody"));
        command.args(["audit", "compare"]).arg(first).arg(second);
        command
            .arg("--policy")
            .arg(self.at("policy"))
            .current_dir(self.folder.path());
        verdict(&mut command)
    }

    /// What somebody has read, in order.
    fn read(person: &Person) -> Vec<String> {
        let read = person.read("friends");
        let messages = list(&read, "/messages").iter();
        messages.map(|message| text(message, "/text").to_owned()).collect()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("the folder can be listed").path();
        let target = to.join(path.file_name().expect("files have names"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

/// The sealed envelope of the only entry of a block, out of a stopped node's ledger.
fn envelope(home: &Path, height: u64) -> Envelope {
    let store = Store::open_read_only(&home.join("node").join("db"), &Options::default());
    let store = store.expect("the node has stopped");
    let block = store
        .block(height)
        .expect("it can be read")
        .expect("the block is there");
    assert_eq!(block.entries.len(), 1, "nobody else wrote then");
    let carried = block.entries.into_iter().next().expect("there is one");
    Envelope {
        body: carried.body.present().expect("nobody erased it").to_vec(),
        signed: carried.signed,
    }
}

/// The rounds in which the two blocks of an evidence file were certified.
fn rounds(file: &Path) -> (u32, u32) {
    let bytes = std::fs::read(file).expect("the evidence was written");
    let file = EvidenceFile::from_bytes(&bytes).expect("it is evidence");
    match file.evidence {
        Evidence::TwoHeads(heads) => (heads.first.certificate.round, heads.second.certificate.round),
        Evidence::TwoVotes(_) => panic!("a history is certified by more than one"),
    }
}

/// What a node says to an envelope.
fn submit(node: &Node, envelope: &Envelope) -> Admission {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system has room for a runtime");
    runtime.block_on(async {
        let dialer = Dialer::new(Shown::Ephemeral).expect("the system gives a socket");
        let connected = dialer.connect(node.listens(), node.id(), PATIENCE).await;
        let envelopes = List::new(vec![Opaque::from(envelope.to_bytes())]).expect("one is not too many");
        let request = Request::Submit {
            envelopes,
            promise: Promise::Word,
        };
        let connection = connected.expect("the node runs");
        let answer = connection.request(&request, PATIENCE).await;
        let Ok(Response::Submit(answers)) = answer else {
            panic!("the node does not answer: {answer:?}")
        };
        answers.into_vec().remove(0)
    })
}

/// Ann and Ben, who have said a word to each other, and an honest follower.
struct Members {
    ann: Person,
    ben: Person,
    follower: Node,
}

impl Members {
    fn meet(conspiracy: &Conspiracy) -> Self {
        let people = conspiracy.at("people");
        let (ann, ben) = (Person::new(&people, "Ann"), Person::new(&people, "Ben"));
        let nodes = conspiracy.addresses();
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        ann.open("friends", &conspiracy.network.genesis_file(), &nodes);
        ben.join(&ann.invite("friends"));
        ann.send("friends", "when do we meet?");
        ben.send("friends", "you say when");
        let mut follower = Node::follower(&conspiracy.at("follower"), &conspiracy.network, &nodes);
        follower.start();
        Self { ann, ben, follower }
    }

    /// Ann writes in her history, until her envelopes name a block of it alone; returns the height of the last one.
    fn ann_writes(&self, conspiracy: &Conspiracy) -> u64 {
        self.ann.send("friends", "at nine");
        conspiracy.go_on(1);
        self.ann.send("friends", "are you there?");
        let last = self.ann.send("friends", "can you hear me?");
        let height = number(&last, "/message/height");
        assert!(height > BEYOND_THE_ANCHOR);
        self.follower.until_height(height);
        height
    }
}

/// By an auditor who has directories of both histories.
fn found_by_audit(conspiracy: &Conspiracy, shared: u64) -> PathBuf {
    let (code, found) = conspiracy.compare(&conspiracy.at("one-1"), &conspiracy.at("two-3"));
    assert_eq!((code, text(&found, "/verdict")), (30, "DIVERGED"), "{found}");
    assert_eq!(number(&found, "/agree_height"), shared);
    let file = conspiracy.at(text(&found, "/evidence_file"));
    let convicted = list(&found, "/convicted").len();
    assert!(
        convicted >= 2 || rounds(&file).0 != rounds(&file).1,
        "two quorums of four in one round share two at least: {found}"
    );
    let said = conspiracy.verify(&file);
    assert!(
        said.starts_with("VERIFIED  the validators made two different blocks final"),
        "{said}"
    );
    file
}

/// By the honest follower, which is still where Ann was.
fn found_by_follower(conspiracy: &Conspiracy, follower: &Node) -> PathBuf {
    let file = until("the follower keeps evidence", || {
        let files = std::fs::read_dir(follower.directory()).ok()?;
        let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
        paths.find(|path| path.extension().is_some_and(|ending| ending == "wxe"))
    });
    conspiracy.verify(&file);
    assert_eq!(follower.status().get("is_halted"), Some(&serde_json::Value::Bool(true)));
    file
}

/// Waits for the line of a stream that says that there are two histories; returns the exit code with which it ends.
fn alarm(mut stream: Running) -> i32 {
    let line = stream.line_with("waxwing.chat.alarm/1");
    let alarm: serde_json::Value = serde_json::from_str(&line).expect("every line is JSON");
    assert_eq!(text(&alarm, "/alarm"), "fork");
    assert!(number(&alarm, "/height") > 0, "{alarm}");
    stream.end().0.code().expect("it ended by itself")
}

/// By an invitation: Ann's names a block that she has checked, and a node that still has it.
fn found_by_invitation(conspiracy: &Conspiracy, ben: &Person, link: &str) -> PathBuf {
    let mut bot = Running::start(&mut ben.chat(&["tail", "friends", "--json"]));
    bot.line_with("waiting for messages");
    let joined = run(&mut ben.chat(&["join", link]));
    assert_ne!(joined.code, Some(0), "{}", joined.out);
    let out = conspiracy.at("of-ben");
    let file = until("Ben's device keeps evidence", || {
        // Whatever it is asked, it meets the other history; that it refuses then is looked at below.
        let _ = run(&mut ben.chat(&["read", "friends"]));
        let told = json(&mut ben.chat(&["evidence", "--out", &out.to_string_lossy()]));
        let first = list(&told, "/pieces").first()?;
        first.get("file")?.as_str().map(PathBuf::from)
    });
    conspiracy.verify(&file);
    // Who only listens hears of it, though another process met it; who listens later does as well.
    assert_eq!(alarm(bot), 30);
    let late = Running::start(&mut ben.chat(&["tail", "friends", "--json", "--after", "0"]));
    assert_eq!(alarm(late), 30);
    let stopped = run(&mut ben.chat(&["send", "friends", "hello?"]));
    assert_ne!(
        stopped.code,
        Some(0),
        "a device that knows of a fork sends nothing: {}",
        stopped.out
    );
    file
}

#[test]
fn validators_that_all_conspire_are_found_out_by_the_first_comparison() {
    let mut conspiracy = Conspiracy::begin();
    let mut members = Members::meet(&conspiracy);

    // One history is shown to Ann and to the follower.
    conspiracy.stop();
    conspiracy.copy();
    for member in &mut conspiracy.members {
        member.start();
    }
    let mut show = waxwing(&conspiracy.at("nobody"));
    let shared = json(show.args(["network", "committee", "show"]).arg(conspiracy.at("two-1")));
    let shared = number(&shared, "/height");
    let height = members.ann_writes(&conspiracy);
    // Ann tells the follower's address on: so far Ben knows only what the validators show him.
    let follower = members.follower.address();
    members
        .ann
        .open("family", &conspiracy.network.genesis_file(), &[&follower]);
    let link = members.ann.invite("friends");

    // The other one is shown to Ben, at the same addresses.
    conspiracy.turn_over();
    members.ben.send("friends", "at ten, then?");
    conspiracy.go_on(2);
    assert_eq!(
        Conspiracy::read(&members.ben),
        ["when do we meet?", "you say when", "at ten, then?"],
        "each sees a conversation in which the other is silent"
    );
    // Not even with the validators' help does Ann's message pass: it names a block that Ben's history does not have.
    let sealed = envelope(&conspiracy.at("one-1"), height);
    assert!(
        sealed.signed.header.anchor.height > shared,
        "it names a block of one history alone"
    );
    let admission = submit(&conspiracy.members[0], &sealed);
    assert!(
        matches!(admission, Admission::Refused(EnvelopeRefusal::UnknownAnchor { .. })),
        "{admission:?}"
    );

    // The first comparison, whoever makes it, leaves a file that is accepted beside either history.
    let by_audit = found_by_audit(&conspiracy, shared);
    let by_follower = found_by_follower(&conspiracy, &members.follower);
    let by_ben = found_by_invitation(&conspiracy, &members.ben, &link);
    for (evidence, history) in [(&by_audit, "two-2"), (&by_follower, "one-2"), (&by_ben, "two-4")] {
        let (code, held) = conspiracy.compare(evidence, &conspiracy.at(history));
        assert_eq!(code, 30, "{held}");
        assert!(text(&held, "/headline").starts_with("the evidence holds"), "{held}");
    }
    conspiracy.stop();
    members.follower.stop();
}
