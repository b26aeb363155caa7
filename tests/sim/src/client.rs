//! A client: it writes on a log of its own, believes proofs and no node, and does not rest until all it wrote is final.
//!
//! Following is the light client's own state machine. Sending is what its outbox does: the same envelope to one
//! validator after another, and a new one under a newer anchor only when the old one is provably dead.

use std::sync::Arc;

use waxwing_core::certificate::Beacon;
use waxwing_core::envelope::{Anchor, Carried, Envelope};
use waxwing_core::follow::{BeaconError, Follow, FollowError};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{LogId, LogKey, Verified};
use waxwing_core::log::{LogCursor, Place};

use crate::chance::Chance;
use crate::founding::Founding;
use crate::lies::Answer;
use crate::time::{Micros, SECOND};

/// After how long an envelope is sent to another validator.
pub const PATIENCE: Micros = 3 * SECOND;

/// Something written.
#[derive(Clone, Debug)]
struct Letter {
    body: Vec<u8>,
    /// When it may be sent first.
    due: Micros,
    /// The envelope under which it was sent last, and when.
    sent: Option<(Arc<Verified<Carried>>, Envelope, Micros)>,
    is_final: bool,
}

/// What a client wants to be known when it makes an envelope.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// The newest anchor at or below the head it holds.
    pub anchor: Anchor,
    /// An older one that it may still use.
    pub older: Option<Anchor>,
    /// Anchors below this height have expired by the head at which its log was last proved.
    pub expired_below: u64,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    key: LogKey,
    follow: Follow,
    cursor: LogCursor,
    letters: Vec<Letter>,
    /// Ids of the entries that its log holds.
    entries: Vec<Hash>,
    /// The head at which its log was last proved. A head alone says nothing about what is absent.
    proved: u64,
}

impl Client {
    /// Client number `number`, with so many letters to send until `until`.
    #[must_use]
    pub fn new(founding: &Founding, number: u8, letters: u64, until: Micros, chance: &mut Chance) -> Self {
        let key = LogKey::from_seed(&[100 + number; 32]);
        // The last one is written when all is well again: an envelope is dead only by a block after its anchor's end,
        // and where nobody writes there is none.
        let letter = |place: u64| Letter {
            body: [b"letter ".as_slice(), &[number], &place.to_be_bytes()].concat(),
            due: if place + 1 == letters {
                until
            } else {
                chance.below(until)
            },
            sent: None,
            is_final: false,
        };
        Self {
            follow: Follow::from_genesis(&founding.genesis),
            cursor: LogCursor::start(key.public()),
            letters: (0..letters).map(letter).collect(),
            entries: Vec::new(),
            proved: 0,
            key,
        }
    }

    /// The log it writes on.
    #[must_use]
    pub fn log(&self) -> LogId {
        self.key.public()
    }

    /// What it follows by.
    #[must_use]
    pub const fn follow(&self) -> &Follow {
        &self.follow
    }

    /// What it asks for: the height it holds, and how many entries of its log.
    #[must_use]
    pub fn position(&self) -> (u64, u64) {
        (self.follow.header().height, self.cursor.state.length())
    }

    /// The height of the head at which its log was last proved.
    #[must_use]
    pub const fn proved(&self) -> u64 {
        self.proved
    }

    /// How many of its letters are not final.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.letters.iter().filter(|letter| !letter.is_final).count()
    }

    /// Takes in an answer, or does not.
    ///
    /// # Errors
    /// Why not.
    pub fn hear(&mut self, answer: &Answer, now_ms: u64) -> Result<(), String> {
        match self.follow.accept(&answer.proof.update, now_ms) {
            Ok(_) => {}
            Err(FollowError::Older { .. }) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
        let leaf = self
            .follow
            .check_log(&self.log(), &answer.proof.log)
            .map_err(|error| format!("{error:?}"))?;
        if let Some(leaf) = leaf {
            self.cursor
                .extend(self.follow.keys(), &answer.entries, &leaf)
                .map_err(|error| error.to_string())?;
            self.entries
                .extend(answer.entries.iter().map(|(id, _): &(Hash, Place)| *id));
        }
        self.proved = self.follow.header().height;
        for letter in &mut self.letters {
            let sent = letter.sent.as_ref();
            letter.is_final |= sent.is_some_and(|(carried, _, _)| self.entries.contains(&carried.id()));
        }
        Ok(())
    }

    /// Takes in that the head it holds is still the newest, or does not.
    ///
    /// # Errors
    /// Why not.
    pub fn hear_beacon(&mut self, beacon: &Beacon, now_ms: u64) -> Result<(), BeaconError> {
        self.follow.accept_beacon(beacon, now_ms)
    }

    /// What it sends now, if anything: letters that are due, and those that have not become final for too long.
    pub fn send(&mut self, founding: &Founding, sight: Sight, now: Micros, chance: &mut Chance) -> Vec<Envelope> {
        let is_due = |letter: &&mut Letter| {
            let is_patient = |(_, _, at): &(_, _, Micros)| now < at + PATIENCE;
            !letter.is_final && letter.due <= now && !letter.sent.as_ref().is_some_and(is_patient)
        };
        let mut sent = Vec::new();
        for letter in self.letters.iter_mut().filter(is_due) {
            let again = letter.sent.as_ref().map(|(_, envelope, _)| envelope.clone());
            let is_first = again.is_none();
            // One that no later block can hold, and that this one's proof shows to be absent, is dead.
            let again = again.filter(|envelope| envelope.signed.header.anchor.height >= sight.expired_below);
            let envelope = again.unwrap_or_else(|| {
                let older = sight.older.filter(|_| is_first && chance.once_in(3));
                founding.envelope(&self.key, older.unwrap_or(sight.anchor), &letter.body)
            });
            letter.sent = Some((founding.verified(envelope.clone()), envelope.clone(), now));
            sent.push(envelope);
        }
        sent
    }
}
