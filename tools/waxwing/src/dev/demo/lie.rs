//! A validator that lies, and what comes of it: the others see both votes, messages go on, and the evidence is in the ledger
//! for ever, where anybody can check it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use waxwing_core::codec::Encode;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::EvidenceFile;
use waxwing_core::keys::ValidatorId;
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;
use waxwing_verify::{EvidenceFinding, verify_evidence};

use super::super::network::{self, Member, Part};
use super::replay::Replay;
use super::story::{Story, seconds};
use crate::clock;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::ids::{self, Kind};
use crate::network::{own_key_file, read_genesis, read_vote_key};
use crate::output::Tone;
use crate::words::count;

/// How long something may take that must come. It bounds a failure, it paces nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a page.
const PAUSE: Duration = Duration::from_millis(50);

/// Replaces the last validator by one that votes twice, goes on with the conversation until the end, and takes the evidence out
/// of an honest validator's ledger.
///
/// # Errors
/// If a message does not become final, an honest validator does not find the liar out, or the evidence does not convict it.
pub(super) async fn tell(
    dir: &Path,
    network: &Path,
    validators: &mut Vec<Member>,
    replay: &mut Replay<'_>,
    story: &Story<'_>,
) -> Result<(), Failure> {
    story.chapter("A validator lies")?;
    let honest = validators
        .pop()
        .ok_or_else(|| Failure::failed("no validator is left"))?;
    let name = honest.name.clone();
    honest.stop().await?;
    let others: Vec<&Member> = validators.iter().collect();
    let liar = network::start(dir, &name, network, Part::Liar(&others)).await?;
    let lied = clock::steady();
    story.fact(
        "lies",
        &format!(
            "{name}, process {}: from now on it votes for two blocks wherever it votes",
            liar.process
        ),
    )?;
    let key = own_key_file(&dir.join(&name)).ok_or_else(|| Failure::failed("the liar has no vote key"))?;
    let key = read_vote_key(&key)?.public();
    for witness in &others {
        until(&format!("{} hears the liar", witness.name), || {
            is_heard(&witness.status()?, &key.to_string()).then_some(())
        })
        .await?;
    }
    // Evidence alone makes no block. The last message is kept for the one that carries it.
    replay.until_last(story).await?;
    for witness in &others {
        let heard = until(&format!("{} has found the liar out", witness.name), || {
            accuses(&witness.status()?, &key.to_string())
        })
        .await?;
        if witness.name == "validator-1" {
            story.fact(
                "found out",
                &format!(
                    "{} shows {} of {}, within {}",
                    witness.name,
                    count(heard, "contradiction", "contradictions"),
                    ids::short(Kind::Validator, key.as_bytes()),
                    seconds(clock::steady().duration_since(lied))
                ),
            )?;
        }
    }
    replay.rest(story).await?;
    if let Some(witness) = others.first() {
        hand_out(dir, network, witness, &key, story).await?;
    }
    validators.push(liar);
    Ok(())
}

/// Whether a validator listens to another one at the moment.
fn is_heard(status: &Value, validator: &str) -> bool {
    let links = status.get("links").and_then(Value::as_array);
    links.into_iter().flatten().any(|link| {
        let is_it = link.get("validator").and_then(Value::as_str) == Some(validator);
        is_it && link.get("heard_at").is_some_and(Value::is_string)
    })
}

/// How many pieces of evidence a node shows about a validator; `None` if there are none.
fn accuses(status: &Value, validator: &str) -> Option<u64> {
    let evidence = status.get("evidence")?.as_array()?;
    let about = evidence
        .iter()
        .filter(|piece| piece.get("validator").and_then(Value::as_str) == Some(validator));
    u64::try_from(about.count()).ok().filter(|count| *count > 0)
}

/// Takes evidence out of a validator's ledger, as a file that a stranger can check, and checks it as one: with nothing but the
/// genesis.
async fn hand_out(
    dir: &Path,
    network: &Path,
    witness: &Member,
    liar: &ValidatorId,
    story: &Story<'_>,
) -> Result<(), Failure> {
    let against = |file: &EvidenceFile| matches!(&file.evidence, Evidence::TwoVotes(votes) if votes.validator == *liar);
    let file = until("evidence against the liar is in a block", || {
        let pieces = crate::audit::evidence_in(&witness.data()).ok()?;
        pieces.into_iter().find(against)
    })
    .await?;
    let (path, bytes) = (dir.join("evidence.wxe"), file.to_bytes());
    files::write_new(&path, &bytes, Readers::Anybody)?;
    let policy = Policy {
        genesis: read_genesis(network)?,
        head: None,
    };
    let outcome = verify_evidence(&bytes, Some(&policy));
    let EvidenceFinding::Proven(proven) = &outcome.finding else {
        return Err(Failure::failed(format!("the evidence does not hold: {outcome}")));
    };
    if outcome.verdict != Verdict::Verified || proven.convicted != [*liar] {
        return Err(Failure::failed(format!(
            "the evidence does not convict the liar: {outcome}"
        )));
    }
    story.fact(
        "evidence",
        &format!(
            "from a block of {}: {} bytes in {}",
            witness.name,
            bytes.len(),
            path.display()
        ),
    )?;
    let verdict = story.output.paint(Tone::Good, outcome.verdict.word());
    let name = ids::short(Kind::Validator, liar.as_bytes());
    story.fact("says", &format!("{verdict}  {}: {name}", proven.headline()))
}

/// Height of a node's newest block.
///
/// # Errors
/// If it does not answer.
pub(super) fn height_of(member: Option<&Member>) -> Result<u64, Failure> {
    let status = member.and_then(Member::status);
    let height = status.as_ref().and_then(|status| status.get("height")?.as_u64());
    height.ok_or_else(|| Failure::failed("a node does not say how far it is"))
}

/// Looks until something is there.
///
/// # Errors
/// If it does not come.
pub(super) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, Failure> {
    let started = clock::steady();
    while clock::steady().duration_since(started) < PATIENCE {
        if let Some(found) = look() {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::failed(format!(
        "waited {} in vain until {what}",
        seconds(PATIENCE)
    )))
}
