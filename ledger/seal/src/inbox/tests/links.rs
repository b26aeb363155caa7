//! Links are read back as what they are, and never taken for one another.

use super::*;
use crate::invitation::{Invitation, LinkError, LinkKind, NodeAddress, Part, Pin};
use crate::{ChannelSecret, OpenError};
use proptest::prelude::*;
use waxwing_core::keys::NodeId;

fn person() -> PersonLink {
    PersonLink {
        network: NETWORK,
        pin: Pin {
            height: 1204,
            id: Hash([2; 32]),
        },
        nodes: vec![
            NodeAddress::new("192.0.2.7:7400", NodeId([3; 32])).unwrap(),
            NodeAddress::new("node.example.org:7400", NodeId([4; 32])).unwrap(),
        ],
        account: AccountId([5; 32]),
        seed: InboxSeed::from_bytes([6; 32]),
        purpose: Purpose::Channel(Text::new("Birds 🐦").unwrap()),
    }
}

fn device() -> DeviceLink {
    DeviceLink {
        network: NETWORK,
        nodes: person().nodes,
        seed: InboxSeed::from_bytes([6; 32]),
        opening: Hash([7; 32]),
    }
}

fn channel() -> Invitation {
    Invitation {
        network: NETWORK,
        pin: person().pin,
        nodes: person().nodes,
        name: Text::new("Birds 🐦").unwrap(),
        secret: ChannelSecret::from_bytes([6; 32]),
    }
}

#[test]
fn a_link_is_read_back_also_as_mail_and_terminals_mangle_it() {
    for link in [person().link(), device().link()] {
        let (front, back) = link.split_at(40);
        let plain = Link::read(&link).unwrap();
        for mangled in [
            format!("  {}\n", *link),
            format!("{front}\r\n  {back}"),
            link.replace("waxwing:", "Waxwing:"),
        ] {
            assert_eq!(Link::read(&mangled).as_ref(), Ok(&plain), "{mangled:?}");
        }
    }
    let contact = PersonLink {
        purpose: Purpose::Contact,
        ..person()
    };
    assert_eq!(PersonLink::from_link(&contact.link()), Ok(contact));
}

#[test]
fn a_link_of_one_kind_is_never_another() {
    let links = [channel().link(), person().link(), device().link()];
    let read = links.each_ref().map(|link| Link::read(link).unwrap());
    assert_eq!(
        read,
        [Link::Channel(channel()), Link::Person(person()), Link::Device(device())]
    );
    let (old, new, own) = (LinkKind::Channel, LinkKind::Person, LinkKind::Device);
    for (link, kind) in links.iter().zip([old, new, own]) {
        let other = |of| {
            if kind == of {
                None
            } else {
                Some(LinkError::OtherKind(kind))
            }
        };
        assert_eq!(Invitation::from_link(link).err(), other(old));
        assert_eq!(PersonLink::from_link(link).err(), other(new));
        assert_eq!(DeviceLink::from_link(link).err(), other(own));
    }
    let halves = |one: &str, two: &str| {
        let (open, _) = one.split_once('#').unwrap();
        let (_, secret) = two.split_once('#').unwrap();
        Link::read(&format!("{open}#{secret}")).unwrap_err()
    };
    assert_eq!(halves(&links[1], &links[0]), LinkError::OtherKind(old));
    assert_eq!(halves(&links[0], &links[1]), LinkError::OtherKind(new));
}

#[test]
fn account_and_seed_stand_behind_the_hash_only() {
    let open = |link: &str| link.split_once('#').unwrap().0.to_owned();
    let other = PersonLink {
        account: AccountId([8; 32]),
        seed: InboxSeed::from_bytes([9; 32]),
        purpose: Purpose::Contact,
        ..person()
    };
    assert_eq!(open(&person().link()), open(&other.link()));
    let other = DeviceLink {
        seed: InboxSeed::from_bytes([9; 32]),
        opening: Hash([1; 32]),
        ..device()
    };
    assert_eq!(open(&device().link()), open(&other.link()));
}

#[test]
fn every_truncation_and_every_mistyped_character_is_noticed() {
    for link in [person().link(), device().link()] {
        let hash = link.find('#').unwrap();
        for end in "waxwing:".len()..link.len() {
            let expected = match end {
                end if end < hash => LinkError::Truncated(Part::Open),
                end if end <= hash + 1 => LinkError::SecretMissing,
                _ => LinkError::Truncated(Part::Secret),
            };
            assert_eq!(Link::read(&link[..end]), Err(expected), "cut at {end}");
        }
        for at in "waxwing:".len()..link.len() {
            let other = if &link[at..=at] == "A" { "B" } else { "A" };
            let mut typo = link.to_string();
            typo.replace_range(at..=at, other);
            assert!(at == hash || Link::read(&typo).is_err(), "character {at}");
        }
    }
}

#[test]
fn a_link_fits_a_qr_code_that_a_phone_can_read() {
    let of_one_node = PersonLink {
        nodes: vec![NodeAddress::new("192.0.2.7:7400", NodeId([3; 32])).unwrap()],
        ..person()
    };
    let own = DeviceLink {
        nodes: of_one_node.nodes.clone(),
        ..device()
    };
    let lengths = [of_one_node.link().len(), own.link().len()];
    assert!(lengths.iter().all(|length| *length <= 400), "{lengths:?}");
    let crowd = PersonLink {
        nodes: vec![of_one_node.nodes[0].clone(); 20],
        ..person()
    };
    assert_eq!(PersonLink::from_link(&crowd.link()).unwrap().nodes.len(), 8);
}

#[test]
fn a_link_leads_to_its_inbox_and_to_no_other() {
    let open = opened(1);
    let link = PersonLink {
        account: open.ada.account(),
        seed: open.inbox.seed().clone(),
        ..person()
    };
    let read = |link: &PersonLink| link.door().read(NOW, &header(&open.opening), &open.opening.body);
    assert!(matches!(read(&link), Ok(Opened::Person(_))));
    assert_eq!(link.door().log(), open.inbox.log());
    let other = read(&person()).unwrap_err();
    assert_eq!(other, Void::Seal(OpenError::WrongLog));
    let for_eve = PersonLink {
        account: Person::new(3).account(),
        ..link
    };
    let wrong = crate::identity::CertificateError::WrongAccount;
    assert_eq!(read(&for_eve).unwrap_err(), Void::Certificate(wrong));
}

proptest! {
    #[test]
    fn any_link_is_read_back(
        bytes in any::<[[u8; 32]; 4]>(),
        height in any::<u64>(),
        name in "\\PC{0,20}",
        nodes in 0..4_usize,
    ) {
        let node = NodeAddress::new("[2001:db8::1]:7400", NodeId(bytes[0])).unwrap();
        let link = PersonLink {
            network: Hash(bytes[1]),
            pin: Pin { height, id: Hash(bytes[2]) },
            nodes: vec![node; nodes],
            account: AccountId(bytes[3]),
            seed: InboxSeed::from_bytes(bytes[0]),
            purpose: Purpose::Channel(Text::new(name).unwrap()),
        };
        prop_assert_eq!(Link::read(&link.link()), Ok(Link::Person(link)));
    }

    #[test]
    fn any_text_gets_an_answer(text in "(waxwing:)?[AQEw][ -~]{0,80}(#[A-Za-z0-9_-]{0,80})?") {
        let _ = Link::read(&text);
    }
}
