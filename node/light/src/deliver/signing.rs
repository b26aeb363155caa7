//! From a sealed body to an envelope: the anchor it names, the stamp, the log key's signature.

use waxwing_core::HashKeys;
use waxwing_core::genesis::{FirstOfLog, Genesis};
use waxwing_core::keys::LogKey;
use waxwing_seal::Sealed;

use crate::message::MessageId;
use crate::store::channels::Channel;
use crate::store::networks::{KnownAnchor, Network};
use crate::store::outbox::{self as rows, Signing};
use crate::store::{StoreError, Transaction, networks};

/// Grinds the stamp and signs. Takes 2^bits hashes on average. `None` if the body is for another log than the channel's.
pub(crate) fn sign_envelope(
    keys: &HashKeys,
    genesis: &Genesis,
    channel: &Channel,
    sealed: &Sealed,
    anchor: &KnownAnchor,
) -> Option<Signing> {
    let log_key = channel.log_key().filter(|key| key.public() == sealed.log)?;
    let bits = stamp_bits(genesis, channel, sealed);
    Some(sign_with(keys, &log_key, bits, sealed, anchor))
}

fn sign_with(keys: &HashKeys, log_key: &LogKey, bits: u32, sealed: &Sealed, anchor: &KnownAnchor) -> Signing {
    let mut header = sealed.header(anchor.anchor);
    header.grind(keys, bits);
    let signed = header.sign(keys, log_key);
    Signing {
        entry: signed.entry_id(keys),
        signed,
        anchor_time: anchor.time,
    }
}

/// What a stamp over this body has to be worth.
fn stamp_bits(genesis: &Genesis, channel: &Channel, sealed: &Sealed) -> u32 {
    let length = u32::try_from(sealed.body.len()).unwrap_or(u32::MAX);
    // A log that has an entry never loses it, so only "perhaps the first" needs the stronger stamp.
    let first = if channel.state.length() == 0 {
        FirstOfLog::Yes
    } else {
        FirstOfLog::No
    };
    genesis.parameters.required_bits(length, first)
}

/// Signs what was just queued, in the transaction that queues it, if an anchor is known and the stamp is quick: so
/// that a message costs one synced write before it travels.
pub(crate) fn sign_at_once(
    tx: &Transaction<'_>,
    keys: &HashKeys,
    channel: &Channel,
    message: MessageId,
    sealed: &Sealed,
    now: u64,
) -> Result<(), StoreError> {
    let network = networks::load(tx, channel.network)?.ok_or(StoreError::Damaged)?;
    if let Some(anchor) = anchor_at_once(&network, channel, sealed, now)
        && let Some(signing) = sign_envelope(keys, &network.genesis, channel, sealed, &anchor)
    {
        rows::sign(tx, message, None, &signing)?;
    }
    Ok(())
}

/// The same where the ledger's row and the log's key are at hand: the envelope, which goes into the row with the body.
pub(crate) fn signed_at_once(
    network: &Network,
    keys: &HashKeys,
    channel: &Channel,
    (sealed, log_key): (&Sealed, &LogKey),
    now: u64,
) -> Option<Signing> {
    let anchor = anchor_at_once(network, channel, sealed, now)?;
    let bits = stamp_bits(&network.genesis, channel, sealed);
    (log_key.public() == sealed.log).then(|| sign_with(keys, log_key, bits, sealed, &anchor))
}

/// The anchor under which a body can be signed at once.
fn anchor_at_once(network: &Network, channel: &Channel, sealed: &Sealed, now: u64) -> Option<KnownAnchor> {
    let anchor = network.anchor?;
    let is_recent = now.saturating_sub(anchor.checked) <= crate::limits::ANCHOR_RECENT_MS;
    let is_quick = stamp_bits(&network.genesis, channel, sealed) <= crate::limits::STAMP_BITS_AT_ONCE;
    (is_recent && is_quick).then_some(anchor)
}
