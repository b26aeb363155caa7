//! What kind of file somebody has given: whoever mixes two up is told which command reads the one he has.
//!
//! A kind is known by its first bytes without the version, so that a file of a later version is still called by its name.

use core::fmt;

/// A kind of file that people keep and send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// That an entry is final, and where.
    Receipt,
    /// That validators signed what excludes each other.
    Evidence,
    /// A whole history.
    Bundle,
    /// A network's founding facts.
    Genesis,
    /// A change of the committee.
    Change,
    /// What an auditor trusts.
    Policy,
}

/// The first bytes of a file that are enough to know its kind: a policy may begin with comments.
pub const KIND_BYTES: usize = 4096;

const BEGINNINGS: [(&[u8], FileKind); 5] = [
    (b"WXRECLA", FileKind::Receipt),
    (b"WXEVIDN", FileKind::Evidence),
    (b"WXBUNDL", FileKind::Bundle),
    (b"WXGENES", FileKind::Genesis),
    (b"WXCHANG", FileKind::Change),
];

impl FileKind {
    /// The kind of a file that begins so; `None` for what is none of them. That the rest of it can be read is not said.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let found = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning));
        match found {
            Some((_, kind)) => Some(*kind),
            None => is_policy(bytes).then_some(Self::Policy),
        }
    }

    /// What reads such a file.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Receipt => "check it with `waxwing-verify` or `waxwing audit receipt`",
            Self::Evidence => {
                "check it with `waxwing-verify`, or hold it against a history with `waxwing audit compare FILE DIR`"
            }
            Self::Bundle => "audit it with `waxwing audit run`",
            Self::Genesis => {
                "show it with `waxwing network show`, or make a policy of it with `waxwing audit policy new`"
            }
            Self::Change => "the operators of validators sign it with `waxwing network committee sign`",
            Self::Policy => "give it with --policy, beside what it is to be held against",
        }
    }
}

fn is_policy(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes.get(..KIND_BYTES).unwrap_or(bytes));
    let mut statements = text.lines().map(str::trim);
    let first = statements.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with("waxwing-policy"))
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receipt => "a receipt",
            Self::Evidence => "evidence",
            Self::Bundle => "a bundle, a whole history",
            Self::Genesis => "a genesis",
            Self::Change => "a change of a committee",
            Self::Policy => "a policy",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::change::CHANGE_MAGIC;
    use waxwing_core::evidence_file::EVIDENCE_FILE_MAGIC;
    use waxwing_core::genesis::GENESIS_MAGIC;
    use waxwing_core::receipt_file::RECEIPT_FILE_MAGIC;

    #[test]
    fn kinds_are_known_by_their_magics_and_nothing_else_is() {
        for (magic, kind) in [
            (RECEIPT_FILE_MAGIC, FileKind::Receipt),
            (EVIDENCE_FILE_MAGIC, FileKind::Evidence),
            (GENESIS_MAGIC, FileKind::Genesis),
            (CHANGE_MAGIC, FileKind::Change),
        ] {
            assert_eq!(FileKind::of(&[&magic[..], b"rest"].concat()), Some(kind));
            assert_eq!(FileKind::of(&magic[..6]), None);
        }
        for policy in [&b"waxwing-policy 1\ngenesis 5758"[..], b"# trusted\n\nwaxwing-policy 1"] {
            assert_eq!(FileKind::of(policy), Some(FileKind::Policy));
        }
        for other in [&b""[..], b"\x7fELF\x02", b"hello", b" WXGENES\x01", b"# only\n"] {
            assert_eq!(FileKind::of(other), None);
        }
    }
}
