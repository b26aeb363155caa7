//! `waxwing chat --plain`: the same client in lines, for screen readers, slow lines and small machines.
//!
//! A line in is a message or a command, a line out is said once and never changed. Nothing is drawn, nothing moves a
//! cursor, no sign stands for a word.

mod about;
mod people;
mod speak;
mod typed;

use std::io::BufRead;
use std::sync::Arc;

use tokio::sync::mpsc::{self, Receiver};
use waxwing_core::Hash;
use waxwing_light::{ChannelView, Client, Error, MessageId, MessageView, Range};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::draw::facts;
use super::files;
use super::model::{Known, Say};
use super::names::{Me, Names};
use super::when::Zone;
use super::window::is_about;
use super::work::said;
use super::writing::Purpose;
use crate::chat::manners::timer_says;
use crate::chat::{Session, events, fault, find_channel};
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;
use crate::words::count;
use crate::{Done, clock, ids};
use typed::{FIRST, HELP, Typed, typed};

/// Reads lines until their end, a signal, or `/quit`.
pub(super) async fn run(client: &Client, me: Me, session: &Session<'_>) -> Done {
    let mut changes = client.tail(None, None).await.map_err(|error| fault(&error))?;
    client.start();
    let mut lines = read_lines();
    let mut signals = Signals::new()?;
    let mut room = Room {
        client,
        output: session.output,
        zone: Zone::of_this_machine(),
        names: Names::with(&me),
        open: None,
    };
    room.begin(&me).await?;
    loop {
        tokio::select! {
            line = lines.recv() => match line.as_deref().map(typed) {
                None | Some(Typed::Quit) => break,
                Some(typed) => room.act(typed).await?,
            },
            view = changes.next() => {
                let view = view.map_err(|error| fault(&error))?;
                room.news(&view)?;
                room.heard(&view).await?;
            }
            () = signals.next() => break,
        }
    }
    room.end().await?;
    Ok(0)
}

/// Lines of standard input, read on a thread that ends with the process: nothing can be read from there without waiting.
fn read_lines() -> Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        let stdin = std::io::stdin().lock();
        for line in stdin.lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Where somebody is.
struct Room<'a> {
    client: &'a Client,
    output: &'a Output,
    zone: Zone,
    names: Names,
    open: Option<ChannelView>,
}

impl Room<'_> {
    async fn begin(&mut self, me: &Me) -> Result<(), Failure> {
        let channels = self.client.channels().await.map_err(|error| fault(&error))?;
        self.say(&format!(
            "waxwing, you are {}; {}. /help says what can be typed.",
            display_safe_name(&me.name),
            count(u64::try_from(channels.len()).unwrap_or(u64::MAX), "channel", "channels")
        ))?;
        match channels.into_iter().next() {
            Some(first) => self.enter(first).await,
            None => self.say("There are no channels here yet: /join LINK joins one."),
        }
    }

    async fn end(&self) -> Result<(), Failure> {
        let channels = self.client.channels().await.map_err(|error| fault(&error))?;
        let waiting: u64 = channels.iter().map(|channel| channel.waiting).sum();
        if waiting > 0 {
            self.say(&still_waiting(waiting))?;
        }
        Ok(())
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        self.output.text(text)
    }

    async fn act(&mut self, typed: Typed) -> Result<(), Failure> {
        match self.done(typed).await {
            Ok(()) => Ok(()),
            Err(Stop::Error(error)) => self.say(&format!("not done: {}", display_safe(&error.to_string()))),
            Err(Stop::Failure(Failure::Usage(text))) => self.say(&format!("not done: {}", display_safe(&text))),
            Err(Stop::Failure(failure)) => Err(failure),
        }
    }

    async fn done(&mut self, typed: Typed) -> Result<(), Stop> {
        match typed {
            Typed::Nothing | Typed::Quit => {}
            Typed::Help => self.say(HELP)?,
            Typed::Wrong(says) => self.say(&says)?,
            Typed::Channels => self.list().await?,
            Typed::Open(name) => {
                let channel = find_channel(self.client, &name).await?;
                self.enter(channel).await?;
            }
            Typed::Read(most) => self.read(Range::Last(most)).await?,
            Typed::Before(index) => self.read(Range::Before(index, FIRST)).await?,
            Typed::Status => self.status().await?,
            Typed::Join(_)
            | Typed::Invite
            | Typed::Members
            | Typed::Requests
            | Typed::Accept(_)
            | Typed::Decline(_) => {
                self.about_people(typed).await?;
            }
            Typed::About(about) => self.about_channel(about).await?,
            Typed::Search(words) => self.search(words).await?,
            Typed::Attach(path) => self.attach(&path).await?,
            Typed::Save(at) => self.save(at).await?,
            Typed::Why(at) => self.why(at).await?,
            other => self.speak(other).await?,
        }
        Ok(())
    }

    async fn attach(&self, path: &str) -> Result<(), Stop> {
        self.say("sending; this takes a while, and can be gone on with")?;
        let (channel, path) = (self.channel()?.id, files::path_of(path));
        Ok(self.say(&files::attach(self.client, channel, &path, "", Arc::new(|_| {})).await?)?)
    }

    async fn save(&self, at: u64) -> Result<(), Stop> {
        let message = self.message(at).await?;
        Ok(self.say(&files::save(self.client, message, Arc::new(|_| {})).await?)?)
    }

    /// What is sent.
    async fn speak(&mut self, typed: Typed) -> Result<(), Stop> {
        let say = match typed {
            Typed::Text(words) => Say::Words(self.channel()?.id, Purpose::Text, words),
            Typed::Reply(at, words) => {
                let to = Purpose::Reply(self.message(at).await?, String::new());
                Say::Words(self.channel()?.id, to, words)
            }
            Typed::Edit(at, words) => {
                let of = Purpose::Edit(self.message(at).await?);
                Say::Words(self.channel()?.id, of, words)
            }
            Typed::React(at, emoji) => Say::React(self.message(at).await?, emoji),
            Typed::Unreact(at, emoji) => Say::Unreact(self.message(at).await?, emoji),
            Typed::Retract(at, true) => Say::Retract(self.message(at).await?),
            Typed::Retract(at, false) => {
                self.message(at).await?;
                self.say(&format!(
                    "All readers would be asked to forget it; whoever has read it has read it. Type /retract {at} yes"
                ))?;
                return Ok(());
            }
            _ => return Ok(()),
        };
        said(self.client, &say).await?;
        Ok(())
    }

    fn channel(&self) -> Result<&ChannelView, Stop> {
        self.open.as_ref().ok_or(Stop::Error(Error::UnknownChannel))
    }

    async fn message(&self, at: u64) -> Result<MessageId, Stop> {
        Ok(self.client.find_message(self.channel()?.id, &format!("#{at}")).await?)
    }

    async fn enter(&mut self, channel: ChannelView) -> Result<(), Failure> {
        let name = display_safe_name(&channel.name);
        let entries = count(channel.entries, "entry", "entries");
        self.open = Some(channel);
        self.say(&format!("channel {name}, {entries}"))?;
        let read = self.read(Range::Last(FIRST)).await;
        match read {
            Ok(()) => Ok(()),
            Err(Stop::Error(error)) => Err(fault(&error)),
            Err(Stop::Failure(failure)) => Err(failure),
        }
    }

    async fn read(&mut self, range: Range) -> Result<(), Stop> {
        let views = self.client.read(self.channel()?.id, range).await?;
        if views.is_empty() {
            self.say("no messages there")?;
        }
        for view in views.iter().filter(|view| !events::is_hidden(view)) {
            self.learn(view);
            self.output.text(&speak::message(view, &self.names, &self.zone))?;
        }
        if let Some(newest) = views.iter().map(|view| view.id).max() {
            self.client.mark_read(self.channel()?.id, newest).await?;
        }
        Ok(())
    }

    fn learn(&mut self, view: &MessageView) {
        if let Some(author) = &view.author {
            self.names.learn(&author.device, &author.name);
        }
    }

    async fn list(&self) -> Result<(), Stop> {
        for channel in self.client.channels().await? {
            let name = display_safe_name(&channel.name);
            let waiting = match channel.waiting {
                0 => String::new(),
                waiting => format!(", {} to go out", count(waiting, "message is", "messages are")),
            };
            let unread = match (channel.unread, channel.mentioned) {
                (0, _) => String::new(),
                (unread, 0) => format!(", {unread} unread"),
                (unread, mentioned) => format!(", {unread} unread, {mentioned} of them for you"),
            };
            let timer = match channel.timer_days {
                0 => String::new(),
                days => format!(", {}", timer_says(days)),
            };
            self.say(&format!(
                "{}. {name}, {}{unread}{waiting}{timer}",
                channel.id.0,
                count(channel.entries, "entry", "entries")
            ))?;
        }
        Ok(())
    }

    async fn status(&self) -> Result<(), Stop> {
        let Some(id) = ids::hex_32(&self.channel()?.network) else {
            return Err(Stop::Error(Error::UnknownChannel));
        };
        let view = self.client.status(Hash(id)).await?;
        if let Some(height) = view.forked_at {
            self.say(&format!(
                "alarm: two final blocks at height {height}; nothing is sent or believed. Keep the evidence with \
                 `waxwing chat evidence`, and speak with the other members over another way"
            ))?;
        }
        let known = Known {
            at: clock::now_ms(),
            view,
            evidence: 0,
            compared: None,
        };
        let is_offline = facts::is_offline(&known);
        let age = facts::age(&known, known.at);
        self.say(&format!("{}, {}, {age}", facts::height(&known), facts::signers(&known)))?;
        if is_offline {
            self.say("offline: what you write is kept, and goes out when a node answers")?;
        }
        Ok(())
    }

    async fn why(&self, at: u64) -> Result<(), Stop> {
        let why = self.client.why(self.message(at).await?).await?;
        for check in &why.checks {
            let word = match check.result {
                waxwing_light::Finding::Holds => "holds",
                waxwing_light::Finding::Fails => "fails",
                waxwing_light::Finding::NotDone => "not done",
            };
            self.say(&format!("{word}: {}: {}", check.check, display_safe(&check.says)))?;
        }
        Ok(())
    }

    /// What changed: messages of the open channel as they come, own ones along their ladder, others by a word.
    fn news(&mut self, view: &MessageView) -> Result<(), Failure> {
        self.learn(view);
        if events::is_hidden(view) {
            return Ok(());
        }
        let is_here = self.open.as_ref().is_some_and(|open| open.id == view.channel);
        if is_here && view.event.is_some() {
            return self.output.text(&speak::message(view, &self.names, &self.zone));
        }
        if view.own && !is_about(view) {
            return self.output.text(&speak::progress(view));
        }
        if !is_here {
            return if view.state.is_final() && !is_about(view) {
                self.say(&format!("a message in channel {}", view.channel.0))
            } else {
                Ok(())
            };
        }
        if is_about(view) {
            return self.say(&self.about(view));
        }
        self.output.text(&speak::message(view, &self.names, &self.zone))
    }

    /// What was said of the open channel counts as read.
    async fn heard(&self, view: &MessageView) -> Result<(), Failure> {
        if self.open.as_ref().is_some_and(|open| open.id == view.channel) && !view.own {
            let marked = self.client.mark_read(view.channel, view.id).await;
            marked.map_err(|error| fault(&error))?;
        }
        Ok(())
    }

    fn about(&self, view: &MessageView) -> String {
        let name = view.author.as_ref().map_or_else(
            || "unknown".to_owned(),
            |author| self.names.label(author, view.own).name,
        );
        let what = view.quotes.as_ref().and_then(|quoted| quoted.log_index);
        let what = what.map_or_else(|| "a message".to_owned(), |index| format!("message {index}"));
        match view.kind {
            Some("reaction") => {
                format!(
                    "{name} reacted to {what} with {}",
                    display_safe(view.text.as_deref().unwrap_or_default())
                )
            }
            Some("edit") => {
                let words: String = view.text.as_deref().unwrap_or_default().chars().take(400).collect();
                format!("{name} edited {what}: {}", display_safe(&words))
            }
            _ => format!("{name} took back {what}, or a reaction to it"),
        }
    }
}

/// What keeps a command from being done.
enum Stop {
    /// The client says why; the next command may work.
    Error(Error),
    /// Nobody reads, or nothing works any more.
    Failure(Failure),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What is said of messages that are left behind.
fn still_waiting(messages: u64) -> String {
    let says = count(messages, "message waits", "messages wait");
    let go = if messages == 1 { "goes" } else { "go" };
    format!("{says} on this device, and {go} out whenever the client runs.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_goes_out_and_several_go_out() {
        assert!(still_waiting(1).starts_with("1 message waits on this device, and goes out"));
        assert!(still_waiting(4).starts_with("4 messages wait on this device, and go out"));
    }
}
