//! Ids as people read, compare and type them.
//!
//! 64 hexadecimal digits all look alike, and a mistyped one names something else. So an id is written in bech32m with
//! its kind in front (`log1...`, `block1...`): the checksum finds every accident of a few letters, and a block's id
//! given where a log's belongs is refused by name. People see the first 10 bytes, which is enough to tell things apart
//! and to point at them; the full form carries all 32. Input may be full, hexadecimal, or short where what it points at
//! can be looked up.

use core::fmt;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use waxwing_core::Hash;

/// Bytes in the short form: 80 bits, so nobody makes a second thing that shortens to the same by chance.
pub(crate) const SHORT_BYTES: usize = 10;

/// What an id names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A network: the hash of its genesis.
    Network,
    /// A validator's public vote key.
    Validator,
    /// A node's public transport key.
    Node,
    /// A log's public key.
    Log,
    /// A block id.
    Block,
    /// An entry id.
    Entry,
    /// A device's public key.
    Device,
    /// An account: the public half of its root key.
    Account,
    /// A message, by the id inside its encryption.
    Message,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Network => "net",
            Self::Validator => "vote",
            Self::Node => "node",
            Self::Log => "log",
            Self::Block => "block",
            Self::Entry => "entry",
            Self::Device => "device",
            Self::Account => "account",
            Self::Message => "msg",
        }
    }

    fn prefix(self) -> Hrp {
        Hrp::parse_unchecked(self.word())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// All of an id: `net1` and 58 more letters.
pub(crate) fn full(kind: Kind, id: &[u8; 32]) -> String {
    written(kind, id)
}

/// The first 10 bytes of an id, with a checksum of their own.
pub(crate) fn short(kind: Kind, id: &[u8; 32]) -> String {
    written(kind, id.split_at(SHORT_BYTES).0)
}

fn written(kind: Kind, bytes: &[u8]) -> String {
    let (prefix, mut text) = (kind.prefix(), String::new());
    bech32::encode_to_fmt::<Bech32m, String>(&mut text, prefix, bytes)
        .expect("at most 32 bytes fit the code's length, and a String takes every letter");
    text
}

/// An id as somebody typed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Typed {
    /// All of it.
    Full(Hash),
    /// The beginning of it.
    Short([u8; SHORT_BYTES]),
}

impl Typed {
    /// Whether this is, or begins, that id.
    pub(crate) fn names(&self, id: &[u8; 32]) -> bool {
        match self {
            Self::Full(hash) => hash.as_bytes() == id,
            Self::Short(first) => id.starts_with(first),
        }
    }
}

/// Why a text is no id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum IdError {
    /// Another kind of id stands in front.
    OtherKind { wanted: Kind, found: String },
    /// The checksum finds a mistake.
    Mistyped(Kind),
    /// Neither of the forms, or of another length.
    NotAnId(Kind),
    /// The short form, where all of it is needed.
    NeedsFull(Kind),
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKind { wanted, found } => {
                write!(
                    f,
                    "this is an id of kind `{found}`; one that starts with `{wanted}1` is needed"
                )
            }
            Self::Mistyped(kind) => write!(f, "this `{kind}` id is mistyped or cut off: its checksum is wrong"),
            Self::NotAnId(kind) => write!(f, "not an id: give `{kind}1...` or 64 hexadecimal digits"),
            Self::NeedsFull(kind) => {
                write!(
                    f,
                    "all of the `{kind}` id is needed here, not the short form (`-v` prints it)"
                )
            }
        }
    }
}

/// Reads an id in any of its forms.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(kind: Kind, text: &str) -> Result<Typed, IdError> {
    let text = text.trim();
    if text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(Typed::Full(Hash(hex_32(text).ok_or(IdError::NotAnId(kind))?)));
    }
    let Some((prefix, _)) = text.rsplit_once('1') else {
        return Err(IdError::NotAnId(kind));
    };
    let is_word = !prefix.is_empty() && prefix.bytes().all(|letter| letter.is_ascii_alphabetic());
    if !is_word {
        return Err(IdError::NotAnId(kind));
    }
    if !prefix.eq_ignore_ascii_case(kind.word()) {
        return Err(IdError::OtherKind {
            wanted: kind,
            found: prefix.to_lowercase(),
        });
    }
    let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| IdError::Mistyped(kind))?;
    let bytes: Vec<u8> = checked.byte_iter().collect();
    if let Ok(all) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(Typed::Full(Hash(all)));
    }
    <[u8; SHORT_BYTES]>::try_from(bytes.as_slice())
        .map(Typed::Short)
        .map_err(|_| IdError::NotAnId(kind))
}

/// Reads an id of which all is needed.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_full(kind: Kind, text: &str) -> Result<Hash, IdError> {
    match parse(kind, text)? {
        Typed::Full(hash) => Ok(hash),
        Typed::Short(_) => Err(IdError::NeedsFull(kind)),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes from 64 hexadecimal digits.
pub(crate) fn hex_32(text: &str) -> Option<[u8; 32]> {
    from_hex(text)
}

/// 16 bytes from 32 hexadecimal digits.
pub(crate) fn hex_16(text: &str) -> Option<[u8; 16]> {
    from_hex(text)
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// An id in digits, to be read out over the telephone: six groups of five, 99 bits.
///
/// Five bytes a group, modulo 100,000: what Signal does for its safety numbers, so that no group is likelier than
/// another by more than one part in ten million.
pub(crate) fn fingerprint(id: &[u8; 32]) -> String {
    let groups = id.chunks_exact(5).take(6).map(|group| {
        let number = group.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:05}", number % 100_000)
    });
    groups.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 32] = [0xab; 32];

    #[test]
    fn every_form_is_read_back() {
        let full = full(Kind::Log, &ID);
        assert!(full.starts_with("log1") && full.len() == 4 + 52 + 6, "{full}");
        assert_eq!(parse_full(Kind::Log, &full), Ok(Hash(ID)));
        assert_eq!(parse_full(Kind::Log, &full.to_uppercase()), Ok(Hash(ID)));
        assert_eq!(parse_full(Kind::Log, &hex(&ID)), Ok(Hash(ID)));
        let short = short(Kind::Log, &ID);
        assert!(short.len() == 4 + 16 + 6, "{short}");
        let typed = parse(Kind::Log, &short).unwrap();
        assert!(typed.names(&ID) && !typed.names(&[1; 32]));
        assert_eq!(parse_full(Kind::Log, &short), Err(IdError::NeedsFull(Kind::Log)));
    }

    #[test]
    fn any_mistyped_letter_is_found() {
        let text = short(Kind::Entry, &ID);
        for place in 6..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'q' { b'p' } else { b'q' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(
                parse(Kind::Entry, &wrong),
                Err(IdError::Mistyped(Kind::Entry)),
                "{wrong}"
            );
        }
        assert_eq!(
            parse(Kind::Entry, &text[..text.len() - 1]),
            Err(IdError::Mistyped(Kind::Entry))
        );
    }

    #[test]
    fn an_id_of_another_kind_is_refused_by_name() {
        let block = short(Kind::Block, &ID);
        let refused = IdError::OtherKind {
            wanted: Kind::Log,
            found: "block".to_owned(),
        };
        assert_eq!(parse(Kind::Log, &block), Err(refused));
    }

    #[test]
    fn what_is_no_id_is_said_to_be_none() {
        for text in ["", "1", "hello", "0x12", "é1é", "-1-", &"a".repeat(63), &"g".repeat(64)] {
            assert!(matches!(parse(Kind::Log, text), Err(IdError::NotAnId(_))), "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_six_groups_of_five_digits() {
        let text = fingerprint(&ID);
        assert_eq!(text.split(' ').map(str::len).collect::<Vec<_>>(), [5; 6], "{text}");
        assert_ne!(text, fingerprint(&[0xac; 32]));
        assert_eq!(fingerprint(&[0; 32]), "00000 00000 00000 00000 00000 00000");
    }
}
