//! What a device sends: messages, the wish to leave, and commits, which change nothing until the ledger says so.
//!
//! A commit is **proposed**: the library keeps its outcome aside, the sealed body goes to the ledger, and only when it
//! comes back as the first valid commit on the epoch's log does `process` make it true. Each sealed body is durable
//! before it is submitted, and is submitted again as it is: nothing is encrypted twice in one epoch.

use openmls::group::MlsGroup;
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{CommitMessageBundle, LeafNodeIndex, MlsMessageOut};
use openmls::storage::StorageProvider;
use openmls_traits::OpenMlsProvider;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use zeroize::Zeroizing;

use crate::content::Content;
use crate::device::DeviceId;
use crate::engine::{Binding, SealError};
use crate::sealer::{Keeping, Sealed, enclose};

use super::charter::Charter;
use super::key_package::KeyPackage;
use super::limits::OUTSTANDING_MAX;
use super::member::{Member, Myself};
use super::provider::Provider;
use super::rules::{Before, Breach};
use super::wire::{ENGINE, authenticated_data, message_id};
use super::{Group, GroupError};

/// First byte of what a member says: a content follows.
pub(super) const SAYS: u8 = 1;

/// A sealed body, and the name by which `process` will tell that it has appeared on the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Names the message inside, whoever posts it.
    pub id: Hash,
    /// What to submit.
    pub sealed: Sealed,
}

/// What newcomers need, as soon as the commit that adds them is final. The same for all that one commit adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The secrets, encrypted to each newcomer's key package.
    pub message: Vec<u8>,
    /// The members and their public keys. Not encrypted: who sends it, seals it.
    pub tree: Vec<u8>,
}

/// A commit on its way to the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposed {
    /// What to submit.
    pub outgoing: Outgoing,
    /// For those it adds; of no use to anybody unless the commit becomes true.
    pub welcome: Option<Welcome>,
}

/// What a commit is to change. It always renews the keys of its author too; nothing else is a self-update.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Devices to add, at most 32.
    pub add: Vec<KeyPackage>,
    /// Devices to remove. One that is also added is added afresh.
    pub remove: Vec<DeviceId>,
    /// The charter from now on.
    pub charter: Option<Charter>,
}

impl Group {
    /// Seals a content for the present epoch. Durable before it is submitted; the same content again only in a later
    /// epoch.
    ///
    /// # Errors
    /// If it is too long, this device may not write, or the storage refuses. Then the transaction is rolled back and the
    /// group restored.
    pub fn seal<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        myself: &Myself,
        content: &Content,
        keeping: Keeping,
    ) -> Result<Outgoing, GroupError> {
        let erasure = match keeping {
            Keeping::Stays => Hash::ZERO,
            Keeping::Erasable(_) => {
                let secret = myself.key().erasure_secret(self.ready()?.log(), content.salt);
                secret.commitment(&self.hash_keys)
            }
        };
        let said = Zeroizing::new([&[SAYS], content.to_bytes().as_slice()].concat());
        self.say(provider, myself, &said, erasure, keeping)
    }

    /// Says on the log that this device wishes to leave; any member's commit may then remove it. The wish ends with the
    /// epoch: while the device is still a member, it is said again in the next.
    ///
    /// # Errors
    /// As [`Self::seal`]; and if an own commit waits, or it has been said in this epoch. One wish, or its author might know
    /// it by another id than the one that comes first, and call the commit void that all others obey.
    pub fn leave<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        myself: &Myself,
    ) -> Result<Outgoing, GroupError> {
        if self.record.leave.is_some() {
            return Err(GroupError::AlreadyLeaving);
        }
        let binding = self.binding(Hash::ZERO, Keeping::Stays)?;
        if self.record.pending.is_some() {
            return Err(GroupError::CommitPending);
        }
        self.check_outstanding()?;
        self.stale = true;
        self.mls.set_aad(authenticated_data(&binding));
        let wish = self
            .mls
            .leave_group(provider, myself)
            .map_err(|_| GroupError::Library)?;
        // The library would keep it for a commit that refers to it. Commits here bring their own proposals.
        let cleared = self.mls.clear_pending_proposals(provider.storage());
        cleared.map_err(|_| GroupError::Storage)?;
        let outgoing = self.enclosed(provider, &wish, &binding, Keeping::Stays)?;
        self.record.outstanding.insert(outgoing.id);
        self.record.leave = Some(outgoing.id);
        self.stale = false;
        Ok(outgoing)
    }

    pub(super) fn say<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        myself: &Myself,
        said: &[u8],
        erasure: Hash,
        keeping: Keeping,
    ) -> Result<Outgoing, GroupError> {
        let binding = self.binding(erasure, keeping)?;
        self.check_outstanding()?;
        self.stale = true;
        self.mls.set_aad(authenticated_data(&binding));
        let message = self.mls.create_message(provider, myself, said);
        let message = message.map_err(|_| GroupError::Library)?;
        let outgoing = self.enclosed(provider, &message, &binding, keeping)?;
        self.record.outstanding.insert(outgoing.id);
        self.stale = false;
        Ok(outgoing)
    }

    fn check_outstanding(&self) -> Result<(), GroupError> {
        match u32::try_from(self.record.outstanding.len()) {
            Ok(0..OUTSTANDING_MAX) => Ok(()),
            _ => Err(GroupError::TooManyOutstanding),
        }
    }

    /// Proposes a commit. It is refused here if it would be void at this moment; that it counts is for the ledger's order
    /// to say.
    ///
    /// # Errors
    /// If the rules do not allow it, another own commit waits, or the storage refuses. Then the transaction is rolled
    /// back and the group restored.
    pub fn propose<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        myself: &Myself,
        change: &Change,
        now_ms: u64,
    ) -> Result<Proposed, GroupError> {
        let binding = self.binding(Hash::ZERO, Keeping::Stays)?;
        if self.record.pending.is_some() {
            return Err(GroupError::CommitPending);
        }
        let removed = self.leaves(&change.remove)?;
        check_adds(change, now_ms)?;
        self.stale = true;
        self.mls.set_aad(authenticated_data(&binding));
        let bundle = staged(&mut self.mls, provider, myself, change, removed)?;
        let welcome = self.checked(provider, &bundle, now_ms)?;
        let outgoing = self.enclosed(provider, bundle.commit(), &binding, Keeping::Stays)?;
        self.record.pending = Some(outgoing.id);
        self.stale = false;
        Ok(Proposed { outgoing, welcome })
    }

    pub(super) fn binding(&self, erasure: Hash, keeping: Keeping) -> Result<Binding, GroupError> {
        Ok(Binding {
            network: self.hash_keys.network(),
            log: self.ready()?.log(),
            erasure,
            keep_for: keeping.keep_for(),
        })
    }

    pub(super) fn enclosed<S>(
        &self,
        provider: &Provider<'_, S>,
        message: &MlsMessageOut,
        binding: &Binding,
        keeping: Keeping,
    ) -> Result<Outgoing, GroupError> {
        let keys = self.keys.as_ref().ok_or(GroupError::NotAMember)?;
        let mls = message.to_bytes().map_err(|_| GroupError::Library)?;
        let message = [&[ENGINE], mls.as_slice()].concat();
        let sealed = enclose(
            &self.hash_keys,
            keys,
            &message,
            binding.erasure,
            keeping,
            &provider.draw(),
        );
        Ok(Outgoing {
            id: message_id(&mls),
            sealed: sealed.map_err(|error| match error {
                SealError::TooLong | SealError::CounterExhausted => GroupError::TooLong,
            })?,
        })
    }

    fn leaves(&self, devices: &[DeviceId]) -> Result<Vec<LeafNodeIndex>, GroupError> {
        let leaf = |device: &DeviceId| {
            let mut members = self.mls.members();
            let member = members.find(|member| member.signature_key == device.0);
            member.map(|member| member.index).ok_or(GroupError::UnknownMember)
        };
        devices.iter().map(leaf).collect()
    }

    /// Judges the own commit as everybody else will, and prepares what newcomers need.
    fn checked<S: StorageProvider>(
        &self,
        provider: &Provider<'_, S>,
        bundle: &CommitMessageBundle,
        now_ms: u64,
    ) -> Result<Option<Welcome>, GroupError> {
        let pending = self.mls.pending_commit().ok_or(GroupError::Library)?;
        self.before(now_ms)
            .judge(self.mls.own_leaf_index(), pending)
            .map_err(GroupError::Refused)?;
        let Some(message) = bundle.to_welcome_msg() else {
            return Ok(None);
        };
        let tree = pending
            .export_ratchet_tree(provider.crypto(), self.mls.export_ratchet_tree())
            .map_err(|_| GroupError::Library)?
            .ok_or(GroupError::Library)?;
        Ok(Some(Welcome {
            message: message.to_bytes().map_err(|_| GroupError::Library)?,
            tree: tree.tls_serialize_detached().map_err(|_| GroupError::Library)?,
        }))
    }

    /// What the rules look at, for a commit in a block of that time.
    pub(super) const fn before(&self, time_ms: u64) -> Before<'_> {
        Before {
            mls: &self.mls,
            charter: &self.charter,
            network: self.record.network,
            leaving: &self.record.leaving,
            time_ms,
        }
    }

    /// The devices that wish to leave, as far as this epoch's log says.
    #[must_use]
    pub fn leaving(&self) -> Vec<Member> {
        let leaves = self.mls.public_group().treesync().full_leaves();
        leaves
            .filter(|(index, _)| self.record.leaving.contains(&index.u32()))
            .filter_map(|(_, leaf)| Member::known(leaf))
            .collect()
    }
}

/// The library would refuse what does not fit, but not say why.
fn check_adds(change: &Change, now_ms: u64) -> Result<(), GroupError> {
    if u32::try_from(change.add.len()).map_or(true, |count| count > super::limits::ADDS_MAX) {
        return Err(GroupError::Refused(Breach::TooManyAdds));
    }
    change
        .add
        .iter()
        .try_for_each(|key_package| key_package.usable_at(now_ms))
        .map_err(|fault| GroupError::Refused(Breach::KeyPackage(fault)))
}

fn staged<S: StorageProvider>(
    mls: &mut MlsGroup,
    provider: &Provider<'_, S>,
    myself: &Myself,
    change: &Change,
    removed: Vec<LeafNodeIndex>,
) -> Result<CommitMessageBundle, GroupError> {
    let mut builder = mls
        .commit_builder()
        .consume_proposal_store(false)
        .force_self_update(true)
        .propose_adds(change.add.iter().map(KeyPackage::mls))
        .propose_removals(removed);
    if let Some(charter) = &change.charter {
        builder = builder
            .propose_group_context_extensions(charter.extensions())
            .map_err(|_| GroupError::Library)?;
    }
    builder
        .load_psks(provider.storage())
        .map_err(|_| GroupError::Library)?
        .build(provider.rand(), provider.crypto(), myself, |_| true)
        .map_err(|_| GroupError::Library)?
        .stage_commit(provider)
        .map_err(|_| GroupError::Storage)
}
