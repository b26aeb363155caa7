//! The one place that signs, and that says no.
//!
//! A step is signed once. Asked again for the same words it gives the same signature, asked for other words it
//! reports a contradiction. At or before the inherited guard it signs nothing that the journal does not show.

use std::collections::BTreeMap;

use waxwing_core::certificate::beacon_message;
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_core::{Hash, HashKeys};

use crate::guard::{Guard, Step};
use crate::message::Message;

/// What came of the wish to sign something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signing {
    /// Signed now.
    New(Signature),
    /// Signed before; here it is again.
    Again(Signature),
    /// Something may have been signed for this step, and what is not known: better silent than two-faced.
    Refused,
    /// Something else was signed for this step.
    Contradiction,
}

/// What was signed for a step.
struct Said {
    bytes: Vec<u8>,
    message: Message,
}

pub(crate) struct Signer {
    keys: HashKeys,
    key: VoteKey,
    /// The newest of all.
    newest: Guard,
    /// What was signed before this host, on this machine or another, as far as is known.
    inherited: Guard,
    /// Everything signed at the current height, by this host or by its journal.
    said: BTreeMap<Guard, Said>,
}

impl Signer {
    pub(crate) const fn new(keys: HashKeys, key: VoteKey, guard: Guard) -> Self {
        Self {
            keys,
            key,
            newest: guard,
            inherited: guard,
            said: BTreeMap::new(),
        }
    }

    pub(crate) fn me(&self) -> ValidatorId {
        self.key.public()
    }

    pub(crate) const fn newest(&self) -> Guard {
        self.newest
    }

    /// Forgets what was signed below a height: nothing is signed there any more.
    pub(crate) fn begin(&mut self, height: u64) {
        self.said.retain(|at, _| at.height >= height);
    }

    /// Takes up what the journal shows to be ours.
    pub(crate) fn recover(&mut self, message: Message) {
        if let Some((at, bytes)) = self.stated(&message) {
            self.newest = self.newest.max(at);
            self.said.entry(at).or_insert(Said { bytes, message });
        }
    }

    /// Signs a vote or proposal, whose signature is not looked at.
    pub(crate) fn sign(&mut self, message: Message) -> Signing {
        let Some((at, bytes)) = self.stated(&message) else {
            return Signing::Refused;
        };
        if let Some(said) = self.said.get(&at) {
            return match said.message.signature() {
                Some(signature) if said.bytes == bytes => Signing::Again(signature),
                _ => Signing::Contradiction,
            };
        }
        if at <= self.newest {
            return Signing::Refused;
        }
        let signature = self.key.sign(&bytes);
        self.newest = at;
        let message = message.with_signature(signature);
        self.said.insert(at, Said { bytes, message });
        Signing::New(signature)
    }

    /// Whether a proposal for this round would be signed.
    pub(crate) fn can_propose(&self, height: u64, round: u32) -> bool {
        let step = Step::Propose;
        self.newest < Guard { height, round, step }
    }

    /// Whether this is word for word what was signed here.
    pub(crate) fn is_ours(&self, message: &Message) -> bool {
        self.stated(message)
            .and_then(|(at, _)| self.said.get(&at))
            .is_some_and(|said| said.message == *message)
    }

    /// Whether a vote or proposal in our name says what we did not, though we would know. Its signature is looked at by
    /// the caller, and if it counts, somebody else has our key.
    pub(crate) fn is_strange(&self, message: &Message) -> bool {
        match self.stated(message) {
            Some((at, bytes)) => match self.said.get(&at) {
                Some(said) => said.bytes != bytes,
                None => at > self.inherited,
            },
            None => false,
        }
    }

    /// What we said in a round, in its order.
    pub(crate) fn said(&self, height: u64, round: u32) -> impl Iterator<Item = &Message> {
        let at = |step| Guard { height, round, step };
        self.said
            .range(at(Step::Propose)..=at(Step::Precommit))
            .map(|(_, said)| &said.message)
    }

    /// Signs that `head` is still the newest block at `time`, unless we may have helped a newer one.
    pub(crate) fn statement(&self, (height, head): (u64, Hash), time: u64) -> Option<Signature> {
        let is_newest = !self.newest.may_have_precommitted(height.saturating_add(1));
        is_newest.then(|| self.key.sign(&beacon_message(self.keys.network(), height, head, time)))
    }

    /// Where a message of ours belongs and the bytes it signs; none for collected votes and for messages of others.
    fn stated(&self, message: &Message) -> Option<(Guard, Vec<u8>)> {
        if message.validator() != Some(self.me()) {
            return None;
        }
        let at = Guard {
            height: message.height(),
            round: message.round(),
            step: step_of(message),
        };
        Some((at, message.signed_bytes(&self.keys)?))
    }
}

const fn step_of(message: &Message) -> Step {
    match message {
        Message::Vote(vote) => Step::of_vote(vote.kind),
        Message::Proposal(_) | Message::Polka(_) | Message::Round(_) => Step::Propose,
    }
}
