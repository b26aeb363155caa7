//! Evidence that others report: checked, kept once, put into the next block by whoever orders.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::{HashKeys, Meaning};
use waxwing_core::limits::EVIDENCE_MAX;

/// Pieces that are remembered, so that none goes into two blocks.
const KNOWN_MAX: usize = 4096;

#[derive(Debug, Default)]
struct State {
    known: HashSet<Hash>,
    waiting: Vec<Evidence>,
}

/// What a report turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// It holds, and is passed on.
    News,
    /// It holds; it was passed on before, or there is more of it than can be carried.
    Known,
    /// It proves nothing.
    Nothing,
}

/// Evidence that holds and is not in the ledger yet.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<State>);

impl Reports {
    /// Takes a report.
    pub(crate) fn take(&self, bytes: &[u8], keys: &HashKeys, committee: &Committee) -> Report {
        let Ok(evidence) = Evidence::from_bytes(bytes) else {
            return Report::Nothing;
        };
        if evidence.verify(keys, committee).is_err() {
            return Report::Nothing;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = usize::try_from(EVIDENCE_MAX).unwrap_or(usize::MAX);
        // Beyond the bounds it holds all the same; it is only not carried by this node.
        if state.waiting.len() < limit
            && state.known.len() < KNOWN_MAX
            && state.known.insert(keys.hash(Meaning::Evidence, bytes))
        {
            state.waiting.push(evidence);
            return Report::News;
        }
        Report::Known
    }

    /// What the next block carries.
    pub(crate) fn waiting(&self) -> Vec<Evidence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.clone()
    }

    /// Takes what this node saw itself; says whether it is news.
    pub(crate) fn found(&self, keys: &HashKeys, evidence: &Evidence) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = state.known.len() < KNOWN_MAX
            && state.known.insert(keys.hash(Meaning::Evidence, &evidence.to_bytes()));
        if is_news && state.waiting.len() < usize::try_from(EVIDENCE_MAX).unwrap_or(usize::MAX) {
            state.waiting.push(evidence.clone());
        }
        is_news
    }

    /// A block that carries these pieces is durable, whoever proposed it: none goes into a second one.
    pub(crate) fn settle(&self, keys: &HashKeys, carried: &[Evidence]) {
        if carried.is_empty() {
            return;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.retain(|piece| !carried.contains(piece));
        for piece in carried {
            if state.known.len() < KNOWN_MAX {
                state.known.insert(keys.hash(Meaning::Evidence, &piece.to_bytes()));
            }
        }
    }

    /// A block that carries so many of those that waited is durable.
    pub(crate) fn carried(&self, count: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count.min(state.waiting.len());
        state.waiting.drain(..count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::certificate::{Certificate, Head};
    use waxwing_core::genesis::{Genesis, Parameters};
    use waxwing_core::keys::VoteKey;

    fn head(genesis: &Genesis, key: &VoteKey, time: u64) -> Head {
        let mut header = genesis.block();
        header.height = 1;
        header.time = time;
        let id = header.id(&genesis.keys());
        let certificate = Certificate::sign(&genesis.committee(), 0, &header, id, &[key]);
        Head { header, certificate }
    }

    #[test]
    fn evidence_that_holds_waits_for_one_block_and_nonsense_for_none() {
        let key = VoteKey::from_seed(&[1; 32]);
        let genesis = Genesis::new("test", 1, Parameters::DEFAULT, vec![key.public()]).unwrap();
        let (keys, committee, reports) = (genesis.keys(), genesis.committee(), Reports::default());
        let [one, other] = [2, 3].map(|time| head(&genesis, &key, time));
        let evidence = Evidence::of_heads(&keys, one.clone(), other).to_bytes();
        assert_eq!(reports.take(&evidence, &keys, &committee), Report::News);
        assert_eq!(reports.take(&evidence, &keys, &committee), Report::Known);
        assert_eq!(reports.waiting().len(), 1);
        let nothing = Evidence::of_heads(&keys, one.clone(), one).to_bytes();
        assert_eq!(reports.take(&nothing, &keys, &committee), Report::Nothing);
        assert_eq!(reports.take(b"abc", &keys, &committee), Report::Nothing);
        reports.carried(1);
        assert_eq!(
            reports.take(&evidence, &keys, &committee),
            Report::Known,
            "never in two blocks"
        );
        assert_eq!(reports.waiting(), []);
    }
}
