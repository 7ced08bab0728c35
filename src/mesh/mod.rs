//! Service meshes: what takes a connection over at either end, and whether it lets it through.
//!
//! ```text
//!  ClusterView ─► Meshes { Istio, Linkerd }
//!  Connection  ─► client side ─► Sent { identity, TLS, port on the wire, way }
//!                             ─► server side ─► Ruling { pass | stop: deciding object, nearest miss, repair | open }
//! ```
//!
//! Every ruling is three-valued, like those of policies: what depends on a request nobody gave, on
//! an external authorizer or on an object that is not understood stays open, and says why.

mod connection;
mod detection;
mod http;
pub mod istio;
pub mod linkerd;
mod member;
mod object;
mod text;

use crate::cluster::{ClusterView, Pod};

pub use connection::{
    Connection, Identity, Mesh, Passage, Reason, Repair, Requested, Ruling, Sent, Side, Stop, Tls,
    Waypoint,
};
pub use member::Member;
pub use object::Object;

/// The port of tunnels between pods of an ambient mesh (HBONE, ztunnel `src/config.rs`).
pub const HBONE: u16 = 15_008;

/// What a view shows of meshes.
#[derive(Debug, Clone)]
pub struct Meshes<'v> {
    pub view: &'v ClusterView,
    pub istio: istio::Istio<'v>,
    pub linkerd: linkerd::Linkerd<'v>,
}

// === impl Meshes ===

impl<'v> Meshes<'v> {
    /// Reads the objects of every mesh of a view.
    #[must_use]
    pub fn of(view: &'v ClusterView, domain: &str) -> Self {
        Self {
            view,
            istio: istio::Istio::of(view, domain),
            linkerd: linkerd::Linkerd::of(view),
        }
    }

    /// By which meshes a pod's connections are taken over.
    #[must_use]
    pub fn member(&self, pod: &'v Pod) -> Member<'v> {
        Member::of(self.view, pod)
    }

    /// What becomes of a connection; none where no mesh has to do with it.
    #[must_use]
    pub fn judge(&self, connection: &Connection<'_, 'v>) -> Option<Passage> {
        let client = connection.client.map(|pod| self.member(pod));
        let server = connection.server.map(|pod| self.member(pod));
        let is_of = |member: &Option<Member<'_>>, mesh| {
            let member = member.as_ref();
            member.is_some_and(|member| member.mesh() == Some(mesh))
        };
        let mut passage = Passage {
            client: None,
            sent: Sent::plain(connection.client_address),
            server: None,
            notices: Vec::new(),
        };
        if is_of(&client, Mesh::Istio) || is_of(&client, Mesh::Ambient) {
            self.istio
                .client(connection, client.as_ref()?, server.as_ref(), &mut passage);
        } else if is_of(&client, Mesh::Linkerd) {
            self.linkerd
                .client(connection, client.as_ref()?, server.as_ref(), &mut passage);
        } else if let Some(client) = &client {
            passage.sent.why = client.why_plain();
        }
        let is_stopped = passage
            .client
            .as_ref()
            .is_some_and(|side| matches!(side.ruling, Ruling::Stop(_)));
        if let Some(server) = server.as_ref().filter(|_| !is_stopped) {
            match server.mesh() {
                Some(Mesh::Istio | Mesh::Ambient) => {
                    self.istio.server(connection, server, &mut passage);
                }
                Some(Mesh::Linkerd) => self.linkerd.server(connection, server, &mut passage),
                None => self.istio.plain_server(connection, server, &mut passage),
            }
        }
        if !is_stopped {
            let misread = detection::misread(self, connection, (client.as_ref(), server.as_ref()));
            passage.notices.extend(misread);
        }
        for member in [&client, &server].into_iter().flatten() {
            if member.is_of_two() {
                passage.doubt_two_meshes(member);
            }
        }
        (passage.client.is_some() || passage.server.is_some()).then_some(passage)
    }
}
