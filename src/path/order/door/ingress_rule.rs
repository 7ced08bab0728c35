//! The rules of Ingresses, as the controller that serves them reads them.

use std::cmp::Reverse;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend};

use super::products::Product;
use crate::cluster::access::host_matches;
use crate::gateway::HttpRequest;
use crate::gateway::matching::is_prefix;

const NGINX: &str = "nginx.ingress.kubernetes.io/";

/// One rule that takes a request.
#[derive(Debug, Clone)]
pub struct IngressRoute<'v> {
    pub ingress: &'v Ingress,
    pub backend: &'v IngressBackend,
    /// `spec.rules[0].http.paths[1]`
    pub field: String,
    /// `shop.example/cart`
    pub shown: String,
    /// The part of requests it takes, in percent, where others have the rest.
    pub percent: Option<u32>,
}

/// The rules that take a request, and what could not be judged.
#[derive(Debug, Clone, Default)]
pub struct IngressRoutes<'v> {
    pub found: Vec<IngressRoute<'v>>,
    pub unknown: Vec<String>,
}

/// The rules of Ingresses that one controller merges; without a request, all of them.
#[must_use]
pub fn routes<'v>(
    ingresses: &[&'v Ingress],
    request: Option<&HttpRequest>,
    product: Option<&Product>,
) -> IngressRoutes<'v> {
    let (canaries, mains): (Vec<&Ingress>, Vec<&Ingress>) = ingresses
        .iter()
        .copied()
        .partition(|ingress| is_canary(ingress));
    // A question about a canary itself is one about its rules.
    let mains = if mains.is_empty() { &canaries } else { &mains };
    let mut routes = chosen(mains, request, product);
    if request.is_some() && !std::ptr::eq(mains, &raw const canaries) {
        add_canaries(&mut routes, &canaries, request, product);
    }
    if routes.found.is_empty() && routes.unknown.is_empty() {
        let default = ingresses.iter().find_map(|ingress| {
            let backend = ingress.spec.as_ref()?.default_backend.as_ref()?;
            Some((*ingress, backend))
        });
        routes
            .found
            .extend(default.map(|(ingress, backend)| IngressRoute {
                ingress,
                backend,
                field: "spec.defaultBackend".to_owned(),
                shown: "default backend".to_owned(),
                percent: None,
            }));
    }
    routes
}

/// An exact host comes before a wildcard and that before none; then the longest path, and an exact one
/// before a prefix of the same length (Ingress specification); then the oldest Ingress.
fn chosen<'v>(
    ingresses: &[&'v Ingress],
    request: Option<&HttpRequest>,
    product: Option<&Product>,
) -> IngressRoutes<'v> {
    let has_regex = ingresses.iter().any(|ingress| uses_regex(ingress));
    let mut routes = IngressRoutes::default();
    let mut ranked = Vec::new();
    for ingress in ingresses {
        let rules = ingress
            .spec
            .iter()
            .flat_map(|spec| spec.rules.iter().flatten());
        for (rule_index, rule) in rules.enumerate() {
            let host = rule.host.as_deref().unwrap_or_default();
            let asked_host = request.and_then(|request| request.host.as_deref());
            let Some(exactness) = host_rank(ingress, host, asked_host) else {
                continue;
            };
            for (path_index, path) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
                let own = path.path.as_deref().unwrap_or("/");
                let shown = format!("{}{own}", if host.is_empty() { "*" } else { host });
                let is_taken = request.map_or(Some(true), |request| {
                    takes(path, &request.path, product, has_regex)
                });
                let route = IngressRoute {
                    ingress,
                    backend: &path.backend,
                    field: format!("spec.rules[{rule_index}].http.paths[{path_index}]"),
                    shown,
                    percent: None,
                };
                match is_taken {
                    Some(true) => {
                        let created = ingress
                            .metadata
                            .creation_timestamp
                            .as_ref()
                            .map(|time| time.0);
                        let rank = (
                            exactness,
                            own.len(),
                            path.path_type == "Exact",
                            Reverse(created),
                        );
                        ranked.push((rank, route));
                    }
                    Some(false) => {}
                    None => routes
                        .unknown
                        .push(format!("path {:?} is not understood", route.shown)),
                }
            }
        }
    }
    if request.is_some() {
        let best =
            ranked
                .iter()
                .enumerate()
                .max_by(|(one_at, (one, _)), (other_at, (other, _))| {
                    one.cmp(other).then_with(|| other_at.cmp(one_at))
                });
        let best = best.map(|(index, _)| index);
        routes
            .found
            .extend(best.map(|index| ranked.swap_remove(index).1));
    } else {
        routes
            .found
            .extend(ranked.into_iter().map(|(_, route)| route));
    }
    routes
}

/// A canary takes a part of what the Ingress beside it has, by weight or by header (ingress-nginx).
fn add_canaries<'v>(
    routes: &mut IngressRoutes<'v>,
    canaries: &[&'v Ingress],
    request: Option<&HttpRequest>,
    product: Option<&Product>,
) {
    for canary in canaries {
        let mut own = chosen(&[*canary], request, product);
        let Some(mut route) = own.found.pop() else {
            continue;
        };
        let said = |name: &str| annotation(canary, &format!("{NGINX}{name}"));
        let header = said("canary-by-header").and_then(|name| request?.header(name));
        let is_wanted = match (header, said("canary-by-header-value")) {
            (Some(value), Some(wanted)) => Some(value == wanted),
            (Some("always"), None) => Some(true),
            (Some("never"), None) => Some(false),
            _ => None,
        };
        let of: u32 = said("canary-weight-total")
            .and_then(|text| text.parse().ok())
            .unwrap_or(100);
        let weight: u32 = said("canary-weight")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        match is_wanted {
            Some(true) => routes.found = vec![route],
            None if weight > 0 => {
                let percent = weight.min(of) * 100 / of.max(1);
                route.percent = Some(percent);
                for main in &mut routes.found {
                    main.percent = Some(100 - percent);
                }
                routes.found.push(route);
            }
            Some(false) | None => {}
        }
    }
}

/// How exactly a rule names the host that is asked: by name, by wildcard, or by taking all.
fn host_rank(ingress: &Ingress, host: &str, asked: Option<&str>) -> Option<u8> {
    let Some(asked) = asked else {
        return Some(0);
    };
    let aliases = annotation(ingress, &format!("{NGINX}server-alias")).unwrap_or_default();
    if host == asked || aliases.split(',').any(|alias| alias.trim() == asked) {
        return Some(2);
    }
    if host.is_empty() {
        return Some(0);
    }
    host_matches(host, asked).then_some(1)
}

/// Whether a path takes what is asked; none where it is not understood.
fn takes(
    path: &HTTPIngressPath,
    asked: &str,
    product: Option<&Product>,
    has_regex: bool,
) -> Option<bool> {
    let own = path.path.as_deref().unwrap_or("/");
    // One expression makes expressions of all paths of the host (ingress-nginx).
    if has_regex && path.path_type != "Exact" {
        let regex = regex_lite::Regex::new(&format!("(?i)^(?:{own})")).ok()?;
        return Some(regex.is_match(asked));
    }
    match path.path_type.as_str() {
        "Exact" => Some(own == asked),
        "Prefix" => Some(is_prefix(own, asked)),
        _ => by_implementation(own, asked, product.map_or("", |one| one.name)),
    }
}

/// What `ImplementationSpecific` means is its implementation's to say.
fn by_implementation(own: &str, asked: &str, product: &str) -> Option<bool> {
    match product {
        "AWS Load Balancer Controller" | "Google Cloud Load Balancing" => Some(
            own.strip_suffix('*')
                .map_or(own == asked, |prefix| asked.starts_with(prefix)),
        ),
        "Azure Application Gateway" => Some(
            own.strip_suffix('*')
                .map_or(own == asked, |prefix| asked.starts_with(prefix)),
        ),
        "Kong" => match own.strip_prefix("/~") {
            Some(expression) => {
                let regex = regex_lite::Regex::new(&format!("^(?:{expression})")).ok()?;
                Some(regex.is_match(asked))
            }
            None => Some(asked.starts_with(own)),
        },
        "ingress-nginx"
        | "F5 NGINX Ingress Controller"
        | "Traefik"
        | "HAProxy Ingress"
        | "HAProxy Kubernetes Ingress Controller"
        | "Contour" => Some(asked.starts_with(own)),
        // Most read it as a prefix; only where both readings agree it is certain.
        _ => match (is_prefix(own, asked), asked.starts_with(own)) {
            (true, true) => Some(true),
            (false, false) => Some(false),
            _ => None,
        },
    }
}

fn is_canary(ingress: &Ingress) -> bool {
    annotation(ingress, &format!("{NGINX}canary")) == Some("true")
}

/// Whether paths are regular expressions: a rewrite makes them so, too.
fn uses_regex(ingress: &Ingress) -> bool {
    annotation(ingress, &format!("{NGINX}use-regex")) == Some("true")
        || annotation(ingress, &format!("{NGINX}rewrite-target")).is_some()
}

/// An annotation of an Ingress.
#[must_use]
pub fn annotation<'i>(ingress: &'i Ingress, name: &str) -> Option<&'i str> {
    let all = ingress.metadata.annotations.as_ref()?;
    all.get(name).map(String::as_str)
}

/// Annotations that decide where requests go and that only their controller understands.
const DECIDING: [&str; 16] = [
    "nginx.ingress.kubernetes.io/configuration-snippet",
    "nginx.ingress.kubernetes.io/server-snippet",
    "nginx.org/server-snippets",
    "nginx.org/location-snippets",
    "nginx.org/rewrites",
    "haproxy.org/backend-config-snippet",
    "haproxy.org/route-acl",
    "haproxy-ingress.github.io/config-backend",
    "traefik.ingress.kubernetes.io/router.middlewares",
    "traefik.ingress.kubernetes.io/router.rule",
    "konghq.com/plugins",
    "konghq.com/override",
    "konghq.com/rewrite",
    "konghq.com/methods",
    "appgw.ingress.kubernetes.io/rewrite-rule-set",
    "appgw.ingress.kubernetes.io/override-frontend-port",
];
const DECIDING_PREFIXES: [&str; 3] = [
    "alb.ingress.kubernetes.io/actions.",
    "alb.ingress.kubernetes.io/conditions.",
    "konghq.com/headers.",
];

/// The annotations of an Ingress that decide where requests go and are not understood here.
#[must_use]
pub fn not_understood(ingress: &Ingress) -> Vec<&str> {
    let all = ingress.metadata.annotations.iter().flatten();
    let names = all.map(|(name, _)| name.as_str());
    names
        .filter(|name| {
            DECIDING.contains(name)
                || DECIDING_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        })
        .collect()
}

/// Where an Ingress sends clients instead of serving them, if it does.
#[must_use]
pub fn redirect(ingress: &Ingress) -> Option<&str> {
    ["permanent-redirect", "temporal-redirect"]
        .iter()
        .find_map(|name| annotation(ingress, &format!("{NGINX}{name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::products::product;
    use super::*;

    fn ingress(name: &str, annotations: &serde_json::Value, kind: &str, paths: &[&str]) -> Ingress {
        let paths: Vec<_> = paths
            .iter()
            .map(|path| json!({"path": path, "pathType": kind, "backend": {"service": {"name": name, "port": {"number": 80}}}}))
            .collect();
        let object = json!({
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
            "spec": {"rules": [{"host": "a.example", "http": {"paths": paths}}]},
        });
        serde_json::from_value(object).unwrap()
    }

    fn taken(ingresses: &[Ingress], path: &str, controller: &str) -> Vec<(String, Option<u32>)> {
        let all: Vec<&Ingress> = ingresses.iter().collect();
        let request = HttpRequest {
            host: Some("a.example".to_owned()),
            ..HttpRequest::of_path(path)
        };
        let found = routes(&all, Some(&request), product(Some(controller), None)).found;
        found
            .into_iter()
            .map(|route| (route.shown, route.percent))
            .collect()
    }

    #[test]
    fn the_longest_path_of_all_ingresses_takes_the_request() {
        let all = [
            ingress("web", &json!({}), "Prefix", &["/"]),
            ingress("cart", &json!({}), "Prefix", &["/cart"]),
            ingress("exact", &json!({}), "Exact", &["/cart"]),
        ];
        for (path, expected) in [
            ("/", "a.example/"),
            ("/cartoon", "a.example/"),
            ("/cart/1", "a.example/cart"),
        ] {
            assert_eq!(
                taken(&all, path, "k8s.io/ingress-nginx"),
                [(expected.to_owned(), None)],
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_specific_to_an_implementation_is_read_as_it_reads_it() {
        for (controller, own, path, expected) in [
            ("k8s.io/ingress-nginx", "/ca", "/cart", 1),
            ("ingress.k8s.aws/alb", "/cart/*", "/cart/1", 1),
            ("ingress.k8s.aws/alb", "/cart", "/cart/1", 0),
            (
                "ingress-controllers.konghq.com/kong",
                "/~/v[0-9]+$",
                "/v1",
                1,
            ),
            ("unknown.example/controller", "/cart", "/cart/1", 1),
            ("unknown.example/controller", "/ca", "/cart", 0),
        ] {
            let all = [ingress("web", &json!({}), "ImplementationSpecific", &[own])];
            assert_eq!(
                taken(&all, path, controller).len(),
                expected,
                "{controller} {own} {path}"
            );
        }
    }

    #[test]
    fn a_rewrite_makes_expressions_of_paths() {
        let rewrite = json!({"nginx.ingress.kubernetes.io/rewrite-target": "/$2"});
        let all = [ingress(
            "web",
            &rewrite,
            "ImplementationSpecific",
            &["/app(/|$)(.*)"],
        )];
        assert_eq!(taken(&all, "/app/x", "k8s.io/ingress-nginx").len(), 1);
        assert_eq!(taken(&all, "/apple", "k8s.io/ingress-nginx").len(), 0);
    }

    #[test]
    fn a_canary_takes_its_part() {
        let canary = json!({"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "10"});
        let all = [
            ingress("web", &json!({}), "Prefix", &["/"]),
            ingress("next", &canary, "Prefix", &["/"]),
        ];
        let parts: Vec<_> = taken(&all, "/", "k8s.io/ingress-nginx")
            .into_iter()
            .map(|(_, part)| part)
            .collect();
        assert_eq!(parts, [Some(90), Some(10)]);
    }
}
