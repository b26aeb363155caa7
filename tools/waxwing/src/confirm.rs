//! A yes before what cannot be taken back: from a flag, or from somebody at a terminal; never assumed.

use std::io::{IsTerminal, Write};

use crate::failure::Failure;
use crate::output::Output;

/// Says what will happen, and goes on only with a yes.
///
/// # Errors
/// If nobody says yes, or nobody can be asked.
pub(crate) fn ask(what: &str, output: &Output) -> Result<(), Failure> {
    if output.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{what}; if that is meant, add --yes")));
    }
    crate::output::to_stderr(&format!("{what}. Go on? [y/N] "));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::usage("nothing was changed"))
    }
}

/// What somebody at a terminal says to a question; the caller looks first whether there is one.
///
/// # Errors
/// If nothing can be read.
pub(crate) fn answer(question: &str) -> Result<String, Failure> {
    crate::output::to_stderr(&format!("{question} > "));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Failure::failed(format!("no answer can be read: {}", crate::files::reason(&error))))?;
    Ok(answer)
}
