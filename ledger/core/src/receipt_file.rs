//! A receipt in a file of its own, for who trusts the genesis and nothing else.
//!
//! A receipt names the committee that certified it by its hash; whether that committee followed from the founding one is
//! what the changes in between show. As long as there were none, the file is the receipt itself.
//!
//! ```text
//! genesis ──> committee of term 0 ──(rung)──> committee of term 1 ──(rung)──> ... ──> the receipt's
//! ```
//!
//! `// SPEC 17.4`

use crate::block::HEADER_BYTES;
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::committee::Committee;
use crate::evidence_file::{Rung, RungFault, climb_below};
use crate::genesis::Genesis;
use crate::limits::EVIDENCE_RUNGS_MAX;
use crate::receipt::{Ordered, RECEIPT_MAGIC, Receipt, ReceiptError};

/// First bytes of a receipt with its ladder; the last one is the version.
pub const RECEIPT_FILE_MAGIC: [u8; 8] = *b"WXRECLA\x01";

/// A receipt and the changes of the committee up to the one that certified it, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiptFile {
    /// The changes.
    pub ladder: Vec<Rung>,
    /// The receipt.
    pub receipt: Receipt,
}

/// Why a receipt with its ladder proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiptFileError {
    /// A change of the committee does not follow from the ones before it.
    Rung {
        /// Which, counted from 0.
        index: usize,
        /// What is wrong with it.
        fault: RungFault,
    },
    /// The receipt does not hold against the committee that the ladder leads to.
    Receipt(ReceiptError),
}

impl core::fmt::Display for ReceiptFileError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Rung { index, fault } => {
                let number = index.saturating_add(1);
                write!(f, "change {number} of the committee does not hold: {fault}")
            }
            Self::Receipt(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ReceiptFileError {}

impl ReceiptFile {
    /// Checks everything against the founding facts; says what is proven, and which committee vouches for it.
    ///
    /// # Errors
    /// See [`ReceiptFileError`].
    pub fn verify(&self, genesis: &Genesis) -> Result<(Ordered, Committee), ReceiptFileError> {
        let height = self.receipt.head.header.height;
        let climbed = climb_below(genesis, &self.ladder, height);
        let committee = climbed.map_err(|(index, fault)| ReceiptFileError::Rung { index, fault })?;
        let ordered = self.receipt.verify(&genesis.keys(), &committee);
        Ok((ordered.map_err(ReceiptFileError::Receipt)?, committee))
    }
}

/// Without changes, the receipt as it is: it has but one form.
impl Encode for ReceiptFile {
    fn encode(&self, out: &mut Vec<u8>) {
        if !self.ladder.is_empty() {
            out.extend_from_slice(&RECEIPT_FILE_MAGIC);
            put_list(out, &self.ladder);
        }
        self.receipt.encode(out);
    }
}

impl Decode for ReceiptFile {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut ahead = reader.clone();
        let ladder = match ahead.array::<8>()? {
            RECEIPT_MAGIC => Vec::new(),
            RECEIPT_FILE_MAGIC => {
                *reader = ahead;
                let ladder: Vec<Rung> = reader.list(EVIDENCE_RUNGS_MAX, HEADER_BYTES)?;
                if ladder.is_empty() {
                    return Err(CodecError::BadValue);
                }
                ladder
            }
            _ => return Err(CodecError::WrongMagic),
        };
        Ok(Self {
            ladder,
            receipt: Receipt::decode(reader)?,
        })
    }
}
