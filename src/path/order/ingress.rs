//! Stage `ingress`: who serves an Ingress, and where its rules lead.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use super::door::front::{self, Knock};
use super::door::ingress_rule::{self, IngressRoute, annotation};
use super::door::plane::{Plane, argument};
use super::door::products::Product;
use crate::cluster::access::{ServiceExt, ServiceKind};
use crate::cluster::{ClusterView, Named, ObjectRef, Resource};
use crate::gateway::HttpRequest;
use crate::net::Protocol;
use crate::path::context::{Leg, Walker};
use crate::path::stages::group;
use crate::path::stages::service::{self, Chosen, PortRequest};
use crate::path::{Break, Hop, IngressTrouble, Mode, Path, Stage, Status};
use crate::resolve::Site;
use crate::target::PortSpec;
use crate::text::list;

/// The annotation of old, still read by most controllers.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Marks the class of Ingresses that name none.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// To the backends of an Ingress: first who serves it, then from its proxies on.
pub(super) fn to_ingress<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    ingress: &'v Ingress,
    paths: &mut Vec<Path<'v>>,
) {
    leg.mode = Mode::OutsideToService;
    let request = walker.flow.destination.request();
    through(walker, leg, &[ingress], request.as_ref(), paths);
}

/// To the Ingresses that name a host: those of one class are merged by their controller, and each class
/// is a door of its own.
pub(super) fn to_host<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    request: &HttpRequest,
) -> Vec<Vec<Path<'v>>> {
    let host = request.host.as_deref().unwrap_or_default();
    let mut by_class: BTreeMap<Option<String>, Vec<&'v Ingress>> = BTreeMap::new();
    for ingress in walker.view.ingresses_of(host) {
        let class = class_name(walker.view, ingress);
        by_class.entry(class).or_default().push(ingress);
    }
    let doors = by_class.into_values().map(|ingresses| {
        let mut paths = Vec::new();
        let mut leg = leg.clone();
        leg.mode = Mode::OutsideToService;
        through(walker, leg, &ingresses, Some(request), &mut paths);
        paths
    });
    doors.collect()
}

/// Through the controller of some Ingresses of one class.
fn through<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    ingresses: &[&'v Ingress],
    request: Option<&HttpRequest>,
    paths: &mut Vec<Path<'v>>,
) {
    let Some(first) = ingresses.first().copied() else {
        return;
    };
    let plane = Plane::of_ingress(walker.view, first);
    let routes = ingress_rule::routes(ingresses, request, plane.product);
    let of = routes.found.first().map_or(first, |route| route.ingress);
    let object = reference(of);
    served(walker, &mut leg, of, &plane);
    let is_served = leg.trail.hops.iter().all(|hop| hop.status != Status::Fail);
    if is_served {
        let knock = Knock {
            door: object.clone(),
            port: walked_port(walker, request),
            protocol: Protocol::Tcp,
        };
        front::pass(walker, &mut leg, &plane, &knock);
    }
    let asked = request.and_then(|request| request.host.as_deref());
    if let Some(host) = asked {
        elsewhere(walker, &mut leg, of, host);
    }
    let odd = ingress_rule::not_understood(of);
    if !odd.is_empty() {
        let text = format!(
            "annotation {} decides where requests go, and only its controller understands it",
            list(&odd)
        );
        leg.trail
            .push(Hop::new(Stage::Ingress, Status::Unknown, text).at(object.clone()));
    }
    for why in &routes.unknown {
        leg.trail
            .push(Hop::new(Stage::Ingress, Status::Unknown, why.clone()).at(object.clone()));
    }
    if let Some(to) = ingress_rule::redirect(of).filter(|_| request.is_some()) {
        let text = format!("answers with a redirect to {to}");
        leg.trail
            .push(Hop::new(Stage::Ingress, Status::Pass, text).at(object));
        return paths.push(leg.end(None));
    }
    if routes.found.is_empty() {
        if let Some(request) = request.filter(|_| routes.unknown.is_empty()) {
            let host = request.host.clone().unwrap_or_else(|| "*".to_owned());
            let text = format!("no rule for {host}{}", request.path);
            let trouble = IngressTrouble::NoRule {
                ingress: of,
                host,
                path: request.path.clone(),
            };
            let hop = Hop::new(Stage::Ingress, Status::Fail, text).at(object);
            leg.trail.stop(hop, Break::Ingress(trouble));
        }
        return paths.push(leg.end(None));
    }
    for route in &routes.found {
        to_backend(walker, &leg, route, &plane, paths);
    }
}

/// The port a client asks: that of the URL.
fn walked_port(walker: &Walker<'_, '_>, request: Option<&HttpRequest>) -> Option<u16> {
    match (
        &walker.flow.destination.port,
        request.and_then(|request| request.scheme.as_deref()),
    ) {
        (Some(PortSpec::Number(port)), _) => Some(*port),
        (_, Some("https" | "wss")) => Some(443),
        _ => None,
    }
}

/// Adds the hop of the class and its controller.
fn served<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    ingress: &'v Ingress,
    plane: &Plane<'v>,
) {
    let view = walker.view;
    let class = class_name(view, ingress);
    let object = class
        .as_deref()
        .and_then(|class| view.ingress_classes.get("", class));
    let hop = |status, text: String| Hop::new(Stage::Ingress, status, text).at(reference(ingress));
    let at = front::at(&plane.addresses);
    // An address shows that somebody took it, whatever names its class.
    let is_taken = !plane.addresses.is_empty();
    let none = || {
        Break::Ingress(IngressTrouble::NoController {
            ingress,
            class: class.clone(),
        })
    };
    match (&class, object) {
        (Some(name), Some(_)) if !is_taken && is_late(view, ingress) => {
            match takes_late(view, plane) {
                Some(false) => {
                    let text = format!(
                        "it sets no class, and class {name} became the default after it was created"
                    );
                    leg.trail.stop(hop(Status::Fail, text), none());
                }
                Some(true) => leg.trail.push(hop(
                    Status::Pass,
                    format!("no class, taken by {}", product_name(plane)),
                )),
                None => {
                    let text = format!(
                        "it sets no class; whether the controller of {name} serves it anyway is unknown"
                    );
                    leg.trail.push(hop(Status::Unknown, text));
                }
            }
        }
        (Some(name), Some(object)) => {
            let controller = object
                .spec
                .as_ref()
                .and_then(|spec| spec.controller.as_deref())
                .unwrap_or("?");
            leg.trail.push(hop(
                Status::Pass,
                format!("class {name}, served by {controller}{at}"),
            ));
        }
        (Some(name), None) if is_taken => {
            leg.trail
                .push(hop(Status::Pass, format!("class {name}{at}")));
        }
        (None, _) if is_taken => leg.trail.push(hop(Status::Pass, format!("no class{at}"))),
        (class, _) if !view.holds_all(Resource::IngressClasses, "") => {
            let text = class.as_ref().map_or_else(
                || "it sets no class, and IngressClasses were not read".to_owned(),
                |class| format!("IngressClass {class} was not read"),
            );
            leg.trail.push(hop(Status::Unknown, text));
        }
        (class, _) => {
            let text = class.as_ref().map_or_else(
                || "no ingressClassName, and no class is the default".to_owned(),
                |class| format!("no IngressClass {class}: no controller serves it"),
            );
            leg.trail.stop(hop(Status::Fail, text), none());
        }
    }
}

/// Whether an Ingress that runs has no class of its own: the API server writes the default one into it
/// when it is made (admission plugin DefaultIngressClass), so that one without was made before.
fn is_late(view: &ClusterView, ingress: &Ingress) -> bool {
    let has_own = ingress
        .spec
        .as_ref()
        .is_some_and(|spec| spec.ingress_class_name.is_some());
    !view.is_planned() && !has_own && annotation(ingress, CLASS_ANNOTATION).is_none()
}

/// Whether a controller takes Ingresses without a class; none where nobody here knows.
fn takes_late(view: &ClusterView, plane: &Plane<'_>) -> Option<bool> {
    let said = |name: &str| plane.pods.iter().find_map(|pod| argument(pod, name));
    match product_name(plane) {
        "ingress-nginx" if plane.pods.is_empty() => None,
        "ingress-nginx" | "HAProxy Ingress" => {
            Some(said("--watch-ingress-without-class") == Some("true"))
        }
        "F5 NGINX Ingress Controller" => Some(false),
        "Traefik" | "Contour" => Some(said("--ingress-class-name").is_none()),
        // It takes them where its class is the default.
        "Kong" => Some(view.ingress_classes.iter().any(is_default)),
        _ => None,
    }
}

fn product_name(plane: &Plane<'_>) -> &'static str {
    plane.product.map_or("", |product| product.name)
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
    route: &IngressRoute<'v>,
    plane: &Plane<'v>,
    paths: &mut Vec<Path<'v>>,
) {
    let mut leg = leg.clone();
    let ingress = route.ingress;
    let Some(backend) = &route.backend.service else {
        let text = format!("{}: the backend is not a Service", route.shown);
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
    let part = route
        .percent
        .map_or_else(String::new, |percent| format!("{percent} % to "));
    let Some(service) = walker.view.services.get(namespace, &backend.name) else {
        let text = format!("{} routes to Service {}", route.shown, backend.name);
        if walker.view.holds_all(Resource::Services, namespace)
            || walker.view.unread(Resource::Services, namespace).is_none()
        {
            missing(format!("{text}, which does not exist"), &mut leg);
        } else {
            leg.trail.push(Hop::new(
                Stage::Service,
                Status::Unknown,
                format!("{text}, which was not read"),
            ));
        }
        return paths.push(leg.end(None));
    };
    if service.service_kind() == ServiceKind::ExternalName {
        return to_external_name(walker, leg, (route, service, port.as_ref()), plane, paths);
    }
    let asked = PortRequest {
        port: port.as_ref(),
        protocol: None,
    };
    let before = leg.trail.clone();
    let Some(chosen) = service::step(walker.view, service, asked, &mut leg.trail) else {
        leg.trail = before;
        let shown = port.as_ref().map_or_else(String::new, ToString::to_string);
        missing(
            format!(
                "{} routes to port {shown} of Service {}, which does not exist",
                route.shown, backend.name
            ),
            &mut leg,
        );
        return paths.push(leg.end(None));
    };
    if let Some(hop) = leg.trail.hops.last_mut() {
        hop.summary = format!(
            "{} → {part}{}, {}",
            route.shown,
            service.reference(),
            hop.summary
        );
    }
    if plane.is_cloud() && by_node_port(ingress, service, plane) {
        let number = PortSpec::Number(chosen.number);
        let asked = PortRequest {
            port: Some(&number),
            protocol: Some(chosen.protocol),
        };
        leg.trail.hops.pop();
        let sites = [Site::Outside(None)];
        let leg = Leg {
            sites: &sites,
            ..leg.clone()
        };
        return super::entry::to_service(walker, leg, service, None, asked, paths);
    }
    go_on(walker, &leg, service, chosen, plane, paths);
}

/// Whether a cloud's load balancer sends to node ports and not to pods: the AWS one unless it is told
/// otherwise, Google's without network endpoint groups.
fn by_node_port(ingress: &Ingress, service: &Service, plane: &Plane<'_>) -> bool {
    let has_node_port = service
        .ports()
        .iter()
        .any(|port| port.node_port.is_some_and(|port| port > 0));
    match product_name(plane) {
        "AWS Load Balancer Controller" => {
            annotation(ingress, "alb.ingress.kubernetes.io/target-type") != Some("ip")
        }
        "Google Cloud Load Balancing" => {
            let annotations = service.metadata.annotations.as_ref();
            let groups = annotations.and_then(|all| all.get("cloud.google.com/neg"));
            has_node_port && groups.is_none()
        }
        _ => false,
    }
}

/// A name in place of endpoints: ingress-nginx looks it up itself; others do, or refuse to.
fn to_external_name<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    (route, service, port): (&IngressRoute<'v>, &'v Service, Option<&PortSpec>),
    plane: &Plane<'v>,
    paths: &mut Vec<Path<'v>>,
) {
    let name = service
        .spec
        .as_ref()
        .and_then(|spec| spec.external_name.as_deref())
        .unwrap_or_default();
    let resolves = matches!(
        product_name(plane),
        "ingress-nginx" | "Contour" | "Kong" | "HAProxy Kubernetes Ingress Controller"
    );
    let text = format!(
        "{} → {}, ExternalName {name}",
        route.shown,
        service.reference()
    );
    let hop = |status, text: String| Hop::new(Stage::Service, status, text).at(service.reference());
    if !resolves {
        let text = format!("{text}: whether its controller looks it up is not known");
        leg.trail.push(hop(Status::Unknown, text));
        return paths.push(leg.end(None));
    }
    leg.trail.push(hop(Status::Pass, text));
    let mut labels = name.split('.');
    let (target, namespace) = (
        labels.next().unwrap_or_default(),
        labels.next().unwrap_or_default(),
    );
    let inner = (labels.next() == Some("svc"))
        .then(|| walker.view.services.get(namespace, target))
        .flatten();
    let asked = PortRequest {
        port,
        protocol: None,
    };
    match inner.and_then(|inner| {
        Some((
            inner,
            service::step(walker.view, inner, asked, &mut leg.trail)?,
        ))
    }) {
        Some((inner, chosen)) => go_on(walker, &leg, inner, chosen, plane, paths),
        None => paths.push(leg.end(None)),
    }
}

/// Proxies send to the endpoints themselves: they are the source from here on.
pub(super) fn go_on<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    service: &'v Service,
    chosen: Chosen<'v>,
    plane: &Plane<'v>,
    paths: &mut Vec<Path<'v>>,
) {
    let start = paths.len();
    let sites = front::sites(plane);
    if sites.is_empty() {
        // Somebody outside, or nobody that was found.
        let sites = [Site::Outside(None)];
        let leg = Leg {
            sites: &sites,
            ..leg.clone()
        };
        walker.through_service(&leg, service, None, chosen, paths);
    }
    for alike in group::sites(walker.view, walker.nodes, &sites) {
        let leg = Leg {
            sites: &alike,
            ..leg.clone()
        };
        walker.through_service(&leg, service, None, chosen, paths);
    }
    let is_certain = !sites.is_empty() && !plane.product.is_some_and(Product::has_own_identity);
    if !is_certain {
        paths[start..].iter_mut().for_each(leave_open);
    }
}

/// Policies judge who asks: where that is not known, or is an identity that no policy here speaks of,
/// nobody knows what they say.
fn leave_open(path: &mut Path<'_>) {
    let is_policy = |stage| matches!(stage, Stage::EgressPolicy | Stage::IngressPolicy);
    for hop in path
        .hops
        .iter_mut()
        .filter(|hop| is_policy(hop.stage) && hop.status == Status::Fail)
    {
        hop.status = Status::Unknown;
        hop.summary = format!("{}; as whom the proxy asks is not known", hop.summary);
    }
    path.breaks.retain(|seen| !matches!(seen, Break::Policy(_)));
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
        let class = view
            .ingress_classes
            .iter()
            .find(|class| is_default(class))?;
        Some(class.name().to_owned())
    };
    named.or_else(annotated).or_else(default)
}

fn is_default(class: &IngressClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(DEFAULT_CLASS))
        .is_some_and(|value| value == "true")
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
