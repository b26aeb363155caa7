//! Genesis, parameters, committees and their quorums.

use serde_json::{Value, json};
use waxwing_core::certificate::{VoteKind, vote_message};
use waxwing_core::codec::Encode;
use waxwing_core::committee::{Committee, Signatures};
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{Signature, VoteKey};
use waxwing_rules::world::{FOUNDED, World, voters};

use crate::case::{Cases, hex};

const NETWORK: Hash = Hash([0xaa; 32]);

fn founded(name: &str, validators: u8) -> Genesis {
    let members = voters(1..=validators).iter().map(VoteKey::public).collect();
    Genesis::new(name, FOUNDED, Parameters::DEFAULT, members).unwrap()
}

/// A genesis from its parts, sound or not.
fn bytes_of(name: &[u8], parameters: [u8; 2], members: &[[u8; 32]]) -> Vec<u8> {
    let mut bytes = b"WXGENES\x01".to_vec();
    waxwing_core::codec::put_bytes(&mut bytes, name);
    bytes.extend(FOUNDED.to_be_bytes());
    bytes.extend(parameters);
    waxwing_core::codec::put_count(&mut bytes, members.len());
    bytes.extend(members.concat());
    bytes
}

pub(crate) fn genesis() -> Cases {
    let story = "Founding facts: the network id, block 0 and the committee log follow from these bytes.";
    let mut cases = Cases::new(story, json!({"network": hex(NETWORK.0)}));
    let given = |bytes: &[u8]| json!({"bytes": hex(bytes)});
    let one = founded("birds", 1).to_bytes();
    cases.accept("one validator", "genesis", given(&one));
    cases.accept(
        "four validators",
        "genesis",
        given(&founded("Drobak-4_a.b", 4).to_bytes()),
    );
    cases.accept("the small world", "genesis", given(&World::new(1).genesis.to_bytes()));
    cases.accept(
        "default parameters",
        "parameters",
        given(&Parameters::DEFAULT.to_bytes()),
    );
    cases.refuse(
        "Codec(BadValue)",
        "stamps cost at most 40 bits",
        "parameters",
        given(&[40, 1]),
    );

    unsound(&mut cases, &one);
    cases.cut_and_extended("genesis", &one);
    cases.cut_and_extended("parameters", &Parameters::DEFAULT.to_bytes());
    cases
}

/// Facts that found no network.
fn unsound(cases: &mut Cases, good: &[u8]) {
    let key = voters(1..=1)[0].public().0;
    let mut sorted = [key, voters(2..=2)[0].public().0];
    sorted.sort_unstable();
    let [low, high] = sorted;
    let mut refuse = |rule: &str, name: &str, bytes: &[u8]| {
        cases.refuse(rule, name, "genesis", json!({"bytes": hex(bytes)}));
    };
    let mut other_version = good.to_vec();
    other_version[7] = 2;
    refuse("Codec(WrongMagic)", "the version is 1", &other_version);
    refuse(
        "Codec(BadValue)",
        "a network has a name",
        &bytes_of(b"", [8, 6], &[key]),
    );
    refuse(
        "Codec(TooLong)",
        "a name has at most 64 bytes",
        &bytes_of(&[b'a'; 65], [8, 6], &[key]),
    );
    refuse("Codec(BadValue)", "a name is UTF-8", &bytes_of(&[0xff], [8, 6], &[key]));
    refuse(
        "Codec(BadValue)",
        "a name has ASCII letters only",
        &bytes_of("Dr\u{f8}bak".as_bytes(), [8, 6], &[key]),
    );
    refuse(
        "Codec(BadValue)",
        "a name prints",
        &bytes_of(b"a\x1b[2J", [8, 6], &[key]),
    );
    refuse(
        "Codec(BadValue)",
        "stamps can be paid",
        &bytes_of(b"a", [40, 1], &[key]),
    );
    refuse("Codec(BadValue)", "somebody votes", &bytes_of(b"a", [8, 6], &[]));
    refuse(
        "Codec(BadValue)",
        "validators ascend",
        &bytes_of(b"a", [8, 6], &[high, low]),
    );
    refuse(
        "Codec(BadValue)",
        "nobody votes twice",
        &bytes_of(b"a", [8, 6], &[low, low]),
    );
    refuse(
        "Codec(BadValue)",
        "every validator can sign",
        &bytes_of(b"a", [8, 6], &[[0; 32]]),
    );
    let crowd = vec![key; 101];
    refuse(
        "Codec(TooLong)",
        "a committee has at most 100 validators",
        &bytes_of(b"a", [8, 6], &crowd),
    );
}

fn committee_of(count: u8) -> Committee {
    let members = voters(1..=count).iter().map(VoteKey::public).collect();
    Committee::new(3, members).unwrap()
}

/// A signature set from its parts, sound or not.
fn set(bitmap: &[u8], signatures: &[Signature]) -> Vec<u8> {
    let mut bytes = Vec::new();
    waxwing_core::codec::put_bytes(&mut bytes, bitmap);
    signatures.iter().for_each(|signature| signature.encode(&mut bytes));
    bytes
}

pub(crate) fn committee() -> Cases {
    let story = "Committees of term 3, their quorum of n - f, and signature sets over one message.";
    let message = vote_message(NETWORK, VoteKind::Precommit, 9, 2, Hash([0xb1; 32]));
    let four = committee_of(4).to_bytes();
    let shared = json!({"network": hex(NETWORK.0), "committee": hex(&four), "message": hex(&message)});
    let mut cases = Cases::new(story, shared);
    for count in [1, 2, 3, 4, 5, 6, 7, 10] {
        let given = json!({"bytes": hex(committee_of(count).to_bytes())});
        cases.accept(&format!("a committee of {count}"), "committee", given);
    }
    cases.cut_and_extended("committee", &four);
    quorums(&mut cases, &message);
    cases
}

fn quorums(cases: &mut Cases, message: &[u8]) {
    let keys = voters(1..=4);
    let signed: Vec<Signature> = keys.iter().map(|key| key.sign(message)).collect();
    let given =
        |bitmap: &[u8], signatures: &[Signature]| -> Value { json!({"signatures": hex(set(bitmap, signatures))}) };
    cases.accept("three of four", "quorum", given(&[0xe0], &signed[..3]));
    cases.accept("all four", "quorum", given(&[0xf0], &signed));
    let mut refuse = |rule: &str, name: &str, bitmap: &[u8], signatures: &[Signature]| {
        cases.refuse(rule, name, "quorum", given(bitmap, signatures));
    };
    refuse("TooFew", "a quorum is n - f", &[0xc0], &signed[..2]);
    refuse("TooFew", "nobody is no quorum", &[0x00], &[]);
    refuse(
        "WrongBitmap",
        "the bitmap has one bit per member",
        &[0xe0, 0x00],
        &signed[..3],
    );
    refuse("WrongBitmap", "the bitmap is not left out", &[], &[]);
    let five = [&signed[..], &signed[..1]].concat();
    refuse("WrongBitmap", "there is no fifth member of four", &[0xf8], &five);
    let twice = [signed[0], signed[0], signed[0]];
    refuse(
        "BadSignature",
        "a signature counts for its signer only",
        &[0xe0],
        &twice,
    );
    let shuffled = [signed[1], signed[0], signed[2]];
    refuse(
        "BadSignature",
        "signatures stand in the order of the committee",
        &[0xe0],
        &shuffled,
    );
    let mut one_bad = signed.clone();
    one_bad[3].0[5] ^= 1;
    refuse(
        "BadSignature",
        "every signature given counts, not only enough of them",
        &[0xf0],
        &one_bad,
    );
    let prevote = vote_message(NETWORK, VoteKind::Prevote, 9, 2, Hash([0xb1; 32]));
    let prevotes: Vec<Signature> = keys.iter().map(|key| key.sign(&prevote)).collect();
    refuse("BadSignature", "a prevote is no precommit", &[0xf0], &prevotes);
    let wide = json!({"signatures": hex(set(&[0; 14], &[]))});
    cases.refuse("Codec(TooLong)", "a bitmap has at most 13 bytes", "quorum", wide);
    let committee = committee_of(4);
    let whole = Signatures::collect(&committee, signed.iter().copied().enumerate());
    cases.cut_and_extended("signatures", &whole.to_bytes());
}
