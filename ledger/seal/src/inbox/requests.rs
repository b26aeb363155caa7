//! The inbox of an invitation: it takes so many requests, up to a time, one of each device. `// SPEC 28.7`

use std::collections::BTreeSet;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_count};
use waxwing_core::keys::LogId;

use crate::device::DeviceId;
use crate::group::KeyPackage;
use crate::identity::AccountId;

use super::body::{Inner, Outer, read};
use super::limits::USES_MAX;
use super::opening::Opening;
use super::post::{Post, Request, Spot};
use super::recipient::Taken;
use super::state::{At, Event};
use super::void::Void;

/// What stands on the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    Nothing,
    /// The own opening.
    Ours,
    /// The opening of another device of the account.
    Another,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Requests {
    opening: Opening,
    stands: Stands,
    /// Who has asked.
    asked: BTreeSet<(AccountId, DeviceId)>,
}

impl Requests {
    pub(super) const fn new(opening: Opening) -> Self {
        Self {
            opening,
            stands: Stands::Nothing,
            asked: BTreeSet::new(),
        }
    }

    pub(super) const fn opening(&self) -> &Opening {
        &self.opening
    }

    pub(super) fn uses_left(&self) -> u32 {
        let taken = u32::try_from(self.asked.len()).unwrap_or(u32::MAX);
        self.opening.terms.uses.count().saturating_sub(taken)
    }

    pub(super) fn is_over(&self, time_ms: u64) -> bool {
        time_ms > self.opening.terms.expires_ms || self.uses_left() == 0 || self.stands == Stands::Another
    }

    /// What costs nothing is looked at first: strangers can make an inbox open many posts, but not after its end.
    pub(super) fn apply(&mut self, at: &At<'_>) -> Result<Event, Void> {
        if at.time_ms > self.opening.terms.expires_ms {
            return Err(Void::Expired);
        }
        if self.uses_left() == 0 {
            return Err(Void::UsedUp);
        }
        match read(at.hash_keys, at.keys, at.header, at.body)? {
            Outer::Opening(opening) => self.open(at, &opening),
            Outer::Post(inner) => self.take(at, &inner),
            Outer::DeviceOpening(_) => Err(Void::OutOfPlace),
        }
    }

    fn open(&mut self, at: &At<'_>, opening: &Opening) -> Result<Event, Void> {
        if self.stands != Stands::Nothing {
            return Err(Void::SecondOpening);
        }
        let account = self.opening.certificate.account;
        opening.verify(at.hash_keys.network(), at.keys.log(), account, at.time_ms)?;
        if *opening == self.opening {
            self.stands = Stands::Ours;
            Ok(Event::Opened)
        } else {
            self.stands = Stands::Another;
            Ok(Event::OpenedByAnother)
        }
    }

    fn take(&mut self, at: &At<'_>, inner: &Inner) -> Result<Event, Void> {
        match self.stands {
            Stands::Nothing => return Err(Void::NotOpened),
            Stands::Another => return Err(Void::NotForUs),
            Stands::Ours => {}
        }
        let spot = self.spot(at.hash_keys.network(), at.keys.log());
        let Post::Request(request) = inner.open(at.key, spot.occasion)? else {
            return Err(Void::OutOfPlace);
        };
        let asks = (request.certificate.account, request.certificate.device);
        if self.asked.contains(&asks) {
            return Err(Void::AskedBefore);
        }
        check(&request, &spot, at.time_ms)?;
        self.asked.insert(asks);
        let id = request.id(&spot);
        Ok(Event::Request(Box::new(Taken::new(spot.network, id, *request))))
    }

    fn spot(&self, network: Hash, log: LogId) -> Spot {
        Spot {
            network,
            log,
            occasion: self.opening.id(network, log),
        }
    }
}

/// Whether a request is from whom it says, can be answered, and adds the one who asks.
fn check(request: &Request, spot: &Spot, time_ms: u64) -> Result<(), Void> {
    let certified = request.verify(spot, time_ms)?;
    if !request.answer.public.is_usable() {
        return Err(Void::Unanswerable);
    }
    let package = KeyPackage::read(request.key_package.as_bytes(), spot.network, time_ms).map_err(Void::KeyPackage)?;
    let member = package.member();
    if (member.device, member.account) != (certified.device, certified.account) {
        return Err(Void::OtherPackage);
    }
    Ok(())
}

impl Encode for Requests {
    fn encode(&self, out: &mut Vec<u8>) {
        self.opening.encode(out);
        out.push(match self.stands {
            Stands::Nothing => 0,
            Stands::Ours => 1,
            Stands::Another => 2,
        });
        put_count(out, self.asked.len());
        for (account, device) in &self.asked {
            account.encode(out);
            device.encode(out);
        }
    }
}

impl Decode for Requests {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let opening = Opening::decode(reader)?;
        let stands = match reader.u8()? {
            0 => Stands::Nothing,
            1 => Stands::Ours,
            2 => Stands::Another,
            _ => return Err(CodecError::BadValue),
        };
        let mut asked = BTreeSet::new();
        for _ in 0..reader.count(USES_MAX, 64)? {
            let asks = (AccountId::decode(reader)?, DeviceId::decode(reader)?);
            if asked.last().is_some_and(|last| *last >= asks) {
                return Err(CodecError::BadValue);
            }
            asked.insert(asks);
        }
        Ok(Self { opening, stands, asked })
    }
}
