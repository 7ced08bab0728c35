//! Which door takes a URL, and what it does with the request.

use super::front;
use super::gateway::protocol;
use super::products::product;
use super::rule::{self, Way};
use crate::cluster::gateway_api::{Gateway, Redirect, Route, RouteKind};
use crate::cluster::{ClusterView, ObjectRef};
use crate::gateway::hostname::{self, Exactness};
use crate::gateway::listener::{Slot, reference, slots};
use crate::gateway::matching::{self, Choice, Taken};
use crate::gateway::programmed::gateway_trouble;
use crate::gateway::{Attachment, HttpRequest, attachments, class_of};
use crate::path::context::{Leg, Walker};
use crate::path::order::ingress;
use crate::path::{Break, DoorTrouble, Hop, Mode, Outcome, Path, Stage, Status};
use crate::text::list;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// A request and the port it is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedUrl {
    pub request: HttpRequest,
    pub port: Option<u16>,
}

/// Goes to the door that takes a URL. False where none in the cluster does.
pub fn to_url<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    asked: &AskedUrl,
    paths: &mut Vec<Path<'v>>,
) -> bool {
    follow(walker, leg, asked, &[], paths)
}

fn follow<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    asked: &AskedUrl,
    seen: &[AskedUrl],
    paths: &mut Vec<Path<'v>>,
) -> bool {
    let Some(host) = asked.request.host.clone() else {
        return false;
    };
    // What names the host comes before what takes every host.
    let (strength, gateways) = gateways(walker.view, &host, asked);
    let is_named = walker.view.ingress_of(&host).is_some();
    let mut doors = match strength {
        Some(Strength::Route | Strength::Listener) if !is_named => Vec::new(),
        _ => ingress::to_host(walker, leg, &asked.request),
    };
    let gateways = gateways.into_iter();
    for gateway in gateways.filter(|_| !is_named || strength > Some(Strength::Everything)) {
        let mut own = Vec::new();
        through(
            walker,
            leg.clone(),
            gateway,
            asked,
            &mut seen.to_vec(),
            &mut own,
        );
        doors.push(own);
    }
    if doors.is_empty() {
        return refused_routes(walker, leg, &host, paths);
    }
    settle(&host, doors, paths);
    true
}

/// Several doors may take one host: to which of them its name leads is not said here. Where they do not
/// agree, nobody can tell.
fn settle<'v>(host: &str, mut doors: Vec<Vec<Path<'v>>>, paths: &mut Vec<Path<'v>>) {
    let ends = |paths: &[Path<'v>]| paths.iter().map(Path::outcome).max();
    if let [only] = doors.as_mut_slice() {
        return paths.append(only);
    }
    let first = ends(&doors[0]);
    if doors.iter().all(|door| ends(door) == first) {
        return paths.extend(doors.into_iter().flatten());
    }
    let names: Vec<String> = doors.iter().filter_map(|door| door_of(door)).collect();
    let text = format!(
        "{host} is taken by {}: to which of them its name leads was not read",
        list(&names)
    );
    let best = doors
        .iter()
        .position(|door| ends(door) == Some(Outcome::Works))
        .unwrap_or(0);
    for mut path in doors.swap_remove(best) {
        path.hops
            .insert(0, Hop::new(Stage::Source, Status::Unknown, text.clone()));
        paths.push(path);
    }
}

fn door_of(paths: &[Path<'_>]) -> Option<String> {
    let mut hops = paths.iter().flat_map(|path| &path.hops);
    let hop =
        hops.find(|hop| matches!(hop.stage, Stage::Ingress | Stage::Entry | Stage::Gateway))?;
    hop.at.as_ref().map(ToString::to_string)
}

/// The Gateways that take a host at a port: those with a route that names it, else those with a listener
/// that names it, else those that take every host.
fn gateways<'v>(
    view: &'v ClusterView,
    host: &str,
    asked: &AskedUrl,
) -> (Option<Strength>, Vec<&'v Gateway>) {
    let mut found: Vec<(Strength, &'v Gateway)> = Vec::new();
    for (kind, route) in view.gateway_api.routes() {
        if !kind.has_hostnames() || !may_take(route, host) {
            continue;
        }
        for one in attachments(view, kind, route) {
            let Some(gateway) = one.gateway else { continue };
            let takes = |slot: &&Slot<'v>| {
                slot.takes(host).is_some() && is_asked(view, gateway, slot, asked)
            };
            let Some(slot) = one.slots().iter().find(takes) else {
                continue;
            };
            let is_named = !route.spec.hostnames.is_empty();
            let strength = match (is_named, slot.listener.hostname().is_some()) {
                (true, _) => Strength::Route,
                (false, true) => Strength::Listener,
                (false, false) => Strength::Everything,
            };
            found.push((strength, gateway));
        }
    }
    let best = found.iter().map(|(strength, _)| *strength).max();
    let mut gateways: Vec<&Gateway> = Vec::new();
    for (strength, gateway) in found {
        let is_known = gateways
            .iter()
            .any(|known| reference(known) == reference(gateway));
        if Some(strength) == best && !is_known {
            gateways.push(gateway);
        }
    }
    (best, gateways)
}

/// What says that a host is meant for a Gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Everything,
    Listener,
    Route,
}

fn may_take(route: &Route, host: &str) -> bool {
    let names = &route.spec.hostnames;
    names.is_empty()
        || names
            .iter()
            .any(|name| hostname::takes(Some(name), host).is_some())
}

/// Whether a listener is what is asked at a port by a scheme. A product whose listeners name the ports of
/// its pods is asked at other ports than those.
fn is_asked(view: &ClusterView, gateway: &Gateway, slot: &Slot<'_>, asked: &AskedUrl) -> bool {
    let is_tls = matches!(slot.listener.protocol.as_str(), "HTTPS" | "TLS");
    let fits = match asked.request.scheme.as_deref() {
        Some("https" | "wss") => is_tls,
        Some("http" | "ws") => slot.listener.protocol == "HTTP",
        _ => true,
    };
    let product = product(class_of(view, gateway).controller(), None);
    let is_mapped = product.is_some_and(super::products::Product::listens_on_pod_ports);
    fits && (is_mapped || asked.port.is_none_or(|port| port == slot.listener.port))
}

/// Through one Gateway: its most exact listener for the host, and the rule that takes the request there.
pub fn through<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    gateway: &'v Gateway,
    asked: &AskedUrl,
    seen: &mut Vec<AskedUrl>,
    paths: &mut Vec<Path<'v>>,
) {
    leg.mode = Mode::OutsideToService;
    let object = reference(gateway);
    let hop = |status, text: String| Hop::new(Stage::Gateway, status, text).at(object.clone());
    if let Some(trouble) = gateway_trouble(walker.view, gateway) {
        let text = format!("{object} does not serve");
        let trouble = DoorTrouble::Gateway {
            gateway: object.clone(),
            trouble,
        };
        leg.trail
            .stop(hop(Status::Fail, text), Break::Door(Box::new(trouble)));
    }
    let host = asked.request.host.as_deref().unwrap_or_default();
    let Some((slot, isolated)) = listener(walker.view, gateway, host, asked) else {
        let trouble = DoorTrouble::NoRule {
            door: object.clone(),
            asked: asked.request.shown(),
            near: slots(walker.view, gateway)
                .iter()
                .map(Slot::shown)
                .collect(),
        };
        let text = format!("no listener matches {host}");
        leg.trail
            .stop(hop(Status::Fail, text), Break::Door(Box::new(trouble)));
        return paths.push(leg.end(None));
    };
    if slot.is_dead() {
        let text = format!("listener {} does not serve", slot.listener.name);
        leg.trail.push(hop(Status::Fail, text));
        leg.trail.breaks.extend(rule::slot_trouble(&slot, false));
    }
    let way = Way::new(walker.view, gateway, Some(&slot));
    front::pass(
        walker,
        &mut leg,
        &way.plane,
        &way.knock(asked.port.unwrap_or(slot.listener.port), protocol(&slot)),
    );
    let mut choice = choose(walker.view, gateway, &slot, &asked.request);
    if choice.taken.is_none() && !isolated.is_empty() {
        let others = isolated.iter().find_map(|other| {
            let choice = choose(walker.view, gateway, other, &asked.request);
            choice.taken.is_some().then(|| other.shown())
        });
        if let Some(other) = others {
            choice.unknown.push(format!(
                "listener {other} matches it only where listeners are not isolated"
            ));
        }
    }
    if let Some(taken) = choice
        .taken
        .as_ref()
        .filter(|taken| taken.rule.redirect().is_some())
    {
        return redirected(
            walker,
            leg,
            &way,
            (taken, &choice.behind),
            asked,
            seen,
            paths,
        );
    }
    let near = nearest_rules(walker.view, gateway, &slot, host);
    let shown = asked.request.shown();
    rule::to_choice(walker, leg, &way, (&object, shown, &choice, near), paths);
}

/// The listener that takes a host at what is asked, the most exact one; and the others that would.
fn listener<'v>(
    view: &'v ClusterView,
    gateway: &'v Gateway,
    host: &str,
    asked: &AskedUrl,
) -> Option<(Slot<'v>, Vec<Slot<'v>>)> {
    let all = slots(view, gateway).into_iter();
    let mut fitting: Vec<(Exactness, Slot<'v>)> = all
        .filter(|slot| is_asked(view, gateway, slot, asked))
        .filter_map(|slot| Some((slot.takes(host)?, slot)))
        .collect();
    // One that conflicts with another is not served; the other is.
    fitting.sort_by_key(|(exactness, slot)| (slot.is_dead(), std::cmp::Reverse(*exactness)));
    let mut fitting = fitting.into_iter().map(|(_, slot)| slot);
    let first = fitting.next()?;
    Some((first, fitting.collect()))
}

/// The routes attached to a listener, and the rule among them that takes a request.
fn choose<'v>(
    view: &'v ClusterView,
    gateway: &Gateway,
    slot: &Slot<'v>,
    request: &HttpRequest,
) -> Choice<'v> {
    let mut doubts = Vec::new();
    let mut attached = Vec::new();
    for (kind, route, one) in attached_to(view, gateway, slot, request) {
        if let Some(doubt) = one.doubt {
            doubts.push(format!("{}: {doubt}", route.reference(kind)));
        }
        attached.push((kind, route));
    }
    let mut choice = matching::choose(attached, request);
    // What is not certain about a route matters where it would take the request.
    if let Some(taken) = &choice.taken {
        let name = taken.route.reference(taken.kind).to_string();
        doubts.retain(|doubt| doubt.starts_with(&name));
        choice.unknown.extend(doubts);
    }
    choice
}

fn attached_to<'v>(
    view: &'v ClusterView,
    gateway: &Gateway,
    slot: &Slot<'v>,
    request: &HttpRequest,
) -> Vec<(RouteKind, &'v Route, Attachment<'v>)> {
    let host = request.host.as_deref().unwrap_or_default();
    let own = reference(gateway);
    let mut found = Vec::new();
    for (kind, route) in view.gateway_api.routes() {
        if !kind.has_hostnames() || !may_take(route, host) {
            continue;
        }
        let all = attachments(view, kind, route).into_iter();
        let is_here = |one: &Attachment<'v>| {
            let is_own = one.gateway.is_some_and(|gateway| reference(gateway) == own);
            is_own
                && one
                    .slots()
                    .iter()
                    .any(|one| one.owner == slot.owner && one.field == slot.field)
        };
        found.extend(all.filter(is_here).take(1).map(|one| (kind, route, one)));
    }
    found
}

/// Rules for a host at a listener, to show what it could have been.
fn nearest_rules(
    view: &ClusterView,
    gateway: &Gateway,
    slot: &Slot<'_>,
    host: &str,
) -> Vec<String> {
    const SHOWN: usize = 5;
    let own = reference(gateway);
    let routes = view
        .gateway_api
        .routes()
        .filter(|(kind, route)| kind.is_http() && may_take(route, host));
    let mut rules = Vec::new();
    for (kind, route) in routes {
        let is_here = attachments(view, kind, route).iter().any(|one| {
            let is_own = one.gateway.is_some_and(|gateway| reference(gateway) == own);
            is_own && one.slots().iter().any(|one| one.field == slot.field)
        });
        let matches = route.spec.rules.iter().flat_map(|rule| &rule.matches);
        if is_here {
            rules.extend(
                matches.map(|one| format!("{} of {}", rule::shown(one), route.reference(kind))),
            );
        }
    }
    rules.truncate(SHOWN);
    rules
}

/// A redirect answers the client, which asks again: where it leads back to itself, nobody is ever served.
fn redirected<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    way: &Way<'v>,
    (taken, behind): (&Taken<'v>, &[Taken<'v>]),
    asked: &AskedUrl,
    seen: &mut Vec<AskedUrl>,
    paths: &mut Vec<Path<'v>>,
) {
    let route = taken.route.reference(taken.kind);
    let next = taken
        .rule
        .redirect()
        .map(|redirect| target_of(redirect, asked));
    seen.push(asked.clone());
    let rule = ((taken.kind, taken.route), (taken.index, taken.rule));
    let Some(next) = next else {
        return rule::to_rule(walker, &leg, way, rule, paths);
    };
    if seen.contains(&next) {
        let shadowed = rule::serving(behind).next().map(|other| {
            format!(
                "rule {} of {}",
                other.index,
                other.route.reference(other.kind)
            )
        });
        let url = shown(asked);
        let text = format!("rule {} redirects {url} to itself", taken.index);
        let hop = Hop::new(Stage::Gateway, Status::Fail, text).at(route.clone());
        let trouble = DoorTrouble::Loop {
            route,
            rule: taken.index,
            url,
            shadowed,
        };
        leg.trail.stop(hop, Break::Door(Box::new(trouble)));
        return paths.push(leg.end(None));
    }
    let text = format!("rule {} redirects to {}", taken.index, shown(&next));
    let hop = Hop::new(Stage::Gateway, Status::Pass, text).at(route);
    if seen.len() >= MAX_REDIRECTS {
        leg.trail.push(Hop {
            status: Status::Unknown,
            ..hop
        });
        return paths.push(leg.end(None));
    }
    leg.trail.push(hop);
    if !follow(walker, &leg, &next, seen, paths) {
        // It leads out of what is known here: the door has done its part.
        paths.push(leg.end(None));
    }
}

/// Where a redirect leads: what it leaves out stays as it was asked; a scheme brings its own port
/// (Gateway API, `HTTPRequestRedirectFilter`).
fn target_of(redirect: &Redirect, asked: &AskedUrl) -> AskedUrl {
    let mut next = asked.clone();
    if let Some(scheme) = &redirect.scheme {
        next.request.scheme = Some(scheme.clone());
        next.port = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => asked.port,
        };
    }
    next.port = redirect.port.or(next.port);
    if let Some(host) = &redirect.hostname {
        next.request.host = Some(host.clone());
    }
    let field = |name: &str| {
        redirect
            .path
            .as_ref()
            .and_then(|path| path.get(name)?.as_str())
    };
    if let Some(path) = field("replaceFullPath") {
        path.clone_into(&mut next.request.path);
    } else if let Some(prefix) = field("replacePrefixMatch") {
        next.request.path = format!("{prefix}…");
    }
    next
}

/// `https://shop.example/cart`
fn shown(asked: &AskedUrl) -> String {
    let scheme = asked.request.scheme.as_deref().unwrap_or("http");
    let default = if scheme == "https" { 443 } else { 80 };
    let port = asked.port.filter(|port| *port != default);
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let host = asked.request.host.as_deref().unwrap_or("*");
    format!("{scheme}://{host}{port}{}", asked.request.path)
}

/// Routes that name a host and that no parent takes: they were meant to serve it.
fn refused_routes<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    host: &str,
    paths: &mut Vec<Path<'v>>,
) -> bool {
    let view = walker.view;
    let start = paths.len();
    for (kind, route) in view.gateway_api.routes() {
        let is_named = !route.spec.hostnames.is_empty() && may_take(route, host);
        if !is_named || !kind.has_hostnames() {
            continue;
        }
        let found = attachments(view, kind, route);
        if !found.is_empty() && found.iter().all(|one| one.refusal().is_some()) {
            super::to_route(walker, leg, (kind, route), paths);
        }
    }
    paths.len() > start
}

/// What a URL is whose host nothing takes, asked from outside: it may lead elsewhere, or nowhere.
pub fn nobody<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    host: &str,
    paths: &mut Vec<Path<'v>>,
) {
    let near = hosts_near(walker.view, host);
    let object = ObjectRef::cluster_wide("Name", host);
    let text = format!("no Ingress and no route matches {host}");
    let hop = Hop::new(Stage::Gateway, Status::Unknown, text).at(object);
    let trouble = DoorTrouble::NobodyTakes {
        host: host.to_owned(),
        near,
    };
    leg.trail.doubt(hop, Break::Door(Box::new(trouble)));
    paths.push(leg.end(None));
}

fn hosts_near(view: &ClusterView, host: &str) -> Vec<String> {
    let of_routes = view
        .gateway_api
        .routes()
        .flat_map(|(_, route)| route.spec.hostnames.iter().map(String::as_str));
    let rules = view
        .ingresses
        .iter()
        .flat_map(|one| one.spec.iter().flat_map(|spec| spec.rules.iter().flatten()));
    let of_ingresses = rules.filter_map(|rule| rule.host.as_deref());
    let others = of_routes.chain(of_ingresses).filter(|name| *name != host);
    crate::text::nearest(host, others)
        .into_iter()
        .map(str::to_owned)
        .collect()
}
