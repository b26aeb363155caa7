//! What a node does not start on, what stops it, and what it tells its operator.

use std::fs;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waxwing_net::wire::{Admission, Hindrance, List, Request, Response};
use waxwing_node::config::NodeConfig;
use waxwing_node::directory::{Directory, DirectoryError};
use waxwing_node::{Fault, StartError, start_on};
use waxwing_store::memory::{Fault as DiskFault, MemoryTables};
use waxwing_store::{OpenError, Options, Store};

use crate::client::Client;
use crate::world::{Running, World, Writer, config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_on_the_same_directory_is_refused() {
    let world = World::new();
    let node = world.validator().await;
    let error = Directory::open(node.place.path()).unwrap_err();
    assert!(matches!(error, DirectoryError::Busy { .. }), "{error}");
    let (place, config) = node.stop().await;
    world.run(place, config).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_of_a_running_node_is_opened_by_nobody_else() {
    let world = World::new();
    let node = world.validator().await;
    let database = node.place.path().join("db");
    let refused = Store::open(&database, &Options::default()).unwrap_err();
    assert_eq!((&refused.directory, refused.error), (&database, OpenError::Locked));
}

/// Copies the files of a database, as an operator's backup would.
fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_the_ledger_under_a_validator_is_refused() {
    let world = World::new();
    let node = world.validator().await;
    let mut writer = Writer::new(&world, 1);
    Client::to(&world, &node).await.submit_one(&writer.seal(b"one")).await;
    node.handle.until_height(1).await.unwrap();
    let (place, config) = node.stop().await;
    let older = tempfile::tempdir().unwrap();
    copy_files(&place.path().join("db"), older.path());
    let node = world.run(place, config).await;
    Client::to(&world, &node).await.submit_one(&writer.seal(b"two")).await;
    node.handle.until_height(2).await.unwrap();
    let (place, config) = node.stop().await;
    fs::remove_dir_all(place.path().join("db")).unwrap();
    copy_files(older.path(), &place.path().join("db"));
    let refused = world.try_run(&place, &config).await.unwrap_err();
    assert!(matches!(refused, StartError::RolledBack { announced: 2 }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_another_network_is_refused() {
    let world = World::new();
    let node = world.validator().await;
    let (place, config) = node.stop().await;
    let mut genesis = world.genesis.clone();
    genesis.name = "other".to_owned();
    fs::write(
        place.path().join("genesis"),
        waxwing_core::codec::Encode::to_bytes(&genesis),
    )
    .unwrap();
    let refused = world.try_run(&place, &config).await.unwrap_err();
    assert!(matches!(refused, StartError::OtherNetwork), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_refused_by_name() {
    let world = World::new();
    let node = world.validator().await;
    let place = tempfile::tempdir().unwrap();
    Directory::found(place.path(), &world.genesis, None, &NodeConfig::default()).unwrap();
    let taken = NodeConfig {
        listen: node.handle.address(),
        ..config()
    };
    let refused = world.try_run(&place, &taken).await.unwrap_err();
    assert!(
        refused.to_string().contains(&node.handle.address().to_string()),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_stops_the_node_before_anything_is_announced() {
    let world = World::new();
    let place = tempfile::tempdir().unwrap();
    Directory::found(place.path(), &world.genesis, Some(&world.vote), &NodeConfig::default()).unwrap();
    let tables = MemoryTables::new();
    let store = Store::create_on(tables.clone(), &world.genesis).unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let handle = start_on(directory, &config(), world.clock.clone(), store)
        .await
        .unwrap();
    let node = Running {
        handle,
        place,
        config: config(),
    };
    let client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    assert_eq!(client.submit_one(&writer.seal(b"good")).await, Admission::Taken);
    node.handle.until_height(1).await.unwrap();
    tables.fail(0, DiskFault::Refused);
    assert_eq!(client.submit_one(&writer.seal(b"lost")).await, Admission::Taken);
    let fault = tokio::time::timeout(Duration::from_secs(60), node.handle.failed())
        .await
        .unwrap();
    assert!(matches!(fault, Some(Fault::Store(_))), "{fault:?}");
    assert_eq!(node.handle.tip().height, 1);
}

/// What the node's page says, headers and all.
pub(crate) async fn fetch(node: &Running, path: &str) -> String {
    let mut stream = TcpStream::connect(node.handle.http().unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_status_and_figures_are_on_loopback() {
    let world = World::new();
    let node = world
        .validator_with(|config| config.http = Some(([127, 0, 0, 1], 0).into()))
        .await;
    let client = Client::to(&world, &node).await;
    client.submit_one(&Writer::new(&world, 1).seal(b"x")).await;
    node.handle.until_height(1).await.unwrap();
    assert!(fetch(&node, "/livez").await.starts_with("HTTP/1.1 200"));
    let ready = fetch(&node, "/readyz?verbose").await;
    assert!(
        ready.starts_with("HTTP/1.1 200")
            && ready.contains("[+] quorum")
            && ready.contains("[+] sync")
            && ready.ends_with("ready\n"),
        "{ready}"
    );
    let status = fetch(&node, "/status").await;
    assert!(
        status.contains("\"schema\":\"waxwing.status/1\"") && status.contains("\"height\":1"),
        "{status}"
    );
    let metrics = fetch(&node, "/metrics").await;
    assert!(metrics.contains("waxwing_ledger_height 1\n"), "{metrics}");
    assert!(
        metrics.contains("waxwing_intake_envelopes_total{outcome=\"taken\"} 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("waxwing_connections 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_reaches_nobody_lives_and_is_not_ready() {
    let world = World::new();
    let place = tempfile::tempdir().unwrap();
    let config = NodeConfig {
        http: Some(([127, 0, 0, 1], 0).into()),
        ..config()
    };
    Directory::found(place.path(), &world.genesis, None, &config).unwrap();
    let node = world.run(place, config).await;
    assert!(fetch(&node, "/livez").await.starts_with("HTTP/1.1 200"));
    let ready = fetch(&node, "/readyz").await;
    assert!(
        ready.starts_with("HTTP/1.1 503") && ready.contains("[-] upstreams"),
        "{ready}"
    );
    let asked = Client::to(&world, &node).await.ask(Request::Ready).await;
    let nobody = List::new(vec![Hindrance::NoUpstream { known: 0 }]).unwrap();
    assert_eq!(asked, Ok(Response::Ready(nobody)));
}
