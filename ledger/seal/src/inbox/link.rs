//! Links to inboxes: to a person's or a channel's, and to a new device's.
//!
//! ```text
//! waxwing:<open part>#<secret part>       as an invitation's; the version says what for: 2 a person, 3 a device
//!   2  open: network 32, head 8 + 32, nodes      secret: account 32, inbox seed 32, purpose
//!   3  open: network 32, nodes                   secret: inbox seed 32, id of the opening 32
//! ```
//!
//! The account is behind the `#` as well: who made a link is nobody's business who only carries it. `// SPEC 28.2`

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};
use zeroize::Zeroizing;

use crate::identity::AccountId;
use crate::invitation::{Invitation, LinkError, LinkKind, NodeAddress, Pin, Written, most, read_parts, write_parts};
use crate::limits::INVITATION_NODES_MAX;

use super::door::Door;
use super::key::InboxSeed;
use super::opening::Purpose;

/// Any link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Link {
    /// To a channel, from before there were groups.
    Channel(Invitation),
    /// To a person, or to a channel that the person lets others in.
    Person(PersonLink),
    /// To a new device.
    Device(DeviceLink),
}

impl Link {
    /// Reads whatever link somebody pasted or scanned.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn read(link: &str) -> Result<Self, LinkError> {
        Ok(match LinkKind::of(link)? {
            LinkKind::Channel => Self::Channel(Invitation::from_link(link)?),
            LinkKind::Person => Self::Person(PersonLink::from_link(link)?),
            LinkKind::Device => Self::Device(DeviceLink::from_link(link)?),
        })
    }
}

/// What somebody needs to ask a person to be let in. Whoever has it can ask; it opens nothing by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonLink {
    /// The network id, which is the hash of its genesis.
    pub network: Hash,
    /// A recent head, checked by the person.
    pub pin: Pin,
    /// Nodes to ask first; a link names the first eight.
    pub nodes: Vec<NodeAddress>,
    /// Whose inbox it is: the opening has to be signed by a device of this account.
    pub account: AccountId,
    /// The right to post.
    pub seed: InboxSeed,
    /// What for. The opening says so too, and that is what counts.
    pub purpose: Purpose,
}

impl PersonLink {
    /// The link; wiped when dropped.
    #[must_use]
    pub fn link(&self) -> Zeroizing<String> {
        let mut open = Vec::new();
        self.network.encode(&mut open);
        open.extend_from_slice(&self.pin.height.to_be_bytes());
        self.pin.id.encode(&mut open);
        put_list(&mut open, most(&self.nodes));
        let mut secret = Zeroizing::new(Vec::with_capacity(256));
        self.account.encode(&mut secret);
        self.seed.encode(&mut secret);
        self.purpose.encode(&mut secret);
        write_parts(LinkKind::Person, &open, &secret)
    }

    /// Reads a link. Spaces and line breaks that copying put into it do not matter.
    ///
    /// # Errors
    /// What is wrong with it, and what to do; [`LinkError::OtherKind`] if it is for something else.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        let written = read_parts(LinkKind::Person, link)?;
        Self::from_parts(&written).map_err(LinkError::Malformed)
    }

    fn from_parts(written: &Written) -> Result<Self, CodecError> {
        let (mut open, mut secret) = (Reader::new(written.open()), Reader::new(written.secret()));
        let link = Self {
            network: open.hash()?,
            pin: Pin {
                height: open.u64()?,
                id: open.hash()?,
            },
            nodes: open.list(INVITATION_NODES_MAX, 4 + 32)?,
            account: AccountId::decode(&mut secret)?,
            seed: InboxSeed::decode(&mut secret)?,
            purpose: Purpose::decode(&mut secret)?,
        };
        open.finish()?;
        secret.finish()?;
        Ok(link)
    }

    /// The inbox that it leads to.
    #[must_use]
    pub fn door(&self) -> Door {
        Door::of_person(self.network, &self.seed, self.account)
    }
}

/// What a new device shows, to be taken into an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceLink {
    /// The network id.
    pub network: Hash,
    /// Nodes that the device uses; a link names the first eight.
    pub nodes: Vec<NodeAddress>,
    /// The right to post.
    pub seed: InboxSeed,
    /// The opening of the device's inbox: its id, which is a hash of its keys.
    pub opening: Hash,
}

impl DeviceLink {
    /// The link; wiped when dropped.
    #[must_use]
    pub fn link(&self) -> Zeroizing<String> {
        let mut open = Vec::new();
        self.network.encode(&mut open);
        put_list(&mut open, most(&self.nodes));
        let mut secret = Zeroizing::new(Vec::with_capacity(64));
        self.seed.encode(&mut secret);
        self.opening.encode(&mut secret);
        write_parts(LinkKind::Device, &open, &secret)
    }

    /// Reads a link. Spaces and line breaks that copying put into it do not matter.
    ///
    /// # Errors
    /// What is wrong with it, and what to do; [`LinkError::OtherKind`] if it is for something else.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        let written = read_parts(LinkKind::Device, link)?;
        Self::from_parts(&written).map_err(LinkError::Malformed)
    }

    fn from_parts(written: &Written) -> Result<Self, CodecError> {
        let (mut open, mut secret) = (Reader::new(written.open()), Reader::new(written.secret()));
        let link = Self {
            network: open.hash()?,
            nodes: open.list(INVITATION_NODES_MAX, 4 + 32)?,
            seed: InboxSeed::decode(&mut secret)?,
            opening: secret.hash()?,
        };
        open.finish()?;
        secret.finish()?;
        Ok(link)
    }

    /// The inbox that it leads to.
    #[must_use]
    pub fn door(&self) -> Door {
        Door::of_device(self.network, &self.seed, self.opening)
    }
}
