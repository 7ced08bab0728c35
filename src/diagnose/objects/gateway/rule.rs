//! ING-04, ING-09, ING-16, ING-17: no rule serves a request.

use super::{describe, edit};
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::diagnose::Finding;
use crate::path::Stage;
use crate::text::list;

/// ING-04.
pub(super) fn no_rule(door: &ObjectRef, asked: &str, near: &[String]) -> Finding {
    Finding::new(
        Code::ING_04,
        Stage::Gateway,
        format!(
            "no route of {} matches {asked}: the response is 404",
            door.name
        ),
    )
    .blame(door.clone(), "spec")
    .because(if near.is_empty() {
        "it has no rule for that host".to_owned()
    } else {
        format!("it has {}", list(near))
    })
    .fix("use a host, path, method and headers that a rule matches, or add a rule")
    .run(describe(door))
}

/// ING-17.
pub(super) fn no_backends(route: &ObjectRef, rule: usize, is_weightless: bool) -> Finding {
    let why = if is_weightless {
        "all its backends have weight 0"
    } else {
        "it has no backend and no redirect"
    };
    Finding::new(
        Code::ING_17,
        Stage::Gateway,
        format!("rule {rule} of {} has no backend", route.name),
    )
    .blame(route.clone(), format!("spec.rules[{rule}].backendRefs"))
    .because(format!("{why}: requests get a 500 response"))
    .fix("add a backend with a weight above 0")
    .run(edit(route))
}

/// ING-09 where the redirect hides a rule that would have served, ING-16 where there is none.
pub(super) fn redirect_loop(
    route: &ObjectRef,
    rule: usize,
    url: &str,
    shadowed: Option<&str>,
) -> Finding {
    let code = if shadowed.is_some() {
        Code::ING_09
    } else {
        Code::ING_16
    };
    let finding = Finding::new(
        code,
        Stage::Gateway,
        format!(
            "rule {rule} of {} redirects {url} to itself in an endless loop",
            route.name
        ),
    )
    .blame(route.clone(), format!("spec.rules[{rule}]"));
    let finding = match shadowed {
        Some(other) => finding.because(format!(
            "{other} would serve it but never matches: it is not more specific and has lower precedence"
        )),
        None => finding.because("no rule serves the target of the redirect"),
    };
    finding
        .fix("put the redirect into a route of its own, attached to the HTTP listener alone (sectionName)")
        .run(edit(route))
}

/// ING-04, as far as it can be told: the name may lead elsewhere.
pub(super) fn nobody_takes(host: &str, near: &[String]) -> Finding {
    let finding = Finding::new(
        Code::ING_04,
        Stage::Gateway,
        format!("no Ingress and no route matches {host}"),
    )
    .notice()
    .suspected()
    .blame(ObjectRef::cluster_wide("Name", host), "");
    match near {
        [] => finding
            .fix("use a host that a rule matches, or test from a place where the name resolves"),
        near => finding.fix(format!("did you mean {}?", near.join(" or "))),
    }
}
