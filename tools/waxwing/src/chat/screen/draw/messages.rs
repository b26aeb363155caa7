//! The messages: who, when, what, how far it is, and below it what speaks against it.
//!
//! ```text
//! ── Monday 23 November 2026 ─────────────
//!    alice  14:05
//!      the roses are out                        text begins further in than any name: nobody writes a name
//!      👍 bob
//!  ·   alice added carol                         a change of the group: nobody writes in the column of its sign
//!    bob (you)  14:06
//!      ↳ alice: the roses are out
//!  ◔   coming over now                 sent     the ladder: a sign and its word
//! ▌!   does this open?               failed     the bar: what the keys act on
//!      ! no node took it: t tries again         the exception, never the rule
//! ```

use std::collections::VecDeque;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use waxwing_light::{BodyKind, Ladder, MessageView};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::super::model::{Density, Focus, Model};
use super::super::names;
use super::super::text::{cut, folded_pieces, line_of, wrapped};
use super::super::window::Window;
use super::{ruled, toned};
use crate::chat::events::is_alarm;
use crate::chat::mentions::pieces;
use crate::chat::show::{against, reach, said, step};
use crate::chat::told;
use crate::ids::{self, Kind};
use crate::ladder::Step;
use crate::output::Tone;
use crate::words::grouped;

/// Messages of one author so close to each other stand under one name.
const TOGETHER_MS: u64 = 5 * 60_000;

/// Columns in front of a name: the bar, the sign, a space.
const GUTTER: usize = 3;
/// Columns in front of a text: two more, so that no text looks like a name.
const INDENT: usize = 5;

/// Columns between the sign and a text.
const GAP: usize = INDENT - 2;

/// Columns of the widest message: longer lines are hard to read.
const WIDTH_MAX: u16 = 120;

/// Lines of a screen on which an empty line may stand between two speakers.
const ROOMY: u16 = 24;

/// Lines of one message that are shown among the others.
const LINES_MAX: usize = 24;

/// The lines of the messages, as many as the area has: the selected one in the middle as far as that is possible, or the
/// newest at the bottom.
pub(super) fn lines(model: &Model, area: Rect) -> Vec<Line<'static>> {
    let area = readable(area);
    let height = usize::from(area.height);
    let Some(window) = &model.window else {
        return welcome(model, area);
    };
    if window.rows().is_empty() {
        return empty(model, window, area);
    }
    let at = model.position();
    let own = block(model, window, at, area.width);
    let mut above: VecDeque<Line<'static>> = VecDeque::new();
    let mut first = at;
    while above.len() < height && first > 0 {
        first -= 1;
        block(model, window, first, area.width)
            .into_iter()
            .rev()
            .for_each(|line| above.push_front(line));
    }
    if first == 0 && above.len() < height {
        above.push_front(beginning(model, window, area.width));
    }
    let mut below: Vec<Line<'static>> = Vec::new();
    let mut next = at.saturating_add(1);
    while below.len() < height && next < window.rows().len() {
        below.extend(block(model, window, next, area.width));
        next = next.saturating_add(1);
    }
    let middle = (above.len() + own.len() / 2).saturating_sub(height / 2);
    // Of a message that is higher than the screen the beginning is shown.
    let top = if own.len() >= height { above.len() } else { middle };
    let total = above.len() + own.len() + below.len();
    let top = if model.selected.is_none() { total } else { top }.min(total.saturating_sub(height));
    let mut all: Vec<Line<'static>> = above
        .into_iter()
        .chain(own)
        .chain(below)
        .skip(top)
        .take(height)
        .collect();
    // A short conversation stands at the bottom, where its next message will be.
    let missing = height.saturating_sub(all.len());
    all.splice(0..0, std::iter::repeat_n(Line::default(), missing));
    all
}

/// Columns that people like to read.
fn readable(area: Rect) -> Rect {
    Rect {
        width: area.width.min(WIDTH_MAX),
        ..area
    }
}

/// Messages that a key for a page passes over.
pub(in super::super) fn messages_on_a_page(model: &Model, direction: isize) -> usize {
    let area = readable(model.areas().messages);
    let Some(window) = &model.window else { return 1 };
    let (mut at, mut height, mut passed) = (model.position(), 0, 0_usize);
    while height < usize::from(area.height) / 2 {
        let next = at.saturating_add_signed(direction);
        if next == at || next >= window.rows().len() {
            break;
        }
        at = next;
        height += block(model, window, at, area.width).len();
        passed += 1;
    }
    passed.max(1)
}

fn welcome(model: &Model, area: Rect) -> Vec<Line<'static>> {
    if !model.is_listed {
        return Vec::new();
    }
    let says = "There are no channels here yet.\n\nF6 joins one by its link.\n\nTo open the first of your own, leave with \
        Ctrl-C and type\nwaxwing chat new NAME --genesis FILE --node KEY@HOST:PORT";
    let width = usize::from(area.width).saturating_sub(4);
    wrapped(says, width)
        .into_iter()
        .map(|line| Line::from(format!("  {line}")))
        .collect()
}

fn empty(model: &Model, window: &Window, area: Rect) -> Vec<Line<'static>> {
    let says = if window.is_waiting() {
        "reading"
    } else {
        "no messages yet: write the first, or invite somebody with F4"
    };
    let width = usize::from(area.width).saturating_sub(4);
    let lines = wrapped(says, width).into_iter();
    lines
        .map(|line| Line::from(toned(model, Tone::Faint, format!("  {line}"))))
        .collect()
}

fn beginning(model: &Model, window: &Window, width: u16) -> Line<'static> {
    let says = if window.is_at_start() {
        "the beginning"
    } else {
        "reading what was before"
    };
    ruled(
        model,
        vec![toned(model, Tone::Faint, says)],
        width.saturating_sub(1),
        Tone::Faint,
    )
}

fn time(view: &MessageView) -> Option<u64> {
    let told = view.told.as_ref().map(|told| told.ordered_ms);
    view.ordered_ms.or(told).or(view.queued_ms).or(view.written_ms)
}

/// One message with what stands between it and the one before.
fn block(model: &Model, window: &Window, at: usize, width: u16) -> Vec<Line<'static>> {
    let rows = window.rows();
    let Some(view) = rows.get(at) else { return Vec::new() };
    let before = at.checked_sub(1).and_then(|before| rows.get(before));
    let mut lines = Vec::new();
    let day = |view: &MessageView| time(view).map(|time| model.zone.day(time));
    let is_new_day = before.is_none_or(|before| day(before) != day(view));
    if let (true, Some(day)) = (is_new_day, day(view)) {
        lines.push(ruled(
            model,
            vec![toned(model, Tone::Faint, day)],
            width.saturating_sub(1),
            Tone::Faint,
        ));
    }
    let is_marked = is_first_new(model, window, before, view);
    if is_marked {
        lines.push(ruled(
            model,
            vec![toned(model, Tone::Strong, "new")],
            width.saturating_sub(1),
            Tone::Doubtful,
        ));
    }
    let is_spoken = view.event.is_none();
    let is_named =
        is_spoken && (is_new_day || is_marked || before.is_none_or(|before| !is_together(model, before, view)));
    let has_room = model.density == Density::Calm && model.size.1 >= ROOMY;
    if is_named && has_room && lines.is_empty() {
        lines.push(Line::default());
    }
    let first = lines.len();
    if is_named {
        lines.push(header(model, view, usize::from(width)));
    }
    lines.extend(body(model, view, usize::from(width)));
    if model.selected == Some(view.id) {
        lines.iter_mut().skip(first).for_each(|line| mark(model, line));
    }
    lines
}

/// Puts the bar in front of a line.
fn mark(model: &Model, line: &mut Line<'static>) {
    let style = if model.focus == Focus::Messages {
        model.look.selection()
    } else {
        model.look.style(Tone::Faint)
    };
    if let Some(first) = line.spans.first_mut() {
        *first = Span::styled(model.look.bar(), style);
    }
}

fn is_first_new(model: &Model, window: &Window, before: Option<&MessageView>, view: &MessageView) -> bool {
    let (Some(mark), Some(index)) = (model.marks.get(&window.channel), view.log_index) else {
        return false;
    };
    let was_before = before.is_none_or(|before| before.log_index.is_some_and(|before| before < *mark));
    index >= *mark && was_before
}

/// Whether a message stands under the name of the one before it.
fn is_together(model: &Model, before: &MessageView, view: &MessageView) -> bool {
    let device = |view: &MessageView| {
        view.author
            .as_ref()
            .map(|author| (author.device.clone(), author.name.clone()))
    };
    let is_same = device(before).is_some() && device(before) == device(view);
    let gap = time(view)
        .zip(time(before))
        .map(|(later, earlier)| later.saturating_sub(earlier));
    let is_close = gap.is_some_and(|gap| gap < TOGETHER_MS);
    let is_told_alike = view.told == before.told;
    is_same
        && is_close
        && is_told_alike
        && before.event.is_none()
        && model.density == Density::Calm
        && view.quotes.is_none()
}

/// Who and when.
fn header(model: &Model, view: &MessageView, width: usize) -> Line<'static> {
    let look = model.look;
    let when = time(view).map_or_else(
        || "--:--".to_owned(),
        |time| match model.density {
            Density::Calm => model.zone.minute(time),
            Density::Detailed => model.zone.second(time),
            Density::Auditor => model.zone.whole(time),
        },
    );
    let room = width.saturating_sub(GUTTER + when.len() + 3);
    let mut spans = vec![Span::raw(" "), Span::raw("  ")];
    match &view.author {
        Some(author) => {
            let label = model.names.label(author, view.own);
            let style = if view.own {
                look.style(Tone::Strong)
            } else {
                look.name(&author.device)
            };
            let tag = label
                .tag
                .or_else(|| (model.density == Density::Auditor).then(|| names::tag(&author.device)));
            let tag = tag.map(|tag| format!(" {tag}")).unwrap_or_default();
            spans.push(Span::styled(
                cut(&label.name, room.saturating_sub(tag.len()), look.more()),
                style,
            ));
            if !tag.is_empty() {
                spans.push(toned(model, Tone::Doubtful, tag));
            }
        }
        None => spans.push(toned(model, Tone::Doubtful, "unknown")),
    }
    spans.push(toned(model, Tone::Faint, format!("  {when}")));
    Line::from(spans)
}

/// What it says, and all that belongs to it.
fn body(model: &Model, view: &MessageView, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(INDENT + 1).max(1);
    let mut lines = Vec::new();
    if let Some(quoted) = quote(model, view, room) {
        lines.push(indented(vec![toned(model, Tone::Faint, quoted)]));
    }
    let first = lines.len();
    lines.extend(words(model, view, room));
    ladder(model, view, &mut lines, first, width);
    lines.extend(told::label(view).map(|says| {
        let says = cut(&says, room, model.look.more());
        indented(vec![toned(model, Tone::Doubtful, says)])
    }));
    lines.extend(reactions(model, view, room));
    if model.density != Density::Calm {
        let place = place(model, view);
        lines.extend(
            wrapped(&place, room)
                .into_iter()
                .map(|line| indented(vec![toned(model, Tone::Faint, line)])),
        );
    }
    let reasons = view.exceptions.iter().map(|exception| against(*exception).to_owned());
    for reason in reasons.chain(view.reason.as_ref().map(|reason| failure(view, reason))) {
        let reason = format!("! {}", display_safe(&reason));
        lines.extend(
            wrapped(&reason, room)
                .into_iter()
                .map(|line| indented(vec![toned(model, Tone::Bad, line)])),
        );
    }
    lines
}

fn failure(view: &MessageView, reason: &str) -> String {
    match view.state {
        Ladder::Failed => format!("{reason} (t tries again)"),
        _ => reason.to_owned(),
    }
}

fn indented(spans: Vec<Span<'static>>) -> Line<'static> {
    let mut all = vec![Span::raw(" "), Span::raw(" "), Span::raw(" ".repeat(GAP))];
    all.extend(spans);
    Line::from(all)
}

fn quote(model: &Model, view: &MessageView, room: usize) -> Option<String> {
    if view.kind != Some("reply") || view.retracted {
        return None;
    }
    let look = model.look;
    let Some(quoted) = &view.quotes else {
        return Some(format!("{} a message that is not here", look.answers()));
    };
    let name = quoted
        .author
        .as_ref()
        .map_or_else(|| "unknown".to_owned(), |author| display_safe_name(&author.name));
    let words = quoted.text.as_deref().unwrap_or("(taken back)");
    let head = format!("{} {}: ", look.answers(), cut(&name, room / 3, look.more()));
    let rest = room.saturating_sub(Span::raw(head.as_str()).width());
    Some(head + &line_of(words, rest, look.more()))
}

/// What it says, or why there is nothing to read.
fn words(model: &Model, view: &MessageView, room: usize) -> Vec<Line<'static>> {
    let is_said = view.body == BodyKind::Here && !view.retracted && matches!(view.kind, Some("text" | "reply"));
    if !is_said || view.text.is_none() {
        let tone = if is_alarm(view) { Tone::Bad } else { Tone::Faint };
        let says = wrapped(&said(view), room).into_iter();
        return says.map(|line| indented(vec![toned(model, tone, line)])).collect();
    }
    let pieces: Vec<(String, bool)> = pieces(view)
        .into_iter()
        .map(|piece| (piece.text, piece.is_mention))
        .collect();
    let style = if view.mentions.iter().any(|mention| mention.me) {
        model.look.selection()
    } else {
        model.look.style(Tone::Strong)
    };
    let span = |(text, is_mention)| {
        if is_mention {
            Span::styled(text, style)
        } else {
            Span::raw(text)
        }
    };
    let (folded, is_cut) = folded_pieces(&pieces, room, LINES_MAX);
    let mut lines: Vec<Line<'static>> = folded
        .into_iter()
        .map(|line| indented(line.into_iter().map(span).collect()))
        .collect();
    if lines.is_empty() {
        lines.push(indented(vec![toned(model, Tone::Faint, "(nothing but space)")]));
    }
    if is_cut {
        lines.push(indented(vec![toned(
            model,
            Tone::Faint,
            format!("{} more: Enter reads all of it", model.look.more()),
        )]));
    }
    if view.edited {
        let fits = lines.last().is_some_and(|last| last.width() + 9 <= room + INDENT);
        let edited = toned(model, Tone::Faint, " (edited)");
        match lines.last_mut().filter(|_| fits) {
            Some(last) => last.spans.push(edited),
            None => lines.push(indented(vec![toned(model, Tone::Faint, "(edited)")])),
        }
    }
    lines
}

/// How far an own message is, by a sign in front and a word behind; of others only what is final is ever seen.
fn ladder(model: &Model, view: &MessageView, lines: &mut [Line<'static>], first: usize, width: usize) {
    if view.event.is_some() {
        if let Some(sign) = lines.get_mut(first).and_then(|line| line.spans.get_mut(1)) {
            *sign = match is_alarm(view) {
                true => toned(model, Tone::Bad, "!"),
                false => toned(model, Tone::Faint, model.look.change()),
            };
        }
        return;
    }
    let step = step(view.state);
    if !view.own && step == Step::Final && model.density == Density::Calm {
        return;
    }
    if let Some(sign) = lines.get_mut(first).and_then(|line| line.spans.get_mut(1)) {
        *sign = toned(model, step.tone(), step.symbol(model.look.ascii));
        let over = sign.width().saturating_sub(1);
        // A sign of two columns takes one of those between it and the text.
        if let Some(gap) = lines.get_mut(first).and_then(|line| line.spans.get_mut(2)) {
            *gap = Span::raw(" ".repeat(GAP.saturating_sub(over)));
        }
    }
    // Who tells it is said on a line of its own.
    if model.density != Density::Calm || step == Step::Told {
        return;
    }
    let word = step.word();
    if let Some(last) = lines.last_mut() {
        let gap = (width.saturating_sub(1)).saturating_sub(last.width() + word.len());
        if gap >= 2 {
            last.spans.push(Span::raw(" ".repeat(gap)));
            last.spans.push(toned(
                model,
                if step == Step::Failed { Tone::Bad } else { Tone::Faint },
                word,
            ));
        }
    }
}

/// Reactions, those of one kind together, in the order in which the kinds came.
fn reactions(model: &Model, view: &MessageView, room: usize) -> Vec<Line<'static>> {
    let mut kinds: Vec<(String, Vec<String>)> = Vec::new();
    for reaction in &view.reactions {
        let emoji = line_of(&reaction.emoji, 16, model.look.more());
        let own = reaction.author.device == model.me.device;
        let who = model.names.label(&reaction.author, own).name;
        match kinds.iter_mut().find(|(kind, _)| *kind == emoji) {
            Some((_, names)) => names.push(who),
            None => kinds.push((emoji, vec![who])),
        }
    }
    let mut lines = Vec::new();
    for (emoji, names) in kinds {
        let says = format!("{emoji} {}", names.join(", "));
        lines.push(indented(vec![toned(
            model,
            Tone::Faint,
            cut(&says, room, model.look.more()),
        )]));
    }
    lines
}

/// Where it stands in the ledger, and for auditors by which names.
fn place(model: &Model, view: &MessageView) -> String {
    let mut parts = vec![step(view.state).word().to_owned()];
    parts.extend(view.height.map(|height| format!("block {}", grouped(height))));
    let entry = view.log_index.filter(|_| view.told.is_none());
    parts.extend(entry.map(|index| format!("entry {}", grouped(index))));
    parts.extend(reach(view));
    parts.extend(
        view.expires_ms
            .map(|expires| format!("disappears {}", model.zone.whole(expires))),
    );
    if model.density == Density::Auditor {
        parts.extend(
            view.ordered_ms
                .map(|ordered| format!("ordered {}", model.zone.whole(ordered))),
        );
        parts.extend(
            view.written_ms
                .map(|written| format!("written, it says, {}", model.zone.whole(written))),
        );
        parts.extend(view.content_id.as_deref().and_then(short_message));
        let device = view.author.as_ref().and_then(|author| ids::hex_32(&author.device));
        parts.extend(device.map(|device| ids::short(Kind::Device, &device)));
    }
    parts.join(model.look.dot())
}

/// A message's id, as `why` and `receipt` take it.
fn short_message(hex: &str) -> Option<String> {
    // 16 bytes, of which the short form shows 10.
    let mut padded = [0; 32];
    padded.split_at_mut(16).0.copy_from_slice(&ids::hex_16(hex)?);
    Some(ids::short(Kind::Message, &padded))
}
