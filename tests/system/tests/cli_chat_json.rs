//! What scripts may rely on from the commands of a person: each schema keeps its fields, and so does a message wherever it
//! is shown.

use serde_json::Value;
use waxwing_system::command::{done, json, text};
use waxwing_system::den::{Den, reads};
use waxwing_system::process::Running;

/// The names of an object's fields, the schema aside.
fn fields(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("a result is an object");
    let names = object.keys().map(String::as_str);
    names.filter(|name| *name != "schema").collect()
}

const MESSAGE: [&str; 28] = [
    "about",
    "attachment",
    "author",
    "body",
    "change",
    "channel",
    "content_id",
    "edited",
    "exceptions",
    "expires",
    "height",
    "id",
    "kind",
    "log_index",
    "mentions",
    "missing_before",
    "ordered",
    "own",
    "queued",
    "quotes",
    "reach",
    "reactions",
    "reason",
    "retracted",
    "state",
    "text",
    "timer_days",
    "written",
];

#[test]
fn schemas_of_what_is_said_found_kept_and_forgotten_are_stable() {
    let den = Den::new();
    let (ann, ben) = (&den.ann, &den.ben);
    let check = |arguments: &[&str], schema: &str, expected: &[&str]| -> Value {
        let value = json(&mut ann.chat(arguments));
        assert_eq!(text(&value, "/schema"), schema);
        assert_eq!(fields(&value), expected, "{schema}");
        value
    };
    ann.send("den", "roses");
    reads(ben, "den");
    let said = ["ladder", "message", "took_ms"];
    let reply = ["reply", "den", "0", "and tulips"];
    let replied = check(&reply, "waxwing.chat.reply/1", &said);
    assert_eq!(fields(&replied["message"]), MESSAGE);
    assert_eq!(
        fields(&replied["message"]["quotes"]),
        ["author", "id", "log_index", "text"]
    );
    let edit = ["edit", "den#0", "red roses"];
    check(&edit, "waxwing.chat.edit/1", &said);
    check(&["react", "den", "0", "🌹"], "waxwing.chat.react/1", &said);
    let read = ann.read("den");
    let reaction = read.pointer("/messages/0/reactions/0").expect("there is a reaction");
    assert_eq!(fields(reaction), ["author", "content_id", "emoji"]);

    let found = check(&["search", "red"], "waxwing.chat.search/1", &["hits", "more"]);
    let hit = found.pointer("/hits/0").expect("it was found");
    assert_eq!(fields(hit), ["channel", "matches", "message"]);
    assert_eq!(
        (fields(&hit["channel"]), fields(&hit["message"])),
        (vec!["id", "name"], MESSAGE.to_vec())
    );
    let mut tail = Running::start(&mut ann.chat(&["tail", "den", "--json", "--after", "0"]));
    let change: Value = serde_json::from_str(&tail.line_with("waxwing.chat.tail/1")).unwrap_or_default();
    let mut expected = MESSAGE.to_vec();
    expected.extend(["target"]);
    expected.sort_unstable();
    assert_eq!(fields(&change), expected);
    drop(tail);

    let out = den.folder.path().join("out").to_string_lossy().into_owned();
    let export = ["export", "den", "--format", "json", "--out", &out];
    check(&export, "waxwing.chat.export/1", &["bytes", "messages", "out"]);
    let file = std::fs::read_to_string(&out).expect("it was written");
    let file: Value = serde_json::from_str(&file).expect("it is JSON");
    assert_eq!(text(&file, "/schema"), "waxwing.transcript/1");
    let parts = ["channel", "checked", "messages", "network", "not_proven", "proven"];
    assert_eq!(fields(&file), parts);
    let local = ["id", "channel", "change", "quotes"];
    let kept: Vec<_> = MESSAGE.into_iter().filter(|name| !local.contains(name)).collect();
    assert_eq!(fields(&file["messages"][0]), kept);

    let retracted = ["erasure", "ladder", "message", "retracts", "took_ms"];
    check(&["retract", "den#1", "--yes"], "waxwing.chat.retract/1", &retracted);
    check(&["name"], "waxwing.chat.name/1", &["device", "name"]);
    let forgotten = ["channel", "dropped", "log", "messages", "name"];
    check(&["forget", "den", "--yes"], "waxwing.chat.forget/1", &forgotten);
    let same = ann.passphrase_file().to_string_lossy().into_owned();
    let passphrase = ["passphrase", "--new-passphrase-file", &same];
    check(&passphrase, "waxwing.chat.passphrase/1", &["changed"]);
    assert!(done(&mut ann.chat(&["channels"])).contains("no channels"));
}
