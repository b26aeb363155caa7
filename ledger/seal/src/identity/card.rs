//! The card: which devices speak for an account, from what was said on its log.
//!
//! Every reader feeds the statements of the log to [`Card::apply`] in certified order, each with its place; all get the
//! same card. A statement counts or it is **void**: certified, and without any effect. What is void stays visible to
//! whoever wants to look, changes nothing, and stops nobody.
//!
//! ```text
//!           opening                addition, lifting, suspension, key packages
//! (empty) ───────────> open ─┐ <──────────────────────────────────────────────┘
//!                            └── move ──> closed: the account goes on at `next`, everything later here is void
//! ```
//!
//! Being complete is the log's doing: a client proves that it holds every entry before it believes that nothing else was
//! said. A body that a node does not hand out is no void statement; the reader stops in front of it. `// SPEC 26.5`

use std::collections::{BTreeMap, BTreeSet};

use waxwing_core::Hash;
use waxwing_core::keys::LogId;

use crate::device::DeviceId;
use crate::identity::account::AccountId;
use crate::identity::address::CardAddress;
use crate::identity::certificate::{CertifiedDevice, DeviceCertificate};
use crate::identity::change::{Keys, SeenDevice};
use crate::identity::statement::{KeyPackage, Move, Opening, Said, SealedSeed, Standing, Statement};
use crate::identity::void::{DeviceFault, Void};
use crate::limits::{ACCOUNT_DEVICES_MAX, CARD_DEVICES_MAX};

/// Where on its log a statement stands, and when the ledger ordered it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// Index of the entry in the log.
    pub index: u64,
    /// Time of the block: milliseconds since 1970.
    pub time_ms: u64,
}

/// One thing that happened to an account's keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Happening {
    /// When.
    pub at: At,
    /// What.
    pub what: What,
}

/// What happened. `sequence` is that of the certificate.
#[expect(missing_docs, reason = "the fields say what the variant says")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The card began, with this many devices listed.
    Opened { card: u64, devices: usize },
    /// A device was added.
    Added { device: DeviceId, sequence: u64 },
    /// A device has a newer certificate.
    Renewed { device: DeviceId, sequence: u64 },
    /// A device was suspended by another.
    Suspended { device: DeviceId, by: DeviceId },
    /// The root lifted a suspension.
    Lifted { device: DeviceId },
    /// A device was revoked for ever.
    Revoked { device: DeviceId },
    /// A device published key packages in place of those before.
    Published {
        device: DeviceId,
        number: u64,
        packages: usize,
    },
    /// The account goes on with another card.
    Moved { to: LogId },
}

/// A device on a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    certificate: CertifiedDevice,
    standing: Standing,
    /// The root's statement that made it active last: suspensions signed before that one are over.
    active_since: u64,
    /// Number of its last key packages.
    published: u64,
    key_packages: Vec<KeyPackage>,
}

impl Device {
    const fn new(certificate: CertifiedDevice, standing: Standing, active_since: u64) -> Self {
        Self {
            certificate,
            standing,
            active_since,
            published: 0,
            key_packages: Vec::new(),
        }
    }

    /// Its newest certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertifiedDevice {
        &self.certificate
    }

    /// What it may do.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// What it published last, whatever its standing: ask [`Card::check`] before one is used.
    #[must_use]
    pub fn key_packages(&self) -> &[KeyPackage] {
        &self.key_packages
    }

    /// Number that its next key packages need.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.published.saturating_add(1)
    }
}

/// An account's card as a reader knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Card {
    network: Hash,
    account: AccountId,
    log: LogId,
    opened: Option<Opened>,
    devices: BTreeMap<DeviceId, Device>,
    /// Highest sequence of a certificate.
    certificates: u64,
    next: Option<CardAddress>,
    /// Devices to which the card's seed was handed over.
    handed: BTreeSet<DeviceId>,
    history: Vec<Happening>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Opened {
    card: u64,
    previous: LogId,
    /// Number of the root's last statement.
    last: u64,
}

impl Card {
    /// A card of which nothing is known yet. The account is known beforehand, from an invitation or from the card
    /// before: whoever can write on the log could open it in his own name.
    #[must_use]
    pub const fn new(network: Hash, account: AccountId, log: LogId) -> Self {
        Self {
            network,
            account,
            log,
            opened: None,
            devices: BTreeMap::new(),
            certificates: 0,
            next: None,
            handed: BTreeSet::new(),
            history: Vec::new(),
        }
    }

    /// Applies the statement at this place, the next in certified order.
    ///
    /// # Errors
    /// The first rule that makes it void; the card is then as it was.
    pub fn apply(&mut self, at: At, statement: &Statement) -> Result<(), Void> {
        if self.next.is_some() {
            return Err(Void::Moved);
        }
        match statement.said() {
            Said::Suspension(device) => {
                let by = self.author(at, statement)?;
                self.suspend(at, by, *device, statement.number())
            }
            Said::KeyPackages(packages) => {
                let by = self.author(at, statement)?;
                self.publish(at, by, packages, statement.number())
            }
            Said::HandOver(seeds) => {
                self.author(at, statement)?;
                self.hand_over(seeds)
            }
            said => {
                self.root_speaks(statement)?;
                match said {
                    Said::Opening(opening) => self.open(at, opening)?,
                    Said::Addition(certificate) => self.add(at, certificate, statement.number())?,
                    Said::Lifting(device) => self.lift(at, *device, statement.number())?,
                    Said::Move(to) => self.move_on(at, to)?,
                    Said::Suspension(_) | Said::KeyPackages(_) | Said::HandOver(_) => {}
                }
                if let Some(opened) = &mut self.opened {
                    opened.last = statement.number();
                }
                Ok(())
            }
        }
    }

    /// Whether the root signed it, as its next statement.
    fn root_speaks(&self, statement: &Statement) -> Result<(), Void> {
        if statement.author().0 != self.account.0 {
            return Err(Void::RootOnly);
        }
        self.check_signature(statement)?;
        let expected = self.next_number();
        if statement.number() != expected {
            return Err(Void::OutOfTurn { expected });
        }
        Ok(())
    }

    /// The device that signed it, if it may speak.
    fn author(&self, at: At, statement: &Statement) -> Result<DeviceId, Void> {
        let author = DeviceId(statement.author().0);
        self.check(author, at.time_ms).map_err(Void::Author)?;
        self.check_signature(statement)?;
        Ok(author)
    }

    fn check_signature(&self, statement: &Statement) -> Result<(), Void> {
        statement.verify(self.network, self.log).map_err(|_| Void::BadSignature)
    }

    fn certified(&self, certificate: &DeviceCertificate) -> Result<CertifiedDevice, Void> {
        certificate
            .clone()
            .verify(self.network, self.account)
            .map_err(Void::Certificate)
    }

    /// Expired certificates are listed like others: the list is the whole history.
    fn open(&mut self, at: At, opening: &Opening) -> Result<(), Void> {
        let acting = opening.devices.iter().filter(|one| one.standing != Standing::Revoked);
        if is_above(acting.count(), ACCOUNT_DEVICES_MAX) {
            return Err(Void::DevicesFull);
        }
        let mut devices = BTreeMap::new();
        for listed in &opening.devices {
            let certificate = self.certified(&listed.certificate)?;
            devices.insert(certificate.device, Device::new(certificate, listed.standing, 0));
        }
        self.certificates = opening.devices.last().map_or(0, |last| last.certificate.sequence);
        self.opened = Some(Opened {
            card: opening.card,
            previous: opening.previous,
            last: 0,
        });
        let what = What::Opened {
            card: opening.card,
            devices: devices.len(),
        };
        self.devices = devices;
        self.history.push(Happening { at, what });
        Ok(())
    }

    fn add(&mut self, at: At, certificate: &DeviceCertificate, number: u64) -> Result<(), Void> {
        let certificate = self.certified(certificate)?;
        certificate.counts_at(at.time_ms).map_err(Void::Certificate)?;
        if certificate.sequence <= self.certificates {
            return Err(Void::OldCertificate);
        }
        let has_room =
            !is_full(self.acting().count(), ACCOUNT_DEVICES_MAX) && !is_full(self.devices.len(), CARD_DEVICES_MAX);
        let (device, sequence) = (certificate.device, certificate.sequence);
        let what = match self.devices.get_mut(&device) {
            Some(known) if known.standing == Standing::Revoked => return Err(Void::AlreadyRevoked),
            Some(known) => {
                known.certificate = certificate;
                What::Renewed { device, sequence }
            }
            None if !has_room => return Err(Void::DevicesFull),
            None => {
                let added = Device::new(certificate, Standing::Active, number);
                self.devices.insert(device, added);
                What::Added { device, sequence }
            }
        };
        self.certificates = sequence;
        self.history.push(Happening { at, what });
        Ok(())
    }

    fn lift(&mut self, at: At, device: DeviceId, number: u64) -> Result<(), Void> {
        let known = self.devices.get_mut(&device).ok_or(Void::UnknownDevice)?;
        if known.standing != Standing::Suspended {
            return Err(Void::NotSuspended);
        }
        known.standing = Standing::Active;
        known.active_since = number;
        let what = What::Lifted { device };
        self.history.push(Happening { at, what });
        Ok(())
    }

    fn move_on(&mut self, at: At, to: &Move) -> Result<(), Void> {
        if to.next.log() == self.log {
            return Err(Void::SameCard);
        }
        for device in &to.revoked {
            let known = self.devices.get(device).ok_or(Void::UnknownDevice)?;
            if known.standing == Standing::Revoked {
                return Err(Void::AlreadyRevoked);
            }
        }
        for device in &to.revoked {
            if let Some(known) = self.devices.get_mut(device) {
                known.standing = Standing::Revoked;
            }
            let what = What::Revoked { device: *device };
            self.history.push(Happening { at, what });
        }
        let what = What::Moved { to: to.next.log() };
        self.history.push(Happening { at, what });
        self.next = Some(to.next.clone());
        Ok(())
    }

    /// `seen` is the last statement of the root that the author knew of.
    fn suspend(&mut self, at: At, by: DeviceId, device: DeviceId, seen: u64) -> Result<(), Void> {
        if by == device {
            return Err(Void::Itself);
        }
        let last = self.opened.map_or(0, |opened| opened.last);
        let known = self.devices.get_mut(&device).ok_or(Void::UnknownDevice)?;
        match known.standing {
            Standing::Active => {}
            Standing::Suspended => return Err(Void::AlreadySuspended),
            Standing::Revoked => return Err(Void::AlreadyRevoked),
        }
        if seen > last {
            return Err(Void::Premature);
        }
        if seen < known.active_since {
            return Err(Void::Outdated);
        }
        known.standing = Standing::Suspended;
        let what = What::Suspended { device, by };
        self.history.push(Happening { at, what });
        Ok(())
    }

    fn publish(&mut self, at: At, device: DeviceId, packages: &[KeyPackage], number: u64) -> Result<(), Void> {
        let known = self.devices.get_mut(&device).ok_or(Void::UnknownDevice)?;
        if number <= known.published {
            return Err(Void::Replayed);
        }
        known.published = number;
        known.key_packages = packages.to_vec();
        let what = What::Published {
            device,
            number,
            packages: packages.len(),
        };
        self.history.push(Happening { at, what });
        Ok(())
    }

    fn hand_over(&mut self, seeds: &[SealedSeed]) -> Result<(), Void> {
        for seed in seeds {
            let known = self.devices.get(&seed.device).ok_or(Void::UnknownDevice)?;
            if known.standing == Standing::Revoked {
                return Err(Void::AlreadyRevoked);
            }
        }
        self.handed.extend(seeds.iter().map(|seed| seed.device));
        Ok(())
    }

    /// Whose card it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Its log.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.log
    }

    /// Which card of the account it is, and the log of the one before; `None` before its opening.
    #[must_use]
    pub fn number(&self) -> Option<(u64, LogId)> {
        self.opened.map(|opened| (opened.card, opened.previous))
    }

    /// The number that the root's next statement needs: 0 for the opening.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.opened.map_or(0, |opened| opened.last.saturating_add(1))
    }

    /// The sequence that the next certificate needs.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.certificates.saturating_add(1)
    }

    /// Where the account goes on, if this card has ended.
    #[must_use]
    pub const fn next(&self) -> Option<&CardAddress> {
        self.next.as_ref()
    }

    /// Every device there ever was, with what it may do.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// Those that are not revoked.
    fn acting(&self) -> impl Iterator<Item = &Device> {
        self.devices().filter(|device| device.standing != Standing::Revoked)
    }

    /// One device.
    #[must_use]
    pub fn device(&self, device: DeviceId) -> Option<&Device> {
        self.devices.get(&device)
    }

    /// Whether the card's seed was handed over to a device.
    #[must_use]
    pub fn was_handed_to(&self, device: DeviceId) -> bool {
        self.handed.contains(&device)
    }

    /// Everything that happened on this card, in order.
    #[must_use]
    pub fn history(&self) -> &[Happening] {
        &self.history
    }

    /// Whether a device speaks for the account at a time of the ledger: to be asked for every leaf of a group that is
    /// added or updated, and for the author of every statement.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, device: DeviceId, time_ms: u64) -> Result<&Device, DeviceFault> {
        let known = self.devices.get(&device).ok_or(DeviceFault::NotOnCard)?;
        match known.standing {
            Standing::Active => {}
            Standing::Suspended => return Err(DeviceFault::Suspended),
            Standing::Revoked => return Err(DeviceFault::Revoked),
        }
        known.certificate.counts_at(time_ms).map_err(DeviceFault::Time)?;
        Ok(known)
    }

    /// What a contact remembers of it, to notice changes; `None` before its opening, when it says nothing yet.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        let seen = |device: &Device| SeenDevice {
            sequence: device.certificate.sequence,
            standing: device.standing,
        };
        self.opened.map(|opened| Keys {
            account: self.account,
            card: opened.card,
            devices: self.devices.iter().map(|(id, device)| (*id, seen(device))).collect(),
        })
    }
}

fn is_above(count: usize, limit: u32) -> bool {
    u32::try_from(count).map_or(true, |count| count > limit)
}

fn is_full(count: usize, limit: u32) -> bool {
    is_above(count.saturating_add(1), limit)
}

#[cfg(test)]
mod tests;
