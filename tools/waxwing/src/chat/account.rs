//! `waxwing chat account`: whose device this is, and the 24 words behind it.

use std::io::IsTerminal;

use serde_json::json;
use waxwing_light::{Account, Client, Cost, Options, Root};
use waxwing_seal::identity::Phrase;

use super::{Session, fault, phrase};
use crate::args::{AccountVerb, RecoverAccount, Words};
use crate::failure::Failure;
use crate::ids::Kind;
use crate::output::Output;
use crate::passphrase::Purpose;
use crate::{Done, confirm, files};

pub(super) async fn act(verb: &AccountVerb, session: &Session<'_>) -> Done {
    match verb {
        AccountVerb::Show => show(session).await,
        AccountVerb::Phrase { print } => show_phrase(*print, session).await,
        AccountVerb::Check(words) => check(words, session).await,
        AccountVerb::ForgetRoot(words) => forget_root(words, session).await,
        AccountVerb::RestoreRoot(words) => restore_root(words, session).await,
    }
}

const fn word(root: Root) -> &'static str {
    match root {
        Root::Here => "here",
        Root::OnPaper => "on-paper",
    }
}

fn tell(account: &Account, schema: &str, heading: &str, output: &Output) -> Result<(), Failure> {
    let words = match account.root {
        Root::Here => "in this home, encrypted",
        Root::OnPaper => "not in this home",
    };
    let facts = [
        ("account", output.id(Kind::Account, &account.id.0)),
        ("this device", output.id(Kind::Device, &account.device.0)),
        ("24 words", words.to_owned()),
    ];
    let object = json!({
        "account": account.id.to_string(),
        "device": account.device.to_string(),
        "root": word(account.root),
    });
    output.result(schema, object, &output.facts(heading, &facts))
}

async fn show(session: &Session<'_>) -> Done {
    let client = session.open().await?;
    let account = client.account().await.map_err(|error| fault(&error))?;
    tell(&account, "chat.account", "account", session.output)?;
    if account.root == Root::Here {
        let option = session.home.as_option();
        session.output.next(&format!("waxwing chat account phrase{option}"))?;
    }
    Ok(0)
}

async fn show_phrase(print: bool, session: &Session<'_>) -> Done {
    let output = session.output;
    if !print && (output.is_json() || !std::io::stdout().is_terminal()) {
        return Err(Failure::usage(
            "the 24 words are shown on a terminal only, since whoever has them is this account; if they are to go \
             elsewhere, add --print",
        ));
    }
    let client = session.open().await?;
    let words = client.phrase().await.map_err(|error| fault(&error))?;
    let list: Vec<&str> = words.words().collect();
    output.result("chat.account.phrase", json!({ "words": list }), &columns(&words))?;
    output.note(
        "whoever has these 24 words is this account: they add and revoke its devices, and bring it back on a new machine. \
         Write them on paper, in order, and show them to nobody; `waxwing chat account check` compares the paper. They \
         bring back no messages",
    );
    Ok(0)
}

/// Six lines of four numbered words.
fn columns(phrase: &Phrase) -> zeroize::Zeroizing<String> {
    let mut text = zeroize::Zeroizing::new(String::with_capacity(512));
    for (index, word) in phrase.words().enumerate() {
        text.push_str(&format!("{:>4} {word:<10}", index + 1));
        if index % 4 == 3 {
            let end = text.trim_end().len();
            text.truncate(end);
            text.push('\n');
        }
    }
    text
}

async fn check(words: &Words, session: &Session<'_>) -> Done {
    let (client, phrase) = open_and_ask(words, session).await?;
    client.check_phrase(phrase).await.map_err(|error| fault(&error))?;
    session.output.result(
        "chat.account.check",
        json!({ "matches": true }),
        "these are the 24 words of this account",
    )?;
    Ok(0)
}

async fn forget_root(words: &Words, session: &Session<'_>) -> Done {
    let output = session.output;
    let client = session.open().await?;
    // Refused before anybody types 24 words.
    client.phrase().await.map_err(|error| fault(&error))?;
    if words.file.is_some() || !output.yes {
        let (_, phrase) = ask(words, session, &client)?;
        client.check_phrase(phrase).await.map_err(|error| fault(&error))?;
    }
    confirm::ask(
        "the 24 words are removed from this home. From then on this device cannot certify, lift or revoke devices, move \
         the account on, or use a network that it does not know yet, until you type them in again; if the paper is lost \
         as well, nobody ever can. Messages and channels are not touched",
        output,
    )?;
    client.forget_root().await.map_err(|error| fault(&error))?;
    output.result(
        "chat.account.forget-root",
        json!({ "root": word(Root::OnPaper) }),
        "the 24 words are not in this home any more",
    )?;
    output.note("copies of this home that were made before still hold them");
    Ok(0)
}

async fn restore_root(words: &Words, session: &Session<'_>) -> Done {
    let (client, phrase) = open_and_ask(words, session).await?;
    client.restore_root(phrase).await.map_err(|error| fault(&error))?;
    session.output.result(
        "chat.account.restore-root",
        json!({ "root": word(Root::Here) }),
        "the 24 words are in this home again, encrypted",
    )?;
    Ok(0)
}

async fn open_and_ask(words: &Words, session: &Session<'_>) -> Result<(Client, Phrase), Failure> {
    not_both_from_input(words, session)?;
    let client = session.open().await?;
    ask(words, session, &client)
}

fn ask(words: &Words, session: &Session<'_>, client: &Client) -> Result<(Client, Phrase), Failure> {
    not_both_from_input(words, session)?;
    Ok((client.clone(), phrase::read(words.file.as_deref())?))
}

pub(super) fn not_both_from_input(words: &Words, session: &Session<'_>) -> Result<(), Failure> {
    let is_input = |file: Option<&std::path::Path>| file.is_some_and(files::is_standard);
    if is_input(session.file) && is_input(words.file.as_deref()) {
        return Err(Failure::usage(
            "the passphrase or the 24 words can come from standard input: give the other as a file",
        ));
    }
    Ok(())
}

/// `waxwing chat recover`.
pub(super) async fn recover(recover: &RecoverAccount, session: &Session<'_>) -> Done {
    not_both_from_input(&recover.words, session)?;
    let folder = session.folder()?;
    if Client::exists(&folder) {
        return Err(Failure::usage(format!(
            "there is a device in {} already: recover the account into another home with --home DIR, or beside it with \
             --profile NAME",
            folder.display()
        )));
    }
    if recover.name.trim().is_empty() {
        return Err(Failure::usage("the name is empty: members are to see something"));
    }
    let phrase = phrase::read(recover.words.file.as_deref())?;
    let passphrase = session.passphrase(Purpose::Choose)?;
    let options = Options::new(&folder, passphrase);
    let client = Client::recover(options, &recover.name, Cost::RECOMMENDED, phrase).await;
    let client = client.map_err(|error| fault(&error))?;
    let client = session.opened.get_or_init(|| client).clone();
    let account = client.account().await.map_err(|error| fault(&error))?;
    tell(
        &account,
        "chat.recover",
        "account recovered, on a new device",
        session.output,
    )?;
    session.output.note(
        "this device joins networks by their links, like any new one. Once the account's card was read there, `waxwing chat \
         devices` shows the other devices: revoke those that are lost. Conversations come back one by one, when a member, or \
         another device of yours, lets this one in; what was said before comes back from a backup alone",
    );
    let option = session.home.as_option();
    session.output.next(&format!("waxwing chat join LINK{option}"))?;
    Ok(0)
}
