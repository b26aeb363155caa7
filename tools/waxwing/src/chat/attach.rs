//! Files beside the ledger: sent, and saved.
//!
//! ```text
//! $ waxwing chat attach plans cat.jpg --text "look"
//! node nod1... keeps files for 30 days: 12 GB free of 20 GB           what nodes offer, before anything is sent
//! sending ━━━━━━━━━━━━━╸       3,400 of 20,000 kB, 3s left
//! ○ queued → ◔ sent → ✓ final
//!   block 3, entry 7, after 31 ms  msg1...
//!   cat.jpg, 20 MB, kept by 2 nodes until 2026-12-23 14:05:00 +01:00
//! ```

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use waxwing_light::{
    Attached, Attachment, AttachmentView, Client, Destination, Error, FileError, MessageId, Offer, Report, Stage,
};
use waxwing_seal::display::display_safe;

use super::sending::carry;
use super::show::json_of;
use super::{Session, fault, find_channel, which};
use crate::args::{AttachFile, FileVerb, SaveFile};
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::output::{Output, Tone};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::words::{bytes, count};
use crate::{Done, clock, files};

pub(super) async fn act(verb: &FileVerb, session: &Session<'_>) -> Done {
    match verb {
        FileVerb::Attach(file) => attach(file, session).await,
        FileVerb::Save(file) => save(file, session).await,
    }
}

async fn attach(attach: &AttachFile, session: &Session<'_>) -> Done {
    let output = session.output;
    let length = length_of(&attach.file)?;
    if attach.name.as_deref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Failure::usage(
            "--name is empty: say what the file is called for the others, or leave --name out for its own name",
        ));
    }
    let client = session.open().await?;
    let channel = find_channel(&client, &attach.channel).await?;
    // What this home knows of the network may be old, and the more nodes it knows the more can be asked. That nobody
    // answers is said below, by name.
    let _ = client.refresh().await;
    let offers = client.file_offers(channel.id, length).await;
    let offers = offers.map_err(|error| fault(&error))?;
    offers.iter().for_each(|offer| output.note(&offered(offer, output)));
    let attachment = Attachment {
        path: attach.file.clone(),
        name: attach.name.clone(),
        media_type: attach.media_type.clone().unwrap_or_else(|| guessed(&attach.file)),
        words: attach.text.clone(),
        days: attach.days,
    };
    let mut attached = None;
    let (report, shown) = reporting(output);
    let queue = async {
        let sent = client.attach(channel.id, attachment, report).await?;
        drop(shown);
        attached = Some(sent);
        Ok(sent.message)
    };
    let mut signals = Signals::new()?;
    let carried = tokio::select! {
        carried = carry(&client, channel.id, &attach.waiting, session, queue) => carried?,
        () = signals.next() => return Err(interrupted()),
    };
    carried.has_not_failed()?;
    let Some(attached) = attached else {
        return Err(Failure::failed("the file was not sent"));
    };
    let view = client.message(attached.message).await.map_err(|error| fault(&error))?;
    let mut object = carried.object();
    if let Some(fields) = object.as_object_mut() {
        fields.insert("copies".to_owned(), json!(attached.copies));
        fields.insert("put_bytes".to_owned(), json!(attached.put_bytes));
        fields.insert("offers".to_owned(), json_of(&offers));
    }
    let kept = view.attachment.map(|view| kept(&view, &attached));
    let text = format!("{}\n  {}", carried.line(output), kept.unwrap_or_default());
    output.result("chat.attach", object, &output.wrapped(&text, 2))?;
    Ok(0)
}

fn interrupted() -> Failure {
    Failure::failed("interrupted; the same command goes on where it was")
}

/// Said before a passphrase is asked for.
fn length_of(path: &Path) -> Result<u64, Failure> {
    let shown = display_safe(&path.to_string_lossy()).into_owned();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
        Ok(_) => Err(Failure::usage(format!("{shown}: {}", FileError::NoFile))),
        Err(error) => Err(Failure::usage(format!(
            "cannot read {shown}: {}",
            files::reason(&error)
        ))),
    }
}

/// What the ending of a name says.
pub(super) fn guessed(path: &Path) -> String {
    mime_guess::from_path(path)
        .first_raw()
        .unwrap_or("application/octet-stream")
        .to_owned()
}

/// What a node offers, in a line.
fn offered(offer: &Offer, output: &Output) -> String {
    let node = ids::hex_32(&offer.node).map_or_else(|| offer.node.clone(), |node| output.id(Kind::Node, &node));
    let room = match (offer.free_bytes, offer.quota_bytes) {
        (Some(free), Some(quota)) => format!(": {} free of {}", bytes(free), bytes(quota)),
        _ => String::new(),
    };
    match (offer.takes, offer.days) {
        (true, Some(days)) => {
            let days = count(u64::from(days), "day", "days");
            format!("node {node} keeps files for up to {days}{room}")
        }
        _ => format!(
            "node {node} does not take it ({}){room}",
            offer.reason.as_deref().unwrap_or("no reason is known")
        ),
    }
}

/// The file as its sender is told of it.
fn kept(view: &AttachmentView, attached: &Attached) -> String {
    let copies = u64::try_from(attached.copies).unwrap_or(u64::MAX);
    format!(
        "{}, {}, kept by {} until {}",
        display_safe(&view.name),
        bytes(view.size),
        count(copies, "node", "nodes"),
        clock::local(attached.kept_until_ms)
    )
}

/// The bar of what is being done; gone when this is dropped.
#[derive(Clone)]
struct Bar(Arc<Mutex<Option<(Stage, Progress)>>>);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn reporting(output: &Output) -> (Report, Bar) {
    let bar = Bar(Arc::default());
    let (shown, output) = (Arc::clone(&bar.0), output.clone());
    let report: Report = Arc::new(move |progress: waxwing_light::Progress| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(stage, _)| *stage != progress.stage) {
            // The old bar goes before the new one is drawn.
            shown.take();
            *shown = Some((progress.stage, Progress::start(job(progress.stage), "kB", &output)));
        }
        if let Some((_, bar)) = shown.as_mut() {
            bar.set(progress.done / 1000, Some(progress.all / 1000));
        }
    });
    (report, bar)
}

pub(super) const fn job(stage: Stage) -> &'static str {
    match stage {
        Stage::Sealing => "sealing",
        Stage::Sending => "sending",
        Stage::Checking => "checking",
        Stage::Fetching => "fetching",
    }
}

async fn save(save: &SaveFile, session: &Session<'_>) -> Done {
    let output = session.output;
    let is_stream = files::is_standard(&save.to);
    if is_stream && output.is_json() {
        return Err(Failure::usage(
            "--json and `--to -` both want standard output: leave one of them out",
        ));
    }
    let client = session.open().await?;
    let message = found(&client, &save.which.message).await?;
    let to = match save.to.as_path() {
        _ if is_stream => Destination::Stream(Box::new(std::io::stdout())),
        folder if folder.is_dir() => Destination::Folder(folder.to_owned()),
        file => Destination::File(file.to_owned()),
    };
    let (report, bar) = reporting(output);
    let mut signals = Signals::new()?;
    let saved = tokio::select! {
        saved = client.save_attachment(message, to, report) => saved,
        () = signals.next() => return Err(interrupted()),
    };
    drop(bar);
    let saved = saved.map_err(|error| refused(&error, &save.to))?;
    let Some(path) = saved else { return Ok(0) };
    let view = client.message(message).await.map_err(|error| fault(&error))?;
    let size = view.attachment.as_ref().map_or(0, |view| view.size);
    let object = json!({ "message": json_of(&view), "out": path, "bytes": size });
    let text = format!(
        "{} {} checked and saved, readable by its owner alone",
        output.paint(Tone::Strong, &display_safe(&path.to_string_lossy())),
        output.paint(Tone::Faint, &format!("({})", bytes(size)))
    );
    output.result("chat.save", object, &output.wrapped(&text, 2))?;
    Ok(0)
}

/// The message: here already, or after a look at the network.
async fn found(client: &Client, words: &[String]) -> Result<MessageId, Failure> {
    if let Ok(meant) = which::find(client, words).await {
        return Ok(meant.message);
    }
    client.refresh().await.map_err(|error| fault(&error))?;
    Ok(which::find(client, words).await?.message)
}

/// The client does not name places on this device; whoever typed them may see them again.
fn refused(error: &Error, to: &Path) -> Failure {
    match error {
        Error::File(FileError::Exists) => files::already_there(to),
        error => fault(error),
    }
}
