//! Changes of a group: wanted here, proposed when nothing of this device's is on its way, true when the ledger has them.
//!
//! ```text
//! wanted ──propose──> commit on its way ──first valid one on the log──> true: newcomers get their welcome
//!   ^                        │
//!   └────────────────────────┘ another member's came first: looked at again, in the epoch that it began
//! ```

use std::collections::BTreeSet;

use waxwing_seal::DeviceId;
use waxwing_seal::group::limits::ADDS_MAX;
use waxwing_seal::group::{
    BadCharter, Change, Charter, Closed, Group, GroupError, GroupKind, GroupName, HistoryRule, KeyPackage, Member,
    Myself, Proposed,
};
use waxwing_seal::identity::AccountId;
use waxwing_seal::inbox::CommitPlace;

use super::event::Event;
use super::send;
use super::state::{failed, keep, load, put_back};
use crate::error::{Error, Trouble};
use crate::inbox::{admit, known};
use crate::limits::{COMMIT_AGAIN_MS, LEAVER_WAIT_MS, RENEW_MS};
use crate::message::ChannelId;
use crate::store::channels::{Channel, ChannelKind};
use crate::store::wanted::{self, Want, Wanted};
use crate::store::{StoreError, Transaction, channels, messages, mls, networks};
use crate::sync::Reading;
use crate::{account, chance, deliver};

/// Proposes whatever is due for the groups of one ledger, where everything proven has been read.
pub(crate) async fn propose_due(reading: &Reading<'_>) -> Result<(), Trouble> {
    let (network, now) = (reading.network, reading.core.clock.now());
    let due = reading.core.read(move |tx| wanted::channels(tx, now)).await?;
    for channel in due {
        let proposed = reading
            .core
            .write::<_, Error>(move |tx| match channels::load(tx, channel)? {
                Some(row) if row.network == network && row.is_live && row.is_read() => propose(tx, &row, now),
                _ => Ok(()),
            });
        match proposed.await {
            // Another process has forgotten what this takes, or the words are on paper: what is wanted stays.
            Err(error @ Error::Account(_)) => tracing::warn!("a change of a group waits: {error}"),
            other => other?,
        }
    }
    Ok(())
}

/// Makes a commit of what is due, and puts it into the outbox.
fn propose(tx: &mut Transaction<'_>, channel: &Channel, now: u64) -> Result<(), Error> {
    let _span = tracing::trace_span!("propose").entered();
    let mut group = load(tx, channel)?;
    if group.has_pending_commit() {
        return Ok(tx.keep_group(channel.id, group)?);
    }
    let myself = account::myself(tx, channel.network, now)?;
    let mut wishes = due(tx, channel, now)?;
    if let Some(leave) = wishes.iter().find(|wanted| wanted.want == Want::Leave) {
        return say_leaving(tx, channel, &mut group, &myself, leave, now);
    }
    while !wishes.is_empty() {
        let Some((change, bound)) = planned(tx, channel, &group, &myself, &wishes, now)? else {
            break;
        };
        match staged(tx, &mut group, &myself, change, now)? {
            Ok(proposed) => return queue(tx, channel, group, &myself, (proposed, bound), now),
            Err(refusal) => wishes = fewer(tx, channel, wishes, (&bound, refusal), now)?,
        }
    }
    Ok(tx.keep_group(channel.id, group)?)
}

/// What is due and not on its way. Of several wishes about one device the last one counts: a request that came later offers the
/// keys that the device has now, and to be added it is taken out if it is in.
fn due(tx: &Transaction<'_>, channel: &Channel, now: u64) -> Result<Vec<Wanted>, StoreError> {
    let device = |want: &Want| match want {
        Want::Add { device, .. } | Want::Remove { device } => Some(*device),
        Want::Leave | Want::Name(_) | Want::Admin { .. } | Want::Renew | Want::History(_) => None,
    };
    let mut wishes = wanted::due(tx, channel.id, now)?;
    wishes.retain(|wanted| wanted.message.is_none());
    let (mut last, mut kept) = (BTreeSet::new(), Vec::new());
    for wanted in wishes.into_iter().rev() {
        match device(&wanted.want) {
            Some(device) if !last.insert(device) => wanted::remove(tx, wanted.id)?,
            _ => kept.push(wanted),
        }
    }
    kept.reverse();
    Ok(kept)
}

/// A commit's worth of wishes, if there can be such a commit; and which they are.
type Planned = (Result<Change, BadCharter>, Vec<i64>);

/// One commit's worth of wishes; `None` if nothing is left to do. What is moot is dropped.
fn planned(
    tx: &Transaction<'_>,
    channel: &Channel,
    group: &Group,
    myself: &Myself,
    wishes: &[Wanted],
    now: u64,
) -> Result<Option<Planned>, StoreError> {
    let mut plan = Plan::new(group, myself);
    for wanted in wishes {
        match plan.take(&wanted.want, channel, now) {
            Fate::InThis => plan.bound.push(wanted.id),
            Fate::Later => {}
            Fate::Moot => wanted::remove(tx, wanted.id)?,
        }
    }
    Ok((!plan.bound.is_empty()).then(|| (plan.change(), core::mem::take(&mut plan.bound))))
}

/// Has the group make the commit. What it refuses leaves no trace but the reason.
fn staged(
    tx: &mut Transaction<'_>,
    group: &mut Group,
    myself: &Myself,
    change: Result<Change, BadCharter>,
    now: u64,
) -> Result<Result<Proposed, String>, StoreError> {
    let change = match change {
        Ok(change) => change,
        Err(bad) => return Ok(Err(format!("{bad:?}"))),
    };
    let savepoint = tx.savepoint()?;
    match mls::lend(&savepoint, |provider| group.propose(provider, myself, &change, now)) {
        Ok(proposed) => {
            savepoint.commit()?;
            Ok(Ok(proposed))
        }
        Err(error @ GroupError::Storage) => Err(failed(&error)),
        Err(error) => {
            drop(savepoint);
            mls::lend(tx, |provider| group.restore(provider)).map_err(|error| failed(&error))?;
            Ok(Err(error.to_string()))
        }
    }
}

/// What was refused together is tried one by one, so that one wish that cannot be takes no other with it; and what was refused
/// alone is dropped, or it would keep all others waiting for ever.
fn fewer(
    tx: &Transaction<'_>,
    channel: &Channel,
    mut wishes: Vec<Wanted>,
    (bound, refusal): (&[i64], String),
    now: u64,
) -> Result<Vec<Wanted>, StoreError> {
    if let [alone] = bound {
        tracing::warn!("a change of a group was dropped: {refusal}");
        wanted::remove(tx, *alone)?;
        return due(tx, channel, now);
    }
    wishes.retain(|wanted| bound.first() == Some(&wanted.id));
    Ok(wishes)
}

/// Puts a commit into the outbox.
fn queue(
    tx: &Transaction<'_>,
    channel: &Channel,
    group: Group,
    myself: &Myself,
    (proposed, bound): (Proposed, Vec<i64>),
    now: u64,
) -> Result<(), Error> {
    let event = Event::proposed(group.epoch().saturating_add(1));
    let message = messages::queue_event(tx, channel.id, myself.key().id(), &event, now)?;
    send::put(tx, channel, message, &proposed.outgoing)?;
    if let Some(welcome) = &proposed.welcome {
        wanted::keep_welcome(tx, message, welcome)?;
    }
    for id in bound {
        wanted::bind(tx, id, message)?;
    }
    put_back(tx, channel, group)?;
    let keys = networks::load(tx, channel.network)?
        .ok_or(StoreError::Damaged)?
        .genesis
        .keys();
    deliver::sign_at_once(tx, &keys, channel, message, &proposed.outgoing.sealed, now)?;
    Ok(())
}

fn say_leaving(
    tx: &Transaction<'_>,
    channel: &Channel,
    group: &mut Group,
    myself: &Myself,
    leave: &Wanted,
    now: u64,
) -> Result<(), Error> {
    let wish = mls::lend(tx, |provider| group.leave(provider, myself)).map_err(Error::Group)?;
    let event = Event {
        leaving: true,
        epoch: group.epoch(),
        ..Event::default()
    };
    let message = messages::queue_event(tx, channel.id, myself.key().id(), &event, now)?;
    send::put(tx, channel, message, &wish)?;
    wanted::bind(tx, leave.id, message)?;
    keep(tx, channel, group)?;
    let keys = networks::load(tx, channel.network)?
        .ok_or(StoreError::Damaged)?
        .genesis
        .keys();
    deliver::sign_at_once(tx, &keys, channel, message, &wish.sealed, now)?;
    Ok(())
}

/// What becomes of a wish now.
enum Fate {
    /// It goes into this commit.
    InThis,
    /// It waits.
    Later,
    /// There is nothing to do for it any more.
    Moot,
}

/// One commit in the making.
struct Plan<'a> {
    group: &'a Group,
    members: Vec<Member>,
    is_admin: bool,
    add: Vec<KeyPackage>,
    remove: Vec<DeviceId>,
    name: Option<GroupName>,
    admins: Vec<AccountId>,
    history: HistoryRule,
    bound: Vec<i64>,
}

impl<'a> Plan<'a> {
    fn new(group: &'a Group, myself: &Myself) -> Self {
        Self {
            group,
            members: group.members(),
            is_admin: group.charter().is_admin(myself.member().account),
            add: Vec::new(),
            remove: Vec::new(),
            name: None,
            admins: group.charter().admins().to_vec(),
            history: group.charter().history(),
            bound: Vec::new(),
        }
    }

    fn is_channel(&self) -> bool {
        self.group.charter().kind() == GroupKind::Channel
    }

    fn is_member(&self, device: DeviceId) -> bool {
        self.members.iter().any(|member| member.device == device)
    }

    fn take(&mut self, want: &Want, channel: &Channel, now: u64) -> Fate {
        match want {
            // Who was added by another member meanwhile is in.
            Want::Add {
                device,
                to: Some(_),
                afresh: false,
                ..
            } if self.is_member(DeviceId(*device)) => Fate::Moot,
            Want::Add {
                device, key_package, ..
            } => self.take_add(DeviceId(*device), key_package, channel, now),
            Want::Remove { device } => {
                let device = DeviceId(*device);
                let is_leaving = self.group.leaving().iter().any(|leaver| leaver.device == device);
                if !self.is_member(device) {
                    Fate::Moot
                } else if self.is_admin || is_leaving {
                    self.remove.push(device);
                    Fate::InThis
                } else {
                    // It wished to leave in an epoch that is over, and says so again in this one.
                    Fate::Moot
                }
            }
            Want::Name(name) => match GroupName::new(name.as_str()) {
                Ok(name) if self.is_admin && name != *self.group.charter().name() => {
                    self.name = Some(name);
                    Fate::InThis
                }
                _ => Fate::Moot,
            },
            Want::Admin { account, is_admin } => {
                let account = AccountId(*account);
                let was = self.admins.contains(&account);
                if !self.is_admin || was == *is_admin {
                    return Fate::Moot;
                }
                if *is_admin {
                    self.admins.push(account);
                } else {
                    self.admins.retain(|admin| *admin != account);
                }
                Fate::InThis
            }
            Want::History(number) => match HistoryRule::from_number(*number) {
                Some(rule) if self.is_admin && self.is_channel() => {
                    self.history = rule;
                    Fate::InThis
                }
                _ => Fate::Moot,
            },
            Want::Renew => Fate::InThis,
            Want::Leave => Fate::Later,
        }
    }

    fn take_add(&mut self, device: DeviceId, key_package: &[u8], channel: &Channel, now: u64) -> Fate {
        let is_full = u32::try_from(self.add.len()).map_or(true, |count| count >= ADDS_MAX);
        if is_full {
            return Fate::Later;
        }
        let Ok(key_package) = KeyPackage::read(key_package, channel.network, now) else {
            return Fate::Moot;
        };
        if key_package.member().device != device {
            return Fate::Moot;
        }
        // Who asks although it is in cannot follow any more: it is taken out and in again by the same commit.
        if self.is_member(device) && !self.remove.contains(&device) {
            self.remove.push(device);
        }
        self.add.push(key_package);
        Fate::InThis
    }

    fn change(&mut self) -> Result<Change, BadCharter> {
        let before = self.group.charter();
        let is_same = self.name.is_none() && self.admins == before.admins() && self.history == before.history();
        let charter = if !is_same && self.is_channel() {
            let name = self.name.take().unwrap_or_else(|| before.name().clone());
            let charter = Charter::channel(name, core::mem::take(&mut self.admins))?;
            Some(charter.with_history(self.history)?)
        } else {
            None
        };
        Ok(Change {
            add: core::mem::take(&mut self.add),
            remove: core::mem::take(&mut self.remove),
            charter,
        })
    }
}

/// Somebody wishes to leave: any member may make it true. So that not all do at once, each waits a while of its own.
pub(super) fn want_removal_of_leaver(
    tx: &Transaction<'_>,
    channel: &Channel,
    leaver: Member,
    own: DeviceId,
    now: u64,
) -> Result<(), StoreError> {
    if leaver.device == own {
        return Ok(());
    }
    let want = Want::Remove {
        device: leaver.device.0,
    };
    wanted::insert(tx, channel.id, &want, now.saturating_add(chance::below(LEAVER_WAIT_MS)))
}

/// The own commit came, and the rules did not allow it any more: what it was to do is dropped.
pub(super) fn withdrawn(tx: &Transaction<'_>, channel: &Channel) -> Result<(), StoreError> {
    for wanted in wanted::all(tx, channel.id)? {
        if let Some(message) = wanted.message {
            wanted::take_welcome(tx, message)?;
            wanted::remove(tx, wanted.id)?;
        }
    }
    Ok(())
}

/// An epoch is over. Were it this device's commit, its wishes have come true; else they are looked at again.
pub(super) fn after_closing(
    tx: &Transaction<'_>,
    channel: &Channel,
    group: &Group,
    (closed, own): (&Closed, DeviceId),
    place: CommitPlace,
    now: u64,
) -> Result<(), StoreError> {
    if group.keys().is_none() {
        return wanted::remove_all(tx, channel.id);
    }
    if closed.by.device == own {
        came_true(tx, channel, place, now)?;
    }
    wanted::unbind(tx, channel.id, now.saturating_add(chance::below(COMMIT_AGAIN_MS)))?;
    let members = group.members();
    let is_member = |device: &[u8; 32]| members.iter().any(|member| member.device.0 == *device);
    for wanted in wanted::all(tx, channel.id)? {
        let is_moot = match &wanted.want {
            Want::Remove { device } => !is_member(device),
            _ => false,
        };
        if is_moot {
            wanted::remove(tx, wanted.id)?;
        }
    }
    Ok(())
}

fn came_true(tx: &Transaction<'_>, channel: &Channel, place: CommitPlace, now: u64) -> Result<(), StoreError> {
    let (mut kept, mut known_here) = (None, BTreeSet::new());
    for wanted in wanted::all(tx, channel.id)? {
        // A wish to leave has come true only when this device is out.
        let (Some(message), false) = (wanted.message, wanted.want == Want::Leave) else {
            continue;
        };
        wanted::remove(tx, wanted.id)?;
        let Want::Add { request, to, .. } = wanted.want else {
            continue;
        };
        if kept.is_none() && (request.is_some() || to.is_some()) {
            kept = wanted::take_welcome(tx, message)?;
        }
        if let (Some(welcome), Some(request)) = (&kept, request) {
            admit::welcome(tx, channel, request, (welcome, place), now)?;
        }
        known_here.extend(to.map(AccountId));
    }
    // One welcome for all devices of an account: who reads it passes it on to the others.
    for account in known_here {
        if let Some(welcome) = &kept {
            known::welcome(tx, channel, account, (welcome, place), now)?;
        }
    }
    want_renewal(tx, channel.id, now.saturating_add(RENEW_MS))
}

/// This device renews its keys from time to time, so that who once read its store does not read on for ever.
pub(super) fn want_renewal(tx: &Transaction<'_>, channel: ChannelId, from: u64) -> Result<(), StoreError> {
    for wanted in wanted::all(tx, channel)? {
        if wanted.want == Want::Renew && wanted.message.is_none() {
            wanted::remove(tx, wanted.id)?;
        }
    }
    wanted::insert(
        tx,
        channel,
        &Want::Renew,
        from.saturating_add(chance::below(RENEW_MS / 4)),
    )
}

/// A group that was renamed is called so here too.
pub(super) fn take_name(tx: &Transaction<'_>, channel: &Channel, group: &Group) -> Result<(), StoreError> {
    let name = group.charter().name().as_str();
    if channel.kind == ChannelKind::Group && !name.is_empty() {
        channels::rename(tx, channel.id, name)?;
    }
    Ok(())
}
