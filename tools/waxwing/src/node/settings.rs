//! `waxwing node config`, and where a node's settings come from: flag, then variable, then file, then default.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use waxwing_node::config::{Join, KEYS, Layers, Loaded, NodeConfig};

use super::init;
use crate::Done;
use crate::args::Settings;
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::output::{Output, Tone};

/// A file that explains every setting takes 4 kB.
const SETTINGS_FILE_MAX: u64 = 1 << 20;

/// The settings that count here and now.
///
/// # Errors
/// The first setting that is wrong, and where it stands.
pub(super) fn load(flags: &Settings, home: &Home) -> Result<Loaded, Failure> {
    let path = file_of(home)?;
    let file = if path.exists() { Some(read(&path)?) } else { None };
    let layers = Layers {
        file,
        variables: variables(),
        flags: flags.flags.clone(),
    };
    Loaded::new(&layers).map_err(|error| Failure::usage(error.to_string()))
}

/// Shows them as a file, or each with its origin.
pub(super) fn show(origin: bool, flags: &Settings, home: &Home, output: &Output) -> Done {
    let loaded = load(flags, home)?;
    let values: Map<String, Value> = KEYS
        .iter()
        .map(|key| {
            let origin = loaded.origins.get(key.name).map(ToString::to_string);
            (
                key.name.to_owned(),
                json!({ "value": (key.show)(&loaded.config), "origin": origin }),
            )
        })
        .collect();
    let text = if origin {
        with_origins(&loaded, output)
    } else {
        loaded.config.to_file()
    };
    output.result("node.config.show", json!({ "settings": values }), &text)?;
    Ok(0)
}

fn with_origins(loaded: &Loaded, output: &Output) -> String {
    let rows = KEYS.iter().map(|key| {
        let origin = loaded
            .origins
            .get(key.name)
            .map_or_else(String::new, ToString::to_string);
        (format!("{} = {}", key.name, (key.show)(&loaded.config)), origin)
    });
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(row, _)| row.len()).max().unwrap_or(0).min(40);
    let lines = rows
        .iter()
        .map(|(row, origin)| format!("{row:width$}  {}\n", output.paint(Tone::Faint, origin)));
    lines.collect()
}

/// Checks a file without starting anything.
pub(super) fn check(file: Option<&Path>, home: &Home, output: &Output) -> Done {
    let path = file.map_or_else(|| file_of(home), |file| Ok(file.to_owned()))?;
    let layers = Layers {
        file: Some(read(&path)?),
        ..Layers::default()
    };
    let loaded = Loaded::new(&layers).map_err(|error| Failure::usage(error.to_string()))?;
    let set = loaded
        .origins
        .values()
        .filter(|origin| origin.to_string() != "default")
        .count();
    let text = format!(
        "{} is in order: it sets {set} of {} settings",
        path.display(),
        KEYS.len()
    );
    let unused = unused(&loaded.config);
    output.result(
        "node.config.check",
        json!({ "file": path, "set": set, "settings": KEYS.len(), "unused": unused }),
        &text,
    )?;
    unused.iter().for_each(|line| output.note(line));
    Ok(0)
}

/// What is set and changes nothing, with what to do about it: whoever set it believes that it protects them.
pub(super) fn unused(config: &NodeConfig) -> Vec<&'static str> {
    let mut unused = Vec::new();
    if config.pin.is_some() && config.join == Join::Full {
        unused.push(
            "`pin` is set and not used: with join = \"full\" everything is checked from the genesis on; set join = \"fast\", or \
             remove `pin`",
        );
    }
    unused
}

fn file_of(home: &Home) -> Result<PathBuf, Failure> {
    Ok(init::folder(home)?.join("node.toml"))
}

fn read(path: &Path) -> Result<(PathBuf, String), Failure> {
    let text = files::read_text(path, "settings file", SETTINGS_FILE_MAX)?;
    let shown = if files::is_standard(path) {
        PathBuf::from("standard input")
    } else {
        path.to_owned()
    };
    Ok((shown, text))
}

/// The environment, as far as it is text; the table of settings decides which of it counts.
fn variables() -> Vec<(String, String)> {
    let texts =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_that_nothing_would_use_is_said_and_one_that_is_used_is_not() {
        let pin = format!("pin = \"7:{}\"\n", "ab".repeat(32));
        let unused_in = |text: &str| {
            let layers = Layers {
                file: Some((PathBuf::from("node.toml"), text.to_owned())),
                ..Layers::default()
            };
            unused(&Loaded::new(&layers).unwrap().config)
        };
        assert!(
            unused_in(&format!("{pin}join = \"full\""))
                .concat()
                .contains("`pin` is set and not used")
        );
        assert!(unused_in(&format!("{pin}join = \"fast\"")).is_empty());
        assert!(unused_in("join = \"full\"").is_empty());
    }
}
