//! Linkerd: proxies, Servers and their authorizations, egress networks.
//!
//! ```text
//!  config           linkerd-config: default policy, cluster networks, trust domain
//!  server           which Server a port has, and what its default is
//!  authorization    who is authorized by policies, legacy ServerAuthorizations and defaults
//!  route            HTTPRoutes on Servers
//!  egress           what may leave the cluster
//! ```

mod authorization;
mod config;
mod egress;
mod route;
mod server;

use super::connection::{
    Connection, Identity, Mesh, Passage, Reason, Repair, Requested, Ruling, Side, Stop, Tls,
};
use super::member::Member;
use super::object::Object;
use crate::cluster::{ClusterView, Named, Resource};

pub use config::Config;

/// Annotations by which a proxy lets connections pass it by.
const SKIP_OUTBOUND: &str = "config.linkerd.io/skip-outbound-ports";
const SKIP_INBOUND: &str = "config.linkerd.io/skip-inbound-ports";
const SKIP_SUBNETS: &str = "config.linkerd.io/skip-subnets";

/// The objects of Linkerd in a view.
#[derive(Debug, Clone)]
pub struct Linkerd<'v> {
    view: &'v ClusterView,
    config: Config,
    servers: Vec<Object<'v>>,
    policies: Vec<Object<'v>>,
    legacy: Vec<Object<'v>>,
    by_tls: Vec<Object<'v>>,
    by_network: Vec<Object<'v>>,
    routes: Vec<Object<'v>>,
    egress: Vec<Object<'v>>,
}

// === impl Linkerd ===

impl<'v> Linkerd<'v> {
    /// The ports that no proxy looks into unless an annotation says otherwise, as `25,587,…`.
    #[must_use]
    pub fn opaque_ports(&self) -> &str {
        &self.config.opaque_ports
    }

    /// Reads them.
    #[must_use]
    pub fn of(view: &'v ClusterView) -> Self {
        let all = |resource| Object::all(view, resource);
        Self {
            view,
            config: Config::of(view),
            servers: all(Resource::Servers),
            policies: all(Resource::LinkerdAuthorizationPolicies),
            legacy: all(Resource::ServerAuthorizations),
            by_tls: all(Resource::MeshTlsAuthentications),
            by_network: all(Resource::NetworkAuthentications),
            routes: all(Resource::LinkerdHttpRoutes),
            egress: all(Resource::EgressNetworks),
        }
    }

    /// Judges what the client's proxy does, and notes what it sends.
    pub(super) fn client(
        &self,
        connection: &Connection<'_, 'v>,
        client: &Member<'v>,
        server: Option<&Member<'v>>,
        passage: &mut Passage,
    ) {
        let pod = client.pod;
        passage.sent.mesh = Some(Mesh::Linkerd);
        let identity = Identity::of(pod, &self.config.trust_domain);
        let mut side = Side {
            mesh: Mesh::Linkerd,
            pod: pod.reference(),
            summary: format!(
                "intercepted at port 4140 as {}",
                self.config.name(&identity)
            ),
            ruling: Ruling::Pass,
        };
        if let Some(annotation) = self.skipped(connection, client) {
            side.summary = format!("passes the proxy of {} by ({annotation})", pod.name());
            passage.sent.why = Some(format!(
                "{annotation} of {} lets the connection pass its proxy by",
                pod.reference()
            ));
        } else if let Some((container, why)) = client.dead_proxy() {
            side.ruling = Ruling::Stop(Box::new(super::istio::dead(client, container, &why)));
        } else if let Some(server) = server {
            passage.sent.is_direct = matches!(connection.asked, Requested::Service { .. });
            // The destination controller tells clients which ports have no proxy behind them.
            let takes = server.mesh() == Some(Mesh::Linkerd)
                && server
                    .lists(&[SKIP_INBOUND], connection.server_port)
                    .is_none();
            if takes {
                passage.sent.tls = Tls::Mesh;
                passage.sent.identity = Some(identity);
            }
        } else if matches!(connection.asked, Requested::Host(_) | Requested::Address) {
            side.ruling = self.egress(connection, pod);
        }
        passage.client = Some(side);
    }

    fn skipped(
        &self,
        connection: &Connection<'_, 'v>,
        client: &Member<'v>,
    ) -> Option<&'static str> {
        if let Some(key) = client.lists(&[SKIP_OUTBOUND], connection.asked_port) {
            return Some(key);
        }
        let subnets = client.setting(self.view, SKIP_SUBNETS)?;
        let subnets: Vec<&str> = subnets.split(',').map(str::trim).collect();
        let is_in = super::text::within(&subnets, connection.asked_address, "");
        is_in.is_yes().then_some(SKIP_SUBNETS)
    }

    /// Judges what the server's proxy does with what was sent.
    pub(super) fn server(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        passage: &mut Passage,
    ) {
        let port = connection.server_port;
        let mut side = Side {
            mesh: Mesh::Linkerd,
            pod: server.pod.reference(),
            summary: format!("port {port} passes the proxy by ({SKIP_INBOUND})"),
            ruling: Ruling::Pass,
        };
        if server.lists(&[SKIP_INBOUND], port).is_some() {
            passage.server = Some(side);
            return;
        }
        if let Some((container, why)) = server.dead_proxy() {
            side.ruling = Ruling::Stop(Box::new(super::istio::dead(server, container, &why)));
        } else {
            (side.summary, side.ruling) = self.inbound(connection, server, &passage.sent);
            if let Ruling::Stop(stop) = &mut side.ruling
                && stop.reason == Reason::Plaintext
                && matches!(passage.sent.mesh, Some(Mesh::Istio | Mesh::Ambient))
            {
                stop.reason = Reason::OtherMesh;
                stop.because.push(
                    "the client is in another mesh, whose identities mean nothing here".to_owned(),
                );
            }
        }
        if !matches!(side.ruling, Ruling::Stop(_)) {
            let doubts: Vec<_> =
                super::object::unread(self.view, super::object::LINKERD, server.pod.namespace())
                    .collect();
            match &mut side.ruling {
                Ruling::Open(open) => open.extend(doubts),
                ruling => *ruling = Ruling::open_for(doubts),
            }
        }
        passage.server = Some(side);
    }
}

/// A stop at a Server or a default policy.
fn stop(
    reason: Reason,
    (object, field): (crate::cluster::ObjectRef, &str),
    summary: String,
    because: Vec<String>,
    repair: &str,
) -> Box<Stop> {
    Box::new(Stop {
        reason,
        object,
        field: field.to_owned(),
        summary,
        because,
        repair: Repair {
            summary: repair.to_owned(),
            patch: None,
        },
    })
}
