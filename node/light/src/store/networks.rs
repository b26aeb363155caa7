//! Ledgers: what is pinned and held, nodes and how they stand, evidence.

use rusqlite::{Connection, OptionalExtension, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::Anchor;
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::{Follow, Held};
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::NodeId;
use waxwing_seal::NodeAddress;

use super::{StoreError, hash};
use crate::limits::{FAULTS_KEPT, NODES_MAX};
use crate::nodes::{Fault, Severity, Standing};

/// A block that envelopes may name, checked against the history that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KnownAnchor {
    /// The block.
    pub(crate) anchor: Anchor,
    /// Its time.
    pub(crate) time: u64,
    /// When it was checked, by this device's clock.
    pub(crate) checked: u64,
}

/// A ledger as stored.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    pub(crate) held: Held,
    /// Where trust began: (height, block id).
    pub(crate) start: (u64, Hash),
    pub(crate) anchor: Option<KnownAnchor>,
}

impl Network {
    /// The state machine, where it stopped.
    pub(crate) fn follow(&self) -> Follow {
        Follow::resume(self.genesis.keys(), self.held.clone())
    }
}

/// Adds a ledger; one that is there already stays as it is.
pub(crate) fn insert(connection: &Connection, genesis: &Genesis, follow: &Follow) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO network (id, genesis, held, start_height, start_id) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        (
            genesis.network().as_bytes(),
            genesis.to_bytes(),
            follow.held().to_bytes(),
            follow.header().height,
            follow.id().as_bytes(),
        ),
    )?;
    Ok(())
}

/// All ledgers.
pub(crate) fn ids(connection: &Connection) -> Result<Vec<Hash>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM network ORDER BY id")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|id| hash(&id?)).collect()
}

/// One ledger.
pub(crate) fn load(connection: &Connection, network: Hash) -> Result<Option<Network>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT genesis, held, start_height, start_id, anchor_height, anchor_id, anchor_time, anchored_at
         FROM network WHERE id = ?1",
    )?;
    let mut rows = statement.query([network.as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Network, StoreError> {
    let anchor = match row.get::<_, Option<u64>>(4)? {
        None => None,
        Some(height) => Some(KnownAnchor {
            anchor: Anchor {
                height,
                id: hash(&row.get::<_, Vec<u8>>(5)?)?,
            },
            time: row.get(6)?,
            checked: row.get(7)?,
        }),
    };
    Ok(Network {
        genesis: Genesis::from_bytes(&row.get::<_, Vec<u8>>(0)?)?,
        held: Held::from_bytes(&row.get::<_, Vec<u8>>(1)?)?,
        start: (row.get(2)?, hash(&row.get::<_, Vec<u8>>(3)?)?),
        anchor,
    })
}

/// Stores what is held now.
pub(crate) fn hold(connection: &Connection, network: Hash, held: &Held) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("UPDATE network SET held = ?2 WHERE id = ?1")?;
    statement.execute((network.as_bytes(), held.to_bytes()))?;
    Ok(())
}

/// Stores a newer anchor; an older one changes nothing.
pub(crate) fn set_anchor(connection: &Connection, network: Hash, known: &KnownAnchor) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE network SET anchor_height = ?2, anchor_id = ?3, anchor_time = ?4, anchored_at = ?5
         WHERE id = ?1 AND (anchor_height IS NULL OR anchor_height <= ?2)",
    )?;
    statement.execute((
        network.as_bytes(),
        known.anchor.height,
        known.anchor.id.as_bytes(),
        known.time,
        known.checked,
    ))?;
    Ok(())
}

/// Whether evidence stops this client, or is only shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Halts {
    Yes,
    No,
}

/// Keeps evidence.
pub(crate) fn add_evidence(
    connection: &Connection,
    network: Hash,
    evidence: &Evidence,
    halts: Halts,
    now: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO evidence (network, bytes, height, noticed, halts) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET halts = max(halts, excluded.halts)",
        (
            network.as_bytes(),
            evidence.to_bytes(),
            evidence.height(),
            now,
            halts == Halts::Yes,
        ),
    )?;
    Ok(())
}

/// All evidence about one ledger, oldest first.
pub(crate) fn evidence(connection: &Connection, network: Hash) -> Result<Vec<Evidence>, StoreError> {
    let mut statement = connection.prepare("SELECT bytes FROM evidence WHERE network = ?1 ORDER BY noticed, bytes")?;
    let rows = statement.query_map([network.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| Ok(Evidence::from_bytes(&bytes?)?)).collect()
}

/// Who told us of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// A person, by an invitation or a command.
    Person,
    /// Another node.
    Node,
}

/// A node as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) address: NodeAddress,
    pub(crate) source: Source,
    pub(crate) standing: Standing,
    /// When it last answered well, by this device's clock; 0 for never.
    pub(crate) served: u64,
}

/// Adds a node. A person's word about its address replaces an older one; a node's word changes nothing that is known.
pub(crate) fn add_node(
    connection: &Connection,
    network: Hash,
    address: &NodeAddress,
    source: Source,
) -> Result<(), StoreError> {
    let known: i64 = connection.query_row(
        "SELECT count(*) FROM node WHERE network = ?1",
        [network.as_bytes()],
        |row| row.get(0),
    )?;
    let is_full = usize::try_from(known).is_ok_and(|known| known >= NODES_MAX);
    if is_full && source == Source::Node {
        return Ok(());
    }
    let sql = match source {
        Source::Person => {
            "INSERT INTO node (network, id, address, source) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT DO UPDATE SET address = excluded.address, source = 0, severity = 0, strikes = 0, until = 0"
        }
        Source::Node => "INSERT INTO node (network, id, address, source) VALUES (?1, ?2, ?3, 1) ON CONFLICT DO NOTHING",
    };
    connection.execute(sql, (network.as_bytes(), address.id().as_bytes(), address.address()))?;
    Ok(())
}

/// All nodes of one ledger.
pub(crate) fn nodes(connection: &Connection, network: Hash) -> Result<Vec<Node>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, address, source, severity, strikes, until, served FROM node WHERE network = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([network.as_bytes()])?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next()? {
        nodes.push(read_node(row)?);
    }
    Ok(nodes)
}

fn read_node(row: &Row<'_>) -> Result<Node, StoreError> {
    let id = NodeId(hash(&row.get::<_, Vec<u8>>(0)?)?.0);
    Ok(Node {
        address: NodeAddress::new(&row.get::<_, String>(1)?, id).ok_or(StoreError::Damaged)?,
        source: if row.get::<_, i64>(2)? == 0 {
            Source::Person
        } else {
            Source::Node
        },
        standing: Standing {
            severity: Severity::from_number(row.get(3)?).ok_or(StoreError::Damaged)?,
            strikes: row.get(4)?,
            until: row.get(5)?,
        },
        served: row.get(6)?,
    })
}

/// Notes a node's fault: its standing falls, and the reason is kept.
pub(crate) fn blame(
    connection: &Connection,
    network: Hash,
    node: NodeId,
    fault: &Fault,
    now: u64,
) -> Result<Standing, StoreError> {
    let severity = fault.severity();
    connection.execute(
        "INSERT INTO fault (network, node, time, severity, code, sentence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            network.as_bytes(),
            node.as_bytes(),
            now,
            severity.number(),
            fault.code(),
            fault.to_string(),
        ),
    )?;
    connection.execute(
        "DELETE FROM fault WHERE network = ?1 AND number <=
            (SELECT number FROM fault WHERE network = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        (network.as_bytes(), FAULTS_KEPT),
    )?;
    let before = connection
        .query_row(
            "SELECT id, address, source, severity, strikes, until, served FROM node WHERE network = ?1 AND id = ?2",
            (network.as_bytes(), node.as_bytes()),
            |row| Ok((row.get(3)?, row.get(4)?, row.get(5)?)),
        )
        .optional()?;
    let standing = match before {
        None => Standing::FINE,
        Some((severity, strikes, until)) => Standing {
            severity: Severity::from_number(severity).ok_or(StoreError::Damaged)?,
            strikes,
            until,
        },
    };
    let standing = standing.after(severity, now);
    store_standing(connection, network, node, &standing)?;
    Ok(standing)
}

/// Notes that a node served well: what it failed before counts no more, what it lied about still does.
pub(crate) fn praise(connection: &Connection, network: Hash, node: NodeId, now: u64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE node SET served = ?3,
            severity = CASE WHEN severity < ?4 THEN 0 ELSE severity END,
            strikes  = CASE WHEN severity < ?4 THEN 0 ELSE strikes END
         WHERE network = ?1 AND id = ?2",
    )?;
    statement.execute((network.as_bytes(), node.as_bytes(), now, Severity::Lies.number()))?;
    Ok(())
}

fn store_standing(connection: &Connection, network: Hash, node: NodeId, standing: &Standing) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE node SET severity = ?3, strikes = ?4, until = ?5 WHERE network = ?1 AND id = ?2",
        (
            network.as_bytes(),
            node.as_bytes(),
            standing.severity.number(),
            standing.strikes,
            standing.until,
        ),
    )?;
    Ok(())
}

/// A kept reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeptFault {
    pub(crate) node: NodeId,
    pub(crate) time: u64,
    pub(crate) code: String,
    pub(crate) sentence: String,
}

/// The newest reasons, newest first.
pub(crate) fn faults(connection: &Connection, network: Hash, most: u32) -> Result<Vec<KeptFault>, StoreError> {
    let mut statement = connection
        .prepare("SELECT node, time, code, sentence FROM fault WHERE network = ?1 ORDER BY number DESC LIMIT ?2")?;
    let mut rows = statement.query((network.as_bytes(), most))?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next()? {
        faults.push(KeptFault {
            node: NodeId(hash(&row.get::<_, Vec<u8>>(0)?)?.0),
            time: row.get(1)?,
            code: row.get(2)?,
            sentence: row.get(3)?,
        });
    }
    Ok(faults)
}
