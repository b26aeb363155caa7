//! Files on the screen: sent from a path that is typed, saved where the program was started.
//!
//! Both take as long as they take, in a task of their own; the line of notices says how far they are.

use core::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::Sender;
use waxwing_light::{Attachment, ChannelId, Client, Destination, Error, MessageId, Progress, Report, Stage};
use waxwing_seal::display::display_safe;

use super::model::Event;
use crate::chat::attach::{guessed, job};
use crate::output::Tone;
use crate::words::count;

/// For how many days nodes are asked to keep a file that is sent from here.
const DAYS: NonZeroU32 = NonZeroU32::new(30).expect("thirty is not zero");

/// A tenth of a file is worth a notice.
const PARTS: u64 = 10;

/// The path that somebody typed, or that a file manager put there in quotes.
pub(super) fn path_of(typed: &str) -> PathBuf {
    let typed = typed.trim();
    let quoted = typed.strip_prefix(['"', '\'']).zip(typed.chars().next());
    let bare = quoted
        .and_then(|(rest, quote)| rest.strip_suffix(quote))
        .unwrap_or(typed);
    match (bare.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(bare),
    }
}

/// Sends a file with what was written.
pub(super) async fn attach(
    client: &Client,
    channel: ChannelId,
    path: &Path,
    words: &str,
    report: Report,
) -> Result<String, Error> {
    let attachment = Attachment {
        path: path.to_owned(),
        name: None,
        media_type: guessed(path),
        words: words.to_owned(),
        days: DAYS,
    };
    let attached = client.attach(channel, attachment, report).await?;
    let copies = u64::try_from(attached.copies).unwrap_or(u64::MAX);
    Ok(format!("the file is kept by {}", count(copies, "node", "nodes")))
}

/// Saves the file of a message into the folder in which the program was started.
pub(super) async fn save(client: &Client, message: MessageId, report: Report) -> Result<String, Error> {
    let to = Destination::Folder(PathBuf::from("."));
    let saved = client.save_attachment(message, to, report).await?;
    let path = saved.unwrap_or_default();
    let shown = std::path::absolute(&path).unwrap_or(path);
    Ok(format!("saved as {}", display_safe(&shown.to_string_lossy())))
}

/// Tells a screen how far a transfer is.
pub(super) fn telling(events: &Sender<Event>) -> Report {
    let (events, told) = (events.clone(), AtomicU64::new(u64::MAX));
    Arc::new(move |progress| {
        let part = part(progress);
        if told.swap(part, Ordering::Relaxed) != part {
            // A screen that has much to do misses a tenth.
            let _ = events.try_send(Event::Told(Tone::Faint, says(progress)));
        }
    })
}

const fn part(progress: Progress) -> u64 {
    let stage = match progress.stage {
        Stage::Sealing => 0,
        Stage::Sending => 1,
        Stage::Checking => 2,
        Stage::Fetching => 3,
    };
    stage * (PARTS + 1) + tenths(progress)
}

const fn tenths(progress: Progress) -> u64 {
    match progress.done.saturating_mul(PARTS).checked_div(progress.all) {
        Some(tenths) => tenths,
        None => PARTS,
    }
}

fn says(progress: Progress) -> String {
    format!("{} the file: {} %", job(progress.stage), tenths(progress) * 100 / PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_people_and_file_managers_write_it() {
        for (typed, path) in [
            (" /tmp/a b.txt\n", "/tmp/a b.txt"),
            ("'/tmp/a b.txt'", "/tmp/a b.txt"),
            ("\"a.txt\"", "a.txt"),
            ("'half", "'half"),
        ] {
            assert_eq!(path_of(typed), PathBuf::from(path), "{typed:?}");
        }
    }

    #[test]
    fn a_transfer_is_told_in_tenths() {
        let at = |done, all| {
            says(Progress {
                stage: Stage::Sending,
                done,
                all,
            })
        };
        assert_eq!(at(0, 100), "sending the file: 0 %");
        assert_eq!(at(99, 100), "sending the file: 90 %");
        assert_eq!(at(100, 100), "sending the file: 100 %");
        assert_eq!(at(0, 0), "sending the file: 100 %", "an empty file");
    }
}
