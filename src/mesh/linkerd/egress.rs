//! EgressNetworks: what may leave the cluster.

use std::net::IpAddr;

use super::super::connection::{Connection, Reason, Ruling};
use super::super::object::{Object, texts};
use super::super::text::within;
use super::{Linkerd, stop};
use crate::cluster::{Named, Pod};
use crate::net::parse_prefix;
use crate::policy::Doubt;

// === impl Linkerd ===

impl<'v> Linkerd<'v> {
    /// The narrowest network of the client's namespace that holds the destination decides; where none
    /// does, that of the global namespace (`policy-controller/k8s/index/src/outbound`).
    pub(super) fn egress(&self, connection: &Connection<'_, 'v>, client: &Pod) -> Ruling {
        if self.egress.is_empty() {
            return Ruling::Pass;
        }
        let Some(address) = connection.asked_address else {
            let denies = |one: &&Object<'_>| one.text("/spec/trafficPolicy") == "Deny";
            let places = [client.namespace(), &self.config.egress_namespace];
            let mut denying = self.egress.iter().filter(denies);
            let may = denying.any(|one| places.contains(&one.namespace()));
            let text = "the name's address decides which EgressNetwork counts, and it is not known";
            return if may {
                Ruling::Open(vec![Doubt::Other(text.to_owned())])
            } else {
                Ruling::Pass
            };
        };
        let found = [client.namespace(), &self.config.egress_namespace]
            .into_iter()
            .find_map(|place| self.narrowest(place, address));
        let Some(network) = found.filter(|network| network.text("/spec/trafficPolicy") == "Deny")
        else {
            return Ruling::Pass;
        };
        let is_parent = |route: &&Object<'_>| {
            let mut parents = route.items("/spec/parentRefs").iter();
            parents
                .any(|parent| parent["kind"] == "EgressNetwork" && parent["name"] == network.name())
        };
        if let Some(route) = self.routes.iter().find(is_parent) {
            let why = "a route of an EgressNetwork may allow it; those routes are not evaluated";
            return Ruling::Open(vec![route.not_understood("spec", why)]);
        }
        Ruling::Stop(stop(
            Reason::OutOfScope,
            (network.reference(), "spec.trafficPolicy"),
            format!("{} denies traffic to {address}", network.reference()),
            vec!["no attached route allows it".to_owned()],
            "attach a route for the destination to the EgressNetwork, or set its trafficPolicy to Allow",
        ))
    }

    fn narrowest(&self, namespace: &str, address: IpAddr) -> Option<Object<'v>> {
        let own = self
            .egress
            .iter()
            .filter(|one| one.namespace() == namespace);
        let holding = own.filter_map(|one| {
            let networks = one.items("/spec/networks");
            if networks.is_empty() {
                // Everything but the cluster itself.
                let is_inside = within(&self.config.networks(), Some(address), "").is_yes();
                return (!is_inside).then_some((0, one));
            }
            let lengths = networks.iter().filter_map(|network| {
                let net = parse_prefix(network["cidr"].as_str()?).ok()?;
                let excepted = within(&texts(&network["except"]), Some(address), "").is_yes();
                (net.contains(&address) && !excepted).then_some(net.prefix_len())
            });
            Some((lengths.max()?, one))
        });
        // Of two of one width the oldest counts, which comes first.
        let mut best: Option<(u8, &Object<'v>)> = None;
        for (length, one) in holding {
            if best.is_none_or(|(known, _)| known < length) {
                best = Some((length, one));
            }
        }
        best.map(|(_, one)| *one)
    }
}
