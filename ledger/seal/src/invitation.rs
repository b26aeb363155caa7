//! The invitation: a link that carries a channel, the ledger it lives on, and a way there.
//!
//! ```text
//! waxwing:<open part>#<secret part>          each part: base64url of  version 1 | length 2 | fields | checksum 4
//!          │           └ channel secret 32, channel name 4+n
//!          └ network 32, pinned head 8 + 32, nodes 4 + (address 4+n, node id 32)...
//! ```
//!
//! The secret part stands behind the `#`: programs that handle links do not send that part to servers. The network id
//! is the hash of the genesis and the head is one that the inviter has checked, so whoever joins trusts the inviter and
//! no node.
//!
//! People truncate links, retype them, glue two together. Each part says how long it is and carries a checksum, the
//! secret part's over both, so that every such accident gets its own sentence instead of a channel that silently is
//! another one. `// SPEC 22.7`

use core::fmt;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_bytes, put_list};
use waxwing_core::keys::NodeId;
use zeroize::Zeroizing;

use crate::channel::{ChannelSecret, derive};
use crate::content::Text;
use crate::limits::{CHANNEL_NAME_BYTES_MAX, INVITATION_NODES_MAX, LINK_CHARACTERS_MAX, NODE_ADDRESS_BYTES_MAX};

const SCHEME: &str = "waxwing:";
const CHECKSUM_CONTEXT: &str = "waxwing v1 invitation checksum";

/// What a link is for, by its version: the first byte of both parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkKind {
    /// A channel that everybody with the link is in.
    Channel,
    /// A person, or a channel that a person lets others in.
    Person,
    /// A new device of one's own.
    Device,
}

impl LinkKind {
    const fn version(self) -> u8 {
        match self {
            Self::Channel => 1,
            Self::Person => 2,
            Self::Device => 3,
        }
    }

    const fn of_version(version: u8) -> Option<Self> {
        match version {
            1 => Some(Self::Channel),
            2 => Some(Self::Person),
            3 => Some(Self::Device),
            _ => None,
        }
    }

    /// What a text is, if it is a link at all.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub(crate) fn of(link: &str) -> Result<Self, LinkError> {
        let link = stripped(link)?;
        let (open, _) = split(&link)?;
        beginning(Part::Open, open).map(|(kind, _)| kind)
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel => "a channel",
            Self::Person => "a person",
            Self::Device => "a new device",
        })
    }
}

/// Versions that there may be one day; above, the first characters are damaged rather than from the future.
const VERSION_PLAUSIBLE: u8 = 15;
const CHECKSUM_BYTES: usize = 4;

/// Version and length in front of the fields: 3 bytes, 4 characters.
const FRONT_BYTES: usize = 3;
const FRONT_CHARACTERS: usize = 4;

/// A channel's name as the inviter calls it.
pub type ChannelName = Text<CHANNEL_NAME_BYTES_MAX>;

/// A head that the inviter has checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    /// Its height.
    pub height: u64,
    /// Its block id.
    pub id: Hash,
}

/// Where a node listens, and the key it has to show there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeAddress {
    address: String,
    id: NodeId,
}

impl NodeAddress {
    /// `host:port`, where the host is an IP address (version 6 in brackets) or a DNS name. `None` for anything else: what
    /// comes out of a link goes to the resolver and on screens, and must be no other text.
    #[must_use]
    pub fn new(address: &str, id: NodeId) -> Option<Self> {
        let fits = u32::try_from(address.len()).is_ok_and(|length| length <= NODE_ADDRESS_BYTES_MAX);
        (fits && is_host_and_port(address)).then(|| Self {
            address: address.to_owned(),
            id,
        })
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The node's key.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }
}

fn is_host_and_port(address: &str) -> bool {
    if let Ok(socket) = address.parse::<SocketAddr>() {
        return socket.port() != 0;
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
    };
    host.split('.').all(is_label)
        && port.bytes().all(|digit| digit.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}

impl Encode for NodeAddress {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.address.as_bytes());
        self.id.encode(out);
    }
}

impl Decode for NodeAddress {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let address = core::str::from_utf8(reader.bytes(NODE_ADDRESS_BYTES_MAX)?).map_err(|_| CodecError::BadValue)?;
        Self::new(address, NodeId::decode(reader)?).ok_or(CodecError::BadValue)
    }
}

/// What somebody needs to join a channel. It contains the channel's secret: treat it like the conversation itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// The network id, which is the hash of its genesis.
    pub network: Hash,
    /// A recent head, checked by the inviter.
    pub pin: Pin,
    /// Nodes to ask first; a link names the first eight.
    pub nodes: Vec<NodeAddress>,
    /// What the inviter calls the channel.
    pub name: ChannelName,
    /// Opens the channel.
    pub secret: ChannelSecret,
}

impl Invitation {
    /// The link. Whoever sees it can read and write the channel; it is wiped when dropped.
    #[must_use]
    pub fn link(&self) -> Zeroizing<String> {
        write_parts(LinkKind::Channel, &self.open_fields(), &self.secret_fields())
    }

    /// Reads a link. Spaces and line breaks that copying put into it do not matter.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        let written = read_parts(LinkKind::Channel, link)?;
        Self::from_fields(written.open(), written.secret()).map_err(LinkError::Malformed)
    }

    fn open_fields(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        self.network.encode(&mut fields);
        fields.extend_from_slice(&self.pin.height.to_be_bytes());
        self.pin.id.encode(&mut fields);
        put_list(&mut fields, most(&self.nodes));
        fields
    }

    fn secret_fields(&self) -> Zeroizing<Vec<u8>> {
        let mut fields = Zeroizing::new(Vec::with_capacity(64 + self.name.as_str().len()));
        fields.extend_from_slice(self.secret.expose());
        self.name.encode(&mut fields);
        fields
    }

    fn from_fields(open: &[u8], secret: &[u8]) -> Result<Self, CodecError> {
        let (mut open, mut secret) = (Reader::new(open), Reader::new(secret));
        let invitation = Self {
            network: open.hash()?,
            pin: Pin {
                height: open.u64()?,
                id: open.hash()?,
            },
            nodes: open.list(INVITATION_NODES_MAX, 4 + 32)?,
            secret: ChannelSecret::from_bytes(secret.array()?),
            name: ChannelName::decode(&mut secret)?,
        };
        open.finish()?;
        secret.finish()?;
        Ok(invitation)
    }
}

/// As many nodes as a link names.
pub(crate) fn most(nodes: &[NodeAddress]) -> &[NodeAddress] {
    let limit = usize::try_from(INVITATION_NODES_MAX).unwrap_or(usize::MAX);
    nodes.get(..limit).unwrap_or(nodes)
}

/// The link with these fields.
pub(crate) fn write_parts(kind: LinkKind, open: &[u8], secret: &[u8]) -> Zeroizing<String> {
    let (open, secret) = (front(kind, open), front(kind, secret));
    let open_sum = checksum(&[&open]);
    let secret_sum = checksum(&[&open, &secret]);
    let text = |part: &[u8], sum: [u8; CHECKSUM_BYTES]| {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&*Zeroizing::new([part, &sum].concat())))
    };
    let (open, secret) = (text(&open, open_sum), text(&secret, secret_sum));
    Zeroizing::new([SCHEME, open.as_str(), "#", secret.as_str()].concat())
}

/// The fields of a link whose checksums are right.
pub(crate) struct Written {
    open: Framed,
    secret: Framed,
}

impl Written {
    pub(crate) fn open(&self) -> &[u8] {
        self.open.fields()
    }

    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.fields()
    }
}

/// Reads a link that should be of this kind.
pub(crate) fn read_parts(kind: LinkKind, link: &str) -> Result<Written, LinkError> {
    let link = stripped(link)?;
    let (open_text, secret_text) = split(&link)?;
    let open = Framed::read(kind, Part::Open, open_text)?;
    open.check(Part::Open, &[])?;
    if secret_text.is_empty() {
        return Err(LinkError::SecretMissing);
    }
    let secret = Framed::read(kind, Part::Secret, secret_text)?;
    secret.check(Part::Secret, &open.front)?;
    Ok(Written { open, secret })
}

/// A link without white space.
fn stripped(link: &str) -> Result<Zeroizing<String>, LinkError> {
    if link.len() > LINK_CHARACTERS_MAX {
        return Err(LinkError::NotALink);
    }
    let letters = link.chars().filter(|letter| !letter.is_whitespace());
    Ok(Zeroizing::new(letters.collect::<String>()))
}

/// The two parts.
fn split(link: &str) -> Result<(&str, &str), LinkError> {
    let rest = match link.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => return Err(LinkError::NotALink),
    };
    Ok(rest.split_once('#').unwrap_or((rest, "")))
}

/// Puts version and length in front of the fields.
fn front(kind: LinkKind, fields: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = u16::try_from(fields.len()).expect("eight nodes and a name take less than 3 kB");
    let mut framed = Zeroizing::new(Vec::with_capacity(FRONT_BYTES + fields.len()));
    framed.push(kind.version());
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(fields);
    framed
}

/// Finds accidents, not attacks: whoever can alter a link can make a new one.
fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = *derive(CHECKSUM_CONTEXT, parts);
    [a, b, c, d]
}

/// One part of a link, of the length it promises; its checksum is still to be compared.
struct Framed {
    /// Version, length and fields.
    front: Zeroizing<Vec<u8>>,
    checksum: [u8; CHECKSUM_BYTES],
}

/// The first bytes of a part.
fn beginning(part: Part, text: &str) -> Result<(LinkKind, u16), LinkError> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if let Some(position) = text.bytes().position(|byte| !is_letter(byte)) {
        return Err(LinkError::BadCharacter {
            part,
            position: position + 1,
        });
    }
    let beginning = text.get(..FRONT_CHARACTERS).ok_or(LinkError::Truncated(part))?;
    let beginning = URL_SAFE_NO_PAD
        .decode(beginning)
        .map_err(|_| LinkError::Mistyped(part))?;
    let mut reader = Reader::new(&beginning);
    let version = reader.u8().map_err(LinkError::Malformed)?;
    if version == 0 || version > VERSION_PLAUSIBLE {
        return Err(LinkError::Mistyped(part));
    }
    let kind = LinkKind::of_version(version).ok_or(LinkError::UnknownVersion(version))?;
    Ok((kind, reader.u16().map_err(LinkError::Malformed)?))
}

impl Framed {
    fn read(kind: LinkKind, part: Part, text: &str) -> Result<Self, LinkError> {
        let (found, length) = beginning(part, text)?;
        if found != kind {
            return Err(LinkError::OtherKind(found));
        }
        let length = usize::from(length);
        let characters = (FRONT_BYTES + length + CHECKSUM_BYTES).saturating_mul(8).div_ceil(6);
        match text.len().cmp(&characters) {
            core::cmp::Ordering::Less => return Err(LinkError::Truncated(part)),
            core::cmp::Ordering::Greater => return Err(LinkError::Trailing(part)),
            core::cmp::Ordering::Equal => {}
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map(Zeroizing::new)
            .map_err(|_| LinkError::Mistyped(part))?;
        let (front, checksum) = bytes.split_last_chunk().ok_or(LinkError::Truncated(part))?;
        Ok(Self {
            front: Zeroizing::new(front.to_vec()),
            checksum: *checksum,
        })
    }

    fn check(&self, part: Part, before: &[u8]) -> Result<(), LinkError> {
        if checksum(&[before, &self.front]) == self.checksum {
            Ok(())
        } else {
            Err(LinkError::Mistyped(part))
        }
    }

    fn fields(&self) -> &[u8] {
        self.front.get(FRONT_BYTES..).unwrap_or_default()
    }
}

/// A part of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Before the `#`.
    Open,
    /// Behind the `#`.
    Secret,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the part before the '#'",
            Self::Secret => "the part behind the '#'",
        })
    }
}

/// Why a text is not an invitation. Says nothing of what the link contains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkError {
    /// It does not start like a link of ours, or is far too long.
    NotALink,
    /// There is nothing behind the `#`.
    SecretMissing,
    /// A part ends too early.
    Truncated(Part),
    /// A part goes on where it should end.
    Trailing(Part),
    /// A character that no link has.
    BadCharacter {
        /// Where it stands.
        part: Part,
        /// Its place there, counted from 1.
        position: usize,
    },
    /// A part's checksum is wrong.
    Mistyped(Part),
    /// It is a link, for something else.
    OtherKind(LinkKind),
    /// Made by another version.
    UnknownVersion(u8),
    /// The checksum is right, and the fields make no sense.
    Malformed(CodecError),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALink => f.write_str("this is not an invitation: an invitation starts with \"waxwing:\""),
            Self::SecretMissing => f.write_str(
                "the secret behind the '#' is missing: copy the whole link, and put it in quotes on a command line",
            ),
            Self::Truncated(part) => write!(f, "the link was cut off: {part} is too short; copy the whole link"),
            Self::Trailing(part) => {
                write!(
                    f,
                    "the link has something added: {part} is too long; copy only the link"
                )
            }
            Self::BadCharacter { part, position } => {
                write!(
                    f,
                    "character {position} of {part} does not belong into a link; copy it again"
                )
            }
            Self::Mistyped(part) => write!(
                f,
                "the link was altered: the checksum of {part} is wrong; copy it again"
            ),
            Self::OtherKind(kind) => write!(f, "this link is to {kind}: it is of no use here"),
            Self::UnknownVersion(version) => {
                write!(
                    f,
                    "the link is of version {version}, made by a newer program: update yours"
                )
            }
            Self::Malformed(error) => write!(f, "the link makes no sense ({error}): ask for a new one"),
        }
    }
}

impl core::error::Error for LinkError {}

#[cfg(test)]
mod tests;
