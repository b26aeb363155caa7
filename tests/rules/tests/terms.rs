//! Committees and turns against a naive model: who votes and who proposes, over random histories in which quorums change
//! the committee and others try to.
//!
//! The model keeps every header and every change that a quorum agreed on, and works out committees and turns from those
//! lists each time anew.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

use std::sync::Arc;

use proptest::prelude::*;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::HeadError;
use waxwing_core::change::{ChangeError, CommitteeChange};
use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::committee::{Committee, QuorumError};
use waxwing_core::envelope::{Body, Carried, Envelope, KeepFor};
use waxwing_core::evidence_file::{Rung, RungFault};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{ValidatorId, VoteKey};
use waxwing_core::ladder::{Ladder, Term};
use waxwing_core::ledger::{BlockError, EntryFault, HeaderField, Ledger, RestoreError, Stored};
use waxwing_core::limits::MISSED_TURNS_MAX;
use waxwing_core::logmap::LogMap;
use waxwing_core::merkle::{Frontier, ProofError, Sha256Tree};
use waxwing_core::receipt::ReceiptError;
use waxwing_core::receipt_file::{RECEIPT_FILE_MAGIC, ReceiptFile, ReceiptFileError};
use waxwing_core::schedule;
use waxwing_rules::chance::Chance;
use waxwing_rules::terms::{committee_secret, sign};
use waxwing_rules::world::{Rows, World, voters};

/// Seeds of validators that exist.
const VALIDATORS: u8 = 16;

/// Committees as a list, and what was agreed on.
struct Naive {
    terms: Vec<Term>,
    /// Every change that counted when it was ordered, with the committee that agreed on it.
    agreed: Vec<CommitteeChange>,
}

impl Naive {
    fn new(world: &World) -> Self {
        let committee = world.genesis.committee();
        Self {
            terms: vec![Term { from: 0, committee }],
            agreed: Vec::new(),
        }
    }

    fn current(&self) -> &Term {
        self.terms.last().unwrap()
    }

    /// What the current committee agreed on that takes over first, if it is still ahead.
    fn pending(&self, world: &World) -> Option<&CommitteeChange> {
        let own = self.current().committee.hash(world.keys());
        let mine = self.agreed.iter().filter(|change| change.current == own);
        mine.min_by_key(|change| change.from_height)
    }

    fn block(&mut self, world: &World, header: &BlockHeader) {
        let takes_over = |change: &&CommitteeChange| change.from_height == header.height + 1;
        if let Some(change) = self.pending(world).filter(takes_over) {
            self.terms.push(Term {
                from: change.from_height,
                committee: change.next.clone(),
            });
        }
    }
}

/// Turns by their definition: over all headers of the term, for each member, how often it missed in a row.
fn naive_turns(term: &Term, headers: &[BlockHeader], next: u64) -> Vec<ValidatorId> {
    let members = term.committee.members();
    let count = u64::try_from(members.len()).unwrap();
    let place = |height: u64| usize::try_from(height % count).unwrap();
    let missed = |member: usize| {
        let own = headers
            .iter()
            .rev()
            .filter(|header| header.height >= term.from.max(1) && place(header.height) == member);
        own.take_while(|header| header.proposer != members[member]).count()
    };
    let base = place(next);
    let due = match missed(base) {
        few if few < usize::try_from(MISSED_TURNS_MAX).unwrap() => [1, 2, 4, 8, 16, 32].contains(&(few + 1)),
        _ => (next / count).is_multiple_of(64),
    };
    let around: Vec<usize> = (0..members.len()).map(|step| (base + step) % members.len()).collect();
    let mut order: Vec<usize> = around.iter().copied().filter(|member| *member == base && due).collect();
    order.extend(
        around
            .iter()
            .filter(|member| !(**member == base && due) && missed(**member) == 0),
    );
    order.extend(
        around
            .iter()
            .filter(|member| !(**member == base && due) && missed(**member) > 0),
    );
    order.into_iter().map(|member| members[member]).collect()
}

/// What a store would hand back of a world.
fn stored(world: &World) -> Stored {
    let keys = world.keys();
    let headers: Vec<BlockHeader> = world.headers().collect();
    let (head, before) = headers.split_last().unwrap();
    let mut history = Frontier::empty();
    before
        .iter()
        .for_each(|header| history.append(&Sha256Tree, waxwing_core::history::leaf(header)));
    let ladder = world.ledger.ladder().clone();
    let first = schedule::first_height(ladder.current(), ladder.from(), head.height);
    let newest = headers.iter().filter(|header| header.height >= first);
    Stored {
        history,
        map: LogMap::build(keys, world.rows.map_leaves(keys)).unwrap(),
        anchors: vec![(0, headers[0].id(keys), headers[0].time)],
        proposers: newest.map(|header| header.proposer).collect(),
        pending: world.ledger.pending().cloned(),
        ladder,
        head: head.clone(),
    }
}

/// Whether an entry may stand in the next block, as proposer and checker both see it.
fn judged(world: &World, envelope: &Envelope) -> Result<(), EntryFault> {
    let mut draft = world.ledger.draft(&world.rows, world.ledger.head().time + 1);
    let drafted = draft.add(world.verified(envelope)).unwrap();
    assert_eq!(draft.len(), usize::from(drafted.is_ok()));
    drafted
}

fn refused(world: &World, change: &CommitteeChange) -> ChangeError {
    match judged(world, &world.changing(change)) {
        Err(EntryFault::Change(error)) => error,
        other => unreachable!("a change without effect may not stand anywhere: {other:?}"),
    }
}

/// Everything that must not change the committee, tried at the present height.
fn tampering(world: &World, naive: &Naive, chance: &mut Chance) {
    let next = world.height() + 1;
    let quorum = world.ledger.committee().quorum();
    let from = match naive.pending(world) {
        // Anything later is superseded, whoever signed it.
        Some(pending) if pending.from_height == next + 1 => return,
        Some(pending) => next + 1 + chance.below(pending.from_height - next - 1),
        None => next + 1 + chance.below(9),
    };
    let good = world.change(from, 3..=9, quorum);
    assert_eq!(judged(world, &world.changing(&good)), Ok(()));

    let few = world.change(from, 3..=9, quorum - 1);
    assert_eq!(quorum_of(refused(world, &few)), QuorumError::TooFew);
    // Members of the next committee who do not vote now, in the places of those who do.
    let strangers = voters(30..=40);
    let theirs: Vec<&VoteKey> = strangers.iter().take(quorum).collect();
    let usurped = sign(good.clone(), world.ledger.committee(), &theirs);
    assert_eq!(quorum_of(refused(world, &usurped)), QuorumError::BadSignature);
    let foreign = CommitteeChange {
        network: Hash([7; 32]),
        ..good.clone()
    };
    assert_eq!(
        refused(world, &world.signed(foreign, quorum)),
        ChangeError::ForeignNetwork
    );
    for past in [0, next - 1, next] {
        assert_eq!(
            refused(world, &world.change(past, 3..=9, quorum)),
            ChangeError::NotAhead
        );
    }
    let members = good.next.members().to_vec();
    let skipped = CommitteeChange {
        next: Committee::new(good.next.term() + 1, members).unwrap(),
        ..good.clone()
    };
    assert_eq!(refused(world, &world.signed(skipped, quorum)), ChangeError::WrongTerm);
    for old in &naive.agreed {
        let again = refused(world, old);
        let stale = [
            ChangeError::NotAhead,
            ChangeError::Superseded,
            ChangeError::OtherCommittee,
        ];
        assert!(stale.contains(&again), "{again:?}");
    }
    if let Some(pending) = naive.pending(world) {
        let later = world.change(pending.from_height + chance.below(3), 3..=9, quorum);
        assert_eq!(refused(world, &later), ChangeError::Superseded);
    }
    bodies(world, &good);
}

fn quorum_of(error: ChangeError) -> QuorumError {
    match error {
        ChangeError::Quorum(error) => error,
        other => unreachable!("{other:?}"),
    }
}

/// A change whose body is not there, or would go one day.
fn bodies(world: &World, good: &CommitteeChange) {
    let expiring = world.on_committee_log_for(&good.to_bytes(), KeepFor::Year);
    let fault = |error| Err(EntryFault::Change(error));
    assert_eq!(judged(world, &expiring), fault(ChangeError::WouldExpire));
    let bits = world.ledger.parameters().stamp_bits;
    for body in [
        Body::Erased(committee_secret(world.height())),
        Body::Expired,
        Body::Withheld,
    ] {
        let carried = Carried {
            signed: world.changing(good).signed,
            body,
        };
        let verified = Arc::new(carried.verify(world.keys(), bits).unwrap());
        let mut draft = world.ledger.draft(&world.rows, world.ledger.head().time + 1);
        assert_eq!(draft.add(verified).unwrap(), fault(ChangeError::BodyMissing));
    }
    let mut bytes = good.to_bytes();
    bytes.push(0);
    let trailing = fault(ChangeError::Malformed(CodecError::Trailing));
    assert_eq!(judged(world, &world.on_committee_log(&bytes)), trailing);
    let idle = fault(ChangeError::Malformed(CodecError::Truncated));
    assert_eq!(judged(world, &world.on_committee_log(b"hello")), idle);
}

/// One life of a network; gives the number of terms and the largest number of turns missed by one member.
fn life(seed: u64, blocks: u64) -> (usize, usize) {
    let mut chance = Chance::new(seed);
    let mut world = World::new(4);
    world.introduce(1..=VALIDATORS);
    let (mut other, mut rows) = (Ledger::new(&world.genesis), Rows::default());
    let mut naive = Naive::new(&world);
    let (mut absent, mut missed) = (Vec::new(), 0);
    for _ in 0..blocks {
        if chance.once_in(30) {
            absent = voters(1 + chance.byte() % VALIDATORS..=VALIDATORS);
            absent.truncate(chance.place(4));
        }
        if chance.once_in(4) {
            tampering(&world, &naive, &mut chance);
        }
        let mut envelopes = Vec::new();
        for _ in 0..2 {
            envelopes.extend(agree(&world, &mut naive, &envelopes, &mut chance));
        }
        let turns = world.ledger.turns();
        let is_there = |member: &&ValidatorId| !absent.iter().any(|key| key.public() == **member);
        let proposer = turns.iter().find(is_there).unwrap_or(&turns[0]);
        missed += usize::from(*proposer != turns[0]);
        let step = world.propose_as(*proposer, world.ledger.head().time + 1_000, &envelopes);
        let header = step.header.clone();
        let entries = step.entries.iter().map(|entry| Arc::clone(&entry.carried)).collect();
        let checked = other.check(&rows, &header, entries, Vec::new()).unwrap();
        rows.apply(&checked);
        other.advance(checked);
        world.commit(step);
        naive.block(&world, &header);
        compare(&world, &other, &naive, &header);
    }
    (naive.terms.len(), missed)
}

/// Perhaps a change that everybody who votes agrees on.
fn agree(world: &World, naive: &mut Naive, drafted: &[Envelope], chance: &mut Chance) -> Option<Envelope> {
    if !chance.once_in(25) || !drafted.is_empty() {
        return None;
    }
    let next = world.height() + 1;
    let first = 1 + chance.byte() % (VALIDATORS - 1);
    let from = next + 1 + chance.below(40);
    let seeds = first..=VALIDATORS.min(first + chance.byte() % 7);
    let change = world.change(from, seeds, world.ledger.committee().quorum());
    let is_sooner = naive.pending(world).is_none_or(|pending| from < pending.from_height);
    let envelope = world.changing(&change);
    let expected = if is_sooner {
        Ok(())
    } else {
        Err(EntryFault::Change(ChangeError::Superseded))
    };
    assert_eq!(judged(world, &envelope), expected);
    if is_sooner {
        naive.agreed.push(change);
    }
    is_sooner.then_some(envelope)
}

fn compare(world: &World, other: &Ledger, naive: &Naive, header: &BlockHeader) {
    let keys = world.keys();
    let headers: Vec<BlockHeader> = world.headers().collect();
    let term = naive.current();
    let restored = Ledger::restore(&world.genesis, stored(world)).unwrap();
    for ledger in [&world.ledger, other, &restored] {
        assert_eq!(ledger.ladder().terms().cloned().collect::<Vec<_>>(), naive.terms);
        assert_eq!(ledger.committee(), &term.committee);
        assert_eq!(ledger.pending(), naive.pending(world));
        assert_eq!(ledger.turns(), naive_turns(term, &headers, header.height + 1));
    }
    assert_eq!(header.next_committee, term.committee.hash(keys));
    let own = naive.terms.iter().rfind(|term| term.from <= header.height).unwrap();
    assert_eq!(
        (header.term, header.committee),
        (own.committee.term(), own.committee.hash(keys))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn everybody_names_the_same_voters_and_proposers_as_the_lists_do(seed in any::<u64>()) {
        life(seed, 120);
    }
}

/// So that the law above is not about quiet lives: terms end in them, and members are passed over.
#[test]
fn random_lives_have_terms_and_absences() {
    let lives: Vec<(usize, usize)> = (0..6).map(|seed| life(seed, 250)).collect();
    let terms: usize = lives.iter().map(|life| life.0).sum();
    let missed: usize = lives.iter().map(|life| life.1).sum();
    assert!(terms > 20 && missed > 20, "{lives:?}");
}

/// Terms that begin at 3 and 5; an entry in every block.
fn three_terms() -> World {
    let mut world = World::new(4);
    world.introduce(1..=12);
    for (from, seeds) in [(3, 3..=9_u8), (5, 10..=12)] {
        let quorum = world.ledger.committee().quorum();
        world.grow(&[world.envelope(1, &[seeds.clone().min().unwrap()])]);
        world.grow(&[
            world.changing(&world.change(from, seeds, quorum)),
            world.envelope(2, b"beside"),
        ]);
    }
    world.grow(&[world.envelope(1, b"last")]);
    world
}

fn rungs(world: &World) -> Vec<Rung> {
    let terms = world.ledger.ladder().terms().filter(|term| term.from > 0);
    let rung = |term: &Term| Rung {
        head: world.head(term.from - 1),
        next: term.committee.clone(),
    };
    terms.map(rung).collect()
}

#[test]
fn a_receipt_of_any_term_convinces_who_knows_the_genesis_alone() {
    let world = three_terms();
    let all = rungs(&world);
    for height in 1..=5 {
        let term = usize::try_from(world.header(height).term).unwrap();
        let last = u32::try_from(world.block(height).entries.len()).unwrap() - 1;
        let receipt = world.receipt(height, last);
        for given in 0..=all.len() {
            let file = ReceiptFile {
                ladder: all[..given].to_vec(),
                receipt: receipt.clone(),
            };
            assert_eq!(ReceiptFile::from_bytes(&file.to_bytes()).as_ref(), Ok(&file));
            let verified = file.verify(&world.genesis);
            if given == term {
                let (ordered, committee) = verified.unwrap();
                assert_eq!(
                    (ordered.place.height, &committee),
                    (height, world.ledger.ladder().at(height))
                );
            } else {
                assert!(verified.is_err(), "block {height} with {given} changes");
            }
        }
    }
    let bare = ReceiptFile {
        ladder: Vec::new(),
        receipt: world.receipt(1, 0),
    };
    assert_eq!(bare.to_bytes(), bare.receipt.to_bytes());
    let mut empty = RECEIPT_FILE_MAGIC.to_vec();
    empty.extend([0; 4]);
    empty.extend(bare.receipt.to_bytes());
    assert_eq!(ReceiptFile::from_bytes(&empty), Err(CodecError::BadValue));
}

#[test]
fn a_receipt_over_a_made_up_change_convinces_nobody() {
    let world = three_terms();
    let good = ReceiptFile {
        ladder: rungs(&world),
        receipt: world.receipt(5, 0),
    };
    assert!(good.verify(&world.genesis).is_ok());
    let refused = |change: &dyn Fn(&mut ReceiptFile)| {
        let mut file = good.clone();
        change(&mut file);
        file.verify(&world.genesis).map(|_| ()).unwrap_err()
    };
    let rung = |index, fault| ReceiptFileError::Rung { index, fault };
    let usurper = Committee::new(2, good.ladder[0].next.members().to_vec()).unwrap();
    let made_up = refused(&|file| file.ladder[1].next = usurper.clone());
    assert_eq!(made_up, rung(1, RungFault::WrongCommittee));
    let swapped = refused(&|file| file.ladder.swap(0, 1));
    assert_eq!(swapped, rung(0, RungFault::Head(HeadError::WrongCommittee)));
    let few = refused(&|file| file.ladder[0].head = world.certify_with(&world.header(2), 2));
    assert_eq!(few, rung(0, RungFault::Head(HeadError::Quorum(QuorumError::TooFew))));
    let late = refused(&|file| file.receipt = world.receipt(4, 0));
    assert_eq!(late, rung(1, RungFault::TooLate));
    let elsewhere = refused(&|file| file.receipt.log_index += 1);
    let wrong_place = ReceiptError::Proof(ProofError::WrongRoot);
    assert_eq!(elsewhere, ReceiptFileError::Receipt(wrong_place));
}

#[test]
fn a_stranger_proposes_nothing() {
    let mut world = World::new(4);
    world.introduce(1..=9);
    let quorum = world.ledger.committee().quorum();
    world.grow(&[]);
    world.grow(&[world.changing(&world.change(3, 5..=9, quorum))]);
    for stranger in [
        ValidatorId([0; 32]),
        voters(1..=1)[0].public(),
        voters(20..=20)[0].public(),
    ] {
        let step = world.propose_as(stranger, world.ledger.head().time + 1, &[]);
        let refused = world.ledger.check(&world.rows, &step.header, Vec::new(), Vec::new());
        assert_eq!(refused.unwrap_err(), BlockError::Wrong(HeaderField::Proposer));
    }
    let member = voters(6..=6)[0].public();
    let step = world.propose_as(member, world.ledger.head().time + 1, &[]);
    assert!(
        world
            .ledger
            .check(&world.rows, &step.header, Vec::new(), Vec::new())
            .is_ok()
    );
}

#[test]
fn what_is_stored_must_lead_from_the_genesis_to_the_head() {
    let mut world = World::new(4);
    world.introduce(1..=9);
    let quorum = world.ledger.committee().quorum();
    world.grow(&[world.changing(&world.change(4, 5..=9, quorum))]);
    assert!(Ledger::restore(&world.genesis, stored(&world)).is_ok());
    let with = |change: &dyn Fn(&mut Stored)| {
        let mut stored = stored(&world);
        change(&mut stored);
        Ledger::restore(&world.genesis, stored).map(|_| ()).unwrap_err()
    };
    let other = |term: u64| Committee::new(term, world.change(4, 3..=7, 0).next.members().to_vec()).unwrap();
    let committee = RestoreError::WrongCommittee;
    assert_eq!(with(&|stored| stored.ladder = Ladder::new(other(0))), committee);
    let climbed = |stored: &mut Stored| {
        stored
            .ladder
            .climb(Term {
                from: 2,
                committee: other(1),
            })
            .unwrap()
    };
    assert_eq!(with(&climbed), committee);
    let unsigned = world.change(4, 5..=9, quorum - 1);
    assert_eq!(with(&|stored| stored.pending = Some(unsigned.clone())), committee);
    let late = world.change(2, 5..=9, quorum);
    assert_eq!(with(&|stored| stored.pending = Some(late.clone())), committee);
    let history = RestoreError::WrongHistory;
    assert_eq!(with(&|stored| stored.proposers.clear()), history);
    assert_eq!(with(&|stored| stored.proposers.push(ValidatorId([1; 32]))), history);
    (0..3).for_each(|_| {
        world.grow(&[]);
    });
    let climbed = stored(&world);
    assert_eq!((climbed.ladder.from(), climbed.proposers.len()), (4, 1));
    let forgotten = Stored {
        ladder: Ladder::new(world.genesis.committee()),
        ..stored(&world)
    };
    assert_eq!(
        Ledger::restore(&world.genesis, forgotten).map(|_| ()).unwrap_err(),
        committee
    );
}
