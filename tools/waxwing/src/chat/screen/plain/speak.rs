//! Messages as sentences, for whoever listens to them: words instead of signs, nothing that was said before is taken back.

use waxwing_light::{BodyKind, Ladder, MessageView};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::super::names::Names;
use super::super::when::Zone;
use crate::chat::show::{against, said, step};
use crate::chat::{events, mentions, told};

/// Characters of one message that are spoken without being asked.
const CHARACTERS_MAX: usize = 2_000;

/// One message: `12. bob, 14:05: the roses are out`.
pub(super) fn message(view: &MessageView, names: &Names, zone: &Zone) -> String {
    let mut text = String::new();
    if let Some(index) = view.log_index {
        text.push_str(&format!("{index}. "));
    }
    if let Some(says) = events::sentence(view) {
        let time = view
            .ordered_ms
            .map_or_else(String::new, |time| format!("{}: ", zone.minute(time)));
        return format!("{text}{time}{says}\n");
    }
    text.push_str(&who(view, names));
    if let Some(time) = view.ordered_ms.or(view.queued_ms).or(view.written_ms) {
        text.push_str(&format!(", {}", zone.minute(time)));
    }
    if let Some(quoted) = &view.quotes {
        let name = quoted
            .author
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), |author| display_safe_name(&author.name));
        let index = quoted.log_index.map_or_else(String::new, |index| format!(" {index}"));
        text.push_str(&format!(", in reply to{index} of {name}"));
    }
    text.push_str(&format!(": {}", words(view)));
    if view.edited {
        text.push_str(" (edited)");
    }
    for reaction in &view.reactions {
        let name = display_safe_name(&reaction.author.name);
        text.push_str(&format!("\n  {name} reacted with {}", display_safe(&reaction.emoji)));
    }
    if let Some(label) = told::label(view) {
        text.push_str(&format!("\n  {label}"));
    }
    if view.own && view.state != Ladder::Final {
        text.push_str(&format!("\n  {}", step(view.state).word()));
    }
    if view.mentions.iter().any(|mention| mention.me) {
        text.push_str("\n  this means you");
    }
    for exception in &view.exceptions {
        text.push_str(&format!("\n  warning: {}", against(*exception)));
    }
    if let Some(reason) = &view.reason {
        text.push_str(&format!("\n  reason: {}", display_safe(reason)));
    }
    text.push('\n');
    text
}

/// How far an own message is by now: `final, 12: the roses are out`.
pub(super) fn progress(view: &MessageView) -> String {
    let index = view.log_index.map_or_else(String::new, |index| format!(", {index}"));
    let beginning: String = words(view).chars().take(40).collect();
    let reason = view
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!("; {}", display_safe(reason)));
    format!(
        "{}{index}: {}{reason}\n",
        step(view.state).word(),
        beginning.replace('\n', " ")
    )
}

fn who(view: &MessageView, names: &Names) -> String {
    match &view.author {
        Some(author) => {
            let label = names.label(author, view.own);
            let tag = label.tag.map_or_else(String::new, |tag| format!(" of device {tag}"));
            label.name + &tag
        }
        None => "unknown".to_owned(),
    }
}

/// What it says, with later lines set in, so that none of them can pass for another message.
fn words(view: &MessageView) -> String {
    let is_said = view.body == BodyKind::Here && !view.retracted && matches!(view.kind, Some("text" | "reply"));
    if !is_said || view.text.is_none() {
        return said(view);
    }
    let text = mentions::marked(view, str::to_owned);
    let beginning: String = text.chars().take(CHARACTERS_MAX).collect();
    let more = if beginning.len() < text.len() {
        " (there is more: `waxwing chat read` prints it)"
    } else {
        ""
    };
    format!("{}{more}", beginning.replace('\n', "\n  "))
}
