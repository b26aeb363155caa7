//! Homes: who gets in, what an interruption leaves, what a stranger finds on the disk.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use waxwing_core::codec::Encode;
use waxwing_core::follow::Follow;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use waxwing_seal::ChannelSecret;

use super::*;

const CHEAP: Cost = Cost::new(8, 1, 1).unwrap();

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse").unwrap()
}

fn home() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home");
    (folder, path)
}

fn genesis() -> Genesis {
    let validator = VoteKey::from_seed(&[1; 32]).public();
    Genesis::new("test", 1_000, Parameters::DEFAULT, vec![validator]).unwrap()
}

/// Writes something that can be looked for.
fn write_channel(store: &Store, name: &str) -> Result<crate::message::ChannelId, StoreError> {
    store.write(|tx| {
        let genesis = genesis();
        networks::insert(tx, &genesis, &Follow::from_genesis(&genesis))?;
        let secret = ChannelSecret::random(&mut chance::fill);
        Ok(channels::insert(tx, genesis.network(), &secret, name, 1)?.unwrap())
    })
}

fn names(store: &Store) -> Vec<String> {
    let channels = store.read(|tx| channels::all(tx)).unwrap();
    channels.into_iter().map(|channel| channel.name).collect()
}

#[test]
fn a_home_is_made_once_and_opened_by_its_passphrase_only() {
    let (_folder, path) = home();
    assert!(!Store::exists(&path));
    assert_eq!(
        Store::open(&path, &passphrase()).err(),
        Some(HomeError::NotThere(path.clone()))
    );
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    write_channel(&store, "plans").unwrap();
    assert!(Store::exists(&path));
    assert_eq!(
        Store::create(&path, &passphrase(), CHEAP, "Ben").err(),
        Some(HomeError::Exists(path.clone()))
    );
    drop(store);
    let wrong = Passphrase::new("wrong horse").unwrap();
    assert_eq!(Store::open(&path, &wrong).err(), Some(HomeError::WrongPassphrase));
    assert!(HomeError::WrongPassphrase.to_string().contains("passphrase"));
    let store = Store::open(&path, &passphrase()).unwrap();
    assert_eq!(names(&store), ["plans"]);
    let (_, name) = store.read(|tx| device(tx)).unwrap();
    assert_eq!(name, "Ada");
}

#[test]
fn the_passphrase_can_be_changed_while_the_home_is_in_use() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    write_channel(&store, "plans").unwrap();
    let new = Passphrase::new("battery staple").unwrap();
    assert_eq!(
        store.change_passphrase(&new, &new, CHEAP),
        Err(HomeError::WrongPassphrase),
        "only who knows the old one"
    );
    store.change_passphrase(&passphrase(), &new, CHEAP).unwrap();
    write_channel(&store, "more plans").unwrap();
    drop(store);
    assert_eq!(
        Store::open(&path, &passphrase()).err(),
        Some(HomeError::WrongPassphrase)
    );
    assert_eq!(names(&Store::open(&path, &new).unwrap()), ["plans", "more plans"]);
}

#[test]
fn a_home_that_was_interrupted_while_it_was_made_is_made_anew_or_finished() {
    let (_folder, path) = home();
    // Before the key file: nothing was promised.
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("store.db.new"), b"half a database").unwrap();
    fs::write(path.join("key.new"), b"half a key").unwrap();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    drop(store);
    // After the key file, before the database got its name.
    fs::rename(path.join("store.db"), path.join("store.db.new")).unwrap();
    let store = Store::open(&path, &passphrase()).unwrap();
    assert_eq!(store.read(|tx| device(tx)).unwrap().1, "Ada");
}

#[test]
fn what_is_missing_or_damaged_is_said_by_its_name() {
    let (_folder, path) = home();
    drop(Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap());
    let (key, database) = (path.join("key"), path.join("store.db"));
    let (key_bytes, database_bytes) = (fs::read(&key).unwrap(), fs::read(&database).unwrap());
    let opened = || Store::open(&path, &passphrase()).err();

    fs::remove_file(&key).unwrap();
    assert_eq!(opened(), Some(HomeError::KeyFileGone));
    let made = Store::create(&path, &passphrase(), CHEAP, "Ben").err();
    assert_eq!(made, Some(HomeError::KeyFileGone), "a database is never written over");
    fs::write(&key, &key_bytes[..50]).unwrap();
    assert_eq!(opened(), Some(HomeError::BadKeyFile));
    fs::write(&key, &key_bytes).unwrap();

    fs::remove_file(&database).unwrap();
    assert_eq!(opened(), Some(HomeError::DatabaseGone));
    let mut damaged = database_bytes.clone();
    damaged[100] ^= 1;
    fs::write(&database, &damaged).unwrap();
    assert_eq!(opened(), Some(HomeError::Damaged), "not: wrong passphrase");
    fs::write(&database, &database_bytes).unwrap();
    assert_eq!(opened(), None);
}

#[test]
fn a_bit_flipped_anywhere_in_the_database_is_noticed_and_never_read_as_something_else() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    for number in 0..40 {
        write_channel(&store, &format!("channel {number}")).unwrap();
    }
    let before = names(&store);
    drop(store);
    let database = path.join("store.db");
    let bytes = fs::read(&database).unwrap();
    for page in 0..bytes.len() / 4096 {
        let mut damaged = bytes.clone();
        damaged[page * 4096 + 1000] ^= 4;
        fs::write(&database, &damaged).unwrap();
        let read = match Store::open(&path, &passphrase()) {
            Ok(store) => store.read(|tx| channels::all(tx)).map_err(HomeError::from),
            Err(error) => Err(error),
        };
        match read {
            // A page that is not needed for this.
            Ok(channels) => assert_eq!(
                channels.into_iter().map(|channel| channel.name).collect::<Vec<_>>(),
                before
            ),
            Err(error) => assert_eq!(error, HomeError::Damaged, "page {page}"),
        }
    }
}

/// Before anybody had seen a committee change, there was no word about the one before.
#[test]
fn a_home_of_the_first_version_is_brought_up_to_this_one() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    let genesis = genesis();
    let network = genesis.network();
    let follow = Follow::from_genesis(&genesis);
    store
        .write::<_, StoreError>(|tx| {
            networks::insert(tx, &genesis, &follow)?;
            let mut held = follow.held().to_bytes();
            assert_eq!(held.split_off(held.len() - 4), [0; 4]);
            tx.execute("UPDATE network SET held = ?1", [held])?;
            as_of_version(tx, 1);
            Ok(())
        })
        .unwrap();
    drop(store);
    for _ in 0..2 {
        let store = Store::open(&path, &passphrase()).unwrap();
        let row = store.read::<_, StoreError>(|tx| networks::load(tx, network)).unwrap();
        assert_eq!(&row.unwrap().held, follow.held());
    }
}

/// Names in the first column of a query.
fn list(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Takes out of a home whatever came after the first version, and brings it up to another one.
pub(crate) fn as_of_version(tx: &Transaction<'_>, version: i64) {
    let first = Connection::open_in_memory().unwrap();
    first.execute_batch(schema::TABLES).unwrap();
    let all = |kind: &str| format!("SELECT name FROM sqlite_schema WHERE type = '{kind}' AND sql IS NOT NULL");
    for kind in ["index", "table"] {
        let before = list(&first, &all(kind));
        for name in list(tx, &all(kind)) {
            // The group library keeps its own versions; the index of words has tables of its own that go with it.
            let stays = before.contains(&name) || name.contains("openmls") || name.starts_with("search_");
            if !stays {
                tx.execute(&format!("DROP {kind} {name}"), []).unwrap();
            }
        }
    }
    for table in list(&first, &all("table")) {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let before = list(&first, &columns);
        for column in list(tx, &columns) {
            if !before.contains(&column) {
                tx.execute(&format!("ALTER TABLE {table} DROP COLUMN {column}"), [])
                    .unwrap();
            }
        }
    }
    let since = [(3, search::TABLE), (4, forget::COLUMNS), (5, epochs::TABLES)];
    for (_, tables) in since.iter().filter(|(since, _)| *since <= version) {
        tx.execute_batch(tables).unwrap();
    }
    tx.pragma_update(None, "user_version", version).unwrap();
}

#[test]
fn a_home_of_version_3_is_brought_up_to_date_and_numbers_on() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    let first = write_channel(&store, "plans").unwrap();
    store
        .write::<_, StoreError>(|tx| {
            as_of_version(tx, 3);
            Ok(())
        })
        .unwrap();
    drop(store);
    let store = Store::open(&path, &passphrase()).unwrap();
    store.write(|tx| forget::channel(tx, first)).unwrap();
    let next = write_channel(&store, "more plans").unwrap();
    assert!(next > first, "{next:?}");
    assert_eq!(names(&store), ["more plans"]);
}

#[test]
fn a_home_of_before_accounts_is_given_one_once_and_keeps_its_device() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    let whose = |store: &Store| {
        let read = |tx: &Transaction<'_>| Ok::<_, StoreError>((device(tx)?.0.id(), account::load(tx)?.id));
        store.read(read).unwrap()
    };
    let (device, first) = whose(&store);
    store
        .write::<_, StoreError>(|tx| {
            as_of_version(tx, 5);
            Ok(())
        })
        .unwrap();
    drop(store);
    let given = whose(&Store::open(&path, &passphrase()).unwrap());
    assert_eq!(given.0, device);
    assert_ne!(given.1, first, "it was drawn anew");
    assert_eq!(whose(&Store::open(&path, &passphrase()).unwrap()), given);
}

#[test]
fn a_home_of_a_newer_version_is_refused() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    store
        .write::<_, StoreError>(|tx| Ok(tx.pragma_update(None, "user_version", schema::VERSION + 1)?))
        .unwrap();
    drop(store);
    assert_eq!(Store::open(&path, &passphrase()).err(), Some(HomeError::Newer));
}

/// What makes "durable when it returns" true, by SQLite's own account.
#[test]
fn every_transaction_is_synced_before_it_returns() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    let pragma = |name| {
        let read = |tx: &Transaction<'_>| {
            let value = tx.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))?;
            Ok::<_, StoreError>(value)
        };
        store.read(read).unwrap()
    };
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2), "FULL");
    assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
    assert_eq!(pragma("foreign_keys"), rusqlite::types::Value::Integer(1));
}

#[test]
fn a_failed_transaction_leaves_nothing_and_a_crashed_one_all_or_nothing() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    write_channel(&store, "kept").unwrap();
    let failed = store.write(|tx| {
        tx.execute("UPDATE channel SET name = 'lost'", [])?;
        Err::<(), _>(StoreError::Full)
    });
    assert_eq!(failed, Err(StoreError::Full));
    assert_eq!(names(&store), ["kept"]);
    for (side, expected) in [(Side::Before, 1), (Side::After, 2)] {
        store_crashes(&path, side);
        assert_eq!(
            names(&Store::open(&path, &passphrase()).unwrap()).len(),
            expected,
            "{side:?}"
        );
    }
}

fn store_crashes(path: &Path, side: Side) {
    let store = Store::open(path, &passphrase()).unwrap();
    store.fuse.set(1, side);
    assert_eq!(write_channel(&store, "perhaps"), Err(StoreError::Crashed));
    assert_eq!(
        store.read(|tx| channels::all(tx)).err(),
        Some(StoreError::Crashed),
        "it stays off"
    );
    assert!(store.fuse.is_burnt() && store.fuse.commits() == 1);
}

/// Looks for bytes in every file of a home.
fn found(path: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| fs::read(file).unwrap().windows(needle.len()).any(|part| part == needle))
        .collect()
}

#[test]
fn nothing_that_was_written_can_be_found_on_the_disk_without_the_key() {
    let (_folder, path) = home();
    let store = Store::create(&path, &passphrase(), CHEAP, "Ada Lovelace").unwrap();
    let channel = write_channel(&store, "secret plans of ours").unwrap();
    let row = store.read(|tx| channels::load(tx, channel)).unwrap().unwrap();
    let (key, _) = store.read(|tx| device(tx)).unwrap();
    let (log, seed) = (row.log(), key.seed());
    let phrase = store.read(|tx| account::phrase(tx)).unwrap().unwrap();
    let entropy = phrase.entropy();
    let needles: [(&str, &[u8]); 8] = [
        ("device name", b"Ada Lovelace"),
        ("channel name", b"secret plans of ours"),
        ("channel secret", row.secret.expose()),
        ("log", log.as_bytes()),
        ("device seed", &seed[..]),
        ("the bits behind the 24 words", &entropy[..]),
        ("SQLite's own header", b"SQLite format 3"),
        ("table names", b"CREATE TABLE"),
    ];
    fs::write(path.join("planted"), b"...secret plans of ours...").unwrap();
    assert_eq!(
        found(&path, needles[1].1),
        [path.join("planted")],
        "the search finds what is there"
    );
    fs::remove_file(path.join("planted")).unwrap();
    // While it is open, with a write-ahead log beside it, and after it was closed.
    assert!(path.join("store.db-wal").exists());
    for (what, needle) in needles {
        assert_eq!(found(&path, needle), Vec::<PathBuf>::new(), "{what}");
    }
    drop(store);
    for (what, needle) in needles {
        assert_eq!(found(&path, needle), Vec::<PathBuf>::new(), "{what}, closed");
    }
}

#[cfg(unix)]
#[test]
fn a_home_is_closed_to_other_users_of_the_machine() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = home();
    drop(Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("key")), 0o600);
}

#[test]
fn several_writers_of_one_home_wait_for_each_other() {
    let (_folder, path) = home();
    drop(Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap());
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let store = Store::open(path, &passphrase()).unwrap();
                for number in 0..25 {
                    write_channel(&store, &format!("{writer}.{number}")).unwrap();
                }
            });
        }
    });
    assert_eq!(names(&Store::open(&path, &passphrase()).unwrap()).len(), 100);
}

#[test]
fn a_writer_sees_that_another_one_wrote() {
    let (_folder, path) = home();
    let one = Store::create(&path, &passphrase(), CHEAP, "Ada").unwrap();
    let two = Store::open(&path, &passphrase()).unwrap();
    let before = one.others_wrote().unwrap();
    write_channel(&one, "own").unwrap();
    assert_eq!(one.others_wrote().unwrap(), before, "own writes do not count");
    write_channel(&two, "other").unwrap();
    assert_ne!(one.others_wrote().unwrap(), before);
}

#[test]
fn two_homes_made_at_once_are_one() {
    let (_folder, path) = home();
    let made: Vec<_> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Store::create(&path, &passphrase(), CHEAP, "Ada").map(drop)))
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    let exists = HomeError::Exists(path.clone());
    assert!(made.iter().all(|made| made.is_ok() || made.as_ref() == Err(&exists)));
    Store::open(&path, &passphrase()).unwrap();
}
