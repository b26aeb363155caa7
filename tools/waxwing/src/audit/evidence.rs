//! `waxwing audit evidence`: what a history says of validators that broke the rules, as files that anybody can check.
//!
//! Blocks carry evidence, and are kept for ever. A piece of it in a block is of use to whoever holds the block; as a file it
//! carries the founding facts and the changes of the committee as well, and convinces a stranger.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use waxwing_audit::SourceError;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::EvidenceFile;

use super::compare::{history, write_evidence};
use crate::Done;
use crate::failure::Failure;
use crate::files;
use crate::ids::Kind;
use crate::output::Output;
use crate::words::count;

pub(super) fn run(source: &Path, out: Option<&Path>, output: &Output) -> Done {
    let pieces = evidence_in(source)?;
    let object = json!({ "source": source.to_string_lossy() });
    hand_out(
        &pieces,
        out,
        ("audit.evidence", object),
        &source.to_string_lossy(),
        output,
    )
}

/// Writes pieces of evidence into a folder, each as a file, and lists them. `schema` comes with what the object begins with.
///
/// # Errors
/// If they cannot be written.
pub(crate) fn hand_out(
    pieces: &[EvidenceFile],
    out: Option<&Path>,
    (schema, mut object): (&str, Value),
    place: &str,
    output: &Output,
) -> Done {
    let folder = out.map_or_else(PathBuf::new, Path::to_owned);
    if !pieces.is_empty() && !folder.as_os_str().is_empty() {
        files::create_folder(&folder)?;
    }
    let (mut facts, mut listed) = (Vec::new(), Vec::new());
    for piece in pieces {
        let path = write_evidence(piece, &folder)?;
        let height = piece.evidence.height();
        let (kind, who) = match &piece.evidence {
            Evidence::TwoVotes(votes) => ("two_votes", Some(votes.validator)),
            Evidence::TwoHeads(_) => ("two_heads", None),
        };
        let what = match who {
            Some(validator) => {
                let name = output.id(Kind::Validator, validator.as_bytes());
                format!("height {height}: {name} cast two contradicting votes")
            }
            None => format!("height {height}: two different blocks are certified"),
        };
        facts.push(("evidence", format!("{}  {what}", path.display())));
        listed.push(json!({
            "kind": kind,
            "height": height,
            "validator": who.map(|validator| validator.to_string()),
            "file": path,
        }));
    }
    let number = u64::try_from(pieces.len()).unwrap_or(u64::MAX);
    let heading = match number {
        0 => format!("{place} holds no evidence against validators"),
        _ => format!(
            "{} against validators",
            count(number, "piece of evidence", "pieces of evidence")
        ),
    };
    if let Some(fields) = object.as_object_mut() {
        fields.insert("pieces".to_owned(), Value::from(listed));
    }
    output.result(schema, object, &output.facts(&heading, &facts))?;
    if number > 0 {
        output.next("waxwing-verify FILE --policy FILE")?;
    }
    Ok(0)
}

/// All evidence in a history, in the order of its blocks, each piece once.
///
/// # Errors
/// If the history cannot be read, or carries what proves nothing.
pub(crate) fn evidence_in(path: &Path) -> Result<Vec<EvidenceFile>, Failure> {
    let failed = |error: SourceError| Failure::failed(format!("{}: {error}", path.display()));
    let rungs = history(path)?.ladder().map_err(failed)?;
    let (_, source) = super::open_source(path)?;
    let mut source = source.map_err(failed)?;
    let genesis = source.genesis().clone();
    let mut files: Vec<EvidenceFile> = Vec::new();
    while let Some(block) = source.next_block().map_err(failed)? {
        for evidence in block.evidence {
            let below = |height: u64| height < evidence.height();
            let ladder = rungs.iter().filter(|rung| below(rung.head.header.height));
            let file = EvidenceFile {
                genesis: genesis.clone(),
                ladder: ladder.cloned().collect(),
                evidence: evidence.clone(),
            };
            file.verify().map_err(|error| {
                let height = block.head.header.height;
                Failure::failed(format!("block {height} carries evidence that proves nothing: {error}"))
            })?;
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Ok(files)
}
