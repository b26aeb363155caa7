//! Somebody who chats: a home, a passphrase, and the `waxwing chat` commands typed there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::{done, json, text, waxwing};
use crate::process::Running;

/// A person on a device.
#[derive(Clone, Debug)]
pub struct Person {
    /// What members see.
    pub name: String,
    home: PathBuf,
}

impl Person {
    /// Somebody whose home is a folder of this name; nothing is made there before the first command but the file with the
    /// passphrase.
    ///
    /// # Panics
    /// If the folder cannot be written.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let person = Self {
            name: name.to_owned(),
            home: folder.join(name),
        };
        fs::create_dir_all(&person.home).expect("a folder can be made");
        fs::write(person.passphrase_file(), format!("{name} keeps the waxwings fed\n")).expect("a file can be written");
        person
    }

    /// Where the program finds this person's passphrase.
    #[must_use]
    pub fn passphrase_file(&self) -> PathBuf {
        self.home.join("passphrase")
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `waxwing chat`, as this person types it.
    #[must_use]
    pub fn chat(&self, arguments: &[&str]) -> Command {
        let mut command = waxwing(&self.home);
        command.arg("chat").arg("--passphrase-file").arg(self.passphrase_file());
        command.args(arguments);
        command
    }

    /// Opens a channel by link on a network by these nodes: whoever has its link is in at once.
    pub fn open(&self, channel: &str, genesis: &Path, nodes: &[&str]) -> Value {
        let mut command = self.chat(&["new", channel, "--by-link", "--as", &self.name, "--genesis"]);
        command.arg(genesis);
        for node in nodes {
            command.args(["--node", node]);
        }
        json(&mut command)
    }

    /// Founds a channel with members on a network by these nodes.
    pub fn found(&self, channel: &str, genesis: &Path, nodes: &[&str]) -> Value {
        let mut command = self.chat(&["new", channel, "--as", &self.name, "--genesis"]);
        command.arg(genesis);
        for node in nodes {
            command.args(["--node", node]);
        }
        json(&mut command)
    }

    /// The link that lets others in.
    #[must_use]
    pub fn invite(&self, channel: &str) -> String {
        text(&json(&mut self.chat(&["invite", channel])), "/link").to_owned()
    }

    /// Joins by a link.
    pub fn join(&self, link: &str) -> Value {
        json(&mut self.chat(&["join", link, "--as", &self.name]))
    }

    /// Says something and waits until it is final.
    pub fn send(&self, channel: &str, words: &str) -> Value {
        json(&mut self.chat(&["send", channel, words]))
    }

    /// Says something that goes out with the next command that connects.
    pub fn queue(&self, channel: &str, words: &str) {
        done(&mut self.chat(&["send", channel, words, "--no-wait"]));
    }

    /// Reads everything, newest last.
    #[must_use]
    pub fn read(&self, channel: &str) -> Value {
        json(&mut self.chat(&["read", channel, "--last", "1000"]))
    }

    /// Starts printing every change of a channel, those of the last messages first. Sends what waits in the outbox as
    /// well.
    #[must_use]
    pub fn tail(&self, channel: &str) -> Running {
        Running::start(&mut self.chat(&["tail", channel, "--last", "1000", "--json"]))
    }
}

/// Waits until a [`Person::tail`] shows these words as final.
///
/// # Panics
/// If it prints anything else with these words, or ends.
pub fn final_line(tail: &mut Running, words: &str) -> Value {
    loop {
        let line = tail.line_with(words);
        let change: Value = serde_json::from_str(&line).expect("a tail with --json prints JSON");
        if text(&change, "/state") == "final" {
            return change;
        }
    }
}
