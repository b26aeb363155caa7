//! The tables, and which version of them a file has.
//!
//! Heights, times and counts are integers (they stay below 2^63), ids and encoded values are blobs in the encoding of
//! `waxwing-core` or `waxwing-seal`. A row that promises something (an outbox row, a counter, a cursor) changes in the
//! same transaction as what it promises about.

use rusqlite::Connection;

use super::{
    StoreError, account, aftermath, cards, contacts, epochs, expiry, files, forget, gaps, inboxes, known, linkings,
    manners, members, messages, mls, past, search, unread,
};

/// The version this program writes.
pub(crate) const VERSION: i64 = 16;

pub(super) const TABLES: &str = "
-- This device. `changed` numbers every change that a reader of messages can see.
CREATE TABLE device (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    seed    BLOB NOT NULL,
    name    TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

-- One ledger: what is pinned, what is held, and the newest block that envelopes may name.
CREATE TABLE network (
    id            BLOB PRIMARY KEY,
    genesis       BLOB NOT NULL,
    held          BLOB NOT NULL,
    start_height  INTEGER NOT NULL,
    start_id      BLOB NOT NULL,
    anchor_height INTEGER,
    anchor_id     BLOB,
    anchor_time   INTEGER,
    anchored_at   INTEGER
) STRICT, WITHOUT ROWID;

-- Contradictions that were signed, whether or not they make this client halt.
CREATE TABLE evidence (
    network BLOB NOT NULL REFERENCES network,
    bytes   BLOB NOT NULL,
    height  INTEGER NOT NULL,
    noticed INTEGER NOT NULL,
    halts   INTEGER NOT NULL,
    PRIMARY KEY (network, bytes)
) STRICT, WITHOUT ROWID;

-- Nodes to ask, and how they stand.
CREATE TABLE node (
    network  BLOB NOT NULL REFERENCES network,
    id       BLOB NOT NULL,
    address  TEXT NOT NULL,
    source   INTEGER NOT NULL,
    severity INTEGER NOT NULL DEFAULT 0,
    strikes  INTEGER NOT NULL DEFAULT 0,
    until    INTEGER NOT NULL DEFAULT 0,
    served   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (network, id)
) STRICT, WITHOUT ROWID;

-- Why nodes were left: the last of them.
CREATE TABLE fault (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    network  BLOB NOT NULL REFERENCES network,
    node     BLOB NOT NULL,
    time     INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    code     TEXT NOT NULL,
    sentence TEXT NOT NULL
) STRICT;

-- A conversation: its secret, its state of layer 3, and how far its log is checked.
CREATE TABLE channel (
    id            INTEGER PRIMARY KEY,
    network       BLOB NOT NULL REFERENCES network,
    log           BLOB NOT NULL UNIQUE,
    secret        BLOB NOT NULL,
    name          TEXT NOT NULL,
    created       INTEGER NOT NULL,
    engine        BLOB NOT NULL,
    last_height   INTEGER NOT NULL,
    frontier      BLOB NOT NULL,
    proven_height INTEGER,
    proven_head   BLOB,
    proven_time   INTEGER,
    proven_length INTEGER
) STRICT;

-- What a reader sees: opened entries, tombstones, and own messages on their way (no log_index yet).
CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    channel    INTEGER NOT NULL REFERENCES channel,
    log_index  INTEGER,
    state      INTEGER NOT NULL,
    own        INTEGER NOT NULL,
    body       INTEGER NOT NULL,
    device     BLOB,
    counter    INTEGER,
    content_id BLOB,
    kind       INTEGER,
    target     BLOB,
    content    BLOB,
    entry      BLOB,
    signed     BLOB,
    height     INTEGER,
    time       INTEGER,
    in_block   INTEGER,
    root       BLOB,
    view       INTEGER NOT NULL DEFAULT 0,
    reason     TEXT,
    queued     INTEGER,
    changed    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_place   ON message (channel, log_index) WHERE log_index IS NOT NULL;
CREATE INDEX        message_waiting ON message (channel, id) WHERE log_index IS NULL;
CREATE INDEX        message_content ON message (channel, content_id) WHERE content_id IS NOT NULL;
CREATE INDEX        message_target  ON message (channel, target) WHERE target IS NOT NULL;
CREATE INDEX        message_body    ON message (channel, body) WHERE body <> 0;
CREATE INDEX        message_changed ON message (changed);

-- Sealed bodies that are not final. `signed` is durable before anybody else sees it.
CREATE TABLE outbox (
    message       INTEGER PRIMARY KEY REFERENCES message,
    channel       INTEGER NOT NULL REFERENCES channel,
    body          BLOB NOT NULL,
    body_hash     BLOB NOT NULL,
    erasure       BLOB NOT NULL,
    keep_for      INTEGER NOT NULL,
    signed        BLOB,
    entry         BLOB,
    anchor_height INTEGER,
    anchor_time   INTEGER,
    signings      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What each node said to each signed envelope.
CREATE TABLE submission (
    message         INTEGER NOT NULL REFERENCES message,
    entry           BLOB NOT NULL,
    node            BLOB NOT NULL,
    time            INTEGER NOT NULL,
    acknowledgement BLOB,
    refusal         TEXT,
    PRIMARY KEY (message, entry, node)
) STRICT, WITHOUT ROWID;

-- Own messages to be erased from the nodes; `done` once one of them confirmed it.
CREATE TABLE reveal (
    message INTEGER PRIMARY KEY REFERENCES message,
    secret  BLOB NOT NULL,
    done    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Receipts that were fetched and verified.
CREATE TABLE receipt (
    message INTEGER PRIMARY KEY REFERENCES message,
    bytes   BLOB NOT NULL
) STRICT;
";

/// Makes the tables.
pub(crate) fn create(connection: &mut Connection) -> Result<(), StoreError> {
    mls::prepare(connection)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(search::TABLE)?;
    transaction.execute_batch(forget::COLUMNS)?;
    transaction.execute_batch(epochs::TABLES)?;
    transaction.execute_batch(messages::COLUMNS_BESIDE)?;
    transaction.execute_batch(account::TABLES)?;
    transaction.execute_batch(contacts::TABLES)?;
    transaction.execute_batch(files::TABLES)?;
    transaction.execute_batch(past::TABLES)?;
    make_manners(&transaction)?;
    transaction.execute_batch(inboxes::TABLES)?;
    transaction.execute_batch(cards::TABLES)?;
    transaction.execute_batch(linkings::TABLES)?;
    transaction.execute_batch(known::TABLES)?;
    transaction.execute_batch(super::transaction::COLUMNS)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// What one version brought to homes that were older.
type Step = fn(&Connection) -> Result<(), StoreError>;

/// The steps with the version that brought each, in the order in which they are taken. Not the order of the versions: tables
/// and columns that this version reads with every row have to be there before rows are read.
const STEPS: [(i64, Step); 16] = [
    (2, know_committees),
    (4, |connection| make(connection, forget::COLUMNS)),
    // Logs of groups.
    (5, |connection| make(connection, epochs::TABLES)),
    // What this device noticed by itself, in its place: read with every message.
    (14, |connection| make(connection, messages::COLUMNS_BESIDE)),
    // What was told: looked up with every message that is stored.
    (16, |connection| make(connection, past::TABLES)),
    // How far members have come, what was read, what disappears: before anything is forgotten.
    (9, make_manners),
    (3, know_words),
    (6, know_account),
    // People met.
    (7, |connection| make(connection, contacts::TABLES)),
    // Files on their way, and where others were saved.
    (8, |connection| make(connection, files::TABLES)),
    (9, aftermath::learn_all),
    // Inboxes, and who asked.
    (10, |connection| make(connection, inboxes::TABLES)),
    // Which state of a group is the newest.
    (11, |connection| make(connection, super::transaction::COLUMNS)),
    (12, |connection| make(connection, cards::TABLES)),
    // Devices on their way into an account.
    (13, |connection| make(connection, linkings::TABLES)),
    // People who know each other, and own devices in groups.
    (15, |connection| make(connection, known::TABLES)),
];

fn make(connection: &Connection, tables: &str) -> Result<(), StoreError> {
    Ok(connection.execute_batch(tables)?)
}

/// Brings the tables of an older version up to this one.
///
/// # Errors
/// [`StoreError::Newer`] for a version that this program does not know.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    match version {
        VERSION => Ok(()),
        1.. if version > VERSION => Err(StoreError::Newer),
        1.. => {
            // In transactions of its own; made twice they are as made once.
            mls::prepare(connection)?;
            let transaction = connection.transaction()?;
            for (_, step) in STEPS.iter().filter(|(brought_by, _)| version < *brought_by) {
                step(&transaction)?;
            }
            transaction.pragma_update(None, "user_version", VERSION)?;
            Ok(transaction.commit()?)
        }
        // There is no version before the first; 0 is a file that never got its tables.
        _ => Err(StoreError::Damaged),
    }
}

fn make_manners(connection: &Connection) -> Result<(), StoreError> {
    [
        members::TABLES,
        gaps::TABLES,
        manners::TABLES,
        unread::TABLES,
        expiry::TABLES,
    ]
    .iter()
    .try_for_each(|tables| make(connection, tables))
}

/// Version 6: a device belongs to an account. It keeps its key.
fn know_account(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(account::TABLES)?;
    account::begin(connection)
}

/// Version 3: a full-text index, and words that were taken back are forgotten.
fn know_words(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(search::TABLE)?;
    aftermath::follow_all(connection)
}

/// Version 2: what is held may name the committee before.
fn know_committees(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT id, held FROM network")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    for (id, mut held) in rows.collect::<Result<Vec<_>, _>>()? {
        // An empty list: nobody had seen a committee change.
        held.extend_from_slice(&0_u32.to_be_bytes());
        connection.execute("UPDATE network SET held = ?2 WHERE id = ?1", (id, held))?;
    }
    Ok(())
}
