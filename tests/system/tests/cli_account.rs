//! Whose device this is, and who the others are: `chat account`, `chat recover`, `chat contact`, `chat verify`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use waxwing_system::command::{done, json, list, refusal, run, text, waxwing};
use waxwing_system::den::Den;
use waxwing_system::person::Person;
use waxwing_system::process::Running;

/// The words of a person's account, in a file.
fn words_of(person: &Person) -> PathBuf {
    let shown = json(&mut person.chat(&["account", "phrase", "--print"]));
    let words: Vec<&str> = list(&shown, "/words")
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(words.len(), 24);
    let file = person.home().join("paper");
    fs::write(&file, words.join(" ")).unwrap();
    file
}

fn with_words(person: &Person, verb: &[&str], paper: &std::path::Path) -> Command {
    let mut command = person.chat(verb);
    command.arg("--words").arg(paper);
    command
}

fn account(person: &Person) -> Value {
    json(&mut person.chat(&["account", "show"]))
}

#[test]
fn words_are_shown_to_who_asks_for_them_in_earnest_and_nowhere_else() {
    let Den { ann, ben, .. } = &Den::new();
    let shown = account(ann);
    assert_eq!(
        (text(&shown, "/schema"), text(&shown, "/root")),
        ("waxwing.chat.account/1", "here")
    );
    assert_ne!(shown["account"], account(ben)["account"]);
    for arguments in [&["account", "phrase"][..], &["account", "phrase", "--json"]] {
        let (code, line) = refusal(&mut ann.chat(arguments));
        assert_eq!(code, 2);
        assert!(
            line.contains("on a terminal only") && line.contains("--print"),
            "{line}"
        );
    }
    let paper = words_of(ann);
    let printed = run(&mut ann.chat(&["account", "phrase", "--print"]));
    let words = fs::read_to_string(&paper).unwrap();
    let in_order: Vec<&str> = printed
        .out
        .split_whitespace()
        .filter(|word| word.parse::<u8>().is_err())
        .collect();
    assert_eq!(in_order.join(" "), words);
    assert!(
        printed.err.contains("is this account") && printed.err.contains("no messages"),
        "{}",
        printed.err
    );
    // Neither what is shown otherwise nor what is said inside holds any of it.
    let said = run(&mut ann.chat(&["account", "show", "-vv"]));
    let first_two = words.split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert!(!said.out.contains(&first_two) && !said.err.contains(&first_two));
}

#[test]
fn the_paper_is_checked_and_the_words_can_leave_the_home_and_come_back() {
    let Den { ann, ben, folder, .. } = &Den::new();
    let (paper, other) = (words_of(ann), words_of(ben));
    let checked = json(&mut with_words(ann, &["account", "check"], &paper));
    assert_eq!(checked["matches"], json!(true));
    let (code, line) = refusal(&mut with_words(ann, &["account", "check"], &other));
    assert_eq!(code, 2);
    assert!(line.contains("another account"), "{line}");
    let (_, line) = refusal(&mut ann.chat(&["account", "check"]));
    assert!(
        line.contains("--words FILE"),
        "nobody is asked where nobody can answer: {line}"
    );
    let torn = folder.path().join("torn");
    fs::write(&torn, fs::read_to_string(&paper).unwrap().rsplit_once(' ').unwrap().0).unwrap();
    let (_, line) = refusal(&mut with_words(ann, &["account", "check"], &torn));
    assert!(line.contains("23 of its 24 words"), "{line}");

    let (_, line) = refusal(&mut with_words(ann, &["account", "forget-root"], &paper));
    assert!(line.contains("cannot certify") && line.contains("add --yes"), "{line}");
    let (_, line) = refusal(&mut with_words(ann, &["account", "forget-root", "--yes"], &other));
    assert!(
        line.contains("another account"),
        "a wrong paper forgets nothing: {line}"
    );
    assert_eq!(text(&account(ann), "/root"), "here");
    let before = account(ann);
    json(&mut with_words(ann, &["account", "forget-root", "--yes"], &paper));
    let after = account(ann);
    assert_eq!(
        (text(&after, "/root"), &after["account"]),
        ("on-paper", &before["account"])
    );
    let (_, line) = refusal(&mut ann.chat(&["account", "phrase", "--print"]));
    assert!(line.contains("not in this home"), "{line}");
    ann.send("den", "life goes on");

    let (_, line) = refusal(&mut with_words(ann, &["account", "restore-root"], &other));
    assert!(line.contains("another account"), "{line}");
    json(&mut with_words(ann, &["account", "restore-root"], &paper));
    assert_eq!(account(ann), before);
}

#[test]
fn an_account_is_recovered_on_a_new_machine_as_a_new_device() {
    let Den { ann, folder, .. } = &Den::new();
    let (paper, old) = (words_of(ann), account(ann));
    let new = Person::new(folder.path(), "new machine");
    let (code, line) = refusal(&mut new.chat(&["recover", "--name", "ann", "--words", "no such file"]));
    assert_eq!(code, 2);
    assert!(line.contains("cannot read"), "{line}");
    assert!(!new.home().join("chat").exists(), "what is refused makes no home");
    let recovered = json(&mut with_words(&new, &["recover", "--name", "ann"], &paper));
    assert_eq!(text(&recovered, "/schema"), "waxwing.chat.recover/1");
    assert_eq!(recovered["account"], old["account"]);
    assert_ne!(recovered["device"], old["device"]);
    assert_eq!(account(&new)["device"], recovered["device"]);
    let (_, line) = refusal(&mut with_words(&new, &["recover", "--name", "ann"], &paper));
    assert!(line.contains("--profile NAME"), "{line}");
    new.join(&ann.invite("den"));
    ann.send("den", "welcome back");
    assert!(list(&new.read("den"), "/messages").len() == 1);
}

#[test]
fn several_accounts_live_in_one_home_and_know_nothing_of_each_other() {
    let Den { ann, folder, .. } = &Den::new();
    let paper = words_of(ann);
    let work = folder.path().join("work passphrase");
    fs::write(&work, "another one\n").unwrap();
    let at_work = |verb: &[&str]| {
        let mut command = waxwing(ann.home());
        command
            .args(["chat", "--profile", "work", "--passphrase-file"])
            .arg(&work)
            .args(verb);
        command
    };
    let mut join = at_work(&["join", &ann.invite("den"), "--as", "Ann at work"]);
    json(&mut join);
    let shown = json(&mut at_work(&["account", "show"]));
    assert_ne!(shown["account"], account(ann)["account"]);
    json(&mut at_work(&["send", "den", "from the office"]));
    assert_eq!(text(&ann.read("den"), "/messages/0/text"), "from the office");
    let (_, line) = refusal(&mut ann.chat(&["account", "show", "--profile", "work"]));
    assert!(line.contains("passphrase does not open"), "each has its own: {line}");
    let mut recover = ann.chat(&["recover", "--profile", "spare", "--name", "ann", "--words"]);
    assert_eq!(json(recover.arg(&paper))["account"], account(ann)["account"]);
    let accounts = json(&mut ann.chat(&["accounts"]));
    let profiles: Vec<&Value> = list(&accounts, "/accounts").iter().map(|one| &one["profile"]).collect();
    assert_eq!(profiles, [&Value::Null, &json!("spare"), &json!("work")]);
    let (code, line) = refusal(&mut ann.chat(&["channels", "--profile", "../x"]));
    assert_eq!(code, 2);
    assert!(line.contains("is no name for a profile"), "{line}");
}

/// Adds each to the other's contacts by the accounts that they show.
fn introduce(ann: &Person, ben: &Person) {
    for (one, other) in [(ann, ben), (ben, ann)] {
        json(&mut one.chat(&["contact", "add", text(&account(other), "/account"), &other.name]));
    }
}

#[test]
fn two_people_compare_by_digits_or_by_a_scanned_code() {
    let Den { ann, ben, .. } = &Den::new();
    introduce(ann, ben);
    let of_ann = json(&mut ann.chat(&["verify", "ben"]));
    let of_ben = json(&mut ben.chat(&["verify", "ann"]));
    assert_eq!(of_ann["digits"], of_ben["digits"]);
    assert_ne!(of_ann["code"], of_ben["code"]);
    assert_eq!(of_ann["contact"]["compared"], Value::Null);
    let picture = done(&mut ann.chat(&["verify", "ben", "--qr"]));
    assert!(picture.contains("to scan") && picture.contains('█'), "{picture}");
    what_does_not_match_is_refused(ann, text(&of_ann, "/code"));
    assert_eq!(compared(ann), Value::Null, "what does not match is not noted");

    json(&mut ann.chat(&["verify", "ben", "--scanned", text(&of_ben, "/code")]));
    assert!(compared(ann).is_string());
    json(&mut ben.chat(&["verify", "ann", "--digits", text(&of_ann, "/digits")]));
    assert!(compared(ben).is_string());
    let (_, line) = refusal(&mut ben.chat(&["verify", "ann", "--without-comparing"]));
    assert!(line.contains("add --yes"), "{line}");
    json(&mut ben.chat(&["verify", "ann", "--without-comparing", "--yes"]));
    assert_eq!(compared(ben), Value::Null);
    json(&mut ben.chat(&["verify", "ann", "--match", "--yes"]));
    assert!(compared(ben).is_string());
}

/// When the only contact of a person was compared.
fn compared(person: &Person) -> Value {
    let listed = json(&mut person.chat(&["contacts"]));
    listed.pointer("/contacts/0/compared").unwrap().clone()
}

/// The own code, half a code, and digits that are too few or others.
fn what_does_not_match_is_refused(ann: &Person, own: &str) {
    let (code, line) = refusal(&mut ann.chat(&["verify", "ben", "--scanned", own]));
    assert_eq!(code, 2);
    assert!(line.contains("your own code"), "{line}");
    let (_, line) = refusal(&mut ann.chat(&["verify", "ben", "--scanned", "5758"]));
    assert!(line.contains("no whole code"), "{line}");
    let (code, line) = refusal(&mut ann.chat(&["verify", "ben", "--digits", "12345 67890"]));
    assert_eq!(code, 2);
    assert!(line.contains("has 60 digits"), "{line}");
    let (code, line) = refusal(&mut ann.chat(&["verify", "ben", "--digits", &"0".repeat(60)]));
    assert_eq!(code, 1);
    assert!(line.contains("Nothing is noted"), "{line}");
}

#[test]
fn a_contact_is_named_blocked_reported_and_forgotten() {
    let Den { ann, ben, .. } = &Den::new();
    introduce(ann, ben);
    let shown = json(&mut ann.chat(&["contact", "show", "ben"]));
    assert_eq!((text(&shown, "/name"), text(&shown, "/standstill")), ("ben", "none"));
    assert_eq!(shown["account"], account(ben)["account"]);
    json(&mut ann.chat(&["contact", "rename", "ben", "Ben \u{1b}[2J"]));
    let listed = done(&mut ann.chat(&["contacts"]));
    assert!(
        listed.contains("Ben ␛[2J") && listed.contains("not compared"),
        "{listed}"
    );
    json(&mut ann.chat(&["contact", "rename", "1", "ben"]));
    json(&mut ann.chat(&["contact", "block", "ben"]));
    assert_eq!(
        text(&json(&mut ann.chat(&["contact", "show", "ben"])), "/standstill"),
        "blocked"
    );
    json(&mut ann.chat(&["contact", "unblock", "ben"]));
    let reported = json(&mut ann.chat(&["report", "ben", "nothing", "but", "links"]));
    assert_eq!(text(&reported, "/report"), "nothing but links");
    assert!(done(&mut ann.chat(&["contacts"])).contains("blocked"));
    let (_, line) = refusal(&mut ann.chat(&["contact", "forget", "ben"]));
    assert!(
        line.contains("that they were blocked") && line.contains("add --yes"),
        "{line}"
    );
    json(&mut ann.chat(&["contact", "forget", "ben", "--yes"]));
    let (code, line) = refusal(&mut ann.chat(&["contact", "show", "ben"]));
    assert_eq!(code, 2);
    assert!(line.contains("no contacts in this home"), "{line}");
    let own = account(ann);
    let (_, line) = refusal(&mut ann.chat(&["contact", "add", text(&own, "/account"), "me"]));
    assert!(line.contains("account of this home"), "{line}");
    let (_, line) = refusal(&mut ann.chat(&["contact", "add", "account1qqqq", "me"]));
    assert!(line.contains("mistyped or cut off"), "{line}");
}

fn standings(devices: &Value) -> Vec<&str> {
    let mut all: Vec<_> = list(devices, "/devices")
        .iter()
        .map(|one| text(one, "/standing"))
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn devices_are_published_recovered_suspended_and_revoked() {
    let Den { ann, folder, .. } = &Den::new();
    let unpublished = json(&mut ann.chat(&["devices"]));
    assert_eq!(
        (&unpublished["card"], list(&unpublished, "/devices").len()),
        (&Value::Null, 0)
    );
    let (code, line) = refusal(&mut ann.chat(&["devices", "suspend", "phone"]));
    assert_eq!(code, 2);
    assert!(line.contains("devices publish"), "{line}");
    let published = json(&mut ann.chat(&["devices", "publish"]));
    assert_eq!(
        (text(&published, "/schema"), &published["card"]),
        ("waxwing.chat.devices.publish/1", &json!(0))
    );
    assert_eq!(published["devices"][0]["device"], account(ann)["device"]);
    assert_eq!(published["devices"][0]["key_packages"], json!(1));
    assert!(published["devices"][0]["since"].is_string());

    // A new machine with the words sees the old device, and can do without it.
    let new = Person::new(folder.path(), "new machine");
    json(&mut with_words(&new, &["recover", "--name", "ann"], &words_of(ann)));
    new.join(&ann.invite("den"));
    let seen = json(&mut new.chat(&["devices", "publish"]));
    assert_eq!(standings(&seen), ["active", "active"], "{seen}");
    let old = text(&account(ann), "/device").to_owned();
    is_suspended_and_revoked(&new, &old);
}

/// Another device of the account goes through everything that can happen to it.
fn is_suspended_and_revoked(new: &Person, old: &str) {
    let suspended = json(&mut new.chat(&["devices", "suspend", old]));
    assert_eq!(standings(&suspended), ["active", "suspended"]);
    let (code, line) = refusal(&mut new.chat(&["devices", "suspend", old]));
    assert_eq!(code, 2);
    assert!(line.contains("suspended already"), "{line}");
    let lifted = json(&mut new.chat(&["devices", "lift", old]));
    assert_eq!(standings(&lifted), ["active", "active"]);
    let (_, line) = refusal(&mut new.chat(&["devices", "revoke", old]));
    assert!(line.contains("for ever") && line.contains("add --yes"), "{line}");
    let revoked = json(&mut new.chat(&["devices", "revoke", old, "--yes"]));
    assert_eq!(
        (standings(&revoked), revoked.pointer("/card").unwrap()),
        (vec!["active", "revoked"], &json!(1))
    );
    let listed = done(&mut new.chat(&["devices", "--offline"]));
    assert!(
        listed.contains("card 1") && listed.contains("revoked") && listed.contains("this device"),
        "{listed}"
    );
    let (_, line) = refusal(&mut new.chat(&["devices", "revoke", "nobody", "--yes"]));
    assert!(line.contains("lists their ids"), "{line}");
}

#[test]
fn a_second_device_is_linked_by_the_link_that_it_shows() {
    let Den {
        ann,
        network,
        node,
        folder,
        ..
    } = &Den::new();
    let laptop = Person::new(folder.path(), "laptop");
    let mut show = laptop.chat(&["link", "--as", "ann", "--device", "laptop", "--json", "--account"]);
    show.arg(text(&account(ann), "/account"))
        .args(["--node", &node.address(), "--genesis"]);
    show.arg(network.genesis_file());
    let mut showing = Running::start(&mut show);
    let line: Value = serde_json::from_str(&showing.line_with("\"link\"")).unwrap();
    let (_, refused) = refusal(&mut ann.chat(&["link", "waxwing:nonsense"]));
    assert!(refused.contains("link"), "{refused}");
    let taken = json(&mut ann.chat(&["link", text(&line, "/link")]));
    assert_eq!(text(&taken, "/state"), "done");
    let (status, said) = showing.end();
    assert!(status.success(), "{said}");
    let its = account(&laptop);
    assert_eq!(
        (&its["account"], text(&its, "/root")),
        (&account(ann)["account"], "on-paper")
    );
    assert_eq!(its["device"], taken["device"]);
    let devices = json(&mut laptop.chat(&["devices"]));
    assert_eq!(standings(&devices), ["active", "active"]);
    assert!(
        list(&devices, "/devices")
            .iter()
            .any(|device| text(device, "/name") == "laptop")
    );
    let (_, line) = refusal(&mut laptop.chat(&["link"]));
    assert!(
        line.contains("--profile") || line.contains("profile"),
        "it is somebody's by now: {line}"
    );
}

#[test]
fn a_device_is_renamed_and_another_revoked_with_words_from_paper() {
    let Den { ann, folder, .. } = &Den::new();
    json(&mut ann.chat(&["devices", "publish"]));
    let paper = words_of(ann);
    let new = Person::new(folder.path(), "new machine");
    json(&mut with_words(&new, &["recover", "--name", "ann"], &paper));
    new.join(&ann.invite("den"));
    json(&mut new.chat(&["devices", "publish"]));
    json(&mut with_words(&new, &["account", "forget-root", "--yes"], &paper));
    let own = text(&account(&new), "/device").to_owned();
    let (code, line) = refusal(&mut new.chat(&["devices", "rename", &own, "desk"]));
    assert_eq!(code, 2);
    assert!(line.contains("--words FILE"), "{line}");
    let renamed = json(&mut with_words(&new, &["devices", "rename", &own, "desk"], &paper));
    assert_eq!(text(&renamed, "/schema"), "waxwing.chat.devices.rename/1");
    let names: Vec<&str> = list(&renamed, "/devices")
        .iter()
        .map(|one| text(one, "/name"))
        .collect();
    assert!(names.contains(&"desk"), "{names:?}");
    let old = text(&account(ann), "/device").to_owned();
    let revoked = json(&mut with_words(&new, &["devices", "revoke", &old, "--yes"], &paper));
    assert_eq!(standings(&revoked), ["active", "revoked"]);
    assert_eq!(text(&account(&new), "/root"), "on-paper", "the words do not stay");
}

#[test]
fn what_is_compared_stands_in_digits_and_in_emoji_and_a_difference_is_noted() {
    let Den { ann, ben, .. } = &Den::new();
    introduce(ann, ben);
    let (of_ann, of_ben) = (
        json(&mut ann.chat(&["verify", "ben"])),
        json(&mut ben.chat(&["verify", "ann"])),
    );
    assert_eq!(of_ann["emoji"], of_ben["emoji"]);
    assert_eq!(list(&of_ann, "/emoji").len(), 36);
    json(&mut ann.chat(&["verify", "ben", "--match", "--yes"]));
    assert!(compared(ann).is_string());
    let differs = run(&mut ann.chat(&["verify", "ben", "--differs"]));
    assert_eq!(differs.code, Some(1), "{}", differs.err);
    assert_eq!(compared(ann), Value::Null);
    let (code, _) = refusal(&mut ann.chat(&["verify", "ben", "--differs", "--match"]));
    assert_eq!(code, 2);
}
