//! The resources netpath knows how to read, as one table that the live reader, the snapshot reader,
//! the list of unread things and the printed ClusterRole all share.

use std::collections::BTreeMap;

/// Whether objects of a resource live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Cluster,
    Namespaced,
}

macro_rules! resources {
    ($($(#[$doc:meta])* $variant:ident: $group:literal, $version:literal, $kind:literal, $plural:literal, $scope:ident;)*) => {
        /// A resource of the Kubernetes API, or of a custom one netpath understands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Resource { $($(#[$doc])* $variant,)* }

        impl Resource {
            /// Every resource, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The API group; empty for the core group.
            #[must_use]
            pub const fn group(self) -> &'static str { match self { $(Self::$variant => $group,)* } }

            /// The version netpath asks for.
            #[must_use]
            pub const fn version(self) -> &'static str { match self { $(Self::$variant => $version,)* } }

            /// The kind, in CamelCase.
            #[must_use]
            pub const fn kind(self) -> &'static str { match self { $(Self::$variant => $kind,)* } }

            /// The plural, as it stands in URLs and RBAC rules.
            #[must_use]
            pub const fn plural(self) -> &'static str { match self { $(Self::$variant => $plural,)* } }

            /// Whether its objects live in a namespace.
            #[must_use]
            pub const fn scope(self) -> Scope { match self { $(Self::$variant => Scope::$scope,)* } }
        }
    };
}

resources! {
    Pods: "", "v1", "Pod", "pods", Namespaced;
    Services: "", "v1", "Service", "services", Namespaced;
    Namespaces: "", "v1", "Namespace", "namespaces", Cluster;
    Nodes: "", "v1", "Node", "nodes", Cluster;
    ConfigMaps: "", "v1", "ConfigMap", "configmaps", Namespaced;
    Events: "", "v1", "Event", "events", Namespaced;
    /// Only in files: a live server mirrors them into slices.
    Endpoints: "", "v1", "Endpoints", "endpoints", Namespaced;
    EndpointSlices: "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", Namespaced;
    NetworkPolicies: "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", Namespaced;
    Ingresses: "networking.k8s.io", "v1", "Ingress", "ingresses", Namespaced;
    IngressClasses: "networking.k8s.io", "v1", "IngressClass", "ingressclasses", Cluster;
    ServiceCidrs: "networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", Cluster;
    Deployments: "apps", "v1", "Deployment", "deployments", Namespaced;
    ReplicaSets: "apps", "v1", "ReplicaSet", "replicasets", Namespaced;
    StatefulSets: "apps", "v1", "StatefulSet", "statefulsets", Namespaced;
    DaemonSets: "apps", "v1", "DaemonSet", "daemonsets", Namespaced;
    Jobs: "batch", "v1", "Job", "jobs", Namespaced;
    CronJobs: "batch", "v1", "CronJob", "cronjobs", Namespaced;
    Gateways: "gateway.networking.k8s.io", "v1", "Gateway", "gateways", Namespaced;
    GatewayClasses: "gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses", Cluster;
    ListenerSets: "gateway.networking.k8s.io", "v1", "ListenerSet", "listenersets", Namespaced;
    HttpRoutes: "gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", Namespaced;
    GrpcRoutes: "gateway.networking.k8s.io", "v1", "GRPCRoute", "grpcroutes", Namespaced;
    TlsRoutes: "gateway.networking.k8s.io", "v1", "TLSRoute", "tlsroutes", Namespaced;
    TcpRoutes: "gateway.networking.k8s.io", "v1", "TCPRoute", "tcproutes", Namespaced;
    UdpRoutes: "gateway.networking.k8s.io", "v1", "UDPRoute", "udproutes", Namespaced;
    ReferenceGrants: "gateway.networking.k8s.io", "v1", "ReferenceGrant", "referencegrants", Namespaced;
    BackendTlsPolicies: "gateway.networking.k8s.io", "v1", "BackendTLSPolicy", "backendtlspolicies", Namespaced;
    AdminNetworkPolicies: "policy.networking.k8s.io", "v1alpha1", "AdminNetworkPolicy", "adminnetworkpolicies", Cluster;
    BaselineAdminNetworkPolicies: "policy.networking.k8s.io", "v1alpha1", "BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies", Cluster;
    ClusterNetworkPolicies: "policy.networking.k8s.io", "v1alpha2", "ClusterNetworkPolicy", "clusternetworkpolicies", Cluster;
    CalicoNetworkPolicies: "crd.projectcalico.org", "v1", "NetworkPolicy", "networkpolicies", Namespaced;
    CalicoGlobalNetworkPolicies: "crd.projectcalico.org", "v1", "GlobalNetworkPolicy", "globalnetworkpolicies", Cluster;
    CalicoTiers: "crd.projectcalico.org", "v1", "Tier", "tiers", Cluster;
    CalicoNetworkSets: "crd.projectcalico.org", "v1", "NetworkSet", "networksets", Namespaced;
    CalicoGlobalNetworkSets: "crd.projectcalico.org", "v1", "GlobalNetworkSet", "globalnetworksets", Cluster;
    FelixConfigurations: "crd.projectcalico.org", "v1", "FelixConfiguration", "felixconfigurations", Cluster;
    TigeraInstallations: "operator.tigera.io", "v1", "Installation", "installations", Cluster;
    CiliumNetworkPolicies: "cilium.io", "v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies", Namespaced;
    CiliumClusterwideNetworkPolicies: "cilium.io", "v2", "CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", Cluster;
    AntreaNetworkPolicies: "crd.antrea.io", "v1beta1", "NetworkPolicy", "networkpolicies", Namespaced;
    AntreaClusterNetworkPolicies: "crd.antrea.io", "v1beta1", "ClusterNetworkPolicy", "clusternetworkpolicies", Cluster;
    EgressFirewalls: "k8s.ovn.org", "v1", "EgressFirewall", "egressfirewalls", Namespaced;
    UserDefinedNetworks: "k8s.ovn.org", "v1", "UserDefinedNetwork", "userdefinednetworks", Namespaced;
    ClusterUserDefinedNetworks: "k8s.ovn.org", "v1", "ClusterUserDefinedNetwork", "clusteruserdefinednetworks", Cluster;
    EgressNetworkPolicies: "network.openshift.io", "v1", "EgressNetworkPolicy", "egressnetworkpolicies", Namespaced;
    AwsApplicationNetworkPolicies: "networking.k8s.aws", "v1alpha1", "ApplicationNetworkPolicy", "applicationnetworkpolicies", Namespaced;
    AwsClusterNetworkPolicies: "networking.k8s.aws", "v1alpha1", "ClusterNetworkPolicy", "clusternetworkpolicies", Cluster;
    FqdnNetworkPolicies: "networking.gke.io", "v1alpha1", "FQDNNetworkPolicy", "fqdnnetworkpolicies", Namespaced;
    CiliumEndpoints: "cilium.io", "v2", "CiliumEndpoint", "ciliumendpoints", Namespaced;
    CiliumNodes: "cilium.io", "v2", "CiliumNode", "ciliumnodes", Cluster;
    CalicoNodeStatuses: "crd.projectcalico.org", "v1", "CalicoNodeStatus", "caliconodestatuses", Cluster;
    AntreaAgentInfos: "crd.antrea.io", "v1beta1", "AntreaAgentInfo", "antreaagentinfos", Cluster;
    AwsPolicyEndpoints: "networking.k8s.aws", "v1alpha1", "PolicyEndpoint", "policyendpoints", Namespaced;
    PeerAuthentications: "security.istio.io", "v1", "PeerAuthentication", "peerauthentications", Namespaced;
    IstioAuthorizationPolicies: "security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies", Namespaced;
    DestinationRules: "networking.istio.io", "v1", "DestinationRule", "destinationrules", Namespaced;
    VirtualServices: "networking.istio.io", "v1", "VirtualService", "virtualservices", Namespaced;
    Sidecars: "networking.istio.io", "v1", "Sidecar", "sidecars", Namespaced;
    ServiceEntries: "networking.istio.io", "v1", "ServiceEntry", "serviceentries", Namespaced;
    EnvoyFilters: "networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters", Namespaced;
    WasmPlugins: "extensions.istio.io", "v1alpha1", "WasmPlugin", "wasmplugins", Namespaced;
    Servers: "policy.linkerd.io", "v1beta3", "Server", "servers", Namespaced;
    LinkerdAuthorizationPolicies: "policy.linkerd.io", "v1alpha1", "AuthorizationPolicy", "authorizationpolicies", Namespaced;
    ServerAuthorizations: "policy.linkerd.io", "v1beta1", "ServerAuthorization", "serverauthorizations", Namespaced;
    MeshTlsAuthentications: "policy.linkerd.io", "v1alpha1", "MeshTLSAuthentication", "meshtlsauthentications", Namespaced;
    NetworkAuthentications: "policy.linkerd.io", "v1alpha1", "NetworkAuthentication", "networkauthentications", Namespaced;
    LinkerdHttpRoutes: "policy.linkerd.io", "v1beta3", "HTTPRoute", "httproutes", Namespaced;
    EgressNetworks: "policy.linkerd.io", "v1alpha1", "EgressNetwork", "egressnetworks", Namespaced;
    ServiceExports: "multicluster.x-k8s.io", "v1beta1", "ServiceExport", "serviceexports", Namespaced;
    ServiceImports: "multicluster.x-k8s.io", "v1beta1", "ServiceImport", "serviceimports", Namespaced;
    SubmarinerGateways: "submariner.io", "v1", "Gateway", "gateways", Namespaced;
    SubmarinerClusters: "submariner.io", "v1", "Cluster", "clusters", Namespaced;
}

// === impl Resource ===

impl Resource {
    /// The custom resources that hold policies, or what their policies refer to.
    pub const POLICY_DIALECTS: &[Self] = &[
        Self::AdminNetworkPolicies,
        Self::BaselineAdminNetworkPolicies,
        Self::ClusterNetworkPolicies,
        Self::CalicoNetworkPolicies,
        Self::CalicoGlobalNetworkPolicies,
        Self::CalicoTiers,
        Self::CalicoNetworkSets,
        Self::CalicoGlobalNetworkSets,
        Self::CiliumNetworkPolicies,
        Self::CiliumClusterwideNetworkPolicies,
        Self::AntreaNetworkPolicies,
        Self::AntreaClusterNetworkPolicies,
        Self::EgressFirewalls,
        Self::UserDefinedNetworks,
        Self::ClusterUserDefinedNetworks,
        Self::EgressNetworkPolicies,
        Self::AwsApplicationNetworkPolicies,
        Self::AwsClusterNetworkPolicies,
        Self::FqdnNetworkPolicies,
    ];

    /// What doors by the Gateway API are made of.
    pub const GATEWAY_API: &[Self] = &[
        Self::GatewayClasses,
        Self::Gateways,
        Self::ListenerSets,
        Self::HttpRoutes,
        Self::GrpcRoutes,
        Self::TlsRoutes,
        Self::TcpRoutes,
        Self::UdpRoutes,
        Self::ReferenceGrants,
        Self::BackendTlsPolicies,
    ];
    /// The group in which Calico stores its objects.
    pub const CALICO_STORED: &str = "crd.projectcalico.org";
    /// Another group under which the same kinds are served: Calico's own API server, and since 3.32
    /// perhaps nothing else.
    const CALICO_SERVED: &str = "projectcalico.org";
    /// What decides about connections in a service mesh.
    pub const MESHES: &[Self] = &[
        Self::PeerAuthentications,
        Self::IstioAuthorizationPolicies,
        Self::DestinationRules,
        Self::VirtualServices,
        Self::Sidecars,
        Self::ServiceEntries,
        Self::EnvoyFilters,
        Self::WasmPlugins,
        Self::Servers,
        Self::LinkerdAuthorizationPolicies,
        Self::ServerAuthorizations,
        Self::MeshTlsAuthentications,
        Self::NetworkAuthentications,
        Self::LinkerdHttpRoutes,
        Self::EgressNetworks,
    ];

    /// What spans several clusters.
    pub const MULTI_CLUSTER: &[Self] = &[
        Self::ServiceExports,
        Self::ServiceImports,
        Self::SubmarinerGateways,
        Self::SubmarinerClusters,
    ];

    /// Versions of the API whose objects have the same form as those of [`Self::version`].
    #[must_use]
    pub const fn alike_versions(self) -> &'static [&'static str] {
        match self.group().as_bytes() {
            b"security.istio.io" => &["v1", "v1beta1"],
            b"networking.istio.io" => &["v1", "v1beta1", "v1alpha3"],
            b"policy.linkerd.io" => &["v1beta3", "v1beta2", "v1beta1", "v1alpha1"],
            b"multicluster.x-k8s.io" => &["v1beta1", "v1alpha1"],
            _ => &[],
        }
    }

    /// Finds the resource of an object's `apiVersion` and `kind`. Only the group counts: an object
    /// written for another version of a known group is still read.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version
            .split_once('/')
            .map_or("", |(group, _version)| group);
        // Calico's own API server serves the same kinds under another group.
        let group = match group {
            Self::CALICO_SERVED => Self::CALICO_STORED,
            other => other,
        };
        // Before it became part of the Gateway API, a ListenerSet was an experiment beside it.
        let (group, kind) = match (group, kind) {
            ("gateway.networking.x-k8s.io", "XListenerSet") => {
                ("gateway.networking.k8s.io", "ListenerSet")
            }
            other => other,
        };
        Self::ALL
            .iter()
            .copied()
            .find(|resource| resource.group() == group && resource.kind() == kind)
    }

    /// Older versions in which it may still be served, where the usual one is not.
    #[must_use]
    pub const fn older_versions(self) -> &'static [&'static str] {
        match self {
            Self::Gateways | Self::GatewayClasses | Self::HttpRoutes | Self::ReferenceGrants => {
                &["v1beta1"]
            }
            Self::TlsRoutes => &["v1alpha3", "v1alpha2"],
            Self::GrpcRoutes | Self::TcpRoutes | Self::UdpRoutes => &["v1alpha2"],
            Self::BackendTlsPolicies => &["v1alpha3"],
            _ => &[],
        }
    }

    /// Finds a resource by how kubectl names it: `pods`, `networkpolicies.networking.k8s.io`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|resource| resource.qualified() == name || resource.plural() == name)
    }

    /// `pods` or `networkpolicies.networking.k8s.io`: how kubectl and RBAC messages name it.
    #[must_use]
    pub fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// The group and version to ask a server for that has these groups (each with its versions,
    /// preferred one first); none where it has no such group. Calico's own API comes before the
    /// resources it stores its objects in, which users are told to leave alone.
    #[must_use]
    pub fn served(self, groups: &BTreeMap<String, Vec<String>>) -> Option<String> {
        let is_calico = self.group() == Self::CALICO_STORED;
        let group = if is_calico && groups.contains_key(Self::CALICO_SERVED) {
            Self::CALICO_SERVED
        } else {
            self.group()
        };
        let versions = groups.get(group)?;
        let own = self.version();
        let version = match versions.first() {
            Some(preferred) if !versions.iter().any(|version| version == own) => preferred,
            _ => own,
        };
        Some(format!("{group}/{version}"))
    }

    /// `v1` or `discovery.k8s.io/v1`.
    #[must_use]
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }
}
