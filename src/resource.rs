//! The resources netpath knows how to read, as one table that the live reader, the snapshot reader,
//! the list of unread things and the printed ClusterRole all share.

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
    CiliumNetworkPolicies: "cilium.io", "v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies", Namespaced;
    CiliumClusterwideNetworkPolicies: "cilium.io", "v2", "CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", Cluster;
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

    /// Finds the resource of an object's `apiVersion` and `kind`. Only the group counts: an object
    /// written for another version of a known group is still read.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version
            .split_once('/')
            .map_or("", |(group, _version)| group);
        // Calico's own API server serves the same kinds under another group.
        let group = match group {
            "projectcalico.org" => "crd.projectcalico.org",
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

    /// `pods` or `networkpolicies.networking.k8s.io`: how kubectl and RBAC messages name it.
    #[must_use]
    pub fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
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
