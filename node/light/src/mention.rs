//! Mentions: whom an `@name` means, looked up once, by whoever writes it.
//!
//! A name is what somebody claims, and two people may claim one. So a name that is typed behind an `@` is compared with the
//! names of those who have written in the conversation, and means one of them only if no other one could be meant, not even
//! at a glance: where names are equal or look alike, nothing is sent and both are named with their devices. Which one was
//! meant is then said by the beginning of the device: `@bob/1a2b3c`. In a group a person is meant, whichever of their devices
//! the name came from; where everybody with the link is in, nobody knows whose a device is, and the device is.
//!
//! ```text
//! "hi @Bob!"  ──names of authors──> "hi @Bob!", bytes 3 to 7 mean device 1a2b…     sealed so
//!             ──nobody is called so──> words like any others
//! ```

use serde::Serialize;
use waxwing_seal::Kind;
use waxwing_seal::content::{Meant, Mention, Words};
use waxwing_seal::display::{display_safe_name, look_alike};

use crate::error::{Error, NotSaid};
use crate::groups::{self, names};
use crate::limits::MENTION_DIGITS;
use crate::message::ChannelId;
use crate::store::members::{self, Member};
use crate::store::unread::Me;
use crate::store::{StoreError, Transaction};

/// Somebody who is meant by a part of a text.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct MentionView {
    /// The first character of the part, and the one behind its last, counted in Unicode characters of the text.
    pub begin: usize,
    /// The character behind it.
    pub end: usize,
    /// The device that is meant, or else
    pub device: Option<String>,
    /// the account.
    pub account: Option<String>,
    /// What the one who is meant is called here; none for somebody who has not written. Hostile, like every name.
    pub name: Option<String>,
    /// Whether this device or its person is meant.
    pub me: bool,
}

/// Never a name.
impl core::fmt::Debug for MentionView {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "MentionView({}..{}, me: {})", self.begin, self.end, self.me)
    }
}

/// Somebody whom a typed name could mean.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it calls itself.
    pub name: String,
    /// Its device.
    pub device: String,
}

/// Never a name: errors reach log lines.
impl core::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Candidate({})", self.device)
    }
}

impl core::fmt::Display for Candidate {
    /// As it can be typed.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let digits = self.device.get(..MENTION_DIGITS).unwrap_or(&self.device);
        write!(f, "@{}/{digits}", display_safe_name(&self.name))
    }
}

/// Whom the words mean, by the names that this home knows them by.
pub(crate) fn views(tx: &Transaction<'_>, channel: ChannelId, words: &Words) -> Result<Vec<MentionView>, StoreError> {
    if words.mentions().is_empty() {
        return Ok(Vec::new());
    }
    let (known, me) = (members::all(tx, channel)?, Me::of(tx)?);
    let text = words.as_str();
    let characters = |end: usize| text.get(..end).map_or(0, |before| before.chars().count());
    let view = |mention: &Mention| {
        let (device, account) = match mention.who {
            Meant::Device(device) => (Some(device), None),
            Meant::Account(account) => (None, Some(account)),
        };
        let name = match mention.who {
            Meant::Device(device) => {
                let member = known.iter().find(|member| member.device == device);
                member.map(|member| member.name.clone())
            }
            Meant::Account(account) => names::of_person(tx, channel, account)?,
        };
        Ok(MentionView {
            begin: characters(mention.range().start),
            end: characters(mention.range().end),
            device: device.map(|device| device.to_string()),
            account: account.map(|account| account.to_string()),
            name: name.filter(|name| !name.is_empty()),
            me: me.is(mention.who),
        })
    };
    words.mentions().iter().map(view).collect()
}

/// Looks up whom the words of a content mean, unless that was said already.
pub(crate) fn resolve(tx: &Transaction<'_>, channel: ChannelId, kind: Kind) -> Result<Kind, Error> {
    let resolved = |words: Words| -> Result<Words, Error> {
        if !words.mentions().is_empty() || !words.as_str().contains('@') {
            return Ok(words);
        }
        looked_up(words.as_str(), &known(tx, channel)?)
    };
    Ok(match kind {
        Kind::Text(words) => Kind::Text(resolved(words)?),
        Kind::Reply { to, body } => Kind::Reply {
            to,
            body: resolved(body)?,
        },
        Kind::Edit { of, body } => Kind::Edit {
            of,
            body: resolved(body)?,
        },
        other => other,
    })
}

/// Those who have written here, with their accounts where the group knows them.
fn known(tx: &Transaction<'_>, channel: ChannelId) -> Result<Vec<Member>, StoreError> {
    let (mut known, accounts) = (members::all(tx, channel)?, groups::accounts(tx, channel)?);
    for member in &mut known {
        member.account = accounts.get(&member.device).copied();
    }
    Ok(known)
}

/// Who is meant by a name: the person, with all their devices; the device alone where nobody knows whose it is.
const fn person(member: &Member) -> Meant {
    match member.account {
        Some(account) => Meant::Account(account),
        None => Meant::Device(member.device),
    }
}

fn looked_up(text: &str, known: &[Member]) -> Result<Words, Error> {
    let (mut out, mut mentions) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let found = match out.chars().next_back() {
            // `ada@example.org` is an address.
            Some(last) if last.is_alphanumeric() => None,
            _ => meant(from, known)?,
        };
        match found {
            Some(found) => {
                mentions.push(Mention {
                    begin: length(&out)?,
                    length: length(found.shown)?,
                    who: person(found.member),
                });
                out.push_str(found.shown);
                rest = from.get(found.typed..).unwrap_or_default();
            }
            None => {
                out.push('@');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    Words::new(out)?
        .meaning(mentions)
        .ok_or_else(|| NotSaid::TooManyMentions.into())
}

fn length(text: &str) -> Result<u32, Error> {
    u32::try_from(text.len()).map_err(|_| NotSaid::TooManyMentions.into())
}

/// What stands behind an `@`.
struct Found<'a> {
    member: &'a Member,
    /// The part that stays in the text: the `@` and the name.
    shown: &'a str,
    /// Bytes that were typed for it: a device may have been named behind the name.
    typed: usize,
}

/// Whom a text that begins with `@` means at its beginning: the longest name that fits.
fn meant<'a>(from: &'a str, known: &'a [Member]) -> Result<Option<Found<'a>>, Error> {
    let behind = from.get(1..).unwrap_or_default();
    let fits = |member: &&Member| typed_as(behind, &member.name).is_some();
    let longest = known
        .iter()
        .filter(fits)
        .max_by_key(|member| member.name.chars().count());
    let Some(longest) = longest else { return Ok(None) };
    let Some(typed) = typed_as(behind, &longest.name) else {
        return Ok(None);
    };
    // Everybody whom these letters could mean, or seem to mean.
    let could = |member: &&Member| !member.name.is_empty() && look_alike(typed, &member.name);
    let candidates: Vec<&Member> = known.iter().filter(could).collect();
    let shown = from.get(..1 + typed.len()).unwrap_or(from);
    if let Some((member, digits)) = named(behind.get(typed.len()..).unwrap_or_default(), &candidates) {
        return Ok(Some(Found {
            member,
            shown,
            typed: shown.len() + 1 + digits,
        }));
    }
    match candidates.as_slice() {
        // Several devices of one person are one who is meant.
        [member, others @ ..]
            if others.iter().all(|other| person(other) == person(member))
                && candidates
                    .iter()
                    .any(|one| one.name.to_lowercase() == typed.to_lowercase()) =>
        {
            Ok(Some(Found {
                member,
                shown,
                typed: shown.len(),
            }))
        }
        _ => Err(Error::Ambiguous(candidates.into_iter().map(candidate).collect())),
    }
}

fn candidate(member: &Member) -> Candidate {
    Candidate {
        name: member.name.clone(),
        device: member.device.to_string(),
    }
}

/// The beginning of a text that can be taken for a name, if the name ends there.
fn typed_as<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    if name.trim().is_empty() {
        return None;
    }
    let letters = name.chars().count();
    let end = text.char_indices().nth(letters).map_or(text.len(), |(end, _)| end);
    let (typed, behind) = text.split_at_checked(end)?;
    let goes_on = behind.chars().next().is_some_and(char::is_alphanumeric);
    (typed.chars().count() == letters && !goes_on && look_alike(typed, name)).then_some(typed)
}

/// The only one of the candidates whose device begins with the digits behind a `/`, and how many there are.
fn named<'a>(behind: &str, candidates: &[&'a Member]) -> Option<(&'a Member, usize)> {
    let typed = behind.strip_prefix('/')?;
    let digits: String = typed.chars().take_while(char::is_ascii_hexdigit).collect();
    if digits.len() < MENTION_DIGITS {
        return None;
    }
    let wanted = digits.to_ascii_lowercase();
    let mut found = candidates
        .iter()
        .filter(|member| member.device.to_string().starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(only), None) => Some((only, digits.len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use waxwing_seal::DeviceId;

    use super::*;

    fn known(names: &[(u8, &str)]) -> Vec<Member> {
        let member = |(device, name): &(u8, &str)| Member::called(DeviceId([*device; 32]), name);
        names.iter().map(member).collect()
    }

    /// The words that go out, and which part means whom.
    fn out(text: &str, names: &[(u8, &str)]) -> (String, Vec<(String, u8)>) {
        let words = looked_up(text, &known(names)).unwrap();
        let part = |mention: &Mention| {
            let Meant::Device(device) = mention.who else {
                panic!("only devices are known");
            };
            (words.as_str()[mention.range()].to_owned(), device.0[0])
        };
        (words.as_str().to_owned(), words.mentions().iter().map(part).collect())
    }

    fn ambiguous(text: &str, names: &[(u8, &str)]) -> Vec<String> {
        match looked_up(text, &known(names)) {
            Err(Error::Ambiguous(candidates)) => candidates.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_behind_an_at_means_who_is_called_so_whatever_stands_around() {
        let names = [(1, "Ada"), (2, "Ada Lovelace"), (3, "Bén 🐦")];
        let cases = [
            ("hi @Ada!", vec![("@Ada", 1)]),
            (
                "@ada, @Ada Lovelace and @bén 🐦.",
                vec![("@ada", 1), ("@Ada Lovelace", 2), ("@bén 🐦", 3)],
            ),
            ("(@Ada)", vec![("@Ada", 1)]),
            ("@@Ada", vec![("@Ada", 1)]),
        ];
        for (text, meant) in cases {
            let meant: Vec<_> = meant
                .into_iter()
                .map(|(part, device)| (part.to_owned(), device))
                .collect();
            assert_eq!(out(text, &names), (text.to_owned(), meant), "{text}");
        }
    }

    #[test]
    fn an_at_before_anything_else_means_nobody() {
        for text in ["ada@Ada.example", "@", "@Adalbert", "@nobody", "a @ b", "@Ad", "ü@Ada"] {
            assert_eq!(out(text, &[(1, "Ada"), (2, "")]), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn of_two_who_could_be_meant_neither_is_and_both_are_named() {
        let same = [(0x1a, "bob"), (0x2b, "Bob")];
        assert_eq!(ambiguous("hi @bob", &same), ["@bob/1a1a1a", "@Bob/2b2b2b"]);
        let alike = [(0x1a, "bob"), (0x2b, "b\u{043e}b")];
        assert_eq!(ambiguous("hi @bob", &alike), ["@bob/1a1a1a", "@b\u{043e}b/2b2b2b"]);
        assert_eq!(
            ambiguous("hi @b\u{043e}b", &[(0x1a, "bob")]),
            ["@bob/1a1a1a"],
            "looks so and is not"
        );
    }

    #[test]
    fn a_device_behind_the_name_says_which_one_is_meant_and_is_not_sent() {
        let alike = [(0x1a, "bob"), (0x2b, "b\u{043e}b")];
        let expected = ("hi @bob, you".to_owned(), vec![("@bob".to_owned(), 0x2b)]);
        assert_eq!(out("hi @bob/2b2b2b, you", &alike), expected);
        assert_eq!(ambiguous("hi @bob/2b", &alike).len(), 2, "too few digits");
        assert_eq!(ambiguous("hi @bob/3c3c3c", &alike).len(), 2, "nobody's");
        assert_eq!(
            out("@bob/x", &[(0x1a, "bob")]),
            ("@bob/x".to_owned(), vec![("@bob".to_owned(), 0x1a)])
        );
    }

    #[test]
    fn several_devices_of_one_person_are_one_who_is_meant() {
        let of = |device: u8, account: u8, name: &str| {
            let mut member = Member::called(DeviceId([device; 32]), name);
            member.account = Some(waxwing_seal::identity::AccountId([account; 32]));
            member
        };
        let who = |text: &str, known: &[Member]| {
            let words = looked_up(text, known)?;
            Ok::<_, Error>(words.mentions().iter().map(|mention| mention.who).collect::<Vec<_>>())
        };
        let bob = Meant::Account(waxwing_seal::identity::AccountId([7; 32]));
        let devices = [of(1, 7, "bob"), of(2, 7, "Bob")];
        assert_eq!(who("hi @bob", &devices), Ok(vec![bob]));
        assert_eq!(
            who("hi @bob/020202", &devices),
            Ok(vec![bob]),
            "the device says which person"
        );
        let two = [of(1, 7, "bob"), of(2, 8, "Bob")];
        assert!(matches!(who("hi @bob", &two), Err(Error::Ambiguous(_))));
        assert_eq!(who("hi @bob/010101", &two), Ok(vec![bob]));
    }

    #[test]
    fn more_than_a_crowd_is_not_meant_at_once() {
        let text = "@bob ".repeat(65);
        let refused = looked_up(&text, &known(&[(1, "bob")]));
        assert_eq!(refused, Err(NotSaid::TooManyMentions.into()));
    }

    #[test]
    fn no_name_reaches_a_log_line() {
        let error = looked_up("@bob", &known(&[(1, "bob"), (2, "bob")])).unwrap_err();
        assert!(!format!("{error:?}").contains("bob"));
        assert!(error.to_string().contains("@bob/010101"));
    }
}
