//! The committee as an operator is shown it: who votes, who certified the newest block, and where the next one is
//! stuck.

use std::sync::PoisonError;

use serde::Serialize;
use waxwing_store::Tables;

use super::Serving;

/// The committee of the next block, for the operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CommitteeReport {
    /// Its term.
    pub term: u64,
    /// Vote keys of its members, ascending.
    pub members: Vec<String>,
    /// How many of them must sign.
    pub quorum: usize,
    /// How many of them may lie or be gone without harm.
    pub tolerated: usize,
    /// This node's own vote key, if it is one of them.
    pub own: Option<String>,
    /// Whose turn it is to propose the next block.
    pub proposer: Option<String>,
    /// First height of the next term, if a change was agreed on.
    pub next_term_from: Option<u64>,
    /// The round under way at the next height, if this node votes and the height has begun.
    pub round: Option<u32>,
    /// The certificate of the newest block; block 0 has none.
    pub certificate: Option<CertificateReport>,
}

/// A certificate, for the operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CertificateReport {
    /// In which round the block became final: 0 if nothing was in the way.
    pub round: u32,
    /// Vote keys of those who signed. Whoever is not among them was slower, or gone.
    pub signers: Vec<String>,
}

impl<T: Tables> Serving<T> {
    pub(super) fn committee(&self) -> CommitteeReport {
        let (own, under_way) = {
            let voter = self.voter.lock().unwrap_or_else(PoisonError::into_inner);
            (voter.public(), voter.under_way())
        };
        let ledger = self.chain.ledger();
        let (committee, height) = (ledger.committee(), ledger.head().height);
        let signed_by = ledger.ladder().at(height).members();
        let certified = self.chain.store().certified(height).ok().flatten();
        CommitteeReport {
            term: committee.term(),
            members: committee.members().iter().map(ToString::to_string).collect(),
            quorum: committee.quorum(),
            tolerated: committee.tolerated(),
            own: own.map(|own| own.to_string()),
            proposer: ledger.turns().first().map(ToString::to_string),
            next_term_from: ledger.pending().map(|change| change.from_height),
            round: under_way
                .filter(|(begun, _)| *begun == height + 1)
                .map(|(_, round)| round),
            certificate: certified.map(|head| CertificateReport {
                round: head.certificate.round,
                signers: (head.certificate.signatures.signers())
                    .filter_map(|signer| signed_by.get(signer))
                    .map(ToString::to_string)
                    .collect(),
            }),
        }
    }
}
