//! Welcomes to groups that nobody should be in: whoever has a key package can found what they like and welcome to it.

use openmls::group::GroupContext;
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{BasicCredential, Credential, CredentialWithKey, Extensions};

use super::*;

/// A group that the library allows, and what it sends to the device it adds.
fn invented(
    founder: &mut Device,
    offer: &KeyPackage,
    context: Extensions<GroupContext>,
    credential: Option<CredentialWithKey>,
    id: &[u8],
) -> Welcome {
    founder.lend(|provider, myself| {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .lifetime(any_time())
            .capabilities(member::capabilities())
            .with_group_context_extensions(context)
            .build();
        let credential = credential.unwrap_or_else(|| myself.credential());
        let id = GroupId::from_slice(id);
        let mut mls = MlsGroup::new_with_group_id(provider, myself, &config, id, credential).unwrap();
        let (_, welcome, _) = mls.add_members(provider, myself, &[offer.mls()]).unwrap();
        mls.merge_pending_commit(provider).unwrap();
        Welcome {
            message: welcome.to_bytes().unwrap(),
            tree: mls.export_ratchet_tree().tls_serialize_detached().unwrap(),
        }
    })
}

fn charter(admin: u8) -> Extensions<GroupContext> {
    let charter = Charter::channel(GroupName::default(), vec![account(admin).id()]).unwrap();
    charter.extensions()
}

/// What a newcomer says to a welcome by device 1 to such a group.
fn says(
    context: Extensions<GroupContext>,
    credential: Option<CredentialWithKey>,
    id: &[u8],
) -> Result<Member, JoinError> {
    let (mut founder, mut newcomer) = (Device::new(1, 1), Device::new(2, 2));
    let offer = newcomer.offer();
    let welcome = invented(&mut founder, &offer, context, credential, id);
    join(&mut newcomer, &welcome)
}

#[test]
fn a_group_as_it_should_be_is_joined() {
    assert_eq!(says(charter(1), None, &[1; 32]), Ok(account_member(1)));
}

#[test]
fn a_group_without_a_charter_is_not() {
    assert_eq!(says(Extensions::empty(), None, &[1; 32]), Err(JoinError::BadCharter));
}

#[test]
fn a_group_without_an_admin_is_not() {
    let expected = JoinError::Breach(Breach::NoAdminLeft);
    assert_eq!(says(charter(9), None, &[1; 32]), Err(expected));
}

#[test]
fn a_direct_channel_of_others_is_not() {
    let direct = Charter::direct(account(1).id(), account(3).id()).unwrap();
    let expected = JoinError::Breach(Breach::ThirdAccount);
    assert_eq!(says(direct.extensions(), None, &[1; 32]), Err(expected));
}

#[test]
fn a_group_whose_founder_nobody_vouches_for_is_not() {
    let credential = CredentialWithKey {
        credential: Credential::from(BasicCredential::new(b"Ada".to_vec())),
        signature_key: account_member(1).device.0.to_vec().into(),
    };
    let expected = JoinError::Leaf(LeafFault::NoCertificate);
    assert_eq!(says(charter(1), Some(credential), &[1; 32]), Err(expected));
}

#[test]
fn a_group_whose_id_has_another_length_is_not() {
    assert_eq!(says(charter(1), None, &[1; 16]), Err(JoinError::BadWelcome));
}

#[test]
fn a_welcome_for_another_device_of_the_same_store_is_not_taken() {
    let (mut founder, mut newcomer) = (Device::new(1, 1), Device::new(2, 2));
    let offer = newcomer.offer();
    let welcome = invented(&mut founder, &offer, charter(1), None, &[1; 32]);
    newcomer.myself = Device::new(3, 3).myself;
    assert_eq!(join(&mut newcomer, &welcome), Err(JoinError::OtherDevice));
}
