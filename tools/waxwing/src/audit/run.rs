//! `waxwing audit run`: replays a whole history and says what holds.
//!
//! The report is `waxwing-audit`'s, word for word; here it gets a source, a progress bar and its exit code.

use std::fs::File;
use std::io::{BufReader, Read, Stdin};
use std::path::Path;

use waxwing_audit::bundle::Bundle;
use waxwing_audit::source::SourceKind;
use waxwing_audit::{HistorySource, Report, SourceError};
use waxwing_core::policy::Policy;
use waxwing_verify::{FileKind, KIND_BYTES};

use super::nodes::{self, NodeHistory};
use super::policy::read_policy;
use crate::failure::Failure;
use crate::output::{Output, Tone};
use crate::progress::Progress;
use crate::{Done, files};

pub(super) fn run(source: &Path, policy: Option<&Path>, output: &Output) -> Done {
    let policy = policy.map(read_policy).transpose()?;
    let report = report(source, policy.as_ref(), output)?;
    tell(&report, output)?;
    Ok(report.exit_code())
}

/// Audits what is at a path.
///
/// # Errors
/// If it cannot be read now; nothing is claimed about it then.
pub(crate) fn report(path: &Path, policy: Option<&Policy>, output: &Output) -> Result<Report, Failure> {
    let failed = |error: SourceError| Failure::failed(format!("{}: {error}", path.display()));
    let (kind, opened) = open(path)?;
    let mut source = match opened {
        Ok(source) => source,
        Err(error) => return waxwing_audit::unopened(kind, policy, error).map_err(failed),
    };
    let mut progress = Progress::start("auditing", "blocks", output);
    waxwing_audit::audit(source.as_mut(), policy, &mut |done| {
        progress.set(done.blocks, done.claimed)
    })
    .map_err(failed)
}

/// What is at the path, and how it opened.
pub(crate) type Opened = (SourceKind, Result<Box<dyn HistorySource>, SourceError>);

/// Opens a directory or a bundle, or calls a node; `-` is a bundle from standard input.
///
/// # Errors
/// If there is nothing, or a directory and this program was built without them.
pub(crate) fn open(path: &Path) -> Result<Opened, Failure> {
    if let Some(address) = nodes::named(path)? {
        let node = NodeHistory::call(&address)?;
        return Ok((SourceKind::Nodes, Ok(boxed(node))));
    }
    if files::is_standard(path) {
        let bundle = Bundle::<BufReader<Stdin>>::read(BufReader::new(std::io::stdin()));
        return Ok((SourceKind::Bundle, bundle.map(boxed)));
    }
    let kind = std::fs::metadata(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read the history {}: {}",
            path.display(),
            files::reason(&error)
        ))
    })?;
    if kind.is_dir() {
        return super::directory::open(path);
    }
    is_no_other_kind(path)?;
    Ok((SourceKind::Bundle, Bundle::open(path).map(boxed)))
}

/// Whoever gives a file of ours that holds no history is told what reads it. Whether any other file is a bundle is for
/// its reader to say.
///
/// # Errors
/// If it is such a file.
pub(super) fn is_no_other_kind(path: &Path) -> Result<(), Failure> {
    let mut start = Vec::new();
    let limit = u64::try_from(KIND_BYTES).unwrap_or(u64::MAX);
    // A file that cannot be read is refused where it is read.
    let _ = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut start));
    match FileKind::of(&start) {
        None | Some(FileKind::Bundle) => Ok(()),
        Some(kind) => Err(Failure::usage(format!(
            "{} is {kind}, and no history: {}",
            path.display(),
            kind.advice()
        ))),
    }
}

pub(super) fn boxed<S: HistorySource + 'static>(source: S) -> Box<dyn HistorySource> {
    Box::new(source)
}

/// The column in which a report's values stand.
const VALUES: usize = 12;

/// Prints the report.
///
/// # Errors
/// If nobody reads any more.
pub(crate) fn tell(report: &Report, output: &Output) -> Result<(), Failure> {
    let object = serde_json::from_str(&report.to_json()).expect("a report in JSON is JSON");
    let (text, word) = (report.to_string(), report.verdict.word());
    let lines = text.lines().map(|line| output.wrapped(line, VALUES) + "\n");
    let text: String = lines.collect();
    let tone = if report.exit_code() == 0 { Tone::Good } else { Tone::Bad };
    output.result("audit", object, &text.replacen(word, &output.paint(tone, word), 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_audit::bundle::BUNDLE_MAGIC;

    #[test]
    fn other_files_of_ours_are_called_by_their_name_and_bundles_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let told = |bytes: &[u8]| {
            let path = folder.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            is_no_other_kind(&path)
        };
        assert_eq!(told(&BUNDLE_MAGIC), Ok(()));
        assert_eq!(FileKind::of(&BUNDLE_MAGIC), Some(FileKind::Bundle));
        assert_eq!(told(b"hello"), Ok(()));
        for (bytes, words) in [
            (
                &b"WXEVIDN\x01"[..],
                "is evidence, and no history: check it with `waxwing-verify`",
            ),
            (b"WXRECLA\x01", "is a receipt, and no history"),
            (b"waxwing-policy 1\n", "--policy"),
        ] {
            assert!(
                matches!(told(bytes), Err(Failure::Usage(text)) if text.contains(words)),
                "{words}"
            );
        }
    }
}
