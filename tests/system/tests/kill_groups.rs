//! `kill -9` of members of a group at moments drawn by lot: while they send, change the group, come in and read. Fifty strikes
//! here. Five hundred:
//!
//! ```text
//! WAXWING_KILLS=500 cargo test -p waxwing-system --test kill_groups -- --nocapture
//! ```
//!
//! In the end nothing that was queued is lost, nothing is there twice, everything opens for everybody (a ratchet's key that was
//! used for two messages would open the first alone), all are in one epoch with one authenticator, and whatever anybody says
//! then gets through. A failure names its plan; the same variables draw the same victims and moments, and the machine decides
//! what happens in them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use waxwing_rules::chance::Chance;
use waxwing_system::command::{done, json, list, number, text};
use waxwing_system::kills::Plan;
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

const PLANS: &str = "plans";

/// Within this time after a process was started it dies: as long as most commands take.
const MOMENTS_US: u64 = 600_000;

/// Those who are in before anything is said.
const FOUNDERS: usize = 3;

/// People who come later, each killed while it asks and once more while it waits.
const NEWCOMERS: [&str; 4] = ["dora", "emil", "fay", "gus"];

/// What a victim was doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Sending,
    Committing,
    Receiving,
    /// One that delivers and reads for as long as it lives.
    Listening,
}

const ROUND: [Doing; 6] = [
    Doing::Sending,
    Doing::Committing,
    Doing::Sending,
    Doing::Listening,
    Doing::Committing,
    Doing::Receiving,
];

struct Said {
    words: String,
    by: String,
    is_certain: bool,
}

/// A node, a group, and what was said in it.
struct World {
    _node: Node,
    people: Vec<Person>,
    chance: Chance,
    said: Vec<Said>,
    killed: [u32; 5],
    folder: TempDir,
}

impl World {
    fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::found_cheap(&folder.path().join("network"), "kills");
        let mut node = Node::validator(&folder.path().join("validator"), &network);
        node.start();
        let [ada, ben, cleo] = ["ada", "ben", "cleo"].map(|name| Person::new(folder.path(), name));
        ada.found(PLANS, &network.genesis_file(), &[&node.address()]);
        let mut world = Self {
            _node: node,
            people: vec![ada],
            chance: Chance::new(plan.seed),
            said: Vec::new(),
            killed: [0; 5],
            folder,
        };
        for person in [ben, cleo] {
            let link = world.people[0].invite(PLANS);
            let mut joining = Running::start(&mut asking(&person, &link));
            world.lets_in(&mut joining);
            world.people.push(person);
        }
        world
    }

    /// Ada is connected until somebody's `join` has ended well.
    fn lets_in(&self, joining: &mut Running) {
        let _ada = self.people[0].tail(PLANS);
        until("somebody is let in", || joining.is_over().then_some(()));
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.chance.below(MOMENTS_US))
    }

    fn strike(&mut self, doing: Doing) {
        let who = self.chance.place(self.people.len());
        let moment = self.moment();
        match doing {
            Doing::Sending => {
                let words = format!("{} by {}", self.said.len(), self.people[who].name);
                let mut command = self.people[who].chat(&["send", PLANS, &words]);
                if self.chance.once_in(3) {
                    command.arg("--no-wait");
                }
                let printed = killed_after(&mut command, moment);
                self.said.push(Said {
                    words,
                    by: self.people[who].name.clone(),
                    is_certain: printed.contains("queued"),
                });
                self.killed[0] += 1;
            }
            Doing::Committing => {
                let role = if self.chance.once_in(2) { "admin" } else { "member" };
                killed_after(&mut self.people[0].chat(&["role", PLANS, "ben", role]), moment);
                self.killed[1] += 1;
            }
            Doing::Receiving => {
                killed_after(&mut self.people[who].chat(&["read", PLANS]), moment);
                self.killed[2] += 1;
            }
            Doing::Listening => {
                killed_after(&mut self.people[who].chat(&["tail", PLANS, "--json"]), moment);
                self.killed[3] += 1;
            }
        }
    }

    /// Somebody comes in, killed twice on the way, and whoever lets in as well.
    fn newcomer(&mut self, name: &str) {
        let person = Person::new(self.folder.path(), name);
        let link = self.people[0].invite(PLANS);
        for _ in 0..2 {
            let moment = self.moment();
            let mut letting_in = Running::start(&mut self.people[0].chat(&["tail", PLANS, "--json"]));
            killed_after(&mut asking(&person, &link), moment);
            let _ = letting_in.so_far();
            letting_in.kill();
            self.killed[4] += 2;
        }
        let mut joining = Running::start(&mut asking(&person, &link));
        self.lets_in(&mut joining);
        let members = json(&mut person.chat(&["members", PLANS]));
        assert_eq!(text(&members, "/group/standing"), "member", "{name}: {}", joining.all());
        self.people.push(person);
    }

    /// Everybody sends what is left, and reads; the founder's conversation is returned.
    fn settle(&self) -> Vec<Value> {
        for _ in 0..2 {
            for person in &self.people {
                until("the outbox is empty", || {
                    done(&mut person.chat(&["read", PLANS]));
                    let channels = json(&mut person.chat(&["channels"]));
                    (number(&channels, "/channels/0/waiting") == 0).then_some(())
                });
            }
        }
        list(&self.people[0].read(PLANS), "/messages").to_vec()
    }

    /// The epochs in which members are found, one after the other. Two of them in one epoch have one authenticator at any
    /// moment: waited for is only that those who are behind have read what the others did between two looks.
    fn epochs(&self) -> BTreeSet<u64> {
        let mut seen: BTreeMap<u64, (&str, String)> = BTreeMap::new();
        for person in &self.people {
            let members = json(&mut person.chat(&["members", PLANS]));
            assert_eq!(text(&members, "/group/standing"), "member", "{}", person.name);
            let (epoch, own) = (number(&members, "/group/epoch"), text(&members, "/group/authenticator"));
            let (who, theirs) = seen.entry(epoch).or_insert_with(|| (&person.name, own.to_owned()));
            assert_eq!(
                own, theirs,
                "{} and {who} are in two groups of epoch {epoch}",
                person.name
            );
        }
        seen.into_keys().collect()
    }

    fn check(&mut self) -> usize {
        self.settle();
        for who in 0..self.people.len() {
            let words = format!("the last words of {}", self.people[who].name);
            let sent = self.people[who].send(PLANS, &words);
            assert!(is_final(&sent, "/message/state"), "a channel is stuck: {sent}");
            self.said.push(Said {
                words,
                by: self.people[who].name.clone(),
                is_certain: true,
            });
        }
        let conversation = self.settle();
        let all = words_of(&conversation);
        for said in &self.said {
            let line = format!("{}: {}", said.by, said.words);
            let times = all.iter().filter(|one| **one == line).count();
            assert!(times <= 1, "{line:?} is there {times} times");
            assert!(times == 1 || !said.is_certain, "{line:?} was queued, and is lost");
        }
        for (who, person) in self.people.iter().enumerate() {
            let own = words_of(list(&person.read(PLANS), "/messages"));
            // Whoever came later has the end of it.
            assert!(
                !own.is_empty() && all.ends_with(&own),
                "{}: {own:?} of {all:?}",
                person.name
            );
            assert!(
                who >= FOUNDERS || own.len() == all.len(),
                "{} lacks something",
                person.name
            );
        }
        // Whoever came late renews keys by and by: looked at while one does, it is an epoch ahead.
        until("all are in one epoch", || self.epochs().len().eq(&1).then_some(()));
        all.len()
    }
}

fn asking(person: &Person, link: &str) -> Command {
    person.chat(&["join", link, "--as", &person.name])
}

/// Starts something and kills it; what it had printed.
fn killed_after(command: &mut Command, moment: Duration) -> String {
    let running = Running::start(command);
    thread::sleep(moment);
    running.kill_and_read().join("\n")
}

fn is_final(value: &Value, path: &str) -> bool {
    ["final", "seen-by-all"].contains(&text(value, path))
}

/// Who said what. An entry that does not open would be an honest message lost: nobody else writes here.
fn words_of(messages: &[Value]) -> Vec<String> {
    let said = messages.iter().filter(|message| message.get("event").is_none());
    let words = said.map(|message| {
        let words = message["text"].as_str();
        let words = words.unwrap_or_else(|| text(message, "/body"));
        assert_eq!(text(message, "/body"), "here", "{message}");
        assert!(is_final(message, "/state"), "{message}");
        format!("{}: {words}", text(message, "/author/name"))
    });
    words.collect()
}

#[test]
fn members_who_are_killed_at_any_moment_lose_nothing_double_nothing_and_go_on() {
    let plan = Plan::from_environment(50);
    println!("{plan}");
    let mut world = World::new(&plan);
    let each = (plan.kills / 5).max(1);
    for strike in 0..plan.kills {
        world.strike(ROUND[usize::try_from(strike).unwrap() % ROUND.len()]);
        if strike % each == each - 1
            && let Some(name) = NEWCOMERS.get(usize::try_from(strike / each).unwrap())
        {
            world.newcomer(name);
        }
    }
    let messages = world.check();
    let certain = world.said.iter().filter(|said| said.is_certain).count();
    println!(
        "killed: {} sending, {} committing, {} reading, {} listening, {} letting in or coming in; {} said, {certain} for \
         certain, {messages} there, each once, opened by everybody",
        world.killed[0],
        world.killed[1],
        world.killed[2],
        world.killed[3],
        world.killed[4],
        world.said.len()
    );
    if plan.kills >= 12 {
        assert!(world.killed.iter().all(|count| *count > 0), "somebody was spared");
        assert!(certain > world.people.len(), "nothing was at stake");
    }
}
