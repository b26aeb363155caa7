//! People in conversations: what became of their keys, who is blocked, whom a name means.

use waxwing_seal::identity::statement::Standing;
use waxwing_seal::inbox::Uses;

use super::*;
use crate::account::ContactId;
use crate::account::contacts::see_keys;
use crate::conversations::Joined;
use crate::inbox::Inviting;
use crate::message::Exception;
use crate::store::contacts as rows;
use crate::why::Finding;

/// Two who met in a group by an invitation, so that each reads the other's card.
struct Met {
    _world: std::sync::Arc<World>,
    _node: TestNode,
    network: Hash,
    ada: Person,
    ben: Person,
    channels: (ChannelId, ChannelId),
    /// Ben in Ada's home.
    of_ben: ContactId,
}

async fn met() -> Met {
    let world = World::new("test");
    let (node, network) = (TestNode::honest(&world), world.network());
    let ada = Person::on("Ada", &world, &[&node]).await;
    let channel = ada.client.found_group(network, "plans").await.unwrap();
    let inviting = Inviting {
        uses: Uses::ONE,
        valid_ms: waxwing_core::limits::DAY_MS,
        asks: false,
    };
    let invited = ada.client.invite_to_group(channel, inviting).await.unwrap();
    ada.client.start();
    ada.client.settle(invited.opening, PATIENCE).await.unwrap();
    let ben = Person::on("Ben", &world, &[&node]).await;
    let Joined::Asked(asked) = ben.client.join_with(&invited.link, "").await.unwrap() else {
        panic!("a link to a group is asked by");
    };
    ben.client.answered(asked, PATIENCE).await.unwrap();
    ben.client.settle_account(network, PATIENCE).await.unwrap();
    ada.client.stop();
    ben.client.stop();
    let joined = ben.client.channels().await.unwrap()[0].id;
    let of_ben = ada.client.contacts().await.unwrap()[0].id;
    until("Ada reads Ben's card", || async {
        ada.client.refresh().await.unwrap();
        !ada.client.contact(of_ben).await.unwrap().keys.is_empty()
    })
    .await;
    Met {
        _world: world,
        _node: node,
        network,
        ada,
        ben,
        channels: (channel, joined),
        of_ben,
    }
}

impl Met {
    /// Ben says something, and Ada has it.
    async fn ben_says(&self, words: &str) {
        self.ben.say_finally(self.channels.1, words).await;
        until("Ada reads it", || async {
            self.ada.client.refresh().await.unwrap();
            let read = self.ada.client.read_with_blocked(self.channels.0, Range::Last(9)).await;
            read.unwrap().iter().any(|view| view.text.as_deref() == Some(words))
        })
        .await;
    }

    async fn reads(&self) -> Vec<MessageView> {
        self.ada.client.read(self.channels.0, Range::Last(50)).await.unwrap()
    }

    /// Ada sees Ben's card with his device in this standing, or without it.
    fn sees(&self, standing: Option<Standing>) {
        let (of_ben, network) = (self.of_ben, self.network);
        let store = self.ada.client.core.store();
        let seen = store.write(|tx| {
            let mut keys = rows::keys_on(tx, of_ben, network)?.unwrap().noted;
            match standing {
                Some(standing) => keys.devices.values_mut().for_each(|device| device.standing = standing),
                None => keys.devices.clear(),
            }
            see_keys(tx, of_ben, network, keys, 5)
        });
        seen.unwrap();
    }
}

fn sentences(views: &[MessageView]) -> Vec<String> {
    let events = views.iter().filter_map(|view| view.event.as_ref());
    let news = events.flat_map(|event| event.keys.iter().map(|news| news.sentence.clone()));
    news.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_of_keys_stands_in_the_conversation_where_it_was_noticed() {
    let met = met().await;
    let ada = &met.ada.client;
    met.ben_says("before").await;
    assert_eq!(
        sentences(&met.reads().await),
        Vec::<String>::new(),
        "met, and nothing changed"
    );
    ada.note_compared(met.of_ben).await.unwrap();
    let mut tail = ada.tail(Some(met.channels.0), None).await.unwrap();
    met.sees(None);
    let change = tail.next_change().await.unwrap().message;
    assert_eq!(
        (sentences(core::slice::from_ref(&change)).len(), change.log_index),
        (1, None),
        "told at once"
    );
    let account = met.ben.client.account().await.unwrap().id.to_string();
    let event = change.event.unwrap();
    assert!(event.keys[0].breaks && event.names[&account] == "Ben");

    met.ben_says("after").await;
    let views = met.reads().await;
    let place = |holds: &dyn Fn(&MessageView) -> bool| views.iter().position(holds).unwrap();
    let (before, after) = (
        place(&|view| view.text.as_deref() == Some("before")),
        place(&|view| view.text.as_deref() == Some("after")),
    );
    let line = place(&|view| view.beside.is_some());
    assert!(before < line && line < after, "{before} {line} {after}");
    // In pieces it stands once as well, whichever way they are cut.
    let index = views[after].log_index.unwrap();
    let older = ada.read(met.channels.0, Range::Before(index, 50)).await.unwrap();
    let newer = ada.read(met.channels.0, Range::From(index, 50)).await.unwrap();
    assert_eq!((sentences(&older).len(), sentences(&newer).len()), (0, 1));
    let waiting = ada.channels().await.unwrap()[0].waiting;
    assert_eq!(waiting, 0, "it is not on its way anywhere");

    // Behind the message, and in the way of what Ada would say.
    assert_eq!(
        views[after].exceptions,
        [Exception::KeyChanged, Exception::DeviceUnknown]
    );
    let why = ada.why(views[after].id).await.unwrap();
    let finding = |name| why.checks.iter().find(|check| check.check == name).unwrap().result;
    assert_eq!(
        (finding("device-on-card"), finding("person")),
        (Finding::Fails, Finding::Fails)
    );
    let refused = ada.send(met.channels.0, Draft::text("hello").unwrap()).await.err();
    assert_eq!(refused, Some(crate::account::ContactError::KeysChanged.into()));
    ada.go_on_without_comparing(met.of_ben).await.unwrap();
    ada.send(met.channels.0, Draft::text("hello").unwrap()).await.unwrap();
    assert_eq!(met.reads().await[after].exceptions, [Exception::DeviceUnknown]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_a_device_was_put_out_is_not_doubted() {
    let met = met().await;
    met.ben_says("while it was his").await;
    let exceptions = |views: Vec<MessageView>| views.last().unwrap().exceptions.clone();
    assert_eq!(exceptions(met.reads().await), []);
    let own = met.ben.client.account().await.unwrap();
    let words = met.ben.client.phrase().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let new = Client::recover(options(folder.path()), "Ben", CHEAP, words)
        .await
        .unwrap();
    new.add_network(&met._world.genesis, &[met._node.address()])
        .await
        .unwrap();
    until("the new device is there", || async {
        new.refresh().await.unwrap();
        let devices = new.devices(met.network).await.unwrap();
        devices.devices.len() == 2 && !devices.waiting
    })
    .await;
    until("the new device may speak", || async {
        new.refresh().await.unwrap();
        new.revoke_device(met.network, own.device, None).await.is_ok()
    })
    .await;
    until("Ada sees it", || async {
        new.refresh().await.unwrap();
        met.ada.client.refresh().await.unwrap();
        let keys = met.ada.client.contact(met.of_ben).await.unwrap().keys;
        keys[0].devices.iter().any(|device| device.standing == "revoked")
    })
    .await;
    let views = met.reads().await;
    let said = views.iter().find(|view| view.text.is_some()).unwrap();
    assert_eq!(said.exceptions, [], "it was ordered before");
    assert!(sentences(&views).iter().any(|says| says.contains("revoked")));
    met.ben_says("now it is somebody's").await;
    let views = met.reads().await;
    let said = views.iter().rfind(|view| view.text.is_some()).unwrap();
    assert_eq!(said.exceptions, [Exception::DeviceUnknown]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_blocked_person_says_is_there_and_not_shown_until_it_is_asked_for() {
    let met = met().await;
    let ada = &met.ada.client;
    met.ben_says("before anything").await;
    assert_eq!(ada.channels().await.unwrap()[0].unread, 1);
    let own = met.ada.say_finally(met.channels.0, "what I say").await;
    ada.block_contact(met.of_ben).await.unwrap();
    assert_eq!(ada.channels().await.unwrap()[0].unread, 0, "it waits for nobody");
    let mut tail = ada.tail(Some(met.channels.0), None).await.unwrap();
    met.ben_says("the seaside").await;
    let told = tail.next().await.unwrap();
    assert!(told.blocked && told.text.is_none() && told.author.is_some());
    assert_eq!(ada.channels().await.unwrap()[0].unread, 0);
    met.ben.client.refresh().await.unwrap();
    let target = met.ben.client.read(met.channels.1, Range::Last(9)).await.unwrap();
    let target = target
        .iter()
        .find(|view| view.text.as_deref() == Some("what I say"))
        .unwrap();
    let reaction = met.ben.client.react(target.id, "🙈").await.unwrap();
    met.ben.client.settle(reaction, PATIENCE).await.unwrap();
    ada.refresh().await.unwrap();
    let views = met.reads().await;
    let hidden = views.iter().filter(|view| view.blocked).count();
    assert_eq!(hidden, 2);
    assert!(views.iter().all(|view| !view.blocked || view.text.is_none()));
    let of_own = |views: &[MessageView]| views.iter().find(|view| view.id == own.id).unwrap().reactions.len();
    assert_eq!(of_own(&views), 0);
    let query = crate::search::Query {
        words: vec!["seaside".to_owned()],
        channel: None,
        most: 9,
    };
    assert_eq!(ada.search(query.clone()).await.unwrap().len(), 0);
    assert!(ada.message(told.id).await.unwrap().text.is_none());
    assert_eq!(
        ada.message_with_blocked(told.id).await.unwrap().text.as_deref(),
        Some("the seaside")
    );
    let open = ada.read_with_blocked(met.channels.0, Range::Last(50)).await.unwrap();
    assert!(
        open.iter()
            .any(|view| view.blocked && view.text.as_deref() == Some("the seaside"))
    );
    ada.unblock_contact(met.of_ben).await.unwrap();
    let views = met.reads().await;
    assert!(views.iter().all(|view| !view.blocked) && of_own(&views) == 1);
    assert_eq!(ada.search(query).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_in_a_group_means_the_person() {
    let met = met().await;
    met.ben_says("hello").await;
    let said = met.ada.say_finally(met.channels.0, "hi @ben").await;
    let ben = met.ben.client.account().await.unwrap().id.to_string();
    assert_eq!(
        (said.mentions[0].account.as_deref(), said.mentions[0].device.as_deref()),
        (Some(ben.as_str()), None)
    );
    assert_eq!(said.mentions[0].name.as_deref(), Some("Ben"));
    until("Ben is meant", || async {
        met.ben.client.refresh().await.unwrap();
        met.ben.client.channels().await.unwrap()[0].mentioned == 1
    })
    .await;
}
