//! The charter: what a group is, and who may change it. One extension of the group's context, the same for all members.
//!
//! ```text
//! version 1 | kind 1 | name 4+n | admins: count 4, each account 32, ascending | history 4, in version 2 alone
//! ```
//!
//! Version 1 is a group whose newcomers are told nothing of what was said before them, and version 2 one whose members may
//! tell it: so each charter has one form, and groups that were founded before there was a choice are as they were.
//!
//! It is part of what every epoch's keys are derived from: members whose charters differ cannot read each other. A
//! commit that proposes a context replaces it as a whole, so the whole is compared: exactly the charter and the demand
//! that members know it, in this order, and nothing else. `// SPEC 22.10`

use openmls::group::GroupContext;
use openmls::prelude::{
    CredentialType, Extension, ExtensionType, Extensions, RequiredCapabilitiesExtension, UnknownExtension,
};
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_bytes, put_list};

use crate::content::Text;
use crate::identity::AccountId;

use super::limits::{ADMINS_MAX, DIRECT_ACCOUNTS_MAX, GROUP_NAME_BYTES_MAX};
use crate::limits::HISTORY_DAYS_MAX;

/// Where the charter stands among the extensions of a group's context: a number for private use.
pub(super) const CHARTER_EXTENSION: u16 = 0xf7c1;

/// Newcomers are told nothing.
const CHARTER_VERSION: u8 = 1;
/// Newcomers may be told.
const CHARTER_WITH_HISTORY: u8 = 2;
/// In the place of days: everything.
const ALL_OF_IT: u32 = u32::MAX;

/// The name of a group.
pub type GroupName = Text<GROUP_NAME_BYTES_MAX>;

/// What a group is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupKind {
    /// Two people and all their devices. Its charter never changes.
    Direct,
    /// Any number of people.
    Channel,
}

/// What members may tell newcomers of what was said before they came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HistoryRule {
    /// Nothing.
    #[default]
    Nothing,
    /// What was said in the last days before: 1 to [`HISTORY_DAYS_MAX`].
    Days(u16),
    /// All of it.
    All,
}

impl HistoryRule {
    /// As one number: 0 for nothing, days, or the largest for all of it.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Days(days) => {
                let [high, low] = days.to_be_bytes();
                u32::from_be_bytes([0, 0, high, low])
            }
            Self::All => ALL_OF_IT,
        }
    }

    /// The rule of a number; `None` if it is no rule's.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        match u16::try_from(number) {
            Ok(0) => Some(Self::Nothing),
            Ok(days @ 1..=HISTORY_DAYS_MAX) => Some(Self::Days(days)),
            _ => (number == ALL_OF_IT).then_some(Self::All),
        }
    }
}

/// What a group is, and who may change it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Charter {
    kind: GroupKind,
    name: GroupName,
    admins: Vec<AccountId>,
    history: HistoryRule,
}

/// A charter that no group may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadCharter;

impl Charter {
    /// Two accounts that write to each other; each may remove devices.
    ///
    /// # Errors
    /// If they are the same.
    pub fn direct(one: AccountId, other: AccountId) -> Result<Self, BadCharter> {
        Self::new(GroupKind::Direct, GroupName::default(), vec![one, other])
    }

    /// A channel and its admins, in any order.
    ///
    /// # Errors
    /// If there are none, too many, or one of them twice.
    pub fn channel(name: GroupName, admins: Vec<AccountId>) -> Result<Self, BadCharter> {
        Self::new(GroupKind::Channel, name, admins)
    }

    fn new(kind: GroupKind, name: GroupName, mut admins: Vec<AccountId>) -> Result<Self, BadCharter> {
        admins.sort_unstable();
        let history = HistoryRule::Nothing;
        Self {
            kind,
            name,
            admins,
            history,
        }
        .checked()
    }

    /// The same with another rule about the past.
    ///
    /// # Errors
    /// For a direct channel, which has no newcomers but devices of its two people; and for days that there cannot be.
    pub fn with_history(mut self, history: HistoryRule) -> Result<Self, BadCharter> {
        self.history = history;
        self.checked()
    }

    fn checked(self) -> Result<Self, BadCharter> {
        if self.is_sound() { Ok(self) } else { Err(BadCharter) }
    }

    fn is_sound(&self) -> bool {
        let ascending = self.admins.is_sorted_by(|one, next| one < next);
        let few = u32::try_from(self.admins.len()).is_ok_and(|count| (1..=ADMINS_MAX).contains(&count));
        let fits = match self.kind {
            GroupKind::Direct => {
                let is_plain = self.name.as_str().is_empty() && self.history == HistoryRule::Nothing;
                self.admins.len() == DIRECT_ACCOUNTS_MAX && is_plain
            }
            GroupKind::Channel => true,
        };
        let is_rule = HistoryRule::from_number(self.history.number()) == Some(self.history);
        ascending && few && fits && is_rule
    }

    /// What the group is for.
    #[must_use]
    pub const fn kind(&self) -> GroupKind {
        self.kind
    }

    /// Its name; empty for a direct channel.
    #[must_use]
    pub const fn name(&self) -> &GroupName {
        &self.name
    }

    /// Who may remove, rename and choose admins, ascending.
    #[must_use]
    pub fn admins(&self) -> &[AccountId] {
        &self.admins
    }

    /// What newcomers are told of the past.
    #[must_use]
    pub const fn history(&self) -> HistoryRule {
        self.history
    }

    /// Whether this account is one of them.
    #[must_use]
    pub fn is_admin(&self, account: AccountId) -> bool {
        self.admins.binary_search(&account).is_ok()
    }

    /// The whole context of a group with this charter.
    pub(super) fn extensions(&self) -> Extensions<GroupContext> {
        let known = RequiredCapabilitiesExtension::new(
            &[ExtensionType::Unknown(CHARTER_EXTENSION)],
            &[],
            &[CredentialType::Basic],
        );
        let all = vec![
            Extension::RequiredCapabilities(known),
            Extension::Unknown(CHARTER_EXTENSION, UnknownExtension(self.to_bytes())),
        ];
        Extensions::from_vec(all)
            .expect("both kinds of extension are allowed in a group's context, and each stands once")
    }

    /// The charter of a context that is as it should be.
    pub(super) fn of(context: &Extensions<GroupContext>) -> Result<Self, BadCharter> {
        let charter = context.unknown(CHARTER_EXTENSION).ok_or(BadCharter)?;
        let charter = Self::from_bytes(&charter.0).map_err(|_| BadCharter)?;
        if charter.extensions() == *context {
            Ok(charter)
        } else {
            Err(BadCharter)
        }
    }
}

impl Encode for Charter {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.history {
            HistoryRule::Nothing => CHARTER_VERSION,
            HistoryRule::Days(_) | HistoryRule::All => CHARTER_WITH_HISTORY,
        });
        out.push(match self.kind {
            GroupKind::Direct => 1,
            GroupKind::Channel => 2,
        });
        put_bytes(out, self.name.as_str().as_bytes());
        put_list(out, &self.admins);
        if self.history != HistoryRule::Nothing {
            out.extend_from_slice(&self.history.number().to_be_bytes());
        }
    }
}

impl Decode for Charter {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let version = reader.u8()?;
        if ![CHARTER_VERSION, CHARTER_WITH_HISTORY].contains(&version) {
            return Err(CodecError::WrongMagic);
        }
        let kind = match reader.u8()? {
            1 => GroupKind::Direct,
            2 => GroupKind::Channel,
            _ => return Err(CodecError::BadValue),
        };
        let charter = Self {
            kind,
            name: GroupName::decode(reader)?,
            admins: reader.list(ADMINS_MAX, 32)?,
            history: match version {
                // Nothing has a form already.
                CHARTER_WITH_HISTORY => HistoryRule::from_number(reader.u32()?)
                    .filter(|rule| *rule != HistoryRule::Nothing)
                    .ok_or(CodecError::BadValue)?,
                _ => HistoryRule::Nothing,
            },
        };
        charter.checked().map_err(|_| CodecError::BadValue)
    }
}
