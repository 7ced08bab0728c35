//! A site of fixed pages.

use std::collections::BTreeMap;
use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Serves one connection to its end.
pub async fn serve_pages(stream: TcpStream, pages: BTreeMap<String, (u16, String)>) -> Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let page = pages.get(request.uri().path()).cloned();
        async move {
            let (status, text) = page.unwrap_or_else(|| (404, "404 page not found\n".to_owned()));
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            Ok::<_, Infallible>(response)
        }
    });
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}
