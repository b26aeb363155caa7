//! A program under test that is awaited by what it prints and never outlives its test.
//!
//! A test that sleeps until a node "should be ready" is slow on a fast machine and red on a slow one. Here a test waits
//! for the line it needs, and gives up only if the program has been silent for a minute.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Silence after which a program is taken to hang. It bounds a failing test, it paces none.
const SILENCE: Duration = Duration::from_secs(60);

/// A started program. Dropping it kills it (`SIGKILL`: no chance to save anything) and waits until it is gone.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// All lines so far, for the report of a failure, and whether a caller has been given them.
    printed: Vec<(String, bool)>,
}

impl Running {
    /// Starts the program without standard input. Standard output and standard error are read as one stream of lines.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[expect(clippy::panic, reason = "the test cannot go on without its program")]
    pub fn start(command: &mut Command) -> Self {
        let started = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let (sender, lines) = channel();
        let output: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("standard output was asked for as a pipe")),
            Box::new(child.stderr.take().expect("standard error was asked for as a pipe")),
        ];
        for stream in output {
            let sender = sender.clone();
            // Ends with the stream. A receiver that is gone means that nobody waits any more.
            thread::spawn(move || {
                BufReader::new(stream)
                    .lines()
                    .map_while(Result::ok)
                    .try_for_each(|line| sender.send(line))
            });
        }
        Self {
            child,
            lines,
            printed: Vec::new(),
        }
    }

    /// Waits for a line that contains `text` and returns it whole. Each line is returned once; one that was passed over
    /// while another was awaited still counts, since the two streams arrive in no fixed order.
    ///
    /// # Panics
    /// If the program ends or is silent for a minute before it prints such a line; says what it did print.
    #[expect(clippy::panic, reason = "the test fails here")]
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            if let Some((line, given)) = self
                .printed
                .iter_mut()
                .find(|(line, given)| !given && line.contains(text))
            {
                *given = true;
                return line.clone();
            }
            match self.lines.recv_timeout(SILENCE) {
                Ok(line) => self.printed.push((line, false)),
                Err(why) => panic!("no line with {text:?} ({why}); printed:\n{}", self.all()),
            }
        }
    }

    /// A line that has been printed and was not returned yet; `None` if there is none now.
    pub fn line_now(&mut self) -> Option<String> {
        while let Ok(line) = self.lines.try_recv() {
            self.printed.push((line, false));
        }
        let (line, given) = self.printed.iter_mut().find(|(_, given)| !given)?;
        *given = true;
        Some(line.clone())
    }

    /// Whether the program has ended.
    pub fn is_over(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Asks the program to stop (`SIGTERM`).
    ///
    /// # Panics
    /// If there is no way to send signals.
    pub fn interrupt(&self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal cannot be sent");
    }

    /// Waits until the program has ended by itself; returns its exit status and all it printed.
    ///
    /// # Panics
    /// If it is silent for a minute without ending.
    #[must_use]
    #[expect(clippy::panic, reason = "the test fails here")]
    pub fn end(mut self) -> (ExitStatus, String) {
        // The channel closes when both streams have ended, which they do with the program at the latest.
        loop {
            match self.lines.recv_timeout(SILENCE) {
                Ok(line) => self.printed.push((line, false)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("does not end; printed:\n{}", self.all()),
            }
        }
        let status = self.child.wait().expect("a child that was started can be waited for");
        (status, self.all())
    }

    /// Everything that was printed, as far as it was read.
    #[must_use]
    pub fn all(&self) -> String {
        self.printed
            .iter()
            .map(|(line, _)| line.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Everything that has been printed until now.
    #[must_use]
    pub fn so_far(&mut self) -> String {
        while let Ok(line) = self.lines.try_recv() {
            self.printed.push((line, false));
        }
        self.all()
    }

    /// Kills the program with `SIGKILL` and waits until it is gone: the next one may use its files and ports.
    pub fn kill(self) {
        drop(self);
    }

    /// Kills the program with `SIGKILL`; returns the lines that it had printed and that were not returned yet, with what
    /// it had begun of the last one.
    #[must_use]
    pub fn kill_and_read(mut self) -> Vec<String> {
        // It fails only for a child that has ended already.
        let _ = self.child.kill();
        while let Ok(line) = self.lines.recv() {
            self.printed.push((line, false));
        }
        let lines = std::mem::take(&mut self.printed).into_iter();
        lines.filter(|(_, given)| !given).map(|(line, _)| line).collect()
    }

    /// The process id, for reading what the system knows about it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Running {
    /// Memory that is resident, in KiB.
    ///
    /// # Panics
    /// If the program has ended, or the kernel does not tell.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the program runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        line.and_then(|kib| kib.parse().ok())
            .expect("the kernel tells the resident memory")
    }

    /// The most memory that was ever resident, in KiB; none once the program has ended.
    #[must_use]
    pub fn peak_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        line.and_then(|kib| kib.parse().ok())
    }

    /// Nanoseconds that its threads have spent on a processor, those that have ended left out.
    ///
    /// # Panics
    /// If the program has ended.
    #[must_use]
    pub fn processor_ns(&self) -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).expect("the program runs");
        let spent = threads.filter_map(|thread| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        spent.sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has already been waited for, which is what is wanted here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_line_is_awaited_on_either_stream() {
        let mut running = Running::start(&mut shell("echo one; echo two >&2; exec sleep 600"));
        assert_eq!(running.line_with("one"), "one");
        assert_eq!(running.line_with("tw"), "two");
    }

    #[test]
    #[should_panic(expected = "printed:\nsomething else")]
    fn a_program_that_ends_without_the_line_is_shown() {
        Running::start(&mut shell("echo something else")).line_with("ready");
    }

    #[test]
    fn the_end_brings_status_and_output() {
        let (status, printed) = Running::start(&mut shell("echo out; exit 12")).end();
        assert_eq!((status.code(), printed.as_str()), (Some(12), "out"));
    }

    #[test]
    fn a_killed_program_leaves_what_it_had_printed() {
        let mut running = Running::start(&mut shell("echo one; printf tw; echo ready >&2; exec sleep 600"));
        running.line_with("ready");
        assert!(!running.is_over());
        assert_eq!(running.kill_and_read(), ["one", "tw"]);
    }

    #[test]
    fn a_program_is_asked_to_stop() {
        let mut running = Running::start(&mut shell(
            "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
        ));
        running.line_with("ready");
        running.interrupt();
        let (status, printed) = running.end();
        assert_eq!((status.code(), printed.as_str()), (Some(3), "ready\nbye"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_killed_program_is_gone() {
        let mut running = Running::start(&mut shell("echo ready; exec sleep 600"));
        running.line_with("ready");
        let proc = format!("/proc/{}", running.id());
        assert!(std::path::Path::new(&proc).exists());
        running.kill();
        assert!(!std::path::Path::new(&proc).exists());
    }
}
