//! How this device behaves in a conversation: what it tells of itself, and for how long what it writes is kept.

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::envelope::KeepFor;
use waxwing_seal::Kind;

use super::messages::Message;
use super::{StoreError, members};
use crate::limits::SEEN_MEMBERS_MAX;
use crate::message::ChannelId;

pub(super) const TABLES: &str = "
-- What was chosen for a conversation, and what members agreed on. `timer`: days, set by the entry `timer_at`. `owed`:
-- something came since this device last told how far it is.
CREATE TABLE manner (
    channel  INTEGER PRIMARY KEY REFERENCES channel,
    receipts INTEGER NOT NULL DEFAULT 0,
    seen     INTEGER NOT NULL DEFAULT 0,
    timer    INTEGER NOT NULL DEFAULT 0,
    timer_at INTEGER NOT NULL DEFAULT 0,
    owed     INTEGER NOT NULL DEFAULT 0
) STRICT;
";

/// Whether members tell each other what they hold, so that a message can be seen by all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// As long as there are at most eight.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Seen {
    const fn number(self) -> i64 {
        match self {
            Self::Auto => 0,
            Self::On => 1,
            Self::Off => 2,
        }
    }
}

/// What was chosen for a conversation, and what members agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Manner {
    /// Whether this device says what was delivered and read.
    pub(crate) has_receipts: bool,
    pub(crate) seen: Seen,
    /// For how long what is written from now on is kept.
    pub(crate) timer: KeepFor,
    /// Whether something came since this device last told how far it is.
    pub(crate) owes: bool,
}

/// How this device behaves in a conversation.
pub(crate) fn load(connection: &Connection, channel: ChannelId) -> Result<Manner, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT receipts, seen, timer, owed FROM manner WHERE channel = ?1")?;
    let found = statement.query_row([channel.0], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, u32>(2)?, row.get(3)?))
    });
    let Some((has_receipts, seen, timer, owes)) = found.optional()? else {
        return Ok(Manner::default());
    };
    let seen: i64 = seen;
    let all = [Seen::Auto, Seen::On, Seen::Off];
    let seen = all.into_iter().find(|known| known.number() == seen);
    Ok(Manner {
        has_receipts,
        seen: seen.ok_or(StoreError::Damaged)?,
        timer: KeepFor::try_from(timer)?,
        owes,
    })
}

fn set(connection: &Connection, channel: ChannelId, column: &str, value: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO manner (channel, {column}) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET {column} = excluded.{column}"
        ))?
        .execute((channel.0, value))?;
    Ok(())
}

/// Chooses whether to say what was delivered and read. Whoever begins to has something to say.
pub(crate) fn set_receipts(connection: &Connection, channel: ChannelId, has: bool) -> Result<(), StoreError> {
    set(connection, channel, "receipts", i64::from(has))?;
    set(connection, channel, "owed", i64::from(has))
}

/// Chooses whether to tell what this device holds.
pub(crate) fn set_seen(connection: &Connection, channel: ChannelId, seen: Seen) -> Result<(), StoreError> {
    set(connection, channel, "seen", seen.number())
}

/// There is something to tell, or it was told.
pub(crate) fn set_owed(connection: &Connection, channel: ChannelId, owed: bool) -> Result<(), StoreError> {
    set(connection, channel, "owed", i64::from(owed))
}

/// Nothing is to be told anywhere.
pub(super) fn owes_nothing(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE manner SET owed = 0", [])?;
    Ok(())
}

/// The conversations in which something is to be told.
pub(crate) fn owing(connection: &Connection) -> Result<Vec<ChannelId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT channel FROM manner WHERE owed ORDER BY channel")?;
    let rows = statement.query_map([], |row| row.get(0).map(ChannelId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether members of a conversation tell each other what they hold, for one with so many of them.
pub(crate) const fn is_seen_told(manner: &Manner, members: u64) -> bool {
    match manner.seen {
        Seen::On => true,
        Seen::Off => false,
        Seen::Auto => members <= SEEN_MEMBERS_MAX,
    }
}

/// Follows up on a message that was stored: does it set the timer, and does it want an answer? A receipt never does, or
/// receipts would answer each other for ever.
pub(super) fn heard(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let Some(content) = &row.content else { return Ok(()) };
    match (&content.kind, row.log_index) {
        (Kind::Timer { keep_for }, Some(number)) => set_timer(connection, row.channel, *keep_for, number)?,
        // One's own counts for what is written behind it, whatever becomes of it.
        (Kind::Timer { keep_for }, None) => set(connection, row.channel, "timer", i64::from(keep_for.days()))?,
        _ => {}
    }
    let is_receipt = matches!(content.kind, Kind::Receipt(_));
    if row.is_own || is_receipt || row.log_index.is_none() {
        return Ok(());
    }
    let manner = load(connection, row.channel)?;
    if manner.owes {
        return Ok(());
    }
    // One more than the others that wrote: this device.
    let others = members::reach(connection, row.channel, u64::MAX >> 1)?.others;
    if manner.has_receipts || is_seen_told(&manner, others.saturating_add(1)) {
        set_owed(connection, row.channel, true)?;
    }
    Ok(())
}

/// The last timer in the order of the log counts, in whatever order bodies came.
fn set_timer(connection: &Connection, channel: ChannelId, keep_for: KeepFor, number: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO manner (channel, timer, timer_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET timer = excluded.timer, timer_at = excluded.timer_at
             WHERE excluded.timer_at >= timer_at",
        )?
        .execute((channel.0, keep_for.days(), number))?;
    Ok(())
}
