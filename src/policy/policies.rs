//! All policies of a view, compiled.

use std::sync::Arc;

use super::dialect::Problem;
use super::ends::{Ends, Labelled};
use super::eval::{DirectionJudgement, Judgement, Question, Side};
use super::fix::Closing;
use super::formula::Families;
use super::model::{Direction, PolicyRef, Stack};
use super::stack;
use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, Pod};

/// The policies of a cluster, ready to be asked.
#[derive(Debug, Clone)]
pub struct Policies {
    /// More than one where it is not known which plugin enforces policies; never none.
    pub(super) stacks: Vec<Stack>,
    pub(super) namespaces: Vec<Arc<Labelled>>,
    /// The families a flow has where neither end says so.
    pub(super) families: Families,
    problems: Vec<Problem>,
}

// === impl Policies ===

impl Policies {
    /// Compiles every policy of a view. What cannot be understood is kept as a doubt where it
    /// matters, and listed in [`Self::problems`].
    #[must_use]
    pub fn compile(view: &ClusterView) -> Self {
        let mut problems = Vec::new();
        let stacks = stack::compile(view, &mut problems);
        Self {
            stacks,
            namespaces: Ends::new(view).namespaces().cloned().collect(),
            families: families(view),
            problems,
        }
    }

    /// What both ends' policies say about a flow: it passes when both allow it.
    #[must_use]
    pub fn judge(&self, question: &Question<'_>) -> Judgement {
        Judgement {
            egress: self.judge_direction(Direction::Egress, question),
            ingress: self.judge_direction(Direction::Ingress, question),
        }
    }

    /// What the policies of one end say: those of the source for egress, of the destination for
    /// ingress. To be asked apart where a translation gives each side another picture.
    #[must_use]
    pub fn judge_direction(
        &self,
        direction: Direction,
        question: &Question<'_>,
    ) -> DirectionJudgement {
        super::eval::judge(self, direction, question)
    }

    /// The smallest change that would deny one side of a flow that is allowed.
    #[must_use]
    pub fn closing(&self, direction: Direction, question: &Question<'_>) -> Option<Closing> {
        super::fix::closing(self, direction, question)
    }

    /// The policies that select one side, or may, of all tiers.
    pub(super) fn selecting(&self, side: Side<'_>) -> Vec<PolicyRef> {
        let tiers = self.stacks.iter().flat_map(|stack| &stack.tiers);
        let concerning = tiers.flat_map(|tier| tier.concerning(side.subject.namespace()));
        let selecting = concerning.filter(|policy| {
            policy.section(side.direction).is_some()
                && !policy
                    .subject
                    .truth(side.subject, side.of_subject())
                    .is_no()
        });
        let mut ids: Vec<PolicyRef> = Vec::new();
        for policy in selecting {
            if !ids.contains(&policy.id) {
                ids.push(policy.id.clone());
            }
        }
        ids
    }

    /// Parts of policies that cannot be read as they are meant.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// The families the cluster's pods and nodes have; IPv4 where none shows an address.
fn families(view: &ClusterView) -> Families {
    let pods = view.pods.iter().flat_map(Pod::ips);
    let nodes = view.nodes.iter().flat_map(NodeExt::addresses);
    let mut families = Families {
        v4: false,
        v6: false,
    };
    for addr in pods.chain(nodes) {
        families.v4 |= addr.is_ipv4();
        families.v6 |= addr.is_ipv6();
        if families.v4 && families.v6 {
            break;
        }
    }
    if families.is_empty() {
        Families::V4
    } else {
        families
    }
}
