//! Headers first: which bodies of an inbox are fetched at all.
//!
//! Whoever has a link may put into its inbox what they like, half a megabyte at a time. What an entry can lead to shows in its
//! header: a request is short, an opening is shorter and cannot be erased, and an invitation that is over takes nothing. So
//! the headers are read first, and a body that can lead to nothing stays where it is. The entry counts all the same: its
//! place is proven like every other, only its words are not known. `// SPEC 28.7`

use waxwing_core::codec::Decode;
use waxwing_core::envelope::EnvelopeHeader;
use waxwing_core::log::Place;
use waxwing_seal::inbox::{DeviceLink, Door, Inbox, PersonLink};

use crate::store::channels::{Channel, ChannelKind};
use crate::store::{StoreError, Transaction, channels, inboxes, linkings};

/// What a log is read for.
#[derive(Debug)]
pub(crate) enum Expected {
    /// Everything: a conversation, a card.
    All,
    /// What comes to an inbox of this device.
    Posts(Box<Inbox>),
    /// The opening of somebody else's inbox.
    Opening(Box<Door>),
    /// Only places: of what this device has put there itself.
    Places,
}

impl Expected {
    /// What a log is read for now.
    pub(crate) fn of(tx: &Transaction<'_>, channel: &Channel) -> Result<Self, StoreError> {
        match channel.kind {
            ChannelKind::Inbox => {
                let inbox = Inbox::from_bytes(&channels::engine(tx, channel.id)?)?;
                Ok(Self::Posts(Box::new(inbox)))
            }
            ChannelKind::Post => Ok(door(tx, channel)?.map_or(Self::Places, |door| Self::Opening(Box::new(door)))),
            ChannelKind::Link | ChannelKind::Group | ChannelKind::Card | ChannelKind::Archive => Ok(Self::All),
        }
    }

    /// Whether bodies are fetched whatever the headers say.
    pub(crate) const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether an entry can lead to anything, by its header alone. What is read later can only make it less.
    pub(crate) fn wants(&self, place: &Place, header: &EnvelopeHeader) -> bool {
        match self {
            Self::All => true,
            Self::Posts(inbox) => inbox.wants(place.time, header),
            Self::Opening(door) => door.may_open(header),
            Self::Places => false,
        }
    }
}

/// The opening that is looked for behind a link, by whoever asks or by the account that takes a device in.
fn door(tx: &Transaction<'_>, channel: &Channel) -> Result<Option<Door>, StoreError> {
    if let Some(link) = inboxes::asked_at(tx, channel.id)?.and_then(|asked| asked.link) {
        let link = PersonLink::from_link(&link).map_err(|_| StoreError::Damaged)?;
        return Ok(Some(link.door()));
    }
    if let Some(link) = linkings::at(tx, channel.id)?.and_then(|linking| linking.link) {
        let link = DeviceLink::from_link(&link).map_err(|_| StoreError::Damaged)?;
        return Ok(Some(link.door()));
    }
    Ok(None)
}
