//! What was found: a line each, what matches in bold, the chosen one in sight.

use ratatui::text::{Line, Span};
use waxwing_light::Hit;
use waxwing_seal::display::{display_safe, display_safe_name};

use super::super::super::model::Model;
use super::super::super::search::Search;
use super::super::super::text::cut;
use super::super::toned;
use crate::output::Tone;
use crate::words::count;

/// Hits that are shown at once.
const SHOWN: usize = 30;

/// Characters in front of the first match that are shown.
const BEFORE: usize = 20;

/// A line for the field, one for what came of it, and one for each hit around the chosen one.
pub(super) fn lines(model: &Model, search: &Search, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    let found = u64::try_from(search.hits.len()).unwrap_or(u64::MAX);
    let says = match (search.asked.is_empty(), found) {
        (true, _) => "Enter looks in all channels of this device; nobody is asked".to_owned(),
        (false, 0) => "nothing says all of this".to_owned(),
        (false, _) => format!(
            "{}, newest first; Enter goes there",
            count(found, "message", "messages")
        ),
    };
    lines.push(Line::from(toned(
        model,
        Tone::Faint,
        cut(&says, width, model.look.more()),
    )));
    let room = usize::from(model.size.1).saturating_sub(6).clamp(1, SHOWN);
    let first = search.chosen.saturating_add(1).saturating_sub(room);
    for (index, hit) in search.hits.iter().enumerate().skip(first).take(room) {
        lines.push(line(model, hit, index == search.chosen, width));
    }
    lines
}

fn line(model: &Model, hit: &Hit, is_chosen: bool, width: usize) -> Line<'static> {
    let look = model.look;
    let view = &hit.message;
    let bar = if is_chosen { look.bar() } else { " " };
    let mut spans = vec![Span::styled(bar, look.selection())];
    let is_elsewhere = model
        .window
        .as_ref()
        .is_none_or(|window| window.channel != view.channel);
    if let Some(channel) = model.channel(view.channel).filter(|_| is_elsewhere) {
        let name = cut(&display_safe_name(&channel.name), width / 6, look.more());
        spans.push(toned(model, Tone::Faint, format!("{name} ")));
    }
    let when = view
        .ordered_ms
        .or(view.queued_ms)
        .map(|time| model.zone.date(time))
        .unwrap_or_default();
    let who = view.author.as_ref().map_or_else(
        || "unknown".to_owned(),
        |author| model.names.label(author, view.own).name,
    );
    spans.push(toned(model, Tone::Faint, format!("{when} ")));
    spans.push(Span::raw(format!("{} ", cut(&who, width / 5, look.more()))));
    let mut room = width.saturating_sub(spans.iter().map(Span::width).sum());
    for (index, (piece, is_match)) in hit.pieces().enumerate() {
        let letters: Vec<char> = piece.chars().collect();
        let skipped = if index == 0 && !is_match {
            letters.len().saturating_sub(BEFORE)
        } else {
            0
        };
        // More characters than columns are never needed.
        let piece: String = letters.into_iter().skip(skipped).take(width).collect();
        let before = if skipped > 0 { look.more() } else { "" };
        let shown = cut(&format!("{before}{}", display_safe(&piece)), room, look.more());
        room = room.saturating_sub(Span::raw(shown.as_str()).width());
        spans.push(if is_match {
            Span::styled(shown, look.selection())
        } else {
            Span::raw(shown)
        });
        if room == 0 {
            break;
        }
    }
    Line::from(spans)
}
