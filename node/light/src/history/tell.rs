//! Telling newcomers: who does, when, and what.

use std::collections::BTreeSet;

use waxwing_core::codec::Encode;
use waxwing_core::limits::DAY_MS;
use waxwing_seal::content::{Past, Told};
use waxwing_seal::group::{Closed, Group, HistoryRule};
use waxwing_seal::limits::{HISTORY_MESSAGES_MAX, HISTORY_PART_BYTES_MAX, HISTORY_PARTS_MAX};
use waxwing_seal::{DeviceId, Kind};

use crate::chance;
use crate::chat::{Draft, queue, shown_words};
use crate::error::{Error, Trouble};
use crate::groups;
use crate::limits::{HISTORY_TURNS_MAX, HISTORY_WAIT_MS};
use crate::message::MessageView;
use crate::store::channels::Channel;
use crate::store::messages::Message;
use crate::store::past::{self, ToTell};
use crate::store::{StoreError, Transaction, channels, messages};
use crate::sync::Reading;

/// A commit has come true: does it let somebody in who is to be told, or change what may be told?
pub(crate) fn after_closing(
    tx: &Transaction<'_>,
    channel: &Channel,
    group: &Group,
    (closed, own): (&Closed, DeviceId),
    number: u64,
) -> Result<(), StoreError> {
    if group.keys().is_none() || group.charter().history() == HistoryRule::Nothing {
        return past::close(tx, channel.id);
    }
    past::open(tx, channel.id, number.saturating_add(1))?;
    let is_newcomer = |device: DeviceId| closed.added.iter().any(|member| member.device == device);
    if closed.added.is_empty() || is_newcomer(own) {
        return Ok(());
    }
    let tellers = group.members().into_iter().map(|member| member.device);
    let tellers: Vec<DeviceId> = tellers.filter(|device| !is_newcomer(*device)).collect();
    let time = messages::at(tx, channel.id, number)?.and_then(|row| row.place);
    let time = time.ok_or(StoreError::Damaged)?.time;
    let wait = wait(turn(&tellers, closed.by.device, own));
    past::want(
        tx,
        &ToTell {
            channel: channel.id,
            epoch: group.epoch(),
            number,
            not_before: time.saturating_add(wait),
        },
    )
}

/// How many members come before this device: nobody before the one who let them in, then in the order of the leaves, in a
/// circle. The same for all members.
fn turn(tellers: &[DeviceId], first: DeviceId, own: DeviceId) -> usize {
    let place = |device| tellers.iter().position(|teller| *teller == device).unwrap_or(0);
    (place(own) + tellers.len() - place(first)) % tellers.len().max(1)
}

fn wait(turn: usize) -> u64 {
    match u64::try_from(turn).unwrap_or(u64::MAX).min(HISTORY_TURNS_MAX) {
        0 => 0,
        turn => HISTORY_WAIT_MS.saturating_mul(turn) + chance::below(HISTORY_WAIT_MS / 2),
    }
}

/// Tells newcomers of one ledger what was said, where this device's turn has come and nobody has done it.
pub(crate) async fn hand_over_due(reading: &Reading<'_>) -> Result<(), Trouble> {
    let (network, now) = (reading.network, reading.core.clock.now());
    let due = reading.core.read(move |tx| past::due(tx, now)).await?;
    for wanted in due {
        let told = reading
            .core
            .write::<_, Error>(move |tx| match channels::load(tx, wanted.channel)? {
                // Only where everything proven was read: somebody else may have been faster.
                Some(row) if row.network == network && row.is_live && row.is_read() => hand_over(tx, &row, wanted, now),
                _ => Ok(()),
            });
        match told.await {
            Ok(()) => {}
            Err(Error::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!("newcomers are not told what was said before: {error}");
                let later = ToTell {
                    not_before: now.saturating_add(HISTORY_WAIT_MS),
                    ..wanted
                };
                let postponed = reading.core.write::<_, StoreError>(move |tx| past::want(tx, &later));
                postponed.await?;
            }
        }
    }
    Ok(())
}

fn hand_over(tx: &mut Transaction<'_>, channel: &Channel, wanted: ToTell, now: u64) -> Result<(), Error> {
    past::done(tx, channel.id, wanted.epoch)?;
    let commit = messages::at(tx, channel.id, wanted.number)?;
    let (
        Some(Message {
            event: Some(event),
            place: Some(place),
            ..
        }),
        Some(from),
    ) = (commit, past::open_from(tx, channel.id)?)
    else {
        return Ok(());
    };
    let rule = groups::rule(tx, channel, &event)?;
    let since = match rule {
        None | Some(HistoryRule::Nothing) => return Ok(()),
        Some(HistoryRule::All) => 0,
        Some(HistoryRule::Days(days)) => place.time.saturating_sub(u64::from(days).saturating_mul(DAY_MS)),
    };
    let rows = past::tellable(tx, channel.id, (from, wanted.number), since)?;
    let mut newest_first = Vec::new();
    for row in &rows {
        newest_first.extend(told(tx, row)?);
    }
    for past in parts(wanted.epoch, newest_first) {
        queue(tx, channel.id, Draft::of(Kind::History(past)), now)?;
    }
    Ok(())
}

/// A message as members see it now; `None` if there is nothing left to tell.
fn told(tx: &Transaction<'_>, row: &Message) -> Result<Option<Told>, StoreError> {
    let (Some(content), Some(device), Some(account), Some(place)) = (&row.content, row.device, row.account, row.place)
    else {
        return Ok(None);
    };
    let about = messages::about(tx, row.channel, content.id)?;
    let view = MessageView::with(row, &about, &[]);
    let words = shown_words(row, &about, &view).cloned().unwrap_or_default();
    let kind = match &content.kind {
        Kind::Text(_) => Kind::Text(words),
        Kind::Reply { to, .. } => Kind::Reply { to: *to, body: words },
        kind => kind.clone(),
    };
    Ok((!view.retracted && kind.says_something()).then(|| Told {
        id: content.id,
        device,
        account,
        written_ms: content.time_ms,
        ordered_ms: place.time,
        is_edited: view.edited,
        name: content.name.clone(),
        kind,
    }))
}

/// Bytes of a part without its messages.
const AROUND: usize = 8 + 2 + 4;

/// As many of the newest as the parts take, in parts, each in its order.
fn parts(epoch: u64, newest_first: Vec<Told>) -> Vec<Past> {
    let room = usize::try_from(HISTORY_PART_BYTES_MAX).unwrap_or(usize::MAX) - AROUND;
    let (mut parts, mut part, mut bytes): (Vec<Vec<Told>>, Vec<Told>, usize) = Default::default();
    let (mut met, mut left) = (BTreeSet::new(), HISTORY_MESSAGES_MAX);
    for told in newest_first {
        let length = told.to_bytes().len();
        if left == 0 || !met.insert(told.id) {
            continue;
        }
        if bytes.saturating_add(length) > room && !part.is_empty() {
            parts.push(core::mem::take(&mut part));
            bytes = 0;
        }
        if length <= room {
            (bytes, left) = (bytes.saturating_add(length), left - 1);
            part.push(told);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts.truncate(usize::from(HISTORY_PARTS_MAX));
    let count = u8::try_from(parts.len()).unwrap_or(HISTORY_PARTS_MAX);
    let whole = (0..).zip(parts).filter_map(|(number, mut told)| {
        told.reverse();
        Past::new(epoch, (number, count), told)
    });
    whole.collect()
}
