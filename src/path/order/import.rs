//! To a Service of the cluster set: through its ServiceImport to endpoints here and elsewhere.

use std::net::SocketAddr;

use crate::cluster::access::ServiceExt;
use crate::cluster::multicluster::ServiceImport;
use crate::net::Family;
use crate::path::context::{Leg, Walker};
use crate::path::stages::{group, import as stages};
use crate::path::{Hop, Path, Stage, Status};

impl<'v> Walker<'_, 'v> {
    pub(super) fn to_import(
        &self,
        mut leg: Leg<'_, 'v>,
        import: ServiceImport<'v>,
        paths: &mut Vec<Path<'v>>,
    ) {
        leg.import = Some(import);
        let asked = (self.flow.destination.port.as_ref(), self.flow.protocol);
        let Some(port) = stages::port(self.view, import, asked, &mut leg.trail) else {
            return paths.push(leg.end(None));
        };
        let families = stages::families(self.view, import, leg.sites[0]);
        if families.is_empty() {
            let text = "it has no address of a family that the source has".to_owned();
            let hop = Hop::new(Stage::Endpoints, Status::Unknown, text).at(import.reference());
            leg.trail.push(hop);
            return paths.push(leg.end(None));
        }
        for family in families {
            let mut leg = leg.clone();
            let backends = stages::endpoints(self.view, import, &port, family, &mut leg.trail);
            if backends.is_empty() {
                paths.push(leg.end(Some(family)));
                continue;
            }
            let mut ips = import.ips().into_iter();
            let vip = ips.find(|ip| Family::of(*ip) == family);
            let vip = vip.map(|ip| (ip, port.number));
            leg.asked = vip.map(|(ip, port)| SocketAddr::new(ip, port));
            for alike in group::backends(self.view, &backends) {
                let mut leg = leg.clone();
                let first = &alike[0];
                // Submariner leads to the exported Service itself, also to that of this cluster.
                let own = self.view.services.get(import.namespace(), import.name());
                let own = own.filter(|own| {
                    first.cluster.is_none()
                        && first
                            .address
                            .is_some_and(|ip| own.cluster_ips().contains(&ip))
                });
                if let Some(own) = own {
                    self.to_service(leg, own, first.address, paths);
                    continue;
                }
                leg.translate(leg.sites[0], family, vip, first, port.protocol);
                self.to_backend(leg, None, family, port.protocol, alike, paths);
            }
        }
    }
}
