//! Messages: said, read, found, tried again and erased.
//!
//! A message is sealed in the transaction that stores it, with the layer 3 state that the sealing used up: it is never
//! sealed a second time, and nothing that was not stored was ever sealed.

use std::time::Duration;

use tokio::time::timeout;
use waxwing_core::HashKeys;
use waxwing_core::codec::Encode;
use waxwing_core::envelope::KeepFor;
use waxwing_seal::content::{Emoji, Name, Words};
use waxwing_seal::{Content, ContentId, Keeping, Kind};

use crate::client::Client;
use crate::error::Error;
use crate::groups::names;
use crate::history;
use crate::limits::{MESSAGES_PER_READ_MAX, NOTICE_MS};
use crate::message::{ChannelId, Exception, Ladder, MessageId, MessageView, Quote};
use crate::reach::is_seen_by_all;
use crate::store::channels::ChannelKind;
use crate::store::messages::{BodyState, Message, State};
use crate::store::{
    self, StoreError, Transaction, aftermath, channels, gaps, manners, members, messages, networks, outbox,
};
use crate::tail::Tail;
use crate::{chance, deliver, doubt, groups, mention, open, sync, telling};

/// What is to be said, and for how long nodes are to keep it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the message does.
    pub kind: Kind,
    /// For how long at most: the timer of the conversation may say less.
    pub keep_for: KeepFor,
}

impl Draft {
    /// Says something.
    ///
    /// # Errors
    /// If it is too long.
    pub fn text(words: &str) -> Result<Self, Error> {
        Ok(Self::of(Kind::Text(Words::new(words)?)))
    }

    /// Answers a message.
    ///
    /// # Errors
    /// If it is too long.
    pub fn reply(to: ContentId, words: &str) -> Result<Self, Error> {
        let body = Words::new(words)?;
        Ok(Self::of(Kind::Reply { to, body }))
    }

    /// Reacts to a message.
    ///
    /// # Errors
    /// If it is too long.
    pub fn reaction(to: ContentId, emoji: &str) -> Result<Self, Error> {
        let emoji = Emoji::new(emoji)?;
        Ok(Self::of(Kind::Reaction { to, emoji }))
    }

    /// Puts other words in the place of an own message's.
    ///
    /// # Errors
    /// If it is too long.
    pub fn edit(of: ContentId, words: &str) -> Result<Self, Error> {
        let body = Words::new(words)?;
        Ok(Self::of(Kind::Edit { of, body }))
    }

    /// Asks readers to forget an own message.
    #[must_use]
    pub const fn retraction(of: ContentId) -> Self {
        Self::of(Kind::Retraction { of })
    }

    /// Asks members to have what is written from here on disappear after a time.
    #[must_use]
    pub const fn timer(keep_for: KeepFor) -> Self {
        Self::of(Kind::Timer { keep_for })
    }

    pub(crate) const fn of(kind: Kind) -> Self {
        Self {
            kind,
            keep_for: KeepFor::Ever,
        }
    }

    /// Asks nodes to drop it after a time.
    #[must_use]
    pub const fn keep_for(mut self, keep_for: KeepFor) -> Self {
        self.keep_for = keep_for;
        self
    }
}

/// How a row becomes what is shown.
pub(crate) type Show = fn(&Transaction<'_>, &Message) -> Result<MessageView, Error>;

/// Which messages to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Range {
    /// The last ones, with those on their way behind them.
    Last(u32),
    /// Those before an index of the log.
    Before(u64, u32),
    /// Those from an index of the log on.
    From(u64, u32),
}

/// Messages.
impl Client {
    /// Seals a message and puts it into the outbox. When this returns it is `queued`: durable, and sent exactly once,
    /// whatever happens. Needs no network.
    ///
    /// # Errors
    /// If it cannot be sealed, the conversation is not known, or its ledger is forked.
    pub async fn send(&self, channel: ChannelId, draft: Draft) -> Result<MessageId, Error> {
        let now = self.core.clock.now();
        let message = self.core.write(move |tx| queue(tx, channel, draft, now)).await?;
        self.core.outbox_changed();
        Ok(message)
    }

    /// The same for several messages, in their order: all of them are queued when this returns, or none.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_all(&self, channel: ChannelId, drafts: Vec<Draft>) -> Result<Vec<MessageId>, Error> {
        let now = self.core.clock.now();
        let queued = self.core.write::<_, Error>(move |tx| {
            let drafts = drafts.into_iter();
            drafts.map(|draft| queue(tx, channel, draft, now)).collect()
        });
        let queued = queued.await?;
        self.core.outbox_changed();
        Ok(queued)
    }

    /// Waits until a message is final or failed, following its ledger meanwhile.
    ///
    /// # Errors
    /// [`Error::StillWaiting`] when the time is over.
    pub async fn settle(&self, message: MessageId, within: Duration) -> Result<MessageView, Error> {
        self.start();
        let settled = async {
            let mut writes = self.core.writes();
            loop {
                let view = self.message(message).await?;
                if view.state.is_final() || view.state == Ladder::Failed {
                    return Ok(view);
                }
                // Another process may be the one that reads the log.
                let _ = timeout(Duration::from_millis(NOTICE_MS), writes.changed()).await;
            }
        };
        timeout(within, settled).await.unwrap_or(Err(Error::StillWaiting))
    }

    /// Tries a failed message again now.
    ///
    /// # Errors
    /// [`Error::NotFailed`] if it did not fail, or can never become final.
    pub async fn retry(&self, message: MessageId) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                if row.state != State::Failed || outbox::load(tx, message)?.is_none() {
                    return Err(Error::NotFailed);
                }
                Ok(messages::set_state(tx, message, State::Queued, None)?)
            })
            .await?;
        deliver::hurry(&self.core, message);
        Ok(())
    }

    /// Reads messages in their order, each with what later ones did to it; edits, retractions and reactions that
    /// belong to a message are not listed by themselves.
    ///
    /// # Errors
    /// If the conversation is not known.
    pub async fn read(&self, channel: ChannelId, range: Range) -> Result<Vec<MessageView>, Error> {
        self.read_as(channel, range, whole).await
    }

    /// The same, with what blocked people said.
    ///
    /// # Errors
    /// If the conversation is not known.
    pub async fn read_with_blocked(&self, channel: ChannelId, range: Range) -> Result<Vec<MessageView>, Error> {
        self.read_as(channel, range, unhidden).await
    }

    async fn read_as(&self, channel: ChannelId, range: Range, show: Show) -> Result<Vec<MessageView>, Error> {
        self.core
            .read::<_, Error>(move |tx| {
                channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                let rows = match range {
                    Range::Last(most) => messages::before(tx, channel, None, most.min(MESSAGES_PER_READ_MAX)),
                    Range::Before(index, most) => {
                        messages::before(tx, channel, Some(index), most.min(MESSAGES_PER_READ_MAX))
                    }
                    Range::From(index, most) => messages::from(tx, channel, index, most.min(MESSAGES_PER_READ_MAX)),
                }?;
                let mut views = Vec::new();
                for row in &rows {
                    let is_renewal = row.event.as_ref().is_some_and(|event| !event.is_visible());
                    if !is_renewal && !belongs_to_another(tx, row)? {
                        views.push(show(tx, row)?);
                    }
                }
                Ok(views)
            })
            .await
    }

    /// One message with what later ones did to it.
    ///
    /// # Errors
    /// If there is no such message.
    pub async fn message(&self, message: MessageId) -> Result<MessageView, Error> {
        self.core
            .read(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                whole(tx, &row)
            })
            .await
    }

    /// One message as it is, even if this person blocked whoever wrote it.
    ///
    /// # Errors
    /// If there is no such message.
    pub async fn message_with_blocked(&self, message: MessageId) -> Result<MessageView, Error> {
        self.core
            .read(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                unhidden(tx, &row)
            })
            .await
    }

    /// The message of a conversation that a person means: `#` and its index, its number, or the first digits of its
    /// content id.
    ///
    /// # Errors
    /// If none or several are meant.
    pub async fn find_message(&self, channel: ChannelId, text: &str) -> Result<MessageId, Error> {
        let text = text.to_owned();
        self.core
            .read::<_, Error>(move |tx| {
                let found = match text.strip_prefix('#').map(str::parse) {
                    Some(index) => {
                        let index = index.map_err(|_| Error::UnknownMessage)?;
                        messages::at(tx, channel, index)?.into_iter().collect()
                    }
                    None => messages::beginning_with(tx, channel, &text)?,
                };
                match found.as_slice() {
                    [] => Err(Error::UnknownMessage),
                    [only] => Ok(only.id),
                    several => {
                        let indices = several.iter().filter_map(|message| message.log_index);
                        Err(Error::SeveralMessages(indices.collect()))
                    }
                }
            })
            .await
    }

    /// What changes from now on, or from a change that was seen before.
    ///
    /// # Errors
    /// If the store fails; [`Error::NoSuchChange`] if this home has not changed so often.
    pub async fn tail(&self, channel: Option<ChannelId>, after: Option<i64>) -> Result<Tail, Error> {
        Tail::begin(&self.core, channel, after).await
    }

    /// The newest `most` messages in the order of their last changes, and what changes from then on.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tail_with_last(&self, channel: Option<ChannelId>, most: u32) -> Result<Tail, Error> {
        let after = Tail::before_last(&self.core, channel, most).await?;
        Tail::begin(&self.core, channel, Some(after)).await
    }

    /// Erases an own message: forgets its content here, and reveals the secret that lets every honest node drop its
    /// body. The nodes are told when one is reached. Erasing several at once links them to one author.
    ///
    /// # Errors
    /// If it is not final, not from this device, or was made to stay.
    pub async fn erase(&self, message: MessageId) -> Result<(), Error> {
        self.core.write(move |tx| erase(tx, message)).await?;
        self.core.lists_changed();
        Ok(())
    }
}

/// Seals a message and stores it, with everything that goes with it.
pub(crate) fn queue(tx: &mut Transaction<'_>, channel: ChannelId, draft: Draft, now: u64) -> Result<MessageId, Error> {
    let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
    let network = networks::load(tx, channel.network)?.ok_or(Error::UnknownNetwork(channel.network))?;
    if let Some(evidence) = &network.held.halted {
        return Err(Error::Forked {
            height: evidence.height(),
        });
    }
    let keys = network.genesis.keys();
    let view = sync::view_on(&network, &keys, &channel);
    let keep_for = keeping(tx, channel.id, &draft)?;
    let kind = mention::resolve(tx, channel.id, draft.kind)?;
    let content = Content::new(&mut chance::fill, now, Name::new(store::name(tx)?)?, view, kind);
    let message = match channel.kind {
        ChannelKind::Link => {
            let (device, _) = store::device(tx)?;
            let own = device.id();
            let mut sealer = open::sealer(tx, &keys, &channel, device)?;
            let sealed = sealer.seal(&content, Keeping::Erasable(keep_for), &mut chance::fill)?;
            channels::set_engine(tx, channel.id, &sealer.engine().to_bytes())?;
            let message = messages::queue(tx, channel.id, own, &content, now)?;
            outbox::insert(tx, message, channel.id, &sealed)?;
            deliver::sign_at_once(tx, &keys, &channel, message, &sealed, now)?;
            message
        }
        ChannelKind::Group => {
            let said = groups::send::seal(tx, &channel, &content, keep_for, now)?;
            let message = messages::queue(tx, channel.id, said.own, &content, now)?;
            let (id, sealed) = (said.outgoing.id, said.outgoing.sealed);
            let signing = deliver::signed_at_once(&network, &keys, &channel, (&sealed, &said.log_key), now);
            outbox::insert_of_group(tx, (message, channel.id), &sealed, id, signing.as_ref())?;
            message
        }
        ChannelKind::Archive => return Err(Error::Archived),
        ChannelKind::Inbox | ChannelKind::Post | ChannelKind::Card => return Err(Error::UnknownChannel),
    };
    telling::said(tx, channel.id)?;
    Ok(message)
}

/// For how long nodes are asked to keep what is said, and members do. Other words for a message go with it. What decides about
/// others (a retraction, a timer) stays, and receipts are of no use after a year.
fn keeping(tx: &Transaction<'_>, channel: ChannelId, draft: &Draft) -> Result<KeepFor, StoreError> {
    let timer = manners::load(tx, channel)?.timer;
    let usual = shorter(draft.keep_for, timer);
    Ok(match &draft.kind {
        Kind::Retraction { .. } | Kind::Timer { .. } => KeepFor::Ever,
        Kind::Receipt(_) => shorter(usual, KeepFor::Year),
        // Newcomers read it within days, and then it is of no use.
        Kind::History(_) => shorter(usual, KeepFor::Month),
        Kind::Edit { of, .. } => kept(tx, channel, *of)?.unwrap_or(usual),
        Kind::Reaction { to, .. } => kept(tx, channel, *to)?.map_or(usual, |kept| shorter(usual, kept)),
        Kind::Text(_) | Kind::Reply { .. } | Kind::Attachment(_) | Kind::Unknown(_) => usual,
    })
}

/// For how long a message is kept; `None` if it is not here.
fn kept(tx: &Transaction<'_>, channel: ChannelId, content: ContentId) -> Result<Option<KeepFor>, StoreError> {
    let Some(row) = messages::with_content(tx, channel, content)? else {
        return Ok(None);
    };
    match row.signed {
        Some(signed) => Ok(Some(signed.header.keep_for)),
        None => Ok(outbox::load(tx, row.id)?.map(|item| item.sealed.keep_for)),
    }
}

fn shorter(one: KeepFor, other: KeepFor) -> KeepFor {
    let days = |keep_for: &KeepFor| match keep_for.days() {
        0 => u32::MAX,
        days => days,
    };
    core::cmp::min_by_key(one, other, days)
}

/// Whether a message only does something to another one that is here.
fn belongs_to_another(tx: &Transaction<'_>, row: &Message) -> Result<bool, Error> {
    let Some(content) = &row.content else { return Ok(false) };
    let target = match &content.kind {
        // About messages as well, and shown with those. A history that was refused says why.
        Kind::Receipt(_) => return Ok(true),
        Kind::History(_) => return Ok(row.reason.is_none()),
        Kind::Timer { .. } => return Ok(false),
        Kind::Edit { of, .. } | Kind::Retraction { of } => *of,
        Kind::Reaction { to, .. } => *to,
        Kind::Text(_) | Kind::Reply { .. } | Kind::Attachment(_) | Kind::Unknown(_) => return Ok(false),
    };
    Ok(messages::with_content(tx, row.channel, target)?.is_some())
}

/// A message with everything that later ones did to it; but not what a blocked person said.
pub(crate) fn whole(tx: &Transaction<'_>, row: &Message) -> Result<MessageView, Error> {
    let mut view = unhidden(tx, row)?;
    doubt::hide(&mut view);
    Ok(view)
}

/// The same, whoever said it.
pub(crate) fn unhidden(tx: &Transaction<'_>, row: &Message) -> Result<MessageView, Error> {
    let Some(content) = &row.content else {
        let mut view = MessageView::of(row);
        if let (Some(author), Some(device), Some(_)) = (&mut view.author, row.device, &row.event) {
            author.name = names::of(tx, row.channel, row.account, device)?.unwrap_or_default();
        }
        if let Some(event) = &mut view.event {
            names::look_up(tx, row.channel, event)?;
        }
        doubt::mark(tx, row, &mut view)?;
        return Ok(view);
    };
    let mut about = messages::about(tx, row.channel, content.id)?;
    doubt::without_reactions_of_blocked(tx, &mut about)?;
    let mut about_reactions = Vec::new();
    for later in &about {
        if let Some(Kind::Reaction { .. }) = later.content.as_ref().map(|content| &content.kind)
            && let Some(content) = &later.content
        {
            about_reactions.extend(messages::about(tx, row.channel, content.id)?);
        }
    }
    let mut view = MessageView::with(row, &about, &about_reactions);
    if let Some(words) = shown_words(row, &about, &view) {
        view.mentions = mention::views(tx, row.channel, words)?;
    }
    doubt::mark(tx, row, &mut view)?;
    if let Some(told) = history::view(tx, row)? {
        view.edited |= told.edited;
        if told.view.differs {
            view.exceptions.push(Exception::ToldOtherwise);
        }
        view.told = Some(told.view);
    }
    view.missing_before = gaps::missing_before(tx, row)?;
    if view.missing_before > 0 {
        view.exceptions.push(Exception::MissingBefore);
    }
    if let (true, Some(number), false) = (row.is_own, row.log_index, is_about_another(content)) {
        let reach = members::reach(tx, row.channel, number)?;
        if is_seen_by_all(&manners::load(tx, row.channel)?, &reach) {
            view.state = Ladder::SeenByAll;
        }
        view.reach = Some(reach.into());
    }
    if let Some(attachment) = view.attachment.take() {
        view.attachment = Some(attachment.with_saved(tx, row.id)?);
    }
    if let Some(target) = messages::target(&content.kind)
        && let Some(quoted) = messages::with_content(tx, row.channel, target)?
    {
        let about = messages::about(tx, row.channel, target)?;
        let mut quote = Quote::of(&MessageView::with(&quoted, &about, &[]));
        if doubt::is_of_blocked(tx, &quoted)? {
            quote.text = None;
        }
        view.quotes = Some(quote);
    }
    Ok(view)
}

/// The words that a reader is shown.
pub(crate) fn shown_words<'a>(
    row: &'a Message,
    about: &'a [Message],
    view: &MessageView,
) -> Option<&'a waxwing_seal::content::Words> {
    view.text.as_ref()?;
    let of = |message: &'a Message| match &message.content.as_ref()?.kind {
        Kind::Text(words) | Kind::Reply { body: words, .. } | Kind::Edit { body: words, .. } => Some(words),
        Kind::Attachment(manifest) => Some(&manifest.words),
        _ => None,
    };
    let is_edit = |later: &&Message| crate::message::is_edit_of(later, row);
    let newest = about.iter().rfind(is_edit).filter(|_| view.edited);
    of(newest.unwrap_or(row))
}

/// Whether a content does nothing but something to others.
const fn is_about_another(content: &Content) -> bool {
    matches!(
        content.kind,
        Kind::Reaction { .. }
            | Kind::Edit { .. }
            | Kind::Retraction { .. }
            | Kind::Receipt(_)
            | Kind::Timer { .. }
            | Kind::History(_)
    )
}

/// Forgets an own message's content here, and notes the secret that lets nodes drop its body.
pub(crate) fn erase(tx: &mut Transaction<'_>, message: MessageId) -> Result<(), Error> {
    let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
    if !row.is_own {
        return Err(Error::NotOwn);
    }
    if row.body == BodyState::Erased && outbox::is_revealed(tx, message)?.is_some() {
        return Ok(());
    }
    let (Some(signed), Some(content)) = (&row.signed, &row.content) else {
        return Err(if row.log_index.is_none() {
            Error::NotFinal
        } else {
            Error::NotErasable
        });
    };
    let channel = channels::load(tx, row.channel)?.ok_or(Error::UnknownChannel)?;
    let keys = HashKeys::new(channel.network);
    let (device, _) = store::device(tx)?;
    let secret = device.erasure_secret(signed.header.log, content.salt);
    if secret.commitment(&keys) != signed.header.erasure {
        return Err(Error::NotErasable);
    }
    outbox::reveal(tx, message, &secret)?;
    aftermath::erase(tx, message)?;
    Ok(())
}
