//! Sending, reading, and waiting for messages.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use waxwing_core::Hash;
use waxwing_light::{Age, ChannelView, Client, Draft, Error, Ladder, MessageId, MessageView, NetworkView, Range};
use waxwing_seal::display::display_safe_name;

use super::show::{self, Detail, json_of, step};
use super::{Session, fault, find_channel};
use crate::Done;
use crate::clock;
use crate::failure::Failure;
use crate::files;
use crate::ids;
use crate::ladder::{Step, arrow};
use crate::output::{Output, Tone};
use crate::signals::Signals;
use crate::words::count;

/// A message takes 512 KiB at most, sealed.
const TEXT_MAX: u64 = 512 << 10;

pub(super) async fn send(channel: &str, words: &[String], wait: Option<u64>, session: &Session<'_>) -> Done {
    let text = match words {
        [only] if only == "-" => files::read_text(Path::new("-"), "message", TEXT_MAX)?
            .trim_end()
            .to_owned(),
        words => words.join(" "),
    };
    if text.trim().is_empty() {
        return Err(Failure::usage(
            "the message is empty: say something, or give `-` and pipe it in",
        ));
    }
    let client = session.open().await?;
    let channel = find_channel(&client, channel).await?;
    let mut changes = client
        .tail(Some(channel.id), None)
        .await
        .map_err(|error| fault(&error))?;
    let started = clock::steady();
    let draft = Draft::text(&text).map_err(|error| fault(&error))?;
    let message = client.send(channel.id, draft).await.map_err(|error| fault(&error))?;
    let mut shown = Shown::start(session.output)?;
    let Some(seconds) = wait else {
        shown.end()?;
        let view = client.message(message).await.map_err(|error| fault(&error))?;
        return sent(&view, &shown, None, session.output);
    };
    client.start();
    let settled = timeout(Duration::from_secs(seconds), async {
        loop {
            let view = changes.next().await?;
            if view.id == message {
                shown.step(step(view.state))?;
                if matches!(view.state, Ladder::Final | Ladder::Failed) {
                    return Ok::<MessageView, Stop>(view);
                }
            }
        }
    })
    .await;
    shown.end()?;
    let view = match settled {
        Ok(Ok(view)) => view,
        Ok(Err(Stop(failure))) => return Err(failure),
        Err(_) => return Err(waiting(&client, &channel, message).await),
    };
    let took = clock::steady().duration_since(started);
    client.stop();
    sent(&view, &shown, Some(took), session.output)
}

/// Either of two things that can stop the waiting.
struct Stop(Failure);

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self(fault(&error))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

/// Why it is not final yet, as far as that is known.
async fn waiting(client: &Client, channel: &ChannelView, message: MessageId) -> Failure {
    let state = client
        .message(message)
        .await
        .map_or("queued", |view| step(view.state).word());
    let trouble = match network(client, channel).await {
        Ok(view) => view
            .trouble
            .or_else(|| view.faults.first().map(|fault| fault.says.clone())),
        Err(_) => None,
    };
    let why = trouble.map_or_else(String::new, |why| format!(" ({why})"));
    Failure::failed(format!(
        "{state}, not final yet{why}; it stays in the outbox and goes out whenever the client runs, exactly once"
    ))
}

fn sent(view: &MessageView, shown: &Shown<'_>, took: Option<Duration>, output: &Output) -> Done {
    if view.state == Ladder::Failed {
        let reason = view.reason.clone().unwrap_or_else(|| "no reason is known".to_owned());
        return Err(Failure::failed(format!("the message failed: {reason}")));
    }
    let took_ms = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let object = json!({
        "message": json_of(view),
        "ladder": shown.steps.iter().map(|step| step.word()).collect::<Vec<_>>(),
        "took_ms": took_ms,
    });
    let place = match (view.height, view.log_index) {
        (Some(height), Some(index)) => format!("block {height}, entry {index}"),
        _ => "goes out with the next command that connects".to_owned(),
    };
    let took = took_ms.map_or_else(String::new, |ms| format!(", after {ms} ms"));
    let id = show::id(view, output).unwrap_or_default();
    output.result(
        "chat.send",
        object,
        &output.paint(Tone::Faint, &format!("  {place}{took}  {id}")),
    )?;
    Ok(0)
}

/// The ladder as it is climbed, on one line.
struct Shown<'a> {
    steps: Vec<Step>,
    output: &'a Output,
}

impl<'a> Shown<'a> {
    fn start(output: &'a Output) -> Result<Self, Failure> {
        let mut shown = Self {
            steps: Vec::new(),
            output,
        };
        shown.step(Step::Queued)?;
        Ok(shown)
    }

    fn step(&mut self, step: Step) -> Result<(), Failure> {
        if self.steps.last() == Some(&step) {
            return Ok(());
        }
        let before = if self.steps.is_empty() {
            ""
        } else {
            arrow(self.output.ascii)
        };
        self.steps.push(step);
        self.output.part(&format!("{before}{}", step.shown(self.output)))
    }

    fn end(&self) -> Result<(), Failure> {
        self.output.part("\n")
    }
}

pub(super) async fn read(channel: &str, last: u32, proofs: bool, offline: bool, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    // What is on this device is worth showing even when nobody can be reached; the fault is said below it.
    let refreshed = if offline {
        Ok(Vec::new())
    } else {
        client.refresh().await
    };
    let channel = find_channel(&client, channel).await?;
    let views = client
        .read(channel.id, Range::Last(last))
        .await
        .map_err(|error| fault(&error))?;
    let network = network(&client, &channel).await?;
    let detail = if proofs { Detail::Proofs } else { Detail::Calm };
    let mut text = format!("{}\n", output.paint(Tone::Strong, &display_safe_name(&channel.name)));
    for view in &views {
        text.push_str(&show::message(view, detail, output));
    }
    text.push_str(&output.wrapped(&output.paint(Tone::Faint, &standing(&network, &channel)), 2));
    text.push('\n');
    if let Some(trouble) = worth_saying(&network) {
        text.push_str(&format!("{}\n", output.paint(Tone::Bad, &format!("! {trouble}"))));
    }
    let object = json!({
        "channel": json_of(&channel),
        "messages": views.iter().map(json_of).collect::<Vec<_>>(),
        "network": json_of(&network),
        "refreshed": refreshed.is_ok() && !offline,
    });
    output.result("chat.read", object, &text)?;
    match refreshed {
        Ok(_) => Ok(0),
        Err(error) => Err(fault(&error)),
    }
}

/// What is proven about the conversation, and how old that is.
fn standing(network: &NetworkView, channel: &ChannelView) -> String {
    let signers = network.signers.map_or_else(
        || "pinned, not yet certified".to_owned(),
        |signers| format!("certified by {signers} of {}", network.validators),
    );
    let age = match network.age {
        Age::Fresh { age_ms } => format!("{} s old", age_ms / 1000),
        Age::Stale { age_ms } => format!("{} s old: the end may be withheld", age_ms / 1000),
        Age::Unknown => "ahead of this device's clock".to_owned(),
    };
    let entries = count(channel.entries, "entry", "entries");
    format!("{entries} checked to block {}, {signers}, {age}", network.height)
}

/// What a reader must know beside the messages.
fn worth_saying(network: &NetworkView) -> Option<String> {
    if let Some(height) = network.forked_at {
        return Some(format!(
            "two final blocks at height {height}: nothing is believed on this network any more"
        ));
    }
    match network.clock {
        waxwing_light::ClockVerdict::Behind { .. } | waxwing_light::ClockVerdict::Ahead { .. } => {
            Some(network.clock.to_string())
        }
        _ => None,
    }
}

async fn network(client: &Client, channel: &ChannelView) -> Result<NetworkView, Failure> {
    let id = ids::hex_32(&channel.network).ok_or_else(|| Failure::failed("the channel names no network"))?;
    client.status(Hash(id)).await.map_err(|error| fault(&error))
}

pub(super) async fn tail(channel: &str, last: u32, proofs: bool, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let channel = find_channel(&client, channel).await?;
    let detail = if proofs { Detail::Proofs } else { Detail::Calm };
    let mut changes = client
        .tail(Some(channel.id), None)
        .await
        .map_err(|error| fault(&error))?;
    for view in client
        .read(channel.id, Range::Last(last))
        .await
        .map_err(|error| fault(&error))?
    {
        output.result("chat.tail", json_of(&view), &show::message(&view, detail, output))?;
    }
    client.start();
    let mut signals = Signals::new()?;
    output.note("waiting for messages; Ctrl-C ends");
    loop {
        let view = tokio::select! {
            view = changes.next() => view.map_err(|error| fault(&error))?,
            () = signals.next() => break,
        };
        // What this device is still sending is shown when it is final or failed; others' messages are final when they come.
        if matches!(view.state, Ladder::Final | Ladder::Failed) {
            output.result("chat.tail", json_of(&view), &show::message(&view, detail, output))?;
        }
    }
    client.stop();
    Ok(0)
}
