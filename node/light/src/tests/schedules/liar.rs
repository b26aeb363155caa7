//! A member who posts what others wrote once more. It knows the key of every epoch's log, so that the ledger takes whatever it
//! signs; it sees what waits in a node's pool, and gets ahead of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Body, Carried, Envelope, EnvelopeHeader, KeepFor};
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::keys::{LogId, LogKey, Verified};
use waxwing_core::{Hash, Meaning};

use super::super::World;
use super::super::world::Admitted;
use super::play::{Dice, Player};
use crate::error::Error;
use crate::store::channels;

/// What it does to what others wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trick {
    /// The same body under the same terms, in another envelope.
    OnceMore,
    /// To be kept for another time.
    OtherKeeping,
    /// With another erasure commitment: one whose secret it knows, say.
    OtherErasure,
    /// On the log of another epoch.
    OtherLog,
    /// Bytes that nobody sealed.
    Rubbish,
    /// The envelope as it was.
    SameBytes,
}

impl Trick {
    pub(super) const ALL: [Self; 6] = [
        Self::OnceMore,
        Self::OtherKeeping,
        Self::OtherErasure,
        Self::OtherLog,
        Self::Rubbish,
        Self::SameBytes,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OnceMore => "liar: once more",
            Self::OtherKeeping => "liar: other keeping",
            Self::OtherErasure => "liar: other erasure",
            Self::OtherLog => "liar: other log",
            Self::Rubbish => "liar: rubbish",
            Self::SameBytes => "liar: the same bytes",
        }
    }
}

#[derive(Default)]
pub(super) struct Liar {
    /// Keys of all epochs that it saw.
    keys: BTreeMap<LogId, [u8; 32]>,
    /// The logs, the newest last.
    pub(super) logs: Vec<LogId>,
    /// What it posted, by entry.
    pub(super) posted: BTreeSet<Hash>,
    /// What it or the network keeps for later.
    pub(super) late: Vec<Arc<Verified<Carried>>>,
}

impl Liar {
    /// Learns the key of the epoch that a member is in.
    pub(super) async fn learn(&mut self, player: &Player) {
        let Some(channel) = player.channel else { return };
        if player.client().core.store().fuse.is_burnt() {
            return;
        }
        let loaded = player
            .client()
            .core
            .read::<_, Error>(move |tx| Ok(channels::load(tx, channel)?.and_then(|row| row.log_key())));
        // A fuse that burns on reading is looked at by whoever reads next.
        if let Ok(Some(key)) = loaded.await
            && self.keys.insert(key.public(), *key.seed()).is_none()
        {
            self.logs.push(key.public());
        }
    }

    /// Does something to an envelope that others have written. Whether the ledger's rules took it.
    pub(super) fn play(&mut self, world: &World, dice: &mut Dice, trick: Trick, carried: &Carried) -> bool {
        let header = &carried.signed.header;
        let Body::Present(body) = &carried.body else {
            return false;
        };
        if trick == Trick::SameBytes {
            let envelope = Envelope {
                signed: carried.signed.clone(),
                body: body.clone(),
            };
            return !matches!(world.submit(&envelope.to_bytes()), Admitted::Malformed);
        }
        let mut body = body.clone();
        let mut log = header.log;
        let (mut erasure, mut keep_for) = (header.erasure, header.keep_for);
        match trick {
            Trick::OnceMore | Trick::SameBytes => {}
            Trick::OtherKeeping => {
                keep_for = if keep_for == KeepFor::Ever {
                    KeepFor::Year
                } else {
                    KeepFor::Ever
                };
            }
            Trick::OtherErasure => erasure = world.keys.hash(Meaning::Erasure, &dice.roll().to_be_bytes()),
            Trick::OtherLog => {
                let others: Vec<LogId> = self.logs.iter().copied().filter(|other| *other != log).collect();
                let Some(other) = dice.one_of(&others) else {
                    return false;
                };
                log = *other;
            }
            Trick::Rubbish => body.iter_mut().for_each(|byte| *byte = byte.rotate_left(3) ^ 0x5a),
        }
        let Some(seed) = self.keys.get(&log) else { return false };
        let mut forged = EnvelopeHeader {
            log,
            anchor: world.anchor(),
            body_hash: world.keys.hash(Meaning::Body, &body),
            erasure,
            keep_for,
            nonce: dice.roll(),
            ..header.clone()
        };
        let bits = world
            .genesis
            .parameters
            .required_bits(header.body_length, FirstOfLog::Yes);
        forged.grind(&world.keys, bits);
        let signed = forged.sign(&world.keys, &LogKey::from_seed(seed));
        let entry = signed.entry_id(&world.keys);
        let is_taken = matches!(world.submit(&Envelope { signed, body }.to_bytes()), Admitted::Taken(_));
        if is_taken {
            self.posted.insert(entry);
        }
        is_taken
    }
}
