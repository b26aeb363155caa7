//! `waxwing chat why` and `receipt`: what stands behind a message, and what convinces somebody else.

use std::path::{Path, PathBuf};

use serde_json::json;
use waxwing_light::{Check, Finding};
use waxwing_seal::display::display_safe;

use super::manners::member_says;
use super::show::{self, Detail, json_of};
use super::{Session, fault, which};
use crate::files::{self, Readers};
use crate::home::quoted;
use crate::ids::{self, Kind};
use crate::output::{self, Output, Tone};
use crate::{Done, clock};

pub(super) async fn why(words: &[String], session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let message = which::find(&client, words).await?.message;
    let why = client.why(message).await.map_err(|error| fault(&error))?;
    let output = session.output;
    let mut text = show::message(&why.message, Detail::Proofs, output);
    text.push('\n');
    for check in &why.checks {
        text.push_str(&line(check, output));
    }
    for member in why.members.iter().filter(|member| !member.own) {
        let says = member_says(member, why.message.log_index);
        text.push_str(&format!("{}\n", output.wrapped(&says, SAYS)));
    }
    for said in &why.nodes {
        let node = ids::hex_32(&said.node).map_or_else(|| said.node.clone(), |node| output.id(Kind::Node, &node));
        let answer = match (&said.refusal, said.promised) {
            (Some(refusal), _) => format!("refused it: {}", display_safe(refusal)),
            (None, true) => "promised, under its signature, to include it".to_owned(),
            (None, false) => "took it".to_owned(),
        };
        let line = format!("{node} {answer}, {}", clock::local(said.time_ms));
        text.push_str(&format!("{}\n", output.wrapped(&line, SAYS)));
    }
    output.result("chat.why", json_of(&why), &text)?;
    Ok(0)
}

/// The column in which it is said what came of a check.
const SAYS: usize = 10;

/// One check: what holds, what fails, what nobody did. The words say it without the colours.
fn line(check: &Check, output: &Output) -> String {
    let (word, tone) = match check.result {
        Finding::Holds => ("holds", Tone::Good),
        Finding::Fails => ("FAILS", Tone::Bad),
        Finding::NotDone => ("not done", Tone::Faint),
    };
    let head = format!("{}  {:22}  ", output.paint(tone, &format!("{word:8}")), check.check);
    let says = display_safe(&check.says);
    if output.width().is_none() {
        return format!("{head}{says}\n");
    }
    let says = output.wrapped(&format!("{}{says}", " ".repeat(SAYS)), SAYS);
    format!("{}\n{says}\n", head.trim_end())
}

pub(super) async fn evidence(out: Option<&Path>, session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let mut pieces = Vec::new();
    for network in client.networks().await.map_err(|error| fault(&error))? {
        let files = client.evidence_files(network).await;
        pieces.extend(files.map_err(|error| fault(&error))?);
    }
    let object = json!({});
    crate::audit::hand_out(&pieces, out, ("chat.evidence", object), "this device", session.output)
}

pub(super) async fn receipt(words: &[String], out: Option<&Path>, session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let message = which::find(&client, words).await?.message;
    let receipt = client.receipt(message).await.map_err(|error| fault(&error))?;
    let out = out.map_or_else(
        || PathBuf::from(format!("receipt-{}-{}.wxr", receipt.height, receipt.in_block)),
        Path::to_owned,
    );
    let output = session.output;
    if files::is_standard(&out) {
        output::print_bytes(&receipt.bytes)?;
        return Ok(0);
    }
    files::write_new(&out, &receipt.bytes, Readers::Anybody)?;
    let facts = [
        ("entry", short(&receipt.entry, Kind::Entry, output)),
        (
            "log",
            format!(
                "{}, entry {}",
                short(&receipt.log, Kind::Log, output),
                receipt.log_index
            ),
        ),
        (
            "block",
            format!(
                "{}  {}, place {}",
                receipt.height,
                short(&receipt.block, Kind::Block, output),
                receipt.in_block
            ),
        ),
        ("ordered", clock::local(receipt.ordered_ms)),
        (
            "vouched",
            format!("{} of {} validators", receipt.signers, receipt.validators),
        ),
        ("bytes", receipt.bytes.len().to_string()),
    ];
    let mut object = json_of(&receipt);
    if let Some(fields) = object.as_object_mut() {
        fields.insert("out".to_owned(), json!(out));
        fields.insert("bytes".to_owned(), json!(receipt.bytes.len()));
    }
    output.result("chat.receipt", object, &output.facts(&out.to_string_lossy(), &facts))?;
    output.next(&format!(
        "waxwing audit receipt {} --policy FILE",
        quoted(&out.to_string_lossy())
    ))?;
    Ok(0)
}

fn short(hex: &str, kind: Kind, output: &Output) -> String {
    ids::hex_32(hex).map_or_else(|| hex.to_owned(), |id| output.id(kind, &id))
}
