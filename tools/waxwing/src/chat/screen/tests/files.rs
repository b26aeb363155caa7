//! Files on the screen: shown for what they are, attached with what is written, saved from where they stand.

use std::path::PathBuf;

use waxwing_light::{AttachmentView, MessageId, MessageView};

use super::super::model::{Effect, Event};
use super::fixtures::{COLORED, GARDEN, Screen, message};
use crate::output::Tone;

/// A message with a file of this name.
fn with_file(index: u64, name: &str, words: &str) -> MessageView {
    let mut view = message(index, 2, "bob", words);
    view.kind = Some("attachment");
    view.text = Some(words.to_owned()).filter(|words| !words.is_empty());
    view.attachment = Some(AttachmentView {
        name: name.to_owned(),
        safe_name: "cat.jpg".to_owned(),
        media_type: "image/jpeg".to_owned(),
        size: 20_000_000,
        hash: "aa".repeat(32),
        kept_until_ms: Some(1_800_000_000_000),
        copies: 2,
        saved: None,
        saved_ms: None,
    });
    view
}

fn screen() -> Screen {
    let messages = vec![
        message(0, 2, "bob", "the roses are out"),
        with_file(1, "../\u{202e}gpj.exe\u{1b}[2J", "look"),
    ];
    Screen::with(messages, COLORED, 200, 30)
}

#[test]
fn a_file_is_shown_with_its_size_its_time_and_a_harmless_name() {
    let picture = screen().picture();
    for words in [
        "../⟨202E⟩gpj.exe␛[2J, 20 MB, kept by nodes until 2027",
        "not saved here",
        "look",
    ] {
        assert!(picture.contains(words), "{words}: {picture}");
    }
    assert!(!picture.contains('\u{202e}') && !picture.contains('\u{1b}'));
    let small = Screen::with(vec![with_file(0, "cat.jpg", "")], COLORED, 60, 15).picture();
    assert!(small.contains("cat.jpg, 20 MB"), "{small}");
}

#[test]
fn a_path_is_typed_and_what_is_written_goes_along() {
    let mut screen = screen();
    screen.write("for you");
    screen.press("F8");
    assert!(screen.picture().contains("attach a file"), "{}", screen.picture());
    screen.write("/tmp/cat one.jpg");
    screen.press("Enter");
    let path = PathBuf::from("/tmp/cat one.jpg");
    let wanted = Effect::Attach(GARDEN, path, "for you".to_owned());
    assert!(screen.wanted.contains(&wanted));
    assert!(screen.model.writing.is_empty(), "it is said with the file");
    screen.on(Event::Told(Tone::Faint, "sending the file: 40 %".to_owned()));
    assert!(screen.picture().contains("40 %"));
    screen.wanted.clear();
    screen.press("F8");
    screen.press("Enter");
    assert!(screen.wanted.is_empty(), "no path, no file");
    screen.press("F8");
    screen.write("x");
    screen.press("Esc");
    assert!(screen.wanted.is_empty(), "given up");
}

#[test]
fn an_answer_that_is_being_written_stays_where_it_is() {
    let mut screen = screen();
    screen.press("Up");
    screen.press("r");
    screen.write("my answer");
    screen.press("F8");
    screen.write("/tmp/cat.jpg");
    screen.press("Enter");
    let wanted = Effect::Attach(GARDEN, PathBuf::from("/tmp/cat.jpg"), String::new());
    assert!(screen.wanted.contains(&wanted));
    assert_eq!(screen.model.writing.text(), "my answer");
}

#[test]
fn the_file_of_the_selected_message_is_saved_and_no_other_message_has_one() {
    let mut screen = screen();
    screen.press("Up");
    let at = screen.model.current().map(|view| view.id);
    screen.press("s");
    assert!(screen.wanted.contains(&Effect::Save(at.unwrap_or(MessageId(0)))));
    screen.wanted.clear();
    screen.press("k");
    screen.press("s");
    assert!(screen.wanted.is_empty());
    assert!(screen.picture().contains("hands over no file"), "{}", screen.picture());
}
