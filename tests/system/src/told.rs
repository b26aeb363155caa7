//! What anybody was told is final, held against what everybody is told later, and against the ledger itself.
//!
//! A message that was final for one reader and is gone, elsewhere or somebody else's for the next is the one thing that
//! must never happen. So every final word is noted here, whoever heard it, and a second word about the same place must
//! be the same word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use waxwing_core::keys::LogId;
use waxwing_store::{Options, RocksTables, Store};

use crate::command::{number, text};
use crate::load::ToldFinal;

/// What was told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// By log (64 hexadecimal digits) and index in it.
    entries: BTreeMap<(String, u64), Entry>,
    /// Where each message stands, by its content id.
    messages: BTreeMap<String, (String, u64)>,
    /// Block ids by height.
    heads: BTreeMap<u64, String>,
}

/// What was told of one place in a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Entry {
    height: u64,
    /// Entry id, from whoever saw the envelope or its receipt.
    id: Option<String>,
    /// Content id, from whoever could open it.
    content: Option<String>,
}

impl Told {
    /// Entries that somebody was told are final.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Heads that somebody was shown.
    #[must_use]
    pub fn heads(&self) -> usize {
        self.heads.len()
    }

    /// The newest head that somebody was shown, as a policy pins it.
    #[must_use]
    pub fn newest_head(&self) -> Option<String> {
        let (height, id) = self.heads.last_key_value()?;
        Some(format!("{height}:{id}"))
    }

    /// Notes the head in a node's status.
    ///
    /// # Panics
    /// If another block was shown at this height before.
    pub fn head(&mut self, status: &Value) {
        self.block(number(status, "/height"), text(status, "/head"));
    }

    /// Notes a block's id.
    ///
    /// # Panics
    /// If another block was shown at this height before.
    pub fn block(&mut self, height: u64, id: &str) {
        let known = self.heads.entry(height).or_insert_with(|| id.to_owned());
        assert_eq!(known, id, "two blocks of height {height} were shown");
    }

    /// Notes a message that a client shows on a channel's log; one that is not final yet is passed over.
    ///
    /// # Panics
    /// If it was told to be elsewhere, or another one to be there.
    pub fn message(&mut self, log: &str, message: &Value) {
        if text(message, "/state") != "final" {
            return;
        }
        let (index, height) = (number(message, "/log_index"), number(message, "/height"));
        let content = message.pointer("/content_id").and_then(Value::as_str);
        if let Some(content) = content {
            let place = (log.to_owned(), index);
            let known = self.messages.entry(content.to_owned()).or_insert_with(|| place.clone());
            assert_eq!(*known, place, "message {content} was elsewhere before");
        }
        self.entry(log, index, height, None, content);
    }

    /// Notes what a client says of a receipt.
    ///
    /// # Panics
    /// If another entry was told to be there.
    pub fn receipt(&mut self, receipt: &Value) {
        let place = (text(receipt, "/log"), number(receipt, "/log_index"));
        let entry = text(receipt, "/entry");
        self.entry(place.0, place.1, number(receipt, "/height"), Some(entry), None);
        self.block(number(receipt, "/height"), text(receipt, "/block"));
    }

    /// Notes an envelope that was submitted.
    ///
    /// # Panics
    /// If another entry was told to be there.
    pub fn envelope(&mut self, told: &ToldFinal) {
        let entry = told.entry.to_string();
        self.entry(&told.log.to_string(), told.index, told.height, Some(&entry), None);
    }

    /// Notes that there is something final at a place.
    ///
    /// # Panics
    /// If it was told to be in another block.
    pub fn place(&mut self, log: &str, index: u64, height: u64) {
        self.entry(log, index, height, None, None);
    }

    fn entry(&mut self, log: &str, index: u64, height: u64, id: Option<&str>, content: Option<&str>) {
        let place = (log.to_owned(), index);
        let known = self.entries.entry(place).or_insert(Entry {
            height,
            ..Entry::default()
        });
        assert_eq!(
            known.height, height,
            "entry {index} of log {log} was in another block before"
        );
        for (known, now) in [(&mut known.id, id), (&mut known.content, content)] {
            if let Some(now) = now {
                let known = known.get_or_insert_with(|| now.to_owned());
                assert_eq!(known, now, "something else was entry {index} of log {log} before");
            }
        }
    }

    /// Holds everything that was told against a node's ledger on disk, and the ledger against itself: nothing that was
    /// final is missing or elsewhere, and nothing is there twice. Returns how many entries the ledger has.
    ///
    /// # Panics
    /// If something is missing, elsewhere or there twice.
    #[must_use]
    pub fn hold_against(&self, directory: &Path) -> u64 {
        let store = Store::<RocksTables>::open_read_only(&directory.join("db"), &Options::default());
        let store = store.unwrap_or_else(|error| unreachable_ledger(directory, &error.to_string()));
        let keys = store.keys();
        for (height, id) in &self.heads {
            let header = store.header(*height).expect("blocks can be read");
            let found = header.map(|header| header.id(keys).to_string());
            assert_eq!(found.as_ref(), Some(id), "block {height} was shown to somebody");
        }
        for ((log, index), told) in &self.entries {
            let position = store.position_of(&log_id(log), *index).expect("the index can be read");
            let row = position.and_then(|position| store.entry(position).expect("entries can be read"));
            let row = row.unwrap_or_else(|| unreachable_ledger(directory, &format!("entry {index} of {log} is gone")));
            assert_eq!(row.height, told.height, "entry {index} of log {log}");
            if let Some(id) = &told.id {
                assert_eq!(&row.signed.entry_id(keys).to_string(), id, "entry {index} of log {log}");
            }
        }
        all_different(&store)
    }
}

#[expect(clippy::panic, reason = "the test fails here")]
fn unreachable_ledger(directory: &Path, why: &str) -> ! {
    panic!("{}: {why}", directory.display())
}

/// Two entries of one id are one envelope ordered twice; two of one body are one message signed and ordered twice.
fn all_different(store: &Store<RocksTables>) -> u64 {
    let mut ids = BTreeSet::new();
    let mut bodies = BTreeSet::new();
    let mut position = 0;
    while let Some(row) = store.entry(position).expect("entries can be read") {
        assert!(
            ids.insert(row.signed.entry_id(store.keys())),
            "entry {position} is there twice"
        );
        assert!(
            bodies.insert(row.signed.header.body_hash),
            "the body of entry {position} is there twice"
        );
        position += 1;
    }
    position
}

/// A log by its 64 hexadecimal digits.
fn log_id(digits: &str) -> LogId {
    let pairs = digits
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Vec<u8> = pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    LogId(bytes.try_into().expect("a log is named by 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(index: u64, height: u64, content: &str) -> Value {
        json!({ "state": "final", "log_index": index, "height": height, "content_id": content })
    }

    #[test]
    fn the_same_word_twice_is_one() {
        let mut told = Told::default();
        told.message("aa", &message(0, 3, "c0"));
        told.message("aa", &message(0, 3, "c0"));
        told.message("aa", &json!({ "state": "sent" }));
        told.place("aa", 0, 3);
        told.head(&json!({ "height": 3, "head": "bb" }));
        assert_eq!((told.entries(), told.newest_head().as_deref()), (1, Some("3:bb")));
    }

    #[test]
    #[should_panic(expected = "was elsewhere before")]
    fn a_message_that_moved_is_noticed() {
        let mut told = Told::default();
        told.message("aa", &message(0, 3, "c0"));
        told.message("aa", &message(1, 3, "c0"));
    }

    #[test]
    #[should_panic(expected = "something else was entry 0")]
    fn another_message_in_a_place_is_noticed() {
        let mut told = Told::default();
        told.message("aa", &message(0, 3, "c0"));
        told.message("aa", &message(0, 3, "c1"));
    }

    #[test]
    #[should_panic(expected = "in another block before")]
    fn a_place_in_another_block_is_noticed() {
        let mut told = Told::default();
        told.place("aa", 0, 3);
        told.place("aa", 0, 4);
    }

    #[test]
    #[should_panic(expected = "two blocks of height 3")]
    fn two_heads_of_a_height_are_noticed() {
        let mut told = Told::default();
        told.head(&json!({ "height": 3, "head": "bb" }));
        told.head(&json!({ "height": 3, "head": "cc" }));
    }
}
