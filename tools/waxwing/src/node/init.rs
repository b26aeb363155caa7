//! `waxwing node init`: everything a node needs before its first start, without a question.
//!
//! Which network? The one whose genesis is named or lies in the home; without any, a new one is founded, because somebody
//! who just wants to see it run should. Validator or follower? A node that is given a vote key of the genesis votes, any
//! other follows.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::{NodeId, ValidatorId, VoteKey};
use waxwing_node::config::{Layers, Loaded, NodeConfig};
use waxwing_node::directory::{Directory, DirectoryError, new_vote_key};

use crate::args::{InitNode, Settings};
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::home::{GENESIS_FILE, Home, VOTE_KEY_FILE};
use crate::ids::{self, Kind};
use crate::network::{read_genesis, read_vote_key};
use crate::output::Output;
use crate::{Done, clock};

/// What a network is called that a node founded because there was none.
const OWN_NETWORK: &str = "home";

pub(super) fn run(options: &InitNode, home: &Home, output: &Output) -> Done {
    make(options, &options.settings, home)?;
    let directory = open(&folder(home)?)?;
    let config = super::settings::load(&options.settings, home)?.config;
    tell(&directory, &config, output)?;
    output.next(&format!("waxwing node run{}", home.as_option()))?;
    Ok(0)
}

/// A node's directory in a home.
///
/// # Errors
/// If there is no home.
pub(super) fn folder(home: &Home) -> Result<PathBuf, Failure> {
    Ok(home.folder()?.join("node"))
}

/// Opens a node's directory for this process alone.
///
/// # Errors
/// What the directory lacks, or who has it.
pub(super) fn open(folder: &Path) -> Result<Directory, Failure> {
    Directory::open(folder).map_err(|error| fault(&error))
}

/// Makes the directory of a new node. The settings are written into its file.
///
/// # Errors
/// If there is one already, or a file is not what it should be.
pub(super) fn make(options: &InitNode, settings: &Settings, home: &Home) -> Result<(), Failure> {
    let folder = folder(home)?;
    if folder.join("genesis").exists() {
        return Err(fault(&DirectoryError::Occupied(folder)));
    }
    // Everything that can be refused is read before anything is written.
    let flags = settings.flags.clone();
    let layers = Layers {
        flags,
        ..Layers::default()
    };
    let config = Loaded::new(&layers)
        .map_err(|error| Failure::usage(error.to_string()))?
        .config;
    let (genesis, vote) = network(options, home)?;
    Directory::found(&folder, &genesis, vote.as_ref(), &config).map_err(|error| fault(&error))?;
    if options.vote_key.is_none() {
        remove_moved(&home.folder()?.join(VOTE_KEY_FILE), &folder)?;
    }
    Ok(())
}

/// Moves a vote key that was made in the home after its node into the node's directory: there the node finds it, and
/// destroys it when it stops voting.
///
/// # Errors
/// If it cannot be moved.
pub(super) fn adopt_key(home: &Home) -> Result<Option<ValidatorId>, Failure> {
    let (folder, path) = (folder(home)?, home.folder()?.join(VOTE_KEY_FILE));
    if !path.exists() || folder.join("keys").join("vote").exists() {
        return Ok(None);
    }
    let key = read_vote_key(&path)?;
    Directory::add_vote(&folder, &key).map_err(|error| fault(&error))?;
    remove_moved(&path, &folder)?;
    Ok(Some(key.public()))
}

/// A vote key lies in one place: a copy would outlive the day on which the node destroys its own.
fn remove_moved(path: &Path, folder: &Path) -> Result<(), Failure> {
    let moved = folder.join("keys").join("vote");
    if !path.exists() || !moved.exists() {
        return Ok(());
    }
    std::fs::remove_file(path).map_err(|error| {
        Failure::failed(format!(
            "{} was copied into {} and cannot be removed: {}; remove it yourself",
            path.display(),
            moved.display(),
            files::reason(&error)
        ))
    })
}

/// The network and this node's part in it.
fn network(options: &InitNode, home: &Home) -> Result<(Genesis, Option<VoteKey>), Failure> {
    let in_home = |name: &str| Ok::<_, Failure>(home.folder()?.join(name)).map(|path| path.exists().then_some(path));
    let genesis = match &options.genesis {
        Some(path) => read_genesis(path)?,
        None => match in_home(GENESIS_FILE)? {
            Some(path) => read_genesis(&path)?,
            None => return found(home),
        },
    };
    let key_file = match &options.vote_key {
        Some(path) => Some(path.clone()),
        None => in_home(VOTE_KEY_FILE)?,
    };
    let Some(key_file) = key_file else {
        return Ok((genesis, None));
    };
    let vote = read_vote_key(&key_file)?;
    if genesis.validators.contains(&vote.public()) {
        return Ok((genesis, Some(vote)));
    }
    Err(Failure::usage(format!(
        "{} holds the key of no validator of {}: name the right one with --vote-key, or move it away to follow",
        key_file.display(),
        genesis.name
    )))
}

/// A network of this node's own. The vote key is kept in the node's directory alone.
fn found(home: &Home) -> Result<(Genesis, Option<VoteKey>), Failure> {
    let vote = new_vote_key().map_err(|error| fault(&error))?;
    let genesis = Genesis::new(OWN_NETWORK, clock::now_ms(), Parameters::DEFAULT, vec![vote.public()])
        .expect("the name is printable, the parameters are the default, one validator is a committee");
    let folder = home.folder()?;
    files::create_folder(folder)?;
    files::write_new(&folder.join(GENESIS_FILE), &genesis.to_bytes(), Readers::Anybody)?;
    Ok((genesis, Some(vote)))
}

fn tell(directory: &Directory, config: &NodeConfig, output: &Output) -> Result<(), Failure> {
    let address = OwnAddress::of(&directory.transport().public(), config.listen);
    let (mut facts, mut object) = (facts(directory, config, output), as_json(directory, config));
    facts.push(("address", address.text.clone()));
    facts.extend(address.hint().map(|hint| ("", hint)));
    if let Some(fields) = object.as_object_mut() {
        fields.insert("address".to_owned(), json!(address.text));
        fields.insert("address_lacks".to_owned(), json!(address.lacks));
    }
    output.result("node.init", object, &output.facts("node ready", &facts))
}

/// The address of a node that has not run yet, as far as it is known: what operators give each other.
struct OwnAddress {
    /// `KEY@HOST:PORT`, with these words for what nobody can know here.
    text: String,
    /// "host", "port".
    lacks: Vec<&'static str>,
    listen: SocketAddr,
}

impl OwnAddress {
    fn of(node: &NodeId, listen: SocketAddr) -> Self {
        let (ip, port) = (listen.ip(), listen.port());
        let host = match ip {
            _ if ip.is_unspecified() => "HOST".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let lacks = [("host", ip.is_unspecified()), ("port", port == 0)];
        let port = if port == 0 { "PORT".to_owned() } else { port.to_string() };
        Self {
            text: format!("{node}@{host}:{port}"),
            lacks: lacks.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect(),
            listen,
        }
    }

    /// What to do before it is given to others.
    fn hint(&self) -> Option<String> {
        let mut hints = Vec::new();
        if self.listen.port() == 0 {
            hints.push(
                "the system chooses a port at every start: set `listen` to a port of your own before you give it away",
            );
        }
        if self.listen.ip().is_unspecified() {
            hints.push("for HOST put the name or address at which others reach this machine");
        } else if self.listen.ip().is_loopback() {
            hints.push(
                "for programs on this machine; to be reached by others, set `listen` to 0.0.0.0 or [::] and a port",
            );
        }
        (!hints.is_empty()).then(|| hints.join("; "))
    }
}

/// What a node is, before or after its start.
pub(super) fn facts(directory: &Directory, config: &NodeConfig, output: &Output) -> Vec<(&'static str, String)> {
    let (genesis, node) = (directory.genesis(), directory.transport().public());
    let network = genesis.network();
    let http = config.http.map_or_else(
        || "off".to_owned(),
        |http| format!("http://{http} for health and metrics"),
    );
    let mut facts = vec![
        ("node", output.id(Kind::Node, node.as_bytes())),
        ("role", role_in_words(directory).to_owned()),
        (
            "network",
            format!("{}  {}", genesis.name, output.id(Kind::Network, network.as_bytes())),
        ),
        ("fingerprint", ids::fingerprint(network.as_bytes())),
        ("data", directory.path().display().to_string()),
        ("listens", format!("{} (UDP) for clients and nodes", config.listen)),
        ("http", http),
    ];
    if directory.vote().is_none() && config.upstreams.is_empty() {
        facts.push((
            "follows",
            "nobody yet: set `upstreams` in node.toml, or give --upstreams".to_owned(),
        ));
    }
    facts
}

/// By the founding facts: whom a committee of later took in, the node itself finds out.
fn role(directory: &Directory) -> &'static str {
    let validators = &directory.genesis().validators;
    match directory.vote() {
        Some(key) if validators.contains(&key.public()) => "validator",
        _ => "follower",
    }
}

fn role_in_words(directory: &Directory) -> &'static str {
    match (role(directory), directory.vote()) {
        ("follower", Some(_)) => "follower, and validator whenever a committee names its key",
        (role, _) => role,
    }
}

/// The same for programs.
pub(super) fn as_json(directory: &Directory, config: &NodeConfig) -> Value {
    let genesis = directory.genesis();
    json!({
        "node": directory.transport().public().to_string(),
        "role": role(directory),
        "name": genesis.name,
        "network": genesis.network().to_string(),
        "data": directory.path(),
        "listen": config.listen.to_string(),
        "http": config.http.map(|http| http.to_string()),
        "upstreams": config.upstreams.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// A directory's faults are mostly the operator's to mend; what the system refuses is not.
fn fault(error: &DirectoryError) -> Failure {
    match error {
        DirectoryError::System { file, error } => {
            Failure::failed(format!("{}: {}", file.display(), files::reason(error)))
        }
        DirectoryError::Occupied(path) => Failure::usage(format!(
            "{} holds a node already: start it with `waxwing node run`, or choose another --home",
            path.display()
        )),
        _ => Failure::usage(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_whole_or_says_what_to_put_into_it() {
        let node = waxwing_core::keys::NodeKey::from_seed(&[7; 32]).public();
        for (listen, place, lacks, hint) in [
            ("203.0.113.7:4040", "203.0.113.7:4040", &[][..], None),
            ("[2001:db8::7]:4040", "[2001:db8::7]:4040", &[], None),
            ("127.0.0.1:4040", "127.0.0.1:4040", &[], Some("on this machine")),
            ("0.0.0.0:4040", "HOST:4040", &["host"], Some("for HOST put")),
            ("[::]:4040", "HOST:4040", &["host"], Some("for HOST put")),
            (
                "203.0.113.7:0",
                "203.0.113.7:PORT",
                &["port"],
                Some("a port of your own"),
            ),
            ("0.0.0.0:0", "HOST:PORT", &["host", "port"], Some("a port of your own")),
        ] {
            let address = OwnAddress::of(&node, listen.parse().unwrap());
            assert_eq!(address.text, format!("{node}@{place}"));
            assert_eq!(address.lacks, lacks, "{listen}");
            let said = address.hint();
            assert_eq!(said.is_some(), hint.is_some(), "{said:?}");
            assert!(hint.is_none_or(|hint| said.unwrap().contains(hint)), "{listen}");
            if lacks.is_empty() {
                assert!(address.text.parse::<waxwing_node::NodeAddress>().is_ok(), "{listen}");
            }
        }
    }
}
