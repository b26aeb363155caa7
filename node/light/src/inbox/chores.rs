//! What is to be done about inboxes from time to time, whether or not somebody writes: ends that nobody announces.
//!
//! | what | when |
//! |---|---|
//! | an invitation's inbox is not followed any more | it was read up to a head behind its end |
//! | secrets of a key package that went out with a request go | it was answered, or never will be |
//! | a request of this device is given up | nobody answered as long as nodes keep it |
//! | a request to this home is over | it was to be let in, and what was to do that was dropped |
//! | a recovered device asks where it was told of by a link | its account's card was found, and it stands on it |
//! | further devices come into groups | [`super::siblings`] |

use waxwing_core::Hash;
use waxwing_seal::group::KeyPackage;

use super::siblings;
use crate::account;
use crate::error::{Error, Trouble};
use crate::limits::ANSWER_AWAITED_MS;
use crate::store::inboxes::{self, AskedState, RequestState};
use crate::store::known::{self, Spent};
use crate::store::wanted::{self, Want};
use crate::store::{StoreError, Transaction, channels, mls};
use crate::sync::Reading;

/// Whether anything is.
pub(crate) fn is_due(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<bool, StoreError> {
    Ok(!Chores::find(tx, network, now)?.is_nothing() || siblings::is_due(tx, network, now)?)
}

/// Does what is due, where everything proven has been read.
pub(crate) async fn do_due(reading: &Reading<'_>) -> Result<(), Trouble> {
    let (network, now) = (reading.network, reading.core.clock.now());
    if !reading.core.read(move |tx| is_due(tx, network, now)).await? {
        return Ok(());
    }
    reading.core.write(move |tx| go_on(tx, network, now)).await?;
    reading.core.lists_changed();
    Ok(())
}

fn go_on(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<(), Error> {
    Chores::find(tx, network, now)?.go_on(tx, now)?;
    Ok(siblings::go_on(tx, network, now)?)
}

struct Chores {
    ended: Vec<crate::message::ChannelId>,
    spent: Vec<Spent>,
    unanswered: Vec<(i64, Option<crate::message::ChannelId>)>,
    dropped: Vec<i64>,
    doors: Vec<crate::message::ChannelId>,
}

impl Chores {
    fn find(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<Self, StoreError> {
        let mut ended = Vec::new();
        for channel in inboxes::expired(tx)? {
            if channels::load(tx, channel)?.is_some_and(|row| row.is_read()) {
                ended.push(channel);
            }
        }
        let mut dropped = Vec::new();
        for (request, leads) in inboxes::being_let_in(tx)? {
            let is_wanted = match leads {
                Some(leads) => wanted::all(tx, leads)?
                    .iter()
                    .any(|wanted| matches!(&wanted.want, Want::Add { request: Some(of), .. } if *of == request)),
                None => false,
            };
            if !is_wanted {
                dropped.push(request);
            }
        }
        let mut doors = inboxes::doors_waiting(tx, network)?;
        if !doors.is_empty() && account::is_awaited(tx, network)? {
            doors.clear();
        }
        Ok(Self {
            doors,
            ended,
            spent: known::spent(tx, now)?,
            unanswered: inboxes::unanswered(tx, now.saturating_sub(ANSWER_AWAITED_MS))?,
            dropped,
        })
    }

    fn is_nothing(&self) -> bool {
        let Self {
            ended,
            spent,
            unanswered,
            dropped,
            doors,
        } = self;
        ended.is_empty() && spent.is_empty() && unanswered.is_empty() && dropped.is_empty() && doors.is_empty()
    }

    fn go_on(&self, tx: &Transaction<'_>, now: u64) -> Result<(), Error> {
        for channel in &self.ended {
            channels::set_live(tx, *channel, false)?;
        }
        for channel in &self.doors {
            channels::set_live(tx, *channel, true)?;
        }
        for request in &self.dropped {
            inboxes::set_request(tx, *request, RequestState::Over)?;
        }
        for (asked, inbox) in &self.unanswered {
            let reason = "nobody answered, and the request is not kept any more: ask again, by a new link";
            inboxes::is_over(tx, *asked, AskedState::Failed, reason)?;
            if let Some(inbox) = inbox {
                channels::set_live(tx, *inbox, false)?;
                known::spend(tx, *inbox, now)?;
            }
        }
        for spent in &self.spent {
            // Read at the time at which it was made: it may have expired since.
            if let Ok(package) = KeyPackage::read(&spent.bytes, spent.network, spent.made) {
                mls::lend(tx, |provider| package.forget(provider)).map_err(Error::Group)?;
            }
            known::forget_spent(tx, spent.inbox)?;
        }
        Ok(())
    }
}
