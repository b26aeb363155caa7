//! Letting in whoever asked: at once where the invitation says so, else when this person agrees.

use waxwing_seal::group::Welcome;
use waxwing_seal::inbox::{CommitPlace, Reason, Taken};

use super::ask::KEPT;
use super::{known, post};
use crate::account::cards;
use crate::account::contacts::{self, Consent};
use crate::error::Error;
use crate::store::channels::Channel;
use crate::store::inboxes::{self, Request, RequestState};
use crate::store::{self, StoreError, Transaction, channels};
use crate::{chance, groups};

/// Somebody asks.
pub(super) fn requested(
    tx: &mut Transaction<'_>,
    inbox: &Channel,
    taken: &Taken,
    time: u64,
    now: u64,
) -> Result<(), StoreError> {
    let Some(row) = inboxes::inbox(tx, inbox.id)? else {
        return Ok(());
    };
    let account = taken.request.certificate.account;
    if contacts::is_blocked(tx, account)? {
        return Ok(());
    }
    let consent = if row.is_open { Consent::Given } else { Consent::Asks };
    let met = contacts::meet(tx, account, taken.request.name.as_str(), consent, now);
    if let Err(error) = met {
        // Whoever cannot be remembered is not let in by itself.
        tracing::warn!("a request could not be noted as a contact: {error}");
    }
    let id = inboxes::insert_request(tx, &row, taken, time)?;
    if !row.is_open {
        return Ok(());
    }
    let request = inboxes::request(tx, id)?.ok_or(StoreError::Damaged)?;
    match accept(tx, &request, taken, now) {
        Ok(()) => Ok(()),
        Err(Error::Store(error)) => Err(error),
        // It stays a request: the person sees it, and why it cannot be.
        Err(error) => {
            tracing::warn!("a request waits: {error}");
            Ok(())
        }
    }
}

/// Whoever asked is to come in.
pub(super) fn accept(tx: &Transaction<'_>, request: &Request, taken: &Taken, now: u64) -> Result<(), Error> {
    let account = request.account;
    let channel = match request.leads {
        Some(leads) => leads,
        None => {
            let inbox = channels::load(tx, request.inbox)?.ok_or(StoreError::Damaged)?;
            let name = taken.request.name.as_str();
            let channel = groups::found_direct(tx, inbox.network, account, name, now)?;
            inboxes::set_leads(tx, request.id, channel)?;
            channel
        }
    };
    let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
    let key_package = taken.request.key_package.as_bytes().to_vec();
    groups::want_member(tx, &channel, key_package, Some(request.id), now)?;
    if let Some(card) = &taken.request.card {
        cards::follow_contact(tx, channel.network, account, card, now)?;
    }
    known::acquaint(tx, channel.network, &taken.recipient(), now)?;
    inboxes::set_request(tx, request.id, RequestState::BeingLetIn)?;
    Ok(())
}

/// Whoever asked is told no.
pub(super) fn decline(
    tx: &Transaction<'_>,
    request: &Request,
    (taken, reason): (&Taken, Reason),
    now: u64,
) -> Result<(), Error> {
    let inbox = channels::load(tx, request.inbox)?.ok_or(StoreError::Damaged)?;
    let to = taken.recipient();
    let (device, _) = store::device(tx)?;
    let mail = to
        .decline(&device, reason, KEPT, &mut chance::fill)
        .map_err(Error::Post)?;
    let door = post::door(tx, inbox.network, &to, now)?;
    post::queue(tx, &door, &mail.sealed, now)?;
    inboxes::set_request(tx, request.id, RequestState::Declined)?;
    Ok(())
}

/// The commit that adds whoever asked is final: the welcome goes to the inbox that the request named.
pub(crate) fn welcome(
    tx: &Transaction<'_>,
    group: &Channel,
    request: i64,
    (welcome, place): (&Welcome, CommitPlace),
    now: u64,
) -> Result<(), StoreError> {
    let Some(request) = inboxes::request(tx, request)? else {
        return Ok(());
    };
    let Some(taken) = request.taken() else {
        return Ok(());
    };
    if post::welcome(tx, group.network, &taken.recipient(), (welcome, place), now)? {
        inboxes::set_request(tx, request.id, RequestState::LetIn)?;
    }
    Ok(())
}
