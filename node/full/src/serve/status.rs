//! What a node says about itself: to its peers, who do not believe it, and to its operator, who has to act on it.

use serde::Serialize;
use waxwing_core::evidence::Evidence;
use waxwing_core::keys::NodeId;
use waxwing_net::wire::limits::{POLICY_BYTES_MAX, SOFTWARE_BYTES_MAX};
use waxwing_net::wire::{Access, List, Peer, Progress, Reply, Response, Retention, Role, Status, Submitters, Text};
use waxwing_store::Tables;

use super::{CommitteeReport, Serving};
use crate::chunks::ChunkStatus;
use crate::meter::Levels;

/// What does not change while a node runs.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Name and version of the program.
    pub(crate) software: Text<SOFTWARE_BYTES_MAX>,
    /// Whose envelopes it takes.
    pub(crate) submitters: Submitters,
    /// What the operator says about it.
    pub(crate) policy: Text<POLICY_BYTES_MAX>,
    /// Nodes that the settings name as upstream nodes: not those known as validators alone.
    pub(crate) upstreams: Vec<NodeId>,
}

/// A node, for its operator. The fields are what `/status` shows as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NodeStatus {
    /// Name and version of this form.
    pub schema: &'static str,
    /// Name and version of the program.
    pub software: String,
    /// The network id.
    pub network: String,
    /// "validator" or "follower".
    pub role: &'static str,
    /// Height of the newest block.
    pub height: u64,
    /// Its id.
    pub head: String,
    /// When it was ordered, ms since 1970.
    pub head_time_ms: u64,
    /// Entries in the ledger.
    pub entries: u64,
    /// Logs in the ledger.
    pub logs: u64,
    /// "joined" while what came before a snapshot is filled in, "verifying" while upstream nodes have shown newer blocks,
    /// else "verified".
    pub progress: &'static str,
    /// The height that it aims for; `height` if there is none beyond.
    pub target: u64,
    /// Height of the snapshot that it joined at, while what came before is filled in.
    pub joined: Option<u64>,
    /// Height up to which everything since the genesis was checked here.
    pub verified: u64,
    /// What waits for a block.
    pub pool: PoolStatus,
    /// Bytes that the database takes on disk.
    pub disk_bytes: u64,
    /// Pieces of attachments that it keeps.
    pub chunks: ChunkStatus,
    /// Whether two certified histories were seen, so that nothing more is copied.
    pub is_halted: bool,
    /// Upstream nodes. A node that votes has links to the other validators instead, so those are none.
    pub upstreams: Vec<UpstreamReport>,
    /// Who votes on the next block.
    pub committee: CommitteeReport,
    /// The other validators, if this node is one.
    pub links: Vec<LinkReport>,
    /// Signed contradictions that this node knows of, newest last.
    pub evidence: Vec<EvidenceReport>,
}

/// Another validator, for the operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LinkReport {
    /// Its vote key.
    pub validator: String,
    /// Whether it listens to this node.
    pub listens: bool,
    /// Where this node listens to it: key and place. Nothing if it does not at the moment.
    pub heard_at: Option<String>,
}

/// A signed contradiction, for the operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EvidenceReport {
    /// "two_votes" names a validator, "two_heads" the committee.
    pub kind: &'static str,
    /// The height that it is about.
    pub height: u64,
    /// The vote key of the validator that contradicted itself, if it is known which one did.
    pub validator: Option<String>,
}

impl EvidenceReport {
    fn of(evidence: &Evidence) -> Self {
        let (kind, validator) = match evidence {
            Evidence::TwoVotes(votes) => ("two_votes", Some(votes.validator.to_string())),
            Evidence::TwoHeads(_) => ("two_heads", None),
        };
        Self {
            kind,
            height: evidence.height(),
            validator,
        }
    }
}

/// What waits for a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PoolStatus {
    /// Envelopes.
    pub envelopes: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An upstream node, for the operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UpstreamReport {
    /// Key and place.
    pub address: String,
    /// Whether there is a connection.
    pub is_connected: bool,
    /// Whether it says that it orders.
    pub is_validator: bool,
    /// Whether blocks are copied from it now.
    pub is_in_use: bool,
    /// Height of the newest head that it showed and that was verified here.
    pub announced: u64,
    /// The last thing that was wrong with it.
    pub fault: Option<String>,
    /// When that was, ms since 1970.
    pub fault_time_ms: Option<u64>,
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
            role: self.role(),
            progress: self.progress(tip.height),
            access: Access {
                submit: facts.submitters,
                policy: facts.policy,
                quota_bytes: self.disk.quota_bytes(),
                used_bytes: self.disk.used_bytes(),
            },
            retention: Retention::AsAsked,
        })))
    }

    fn role(&self) -> Role {
        let votes = *self.votes.borrow();
        if votes { Role::Validator } else { Role::Follower }
    }

    /// How far this node is. Blocks are checked as they come, so there are none that are only downloaded.
    fn progress(&self, height: u64) -> Progress {
        let target = self.upstreams.announced_height();
        if let Some(gap) = self.chain.store().gap() {
            // Whatever was joined is certified, and what came before is not checked here yet.
            return Progress::Joined {
                joined: gap.joined,
                verified: gap.filled,
            };
        }
        if target > height {
            Progress::Verifying {
                verified: height,
                target,
            }
        } else {
            Progress::Verified { height }
        }
    }

    pub(super) fn peers(&self) -> Response {
        let role = |is_validator: bool| if is_validator { Role::Validator } else { Role::Follower };
        let connections = self.upstreams.connections();
        let peers = self.upstreams.status().into_iter().filter_map(|upstream| {
            let connection = connections
                .iter()
                .find(|connection| connection.node() == upstream.address.node)?;
            Some(Peer {
                node: connection.node(),
                address: connection.address(),
                role: role(upstream.is_validator),
            })
        });
        Response::Peers(List::new(peers.take(64).collect()).unwrap_or(List::EMPTY))
    }

    /// For the operator.
    pub(crate) fn report_status(&self) -> NodeStatus {
        let tip = self.chain.tip();
        let (progress, target) = match self.progress(tip.height) {
            Progress::Downloading { target, .. } => ("downloading", target),
            Progress::Verifying { target, .. } => ("verifying", target),
            Progress::Verified { height } => ("verified", height),
            Progress::Joined { .. } => ("joined", self.upstreams.announced_height().max(tip.height)),
        };
        let gap = self.chain.store().gap();
        let (envelopes, bytes) = self.pool_level();
        let votes = self.role() == Role::Validator;
        let mut upstreams = self.upstreams.status();
        upstreams.retain(|upstream| !votes || self.facts.upstreams.contains(&upstream.address.node));
        let upstreams = upstreams.into_iter().map(|upstream| UpstreamReport {
            address: upstream.address.to_string(),
            is_connected: upstream.is_connected,
            is_validator: upstream.is_validator,
            is_in_use: upstream.is_in_use,
            announced: upstream.announced,
            fault_time_ms: upstream.fault.as_ref().map(|(_, time)| *time),
            fault: upstream.fault.map(|(fault, _)| fault.to_string()),
        });
        NodeStatus {
            schema: "waxwing.status/1",
            software: self.facts.software.to_string(),
            network: self.chain.store().keys().network().to_string(),
            role: match self.role() {
                Role::Validator => "validator",
                Role::Follower => "follower",
            },
            height: tip.height,
            head: tip.id.to_string(),
            head_time_ms: tip.time,
            entries: tip.entries,
            logs: tip.logs,
            progress,
            target,
            joined: gap.map(|gap| gap.joined),
            verified: gap.map_or(tip.height, |gap| gap.filled),
            pool: PoolStatus { envelopes, bytes },
            disk_bytes: self.disk.used_bytes(),
            chunks: self.chunks.status(),
            is_halted: self.is_halted(),
            upstreams: upstreams.collect(),
            committee: self.committee(),
            links: self.links.report(),
            evidence: self.reports.shown().iter().map(EvidenceReport::of).collect(),
        }
    }

    /// What is read off for the figures; the server's own are added by whoever holds the server.
    pub(crate) fn levels(&self) -> Levels {
        let tip = self.chain.tip();
        let (pool_envelopes, pool_bytes) = self.pool_level();
        let committee = self.committee();
        let certificate = committee.certificate.as_ref();
        let chunks = self.chunks.status();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Levels {
            height: tip.height,
            entries: tip.entries,
            logs: tip.logs,
            pool_envelopes,
            pool_bytes,
            disk_bytes: self.disk.used_bytes(),
            upstreams_connected: u64::try_from(self.upstreams.connections().len()).unwrap_or(u64::MAX),
            wal_syncs: self.chain.store().syncs(),
            committee_term: committee.term,
            committee_members: count(committee.members.len()),
            certificate_round: certificate.map_or(0, |certificate| u64::from(certificate.round)),
            certificate_signers: certificate.map_or(0, |certificate| count(certificate.signers.len())),
            order_round: committee.round.map_or(0, u64::from),
            links: count(self.links.connections().len()),
            evidence: count(self.reports.shown().len()),
            chunks: chunks.chunks,
            chunk_bytes: chunks.used_bytes,
            chunk_quota_bytes: chunks.quota_bytes,
            ..Levels::default()
        }
    }

    fn pool_level(&self) -> (u64, u64) {
        self.intake.waiting.level()
    }
}
