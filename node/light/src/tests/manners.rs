//! What members tell each other beside what they say: how far they have come, and what is missing.

use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::codec::Encode as _;
use waxwing_core::envelope::{Anchor, Envelope, KeepFor};
use waxwing_seal::content::{Name, Receipt, View, Watermark, Words};
use waxwing_seal::{Content, DeviceKey, Keeping, Kind, Sealer, StandIn};

use super::groups::group;
use super::*;
use crate::chance;
use crate::message::Exception;
use crate::store::channels::{self, Channel};
use crate::store::manners::Seen;
use crate::why::Finding;

impl Person {
    pub(super) async fn catches_up(&self) {
        self.client.refresh().await.unwrap();
    }

    pub(super) async fn sees(&self, message: MessageId) -> MessageView {
        self.client.message(message).await.unwrap()
    }

    /// The message at a place of the only channel.
    pub(super) async fn at(&self, index: u64) -> MessageView {
        let channel = self.client.channels().await.unwrap()[0].id;
        let id = self.client.find_message(channel, &format!("#{index}")).await.unwrap();
        self.sees(id).await
    }

    /// Everything of the only channel was shown.
    pub(super) async fn has_read(&self) -> u64 {
        let channel = self.client.channels().await.unwrap()[0].id;
        let last = self.client.read(channel, Range::Last(1000)).await.unwrap();
        let last = last.iter().map(|view| view.id).max().unwrap();
        self.client.mark_read(channel, last).await.unwrap()
    }

    pub(super) async fn unread(&self) -> (u64, u64) {
        let view = self.client.channels().await.unwrap().remove(0);
        (view.unread, view.mentioned)
    }

    pub(super) async fn device(&self) -> String {
        self.client.device().await.unwrap().0.to_string()
    }

    pub(super) async fn row(&self, channel: ChannelId) -> Channel {
        let core = Arc::clone(&self.client.core);
        let row = core.read(move |tx| channels::load(tx, channel)).await.unwrap();
        row.unwrap()
    }
}

/// Somebody who has the link and a program of their own.
pub(super) struct Stranger {
    world: Arc<World>,
    sealer: Sealer<StandIn>,
}

impl Stranger {
    pub(super) async fn of(world: &Arc<World>, ada: &Person, channel: ChannelId, seed: u8) -> Self {
        let epoch = ada.row(channel).await.secret.epoch_keys(world.network(), 0);
        let device = DeviceKey::from_seed(&[seed; 32]);
        Self {
            world: Arc::clone(world),
            sealer: Sealer::new(world.keys.clone(), epoch, device, StandIn::new()),
        }
    }

    pub(super) fn says(&mut self, kind: Kind, view: View) {
        let submitted = self.writes(kind, view);
        self.world.submit(&submitted);
    }

    /// The envelope, for whoever wants to send it later or never.
    fn writes(&mut self, kind: Kind, view: View) -> Vec<u8> {
        let content = Content::new(&mut chance::fill, 1, Name::new("Eve").unwrap(), view, kind);
        let keeping = Keeping::Erasable(KeepFor::Ever);
        let sealed = self.sealer.seal(&content, keeping, &mut chance::fill).unwrap();
        let anchor = Anchor {
            height: 0,
            id: self.world.header(0).unwrap().id(&self.world.keys),
        };
        let mut header = sealed.header(anchor);
        header.grind(&self.world.keys, 4);
        let signed = header.sign(&self.world.keys, self.sealer.epoch().log_key());
        let envelope = Envelope {
            signed,
            body: sealed.body,
        };
        envelope.to_bytes()
    }
}

fn text(words: &str) -> Kind {
    Kind::Text(Words::new(words).unwrap())
}

pub(super) fn nothing_seen(world: &World) -> View {
    View::empty_log(0, world.header(0).unwrap().id(&world.keys))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_are_off_until_they_are_chosen_and_one_stands_for_many() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ben.say_finally(channel.1, "I am here").await;
    for number in 0..10 {
        ada.say_finally(channel.0, &format!("message {number}")).await;
    }
    ben.catches_up().await;
    ben.client.set_seen(channel.1, Seen::Off).await.unwrap();
    ben.has_read().await;
    assert_eq!(ben.client.tell_now().await, Ok(0), "nothing was chosen");
    let log = ada.row(channel.0).await.log();
    assert_eq!(world.length(&log), 11);

    ben.client.set_receipts(channel.1, true).await.unwrap();
    assert_eq!(ben.client.tell_now().await, Ok(1));
    ben.catches_up().await;
    ada.catches_up().await;
    assert_eq!(world.length(&log), 12, "one entry for all ten");
    for index in [1, 5, 10] {
        let reach = ada.at(index).await.reach.unwrap();
        assert_eq!((reach.others, reach.delivered, reach.read), (1, 1, 1), "{index}");
    }
    assert_eq!(ada.reads(channel.0).await.len(), 11, "and it is not listed");
    assert_eq!(ada.unread().await, (1, 0), "nor counted: the one message is Ben's");
    let manners = ada.client.manners(channel.0).await.unwrap();
    let of_ben = manners.members.iter().find(|member| !member.own).unwrap();
    assert_eq!((of_ben.delivered, of_ben.read, of_ben.name.as_str()), (11, 11, "Ben"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_tells_delivered_from_read_and_is_never_answered() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    for person in [&ada, &ben] {
        person.client.refresh().await.unwrap();
    }
    ada.client.set_receipts(channel.0, true).await.unwrap();
    ben.client.set_receipts(channel.1, true).await.unwrap();
    ben.say_finally(channel.1, "I am here").await;
    ada.say_finally(channel.0, "one").await;
    let two = ada.say_finally(channel.0, "two").await;
    ben.catches_up().await;
    let first = ben.at(1).await.id;
    ben.client.mark_read(channel.1, first).await.unwrap();
    assert_eq!(ben.client.tell_now().await, Ok(1));
    ben.catches_up().await;
    ada.catches_up().await;
    let reach = |view: &MessageView| view.reach.map(|reach| (reach.delivered, reach.read));
    assert_eq!(reach(&ada.at(1).await), Some((1, 1)));
    assert_eq!(reach(&ada.sees(two.id).await), Some((1, 0)), "delivered and not read");
    // Ada owes one for what Ben said; hers is the last word about that.
    assert_eq!(ada.client.tell_now().await, Ok(1));
    ada.catches_up().await;
    ben.catches_up().await;
    assert_eq!(ben.client.tell_now().await, Ok(0), "a receipt causes none");
    assert_eq!(ada.client.tell_now().await, Ok(0));
    assert_eq!(world.length(&ada.row(channel.0).await.log()), 5);
    ben.has_read().await;
    assert_eq!(ben.client.tell_now().await, Ok(1), "reading does");
    ada.client.set_receipts(channel.0, false).await.unwrap();
    assert!(!ada.client.manners(channel.0).await.unwrap().receipts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_for_what_comes_behind_it_or_of_another_log_says_nothing() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    ada.say_finally(channel.0, "one").await;
    let mut eve = Stranger::of(&world, &ada, channel.0, 5).await;
    let log = ada.row(channel.0).await.log();
    let mark = |log, count| Watermark {
        log,
        delivered: count,
        read: count,
    };
    for marks in [vec![mark(log, 9)], vec![mark(waxwing_core::keys::LogId([9; 32]), 1)]] {
        eve.says(Kind::Receipt(Receipt::new(marks).unwrap()), nothing_seen(&world));
    }
    ada.catches_up().await;
    let reach = ada.at(0).await.reach.unwrap();
    assert_eq!((reach.others, reach.delivered, reach.read), (1, 0, 0));
    eve.says(
        Kind::Receipt(Receipt::new(vec![mark(log, 1)]).unwrap()),
        nothing_seen(&world),
    );
    ada.catches_up().await;
    let reach = ada.at(0).await.reach.unwrap();
    assert_eq!((reach.delivered, reach.read), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_seen_by_all_when_the_view_of_every_known_member_covers_it() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let alone = ada.say_finally(channel.0, "is anybody here?").await;
    assert_eq!(alone.state, Ladder::Final, "nobody is not all");
    ben.catches_up().await;
    ben.say_finally(channel.1, "I am").await;
    let said = ada.say_finally(channel.0, "good").await;
    assert_eq!(
        ada.sees(alone.id).await.state,
        Ladder::SeenByAll,
        "his words carry his view"
    );
    assert_eq!(ada.sees(said.id).await.state, Ladder::Final);
    let why = ada.client.why(said.id).await.unwrap();
    let seen = why.checks.iter().find(|check| check.check == "seen-by-all").unwrap();
    assert_eq!(seen.result, Finding::NotDone);
    assert!(
        seen.says.contains("0 of 1") && seen.says.contains("who only reads is not counted"),
        "{}",
        seen.says
    );

    let before = ada.client.tail(Some(channel.0), None).await.unwrap().position();
    ben.catches_up().await;
    assert_eq!(ben.client.tell_now().await, Ok(1), "by himself, since there are few");
    ben.catches_up().await;
    ada.catches_up().await;
    assert_eq!(ada.sees(said.id).await.state, Ladder::SeenByAll);
    let why = ada.client.why(said.id).await.unwrap();
    assert_eq!(why.checks.last().unwrap().result, Finding::Holds);
    assert_eq!(why.members.len(), 2);
    let mut tail = ada.client.tail(Some(channel.0), Some(before)).await.unwrap();
    let told = timeout(PATIENCE, tail.next()).await.unwrap().unwrap();
    assert_eq!(
        (told.id, told.state),
        (said.id, Ladder::SeenByAll),
        "and whoever looks is told"
    );
    assert_eq!(
        ada.client.tell_now().await,
        Ok(0),
        "her own words have told what she holds"
    );
    let reach = ada.sees(said.id).await.reach.unwrap();
    assert_eq!(
        (reach.held, reach.delivered, reach.read),
        (1, 0, 0),
        "no receipt was sent"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_eight_members_nobody_tells_unless_it_is_chosen() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let said = ada.say_finally(channel.0, "hello").await;
    let seen = |row: &Channel| View {
        height: row.proven.unwrap().height,
        head: row.proven.unwrap().head,
        length: 1,
        root: row.state.leaf(&world.keys).root,
    };
    let view = seen(&ada.row(channel.0).await);
    for member in 10..17 {
        Stranger::of(&world, &ada, channel.0, member)
            .await
            .says(text("hello"), view);
    }
    ada.catches_up().await;
    assert_eq!(ada.sees(said.id).await.state, Ladder::SeenByAll, "eight with her");
    Stranger::of(&world, &ada, channel.0, 17)
        .await
        .says(text("hello"), view);
    ada.catches_up().await;
    assert_eq!(ada.sees(said.id).await.state, Ladder::Final, "nine");
    assert!(!ada.client.manners(channel.0).await.unwrap().tells_seen);
    assert_eq!(ada.client.tell_now().await, Ok(0));
    ada.client.set_seen(channel.0, Seen::On).await.unwrap();
    assert_eq!(ada.sees(said.id).await.state, Ladder::SeenByAll);
    Stranger::of(&world, &ada, channel.0, 18)
        .await
        .says(text("hello"), nothing_seen(&world));
    ada.catches_up().await;
    assert_eq!(ada.sees(said.id).await.state, Ladder::Final, "one has not");
    assert_eq!(ada.client.tell_now().await, Ok(1));
    ada.client.set_seen(channel.0, Seen::Off).await.unwrap();
    assert!(!ada.client.manners(channel.0).await.unwrap().tells_seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_a_device_left_out_are_shown_as_missing_until_they_come() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    ada.say_finally(channel.0, "hello").await;
    let mut eve = Stranger::of(&world, &ada, channel.0, 5).await;
    let view = nothing_seen(&world);
    let late: Vec<_> = ["one", "two", "three"]
        .iter()
        .map(|words| eve.writes(text(words), view))
        .collect();
    eve.says(text("four"), view);
    ada.catches_up().await;
    let fourth = ada.at(1).await;
    assert_eq!(
        (fourth.missing_before, &fourth.exceptions[..]),
        (3, &[Exception::MissingBefore][..])
    );
    let why = ada.client.why(fourth.id).await.unwrap();
    let counted = why
        .checks
        .iter()
        .find(|check| check.check == "nothing-missing-before")
        .unwrap();
    assert_eq!(counted.result, Finding::Fails);
    world.submit(&late[1]);
    ada.catches_up().await;
    let again = ada.sees(fourth.id).await;
    assert_eq!(again.missing_before, 2);
    assert!(again.change > fourth.change, "whoever looks is told");
    world.submit(&late[0]);
    world.submit(&late[2]);
    ada.catches_up().await;
    let whole = ada.sees(fourth.id).await;
    assert_eq!((whole.missing_before, whole.exceptions), (0, vec![]));
    eve.says(text("five"), view);
    ada.catches_up().await;
    assert_eq!(ada.at(5).await.missing_before, 0);
}

/// A tombstone is shown where it stands: it may well be what is missing, and is no second alarm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_log_and_does_not_open_is_not_missing_as_well() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let first = ada.say_finally(channel.0, "a secret").await;
    ada.client.erase(first.id).await.unwrap();
    ada.catches_up().await;
    ada.say_finally(channel.0, "no secret").await;
    ben.catches_up().await;
    assert_eq!(ben.reads(channel.1).await, ["(Erased)", "no secret"]);
    let view = ben.at(1).await;
    assert_eq!((view.missing_before, view.exceptions), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_not_in_the_own_history_is_shown_with_its_message() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    for number in 0..3 {
        ada.say_finally(channel.0, &format!("message {number}")).await;
    }
    let (sound, other) = (world.header(2).unwrap().id(&world.keys), Hash([9; 32]));
    for (seed, height, head) in [(5, 2, sound), (6, 2, other), (7, 99, sound)] {
        let mut eve = Stranger::of(&world, &ada, channel.0, seed).await;
        eve.says(text("hello"), View::empty_log(height, head));
    }
    ada.catches_up().await;
    ada.catches_up().await;
    let mut exceptions = Vec::new();
    for index in 3..6 {
        exceptions.push(ada.at(index).await.exceptions);
    }
    let differs = vec![Exception::OtherHistory];
    assert_eq!(exceptions, [vec![], differs.clone(), differs]);
    assert!(
        ada.faults(world.network()).await.is_empty(),
        "that is no fault of a node"
    );
    let evidence = ada.client.evidence(world.network()).await.unwrap();
    assert!(evidence.is_empty(), "a member's word alone proves nothing to others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_group_all_are_those_who_are_in_whether_they_write_or_not() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    let [ada, ben, cleo] = &members[..] else {
        panic!("three of them")
    };
    for member in &members {
        member.refresh().await;
    }
    for member in &members {
        let known = member.client().manners(member.channel).await.unwrap().members;
        assert_eq!(known.len(), 3, "from the beginning, for who came last as well");
    }
    let said = ada.person.say_finally(ada.channel, "who has this?").await;
    let reach = said.reach.unwrap();
    assert_eq!((reach.others, reach.held), (2, 0), "known by the group alone");
    for (member, state) in [(ben, Ladder::Final), (cleo, Ladder::SeenByAll)] {
        member.refresh().await;
        assert_eq!(member.client().tell_now().await, Ok(1));
        member.refresh().await;
        ada.refresh().await;
        assert_eq!(ada.person.sees(said.id).await.state, state);
    }
    let other = ada.person.say_finally(ada.channel, "and this?").await;
    ben.refresh().await;
    assert_eq!(ben.client().tell_now().await, Ok(1));
    ben.refresh().await;
    ada.refresh().await;
    assert_eq!(
        ada.person.sees(other.id).await.state,
        Ladder::Final,
        "Cleo has not shown it"
    );
    let account = cleo.client().account().await.unwrap().id;
    ada.client().remove_member(ada.channel, account).await.unwrap();
    while ada.client().group(ada.channel).await.unwrap().unwrap().members.len() > 2 {
        ada.refresh().await;
    }
    assert_eq!(
        ada.person.sees(other.id).await.state,
        Ladder::SeenByAll,
        "she is none of all any more"
    );
    assert_eq!(ada.client().manners(ada.channel).await.unwrap().members.len(), 2);
    // Receipts name the log of an epoch: those of the next one count from its beginning.
    ben.refresh().await;
    ben.client().set_receipts(ben.channel, true).await.unwrap();
    let last = ada.person.say_finally(ada.channel, "in the next epoch").await;
    ben.refresh().await;
    ben.person.has_read().await;
    assert_eq!(ben.client().tell_now().await, Ok(1));
    ben.refresh().await;
    ada.refresh().await;
    let reach = ada.person.sees(last.id).await.reach.unwrap();
    assert_eq!((reach.others, reach.delivered, reach.read), (1, 1, 1));
    assert_eq!(
        ada.person.sees(said.id).await.reach.unwrap().read,
        1,
        "what was before is covered as well"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_runs_tells_by_itself_once_for_everything() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ben.catches_up().await;
    ben.say_finally(channel.1, "I am here").await;
    ben.client.stop();
    ada.catches_up().await;
    for number in 0..5 {
        ada.say_finally(channel.0, &format!("message {number}")).await;
    }
    let mut options = options(ben.home.path());
    options.pace.telling = Duration::from_millis(1);
    let running = Client::open(options).await.unwrap();
    running.start();
    until("Ben has told what he holds", async || {
        ada.at(5).await.state == Ladder::SeenByAll
    })
    .await;
    assert_eq!(ada.at(1).await.state, Ladder::SeenByAll);
    let log = ada.row(channel.0).await.log();
    assert_eq!(world.length(&log), 7, "one entry for five messages");
}
