//! `waxwing dev tamper`: damages a ledger on purpose. The damage itself is `waxwing-audit`'s; here somebody is told what
//! will be lost, and asked.

use std::path::Path;

use serde_json::json;
use waxwing_audit::tamper::{TamperError, TamperKind, tamper};

use crate::Done;
use crate::audit::database_in;
use crate::failure::Failure;
use crate::home::quoted;
use crate::output::Output;

pub(super) fn run(kind: Option<&str>, directory: Option<&Path>, seed: u64, output: &Output) -> Done {
    let Some(kind) = kind else { return list(output) };
    let kind = TamperKind::from_name(kind).ok_or_else(|| {
        Failure::usage(format!(
            "there is no damage of the kind {kind}: `waxwing dev tamper` lists the kinds"
        ))
    })?;
    let Some(directory) = directory else {
        return Err(Failure::usage(format!(
            "what is to be damaged? waxwing dev tamper {kind} DIR"
        )));
    };
    let database = database_in(directory)?;
    ask(kind, &database, output)?;
    let damage = tamper(&database, kind, seed).map_err(|error| match error {
        TamperError::Open(_) | TamperError::Nothing { .. } => Failure::usage(error.to_string()),
        TamperError::Store(_) | TamperError::File(_) => Failure::failed(error.to_string()),
    })?;
    let entry = damage.at.and_then(|at| at.entry);
    let object = json!({
        "kind": kind.name(),
        "directory": database,
        "seed": seed,
        "what": damage.what,
        "height": damage.at.map(|at| at.height),
        "log": entry.map(|(log, _)| log.to_string()),
        "index": entry.map(|(_, index)| index),
    });
    output.result("dev.tamper", object, &damage.to_string())?;
    output.next(&format!(
        "waxwing audit run {} --policy FILE",
        quoted(&directory.to_string_lossy())
    ))?;
    Ok(0)
}

fn list(output: &Output) -> Done {
    let width = TamperKind::ALL.iter().map(|kind| kind.name().len()).max().unwrap_or(0);
    let lines = TamperKind::ALL
        .iter()
        .map(|kind| format!("{:width$}  {}\n", kind.name(), kind.describe()));
    let kinds: Vec<_> = TamperKind::ALL
        .iter()
        .map(|kind| json!({ "kind": kind.name(), "does": kind.describe() }))
        .collect();
    output.result("dev.tamper", json!({ "kinds": kinds }), &lines.collect::<String>())?;
    output.next("waxwing dev tamper KIND DIR")?;
    Ok(0)
}

/// Says what will be lost, and goes on only with a yes.
fn ask(kind: TamperKind, database: &Path, output: &Output) -> Result<(), Failure> {
    let what = format!(
        "this will {} in {}, for good: the ledger there is lost",
        kind.describe(),
        database.display()
    );
    crate::confirm::ask(&what, output)
}
