//! Files that somebody names on the command line: read within a bound, written once, never overwritten by accident.
//!
//! `-` stands for standard input and output. A file that is too large is refused before it is read, since it cannot be
//! what was asked for; secrets are created readable by their owner alone, not made so afterwards.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::failure::Failure;

/// Whether a path means standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads a whole file, or standard input for `-`, of at most `limit` bytes. `what` names the file in refusals.
///
/// # Errors
/// If it cannot be read or is larger.
pub(crate) fn read(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>, Failure> {
    let shown = if is_standard(path) {
        "standard input".into()
    } else {
        path.to_string_lossy()
    };
    let mut bytes = Vec::new();
    let result = if is_standard(path) {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
    };
    result.map_err(|error| Failure::usage(format!("cannot read {what} {shown}: {}", reason(&error))))?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > limit) {
        return Err(Failure::usage(format!(
            "{shown} is no {what}: it is larger than the {limit} bytes that one can have"
        )));
    }
    Ok(bytes)
}

/// Reads a text file.
///
/// # Errors
/// Like [`read`], and if it is not UTF-8.
pub(crate) fn read_text(path: &Path, what: &str, limit: u64) -> Result<String, Failure> {
    let bytes = read(path, what, limit)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{} is no {what}: it is not a text file", path.display())))
}

/// Who may read a new file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readers {
    /// Whoever the system lets by default.
    Anybody,
    /// Its owner.
    Owner,
}

/// Writes a new file and makes it durable.
///
/// # Errors
/// If there is one already, or it cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if readers == Readers::Owner {
        owner_only(&mut options);
    }
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => already_there(path),
        _ => Failure::failed(format!("cannot write {}: {}", path.display(), reason(&error))),
    })
}

/// Writes a file anew, under its name only when it is whole and durable.
///
/// # Errors
/// If that fails.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    });
    written.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        Failure::failed(format!("cannot write {}: {}", path.display(), reason(&error)))
    })
}

/// The refusal to overwrite.
pub(crate) fn already_there(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} exists and is not overwritten: choose another place, or move it away",
        path.display()
    ))
}

/// Creates a folder and those above it.
///
/// # Errors
/// If that fails.
pub(crate) fn create_folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|error| {
        Failure::failed(format!(
            "cannot create the folder {}: {}",
            path.display(),
            reason(&error)
        ))
    })
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_options: &mut OpenOptions) {}

/// What the system says, without its number and without a capital in the middle of our sentence.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            let mut letters = text.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(write_new(&path, b"one", Readers::Owner), Ok(()));
        assert_eq!(write_new(&path, b"two", Readers::Anybody), Err(already_there(&path)));
        assert_eq!(read(&path, "thing", 3), Ok(b"one".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_new(&path, b"s", Readers::Owner).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no-such-file");
        let Err(Failure::Usage(text)) = read(&missing, "policy", 9) else {
            panic!("it is not there")
        };
        assert!(text.contains("no-such-file: there is no such file"), "{text}");
        std::fs::write(&missing, b"0123456789").unwrap();
        let Err(Failure::Usage(text)) = read(&missing, "policy", 9) else {
            panic!("it is too large")
        };
        assert!(text.contains("larger than the 9 bytes"), "{text}");
        std::fs::write(&missing, b"\xff").unwrap();
        assert!(read_text(&missing, "policy", 9).is_err());
        assert!(read(folder.path(), "policy", 9).is_err());
    }
}
