//! What validators send each other around the agreement, and what a validator's journal holds: decoded by the full node's
//! own source files, which are borrowed one by one because its crate links a database.
//!
//! They are left out of this crate's unit tests, where they would bring their own.

#[expect(dead_code, unreachable_pub, reason = "the node's file, of which a part is used")]
#[path = "../../../node/full/src/order/event.rs"]
mod event;
#[expect(dead_code, reason = "the node's file, of which a part is used")]
#[path = "../../../node/full/src/order/record.rs"]
mod record;

use waxwing_core::block::BlockHeader;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::hash::Hash;
use waxwing_order::Message;

use crate::golden::GOLDEN;
use crate::script::Script;
use crate::values::{again, answered};
use event::{Contents, Frame, Listed};

/// A frame of another validator.
pub(crate) fn frame(bytes: &[u8]) {
    answered(again::<Frame>(bytes));
}

/// A journal of whatever records: what one height leaves behind, or what was never a journal.
pub(crate) fn journal(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut records = Vec::new();
    while !script.is_over() {
        let length = usize::try_from(script.number()).unwrap_or(0);
        records.push(script.bytes(length).to_vec());
    }
    answered(record::read(&records));
}

/// Frames of every kind around a message.
pub(crate) fn frames(message: &Message) -> Vec<Vec<u8>> {
    let mut frames = vec![
        Frame::Consensus {
            message: Box::new(message.clone()),
            has_work: true,
        },
        Frame::WantContents(Hash([4; 32])),
        Frame::Status(7),
    ];
    let headers = GOLDEN
        .bytes
        .iter()
        .filter_map(|bytes| BlockHeader::from_bytes(bytes).ok());
    let listed = Listed {
        stamp: Hash([2; 32]),
        entry: Hash([3; 32]),
    };
    frames.extend(headers.take(3).map(|mut header| {
        header.entry_count = 2;
        header.total_entries = header.total_entries.max(2);
        Frame::Contents(Box::new(Contents {
            header,
            entries: vec![listed; 2],
            evidence: Vec::new(),
        }))
    }));
    frames.iter().map(Encode::to_bytes).collect()
}

/// A journal of a height in which these records were made.
pub(crate) fn journals(records: &[waxwing_order::Record]) -> Vec<u8> {
    let mut all = vec![record::begun(2)];
    all.extend(records.iter().map(record::host));
    let mut journal = Vec::new();
    for record in all {
        journal.extend(u16::try_from(record.len()).unwrap_or(0).to_be_bytes());
        journal.extend(record);
    }
    journal
}
