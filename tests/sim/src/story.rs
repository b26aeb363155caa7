//! What happened in a run, line by line, for whoever looks into a failure. Costs nothing unless it is asked for.

use waxwing_node::order::event::{Action, Frame, To};
use waxwing_order::Message;

use crate::time::{MS, Micros};

/// The lines so far, if anybody wants them.
#[derive(Clone, Debug, Default)]
pub struct Story(Option<Vec<String>>);

impl Story {
    /// A story that is written down.
    #[must_use]
    pub const fn written() -> Self {
        Self(Some(Vec::new()))
    }

    /// Adds a line.
    pub fn tell(&mut self, now: Micros, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            let line = line();
            if !line.is_empty() {
                lines.push(format!("{:>9} ms  {line}", now / MS));
            }
        }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// What an action is about, in a few words; nothing for those that say little.
#[must_use]
pub fn action(action: &Action) -> String {
    match action {
        Action::Send { to, frame } => {
            let to = match to {
                To::All => "all".to_owned(),
                To::One(peer) => peer.to_string().chars().take(6).collect(),
            };
            format!("to {to}: {}", self::frame(frame))
        }
        Action::Append(_) | Action::Flush | Action::Reset | Action::Signed(_) | Action::Cancel(_) => String::new(),
        Action::Set(timer, ms) => format!("{timer:?} in {ms} ms"),
        Action::Pull { stamps, .. } => format!("pulls {} entries", stamps.len()),
        Action::CatchUp { height, .. } => format!("catches up to {height}"),
        Action::Copied { height, outcome } => format!("copied {height}: {outcome:?}"),
        Action::Evidence(evidence) => format!("has evidence about height {}", evidence.height()),
        Action::Role(role) => format!("is a {role:?}"),
        Action::DestroyKey => "destroys its key".to_owned(),
        Action::Stop(fault) => format!("stops: {fault}"),
    }
}

/// What a frame says, in a few words.
#[must_use]
pub fn frame(frame: &Frame) -> String {
    match frame {
        Frame::Consensus { message, has_work } => format!("{} (work: {has_work})", self::message(message)),
        Frame::Contents(contents) => format!(
            "contents of {}, {} entries",
            contents.header.height,
            contents.entries.len()
        ),
        Frame::WantContents(block) => format!("wants the contents of {}", short(&block.to_string())),
        Frame::Status(height) => format!("has {height}"),
    }
}

fn message(message: &Message) -> String {
    let at = format!("{}.{}", message.height(), message.round());
    match message {
        Message::Proposal(proposal) => format!("proposal {at}, time {}", proposal.header.time),
        Message::Vote(vote) => format!("{:?} {at} {}", vote.kind, short(&vote.block.to_string())),
        Message::Polka(polka) => format!("polka {at} {}", short(&polka.block.to_string())),
        Message::Round(certificate) => format!("{:?} certificate {at}", certificate.kind),
    }
}

fn short(name: &str) -> String {
    name.chars().take(6).collect()
}
