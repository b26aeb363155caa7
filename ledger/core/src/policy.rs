//! What an auditor trusts before looking at any data.
//!
//! Trust must come from outside: a history that vouches for itself proves nothing about the world. A policy pins the
//! genesis, and optionally a head that the history must reach, since nothing inside a truncated directory can tell
//! that it is truncated. It is a small text file, so that people can read it, and its fingerprint covers what it means,
//! not how it is written. `// SPEC 19`
//!
//! ```text
//! # who trusts what, and why
//! waxwing-policy 1
//! genesis 57584745...
//! head 1204 9f86d0...
//! ```

use crate::codec::{Decode, Encode};
use crate::genesis::Genesis;
use crate::hash::Hash;

const FINGERPRINT_CONTEXT: &str = "waxwing v1 policy";

/// A block that a history must contain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinnedHead {
    /// Its height.
    pub height: u64,
    /// Its block id.
    pub id: Hash,
}

/// What is trusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The network's founding facts.
    pub genesis: Genesis,
    /// A block that must be there.
    pub head: Option<PinnedHead>,
}

/// Why a text is no policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PolicyError {
    /// Line number, from 1; 0 if the fault is what is missing.
    pub line: usize,
    /// What is wrong there.
    pub fault: PolicyFault,
}

/// What is wrong with a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyFault {
    /// The first statement is not `waxwing-policy 1`.
    NotAPolicy,
    /// A statement this version does not know: ignoring it could mean to trust too much.
    UnknownStatement,
    /// A statement stands twice.
    Twice,
    /// Not a genesis in hexadecimal.
    BadGenesis,
    /// Not a height and a block id.
    BadHead,
    /// There is no genesis.
    NoGenesis,
}

impl core::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let text = match self.fault {
            PolicyFault::NotAPolicy => "a policy starts with `waxwing-policy 1`",
            PolicyFault::UnknownStatement => "unknown statement (known: waxwing-policy, genesis, head)",
            PolicyFault::Twice => "this statement may stand only once",
            PolicyFault::BadGenesis => "`genesis` takes the hexadecimal bytes of a genesis",
            PolicyFault::BadHead => "`head` takes a height and a block id of 64 hexadecimal digits",
            PolicyFault::NoGenesis => "there is no `genesis` statement",
        };
        if self.line == 0 {
            f.write_str(text)
        } else {
            write!(f, "line {}: {text}", self.line)
        }
    }
}

impl core::error::Error for PolicyError {}

impl Policy {
    /// Reads the text of a policy file.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut genesis = None;
        let mut head = None;
        let mut is_policy = false;
        for (number, line) in text.lines().enumerate() {
            let fail = |fault| {
                Err(PolicyError {
                    line: number + 1,
                    fault,
                })
            };
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(statement) = words.next() else { continue };
            let arguments: Vec<&str> = words.collect();
            match (statement, arguments.as_slice()) {
                ("waxwing-policy", ["1"]) if !is_policy => is_policy = true,
                _ if !is_policy => return fail(PolicyFault::NotAPolicy),
                ("genesis", _) if genesis.is_some() => return fail(PolicyFault::Twice),
                ("head", _) if head.is_some() => return fail(PolicyFault::Twice),
                ("genesis", [hex]) => match parse_genesis(hex) {
                    Some(found) => genesis = Some(found),
                    None => return fail(PolicyFault::BadGenesis),
                },
                ("genesis", _) => return fail(PolicyFault::BadGenesis),
                ("head", words) => match parse_head(words) {
                    Some(found) => head = Some(found),
                    None => return fail(PolicyFault::BadHead),
                },
                _ => return fail(PolicyFault::UnknownStatement),
            }
        }
        let missing = PolicyFault::NoGenesis;
        let genesis = genesis.ok_or(PolicyError {
            line: 0,
            fault: missing,
        })?;
        Ok(Self { genesis, head })
    }

    /// The policy as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let genesis: String = self
            .genesis
            .to_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let head = self
            .head
            .map_or_else(String::new, |head| format!("head {} {}\n", head.height, head.id));
        format!("waxwing-policy 1\ngenesis {genesis}\n{head}")
    }

    /// Names what is trusted; printed in every report.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        Hash(blake3::derive_key(FINGERPRINT_CONTEXT, self.to_text().as_bytes()))
    }
}

fn parse_genesis(hex: &str) -> Option<Genesis> {
    Genesis::from_bytes(&parse_hex(hex)?).ok()
}

fn parse_head(words: &[&str]) -> Option<PinnedHead> {
    let [height, id] = words else { return None };
    let id: [u8; 32] = parse_hex(id)?.try_into().ok()?;
    let is_number = height.bytes().all(|digit| digit.is_ascii_digit());
    let height = height.parse().ok().filter(|_| is_number)?;
    Some(PinnedHead { height, id: Hash(id) })
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis::Parameters;
    use crate::keys::VoteKey;

    fn policy() -> Policy {
        let members = vec![VoteKey::from_seed(&[1; 32]).public()];
        let genesis = Genesis::new("test", 7, Parameters::DEFAULT, members).unwrap();
        Policy {
            genesis,
            head: Some(PinnedHead {
                height: 12,
                id: Hash([3; 32]),
            }),
        }
    }

    #[test]
    fn a_policy_is_read_back_and_its_fingerprint_ignores_how_it_is_written() {
        let policy = policy();
        let text = policy.to_text();
        assert_eq!(Policy::parse(&text).as_ref(), Ok(&policy));
        let commented = format!(
            "# mine\n\n{}",
            text.replace("head", "  head  ").replace('\n', "   # note\n")
        );
        assert_eq!(
            Policy::parse(&commented).map(|read| read.fingerprint()),
            Ok(policy.fingerprint())
        );
        let other = Policy {
            head: None,
            ..policy.clone()
        };
        assert_ne!(other.fingerprint(), policy.fingerprint());
    }

    #[test]
    fn each_broken_policy_names_its_line() {
        let text = policy().to_text();
        let error = |text: &str| Policy::parse(text).unwrap_err();
        let at = |line, fault| PolicyError { line, fault };
        assert_eq!(error("genesis 00"), at(1, PolicyFault::NotAPolicy));
        assert_eq!(error(""), at(0, PolicyFault::NoGenesis));
        assert_eq!(error("waxwing-policy 2\n"), at(1, PolicyFault::NotAPolicy));
        assert_eq!(
            error(&format!("{text}witness x\n")),
            at(4, PolicyFault::UnknownStatement)
        );
        assert_eq!(
            error(&format!("{text}head 1 {}\n", Hash::ZERO)),
            at(4, PolicyFault::Twice)
        );
        assert_eq!(error("waxwing-policy 1\ngenesis 0g"), at(2, PolicyFault::BadGenesis));
        assert_eq!(error("waxwing-policy 1\ngenesis"), at(2, PolicyFault::BadGenesis));
        for height in ["-1", "+12", "1e3"] {
            let odd = text.replace("head 12", &format!("head {height}"));
            assert_eq!(error(&odd), at(3, PolicyFault::BadHead), "{height}");
        }
    }
}
