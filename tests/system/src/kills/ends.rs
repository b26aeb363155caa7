//! After the last strike: what everybody was told is held against what is there.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::people::Queued;
use super::{CHANNEL, Report, World};
use crate::command::{json, list, number, run, text, verdict, waxwing};
use crate::person::Person;
use crate::until::until;

impl World {
    pub(super) fn end(mut self) -> Report {
        let conversation = self.until_everything_came();
        self.check_messages(&conversation);
        self.listen_to_everybody();
        for member in &mut self.members {
            member.deafen(&mut self.told, &self.log);
        }
        let Self { load, .. } = &self;
        assert!(load.told() > 0, "there was no load");
        self.check_everybody_reads(&conversation);
        self.check_ledgers()
    }

    /// Waits until nobody has anything left to send. Then somebody who was not there reads the conversation, until
    /// everything that was queued for certain is in it: the node that is asked may be a little behind.
    fn until_everything_came(&self) -> Vec<Value> {
        for member in &self.members {
            until("the outbox is empty", || {
                let channels = json(&mut member.person.chat(&["channels"]));
                (number(&channels, "/channels/0/waiting") == 0).then_some(())
            });
        }
        let late = Person::new(&self.folder, "dora");
        let host = self.members.first().expect("somebody is there");
        late.join(&host.person.invite(CHANNEL));
        until("every message that was queued is final", || {
            let read = late.read(CHANNEL);
            let messages = list(&read, "/messages");
            let came = |words: &str| {
                messages
                    .iter()
                    .any(|message| message.get("text") == Some(&Value::from(words)))
            };
            let mut certain = self.members.iter().flat_map(|member| &member.said);
            let all = certain.all(|(words, queued)| *queued == Queued::Perhaps || came(words));
            all.then(|| messages.to_vec())
        })
    }

    /// Nothing came twice, and nothing that was not said. A message whose node died with it may be overtaken by the next
    /// one, since the ledger's order is the only one: that is counted.
    fn check_messages(&mut self, conversation: &[Value]) {
        let mut by_speaker: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for message in conversation {
            assert_eq!(text(message, "/state"), "final", "{message}");
            assert!(list(message, "/exceptions").is_empty(), "{message}");
            let (speaker, words) = (text(message, "/author/name"), text(message, "/text"));
            by_speaker.entry(speaker).or_default().push(words);
        }
        for member in &self.members {
            let came = by_speaker.remove(member.person.name.as_str()).unwrap_or_default();
            let mut places = Vec::new();
            for words in &came {
                let place = member.said.iter().position(|(said, _)| said == words);
                let name = &member.person.name;
                assert!(place.is_some(), "{name} never said {words:?}");
                assert!(!places.contains(&place), "{name}: {words:?} came twice: {came:?}");
                let queued = place
                    .and_then(|place| member.said.get(place))
                    .map(|(_, queued)| *queued);
                self.report.doubtful += usize::from(queued == Some(Queued::Perhaps));
                self.report.messages += usize::from(queued == Some(Queued::Certainly));
                places.push(place);
            }
            self.report.overtaken += places
                .iter()
                .zip(places.iter().skip(1))
                .filter(|(one, next)| next < one)
                .count();
        }
        assert!(by_speaker.is_empty(), "nobody said {by_speaker:?}");
        for message in conversation {
            self.told.message(&self.log, message);
        }
    }

    /// Every member reads the same, and has nothing left to send.
    fn check_everybody_reads(&self, conversation: &[Value]) {
        let places = |messages: &[Value]| -> Vec<(u64, u64, String)> {
            let place = |message: &Value| {
                let content = text(message, "/content_id").to_owned();
                (number(message, "/log_index"), number(message, "/height"), content)
            };
            messages.iter().map(place).collect()
        };
        for member in &self.members {
            let read = member.person.read(CHANNEL);
            assert_eq!(
                places(list(&read, "/messages")),
                places(conversation),
                "{}",
                member.person.name
            );
            assert_eq!(
                number(&read, "/channel/waiting"),
                0,
                "{} has something to send",
                member.person.name
            );
        }
    }

    /// Both ledgers hold what was told, once; the auditor finds nothing, and every receipt holds.
    fn check_ledgers(mut self) -> Report {
        for told in self.load.finish() {
            self.told.envelope(&told);
        }
        for (height, id) in self.heads.finish() {
            self.told.block(height, &id.to_string());
        }
        let height = number(&self.validator.status(), "/height");
        self.follower.until_height(height);
        for node in [&self.validator, &self.follower] {
            self.told.head(&node.status());
        }
        self.follower.stop();
        self.validator.stop();
        let policy = self.folder.join("policy");
        self.network.policy(&policy, self.told.newest_head().as_deref());
        let ledgers = [&self.validator, &self.follower].map(|node| {
            let mut audit = waxwing(node.home());
            audit
                .args(["audit", "run"])
                .arg(node.directory())
                .arg("--policy")
                .arg(&policy);
            let (code, report) = verdict(&mut audit);
            assert_eq!(code, 0, "{report}");
            self.told.hold_against(&node.directory())
        });
        let [entries, copied] = ledgers;
        assert_eq!(entries, copied, "the follower has another number of entries");
        for receipt in &self.receipts {
            let mut verify = Command::new(crate::program("waxwing-verify"));
            let said = run(verify.arg(receipt).arg("--policy").arg(&policy));
            assert_eq!(said.code, Some(0), "{}: {}{}", receipt.display(), said.out, said.err);
        }
        Report {
            told: self.told.entries(),
            heads: self.told.heads(),
            receipts: self.receipts.len(),
            entries,
            blocks: height,
            ..self.report
        }
    }
}
