//! Real conversations to replay: logs of a public channel, one line per message.
//!
//! `[HH:MM] <nick> text` is a message, `[HH:MM]  * nick text` an action; a line that starts with `===` is a notice of the
//! server and no message. Source and licence of the bundled excerpt: `tests/data/ubuntu-irc/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::files;

/// What is replayed unless somebody names a folder.
const EXCERPT: &str = include_str!("../../../../tests/data/ubuntu-irc/2015-10-19.log");

/// A day of a busy channel takes 200 kB.
const LOG_FILE_MAX: u64 = 16 << 20;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Spoken {
    /// Who said it.
    pub(super) speaker: String,
    /// What; an action begins with an asterisk.
    pub(super) text: String,
}

/// A conversation among as many people as there are clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Conversation {
    /// Where it is from.
    pub(super) source: String,
    /// Who takes part, by how much they said, most first.
    pub(super) speakers: Vec<String>,
    /// What they said, in its order.
    pub(super) messages: Vec<Spoken>,
}

/// The bundled excerpt.
pub(super) fn excerpt() -> Vec<Spoken> {
    EXCERPT.lines().filter_map(message).collect()
}

/// Chooses the first messages of the busiest speakers: `clients` of them, `count` messages.
///
/// # Errors
/// If a folder was named and holds no conversation.
pub(super) fn choose(folder: Option<&Path>, clients: usize, count: usize) -> Result<Conversation, Failure> {
    let (source, messages) = match folder {
        None => ("the bundled excerpt of #ubuntu, 19 October 2015".to_owned(), excerpt()),
        Some(folder) => largest(folder)?,
    };
    Ok(among(source, messages, clients, count))
}

/// The log with the most messages in a folder.
fn largest(folder: &Path) -> Result<(String, Vec<Spoken>), Failure> {
    let listed = std::fs::read_dir(folder).map_err(|error| {
        Failure::usage(format!(
            "cannot read the folder {}: {}",
            folder.display(),
            files::reason(&error)
        ))
    })?;
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    let logs = paths.into_iter().filter_map(|path| {
        let bytes = files::read(&path, "log", LOG_FILE_MAX).ok()?;
        let messages: Vec<_> = String::from_utf8_lossy(&bytes).lines().filter_map(message).collect();
        Some((path, messages))
    });
    let (path, messages) = logs
        .max_by_key(|(_, messages)| messages.len())
        .filter(|(_, messages)| !messages.is_empty())
        .ok_or_else(|| {
            Failure::usage(format!(
                "{} holds no log with lines like `[13:45] <nick> text`",
                folder.display()
            ))
        })?;
    Ok((path.to_string_lossy().into_owned(), messages))
}

fn among(source: String, mut messages: Vec<Spoken>, clients: usize, count: usize) -> Conversation {
    // Who speaks much in the part that is replayed, so that nobody answers somebody who is not there.
    let part = messages.get(..count.saturating_mul(2)).unwrap_or(&messages);
    let is_enough =
        |part: &[Spoken]| part.iter().map(|spoken| &spoken.speaker).collect::<BTreeSet<_>>().len() >= clients;
    let part = if is_enough(part) { part } else { &messages };
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for spoken in part {
        *said.entry(&spoken.speaker).or_default() += 1;
    }
    let mut speakers: Vec<(&str, usize)> = said.into_iter().collect();
    speakers.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    speakers.truncate(clients);
    let speakers: Vec<String> = speakers.into_iter().map(|(speaker, _)| speaker.to_owned()).collect();
    messages.retain(|spoken| speakers.contains(&spoken.speaker));
    messages.truncate(count);
    Conversation {
        source,
        speakers,
        messages,
    }
}

fn message(line: &str) -> Option<Spoken> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (hour, minute) = time.split_once(':')?;
    if [hour, minute]
        .iter()
        .any(|digits| digits.len() != 2 || !digits.bytes().all(|digit| digit.is_ascii_digit()))
    {
        return None;
    }
    let (speaker, text) = match rest.strip_prefix(" * ") {
        Some(action) => {
            let (speaker, text) = action.split_once(' ')?;
            (speaker, format!("* {text}"))
        }
        None => {
            let (speaker, text) = rest.strip_prefix('<')?.split_once("> ")?;
            (speaker, text.to_owned())
        }
    };
    Some(Spoken {
        speaker: speaker.to_owned(),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excerpt_gives_eight_people_enough_to_say() {
        let conversation = choose(None, 8, 200).unwrap();
        assert_eq!((conversation.speakers.len(), conversation.messages.len()), (8, 200));
        for speaker in &conversation.speakers {
            assert!(
                conversation.messages.iter().any(|spoken| spoken.speaker == *speaker),
                "{speaker}"
            );
        }
    }

    #[test]
    fn messages_and_actions_are_read_and_nothing_else() {
        let said = |speaker: &str, text: &str| {
            Some(Spoken {
                speaker: speaker.to_owned(),
                text: text.to_owned(),
            })
        };
        assert_eq!(message("[13:46] <a> hello <b>"), said("a", "hello <b>"));
        assert_eq!(message("[00:05]  * a waits"), said("a", "* waits"));
        for line in [
            "=== a is now b",
            "",
            "[13:46]",
            "[13:46] <a>",
            "13:46 <a> b",
            "[x:46] <a> b",
            "[é:46] <a> b",
        ] {
            assert_eq!(message(line), None, "{line}");
        }
    }

    #[test]
    fn a_folder_without_a_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "nothing here\n").unwrap();
        assert!(matches!(choose(Some(folder.path()), 8, 9), Err(Failure::Usage(_))));
        assert!(matches!(
            choose(Some(&folder.path().join("none")), 8, 9),
            Err(Failure::Usage(_))
        ));
        std::fs::write(folder.path().join("b.log"), "[10:00] <x> hi\n").unwrap();
        assert_eq!(choose(Some(folder.path()), 8, 9).unwrap().messages.len(), 1);
    }
}
