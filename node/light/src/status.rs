//! What is known about a ledger, for people: what is held, how fresh it is, how the nodes stand and why, the clock.

use serde::Serialize;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::EvidenceFile;
use waxwing_core::follow::Freshness;

use crate::client::Client;
use crate::clock::ClockVerdict;
use crate::error::Error;
use crate::store::networks::{self, KeptFault, Node, Source};
use crate::trust;

/// Reasons that are shown.
const FAULTS_SHOWN: u32 = 50;

/// How old the newest certified word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "freshness")]
pub enum Age {
    /// Nothing newer than this can be withheld.
    Fresh {
        /// Age in ms.
        age_ms: u64,
    },
    /// The end of a conversation may be withheld.
    Stale {
        /// Age in ms.
        age_ms: u64,
    },
    /// Certified time is ahead of this device's clock: nothing can be said.
    Unknown,
}

/// A node and how it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NodeView {
    /// Its key.
    pub node: String,
    /// Where it listens.
    pub address: String,
    /// Whether a person named it, or another node did.
    pub named_by_person: bool,
    /// `fine`, `lags`, `fails` or `lies`.
    pub standing: &'static str,
    /// Until when others are preferred, ms since 1970.
    pub until_ms: Option<u64>,
    /// When it last served.
    pub served_ms: Option<u64>,
}

/// Why a node was left.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FaultView {
    /// The node.
    pub node: String,
    /// When.
    pub time_ms: u64,
    /// A stable word.
    pub code: String,
    /// In a sentence.
    pub says: String,
}

/// A ledger as this client holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NetworkView {
    /// Its id.
    pub network: String,
    /// Its name.
    pub name: String,
    /// Height of the newest head that was checked.
    pub height: u64,
    /// Its block id.
    pub head: String,
    /// Its time, ms since 1970.
    pub head_ms: u64,
    /// Where trust began.
    pub started_at: u64,
    /// Validators.
    pub validators: usize,
    /// How many of them may lie without harm.
    pub tolerated: usize,
    /// Validators that signed the head; none for genesis and pins.
    pub signers: Option<usize>,
    /// How old the newest certified word is.
    pub age: Age,
    /// The device's clock.
    pub clock: ClockVerdict,
    /// Height of a fork that made this client halt.
    pub forked_at: Option<u64>,
    /// Nodes, best first.
    pub nodes: Vec<NodeView>,
    /// Why nodes were left, newest first.
    pub faults: Vec<FaultView>,
    /// What went wrong here, if it still does.
    pub trouble: Option<String>,
}

impl From<Freshness> for Age {
    fn from(freshness: Freshness) -> Self {
        match freshness {
            Freshness::Fresh { age } => Self::Fresh { age_ms: age },
            Freshness::Stale { age } => Self::Stale { age_ms: age },
            Freshness::ClockBehind { .. } => Self::Unknown,
        }
    }
}

impl Client {
    /// What is known about a ledger.
    ///
    /// # Errors
    /// If it is not known here.
    pub async fn status(&self, network: Hash) -> Result<NetworkView, Error> {
        let (row, faults) = self
            .core
            .read::<_, Error>(move |tx| {
                let row = networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
                Ok((row, networks::faults(tx, network, FAULTS_SHOWN)?))
            })
            .await?;
        let nodes = self.core.nodes(network).await?;
        let follow = row.follow();
        let (held, now) = (follow.held(), self.core.clock.now());
        Ok(NetworkView {
            network: network.to_string(),
            name: row.genesis.name.clone(),
            height: held.header.height,
            head: follow.id().to_string(),
            head_ms: held.header.time,
            started_at: row.start.0,
            validators: held.committee.members().len(),
            tolerated: held.committee.tolerated(),
            signers: held
                .certificate
                .as_ref()
                .map(|certificate| certificate.signatures.signers().count()),
            age: follow.freshness(now).into(),
            clock: self.core.judge_clock(network, held.confirmed),
            forked_at: held.halted.as_ref().map(Evidence::height),
            nodes: nodes.iter().map(|node| node_view(node, now)).collect(),
            faults: faults.into_iter().map(fault_view).collect(),
            trouble: self.core.trouble(network).map(|trouble| trouble.to_string()),
        })
    }

    /// All evidence about a ledger: each piece convinces anybody who knows its validators of that time.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn evidence(&self, network: Hash) -> Result<Vec<Vec<u8>>, Error> {
        let evidence = self.core.read(move |tx| networks::evidence(tx, network)).await?;
        Ok(evidence.iter().map(Encode::to_bytes).collect())
    }

    /// The same as files, each of which convinces anybody who knows the genesis. If the committee has changed, nodes are
    /// asked for the changes up to the accused one.
    ///
    /// # Errors
    /// If the store fails, or no node tells how the committee came about.
    pub async fn evidence_files(&self, network: Hash) -> Result<Vec<EvidenceFile>, Error> {
        let evidence = self.core.read(move |tx| networks::evidence(tx, network)).await?;
        let mut files = Vec::with_capacity(evidence.len());
        for piece in evidence {
            files.push(trust::evidence_file(&self.core, network, piece).await?);
        }
        Ok(files)
    }
}

fn node_view(node: &Node, now: u64) -> NodeView {
    NodeView {
        node: node.address.id().to_string(),
        address: node.address.address().to_owned(),
        named_by_person: node.source == Source::Person,
        standing: node.standing.severity.word(),
        until_ms: node.standing.sits_out(now).then_some(node.standing.until),
        served_ms: (node.served > 0).then_some(node.served),
    }
}

fn fault_view(fault: KeptFault) -> FaultView {
    FaultView {
        node: fault.node.to_string(),
        time_ms: fault.time,
        code: fault.code,
        says: fault.sentence,
    }
}
