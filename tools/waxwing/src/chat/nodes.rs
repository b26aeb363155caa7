//! Nodes as people name them: `KEY@HOST:PORT`, the key in any of its forms; and those that need no naming, because they run in
//! this home.

use std::path::{Path, PathBuf};

use waxwing_core::keys::NodeId;
use waxwing_seal::NodeAddress;

use super::Session;
use crate::failure::Failure;
#[cfg(feature = "node")]
use crate::home::Home;
use crate::ids::{self, Kind};

/// Nodes of a playground that a client is told of: enough that one may be away.
#[cfg(feature = "node")]
const NODES_OF_PLAYGROUND: usize = 4;

/// The nodes that were named, or the one that runs in this home.
///
/// # Errors
/// If an address is none.
pub(super) fn wanted(named: &[String], session: &Session<'_>) -> Result<Vec<NodeAddress>, Failure> {
    if named.is_empty() {
        return Ok(of_home(session));
    }
    named.iter().map(|text| parse(text, "--node")).collect()
}

/// Where `waxwing dev up` keeps its network, unless told otherwise.
pub(super) fn playground_in(folder: &Path) -> PathBuf {
    folder.join("dev")
}

/// The node that runs in this home, else those of its playground, as many as an invitation names.
#[cfg(feature = "node")]
fn of_home(session: &Session<'_>) -> Vec<NodeAddress> {
    if let Some(own) = running_in(session.home) {
        return vec![own];
    }
    let folder = session.home.folder().map(playground_in).ok();
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    let mut members: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    members.sort_unstable();
    let running = members
        .iter()
        .filter_map(|member| running_in(&Home::find(Some(member))));
    running.take(NODES_OF_PLAYGROUND).collect()
}

#[cfg(feature = "node")]
fn running_in(home: &Home) -> Option<NodeAddress> {
    let running = crate::node::run::running_in(home).ok()?.address;
    NodeAddress::new(&format!("{}:{}", running.host, running.port), running.node)
}

#[cfg(not(feature = "node"))]
const fn of_home(_session: &Session<'_>) -> Vec<NodeAddress> {
    Vec::new()
}

/// Reads an address; `place` is where it was typed.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str, place: &str) -> Result<NodeAddress, Failure> {
    let wrong = |why: &str| Failure::usage(format!("{place} takes KEY@HOST:PORT, as the node prints it: {why}"));
    let (key, place) = text.split_once('@').ok_or_else(|| wrong("there is no `@` in it"))?;
    let key = ids::parse_full(Kind::Node, key).map_err(|error| wrong(&error.to_string()))?;
    let node = NodeId(*key.as_bytes());
    if !node.is_usable() {
        return Err(wrong("nobody can hold that key"));
    }
    NodeAddress::new(place, node).ok_or_else(|| wrong("behind the `@` stands no host with a port"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::keys::NodeKey;

    #[test]
    fn an_address_is_read_with_its_key_in_any_form() {
        let key = NodeKey::from_seed(&[1; 32]).public();
        for form in [key.to_string(), ids::full(Kind::Node, key.as_bytes())] {
            let address = parse(&format!("{form}@127.0.0.1:4040"), "--node").unwrap();
            assert_eq!((address.address(), address.id()), ("127.0.0.1:4040", key));
        }
        let short = ids::short(Kind::Node, key.as_bytes());
        for wrong in [
            "",
            "@",
            "x@y",
            &format!("{key}@nowhere"),
            &format!("{short}@h:1"),
            &format!("{}@h:1", "0".repeat(64)),
        ] {
            assert!(matches!(parse(wrong, "--node"), Err(Failure::Usage(_))), "{wrong}");
        }
    }
}
