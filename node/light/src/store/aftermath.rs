//! What a message does, in the store, to those it is about: done in the transaction that stores it.
//!
//! A retraction asks readers to forget, so the words leave this file with it, those of earlier edits too. What stays is
//! that there was a message, who wrote it and when, and the salt with which its author may still erase it on the nodes.
//! Only a *final* retraction from the device that wrote the words counts; one that is still on its way may fail.

use rusqlite::Connection;
use waxwing_core::codec::Encode;
use waxwing_seal::content::{Emoji, Words};
use waxwing_seal::{Content, Kind};

use super::StoreError;
use super::messages::{self, Message};
use crate::message::MessageId;

/// Follows up on a message whose content was just stored.
pub(crate) fn follow(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    let Some(row) = messages::load(connection, message)? else {
        return Ok(());
    };
    let Some(content) = &row.content else { return Ok(()) };
    match &content.kind {
        Kind::Edit { of, .. } | Kind::Retraction { of } => {
            for target in messages::all_with_content(connection, row.channel, *of)? {
                settle(connection, &target)?;
            }
            Ok(())
        }
        Kind::Text(_) | Kind::Reply { .. } | Kind::Reaction { .. } | Kind::Unknown(_) => settle(connection, &row),
    }
}

/// Brings a message to the state that those about it ask for.
fn settle(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let Some(content) = &row.content else { return Ok(()) };
    let about = messages::about(connection, row.channel, content.id)?;
    if about.iter().any(|later| takes_back(later, row)) {
        forget(connection, row)?;
        for edit in about.iter().filter(|later| later.device == row.device) {
            forget(connection, edit)?;
        }
    }
    Ok(())
}

/// Whether `later` is a final retraction of `row` that counts.
fn takes_back(later: &Message, row: &Message) -> bool {
    let kind = later.content.as_ref().map(|content| &content.kind);
    let is_same_device = later.device.is_some() && later.device == row.device;
    is_same_device && later.log_index.is_some() && matches!(kind, Some(Kind::Retraction { .. }))
}

/// Overwrites the words of a message; a message without words stays as it is.
fn forget(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let Some(wordless) = row.content.as_ref().and_then(wordless) else {
        return Ok(());
    };
    connection
        .prepare_cached("UPDATE message SET content = ?2 WHERE id = ?1")?
        .execute((row.id.0, wordless.to_bytes()))?;
    Ok(())
}

/// The same content without what it says; `None` if it says nothing.
fn wordless(content: &Content) -> Option<Content> {
    let kind = match &content.kind {
        Kind::Text(body) if !body.as_str().is_empty() => Kind::Text(Words::default()),
        Kind::Reply { to, body } if !body.as_str().is_empty() => Kind::Reply {
            to: *to,
            body: Words::default(),
        },
        Kind::Edit { of, body } if !body.as_str().is_empty() => Kind::Edit {
            of: *of,
            body: Words::default(),
        },
        Kind::Reaction { to, emoji } if !emoji.as_str().is_empty() => Kind::Reaction {
            to: *to,
            emoji: Emoji::default(),
        },
        _ => return None,
    };
    Some(Content {
        kind,
        ..content.clone()
    })
}
