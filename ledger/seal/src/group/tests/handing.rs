//! A card's seed, sealed to a key package: it opens for its device, on its card, and nowhere else.

use super::*;
use crate::identity::statement::SealedSeed;
use crate::identity::{open_seed, seal_seed};

fn opened(device: &mut Device, package: &KeyPackage, card: u64, sealed: &SealedSeed) -> Option<[u8; 32]> {
    let address = account(4).card_seed(NETWORK, card).address(NETWORK);
    let opened = device.lend(|provider, _| open_seed(provider, NETWORK, &address, (package, sealed)));
    opened.unwrap().map(|seed| *seed.expose())
}

#[test]
fn a_card_seed_opens_for_the_device_that_it_was_sealed_to_on_its_card_alone() {
    let (mut laptop, mut phone) = (Device::new(4, 4), Device::new(4, 5));
    let (to_laptop, to_phone) = (laptop.offer(), phone.offer());
    let seed = account(4).card_seed(NETWORK, 1);
    let sealed = seal_seed(NETWORK, &seed, &to_laptop).unwrap();
    assert_eq!(sealed.device, laptop.member().device);
    assert_eq!(opened(&mut laptop, &to_laptop, 1, &sealed), Some(*seed.expose()));
    assert_eq!(opened(&mut laptop, &to_laptop, 0, &sealed), None, "on another card");
    assert_eq!(opened(&mut phone, &to_phone, 1, &sealed), None, "by another device");
    assert_eq!(opened(&mut phone, &to_laptop, 1, &sealed), None, "without its secrets");
    let renamed = SealedSeed::new(phone.member().device, sealed.as_bytes().to_vec()).unwrap();
    assert_eq!(opened(&mut laptop, &to_laptop, 1, &renamed), None, "under another name");
    for at in [0, 1119, 1120, sealed.as_bytes().len() - 1] {
        let mut altered = sealed.as_bytes().to_vec();
        altered[at] ^= 1;
        let altered = SealedSeed::new(sealed.device, altered).unwrap();
        assert_eq!(opened(&mut laptop, &to_laptop, 1, &altered), None, "byte {at}");
    }
    laptop.lend(|provider, _| to_laptop.forget(provider)).unwrap();
    assert_eq!(
        opened(&mut laptop, &to_laptop, 1, &sealed),
        None,
        "its secrets are gone"
    );
}

#[test]
fn the_seed_of_another_card_is_not_taken_whoever_sealed_it() {
    let mut laptop = Device::new(4, 4);
    let package = laptop.offer();
    let information = [
        b"waxwing v1 card seed hand-over".as_slice(),
        NETWORK.as_bytes(),
        &account(4).card_seed(NETWORK, 1).keys(NETWORK).log().0,
        &laptop.member().device.0,
    ];
    let seal = |text: &[u8]| package.seal(&information.concat(), text).unwrap();
    let wrong = SealedSeed::new(laptop.member().device, seal(&[7; 32])).unwrap();
    assert_eq!(opened(&mut laptop, &package, 1, &wrong), None);
    assert_eq!(
        SealedSeed::new(laptop.member().device, seal(&[7; 31])),
        None,
        "no seed has another length"
    );
}
