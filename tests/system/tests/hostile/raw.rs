//! A client that keeps to QUIC and to nothing else: it writes whatever bytes it likes.
//!
//! The project's own client cannot be made to misbehave, which is right; so the handshake is written once more here, by
//! whoever would attack: any key, any protocol name, any window.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, TransportConfig};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};
use waxwing_core::keys::NodeKey;

/// `SubjectPublicKeyInfo` of an ed25519 key, up to the key itself (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// `PrivateKeyInfo` of an ed25519 key, up to the seed (RFC 8410, section 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An endpoint that dials with a key made of a number. The windows are QUIC's, unless a small one is asked for.
pub(crate) struct Attacker {
    endpoint: Endpoint,
    key: Arc<CertifiedKey>,
    transport: Arc<TransportConfig>,
}

impl Attacker {
    pub(crate) fn new(number: u8) -> Self {
        let key = NodeKey::from_seed(&[number; 32]);
        let pkcs8 = [&PKCS8[..], &key.seed()[..]].concat();
        let signer = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(&pkcs8[..])).unwrap();
        let shown = CertificateDer::from([&SPKI[..], key.public().as_bytes()].concat());
        Self {
            endpoint: Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap(),
            key: Arc::new(CertifiedKey::new(vec![shown], signer)),
            transport: Arc::default(),
        }
    }

    /// Takes at most so many bytes of a reply until it has read them.
    pub(crate) fn with_window(mut self, bytes: u32) -> Self {
        let mut transport = TransportConfig::default();
        transport.stream_receive_window(bytes.into());
        self.transport = Arc::new(transport);
        self
    }

    pub(crate) async fn connect(&self, node: SocketAddr, protocol: &[u8]) -> Result<Connection, ConnectionError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let anybody = Arc::new(Anybody(Arc::clone(&provider)));
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(&self.key))));
        tls.alpn_protocols = vec![protocol.to_vec()];
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(Arc::clone(&self.transport));
        self.endpoint.connect_with(config, node, "node").unwrap().await
    }
}

/// Takes every node for the right one.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
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
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
