//! How two people get together: keys and links of inboxes, openings, requests.
//!
//! Everything is assembled from the specification alone ([`crate::inbox_papers`]), and posts are sealed by hand
//! ([`crate::by_hand`]); what the code makes of them is what the vectors say.

use serde_json::{Value, json};
use waxwing_core::hash::Hash;
use waxwing_seal::identity::certificate::Validity;

use crate::case::{Cases, hex};
use crate::identities::{FROM, NETWORK, Paper, root_key};
use crate::inbox_answers;
use crate::inbox_papers::{
    ANSWER_KEY, ANSWER_SEED, Ask, ELSEWHERE, EXPIRES, KEY, Paperwork, SEED, bob, bobs_certificate, bytes, certificate,
    derive, device, device_opening_by, entry, invitation, key_package, keys, nodes, opening, opening_id, opens, posts,
    public, signed,
};

pub(crate) fn cases() -> Cases {
    let story = "An inbox of seed 32 x d1 and key 32 x d2, of the account of 256 bits 32 x e1; an answer's of 32 x d3 and d4; \
        network 32 x aa. Posts are sealed by whoever runs this: to the key in the stored inbox, for the occasion, with \
        erasure 32 x e5 and keep-for 0.";
    let shared = json!({
        "network": hex(NETWORK.0),
        "seed": hex(SEED),
        "key": hex(KEY),
        "account": hex(root_key().public().0),
        "time": FROM,
        "occasion": hex(opening_id(&opening())),
        "inbox": hex(invitation(&opening())),
        "before": [opens(&opening())],
    });
    let mut cases = Cases::new(story, shared);
    cases.accept("an inbox", "inbox keys", json!({}));
    cases.accept(
        "the inbox of an answer",
        "inbox keys",
        json!({"seed": hex(ANSWER_SEED), "key": hex(ANSWER_KEY)}),
    );
    cases.accept(
        "an inbox on another network",
        "inbox keys",
        json!({"network": hex(ELSEWHERE)}),
    );
    links(&mut cases);
    openings(&mut cases);
    device_openings(&mut cases);
    requests(&mut cases);
    refused_requests(&mut cases);
    forms(&mut cases);
    inbox_answers::add_to(&mut cases);
    cases
}

fn part(version: u8, fields: &[u8], before: &[u8]) -> (Vec<u8>, String) {
    use base64::Engine as _;
    let length = u16::try_from(fields.len()).unwrap().to_be_bytes();
    let front = [&[version][..], &length, fields].concat();
    let sum = derive("waxwing v1 invitation checksum", &[before, &front]);
    let text = [&front[..], &sum[..4]].concat();
    (front, base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text))
}

fn link(version: u8, open: &[u8], secret: &[u8]) -> String {
    let (front, open) = part(version, open, &[]);
    let (_, secret) = part(version, secret, &front);
    format!("waxwing:{open}#{secret}")
}
fn links(cases: &mut Cases) {
    let open = [&NETWORK.0[..], &64_u64.to_be_bytes(), &[0xd1; 32], &nodes()].concat();
    let account = root_key().public().0;
    let secret = |purpose: &[u8]| [&account[..], &SEED, purpose].concat();
    let to_channel = [&[2][..], &bytes(b"birds")].concat();
    let given = |link: String| json!({"link": link});
    cases.accept(
        "a link to a person",
        "person link",
        given(link(2, &open, &secret(&[1]))),
    );
    let good = link(2, &open, &secret(&to_channel));
    cases.accept("a link that lets into a channel", "person link", given(good.clone()));
    let open_of_device = [&NETWORK.0[..], &nodes()].concat();
    let of_device = link(3, &open_of_device, &[&SEED[..], &[0xd5; 32]].concat());
    cases.accept("a link to a new device", "device link", given(of_device.clone()));
    let mut refuse = |rule: &str, name: &str, check: &str, link: String| cases.refuse(rule, name, check, given(link));
    refuse("OtherKind(Device)", "a device is no person", "person link", of_device);
    refuse(
        "OtherKind(Person)",
        "a person is no device",
        "device link",
        good.clone(),
    );
    refuse("OtherKind(Person)", "a person is no channel", "invitation", good);
    let old = link(1, &open, &secret(&[1]));
    refuse("OtherKind(Channel)", "a channel is no person", "person link", old);
    let none = link(2, &open, &secret(&[3]));
    refuse("Malformed(BadValue)", "there are two purposes", "person link", none);
    let more = link(2, &open, &secret(&[1, 0]));
    refuse(
        "Malformed(Trailing)",
        "nothing follows the purpose",
        "person link",
        more,
    );
    let newer = link(4, &open, &secret(&[1]));
    refuse(
        "UnknownVersion(4)",
        "there are three kinds of links",
        "person link",
        newer,
    );
}

fn openings(cases: &mut Cases) {
    let given = |bytes: &[u8]| json!({"opening": hex(bytes)});
    let good = opening();
    assert!(crate::check_inbox::is_opening(&good), "assembled by hand");
    cases.accept("an opening", "opening", given(&good));
    let contact = Paperwork {
        purpose: vec![1],
        uses: 256,
        ..Paperwork::new()
    };
    cases.accept("an opening for contacts", "opening", given(&contact.bytes()));
    cases.cut_and_extended("inbox opening", &good);
    let mut refuse = |rule: &str, name: &str, opening: &Paperwork| {
        cases.refuse(rule, name, "opening", given(&opening.bytes()));
    };
    let with = |change: fn(&mut Paperwork)| {
        let mut other = Paperwork::new();
        change(&mut other);
        other
    };
    let by_stranger = with(|one| (one.certificate, one.signed_by) = (bobs_certificate(), 5));
    refuse(
        "Certificate(WrongAccount)",
        "the account of the link opens",
        &by_stranger,
    );
    refuse(
        "BadSignature",
        "the device that is certified signs",
        &with(|one| one.signed_by = 5),
    );
    refuse(
        "BadSignature",
        "an opening is for one log",
        &with(|one| one.log = [9; 32]),
    );
    let none = with(|one| one.uses = 0);
    refuse("Malformed(BadValue)", "an inbox takes a request at least", &none);
    let many = with(|one| one.uses = 257);
    refuse("Malformed(BadValue)", "an inbox takes at most 256 requests", &many);
    let unknown = with(|one| one.purpose = vec![3]);
    refuse("Malformed(BadValue)", "an opening has one of two purposes", &unknown);
    kept_openings(cases, &good);
}

/// Of which version, for how long, and when.
fn kept_openings(cases: &mut Cases, good: &[u8]) {
    let given = |bytes: &[u8]| json!({"opening": hex(bytes)});
    let mut newer = good.to_vec();
    newer[0] = 2;
    cases.refuse(
        "Malformed(WrongMagic)",
        "the version of an opening is 1",
        "opening",
        given(&newer),
    );
    let mut erasable = given(good);
    erasable["erasable"] = json!(true);
    cases.refuse("Erasable", "an opening stays", "opening", erasable);
    let mut early = given(good);
    early["time"] = json!(FROM - 86_400_001);
    let rule = "Certificate(NotYetValid)";
    cases.refuse(
        rule,
        "the device of an opening is certified at its time",
        "opening",
        early,
    );
}

fn device_openings(cases: &mut Cases) {
    let good = device_opening_by(7);
    let given = |bytes: &[u8], named: [u8; 32]| json!({"device opening": hex(bytes), "named": hex(named)});
    cases.accept("the opening of a device", "opening", given(&good, opening_id(&good)));
    cases.cut_and_extended("device opening", &good);
    let rule = "OtherOpening";
    cases.refuse(
        rule,
        "the link names the opening of a device",
        "opening",
        given(&good, [9; 32]),
    );
    let forged = device_opening_by(8);
    let name = "a device signs its opening";
    cases.refuse("BadSignature", name, "opening", given(&forged, opening_id(&forged)));
}

/// On an invitation's inbox that is open, as all cases share it.
fn asked(asks: &Value) -> Value {
    asks.clone()
}

fn requests(cases: &mut Cases) {
    let (inbox, good) = (invitation(&opening()), opening());
    cases.accept("the own opening", "inbox", entry(&inbox, &[], &opens(&good)));
    let another = Paperwork {
        certificate: Paper::of(2, 2).bytes(),
        signed_by: 2,
        ..Paperwork::new()
    };
    let by_another = entry(&inbox, &[], &opens(&another.bytes()));
    cases.accept("another device of the account was first", "inbox", by_another);
    let (whole, post) = (Ask::whole().post(), Ask::short().post());
    cases.accept("a request", "inbox", asked(&posts(&whole)));
    let mut last = posts(&whole);
    last["at"] = json!(EXPIRES);
    cases.accept("a request at the last moment", "inbox", asked(&last));
    let mut refuse = |rule: &str, name: &str, given: Value| cases.refuse(rule, name, "inbox", given);
    refuse(
        "NotOpened",
        "a request comes after the opening",
        entry(&inbox, &[], &posts(&post)),
    );
    refuse(
        "SecondOpening",
        "an inbox is opened once",
        asked(&opens(&another.bytes())),
    );
    let forged = Paperwork {
        certificate: bobs_certificate(),
        signed_by: 5,
        ..Paperwork::new()
    };
    let rule = "Certificate(WrongAccount)";
    refuse(
        rule,
        "its owner opens an inbox",
        entry(&inbox, &[], &opens(&forged.bytes())),
    );
    let before = [opens(&another.bytes())];
    refuse(
        "NotForUs",
        "what another opened has another key",
        entry(&inbox, &before, &posts(&post)),
    );
    ends(cases);
}

/// When an inbox takes no more.
fn ends(cases: &mut Cases) {
    let (inbox, good) = (invitation(&opening()), opening());
    let (whole, post) = (Ask::whole().post(), Ask::short().post());
    let mut refuse = |rule: &str, name: &str, given: Value| cases.refuse(rule, name, "inbox", given);
    let mut late = posts(&post);
    late["at"] = json!(EXPIRES + 1);
    refuse("Expired", "nothing is taken after the end", asked(&late));
    let twice = [opens(&good), posts(&whole)];
    refuse(
        "AskedBefore",
        "a device asks once",
        entry(&inbox, &twice, &posts(&post)),
    );
    let once = Paperwork {
        uses: 1,
        ..Paperwork::new()
    };
    let id = opening_id(&once.bytes());
    let first = posts(&signed(1, (SEED, id), 5, &Ask::whole().said()));
    let before = [opens(&once.bytes()), first];
    let mut used_up = entry(&invitation(&once.bytes()), &before, &posts(&[9]));
    used_up["occasion"] = json!(hex(id));
    refuse("UsedUp", "an inbox takes as many as it says", used_up);
    let mut again = posts(&post);
    again["index"] = json!(0);
    refuse("AlreadyRead", "entries are read in order", asked(&again));
    let mut long = posts(&post);
    long["body length"] = json!(12_289);
    refuse("TooLarge", "a request has at most 12288 bytes", asked(&long));
}

fn refused_requests(cases: &mut Cases) {
    let occasion = opening_id(&opening());
    let mut refuse = |rule: &str, name: &str, post: &[u8]| cases.refuse(rule, name, "inbox", asked(&posts(post)));
    let with = |change: fn(&mut Ask)| {
        let mut other = Ask::short();
        change(&mut other);
        other.post()
    };
    let said = Ask::short().said();
    let elsewhere = signed(1, (ANSWER_SEED, occasion), 5, &said);
    refuse("BadSignature", "a request is for one log", &elsewhere);
    let other = signed(1, (SEED, [9; 32]), 5, &said);
    refuse("BadSignature", "a request is for one opening", &other);
    refuse(
        "BadSignature",
        "the device asks itself",
        &signed(1, (SEED, occasion), 6, &said),
    );
    let expired = with(|one| {
        let validity = Validity::between(1, FROM).unwrap();
        one.certificate = certificate(&bob(), NETWORK, &device(5), validity);
    });
    refuse("Certificate(Expired)", "who asks is certified at that time", &expired);
    let foreign = with(|one| {
        one.certificate = certificate(&bob(), Hash(ELSEWHERE), &device(5), Validity::from(FROM));
    });
    refuse(
        "Certificate(BadSignature)",
        "who asks is certified on this network",
        &foreign,
    );
    refuse(
        "Unanswerable",
        "a request can be answered",
        &with(|one| one.answer = vec![0xff; 1216]),
    );
    refuse(
        "KeyPackage(Malformed)",
        "a request brings a key package",
        &Ask::short().post(),
    );
    let others = with(|one| one.package = key_package(&device(6)));
    refuse("OtherPackage", "the key package adds who asks", &others);
    let long = with(|one| one.note = vec![b'x'; 501]);
    refuse("Malformed(TooLong)", "a note has at most 500 bytes", &long);
    let empty = with(|one| one.package = Vec::new());
    refuse(
        "Malformed(BadValue)",
        "the key package of a request is not empty",
        &empty,
    );
    let declined = [&[3][..], &[9; 32], &[0]].concat();
    refuse("OutOfPlace", "an invitation takes requests", &declined);
    refuse("UnknownKind(0)", "there is no post of kind 0", &[0, 1]);
    refuse("UnknownKind(8)", "there is no post of kind 8 yet", &[8, 1]);
    refuse("Malformed(Truncated)", "a post is not empty", &[]);
}

/// What stands under the seals, and under which terms.
fn forms(cases: &mut Cases) {
    let post = Ask::short().post();
    let mut refuse = |rule: &str, name: &str, said: Value| cases.refuse(rule, name, "inbox", asked(&said));
    let said = |message: &[u8]| json!({"message": hex(message)});
    refuse("UnknownForm(4)", "there are three forms", said(&[4, 1]));
    refuse("Malformed(Truncated)", "a form is not empty", said(&[]));
    refuse("NotForUs", "a post is sealed to the owner", said(&[3; 1200]));
    let text = |text: &[u8]| json!({"text": hex(text)});
    let short = [&u32::try_from(post.len()).unwrap().to_be_bytes()[..], &post].concat();
    refuse("Malformed(BadValue)", "short posts are filled up", text(&short));
    let mut dirty = crate::by_hand::text(&post);
    *dirty.last_mut().unwrap() = 1;
    refuse("Malformed(BadValue)", "posts are filled up with zeros", text(&dirty));
    let mut other = posts(&post);
    other["erasure"] = json!(hex([0xe6; 32]));
    refuse("NotForUs", "a post is sealed for its erasure", other);
    let mut other = posts(&post);
    other["occasion"] = json!(hex([9; 32]));
    refuse("NotForUs", "a post is sealed for its opening", other);
    let device = json!({"device opening": hex(device_opening_by(7))});
    refuse("OutOfPlace", "no device opens a person's inbox", device);
    let post = Ask::whole().post();
    let mut sealed = posts(&post);
    let (keys, public) = (keys(SEED), public(KEY));
    let log = keys.log().0;
    let information = [b"waxwing v1 inbox seal", &NETWORK.0[..], &log, &opening_id(&opening())].concat();
    let associated = [&crate::check_inbox::ERASURE[..], &[0; 4]].concat();
    let inner = crate::by_hand::seal(&public, &information, &associated, &crate::by_hand::text(&post));
    sealed["body"] = json!(hex(keys.outer(&[&[3], inner.as_slice()].concat())));
    cases.accept("a request with its body", "inbox", asked(&sealed));
    let mut elsewhere = entry(&invitation(&opening()), &[], &opens(&opening()));
    elsewhere["network"] = json!(hex(ELSEWHERE));
    let rule = "Seal(WrongLog)";
    cases.refuse(rule, "an inbox is on one network", "inbox", elsewhere);
}
