//! Damage below the database: bytes of its files.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use waxwing_store::{RocksTables, Store};

use super::{Choice, TamperError, TamperKind};

/// The first bytes of a file of tables are rows; its own index, filters and notes stand at the end and may not be needed.
const ROWS: u64 = 256;

pub(super) fn damage(
    directory: &Path,
    store: Store<RocksTables>,
    kind: TamperKind,
    choice: &Choice,
) -> Result<String, TamperError> {
    // What is only in the log of writes goes into tables first.
    store.settle()?;
    drop(store);
    let done = match kind {
        TamperKind::ManifestByte => change(&largest(directory, "MANIFEST")?, choice, u64::MAX),
        TamperKind::TableCut => cut(&largest(directory, ".sst")?),
        _ => change(&largest(directory, ".sst")?, choice, ROWS),
    };
    done.map_err(|error| TamperError::File(error.to_string()))
}

/// The largest file whose name has this part, the first by name of several.
fn largest(directory: &Path, part: &str) -> Result<PathBuf, TamperError> {
    let fail = |error: std::io::Error| TamperError::File(error.to_string());
    let mut files = Vec::new();
    for file in fs::read_dir(directory).map_err(fail)? {
        let file = file.map_err(fail)?;
        if file.file_name().to_string_lossy().contains(part) {
            let size = file.metadata().map_err(fail)?.len();
            files.push((core::cmp::Reverse(size), file.path()));
        }
    }
    files.sort();
    let needs = "a file of tables and a list of files";
    files
        .into_iter()
        .next()
        .map(|(_, path)| path)
        .ok_or(TamperError::Nothing { needs })
}

fn change(path: &Path, choice: &Choice, first: u64) -> std::io::Result<String> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let place = choice.below("place", size.min(first));
    let mut byte = [0];
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut byte)?;
    let changed = byte.map(|byte| byte ^ 0x55);
    file.seek(SeekFrom::Start(place))?;
    file.write_all(&changed)?;
    file.sync_all()?;
    Ok(format!("byte {place} of {} changed", name(path)))
}

fn cut(path: &Path) -> std::io::Result<String> {
    let file = File::options().write(true).open(path)?;
    let size = file.metadata()?.len();
    file.set_len(size / 2)?;
    file.sync_all()?;
    Ok(format!("{} cut from {size} to {} bytes", name(path), size / 2))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
