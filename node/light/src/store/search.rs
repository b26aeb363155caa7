//! The full-text index: which messages say what, by the words that are *shown* now.
//!
//! A table of SQLite's FTS5 inside the same encrypted file, changed in the transaction that changes the message. A row's
//! number is its message's; its text is what a reader sees, so that an edit replaces it, and a retraction, an erasure
//! and an expiry take it out. Own messages come into it when they are final; whoever searches before puts in what still
//! waits, so that sending does not write the index too. `secure-delete` makes FTS5 remove the words themselves and not
//! only note that they are gone.
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

/// Own messages on their way that say something and are not in the index.
pub(crate) fn waiting(connection: &Connection) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached(WAITING)?;
    let rows = statement.query_map(SAYING, |row| row.get(0).map(MessageId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const WAITING: &str = "
    SELECT message.id FROM message INDEXED BY message_waiting
    WHERE message.log_index IS NULL AND message.kind IN (?1, ?2, ?3)
        AND NOT EXISTS (SELECT 1 FROM search WHERE search.rowid = message.id)
    ORDER BY message.id";

/// The kinds that say something of their own, as [`waxwing_seal::Kind::number`] has them: text, reply, attachment. These
/// are found by their words, and newcomers are told these.
pub(super) const SAYING: [u16; 3] = [1, 2, 7];

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;
    use waxwing_seal::content::Words;
    use waxwing_seal::file::Manifest;
    use waxwing_seal::{ContentId, Kind};

    #[test]
    fn what_waits_is_found_without_reading_what_does_not() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::create(&mut connection).unwrap();
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {WAITING}")).unwrap();
        let steps = plan.query_map(SAYING, |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert!(
            steps.iter().any(|step| step.contains("INDEX message_waiting")),
            "{steps:?}"
        );
    }

    #[test]
    fn the_kinds_that_say_something_have_these_numbers() {
        let (to, body) = (ContentId([0; 16]), Words::default());
        let saying = [
            Kind::Text(body.clone()),
            Kind::Reply { to, body },
            Kind::Attachment(Box::new(Manifest::forgotten())),
        ];
        assert_eq!(saying.map(|kind| kind.number()), SAYING);
    }
}
