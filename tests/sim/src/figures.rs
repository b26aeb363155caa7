//! What a large committee costs: bytes of a certificate, of a rung of the ladder, and on the wire for every block.
//!
//! No machine here runs fifty validators as they would run, but bytes do not depend on the machine: the simulation
//! counts what its validators send.

use serde_json::json;
use waxwing_core::codec::Encode;
use waxwing_core::follow::LadderStep;
use waxwing_core::hash::Hash;
use waxwing_core::merkle::InclusionProof;
use waxwing_order::Settings;

use crate::chance::Chance;
use crate::chronicle::{Certificates, Chronicle};
use crate::founding::{Archive, Founding};
use crate::network::Weather;
use crate::plan::Plan;
use crate::time::SECOND;
use crate::violation::Violation;
use crate::world::World;

/// The largest committee that is measured.
const VALIDATORS: u8 = 50;

/// Hashes on the way through a history of a million blocks.
const HISTORY_LEVELS: usize = 20;

/// A figure that could not be measured.
#[derive(Debug)]
pub struct NotMeasured(Violation);

impl std::fmt::Display for NotMeasured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the run that was to be measured failed: {}", self.0)
    }
}

impl std::error::Error for NotMeasured {}

/// Measures everything, for four validators and for fifty; each figure is a JSON line.
///
/// # Errors
/// If a run breaks a promise, or a line cannot be said.
pub fn all<E>(mut say: impl FnMut(String) -> Result<(), E>) -> Result<(), anyhow::Error>
where
    E: Into<anyhow::Error>,
{
    for validators in [4, VALIDATORS] {
        for line in measure(validators).map_err(NotMeasured)? {
            say(line).map_err(Into::into)?;
        }
    }
    Ok(())
}

/// A quiet run of a committee of this size.
fn plan(validators: u8) -> Plan {
    Plan {
        seed: 0,
        validators,
        change: None,
        liars: Vec::new(),
        past: 0,
        weather: Weather::FAIR,
        troubles: Vec::new(),
        clocks: Vec::new(),
        calm: 4 * SECOND,
        clients: (2, 8),
    }
}

/// The figures of a committee of this size.
///
/// # Errors
/// If the run breaks a promise.
pub fn measure(validators: u8) -> Result<Vec<String>, Violation> {
    let archive = Archive::up_to(validators, 0);
    let chance = Chance::new(u64::from(validators));
    let world = World::new(
        (plan(validators), chance),
        &archive,
        Settings::DEFAULT,
        Certificates::Checked,
    );
    let (outcome, chronicle) = world.run_and_show();
    if let Some((violation, _)) = outcome.violation {
        return Err(violation);
    }
    let blocks = chronicle.height();
    let sizes = Sizes::of(&chronicle, &archive.founding);
    let each = u64::from(validators);
    let rate = |bytes: u64, of: u64| bytes.checked_div(of).unwrap_or(0);
    let line = |part: &str, value: u64, unit: &str| {
        json!({ "name": format!("n{validators}.{part}"), "value": value, "unit": unit }).to_string()
    };
    Ok(vec![
        line("blocks", blocks, "blocks"),
        line("certificate", sizes.certificate, "B"),
        line("ladder_step", sizes.step, "B"),
        line("wire_per_block", rate(outcome.bytes, blocks), "B"),
        line("sent_per_validator_and_block", rate(outcome.bytes, blocks * each), "B"),
    ])
}

/// How large things are at the newest block.
struct Sizes {
    certificate: u64,
    step: u64,
}

impl Sizes {
    fn of(chronicle: &Chronicle, founding: &Founding) -> Self {
        let wide = |bytes: Vec<u8>| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let head = chronicle.store().certified(chronicle.height()).ok().flatten();
        let certificate = head.as_ref().map_or(0, |head| wide(head.certificate.to_bytes()));
        let step = head.map(|head| LadderStep {
            head,
            extension: InclusionProof {
                siblings: vec![Hash::ZERO; HISTORY_LEVELS],
            },
            next: founding.genesis.committee(),
        });
        Self {
            certificate,
            step: step.map_or(0, |step| wide(step.to_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_validators_are_measured() {
        let lines = measure(4).unwrap();
        let certificate: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
        // Round, bitmap of one byte with its length, three signatures.
        assert_eq!(
            certificate,
            json!({ "name": "n4.certificate", "value": 4 + 5 + 3 * 64, "unit": "B" })
        );
        assert_eq!(lines.len(), 5);
    }
}
