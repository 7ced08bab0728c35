//! What a capture keeps of each kind: the fields that a diagnosis reads, and nothing else.

use crate::cluster::Resource;

/// Of every object. Annotations are looked at one by one.
const META: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.generation",
    "metadata.labels",
    "metadata.annotations",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.ownerReferences",
    // Which tools wrote it.
    "metadata.managedFields.manager",
    "metadata.managedFields.operation",
    "metadata.managedFields.subresource",
];

/// Of a pod, or of the template of one.
const POD_SPEC: &[&str] = &[
    "nodeName",
    "hostNetwork",
    "serviceAccountName",
    "dnsPolicy",
    "dnsConfig",
    "hostname",
    "subdomain",
    "enableServiceLinks",
    "hostAliases",
    "readinessGates",
    "tolerations",
    "os",
];

/// Of each of its containers.
const CONTAINER: &[&str] = &[
    "name",
    "image",
    "env.name",
    "env.value",
    "args",
    "command",
    "ports",
    "restartPolicy",
    "securityContext.privileged",
    "securityContext.capabilities",
    "securityContext.runAsUser",
    "securityContext.runAsNonRoot",
    "readinessProbe.httpGet.path",
    "readinessProbe.httpGet.port",
    "readinessProbe.httpGet.scheme",
    "readinessProbe.tcpSocket",
    "readinessProbe.grpc",
    // That there is one; its command is never kept.
    "readinessProbe.exec.",
    "readinessProbe.periodSeconds",
    "readinessProbe.timeoutSeconds",
    "readinessProbe.failureThreshold",
    "readinessProbe.successThreshold",
    "readinessProbe.initialDelaySeconds",
];

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

const CONTAINER_STATUS: &[&str] = &[
    "name",
    "ready",
    "started",
    "restartCount",
    "state",
    "lastState",
];

const POD_STATUS: &[&str] = &[
    "phase",
    "reason",
    "message",
    "conditions",
    "podIP",
    "podIPs",
    "hostIP",
    "hostIPs",
    "startTime",
];

const EVENT: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "reason",
    "message",
    "type",
    "count",
    "firstTimestamp",
    "lastTimestamp",
    "eventTime",
    "series",
];

const NODE: &[&str] = &[
    "spec.podCIDR",
    "spec.podCIDRs",
    "spec.taints",
    "spec.unschedulable",
    "spec.providerID",
    "status.addresses",
    "status.conditions",
    "status.nodeInfo",
];

const INGRESS: &[&str] = &[
    "spec.ingressClassName",
    "spec.defaultBackend",
    "spec.rules.host",
    "spec.rules.http.paths.path",
    "spec.rules.http.paths.pathType",
    "spec.rules.http.paths.backend",
    "spec.tls.hosts",
    "status.loadBalancer",
];

/// Filters are not: some set headers to what logs in.
const ROUTE: &[&str] = &[
    "spec.parentRefs",
    "spec.hostnames",
    "spec.rules.name",
    "spec.rules.matches",
    "spec.rules.filters.type",
    "spec.rules.filters.requestRedirect",
    "spec.rules.filters.requestMirror",
    "spec.rules.filters.extensionRef",
    "spec.rules.backendRefs.group",
    "spec.rules.backendRefs.kind",
    "spec.rules.backendRefs.namespace",
    "spec.rules.backendRefs.name",
    "spec.rules.backendRefs.port",
    "spec.rules.backendRefs.weight",
    "status",
];

/// The fields, as dotted paths; lists are looked through. What stands below a field is kept with it.
pub(super) fn fields(resource: Resource) -> Vec<String> {
    let mut fields: Vec<String> = owned("", META);
    match resource {
        Resource::Pods => {
            fields.extend(pod_spec("spec."));
            fields.extend(owned("status.", POD_STATUS));
            for list in ["container", "initContainer", "ephemeralContainer"] {
                fields.extend(owned(&format!("status.{list}Statuses."), CONTAINER_STATUS));
            }
        }
        Resource::Deployments
        | Resource::ReplicaSets
        | Resource::StatefulSets
        | Resource::DaemonSets
        | Resource::Jobs
        | Resource::CronJobs => {
            fields.extend(owned(
                "",
                &[
                    "spec.replicas",
                    "spec.selector",
                    "spec.serviceName",
                    "status",
                ],
            ));
            fields.extend(template("spec.template."));
            fields.extend(template("spec.jobTemplate.spec.template."));
        }
        Resource::Nodes => fields.extend(owned("", NODE)),
        Resource::Namespaces => fields.push("status.phase".to_owned()),
        Resource::Events => fields.extend(owned("", EVENT)),
        Resource::Ingresses => fields.extend(owned("", INGRESS)),
        Resource::HttpRoutes | Resource::GrpcRoutes => fields.extend(owned("", ROUTE)),
        // Whom they change is read, never how.
        Resource::EnvoyFilters | Resource::WasmPlugins => {
            fields.extend(owned("", &["spec.workloadSelector", "spec.selector"]));
        }
        Resource::Endpoints => fields.push("subsets".to_owned()),
        Resource::ConfigMaps => fields.push("data".to_owned()),
        Resource::EndpointSlices => {
            fields.extend(owned("", &["addressType", "endpoints", "ports"]));
        }
        // Services and policies say where packets go, and hold nothing else; the matches of HTTP that
        // some dialects have are cut apart.
        _ => fields.extend(owned("", &["spec", "status", "agentConditions"])),
    }
    fields
}

fn template(prefix: &str) -> Vec<String> {
    let mut fields = owned(
        prefix,
        &["metadata.name", "metadata.labels", "metadata.annotations"],
    );
    fields.extend(pod_spec(&format!("{prefix}spec.")));
    fields
}

fn pod_spec(prefix: &str) -> Vec<String> {
    let mut fields = owned(prefix, POD_SPEC);
    for list in CONTAINERS {
        fields.extend(owned(&format!("{prefix}{list}."), CONTAINER));
    }
    fields
}

fn owned(prefix: &str, fields: &[&str]) -> Vec<String> {
    fields
        .iter()
        .map(|field| format!("{prefix}{field}"))
        .collect()
}

/// Annotations that say something of the network, by name or, with a `*`, by how they begin.
const ANNOTATIONS: &[&str] = &[
    "alb.ingress.kubernetes.io/target-type",
    "ambient.istio.io/redirection",
    "argocd.argoproj.io/tracking-id",
    "cloud.google.com/neg",
    "config.linkerd.io/*",
    "control-plane.alpha.kubernetes.io/leader",
    "flannel.alpha.coreos.com/*",
    "ingressclass.kubernetes.io/is-default-class",
    "inject.istio.io/templates",
    "io.cilium/*",
    "istio.io/dry-run",
    "k8s.ovn.org/*",
    "kubernetes.io/config.mirror",
    "kubernetes.io/ingress.class",
    "linkerd.io/inject",
    "meta.helm.sh/*",
    "networking.istio.io/exportTo",
    "nginx.ingress.kubernetes.io/canary",
    "nginx.ingress.kubernetes.io/canary-by-header",
    "nginx.ingress.kubernetes.io/canary-weight",
    "nginx.ingress.kubernetes.io/canary-weight-total",
    "nginx.ingress.kubernetes.io/rewrite-target",
    "nginx.ingress.kubernetes.io/server-alias",
    "nginx.ingress.kubernetes.io/use-regex",
    "objectset.rio.cattle.io/owner-name",
    "service.alpha.kubernetes.io/tolerate-unready-endpoints",
    "service.cilium.io/*",
    "service.kubernetes.io/topology-aware-hints",
    "service.kubernetes.io/topology-mode",
    "sidecar.istio.io/inject",
    "sidecar.istio.io/status",
    "topology.kubernetes.io/*",
    "traffic.sidecar.istio.io/*",
];

/// Annotations of which only that they are there is read: rules of a controller's own, which hold
/// whatever it takes.
const NAMES_ONLY: &[&str] = &[
    "alb.ingress.kubernetes.io/*",
    "appgw.ingress.kubernetes.io/*",
    "haproxy-ingress.github.io/*",
    "haproxy.org/*",
    "konghq.com/*",
    "nginx.ingress.kubernetes.io/configuration-snippet",
    "nginx.ingress.kubernetes.io/permanent-redirect",
    "nginx.ingress.kubernetes.io/server-snippet",
    "nginx.ingress.kubernetes.io/temporal-redirect",
    "nginx.org/*",
    "traefik.ingress.kubernetes.io/*",
];

/// Whether an annotation is kept: whole, by its name alone, or not at all.
pub(super) fn annotation(name: &str) -> Kept {
    let is_one_of = |names: &[&str]| {
        names.iter().any(|kept| match kept.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *kept,
        })
    };
    if is_one_of(ANNOTATIONS) {
        Kept::Whole
    } else if is_one_of(NAMES_ONLY) {
        Kept::Name
    } else {
        Kept::Nothing
    }
}

/// What is kept of an entry of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Nothing,
    /// That it is there.
    Name,
    Whole,
    /// A Corefile, or a part of one that stands within this many blocks.
    Corefile(usize),
    /// These fields of a document, as dotted paths.
    Fields(&'static [&'static str]),
    /// Lines of a hosts file (hosts(5)).
    Hosts,
    /// Lines `key: value` with one of these keys.
    Lines(&'static [&'static str]),
}

/// Arguments of containers that are read: which class a controller serves.
const ARGUMENTS: [&str; 3] = [
    "--controller-class=",
    "--ingress-class-name=",
    "--watch-ingress-without-class=",
];

/// Whether an argument of a container is kept.
pub(super) fn argument(text: &str) -> bool {
    ARGUMENTS.iter().any(|start| text.starts_with(start))
}

/// Settings of Cilium that decide what its policies mean.
const CILIUM: &[&str] = &[
    "cluster-name",
    "disable-endpoint-crd",
    "enable-",
    "kube-proxy-replacement",
    "policy-",
    "routing-mode",
    "tunnel",
];

/// Settings of Istio's meshes that are read.
const ISTIO: &[&str] = &[
    "rootNamespace",
    "trustDomain",
    "trustDomainAliases",
    "enableAutoMtls",
    "outboundTrafficPolicy",
    "defaultConfig.proxyMetadata.ISTIO_META_ENABLE_HBONE",
    "defaultServiceExportTo",
    "defaultVirtualServiceExportTo",
    "defaultDestinationRuleExportTo",
];

/// Values of Linkerd's chart that are read.
const LINKERD: &[&str] = &[
    "clusterDomain",
    "clusterNetworks",
    "egress.globalEgressNetworkNamespace",
    "identityTrustDomain",
    "policyController.defaultAllowPolicy",
    "proxy.defaultInboundPolicy",
    "proxy.opaquePorts",
];

/// What is kept of a key of a ConfigMap: what the DNS, kube-proxy, dataplanes and meshes are set to.
pub(super) fn config_key(namespace: &str, name: &str, key: &str) -> Kept {
    match (name, key) {
        (name, "Corefile") if name.contains("dns") => Kept::Corefile(0),
        // What k3s mounts beside its Corefile, for the plugin `hosts`.
        ("coredns", "NodeHosts") => Kept::Hosts,
        // Parts that blocks import, and whole blocks.
        ("coredns-custom", key) if key.ends_with(".server") => Kept::Corefile(0),
        ("coredns-custom", _) => Kept::Corefile(1),
        ("kube-proxy", "config.conf") if namespace == "kube-system" => Kept::Whole,
        ("cilium-config", key) if CILIUM.iter().any(|start| key.starts_with(start)) => Kept::Whole,
        ("linkerd-config", "values") => Kept::Fields(LINKERD),
        (name, "mesh") if name == "istio" || name.starts_with("istio-") => Kept::Fields(ISTIO),
        (name, "antrea-agent.conf") if name.starts_with("antrea-config") => {
            Kept::Lines(&["AntreaProxy", "proxyAll"])
        }
        // A certificate that is public; whether it is one is read.
        (_, "ca.crt") => Kept::Name,
        _ => Kept::Nothing,
    }
}
