//! A message on the screen: who, when, what, how far it is; and below it what speaks against it.
//!
//! ```text
//! ✓ 13:45 SuperLag  I don't see an option for configuring RAID
//!   final, block 7, entry 12, ordered 2015-10-19 13:45:03 +00:00, msg1...        with --proofs
//!   ! its body is kept back by the nodes that were asked                         the exception, never the rule
//! ```

use serde_json::Value;
use waxwing_light::{AttachmentView, BodyKind, Exception, Ladder, MessageView};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::manners::timer_says;
use super::{events, mentions, told};
use crate::clock;
use crate::ids::{self, Kind};
use crate::ladder::Step;
use crate::output::{Output, Tone};
use crate::words::{bytes, count};

/// How much is said about each message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    /// What was said.
    Calm,
    /// And where it stands in the ledger.
    Proofs,
}

/// The state of a message in this program's words.
pub(crate) const fn step(state: Ladder) -> Step {
    match state {
        Ladder::Queued => Step::Queued,
        Ladder::Sent => Step::Sent,
        Ladder::Final => Step::Final,
        Ladder::SeenByAll => Step::SeenByAll,
        Ladder::Failed => Step::Failed,
        Ladder::Told => Step::Told,
    }
}

/// A message, in one line or several.
pub(crate) fn message(view: &MessageView, detail: Detail, output: &Output) -> String {
    if events::is_hidden(view) {
        return String::new();
    }
    let mut lines = wrapped(&head(view, output), output);
    for reaction in &view.reactions {
        let who = display_safe_name(&reaction.author.name);
        lines.push_str(&format!("  {} {who}\n", display_safe(&reaction.emoji)));
    }
    if detail == Detail::Proofs {
        let place = format!("  {}", output.paint(Tone::Faint, &place(view, output)));
        lines.push_str(&format!("{}\n", output.wrapped(&place, 2)));
    }
    for exception in &view.exceptions {
        lines.push_str(&format!(
            "  {}\n",
            output.paint(Tone::Bad, &format!("! {}", against(*exception)))
        ));
    }
    if let Some(reason) = &view.reason {
        lines.push_str(&format!(
            "  {}\n",
            output.paint(Tone::Bad, &format!("! {}", display_safe(reason)))
        ));
    }
    lines
}

/// Who, when, what; or what a change of the group says.
fn head(view: &MessageView, output: &Output) -> String {
    let step = step(view.state);
    let symbol = output.paint(step.tone(), step.symbol(output.ascii));
    let time = view
        .ordered_ms
        .or(view.written_ms)
        .or(view.queued_ms)
        .map_or_else(|| "--:--".to_owned(), clock::minute);
    if let Some(says) = events::sentence(view) {
        if events::is_alarm(view) {
            return output.paint(Tone::Bad, &format!("! {time} {says}"));
        }
        // In the column of the signs nothing stands that somebody wrote: no name and no text looks like this line.
        let sign = if output.ascii { "*" } else { "·" };
        return output.paint(Tone::Faint, &format!("{sign} {time} {says}"));
    }
    let begin = format!("{symbol} {}", output.paint(Tone::Faint, &time));
    let name = match &view.author {
        Some(author) => output.paint(Tone::Strong, &display_safe_name(&author.name)),
        None => output.paint(Tone::Doubtful, "unknown"),
    };
    let words = said_marking(view, |name| output.mark(name));
    let mut text = format!("{begin} {name}  {words}");
    if view.edited {
        text.push_str(&output.paint(Tone::Faint, " (edited)"));
    }
    if let Some(label) = told::label(view) {
        text.push_str(&format!("  {}", output.paint(Tone::Doubtful, &label)));
    } else if !step.is_final() {
        text.push_str(&format!("  {}", output.paint(step.tone(), step.word())));
    }
    text
}

/// What it says, made harmless, or why there is nothing to read.
pub(crate) fn said(view: &MessageView) -> String {
    said_marking(view, str::to_owned)
}

/// The same, with a mark on whom the words mean.
fn said_marking(view: &MessageView, mark: impl Fn(&str) -> String) -> String {
    if let Some(says) = events::sentence(view) {
        return says;
    }
    if is_kept_back(view) {
        return "(a message of a blocked person)".to_owned();
    }
    let words = mentions::marked(view, mark);
    if let (BodyKind::Here, Some(days)) = (view.body, view.timer_days) {
        return format!("(from here on {}; that binds honest members only)", timer_says(days));
    }
    match (view.body, view.kind) {
        (BodyKind::Here, _) if view.retracted => "(taken back by its author)".to_owned(),
        (BodyKind::Here, Some("reaction")) => format!("reacts with {} {}", left(&words), quoted(view, "to")),
        (BodyKind::Here, Some("attachment")) => format!("{} {words}", file(view)).trim_end().to_owned(),
        (BodyKind::Here, Some("retraction")) => format!("takes back {}", quoted(view, "")),
        (BodyKind::Here, Some("edit")) => format!("edits {}: {}", quoted(view, ""), left(&words)),
        (BodyKind::Here, Some("reply")) => format!("({}) {words}", quoted(view, "to")),
        (BodyKind::Here, _) if view.text.is_none() => "(of a kind that this version cannot show: update)".to_owned(),
        (BodyKind::Here, _) => words,
        (BodyKind::Unopened, _) => "(does not open)".to_owned(),
        (BodyKind::Withheld, _) => "(withheld)".to_owned(),
        (BodyKind::Erased, _) => "(erased by its author)".to_owned(),
        (BodyKind::Expired, _) => "(its time has passed)".to_owned(),
    }
}

/// Whether it is not shown what a blocked person said.
pub(crate) const fn is_kept_back(view: &MessageView) -> bool {
    view.blocked && view.text.is_none() && view.attachment.is_none() && matches!(view.body, BodyKind::Here)
}

/// So many messages of blocked people, one after the other.
pub(crate) fn kept_back(messages: u64, output: &Output) -> String {
    let sign = if output.ascii { "*" } else { "·" };
    let people = if messages == 1 {
        "a blocked person"
    } else {
        "blocked people"
    };
    let says = format!(
        "{sign} --:-- {} of {people}; --blocked shows them",
        count(messages, "message", "messages")
    );
    format!("{}\n", output.paint(Tone::Faint, &says))
}

/// A file that a message hands over, its name harmless.
pub(crate) fn file(view: &MessageView) -> String {
    let Some(file) = &view.attachment else {
        return "(a file that is gone)".to_owned();
    };
    let saved = match &file.saved {
        Some(path) => format!("saved as {}", display_safe(path)),
        None => "not saved here".to_owned(),
    };
    format!("[{}, {saved}]", file_facts(file))
}

/// Its name, made harmless, its size, and how long nodes keep it by what its sender says.
pub(crate) fn file_facts(file: &AttachmentView) -> String {
    let kept = match file.kept_until_ms {
        Some(until) => format!("kept by nodes until {}", clock::local(until)),
        None => "kept by nodes".to_owned(),
    };
    format!("{}, {}, {kept}", display_safe(&file.name), bytes(file.size))
}

/// Words, or that they were forgotten.
fn left(words: &str) -> &str {
    if words.is_empty() { "(nothing is left)" } else { words }
}

/// The message that this one is about, on one line.
fn quoted(view: &MessageView, before: &str) -> String {
    let what = match &view.quotes {
        None => "a message that is not here".to_owned(),
        Some(quote) => {
            let who = quote
                .author
                .as_ref()
                .map_or_else(|| "unknown".to_owned(), |author| display_safe_name(&author.name));
            let who = if quote.told { format!("{who} (as told)") } else { who };
            match quote.text.as_deref() {
                Some(text) => format!("{who}: {}", beginning(text)),
                None => format!("{who}: {}", left("")),
            }
        }
    };
    format!("{before} {what}").trim_start().to_owned()
}

/// Characters of a quotation on the screen.
const QUOTED_CHARACTERS: usize = 40;

/// The beginning of a text, harmless and on one line.
fn beginning(text: &str) -> String {
    let safe = display_safe(text);
    let words = safe.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(QUOTED_CHARACTERS) {
        Some((end, _)) => format!("{}...", words.get(..end).unwrap_or_default().trim_end()),
        None => words,
    }
}

/// Where it stands, and its id.
fn place(view: &MessageView, output: &Output) -> String {
    let mut parts = vec![told::label(view).unwrap_or_else(|| step(view.state).word().to_owned())];
    if let Some(told) = &view.told {
        parts.push(format!("ordered {}, it says", clock::local(told.ordered_ms)));
        parts.extend(id(view, output));
        return parts.join(", ");
    }
    parts.extend(view.height.map(|height| format!("block {height}")));
    parts.extend(view.log_index.map(|index| format!("entry {index}")));
    parts.extend(
        view.ordered_ms
            .map(|ordered| format!("ordered {}", clock::local(ordered))),
    );
    parts.extend(reach(view));
    parts.extend(
        view.expires_ms
            .map(|expires| format!("disappears {}", clock::local(expires))),
    );
    parts.extend(id(view, output));
    parts.join(", ")
}

/// How far the others have come with an own message: `held by 2 of 3, delivered to 2, read by 1`.
pub(crate) fn reach(view: &MessageView) -> Option<String> {
    let reach = view.reach.filter(|reach| reach.others > 0)?;
    let mut says = format!("held by {} of {}", reach.held, reach.others);
    if reach.delivered > 0 {
        says.push_str(&format!(", delivered to {}, read by {}", reach.delivered, reach.read));
    }
    Some(says)
}

/// The message's id, as `why` and `receipt` take it.
pub(crate) fn id(view: &MessageView, output: &Output) -> Option<String> {
    let hex = view.content_id.as_deref()?;
    if output.is_verbose() {
        return Some(hex.to_owned());
    }
    // 16 bytes, of which the short form shows 10.
    let mut padded = [0; 32];
    padded.split_at_mut(16).0.copy_from_slice(&ids::hex_16(hex)?);
    Some(ids::short(Kind::Message, &padded))
}

/// What speaks against a message, in words.
pub(super) const fn against(exception: Exception) -> &'static str {
    match exception {
        Exception::NotOpened => "it does not open",
        Exception::Withheld => {
            "its body is kept back by the nodes that were asked: it is asked for again until the keys of its time are gone"
        }
        Exception::OtherHistory => "its writer had proven another history of this channel: compare in person",
        Exception::MissingBefore => {
            "its device wrote something before it that is not here: not sent, on its way, or withheld"
        }
        Exception::ClockOdd => "it claims to have been written after it was ordered",
        Exception::ToldOtherwise => "its author, or another member, says it otherwise: this is what was told first",
        Exception::UnknownKind => "of a kind that this version cannot show: update",
        Exception::KeyChanged => {
            "the keys of whoever wrote it changed since you compared: look at them, and compare again"
        }
        Exception::DeviceUnknown => {
            "its device does not speak for the account that it says: the account's card does not list it, or put it out before"
        }
    }
}

/// Wrapped at the terminal's width, later lines indented; as it is where there is none.
fn wrapped(text: &str, output: &Output) -> String {
    let Some(width) = output.width() else {
        return text.replace('\n', "\n    ") + "\n";
    };
    let options = textwrap::Options::new(width.max(20)).subsequent_indent("    ");
    textwrap::fill(text, options) + "\n"
}

/// A value of the client as JSON, with its times in ISO 8601.
pub(crate) fn json_of(value: &impl serde::Serialize) -> Value {
    let value = serde_json::to_value(value).expect("what the client hands out has a form in JSON");
    with_iso_times(value)
}

/// `ordered_ms: 5` becomes `ordered: "1970-01-01T00:00:00.005Z"`; durations stay numbers.
fn with_iso_times(value: Value) -> Value {
    const TIMES: [&str; 16] = [
        "asked_ms",
        "queued_ms",
        "ordered_ms",
        "written_ms",
        "time_ms",
        "until_ms",
        "expires_ms",
        "served_ms",
        "head_ms",
        "met_ms",
        "compared_ms",
        "blocked_ms",
        "changed_ms",
        "since_ms",
        "kept_until_ms",
        "saved_ms",
    ];
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(with_iso_times).collect()),
        Value::Object(fields) => {
            let renamed =
                fields
                    .into_iter()
                    .map(|(name, value)| match (TIMES.contains(&name.as_str()), value.as_u64()) {
                        (true, Some(ms)) => (name.trim_end_matches("_ms").to_owned(), Value::from(clock::iso(ms))),
                        (true, None) => (name.trim_end_matches("_ms").to_owned(), value),
                        (false, _) => (name, with_iso_times(value)),
                    });
            Value::Object(renamed.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_become_iso_and_durations_stay() {
        let value = json!({ "a": [{ "ordered_ms": 5, "age_ms": 7 }], "written_ms": null });
        let expected = json!({ "a": [{ "ordered": "1970-01-01T00:00:00.005Z", "age_ms": 7 }], "written": null });
        assert_eq!(with_iso_times(value), expected);
    }
}
