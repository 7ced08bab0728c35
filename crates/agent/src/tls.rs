//! TLS: what a server shows in its handshake. Whether to trust it is for the client to say.
//!
//! ```text
//!  TcpStream ─► handshake ─► TlsStream, or why not
//!                   └─► Seen: the leaf certificate, whether one of ours was asked for
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::Protocol as Transport;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, DigitallySignedStruct, InvalidMessage, SignatureScheme,
};

use super::certificate::Leaf;
use super::connect::dial;
use super::failure::failure;
use super::micros;
use netpath_protocol::{Failure, Outcome, TlsReply};

/// How long a server may take to say that it misses our certificate: with TLS 1.3 it does so after
/// the handshake.
const AFTERTHOUGHT: Duration = Duration::from_millis(500);

/// Shakes hands once, over a connection of its own.
pub(super) async fn tls(to: SocketAddr, server_name: &str, patience: Duration) -> Outcome {
    let Some(name) = name(server_name) else {
        return Outcome::Unsupported {
            why: format!("{server_name:?} is no name a TLS server can have"),
        };
    };
    let started = Instant::now();
    let mut reply = TlsReply {
        protocol: None,
        names: Vec::new(),
        not_before: None,
        not_after: None,
        issuer: None,
        alert: None,
        asks_for_certificate: false,
        error: None,
        elapsed_us: 0,
    };
    match dial(to, Transport::TCP, patience).await.stream {
        Err(error) => reply.error = Some(error),
        Ok(stream) => {
            let seen = Arc::new(Seen::default());
            let shaking = shake(stream, name, &seen, &mut reply);
            let until = started + patience;
            let ended = timeout_at(until.into(), shaking).await;
            match ended.unwrap_or(Err(Refusal::Failure(Failure::Timeout))) {
                Ok(()) => {}
                Err(Refusal::Alert(alert)) => reply.alert = Some(alert),
                Err(Refusal::Failure(error)) => reply.error = Some(error),
            }
            seen.tell(&mut reply);
        }
    }
    reply.elapsed_us = micros(started);
    Outcome::Tls(reply)
}

async fn shake(
    stream: TcpStream,
    name: ServerName<'static>,
    seen: &Arc<Seen>,
    reply: &mut TlsReply,
) -> Result<(), Refusal> {
    let mut stream = handshake(stream, name, seen).await?;
    let version = stream.get_ref().1.protocol_version();
    reply.protocol = version.map(|version| format!("{version:?}"));
    if seen.lock().asks_for_certificate
        && let Ok(Err(error)) = timeout(AFTERTHOUGHT, stream.read_u8()).await
        && error.kind() != io::ErrorKind::UnexpectedEof
    {
        return Err(Refusal::of(&error));
    }
    Ok(())
}

/// The name to ask for, of a host with or without a port.
pub(super) fn name(host: &str) -> Option<ServerName<'static>> {
    let whole = ServerName::try_from(host.trim_matches(['[', ']']));
    let name = whole.or_else(|_| {
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        ServerName::try_from(host.trim_matches(['[', ']']))
    });
    name.ok().map(|name| name.to_owned())
}

/// Shakes hands over a connection; the server may show any certificate.
///
/// # Errors
/// What the server, or our own TLS, did not like.
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    name: ServerName<'static>,
    seen: &Arc<Seen>,
) -> Result<TlsStream<S>, Refusal> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Anything {
        provider: Arc::clone(&provider),
        seen: Arc::clone(seen),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Refusal::of_tls(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::clone(seen) as Arc<dyn ResolvesClientCert>);
    let connector = TlsConnector::from(Arc::new(config));
    let shaken = connector.connect(name, stream).await;
    shaken.map_err(|error| Refusal::of(&error))
}

/// Why there was no handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An alert by its name in RFC 8446, or what our side could not accept.
    Alert(String),
    /// The connection broke.
    Failure(Failure),
}

/// What a server showed, whatever came of the handshake.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    leaf: Option<Vec<u8>>,
    asks_for_certificate: bool,
}

/// Takes every certificate: an expired one is an answer here, not an error.
#[derive(Debug)]
struct Anything {
    provider: Arc<CryptoProvider>,
    seen: Arc<Seen>,
}

// === impl Refusal ===

impl Refusal {
    fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        inner.map_or_else(|| Self::Failure(failure(error)), Self::of_tls)
    }

    fn of_tls(error: &rustls::Error) -> Self {
        Self::Alert(match error {
            rustls::Error::AlertReceived(alert) => alert_name(*alert),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                "no TLS: the server speaks something else".to_owned()
            }
            error => error.to_string(),
        })
    }

    /// As a failure, where nothing else can be said.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Alert(alert) => Failure::Other {
                text: format!("TLS: {alert}"),
            },
            Self::Failure(failure) => failure,
        }
    }
}

/// The name in RFC 8446, 6: `HandshakeFailure` is `handshake_failure` there.
fn alert_name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for letter in format!("{alert:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    // The one abbreviation among them.
    name.replace("c_a", "ca")
}

// === impl Seen ===

impl Seen {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, reply: &mut TlsReply) {
        let shown = self.lock();
        reply.asks_for_certificate = shown.asks_for_certificate;
        match shown.leaf.as_deref().map(Leaf::read) {
            Some(Ok(leaf)) => {
                reply.names = leaf.names;
                reply.not_before = Some(leaf.not_before);
                reply.not_after = Some(leaf.not_after);
                reply.issuer = Some(leaf.issuer);
            }
            Some(Err(why)) => {
                reply.alert.get_or_insert(why);
            }
            None => {}
        }
    }
}

impl ResolvesClientCert for Seen {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.lock().asks_for_certificate = true;
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

// === impl Anything ===

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.seen.lock().leaf = Some(leaf.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_rfc() {
        assert_eq!(
            alert_name(AlertDescription::HandshakeFailure),
            "handshake_failure"
        );
        assert_eq!(alert_name(AlertDescription::UnknownCA), "unknown_ca");
        assert_eq!(
            alert_name(AlertDescription::CertificateRequired),
            "certificate_required"
        );
    }

    #[test]
    fn a_port_is_no_part_of_the_name() {
        let text = |host| name(host).map(|name| name.to_str().into_owned());
        assert_eq!(text("web.shop:8443").as_deref(), Some("web.shop"));
        assert_eq!(text("web.shop").as_deref(), Some("web.shop"));
        assert_eq!(text("[fd00::1]:443").as_deref(), Some("fd00::1"));
        assert_eq!(text("fd00::1").as_deref(), Some("fd00::1"));
        assert_eq!(text("10.0.0.1:443").as_deref(), Some("10.0.0.1"));
        assert_eq!(text("a b"), None);
    }
}
