//! `waxwing chat verify`: two people make sure that each has the other's account.
//!
//! Digits are read aloud, emoji are looked at on two screens side by side, or a code is scanned: each says all of it. On a
//! terminal the answer is asked for in the same place; elsewhere `--match` and `--differs` give it.

use std::io::IsTerminal;

use serde_json::json;
use waxwing_core::Hash;
use waxwing_light::{Client, ContactView};
use waxwing_seal::display::display_safe_name;
use waxwing_seal::identity::emoji::Emoji;
use waxwing_seal::identity::safety::{CODE_BYTES, DIGITS};
use waxwing_seal::identity::{SafetyNumber, Scanned};

use super::show::json_of;
use super::{Session, contacts, fault, qr};
use crate::args::VerifyContact;
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::output::Output;
use crate::{Done, confirm, files};

/// A code in hexadecimal, and white space between its digits.
const CODE_MAX: u64 = 4096;

pub(super) async fn verify(verify: &VerifyContact, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let view = contacts::find(&client, &verify.contact).await?;
    if verify.without_comparing {
        return go_on(&view, &client, output).await;
    }
    let network = network(&client, verify.network.as_deref()).await?;
    let number = client.safety_number(view.id, network).await;
    let number = number.map_err(|error| fault(&error))?;
    if let Some(code) = &verify.scanned {
        return scanned(code, &number, &view, &client, output).await;
    }
    if let Some(digits) = &verify.digits {
        return read_aloud(digits, &number, &view, &client, output).await;
    }
    if verify.matches {
        let name = display_safe_name(&view.name);
        confirm::ask(
            &format!("you read all {DIGITS} digits to each other, and {name} has the same"),
            output,
        )?;
        return matched(&view, &client, output).await;
    }
    if verify.differs {
        return differ(&view, &client, output).await;
    }
    show(&number, network, verify.qr, &view, session)?;
    answer(&view, &client, session).await
}

/// What the person says to it, where somebody can be asked.
async fn answer(view: &ContactView, client: &Client, session: &Session<'_>) -> Done {
    let (output, name) = (session.output, display_safe_name(&view.name));
    if output.is_json() || output.yes || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let (meant, option) = (view.id.0, session.home.as_option());
        output.note(&format!(
            "read the digits to each other in person or by voice, never in a message, or hold the screens side by side. If all \
             are the same: `waxwing chat verify {meant} --match{option}`. If any differ: `--differs`; somebody may stand \
             between you"
        ));
        return Ok(0);
    }
    output.note(&format!(
        "read the digits to {name} in person or by voice, never in a message, or hold the screens side by side"
    ));
    match confirm::answer("are all of them the same? m: match, d: differ, anything else: not compared now")?.trim() {
        "m" | "match" => matched(view, client, output).await,
        "d" | "differ" => differ(view, client, output).await,
        _ => Ok(0),
    }
}

/// They differ: whatever had been compared before says nothing any more.
async fn differ(view: &ContactView, client: &Client, output: &Output) -> Done {
    client.note_differs(view.id).await.map_err(|error| fault(&error))?;
    let name = display_safe_name(&view.name);
    let now = client.contact(view.id).await.map_err(|error| fault(&error))?.contact;
    output.result(
        "chat.verify",
        json!({ "contact": json_of(&now), "differs": true }),
        &format!("{name} is not compared: somebody may stand between you"),
    )?;
    Err(differs("it does not match"))
}

/// Emoji in lines of nine, with their names for whoever reads them aloud.
fn emoji_in_lines(number: &SafetyNumber, output: &Output) -> String {
    let groups = number.emoji();
    let picture = |emoji: &Emoji| if output.ascii { emoji.name() } else { emoji.picture() };
    let line = |groups: &[[Emoji; 3]]| {
        let group = |group: &[Emoji; 3]| group.iter().map(picture).collect::<Vec<_>>().join(" ");
        groups.iter().map(group).collect::<Vec<_>>().join("   ")
    };
    groups.chunks(4).map(|groups| format!("  {}\n", line(groups))).collect()
}

/// The network on which the two compare.
pub(super) async fn network(client: &Client, wanted: Option<&str>) -> Result<Hash, Failure> {
    let known = client.networks().await.map_err(|error| fault(&error))?;
    let Some(wanted) = wanted else {
        return match known.as_slice() {
            [only] => Ok(*only),
            [] => Err(Failure::usage(
                "this home knows no network yet: join a channel first, since safety numbers differ between networks",
            )),
            _ => Err(Failure::usage(
                "this home knows several networks, and safety numbers differ between them: say with --network which one \
                 you both use",
            )),
        };
    };
    let typed = ids::parse(Kind::Network, wanted).ok();
    let mut found = Vec::new();
    for network in known {
        let name = client.status(network).await.map_err(|error| fault(&error))?.name;
        if name == wanted || typed.is_some_and(|typed| typed.names(&network.0)) {
            found.push(network);
        }
    }
    match found.as_slice() {
        [only] => Ok(*only),
        _ => Err(Failure::usage(format!(
            "no network, or more than one, is called {wanted}: give its id"
        ))),
    }
}

/// A code as text that any scanner hands over: hexadecimal in capitals, which QR codes hold densely. `// SPEC 26.6`
fn written(number: &SafetyNumber) -> String {
    ids::hex(&number.code()).to_uppercase()
}

/// The digits in three lines of four groups, as they are read aloud.
fn in_lines(digits: &str) -> String {
    let groups: Vec<&str> = digits.split(' ').collect();
    let lines: Vec<String> = groups.chunks(4).map(|line| format!("  {}\n", line.join(" "))).collect();
    lines.concat()
}

fn show(number: &SafetyNumber, network: Hash, as_qr: bool, view: &ContactView, session: &Session<'_>) -> Done {
    let (output, name) = (session.output, display_safe_name(&view.name));
    let (digits, code) = (number.digits(), written(number));
    let mut text = format!(
        "safety number with {name}, the same on both devices, in digits and in emoji:\n\n{}\n{}",
        in_lines(&digits),
        emoji_in_lines(number, output)
    );
    if as_qr {
        match qr::picture(&code, output)? {
            Some(picture) => text.push_str(&format!("\nyour code, for {name} to scan:\n\n{picture}\n")),
            None => output.note("the QR code needs a wider terminal"),
        }
    }
    let object = json!({
        "contact": json_of(view),
        "network": network.to_string(),
        "digits": digits,
        "emoji": number.emoji().iter().flatten().map(emoji_json).collect::<Vec<_>>(),
        "code": code,
    });
    output.result("chat.verify", object, &text)?;
    Ok(0)
}

fn emoji_json(emoji: &Emoji) -> serde_json::Value {
    json!({ "number": emoji.number(), "emoji": emoji.picture(), "name": emoji.name() })
}

async fn scanned(code: &str, number: &SafetyNumber, view: &ContactView, client: &Client, output: &Output) -> Done {
    let typed = if code == "-" {
        files::read_text(std::path::Path::new("-"), "code", CODE_MAX)?
    } else {
        code.to_owned()
    };
    let name = display_safe_name(&view.name);
    match number.scan(&bytes_of(&typed)) {
        Scanned::Match => matched(view, client, output).await,
        Scanned::OtherPerson => Err(differs(&format!(
            "this code is not {name}'s for you: somebody may stand between you, or it is another person's or another \
             network's code"
        ))),
        Scanned::OwnCode => Err(Failure::usage(format!(
            "this is your own code: scan the one on {name}'s screen"
        ))),
        Scanned::Newer(version) => Err(Failure::usage(format!(
            "this code is of version {version}, which this program does not know: update it, or compare the digits"
        ))),
        Scanned::Damaged => Err(Failure::usage(
            "this is no whole code: scan it again, or compare the digits instead",
        )),
    }
}

/// What the hexadecimal digits stand for; nothing for what is none, which reads as damaged.
fn bytes_of(typed: &str) -> Vec<u8> {
    let digits: Vec<u32> = typed
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| letter.to_digit(16).unwrap_or(u32::MAX))
        .take(2 * CODE_BYTES + 1)
        .collect();
    let pair = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high.checked_mul(16)?.checked_add(*low)?).ok(),
        _ => None,
    };
    digits
        .chunks(2)
        .map(pair)
        .collect::<Option<Vec<u8>>>()
        .unwrap_or_default()
}

async fn read_aloud(typed: &str, number: &SafetyNumber, view: &ContactView, client: &Client, output: &Output) -> Done {
    let plain = |text: &str| {
        text.chars()
            .filter(|letter| !letter.is_whitespace())
            .collect::<String>()
    };
    let typed = plain(typed);
    if typed.len() != DIGITS || !typed.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Failure::usage(format!(
            "a safety number has {DIGITS} digits: give all of them, in quotes"
        )));
    }
    if typed == plain(&number.digits()) {
        return matched(view, client, output).await;
    }
    let name = display_safe_name(&view.name);
    Err(differs(&format!(
        "these are not the digits that this device shows for {name}: have them read again; if they differ again, somebody \
         may stand between you"
    )))
}

fn differs(what: &str) -> Failure {
    Failure::failed(format!("{what}. Nothing is noted; say nothing there that matters"))
}

async fn matched(view: &ContactView, client: &Client, output: &Output) -> Done {
    client.note_compared(view.id).await.map_err(|error| fault(&error))?;
    told(view, client, "matches: noted as compared", output).await
}

async fn go_on(view: &ContactView, client: &Client, output: &Output) -> Done {
    let name = display_safe_name(&view.name);
    confirm::ask(
        &format!("messages go to the keys that {name} has now, and it counts no longer that you compared"),
        output,
    )?;
    let done = client.go_on_without_comparing(view.id).await;
    done.map_err(|error| fault(&error))?;
    told(view, client, "is not compared", output).await
}

async fn told(view: &ContactView, client: &Client, done: &str, output: &Output) -> Done {
    let now = client.contact(view.id).await.map_err(|error| fault(&error))?.contact;
    let text = format!("{} {done}", display_safe_name(&now.name));
    output.result("chat.verify", json!({ "contact": json_of(&now) }), &text)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_from_its_text_with_spaces_and_in_either_case() {
        assert_eq!(bytes_of("57 58\n53e"), Vec::<u8>::new(), "half a byte");
        assert_eq!(bytes_of("57 58\n534e"), b"WXSN");
        assert_eq!(bytes_of("5758534E"), b"WXSN");
        assert_eq!(bytes_of("5758zz"), Vec::<u8>::new());
        assert_eq!(bytes_of("é"), Vec::<u8>::new());
        assert!(
            bytes_of(&"ab".repeat(5000)).len() <= CODE_BYTES + 1,
            "no more is looked at than there can be"
        );
    }

    #[test]
    fn digits_stand_in_lines_that_can_be_read_aloud() {
        let digits = (1..=12).map(|n| format!("{n:05}")).collect::<Vec<_>>().join(" ");
        let lines = in_lines(&digits);
        assert_eq!(lines.lines().count(), 3);
        assert_eq!(lines.lines().next(), Some("  00001 00002 00003 00004"));
    }
}
