//! Saving what others sent: believed by nobody's word, written over nothing, opened by nobody once it was taken back.

use waxwing_net::wire::Response;
use waxwing_seal::file::FileName;

use super::*;
use crate::files::AttachmentView;
use crate::search::Query;

fn query(word: &str) -> Query {
    Query {
        words: vec![word.to_owned()],
        channel: None,
        most: 10,
    }
}

/// Sends a manifest as a hostile member could write it.
async fn says(person: &Person, channel: ChannelId, manifest: Manifest) {
    let draft = Draft {
        kind: Kind::Attachment(Box::new(manifest)),
        keep_for: KeepFor::Ever,
    };
    let message = person.client.send(channel, draft).await.unwrap();
    person.client.settle(message, PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_saved_again_gets_a_name_of_its_own_and_is_nobody_elses_to_read() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let (out, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = file_of(out.path(), "cat.jpg", b"meow");
    attach_finally(&ada, channel.0, &path).await;
    let view = newest_file(&ben.client, channel.1).await;
    let first = save(&ben.client, view.id, folder.path()).await.unwrap();
    let second = save(&ben.client, view.id, folder.path()).await.unwrap();
    assert_eq!(second, folder.path().join("cat (2).jpg"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&first).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let here = Destination::File(first.clone());
    let refused = ben.client.save_attachment(view.id, here, silent()).await;
    assert_eq!(refused, Err(FileError::Exists.into()));
    let there = Destination::File(folder.path().join("other name"));
    let third = ben.client.save_attachment(view.id, there, silent()).await.unwrap();
    assert_eq!(std::fs::read(third.unwrap()).unwrap(), b"meow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_gives_another_chunk_is_blamed_and_another_one_asked() {
    let Pair {
        node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    let second = TestNode::honest(&world);
    ada.knows(&world, &[&node, &second]).await;
    ben.knows(&world, &[&node, &second]).await;
    let out = tempfile::tempdir().unwrap();
    let sent = bytes(900_000, 7);
    let path = file_of(out.path(), "cat.jpg", &sent);
    attach_finally(&ada, channel.0, &path).await;
    node.forges(|_, _, reply| match reply {
        Ok(Response::GetChunk(chunk)) => {
            let mut altered = chunk.to_vec();
            altered[17] ^= 1;
            Ok(Response::GetChunk(altered.into()))
        }
        reply => reply,
    });
    ben.prefers(&world, &node).await;
    let view = newest_file(&ben.client, channel.1).await;
    ben.prefers(&world, &node).await;
    let saved = save(&ben.client, view.id, out.path()).await.unwrap();
    assert_eq!(std::fs::read(saved).unwrap(), sent);
    assert!(ben.faults(world.network()).await.contains(&"wrong-answer".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_was_broken_off_goes_on_with_what_is_there_if_that_is_right() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let (out, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sent = bytes(6_000_000, 8);
    let path = file_of(out.path(), "film.mp4", &sent);
    attach_finally(&ada, channel.0, &path).await;
    let view = newest_file(&ben.client, channel.1).await;
    breaks_after(&node, Asked::GetChunk, 12);
    let refused = save(&ben.client, view.id, folder.path()).await;
    assert!(
        matches!(refused, Err(Error::File(FileError::NobodyHas { .. }))),
        "{refused:?}"
    );
    let part = std::fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert!(part.file_name().unwrap().to_str().unwrap().starts_with(".waxwing-"));
    let there = std::fs::read(&part).unwrap();
    let pieces = there.len() / 262_144;
    assert!(pieces >= 8 && there == sent[..there.len()], "{pieces}");
    // A crash left something else behind in the last two of them, and half a piece.
    let mut torn = there.clone();
    torn[(pieces - 2) * 262_144] ^= 1;
    torn.extend([0; 1000]);
    std::fs::write(&part, torn).unwrap();
    is_honest_again(&node);
    let before = node.kept().gets();
    let again = ben.again().await;
    let saved = save(&again, view.id, folder.path()).await.unwrap();
    assert_eq!(std::fs::read(&saved).unwrap(), sent);
    let all = 23 + 1;
    let fetched = usize::try_from(node.kept().gets() - before).unwrap();
    assert_eq!(
        fetched,
        all - (pieces - 2),
        "{pieces} pieces were there, two of them wrong"
    );
    assert!(!part.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_manifest_harms_nobody() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let (out, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = file_of(out.path(), "cat.jpg", &bytes(300_000, 10));
    let attached = attach_finally(&ada, channel.0, &path).await;
    let good = manifest_of(&ada.client, attached.message).await;
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();

    let name = FileName::new("../../cat\u{202e}gpj.exe").unwrap();
    says(&ada, channel.0, Manifest { name, ..good.clone() }).await;
    let view = newest_file(&ben.client, channel.1).await;
    let saved = save(&ben.client, view.id, &inner).await.unwrap();
    assert_eq!(saved, inner.join("cat⟨202E⟩gpj.exe"));

    let refused = |error: FileError| Err::<PathBuf, _>(Error::File(error));
    let hash = waxwing_core::Hash([1; 32]);
    says(&ada, channel.0, Manifest { hash, ..good.clone() }).await;
    let view = newest_file(&ben.client, channel.1).await;
    assert_eq!(save(&ben.client, view.id, &inner).await, refused(FileError::WrongHash));

    // One byte less than was sealed.
    let length = good.length - 1;
    says(&ada, channel.0, Manifest { length, ..good.clone() }).await;
    let view = newest_file(&ben.client, channel.1).await;
    let broken = save(&ben.client, view.id, &inner).await;
    assert!(matches!(broken, Err(Error::File(FileError::Unsound(_)))), "{broken:?}");

    let key = waxwing_seal::file::FileKey::from_bytes([3; 32]);
    says(&ada, channel.0, Manifest { key, ..good.clone() }).await;
    let view = newest_file(&ben.client, channel.1).await;
    let broken = save(&ben.client, view.id, &inner).await;
    assert!(matches!(broken, Err(Error::File(FileError::Unsound(_)))), "{broken:?}");

    let mut swapped = good.clone();
    swapped.chunks.swap(0, 1);
    says(&ada, channel.0, swapped).await;
    let view = newest_file(&ben.client, channel.1).await;
    let broken = save(&ben.client, view.id, &inner).await;
    assert!(matches!(broken, Err(Error::File(FileError::Unsound(_)))), "{broken:?}");

    let names = std::fs::read_dir(&inner)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names
        .filter(|name| !name.to_string_lossy().ends_with(".part"))
        .collect();
    assert_eq!(names.len(), 1, "only the one whole file: {names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_the_place_of_the_unfinished_file_is_not_followed() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let (out, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = file_of(out.path(), "cat.jpg", b"meow");
    attach_finally(&ada, channel.0, &path).await;
    let view = newest_file(&ben.client, channel.1).await;
    let victim = file_of(out.path(), "victim", b"precious");
    let part = format!(".waxwing-{}.part", view.content_id.clone().unwrap());
    #[cfg(unix)]
    std::os::unix::fs::symlink(&victim, folder.path().join(part)).unwrap();
    let refused = save(&ben.client, view.id, folder.path()).await;
    assert_eq!(refused, Err(FileError::Exists.into()));
    assert_eq!(std::fs::read(victim).unwrap(), b"precious");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_sender_takes_back_cannot_be_opened_any_more() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let path = file_of(out.path(), "secretplan.pdf", b"meow");
    let attached = attach_finally(&ada, channel.0, &path).await;
    let view = newest_file(&ben.client, channel.1).await;
    let found = ben.client.search(query("secretplan")).await.unwrap();
    assert_eq!(found.len(), 1, "found by its name");
    let retraction = ada.client.retract(attached.message).await.unwrap();
    ada.client.settle(retraction, PATIENCE).await.unwrap();
    ben.client.refresh().await.unwrap();
    let shown = ben.client.message(view.id).await.unwrap();
    assert!(shown.retracted && shown.attachment.is_none() && shown.text.is_none());
    assert!(
        manifest_of(&ben.client, view.id).await.is_forgotten(),
        "its key is gone"
    );
    assert!(ben.client.search(query("secretplan")).await.unwrap().is_empty());
    let refused = save(&ben.client, view.id, out.path()).await;
    assert_eq!(refused, Err(FileError::TakenBack.into()));
    let said = ada.say_finally(channel.0, "hello").await;
    let refused = save(&ada.client, said.id, out.path()).await;
    assert_eq!(refused, Err(FileError::NoAttachment.into()));
    assert_eq!(node.kept().ids().len(), 1, "the nodes drop it when its time has come");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_time_has_passed_is_said_to_be_gone() {
    let Pair {
        node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let path = file_of(out.path(), "cat.jpg", b"meow");
    attach_finally(&ada, channel.0, &path).await;
    let view = newest_file(&ben.client, channel.1).await;
    node.kept().drop_all();
    let gone = save(&ben.client, view.id, out.path()).await.unwrap_err();
    assert!(gone.to_string().contains("try again later"), "{gone}");
    let good = manifest_of(&ben.client, view.id).await;
    says(
        &ada,
        channel.0,
        Manifest {
            kept_until_ms: 1000,
            ..good
        },
    )
    .await;
    let view = newest_file(&ben.client, channel.1).await;
    let gone = save(&ben.client, view.id, out.path()).await.unwrap_err();
    assert!(gone.to_string().contains("ask its sender to send it again"), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_can_be_handed_on_piece_by_piece() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let out = tempfile::tempdir().unwrap();
    let sent = bytes(800_000, 11);
    let path = file_of(out.path(), "cat.jpg", &sent);
    attach_finally(&ada, channel.0, &path).await;
    let view = newest_file(&ben.client, channel.1).await;
    let target = out.path().join("stream");
    let stream = Destination::Stream(Box::new(std::fs::File::create(&target).unwrap()));
    assert_eq!(ben.client.save_attachment(view.id, stream, silent()).await, Ok(None));
    assert_eq!(std::fs::read(target).unwrap(), sent);
    let shown = ben.client.message(view.id).await.unwrap().attachment;
    assert!(
        shown.is_some_and(|AttachmentView { saved, .. }| saved.is_none()),
        "it is nowhere here"
    );
}
