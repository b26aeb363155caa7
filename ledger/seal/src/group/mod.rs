//! Groups: MLS (RFC 9420) in the order that the ledger gives it.
//!
//! ```text
//!   epoch e, its own log                                  epoch e + 1, another log, unlinkable
//!   ┌─────────┬─────────┬──────────┬─────────┬────────┐   ┌─────────┬──
//!   │ message │ message │ COMMIT a │ commit b│ message│   │ message │      commit a is first in the ledger's order: it
//!   └─────────┴─────────┴────┬─────┴─────────┴────────┘   └─────────┴──    closes the epoch. What follows on that log
//!                            └── exporter ──> log key, seal key ──┘        is void, for everybody.
//! ```
//!
//! A member **proposes** a commit, which changes nothing yet; all members **process** the entries of the epoch's log in
//! certified order, and the first commit that keeps the rules becomes true, whoever wrote it. An own commit that
//! came second is forgotten. Nobody merges on sending, so nobody can be alone in an epoch.
//!
//! # The caller's part
//!
//! State lies in the storage that each call is lent, and in [`Group::record`]. One transaction holds one step:
//!
//! ```text
//! send     begin; seal or propose; store the result and the record; commit; only then submit
//! receive  begin; for each entry { savepoint; process; if it changed nothing { roll back to the savepoint; restore } }
//!          store the record and the cursor; commit
//! ```
//!
//! Rolling back matters: an entry that fails after it was decrypted has used up a key, and with a signature that does not
//! count it may have been an honest member's, whose true message comes behind it.
//! After such an entry the group refuses to go on until [`Group::restore`] has read the rolled back state.
//!
//! The seam [`crate::GroupEngine`] is not used here: it opens a body to a content, and on a group's log the same call has
//! to judge commits and wishes to leave. Layers 1, 2 and 4 are those of every channel.
//!
//! Read in this order: `rules`, `process`, `commit`, `charter`, `member`, `key_package`, `join`, `wire`, `record`.

mod charter;
mod commit;
mod join;
mod key_package;
pub mod limits;
mod member;
mod process;
mod provider;
mod record;
mod rules;
mod wire;
mod words;

use core::fmt;

use openmls::group::{GroupId, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY};
use openmls::prelude::{Ciphersuite, SenderRatchetConfiguration};
use openmls::storage::StorageProvider;
use openmls_traits::OpenMlsProvider;
use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::envelope::EnvelopeHeader;
use waxwing_core::{Hash, HashKeys};
use zeroize::Zeroizing;

use crate::EpochKeys;
use crate::sealer::no_erase;

pub use charter::{BadCharter, Charter, GroupKind, GroupName, HistoryRule};
pub use commit::{Change, Outgoing, Proposed, Welcome};
pub use join::{JoinError, Joined};
pub use key_package::{KeyPackage, KeyPackageFault, Lifetime};
pub use member::{LeafFault, Member, Myself};
pub use process::{Closed, Entry, Verdict, Void};
pub use provider::Provider;
pub use record::Standing;
pub use rules::Breach;

use charter::CHARTER_EXTENSION;
use key_package::{LIFETIME_EXTENSION, any_time};
use record::Record;

/// The one suite that groups have today: hybrid of ML-KEM-768 and X25519, AES-256-GCM, SHA-384, Ed25519. Its number,
/// 0x004e, is provisional; that is why every record names its group's.
pub(crate) const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

/// Labels of the exporter. `// SPEC 22.8`
const LOG_KEY_LABEL: &str = "waxwing v1 group log key";
const SEAL_KEY_LABEL: &str = "waxwing v1 group seal key";

/// Why a group cannot do what it was asked to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupError {
    /// The storage refused.
    Storage,
    /// The library refused what it should have accepted.
    Library,
    /// An entry failed, and the state before it has not been read again.
    NotRestored,
    /// This device is not a member any more, or cannot follow.
    NotAMember,
    /// An own commit waits for the ledger: there is one at a time.
    CommitPending,
    /// This device has said in this epoch that it wishes to leave.
    AlreadyLeaving,
    /// The commit would be void.
    Refused(Breach),
    /// No such device in the group.
    UnknownMember,
    /// It does not fit into the largest body.
    TooLong,
    /// Too many own messages have not appeared on the log.
    TooManyOutstanding,
    /// The merged commit left the epoch's authenticator as it was: going on would be going on with the old secrets.
    SameAuthenticator,
    /// The record is none of ours.
    BadRecord(CodecError),
    /// The record is of a group in another suite.
    OtherSuite,
    /// The storage and the record do not belong together.
    NoSuchGroup,
}

/// One group, as one device sees it.
pub struct Group {
    mls: MlsGroup,
    hash_keys: HashKeys,
    record: Record,
    charter: Charter,
    /// None after this device was removed.
    keys: Option<EpochKeys>,
    /// The authenticator of the epoch that the last step left behind.
    authenticator: Vec<u8>,
    /// Whether a step failed whose traces may still be there.
    stale: bool,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("epoch", &self.epoch())
            .field("members", &self.members().len())
            .field("standing", &self.record.standing)
            .finish_non_exhaustive()
    }
}

/// How every device holds its groups: nothing readable on the wire, no keys of past epochs (their entries are void), and
/// as much disorder as the ledger can make.
fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(0)
        .padding_size(0)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(ratchets())
        .build()
}

fn ratchets() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(limits::OUT_OF_ORDER_MAX, limits::FORWARD_MAX)
}

impl Group {
    /// Founds a group of this device alone. Its first log is of no use to anybody else; others come by a commit.
    ///
    /// # Errors
    /// If the charter leaves this device's account out, or the storage refuses.
    pub fn create<S: StorageProvider>(
        provider: &Provider<'_, S>,
        network: Hash,
        myself: &Myself,
        charter: &Charter,
    ) -> Result<Self, GroupError> {
        rules::check_accounts(charter, &[myself.member()]).map_err(GroupError::Refused)?;
        let id: [u8; 32] = provider.draw();
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .max_past_epochs(0)
            .padding_size(0)
            .use_ratchet_tree_extension(false)
            .sender_ratchet_configuration(ratchets())
            .lifetime(any_time())
            .capabilities(member::capabilities())
            .with_group_context_extensions(charter.extensions())
            .build();
        let group_id = GroupId::from_slice(&id);
        let mls = MlsGroup::new_with_group_id(provider, myself, &config, group_id, myself.credential())
            .map_err(|_| GroupError::Library)?;
        Self::around(mls, provider, Record::new(network, SUITE.into(), id))
    }

    /// Reads a group back from the storage and the record that were written together.
    ///
    /// # Errors
    /// If either is missing or unreadable.
    pub fn load<S: StorageProvider>(provider: &Provider<'_, S>, record: &[u8]) -> Result<Self, GroupError> {
        let record = Record::from_bytes(record).map_err(GroupError::BadRecord)?;
        if record.suite != u16::from(SUITE) {
            return Err(GroupError::OtherSuite);
        }
        let mls = Self::stored(provider, &record)?;
        Self::around(mls, provider, record)
    }

    fn stored<S: StorageProvider>(provider: &Provider<'_, S>, record: &Record) -> Result<MlsGroup, GroupError> {
        MlsGroup::load(provider.storage(), &GroupId::from_slice(&record.group))
            .map_err(|_| GroupError::Storage)?
            .ok_or(GroupError::NoSuchGroup)
    }

    fn around<S: StorageProvider>(
        mls: MlsGroup,
        provider: &Provider<'_, S>,
        record: Record,
    ) -> Result<Self, GroupError> {
        Ok(Self {
            charter: Charter::of(mls.extensions()).map_err(|_| GroupError::NoSuchGroup)?,
            keys: epoch_keys(&mls, provider, record.network)?,
            authenticator: mls.epoch_authenticator().as_slice().to_vec(),
            hash_keys: HashKeys::new(record.network),
            mls,
            record,
            stale: false,
        })
    }

    /// Reads the state again after a step that failed or an entry that changed nothing, once the caller has rolled its
    /// traces back. Does nothing if there can be no traces.
    ///
    /// # Errors
    /// If the storage does not hold the epoch that the last good step left behind.
    pub fn restore<S: StorageProvider>(&mut self, provider: &Provider<'_, S>) -> Result<(), GroupError> {
        if !self.stale {
            return Ok(());
        }
        let mls = Self::stored(provider, &self.record)?;
        let same = mls.pending_commit().is_some() == self.record.pending.is_some()
            && mls.epoch_authenticator().as_slice() == self.authenticator;
        if !same {
            return Err(GroupError::NoSuchGroup);
        }
        self.mls = mls;
        self.stale = false;
        Ok(())
    }

    /// Forgets the group: its state leaves the storage, and with it everything that could open its messages.
    ///
    /// # Errors
    /// If the storage refuses.
    pub fn forget<S: StorageProvider>(mut self, provider: &Provider<'_, S>) -> Result<(), GroupError> {
        self.mls.delete(provider.storage()).map_err(|_| GroupError::Storage)
    }

    /// What has to be stored beside the library's state, in the same transaction. Holds no secrets.
    #[must_use]
    pub fn record(&self) -> Vec<u8> {
        self.record.to_bytes()
    }

    /// Whether this device can follow the group.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.record.standing
    }

    /// The group's number of commits so far.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.mls.epoch().as_u64()
    }

    /// What all members of the epoch share and nobody else: equal on two devices exactly if they agree about everything
    /// that ever happened in the group. People compare it in person, tests in earnest.
    #[must_use]
    pub fn authenticator(&self) -> &[u8] {
        &self.authenticator
    }

    /// The suite's number, as the record has it.
    #[must_use]
    pub const fn suite(&self) -> u16 {
        self.record.suite
    }

    /// The keys of the present epoch; none after this device was removed. Whoever keeps a copy drops it with the epoch.
    #[must_use]
    pub const fn keys(&self) -> Option<&EpochKeys> {
        self.keys.as_ref()
    }

    /// What the group is, and who may change it.
    #[must_use]
    pub const fn charter(&self) -> &Charter {
        &self.charter
    }

    /// All devices in the group, in the order of their leaves.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        rules::members(&self.mls)
    }

    /// Whether an entry of the present log must stay, by its header alone. A body of such that a node does not have is
    /// waited for: it may decide who is a member. Any other that is missing was erased or has expired, and is passed over.
    #[must_use]
    pub fn must_stay(&self, header: &EnvelopeHeader) -> bool {
        self.keys.as_ref().is_some_and(|keys| {
            header.log == keys.log() && header.erasure == no_erase(keys.seal_key(), header.body_hash)
        })
    }

    /// Whether an own commit waits for the ledger.
    #[must_use]
    pub const fn has_pending_commit(&self) -> bool {
        self.record.pending.is_some()
    }

    /// The keys, if this device may write and nothing is left over from an entry that failed.
    fn ready(&self) -> Result<EpochKeys, GroupError> {
        if self.stale {
            return Err(GroupError::NotRestored);
        }
        match (self.record.standing, &self.keys) {
            (Standing::Member, Some(keys)) => Ok(keys.clone()),
            _ => Err(GroupError::NotAMember),
        }
    }
}

/// The log and the seal of an epoch. The network is the exporter's context: a group carried to another network has other
/// logs there.
fn epoch_keys<S: StorageProvider>(
    mls: &MlsGroup,
    provider: &Provider<'_, S>,
    network: Hash,
) -> Result<Option<EpochKeys>, GroupError> {
    if !mls.is_active() {
        return Ok(None);
    }
    let export = |label| -> Result<Zeroizing<[u8; 32]>, GroupError> {
        let secret = mls.export_secret(provider.crypto(), label, network.as_bytes(), 32);
        let secret = Zeroizing::new(secret.map_err(|_| GroupError::Library)?);
        let secret = secret.as_slice().try_into().map_err(|_| GroupError::Library)?;
        Ok(Zeroizing::new(secret))
    };
    let (log_seed, seal_key) = (export(LOG_KEY_LABEL)?, export(SEAL_KEY_LABEL)?);
    Ok(Some(EpochKeys::new(&log_seed, &seal_key)))
}

#[cfg(test)]
mod tests;
