//! What the screen asks of groups: an invitation, who is in, an answer that takes its time.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use waxwing_core::Hash;
use waxwing_core::limits::DAY_MS;
use waxwing_light::{AskedState, ChannelId, Client, ContactId, ContactView, Error, Inviting, Joined};
use waxwing_seal::display::display_safe_name;
use waxwing_seal::identity::AccountId;
use waxwing_seal::inbox::Uses;
use zeroize::Zeroizing;

use super::model::{Effect, Event, GroupChange};
use super::person::Person;
use crate::chat::groups::who;
use crate::ids;
use crate::output::Tone;

/// For how long a link from the screen lets somebody in.
const VALID_MS: u64 = 7 * DAY_MS;

/// An answer may take as long as somebody sleeps; with the next start of the client the waiting goes on by itself.
const ANSWER_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The screen cannot open what is not there yet.
const ASKED: &str = "asked to be let in: the channel opens here once somebody has answered";

/// Does what the screen wants of groups.
pub(super) async fn done(client: &Client, effect: Effect, events: &Sender<Event>) -> Result<Option<Event>, Error> {
    let event = match effect {
        Effect::Invite(channel) => Event::Invited(channel, invite(client, channel).await?),
        Effect::Join(link) => join(client, &link, events).await?,
        Effect::Members(channel) => members(client, channel).await?,
        Effect::Requests => Event::Requests(client.requests().await?),
        Effect::Accept(request) => answer(client, client.accept_request(request)).await?,
        Effect::Decline(request) => answer(client, client.decline_request(request)).await?,
        Effect::Contacts => Event::Contacts(client.contacts().await?),
        effect => return about(client, effect).await,
    };
    Ok(Some(event))
}

/// Answers a request, and lists all of them anew.
async fn answer(client: &Client, answered: impl Future<Output = Result<(), Error>>) -> Result<Event, Error> {
    answered.await?;
    Ok(Event::Requests(client.requests().await?))
}

/// What is done about one person, or one channel.
async fn about(client: &Client, effect: Effect) -> Result<Option<Event>, Error> {
    let event = match effect {
        Effect::Person(channel, account) => Event::Person(Box::new(person(client, channel, &account).await?)),
        Effect::Compared(contact, matches) => compared(client, contact, matches).await?,
        Effect::Block(contact, is_blocked) => blocked(client, contact, is_blocked).await?,
        Effect::Group(channel, wanted) => changed(client, channel, &wanted).await?,
        Effect::Found(network, name) => Event::Joined(found(client, &network, &name).await?),
        Effect::Manners(channel) => manners(client, channel).await?,
        effect => return choose(client, effect).await,
    };
    Ok(Some(event))
}

/// Chooses how a channel is used; how it is used then is shown.
async fn choose(client: &Client, effect: Effect) -> Result<Option<Event>, Error> {
    let channel = match effect {
        Effect::Receipts(channel, has) => client.set_receipts(channel, has).await.map(|()| channel),
        Effect::SeenBy(channel, seen) => client.set_seen(channel, seen).await.map(|()| channel),
        Effect::Timer(channel, keep_for) => client.set_timer(channel, keep_for).await.map(|_| channel),
        _ => return Ok(None),
    };
    Ok(Some(manners(client, channel?).await?))
}

async fn manners(client: &Client, channel: ChannelId) -> Result<Event, Error> {
    Ok(Event::Manners(channel, Box::new(client.manners(channel).await?)))
}

/// The contact of an account; somebody who is met here for the first time becomes one.
pub(super) async fn contact(client: &Client, account: &str) -> Result<ContactId, Error> {
    let contacts = client.contacts().await?;
    if let Some(known) = contacts.iter().find(|contact| contact.account == account) {
        return Ok(known.id);
    }
    client.add_contact(account_id(account)?, "").await
}

fn account_id(hex: &str) -> Result<AccountId, Error> {
    ids::hex_32(hex).map(AccountId).ok_or(Error::NoGroup)
}

/// Somebody, and what is compared with them on the ledger of a channel.
pub(super) async fn person(client: &Client, channel: ChannelId, account: &str) -> Result<Person, Error> {
    let id = contact(client, account).await?;
    let channels = client.channels().await?;
    let channel = channels.iter().find(|known| known.id == channel);
    let network = channel.and_then(|channel| ids::hex_32(&channel.network));
    let number = client
        .safety_number(id, Hash(network.ok_or(Error::UnknownChannel)?))
        .await?;
    let pictures = |emoji: [waxwing_seal::identity::emoji::Emoji; 3]| emoji.map(|one| one.picture()).concat();
    Ok(Person {
        detail: client.contact(id).await?,
        digits: number.digits().split(' ').map(str::to_owned).collect(),
        emoji: number.emoji().into_iter().map(pictures).collect(),
        code: ids::hex(&number.code()).to_uppercase(),
    })
}

async fn called(client: &Client, contact: ContactId) -> Result<ContactView, Error> {
    Ok(client.contact(contact).await?.contact)
}

/// Notes what two people saw.
pub(super) async fn compared(client: &Client, contact: ContactId, matches: bool) -> Result<Event, Error> {
    if matches {
        client.note_compared(contact).await?;
        let name = display_safe_name(&called(client, contact).await?.name);
        return Ok(Event::Told(Tone::Good, format!("{name} matches: noted as compared")));
    }
    client.go_on_without_comparing(contact).await?;
    let name = display_safe_name(&called(client, contact).await?.name);
    Ok(Event::Told(Tone::Bad, format!("{name} counts as compared no longer")))
}

pub(super) async fn blocked(client: &Client, contact: ContactId, is_blocked: bool) -> Result<Event, Error> {
    if is_blocked {
        client.block_contact(contact).await?;
    } else {
        client.unblock_contact(contact).await?;
    }
    let name = display_safe_name(&called(client, contact).await?.name);
    let says = if is_blocked { "is blocked" } else { "is blocked no more" };
    Ok(Event::Told(Tone::Good, format!("{name} {says}, on this device")))
}

/// Asks for a change of a group; the ledger orders it, and it is told as a sentence between the messages.
pub(super) async fn changed(client: &Client, channel: ChannelId, wanted: &GroupChange) -> Result<Event, Error> {
    match wanted {
        GroupChange::Remove(account) => client.remove_member(channel, account_id(account)?).await?,
        GroupChange::Appoint(account, is_admin) => {
            client.appoint(channel, account_id(account)?, *is_admin).await?;
        }
        GroupChange::Rename(name) => client.rename_group(channel, name).await?,
        GroupChange::Leave => client.leave_group(channel).await?,
    }
    Ok(Event::Told(
        Tone::Faint,
        "asked for: it is done as soon as the ledger has it".to_owned(),
    ))
}

/// Founds a channel; two of one name could not be told apart.
pub(super) async fn found(client: &Client, network: &str, name: &str) -> Result<ChannelId, Error> {
    let channels = client.channels().await?;
    if let Some(known) = channels.iter().find(|channel| channel.name == name) {
        return Ok(known.id);
    }
    let network = ids::hex_32(network).map(Hash).ok_or(Error::UnknownChannel)?;
    client.found_group(network, name).await
}

/// Joins by a link; where somebody has to answer first, says so, and waits.
async fn join(client: &Client, link: &str, events: &Sender<Event>) -> Result<Event, Error> {
    match client.join(link).await? {
        Joined::New(channel) | Joined::Known(channel) => Ok(Event::Joined(channel)),
        Joined::Asked(asked) => {
            // A screen that is gone wants no answer.
            let _ = events.send(Event::Told(Tone::Faint, ASKED.to_owned())).await;
            answered(client, asked).await
        }
    }
}

/// A link that lets one person in; of a channel by link, its own.
pub(super) async fn invite(client: &Client, channel: ChannelId) -> Result<Zeroizing<String>, Error> {
    if client.group(channel).await?.is_none() {
        return client.invite(channel).await;
    }
    let inviting = Inviting {
        uses: Uses::ONE,
        valid_ms: VALID_MS,
        asks: false,
    };
    Ok(client.invite_to_group(channel, inviting).await?.link)
}

/// Who is in a channel.
async fn members(client: &Client, channel: ChannelId) -> Result<Event, Error> {
    let group = client.group(channel).await?.ok_or(Error::NoGroup)?;
    let people = who::people(&group, &client.contacts().await?);
    Ok(Event::Members(channel, Box::new(group), people))
}

/// Waits until a request is answered.
async fn answered(client: &Client, asked: i64) -> Result<Event, Error> {
    let view = client.answered(asked, ANSWER_WAIT).await?;
    Ok(match (view.state, view.channel) {
        (AskedState::Joined, Some(channel)) => Event::Joined(channel),
        _ => {
            let reason = view.reason.unwrap_or_else(|| "no reason was given".to_owned());
            Event::Told(Tone::Bad, format!("not let in: {reason}"))
        }
    })
}
