//! The folder of everything that this program keeps, and what lies where in it.
//!
//! ```text
//! HOME/
//!   genesis.wxg     the founding facts of the network; public
//!   vote.key        the right to vote, until there is a node that takes it into its directory; secret
//!   node/           a node's data directory
//!   chat/           a person's channels and messages, encrypted
//!   profiles/NAME/  the same of further accounts, each in a `chat/` of its own
//! ```

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Name of a genesis file.
pub(crate) const GENESIS_FILE: &str = "genesis.wxg";
/// Name of the file with a vote key.
pub(crate) const VOTE_KEY_FILE: &str = "vote.key";

/// Where further accounts are.
const PROFILES: &str = "profiles";

/// Letters of a profile's name: it is a folder's as well, on every system.
const PROFILE_LETTERS_MAX: usize = 40;

/// Where this program keeps things.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    folder: Option<PathBuf>,
    is_default: bool,
    /// Which of several accounts is meant; none for the first one.
    profile: Option<String>,
}

impl Home {
    /// The folder given as `--home` or `WAXWING_HOME`; else the place that the system sets aside for such data.
    pub(crate) fn find(given: Option<&Path>) -> Self {
        match given {
            Some(folder) => Self {
                folder: Some(folder.to_owned()),
                is_default: false,
                profile: None,
            },
            None => Self {
                folder: default_folder(),
                is_default: true,
                profile: None,
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

    /// The same home, and one of the accounts in it; `None` is the first one.
    ///
    /// # Errors
    /// If the name is none that a folder can have.
    pub(crate) fn with_profile(&self, profile: Option<&str>) -> Result<Self, Failure> {
        if let Some(name) = profile.filter(|name| !is_profile(name)) {
            return Err(Failure::usage(format!(
                "{name} is no name for a profile: it has 1 to {PROFILE_LETTERS_MAX} small letters, digits and hyphens"
            )));
        }
        Ok(Self {
            profile: profile.map(str::to_owned),
            ..self.clone()
        })
    }

    /// Where the channels and messages of the account are that is meant.
    ///
    /// # Errors
    /// If there is no folder.
    pub(crate) fn chat(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder()?;
        let folder = self
            .profile
            .as_ref()
            .map_or_else(|| folder.to_owned(), |name| folder.join(PROFILES).join(name));
        Ok(folder.join("chat"))
    }

    /// The names of the further accounts in this home, in order.
    ///
    /// # Errors
    /// If there is no folder.
    pub(crate) fn profiles(&self) -> Result<Vec<String>, Failure> {
        // A folder that is not there holds none.
        let Ok(entries) = std::fs::read_dir(self.folder()?.join(PROFILES)) else {
            return Ok(Vec::new());
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| is_profile(name)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What a command suggested to somebody needs, so that it finds the same folder: nothing, or ` --home DIR`, and
    /// ` --profile NAME`.
    pub(crate) fn as_option(&self) -> String {
        let home = match &self.folder {
            Some(folder) if !self.is_default => format!(" --home {}", quoted(&folder.to_string_lossy())),
            _ => String::new(),
        };
        let profile = self.profile.as_ref();
        home + &profile.map_or_else(String::new, |name| format!(" --profile {}", quoted(name)))
    }
}

fn is_profile(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=PROFILE_LETTERS_MAX).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(is_letter)
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
    fn a_profile_is_a_folder_of_its_own_and_repeated_in_suggestions() {
        let home = Home::find(Some(Path::new("h")));
        assert_eq!(home.chat().unwrap(), Path::new("h/chat"));
        let work = home.with_profile(Some("work-2")).unwrap();
        assert_eq!(work.chat().unwrap(), Path::new("h/profiles/work-2/chat"));
        assert_eq!(work.as_option(), " --home h --profile work-2");
        assert_eq!(work.with_profile(None).unwrap(), home);
        for name in ["", ".", "..", "a/b", "a\\b", "Work", "-x", "é", &"x".repeat(41)] {
            assert!(home.with_profile(Some(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("node1qq"), "node1qq");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("waxwing:a#b"), "'waxwing:a#b'");
        assert_eq!(quoted(""), "''");
    }
}
