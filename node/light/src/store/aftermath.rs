//! What a message does, in the store, to those it is about: done in the transaction that stores it.
//!
//! A retraction asks readers to forget, so the words leave this file with it, those of earlier edits too. What stays is
//! that there was a message, who wrote it and when, and the salt with which its author may still erase it on the nodes.
//! Only a *final* retraction from the device that wrote the words counts; one that is still on its way may fail.
//!
//! The full-text index follows what is shown, which an edit changes, and a retraction even while it is on its way.

use rusqlite::Connection;
use waxwing_core::codec::Encode;
use waxwing_seal::content::{Emoji, Words};
use waxwing_seal::file::Manifest;
use waxwing_seal::{Content, Kind};

use super::messages::{self, BodyState, Message};
use super::{StoreError, expiry, manners, members, next_change, past, search, unread};
use crate::message::{MessageId, MessageView};

/// Follows up on a message whose content was just stored.
pub(crate) fn follow(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    let Some(row) = messages::load(connection, message)? else {
        return Ok(());
    };
    if row.is_told() {
        // Nobody's word but the teller's, and that stands elsewhere.
        return words(connection, &row);
    }
    members::heard(connection, &row)?;
    manners::heard(connection, &row)?;
    expiry::note(connection, &row)?;
    unread::heard(connection, &row)?;
    past::heard(connection, &row)?;
    past::met(connection, &row)?;
    words(connection, &row)
}

/// Follows up on an own message that was just sealed. One that says something of its own does nothing to others, and is put
/// into the index when it is final, or when somebody searches before: the index is five of the pages that sending would write.
pub(super) fn queued(connection: &Connection, message: MessageId, content: &Content) -> Result<(), StoreError> {
    match &content.kind {
        Kind::Text(_) | Kind::Reply { .. } | Kind::Attachment(_) => Ok(()),
        _ => follow(connection, message),
    }
}

/// Puts own messages into the index that are not final and not there yet. Returns how many.
pub(crate) fn index_waiting(connection: &Connection) -> Result<usize, StoreError> {
    let waiting = search::waiting(connection)?;
    for message in &waiting {
        if let Some(row) = messages::load(connection, *message)? {
            words(connection, &row)?;
        }
    }
    Ok(waiting.len())
}

/// A message was told: it is found from now on, and what was read of its author here is done to it.
pub(super) fn told(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    match messages::load(connection, message)? {
        Some(row) => words(connection, &row),
        None => Ok(()),
    }
}

/// Follows up on what a message says, and does to what others say.
fn words(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let message = row.id;
    let Some(content) = &row.content else {
        return search::set(connection, message, None);
    };
    match &content.kind {
        Kind::Edit { of, .. } | Kind::Retraction { of } => {
            let targets = messages::all_with_content(connection, row.channel, *of)?;
            targets.iter().try_for_each(|target| settle(connection, target))
        }
        Kind::Receipt(_) | Kind::Timer { .. } | Kind::History(_) => search::set(connection, message, None),
        Kind::Text(_) | Kind::Reply { .. } | Kind::Reaction { .. } | Kind::Attachment(_) | Kind::Unknown(_) => {
            settle(connection, row)
        }
    }
}

/// Follows up on every message of a home: what an older version of this program stored without that.
pub(crate) fn follow_all(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT id FROM message WHERE content IS NOT NULL ORDER BY id")?;
    let ids = statement.query_map([], |row| row.get(0).map(MessageId))?;
    for message in ids.collect::<Result<Vec<_>, _>>()? {
        if let Some(row) = messages::load(connection, message)? {
            words(connection, &row)?;
        }
    }
    Ok(())
}

/// Learns from every message of a home who has come how far, which timer counts, and what is to disappear: what an older
/// version of this program did not note. All of it counts as read.
pub(crate) fn learn_all(connection: &Connection) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT id FROM message WHERE log_index IS NOT NULL ORDER BY channel, log_index")?;
    let ids = statement.query_map([], |row| row.get(0).map(MessageId))?;
    for message in ids.collect::<Result<Vec<_>, _>>()? {
        if let Some(row) = messages::load(connection, message)?.filter(|row| !row.is_told()) {
            members::heard(connection, &row)?;
            manners::heard(connection, &row)?;
            expiry::note(connection, &row)?;
        }
    }
    // What was said before this version nobody waits for an answer to.
    manners::owes_nothing(connection)
}

/// Forgets the content of an own message that is being erased. If it was an edit, what it replaced is shown again.
pub(crate) fn erase(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    forget_whole(connection, message, BodyState::Erased)
}

/// Forgets the content of a message that has had its time, and what edits have put in its place.
pub(crate) fn expire(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    if let Some(row) = messages::load(connection, message)?
        && let Some(content) = &row.content
    {
        let about = messages::about(connection, row.channel, content.id)?;
        for edit in about.iter().filter(|later| is_edit_of(later, &row)) {
            forget(connection, edit)?;
        }
    }
    forget_whole(connection, message, BodyState::Expired)
}

fn forget_whole(connection: &Connection, message: MessageId, body: BodyState) -> Result<(), StoreError> {
    let before = messages::load(connection, message)?;
    connection.execute(
        "UPDATE message SET content = NULL, kind = NULL, target = NULL, body = ?2, changed = ?3 WHERE id = ?1",
        (message.0, body.number(), next_change(connection)?),
    )?;
    unread::gone(connection, message)?;
    search::set(connection, message, None)?;
    let Some(Message {
        channel,
        content: Some(content),
        ..
    }) = before
    else {
        return Ok(());
    };
    let Kind::Edit { of, .. } = content.kind else {
        return Ok(());
    };
    let targets = messages::all_with_content(connection, channel, of)?;
    targets.iter().try_for_each(|target| settle(connection, target))
}

/// Brings a message to the state that those about it ask for.
fn settle(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let Some(content) = &row.content else { return Ok(()) };
    let about = messages::about(connection, row.channel, content.id)?;
    if about.iter().any(|later| takes_back(later, row)) {
        forget(connection, row)?;
        unread::gone(connection, row.id)?;
        // Not the replies: those say something of their own.
        for edit in about.iter().filter(|later| is_edit_of(later, row)) {
            forget(connection, edit)?;
        }
    }
    let text = match content.kind {
        Kind::Text(_) | Kind::Reply { .. } => MessageView::with(row, &about, &[]).text,
        // A file is found by its name as well, until it was taken back.
        Kind::Attachment(_) => MessageView::with(row, &about, &[]).name_and_words(),
        _ => None,
    };
    search::set(connection, row.id, text.as_deref())
}

/// Whether `later` is a final retraction of `row` that counts.
fn takes_back(later: &Message, row: &Message) -> bool {
    let kind = later.content.as_ref().map(|content| &content.kind);
    let is_same_device = later.device.is_some() && later.device == row.device;
    is_same_device && later.log_index.is_some() && matches!(kind, Some(Kind::Retraction { .. }))
}

/// Whether `later` is an edit of `row` that counts.
fn is_edit_of(later: &Message, row: &Message) -> bool {
    let kind = later.content.as_ref().map(|content| &content.kind);
    later.device == row.device && matches!(kind, Some(Kind::Edit { .. }))
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
        // With its key: what lies on the nodes then opens for nobody here.
        Kind::Attachment(manifest) if !manifest.is_forgotten() => Kind::Attachment(Box::new(Manifest::forgotten())),
        _ => return None,
    };
    Some(Content {
        kind,
        ..content.clone()
    })
}
