//! What is outside the cluster, in the parts that policies tell apart.
//!
//! ```text
//!  ipBlock 10.0.0.0/8 except 10.1.0.0/16  ─►  10.0.0.0/8 · 10.1.0.0/16 · elsewhere
//! ```
//!
//! Blocks nest or are disjoint, so each stands for its addresses that no smaller one holds.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::OUTSIDE;
use crate::cluster::ObjectRef;
use crate::cluster::access::NodeExt;
use crate::net::Family;
use crate::policy::alike::for_each_formula;
use crate::policy::ends::{End, Ends};
use crate::policy::formula::{Families, Formula};
use crate::policy::model::Tier;
use crate::policy::policies::Policies;

/// The name of what no block holds.
pub const ELSEWHERE: &str = "elsewhere";

/// An end outside the cluster for every block, and one for the rest. Blocks that pods and nodes fill
/// are left out.
pub(super) fn outside(
    blocks: &BTreeSet<IpNet>,
    families: Families,
    ends: &Ends<'_>,
) -> Vec<(ObjectRef, End)> {
    let families: Vec<Family> = families.iter().collect();
    let of_blocks = blocks.iter().filter_map(|net| {
        let is_meant = net.prefix_len() > 0 && families.contains(&Family::of(net.addr()));
        let addr = alone(*net, net.network(), blocks).filter(|_| is_meant)?;
        (!is_of_cluster(ends, *net, addr)).then(|| (net.to_string(), vec![addr]))
    });
    let rest: Vec<IpAddr> = families
        .iter()
        .filter_map(|family| {
            let (whole, first) = whole(*family);
            alone(whole, first, blocks)
        })
        .collect();
    let rest = (!rest.is_empty()).then(|| (ELSEWHERE.to_owned(), rest));
    let named = of_blocks.chain(rest).map(|(name, addresses)| {
        let end = End {
            object: None,
            pod: None,
            node: None,
            addresses,
            doubt: None,
        };
        (ObjectRef::cluster_wide(OUTSIDE, name), end)
    });
    named.collect()
}

/// Whether a block is a node's pod range or a part of one, or its address is that of a pod or node.
fn is_of_cluster(ends: &Ends<'_>, net: IpNet, addr: IpAddr) -> bool {
    let mut ranges = ends.view().nodes.iter().flat_map(NodeExt::pod_cidrs);
    ends.address(addr).object.is_some() || ranges.any(|range| range.contains(&net))
}

/// Every block that some policy names.
pub(super) fn blocks(policies: &Policies) -> BTreeSet<IpNet> {
    let mut blocks = BTreeSet::new();
    let tiers = policies.stacks.iter().flat_map(|stack| &stack.tiers);
    for policy in tiers.flat_map(Tier::policies) {
        for_each_formula(policy, &mut |formula| {
            if let Formula::Within(net) = formula {
                blocks.insert(net.trunc());
            }
        });
    }
    blocks
}

/// All addresses of a family, and where those begin that are somebody's.
const fn whole(family: Family) -> (IpNet, IpAddr) {
    match family {
        Family::V4 => (
            IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0)),
            IpAddr::V4(std::net::Ipv4Addr::new(1, 0, 0, 0)),
        ),
        Family::V6 => (
            IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::UNSPECIFIED, 0)),
            IpAddr::V6(std::net::Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)),
        ),
    }
}

/// The first address of a block, from one on, that no smaller block holds.
fn alone(net: IpNet, from: IpAddr, blocks: &BTreeSet<IpNet>) -> Option<IpAddr> {
    let mut candidate = from;
    // Sorted by network address: whatever holds the candidate is passed before what comes behind.
    for smaller in blocks {
        if *smaller != net && net.contains(smaller) && smaller.contains(&candidate) {
            candidate = after(smaller.broadcast())?;
        }
    }
    net.contains(&candidate).then_some(candidate)
}

fn after(addr: IpAddr) -> Option<IpAddr> {
    match addr {
        IpAddr::V4(addr) => Some(IpAddr::V4(u32::from(addr).checked_add(1)?.into())),
        IpAddr::V6(addr) => Some(IpAddr::V6(u128::from(addr).checked_add(1)?.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_stands_for_what_no_smaller_one_holds() {
        let blocks: BTreeSet<IpNet> = ["10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "fd00::/8"]
            .iter()
            .map(|net| net.parse().expect("a CIDR"))
            .collect();
        let alone = |net: &str| {
            let net: IpNet = net.parse().expect("a CIDR");
            super::alone(net, net.network(), &blocks).map(|addr| addr.to_string())
        };
        assert_eq!(alone("10.0.0.0/8").as_deref(), Some("10.2.0.0"));
        assert_eq!(alone("10.0.0.0/16").as_deref(), Some("10.0.0.0"));
        assert_eq!(alone("fd00::/8").as_deref(), Some("fd00::"));
        // Nothing of it is left.
        assert_eq!(alone("10.0.0.0/15"), None);
    }
}
