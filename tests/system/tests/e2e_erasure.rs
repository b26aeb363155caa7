//! A message that its author erased: the body is gone from every honest node, and everything that was proven about it
//! stays proven.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use waxwing_light::{Client, Options, Passphrase};
use waxwing_system::command::{self, list, number, run, text, verdict, waxwing};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::until::until;

/// The command that erases takes the message back as well; here it is erased alone, by this test in the same home.
fn erase(person: &Person, entry: &str) {
    let passphrase = Passphrase::from_file(&person.passphrase_file()).unwrap();
    let options = Options::new(&person.home().join("chat"), passphrase);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = Client::open(options).await.unwrap();
        let channel = client.find_channel("den").await.unwrap();
        let message = client.find_message(channel, entry).await.unwrap();
        client.erase(message).await.unwrap();
        client.refresh().await.unwrap();
    });
}

fn audited(directory: &Path, policy: &Path) -> (u64, u64) {
    let mut audit = waxwing(directory);
    let (code, report) = verdict(audit.args(["audit", "run"]).arg(directory).arg("--policy").arg(policy));
    assert_eq!((code, text(&report, "/verdict")), (0, "VERIFIED"), "{report}");
    (
        number(&report, "/figures/bodies_present"),
        number(&report, "/figures/bodies_erased"),
    )
}

/// Asserts that a receipt still convinces somebody who has nothing but the policy.
fn holds(receipt: &Path, policy: &Path) {
    let mut verifier = Command::new(waxwing_system::program("waxwing-verify"));
    let said = run(verifier.arg(receipt).arg("--policy").arg(policy));
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
}

fn bodies(person: &Person) -> Vec<String> {
    let read = person.read("den");
    let body = |message: &Value| text(message, "/body").to_owned();
    list(&read, "/messages").iter().map(body).collect()
}

/// The place is known and final, and nobody is blamed for the body that is not there.
fn sees_that_it_was_erased(person: &Person) {
    assert_eq!(bodies(person), ["here", "erased", "here"]);
    let read = person.read("den");
    let erased = list(&read, "/messages").get(1).unwrap();
    assert_eq!(
        (number(erased, "/log_index"), text(erased, "/state")),
        (1, "final"),
        "{erased}"
    );
    assert!(
        erased["text"].is_null() && list(erased, "/exceptions").is_empty(),
        "{erased}"
    );
}

#[test]
fn an_erased_body_is_gone_everywhere_and_every_proof_of_it_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let network = Network::found(&at("network"), "erasure");
    let mut validator = Node::validator(&at("validator"), &network);
    validator.start();
    let mut follower = Node::follower(&at("follower"), &network, &[&validator.address()]);
    follower.start();
    let [ann, ben, cyd] = ["ann", "ben", "cyd"].map(|name| Person::new(folder.path(), name));
    ann.open("den", &network.genesis_file(), &[&validator.address()]);
    let link = ann.invite("den");
    ben.open("of his own", &network.genesis_file(), &[&follower.address()]);
    ben.join(&link);
    for words in ["one", "a mistake", "three"] {
        ann.send("den", words);
    }
    assert_eq!(bodies(&ben), ["here", "here", "here"]);
    let receipt = at("receipt");
    command::json(ben.chat(&["receipt", "den#1", "--out"]).arg(&receipt));

    erase(&ann, "#1");
    for node in [&validator, &follower] {
        until("the node has dropped the body", || {
            (node.figure("waxwing_bodies_dropped_total{kind=\"erased\"}") == 1).then_some(())
        });
    }
    // Who joins now gets the place, its proof and the excuse; who had read it before keeps what they read.
    cyd.open("of her own", &network.genesis_file(), &[&follower.address()]);
    cyd.join(&link);
    sees_that_it_was_erased(&cyd);
    assert_eq!(bodies(&ann), ["here", "erased", "here"]);
    // The conversation goes on, and a receipt that is made now holds as the one from before does.
    ben.send("den", "four");
    assert_eq!(list(&cyd.read("den"), "/messages").len(), 4);
    let (later, policy) = (at("later"), at("policy"));
    command::json(cyd.chat(&["receipt", "den#1", "--out"]).arg(&later));
    network.policy(&policy, None);
    holds(&receipt, &policy);
    holds(&later, &policy);

    follower.until_height(number(&validator.status(), "/height"));
    follower.stop();
    validator.stop();
    let bundle = at("bundle");
    command::done(
        waxwing(folder.path())
            .arg("export")
            .arg(follower.directory())
            .arg("--out")
            .arg(&bundle),
    );
    for source in [validator.directory(), follower.directory(), bundle] {
        assert_eq!(audited(&source, &policy), (3, 1), "{}", source.display());
    }
}
