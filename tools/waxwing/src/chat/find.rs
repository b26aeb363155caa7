//! What somebody means who types a channel or a message: exactly one, or a refusal that names the nearest.
//!
//! Names of channels are given by other people too: whoever may rename a channel could call it like the number or the id of
//! another one. What can be read in two ways is therefore taken in neither, as words that were meant for one conversation must
//! not go to another; a number that leads to one channel alone goes on doing so.

use waxwing_light::{ChannelId, ChannelView, Client, Error, MessageId};
use waxwing_seal::display::display_safe_name;

use super::{fault, number};
use crate::failure::Failure;
use crate::home::quoted;
use crate::ids::{self, Kind, Typed};
use crate::words::nearest;

/// The channel that somebody means: its name, number, or log id in any form.
///
/// # Errors
/// If it is none, or several could be meant.
pub(super) async fn find_channel(client: &Client, text: &str) -> Result<ChannelView, Failure> {
    let views = client.channels().await.map_err(|error| fault(&error))?;
    meant(&views, text).cloned()
}

/// The channel with this number in this home, whatever others are called.
///
/// # Errors
/// If there is none.
pub(super) async fn channel_of(client: &Client, id: ChannelId) -> Result<ChannelView, Failure> {
    let views = client.channels().await.map_err(|error| fault(&error))?;
    let found = views.into_iter().find(|view| view.id == id);
    found.ok_or_else(|| fault(&Error::UnknownChannel))
}

fn meant<'v>(views: &'v [ChannelView], text: &str) -> Result<&'v ChannelView, Failure> {
    if views.is_empty() {
        return Err(Failure::usage(
            "there are no channels in this home: open one with `waxwing chat new NAME --as YOU`, or join one with \
             `waxwing chat join LINK`",
        ));
    }
    let typed = ids::parse(Kind::Log, text).ok();
    let is_named = |view: &&ChannelView| view.name == text;
    let is_meant = |view: &&ChannelView| {
        let log = ids::hex_32(&view.log);
        let by_id = typed.zip(log).is_some_and(|(typed, log)| typed.names(&log));
        is_named(view) || by_id || text.parse() == Ok(view.id.0)
    };
    let found: Vec<&ChannelView> = views.iter().filter(is_meant).collect();
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(unknown_channel(views, text)),
        several if several.iter().all(is_named) => {
            let numbers: Vec<_> = several.iter().map(|view| number(view.id).to_string()).collect();
            Err(Failure::usage(format!(
                "several channels are called {text}: use the number of one, {}; `waxwing chat channels` lists them",
                numbers.join(", ")
            )))
        }
        several => {
            let logs: Vec<_> = several.iter().map(|view| log_and_name(view)).collect();
            Err(Failure::usage(format!(
                "{text} is the name of one channel and the number or id of another: use the id of the one that is meant, {}; \
                 `waxwing chat rename ID NAME --here` calls it something else on this device",
                logs.join(" or ")
            )))
        }
    }
}

fn log_and_name(view: &ChannelView) -> String {
    let log = ids::hex_32(&view.log).map_or_else(|| view.log.clone(), |log| ids::short(Kind::Log, &log));
    format!("{log} ({})", display_safe_name(&view.name))
}

fn unknown_channel(views: &[ChannelView], text: &str) -> Failure {
    let near = nearest(text, views.iter().map(|view| view.name.as_str()));
    let near = near.map_or_else(String::new, |name| {
        format!("did you mean {}? ", quoted(&display_safe_name(name)))
    });
    Failure::usage(format!(
        "there is no channel {text}: {near}`waxwing chat channels` lists them"
    ))
}

/// The same; the only one there is, where none is named.
pub(super) async fn find_channel_or_only(client: &Client, text: Option<&str>) -> Result<ChannelView, Failure> {
    if let Some(text) = text {
        return find_channel(client, text).await;
    }
    let views = client.channels().await.map_err(|error| fault(&error))?;
    match views.as_slice() {
        [only] => Ok(only.clone()),
        [] => find_channel(client, "").await,
        _ => Err(Failure::usage(
            "which channel? There are several in this home: `waxwing chat channels` lists them",
        )),
    }
}

/// The message that somebody means: `CHANNEL#ENTRY`, or its id, short or in hexadecimal.
pub(super) async fn find_message(client: &Client, text: &str) -> Result<MessageId, Failure> {
    if let Some((channel, entry)) = text.rsplit_once('#') {
        let channel = find_channel(client, channel).await?;
        return entry_of(client, &channel, entry).await;
    }
    let digits = digits_of(text)?;
    let views = client.channels().await.map_err(|error| fault(&error))?;
    let mut found = Vec::new();
    for ChannelView { id, .. } in views {
        match client.find_message(id, &digits).await {
            Ok(message) => found.push((id, message)),
            Err(Error::UnknownMessage) => {}
            Err(error) => return Err(fault(&error)),
        }
    }
    match found.as_slice() {
        [] => Err(Failure::usage(format!(
            "no message here is called {text}: `waxwing chat read CHANNEL --proofs` prints what each is called"
        ))),
        [(_, only)] => Ok(*only),
        several => {
            let channels: Vec<_> = several
                .iter()
                .map(|(channel, _)| number(*channel).to_string())
                .collect();
            Err(Failure::usage(format!(
                "messages of several channels are called {text}: use more digits, or name a channel first, {}",
                channels.join(", ")
            )))
        }
    }
}

/// The message of a channel that somebody means: its entry number, or any other way to name one.
pub(super) async fn find_message_in(client: &Client, channel: &ChannelView, text: &str) -> Result<MessageId, Failure> {
    let number = text.strip_prefix('#').unwrap_or(text);
    // An id in hexadecimal that has digits only is still longer than any entry number.
    let is_number = !number.is_empty() && number.len() < 16 && number.bytes().all(|digit| digit.is_ascii_digit());
    if is_number {
        return entry_of(client, channel, number).await;
    }
    let message = find_message(client, text).await?;
    let view = client.message(message).await.map_err(|error| fault(&error))?;
    if view.channel != channel.id {
        return Err(Failure::usage(format!(
            "{text} is a message of another channel: name that one, or a message of this one"
        )));
    }
    Ok(message)
}

/// The message with this entry number.
async fn entry_of(client: &Client, channel: &ChannelView, entry: &str) -> Result<MessageId, Failure> {
    match client.find_message(channel.id, &format!("#{entry}")).await {
        Ok(message) => Ok(message),
        Err(Error::UnknownMessage) => Err(unknown_entry(channel, entry)),
        Err(error) => Err(fault(&error)),
    }
}

/// Entries are numbered from where this device came in, so the newest says most about what was mistyped.
fn unknown_entry(channel: &ChannelView, entry: &str) -> Failure {
    let name = display_safe_name(&channel.name);
    let newest = match channel.entries.checked_sub(1) {
        Some(newest) => format!("the newest on this device is {}", quoted(&format!("{name}#{newest}"))),
        None => "there is none on this device yet".to_owned(),
    };
    Failure::usage(format!(
        "no message is called {name}#{entry}: {newest}; `waxwing chat read {} --proofs` prints what each is called",
        quoted(&name)
    ))
}

/// The hexadecimal beginning of a content id.
pub(super) fn digits_of(text: &str) -> Result<String, Failure> {
    let is_hexadecimal = text.len() >= 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hexadecimal {
        return Ok(text.to_owned());
    }
    match ids::parse(Kind::Message, text) {
        Ok(Typed::Short(first)) => Ok(ids::hex(&first)),
        Ok(Typed::Full(_)) => Err(fault(&Error::UnknownMessage)),
        Err(error) => Err(Failure::usage(format!(
            "{text} is no message ({error}); CHANNEL#ENTRY is another way to name one"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: i64, name: &str) -> ChannelView {
        ChannelView {
            id: ChannelId(id),
            name: name.to_owned(),
            created_ms: 0,
            network: ids::hex(&[1; 32]),
            log: ids::hex(&[u8::try_from(id).unwrap(); 32]),
            group: true,
            closed: false,
            entries: 3,
            checked: 3,
            proven: Some(3),
            waiting: 0,
            unread: 0,
            mentioned: 0,
            first_unread: None,
            timer_days: 0,
        }
    }

    fn found(views: &[ChannelView], text: &str) -> Result<i64, String> {
        meant(views, text)
            .map(|view| view.id.0)
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_channel_is_meant_by_its_name_its_number_and_its_log() {
        let views = [channel(1, "den"), channel(2, "plans"), channel(3, "3")];
        let log = ids::short(Kind::Log, &[2; 32]);
        for (text, id) in [("den", 1), ("1", 1), ("plans", 2), (log.as_str(), 2), ("3", 3)] {
            assert_eq!(found(&views, text), Ok(id), "{text}");
        }
    }

    #[test]
    fn a_channel_that_is_called_like_the_number_of_another_gets_nothing_that_was_meant_for_that() {
        let log = ids::short(Kind::Log, &[1; 32]);
        for name in ["1", log.as_str()] {
            let views = [channel(1, "den"), channel(2, name)];
            let says = found(&views, name).unwrap_err();
            assert!(
                says.contains("number or id of another") && says.contains("--here"),
                "{says}"
            );
            assert_eq!((found(&views, "den"), found(&views, "2")), (Ok(1), Ok(2)));
        }
    }

    #[test]
    fn what_is_misspelt_is_answered_with_the_nearest_and_nothing_is_guessed() {
        let views = [channel(1, "friends"), channel(2, "old plans")];
        assert!(found(&views, "freinds").unwrap_err().contains("did you mean friends?"));
        assert!(
            found(&views, "Old plans")
                .unwrap_err()
                .contains("did you mean 'old plans'?")
        );
        let says = found(&views, "kitchen").unwrap_err();
        assert!(
            !says.contains("did you mean") && says.contains("waxwing chat channels"),
            "{says}"
        );
        let hostile = [channel(1, "a\u{1b}[2Jb")];
        assert!(!found(&hostile, "a[2Jb").unwrap_err().contains('\u{1b}'));
    }

    #[test]
    fn an_entry_that_is_not_there_is_answered_with_the_newest() {
        let says = unknown_entry(&channel(1, "den"), "9").to_string();
        assert!(
            says.contains("no message is called den#9") && says.contains("den#2'"),
            "{says}"
        );
        let empty = ChannelView {
            entries: 0,
            checked: 0,
            ..channel(1, "den")
        };
        assert!(
            unknown_entry(&empty, "0")
                .to_string()
                .contains("none on this device yet")
        );
    }
}
