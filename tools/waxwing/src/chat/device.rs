//! What concerns this device as a whole: leaving a channel for good, the passphrase, the name that members see.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;
use waxwing_light::{BackupError, Client, Cost, Counts, Error, Passphrase, UnderWay};
use waxwing_seal::display::display_safe_name;

use super::{Session, export, fault, find_channel, number};
use crate::args::{BackUp, ChangePassphrase, ForgetChannel, KeepVerb};
use crate::failure::Failure;
use crate::ids::Kind;
use crate::output::Tone;
use crate::passphrase::{self, Purpose};
use crate::words::count;
use crate::{Done, confirm, files};

pub(super) async fn act(verb: &KeepVerb, session: &Session<'_>) -> Done {
    match verb {
        KeepVerb::Export(channel) => export::export(channel, session).await,
        KeepVerb::Forget(channel) => forget(channel, session).await,
        KeepVerb::Backup(backup) => back_up(backup, session).await,
        KeepVerb::Restore(backup) => restore(backup, session).await,
        KeepVerb::Passphrase(change) => passphrase(change, session).await,
        KeepVerb::Name { name } => show_name(name.as_deref(), session).await,
    }
}

async fn forget(forget: &ForgetChannel, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let channel = find_channel(&client, &forget.channel).await?;
    let name = display_safe_name(&channel.name);
    let under_way = if forget.drop_waiting {
        UnderWay::Drop
    } else {
        UnderWay::Refuse
    };
    if channel.waiting > 0 && under_way == UnderWay::Refuse {
        return Err(Failure::usage(waiting(channel.waiting)));
    }
    let dropped = match channel.waiting {
        0 => String::new(),
        waiting => format!(
            ", with {} that are not final and may never be sent",
            count(waiting, "message", "messages")
        ),
    };
    confirm::ask(
        &format!(
            "{name} is forgotten: its secret and {} are deleted from this device{dropped}. Nobody can read it here again \
             without an invitation; other members keep what they have and are not told, and nodes keep the sealed bodies",
            count(channel.checked, "entry", "entries")
        ),
        output,
    )?;
    let forgotten = match client.forget_channel(channel.id, under_way).await {
        Err(Error::UnderWay { messages, .. }) if messages > 0 => return Err(Failure::usage(waiting(messages))),
        other => other.map_err(|error| fault(&error))?,
    };
    let object = json!({
        "channel": number(channel.id),
        "name": channel.name,
        "log": channel.log,
        "messages": forgotten.messages,
        "dropped": forgotten.dropped,
    });
    let said = count(forgotten.messages, "message", "messages");
    output.result("chat.forget", object, &format!("forgot {name}, with {said}"))?;
    Ok(0)
}

fn waiting(messages: u64) -> String {
    let what = count(
        messages,
        "own message of this channel is",
        "own messages of this channel are",
    );
    format!("{what} not final: `waxwing chat read` sends what waits; to forget it nevertheless, add --drop-waiting")
}

async fn passphrase(change: &ChangePassphrase, session: &Session<'_>) -> Done {
    let both_from_input = [session.file, change.new_passphrase_file.as_deref()]
        .iter()
        .all(|file| file.is_some_and(files::is_standard));
    if both_from_input {
        return Err(Failure::usage(
            "one of the two passphrases can come from standard input: give the other one as a file",
        ));
    }
    // Typed once, to open and to prove that whoever changes it knows it.
    let (client, old) = session.open_with_passphrase().await?;
    let typed = passphrase::read(change.new_passphrase_file.as_deref(), Purpose::Choose)?;
    let new = Passphrase::new(&typed).map_err(|error| Failure::usage(error.to_string()))?;
    let changed = client.change_passphrase(old, new, Cost::RECOMMENDED).await;
    changed.map_err(|error| fault(&error))?;
    let output = session.output;
    output.result(
        "chat.passphrase",
        json!({ "changed": true }),
        "the passphrase is changed",
    )?;
    output.note(
        "copies of this home that were made before still open with the old one; if somebody may have such a copy and the \
         old passphrase, begin anew on another home",
    );
    Ok(0)
}

/// The passphrase of a backup: it opens the file, not this home.
fn passphrase_of(backup: &BackUp, purpose: Purpose, session: &Session<'_>) -> Result<Passphrase, Failure> {
    let both_from_input = [session.file, backup.backup_passphrase_file.as_deref()]
        .iter()
        .all(|file| file.is_some_and(files::is_standard));
    if both_from_input {
        return Err(Failure::usage(
            "one of the two passphrases can come from standard input: give the other one as a file",
        ));
    }
    let typed = passphrase::read(backup.backup_passphrase_file.as_deref(), purpose)?;
    Passphrase::new(&typed).map_err(|error| Failure::usage(error.to_string()))
}

async fn back_up(backup: &BackUp, session: &Session<'_>) -> Done {
    let passphrase = passphrase_of(backup, Purpose::Choose, session)?;
    let (client, output) = (session.open().await?, session.output);
    let made = client
        .back_up(&backup.file, passphrase)
        .await
        .map_err(|error| of_file(&backup.file, &error))?;
    let said = format!(
        "{}: {} in {}, {}",
        backup.file.display(),
        count(made.messages, "message", "messages"),
        count(made.channels, "conversation", "conversations"),
        count(made.contacts, "contact", "contacts"),
    );
    output.result("chat.backup", counted(made), &said)?;
    if made.left_out > 0 {
        output.note(&format!(
            "{} left out: on the way, or to disappear",
            count(made.left_out, "message is", "messages are")
        ));
    }
    output.note(
        "no key is in it: keep the 24 words of `waxwing chat account phrase` as well, they make the account again. Whoever has \
         file and passphrase reads what was said",
    );
    Ok(0)
}

/// The client does not name files; whoever typed the name sees it again.
fn of_file(file: &Path, error: &Error) -> Failure {
    match error {
        Error::Backup(BackupError::File(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) => {
            Failure::failed(format!("{}: {error}", file.display()))
        }
        Error::Backup(_) => Failure::usage(format!("{}: {error}", file.display())),
        _ => fault(error),
    }
}

async fn restore(backup: &BackUp, session: &Session<'_>) -> Done {
    let folder = session.folder()?;
    if !Client::exists(&folder) {
        return Err(Failure::usage(format!(
            "there is no device in {} that could take a backup: first `waxwing chat recover --name YOU{}` brings the account back \
             from its 24 words, then this command its messages; without the words `waxwing chat new` or `waxwing chat join` begins \
             a new account, which can read the backup as well",
            folder.display(),
            session.home.as_option()
        )));
    }
    let passphrase = passphrase_of(backup, Purpose::Open, session)?;
    let (client, output) = (session.open().await?, session.output);
    let taken = client
        .restore(&backup.file, passphrase)
        .await
        .map_err(|error| of_file(&backup.file, &error))?;
    let said = format!(
        "took {} in {}, and {}",
        count(taken.messages, "message", "messages"),
        count(taken.channels, "conversation", "conversations"),
        count(taken.contacts, "contact", "contacts"),
    );
    output.result("chat.restore", counted(taken), &said)?;
    if taken.channels > 0 {
        output.note("what came back can be read and searched; to speak there again, ask a member for an invitation");
    }
    Ok(0)
}

fn counted(counts: Counts) -> serde_json::Value {
    json!({
        "messages": counts.messages,
        "channels": counts.channels,
        "contacts": counts.contacts,
        "networks": counts.networks,
        "left_out": counts.left_out,
    })
}

async fn show_name(name: Option<&str>, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    if let Some(name) = name {
        if name.trim().is_empty() {
            return Err(Failure::usage("the name is empty: members are to see something"));
        }
        client.set_name(name).await.map_err(|error| fault(&error))?;
    }
    let (device, shown) = client.device().await.map_err(|error| fault(&error))?;
    let text = format!(
        "{}  {}",
        output.paint(Tone::Strong, &display_safe_name(&shown)),
        output.id(Kind::Device, &device.0)
    );
    output.result(
        "chat.name",
        json!({ "name": shown, "device": device.to_string() }),
        &text,
    )?;
    if name.is_some() {
        output.note("members see it with your next messages; earlier ones keep the name under which they were sealed");
    }
    Ok(0)
}
