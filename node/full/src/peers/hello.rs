//! The first word between two validators: "I hold this vote key, and I speak from this node to that one".
//!
//! A node's key costs nothing, so the key alone says nothing about who may take part in the agreement. The hello ties the
//! two keys together. It is signed over both nodes, and each proves its node key in the handshake: a hello that somebody
//! recorded is worth nothing on a connection of his own.

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::keys::{NodeId, Signature, ValidatorId};

/// What a hello's message starts with. No vote, beacon or proposal does.
const HELLO_DOMAIN: &[u8] = b"waxwing v1 hello";

/// A hello as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hello {
    /// Who speaks.
    pub(crate) validator: ValidatorId,
    /// UDP port at which its node takes connections, at the address that it calls from.
    pub(crate) port: u16,
    /// Over [`hello_message`], by the vote key.
    pub(crate) signature: Signature,
}

/// The bytes that a validator signs to say which node it speaks from, and to which.
pub(crate) fn hello_message(network: Hash, from: &NodeId, to: &NodeId, port: u16) -> Vec<u8> {
    let mut message = HELLO_DOMAIN.to_vec();
    network.encode(&mut message);
    from.encode(&mut message);
    to.encode(&mut message);
    message.extend_from_slice(&port.to_be_bytes());
    message
}

impl Hello {
    /// Reads a hello that came from the node `from` to the node `to`; `None` if it is none, or proves nothing.
    pub(crate) fn read(bytes: &[u8], network: Hash, from: &NodeId, to: &NodeId) -> Option<Self> {
        let hello = Self::from_bytes(bytes).ok()?;
        let message = hello_message(network, from, to, hello.port);
        hello.validator.verify(&message, &hello.signature).ok()?;
        Some(hello)
    }
}

impl Encode for Hello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.validator.encode(out);
        out.extend_from_slice(&self.port.to_be_bytes());
        self.signature.encode(out);
    }
}

impl Decode for Hello {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            validator: ValidatorId::decode(reader)?,
            port: reader.array().map(u16::from_be_bytes)?,
            signature: Signature::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::keys::VoteKey;
    use waxwing_net::wire::limits::HELLO_BYTES_MAX;

    #[test]
    fn a_hello_counts_between_two_nodes_of_one_network_and_nowhere_else() {
        let key = VoteKey::from_seed(&[1; 32]);
        let (network, from, to) = (Hash([2; 32]), NodeId([3; 32]), NodeId([4; 32]));
        let hello = Hello {
            validator: key.public(),
            port: 4040,
            signature: key.sign(&hello_message(network, &from, &to, 4040)),
        };
        let bytes = hello.to_bytes();
        assert!(bytes.len() <= HELLO_BYTES_MAX);
        assert_eq!(Hello::read(&bytes, network, &from, &to), Some(hello.clone()));
        let message = hello_message(network, &from, &to, 4040);
        let parts = [b"waxwing v1 hello", &[2; 32][..], &[3; 32], &[4; 32], &[0x0f, 0xc8]];
        assert_eq!(message, parts.concat(), "SPEC 4.2");
        let stranger = NodeId([5; 32]);
        assert_eq!(
            Hello::read(&bytes, network, &stranger, &to),
            None,
            "said again by somebody else"
        );
        assert_eq!(
            Hello::read(&bytes, network, &from, &stranger),
            None,
            "said again to somebody else"
        );
        assert_eq!(Hello::read(&bytes, network, &to, &from), None, "thrown back");
        assert_eq!(
            Hello::read(&bytes, Hash([9; 32]), &from, &to),
            None,
            "of another network"
        );
        let mut moved = hello.clone();
        moved.port = 4041;
        assert_eq!(Hello::read(&moved.to_bytes(), network, &from, &to), None);
        let mut posing = hello;
        posing.validator = VoteKey::from_seed(&[2; 32]).public();
        assert_eq!(Hello::read(&posing.to_bytes(), network, &from, &to), None);
        assert_eq!(Hello::read(&bytes[1..], network, &from, &to), None);
        assert_eq!(Hello::read(&[&bytes[..], &[0]].concat(), network, &from, &to), None);
    }
}
