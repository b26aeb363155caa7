//! Vote keys: the secret stays in a file on its owner's machine, the public half travels as one line.
//!
//! The line is `vote1...`, an id with a checksum: a mistyped one, a node's key in its place, and the secret given away by
//! mistake are refused by name. 64 hexadecimal digits, which an id may be elsewhere, are refused here for that reason: a
//! secret looks just like that.

use std::path::{Path, PathBuf};

use serde_json::json;
use waxwing_core::keys::{ValidatorId, VoteKey};
use zeroize::Zeroizing;

use crate::Done;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::home::{Home, VOTE_KEY_FILE};
use crate::ids::{self, IdError, Kind};
use crate::output::Output;

/// Name of the file with a validator's public line.
pub(super) const PUBLIC_FILE: &str = "vote.pub";

/// 64 hexadecimal digits and some space.
const KEY_FILE_MAX: u64 = 1024;

/// A hundred lines with notes.
const LINES_FILE_MAX: u64 = 64 << 10;

/// Makes a vote key, or shows the line of the one that is there.
pub(super) fn run(out: Option<&Path>, home: &Home, output: &Output) -> Done {
    let folder = match out {
        Some(folder) => folder.to_owned(),
        None => home.folder()?.to_owned(),
    };
    let (path, is_new) = match own_key_file(&folder) {
        Some(path) => (path, false),
        None => (folder.join(VOTE_KEY_FILE), true),
    };
    let key = if is_new {
        files::create_folder(&folder)?;
        let key = new_vote_key()?;
        write_vote_key(&path, &key)?;
        key
    } else {
        read_vote_key(&path)?
    };
    let line = line(&key.public());
    let public = folder.join(PUBLIC_FILE);
    if !public.exists() {
        let text = format!("# public: give this line to whoever writes the genesis\n{line}\n");
        files::write_new(&public, text.as_bytes(), Readers::Anybody)?;
    }
    let facts = [
        ("line", line.clone()),
        ("file", format!("{}  the same line; give away either", public.display())),
        ("vote key", format!("{}  secret; on one machine only", path.display())),
    ];
    let heading = if is_new {
        "made a vote key"
    } else {
        "this machine's vote key, made before"
    };
    let object = json!({ "line": line, "public": public, "vote_key": path, "new": is_new });
    output.result("network.key", object, &output.facts(heading, &facts))?;
    Ok(0)
}

/// Where a home keeps its vote key: beside the node while there is none yet, then inside its directory.
pub(crate) fn own_key_file(folder: &Path) -> Option<PathBuf> {
    let places = [
        folder.join(VOTE_KEY_FILE),
        folder.join("node").join("keys").join("vote"),
    ];
    places.into_iter().find(|place| place.exists())
}

/// The public line of a validator.
pub(super) fn line(validator: &ValidatorId) -> String {
    ids::full(Kind::Validator, validator.as_bytes())
}

/// Validators' keys as they were given: lines, or files with lines. Each comes with where it stood.
///
/// # Errors
/// The first that is none, and what to do.
pub(super) fn read_lines(given: &[String]) -> Result<Vec<(ValidatorId, String)>, Failure> {
    let mut keys = Vec::new();
    for (number, text) in (1..).zip(given) {
        let path = Path::new(text);
        if !path.exists() {
            keys.push((parse_line(text, &place(number, None))?, place(number, None)));
            continue;
        }
        let content = Zeroizing::new(files::read_text(path, "file of a public key", LINES_FILE_MAX)?);
        let before = keys.len();
        for (line_number, line) in (1..).zip(content.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let place = format!("key {number} (line {line_number} of {})", path.display());
                keys.push((parse_line(line, &place).map_err(in_a_file)?, place));
            }
        }
        if keys.len() == before {
            let place = place(number, Some(path));
            return Err(Failure::usage(format!("{place} holds no key: ask for the line again")));
        }
    }
    Ok(keys)
}

fn place(number: u32, file: Option<&Path>) -> String {
    match file {
        Some(file) => format!("key {number} ({})", file.display()),
        None => format!("key {number}"),
    }
}

/// Said of a line of a file, in which more may stand than keys: all that `waxwing network key` prints, for one.
fn in_a_file(failure: Failure) -> Failure {
    match failure {
        Failure::Usage(why) => Failure::usage(format!(
            "{why}. In a file every line is one key and nothing else; take out what is none, or put a # before it"
        )),
        other => other,
    }
}

/// One line, which may be `vote1...` alone.
pub(super) fn parse_line(text: &str, place: &str) -> Result<ValidatorId, Failure> {
    let text = text.trim();
    if text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Failure::usage(format!(
            "{place} is 64 hexadecimal digits, which may be somebody's secret key: never pass vote.key around; give the \
             line that `waxwing network key` prints"
        )));
    }
    let key = ids::parse_full(Kind::Validator, text).map_err(|error| match error {
        IdError::OtherKind { .. } => Failure::usage(format!(
            "{place}: {error}; ask its operator for the line that `waxwing network key` prints"
        )),
        // 64 hexadecimal digits are refused here, so they must not be asked for.
        IdError::NotAnId(_) => Failure::usage(format!(
            "{place} is no validator's key: give the line that `waxwing network key` prints, vote1... and nothing beside it"
        )),
        IdError::Mistyped(_) | IdError::NeedsFull(_) => {
            Failure::usage(format!("{place}: {error}; ask its operator for the line again"))
        }
    })?;
    let validator = ValidatorId(*key.as_bytes());
    if validator.is_usable() {
        Ok(validator)
    } else {
        Err(Failure::usage(format!(
            "{place} is a key for which nobody can sign: ask its operator for the line that `waxwing network key` prints"
        )))
    }
}

/// Reads a vote key.
///
/// # Errors
/// If the file is something else.
pub(crate) fn read_vote_key(path: &Path) -> Result<VoteKey, Failure> {
    let text = Zeroizing::new(files::read_text(path, "vote key", KEY_FILE_MAX)?);
    let seed = ids::hex_32(text.trim()).map(Zeroizing::new);
    let seed = seed.ok_or_else(|| {
        Failure::usage(format!(
            "{} is no vote key: it should hold 64 hexadecimal digits",
            path.display()
        ))
    })?;
    Ok(VoteKey::from_seed(&seed))
}

/// A vote key that nobody has seen before.
///
/// # Errors
/// If the system has no randomness.
pub(super) fn new_vote_key() -> Result<VoteKey, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..])
        .map_err(|error| Failure::failed(format!("the system has no random numbers to make a key from: {error}")))?;
    Ok(VoteKey::from_seed(&seed))
}

pub(super) fn write_vote_key(path: &Path, key: &VoteKey) -> Result<(), Failure> {
    let text = Zeroizing::new(format!("{}\n", Zeroizing::new(ids::hex(&key.seed()[..])).as_str()));
    files::write_new(path, text.as_bytes(), Readers::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let Err(Failure::Usage(why)) = parse_line(text, "key 2") else {
            panic!("{text} was taken")
        };
        why
    }

    #[test]
    fn a_line_is_read_back_and_each_wrong_one_says_what_to_do() {
        let key = VoteKey::from_seed(&[3; 32]);
        let text = line(&key.public());
        assert_eq!(parse_line(&format!("  {text}\n"), "key 1"), Ok(key.public()));
        assert!(refused(&ids::hex(&key.seed()[..])).contains("never pass vote.key around"));
        let mistyped = text.replace(&text[20..21], if &text[20..21] == "q" { "p" } else { "q" });
        assert!(refused(&mistyped).contains("mistyped"), "{mistyped}");
        assert!(refused(&ids::short(Kind::Validator, key.public().as_bytes())).contains("all of the `vote` id"));
        let node = ids::full(Kind::Node, key.public().as_bytes());
        assert!(refused(&node).contains("id of kind `node`"));
        assert!(refused(&ids::full(Kind::Validator, &[0; 32])).contains("nobody can sign"));
        assert!(refused("hello").contains("key 2 is no validator's key: give the line"));
    }

    #[test]
    fn files_hold_several_lines_with_notes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let lines = [1, 2].map(|seed| line(&VoteKey::from_seed(&[seed; 32]).public()));
        std::fs::write(&path, format!("# ours\n{}  # Ann\n\n{}\n", lines[0], lines[1])).unwrap();
        let third = line(&VoteKey::from_seed(&[3; 32]).public());
        let read = read_lines(&[path.to_string_lossy().into_owned(), third]).unwrap();
        assert_eq!(read.len(), 3);
        assert!(
            read[1].1.starts_with("key 1 (line 4 of ") && read[2].1 == "key 2",
            "{read:?}"
        );
        std::fs::write(&path, "# nothing\n").unwrap();
        assert!(read_lines(&[path.to_string_lossy().into_owned()]).is_err());
    }

    #[test]
    fn a_line_too_many_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let key = line(&VoteKey::from_seed(&[1; 32]).public());
        let name = path.display().to_string();
        let said = |text: String| {
            std::fs::write(&path, text).unwrap();
            let Err(Failure::Usage(why)) = read_lines(std::slice::from_ref(&name)) else {
                panic!("it was taken")
            };
            why
        };
        // All that the program printed, instead of the line.
        let printed = format!("# mine\nmade a vote key\n  line  {key}\n");
        let why = said(printed);
        assert!(
            why.starts_with(&format!("key 1 (line 2 of {name}) is no validator's key")),
            "{why}"
        );
        assert!(why.contains("put a # before it"), "{why}");
        let why = said(format!("{key}\n{key} Ann\n"));
        assert!(why.starts_with("key 1 (line 2 of "), "{why}");
        let why = said(format!("{key}\n\n{}\n", "ab".repeat(32)));
        assert!(why.contains("line 3 of ") && why.contains("secret key"), "{why}");
    }
}
