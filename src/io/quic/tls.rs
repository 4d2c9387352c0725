//! TLS for links: both sides show an Ed25519 raw public key (RFC 7250), TLS 1.3 only, no tickets.
//! Any key is accepted from whoever dials us, because the key is only a name; whom to talk to is
//! decided in `core::roster`. A dial may expect one key: it travels to the verifier in the server
//! name, which is not sent.

use std::{fmt, net::SocketAddr, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, ServerConfig,
    SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms,
        aws_lc_rs::{self, kx_group},
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};
use s2n_quic::{client::Connect, provider::tls};

use crate::{
    io::identity::{Identity, peer_of_spki},
    types::PeerId,
};

/// The protocol's name in the handshake; another protocol version is another name.
pub const ALPN: &[u8] = b"potluck/1";
/// Server names must look like names of hosts, or the TLS library panics; this one exists nowhere.
const NAME_TAIL: &str = ".potluck.invalid";
/// Stands where a PeerId would, for a dial that takes whoever answers. No PeerId is this short.
const ANYBODY: &str = "anybody";

/// Makes both ends' TLS from one key.
#[derive(Clone)]
pub(super) struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    pub(super) fn new(identity: &Identity) -> Result<Self, Error> {
        let provider = Arc::new(CryptoProvider {
            // One small key share keeps the first flight in one datagram.
            kx_groups: vec![kx_group::X25519],
            ..aws_lc_rs::default_provider()
        });
        let verifier = Arc::new(Verifier { algorithms: provider.signature_verification_algorithms });
        let key = identity.certified_key();

        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::clone(&verifier) as Arc<dyn ClientCertVerifier>)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&key))));
        server.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would skip the proof that the peer still has its key.
        server.send_tls13_tickets = 0;

        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key)));
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = false;
        client.resumption = Resumption::disabled();
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }
}

#[cfg(test)]
impl Tls {
    /// A dialler that breaks the rules.
    pub(super) fn edit_client(&mut self, edit: impl FnOnce(&mut ClientConfig)) {
        edit(Arc::make_mut(&mut self.client));
    }
}

impl tls::Provider for Tls {
    type Server = tls::rustls::Server;
    type Client = tls::rustls::Client;
    type Error = Error;

    fn start_server(self) -> Result<Self::Server, Error> {
        Ok(self.server.into())
    }

    fn start_client(self) -> Result<Self::Client, Error> {
        Ok(self.client.into())
    }
}

/// A dial that only `expect` may answer; anybody, if `None`.
pub(super) fn connect_to(address: SocketAddr, expect: Option<PeerId>) -> Connect {
    let label = expect.map_or_else(|| ANYBODY.to_owned(), |peer| peer.to_string());
    Connect::new(address).with_server_name(label + NAME_TAIL)
}

/// Whom the dial expected: `Some(None)` for anybody, `None` for a name that [`connect_to`] did not make.
fn expected_in(name: &ServerName<'_>) -> Option<Option<PeerId>> {
    let ServerName::DnsName(name) = name else { return None };
    match name.as_ref().strip_suffix(NAME_TAIL)? {
        ANYBODY => Some(None),
        label => label.parse().ok().map(Some),
    }
}

struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn check_key(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<PeerId, Error> {
        match peer_of_spki(end_entity) {
            Some(peer) if intermediates.is_empty() => Ok(peer),
            Some(_) | None => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let peer = Self::check_key(end_entity, intermediates)?;
        match expected_in(server_name) {
            Some(expect) if expect.is_none_or(|expect| expect == peer) => Ok(ServerCertVerified::assertion()),
            // `DialError::WrongPeer` is told from other failures by the alert this error becomes.
            Some(_) | None => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SelectedUnofferedCertCompression.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::check_key(end_entity, intermediates).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SelectedUnofferedCertCompression.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expect: Option<Option<PeerId>>) {
        let name = ServerName::try_from(name.to_owned()).expect("a host name");
        assert_eq!(expected_in(&name), expect, "{name:?}");
    }

    #[test]
    fn the_expected_peer_goes_through_the_server_name() {
        let peer = Identity::ephemeral().peer_id();
        check(&format!("{peer}{NAME_TAIL}"), Some(Some(peer)));
        check("anybody.potluck.invalid", Some(None));
        check("example.org", None);
        check("x.potluck.invalid", None);
        check("10.0.0.1", None);
    }
}
