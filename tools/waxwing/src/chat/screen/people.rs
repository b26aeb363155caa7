//! What the screen asks of groups: an invitation, who is in, an answer that takes its time.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use waxwing_core::limits::DAY_MS;
use waxwing_light::{AskedState, ChannelId, Client, Error, Inviting, Joined};
use waxwing_seal::inbox::Uses;
use zeroize::Zeroizing;

use super::model::{Effect, Event};
use crate::chat::groups::who;
use crate::output::Tone;

/// For how long a link from the screen lets somebody in.
const VALID_MS: u64 = 7 * DAY_MS;

/// An answer may take as long as somebody sleeps; with the next start of the client the waiting goes on by itself.
const ANSWER_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The screen cannot open what is not there yet.
const ASKED: &str = "asked to be let in: the channel opens here once somebody has answered";

/// Does what the screen wants of groups.
pub(super) async fn done(client: &Client, effect: Effect, events: &Sender<Event>) -> Result<Option<Event>, Error> {
    let event = match effect {
        Effect::Invite(channel) => Event::Invited(channel, invite(client, channel).await?),
        Effect::Join(link) => join(client, &link, events).await?,
        Effect::Members(channel) => members(client, channel).await?,
        Effect::Requests => Event::Requests(client.requests().await?),
        Effect::Accept(request) => {
            client.accept_request(request).await?;
            Event::Requests(client.requests().await?)
        }
        Effect::Decline(request) => {
            client.decline_request(request).await?;
            Event::Requests(client.requests().await?)
        }
        _ => return Ok(None),
    };
    Ok(Some(event))
}

/// Joins by a link; where somebody has to answer first, says so, and waits.
async fn join(client: &Client, link: &str, events: &Sender<Event>) -> Result<Event, Error> {
    match client.join(link).await? {
        Joined::New(channel) | Joined::Known(channel) => Ok(Event::Joined(channel)),
        Joined::Asked(asked) => {
            // A screen that is gone wants no answer.
            let _ = events.send(Event::Told(Tone::Faint, ASKED.to_owned())).await;
            answered(client, asked).await
        }
    }
}

/// A link that lets one person in; of a channel by link, its own.
pub(super) async fn invite(client: &Client, channel: ChannelId) -> Result<Zeroizing<String>, Error> {
    if client.group(channel).await?.is_none() {
        return client.invite(channel).await;
    }
    let inviting = Inviting {
        uses: Uses::ONE,
        valid_ms: VALID_MS,
        asks: false,
    };
    Ok(client.invite_to_group(channel, inviting).await?.link)
}

/// Who is in a channel.
async fn members(client: &Client, channel: ChannelId) -> Result<Event, Error> {
    let group = client.group(channel).await?.ok_or(Error::NoGroup)?;
    let people = who::people(&group, &client.contacts().await?);
    Ok(Event::Members(channel, Box::new(group), people))
}

/// Waits until a request is answered.
async fn answered(client: &Client, asked: i64) -> Result<Event, Error> {
    let view = client.answered(asked, ANSWER_WAIT).await?;
    Ok(match (view.state, view.channel) {
        (AskedState::Joined, Some(channel)) => Event::Joined(channel),
        _ => {
            let reason = view.reason.unwrap_or_else(|| "no reason was given".to_owned());
            Event::Told(Tone::Bad, format!("not let in: {reason}"))
        }
    })
}
