//! The stream of changes that bots and other screens live on: taken up again after every kill, nothing is missed and
//! nothing comes twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use waxwing_system::command::{done, json, list, number, refusal, run, text};
use waxwing_system::den::{CHANNEL, Den};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

/// A reader of changes, as a bot would be written: it keeps the number of the last whole line that it has read.
#[derive(Default)]
struct Bot {
    after: u64,
    /// Every change in the order in which it came.
    seen: Vec<Value>,
}

impl Bot {
    fn start(&self, person: &Person) -> Running {
        Running::start(&mut person.chat(&["tail", CHANNEL, "--json", "--after", &self.after.to_string()]))
    }

    /// Takes a line, if it is one of standard output.
    fn take(&mut self, line: &str) {
        // The last line before a kill may be half a line: it was not read.
        let Ok(change) = serde_json::from_str::<Value>(line) else {
            return;
        };
        assert_eq!(text(&change, "/schema"), "waxwing.chat.tail/1");
        let number = number(&change, "/change");
        assert!(number > self.after, "change {number} came after {}", self.after);
        self.after = number;
        self.seen.push(change);
    }

    /// Reads until the reader has seen this text as final.
    fn until_final(&mut self, running: &mut Running, words: &str) {
        loop {
            self.take(&running.line_with("\"schema\""));
            let last = self.seen.last().expect("a line was taken");
            if last["text"] == words && last["state"] == "final" {
                return;
            }
        }
    }
}

/// The last thing that was said of each message, by its own changes or by those of others to it: what a program that
/// follows the stream knows.
fn known(changes: &[Value]) -> BTreeMap<u64, Value> {
    let mut known = BTreeMap::new();
    for change in changes {
        let target = change.get("target").filter(|target| !target.is_null());
        for said in [Some(change), target].into_iter().flatten() {
            known.insert(number(said, "/id"), said.clone());
        }
    }
    known
}

#[test]
fn a_tail_that_is_killed_and_taken_up_again_misses_and_doubles_nothing() {
    let Den { ann, ben, .. } = &Den::new();
    let mut bot = Bot::default();
    for round in 0..6 {
        let mut running = bot.start(ben);
        running.line_with("waiting for messages");
        ann.send(CHANNEL, &format!("before {round}"));
        let words = format!("own {round}");
        ben.send(CHANNEL, &words);
        // While nobody listens something happens as well, and what was printed before the kill counts as read.
        bot.until_final(&mut running, &words);
        done(&mut ben.chat(&["react", CHANNEL, "0", &format!("r{round}")]));
        ann.send(CHANNEL, &format!("while it dies {round}"));
        for line in running.kill_and_read() {
            bot.take(&line);
        }
        done(&mut ann.chat(&["edit", "den#0", &format!("edited {round}")]));
        ben.queue(CHANNEL, &format!("queued {round}"));
    }
    let mut running = bot.start(ben);
    running.line_with("waiting for messages");
    ann.send(CHANNEL, "the end");
    bot.until_final(&mut running, "the end");
    // The outbox empties while the tail runs; what is still to come is read before it is asked to end.
    until("nothing waits any more", || {
        let channels = json(&mut ben.chat(&["channels"]));
        (number(&channels, "/channels/0/waiting") == 0).then_some(())
    });
    let everything = Bot::default();
    let mut whole = everything.start(ben);
    let mut fresh = Bot::default();
    whole.line_with("waiting for messages");
    ann.send(CHANNEL, "really the end");
    fresh.until_final(&mut whole, "really the end");
    bot.until_final(&mut running, "really the end");

    // Who followed in pieces knows what somebody knows who reads it all at once.
    let (pieces, whole) = (known(&bot.seen), known(&fresh.seen));
    assert_eq!(pieces.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (id, change) in &whole {
        let same = ["/state", "/text", "/log_index", "/change", "/kind", "/about"];
        for field in same {
            assert_eq!(pieces[id].pointer(field), change.pointer(field), "{field} of {id}");
        }
    }
    let finals: Vec<u64> = bot
        .seen
        .iter()
        .filter(|change| change["state"] == "final")
        .map(|change| number(change, "/log_index"))
        .collect();
    let distinct: BTreeSet<_> = finals.iter().collect();
    assert_eq!(distinct.len(), finals.len(), "no message became final twice");
    let entries = number(&ben.read(CHANNEL), "/channel/entries");
    assert_eq!(u64::try_from(finals.len()), Ok(entries), "and none was left out");
}

#[test]
fn steps_reactions_edits_and_retractions_arrive_as_changes_with_what_they_did() {
    let mut den = Den::new();
    let (ann, ben) = (den.ann.clone(), den.ben.clone());
    let mut bot = Bot::default();
    let mut running = bot.start(&ann);
    running.line_with("waiting for messages");
    // Without a node the first step is all there is.
    den.node.kill();
    ann.queue(CHANNEL, "roses");
    bot.take(&running.line_with("\"schema\""));
    den.node.start();
    bot.until_final(&mut running, "roses");
    let steps: Vec<_> = bot.seen.iter().map(|change| text(change, "/state")).collect();
    assert!(
        steps.starts_with(&["queued"]) && steps.ends_with(&["final"]),
        "{steps:?}"
    );
    assert!(bot.seen.iter().all(|change| change["target"].is_null()));
    assert!(!ben.read(CHANNEL).is_null());

    json(&mut ben.chat(&["react", CHANNEL, "0", "🌹"]));
    bot.until_final(&mut running, "🌹");
    let last = bot.seen.last().cloned().unwrap_or_default();
    assert_eq!(
        (text(&last, "/kind"), text(&last, "/target/text")),
        ("reaction", "roses")
    );
    assert_eq!(text(&last, "/target/reactions/0/emoji"), "🌹");
    json(&mut ann.chat(&["edit", "den#0", "tulips"]));
    bot.until_final(&mut running, "tulips");
    let last = bot.seen.last().cloned().unwrap_or_default();
    assert_eq!((text(&last, "/kind"), text(&last, "/target/text")), ("edit", "tulips"));
    json(&mut ann.chat(&["retract", "den#0", "--yes"]));
    let line = running.line_with("\"kind\":\"retraction\"");
    let change: Value = serde_json::from_str(&line).unwrap_or_default();
    assert_eq!(
        (&change["target"]["retracted"], &change["target"]["text"]),
        (&Value::Bool(true), &Value::Null)
    );
    assert_eq!(change["target"]["id"], bot.seen[0]["id"]);
    running.interrupt();
    let (status, said) = running.end();
    assert!(status.success(), "{said}");
}

#[test]
fn a_number_that_this_home_never_gave_is_refused_and_the_last_ones_are_counted() {
    let Den { ann, .. } = &Den::new();
    for number in 0..5 {
        ann.send(CHANNEL, &number.to_string());
    }
    let mut tail = Running::start(&mut ann.chat(&["tail", CHANNEL, "--json", "--last", "2"]));
    tail.line_with("waiting for messages");
    tail.line_with("\"text\":\"3\"");
    tail.line_with("\"text\":\"4\"");
    assert!(!tail.so_far().contains("\"text\":\"2\""));
    drop(tail);
    let (code, line) = refusal(&mut ann.chat(&["tail", CHANNEL, "--json", "--after", "999999"]));
    assert_eq!(code, 2);
    assert!(line.contains("the newest change of this home is"), "{line}");
    for wrong in ["-1", "x"] {
        let said = run(&mut ann.chat(&["tail", CHANNEL, &format!("--after={wrong}")]));
        assert_eq!(said.code, Some(2), "{}", said.err);
    }
    let said = run(&mut ann.chat(&["tail", CHANNEL, "--after", "1", "--last", "1"]));
    assert!(said.err.contains("cannot be used with"), "{}", said.err);
    // For people it prints what became final since.
    let mut tail = Running::start(&mut ann.chat(&["tail", CHANNEL, "--after", "0"]));
    tail.line_with("ann  4");
    assert_eq!(list(&ann.read(CHANNEL), "/messages").len(), 5);
}
