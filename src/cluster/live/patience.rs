//! A server that is busy is asked again.

use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use serde_json::Value;

/// How often, and how long that is waited for.
const RETRIES: usize = 3;
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);

/// Asks something, and a busy server again, as long as it wants to be waited for within reason.
///
/// # Errors
/// The server's refusal, or what broke on the way.
pub async fn patiently(client: &Client, request: &Request<Vec<u8>>) -> kube::Result<Value> {
    let mut tries = 0;
    loop {
        let error = match client.request::<Value>(request.clone()).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match pause(&error, request.method()).filter(|_| tries < RETRIES) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error),
        }
        tries += 1;
    }
}

/// How long a busy server wants to be left alone; none if it is not that. A server that was too busy to
/// begin (429) did nothing; of one that broke off later (503, 504), only reads are asked again.
fn pause(error: &kube::Error, method: &Method) -> Option<Duration> {
    let kube::Error::Api(status) = error else {
        return None;
    };
    let is_safe = status.code == 429 || method == Method::GET && matches!(status.code, 503 | 504);
    let wish = status.details.as_ref().map(|own| own.retry_after_seconds);
    let wish = Duration::from_secs(wish.unwrap_or_default().into());
    is_safe.then(|| wish.clamp(SHORTEST, LONGEST))
}
