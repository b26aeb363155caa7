//! The full-text index: which messages say what, by the words that are *shown* now.
//!
//! A table of SQLite's FTS5 inside the same encrypted file, changed in the transaction that changes the message. A row's
//! number is its message's; its text is what a reader sees, so that an edit replaces it, and a retraction, an erasure
//! and an expiry take it out. `secure-delete` makes FTS5 remove the words themselves and not only note that they are
//! gone.
//!
//! Words are folded to lower case and lose their accents (`unicode61`, `remove_diacritics 2`). The text stands here a
//! second time: without it the matches could not be shown where they are.

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;
use crate::message::{ChannelId, MessageId};

/// Made in version 3 of the schema.
pub(super) const TABLE: &str = "
CREATE VIRTUAL TABLE search USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
";

/// Says what a message shows now; `None` takes it out.
pub(super) fn set(connection: &Connection, message: MessageId, text: Option<&str>) -> Result<(), StoreError> {
    let known: Option<String> = connection
        .prepare_cached("SELECT text FROM search WHERE rowid = ?1")?
        .query_row([message.0], |row| row.get(0))
        .optional()?;
    if known.as_deref() == text {
        return Ok(());
    }
    if known.is_some() {
        connection
            .prepare_cached("DELETE FROM search WHERE rowid = ?1")?
            .execute([message.0])?;
    }
    if let Some(text) = text {
        connection
            .prepare_cached("INSERT INTO search (rowid, text) VALUES (?1, ?2)")?
            .execute((message.0, text))?;
    }
    Ok(())
}

/// What stands around each match in [`find`]: nothing that a text could hold by chance.
pub(crate) struct Marks<'a> {
    pub(crate) begin: &'a str,
    pub(crate) end: &'a str,
}

/// The newest messages that an FTS5 expression matches, newest first, with their matches marked.
pub(crate) fn find(
    connection: &Connection,
    expression: &str,
    channel: Option<ChannelId>,
    most: u32,
    marks: &Marks<'_>,
) -> Result<Vec<(MessageId, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT search.rowid, highlight(search, 0, ?4, ?5) FROM search JOIN message ON message.id = search.rowid
         WHERE search MATCH ?1 AND (?2 IS NULL OR message.channel = ?2) ORDER BY search.rowid DESC LIMIT ?3",
    )?;
    let values = (
        expression,
        channel.map(|channel| channel.0),
        most,
        marks.begin,
        marks.end,
    );
    let found = statement.query_map(values, |row| Ok((MessageId(row.get(0)?), row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
