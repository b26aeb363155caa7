//! Checks about who somebody is: phrases, cards, certificates, and what two people compare.

use serde_json::{Value, json};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::EnvelopeHeader;
use waxwing_core::keys::LogId;
use waxwing_seal::DeviceId;
use waxwing_seal::identity::emoji::{Answered, Begun, Commitment, Emoji, Number};
use waxwing_seal::identity::{
    Acceptance, AccountId, At, Card, CardAddress, DeviceCertificate, Known, Phrase, SafetyNumber, Scanned, Sending,
    Standing, Statement, judge,
};

use crate::case::{Outcome, hex};
use crate::check::{Given, rule, unhex};

pub(crate) fn run(check: &str, given: &Given<'_>) -> Option<Outcome> {
    Some(match check {
        "phrase" => phrase(given),
        "card keys" => Ok(card_keys(given)),
        "acceptance" => acceptance(given),
        "certificate" => certificate(given),
        "card body" => card_body(given),
        "card" => card(given),
        "device" => device(given),
        "safety number" => Ok(safety_number(given)),
        "scan" => scan(given),
        "emoji" => emoji(given),
        "key change" => key_change(given),
        _ => return None,
    })
}

fn account(given: &Given<'_>, name: &str) -> AccountId {
    AccountId(given.array(name))
}

fn phrase(given: &Given<'_>) -> Outcome {
    let phrase = Phrase::parse(given.text("words")).map_err(rule)?;
    Ok(json!({"entropy": hex(*phrase.entropy()), "account": hex(phrase.account().id().0)}))
}

fn card_keys(given: &Given<'_>) -> Value {
    let root = Phrase::from_entropy(&given.array("entropy")).account();
    let seed = root.card_seed(given.hash("network"), given.number("number"));
    let keys = seed.keys(given.hash("network"));
    let address = seed.address(given.hash("network")).to_bytes();
    json!({
        "account": hex(root.id().0),
        "card seed": hex(seed.expose()),
        "log seed": hex(*keys.log_key().seed()),
        "log": hex(keys.log().0),
        "seal key": hex(&address[32..]),
    })
}

fn acceptance(given: &Given<'_>) -> Outcome {
    let acceptance: Acceptance = given.decoded("bytes")?;
    acceptance
        .verify(given.hash("network"), account(given, "account"))
        .map_err(rule)?;
    Ok(json!({"device": hex(acceptance.device.0)}))
}

/// At a time, if one is given.
fn certificate(given: &Given<'_>) -> Outcome {
    let certificate: DeviceCertificate = given.decoded("bytes")?;
    let verified = certificate.verify(given.hash("network"), account(given, "account"));
    let verified = verified.map_err(rule)?;
    if given.has("time") {
        verified.counts_at(given.number("time")).map_err(rule)?;
    }
    Ok(json!({
        "device": hex(verified.device.0),
        "name": verified.name.as_str(),
        "from": verified.validity.from_ms(),
        "until": verified.validity.until_ms(),
        "sequence": verified.sequence,
    }))
}

fn card_body(given: &Given<'_>) -> Outcome {
    let address: CardAddress = given.sound("address");
    let header = EnvelopeHeader::from_bytes(&given.bytes("header")).unwrap();
    let statement = address
        .open(&given.keys(), &header, &given.bytes("body"))
        .map_err(rule)?;
    Ok(json!({"statement": hex(statement.to_bytes())}))
}

/// A reader that has read the statements given as `before`, all of which count; and the time.
fn reader(given: &Given<'_>) -> (Card, At) {
    let log = LogId(given.array("log"));
    let mut card = Card::new(given.hash("network"), account(given, "account"), log);
    let mut at = At {
        index: 0,
        time_ms: given.number("time"),
    };
    for statement in given.list("before") {
        let bytes = unhex(statement.0.as_str().unwrap());
        card.apply(at, &Statement::from_bytes(&bytes).unwrap()).unwrap();
        at.index += 1;
    }
    (card, at)
}

fn card(given: &Given<'_>) -> Outcome {
    let (mut card, mut at) = reader(given);
    let statement: Statement = given.decoded("statement")?;
    if given.has("later") {
        at.time_ms += given.number("later");
    }
    let before = card.clone();
    if let Err(void) = card.apply(at, &statement) {
        assert_eq!(card, before, "what is void changes nothing");
        return Err(rule(void));
    }
    let devices: Vec<Value> = card
        .devices()
        .map(|device| {
            let certificate = device.certificate();
            json!([
                hex(certificate.device.0),
                certificate.sequence,
                word(device.standing()),
                device.key_packages().len(),
            ])
        })
        .collect();
    Ok(json!({
        "card": card.number().map(|(number, _)| number),
        "devices": devices,
        "next number": card.next_number(),
        "next sequence": card.next_sequence(),
        "next card": card.next().map(|next| hex(next.to_bytes())),
        "history": card.history().iter().map(|one| name(&one.what)).collect::<Vec<_>>(),
    }))
}

const fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Suspended => "suspended",
        Standing::Revoked => "revoked",
    }
}

/// The name of a variant, without what it holds.
fn name(value: &impl core::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '(', '{']).next().unwrap().to_owned()
}

fn device(given: &Given<'_>) -> Outcome {
    let (card, at) = reader(given);
    let device = card.check(DeviceId(given.array("device")), at.time_ms).map_err(rule)?;
    Ok(json!({"sequence": device.certificate().sequence}))
}

fn number(given: &Given<'_>) -> SafetyNumber {
    SafetyNumber::new(&given.keys(), account(given, "own"), account(given, "other"))
}

fn safety_number(given: &Given<'_>) -> Value {
    let number = number(given);
    json!({"digits": number.digits(), "code": hex(number.code())})
}

fn scan(given: &Given<'_>) -> Outcome {
    match number(given).scan(&given.bytes("code")) {
        Scanned::Match => Ok(json!({})),
        other => Err(rule(other)),
    }
}

/// Both sides, with the numbers that they draw, and what is revealed if it is another one.
fn emoji(given: &Given<'_>) -> Outcome {
    let (keys, began, answers) = (given.keys(), account(given, "began"), account(given, "answers"));
    let draw = |name: &str| {
        let number: [u8; 32] = given.array(name);
        move |bytes: &mut [u8]| bytes.copy_from_slice(&number)
    };
    let (begun, commitment) = Begun::new(&keys, began, answers, &mut draw("first"));
    let commitment = Commitment::from_bytes(&commitment.to_bytes()).unwrap();
    let (answered, answer) = Answered::new(answers, began, commitment, &mut draw("second"));
    let (revealed, on_one) = begun.answered(&keys, answer);
    let revealed = if given.has("revealed") {
        given.sound("revealed")
    } else {
        Number::from_bytes(&revealed.to_bytes()).unwrap()
    };
    let on_other = answered.revealed(&keys, revealed).map_err(rule)?;
    assert_eq!(on_one, on_other);
    Ok(json!({
        "commitment": hex(commitment.to_bytes()),
        "numbers": on_one.iter().map(Emoji::number).collect::<Vec<_>>(),
        "emoji": on_one.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }))
}

fn key_change(given: &Given<'_>) -> Outcome {
    let known: Known = given.decoded("known")?;
    let judgement = judge(&known, &given.decoded("keys")?);
    Ok(json!({
        "changes": judgement.changes.iter().map(name).collect::<Vec<_>>(),
        "sending": if judgement.sending == Sending::Allowed { "allowed" } else { "stopped" },
    }))
}
