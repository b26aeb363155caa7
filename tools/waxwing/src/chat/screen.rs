//! `waxwing chat` on a terminal: a screen to live in, and lines for whoever has them read out.
//!
//! A pure model takes events in and says what is to be done (`model.rs`, `on.rs`, `act.rs`), a pure function draws it
//! (`draw.rs`), and a thin loop stands between them, the terminal and the client (`run.rs`, `work.rs`). So everything
//! but the loop is tested without a terminal. `--plain` is a second front end of the same client: lines in, lines out,
//! nothing is ever overwritten.

mod act;
mod draw;
mod files;
mod groups;
mod keys;
mod model;
mod names;
mod on;
mod people;
mod person;
mod plain;
mod run;
mod search;
mod text;
mod theme;
mod when;
mod window;
mod work;
mod writing;

#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use super::{Session, fault};
use crate::Done;
use crate::failure::Failure;
use names::Me;
use theme::Look;

/// Opens the screen, or the line mode.
pub(super) async fn open(is_plain: bool, session: &Session<'_>) -> Done {
    if session.output.is_json() {
        return Err(Failure::usage(
            "the screen has no JSON: `waxwing chat tail CHANNEL --json` prints messages as they come",
        ));
    }
    if !is_plain {
        needs_terminal(session)?;
    }
    let client = session.open().await?;
    let (device, name) = client.device().await.map_err(|error| fault(&error))?;
    let me = Me {
        device: device.to_string(),
        name,
    };
    if is_plain {
        return plain::run(&client, me, session).await;
    }
    let look = Look {
        ascii: session.output.ascii,
        color: session.output.is_colored(),
    };
    run::run(&client, me, look).await
}

/// A screen can only be drawn on one.
fn needs_terminal(session: &Session<'_>) -> Result<(), Failure> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if is_dumb || !is_terminal {
        return Err(Failure::usage(
            "the screen needs a terminal: `waxwing chat --plain` reads and writes lines, `waxwing chat channels`, `read` \
             and `send` are for scripts; see `waxwing chat --help`",
        ));
    }
    if session.output.shows_inside() && std::io::stderr().is_terminal() {
        return Err(Failure::usage(
            "what -vv prints would be written across the screen: send it to a file with `2> FILE`",
        ));
    }
    Ok(())
}
