//! HTTPRoutes on Servers: the route that takes a request says who may send it.

use super::super::connection::{Connection, Reason, Ruling};
use super::super::http::{Known, hostnames, route_match};
use super::super::object::{Object, items};
use super::authorization::{Authorization, Client, judge};
use super::{Linkerd, stop};
use crate::cluster::Named;
use crate::policy::{Doubt, Truth};

// === impl Linkerd ===

impl<'v> Linkerd<'v> {
    /// The routes that are attached to a Server: accepted ones, where their status says so.
    pub(super) fn routes_on(&self, server: &Object<'_>) -> Vec<Object<'v>> {
        let own = self
            .routes
            .iter()
            .filter(|route| route.namespace() == server.namespace());
        own.filter(|route| {
            let mut parents = route.items("/spec/parentRefs").iter();
            parents.any(|parent| parent["kind"] == "Server" && parent["name"] == server.name())
                && !is_refused(route, server)
        })
        .copied()
        .collect()
    }

    /// A route of the Gateway API that is attached to a Server: it may say who comes in, and is not judged.
    pub(super) fn route_of_gateway_api(&self, server: &Object<'_>) -> Option<Doubt> {
        let mut routes = self.view.gateway_api.routes();
        let (_, route) = routes.find(|(_, route)| {
            let mut parents = route.spec.parent_refs.iter();
            route.namespace() == server.namespace()
                && parents.any(|parent| {
                    parent.to.kind.as_deref() == Some("Server") && parent.to.name == server.name()
                })
        })?;
        let (name, server) = (route.name(), server.reference());
        Some(Doubt::Other(format!(
            "route {name} of the Gateway API is attached to {server}, which is not judged"
        )))
    }

    /// Judges by the route that takes the request. Where that depends on what nobody gave, every route
    /// that may take it has to agree.
    pub(super) fn by_route(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Object<'v>,
        routes: &[Object<'v>],
        of_server: &[Authorization<'_>],
        client: Client<'_>,
    ) -> Ruling {
        let request = Known(connection.request);
        let mut taking: Vec<(Truth, usize, Object<'v>)> = Vec::new();
        for route in routes {
            let (truth, length) = takes(route, request);
            if !truth.is_no() {
                taking.push((truth, length, *route));
            }
        }
        let is_open = taking.iter().any(|(truth, ..)| !truth.is_yes());
        let of_route = |route: &Object<'v>| self.of_route(server, route, of_server, client);
        if !is_open {
            // The longest path goes first (Gateway API, HTTPRouteRule).
            let first = taking.iter().max_by_key(|(_, length, _)| *length);
            return first.map_or_else(|| nothing(server, routes), |(.., route)| of_route(route));
        }
        let mut rulings: Vec<Ruling> = taking.iter().map(|(.., route)| of_route(route)).collect();
        if taking.iter().all(|(truth, ..)| !truth.is_yes()) {
            rulings.push(nothing(server, routes));
        }
        let is_same =
            |ruling: &Ruling| std::mem::discriminant(ruling) == std::mem::discriminant(&rulings[0]);
        if rulings.iter().all(is_same) {
            return rulings.swap_remove(0);
        }
        let doubts = taking.into_iter().filter_map(|(truth, ..)| match truth {
            Truth::Maybe(doubt) => Some(doubt),
            _ => None,
        });
        Ruling::Open(doubts.collect())
    }

    /// Authorized for the route, or for the whole Server (`linkerd2-proxy`, `server-policy/src/http.rs`).
    fn of_route(
        &self,
        server: &Object<'v>,
        route: &Object<'v>,
        of_server: &[Authorization<'_>],
        client: Client<'_>,
    ) -> Ruling {
        let own = self.policies_for(route.namespace(), |kind, name| {
            kind == route.resource.kind() && name == route.name()
        });
        let mut all: Vec<Authorization<'_>> = own.into_iter().map(|(_, one)| one).collect();
        all.extend_from_slice(of_server);
        let outcome = judge(&all, client);
        match outcome.truth {
            Truth::Yes => Ruling::Pass,
            Truth::Maybe(doubt) => Ruling::Open(vec![doubt]),
            Truth::No => Ruling::Stop(stop(
                if outcome.lacks_identity {
                    Reason::Plaintext
                } else {
                    Reason::Unauthorized
                },
                (route.reference(), "spec"),
                format!(
                    "{} of {} matches the request, but no AuthorizationPolicy authorizes {} for it",
                    route.reference(),
                    server.reference(),
                    client.identity.unwrap_or("a client without identity")
                ),
                outcome.misses,
                "add the client to an AuthorizationPolicy with targetRef to the route",
            )),
        }
    }
}

fn is_refused(route: &Object<'_>, server: &Object<'_>) -> bool {
    let mut parents = route.items("/status/parents").iter();
    parents.any(|parent| {
        parent["parentRef"]["kind"] == "Server"
            && parent["parentRef"]["name"] == server.name()
            && items(&parent["conditions"])
                .iter()
                .any(|one| one["type"] == "Accepted" && one["status"] == "False")
    })
}

/// Whether a route takes a request, and how long the path is by which it does.
fn takes(route: &Object<'_>, request: Known<'_>) -> (Truth, usize) {
    let host = hostnames(route, request);
    let mut best = (Truth::No, 0);
    for rule in route.items("/spec/rules") {
        let matches = items(&rule["matches"]);
        if matches.is_empty() {
            best.0 = best.0.or(Truth::Yes);
        }
        for one in matches {
            let truth = route_match(route, one, request);
            if !truth.is_no() {
                best.1 = best
                    .1
                    .max(one["path"]["value"].as_str().map_or(1, str::len));
            }
            best.0 = best.0.or(truth);
        }
    }
    (host.and(best.0), best.1)
}

/// A Server with routes answers 404 to what none of them takes.
fn nothing(server: &Object<'_>, routes: &[Object<'_>]) -> Ruling {
    let names: Vec<String> = routes
        .iter()
        .map(|route| route.reference().to_string())
        .collect();
    Ruling::Stop(stop(
        Reason::Unauthorized,
        (server.reference(), "spec"),
        format!(
            "no route of {} matches the request: its proxy responds with 404",
            server.reference()
        ),
        vec![format!("attached: {}", names.join(", "))],
        "add a route for the request, or send a request that a route matches",
    ))
}
