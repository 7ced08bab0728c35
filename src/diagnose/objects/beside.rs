//! What is wrong or odd on the path without stopping every packet.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;

use super::{ends, eps, pol_idle};
use crate::causes::Code;
use crate::cluster::access::{EndpointExt, NodeExt, ServiceExt, SliceExt};
use crate::cluster::{Named, ObjectRef, Pod};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::path::{Break, Path, Stage, class_name, ingress_reference, slices};
use crate::resolve::Place;
use crate::text::{count, list};

/// Everything found beside the breaks.
pub(in crate::diagnose) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(shared_addresses(case));
    found.extend(overlapping_ranges(case));
    for service in ends::services(case) {
        found.extend(unnamed_port_on_some(case, service));
        found.extend(behind_stale(case, service));
    }
    if let Place::Service { service, address } = &case.flow.destination.place {
        found.extend(captured_address(case, service, *address));
    }
    if let Place::Ingress(ingress) = &case.flow.destination.place {
        found.extend(same_rule_twice(case, ingress));
    }
    found.extend(flapping(case));
    found.extend(resolver_limits(case));
    found.extend(pol_idle::findings(case, &ends::pods(case)));
    found
}

/// EPS-13: an address that two running pods show.
fn shared_addresses(case: &Case<'_, '_>) -> Vec<Finding> {
    let mut owners: BTreeMap<IpAddr, Vec<&Pod>> = BTreeMap::new();
    for pod in case.view.pods.iter() {
        if !pod.is_host_network() && !pod.is_finished() {
            for ip in pod.ips() {
                owners.entry(ip).or_default().push(pod);
            }
        }
    }
    let mut found = Vec::new();
    for (pod, stage) in ends::pods(case) {
        for ip in pod.ips().iter().filter(|_| !pod.is_host_network()) {
            let Some(own) = owners.get(ip).filter(|own| own.len() > 1) else {
                continue;
            };
            let names: Vec<String> = own
                .iter()
                .map(|pod| format!("{}/{}", pod.namespace(), pod.name()))
                .collect();
            found.push(
                Finding::new(
                    Code::EPS_13,
                    stage,
                    format!("{} share the address {ip}", list(&names)),
                )
                .degraded()
                .blame(pod.reference(), "status.podIPs")
                .because(format!("packets to {ip} reach either of them"))
                .fix("find out why the CNI assigned the address twice, then delete the pods to get new addresses")
                .run(kubectl(
                    pod.namespace(),
                    format!("delete pod {}", pod.name()),
                )),
            );
        }
    }
    found
}

/// RTE-16: two nodes whose pod ranges overlap, one of them on the path.
fn overlapping_ranges(case: &Case<'_, '_>) -> Vec<Finding> {
    let on_path: Vec<&str> = ends::pods(case)
        .iter()
        .filter_map(|(pod, _)| pod.node_name())
        .collect();
    let mut found = Vec::new();
    for node in case
        .view
        .nodes
        .iter()
        .filter(|node| on_path.contains(&node.name()))
    {
        for other in case
            .view
            .nodes
            .iter()
            .filter(|other| other.name() != node.name())
        {
            let overlap = node.pod_cidrs().into_iter().find_map(|own| {
                let others = other.pod_cidrs().into_iter();
                let mut overlapping =
                    others.filter(|range| range.contains(&own) || own.contains(range));
                overlapping.next().map(|range| (own, range))
            });
            let Some((own, theirs)) = overlap else {
                continue;
            };
            // Said once for a pair, however often both are on the path.
            if on_path.contains(&other.name()) && other.name() < node.name() {
                continue;
            }
            found.push(
                Finding::new(
                    Code::RTE_16,
                    Stage::Route,
                    format!(
                        "nodes {} and {} have overlapping pod ranges {own} and {theirs}",
                        node.name(),
                        other.name()
                    ),
                )
                .degraded()
                .blame(node.reference(), "spec.podCIDRs")
                .because("packets for addresses in both ranges go to the node that the route names")
                .fix("drain one of the nodes, remove it from the cluster, and join it again"),
            );
        }
    }
    found
}

/// Stale endpoints hide that the Service has no other: why that is, is a cause of its own.
fn behind_stale(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let leads_here = |path: &&Path<'_>| {
        path.service
            .is_some_and(|own| own.reference() == service.reference())
    };
    let ways: Vec<&Path<'_>> = case.paths().filter(leads_here).collect();
    let is_stale = |path: &&Path<'_>| {
        path.breaks
            .iter()
            .any(|seen| matches!(seen, Break::StaleEndpoint { .. }))
    };
    let port = service.ports().first()?;
    let family = *service.families().first()?;
    (!ways.is_empty() && ways.iter().all(is_stale)).then(|| eps::none(case, service, port, family))
}

/// SVC-05: endpoints without a number for the named port.
fn unnamed_port_on_some(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let mut with = 0;
    let mut without: Vec<&str> = Vec::new();
    for slice in slices(case.view, service) {
        let endpoints = slice
            .endpoints
            .iter()
            .flatten()
            .filter(|endpoint| endpoint.is_ready())
            .filter(|endpoint| {
                let name = endpoint.pod_name();
                name.is_none_or(|name| case.view.pods.get(service.namespace(), name).is_some())
            });
        let is_named = service.ports().iter().all(|port| {
            let protocol = crate::cluster::access::ServicePortExt::protocol(port);
            !slice
                .port_numbers(port.name.as_deref().unwrap_or_default(), protocol)
                .is_empty()
        });
        for endpoint in endpoints {
            if is_named {
                with += 1;
            } else {
                without.extend(endpoint.pod_name());
            }
        }
    }
    let first = without.first()?;
    (with > 0).then(|| {
        Finding::new(
            Code::SVC_05,
            Stage::Endpoints,
            format!(
                "{} sends no traffic to {} lacking a port of the Service",
                service.name(),
                count(without.len(), "pod")
            ),
        )
        .degraded()
        .blame(
            ObjectRef::new("Pod", service.namespace(), *first),
            "spec.containers[].ports",
        )
        .because(format!("without the port: {}", list(&without)))
        .because(format!("{} with the port", count(with, "endpoint")))
        .fix("name the port in every version of the pods")
    })
}

/// SVC-15: an external IP that belongs to somebody else.
fn captured_address(
    case: &Case<'_, '_>,
    service: &Service,
    address: Option<IpAddr>,
) -> Option<Finding> {
    let external = service.spec.as_ref()?.external_ips.as_ref()?;
    let asked = address.map(|addr| addr.to_string());
    let owner = external.iter().find_map(|ip| {
        let addr: IpAddr = ip.parse().ok()?;
        let node = case
            .view
            .nodes
            .iter()
            .find(|node| node.addresses().contains(&addr))?;
        Some((ip, node.name()))
    });
    let (ip, node) = owner?;
    let finding = Finding::new(
        Code::SVC_15,
        Stage::Service,
        format!(
            "{} claims {ip}, which is the address of node/{node}",
            service.name()
        ),
    )
    .blame(service.reference(), "spec.externalIPs")
    .because(format!(
        "every node redirects packets for {ip} on the ports of the Service to its endpoints"
    ))
    .fix("remove the address from externalIPs")
    .run(kubectl(
        service.namespace(),
        format!("edit svc {}", service.name()),
    ));
    Some(if asked.as_ref() == Some(ip) {
        finding.degraded()
    } else {
        finding.notice()
    })
}

/// ING-09: another Ingress of the class with the same host and path.
fn same_rule_twice(
    case: &Case<'_, '_>,
    ingress: &k8s_openapi::api::networking::v1::Ingress,
) -> Vec<Finding> {
    let rules = |ingress: &k8s_openapi::api::networking::v1::Ingress| -> Vec<(String, String)> {
        let spec = ingress.spec.iter();
        spec.flat_map(|spec| spec.rules.clone().unwrap_or_default())
            .flat_map(|rule| {
                let host = rule.host.unwrap_or_default();
                let paths = rule.http.map(|http| http.paths).unwrap_or_default();
                paths
                    .into_iter()
                    .map(move |path| (host.clone(), path.path.unwrap_or_else(|| "/".to_owned())))
            })
            .collect()
    };
    let own = rules(ingress);
    let class = class_name(case.view, ingress);
    let others = case.view.ingresses.iter().filter(|other| {
        ingress_reference(other) != ingress_reference(ingress)
            && class_name(case.view, other) == class
    });
    others
        .filter_map(|other| {
            let (host, path) = rules(other).into_iter().find(|rule| own.contains(rule))?;
            let object = ingress_reference(other);
            // A canary shares its rule on purpose (ingress-nginx).
            let canary = "nginx.ingress.kubernetes.io/canary";
            let is_canary = |ingress: &k8s_openapi::api::networking::v1::Ingress| {
                ingress
                    .metadata
                    .annotations
                    .as_ref()
                    .is_some_and(|all| all.contains_key(canary))
            };
            (!is_canary(other) && !is_canary(ingress)).then(|| {
                Finding::new(
                    Code::ING_09,
                    Stage::Ingress,
                    format!("{host}{path} is also a rule of {object}: one of them is ignored"),
                )
                .degraded()
                .blame(object.clone(), "spec.rules")
                .because(format!(
                    "both have class {}",
                    class.as_deref().unwrap_or("(none)")
                ))
                .fix("remove one of the rules; most controllers use the older one")
            })
        })
        .collect()
}

/// EPS-11: a backend that keeps restarting: its last end was a moment before it last started.
fn flapping(case: &Case<'_, '_>) -> Vec<Finding> {
    let backends = ends::pods(case)
        .into_iter()
        .filter(|(_, stage)| *stage == Stage::Destination);
    backends
        .filter_map(|(pod, stage)| {
            let now = case.view.taken_at?;
            let status = pod.container_statuses().into_iter().find(|status| {
                let ended = status
                    .last_state
                    .as_ref()
                    .and_then(|state| state.terminated.as_ref());
                let finished = ended.and_then(|ended| ended.finished_at.as_ref());
                let age = finished.map(|time| now.as_second() - time.0.as_second());
                status.restart_count >= 3 && age.is_some_and(|seconds| (0..600).contains(&seconds))
            })?;
            let ended = status.last_state.as_ref()?.terminated.as_ref()?;
            let reason = ended.reason.as_deref().unwrap_or("unknown reason");
            Some(
                Finding::new(
                    Code::EPS_11,
                    stage,
                    format!(
                        "{} keeps restarting ({reason}): connections are refused in bursts",
                        pod.name()
                    ),
                )
                .degraded()
                .blame(pod.reference(), "status.containerStatuses")
                .because(format!(
                    "container {} restarted {} times, last ended with {reason} (exit {})",
                    status.name, status.restart_count, ended.exit_code
                ))
                .fix("find out why it terminates: memory limit, liveness probe, or the application")
                .run(kubectl(
                    pod.namespace(),
                    format!("logs {} --previous -c {}", pod.name(), status.name),
                )),
            )
        })
        .collect()
}

/// DNS-24: the kubelet said that it cut the resolver configuration.
fn resolver_limits(case: &Case<'_, '_>) -> Option<Finding> {
    let sources = ends::pods(case)
        .into_iter()
        .filter(|(_, stage)| *stage == Stage::Source);
    sources.into_iter().find_map(|(pod, _)| {
        let event = case
            .view
            .events
            .in_namespace(pod.namespace())
            .find(|event| {
                event.reason.as_deref() == Some("DNSConfigForming")
                    && event.involved_object.name.as_deref() == Some(pod.name())
            })?;
        Some(
            Finding::new(
                Code::DNS_24,
                Stage::Dns,
                format!(
                    "the resolver configuration of {} was truncated: some names may never resolve",
                    pod.name()
                ),
            )
            .degraded()
            .blame(
                ObjectRef::cluster_wide("Node", pod.node_name().unwrap_or_default()),
                "/etc/resolv.conf",
            )
            .because(event.message.clone().unwrap_or_default())
            .fix("keep at most 3 nameservers and 32 search domains on the node and in dnsConfig"),
        )
    })
}
