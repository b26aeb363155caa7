//! `waxwing chat export`: a conversation as a file, for a person to keep or a program to read.
//!
//! The file says by itself what is proven about it and what is not: whoever finds it in ten years has nobody to ask.
//! It holds the plaintext, so it is readable by its owner alone, and is never written over another one. Two exports of the
//! same state are the same bytes. It is made from what is on this device; nobody is connected to.

mod page;

use serde_json::{Value, json};
use waxwing_light::{ChannelView, Client, MessageView, NetworkView, Range};

use super::messages::network;
use super::show::json_of;
use super::{Session, fault, find_channel};
use crate::args::{ExportChannel, ExportFormat};
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::output::{self, escaped};
use crate::words::{count, grouped};
use crate::{Done, clock};

/// Messages read at once.
const AT_ONCE: u32 = 1000;

/// Everything that is written down.
struct Transcript {
    channel: ChannelView,
    network: NetworkView,
    /// In the order of the log, then those on their way.
    messages: Vec<MessageView>,
}

pub(super) async fn export(export: &ExportChannel, session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let channel = find_channel(&client, &export.channel).await?;
    let transcript = Transcript {
        network: network(&client, &channel).await?,
        messages: messages(&client, &channel).await?,
        channel,
    };
    let file = match export.format {
        ExportFormat::Json => escaped(&format!("{:#}\n", object(&transcript))),
        ExportFormat::Html => page::of(&transcript),
    };
    if files::is_standard(&export.out) {
        output::print(&file)?;
        return Ok(0);
    }
    files::write_new(&export.out, file.as_bytes(), Readers::Owner)?;
    let messages = transcript.messages.len();
    let object = json!({ "out": export.out, "messages": messages, "bytes": file.len() });
    let said = count(u64::try_from(messages).unwrap_or(u64::MAX), "message", "messages");
    let text = format!(
        "{said} in {}, readable by its owner alone: it is plaintext",
        export.out.display()
    );
    session.output.result("chat.export", object, &text)?;
    Ok(0)
}

async fn messages(client: &Client, channel: &ChannelView) -> Result<Vec<MessageView>, Failure> {
    let read = async |range| client.read(channel.id, range).await.map_err(|error| fault(&error));
    let (mut views, mut from) = (Vec::new(), 0);
    while from < channel.entries {
        views.extend(read(Range::From(from, AT_ONCE)).await?);
        from += u64::from(AT_ONCE);
    }
    let waiting = read(Range::Last(AT_ONCE)).await?;
    views.extend(waiting.into_iter().filter(|view| view.log_index.is_none()));
    Ok(views)
}

/// What only means something in this home, and would differ in every other one.
const LOCAL: [&str; 4] = ["id", "channel", "change", "quotes"];

fn object(transcript: &Transcript) -> Value {
    let Transcript {
        channel,
        network,
        messages,
    } = transcript;
    let message = |view: &MessageView| {
        let mut object = json_of(view);
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|name, _| !LOCAL.contains(&name.as_str()));
            if let Some(file) = fields.get_mut("attachment").and_then(Value::as_object_mut) {
                // Where it lies on this device.
                file.retain(|name, _| !name.starts_with("saved"));
            }
        }
        object
    };
    json!({
        "schema": "waxwing.transcript/1",
        "channel": { "name": channel.name, "log": channel.log },
        "network": { "id": network.network, "name": network.name },
        "checked": {
            "entries": channel.checked,
            "height": network.height,
            "head": network.head,
            "head_time": clock::iso(network.head_ms),
            "signers": network.signers,
            "validators": network.validators,
            "forked_at": network.forked_at,
        },
        "proven": proven(transcript),
        "not_proven": not_proven(transcript),
        "messages": messages.iter().map(message).collect::<Vec<_>>(),
    })
}

/// What the device that wrote the file had checked.
fn proven(transcript: &Transcript) -> Vec<String> {
    let Transcript { channel, network, .. } = transcript;
    let entries = count(channel.checked, "entry", "entries");
    let certified = match network.signers {
        Some(signers) => format!("certified by {signers} of {} validators", network.validators),
        None => "pinned by an invitation or the founding, and not certified".to_owned(),
    };
    vec![
        format!(
            "The channel's log was recomputed on that device: {entries}, in this order, none inserted, altered or left \
             out between the first and the last of them. The newest block that it had checked is {}, {certified}.",
            grouped(network.height)
        ),
        "Every message that opened, but for those as told by others, was sealed for this channel and signed by the device that stands beside it."
            .to_owned(),
        "The times called ordered are those of certified blocks.".to_owned(),
    ]
}

/// And what nobody may take from it.
fn not_proven(transcript: &Transcript) -> Vec<String> {
    let Transcript {
        channel,
        network,
        messages,
    } = transcript;
    let mut says = vec![
        "This file itself: it is a copy without a signature, and whoever has it can change it. A receipt convinces \
         others that an entry is final; it does not show the words."
            .to_owned(),
        "Who the writers are: names are as claimed, and whether anybody compared them with persons is not said here."
            .to_owned(),
        "The times called written: they are claims.".to_owned(),
        "Whether anything was said after the last entry.".to_owned(),
        "What was taken back or erased: it is not in this file, and others may still have it.".to_owned(),
    ];
    if messages.iter().any(|view| view.attachment.is_some()) {
        says.push(
            "The files that messages hand over: they lie beside the ledger, and nodes keep them for a time only. With its \
             hash a file that somebody has can be compared."
                .to_owned(),
        );
    }
    let unread = channel.proven.unwrap_or(0).saturating_sub(channel.entries);
    if unread > 0 {
        let unread = count(unread, "entry", "entries");
        says.push(format!(
            "{unread} more, which are proven to exist and had not been fetched."
        ));
    }
    let told = messages.iter().filter(|view| view.told.is_some()).count();
    if told > 0 {
        let told = count(u64::try_from(told).unwrap_or(u64::MAX), "message", "messages");
        says.push(format!(
            "Anything of the first {told}, said before that device was there: neither who wrote them, nor when, nor that \
             they were said at all. They are as told by the member who is named beside each."
        ));
    }
    let is_waiting = |view: &&MessageView| view.told.is_none() && !view.state.is_final();
    let waiting = messages.iter().filter(is_waiting).count();
    if waiting > 0 {
        let waiting = count(u64::try_from(waiting).unwrap_or(u64::MAX), "message", "messages");
        says.push(format!("The last {waiting}, which are in no ledger yet."));
    }
    if let Some(height) = network.forked_at {
        says.push(format!(
            "Anything: two final blocks were seen at height {height}, so that this network is not to be believed."
        ));
    }
    says
}
