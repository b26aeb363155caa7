//! The picture: a function of the model. Nothing here decides; nothing here keeps anything.
//!
//! ```text
//! garden   verified to block 1,204 · 4 of 4 validators · 3 s ago          strip
//! ▌garden      │ ── Monday 23 November 2026 ──                            channels │ messages
//!  kitchen   2 │    alice  14:05
//!              │      the roses are out
//! ── reply to alice: the roses are out ──                                 edge
//! > so they are_                                                          writing
//! Enter send · Esc give up · F1 keys                                      hint
//! ```

mod channels;
pub(super) mod facts;
mod foot;
mod messages;
mod pages;
mod strip;

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

pub(super) use messages::messages_on_a_page;
pub(super) use pages::page_size;

use super::model::{HEIGHT_MIN, Model, WIDTH_MIN};
use super::text;
use crate::output::Tone;

/// Draws everything.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    if !model.fits() {
        return too_small(model, frame);
    }
    let areas = model.areas();
    frame.render_widget(strip::line(model, areas.strip.width), areas.strip);
    if areas.channels.width > 0 {
        frame.render_widget(Paragraph::new(channels::lines(model, areas.channels)), areas.channels);
        let wall = Span::styled(model.look.wall(), model.look.style(Tone::Faint));
        let wall: Vec<Line<'_>> = (0..areas.wall.height).map(|_| Line::from(wall.clone())).collect();
        frame.render_widget(Paragraph::new(wall), areas.wall);
    }
    frame.render_widget(Paragraph::new(messages::lines(model, areas.messages)), areas.messages);
    foot::draw(model, &areas, frame);
    pages::draw(model, frame);
}

fn too_small(model: &Model, frame: &mut Frame<'_>) {
    let (width, height) = model.size;
    let says = format!(
        "This window has {width} x {height} characters, the screen needs {WIDTH_MIN} x {HEIGHT_MIN}: make it larger, or \
         leave with Ctrl-C and use `waxwing chat --plain`."
    );
    let lines: Vec<Line<'_>> = text::wrapped(&says, usize::from(width))
        .into_iter()
        .map(Line::from)
        .collect();
    frame.render_widget(Paragraph::new(lines), frame.area());
}

/// A span in a tone.
fn toned(model: &Model, tone: Tone, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), model.look.style(tone))
}

/// A line across with words in it, as wide as asked for.
fn ruled(model: &Model, words: Vec<Span<'static>>, width: u16, tone: Tone) -> Line<'static> {
    let rule = model.look.rule();
    let style = model.look.style(tone);
    let used: usize = words.iter().map(Span::width).sum();
    let mut spans = vec![Span::styled(rule.repeat(2), style)];
    let mut taken = 2;
    if used > 0 {
        spans.push(Span::raw(" "));
        spans.extend(words);
        spans.push(Span::raw(" "));
        taken += used + 2;
    }
    let rest = usize::from(width).saturating_sub(taken);
    spans.push(Span::styled(rule.repeat(rest), style));
    Line::from(spans)
}
