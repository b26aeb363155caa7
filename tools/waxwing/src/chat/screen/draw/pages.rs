//! What lies over the screen: one box in the middle, its lines made here and scrolled, and what is asked for in it.

mod alarm;
mod groups;
mod manners;
mod network;
mod person;
mod search;
mod why;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use waxwing_light::ChannelId;
use waxwing_seal::display::display_safe_name;

use super::super::act::REACTIONS;
use super::super::keys::{BINDINGS, Place, names};
use super::super::model::{Model, Over, Sure, Wanted};
use super::super::text::{cut, folded, line_of, wrapped};
use super::toned;
use crate::chat::qr;
use crate::chat::show::said;
use crate::output::Tone;

/// Columns that a page takes where there are as many: longer lines are hard to read.
const WIDTH_MAX: u16 = 100;

/// Lines of one message that its page shows: half a megabyte has no more of a width that people read.
const LINES_MAX: usize = 20_000;

/// A page as it is to be shown.
struct Page {
    title: String,
    lines: Vec<Line<'static>>,
    /// Columns that it needs for more than text.
    width: u16,
    /// A line that has to be in sight, whatever was scrolled.
    in_sight: Option<usize>,
    is_alarm: bool,
}

impl Page {
    const fn new(title: String, lines: Vec<Line<'static>>) -> Self {
        Self {
            title,
            lines,
            width: WIDTH_MAX,
            in_sight: None,
            is_alarm: false,
        }
    }
}

/// Draws what lies over the screen, if something does.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let Some(page) = page(model) else { return };
    let area = area(model, &page);
    let look = model.look;
    frame.render_widget(Clear, area);
    let style = if page.is_alarm {
        look.style(Tone::Bad)
    } else {
        look.style(Tone::Faint)
    };
    let title_style = if page.is_alarm {
        look.alarm()
    } else {
        look.style(Tone::Strong)
    };
    let inner = inner(area);
    let hidden = page.lines.len().saturating_sub(usize::from(inner.height));
    let scroll = match page.in_sight {
        Some(line) => line.saturating_sub(usize::from(inner.height) / 2).min(hidden),
        None => model.scroll.min(hidden),
    };
    let title = cut(&page.title, usize::from(inner.width), look.more());
    let mut block = Block::bordered()
        .border_set(look.border())
        .border_style(style)
        .title(Span::styled(format!(" {title} "), title_style));
    if hidden > 0 {
        let rest = hidden.saturating_sub(scroll);
        let says = if rest == 0 {
            " the end ".to_owned()
        } else {
            format!(" {} {rest} more ", look.below())
        };
        block = block.title_bottom(Span::styled(says, look.style(Tone::Faint)));
    }
    frame.render_widget(block, area);
    let lines: Vec<Line<'_>> = page
        .lines
        .into_iter()
        .skip(scroll)
        .take(usize::from(inner.height))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
    let top = Rect { height: 1, ..inner };
    match &model.over {
        Some(Over::Line(_, field)) => {
            let bottom = inner.y.saturating_add(inner.height.saturating_sub(1));
            frame.render_widget(field.as_ref(), Rect { y: bottom, ..top });
        }
        Some(Over::Search(search)) => frame.render_widget(&search.field, top),
        _ => {}
    }
}

/// Lines of the page over the screen, and how many of them are to be seen at once.
pub(in super::super) fn page_size(model: &Model) -> (usize, usize) {
    match page(model) {
        Some(page) => (page.lines.len(), usize::from(inner(area(model, &page)).height)),
        None => (0, 0),
    }
}

/// The box: in the middle, as high as its lines.
fn area(model: &Model, page: &Page) -> Rect {
    let (width, height) = model.size;
    let wide = page.width.saturating_add(4).min(width);
    let lines = u16::try_from(page.lines.len()).unwrap_or(u16::MAX);
    let high = lines.saturating_add(2).min(height);
    Rect::new((width - wide) / 2, (height - high) / 2, wide, high)
}

const fn inner(area: Rect) -> Rect {
    Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(4),
        area.height.saturating_sub(2),
    )
}

fn page(model: &Model) -> Option<Page> {
    let width = usize::from(model.size.0.min(WIDTH_MAX + 4)).saturating_sub(4).max(1);
    let page = match model.over.as_ref()? {
        Over::Help => Page::new("keys".to_owned(), help(model, width)),
        Over::Why(why) => Page::new(
            "every check behind this message".to_owned(),
            why::lines(model, why, width),
        ),
        Over::Network(network) => Page::new("network".to_owned(), network::lines(model, network, width)),
        Over::Fork(network) => Page {
            is_alarm: true,
            ..Page::new("FORK".to_owned(), alarm::lines(model, network, width))
        },
        Over::Invite(channel, link) => invite(model, *channel, link),
        Over::Members(channel, group, people, at) => {
            let name = model.channel(*channel).map_or("", |channel| channel.name.as_str());
            let (lines, in_sight) = groups::members(model, group, people, *at, width);
            Page {
                in_sight,
                ..Page::new(format!("in {}", display_safe_name(name)), lines)
            }
        }
        Over::Requests(at) => {
            let (lines, in_sight) = groups::requests(model, *at, width);
            Page {
                in_sight,
                ..Page::new("who asks to be let in".to_owned(), lines)
            }
        }
        Over::Person(person) => Page::new(person::title(person), person::lines(model, person, width)),
        Over::Manners(channel, manners) => {
            let name = model.channel(*channel).map_or("", |channel| channel.name.as_str());
            Page::new(display_safe_name(name), manners::lines(model, *channel, manners, width))
        }
        Over::Sure(sure) => sure_of(model, sure, width),
        Over::Whole(view) => {
            let name = view
                .author
                .as_ref()
                .map_or_else(|| "unknown".to_owned(), |author| display_safe_name(&author.name));
            let lines = match view.text.as_deref() {
                Some(text) if !view.retracted => folded(text, width, LINES_MAX).lines,
                _ => wrapped(&said(view), width),
            };
            Page::new(name, lines.into_iter().map(Line::from).collect())
        }
        Over::Search(search) => Page::new("search".to_owned(), search::lines(model, search, width)),
        Over::Retract(_) => question(model, width),
        Over::React(_, typed) => reaction(model, typed, width),
        Over::Line(wanted, _) => line(wanted, width),
    };
    Some(page)
}

/// A line to be filled, below what it is for.
fn line(wanted: &Wanted, width: usize) -> Page {
    let (title, says) = match wanted {
        Wanted::Link => (
            "join a channel by its link",
            "Whoever made the link learns nothing of it; the nodes it names are asked.",
        ),
        Wanted::Path => (
            "attach a file",
            "It is sealed in pieces that nodes keep for 30 days at most; they learn neither its name nor its type. What is \
             written goes along with it.",
        ),
        Wanted::Name(_) => (
            "another name for this channel",
            "All members call it so, and see that it was you.",
        ),
        Wanted::Found(_) => (
            "open a new channel",
            "On the network of the channel that is open. You are alone in it until you invite somebody with F4.",
        ),
    };
    let mut lines = plain(says, width);
    lines.extend([Line::default(), Line::default()]);
    Page::new(title.to_owned(), lines)
}

fn plain(says: &str, width: usize) -> Vec<Line<'static>> {
    wrapped(says, width).into_iter().map(Line::from).collect()
}

/// Every binding, by the place where it holds.
fn help(model: &Model, width: usize) -> Vec<Line<'static>> {
    let column = 30.min(width / 3);
    let mut lines = Vec::new();
    for place in Place::ALL {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::from(toned(model, Tone::Strong, place.title())));
        for binding in BINDINGS.iter().filter(|binding| binding.place == place) {
            let keys = cut(&names(binding), column, model.look.more());
            let gap = " ".repeat((column + 2).saturating_sub(Span::raw(keys.as_str()).width()));
            lines.push(Line::from(vec![
                Span::styled(format!("  {keys}"), model.look.selection()),
                Span::raw(gap),
                Span::raw(cut(binding.says, width.saturating_sub(column + 4), model.look.more())),
            ]));
        }
    }
    lines
}

fn question(model: &Model, width: usize) -> Page {
    let says = "All readers, and this device, are asked to forget it. Whoever has read it has read it; its sealed body \
        stays on the nodes.";
    asked(
        model,
        "take this message back?",
        says,
        ("take it back", "keep it"),
        width,
    )
}

fn sure_of(model: &Model, sure: &Sure, width: usize) -> Page {
    asked(model, &sure.title, &sure.says, (&sure.yes, sure.no), width)
}

/// A question, and what its answers mean.
fn asked(model: &Model, title: &str, says: &str, (yes, no): (&str, &str), width: usize) -> Page {
    let mut lines = plain(says, width.min(60));
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::styled("y", model.look.selection()),
        Span::raw(format!(" {yes}   ")),
        Span::styled("n", model.look.selection()),
        Span::raw(format!(" {no}")),
    ]));
    let title = cut(title, 50, model.look.more());
    Page {
        width: 60,
        ..Page::new(title, lines)
    }
}

fn reaction(model: &Model, typed: &str, width: usize) -> Page {
    let mut choices = Vec::new();
    for (index, emoji) in REACTIONS.iter().enumerate() {
        choices.push(Span::styled((index + 1).to_string(), model.look.selection()));
        choices.push(Span::raw(format!(" {emoji}  ")));
    }
    let mut lines = vec![Line::from(choices), Line::default()];
    let says = "or type one and press Enter; the same once more takes it back";
    lines.extend(
        wrapped(says, width.min(60))
            .into_iter()
            .map(|line| Line::from(toned(model, Tone::Faint, line))),
    );
    lines.push(Line::from(vec![
        Span::styled("> ", model.look.selection()),
        Span::raw(line_of(typed, 40, model.look.more())),
    ]));
    Page {
        width: 60,
        ..Page::new("react".to_owned(), lines)
    }
}

/// The link, above it its picture where there is room for one.
fn invite(model: &Model, channel: ChannelId, link: &str) -> Page {
    let name = model
        .channel(channel)
        .map_or_else(String::new, |channel| display_safe_name(&channel.name));
    let width = model.size.0.saturating_sub(4).min(WIDTH_MAX);
    let text_width = usize::from(width).max(1);
    let warning = if model.channel(channel).is_some_and(|channel| channel.group) {
        "Whoever uses this link first can come in, for seven days, while a member is connected: this device is, as long as \
         the screen is open. Hand it over in private."
    } else {
        "Whoever has this link reads and writes the channel, from its beginning: hand it over in private."
    };
    let mut lines: Vec<Line<'static>> = wrapped(warning, text_width)
        .into_iter()
        .map(|line| Line::from(toned(model, Tone::Doubtful, line)))
        .collect();
    lines.push(Line::default());
    let link_lines: Vec<Line<'static>> = broken(link, text_width).into_iter().map(Line::from).collect();
    let beside = lines.len() + link_lines.len() + 4;
    lines.extend(picture(model, link, text_width, beside));
    lines.push(Line::default());
    lines.extend(link_lines);
    lines.push(Line::default());
    lines.push(Line::from(toned(
        model,
        Tone::Faint,
        cut(
            "n makes another link; this one stays good",
            text_width,
            model.look.more(),
        ),
    )));
    Page::new(format!("invite to {name}"), lines)
}

/// A QR code in the middle, or how large a window it needs; `beside` lines are on the page as well.
fn picture(model: &Model, says: &str, width: usize, beside: usize) -> Vec<Line<'static>> {
    if model.look.ascii {
        return Vec::new();
    }
    let Some(picture) = qr::half_blocks(says) else {
        return Vec::new();
    };
    let columns = picture.first().map_or(0, |line| line.chars().count());
    let rows = picture.len() + beside;
    if columns > width || rows + 2 > usize::from(model.size.1) {
        let says = format!("(a QR code needs a window of {} x {})", columns + 4, rows + 2);
        let says = cut(&says, width, model.look.more());
        return vec![Line::from(toned(model, Tone::Faint, says))];
    }
    let before = " ".repeat((width - columns) / 2);
    let lines = picture.into_iter().map(|line| {
        Line::from(vec![
            Span::raw(before.clone()),
            Span::styled(line, model.look.picture()),
        ])
    });
    lines.collect()
}

/// A link has no words: it is broken anywhere.
fn broken(link: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = link.chars().collect();
    letters
        .chunks(width.max(1))
        .map(|chunk| chunk.iter().collect())
        .collect()
}
