//! Which dataplanes a cluster has, from its objects alone, and what each replaces.

use serde_json::Value;

use super::cilium;
use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Resource, Workload};
use crate::nat::dataplane::Dataplane;

/// A dataplane that was recognized, by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub dataplane: Dataplane,
    pub replaces: Replaces,
    /// The objects that give it away.
    pub evidence: Vec<String>,
}

/// What it does in place of kube-proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// Every address of Services.
    KubeProxy,
    /// Cluster IPs; node ports and load balancers stay with kube-proxy.
    ClusterIps,
    /// Nothing: Services stay with kube-proxy.
    Nothing,
    /// No object says so.
    Unknown,
}

/// Everybody whose objects are there, in a fixed order.
#[must_use]
pub fn installed(view: &ClusterView) -> Vec<Installed> {
    let all = [
        cilium(view),
        calico(view),
        antrea(view),
        ovn(view),
        eks(view),
    ];
    all.into_iter().flatten().collect()
}

/// The ConfigMap of Cilium, whatever its namespace.
#[must_use]
pub fn cilium_config<'v>(view: &'v ClusterView, key: &str) -> Option<&'v str> {
    let map = view
        .config_maps
        .iter()
        .find(|map| map.name() == "cilium-config")?;
    Some(map.data.as_ref()?.get(key)?.as_str())
}

fn cilium(view: &ClusterView) -> Option<Installed> {
    let mut evidence = daemon_sets(view, &["cilium", "anetd"], true);
    let map = view
        .config_maps
        .iter()
        .find(|map| map.name() == "cilium-config");
    let mode = cilium_config(view, "kube-proxy-replacement");
    evidence.extend(map.map(|map| {
        let reference = ObjectRef::new("ConfigMap", map.namespace(), map.name());
        let said = mode.map(|mode| format!(" (kube-proxy-replacement: {mode})"));
        format!("{reference}{}", said.unwrap_or_default())
    }));
    if evidence.is_empty() {
        evidence.extend(first_of(view, Resource::CiliumNodes));
        evidence.extend(first_of(view, Resource::CiliumEndpoints));
    }
    let replaces = match mode.map(cilium::replaces) {
        Some(Some(true)) => Replaces::KubeProxy,
        Some(Some(false)) => Replaces::Nothing,
        _ => Replaces::Unknown,
    };
    recognized(Dataplane::Cilium, replaces, evidence)
}

/// Calico, where it says that it works in eBPF; in rules it replaces nothing.
fn calico(view: &ClusterView) -> Option<Installed> {
    let felix = view
        .custom(Resource::FelixConfigurations)
        .filter(|object| object.pointer("/spec/bpfEnabled").and_then(Value::as_bool) == Some(true));
    let felix = felix.map(|object| format!("FelixConfiguration/{} spec.bpfEnabled", name(object)));
    let operator = view.custom(Resource::TigeraInstallations).filter(|object| {
        let plane = object.pointer("/spec/calicoNetwork/linuxDataplane");
        plane.and_then(Value::as_str) == Some("BPF")
    });
    let operator =
        operator.map(|object| format!("Installation/{} linuxDataplane: BPF", name(object)));
    let environment = agents(view, &["calico-node"])
        .filter(|(_, pod)| variable(pod, "FELIX_BPFENABLED") == Some("true"))
        .map(|(reference, _)| format!("{reference} FELIX_BPFENABLED"));
    let evidence = felix.chain(operator).chain(environment).collect();
    recognized(Dataplane::CalicoEbpf, Replaces::KubeProxy, evidence)
}

fn antrea(view: &ClusterView) -> Option<Installed> {
    let mut evidence = daemon_sets(view, &["antrea-agent"], true);
    let map = view
        .config_maps
        .iter()
        .find(|map| map.name().starts_with("antrea-config"));
    evidence.extend(
        map.map(|map| ObjectRef::new("ConfigMap", map.namespace(), map.name()).to_string()),
    );
    evidence.extend(first_of(view, Resource::AntreaAgentInfos));
    let config = map.and_then(|map| map.data.as_ref()?.get("antrea-agent.conf"));
    let is_set = |key: &str, value: &str| {
        let lines = config.map_or("", String::as_str).lines().map(str::trim);
        lines
            .filter_map(|line| line.split_once(':'))
            .any(|(own, said)| own == key && said.trim() == value)
    };
    let replaces = if is_set("AntreaProxy", "false") {
        Replaces::Nothing
    } else if is_set("proxyAll", "true") {
        Replaces::KubeProxy
    } else {
        Replaces::ClusterIps
    };
    recognized(Dataplane::Antrea, replaces, evidence)
}

fn ovn(view: &ClusterView) -> Option<Installed> {
    let mut evidence = daemon_sets(view, &["ovnkube-node"], false);
    let marks = view.nodes.iter().find_map(|node| {
        let annotations = node.metadata.annotations.as_ref()?;
        let mark = annotations
            .keys()
            .find(|key| key.starts_with("k8s.ovn.org/"))?;
        Some(format!("{} {mark}", node.reference()))
    });
    evidence.extend(marks);
    recognized(Dataplane::OvnKubernetes, Replaces::KubeProxy, evidence)
}

/// The VPC CNI of EKS, where its policy agent is there.
fn eks(view: &ClusterView) -> Option<Installed> {
    let with_agent = agents(view, &["aws-node"]).filter(|(_, pod)| {
        let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        containers.any(|container| container.name == "aws-eks-nodeagent")
    });
    let mut evidence: Vec<String> = with_agent
        .map(|(reference, _)| format!("{reference} aws-eks-nodeagent"))
        .collect();
    evidence.extend(first_of(view, Resource::AwsPolicyEndpoints));
    recognized(Dataplane::AwsVpcCni, Replaces::Nothing, evidence)
}

fn recognized(
    dataplane: Dataplane,
    replaces: Replaces,
    evidence: Vec<String>,
) -> Option<Installed> {
    (!evidence.is_empty()).then_some(Installed {
        dataplane,
        replaces,
        evidence,
    })
}

/// DaemonSets of those names, and where none was read, one of their pods. `whole` names stand for
/// themselves, others for all that begin so.
fn daemon_sets(view: &ClusterView, names: &[&str], whole: bool) -> Vec<String> {
    let is_named = |name: &str| {
        names.iter().any(|known| {
            if whole {
                name == *known
            } else {
                name.starts_with(known)
            }
        })
    };
    let sets = view
        .workloads_of(Resource::DaemonSets)
        .filter(|set| is_named(set.name()));
    let sets: Vec<String> = sets.map(of_set).collect();
    if !sets.is_empty() {
        return sets;
    }
    let of_pods = view.pods.iter().find_map(|pod| {
        let owner = pod.controller().filter(|owner| owner.kind == "DaemonSet")?;
        is_named(&owner.name)
            .then(|| ObjectRef::new("DaemonSet", pod.namespace(), &owner.name).to_string())
    });
    of_pods.into_iter().collect()
}

/// What agents of those names are made of: the templates of DaemonSets, or a pod of theirs.
fn agents<'v>(view: &'v ClusterView, names: &'v [&str]) -> impl Iterator<Item = (String, &'v Pod)> {
    let sets = view.workloads_of(Resource::DaemonSets);
    let sets = sets.filter(|set| names.contains(&set.name()));
    let sets = sets.filter_map(|set| Some((of_set(set), set.template.as_ref()?)));
    let pods = view.pods.iter().filter(|pod| {
        let owner = pod.controller().filter(|owner| owner.kind == "DaemonSet");
        owner.is_some_and(|owner| names.contains(&owner.name.as_str()))
    });
    sets.chain(pods.take(1).map(|pod| (pod.reference().to_string(), pod)))
}

fn variable<'p>(pod: &'p Pod, name: &str) -> Option<&'p str> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut variables = containers.flat_map(|container| container.env.iter().flatten());
    variables
        .find(|variable| variable.name == name)?
        .value
        .as_deref()
}

fn first_of(view: &ClusterView, resource: Resource) -> Option<String> {
    let object = view.custom(resource).next()?;
    Some(format!("{}/{}", resource.kind(), name(object)))
}

fn name(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn of_set(set: &Workload) -> String {
    ObjectRef::new("DaemonSet", set.namespace(), set.name()).to_string()
}

// === impl Replaces ===

impl Replaces {
    /// In words, behind the dataplane's name.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::KubeProxy => "replaces kube-proxy",
            Self::ClusterIps => "serves cluster IPs; node ports stay with kube-proxy",
            Self::Nothing => "enforces policies; Services stay with kube-proxy",
            Self::Unknown => "may replace kube-proxy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::snapshot;

    fn found(objects: &str) -> Vec<(Dataplane, Replaces)> {
        let view = snapshot::parse("-", objects).unwrap();
        let all = installed(&view).into_iter();
        all.map(|one| (one.dataplane, one.replaces)).collect()
    }

    fn object(kind: &str, version: &str, name: &str, rest: &str) -> String {
        format!(
            "---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: kube-system}}\n{rest}\n"
        )
    }

    #[test]
    fn each_by_its_objects() {
        let config = |mode: &str| {
            object(
                "ConfigMap",
                "v1",
                "cilium-config",
                &format!("data: {{kube-proxy-replacement: {mode:?}}}"),
            )
        };
        let set = |name: &str| object("DaemonSet", "apps/v1", name, "spec: {}");
        let tests = [
            (config("true"), Dataplane::Cilium, Replaces::KubeProxy),
            (config("strict"), Dataplane::Cilium, Replaces::KubeProxy),
            (config("partial"), Dataplane::Cilium, Replaces::Unknown),
            (config("disabled"), Dataplane::Cilium, Replaces::Nothing),
            (set("anetd"), Dataplane::Cilium, Replaces::Unknown),
            (
                set("ovnkube-node-x"),
                Dataplane::OvnKubernetes,
                Replaces::KubeProxy,
            ),
            (set("antrea-agent"), Dataplane::Antrea, Replaces::ClusterIps),
            (
                object(
                    "FelixConfiguration",
                    "crd.projectcalico.org/v1",
                    "default",
                    "spec: {bpfEnabled: true}",
                ),
                Dataplane::CalicoEbpf,
                Replaces::KubeProxy,
            ),
            (
                object(
                    "Installation",
                    "operator.tigera.io/v1",
                    "default",
                    "spec: {calicoNetwork: {linuxDataplane: BPF}}",
                ),
                Dataplane::CalicoEbpf,
                Replaces::KubeProxy,
            ),
            (
                object(
                    "DaemonSet",
                    "apps/v1",
                    "aws-node",
                    "spec: {template: {spec: {containers: [{name: aws-eks-nodeagent}]}}}",
                ),
                Dataplane::AwsVpcCni,
                Replaces::Nothing,
            ),
        ];
        for (objects, dataplane, replaces) in tests {
            assert_eq!(found(&objects), [(dataplane, replaces)], "{objects}");
        }
    }

    #[test]
    fn others_are_not_taken_for_them() {
        let set = |name: &str| object("DaemonSet", "apps/v1", name, "spec: {}");
        let all = [
            set("kube-proxy"),
            set("cilium-envoy"),
            set("calico-node"),
            set("aws-node"),
            object(
                "FelixConfiguration",
                "crd.projectcalico.org/v1",
                "default",
                "spec: {bpfEnabled: false}",
            ),
        ];
        assert_eq!(found(&all.concat()), []);
    }
}
