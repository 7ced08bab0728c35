//! What products that join clusters say of themselves: Submariner's Gateways and Clusters, the settings of
//! Cilium's agents, the labels of Linkerd's mirrors. Remote credentials are Secrets, and never read.

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

use crate::cluster::scope::CILIUM_CONFIG;
use crate::cluster::{ClusterView, ObjectRef, Resource};

/// The annotation of a Service that Cilium joins with those of the same name in other clusters.
const GLOBAL: &str = "service.cilium.io/global";

/// The label of a Service that Linkerd mirrors from another cluster.
const MIRRORED_FROM: &str = "mirror.linkerd.io/cluster-name";

/// A connection of Submariner to another cluster, as its active gateway reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub gateway: ObjectRef,
    /// `connected`, `connecting` or `error`.
    pub status: String,
    pub message: String,
}

/// The ranges of a cluster, as Submariner knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges<'v> {
    pub object: ObjectRef,
    pub cluster: &'v str,
    /// Of pods and Services.
    pub ranges: Vec<IpNet>,
    /// Whether others reach it under addresses of its own (Globalnet).
    pub is_translated: bool,
}

/// The name of this cluster among the others, where a product says it.
#[must_use]
pub fn local_name(view: &ClusterView) -> Option<&str> {
    let mut gateways = view.custom(Resource::SubmarinerGateways);
    let of_submariner = gateways.find_map(|gateway| {
        gateway
            .pointer("/status/localEndpoint/cluster_id")?
            .as_str()
    });
    // `default` is the name of every cluster that nobody named.
    let of_cilium = || cilium(view, "cluster-name").filter(|name| *name != "default");
    of_submariner.or_else(of_cilium)
}

/// What the active gateways say of their connections to a cluster.
#[must_use]
pub fn links(view: &ClusterView, cluster: &str) -> Vec<Link> {
    let gateways = view.custom(Resource::SubmarinerGateways);
    let active = gateways.filter(|gateway| gateway["status"]["haStatus"] != "passive");
    let of_gateway = |gateway: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let meta = &gateway["metadata"];
        let object = ObjectRef::new("Gateway", text(&meta["namespace"]), text(&meta["name"]));
        let connections = gateway["status"]["connections"].as_array();
        let connections = connections.into_iter().flatten();
        let to_it = connections.filter(|one| one["endpoint"]["cluster_id"] == cluster);
        let links = to_it.map(move |one| Link {
            gateway: object.clone(),
            status: text(&one["status"]),
            message: text(&one["statusMessage"]),
        });
        links.collect::<Vec<_>>()
    };
    active.flat_map(of_gateway).collect()
}

/// The ranges of every cluster that Submariner joins.
#[must_use]
pub fn ranges(view: &ClusterView) -> Vec<Ranges<'_>> {
    let clusters = view.custom(Resource::SubmarinerClusters);
    let of_cluster = |object: &'_ Value| {
        let spec = &object["spec"];
        let list = |field: &str| {
            let ranges = spec[field].as_array().into_iter().flatten();
            let ranges = ranges.filter_map(Value::as_str);
            ranges
                .filter_map(|range| range.parse().ok())
                .collect::<Vec<IpNet>>()
        };
        let meta = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        (
            ObjectRef::new("Cluster", meta("namespace"), meta("name")),
            [list("cluster_cidr"), list("service_cidr")].concat(),
            !list("global_cidr").is_empty(),
        )
    };
    let named =
        clusters.filter_map(|object| Some((object["spec"]["cluster_id"].as_str()?, object)));
    named
        .map(|(cluster, object)| {
            let (object, ranges, is_translated) = of_cluster(object);
            Ranges {
                object,
                cluster,
                ranges,
                is_translated,
            }
        })
        .collect()
}

/// Whether Cilium's agents are set up to know other clusters.
#[must_use]
pub fn is_cluster_mesh(view: &ClusterView) -> bool {
    cilium(view, "cluster-id").is_some_and(|id| !["", "0"].contains(&id))
}

/// Whether Cilium sends traffic of a Service to those of the same name in other clusters, too.
#[must_use]
pub fn is_global(view: &ClusterView, service: &Service) -> bool {
    let annotations = service.metadata.annotations.as_ref();
    let is_marked = annotations
        .and_then(|all| all.get(GLOBAL))
        .is_some_and(|value| value == "true");
    is_marked && is_cluster_mesh(view)
}

/// The cluster that a Service of Linkerd mirrors; its endpoints are the gateway there.
#[must_use]
pub fn mirrored_from(service: &Service) -> Option<&str> {
    let labels = service.metadata.labels.as_ref()?;
    labels.get(MIRRORED_FROM).map(String::as_str)
}

fn cilium<'v>(view: &'v ClusterView, key: &str) -> Option<&'v str> {
    let config = view.config_maps.get("kube-system", CILIUM_CONFIG)?;
    config.data.as_ref()?.get(key).map(String::as_str)
}
