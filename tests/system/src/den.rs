//! The smallest world in which something is said: a node that orders, and two people who share a channel on it.

use tempfile::TempDir;

use crate::command::done;
use crate::node::{Network, Node};
use crate::person::Person;

/// The channel that they share.
pub const CHANNEL: &str = "den";

/// A running node, and two people in a channel on it; all of it is gone when this is dropped.
#[derive(Debug)]
pub struct Den {
    /// Who ordered what.
    pub node: Node,
    /// Its network.
    pub network: Network,
    /// Who opened the channel.
    pub ann: Person,
    /// Who joined it.
    pub ben: Person,
    /// Where everything lies.
    pub folder: TempDir,
}

impl Den {
    /// Founds it.
    ///
    /// # Panics
    /// If something does not start.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let network = Network::found_cheap(&folder.path().join("network"), "den");
        let mut node = Node::validator(&folder.path().join("validator"), &network);
        node.start();
        let [ann, ben] = ["ann", "ben"].map(|name| Person::new(folder.path(), name));
        ann.open(CHANNEL, &network.genesis_file(), &[&node.address()]);
        ben.join(&ann.invite(CHANNEL));
        Self {
            node,
            network,
            ann,
            ben,
            folder,
        }
    }

    /// Lets somebody open a channel of their own.
    pub fn open(&self, person: &Person, channel: &str) {
        person.open(channel, &self.network.genesis_file(), &[&self.node.address()]);
    }
}

impl Default for Den {
    fn default() -> Self {
        Self::new()
    }
}

/// What a person reads of a channel, as it stands on a terminal.
pub fn reads(person: &Person, channel: &str) -> String {
    done(&mut person.chat(&["read", channel]))
}
