//! A name that does not come out as it should.

use super::measured;
use crate::causes::Code;
use crate::cluster::{Named, ObjectRef};
use crate::confirm::{NameSymptom, Server, Symptom};
use crate::diagnose::{Case, Confidence, Finding};
use crate::dns::ClusterDns;
use crate::path::{Break, Stage};
use crate::text::list;

/// Objects that may be to blame.
struct Suspects {
    node: ObjectRef,
    corefile: ObjectRef,
    service: ObjectRef,
}

/// The cause, from what each server said.
pub(super) fn cause(case: &Case<'_, '_>, symptom: &Symptom<'_>) -> Option<Finding> {
    let Symptom::Name {
        source,
        name,
        kind,
        replies,
        asker,
        ..
    } = symptom
    else {
        return None;
    };
    let dns = case.world.dns();
    let suspects = Suspects {
        node: ObjectRef::cluster_wide("Node", source.node_name().unwrap_or("its node")),
        corefile: dns.config.map_or_else(
            || ObjectRef::new("ConfigMap", "kube-system", "coredns"),
            |config| ObjectRef::new("ConfigMap", config.namespace(), config.name()),
        ),
        service: dns.service.map_or_else(
            || ObjectRef::new("Service", "kube-system", "kube-dns"),
            crate::cluster::access::ServiceExt::reference,
        ),
    };
    // What the source's own node holds against packets to a Service makes some lookups fail, too.
    let is_partial = matches!(kind, NameSymptom::Sometimes | NameSymptom::NoTcp);
    if is_partial && holds_something(case, &suspects) {
        return None;
    }
    let finding = match kind {
        NameSymptom::Silent | NameSymptom::Refused => unanswered(case, dns, symptom, &suspects)?,
        NameSymptom::Sometimes => one_of_many(symptom, &suspects)?.degraded(),
        kind => answered(kind, name, name.ends_with(&dns.domain), symptom, &suspects),
    };
    let confidence = finding.confidence;
    let mut finding = measured(finding);
    if confidence == Confidence::Suspected {
        finding = finding.suspected();
    }
    for reply in replies.iter().take(4) {
        finding = finding.because(reply.clone());
    }
    Some(finding.because(format!("asked by {asker}")))
}

/// No answer from the server that the pod's resolver asks: is it the server, the way to it, the proxy?
fn unanswered(
    case: &Case<'_, '_>,
    dns: &ClusterDns<'_>,
    symptom: &Symptom<'_>,
    suspects: &Suspects,
) -> Option<Finding> {
    let Symptom::Name {
        source,
        kind,
        resolver,
        by_tcp,
        servers,
        others_answer,
        ..
    } = symptom
    else {
        return None;
    };
    let node = &suspects.node.name;
    let pods: Vec<&Server> = servers.iter().filter(|server| !server.is_service).collect();
    let answering = pods.iter().filter(|server| server.answers).count();
    let service = servers.iter().find(|server| server.is_service);
    let is_link_local = match resolver {
        std::net::IpAddr::V4(ip) => ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let at = |code, summary: String| Finding::new(code, Stage::Dns, summary);
    if answering > 0 && holds_something(case, suspects) {
        return None;
    }
    Some(if is_link_local {
        at(
            Code::DNS_17,
            format!("the DNS cache of node/{node} ({resolver}) does not respond"),
        )
        .blame(suspects.node.clone(), "")
        .fix("restart the node-local-dns pod on that node")
    } else if service.is_some_and(|server| server.answers) {
        at(Code::DNS_07, format!("{} queries {resolver}, which does not respond; the cluster DNS at {} does", source.name(), service.map_or_else(String::new, |server| server.address.to_string())))
            .blame(suspects.node.clone(), "clusterDNS of the kubelet")
            .fix("set clusterDNS of the kubelet to the address of the DNS Service, restart the kubelet, and recreate the pods of that node")
    } else if *others_answer == Some(false) && answering > 0 {
        at(Code::KPX_01, format!("no Service address works from node/{node}, so no name resolves there"))
            .blame(suspects.node.clone(), "")
            .because("other Services do not respond either, but the DNS pods do by their own addresses: the proxy fails, not the DNS")
            .fix("check kube-proxy on that node")
    } else if *by_tcp == Some(true) && !pods.is_empty() && answering == pods.len() {
        let summary = format!(
            "the address of the DNS Service responds to {} only sometimes, while every DNS pod responds by its own address",
            source.name()
        );
        at(Code::KPX_09, summary)
            .suspected()
            .degraded()
            .blame(suspects.node.clone(), "")
            .because("one of the pods cannot be reached through the Service: a wrong rule, or a pod on the same bridge (KPX-17)")
            .fix("--deep reads the rules and settings of that node")
    } else if !pods.is_empty() && answering == pods.len() {
        at(
            Code::KPX_02,
            format!(
                "the DNS pods respond, but the address of their Service does not, on node/{node}"
            ),
        )
        .suspected()
        .blame(suspects.node.clone(), "")
        .fix("restart kube-proxy on that node; --deep reads its rules")
    } else if answering > 0 {
        return one_of_many(symptom, suspects);
    } else if *kind == NameSymptom::Refused {
        at(
            Code::DNS_03,
            "the DNS refuses queries: none of its pods is ready, or the rules of the proxy say so"
                .to_owned(),
        )
        .suspected()
        .blame(suspects.service.clone(), "")
        .fix("check the DNS pods")
    } else if *others_answer == Some(false) {
        at(
            Code::RTE_05,
            format!(
                "neither the DNS nor any other Service responds to {}: nothing leaves node/{node}",
                source.name()
            ),
        )
        .suspected()
        .blame(suspects.node.clone(), "")
        .fix("check that node with --deep: routes, forwarding, firewall")
    } else {
        let zone = &dns.domain;
        at(
            Code::RTE_05,
            format!("no DNS server of {zone} responds to {}", source.name()),
        )
        .suspected()
        .blame(suspects.node.clone(), "")
        .fix("packets to the DNS pods are lost: check the nodes with --deep")
    })
}

/// Whether the source's own node holds something against one Service: that stands against the DNS, too.
fn holds_something(case: &Case<'_, '_>, suspects: &Suspects) -> bool {
    let mut breaks = case.paths().flat_map(|path| &path.breaks);
    breaks.any(|seen| matches!(seen, Break::Node(fault) if fault.at == suspects.node))
}

/// DNS-18: some servers answer, some do not.
fn one_of_many(symptom: &Symptom<'_>, suspects: &Suspects) -> Option<Finding> {
    let Symptom::Name {
        source, servers, ..
    } = symptom
    else {
        return None;
    };
    let pods: Vec<&Server> = servers.iter().filter(|server| !server.is_service).collect();
    let silent: Vec<&&Server> = pods.iter().filter(|server| !server.answers).collect();
    let names: Vec<String> = silent
        .iter()
        .map(|server| {
            server
                .pod
                .clone()
                .unwrap_or_else(|| server.address.to_string())
        })
        .collect();
    let namespace = suspects.service.namespace.clone();
    let object = match (
        silent.as_slice(),
        silent.first().and_then(|server| server.pod.as_ref()),
    ) {
        ([_], Some(pod)) => ObjectRef::new("Pod", namespace, pod.as_str()),
        _ => suspects.service.clone(),
    };
    Some(
        Finding::new(
            Code::DNS_18,
            Stage::Dns,
            format!(
                "{} of {} DNS pods do not respond to {}, so some lookups hang: {}",
                silent.len(),
                pods.len(),
                source.name(),
                list(&names)
            ),
        )
        .blame(object, "")
        .fix("check that pod and its node"),
    )
}

/// An answer, but not the right one.
fn answered(
    kind: &NameSymptom,
    name: &str,
    is_cluster_name: bool,
    symptom: &Symptom<'_>,
    suspects: &Suspects,
) -> Finding {
    let Symptom::Name { control, .. } = symptom else {
        return Finding::new(Code::DNS_10, Stage::Dns, String::new());
    };
    let at = |code, summary: String| Finding::new(code, Stage::Dns, summary);
    let logs = "kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50";
    match kind {
        NameSymptom::Error(rcode) if is_cluster_name => {
            at(Code::DNS_09, format!("the DNS returns {rcode} for a name of the cluster"))
                .blame(suspects.service.clone(), "")
                .fix("check its log: it may lack permission to read Services and EndpointSlices, or not reach the API server")
                .run(logs)
        }
        NameSymptom::Error(rcode) => {
            let finding = at(Code::DNS_11, format!("the DNS returns {rcode} for {name}: its upstream resolver does not work"))
                .blame(suspects.corefile.clone(), "data.Corefile forward")
                .fix("check the forward targets of the Corefile, and whether the DNS pods can reach them")
                .run(logs);
            match control {
                Some(true) => finding.because("cluster names resolve"),
                Some(false) => finding.suspected().because("cluster names do not resolve either"),
                None => finding,
            }
        }
        NameSymptom::NoName if is_cluster_name && *control == Some(false) => {
            at(Code::DNS_10, format!("the DNS resolves no name of the cluster, neither {name} nor that of the API server"))
                .blame(suspects.corefile.clone(), "data.Corefile")
                .fix("check the kubernetes plugin of the Corefile and the zone that it serves")
                .run(logs)
        }
        NameSymptom::NoName if is_cluster_name => {
            at(Code::DNS_20, format!("the DNS does not resolve {name}, which exists in the API"))
                .suspected()
                .blame(suspects.service.clone(), "")
                .because("other cluster names resolve: a name that was queried before it existed is cached as missing for up to 30 s")
                .fix("wait 30 seconds and retry; if it persists, check rewrite and template lines of the Corefile")
        }
        NameSymptom::Wrong(got) => {
            at(Code::DNS_12, format!("{name} resolves to {got}, which is not the address of the Service"))
                .blame(suspects.corefile.clone(), "data.Corefile")
                .fix("check hosts, rewrite and template lines in the Corefile, and other Services of that name")
        }
        NameSymptom::Hijacked(found) => {
            at(Code::DNS_13, format!("{name} resolves as {found}: a search domain of the pod matches every name"))
                .blame(suspects.node.clone(), "search list of resolv.conf")
                .fix("use the name with a final dot, lower ndots, or remove that domain from resolv.conf of the node")
        }
        NameSymptom::NoTcp => {
            at(Code::DNS_16, "the DNS responds over UDP only: answers that do not fit in a packet fail".to_owned())
                .degraded()
                .blame(suspects.service.clone(), "spec.ports")
                .fix("allow TCP 53 to the DNS in policies, firewalls and the Service")
        }
        _ => at(Code::DNS_26, format!("{name} does not exist"))
            .blame(ObjectRef::cluster_wide("Name", name), "")
            .fix("check the name, also from outside the cluster"),
    }
}
