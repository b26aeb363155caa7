//! The loop between terminal and client: the only part of the screen that waits, and the only one that touches a
//! terminal.
//!
//! ```text
//! keys (a thread) ──┐
//! changes (watch) ──┼─> events ─> Model::on ─> effects ─> work ─┐
//! answers ──────────┘      ^                                    │
//!                          └────────────────────────────────────┘
//! ```
//!
//! Whatever ends the program, the terminal is as it was before: when the loop ends, when something panics, at a signal,
//! while it is suspended.

use std::io::{Stdout, stdout};
use std::time::Duration;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, Event as Typed, KeyEventKind};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use rustix::process::{self, Signal};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedSender};
use waxwing_light::Client;

use super::draw;
use super::model::{Effect, Event, Model};
use super::names::Me;
use super::theme::Look;
use super::when::Zone;
use super::work;
use crate::chat::fault;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::{Done, clock, files};

/// Events that wait to be taken in: a burst of changes waits in the store, not here.
const EVENTS_WAITING: usize = 1024;

/// Events that are taken in before the screen is drawn again.
const EVENTS_AT_ONCE: usize = 256;

/// How often the time on the screen moves.
const TICK: Duration = Duration::from_secs(1);

/// Shows the screen until somebody leaves it.
///
/// # Errors
/// If the terminal or the store fails.
pub(super) async fn run(client: &Client, me: Me, look: Look) -> Done {
    // Before anything is read: what changes from here on is told, so that nothing falls between the reading and the telling.
    let changes = client.tail(None, None).await.map_err(|error| fault(&error))?;
    let (events, mut incoming) = mpsc::channel(EVENTS_WAITING);
    let (wanted, effects) = mpsc::unbounded_channel();
    let size = crossterm::terminal::size().map_err(|error| lost(&error))?;
    let mut model = Model::new(me, look, Zone::of_this_machine(), clock::now_ms(), size);
    for first in [Effect::Channels, Effect::Networks, Effect::Contacts] {
        let _ = wanted.send(first);
    }
    let shown = Shown::enter()?;
    let work = tokio::spawn(work::work(client.clone(), effects, events.clone()));
    let watch = tokio::spawn(work::watch(changes, events.clone()));
    client.start();
    read_keys(events);
    let done = turn(&mut model, &mut incoming, &wanted).await;
    drop(shown);
    watch.abort();
    work.abort();
    done.map(|()| 0)
}

/// Takes events in and draws, until somebody leaves.
async fn turn(
    model: &mut Model,
    incoming: &mut Receiver<Event>,
    wanted: &UnboundedSender<Effect>,
) -> Result<(), Failure> {
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout())).map_err(|error| lost(&error))?;
    let mut ends = Ends::new()?;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        show(&mut terminal, model)?;
        let mut all = tokio::select! {
            event = incoming.recv() => match event {
                Some(event) => model.on(event),
                None => return Ok(()),
            },
            _ = ticks.tick() => model.on(Event::Tick(clock::now_ms())),
            end = ends.next() => vec![end],
        };
        for _ in 0..EVENTS_AT_ONCE {
            let Ok(event) = incoming.try_recv() else { break };
            all.extend(model.on(event));
        }
        for effect in all {
            match effect {
                Effect::Quit => return Ok(()),
                Effect::Suspend => suspend(&mut terminal).await?,
                Effect::Redraw => forget(&mut terminal)?,
                effect => {
                    let _ = wanted.send(effect);
                }
            }
        }
    }
}

/// Gives the terminal back, stops, and takes it again when somebody continues this process.
async fn suspend(terminal: &mut Terminal<CrosstermBackend<Stdout>>) -> Result<(), Failure> {
    // The call that stops the process may return before it stands still: only its continuation says that it did. Asked
    // for any earlier, the terminal would be taken from the shell.
    let mut continued = listen(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    restore();
    process::kill_process(process::getpid(), Signal::STOP)
        .map_err(|error| Failure::failed(format!("cannot suspend: {error}")))?;
    continued.recv().await;
    take()?;
    forget(terminal)
}

/// Draws. The window may be smaller by now than the last event said, and what is drawn outside of it is a fault.
fn show(terminal: &mut Terminal<CrosstermBackend<Stdout>>, model: &mut Model) -> Result<(), Failure> {
    let drawn = terminal.draw(|frame| {
        let area = frame.area();
        model.size = (area.width, area.height);
        draw::draw(model, frame);
    });
    drawn.map(|_| ()).map_err(|error| lost(&error))
}

/// Takes nothing for drawn any more. Not by `Terminal::clear`: that asks the terminal where its cursor is, and the thread
/// that reads keys would get the answer.
fn forget(terminal: &mut Terminal<CrosstermBackend<Stdout>>) -> Result<(), Failure> {
    let (width, height) = crossterm::terminal::size().map_err(|error| lost(&error))?;
    let all = Rect::new(0, 0, width, height);
    terminal.resize(all).map_err(|error| lost(&error))
}

/// What ends or suspends the program from outside.
struct Ends {
    signals: Signals,
    hangup: unix::Signal,
    suspend: unix::Signal,
}

impl Ends {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            signals: Signals::new()?,
            hangup: listen(SignalKind::hangup())?,
            suspend: listen(SignalKind::from_raw(Signal::TSTP.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Effect {
        tokio::select! {
            () = self.signals.next() => Effect::Quit,
            _ = self.hangup.recv() => Effect::Quit,
            _ = self.suspend.recv() => Effect::Suspend,
        }
    }
}

fn listen(kind: SignalKind) -> Result<unix::Signal, Failure> {
    unix::signal(kind).map_err(|error| lost(&error))
}

/// Reads the keyboard on a thread of its own, which ends with the process: nothing can be read from a terminal without
/// somebody waiting there.
fn read_keys(events: Sender<Event>) {
    std::thread::spawn(move || {
        while let Ok(typed) = crossterm::event::read() {
            let event = match typed {
                Typed::Key(key) if key.kind != KeyEventKind::Release => Event::Key(key),
                Typed::Paste(text) => Event::Paste(text),
                Typed::Resize(width, height) => Event::Resize(width, height),
                _ => continue,
            };
            if events.blocking_send(event).is_err() {
                return;
            }
        }
        // Nobody can press a key any more: a screen without a keyboard would stay for ever. One that is gone wants no news.
        let _ = events.blocking_send(Event::Gone);
    });
}

/// The terminal is ours until this is dropped.
struct Shown;

impl Shown {
    fn enter() -> Result<Self, Failure> {
        restore_on_panic();
        take()?;
        Ok(Self)
    }
}

/// A panic ends the process at once; its sentence is to be read on the terminal as it was.
fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        before(panic);
    }));
}

impl Drop for Shown {
    fn drop(&mut self) {
        restore();
    }
}

fn take() -> Result<(), Failure> {
    enable_raw_mode().map_err(|error| lost(&error))?;
    let taken = execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide);
    taken.map_err(|error| {
        restore();
        lost(&error)
    })
}

/// As far as that is possible: a terminal that is gone needs no tidying.
fn restore() {
    let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::failed(format!("the terminal does not answer: {}", files::reason(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says to a test that it is the child.
    const CHILD: &str = "WAXWING_SCREEN_PANICS";

    /// Panics as the screen would, in a process of its own: this very test.
    #[test]
    fn a_panic_gives_the_terminal_back_before_it_says_why() {
        if std::env::var_os(CHILD).is_some() {
            crate::failure::call_panics_bugs();
            restore_on_panic();
            panic!("the sky fell");
        }
        let name = "chat::screen::run::tests::a_panic_gives_the_terminal_back_before_it_says_why";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let (said, complained) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(1), "{said}{complained}");
        let (pasting, screen, cursor) = ("\u{1b}[?2004l", "\u{1b}[?1049l", "\u{1b}[?25h");
        assert!(
            [pasting, screen, cursor].iter().all(|order| said.contains(order)),
            "{said:?}"
        );
        assert!(complained.contains("the sky fell"), "{complained}");
    }
}
