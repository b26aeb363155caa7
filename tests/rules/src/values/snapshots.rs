//! Random parts of snapshots, and questions for them.

use waxwing_core::merkle::Frontier;
use waxwing_core::snapshot::{
    Ask, BLOCKS_PER_PART_MAX, HEADERS_PER_PART_MAX, LastChange, LogRow, Opening, SLOT_LOGS_MAX, Slot, Span,
    WindowBlock, WindowEntry,
};

use super::{block_header, frontier, inclusion, map_leaf, signed_header, some_hash};
use crate::chance::Chance;

pub(super) fn ask(chance: &mut Chance) -> Ask {
    let range = |chance: &mut Chance, most: u32| (chance.number(), 1 + chance.number32() % most);
    match chance.below(5) {
        0 => Ask::Opening { size: chance.number() },
        1 => Ask::Outline { first: chance.number() },
        2 => Ask::Logs(span(chance)),
        3 => {
            let (from, count) = range(chance, HEADERS_PER_PART_MAX);
            Ask::Headers { from, count }
        }
        _ => {
            let (from, count) = range(chance, BLOCKS_PER_PART_MAX);
            Ask::Window { from, count }
        }
    }
}

fn span(chance: &mut Chance) -> Span {
    let depth = u16::try_from(chance.below(257)).expect("a depth is small");
    let mut start = some_hash(chance);
    for bit in usize::from(depth)..256 {
        if let Some(byte) = start.0.get_mut(bit / 8) {
            *byte &= !(0x80 >> (bit % 8));
        }
    }
    Span::new(start, depth).expect("no bit behind the shared ones is set")
}

pub(super) fn slot(chance: &mut Chance) -> Slot {
    let depth = u16::try_from(chance.below(257)).expect("a depth is small");
    let logs = chance.number32() % (SLOT_LOGS_MAX + 1);
    let hash = match logs {
        0 => waxwing_core::Hash::ZERO,
        _ => some_hash(chance),
    };
    Slot { depth, logs, hash }
}

pub(super) fn log_row(chance: &mut Chance) -> LogRow {
    let (mut leaf, mut frontier) = (map_leaf(chance), frontier(chance));
    if frontier.is_empty() {
        frontier = Frontier::from_parts(1, vec![leaf.root]).expect("one leaf has one peak");
    }
    leaf.length = frontier.len();
    // Of a tree whose length is a power of two the root is the only peak, and is sent once.
    if let [only] = frontier.peaks() {
        leaf.root = *only;
    }
    LogRow { leaf, frontier }
}

pub(super) fn window_block(chance: &mut Chance) -> WindowBlock {
    let entry = |chance: &mut Chance| WindowEntry {
        signed: signed_header(chance),
        log_index: chance.number(),
    };
    WindowBlock {
        entries: chance.list(0, 5, entry),
    }
}

pub(super) fn opening(chance: &mut Chance) -> Opening {
    let change = chance.once_in(2).then(|| LastChange {
        before: frontier(chance),
        header: block_header(chance),
        path: inclusion(chance),
        in_block: chance.number32(),
        signed: signed_header(chance),
        body: chance.bytes(300),
    });
    Opening {
        history: frontier(chance),
        change,
    }
}
