//! Backups: what comes back, what never was in them, and what is refused.

use super::*;
use crate::error::Error;
use crate::store::backup::BackupError;

fn other() -> Passphrase {
    Passphrase::new("of the backup alone").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_comes_back_in_another_home_and_nothing_can_be_said_there() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = super::groups::group(&world, &node, &["Ada", "Ben"]).await;
    let (ada, channel) = (&members[0].person, members[0].channel);
    ada.say_finally(channel, "before").await;
    ada.client.rename_group(channel, "later").await.unwrap();
    until("the epoch is over", async || {
        ada.client.group(channel).await.unwrap().unwrap().epoch > 1
    })
    .await;
    let after = ada.say_finally(channel, "after the epoch").await;
    let edited = ada.client.edit(after.id, "after the first epoch").await.unwrap();
    ada.client.settle(edited, PATIENCE).await.unwrap();
    ada.client.stop();
    ada.say(channel, "on its way").await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waxwing.backup");
    let made = ada.client.back_up(&file, other()).await.unwrap();
    assert_eq!((made.channels, made.left_out), (1, 1), "{made:?}");
    assert_eq!(
        ada.client.back_up(&file, other()).await,
        Err(Error::Backup(BackupError::Exists))
    );

    let home = Person::new("Ada on another device").await;
    let refused = home.client.restore(&file, passphrase()).await;
    assert_eq!(refused, Err(Error::Backup(BackupError::NotOpened)));
    assert!(
        home.client.channels().await.unwrap().is_empty(),
        "and nothing has changed"
    );
    let taken = home.client.restore(&file, other()).await.unwrap();
    assert_eq!((taken.channels, taken.messages), (made.channels, made.messages));
    let archive = home.client.channels().await.unwrap()[0].id;
    let texts = async |client: &Client, channel| -> Vec<String> {
        let views = client.read(channel, Range::Last(100)).await.unwrap();
        views
            .into_iter()
            .filter(|view| view.state == Ladder::Final)
            .filter_map(|view| view.text)
            .collect()
    };
    assert_eq!(texts(&home.client, archive).await, texts(&ada.client, channel).await);
    let words = crate::Query {
        words: vec!["first epoch".to_owned()],
        channel: None,
        most: 10,
    };
    let found = home.client.search(words).await.unwrap();
    assert_eq!(found.len(), 1, "it can be searched");
    let said = home.client.send(archive, Draft::text("anybody?").unwrap()).await;
    assert_eq!(said, Err(Error::Archived));
    let again = home.client.restore(&file, other()).await.unwrap();
    assert_eq!((again.channels, again.messages), (0, 0), "twice is as once");
    home.client.start();
    let receipt = home.client.read(archive, Range::Last(5)).await.unwrap()[0].id;
    assert!(
        home.client.receipt(receipt).await.is_ok(),
        "its place can still be proven"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_comes_back_as_read_and_how_the_conversation_was_used_comes_too() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = super::groups::group(&world, &node, &["Ada", "Ben"]).await;
    let (ada, ben) = (&members[0], &members[1]);
    ada.person.client.set_receipts(ada.channel, true).await.unwrap();
    for words in ["one", "two"] {
        ben.person.say_finally(ben.channel, words).await;
    }
    ada.refresh().await;
    let views = ada.person.client.channels().await.unwrap();
    assert_eq!(views[0].unread, 2);
    let newest = ada.person.client.read(ada.channel, Range::Last(1)).await.unwrap()[0].id;
    ada.person.client.mark_read(ada.channel, newest).await.unwrap();
    ben.person.say_finally(ben.channel, "three").await;
    ada.refresh().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waxwing.backup");
    ada.person.client.back_up(&file, other()).await.unwrap();

    let home = Person::new("Ada on another device").await;
    home.client.restore(&file, other()).await.unwrap();
    let views = home.client.channels().await.unwrap();
    assert_eq!(views[0].unread, 1, "what was said last");
    assert!(home.client.manners(views[0].id).await.unwrap().receipts);

    // A backup of the first version says nothing of that: what it holds was there to be read.
    let database = rusqlite::Connection::open(&file).unwrap();
    database.pragma_update(None, "key", "of the backup alone").unwrap();
    database
        .execute_batch("UPDATE meta SET version = 1; DROP TABLE unread; DROP TABLE manner;")
        .unwrap();
    drop(database);
    let home = Person::new("Ada on a third device").await;
    home.client.restore(&file, other()).await.unwrap();
    assert_eq!(home.client.channels().await.unwrap()[0].unread, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_backup_is_refused_and_left_as_it_is() {
    let ada = Person::new("Ada").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    std::fs::write(&file, b"dear Ben").unwrap();
    assert_eq!(
        ada.client.restore(&file, other()).await,
        Err(Error::Backup(BackupError::NotOpened))
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"dear Ben");
    let missing = ada.client.restore(&folder.path().join("missing"), other()).await;
    assert_eq!(
        missing,
        Err(Error::Backup(BackupError::File(std::io::ErrorKind::NotFound)))
    );
    let nowhere = ada
        .client
        .back_up(&folder.path().join("no").join("folder"), other())
        .await;
    assert!(
        matches!(nowhere, Err(Error::Backup(BackupError::File(_)))),
        "{nowhere:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_in_a_backup() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = super::groups::group(&world, &node, &["Ada", "Ben"]).await;
    let ada = &members[0].person;
    ada.say_finally(members[0].channel, "hello").await;
    ada.client.stop();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waxwing.backup");
    ada.client.back_up(&file, other()).await.unwrap();
    // Read with the format's own key, as its tool does, and searched cell by cell.
    let database = rusqlite::Connection::open(&file).unwrap();
    database.pragma_update(None, "key", "of the backup alone").unwrap();
    let cells = cells_of(&database);
    let core = std::sync::Arc::clone(&ada.client.core);
    let secrets: Vec<(&str, Vec<u8>)> = core
        .read::<_, crate::store::StoreError>(|tx| {
            let one = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, Vec<u8>>(0));
            Ok(vec![
                ("device seed", one("SELECT seed FROM device")?),
                ("log seed", one("SELECT secret FROM channel WHERE kind = 1")?),
                ("words", one("SELECT entropy FROM account")?),
            ])
        })
        .await
        .unwrap();
    let holds = |secret: &[u8]| {
        cells
            .iter()
            .any(|cell| cell.windows(secret.len()).any(|part| part == secret))
    };
    let log: Vec<u8> = core
        .read::<_, crate::store::StoreError>(|tx| {
            Ok(tx.query_row("SELECT log FROM channel WHERE kind = 1", [], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert!(holds(&log), "what is there is found");
    for (what, secret) in secrets {
        assert!(!holds(&secret), "{what}");
    }
    let tables: Vec<String> = database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(
        !tables
            .iter()
            .any(|table| table.starts_with("openmls") || table == "device"),
        "{tables:?}"
    );
}

fn cells_of(database: &rusqlite::Connection) -> Vec<Vec<u8>> {
    let mut cells = Vec::new();
    let tables: Vec<String> = database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for table in tables {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Blob(bytes) | rusqlite::types::ValueRef::Text(bytes) => {
                        cells.push(bytes.to_vec());
                    }
                    _ => {}
                }
            }
        }
    }
    cells
}
