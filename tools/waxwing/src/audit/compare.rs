//! `waxwing audit compare`: two histories held against each other; what contradicts itself leaves one evidence file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use waxwing_audit::SourceError;
use waxwing_audit::compare::{BundleHeads, CompareError, Comparison, Heads, Which, compare, compare_with_evidence};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::evidence_file::{EVIDENCE_FILE_MAGIC, EvidenceFile};
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;

use super::nodes::{self, NodeHistory};
use super::policy::read_policy;
use crate::Done;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::home::quoted;
use crate::output::{Output, Tone};

/// Evidence with all the changes of the committee that it can hold, each of 100 validators, takes 11 MB.
const EVIDENCE_FILE_MAX: u64 = 16 << 20;

/// The column in which the values of facts stand.
const VALUES: usize = 14;

/// One of the two.
enum Side {
    /// Blocks can be looked up in it.
    History(Box<dyn Heads>),
    /// Somebody else's evidence.
    Evidence(Box<EvidenceFile>),
}

pub(super) fn run(sides: [&Path; 2], policy: Option<&Path>, out: Option<&Path>, output: &Output) -> Done {
    let policy = policy.map(read_policy).transpose()?;
    if let Some(taken) = out.filter(|out| !files::is_standard(out) && out.exists()) {
        return Err(files::already_there(taken));
    }
    let names = sides.map(|side| side.to_string_lossy());
    let [first, second] = sides;
    let opened = match (open(first)?, open(second)?) {
        (Ok(first), Ok(second)) => [first, second],
        (Err(why), _) => return unreadable(Which::First, &why, output),
        (_, Err(why)) => return unreadable(Which::Second, &why, output),
    };
    let [first_name, second_name] = &names;
    let names: [&str; 2] = [first_name, second_name];
    let comparison = hold(opened, policy.as_ref(), names)?;
    let written = match comparison.evidence() {
        Some(evidence) => Some(write(evidence, out)?),
        None => None,
    };
    tell(&comparison, names, written.as_deref(), output)?;
    Ok(comparison.exit_code())
}

/// Compares two histories, or a history with evidence.
fn hold([first, second]: [Side; 2], policy: Option<&Policy>, names: [&str; 2]) -> Result<Comparison, Failure> {
    let compared = match (first, second) {
        (Side::History(mut first), Side::History(mut second)) => compare(first.as_mut(), second.as_mut(), policy),
        (Side::Evidence(evidence), Side::History(mut history)) => {
            compare_with_evidence(&evidence, history.as_mut(), Which::First, policy)
        }
        (Side::History(mut history), Side::Evidence(evidence)) => {
            compare_with_evidence(&evidence, history.as_mut(), Which::Second, policy)
        }
        (Side::Evidence(_), Side::Evidence(_)) => {
            return Err(Failure::usage(
                "both files are evidence: compare one of them with a history, or check each with `waxwing-verify`",
            ));
        }
    };
    compared.map_err(|error| refused(error, names))
}

fn refused(error: CompareError, names: [&str; 2]) -> Failure {
    let [first, second] = names;
    match error {
        CompareError::OtherNetworks([one, two]) => Failure::usage(format!(
            "{first} is of network {one} and {second} of network {two}: only histories of one network can be compared"
        )),
        CompareError::Failed(Which::First, why) => Failure::failed(format!("{first}: {why}")),
        CompareError::Failed(Which::Second, why) => Failure::failed(format!("{second}: {why}")),
    }
}

/// A history in which single blocks can be looked up.
///
/// # Errors
/// If there is none.
pub(crate) fn history(path: &Path) -> Result<Box<dyn Heads>, Failure> {
    match open(path)? {
        Ok(Side::History(history)) => Ok(history),
        Ok(Side::Evidence(_)) => Err(Failure::usage(format!(
            "{} is evidence, and a history is needed: a directory, a bundle or KEY@HOST:PORT",
            path.display()
        ))),
        Err(why) => Err(Failure::failed(format!("{}: {why}", path.display()))),
    }
}

/// Why something that is there cannot be read as a history.
type Unreadable = String;

/// What stands at a path, or the node of that address.
fn open(path: &Path) -> Result<Result<Side, Unreadable>, Failure> {
    if let Some(address) = nodes::named(path)? {
        return Ok(Ok(Side::History(Box::new(NodeHistory::call(&address)?))));
    }
    if files::is_standard(path) {
        return Err(Failure::usage(
            "blocks cannot be looked up on standard input: write the bundle into a file and name that",
        ));
    }
    let found = std::fs::metadata(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read the history {}: {}",
            path.display(),
            files::reason(&error)
        ))
    })?;
    let opened = if found.is_dir() {
        super::directory::heads(path)?.map(Side::History)
    } else if begins_as_evidence(path) {
        return evidence(path);
    } else {
        super::run::is_no_other_kind(path)?;
        BundleHeads::open(path).map(|bundle| Side::History(Box::new(bundle)))
    };
    match opened {
        Ok(side) => Ok(Ok(side)),
        Err(SourceError::Failed(why)) => Err(Failure::failed(format!("{}: {why}", path.display()))),
        Err(error) => Ok(Err(error.to_string())),
    }
}

fn begins_as_evidence(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; EVIDENCE_FILE_MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == EVIDENCE_FILE_MAGIC
}

fn evidence(path: &Path) -> Result<Result<Side, Unreadable>, Failure> {
    let bytes = files::read(path, "evidence file", EVIDENCE_FILE_MAX)?;
    let file = EvidenceFile::from_bytes(&bytes);
    Ok(file
        .map(|file| Side::Evidence(Box::new(file)))
        .map_err(|error| format!("the evidence file cannot be read: {error}")))
}

/// A verdict about bytes that are no history: that says nothing about tampering.
fn unreadable(which: Which, why: &str, output: &Output) -> Done {
    let verdict = Verdict::Malformed;
    let headline = format!(
        "the {} cannot be read: {why}; this says nothing about tampering",
        which.word()
    );
    let word = output.paint(Tone::Bad, verdict.word());
    let object = json!({ "verdict": verdict.word(), "exit_code": verdict.exit_code(), "headline": headline });
    output.result(SCHEMA, object, &format!("{word}  {headline}\n"))?;
    Ok(verdict.exit_code())
}

const SCHEMA: &str = "audit.compare";

/// Writes the evidence where it was asked for, or beside whoever asks.
fn write(evidence: &EvidenceFile, out: Option<&Path>) -> Result<PathBuf, Failure> {
    match out {
        Some(out) if files::is_standard(out) => {
            Err(Failure::usage("evidence is written into a file: name one with --out"))
        }
        Some(out) => {
            files::write_new(out, &evidence.to_bytes(), Readers::Anybody)?;
            Ok(out.to_owned())
        }
        None => write_evidence(evidence, Path::new("")),
    }
}

/// Writes evidence into a folder under a name that is free. The same evidence is not written twice.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_evidence(evidence: &EvidenceFile, folder: &Path) -> Result<PathBuf, Failure> {
    let (bytes, height) = (evidence.to_bytes(), evidence.evidence.height());
    for number in 1_u32.. {
        let path = folder.join(match number {
            1 => format!("evidence-{height}.wxe"),
            _ => format!("evidence-{height}-{number}.wxe"),
        });
        if std::fs::read(&path).ok().as_ref() == Some(&bytes) {
            return Ok(path);
        }
        if !path.exists() {
            files::write_new(&path, &bytes, Readers::Anybody)?;
            return Ok(path);
        }
    }
    Err(Failure::failed("no name is free for the evidence: name one with --out"))
}

fn tell(comparison: &Comparison, names: [&str; 2], written: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let tone = match comparison.verdict {
        Verdict::Verified => Tone::Good,
        _ => Tone::Bad,
    };
    let word = output.paint(tone, comparison.verdict.word());
    let mut text = output.wrapped(&format!("{word}  {}", comparison.claim()), 2) + "\n";
    let mut facts = comparison.facts(names);
    if let Some(path) = written {
        let at = facts
            .iter()
            .position(|(name, _)| *name == "network")
            .unwrap_or(facts.len());
        facts.insert(at, ("evidence", path.display().to_string()));
    }
    for (name, value) in facts {
        text += &(output.wrapped(&format!("  {name:<11} {value}"), VALUES) + "\n");
    }
    let mut object = comparison.to_json(names);
    if let Some(fields) = object.as_object_mut() {
        fields.insert(
            "evidence_file".to_owned(),
            written.map_or(Value::Null, |path| json!(path)),
        );
    }
    output.result(SCHEMA, object, &text)?;
    match written {
        Some(path) => output.next(&format!(
            "waxwing-verify {} --policy FILE",
            quoted(&path.to_string_lossy())
        )),
        None => Ok(()),
    }
}
