//! The bodies of an inbox: openings under the outer seal, posts under the owner's key inside of it.
//!
//! ```text
//! outer seal of   1 | opening     2 | opening of a device     3 | encapsulated key 1120 | ciphertext
//! ciphertext of   length 4 | kind 1 | what is posted | zeros up to 7,011 bytes
//! ```
//!
//! The erasure commitment and the keep-for of the envelope go into the inner seal: who takes a post off the ledger and
//! posts it again under terms of his own has posted nothing. `// SPEC 28.4`

use waxwing_core::codec::{Decode, Encode, Reader};
use waxwing_core::envelope::{EnvelopeHeader, KeepFor};
use waxwing_core::{Hash, HashKeys};
use zeroize::Zeroizing;

use crate::channel::EpochKeys;
use crate::content::EraseSalt;
use crate::device::DeviceKey;
use crate::engine::Binding;
use crate::sealer::{Keeping, Sealed, disclose, enclose};
use crate::{Chance, draw};

use super::key::{InboxKey, InboxPublic, Sealing};
use super::limits::{POST_BYTES_MAX, POST_TEXT_BYTES_MIN};
use super::opening::{DeviceOpening, Opening};
use super::post::Post;
use super::void::{PostError, Void};

/// First bytes of what is under the outer seal.
mod form {
    pub(super) const OPENING: u8 = 1;
    pub(super) const DEVICE_OPENING: u8 = 2;
    pub(super) const POST: u8 = 3;
}

/// The highest kind of a post that this version knows.
const KIND_LAST: u8 = 7;

/// A post to be submitted, and what erases it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// The body, for an envelope on the inbox's log.
    pub sealed: Sealed,
    /// With the device's key and the log it gives the secret that erases the body: [`DeviceKey::erasure_secret`].
    pub salt: EraseSalt,
}

/// What stands under the outer seal.
pub(super) enum Outer {
    Opening(Box<Opening>),
    DeviceOpening(Box<DeviceOpening>),
    Post(Inner),
}

/// A post that is still sealed to the owner.
pub(super) struct Inner {
    sealed: Zeroizing<Vec<u8>>,
    binding: Binding,
}

/// Reads the body of a certified entry as everybody with the inbox's seed can.
pub(super) fn read(
    hash_keys: &HashKeys,
    keys: &EpochKeys,
    header: &EnvelopeHeader,
    body: &[u8],
) -> Result<Outer, Void> {
    let (message, keeping, binding) = disclose(hash_keys, keys, header, body).map_err(Void::Seal)?;
    let mut reader = Reader::new(&message);
    let form = reader.u8().map_err(Void::Malformed)?;
    let rest = reader.take(reader.remaining()).map_err(Void::Malformed)?;
    let must_stay = |outer| match keeping {
        Keeping::Stays => Ok(outer),
        Keeping::Erasable(_) => Err(Void::Erasable),
    };
    match form {
        form::OPENING => {
            let opening = Opening::from_bytes(rest).map_err(Void::Malformed)?;
            must_stay(Outer::Opening(Box::new(opening)))
        }
        form::DEVICE_OPENING => {
            let opening = DeviceOpening::from_bytes(rest).map_err(Void::Malformed)?;
            must_stay(Outer::DeviceOpening(Box::new(opening)))
        }
        form::POST => Ok(Outer::Post(Inner {
            sealed: Zeroizing::new(rest.to_vec()),
            binding,
        })),
        form => Err(Void::UnknownForm(form)),
    }
}

impl Inner {
    /// The post, for whom it is sealed to.
    pub(super) fn open(&self, key: &InboxKey, occasion: Hash) -> Result<Post, Void> {
        let sealing = Sealing::new(&self.binding, occasion);
        let text = key.open(&sealing, &self.sealed).ok_or(Void::NotForUs)?;
        let mut reader = Reader::new(&text);
        let post = reader.bytes(POST_BYTES_MAX).map_err(Void::Malformed)?;
        let zeros = reader.take(reader.remaining()).map_err(Void::Malformed)?;
        let is_padded = text.len() == padded(post.len()) && zeros.iter().all(|byte| *byte == 0);
        if !is_padded {
            return Err(Void::Malformed(waxwing_core::codec::CodecError::BadValue));
        }
        match post.first() {
            Some(kind) if !(1..=KIND_LAST).contains(kind) => Err(Void::UnknownKind(*kind)),
            _ => Post::from_bytes(post).map_err(Void::Malformed),
        }
    }
}

/// Bytes of the text that a post of this length is sealed in.
fn padded(length: usize) -> usize {
    let least = usize::try_from(POST_TEXT_BYTES_MIN).unwrap_or(usize::MAX);
    least.max(length.saturating_add(4))
}

/// Seals the opening of an invitation's inbox.
pub(super) fn seal_opening(
    hash_keys: &HashKeys,
    keys: &EpochKeys,
    opening: &Opening,
    chance: &mut Chance<'_>,
) -> Result<Sealed, PostError> {
    seal_stays(hash_keys, keys, form::OPENING, &opening.to_bytes(), chance)
}

/// Seals the opening of a new device's inbox.
pub(super) fn seal_device_opening(
    hash_keys: &HashKeys,
    keys: &EpochKeys,
    opening: &DeviceOpening,
    chance: &mut Chance<'_>,
) -> Result<Sealed, PostError> {
    seal_stays(hash_keys, keys, form::DEVICE_OPENING, &opening.to_bytes(), chance)
}

fn seal_stays(
    hash_keys: &HashKeys,
    keys: &EpochKeys,
    form: u8,
    opening: &[u8],
    chance: &mut Chance<'_>,
) -> Result<Sealed, PostError> {
    let message = [&[form], opening].concat();
    let nonce = draw(chance);
    Ok(enclose(hash_keys, keys, &message, Hash::ZERO, Keeping::Stays, &nonce)?)
}

/// Whom a post is sealed to, and for what occasion.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    pub(super) keys: &'a EpochKeys,
    pub(super) public: &'a InboxPublic,
    pub(super) occasion: Hash,
}

/// Seals a post; its author's device key gives the secret that can erase it.
pub(super) fn seal_post(
    hash_keys: &HashKeys,
    to: To<'_>,
    post: &Post,
    device: &DeviceKey,
    keep_for: KeepFor,
    chance: &mut Chance<'_>,
) -> Result<Mail, PostError> {
    let log = to.keys.log();
    let salt = EraseSalt(draw(chance));
    let erasure = device.erasure_secret(log, salt).commitment(hash_keys);
    let binding = Binding {
        network: hash_keys.network(),
        log,
        erasure,
        keep_for,
    };
    let text = text(post)?;
    let sealing = Sealing::new(&binding, to.occasion);
    let inner = to.public.seal(&sealing, &text).ok_or(PostError::Unanswerable)?;
    let message = [&[form::POST], inner.as_slice()].concat();
    let keeping = Keeping::Erasable(keep_for);
    let sealed = enclose(hash_keys, to.keys, &message, erasure, keeping, &draw(chance))?;
    Ok(Mail { sealed, salt })
}

fn text(post: &Post) -> Result<Zeroizing<Vec<u8>>, PostError> {
    let post = Zeroizing::new(post.to_bytes());
    let length = u32::try_from(post.len())
        .ok()
        .filter(|length| *length <= POST_BYTES_MAX);
    let length = length.ok_or(PostError::TooLong)?;
    let total = padded(post.len());
    let mut text = Zeroizing::new(Vec::with_capacity(total));
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(&post);
    text.resize(total, 0);
    Ok(text)
}
