//! `waxwing chat tail`: what happens in a channel, as it happens; for people in words, for programs as a stream of
//! changes that can be taken up again.
//!
//! ```text
//! {"schema":"waxwing.chat.tail/1","change":41,"kind":"text","state":"queued",...,"target":null}
//! {"schema":"waxwing.chat.tail/1","change":43,"kind":"text","state":"final",...,"target":null}
//! {"schema":"waxwing.chat.tail/1","change":44,"kind":"reaction","text":"👍",...,"target":{"reactions":[...],...}}
//! ```
//!
//! People are shown what became final; a program gets every step. Two final blocks at one height end the stream: it says so
//! in a line of its own and by its exit code, because a program that waited on would take silence for peace.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use waxwing_core::Hash;
use waxwing_light::{Change, ChannelView, Client, Error, Ladder, MessageId, MessageView, Range, Tail};

use super::show::{self, Detail, json_of};
use super::{Session, fault, find_channel_or_only, number};
use crate::args::TailChannel;
use crate::failure::Failure;
use crate::ids;
use crate::signals::Signals;
use crate::{Done, output};

/// How often it is looked whether two final blocks of one height were met, by this process or another one of this home.
const LOOK: Duration = Duration::from_secs(3);

/// What was stored before an alarm is handed out first; it is over when nothing came for so long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The exit code: that of an audit which finds the same.
const DIVERGED: u8 = 30;

pub(super) async fn tail(tail: &TailChannel, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let view = find_channel_or_only(&client, tail.channel.as_deref()).await?;
    let channel = view.id;
    let mut people = ForPeople {
        blocked: tail.blocked,
        detail: if tail.proofs { Detail::Proofs } else { Detail::Calm },
        shown: BTreeMap::new(),
        session,
    };
    let mut changes = changes(tail, &client, channel, output.is_json()).await?;
    if tail.after.is_none() && !output.is_json() {
        people.begin(&client, channel, tail.last).await?;
    }
    client.start();
    let mut signals = Signals::new()?;
    output.note("waiting for messages; Ctrl-C ends");
    let mut looks = tokio::time::interval(LOOK);
    let forked = loop {
        tokio::select! {
            change = changes.next_change() => people.hand_out(&change.map_err(|error| fault(&error))?)?,
            _ = looks.tick() => if let Some(height) = forked(&client, &view).await? {
                break Some(height);
            },
            () = signals.next() => break None,
        }
    };
    client.stop();
    let Some(height) = forked else { return Ok(0) };
    while let Ok(change) = tokio::time::timeout(LAST_WORDS, changes.next_change()).await {
        people.hand_out(&change.map_err(|error| fault(&error))?)?;
    }
    let says = Error::Forked { height }.to_string();
    output::to_stderr(&format!("alarm: {says}\n"));
    let alarm = json!({
        "alarm": "fork", "channel": number(channel), "network": view.network, "height": height, "says": says,
    });
    output.result("chat.alarm", alarm, "")?;
    Ok(DIVERGED)
}

/// The height of two final blocks that this home has met on the channel's network.
async fn forked(client: &Client, channel: &ChannelView) -> Result<Option<u64>, Failure> {
    let Some(network) = ids::hex_32(&channel.network) else {
        return Ok(None);
    };
    let known = client.status(Hash(network)).await;
    Ok(known.map_err(|error| fault(&error))?.forked_at)
}

/// Where the stream begins, and what it shows.
async fn changes(
    tail: &TailChannel,
    client: &Client,
    channel: waxwing_light::ChannelId,
    is_json: bool,
) -> Result<Tail, Failure> {
    let changes = match tail.after {
        None if is_json => client.tail_with_last(Some(channel), tail.last).await,
        after => client.tail(Some(channel), after).await,
    };
    let changes = changes.map_err(|error| fault(&error))?;
    Ok(if tail.blocked { changes.with_blocked() } else { changes })
}

/// What people are shown: each message once it is final or failed.
struct ForPeople<'a> {
    detail: Detail,
    /// Whether what blocked people say is shown.
    blocked: bool,
    /// What the beginning showed, with the changes that were in it.
    shown: BTreeMap<MessageId, i64>,
    session: &'a Session<'a>,
}

impl ForPeople<'_> {
    async fn begin(&mut self, client: &Client, channel: waxwing_light::ChannelId, last: u32) -> Result<(), Failure> {
        let views = match self.blocked {
            true => client.read_with_blocked(channel, Range::Last(last)).await,
            false => client.read(channel, Range::Last(last)).await,
        };
        for view in views.map_err(|error| fault(&error))? {
            self.show(&view)?;
            self.shown.insert(view.id, view.change);
        }
        Ok(())
    }

    /// To people in words, to programs as it is.
    fn hand_out(&self, change: &Change) -> Result<(), Failure> {
        let output = self.session.output;
        if output.is_json() {
            return output.result("chat.tail", json_of(change), "");
        }
        self.take(change)
    }

    /// What this device is still sending is shown when it is final or failed; others' messages are final when they come.
    fn take(&self, change: &Change) -> Result<(), Failure> {
        let view = &change.message;
        let is_shown = self.shown.get(&view.id).is_some_and(|shown| *shown >= view.change);
        if (view.state.is_final() || view.state == Ladder::Failed) && !is_shown {
            return self.show(view);
        }
        Ok(())
    }

    fn show(&self, view: &MessageView) -> Result<(), Failure> {
        let output = self.session.output;
        if show::is_kept_back(view) {
            return output.text(&show::kept_back(1, output));
        }
        match show::message(view, self.detail, output) {
            // A change of the group that nobody has anything to see in.
            hidden if hidden.is_empty() => Ok(()),
            shown => output.text(&shown),
        }
    }
}
