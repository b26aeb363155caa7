//! A day of two people at two terminals, with a real node, keys and pictures: they invite, compare, chat, react, edit, attach a
//! file, agree on a timer, see new keys of one of them, and are warned when the ledger shows them two histories.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;
use std::process::Command;

use waxwing_system::command::{done, json, list, run};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::terminal::{Terminal, line_of};

/// A terminal in which somebody has opened the screen, in a folder of their own.
fn at_the_screen(folder: &Path, person: &Person, width: u16, height: u16) -> Terminal {
    let terminal = Terminal::open(folder, &person.name, width, height);
    terminal.line(&format!("cd '{}'", person.home().display()));
    terminal.waits();
    terminal.line(&line_of(&person.chat(&[])));
    terminal.shows("Write a message");
    terminal
}

/// The link on the page that shows it: it is broken into lines that a box surrounds.
fn link_on(terminal: &Terminal) -> String {
    let picture = terminal.until("the page with the link, whole", |picture| {
        let mut lines = picture.lines().skip_while(|line| !line.contains("waxwing:"));
        picture.contains("Whoever uses this link first") && lines.any(|line| line.contains("n makes another link"))
    });
    let lines = picture.lines().skip_while(|line| !line.contains("waxwing:"));
    let inside = lines.filter_map(|line| Some(line.split_once('│')?.1.rsplit_once('│')?.0.trim().to_owned()));
    let inside = inside.map(|line| line.rsplit('│').next().unwrap_or_default().trim().to_owned());
    let letters = |line: &String| !line.is_empty() && !line.contains(' ');
    inside.take_while(letters).collect()
}

#[test]
fn two_people_invite_compare_chat_react_edit_attach_see_new_keys_and_are_warned_of_a_fork() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let network = Network::found_cheap(&folder.join("network"), "screen");
    let mut node = Node::validator(&folder.join("node"), &network);
    node.start();
    let [alice, bob] = ["alice", "bob"].map(|name| Person::new(folder, name));
    alice.found("garden", &network.genesis_file(), &[&node.address()]);

    let hers = at_the_screen(folder, &alice, 100, 40);
    hers.shows("no messages yet");
    invite(&hers, &bob);
    let his = at_the_screen(folder, &bob, 80, 24);
    compare(&hers, &his);
    chat_react_and_edit(&hers, &his);
    attach(folder, &hers, &his, &bob);
    agree_on_a_timer(&hers, &his);
    see_new_keys(folder, &hers, &bob);
    be_warned_of_a_fork(folder, &mut node, &hers, &his);
    for terminal in [&hers, &his] {
        terminal.press(&["C-c", "C-c"]);
        terminal.waits();
    }
}

fn invite(hers: &Terminal, bob: &Person) {
    hers.press(&["F4"]);
    let link = link_on(hers);
    hers.escape("Whoever uses this link first");
    // The same link is shown until somebody came in by it.
    hers.press(&["F4"]);
    assert_eq!(link_on(hers), link);
    hers.escape("Whoever uses this link first");
    bob.join(&link);
    hers.shows("alice added bob");
}

/// The digits of the page, as they are read aloud.
fn digits_on(terminal: &Terminal, with: &str) -> Vec<String> {
    let picture = terminal.shows(&format!("compare with {with}"));
    let is_group = |word: &&str| word.len() == 5 && word.bytes().all(|digit| digit.is_ascii_digit());
    let groups: Vec<String> = picture.split_whitespace().filter(is_group).map(str::to_owned).collect();
    assert_eq!(groups.len(), 12, "{picture}");
    groups
}

fn compare(hers: &Terminal, his: &Terminal) {
    hers.press(&["F9"]);
    hers.shows("alice (you)  admin");
    hers.press(&["Down", "Enter"]);
    his.press(&["F9"]);
    his.shows("bob (you)");
    his.press(&["g", "Enter"]);
    assert_eq!(digits_on(hers, "bob"), digits_on(his, "alice"), "both see the same");
    assert!(hers.picture().contains("not compared yet") && hers.picture().contains("don't match"));
    // He is not sure at first: nothing is noted.
    his.press(&["Enter"]);
    his.shows("somebody may stand between you");
    his.press(&["n"]);
    his.hides("somebody may stand between you");
    for (terminal, other) in [(hers, "bob"), (his, "alice")] {
        if !terminal.picture().contains("compare with") {
            terminal.press(&["F9"]);
            terminal.shows("bob (you)");
            terminal.press(&["g", "Enter"]);
            terminal.shows("not compared yet");
        }
        terminal.press(&["y"]);
        terminal.shows(&format!("{other} matches: noted as compared"));
    }
    hers.press(&["F9"]);
    hers.shows("compared with you");
    hers.escape("compared with you");
}

fn chat_react_and_edit(hers: &Terminal, his: &Terminal) {
    hers.line("the roses are out");
    hers.until("it is final", |picture| {
        let mut lines = picture.lines();
        lines.any(|line| line.contains("the roses are out") && (line.contains("final") || line.contains("seen by all")))
    });
    his.shows("the roses are out");
    his.press(&["Up", "r"]);
    his.shows("reply to alice: the roses are out");
    his.line("so they are");
    hers.shows("↳ alice: the roses are out");
    his.shows("✓");
    his.press(&["Up", "k", "+"]);
    his.shows("or type one");
    his.press(&["1"]);
    hers.shows("👍 bob");
    his.escape("r reply");
    hers.press(&["Up", "k", "e"]);
    hers.shows("edit your message");
    hers.line(" at last");
    his.shows("the roses are out at last (edited)");
}

/// A file goes from her folder to his, and is the same there.
fn attach(folder: &Path, hers: &Terminal, his: &Terminal, bob: &Person) {
    let picture: Vec<u8> = (0..300_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    let file = folder.join("roses in March.jpg");
    fs::write(&file, &picture).unwrap();
    hers.press(&["F8"]);
    hers.shows("attach a file");
    hers.line(&file.display().to_string());
    hers.shows("the file is kept by 1 node");
    his.shows("roses in March.jpg");
    his.press(&["Up", "s"]);
    his.shows("saved as");
    his.escape("r reply");
    assert_eq!(fs::read(bob.home().join("roses in March.jpg")).unwrap(), picture);
}

fn agree_on_a_timer(hers: &Terminal, his: &Terminal) {
    hers.press(&["F11"]);
    hers.shows("stay until they are erased");
    hers.press(&["2", "r"]);
    hers.shows("r turns them off");
    hers.escape("r turns them off");
    // Above what he writes, for as long as it holds.
    his.shows("messages disappear after 7 days");
    hers.shows("messages disappear after 7 days");
}

/// A further device of his appears on his card: she sees it between the messages, and behind his name.
fn see_new_keys(folder: &Path, hers: &Terminal, bob: &Person) {
    json(&mut bob.chat(&["devices", "publish"]));
    let shown = json(&mut bob.chat(&["account", "phrase", "--print"]));
    let words: Vec<&str> = list(&shown, "/words")
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let paper = folder.join("paper");
    fs::write(&paper, words.join(" ")).unwrap();
    let new = Person::new(folder, "new machine");
    json(new.chat(&["recover", "--name", "bob", "--words"]).arg(&paper));
    hers.press(&["F4"]);
    let link = link_on(hers);
    hers.escape("Whoever uses this link first");
    // The link tells the new machine of the network; what the account said there has to be read before it asks anything.
    let _ = run(&mut new.chat(&["join", &link]));
    json(&mut new.chat(&["devices", "publish"]));
    hers.shows("keys of bob");
    hers.press(&["F9"]);
    hers.shows("alice (you)  admin");
    hers.press(&["Down", "Enter"]);
    hers.shows("what became of their keys");
    hers.escape("what became of their keys");
}

/// The only validator shows them two histories: it is run on two copies of its directory by turns, at one address.
fn be_warned_of_a_fork(folder: &Path, node: &mut Node, hers: &Terminal, his: &Terminal) {
    node.stop();
    let other = folder.join("other");
    done(Command::new("cp").arg("-a").arg(node.home()).arg(&other));
    his.press(&["C-c"]);
    his.waits();
    node.start();
    hers.line("in one of them");
    hers.until("it is final", |picture| {
        let mut lines = picture.lines();
        lines.any(|line| line.contains("in one of them") && line.contains("final"))
    });
    node.stop();
    let mut second = Node::in_home(&other).in_place_of(node);
    second.start();
    his.press(&["Up", "Enter"]);
    his.shows("Write a message");
    his.line("in the other");
    hers.shows("What to do now");
    hers.escape("What to do now");
    hers.shows("FORK at block");
    hers.line("is anybody there?");
    let picture = hers.shows("sending is paused");
    assert!(picture.contains("> is anybody there?"), "nothing is lost:\n{picture}");
}
