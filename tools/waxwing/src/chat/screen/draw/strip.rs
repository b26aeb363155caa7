//! The line at the top: the open channel, and what is proven about its ledger, as of when.

use ratatui::text::{Line, Span};
use waxwing_seal::display::display_safe_name;

use super::super::model::{Focus, Known, Model};
use super::super::text::cut;
use super::facts::{self, Freshness};
use super::toned;
use crate::output::Tone;
use crate::words::grouped;

/// Columns that the channel's name may take.
const NAME_MAX: usize = 24;

pub(super) fn line(model: &Model, width: u16) -> Line<'static> {
    let width = usize::from(width);
    let look = model.look;
    let name = model
        .open()
        .map_or_else(|| "waxwing".to_owned(), |channel| display_safe_name(&channel.name));
    let name = cut(&name, NAME_MAX.min(width / 3), look.more());
    let mut spans = vec![Span::raw(" "), toned(model, Tone::Strong, name)];
    let elsewhere = elsewhere(model);
    if elsewhere > 0 {
        spans.push(toned(
            model,
            Tone::Doubtful,
            format!(" +{}", grouped(elsewhere.min(999))),
        ));
    }
    spans.push(Span::raw("  "));
    let used: usize = spans.iter().map(Span::width).sum();
    let room = width.saturating_sub(used + 1);
    match model.network() {
        Some(known) => spans.extend(proven(model, known, room)),
        None => spans.push(toned(model, Tone::Faint, "nothing is proven yet")),
    }
    Line::from(spans)
}

/// Unread messages of other channels, where the list of channels is not on the screen.
fn elsewhere(model: &Model) -> u64 {
    if model.size.0 >= 80 || model.focus == Focus::Channels {
        return 0;
    }
    model.unread.values().fold(0, |sum, count| sum.saturating_add(*count))
}

fn proven(model: &Model, known: &Known, room: usize) -> Vec<Span<'static>> {
    if let Some(height) = known.view.forked_at {
        let says = format!(" FORK at block {}: nothing is believed or sent (F3) ", grouped(height));
        return vec![Span::styled(cut(&says, room, model.look.more()), model.look.alarm())];
    }
    let left = facts::unread_entries(model);
    let is_fresh = matches!(facts::freshness(known, model.now), Freshness::Fresh(_));
    let tone = if is_fresh && known.view.signers.is_some() && !facts::is_offline(known) {
        Tone::Good
    } else {
        Tone::Faint
    };
    let mut facts: Vec<Fact> = Vec::new();
    if facts::is_offline(known) {
        facts.push(Fact::new(Tone::Doubtful, "offline".to_owned()));
    }
    facts.push(Fact::new(tone, facts::height(known)));
    if left > 0 {
        facts.push(Fact::new(Tone::Doubtful, format!("{} to read", grouped(left))));
    }
    facts.push(Fact::new(tone, facts::signers(known)).or(facts::signers_short(known)));
    let age = facts::age(known, model.now);
    let short = age.split_once(':').map(|(first, _)| format!("{first}!"));
    let age_tone = if is_fresh { tone } else { Tone::Doubtful };
    facts.push(Fact::new(age_tone, age).or(short));
    if facts::is_clock_wrong(known) {
        facts.push(Fact::new(Tone::Doubtful, "clock wrong (F3)".to_owned()));
    }
    fitting(model, facts, room)
}

/// A fact, and how to say it where there is less room.
struct Fact {
    tone: Tone,
    says: String,
    short: Option<String>,
}

impl Fact {
    const fn new(tone: Tone, says: String) -> Self {
        Self {
            tone,
            says,
            short: None,
        }
    }

    fn or(self, short: Option<String>) -> Self {
        Self { short, ..self }
    }
}

/// All facts if there is room, else their short forms, else as many of those as fit: first those that warn, since what is left
/// out must not be told by a colour alone; then the first ones first.
fn fitting(model: &Model, mut facts: Vec<Fact>, room: usize) -> Vec<Span<'static>> {
    let dot = model.look.dot();
    let wide = |says: &str| Span::raw(says).width();
    let all: usize = facts.iter().map(|fact| wide(&fact.says) + wide(dot)).sum();
    if all.saturating_sub(wide(dot)) > room {
        for fact in &mut facts {
            fact.says = fact.short.take().unwrap_or_else(|| fact.says.clone());
        }
    }
    let mut by_weight: Vec<(usize, Fact)> = facts.into_iter().enumerate().collect();
    by_weight.sort_by_key(|(_, fact)| fact.tone != Tone::Doubtful);
    let mut kept: Vec<(usize, Fact)> = Vec::new();
    let mut used = 0;
    for (place, mut fact) in by_weight {
        let mut needed = wide(dot) + wide(&fact.says);
        if kept.is_empty() {
            fact.says = cut(&fact.says, room, model.look.more());
            needed = wide(&fact.says);
        }
        if used + needed <= room {
            used += needed;
            kept.push((place, fact));
        }
    }
    kept.sort_by_key(|(place, _)| *place);
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (_, fact) in kept {
        let between = if spans.is_empty() { "" } else { dot };
        spans.push(toned(model, Tone::Faint, between));
        spans.push(toned(model, fact.tone, fact.says));
    }
    spans
}
