//! What the program says about itself: version, manual pages, completions. All of it comes from the definitions in
//! [`crate::args`], so none of it can be out of date.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use crate::Done;
use crate::args::Cli;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell, output: &Output) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "waxwing", &mut script);
    let text = String::from_utf8_lossy(&script);
    output.result(
        "completions",
        json!({ "shell": shell.to_string(), "script": text }),
        &text,
    )?;
    Ok(0)
}

/// Prints the manual, or writes a page per command.
pub(crate) fn man(out: Option<&Path>, output: &Output) -> Done {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = out else {
        let page = page_of(&command)?;
        output.result(
            "man",
            json!({ "page": String::from_utf8_lossy(&page) }),
            &String::from_utf8_lossy(&page),
        )?;
        return Ok(0);
    };
    files::create_folder(folder)?;
    let mut pages = Vec::new();
    write_pages(&command, "waxwing", folder, &mut pages)?;
    let text = format!("{} pages in {}", pages.len(), folder.display());
    output.result("man", json!({ "folder": folder, "pages": pages }), &text)?;
    Ok(0)
}

/// Manual pages are made anew each time: unlike other files they are nobody's work.
fn write_pages(command: &Command, name: &str, folder: &Path, pages: &mut Vec<String>) -> Result<(), Failure> {
    let file = format!("{name}.1");
    let page = page_of(command)?;
    std::fs::write(folder.join(&file), page)
        .map_err(|error| Failure::failed(format!("cannot write {file}: {}", files::reason(&error))))?;
    pages.push(file);
    for verb in command.get_subcommands() {
        write_pages(verb, &format!("{name}-{}", verb.get_name()), folder, pages)?;
    }
    Ok(())
}

fn page_of(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered: io::Result<()> = clap_mangen::Man::new(command.clone()).render(&mut page);
    rendered.map_err(|error| Failure::failed(format!("the manual cannot be written: {error}")))?;
    Ok(page)
}

/// Prints version and build.
pub(crate) fn version(output: &Output) -> Done {
    let version = env!("CARGO_PKG_VERSION");
    let parts: &[&str] = if cfg!(feature = "node") {
        &["chat", "audit", "node"]
    } else {
        &["chat", "audit"]
    };
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let object = json!({
        "version": version,
        "parts": parts,
        "build": build,
        "system": std::env::consts::OS,
        "machine": std::env::consts::ARCH,
    });
    let facts = [
        ("parts", parts.join(", ")),
        (
            "build",
            format!("{build}, {} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        ("license", env!("CARGO_PKG_LICENSE").to_owned()),
    ];
    output.result("version", object, &output.facts(&format!("waxwing {version}"), &facts))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Cli::command();
        command.build();
        let mut pages = Vec::new();
        write_pages(&command, "waxwing", folder.path(), &mut pages).unwrap();
        assert!(
            pages.iter().any(|page| page == "waxwing-audit-policy-new.1"),
            "{pages:?}"
        );
        for page in pages {
            assert!(std::fs::metadata(folder.path().join(page)).unwrap().len() > 200);
        }
    }
}
