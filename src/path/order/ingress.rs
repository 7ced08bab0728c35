//! Stage `ingress`: who serves an Ingress, and where its rules lead.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressClass};

use crate::cluster::access::{EndpointExt, ServiceExt, host_matches};
use crate::cluster::{ClusterView, Named, ObjectRef, Pod};
use crate::path::context::{Leg, Walker};
use crate::path::stages::endpoints;
use crate::path::stages::service::{self, Asked, Chosen};
use crate::path::{Break, Hop, IngressTrouble, Mode, Path, Stage, Status};
use crate::resolve::{Place, Site};
use crate::target::PortSpec;
use crate::text::list;

/// The annotation of old, still read by most controllers.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Marks the class of Ingresses that name none.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// One rule of an Ingress that takes the request.
struct Route<'v> {
    backend: &'v IngressBackend,
    /// `spec.rules[0].http.paths[1]`
    field: String,
    /// `shop.example/cart`
    shown: String,
}

/// To the backends of an Ingress: first who serves it, then from its controller on.
pub(super) fn to_ingress<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    ingress: &'v Ingress,
    paths: &mut Vec<Path<'v>>,
) {
    leg.mode = Mode::OutsideToService;
    let view = walker.view;
    let reference = reference(ingress);
    let class = class_name(view, ingress);
    let controller = class
        .as_deref()
        .and_then(|class| view.ingress_classes.get("", class));
    let pods = controller_pods(view, ingress);
    let hop = |status, text: String| Hop::new(Stage::Ingress, status, text).at(reference.clone());
    match (&class, controller) {
        (Some(class), Some(object)) => {
            let controller = object
                .spec
                .as_ref()
                .and_then(|spec| spec.controller.as_deref())
                .unwrap_or("?");
            let addresses = addresses(ingress).join(", ");
            let at = if addresses.is_empty() {
                String::new()
            } else {
                format!(", at {addresses}")
            };
            leg.trail.push(hop(
                Status::Pass,
                format!("class {class}, served by {controller}{at}"),
            ));
        }
        (Some(class), None) if is_served_by_annotation(ingress) => {
            leg.trail.push(hop(
                Status::Pass,
                format!(
                    "class {class} by annotation, at {}",
                    addresses(ingress).join(", ")
                ),
            ));
        }
        (class, _) => {
            let text = class.as_ref().map_or_else(
                || "no ingressClassName, and no class is the default".to_owned(),
                |class| format!("no IngressClass {class}: no controller takes it"),
            );
            let trouble = IngressTrouble::NoController {
                ingress,
                class: class.clone(),
            };
            leg.trail
                .stop(hop(Status::Fail, text), Break::Ingress(trouble));
        }
    }
    let silent = controller_service(view, ingress).filter(|service| leads_nowhere(view, service));
    if let Some(service) = silent {
        let text = format!("{}: no pod of the controller is ready", service.reference());
        let trouble = IngressTrouble::ControllerDown { ingress, service };
        leg.trail
            .stop(hop(Status::Fail, text), Break::Ingress(trouble));
    }
    let request = request(walker);
    if let Some((host, _)) = &request {
        elsewhere(walker, &mut leg, ingress, host);
    }
    let routes = routes(ingress, request.as_ref());
    if let (Some((host, path)), true) = (request, routes.is_empty()) {
        let text = format!("no rule for {host}{path}");
        let trouble = IngressTrouble::NoRule {
            ingress,
            host,
            path,
        };
        leg.trail
            .stop(hop(Status::Fail, text), Break::Ingress(trouble));
        return paths.push(leg.end(None));
    }
    for route in routes {
        to_backend(walker, &leg, ingress, &route, &pods, paths);
    }
}

/// Host and path of the URL that was asked.
fn request(walker: &Walker<'_, '_>) -> Option<(String, String)> {
    let destination = &walker.flow.destination;
    let url = destination.url.as_ref()?;
    let Place::Name(host) = &destination.place else {
        return None;
    };
    let path = if url.path.is_empty() { "/" } else { &url.path };
    Some((host.clone(), path.to_owned()))
}

/// Whether the name was seen to lead to none of the addresses that the controller has noted. It may be a
/// proxy in front; it may be a record that was forgotten.
fn elsewhere<'v>(walker: &Walker<'_, 'v>, leg: &mut Leg<'_, 'v>, ingress: &'v Ingress, host: &str) {
    let found = walker.flow.addresses_of(host);
    let noted = addresses(ingress);
    let noted: Vec<IpAddr> = noted.iter().filter_map(|text| text.parse().ok()).collect();
    if found.is_empty() || noted.is_empty() || found.iter().any(|addr| noted.contains(addr)) {
        return;
    }
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    let text = format!("{host} resolves to {}", list(&shown));
    let hop = Hop::new(Stage::Ingress, Status::Warn, text).at(reference(ingress));
    let trouble = IngressTrouble::Elsewhere {
        ingress,
        host: host.to_owned(),
        found: found.to_vec(),
    };
    leg.trail.warn(hop, Break::Ingress(trouble));
}

fn to_backend<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    ingress: &'v Ingress,
    route: &Route<'v>,
    controllers: &[&'v Pod],
    paths: &mut Vec<Path<'v>>,
) {
    let mut leg = leg.clone();
    let Some(backend) = &route.backend.service else {
        let text = format!("{}: the backend is no Service", route.shown);
        leg.trail
            .push(Hop::new(Stage::Service, Status::Unknown, text));
        return paths.push(leg.end(None));
    };
    let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
    let port = backend
        .port
        .as_ref()
        .and_then(|port| match (&port.name, port.number) {
            (Some(name), _) => Some(PortSpec::Name(name.clone())),
            (None, Some(number)) => u16::try_from(number).ok().map(PortSpec::Number),
            (None, None) => None,
        });
    let missing = |text: String, leg: &mut Leg<'_, 'v>| {
        let hop = Hop::new(Stage::Service, Status::Fail, text).at(reference(ingress));
        let trouble = IngressTrouble::NoBackend {
            ingress,
            field: route.field.clone(),
            service: backend.name.clone(),
            port: port.as_ref().map(ToString::to_string),
        };
        leg.trail.stop(hop, Break::Ingress(trouble));
    };
    let Some(service) = walker.view.services.get(namespace, &backend.name) else {
        missing(
            format!(
                "{} leads to Service {}, which does not exist",
                route.shown, backend.name
            ),
            &mut leg,
        );
        return paths.push(leg.end(None));
    };
    let asked = Asked {
        port: port.as_ref(),
        protocol: None,
    };
    let before = leg.trail.clone();
    let Some(chosen) = service::step(service, asked, &mut leg.trail) else {
        leg.trail = before;
        let shown = port.as_ref().map_or_else(String::new, ToString::to_string);
        missing(
            format!(
                "{} leads to port {shown} of Service {}, which it lacks",
                route.shown, backend.name
            ),
            &mut leg,
        );
        return paths.push(leg.end(None));
    };
    if let Some(hop) = leg.trail.hops.last_mut() {
        hop.summary = format!("{} → {}, {}", route.shown, service.reference(), hop.summary);
    }
    go_on(walker, &leg, service, chosen, controllers, paths);
}

/// Controllers send to the endpoints themselves: their pods are the source from here on.
fn go_on<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    service: &'v Service,
    chosen: Chosen<'v>,
    controllers: &[&'v Pod],
    paths: &mut Vec<Path<'v>>,
) {
    if controllers.is_empty() {
        return walker.through_service(leg, service, None, chosen, paths);
    }
    let sites: Vec<Site<'v>> = controllers.iter().copied().map(Site::Pod).collect();
    for alike in super::group::sites(walker.view, walker.nodes, &sites) {
        let leg = Leg {
            sites: &alike,
            ..leg.clone()
        };
        walker.through_service(&leg, service, None, chosen, paths);
    }
}

/// Names an Ingress.
pub(crate) fn reference(ingress: &Ingress) -> ObjectRef {
    ObjectRef::new("Ingress", ingress.namespace(), ingress.name())
}

/// The class an Ingress has: named, annotated, or the default one.
pub(crate) fn class_name(view: &ClusterView, ingress: &Ingress) -> Option<String> {
    let named = ingress
        .spec
        .as_ref()
        .and_then(|spec| spec.ingress_class_name.clone());
    let annotated = || {
        ingress
            .metadata
            .annotations
            .as_ref()?
            .get(CLASS_ANNOTATION)
            .cloned()
    };
    let default = || {
        let is_default = |class: &&IngressClass| {
            let annotations = class.metadata.annotations.as_ref();
            annotations
                .and_then(|all| all.get(DEFAULT_CLASS))
                .is_some_and(|value| value == "true")
        };
        let class = view.ingress_classes.iter().find(is_default)?;
        Some(class.name().to_owned())
    };
    named.or_else(annotated).or_else(default)
}

/// A class by annotation needs no IngressClass object; an address shows that somebody took it.
fn is_served_by_annotation(ingress: &Ingress) -> bool {
    let annotations = ingress.metadata.annotations.as_ref();
    annotations.is_some_and(|all| all.contains_key(CLASS_ANNOTATION))
        && !addresses(ingress).is_empty()
}

/// The addresses a controller wrote into the status.
pub(crate) fn addresses(ingress: &Ingress) -> Vec<String> {
    let status = ingress.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let entries = balancer.and_then(|balancer| balancer.ingress.as_deref());
    entries
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.ip.clone().or_else(|| entry.hostname.clone()))
        .collect()
}

/// The Service whose address the Ingress shows.
fn controller_service<'v>(view: &'v ClusterView, ingress: &Ingress) -> Option<&'v Service> {
    let shown = addresses(ingress);
    view.services.iter().find(|service| {
        let mut own = service.ingress_addresses();
        own.extend(service.cluster_ips().iter().map(ToString::to_string));
        own.iter().any(|addr| shown.contains(addr))
    })
}

/// Whether the slices of a Service were read and hold nothing ready. Where none was read, nobody knows.
fn leads_nowhere(view: &ClusterView, service: &Service) -> bool {
    let mut own = endpoints::slices(view, service).peekable();
    own.peek().is_some()
        && own
            .flat_map(|slice| slice.endpoints.iter().flatten())
            .all(|endpoint| !endpoint.is_ready())
}

/// The pods behind that Service which can serve.
fn controller_pods<'v>(view: &'v ClusterView, ingress: &Ingress) -> Vec<&'v Pod> {
    let Some(service) = controller_service(view, ingress) else {
        return Vec::new();
    };
    let pods = endpoints::selected(view, service);
    pods.filter(|pod| pod.is_ready()).collect()
}

/// The rules that take a request; without one, all of them.
fn routes<'v>(ingress: &'v Ingress, request: Option<&(String, String)>) -> Vec<Route<'v>> {
    let Some(spec) = &ingress.spec else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (rule_index, rule) in spec.rules.iter().flatten().enumerate() {
        let host = rule.host.as_deref().unwrap_or_default();
        if request.is_some_and(|(asked, _)| !host_matches(host, asked)) {
            continue;
        }
        let paths = rule
            .http
            .as_ref()
            .map(|http| http.paths.as_slice())
            .unwrap_or_default();
        let mut fitting: Vec<(usize, &HTTPIngressPath)> = paths
            .iter()
            .enumerate()
            .filter(|(_, path)| request.is_none_or(|(_, asked)| path_matches(path, asked)))
            .collect();
        if request.is_some() {
            // The longest path wins, Exact before Prefix of the same length (Ingress specification).
            fitting.sort_by_key(|(_, path)| {
                std::cmp::Reverse((
                    path.path.as_ref().map_or(0, String::len),
                    path.path_type == "Exact",
                ))
            });
            fitting.truncate(1);
        }
        found.extend(fitting.into_iter().map(|(path_index, path)| Route {
            backend: &path.backend,
            field: format!("spec.rules[{rule_index}].http.paths[{path_index}]"),
            shown: format!(
                "{}{}",
                if host.is_empty() { "*" } else { host },
                path.path.as_deref().unwrap_or("/")
            ),
        }));
    }
    if let (true, Some(backend)) = (found.is_empty(), &spec.default_backend) {
        found.push(Route {
            backend,
            field: "spec.defaultBackend".to_owned(),
            shown: "default backend".to_owned(),
        });
    }
    found
}

/// Prefix matches element by element; what ImplementationSpecific does is read as a prefix.
fn path_matches(path: &HTTPIngressPath, asked: &str) -> bool {
    let asked = asked.split(['?', '#']).next().unwrap_or_default();
    let own = path.path.as_deref().unwrap_or("/");
    if path.path_type.as_str() == "Exact" {
        own == asked
    } else {
        let own = own.trim_end_matches('/');
        asked
            .strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_the_specification_says() {
        for (kind, own, asked, expected) in [
            ("Exact", "/a", "/a", true),
            ("Exact", "/a", "/a/", false),
            ("Prefix", "/", "/any/thing", true),
            ("Prefix", "/a", "/a/b", true),
            ("Prefix", "/a", "/ab", false),
            ("Prefix", "/a/", "/a", true),
            ("Prefix", "/a", "/a?x=1", true),
        ] {
            let path = HTTPIngressPath {
                path: Some(own.to_owned()),
                path_type: kind.to_owned(),
                ..HTTPIngressPath::default()
            };
            assert_eq!(path_matches(&path, asked), expected, "{kind} {own} {asked}");
        }
    }
}
