//! The channels, on the left: which one is open, where something new is, what is on its way.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use waxwing_light::ChannelView;
use waxwing_seal::display::display_safe_name;

use super::super::model::{Focus, Model};
use super::super::text::{cut, wrapped};
use super::toned;
use crate::ladder::Step;
use crate::output::Tone;
use crate::words::grouped;

pub(super) fn lines(model: &Model, area: Rect) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    if model.channels.is_empty() {
        let says = if model.is_listed { "no channels yet" } else { "" };
        let says = wrapped(says, width.saturating_sub(1));
        return says
            .into_iter()
            .map(|line| Line::from(toned(model, Tone::Faint, format!(" {line}"))))
            .collect();
    }
    let height = usize::from(area.height).max(1);
    let open = model.window.as_ref().map(|window| window.channel);
    let at = model
        .channels
        .iter()
        .position(|channel| Some(channel.id) == open)
        .unwrap_or(0);
    // The open one is always to be seen.
    let first = at.saturating_add(1).saturating_sub(height);
    let shown = model.channels.iter().skip(first).take(height);
    shown
        .map(|channel| line(model, channel, Some(channel.id) == open, width))
        .collect()
}

fn line(model: &Model, channel: &ChannelView, is_open: bool, width: usize) -> Line<'static> {
    let look = model.look;
    let unread = model.unread.get(&channel.id).copied().unwrap_or(0);
    let mut marks: Vec<(Tone, String)> = Vec::new();
    if channel.waiting > 0 {
        let sign = Step::Queued.symbol(look.ascii);
        marks.push((Tone::Faint, format!("{sign}{}", grouped(channel.waiting))));
    }
    let is_forked = model
        .networks
        .get(&channel.network)
        .is_some_and(|known| known.view.forked_at.is_some());
    if is_forked {
        marks.push((Tone::Bad, "!fork".to_owned()));
    }
    if channel.closed {
        marks.push((Tone::Faint, "out".to_owned()));
    }
    if unread > 0 && channel.mentioned > 0 {
        marks.push((Tone::Doubtful, format!("@{}", grouped(channel.mentioned.min(999)))));
    }
    if unread > 0 {
        marks.push((Tone::Strong, grouped(unread.min(999_999))));
    }
    let marked: usize = marks.iter().map(|(_, text)| Span::raw(text.as_str()).width() + 1).sum();
    let room = width.saturating_sub(marked + 2);
    let name = cut(&display_safe_name(&channel.name), room, look.more());
    let gap = room.saturating_sub(Span::raw(name.as_str()).width()) + 1;
    let has_keys = is_open && model.focus == Focus::Channels;
    let bar = if is_open { look.bar() } else { " " };
    let style = match (is_open, unread > 0) {
        (true, _) if has_keys => look.selection(),
        (true, _) | (false, true) => look.style(Tone::Strong),
        (false, false) => ratatui::style::Style::new(),
    };
    let bar_style = if has_keys {
        look.selection()
    } else {
        look.style(Tone::Faint)
    };
    let mut spans = vec![
        Span::styled(bar, bar_style),
        Span::styled(name, style),
        Span::raw(" ".repeat(gap)),
    ];
    for (tone, text) in marks {
        spans.push(toned(model, tone, text));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}
