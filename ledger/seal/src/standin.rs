//! Layer 3 before groups exist: a device signature and a counter.
//!
//! ```text
//! engine 1 = 1 | device 32 | counter 8 | erasure 32 | keep-for 4 | signature 64 | content
//! signed: domain, network, log, device, counter, erasure, keep-for, content
//! ```
//!
//! It proves which device wrote a content, and that it wrote it for this log and under these terms, once. What it
//! cannot give and group encryption will: forward secrecy, healing after a theft, removal of a member. The outer seal
//! is all the secrecy there is. `// SPEC 22.4`

use std::collections::BTreeMap;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_count};
use waxwing_core::envelope::KeepFor;
use waxwing_core::keys::Signature;

use crate::content::Content;
use crate::device::{DeviceId, DeviceKey};
use crate::engine::{Authored, Binding, GroupEngine, OpenError, SealError};
use crate::limits::{COUNTER_WINDOW, DEVICES_PER_LOG_MAX};

/// What a device signs starts with this.
const DOMAIN: &[u8] = b"waxwing v1 device message";

/// First byte of a message of this engine; group encryption takes another.
const ENGINE: u8 = 1;

/// Bytes of a message beside the content.
pub(crate) const STANDIN_BYTES: usize = 1 + 32 + 8 + 32 + 4 + 64;

/// First bytes of the stored state; the last one is the version.
const STATE_MAGIC: [u8; 8] = *b"WXSTAND\x01";

/// Which counters of one device have been seen: the highest, and which of the 256 up to it.
///
/// ```text
/// bit          255 ........ 2 1 0      bit i of (high, low) = counter `highest - i` was seen
/// counter  highest-255      ... highest
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Window {
    highest: u64,
    high: u128,
    low: u128,
}

impl Window {
    const fn starting_with(counter: u64) -> Self {
        Self {
            highest: counter,
            high: 0,
            low: 1,
        }
    }

    const fn bit(&self, distance: u32) -> bool {
        match distance {
            0..128 => (self.low >> distance) & 1 == 1,
            128..256 => (self.high >> (distance - 128)) & 1 == 1,
            _ => false,
        }
    }

    /// The window after this counter was seen.
    ///
    /// # Errors
    /// [`OpenError::Replayed`] or [`OpenError::TooOld`].
    fn with(mut self, counter: u64) -> Result<Self, OpenError> {
        if let Some(ahead) = counter.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.shift(u32::try_from(ahead).unwrap_or(u32::MAX));
            self.highest = counter;
            self.low |= 1;
            return Ok(self);
        }
        let behind = u32::try_from(self.highest - counter).unwrap_or(u32::MAX);
        if behind >= COUNTER_WINDOW {
            return Err(OpenError::TooOld);
        }
        if self.bit(behind) {
            return Err(OpenError::Replayed);
        }
        match behind {
            0..128 => self.low |= 1 << behind,
            _ => self.high |= 1 << (behind - 128),
        }
        Ok(self)
    }

    const fn shift(&mut self, by: u32) {
        (self.high, self.low) = match by {
            0 => (self.high, self.low),
            1..128 => ((self.high << by) | (self.low >> (128 - by)), self.low << by),
            128..256 => (self.low << (by - 128), 0),
            _ => (0, 0),
        };
    }

    /// Whether such a window can come about: its highest counter was seen, and none below 1.
    fn is_sound(&self) -> bool {
        let lowest_unused = u32::try_from(self.highest).unwrap_or(u32::MAX);
        self.highest > 0 && self.bit(0) && (lowest_unused..COUNTER_WINDOW).all(|distance| !self.bit(distance))
    }
}

const _: () = assert!(COUNTER_WINDOW == 2 * u128::BITS);

/// One log's counters: this device's own and those seen from others. No secrets in it; stored with the rows it goes
/// with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StandIn {
    /// Highest counter this device has used.
    used: u64,
    seen: BTreeMap<DeviceId, Window>,
}

impl StandIn {
    /// The state at the start of a log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Devices that have written on this log.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.seen.keys().copied()
    }

    /// The next counter of this device: after the last one used, and after what the ledger shows of it. A device whose
    /// store went back in time so continues behind what others have seen, once it has caught up.
    fn next_counter(&self, device: DeviceId) -> Result<u64, SealError> {
        let shown = self.seen.get(&device).map_or(0, |window| window.highest);
        self.used.max(shown).checked_add(1).ok_or(SealError::CounterExhausted)
    }

    fn window_with(&self, device: DeviceId, counter: u64) -> Result<Window, OpenError> {
        match self.seen.get(&device) {
            Some(window) => window.with(counter),
            None if is_full(self.seen.len()) => Err(OpenError::TooManyDevices),
            None => Ok(Window::starting_with(counter)),
        }
    }
}

fn is_full(devices: usize) -> bool {
    u32::try_from(devices).map_or(true, |devices| devices >= DEVICES_PER_LOG_MAX)
}

impl GroupEngine for StandIn {
    fn protect(&mut self, device: &DeviceKey, content: &Content, binding: &Binding) -> Result<Vec<u8>, SealError> {
        let counter = self.next_counter(device.id())?;
        let claim = Claim {
            device: device.id(),
            counter,
            erasure: binding.erasure,
            keep_for: binding.keep_for,
        };
        let content = content.to_bytes();
        let signature = device.sign(&claim.signed_message(binding, &content));
        let mut message = Vec::with_capacity(STANDIN_BYTES + content.len());
        message.push(ENGINE);
        claim.encode(&mut message);
        signature.encode(&mut message);
        message.extend_from_slice(&content);
        self.used = counter;
        Ok(message)
    }

    /// A refusal changes nothing: the counter counts as seen only if everything else holds.
    fn unprotect(&mut self, message: &[u8], binding: &Binding) -> Result<Authored, OpenError> {
        let mut reader = Reader::new(message);
        let engine = reader.u8()?;
        if engine != ENGINE {
            return Err(OpenError::UnknownEngine(engine));
        }
        let claim = Claim::decode(&mut reader)?;
        let signature = Signature::decode(&mut reader)?;
        let content = reader.take(reader.remaining())?;
        if claim.erasure != binding.erasure {
            return Err(OpenError::WrongErasure);
        }
        if claim.keep_for != binding.keep_for {
            return Err(OpenError::WrongKeepFor);
        }
        let signed = claim.signed_message(binding, content);
        claim
            .device
            .verify(&signed, &signature)
            .map_err(|_| OpenError::BadSignature)?;
        let window = self.window_with(claim.device, claim.counter)?;
        let content = Content::from_bytes(content)?;
        self.seen.insert(claim.device, window);
        Ok(Authored {
            device: claim.device,
            counter: claim.counter,
            content,
        })
    }
}

/// The part of a message that its author states and signs beside the content.
struct Claim {
    device: DeviceId,
    counter: u64,
    erasure: Hash,
    keep_for: KeepFor,
}

impl Claim {
    fn signed_message(&self, binding: &Binding, content: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(DOMAIN.len() + 64 + STANDIN_BYTES + content.len());
        message.extend_from_slice(DOMAIN);
        binding.network.encode(&mut message);
        binding.log.encode(&mut message);
        self.encode(&mut message);
        message.extend_from_slice(content);
        message
    }
}

impl Encode for Claim {
    fn encode(&self, out: &mut Vec<u8>) {
        self.device.encode(out);
        out.extend_from_slice(&self.counter.to_be_bytes());
        self.erasure.encode(out);
        out.extend_from_slice(&self.keep_for.days().to_be_bytes());
    }
}

impl Decode for Claim {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let device = DeviceId::decode(reader)?;
        let counter = reader.u64()?;
        if counter == 0 {
            return Err(CodecError::BadValue);
        }
        Ok(Self {
            device,
            counter,
            erasure: reader.hash()?,
            keep_for: KeepFor::try_from(reader.u32()?)?,
        })
    }
}

impl Encode for StandIn {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&STATE_MAGIC);
        out.extend_from_slice(&self.used.to_be_bytes());
        put_count(out, self.seen.len());
        for (device, window) in &self.seen {
            device.encode(out);
            out.extend_from_slice(&window.highest.to_be_bytes());
            out.extend_from_slice(&window.high.to_be_bytes());
            out.extend_from_slice(&window.low.to_be_bytes());
        }
    }
}

impl Decode for StandIn {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&STATE_MAGIC)?;
        let used = reader.u64()?;
        let mut seen = BTreeMap::new();
        for _ in 0..reader.count(DEVICES_PER_LOG_MAX, 32 + 8 + 32)? {
            let device = DeviceId::decode(reader)?;
            let window = Window {
                highest: reader.u64()?,
                high: u128::from_be_bytes(reader.array()?),
                low: u128::from_be_bytes(reader.array()?),
            };
            let in_order = seen.last_key_value().is_none_or(|(last, _)| *last < device);
            if !in_order || !window.is_sound() {
                return Err(CodecError::BadValue);
            }
            seen.insert(device, window);
        }
        Ok(Self { used, seen })
    }
}

#[cfg(test)]
mod tests;
