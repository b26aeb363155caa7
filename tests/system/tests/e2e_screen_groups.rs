//! Groups on a terminal, with a real node: somebody comes in by the link on the screen, somebody asks and is answered there,
//! somebody is taken out and sees a closed channel.

use std::path::Path;

use waxwing_system::command::{json, text};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::terminal::{Terminal, line_of};

/// A terminal in which somebody has opened the screen.
fn at_the_screen(folder: &Path, person: &Person) -> Terminal {
    let terminal = Terminal::open(folder, &person.name, 100, 30);
    terminal.waits();
    terminal.line(&line_of(&person.chat(&[])));
    terminal.shows("Write a message");
    terminal
}

/// The link on the page that shows it: it is broken into lines that a box surrounds.
fn link_in(picture: &str) -> String {
    let lines = picture.lines().skip_while(|line| !line.contains("waxwing:"));
    let inside = lines.filter_map(|line| Some(line.split_once('│')?.1.rsplit_once('│')?.0.trim().to_owned()));
    let inside = inside.map(|line| line.rsplit('│').next().unwrap_or_default().trim().to_owned());
    inside.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn people_come_in_ask_and_are_taken_out_before_the_eyes_of_whoever_sits_at_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let network = Network::found_cheap(&folder.join("network"), "screen");
    let mut node = Node::validator(&folder.join("node"), &network);
    node.start();
    let [alice, bob, cleo] = ["alice", "bob", "cleo"].map(|name| Person::new(folder, name));
    alice.found("garden", &network.genesis_file(), &[&node.address()]);

    // Bob comes in by what her screen shows, while she looks at it.
    let hers = at_the_screen(folder, &alice);
    hers.press(&["F4"]);
    let link = link_in(&hers.until("the page with the link, whole", |picture| {
        let mut lines = picture.lines().skip_while(|line| !line.contains("waxwing:"));
        picture.contains("Whoever uses this link first") && lines.any(|line| line.contains('└'))
    }));
    hers.escape("Whoever uses this link first");
    bob.join(&link);
    hers.shows("alice added bob");
    let his = at_the_screen(folder, &bob);
    hers.line("the roses are out");
    his.shows("the roses are out");
    hers.press(&["F9"]);
    hers.shows("alice (you)  admin");
    assert!(hers.picture().contains("epoch"), "{}", hers.picture());
    hers.escape("alice (you)  admin");

    // Cleo asks, and is let in by a key.
    let invited = json(&mut alice.chat(&["invite", "--ask"]));
    let join = Running::start(&mut cleo.chat(&["join", text(&invited, "/link"), "--as", "cleo", "--note", "hello"]));
    hers.shows("cleo asks to be let in");
    hers.press(&["F10"]);
    hers.shows("waits for your answer");
    assert!(hers.picture().contains("says: hello"), "{}", hers.picture());
    hers.press(&["y"]);
    let (status, told) = join.end();
    assert!(status.success(), "{told}");
    hers.escape("who asks to be let in");
    his.shows("alice added");

    // Bob is taken out: his screen says so, and takes no words any more.
    json(&mut alice.chat(&["remove", "garden", "bob"]));
    his.shows("closed: this device is out");
    hers.line("only us");
    hers.shows("only us");
    cleo.send("garden", "yes");
    hers.shows("yes");
    let read = json(&mut bob.chat(&["read", "garden"]));
    assert!(!read.to_string().contains("only us"), "{read}");
    for terminal in [&hers, &his] {
        terminal.press(&["C-c"]);
        terminal.waits();
    }
}
