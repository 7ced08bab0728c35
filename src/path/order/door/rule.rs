//! The rule of a route that takes a request: what it does with it, and where its backends are.

use k8s_openapi::api::core::v1::Service;

use super::backend_tls;
use super::front::{self, Knock};
use super::plane::Plane;
use crate::cluster::access::{ServiceExt, ServiceKind};
use crate::cluster::gateway_api::{
    BackendRef, Filter, Gateway, MethodMatch, Route, RouteKind, Rule,
};
use crate::cluster::{ClusterView, Named, ObjectRef};
use crate::gateway::listener::{Slot, reference};
use crate::gateway::matching::{Choice, Taken};
use crate::gateway::{BackendTrouble, Target, target};
use crate::net::Protocol;
use crate::path::context::{Leg, Walker};
use crate::path::order::ingress::go_on;
use crate::path::stages::service::{self, PortRequest};
use crate::path::{Break, DoorTrouble, Hop, Outcome, Path, Share, Stage, Status};
use crate::target::PortSpec;
use crate::text::list;

/// The way to a rule: by which listener of which Gateway, through which proxies.
#[derive(Debug, Clone)]
pub struct Way<'v> {
    pub gateway: ObjectRef,
    pub listener: String,
    pub plane: Plane<'v>,
    /// Whether TLS ends at the listener.
    pub ends_tls: bool,
}

/// A route, with its kind, and one of its rules, with its place among them.
pub type RuleOf<'v> = ((RouteKind, &'v Route), (usize, &'v Rule));

/// What is wrong with a listener, if something is.
pub fn slot_trouble<'v>(slot: &Slot<'v>, is_part: bool) -> Option<Break<'v>> {
    Some(Break::Door(Box::new(DoorTrouble::Listener {
        owner: slot.owner.clone(),
        field: slot.field.clone(),
        name: slot.listener.name.clone(),
        trouble: slot.trouble.clone()?,
        is_part,
    })))
}

/// The backends of a rule that cannot be used.
pub fn bad_backends<'v>(
    view: &ClusterView,
    (kind, route): (RouteKind, &Route),
    index: usize,
    rule: &Rule,
) -> Vec<Break<'v>> {
    let weights = weights(rule);
    let all = rule.backend_refs.iter().enumerate();
    all.filter_map(|(position, backend)| {
        let Target::Invalid { to, why } = target(view, (kind, route.namespace()), backend) else {
            return None;
        };
        Some(bad_backend(
            (kind, route),
            (index, position),
            (to, why),
            share(backend, weights),
        ))
    })
    .collect()
}

/// Goes on to the rule that takes a request; or says that none does.
pub fn to_choice<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    way: &Way<'v>,
    (door, asked, choice, near): (&ObjectRef, String, &Choice<'v>, Vec<String>),
    paths: &mut Vec<Path<'v>>,
) {
    let hop = |status, text: String| Hop::new(Stage::Gateway, status, text).at(door.clone());
    for why in &choice.unknown {
        leg.trail.push(hop(Status::Unknown, why.clone()));
    }
    if let Some(taken) = &choice.taken {
        let rule = ((taken.kind, taken.route), (taken.index, taken.rule));
        return to_rule(walker, &leg, way, rule, paths);
    }
    if choice.unknown.is_empty() {
        let trouble = DoorTrouble::NoRule {
            door: door.clone(),
            asked: asked.clone(),
            near,
        };
        let text = format!("no rule matches {asked}");
        leg.trail
            .stop(hop(Status::Fail, text), Break::Door(Box::new(trouble)));
    }
    paths.push(leg.end(None));
}

/// Does what a rule says: answers by itself, or goes on to its backends.
pub fn to_rule<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    way: &Way<'v>,
    ((kind, route), (index, rule)): RuleOf<'v>,
    paths: &mut Vec<Path<'v>>,
) {
    let mut leg = leg.clone();
    let object = route.reference(kind);
    let hop = |status, text: String| Hop::new(Stage::Gateway, status, text).at(object.clone());
    let tls = if way.ends_tls { ", TLS ends here" } else { "" };
    let does = does(rule);
    let text = format!(
        "listener {} of {}{tls} → rule {index}{does}",
        way.listener, way.gateway.name
    );
    leg.trail.push(hop(Status::Pass, text));
    if let Some(filter) = rule
        .filters
        .iter()
        .find(|filter| filter.kind == "ExtensionRef")
    {
        let named = filter
            .extension_ref
            .as_ref()
            .map(|to| to.object("?", route.namespace()));
        let named = named.map_or_else(String::new, |named| {
            format!(" {}/{}", named.kind, named.name)
        });
        let text = format!("rule {index} goes through a filter of the implementation's own{named}");
        leg.trail.push(hop(Status::Unknown, text));
    }
    if rule.redirect().is_some() {
        // The client is answered here, and asks again elsewhere.
        return paths.push(leg.end(None));
    }
    let weights = weights(rule);
    if weights == 0 {
        let trouble = DoorTrouble::NoBackends {
            route: object.clone(),
            rule: index,
            is_weightless: !rule.backend_refs.is_empty(),
        };
        let text = format!("rule {index} has no backend to send to");
        leg.trail
            .stop(hop(Status::Fail, text), Break::Door(Box::new(trouble)));
        leg.trail
            .breaks
            .extend(bad_backends(walker.view, (kind, route), index, rule));
        return paths.push(leg.end(None));
    }
    let mut own = Vec::new();
    for (position, backend) in rule.backend_refs.iter().enumerate() {
        if backend.weight() == 0 {
            continue;
        }
        let place = (index, position);
        let mut found = Vec::new();
        to_backend(
            walker,
            &leg,
            way,
            (kind, route),
            place,
            backend,
            share(backend, weights),
            &mut found,
        );
        own.push((place, share(backend, weights), found));
    }
    name_dead_shares(&object, &mut own);
    paths.extend(own.into_iter().flat_map(|(_, _, paths)| paths));
}

/// `GET /cart with header x-beta`
pub fn shown(one: &crate::cluster::gateway_api::Match) -> String {
    let path = one.path.as_ref();
    let kind = path
        .and_then(|path| path.kind.as_deref())
        .unwrap_or("PathPrefix");
    let value = path.and_then(|path| path.value.as_deref()).unwrap_or("/");
    let method = match &one.method {
        Some(MethodMatch::Http(method)) => format!("{method} "),
        _ => String::new(),
    };
    let headers: Vec<&str> = one
        .headers
        .iter()
        .map(|header| header.name.as_str())
        .collect();
    let headers = if headers.is_empty() {
        String::new()
    } else {
        format!(" with header {}", list(&headers))
    };
    format!("{method}{value} ({kind}){headers}")
}

/// What a rule does beside sending requests on: ` redirects to https`, ` (rewrites, mirrors)`.
fn does(rule: &Rule) -> String {
    let words = rule
        .filters
        .iter()
        .filter_map(|filter| match filter.kind.as_str() {
            "RequestRedirect" => {
                let redirect = filter.request_redirect.as_ref();
                let code = redirect.and_then(|one| one.status_code).unwrap_or(302);
                let scheme = redirect.and_then(|one| one.scheme.as_deref());
                let host = redirect.and_then(|one| one.hostname.as_deref());
                let to = [scheme, host]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("://");
                Some(format!(
                    "redirects with {code}{}",
                    if to.is_empty() {
                        String::new()
                    } else {
                        format!(" to {to}")
                    }
                ))
            }
            "URLRewrite" => Some("rewrites".to_owned()),
            "RequestMirror" => {
                let to = filter
                    .request_mirror
                    .as_ref()
                    .map(|one| one.backend_ref.to.name.clone());
                Some(format!("mirrors to {}", to.unwrap_or_default()))
            }
            "RequestHeaderModifier" | "ResponseHeaderModifier" => Some("edits headers".to_owned()),
            "CORS" => Some("answers CORS".to_owned()),
            _ => None,
        });
    let mut words: Vec<String> = words.collect();
    if let Some(timeout) = rule
        .timeouts
        .as_ref()
        .and_then(|one| one.request.clone().or_else(|| one.backend_request.clone()))
    {
        words.push(format!("waits {timeout}"));
    }
    words.dedup();
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", list(&words))
    }
}

/// The sum of the weights of a rule.
fn weights(rule: &Rule) -> u32 {
    rule.backend_refs.iter().map(BackendRef::weight).sum()
}

fn share(backend: &BackendRef, of: u32) -> Share {
    Share {
        weight: backend.weight(),
        of,
    }
}

fn bad_backend<'v>(
    (kind, route): (RouteKind, &Route),
    (index, position): (usize, usize),
    (to, why): (ObjectRef, BackendTrouble),
    share: Share,
) -> Break<'v> {
    Break::Door(Box::new(DoorTrouble::BadBackend {
        route: route.reference(kind),
        field: format!("spec.rules[{index}].backendRefs[{position}]"),
        to,
        why,
        share,
    }))
}

#[expect(clippy::too_many_arguments)]
fn to_backend<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    way: &Way<'v>,
    of: (RouteKind, &'v Route),
    place: (usize, usize),
    backend: &'v BackendRef,
    share: Share,
    paths: &mut Vec<Path<'v>>,
) {
    let mut leg = leg.clone();
    let route = of.1.reference(of.0);
    let part = if share.is_all() {
        String::new()
    } else {
        format!("{} to ", share.words())
    };
    let hop = |status, text: String| Hop::new(Stage::Service, status, text).at(route.clone());
    match target(walker.view, (of.0, of.1.namespace()), backend) {
        Target::Invalid { to, why } => {
            let text = format!("{part}{to}: {}", words(&why));
            let seen = bad_backend(of, place, (to, why), share);
            leg.trail.stop(hop(Status::Fail, text), seen);
            paths.push(leg.end(None));
        }
        Target::Unknown { to, why } => {
            let text = format!("{part}{to}: {why}");
            let group = backend.to.group.clone().unwrap_or_default();
            let unknown = hop(Status::Unknown, text);
            if crate::gateway::backend::is_odd(&group, &to.kind) {
                let field = format!("spec.rules[{}].backendRefs[{}]", place.0, place.1);
                let trouble = DoorTrouble::OddBackend {
                    route: route.clone(),
                    field,
                    to,
                    group,
                };
                leg.trail.doubt(unknown, Break::Door(Box::new(trouble)));
            } else {
                leg.trail.push(unknown);
            }
            paths.push(leg.end(None));
        }
        Target::Service { service, port } => {
            to_service(walker, leg, way, (service, port), &part, paths);
        }
    }
}

/// Why a backend cannot be used, in a few words.
pub fn words(why: &BackendTrouble) -> String {
    match why {
        BackendTrouble::NotPermitted => "no ReferenceGrant permits it".to_owned(),
        BackendTrouble::Missing => "does not exist".to_owned(),
        BackendTrouble::Port(Some(port)) => format!("has no port {port}"),
        BackendTrouble::Port(None) => "no port is set".to_owned(),
        BackendTrouble::Kind => "is not a supported kind of backend".to_owned(),
    }
}

fn to_service<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    way: &Way<'v>,
    (service, port): (&'v Service, u16),
    part: &str,
    paths: &mut Vec<Path<'v>>,
) {
    if service.service_kind() == ServiceKind::ExternalName {
        let text = format!(
            "{part}{}: what an ExternalName means here is the implementation's to say",
            service.reference()
        );
        leg.trail
            .push(Hop::new(Stage::Service, Status::Unknown, text).at(service.reference()));
        return paths.push(leg.end(None));
    }
    let port = PortSpec::Number(port);
    let asked = PortRequest {
        port: Some(&port),
        protocol: None,
    };
    let Some(chosen) = service::step(walker.view, service, asked, &mut leg.trail) else {
        return paths.push(leg.end(None));
    };
    if let Some(hop) = leg.trail.hops.last_mut() {
        hop.summary = format!("{part}{}, {}", service.reference(), hop.summary);
    }
    backend_tls::step(walker.view, service, chosen.port, &mut leg.trail);
    leg.entry = None;
    go_on(walker, &leg, service, chosen, &way.plane, paths);
}

/// Where one backend of several has nothing ready, its share of requests is what fails.
fn name_dead_shares<'v>(route: &ObjectRef, own: &mut [((usize, usize), Share, Vec<Path<'v>>)]) {
    let works = |paths: &[Path<'v>]| paths.iter().any(|path| path.outcome() != Outcome::Fails);
    if !own.iter().any(|(_, _, paths)| works(paths)) {
        return;
    }
    for ((index, position), share, paths) in own.iter_mut().filter(|(_, _, paths)| !works(paths)) {
        let field = format!("spec.rules[{index}].backendRefs[{position}].weight");
        for seen in paths.iter_mut().flat_map(|path| &mut path.breaks) {
            if let Break::NoEndpoints {
                service,
                port,
                family,
            } = seen
            {
                *seen = Break::Door(Box::new(DoorTrouble::DeadShare {
                    route: route.clone(),
                    field: field.clone(),
                    share: *share,
                    service,
                    port,
                    family: *family,
                }));
            }
        }
    }
}

/// The rules behind the one that takes a request which would have a backend for it.
pub fn serving<'t, 'v>(behind: &'t [Taken<'v>]) -> impl Iterator<Item = &'t Taken<'v>> {
    behind
        .iter()
        .filter(|taken| taken.rule.redirect().is_none() && weights(taken.rule) > 0)
}

// === impl Way ===

impl<'v> Way<'v> {
    /// By a listener of a Gateway, or by none that takes the route.
    pub fn new(view: &'v ClusterView, gateway: &'v Gateway, slot: Option<&Slot<'v>>) -> Self {
        let listener = slot.map(|slot| slot.listener);
        let is_tls = |protocol: &str| matches!(protocol, "HTTPS" | "TLS");
        Self {
            gateway: reference(gateway),
            listener: slot.map_or_else(|| "?".to_owned(), Slot::shown),
            plane: Plane::of_gateway(view, gateway),
            ends_tls: listener.is_some_and(|one| is_tls(&one.protocol) && !one.is_passthrough()),
        }
    }

    /// What a client asks of it.
    pub fn knock(&self, port: u16, protocol: Protocol) -> Knock {
        front::Knock {
            door: self.gateway.clone(),
            port: Some(port),
            protocol,
        }
    }
}

// === impl Rule ===

impl Rule {
    /// The redirect with which it answers, if it does.
    #[must_use]
    pub fn redirect(&self) -> Option<&crate::cluster::gateway_api::Redirect> {
        let is_redirect = |filter: &&Filter| filter.kind == "RequestRedirect";
        self.filters
            .iter()
            .find(is_redirect)?
            .request_redirect
            .as_ref()
    }
}
