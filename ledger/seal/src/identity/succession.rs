//! Handing a card's seed to the devices that stay, when the account moves on to another card.
//!
//! A move shuts out whoever was revoked: the next card's seed grows from the root key, and the device that the words were typed
//! into has it at once. The others can read the next card, as every contact can, and could not write on it. So whoever has
//! the seed says it there once more for each of them, sealed to the key package that it published on the card before:
//!
//! ```text
//! old card:  ... key packages of B ... | move (revokes C)
//! new card:  opening | hand-over: B -> HPKE(key package of B, seed) | key packages of B ...
//! ```
//!
//! What opens is compared with the address that the root signed, so it needs no trust in whoever handed it over. A device whose
//! key package has expired meanwhile is left out; it needs the words, as every device did before. `// SPEC 26.5`

use openmls::storage::StorageProvider;
use waxwing_core::Hash;
use waxwing_core::keys::LogId;

use crate::device::DeviceId;
use crate::group::{GroupError, KeyPackage, Provider};
use crate::identity::address::{CardAddress, CardSeed};
use crate::identity::statement::SealedSeed;

const DOMAIN: &[u8] = b"waxwing v1 card seed hand-over";

/// For which card and which device a seed is sealed.
fn information(network: Hash, card: LogId, device: DeviceId) -> Vec<u8> {
    [DOMAIN, network.as_bytes(), &card.0, &device.0].concat()
}

/// Seals a card's seed to the device that published a key package.
#[must_use]
pub fn seal_seed(network: Hash, seed: &CardSeed, package: &KeyPackage) -> Option<SealedSeed> {
    let device = package.member().device;
    let information = information(network, seed.keys(network).log(), device);
    SealedSeed::new(device, package.seal(&information, seed.expose())?)
}

/// The seed of the card at this address, if that is what was sealed to the own key package.
///
/// # Errors
/// If the storage refuses.
pub fn open_seed<S: StorageProvider>(
    provider: &Provider<'_, S>,
    network: Hash,
    address: &CardAddress,
    (package, sealed): (&KeyPackage, &SealedSeed),
) -> Result<Option<CardSeed>, GroupError> {
    let information = information(network, address.log(), sealed.device);
    let opened = package.open(provider, &information, sealed.as_bytes())?;
    let seed = opened.and_then(|opened| <[u8; 32]>::try_from(opened.as_slice()).ok());
    let seed = seed.map(CardSeed::from_bytes);
    Ok(seed.filter(|seed| seed.address(network) == *address))
}
