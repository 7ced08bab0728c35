//! HTTP as agnhost's netexec serves it. Source: kubernetes `test/images/agnhost/netexec`.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Identity;

/// A site: what it is and how it behaves.
#[derive(Debug, Clone)]
pub struct NetExec {
    pub identity: Identity,
    pub delay: Duration,
    /// Answers everything with this.
    pub status: Option<u16>,
    /// The Server header.
    pub server: Option<String>,
}

/// Serves one connection to its end.
pub async fn serve_http(stream: impl AsyncRead + AsyncWrite + Unpin, site: NetExec) -> Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

// === impl NetExec ===

impl NetExec {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        // What is sent is read to the end: the other half of a bulk test.
        let received = request
            .into_body()
            .collect()
            .await
            .map_or(0, |body| body.to_bytes().len());
        tokio::time::sleep(self.delay).await;
        let (status, text) = match self.status {
            Some(status) => (status, format!("{status}\n").into_bytes()),
            None => self.page(&path, &query, received),
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(
            "content-type",
            http::HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if let Some(value) = self.server.as_ref().and_then(|server| server.parse().ok()) {
            headers.insert("server", value);
        }
        response
    }

    fn page(&self, path: &str, query: &str, received: usize) -> (u16, Vec<u8>) {
        let argument = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .into_iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        };
        match path {
            "/hostname" | "/hostName" => (200, self.identity.pod.clone().into_bytes()),
            "/healthz" => (200, Vec::new()),
            "/echo" => {
                let code = argument("code")
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(200);
                (code, argument("msg").unwrap_or_default().into_bytes())
            }
            // Not netexec's: answers of any size, and what arrived.
            "/bulk" => {
                let size = argument("bytes")
                    .and_then(|size| size.parse().ok())
                    .unwrap_or(200_000);
                (200, vec![b'x'; usize::min(size, 1 << 26)])
            }
            "/received" => (200, received.to_string().into_bytes()),
            _ => (200, format!("NOW: {}", jiff::Timestamp::now()).into_bytes()),
        }
    }
}
