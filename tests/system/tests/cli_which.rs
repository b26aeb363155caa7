//! One way to name a message, in one word or two, for every verb that is about one; and what is refused rather than guessed.

use serde_json::Value;
use waxwing_system::command::{done, json, refusal, text};
use waxwing_system::den::{Den, reads};

/// What a person's verb printed about the message that came of it.
fn said(answer: &Value) -> &str {
    text(answer, "/message/text")
}

#[test]
fn every_verb_about_a_message_takes_it_in_one_word_or_two() {
    let Den { ann, ben, folder, .. } = &Den::new();
    let first = ann.send("den", "shall we meet?");
    reads(ben, "den");
    let id = &text(&first, "/message/content_id")[..12];

    for whole in ["den#0", "1#0", id] {
        let replied = json(&mut ben.chat(&["reply", whole, "5", "is fine"]));
        assert_eq!(
            (said(&replied), text(&replied, "/message/quotes/text")),
            ("5 is fine", "shall we meet?")
        );
        done(&mut ann.chat(&["edit", whole, "shall", "we meet?"]));
        done(&mut ann.chat(&["why", whole]));
    }
    for [channel, message] in [["den", "0"], ["den", "#0"], ["1", "0"], ["den", id]] {
        let replied = json(&mut ben.chat(&["reply", channel, message, "5", "is fine"]));
        assert_eq!(
            (said(&replied), text(&replied, "/message/quotes/text")),
            ("5 is fine", "shall we meet?")
        );
        done(&mut ann.chat(&["edit", channel, message, "shall", "we meet?"]));
        done(&mut ann.chat(&["why", channel, message]));
    }
    done(&mut ben.chat(&["react", "den#0", "👍"]));
    done(&mut ben.chat(&["react", "den", "0", "🌹"]));
    done(&mut ben.chat(&["react", "den", "#0", "👍", "--take-back"]));
    let read = reads(ann, "den");
    assert!(read.contains("shall we meet? (edited)\n  🌹 ben\n"), "{read}");
    for (place, words) in [&["den#0"][..], &["den", "0"]].into_iter().enumerate() {
        let file = folder.path().join(format!("{place}.wxr"));
        let mut receipt = ann.chat(&[&["receipt"], words, &["--out"]].concat());
        done(receipt.arg(&file));
        assert!(file.is_file());
    }
    ann.send("den", "a mistake");
    done(&mut ann.chat(&["retract", "den", "0", "--yes"]));
    assert!(reads(ben, "den").contains("(taken back by its author)"));
}

#[test]
fn what_names_no_message_or_two_is_refused_and_nothing_is_said() {
    let den = &Den::new();
    let Den { ann, .. } = den;
    let first = ann.send("den", "one");
    // A channel whose name is how the message's id begins.
    let alike = text(&first, "/message/content_id")[..6].to_owned();
    den.open(ann, &alike);
    ann.send(&alike, "two");
    let refused = |words: &[&str], says: &[&str]| {
        let (code, line) = refusal(&mut ann.chat(words));
        assert_eq!(code, 2, "{words:?}: {line}");
        assert!(says.iter().all(|part| line.contains(part)), "{words:?}: {line}");
    };
    refused(
        &["edit", &alike, "0", "apples"],
        &["is a channel and the beginning", "#0"],
    );
    refused(&["edit", "nowhere", "0", "x"], &["there is no channel nowhere"]);
    refused(
        &["edit", "dne", "0", "x"],
        &["there is no channel dne", "did you mean den?"],
    );
    refused(&["edit", "den#9", "x"], &["no message is called den#9", "den#0"]);
    refused(&["edit", "den", "9", "x"], &["no message is called den#9", "den#0"]);
    refused(&["reply", "den", "0"], &["the message is empty"]);
    refused(&["react", "den#0"], &["<MESSAGE>", "waxwing chat react --help"]);
    refused(&["why", "den", "0", "1"], &["waxwing chat why --help"]);
    refused(&["why", "den"], &["den is no message", "CHANNEL#ENTRY"]);
    // What is clear by itself is done.
    done(&mut ann.chat(&["edit", &format!("{alike}#0"), "0", "apples"]));
    let read = reads(ann, "den");
    assert!(read.contains("one") && !read.contains("edited"), "{read}");
    assert!(reads(ann, &alike).contains("0 apples (edited)"));
}
