//! The conversation, said again in its order: each message is final before the next one is sent, and a reader on another
//! device prints it as it arrives.

use std::path::Path;
use std::time::{Duration, Instant};

use waxwing_light::{Draft, Ladder, MessageView, Tail};
use waxwing_seal::display::display_safe_name;

use super::super::corpus::{Conversation, Spoken};
use super::figures::Figures;
use super::people::{People, Person, failed};
use super::story::Story;
use crate::chat::show::said;
use crate::clock;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::progress::Progress;

/// Lines of the conversation that are printed of each part; the rest is counted.
const SHOWN: usize = 6;

/// How long a message may take. It bounds a failure, it paces nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The replay, as far as it is.
pub(super) struct Replay<'a> {
    people: &'a People,
    conversation: &'a Conversation,
    tail: Option<Tail>,
    sent: usize,
    latencies: Vec<Duration>,
    read: Vec<(Instant, MessageView)>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(people: &'a People, conversation: &'a Conversation) -> Self {
        Self {
            people,
            conversation,
            tail: None,
            sent: 0,
            latencies: Vec::new(),
            read: Vec::new(),
        }
    }

    /// Goes on until so many messages are said and read.
    ///
    /// # Errors
    /// If one does not become final, or the reader does not get it.
    pub(super) async fn until(&mut self, count: usize, story: &Story<'_>) -> Result<(), Failure> {
        if self.tail.is_none() {
            self.tail = Some(
                self.people
                    .reader
                    .client
                    .tail(Some(self.people.reader.channel), None)
                    .await
                    .map_err(failed)?,
            );
        }
        let from = self.sent;
        let messages = self.conversation.messages.get(from..count).unwrap_or_default();
        let mut progress = None;
        for spoken in messages {
            let took = say(self.writer(spoken)?, spoken).await?;
            self.latencies.push(took);
            self.sent += 1;
            self.listen(story, from).await?;
            // Lines and a bar would overwrite each other: first these, then that.
            if self.sent >= from + SHOWN {
                let progress = progress.get_or_insert_with(|| Progress::start("replaying", "messages", story.output));
                let all = u64::try_from(self.conversation.messages.len()).ok();
                progress.set(u64::try_from(self.sent).unwrap_or(0), all);
            }
        }
        drop(progress);
        let rest = messages.len().saturating_sub(SHOWN);
        if rest > 0 {
            story.aside(&format!("and {rest} more, each checked by the reader in the same way"))?;
        }
        Ok(())
    }

    /// Goes on until one message is left.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub(super) async fn until_last(&mut self, story: &Story<'_>) -> Result<(), Failure> {
        let last = self.conversation.messages.len().saturating_sub(1);
        self.until(last, story).await
    }

    /// The rest of the conversation.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub(super) async fn rest(&mut self, story: &Story<'_>) -> Result<(), Failure> {
        self.until(self.conversation.messages.len(), story).await
    }

    fn writer(&self, spoken: &Spoken) -> Result<&'a Person, Failure> {
        let mut writers = self.people.writers.iter();
        writers
            .find(|person| person.name == spoken.speaker)
            .ok_or_else(|| Failure::failed("somebody else speaks"))
    }

    /// Waits until the reader has everything that was said.
    async fn listen(&mut self, story: &Story<'_>, from: usize) -> Result<(), Failure> {
        let Some(tail) = &mut self.tail else { return Ok(()) };
        while self.read.len() < self.sent {
            let view = tokio::time::timeout(PATIENCE, tail.next())
                .await
                .map_err(|_| Failure::failed("the reader does not get what is final"))?
                .map_err(failed)?;
            let is_news = view.event.is_none() && self.read.iter().all(|(_, read)| read.id != view.id);
            if view.state.is_final() && is_news {
                if self.read.len() < from + SHOWN {
                    story.message(&view)?;
                }
                self.read.push((clock::steady(), view));
            }
        }
        Ok(())
    }

    /// How many messages were said.
    pub(super) const fn said(&self) -> usize {
        self.sent
    }

    /// The messages as the reader has them.
    pub(super) fn read(&self) -> impl Iterator<Item = &MessageView> {
        self.read.iter().map(|(_, view)| view)
    }

    /// How long after a moment the reader had its next message.
    pub(super) fn first_read_after(&self, moment: Instant) -> Option<Duration> {
        self.read
            .iter()
            .find_map(|(read, _)| read.checked_duration_since(moment))
    }

    /// Compares what was read with what was said, and leaves it in a file.
    ///
    /// # Errors
    /// If a single word, a name or the order differs.
    pub(super) fn finish(&mut self, file: &Path, figures: &mut Figures, story: &Story<'_>) -> Result<(), Failure> {
        let said_so = self
            .conversation
            .messages
            .iter()
            .map(|spoken| (spoken.speaker.as_str(), spoken.text.as_str()));
        let read_so = self.read.iter().map(|(_, view)| {
            let name = view.author.as_ref().map_or("", |author| author.name.as_str());
            (name, view.text.as_deref().unwrap_or_default())
        });
        if !said_so.eq(read_so) {
            return Err(Failure::failed("what the reader read is not what was said"));
        }
        story.fact(
            "compared",
            &format!("all {} messages: the same words, names and order", self.read.len()),
        )?;
        let lines = self.read.iter().map(|(_, view)| {
            let name = view
                .author
                .as_ref()
                .map_or_else(String::new, |author| display_safe_name(&author.name));
            let (height, index) = (view.height.unwrap_or(0), view.log_index.unwrap_or(0));
            format!("final  block {height:>4}  entry {index:>4}  {name}  {}\n", said(view))
        });
        files::write_new(file, lines.collect::<String>().as_bytes(), Readers::Anybody)?;
        figures.messages = self.read.len();
        figures.people = self.people.writers.len();
        figures.latencies = core::mem::take(&mut self.latencies);
        Ok(())
    }
}

/// Says something and waits until it is final.
async fn say(person: &Person, spoken: &Spoken) -> Result<Duration, Failure> {
    let started = clock::steady();
    let draft = Draft::text(&spoken.text).map_err(failed)?;
    let message = person.client.send(person.channel, draft).await.map_err(failed)?;
    let view = person.client.settle(message, PATIENCE).await.map_err(failed)?;
    match view.state {
        Ladder::Final | Ladder::SeenByAll => Ok(clock::steady().duration_since(started)),
        _ => Err(Failure::failed(format!(
            "a message of {} did not become final: {}",
            person.name,
            view.reason.unwrap_or_else(|| "no reason is known".to_owned())
        ))),
    }
}
