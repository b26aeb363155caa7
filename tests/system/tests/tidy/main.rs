//! Tests of the source text and of the structure: what a reviewer would otherwise have to notice every time.
//!
//! Each rule is a function from text to findings, so that it can be shown a bad sample as well as the tree: a rule that
//! never finds anything would be the untidiest thing here.

mod arrows;
mod structure;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the tree: its path from the root, with `/`, and what it says.
struct Source {
    path: String,
    text: String,
}

/// Folders that hold nothing written by us: what git and cargo keep, and data of others.
const NOT_OURS: [&str; 4] = [".git", "target", "tests/data", "tests/fuzz/corpus"];

/// Every text file of the tree, sorted by path.
fn sources() -> Vec<Source> {
    let root = waxwing_system::root();
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files.sort();
    assert!(files.len() > 20, "only {} files found: the walk is broken", files.len());
    files
        .into_iter()
        .filter_map(|file| {
            // Files that are not UTF-8 are no text; a file that vanished since was an editor's.
            let text = fs::read_to_string(&file).ok()?;
            Some(Source {
                path: from_root(root, &file),
                text,
            })
        })
        .collect()
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folders of the tree can be read") {
        let entry = entry.expect("folders of the tree can be read");
        let path = entry.path();
        let kind = entry.file_type().expect("the system knows what it listed");
        if NOT_OURS.contains(&from_root(root, &path).as_str()) {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, files);
        } else if kind.is_file() {
            files.push(path);
        }
    }
}

fn from_root(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).expect("the walk starts at the root");
    inside
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

/// Applies a rule to every file; any finding fails the test that asked.
fn nothing_found(rule: impl Fn(&Source) -> Vec<String>) {
    let found: Vec<String> = sources().iter().flat_map(rule).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What a rule says about a sample that is not in the tree.
fn findings(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    rule(&Source {
        path: path.to_owned(),
        text: text.to_owned(),
    })
}
