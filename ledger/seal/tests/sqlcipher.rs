//! The seam for the client's store: a group in an encrypted database, in one transaction with the caller's own rows.
//!
//! The crate itself knows no database. Here it is lent one: SQLCipher through the library's own SQLite storage, whose codec
//! has to describe itself (CBOR). What is tried is the caller's part: what a transaction leaves behind is all of a step or
//! nothing of it, and a savepoint takes the traces of a void entry back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use openmls_sqlite_storage::{Codec, SqliteStorageProvider};
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use waxwing_core::Hash;
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_seal::content::{Content, Kind, Name, Text, View, Words};
use waxwing_seal::group::{
    Change, Charter, Entry, Group, GroupError, GroupName, KeyPackage, Lifetime, Myself, Outgoing, Provider, Verdict,
    Void,
};
use waxwing_seal::identity::certificate::Validity;
use waxwing_seal::identity::{Acceptance, DeviceCertificate, Phrase};
use waxwing_seal::{DeviceKey, Keeping};

const NETWORK: Hash = Hash([7; 32]);
const NOW: u64 = 1_800_000_000_000;

#[derive(Default)]
struct Cbor;

impl Codec for Cbor {
    type Error = std::io::Error;

    fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, Self::Error> {
        let mut out = Vec::new();
        ciborium::into_writer(value, &mut out).map_err(std::io::Error::other)?;
        Ok(out)
    }

    fn from_slice<T: DeserializeOwned>(slice: &[u8]) -> Result<T, Self::Error> {
        ciborium::from_reader(slice).map_err(std::io::Error::other)
    }
}

type Storage<'a> = SqliteStorageProvider<Cbor, &'a Connection>;

/// A device and its database, with one table of the caller's own: the group's record.
struct Device {
    myself: Myself,
    database: Connection,
    rolls: u64,
}

impl Device {
    fn new(number: u8, path: &std::path::Path) -> Self {
        let (key, account) = (
            DeviceKey::from_seed(&[number; 32]),
            Phrase::from_entropy(&[number; 32]).account(),
        );
        let accepted = Acceptance::sign(&key, NETWORK, account.id());
        let certificate =
            DeviceCertificate::sign(&account, NETWORK, &accepted, Text::default(), Validity::from(NOW), 1);
        let mut database = open(path, "secret");
        SqliteStorageProvider::<Cbor, &mut Connection>::new(&mut database)
            .run_migrations()
            .unwrap();
        database
            .execute_batch("CREATE TABLE own (id INTEGER PRIMARY KEY, record BLOB NOT NULL)")
            .unwrap();
        Self {
            myself: Myself::new(key, certificate.verify(NETWORK, account.id()).unwrap()).unwrap(),
            database,
            rolls: u64::from(number) << 32,
        }
    }

    fn run(&self, command: &str) {
        self.database.execute_batch(command).unwrap();
    }

    fn lend<T>(&mut self, step: impl FnOnce(&Provider<'_, Storage<'_>>, &Myself) -> T) -> T {
        let rolls = &mut self.rolls;
        let mut chance = |bytes: &mut [u8]| {
            for byte in bytes {
                *rolls = rolls
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                *byte = rolls.to_be_bytes().first().copied().unwrap();
            }
        };
        let storage = Storage::new(&self.database);
        step(&Provider::new(&storage, &mut chance), &self.myself)
    }

    fn keep(&self, group: &Group) {
        let row = (1, group.record());
        self.database
            .execute("INSERT OR REPLACE INTO own VALUES (?1, ?2)", row)
            .unwrap();
    }

    fn load(&mut self) -> Result<Group, GroupError> {
        let record: Vec<u8> = self
            .database
            .query_row("SELECT record FROM own", [], |row| row.get(0))
            .unwrap();
        self.lend(|provider, _| Group::load(provider, &record))
    }
}

fn open(path: &std::path::Path, key: &str) -> Connection {
    let database = Connection::open(path).unwrap();
    database.pragma_update(None, "key", key).unwrap();
    database
}

fn header(outgoing: &Outgoing) -> EnvelopeHeader {
    outgoing.sealed.header(Anchor {
        height: 64,
        id: Hash([9; 32]),
    })
}

fn process(device: &mut Device, group: &mut Group, outgoing: &Outgoing) -> Verdict {
    let header = header(outgoing);
    let entry = Entry {
        header: &header,
        body: &outgoing.sealed.body,
        time_ms: NOW,
    };
    device.lend(|provider, _| group.process(provider, &entry)).unwrap()
}

fn words(text: &str) -> Content {
    let (name, view) = (Name::new("x").unwrap(), View::empty_log(64, Hash([9; 32])));
    let kind = Kind::Text(Words::new(text).unwrap());
    Content::new(&mut |bytes| bytes.fill(1), NOW, name, view, kind)
}

fn seal(device: &mut Device, group: &mut Group, text: &str) -> Outgoing {
    let keeping = Keeping::Erasable(KeepFor::Week);
    device
        .lend(|provider, myself| group.seal(provider, myself, &words(text), keeping))
        .unwrap()
}

/// Two members, each with a database of its own.
fn pair(folder: &std::path::Path) -> [(Device, Group); 2] {
    let (mut ada, mut bob) = (Device::new(1, &folder.join("ada")), Device::new(2, &folder.join("bob")));
    let charter = Charter::channel(GroupName::new("birds").unwrap(), vec![ada.myself.member().account]).unwrap();
    let lifetime = Lifetime::new(NOW, NOW + 1).unwrap();
    let offer = bob
        .lend(|provider, myself| KeyPackage::offer(provider, myself, lifetime))
        .unwrap();
    ada.run("BEGIN");
    let mut group = ada
        .lend(|provider, myself| Group::create(provider, NETWORK, myself, &charter))
        .unwrap();
    let add = vec![KeyPackage::read(&offer, NETWORK, NOW).unwrap()];
    let change = Change {
        add,
        ..Change::default()
    };
    let proposed = ada
        .lend(|provider, myself| group.propose(provider, myself, &change, NOW))
        .unwrap();
    assert!(matches!(
        process(&mut ada, &mut group, &proposed.outgoing),
        Verdict::Closed(_)
    ));
    ada.keep(&group);
    ada.run("COMMIT");
    let welcome = proposed.welcome.unwrap();
    bob.run("BEGIN");
    let joined = bob
        .lend(|provider, myself| Group::join(provider, NETWORK, myself, &welcome, None))
        .unwrap();
    bob.keep(&joined.group);
    bob.run("COMMIT");
    [(ada, group), (bob, joined.group)]
}

#[test]
fn a_transaction_that_is_dropped_takes_group_and_rows_back_together() {
    let folder = tempfile::tempdir().unwrap();
    let [(mut ada, mut group), (mut bob, mut others)] = pair(folder.path());
    let before = (group.record(), group.authenticator().to_vec());
    ada.run("BEGIN");
    let lost = seal(&mut ada, &mut group, "never sent");
    ada.lend(|provider, myself| group.propose(provider, myself, &Change::default(), NOW))
        .unwrap();
    ada.keep(&group);
    ada.run("ROLLBACK");
    let mut group = ada.load().unwrap();
    assert_eq!((group.record(), group.authenticator().to_vec()), before);
    assert!(!group.has_pending_commit());

    ada.run("BEGIN");
    let sent = seal(&mut ada, &mut group, "sent");
    ada.keep(&group);
    ada.run("COMMIT");
    assert_ne!(lost.id, sent.id);
    let verdict = process(&mut bob, &mut others, &sent);
    assert!(matches!(verdict, Verdict::Message { .. }), "{verdict:?}");
}

#[test]
fn a_savepoint_takes_the_traces_of_a_void_entry_back() {
    let folder = tempfile::tempdir().unwrap();
    let [(mut ada, mut group), (mut bob, mut others)] = pair(folder.path());
    let first = seal(&mut ada, &mut group, "first");
    let second = seal(&mut ada, &mut group, "second");
    bob.run("BEGIN");
    for (outgoing, expected) in [(&first, false), (&first, true), (&second, false)] {
        bob.run("SAVEPOINT entry");
        let verdict = process(&mut bob, &mut others, outgoing);
        assert_eq!(verdict.changed_nothing(), expected, "{verdict:?}");
        if verdict.changed_nothing() {
            assert_eq!(verdict, Verdict::Void(Void::NotOpened));
            bob.run("ROLLBACK TO entry");
            bob.lend(|provider, _| others.restore(provider)).unwrap();
        }
        bob.run("RELEASE entry");
    }
    bob.keep(&others);
    bob.run("COMMIT");
    assert_eq!(bob.load().unwrap().authenticator(), group.authenticator());
}

#[test]
fn without_the_key_the_database_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(pair(folder.path()));
    let count = |key| open(&folder.path().join("ada"), key).query_row("SELECT count(*) FROM own", [], |row| row.get(0));
    assert_eq!(count("secret"), Ok(1));
    assert!(count("guessed").is_err());
    let bytes = std::fs::read(folder.path().join("ada")).unwrap();
    assert!(!bytes.starts_with(b"SQLite format 3"), "it is encrypted");
}
