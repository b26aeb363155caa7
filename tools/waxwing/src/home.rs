//! The folder of everything that this program keeps, and what lies where in it.
//!
//! ```text
//! HOME/
//!   genesis.wxg     the founding facts of the network; public
//!   vote.key        the right to vote, until there is a node that takes it into its directory; secret
//!   node/           a node's data directory
//!   chat/           a person's channels and messages, encrypted
//! ```

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Name of a genesis file.
pub(crate) const GENESIS_FILE: &str = "genesis.wxg";
/// Name of the file with a vote key.
pub(crate) const VOTE_KEY_FILE: &str = "vote.key";

/// Where this program keeps things.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    folder: Option<PathBuf>,
    is_default: bool,
}

impl Home {
    /// The folder given as `--home` or `WAXWING_HOME`; else the place that the system sets aside for such data.
    pub(crate) fn find(given: Option<&Path>) -> Self {
        match given {
            Some(folder) => Self {
                folder: Some(folder.to_owned()),
                is_default: false,
            },
            None => Self {
                folder: default_folder(),
                is_default: true,
            },
        }
    }

    /// The folder.
    ///
    /// # Errors
    /// If none was given and the system names none.
    pub(crate) fn folder(&self) -> Result<&Path, Failure> {
        self.folder
            .as_deref()
            .ok_or_else(|| Failure::usage("this system names no home folder: give one with --home DIR"))
    }

    /// What a command suggested to somebody needs, so that it finds the same folder: nothing, or ` --home DIR`.
    pub(crate) fn as_option(&self) -> String {
        match &self.folder {
            Some(folder) if !self.is_default => format!(" --home {}", quoted(&folder.to_string_lossy())),
            _ => String::new(),
        }
    }
}

fn default_folder() -> Option<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let data = variable("XDG_DATA_HOME")
        .or_else(|| variable("APPDATA"))
        .or_else(|| variable("HOME").map(|home| home.join(".local").join("share")))?;
    Some(data.join("waxwing"))
}

/// A word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@,=+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_was_given_is_repeated_in_suggestions() {
        assert_eq!(Home::find(Some(Path::new("a b"))).as_option(), " --home 'a b'");
        assert_eq!(Home::find(Some(Path::new("x/y"))).as_option(), " --home x/y");
        assert_eq!(Home::find(None).as_option(), "");
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("node1qq"), "node1qq");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("waxwing:a#b"), "'waxwing:a#b'");
        assert_eq!(quoted(""), "''");
    }
}
