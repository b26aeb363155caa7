//! `waxwing chat accounts`: several accounts beside each other, each a profile with a passphrase, device and words of its
//! own.
//!
//! ```text
//! HOME/chat                 without --profile
//! HOME/profiles/NAME/chat   with --profile NAME
//! ```
//!
//! They share a folder and nothing else: no file of one says that it belongs to the same person as another, and whoever
//! knows one passphrase opens one.

use serde_json::json;
use waxwing_light::Client;

use super::Session;
use crate::Done;
use crate::home::quoted;

/// Lists them, by their folders alone: nothing is opened.
pub(super) fn list(session: &Session<'_>) -> Done {
    let profiles = session.home.profiles()?;
    let mut rows = Vec::new();
    let mut text = String::new();
    let first = std::iter::once(None).chain(profiles.iter().map(|name| Some(name.as_str())));
    for profile in first {
        let folder = session.home.with_profile(profile)?.chat()?;
        if !Client::exists(&folder) {
            continue;
        }
        let option = profile.map_or_else(String::new, |name| format!("  --profile {}", quoted(name)));
        text.push_str(&format!("{}{option}\n", folder.display()));
        rows.push(json!({ "profile": profile, "folder": folder.to_string_lossy() }));
    }
    if text.is_empty() {
        text.push_str("no accounts yet\n");
    }
    session
        .output
        .result("chat.accounts", json!({ "accounts": rows }), &text)?;
    session
        .output
        .note("each has its own passphrase, device and 24 words; `--profile NAME` with a new name begins another one");
    Ok(0)
}
