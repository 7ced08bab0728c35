//! Family ING: Gateways and their routes.
//!
//! ```text
//!  programmed  a Gateway, its listeners, ListenerSets      attach   a route and its parents
//!  rule        which rule a request meets                  backend  where the rule sends it
//!  proxies     what serves the Gateway
//! ```

mod attach;
mod backend;
mod programmed;
mod proxies;
mod rule;

use super::eps;
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::cluster::access::ServiceExt;
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::path::{DoorTrouble, Stage};
use attach::refused;
use backend::{backend_tls, bad_backend, dead_share, odd_backend};
use programmed::{listener, not_programmed, set_not_admitted};
use proxies::{no_proxy_ready, proxies_down};
use rule::{no_backends, no_rule, nobody_takes, redirect_loop};

/// What is wrong at a Gateway or a route. Where a way to its proxies is broken, that is named by its own
/// cause.
pub(in crate::diagnose) fn trouble(case: &Case<'_, '_>, trouble: &DoorTrouble<'_>) -> Finding {
    match trouble {
        DoorTrouble::Gateway { gateway, trouble } => not_programmed(case, gateway, trouble),
        DoorTrouble::Listener {
            owner,
            field,
            name,
            trouble,
            ..
        } => listener(case, (owner, field, name), trouble),
        DoorTrouble::SetNotAdmitted {
            set,
            gateway,
            exists,
        } => set_not_admitted(set, gateway, *exists),
        DoorTrouble::Refused {
            route,
            index,
            parent,
            refusal,
            is_part,
        } => refused(case, (route, *index, parent), refusal, *is_part),
        DoorTrouble::BadBackend {
            route,
            field,
            to,
            why,
            share,
        } => bad_backend(case, (route, field), (to, why), *share),
        DoorTrouble::OddBackend {
            route,
            field,
            to,
            group,
        } => odd_backend(route, field, to, group),
        DoorTrouble::DeadShare {
            route,
            field,
            share,
            service,
            port,
            family,
        } => {
            let deeper = eps::none(case, service, port, *family);
            dead_share((route, field), *share, &service.reference(), &deeper)
        }
        DoorTrouble::NoRule { door, asked, near } => no_rule(door, asked, near),
        DoorTrouble::NoBackends {
            route,
            rule,
            is_weightless,
        } => no_backends(route, *rule, *is_weightless),
        DoorTrouble::Loop {
            route,
            rule,
            url,
            shadowed,
        } => redirect_loop(route, *rule, url, shadowed.as_deref()),
        DoorTrouble::ProxiesDown {
            door,
            service,
            port,
            family,
        } => proxies_down(door, eps::none(case, service, port, *family)),
        DoorTrouble::NoProxyReady { door, pods } => no_proxy_ready(door, pods),
        // Named by the caller, by the break that is part of it.
        DoorTrouble::PartOfFront(_) => Finding::new(
            Code::ING_10,
            Stage::Entry,
            "some of the proxies are not reached",
        ),
        DoorTrouble::BackendTls {
            policy,
            service,
            why,
        } => backend_tls(policy, service, why),
        DoorTrouble::NobodyTakes { host, near } => nobody_takes(host, near),
    }
}

/// Opens an object in an editor.
fn edit(object: &ObjectRef) -> String {
    on("edit", object)
}

/// Shows an object with its conditions and events.
fn describe(object: &ObjectRef) -> String {
    on("describe", object)
}

fn on(verb: &str, object: &ObjectRef) -> String {
    let kind = object.kind.to_lowercase();
    kubectl(&object.namespace, format!("{verb} {kind} {}", object.name))
}
