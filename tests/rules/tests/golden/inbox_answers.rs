//! Answers to requests, and how a further device comes into an account: the other inboxes that there are.

use serde_json::{Value, json};

use crate::case::{Cases, hex};
use crate::identities::{NETWORK, Paper, root_key};
use crate::inbox_papers::{
    ANSWER_KEY, ANSWER_SEED, Ask, ELSEWHERE, EXPIRES, KEY, SEED, answers, bobs_certificate, bytes, derive, device,
    device_opening_by, entry, newcomer, nodes, opening_id, post_id, posts, public, signed, stored,
};

/// All of them.
pub(crate) fn add_to(cases: &mut Cases) {
    welcomes(cases);
    greetings(cases);
    devices(cases);
    acceptances(cases);
    hand_overs(cases);
}

/// The occasion of the answers: the request.
fn request_id() -> [u8; 32] {
    post_id(SEED, &Ask::whole().post())
}

fn answered(before: &[Value], post: &[u8]) -> Value {
    let mut given = entry(&answers(request_id()), before, &posts(post));
    given["occasion"] = json!(hex(request_id()));
    given
}

fn whole_welcome(answers: [u8; 32]) -> Vec<u8> {
    let place = [&[0x62; 32][..], &5_u64.to_be_bytes(), &1204_u64.to_be_bytes()].concat();
    [&[1][..], &answers, &place, &bytes(b"a welcome"), &bytes(b"a tree")].concat()
}

fn welcome_part(id: [u8; 32], count: u32, number: u32, content: &[u8]) -> Vec<u8> {
    [
        &[2][..],
        &id,
        &count.to_be_bytes(),
        &number.to_be_bytes(),
        &bytes(content),
    ]
    .concat()
}

fn welcomes(cases: &mut Cases) {
    let id = |whole: &[u8]| derive("waxwing v1 welcome id", &[&NETWORK.0, whole]);
    let whole = whole_welcome(request_id());
    let good = welcome_part(id(&whole), 1, 0, &whole);
    cases.accept("a welcome in one part", "inbox", answered(&[], &good));
    let last = welcome_part([9; 32], 3, 2, b"the end");
    cases.accept("the last of three parts, first", "inbox", answered(&[], &last));
    let declined = |reason| [&[3][..], &request_id(), &[reason]].concat();
    cases.accept("a refusal", "inbox", answered(&[], &declined(1)));
    cases.accept(
        "a refusal for a reason of a later version",
        "inbox",
        answered(&[], &declined(200)),
    );
    let mut refuse = |rule: &str, name: &str, before: &[&[u8]], post: &[u8]| {
        let before: Vec<Value> = before.iter().map(|post| posts(post)).collect();
        cases.refuse(rule, name, "inbox", answered(&before, post));
    };
    refuse("Repeated", "a welcome comes once", &[&good], &good);
    refuse("Repeated", "a part comes once", &[&last], &last);
    refuse("Repeated", "a refusal comes once", &[&declined(0)], &declined(1));
    let more = welcome_part([9; 32], 4, 3, b"the end");
    refuse("OtherCount", "a welcome has one number of parts", &[&last], &more);
    let announced = welcome_part([9; 32], 1, 0, &whole);
    refuse("OtherWhole", "a welcome is what was announced", &[], &announced);
    let others = whole_welcome([9; 32]);
    let others = welcome_part(id(&others), 1, 0, &others);
    refuse("OtherOccasion", "a welcome answers the request", &[], &others);
    let others = [&[3][..], &[9; 32], &[0]].concat();
    refuse("OtherOccasion", "a refusal answers the request", &[], &others);
    let mut newer = whole.clone();
    newer[0] = 2;
    let newer = welcome_part(id(&newer), 1, 0, &newer);
    refuse("Malformed(WrongMagic)", "the version of a welcome is 1", &[], &newer);
    for (name, count, number, content) in [
        ("a welcome has at most five parts", 6, 5, &b"x"[..]),
        ("parts are numbered below their count", 2, 2, b"x"),
        ("a part is not empty", 2, 1, b""),
        ("all parts but the last are full", 2, 0, b"x"),
    ] {
        let part = welcome_part([9; 32], count, number, content);
        refuse("Malformed(BadValue)", name, &[], &part);
    }
    refuse(
        "OutOfPlace",
        "nobody asks where he is answered",
        &[],
        &Ask::short().post(),
    );
}

fn greeting(by: u8, certificate: &[u8], public: &[u8]) -> Vec<u8> {
    let said = [certificate, &bytes(b"Ada"), &[0xd7; 32], public, &[0]].concat();
    signed(5, (ANSWER_SEED, request_id()), by, &said)
}

fn greetings(cases: &mut Cases) {
    let (paper, key) = (Paper::of(1, 1).bytes(), public([0xd8; 32]));
    let good = greeting(1, &paper, &key);
    cases.accept("a greeting", "inbox", answered(&[], &good));
    let mut refuse = |rule: &str, name: &str, before: &[Value], post: &[u8]| {
        cases.refuse(rule, name, "inbox", answered(before, post));
    };
    refuse("Repeated", "a greeting comes once", &[posts(&good)], &good);
    let rule = "Certificate(WrongAccount)";
    refuse(
        rule,
        "the account that was asked greets",
        &[],
        &greeting(5, &bobs_certificate(), &key),
    );
    refuse(
        "BadSignature",
        "the device that greets signs",
        &[],
        &greeting(5, &paper, &key),
    );
    refuse(
        "Unanswerable",
        "a greeting can be answered",
        &[],
        &greeting(1, &paper, &[0xff; 1216]),
    );
}

fn offer(by: u8, networks: &[[u8; 32]], public: &[u8]) -> Vec<u8> {
    let count = u32::try_from(networks.len()).unwrap().to_be_bytes();
    let paper = Paper::of(1, 1).bytes();
    let said = [
        &paper[..],
        &bytes(b"Ada"),
        &count,
        &networks.concat(),
        &ANSWER_SEED,
        public,
    ]
    .concat();
    signed(6, (SEED, opening_id(&device_opening_by(7))), by, &said)
}

fn good_offer() -> Vec<u8> {
    offer(1, &[NETWORK.0], &public(ANSWER_KEY))
}

/// On the inbox of a new device.
fn at_device(inbox: &[u8], before: &[Value], said: &Value) -> Value {
    let mut given = entry(inbox, before, said);
    given["occasion"] = json!(hex(opening_id(&device_opening_by(7))));
    given
}

fn devices(cases: &mut Cases) {
    let opening = device_opening_by(7);
    let (inbox, opens) = (newcomer(&opening), json!({"device opening": hex(&opening)}));
    cases.accept("a device opens its inbox", "inbox", at_device(&inbox, &[], &opens));
    let open = [opens.clone()];
    let key = public(ANSWER_KEY);
    cases.accept("an offer", "inbox", at_device(&inbox, &open, &posts(&good_offer())));
    let mut refuse = |rule: &str, name: &str, before: &[Value], said: &Value| {
        cases.refuse(rule, name, "inbox", at_device(&inbox, before, said));
    };
    let other = json!({"device opening": hex(device_opening_by(8))});
    refuse("OtherOpening", "a device has one opening", &[], &other);
    refuse("SecondOpening", "a device opens its inbox once", &open, &opens);
    refuse(
        "NotOpened",
        "an offer comes after the opening",
        &[],
        &posts(&good_offer()),
    );
    let twice = [opens.clone(), posts(&good_offer())];
    refuse("AskedBefore", "a device offers once", &twice, &posts(&good_offer()));
    let forged = offer(5, &[NETWORK.0], &key);
    refuse("BadSignature", "the device that offers signs", &open, &posts(&forged));
    let elsewhere = offer(1, &[ELSEWHERE], &key);
    refuse(
        "OtherNetworks",
        "an offer is for this network too",
        &open,
        &posts(&elsewhere),
    );
    let none = offer(1, &[], &key);
    refuse(
        "Malformed(BadValue)",
        "an offer is for a network at least",
        &open,
        &posts(&none),
    );
    let unsorted = offer(1, &[ELSEWHERE, NETWORK.0], &key);
    refuse("Malformed(BadValue)", "networks ascend", &open, &posts(&unsorted));
    let nobody = offer(1, &[NETWORK.0], &[0xff; 1216]);
    refuse("Unanswerable", "an offer can be answered", &open, &posts(&nobody));
    refuse(
        "OutOfPlace",
        "nobody asks a new device",
        &open,
        &posts(&Ask::short().post()),
    );
    let mut late = posts(&good_offer());
    late["at"] = json!(EXPIRES + 1);
    refuse("Expired", "no offer comes after the end", &open, &late);
    let none = hand_over(1, &[handed(NETWORK.0, 7)]);
    refuse("OtherOffer", "nothing is handed over unasked", &twice, &posts(&none));
}

/// The inbox of the device that has offered.
fn waiting(is_accepted: u8) -> Vec<u8> {
    let offered = good_offer();
    let mut rest = device(7).id().0.to_vec();
    rest.extend(EXPIRES.to_be_bytes());
    rest.extend([&SEED[..], &public(KEY), &opening_id(&device_opening_by(7))].concat());
    rest.extend(root_key().public().0);
    rest.extend(post_id(SEED, &offered));
    rest.extend([&1_u32.to_be_bytes()[..], &NETWORK.0, &[is_accepted]].concat());
    stored(ANSWER_SEED, ANSWER_KEY, 4, &rest)
}

fn acceptances(cases: &mut Cases) {
    let given = |inbox: &[u8], post: &[u8]| {
        let mut given = entry(inbox, &[], &posts(post));
        given["occasion"] = json!(hex(post_id(SEED, &good_offer())));
        given
    };
    let account = root_key().public().0;
    let accept = |by: u8| {
        let paper = Paper {
            seed: by,
            ..Paper::of(7, 1)
        };
        paper.acceptance(&account).0
    };
    let accepting = |signatures: &[[u8; 64]]| {
        let count = u32::try_from(signatures.len()).unwrap().to_be_bytes();
        [&[7][..], &count, &signatures.concat()].concat()
    };
    let good = accepting(&[accept(7)]);
    cases.accept("a device accepts the account", "inbox", given(&waiting(0), &good));
    let mut refuse = |rule: &str, name: &str, inbox: &[u8], post: &[u8]| {
        cases.refuse(rule, name, "inbox", given(inbox, post));
    };
    refuse("Repeated", "a device accepts once", &waiting(1), &good);
    refuse(
        "OtherNetworks",
        "a device accepts on each network",
        &waiting(0),
        &accepting(&[]),
    );
    refuse(
        "BadSignature",
        "the new device itself accepts",
        &waiting(0),
        &accepting(&[accept(8)]),
    );
    let more = given(&[&waiting(0)[..], &[0]].concat(), &good);
    cases.refuse("Codec(Trailing)", "nothing follows a stored inbox", "inbox", more);
}

fn handed(network: [u8; 32], of: u8) -> Vec<u8> {
    let pin = [&64_u64.to_be_bytes()[..], &[0xd1; 32]].concat();
    let paper = Paper {
        name: b"laptop",
        ..Paper::of(of, 2)
    };
    [&network[..], &pin, &nodes(), &[0xd9; 32], &paper.bytes()].concat()
}

fn hand_over(by: u8, handed: &[Vec<u8>]) -> Vec<u8> {
    let offer = post_id(SEED, &good_offer());
    let count = u32::try_from(handed.len()).unwrap().to_be_bytes();
    let said = [&offer[..], &bytes(b"Ada"), &count, &handed.concat()].concat();
    signed(4, (SEED, opening_id(&device_opening_by(7))), by, &said)
}

fn hand_overs(cases: &mut Cases) {
    // Open, and its owner has agreed to the offer.
    let id = post_id(SEED, &good_offer());
    let offered = [&[2][..], &id, &1_u32.to_be_bytes(), &id, &good_offer()[1..]].concat();
    let inbox = stored(SEED, KEY, 3, &[&device_opening_by(7)[..], &offered].concat());
    let good = hand_over(1, &[handed(NETWORK.0, 7)]);
    cases.accept(
        "an account is handed over",
        "inbox",
        at_device(&inbox, &[], &posts(&good)),
    );
    let mut refuse = |rule: &str, name: &str, before: &[Value], post: &[u8]| {
        cases.refuse(rule, name, "inbox", at_device(&inbox, before, &posts(post)));
    };
    refuse("UsedUp", "an account is handed over once", &[posts(&good)], &good);
    let forged = hand_over(5, &[handed(NETWORK.0, 7)]);
    refuse("BadSignature", "the device that offered hands over", &[], &forged);
    refuse("OtherNetworks", "every network is handed over", &[], &hand_over(1, &[]));
    let others = hand_over(1, &[handed(NETWORK.0, 8)]);
    refuse("OtherDevice", "the device that accepted is certified", &[], &others);
    let mut spoilt = handed(NETWORK.0, 7);
    let last = spoilt.len() - 1;
    spoilt[last] ^= 1;
    let rule = "Certificate(BadSignature)";
    refuse(rule, "the account certifies the device", &[], &hand_over(1, &[spoilt]));
}
