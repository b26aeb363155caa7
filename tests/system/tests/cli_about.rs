//! Replies, reactions, edits and retractions, by typing commands: what the other person reads, what is refused, and what
//! stays on the nodes.

use serde_json::{Value, json};
use waxwing_system::command::{done, json, list, number, refusal, run, text};
use waxwing_system::den::{Den, reads as reads_in};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

fn reads(person: &Person) -> String {
    reads_in(person, "den")
}

#[test]
fn a_reply_a_reaction_an_edit_and_a_retraction_arrive_and_are_shown() {
    let Den { ann, ben, .. } = &Den::new();
    ann.send("den", "shall we meet at noom?");
    reads(ben);
    let replied = json(&mut ben.chat(&["reply", "den", "0", "yes,", "at the\u{1b}[2J gate"]));
    assert_eq!(text(&replied, "/schema"), "waxwing.chat.reply/1");
    assert_eq!(replied["ladder"], json!(["queued", "sent", "final"]), "{replied}");
    assert_eq!(text(&replied, "/message/quotes/text"), "shall we meet at noom?");
    let reacted = json(&mut ben.chat(&["react", "den", "#0", "👍"]));
    assert_eq!(text(&reacted, "/schema"), "waxwing.chat.react/1");
    let edited = json(&mut ann.chat(&["edit", "den#0", "shall we meet at noon?"]));
    assert_eq!(text(&edited, "/schema"), "waxwing.chat.edit/1");

    let read = reads(ben);
    assert!(
        read.contains("ann  shall we meet at noon? (edited)\n  👍 ben\n"),
        "{read}"
    );
    assert!(
        read.contains("ben  (to ann: shall we meet at noon?) yes, at the␛[2J gate"),
        "{read}"
    );
    assert!(!read.contains('\u{1b}') && !read.contains("noom"), "{read}");
    let read = ben.read("den");
    let messages = list(&read, "/messages");
    assert_eq!(messages.len(), 2, "what belongs to a message is not listed by itself");
    assert_eq!(text(&messages[0], "/text"), "shall we meet at noon?");
    assert_eq!(
        (&messages[0]["edited"], text(&messages[0], "/reactions/0/emoji")),
        (&json!(true), "👍")
    );
    assert_eq!(messages[1]["about"], messages[0]["content_id"]);

    // By its id, as `send` prints it; and from a pipe.
    let id = text(&messages[1], "/content_id").to_owned();
    json(&mut ben.chat(&["edit", &id, "no, at the gate"]));
    json(&mut ben.chat(&["react", "den", "0", "👍", "--take-back"]));
    let read = reads(ann);
    assert!(
        read.contains("no, at the gate (edited)") && !read.contains('👍'),
        "{read}"
    );
}

#[test]
fn a_tail_shows_what_is_done_to_messages_as_it_happens() {
    let Den { ann, ben, .. } = &Den::new();
    ann.send("den", "the roses are out");
    let mut tail = Running::start(&mut ann.chat(&["tail", "den"]));
    tail.line_with("the roses are out");
    tail.line_with("waiting for messages");
    reads(ben);
    done(&mut ben.chat(&["react", "den", "0", "🌹"]));
    tail.line_with("ben  reacts with 🌹 to ann: the roses are out");
    done(&mut ann.chat(&["edit", "den#0", "the roses were out"]));
    tail.line_with("ann  edits ann: the roses were out");
    done(&mut ann.chat(&["retract", "den#0", "--yes"]));
    tail.line_with("ann  takes back ann: (nothing is left)");
}

#[test]
fn taking_back_asks_first_says_what_is_lost_and_erases_only_when_asked_to() {
    let Den { node, ann, ben, .. } = &Den::new();
    ann.send("den", "a mistake");
    done(&mut ann.chat(&["edit", "den#0", "a bad mistake"]));
    ann.send("den", "no mistake");
    assert_eq!(list(&ben.read("den"), "/messages").len(), 2);
    let (code, line) = refusal(&mut ann.chat(&["retract", "den#0"]));
    assert_eq!(code, 2);
    assert!(
        line.contains("the sealed body stays on the nodes") && line.contains("add --yes"),
        "{line}"
    );
    let (_, line) = refusal(&mut ann.chat(&["retract", "den#0", "--erase"]));
    assert!(line.contains("honest nodes drop the sealed bodies"), "{line}");
    assert!(reads(ben).contains("a bad mistake"), "nothing was done before the yes");

    let said = done(&mut ann.chat(&["retract", "den#0", "--yes"]));
    assert!(
        said.contains("✓ final") && said.contains("its sealed body stays on the nodes"),
        "{said}"
    );
    for person in [ann, ben] {
        let read = person.read("den");
        let message = &list(&read, "/messages")[0];
        assert_eq!((&message["retracted"], &message["text"]), (&json!(true), &Value::Null));
        assert!(reads(person).contains("(taken back by its author)"));
        assert!(!read.to_string().contains("mistake\",\"edited\":true"), "{read}");
    }
    assert_eq!(node.figure("waxwing_bodies_dropped_total{kind=\"erased\"}"), 0);
}

#[test]
fn what_was_taken_back_can_be_erased_from_the_nodes_at_once_or_later() {
    let Den { node, ann, .. } = &Den::new();
    ann.send("den", "a mistake");
    done(&mut ann.chat(&["edit", "den#0", "a bad mistake"]));
    ann.send("den", "no mistake");
    done(&mut ann.chat(&["retract", "den#0", "--yes"]));
    let (_, line) = refusal(&mut ann.chat(&["retract", "den#0", "--yes"]));
    assert!(
        line.contains("was taken back before") && line.contains("--erase"),
        "{line}"
    );
    let erased = json(&mut ann.chat(&["retract", "den#0", "--erase", "--yes"]));
    assert_eq!(
        (text(&erased, "/schema"), text(&erased, "/erasure")),
        ("waxwing.chat.retract/1", "confirmed")
    );
    until("the node has dropped the bodies of the message and of its edit", || {
        (node.figure("waxwing_bodies_dropped_total{kind=\"erased\"}") == 2).then_some(())
    });
    let read = ann.read("den");
    assert_eq!(text(&list(&read, "/messages")[0], "/body"), "erased");

    let at_once = json(&mut ann.chat(&["retract", "den#2", "--erase", "--yes"]));
    assert_eq!(text(&at_once, "/message/state"), "final");
    assert_eq!(text(&at_once, "/erasure"), "confirmed");
    assert_eq!(number(&at_once, "/message/log_index"), 4);
}

#[test]
fn what_cannot_be_done_is_refused_in_one_line_and_nothing_is_sent() {
    let den = &Den::new();
    let Den { ann, ben, .. } = den;
    ann.send("den", "mine");
    reads(ben);
    den.open(ben, "shed");
    for (arguments, words) in [
        (&["edit", "den#0", "yours"][..], "did not write that message"),
        (&["retract", "den#0", "--yes"], "did not write that message"),
        (&["react", "den", "0", "👍", "--take-back"], "has not reacted so"),
        (&["react", "den", "0", " "], "say something"),
        (&["react", "den", "0", &"x".repeat(65)], "longer than 64 bytes"),
        (&["reply", "den", "0", " "], "the message is empty"),
        (&["reply", "den", "7", "hello"], "no message"),
        (&["reply", "den", "what", "hello"], "CHANNEL#ENTRY"),
        (&["reply", "shed", "den#0", "hello"], "of another channel"),
        (&["reply", "attic", "0", "hello"], "no channel attic"),
        (&["edit", "den#0"], "<TEXT>"),
    ] {
        let (code, line) = refusal(&mut ben.chat(arguments));
        assert_eq!(code, 2, "{arguments:?}");
        assert!(line.contains(words), "{arguments:?}: {line}");
    }
    done(&mut ben.chat(&["react", "den", "0", "👍"]));
    let (_, line) = refusal(&mut ben.chat(&["react", "den", "0", "👍"]));
    assert!(line.contains("has reacted so already"), "{line}");
    let (_, line) = refusal(&mut ben.chat(&["reply", "den", "1", "to a reaction?"]));
    assert!(line.contains("name the message that it is about"), "{line}");
    let read = ben.read("den");
    assert_eq!(number(&read, "/channel/entries"), 2, "{read}");

    // Queued without a node, they go out with the next command that connects.
    let queued = run(&mut ben.chat(&["reply", "den", "0", "later", "--no-wait"]));
    assert_eq!(queued.code, Some(0), "{}", queued.err);
    assert!(
        queued.out.contains("queued") && !queued.out.contains("final"),
        "{}",
        queued.out
    );
    reads(ben);
    assert!(reads(ann).contains("(to ann: mine) later"));
}
