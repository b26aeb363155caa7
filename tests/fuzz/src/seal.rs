//! What stands inside an envelope, invitations, cards, inboxes, files, and texts of others on their way to a screen.
//!
//! Everything inside was written by somebody who has the channel's key and may be anybody. What is sealed is opened to
//! the same content, what is spoilt on the way is not opened at all, nothing is opened twice, and no text keeps its
//! terminal escapes or bidirectional controls.

use std::sync::LazyLock;

use waxwing_core::codec::Decode;
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::NodeId;
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;
use waxwing_seal::display::{display_safe, display_safe_lines, display_safe_name, look_alike};
use waxwing_seal::{ChannelSecret, Content, DeviceKey, Invitation, Keeping, NodeAddress, Sealer, StandIn};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::{again, answered};
use crate::{attached, identity, inbox};

const GAMES: [fn(&[u8]); 8] = [
    content,
    stand_in,
    link,
    address,
    texts,
    sealed,
    raw_body,
    state_of_others,
];

// Their places, for the seeds.
const CONTENT: usize = 0;
const STAND_IN: usize = 1;
const LINK: usize = 2;
const ADDRESS: usize = 3;
const TEXTS: usize = 4;
const SEALED: usize = 5;
const RAW_BODY: usize = 6;
const STATE_OF_OTHERS: usize = 7;

/// Plays one input: the game, and its bytes.
pub fn run(data: &[u8]) {
    let Some((chosen, bytes)) = data.split_first() else {
        return;
    };
    let games = || {
        let others = identity::GAMES.iter().chain(&inbox::GAMES).chain(&attached::GAMES);
        GAMES.iter().chain(others)
    };
    if let Some(game) = games().nth(usize::from(*chosen) % games().count()) {
        game(bytes);
    }
}

fn content(bytes: &[u8]) {
    if let Some(content) = again::<Content>(bytes) {
        answered(content.kind.word());
        answered(content.kind.number());
        texts(content.name.as_str().as_bytes());
    }
}

fn stand_in(bytes: &[u8]) {
    if let Some(state) = again::<StandIn>(bytes) {
        assert!(state.devices().count() <= bytes.len());
    }
}

fn link(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok(invitation) = Invitation::from_link(text) else {
        return;
    };
    let again = Invitation::from_link(&invitation.link());
    assert_eq!(again.as_ref(), Ok(&invitation), "a link that reads back as another");
}

fn address(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Some(address) = NodeAddress::new(text, NodeId([1; 32])) {
        assert_eq!(address.address(), text);
        assert!(
            text.is_ascii() && !text.contains(char::is_whitespace),
            "{text:?} is no address"
        );
    }
    again::<NodeAddress>(bytes);
}

/// Characters that do something to a screen instead of being seen on it.
fn is_trick(letter: char) -> bool {
    let is_bidirectional =
        matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    letter.is_control() || is_bidirectional
}

fn texts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let safe = display_safe(&text);
    assert!(!safe.chars().any(is_trick), "{safe:?}");
    assert_eq!(display_safe(&safe), safe, "what is safe is safe");
    let lines = display_safe_lines(&text);
    assert!(
        !lines.chars().any(|letter| letter != '\n' && is_trick(letter)),
        "{lines:?}"
    );
    let name = display_safe_name(&text);
    assert!(!name.is_empty() && name.chars().count() <= 41 && !name.contains('\n'));
    assert!(!name.chars().any(is_trick));
    let (one, other) = text.split_at(text.floor_char_boundary(text.len() / 2));
    assert_eq!(look_alike(one, other), look_alike(other, one));
    assert!(look_alike(one, one));
}

/// A channel of two devices.
struct Channel {
    keys: HashKeys,
    secret: ChannelSecret,
}

static CHANNEL: LazyLock<Channel> = LazyLock::new(|| Channel {
    keys: HashKeys::new(Hash([3; 32])),
    secret: ChannelSecret::from_bytes([4; 32]),
});

fn sealer(device: u8, state: StandIn) -> Sealer<StandIn> {
    let epoch = CHANNEL.secret.epoch_keys(CHANNEL.keys.network(), 0);
    Sealer::new(CHANNEL.keys.clone(), epoch, DeviceKey::from_seed(&[device; 32]), state)
}

fn any_content(number: u64) -> Content {
    let format = FORMATS
        .iter()
        .find(|format| format.name == "content")
        .expect("it is a format");
    Content::from_bytes(&(format.random)(&mut Chance::new(number))).expect("it is a content")
}

fn header_of(sealed: &waxwing_seal::Sealed) -> EnvelopeHeader {
    sealed.header(Anchor {
        height: 0,
        id: Hash([1; 32]),
    })
}

/// Contents sealed by one device, opened by another: as they are, spoilt, twice, or under another header.
fn sealed(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (mut writer, mut reader) = (sealer(1, StandIn::new()), sealer(2, StandIn::new()));
    let mut count = script.number();
    let mut chance = |room: &mut [u8]| {
        for byte in room {
            count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = count.to_be_bytes()[0];
        }
    };
    for _ in 0..4 {
        let content = any_content(script.number());
        let keeping = if script.coin() {
            Keeping::Stays
        } else {
            Keeping::Erasable(*script.pick(&KeepFor::ALL))
        };
        let Ok(sealed) = writer.seal(&content, keeping, &mut chance) else {
            return;
        };
        let honest = header_of(&sealed);
        let (mut body, mut header) = (sealed.body.clone(), honest.clone());
        script.spoil(&mut body);
        match script.byte() % 8 {
            0 => header.erasure.0[script.place(32)] ^= script.byte(),
            1 => header.keep_for = *script.pick(&KeepFor::ALL),
            _ => {}
        }
        let before = reader.engine().clone();
        match reader.open(&header, &body) {
            Ok(opened) => {
                assert_eq!(body, sealed.body, "a spoilt body was opened");
                assert_eq!((&header.erasure, header.keep_for), (&honest.erasure, honest.keep_for));
                assert_eq!(
                    (opened.content, opened.keeping, opened.device),
                    (content, keeping, writer.device())
                );
                assert!(reader.open(&header, &body).is_err(), "opened twice");
            }
            Err(_) => {
                assert!(body != sealed.body || header != honest, "the true one was not opened");
                assert_eq!(*reader.engine(), before, "a refusal that changed the reader's state");
            }
        }
    }
}

/// Bodies that nobody with the key made.
fn raw_body(bytes: &[u8]) {
    let sealed = sealer(1, StandIn::new()).seal(&any_content(1), Keeping::Stays, &mut |room| room.fill(9));
    let header = header_of(&sealed.expect("a short content can be sealed"));
    assert!(sealer(2, StandIn::new()).open(&header, bytes).is_err());
    for text in [&bytes[..bytes.len() / 2], &bytes[bytes.len() / 2..]] {
        answered(EnvelopeHeader::from_bytes(text).map(|header| sealer(2, StandIn::new()).open(&header, bytes)));
    }
}

/// A reader whose stored state is anything that can be stored: it opens or refuses.
fn state_of_others(bytes: &[u8]) {
    let Ok(state) = StandIn::from_bytes(bytes) else { return };
    let mut writer = sealer(1, state.clone());
    let Ok(sealed) = writer.seal(&any_content(2), Keeping::Stays, &mut |room| room.fill(9)) else {
        return;
    };
    let mut reader = sealer(2, state);
    if reader.open(&header_of(&sealed), &sealed.body).is_ok() {
        assert!(reader.open(&header_of(&sealed), &sealed.body).is_err(), "opened twice");
    }
}

/// The vectors' bytes and links for each game, and some texts with tricks.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for bytes in &GOLDEN.bytes {
        if Content::from_bytes(bytes).is_ok() {
            seeds.push(seed(CONTENT, bytes));
        }
        if StandIn::from_bytes(bytes).is_ok() {
            seeds.push(seed(STAND_IN, bytes));
            seeds.push(seed(STATE_OF_OTHERS, bytes));
        }
    }
    for text in GOLDEN.texts.iter().filter(|text| text.starts_with("waxwing:")) {
        seeds.push(seed(LINK, text.as_bytes()));
    }
    for text in [
        "127.0.0.1:4010",
        "[::1]:4010",
        "node.example.org:4010",
        "a b:1",
        "host:0",
        "host:99999",
    ] {
        seeds.push(seed(ADDRESS, text.as_bytes()));
    }
    for text in [
        "a\u{202e}b",
        "\u{1b}[2Jwaxwing",
        "paypaI\u{0440}aypal",
        "line\nline",
        "\u{200d}\u{fe0f}",
        "עברית",
    ] {
        seeds.push(seed(TEXTS, text.as_bytes()));
    }
    for format in FORMATS {
        let bytes = (format.random)(&mut Chance::new(3));
        match format.name {
            "content" => seeds.push(seed(CONTENT, &bytes)),
            "stand-in state" => seeds.push(seed(STATE_OF_OTHERS, &bytes)),
            _ => {}
        }
    }
    for start in 0..8_u8 {
        let script: Vec<u8> = (0..60_u8).map(|at| start.wrapping_mul(at)).collect();
        seeds.push(seed(SEALED, &script));
    }
    let bodies = GOLDEN.bytes.iter().filter(|bytes| bytes.len() > 200);
    seeds.extend(bodies.take(20).map(|bytes| seed(RAW_BODY, bytes)));
    seeds.extend(identity::seeds(GAMES.len()));
    seeds.extend(inbox::seeds(GAMES.len() + identity::GAMES.len()));
    seeds.extend(attached::seeds(GAMES.len() + identity::GAMES.len() + inbox::GAMES.len()));
    seeds
}
