//! Leaving a conversation and forgetting it: its secret, its messages, what was on its way.
//!
//! What is forgotten cannot be told apart from what was never here, but for one thing: its numbers are not given again,
//! so that a program that kept one does not take another message for it. Nobody else notices; there is no member list to
//! be taken from. Whoever has the link may join again, and reads the conversation from its start.

use crate::client::Client;
use crate::error::Error;
use crate::message::ChannelId;
use crate::store::{channels, forget, messages, outbox};

/// What to do with messages that are still on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnderWay {
    /// Forget nothing while there are any.
    Refuse,
    /// Drop them: those that no node has are never sent.
    Drop,
}

/// What was forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forgotten {
    /// Messages and tombstones.
    pub messages: u64,
    /// Of them, on their way.
    pub dropped: u64,
}

impl Client {
    /// Forgets a conversation: all or nothing, in one transaction.
    ///
    /// # Errors
    /// [`Error::UnderWay`] if something would be dropped and that was not asked for.
    pub async fn forget_channel(&self, channel: ChannelId, under_way: UnderWay) -> Result<Forgotten, Error> {
        let forgotten = self
            .core
            .write::<_, Error>(move |tx| {
                channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                let (placed, waiting) = messages::count(tx, channel)?;
                let erasures = outbox::unconfirmed_reveals(tx, channel)?;
                if under_way == UnderWay::Refuse && waiting + erasures > 0 {
                    return Err(Error::UnderWay {
                        messages: waiting,
                        erasures,
                    });
                }
                forget::channel(tx, channel)?;
                Ok(Forgotten {
                    messages: placed + waiting,
                    dropped: waiting,
                })
            })
            .await?;
        let store = std::sync::Arc::clone(self.core.store());
        crate::core::blocking(move || store.empty_journal()).await;
        self.core.lists_changed();
        Ok(forgotten)
    }
}
