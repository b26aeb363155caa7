//! What an auditor may say, and the exit codes that say it to scripts.
//!
//! The codes are a contract. "Could not check" never reads as "tampered", and an unknown code must be treated as a
//! failure. `// SPEC 20`

/// The outcome of an audit, worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// All checks at the stated depth hold, and the given policy anchors them.
    Verified,
    /// Sound as far as it goes: a range or sample, bodies withheld, or shorter than the policy's pinned head.
    Incomplete,
    /// Consistent in itself; nothing given anchors it, so it proves nothing about the world.
    Unanchored,
    /// Valid, but contradicts a head that is pinned or held already.
    Diverged,
    /// A hash, signature or proof fails.
    Tampered,
    /// Cannot be parsed: says nothing about tampering.
    Malformed,
}

impl Verdict {
    /// The word on the first line of every report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Verified => "VERIFIED",
            Self::Incomplete => "INCOMPLETE",
            Self::Unanchored => "UNANCHORED",
            Self::Diverged => "DIVERGED",
            Self::Tampered => "TAMPERED",
            Self::Malformed => "MALFORMED",
        }
    }

    /// The exit code. 1 and 2 are left to programs that failed or were used wrongly; 10 is kept for histories that
    /// lack their witnesses.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Incomplete => 12,
            Self::Unanchored => 20,
            Self::Diverged => 30,
            Self::Tampered => 40,
            Self::Malformed => 50,
        }
    }
}

impl core::fmt::Display for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.word())
    }
}
