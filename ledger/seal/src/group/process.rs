//! The one way in: an entry of the epoch's log, in certified order, becomes a verdict.
//!
//! ```text
//! body ─ outer seal ─ framing ─┬─ wrong group, epoch, terms ──> void; nothing was touched
//!                              ├─ own bytes ──────────────────> own message; own commit: judge, merge
//!                              └─ others' ─ library ─┬────────> message, wish to leave
//!                                                    ├─ commit: judge, merge; the epoch is closed
//!                                                    ├─ keys that open for others do not open here: stranded
//!                                                    └─ void; roll back
//! ```
//!
//! Whether a commit counts is decided from what all members see. What only one can see is whether the part encrypted to
//! it opens: an author who encrypts rubbish to a single member locks that member out, and cannot be caught by the others.
//! So a commit whose signature and public form hold, and whose secret does not open here, is not called void: this
//! device says that it is **stranded**, stops, and is added afresh. Its voice in the old epoch would reach nobody. It cannot
//! judge what such a commit proposes either: should the others call it void, it has stopped for nothing, and comes back
//! the same way. The same happens to a device whose own keys are gone or are others than the tree says.
//!
//! A commit that does not even decrypt looks alike to those who lost the epoch's secrets and to all others, if somebody
//! posted rubbish or a copy. Were it to strand, one entry of a liar would end the group; so it is void, and told apart
//! ([`Void::ChangeNotOpened`]): the caller shows that something may have been missed until a member, by writing on behind
//! it, shows that nothing was.

use openmls::group::{MergeCommitError, MergePendingCommitError, ProcessMessageError, StageCommitError, StagedCommit};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    ApplyUpdatePathError, LeafNodeIndex, MlsMessageIn, ProcessedMessage, ProcessedMessageContent, Proposal,
    ProtocolMessage, Sender, ValidationError,
};
use openmls::storage::StorageProvider;
use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode};
use waxwing_core::envelope::EnvelopeHeader;
use waxwing_core::keys::LogId;
use zeroize::Zeroizing;

use crate::EpochKeys;
use crate::content::Content;
use crate::engine::OpenError;
use crate::sealer::{Keeping, disclose};

use super::charter::Charter;
use super::commit::SAYS;
use super::member::Member;
use super::provider::Provider;
use super::record::Standing;
use super::rules::{Breach, Effect};
use super::wire::{Carried, ENGINE, Framing, authenticated_data, message_id};
use super::{Group, GroupError, epoch_keys};

/// A certified entry of the epoch's log.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its envelope's header.
    pub header: &'a EnvelopeHeader,
    /// Its body.
    pub body: &'a [u8],
    /// The certified time of its block.
    pub time_ms: u64,
}

/// What an entry turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A member says something.
    Message {
        /// Who.
        by: Member,
        /// How long the body is meant to live.
        keeping: Keeping,
        /// What.
        content: Box<Content>,
    },
    /// An own message has appeared, under the id it was sealed with.
    Own(Hash),
    /// A member wishes to leave.
    Leaving(Member),
    /// A commit came true, and the epoch is over. The next log is in [`Group::keys`].
    Closed(Box<Closed>),
    /// The own commit appeared, and meanwhile the rules do not allow it any more. It is forgotten.
    Withdrawn(Breach),
    /// A commit that others may be able to follow cannot be followed here.
    Stranded,
    /// It is nothing, for every member.
    Void(Void),
}

impl Verdict {
    /// Whether the library's state has to be rolled back to before the entry. The record is stored all the same.
    #[must_use]
    pub const fn changed_nothing(&self) -> bool {
        matches!(self, Self::Stranded | Self::Void(_))
    }
}

/// How an epoch ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// Whose commit it was.
    pub by: Member,
    /// The log that ended.
    pub log: LogId,
    /// Who came.
    pub added: Vec<Member>,
    /// Who went. A device that went and came was added afresh: what it missed in between, it will not read.
    pub removed: Vec<Member>,
    /// The charter, if it changed.
    pub charter: Option<Charter>,
    /// The own commit that another came before. What it was to change is proposed again, if it still makes sense.
    pub overtaken: Option<Hash>,
    /// Own messages that the log of the epoch does not hold: they are sealed again for the next.
    pub left_behind: Vec<Hash>,
}

/// Why an entry is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Void {
    /// The outer layers do not hold: another log, for one, as of everything behind the commit that closed an epoch.
    Outer(OpenError),
    /// What is inside is not an encrypted group message, or says nothing that a member can say.
    Malformed(CodecError),
    /// It belongs to another group or epoch.
    OtherEpoch,
    /// Its author bound it to other terms than the envelope states: somebody reposted it.
    OtherTerms,
    /// It has to stay for ever, and its envelope lets it go. Whatever decides about members is encrypted by a ratchet of
    /// its own, in which so no body is ever missing: else who reads late might not open what others have obeyed.
    NotKept,
    /// It does not decrypt: a replay, a forgery, or too far out of order.
    NotOpened,
    /// It does not decrypt or does not lead where it says, and may be a change of the group: a replay or a forgery; or this
    /// device has lost what it needs to follow.
    ChangeNotOpened,
    /// Its signature does not count.
    BadSignature,
    /// It is a commit that is not well formed, or proposes what cannot be.
    BadCommit,
    /// It is a commit that breaks a rule of the group, or a proposal of something else than to leave.
    Breach(Breach),
}

/// An entry that may be decrypted.
struct Framed {
    message: Vec<u8>,
    keeping: Keeping,
    carried: Carried,
}

/// Why the library's refusal is what it is.
enum Refusal {
    Void(Void),
    Stranded,
    Storage,
}

impl Group {
    /// Takes the next entry of the epoch's log.
    ///
    /// # Errors
    /// If this device cannot follow the group, an earlier entry was not restored, or the storage refuses; never because
    /// of the entry.
    pub fn process<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        entry: &Entry<'_>,
    ) -> Result<Verdict, GroupError> {
        let keys = self.ready()?;
        let Framed {
            message,
            keeping,
            carried,
        } = match self.framed(&keys, entry) {
            Ok(framed) => framed,
            Err(void) => return Ok(Verdict::Void(void)),
        };
        let id = message_id(&message);
        if self.record.pending == Some(id) {
            return self.close_own(provider, entry.time_ms);
        }
        if self.record.outstanding.remove(&id) {
            if self.record.leave == Some(id) {
                self.record.leaving.insert(self.mls.own_leaf_index().u32());
            }
            return Ok(Verdict::Own(id));
        }
        // Until it has turned out otherwise, keys may have been used up that must not be.
        self.stale = true;
        let verdict = match self.decrypted(provider, &message) {
            Ok(processed) => self.accept(provider, processed, keeping, entry.time_ms)?,
            Err(Refusal::Void(void)) => Verdict::Void(void),
            Err(Refusal::Stranded) => {
                self.strand();
                Verdict::Stranded
            }
            Err(Refusal::Storage) => return Err(GroupError::Storage),
        };
        let verdict = match (verdict, carried) {
            (Verdict::Void(Void::NotOpened), Carried::Handshake) => Verdict::Void(Void::ChangeNotOpened),
            (verdict, _) => verdict,
        };
        self.stale = verdict.changed_nothing();
        Ok(verdict)
    }

    /// Stops following: this device is to be added afresh. For a caller who knows more than one entry says.
    pub const fn strand(&mut self) {
        self.record.standing = Standing::Stranded;
    }

    /// Everything that can be checked before a key is used up. Gives the library's bytes.
    fn framed(&self, keys: &EpochKeys, entry: &Entry<'_>) -> Result<Framed, Void> {
        let (message, keeping, binding) =
            disclose(&self.hash_keys, keys, entry.header, entry.body).map_err(Void::Outer)?;
        let (engine, mls) = message.split_first().ok_or(Void::Malformed(CodecError::Truncated))?;
        if *engine != ENGINE {
            return Err(Void::Outer(OpenError::UnknownEngine(*engine)));
        }
        let framing = Framing::read(mls).map_err(Void::Malformed)?;
        if framing.group != self.record.group || framing.epoch != self.epoch() {
            return Err(Void::OtherEpoch);
        }
        if framing.authenticated_data != authenticated_data(&binding) {
            return Err(Void::OtherTerms);
        }
        if framing.carried == Carried::Handshake && keeping != Keeping::Stays {
            return Err(Void::NotKept);
        }
        Ok(Framed {
            message: mls.to_vec(),
            keeping,
            carried: framing.carried,
        })
    }

    fn decrypted<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        message: &[u8],
    ) -> Result<ProcessedMessage, Refusal> {
        let malformed = |_| Refusal::Void(Void::Malformed(CodecError::BadValue));
        let message = MlsMessageIn::tls_deserialize_exact_bytes(message).map_err(malformed)?;
        let message: ProtocolMessage = message
            .try_into_protocol_message()
            .map_err(|_| Refusal::Void(Void::Malformed(CodecError::BadValue)))?;
        self.mls
            .process_message(provider, message)
            .map_err(|error| refusal(&error))
    }

    fn accept<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        processed: ProcessedMessage,
        keeping: Keeping,
        time_ms: u64,
    ) -> Result<Verdict, GroupError> {
        let Sender::Member(author) = *processed.sender() else {
            return Ok(Verdict::Void(Void::BadCommit));
        };
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(said) => {
                let said = Zeroizing::new(said.into_bytes());
                Ok(self.hear(author, &said, keeping).unwrap_or_else(Verdict::Void))
            }
            ProcessedMessageContent::ProposalMessage(proposal) => {
                Ok(self.wish(author, proposal.proposal()).unwrap_or_else(Verdict::Void))
            }
            ProcessedMessageContent::StagedCommitMessage(commit) => match self.before(time_ms).judge(author, &commit) {
                Ok(effect) => self.close(provider, effect, Some(*commit)),
                Err(breach) => Ok(Verdict::Void(Void::Breach(breach))),
            },
            _ => Ok(Verdict::Void(Void::NotOpened)),
        }
    }

    /// A proposal on its own counts as its author's wish to leave, or as nothing. It is not kept: no commit refers to it.
    fn wish(&mut self, author: LeafNodeIndex, proposal: &Proposal) -> Result<Verdict, Void> {
        match proposal {
            Proposal::Remove(remove) if remove.removed() == author => {
                let by = self.author(author)?;
                self.record.leaving.insert(author.u32());
                Ok(Verdict::Leaving(by))
            }
            _ => Err(Void::Breach(Breach::OtherProposal)),
        }
    }

    fn author(&self, author: LeafNodeIndex) -> Result<Member, Void> {
        let leaf = self.mls.public_group().leaf(author);
        leaf.and_then(Member::known).ok_or(Void::NotOpened)
    }

    fn hear(&self, author: LeafNodeIndex, said: &[u8], keeping: Keeping) -> Result<Verdict, Void> {
        let by = self.author(author)?;
        match said.split_first() {
            Some((&SAYS, content)) => Ok(Verdict::Message {
                by,
                keeping,
                content: Box::new(Content::from_bytes(content).map_err(Void::Malformed)?),
            }),
            _ => Err(Void::Malformed(CodecError::BadValue)),
        }
    }

    /// The own commit has come first in the ledger's order. It is judged like everybody else's, at the time of its block:
    /// what was allowed when it was proposed may not be now, and the others would not follow.
    fn close_own<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        time_ms: u64,
    ) -> Result<Verdict, GroupError> {
        self.stale = true;
        let commit = self.mls.pending_commit().ok_or(GroupError::NoSuchGroup)?;
        let verdict = match self.before(time_ms).judge(self.mls.own_leaf_index(), commit) {
            Ok(effect) => self.close(provider, effect, None)?,
            Err(breach) => {
                use openmls_traits::OpenMlsProvider as _;
                self.mls
                    .clear_pending_commit(provider.storage())
                    .map_err(|_| GroupError::Storage)?;
                self.record.pending = None;
                Verdict::Withdrawn(breach)
            }
        };
        self.stale = false;
        Ok(verdict)
    }

    /// Makes a commit true: another's, or the own one that was kept aside. Another's first clears the own.
    fn close<S: StorageProvider>(
        &mut self,
        provider: &Provider<'_, S>,
        effect: Effect,
        commit: Option<StagedCommit>,
    ) -> Result<Verdict, GroupError> {
        let log = self.keys.as_ref().map(EpochKeys::log).ok_or(GroupError::NotAMember)?;
        let overtaken = self.record.pending.filter(|_| commit.is_some());
        match commit {
            Some(commit) => self.mls.merge_staged_commit(provider, commit).map_err(merge_error)?,
            None => self.mls.merge_pending_commit(provider).map_err(pending_error)?,
        }
        let keys = epoch_keys(&self.mls, provider, self.record.network)?;
        if keys.is_none() {
            self.record.standing = Standing::Removed;
        } else {
            self.renew()?;
        }
        self.keys = keys;
        Ok(Verdict::Closed(Box::new(Closed {
            by: effect.by,
            log,
            added: effect.added,
            removed: effect.removed,
            charter: effect.charter,
            overtaken,
            left_behind: self.record.end_epoch(),
        })))
    }

    /// Takes over what the new epoch says about itself.
    pub(super) fn renew(&mut self) -> Result<(), GroupError> {
        let authenticator = self.mls.epoch_authenticator().as_slice().to_vec();
        if authenticator == self.authenticator {
            return Err(GroupError::SameAuthenticator);
        }
        self.charter = Charter::of(self.mls.extensions()).map_err(|_| GroupError::Library)?;
        self.authenticator = authenticator;
        Ok(())
    }
}

fn merge_error<E>(error: MergeCommitError<E>) -> GroupError {
    match error {
        MergeCommitError::StorageError(_) => GroupError::Storage,
        _ => GroupError::Library,
    }
}

fn pending_error<E>(error: MergePendingCommitError<E>) -> GroupError {
    match error {
        MergePendingCommitError::MergeCommitError(error) => merge_error(error),
        _ => GroupError::Library,
    }
}

/// Sorts the library's refusals by who sees them: everybody (void), only this device (stranded), nobody else (storage).
fn refusal<E>(error: &ProcessMessageError<E>) -> Refusal {
    match error {
        ProcessMessageError::StorageError(_) => Refusal::Storage,
        ProcessMessageError::ValidationError(ValidationError::InvalidSignature) => Refusal::Void(Void::BadSignature),
        ProcessMessageError::InvalidCommit(error) if opens_for_others(error) => Refusal::Stranded,
        // Who has other secrets of this epoch computes another one for the next.
        ProcessMessageError::InvalidCommit(StageCommitError::ConfirmationTagMismatch) => {
            Refusal::Void(Void::ChangeNotOpened)
        }
        ProcessMessageError::InvalidCommit(_) => Refusal::Void(Void::BadCommit),
        _ => Refusal::Void(Void::NotOpened),
    }
}

/// Whether the fault lies in what was encrypted to this device alone, or in the keys it has for that. The library says that
/// the sender is missing when no own key is found that the path was encrypted to. A fault inside the library counts as one:
/// going on in the old epoch while others do not would be silent.
const fn opens_for_others(error: &StageCommitError) -> bool {
    use ApplyUpdatePathError::{
        LibraryError, MissingCiphertext, MissingOwnLeaf, MissingSender, PathMismatch, UnableToDecrypt,
    };
    match error {
        StageCommitError::LibraryError(_) | StageCommitError::MissingDecryptionKey => true,
        StageCommitError::UpdatePathError(error) => matches!(
            error,
            LibraryError(_) | MissingCiphertext | MissingOwnLeaf | MissingSender | PathMismatch | UnableToDecrypt
        ),
        _ => false,
    }
}
