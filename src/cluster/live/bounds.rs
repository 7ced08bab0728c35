//! How much is taken from an API server: its answers are read to a bound, and not for ever.

use std::io;
use std::time::Duration;

use futures::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use http_body_util::Limited;
use kube::Client;
use serde_json::Value;
use tower::util::MapResponseLayer;

/// The most bytes of one answer: pages of 500 objects and logs with the facts of a large node are far
/// below.
pub const MOST: usize = 48 << 20;
/// The most values of one answer: each takes ten times the bytes that it has in JSON.
const VALUES: usize = 1_000_000;
/// How long an answer may pause.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bound that an answer went beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    #[error("the answer is larger than {} MiB", MOST >> 20)]
    Bytes,
    #[error("the answer holds more than {VALUES} values")]
    Values,
    #[error("no data came for {} s", PATIENCE.as_secs())]
    Silence,
}

/// What makes of an answer one that ends at the bound.
type Bounding<B> = fn(http::Response<B>) -> http::Response<Limited<B>>;

/// A layer that lets no answer be longer than the bound, errors included.
pub(super) fn bounded<B>() -> MapResponseLayer<Bounding<B>> {
    MapResponseLayer::new(|answer| answer.map(|body| Limited::new(body, MOST)))
}

/// Asks once.
///
/// # Errors
/// The server's refusal, what broke on the way, or the bound that was met.
pub(super) async fn ask(client: &Client, request: http::Request<Vec<u8>>) -> kube::Result<Value> {
    let answer = in_time(client.request_stream(request)).await??;
    let mut answer = Box::pin(answer);
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = in_time(answer.read(&mut chunk)).await?.map_err(broken)?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    // As many as could begin: what strings hold is counted, too.
    let values = bytes
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'));
    if values.count() > VALUES {
        return Err(beyond(Bound::Values));
    }
    serde_json::from_slice(&bytes).map_err(kube::Error::SerdeError)
}

/// The next line of a stream, without its end; none at the end of all.
///
/// # Errors
/// What broke on the way, or a line longer than `most` bytes.
pub async fn line<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    most: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut bounded = reader.take(most as u64);
    bounded.read_until(b'\n', &mut line).await?;
    if line.len() == most && !line.ends_with(b"\n") {
        return Err(io::Error::other(format!(
            "a line is longer than {} KiB",
            most >> 10
        )));
    }
    let is_end = line.is_empty();
    if line.ends_with(b"\n") {
        line.pop();
    }
    Ok((!is_end).then_some(line))
}

async fn in_time<T>(reading: impl Future<Output = T>) -> kube::Result<T> {
    let outcome = tokio::time::timeout(PATIENCE, reading).await;
    outcome.map_err(|_| beyond(Bound::Silence))
}

fn beyond(bound: Bound) -> kube::Error {
    kube::Error::Service(Box::new(bound))
}

/// What ended a body.
fn broken(error: io::Error) -> kube::Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        if cause.is::<http_body_util::LengthLimitError>() {
            return beyond(Bound::Bytes);
        }
        // An io::Error hides the error it was made of behind that one's own source.
        source = match cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    kube::Error::ReadEvents(error)
}

/// The bound that an error tells of.
pub(super) fn of(error: &kube::Error) -> Option<Bound> {
    match error {
        kube::Error::Service(inner) => inner.downcast_ref().copied(),
        _ => None,
    }
}
