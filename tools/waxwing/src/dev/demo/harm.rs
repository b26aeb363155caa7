//! What somebody with the validator's disk can do: look for words, which are not there, and change a bit, which is found.

use std::path::{Path, PathBuf};

use waxwing_audit::tamper::{TamperKind, tamper};
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;
use waxwing_seal::display::display_safe_name;

use super::super::corpus::Conversation;
use super::super::network::Member;
use super::figures::Figures;
use super::story::Story;
use crate::failure::Failure;
use crate::files;
use crate::output::Tone;
use crate::words::grouped;

/// Letters that a message must have to be searched for: shorter ones could stand anywhere by chance.
const LETTERS_MIN: usize = 16;

/// Searches the validator's files for what was said.
///
/// # Errors
/// If a single message is found.
pub(super) fn look_for_plaintext(
    validator: &Member,
    conversation: &Conversation,
    story: &Story<'_>,
    figures: &mut Figures,
) -> Result<(), Failure> {
    story.chapter("What a validator knows of it")?;
    let words: Vec<&str> = conversation
        .messages
        .iter()
        .map(|spoken| spoken.text.as_str())
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|text| text.len() >= LETTERS_MIN).collect();
    let mut searched = (0, 0);
    for file in files_in(&validator.home)? {
        let bytes = std::fs::read(&file).unwrap_or_default();
        searched.0 += 1;
        searched.1 += u64::try_from(bytes.len()).unwrap_or(0);
        if words.iter().any(|word| contains(&bytes, word.as_bytes())) {
            return Err(Failure::failed(format!(
                "a message stands readable in {}",
                file.display()
            )));
        }
    }
    figures.searched = searched;
    let (count, found) = (words.len(), "found none");
    story.fact(
        "searched",
        &format!(
            "its {} files, {} kB, for the words of {count} messages: {found}",
            searched.0,
            grouped(searched.1 / 1000)
        ),
    )
}

/// Copies the ledger, flips one bit in it through the database, with valid checksums, and lets the auditor look. `said` is who
/// spoke in which block.
///
/// # Errors
/// If the audit does not find exactly that bit's entry.
pub(super) fn flip_a_bit(
    dir: &Path,
    policy: &Policy,
    said: &[(u64, String)],
    story: &Story<'_>,
) -> Result<(), Failure> {
    story.chapter("Somebody with the disk flips one bit")?;
    let copy = dir.join("tampered").join("db");
    copy_files(&dir.join("validator-1").join("node").join("db"), &copy)?;
    let damage = tamper(&copy, TamperKind::BodyBit, seed()?).map_err(|error| Failure::failed(error.to_string()))?;
    story.fact(
        "flipped",
        &format!("in a copy, past the database's own checksums: {}", damage.what),
    )?;
    let place = damage.at.and_then(|at| at.entry);
    let height = damage.at.map(|at| at.height);
    let what = match said.iter().find(|(of, _)| Some(*of) == height) {
        Some((_, name)) => format!("a message of {}, as only members can know", display_safe_name(name)),
        None => "no message: what an inbox or a change of the group takes".to_owned(),
    };
    story.fact("which is", &what)?;
    let report = crate::audit::report(&dir.join("tampered"), Some(policy), story.output)?;
    story.report(&report, Tone::Bad)?;
    let found = report.first().and_then(|finding| finding.at.entry);
    if report.verdict == Verdict::Tampered && found == place && found.is_some() {
        Ok(())
    } else {
        Err(Failure::failed(format!(
            "the audit should say TAMPERED and name {place:?}; it says {}",
            report.headline()
        )))
    }
}

fn seed() -> Result<u64, Failure> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)
        .map_err(|error| Failure::failed(format!("the system has no random numbers: {error}")))?;
    Ok(u64::from_be_bytes(seed))
}

fn copy_files(from: &Path, to: &Path) -> Result<(), Failure> {
    files::create_folder(to)?;
    for file in files_in(from)? {
        let Some(name) = file.file_name() else { continue };
        std::fs::copy(&file, to.join(name))
            .map_err(|error| Failure::failed(format!("cannot copy {}: {}", file.display(), files::reason(&error))))?;
    }
    Ok(())
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    // Looking for the first byte is what takes the time, and the standard library does that quickly.
    let Some(first) = word.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        let Some(from) = rest.get(at..) else { return false };
        if from.starts_with(word) {
            return true;
        }
        rest = from.get(1..).unwrap_or_default();
    }
    false
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {}", folder.display(), files::reason(&error)));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(files_in(&path)?);
        } else if path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_are() {
        assert!(contains(b"aab", b"ab") && contains(b"xab", b"ab") && contains(b"ab", b"ab"));
        assert!(!contains(b"aa", b"ab") && !contains(b"", b"ab") && !contains(b"ab", b""));
    }
}
