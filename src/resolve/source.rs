//! SRC.

use std::net::IpAddr;

use super::{Request, Site, Source, Unresolved, near, workload};
use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, ObjectRef};
use crate::target::{Kind, Spec};

pub(super) fn find<'v>(view: &'v ClusterView, request: &Request) -> Result<Source<'v>, Unresolved> {
    let default_namespace = request.source_namespace.as_str();
    match &request.source.spec {
        Spec::Bare(name) => object(view, Kind::Pod, default_namespace, name),
        Spec::Object {
            kind,
            namespace,
            name,
        } => {
            let namespace = namespace.as_deref().unwrap_or(default_namespace);
            object(view, *kind, namespace, name)
        }
        Spec::Address(addr) => {
            let site = site_of_address(view, *addr);
            Ok(source(site.reference(), vec![site]))
        }
        Spec::External(addr) => {
            let site = Site::Outside(*addr);
            Ok(source(site.reference(), vec![site]))
        }
        Spec::Name(name) => Err(Unresolved {
            message: format!("dns/{name} cannot be a source: a name sends no packets"),
            hint: "name the pod, workload, node or address that asks".to_owned(),
        }),
    }
}

fn object<'v>(
    view: &'v ClusterView,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Result<Source<'v>, Unresolved> {
    match kind {
        Kind::Pod => {
            let pod = view.pods.get(namespace, name);
            let pod = pod.ok_or_else(|| near::missing(view, kind, namespace, name))?;
            Ok(source(pod.reference(), vec![Site::Pod(pod)]))
        }
        Kind::Node => {
            let node = view.nodes.get("", name);
            let node = node.ok_or_else(|| near::missing(view, kind, "", name))?;
            Ok(source(node.reference(), vec![Site::Node(node)]))
        }
        kind if kind == Kind::Service || kind.is_door() => Err(Unresolved {
            message: format!(
                "{}/{name} cannot be a source: it sends no packets",
                kind.short()
            ),
            hint: format!("use its pods, for example deploy/{name}"),
        }),
        _ => {
            let pods = workload::pods(view, kind, namespace, name)
                .ok_or_else(|| near::missing(view, kind, namespace, name))?;
            let object = ObjectRef::new(kind.resource().kind(), namespace, name);
            Ok(source(object, pods.into_iter().map(Site::Pod).collect()))
        }
    }
}

const fn source(object: ObjectRef, sites: Vec<Site<'_>>) -> Source<'_> {
    Source { object, sites }
}

/// The pod or node that has an address, else the bare address.
fn site_of_address(view: &ClusterView, addr: IpAddr) -> Site<'_> {
    let mut pods = view.pods.iter();
    let pod =
        pods.find(|pod| !pod.is_host_network() && !pod.is_finished() && pod.ips().contains(&addr));
    let node = || {
        view.nodes
            .iter()
            .find(|node| node.addresses().contains(&addr))
    };
    pod.map(Site::Pod)
        .or_else(|| node().map(Site::Node))
        .unwrap_or(Site::Address(addr))
}
