//! QUIC ends made from `docs/protocol.md` sections 1 and 2: a key, a dialler, a listener, and
//! streams with frames. Nothing here comes from the program under test.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use s2n_quic::{
    Client, Server,
    client::Connect,
    provider::{limits::Limits, tls},
    stream::{ReceiveStream, SendStream},
};
use serde_json::Value;

/// How long any one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a stream gave instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It ended before the answer was whole.
    Ended,
    /// It was reset, or the link closed, with an application code.
    Code(u64),
    /// Something else; for people.
    Broken(String),
}

/// An Ed25519 key and the PeerId it is.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    certified: Arc<CertifiedKey>,
    pub(crate) id: String,
}

impl Key {
    pub(crate) fn new() -> Self {
        use ::aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
        let signer = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_ref())).expect("a new key");
        let spki = signer.public_key().expect("Ed25519 keys have a public half");
        let id = base32(&spki.as_ref()[12..]);
        let certificate = CertificateDer::from(spki.as_ref().to_vec());
        Self { certified: Arc::new(CertifiedKey::new(vec![certificate], signer)), id }
    }
}

/// RFC 4648 without padding, lower case.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(b"abcdefghijklmnopqrstuvwxyz234567"[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(b"abcdefghijklmnopqrstuvwxyz234567"[(held << (5 - bits) & 31) as usize]));
    }
    text
}

/// Text of a hash.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// How a dialler shows itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    pub(crate) alpn: &'static [u8],
    pub(crate) shows_key: bool,
}

pub(crate) const GOOD: Manners = Manners { alpn: b"potluck/1", shows_key: true };

/// A socket to dial from. `expect` is the PeerId that must answer.
pub(crate) fn dialler(key: &Key, expect: Option<&str>, manners: Manners) -> Client {
    dialler_at(Ipv4Addr::LOCALHOST, key, expect, manners)
}

/// A socket of this address.
pub(crate) fn dialler_at(from: Ipv4Addr, key: &Key, expect: Option<&str>, manners: Manners) -> Client {
    let verifier = Arc::new(Verifier { expect: expect.map(str::to_owned) });
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = if manners.shows_key {
        config.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(&key.certified))))
    } else {
        config.with_no_client_auth()
    };
    config.alpn_protocols = vec![manners.alpn.to_vec()];
    config.enable_sni = false;
    Client::builder()
        .with_tls(ClientTls(config))
        .expect("a TLS provider")
        .with_io(SocketAddr::from((from, 0)))
        .expect("a loopback address")
        .with_limits(limits())
        .expect("limits")
        .start()
        .expect("a UDP socket")
}

/// A socket that listens.
pub(crate) fn listener(key: &Key) -> Server {
    let verifier = Arc::new(Verifier { expect: None });
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&key.certified))));
    config.alpn_protocols = vec![b"potluck/1".to_vec()];
    config.send_tls13_tickets = 0;
    Server::builder()
        .with_tls(ServerTls(config))
        .expect("a TLS provider")
        .with_io("127.0.0.1:0")
        .expect("a loopback address")
        .with_limits(limits())
        .expect("limits")
        .start()
        .expect("a UDP socket")
}

fn limits() -> Limits {
    // A TLS failure of the other side shows only as silence: wait no longer for it than a LAN needs.
    let limits = Limits::new().with_max_handshake_duration(Duration::from_secs(4)).expect("a duration");
    limits.with_max_keep_alive_period(Duration::from_secs(1)).expect("a period below the idle timeout")
}

pub(crate) fn connect_to(addr: SocketAddr) -> Connect {
    // The name is not sent; QUIC libraries want one that looks like a host's.
    Connect::new(addr).with_server_name("peer.potluck.invalid")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

struct ClientTls(ClientConfig);
struct ServerTls(ServerConfig);

/// The half of a provider that an end does not use.
fn unused<T>() -> Result<T, rustls::Error> {
    Err(rustls::Error::General("this end only dials or only listens".into()))
}

impl tls::Provider for ClientTls {
    type Server = tls::rustls::Server;
    type Client = tls::rustls::Client;
    type Error = rustls::Error;

    fn start_server(self) -> Result<Self::Server, Self::Error> {
        unused()
    }

    fn start_client(self) -> Result<Self::Client, Self::Error> {
        Ok(self.0.into())
    }
}

impl tls::Provider for ServerTls {
    type Server = tls::rustls::Server;
    type Client = tls::rustls::Client;
    type Error = rustls::Error;

    fn start_server(self) -> Result<Self::Server, Self::Error> {
        Ok(self.0.into())
    }

    fn start_client(self) -> Result<Self::Client, Self::Error> {
        unused()
    }
}

#[derive(Debug)]
struct Verifier {
    expect: Option<String>,
}

impl Verifier {
    fn check(&self, key: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let raw = key.as_ref();
        let is_ed25519 = raw.len() == 44 && hex(&raw[..12]) == "302a300506032b6570032100";
        if !is_ed25519 || self.expect.as_ref().is_some_and(|expect| *expect != base32(&raw[12..])) {
            return Err(rustls::Error::General(format!("not the key that was expected: {}", hex(raw))));
        }
        Ok(())
    }

    fn check_signature(
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &provider().signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unused()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::check_signature(message, key, signed)
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
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unused()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::check_signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// A frame: a length and JSON.
pub(crate) fn frame(message: &Value) -> Bytes {
    let body = message.to_string().into_bytes();
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&body);
    bytes.into()
}

/// One direction of a stream, read in exact pieces.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: ReceiveStream,
    held: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(stream: ReceiveStream) -> Self {
        Self { stream, held: Vec::new() }
    }

    /// Exactly `count` bytes.
    pub(crate) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Cut> {
        while self.held.len() < count {
            match self.more().await? {
                Some(bytes) => self.held.extend_from_slice(&bytes),
                None => return Err(Cut::Ended),
            }
        }
        let rest = self.held.split_off(count);
        Ok(std::mem::replace(&mut self.held, rest))
    }

    pub(crate) async fn number(&mut self) -> Result<u32, Cut> {
        let bytes = self.exactly(4).await?;
        Ok(u32::from_be_bytes(bytes.try_into().expect("4 bytes")))
    }

    pub(crate) async fn status(&mut self) -> Result<u8, Cut> {
        Ok(self.exactly(1).await?[0])
    }

    pub(crate) async fn frame(&mut self) -> Result<Value, Cut> {
        let len = self.number().await? as usize;
        assert!(len <= 65_536, "a frame of {len} bytes");
        let body = self.exactly(len).await?;
        serde_json::from_slice(&body).map_err(|error| Cut::Broken(error.to_string()))
    }

    /// Fails unless the stream ends here, in order.
    pub(crate) async fn end(&mut self) -> Result<(), Cut> {
        match self.more().await? {
            None if self.held.is_empty() => Ok(()),
            _ => Err(Cut::Broken("bytes after the answer".into())),
        }
    }

    async fn more(&mut self) -> Result<Option<Bytes>, Cut> {
        match tokio::time::timeout(PATIENCE, self.stream.receive()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(cut(error)),
            Err(_) => Err(Cut::Broken(format!("nothing for {PATIENCE:?}"))),
        }
    }
}

/// What a stream's error says.
pub(crate) fn cut(error: s2n_quic::stream::Error) -> Cut {
    use s2n_quic::{connection, stream};
    if let stream::Error::StreamReset { error, .. }
    | stream::Error::ConnectionError { error: connection::Error::Application { error, .. }, .. } = error
    {
        return Cut::Code(error.into());
    }
    Cut::Broken(error.to_string())
}

/// Writes all of it.
pub(crate) async fn send(stream: &mut SendStream, bytes: impl Into<Bytes>) -> Result<(), Cut> {
    stream.send(bytes.into()).await.map_err(cut)
}
