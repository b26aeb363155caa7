//! Links come back as the invitation they were made from; every accident gets its own sentence.

use proptest::prelude::*;

use super::*;

fn invitation() -> Invitation {
    Invitation {
        network: Hash([1; 32]),
        pin: Pin {
            height: 1204,
            id: Hash([2; 32]),
        },
        nodes: vec![
            NodeAddress::new("192.0.2.7:7400", NodeId([3; 32])).unwrap(),
            NodeAddress::new("node.example.org:7400", NodeId([4; 32])).unwrap(),
        ],
        name: ChannelName::new("Birds 🐦").unwrap(),
        secret: ChannelSecret::from_bytes([5; 32]),
    }
}

fn parts() -> (String, String) {
    let link = invitation().link();
    let (open, secret) = link.strip_prefix("waxwing:").unwrap().split_once('#').unwrap();
    (open.to_owned(), secret.to_owned())
}

fn read(open: &str, secret: &str) -> Result<Invitation, LinkError> {
    Invitation::from_link(&format!("waxwing:{open}#{secret}"))
}

#[test]
fn a_link_is_read_back_also_as_mail_and_terminals_mangle_it() {
    let link = invitation().link();
    assert_eq!(Invitation::from_link(&link), Ok(invitation()));
    let (front, back) = link.split_at(40);
    for mangled in [
        format!("  {}\n", *link),
        format!("{front}\r\n  {back}"),
        link.replace("waxwing:", "Waxwing:"),
    ] {
        assert_eq!(Invitation::from_link(&mangled), Ok(invitation()), "{mangled:?}");
    }
}

#[test]
fn the_secret_stands_behind_the_hash_only() {
    let secret = URL_SAFE_NO_PAD.encode([5; 30]);
    let (open, behind) = parts();
    assert!(behind.contains(&secret[..32]));
    assert!(!open.contains(&secret[..8]));
    let other = Invitation {
        secret: ChannelSecret::from_bytes([6; 32]),
        ..invitation()
    };
    assert!(
        other.link().starts_with(&format!("waxwing:{open}#")),
        "the open part does not depend on the secret"
    );
}

#[test]
fn every_truncation_says_that_the_link_was_cut_off() {
    let link = invitation().link();
    let hash = link.find('#').unwrap();
    for end in SCHEME.len()..link.len() {
        let expected = match end {
            end if end < hash => LinkError::Truncated(Part::Open),
            end if end <= hash + 1 => LinkError::SecretMissing,
            _ => LinkError::Truncated(Part::Secret),
        };
        assert_eq!(Invitation::from_link(&link[..end]), Err(expected), "cut at {end}");
    }
}

#[test]
fn every_mistyped_character_is_noticed() {
    let link = invitation().link().to_string();
    for at in SCHEME.len()..link.len() {
        if &link[at..=at] == "#" {
            continue;
        }
        let other = if &link[at..=at] == "A" { "B" } else { "A" };
        let mut typo = link.clone();
        typo.replace_range(at..=at, other);
        assert!(Invitation::from_link(&typo).is_err(), "character {at}");
    }
}

#[test]
fn each_accident_has_its_own_name() {
    let (open, secret) = parts();
    let typo = |part: &str| {
        format!(
            "{}{}{}",
            &part[..20],
            if &part[20..21] == "x" { "y" } else { "x" },
            &part[21..]
        )
    };
    assert_eq!(Invitation::from_link("https://example.org/"), Err(LinkError::NotALink));
    assert_eq!(Invitation::from_link(""), Err(LinkError::NotALink));
    assert_eq!(
        Invitation::from_link(&"waxwing:".repeat(2000)),
        Err(LinkError::NotALink)
    );
    assert_eq!(read(&open, ""), Err(LinkError::SecretMissing));
    assert_eq!(
        Invitation::from_link(&format!("waxwing:{open}")),
        Err(LinkError::SecretMissing)
    );
    assert_eq!(Invitation::from_link("waxwing:"), Err(LinkError::Truncated(Part::Open)));
    assert_eq!(read(&typo(&open), &secret), Err(LinkError::Mistyped(Part::Open)));
    assert_eq!(read(&open, &typo(&secret)), Err(LinkError::Mistyped(Part::Secret)));
    assert_eq!(read(&format!("{open}A"), &secret), Err(LinkError::Trailing(Part::Open)));
    assert_eq!(
        read(&open, &format!("{secret}A")),
        Err(LinkError::Trailing(Part::Secret))
    );
    assert_eq!(
        read(&open, &format!("{secret}.")),
        Err(LinkError::BadCharacter {
            part: Part::Secret,
            position: secret.len() + 1
        })
    );
    assert_eq!(
        read(&open.to_lowercase(), &secret),
        Err(LinkError::Mistyped(Part::Open)),
        "a mail program's doing"
    );
}

#[test]
fn a_later_version_is_told_from_an_accident() {
    let (open, _) = parts();
    let mut bytes = URL_SAFE_NO_PAD.decode(open).unwrap();
    bytes[0] = 4;
    assert_eq!(
        read(&URL_SAFE_NO_PAD.encode(&bytes), "AQAk"),
        Err(LinkError::UnknownVersion(4))
    );
    bytes[0] = 2;
    assert_eq!(
        read(&URL_SAFE_NO_PAD.encode(bytes), "AQAk"),
        Err(LinkError::OtherKind(LinkKind::Person)),
        "a link of another kind"
    );
}

#[test]
fn halves_of_two_invitations_do_not_make_one() {
    let (open, _) = parts();
    let other = Invitation {
        network: Hash([9; 32]),
        ..invitation()
    }
    .link();
    let (_, secret) = other.split_once('#').unwrap();
    assert_eq!(read(&open, secret), Err(LinkError::Mistyped(Part::Secret)));
}

#[test]
fn fields_that_make_no_sense_are_refused_although_the_checksum_is_right() {
    let link = |open: &[u8], secret: &[u8]| {
        let (open, secret) = (front(LinkKind::Channel, open), front(LinkKind::Channel, secret));
        let sums = (checksum(&[&open]), checksum(&[&open, &secret]));
        let text = |part: &[u8], sum: [u8; 4]| URL_SAFE_NO_PAD.encode([part, &sum].concat());
        format!("waxwing:{}#{}", text(&open, sums.0), text(&secret, sums.1))
    };
    let (open, secret) = (invitation().open_fields(), invitation().secret_fields());
    assert_eq!(Invitation::from_link(&link(&open, &secret)), Ok(invitation()));
    let refused = |open: &[u8], secret: &[u8]| Invitation::from_link(&link(open, secret)).unwrap_err();
    assert_eq!(
        refused(&open[..50], &secret),
        LinkError::Malformed(CodecError::Truncated)
    );
    assert_eq!(
        refused(&[&open[..], &[0]].concat(), &secret),
        LinkError::Malformed(CodecError::Trailing)
    );
    assert_eq!(
        refused(&open, &[&secret[..], &[0]].concat()),
        LinkError::Malformed(CodecError::Trailing)
    );
    assert_eq!(refused(&open, &[5; 32]), LinkError::Malformed(CodecError::Truncated));
    let mut many = open.clone();
    many[75] = 9;
    assert_eq!(
        refused(&many, &secret),
        LinkError::Malformed(CodecError::TooLong),
        "nine nodes"
    );
    let mut escape = open;
    escape[80] = 0x1b;
    assert_eq!(
        refused(&escape, &secret),
        LinkError::Malformed(CodecError::BadValue),
        "an address that is none"
    );
}

#[test]
fn an_address_is_a_host_and_a_port_and_nothing_else() {
    let accepted = [
        "127.0.0.1:7400",
        "[::1]:7400",
        "[2001:db8::1]:1",
        "localhost:65535",
        "a-b.example.org:80",
        "x_y:1",
    ];
    for address in accepted {
        assert_eq!(NodeAddress::new(address, NodeId([1; 32])).unwrap().address(), address);
    }
    let long = format!("{}:1", "a".repeat(260));
    for address in [
        "",
        ":",
        ":80",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:+1",
        "127.0.0.1:0",
        "::1:80",
        "[::1]",
        "a..b:1",
        ".a:1",
        "a b:1",
        "a/b:1",
        "user@host:1",
        "höst:1",
        "host\u{1b}[2J:1",
        "host:1\n",
        &long,
    ] {
        assert_eq!(NodeAddress::new(address, NodeId([1; 32])), None, "{address:?}");
    }
}

#[test]
fn a_link_names_at_most_eight_nodes_and_stays_short_enough_to_paste() {
    let node = |number| NodeAddress::new(&format!("{}:{number}", "n".repeat(253)), NodeId([4; 32])).unwrap();
    let many = Invitation {
        nodes: (1..=9).map(node).collect(),
        name: ChannelName::new("x".repeat(128)).unwrap(),
        ..invitation()
    };
    let link = many.link();
    assert!(link.len() < LINK_CHARACTERS_MAX, "{}", link.len());
    assert_eq!(Invitation::from_link(&link).unwrap().nodes, many.nodes[..8]);
}

#[test]
fn a_usual_link_fits_a_qr_code_that_a_phone_can_read() {
    // Version 15, error correction M: 412 bytes.
    let one_node = Invitation {
        nodes: invitation().nodes[..1].to_vec(),
        ..invitation()
    };
    assert!(one_node.link().len() <= 412, "{}", one_node.link().len());
}

#[test]
fn debug_output_and_errors_show_no_secret() {
    let shown = format!("{:?}", invitation());
    assert!(
        !shown.contains("Birds") && !shown.contains("5, 5") && !shown.contains("0505"),
        "{shown}"
    );
    let (open, secret) = parts();
    let error = read(&open, &format!("{}%", &secret[..30])).unwrap_err();
    assert!(!format!("{error:?} {error}").contains(&secret[10..20]));
}

proptest! {
    #[test]
    fn any_invitation_is_read_back(
        network: [u8; 32], height: u64, id: [u8; 32], secret: [u8; 32], name in ".{0,30}",
        ports in prop::collection::vec(1..=u16::MAX, 0..=8),
    ) {
        let node = |port: u16| NodeAddress::new(&format!("node.example.org:{port}"), NodeId(id)).unwrap();
        let invitation = Invitation {
            network: Hash(network),
            pin: Pin { height, id: Hash(id) },
            nodes: ports.into_iter().map(node).collect(),
            name: ChannelName::new(name).unwrap(),
            secret: ChannelSecret::from_bytes(secret),
        };
        prop_assert_eq!(Invitation::from_link(&invitation.link()), Ok(invitation));
    }

    #[test]
    fn any_text_gets_an_answer(text in ".{0,200}") {
        prop_assert!(Invitation::from_link(&text).is_err());
        let _ = Invitation::from_link(&format!("waxwing:{text}"));
        let _ = Invitation::from_link(&format!("waxwing:{}#{text}", parts().0));
    }
}
