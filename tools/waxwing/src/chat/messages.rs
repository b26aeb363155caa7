//! Reading a conversation, and what is proven of it.

use serde_json::json;
use waxwing_core::Hash;
use waxwing_light::{Age, ChannelId, ChannelView, Client, MessageView, NetworkView, Range};
use waxwing_seal::display::display_safe_name;

use super::manners::timer_says;
use super::show::{self, Detail, json_of};
use super::{Session, fault, find_channel_or_only};
use crate::Done;
use crate::failure::Failure;
use crate::ids;
use crate::output::{Output, Tone};
use crate::words::count;

/// How much to read, and from where.
pub(super) struct Wanted {
    /// The newest so many messages.
    pub(super) last: u32,
    /// Where each stands in the ledger.
    pub(super) proofs: bool,
    /// Nobody is connected to.
    pub(super) offline: bool,
    /// What is shown stays unread.
    pub(super) peek: bool,
    /// What blocked people said as well.
    pub(super) blocked: bool,
}

pub(super) async fn read(channel: Option<&str>, wanted: &Wanted, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    // What is on this device is worth showing even when nobody can be reached; the fault is said below it.
    let refreshed = if wanted.offline {
        Ok(Vec::new())
    } else {
        client.refresh().await
    };
    let channel = find_channel_or_only(&client, channel).await?;
    let views = views(&client, channel.id, wanted).await?;
    let network = network(&client, &channel).await?;
    let detail = if wanted.proofs { Detail::Proofs } else { Detail::Calm };
    let mut text = format!("{}\n", output.paint(Tone::Strong, &display_safe_name(&channel.name)));
    text.push_str(&said(&views, detail, output));
    text.push_str(&output.wrapped(&output.paint(Tone::Faint, &standing(&network, &channel)), 2));
    text.push('\n');
    if channel.timer_days > 0 {
        let says = timer_says(channel.timer_days);
        text.push_str(&format!("{}\n", output.paint(Tone::Faint, &says)));
    }
    if channel.closed {
        let says = "! this device is out: nothing new is read here, and nothing can be written";
        text.push_str(&format!("{}\n", output.paint(Tone::Bad, says)));
    }
    if let Some(trouble) = worth_saying(&network) {
        text.push_str(&format!("{}\n", output.paint(Tone::Bad, &format!("! {trouble}"))));
    }
    let object = json!({
        "channel": json_of(&channel),
        "messages": views.iter().map(json_of).collect::<Vec<_>>(),
        "network": json_of(&network),
        "refreshed": refreshed.is_ok() && !wanted.offline,
    });
    output.result("chat.read", object, &text)?;
    // Only what was printed counts as shown.
    if let (false, Some(newest)) = (wanted.peek, views.iter().map(|view| view.id).max()) {
        let marked = client.mark_read(channel.id, newest).await;
        marked.map_err(|error| fault(&error))?;
    }
    match refreshed {
        Ok(_) => Ok(0),
        Err(error) => Err(fault(&error)),
    }
}

/// What there is to read.
async fn views(client: &Client, channel: ChannelId, wanted: &Wanted) -> Result<Vec<MessageView>, Failure> {
    let range = Range::Last(wanted.last);
    let views = match wanted.blocked {
        true => client.read_with_blocked(channel, range).await,
        false => client.read(channel, range).await,
    };
    views.map_err(|error| fault(&error))
}

/// The messages, those of blocked people counted.
fn said(views: &[MessageView], detail: Detail, output: &Output) -> String {
    let mut text = String::new();
    for views in views.chunk_by(|one, next| show::is_kept_back(one) && show::is_kept_back(next)) {
        match views {
            [first, ..] if show::is_kept_back(first) => {
                let messages = u64::try_from(views.len()).unwrap_or(u64::MAX);
                text.push_str(&show::kept_back(messages, output));
            }
            others => text.extend(others.iter().map(|view| show::message(view, detail, output))),
        }
    }
    text
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
    let entries = count(channel.checked, "entry", "entries");
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
