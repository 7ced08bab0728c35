//! The question itself.

use super::Target;
use crate::net::Protocol;

/// The question, as plain data.
#[derive(Debug, Clone)]
pub struct Request {
    pub source: Target,
    pub destination: Target,
    /// Where a source without a namespace lives.
    pub source_namespace: String,
    /// Where a destination without a namespace lives.
    pub destination_namespace: String,
    /// What was asked for; absent means what the destination offers, TCP before anything else.
    pub protocol: Option<Protocol>,
    /// What is asked over HTTP, where that was said beside the destination.
    pub http: HttpAsked,
}

/// What is asked over HTTP, beside what the URL says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpAsked {
    pub method: Option<String>,
    /// With its query.
    pub path: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

// === impl HttpAsked ===

impl HttpAsked {
    /// Whether nothing was said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.method.is_none() && self.path.is_none() && self.headers.is_empty()
    }
}
