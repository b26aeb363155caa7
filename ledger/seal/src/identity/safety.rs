//! The safety number: 60 digits, or a code to scan, by which two people make sure that each has the other's account.
//!
//! ```text
//! fingerprint of an account = H(safety number, account)       32 bytes, other ones on every network
//! digits   30 of the lower account, 30 of the higher          both people see the same 60
//! scanned  "WXSN" | version 1 | fingerprint of who shows it | fingerprint of who should scan it | checksum 4
//! ```
//!
//! Whoever wants to stand between two people needs an account with the 30 digits of one of them: 10^30 tries. The code
//! says everything twice over, so it can say more than "no": that it belongs to somebody else, that it is one's own, or
//! that it was not read properly. Only the first of these is a reason to worry. `// SPEC 26.6`

use core::fmt;

use waxwing_core::codec::{CodecError, Decode, Reader};
use waxwing_core::{Hash, HashKeys, Meaning};

use crate::channel::derive;
use crate::identity::account::AccountId;
use crate::identity::emoji::Emoji;

/// Digits of a safety number.
pub const DIGITS: usize = 60;

/// Bytes of the code.
pub const CODE_BYTES: usize = 4 + 1 + 32 + 32 + 4;

const MAGIC: [u8; 4] = *b"WXSN";
const VERSION: u8 = 1;
const CHECKSUM_CONTEXT: &str = "waxwing v1 safety number checksum";

/// Five digits from five bytes: the remainder by 100,000 favours no digit by more than one part in ten million.
const GROUP_BYTES: usize = 5;
const GROUPS: usize = 6;
const GROUP_VALUES: u64 = 100_000;

/// What two accounts compare, as one of them holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber {
    own: Fingerprint,
    other: Fingerprint,
    own_is_first: bool,
}

/// An account on one network.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint(Hash);

impl Fingerprint {
    fn of(hash_keys: &HashKeys, account: AccountId) -> Self {
        Self(hash_keys.hash(Meaning::SafetyNumber, account.as_bytes()))
    }

    fn groups(&self) -> impl Iterator<Item = u64> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let groups = self.0.as_bytes().chunks_exact(GROUP_BYTES).take(GROUPS);
        groups.map(move |bytes| number(bytes) % GROUP_VALUES)
    }
}

impl SafetyNumber {
    /// Of the own account and a contact's.
    #[must_use]
    pub fn new(hash_keys: &HashKeys, own: AccountId, other: AccountId) -> Self {
        Self {
            own: Fingerprint::of(hash_keys, own),
            other: Fingerprint::of(hash_keys, other),
            own_is_first: own <= other,
        }
    }

    /// The 60 digits in twelve groups of five, the same for both people.
    #[must_use]
    pub fn digits(&self) -> String {
        let (first, second) = if self.own_is_first {
            (self.own, self.other)
        } else {
            (self.other, self.own)
        };
        let groups: Vec<String> = first
            .groups()
            .chain(second.groups())
            .map(|group| format!("{group:05}"))
            .collect();
        groups.join(" ")
    }

    /// The same digits in pictures, for two screens side by side: three emoji for each group of five. All of them say as
    /// much as all digits do, so that nothing has to be exchanged first.
    #[must_use]
    pub fn emoji(&self) -> Vec<[Emoji; 3]> {
        let digits = self.digits();
        let number = |group: &str| group.parse().expect("a group is five digits");
        digits.split(' ').map(|group| Emoji::of_number(number(group))).collect()
    }

    /// What to show the contact as a QR code. Theirs is another one.
    #[must_use]
    pub fn code(&self) -> [u8; CODE_BYTES] {
        let mut code = [0; CODE_BYTES];
        let said = said(self.own.0, self.other.0);
        let sum = checksum(&said);
        for (place, byte) in code.iter_mut().zip(said.iter().chain(&sum)) {
            *place = *byte;
        }
        code
    }

    /// What a scanned code means.
    #[must_use]
    pub fn scan(&self, code: &[u8]) -> Scanned {
        match read(code) {
            Ok((shown_by, meant_for)) if (shown_by, meant_for) == (self.other.0, self.own.0) => Scanned::Match,
            Ok((shown_by, meant_for)) if (shown_by, meant_for) == (self.own.0, self.other.0) => Scanned::OwnCode,
            Ok(_) => Scanned::OtherPerson,
            Err(Unread::Newer(version)) => Scanned::Newer(version),
            Err(Unread::Damaged) => Scanned::Damaged,
        }
    }
}

/// The digits can be read aloud, but a debug print is not the place for them.
impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafetyNumber(..)")
    }
}

/// The code without its checksum.
fn said(shown_by: Hash, meant_for: Hash) -> Vec<u8> {
    [&MAGIC[..], &[VERSION], shown_by.as_bytes(), meant_for.as_bytes()].concat()
}

/// Finds accidents, not attacks. Not of one network: a code of another network is whole, and somebody else's.
fn checksum(said: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *derive(CHECKSUM_CONTEXT, &[said]);
    [a, b, c, d]
}

enum Unread {
    Damaged,
    Newer(u8),
}

impl From<CodecError> for Unread {
    fn from(_: CodecError) -> Self {
        Self::Damaged
    }
}

fn read(code: &[u8]) -> Result<(Hash, Hash), Unread> {
    let mut reader = Reader::new(code);
    reader.magic(&MAGIC)?;
    let version = reader.u8()?;
    if version > VERSION {
        return Err(Unread::Newer(version));
    }
    let (shown_by, meant_for) = (Hash::decode(&mut reader)?, Hash::decode(&mut reader)?);
    let sum: [u8; 4] = reader.array()?;
    reader.finish()?;
    if version == VERSION && sum == checksum(&said(shown_by, meant_for)) {
        Ok((shown_by, meant_for))
    } else {
        Err(Unread::Damaged)
    }
}

/// What a scanned code means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scanned {
    /// Both have each other's account.
    Match,
    /// A whole code that belongs to other people or another network, or whose owner has another account for you.
    OtherPerson,
    /// The code that this device shows itself.
    OwnCode,
    /// Not a safety number, or not all of it.
    Damaged,
    /// A safety number of a later version.
    Newer(u8),
}

impl fmt::Display for Scanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match => f.write_str("match: you have each other's account"),
            Self::OtherPerson => f.write_str(
                "no match: this is somebody else's code, or somebody stands between you; do not send anything before you \
                 know which, and compare the 60 digits by voice or in person",
            ),
            Self::OwnCode => f.write_str("this is the code you show yourself: scan the one on the other person's screen"),
            Self::Damaged => f.write_str("the code could not be read: hold still, and scan the whole of it again"),
            Self::Newer(version) => write!(f, "the code is of version {version}: update this program to compare it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: AccountId = AccountId([1; 32]);
    const BOB: AccountId = AccountId([2; 32]);
    const EVE: AccountId = AccountId([3; 32]);

    fn keys(network: u8) -> HashKeys {
        HashKeys::new(Hash([network; 32]))
    }

    fn number(own: AccountId, other: AccountId) -> SafetyNumber {
        SafetyNumber::new(&keys(9), own, other)
    }

    #[test]
    fn both_see_the_same_sixty_digits() {
        let digits = number(ADA, BOB).digits();
        assert_eq!(digits, number(BOB, ADA).digits());
        assert_eq!(digits.chars().filter(char::is_ascii_digit).count(), DIGITS);
        assert!(digits.split(' ').all(|group| group.len() == 5) && digits.split(' ').count() == 12);
    }

    #[test]
    fn emoji_say_what_the_digits_say() {
        let number = number(ADA, BOB);
        let shown = number.emoji();
        let read = shown.iter().map(|[high, middle, low]| {
            let value = [high, middle, low];
            let value = value
                .into_iter()
                .fold(0, |value, one| value << 6 | u64::from(one.number()));
            format!("{value:05}")
        });
        assert_eq!(read.collect::<Vec<_>>().join(" "), number.digits());
        assert_eq!(shown, SafetyNumber::new(&keys(9), BOB, ADA).emoji());
    }

    #[test]
    fn another_account_or_network_has_other_digits() {
        let other_network = SafetyNumber::new(&keys(8), ADA, BOB).digits();
        let mut seen = vec![
            number(ADA, BOB).digits(),
            number(ADA, EVE).digits(),
            number(EVE, BOB).digits(),
            other_network,
        ];
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn each_matches_the_others_code_and_no_other() {
        let ada = number(ADA, BOB);
        assert_eq!(ada.scan(&number(BOB, ADA).code()), Scanned::Match);
        assert_eq!(number(BOB, ADA).scan(&ada.code()), Scanned::Match);
        assert_eq!(ada.scan(&ada.code()), Scanned::OwnCode);
        for (shown_by, meant_for) in [(EVE, ADA), (BOB, EVE), (EVE, BOB), (ADA, EVE), (EVE, EVE)] {
            assert_eq!(ada.scan(&number(shown_by, meant_for).code()), Scanned::OtherPerson);
        }
        let elsewhere = SafetyNumber::new(&keys(8), BOB, ADA).code();
        assert_eq!(ada.scan(&elsewhere), Scanned::OtherPerson);
    }

    #[test]
    fn a_code_read_badly_is_damaged_and_never_a_match_or_a_stranger() {
        let (ada, code) = (number(ADA, BOB), number(BOB, ADA).code());
        for length in 0..code.len() {
            assert_eq!(ada.scan(&code[..length]), Scanned::Damaged, "{length}");
        }
        assert_eq!(ada.scan(&[&code[..], &[0]].concat()), Scanned::Damaged);
        for bit in 0..code.len() * 8 {
            let mut other = code;
            other[bit / 8] ^= 1 << (bit % 8);
            let is_version = bit / 8 == 4;
            match ada.scan(&other) {
                Scanned::Damaged => {}
                Scanned::Newer(version) => assert!(is_version && version > 1),
                wrong => panic!("bit {bit}: {wrong:?}"),
            }
        }
    }

    #[test]
    fn debug_output_shows_no_digits() {
        assert_eq!(format!("{:?}", number(ADA, BOB)), "SafetyNumber(..)");
    }
}
