//! Adding somebody who is known: with the key packages on their card, and a welcome to the inbox that they handed over.
//!
//! What is on a card is signed by its devices; whether a device may speak for the account, its certificate and the lifetime of
//! the key package are checked before a commit is made, and by every member again at the time of its block. All devices come
//! in with one commit. Whether the person joins is theirs to say.

use core::fmt;

use rusqlite::Connection;
use waxwing_core::Hash;
use waxwing_seal::DeviceId;
use waxwing_seal::group::limits::MEMBERS_MAX;
use waxwing_seal::group::{GroupKind, KeyPackage, Member};
use waxwing_seal::identity::{AccountId, Card};

use super::known;
use crate::account::contacts;
use crate::client::Client;
use crate::error::Error;
use crate::groups;
use crate::message::ChannelId;
use crate::store::wanted::{self, Want};
use crate::store::{StoreError, Transaction, account as own, cards as rows, channels};

/// Why somebody cannot be added to a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddError {
    /// This person blocked them.
    Blocked,
    /// They never handed over an inbox on this ledger.
    NoInbox,
    /// None of their devices offers keys that can be used now.
    NoKeys,
    /// All their devices are in.
    IsIn,
    /// It is a conversation of two, for ever.
    OfTwo,
    /// There is no room for so many devices more.
    Full,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocked => "you blocked them: unblock them first",
            Self::NoInbox => "they have handed you no inbox on this network: send them an invitation to the channel instead",
            Self::NoKeys => {
                "no device of theirs offers keys that can be used now: connect, so that their card is read, or send them an \
                 invitation to the channel instead"
            }
            Self::IsIn => "all their devices are in already; --afresh takes them out and in again",
            Self::OfTwo => "this is a conversation of two, and stays one: make a channel for more",
            Self::Full => "the channel has no room for all their devices",
        })
    }
}

impl core::error::Error for AddError {}

/// What becomes of devices that are in already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Adding {
    /// They stay as they are.
    Missing,
    /// They are taken out and in by the same commit: for one that cannot follow any more.
    Afresh,
}

impl Client {
    /// Adds all devices of somebody who is known to a group. Returns how many; they are in once the commit is final, and
    /// read as soon as the person agrees.
    ///
    /// # Errors
    /// [`AddError`]; or if this device is not in the group.
    pub async fn add_member(&self, channel: ChannelId, account: AccountId, adding: Adding) -> Result<usize, Error> {
        let now = self.core.clock.now();
        let added = self
            .core
            .write(move |tx| add(tx, channel, account, adding, now))
            .await?;
        self.core.outbox_changed();
        Ok(added)
    }
}

fn add(tx: &Transaction<'_>, channel: ChannelId, account: AccountId, adding: Adding, now: u64) -> Result<usize, Error> {
    let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
    let group = groups::joined(tx, &channel)?;
    if contacts::is_blocked(tx, account)? {
        return Err(AddError::Blocked.into());
    }
    if group.charter().kind() == GroupKind::Direct && !group.charter().is_admin(account) {
        return Err(AddError::OfTwo.into());
    }
    contacts::may_say(tx, core::iter::once(account))?;
    if account != own::load(tx)?.id && known::door(tx, account, channel.network)?.is_none() {
        return Err(AddError::NoInbox.into());
    }
    let mut packages = packages_of(tx, account, channel.network, now)?;
    if packages.is_empty() {
        return Err(AddError::NoKeys.into());
    }
    let members = group.members();
    let is_in = |device: DeviceId| members.iter().any(|member| member.device == device);
    if adding == Adding::Missing {
        packages.retain(|(device, _)| !is_in(*device));
        if packages.is_empty() {
            return Err(AddError::IsIn.into());
        }
    }
    let new = packages.iter().filter(|(device, _)| !is_in(*device)).count();
    if u32::try_from(members.len().saturating_add(new)).map_or(true, |all| all > MEMBERS_MAX) {
        return Err(AddError::Full.into());
    }
    let count = packages.len();
    for (device, key_package) in packages {
        let want = Want::Add {
            device: device.0,
            key_package,
            request: None,
            to: Some(account.0),
            afresh: adding == Adding::Afresh,
        };
        wanted::insert(tx, channel.id, &want, 0)?;
    }
    Ok(count)
}

/// The devices of an account that can be added now, each with the newest key package that adds it.
fn packages_of(
    connection: &Connection,
    account: AccountId,
    network: Hash,
    now: u64,
) -> Result<Vec<(DeviceId, Vec<u8>)>, StoreError> {
    // The newest card that was read: what was said on those before it is over.
    for row in rows::of(connection, account, network)?.iter().rev() {
        let card = rows::fold(connection, row)?;
        if card.number().is_some() && card.next().is_none() {
            return Ok(usable(&card, (account, network), now));
        }
    }
    Ok(Vec::new())
}

/// What on a card can be used: of devices that may speak for the account, and theirs in every field.
pub(super) fn usable(card: &Card, (account, network): (AccountId, Hash), now: u64) -> Vec<(DeviceId, Vec<u8>)> {
    let mut found = Vec::new();
    for device in card.devices() {
        let id = device.certificate().device;
        if card.check(id, now).is_err() {
            continue;
        }
        let whose = Member { account, device: id };
        let adds = |bytes: &&[u8]| {
            KeyPackage::read(bytes, network, now).is_ok_and(|key_package| key_package.member() == whose)
        };
        let packages = device.key_packages().iter().rev();
        if let Some(bytes) = packages.map(|package| package.as_bytes()).find(adds) {
            found.push((id, bytes.to_vec()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::cards;
    use crate::limits::KEY_PACKAGE_LIFE_MS;
    use crate::tests::{CHEAP, Person, TestNode, World, options, until};

    /// The account's card as one of its devices holds it.
    fn card(client: &Client, network: Hash) -> Option<Card> {
        let found = client.core.store().read(|tx| cards::own_card(tx, network)).unwrap();
        found.map(|(_, card)| card)
    }

    /// The devices that could be added now, by the card that a device of the account holds.
    fn usable_devices(client: &Client, account: AccountId, network: Hash) -> Vec<DeviceId> {
        let now = client.core.clock.now();
        let found = card(client, network).map(|card| usable(&card, (account, network), now));
        found.into_iter().flatten().map(|(device, _)| device).collect()
    }

    /// Rounds until the card says so.
    async fn shows(client: &Client, network: Hash, what: &str, holds: impl Fn() -> bool) {
        until(what, || async {
            client.refresh().await.unwrap();
            !client.devices(network).await.unwrap().waiting && holds()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_package_adds_its_own_account_on_its_own_ledger_in_its_own_time_and_else_nobody() {
        let world = World::new("test");
        let node = TestNode::honest(&world);
        let ada = Person::on("Ada", &world, &[&node]).await;
        let network = world.network();
        ada.client.publish_account(network).await.unwrap();
        let me = ada.client.account().await.unwrap();
        let offers = || usable_devices(&ada.client, me.id, network) == [me.device];
        shows(&ada.client, network, "the device offers keys", offers).await;
        let (card, now) = (card(&ada.client, network).unwrap(), ada.client.core.clock.now());
        let count = |account, network, now| usable(&card, (account, network), now).len();
        assert_eq!(count(me.id, network, now), 1);
        assert_eq!(count(AccountId([7; 32]), network, now), 0, "somebody else's account");
        assert_eq!(count(me.id, Hash([7; 32]), now), 0, "another ledger");
        assert_eq!(
            count(me.id, network, now + KEY_PACKAGE_LIFE_MS - 3_600_000),
            1,
            "shortly before its end"
        );
        assert_eq!(
            count(me.id, network, now + KEY_PACKAGE_LIFE_MS + 3_600_000),
            0,
            "it has expired"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_device_that_is_suspended_or_revoked_is_not_added_and_the_others_are() {
        let world = World::new("test");
        let node = TestNode::honest(&world);
        let ada = Person::on("Ada", &world, &[&node]).await;
        let network = world.network();
        ada.client.publish_account(network).await.unwrap();
        let me = ada.client.account().await.unwrap();
        let offers = || usable_devices(&ada.client, me.id, network) == [me.device];
        shows(&ada.client, network, "the first device offers keys", offers).await;
        let home = tempfile::tempdir().unwrap();
        let phrase = ada.client.phrase().await.unwrap();
        let new = Client::recover(options(home.path()), "Ada", CHEAP, phrase)
            .await
            .unwrap();
        new.add_network(&world.genesis, &[node.address()]).await.unwrap();
        let this = new.account().await.unwrap().device;
        let found = || usable_devices(&new, me.id, network);
        shows(&new, network, "both offer keys", || found().len() == 2).await;
        new.suspend_device(network, me.device).await.unwrap();
        shows(&new, network, "the first one is suspended", || found() == [this]).await;
        new.lift_device(network, me.device, None).await.unwrap();
        shows(&new, network, "it is good again", || found().len() == 2).await;
        new.revoke_device(network, me.device, None).await.unwrap();
        shows(&new, network, "it is revoked for ever", || found() == [this]).await;
    }
}
