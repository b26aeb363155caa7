//! Groups as people use them, with a real node and a process for each of them: the first minute, somebody taken out,
//! somebody who leaves, two admins at once, somebody who was away, and processes killed while somebody is let in.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use waxwing_system::command::{done, json, list, refusal, text};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

const PLANS: &str = "plans";

/// A node that orders, and people with homes; all of it is gone when this is dropped.
struct World {
    _node: Node,
    ada: Person,
    folder: TempDir,
}

impl World {
    /// Ada has founded a channel.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::found_cheap(&folder.path().join("network"), "circle");
        let mut node = Node::validator(&folder.path().join("validator"), &network);
        node.start();
        let ada = Person::new(folder.path(), "ada");
        let opened = ada.found(PLANS, &network.genesis_file(), &[&node.address()]);
        assert_eq!(opened["group"], true);
        Self {
            _node: node,
            ada,
            folder,
        }
    }

    /// The same with these people in.
    fn with<const N: usize>(names: [&str; N]) -> (Self, [Person; N]) {
        let world = Self::new();
        let people = names.map(|name| world.person(name));
        let (inviting, link) = stay_and_invite(&world.ada, N);
        for person in &people {
            person.join(&link);
        }
        assert!(inviting.end().0.success());
        (world, people)
    }

    fn person(&self, name: &str) -> Person {
        Person::new(self.path(), name)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Starts to wait for as many people; returns the link that they come by.
fn stay_and_invite(person: &Person, people: usize) -> (Running, String) {
    let uses = people.to_string();
    let mut waiting = Running::start(&mut person.chat(&["invite", "--uses", &uses, "--wait", "--json"]));
    let line: Value = serde_json::from_str(&waiting.line_with("waxwing.chat.invite/1")).unwrap();
    assert_eq!(line["final"], true, "whoever has the link can ask at once");
    (waiting, text(&line, "/link").to_owned())
}

/// What was said, as somebody reads it.
fn said(person: &Person) -> Vec<String> {
    let read = person.read(PLANS);
    let words = list(&read, "/messages")
        .iter()
        .filter(|message| message.get("event").is_none());
    words
        .map(|message| message["text"].as_str().unwrap_or("(nothing)").to_owned())
        .collect()
}

fn group(person: &Person) -> Value {
    json(&mut person.chat(&["members", PLANS]))["group"].take()
}

/// How many members somebody sees.
fn members(person: &Person) -> usize {
    list(&group(person), "/members").len()
}

#[test]
fn three_people_are_in_within_a_minute_and_read_the_same() {
    let world = World::new();
    let (mut inviting, link) = stay_and_invite(&world.ada, 2);
    let [ben, cleo] = ["ben", "cleo"].map(|name| world.person(name));
    let joined = ben.join(&link);
    assert_eq!((text(&joined, "/name"), &joined["group"]), (PLANS, &Value::Bool(true)));
    inviting.line_with("waxwing.chat.invite.in/1");
    cleo.join(&link);
    let (status, told) = inviting.end();
    assert!(
        status.success() && told.contains("has to be connected") || told.contains("you are connected now"),
        "{told}"
    );
    for person in [&world.ada, &ben, &cleo] {
        assert_eq!(text(&person.send(PLANS, &person.name), "/message/state"), "final");
    }
    // With one channel, nobody has to name it.
    let read = done(&mut cleo.chat(&["read"]));
    assert!(read.contains("ada  ada") && read.contains("cleo  cleo"), "{read}");
    for person in [&world.ada, &ben, &cleo] {
        // Each was in when the others spoke: Ada was first.
        assert_eq!(said(person), ["ada", "ben", "cleo"], "{}", person.name);
        assert_eq!(members(person), 3);
    }
    let listed = done(&mut world.ada.chat(&["members"]));
    assert!(
        listed.contains("ada (you)  admin") && listed.contains("ben "),
        "{listed}"
    );
    // Who came later sees that, and nobody comes in by a link that was used up.
    let seen = done(&mut world.ada.chat(&["read"]));
    assert!(
        seen.contains("ada added ben") && seen.contains("ada added cleo"),
        "{seen}"
    );
    let (code, line) = refusal(&mut world.person("eve").chat(&["join", &link, "--as", "eve", "--wait", "1"]));
    assert_eq!(code, 1);
    assert!(line.contains("not let in yet") && line.contains("chat asked"), "{line}");
}

#[test]
fn who_is_taken_out_reads_nothing_that_is_said_afterwards() {
    let (world, [ben, cleo]) = World::with(["ben", "cleo"]);
    for person in [&ben, &cleo] {
        person.send(PLANS, &person.name);
    }
    let (code, line) = refusal(&mut ben.chat(&["remove", PLANS, "cleo"]));
    assert!(code == 2 && line.contains("only an admin"), "{line}");
    let (_, line) = refusal(&mut world.ada.chat(&["remove", PLANS, "zoe"]));
    assert!(line.contains("nobody here is called zoe"), "{line}");
    let (_, line) = refusal(&mut world.ada.chat(&["remove", PLANS, "ada"]));
    assert!(line.contains("chat leave"), "{line}");
    let removed = json(&mut world.ada.chat(&["remove", PLANS, "ben"]));
    assert_eq!(text(&removed, "/state"), "final");
    world.ada.send(PLANS, "without ben");
    assert_eq!(said(&ben), ["ben", "cleo"]);
    assert_eq!(said(&cleo), ["ben", "cleo", "without ben"]);
    assert_eq!(text(&group(&ben), "/standing"), "removed");
    let (code, line) = refusal(&mut ben.chat(&["send", PLANS, "still here?"]));
    assert!(code == 2 && line.contains("not in the group"), "{line}");
    let read = done(&mut ben.chat(&["read"]));
    assert!(
        read.contains("ada removed ben") && read.contains("this device is out"),
        "{read}"
    );
    let seen = done(&mut cleo.chat(&["read"]));
    assert!(
        seen.contains("ada removed ben") && !seen.contains("this device is out"),
        "{seen}"
    );
}

#[test]
fn who_leaves_is_let_go_by_whoever_is_connected() {
    let (world, [ben]) = World::with(["ben"]);
    let (code, line) = refusal(&mut world.ada.chat(&["leave", "--yes"]));
    assert!(code == 2 && line.contains("no admin"), "{line}");
    let (_, line) = refusal(&mut ben.chat(&["leave"]));
    assert!(line.contains("--yes"), "it is asked first: {line}");
    let mut tail = Running::start(&mut world.ada.chat(&["tail"]));
    tail.line_with("waiting for messages");
    ben.send(PLANS, "farewell");
    let left = json(&mut ben.chat(&["leave", "--yes"]));
    assert!(["said", "out"].contains(&text(&left, "/state")), "{left}");
    tail.line_with("ben wishes to leave");
    tail.line_with("ben left");
    until("Ben is out", || {
        (text(&group(&ben), "/standing") == "removed").then_some(())
    });
    assert_eq!(members(&world.ada), 1);
    world.ada.send(PLANS, "alone");
    assert_eq!(said(&ben), ["farewell"]);
    let (_, line) = refusal(&mut world.ada.chat(&["leave", "--yes"]));
    assert!(line.contains("chat forget"), "{line}");
}

#[test]
fn what_two_admins_change_at_once_comes_true_one_after_the_other() {
    let (world, [ben, cleo]) = World::with(["ben", "cleo"]);
    for person in [&ben, &cleo] {
        person.send(PLANS, "here");
    }
    json(&mut world.ada.chat(&["role", PLANS, "ben", "admin"]));
    // Both learn of it before they act, so that both act for the same epoch.
    assert_eq!((members(&ben), members(&cleo)), (3, 3));
    let start = |person: &Person, arguments: &[&str]| Running::start(&mut person.chat(arguments));
    let both = [
        // By its number: the name is another one as soon as either has read the other's change.
        start(&world.ada, &["rename", "1", "better plans"]),
        start(&ben, &["role", "1", "cleo", "admin"]),
    ];
    for one in both {
        let (status, told) = one.end();
        assert!(status.success(), "{told}");
    }
    let views = [&world.ada, &ben, &cleo].map(|person| json(&mut person.chat(&["members"])));
    for view in &views {
        assert_eq!(text(view, "/name"), "better plans");
        assert!(
            list(view, "/people").iter().all(|person| person["admin"] == true),
            "{view}"
        );
        let authenticator = |view: &Value| text(view, "/group/authenticator").to_owned();
        assert_eq!(authenticator(view), authenticator(&views[0]));
    }
}

#[test]
fn who_was_away_reads_all_of_it_through_every_epoch() {
    let (world, [ben]) = World::with(["ben"]);
    for round in 0..4 {
        let name = format!("round {round}");
        json(&mut world.ada.chat(&["rename", "1", &name]));
        world.ada.send("1", &name);
    }
    let read = json(&mut ben.chat(&["read", "--last", "1000"]));
    let said: Vec<_> = list(&read, "/messages")
        .iter()
        .filter_map(|view| view["text"].as_str())
        .collect();
    assert_eq!(said, ["round 0", "round 1", "round 2", "round 3"]);
    assert_eq!(text(&read, "/channel/name"), "round 3");
    let indexes: Vec<_> = list(&read, "/messages")
        .iter()
        .filter_map(|view| view["log_index"].as_u64())
        .collect();
    assert!(indexes.is_sorted_by(|one, next| one < next), "{indexes:?}");
    let renamed = json(&mut ben.chat(&["rename", "round 3", "mine", "--here"]));
    assert_eq!(renamed["here"], true);
    assert_eq!(text(&json(&mut world.ada.chat(&["members"])), "/name"), "round 3");
}

#[test]
fn what_a_killed_sender_had_queued_is_said_once() {
    let (world, [ben]) = World::with(["ben"]);
    let words: Vec<String> = (0..12).map(|number| format!("word {number}")).collect();
    for (number, word) in words.iter().enumerate() {
        ben.queue("1", word);
        // Each time it is on its way a little further, and an epoch ends meanwhile.
        if number % 3 == 2 {
            let mut tail = ben.tail("1");
            tail.line_with(word);
            tail.kill();
            json(&mut world.ada.chat(&["rename", "1", &format!("round {number}")]));
        }
    }
    let mut tail = Running::start(&mut ben.chat(&["tail", "--last", "1000", "--json"]));
    waxwing_system::person::final_line(&mut tail, "word 11");
    drop(tail);
    let all = json(&mut world.ada.chat(&["read", "--last", "1000"]));
    let heard: Vec<_> = list(&all, "/messages")
        .iter()
        .filter_map(|view| view["text"].as_str())
        .collect();
    assert_eq!(heard, words, "each once, in the order in which they were said");
    let own = json(&mut ben.chat(&["read", "--last", "1000"]));
    let own: Vec<_> = list(&own, "/messages")
        .iter()
        .filter_map(|view| view["text"].as_str())
        .collect();
    assert_eq!(own, words);
}

/// Starts to ask to be let in.
fn asking(person: &Person, link: &str) -> Command {
    person.chat(&["join", link, "--as", &person.name])
}

#[test]
fn whoever_asks_is_let_in_once_though_who_lets_in_is_killed() {
    let world = World::new();
    let (inviting, link) = stay_and_invite(&world.ada, 3);
    // Killed before anybody has asked, when it knows of the first request, and when the change is final.
    inviting.kill();
    let [ben, cleo, dora] = ["ben", "cleo", "dora"].map(|name| world.person(name));
    let mut joins = Vec::new();
    for (person, moment) in [(&ben, "ben"), (&cleo, "added cleo")] {
        let mut join = Running::start(&mut asking(person, &link));
        join.line_with("asking to be let in");
        let mut tail = Running::start(&mut world.ada.chat(&["tail", "--last", "1000"]));
        tail.line_with("waiting for messages");
        if moment == "ben" {
            until("the request is here", || {
                let requests = json(&mut world.ada.chat(&["requests"]));
                (!list(&requests, "/requests").is_empty()).then_some(())
            });
        } else {
            tail.line_with(moment);
        }
        tail.kill();
        joins.push(join);
    }
    joins.push(Running::start(&mut asking(&dora, &link)));
    let _tail = Running::start(&mut world.ada.chat(&["tail"]));
    for join in joins {
        let (status, told) = join.end();
        assert!(status.success(), "{told}");
    }
    for person in [&ben, &cleo, &dora] {
        person.send(PLANS, &person.name);
    }
    assert_eq!(said(&world.ada), ["ben", "cleo", "dora"]);
    let accounts = json(&mut world.ada.chat(&["members"]));
    assert_eq!(list(&accounts, "/people").len(), 4);
    assert_eq!(members(&dora), 4, "nobody is in twice");
}

#[test]
fn where_this_person_is_asked_nobody_comes_in_without_a_yes() {
    let world = World::new();
    let [ben, cleo] = ["ben", "cleo"].map(|name| world.person(name));
    let invited = json(&mut world.ada.chat(&["invite", "--ask", "--uses", "2"]));
    let link = text(&invited, "/link");
    let join = |person: &Person, note| {
        let mut command = person.chat(&["join", link, "--as", &person.name, "--note", note]);
        Running::start(&mut command)
    };
    let hostile = "\u{1b}[2J it is me";
    let (bens, mut cleos) = (join(&ben, hostile), join(&cleo, ""));
    cleos.line_with("asking");
    let requests = until("both have asked", || {
        let requests = json(&mut world.ada.chat(&["requests"]));
        (list(&requests, "/requests").len() == 2).then_some(requests)
    });
    let number_of = |name: &str| {
        let mut requests = list(&requests, "/requests").iter();
        let found = requests.rfind(|request| text(request, "/name") == name);
        found.unwrap()["id"].to_string()
    };
    let shown = done(&mut world.ada.chat(&["requests"]));
    assert!(
        shown.contains("waits for your answer") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    assert_eq!(members(&world.ada), 1);
    let accepted = json(&mut world.ada.chat(&["accept", &number_of("ben")]));
    assert_eq!(text(&accepted, "/state"), "let-in");
    let declined = json(&mut world.ada.chat(&["decline", &number_of("cleo")]));
    assert_eq!(text(&declined, "/state"), "declined");
    let (_, line) = refusal(&mut world.ada.chat(&["accept", &number_of("cleo")]));
    assert!(line.contains("no such request waits"), "{line}");
    assert!(bens.end().0.success());
    let (status, told) = cleos.end();
    assert!(!status.success() && told.contains("you are not let in"), "{told}");
    assert_eq!(text(&json(&mut cleo.chat(&["asked"])), "/asked/0/state"), "declined");
    let revoked = json(&mut world.ada.chat(&["invite", "--revoke"]));
    assert_eq!(text(&revoked, "/schema"), "waxwing.chat.invite.revoke/1");
    // A link to a person leads to a conversation of two.
    let invited = json(&mut world.ada.chat(&["invite", "--me"]));
    let join = Running::start(&mut cleo.chat(&["join", text(&invited, "/link"), "--note", "sorry"]));
    let request = until("Cleo has asked again", || {
        let requests = json(&mut world.ada.chat(&["requests"]));
        let found = list(&requests, "/requests")
            .iter()
            .find(|request| request["state"] == "waiting");
        Some(found?["id"].to_string())
    });
    json(&mut world.ada.chat(&["accept", &request]));
    assert!(join.end().0.success());
    cleo.send("ada", "just us");
    let read = done(&mut world.ada.chat(&["read", "cleo"]));
    assert!(read.contains("just us"), "{read}");
}

/// The names of an object's fields, the schema aside.
fn fields(value: &Value) -> Vec<&str> {
    let object = value.as_object().unwrap();
    object
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "schema")
        .collect()
}

#[test]
fn what_programs_are_told_of_groups_keeps_its_form() {
    let (world, [ben]) = World::with(["ben"]);
    ben.send(PLANS, "here");
    let check = |person: &Person, arguments: &[&str], schema: &str, expected: &[&str]| {
        let value = json(&mut person.chat(arguments));
        assert_eq!(text(&value, "/schema"), format!("waxwing.chat.{schema}/1"));
        assert_eq!(fields(&value), expected, "{schema}");
        value
    };
    let ada = &world.ada;
    let members = check(ada, &["members"], "members", &["channel", "group", "name", "people"]);
    let person = [
        "account", "admin", "claimed", "compared", "devices", "leaving", "own", "petname", "warning",
    ];
    assert_eq!(fields(&members["people"][0]), person);
    let group = [
        "authenticator",
        "changes_waiting",
        "direct",
        "epoch",
        "history",
        "members",
        "standing",
        "suite",
    ];
    assert_eq!(fields(&members["group"]), group);
    let request = [
        "account", "asked", "channel", "device", "id", "invites", "name", "note", "state",
    ];
    let requests = check(ada, &["requests"], "requests", &["requests"]);
    assert_eq!(fields(&requests["requests"][0]), request);
    let asked = check(&ben, &["asked"], "asked", &["asked"]);
    let field = [
        "account", "asked", "channel", "id", "name", "network", "reason", "state",
    ];
    assert_eq!(fields(&asked["asked"][0]), field);
    let invited = ["asks", "channel", "expires", "final", "link", "uses"];
    check(ada, &["invite"], "invite", &invited);
    check(ada, &["invite", "--revoke"], "invite.revoke", &["channel", "revoked"]);
    let role = ["account", "admin", "channel", "state"];
    check(ada, &["role", PLANS, "ben", "admin"], "role", &role);
    check(ada, &["role", PLANS, "ben", "member", "--no-wait"], "role", &role);
    check(
        &ben,
        &["rename", PLANS, "ours", "--here"],
        "rename",
        &["channel", "here", "name", "state"],
    );
    check(
        ada,
        &["remove", PLANS, "ben"],
        "remove",
        &["account", "channel", "state"],
    );
    // The stream of changes tells of the group as well.
    let mut tail = Running::start(&mut ada.chat(&["tail", "--last", "100", "--json"]));
    let line: Value = serde_json::from_str(&tail.line_with("\"removed\":[{")).unwrap();
    assert_eq!(line["event"]["names"][text(&line, "/event/removed/0/device")], "ben");
}

#[test]
fn any_member_lets_people_in_and_no_link_is_used_twice() {
    let (world, [ben]) = World::with(["ben"]);
    let (inviting, link) = stay_and_invite(&ben, 1);
    let cleo = world.person("cleo");
    cleo.join(&link);
    assert!(inviting.end().0.success());
    cleo.send(PLANS, "let in by ben");
    assert_eq!(
        (members(&world.ada), said(&world.ada)),
        (3, vec!["let in by ben".to_owned()])
    );
    let (code, line) = refusal(&mut cleo.chat(&["rename", PLANS, "mine"]));
    assert!(code == 2 && line.contains("only an admin"), "{line}");
    // Whoever made a link does not come in by it, and a link that is none makes no home.
    let (_, own) = refusal(&mut ben.chat(&["join", &link]));
    assert!(own.contains("your own"), "{own}");
    let dora = world.person("dora");
    let (code, _) = refusal(&mut dora.chat(&["join", "waxwing:AgB_", "--as", "dora"]));
    assert!(code == 2 && !dora.home().join("chat").exists());
}
