//! `waxwing export`: a whole history as one file, to hand to an auditor or to keep beside the backups.
//!
//! The file appears under its name only when it is whole and on the disk: half a bundle under the right name would be
//! found on the day when it is needed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use waxwing_audit::HistorySource;
use waxwing_audit::bundle::{ExportError, Exported, export};

use crate::Done;
use crate::audit::open_source;
use crate::failure::Failure;
use crate::files;
use crate::home::quoted;
use crate::output::Output;
use crate::progress::Progress;
use crate::words::grouped;

pub(crate) fn run(directory: &Path, out: &Path, output: &Output) -> Done {
    if output.is_json() && files::is_standard(out) {
        return Err(Failure::usage(
            "with --json standard output holds JSON only, and no bundle: name a file with --out, or leave out --json",
        ));
    }
    let (_, source) = open_source(directory)?;
    let mut source = source.map_err(|error| Failure::usage(format!("{}: {error}", directory.display())))?;
    let exported = if files::is_standard(out) {
        write(source.as_mut(), std::io::stdout().lock(), output)?
    } else {
        to_file(source.as_mut(), out, output)?
    };
    let object = json!({
        "out": out,
        "blocks": exported.blocks,
        "entries": exported.entries,
        "bytes": exported.bytes,
    });
    if files::is_standard(out) {
        // Standard output is the bundle.
        output.note(&format!(
            "{} blocks, {} entries",
            grouped(exported.blocks),
            grouped(exported.entries)
        ));
        return Ok(0);
    }
    let facts = [
        ("blocks", grouped(exported.blocks)),
        ("entries", grouped(exported.entries)),
        ("bytes", grouped(exported.bytes)),
    ];
    output.result("export", object, &output.facts(&out.to_string_lossy(), &facts))?;
    output.next(&format!(
        "waxwing audit run {} --policy FILE",
        quoted(&out.to_string_lossy())
    ))?;
    Ok(0)
}

fn to_file(source: &mut dyn HistorySource, out: &Path, output: &Output) -> Result<Exported, Failure> {
    if out.exists() {
        return Err(files::already_there(out));
    }
    let part = Part::beside(out);
    let failed =
        |error: std::io::Error| Failure::failed(format!("cannot write {}: {}", out.display(), files::reason(&error)));
    let file = File::create(&part.0).map_err(failed)?;
    let mut buffered = BufWriter::with_capacity(1 << 20, file);
    let exported = write(source, &mut buffered, output)?;
    let file = buffered.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    // Linking fails where a file appeared meanwhile; renaming would put it out of the way.
    std::fs::hard_link(&part.0, out).map_err(failed)?;
    Ok(exported)
}

fn write(source: &mut dyn HistorySource, out: impl Write, output: &Output) -> Result<Exported, Failure> {
    let mut progress = Progress::start("exporting", "blocks", output);
    export(source, out, &mut |done| progress.set(done.blocks, done.claimed)).map_err(|error| match error {
        ExportError::Source { .. } | ExportError::Incomplete { .. } => Failure::usage(error.to_string()),
        ExportError::Write(_) => Failure::failed(error.to_string()),
    })
}

/// A file that is not whole yet; it goes away with this value.
struct Part(PathBuf);

impl Part {
    fn beside(out: &Path) -> Self {
        let mut name = out.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        Self(out.with_file_name(name))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_yet_has_another_name_and_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a.bundle");
        let part = Part::beside(&out);
        std::fs::write(&part.0, b"half").unwrap();
        assert_eq!(part.0, folder.path().join("a.bundle.part"));
        drop(part);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
