//! What comes with a request.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::protobuf;
use super::refusal::Refusal;

/// Reads a body to its end.
pub async fn read(body: Incoming) -> Result<Vec<u8>, Refusal> {
    let collected = body.collect().await;
    collected
        .map(|all| all.to_bytes().to_vec())
        .map_err(|error| Refusal::bad_request(format!("reading the body: {error}")))
}

/// An object in JSON, YAML or protobuf; nothing at all is an empty object.
pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Value, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    let kind = content_type.unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.contains("protobuf") || bytes.starts_with(b"k8s\0") {
        return protobuf::parse(bytes);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::bad_request("not UTF-8"))?;
    let parsed: Result<Value, String> = if kind.contains("yaml") {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    } else {
        serde_json::from_str(text).map_err(|error| error.to_string())
    };
    parsed.map_err(|error| {
        let message = format!("couldn't get version/kind; json parse error: {error}");
        Refusal::bad_request(message)
    })
}
