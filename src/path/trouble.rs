//! What is wrong at a Gateway or a route.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use crate::cluster::ObjectRef;
use crate::gateway::SlotTrouble;
use crate::gateway::programmed::GatewayTrouble;
use crate::gateway::{BackendTrouble, Refusal};
use crate::net::Family;
use crate::path::{Break, Stage};

/// One thing that keeps a door from serving.
#[derive(Debug, Clone)]
pub enum DoorTrouble<'v> {
    /// The Gateway as a whole.
    Gateway {
        gateway: ObjectRef,
        trouble: GatewayTrouble,
    },
    /// One of its listeners.
    Listener {
        owner: ObjectRef,
        field: String,
        name: String,
        trouble: SlotTrouble,
        /// Whether others of the door still serve.
        is_part: bool,
    },
    /// A ListenerSet that its Gateway does not admit, or that has none.
    SetNotAdmitted {
        set: ObjectRef,
        gateway: ObjectRef,
        exists: bool,
    },
    /// A parent does not take the route.
    Refused {
        route: ObjectRef,
        /// Its place in `spec.parentRefs`.
        index: usize,
        parent: ObjectRef,
        refusal: Refusal,
        /// Whether another parent accepts it.
        is_part: bool,
    },
    /// A backend that cannot be used.
    BadBackend {
        route: ObjectRef,
        field: String,
        to: ObjectRef,
        why: BackendTrouble,
        share: Share,
    },
    /// A kind of backend that is not known to exist.
    OddBackend {
        route: ObjectRef,
        field: String,
        to: ObjectRef,
        group: String,
    },
    /// One of several backends has no ready endpoint.
    DeadShare {
        route: ObjectRef,
        field: String,
        share: Share,
        service: &'v Service,
        port: &'v ServicePort,
        family: Family,
    },
    /// No route takes the request.
    NoRule {
        door: ObjectRef,
        asked: String,
        /// Rules for the host that do not take it.
        near: Vec<String>,
    },
    /// A rule that neither redirects nor has a backend with a weight.
    NoBackends {
        route: ObjectRef,
        rule: usize,
        is_weightless: bool,
    },
    /// A redirect that leads back to itself; and the rule behind it that would have served.
    Loop {
        route: ObjectRef,
        rule: usize,
        url: String,
        shadowed: Option<String>,
    },
    /// The Service in front of the proxies leads nowhere.
    ProxiesDown {
        door: ObjectRef,
        service: &'v Service,
        port: &'v ServicePort,
        family: Family,
    },
    /// Not one proxy is ready.
    NoProxyReady {
        door: ObjectRef,
        pods: Vec<ObjectRef>,
    },
    /// Some ways to the proxies are broken, others are not.
    PartOfFront(Break<'v>),
    /// A backend is spoken to by TLS, and what verifies it cannot be used.
    BackendTls {
        policy: ObjectRef,
        service: ObjectRef,
        why: String,
    },
    /// Nothing that was read takes a host, though its name may lead here.
    NobodyTakes { host: String, near: Vec<String> },
}

/// A part of the requests of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub weight: u32,
    pub of: u32,
}

// === impl DoorTrouble ===

impl DoorTrouble<'_> {
    /// The stage that saw it.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::ProxiesDown { .. } | Self::NoProxyReady { .. } => Stage::Entry,
            Self::PartOfFront(seen) => seen.stage(),
            Self::BadBackend { .. } | Self::OddBackend { .. } | Self::BackendTls { .. } => {
                Stage::Service
            }
            Self::DeadShare { .. } => Stage::Endpoints,
            _ => Stage::Gateway,
        }
    }

    /// Whether traffic still gets through in spite of it.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        match self {
            Self::Listener { is_part, .. } | Self::Refused { is_part, .. } => *is_part,
            Self::BadBackend { share, .. } | Self::DeadShare { share, .. } => !share.is_all(),
            Self::PartOfFront(_) => true,
            _ => false,
        }
    }
}

// === impl Share ===

impl Share {
    /// Whether it is all of them.
    #[must_use]
    pub const fn is_all(self) -> bool {
        self.weight >= self.of
    }

    /// `25 %`, `33.3 %` or `all`.
    #[must_use]
    pub fn words(self) -> String {
        if self.is_all() {
            return "all".to_owned();
        }
        let percent = f64::from(self.weight) * 100.0 / f64::from(self.of.max(1));
        let text = format!("{percent:.1}");
        format!("{} %", text.trim_end_matches(".0"))
    }
}
