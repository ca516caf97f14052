//! TLS 1.3 over plain TCP between two libp2p peers, without libp2p's connection machinery.
//!
//! Certificates are those of libp2p: self-signed, with the peer key's signature over the certificate's key, so
//! that both ends know whose peer id is at the other. What differs from libp2p's own TLS: another protocol name
//! (`ALPN`), no key log, and a cipher that the server chooses. libp2p lists ChaCha20 first, and the first of the
//! client's list that the server knows is taken; a server that knows one cipher only decides.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use libp2p::tls::certificate::{self, GenError, ParseError};
use libp2p::{PeerId, identity::Keypair, tls};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, NoKeyLog,
    ServerConfig, SignatureScheme, SupportedCipherSuite, version,
};

/// Protocol name in the handshake: that of [`holdfast/1` links](super).
const ALPN: &[u8] = b"holdfast/1";

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate could be made from the key.
    #[error("could not make a certificate")]
    Certificate(#[from] GenError),
    /// The library refuses the configuration.
    #[error("could not set up TLS")]
    Config(#[from] rustls::Error),
    /// The peer's certificate is not a libp2p one.
    #[error("unreadable certificate")]
    Peer(#[from] ParseError),
    /// The peer sent no certificate.
    #[error("the peer sent no certificate")]
    Anonymous,
}

/// Which cipher a server insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES-128 in GCM.
    Aes128,
    /// AES-256 in GCM.
    Aes256,
    /// ChaCha20 with Poly1305.
    ChaCha20,
}

impl Cipher {
    fn suite(self) -> SupportedCipherSuite {
        match self {
            Self::Aes128 => aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
            Self::Aes256 => aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
            Self::ChaCha20 => aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }
}

/// What a client needs to reach `peer`, and nobody else, under `key`.
///
/// # Errors
/// If no certificate can be made.
pub fn client(key: &Keypair, peer: PeerId) -> Result<ClientConfig, TlsError> {
    let mut config = tls::make_client_config(key, Some(peer))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.key_log = Arc::new(NoKeyLog);
    Ok(config)
}

/// What a server needs to answer under `key` with one cipher.
///
/// # Errors
/// If no certificate can be made.
pub fn server(key: &Keypair, cipher: Cipher) -> Result<ServerConfig, TlsError> {
    let certificate = tls::make_server_config(key)?.cert_resolver;
    let provider = CryptoProvider { cipher_suites: vec![cipher.suite()], ..aws_lc_rs::default_provider() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyPeer))
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Whoever only sends never reads tickets, and a socket closed over unread bytes resets the connection: what is
    // still on its way is lost.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The name under which libp2p peers address each other in a handshake: none.
pub fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into())
}

/// Who is at the other end of a finished handshake.
///
/// # Errors
/// If the peer sent no certificate, or an unreadable one.
pub fn peer(state: &CommonState) -> Result<PeerId, TlsError> {
    let certificates = state.peer_certificates().unwrap_or_default();
    let first = certificates.first().ok_or(TlsError::Anonymous)?;
    Ok(certificate::parse(first)?.peer_id())
}

/// Lets any peer in that shows its libp2p certificate.
#[derive(Debug)]
struct AnyPeer;

impl ClientCertVerifier for AnyPeer {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        further: &[CertificateDer<'_>],
        _now: UnixTime, // the check of a libp2p certificate reads the clock itself
    ) -> Result<ClientCertVerified, rustls::Error> {
        if !further.is_empty() {
            return Err(rustls::Error::General("more than one certificate".into()));
        }
        certificate::parse(certificate).map_err(|_| CertificateError::BadEncoding)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let certificate = certificate::parse(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let checked = certificate.verify_signature(signature.scheme, message, signature.signature());
        checked.map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
        ]
    }
}
