//! Cards: which logs are cards, what was said there, and what this device offers on its own.
//!
//! Only what counts is kept. A card is folded from its statements whenever it is asked for: there are few, and the rules
//! of `waxwing_seal::identity::Card` stay the only ones.

use rusqlite::{Connection, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::identity::{AccountId, At, Card, CardAddress, CardSeed, Statement};
use zeroize::Zeroizing;

use super::transaction::FoldedCard;
use super::{StoreError, Transaction, hash};
use crate::message::ChannelId;

pub(super) const TABLES: &str = "
-- Cards that are read. `seed`: those that this device may write on. `opening`: what begins the card, while the move to it is on
-- its way.
CREATE TABLE card (
    channel INTEGER PRIMARY KEY REFERENCES channel,
    network BLOB NOT NULL REFERENCES network,
    account BLOB NOT NULL,
    address BLOB NOT NULL,
    seed    BLOB,
    opening BLOB
) STRICT;
CREATE INDEX card_account ON card (account, network);

-- What was said on a card and counts.
CREATE TABLE card_statement (
    channel   INTEGER NOT NULL REFERENCES card,
    place     INTEGER NOT NULL,
    time      INTEGER NOT NULL,
    statement BLOB NOT NULL,
    PRIMARY KEY (channel, place)
) STRICT, WITHOUT ROWID;

-- Key packages of this device on its card, by the number of the statement; `replaced` once others took their place.
CREATE TABLE offered (
    channel  INTEGER NOT NULL REFERENCES card,
    number   INTEGER NOT NULL,
    made     INTEGER NOT NULL,
    replaced INTEGER,
    bytes    BLOB NOT NULL,
    PRIMARY KEY (channel, number)
) STRICT, WITHOUT ROWID;
";

/// A card as stored.
#[derive(Clone)]
pub(crate) struct CardRow {
    pub(crate) channel: ChannelId,
    pub(crate) network: Hash,
    pub(crate) account: AccountId,
    pub(crate) address: CardAddress,
    /// The right to write on it.
    pub(crate) seed: Option<CardSeed>,
    /// What begins it, while it waits for the move to it.
    pub(crate) opening: Option<Statement>,
}

const COLUMNS: &str = "channel, network, account, address, seed, opening";

fn read(row: &Row<'_>) -> Result<CardRow, StoreError> {
    let seed = row.get::<_, Option<Vec<u8>>>(4)?.map(Zeroizing::new);
    let opening: Option<Vec<u8>> = row.get(5)?;
    Ok(CardRow {
        channel: ChannelId(row.get(0)?),
        network: hash(&row.get::<_, Vec<u8>>(1)?)?,
        account: AccountId(hash(&row.get::<_, Vec<u8>>(2)?)?.0),
        address: CardAddress::from_bytes(&row.get::<_, Vec<u8>>(3)?)?,
        seed: match seed {
            None => None,
            Some(seed) => Some(CardSeed::from_bytes(
                seed.as_slice().try_into().map_err(|_| StoreError::Damaged)?,
            )),
        },
        opening: opening.map(|opening| Statement::from_bytes(&opening)).transpose()?,
    })
}

fn select(connection: &Connection, rest: &str, values: impl rusqlite::Params) -> Result<Vec<CardRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM card {rest}"))?;
    let mut rows = statement.query(values)?;
    let mut cards = Vec::new();
    while let Some(row) = rows.next()? {
        cards.push(read(row)?);
    }
    Ok(cards)
}

/// One card.
pub(crate) fn load(connection: &Connection, channel: ChannelId) -> Result<Option<CardRow>, StoreError> {
    Ok(select(connection, "WHERE channel = ?1", [channel.0])?.pop())
}

/// An account's cards on a ledger, in the order in which they came to be known.
pub(crate) fn of(connection: &Connection, account: AccountId, network: Hash) -> Result<Vec<CardRow>, StoreError> {
    let whose = (account.as_bytes(), network.as_bytes());
    select(
        connection,
        "WHERE account = ?1 AND network = ?2 ORDER BY channel",
        whose,
    )
}

/// Adds a card whose log is a row already, or gives it what was not known yet.
pub(crate) fn insert(connection: &Connection, row: &CardRow) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO card (channel, network, account, address, seed, opening) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET seed = coalesce(excluded.seed, seed), opening = excluded.opening",
        (
            row.channel.0,
            row.network.as_bytes(),
            row.account.as_bytes(),
            row.address.to_bytes(),
            row.seed.as_ref().map(CardSeed::expose),
            row.opening.as_ref().map(Encode::to_bytes),
        ),
    )?;
    Ok(())
}

/// Keeps a statement that counts.
pub(crate) fn keep(
    connection: &Connection,
    channel: ChannelId,
    at: At,
    statement: &Statement,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO card_statement (channel, place, time, statement) VALUES (?1, ?2, ?3, ?4)")?
        .execute((channel.0, at.index, at.time_ms, statement.to_bytes()))?;
    Ok(())
}

/// The card as its statements make it.
pub(crate) fn fold(connection: &Connection, row: &CardRow) -> Result<Card, StoreError> {
    let mut card = Card::new(row.network, row.account, row.address.log());
    fold_from(connection, row, &mut card, 0)?;
    Ok(card)
}

/// The same for what is done often: of a card that this process has folded before only what was said since.
pub(crate) fn folded(tx: &Transaction<'_>, row: &CardRow) -> Result<Card, StoreError> {
    let known = tx.card(row.channel);
    let (from, mut card) = match known {
        Some(known) => (known.last.saturating_add(1), known.card),
        None => (0, Card::new(row.network, row.account, row.address.log())),
    };
    if let Some(last) = fold_from(tx, row, &mut card, from)? {
        let card = card.clone();
        tx.keep_card(row.channel, FoldedCard { last, card });
    }
    Ok(card)
}

/// Applies what was said from a place on; says which place the last of it has.
fn fold_from(connection: &Connection, row: &CardRow, card: &mut Card, from: u64) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT place, time, statement FROM card_statement WHERE channel = ?1 AND place >= ?2 ORDER BY place",
    )?;
    let mut rows = statement.query((row.channel.0, from))?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let at = At {
            index: row.get(0)?,
            time_ms: row.get(1)?,
        };
        let statement = Statement::from_bytes(&row.get::<_, Vec<u8>>(2)?)?;
        // It counted when it was kept, by the same rules.
        card.apply(at, &statement).map_err(|_| StoreError::Damaged)?;
        last = Some(at.index);
    }
    Ok(last)
}

/// Key packages that this device offered on a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Offered {
    pub(crate) number: u64,
    /// When, by this device's clock.
    pub(crate) made: u64,
    /// When others took their place.
    pub(crate) replaced: Option<u64>,
    /// When this device was first seen to be added with them.
    pub(crate) used: Option<u64>,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that this device offers on a card and still has the secrets of, oldest first.
pub(crate) fn offered(connection: &Connection, channel: ChannelId) -> Result<Vec<Offered>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT number, made, replaced, bytes, used FROM offered WHERE channel = ?1 ORDER BY number")?;
    let rows = statement.query_map([channel.0], |row| {
        Ok(Offered {
            number: row.get(0)?,
            made: row.get(1)?,
            replaced: row.get(2)?,
            bytes: row.get(3)?,
            used: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// This device was added to something with what it offers now on a ledger: others take its place soon.
pub(crate) fn use_offered(connection: &Connection, network: Hash, now: u64) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE offered SET used = ?2 WHERE used IS NULL AND replaced IS NULL
         AND channel IN (SELECT channel FROM card WHERE network = ?1)",
        (network.as_bytes(), now),
    )?;
    Ok(())
}

/// What this device offered on other cards of the same account and ledger has no use once it offers something on this one.
pub(crate) fn replace_elsewhere(connection: &Connection, row: &CardRow, now: u64) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE offered SET replaced = ?4 WHERE replaced IS NULL AND channel IN
            (SELECT channel FROM card WHERE account = ?1 AND network = ?2 AND channel <> ?3)",
        (row.account.as_bytes(), row.network.as_bytes(), row.channel.0, now),
    )?;
    Ok(())
}

/// Keeps what is offered now; everything before is replaced by it.
pub(crate) fn offer(connection: &Connection, channel: ChannelId, offered: &Offered) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE offered SET replaced = ?2 WHERE channel = ?1 AND replaced IS NULL",
        (channel.0, offered.made),
    )?;
    connection.execute(
        "INSERT INTO offered (channel, number, made, replaced, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            channel.0,
            offered.number,
            offered.made,
            offered.replaced,
            &offered.bytes,
        ),
    )?;
    Ok(())
}

/// Forgets what was offered; its secrets go in the same transaction.
pub(crate) fn forget_offered(connection: &Connection, channel: ChannelId, number: u64) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM offered WHERE channel = ?1 AND number = ?2",
        (channel.0, number),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::store::Store;
    use crate::tests::{Person, TestNode, World};

    fn cards(store: &Store, network: Hash) -> (Card, Card) {
        store
            .read(|tx| {
                let account = super::super::account::load(tx)?.id;
                let row = of(tx, account, network)?.pop().unwrap();
                Ok::<_, StoreError>((fold(tx, &row)?, folded(tx, &row)?))
            })
            .unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_card_in_memory_is_what_is_on_the_disk_whatever_was_rolled_back() {
        let world = World::new("test");
        let node = TestNode::honest(&world);
        let ada = Person::on("Ada", &world, &[&node]).await;
        let network = world.network();
        ada.client.publish_account(network).await.unwrap();
        crate::tests::until("the card is there", || async {
            ada.client.refresh().await.unwrap();
            !ada.client.devices(network).await.unwrap().waiting
        })
        .await;
        // Another program has the home, with nothing in memory; what was said last is not there yet.
        let again = ada.again().await;
        let store = again.core.store();
        let last = store.write(|tx| {
            let sql = "DELETE FROM card_statement WHERE place = (SELECT max(place) FROM card_statement)
                       RETURNING channel, place, time, statement";
            let found = tx.query_row(sql, [], |row| {
                let at = At {
                    index: row.get(1)?,
                    time_ms: row.get(2)?,
                };
                Ok((ChannelId(row.get(0)?), at, row.get::<_, Vec<u8>>(3)?))
            })?;
            Ok::<_, StoreError>(found)
        });
        let (channel, at, bytes) = last.unwrap();
        let statement = Statement::from_bytes(&bytes).unwrap();
        let (short, known) = cards(store, network);
        assert_eq!(known, short);

        let refused = store.write::<(), Error>(|tx| {
            keep(tx, channel, at, &statement)?;
            let row = load(tx, channel)?.unwrap();
            let (now, known) = (fold(tx, &row)?, folded(tx, &row)?);
            assert_eq!(known, now);
            assert_ne!(known, short);
            Err(Error::NoNodes)
        });
        assert!(refused.is_err());
        assert_eq!(cards(store, network), (short.clone(), short.clone()));

        store.write(|tx| keep(tx, channel, at, &statement)).unwrap();
        let (whole, known) = cards(store, network);
        assert_eq!(known, whole);
        assert_ne!(known, short);
        assert_eq!(cards(store, network).1, whole);
    }
}
