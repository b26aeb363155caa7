//! People who know each other already: added without a link, asked before they are in; and all their devices with them.

use std::sync::Arc;

use waxwing_core::limits::DAY_MS;
use waxwing_seal::inbox::Uses;

use super::*;
use crate::account::LinkingView;
use crate::conversations::Joined;
use crate::error::Error;
use crate::inbox::{AddError, Adding, Inviting, RequestView};
use crate::limits::{
    KEY_PACKAGE_LIFE_MS, KEY_PACKAGES_KEPT_MS, KEY_PACKAGES_USED_MS, LEAVER_WAIT_MS, WELCOMES_WAITING_MAX,
};
use crate::store::channels::ChannelKind;
use crate::store::inboxes::{AskedState, RequestState};
use crate::store::linkings::LinkingState;
use crate::store::{Side, StoreError, channels, known};

const OPEN: Inviting = Inviting {
    uses: Uses::ONE,
    valid_ms: 7 * DAY_MS,
    asks: false,
};

/// Ada and Ben, who are in one group by a link and can add each other to others.
struct Friends {
    world: Arc<World>,
    _node: TestNode,
    ada: Person,
    ben: Person,
    /// Ada's and Ben's handle for the group that they are in.
    first: (ChannelId, ChannelId),
}

async fn friends() -> Friends {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let hers = ada.client.found_group(world.network(), "plans").await.unwrap();
    let invited = ada.client.invite_to_group(hers, OPEN).await.unwrap();
    ada.client.start();
    ada.client.settle(invited.opening, PATIENCE).await.unwrap();
    let ben = Person::new("Ben").await;
    let Joined::Asked(asked) = ben.client.join(&invited.link).await.unwrap() else {
        panic!("it is an invitation");
    };
    let his = ben.client.answered(asked, PATIENCE).await.unwrap().channel.unwrap();
    for (one, other) in [(&ada, &ben), (&ben, &ada)] {
        until("they can add each other", async || can_add(one, other, &world).await).await;
    }
    Friends {
        world,
        _node: node,
        ada,
        ben,
        first: (hers, his),
    }
}

/// Whether one knows an inbox and keys of the other.
async fn can_add(one: &Person, other: &Person, world: &World) -> bool {
    let (account, network) = (account(other).await, world.network());
    let core = Arc::clone(&one.client.core);
    let door = core.read::<_, StoreError>(move |tx| known::door(tx, account, network));
    door.await.unwrap().is_some() && has_keys(one, other, world).await
}

/// Whether one has read key packages of the other.
async fn has_keys(one: &Person, other: &Person, world: &World) -> bool {
    let (account, network) = (account(other).await, world.network());
    let core = Arc::clone(&one.client.core);
    let keys = core.read::<_, StoreError>(move |tx| {
        let mut found = 0;
        for row in crate::store::cards::of(tx, account, network)? {
            let card = crate::store::cards::fold(tx, &row)?;
            found += card
                .devices()
                .filter(|device| !device.key_packages().is_empty())
                .count();
        }
        Ok(found)
    });
    keys.await.unwrap() > 0
}

async fn account(person: &Person) -> waxwing_seal::identity::AccountId {
    person.client.account().await.unwrap().id
}

/// The invitation into a group of this name, once it is there.
async fn invitation(person: &Person, name: &str) -> RequestView {
    let of = async || {
        let requests = person.client.requests().await.unwrap();
        requests.into_iter().find(|request| {
            let invites = request.invites.as_ref();
            invites.is_some_and(|invites| invites.name.as_deref() == Some(name))
        })
    };
    until("the invitation comes", async || of().await.is_some()).await;
    of().await.unwrap()
}

async fn said(client: &Client, channel: ChannelId) -> Vec<String> {
    let views = client.read(channel, Range::Last(100)).await.unwrap();
    views.into_iter().filter_map(|view| view.text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_known_is_added_without_a_link_and_is_in_once_they_agree() {
    let friends = friends().await;
    let (ada, ben, network) = (&friends.ada, &friends.ben, friends.world.network());
    // Who asked adds who was asked as well as the other way round.
    for (one, other, name) in [(ada, ben, "birds"), (ben, ada, "boats")] {
        let channel = one.client.found_group(network, name).await.unwrap();
        let added = one
            .client
            .add_member(channel, account(other).await, Adding::Missing)
            .await;
        assert_eq!(added, Ok(1));
        let request = invitation(other, name).await;
        assert_eq!(
            (request.account.clone(), request.state, request.channel),
            (account(one).await.to_string(), RequestState::Waiting, None)
        );
        assert_eq!(request.invites.as_ref().unwrap().people, 2);
        let before = other.client.channels().await.unwrap().len();
        other.client.accept_request(request.id).await.unwrap();
        let request = invitation(other, name).await;
        let joined = request.channel.unwrap();
        assert_eq!(request.state, RequestState::LetIn);
        assert_eq!(
            other.client.channels().await.unwrap().len(),
            before + 1,
            "not before they agreed"
        );
        other.say_finally(joined, "here I am").await;
        until("it is read", async || said(&one.client, channel).await == ["here I am"]).await;
        let again = one
            .client
            .add_member(channel, account(other).await, Adding::Missing)
            .await;
        assert_eq!(again, Err(Error::Add(AddError::IsIn)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_that_is_declined_leads_nowhere_and_a_blocked_person_invites_unheard() {
    let friends = friends().await;
    let (ada, ben, network) = (&friends.ada, &friends.ben, friends.world.network());
    let bens = account(ben).await;
    let channel = ada.client.found_group(network, "birds").await.unwrap();
    ada.client.add_member(channel, bens, Adding::Missing).await.unwrap();
    let request = invitation(ben, "birds").await;
    ben.client.decline_request(request.id).await.unwrap();
    let accepted = ben.client.accept_request(request.id).await;
    assert!(accepted.is_err(), "it was answered");
    assert_eq!(invitation(ben, "birds").await.state, RequestState::Declined);

    let contact = ben.client.contacts().await.unwrap()[0].id;
    ben.client.block_contact(contact).await.unwrap();
    let second = ada.client.found_group(network, "boats").await.unwrap();
    ada.client.add_member(second, bens, Adding::Missing).await.unwrap();
    until("she has added him", async || {
        ada.client.group(second).await.unwrap().unwrap().members.len() == 2
    })
    .await;
    until("her welcome is with him", async || {
        ada.client.answers_waiting().await == Ok(0)
    })
    .await;
    ben.say_finally(friends.first.1, "everything was read").await;
    assert_eq!(
        ben.client.requests().await.unwrap().len(),
        1,
        "what was before he blocked her"
    );
    let refused = ben
        .client
        .add_member(friends.first.1, account(ada).await, Adding::Missing)
        .await;
    assert_eq!(refused, Err(Error::Add(AddError::Blocked)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_added_who_never_handed_over_an_inbox_or_whose_keys_cannot_be_used() {
    let friends = friends().await;
    let (ada, ben, network) = (&friends.ada, &friends.ben, friends.world.network());
    let channel = ada.client.found_group(network, "birds").await.unwrap();
    let add = async |whom| ada.client.add_member(channel, whom, Adding::Missing).await;
    let stranger = waxwing_seal::identity::AccountId([9; 32]);
    assert_eq!(add(stranger).await, Err(Error::Add(AddError::NoInbox)));
    let link = ada.client.create_channel(network, "by link").await.unwrap();
    let none = ada.client.add_member(link, account(ben).await, Adding::Missing).await;
    assert_eq!(none, Err(Error::NoGroup));
    // What was offered too long ago adds nobody, and nobody is made to wait for it.
    ada.client
        .clock()
        .shift(i64::try_from(KEY_PACKAGE_LIFE_MS + DAY_MS).unwrap());
    assert_eq!(add(account(ben).await).await, Err(Error::Add(AddError::NoKeys)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_who_welcomes_all_the_time_fills_nothing() {
    let friends = friends().await;
    let (ada, ben, network) = (&friends.ada, &friends.ben, friends.world.network());
    let most = usize::try_from(WELCOMES_WAITING_MAX).unwrap();
    let mut last = None;
    for number in 0..most + 2 {
        let channel = ada
            .client
            .found_group(network, &format!("birds {number}"))
            .await
            .unwrap();
        ada.client
            .add_member(channel, account(ben).await, Adding::Missing)
            .await
            .unwrap();
        last = Some(channel);
    }
    until("all were added", async || {
        ada.client.group(last.unwrap()).await.unwrap().unwrap().members.len() == 2
    })
    .await;
    until("all welcomes are with him", async || {
        ada.client.answers_waiting().await == Ok(0)
    })
    .await;
    until("as many wait as may", async || {
        ben.client.requests().await.unwrap().len() == most
    })
    .await;
    ben.say_finally(friends.first.1, "everything was read").await;
    assert_eq!(ben.client.requests().await.unwrap().len(), most);
}

async fn is(client: &Client, id: i64, state: LinkingState) -> LinkingView {
    client.linking_is(id, &[state], PATIENCE).await.unwrap()
}

/// A second device of somebody's account.
async fn linked(friends: &Friends, person: &Person) -> Person {
    let network = friends.world.network();
    let new = Person::on("laptop", &friends.world, &[&friends._node]).await;
    let (showing, link) = new.client.begin_linking(network, "laptop").await.unwrap();
    let taking = person.client.link_device(&link).await.unwrap();
    let offered = is(&new.client, showing, LinkingState::Offered).await;
    new.client
        .agree_to_link(showing, &offered.offers[0].offer)
        .await
        .unwrap();
    is(&person.client, taking, LinkingState::Done).await;
    is(&new.client, showing, LinkingState::Done).await;
    new.client.start();
    new
}

async fn channel_called(person: &Person, name: &str) -> ChannelId {
    let of = async || {
        let channels = person.client.channels().await.unwrap();
        channels
            .into_iter()
            .find(|channel| channel.name == name)
            .map(|channel| channel.id)
    };
    until("the conversation is there", async || of().await.is_some()).await;
    of().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_device_comes_into_every_group_of_its_account_and_stays_out_once_it_left() {
    let friends = friends().await;
    let (ada, ben, network) = (&friends.ada, &friends.ben, friends.world.network());
    let laptop = linked(&friends, ben).await;
    // Into the group that was there, without anybody's doing anything.
    let there = channel_called(&laptop, "plans").await;
    laptop.say_finally(there, "from my laptop").await;
    until("the others read it", async || {
        said(&ada.client, friends.first.0).await == ["from my laptop"]
            && said(&ben.client, friends.first.1).await == ["from my laptop"]
    })
    .await;
    assert!(
        laptop.client.requests().await.unwrap().is_empty(),
        "nobody is asked about the own account"
    );

    // Into one that a contact adds the account to: one device agrees, and the other is in with it.
    until("Ada sees both devices' keys", async || {
        let contact = ada.client.contacts().await.unwrap()[0].id;
        let keys = ada.client.contact(contact).await.unwrap().keys;
        keys[0].devices.len() == 2
    })
    .await;
    let birds = ada.client.found_group(network, "birds").await.unwrap();
    until("both can be added", async || {
        let added = ada.client.add_member(birds, account(ben).await, Adding::Missing).await;
        added == Ok(2) || ada.client.group(birds).await.unwrap().unwrap().members.len() == 3
    })
    .await;
    let request = invitation(ben, "birds").await;
    assert_eq!(laptop.client.channels().await.unwrap().len(), 1, "neither is in before");
    ben.client.accept_request(request.id).await.unwrap();
    let there = channel_called(&laptop, "birds").await;
    laptop.say_finally(there, "both of us").await;
    until("Ada reads it", async || {
        said(&ada.client, birds).await == ["both of us"]
    })
    .await;

    laptop.client.leave_group(there).await.unwrap();
    let is_leaving = async |person: &Person, channel| {
        let group = person.client.group(channel).await.unwrap().unwrap();
        group.members.iter().any(|member| member.leaving) || group.members.len() == 2
    };
    until("Ada sees it leaving", async || is_leaving(ada, birds).await).await;
    // Members wait a random while, lest all of them commit at once.
    shift(ada, LEAVER_WAIT_MS);
    until("it is out", async || {
        let _ = ada.client.refresh().await;
        laptop.client.group(there).await.unwrap().unwrap().standing == "removed"
    })
    .await;
    ben.say_finally(friends.first.1, "some time passes").await;
    ben.client.refresh().await.unwrap();
    assert_eq!(ada.client.group(birds).await.unwrap().unwrap().members.len(), 2);
}

/// How many private keys of key packages a home holds.
async fn secrets(person: &Person) -> i64 {
    let core = Arc::clone(&person.client.core);
    core.read::<_, StoreError>(|tx| {
        let sql = "SELECT count(*) FROM openmls_key_packages";
        Ok(tx.query_row(sql, [], |row| row.get(0))?)
    })
    .await
    .unwrap()
}

/// How many of them went out with a request and are still kept.
async fn handed_out(person: &Person) -> i64 {
    let core = Arc::clone(&person.client.core);
    core.read::<_, StoreError>(|tx| Ok(tx.query_row("SELECT count(*) FROM spent_key", [], |row| row.get(0))?))
        .await
        .unwrap()
}

fn shift(person: &Person, by: u64) {
    person.client.clock().shift(i64::try_from(by).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_packages_that_were_used_are_rotated_and_no_secret_of_one_stays() {
    let friends = friends().await;
    let (ada, ben, network) = (&friends.ada, &friends.ben, friends.world.network());
    // What went out with his request is answered and gone: what is on his card is left.
    until("one is left", async || secrets(ben).await == 1).await;
    let number = async || ben.client.devices(network).await.unwrap();
    assert_eq!(number().await.devices[0].key_packages, 1);
    let channel = ada.client.found_group(network, "birds").await.unwrap();
    ada.client
        .add_member(channel, account(ben).await, Adding::Missing)
        .await
        .unwrap();
    let request = invitation(ben, "birds").await;
    // He saw it used: soon others take its place, and who used it meanwhile is still understood.
    shift(ben, KEY_PACKAGES_USED_MS + 1);
    until("others took its place", async || {
        ben.client.refresh().await.unwrap();
        secrets(ben).await == 2
    })
    .await;
    ben.client.accept_request(request.id).await.unwrap();
    assert_eq!(invitation(ben, "birds").await.state, RequestState::LetIn);
    until("the card has them", async || {
        let settled = ben.client.settle_account(network, PATIENCE).await;
        settled.is_ok()
    })
    .await;
    shift(ben, KEY_PACKAGES_KEPT_MS);
    until("the old secrets went", async || {
        ben.client.refresh().await.unwrap();
        let core = Arc::clone(&ben.client.core);
        let now = ben.client.clock().now();
        let oldest = core.read::<_, StoreError>(|tx| {
            let sql = "SELECT coalesce(min(made), 0) FROM offered";
            Ok(tx.query_row(sql, [], |row| row.get::<_, u64>(0))?)
        });
        now - oldest.await.unwrap() <= KEY_PACKAGES_KEPT_MS + KEY_PACKAGES_USED_MS && secrets(ben).await <= 2
    })
    .await;
}

/// How many inboxes of invitations somebody follows.
async fn followed(person: &Person, world: &World) -> usize {
    let core = Arc::clone(&person.client.core);
    let network = world.network();
    let all = core.read::<_, StoreError>(move |tx| {
        let mut count = 0;
        for row in channels::on(tx, network)? {
            let is_invitation = crate::store::inboxes::inbox(tx, row.id)?.is_some();
            count += usize::from(row.kind == ChannelKind::Inbox && is_invitation);
        }
        Ok(count)
    });
    all.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inboxes_are_not_followed_beyond_their_end_and_requests_have_one() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let hers = ada.client.found_group(world.network(), "plans").await.unwrap();
    let once = ada.client.invite_to_group(hers, OPEN).await.unwrap();
    let never = Inviting { valid_ms: 500, ..OPEN };
    let unused = ada.client.invite_to_group(hers, never).await.unwrap();
    ada.client.start();
    ada.client.settle(once.opening, PATIENCE).await.unwrap();
    ada.client.settle(unused.opening, PATIENCE).await.unwrap();
    until("what expired is left", async || {
        world.order();
        ada.client.refresh().await.unwrap();
        followed(&ada, &world).await == 1
    })
    .await;
    let ben = Person::new("Ben").await;
    let Joined::Asked(asked) = ben.client.join(&once.link).await.unwrap() else {
        panic!("it is an invitation");
    };
    ben.client.answered(asked, PATIENCE).await.unwrap();
    until("what was used is left", async || followed(&ada, &world).await == 0).await;

    // A request that nobody answers ends.
    let cleo = Person::new("Cleo").await;
    let Joined::Asked(asked) = cleo.client.join(&once.link).await.unwrap() else {
        panic!("it is an invitation");
    };
    cleo.client.start();
    until("she has asked", async || {
        cleo.client.asked().await.unwrap()[0].state == AskedState::Asked
    })
    .await;
    assert_eq!(handed_out(&cleo).await, 1);
    // In two steps, so that the head she holds is never too old to start from.
    for _ in 0..2 {
        world.clock.shift(i64::try_from(16 * DAY_MS).unwrap());
        shift(&cleo, 16 * DAY_MS);
        world.order();
        until("she follows", async || cleo.client.refresh().await.is_ok()).await;
    }
    until("it is given up", async || {
        let _ = cleo.client.refresh().await;
        cleo.client.asked().await.unwrap()[0].state == AskedState::Failed
    })
    .await;
    until("its key is gone", async || {
        let _ = cleo.client.refresh().await;
        handed_out(&cleo).await == 0
    })
    .await;
    assert!(cleo.client.answered(asked, PATIENCE).await.unwrap().reason.is_some());
}

/// Everything that writes while a contact is added and agrees.
async fn coming_in(ada: &Client, ben: &Client, channel: ChannelId) -> Result<(), Error> {
    let bens = ben.account().await?.id;
    match ada.add_member(channel, bens, Adding::Missing).await {
        Ok(_) | Err(Error::Add(AddError::IsIn)) => {}
        Err(error) => return Err(error),
    }
    for _ in 0..3 {
        ada.refresh().await?;
        ben.refresh().await?;
    }
    for request in ben.requests().await? {
        if request.invites.is_some() && request.state == RequestState::Waiting {
            ben.accept_request(request.id).await?;
        }
    }
    Ok(())
}

/// The contact was asked once and is in when both go on, and what he says is heard once.
async fn is_added_all_the_same(ada: &Client, ben: &Client, channel: ChannelId, what: &str) {
    coming_in(ada, ben, channel).await.unwrap();
    let requests = ben.requests().await.unwrap();
    let invited: Vec<_> = requests.iter().filter(|request| request.invites.is_some()).collect();
    assert_eq!(invited.len(), 1, "{what}");
    assert_eq!(invited[0].state, RequestState::LetIn, "{what}");
    let his = invited[0].channel.unwrap();
    let message = ben.send(his, Draft::text("in").unwrap()).await.unwrap();
    for _ in 0..3 {
        ben.refresh().await.unwrap();
        ada.refresh().await.unwrap();
    }
    assert_eq!(ben.message(message).await.unwrap().state, Ladder::Final, "{what}");
    assert_eq!(said(ada, channel).await, ["in"], "{what}");
}

/// The power goes at each commit of one of the two in turn, while a contact is added and agrees. Between two commits things
/// are submitted: before one of them is not after the one before it.
async fn crash_while_adding(who: usize, side: Side) {
    for number in 1.. {
        let friends = friends().await;
        let network = friends.world.network();
        // From here on nothing happens but by the test's word.
        let (ada, ben) = (friends.ada.again().await, friends.ben.again().await);
        drop((friends.ada.client, friends.ben.client));
        let channel = ada.found_group(network, "birds").await.unwrap();
        let victim = if who == 0 { &ada } else { &ben };
        victim.core.store().fuse.set(number, side);
        let outcome = coming_in(&ada, &ben, channel).await;
        let is_burnt = victim.core.store().fuse.is_burnt();
        if !is_burnt {
            outcome.unwrap();
            assert!(number > 3, "there are several boundaries, not {number}");
            return;
        }
        let adas = Client::open(options(friends.ada.home.path())).await.unwrap();
        let bens = Client::open(options(friends.ben.home.path())).await.unwrap();
        is_added_all_the_same(&adas, &bens, channel, &format!("{who} {side:?} {number}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_any_commit_of_who_adds_a_contact_changes_nothing() {
    crash_while_adding(0, Side::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_commit_of_who_adds_a_contact_changes_nothing() {
    crash_while_adding(0, Side::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_any_commit_of_a_contact_who_agrees_changes_nothing() {
    crash_while_adding(1, Side::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_commit_of_a_contact_who_agrees_changes_nothing() {
    crash_while_adding(1, Side::After).await;
}
