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

    /// The value of a header, whose name is written in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The header `Host`, which HTTP/2 calls `:authority`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.header("host").or_else(|| self.header(":authority"))
    }

    /// The same, completed by what a URL says, and without the query. A path without a method is fetched,
    /// as by curl.
    #[must_use]
    pub fn completed(mut self, host: Option<&str>, path: Option<&str>) -> Self {
        let own = self.path.take();
        let path = own.as_deref().or(path);
        let path = path.map(|path| path.split(['?', '#']).next().unwrap_or_default());
        self.path = path.map(|path| if path.is_empty() { "/" } else { path }.to_owned());
        if self.path.is_some() && self.method.is_none() {
            self.method = Some("GET".to_owned());
        }
        if let (None, Some(host)) = (self.host(), host) {
            self.headers.push(("host".to_owned(), host.to_owned()));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_goes_before_what_a_url_says() {
        let typed = HttpAsked {
            path: Some("/cart?x=1".to_owned()),
            headers: vec![("host".to_owned(), "shop.example".to_owned())],
            ..HttpAsked::default()
        };
        let whole = typed.completed(Some("10.0.0.1"), Some("/other"));
        assert_eq!(whole.path.as_deref(), Some("/cart"));
        assert_eq!(whole.method.as_deref(), Some("GET"));
        assert_eq!(whole.host(), Some("shop.example"));
        let url = HttpAsked::default().completed(Some("a"), Some("?x=1"));
        assert_eq!(url.path.as_deref(), Some("/"));
        assert!(HttpAsked::default().completed(None, None).is_empty());
    }
}
