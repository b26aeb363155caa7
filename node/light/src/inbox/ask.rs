//! Asking to be let in, by a link; and the answer.

use waxwing_core::codec::Encode;
use waxwing_core::envelope::KeepFor;
use waxwing_seal::content::Name;
use waxwing_seal::group::Welcome;
use waxwing_seal::identity::statement::KeyPackage;
use waxwing_seal::inbox::{Asking, Note, OpenInbox, PersonLink, Purpose, Reason, WholeWelcome};

use super::post;
use crate::error::{AskError, Error};
use crate::limits::KEY_PACKAGE_LIFE_MS;
use crate::message::ChannelId;
use crate::store::channels::{Channel, ChannelKind, New, NotAdded};
use crate::store::inboxes::{self, Asked, AskedState};
use crate::store::known::{self, Spent};
use crate::store::{self, StoreError, Transaction, channels};
use crate::{account, chance, groups};

/// How long nodes keep a request or an answer: whoever is away for longer asks again.
pub(super) const KEPT: KeepFor = KeepFor::Month;

/// Notes that this device wants to be let in by a link; what it leads to is read next. Asked before by the same link, it is
/// the same request.
pub(super) fn begin(tx: &Transaction<'_>, link: &PersonLink, note: &str, now: u64) -> Result<i64, Error> {
    let door = link.door();
    let seed = door.keys().log_key().seed();
    let new = New {
        kind: ChannelKind::Post,
        network: link.network,
        log: door.log(),
        secret: &waxwing_seal::ChannelSecret::from_bytes(*seed),
        name: "",
        engine: &[],
    };
    Note::new(note)?;
    let channel = match channels::insert_any(tx, &new, now)? {
        Ok(channel) => channel,
        Err(NotAdded::TooMany) => return Err(Error::TooManyChannels),
        Err(NotAdded::Known(channel)) => {
            let before = inboxes::asked_at(tx, channel)?;
            return before.map(|asked| asked.id).ok_or(Error::Ask(AskError::OwnInvitation));
        }
    };
    if account::is_awaited(tx, link.network)? {
        // Who asks shows a certificate: the log is looked into once there is one.
        channels::set_live(tx, channel, false)?;
    }
    let text = link.link();
    Ok(inboxes::insert_asked(
        tx,
        (link.network, channel, link.account),
        (&text, note),
        now,
    )?)
}

/// The opening was found: asks, and makes the inbox that the answer will come to.
pub(super) fn ask(
    tx: &Transaction<'_>,
    door: &Channel,
    asked: &Asked,
    open: &OpenInbox,
    now: u64,
) -> Result<(), StoreError> {
    match try_to_ask(tx, door, asked, open, now) {
        Ok(()) => Ok(()),
        Err(Error::Store(error)) => Err(error),
        Err(error) => inboxes::is_over(tx, asked.id, AskedState::Failed, &error.to_string()),
    }
}

fn try_to_ask(tx: &Transaction<'_>, door: &Channel, asked: &Asked, open: &OpenInbox, now: u64) -> Result<(), Error> {
    let terms = &open.opening().terms;
    let network = door.network;
    if terms.expires_ms <= now {
        return Err(Error::Ask(AskError::InvitationOver));
    }
    let myself = account::myself(tx, network, now)?;
    if myself.member().account == asked.account {
        return Err(Error::Ask(AskError::OwnInvitation));
    }
    let (_, name) = store::device(tx)?;
    let offered = groups::offer(tx, network, now)?;
    let asking = Asking {
        name: Name::new(name)?,
        note: Note::new(asked.note.as_str())?,
        key_package: KeyPackage::new(offered.clone()).ok_or(StoreError::Damaged)?,
        card: account::cards::own_address(tx, network, now)?,
    };
    let (mail, inbox) = open
        .ask(&myself, asking, KEPT, &mut chance::fill)
        .map_err(Error::Post)?;
    let seed = inbox.keys().log_key().seed();
    let new = New {
        kind: ChannelKind::Inbox,
        network,
        log: inbox.log(),
        secret: &waxwing_seal::ChannelSecret::from_bytes(*seed),
        name: "",
        engine: &inbox.to_bytes(),
    };
    let answer = channels::insert_any(tx, &new, now)?.map_err(|_| Error::TooManyChannels)?;
    known::insert_inbox(tx, answer, (asked.account, network))?;
    let spent = Spent {
        inbox: answer,
        network,
        made: now,
        bytes: offered,
    };
    known::insert_spent(tx, &spent, now.saturating_add(KEY_PACKAGE_LIFE_MS))?;
    post::queue(tx, door, &mail.sealed, now)?;
    let called = match &terms.purpose {
        Purpose::Contact => terms.name.as_str(),
        Purpose::Channel(name) => name.as_str(),
    };
    inboxes::is_asked(tx, asked.id, answer, called)?;
    account::contacts::meet(
        tx,
        asked.account,
        terms.name.as_str(),
        account::contacts::Consent::Given,
        now,
    )?;
    if let Some(card) = &terms.card {
        account::cards::follow_contact(tx, network, asked.account, card, now)?;
    }
    Ok(())
}

/// The answer is yes.
pub(super) fn welcomed(
    tx: &mut Transaction<'_>,
    inbox: &Channel,
    asked: &Asked,
    whole: &WholeWelcome,
    now: u64,
) -> Result<(), StoreError> {
    let savepoint = tx.savepoint()?;
    let joined = join(&savepoint, inbox, asked, &whole.welcome, now);
    // Whatever came of it: the key package went out with this request alone.
    match joined {
        Ok(channel) => {
            savepoint.commit()?;
            call_by_person(tx, channel, asked)?;
            known::spend(tx, inbox.id, now)?;
            inboxes::is_joined(tx, asked.id, channel)?;
            inboxes::is_answered_elsewhere(tx, asked)
        }
        Err(Error::Store(error)) => Err(error),
        Err(error) => {
            drop(savepoint);
            known::spend(tx, inbox.id, now)?;
            inboxes::is_over(tx, asked.id, AskedState::Failed, &error.to_string())
        }
    }
}

/// A conversation of two has no name of its own: here it is called after the one who was asked.
fn call_by_person(tx: &Transaction<'_>, channel: ChannelId, asked: &Asked) -> Result<(), StoreError> {
    let row = channels::load(tx, channel)?.ok_or(StoreError::Damaged)?;
    match &asked.name {
        Some(name) if row.name == groups::NAMELESS => channels::rename(tx, channel, name),
        _ => Ok(()),
    }
}

fn join(
    connection: &rusqlite::Connection,
    inbox: &Channel,
    asked: &Asked,
    welcome: &Welcome,
    now: u64,
) -> Result<ChannelId, Error> {
    let (channel, by) = groups::join(connection, inbox.network, welcome, now)?;
    // Whoever was asked lets in, and nobody whom the link went through.
    if by.account == asked.account {
        Ok(channel)
    } else {
        Err(Error::Ask(AskError::WelcomedByAnother))
    }
}

/// The answer is no.
pub(super) fn declined(tx: &Transaction<'_>, inbox: &Channel, reason: Reason, now: u64) -> Result<(), StoreError> {
    match inboxes::answered_in(tx, inbox.id)? {
        Some(asked) if asked.state == AskedState::Asked => {
            // Nothing else is to come from somebody who said no.
            channels::set_live(tx, inbox.id, false)?;
            known::spend(tx, inbox.id, now)?;
            inboxes::is_over(tx, asked.id, AskedState::Declined, no(reason))
        }
        _ => Ok(()),
    }
}

const fn no(reason: Reason) -> &'static str {
    match reason {
        Reason::Full => "they have no room for more members",
        Reason::Stranger => "they do not know who asks: tell them another way who you are, and ask again",
        Reason::Unsaid | Reason::Other(_) => "they said no",
    }
}
