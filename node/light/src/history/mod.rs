//! What was said before somebody came: told by a member, if the group's rule allows it, and labelled so.
//!
//! ```text
//! a commit lets somebody in ──> whoever made it tells them, at once ──sealed parts on the group's log──> they keep it, as told
//!                               └─ has not by then: the next member in the order of leaves, and so on, each waits longer
//! ```
//!
//! The rule stands in the group's charter and an admin sets it; it counts as it stands after the commit that lets somebody in.
//! Told is what the teller has read itself in the time since the rule allowed it without a break, as it stands now. What its
//! author took back or wanted to disappear goes no further, and what somebody was only told is not told again.
//!
//! **As told by X** is all that a newcomer knows of it. An envelope commits to a sealed body, and its keys are forgotten: that
//! a message was said, by whom and when, is the teller's word, and a teller can lie. It cannot put words in the place of those
//! that were read here, and cannot pass off what it tells as read here.

mod tell;

use core::fmt;

use rusqlite::Connection;
use serde::Serialize;
use waxwing_seal::group::{Group, GroupKind, HistoryRule};

use crate::client::Client;
use crate::error::Error;
use crate::groups::names;
use crate::message::ChannelId;
use crate::store::messages::Message;
use crate::store::{StoreError, Transaction, past, wanted};

pub(crate) use tell::{after_closing, hand_over_due};

/// What newcomers are told, in one word: `none`, `all`, or a number of days as `30d`.
pub(crate) fn word(rule: HistoryRule) -> String {
    match rule {
        HistoryRule::Nothing => "none".to_owned(),
        HistoryRule::Days(days) => format!("{days}d"),
        HistoryRule::All => "all".to_owned(),
    }
}

/// Who tells of a message that was said before this device came. Nothing of it is proven but that.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ToldView {
    /// The device that tells.
    pub device: String,
    /// Whose device it is.
    pub account: String,
    /// What that member is called here; hostile.
    pub name: Option<String>,
    /// When it is said to have been ordered, ms since 1970.
    pub ordered_ms: u64,
    /// Whether another member, or its author, says it otherwise.
    pub differs: bool,
}

/// The name never reaches a log line.
impl fmt::Debug for ToldView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToldView({}, differs: {})", self.device, self.differs)
    }
}

impl Client {
    /// Chooses what members tell newcomers of what was said before. What is said while it is nothing stays untold for ever.
    ///
    /// # Errors
    /// If this account is no admin, or the conversation is one of two people, which has no newcomers.
    pub async fn set_history(&self, channel: ChannelId, rule: HistoryRule) -> Result<(), Error> {
        self.want(channel, move |tx, channel, group, _| {
            if group.charter().kind() == GroupKind::Direct {
                return Err(Error::NoNewcomers);
            }
            group
                .charter()
                .clone()
                .with_history(rule)
                .map_err(|_| Error::NoSuchRule)?;
            Ok(wanted::insert(
                tx,
                channel.id,
                &wanted::Want::History(rule.number()),
                0,
            )?)
        })
        .await
    }
}

/// This device has come into a group by a welcome.
pub(crate) fn entered(connection: &Connection, channel: ChannelId, group: &Group) -> Result<(), StoreError> {
    let may_be_told = group.charter().history() != HistoryRule::Nothing;
    past::enter(connection, channel, group.epoch(), may_be_told)
}

/// Who tells of a message, and whether it is said to have been edited.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) view: ToldView,
    pub(crate) edited: bool,
}

/// Who tells of a message, as readers see it; `None` for one that was read here.
pub(crate) fn view(tx: &Transaction<'_>, row: &Message) -> Result<Option<Heard>, StoreError> {
    if !row.is_told() {
        return Ok(None);
    }
    let Some(teller) = past::teller_of(tx, row.id)? else {
        return Err(StoreError::Damaged);
    };
    let view = ToldView {
        device: teller.device.to_string(),
        account: teller.account.to_string(),
        name: names::of(tx, row.channel, Some(teller.account), teller.device)?,
        ordered_ms: teller.ordered,
        differs: teller.differs,
    };
    Ok(Some(Heard {
        view,
        edited: teller.is_edited,
    }))
}
