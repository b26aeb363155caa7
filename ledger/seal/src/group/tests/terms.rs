//! Terms: what a member wrote counts where and as they meant it, whatever another member makes of it.

use waxwing_core::hash::Meaning;

use super::*;
use crate::engine::{Binding, GroupEngine as _};
use crate::sealer::{disclose, enclose};
use crate::{OpenError, StandIn};

/// The message inside a body, put into another body under other terms, as any member can.
fn rewrapped(device: &Device, sealed: &Sealed, keeping: Keeping, change: impl FnOnce(&mut Vec<u8>)) -> Sealed {
    let group = device.group();
    let keys = group.keys().unwrap();
    let header = sealed.header(Anchor {
        height: 64,
        id: Hash([9; 32]),
    });
    let (message, _, _) = disclose(&group.hash_keys, keys, &header, &sealed.body).unwrap();
    let mut message = message.to_vec();
    change(&mut message);
    enclose(&group.hash_keys, keys, &message, sealed.erasure, keeping, &[5; 24]).unwrap()
}

/// Posts what a liar made of a message, then the message: the first is void for everybody, the second is read.
fn outlived(name: &str, expected: Void, lie: impl FnOnce(&Device, &Sealed) -> Sealed) {
    let (mut ledger, mut devices) = channel(3);
    let words = devices[0].seal("as I meant it");
    ledger.post(&lie(&devices[2], &words.sealed));
    ledger.post(&words.sealed);
    for device in &mut devices {
        let verdicts = device.catch_up(&ledger);
        assert_eq!(verdicts[0], Verdict::Void(expected), "{name}");
        assert!(!verdicts[1].changed_nothing(), "{name}: {verdicts:?}");
    }
    agree(&devices);
}

const WEEK: Keeping = Keeping::Erasable(KeepFor::Week);

#[test]
fn a_message_under_another_keep_for_is_void_and_does_not_use_it_up() {
    outlived("a day instead of a week", Void::OtherTerms, |liar, sealed| {
        rewrapped(liar, sealed, Keeping::Erasable(KeepFor::Day), |_| ())
    });
}

#[test]
fn a_message_under_another_erasure_commitment_is_void_and_does_not_use_it_up() {
    outlived("the liar's own commitment", Void::OtherTerms, |liar, sealed| Sealed {
        erasure: Hash([0xee; 32]),
        ..rewrapped(liar, sealed, WEEK, |_| ())
    });
}

#[test]
fn a_message_made_to_stay_is_void_and_does_not_use_it_up() {
    outlived("nobody may erase it", Void::OtherTerms, |liar, sealed| {
        rewrapped(liar, sealed, Keeping::Stays, |_| ())
    });
}

#[test]
fn a_forged_message_does_not_use_up_the_true_one() {
    outlived("the last byte flipped", Void::NotOpened, |liar, sealed| {
        rewrapped(liar, sealed, WEEK, |message| *message.last_mut().unwrap() ^= 1)
    });
}

/// The rule about rolling back is no ceremony: a commit that breaks a rule is decrypted before that shows, and the same
/// could be done in an honest member's name with a signature that does not count.
#[test]
fn a_void_entry_leaves_traces_until_the_store_is_rolled_back_and_the_group_refuses_to_go_on_with_them() {
    let (mut ledger, mut devices) = channel(3);
    let outgoing = devices[1].lend_group(|group, provider, myself| {
        let binding = group.binding(Hash::ZERO, Keeping::Stays).unwrap();
        group.mls.set_aad(wire::authenticated_data(&binding));
        let target = openmls::prelude::LeafNodeIndex::new(2);
        let (commit, _, _) = group.mls.remove_members(provider, myself, &[target]).unwrap();
        group.enclosed(provider, &commit, &binding, Keeping::Stays).unwrap()
    });
    ledger.post(&outgoing.sealed);
    let row = ledger.row(devices[0].log(), 0).unwrap().clone();
    let breach = Verdict::Void(Void::Breach(Breach::NotAdmin));
    assert_eq!(devices[0].take(&row), breach);
    assert_eq!(devices[0].take(&row), breach, "no trace is left");
    let entry = Entry {
        header: &row.header,
        body: &row.body,
        time_ms: row.time_ms,
    };
    let verdicts = devices[0].lend_group(|group, provider, _| {
        let first = group.process(provider, &entry);
        let refused = group.process(provider, &entry);
        group.restore(provider).unwrap();
        [first, refused, group.process(provider, &entry)]
    });
    let traces = Ok(Verdict::Void(Void::ChangeNotOpened));
    assert_eq!(verdicts, [Ok(breach), Err(GroupError::NotRestored), traces]);
}

#[test]
fn the_same_message_in_a_body_of_anothers_making_is_the_same_message() {
    let (mut ledger, mut devices) = channel(3);
    let words = devices[0].seal("as I meant it");
    ledger.post(&rewrapped(&devices[2], &words.sealed, WEEK, |_| ()));
    ledger.post(&words.sealed);
    let void = Verdict::Void(Void::NotOpened);
    assert_eq!(devices[0].catch_up(&ledger), [Verdict::Own(words.id), void.clone()]);
    let verdicts = devices[1].catch_up(&ledger);
    assert!(matches!(verdicts[0], Verdict::Message { by, .. } if by == account_member(1)));
    assert_eq!(verdicts[1], void);
}

#[test]
fn a_commit_or_a_wish_to_leave_that_could_vanish_is_void() {
    let (mut ledger, mut devices) = channel(3);
    let erasure = Hash([0xee; 32]);
    let wish = devices[1].lend_group(|group, provider, myself| {
        let binding = Binding {
            erasure,
            keep_for: KeepFor::Week,
            ..group.binding(Hash::ZERO, Keeping::Stays).unwrap()
        };
        group.mls.set_aad(wire::authenticated_data(&binding));
        let wish = group.mls.leave_group(provider, myself).unwrap();
        group.enclosed(provider, &wish, &binding, WEEK).unwrap()
    });
    ledger.post(&wish.sealed);
    assert_eq!(only(&mut devices[0], &ledger), Verdict::Void(Void::NotKept));

    let forced = devices[0].lend_group(|group, provider, myself| {
        let binding = Binding {
            network: NETWORK,
            log: group.keys().unwrap().log(),
            erasure,
            keep_for: KeepFor::Week,
        };
        group.mls.set_aad(wire::authenticated_data(&binding));
        let bundle = group
            .mls
            .self_update(provider, myself, openmls::prelude::LeafNodeParameters::default());
        group
            .enclosed(provider, bundle.unwrap().commit(), &binding, WEEK)
            .unwrap()
    });
    ledger.post(&forced.sealed);
    let verdicts = devices[2].catch_up(&ledger);
    assert_eq!(verdicts, [Verdict::Void(Void::NotKept), Verdict::Void(Void::NotKept)]);
}

#[test]
fn a_message_of_another_group_or_epoch_is_void() {
    let (mut ledger, mut devices) = channel(2);
    let (_, mut others) = channel_by(2, 1);
    let old = devices[0].seal("of the old epoch");
    let (log, keys) = (devices[0].log(), devices[0].group().keys().unwrap().clone());
    commit(&mut ledger, &mut devices[0], &Change::default());
    for device in &mut devices {
        device.catch_up(&ledger);
    }
    let mut move_here = |sealed: &Sealed, keys: &EpochKeys| {
        let group = devices[1].group();
        let header = sealed.header(Anchor {
            height: 64,
            id: Hash([9; 32]),
        });
        let (message, keeping, _) = disclose(&group.hash_keys, keys, &header, &sealed.body).unwrap();
        let here = group.keys().unwrap();
        let sealed = enclose(&group.hash_keys, here, &message, sealed.erasure, keeping, &[5; 24]).unwrap();
        ledger.post(&sealed);
        only(&mut devices[1], &ledger)
    };
    assert_eq!(log, keys.log());
    assert_eq!(move_here(&old.sealed, &keys), Verdict::Void(Void::OtherEpoch));
    let foreign = others[0].seal("of another group");
    let keys = others[0].group().keys().unwrap().clone();
    assert_eq!(move_here(&foreign.sealed, &keys), Verdict::Void(Void::OtherEpoch));
}

#[test]
fn what_is_no_group_message_is_void() {
    let (mut ledger, mut devices) = channel(2);
    let content = devices[0].content("of the stand-in");
    let keys = devices[0].group().keys().unwrap().clone();
    let hash_keys = HashKeys::new(NETWORK);
    let binding = Binding {
        network: NETWORK,
        log: keys.log(),
        erasure: Hash([1; 32]),
        keep_for: KeepFor::Week,
    };
    let message = StandIn::new()
        .protect(devices[0].myself.key(), &content, &binding)
        .unwrap();
    let cut = Void::Malformed(CodecError::Truncated);
    for (bytes, expected) in [
        (message.as_slice(), Void::Outer(OpenError::UnknownEngine(1))),
        (b"", cut),
        (&[2], cut),
        (&[2, 0, 1, 0, 1], Void::Malformed(CodecError::WrongMagic)),
    ] {
        let sealed = enclose(&hash_keys, &keys, bytes, binding.erasure, WEEK, &[5; 24]).unwrap();
        ledger.post(&sealed);
        assert_eq!(only(&mut devices[1], &ledger), Verdict::Void(expected));
    }
}

#[test]
fn a_message_or_commit_that_another_key_signed_is_void() {
    let (mut ledger, mut devices) = channel(3);
    let other = Device::new(2, 22).myself;
    let forged = devices[1].lend_group(|group, provider, _| {
        let binding = group.binding(Hash::ZERO, Keeping::Stays).unwrap();
        let aad = wire::authenticated_data(&binding);
        group.mls.set_aad(aad.clone());
        let message = group.mls.create_message(provider, &other, &[commit::SAYS]).unwrap();
        let message = group.enclosed(provider, &message, &binding, Keeping::Stays).unwrap();
        group.mls.set_aad(aad);
        let update = group
            .mls
            .self_update(provider, &other, openmls::prelude::LeafNodeParameters::default());
        let update = group
            .enclosed(provider, update.unwrap().commit(), &binding, Keeping::Stays)
            .unwrap();
        [message, update]
    });
    for outgoing in &forged {
        ledger.post(&outgoing.sealed);
    }
    for index in [0, 2] {
        let void = Verdict::Void(Void::BadSignature);
        assert_eq!(devices[index].catch_up(&ledger), [void.clone(), void]);
    }
}

#[test]
fn what_a_member_cannot_say_is_void() {
    let (mut ledger, mut devices) = channel(2);
    for said in [&[][..], &[3], &[2], &[commit::SAYS], &[commit::SAYS, 9]] {
        let outgoing =
            devices[0].step(|group, provider, myself| group.say(provider, myself, said, Hash::ZERO, Keeping::Stays));
        ledger.post(&outgoing.unwrap().sealed);
        let verdict = only(&mut devices[1], &ledger);
        assert!(matches!(verdict, Verdict::Void(Void::Malformed(_))), "{verdict:?}");
    }
}

#[test]
fn the_commitment_of_a_commit_has_no_secret_and_members_can_tell() {
    let (_, mut devices) = channel(2);
    let proposed = devices[0].propose(&Change::default()).unwrap();
    let sealed = proposed.outgoing.sealed;
    assert_eq!(sealed.keep_for, KeepFor::Ever);
    assert_eq!(
        sealed.body_hash,
        devices[1].group().hash_keys.hash(Meaning::Body, &sealed.body)
    );
    let header = sealed.header(Anchor {
        height: 64,
        id: Hash([9; 32]),
    });
    let group = devices[1].group();
    let (_, keeping, binding) = disclose(&group.hash_keys, group.keys().unwrap(), &header, &sealed.body).unwrap();
    assert_eq!((keeping, binding.erasure), (Keeping::Stays, Hash::ZERO));
    assert!(group.must_stay(&header), "its body is waited for");
    assert_ne!(sealed.erasure, Hash::ZERO, "nothing stands out");
    let words = devices[0].seal("may be erased");
    let header = words.sealed.header(Anchor {
        height: 64,
        id: Hash([9; 32]),
    });
    assert!(!devices[1].group().must_stay(&header));
}
