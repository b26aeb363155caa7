//! `waxwing chat search`: what is found, how it is shown, and what is not found any more.

use serde_json::json;
use waxwing_system::command::{done, json, list, refusal, text};
use waxwing_system::den::{Den, reads};

#[test]
fn messages_are_found_by_the_beginnings_of_their_words_without_a_network() {
    let mut den = Den::new();
    den.open(&den.ann, "shed");
    let ann = den.ann.clone();
    ann.send("den", "Die Röschen blühen");
    ann.send("shed", "the roses\u{1b}[2J\u{202e} are out");
    ann.send("den", "nothing of that kind");
    den.node.stop();

    let found = json(&mut ann.chat(&["search", "ros"]));
    assert_eq!(text(&found, "/schema"), "waxwing.chat.search/1");
    let hits = list(&found, "/hits");
    assert_eq!(hits.len(), 2, "{found}");
    assert_eq!(
        (
            text(&found, "/hits/0/message/text"),
            text(&found, "/hits/0/channel/name")
        ),
        ("Die Röschen blühen", "den")
    );
    assert_eq!(found.pointer("/hits/0/matches"), Some(&json!([[4, 11]])));
    assert_eq!(
        text(&found, "/hits/1/message/text"),
        "the roses\u{1b}[2J\u{202e} are out"
    );
    assert_eq!(found.pointer("/more"), Some(&json!(false)));

    let said = done(&mut ann.chat(&["search", "ros"]));
    assert!(
        said.contains("den#0") && said.contains("ann  Die *Röschen* blühen"),
        "{said}"
    );
    assert!(
        said.contains("shed#0") && said.contains("the *roses*␛[2J⟨202E⟩ are out"),
        "{said}"
    );
    assert!(
        !said.contains(['\u{1b}', '\u{202e}']) && said.contains("2 messages"),
        "{said}"
    );
    // Colours mark a match where they are wanted, and nothing else writes an escape sequence.
    let mut colored = ann.chat(&["search", "blühen", "--color", "always"]);
    let said = done(colored.env_remove("NO_COLOR"));
    assert!(said.contains("mblühen\u{1b}["), "{said:?}");
}

#[test]
fn one_channel_the_newest_and_phrases_are_looked_for_and_what_cannot_be_found_is_refused() {
    let den = Den::new();
    den.open(&den.ann, "shed");
    let ann = &den.ann;
    ann.send("den", "Die Röschen blühen");
    ann.send("shed", "the roses are out");
    let there = json(&mut ann.chat(&["search", "ros", "--channel", "shed"]));
    assert_eq!(list(&there, "/hits").len(), 1);
    let newest = json(&mut ann.chat(&["search", "ros", "--last", "1"]));
    assert_eq!(text(&newest, "/hits/0/channel/name"), "shed");
    assert_eq!(newest.pointer("/more"), Some(&json!(true)));
    let said = done(&mut ann.chat(&["search", "ros", "--last", "1"]));
    assert!(said.contains("older ones left out"), "{said}");
    let none = done(&mut ann.chat(&["search", "tulips"]));
    assert!(none.contains("0 messages"), "{none}");
    let phrase = json(&mut ann.chat(&["search", "die roschen", "bl"]));
    assert_eq!(list(&phrase, "/hits").len(), 1);

    let (code, line) = refusal(&mut ann.chat(&["search", "…", "👍"]));
    assert_eq!(code, 2);
    assert!(line.contains("letters and digits"), "{line}");
    let (_, line) = refusal(&mut ann.chat(&["search", "ros", "--channel", "attic"]));
    assert!(line.contains("no channel attic"), "{line}");
    let (_, line) = refusal(&mut ann.chat(&["search"]));
    assert!(line.contains("<WORDS>"), "{line}");
}

#[test]
fn what_was_edited_or_taken_back_is_not_found_by_its_old_words() {
    let Den { ann, ben, .. } = &Den::new();
    ann.send("den", "meet at noon");
    ann.send("den", "bring the keys");
    done(&mut ann.chat(&["edit", "den#0", "meet at midnight"]));
    done(&mut ann.chat(&["retract", "den#1", "--yes"]));
    assert!(!reads(ben, "den").is_empty());
    for person in [ann, ben] {
        let finds = |word: &str| list(&json(&mut person.chat(&["search", word])), "/hits").len();
        assert_eq!([finds("noon"), finds("midnight"), finds("keys")], [0, 1, 0]);
    }
}
