//! The lower end: what is being written, what will become of it, and which keys matter now.

use ratatui::Frame;
use ratatui::text::{Line, Span};
use waxwing_seal::display::display_safe_name;

use super::super::keys::{Action, BINDINGS, Place, names};
use super::super::model::{Areas, Focus, Model};
use super::super::text::cut;
use super::super::writing::Purpose;
use super::{facts, ruled, toned};
use crate::chat::manners::timer_says;
use crate::output::Tone;
use crate::words::{count, grouped};

pub(super) fn draw(model: &Model, areas: &Areas, frame: &mut Frame<'_>) {
    frame.render_widget(edge(model, areas.edge.width), areas.edge);
    let style = if model.focus == Focus::Writing {
        model.look.selection()
    } else {
        model.look.style(Tone::Faint)
    };
    frame.buffer_mut().set_string(0, areas.writing.y, ">", style);
    match paused(model) {
        Some(says) => {
            let says = cut(&says, usize::from(areas.writing.width), model.look.more());
            frame.render_widget(Line::from(toned(model, Tone::Bad, says)), areas.writing);
        }
        None => frame.render_widget(model.writing.area(), areas.writing),
    }
    frame.render_widget(hint(model, areas.hint.width), areas.hint);
}

/// Why nothing can be written here, if so.
fn paused(model: &Model) -> Option<String> {
    if model.open().is_some_and(|open| open.closed) && model.writing.is_empty() {
        return Some("closed: this device is out of the channel, nothing can be written here".to_owned());
    }
    let height = model.forked_at()?;
    model
        .writing
        .is_empty()
        .then(|| format!("sending is paused: two final blocks at height {}", grouped(height)))
}

/// The line above what is being written.
fn edge(model: &Model, width: u16) -> Line<'static> {
    let room = usize::from(width).saturating_sub(8);
    let words = match &model.writing.purpose {
        Purpose::Reply(_, beginning) => {
            let says = cut(&format!("reply to {beginning}"), room, model.look.more());
            vec![Span::styled(says, model.look.selection())]
        }
        Purpose::Edit(_) => vec![Span::styled("edit your message", model.look.selection())],
        Purpose::Text if model.changed_keys().is_some() => keys_changed(model, room),
        Purpose::Text if model.below > 0 => {
            let says = format!(
                "{} {} below",
                model.look.below(),
                count(model.below, "new message", "new messages")
            );
            vec![toned(model, Tone::Strong, says)]
        }
        Purpose::Text => match waiting(model) {
            nothing if nothing.is_empty() => timer(model),
            waiting => waiting,
        },
    };
    ruled(model, words, width, Tone::Faint)
}

/// Nothing reaches somebody whose keys changed until they are compared again.
fn keys_changed(model: &Model, room: usize) -> Vec<Span<'static>> {
    let name = model.changed_keys().map(|contact| display_safe_name(&contact.name));
    let says = format!("! the keys of {} changed: compare again (F9)", name.unwrap_or_default());
    vec![toned(model, Tone::Bad, cut(&says, room, model.look.more()))]
}

/// For how long what is written here stays.
fn timer(model: &Model) -> Vec<Span<'static>> {
    let days = model.open().map_or(0, |channel| channel.timer_days);
    if days == 0 {
        return Vec::new();
    }
    vec![toned(model, Tone::Faint, timer_says(days))]
}

fn waiting(model: &Model) -> Vec<Span<'static>> {
    let waiting = model.open().map_or(0, |channel| channel.waiting);
    let is_offline = model.network().is_some_and(facts::is_offline);
    if !is_offline {
        return Vec::new();
    }
    let says = match waiting {
        0 => "offline: what you write is kept, and goes out when a node answers".to_owned(),
        _ => format!(
            "offline: {} kept here, to go out when a node answers",
            count(waiting, "message is", "messages are")
        ),
    };
    let room = model.size.0.saturating_sub(8);
    vec![toned(
        model,
        Tone::Doubtful,
        cut(&says, usize::from(room), model.look.more()),
    )]
}

/// A sentence if there is one, else the keys that matter now.
fn hint(model: &Model, width: u16) -> Line<'static> {
    let room = usize::from(width).saturating_sub(2);
    if let Some(notice) = &model.notice {
        let says = waxwing_seal::display::display_safe(&notice.text);
        return Line::from(vec![
            Span::raw(" "),
            toned(model, notice.tone, cut(&says, room, model.look.more())),
        ]);
    }
    let wanted: &[(Place, Action)] = match (model.focus, &model.writing.purpose) {
        (Focus::Writing, Purpose::Text) => &[
            (Place::Writing, Action::Send),
            (Place::Writing, Action::NewLine),
            (Place::Anywhere, Action::FocusNext),
            (Place::Anywhere, Action::ChannelNext),
        ],
        (Focus::Writing, _) => &[(Place::Writing, Action::Send), (Place::Writing, Action::Leave)],
        (Focus::Messages, _) => &[
            (Place::Messages, Action::Reply),
            (Place::Messages, Action::React),
            (Place::Messages, Action::Edit),
            (Place::Messages, Action::Retract),
            (Place::Messages, Action::Why),
            (Place::Messages, Action::Leave),
        ],
        (Focus::Channels, _) => &[
            (Place::Channels, Action::Open),
            (Place::Channels, Action::Invite),
            (Place::Channels, Action::Join),
        ],
    };
    let help = (Place::Anywhere, Action::Help);
    let mut spans = vec![Span::raw(" ")];
    let mut used = 0;
    let dot = model.look.dot();
    for (place, action) in wanted.iter().copied().chain([help]) {
        let Some(binding) = BINDINGS
            .iter()
            .find(|binding| binding.place == place && binding.action == action)
        else {
            continue;
        };
        let key = names(binding).split(',').next().unwrap_or_default().to_owned();
        let between = if used > 0 { dot } else { "" };
        let needed = Span::raw(between).width() + key.len() + 1 + binding.says.len();
        if used + needed > room {
            continue;
        }
        used += needed;
        spans.push(toned(model, Tone::Faint, between));
        spans.push(toned(model, Tone::Strong, key));
        spans.push(toned(model, Tone::Faint, format!(" {}", binding.says)));
    }
    Line::from(spans)
}
