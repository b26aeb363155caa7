//! Reaching another node: at every place that its name stands for, until its key answers.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use waxwing_net::quic::{ConnectError, Connection, Dialer};

use crate::address::NodeAddress;

/// Why a node could not be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreached {
    /// Its name has no address.
    NoSuchHost,
    /// Nobody answers there, or somebody else does.
    Connect(ConnectError),
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchHost => f.write_str("its name has no address; check the spelling and the name server"),
            Self::Connect(error) => error.fmt(f),
        }
    }
}

/// Connects to a node, with `patience` for each handshake.
pub(crate) async fn reach(dialer: &Dialer, address: &NodeAddress, patience: Duration) -> Result<Connection, Unreached> {
    let host = address.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((host, address.port)).await {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    };
    let mut unreached = Unreached::NoSuchHost;
    for place in found {
        match dialer.connect(place, address.node, patience).await {
            Ok(connection) => return Ok(connection),
            Err(error) => unreached = Unreached::Connect(error),
        }
    }
    Err(unreached)
}
