//! What a client asks over HTTP, as far as it decides where a request goes.

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    pub scheme: Option<String>,
    pub host: Option<String>,
    /// In capitals; `GET` unless said otherwise.
    pub method: Option<String>,
    /// Without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

// === impl HttpRequest ===

impl HttpRequest {
    /// A request for a path with its query.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let path = path.split('#').next().unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self {
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (name.to_owned(), value.to_owned())
                })
                .collect(),
            ..Self::default()
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// The value of a header; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let name = name.to_ascii_lowercase();
        headers
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a query parameter: the first, where it is given several times.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        pairs
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// `GET shop.example/cart`
    #[must_use]
    pub fn shown(&self) -> String {
        let host = self.host.as_deref().unwrap_or("*");
        let method = match self.method() {
            "GET" => String::new(),
            method => format!("{method} "),
        };
        format!("{method}{host}{}", self.path)
    }
}
