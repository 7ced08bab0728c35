//! Open ports that do not speak as they should.

use std::net::SocketAddr;

use k8s_openapi::jiff::Timestamp;

use super::answer::external_name;
use super::measured;
use crate::causes::Code;
use crate::cluster::access::{ServiceExt, host_matches};
use crate::cluster::{ObjectRef, Pod};
use crate::confirm::Symptom;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;
use netpath_protocol::TlsReply;

/// RTE-11 where only large packets are lost (RTE-12 on the way to the outside), DST-04 where the server itself stays silent.
pub(super) fn stall(symptom: &Symptom<'_>) -> Finding {
    let Symptom::Stall {
        source,
        backend,
        address,
        only_large,
        large_hangs,
        size,
        stalls_inside,
    } = symptom
    else {
        return Finding::new(Code::DST_04, Stage::Destination, String::new());
    };
    let to = backend.node.unwrap_or("the other node");
    let from = source.node_name().unwrap_or("its node");
    let name = backend.display();
    if *only_large {
        let is_outside = backend.pod.is_none() && backend.node.is_none();
        let finding = if is_outside {
            measured(Finding::new(Code::RTE_12, Stage::Route, format!("large packets to {name} are lost, small ones pass")).degraded())
                .blame(ObjectRef::cluster_wide("Address", address.ip().to_string()), "MTU of the way there")
                .fix("allow ICMP (fragmentation needed, packet too big) on the path, or clamp the MSS where traffic leaves the cluster")
        } else {
            measured(Finding::new(Code::RTE_11, Stage::Route, format!("large packets from node/{from} to {to} are lost, small ones pass")).degraded())
                .blame(ObjectRef::cluster_wide("Node", to), "MTU")
                .fix("set the MTU of the CNI to that of the network between the nodes minus the overlay overhead (VXLAN 50, WireGuard 60, IPIP 20)")
        };
        let finding = if *large_hangs {
            finding.because(format!(
                "{} → {name}: a small request gets a response, one of 4 kB does not",
                source.name()
            ))
        } else {
            finding
        };
        return match size.as_ref().filter(|size| size.failed.is_some()) {
            Some(size) => finding.because(format!(
                "packets of {} bytes pass, packets of {} bytes do not, and no router reports it; the MTU of the pod interface is {}",
                size.passed.map_or_else(|| "?".to_owned(), |size| size.to_string()),
                size.failed.map_or_else(|| "?".to_owned(), |size| size.to_string()),
                size.interface.map_or_else(|| "?".to_owned(), |size| size.to_string()),
            )),
            None => finding,
        };
    }
    let object = backend.pod.map_or_else(
        || ObjectRef::cluster_wide("Address", address.ip().to_string()),
        Pod::reference,
    );
    let finding = measured(Finding::new(
        Code::DST_04,
        Stage::Destination,
        format!("{name} accepts connections and sends nothing"),
    ))
    .blame(object, "")
    .because(format!(
        "{} → {address}: connected, then received no data",
        source.name()
    ))
    .fix("the application hangs or expects another protocol: check its threads, limits and logs");
    match stalls_inside {
        Some(true) => finding.because("the same from inside the pod: the network is not the cause"),
        Some(false) => finding
            .suspected()
            .because("from inside the pod it responds"),
        None => finding,
    }
}

/// DST-07: a certificate that is out of date or for somebody else, or no handshake at all; SVC-14 where
/// it is for the host behind the name of a Service.
pub(super) fn certificate(case: &Case<'_, '_>, symptom: &Symptom<'_>) -> Option<Finding> {
    let Symptom::Certificate {
        address,
        host,
        reply,
        ..
    } = symptom
    else {
        return None;
    };
    let Some(problem) = problem(reply) else {
        let is_asked = case.flow.destination.url.is_some();
        return is_asked.then(|| foreign(case, *address, host, reply))?;
    };
    Some(
        measured(Finding::new(
            Code::DST_07,
            Stage::Destination,
            format!("TLS at {address}: {problem}"),
        ))
        .blame(
            ObjectRef::cluster_wide("Address", address.ip().to_string()),
            "",
        )
        .because(format!(
            "certificate for {}, valid from {} to {}",
            crate::text::list(&reply.names),
            reply.not_before.as_deref().unwrap_or("?"),
            reply.not_after.as_deref().unwrap_or("?")
        ))
        .fix("renew the certificate, or use a name that it covers"),
    )
}

/// A sound certificate for other names than the one that the URL has (RFC 9525).
fn foreign(
    case: &Case<'_, '_>,
    address: SocketAddr,
    host: &str,
    reply: &TlsReply,
) -> Option<Finding> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_for = |name: &String| host_matches(&name.to_ascii_lowercase(), &host);
    if reply.names.is_empty() || reply.names.iter().any(is_for) {
        return None;
    }
    let names = crate::text::list(&reply.names);
    let summary = format!("TLS at {address}: the certificate is for {names}, not for {host}");
    let at = |code| measured(Finding::new(code, Stage::Destination, summary.clone()));
    let finding = match external_name(case) {
        Some(service) => at(Code::SVC_14)
            .blame(service.reference(), "spec.externalName")
            .fix("let clients use the name of the host: the certificate does not cover the name of the Service"),
        None => at(Code::DST_07)
            .blame(ObjectRef::cluster_wide("Address", address.ip().to_string()), "")
            .fix("use a name that the certificate covers, or issue one that also covers this name"),
    };
    Some(finding)
}

fn problem(reply: &TlsReply) -> Option<String> {
    if let Some(alert) = &reply.alert {
        return Some(format!("the handshake fails with {alert}"));
    }
    let now = Timestamp::now();
    let time = |text: &Option<String>| {
        text.as_ref()
            .and_then(|text| text.parse::<Timestamp>().ok())
    };
    if time(&reply.not_after).is_some_and(|end| end < now) {
        return Some("the certificate has expired".to_owned());
    }
    if time(&reply.not_before).is_some_and(|start| start > now) {
        return Some("the certificate is not valid yet".to_owned());
    }
    None
}
