//! `waxwing chat join`: a link in, a channel out, or what to do until somebody answers.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use waxwing_light::{AskError, AskedState, AskedView, ChannelId, Client, Error, Joined};
use waxwing_seal::display::{display_safe, display_safe_name};
use waxwing_seal::inbox::Link;
use zeroize::Zeroizing;

use crate::args::Join;
use crate::chat::channels::{network_name, tell};
use crate::chat::show::json_of;
use crate::chat::{Session, channel_of, fault};
use crate::failure::Failure;
use crate::home::quoted;
use crate::{Done, files};

/// A link with eight nodes takes less than 1 kB.
const LINK_MAX: u64 = 64 << 10;

pub(super) async fn join(join: &Join, session: &Session<'_>) -> Done {
    let link = if join.link == "-" {
        Zeroizing::new(files::read_text(Path::new("-"), "link", LINK_MAX)?)
    } else {
        Zeroizing::new(join.link.clone())
    };
    // Looked at before a home is made for it.
    if let Err(error) = Link::read(&link) {
        return Err(Failure::usage(error.to_string()));
    }
    let client = session.open_or_create(join.name.as_deref()).await?;
    let joined = client.join_with(&link, &join.note).await;
    match joined.map_err(|error| fault(&error))? {
        Joined::New(channel) => arrived(channel, "joined", &client, session).await,
        Joined::Known(channel) => arrived(channel, "this channel is here already", &client, session).await,
        Joined::Asked(asked) => answered(asked, join, &client, session).await,
    }
}

async fn arrived(channel: ChannelId, heading: &str, client: &Client, session: &Session<'_>) -> Done {
    let channel = channel_of(client, channel).await?;
    let network = network_name(client, &channel).await?;
    tell(client, &channel, &network, "chat.join", heading, session).await?;
    let option = session.home.as_option();
    let meant = if channel.name.is_empty() {
        channel.id.0.to_string()
    } else {
        quoted(&channel.name)
    };
    session.output.next(&format!("waxwing chat read {meant}{option}"))?;
    Ok(0)
}

async fn answered(asked: i64, join: &Join, client: &Client, session: &Session<'_>) -> Done {
    let output = session.output;
    if join.no_wait {
        let all = client.asked().await.map_err(|error| fault(&error))?;
        let view = all.into_iter().find(|view| view.id == asked);
        let object = view.map_or_else(|| json!({ "id": asked }), |view| json_of(&view));
        let text = "queued: the request goes out with the next command that connects; `waxwing chat asked` lists it";
        output.result("chat.join.asked", object, text)?;
        return Ok(0);
    }
    output.note(&format!(
        "asking to be let in; waiting up to {} s for a member who is connected",
        join.wait
    ));
    match client.answered(asked, Duration::from_secs(join.wait)).await {
        Ok(view) => outcome(&view, client, session).await,
        Err(Error::Ask(AskError::StillAsking)) => Err(Failure::failed(format!(
            "not let in yet, after {} s: whoever invited you has to be connected, or to say yes. The request stays: `waxwing \
             chat asked` lists it, and any later command that connects takes the answer",
            join.wait
        ))),
        Err(error) => Err(fault(&error)),
    }
}

/// What came of a request that was answered.
async fn outcome(view: &AskedView, client: &Client, session: &Session<'_>) -> Done {
    let called = view
        .name
        .as_deref()
        .map_or_else(|| "there".to_owned(), display_safe_name);
    let reason = view
        .reason
        .as_deref()
        .map_or_else(|| "no reason was given".into(), display_safe);
    match (view.state, view.channel) {
        (AskedState::Joined, Some(channel)) => arrived(channel, "joined", client, session).await,
        (AskedState::Declined, _) => Err(Failure::failed(format!("you are not let in to {called}: {reason}"))),
        _ => Err(Failure::failed(format!("the link leads nowhere: {reason}"))),
    }
}
