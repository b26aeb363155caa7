//! Saying something: a message, or one about another message; and how it climbs its ladder.
//!
//! ```text
//! ○ queued → ◔ sent → ✓ final
//!   block 3, entry 7, after 31 ms  msg1...
//! ```

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use waxwing_light::{ChannelId, ChannelView, Client, Draft, Erasure, Error, Ladder, MessageId, MessageView};

use super::messages::network;
use super::show::{self, json_of, step};
use super::{Session, fault, find_channel, which};
use crate::args::{EditMessage, React, Reply, Retract, SayVerb, SendMessage, Waiting};
use crate::failure::Failure;
use crate::ladder::{Step, arrow};
use crate::output::{Output, Tone};
use crate::{Done, clock, confirm, files};

/// A message takes 512 KiB at most, sealed.
const TEXT_MAX: u64 = 512 << 10;

pub(super) async fn act(verb: &SayVerb, session: &Session<'_>) -> Done {
    match verb {
        SayVerb::Send(message) => send(message, session).await,
        SayVerb::Reply(answer) => reply(answer, session).await,
        SayVerb::React(reaction) => react(reaction, session).await,
        SayVerb::Edit(change) => edit(change, session).await,
        SayVerb::Retract(retraction) => retract(retraction, session).await,
    }
}

async fn send(send: &SendMessage, session: &Session<'_>) -> Done {
    let text = words(&send.text)?;
    let client = session.open().await?;
    let channel = find_channel(&client, &send.channel).await?;
    let draft = Draft::text(&text).map_err(|error| fault(&error))?;
    let queue = client.send(channel.id, draft);
    let carried = carry(&client, channel.id, &send.waiting, session, queue).await?;
    carried.tell("chat.send", session.output)
}

async fn reply(reply: &Reply, session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let (to, text) = which::find_before(&client, &reply.said.message, &reply.said.text).await?;
    let text = words(text)?;
    let queue = client.reply(to.message, &text);
    let carried = carry(&client, to.channel, &reply.waiting, session, queue).await?;
    carried.tell("chat.reply", session.output)
}

async fn react(react: &React, session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let to = which::find(&client, &react.which.message).await?;
    let queue = async {
        if react.take_back {
            client.unreact(to.message, &react.emoji).await
        } else {
            client.react(to.message, &react.emoji).await
        }
    };
    let carried = carry(&client, to.channel, &react.waiting, session, queue).await?;
    carried.tell("chat.react", session.output)
}

async fn edit(edit: &EditMessage, session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let (of, text) = which::find_before(&client, &edit.said.message, &edit.said.text).await?;
    let text = words(text)?;
    let queue = client.edit(of.message, &text);
    let carried = carry(&client, of.channel, &edit.waiting, session, queue).await?;
    carried.tell("chat.edit", session.output)
}

async fn retract(retract: &Retract, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let of = which::find(&client, &retract.which.message).await?.message;
    let view = client.message(of).await.map_err(|error| fault(&error))?;
    if !view.own {
        return Err(fault(&Error::NotOwn));
    }
    // Told apart here, so that the body of what was taken back earlier can still be erased.
    let is_taken_back = view.retracted;
    if is_taken_back && !retract.erase {
        return Err(Failure::usage(
            "that message was taken back before; --erase asks the nodes to drop its sealed body as well",
        ));
    }
    if retract.erase && view.log_index.is_none() {
        return Err(fault(&Error::NotFinal));
    }
    confirm::ask(lost(retract.erase, is_taken_back), output)?;
    let mut object = json!({});
    let mut text = String::new();
    if !is_taken_back {
        let queue = client.retract(of);
        let carried = carry(&client, view.channel, &retract.waiting, session, queue).await?;
        carried.has_not_failed()?;
        (object, text) = (carried.object(), carried.line(output) + "\n");
    }
    let erasure = if retract.erase {
        erase(&client, of, &retract.waiting).await?
    } else {
        Erasure::NotAsked
    };
    if let Some(fields) = object.as_object_mut() {
        fields.insert("retracts".to_owned(), json!(view.content_id));
        fields.insert("erasure".to_owned(), json!(erasure.word()));
    }
    text.push_str(says(erasure));
    output.result("chat.retract", object, &output.wrapped(&text, 2))?;
    Ok(0)
}

/// What nobody gets back, before it is done.
const fn lost(erase: bool, is_taken_back: bool) -> &'static str {
    match (erase, is_taken_back) {
        (false, _) => {
            "the message's words, and those of its edits, are forgotten here and by every member whose program keeps to \
             the rules; whoever has read them has read them, and the sealed body stays on the nodes"
        }
        (true, false) => {
            "the message's words, and those of its edits, are forgotten here and by every member whose program keeps to \
             the rules, and honest nodes drop the sealed bodies for good; whoever has read or copied them has them, that \
             there was a message stays proven, and erasing several at once links them to one author"
        }
        (true, true) => {
            "honest nodes drop the message's sealed body, and those of its edits, for good; whoever has copied them has \
             them, that there was a message stays proven, and erasing several at once links them to one author"
        }
    }
}

const fn says(erasure: Erasure) -> &'static str {
    match erasure {
        Erasure::NotAsked => "  its sealed body stays on the nodes",
        Erasure::Asked => "  the nodes are asked to drop its body by the next command that connects",
        Erasure::Confirmed => "  a node has dropped its body and tells the others",
    }
}

/// Erases a message, and tells the nodes unless that is to wait.
async fn erase(client: &Client, message: MessageId, waiting: &Waiting) -> Result<Erasure, Failure> {
    let erased = client.erase_words(message).await.map_err(|error| fault(&error))?;
    if !waiting.no_wait {
        client.refresh().await.map_err(|error| fault(&error))?;
    }
    let mut least = Erasure::Confirmed;
    for one in erased {
        if client.erasure(one).await.map_err(|error| fault(&error))? != Erasure::Confirmed {
            least = Erasure::Asked;
        }
    }
    Ok(least)
}

/// What is to be said: the words, or what is piped in.
fn words(words: &[String]) -> Result<String, Failure> {
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
    Ok(text)
}

/// What became of something that was said.
pub(super) struct Carried {
    view: MessageView,
    steps: Vec<Step>,
    took: Option<Duration>,
}

/// Queues something, and shows how it climbs its ladder until it is final, it failed, or the patience is over.
pub(super) async fn carry(
    client: &Client,
    channel: ChannelId,
    waiting: &Waiting,
    session: &Session<'_>,
    queue: impl Future<Output = Result<MessageId, Error>>,
) -> Result<Carried, Failure> {
    let mut changes = client.tail(Some(channel), None).await.map_err(|error| fault(&error))?;
    let started = clock::steady();
    let message = queue.await.map_err(|error| fault(&error))?;
    let mut shown = Shown::start(session.output)?;
    if waiting.no_wait {
        shown.end()?;
        let view = client.message(message).await.map_err(|error| fault(&error))?;
        return Ok(Carried {
            view,
            steps: shown.steps,
            took: None,
        });
    }
    client.start();
    let settled = timeout(Duration::from_secs(waiting.timeout), async {
        loop {
            let view = changes.next().await?;
            if view.id == message {
                shown.step(step(view.state))?;
                if view.state.is_final() || view.state == Ladder::Failed {
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
        Err(_) => return Err(not_final(client, channel, message).await),
    };
    let took = clock::steady().duration_since(started);
    Ok(Carried {
        view,
        steps: shown.steps,
        took: Some(took),
    })
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
async fn not_final(client: &Client, channel: ChannelId, message: MessageId) -> Failure {
    let state = client
        .message(message)
        .await
        .map_or("queued", |view| step(view.state).word());
    let why = trouble(client, channel)
        .await
        .map_or_else(String::new, |why| format!(" ({why})"));
    Failure::failed(format!(
        "{state}, not final yet{why}; it stays in the outbox and goes out whenever the client runs, exactly once"
    ))
}

async fn trouble(client: &Client, channel: ChannelId) -> Option<String> {
    let views = client.channels().await.ok()?;
    let channel: &ChannelView = views.iter().find(|view| view.id == channel)?;
    let view = network(client, channel).await.ok()?;
    view.trouble
        .or_else(|| view.faults.first().map(|fault| fault.says.clone()))
}

impl Carried {
    pub(super) fn has_not_failed(&self) -> Result<(), Failure> {
        if self.view.state != Ladder::Failed {
            return Ok(());
        }
        let reason = self.view.reason.as_deref().unwrap_or("no reason is known");
        Err(Failure::failed(format!("the message failed: {reason}")))
    }

    fn took_ms(&self) -> Option<u64> {
        self.took
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn object(&self) -> Value {
        json!({
            "message": json_of(&self.view),
            "ladder": self.steps.iter().map(|step| step.word()).collect::<Vec<_>>(),
            "took_ms": self.took_ms(),
        })
    }

    pub(super) fn line(&self, output: &Output) -> String {
        let place = match (self.view.height, self.view.log_index) {
            (Some(height), Some(index)) => format!("block {height}, entry {index}"),
            _ => "goes out with the next command that connects".to_owned(),
        };
        let took = self.took_ms().map_or_else(String::new, |ms| format!(", after {ms} ms"));
        let id = show::id(&self.view, output).unwrap_or_default();
        output.paint(Tone::Faint, &format!("  {place}{took}  {id}"))
    }

    pub(super) fn tell(&self, schema: &str, output: &Output) -> Done {
        self.has_not_failed()?;
        output.result(schema, self.object(), &self.line(output))?;
        Ok(0)
    }
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
