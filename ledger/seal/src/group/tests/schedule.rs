//! Random schedules: members who talk, commit against each other, sleep, come and go, and liars who post things twice,
//! late or in another's name, in whatever order the ledger gives it. In the end all who are left have read the same.
//!
//! It has found: a device that said twice that it wishes to leave knew its wish by the second id only, called the commit
//! void that removed it after the first, and stayed behind in an epoch of its own.

use std::collections::BTreeSet;

use super::*;
use crate::DeviceId;
use crate::sealer::{disclose, enclose};

const SCHEDULES: u64 = 60;
const STEPS: usize = 60;

/// What happened, so that a run in which nothing does is noticed.
#[derive(Default, Debug)]
struct Tally {
    closed: usize,
    lost_races: usize,
    left_behind: usize,
    void: usize,
    removed: usize,
    joined: usize,
}

struct Play {
    dice: Dice,
    ledger: Ledger,
    devices: Vec<Device>,
    /// Welcomes to commits that are not final, by their author, and for whom they are.
    waiting: BTreeMap<usize, (Welcome, DeviceId)>,
    /// Welcomes that were sent, and to whom.
    welcomes: Vec<(Welcome, DeviceId)>,
    /// Who has a commit on the way.
    racing: BTreeSet<usize>,
    /// Who has not been a member all the time: what it had said when it was removed is lost with it.
    was_out: BTreeSet<usize>,
    /// What stands at each place of each log, as the first reader saw it.
    transcript: BTreeMap<(LogId, usize), String>,
    said_by: Vec<Vec<String>>,
    /// Texts by the id they were sealed with, to be sealed again when an epoch ends without them.
    texts: BTreeMap<Hash, String>,
    said: usize,
    tally: Tally,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let people = u8::try_from(3 + dice.below(4)).unwrap();
        let (ledger, devices) = channel_by(people, seed + 1);
        Self {
            dice,
            ledger,
            devices,
            waiting: BTreeMap::new(),
            welcomes: Vec::new(),
            racing: BTreeSet::new(),
            was_out: BTreeSet::new(),
            transcript: BTreeMap::new(),
            said_by: vec![Vec::new(); usize::from(people)],
            texts: BTreeMap::new(),
            said: 0,
            tally: Tally::default(),
        }
    }

    fn step(&mut self) {
        let actor = self.dice.below(self.devices.len());
        match self.dice.below(16) {
            0..3 => self.say(actor),
            3..5 => self.change(actor, &Change::default()),
            5..7 => self.remove_or_leave(actor),
            7..10 => self.add_back(actor),
            10 => self.repost(actor),
            _ => {
                for _ in 0..self.dice.below(6) {
                    self.read(actor);
                }
            }
        }
    }

    fn say(&mut self, actor: usize) {
        if self.devices[actor].follows() {
            self.said += 1;
            let text = self.said.to_string();
            self.said_by[actor].push(text.clone());
            self.send(actor, text);
        }
    }

    fn send(&mut self, actor: usize, text: String) {
        if !self.devices[actor].follows() {
            return;
        }
        let outgoing = self.devices[actor].seal(&text);
        self.texts.insert(outgoing.id, text);
        self.ledger.post(&outgoing.sealed);
    }

    /// A commit, if the rules allow it where this device stands; it may be overtaken all the same.
    fn change(&mut self, actor: usize, change: &Change) {
        if !self.devices[actor].follows() {
            return;
        }
        if let Ok(proposed) = self.devices[actor].propose(change) {
            self.ledger.post(&proposed.outgoing.sealed);
            self.racing.insert(actor);
            let newcomer = change.add.first().map(|offer| offer.member().device);
            if let Some(waiting) = proposed.welcome.zip(newcomer) {
                self.waiting.insert(actor, waiting);
            }
        }
    }

    /// The admin removes somebody, anybody removes who wishes to leave, or a member begins to wish so.
    fn remove_or_leave(&mut self, actor: usize) {
        if !self.devices[actor].follows() {
            return;
        }
        let mut remove: Vec<DeviceId> = self.devices[actor]
            .group()
            .leaving()
            .iter()
            .map(|member| member.device)
            .collect();
        remove.retain(|device| *device != self.devices[actor].member().device);
        let target = self.dice.below(self.devices.len());
        if remove.is_empty() && actor == 0 && target != 0 {
            remove.push(self.devices[target].member().device);
        }
        if remove.is_empty() && actor != 0 {
            match self.devices[actor].step(|group, provider, myself| group.leave(provider, myself)) {
                Ok(wish) => self.ledger.post(&wish.sealed),
                Err(error) => assert!(
                    matches!(error, GroupError::AlreadyLeaving | GroupError::CommitPending),
                    "{error}"
                ),
            }
        } else if !remove.is_empty() {
            self.change(
                actor,
                &Change {
                    remove,
                    ..Change::default()
                },
            );
        }
    }

    fn add_back(&mut self, actor: usize) {
        let out: Vec<usize> = (0..self.devices.len())
            .filter(|at| !self.devices[*at].follows())
            .collect();
        if !out.is_empty() && self.devices[actor].follows() {
            let out = out[self.dice.below(out.len())];
            let add = vec![self.devices[out].offer()];
            self.change(
                actor,
                &Change {
                    add,
                    ..Change::default()
                },
            );
        }
    }

    /// An entry again, or its message in another body: on the log it was for, however late.
    fn repost(&mut self, actor: usize) {
        let logs: Vec<LogId> = self.ledger.logs.keys().copied().collect();
        let log = logs[self.dice.below(logs.len())];
        let rows = &self.ledger.logs[&log];
        let row = rows[self.dice.below(rows.len())].clone();
        let device = &self.devices[actor];
        let own_log = device.follows() && device.log() == log;
        if !own_log || self.dice.below(2) == 0 {
            self.ledger.post_as(row.header, row.body);
            return;
        }
        let group = device.group();
        let keys = group.keys().unwrap();
        if let Ok((message, keeping, binding)) = disclose(&group.hash_keys, keys, &row.header, &row.body) {
            let mut message = message.to_vec();
            let flip = message.len() - 1 - self.dice.below(message.len() - 10);
            if self.dice.below(2) == 0 {
                message[flip] ^= 1;
            }
            let mut nonce = [0; 24];
            self.dice.fill(&mut nonce);
            let sealed = enclose(&group.hash_keys, keys, &message, binding.erasure, keeping, &nonce);
            self.ledger.post(&sealed.unwrap());
        }
    }

    fn read(&mut self, actor: usize) -> bool {
        let place = self.devices[actor]
            .follows()
            .then(|| (self.devices[actor].log(), self.devices[actor].read));
        let Some(verdict) = self.devices[actor].advance(&self.ledger) else {
            return self.try_to_join(actor);
        };
        self.note(actor, place.unwrap(), &verdict);
        match verdict {
            Verdict::Closed(closed) => self.ended(actor, &closed),
            Verdict::Withdrawn(_) => drop(self.waiting.remove(&actor)),
            _ => {}
        }
        true
    }

    /// What a device saw at a place must be what everybody else saw there, or will.
    fn note(&mut self, actor: usize, place: (LogId, usize), verdict: &Verdict) {
        let me = self.devices[actor].member();
        let seen = match verdict {
            Verdict::Message { by, content, .. } => format!("{by:?}: {}", text_of(content)),
            Verdict::Own(id) => match self.texts.get(id) {
                Some(text) => format!("{me:?}: {text}"),
                None => format!("{me:?} leaves"),
            },
            Verdict::Leaving(member) => format!("{member:?} leaves"),
            Verdict::Closed(closed) => format!("{:?} {:?} {:?}", closed.by, closed.added, closed.removed),
            Verdict::Withdrawn(_) | Verdict::Void(_) => "void".to_owned(),
            Verdict::Stranded => panic!("nobody encrypts rubbish here"),
        };
        self.tally.void += usize::from(seen == "void");
        let known = self.transcript.entry(place).or_insert_with(|| seen.clone());
        assert_eq!(*known, seen, "{place:?}");
    }

    fn ended(&mut self, actor: usize, closed: &Closed) {
        self.tally.closed += 1;
        self.tally.left_behind += closed.left_behind.len();
        if !self.devices[actor].follows() {
            self.tally.removed += 1;
            self.was_out.insert(actor);
        }
        // A welcome leaves when its commit is final, and never if another came first.
        let own = closed.by == self.devices[actor].member();
        self.welcomes.extend(self.waiting.remove(&actor).filter(|_| own));
        self.tally.lost_races += usize::from(self.racing.remove(&actor) && !own);
        for id in &closed.left_behind {
            if let Some(text) = self.texts.get(id).cloned() {
                self.send(actor, text);
            }
        }
    }

    /// Whoever is out takes the newest welcome that is meant for it.
    fn try_to_join(&mut self, actor: usize) -> bool {
        if self.devices[actor].follows() {
            return false;
        }
        let device = self.devices[actor].member().device;
        let Some(at) = self.welcomes.iter().rposition(|(_, newcomer)| *newcomer == device) else {
            return false;
        };
        let (welcome, _) = self.welcomes.remove(at);
        join(&mut self.devices[actor], &welcome).unwrap();
        self.tally.joined += 1;
        true
    }

    /// Everybody reads to the end, and what was left behind is said again, until nothing is new to anybody.
    fn settle(&mut self) {
        loop {
            let mut news = false;
            for actor in 0..self.devices.len() {
                while self.read(actor) {
                    news = true;
                }
            }
            if !news {
                return;
            }
        }
    }

    /// Whoever is out at the end is added afresh, one after the other.
    fn gather(&mut self) {
        for actor in 1..self.devices.len() {
            if !self.devices[actor].follows() {
                let add = vec![self.devices[actor].offer()];
                self.change(
                    0,
                    &Change {
                        add,
                        ..Change::default()
                    },
                );
                self.settle();
                assert!(self.devices[actor].follows(), "device {actor} is in again");
            }
        }
    }

    /// In the end: one epoch, and what was said by those who are left stands there exactly once.
    fn check(&self) {
        agree(&self.devices);
        assert!(self.devices[0].follows());
        for (actor, device) in self.devices.iter().enumerate().filter(|(_, device)| device.follows()) {
            for text in &self.said_by[actor] {
                let line = format!("{:?}: {text}", device.member());
                let times = self.transcript.values().filter(|seen| **seen == line).count();
                assert!(times <= 1, "{line} stands {times} times");
                assert!(times == 1 || self.was_out.contains(&actor), "{line} is lost");
            }
        }
    }
}

/// The first 60; or others, to look longer or at one again: `WAXWING_SCHEDULES=17..18`.
fn seeds() -> core::ops::Range<u64> {
    let Ok(wanted) = std::env::var("WAXWING_SCHEDULES") else {
        return 0..SCHEDULES;
    };
    let (from, to) = wanted.split_once("..").expect("two numbers and `..` between them");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn random_schedules_end_with_equal_transcripts_and_equal_authenticators() {
    let mut all = Tally::default();
    for seed in seeds() {
        println!("schedule {seed}");
        let mut play = Play::new(seed);
        for _ in 0..STEPS {
            play.step();
        }
        play.settle();
        play.check();
        play.gather();
        play.check();
        let Tally {
            closed,
            lost_races,
            left_behind,
            void,
            removed,
            joined,
        } = play.tally;
        all.closed += closed;
        all.lost_races += lost_races;
        all.left_behind += left_behind;
        all.void += void;
        all.removed += removed;
        all.joined += joined;
    }
    println!("schedules {:?}: {all:?}", seeds());
    let counts = [
        all.closed,
        all.lost_races,
        all.left_behind,
        all.void,
        all.removed,
        all.joined,
    ];
    let enough = usize::from(seeds() == (0..SCHEDULES)) * 20;
    assert!(counts.iter().all(|count| *count >= enough), "{all:?}");
}
