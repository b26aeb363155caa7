//! Seven emoji: comparing by looking at two screens at once.
//!
//! Sixty digits can be worked out from the accounts alone, because nobody can find an account with the digits of
//! another. Seven emoji cannot: they are 42 bits, and whoever stands between two people may try keys on both sides until
//! the emoji agree, which takes 2^21 tries, seconds. So the emoji come from the accounts *and* from two fresh numbers, one
//! of each device, and whoever begins is committed to his before he sees the other's:
//!
//! ```text
//! Ada                                        Bob
//! begin    commitment = H(her number)  ───>  answer
//!                                      <───  his number
//! reveal   her number                  ───>  does it hash to the commitment?
//! seven emoji = H(accounts, her number, his number)         the same on both screens, and asked for at once
//! ```
//!
//! Somebody in between now has one try at 2^42 for each time that two people compare. A number is never used twice: each
//! step takes the one before it. The picture of the message is that of Matrix; so are the emoji and the way from bits to
//! them, because people know them already. `// SPEC 26.7`

use core::fmt;

use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::{Hash, HashKeys, Meaning};

use crate::identity::account::AccountId;
use crate::{Chance, draw};

/// Emoji of one comparison.
pub const SHOWN: usize = 7;

/// Bits of an emoji's number.
const BITS: u32 = 6;

/// An emoji and its name, to be read aloud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Emoji {
    number: u8,
    picture: &'static str,
    name: &'static str,
}

impl Emoji {
    /// The emoji that stand for a number of 18 bits, the highest six first.
    pub(crate) fn of_number(number: u64) -> [Self; 3] {
        [12, 6, 0].map(|shift| {
            let number = u8::try_from(number >> shift & 0x3f).expect("six bits are a byte");
            Self::numbered(number)
        })
    }

    fn numbered(number: u8) -> Self {
        let (picture, name) = LIST.get(usize::from(number)).expect("the list has 2^6 emoji");
        Self { number, picture, name }
    }

    /// Its number on the list.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The emoji itself.
    #[must_use]
    pub const fn picture(&self) -> &'static str {
        self.picture
    }

    /// Its English name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.picture, self.name)
    }
}

/// A device's fresh number, as it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Number([u8; 32]);

/// Until it is revealed it is a secret.
impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(..)")
    }
}

/// The hash of a number that is still to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commitment(Hash);

impl Encode for Number {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for Number {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(Self)
    }
}

impl Encode for Commitment {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Commitment {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.hash().map(Self)
    }
}

/// The two who compare: who began, and who answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pair {
    began: AccountId,
    answers: AccountId,
}

impl Pair {
    fn commitment(&self, hash_keys: &HashKeys, number: Number) -> Commitment {
        let bytes = [self.began.0, self.answers.0, number.0].concat();
        Commitment(hash_keys.hash(Meaning::ComparisonCommitment, &bytes))
    }

    fn emoji(&self, hash_keys: &HashKeys, first: Number, second: Number) -> [Emoji; SHOWN] {
        let bytes = [self.began.0, self.answers.0, first.0, second.0].concat();
        emoji_of(hash_keys.hash(Meaning::Comparison, &bytes))
    }
}

/// The first 42 bits, six for each.
fn emoji_of(hash: Hash) -> [Emoji; SHOWN] {
    let [a, b, c, d, e, f, ..] = hash.0;
    let bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let mut shift = 48;
    [(); SHOWN].map(|()| {
        shift -= BITS;
        Emoji::numbered(u8::try_from(bits >> shift & 0x3f).expect("six bits are a byte"))
    })
}

/// Whoever began, until the other has answered.
#[derive(Debug)]
pub struct Begun {
    pair: Pair,
    number: Number,
}

impl Begun {
    /// Begins a comparison; the commitment is sent.
    #[must_use]
    pub fn new(hash_keys: &HashKeys, own: AccountId, other: AccountId, chance: &mut Chance<'_>) -> (Self, Commitment) {
        let pair = Pair {
            began: own,
            answers: other,
        };
        let number = Number(draw(chance));
        (Self { pair, number }, pair.commitment(hash_keys, number))
    }

    /// The other has answered: the own number, which is sent now and not before, and the emoji to show.
    #[must_use]
    pub fn answered(self, hash_keys: &HashKeys, answer: Number) -> (Number, [Emoji; SHOWN]) {
        (self.number, self.pair.emoji(hash_keys, self.number, answer))
    }
}

/// Whoever answers, until the other has revealed.
#[derive(Debug)]
pub struct Answered {
    pair: Pair,
    commitment: Commitment,
    number: Number,
}

impl Answered {
    /// Answers a comparison that the other began; the number is sent.
    #[must_use]
    pub fn new(own: AccountId, other: AccountId, commitment: Commitment, chance: &mut Chance<'_>) -> (Self, Number) {
        let number = Number(draw(chance));
        let answered = Self {
            pair: Pair {
                began: other,
                answers: own,
            },
            commitment,
            number,
        };
        (answered, number)
    }

    /// The other has revealed: the emoji to show.
    ///
    /// # Errors
    /// If it is not the number that the other was committed to: somebody tried again. Nothing is shown.
    pub fn revealed(self, hash_keys: &HashKeys, revealed: Number) -> Result<[Emoji; SHOWN], BrokenCommitment> {
        if self.pair.commitment(hash_keys, revealed) != self.commitment {
            return Err(BrokenCommitment);
        }
        Ok(self.pair.emoji(hash_keys, revealed, self.number))
    }
}

/// The number revealed is not the one that was promised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokenCommitment;

impl fmt::Display for BrokenCommitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no emoji: the other side changed its number on the way; compare the 60 digits instead")
    }
}

impl core::error::Error for BrokenCommitment {}

/// The list of the Matrix specification (client-server API, "SAS method: emoji"; `data-definitions/sas-emoji.json` in
/// matrix-org/matrix-spec), with its English names: 64 emoji that are told apart at a glance, on every system, in every
/// colour vision, and by a word. The order is part of the format.
const LIST: [(&str, &str); 1 << BITS] = [
    ("🐶", "Dog"),
    ("🐱", "Cat"),
    ("🦁", "Lion"),
    ("🐎", "Horse"),
    ("🦄", "Unicorn"),
    ("🐷", "Pig"),
    ("🐘", "Elephant"),
    ("🐰", "Rabbit"),
    ("🐼", "Panda"),
    ("🐓", "Rooster"),
    ("🐧", "Penguin"),
    ("🐢", "Turtle"),
    ("🐟", "Fish"),
    ("🐙", "Octopus"),
    ("🦋", "Butterfly"),
    ("🌷", "Flower"),
    ("🌳", "Tree"),
    ("🌵", "Cactus"),
    ("🍄", "Mushroom"),
    ("🌏", "Globe"),
    ("🌙", "Moon"),
    ("☁\u{fe0f}", "Cloud"),
    ("🔥", "Fire"),
    ("🍌", "Banana"),
    ("🍎", "Apple"),
    ("🍓", "Strawberry"),
    ("🌽", "Corn"),
    ("🍕", "Pizza"),
    ("🎂", "Cake"),
    ("❤\u{fe0f}", "Heart"),
    ("😀", "Smiley"),
    ("🤖", "Robot"),
    ("🎩", "Hat"),
    ("👓", "Glasses"),
    ("🔧", "Spanner"),
    ("🎅", "Santa"),
    ("👍", "Thumbs Up"),
    ("☂\u{fe0f}", "Umbrella"),
    ("⌛", "Hourglass"),
    ("⏰", "Clock"),
    ("🎁", "Gift"),
    ("💡", "Light Bulb"),
    ("📕", "Book"),
    ("✏\u{fe0f}", "Pencil"),
    ("📎", "Paperclip"),
    ("✂\u{fe0f}", "Scissors"),
    ("🔒", "Lock"),
    ("🔑", "Key"),
    ("🔨", "Hammer"),
    ("☎\u{fe0f}", "Telephone"),
    ("🏁", "Flag"),
    ("🚂", "Train"),
    ("🚲", "Bicycle"),
    ("✈\u{fe0f}", "Aeroplane"),
    ("🚀", "Rocket"),
    ("🏆", "Trophy"),
    ("⚽", "Ball"),
    ("🎸", "Guitar"),
    ("🎺", "Trumpet"),
    ("🔔", "Bell"),
    ("⚓", "Anchor"),
    ("🎧", "Headphones"),
    ("📁", "Folder"),
    ("📌", "Pin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: AccountId = AccountId([1; 32]);
    const BOB: AccountId = AccountId([2; 32]);

    fn keys(network: u8) -> HashKeys {
        HashKeys::new(Hash([network; 32]))
    }

    /// Ada begins, Bob answers; what each sees.
    fn compare(ada_sees: (AccountId, AccountId), bob_sees: (AccountId, AccountId), networks: (u8, u8)) -> [Vec<u8>; 2] {
        let (begun, commitment) = Begun::new(&keys(networks.0), ada_sees.0, ada_sees.1, &mut |bytes| bytes.fill(7));
        let (answered, answer) = Answered::new(bob_sees.0, bob_sees.1, commitment, &mut |bytes| bytes.fill(8));
        let (revealed, on_hers) = begun.answered(&keys(networks.0), answer);
        let on_his = answered.revealed(&keys(networks.1), revealed);
        let numbers = |emoji: &[Emoji]| emoji.iter().map(Emoji::number).collect();
        [numbers(&on_hers), on_his.map_or(Vec::new(), |emoji| numbers(&emoji))]
    }

    #[test]
    fn both_see_the_same_seven() {
        let [hers, his] = compare((ADA, BOB), (BOB, ADA), (1, 1));
        assert_eq!(hers, his);
        assert_eq!(hers.len(), SHOWN);
    }

    #[test]
    fn with_another_account_or_network_in_between_the_second_sees_nothing() {
        let eve = AccountId([3; 32]);
        for (ada, bob, networks) in [
            ((ADA, eve), (BOB, ADA), (1, 1)),
            ((ADA, BOB), (BOB, eve), (1, 1)),
            ((ADA, BOB), (BOB, ADA), (1, 2)),
        ] {
            let [hers, his] = compare(ada, bob, networks);
            assert!(his.is_empty() && hers.len() == SHOWN);
        }
    }

    #[test]
    fn a_number_other_than_the_promised_one_shows_nothing() {
        let (begun, commitment) = Begun::new(&keys(1), ADA, BOB, &mut |bytes| bytes.fill(7));
        let (answered, answer) = Answered::new(BOB, ADA, commitment, &mut |bytes| bytes.fill(8));
        let (mut revealed, _) = begun.answered(&keys(1), answer);
        revealed.0[31] ^= 1;
        assert_eq!(answered.revealed(&keys(1), revealed), Err(BrokenCommitment));
    }

    #[test]
    fn debug_output_shows_no_number_that_is_still_to_be_revealed() {
        let (begun, _) = Begun::new(&keys(1), ADA, BOB, &mut |bytes| bytes.fill(0xab));
        let shown = format!("{begun:?}");
        assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
    }

    #[test]
    fn another_number_of_either_gives_other_emoji() {
        let pair = Pair {
            began: ADA,
            answers: BOB,
        };
        let numbers = |first, second| {
            let emoji = pair.emoji(&keys(1), Number([first; 32]), Number([second; 32]));
            emoji.map(|emoji| emoji.number)
        };
        assert_ne!(numbers(1, 2), numbers(3, 2));
        assert_ne!(numbers(1, 2), numbers(1, 3));
        assert_ne!(numbers(1, 2), numbers(2, 1));
    }

    #[test]
    fn six_bits_choose_each_emoji_from_the_front() {
        let mut hash = Hash::ZERO;
        hash.0[..6].copy_from_slice(&[0b0000_0100, 0b0010_0000, 0b1100_0100, 0xff, 0xf0, 0x3f]);
        let names = emoji_of(hash).map(|emoji| emoji.name);
        assert_eq!(names, ["Cat", "Lion", "Horse", "Unicorn", "Pin", "Pin", "Dog"]);
        assert_eq!(emoji_of(Hash([0xff; 32])).map(|emoji| emoji.number), [63; SHOWN]);
    }

    /// The hash is that of the published list: number, emoji and name of each in a line.
    #[test]
    fn the_list_is_the_published_one() {
        let lines: String = (0..)
            .zip(LIST)
            .map(|(number, (picture, name)): (u8, _)| format!("{number} {picture} {name}\n"))
            .collect();
        let hash = blake3::hash(lines.as_bytes()).to_hex();
        assert_eq!(
            hash.as_str(),
            "9a299252ccb9bb909cb827130ef2d631f3d45f98a9da6e03a3e4f8a61c19b1d9"
        );
    }
}
