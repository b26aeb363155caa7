//! Files that people hand each other: bundles, policies, evidence, receipts; and the rows of the store.
//!
//! An auditor's input is the prosecutor's and the defendant's alike. A spoilt history is never called verified unless it
//! says exactly what the true one says, and every file has an answer.

use std::io::Cursor;
use std::sync::LazyLock;

use waxwing_audit::bundle::{Bundle, Writer};
use waxwing_audit::{audit, source::HistorySource};
use waxwing_core::block::CertifiedBlock;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::EvidenceFile;
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::receipt::Receipt;
use waxwing_core::verdict::Verdict;
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;
use waxwing_rules::world::World;
use waxwing_store::rows::{
    self, BlockRow, EntryRow, IndexRow, decode_excuse, decode_expiry, decode_log, decode_number, decode_schema,
};
use waxwing_verify::{verify, verify_evidence};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::{again, answered};

const GAMES: [fn(&[u8]); 6] = [raw_bundle, history, policy, evidence, receipt, row];

/// Plays one input: the game, and its bytes.
pub fn run(data: &[u8]) {
    let Some((chosen, bytes)) = data.split_first() else {
        return;
    };
    GAMES[usize::from(*chosen) % GAMES.len()](bytes);
}

/// A short true history.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let mut world = World::new(4);
    for height in 0..3_u8 {
        let envelopes = [
            world.envelope(1 + height % 2, &[height; 20]),
            world.envelope(3, &[height]),
        ];
        world.grow(&envelopes[..usize::from(1 + height % 2)]);
    }
    world
});

/// What anchors an audit of it.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let head = WORLD.ledger.head();
    Policy {
        genesis: WORLD.genesis.clone(),
        head: Some(PinnedHead {
            height: head.height,
            id: head.id(WORLD.keys()),
        }),
    }
});

fn bundled(blocks: &[CertifiedBlock]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &WORLD.genesis).expect("memory can be written");
    for block in blocks {
        writer.block(block).expect("memory can be written");
    }
    writer.finish().expect("memory can be written")
}

/// A bundle as raw bytes: read to its end, and audited.
fn raw_bundle(bytes: &[u8]) {
    let Ok(mut bundle) = Bundle::read(Cursor::new(bytes)) else {
        return;
    };
    if bundle.genesis() != &WORLD.genesis {
        // Another network's: read it through, without checking signatures by the thousand.
        while let Ok(Some(_)) = bundle.next_block() {}
        return;
    }
    let report = audit(&mut bundle, Some(&POLICY), &mut |_| ()).expect("memory can be read");
    answered((report.headline(), report.to_json(), report.next_steps()));
    if report.verdict == Verdict::Verified {
        assert_eq!(bytes, bundled(&WORLD.blocks), "verified, and not the true history");
    }
}

/// Blocks that are spoilt, left out, repeated or in another order, in a bundle whose end mark is right.
fn history(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut blocks = WORLD.blocks.clone();
    for _ in 0..1 + script.byte() % 2 {
        let place = script.place(blocks.len().max(1));
        match script.byte() % 8 {
            0 if !blocks.is_empty() => drop(blocks.remove(place)),
            1 if !blocks.is_empty() => blocks.push(blocks[place].clone()),
            2 if !blocks.is_empty() => {
                let to = script.place(blocks.len());
                blocks.swap(place, to);
            }
            _ if place < blocks.len() => {
                let mut bytes = blocks[place].to_bytes();
                script.spoil(&mut bytes);
                let Ok(block) = CertifiedBlock::from_bytes(&bytes) else {
                    return;
                };
                blocks[place] = block;
            }
            _ => {}
        }
    }
    let file = bundled(&blocks);
    let mut bundle = Bundle::read(Cursor::new(&file)).expect("it was written whole");
    let report = audit(&mut bundle, Some(&POLICY), &mut |_| ()).expect("memory can be read");
    answered((report.headline(), report.to_json(), report.next_steps(), report.holds()));
    let is_true = blocks == WORLD.blocks;
    if is_true {
        assert_eq!(report.verdict, Verdict::Verified, "{}", report.headline());
    } else if report.verdict == Verdict::Verified {
        let headers =
            |blocks: &[CertifiedBlock]| blocks.iter().map(|block| block.head.header.clone()).collect::<Vec<_>>();
        assert_eq!(
            headers(&blocks),
            headers(&WORLD.blocks),
            "verified, and not the true history"
        );
        assert!(report.first().is_none(), "verified in spite of a finding");
    }
}

fn policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Policy::parse(&text) {
        Ok(policy) => {
            assert_eq!(
                Policy::parse(&policy.to_text()).as_ref(),
                Ok(&policy),
                "it reads back as another"
            );
            answered(policy.fingerprint());
        }
        Err(error) => assert!(!error.to_string().is_empty() && error.line <= text.lines().count()),
    }
}

fn evidence(bytes: &[u8]) {
    again::<Evidence>(bytes);
    again::<EvidenceFile>(bytes);
    for policy in [None, Some(&*POLICY)] {
        let outcome = verify_evidence(bytes, policy);
        let pinned = policy.map(|policy| policy.genesis.network());
        let file = EvidenceFile::from_bytes(bytes);
        let holds = file
            .as_ref()
            .is_ok_and(|file| file.verify().is_ok() && Some(file.genesis.network()) == pinned);
        assert_eq!(outcome.verdict == Verdict::Verified, holds, "{:?}", outcome.verdict);
        answered(outcome.finding);
    }
}

fn receipt(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    static RECEIPT: LazyLock<Receipt> = LazyLock::new(|| WORLD.receipt(2, 1));
    let body = WORLD.block(2).entries[1].body.present().map(<[u8]>::to_vec);
    let mut spoilt = RECEIPT.to_bytes();
    script.spoil(&mut spoilt);
    let verdict = verify(&spoilt, Some(&POLICY), body.as_deref()).verdict;
    assert_eq!(
        verdict == Verdict::Verified,
        spoilt == RECEIPT.to_bytes(),
        "a spoilt receipt"
    );
    let raw = script.rest();
    for policy in [None, Some(&*POLICY)] {
        answered(verify(raw, policy, Some(raw)));
    }
}

/// Every row of the store: a database that somebody wrote to is read without a panic, and what is read is written alike.
fn row(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 9 {
        0 => answered(again::<EntryRow>(bytes)),
        1 => {
            if let Ok(row) = IndexRow::from_bytes(bytes) {
                assert_eq!(row.to_array(), *bytes);
            }
        }
        2 => {
            if let Ok(state) = decode_log(bytes) {
                assert_eq!(rows::log_row(&state), bytes);
            }
        }
        3 => answered(again::<BlockRow>(bytes)),
        4 => {
            if let Ok(places) = decode_expiry(bytes) {
                assert_eq!(rows::expiry_row(&places), bytes);
            }
        }
        5 => answered(decode_number(bytes)),
        6 => answered(decode_schema(bytes)),
        7 => answered(decode_excuse(bytes)),
        _ => answered(rows::meta::decode_term_key(bytes)),
    }
}

/// The true bundle and its pieces, the vectors' policies, evidence and receipts, and rows.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![seed(0, &bundled(&WORLD.blocks)), seed(0, &bundled(&[]))];
    for start in 0..10_u8 {
        let script: Vec<u8> = (0..20_u8)
            .map(|at| start.wrapping_mul(at).wrapping_add(start))
            .collect();
        seeds.push(seed(1, &script));
        seeds.push(seed(4, &script));
    }
    seeds.push(seed(1, &[0, 0, 7, 0, 0, 0]));
    let policies = GOLDEN.texts.iter().filter(|text| text.starts_with("waxwing-policy"));
    seeds.extend(policies.map(|text| seed(2, text.as_bytes())));
    seeds.push(seed(2, POLICY.to_text().as_bytes()));
    let world_evidence = |evidence: Evidence| EvidenceFile {
        genesis: WORLD.genesis.clone(),
        ladder: Vec::new(),
        evidence,
    };
    for bytes in &GOLDEN.bytes {
        if let Ok(found) = Evidence::from_bytes(bytes) {
            seeds.push(seed(3, bytes));
            seeds.push(seed(3, &world_evidence(found).to_bytes()));
        }
        if EvidenceFile::from_bytes(bytes).is_ok() {
            seeds.push(seed(3, bytes));
        }
        if Receipt::from_bytes(bytes).is_ok() {
            seeds.push(seed(4, &[&[0], &bytes[..]].concat()));
        }
    }
    seeds.extend(rows_of_the_world());
    for format in FORMATS {
        let bytes = (format.random)(&mut Chance::new(5));
        let kind = match format.name {
            "certified block" => 3,
            "frontier" => 2,
            "signed header" => 0,
            "place" => 1,
            _ => continue,
        };
        seeds.push(seed(5, &[&[kind], &bytes[..]].concat()));
    }
    seeds
}

fn rows_of_the_world() -> Vec<Vec<u8>> {
    let block = WORLD.block(2);
    let row = |kind: u8, bytes: &[u8]| seed(5, &[&[kind], bytes].concat());
    let entry = EntryRow {
        height: 2,
        log_index: 0,
        signed: block.entries[0].signed.clone(),
    };
    let index = IndexRow {
        position: 3,
        leaf: WORLD.block_leaves(2)[0],
    };
    let head = BlockRow {
        header: block.head.header.clone(),
        certificate: Some(block.head.certificate.clone()),
        evidence: Vec::new(),
    };
    let mut state = waxwing_core::log::LogState::empty(entry.signed.header.log);
    state
        .frontier
        .append(&waxwing_core::log::log_tree(WORLD.keys()), index.leaf);
    vec![
        row(0, &entry.to_bytes()),
        row(1, &index.to_array()),
        row(2, &rows::log_row(&state)),
        row(3, &head.to_bytes()),
        row(4, &rows::expiry_row(&[1, 2])),
        row(5, &rows::number_key(7)),
        row(6, &[0, 0, 0, 1]),
        row(7, &[6; 32]),
        row(8, &rows::meta::term_key(9)),
    ]
}
