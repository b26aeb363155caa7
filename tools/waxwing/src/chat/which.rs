//! Which message is meant: said in one way to every verb that is about a message.
//!
//! | typed | means |
//! |---|---|
//! | `den#7`, `den 7`, `den "#7"` | entry 7 of the channel, which is named by its name, number or id |
//! | `msg1...`, or its hexadecimal digits | the message with this id, in whatever channel |
//! | `den msg1...` | the same, if it is one of that channel |
//!
//! Where words of a text follow, a channel and a number could be a message and a text as well. If both readings lead to
//! a message, neither is taken: words that were meant for one message must not go to another.

use waxwing_light::{ChannelId, Client, MessageId};

use super::{fault, find_channel, find_message, find_message_in};
use crate::failure::Failure;

/// A message, and the channel that it is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Meant {
    pub(super) channel: ChannelId,
    pub(super) message: MessageId,
}

/// The message that one or two words name.
///
/// # Errors
/// If they name none, or several.
pub(super) async fn find(client: &Client, words: &[String]) -> Result<Meant, Failure> {
    match words {
        [channel, message] => two(client, channel, message).await,
        [whole] => one(client, whole).await,
        _ => Err(Failure::usage(
            "name a message: CHANNEL#ENTRY, CHANNEL ENTRY, or its id",
        )),
    }
}

/// The message that the first word names, by itself or with the one after it; and what follows that.
///
/// # Errors
/// If it names none, or several.
pub(super) async fn find_before<'w>(
    client: &Client,
    first: &str,
    rest: &'w [String],
) -> Result<(Meant, &'w [String]), Failure> {
    let alone = one(client, first).await;
    let Some((second, text)) = rest.split_first() else {
        return alone.map(|meant| (meant, rest));
    };
    match (alone, two(client, first, second).await) {
        // There is nothing else to be said than what would name the message.
        (Ok(meant), Ok(_)) if text.is_empty() => Ok((meant, rest)),
        (Ok(_), Ok(_)) => Err(Failure::usage(format!(
            "{first} is a channel and the beginning of a message's id: write {first}#{}, or more of the id",
            second.trim_start_matches('#')
        ))),
        (Ok(meant), Err(_)) => Ok((meant, rest)),
        (Err(_), Ok(meant)) => Ok((meant, text)),
        // Whoever wrote `den#7` meant one word, and whoever wrote `den` two.
        (Err(error), Err(_)) if first.contains('#') || super::digits_of(first).is_ok() => Err(error),
        (Err(_), Err(error)) => Err(error),
    }
}

async fn one(client: &Client, whole: &str) -> Result<Meant, Failure> {
    let message = find_message(client, whole).await?;
    let view = client.message(message).await.map_err(|error| fault(&error))?;
    Ok(Meant {
        channel: view.channel,
        message,
    })
}

async fn two(client: &Client, channel: &str, message: &str) -> Result<Meant, Failure> {
    let channel = find_channel(client, channel).await?;
    Ok(Meant {
        channel: channel.id,
        message: find_message_in(client, &channel, message).await?,
    })
}
