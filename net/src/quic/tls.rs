//! The handshake: TLS 1.3 with raw public keys in both directions (RFC 7250), ed25519 only, hybrid post-quantum key
//! exchange preferred, and nothing that could link one connection to the next: no tickets, no early data, no server name.

use std::sync::{Arc, OnceLock};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
    SignatureScheme,
};
use waxwing_core::keys::NodeId;

use super::identity::{Identity, shown_node};

/// What the name of a server is called where an interface demands one; it is never sent.
pub(super) const SERVER_NAME: &str = "waxwing";

/// aws-lc, with X25519MLKEM768 before X25519: what is recorded today should still be secret when quantum computers
/// exist. Classical X25519 remains for peers that know nothing else.
fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    Arc::new(CryptoProvider {
        kx_groups,
        ..aws_lc_rs::default_provider()
    })
}

/// The server's side, for peers that speak `protocol`.
pub(super) fn server_config(identity: &Identity, protocol: &[u8]) -> ServerConfig {
    let provider = provider();
    let verifier = Arc::new(AnyNode {
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has cipher suites of TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity.certified())));
    config.alpn_protocols = vec![protocol.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config
}

/// The client's side: only the holder of `expected` may answer. If somebody else does, their key is left in `found`.
pub(super) fn client_config(
    identity: &Identity,
    protocol: &[u8],
    expected: NodeId,
    found: Arc<OnceLock<NodeId>>,
) -> ClientConfig {
    client_config_with(provider(), identity, protocol, expected, found)
}

fn client_config_with(
    provider: Arc<CryptoProvider>,
    identity: &Identity,
    protocol: &[u8],
    expected: NodeId,
    found: Arc<OnceLock<NodeId>>,
) -> ClientConfig {
    let verifier = Arc::new(Pin {
        expected,
        found,
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has cipher suites of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity.certified())));
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    config
}

/// For QUIC.
pub(super) fn quic_server(config: ServerConfig) -> Arc<QuicServerConfig> {
    Arc::new(QuicServerConfig::try_from(config).expect("the provider has the cipher suite of QUIC's first packets"))
}

/// For QUIC.
pub(super) fn quic_client(config: ClientConfig) -> Arc<QuicClientConfig> {
    Arc::new(QuicClientConfig::try_from(config).expect("the provider has the cipher suite of QUIC's first packets"))
}

/// Accepts one key. Its holder proves the possession of the secret half by the handshake's signature.
#[derive(Debug)]
struct Pin {
    expected: NodeId,
    found: Arc<OnceLock<NodeId>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let node = shown_node(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if node == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        self.found.get_or_init(|| node);
        Err(Error::InvalidCertificate(
            CertificateError::ApplicationVerificationFailure,
        ))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Accepts every key whose holder signs: who a client is matters to the service, not to the handshake.
#[derive(Debug)]
struct AnyNode {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyNode {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let node = shown_node(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding));
        node.map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

fn verify(
    message: &[u8],
    key: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    // Which schemes a peer may use is a wish that the library passes on; that it was honoured is checked here.
    if signature.scheme != SignatureScheme::ED25519 {
        return Err(Error::InvalidCertificate(CertificateError::BadSignature));
    }
    verify_tls13_signature_with_raw_key(
        message,
        &SubjectPublicKeyInfoDer::from(key.as_ref()),
        signature,
        algorithms,
    )
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;
    use rustls::quic::{ClientConnection, Connection, ServerConnection, Version};
    use waxwing_core::keys::NodeKey;

    use super::*;
    use crate::wire::limits::ALPN;

    fn client(config: ClientConfig) -> Connection {
        let name = SERVER_NAME.try_into().unwrap();
        Connection::Client(ClientConnection::new(Arc::new(config), Version::V1, name, vec![1, 2]).unwrap())
    }

    fn server(config: ServerConfig) -> Connection {
        Connection::Server(ServerConnection::new(Arc::new(config), Version::V1, vec![1, 2]).unwrap())
    }

    /// Carries the handshake's bytes to and fro until both are done or one refuses.
    fn shake_hands(one: &mut Connection, other: &mut Connection) -> Result<(), Error> {
        for _ in 0..20 {
            carry(one, other)?;
            carry(other, one)?;
            if !one.is_handshaking() && !other.is_handshaking() {
                return Ok(());
            }
        }
        panic!("the handshake did not come to an end");
    }

    fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
        loop {
            let mut bytes = Vec::new();
            let change = from.write_hs(&mut bytes);
            if bytes.is_empty() && change.is_none() {
                return Ok(());
            }
            to.read_hs(&bytes)?;
        }
    }

    fn pinned(identity: &Identity, expected: NodeId) -> (ClientConfig, Arc<OnceLock<NodeId>>) {
        let found = Arc::new(OnceLock::new());
        (client_config(identity, ALPN, expected, found.clone()), found)
    }

    #[test]
    fn both_sides_agree_on_a_post_quantum_group_and_know_each_other() {
        let (ann, ben) = (Identity::new(&NodeKey::from_seed(&[1; 32])), Identity::ephemeral());
        let mut server = server(server_config(&ann, ALPN));
        let mut client = client(pinned(&ben, ann.node()).0);
        shake_hands(&mut client, &mut server).unwrap();
        for side in [&client, &server] {
            assert_eq!(
                side.negotiated_key_exchange_group().unwrap().name(),
                NamedGroup::X25519MLKEM768
            );
            assert_eq!(side.alpn_protocol(), Some(ALPN));
        }
        assert_eq!(shown_node(&server.peer_certificates().unwrap()[0]), Some(ben.node()));
        assert_eq!(shown_node(&client.peer_certificates().unwrap()[0]), Some(ann.node()));
    }

    #[test]
    fn a_peer_that_knows_no_post_quantum_group_is_still_served() {
        let ann = Identity::new(&NodeKey::from_seed(&[1; 32]));
        let mut server = server(server_config(&ann, ALPN));
        let classical = CryptoProvider {
            kx_groups: vec![kx_group::X25519],
            ..(*provider()).clone()
        };
        let (me, found) = (Identity::ephemeral(), Arc::default());
        let config = client_config_with(Arc::new(classical), &me, ALPN, ann.node(), found);
        let mut client = client(config);
        shake_hands(&mut client, &mut server).unwrap();
        assert_eq!(
            server.negotiated_key_exchange_group().unwrap().name(),
            NamedGroup::X25519
        );
    }

    #[test]
    fn another_key_than_the_pinned_one_is_refused_and_named() {
        let ann = Identity::new(&NodeKey::from_seed(&[1; 32]));
        let mallory = Identity::new(&NodeKey::from_seed(&[2; 32]));
        let mut server = server(server_config(&mallory, ALPN));
        let (config, found) = pinned(&Identity::ephemeral(), ann.node());
        let mut client = client(config);
        assert!(shake_hands(&mut client, &mut server).is_err());
        assert_eq!(found.get(), Some(&mallory.node()));
    }

    #[test]
    fn showing_a_key_without_holding_it_is_refused() {
        let (ann, mallory) = (
            NodeKey::from_seed(&[1; 32]),
            Identity::new(&NodeKey::from_seed(&[2; 32])),
        );
        let shown = Identity::new(&ann).certified();
        let stolen = rustls::sign::CertifiedKey::new(shown.cert.clone(), mallory.certified().key.clone());
        let mut config = server_config(&mallory, ALPN);
        config.cert_resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(stolen)));
        let mut server = server(config);
        let mut client = client(pinned(&Identity::ephemeral(), ann.public()).0);
        assert!(matches!(
            shake_hands(&mut client, &mut server),
            Err(Error::InvalidCertificate(_))
        ));
    }

    #[test]
    fn a_client_that_shows_no_key_is_refused() {
        let ann = Identity::new(&NodeKey::from_seed(&[1; 32]));
        let mut server = server(server_config(&ann, ALPN));
        let mut config = pinned(&Identity::ephemeral(), ann.node()).0;
        config.client_auth_cert_resolver = Arc::new(Nothing);
        let mut client = client(config);
        assert!(shake_hands(&mut client, &mut server).is_err());
    }

    #[derive(Debug)]
    struct Nothing;

    impl rustls::client::ResolvesClientCert for Nothing {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
            None
        }

        fn only_raw_public_keys(&self) -> bool {
            true
        }

        fn has_certs(&self) -> bool {
            false
        }
    }

    #[test]
    fn another_protocol_version_is_refused() {
        let ann = Identity::new(&NodeKey::from_seed(&[1; 32]));
        let mut server = server(server_config(&ann, ALPN));
        let config = client_config(
            &Identity::ephemeral(),
            b"waxwing/0",
            ann.node(),
            Arc::new(OnceLock::new()),
        );
        assert_eq!(
            shake_hands(&mut client(config), &mut server),
            Err(Error::NoApplicationProtocol)
        );
    }
}
