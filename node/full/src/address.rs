//! Where a node is, and which key must answer there: `<64 hexadecimal digits>@<host>:<port>`.
//!
//! The key is part of the address, so there is no authority to ask and nobody to impersonate the node but who holds its
//! key.

use std::fmt;
use std::str::FromStr;

use waxwing_core::keys::NodeId;

/// A node's address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeAddress {
    /// The key that must answer.
    pub node: NodeId,
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

/// Why a text is no node's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressError {
    /// Not of the form key, at, host, colon, port.
    Form,
    /// The key is not 64 hexadecimal digits, or no key that could answer.
    Key,
    /// Not a port from 1 to 65535.
    Port,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "an address looks like <64 hexadecimal digits>@<host>:<port>",
            Self::Key => {
                "what stands before the @ must be the node's key, 64 hexadecimal digits, as the node prints it"
            }
            Self::Port => "what stands behind the last colon must be a port from 1 to 65535",
        })
    }
}

impl std::error::Error for AddressError {}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (key, place) = text.trim().split_once('@').ok_or(AddressError::Form)?;
        let (host, port) = place.rsplit_once(':').ok_or(AddressError::Form)?;
        let is_bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if host.is_empty() || is_bare_ipv6 || host.contains(char::is_whitespace) {
            return Err(AddressError::Form);
        }
        let node = parse_hex(key)
            .map(NodeId)
            .filter(NodeId::is_usable)
            .ok_or(AddressError::Key)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Port)?;
        Ok(Self {
            node,
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.node, self.host, self.port)
    }
}

/// 32 bytes from 64 hexadecimal digits.
pub(crate) fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::keys::NodeKey;

    #[test]
    fn an_address_is_read_as_it_is_printed() {
        let key = NodeKey::from_seed(&[1; 32]).public();
        for place in ["127.0.0.1:4040", "[::1]:1", "node.example.org:65535"] {
            let text = format!("{key}@{place}");
            let address: NodeAddress = text.parse().unwrap();
            assert_eq!((address.to_string(), address.node), (text, key));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_wrong() {
        let key = NodeKey::from_seed(&[1; 32]).public();
        let refusal = |text: String| text.parse::<NodeAddress>().unwrap_err();
        assert_eq!(refusal("127.0.0.1:4040".to_owned()), AddressError::Form);
        assert_eq!(refusal(format!("{key}@host")), AddressError::Form);
        assert_eq!(refusal(format!("{key}@:1")), AddressError::Form);
        assert_eq!(refusal(format!("{key}@::1:1")), AddressError::Form);
        assert_eq!(refusal("abc@host:1".to_owned()), AddressError::Key);
        assert_eq!(refusal(format!("{}@host:1", "é".repeat(32))), AddressError::Key);
        assert_eq!(
            refusal(format!("{}@host:1", "0".repeat(64))),
            AddressError::Key,
            "a key of small order"
        );
        for port in ["0", "65536", "", "http"] {
            assert_eq!(refusal(format!("{key}@host:{port}")), AddressError::Port);
        }
    }
}
