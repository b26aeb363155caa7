//! Why a block is refused, and whose doing it is.
//!
//! ```text
//!              header certified?   content = entries root?   so
//!              yes                 no                        the content was changed after it was certified
//!              yes                 yes, breaks a rule        the committee certified a broken block
//!              no                  does not fit the header   the header was changed
//!              no                  fits                      header or certificate: the next certified block tells,
//!                                                            because it names its parent
//! ```
//!
//! That the content is not what was certified says which block is wrong, not which entry: an entries root is one hash. Then
//! the source's own index is asked where it thinks each entry stands. It is no more trusted than the rest, it merely was
//! not changed in the same way, or if it was, only the block is named.

use std::collections::HashMap;
use std::sync::Arc;

use waxwing_core::block::{block_leaf, entries_root, evidence_root};
use waxwing_core::envelope::EnvelopeError;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{BlockError, HeaderField, Step};
use waxwing_core::log::{Place, log_leaf};
use waxwing_core::{Hash, Verified, envelope::Carried};

use crate::check::{CheckedBlock, CheckedEntry};
use crate::finding::{At, Blame, Coverage, Fault, Finding, hash};
use crate::replay::Replay;
use crate::source::{Gap, Placed};
use crate::words;

/// A block whose content holds and whose certificate does not count for its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Suspect {
    height: u64,
    pub(crate) id: Hash,
    pub(crate) parent: Hash,
}

impl Suspect {
    /// Says of the suspect's finding what the next certified block shows: it names `parent`.
    pub(crate) fn resolve(&self, finding: &mut Finding, parent: Hash) {
        let Fault::NotCertified { blame, .. } = &mut finding.fault else {
            return;
        };
        if finding.at.height != self.height {
            return;
        }
        if parent == self.id {
            *blame = Blame::Certificate;
            finding.coverage = Coverage::Later;
        } else {
            *blame = Blame::Header;
            finding.expected = hash("the header that the next certified block names:", parent);
            finding.found = hash("the header", self.id);
            finding.coverage = Coverage::Changed;
        }
    }
}

/// One entry of a block as it is stored, and where that puts it.
struct Standing {
    log: LogId,
    index: u64,
    id: Hash,
}

impl Replay {
    /// What the block changes if nothing is wrong with its content, whether it is certified or not.
    pub(crate) fn judge(&self, block: &CheckedBlock) -> Result<Step, Box<Finding>> {
        self.check_order(block)?;
        self.check_entries(block)?;
        let entries = block.entries.iter().filter_map(sound).collect();
        self.ledger
            .check(&self.state, &block.head.header, entries, block.evidence.clone())
            .map_err(|error| Box::new(self.explain(block, error)))
    }

    fn check_order(&self, block: &CheckedBlock) -> Result<(), Box<Finding>> {
        let header = &block.head.header;
        let (network, next) = (self.ledger.keys().network(), self.next_height());
        let refuse = |fault, expected, found| {
            let at = At::block(next, None);
            let coverage = Coverage::Open;
            Err(Box::new(Finding {
                fault,
                at,
                expected,
                found,
                coverage,
            }))
        };
        if header.network != network {
            let (expected, found) = (hash("network", network), hash("network", header.network));
            let fault = Fault::ForeignBlock {
                network: header.network,
            };
            return refuse(fault, expected, found);
        }
        if header.height != next {
            let (expected, found) = (format!("block {next}"), format!("block {}", header.height));
            return refuse(Fault::NotNext, expected, found);
        }
        if header.parent != self.ledger.id() {
            let (expected, mut found) = (hash("parent", self.ledger.id()), hash("parent", header.parent));
            if block.certified.is_ok() {
                found += ", in a block that is certified: the network certified two histories, or this block is from another copy";
            }
            return refuse(Fault::NotNext, expected, found);
        }
        Ok(())
    }

    /// What is stored of each entry, before the rules are asked.
    fn check_entries(&self, block: &CheckedBlock) -> Result<(), Box<Finding>> {
        let mut entries = block.entries.iter().enumerate();
        if let Some((place, (signed, error))) = entries.find_map(|(place, entry)| match entry {
            CheckedEntry::Broken(signed, error) => Some((place, (signed, error))),
            _ => None,
        }) {
            let (expected, found) = match error {
                EnvelopeError::WeakStamp { required } => {
                    let bits = signed.header.stamp(self.ledger.keys()).leading_zero_bits();
                    (
                        format!("a stamp of at least {required} bits"),
                        format!("a stamp of {bits} bits"),
                    )
                }
                _ => (
                    format!("a signature by log {}", signed.header.log),
                    "one that does not count for it".to_owned(),
                ),
            };
            return Err(Box::new(self.wrong_content(
                block,
                Some(place),
                Fault::Envelope(*error),
                expected,
                found,
            )));
        }
        let place = block.entries.len();
        let count = format!("{} entries, as the header says", block.head.header.entry_count);
        match &block.gap {
            None => Ok(()),
            Some(Gap::Missing) => {
                let found = "no row".to_owned();
                Err(Box::new(self.wrong_content(
                    block,
                    Some(place),
                    Fault::MissingEntry,
                    count,
                    found,
                )))
            }
            Some(Gap::Undecodable(error)) => {
                let what = format!("the row of the entry cannot be read: {error}");
                Err(Box::new(Finding::malformed(self.at(block, place, &[]), what)))
            }
        }
    }

    fn explain(&self, block: &CheckedBlock, error: BlockError<core::convert::Infallible>) -> Finding {
        let header = &block.head.header;
        match error {
            BlockError::Entry { place, fault } => {
                let expected = "an entry that the rules allow in this place".to_owned();
                self.wrong_content(block, Some(place), Fault::Rule(fault), expected, fault.to_string())
            }
            BlockError::Evidence(error) => {
                let expected = "evidence that anybody can check".to_owned();
                self.wrong_content(block, None, Fault::Evidence(error), expected, error.to_string())
            }
            BlockError::Wrong(HeaderField::EntriesRoot) => {
                let expected = hash("entries with the root", header.entries_root);
                let found = hash("entries with the root", self.root_of(block));
                self.wrong_content(block, None, Fault::Header(HeaderField::EntriesRoot), expected, found)
            }
            BlockError::Wrong(field) => {
                let (expected, found) = self.compare_field(block, field);
                self.wrong_content(block, None, Fault::Header(field), expected, found)
            }
            BlockError::TimeRunsBack => Finding {
                fault: Fault::TimeRunsBack,
                at: At::block(header.height, None),
                expected: format!("a time after {}", words::time(self.ledger.head().time)),
                found: words::time(header.time),
                coverage: Coverage::Certified,
            },
            BlockError::ForeignNetwork | BlockError::NotNext => Finding {
                fault: Fault::NotNext,
                at: At::block(header.height, None),
                expected: hash("parent", self.ledger.id()),
                found: hash("parent", header.parent),
                coverage: Coverage::Open,
            },
            BlockError::Read(never) => match never {},
        }
    }

    /// A header's field as content and history give it, and as it is stored.
    fn compare_field(&self, block: &CheckedBlock, field: HeaderField) -> (String, String) {
        let stored = &block.head.header;
        let mut draft = self.ledger.draft(&self.state, stored.time);
        for entry in block.entries.iter().filter_map(sound) {
            let Ok(_) = draft.add(entry);
        }
        let computed = draft.finish(stored.proposer, block.evidence.clone()).header;
        let show = |header: &waxwing_core::block::BlockHeader| match field {
            HeaderField::Parameters => header.parameters.to_string(),
            HeaderField::Committee => format!("term {}, {}", header.term, header.next_committee),
            HeaderField::HistoryRoot => header.history_root.to_string(),
            HeaderField::EntriesRoot => header.entries_root.to_string(),
            HeaderField::Counts => format!("{} of {}", header.entry_count, header.total_entries),
            HeaderField::MapRoot => header.map_root.to_string(),
            HeaderField::LogCount => header.log_count.to_string(),
            HeaderField::EvidenceRoot => header.evidence_root.to_string(),
            HeaderField::Proposer => header.proposer.to_string(),
        };
        if field == HeaderField::Proposer {
            // Any of them may be: the rules say no more.
            return (
                "a proposer of the committee".to_owned(),
                format!("{field} {}", show(stored)),
            );
        }
        (
            format!("{field} {}", show(&computed)),
            format!("{field} {}", show(stored)),
        )
    }

    /// A finding about a block's content, with the first entry that is not the one that was certified.
    fn wrong_content(
        &self,
        block: &CheckedBlock,
        place: Option<usize>,
        fault: Fault,
        expected: String,
        found: String,
    ) -> Finding {
        let coverage = self.coverage(block);
        let placed = if coverage == Coverage::Changed {
            self.placed(block)
        } else {
            Vec::new()
        };
        let other = self.first_other(block, &placed);
        if let Some(other) = other.filter(|other| place.is_none_or(|place| *other < place)) {
            return self.other_entry(block, other, &placed);
        }
        let at = match place {
            Some(place) => self.at(block, place, &placed),
            None => At::block(block.head.header.height, time_of(block)),
        };
        Finding {
            fault,
            at,
            expected,
            found,
            coverage,
        }
    }

    fn other_entry(&self, block: &CheckedBlock, place: usize, placed: &[Placed]) -> Finding {
        let at = self.at(block, place, placed);
        let expected = placed.iter().find(|row| Some(row.position) == at.position).map_or_else(
            || "no entry that the index knows".to_owned(),
            |row| format!("entry {} of log {}", row.index, row.log),
        );
        let found = self.standing(block).into_iter().nth(place).map_or_else(
            || "no entry".to_owned(),
            |entry| format!("the envelope {} on log {}", entry.id, entry.log),
        );
        Finding {
            fault: Fault::OtherEntry,
            at,
            expected,
            found,
            coverage: Coverage::Changed,
        }
    }

    /// Header and content agree, and the certificate does not count for them.
    pub(crate) fn uncertified(&mut self, block: &CheckedBlock) -> Finding {
        let (height, parent) = (block.head.header.height, block.head.header.parent);
        self.suspects.push(Suspect {
            height,
            id: block.id,
            parent,
        });
        Finding {
            fault: self.not_certified(block, Blame::Either),
            at: At::block(height, None),
            expected: hash("a certificate for the header", block.id),
            found: "one that does not count for it".into(),
            coverage: Coverage::Open,
        }
    }

    /// The header agrees neither with its certificate nor with content and history.
    pub(crate) fn wrong_header(&self, block: &CheckedBlock, refused: Finding) -> Finding {
        Finding {
            fault: self.not_certified(block, Blame::Header),
            at: At::block(self.next_height(), None),
            coverage: Coverage::Open,
            ..refused
        }
    }

    fn not_certified(&self, block: &CheckedBlock, blame: Blame) -> Fault {
        match block.certified {
            Err(error) => Fault::NotCertified { error, blame },
            Ok(()) => Fault::NotNext,
        }
    }

    /// What the block's certificate says about its content.
    fn coverage(&self, block: &CheckedBlock) -> Coverage {
        let header = &block.head.header;
        if block.certified.is_err() {
            return Coverage::Open;
        }
        let is_whole = block.gap.is_none() && self.root_of(block) == header.entries_root;
        if is_whole && evidence_root(self.ledger.keys(), &block.evidence) == header.evidence_root {
            Coverage::Certified
        } else {
            Coverage::Changed
        }
    }

    fn root_of(&self, block: &CheckedBlock) -> Hash {
        let keys = self.ledger.keys();
        let leaf = |entry: Standing| block_leaf(keys, &entry.id, entry.index);
        let leaves: Vec<Hash> = self.standing(block).into_iter().map(leaf).collect();
        entries_root(keys, &leaves)
    }

    /// The entries as they are stored, with the indexes that their order gives them.
    fn standing(&self, block: &CheckedBlock) -> Vec<Standing> {
        let keys = self.ledger.keys();
        let mut lengths: HashMap<LogId, u64> = HashMap::new();
        let stand = |entry: &CheckedEntry| {
            let log = entry.signed().header.log;
            let next = lengths.entry(log).or_insert_with(|| self.state.length(&log));
            let index = *next;
            *next += 1;
            Standing {
                log,
                index,
                id: entry.id(keys),
            }
        };
        block.entries.iter().map(stand).collect()
    }

    /// What the source's own index says of the block's positions; nothing if it has none, or none that can be read.
    fn placed(&self, block: &CheckedBlock) -> Vec<Placed> {
        let first = self.ledger.head().total_entries;
        let end = first.saturating_add(u64::from(block.head.header.entry_count));
        let beside = self.beside.as_ref();
        beside
            .and_then(|beside| beside.placed(first..end).ok())
            .unwrap_or_default()
    }

    /// The first place whose entry the index says is another one.
    fn first_other(&self, block: &CheckedBlock, placed: &[Placed]) -> Option<usize> {
        if placed.is_empty() {
            return None;
        }
        let (header, keys) = (&block.head.header, self.ledger.keys());
        let first = self.ledger.head().total_entries;
        (0..).zip(self.standing(block)).position(|(in_block, entry)| {
            let place = Place {
                height: header.height,
                time: header.time,
                in_block,
            };
            let stands = Placed {
                position: first.saturating_add(u64::from(in_block)),
                log: entry.log,
                index: entry.index,
                leaf: log_leaf(keys, &entry.id, &place),
            };
            !placed.contains(&stands)
        })
    }

    /// An entry's place; which entry that is, the index knows better than the stored bytes do.
    fn at(&self, block: &CheckedBlock, place: usize, placed: &[Placed]) -> At {
        let in_block = u32::try_from(place).unwrap_or(u32::MAX);
        let position = self.ledger.head().total_entries.saturating_add(u64::from(in_block));
        let indexed = placed.iter().find(|row| row.position == position);
        let stored = || {
            self.standing(block)
                .into_iter()
                .nth(place)
                .map(|entry| (entry.log, entry.index))
        };
        At {
            height: block.head.header.height,
            time: time_of(block),
            place: Some(in_block),
            position: Some(position),
            entry: indexed.map(|row| (row.log, row.index)).or_else(stored),
        }
    }
}

fn sound(entry: &CheckedEntry) -> Option<Arc<Verified<Carried>>> {
    match entry {
        CheckedEntry::Sound(entry) | CheckedEntry::WithoutBody(entry, ..) => Some(Arc::clone(entry)),
        CheckedEntry::Broken(..) => None,
    }
}

/// A block's time, if a certificate says that it is.
fn time_of(block: &CheckedBlock) -> Option<u64> {
    block.certified.is_ok().then_some(block.head.header.time)
}
