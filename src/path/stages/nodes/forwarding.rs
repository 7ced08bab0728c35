//! Whether a node's kernel passes packets on from one interface to another.

use std::net::IpAddr;

use crate::net::Family;
use crate::path::KernelFault;
use crate::route::{Decision, Query};
use crate::world::NodeSite;

/// What keeps a node from passing on a packet that came in by an interface.
///
/// IPv4 asks the incoming interface (`ip_route_input_slow`), which follows `ip_forward` unless set by
/// itself; IPv6 asks `all` alone (`ip6_forward`).
pub(super) fn refuses(node: &NodeSite, family: Family, interface: &str) -> Option<KernelFault> {
    let sysctls = node.state.sysctls.as_ref()?;
    let off = |setting: String| Some(KernelFault::NotForwarding { setting, family });
    match family {
        Family::V6 => {
            let name = "net.ipv6.conf.all.forwarding";
            (sysctls.number(name) == Some(0)).then(|| off(name.to_owned()))?
        }
        Family::V4 => match sysctls.of_interface("net.ipv4.conf", interface, "forwarding") {
            Some(0) if sysctls.number("net.ipv4.ip_forward") != Some(0) => {
                off(format!("net.ipv4.conf.{interface}.forwarding"))
            }
            Some(0) => off("net.ipv4.ip_forward".to_owned()),
            Some(_) => None,
            None => {
                let name = "net.ipv4.ip_forward";
                (sysctls.number(name) == Some(0)).then(|| off(name.to_owned()))?
            }
        },
    }
}

/// Whether strict reverse-path filtering drops a packet: the larger of the settings of `all` and of
/// the interface counts, and 1 wants the way back to be by the same interface (RFC 3704).
pub(super) fn reverse_path(
    node: &NodeSite,
    source: IpAddr,
    interface: &str,
) -> Option<KernelFault> {
    let sysctls = node.state.sysctls.as_ref()?;
    if source.is_ipv6() || interface == "lo" {
        return None;
    }
    let all = sysctls.number("net.ipv4.conf.all.rp_filter");
    let own = sysctls.of_interface("net.ipv4.conf", interface, "rp_filter");
    if all.max(own) != Some(1) {
        return None;
    }
    node.state.host.routing.as_ref()?;
    let decision = node.state.host.route(Query {
        src: None,
        dst: source,
        iif: None,
        mark: 0,
        protocol: None,
    });
    let back = match decision {
        Decision::Forward(hops) if hops.iter().any(|hop| hop.device == interface) => return None,
        Decision::Forward(hops) => hops.first()?.device.clone(),
        Decision::Refuse(why) => why.to_string(),
        Decision::Deliver | Decision::Unknown(_) => return None,
    };
    let of_interface = format!("net.ipv4.conf.{interface}.rp_filter");
    Some(KernelFault::ReversePath {
        setting: if own == Some(1) {
            of_interface
        } else {
            "net.ipv4.conf.all.rp_filter".to_owned()
        },
        interface: interface.to_owned(),
        source,
        back,
        is_entering: false,
    })
}
