//! Family EPS (and the SVC causes that show up as missing endpoints): why a Service leads nowhere.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::{eps_ready, mc, svc_near};
use crate::causes::Code;
use crate::cluster::access::{
    EndpointExt, MIRRORED, SERVICE_NAME, ServiceExt, ServicePortExt, SliceExt, target_port,
};
use crate::cluster::multicluster::mirrored_from;
use crate::cluster::{Container, Named, ObjectRef, Pod, Resource, Selector};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::net::Family;
use crate::path::{Stage, resolve_port, selected, slices};
use crate::resolve::template_labels;
use crate::shell::words;
use crate::text::{count, list};

/// Why a Service has no endpoint for a port and family: the deepest cause that the objects show.
pub(in crate::diagnose) fn none(
    case: &Case<'_, '_>,
    service: &Service,
    port: &ServicePort,
    family: Family,
) -> Finding {
    let Some(selector) = service.selector() else {
        if let Some(cluster) = mirrored_from(service) {
            return mc::mirror_without_endpoints(service, cluster);
        }
        return by_hand(case, service, port);
    };
    let namespace = service.namespace();
    if let Some(unread) = case.view.unread(Resource::Pods, namespace) {
        return without_sight(case, service, family)
            .because(format!("{} {}", unread.what, unread.why))
            .fix(format!("needs {} to say more", unread.grant));
    }
    let pods: Vec<&Pod> = selected(case.view, service).collect();
    if pods.is_empty() {
        return without_pods(case, service, &selector);
    }
    let with_address: Vec<&Pod> = pods
        .iter()
        .copied()
        .filter(|pod| !pod.ips().is_empty())
        .collect();
    if !with_address.is_empty() && with_address.iter().all(|pod| pod.ip(family).is_none()) {
        return wrong_family(service, family, &with_address);
    }
    let target = target_port(port);
    if let IntOrString::String(name) = &target
        && pods
            .iter()
            .all(|pod| resolve_port(pod, &target, port.protocol()).is_none())
    {
        return unknown_name(service, port, name, &pods);
    }
    if let IntOrString::String(name) = &target
        && let Some(container) = sidecar_alone(case, service, name, &pods)
    {
        return name_of_a_sidecar(service, port, name, (&pods, container));
    }
    eps_ready::none_ready(case, service, &pods)
}

/// The sidecar that alone declares a named port, where the slices list the pods and not the port: their
/// controller passes sidecars over (before 1.32, kubernetes/kubernetes#127958).
fn sidecar_alone<'v>(
    case: &Case<'_, '_>,
    service: &Service,
    name: &str,
    pods: &[&'v Pod],
) -> Option<&'v str> {
    let declares = |container: &&Container| {
        let mut ports = container.ports.iter().flatten();
        ports.any(|port| port.name.as_deref() == Some(name))
    };
    let in_sidecars = |pod: &&'v Pod| {
        let spec = pod.spec.as_ref()?;
        let is_ordinary = spec.containers.iter().any(|one| declares(&one));
        let mut sidecars = spec.init_containers.iter().flatten();
        sidecars.find(declares).filter(|_| !is_ordinary)
    };
    let sidecar = pods.first().and_then(in_sidecars)?;
    let is_in_all = pods.iter().all(|pod| in_sidecars(pod).is_some());
    let mut endpoints =
        slices(case.view, service).flat_map(|slice| slice.endpoints.iter().flatten());
    (is_in_all && endpoints.any(EndpointExt::is_ready)).then_some(sidecar.name.as_str())
}

/// SVC-04 by a port that only a sidecar names.
fn name_of_a_sidecar(
    service: &Service,
    port: &ServicePort,
    name: &str,
    (pods, container): (&[&Pod], &str),
) -> Finding {
    let object = service.reference();
    let index = service
        .ports()
        .iter()
        .position(|own| own == port)
        .unwrap_or_default();
    let number = pods
        .first()
        .and_then(|pod| pod.named_port(name, port.protocol()));
    let finding = Finding::new(
        Code::SVC_04,
        Stage::Endpoints,
        format!(
            "targetPort {name:?} of {} is declared only by the sidecar {container}, which the endpoint controller of this cluster ignores",
            service.name()
        ),
    )
    .blame(object.clone(), format!("spec.ports[{index}].targetPort"))
    .because(format!("its slices list {} and no port", count(pods.len(), "pod")))
    .because("ports of native sidecars (init containers with restartPolicy Always) count since Kubernetes 1.32");
    let Some(number) = number else {
        return finding.fix("use the number of the port");
    };
    let patch = json!([{"op": "replace", "path": format!("/spec/ports/{index}/targetPort"), "value": number}]);
    finding
        .fix("use the number of the port")
        .patch(crate::diagnose::kubectl::json_patch(
            &object, service, &patch,
        ))
}

/// What the slices alone tell where pods may not be read. That the Service leads nowhere is proved; a pod
/// that is not ready is listed as such, one that does not exist is not listed, nor is one without an
/// address.
fn without_sight(case: &Case<'_, '_>, service: &Service, family: Family) -> Finding {
    let of_family = slices(case.view, service).filter(|slice| slice.family() == Some(family));
    let listed: Vec<bool> = of_family
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .map(EndpointExt::is_ready)
        .collect();
    let name = service.name();
    let finding = |code, summary, fact| {
        Finding::new(code, Stage::Endpoints, summary)
            .blame(service.reference(), "")
            .because(fact)
    };
    if listed.is_empty() {
        let summary = format!("{name} has no endpoints; it seems to select no pod");
        return finding(
            Code::SVC_01,
            summary,
            "its EndpointSlices list no endpoints".to_owned(),
        )
        .suspected();
    }
    let all = count(listed.len(), "endpoint");
    if listed.contains(&true) {
        let summary = format!("the endpoints of {name} do not have the port");
        return finding(
            Code::SVC_04,
            summary,
            format!("its EndpointSlices list {all} without the port"),
        )
        .suspected();
    }
    let fact = format!("its EndpointSlices list {all}, none of them ready");
    finding(
        Code::EPS_01,
        format!("no endpoint of {name} is ready"),
        fact,
    )
}

/// No pod carries the labels: a controller at zero, pods elsewhere, or a selector that misses.
fn without_pods(case: &Case<'_, '_>, service: &Service, selector: &Selector) -> Finding {
    let namespace = service.namespace();
    let maker =
        template_labels(case.view, namespace).find(|(_, _, labels, _)| selector.matches(labels));
    if let Some((kind, name, _, replicas)) = maker {
        let object = ObjectRef::new(kind.resource().kind(), namespace, name);
        return no_replica(case, &object, replicas, Some(service));
    }
    let elsewhere: Vec<&Pod> = case
        .view
        .pods
        .iter()
        .filter(|pod| {
            pod.namespace() != namespace && !pod.is_finished() && selector.matches(pod.labels())
        })
        .collect();
    if let Some(first) = elsewhere.first() {
        return in_another_namespace(service, selector, first.namespace(), elsewhere.len());
    }
    svc_near::selector_misses(case, service, selector)
}

/// EPS-03.
fn no_replica(
    case: &Case<'_, '_>,
    object: &ObjectRef,
    replicas: Option<i32>,
    service: Option<&Service>,
) -> Finding {
    let kind = object.kind.to_lowercase();
    let for_whom = service.map_or_else(String::new, |service| {
        format!(", so {} has no endpoints", service.name())
    });
    if replicas == Some(0) {
        return Finding::new(
            Code::EPS_03,
            Stage::Endpoints,
            format!("{kind} {} is scaled to 0{for_whom}", object.name),
        )
        .blame(object.clone(), "spec.replicas")
        .because(format!("{object} spec.replicas is 0"))
        .fix("scale it up, unless it is scaled down on purpose")
        .run(kubectl(
            &object.namespace,
            words!("scale {} {} --replicas=1", kind, object.name),
        ));
    }
    let failure = replica_failure(case, object);
    let finding = Finding::new(
        Code::EPS_03,
        Stage::Endpoints,
        format!("{kind} {} has no pod{for_whom}", object.name),
    )
    .blame(object.clone(), "status.conditions");
    let finding = match failure {
        Some(message) => finding.because(message),
        None => finding.because(format!(
            "{object} requires {} and has none",
            replicas.map_or_else(
                || "pods".to_owned(),
                |wanted| count(usize::try_from(wanted).unwrap_or_default(), "pod")
            )
        )),
    };
    finding
        .fix("find out why it cannot create pods (quota, admission, missing ServiceAccount)")
        .run(kubectl(
            &object.namespace,
            words!("describe {} {}", kind, object.name),
        ))
}

/// The message of a `ReplicaFailure` condition of the workload or of a ReplicaSet it made.
fn replica_failure(case: &Case<'_, '_>, object: &ObjectRef) -> Option<String> {
    let view = case.view;
    let (namespace, name) = (&object.namespace, &object.name);
    let of_deployment = view
        .workload(Resource::Deployments, namespace, name)
        .and_then(|deployment| deployment.replica_failure.clone());
    let of_set = || {
        view.workloads_in(Resource::ReplicaSets, namespace)
            .filter(|set| set.name().starts_with(name))
            .find_map(|set| set.replica_failure.clone())
    };
    let of_event = || {
        let events = view.events.in_namespace(&object.namespace);
        events
            .filter(|event| event.reason.as_deref() == Some("FailedCreate"))
            .find(|event| {
                event
                    .involved_object
                    .name
                    .as_deref()
                    .is_some_and(|name| name.starts_with(&object.name))
            })
            .and_then(|event| event.message.clone())
    };
    of_deployment.or_else(of_set).or_else(of_event)
}

/// A destination workload without any pod.
pub(in crate::diagnose) fn no_pod(case: &Case<'_, '_>, object: &ObjectRef) -> Finding {
    let replicas = template_labels(case.view, &object.namespace)
        .find(|(kind, name, _, _)| kind.resource().kind() == object.kind && *name == object.name)
        .and_then(|(_, _, _, replicas)| replicas);
    no_replica(case, object, replicas, None)
}

/// SVC-02.
fn in_another_namespace(
    service: &Service,
    selector: &Selector,
    namespace: &str,
    pods: usize,
) -> Finding {
    Finding::new(
        Code::SVC_02,
        Stage::Endpoints,
        format!("the pods that {} would select are in namespace {namespace}, not in {}", service.name(), service.namespace()),
    )
    .blame(service.reference(), "metadata.namespace")
    .because(format!("{} with {selector} in {namespace}, none in {}", count(pods, "pod"), service.namespace()))
    .fix(format!("a selector matches pods of its own namespace only: create the Service in {namespace}, or an ExternalName Service here"))
    .run(kubectl(namespace, words!("get pods -l {}", selector)))
}

/// SVC-13.
fn wrong_family(service: &Service, family: Family, pods: &[&Pod]) -> Finding {
    let other = if family == Family::V4 {
        Family::V6
    } else {
        Family::V4
    };
    let object = service.reference();
    Finding::new(
        Code::SVC_13,
        Stage::Endpoints,
        format!(
            "{} serves {family}, but its pods have {other} addresses only",
            service.name()
        ),
    )
    .blame(object.clone(), "spec.ipFamilies")
    .because(format!(
        "{} selected, none with an {family} address",
        count(pods.len(), "pod")
    ))
    .fix(format!(
        "give its pods {family}, or recreate the Service with ipFamilies [{other}] (the first family is immutable)"
    ))
    .run(kubectl(
        &object.namespace,
        words!("get svc {} -o yaml", object.name),
    ))
}

/// SVC-04.
fn unknown_name(service: &Service, port: &ServicePort, name: &str, pods: &[&Pod]) -> Finding {
    let object = service.reference();
    let index = service
        .ports()
        .iter()
        .position(|own| own == port)
        .unwrap_or_default();
    let mut known: Vec<String> = pods
        .iter()
        .flat_map(|pod| pod.declared_ports())
        .filter_map(|port| Some(format!("{} ({})", port.name.as_ref()?, port.container_port)))
        .collect();
    known.sort_unstable();
    known.dedup();
    let finding = Finding::new(
        Code::SVC_04,
        Stage::Endpoints,
        format!(
            "targetPort {name:?} of {} is not the name of a port of its pods",
            service.name()
        ),
    )
    .blame(object.clone(), format!("spec.ports[{index}].targetPort"))
    .because(format!(
        "{} selected, none has a container port named {name} for {}",
        count(pods.len(), "pod"),
        port.protocol()
    ));
    match known.first() {
        Some(first) => {
            let own = first.split(' ').next().unwrap_or_default();
            let patch = json!([{"op": "replace", "path": format!("/spec/ports/{index}/targetPort"), "value": own}]);
            finding
                .because(format!("they have {}", list(&known)))
                .fix("use a port name that the pods have, or the number")
                .patch(crate::diagnose::kubectl::json_patch(
                    &object, service, &patch,
                ))
        }
        None => finding.because("they name no port").fix(format!(
            "name the container port {name}, or use its number as targetPort"
        )),
    }
}

/// EPS-05: a Service without selector lives on slices that somebody writes.
fn by_hand(case: &Case<'_, '_>, service: &Service, port: &ServicePort) -> Finding {
    let namespace = service.namespace();
    let named_alike = case
        .view
        .endpoint_slices
        .in_namespace(namespace)
        .find(|slice| {
            slice.service_name() != Some(service.name()) && slice.name().starts_with(service.name())
        });
    let own: Vec<&EndpointSlice> = slices(case.view, service).collect();
    if let Some(slice) = own.first() {
        return unusable_slice(service, port, slice);
    }
    let finding = |summary: String, object: ObjectRef, field: &str| {
        Finding::new(Code::EPS_05, Stage::Endpoints, summary).blame(object, field)
    };
    match named_alike {
        Some(slice) => {
            let object = ObjectRef::new("EndpointSlice", namespace, slice.name());
            let label = words!(
                "label endpointslice {} {}={} --overwrite",
                slice.name(),
                SERVICE_NAME,
                service.name()
            );
            finding(
                format!(
                    "endpointslice/{} does not have the label of service/{}",
                    slice.name(),
                    service.name()
                ),
                object,
                "metadata.labels",
            )
            .because(format!(
                "an EndpointSlice belongs to a Service by the label {SERVICE_NAME}, not by its name"
            ))
            .fix("add the label")
            .run(kubectl(namespace, label))
        }
        None => finding(
            format!("{} has no selector and no EndpointSlice", service.name()),
            service.reference(),
            "spec.selector",
        )
        .because("nothing defines its endpoints")
        .fix(format!(
            "add a selector, or create an EndpointSlice with the label {SERVICE_NAME}={}",
            service.name()
        )),
    }
}

/// What somebody changes to change a slice: the Endpoints it is mirrored from, else itself.
fn origin(service: &Service, slice: &EndpointSlice) -> ObjectRef {
    let is_mirrored = slice.managed_by() == Some(MIRRORED) && service.selector().is_none();
    let (kind, name) = if is_mirrored {
        ("Endpoints", service.name())
    } else {
        ("EndpointSlice", slice.name())
    };
    ObjectRef::new(kind, service.namespace(), name)
}

fn unusable_slice(service: &Service, port: &ServicePort, slice: &EndpointSlice) -> Finding {
    let object = origin(service, slice);
    let (kind, name) = (&object.kind, &object.name);
    let (ports_field, endpoints_field) = match kind.as_str() {
        "Endpoints" => ("subsets[].ports", "subsets[].addresses"),
        _ => ("ports", "endpoints"),
    };
    let edit = kubectl(
        service.namespace(),
        words!("edit {} {}", kind.to_lowercase(), name),
    );
    let wanted = port.name.as_deref().unwrap_or_default();
    let ports = slice.ports.as_deref().unwrap_or_default();
    let has_port = !slice.port_numbers(wanted, port.protocol()).is_empty();
    let finding = |summary: String, field: &str| {
        Finding::new(Code::EPS_05, Stage::Endpoints, summary).blame(object.clone(), field)
    };
    if !has_port {
        let names: Vec<String> = ports
            .iter()
            .map(|own| {
                format!(
                    "{:?}/{}",
                    own.name.as_deref().unwrap_or_default(),
                    own.protocol.as_deref().unwrap_or("TCP")
                )
            })
            .collect();
        return finding(
            format!(
                "{kind} {name} has no port named {wanted:?} for {}",
                port.protocol()
            ),
            ports_field,
        )
        .because(format!(
            "the Service's port is named {wanted:?}, {kind} {name} has {}",
            if names.is_empty() {
                "no port".to_owned()
            } else {
                list(&names)
            }
        ))
        .fix("give its port the name and protocol of the Service's port")
        .run(edit);
    }
    finding(
        format!("{kind} {name} has no ready endpoint"),
        endpoints_field,
    )
    .because("every endpoint in it is not ready, or it holds none")
    .fix("correct its endpoints")
    .run(edit)
}

/// EPS-06.
pub(in crate::diagnose) fn stale(
    case: &Case<'_, '_>,
    service: &Service,
    slice: &ObjectRef,
    address: IpAddr,
) -> Finding {
    let finding = Finding::new(
        Code::EPS_06,
        Stage::Destination,
        format!("{} lists {address}, which no pod has", slice.name),
    )
    .blame(slice.clone(), "endpoints")
    .because(format!("{slice} belongs to {}", service.reference()));
    if is_by_controller(case, slice) {
        return finding
            .because("it lists a pod that does not exist")
            .fix("delete the EndpointSlice; its controller recreates it")
            .run(kubectl(
                &slice.namespace,
                words!("delete endpointslice {}", slice.name),
            ));
    }
    finding
        .because("no controller maintains it: it was created by hand or by another tool")
        .fix("remove the address from the EndpointSlice, or correct it; whoever created it may write it again")
        .run(kubectl(
            &slice.namespace,
            words!("edit endpointslice {}", slice.name),
        ))
}

/// Whether the controller of EndpointSlices writes a slice anew when it is deleted (its label
/// `endpointslice.kubernetes.io/managed-by`).
fn is_by_controller(case: &Case<'_, '_>, slice: &ObjectRef) -> bool {
    let known = case.view.endpoint_slices.get(&slice.namespace, &slice.name);
    let labels = known.and_then(|slice| slice.metadata.labels.as_ref());
    let keeper = labels.and_then(|labels| labels.get("endpointslice.kubernetes.io/managed-by"));
    keeper.is_none_or(|keeper| keeper.ends_with("-controller.k8s.io"))
}
