//! The passphrase that opens a person's messages: from a file, or asked for on a terminal, never from an argument that
//! every list of processes shows.
//!
//! Where nobody can be asked, the refusal names the flag that answers instead.

use std::io::IsTerminal;
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;

/// A line, and room for a long one.
const PASSPHRASE_FILE_MAX: u64 = 4096;

/// What the passphrase is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// To open what is there.
    Open,
    /// To protect what is being made: asked for twice.
    Choose,
}

/// Reads the passphrase.
///
/// # Errors
/// If the file has none, or nobody can be asked.
pub(crate) fn read(file: Option<&Path>, purpose: Purpose) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(file) => from_file(file),
        None if std::io::stdin().is_terminal() || std::io::stderr().is_terminal() => ask(purpose),
        None => Err(Failure::usage(
            "a passphrase is needed and there is no terminal to ask on: give --passphrase-file FILE, or set \
             WAXWING_PASSPHRASE_FILE",
        )),
    }
}

/// The first line of the file, without its end.
fn from_file(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = Zeroizing::new(files::read_text(file, "passphrase file", PASSPHRASE_FILE_MAX)?);
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::usage(format!(
            "{} holds no passphrase: its first line is to be one",
            file.display()
        )));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn ask(purpose: Purpose) -> Result<Zeroizing<String>, Failure> {
    let prompt = |text: &str| {
        rpassword::prompt_password(text)
            .map(Zeroizing::new)
            .map_err(|error| Failure::failed(format!("the passphrase cannot be read: {}", files::reason(&error))))
    };
    if purpose == Purpose::Open {
        return prompt("Passphrase: ");
    }
    let first = prompt("Choose a passphrase for the messages on this device: ")?;
    if first.is_empty() {
        return Err(Failure::usage("the passphrase is empty: choose one of several words"));
    }
    if *first != *prompt("Once more: ")? {
        return Err(Failure::usage(
            "the two passphrases differ: nothing was changed, type the command again",
        ));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p");
        std::fs::write(&file, "correct horse \r\nsecond line\n").unwrap();
        assert_eq!(read(Some(&file), Purpose::Choose).unwrap().as_str(), "correct horse ");
        std::fs::write(&file, "\nlate").unwrap();
        assert!(matches!(read(Some(&file), Purpose::Open), Err(Failure::Usage(_))));
    }
}
