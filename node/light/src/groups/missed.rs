//! Whether a change of the group may have passed this device by.
//!
//! A commit that does not decrypt here is a copy or a forgery for everybody, or it is the true one and this device has lost what
//! opens it: a store that was put back to an earlier day, a fault of the program. Then all others are in the next epoch, and this
//! one would talk to nobody for ever. Nothing in the entry tells the two cases apart. What others write does: whoever writes on
//! this very log having read past that entry, or on a later log that this device has reached, has gone no other way.
//!
//! ```text
//! log of the epoch  ... change that does not open ... words of another, whose view covers it     nothing was missed
//!                   ... change that does not open ... nothing, or words from before it           in doubt
//! ```
//!
//! In doubt the device goes on as it is, says so, and can be added afresh if its owner asks for that.

use rusqlite::{Connection, OptionalExtension};
use waxwing_seal::group::Void;

use crate::store::StoreError;
use crate::store::channels::Channel;
use crate::store::epochs::{self, LogPlace};
use crate::store::messages::{self, Message};

/// Entries looked at in one piece.
const PIECE: u32 = 256;

/// Whether there is a change that did not open, and nobody has shown since that it was none.
pub(crate) fn in_doubt(tx: &Connection, channel: &Channel) -> Result<bool, StoreError> {
    let Some(number) = newest_unopened(tx, channel)? else {
        return Ok(false);
    };
    let Some(change) = epochs::place(tx, channel, number)? else {
        return Ok(false);
    };
    let mut next = number.saturating_add(1);
    loop {
        let rows = messages::from(tx, channel.id, next, PIECE)?;
        for row in &rows {
            if shows_nothing_was_missed(tx, channel, &change, row)? {
                return Ok(false);
            }
        }
        match rows.iter().filter_map(|row| row.log_index).max() {
            Some(last) => next = last.saturating_add(1),
            None => return Ok(true),
        }
    }
}

fn newest_unopened(connection: &Connection, channel: &Channel) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT max(log_index) FROM message WHERE channel = ?1 AND body = ?2 AND reason = ?3 AND log_index IS NOT NULL",
    )?;
    let reason = Void::ChangeNotOpened.to_string();
    let row = (channel.id.0, messages::BodyState::Unopened.number(), reason);
    Ok(statement.query_row(row, |row| row.get(0)).optional()?.flatten())
}

fn shows_nothing_was_missed(
    connection: &Connection,
    channel: &Channel,
    change: &LogPlace,
    row: &Message,
) -> Result<bool, StoreError> {
    let (Some(content), Some(number)) = (row.content.as_ref().filter(|_| !row.is_own), row.log_index) else {
        return Ok(false);
    };
    let place = epochs::place(connection, channel, number)?;
    Ok(place.is_some_and(|place| place.log != change.log || content.view.length > change.index))
}
