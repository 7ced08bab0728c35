//! A client that sends exactly what it is told: no library's habits come between test and server.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use data_encoding::BASE64;
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use netpath_lab::Lab;

/// A way to the API server of a lab.
#[derive(Clone)]
pub struct Client {
    connector: TlsConnector,
    port: u16,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Whether the connection broke off before the end of the body.
    pub cut: bool,
}

/// What came over a WebSocket: messages, and the code it was closed with.
#[derive(Debug)]
pub struct Frames {
    pub protocol: String,
    pub messages: Vec<Vec<u8>>,
    pub closed: Option<u16>,
}

// === impl Client ===

impl Client {
    /// As the administrator, or without a certificate.
    pub fn of(lab: &Lab, with_certificate: bool) -> Result<Self> {
        let config: Value = serde_json::from_slice(&std::fs::read(lab.kubeconfig())?)?;
        let decode = |value: &Value| -> Result<Vec<u8>> {
            Ok(BASE64.decode(
                value
                    .as_str()
                    .context("a field of the kubeconfig")?
                    .as_bytes(),
            )?)
        };
        let mut roots = RootCertStore::empty();
        let authority = decode(&config["clusters"][0]["cluster"]["certificate-authority-data"])?;
        roots.add(CertificateDer::from_pem_slice(&authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let user = &config["users"][0]["user"];
        let config = if with_certificate {
            let certificate =
                CertificateDer::from_pem_slice(&decode(&user["client-certificate-data"])?)?;
            let key = PrivateKeyDer::from_pem_slice(&decode(&user["client-key-data"])?)?;
            builder.with_client_auth_cert(vec![certificate], key)?
        } else {
            builder.with_no_client_auth()
        };
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            port: lab.port(),
        })
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from("127.0.0.1")?;
        Ok(self.connector.connect(name, stream).await?)
    }

    /// Sends one request on a connection of its own.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &Value,
    ) -> Result<Answer> {
        let io = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        let body = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let mut request = hyper::Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(path)
            .header("host", "127.0.0.1");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let (head, mut incoming) = response.into_parts();
        let (mut body, mut cut) = (Vec::new(), false);
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => body.extend(frame.into_data().unwrap_or_default()),
                Err(_) => cut = true,
            }
        }
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            cut,
        })
    }

    /// GET, as JSON.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, &[], &Value::Null).await
    }

    /// Opens a WebSocket, says everything and listens until it is closed.
    pub async fn talk(&self, path: &str, protocol: &str, says: &[Vec<u8>]) -> Result<Frames> {
        let url = format!("wss://127.0.0.1:{}{path}", self.port);
        let mut request = url.into_client_request()?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol.parse()?);
        let stream = self.connect().await?;
        let (mut socket, response) = tokio_tungstenite::client_async(request, stream).await?;
        let spoken = response.headers().get("sec-websocket-protocol");
        let protocol = spoken
            .context("no protocol agreed on")?
            .to_str()?
            .to_owned();
        for message in says {
            socket.send(Message::Binary(message.clone().into())).await?;
        }
        let (mut messages, mut closed) = (Vec::new(), None);
        while let Some(message) = socket.next().await {
            match message? {
                Message::Binary(bytes) => messages.push(bytes.to_vec()),
                Message::Close(frame) => {
                    closed = frame.map(|frame| frame.code.into());
                    break;
                }
                _ => {}
            }
        }
        Ok(Frames {
            protocol,
            messages,
            closed,
        })
    }
}

// === impl Answer ===

impl Answer {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| String::from_utf8_lossy(&self.body).into_owned())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
