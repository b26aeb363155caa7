//! `waxwing audit receipt`: what a receipt proves, offline. The check itself is `waxwing-verify`'s; here it gets short
//! ids, local times and JSON.

use std::path::Path;

use serde_json::{Value, json};
use waxwing_core::evidence_file::EVIDENCE_FILE_MAGIC;
use waxwing_core::policy::Policy;
use waxwing_verify::{BodyCheck, Finding, Outcome};

use super::policy::read_policy;
use crate::failure::Failure;
use crate::ids::Kind;
use crate::output::{Output, Tone};
use crate::{Done, clock, files};

/// A receipt of 100 validators takes 8 kB, and as much again for each change of the committee that leads to it.
const RECEIPT_FILE_MAX: u64 = 16 << 20;

/// A body takes 512 KiB at most.
const BODY_FILE_MAX: u64 = 1 << 20;

pub(super) fn check(receipt: &Path, policy: Option<&Path>, body: Option<&Path>, output: &Output) -> Done {
    let policy = policy.map(read_policy).transpose()?;
    let body = body.map(|body| files::read(body, "body", BODY_FILE_MAX)).transpose()?;
    let path = receipt;
    let receipt = files::read(path, "receipt", RECEIPT_FILE_MAX)?;
    if receipt.starts_with(&EVIDENCE_FILE_MAGIC) {
        return Err(Failure::usage(format!(
            "{} is evidence and no receipt: check it with `waxwing-verify`, or hold it against a history with `waxwing audit \
             compare`",
            path.display()
        )));
    }
    let outcome = waxwing_verify::verify(&receipt, policy.as_ref(), body.as_deref());
    let text = as_text(&outcome, policy.as_ref(), output);
    output.result("audit.receipt", as_json(&outcome), &text)?;
    Ok(outcome.verdict.exit_code())
}

fn as_text(outcome: &Outcome, policy: Option<&Policy>, output: &Output) -> String {
    let Finding::Ordered {
        ordered,
        network,
        body,
        quorum,
    } = &outcome.finding
    else {
        // The refusals say in one line what is wrong and what to do; only the verdict's colour is added.
        let text = outcome.to_string();
        let word = outcome.verdict.word();
        return text.replacen(word, &output.paint(Tone::Bad, word), 1);
    };
    let place = &ordered.place;
    let name = policy.map_or_else(String::new, |policy| format!("{}  ", policy.genesis.name));
    let mut facts = vec![
        ("entry", output.id(Kind::Entry, ordered.entry.as_bytes())),
        (
            "log",
            format!(
                "{}, entry {}",
                output.id(Kind::Log, ordered.log.as_bytes()),
                ordered.index
            ),
        ),
        (
            "block",
            format!(
                "{}, place {}",
                output.id(Kind::Block, ordered.block.as_bytes()),
                place.in_block
            ),
        ),
        ("ordered", clock::local(place.time)),
        (
            "network",
            format!("{name}{}", output.id(Kind::Network, network.as_bytes())),
        ),
        ("vouched", format!("{} of {} validators", quorum.0, quorum.1)),
        (
            "body",
            match body {
                BodyCheck::NotGiven => "not given, so not checked".to_owned(),
                BodyCheck::Matches => "the one that was ordered".to_owned(),
            },
        ),
    ];
    if let Some(policy) = outcome.policy {
        facts.push(("policy", policy.to_string()));
    }
    let verdict = output.paint(Tone::Good, outcome.verdict.word());
    output.facts(
        &format!(
            "{verdict}  final in block {}, as entry {} of its log",
            place.height, ordered.index
        ),
        &facts,
    )
}

fn as_json(outcome: &Outcome) -> Value {
    let mut object = json!({
        "verdict": outcome.verdict.word(),
        "exit_code": outcome.verdict.exit_code(),
        "policy": outcome.policy.map(|policy| policy.to_string()),
    });
    let Some(fields) = object.as_object_mut() else {
        return object;
    };
    if let Finding::Ordered {
        ordered,
        network,
        body,
        quorum,
    } = &outcome.finding
    {
        fields.insert("entry".to_owned(), json!(ordered.entry.to_string()));
        fields.insert("log".to_owned(), json!(ordered.log.to_string()));
        fields.insert("index".to_owned(), json!(ordered.index));
        fields.insert("height".to_owned(), json!(ordered.place.height));
        fields.insert("block".to_owned(), json!(ordered.block.to_string()));
        fields.insert("in_block".to_owned(), json!(ordered.place.in_block));
        fields.insert("ordered".to_owned(), json!(clock::iso(ordered.place.time)));
        fields.insert("network".to_owned(), json!(network.to_string()));
        fields.insert("quorum".to_owned(), json!(quorum.0));
        fields.insert("validators".to_owned(), json!(quorum.1));
        fields.insert(
            "body_matches".to_owned(),
            json!((*body == BodyCheck::Matches).then_some(true)),
        );
    } else {
        let text = outcome.to_string();
        let reason = text.lines().next().unwrap_or_default();
        let reason = reason.strip_prefix(outcome.verdict.word()).unwrap_or(reason).trim();
        fields.insert("reason".to_owned(), json!(reason));
    }
    object
}
