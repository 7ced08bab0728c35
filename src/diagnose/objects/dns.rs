//! Family DNS (and the SRC causes that show up as DNS): names and the servers behind them.

use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::{ends, eps, mc, pol, svc_near};
use crate::causes::Code;
use crate::cluster::access::ServiceExt;
use crate::cluster::{Named, ObjectRef, Pod, Resource};
use crate::diagnose::kubectl::{kubectl, merge_patch};
use crate::diagnose::{Case, Finding, Path, nodes};
use crate::dns::At;
use crate::net::{Family, Protocol};
use crate::path::{DnsTrouble, NameTrouble, Stage};
use crate::shell::{Command, words};
use crate::text::{count, list, nearest};

/// What is wrong with a name.
pub(in crate::diagnose) fn name(case: &Case<'_, '_>, trouble: &NameTrouble<'_>) -> Finding {
    match trouble {
        NameTrouble::NoService { namespace, name } => no_service(case, namespace, name),
        NameTrouble::NothingReady(service) => nothing_ready(case, service),
        NameTrouble::NoHostname { service, hostname } => no_hostname(case, service, hostname),
        NameTrouble::Form(name) => form(case, name),
        NameTrouble::HostAlias { pod, name, address } => Finding::new(
            Code::SRC_09,
            Stage::Dns,
            format!("the hosts file of {} maps {name} to {address}", pod.name()),
        )
        .blame_template(pod, "spec.hostAliases")
        .because(format!(
            "spec.hostAliases maps {name} to {address}; the hosts file takes precedence over DNS"
        ))
        .fix("remove the alias from the pod template")
        .run(edit_maker(pod)),
        NameTrouble::Bypassed { pod, name } => bypassed(pod, name),
        NameTrouble::Search { pod, name, full } => search(pod, name, full),
        NameTrouble::Corefile { at, what, name } => corefile(case, at.as_ref(), what, name),
        NameTrouble::OwnName { pod, name, service } => own_name(pod, name, service),
        NameTrouble::Unserved { name } => unserved(case, name),
        NameTrouble::Domain {
            pod,
            name,
            searched,
        } => other_domain(case, pod, name, searched),
        NameTrouble::ClusterSet(trouble) => mc::trouble(case, trouble),
        NameTrouble::BadAlias {
            service,
            target,
            why,
        } => bad_alias(service, target, why),
    }
}

/// DNS-01, or DNS-02 when a Service of that name is elsewhere.
fn no_service(case: &Case<'_, '_>, namespace: &str, name: &str) -> Finding {
    let services = || case.view.services.iter();
    let elsewhere: Vec<&Service> = services()
        .filter(|service| service.name() == name && service.namespace() != namespace)
        .collect();
    if let Some(first) = elsewhere.first() {
        let places: Vec<String> = elsewhere
            .iter()
            .take(4)
            .map(|service| service.namespace().to_owned())
            .collect();
        return Finding::new(
            Code::DNS_02,
            Stage::Dns,
            format!(
                "{name} does not exist in namespace {namespace}; it exists in {}",
                list(&places)
            ),
        )
        .blame(
            ObjectRef::new("Service", namespace, name),
            "metadata.namespace",
        )
        .because(format!("NXDOMAIN for {name} in {namespace}"))
        .because(format!("{} exists", first.reference()))
        .fix(format!("use the name {name}.{}", first.namespace()));
    }
    let here = services()
        .filter(|service| service.namespace() == namespace)
        .map(Named::name);
    let near_here = nearest(name, here);
    let near_elsewhere = nearest(name, services().map(Named::name));
    let mut finding = Finding::new(
        Code::DNS_01,
        Stage::Dns,
        format!("there is no Service {name} in namespace {namespace}"),
    )
    .blame(ObjectRef::new("Service", namespace, name), "")
    .because(format!("NXDOMAIN for {name} in {namespace}"));
    let others: Vec<String> = services()
        .filter(|service| {
            near_elsewhere.contains(&service.name()) && service.namespace() != namespace
        })
        .map(|service| format!("{}.{}", service.name(), service.namespace()))
        .take(3)
        .collect();
    finding = match (near_here.as_slice(), others.as_slice()) {
        ([], []) => finding
            .fix("create the Service, or correct the name")
            .run(kubectl(namespace, "get svc")),
        ([], others) => finding.fix(format!("did you mean {}?", others.join(" or "))),
        (near, _) => finding.fix(format!("did you mean {}?", near.join(" or "))),
    };
    finding
}

/// DNS-21, unless there is more to it than pods that are not ready.
fn nothing_ready(case: &Case<'_, '_>, service: &Service) -> Finding {
    let object = service.reference();
    let family = service.families().first().copied().unwrap_or(Family::V4);
    let deeper = service
        .ports()
        .first()
        .map(|port| eps::none(case, service, port, family));
    let deeper = match deeper {
        Some(deeper) if deeper.code == Code::EPS_01 => deeper.evidence,
        Some(deeper) => {
            return Finding {
                stage: Stage::Dns,
                ..deeper
            }
            .because("a headless Service has DNS records for ready endpoints only");
        }
        None => Vec::new(),
    };
    let patch = json!({"spec": {"publishNotReadyAddresses": true}});
    Finding::new(Code::DNS_21, Stage::Dns, format!("{} is headless and has no ready pod, so its name does not resolve", service.name()))
        .blame(object.clone(), "spec.clusterIP")
        .because("a headless Service has DNS records for ready endpoints only")
        .because_all(deeper)
        .fix("make its pods ready; peers that must discover each other earlier need publishNotReadyAddresses")
        .run(kubectl(service.namespace(), words!("get endpointslices -l kubernetes.io/service-name={}", service.name())))
        .patch(merge_patch(&object, &patch))
}

/// DNS-22: the records of single pods hang on `serviceName`, or `hostname` and `subdomain`.
fn no_hostname(case: &Case<'_, '_>, service: &Service, hostname: &str) -> Finding {
    let pod = case.view.pods.get(service.namespace(), hostname);
    let set = case
        .view
        .workloads_in(Resource::StatefulSets, service.namespace())
        .find(|set| {
            hostname
                .strip_prefix(set.name())
                .is_some_and(|rest| rest.starts_with('-'))
        });
    let asked = format!("{hostname}.{}", service.name());
    if let Some(set) = set {
        let named = set.service_name.as_deref().unwrap_or_default();
        if named != service.name() {
            return Finding::new(
                Code::DNS_22,
                Stage::Dns,
                format!(
                    "statefulset/{} has serviceName {named:?}, so {asked} does not resolve",
                    set.name()
                ),
            )
            .blame(
                ObjectRef::new("StatefulSet", set.namespace(), set.name()),
                "spec.serviceName",
            )
            .because(format!(
                "{} has no endpoint with hostname {hostname}",
                service.reference()
            ))
            .fix(format!(
                "recreate the StatefulSet with serviceName {} (the field is immutable; --cascade=orphan keeps the pods)",
                service.name()
            ))
            .run(kubectl(
                set.namespace(),
                words!("get sts {} -o yaml", set.name()),
            ));
        }
    }
    let state = match pod {
        Some(pod) if !pod.is_ready() => format!("pod {hostname} is not ready"),
        Some(pod) => format!(
            "pod {hostname} has hostname {:?} and subdomain {:?}",
            pod.spec
                .as_ref()
                .and_then(|spec| spec.hostname.as_deref())
                .unwrap_or_default(),
            pod.spec
                .as_ref()
                .and_then(|spec| spec.subdomain.as_deref())
                .unwrap_or_default()
        ),
        None => format!("there is no pod {hostname} in {}", service.namespace()),
    };
    Finding::new(Code::DNS_22, Stage::Dns, format!("{asked} does not resolve: {state}"))
        .blame(
            pod.map_or_else(|| service.reference(), Pod::reference),
            if pod.is_some() { "spec.subdomain" } else { "" },
        )
        .because(format!("{} has no endpoint with hostname {hostname}", service.reference()))
        .fix(format!("the name resolves when the pod is ready, its hostname is {hostname} and its subdomain (serviceName) is {}", service.name()))
}

/// A name of no form the cluster's DNS knows.
fn form(case: &Case<'_, '_>, name: &str) -> Finding {
    let domain = case.world.dns().domain.clone();
    let clusterset = name.contains("clusterset.local");
    let finding = Finding::new(Code::DNS_01, Stage::Dns, format!("{name} is not a valid Service name"))
        .blame(ObjectRef::cluster_wide("Name", name), "")
        .because(format!("the cluster DNS serves SERVICE.NAMESPACE.svc.{domain} and POD.SERVICE.NAMESPACE.svc.{domain}"));
    if clusterset {
        finding.fix("names of the cluster set are SERVICE.NAMESPACE.svc.clusterset.local")
    } else {
        finding.fix("use SERVICE or SERVICE.NAMESPACE")
    }
}

/// SRC-09 by the pod's own name.
fn own_name(pod: &Pod, name: &str, service: &Service) -> Finding {
    let has_host_name = pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.hostname.is_some());
    let field = if has_host_name {
        "spec.hostname"
    } else {
        "metadata.name"
    };
    let summary = format!(
        "{name} is the host name of the pod itself, so it never reaches Service {}",
        service.name()
    );
    Finding::new(Code::SRC_09, Stage::Dns, summary)
        .blame_template(pod, field)
        .because(format!(
            "its /etc/hosts has its own address for {name}, and is asked before the DNS"
        ))
        .fix(format!(
            "use the name {name}.{}, or give the pod another name",
            service.namespace()
        ))
}

/// SRC-02, or SRC-03 for a hostNetwork pod.
fn bypassed(pod: &Pod, name: &str) -> Finding {
    let policy = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.dns_policy.as_deref())
        .unwrap_or("ClusterFirst");
    let host = pod.is_host_network();
    let (code, want, why) = if host && policy == "ClusterFirst" {
        (
            Code::SRC_03,
            "ClusterFirstWithHostNet",
            "a hostNetwork pod with dnsPolicy ClusterFirst uses the resolver of its node",
        )
    } else {
        let want = if host {
            "ClusterFirstWithHostNet"
        } else {
            "ClusterFirst"
        };
        (
            Code::SRC_02,
            want,
            "it queries nameservers outside the cluster",
        )
    };
    Finding::new(
        code,
        Stage::Dns,
        format!(
            "{} has dnsPolicy {policy} and cannot resolve {name}",
            pod.name()
        ),
    )
    .blame_template(pod, "spec.dnsPolicy")
    .because(format!(
        "spec.dnsPolicy is {policy}, spec.hostNetwork is {host}: {why}"
    ))
    .fix(format!("set dnsPolicy: {want} in the pod template"))
    .run(edit_maker(pod))
}

/// SRC-04.
fn search(pod: &Pod, name: &str, full: &str) -> Finding {
    Finding::new(
        Code::SRC_04,
        Stage::Dns,
        format!(
            "the search list of {} does not expand {name} to {full}",
            pod.name()
        ),
    )
    .blame_template(pod, "spec.dnsConfig")
    .because("dnsConfig overrides ndots or the search list".to_owned())
    .fix(format!(
        "use {full}, or add the cluster search domains to dnsConfig"
    ))
    .run(edit_maker(pod))
}

/// DNS-10: every name of the cluster is asked of the servers outside.
fn unserved(case: &Case<'_, '_>, name: &str) -> Finding {
    let object = corefile_object(case);
    Finding::new(
        Code::DNS_10,
        Stage::Dns,
        format!(
            "the Corefile does not serve the cluster zone, so neither {name} nor any other Service name resolves"
        ),
    )
    .blame(object.clone(), "data.Corefile")
    .because(
        "no server block has the kubernetes plugin: cluster names are forwarded like any other",
    )
    .fix(format!(
        "put `kubernetes {} in-addr.arpa ip6.arpa` back into the root block",
        case.world.dns().domain.clone()
    ))
    .run(kubectl(
        &object.namespace,
        words!("edit configmap {}", object.name),
    ))
}

/// DNS-08.
fn other_domain(case: &Case<'_, '_>, pod: &Pod, name: &str, searched: &str) -> Finding {
    let served = case.world.dns().domain.clone();
    Finding::new(
        Code::DNS_08,
        Stage::Dns,
        format!("{} looks up {name} in {searched}, but the cluster DNS serves {served}", pod.name()),
    )
    .blame(
        ObjectRef::cluster_wide("Node", pod.node_name().unwrap_or_default()),
        "kubelet clusterDomain",
    )
    .because(format!("its resolv.conf searches svc.{searched}"))
    .because(format!("the Corefile serves {served}"))
    .fix(format!("set clusterDomain: {served} in the kubelet configuration, restart the kubelet, and recreate the pods"))
}

/// DNS-12.
fn corefile(case: &Case<'_, '_>, at: Option<&At>, what: &str, name: &str) -> Finding {
    let object = match at {
        Some(at) => case.world.dns().object_of(at),
        None => corefile_object(case),
    };
    let at = at.map_or_else(|| "data.Corefile ".to_owned(), |at| format!("data.{at} "));
    Finding::new(
        Code::DNS_12,
        Stage::Dns,
        format!("the Corefile returns a wrong answer for {name}: {what}"),
    )
    .blame(object.clone(), at.trim_end())
    .because(format!("{at}handles the name before the kubernetes plugin"))
    .fix("correct that block of the Corefile")
    .run(kubectl(
        &object.namespace,
        words!("edit configmap {}", object.name),
    ))
}

/// DNS-23.
fn bad_alias(service: &Service, target: &str, why: &str) -> Finding {
    let object = service.reference();
    let is_address = target.parse::<std::net::IpAddr>().is_ok();
    let finding = Finding::new(
        Code::DNS_23,
        Stage::Dns,
        format!(
            "externalName {target} of {} does not resolve to a host",
            service.name()
        ),
    )
    .blame(object, "spec.externalName")
    .because(why);
    if !is_address && !target.contains(['/', ':', ' ']) {
        finding.fix("use a host name that exists")
    } else if is_address {
        finding.fix("for an IP address, use a Service without a selector and an EndpointSlice")
    } else {
        finding.fix("externalName takes a host name only, without scheme, port or path")
    }
    .run(kubectl(
        service.namespace(),
        words!("edit svc {}", service.name()),
    ))
}

/// Why the DNS servers do not answer the pod.
pub(in crate::diagnose) fn servers(
    case: &Case<'_, '_>,
    path: &Path<'_>,
    trouble: &DnsTrouble<'_>,
) -> Finding {
    match trouble {
        DnsTrouble::NoService => {
            Finding::new(Code::DNS_06, Stage::Dns, "kube-system has no DNS Service")
                .blame(ObjectRef::new("Service", "kube-system", "kube-dns"), "")
                .because("no Service with k8s-app=kube-dns, kube-dns or coredns")
                .fix("reinstall the cluster DNS (the CoreDNS add-on)")
        }
        DnsTrouble::NoPort { service, protocol } => no_port(service, *protocol),
        DnsTrouble::NoEndpoints(service) => no_endpoints(case, service),
        DnsTrouble::WrongServer {
            pod,
            asked,
            service,
        } => {
            let own: Vec<String> = service
                .cluster_ips()
                .iter()
                .map(ToString::to_string)
                .collect();
            Finding::new(Code::DNS_07, Stage::Dns, format!("{} queries {asked}, but the cluster DNS is {}", pod.name(), list(&own)))
                .blame(
                    ObjectRef::cluster_wide("Node", pod.node_name().unwrap_or_default()),
                    "kubelet clusterDNS",
                )
                .because(format!("its resolv.conf has nameserver {asked}"))
                .because(format!("{} has clusterIP {}", service.reference(), list(&own)))
                .fix("correct clusterDNS in the kubelet configuration, restart the kubelet, and recreate the pods")
        }
        DnsTrouble::Denied { first, .. } => pol::dns_denied(case, first),
        DnsTrouble::Node { first, .. } => nodes::cause(case, path, first),
    }
}

/// DNS-06.
fn no_port(service: &Service, protocol: Protocol) -> Finding {
    let object = service.reference();
    let name = match protocol {
        Protocol::Tcp => "dns-tcp",
        _ => "dns",
    };
    let patch = json!([{"op": "add", "path": "/spec/ports/-", "value": {"name": name, "port": 53, "protocol": protocol, "targetPort": 53}}]);
    let effect = match protocol {
        Protocol::Tcp => "answers that do not fit in a UDP packet fail",
        _ => "every lookup fails",
    };
    Finding::new(
        Code::DNS_06,
        Stage::Dns,
        format!("{} has no port 53/{protocol}: {effect}", service.name()),
    )
    .blame(object.clone(), "spec.ports")
    .because(format!(
        "{object} spec.ports is {}",
        crate::path::ports_text(service)
    ))
    .fix("add the port")
    .patch(crate::diagnose::kubectl::json_patch(
        &object, service, &patch,
    ))
}

/// DNS-03, or DNS-04 where the loop plugin said so.
fn no_endpoints(case: &Case<'_, '_>, service: &Service) -> Finding {
    let pods = case.world.dns().pods(case.view);
    let namespace = service.namespace();
    let loops = pods
        .iter()
        .find_map(|pod| loop_message(pod).map(|message| (*pod, message)));
    if let Some((pod, message)) = loops {
        return Finding::new(Code::DNS_04, Stage::Dns, "CoreDNS forwards to itself and exits")
            .blame(corefile_object(case), "data.Corefile forward")
            .because(format!("{}: {message}", pod.reference()))
            .fix("forward to another resolver, or set resolvConf of the kubelet to /run/systemd/resolve/resolv.conf")
            .run(kubectl(namespace, "edit configmap coredns"));
    }
    let workload = case
        .view
        .workloads_in(Resource::Deployments, namespace)
        .find(|deployment| {
            let template = deployment.template.as_ref();
            let labels = template.and_then(|template| template.metadata.labels.as_ref());
            labels
                .zip(service.selector())
                .is_some_and(|(labels, selector)| selector.matches(labels))
        });
    let is_whole = |resource| case.view.holds_all(resource, namespace);
    if pods.is_empty()
        && workload.is_none()
        && is_whole(Resource::Pods)
        && is_whole(Resource::Deployments)
        && let Some(selector) = service.selector()
    {
        return Finding {
            code: Code::DNS_06,
            stage: Stage::Dns,
            ..svc_near::selector_misses(case, service, &selector)
        }
        .because("no name resolves in the cluster");
    }
    let scaled_to_zero = workload.is_some_and(|workload| workload.replicas == Some(0));
    let summary = match pods.len() {
        0 if scaled_to_zero => {
            "the cluster DNS is scaled to 0: no name resolves in the cluster".to_owned()
        }
        0 => "the cluster DNS has no pod: no name resolves in the cluster".to_owned(),
        some => format!(
            "none of {} of the cluster DNS is ready: no name resolves in the cluster",
            count(some, "pod")
        ),
    };
    let object = workload.map_or_else(
        || service.reference(),
        |workload| ObjectRef::new("Deployment", namespace, workload.name()),
    );
    let mut finding = Finding::new(Code::DNS_03, Stage::Dns, summary)
        .blame(
            object.clone(),
            if scaled_to_zero { "spec.replicas" } else { "" },
        )
        .because(format!(
            "{} has no ready endpoint for port 53/UDP",
            service.reference()
        ));
    for pod in pods.iter().take(3) {
        finding = finding.because(format!(
            "{}: {}",
            pod.reference(),
            super::src::why_down(pod).0
        ));
    }
    if scaled_to_zero {
        finding.fix("scale it up").run(kubectl(
            namespace,
            words!("scale deployment {} --replicas=2", object.name),
        ))
    } else {
        finding
            .fix("check its pods")
            .run(kubectl(namespace, "describe pods -l k8s-app=kube-dns"))
            .run(kubectl(namespace, "logs -l k8s-app=kube-dns --previous"))
    }
}

/// What the `loop` plugin says when it ends CoreDNS.
fn loop_message(pod: &Pod) -> Option<String> {
    pod.container_statuses().into_iter().find_map(|status| {
        let ended = status.last_state.as_ref()?.terminated.as_ref()?;
        let message = ended.message.as_deref()?;
        message
            .contains("plugin/loop")
            .then(|| message.trim().to_owned())
    })
}

/// The ConfigMap with the Corefile.
pub(in crate::diagnose) fn corefile_object(case: &Case<'_, '_>) -> ObjectRef {
    let config = case.world.dns().config;
    config.map_or_else(
        || ObjectRef::new("ConfigMap", "kube-system", "coredns"),
        |config| ObjectRef::new("ConfigMap", config.namespace(), config.name()),
    )
}

/// A command that opens whatever makes the pod: its own spec cannot be changed.
fn edit_maker(pod: &Pod) -> Command {
    let maker = ends::maker(pod);
    let kind = maker.kind.to_lowercase();
    let rest = if kind == "pod" {
        words!("get pod {} -o yaml", maker.name)
    } else {
        words!("edit {} {}", kind, maker.name)
    };
    kubectl(pod.namespace(), rest)
}
