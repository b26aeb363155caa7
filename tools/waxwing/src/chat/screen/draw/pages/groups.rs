//! The people of a channel, and those who ask to be let in.
//!
//! ```text
//! alice (you)  admin   account1qfr8...
//! bob                  account1zj6g...
//!   ! looks like b0b (account1mgan...)
//! ```

use ratatui::text::{Line, Span};
use waxwing_light::{GroupView, RequestState, RequestView};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::super::super::model::Model;
use super::super::super::text::{cut, wrapped};
use super::super::toned;
use crate::chat::groups::who::Someone;
use crate::chat::groups::{standing, wish, word_of};
use crate::ids::{self, Kind};
use crate::output::Tone;

/// Columns of the widest name.
const NAME_MAX: usize = 28;

/// The lines of a page, and which of them has to be in sight.
pub(super) type List = (Vec<Line<'static>>, Option<usize>);

/// Who is in.
pub(super) fn members(model: &Model, group: &GroupView, people: &[Someone], at: usize, width: usize) -> List {
    let mut lines = Vec::new();
    let mut in_sight = None;
    if group.standing != "member" {
        lines.extend(said(model, Tone::Bad, &format!("! {}", standing(group)), width));
        lines.push(Line::default());
    }
    for (index, someone) in people.iter().enumerate() {
        if index == at {
            in_sight = Some(lines.len());
        }
        let bar = if index == at { model.look.bar() } else { " " };
        let own = if someone.own { " (you)" } else { "" };
        let role = if someone.admin { "  admin" } else { "" };
        let tag = format!("  {}", someone.tag());
        let room = width
            .saturating_sub(own.len() + role.len() + tag.len() + 2)
            .min(NAME_MAX);
        lines.push(Line::from(vec![
            Span::styled(bar, model.look.selection()),
            Span::raw(" "),
            toned(model, Tone::Strong, cut(&someone.name(), room, model.look.more())),
            Span::raw(own),
            toned(model, Tone::Good, role),
            toned(model, Tone::Faint, tag),
        ]));
        for (tone, says) in about(someone, people) {
            lines.extend(said(model, tone, &format!("    {says}"), width));
        }
    }
    lines.push(Line::default());
    let says = format!(
        "epoch {}; names are as claimed, or as you gave them. Enter compares, a makes an admin, x takes out, b blocks, Esc \
         closes",
        group.epoch
    );
    lines.extend(said(model, Tone::Faint, &says, width));
    (lines, in_sight)
}

fn about(someone: &Someone, people: &[Someone]) -> Vec<(Tone, String)> {
    let mut says = Vec::new();
    if let (Some(_), Some(claimed)) = (&someone.petname, someone.claimed.first()) {
        says.push((Tone::Faint, format!("calls themselves {}", display_safe_name(claimed))));
    }
    if someone.devices.len() > 1 {
        says.push((Tone::Faint, format!("{} devices", someone.devices.len())));
    }
    if someone.compared {
        says.push((Tone::Good, "compared with you".to_owned()));
    }
    if someone.leaving {
        says.push((Tone::Faint, "wishes to leave".to_owned()));
    }
    let alike = people.iter().filter(|other| someone.is_like(other));
    says.extend(alike.map(|other| (Tone::Bad, format!("! looks like {} ({})", other.name(), other.tag()))));
    says.extend(someone.warning.map(|warning| (Tone::Bad, format!("! {warning}"))));
    says
}

fn said(model: &Model, tone: Tone, says: &str, width: usize) -> Vec<Line<'static>> {
    let indent = says.len() - says.trim_start().len();
    let lines = wrapped(says.trim_start(), width.saturating_sub(indent)).into_iter();
    lines
        .map(|line| Line::from(toned(model, tone, format!("{}{line}", " ".repeat(indent)))))
        .collect()
}

/// Who asks, those who wait on top.
pub(super) fn requests(model: &Model, at: usize, width: usize) -> List {
    let listed = model.listed_requests();
    if listed.is_empty() {
        let says = "nobody has asked; F4 makes a link to a channel";
        return (said(model, Tone::Faint, says, width), None);
    }
    let mut lines = Vec::new();
    let mut in_sight = None;
    for (index, request) in listed.into_iter().enumerate() {
        if index == at {
            in_sight = Some(lines.len());
        }
        lines.extend(one(model, request, index == at, width));
    }
    lines.push(Line::default());
    lines.extend(said(model, Tone::Faint, "y lets in, n says no, Esc closes", width));
    (lines, in_sight)
}

fn one(model: &Model, request: &RequestView, is_selected: bool, width: usize) -> Vec<Line<'static>> {
    let bar = if is_selected { model.look.bar() } else { " " };
    let waits = request.state == RequestState::Waiting;
    let into = request.channel.and_then(|channel| model.channel(channel));
    let into = wish(request, into.map(|channel| channel.name.as_str()));
    let state = format!("  {}", word_of(request));
    let name = cut(&display_safe_name(&request.name), NAME_MAX, model.look.more());
    let room = width.saturating_sub(Span::raw(name.as_str()).width() + state.len() + 4);
    let mut lines = vec![Line::from(vec![
        Span::styled(bar, model.look.selection()),
        Span::raw(" "),
        toned(model, if waits { Tone::Strong } else { Tone::Faint }, name),
        Span::raw("  "),
        Span::raw(cut(&into, room, model.look.more())),
        toned(model, if waits { Tone::Doubtful } else { Tone::Faint }, state),
    ])];
    let account = ids::hex_32(&request.account).map(|id| ids::short(Kind::Account, &id));
    lines.push(Line::from(toned(
        model,
        Tone::Faint,
        format!("    {}", account.unwrap_or_default()),
    )));
    if !request.note.is_empty() {
        lines.extend(said(
            model,
            Tone::Faint,
            &format!("    says: {}", display_safe(&request.note)),
            width,
        ));
    }
    lines
}
