//! Family MC: Services of other clusters.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;

use super::dns::corefile_object;
use crate::causes::Code;
use crate::cluster::access::ServiceExt;
use crate::cluster::multicluster::{Link, ServiceExport, ServiceImport, ranges};
use crate::cluster::{ClusterView, Named, ObjectRef, Resource};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::dns::{CLUSTER_SET, NODE_CACHE, servers};
use crate::path::{ClusterSetTrouble, Stage, import_ports_text};
use crate::shell::words;
use crate::text::{list, nearest};

/// What stops traffic to a Service of the cluster set, or may.
pub(in crate::diagnose) fn trouble(
    case: &Case<'_, '_>,
    trouble: &ClusterSetTrouble<'_>,
) -> Finding {
    let view = case.view;
    match trouble {
        ClusterSetTrouble::NoImport { namespace, name } => no_import(view, namespace, name),
        ClusterSetTrouble::NoAddress(import) => no_address(*import),
        ClusterSetTrouble::Undelegated { name, to, by_cache } => {
            undelegated(case, name, to, *by_cache)
        }
        ClusterSetTrouble::Port { import, asked } => no_port(view, *import, &asked.to_string()),
        ClusterSetTrouble::NoEndpoints { import, not_ready } => no_endpoints(*import, *not_ready),
        ClusterSetTrouble::Conflict { export, why } => conflict(export, why).notice(),
        ClusterSetTrouble::LinkDown { cluster, link } => link_down(cluster, link),
        ClusterSetTrouble::Overlap {
            cluster,
            slice,
            address,
            range,
            owner,
        } => overlap(view, cluster, slice, (*address, *range, owner)),
        ClusterSetTrouble::Stale {
            import,
            slice,
            cluster,
        } => stale(*import, slice, cluster),
    }
}

/// MC-01: from what is nearest to the user, the export of this cluster, to what is not here at all.
fn no_import(view: &ClusterView, namespace: &str, name: &str) -> Finding {
    let of = |object: ObjectRef, field: &str, summary: String| {
        Finding::new(Code::MC_01, Stage::Dns, summary)
            .blame(object, field)
            .because(format!(
                "no ServiceImport {namespace}/{name} in this cluster"
            ))
            .because(format!(
                "the servers of {CLUSTER_SET} answer from ServiceImports of their own cluster"
            ))
    };
    let get = |what: &str| kubectl(namespace, words!("get {}", what));
    if let Some(export) = ServiceExport::find(view, namespace, name) {
        let summary = match export.invalid() {
            Some(why) => format!("{name} is exported from this cluster and not valid: {why}"),
            None => format!("{name} is exported from this cluster and has no import yet"),
        };
        return of(export.reference(), "status.conditions", summary)
            .because_all(export.invalid())
            .fix("the export has to have the name of a Service of its namespace; look at its conditions")
            .run(kubectl(namespace, words!("get serviceexport {} -o yaml", name)));
    }
    let imports = || ServiceImport::all(view);
    let elsewhere = imports().find(|import| import.name() == name);
    let object = ObjectRef::new("ServiceImport", namespace, name);
    if let Some(other) = elsewhere {
        let summary = format!(
            "{name} is imported in namespace {}, not in {namespace}",
            other.namespace()
        );
        return of(object, "metadata.namespace", summary)
            .because(format!("{} exists", other.reference()))
            .fix(format!(
                "use the name {name}.{}.svc.{CLUSTER_SET}",
                other.namespace()
            ));
    }
    let are_namespaces_known = view.coverage().is_some() || !view.namespaces.is_empty();
    let is_lost = are_namespaces_known
        && view.namespaces.get("", namespace).is_none()
        && view.lacks(Resource::Namespaces, "", namespace);
    if is_lost {
        let summary = format!(
            "namespace {namespace} does not exist in this cluster, so nothing is imported there"
        );
        return of(ObjectRef::cluster_wide("Namespace", namespace), "", summary)
            .fix("a Service is imported into the namespace of the same name; create it")
            .run(words!("kubectl get namespaces"));
    }
    if view.services.get(namespace, name).is_some() {
        let object = ObjectRef::new("ServiceExport", namespace, name);
        return of(object, "", format!("{name} of this cluster is not exported"))
            .because(format!("Service/{namespace}/{name} exists and has no ServiceExport"))
            .fix(format!(
                "export it in the cluster that offers it: a ServiceExport {name} in namespace {namespace}; clients in this cluster can use {name}.{namespace}"
            ))
            .run(get("serviceexports"));
    }
    let near = imports().filter(|import| import.namespace() == namespace);
    let near = nearest(name, near.map(|import| import.name()));
    let summary =
        format!("no cluster exports {name} in namespace {namespace}, as far as this one knows");
    let finding = of(object, "", summary).run(get("serviceimports"));
    match near.as_slice() {
        [] => finding.fix("export the Service in its own cluster"),
        near => finding.fix(format!("did you mean {}?", near.join(" or "))),
    }
}

/// MC-01: the import is there, and no server has a record of it.
fn no_address(import: ServiceImport<'_>) -> Finding {
    let summary = format!(
        "{} has no clusterset IP, so its name has no record",
        import.name()
    );
    Finding::new(Code::MC_01, Stage::Dns, summary)
        .blame(import.reference(), "spec.ips")
        .because_all(import.not_ready())
        .because("spec.type is ClusterSetIP, spec.ips is empty")
        .fix("the controller of the multi-cluster implementation assigns it; look at its conditions and its log")
        .run(show(import))
}

/// MC-02.
fn undelegated(case: &Case<'_, '_>, name: &str, to: &[String], by_cache: bool) -> Finding {
    let object = if by_cache {
        ObjectRef::new("ConfigMap", "kube-system", NODE_CACHE)
    } else {
        corefile_object(case)
    };
    let summary =
        format!("the DNS of this cluster does not serve {CLUSTER_SET}, so {name} does not resolve");
    let asked = match to {
        [] => "no server block takes the name".to_owned(),
        to => format!(
            "it asks {}, as for any name outside",
            servers(case.view, to)
        ),
    };
    let group = Resource::ServiceImports.group();
    let no_kind = format!(
        "the server has no API group {group}: no multi-cluster implementation is installed"
    );
    let lacks_kind = !case.view.may_have_group(group);
    Finding::new(Code::MC_02, Stage::Dns, summary)
        .blame(object.clone(), "data.Corefile")
        .because(asked)
        .because_all(lacks_kind.then_some(no_kind))
        .fix(format!(
            "add the block that your implementation documents: plugin multicluster, or `{CLUSTER_SET}:53` forwarded to its DNS server"
        ))
        .run(kubectl(&object.namespace, words!("edit configmap {}", object.name)))
}

fn no_port(view: &ClusterView, import: ServiceImport<'_>, asked: &str) -> Finding {
    let summary = format!(
        "{} has no port {asked}; it has {}",
        import.name(),
        import_ports_text(import)
    );
    let conflict = ServiceExport::find(view, import.namespace(), import.name())
        .and_then(|export| Some((export.reference(), export.conflict()?)));
    if let Some((export, why)) = conflict {
        return Finding::new(Code::MC_05, Stage::Service, summary)
            .blame(export, "status.conditions")
            .because(why)
            .because("of exports that disagree the oldest counts")
            .fix("give the Service the same ports in every cluster")
            .run(show(import));
    }
    Finding::new(Code::SVC_03, Stage::Service, summary)
        .blame(import.reference(), "spec.ports")
        .because("an import has the ports of the Services that are exported")
        .fix("use one of its ports, or add the port to the exported Service in its own cluster")
        .run(show(import))
}

/// MC-05: nothing behind the import.
fn no_endpoints(import: ServiceImport<'_>, not_ready: usize) -> Finding {
    let summary = match not_ready {
        0 => format!("no cluster has an endpoint for {}", import.name()),
        some => format!(
            "none of {some} imported endpoints of {} is ready",
            import.name()
        ),
    };
    let clusters: Vec<String> = import.clusters().into_iter().map(str::to_owned).collect();
    let exported = (!clusters.is_empty()).then(|| format!("exported by {}", list(&clusters)));
    Finding::new(Code::MC_05, Stage::Endpoints, summary)
        .blame(import.reference(), "status.clusters")
        .because_all(exported)
        .fix("look at the endpoints of the Service in the clusters that export it")
        .run(kubectl(
            import.namespace(),
            words!("get endpointslices -l multicluster.kubernetes.io/service-name={} -L multicluster.kubernetes.io/source-cluster", import.name()),
        ))
}

fn conflict(export: &ObjectRef, why: &str) -> Finding {
    let summary = format!(
        "the export of {} disagrees with that of another cluster",
        export.name
    );
    Finding::new(Code::MC_05, Stage::Service, summary)
        .blame(export.clone(), "status.conditions")
        .because(why)
        .because("of exports that disagree the oldest counts")
        .fix("make the Services alike in every cluster that exports them")
        .run(kubectl(
            &export.namespace,
            words!("get serviceexport {} -o yaml", export.name),
        ))
}

/// MC-03, as the gateway has it.
fn link_down(cluster: &str, link: &Link) -> Finding {
    let summary = format!(
        "{} reports no connection to cluster {cluster}: {}",
        link.gateway.name, link.status
    );
    let object = &link.gateway;
    Finding::new(Code::MC_03, Stage::Route, summary)
        .suspected()
        .blame(object.clone(), "status.connections")
        .because(format!("{object}: {} {}", link.status, link.message).trim_end())
        .fix("look at the tunnel: UDP ports 4500 and 4490 between the gateway nodes, their addresses, the log of the gateway")
        .run(kubectl(&object.namespace, words!("get gateways.submariner.io {} -o yaml", object.name)))
}

/// MC-03: Linkerd takes the endpoints away from its mirrors while no gateway of the other cluster answers.
pub(in crate::diagnose) fn mirror_without_endpoints(service: &Service, cluster: &str) -> Finding {
    let summary = format!(
        "{} mirrors a Service of cluster {cluster} and has no endpoint",
        service.name()
    );
    Finding::new(Code::MC_03, Stage::Endpoints, summary)
        .suspected()
        .blame(service.reference(), "")
        .because(format!("Linkerd mirrors it from cluster {cluster}; its endpoints are the gateway there"))
        .because("the service mirror takes them away while no gateway answers, and where the Service there has none")
        .fix(format!("look at the Link {cluster} and at the gateway of that cluster"))
        .run(words!("kubectl get links.multicluster.linkerd.io -A -o yaml"))
}

/// MC-04.
fn overlap(
    view: &ClusterView,
    cluster: &str,
    slice: &ObjectRef,
    (address, range, owner): (IpAddr, IpNet, &ObjectRef),
) -> Finding {
    let summary = format!(
        "{address} of cluster {cluster} is in a range of this cluster, and never leaves it"
    );
    let of_cluster = ranges(view).into_iter().find(|one| one.cluster == cluster);
    let known = of_cluster.as_ref().map(|one| {
        let ranges: Vec<String> = one.ranges.iter().map(ToString::to_string).collect();
        format!("{} has {}", one.object, list(&ranges))
    });
    let object = of_cluster.map_or_else(|| slice.clone(), |one| one.object);
    Finding::new(Code::MC_04, Stage::Route, summary)
        .blame(object, "")
        .because(format!("{slice} lists {address} for cluster {cluster}"))
        .because(format!("{owner} gives {range} to its own pods"))
        .because_all(known)
        .fix("have the clusters reach each other under addresses of their own (Submariner Globalnet), or give one of them other ranges")
        .run(kubectl(&slice.namespace, words!("get endpointslice {} -o yaml", slice.name)))
}

/// MC-05: what is left of an export.
fn stale(import: ServiceImport<'_>, slice: &ObjectRef, cluster: &str) -> Finding {
    let summary = format!(
        "{} lists endpoints of cluster {cluster}, which does not export {} any more",
        slice.name,
        import.name()
    );
    let clusters: Vec<String> = import.clusters().into_iter().map(str::to_owned).collect();
    Finding::new(Code::MC_05, Stage::Route, summary)
        .suspected()
        .blame(slice.clone(), "metadata.labels")
        .because(format!(
            "{} is exported by {}",
            import.reference(),
            list(&clusters)
        ))
        .because(format!("{slice} has source-cluster {cluster}"))
        .fix("find out why the controller left it, and delete the slice if the cluster is gone")
        .run(show(import))
}

fn show(import: ServiceImport<'_>) -> crate::shell::Command {
    kubectl(
        import.namespace(),
        words!("get serviceimport {} -o yaml", import.name()),
    )
}
