//! Numbers that were left out: a device counts what it writes on a log, so that what does not arrive is noticed.
//!
//! ```text
//! numbers of one device, as its entries come:   1 2 5 3 ...      4 is missing before the message with 5
//! ```
//!
//! What is missing was not sent, is on its way, or is kept back. It is shown with the message with which that was noticed, and
//! no more once it came. This device's own numbers are no news to it: it knows what failed or was dropped.

use rusqlite::Connection;
use waxwing_core::keys::LogId;
use waxwing_seal::DeviceId;

use super::StoreError;
use super::members::touch_one;
use super::messages::Message;
use crate::message::{ChannelId, MessageId};

pub(super) const TABLES: &str = "
-- Numbers that a device left out, before the message with which that was noticed and behind an entry.
CREATE TABLE gap (
    message INTEGER NOT NULL REFERENCES message,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    channel INTEGER NOT NULL REFERENCES channel,
    device  BLOB NOT NULL,
    log     BLOB NOT NULL,
    behind  INTEGER NOT NULL,
    PRIMARY KEY (message, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX gap_of ON gap (channel, device, log);
";

/// Compares a device's number with the highest one before it, which stands before the entry `behind`: opens gaps, and closes
/// those that it fills.
pub(super) fn count(
    connection: &Connection,
    row: &Message,
    log: LogId,
    counter: u64,
    (highest, behind): (u64, u64),
) -> Result<(), StoreError> {
    let Some(device) = row.device.filter(|_| !row.is_own) else {
        return Ok(());
    };
    if counter > highest.saturating_add(1) {
        let gap = Gap {
            message: row.id,
            first: highest.saturating_add(1),
            last: counter.saturating_sub(1),
            behind,
        };
        return open(connection, row.channel, device, log, &gap);
    }
    if counter <= highest {
        return fill(connection, row.channel, device, log, counter);
    }
    Ok(())
}

/// Numbers that were left out.
struct Gap {
    message: MessageId,
    first: u64,
    last: u64,
    behind: u64,
}

fn open(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
    log: LogId,
    gap: &Gap,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO gap (message, first, last, channel, device, log, behind)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            gap.message.0,
            gap.first,
            gap.last,
            channel.0,
            device.0,
            log.as_bytes(),
            gap.behind,
        ))?;
    Ok(())
}

fn fill(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
    log: LogId,
    counter: u64,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM gap WHERE channel = ?1 AND device = ?2 AND log = ?3 AND first <= ?4 AND last >= ?4
         RETURNING message, first, last, behind",
    )?;
    let filled = statement.query_map((channel.0, device.0, log.as_bytes(), counter), |row| {
        Ok(Gap {
            message: MessageId(row.get(0)?),
            first: row.get(1)?,
            last: row.get(2)?,
            behind: row.get(3)?,
        })
    })?;
    for gap in filled.collect::<Result<Vec<_>, _>>()? {
        let rest = [
            (gap.first, counter.saturating_sub(1)),
            (counter.saturating_add(1), gap.last),
        ];
        for (first, last) in rest.into_iter().filter(|(first, last)| first <= last) {
            open(connection, channel, device, log, &Gap { first, last, ..gap })?;
        }
        touch_one(connection, gap.message)?;
    }
    Ok(())
}

/// How many messages of its device are missing before this one. What stands in the log since the device's entry before it and
/// cannot be opened may be some of them, and is shown there.
pub(crate) fn missing_before(connection: &Connection, row: &Message) -> Result<u64, StoreError> {
    let Some(number) = row.log_index else { return Ok(0) };
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(last - first + 1), 0), coalesce(min(behind), 0) FROM gap WHERE message = ?1",
    )?;
    let (missing, behind): (u64, u64) = statement.query_row([row.id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if missing == 0 {
        return Ok(0);
    }
    let tombstones: u64 = connection
        .prepare_cached(
            "SELECT count(*) FROM message
             WHERE channel = ?1 AND body <> 0 AND device IS NULL AND log_index >= ?2 AND log_index < ?3",
        )?
        .query_row((row.channel.0, behind, number), |row| row.get(0))?;
    Ok(missing.saturating_sub(tombstones))
}
