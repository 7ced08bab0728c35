//! To a Service, and through it to its backends.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;

use super::entry;
use crate::cluster::access::{ServiceExt, ServiceKind};
use crate::cluster::{ClusterView, Pod};
use crate::net::Family;
use crate::path::context::{Leg, Walker};
use crate::path::stages::endpoints::{self, Asker, Door};
use crate::path::stages::service::{self, Chosen, PortRequest};
use crate::path::stages::{group, mesh};
use crate::path::{Break, Hop, Path, Stage, Status};
use crate::resolve::Site;

impl<'v> Walker<'_, 'v> {
    pub(super) fn to_service(
        &self,
        mut leg: Leg<'_, 'v>,
        service: &'v Service,
        address: Option<IpAddr>,
        paths: &mut Vec<Path<'v>>,
    ) {
        let site = leg.sites[0];
        let asked = PortRequest {
            port: self.flow.destination.port.as_ref(),
            protocol: self.flow.protocol,
        };
        if site.is_outside() && leg.entry.is_none() {
            return entry::to_service(self, leg, service, address, asked, paths);
        }
        let Some(chosen) = service::step(self.view, service, asked, &mut leg.trail) else {
            return paths.push(leg.end(None));
        };
        let branches = mesh::branches(self, &mut leg, service, chosen, |leg| {
            paths.push(leg.end(None));
        });
        for branch in branches {
            let is_same = branch.service.reference() == service.reference();
            leg.subset.clone_from(&branch.subset);
            let address = address.filter(|_| is_same);
            self.through_service(&leg, branch.service, address, branch.chosen, paths);
        }
    }

    /// Every family of a chosen port, to every backend.
    pub(in crate::path) fn through_service(
        &self,
        leg: &Leg<'_, 'v>,
        service: &'v Service,
        address: Option<IpAddr>,
        chosen: Chosen<'v>,
        paths: &mut Vec<Path<'v>>,
    ) {
        let site = leg.sites[0];
        let mut leg = leg.clone();
        leg.trail.service = Some(service);
        leg.port = Some(chosen.port);
        let mut families = match address {
            Some(addr) => vec![Family::of(addr)],
            None => families(self.view, site, service),
        };
        if families.is_empty() {
            let wanted = service.families();
            // The Service is walked on as it is: it may have troubles of its own.
            families.clone_from(&wanted);
            let text = format!(
                "{} has no address of the Service's families",
                site.reference()
            );
            let seen = Break::NoCommonFamily {
                source: site.reference(),
                wanted,
            };
            leg.trail.stop(
                Hop::new(Stage::Service, Status::Fail, text).at(service.reference()),
                seen,
            );
        }
        if families.is_empty() {
            return paths.push(leg.end(None));
        }
        for family in families {
            let mut leg = leg.clone();
            let node = leg.entry.as_ref().map(|entry| entry.node_name);
            let is_external = |addr: IpAddr| !service.cluster_ips().contains(&addr);
            let asker = Asker {
                node: node.or_else(|| site.node_name()),
                door: match &leg.entry {
                    Some(entry) if site.node_name() != Some(entry.node_name) => Door::Outer,
                    Some(_) => Door::ShortCut,
                    None if address.is_some_and(is_external) => Door::ShortCut,
                    None => Door::Inner,
                },
            };
            let inner = address.filter(|_| leg.entry.is_none());
            let refused =
                inner.and_then(|vip| entry::refused_inside(service, vip, site.ip(Family::of(vip))));
            if let (Some(client), Some(vip)) = (refused, inner) {
                let text = format!("{vip}: {client} is in no range of loadBalancerSourceRanges");
                let hop = Hop::new(Stage::Entry, Status::Fail, text).at(service.reference());
                leg.trail.stop(hop, Break::SourceRange { service, client });
            }
            let mut backends =
                endpoints::step(self.view, service, chosen, family, asker, &mut leg.trail);
            if let Some((_, labels)) = &leg.subset {
                backends.retain(|backend| backend.pod.is_none_or(|pod| has_labels(pod, labels)));
            }
            let vip = address.or_else(|| service.cluster_ip(family));
            leg.asked = vip.map(|vip| SocketAddr::new(vip, chosen.number));
            if backends.is_empty() {
                paths.push(leg.end(Some(family)));
                continue;
            }
            for alike in group::backends(self.view, &backends) {
                let mut leg = leg.clone();
                leg.translate(
                    site,
                    family,
                    vip.map(|vip| (vip, chosen.number)),
                    &alike[0],
                    chosen.protocol,
                );
                self.to_backend(leg, Some(service), family, chosen.protocol, alike, paths);
            }
        }
    }
}

/// The families to walk: those of the Service that the source has, too.
fn families(view: &ClusterView, site: Site<'_>, service: &Service) -> Vec<Family> {
    let mut own = service.families();
    if own.is_empty() && (view.is_planned() || service.service_kind() == ServiceKind::Headless) {
        own.push(Family::V4);
    }
    // Nothing is known of addresses that are not assigned yet; a source without any is judged at its
    // own stage.
    let of_source = site.families();
    if !of_source.is_empty() {
        own.retain(|family| of_source.contains(family));
    }
    own
}

fn has_labels(pod: &Pod, labels: &[(String, String)]) -> bool {
    let mut labels = labels.iter();
    labels.all(|(key, value)| pod.labels().get(key) == Some(value))
}
