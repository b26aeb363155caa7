//! `waxwing chat devices`: which devices speak for the account, as its card lists them on a network.

use std::time::Duration;

use waxwing_core::Hash;
use waxwing_light::{Client, OwnDevice, OwnDevices, Root};
use waxwing_seal::DeviceId;
use waxwing_seal::display::display_safe_name;
use waxwing_seal::identity::Phrase;

use super::show::json_of;
use super::{Session, account, fault, phrase, verify};
use crate::args::{Devices, DevicesVerb, Words};
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::output::{Output, Tone};
use crate::{Done, clock, confirm};

pub(super) async fn act(devices: &Devices, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let network = verify::network(&client, devices.network.as_deref()).await?;
    let patience = Duration::from_secs(devices.timeout);
    let Some(verb) = &devices.verb else {
        if !devices.offline {
            client.refresh().await.map_err(|error| fault(&error))?;
        }
        let known = client.devices(network).await.map_err(|error| fault(&error))?;
        tell(&known, &client, "chat.devices", output).await?;
        if known.card.is_none() {
            let option = session.home.as_option();
            output.next(&format!("waxwing chat devices publish{option}"))?;
        }
        return Ok(0);
    };
    let schema = change(verb, &client, network, patience, session).await?;
    let known = client.settle_account(network, patience).await;
    tell(&known.map_err(|error| fault(&error))?, &client, schema, output).await?;
    Ok(0)
}

/// Does it, once the card was read to its end; returns the name of what was done.
async fn change(
    verb: &DevicesVerb,
    client: &Client,
    network: Hash,
    patience: Duration,
    session: &Session<'_>,
) -> Result<&'static str, Failure> {
    let output = session.output;
    if matches!(verb, DevicesVerb::Publish) {
        let done = client.publish_account(network).await;
        return done.map(|()| "chat.devices.publish").map_err(|error| fault(&error));
    }
    let card = client.devices(network).await.map_err(|error| fault(&error))?.card;
    if card.is_none() {
        return Err(Failure::usage(
            "the account is not published on this network: `waxwing chat devices publish` does that",
        ));
    }
    client.refresh().await.map_err(|error| fault(&error))?;
    let known = client.settle_account(network, patience).await;
    let known = known.map_err(|error| fault(&error))?;
    let (done, schema) = match verb {
        DevicesVerb::Publish => return Ok("chat.devices.publish"),
        DevicesVerb::Suspend { device } => {
            let device = find(&known, device)?;
            (client.suspend_device(network, device).await, "chat.devices.suspend")
        }
        DevicesVerb::Lift { device, words } => {
            let (device, words) = (find(&known, device)?, root(words, client, session).await?);
            (client.lift_device(network, device, words).await, "chat.devices.lift")
        }
        DevicesVerb::Rename { device, name, words } => {
            let (device, words) = (find(&known, device)?, root(words, client, session).await?);
            let done = client.rename_device(network, device, name.trim(), words).await;
            (done, "chat.devices.rename")
        }
        DevicesVerb::Revoke { device, words } => {
            let device = find(&known, device)?;
            confirm::ask(
                &format!(
                    "{} is revoked for ever: it speaks for the account no more, and the account goes on with a new card, \
                     which contacts follow. It keeps what it has read; admins of the groups that it is in take it out when they connect",
                    output.id(Kind::Device, &device.0)
                ),
                output,
            )?;
            let words = root(words, client, session).await?;
            (
                client.revoke_device(network, device, words).await,
                "chat.devices.revoke",
            )
        }
    };
    done.map_err(|error| fault(&error))?;
    Ok(schema)
}

/// The 24 words for one call, if they are not in this home: asked for, or read from a file. They do not stay.
async fn root(words: &Words, client: &Client, session: &Session<'_>) -> Result<Option<Phrase>, Failure> {
    let account = client.account().await.map_err(|error| fault(&error))?;
    if account.root == Root::Here && words.file.is_none() {
        return Ok(None);
    }
    account::not_both_from_input(words, session)?;
    phrase::read(words.file.as_deref()).map(Some)
}

/// The device that somebody means: its name, or its id in any form.
fn find(known: &OwnDevices, text: &str) -> Result<DeviceId, Failure> {
    let typed = ids::parse(Kind::Device, text).ok();
    let is_meant = |device: &&OwnDevice| {
        let id = ids::hex_32(&device.device);
        let by_id = typed.zip(id).is_some_and(|(typed, id)| typed.names(&id));
        by_id || (!device.name.is_empty() && device.name == text)
    };
    let found: Vec<&OwnDevice> = known.devices.iter().filter(is_meant).collect();
    match found.as_slice() {
        [only] => ids::hex_32(&only.device)
            .map(DeviceId)
            .ok_or_else(|| Failure::failed("the device's id cannot be read")),
        _ => Err(Failure::usage(format!(
            "no device of this account, or more than one, is called {text}: `waxwing chat devices` lists their ids"
        ))),
    }
}

pub(super) async fn tell(known: &OwnDevices, client: &Client, schema: &str, output: &Output) -> Result<(), Failure> {
    let account = client.account().await.map_err(|error| fault(&error))?;
    let network = ids::hex_32(&known.network).map_or_else(|| known.network.clone(), |id| output.id(Kind::Network, &id));
    let heading = match known.card {
        Some(card) => format!(
            "devices of {} on {network}, card {card}",
            output.id(Kind::Account, &account.id.0)
        ),
        None => format!(
            "{} is not published on {network}",
            output.id(Kind::Account, &account.id.0)
        ),
    };
    let mut text = format!("{}\n", output.paint(Tone::Strong, &heading));
    for device in &known.devices {
        text.push_str(&line(device, output));
    }
    if known.waiting {
        text.push_str("  a change is on its way\n");
    }
    output.result(schema, json_of(known), &text)
}

fn line(device: &OwnDevice, output: &Output) -> String {
    let id = ids::hex_32(&device.device).map_or_else(|| device.device.clone(), |id| output.id(Kind::Device, &id));
    let tone = if device.standing == "active" {
        Tone::Good
    } else {
        Tone::Bad
    };
    let mut parts = vec![id];
    if !device.name.is_empty() {
        parts.push(display_safe_name(&device.name));
    }
    parts.push(output.paint(tone, device.standing));
    parts.extend(device.since_ms.map(|since| format!("since {}", clock::local(since))));
    if device.own {
        parts.push("this device".to_owned());
    }
    format!("  {}\n", parts.join("  "))
}
