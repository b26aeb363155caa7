//! What a client must say, and whether it may send, when somebody's keys change.
//!
//! | change | shown | stops sending, if the person had been compared |
//! |---|---|---|
//! | a device added, renewed, suspended, lifted, revoked; the card moved | yes | no: the account that was compared says so itself |
//! | another account in the person's place | yes | yes |
//! | what the account itself cannot honestly say: a device gone without a trace, a revoked one back, an older card | yes | yes |
//!
//! Comparing is about the account. Its devices follow from it by signatures, so a new phone needs no new meeting, and a
//! warning that comes with every new phone would be clicked away on the day it matters. Whoever never compared a person
//! has nothing that a change could contradict: it is shown, and the conversation goes on. Whoever did is stopped until
//! he compares again, or says that he will do without. `// SPEC 26.8`

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_count};

use crate::device::DeviceId;
use crate::identity::account::AccountId;
use crate::identity::statement::Standing;
use crate::limits::CARD_DEVICES_MAX;

/// A device as a contact saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenDevice {
    /// Sequence of its newest certificate.
    pub sequence: u64,
    /// What it may do.
    pub standing: Standing,
}

/// Somebody's keys at one time, from the card: [`crate::identity::Card::keys`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// The account.
    pub account: AccountId,
    /// Which of its cards they stand on.
    pub card: u64,
    /// Every device the card knows.
    pub devices: BTreeMap<DeviceId, SeenDevice>,
}

/// What a client remembers of a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    keys: Keys,
    compared_ms: Option<u64>,
}

impl Known {
    /// A person met for the first time.
    #[must_use]
    pub const fn new(keys: Keys) -> Self {
        Self {
            keys,
            compared_ms: None,
        }
    }

    /// The keys as they were last taken note of.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// When the person was compared, if that still stands.
    #[must_use]
    pub const fn compared_ms(&self) -> Option<u64> {
        self.compared_ms
    }

    /// The two people compared these keys, and they matched.
    #[must_use]
    pub const fn compared(keys: Keys, now_ms: u64) -> Self {
        Self {
            keys,
            compared_ms: Some(now_ms),
        }
    }

    /// Takes note of changes that were shown and do not stop anything; `None` if they do, and only the person in front
    /// of the screen can go on: by [`Known::compared`], or by [`Known::without_comparing`].
    #[must_use]
    pub fn noted(self, now: Keys) -> Option<Self> {
        (judge(&self, &now).sending == Sending::Allowed).then_some(Self { keys: now, ..self })
    }

    /// The person in front of the screen goes on without comparing. What had been compared counts no longer.
    #[must_use]
    pub const fn without_comparing(now: Keys) -> Self {
        Self::new(now)
    }
}

/// One change, to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// There is another account in the person's place.
    Account {
        /// The one before.
        from: AccountId,
        /// The one now.
        to: AccountId,
    },
    /// The account goes on with another card.
    Card {
        /// The number before.
        from: u64,
        /// The number now.
        to: u64,
    },
    /// The card is older than the one known.
    OlderCard {
        /// The number before.
        from: u64,
        /// The number now.
        to: u64,
    },
    /// A new device.
    Added(DeviceId),
    /// A new device that has been suspended already.
    AddedSuspended(DeviceId),
    /// A device that came and went since.
    CameAndWent(DeviceId),
    /// A device has a newer certificate.
    Renewed(DeviceId),
    /// A device was suspended.
    Suspended(DeviceId),
    /// A device's suspension was lifted.
    Lifted(DeviceId),
    /// A device was revoked.
    Revoked(DeviceId),
    /// A revoked device is back, which no sound account can bring about.
    Returned(DeviceId),
    /// A device is gone without having been revoked: the history leaves something out.
    Vanished(DeviceId),
    /// A device has an older certificate than before.
    OlderCertificate(DeviceId),
}

impl Change {
    /// Whether what was compared no longer says anything about what is there now.
    #[must_use]
    pub const fn breaks_comparison(&self) -> bool {
        matches!(
            self,
            Self::Account { .. }
                | Self::OlderCard { .. }
                | Self::Returned(_)
                | Self::Vanished(_)
                | Self::OlderCertificate(_)
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account { .. } => {
                "there is another account in this person's place: compare again, in person or by voice"
            }
            Self::Card { .. } => "the account moved to a new card, which shuts out devices it revoked",
            Self::OlderCard { .. } => "this is an older card than the one you know: do not trust it",
            Self::Added(_) => "a device was added",
            Self::AddedSuspended(_) => "a device was added, and suspended since: it reads nothing new",
            Self::CameAndWent(_) => "a device was added and revoked since you last looked",
            Self::Renewed(_) => "a device has a newer certificate",
            Self::Suspended(_) => "a device was suspended by another: it may be lost or stolen",
            Self::Lifted(_) => "a device that was suspended is back, by the account's own word",
            Self::Revoked(_) => "a device was revoked: what comes from it now is not from this person",
            Self::Returned(_) => "a device that was revoked is back: ask this person, in person or by voice",
            Self::Vanished(_) => "a device is gone without having been revoked: ask this person, in person or by voice",
            Self::OlderCertificate(_) => "a device has an older certificate than before: do not trust it",
        })
    }
}

/// Whether messages may go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sending {
    /// They may.
    Allowed,
    /// They wait until the person is compared again, or the user does without.
    Stopped,
}

/// What a client has to do about the keys that it sees now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// What to show, all of it: what concerns the whole account first, then by device.
    pub changes: Vec<Change>,
    /// Whether messages may go out meanwhile.
    pub sending: Sending,
}

/// Compares what was known with what is there now.
#[must_use]
pub fn judge(before: &Known, now: &Keys) -> Judgement {
    let changes = changes(&before.keys, now);
    let is_broken = changes.iter().any(Change::breaks_comparison);
    let sending = if is_broken && before.compared_ms.is_some() {
        Sending::Stopped
    } else {
        Sending::Allowed
    };
    Judgement { changes, sending }
}

fn changes(before: &Keys, now: &Keys) -> Vec<Change> {
    if before.account != now.account {
        return vec![Change::Account {
            from: before.account,
            to: now.account,
        }];
    }
    let (from, to) = (before.card, now.card);
    let mut changes = Vec::new();
    match to.cmp(&from) {
        core::cmp::Ordering::Less => changes.push(Change::OlderCard { from, to }),
        core::cmp::Ordering::Equal => {}
        core::cmp::Ordering::Greater => changes.push(Change::Card { from, to }),
    }
    let ids: BTreeSet<DeviceId> = before.devices.keys().chain(now.devices.keys()).copied().collect();
    for id in ids {
        let seen = (before.devices.get(&id), now.devices.get(&id));
        changes.extend(
            certificate_change(id, seen)
                .into_iter()
                .chain(standing_change(id, seen)),
        );
    }
    changes
}

type BeforeAndNow<'a> = (Option<&'a SeenDevice>, Option<&'a SeenDevice>);

fn certificate_change(id: DeviceId, seen: BeforeAndNow<'_>) -> Option<Change> {
    let (before, now) = (seen.0?.sequence, seen.1?.sequence);
    match now.cmp(&before) {
        core::cmp::Ordering::Less => Some(Change::OlderCertificate(id)),
        core::cmp::Ordering::Equal => None,
        core::cmp::Ordering::Greater => Some(Change::Renewed(id)),
    }
}

fn standing_change(id: DeviceId, (before, now): BeforeAndNow<'_>) -> Option<Change> {
    let standing = |seen: Option<&SeenDevice>| seen.map(|device| device.standing);
    match (standing(before), standing(now)) {
        (None, None)
        | (Some(Standing::Active), Some(Standing::Active))
        | (Some(Standing::Suspended), Some(Standing::Suspended))
        | (Some(Standing::Revoked), Some(Standing::Revoked)) => None,
        (None, Some(Standing::Active)) => Some(Change::Added(id)),
        (None, Some(Standing::Suspended)) => Some(Change::AddedSuspended(id)),
        (None, Some(Standing::Revoked)) => Some(Change::CameAndWent(id)),
        (Some(Standing::Active), Some(Standing::Suspended)) => Some(Change::Suspended(id)),
        (Some(Standing::Suspended), Some(Standing::Active)) => Some(Change::Lifted(id)),
        (Some(Standing::Active | Standing::Suspended), Some(Standing::Revoked)) => Some(Change::Revoked(id)),
        (Some(Standing::Revoked), Some(Standing::Active | Standing::Suspended)) => Some(Change::Returned(id)),
        (Some(_), None) => Some(Change::Vanished(id)),
    }
}

impl Encode for Keys {
    fn encode(&self, out: &mut Vec<u8>) {
        self.account.encode(out);
        out.extend_from_slice(&self.card.to_be_bytes());
        put_count(out, self.devices.len());
        for (id, device) in &self.devices {
            id.encode(out);
            out.extend_from_slice(&device.sequence.to_be_bytes());
            device.standing.encode(out);
        }
    }
}

impl Decode for Keys {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (account, card) = (AccountId::decode(reader)?, reader.u64()?);
        let mut devices = BTreeMap::new();
        for _ in 0..reader.count(CARD_DEVICES_MAX, 32 + 8 + 1)? {
            let id = DeviceId::decode(reader)?;
            let device = SeenDevice {
                sequence: reader.u64()?,
                standing: Standing::decode(reader)?,
            };
            if devices.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(CodecError::BadValue);
            }
            devices.insert(id, device);
        }
        Ok(Self { account, card, devices })
    }
}

const VERSION: u8 = 1;

impl Encode for Known {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, u8::from(self.compared_ms.is_some())]);
        out.extend_from_slice(&self.compared_ms.unwrap_or(0).to_be_bytes());
        self.keys.encode(out);
    }
}

impl Decode for Known {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[VERSION])?;
        let compared_ms = match (reader.u8()?, reader.u64()?) {
            (0, 0) => None,
            (1, time_ms) => Some(time_ms),
            _ => return Err(CodecError::BadValue),
        };
        Ok(Self {
            keys: Keys::decode(reader)?,
            compared_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: DeviceId = DeviceId([1; 32]);
    const LAPTOP: DeviceId = DeviceId([2; 32]);

    fn keys(account: u8, card: u64, devices: &[(DeviceId, u64, Standing)]) -> Keys {
        let seen = |(id, sequence, standing): &(DeviceId, u64, Standing)| {
            let device = SeenDevice {
                sequence: *sequence,
                standing: *standing,
            };
            (*id, device)
        };
        Keys {
            account: AccountId([account; 32]),
            card,
            devices: devices.iter().map(seen).collect(),
        }
    }

    fn phone() -> Keys {
        keys(1, 3, &[(PHONE, 5, Standing::Active)])
    }

    /// What is shown, and whether sending stops for somebody who had compared; for others it never does.
    fn judged(before: &Keys, now: &Keys) -> (Vec<Change>, Sending) {
        let never = judge(&Known::new(before.clone()), now);
        let compared = judge(&Known::compared(before.clone(), 7), now);
        assert_eq!(never.sending, Sending::Allowed, "nothing had been compared");
        assert_eq!(never.changes, compared.changes, "the same is shown");
        (compared.changes, compared.sending)
    }

    #[test]
    fn nothing_new_shows_nothing_and_stops_nothing() {
        assert_eq!(judged(&phone(), &phone()), (vec![], Sending::Allowed));
    }

    #[test]
    fn another_account_stops_sending_to_whom_had_been_compared() {
        let now = keys(2, 0, &[(LAPTOP, 1, Standing::Active)]);
        let change = Change::Account {
            from: AccountId([1; 32]),
            to: AccountId([2; 32]),
        };
        assert_eq!(judged(&phone(), &now), (vec![change], Sending::Stopped));
    }

    /// Every pair of standings, before and now; `None` is a device that is not there.
    #[test]
    fn every_pair_of_standings_has_its_sentence() {
        use Sending::{Allowed, Stopped};
        use Standing::{Active, Revoked, Suspended};
        let table = [
            (None, Some(Active), Some(Change::Added(LAPTOP)), Allowed),
            (None, Some(Suspended), Some(Change::AddedSuspended(LAPTOP)), Allowed),
            (None, Some(Revoked), Some(Change::CameAndWent(LAPTOP)), Allowed),
            (Some(Active), Some(Suspended), Some(Change::Suspended(LAPTOP)), Allowed),
            (Some(Active), Some(Revoked), Some(Change::Revoked(LAPTOP)), Allowed),
            (Some(Suspended), Some(Active), Some(Change::Lifted(LAPTOP)), Allowed),
            (Some(Suspended), Some(Revoked), Some(Change::Revoked(LAPTOP)), Allowed),
            (Some(Revoked), Some(Active), Some(Change::Returned(LAPTOP)), Stopped),
            (Some(Revoked), Some(Suspended), Some(Change::Returned(LAPTOP)), Stopped),
            (Some(Active), None, Some(Change::Vanished(LAPTOP)), Stopped),
            (Some(Suspended), None, Some(Change::Vanished(LAPTOP)), Stopped),
            (Some(Revoked), None, Some(Change::Vanished(LAPTOP)), Stopped),
            (Some(Active), Some(Active), None, Allowed),
            (Some(Suspended), Some(Suspended), None, Allowed),
            (Some(Revoked), Some(Revoked), None, Allowed),
        ];
        let with = |standing: Option<Standing>| {
            let laptop = standing.map(|standing| (LAPTOP, 6, standing));
            let all: Vec<_> = [(PHONE, 5, Active)].into_iter().chain(laptop).collect();
            keys(1, 3, &all)
        };
        for (before, now, change, sending) in table {
            let expected = (change.into_iter().collect(), sending);
            assert_eq!(judged(&with(before), &with(now)), expected, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_newer_certificate_or_card_is_shown_and_an_older_one_stops_sending() {
        let newer = keys(1, 4, &[(PHONE, 6, Standing::Active)]);
        let shown = vec![Change::Card { from: 3, to: 4 }, Change::Renewed(PHONE)];
        assert_eq!(judged(&phone(), &newer), (shown, Sending::Allowed));
        let older = vec![Change::OlderCard { from: 4, to: 3 }, Change::OlderCertificate(PHONE)];
        assert_eq!(judged(&newer, &phone()), (older, Sending::Stopped));
    }

    #[test]
    fn what_stops_sending_stops_it_until_somebody_decides() {
        let other = keys(2, 0, &[]);
        let known = Known::compared(phone(), 7);
        assert_eq!(known.clone().noted(other.clone()), None);
        assert_eq!(
            Known::new(phone()).noted(other.clone()),
            Some(Known::new(other.clone()))
        );
        assert_eq!(Known::compared(other.clone(), 9).compared_ms(), Some(9));
        assert_eq!(Known::without_comparing(other).compared_ms(), None);
        let added = keys(1, 3, &[(PHONE, 5, Standing::Active), (LAPTOP, 6, Standing::Active)]);
        let noted = known.noted(added.clone()).unwrap();
        assert_eq!(
            (noted.compared_ms(), noted.keys()),
            (Some(7), &added),
            "what was compared still stands"
        );
    }

    #[test]
    fn what_is_remembered_is_read_back_in_its_one_form() {
        for known in [Known::new(phone()), Known::compared(phone(), 0)] {
            assert_eq!(Known::from_bytes(&known.to_bytes()), Ok(known));
        }
        let mut bytes = Known::new(phone()).to_bytes();
        bytes[9] = 1;
        assert_eq!(
            Known::from_bytes(&bytes),
            Err(CodecError::BadValue),
            "a time and not compared"
        );
        let both = keys(1, 0, &[(PHONE, 1, Standing::Active), (LAPTOP, 2, Standing::Active)]);
        let mut bytes = both.to_bytes();
        bytes[44..].rotate_left(41);
        assert_eq!(Keys::from_bytes(&bytes), Err(CodecError::BadValue), "out of order");
    }
}
