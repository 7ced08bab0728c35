//! A name that does not come out as it should.

use super::super::{Case, Finding};
use super::measured;
use crate::cluster::access::PodExt;
use crate::cluster::{Named, ObjectRef};
use crate::confirm::{NameSymptom, Symptom};
use crate::dns::ClusterDns;
use crate::path::Stage;

/// The cause, from what each server said.
pub(super) fn cause(case: Case<'_, '_>, symptom: &Symptom<'_>) -> Finding {
    let Symptom::Name {
        source,
        name,
        kind,
        replies,
        servers,
        others_answer,
    } = symptom
    else {
        return Finding::new("DNS-11", Stage::Dns, String::new());
    };
    let dns = ClusterDns::of(case.view);
    let is_cluster_name = name.ends_with(&dns.domain);
    let node = source.node_name().unwrap_or("its node");
    let at_node = ObjectRef::cluster_wide("Node", node);
    let corefile = dns.config.map_or_else(
        || ObjectRef::new("ConfigMap", "kube-system", "coredns"),
        |config| ObjectRef::new("ConfigMap", config.namespace(), config.name()),
    );
    let finding = match kind {
        NameSymptom::Silent | NameSymptom::Refused if *others_answer == Some(false) => Finding::new(
            "KPX-01",
            Stage::Dns,
            format!("no Service address works from node {node}, so no name resolves there"),
        )
        .blame(at_node, "")
        .because("other Services do not answer either: it is the proxy, not the DNS")
        .fix("look at kube-proxy on that node"),
        NameSymptom::Silent | NameSymptom::Refused if servers.0 > 0 && servers.1 == servers.0 => {
            Finding::new("KPX-02", Stage::Dns, format!("the DNS pods answer, their Service's address does not, on node {node}"))
                .suspected()
                .blame(at_node, "")
                .fix("restart kube-proxy on that node; --deep reads its rules")
        }
        NameSymptom::Silent | NameSymptom::Refused if servers.1 > 0 => {
            Finding::new("DNS-18", Stage::Dns, format!("{} of {} DNS pods do not answer {}", servers.0 - servers.1, servers.0, source.name()))
                .blame(dns_service(&dns), "")
                .fix("look at that pod and its node")
        }
        NameSymptom::Silent => Finding::new("RTE-05", Stage::Dns, format!("no DNS server answers {}", source.name()))
            .suspected()
            .blame(at_node, "")
            .fix("packets to the DNS pods vanish: look at the nodes with --deep"),
        NameSymptom::Refused => Finding::new("DNS-03", Stage::Dns, "the DNS servers refuse: none of them is ready, or the proxy thinks so")
            .suspected()
            .blame(dns_service(&dns), "")
            .fix("look at the DNS pods"),
        NameSymptom::Error(rcode) if is_cluster_name => {
            Finding::new("DNS-09", Stage::Dns, format!("the DNS answers {rcode} for a name of the cluster"))
                .blame(dns_service(&dns), "")
                .fix("see its log: it may not be allowed to read Services and EndpointSlices, or not reach the API server")
                .run("kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50")
        }
        NameSymptom::Error(rcode) => Finding::new("DNS-11", Stage::Dns, format!("the DNS answers {rcode} for {name}: its upstream resolver does not work"))
            .blame(corefile, "data.Corefile forward")
            .fix("check the forward targets of the Corefile, and whether the DNS pods may reach them")
            .run("kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50"),
        NameSymptom::NoName if is_cluster_name => {
            Finding::new("DNS-10", Stage::Dns, format!("the DNS does not know {name}, which the API says exists"))
                .suspected()
                .blame(corefile, "data.Corefile")
                .fix("a Service made a moment ago may be cached as missing for 30 s; else look at the kubernetes plugin of the Corefile")
        }
        NameSymptom::NoName => Finding::new("DNS-26", Stage::Dns, format!("{name} does not exist"))
            .blame(ObjectRef::cluster_wide("Name", name.as_str()), "")
            .fix("check the name; ask it from outside the cluster, too"),
        NameSymptom::Wrong(got) => Finding::new("DNS-12", Stage::Dns, format!("{name} resolves to {got}, which is not the Service's address"))
            .blame(corefile, "data.Corefile")
            .fix("look for hosts, rewrite and template lines in the Corefile, and for another Service of that name"),
        NameSymptom::Sometimes => Finding::new(
            "DNS-18",
            Stage::Dns,
            format!("{} of {} DNS pods do not answer {}: lookups hang now and then", servers.0 - servers.1, servers.0, source.name()),
        )
        .degraded()
        .blame(dns_service(&dns), "")
        .fix("look at that pod and its node"),
        NameSymptom::NoTcp => Finding::new(
            "DNS-16",
            Stage::Dns,
            "the DNS answers over UDP only: answers that do not fit a packet fail",
        )
        .degraded()
        .blame(dns_service(&dns), "spec.ports")
        .fix("allow TCP 53 to the DNS in policies, firewalls and the Service"),
    };
    let confidence = finding.confidence;
    let finding = measured(finding);
    let finding = if confidence == super::super::Confidence::Suspected {
        finding.suspected()
    } else {
        finding
    };
    let finding = replies
        .iter()
        .take(4)
        .fold(finding, |finding, reply| finding.because(reply.clone()));
    finding.because(format!("asked by {}", source.reference()))
}

fn dns_service(dns: &ClusterDns<'_>) -> ObjectRef {
    dns.service.map_or_else(
        || ObjectRef::new("Service", "kube-system", "kube-dns"),
        crate::cluster::access::ServiceExt::reference,
    )
}
