//! Nothing comes back at all: the place is bounded by who reaches the backend, and named no more exactly
//! than that.

use super::backend::blamed;
use super::measured;
use super::network::{heard, node_at};
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::cluster::access::ServiceExt;
use crate::confirm::BackendSymptom;
use crate::diagnose::{Case, Finding};
use crate::observe::Attempts;
use crate::path::{Stage, Status};

/// What is known of who reaches the backend.
struct Reach<'a> {
    inside: Option<bool>,
    own_node: Option<bool>,
    source_node: Option<bool>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    /// Whether the backend's node was heard on the way, so that packets get as far as that.
    is_heard: bool,
    /// Whether what both nodes hold was read, and shows nothing that loses the packets.
    is_read: bool,
}

/// Packets to a backend that are lost, always only suspected of what would explain it.
pub(super) fn cause(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let reach = Reach::of(case, symptom);
    // A pod's own node is never policed.
    let policed = unjudged(case, symptom).filter(|_| reach.own_node != Some(false));
    let mut finding = policed.unwrap_or_else(|| {
        let (code, object, summary) = bounded(symptom, &reach);
        measured(Finding::new(code, Stage::Route, summary)).blame(object, "")
    });
    finding = finding.suspected();
    finding.evidence.extend(reach.words());
    let others = symptom.others;
    for (count, which) in [
        (others.fine_on_its_node, "other pods on that node respond"),
        (others.fine_elsewhere, "pods on other nodes respond"),
    ] {
        if count > 0 {
            finding = finding.because(which);
        }
    }
    if let Some(heard) = heard(case.view, symptom) {
        finding = finding.because(heard);
    }
    if finding.stage == Stage::Route {
        finding = finding.fix(reach.next_step());
    }
    finding
}

/// Silence is what a policy makes, first of all: where policies could not be judged, nothing else is to be
/// suspected before that was done.
fn unjudged(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Option<Finding> {
    let source = symptom.source.reference();
    let path = case.paths().find(|path| {
        let starts = path.sources.iter().any(|own| own.reference() == source);
        let address = Some(symptom.address.ip());
        starts && path.backends.iter().any(|own| own.address == address)
    })?;
    let unknown = |stage| {
        let mut hops = path.hops.iter();
        hops.find(|hop| hop.stage == stage && hop.status == Status::Unknown)
    };
    // A destination is isolated more often than a source is.
    let (code, object, hop) = match unknown(Stage::IngressPolicy) {
        Some(hop) => {
            let service = symptom.service.map(ServiceExt::reference);
            (
                Code::POL_02,
                service.unwrap_or_else(|| blamed(symptom)),
                hop,
            )
        }
        None => (Code::POL_03, source, unknown(Stage::EgressPolicy)?),
    };
    let address = symptom.address;
    let finding = Finding::new(code, hop.stage, format!("packets to {address} are lost, as with a denying policy; the policies could not be read"))
        .blame(object, "")
        .because(hop.summary.clone());
    Some(finding.fix("grant what is listed as unread, and run again"))
}

/// The place between the last that does not reach it and the first that does.
fn bounded(symptom: &BackendSymptom<'_>, reach: &Reach<'_>) -> (Code, ObjectRef, String) {
    let address = symptom.address;
    let node = |name: &str| ObjectRef::cluster_wide("Node", name);
    let crosses = reach.from != reach.to;
    match (reach.from, reach.to) {
        (_, Some(to)) if address.is_ipv6() && symptom.by_other_family == Some(true) => (
            Code::RTE_28,
            node(to),
            format!(
                "IPv6 packets to {address} are lost, the same pod on node/{to} responds over IPv4"
            ),
        ),
        (_, Some(to)) if reach.own_node == Some(false) && reach.inside == Some(true) => (
            Code::RTE_22,
            blamed(symptom),
            format!(
                "packets from node/{to} to its own pod at {address} are lost: the network interface of the pod"
            ),
        ),
        (Some(from), _) if reach.source_node == Some(true) && (reach.is_read || !crosses) => (
            Code::POL_16,
            node(from),
            format!(
                "node/{from} reaches {address}, its pod does not: rules on the node distinguish them, and no policy in the API does"
            ),
        ),
        (Some(from), Some(to)) if crosses && symptom.others.fine_on_its_node > 0 => (
            Code::POL_16,
            node(to),
            format!(
                "packets from node/{from} to {address} are lost, packets to other pods on node/{to} are not: rules there drop them, and no policy in the API does"
            ),
        ),
        (Some(from), Some(to)) if crosses => (Code::RTE_37, node(to), reach.crossing(from, to)),
        (Some(from), Some(_)) => (
            Code::RTE_22,
            node(from),
            format!("packets to {address} are lost on node/{from} itself"),
        ),
        (Some(from), None) => (
            Code::RTE_37,
            node(from),
            format!("packets from node/{from} to {address}, or the answers to them, are lost"),
        ),
        _ => (
            Code::RTE_37,
            blamed(symptom),
            format!("packets to {address}, or the answers to them, are lost"),
        ),
    }
}

// === impl Reach ===

impl<'a> Reach<'a> {
    fn of(case: &Case<'_, '_>, symptom: &'a BackendSymptom<'_>) -> Self {
        let opens = |attempts: &Option<Attempts>| attempts.as_ref().map(|own| !own.none_open());
        let inside = symptom.inside.as_ref();
        let (from, to) = (symptom.source.node_name(), symptom.backend.node);
        let mut heard = symptom.trace.iter().filter_map(|hop| hop.address);
        let nodes = case.world.nodes();
        let is_read = |name: Option<&str>| name.is_some_and(|name| nodes.node(name).is_some());
        Self {
            inside: inside.and_then(|inside| opens(&inside.by_address)),
            own_node: opens(&symptom.from_own_node),
            source_node: opens(&symptom.from_source_node),
            is_heard: to.is_some() && heard.any(|ip| node_at(case.view, ip) == to),
            is_read: is_read(from) && is_read(to),
            from,
            to,
        }
    }

    /// Which way is lost, as far as that was seen.
    fn crossing(&self, from: &str, to: &str) -> String {
        if self.source_node == Some(true) {
            return format!(
                "traffic between pods on node/{from} and node/{to} is lost, that of node/{from} itself is not"
            );
        }
        if self.is_heard {
            return format!(
                "packets from node/{from} arrive at node/{to}, and no answer of its pods comes back"
            );
        }
        format!("traffic from node/{from} to pods on node/{to} is lost, on the way there or back")
    }

    fn words(&self) -> Vec<String> {
        let asked = [
            (self.inside, "from inside the destination pod"),
            (self.own_node, "from its own node"),
            (self.source_node, "from the node of the source"),
        ];
        let words = asked.into_iter().filter_map(|(known, from)| {
            let how = if known? {
                "is open"
            } else {
                "does not open either"
            };
            Some(format!("{from} the port {how}"))
        });
        words.collect()
    }

    /// What would tell more.
    const fn next_step(&self) -> &'static str {
        if self.is_read {
            "nothing that was read on either node drops it: check what is between the nodes (security groups, firewalls, the underlay), and capture on both nodes to see which way is lost"
        } else {
            "run again with --deep: it reads routes, forwarding, firewall rules and tunnels of both nodes, and tests from the nodes themselves"
        }
    }
}
