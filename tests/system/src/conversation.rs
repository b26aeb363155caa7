//! Reads the bundled excerpt of a real conversation.
//!
//! Invented messages are too alike: real ones differ in length, come in bursts, interrupt each other and hold
//! characters that nobody thought of. Format and source: `tests/data/ubuntu-irc/README.md`.

use std::path::PathBuf;

/// One message of a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spoken {
    /// Minute of the day.
    pub minute: u16,
    /// Who said it.
    pub speaker: String,
    /// What was said; for an action (`* nick does something`) what was done.
    pub text: String,
}

/// The log of the bundled excerpt, 500 messages.
#[must_use]
pub fn path() -> PathBuf {
    crate::root().join("tests/data/ubuntu-irc/2015-10-19.log")
}

/// The messages of the bundled excerpt in their order.
///
/// # Panics
/// If the tree is incomplete.
#[must_use]
pub fn messages() -> Vec<Spoken> {
    std::fs::read_to_string(path())
        .expect("the excerpt is part of the tree")
        .lines()
        .filter_map(message)
        .collect()
}

/// Reads `[HH:MM] <nick> text` or `[HH:MM]  * nick text`; notices of the server (`=== ...`) are no messages.
fn message(line: &str) -> Option<Spoken> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (hour, minute) = time.split_once(':')?;
    let minute = hour.parse::<u16>().ok()? * 60 + minute.parse::<u16>().ok()?;
    let (speaker, text) = match rest.strip_prefix(" * ") {
        Some(action) => action.split_once(' ')?,
        None => rest.strip_prefix('<')?.split_once("> ")?,
    };
    Some(Spoken {
        minute,
        speaker: speaker.to_owned(),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_excerpt_has_eight_speakers_who_speak_often() {
        let messages = messages();
        assert!(messages.len() >= 500, "{} messages", messages.len());
        let mut said = BTreeMap::new();
        for spoken in &messages {
            *said.entry(spoken.speaker.as_str()).or_insert(0) += 1;
        }
        assert!(said.values().filter(|count| **count >= 20).count() >= 8, "{said:?}");
    }

    #[test]
    fn messages_and_actions_are_read() {
        let spoken = message("[13:46] <Guest57> hello <there>").unwrap();
        assert_eq!(
            (spoken.minute, spoken.speaker.as_str(), spoken.text.as_str()),
            (826, "Guest57", "hello <there>")
        );
        let done = message("[00:05]  * Guest57 is waiting").unwrap();
        assert_eq!(
            (done.minute, done.speaker.as_str(), done.text.as_str()),
            (5, "Guest57", "is waiting")
        );
    }

    #[test]
    fn notices_and_broken_lines_are_no_messages() {
        for line in [
            "=== a is now known as b",
            "",
            "[13:46]",
            "[13:46] <Guest57>",
            "13:46 <a> b",
            "[x:46] <a> b",
        ] {
            assert_eq!(message(line), None, "{line}");
        }
    }
}
