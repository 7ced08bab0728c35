//! Requests against what routes and policies ask of them.

use serde_json::Value;

use super::object::{Object, items};
use crate::policy::{Doubt, Truth};
use crate::target::HttpAsked;

/// A request, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a>(pub Option<&'a HttpAsked>);

/// A part of a request, and the flag that gives it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    Method,
    Path,
    Host,
    Header(&'a str),
    /// Something no flag gives: a token, a query.
    Other(&'static str),
}

// === impl Known ===

impl Known<'_> {
    /// Whether a part of the request holds what is asked of it; open where it is not known.
    pub(super) fn is(self, part: Part<'_>, holds: impl FnOnce(&str) -> bool) -> Truth {
        let known = self.0.and_then(|request| match part {
            Part::Method => request.method.as_deref(),
            Part::Path => request.path.as_deref(),
            Part::Host => request.host(),
            Part::Header(name) => request.header(name),
            Part::Other(_) => None,
        });
        known.map_or_else(|| Truth::Maybe(part.doubt()), |known| holds(known).into())
    }
}

// === impl Part ===

impl Part<'_> {
    fn doubt(self) -> Doubt {
        let (part, flag) = match self {
            Self::Method => ("method".to_owned(), "--method".to_owned()),
            Self::Path => ("path".to_owned(), "--path".to_owned()),
            Self::Host => ("host".to_owned(), "-H 'Host: …'".to_owned()),
            Self::Header(name) => (format!("header {name}"), format!("-H '{name}: …'")),
            Self::Other(what) => (what.to_owned(), String::new()),
        };
        Doubt::Request { part, flag }
    }
}

/// Whether a match of a Gateway API HTTPRoute (also Linkerd's own) takes a request. Its fields must
/// all hold; a match that names no path takes every path.
pub(super) fn route_match(route: &Object<'_>, matching: &Value, request: Known<'_>) -> Truth {
    let path = &matching["path"];
    let wanted = path["value"].as_str().unwrap_or("/");
    let by_path = match path["type"].as_str().unwrap_or("PathPrefix") {
        _ if wanted == "/" && path["type"] != "Exact" => Truth::Yes,
        "Exact" => request.is(Part::Path, |path| path == wanted),
        "PathPrefix" => request.is(Part::Path, |path| is_below(path, wanted)),
        _ => regular(route, wanted, Part::Path, request),
    };
    let by_method = match matching["method"].as_str() {
        Some(wanted) => request.is(Part::Method, |method| method == wanted),
        None => Truth::Yes,
    };
    let headers = items(&matching["headers"]).iter().map(|header| {
        let name = header["name"].as_str().unwrap_or_default();
        let wanted = header["value"].as_str().unwrap_or_default();
        match header["type"].as_str().unwrap_or("Exact") {
            "Exact" => request.is(Part::Header(name), |value| value == wanted),
            _ => regular(route, wanted, Part::Header(name), request),
        }
    });
    let query = items(&matching["queryParams"]).iter();
    let query = query.map(|_| request.is(Part::Other("query"), |_| true));
    Truth::all([by_path, by_method].into_iter().chain(headers).chain(query))
}

/// Whether a path is a prefix's or below it, element by element.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A regular expression that must match the whole of a part (RE2, as Envoy and Linkerd do).
pub(super) fn regular(
    object: &Object<'_>,
    pattern: &str,
    part: Part<'_>,
    request: Known<'_>,
) -> Truth {
    match regex_lite::Regex::new(&format!("^(?:{pattern})$")) {
        Ok(expression) => request.is(part, |text| expression.is_match(text)),
        Err(error) => Truth::Maybe(object.not_understood("spec", &error.to_string())),
    }
}

/// Whether one of a route's hostnames fits; a route without any takes every host.
pub(super) fn hostnames(route: &Object<'_>, request: Known<'_>) -> Truth {
    let names = super::object::texts(route.at("/spec/hostnames"));
    if names.is_empty() {
        return Truth::Yes;
    }
    request.is(Part::Host, |host| {
        let host = host.split(':').next().unwrap_or_default();
        names.iter().any(|name| match name.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == *name,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_at_a_slash() {
        assert!(is_below("/press/1", "/press") && is_below("/press", "/press/"));
        assert!(is_below("/x", "/") && !is_below("/pressed", "/press"));
    }
}
