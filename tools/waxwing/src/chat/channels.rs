//! Opening and listing channels.

use std::path::Path;

use serde_json::json;
use waxwing_core::Hash;
use waxwing_core::genesis::Genesis;
use waxwing_light::{ChannelView, Client};
use waxwing_seal::display::display_safe_name;

use super::manners::timer_says;
use super::{Session, channel_of, fault, nodes, number};
use crate::Done;
use crate::args::NewChannel;
use crate::failure::Failure;
use crate::home::quoted;
use crate::ids::{self, Kind};
use crate::network::{genesis_in, read_genesis};
use crate::words::grouped;

pub(super) async fn new(new: &NewChannel, session: &Session<'_>) -> Done {
    let genesis = match &new.genesis {
        Some(path) => read_genesis(path)?,
        None => genesis_of_home(session.home.folder()?)?,
    };
    let name = new.name.as_ref().or(new.called.as_ref());
    let name = name.ok_or_else(|| Failure::usage("say what the channel is to be called"))?;
    let nodes = nodes::wanted(&new.node, session)?;
    let client = session.open_or_create(new.member.as_deref()).await?;
    let channels = client.channels().await.map_err(|error| fault(&error))?;
    if channels.iter().any(|channel| channel.name == *name) {
        return Err(Failure::usage(format!(
            "there is a channel {} in this home: choose another name",
            display_safe_name(name)
        )));
    }
    let network = client
        .add_network(&genesis, &nodes)
        .await
        .map_err(|error| fault(&error))?;
    let known = client.status(network).await.map_err(|error| fault(&error))?.nodes.len();
    if known == 0 {
        return Err(Failure::usage(
            "no node of this network is known: name one with --node KEY@HOST:PORT, as it prints its address",
        ));
    }
    let id = if new.by_link {
        client.create_channel(network, name).await
    } else {
        client.found_group(network, name).await
    };
    let id = id.map_err(|error| fault(&error))?;
    let channel = channel_of(&client, id).await?;
    tell(&client, &channel, &genesis.name, "chat.new", "channel open", session).await?;
    let option = session.home.as_option();
    session
        .output
        .next(&format!("waxwing chat invite {}{option}", quoted(&channel.name)))?;
    Ok(0)
}

/// The network of this home: that of its node, else the playground that `waxwing dev up` left there.
fn genesis_of_home(folder: &Path) -> Result<Genesis, Failure> {
    let playground = nodes::playground_in(folder).join("network");
    let found = [folder, playground.as_path()];
    match found.into_iter().find(|folder| genesis_in(folder).exists()) {
        Some(folder) => read_genesis(folder),
        None => Err(Failure::usage(
            "which network? Name its genesis with --genesis FILE and a node of it with --node KEY@HOST:PORT, or join by a link \
             that somebody of it gives you; `waxwing dev up` runs one on this machine to try, `waxwing node run` founds one of \
             your own",
        )),
    }
}

pub(super) async fn tell(
    client: &Client,
    channel: &ChannelView,
    network: &str,
    schema: &str,
    heading: &str,
    session: &Session<'_>,
) -> Result<(), Failure> {
    let output = session.output;
    let (device, name) = client.device().await.map_err(|error| fault(&error))?;
    let log = ids::hex_32(&channel.log).map_or_else(|| channel.log.clone(), |log| output.id(Kind::Log, &log));
    let facts = [
        (
            "channel",
            format!("{}  (number {})", display_safe_name(&channel.name), number(channel.id)),
        ),
        ("log", log),
        ("network", network.to_owned()),
        (
            "you",
            format!("{}  {}", display_safe_name(&name), output.id(Kind::Device, &device.0)),
        ),
    ];
    let object = json!({
        "channel": number(channel.id),
        "name": channel.name,
        "log": channel.log,
        "group": channel.group,
        "network": channel.network,
        "device": device.to_string(),
    });
    output.result(schema, object, &output.facts(heading, &facts))
}

pub(super) async fn network_name(client: &Client, channel: &ChannelView) -> Result<String, Failure> {
    let Some(id) = ids::hex_32(&channel.network) else {
        return Ok(channel.network.clone());
    };
    Ok(client.status(Hash(id)).await.map_err(|error| fault(&error))?.name)
}

pub(super) async fn list(session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let channels = client.channels().await.map_err(|error| fault(&error))?;
    let rows = channels.iter().map(|channel| {
        let new = channel.proven.unwrap_or(0).saturating_sub(channel.entries);
        let mut row = format!(
            "{:>3}  {}  {} checked",
            number(channel.id),
            display_safe_name(&channel.name),
            grouped(channel.checked)
        );
        if channel.closed {
            row.push_str(", closed");
        }
        if new > 0 {
            row.push_str(&format!(", {} more to fetch", grouped(new)));
        }
        if channel.unread > 0 {
            row.push_str(&format!(", {} unread", grouped(channel.unread)));
        }
        if channel.mentioned > 0 {
            row.push_str(&format!(", {} of them for you", grouped(channel.mentioned)));
        }
        if channel.waiting > 0 {
            row.push_str(&format!(", {} on their way", grouped(channel.waiting)));
        }
        if channel.timer_days > 0 {
            row.push_str(&format!(", {}", timer_says(channel.timer_days)));
        }
        row + "\n"
    });
    let text: String = rows.collect();
    let text = if text.is_empty() {
        "no channels yet\n".to_owned()
    } else {
        text
    };
    let object = json!({ "channels": super::show::json_of(&channels) });
    session.output.result("chat.channels", object, &text)?;
    Ok(0)
}
