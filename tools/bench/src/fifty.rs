//! What a committee of fifty costs, in virtual time: bytes do not depend on the machine, and no machine here could run fifty
//! nodes as they would run. The simulation measures; here its figures are put beside what could not be less.

use anyhow::Context as _;
use serde_json::Value;
use waxwing_core::block::HEADER_BYTES;
use waxwing_core::keys::SIGNATURE_BYTES;
use waxwing_sim::figures;

use crate::figure::Bench;
use crate::number::real_len;

/// Validators.
const FIFTY: u64 = 50;

/// Hashes that lead from a head to an earlier block in a history of a million.
const HISTORY_LEVELS: usize = 20;

/// Measures the simulated committee.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let validators = u8::try_from(bench.sized(FIFTY, 4))?;
    for line in
        figures::measure(validators).map_err(|violation| anyhow::anyhow!("the simulated run failed: {violation}"))?
    {
        let line: Value = serde_json::from_str(&line)?;
        let text = |key| line.get(key).and_then(Value::as_str);
        let value = line
            .get("value")
            .and_then(Value::as_f64)
            .context("the simulation tells no value")?;
        let (name, unit) = (text("name").context("no name")?, text("unit").context("no unit")?);
        let (_, part) = name.split_once('.').context("the simulation names no part")?;
        bench.line(
            &format!("fifty.{part}"),
            value,
            unit,
            least(part, usize::from(validators)),
        )?;
    }
    Ok(())
}

/// What no encoding of the same statement could leave out.
fn least(part: &str, validators: usize) -> Option<f64> {
    let signatures = (validators - (validators - 1) / 3) * SIGNATURE_BYTES;
    match part {
        "certificate" => Some(real_len(signatures)),
        // Header, certificate, the way through the history, the keys of the next committee.
        "ladder_step" => Some(real_len(HEADER_BYTES + signatures + 32 * (HISTORY_LEVELS + validators))),
        _ => None,
    }
}
