//! Conversations between honest people over honest nodes.

use super::*;
use crate::conversations::Joined;
use crate::error::Error;
use crate::message::{BodyKind, Exception};
use crate::why::Finding;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_says_the_other_reads_in_the_same_order() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    ada.say_finally(channel.0, "hello Ben").await;
    ben.say_finally(channel.1, "hello Ada").await;
    ada.say_finally(channel.0, "how are you?").await;
    ben.client.refresh().await.unwrap();
    let said = ["hello Ben", "hello Ada", "how are you?"];
    assert_eq!(ben.reads(channel.1).await, said);
    assert_eq!(ada.reads(channel.0).await, said);

    let views = ben.client.read(channel.1, Range::Last(10)).await.unwrap();
    let names: Vec<_> = views
        .iter()
        .map(|view| view.author.as_ref().unwrap().name.clone())
        .collect();
    assert_eq!(names, ["Ada", "Ben", "Ada"]);
    assert_eq!(
        views.iter().map(|view| view.own).collect::<Vec<_>>(),
        [false, true, false]
    );
    let indexes: Vec<_> = views.iter().map(|view| view.log_index).collect();
    assert_eq!(indexes, [Some(0), Some(1), Some(2)]);
    assert!(views.iter().all(|view| view.exceptions.is_empty()), "{views:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_climbs_its_ladder_from_queued_to_final() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let message = ada.say(channel.0, "one").await;
    let state = async || ada.client.message(message).await.unwrap().state;
    assert_eq!(state().await, Ladder::Queued, "durable before any network");
    world.set_ordering(false);
    ada.client.refresh().await.unwrap();
    assert_eq!(state().await, Ladder::Sent);
    assert_eq!(world.waiting(), 1);
    world.order();
    ada.client.refresh().await.unwrap();
    assert_eq!(state().await, Ladder::Final);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_tells_of_every_step_and_goes_on_after_a_restart() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let mut tail = ben.client.tail(Some(channel.1), None).await.unwrap();
    ben.client.start();
    ada.say_finally(channel.0, "one").await;
    let seen = timeout(PATIENCE, tail.next()).await.unwrap().unwrap();
    assert_eq!((seen.text.as_deref(), seen.state), (Some("one"), Ladder::Final));
    let position = tail.position();
    drop(tail);
    ada.say_finally(channel.0, "two").await;
    let mut tail = ben.client.tail(None, Some(position)).await.unwrap();
    let seen = timeout(PATIENCE, tail.next()).await.unwrap().unwrap();
    assert_eq!(seen.text.as_deref(), Some("two"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_shows_own_messages_climbing() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    world.set_ordering(false);
    let mut tail = ada.client.tail(Some(channel.0), None).await.unwrap();
    ada.client.start();
    ada.say(channel.0, "one").await;
    let mut states = Vec::new();
    while states.last() != Some(&Ladder::Final) {
        let view = timeout(PATIENCE, tail.next()).await.unwrap().unwrap();
        states.push(view.state);
        if view.state == Ladder::Sent {
            world.order();
        }
    }
    states.dedup();
    let tail_end = states.split_off(states.len() - 2);
    assert_eq!(tail_end, [Ladder::Sent, Ladder::Final]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_retractions_and_reactions_do_what_they_say_to_their_own_devices_messages() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let first = ada.say_finally(channel.0, "helo").await;
    ben.client.refresh().await.unwrap();
    let id = ben
        .client
        .find_message(channel.1, first.content_id.as_ref().unwrap())
        .await
        .unwrap();
    let of = crate::tests::chat::content_of(&first);
    let ada_says = async |draft| {
        let message = ada.client.send(channel.0, draft).await.unwrap();
        ada.client.settle(message, PATIENCE).await.unwrap()
    };
    ada_says(Draft::edit(of, "hello").unwrap()).await;
    let ben_says = async |draft| {
        let message = ben.client.send(channel.1, draft).await.unwrap();
        ben.client.settle(message, PATIENCE).await.unwrap()
    };
    let thumb = ben_says(Draft::reaction(of, "👍").unwrap()).await;
    ben_says(Draft::edit(of, "goodbye").unwrap()).await;
    ben_says(Draft::retraction(of)).await;
    let view = ben.client.message(id).await.unwrap();
    assert_eq!(view.text.as_deref(), Some("hello"), "only its own device may edit it");
    assert!(view.edited && !view.retracted, "only its own device may retract it");
    assert_eq!(view.reactions.len(), 1);
    assert_eq!(
        ben.reads(channel.1).await,
        ["hello"],
        "what belongs to a message is not listed by itself"
    );

    ben_says(Draft::retraction(content_of(&thumb))).await;
    assert!(ben.client.message(id).await.unwrap().reactions.is_empty());
    ada_says(Draft::retraction(of)).await;
    ben.client.refresh().await.unwrap();
    let view = ben.client.message(id).await.unwrap();
    assert!(view.retracted);
    assert_eq!(view.text, None);
}

pub(super) fn content_of(view: &MessageView) -> waxwing_seal::ContentId {
    let digits: Vec<u32> = view
        .content_id
        .as_ref()
        .unwrap()
        .chars()
        .map(|digit| digit.to_digit(16).unwrap())
        .collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect();
    waxwing_seal::ContentId(bytes.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_joiner_reads_a_long_conversation_from_its_start_piece_by_piece() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    for number in 0..600 {
        ada.say(channel.0, &format!("message {number}")).await;
    }
    for _ in 0..40 {
        ada.client.refresh().await.unwrap();
    }
    let waiting = ada.client.channels().await.unwrap()[0].waiting;
    assert_eq!(waiting, 0);
    let late = Person::new("Cleo").await;
    let link = ada.client.invite(channel.0).await.unwrap();
    let Joined::New(joined) = late.client.join(&link).await.unwrap() else {
        panic!("new to Cleo");
    };
    late.client.refresh().await.unwrap();
    let read = late.reads(joined).await;
    assert_eq!(read.len(), 600);
    assert_eq!(read, ada.reads(channel.0).await);
    let status = late.client.status(world.network()).await.unwrap();
    assert!(status.started_at > 0, "trust began at the pin");
    assert!(status.faults.is_empty(), "{:?}", status.faults);
}

/// A root says nothing about a prefix: each piece of a long log is checked against an end that the last root proves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_conversation_that_was_tampered_with_is_not_believed_piece_by_piece() {
    let Pair {
        node: honest,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    for number in 0..300 {
        ada.say(channel.0, &format!("message {number}")).await;
    }
    while ada.client.channels().await.unwrap()[0].waiting > 0 {
        ada.client.refresh().await.unwrap();
    }
    for lie in [Lie::MovedEntry, Lie::EndsAfter(280), Lie::AlteredBodies] {
        let liar = TestNode::lying(&world, lie.clone());
        let late = Person::new("Cleo").await;
        let link = ada.client.invite(channel.0).await.unwrap();
        late.client.join(&link).await.unwrap();
        late.client.add_node(world.network(), liar.address()).await.unwrap();
        late.prefers(&world, &liar).await;
        let served = late.client.refresh().await.unwrap();
        assert_eq!(served[0].node, honest.address().id(), "{lie:?}");
        assert_eq!(served[0].left.len(), 1, "{lie:?}");
        let joined = late.client.channels().await.unwrap()[0].id;
        assert_eq!(late.reads(joined).await, ada.reads(channel.0).await, "{lie:?}");
    }
}

/// Only a quorum could order such an entry, against the rules; even then it is no message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_the_conversations_key_never_signed_is_a_tombstone() {
    use crate::store::StoreError;
    use crate::store::channels;
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.say_finally(channel.0, "one").await;
    let row = world.log(&log_of(&ada.client, channel.0).await)[0].clone();
    let mut carried = row.carried;
    carried.signed.signature.0[0] ^= 1;
    let keys = world.keys.clone();
    let entry = crate::open::Checked::new(&keys, row.place, carried, u64::MAX);
    let id = channel.1;
    ben.client
        .core
        .write::<_, StoreError>(move |tx| {
            let channel = channels::load(tx, id)?.unwrap();
            crate::open::store(tx, &keys, &channel, vec![entry], 0)
        })
        .await
        .unwrap();
    let message = ben.client.find_message(id, "#0").await.unwrap();
    let view = ben.client.message(message).await.unwrap();
    assert_eq!((view.body, view.text.as_deref()), (BodyKind::Unopened, None));
    assert!(view.reason.unwrap().starts_with("the log's key never signed it"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_twice_changes_nothing_and_a_spoilt_link_says_what_is_wrong() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let link = ada.client.invite(channel.0).await.unwrap();
    assert_eq!(ben.client.join(&link).await, Ok(Joined::Known(channel.1)));
    let cut = &link[..link.len() - 3];
    assert!(matches!(ben.client.join(cut).await, Err(Error::Link(_))));
    assert!(!format!("{:?}", ada.client).contains(&link[link.len() - 20..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_message_is_gone_from_nodes_and_from_whoever_reads_later() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let view = ada.say_finally(channel.0, "a secret").await;
    ada.say_finally(channel.0, "not a secret").await;
    ada.client.erase(view.id).await.unwrap();
    assert_eq!(ada.client.message(view.id).await.unwrap().body, BodyKind::Erased);
    ada.client.refresh().await.unwrap();
    let log = world.log(&log_of(&ada.client, channel.0).await);
    assert!(matches!(log[0].carried.body, waxwing_core::envelope::Body::Erased(_)));
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(channel.1).await, ["(Erased)", "not a secret"]);
    assert!(
        ben.faults(world.network()).await.is_empty(),
        "an excuse is no withholding"
    );
    let of_ben = ben.client.find_message(channel.1, "#1").await.unwrap();
    assert_eq!(ben.client.erase(of_ben).await, Err(Error::NotOwn));
}

pub(super) async fn log_of(client: &Client, channel: ChannelId) -> waxwing_core::keys::LogId {
    let core = std::sync::Arc::clone(&client.core);
    let row = core
        .read(move |tx| crate::store::channels::load(tx, channel))
        .await
        .unwrap();
    row.unwrap().log()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_lists_every_check_and_what_was_not_done() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    ada.say_finally(channel.0, "one").await;
    ada.say_finally(channel.0, "two").await;
    ben.client.refresh().await.unwrap();
    let message = ben.client.find_message(channel.1, "#1").await.unwrap();
    let why = ben.client.why(message).await.unwrap();
    let of = |result| {
        let found = why.checks.iter().filter(|check| check.result == result);
        found.map(|check| check.check).collect::<Vec<_>>()
    };
    assert_eq!(
        of(Finding::Holds),
        [
            "device-signature",
            "terms",
            "nothing-missing-before",
            "log-signature",
            "stamp",
            "in-the-ledger",
            "final",
            "same-history",
            "written-before-ordered"
        ]
    );
    assert_eq!(
        of(Finding::NotDone),
        [
            "account",
            "device-on-card",
            "anchor",
            "witnesses",
            "name",
            "person",
            "hands",
            "forward-secrecy",
            "seen-by-all"
        ]
    );
    assert_eq!(of(Finding::Fails), Vec::<&str>::new());
    let own = ada.client.find_message(channel.0, "#0").await.unwrap();
    let why = ada.client.why(own).await.unwrap();
    assert!(why.nodes.iter().all(|said| said.promised) && !why.nodes.is_empty());
    assert!(serde_json::to_string(&why).unwrap().contains("\"result\":\"not-done\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_convinces_somebody_who_has_only_the_genesis() {
    use waxwing_core::codec::Decode;
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let view = ada.say_finally(channel.0, "one").await;
    let receipted = ada.client.receipt(view.id).await.unwrap();
    let receipt = waxwing_core::receipt::Receipt::from_bytes(&receipted.bytes).unwrap();
    let ordered = receipt.verify(&world.keys, &world.genesis.committee()).unwrap();
    assert_eq!(Some(ordered.index), view.log_index);
    assert_eq!((receipted.signers, receipted.validators), (3, 4));
    assert_eq!(ada.client.receipt(view.id).await, Ok(receipted), "kept");
    world.set_ordering(false);
    let waiting = ada.say(channel.0, "two").await;
    assert_eq!(ada.client.receipt(waiting).await, Err(Error::NotFinal));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_is_fetched_by_its_id_and_a_ledger_without_entries_is_no_trouble() {
    let world = World::new("empty");
    let node = TestNode::honest(&world);
    let ada = Person::new("Ada").await;
    ada.client
        .fetch_network(world.network(), &[node.address()])
        .await
        .unwrap();
    let channel = ada.client.create_channel(world.network(), "first").await.unwrap();
    ada.client.refresh().await.unwrap();
    assert_eq!(ada.client.status(world.network()).await.unwrap().height, 0);
    assert_eq!(ada.say_finally(channel, "the first entry of all").await.height, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_lead_to_other_nodes_and_one_that_is_gone_is_replaced() {
    let world = World::new("test");
    let (first, second) = (TestNode::honest(&world), TestNode::honest(&world));
    first.knows(&second);
    let ada = Person::on("Ada", &world, &[&first]).await;
    let channel = ada.client.create_channel(world.network(), "plans").await.unwrap();
    ada.say_finally(channel, "one").await;
    assert_eq!(ada.client.status(world.network()).await.unwrap().nodes.len(), 2);
    first.shut_down().await;
    ada.say_finally(channel, "two").await;
    assert!(second.submitted() >= 1);
    let faults = ada.faults(world.network()).await;
    assert!(
        faults
            .iter()
            .any(|code| code == "hung-up" || code == "unreachable" || code == "refused"),
        "{faults:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_does_not_open_is_a_tombstone_and_the_reading_goes_on() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    ada.say_finally(channel.0, "before").await;
    let log = log_of(&ada.client, channel.0).await;
    // Whoever has the link has the log's key, and may post anything.
    let row = world.log(&log)[0].clone();
    let core = std::sync::Arc::clone(&ada.client.core);
    let id = channel.0;
    let secret = core
        .read(move |tx| crate::store::channels::load(tx, id))
        .await
        .unwrap()
        .unwrap()
        .secret;
    let epoch = secret.epoch_keys(world.network(), 0);
    let mut header = row.carried.signed.header.clone();
    header.erasure = Hash([9; 32]);
    header.grind(&world.keys, 4);
    let reposted = waxwing_core::envelope::Envelope {
        signed: header.sign(&world.keys, epoch.log_key()),
        body: row.carried.body.present().unwrap().to_vec(),
    };
    world.submit(&waxwing_core::codec::Encode::to_bytes(&reposted));
    ada.say_finally(channel.0, "after").await;
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(channel.1).await, ["before", "(Unopened)", "after"]);
    let tombstone = ben.client.find_message(channel.1, "#1").await.unwrap();
    let view = ben.client.message(tombstone).await.unwrap();
    assert_eq!(view.exceptions, [Exception::NotOpened]);
    assert_eq!(
        view.reason.as_deref(),
        Some("somebody reposted it under another erasure commitment")
    );
}
