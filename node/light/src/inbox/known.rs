//! People who know each other: each has an inbox of the other, so that a welcome needs no link.
//!
//! ```text
//! who asks    request: an inbox for the answer ──────────────────> who is asked and says yes: writes there from now on
//!             writes there from now on     <──── greeting: an inbox made for this account ── follows it
//! ```
//!
//! What comes to such an inbox was sealed to it, and only that account was told of it. It is one of this device, not of the
//! account: what a person's other devices have to know, they hear from the one that was written to. `// SPEC 28.7`

use waxwing_core::Hash;
use waxwing_seal::content::Name;
use waxwing_seal::identity::AccountId;
use waxwing_seal::inbox::post::Greeting;
use waxwing_seal::inbox::{CommitPlace, Recipient};

use super::ask::KEPT;
use super::{post, siblings};
use crate::account::contacts::{self, Consent};
use crate::account::{self, cards};
use crate::chance;
use crate::error::Error;
use crate::limits::{CONTACT_INBOXES_MAX, INBOXES_PER_CONTACT_MAX};
use crate::store::channels::Channel;
use crate::store::{self, StoreError, Transaction, cards as card_rows, channels, contacts as people, known as rows};

/// Somebody who asked is let in: they are written to where they wait for the answer, and get an inbox to write back to.
pub(super) fn acquaint(tx: &Transaction<'_>, network: Hash, to: &Recipient, now: u64) -> Result<(), Error> {
    rows::set_door(tx, network, to)?;
    if rows::inboxes_followed(tx)? >= CONTACT_INBOXES_MAX {
        tracing::info!("as many inboxes of contacts are followed as may be: whoever is let in can write by links only");
        return Ok(());
    }
    let myself = account::myself(tx, network, now)?;
    let (_, name) = store::device(tx)?;
    let about = (Name::new(name)?, cards::own_address(tx, network, now)?);
    let (mail, inbox) = to.greet(&myself, about, KEPT, &mut chance::fill).map_err(Error::Post)?;
    let channel = super::insert(tx, &inbox, now)?;
    rows::insert_inbox(tx, channel, (to.account(), network))?;
    let all = rows::inboxes_of(tx, to.account(), network)?;
    // Whoever asks again has a new device, or lost what it knew.
    for old in all.iter().rev().skip(INBOXES_PER_CONTACT_MAX) {
        channels::set_live(tx, *old, false)?;
    }
    let door = post::door(tx, network, to, now)?;
    post::queue(tx, &door, &mail.sealed, now)?;
    Ok(())
}

/// A contact hands over an inbox.
pub(super) fn greeted(
    tx: &Transaction<'_>,
    inbox: &Channel,
    (greeting, to): (&Greeting, &Recipient),
    now: u64,
) -> Result<(), StoreError> {
    let account = to.account();
    let is_known = people::find(tx, account)?.is_some_and(|contact| contact.blocked.is_none());
    if !is_known {
        return Ok(());
    }
    rows::set_door(tx, inbox.network, to)?;
    if let Err(error) = contacts::meet(tx, account, greeting.name.as_str(), Consent::Asks, now) {
        tracing::warn!("a greeting's name was not noted: {error}");
    }
    // One card is followed to whatever comes after it; whoever names others all the time fills nothing with them.
    let has_card = !card_rows::of(tx, account, inbox.network)?.is_empty();
    if let (Some(card), false) = (&greeting.card, has_card) {
        match cards::follow_contact(tx, inbox.network, account, card, now) {
            Ok(()) => {}
            Err(Error::Store(error)) => return Err(error),
            Err(error) => tracing::warn!("a contact's card is not followed: {error}"),
        }
    }
    Ok(())
}

/// Where a welcome to an account goes: an own one to the inbox of its devices, another to the inbox that it handed over.
pub(super) fn door(tx: &Transaction<'_>, account: AccountId, network: Hash) -> Result<Option<Recipient>, StoreError> {
    if account == store::account::load(tx)?.id {
        return siblings::recipient(tx, network);
    }
    rows::door(tx, account, network)
}

/// The commit that adds an account's devices is final: they are welcomed.
pub(crate) fn welcome(
    tx: &Transaction<'_>,
    group: &Channel,
    account: AccountId,
    (welcome, place): (&waxwing_seal::group::Welcome, CommitPlace),
    now: u64,
) -> Result<(), StoreError> {
    let Some(to) = door(tx, account, group.network)? else {
        tracing::warn!("nobody can be welcomed: the inbox is not known any more");
        return Ok(());
    };
    post::welcome(tx, group.network, &to, (welcome, place), now)?;
    Ok(())
}
