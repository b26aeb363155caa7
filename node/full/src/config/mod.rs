//! What an operator can set, where each value came from, and the file that explains it.
//!
//! ```text
//! flag  >  WAXWING_* variable  >  file  >  default
//! ```
//!
//! One table ([`KEYS`]) holds name, default and meaning of every setting; the file that `node init` writes, the reading of
//! all layers, and `node config show --origin` come out of it, so they cannot disagree. A key that is not in the table is
//! an error that names the nearest one: a misspelt limit that is silently ignored is worse than none.

mod keys;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use waxwing_core::policy::PinnedHead;

pub use keys::{KEYS, Key};

use crate::address::NodeAddress;

/// Everything an operator can set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// Where the node listens for clients and other nodes (QUIC, so UDP).
    pub listen: SocketAddr,
    /// Where health and metrics are served, on loopback; `None` for nowhere.
    pub http: Option<SocketAddr>,
    /// Nodes that a follower copies the ledger from and passes envelopes on to.
    pub upstreams: Vec<NodeAddress>,
    /// The other validators.
    pub validators: Vec<NodeAddress>,
    /// How a node that has nothing yet begins.
    pub join: Join,
    /// A block that somebody trusted has checked: from it a network whose genesis is old can be joined fast.
    pub pin: Option<PinnedHead>,
    /// Who may submit envelopes here.
    pub submit: Submit,
    /// A line about access that clients show to people.
    pub policy: String,
    /// Bytes on disk beyond which no envelopes are taken; 0 for no bound.
    pub quota_mib: u64,
    /// MiB of chunks of attachments that are kept; 0 for none.
    pub chunks_mib: u64,
    /// Days that a chunk is kept at most.
    pub chunks_days: u64,
    /// Percent of the room for chunks that one address may take.
    pub chunks_share: u64,
    /// Pause after a block that was not full.
    pub block_pause_ms: u64,
    /// Envelopes that may wait for a block.
    pub pool_entries: u64,
    /// MiB of envelopes that may wait for a block.
    pub pool_mib: u64,
    /// Threads that check signatures; 0 for one per core.
    pub threads: u64,
    /// MiB of the database's read cache.
    pub cache_mib: u64,
    /// MiB of the database's write buffers.
    pub write_buffers_mib: u64,
    /// Connections for anybody; validators have places beside them.
    pub connections: u64,
    /// Connections from one address.
    pub connections_per_address: u64,
    /// Requests of one address in a second.
    pub requests_per_second: u64,
    /// What is logged, in the syntax of `RUST_LOG`.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
}

/// How a node that has nothing yet begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Join {
    /// It copies and checks everything from the genesis on.
    Full,
    /// It begins with a snapshot at a recent certified block and fills in what came before behind it.
    Fast,
}

/// Who may submit envelopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Submit {
    /// Everybody who stamps.
    Everybody,
    /// Nobody: the node serves only.
    Nobody,
}

/// How the program writes its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for NodeConfig {
    fn default() -> Self {
        keys::defaults()
    }
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag on the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A configuration, and where each value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The values.
    pub config: NodeConfig,
    /// By key name; every key is there.
    pub origins: BTreeMap<&'static str, Origin>,
}

/// What can set values, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The configuration file: where it is, and its text.
    pub file: Option<(PathBuf, String)>,
    /// Environment variables; those that do not start with `WAXWING_` and a known key are left alone.
    pub variables: Vec<(String, String)>,
    /// Key name and value, as flags gave them.
    pub flags: Vec<(String, String)>,
}

/// What is wrong with a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// The file is not TOML.
    Syntax {
        /// Which file.
        file: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// No such key.
    UnknownKey {
        /// What was written.
        key: String,
        /// Where.
        origin: Origin,
        /// The most similar key there is.
        nearest: &'static str,
    },
    /// A value that the key cannot have.
    BadValue {
        /// The key.
        key: &'static str,
        /// Where.
        origin: Origin,
        /// What it may have.
        allowed: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { file, reason } => write!(f, "{} is not TOML: {}", file.display(), reason.trim_end()),
            Self::UnknownKey { key, origin, nearest } => {
                write!(f, "{origin}: there is no setting {key:?}; did you mean \"{nearest}\"?")
            }
            Self::BadValue { key, origin, allowed } => write!(f, "{origin}: \"{key}\" must be {allowed}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Loaded {
    /// Puts the layers on top of each other.
    ///
    /// # Errors
    /// See [`ConfigError`]; the first one found.
    pub fn new(layers: &Layers) -> Result<Self, ConfigError> {
        let mut loaded = Self {
            config: NodeConfig::default(),
            origins: KEYS.iter().map(|key| (key.name, Origin::Default)).collect(),
        };
        if let Some((path, text)) = &layers.file {
            let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
                file: path.clone(),
                reason: error.to_string(),
            })?;
            for (name, value) in &table {
                loaded.set(name, value, &Origin::File(path.clone()))?;
            }
        }
        for (variable, value) in &layers.variables {
            let name = variable.strip_prefix("WAXWING_").map(str::to_ascii_lowercase);
            if let Some(key) = name.and_then(|name| KEYS.iter().find(|key| key.name == name)) {
                loaded.set(
                    key.name,
                    &toml::Value::from(value.as_str()),
                    &Origin::Variable(variable.clone()),
                )?;
            }
        }
        for (name, value) in &layers.flags {
            let origin = Origin::Flag(format!("--{}", name.replace('_', "-")));
            loaded.set(name, &toml::Value::from(value.as_str()), &origin)?;
        }
        Ok(loaded)
    }

    fn set(&mut self, name: &str, value: &toml::Value, origin: &Origin) -> Result<(), ConfigError> {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            return Err(ConfigError::UnknownKey {
                key: name.to_owned(),
                origin: origin.clone(),
                nearest: nearest(name),
            });
        };
        (key.set)(&mut self.config, value).map_err(|allowed| ConfigError::BadValue {
            key: key.name,
            origin: origin.clone(),
            allowed,
        })?;
        self.origins.insert(key.name, origin.clone());
        Ok(())
    }
}

fn nearest(name: &str) -> &'static str {
    let distance = |key: &&Key| strsim::damerau_levenshtein(key.name, name);
    KEYS.iter().min_by_key(distance).map_or("listen", |key| key.name)
}

impl NodeConfig {
    /// The file that explains every setting, with these values; those that are the default are commented out.
    #[must_use]
    pub fn to_file(&self) -> String {
        let default = Self::default();
        let mut text = "# Settings of a Waxwing node. A value that is commented out is the default.\n\
                        # A flag beats an environment variable (WAXWING_ and the key in capitals), which beats this file.\n\
                        # Changes count from the next start on.\n"
            .to_owned();
        for key in KEYS {
            let (value, unset) = ((key.show)(self), (key.show)(&default));
            let comment = if value == unset { "#" } else { "" };
            text.push('\n');
            for line in key.meaning.lines() {
                text.push_str(&format!("# {line}\n"));
            }
            text.push_str(&format!("{comment}{} = {value}\n", key.name));
        }
        text
    }
}

#[cfg(test)]
mod tests;
