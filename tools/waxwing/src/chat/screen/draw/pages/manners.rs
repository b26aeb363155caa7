//! How a channel is used: how long messages stay, what this device tells of itself, and how far the members have come.
//!
//! ```text
//! timer      messages stay until they are erased
//!            0 stay, 1 a day, 2 7 days, 3 30 days, 4 365 days: binds honest members only
//! receipts   off: nobody is told what was delivered to you or read by you
//!            r turns them on
//! ```

use ratatui::text::{Line, Span};
use waxwing_light::{ChannelId, Manners, MemberReach, Seen};
use waxwing_seal::display::display_safe_name;

use super::super::super::model::Model;
use super::super::super::text::{cut, wrapped};
use super::super::toned;
use crate::chat::manners::timer_says;
use crate::ids::{self, Kind};
use crate::output::Tone;
use crate::words::grouped;

/// The column in which it is said how it is.
const SAYS: usize = 11;

pub(super) fn lines(model: &Model, channel: ChannelId, manners: &Manners, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    fact(model, "timer", &timer_says(manners.timer_days), width, &mut lines);
    let says = "0 stay, 1 a day, 2 7 days, 3 30 days, 4 365 days; whoever wants to can keep what they have read";
    hint(model, says, width, &mut lines);
    let (receipts, turn) = if manners.receipts {
        (
            "on: members are told what was delivered to you and read by you",
            "r turns them off",
        )
    } else {
        (
            "off: nobody is told what was delivered to you or read by you",
            "r turns them on",
        )
    };
    fact(model, "receipts", receipts, width, &mut lines);
    hint(model, turn, width, &mut lines);
    let seen = match (manners.seen, manners.tells_seen) {
        (Seen::Auto, true) => "told, as long as there are at most eight members",
        (Seen::Auto, false) => "not told, since there are more than eight members",
        (Seen::On, _) => "told, however many members there are",
        (Seen::Off, _) => "not told: nothing is seen by all",
    };
    fact(model, "what you hold", seen, width, &mut lines);
    hint(model, "s changes that", width, &mut lines);
    if model.channel(channel).is_some_and(|channel| channel.group) {
        fact(
            model,
            "channel",
            "n gives it another name, l leaves it",
            width,
            &mut lines,
        );
    }
    lines.push(Line::default());
    lines.push(Line::from(toned(model, Tone::Strong, "how far members have come")));
    lines.extend(manners.members.iter().map(|member| reach(model, member, width)));
    if manners.members.is_empty() {
        lines.push(Line::from(toned(model, Tone::Faint, "  nobody has written here yet")));
    }
    lines
}

fn fact(model: &Model, name: &str, says: &str, width: usize, lines: &mut Vec<Line<'static>>) {
    let column = SAYS.max(name.len() + 2).min(width / 3);
    let mut name = cut(name, column, "");
    name.push_str(&" ".repeat(column.saturating_sub(name.len())));
    for line in wrapped(says, width.saturating_sub(column).max(1)) {
        lines.push(Line::from(vec![toned(model, Tone::Strong, name), Span::raw(line)]));
        name = " ".repeat(column);
    }
}

fn hint(model: &Model, says: &str, width: usize, lines: &mut Vec<Line<'static>>) {
    let column = SAYS.min(width / 3);
    let folded = wrapped(says, width.saturating_sub(column).max(1)).into_iter();
    lines.extend(folded.map(|line| Line::from(vec![Span::raw(" ".repeat(column)), toned(model, Tone::Faint, line)])));
}

fn reach(model: &Model, member: &MemberReach, width: usize) -> Line<'static> {
    let device = ids::hex_32(&member.device).map_or_else(String::new, |id| ids::short(Kind::Device, &id));
    let name = match (member.name.is_empty(), member.own) {
        (true, false) => format!("somebody who has not written ({device})"),
        (true, true) => "you".to_owned(),
        (false, true) => format!("{} (you)", display_safe_name(&member.name)),
        (false, false) => display_safe_name(&member.name),
    };
    let mut says = format!("holds {}", grouped(member.held));
    if member.delivered > 0 {
        let (delivered, read) = (grouped(member.delivered), grouped(member.read));
        says.push_str(&format!(", delivered {delivered}, read {read}"));
    }
    let room = width.saturating_sub(says.len() + 4);
    Line::from(vec![
        Span::raw("  "),
        Span::raw(cut(&name, room, model.look.more())),
        toned(model, Tone::Faint, format!("  {says}")),
    ])
}
