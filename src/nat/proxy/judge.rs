//! One answer against what was expected.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use super::drift::{is_local, port_name, reference};
use super::{Difference, DifferenceKind, Expected, Origin, ProxyEntry};
use crate::nat::eval::{Answer, Fate, Outcome, TrailStep};

/// What an answer has other than expected.
#[must_use]
pub fn differences(
    entry: &ProxyEntry<'_>,
    origin: &Origin,
    expected: &Expected,
    answer: &Answer,
) -> Vec<Difference> {
    let judge = Judge {
        entry,
        origin,
        expected,
        answer,
        shown: OnceCell::new(),
        chains: OnceCell::new(),
    };
    if !answer.doubts.is_empty() {
        return vec![judge.difference(DifferenceKind::Undecided, None, None)];
    }
    match expected {
        Expected::Nothing => Vec::new(),
        Expected::Reject | Expected::Drop => judge.refusal(),
        Expected::Forward(endpoints) => judge.forwarding(endpoints),
    }
}

struct Judge<'a> {
    entry: &'a ProxyEntry<'a>,
    origin: &'a Origin,
    expected: &'a Expected,
    answer: &'a Answer,
    /// What was expected and what is, in words: all differences share it.
    shown: OnceCell<[Arc<[String]>; 2]>,
    /// The endpoints by the names of their chains.
    chains: OnceCell<HashMap<String, SocketAddr>>,
}

// === impl Judge ===

impl Judge<'_> {
    fn refusal(&self) -> Vec<Difference> {
        let wanted = |fate: &Fate| match self.expected {
            Expected::Reject => matches!(fate, Fate::Reject(_)),
            _ => matches!(fate, Fate::Drop),
        };
        let wrong = self.answer.outcomes.iter().find(|one| !wanted(&one.fate));
        let kind = DifferenceKind::NotRefused;
        wrong
            .map(|one| self.difference(kind, None, one.decided_by()))
            .into_iter()
            .collect()
    }

    fn forwarding(&self, endpoints: &BTreeMap<SocketAddr, Option<bool>>) -> Vec<Difference> {
        use DifferenceKind as Kind;
        let outcomes = &self.answer.outcomes;
        if outcomes.iter().all(|one| !one.translated) {
            let refused = outcomes.iter().find(|one| !one.passes());
            return match refused {
                Some(one) => vec![self.difference(Kind::Refused, None, one.decided_by())],
                None => vec![self.difference(Kind::ServiceMissing, None, None)],
            };
        }
        let mut all = Vec::new();
        let mut hit: BTreeMap<SocketAddr, &Outcome> = BTreeMap::new();
        for one in outcomes {
            let endpoint = SocketAddr::new(one.packet.dst, one.packet.dport);
            if !one.translated {
                all.push(self.difference(Kind::Refused, None, one.decided_by()));
            } else if endpoints.contains_key(&endpoint) {
                hit.insert(endpoint, one);
            } else {
                all.push(self.stray(endpoint, one, endpoints));
            }
        }
        let astray = all.iter().filter(|found| found.kind == Kind::WrongTarget);
        let astray: BTreeSet<_> = astray.filter_map(|found| found.endpoint).collect();
        for (endpoint, masquerade) in endpoints {
            let Some(one) = hit.get(endpoint) else {
                if !astray.contains(endpoint) {
                    all.push(self.difference(Kind::EndpointMissing, Some(*endpoint), None));
                }
                continue;
            };
            let kind = match masquerade {
                // What ends on this host never leaves it: nobody has to masquerade it.
                Some(true) if !one.masqueraded && one.fate != Fate::Deliver => {
                    Kind::MasqueradeMissing
                }
                Some(false) if one.masqueraded => Kind::MasqueradeUnexpected,
                _ => continue,
            };
            // One for the Service is enough.
            if !all.iter().any(|found| found.kind == kind) {
                all.push(self.difference(kind, Some(*endpoint), one.decided_by()));
            }
        }
        if all.is_empty() && !is_even(outcomes) {
            all.push(self.difference(Kind::Uneven, None, None));
        }
        all
    }

    /// Traffic to somewhere that is no endpoint: the rule of one endpoint with another target, if its
    /// chain is named after an endpoint.
    fn stray(
        &self,
        endpoint: SocketAddr,
        one: &Outcome,
        endpoints: &BTreeMap<SocketAddr, Option<bool>>,
    ) -> Difference {
        let name = self.entry.name();
        let chains = self.chains.get_or_init(|| {
            let named = |known: &SocketAddr| (name.iptables_endpoint(*known), *known);
            endpoints.keys().map(named).collect()
        });
        let mut met = one.trail.iter();
        if let Some((chain, owner)) = met.find_map(|step| chains.get_key_value(&step.chain)) {
            // The last rule of that chain is the one that translates.
            let rule = one.trail.iter().rfind(|step| step.chain == *chain);
            return self.difference(DifferenceKind::WrongTarget, Some(*owner), rule);
        }
        let rule = one.trail.iter().rfind(|step| step.translates());
        self.difference(DifferenceKind::EndpointStale, Some(endpoint), rule)
    }

    fn difference(
        &self,
        kind: DifferenceKind,
        endpoint: Option<SocketAddr>,
        rule: Option<&TrailStep>,
    ) -> Difference {
        let shown = || [expectation(self.expected), outcomes(self.answer)].map(Arc::from);
        let [expected, actual] = self.shown.get_or_init(shown);
        Difference {
            kind,
            service: Some(reference(self.entry)),
            port: port_name(self.entry),
            entry: self.entry.to_string(),
            entry_kind: Some(self.entry.kind),
            origins: BTreeSet::from([self.origin.kind]),
            expected: Arc::clone(expected),
            actual: Arc::clone(actual),
            endpoint,
            rule: rule.cloned(),
            is_local: is_local(self.entry),
        }
    }
}

/// Whether all endpoints have the same share, within what 31-bit probabilities and a hundredth allow.
fn is_even(outcomes: &[Outcome]) -> bool {
    let shares = outcomes.iter().filter_map(|one| one.probability);
    let (least, most) = shares.fold((f64::MAX, 0.0_f64), |(least, most), share| {
        (least.min(share), most.max(share))
    });
    most <= least * 1.01 || outcomes.len() < 2
}

fn expectation(expected: &Expected) -> Vec<String> {
    match expected {
        Expected::Forward(endpoints) => endpoints.keys().map(ToString::to_string).collect(),
        Expected::Reject => vec!["reject".to_owned()],
        Expected::Drop => vec!["drop".to_owned()],
        Expected::Nothing => Vec::new(),
    }
}

fn outcomes(answer: &Answer) -> Vec<String> {
    let mut all: Vec<String> = answer
        .outcomes
        .iter()
        .map(|one| match &one.fate {
            Fate::Reject(_) => "reject".to_owned(),
            Fate::Drop => "drop".to_owned(),
            Fate::Unknown(_) => "unknown".to_owned(),
            _ if one.translated => SocketAddr::new(one.packet.dst, one.packet.dport).to_string(),
            Fate::Forward(_) => "passes unchanged".to_owned(),
            Fate::Deliver => "to the node itself".to_owned(),
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}
