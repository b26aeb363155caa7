//! Messages about heights that are still to come, kept until they do.
//!
//! Validators decide at slightly different moments, and one that rests must hear that another begins. Kept are a few
//! messages of each member, each verified before it takes a place, so that nobody can fill another's places or the
//! memory. Collected votes are not kept: whoever waits says them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use waxwing_core::HashKeys;
use waxwing_core::committee::Committee;
use waxwing_core::keys::ValidatorId;

use crate::limits::{HEIGHTS_AHEAD_MAX, MESSAGES_AHEAD_MAX};
use crate::message::Message;

#[derive(Default)]
pub(crate) struct Ahead {
    /// The members whose messages are kept: of the current and of the expected committee.
    committees: Vec<Arc<Committee>>,
    kept: BTreeMap<(u64, ValidatorId), Vec<Message>>,
}

impl Ahead {
    /// Sets whose messages are kept, and drops what is about heights that are over.
    pub(crate) fn expect(&mut self, height: u64, committees: Vec<Arc<Committee>>) {
        self.committees = committees;
        self.kept.retain(|(about, _), _| *about >= height);
    }

    /// Keeps a message if it counts and there is room. `tip` is the newest height that is over.
    pub(crate) fn keep(&mut self, keys: &HashKeys, tip: u64, message: Message) {
        let Some(validator) = message.validator() else {
            return;
        };
        let height = message.height();
        let is_near = height > tip && height - tip <= HEIGHTS_AHEAD_MAX;
        let is_member = |committee: &Arc<Committee>| committee.members().binary_search(&validator).is_ok();
        if !is_near || !self.committees.iter().any(is_member) {
            return;
        }
        let kept = self.kept.entry((height, validator)).or_default();
        if kept.len() < MESSAGES_AHEAD_MAX && !kept.contains(&message) && message.is_signed(keys) {
            kept.push(message);
        }
    }

    /// Whether a member has said anything about a height.
    pub(crate) fn is_waiting(&self, height: u64) -> bool {
        self.kept
            .iter()
            .any(|((about, _), messages)| *about == height && !messages.is_empty())
    }

    /// What was kept about a height.
    pub(crate) fn take(&mut self, height: u64) -> Vec<Message> {
        let taken = self.kept.extract_if(.., |(about, _), _| *about == height);
        taken.flat_map(|(_, messages)| messages).collect()
    }
}
