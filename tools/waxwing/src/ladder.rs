//! The states of a message, the same words everywhere: `queued -> sent -> final -> seen by all`, or `failed`.
//!
//! A symbol stands beside the word, never instead of it: whoever has the page read out, or cannot tell the circles apart,
//! loses nothing.

use crate::output::{Output, Tone};

/// How far a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Durable on this device.
    Queued,
    /// A node has promised to include it.
    Sent,
    /// In a certified block, proof checked here.
    Final,
    /// And every other member that is known has proven to hold it.
    SeenByAll,
    /// Not on its way; the reason stands beside it.
    Failed,
    /// From before this device came, as a member tells it: nothing of it is proven.
    Told,
}

impl Step {
    /// The word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Final => "final",
            Self::SeenByAll => "seen by all",
            Self::Failed => "failed",
            Self::Told => "told",
        }
    }

    /// The symbol beside the word.
    pub(crate) const fn symbol(self, ascii: bool) -> &'static str {
        match (self, ascii) {
            (Self::Queued, false) => "○",
            (Self::Queued, true) => ".",
            (Self::Sent, false) => "◔",
            (Self::Sent, true) => "~",
            (Self::Final, false) => "✓",
            (Self::Final, true) => "+",
            (Self::SeenByAll, false) => "✓✓",
            (Self::SeenByAll, true) => "++",
            (Self::Failed, _) => "!",
            (Self::Told, false) => "»",
            (Self::Told, true) => ">",
        }
    }

    /// Symbol and word, in the step's colour.
    pub(crate) fn shown(self, output: &Output) -> String {
        output.paint(self.tone(), &format!("{} {}", self.symbol(output.ascii), self.word()))
    }

    /// Whether it stands in a certified block.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Final | Self::SeenByAll)
    }

    /// What the step is to whoever waits for it.
    pub(crate) const fn tone(self) -> Tone {
        match self {
            Self::Queued | Self::Sent | Self::Told => Tone::Faint,
            Self::Final | Self::SeenByAll => Tone::Good,
            Self::Failed => Tone::Bad,
        }
    }
}

/// Between two steps.
pub(crate) const fn arrow(ascii: bool) -> &'static str {
    if ascii { " -> " } else { " → " }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_word_and_two_symbols_of_its_own() {
        let steps = [
            Step::Queued,
            Step::Sent,
            Step::Final,
            Step::SeenByAll,
            Step::Failed,
            Step::Told,
        ];
        for (index, step) in steps.iter().enumerate() {
            assert!(step.symbol(true).is_ascii() && step.word().is_ascii());
            for other in steps.iter().skip(index + 1) {
                assert_ne!(step.word(), other.word());
                assert_ne!(step.symbol(true), other.symbol(true));
                assert_ne!(step.symbol(false), other.symbol(false));
            }
        }
    }
}
