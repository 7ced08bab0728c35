//! Hints from what dataplanes say of themselves in objects: endpoints, resolved policies, the state of agents.

use serde_json::Value;

use super::hint;
use crate::causes::Code;
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Resource};
use crate::dataplane::{cilium_config, eks, installed};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::nat::dataplane::Dataplane;
use crate::path::{Basis, Path, Stage, Status};
use crate::policy::Direction;

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    // The agents' own answers say more.
    if !case.basis.contains(&Basis::Node) {
        found.extend(
            ends::pods(case)
                .iter()
                .filter_map(|(pod, stage)| cilium(case.view, pod, *stage)),
        );
    }
    found.extend(
        case.paths()
            .filter_map(|path| resolved_otherwise(case.view, path)),
    );
    for (node, stage) in ends::nodes(case) {
        found.extend(antrea(case.view, node.name(), stage));
        found.extend(calico_peers(case.view, node.name(), stage));
    }
    found
}

/// RTE-35 for a pod that Cilium has no endpoint for; POL-16 for one whose endpoint is not ready yet.
fn cilium(view: &ClusterView, pod: &Pod, stage: Stage) -> Option<Finding> {
    let is_there = installed(view)
        .iter()
        .any(|one| one.dataplane == Dataplane::Cilium);
    let is_silent = cilium_config(view, "disable-endpoint-crd") == Some("true");
    let is_running = pod.phase() == "Running" && !pod.is_host_network() && !pod.ips().is_empty();
    if !is_there || is_silent || !is_running {
        return None;
    }
    let table = view
        .custom
        .get(&Resource::CiliumEndpoints)
        .filter(|table| !table.is_empty())?;
    let Some(endpoint) = table.get(pod.namespace(), pod.name()) else {
        return view.holds_all(Resource::CiliumEndpoints, pod.namespace()).then(|| {
            hint(Code::RTE_35, stage, format!("Cilium has no endpoint for {}: no policy may hold it", pod.name()))
                .blame(pod.reference(), "")
                .because(format!("no CiliumEndpoint {}/{}", pod.namespace(), pod.name()))
                .fix("make the pod again: one that was there before Cilium gets its endpoint only then")
        });
    };
    let state = endpoint.pointer("/status/state").and_then(Value::as_str)?;
    (state != "ready" && !state.is_empty()).then(|| {
        hint(
            Code::POL_16,
            stage,
            format!(
                "Cilium's endpoint of {} is {state}: its policy may not be in force yet",
                pod.name()
            ),
        )
        .blame(
            ObjectRef::new("CiliumEndpoint", pod.namespace(), pod.name()),
            "status.state",
        )
        .because(format!(
            "CiliumEndpoint {}/{}: {state}",
            pod.namespace(),
            pod.name()
        ))
        .fix("wait for it, or see the agent's log on its node")
        .run(kubectl(
            pod.namespace(),
            format!("get ciliumendpoint {} -o yaml", pod.name()),
        ))
    })
}

/// POL-16: the policies as EKS's controller has resolved them say otherwise than the policies themselves.
fn resolved_otherwise(view: &ClusterView, path: &Path<'_>) -> Option<Finding> {
    let source = path.sources.first()?.pod()?;
    let backend = path.backends.first()?;
    let (address, to) = (backend.address?, backend.pod?);
    let family = crate::net::Family::of(address);
    let client = source.ip(family)?;
    let protocol = path.service.and_then(|service| {
        let ports = service.spec.as_ref()?.ports.as_ref()?;
        Some(crate::cluster::access::ServicePortExt::protocol(
            ports.first()?,
        ))
    });
    let asked = (protocol.unwrap_or_default(), backend.port);
    let sides = [
        (
            Stage::EgressPolicy,
            Direction::Egress,
            client,
            address,
            source,
        ),
        (
            Stage::IngressPolicy,
            Direction::Ingress,
            address,
            client,
            to,
        ),
    ];
    sides.into_iter().find_map(|(stage, direction, own, peer, pod)| {
        let hop = path.hops.iter().find(|hop| hop.stage == stage)?;
        let ours = match hop.status {
            Status::Pass => true,
            Status::Fail => false,
            _ => return None,
        };
        let resolved = eks::admits(view, direction, own, peer, asked);
        let differs = resolved.is_some_and(|resolved| resolved != ours);
        differs.then(|| {
            let verb = if ours { "admit" } else { "deny" };
            let policies = crate::text::list(&eks::policies_of(view, own));
            hint(Code::POL_16, stage, format!("policies {verb} it, and their PolicyEndpoints, which nodes enforce, say otherwise"))
                .blame(pod.reference(), "")
                .because(format!("PolicyEndpoints of {policies} for {own} and {peer}, port {}", asked.1))
                .fix("see whether EKS's network policy controller follows the API")
                .run(kubectl(pod.namespace(), "get policyendpoints -o yaml"))
        })
    })
}

/// RTE-04: an agent of Antrea says itself that it is cut off.
fn antrea(view: &ClusterView, node: &str, stage: Stage) -> Option<Finding> {
    let mut agents = view.custom(Resource::AntreaAgentInfos);
    let agent = agents.find(|agent| text(agent, "/metadata/name") == Some(node))?;
    let conditions = agent.get("agentConditions").and_then(Value::as_array);
    let bad = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.get("status").and_then(Value::as_str) == Some("False"))?;
    let kind = text(bad, "/type").unwrap_or_default();
    Some(
        hint(Code::RTE_04, stage, format!("Antrea's agent on {node} says {kind} is False: what changed since is not programmed there"))
            .blame(ObjectRef::cluster_wide("AntreaAgentInfo", node), format!("agentConditions[{kind}]"))
            .because(format!("AntreaAgentInfo {node}: {kind} False"))
            .fix("see the agent's log")
            .run(format!("kubectl -n kube-system logs -l component=antrea-agent --field-selector spec.nodeName={node} -c antrea-agent --tail=50")),
    )
}

/// RTE-29: what a node has written into its CalicoNodeStatus about its BGP peers.
fn calico_peers(view: &ClusterView, node: &str, stage: Stage) -> Option<Finding> {
    let mut all = view.custom(Resource::CalicoNodeStatuses);
    let status = all.find(|status| text(status, "/spec/node") == Some(node))?;
    let peers = ["/status/bgp/peersV4", "/status/bgp/peersV6"];
    let mut peers = peers
        .iter()
        .filter_map(|field| status.pointer(field)?.as_array())
        .flatten();
    let down =
        peers.find(|peer| text(peer, "/state").is_some_and(|state| state != "Established"))?;
    let (peer, state) = (text(down, "/peerIP")?, text(down, "/state")?);
    Some(
        hint(
            Code::RTE_29,
            stage,
            format!("{node} has no BGP session with {peer}: routes learned from it are gone"),
        )
        .blame(
            ObjectRef::cluster_wide("CalicoNodeStatus", text(status, "/metadata/name")?),
            "status.bgp",
        )
        .because(format!("CalicoNodeStatus: {peer} is {state}"))
        .fix("see whether TCP 179 passes between them, and whether both name the same AS"),
    )
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}
