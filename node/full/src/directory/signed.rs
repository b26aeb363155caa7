//! Where the vote key has last signed, noted beside it.
//!
//! Two machines that vote with one key contradict each other sooner or later, and the contradiction stays as evidence
//! against their owner for ever. So whoever copies the key (a backup, a move) copies this note with it: a validator
//! signs nothing at or before it, and copies blocks until the ledger has passed it.
//!
//! One line of text, `HEIGHT ROUND STEP`, so that an operator can read it and, if it is lost, write one: a height alone
//! will do. It is there from the moment at which the key is, so one that is missing is one that was lost, and the node does
//! not start. Written before the signature leaves, and not synced: the journal is, and the two are on one disk.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use waxwing_order::{Guard, Step};

const STEPS: [(&str, Step); 3] = [
    ("propose", Step::Propose),
    ("prevote", Step::Prevote),
    ("precommit", Step::Precommit),
];

/// What the note says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// Where the key has last signed.
    At(Guard),
    /// There is none.
    Missing,
    /// It is no such line.
    Unreadable,
}

/// The note.
#[derive(Debug)]
pub(crate) struct Signed {
    keys: PathBuf,
    file: Option<fs::File>,
}

impl Signed {
    /// The note in a node's directory, and what it says.
    pub(crate) fn open(directory: &Path) -> io::Result<(Self, Said)> {
        let signed = Self {
            keys: directory.join("keys"),
            file: None,
        };
        let said = match fs::read(signed.path()) {
            Ok(text) => {
                let guard = str::from_utf8(&text).ok().and_then(parse);
                guard.map_or(Said::Unreadable, Said::At)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Said::Missing,
            Err(error) => return Err(error),
        };
        Ok((signed, said))
    }

    /// Where the note is.
    pub(crate) fn path(&self) -> PathBuf {
        self.keys.join("signed")
    }

    /// Notes of a key that is about to be put into a directory that it has signed nothing; a note that is there stays.
    pub(super) fn begin(directory: &Path) -> io::Result<()> {
        let (mut signed, said) = Self::open(directory)?;
        if said == Said::Missing {
            signed.note(Guard::default())?;
            signed.file()?.sync_all()?;
        }
        Ok(())
    }

    /// Notes where the key has signed.
    pub(crate) fn note(&mut self, guard: Guard) -> io::Result<()> {
        let step = STEPS.iter().find(|(_, step)| *step == guard.step);
        let step = step.map_or("precommit", |(name, _)| *name);
        // Always as long, in one write: a shorter text over a longer one would leave half of each.
        let line = format!("{:020} {:010} {step:<9}\n", guard.height, guard.round);
        self.file()?.write_all_at(line.as_bytes(), 0)
    }

    fn file(&mut self) -> io::Result<&fs::File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => super::options(0o600).create(true).truncate(false).open(self.path())?,
        };
        Ok(self.file.insert(file))
    }

    /// Destroys the vote key that lies beside the note. The note stays: it says that the key is used up.
    pub(crate) fn destroy_key(&self) -> io::Result<()> {
        let key = self.keys.join("vote");
        match super::options(0o600).open(&key) {
            Ok(file) => {
                // Over the seed first: removing a file leaves its content on the disk. A disk that moves what is
                // written over, as flash does, may keep a copy all the same.
                let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
                file.write_all_at(&vec![b'0'; length], 0)?;
                file.sync_all()?;
                fs::remove_file(&key)?;
                super::sync_directory(&self.keys).map_err(io::Error::other)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn parse(text: &str) -> Option<Guard> {
    let mut words = text.split_whitespace();
    let height = words.next()?.parse().ok()?;
    let round = words.next().map_or(Some(u32::MAX), |word| word.parse().ok())?;
    let step = words.next().map_or(Some(Step::Precommit), |word| {
        STEPS.iter().find(|(name, _)| *name == word).map(|(_, step)| *step)
    })?;
    words.next().is_none().then_some(Guard { height, round, step })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_a_height_alone_stands_for_all_of_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("keys")).unwrap();
        assert_eq!(Signed::open(directory.path()).unwrap().1, Said::Missing);
        Signed::begin(directory.path()).unwrap();
        let (mut signed, said) = Signed::open(directory.path()).unwrap();
        assert_eq!(said, Said::At(Guard::default()));
        for (height, step) in [(1_000_000, Step::Precommit), (7, Step::Propose)] {
            let guard = Guard { height, round: 3, step };
            signed.note(guard).unwrap();
            assert_eq!(Signed::open(directory.path()).unwrap().1, Said::At(guard));
            Signed::begin(directory.path()).unwrap();
            assert_eq!(
                Signed::open(directory.path()).unwrap().1,
                Said::At(guard),
                "a note stays"
            );
        }
        let all = Guard {
            height: 12,
            round: u32::MAX,
            step: Step::Precommit,
        };
        assert_eq!(parse("12\n"), Some(all));
        for bad in ["", "twelve", "12 1 vote", "12 1 prevote 9", "-1"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        for bad in [&b"?"[..], &[0xff], b""] {
            fs::write(directory.path().join("keys/signed"), bad).unwrap();
            let said = Signed::open(directory.path()).unwrap().1;
            assert_eq!(said, Said::Unreadable, "a guard that cannot be read is none");
        }
    }

    #[test]
    fn a_destroyed_key_is_gone_and_the_note_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        fs::create_dir(&keys).unwrap();
        fs::write(keys.join("vote"), "secret").unwrap();
        let (mut signed, _) = Signed::open(directory.path()).unwrap();
        signed.note(Guard::default()).unwrap();
        signed.destroy_key().unwrap();
        assert!(!keys.join("vote").exists() && keys.join("signed").exists());
        signed.destroy_key().unwrap();
    }
}
