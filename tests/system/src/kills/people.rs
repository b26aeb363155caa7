//! The people of the kills: what each of them said, whether it was queued for certain, and what each was told.

use serde_json::Value;

use super::CHANNEL;
use crate::command::text;
use crate::conversation;
use crate::node::Network;
use crate::person::Person;
use crate::process::Running;
use crate::told::Told;

/// Whether a message was put into the outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Queued {
    /// The client said so: it must be final once.
    Certainly,
    /// The client died before it could say: it may be final once, or not at all.
    Perhaps,
}

/// A member of the channel.
pub(super) struct Member {
    pub(super) person: Person,
    /// `chat tail`: delivers, reads, prints.
    tail: Option<Running>,
    /// What was said, in its order.
    pub(super) said: Vec<(String, Queued)>,
}

/// Opens the channel at the first member and lets the others in; returns its log.
pub(super) fn gather(members: &[Member], network: &Network, nodes: &[&str]) -> String {
    let (host, guests) = members.split_first().expect("somebody is there");
    let opened = host.person.open(CHANNEL, &network.genesis_file(), nodes);
    let link = host.person.invite(CHANNEL);
    for guest in guests {
        guest.person.join(&link);
    }
    text(&opened, "/log").to_owned()
}

impl Member {
    pub(super) const fn new(person: Person) -> Self {
        Self {
            person,
            tail: None,
            said: Vec::new(),
        }
    }

    /// Starts to deliver and to read.
    pub(super) fn listen(&mut self) {
        self.tail = Some(self.person.tail(CHANNEL));
    }

    /// Notes what was printed since the last time.
    pub(super) fn hear(&mut self, told: &mut Told, log: &str) {
        let Some(tail) = &mut self.tail else { return };
        while let Some(line) = tail.line_now() {
            note(&line, told, log);
        }
        assert!(!tail.is_over(), "{} stopped reading: {}", self.person.name, tail.all());
    }

    /// Kills the reading, and notes what was printed before.
    pub(super) fn deafen(&mut self, told: &mut Told, log: &str) {
        let Some(tail) = self.tail.take() else { return };
        let lines = tail.kill_and_read();
        // The last line may be half a line.
        for line in lines.iter().filter(|line| line.ends_with('}')) {
            note(line, told, log);
        }
    }

    /// The next thing to say: a real line, numbered.
    fn words(&self) -> String {
        let lines = conversation::messages();
        let number = self.said.len();
        let line = lines.get((number * 7 + self.person.name.len()) % lines.len().max(1));
        let line = line.expect("the excerpt has lines, and the place is below their number");
        format!("{number} {}", line.text)
    }
}

/// Notes a line of `chat tail --json`; other lines are complaints about nodes that died.
fn note(line: &str, told: &mut Told, log: &str) {
    let object: Result<Value, _> = serde_json::from_str(line);
    if let Ok(message) = object
        && message.get("state").is_some()
    {
        told.message(log, &message);
    }
}

/// A `chat send` under way.
pub(super) struct Sending {
    member: usize,
    said: usize,
    running: Running,
}

impl Sending {
    pub(super) fn start(member: usize, members: &mut [Member], without_waiting: bool) -> Self {
        let speaker = members.get_mut(member).expect("the speaker is a member");
        let words = speaker.words();
        let mut command = speaker.person.chat(&["send", CHANNEL, &words]);
        if without_waiting {
            command.arg("--no-wait");
        }
        let said = speaker.said.len();
        speaker.said.push((words, Queued::Perhaps));
        Self {
            member,
            said,
            running: Running::start(&mut command),
        }
    }

    /// Waits for the end; it must be a good one.
    pub(super) fn finish(self, members: &mut [Member], told: &mut Told, log: &str) {
        let (status, printed) = self.running.end();
        assert!(status.success(), "a message was not sent, {status}: {printed}");
        mark(members, self.member, self.said, &printed);
        note_place(&printed, told, log);
    }

    /// Kills it, and notes how far it says it came.
    pub(super) fn kill(self, members: &mut [Member], told: &mut Told, log: &str) {
        let printed = self.running.kill_and_read().join("\n");
        if printed.contains("queued") {
            mark(members, self.member, self.said, &printed);
        }
        note_place(&printed, told, log);
    }
}

fn mark(members: &mut [Member], member: usize, said: usize, printed: &str) {
    assert!(printed.contains("queued"), "every way up begins there: {printed}");
    let said = members.get_mut(member).and_then(|member| member.said.get_mut(said));
    if let Some((_, queued)) = said {
        *queued = Queued::Certainly;
    }
}

/// `block 12, entry 3, after ...`: where the sender was told that the message is.
fn note_place(printed: &str, told: &mut Told, log: &str) {
    let numbers = |line: &str| -> Option<(u64, u64)> {
        let (height, rest) = line.trim().strip_prefix("block ")?.split_once(", entry ")?;
        let index: String = rest.chars().take_while(char::is_ascii_digit).collect();
        // A number that the kill cut short is not followed by what follows all of them.
        rest.contains(", after ")
            .then_some((height.parse().ok()?, index.parse().ok()?))
    };
    for (height, index) in printed.lines().filter_map(numbers) {
        told.place(log, index, height);
    }
}
