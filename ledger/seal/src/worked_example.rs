//! The worked example of the byte specification, computed and compared with what stands in the README.
//!
//! The values were generated once by this code, then checked with other implementations of BLAKE3, ed25519 and
//! XChaCha20-Poly1305 (the Python packages `blake3` and `pynacl`). A change of one of them is a change of the format.

use std::fmt::Write as _;

use waxwing_core::codec::Encode;
use waxwing_core::envelope::KeepFor;
use waxwing_core::keys::NodeId;
use waxwing_core::{Hash, HashKeys};

use crate::content::{Content, Kind, Name, View, Words};
use crate::invitation::{ChannelName, Invitation, NodeAddress, Pin};
use crate::sealer::{Keeping, Sealer};
use crate::{Binding, ChannelSecret, DeviceKey, GroupEngine as _, StandIn};

const NETWORK: Hash = Hash([0xaa; 32]);

fn secret() -> ChannelSecret {
    let mut bytes = [0; 32];
    for (byte, value) in bytes.iter_mut().zip(0..) {
        *byte = value;
    }
    ChannelSecret::from_bytes(bytes)
}

/// One value a line, 32 bytes of it; further lines are indented.
fn line(out: &mut String, name: &str, bytes: &[u8]) {
    for (number, chunk) in bytes.chunks(32).enumerate() {
        let name = if number == 0 { name } else { "" };
        let hex = chunk
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        writeln!(out, "{name:<15}{hex}").unwrap();
    }
}

fn example() -> String {
    let mut out = String::new();
    let (epoch, hash_keys, device) = (
        secret().epoch_keys(NETWORK, 0),
        HashKeys::new(NETWORK),
        DeviceKey::from_seed(&[0xbb; 32]),
    );
    line(&mut out, "log seed", &*epoch.log_key().seed());
    line(&mut out, "log id", epoch.log().as_bytes());
    line(&mut out, "seal key", &epoch.seal_key().0);
    line(&mut out, "device id", &device.id().0);

    let mut draws = [0xc1, 0xc2, 0xc3, 0xc4].into_iter();
    let mut chance = |bytes: &mut [u8]| bytes.fill(draws.next().unwrap());
    let view = View::empty_log(64, Hash([0xd1; 32]));
    let kind = Kind::Text(Words::new("hello").unwrap());
    let content = Content::new(&mut chance, 1_700_000_000_000, Name::new("Ada").unwrap(), view, kind);
    line(&mut out, "content", &content.to_bytes());

    let erasure_secret = device.erasure_secret(epoch.log(), content.salt);
    let erasure = erasure_secret.commitment(&hash_keys);
    line(&mut out, "erasure secret", &erasure_secret.0);
    line(&mut out, "erasure", &erasure.0);
    let binding = Binding {
        network: NETWORK,
        log: epoch.log(),
        erasure,
        keep_for: KeepFor::Week,
    };
    let message = StandIn::new().protect(&device, &content, &binding).unwrap();
    line(&mut out, "layer 3", &message[..141]);

    let mut sealer = Sealer::new(hash_keys, epoch, device, StandIn::new());
    let sealed = sealer
        .seal(&content, Keeping::Erasable(KeepFor::Week), &mut chance)
        .unwrap();
    assert_eq!(sealed.erasure, erasure);
    line(&mut out, "body starts", &sealed.body[..64]);
    line(&mut out, "body ends", &sealed.body[480..]);
    line(&mut out, "body hash", &sealed.body_hash.0);
    let kept = sealer.seal(&content, Keeping::Stays, &mut chance).unwrap();
    line(&mut out, "body hash'", &kept.body_hash.0);
    line(&mut out, "erasure'", &kept.erasure.0);
    out
}

fn link() -> String {
    let invitation = Invitation {
        network: NETWORK,
        pin: Pin {
            height: 64,
            id: Hash([0xd1; 32]),
        },
        nodes: vec![NodeAddress::new("192.0.2.7:7400", NodeId([0xee; 32])).unwrap()],
        name: ChannelName::new("birds").unwrap(),
        secret: secret(),
    };
    invitation.link().to_string()
}

#[test]
fn the_worked_example_of_the_specification_is_what_the_code_computes() {
    let readme = include_str!("../README.md");
    let example = example();
    assert!(readme.contains(&example), "the README should contain:\n{example}");
    assert!(readme.contains(&link()), "the README should contain:\n{}", link());
}
