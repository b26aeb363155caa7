//! The naive model: a list of blocks. Whatever the store answers is compared with what a walk over the list gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::envelope::{Body, Carried, ErasureSecret};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{LogId, Verified};
use waxwing_core::ledger::{LedgerReader, Step};
use waxwing_core::log::{LogState, Place, log_leaf, log_tree};
use waxwing_store::fixture::{Note, World};
use waxwing_store::{Bodies, Erasure, LogEntry, Page, Rest, Store, Tables};

pub(crate) const EVERYTHING: Page = Page {
    max_entries: u32::MAX,
    max_bytes: u32::MAX,
    bodies: Bodies::With,
};

/// One entry, and what became of its body.
#[derive(Clone)]
struct Row {
    id: Hash,
    stamp: Hash,
    place: Place,
    carried: Carried,
    secret: ErasureSecret,
}

/// The same history as a world's, as a list.
#[derive(Default)]
pub(crate) struct Model {
    heads: Vec<Head>,
    rows: Vec<Row>,
    expired_anchors: BTreeSet<u64>,
    excuses: BTreeMap<u64, ErasureSecret>,
    dropped: BTreeSet<u64>,
}

pub(crate) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}

pub(crate) fn size(count: u64) -> usize {
    usize::try_from(count).unwrap()
}

impl Model {
    /// A block, in the world and here.
    pub(crate) fn append<T: Tables>(&mut self, world: &mut World<T>, after: u64, notes: &[Note]) {
        let entries: Vec<Arc<Verified<Carried>>> = notes.iter().map(|note| world.verified(note)).collect();
        let (step, certificate) = world.propose(after, &entries);
        world.store.commit(&step, &certificate).unwrap();
        let secrets = notes.iter().map(|note| note.secret(world.store.keys())).collect();
        self.add(&step, certificate, secrets);
        world.ledger.advance(step);
    }

    fn add(&mut self, step: &Step, certificate: Certificate, secrets: Vec<ErasureSecret>) {
        for ((in_block, entry), secret) in (0..).zip(&step.entries).zip(secrets) {
            self.rows.push(Row {
                id: entry.carried.id(),
                stamp: entry.stamp,
                place: Place {
                    height: step.header.height,
                    time: step.header.time,
                    in_block,
                },
                carried: Carried::clone(&entry.carried),
                secret,
            });
        }
        self.expired_anchors.extend(&step.expired_anchors);
        self.heads.push(Head {
            header: step.header.clone(),
            certificate,
        });
    }

    pub(crate) fn len(&self) -> u64 {
        number(self.rows.len())
    }

    /// The secret is revealed, to the world and here.
    pub(crate) fn erase<T: Tables>(&mut self, world: &World<T>, position: u64) {
        let row = &self.rows[size(position)];
        let log = row.carried.signed.header.log;
        let index = number(self.of(&log).iter().position(|(here, _)| *here == position).unwrap());
        let outcome = world.store.erase(&log, index, row.secret).unwrap();
        let before = self.excuses.insert(position, row.secret);
        let expected = if before.is_some() {
            Erasure::Already
        } else {
            Erasure::Done
        };
        assert_eq!(outcome, expected);
    }

    /// Everything due is dropped, by as many sweeps as the budget makes necessary.
    pub(crate) fn expire<T: Tables>(&mut self, world: &World<T>, budget: u64) {
        let mut sweeps = 0;
        while world.store.expire(budget).unwrap().rest == Rest::More {
            sweeps += 1;
            assert!(
                sweeps <= self.rows.len(),
                "a sweep that leaves something has dropped something"
            );
        }
        let now = self.now();
        for (position, row) in (0..).zip(&self.rows) {
            if Body::Expired.is_excused(&row.carried.signed.header, row.place.time, now) {
                self.dropped.insert(position);
            }
        }
    }

    fn now(&self) -> u64 {
        self.heads.last().map_or(0, |head| head.header.time)
    }

    fn of(&self, log: &LogId) -> Vec<(u64, &Row)> {
        (0..)
            .zip(&self.rows)
            .filter(|(_, row)| row.carried.signed.header.log == *log)
            .collect()
    }

    pub(crate) fn logs(&self) -> BTreeSet<LogId> {
        self.rows.iter().map(|row| row.carried.signed.header.log).collect()
    }

    fn body(&self, position: u64) -> Body {
        match self.excuses.get(&position) {
            Some(secret) => Body::Erased(*secret),
            None if self.dropped.contains(&position) => Body::Expired,
            None => self.rows[size(position)].carried.body.clone(),
        }
    }

    fn state(&self, log: &LogId, length: usize, store: &Store<impl Tables>) -> LogState {
        let mut state = LogState::empty(*log);
        for (_, row) in self.of(log).into_iter().take(length) {
            let leaf = log_leaf(store.keys(), &row.id, &row.place);
            state.frontier.append(&log_tree(store.keys()), leaf);
            state.last_height = row.place.height;
        }
        state
    }

    fn entries(&self, log: &LogId) -> Vec<LogEntry> {
        let entry = |(index, (position, row)): (u64, (u64, &Row))| LogEntry {
            index,
            position,
            place: row.place,
            signed: row.carried.signed.clone(),
            body: Some(self.body(position)),
        };
        (0..).zip(self.of(log)).map(entry).collect()
    }

    /// Compares every answer that does not depend on a proof.
    pub(crate) fn check(&self, store: &Store<impl Tables>) {
        self.check_blocks(store);
        self.check_entries(store);
        for log in self.logs() {
            self.check_log(store, &log);
        }
        let stranger = LogId([9; 32]);
        assert_eq!(store.log(&stranger), Ok(None));
        assert_eq!(store.log_entries(&stranger, 0, EVERYTHING), Ok(Vec::new()));
        let excuses: Vec<_> = self
            .excuses
            .iter()
            .map(|(position, secret)| (*position, *secret))
            .collect();
        assert_eq!(store.excuses(0, usize::MAX), Ok(excuses.clone()));
        assert_eq!(
            store.excuses(1, 1),
            Ok(excuses
                .into_iter()
                .filter(|(position, _)| *position >= 1)
                .take(1)
                .collect())
        );
        assert_eq!(store.erased(), Ok(number(self.excuses.len())));
    }

    fn check_blocks(&self, store: &Store<impl Tables>) {
        assert_eq!(store.applied(), number(self.heads.len()));
        assert_eq!(store.head(), Ok(self.heads.last().cloned()));
        assert_eq!(store.header(0), Ok(Some(store.genesis().block())));
        assert_eq!((store.certified(0), store.block(0)), (Ok(None), Ok(None)));
        for head in &self.heads {
            let (height, first) = (head.header.height, head.header.first_position());
            assert_eq!(store.header(height).unwrap().as_ref(), Some(&head.header));
            let carried = |position| Carried {
                signed: self.rows[size(position)].carried.signed.clone(),
                body: self.body(position),
            };
            let block = CertifiedBlock {
                head: head.clone(),
                entries: (first..head.header.total_entries).map(carried).collect(),
                evidence: Vec::new(),
            };
            assert_eq!(store.block(height), Ok(Some(block)));
        }
        let beyond = number(self.heads.len()) + 1;
        assert_eq!((store.header(beyond), store.block(beyond)), (Ok(None), Ok(None)));
    }

    fn check_entries(&self, store: &Store<impl Tables>) {
        for (position, row) in (0..).zip(&self.rows) {
            assert_eq!(store.signed_header(position), Ok(Some(row.carried.signed.clone())));
            assert_eq!(store.body(position), Ok(Some(self.body(position))), "body {position}");
            let anchor = row.carried.signed.header.anchor.height;
            let is_known = !self.expired_anchors.contains(&anchor);
            assert_eq!(store.is_known(anchor, &row.stamp), Ok(is_known), "entry {position}");
            assert_eq!(store.is_known(anchor + 1, &row.stamp), Ok(false));
        }
        assert_eq!((store.entry(self.len()), store.body(self.len())), (Ok(None), Ok(None)));
    }

    fn check_log(&self, store: &Store<impl Tables>, log: &LogId) {
        let entries = self.entries(log);
        let length = entries.len();
        assert_eq!(store.log(log), Ok(Some(self.state(log, length, store))));
        assert_eq!(store.log_entries(log, 0, EVERYTHING).as_ref(), Ok(&entries));
        for (index, entry) in entries.iter().enumerate() {
            assert_eq!(store.position_of(log, number(index)), Ok(Some(entry.position)));
            let page = Page {
                max_entries: 2,
                max_bytes: u32::MAX,
                bodies: Bodies::Without,
            };
            let bare = |entry: &LogEntry| LogEntry {
                body: None,
                ..entry.clone()
            };
            let expected: Vec<LogEntry> = entries[index..].iter().take(2).map(bare).collect();
            assert_eq!(store.log_entries(log, number(index), page), Ok(expected));
        }
        assert_eq!(store.position_of(log, number(length)), Ok(None));
        assert_eq!(store.log_entries(log, number(length), EVERYTHING), Ok(Vec::new()));
        for size in 0..=length {
            let frontier = self.state(log, size, store).frontier;
            assert_eq!(store.frontier_at(log, number(size)), Ok(Some(frontier)), "size {size}");
        }
        assert_eq!(store.frontier_at(log, number(length) + 1), Ok(None));
    }
}
