//! Commits of a program that keeps no rules: everything the library would let a member do, and who stops it.
//!
//! Each case has a group of three. One of them breaks a rule; the other two must call it void for the same reason, and go
//! on together as if it had not been.

use openmls::group::{CommitBuilder, GroupContext, Initial};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    BasicCredential, Capabilities, Credential, Extension, ExtensionType, Extensions, LeafNodeIndex, LeafNodeParameters,
    PreSharedKeyProposal, Proposal, UnknownExtension,
};
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, ProtocolVersion};
use openmls::schedule::PreSharedKeyId;

use super::*;

/// A commit as the library makes it when nobody asks the rules.
fn forced(
    device: &mut Device,
    build: impl for<'g> FnOnce(CommitBuilder<'g, Initial, &'g mut MlsGroup>) -> CommitBuilder<'g, Initial, &'g mut MlsGroup>,
) -> Outgoing {
    device.lend_group(|group, provider, myself| {
        let binding = group.binding(Hash::ZERO, Keeping::Stays).unwrap();
        group.mls.set_aad(wire::authenticated_data(&binding));
        let builder = build(group.mls.commit_builder().consume_proposal_store(false));
        let builder = builder.load_psks(provider.storage()).unwrap();
        let built = builder
            .build(provider.rand(), provider.crypto(), myself, |_| true)
            .unwrap();
        let bundle = built.stage_commit(provider).unwrap();
        group
            .enclosed(provider, bundle.commit(), &binding, Keeping::Stays)
            .unwrap()
    })
}

/// All but the liar call the newest entry void, for this reason, and still hear each other.
fn void_for_all(ledger: &mut Ledger, devices: &mut [Device], liar: usize, outgoing: &Outgoing, expected: Void) {
    ledger.post(&outgoing.sealed);
    let honest: Vec<usize> = (0..devices.len()).filter(|index| *index != liar).collect();
    for index in &honest {
        assert_eq!(only(&mut devices[*index], ledger), Verdict::Void(expected));
    }
    let words = devices[honest[0]].seal("as if it had not been");
    ledger.post(&words.sealed);
    commit(ledger, &mut devices[honest[1]], &Change::default());
    for index in honest {
        let verdicts = devices[index].catch_up(ledger);
        assert_eq!(verdicts.len(), 2);
        assert!(
            verdicts.iter().all(|verdict| !verdict.changed_nothing()),
            "{verdicts:?}"
        );
    }
}

/// A channel of three in which the second member breaks a rule.
fn breaks(
    expected: Breach,
    build: impl for<'g> FnOnce(CommitBuilder<'g, Initial, &'g mut MlsGroup>) -> CommitBuilder<'g, Initial, &'g mut MlsGroup>,
) {
    breaks_as(1, expected, build);
}

fn breaks_as(
    liar: usize,
    expected: Breach,
    build: impl for<'g> FnOnce(CommitBuilder<'g, Initial, &'g mut MlsGroup>) -> CommitBuilder<'g, Initial, &'g mut MlsGroup>,
) {
    let (mut ledger, mut devices) = channel(3);
    let outgoing = forced(&mut devices[liar], build);
    void_for_all(&mut ledger, &mut devices, liar, &outgoing, Void::Breach(expected));
}

fn birds(admins: Vec<AccountId>) -> Charter {
    Charter::channel(GroupName::new("birds").unwrap(), admins).unwrap()
}

#[test]
fn only_an_admin_removes_others() {
    breaks(Breach::NotAdmin, |builder| {
        builder
            .force_self_update(true)
            .propose_removals([LeafNodeIndex::new(2)])
    });
}

#[test]
fn only_an_admin_changes_the_charter() {
    let charter = birds(vec![account(2).id()]);
    breaks(Breach::NotAdmin, |builder| {
        let builder = builder.force_self_update(true);
        builder.propose_group_context_extensions(charter.extensions()).unwrap()
    });
}

#[test]
fn a_charter_is_whole_and_alone() {
    let context = |more: bool| -> Extensions<GroupContext> {
        let mut all: Vec<Extension> = birds(vec![account(1).id()]).extensions().iter().cloned().collect();
        if more {
            all.swap(0, 1);
        } else {
            let mut bytes = birds(vec![account(1).id()]).to_bytes();
            bytes.push(0);
            all[1] = Extension::Unknown(CHARTER_EXTENSION, UnknownExtension(bytes));
        }
        Extensions::from_vec(all).unwrap()
    };
    for more in [true, false] {
        breaks_as(0, Breach::BadCharter, |builder| {
            let builder = builder.force_self_update(true);
            builder.propose_group_context_extensions(context(more)).unwrap()
        });
    }
}

#[test]
fn an_admin_may_not_leave_the_group_without_one() {
    let charter = birds(vec![account(9).id()]);
    breaks_as(0, Breach::NoAdminLeft, |builder| {
        let builder = builder.force_self_update(true);
        builder.propose_group_context_extensions(charter.extensions()).unwrap()
    });
}

#[test]
fn the_last_admin_hands_over_before_leaving() {
    let (mut ledger, mut devices) = channel(3);
    let wish = devices[0]
        .step(|group, provider, myself| group.leave(provider, myself))
        .unwrap();
    ledger.post(&wish.sealed);
    devices.iter_mut().for_each(|device| drop(device.catch_up(&ledger)));
    let remove = vec![devices[0].member().device];
    let refused = devices[1].propose(&Change {
        remove,
        ..Change::default()
    });
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::NoAdminLeft));
}

#[test]
fn what_a_group_is_for_never_changes() {
    let charter = Charter::direct(account(1).id(), account(2).id()).unwrap();
    breaks_as(0, Breach::FixedCharter, |builder| {
        let builder = builder.force_self_update(true);
        builder.propose_group_context_extensions(charter.extensions()).unwrap()
    });
}

#[test]
fn the_charter_of_a_direct_channel_never_changes() {
    let (mut ada, mut bob) = (Device::new(1, 1), Device::new(2, 2));
    ada.found(&Charter::direct(account(1).id(), account(2).id()).unwrap());
    let mut ledger = Ledger::new();
    let add = vec![bob.offer()];
    let welcome = commit(
        &mut ledger,
        &mut ada,
        &Change {
            add,
            ..Change::default()
        },
    )
    .unwrap();
    ada.catch_up(&ledger);
    join(&mut bob, &welcome).unwrap();
    let charter = Some(Charter::direct(account(1).id(), account(3).id()).unwrap());
    let refused = ada.propose(&Change {
        charter,
        ..Change::default()
    });
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::FixedCharter));
    let eve = Device::new(3, 3).offer();
    let outgoing = forced(&mut bob, |builder| {
        builder.force_self_update(true).propose_adds([eve.mls()])
    });
    ledger.post(&outgoing.sealed);
    assert_eq!(
        only(&mut ada, &ledger),
        Verdict::Void(Void::Breach(Breach::ThirdAccount))
    );
}

#[test]
fn a_commit_renews_its_authors_keys() {
    let newcomer = Device::new(4, 4).offer();
    breaks(Breach::NoPath, |builder| builder.propose_adds([newcomer.mls()]));
}

#[test]
fn a_member_stays_who_it_is() {
    let key = DeviceKey::from_seed(&[2; 32]);
    let with = |certificate: Vec<u8>| {
        let credential = openmls::prelude::CredentialWithKey {
            credential: Credential::from(BasicCredential::new(certificate)),
            signature_key: key.id().0.to_vec().into(),
        };
        LeafNodeParameters::builder()
            .with_credential_with_key(credential)
            .build()
    };
    let mut claimed = certified(&key, &account(2)).to_bytes();
    claimed[1..33].copy_from_slice(&account(1).id().0);
    let bad_signature = LeafFault::Certificate(CertificateError::BadSignature);
    for (certificate, expected) in [
        (certified(&key, &account(5)).to_bytes(), Breach::OtherIdentity),
        (claimed, Breach::Leaf(bad_signature)),
        (b"Ada".to_vec(), Breach::Leaf(LeafFault::NoCertificate)),
        (
            certified(&DeviceKey::from_seed(&[3; 32]), &account(3)).to_bytes(),
            Breach::Leaf(LeafFault::OtherDevice),
        ),
    ] {
        let parameters = with(certificate);
        breaks(expected, |builder| builder.leaf_node_parameters(parameters));
    }
}

#[test]
fn a_renewed_certificate_of_the_same_device_is_welcome() {
    let (mut ledger, mut devices) = channel(3);
    let key = DeviceKey::from_seed(&[2; 32]);
    let accepted = Acceptance::sign(&key, NETWORK, account(2).id());
    let renewed = DeviceCertificate::sign(&account(2), NETWORK, &accepted, Text::default(), Validity::from(NOW), 2);
    let parameters = LeafNodeParameters::builder()
        .with_credential_with_key(openmls::prelude::CredentialWithKey {
            credential: Credential::from(BasicCredential::new(renewed.to_bytes())),
            signature_key: key.id().0.to_vec().into(),
        })
        .build();
    let outgoing = forced(&mut devices[1], |builder| builder.leaf_node_parameters(parameters));
    ledger.post(&outgoing.sealed);
    assert!(matches!(only(&mut devices[0], &ledger), Verdict::Closed(_)));
}

#[test]
fn all_leaves_announce_the_same_abilities() {
    let more = Capabilities::builder()
        .ciphersuites(vec![SUITE])
        .extensions([member::capabilities().extensions(), &[ExtensionType::Unknown(0xf000)]].concat())
        .build();
    let parameters = LeafNodeParameters::builder().with_capabilities(more).build();
    breaks(Breach::Leaf(LeafFault::OtherAbilities), |builder| {
        builder.leaf_node_parameters(parameters)
    });
}

#[test]
fn a_key_package_with_a_lifetime_that_the_library_checks_is_refused_by_all() {
    let lifetime = Lifetime::new(NOW, NOW + HOUR).unwrap().to_bytes();
    let bytes = fresh::odd(&mut Device::new(4, 4), SUITE, Some(lifetime), false, true);
    let unchecked = MlsMessageIn::tls_deserialize_exact_bytes(&bytes).unwrap();
    let MlsMessageBodyIn::KeyPackage(unchecked) = unchecked.extract() else {
        panic!("it is a key package");
    };
    let crypto = openmls_rust_crypto::RustCrypto::default();
    let offer = unchecked.validate(&crypto, ProtocolVersion::Mls10).unwrap();
    breaks(Breach::KeyPackage(KeyPackageFault::Lifetime), |builder| {
        builder.force_self_update(true).propose_adds([offer])
    });
}

#[test]
fn more_than_thirty_two_devices_at_once_are_refused_by_all() {
    let many: Vec<_> = (10..43)
        .map(|number| Device::new(number, number).offer().mls())
        .collect();
    breaks(Breach::TooManyAdds, |builder| {
        builder.force_self_update(true).propose_adds(many)
    });
}

#[test]
fn what_depends_on_a_secret_of_some_members_is_refused_by_all() {
    let (mut ledger, mut devices) = channel(3);
    let id = PreSharedKeyId::external(b"shared by two".to_vec(), vec![0; 48]);
    for device in &mut devices[..2] {
        device.lend(|provider, _| id.store(provider, &[1; 32])).unwrap();
    }
    let outgoing = forced(&mut devices[0], |builder| {
        let proposal = Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)));
        builder.force_self_update(true).add_proposal(proposal)
    });
    ledger.post(&outgoing.sealed);
    let void = |breach| Verdict::Void(breach);
    assert_eq!(
        only(&mut devices[1], &ledger),
        void(Void::Breach(Breach::OtherProposal))
    );
    assert_eq!(
        only(&mut devices[2], &ledger),
        void(Void::BadCommit),
        "it does not have the secret"
    );
    agree(&devices[1..]);
}

#[test]
fn a_commit_that_refers_to_a_proposal_is_void() {
    let (mut ledger, mut devices) = channel(3);
    let outgoing = devices[1].lend_group(|group, provider, myself| {
        let binding = group.binding(Hash::ZERO, Keeping::Stays).unwrap();
        let aad = wire::authenticated_data(&binding);
        group.mls.set_aad(aad.clone());
        let remove = group.mls.propose_remove_member(provider, myself, LeafNodeIndex::new(2));
        let proposal = group
            .enclosed(provider, &remove.unwrap().0, &binding, Keeping::Stays)
            .unwrap();
        group.mls.set_aad(aad);
        let (commit, _, _) = group.mls.commit_to_pending_proposals(provider, myself).unwrap();
        let commit = group.enclosed(provider, &commit, &binding, Keeping::Stays).unwrap();
        [proposal, commit]
    });
    let [proposal, commit] = outgoing;
    let other = Void::Breach(Breach::OtherProposal);
    void_for_all(&mut ledger, &mut devices, 1, &proposal, other);
    let (mut ledger, mut devices) = channel(3);
    let log = devices[1].log();
    assert_eq!(log, commit.sealed.log, "the dice fall alike");
    void_for_all(&mut ledger, &mut devices, 1, &commit, Void::BadCommit);
}

#[test]
fn a_group_of_256_devices_is_full() {
    let mut ada = Device::new(1, 1);
    ada.found(&birds(vec![account(1).id()]));
    let mut ledger = Ledger::new();
    let mut offers: Vec<KeyPackage> = (0..256_u16)
        .map(|number| {
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&number.to_be_bytes());
            seed[31] = 0xff;
            Device::with_seed(2, seed).offer()
        })
        .collect();
    let last = offers.pop().unwrap();
    for batch in offers.chunks(32) {
        let add = batch.to_vec();
        commit(
            &mut ledger,
            &mut ada,
            &Change {
                add,
                ..Change::default()
            },
        );
        ada.catch_up(&ledger);
    }
    assert_eq!(ada.group().members().len(), 256);
    let refused = ada.propose(&Change {
        add: vec![last],
        ..Change::default()
    });
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::TooManyMembers));
}
