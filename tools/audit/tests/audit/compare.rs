//! Two histories held against each other: where they agree, where they part, and what is handed out then.

use std::path::PathBuf;
use std::sync::Arc;

use waxwing_audit::bundle::export;
use waxwing_audit::compare::{
    BundleHeads, CompareError, Comparison, Heads, Outcome, Which, compare, compare_with_evidence,
};
use waxwing_audit::directory::Directory;
use waxwing_audit::source::{SourceError, SourceKind};
use waxwing_core::Hash;
use waxwing_core::certificate::Head;
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Carried, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::evidence_file::{EvidenceFile, Rung};
use waxwing_core::genesis::{FirstOfLog, Genesis};
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::verdict::Verdict;
use waxwing_core::{Meaning, Verified};
use waxwing_store::MemoryTables;
use waxwing_store::fixture::{World, genesis, validator};

use crate::histories::{History, VALIDATORS, live, note, town};

/// Heads in memory, to be changed by tests.
#[derive(Clone)]
struct Listed {
    genesis: Genesis,
    heads: Vec<Head>,
}

impl Listed {
    fn of(world: &World<MemoryTables>) -> Self {
        let history = History::of(world);
        Self {
            genesis: history.genesis,
            heads: history.blocks.into_iter().map(|block| block.head).collect(),
        }
    }
}

impl Heads for Listed {
    fn kind(&self) -> SourceKind {
        SourceKind::Memory
    }

    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn newest(&mut self) -> Result<u64, SourceError> {
        Ok(u64::try_from(self.heads.len()).unwrap())
    }

    fn head(&mut self, height: u64) -> Result<Option<Head>, SourceError> {
        let place = usize::try_from(height - 1).unwrap();
        Ok(self.heads.get(place).cloned())
    }

    fn ladder(&mut self) -> Result<Vec<Rung>, SourceError> {
        Ok(Vec::new())
    }
}

/// A history of so many blocks, the first `shared` of which every history has; the others differ by `salt`.
fn world(shared: u64, blocks: u64, salt: u64) -> World<MemoryTables> {
    let mut world = town();
    for number in 0..blocks {
        let number = if number < shared { number } else { number + 1000 * salt };
        world.append(100, &[note(number % 3, number)]);
    }
    world
}

fn policy(genesis: &Genesis, head: Option<PinnedHead>) -> Policy {
    Policy {
        genesis: genesis.clone(),
        head,
    }
}

fn pin(heads: &Listed, height: usize) -> Option<PinnedHead> {
    let header = &heads.heads[height - 1].header;
    Some(PinnedHead {
        height: header.height,
        id: header.id(&heads.genesis.keys()),
    })
}

fn compared(first: &mut dyn Heads, second: &mut dyn Heads) -> Comparison {
    let policy = policy(first.genesis(), None);
    compare(first, second, Some(&policy)).unwrap()
}

#[test]
fn one_history_is_told_with_its_length_and_who_is_longer() {
    let (short, long) = (world(9, 5, 0), world(9, 9, 0));
    let (mut short, mut long) = (Listed::of(&short), Listed::of(&long));
    let found = compared(&mut short, &mut long);
    let Outcome::Agree { common, not_pinned } = &found.outcome else {
        panic!("{found}")
    };
    assert_eq!(
        (found.verdict, common.height, *not_pinned),
        (Verdict::Verified, 5, None)
    );
    let text = found.to_string();
    assert!(
        text.starts_with("VERIFIED  one history, the same block at height 5 ")
            && text.contains("block 9, 4 blocks longer"),
        "{text}"
    );
    let mut none = Listed {
        heads: Vec::new(),
        ..short.clone()
    };
    let found = compared(&mut none, &mut long);
    assert!(
        matches!(&found.outcome, Outcome::Agree { common, .. } if common.height == 0),
        "{found}"
    );
}

#[test]
fn wherever_two_histories_part_that_height_is_found_and_proven() {
    for shared in 0..8 {
        for (first, second) in [(8, 8), (12, 8), (9, 13)] {
            let (mut one, mut two) = (
                Listed::of(&world(shared, first, 1)),
                Listed::of(&world(shared, second, 2)),
            );
            let found = compared(&mut one, &mut two);
            assert_eq!(found.verdict, Verdict::Diverged, "{found}");
            let Outcome::Differ(difference) = &found.outcome else {
                panic!("{found}")
            };
            assert_eq!(difference.common.height, shared);
            let file = found.evidence().unwrap();
            assert_eq!(file.evidence.height(), shared + 1);
            assert!(file.verify().is_ok());
            assert_eq!(EvidenceFile::from_bytes(&file.to_bytes()).as_ref(), Ok(file));
            // All signed both, in one round: each of them is convicted.
            assert_eq!(difference.convicted, one.genesis.validators);
            let swapped = compared(&mut two, &mut one);
            assert_eq!(
                swapped.evidence(),
                Some(file),
                "the evidence does not depend on the order"
            );
        }
    }
}

#[test]
fn the_policy_says_whether_agreement_means_anything() {
    let (mut one, mut two) = (Listed::of(&world(9, 6, 0)), Listed::of(&world(9, 9, 0)));
    let genesis = one.genesis.clone();
    let mut verdict = |policy: Option<Policy>| compare(&mut one, &mut two, policy.as_ref()).unwrap().verdict;
    assert_eq!(verdict(None), Verdict::Unanchored);
    assert_eq!(verdict(Some(policy(&self::genesis(7), None))), Verdict::Unanchored);
    assert_eq!(verdict(Some(policy(&genesis, None))), Verdict::Verified);
    let long = Listed::of(&world(9, 9, 0));
    assert_eq!(verdict(Some(policy(&genesis, pin(&long, 6)))), Verdict::Verified);
    assert_eq!(verdict(Some(policy(&genesis, pin(&long, 7)))), Verdict::Incomplete);
    let other = Listed::of(&world(2, 9, 5));
    assert_eq!(verdict(Some(policy(&genesis, pin(&other, 2)))), Verdict::Verified);
    assert_eq!(verdict(Some(policy(&genesis, pin(&other, 4)))), Verdict::Diverged);
}

#[test]
fn nobody_is_accused_of_what_was_not_certified() {
    let good = Listed::of(&world(9, 9, 0));
    let broken = |change: &dyn Fn(&mut Listed)| {
        let mut other = good.clone();
        change(&mut other);
        let found = compared(&mut good.clone(), &mut other);
        let swapped = compared(&mut other, &mut good.clone());
        let (Outcome::Broken { which, height, why }, Outcome::Broken { which: first, .. }) =
            (&found.outcome, &swapped.outcome)
        else {
            panic!("{found}{swapped}")
        };
        assert_eq!((*which, *first), (Which::Second, Which::First));
        assert_eq!(found.verdict, Verdict::Tampered);
        assert!(found.evidence().is_none());
        (*height, why.clone())
    };
    // The newest common block was changed, or given too few signatures.
    let (height, why) = broken(&|other| other.heads[8].header.time += 1);
    assert!(
        height == 9 && why.contains("a validator's signature does not count"),
        "{why}"
    );
    let (height, why) = broken(&|other| other.heads[8].certificate.round += 1);
    assert!(height == 9 && why.contains("not certified"), "{why}");
    // All blocks from the fifth on were exchanged for others whose certificates are not theirs.
    let forged = Listed::of(&world(4, 9, 1));
    let (height, why) = broken(&|other| {
        for (place, head) in forged.heads.iter().enumerate().skip(4) {
            other.heads[place].header = head.header.clone();
        }
    });
    assert!(height == 5 && why.contains("not certified"), "{height}: {why}");
    // A certified block of another history, in the place of the right one.
    let (height, why) = broken(&|other| other.heads[8] = forged.heads[8].clone());
    assert!(height == 9 && why.contains("does not follow"), "{height}: {why}");
    let (height, why) = broken(&|other| other.heads[8] = other.heads[7].clone());
    assert!(height == 9 && why.contains("block 8 stands in its place"), "{why}");
}

#[test]
fn histories_of_two_networks_are_not_compared() {
    let (mut one, mut two) = (Listed::of(&town()), Listed::of(&World::found(MemoryTables::new(), 1)));
    let networks = [one.genesis.network(), two.genesis.network()];
    assert_eq!(
        compare(&mut one, &mut two, None),
        Err(CompareError::OtherNetworks(networks))
    );
}

fn bundle(world: &World<MemoryTables>, name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut bytes = Vec::new();
    export(&mut History::of(world).source(), &mut bytes, &mut |_| ()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn bundles_and_directories_say_the_same() {
    let (one, two) = (world(4, 9, 1), world(4, 7, 2));
    let expected = compared(&mut Listed::of(&one), &mut Listed::of(&two));
    let ((_kept, first), (_also, second)) = (bundle(&one, "one"), bundle(&two, "two"));
    let mut of_bundles = [BundleHeads::open(&first).unwrap(), BundleHeads::open(&second).unwrap()];
    let [a, b] = &mut of_bundles;
    let bundles = compared(a, b);
    assert_eq!(
        (&bundles.outcome, bundles.verdict),
        (&expected.outcome, expected.verdict)
    );
    let directory = |world: World<MemoryTables>| Directory::of(Arc::new(world.store), [1; 32]);
    let mixed = compared(&mut directory(one), b);
    assert_eq!(mixed.outcome, expected.outcome);
    let kinds = mixed.sides.map(|(kind, _)| kind);
    assert_eq!(kinds, [SourceKind::Directory, SourceKind::Bundle]);

    let bytes = std::fs::read(&first).unwrap();
    for end in [20, bytes.len() / 2, bytes.len() - 44] {
        std::fs::write(&second, &bytes[..end]).unwrap();
        assert!(
            matches!(BundleHeads::open(&second), Err(SourceError::Malformed { .. })),
            "cut at {end}"
        );
    }
}

#[test]
fn an_evidence_file_says_on_which_side_a_history_is() {
    let (mut one, mut two) = (Listed::of(&world(4, 9, 1)), Listed::of(&world(4, 9, 2)));
    let found = compared(&mut one, &mut two);
    let file = found.evidence().unwrap().clone();
    let side = |history: &mut Listed| {
        let held = compare_with_evidence(&file, history, Which::First, None).unwrap();
        assert_eq!(held.verdict, Verdict::Diverged, "{held}");
        let swapped = compare_with_evidence(&file, history, Which::Second, None).unwrap();
        assert_eq!(
            (swapped.outcome, swapped.sides[0]),
            (held.outcome.clone(), held.sides[1])
        );
        held.to_string()
    };
    let (with_one, with_two) = (side(&mut one), side(&mut two));
    let has = |which: &str| format!("the history has the {which} of the two");
    let is_first = with_one.contains(&has("first"));
    assert!(is_first != with_two.contains(&has("first")), "{with_one}{with_two}");
    assert!(is_first != with_one.contains(&has("second")), "{with_one}{with_two}");
    assert!(side(&mut Listed::of(&world(4, 9, 3))).contains("neither of the two"));
    assert!(side(&mut Listed::of(&world(4, 4, 3))).contains("does not reach so far"));

    let mut forged = file.clone();
    if let waxwing_core::evidence::Evidence::TwoHeads(heads) = &mut forged.evidence {
        heads.first.header.time += 1;
    }
    let refuted = compare_with_evidence(&forged, &mut one, Which::First, None).unwrap();
    assert_eq!(refuted.verdict, Verdict::Tampered);
    assert!(refuted.to_string().contains("the evidence does not hold"), "{refuted}");
    let mut elsewhere = Listed::of(&World::found(MemoryTables::new(), 1));
    let foreign = compare_with_evidence(&file, &mut elsewhere, Which::First, None);
    assert!(matches!(foreign, Err(CompareError::OtherNetworks(_))));
}

#[test]
fn two_votes_convict_a_validator_and_take_nothing_from_the_history() {
    let mut world = World::found(MemoryTables::new(), 1);
    for number in 0..5 {
        world.append(100, &[note(0, number)]);
    }
    let (mut history, file) = (Listed::of(&world), smallest());
    let held = |history: &mut Listed, policy: Option<&Policy>| {
        compare_with_evidence(&file, history, Which::First, policy).unwrap()
    };
    let policy = |head| Policy {
        genesis: genesis(1),
        head,
    };
    let unanchored = held(&mut history, None);
    assert_eq!(unanchored.verdict, Verdict::Unanchored, "{unanchored}");
    let other = Policy {
        genesis: genesis(4),
        head: None,
    };
    assert_eq!(held(&mut history, Some(&other)).verdict, Verdict::Unanchored);

    let verified = held(&mut history, Some(&policy(None)));
    assert_eq!((verified.verdict, verified.exit_code()), (Verdict::Verified, 0));
    let text = verified.to_string();
    assert!(
        text.contains("the evidence holds: a validator cast two contradicting votes"),
        "{text}"
    );
    assert!(text.contains("it says nothing against the history"), "{text}");
    assert!(
        text.contains("have the validator replaced") && text.contains("may be an accident"),
        "{text}"
    );
    assert!(!text.contains("believe nothing"), "{text}");

    // What the policy pins of the history counts as ever.
    let pin = |height| {
        let id = Hash([7; 32]);
        policy(Some(PinnedHead { height, id }))
    };
    let parted = held(&mut history, Some(&pin(2)));
    assert_eq!(parted.verdict, Verdict::Diverged, "{parted}");
    assert!(
        parted
            .to_string()
            .contains("not the one of which the policy pins a block")
    );
    assert_eq!(held(&mut history, Some(&pin(99))).verdict, Verdict::Incomplete);
}

/// Orders a change of the committee that takes over `later` blocks after the next one.
fn change_committee(world: &mut World<MemoryTables>, members: &[u8], later: u64) {
    let (keys, current) = (world.ledger.keys().clone(), world.ledger.committee().clone());
    let from = world.ledger.head().height + 1 + later;
    let next = members.iter().map(|number| validator(*number).public()).collect();
    let mut change = CommitteeChange::propose(&keys, &current, from, next).unwrap();
    for number in 0..VALIDATORS {
        // Those who do not vote have no say; the others are enough.
        let _ = change.sign(&current, &validator(number));
    }
    let entry = on_committee_log(world, change.to_bytes());
    let (step, certificate) = world.propose(100, &[entry]);
    world.store.commit(&step, &certificate).unwrap();
    world.ledger.advance(step);
}

fn on_committee_log(world: &World<MemoryTables>, body: Vec<u8>) -> Arc<Verified<Carried>> {
    let (keys, key) = (world.ledger.keys(), world.store.genesis().committee_log());
    let parameters = world.ledger.parameters();
    let mut header = EnvelopeHeader {
        body_length: u32::try_from(body.len()).unwrap(),
        log: key.public(),
        anchor: world.ledger.anchors().newest().unwrap(),
        body_hash: keys.hash(Meaning::Body, &body),
        erasure: ErasureSecret([7; 32]).commitment(keys),
        keep_for: KeepFor::Ever,
        nonce: 0,
    };
    header.grind(keys, parameters.required_bits(header.body_length, FirstOfLog::Yes));
    let envelope = Envelope {
        signed: header.sign(keys, &key),
        body,
    };
    Arc::new(envelope.verify(keys, parameters.stamp_bits).unwrap())
}

/// A history in which the committee loses a member twice, and which goes on after a fork in the last term.
fn changing(salt: u64) -> World<MemoryTables> {
    let mut world = town();
    live(&mut world);
    change_committee(&mut world, &[0, 1, 2], 2);
    for number in 0..4 {
        world.append(100, &[note(1, 50 + number)]);
    }
    change_committee(&mut world, &[0, 1], 1);
    for number in 0..3 {
        world.append(100, &[note(1, 60 + number)]);
    }
    for number in 0..3 {
        world.append(100, &[note(2, 100 * salt + number)]);
    }
    world
}

#[test]
fn evidence_against_a_later_committee_carries_the_ladder_to_it() {
    let (one, two) = (changing(1), changing(2));
    assert_eq!(one.ledger.committee().term(), 2);
    let ((_kept, first), (_also, second)) = (bundle(&one, "one"), bundle(&two, "two"));
    let shared = one.ledger.head().height - 3;
    let directory = |world: World<MemoryTables>| Directory::of(Arc::new(world.store), [1; 32]);
    let found = compared(&mut directory(one), &mut directory(two));
    let Outcome::Differ(difference) = &found.outcome else {
        panic!("{found}")
    };
    assert_eq!(difference.common.height, shared);
    let file = &difference.file;
    assert_eq!((file.ladder.len(), file.verify().unwrap().term()), (2, 2));
    let mut accused: Vec<_> = [0, 1].map(|number| validator(number).public()).to_vec();
    accused.sort_unstable();
    assert_eq!(difference.convicted, accused);

    let (mut a, mut b) = (BundleHeads::open(&first).unwrap(), BundleHeads::open(&second).unwrap());
    assert_eq!(
        compared(&mut a, &mut b).outcome,
        found.outcome,
        "a bundle's ladder is found in its blocks"
    );
}

#[test]
fn a_history_whose_committee_changed_is_audited_to_its_end() {
    let history = History::of(&changing(1));
    let report = history.verdict();
    assert_eq!((report.verdict, report.terms), (Verdict::Verified, 3), "{report}");
    assert!(
        report.headline().contains("certified by the committees of 3 terms"),
        "{report}"
    );
    let last = history.blocks.len();
    // A block certified by a committee whose term is over.
    for (height, expected) in [(last, Verdict::Tampered), (1, Verdict::Tampered)] {
        let mut other = history.clone();
        let head = &mut other.at(height).head;
        let keys = history.genesis.keys();
        let old = [0, 1, 2, 3].map(validator);
        let voters: Vec<_> = old.iter().collect();
        let committee = if height == 1 {
            waxwing_core::committee::Committee::new(1, history.genesis.validators.clone()).unwrap()
        } else {
            history.genesis.committee()
        };
        head.header.term = committee.term();
        head.header.committee = committee.hash(&keys);
        let id = head.header.id(&keys);
        head.certificate = waxwing_core::certificate::Certificate::sign(&committee, 0, &head.header, id, &voters);
        let report = other.verdict();
        assert_eq!(report.verdict, expected, "{report}");
        assert_eq!(report.first().unwrap().at.height, u64::try_from(height).unwrap());
    }
}

/// The evidence file of the specification: one validator, two precommits.
fn smallest() -> EvidenceFile {
    use waxwing_core::certificate::{VoteKind, vote_message};
    use waxwing_core::evidence::{Evidence, TwoVotes};

    let (genesis, key) = (genesis(1), validator(0));
    let vote = |block: Hash| {
        let message = vote_message(genesis.network(), VoteKind::Precommit, 1, 0, block);
        (block, key.sign(&message))
    };
    let evidence = Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind: VoteKind::Precommit,
        height: 1,
        round: 0,
        first: vote(Hash([1; 32])),
        second: vote(Hash([2; 32])),
    }));
    EvidenceFile {
        genesis,
        ladder: Vec::new(),
        evidence,
    }
}

#[test]
fn the_worked_example_of_an_evidence_file_is_what_is_written() {
    let file = smallest();
    assert!(file.verify().is_ok());
    let bytes = file.to_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(crate::bundle::worked_example(2), bytes, "{hex}");
}
