//! Changes of the committee, what may stand on the committee log, and whose turn it is to propose.

use serde_json::{Value, json};
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::{VoteKind, vote_message};
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Body, Carried, Envelope, KeepFor};
use waxwing_core::evidence::{Evidence, TwoVotes};
use waxwing_core::evidence_file::Rung;
use waxwing_core::hash::Hash;
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_core::limits::EVIDENCE_MAX;
use waxwing_core::receipt_file::{RECEIPT_FILE_MAGIC, ReceiptFile};
use waxwing_rules::terms::{committee_secret, sign};
use waxwing_rules::world::{World, voters};

use crate::case::{Cases, hex};

/// Validators of seeds 1 to 4, later 3 to 9.
fn world() -> World {
    let mut world = World::new(4);
    world.introduce(1..=9);
    world
}

fn given(change: &CommitteeChange) -> Value {
    json!({"bytes": hex(change.to_bytes())})
}

pub(crate) fn changes() -> Cases {
    let world = world();
    let story = "Changes of the committee that the four founders sign, and their refusals.";
    let shared = json!({"genesis": hex(world.genesis.to_bytes())});
    let mut cases = Cases::new(story, shared);
    let good = world.change(40, 3..=9, 3);
    cases.accept("a change, signed by three of four", "committee change", given(&good));
    let all = world.change(40, 3..=9, 4);
    cases.accept("a change, signed by all", "committee change", given(&all));
    let same = world.change(40, 1..=4, 3);
    cases.accept("the same members for another term", "committee change", given(&same));
    refused_changes(&mut cases, &world, &good);
    cases.cut_and_extended("committee change", &good.to_bytes());
    let mut magic = good.to_bytes();
    magic[7] = 2;
    let magic = json!({"bytes": hex(magic)});
    let name = "a change has its magic and version";
    cases.refuse("Codec(WrongMagic)", name, "committee change", magic);
    cases
}

fn refused_changes(cases: &mut Cases, world: &World, good: &CommitteeChange) {
    let mut refuse = |rule: &str, name: &str, change: &CommitteeChange| {
        cases.refuse(rule, name, "committee change", given(change));
    };
    let few = world.change(40, 3..=9, 2);
    refuse("Quorum(TooFew)", "a quorum of those who vote now signs", &few);
    let next: Vec<VoteKey> = voters(5..=9);
    let next: Vec<&VoteKey> = next.iter().take(4).collect();
    let usurped = sign(good.clone(), world.ledger.committee(), &next);
    let rule = "Quorum(BadSignature)";
    refuse(rule, "the next committee has no say about itself", &usurped);
    let mut later = good.clone();
    later.from_height += 1;
    refuse(rule, "the height is signed", &later);
    let mut others = good.clone();
    others.next = Committee::new(1, good.next.members()[1..].to_vec()).unwrap();
    refuse(rule, "the next members are signed", &others);
    let foreign = CommitteeChange {
        network: Hash([0xaa; 32]),
        ..good.clone()
    };
    refuse(
        "ForeignNetwork",
        "a change is for one network",
        &world.signed(foreign, 3),
    );
    let replayed = CommitteeChange {
        current: good.next.hash(world.keys()),
        ..good.clone()
    };
    let rule = "OtherCommittee";
    refuse(
        rule,
        "a change names the committee that signs it",
        &world.signed(replayed, 3),
    );
    let far = CommitteeChange {
        next: Committee::new(2, good.next.members().to_vec()).unwrap(),
        ..good.clone()
    };
    refuse("WrongTerm", "the next term follows", &world.signed(far, 3));
}

/// A network of four, with a change agreed on in block 2 that takes over at 6, and one in block 3 that takes over at 5.
fn agreed() -> (World, Vec<CommitteeChange>) {
    let mut world = world();
    world.grow(&[]);
    let (late, soon) = (world.change(6, 1..=3, 3), world.change(5, 3..=9, 3));
    world.grow(&[world.changing(&late)]);
    world.grow(&[world.changing(&soon)]);
    (world, vec![late, soon])
}

/// The next block with these entries, claiming nothing but their number: good enough to be refused for them.
fn holding(world: &World, entries: Vec<Carried>, evidence: Vec<Evidence>) -> Value {
    let empty = world.propose(world.ledger.head().time + 1_000, &[], Vec::new());
    let count = u32::try_from(entries.len()).unwrap();
    let header = BlockHeader {
        entry_count: count,
        total_entries: empty.header.total_entries + u64::from(count),
        ..empty.header
    };
    let block = waxwing_core::block::CertifiedBlock {
        head: world.certify(&header),
        entries,
        evidence,
    };
    json!({"candidate": hex(block.to_bytes())})
}

fn with_entry(world: &World, envelope: Envelope, body: Option<Body>) -> Value {
    let body = body.unwrap_or(Body::Present(envelope.body));
    let signed = envelope.signed;
    holding(world, vec![Carried { signed, body }], Vec::new())
}

fn sound(world: &World, envelopes: &[Envelope], evidence: Vec<Evidence>) -> Value {
    let step = world.propose(world.ledger.head().time + 1_000, envelopes, evidence);
    json!({"candidate": hex(world.certified(&step).to_bytes())})
}

/// The blocks so far, for the cases that start from them.
fn history(world: &World) -> Value {
    let blocks: Vec<String> = world.blocks.iter().map(|block| hex(block.to_bytes())).collect();
    json!(blocks)
}

pub(crate) fn terms() -> Cases {
    let (mut world, old) = agreed();
    let story = "A network of four validators that changes its committee: what may stand on the committee log, and when \
        the next committee takes over. Block 2 agrees on a change from height 6 on, block 3 on another from 5 on.";
    let blocks = history(&world);
    let shared = json!({"genesis": hex(world.genesis.to_bytes()), "blocks": blocks});
    let mut cases = Cases::new(story, shared);
    cases.accept(
        "the sooner change takes over behind block 4",
        "next block",
        sound(&world, &[], Vec::new()),
    );
    while_it_waits(&mut cases, &world);
    world.grow(&[]);
    let mut next = |cases: &mut Cases, rule: Option<&str>, name: &str, mut given: Value| {
        given["blocks"] = history(&world);
        match rule {
            None => cases.accept(name, "next block", given),
            Some(rule) => cases.refuse(rule, name, "next block", given),
        }
    };
    next(
        &mut cases,
        None,
        "the first block of the next term",
        sound(&world, &[], Vec::new()),
    );
    let own = world.change(6, 1..=4, 5);
    let changed = sound(&world, &[world.changing(&own)], Vec::new());
    next(
        &mut cases,
        None,
        "the next committee changes the committee in its first block",
        changed,
    );
    let fault = |error: &str| format!("Entry {{ place: 0, fault: Change({error}) }}");
    for (change, error) in old.iter().zip(["OtherCommittee", "NotAhead"]) {
        let again = with_entry(&world, world.changing(change), None);
        let name = format!("a change counts once: {error}");
        next(&mut cases, Some(&fault(error)), &name, again);
    }
    committees(&mut cases, &world, &mut next);
    evidence(&mut cases, &world, &mut next);
    cases
}

fn while_it_waits(cases: &mut Cases, world: &World) {
    let now = world.change(5, 1..=4, 3);
    let mut refuse = |error: &str, name: &str, given: Value| {
        let rule = format!("Entry {{ place: 0, fault: Change({error}) }}");
        cases.refuse(&rule, name, "next block", given);
    };
    let entry = |change: &CommitteeChange| with_entry(world, world.changing(change), None);
    refuse("Superseded", "nothing replaces a change but a sooner one", entry(&now));
    refuse(
        "NotAhead",
        "the block's own height is not ahead",
        entry(&world.change(4, 1..=4, 3)),
    );
    let early = {
        let mut world = self::world();
        world.grow(&[]);
        world
    };
    let mut refuse_early = |error: &str, name: &str, mut given: Value| {
        given["blocks"] = history(&early);
        refuse(error, name, given);
    };
    let entry = |change: &CommitteeChange| with_entry(&early, early.changing(change), None);
    let good = early.change(9, 3..=9, 3);
    let few = entry(&early.change(9, 3..=9, 2));
    refuse_early(
        "Quorum(TooFew)",
        "on the committee log stands what a quorum signed",
        few,
    );
    let envelope = early.changing(&good);
    let secret = Body::Erased(committee_secret(early.height()));
    refuse_early(
        "BodyMissing",
        "an erased change cannot be checked",
        with_entry(&early, envelope.clone(), Some(secret)),
    );
    let withheld = with_entry(&early, envelope, Some(Body::Withheld));
    refuse_early("BodyMissing", "a withheld change cannot be checked", withheld);
    let year = early.on_committee_log_for(&good.to_bytes(), KeepFor::Year);
    refuse_early(
        "WouldExpire",
        "a change is kept for ever",
        with_entry(&early, year, None),
    );
    let idle = with_entry(&early, early.on_committee_log(b"hello"), None);
    refuse_early(
        "Malformed(Truncated)",
        "nothing but changes stands on the committee log",
        idle,
    );
}

type Add<'a> = &'a mut dyn FnMut(&mut Cases, Option<&str>, &str, Value);

/// Headers of the first block of term 1 that name the wrong people.
fn committees(cases: &mut Cases, world: &World, next: Add<'_>) {
    let step = world.propose(world.ledger.head().time + 1_000, &[], Vec::new());
    let altered = |change: &dyn Fn(&mut BlockHeader)| {
        let mut block = world.certified(&step);
        change(&mut block.head.header);
        json!({"candidate": hex(block.to_bytes())})
    };
    let founders = world.genesis.committee();
    let hash = founders.hash(world.keys());
    let old = altered(&|header| (header.term, header.committee, header.next_committee) = (0, hash, hash));
    next(
        cases,
        Some("Wrong(Committee)"),
        "the former committee's term is over",
        old,
    );
    let lasting = altered(&|header| header.next_committee = hash);
    next(
        cases,
        Some("Wrong(Committee)"),
        "nobody agreed on another change",
        lasting,
    );
    let former = founders.members()[0];
    assert!(!world.ledger.committee().members().contains(&former));
    let stranger = altered(&|header| header.proposer = former);
    next(cases, Some("Wrong(Proposer)"), "the proposer votes", stranger);
    let nobody = altered(&|header| header.proposer = ValidatorId([0; 32]));
    next(cases, Some("Wrong(Proposer)"), "somebody proposes", nobody);
}

fn two_votes(world: &World, key: &VoteKey, height: u64) -> Evidence {
    let vote = |block: u8| -> (Hash, Signature) {
        let message = vote_message(world.keys().network(), VoteKind::Prevote, height, 0, Hash([block; 32]));
        (Hash([block; 32]), key.sign(&message))
    };
    Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind: VoteKind::Prevote,
        height,
        round: 0,
        first: vote(1),
        second: vote(2),
    }))
}

fn evidence(cases: &mut Cases, world: &World, next: Add<'_>) {
    let founders = world.genesis.committee();
    let members = world.ledger.committee();
    let key = |of: &Committee, not: &Committee| {
        let only = |key: &&&VoteKey| !not.members().contains(&key.public());
        (*world.keys_of(of).iter().find(only).unwrap()).clone()
    };
    let (former, present) = (key(&founders, members), key(members, &founders));
    let own = vec![two_votes(world, &former, 4), two_votes(world, &present, 5)];
    let good = sound(world, &[], own);
    next(cases, None, "evidence against members of both terms", good);
    let one = |evidence: Evidence| holding(world, Vec::new(), vec![evidence]);
    let rule = Some("Evidence(Stranger)");
    next(
        cases,
        rule,
        "a former member had no vote any more",
        one(two_votes(world, &former, 5)),
    );
    next(
        cases,
        rule,
        "a later member had no vote yet",
        one(two_votes(world, &present, 4)),
    );
    let ahead = one(two_votes(world, &present, 6));
    next(
        cases,
        Some("Evidence(NotYet)"),
        "nobody votes above the next block",
        ahead,
    );
    let most = usize::try_from(EVIDENCE_MAX).unwrap();
    let many = vec![two_votes(world, &present, 5); most + 1];
    let rule = Some("Codec(TooLong)");
    next(
        cases,
        rule,
        "a block carries at most 16 pieces",
        holding(world, Vec::new(), many),
    );
}

/// Who proposed each height of a term of four, and what comes of it.
pub(crate) fn turns() -> Cases {
    let story = "Whose turn it is: members of a committee by their place in it, the proposers of all blocks of its term \
        (from height 1 on, or from the height under `from`), and the order in which members propose the next block.";
    let members: Vec<ValidatorId> = voters(1..=4).iter().map(VoteKey::public).collect();
    let committee = Committee::new(3, members).unwrap();
    let mut cases = Cases::new(story, json!({"committee": hex(committee.to_bytes())}));
    let mut add = |name: &str, from: u64, proposers: &[u64]| {
        cases.accept(name, "turns", json!({"from": from, "proposers": proposers}));
    };
    add("nobody has proposed", 1, &[]);
    add("a term that begins at height 42", 42, &[]);
    add("everybody proposed in turn", 1, &[1, 2, 3, 0, 1, 2]);
    add("a member that missed its turn comes last", 1, &[2]);
    add("after one miss it is tried at its own turn", 1, &[2, 2, 3, 0]);
    add("after two it is not", 1, &[2, 2, 3, 0, 2, 2, 3, 0]);
    add("after three it is", 1, &[2, 2, 3, 0, 2, 2, 3, 0, 2, 2, 3, 0]);
    add(
        "one block of its own makes it as good as any",
        1,
        &[2, 2, 3, 0, 2, 2, 3, 0, 2, 2, 3, 0, 1, 2, 3, 0],
    );
    add("nobody took its own turn", 1, &[0, 1, 2, 3, 0, 1, 2, 3]);
    let long = |turns: usize| -> Vec<u64> { [2, 2, 3, 0].repeat(turns) };
    for missed in [31, 32, 62, 63, 64, 127, 128] {
        add(&format!("member 1 missed {missed} turns"), 1, &long(missed));
    }
    cases
}

/// Terms that begin at 3 and 4; an entry in block 4.
pub(crate) fn receipt_files() -> Cases {
    let mut world = world();
    world.grow(&[world.envelope(1, b"first")]);
    world.grow(&[world.changing(&world.change(3, 3..=9, 3))]);
    world.grow(&[world.changing(&world.change(4, 7..=7, 5))]);
    world.grow(&[world.envelope(1, b"last")]);
    let story = "Receipts with the changes of the committee that lead to their own, for who knows the genesis alone.";
    let shared = json!({"genesis": hex(world.genesis.to_bytes())});
    let mut cases = Cases::new(story, shared);
    let terms = world.ledger.ladder().terms().filter(|term| term.from > 0);
    let rung = |term: &waxwing_core::ladder::Term| Rung {
        head: world.head(term.from - 1),
        next: term.committee.clone(),
    };
    let ladder: Vec<Rung> = terms.map(rung).collect();
    let file = |ladder: &[Rung], height: u64| ReceiptFile {
        ladder: ladder.to_vec(),
        receipt: world.receipt(height, 0),
    };
    let check = "receipt file";
    let given = |file: &ReceiptFile| json!({"bytes": hex(file.to_bytes())});
    cases.accept("of the founders: the receipt itself", check, given(&file(&[], 1)));
    cases.accept(
        "of the next term, in its first block",
        check,
        given(&file(&ladder[..1], 3)),
    );
    cases.accept("of the term after that", check, given(&file(&ladder, 4)));
    let mut refuse = |rule: &str, name: &str, file: &ReceiptFile| cases.refuse(rule, name, check, given(file));
    let rule = "Receipt(Head(WrongCommittee))";
    refuse(rule, "no change is left out", &file(&ladder[..1], 4));
    refuse(
        "Rung { index: 1, fault: TooLate }",
        "no change comes after the block",
        &file(&ladder, 3),
    );
    let twice = [ladder[0].clone(), ladder[0].clone()];
    let rule = "Rung { index: 1, fault: Head(WrongCommittee) }";
    refuse(rule, "a change counts once in a ladder too", &file(&twice, 4));
    made_up_changes(&mut cases, &world, &ladder);
    cases.cut_and_extended(check, &file(&ladder, 4).to_bytes());
    let mut empty = RECEIPT_FILE_MAGIC.to_vec();
    empty.extend([0; 4]);
    empty.extend(world.receipt(1, 0).to_bytes());
    let empty = json!({"bytes": hex(empty)});
    cases.refuse("Codec(BadValue)", "without changes there is no ladder", check, empty);
    let other = json!({"bytes": hex(*b"WXRECLA\x02rest")});
    cases.refuse("Codec(WrongMagic)", "a file has its magic and version", check, other);
    cases
}

/// Ladders of which one rung is not what it should be.
fn made_up_changes(cases: &mut Cases, world: &World, ladder: &[Rung]) {
    let mut refuse = |rule: &str, name: &str, ladder: Vec<Rung>| {
        let receipt = world.receipt(4, 0);
        let bytes = ReceiptFile { ladder, receipt }.to_bytes();
        cases.refuse(rule, name, "receipt file", json!({"bytes": hex(bytes)}));
    };
    let mut made_up = ladder.to_vec();
    made_up[0].next = Committee::new(1, world.genesis.validators.clone()).unwrap();
    let rule = "Rung { index: 0, fault: WrongCommittee }";
    refuse(rule, "a rung brings the committee its block names", made_up);
    let mut few = ladder.to_vec();
    few[0].head = world.certify_with(&world.header(2), 2);
    let rule = "Rung { index: 0, fault: Head(Quorum(TooFew)) }";
    refuse(rule, "a rung's block is certified", few);
    let mut founding = ladder.to_vec();
    let named = BlockHeader {
        next_committee: ladder[0].next.hash(world.keys()),
        ..world.genesis.block()
    };
    founding[0].head = world.certify(&named);
    let rule = "Rung { index: 0, fault: NotLater }";
    refuse(rule, "the founding facts alone say who votes first", founding);
}
