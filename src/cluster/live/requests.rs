//! Every request of a run, in the log.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use tower::{Layer, Service};

/// Logs method, path, status and time of what passes through it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLog;

/// A service that does.
#[derive(Debug, Clone)]
pub(super) struct Logged<S>(S);

/// A command that is run in a container stands in the query, and may be long.
const LONGEST: usize = 200;

fn shown(uri: &Uri) -> String {
    let whole = uri
        .path_and_query()
        .map_or_else(|| uri.path(), PathAndQuery::as_str);
    let mut characters = whole.chars();
    let mut text: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

// === impl RequestLog ===

impl<S> Layer<S> for RequestLog {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged(inner)
    }
}

// === impl Logged ===

impl<S, A, B> Service<Request<A>> for Logged<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: std::fmt::Display,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let method = request.method().clone();
        let path = shown(request.uri());
        let (started, answer) = (Instant::now(), self.0.call(request));
        Box::pin(async move {
            let answer = answer.await;
            let ms = started.elapsed().as_millis();
            match &answer {
                Ok(answer) if answer.status().as_u16() < 400 => {
                    tracing::debug!("{method} {path} {} in {ms} ms", answer.status().as_u16());
                }
                Ok(answer) => {
                    tracing::warn!("{method} {path} {} in {ms} ms", answer.status().as_u16());
                }
                Err(error) => tracing::warn!("{method} {path} failed after {ms} ms: {error}"),
            }
            answer
        })
    }
}
