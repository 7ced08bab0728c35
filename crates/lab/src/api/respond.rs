//! Making answers.

use std::io;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::mpsc;

use super::refusal::Refusal;
use crate::store::fresh_uid;

/// What goes out. An error in it ends the connection, as when a server dies.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;
pub type Response = hyper::Response<Body>;

/// An object.
pub fn json(code: u16, value: &Value) -> Response {
    plain(code, "application/json", value.to_string())
}

/// A text of some type.
pub fn plain(code: u16, content_type: &str, text: impl Into<Bytes>) -> Response {
    let body = Full::new(text.into()).map_err(|never| match never {});
    with_headers(code, content_type, body.boxed_unsync())
}

/// What comes piece by piece.
pub fn streamed(content_type: &str, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Response {
    let frames = futures::stream::unfold(pieces, |mut pieces| async {
        Some((pieces.recv().await?, pieces))
    });
    let body = StreamBody::new(frames.map(|piece| piece.map(Frame::data)));
    with_headers(200, content_type, BodyExt::boxed_unsync(body))
}

/// A path that nothing serves.
pub fn no_page() -> Response {
    plain(404, "text/plain; charset=utf-8", "404 page not found\n")
}

pub fn refused(refusal: &Refusal) -> Response {
    let mut response = json(refusal.code, &refusal.status());
    if let Some(seconds) = refusal.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds warnings, as kubectl prints them.
pub fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let text = format!("299 - \"{}\"", warning.replace('"', "\\\""));
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().append("Warning", value);
        }
    }
}

fn with_headers(code: u16, content_type: &str, body: Body) -> Response {
    let mut response = hyper::Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or_default();
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(CONTENT_TYPE, content_type);
    set(
        hyper::header::HeaderName::from_static("audit-id"),
        &fresh_uid(),
    );
    set(hyper::header::CACHE_CONTROL, "no-cache, private");
    response
}

/// A body that breaks off after some bytes.
pub fn cut_after(body: Body, bytes: usize) -> Body {
    let pieces = futures::stream::unfold((body, Some(bytes)), |(mut body, left)| async move {
        let left = left?;
        if left == 0 {
            // What came before goes out first.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            return Some((Err(io::ErrorKind::ConnectionReset.into()), (body, None)));
        }
        let data = body.frame().await?.ok()?.into_data().ok()?;
        let data = data.slice(..data.len().min(left));
        let left = left - data.len();
        Some((Ok(Frame::data(data)), (body, Some(left))))
    });
    BodyExt::boxed_unsync(StreamBody::new(Box::pin(pieces)))
}
