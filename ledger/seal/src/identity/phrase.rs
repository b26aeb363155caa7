//! The 24 words: an account on paper.
//!
//! Words, checksum and order are those of BIP-39 with the English list, which people and steel plates already know: 256
//! random bits, 8 bits of checksum, 11 bits a word. The bits themselves are hashed into the root key ([`AccountKey`]);
//! the slow hash that BIP-39 puts behind short phrases would add nothing to 256 bits.
//!
//! Words are read in either case and with any white space between them. What is refused says what is wrong with it and
//! what to do, and never repeats what was typed: errors reach logs, and a mistyped word is most of a true one.
//! `// SPEC 26.1`

use core::fmt;

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use crate::identity::account::AccountKey;
use crate::limits::PHRASE_BYTES_MAX;
use crate::{Chance, draw};

/// Words of a phrase: 256 bits and their checksum.
pub const WORDS: usize = 24;

/// Letters that tell any two words of the list apart.
const TELLING_LETTERS: usize = 4;

/// The 24 words. Whoever has them is the account. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Phrase(Mnemonic);

impl Phrase {
    /// A new account's words.
    #[must_use]
    pub fn random(chance: &mut Chance<'_>) -> Self {
        Self::from_entropy(&Zeroizing::new(draw(chance)))
    }

    /// The words for 256 bits.
    ///
    /// # Panics
    /// Never: 256 bits are a length that has words.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self(Mnemonic::from_entropy_in(Language::English, entropy).expect("256 bits are a length that has words"))
    }

    /// Reads what somebody typed.
    ///
    /// # Errors
    /// With the number of the first word that is not on the list, or what else is wrong.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        if text.len() > PHRASE_BYTES_MAX {
            return Err(PhraseError::TooLong);
        }
        let text = Zeroizing::new(text.to_lowercase());
        let found = text.split_whitespace().count();
        if found != WORDS {
            return Err(PhraseError::WrongCount { found });
        }
        Mnemonic::parse_in_normalized(Language::English, &text)
            .map(Self)
            .map_err(|error| match error {
                bip39::Error::UnknownWord(index) => PhraseError::UnknownWord { position: index + 1 },
                _ => PhraseError::WrongChecksum,
            })
    }

    /// The words in order, to be written down.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.words()
    }

    /// The 256 bits behind the words; wiped when dropped.
    ///
    /// # Panics
    /// Never: 24 words stand for 32 bytes.
    #[must_use]
    pub fn entropy(&self) -> Zeroizing<[u8; 32]> {
        let (bytes, _) = self.0.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        Zeroizing::new(*bytes.first_chunk().expect("24 words stand for 32 bytes"))
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> AccountKey {
        AccountKey::from_entropy(&self.entropy())
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase(..)")
    }
}

/// The words of the list that start like this one: what a screen offers while somebody types. Nothing for an empty
/// beginning, and at most a screenful.
pub fn words_like(beginning: &str) -> impl Iterator<Item = &'static str> {
    let beginning = Zeroizing::new(beginning.trim().to_lowercase());
    let beginning: Zeroizing<String> = Zeroizing::new(beginning.chars().take(TELLING_LETTERS).collect());
    Language::English
        .word_list()
        .iter()
        .copied()
        .filter(move |word| !beginning.is_empty() && word.starts_with(beginning.as_str()))
        .take(8)
}

/// Why a text is not a phrase. Says nothing of what was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhraseError {
    /// Far longer than 24 words.
    TooLong,
    /// Another number of words than 24.
    WrongCount {
        /// How many there are.
        found: usize,
    },
    /// A word that is not on the list.
    UnknownWord {
        /// Which one, counted from 1.
        position: usize,
    },
    /// Words of the list that do not belong together.
    WrongChecksum,
}

impl fmt::Display for PhraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "this is no phrase: type the {WORDS} words and nothing else"),
            Self::WrongCount { found } if *found < WORDS => write!(
                f,
                "the phrase has {found} of its {WORDS} words: type all of them, in order, with spaces between them"
            ),
            Self::WrongCount { found } => write!(
                f,
                "the phrase has {found} words instead of {WORDS}: look for a word typed twice or broken in two"
            ),
            Self::UnknownWord { position } => write!(
                f,
                "word {position} is not on the list: compare it with your paper letter by letter (words differ in their \
                 first {TELLING_LETTERS} letters)"
            ),
            Self::WrongChecksum => f.write_str(
                "every word is on the list, but together they are no phrase: one is another word of the list or in \
                 another place; compare each with your paper, in order",
            ),
        }
    }
}

impl core::error::Error for PhraseError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(phrase: &Phrase) -> String {
        phrase.words().collect::<Vec<_>>().join(" ")
    }

    /// From the vectors of BIP-39 itself (trezor/python-mnemonic, vectors.json).
    #[test]
    fn the_words_are_those_of_the_standard() {
        let vectors = [
            (0x00, format!("{}art", "abandon ".repeat(23))),
            (
                0x7f,
                format!(
                    "{}legal winner thank year wave sausage worth title",
                    "legal winner thank year wave sausage worth useful ".repeat(2)
                ),
            ),
            (
                0x80,
                format!(
                    "{}letter advice cage absurd amount doctor acoustic bless",
                    "letter advice cage absurd amount doctor acoustic avoid ".repeat(2)
                ),
            ),
            (0xff, format!("{}vote", "zoo ".repeat(23))),
        ];
        for (byte, words) in vectors {
            let phrase = Phrase::from_entropy(&[byte; 32]);
            assert_eq!(shown(&phrase), words);
            assert_eq!(Phrase::parse(&words).as_ref(), Ok(&phrase));
            assert_eq!(*phrase.entropy(), [byte; 32]);
        }
    }

    #[test]
    fn case_and_white_space_do_not_matter() {
        let phrase = Phrase::random(&mut |bytes| bytes.fill(0x5a));
        let typed = format!("  {}\n", shown(&phrase).to_uppercase().replace(' ', " \t\n "));
        assert_eq!(Phrase::parse(&typed), Ok(phrase));
    }

    #[test]
    fn a_wrong_count_an_unknown_word_and_a_wrong_checksum_are_refused_each_with_its_advice() {
        let words = shown(&Phrase::from_entropy(&[7; 32]));
        let refused = |typed: &str| Phrase::parse(typed).unwrap_err();
        let (rest, _) = words.rsplit_once(' ').unwrap();
        assert_eq!(refused(rest), PhraseError::WrongCount { found: 23 });
        assert_eq!(refused(""), PhraseError::WrongCount { found: 0 });
        assert_eq!(refused(&format!("{words} zoo")), PhraseError::WrongCount { found: 25 });
        assert!(refused(rest).to_string().contains("23 of its 24 words"));
        let list: Vec<&str> = words.split(' ').collect();
        let with = |place: usize, word| {
            let mut other = list.clone();
            other[place] = word;
            other.join(" ")
        };
        assert_eq!(refused(&with(6, "zooo")), PhraseError::UnknownWord { position: 7 });
        assert!(
            refused(&with(6, "zooo"))
                .to_string()
                .starts_with("word 7 is not on the list")
        );
        assert!(
            !refused(&with(6, "zooo")).to_string().contains("zooo"),
            "errors reach logs"
        );
        assert_eq!(refused(&with(23, "zoo")), PhraseError::WrongChecksum);
        assert_eq!(refused(&"a ".repeat(10_000)), PhraseError::TooLong);
    }

    #[test]
    fn one_wrong_word_of_the_list_is_noticed_255_times_in_256() {
        let words = shown(&Phrase::from_entropy(&[9; 32]));
        let (_, rest) = words.split_once(' ').unwrap();
        let accepted = Language::English
            .word_list()
            .iter()
            .filter(|word| Phrase::parse(&format!("{word} {rest}")).is_ok())
            .count();
        assert!((1..=24).contains(&accepted), "8 of 2048 on average, not {accepted}");
    }

    #[test]
    fn four_letters_are_enough_to_find_a_word() {
        assert_eq!(words_like("saus").collect::<Vec<_>>(), ["sausage"]);
        assert_eq!(words_like("Sausages").collect::<Vec<_>>(), ["sausage"]);
        assert_eq!(words_like("zo").collect::<Vec<_>>(), ["zone", "zoo"]);
        assert_eq!(words_like("").count(), 0);
        assert_eq!(words_like("qqqq").count(), 0);
    }

    #[test]
    fn debug_output_shows_no_word() {
        assert_eq!(format!("{:?}", Phrase::from_entropy(&[0xff; 32])), "Phrase(..)");
    }
}
