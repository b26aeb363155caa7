//! A history beside an evidence file: somebody else has found the contradiction, and it is asked on which side one is.
//!
//! Two certified blocks of one height are two histories, whichever of them this one is. Two votes convict the validator
//! that cast both, and take nothing from a history that a quorum certified: that is judged as if it stood alone.

use waxwing_core::Hash;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::{EvidenceFile, convicted};
use waxwing_core::hash::HashKeys;
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::verdict::Verdict;

use super::{CompareError, Comparison, Heads, Held, Outcome, Side, Stop, Which, anchored};
use crate::report::{Anchoring, Network};
use crate::source::SourceKind;

/// Checks evidence, and looks which of its two blocks a history has. `evidence` says which of the two was named as the
/// evidence file.
///
/// # Errors
/// See [`CompareError`].
pub fn compare_with_evidence(
    file: &EvidenceFile,
    history: &mut dyn Heads,
    evidence: Which,
    policy: Option<&Policy>,
) -> Result<Comparison, CompareError> {
    let genesis = history.genesis().clone();
    let kind = history.kind();
    let in_order = |of_file, of_history| match evidence {
        Which::First => [of_file, of_history],
        Which::Second => [of_history, of_file],
    };
    if file.genesis != genesis {
        let (theirs, own) = (file.genesis.network(), genesis.network());
        return Err(CompareError::OtherNetworks(match evidence {
            Which::First => [theirs, own],
            Which::Second => [own, theirs],
        }));
    }
    let (height, mut newest) = (file.evidence.height(), 0);
    let (outcome, verdict) = match hold(file, history, evidence, &mut newest, policy) {
        Ok(held) => {
            let verdict = match &file.evidence {
                Evidence::TwoHeads(_) => Verdict::Diverged,
                Evidence::TwoVotes(_) => anchored(newest, held.not_pinned, &genesis, policy),
            };
            (Outcome::Held(Box::new(held)), verdict)
        }
        Err(Stop::Failed(which, why)) => return Err(CompareError::Failed(which, why)),
        Err(Stop::Broken(which, height, why, verdict)) => (Outcome::Broken { which, height, why }, verdict),
    };
    Ok(Comparison {
        verdict,
        network: Network::of(&genesis),
        anchor: policy.map(Anchoring::of),
        sides: in_order((SourceKind::Evidence, height), (kind, newest)),
        outcome,
    })
}

fn hold(
    file: &EvidenceFile,
    history: &mut dyn Heads,
    evidence: Which,
    newest: &mut u64,
    policy: Option<&Policy>,
) -> Result<Held, Stop> {
    let height = file.evidence.height();
    let committee = file.verify().map_err(|error| {
        let why = format!("the evidence does not hold: {error}");
        Stop::Broken(evidence, height, why, Verdict::Tampered)
    })?;
    let which = match evidence {
        Which::First => Which::Second,
        Which::Second => Which::First,
    };
    let keys = file.genesis.keys();
    let mut side = Side::open(which, history, &keys, newest)?;
    let own = if height > 0 && height <= side.newest {
        Some(side.certified(&keys, height)?.header.id(&keys))
    } else {
        None
    };
    let not_pinned = match (&file.evidence, policy.and_then(|policy| policy.head)) {
        (Evidence::TwoVotes(_), pin) => stands(&mut side, &keys, pin)?,
        (Evidence::TwoHeads(_), _) => None,
    };
    let blocks: [Hash; 2] = match &file.evidence {
        Evidence::TwoVotes(votes) => [votes.first.0, votes.second.0],
        Evidence::TwoHeads(heads) => [heads.first.header.id(&keys), heads.second.header.id(&keys)],
    };
    Ok(Held {
        convicted: convicted(&file.evidence, &committee),
        file: file.clone(),
        blocks,
        own,
        not_pinned,
    })
}

/// Checks the newest block, and the one at the height of which the policy pins one: its id, if it is another.
fn stands(side: &mut Side<'_>, keys: &HashKeys, pin: Option<PinnedHead>) -> Result<Option<Hash>, Stop> {
    if side.newest > 0 {
        side.certified(keys, side.newest)?;
    }
    let Some(pin) = pin.filter(|pin| pin.height <= side.newest) else {
        return Ok(None);
    };
    if pin.height > 0 {
        side.certified(keys, pin.height)?;
    }
    let found = side.id(keys, pin.height)?;
    Ok((found != pin.id).then_some(found))
}
