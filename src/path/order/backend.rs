//! To pods, addresses, and the backends of a Service: policies, nodes, destination.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;

use super::entry;
use crate::cluster::Pod;
use crate::net::{Family, Protocol};
use crate::path::context::{Leg, Walker};
use crate::path::stages::endpoints::{self, Absent};
use crate::path::stages::{destination, group, mesh, nodes, policy, remote};
use crate::path::{Backend, Break, Hop, Mode, Path, Stage, Status};
use crate::target::PortSpec;

impl<'v> Walker<'_, 'v> {
    /// Straight to pods, at a port of their own.
    pub(super) fn to_pods(&self, leg: &Leg<'_, 'v>, pods: &[&'v Pod], paths: &mut Vec<Path<'v>>) {
        let site = leg.sites[0];
        let protocol = self.flow.protocol.unwrap_or_default();
        let mut backends = Vec::new();
        for pod in pods {
            let port = pod_port(pod, self.flow.destination.port.as_ref(), protocol);
            // A pod is asked at its primary address, as by everything that names a pod; its others
            // are asked by address.
            let of_source = site.families();
            let mut own = pod.ips().into_iter().map(Family::of);
            let primary = own.find(|family| of_source.contains(family));
            let asked = self.flow.destination.family.or(primary);
            let family = asked.unwrap_or(Family::V4);
            backends.push((family, Backend::of_pod(pod, family, port.unwrap_or(0))));
        }
        if backends.is_empty() {
            let mut leg = leg.clone();
            let object = self.flow.destination.object.clone();
            let text = format!("{object} has no pod");
            leg.trail.stop(
                Hop::new(Stage::Destination, Status::Fail, text).at(object.clone()),
                Break::NoDestinationPod(object),
            );
            return paths.push(leg.end(None));
        }
        for family in Family::ALL {
            let own: Vec<Backend<'v>> = backends
                .iter()
                .filter(|(of, _)| *of == family)
                .map(|(_, backend)| backend.clone())
                .collect();
            for alike in group::backends(self.view, &own) {
                let mut leg = leg.clone();
                if site.is_outside() {
                    entry::straight_from_outside(&mut leg, &alike[0]);
                }
                leg.mode = match site.pod() {
                    Some(pod) if alike.iter().any(|backend| backend.is(pod)) => {
                        Mode::ContainerToContainer
                    }
                    _ => Mode::PodToPod,
                };
                self.to_backend(leg, None, family, protocol, alike, paths);
            }
        }
    }

    /// An address that no object of the view has.
    pub(super) fn to_address(&self, mut leg: Leg<'_, 'v>, addr: IpAddr, paths: &mut Vec<Path<'v>>) {
        leg.mode = Mode::ToOutside;
        let port = match &self.flow.destination.port {
            Some(PortSpec::Number(number)) => *number,
            _ => 0,
        };
        let backend = Backend {
            address: Some(addr),
            port,
            pod: None,
            node: None,
            is_hypothetical: false,
            cluster: None,
        };
        let protocol = self.flow.protocol.unwrap_or_default();
        self.to_backend(leg, None, Family::of(addr), protocol, vec![backend], paths);
    }

    /// Policies, nodes and the destination of one group of backends.
    pub(in crate::path) fn to_backend(
        &self,
        leg: Leg<'_, 'v>,
        service: Option<&'v Service>,
        family: Family,
        protocol: Protocol,
        backends: Vec<Backend<'v>>,
        paths: &mut Vec<Path<'v>>,
    ) {
        // The API shows them alike; nodes and pods may hold something else for each.
        if self.nodes.is_empty() {
            return self.to_alike(leg, service, (family, protocol), backends, paths);
        }
        let start = paths.len();
        for backend in backends {
            let mut own = Vec::new();
            let mut leg = leg.clone();
            leg.retranslate(&backend);
            self.to_alike(leg, service, (family, protocol), vec![backend], &mut own);
            for path in own {
                let mut known = paths[start..].iter_mut();
                match known.find(|known| known.is_like(&path)) {
                    Some(known) => known.backends.extend(path.backends),
                    None => paths.push(path),
                }
            }
        }
    }

    fn is_silent(&self, node: &str, address: IpAddr) -> bool {
        let site = self.nodes.node(node);
        site.is_some_and(|site| site.state.is_silent(address))
    }

    fn to_alike(
        &self,
        mut leg: Leg<'_, 'v>,
        service: Option<&'v Service>,
        (family, protocol): (Family, Protocol),
        backends: Vec<Backend<'v>>,
        paths: &mut Vec<Path<'v>>,
    ) {
        let backend = &backends[0];
        if let Some(cluster) = backend.cluster {
            let of = remote::through(&leg, service);
            remote::step(self, &mut leg, backend, cluster, &of, protocol);
            let sites = leg.sites.to_vec();
            return paths.push(leg.trail.finish(sites, backends, Some(family), leg.mode));
        }
        let absent = service
            .zip(backend.address)
            .filter(|_| backend.pod.is_none())
            .and_then(|(service, addr)| {
                Some((service, addr, endpoints::absent(self.view, service, addr)?))
            });
        // The node that asked for it in vain knows that nobody has it.
        let absent = absent.map(|(service, address, absent)| match absent {
            Absent::UnreadOn(node, slice) if self.is_silent(node, address) => {
                (service, address, Absent::Nobodys(slice))
            }
            absent => (service, address, absent),
        });
        let unread = match &absent {
            Some((.., Absent::Unread(pod))) => Some(format!("pod {pod} was not read")),
            Some((_, address, Absent::UnreadOn(node, _))) => Some(format!(
                "{address} belongs to the pods of {node}, and no pod that was read has it"
            )),
            _ => None,
        };
        if let Some(text) = unread {
            for stage in [Stage::IngressPolicy, Stage::Destination] {
                let text = text.clone();
                leg.trail.push(Hop::new(stage, Status::Unknown, text));
            }
            let sites = leg.sites.to_vec();
            return paths.push(leg.trail.finish(sites, backends, Some(family), leg.mode));
        }
        // Of an address that is nobody's no policy says anything of use.
        if leg.mode != Mode::ContainerToContainer && absent.is_none() {
            let wire = mesh::step(self, &mut leg, backend, service, protocol);
            policy::step(self, &mut leg, backend, protocol, &wire);
        }
        match absent {
            Some((service, address, Absent::Gone(slice) | Absent::Nobodys(slice))) => {
                let text = format!("{address}: {slice} lists it, and no pod has it");
                let hop = Hop::new(Stage::Destination, Status::Fail, text).at(slice.clone());
                leg.trail.stop(
                    hop,
                    Break::StaleEndpoint {
                        service,
                        slice,
                        address,
                    },
                );
            }
            _ => destination::step(self.view, backend, &mut leg.trail),
        }
        nodes::step(self, &mut leg, backend, service, (family, protocol));
        paths.push(
            leg.trail
                .finish(leg.sites.to_vec(), backends, Some(family), leg.mode),
        );
    }
}

/// The port of a pod that was asked: a number, a name the pod knows, or the first it declares.
fn pod_port(pod: &Pod, asked: Option<&PortSpec>, protocol: Protocol) -> Option<u16> {
    match asked {
        Some(PortSpec::Number(number)) => Some(*number),
        Some(PortSpec::Name(name)) => pod.named_port(name, protocol),
        None => {
            let declared = pod.declared_ports().into_iter();
            let mut fitting = declared
                .filter(|port| Protocol::from_field(port.protocol.as_deref()) == Ok(protocol));
            fitting
                .next()
                .and_then(|port| u16::try_from(port.container_port).ok())
        }
    }
}
