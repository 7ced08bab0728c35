//! The kinds an end can have, with kubectl's short names and plurals.

use crate::resource::Resource;

macro_rules! kinds {
    ($($variant:ident: $resource:ident, [$($alias:literal),*];)*) => {
        /// A kind that SRC or DST can name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($variant,)* }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The resource it is read as.
            #[must_use]
            pub const fn resource(self) -> Resource {
                match self { $(Self::$variant => Resource::$resource,)* }
            }

            /// How it is best typed, then its other spellings.
            #[must_use]
            pub const fn spellings(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($alias),*],)* }
            }
        }
    };
}

kinds! {
    Pod: Pods, ["pod", "po", "pods"];
    Service: Services, ["svc", "service", "services"];
    Deployment: Deployments, ["deploy", "deployment", "deployments"];
    StatefulSet: StatefulSets, ["sts", "statefulset", "statefulsets"];
    DaemonSet: DaemonSets, ["ds", "daemonset", "daemonsets"];
    ReplicaSet: ReplicaSets, ["rs", "replicaset", "replicasets"];
    Job: Jobs, ["job", "jobs"];
    CronJob: CronJobs, ["cronjob", "cj", "cronjobs"];
    Node: Nodes, ["node", "no", "nodes"];
    Ingress: Ingresses, ["ingress", "ing", "ingresses"];
    Gateway: Gateways, ["gateway", "gtw", "gateways"];
    ListenerSet: ListenerSets, ["listenerset", "lset", "listenersets"];
    HttpRoute: HttpRoutes, ["httproute", "httproutes"];
    GrpcRoute: GrpcRoutes, ["grpcroute", "grpcroutes"];
    TlsRoute: TlsRoutes, ["tlsroute", "tlsroutes"];
    TcpRoute: TcpRoutes, ["tcproute", "tcproutes"];
    UdpRoute: UdpRoutes, ["udproute", "udproutes"];
}

// === impl Kind ===

impl Kind {
    /// Reads `svc`, `Services`, `deployments.apps` or `deployments.v1.apps`, as kubectl does.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let (word, qualifier) = text.split_once('.').unwrap_or((&text, ""));
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.spellings().contains(&word) && kind.is_qualified_by(qualifier))
    }

    /// `""`, `GROUP` or `VERSION.GROUP`.
    fn is_qualified_by(self, qualifier: &str) -> bool {
        let group = self.resource().group();
        let behind_version = qualifier.split_once('.').map(|(_version, group)| group);
        qualifier.is_empty() || qualifier == group || behind_version == Some(group)
    }

    /// How it is best typed.
    #[must_use]
    pub const fn short(self) -> &'static str {
        self.spellings()[0]
    }

    /// Whether it is a door into the cluster, or leads from one to a backend.
    #[must_use]
    pub const fn is_door(self) -> bool {
        matches!(
            self,
            Self::Ingress
                | Self::Gateway
                | Self::ListenerSet
                | Self::HttpRoute
                | Self::GrpcRoute
                | Self::TlsRoute
                | Self::TcpRoute
                | Self::UdpRoute
        )
    }

    /// Whether it stands for the pods it makes.
    #[must_use]
    pub const fn is_workload(self) -> bool {
        matches!(
            self,
            Self::Deployment
                | Self::StatefulSet
                | Self::DaemonSet
                | Self::ReplicaSet
                | Self::Job
                | Self::CronJob
        )
    }
}
