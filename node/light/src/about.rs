//! Messages about other messages: replies, reactions, edits, retractions; and erasing for good.
//!
//! What such a message does is its readers' decision, by rules that all of them compute alike (`message.rs`). Here the
//! writer is told before anything is sealed whether they would follow it: words that nobody will ever show are not sent.
//! Looked up and queued in one transaction, so that what was looked up still holds.

use waxwing_seal::content::{Emoji, Words};
use waxwing_seal::{Content, Kind};

use crate::chat::{Draft, erase, queue, whole};
use crate::client::Client;
use crate::error::{Error, NotSaid};
use crate::message::MessageId;
use crate::store::messages::{self, Message};
use crate::store::{Transaction, outbox};

/// How far the erasing of a body on the nodes is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erasure {
    /// Nobody asked for it.
    NotAsked,
    /// The nodes are told when one is reached.
    Asked,
    /// A node confirmed it, and tells the others.
    Confirmed,
}

impl Erasure {
    /// One word, for screens and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::Asked => "asked",
            Self::Confirmed => "confirmed",
        }
    }
}

/// Messages about messages.
impl Client {
    /// Answers a message, in its conversation.
    ///
    /// # Errors
    /// [`NotSaid::Empty`] without words, [`NotSaid::NothingThere`] if there is nothing to answer, and as
    /// [`Client::send`].
    pub async fn reply(&self, to: MessageId, words: &str) -> Result<MessageId, Error> {
        let body = said(words)?;
        self.say_about(to, move |tx, row| {
            let to = standing(tx, row)?.id;
            Ok(Kind::Reply { to, body })
        })
        .await
    }

    /// Reacts to a message with an emoji or a few letters.
    ///
    /// # Errors
    /// [`NotSaid::SameReaction`] if this device has reacted so already; else as [`Client::reply`].
    pub async fn react(&self, to: MessageId, emoji: &str) -> Result<MessageId, Error> {
        let emoji = emoji_of(emoji)?;
        self.say_about(to, move |tx, row| {
            let to = standing(tx, row)?.id;
            match own_reaction(tx, row, &emoji)? {
                Some(_) => Err(NotSaid::SameReaction.into()),
                None => Ok(Kind::Reaction { to, emoji }),
            }
        })
        .await
    }

    /// Takes an own reaction back; returns the retraction.
    ///
    /// # Errors
    /// [`NotSaid::NoReaction`] if this device has not reacted so.
    pub async fn unreact(&self, to: MessageId, emoji: &str) -> Result<MessageId, Error> {
        let emoji = emoji_of(emoji)?;
        self.say_about(to, move |tx, row| match own_reaction(tx, row, &emoji)? {
            Some(reaction) => Ok(Kind::Retraction { of: reaction.id }),
            None => Err(NotSaid::NoReaction.into()),
        })
        .await
    }

    /// Puts other words in the place of an own message's.
    ///
    /// # Errors
    /// [`Error::NotOwn`], [`NotSaid::NotWords`] if it has none, [`NotSaid::NothingThere`] if it was taken back or erased,
    /// and as [`Client::send`].
    pub async fn edit(&self, of: MessageId, words: &str) -> Result<MessageId, Error> {
        let body = said(words)?;
        self.say_about(of, move |tx, row| {
            let content = standing(tx, own(row)?)?;
            match content.kind {
                Kind::Text(_) | Kind::Reply { .. } => Ok(Kind::Edit { of: content.id, body }),
                _ => Err(NotSaid::NotWords.into()),
            }
        })
        .await
    }

    /// Asks all readers, and this device, to forget an own message. Its sealed body stays on the nodes: see
    /// [`Client::erase_words`].
    ///
    /// # Errors
    /// [`Error::NotOwn`], [`NotSaid::NotWords`] if it only does something to another message, [`NotSaid::NothingThere`] if
    /// it was taken back or erased before.
    pub async fn retract(&self, of: MessageId) -> Result<MessageId, Error> {
        self.say_about(of, |tx, row| {
            let of = standing(tx, own(row)?)?.id;
            Ok(Kind::Retraction { of })
        })
        .await
    }

    /// Erases an own message, and every own edit of it, since those carry its words as well. Returns what is being
    /// erased; all of it or nothing.
    ///
    /// # Errors
    /// As [`Client::erase`].
    pub async fn erase_words(&self, message: MessageId) -> Result<Vec<MessageId>, Error> {
        let erased = self
            .core
            .write::<_, Error>(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                let mut all = vec![message];
                if let Some(content) = &row.content {
                    let about = messages::about(tx, row.channel, content.id)?;
                    all.extend(about.iter().filter(|later| is_own_edit(later)).map(|later| later.id));
                }
                all.iter().try_for_each(|one| erase(tx, *one))?;
                Ok(all)
            })
            .await?;
        self.core.lists_changed();
        Ok(erased)
    }

    /// How far the erasing of a message is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn erasure(&self, message: MessageId) -> Result<Erasure, Error> {
        let revealed = self.core.read(move |tx| outbox::is_revealed(tx, message)).await?;
        Ok(match revealed {
            None => Erasure::NotAsked,
            Some(false) => Erasure::Asked,
            Some(true) => Erasure::Confirmed,
        })
    }

    /// Queues what `judge` makes of a message, in that message's conversation.
    async fn say_about(
        &self,
        message: MessageId,
        judge: impl FnOnce(&Transaction<'_>, &Message) -> Result<Kind, Error> + Send + 'static,
    ) -> Result<MessageId, Error> {
        let now = self.core.clock.now();
        let queued = self
            .core
            .write(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                let draft = Draft::of(judge(tx, &row)?);
                queue(tx, row.channel, draft, now)
            })
            .await?;
        self.core.outbox_changed();
        Ok(queued)
    }
}

fn said(words: &str) -> Result<Words, Error> {
    if words.trim().is_empty() {
        return Err(NotSaid::Empty.into());
    }
    Ok(Words::new(words)?)
}

fn emoji_of(emoji: &str) -> Result<Emoji, Error> {
    let emoji = emoji.trim();
    if emoji.is_empty() {
        return Err(NotSaid::Empty.into());
    }
    Ok(Emoji::new(emoji)?)
}

/// The message, if this device wrote it: of nobody else's edit or retraction readers take notice.
const fn own(row: &Message) -> Result<&Message, Error> {
    if row.is_own { Ok(row) } else { Err(Error::NotOwn) }
}

/// What a message says, if something can be said about it: it is here, stands by itself, and was not taken back.
fn standing<'a>(tx: &Transaction<'_>, row: &'a Message) -> Result<&'a Content, Error> {
    let content = row.content.as_ref().ok_or(NotSaid::NothingThere)?;
    match content.kind {
        Kind::Reaction { .. }
        | Kind::Edit { .. }
        | Kind::Retraction { .. }
        | Kind::Receipt(_)
        | Kind::Timer { .. }
        | Kind::History(_) => Err(NotSaid::NotWords.into()),
        _ if whole(tx, row)?.retracted => Err(NotSaid::NothingThere.into()),
        _ => Ok(content),
    }
}

/// This device's reaction of this kind to a message, unless it was taken back.
fn own_reaction(tx: &Transaction<'_>, row: &Message, emoji: &Emoji) -> Result<Option<Content>, Error> {
    let content = row.content.as_ref().ok_or(NotSaid::NothingThere)?;
    for later in messages::about(tx, row.channel, content.id)? {
        let is_wanted = match later.content.as_ref().map(|content| &content.kind) {
            Some(Kind::Reaction { emoji: with, .. }) => later.is_own && with == emoji,
            _ => false,
        };
        if is_wanted && !whole(tx, &later)?.retracted {
            return Ok(later.content);
        }
    }
    Ok(None)
}

fn is_own_edit(row: &Message) -> bool {
    let kind = row.content.as_ref().map(|content| &content.kind);
    row.is_own && matches!(kind, Some(Kind::Edit { .. }))
}
