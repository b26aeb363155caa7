//! Somebody, and what is compared with them: digits to be read aloud, emoji for two screens side by side, a code to scan.
//!
//! ```text
//! 74912 🐶🐱🦁  39495 🐎🦄🐷  20245 🐘🐰🐼  93651 🐓🐧🐢
//! ...
//! y match   n DON'T MATCH
//! ```

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;
use waxwing_light::{Consent, Standstill};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::super::super::model::Model;
use super::super::super::person::Person;
use super::super::super::text::{narrow, wrapped};
use super::super::toned;
use super::picture;
use crate::ids::{self, Kind};
use crate::output::Tone;

/// Columns between two groups.
const GAP: usize = 2;

pub(super) fn title(person: &Person) -> String {
    format!("compare with {}", display_safe_name(&person.detail.contact.name))
}

pub(super) fn lines(model: &Model, person: &Person, width: usize) -> Vec<Line<'static>> {
    let mut lines = who(model, person, width);
    lines.extend(faint(
        model,
        "The same on both screens? Read it to each other in person or by voice, never in a message.",
        width,
    ));
    lines.extend(groups(model, person, width));
    lines.push(Line::default());
    lines.push(answers(model));
    lines.push(Line::default());
    let changes = changes(model, person, width);
    let name = display_safe_name(&person.detail.contact.name);
    let scan = faint(model, &format!("or your code, for {name} to scan:"), width);
    let beside = lines.len() + scan.len() + changes.len() + 1;
    lines.extend(scan);
    lines.extend(picture(model, &person.code, width, beside));
    lines.extend(changes);
    lines
}

/// Whose account it is, and what is known of it.
fn who(model: &Model, person: &Person, width: usize) -> Vec<Line<'static>> {
    let contact = &person.detail.contact;
    let account = ids::hex_32(&contact.account).map_or_else(
        || contact.account.clone(),
        |account| ids::short(Kind::Account, &account),
    );
    let mut lines = toned_lines(model, Tone::Faint, &account, width);
    if contact.petname.is_some() && !contact.claimed.is_empty() {
        let says = format!("calls themselves {}", display_safe_name(&contact.claimed));
        lines.extend(faint(model, &says, width));
    }
    let (tone, says) = match (contact.standstill, contact.compared_ms) {
        (Standstill::Blocked, _) => (Tone::Bad, "! blocked on this device".to_owned()),
        (Standstill::KeysChanged, _) => (
            Tone::Bad,
            "! the keys changed after you compared: nothing is sent to them until you compare again".to_owned(),
        ),
        (Standstill::None, Some(at)) => (Tone::Good, format!("compared {}", model.zone.whole(at))),
        (Standstill::None, None) => (Tone::Doubtful, "not compared yet".to_owned()),
    };
    lines.extend(toned_lines(model, tone, &says, width));
    if contact.consent == Consent::Asks {
        lines.extend(toned_lines(model, Tone::Doubtful, "! asks to write to you", width));
    }
    lines
}

/// Digits and emoji, as many groups on a line as there is room for.
fn groups(model: &Model, person: &Person, width: usize) -> Vec<Line<'static>> {
    let emoji = person.emoji.iter().map(|emoji| narrow(emoji));
    let emoji: Vec<String> = if model.look.ascii { Vec::new() } else { emoji.collect() };
    let widest = emoji.iter().map(|emoji| emoji.width()).max().unwrap_or(0);
    let column = 5 + usize::from(widest > 0) + widest + GAP;
    let columns = match (width + GAP) / column {
        0 | 1 => 1,
        2 => 2,
        3 => 3,
        _ => 4,
    };
    let mut lines = vec![Line::default()];
    for (index, digits) in person.digits.iter().enumerate() {
        if index % columns == 0 && index > 0 {
            lines.push(Line::default());
        }
        let Some(line) = lines.last_mut() else { continue };
        line.spans.push(toned(model, Tone::Strong, digits.clone()));
        if let Some(emoji) = emoji.get(index) {
            let gap = " ".repeat(widest + GAP - emoji.width());
            line.spans.push(Span::raw(format!(" {emoji}{gap}")));
        } else {
            line.spans.push(Span::raw(" ".repeat(GAP)));
        }
    }
    lines
}

/// The safe answer stands out: it is the one of whoever is not sure.
fn answers(model: &Model) -> Line<'static> {
    let strong = model.look.style(Tone::Strong).add_modifier(Modifier::REVERSED);
    Line::from(vec![
        Span::styled("y", model.look.selection()),
        Span::raw(" match   "),
        Span::styled("n", model.look.selection()),
        Span::raw(" "),
        Span::styled(" don't match ", strong),
        toned(model, Tone::Faint, "   Esc not now"),
    ])
}

/// What became of their keys, newest first.
fn changes(model: &Model, person: &Person, width: usize) -> Vec<Line<'static>> {
    if person.detail.changes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        Line::default(),
        Line::from(toned(model, Tone::Strong, "what became of their keys")),
    ];
    for change in &person.detail.changes {
        let tone = if change.breaks { Tone::Bad } else { Tone::Faint };
        let sign = if change.breaks { "! " } else { "" };
        let says = format!(
            "{sign}{}  {}",
            model.zone.whole(change.time_ms),
            display_safe(&change.sentence)
        );
        lines.extend(toned_lines(model, tone, &says, width));
    }
    lines
}

fn faint(model: &Model, says: &str, width: usize) -> Vec<Line<'static>> {
    toned_lines(model, Tone::Faint, says, width)
}

fn toned_lines(model: &Model, tone: Tone, says: &str, width: usize) -> Vec<Line<'static>> {
    let lines = wrapped(says, width).into_iter();
    lines.map(|line| Line::from(toned(model, tone, line))).collect()
}
