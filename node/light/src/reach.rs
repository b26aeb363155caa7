//! How far a message has come with the other members, and how this device behaves in a conversation: the values that
//! programs see.

use serde::Serialize;

use crate::store::manners::{Manner, Seen, is_seen_told};
use crate::store::members::{Member, Reach};

/// How far the other members have come with an own message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ReachView {
    /// Other members who should have it, as far as they are known.
    pub others: u64,
    /// Of them, those whose signed views prove that they hold it.
    pub held: u64,
    /// Of them, those whose receipts say that it was delivered.
    pub delivered: u64,
    /// Of them, those whose receipts say that it was read.
    pub read: u64,
}

impl From<Reach> for ReachView {
    fn from(reach: Reach) -> Self {
        Self {
            others: reach.others,
            held: reach.held,
            delivered: reach.delivered,
            read: reach.read,
        }
    }
}

/// Whether every other member is proven to hold a message, where members tell each other.
pub(crate) const fn is_seen_by_all(manner: &Manner, reach: &Reach) -> bool {
    // Somebody beside the author has to be known: nobody is not all.
    let is_told = is_seen_told(manner, reach.others.saturating_add(1));
    is_told && reach.others > 0 && reach.held == reach.others
}

/// How far a member has come, counted in entries of the conversation from its first on.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct MemberReach {
    /// Its device.
    pub device: String,
    /// What it calls itself; nothing if it has not written. Hostile, like every name.
    pub name: String,
    /// Whether it is this device.
    pub own: bool,
    /// Entries that its signed views prove it to hold.
    pub held: u64,
    /// Entries that it says were delivered to it.
    pub delivered: u64,
    /// Entries that it says were read.
    pub read: u64,
}

impl From<Member> for MemberReach {
    fn from(member: Member) -> Self {
        Self {
            device: member.device.to_string(),
            name: member.name,
            own: member.is_own,
            held: member.held,
            delivered: member.delivered,
            read: member.read,
        }
    }
}

/// Never a name.
impl core::fmt::Debug for MemberReach {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "MemberReach({}, {}/{}/{})",
            self.device, self.held, self.delivered, self.read
        )
    }
}

/// How this device behaves in a conversation, and what is known of the others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Manners {
    /// Whether this device says what was delivered and read.
    pub receipts: bool,
    /// Whether it tells what it holds.
    pub seen: Seen,
    /// Whether that comes to telling it at present.
    pub tells_seen: bool,
    /// For how many days what is written from now on is kept; 0 for ever.
    pub timer_days: u32,
    /// Who is in, as far as that is known.
    pub members: Vec<MemberReach>,
}
