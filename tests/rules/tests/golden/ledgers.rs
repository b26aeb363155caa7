//! The ledger's rules: 64 blocks, and what may and may not come next.

use serde_json::{Value, json};
use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Anchor, Body, Carried, Envelope, EnvelopeHeader};
use waxwing_core::evidence::{Evidence, TwoVotes};
use waxwing_core::hash::Hash;
use waxwing_core::keys::Signature;
use waxwing_core::limits::{ANCHOR_VALID_MS, BODY_BYTES_MAX};
use waxwing_rules::world::{FOUNDED, World, log_key};

use crate::case::{Cases, hex};

/// Two logs of one entry each in block 1, then nothing up to height 64.
fn world() -> World {
    let mut world = World::new(1);
    world.grow(&[world.envelope(1, b"one"), world.envelope(2, b"two")]);
    (1..64).for_each(|_| {
        world.grow(&[]);
    });
    world
}

struct Next {
    world: World,
    time: u64,
}

impl Next {
    /// The block that holds these entries and claims nothing but their number: good enough to be refused for them.
    fn holding(&self, entries: Vec<Carried>, evidence: Vec<Evidence>) -> CertifiedBlock {
        let empty = self.world.propose(self.time, &[], Vec::new());
        let count = u32::try_from(entries.len()).unwrap();
        let header = BlockHeader {
            entry_count: count,
            total_entries: empty.header.total_entries + u64::from(count),
            ..empty.header
        };
        CertifiedBlock {
            head: self.world.certify(&header),
            entries,
            evidence,
        }
    }

    fn of(&self, envelopes: &[Envelope]) -> Value {
        let carried = envelopes.iter().map(|envelope| Carried {
            signed: envelope.signed.clone(),
            body: Body::Present(envelope.body.clone()),
        });
        candidate(&self.holding(carried.collect(), Vec::new()))
    }

    /// An entry whose body, which is not at hand, is as large as bodies get.
    fn large(&self, writer: u8, number: u64) -> Carried {
        let small = self.world.envelope(writer, b"x").signed.header;
        let mut header = EnvelopeHeader {
            body_length: BODY_BYTES_MAX,
            nonce: number << 32,
            ..small
        };
        header.grind(self.world.keys(), 13);
        Carried {
            signed: header.sign(self.world.keys(), &log_key(writer)),
            body: Body::Withheld,
        }
    }
}

fn candidate(block: &CertifiedBlock) -> Value {
    json!({"candidate": hex(block.to_bytes())})
}

pub(crate) fn cases() -> Cases {
    let world = world();
    let story = "A network of one validator, 64 blocks, and candidates for block 65. Stamps take one bit, three more \
        for the first entry of a log.";
    let blocks: Vec<String> = world.blocks.iter().map(|block| hex(block.to_bytes())).collect();
    let shared = json!({"genesis": hex(world.genesis.to_bytes()), "blocks": blocks});
    let mut cases = Cases::new(story, shared);
    let time = world.ledger.head().time + 1_000;
    let next = Next { world, time };
    accepted(&mut cases, &next);
    headers(&mut cases, &next);
    anchors(&mut cases, &next);
    entries(&mut cases, &next);
    shares(&mut cases, &next);
    evidence(&mut cases, &next);
    let timely = |ahead: u64| json!({"genesis": "", "blocks": [], "time": FOUNDED + ahead, "now": FOUNDED});
    cases.accept(
        "a block may be ten seconds ahead of a voter's clock",
        "timely",
        timely(10_000),
    );
    cases.refuse(
        "not timely",
        "a block is at most ten seconds ahead",
        "timely",
        timely(10_001),
    );
    cases
}

fn some_entries(world: &World) -> Vec<Envelope> {
    let second = world.envelope_at(world.newest_anchor(), 3, b"second", 1);
    vec![world.envelope(1, b"again"), world.envelope(3, b"first"), second]
}

fn accepted(cases: &mut Cases, next: &Next) {
    let world = &next.world;
    let step = |envelopes: &[Envelope], time| candidate(&world.certified(&world.propose(time, envelopes, Vec::new())));
    cases.accept("an empty block", "next block", step(&[], next.time));
    cases.accept(
        "three entries on two logs",
        "next block",
        step(&some_entries(world), next.time),
    );
    let genesis = Anchor {
        height: 0,
        id: world.header(0).id(world.keys()),
    };
    let old = world.envelope_at(genesis, 1, b"late", 1);
    let last = FOUNDED + ANCHOR_VALID_MS;
    cases.accept("an anchor holds for 24 hours", "next block", step(&[old], last));
    let much_later = step(&[world.envelope(1, b"years")], FOUNDED + 1000 * ANCHOR_VALID_MS);
    cases.accept("the newest anchor holds for ever", "next block", much_later);
    let votes = candidate(&world.certified(&world.propose(next.time, &[], vec![two_votes(world)])));
    cases.accept("evidence", "next block", votes);
}

fn headers(cases: &mut Cases, next: &Next) {
    let world = &next.world;
    let good = world.certified(&world.propose(next.time, &some_entries(world), Vec::new()));
    let mut refuse = |rule: &str, name: &str, change: fn(&mut BlockHeader)| {
        let mut other = good.clone();
        change(&mut other.head.header);
        cases.refuse(rule, name, "next block", candidate(&other));
    };
    refuse("ForeignNetwork", "the block is of this network", |header| {
        header.network = Hash::ZERO
    });
    refuse("NotNext", "the height is the next one", |header| header.height += 1);
    refuse("NotNext", "the parent is the head", |header| header.parent = Hash::ZERO);
    refuse("TimeRunsBack", "the time is after the parent's", |header| {
        header.time -= 1_000
    });
    refuse("Wrong(Parameters)", "the parameters are those in force", |header| {
        header.parameters = Hash::ZERO
    });
    refuse("Wrong(Committee)", "the term is the committee's", |header| {
        header.term = 1
    });
    refuse("Wrong(Committee)", "the committee is the one in force", |header| {
        header.committee = Hash::ZERO
    });
    refuse("Wrong(Committee)", "the next committee is computed", |header| {
        header.next_committee = Hash::ZERO
    });
    refuse("Wrong(HistoryRoot)", "the history root is computed", |header| {
        header.history_root = Hash::ZERO
    });
    refuse("Wrong(Counts)", "the total is computed", |header| {
        header.total_entries += 1
    });
    refuse("Wrong(EntriesRoot)", "the entries root is computed", |header| {
        header.entries_root = Hash::ZERO
    });
    refuse("Wrong(LogCount)", "the number of logs is computed", |header| {
        header.log_count += 1
    });
    refuse("Wrong(MapRoot)", "the log map root is computed", |header| {
        header.map_root = Hash::ZERO
    });
    refuse("Wrong(EvidenceRoot)", "the evidence root is computed", |header| {
        header.evidence_root = Hash([1; 32])
    });
}

fn anchors(cases: &mut Cases, next: &Next) {
    let world = &next.world;
    let genesis = world.header(0).id(world.keys());
    let mut refuse = |rule: &str, name: &str, time: u64, height: u64, id: Hash| {
        let envelope = world.envelope_at(Anchor { height, id }, 1, b"x", 1);
        let next = Next {
            world: self::world(),
            time,
        };
        let rule = format!("Entry {{ place: 0, fault: {rule} }}");
        cases.refuse(&rule, name, "next block", next.of(&[envelope]));
    };
    let block = |height| world.header(height).id(world.keys());
    refuse(
        "AnchorUnknown",
        "an anchor is a block of this history",
        next.time,
        0,
        Hash([7; 32]),
    );
    refuse(
        "AnchorUnknown",
        "an anchor's height is a multiple of 64",
        next.time,
        63,
        block(63),
    );
    refuse(
        "AnchorUnknown",
        "an anchor is not ahead of the head",
        next.time,
        128,
        block(64),
    );
    let late = FOUNDED + ANCHOR_VALID_MS + 1;
    refuse(
        "AnchorExpired",
        "an anchor expires after 24 hours when there is a newer one",
        late,
        0,
        genesis,
    );
}

fn entries(cases: &mut Cases, next: &Next) {
    let world = &next.world;
    let mut refuse = |rule: &str, name: &str, envelopes: &[Envelope]| {
        cases.refuse(rule, name, "next block", next.of(envelopes));
    };
    let known = Envelope {
        signed: world.block(1).entries[0].signed.clone(),
        body: b"one".to_vec(),
    };
    refuse(
        "Entry { place: 0, fault: Duplicate }",
        "an envelope is ordered once",
        &[known],
    );
    let twice = world.envelope(1, b"twice");
    let rule = "Entry { place: 1, fault: Duplicate }";
    refuse(rule, "an envelope stands once in a block", &[twice.clone(), twice]);
    let weak = world.envelope_at(world.newest_anchor(), 3, b"first", 3);
    let rule = "Entry { place: 0, fault: WeakStamp { required: 4 } }";
    refuse(rule, "the first entry of a log needs a stronger stamp", &[weak]);
    let mut unsigned = world.envelope(1, b"unsigned");
    unsigned.signed.signature.0[0] ^= 1;
    refuse("BadSignature", "every entry is signed by its log", &[unsigned]);
}

fn shares(cases: &mut Cases, next: &Next) {
    let world = &next.world;
    let many: Vec<Envelope> = (0..65_u8).map(|number| world.envelope(1, &[number])).collect();
    let rule = "Entry { place: 64, fault: LogFull }";
    cases.refuse(
        rule,
        "a log has at most 64 entries in a block",
        "next block",
        next.of(&many),
    );
    let two = next.holding(vec![next.large(1, 1), next.large(1, 2)], Vec::new());
    let rule = "Entry { place: 1, fault: LogFull }";
    cases.refuse(
        rule,
        "a log has at most 1 MiB in a block",
        "next block",
        candidate(&two),
    );
    let four = (1..=4).map(|writer| next.large(writer, 1)).collect();
    let four = next.holding(four, Vec::new());
    let rule = "Entry { place: 3, fault: BlockFull }";
    cases.refuse(rule, "a block has at most 2 MiB", "next block", candidate(&four));
}

fn two_votes(world: &World) -> Evidence {
    use waxwing_core::certificate::{VoteKind, vote_message};
    let key = &world.voters[0];
    let vote = |block: u8| -> (Hash, Signature) {
        let message = vote_message(world.keys().network(), VoteKind::Prevote, 9, 0, Hash([block; 32]));
        (Hash([block; 32]), key.sign(&message))
    };
    Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind: VoteKind::Prevote,
        height: 9,
        round: 0,
        first: vote(1),
        second: vote(2),
    }))
}

fn evidence(cases: &mut Cases, next: &Next) {
    let Evidence::TwoVotes(mut votes) = two_votes(&next.world) else {
        unreachable!("it is of two votes")
    };
    votes.second = votes.first;
    let block = next.holding(Vec::new(), vec![Evidence::TwoVotes(votes)]);
    let rule = "Evidence(NoContradiction)";
    cases.refuse(rule, "evidence proves something", "next block", candidate(&block));
}
