//! How things look: tones as styles, and the signs that stand for them.
//!
//! Colours are the sixteen of the terminal, so that they follow whoever chose a light or a dark one, and never a
//! background: alarms reverse, which works on both. Without colours everything is still said: by a word, a sign, or
//! weight.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use crate::output::Tone;

/// What the terminal can show and its owner wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Look {
    /// Signs and lines in ASCII.
    pub(super) ascii: bool,
    /// Colours.
    pub(super) color: bool,
}

/// For names: readable on black and on white, and none that means something else.
const NAME_COLORS: [Color; 3] = [Color::Cyan, Color::Magenta, Color::Green];

const ASCII_BORDER: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Look {
    /// The style of a tone.
    pub(super) fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let (color, modifier) = match tone {
            Tone::Good => (Some(Color::Green), Modifier::empty()),
            Tone::Bad => (Some(Color::Red), Modifier::BOLD),
            Tone::Doubtful => (Some(Color::Yellow), Modifier::empty()),
            Tone::Faint => (None, Modifier::DIM),
            Tone::Strong => (None, Modifier::BOLD),
        };
        self.colored(plain.add_modifier(modifier), color)
    }

    /// Somebody's name: the same colour wherever this device's messages stand.
    pub(super) fn name(self, device: &str) -> Style {
        let sum = device.bytes().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        let color = NAME_COLORS.get(sum % NAME_COLORS.len()).copied();
        self.colored(Style::new().add_modifier(Modifier::BOLD), color)
    }

    /// What the keys act on.
    pub(super) fn selection(self) -> Style {
        self.colored(Style::new().add_modifier(Modifier::BOLD), Some(Color::Cyan))
    }

    /// What nobody may overlook.
    pub(super) fn alarm(self) -> Style {
        self.colored(
            Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Some(Color::Red),
        )
    }

    /// A picture for cameras, which want dark on light whatever the terminal is.
    pub(super) fn picture(self) -> Style {
        if self.color {
            Style::new().fg(Color::Black).bg(Color::White)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }

    fn colored(self, style: Style, color: Option<Color>) -> Style {
        match color {
            Some(color) if self.color => style.fg(color),
            _ => style,
        }
    }

    const fn sign(self, drawn: &'static str, typed: &'static str) -> &'static str {
        if self.ascii { typed } else { drawn }
    }

    /// Between two facts.
    pub(super) const fn dot(self) -> &'static str {
        self.sign(" · ", " - ")
    }

    /// In front of a change of the group, where nothing that somebody wrote can stand.
    pub(super) const fn change(self) -> &'static str {
        self.sign("·", "*")
    }

    /// Beside what the keys act on.
    pub(super) const fn bar(self) -> &'static str {
        self.sign("▌", ">")
    }

    /// In front of what a message answers.
    pub(super) const fn answers(self) -> &'static str {
        self.sign("↳", "re")
    }

    /// Something was left out here.
    pub(super) const fn more(self) -> &'static str {
        self.sign("…", "...")
    }

    /// A line across.
    pub(super) const fn rule(self) -> &'static str {
        self.sign("─", "-")
    }

    /// A line down.
    pub(super) const fn wall(self) -> &'static str {
        self.sign("│", "|")
    }

    /// Further down there is more.
    pub(super) const fn below(self) -> &'static str {
        self.sign("↓", "v")
    }

    /// Around an overlay.
    pub(super) const fn border(self) -> border::Set<'static> {
        if self.ascii { ASCII_BORDER } else { border::PLAIN }
    }
}
