//! What a node's counters show of its connection tracking.
//!
//! Counters run since the machine started. Only their growth between two readings says that packets are
//! lost now, and even then not whose: so nothing here is more than suspected.

use super::cross::Left;
use super::trip::Trip;
use crate::facts::Counted;
use crate::nat::model::{Action, Field, Rule, RuleVerdict, Ruleset, Step, Table, Values, ct};
use crate::net::Protocol;
use crate::path::{Colliding, KernelFault};
use crate::world::NodeSite;

fn growth(node: &NodeSite) -> Option<Counted> {
    node.state.conntrack_stats.as_ref()?.growth()
}

/// New connections that are lost to others with the same addresses and ports, if this one is of a kind
/// that can meet such: a lookup on a kernel that does not resolve it, or one that is masqueraded by a
/// rule that picks ports in order.
pub(super) fn collides(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    sent: Option<&Left>,
) -> Option<(KernelFault, String)> {
    let count = growth(node)?.insert_failed;
    if count == 0 {
        return None;
    }
    let text =
        format!("{count} new connections were lost to collisions while the node was looked at");
    let fault = |among| Some((KernelFault::Collides { count, among }, text.clone()));
    let is_lookup = trip.protocol == Protocol::Udp && trip.asked.is_some_and(|to| to.port() == 53);
    if let Some(kernel) = kernel(trip, node).filter(|kernel| is_lookup && loses_lookups(kernel)) {
        return fault(Colliding::Lookups { kernel });
    }
    let rule = sent?.masqueraded_by.clone()?;
    let picks_at_random = ["--random", "random"]
        .iter()
        .any(|word| rule.text.contains(word));
    if picks_at_random {
        return None;
    }
    fault(Colliding::Ports { rule })
}

/// Packets outside of their connection's window pass without being translated back, and whoever gets
/// them answers with a reset: unless the kernel is told to be liberal, or a rule drops them.
pub(super) fn strays(trip: &Trip<'_, '_>, node: &NodeSite) -> Option<(KernelFault, String)> {
    trip.asked.filter(|_| trip.protocol == Protocol::Tcp)?;
    let count = growth(node)?.invalid;
    let sysctls = node.state.sysctls.as_ref()?;
    let is_strict = sysctls.number("net.netfilter.nf_conntrack_tcp_be_liberal") == Some(0);
    let rules = node.state.rules.as_ref()?;
    (count > 0 && is_strict && !drops_invalid(rules)).then(|| {
        let text = format!("{count} packets belonged to no connection while the node was looked at, and no rule drops such");
        (KernelFault::LetsStraysPass { count }, text)
    })
}

fn drops_invalid(rules: &Ruleset) -> bool {
    let drops = |table: &Table, rule: &Rule| {
        let steps = table.steps(rule);
        let asks = steps.iter().any(|step| match step {
            Step::Test(test) => {
                test.field == Field::State
                    && !test.negated
                    && matches!(test.values, Values::AnyBit(bits) if bits & ct::INVALID != 0)
            }
            _ => false,
        });
        asks && steps.contains(&Step::Act(Action::Verdict(RuleVerdict::Drop)))
    };
    rules.tables.iter().any(|table| {
        let mut all = table.chains.iter().flat_map(|chain| &chain.rules);
        all.any(|rule| drops(table, rule))
    })
}

fn kernel(trip: &Trip<'_, '_>, node: &NodeSite) -> Option<String> {
    let object = trip.walker.view.nodes.get("", &node.name)?;
    let info = object.status.as_ref()?.node_info.as_ref()?;
    Some(info.kernel_version.clone())
}

/// From 5.7 on the kernel lets the second of two such packets pass (`nf_ct_resolve_clash_harder`).
fn loses_lookups(kernel: &str) -> bool {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (5u32, 7u32),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_that_lose_the_second_packet() {
        assert!(loses_lookups("4.15.0-213-generic") && loses_lookups("5.4.0"));
        assert!(!loses_lookups("5.10.1") && !loses_lookups("6.8.0-40") && !loses_lookups(""));
    }
}
