//! Two people in front of two terminals, with real nodes, keys and pictures: they invite, chat, answer, react, edit, lose the
//! network and get it back, suspend and leave; and each terminal is as it was before. And the same in lines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use waxwing_system::command::{done, refusal};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::terminal::{Terminal, line_of};
use waxwing_system::until::until;

/// A network of one validator, and a person with a channel on it.
fn world(folder: &Path) -> (Node, Person) {
    let network = Network::found_cheap(&folder.join("network"), "screen");
    let mut node = Node::validator(&folder.join("node"), &network);
    node.start();
    let alice = Person::new(folder, "alice");
    alice.open("garden", &network.genesis_file(), &[&node.address()]);
    (node, alice)
}

/// A terminal in which somebody has opened the screen, after noting how the terminal was.
fn at_the_screen(folder: &Path, person: &Person, width: u16, height: u16) -> Terminal {
    let terminal = Terminal::open(folder, &person.name, width, height);
    terminal.line(&format!("stty -g > {}", noted(folder, person, "before").display()));
    until("the terminal's settings", || {
        noted(folder, person, "before").exists().then_some(())
    });
    terminal.waits();
    terminal.line(&line_of(&person.chat(&[])));
    terminal.shows("Write a message");
    terminal
}

fn noted(folder: &Path, person: &Person, when: &str) -> std::path::PathBuf {
    folder.join(format!("{}.{when}", person.name))
}

/// Whether the terminal is as it was before the program.
fn is_restored(folder: &Path, person: &Person, terminal: &Terminal) {
    terminal.waits();
    let after = noted(folder, person, "after");
    let _ = fs::remove_file(&after);
    terminal.line(&format!("stty -g > {0}.new && mv {0}.new {0}", after.display()));
    let after = until("the terminal's settings", || fs::read_to_string(&after).ok());
    assert_eq!(after, fs::read_to_string(noted(folder, person, "before")).unwrap());
    let picture = terminal.picture();
    assert!(!picture.contains("verified to block"), "the screen is gone:\n{picture}");
}

/// The link on the page that shows it: it is broken into lines that a box surrounds.
fn link_in(picture: &str) -> String {
    let lines = picture.lines().skip_while(|line| !line.contains("waxwing:"));
    let inside = lines.filter_map(|line| Some(line.split_once('│')?.1.rsplit_once('│')?.0.trim().to_owned()));
    let inside = inside.map(|line| line.rsplit('│').next().unwrap_or_default().trim().to_owned());
    let link: String = inside.take_while(|line| !line.is_empty()).collect();
    assert!(link.starts_with("waxwing:"), "{picture}");
    link
}

#[test]
fn two_people_invite_chat_answer_react_edit_and_survive_a_lost_network() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut node, alice) = world(folder);
    let bob = Person::new(folder, "bob");

    // Alice invites; Bob joins by what her screen shows, and reads on a small one.
    let hers = at_the_screen(folder, &alice, 100, 30);
    hers.shows("no messages yet");
    hers.press(&["F4"]);
    let link = link_in(&hers.until("the page with the link, whole", |picture| {
        let mut lines = picture.lines().skip_while(|line| !line.contains("waxwing:"));
        picture.contains("Whoever has this link") && lines.any(|line| line.contains('└'))
    }));
    hers.escape("Whoever has this link");
    bob.join(&link);
    let his = at_the_screen(folder, &bob, 60, 15);

    // A message climbs the ladder here and appears there.
    hers.line("the roses are out");
    hers.until("it is final", |picture| {
        picture
            .lines()
            .any(|line| line.contains("✓   the roses are out") && line.contains("final"))
    });
    his.shows("the roses are out");
    assert!(his.picture().contains("alice"));

    answer_react_and_edit(&hers, &his);
    look_behind_and_find(&hers);
    lose_the_network_and_get_it_back(&mut node, &hers, &his);

    // A window that becomes too small says so, and comes back.
    his.resize(30, 8);
    his.shows("make it larger");
    his.resize(60, 15);
    his.shows("can you hear me");

    // Leaving with something unsent asks once; the terminal is as it was.
    his.write("almost");
    his.press(&["C-c"]);
    his.shows("not sent");
    his.press(&["C-c"]);
    is_restored(folder, &bob, &his);
    hers.press(&["C-c"]);
    is_restored(folder, &alice, &hers);
}

fn answer_react_and_edit(hers: &Terminal, his: &Terminal) {
    // He answers it, and reacts to it.
    his.press(&["Up", "r"]);
    his.shows("reply to alice: the roses are out");
    his.line("so they are");
    hers.shows("↳ alice: the roses are out");
    hers.shows("so they are");
    his.shows("✓   so they are");
    his.press(&["Up", "k", "+"]);
    his.shows("or type one");
    his.press(&["1"]);
    hers.shows("👍 bob");

    // She edits it.
    hers.press(&["Up", "k", "e"]);
    hers.shows("edit your message");
    hers.line(" at last");
    his.shows("the roses are out at last (edited)");
}

fn look_behind_and_find(hers: &Terminal) {
    // The checks behind it, those not made among them.
    hers.press(&["F2"]);
    hers.shows("every check behind this message");
    hers.press(&["End"]);
    hers.shows("not done");
    hers.escape("every check behind this message");

    // She finds what he wrote, and goes there.
    hers.press(&["F7"]);
    hers.write("they");
    hers.press(&["Enter"]);
    hers.shows("1 message, newest first");
    hers.press(&["Enter"]);
    hers.hides("newest first");
    hers.until("what was found is chosen", |picture| {
        picture
            .lines()
            .any(|line| line.contains('▌') && line.contains("so they are"))
    });
    hers.escape("r reply");
}

fn lose_the_network_and_get_it_back(node: &mut Node, hers: &Terminal, his: &Terminal) {
    node.stop();
    hers.shows("offline");
    his.escape("r reply");
    his.line("can you hear me");
    his.until("it is queued and nothing is lost", |picture| {
        picture.contains("can you hear me") && picture.contains("queued") && picture.contains("offline")
    });
    node.start();
    hers.shows("can you hear me");
    his.until("it is final, and the network is back", |picture| {
        let is_final = picture.lines().any(|line| line.contains("✓   can you hear me"));
        is_final && !picture.contains("offline")
    });
    hers.hides("offline");
}

/// The only validator shows two people two histories: it is run on two copies of its directory by turns, at one address.
#[test]
fn a_fork_is_an_alarm_that_pauses_sending_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut node, alice) = world(folder);
    let bob = Person::new(folder, "bob");
    bob.join(&alice.invite("garden"));
    alice.send("garden", "in both");
    node.stop();
    let other = folder.join("other");
    done(Command::new("cp").arg("-a").arg(node.home()).arg(&other));
    node.start();

    let hers = at_the_screen(folder, &alice, 100, 30);
    hers.line("in one of them");
    hers.until("it is final", |picture| {
        picture.lines().any(|line| line.contains("✓   in one of them"))
    });
    node.stop();
    let mut second = Node::in_home(&other).in_place_of(&node);
    second.start();
    bob.send("garden", "in the other");

    hers.shows("What to do now");
    hers.escape("What to do now");
    hers.shows("FORK at block 2");
    hers.line("is anybody there?");
    let picture = hers.shows("sending is paused");
    assert!(picture.contains("> is anybody there?"), "nothing is lost:\n{picture}");
    hers.press(&["F3"]);
    hers.shows("waxwing chat evidence");
    hers.escape("waxwing chat evidence");
    hers.press(&["C-c"]);
    hers.shows("not sent");
    hers.press(&["C-c"]);
    is_restored(folder, &alice, &hers);
    let evidence = folder.join("evidence");
    fs::create_dir(&evidence).unwrap();
    done(alice.chat(&["evidence", "--out"]).arg(&evidence));
    assert_eq!(
        fs::read_dir(&evidence).unwrap().count(),
        1,
        "what the alarm says to type works"
    );
}

#[test]
fn a_screen_that_is_suspended_or_ended_by_a_signal_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_node, alice) = world(folder);
    let terminal = at_the_screen(folder, &alice, 80, 24);
    terminal.write("half a sen");
    terminal.press(&["C-z"]);
    terminal.shows("Stopped");
    is_restored(folder, &alice, &terminal);
    terminal.line("fg");
    let picture = terminal.until("the screen is back", |picture| {
        picture.contains("verified to block") && picture.contains("Enter send")
    });
    assert!(
        picture.contains("half a sen"),
        "what was written is still there:\n{picture}"
    );
    terminal.write("tence");
    terminal.shows("half a sentence");
    terminal.press(&["C-c", "C-c"]);
    is_restored(folder, &alice, &terminal);

    for signal in ["TERM", "INT", "HUP"] {
        terminal.waits();
        let number = folder.join(format!("{signal}.number"));
        let screen = line_of(&alice.chat(&[]));
        terminal.line(&format!(
            "sh -c 'echo $$ > {}; exec {}'",
            number.display(),
            screen.replace('\'', r"'\''")
        ));
        terminal.shows("Write a message");
        let number = fs::read_to_string(&number).unwrap();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), number.trim()])
            .status()
            .unwrap();
        assert!(sent.success(), "{signal}");
        is_restored(folder, &alice, &terminal);
    }
}

#[test]
fn pasted_lines_are_one_message_and_hostile_ones_move_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_node, alice) = world(folder);
    let terminal = at_the_screen(folder, &alice, 80, 24);
    terminal.paste("first line\nsecond \u{202e}line");
    terminal.shows("second ⟨202E⟩line");
    assert!(
        !terminal.picture().contains("final"),
        "a line break in it does not send it"
    );
    terminal.press(&["Enter"]);
    terminal.shows("final");
    let read = alice.read("garden");
    let said = read.pointer("/messages/0/text").and_then(serde_json::Value::as_str);
    assert_eq!(
        said,
        Some("first line\nsecond ⟨202E⟩line"),
        "what was seen is what was sent"
    );
    terminal.press(&["C-c"]);
    is_restored(folder, &alice, &terminal);
}

#[test]
fn without_a_terminal_it_says_what_to_type_instead() {
    let folder = tempfile::tempdir().unwrap();
    let alice = Person::new(folder.path(), "alice");
    let (code, says) = refusal(&mut alice.chat(&[]));
    assert!(code == 2 && says.contains("waxwing chat --plain"), "{says}");
    let (code, says) = refusal(alice.chat(&[]).arg("--json"));
    assert!(code == 2 && says.contains("waxwing chat tail"), "{says}");
    let (code, says) = refusal(alice.chat(&["--plain", "channels"]).env("TERM", "xterm"));
    assert!(code == 2 && says.contains("leave one of them out"), "{says}");
    let terminal = Terminal::open(folder.path(), "dumb", 80, 24);
    terminal.line(&line_of(alice.chat(&[]).env("TERM", "dumb")));
    terminal.shows("waxwing chat --plain");
    terminal.waits();
}

#[test]
fn lines_in_and_lines_out_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_node, alice) = world(folder);
    let bob = Person::new(folder, "bob");
    bob.join(&alice.invite("garden"));
    bob.send("garden", "the roses are out");

    let mut child = alice
        .chat(&["--plain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    let mut heard = Heard::of(child.stdout.take().unwrap());
    heard.until("you are alice; 1 channel");
    heard.until("0. bob, ");
    for (typed, answer) in [
        ("so they are", "final, 1: so they are"),
        ("/reply 0 at last", "final, 2: at last"),
        ("/edit 1 so they are!", "alice (you) edited message 1: so they are!"),
        ("/react 0 👍", "alice (you) reacted to message 0 with 👍"),
        ("/why 0", "not done: "),
        ("/retract 1", "Type /retract 1 yes"),
        ("/frob", "/help lists them"),
        ("/reply 99 hello", "not done: "),
        ("/status", "1 of 1 validators"),
        ("/channels", "1. garden, "),
        ("/help", "/unreact takes it back"),
    ] {
        writeln!(keyboard, "{typed}").unwrap();
        heard.until(answer);
    }
    bob.send("garden", "a further one");
    heard.until(": a further one");
    assert!(!heard.all.contains('\u{1b}'), "no escape sequence: {:?}", heard.all);
    drop(keyboard);
    assert!(child.wait().unwrap().success());
}

/// What a program says, as it comes.
struct Heard {
    lines: std::sync::mpsc::Receiver<String>,
    all: String,
}

impl Heard {
    fn of(output: impl std::io::Read + Send + 'static) -> Self {
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let lines = std::io::BufRead::lines(std::io::BufReader::new(output));
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self {
            lines,
            all: String::new(),
        }
    }

    fn until(&mut self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(std::time::Duration::from_secs(60));
            let line = line.unwrap_or_else(|why| unreachable_line(text, why, &self.all));
            self.all.push_str(&line);
            self.all.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }
}

#[expect(clippy::panic, reason = "the test fails here")]
fn unreachable_line(text: &str, why: std::sync::mpsc::RecvTimeoutError, all: &str) -> String {
    panic!("no line with {text:?} ({why}):\n{all}")
}
