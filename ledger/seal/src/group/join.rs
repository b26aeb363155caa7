//! Joining by a welcome, which a member sends when the commit that adds this device is final.
//!
//! The welcome's tree is checked like everything that comes in: each leaf is vouched for by its account, the charter is
//! one that a group may have. What a newcomer cannot check is that the ledger's order holds this very commit: a member
//! who welcomes to a commit of its own invention makes a group in which nobody else is, and its log stays empty.
//! Lifetimes are not asked for here: they mattered when the leaves came in, and one that has expired since would keep
//! every newcomer out.

use openmls::group::{StagedWelcome, WelcomeError};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, RatchetTreeIn};
use openmls::storage::StorageProvider;
use waxwing_core::Hash;

use super::charter::Charter;
use super::commit::Welcome;
use super::limits::{MEMBERS_MAX, WELCOME_BYTES_MAX};
use super::member::{LeafFault, Member, Myself};
use super::provider::Provider;
use super::record::{Record, Standing};
use super::rules::{Breach, check_accounts};
use super::{Group, GroupError, SUITE, join_config};

/// A group that has just been joined.
#[derive(Debug)]
pub struct Joined {
    /// The group.
    pub group: Group,
    /// Who added this device.
    pub by: Member,
}

/// Why a welcome leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinError {
    /// It does not decode.
    Malformed,
    /// It is not for any key package whose secrets are in the storage.
    NotForUs,
    /// This device is in that group.
    AlreadyMember,
    /// The old group that was to be replaced is another one, or still works.
    NotReplaceable,
    /// The group has another suite.
    OtherSuite,
    /// Its secrets, signature or tree do not hold.
    BadWelcome,
    /// The charter is none that a group may have.
    BadCharter,
    /// One of the leaves is none that a group has.
    Leaf(LeafFault),
    /// The group as a whole breaks a rule.
    Breach(Breach),
    /// It welcomes another device of ours.
    OtherDevice,
    /// The group could not be taken into use.
    Group(GroupError),
}

impl Group {
    /// Joins. `old` is the group that this device cannot follow any more, or was removed from, when it is added afresh.
    ///
    /// # Errors
    /// The first check that fails; then the transaction is rolled back.
    pub fn join<S: StorageProvider>(
        provider: &Provider<'_, S>,
        network: Hash,
        myself: &Myself,
        welcome: &Welcome,
        old: Option<&Self>,
    ) -> Result<Joined, JoinError> {
        if old.is_some_and(|old| old.standing() == Standing::Member) {
            return Err(JoinError::NotReplaceable);
        }
        let staged = staged(provider, welcome, old)?;
        let context = staged.group_context();
        if context.ciphersuite() != SUITE {
            return Err(JoinError::OtherSuite);
        }
        let id: [u8; 32] = context
            .group_id()
            .as_slice()
            .try_into()
            .map_err(|_| JoinError::BadWelcome)?;
        if old.is_some_and(|old| old.record.group != id || old.record.network != network) {
            return Err(JoinError::NotReplaceable);
        }
        let charter = Charter::of(context.extensions()).map_err(|_| JoinError::BadCharter)?;
        let by = staged.welcome_sender().map_err(|_| JoinError::BadWelcome)?;
        let by = Member::told(by, network).map_err(JoinError::Leaf)?;
        let mls = staged.into_group(provider).map_err(|_| JoinError::BadWelcome)?;
        let leaves = mls.public_group().treesync().full_leaves();
        check_members(&charter, leaves.map(|(_, leaf)| Member::told(leaf, network)))?;
        if mls.own_leaf_node().and_then(Member::known) != Some(myself.member()) {
            return Err(JoinError::OtherDevice);
        }
        let record = Record::new(network, SUITE.into(), id);
        let group = Self::around(mls, provider, record).map_err(JoinError::Group)?;
        Ok(Joined { group, by })
    }
}

fn check_members(charter: &Charter, members: impl Iterator<Item = Result<Member, LeafFault>>) -> Result<(), JoinError> {
    let members: Vec<Member> = members.collect::<Result<_, _>>().map_err(JoinError::Leaf)?;
    if u32::try_from(members.len()).map_or(true, |count| count > MEMBERS_MAX) {
        return Err(JoinError::Breach(Breach::TooManyMembers));
    }
    check_accounts(charter, &members).map_err(JoinError::Breach)
}

fn staged<S: StorageProvider>(
    provider: &Provider<'_, S>,
    welcome: &Welcome,
    old: Option<&Group>,
) -> Result<StagedWelcome, JoinError> {
    let short = |bytes: &[u8]| u32::try_from(bytes.len()).is_ok_and(|length| length <= WELCOME_BYTES_MAX);
    if !short(&welcome.message) || !short(&welcome.tree) {
        return Err(JoinError::Malformed);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(&welcome.message).map_err(|_| JoinError::Malformed)?;
    let MlsMessageBodyIn::Welcome(message) = message.extract() else {
        return Err(JoinError::Malformed);
    };
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&welcome.tree).map_err(|_| JoinError::Malformed)?;
    let mut builder = StagedWelcome::build_from_welcome(provider, &join_config(), message)
        .map_err(join_error)?
        .with_ratchet_tree(tree)
        .skip_lifetime_validation();
    if old.is_some() {
        builder = builder.replace_old_group();
    }
    builder.build().map_err(join_error)
}

fn join_error<E>(error: WelcomeError<E>) -> JoinError {
    match error {
        WelcomeError::NoMatchingKeyPackage => JoinError::NotForUs,
        WelcomeError::GroupAlreadyExists => JoinError::AlreadyMember,
        WelcomeError::CiphersuiteMismatch => JoinError::OtherSuite,
        WelcomeError::StorageError(_) => JoinError::Group(GroupError::Storage),
        _ => JoinError::BadWelcome,
    }
}
