//! Lists in pieces: `limit`, and the token by which the next piece is asked for.
//!
//! Source: k8s.io/apiserver, `pkg/storage/continue.go`.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::store::Key;

/// Where a list goes on, and as of which revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub revision: u64,
    /// `/namespace/name` of the last entry there was.
    pub after: String,
}

// === impl Page ===

impl Page {
    /// The page that follows an entry of a list of one namespace or of all.
    pub fn after(revision: u64, key: &Key, namespace: &str) -> Self {
        let after = place(key, namespace);
        Self { revision, after }
    }

    pub fn parse(token: &str) -> Result<Self, Refusal> {
        let bad = |why: String| {
            Refusal::bad_request(format!(
                "invalid continue token: continue key is not valid: {why}"
            ))
        };
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| {
            // Go names the first byte it cannot use: of a short last group, the first of it.
            bad(format!(
                "illegal base64 data at input byte {}",
                token.len() / 4 * 4
            ))
        })?;
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        let (revision, start) = (value["rv"].as_u64(), value["start"].as_str());
        match (revision, start) {
            (Some(revision), Some(start)) => Ok(Self {
                revision,
                after: start.trim_end_matches('\0').to_owned(),
            }),
            _ => Err(bad("unrecognized encoded start key".to_owned())),
        }
    }

    pub fn token(&self) -> String {
        let start = format!("{}\0", self.after);
        let value = json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": start});
        BASE64URL_NOPAD.encode(value.to_string().as_bytes())
    }

    /// Whether an entry comes after the last one. Compared word by word, in the store's own order.
    pub fn is_before(&self, key: &Key, namespace: &str) -> bool {
        let own = place(key, namespace);
        own.split('/').gt(self.after.split('/'))
    }
}

/// As etcd keys go below the list's own prefix.
fn place(key: &Key, namespace: &str) -> String {
    if namespace.is_empty() {
        format!("/{}", key.path())
    } else {
        format!("/{}", key.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let key = Key::new("", "pods", "shop", "a");
        let page = Page::after(7, &key, "shop");
        assert_eq!(Page::parse(&page.token()), Ok(page.clone()));
        assert!(!page.is_before(&key, "shop"));
        assert!(page.is_before(&Key::new("", "pods", "shop", "b"), "shop"));
        let refusal = Page::parse("bogus").unwrap_err();
        assert!(refusal.message.ends_with("input byte 4"), "{refusal:?}");
    }
}
