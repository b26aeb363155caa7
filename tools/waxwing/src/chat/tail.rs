//! `waxwing chat tail`: what happens in a channel, as it happens; for people in words, for programs as a stream of
//! changes that can be taken up again.
//!
//! ```text
//! {"schema":"waxwing.chat.tail/1","change":41,"kind":"text","state":"queued",...,"target":null}
//! {"schema":"waxwing.chat.tail/1","change":43,"kind":"text","state":"final",...,"target":null}
//! {"schema":"waxwing.chat.tail/1","change":44,"kind":"reaction","text":"👍",...,"target":{"reactions":[...],...}}
//! ```
//!
//! People are shown what became final; a program gets every step.

use std::collections::BTreeMap;

use waxwing_light::{Change, Client, Ladder, MessageId, MessageView, Range, Tail};

use super::show::{self, Detail, json_of};
use super::{Session, fault, find_channel_or_only};
use crate::Done;
use crate::args::TailChannel;
use crate::failure::Failure;
use crate::signals::Signals;

pub(super) async fn tail(tail: &TailChannel, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let channel = find_channel_or_only(&client, tail.channel.as_deref()).await?.id;
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
    loop {
        let change = tokio::select! {
            change = changes.next_change() => change.map_err(|error| fault(&error))?,
            () = signals.next() => break,
        };
        if output.is_json() {
            output.result("chat.tail", json_of(&change), "")?;
        } else {
            people.take(&change)?;
        }
    }
    client.stop();
    Ok(0)
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
