//! What this device does by itself in a conversation: telling how far it has come, and forgetting what has had its time.
//!
//! ```text
//! something came ──wait, by chance, longer the more members there are──> one receipt: view, delivered, read
//!                  └─ something was said meanwhile: its view has told the same ──> nothing, unless receipts are on
//! ```
//!
//! One entry stands for everything before it, so that a thousand messages cost one. Receipts never cause receipts. They are
//! sealed like any message: a node sees an entry of the smallest size. That it comes some time after another one is what
//! remains to be seen, and the wait is drawn by chance for that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use waxwing_core::envelope::KeepFor;
use waxwing_seal::Kind;
use waxwing_seal::content::{Receipt, Watermark};

use crate::chance;
use crate::chat::{Draft, queue};
use crate::client::Client;
use crate::clock::ticks;
use crate::core::{Core, blocking};
use crate::error::Error;
use crate::limits::{EXPIRED_AT_ONCE, NOTICE_MS, TELLING_MS_PER_MEMBER};
use crate::message::{ChannelId, MessageId};
use crate::reach::Manners;
use crate::store::manners::{self, Seen};
use crate::store::{Store, StoreError, Transaction, channels, expiry, members, unread};

/// What this device does in a conversation by itself, and what it shows as read.
impl Client {
    /// How this device behaves in a conversation, and how far its members have come.
    ///
    /// # Errors
    /// If the conversation is not known.
    pub async fn manners(&self, channel: ChannelId) -> Result<Manners, Error> {
        self.core
            .read::<_, Error>(move |tx| {
                channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                let manner = manners::load(tx, channel)?;
                let members = members::all(tx, channel)?;
                let others = members.iter().filter(|member| !member.is_own).count();
                let others = u64::try_from(others).unwrap_or(u64::MAX);
                Ok(Manners {
                    receipts: manner.has_receipts,
                    seen: manner.seen,
                    tells_seen: manners::is_seen_told(&manner, others.saturating_add(1)),
                    timer_days: manner.timer.days(),
                    members: members.into_iter().map(Into::into).collect(),
                })
            })
            .await
    }

    /// Says from now on what was delivered to this device and read on it, or does not any more. Off until it is chosen.
    ///
    /// # Errors
    /// If the conversation is not known.
    pub async fn set_receipts(&self, channel: ChannelId, has: bool) -> Result<(), Error> {
        self.choose(channel, move |tx| manners::set_receipts(tx, channel, has))
            .await
    }

    /// Tells from now on what this device holds, so that messages can be seen by all, or does not any more.
    ///
    /// # Errors
    /// If the conversation is not known.
    pub async fn set_seen(&self, channel: ChannelId, seen: Seen) -> Result<(), Error> {
        self.choose(channel, move |tx| manners::set_seen(tx, channel, seen))
            .await
    }

    async fn choose(
        &self,
        channel: ChannelId,
        choose: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                Ok(choose(tx)?)
            })
            .await
    }

    /// Asks members to have what is written from here on disappear after a time; for ever ends that. It binds honest members
    /// only.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn set_timer(&self, channel: ChannelId, keep_for: KeepFor) -> Result<MessageId, Error> {
        self.send(channel, Draft::timer(keep_for)).await
    }

    /// A person was shown everything of a conversation up to this message. Returns how many were not read before.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn mark_read(&self, channel: ChannelId, up_to: MessageId) -> Result<u64, Error> {
        let before = self.core.read(move |tx| unread::count(tx, channel)).await?;
        if before.messages == 0 {
            return Ok(0);
        }
        let cleared = self
            .core
            .write::<_, StoreError>(move |tx| {
                let cleared = unread::clear(tx, channel, up_to)?;
                if cleared > 0 && manners::load(tx, channel)?.has_receipts {
                    manners::set_owed(tx, channel, true)?;
                }
                Ok(cleared)
            })
            .await?;
        Ok(cleared)
    }

    /// Tells the others now how far this device has come, where that is owed and wanted. Returns in how many conversations.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tell_now(&self) -> Result<u64, Error> {
        let mut told = 0;
        for channel in self.core.read(|tx| manners::owing(tx)).await? {
            told += u64::from(tell(&self.core, channel).await?);
        }
        Ok(told)
    }
}

/// What an own message tells by its view need not be told again.
pub(crate) fn said(tx: &Transaction<'_>, channel: ChannelId) -> Result<(), StoreError> {
    let manner = manners::load(tx, channel)?;
    if manner.owes && !manner.has_receipts {
        manners::set_owed(tx, channel, false)?;
    }
    Ok(())
}

/// Tells how far this device has come, if that is still owed: another process may have been faster.
async fn tell(core: &Core, channel: ChannelId) -> Result<bool, Error> {
    let now = core.clock.now();
    let told = core
        .write::<_, Error>(move |tx| {
            let manner = manners::load(tx, channel)?;
            if !manner.owes {
                return Ok(false);
            }
            manners::set_owed(tx, channel, false)?;
            let others = members::reach(tx, channel, u64::MAX >> 1)?.others;
            let is_wanted = manner.has_receipts || manners::is_seen_told(&manner, others.saturating_add(1));
            let Some(kind) = receipt(tx, channel, manner.has_receipts)?.filter(|_| is_wanted) else {
                return Ok(false);
            };
            queue(tx, channel, Draft::of(kind), now)?;
            Ok(true)
        })
        .await;
    match told {
        Err(Error::Store(error)) => Err(error.into()),
        // Nothing is said on a forked ledger, or by who is out. Nobody asked for this either, so it is let be; what it began is
        // undone with its transaction.
        Err(_) => {
            core.write::<_, StoreError>(move |tx| manners::set_owed(tx, channel, false))
                .await?;
            Ok(false)
        }
        Ok(told) => {
            if told {
                core.outbox_changed();
            }
            Ok(told)
        }
    }
}

/// What there is to tell: with or without watermarks. `None` before anything of the log was read.
fn receipt(tx: &Transaction<'_>, channel: ChannelId, has_receipts: bool) -> Result<Option<Kind>, StoreError> {
    let Some(row) = channels::load(tx, channel)?.filter(|row| row.state.length() > 0) else {
        return Ok(None);
    };
    if !has_receipts {
        return Ok(Some(Kind::Receipt(Receipt::default())));
    }
    let delivered = row.state.length();
    let first_unread = unread::count(tx, channel)?.first;
    let read = first_unread.map_or(delivered, |first| first.saturating_sub(row.base).min(delivered));
    let mark = Watermark {
        log: row.log(),
        delivered,
        read,
    };
    Ok(Receipt::new(vec![mark]).map(Kind::Receipt))
}

/// Forgets what has had its time. Called before anything is shown, and whenever a time has come.
pub(crate) fn sweep(store: &Store, now: u64) -> Result<(), StoreError> {
    let is_due = store.read::<_, StoreError>(|tx| Ok(expiry::next(tx)?.is_some_and(|next| next <= now)))?;
    if !is_due {
        return Ok(());
    }
    while store.write(|tx| expiry::sweep(tx, now, EXPIRED_AT_ONCE))? == EXPIRED_AT_ONCE {}
    // The write-ahead log still holds the pages from before.
    store.empty_journal();
    Ok(())
}

/// Does both in the background, until the task is ended.
pub(crate) async fn run(core: Arc<Core>) {
    let mut due: BTreeMap<ChannelId, Instant> = BTreeMap::new();
    let mut writes = core.writes();
    loop {
        writes.mark_unchanged();
        if let Err(error) = look(&core, &mut due).await {
            tracing::error!("what is to be told or forgotten is not: {error}");
        }
        // Other processes write as well, and the clock may be set.
        let latest = ticks() + Duration::from_millis(LOOK_MS);
        let next = due.values().min().copied().map_or(latest, |next| next.min(latest));
        if timeout_at(next, writes.changed()).await.is_ok() {
            // Whoever writes often is looked at now and then.
            sleep_until(ticks() + Duration::from_millis(NOTICE_MS)).await;
        }
    }
}

/// How long nothing is looked at, if nothing is written.
const LOOK_MS: u64 = 30_000;

async fn look(core: &Arc<Core>, due: &mut BTreeMap<ChannelId, Instant>) -> Result<(), Error> {
    let (store, now) = (Arc::clone(core.store()), core.clock.now());
    blocking(move || sweep(&store, now)).await?;
    let owing = core
        .read::<_, StoreError>(|tx| {
            let mut owing = Vec::new();
            for channel in manners::owing(tx)? {
                owing.push((channel, members::reach(tx, channel, u64::MAX >> 1)?.others));
            }
            Ok(owing)
        })
        .await?;
    due.retain(|channel, _| owing.iter().any(|(owing, _)| owing == channel));
    for (channel, others) in owing {
        let at = *due
            .entry(channel)
            .or_insert_with(|| ticks() + wait(core.pace.telling, others));
        if at <= ticks() {
            due.remove(&channel);
            tell(core, channel).await?;
        }
    }
    Ok(())
}

/// Between once and twice the wait that the number of members asks for.
fn wait(least: Duration, others: u64) -> Duration {
    let each = Duration::from_millis(TELLING_MS_PER_MEMBER.saturating_mul(others));
    let wait = if least.is_zero() { least } else { least.max(each) };
    let mut bytes = [0; 2];
    chance::fill(&mut bytes);
    wait + wait.saturating_mul(u32::from(u16::from_be_bytes(bytes))) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_tells_no_more_often_than_a_few() {
        let least = Duration::from_secs(20);
        for (others, lowest) in [(1, 20), (7, 20), (31, 62), (255, 510)] {
            for _ in 0..100 {
                let wait = wait(least, others);
                let lowest = Duration::from_secs(lowest);
                assert!(wait >= lowest && wait <= lowest * 2, "{others} others wait {wait:?}");
            }
        }
    }
}
