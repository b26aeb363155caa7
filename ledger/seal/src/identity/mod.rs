//! Who somebody is: an account that fits on paper, the devices that speak for it, and how two people make sure.
//!
//! ```text
//! 24 words ─> root key = the account ─ signs ─> device certificates, and the statements that count on the card
//!     └─ (network, number) ─> card seed ─┬─> log key: its log is the card; the account's devices write on it
//!                                        └─> seal key: contacts read it
//! card:  opening, additions, liftings, move (root)   suspensions, key packages (devices)   all else is void
//! ```
//!
//! The root key is needed to change which devices there are, and for nothing else: it can stay on paper. What makes the
//! card worth more than a directory of keys is that it is a log of the ledger: complete, in one order for everybody, so
//! that nobody can slip in a key, hide one, or show two people two lists. What its writers post is folded by rules that
//! every reader computes alike ([`Card`]), and a key that changes under somebody who had compared it stops the sending
//! ([`judge`]).
//!
//! Said plainly: whoever has the 24 words is the account. A revoked device can no longer write on the card or speak for
//! the account, and it can go on reading the card, as every contact can. Comparing shows that both see the same account,
//! not whose hands hold it.
//!
//! Read in this order: [`phrase`], [`account`], [`certificate`], [`address`], [`statement`], [`card`], [`safety`],
//! [`emoji`], [`change`]; [`hand`] writes what [`card`] reads, [`succession`] hands a card on. `// SPEC 26`

pub mod account;
pub mod address;
pub mod card;
pub mod certificate;
pub mod change;
pub mod emoji;
pub mod hand;
pub mod phrase;
pub mod safety;
pub mod statement;
pub mod succession;
pub mod void;

pub use account::{AccountId, AccountKey};
pub use address::{CardAddress, CardSeed};
pub use card::{At, Card};
pub use certificate::{Acceptance, CertificateError, CertifiedDevice, DeviceCertificate};
pub use change::{Change, Keys, Known, Sending, judge};
pub use hand::{DeviceHand, RootHand};
pub use phrase::{Phrase, PhraseError};
pub use safety::{SafetyNumber, Scanned};
pub use statement::{Said, Signer, Standing, Statement};
pub use succession::{open_seed, seal_seed};
pub use void::{DeviceFault, Void};
