//! Files: what is sent arrives whole or not at all, goes on where it was broken off, and nobody on the way changes a bit.

mod saving;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use core::num::NonZeroU32;

use waxwing_core::envelope::KeepFor;
use waxwing_core::limits::DAY_MS;
use waxwing_net::wire::{Kind as Asked, Refusal};
use waxwing_seal::Kind;
use waxwing_seal::file::Manifest;

use super::*;
use crate::error::Error;
use crate::files::{Attached, Attachment, Destination, FileError, Report};
use crate::store::{Side, StoreError};
use crate::store::{files, messages};

fn silent() -> Report {
    Arc::new(|_| {})
}

/// Bytes that do not repeat from piece to piece.
fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at / 7 + at / 65_537 + usize::from(seed)) % 256).unwrap())
        .collect()
}

fn file_of(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn attachment(path: &Path) -> Attachment {
    Attachment {
        path: path.to_owned(),
        name: None,
        media_type: "image/jpeg".to_owned(),
        words: "look at this".to_owned(),
        days: NonZeroU32::new(30).unwrap(),
    }
}

async fn attach(client: &Client, channel: ChannelId, path: &Path) -> Result<Attached, Error> {
    client.attach(channel, attachment(path), silent()).await
}

/// Attaches a file and waits until the message is final.
async fn attach_finally(person: &Person, channel: ChannelId, path: &Path) -> Attached {
    let attached = attach(&person.client, channel, path).await.unwrap();
    let view = person.client.settle(attached.message, PATIENCE).await.unwrap();
    assert_eq!(view.state, Ladder::Final);
    attached
}

/// The newest message with a file, as a reader finds it.
async fn newest_file(client: &Client, channel: ChannelId) -> MessageView {
    client.refresh().await.unwrap();
    let views = client.read(channel, Range::Last(10)).await.unwrap();
    let mut files = views.into_iter().filter(|view| view.kind == Some("attachment"));
    files.next_back().unwrap()
}

async fn save(client: &Client, message: MessageId, folder: &Path) -> Result<PathBuf, Error> {
    let to = Destination::Folder(folder.to_owned());
    Ok(client.save_attachment(message, to, silent()).await?.unwrap())
}

async fn manifest_of(client: &Client, message: MessageId) -> Manifest {
    let core = Arc::clone(&client.core);
    let row = core.read(move |tx| messages::load(tx, message)).await.unwrap().unwrap();
    match row.content.unwrap().kind {
        Kind::Attachment(manifest) => *manifest,
        other => panic!("{other:?}"),
    }
}

/// The key that an upload was begun with.
async fn key_of_upload(client: &Client, channel: ChannelId, path: &Path) -> Option<[u8; 32]> {
    let path = std::fs::canonicalize(path).unwrap();
    let row = path.as_os_str().as_encoded_bytes().to_vec();
    let core = Arc::clone(&client.core);
    let plan = core
        .read::<_, StoreError>(move |tx| files::upload(tx, channel, &row))
        .await
        .unwrap();
    plan.map(|plan| *plan.key.expose())
}

/// Lets a node answer so many requests of a kind, then refuses them.
fn breaks_after(node: &TestNode, kind: Asked, answers: u32) {
    let asked = AtomicU32::new(0);
    node.forges(move |_, request, reply| {
        if request.kind() == kind && asked.fetch_add(1, Ordering::Relaxed) >= answers {
            return Err(Refusal::ShuttingDown);
        }
        reply
    });
}

fn is_honest_again(node: &TestNode) {
    node.forges(|_, _, reply| reply);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_any_size_arrives_as_it_was() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let (out, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Nothing, a byte, pieces and a byte less or more, and so many pieces that their ids become a list of their own.
    let lengths = [0, 1, 262_143, 262_144, 262_145, 2_097_152, 2_097_153, 3_000_000];
    for (number, length) in lengths.into_iter().enumerate() {
        let sent = bytes(length, 1);
        let path = file_of(out.path(), &format!("cat{number}.jpg"), &sent);
        let attached = attach_finally(&ada, channel.0, &path).await;
        assert_eq!(attached.copies, 1, "there is one node");
        let view = newest_file(&ben.client, channel.1).await;
        assert_eq!(view.text.as_deref(), Some("look at this"));
        let shown = view.attachment.clone().unwrap();
        assert_eq!(shown.size, u64::try_from(length).unwrap());
        assert_eq!(shown.hash, blake3::hash(&sent).to_hex().to_string());
        let kept = shown.kept_until_ms.unwrap();
        let now = ben.client.clock().now();
        assert!(kept > now + 29 * DAY_MS && kept < now + 31 * DAY_MS);
        assert_eq!((shown.saved, shown.saved_ms), (None, None));
        let saved = save(&ben.client, view.id, folder.path()).await.unwrap();
        assert_eq!(std::fs::read(&saved).unwrap(), sent, "{length}");
        assert_eq!(saved, folder.path().join(format!("cat{number}.jpg")));
        let shown = ben.client.message(view.id).await.unwrap().attachment.unwrap();
        assert_eq!(shown.saved.unwrap(), saved.display().to_string());
    }
    assert!(node.kept().ids().len() > 28);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), lengths.len(), "no unfinished file is left: {left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_broken_off_goes_on_with_the_same_chunks() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let sent = bytes(5_000_000, 2);
    let path = file_of(out.path(), "film.mp4", &sent);
    breaks_after(&node, Asked::PutChunk, 7);
    let refused = attach(&ada.client, channel.0, &path).await;
    assert!(
        matches!(refused, Err(Error::File(FileError::NobodyKeeps(_)))),
        "{refused:?}"
    );
    let before = node.kept().ids();
    // The node took those that it refused to speak of as well: what counts is what it says that it has.
    assert!(before.len() >= 7 && before.len() < 20, "{}", before.len());
    assert!(
        ada.client.read(channel.0, Range::Last(9)).await.unwrap().is_empty(),
        "nothing was said"
    );
    let key = key_of_upload(&ada.client, channel.0, &path).await.unwrap();
    is_honest_again(&node);
    // Another process, as after a crash.
    let again = ada.again().await;
    let puts = node.kept().puts();
    let attached = attach(&again, channel.0, &path).await.unwrap();
    let all = node.kept().ids();
    assert_eq!(
        usize::try_from(node.kept().puts() - puts).unwrap(),
        all.len() - before.len()
    );
    assert!(before.iter().all(|id| all.contains(id)));
    assert_eq!(manifest_of(&again, attached.message).await.key.expose(), &key);
    assert_eq!(key_of_upload(&again, channel.0, &path).await, None, "it was sent");
    assert_eq!(
        again.settle(attached.message, PATIENCE).await.unwrap().state,
        Ladder::Final
    );
    let view = newest_file(&ben.client, channel.1).await;
    let saved = save(&ben.client, view.id, out.path()).await.unwrap();
    assert_eq!(std::fs::read(saved).unwrap(), sent);
}

/// Messages with a file that a conversation has.
async fn files_said(client: &Client, channel: ChannelId) -> usize {
    let views = client.read(channel, Range::Last(100)).await.unwrap();
    views.iter().filter(|view| view.attachment.is_some()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_says_the_file_once_and_never_before_it_is_kept() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let mut said = 0;
    for side in [Side::Before, Side::After] {
        for number in 1.. {
            let sent = bytes(300_000, u8::try_from(said).unwrap());
            let path = file_of(out.path(), "cat.jpg", &sent);
            let client = ada.again().await;
            client.core.store().fuse.set(number, side);
            let went = attach(&client, channel.0, &path).await;
            let is_burnt = client.core.store().fuse.is_burnt();
            assert_eq!(went.is_err(), is_burnt, "{went:?}");
            // The power is back.
            let again = ada.again().await;
            if files_said(&again, channel.0).await == said {
                attach(&again, channel.0, &path).await.unwrap();
            }
            said += 1;
            assert_eq!(files_said(&again, channel.0).await, said, "commit {number}, {side:?}");
            assert_eq!(node.kept().ids().len(), 2 * said, "no chunk that no message names");
            again.refresh().await.unwrap();
            let view = newest_file(&ben.client, channel.1).await;
            let saved = save(&ben.client, view.id, out.path()).await.unwrap();
            assert_eq!(std::fs::read(saved).unwrap(), sent);
            if !is_burnt {
                assert!(number > 3, "an upload is three commits at least");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changed_meanwhile_begins_anew_with_another_key() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let path = file_of(out.path(), "draft.txt", &bytes(3_000_000, 3));
    breaks_after(&node, Asked::PutChunk, 3);
    attach(&ada.client, channel.0, &path).await.unwrap_err();
    let key = key_of_upload(&ada.client, channel.0, &path).await.unwrap();
    is_honest_again(&node);
    // One byte near the end, in a piece that no node has yet.
    let mut changed = bytes(3_000_000, 3);
    changed[2_900_000] ^= 1;
    file_of(out.path(), "draft.txt", &changed);
    let attached = attach_finally(&ada, channel.0, &path).await;
    let manifest = manifest_of(&ada.client, attached.message).await;
    assert_ne!(manifest.key.expose(), &key, "no key for two texts");
    let view = newest_file(&ben.client, channel.1).await;
    let saved = save(&ben.client, view.id, out.path()).await.unwrap();
    assert_eq!(std::fs::read(saved).unwrap(), changed);
    // Shorter and longer ones, too.
    for length in [2_999_999, 3_000_001] {
        breaks_after(&node, Asked::PutChunk, 3);
        file_of(out.path(), "draft.txt", &bytes(3_000_000, 4));
        attach(&ada.client, channel.0, &path).await.unwrap_err();
        is_honest_again(&node);
        file_of(out.path(), "draft.txt", &bytes(length, 4));
        let attached = attach(&ada.client, channel.0, &path).await.unwrap();
        let manifest = manifest_of(&ada.client, attached.message).await;
        assert_eq!(manifest.length, u64::try_from(length).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_a_file_and_one_of_them_is_enough() {
    let Pair {
        node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    let (second, third) = (TestNode::honest(&world), TestNode::honest(&world));
    ada.knows(&world, &[&node, &second, &third]).await;
    ben.knows(&world, &[&node, &second, &third]).await;
    let out = tempfile::tempdir().unwrap();
    let sent = bytes(700_000, 5);
    let path = file_of(out.path(), "cat.jpg", &sent);
    let attached = attach_finally(&ada, channel.0, &path).await;
    assert_eq!(attached.copies, 2);
    let kept: Vec<_> = [&node, &second, &third]
        .into_iter()
        .filter(|node| !node.kept().ids().is_empty())
        .collect();
    assert_eq!(kept.len(), 2, "and no more of them");
    assert_eq!(kept[0].kept().ids(), kept[1].kept().ids());
    let holders = manifest_of(&ada.client, attached.message).await.holders;
    assert!(kept.iter().all(|node| holders.contains(&node.address().id())));
    kept[0].kept().drop_all();
    let view = newest_file(&ben.client, channel.1).await;
    let saved = save(&ben.client, view.id, out.path()).await.unwrap();
    assert_eq!(std::fs::read(saved).unwrap(), sent);
    assert!(
        ben.faults(world.network()).await.is_empty(),
        "not to keep something is no fault"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_node_fails_another_takes_its_place() {
    let Pair {
        node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let (second, third) = (TestNode::honest(&world), TestNode::honest(&world));
    ada.knows(&world, &[&node, &second, &third]).await;
    ada.prefers(&world, &node).await;
    breaks_after(&node, Asked::PutChunk, 1);
    let out = tempfile::tempdir().unwrap();
    let path = file_of(out.path(), "cat.jpg", &bytes(2_000_000, 6));
    let attached = attach(&ada.client, channel.0, &path).await.unwrap();
    assert_eq!(attached.copies, 2);
    let holders = manifest_of(&ada.client, attached.message).await.holders;
    assert!(!holders.contains(&node.address().id()), "it does not have everything");
    assert_eq!(second.kept().ids(), third.kept().ids());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_not_kept_for_longer_than_its_message() {
    let Pair {
        node: _node,
        ada,
        channel,
        ..
    } = pair().await;
    let timer = ada.client.send(channel.0, Draft::timer(KeepFor::Week)).await.unwrap();
    ada.client.settle(timer, PATIENCE).await.unwrap();
    let out = tempfile::tempdir().unwrap();
    let path = file_of(out.path(), "cat.jpg", b"meow");
    let attached = attach_finally(&ada, channel.0, &path).await;
    let now = ada.client.clock().now();
    assert!(attached.kept_until_ms <= now + 7 * DAY_MS, "{attached:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_node_that_takes_it_nothing_is_said() {
    let Pair {
        node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let path = file_of(out.path(), "cat.jpg", &bytes(10, 9));
    node.lie(Lie::Refuses(Asked::ChunkTerms, Refusal::NoChunks));
    let offers = ada.client.file_offers(channel.0, 10).await.unwrap();
    assert!(!offers[0].takes && offers[0].quota_bytes.is_none());
    let refused = attach(&ada.client, channel.0, &path).await.unwrap_err();
    assert!(refused.to_string().contains("keeps no attachments"), "{refused}");
    assert!(
        ada.faults(world.network()).await.is_empty(),
        "an offer that is not made is no fault"
    );
    node.repent();
    // Larger than what is free: said before anything is sent.
    let offers = ada.client.file_offers(channel.0, super::kept::QUOTA).await.unwrap();
    assert!(
        !offers[0].takes && offers[0].reason.as_ref().unwrap().contains("free"),
        "{offers:?}"
    );
    let offers = ada.client.file_offers(channel.0, 10).await.unwrap();
    assert!(offers[0].takes && offers[0].days == Some(30), "{offers:?}");
    assert!(node.kept().ids().is_empty());
    assert!(ada.client.read(channel.0, Range::Last(9)).await.unwrap().is_empty());
    let folder = attach(&ada.client, channel.0, out.path()).await;
    assert_eq!(folder, Err(FileError::NoFile.into()));
    let missing = attach(&ada.client, channel.0, &out.path().join("nothing")).await;
    assert_eq!(missing, Err(FileError::Read(std::io::ErrorKind::NotFound).into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_with_files_can_be_forgotten() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let path = file_of(out.path(), "cat.jpg", &bytes(3_000_000, 12));
    attach_finally(&ada, channel.0, &path).await;
    let view = newest_file(&ben.client, channel.1).await;
    save(&ben.client, view.id, out.path()).await.unwrap();
    let other = file_of(out.path(), "other.jpg", &bytes(3_000_000, 13));
    breaks_after(&node, Asked::PutChunk, 3);
    attach(&ben.client, channel.1, &other).await.unwrap_err();
    let drop = crate::forget::UnderWay::Drop;
    ben.client.forget_channel(channel.1, drop).await.unwrap();
    let core = Arc::clone(&ben.client.core);
    let left = core
        .read::<_, StoreError>(|tx| {
            let count = |table| tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
            Ok((count("upload")?, count("saved")?))
        })
        .await
        .unwrap();
    assert_eq!(left, (0, 0));
}
