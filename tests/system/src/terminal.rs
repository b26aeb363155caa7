//! A terminal with somebody in front of it: tmux shows what is on it, and presses keys.
//!
//! A shell runs in it, so that what a program leaves behind is seen as its user would see it. The server is the test's
//! own, at a socket in the test's folder, and gone with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::done;
use crate::until::until;

/// What the shell says when it waits.
pub const PROMPT: &str = "shell:";

/// A terminal of a fixed size.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// A shell in a terminal. Its socket lies in `folder`, by `name`.
    ///
    /// # Panics
    /// If tmux is not installed, with the line that installs it.
    #[must_use]
    pub fn open(folder: &Path, name: &str, width: u16, height: u16) -> Self {
        let is_there = Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_ok();
        assert!(is_there, "tmux is not installed; type: sudo apt-get install tmux");
        let terminal = Self {
            socket: folder.join(format!("{name}.tmux")),
        };
        let shell = format!("env PS1='{PROMPT} ' bash --noprofile --norc -i");
        let size = [width.to_string(), height.to_string()];
        let mut command = terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "main"]);
        command.args(["-x", &size[0], "-y", &size[1], &shell]);
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        done(&mut command);
        terminal.waits();
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command
            .arg("-u")
            .arg("-S")
            .arg(&self.socket)
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Presses keys, by the names that tmux has for them.
    pub fn press(&self, keys: &[&str]) {
        let mut command = self.tmux(&["send-keys", "-t", "main"]);
        done(command.args(keys));
    }

    /// Presses Escape, and waits until that has taken this off the screen. A key that came at once behind it would be
    /// taken for the same key with Alt held down: terminals send one like the other.
    ///
    /// # Panics
    /// If it stays.
    pub fn escape(&self, gone: &str) {
        self.press(&["Escape"]);
        self.hides(gone);
    }

    /// Types a text, letter by letter.
    pub fn write(&self, text: &str) {
        let mut command = self.tmux(&["send-keys", "-t", "main", "-l", "--"]);
        done(command.arg(text));
    }

    /// Types a line and presses Enter.
    pub fn line(&self, text: &str) {
        self.write(text);
        self.press(&["Enter"]);
    }

    /// Pastes a text, as terminals mark it for programs that ask for that.
    ///
    /// # Panics
    /// If the text cannot be handed over.
    pub fn paste(&self, text: &str) {
        let file = self.socket.with_extension("paste");
        fs::write(&file, text).expect("a file can be written");
        done(self.tmux(&["load-buffer"]).arg(&file));
        done(&mut self.tmux(&["paste-buffer", "-p", "-t", "main"]));
    }

    /// Gives the terminal another size.
    pub fn resize(&self, width: u16, height: u16) {
        let size = [width.to_string(), height.to_string()];
        done(&mut self.tmux(&["resize-window", "-t", "main", "-x", &size[0], "-y", &size[1]]));
    }

    /// What is on it.
    #[must_use]
    pub fn picture(&self) -> String {
        done(&mut self.tmux(&["capture-pane", "-p", "-t", "main"]))
    }

    /// Looks at it until it is as wanted; returns what it shows then.
    ///
    /// # Panics
    /// If it never comes to that; says what it showed last.
    #[expect(clippy::panic, reason = "the test fails here")]
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let mut looks = 0_u32;
        until(what, || {
            last = self.picture();
            looks += 1;
            // Each look starts a process: these bound a failing test to about a minute.
            match (is_so(&last), looks) {
                (true, _) => Some(last.clone()),
                (false, ..5_500) => None,
                (false, _) => panic!("it never came to this: {what}\n{last}"),
            }
        })
    }

    /// Waits until this is on it.
    ///
    /// # Panics
    /// If it never is.
    pub fn shows(&self, text: &str) -> String {
        self.until(text, |picture| picture.contains(text))
    }

    /// Waits until the shell is back: nothing stands below its prompt, and nothing behind it.
    ///
    /// # Panics
    /// If it never is.
    pub fn waits(&self) -> String {
        self.until("the shell waits", |picture| {
            picture
                .lines()
                .rfind(|line| !line.trim().is_empty())
                .is_some_and(|line| line.trim() == PROMPT)
        })
    }

    /// Waits until this is on it no more.
    ///
    /// # Panics
    /// If it stays.
    pub fn hides(&self, text: &str) -> String {
        self.until(&format!("no {text}"), |picture| !picture.contains(text))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).stderr(Stdio::null()).status();
    }
}

/// A command as a line for a shell, with what it adds to the environment.
#[must_use]
pub fn line_of(command: &Command) -> String {
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
    let mut words = vec!["env".to_owned()];
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
        }
    }
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}
