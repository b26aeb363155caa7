//! How far something has come: a bar on a terminal, one line every ten seconds anywhere else.
//!
//! A job that runs for minutes without a word looks dead; a log with a thousand lines of percentages is unreadable. It
//! all goes to standard error, so that results stay results, and is silent with `--quiet`.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock;
use crate::output::Output;
use crate::words::grouped;

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

/// The progress of one job.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Shown,
    job: &'static str,
    unit: &'static str,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nowhere,
}

impl Progress {
    /// A job, as `auditing`, and what it counts, as `entries`.
    pub(crate) fn start(job: &'static str, unit: &'static str, output: &Output) -> Self {
        let shown = if output.is_quiet() {
            Shown::Nowhere
        } else if std::io::stderr().is_terminal() {
            Shown::Bar(bar(output.ascii))
        } else {
            Shown::Lines { last: clock::steady() }
        };
        if let Shown::Bar(bar) = &shown {
            bar.set_prefix(job);
            bar.set_message(unit);
        }
        Self { shown, job, unit }
    }

    /// So much is done, of so much as far as that is known.
    pub(crate) fn set(&mut self, done: u64, all: Option<u64>) {
        match &mut self.shown {
            Shown::Bar(bar) => {
                if let Some(all) = all {
                    bar.set_length(all);
                }
                bar.set_position(done);
            }
            Shown::Lines { last } => {
                let now = clock::steady();
                if now.duration_since(*last) >= PAUSE {
                    *last = now;
                    crate::output::to_stderr(&line(self.job, self.unit, done, all));
                }
            }
            Shown::Nowhere => {}
        }
    }
}

/// The bar goes away with the job: what is left on the screen is the result.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// Columns that the words beside the bar take, with numbers of up to seven digits.
const WORDS: u16 = 48;

fn bar(ascii: bool) -> ProgressBar {
    let columns = terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(width, _)| width.0);
    let length = columns.saturating_sub(WORDS).clamp(4, 30);
    let template = format!("{{prefix}} {{bar:{length}}} {{human_pos}} of {{human_len}} {{msg}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("only the length varies, and any length is accepted");
    let style = style.progress_chars(if ascii { "=> " } else { "━╸ " });
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
}

fn line(job: &str, unit: &str, done: u64, all: Option<u64>) -> String {
    match all {
        Some(all) => format!("{job}: {} of {} {unit}\n", grouped(done), grouped(all)),
        None => format!("{job}: {} {unit}\n", grouped(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_whole_where_it_is_known() {
        assert_eq!(
            line("auditing", "entries", 5, Some(1200)),
            "auditing: 5 of 1,200 entries\n"
        );
        assert_eq!(line("auditing", "entries", 5, None), "auditing: 5 entries\n");
    }

    #[test]
    fn the_bar_can_be_drawn() {
        let _ = (bar(true), bar(false));
    }
}
