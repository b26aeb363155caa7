//! Does what the screen wants, on the client, and answers with events.
//!
//! One thing after the other, so that messages go out in the order in which they were written; what waits for nodes
//! gets a task of its own and keeps nobody waiting.

use tokio::sync::mpsc::{Sender, UnboundedReceiver};
use waxwing_core::Hash;
use waxwing_light::{Client, Draft, Error, MessageId, Query, Tail};

use super::files;
use super::model::{Effect, Event, Say};
use super::people;
use super::search::HITS_MAX;
use super::writing::Purpose;
use crate::ids;
use crate::output::Tone;

/// Does everything that is wanted, until nobody wants anything any more.
pub(super) async fn work(client: Client, mut wanted: UnboundedReceiver<Effect>, events: Sender<Event>) {
    while let Some(effect) = wanted.recv().await {
        let is_slow = matches!(
            effect,
            Effect::Join(_) | Effect::Compare(_) | Effect::Attach(..) | Effect::Save(_)
        );
        if is_slow {
            let (client, events) = (client.clone(), events.clone());
            tokio::spawn(async move { answer(&client, effect, &events).await });
        } else {
            answer(&client, effect, &events).await;
        }
    }
}

/// Hands on every change of a message; the head is kept fresh meanwhile.
pub(super) async fn watch(mut changes: Tail, events: Sender<Event>) {
    loop {
        match changes.next().await {
            Ok(view) => send(&events, Event::Changed(Box::new(view))).await,
            // The store failed: what is shown stays, and whoever asks for more is told.
            Err(error) => return send(&events, Event::Failed(error.to_string())).await,
        }
    }
}

/// A screen that is gone wants no answer.
async fn send(events: &Sender<Event>, event: Event) {
    let _ = events.send(event).await;
}

async fn answer(client: &Client, effect: Effect, events: &Sender<Event>) {
    match done(client, effect, events).await {
        Ok(Some(event)) => send(events, event).await,
        Ok(None) => {}
        Err(error) => send(events, Event::Failed(error.to_string())).await,
    }
}

async fn done(client: &Client, effect: Effect, events: &Sender<Event>) -> Result<Option<Event>, Error> {
    let event = match effect {
        Effect::Channels => Event::Channels(client.channels().await?),
        Effect::Networks => return networks(client, events).await,
        Effect::Read(channel, range) => Event::Page(channel, range, client.read(channel, range).await?),
        Effect::Again(message) => Event::Again(Box::new(client.message(message).await?)),
        Effect::Say(say) => match said(client, &say).await {
            Ok(_) => Event::Queued,
            Err(error) => Event::Refused(say, error.to_string()),
        },
        Effect::Shown(channel, message) => {
            client.mark_read(channel, message).await?;
            return Ok(None);
        }
        Effect::Retry(message) => {
            client.retry(message).await?;
            Event::Queued
        }
        Effect::Why(message) => Event::Why(Box::new(client.why(message).await?)),
        Effect::Whole(message) => Event::Whole(Box::new(client.message(message).await?)),
        Effect::Invite(_)
        | Effect::Join(_)
        | Effect::Members(_)
        | Effect::Requests
        | Effect::Accept(_)
        | Effect::Decline(_)
        | Effect::Contacts
        | Effect::Person(..)
        | Effect::Compared(..)
        | Effect::Block(..)
        | Effect::Group(..)
        | Effect::Found(..)
        | Effect::Manners(_)
        | Effect::Receipts(..)
        | Effect::SeenBy(..)
        | Effect::Timer(..) => return people::done(client, effect, events).await,
        Effect::Attach(channel, path, words) => {
            let kept = files::attach(client, channel, &path, &words, files::telling(events)).await?;
            send(events, Event::Told(Tone::Good, kept)).await;
            Event::Queued
        }
        Effect::Save(message) => {
            let saved = files::save(client, message, files::telling(events)).await?;
            Event::Told(Tone::Good, saved)
        }
        Effect::Search(words) => found(client, words).await?,
        Effect::Compare(network) => {
            let Some(id) = ids::hex_32(&network) else {
                return Ok(None);
            };
            Event::Compared(network, client.compare(Hash(id)).await?)
        }
        Effect::Suspend | Effect::Redraw | Effect::Quit => return Ok(None),
    };
    Ok(Some(event))
}

async fn networks(client: &Client, events: &Sender<Event>) -> Result<Option<Event>, Error> {
    for network in client.networks().await? {
        let evidence = client.evidence(network).await?.len();
        let view = client.status(network).await?;
        send(events, Event::Network(Box::new(view), evidence)).await;
    }
    Ok(None)
}

async fn found(client: &Client, words: String) -> Result<Event, Error> {
    let query = Query {
        words: words.split_whitespace().map(str::to_owned).collect(),
        channel: None,
        most: HITS_MAX,
    };
    let hits = client.search(query).await?;
    Ok(Event::Found(words, hits))
}

/// Seals and stores what somebody wants to be said.
pub(super) async fn said(client: &Client, say: &Say) -> Result<MessageId, Error> {
    match say {
        Say::Words(channel, Purpose::Text, words) => client.send(*channel, Draft::text(words)?).await,
        Say::Words(_, Purpose::Reply(to, _), words) => client.reply(*to, words).await,
        Say::Words(_, Purpose::Edit(of), words) => client.edit(*of, words).await,
        Say::React(to, emoji) => client.react(*to, emoji).await,
        Say::Unreact(to, emoji) => client.unreact(*to, emoji).await,
        Say::Retract(of) => client.retract(*of).await,
    }
}
