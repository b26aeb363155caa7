//! Conversations of groups: founded, joined, changed, left.
//!
//! ```text
//! open.rs    entries of the epoch's log ──> messages, changes, the next log
//! send.rs    what this device says, sealed for the epoch it is said in
//! change.rs  what this device wants changed ──> commits, as long as it takes
//! state.rs   the library's state, in the store          event.rs  a change as readers see it
//! missed.rs  whether a change may have passed this device by      look.rs   what others want to know of a group
//! ```
//!
//! The rules stand in `waxwing_seal::group`; here they meet a store, a clock and an outbox. One transaction holds one step: the
//! library's state, its record, the rows and the cursor.

pub(crate) mod change;
pub(crate) mod event;
mod look;
mod missed;
pub(crate) mod names;
pub(crate) mod open;
pub(crate) mod send;
mod state;

pub(crate) use look::{accounts, devices, has_account, joined, members, others, outline, rule, stranded};

use rusqlite::Connection;
use serde::Serialize;
use waxwing_core::Hash;
use waxwing_seal::ChannelSecret;
use waxwing_seal::group::{
    Charter, Group, GroupKind, GroupName, Joined, KeyPackage, Lifetime, Member, Standing, Welcome,
};
use waxwing_seal::identity::AccountId;

use crate::account;
use crate::client::Client;
use crate::error::Error;
use crate::history;
use crate::limits::{KEY_PACKAGE_LIFE_MS, NEWCOMER_RENEWS_MS};
use crate::message::ChannelId;
use crate::store::channels::{Channel, ChannelKind, New, NotAdded};
use crate::store::wanted::{self, Want};
use crate::store::{StoreError, Transaction, channels, members, mls};

/// What a conversation of two is called here before it is called after the other one.
pub(crate) const NAMELESS: &str = "direct";

/// A device in a group as a list shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MemberView {
    /// Whose device it is.
    pub account: String,
    /// The device.
    pub device: String,
    /// What it was called in its newest message here, else what this person knows its account as; hostile.
    pub name: Option<String>,
    /// Whether its account may remove, rename and appoint.
    pub admin: bool,
    /// Whether it is this device.
    pub own: bool,
    /// Whether it has said that it wishes to leave.
    pub leaving: bool,
}

/// What a group is, beside its messages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GroupView {
    /// Whether it can be followed: `member`, `in-doubt` if a change may have passed this device by, `stranded` or `removed`.
    pub standing: &'static str,
    /// Whether it is a conversation of two people for ever.
    pub direct: bool,
    /// Changes so far.
    pub epoch: u64,
    /// Number of the suite.
    pub suite: u16,
    /// What all members of this epoch share; equal on two devices exactly if they agree about everything that ever happened
    /// in the group.
    pub authenticator: String,
    /// All devices.
    pub members: Vec<MemberView>,
    /// What newcomers are told of what was said before they came: `none`, `all`, or days as `30d`.
    pub history: String,
    /// Own changes that the ledger does not have yet.
    pub changes_waiting: u64,
}

/// Groups.
impl Client {
    /// Founds a group of this device alone. Others come by invitations.
    ///
    /// # Errors
    /// If the ledger is not known, the name too long, or this device has no certificate.
    pub async fn found_group(&self, network: Hash, name: &str) -> Result<ChannelId, Error> {
        let name = GroupName::new(name)?;
        let now = self.core.clock.now();
        let founded = self
            .core
            .write::<_, Error>(move |tx| {
                let myself = account::myself(tx, network, now)?;
                let charter = Charter::channel(name, vec![myself.member().account]).map_err(|_| Error::NoAdmin)?;
                let group = mls::lend(tx, |provider| Group::create(provider, network, &myself, &charter));
                insert(tx, network, &group.map_err(Error::Group)?, None, now)
            })
            .await;
        self.core.lists_changed();
        founded
    }

    /// The group behind a conversation; `None` if it has none, because everybody with its link is in.
    ///
    /// # Errors
    /// If the conversation is not known.
    pub async fn group(&self, channel: ChannelId) -> Result<Option<GroupView>, Error> {
        self.core
            .read::<_, Error>(move |tx| {
                let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                match channel.kind {
                    ChannelKind::Group => view(tx, &channel).map(Some),
                    _ => Ok(None),
                }
            })
            .await
    }

    /// Takes all devices of an account out of a group. At once: the commit is on its way as soon as a node is reached, and
    /// what is said afterwards they cannot read.
    ///
    /// # Errors
    /// If this account is no admin, or none of its devices is in the group.
    pub async fn remove_member(&self, channel: ChannelId, account: AccountId) -> Result<(), Error> {
        self.want(channel, move |tx, channel, group, _| {
            for member in group.members().into_iter().filter(|member| member.account == account) {
                let device = member.device.0;
                wanted::insert(tx, channel.id, &Want::Remove { device }, 0)?;
            }
            check(
                group.members().iter().any(|member| member.account == account),
                Error::NotAMember,
            )
        })
        .await
    }

    /// Lets an account remove, rename and appoint; or lets it no more.
    ///
    /// # Errors
    /// If this account is no admin, or the other one not in the group.
    pub async fn appoint(&self, channel: ChannelId, account: AccountId, is_admin: bool) -> Result<(), Error> {
        self.want(channel, move |tx, channel, group, _| {
            let is_member = group.members().iter().any(|member| member.account == account);
            check(is_member, Error::NotAMember)?;
            let account = account.0;
            Ok(wanted::insert(tx, channel.id, &Want::Admin { account, is_admin }, 0)?)
        })
        .await
    }

    /// Gives a group another name, for all its members.
    ///
    /// # Errors
    /// If this account is no admin, or the name too long.
    pub async fn rename_group(&self, channel: ChannelId, name: &str) -> Result<(), Error> {
        let name = GroupName::new(name)?;
        self.want(channel, move |tx, channel, _, _| {
            Ok(wanted::insert(
                tx,
                channel.id,
                &Want::Name(name.as_str().to_owned()),
                0,
            )?)
        })
        .await
    }

    /// Says that this device wishes to leave; the next member that is connected makes it true. Until then it reads along.
    ///
    /// # Errors
    /// If this device is not in the group, or its account would leave the group without an admin.
    pub async fn leave_group(&self, channel: ChannelId) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.core
            .write::<_, Error>(move |tx| {
                let channel = group_channel(tx, channel)?;
                let group = state::read(tx, &channel)?;
                check(group.standing() == Standing::Member, Error::NotAMember)?;
                let own = account::myself(tx, channel.network, now)?.member();
                let stays = |account| {
                    let mut members = group.members().into_iter();
                    members.any(|member| member.account == account && member.device != own.device)
                };
                let has_admin = group.charter().admins().iter().any(|admin| stays(*admin));
                check(has_admin || group.members().len() == 1, Error::NoAdmin)?;
                Ok(wanted::insert(tx, channel.id, &Want::Leave, 0)?)
            })
            .await?;
        self.core.outbox_changed();
        Ok(())
    }

    pub(crate) async fn want(
        &self,
        channel: ChannelId,
        want: impl FnOnce(&Transaction<'_>, &Channel, &Group, u64) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.core
            .write::<_, Error>(move |tx| {
                let channel = group_channel(tx, channel)?;
                let group = state::read(tx, &channel)?;
                check(group.standing() == Standing::Member, Error::NotAMember)?;
                let own = account::myself(tx, channel.network, now)?.member();
                check(group.charter().is_admin(own.account), Error::NotAnAdmin)?;
                want(tx, &channel, &group, now)
            })
            .await?;
        self.core.outbox_changed();
        Ok(())
    }
}

fn check(holds: bool, error: Error) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(error) }
}

fn group_channel(tx: &Transaction<'_>, channel: ChannelId) -> Result<Channel, Error> {
    let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
    match channel.kind {
        ChannelKind::Group => Ok(channel),
        _ => Err(Error::NoGroup),
    }
}

/// Adds a group as a conversation; `old` is the one that it takes the place of, when this device was added afresh.
fn insert(tx: &Connection, network: Hash, group: &Group, old: Option<ChannelId>, now: u64) -> Result<ChannelId, Error> {
    let channel = insert_row(tx, network, group, old, now)?;
    let devices: Vec<_> = group.members().iter().map(|member| member.device).collect();
    members::enter(tx, channel, &devices)?;
    Ok(channel)
}

fn insert_row(
    tx: &Connection,
    network: Hash,
    group: &Group,
    old: Option<ChannelId>,
    now: u64,
) -> Result<ChannelId, Error> {
    let keys = group.keys().ok_or(Error::NotAMember)?;
    let name = group.charter().name().as_str();
    if let Some(old) = old {
        let row = channels::load(tx, old)?.ok_or(StoreError::Damaged)?;
        crate::store::epochs::begin(tx, old, row.next_number(), keys)?;
        channels::set_engine(tx, old, &group.record())?;
        return Ok(old);
    }
    let seed = keys.log_key().seed();
    let new = New {
        kind: ChannelKind::Group,
        network,
        log: keys.log(),
        secret: &ChannelSecret::from_bytes(*seed),
        name: if name.is_empty() { NAMELESS } else { name },
        engine: &group.record(),
    };
    match channels::insert_any(tx, &new, now)? {
        Ok(channel) => Ok(channel),
        Err(NotAdded::Known(channel)) => Ok(channel),
        Err(NotAdded::TooMany) => Err(Error::TooManyChannels),
    }
}

/// A key package of this device, to be added to a group with; its secrets are in the store.
pub(crate) fn offer(tx: &Transaction<'_>, network: Hash, now: u64) -> Result<Vec<u8>, Error> {
    let myself = account::myself(tx, network, now)?;
    let from = now.saturating_sub(KEY_PACKAGE_LIFE_MS / 30);
    let lifetime = Lifetime::new(from, now.saturating_add(KEY_PACKAGE_LIFE_MS)).map_err(|_| StoreError::Damaged)?;
    mls::lend(tx, |provider| KeyPackage::offer(provider, &myself, lifetime)).map_err(Error::Group)
}

/// Somebody is to be added with a key package, in answer to a request.
pub(crate) fn want_member(
    tx: &Transaction<'_>,
    channel: &Channel,
    key_package: Vec<u8>,
    request: Option<i64>,
    now: u64,
) -> Result<(), Error> {
    let read = KeyPackage::read(&key_package, channel.network, now).map_err(Error::KeyPackage)?;
    let want = Want::Add {
        device: read.member().device.0,
        key_package,
        request,
        to: None,
        afresh: false,
    };
    Ok(wanted::insert(tx, channel.id, &want, 0)?)
}

/// Joins a group by a welcome.
pub(crate) fn join(tx: &Connection, network: Hash, welcome: &Welcome, now: u64) -> Result<(ChannelId, Member), Error> {
    let myself = account::myself(tx, network, now)?;
    // A group that this device cannot follow any more, or was taken out of, is the same conversation when it is back in. So is
    // one that it may not be able to follow: its owner has asked to be let in.
    for channel in channels::all(tx)? {
        let is_here = channel.kind == ChannelKind::Group && channel.network == network;
        if is_here && (!channel.is_live || missed::in_doubt(tx, &channel)?) {
            let mut old = state::read(tx, &channel)?;
            if old.standing() == Standing::Member {
                old.strand();
            }
            // An attempt uses the key package up, and it may be meant for another group.
            let joined = mls::attempt(tx, |provider| {
                Group::join(provider, network, &myself, welcome, Some(&old))
            })?;
            if let Ok(Joined { group, by }) = joined {
                // Sealed for a log that nobody reads any more.
                let reason = "this device was added to the group afresh before it was sent: write it again";
                send::give_up_all(tx, channel.id, reason)?;
                return Ok((finish(tx, network, &group, Some(channel.id), now)?, by));
            }
        }
    }
    let joined = mls::lend(tx, |provider| Group::join(provider, network, &myself, welcome, None));
    let Joined { group, by } = joined.map_err(Error::Welcome)?;
    Ok((finish(tx, network, &group, None, now)?, by))
}

/// Founds a conversation of two people.
pub(crate) fn found_direct(
    tx: &Connection,
    network: Hash,
    with: AccountId,
    name: &str,
    now: u64,
) -> Result<ChannelId, Error> {
    let myself = account::myself(tx, network, now)?;
    let charter = Charter::direct(myself.member().account, with).map_err(|_| Error::NoAdmin)?;
    let group = mls::lend(tx, |provider| Group::create(provider, network, &myself, &charter));
    let channel = insert(tx, network, &group.map_err(Error::Group)?, None, now)?;
    channels::rename(tx, channel, name)?;
    Ok(channel)
}

fn finish(tx: &Connection, network: Hash, group: &Group, old: Option<ChannelId>, now: u64) -> Result<ChannelId, Error> {
    let channel = insert(tx, network, group, old, now)?;
    history::entered(tx, channel, group)?;
    let soon = now.saturating_add(crate::chance::below(NEWCOMER_RENEWS_MS));
    wanted::insert(tx, channel, &Want::Renew, soon)?;
    Ok(channel)
}

fn view(tx: &Transaction<'_>, channel: &Channel) -> Result<GroupView, Error> {
    let group = state::read(tx, channel)?;
    let own = crate::store::device(tx)?.0.id();
    let leaving = group.leaving();
    let mut members = Vec::new();
    for member in group.members() {
        members.push(MemberView {
            account: member.account.to_string(),
            device: member.device.to_string(),
            name: names::of(tx, channel.id, Some(member.account), member.device)?,
            admin: group.charter().is_admin(member.account),
            own: member.device == own,
            leaving: leaving.contains(&member),
        });
    }
    let waiting = wanted::all(tx, channel.id)?;
    Ok(GroupView {
        standing: match group.standing() {
            Standing::Member if missed::in_doubt(tx, channel)? => "in-doubt",
            Standing::Member => "member",
            Standing::Stranded => "stranded",
            Standing::Removed => "removed",
        },
        direct: group.charter().kind() == GroupKind::Direct,
        epoch: group.epoch(),
        suite: group.suite(),
        authenticator: group.authenticator().iter().map(|byte| format!("{byte:02x}")).collect(),
        members,
        history: history::word(group.charter().history()),
        changes_waiting: waiting
            .iter()
            .filter(|wanted| wanted.want != Want::Renew)
            .count()
            .try_into()
            .unwrap_or(u64::MAX),
    })
}

/// Whether this device can follow a conversation's group.
#[cfg(test)]
pub(crate) fn standing(tx: &Transaction<'_>, channel: &Channel) -> Result<Standing, StoreError> {
    Ok(state::read(tx, channel)?.standing())
}
