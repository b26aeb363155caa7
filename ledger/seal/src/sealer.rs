//! All layers at once: a content becomes a body and its erasure commitment, an entry becomes a content again.
//!
//! ```text
//! seal   content ─ erasure commitment from its salt ─> binding ─> engine ─> outer seal ─> Sealed
//! open   header, body ─> outer seal ─> engine, under the binding that the header states ─> Opened
//! ```
//!
//! Two ways to commit. **Erasable**: the commitment hides a secret that only the author can compute. **Stays**: the
//! commitment is computed from the seal key and the body's own hash, so whoever holds the seal key sees that no secret
//! stands behind it, and nodes see no difference. `// SPEC 22.6`

use core::fmt;

use waxwing_core::envelope::{Anchor, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::hash::Meaning;
use waxwing_core::keys::LogId;
use waxwing_core::{Hash, HashKeys};
use zeroize::Zeroizing;

use crate::channel::{EpochKeys, SealKey, derive};
use crate::content::{Content, EraseSalt};
use crate::device::{DeviceId, DeviceKey};
use crate::engine::{Authored, Binding, GroupEngine, OpenError, SealError};
use crate::outer::NONCE_BYTES;
use crate::{Chance, draw};

const NO_ERASE_CONTEXT: &str = "waxwing v1 no erase";

/// How long a body is meant to live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeping {
    /// Until its author erases it, or the time has passed.
    Erasable(KeepFor),
    /// For ever: nobody can erase it, and every member can check that.
    Stays,
}

impl Keeping {
    pub(crate) const fn keep_for(self) -> KeepFor {
        match self {
            Self::Erasable(keep_for) => keep_for,
            Self::Stays => KeepFor::Ever,
        }
    }
}

/// A sealed body with what its envelope header has to say about it. Public as a whole: this is what nodes will see. It
/// is kept until the entry is final: a lost submission is signed again over the same body, never sealed again.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The log it is for.
    pub log: LogId,
    /// The body.
    pub body: Vec<u8>,
    /// Its hash.
    pub body_hash: Hash,
    /// The erasure commitment.
    pub erasure: Hash,
    /// The keep-for.
    pub keep_for: KeepFor,
}

impl Sealed {
    /// The envelope header under this anchor; its stamp is still to be ground, and the log's signature to be made.
    ///
    /// # Panics
    /// Never for what [`Sealer::seal`] made: its bodies have at most 512 KiB.
    #[must_use]
    pub fn header(&self, anchor: Anchor) -> EnvelopeHeader {
        EnvelopeHeader {
            body_length: u32::try_from(self.body.len()).expect("a sealed body has at most 512 KiB"),
            log: self.log,
            anchor,
            body_hash: self.body_hash,
            erasure: self.erasure,
            keep_for: self.keep_for,
            nonce: 0,
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes for {})", self.body.len(), self.log)
    }
}

/// What an entry turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Who wrote it.
    pub device: DeviceId,
    /// The device's own count of its messages on this log.
    pub counter: u64,
    /// How long the body is meant to live.
    pub keeping: Keeping,
    /// What was written.
    pub content: Content,
}

/// Seals and opens for one epoch of one channel, as one device.
#[derive(Clone, Debug)]
pub struct Sealer<E> {
    hash_keys: HashKeys,
    epoch: EpochKeys,
    device: DeviceKey,
    engine: E,
}

impl<E: GroupEngine> Sealer<E> {
    /// Puts the parts together.
    #[must_use]
    pub const fn new(hash_keys: HashKeys, epoch: EpochKeys, device: DeviceKey, engine: E) -> Self {
        Self {
            hash_keys,
            epoch,
            device,
            engine,
        }
    }

    /// The epoch's log and keys.
    #[must_use]
    pub const fn epoch(&self) -> &EpochKeys {
        &self.epoch
    }

    /// Who this device is.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device.id()
    }

    /// The engine's state, to be stored with the rows it goes with.
    #[must_use]
    pub const fn engine(&self) -> &E {
        &self.engine
    }

    /// Puts the engine back to a stored state, when the transaction that a call belonged to was not committed.
    pub fn restore(&mut self, engine: E) {
        self.engine = engine;
    }

    /// Seals a content. One content is sealed once per log: twice would link both entries by their commitment.
    ///
    /// # Errors
    /// If it is too long, or the engine cannot write any more.
    pub fn seal(&mut self, content: &Content, keeping: Keeping, chance: &mut Chance<'_>) -> Result<Sealed, SealError> {
        let erasure = match keeping {
            Keeping::Erasable(_) => self.erasure_secret(content.salt).commitment(&self.hash_keys),
            Keeping::Stays => Hash::ZERO,
        };
        let keep_for = keeping.keep_for();
        let log = self.epoch.log();
        let binding = Binding {
            network: self.hash_keys.network(),
            log,
            erasure,
            keep_for,
        };
        let message = Zeroizing::new(self.engine.protect(&self.device, content, &binding)?);
        enclose(&self.hash_keys, &self.epoch, &message, erasure, keeping, &draw(chance))
    }

    /// Opens the body of a certified entry. The header is the entry's own, so that whoever reposted a body under other
    /// terms is found out.
    ///
    /// # Errors
    /// The first check that fails. The engine's state is then as before for [`crate::StandIn`]; engines that consume
    /// keys while failing are put back by [`Sealer::restore`].
    pub fn open(&mut self, header: &EnvelopeHeader, body: &[u8]) -> Result<Opened, OpenError> {
        let (message, keeping, binding) = disclose(&self.hash_keys, &self.epoch, header, body)?;
        let Authored {
            device,
            counter,
            content,
        } = self.engine.unprotect(&message, &binding)?;
        Ok(Opened {
            device,
            counter,
            keeping,
            content,
        })
    }

    /// The secret that erases this device's message with that salt. Publishing several at once links them to one
    /// author.
    #[must_use]
    pub fn erasure_secret(&self, salt: EraseSalt) -> ErasureSecret {
        self.device.erasure_secret(self.epoch.log(), salt)
    }
}

/// Puts a layer 3 message, bound to `erasure` (zeros for what stays), into the body of an envelope.
pub(crate) fn enclose(
    hash_keys: &HashKeys,
    epoch: &EpochKeys,
    message: &[u8],
    erasure: Hash,
    keeping: Keeping,
    nonce: &[u8; NONCE_BYTES],
) -> Result<Sealed, SealError> {
    let log = epoch.log();
    let body = epoch.seal_key().seal(hash_keys.network(), log, message, nonce)?;
    let body_hash = hash_keys.hash(Meaning::Body, &body);
    let erasure = match keeping {
        Keeping::Erasable(_) => erasure,
        Keeping::Stays => no_erase(epoch.seal_key(), body_hash),
    };
    Ok(Sealed {
        log,
        body,
        body_hash,
        erasure,
        keep_for: keeping.keep_for(),
    })
}

/// Takes the layer 3 message out of a body again, with what it must be bound to.
pub(crate) fn disclose(
    hash_keys: &HashKeys,
    epoch: &EpochKeys,
    header: &EnvelopeHeader,
    body: &[u8],
) -> Result<(Zeroizing<Vec<u8>>, Keeping, Binding), OpenError> {
    let log = epoch.log();
    if header.log != log {
        return Err(OpenError::WrongLog);
    }
    let network = hash_keys.network();
    let message = epoch.seal_key().open(network, log, body)?;
    // From the body, not from the header: what must stay commits to the body that is opened here.
    let body_hash = hash_keys.hash(Meaning::Body, body);
    let keeping = if header.erasure == no_erase(epoch.seal_key(), body_hash) {
        Keeping::Stays
    } else {
        Keeping::Erasable(header.keep_for)
    };
    let erasure = match keeping {
        Keeping::Stays => Hash::ZERO,
        // Zeros inside mean "stays"; outside they are no commitment at all.
        Keeping::Erasable(_) if header.erasure == Hash::ZERO => return Err(OpenError::WrongErasure),
        Keeping::Erasable(_) => header.erasure,
    };
    if keeping.keep_for() != header.keep_for {
        return Err(OpenError::WrongKeepFor);
    }
    let binding = Binding {
        network,
        log,
        erasure,
        keep_for: header.keep_for,
    };
    Ok((message, keeping, binding))
}

/// The commitment of a body that must stay: nobody knows a secret that hashes to it, because it is itself the hash of
/// something else.
pub(crate) fn no_erase(seal_key: &SealKey, body_hash: Hash) -> Hash {
    Hash(*derive(NO_ERASE_CONTEXT, &[&seal_key.0, body_hash.as_bytes()]))
}

#[cfg(test)]
mod tests;
