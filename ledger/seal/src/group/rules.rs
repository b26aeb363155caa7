//! What a commit may do: rules that every member computes alike, from what every member has.
//!
//! The library checks that a commit is well formed and signed by a member; who may do what, it leaves to us. A rule may
//! look at the tree and charter before the commit, at the commit, at the certified time of its block and at what stands
//! before it on the epoch's log. It may not look at a clock, at secrets, or at what a reader has fetched elsewhere: two
//! members who disagree about one commit are in two groups from then on.
//!
//! | who | may |
//! |---|---|
//! | every member | update itself; add devices; remove a device that it adds afresh, or that wishes to leave |
//! | an admin's device | also remove anybody else, rename, choose admins |
//!
//! `// SPEC 22.13`

use std::collections::BTreeSet;

use openmls::group::{MlsGroup, StagedCommit};
use openmls::prelude::{LeafNodeIndex, Proposal};
use waxwing_core::Hash;

use crate::identity::AccountId;

use super::charter::{Charter, GroupKind};
use super::key_package::{KeyPackage, KeyPackageFault};
use super::limits::{ADDS_MAX, DIRECT_ACCOUNTS_MAX, MEMBERS_MAX};
use super::member::{LeafFault, Member};

/// Which rule a commit breaks. It is void, for every member alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// It proposes something that groups here do not do.
    OtherProposal,
    /// It brings no new keys for its author's path.
    NoPath,
    /// It makes its author's device another one, or gives it to another account.
    OtherIdentity,
    /// Its author's new leaf is none that a group has.
    Leaf(LeafFault),
    /// It adds more devices than one commit may.
    TooManyAdds,
    /// The group would have more devices than a group may.
    TooManyMembers,
    /// It adds a device by a key package that does not count, or not at the time of its block.
    KeyPackage(KeyPackageFault),
    /// It removes somebody, or changes the charter, without being an admin's.
    NotAdmin,
    /// It would give the group a charter that no group may have.
    BadCharter,
    /// It changes the charter of a direct channel, or what the group is for.
    FixedCharter,
    /// It would leave no device of any admin in the group.
    NoAdminLeft,
    /// It would bring a third account into a direct channel.
    ThirdAccount,
}

/// What a commit does, if it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Effect {
    pub(super) by: Member,
    pub(super) added: Vec<Member>,
    pub(super) removed: Vec<Member>,
    pub(super) charter: Option<Charter>,
}

/// What the rules look at beside the commit.
pub(super) struct Before<'a> {
    pub(super) mls: &'a MlsGroup,
    pub(super) charter: &'a Charter,
    pub(super) network: Hash,
    /// Leaves whose wish to leave stands on the log before the commit.
    pub(super) leaving: &'a BTreeSet<u32>,
    /// The certified time of the commit's block.
    pub(super) time_ms: u64,
}

impl Before<'_> {
    /// Judges a commit by the member at `author`.
    pub(super) fn judge(&self, author: LeafNodeIndex, commit: &StagedCommit) -> Result<Effect, Breach> {
        let by = self.check_author(author, commit)?;
        let (mut added, mut removed, mut charter) = (Vec::new(), Vec::new(), None);
        for queued in commit.queued_proposals() {
            // By reference there are none: no device keeps proposals, so the library misses what is referred to.
            match queued.proposal() {
                Proposal::Add(add) => added.push(self.check_add(add.key_package())?),
                Proposal::Remove(remove) => removed.push(remove.removed()),
                Proposal::GroupContextExtensions(context) => {
                    charter = Some(Charter::of(context.extensions()).map_err(|_| Breach::BadCharter)?);
                }
                _ => return Err(Breach::OtherProposal),
            }
        }
        if exceeds(added.len(), ADDS_MAX) {
            return Err(Breach::TooManyAdds);
        }
        let removed = self.check_removals(by, &removed, &added)?;
        if let Some(charter) = &charter {
            self.check_charter(by, charter)?;
        }
        let effect = Effect {
            by,
            added,
            removed,
            charter,
        };
        self.check_outcome(&effect)?;
        Ok(effect)
    }

    /// Who wrote the commit, and that it stays who it is.
    fn check_author(&self, author: LeafNodeIndex, commit: &StagedCommit) -> Result<Member, Breach> {
        let before = self.member(author).ok_or(Breach::OtherIdentity)?;
        let leaf = commit.update_path_leaf_node().ok_or(Breach::NoPath)?;
        let after = Member::at(leaf, self.network, self.time_ms).map_err(Breach::Leaf)?;
        if after == before {
            Ok(before)
        } else {
            Err(Breach::OtherIdentity)
        }
    }

    fn check_add(&self, key_package: &openmls::prelude::KeyPackage) -> Result<Member, Breach> {
        let checked = KeyPackage::check(key_package.clone(), self.network, self.time_ms);
        checked.map(|checked| checked.member()).map_err(Breach::KeyPackage)
    }

    fn check_removals(&self, by: Member, removed: &[LeafNodeIndex], added: &[Member]) -> Result<Vec<Member>, Breach> {
        let mut members = Vec::with_capacity(removed.len());
        for leaf in removed {
            let member = self.member(*leaf).ok_or(Breach::OtherProposal)?;
            let wished = self.leaving.contains(&leaf.u32());
            let afresh = added.contains(&member);
            if !wished && !afresh && !self.charter.is_admin(by.account) {
                return Err(Breach::NotAdmin);
            }
            members.push(member);
        }
        Ok(members)
    }

    fn check_charter(&self, by: Member, charter: &Charter) -> Result<(), Breach> {
        if !self.charter.is_admin(by.account) {
            return Err(Breach::NotAdmin);
        }
        let fixed = self.charter.kind() == GroupKind::Direct || charter.kind() != self.charter.kind();
        if fixed { Err(Breach::FixedCharter) } else { Ok(()) }
    }

    /// Rules about the group that the commit would leave behind.
    fn check_outcome(&self, effect: &Effect) -> Result<(), Breach> {
        let mut members = members(self.mls);
        members.retain(|member| !effect.removed.contains(member));
        members.extend(&effect.added);
        if exceeds(members.len(), MEMBERS_MAX) {
            return Err(Breach::TooManyMembers);
        }
        check_accounts(effect.charter.as_ref().unwrap_or(self.charter), &members)
    }

    fn member(&self, leaf: LeafNodeIndex) -> Option<Member> {
        self.mls.public_group().leaf(leaf).and_then(Member::known)
    }
}

fn exceeds(count: usize, limit: u32) -> bool {
    u32::try_from(count).map_or(true, |count| count > limit)
}

/// The rules about accounts that hold in every epoch: somebody can act for the group, and a direct channel is one.
pub(super) fn check_accounts(charter: &Charter, members: &[Member]) -> Result<(), Breach> {
    if !members.iter().any(|member| charter.is_admin(member.account)) {
        return Err(Breach::NoAdminLeft);
    }
    let accounts: BTreeSet<AccountId> = members.iter().map(|member| member.account).collect();
    if charter.kind() == GroupKind::Direct && !accounts.iter().all(|account| charter.is_admin(*account)) {
        return Err(Breach::ThirdAccount);
    }
    Ok(())
}

/// All members, in the order of their leaves.
pub(super) fn members(mls: &MlsGroup) -> Vec<Member> {
    mls.public_group()
        .treesync()
        .full_leaves()
        .filter_map(|(_, leaf)| Member::known(leaf))
        .collect()
}

const _: () = assert!(DIRECT_ACCOUNTS_MAX == 2);
