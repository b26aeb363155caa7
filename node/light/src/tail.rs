//! What changes, as it changes: new messages, and messages that move along their ladder.
//!
//! Changes are numbered in the store, so a tail sees what other processes of the same home wrote, misses nothing
//! between two looks, and can go on after a restart from the last number it saw. Numbers are given inside the
//! transactions that make the changes, one after the other: whoever has seen one will never see a lower one that is new.
//! Of a message that changed twice between two looks the last state is shown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use serde::Serialize;
use waxwing_seal::Kind;

use crate::chat::{Show, unhidden, whole};
use crate::core::{Core, Watching, blocking};
use crate::error::Error;
use crate::limits::NOTICE_MS;
use crate::message::{ChannelId, MessageView};
use crate::store::messages::{self, Message};
use crate::store::{self, Transaction, channels};

/// Changes looked up at once.
const CHANGES_AT_ONCE: u32 = 200;

/// One change: a message in its present state, and what it does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Change {
    /// The message that changed; its `change` is the number of this one.
    #[serde(flatten)]
    pub message: MessageView,
    /// If it is a reply, a reaction, an edit or a retraction: the message that it is about, with everything that was done
    /// to it; none if that is not here.
    pub target: Option<MessageView>,
}

/// A stream of changes. While it exists somebody is taken to look at a screen: the head is kept fresh.
#[derive(Debug)]
pub struct Tail {
    core: Arc<Core>,
    channel: Option<ChannelId>,
    after: i64,
    others: i64,
    writes: watch::Receiver<u64>,
    ready: VecDeque<Change>,
    show: Show,
    _watching: Watching,
}

impl Tail {
    pub(crate) async fn begin(core: &Arc<Core>, channel: Option<ChannelId>, after: Option<i64>) -> Result<Self, Error> {
        let writes = core.writes();
        let after = match after {
            Some(after) => {
                let newest = core.read(|tx| store::newest_change(tx)).await?;
                if after > newest {
                    return Err(Error::NoSuchChange { newest });
                }
                after
            }
            None => core.read(|tx| store::newest_change(tx)).await?,
        };
        Ok(Self {
            core: Arc::clone(core),
            channel,
            after,
            others: 0,
            writes,
            ready: VecDeque::new(),
            show: whole,
            _watching: core.watch(),
        })
    }

    /// The number behind which the newest `most` changed messages stand.
    pub(crate) async fn before_last(core: &Core, channel: Option<ChannelId>, most: u32) -> Result<i64, Error> {
        Ok(core
            .read(move |tx| messages::change_before_last(tx, channel, most))
            .await?)
    }

    /// Shows what blocked people say as well.
    #[must_use]
    pub fn with_blocked(mut self) -> Self {
        self.show = unhidden;
        self
    }

    /// The number of the last change that was handed out or looked at: to go on from later.
    #[must_use]
    pub const fn position(&self) -> i64 {
        self.after
    }

    /// Waits for the next changed message. Safe to cancel: nothing that was looked up is lost.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn next(&mut self) -> Result<MessageView, Error> {
        Ok(self.next_change().await?.message)
    }

    /// The same with what the message does to another one.
    ///
    /// # Errors
    /// If the store fails, or the conversation was forgotten.
    pub async fn next_change(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                self.after = self.after.max(change.message.change);
                return Ok(change);
            }
            self.writes.mark_unchanged();
            let (channel, after, show) = (self.channel, self.after, self.show);
            let found = self.core.read::<_, Error>(move |tx| {
                if let Some(channel) = channel {
                    channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                }
                let rows = messages::changed(tx, channel, after, CHANGES_AT_ONCE)?;
                let shown = rows.iter().filter(|row| !is_receipt(row));
                let changes = shown
                    .map(|row| change(tx, row, show))
                    .collect::<Result<VecDeque<_>, _>>()?;
                Ok((changes, rows.last().map(|row| row.changed)))
            });
            let (ready, looked_at) = found.await?;
            self.ready = ready;
            match looked_at {
                None => self.wait().await?,
                Some(last) if self.ready.is_empty() => self.after = last,
                Some(_) => {}
            }
        }
    }

    /// Until this process wrote, or another one did.
    async fn wait(&mut self) -> Result<(), Error> {
        loop {
            let woken = timeout(Duration::from_millis(NOTICE_MS), self.writes.changed()).await;
            let store = Arc::clone(self.core.store());
            let others = blocking(move || store.others_wrote()).await?;
            if woken.is_ok() || others != self.others {
                self.others = others;
                return Ok(());
            }
        }
    }
}

/// What a receipt does is told with the messages that it is about.
fn is_receipt(row: &Message) -> bool {
    match row.content.as_ref().map(|content| &content.kind) {
        Some(Kind::Receipt(_)) => true,
        // What it tells are messages of their own; one that was refused says why.
        Some(Kind::History(_)) => row.reason.is_none(),
        _ => false,
    }
}

fn change(tx: &Transaction<'_>, row: &Message, show: Show) -> Result<Change, Error> {
    let message = show(tx, row)?;
    let target = match &message.quotes {
        Some(quote) => messages::load(tx, quote.id)?,
        None => None,
    };
    let target = target.map(|target| show(tx, &target)).transpose()?;
    Ok(Change { message, target })
}
