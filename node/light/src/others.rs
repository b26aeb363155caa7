//! What other processes of the same home did: a message they queued, a channel they joined, an invitation they made, a secret
//! they revealed.
//!
//! One process may run in the background while another one is started for a single command. Without this the first
//! would learn of the second's message by the next push at the earliest, and where nobody speaks there is none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use waxwing_core::Hash;

use crate::core::{Core, blocking};
use crate::limits::NOTICE_MS;
use crate::message::{ChannelId, MessageId};
use crate::store::{StoreError, channels, networks, outbox, wanted};

/// What other processes can add to, as far as somebody has to act on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Noticed {
    /// Differs when somebody else has written.
    writes: i64,
    networks: Vec<Hash>,
    channels: Vec<ChannelId>,
    secrets: usize,
    /// Changes of groups that are wanted.
    wishes: u64,
    waiting: Vec<MessageId>,
}

impl Noticed {
    /// What is there now. Taken before the work begins, so that nothing is added unseen in between.
    pub(crate) async fn now(core: &Core) -> Result<Self, StoreError> {
        let writes = writes(core).await?;
        core.read(move |tx| {
            let networks = networks::ids(tx)?;
            let mut secrets = 0;
            for network in &networks {
                secrets += outbox::reveals(tx, *network)?.len();
            }
            // Inboxes and cards too: whoever is invited by one process is let in by the one that runs.
            let mut channels = Vec::new();
            for network in &networks {
                channels.extend(channels::on(tx, *network)?.iter().map(|channel| channel.id));
            }
            Ok(Self {
                writes,
                networks,
                channels,
                secrets,
                wishes: wanted::count(tx)?,
                waiting: outbox::ids(tx)?,
            })
        })
        .await
    }
}

async fn writes(core: &Core) -> Result<i64, StoreError> {
    let store = Arc::clone(core.store());
    blocking(move || store.others_wrote()).await
}

/// Wakes up whoever has to act on what others did, until the task is ended.
pub(crate) async fn notice(core: Arc<Core>, mut before: Noticed) {
    loop {
        sleep(Duration::from_millis(NOTICE_MS)).await;
        if let Err(error) = look(&core, &mut before).await {
            tracing::error!("it cannot be seen what other programs wrote: {error}");
        }
    }
}

async fn look(core: &Core, before: &mut Noticed) -> Result<(), StoreError> {
    if writes(core).await? == before.writes {
        return Ok(());
    }
    let now = Noticed::now(core).await?;
    let is_same = |now: &Noticed| {
        (&now.networks, &now.channels, now.secrets) == (&before.networks, &before.channels, before.secrets)
    };
    if !is_same(&now) {
        core.lists_changed();
    }
    if (&now.waiting, now.wishes) != (&before.waiting, before.wishes) {
        core.outbox_changed();
    }
    *before = now;
    Ok(())
}
