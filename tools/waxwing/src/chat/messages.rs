//! Reading a conversation, and what is proven of it.

use serde_json::json;
use waxwing_core::Hash;
use waxwing_light::{Age, ChannelView, Client, NetworkView, Range};
use waxwing_seal::display::display_safe_name;

use super::show::{self, Detail, json_of};
use super::{Session, fault, find_channel};
use crate::Done;
use crate::failure::Failure;
use crate::ids;
use crate::output::Tone;
use crate::words::count;

pub(super) async fn read(channel: &str, last: u32, proofs: bool, offline: bool, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    // What is on this device is worth showing even when nobody can be reached; the fault is said below it.
    let refreshed = if offline {
        Ok(Vec::new())
    } else {
        client.refresh().await
    };
    let channel = find_channel(&client, channel).await?;
    let views = client
        .read(channel.id, Range::Last(last))
        .await
        .map_err(|error| fault(&error))?;
    let network = network(&client, &channel).await?;
    let detail = if proofs { Detail::Proofs } else { Detail::Calm };
    let mut text = format!("{}\n", output.paint(Tone::Strong, &display_safe_name(&channel.name)));
    for view in &views {
        text.push_str(&show::message(view, detail, output));
    }
    text.push_str(&output.wrapped(&output.paint(Tone::Faint, &standing(&network, &channel)), 2));
    text.push('\n');
    if let Some(trouble) = worth_saying(&network) {
        text.push_str(&format!("{}\n", output.paint(Tone::Bad, &format!("! {trouble}"))));
    }
    let object = json!({
        "channel": json_of(&channel),
        "messages": views.iter().map(json_of).collect::<Vec<_>>(),
        "network": json_of(&network),
        "refreshed": refreshed.is_ok() && !offline,
    });
    output.result("chat.read", object, &text)?;
    match refreshed {
        Ok(_) => Ok(0),
        Err(error) => Err(fault(&error)),
    }
}

/// What is proven about the conversation, and how old that is.
fn standing(network: &NetworkView, channel: &ChannelView) -> String {
    let signers = network.signers.map_or_else(
        || "pinned, not yet certified".to_owned(),
        |signers| format!("certified by {signers} of {}", network.validators),
    );
    let age = match network.age {
        Age::Fresh { age_ms } => format!("{} s old", age_ms / 1000),
        Age::Stale { age_ms } => format!("{} s old: the end may be withheld", age_ms / 1000),
        Age::Unknown => "ahead of this device's clock".to_owned(),
    };
    let entries = count(channel.entries, "entry", "entries");
    format!("{entries} checked to block {}, {signers}, {age}", network.height)
}

/// What a reader must know beside the messages.
fn worth_saying(network: &NetworkView) -> Option<String> {
    if let Some(height) = network.forked_at {
        return Some(format!(
            "two final blocks at height {height}: nothing is believed on this network any more"
        ));
    }
    match network.clock {
        waxwing_light::ClockVerdict::Behind { .. } | waxwing_light::ClockVerdict::Ahead { .. } => {
            Some(network.clock.to_string())
        }
        _ => None,
    }
}

pub(super) async fn network(client: &Client, channel: &ChannelView) -> Result<NetworkView, Failure> {
    let id = ids::hex_32(&channel.network).ok_or_else(|| Failure::failed("the channel names no network"))?;
    client.status(Hash(id)).await.map_err(|error| fault(&error))
}
