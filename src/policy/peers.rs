//! Whom policies name as the other end, whether or not they let it pass: those somebody had in mind.

use ipnet::IpNet;

use super::ends::End;
use super::formula::{Context, Domain, Formula};
use super::model::{Action, Direction, Peers};
use super::policies::Policies;

// === impl Policies ===

impl Policies {
    /// The peers that rules of the policies that select `subject` allow in a direction, each once, in the order
    /// of the policies. Rules for everybody name nobody.
    #[must_use]
    pub fn allowed_peers(&self, direction: Direction, subject: &End) -> Vec<&Formula> {
        let context = self.context();
        let tiers = self.stacks.iter().flat_map(|stack| &stack.tiers);
        let concerning = tiers.flat_map(|tier| tier.concerning(subject.namespace()));
        let sections = concerning.filter_map(|policy| {
            let section = policy.section(direction)?;
            (!policy.subject.truth(subject, context).is_no()).then_some(section)
        });
        let rules = sections.flat_map(|section| &section.rules);
        let mut named: Vec<&Formula> = Vec::new();
        for rule in rules.filter(|rule| rule.action == Action::Allow) {
            if let Peers::OneOf(peers) = &rule.peers {
                for peer in peers {
                    if !named.contains(&peer) {
                        named.push(peer);
                    }
                }
            }
        }
        named
    }

    /// Whether a peer is certainly this end.
    #[must_use]
    pub fn is_meant(&self, peer: &Formula, end: &End) -> bool {
        peer.truth(end, self.context()).is_yes()
    }

    const fn context(&self) -> Context<'_> {
        Context {
            families: self.families,
            other: None,
        }
    }
}

// === impl Formula ===

impl Formula {
    /// The only namespace that can hold whom it means, where it says so.
    #[must_use]
    pub fn only_namespace(&self) -> Option<&str> {
        match self {
            Self::Namespace(name) => Some(name),
            Self::All(parts) => parts.iter().find_map(Self::only_namespace),
            _ => None,
        }
    }

    /// Whether it asks for labels of pods: it means some of a namespace, not all.
    #[must_use]
    pub fn tells_pods_apart(&self) -> bool {
        match self {
            Self::Label(Domain::Pod | Domain::ServiceAccount, _) => true,
            Self::Part(domain, _) => *domain == Domain::Pod,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::tells_pods_apart),
            _ => false,
        }
    }

    /// The address blocks it means.
    #[must_use]
    pub fn blocks(&self) -> Vec<IpNet> {
        match self {
            Self::Within(net) => vec![*net],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::blocks).collect(),
            _ => Vec::new(),
        }
    }
}
