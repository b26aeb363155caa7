//! What a commit did to a group, as the conversation shows it between its messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use waxwing_seal::group::{Charter, Closed, Member};
use waxwing_seal::identity::AccountId;

use crate::history;
use crate::store::StoreError;

/// A device in a group, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MemberId {
    /// The account.
    pub account: String,
    /// The device.
    pub device: String,
}

impl From<Member> for MemberId {
    fn from(member: Member) -> Self {
        Self {
            account: member.account.to_string(),
            device: member.device.to_string(),
        }
    }
}

/// Something that became of a member's keys, as this device noticed it on the card of the account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyNews {
    /// Whose keys.
    pub account: String,
    /// The device, if it is about one.
    pub device: Option<String>,
    /// What its owner calls the device, if it has a name; hostile.
    pub device_name: Option<String>,
    /// Whether what was compared says nothing any more.
    pub breaks: bool,
    /// In words.
    pub sentence: String,
}

/// What a member's commit changed. All empty: it renewed keys, and nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Who came.
    pub added: Vec<MemberId>,
    /// Who went.
    pub removed: Vec<MemberId>,
    /// Devices of those who went because they had said that they wished to.
    pub left: Vec<String>,
    /// What the group is called from here on.
    pub name: Option<String>,
    /// Accounts that may remove, rename and appoint from here on.
    pub admins: Option<Vec<String>>,
    /// Of them, those that were none before.
    pub appointed: Vec<String>,
    /// Accounts that may do so no more.
    pub dismissed: Vec<String>,
    /// What newcomers are told from here on of what was said before: `none`, `all`, or days as `30d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// Its author wishes to leave.
    pub leaving: bool,
    /// In place of a commit: what became of a member's keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyNews>,
    /// The epoch that begins here.
    pub epoch: u64,
    /// What those are called here whom it is about, by device and by account, as far as that is known; hostile. Not stored:
    /// looked up whenever it is shown.
    #[serde(skip_deserializing, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
}

impl Event {
    /// What is known when the commit is proposed: nothing but that there is one. What it did is told by the ledger.
    pub(crate) fn proposed(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// What a commit that came true did, compared with the charter before it and with those who wished to leave.
    pub(crate) fn of(closed: &Closed, (before, leaving): (&Charter, &[Member]), epoch: u64) -> Self {
        let members = |members: &[Member]| members.iter().copied().map(MemberId::from).collect();
        let charter = closed.charter.as_ref();
        let renamed = charter.filter(|charter| charter.name() != before.name());
        let appointed = charter.filter(|charter| charter.admins() != before.admins());
        let names = |accounts: &[AccountId], but_for: &[AccountId]| {
            let new = accounts.iter().filter(|account| !but_for.contains(account));
            new.map(ToString::to_string).collect()
        };
        let retold = charter.filter(|charter| charter.history() != before.history());
        let now = appointed.map_or(before.admins(), Charter::admins);
        let left = closed.removed.iter().filter(|member| leaving.contains(member));
        Self {
            added: members(&closed.added),
            removed: members(&closed.removed),
            left: left.map(|member| member.device.to_string()).collect(),
            appointed: names(now, before.admins()),
            dismissed: names(before.admins(), now),
            names: BTreeMap::new(),
            name: renamed.map(|charter| charter.name().as_str().to_owned()),
            admins: appointed.map(|charter| charter.admins().iter().map(ToString::to_string).collect()),
            history: retold.map(|charter| history::word(charter.history())),
            leaving: false,
            keys: Vec::new(),
            epoch,
        }
    }

    /// Whether a reader has anything to see in it.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        let is_empty = self.added.is_empty() && self.removed.is_empty() && self.name.is_none() && self.admins.is_none();
        self.leaving || self.history.is_some() || !is_empty || !self.keys.is_empty()
    }

    /// As it is stored.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("names and lists of names are always JSON")
    }

    /// As it was stored.
    pub(crate) fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).map_err(|_| StoreError::Damaged)
    }
}
