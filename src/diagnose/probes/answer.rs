//! Servers that answer, and not as was hoped for. The network did its part: these are notices.

use k8s_openapi::api::core::v1::Service;

use super::measured;
use crate::causes::Code;
use crate::cluster::access::{ServiceExt, ServiceKind};
use crate::cluster::{Named, ObjectRef, Pod};
use crate::confirm::Symptom;
use crate::diagnose::{Case, Finding};
use crate::observe::time;
use crate::path::Stage;
use crate::resolve::Place;
use netpath_protocol::HttpReply;

/// Clients begin to give up after so long, in microseconds.
const SLOW: u64 = 1_000_000;

/// DST-08 where the server does not take what the URL asks for, SVC-14 where that is because it was
/// called by the name of a Service, DST-06 where it takes long.
pub(super) fn answer(case: &Case<'_, '_>, symptom: &Symptom<'_>) -> Option<Finding> {
    let Symptom::Answer {
        source,
        backend,
        address,
        host,
        path,
        reply,
    } = symptom
    else {
        return None;
    };
    let status = reply.status?;
    let is_refusal = matches!(status, 400 | 404 | 421 | 426);
    let finding = match external_name(case) {
        _ if case.flow.destination.url.is_none() || !is_refusal => slow(&backend.display(), reply)?,
        Some(service) => by_another_name(service, status, host),
        None => measured(Finding::new(
            Code::DST_08,
            Stage::Destination,
            format!(
                "{} is reachable and responds HTTP {status} to {host}{path}",
                backend.display()
            ),
        ))
        .fix("use a host and path that it serves; it may expect another Host header"),
    };
    let object = backend.pod.map_or_else(
        || ObjectRef::cluster_wide("Address", address.ip().to_string()),
        Pod::reference,
    );
    let finding = match finding.blame {
        Some(_) => finding,
        None => finding.blame(object, ""),
    };
    let server = reply.server.as_ref();
    let server = server.map_or_else(String::new, |server| format!(" from {server}"));
    Some(finding.notice().because(format!(
        "{} → {address}: GET {path}, Host {host}: HTTP {status}{server}",
        source.name()
    )))
}

/// The Service of type ExternalName by which the destination was named.
pub(super) fn external_name<'v>(case: &Case<'_, 'v>) -> Option<&'v Service> {
    let is_alias = |service: &&Service| service.service_kind() == ServiceKind::ExternalName;
    match &case.flow.destination.place {
        Place::Service { service, .. } => Some(*service).filter(is_alias),
        Place::Name(asked) => {
            let domain = case.world.dns().domain.clone();
            let mut aliases = case.view.services.iter().filter(is_alias);
            aliases.find(|service| {
                let own = format!("{}.{}", service.name(), service.namespace());
                let rest = asked.trim_end_matches('.').strip_prefix(&own);
                rest.is_some_and(|rest| {
                    rest.is_empty() || rest == ".svc" || rest == format!(".svc.{domain}")
                })
            })
        }
        _ => None,
    }
}

/// SVC-14.
fn by_another_name(service: &Service, status: u16, host: &str) -> Finding {
    let target = service.spec.as_ref();
    let target = target.and_then(|spec| spec.external_name.as_deref());
    let target = target.unwrap_or("its target");
    let summary =
        format!("{target} is reachable and responds HTTP {status} to a request for host {host}");
    measured(Finding::new(Code::SVC_14, Stage::Destination, summary))
        .blame(service.reference(), "spec.externalName")
        .because(format!(
            "an ExternalName is a DNS alias only: clients still send {host} as the host"
        ))
        .fix(format!(
            "let clients use the name {target}, or send it as the Host header"
        ))
}

/// DST-06. It may also be a packet that was lost and sent again, so it stays a suspicion.
fn slow(name: &str, reply: &HttpReply) -> Option<Finding> {
    let (connect, first) = (reply.connect_us?, reply.first_byte_us?);
    let silent = first
        .checked_sub(connect)
        .filter(|silent| *silent >= SLOW)?;
    let summary = format!(
        "{name} needs {} to send the first byte, although it connects in {}",
        time(silent),
        time(connect)
    );
    Some(
        Finding::new(Code::DST_06, Stage::Destination, summary)
            .suspected()
            .fix("find out what the application waits for; clients with shorter timeouts fail"),
    )
}
