//! Which rule of which route takes a request.

use regex_lite::Regex;

use super::hostname::{self, Exactness};
use super::request::HttpRequest;
use crate::cluster::Named;
use crate::cluster::gateway_api::{Match, MethodMatch, Path, Route, RouteKind, Rule, ValueMatch};

/// A rule that takes a request, by the order of precedence: the greatest wins.
#[derive(Debug, Clone)]
pub struct Taken<'v> {
    pub kind: RouteKind,
    pub route: &'v Route,
    /// Its place in `spec.rules`.
    pub index: usize,
    pub rule: &'v Rule,
    rank: Rank,
}

/// What makes one match come before another: host name, then an exact path, the longest prefix, the
/// method, most headers, most query parameters (Gateway API, `HTTPRouteRule.matches`; for GRPCRoute the
/// length of service and method in place of the path).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    host: Exactness,
    path: PathRank,
    has_method: bool,
    headers: usize,
    parameters: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PathRank {
    is_exact: bool,
    length: usize,
}

/// Whether a rule takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched<T> {
    Yes(T),
    No,
    /// It cannot be told here, and why.
    Unknown(String),
}

/// What the routes of a listener do with a request.
#[derive(Debug, Clone, Default)]
pub struct Choice<'v> {
    /// The rule that takes it.
    pub taken: Option<Taken<'v>>,
    /// Rules that would take it, too, and come after.
    pub behind: Vec<Taken<'v>>,
    /// Matches that cannot be judged here and might come first.
    pub unknown: Vec<String>,
}

/// Chooses among the routes of a listener. Between equals the oldest route wins, then namespace and
/// name, then the order of rules.
#[must_use]
pub fn choose<'v>(
    routes: impl IntoIterator<Item = (RouteKind, &'v Route)>,
    request: &HttpRequest,
) -> Choice<'v> {
    let mut choice = Choice::default();
    let mut taken = Vec::new();
    for (kind, route) in routes {
        let Some(host) = host_of(route, request) else {
            continue;
        };
        for (index, rule) in route.spec.rules.iter().enumerate() {
            match rank(kind, rule, host, request) {
                Matched::Yes(rank) => taken.push(Taken {
                    kind,
                    route,
                    index,
                    rule,
                    rank,
                }),
                Matched::No => {}
                Matched::Unknown(why) => choice
                    .unknown
                    .push(format!("{}: {why}", route.reference(kind))),
            }
        }
    }
    taken.sort_by(|one, other| {
        let age = |taken: &Taken<'_>| {
            let created = taken
                .route
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| time.0);
            (created.is_none(), created)
        };
        let place = |taken: &Taken<'_>| {
            let route = taken.route;
            (
                route.namespace().to_owned(),
                route.name().to_owned(),
                taken.index,
            )
        };
        other
            .rank
            .cmp(&one.rank)
            .then_with(|| age(one).cmp(&age(other)))
            .then_with(|| place(one).cmp(&place(other)))
    });
    let mut taken = taken.into_iter();
    choice.taken = taken.next();
    choice.behind = taken.collect();
    choice
}

/// How exactly a route names the host of a request, if it takes it.
fn host_of(route: &Route, request: &HttpRequest) -> Option<Exactness> {
    let Some(host) = &request.host else {
        return hostname::takes(None, "");
    };
    if route.spec.hostnames.is_empty() {
        return hostname::takes(None, host);
    }
    let names = route.spec.hostnames.iter();
    names
        .filter_map(|name| hostname::takes(Some(name), host))
        .max()
}

/// The best rank among the matches of a rule; a rule without any takes everything.
fn rank(kind: RouteKind, rule: &Rule, host: Exactness, request: &HttpRequest) -> Matched<Rank> {
    let everything = Match::default();
    let matches = if rule.matches.is_empty() {
        std::slice::from_ref(&everything)
    } else {
        rule.matches.as_slice()
    };
    let mut best = None;
    let mut unknown = None;
    for one in matches {
        match judge(kind, one, request) {
            Matched::Yes(path) => {
                let rank = Rank {
                    host,
                    path,
                    has_method: matches!(one.method, Some(MethodMatch::Http(_))),
                    headers: one.headers.len(),
                    parameters: one.query_params.len(),
                };
                best = best.max(Some(rank));
            }
            Matched::No => {}
            Matched::Unknown(why) => unknown = Some(why),
        }
    }
    match (best, unknown) {
        (Some(rank), _) => Matched::Yes(rank),
        (None, Some(why)) => Matched::Unknown(why),
        (None, None) => Matched::No,
    }
}

/// Whether everything that a match names holds.
fn judge(kind: RouteKind, one: &Match, request: &HttpRequest) -> Matched<PathRank> {
    let path = match (&one.method, kind) {
        (Some(MethodMatch::Grpc(method)), RouteKind::Grpc) => grpc(method, request),
        (None, RouteKind::Grpc) => Matched::Yes(PathRank::default()),
        _ => path(one.path.as_ref(), request),
    };
    let method = match &one.method {
        Some(MethodMatch::Http(method)) => method.eq_ignore_ascii_case(request.method()),
        _ => true,
    };
    if !method {
        return Matched::No;
    }
    let headers = one
        .headers
        .iter()
        .map(|own| value(own, request.header(&own.name)));
    let parameters = one.query_params.iter();
    let parameters = parameters.map(|own| value(own, request.parameter(&own.name)));
    for verdict in headers.chain(parameters) {
        match verdict {
            Matched::Yes(()) => {}
            Matched::No => return Matched::No,
            Matched::Unknown(why) => return Matched::Unknown(why),
        }
    }
    path
}

/// A prefix is compared element by element; a regular expression must take the whole path.
fn path(own: Option<&Path>, request: &HttpRequest) -> Matched<PathRank> {
    let kind = own
        .and_then(|own| own.kind.as_deref())
        .unwrap_or("PathPrefix");
    let value = own.and_then(|own| own.value.as_deref()).unwrap_or("/");
    let asked = request.path.as_str();
    let length = value.len();
    let is_taken = match kind {
        "Exact" => asked == value,
        "PathPrefix" => is_prefix(value, asked),
        "RegularExpression" => match is_whole_match(value, asked) {
            Some(is_match) => is_match,
            None => return Matched::Unknown(format!("the expression {value:?} is not understood")),
        },
        other => {
            return Matched::Unknown(format!(
                "matches of type {other} are an implementation's own"
            ));
        }
    };
    if is_taken {
        Matched::Yes(PathRank {
            is_exact: kind == "Exact",
            length,
        })
    } else {
        Matched::No
    }
}

/// Whether a path is below a prefix, element by element.
#[must_use]
pub fn is_prefix(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether an expression matches a text from end to end; none where it is not understood.
#[must_use]
pub fn is_whole_match(expression: &str, text: &str) -> Option<bool> {
    let regex = Regex::new(&format!("^(?:{expression})$")).ok()?;
    Some(regex.is_match(text))
}

/// A gRPC call is a POST of `/package.Service/Method`.
fn grpc(own: &crate::cluster::gateway_api::GrpcMethod, request: &HttpRequest) -> Matched<PathRank> {
    let mut parts = request.path.trim_start_matches('/').splitn(2, '/');
    let asked = [
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    ];
    let mut length = 0;
    for (wanted, asked) in [&own.service, &own.method].into_iter().zip(asked) {
        let Some(wanted) = wanted else {
            continue;
        };
        length += wanted.len();
        let is_regex = own.kind.as_deref() == Some("RegularExpression");
        let is_taken = if is_regex {
            is_whole_match(wanted, asked)
        } else {
            Some(wanted == asked)
        };
        match is_taken {
            Some(true) => {}
            Some(false) => return Matched::No,
            None => {
                return Matched::Unknown(format!("the expression {wanted:?} is not understood"));
            }
        }
    }
    Matched::Yes(PathRank {
        is_exact: own.service.is_some(),
        length,
    })
}

fn value(own: &ValueMatch, asked: Option<&str>) -> Matched<()> {
    let Some(asked) = asked else {
        return Matched::No;
    };
    let is_taken = match own.kind.as_deref().unwrap_or("Exact") {
        "Exact" => Some(own.value == asked),
        "RegularExpression" => is_whole_match(&own.value, asked),
        _ => None,
    };
    match is_taken {
        Some(true) => Matched::Yes(()),
        Some(false) => Matched::No,
        None => Matched::Unknown(format!("the match of {} is not understood", own.name)),
    }
}

impl Default for PathRank {
    /// What takes everything: the prefix `/`.
    fn default() -> Self {
        Self {
            is_exact: false,
            length: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(name: &str, hostnames: &[&str], rules: &serde_json::Value) -> Route {
        let object = json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"hostnames": hostnames, "rules": rules},
        });
        serde_json::from_value(object).unwrap()
    }

    fn chosen(routes: &[Route], request: &HttpRequest) -> Option<(String, usize)> {
        let routes = routes.iter().map(|route| (RouteKind::Http, route));
        let taken = choose(routes, request).taken?;
        Some((taken.route.name().to_owned(), taken.index))
    }

    #[test]
    fn the_most_exact_match_takes_the_request() {
        let routes = [
            route(
                "prefixes",
                &[],
                &json!([
                    {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]},
                    {"matches": [{"path": {"type": "PathPrefix", "value": "/cart"}}]},
                    {"matches": [{"path": {"type": "Exact", "value": "/cart"}}]},
                    {"matches": [{"path": {"value": "/cart"}, "headers": [{"name": "X-Beta", "value": "1"}]}]},
                    {"matches": [{"path": {"value": "/cart"}, "method": "POST"}]},
                    {"matches": [{"path": {"type": "RegularExpression", "value": "/v[0-9]+/.*"}}]},
                ]),
            ),
            route("host", &["b.example"], &json!([{}])),
        ];
        let ask = |path: &str| HttpRequest {
            host: Some("a.example".to_owned()),
            ..HttpRequest::of_path(path)
        };
        for (request, expected) in [
            (ask("/"), ("prefixes", 0)),
            (ask("/cartoon"), ("prefixes", 0)),
            (ask("/cart/1?x=y"), ("prefixes", 1)),
            (ask("/cart"), ("prefixes", 2)),
            (
                HttpRequest {
                    headers: vec![("x-beta".into(), "1".into())],
                    ..ask("/cart/1")
                },
                ("prefixes", 3),
            ),
            (
                HttpRequest {
                    method: Some("POST".into()),
                    ..ask("/cart/1")
                },
                ("prefixes", 4),
            ),
            (ask("/v12/things"), ("prefixes", 5)),
            (
                HttpRequest {
                    host: Some("b.example".into()),
                    ..ask("/cart")
                },
                ("host", 0),
            ),
        ] {
            let expected = Some((expected.0.to_owned(), expected.1));
            assert_eq!(chosen(&routes, &request), expected, "{}", request.shown());
        }
    }

    #[test]
    fn an_expression_nobody_understands_leaves_it_open() {
        let routes = [route(
            "odd",
            &[],
            &json!([
                {"matches": [{"path": {"type": "RegularExpression", "value": "/(?<=x)"}}]},
            ]),
        )];
        let choice = choose([(RouteKind::Http, &routes[0])], &HttpRequest::of_path("/"));
        assert!(choice.taken.is_none() && choice.unknown.len() == 1);
    }
}
