//! Which key of which ratchet each body was encrypted with that a node was ever shown.
//!
//! A body says so inside of its outer seal, in the sender data of RFC 9420, section 6.3.2: who has the epoch's secrets reads the
//! leaf and the generation without using up anything. Two messages of one leaf and one generation would be encrypted with one
//! key: that is what a crash between two steps, or a retry that seals again, must never lead to. It would show in no other law
//! if the second of them is never ordered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use ciborium::Value;
use openmls::prelude::{AeadType, HashType, OpenMlsCrypto as _};
use openmls_rust_crypto::RustCrypto;
use waxwing_core::codec::Decode as _;
use waxwing_core::envelope::{Envelope, EnvelopeHeader};
use waxwing_core::keys::LogId;
use waxwing_net::wire::Request;
use waxwing_seal::EpochKeys;

use super::super::gone::inside;
use super::super::stranded::spite;
use super::super::{TestNode, World};
use super::play::Player;
use crate::error::Error;
use crate::store::channels;

/// What a schedule knows of an epoch.
struct Epoch {
    keys: EpochKeys,
    sender_data: Vec<u8>,
}

/// Bodies that nodes were shown, by log.
pub(super) type Heard = Arc<Mutex<BTreeMap<LogId, Vec<(EnvelopeHeader, Vec<u8>)>>>>;

/// A key: the leaf it belongs to, whether to its ratchet for changes, and its number.
type Key = (u32, bool, u32);

/// What there was to look at.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct LookedAt {
    pub(super) keys: u32,
    /// Epochs that several members wanted to end, or to leave.
    pub(super) races: u32,
}

#[derive(Default)]
pub(super) struct Ratchets {
    epochs: BTreeMap<LogId, Epoch>,
    pub(super) heard: Heard,
}

impl Ratchets {
    /// Notes every body that a node is shown from now on.
    pub(super) fn note(heard: &Heard, request: &Request) {
        let Request::Submit { envelopes, .. } = request else {
            return;
        };
        for bytes in envelopes.iter() {
            let envelope = Envelope::from_bytes(bytes).unwrap();
            let header = envelope.signed.header;
            let mut heard = heard.lock().unwrap();
            let bodies = heard.entry(header.log).or_default();
            if bodies.iter().all(|(known, _)| known.body_hash != header.body_hash) {
                bodies.push((header, envelope.body));
            }
        }
    }

    /// Learns the secrets of the epoch that a member is in.
    pub(super) async fn learn(&mut self, player: &Player) {
        let Some(channel) = player.channel else { return };
        if player.core_is_cut() {
            return;
        }
        let known: BTreeSet<LogId> = self.epochs.keys().copied().collect();
        let read = player.client().core.read::<_, Error>(move |tx| {
            let row = channels::load(tx, channel)?.filter(|row| row.is_live && !known.contains(&row.log()));
            let Some(row) = row else { return Ok(None) };
            let keys = spite::group(tx, row.id).0.keys().cloned();
            let select = "SELECT group_data FROM openmls_group_data WHERE data_type = 'message_secrets'";
            let secrets: Vec<u8> = tx
                .query_row(select, [], |row| row.get(0))
                .map_err(crate::store::StoreError::from)?;
            Ok(keys.map(|keys| (keys, secrets)))
        });
        if let Ok(Some((keys, secrets))) = read.await {
            let secrets: Value = ciborium::from_reader(secrets.as_slice()).unwrap();
            let secret = inside(&secrets, "sender_data_secret").expect("the library keeps it under this name");
            let mut sender_data = Vec::new();
            gather(secret, &mut sender_data);
            assert_eq!(sender_data.len(), 48, "as long as the suite's hash");
            self.epochs.insert(keys.log(), Epoch { keys, sender_data });
        }
    }

    /// That no key was used for two messages.
    pub(super) fn check(&self, world: &World) -> Result<LookedAt, String> {
        let mut looked_at = LookedAt::default();
        for (log, bodies) in self.heard.lock().unwrap().iter() {
            let Some(epoch) = self.epochs.get(log) else { continue };
            let messages = bodies
                .iter()
                .map(|(header, body)| spite::taken_out(world, &epoch.keys, header, body));
            let messages: Vec<Vec<u8>> = messages.collect();
            let keys: Vec<(Key, &[u8])> = messages
                .iter()
                .map(|message| (key_of(epoch, message), message.as_slice()))
                .collect();
            none_is_used_twice(&keys).map_err(|key| format!("{key:?} of {log:?} was used for two messages"))?;
            looked_at.keys += u32::try_from(keys.len()).unwrap();
            let changing: BTreeSet<u32> = keys.iter().filter(|(key, _)| key.1).map(|(key, _)| key.0).collect();
            looked_at.races += u32::from(changing.len() > 1);
        }
        Ok(looked_at)
    }
}

/// The same message twice is one: it may have been sealed into another envelope by somebody else.
fn none_is_used_twice(used: &[(Key, &[u8])]) -> Result<(), Key> {
    let mut first: BTreeMap<Key, &[u8]> = BTreeMap::new();
    for (key, message) in used {
        if first.insert(*key, message).is_some_and(|other| other != *message) {
            return Err(*key);
        }
    }
    Ok(())
}

/// The bytes in a value, however they are written.
fn gather(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        Value::Integer(number) => out.push(u8::try_from(*number).unwrap()),
        Value::Array(values) => values.iter().for_each(|value| gather(value, out)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| gather(value, out)),
        _ => {}
    }
}

/// RFC 9420, sections 6.3.1 and 6.3.2.
fn key_of(epoch: &Epoch, message: &[u8]) -> Key {
    let mut rest = &message[4..];
    let group = opaque(&mut rest);
    let (number, after) = rest.split_at(8);
    let (content, after) = after.split_at(1);
    rest = after;
    opaque(&mut rest);
    let (sender, text) = (opaque(&mut rest), opaque(&mut rest));
    let sample = &text[..text.len().min(48)];
    let crypto = RustCrypto::default();
    let expand = |label: &str, length: u8| {
        let label = [b"MLS 1.0 ", label.as_bytes()].concat();
        let info = [&[0, length][..], &prefixed(&label), &prefixed(sample)].concat();
        let secret = crypto.hkdf_expand(HashType::Sha2_384, &epoch.sender_data, &info, length.into());
        secret.unwrap().as_slice().to_vec()
    };
    let bound = [&prefixed(group), number, content].concat();
    let (key, nonce) = (expand("key", 32), expand("nonce", 12));
    let said = crypto.aead_decrypt(AeadType::Aes256Gcm, &key, sender, &nonce, &bound);
    let said = said.expect("the sender data open with the epoch's secret");
    let word = |at: usize| u32::from_be_bytes(said[at..at + 4].try_into().unwrap());
    (word(0), content[0] != 1, word(4))
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    assert!(length < 64, "one byte says so");
    [&[length], bytes].concat()
}

fn opaque<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let width = 1_usize << (rest[0] >> 6);
    let length = rest[1..width].iter().fold(usize::from(rest[0] & 0x3f), |length, byte| {
        length << 8 | usize::from(*byte)
    });
    let (bytes, after) = rest[width..].split_at(length);
    *rest = after;
    bytes
}

/// Both honest nodes and liars hand on what they are told.
pub(super) fn overhear(node: &TestNode, heard: &Heard, more: impl Fn(&Request) + Send + Sync + 'static) {
    let heard = Arc::clone(heard);
    node.tells(move |request| {
        Ratchets::note(&heard, request);
        more(request);
    });
}

/// A law that nothing can break is none.
mod tests {
    use super::super::super::{Client, options};
    use super::super::play::Play;
    use super::*;

    #[test]
    fn a_key_that_was_used_for_two_messages_is_found() {
        let (one, other): (&[u8], &[u8]) = (b"one", b"other");
        let key = (3, false, 7);
        assert_eq!(none_is_used_twice(&[(key, one), ((3, false, 8), other)]), Ok(()));
        assert_eq!(none_is_used_twice(&[(key, one), ((3, true, 7), other)]), Ok(()));
        assert_eq!(none_is_used_twice(&[(key, one), (key, one)]), Ok(()));
        assert_eq!(none_is_used_twice(&[(key, one), (key, other)]), Err(key));
    }

    /// The one thing that must never be done to a home: what it has told nodes since then, it would say once more.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_home_that_was_put_back_to_an_earlier_day_is_found_by_its_keys() {
        let mut play = Box::pin(Play::begin(1)).await;
        for who in 0..play.players.len() {
            play.refresh(who).await;
        }
        let (earlier, home) = (
            tempfile::tempdir().unwrap(),
            play.players[0].person.home.path().to_owned(),
        );
        for file in std::fs::read_dir(home).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), earlier.path().join(file.file_name())).unwrap();
            }
        }
        play.say(0).await;
        play.refresh(0).await;
        assert!(play.ratchets.check(&play.world).unwrap().keys > 0);
        play.players[0].person.client = Client::open(options(earlier.path())).await.unwrap();
        play.say(0).await;
        play.refresh(0).await;
        let breach = play.ratchets.check(&play.world).unwrap_err();
        assert!(breach.contains("was used for two messages"), "{breach}");
    }
}
