//! Every check behind a message, those that were not made among them.

use ratatui::text::{Line, Span};
use waxwing_light::{Finding, Why};
use waxwing_seal::display::display_safe;

use super::super::super::model::Model;
use super::super::super::text::{line_of, wrapped};
use super::super::toned;
use crate::chat::manners::member_says;
use crate::chat::show::{said, step};
use crate::ids::{self, Kind};
use crate::output::Tone;

/// The column in which it is said what came of a check.
const SAYS: usize = 10;

pub(super) fn lines(model: &Model, why: &Why, width: usize) -> Vec<Line<'static>> {
    let view = &why.message;
    let step = step(view.state);
    let mut lines = vec![
        Line::from(toned(
            model,
            Tone::Strong,
            line_of(&said(view), width, model.look.more()),
        )),
        Line::from(toned(
            model,
            step.tone(),
            format!("{} {}", step.symbol(model.look.ascii), step.word()),
        )),
        Line::default(),
    ];
    for check in &why.checks {
        let (word, tone) = match check.result {
            Finding::Holds => ("holds", Tone::Good),
            Finding::Fails => ("FAILS", Tone::Bad),
            Finding::NotDone => ("not done", Tone::Doubtful),
        };
        lines.push(Line::from(vec![
            toned(model, tone, format!("{word:SAYS$}")),
            toned(model, Tone::Strong, check.check),
        ]));
        lines.extend(indented(&display_safe(&check.says), width));
    }
    if let Some(signings) = why.signings.filter(|signings| *signings > 1) {
        lines.push(Line::default());
        lines.extend(indented(
            &format!("its envelope was signed {signings} times: earlier ones died on their way"),
            width,
        ));
    }
    if !why.members.is_empty() {
        lines.push(Line::default());
        lines.push(Line::from(toned(model, Tone::Strong, "how far members have come")));
    }
    for member in why.members.iter().filter(|member| !member.own) {
        lines.extend(indented(&member_says(member, view.log_index), width));
    }
    if !why.nodes.is_empty() {
        lines.push(Line::default());
        lines.push(Line::from(toned(model, Tone::Strong, "what nodes said")));
    }
    for said in &why.nodes {
        let node = ids::hex_32(&said.node).map_or_else(|| said.node.clone(), |node| ids::short(Kind::Node, &node));
        let answer = match (&said.refusal, said.promised) {
            (Some(refusal), _) => format!("refused it: {}", display_safe(refusal)),
            (None, true) => "promised, under its signature, to include it".to_owned(),
            (None, false) => "took it".to_owned(),
        };
        lines.extend(indented(
            &format!("{node} {answer}, {}", model.zone.whole(said.time_ms)),
            width,
        ));
    }
    lines
}

fn indented(says: &str, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(SAYS).max(1);
    let before = " ".repeat(SAYS.min(width / 4));
    wrapped(says, room)
        .into_iter()
        .map(|line| Line::from(vec![Span::raw(before.clone()), Span::raw(line)]))
        .collect()
}
