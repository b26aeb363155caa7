//! How many own messages are not final: asked whenever a list of conversations is shown, and so answered from an index.
//!
//! Counting all messages of a conversation reads every one of them. With a hundred thousand of them that is felt each time
//! a screen looks.

use rusqlite::Connection;

use super::StoreError;
use crate::message::ChannelId;

const QUERY: &str = "SELECT count(*) FROM message WHERE channel = ?1 AND log_index IS NULL AND event IS NULL";

/// How many messages of a conversation have no place in its log yet.
pub(crate) fn count(connection: &Connection, channel: ChannelId) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(QUERY)?;
    Ok(statement.query_row([channel.0], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    #[test]
    fn what_waits_is_counted_without_reading_what_does_not() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::create(&mut connection).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        let insert = "INSERT INTO message (channel, log_index, state, own, body, changed) VALUES (?1, ?2, 0, 1, 0, 0)";
        for (channel, index) in [(1, Some(0)), (1, Some(1)), (1, None), (2, None), (2, None)] {
            connection.execute(insert, (channel, index)).unwrap();
        }
        let counts = [1, 2, 3].map(|channel| count(&connection, ChannelId(channel)).unwrap());
        assert_eq!(counts, [1, 2, 0]);
        let plan: String = connection
            .query_row(&format!("EXPLAIN QUERY PLAN {QUERY}"), [1], |row| row.get(3))
            .unwrap();
        assert!(plan.contains("INDEX message_waiting"), "{plan}");
    }
}
