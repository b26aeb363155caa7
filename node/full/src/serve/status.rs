//! What a node says about itself. Shown to people and used to choose a node; never believed.

use waxwing_net::wire::limits::{POLICY_BYTES_MAX, SOFTWARE_BYTES_MAX};
use waxwing_net::wire::{Access, Progress, Reply, Response, Retention, Role, Status, Submitters, Text};
use waxwing_store::Tables;

use super::Serving;

/// What does not change while a node runs.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Whether it votes.
    pub(crate) role: Role,
    /// Name and version of the program.
    pub(crate) software: Text<SOFTWARE_BYTES_MAX>,
    /// Whose envelopes it takes.
    pub(crate) submitters: Submitters,
    /// What the operator says about it.
    pub(crate) policy: Text<POLICY_BYTES_MAX>,
    /// Bytes that the operator lets it take.
    pub(crate) quota_bytes: Option<u64>,
}

impl<T: Tables> Serving<T> {
    pub(super) fn status(&self) -> Reply {
        let tip = self.chain.tip();
        let facts = self.facts.clone();
        Ok(Response::Status(Box::new(Status {
            network: self.chain.store().keys().network(),
            height: tip.height,
            head: tip.id,
            software: facts.software,
            role: facts.role,
            progress: Progress::Verified { height: tip.height },
            access: Access {
                submit: facts.submitters,
                policy: facts.policy,
                quota_bytes: facts.quota_bytes,
                used_bytes: 0,
            },
            retention: Retention::AsAsked,
        })))
    }
}
