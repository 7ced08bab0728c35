//! The verdict on one flow.
//!
//! A walk over the tiers keeps every outcome that is still possible. Where all of them agree the
//! verdict is certain, whatever was open on the way; else it is unknown, with what left it open.

use std::fmt;

use serde::Serialize;

use super::ends::End;
use super::explain::{self, RuleMiss};
use super::fix::{self, Fix};
use super::formula::{Context, Families};
use super::model::{
    Action, Direction, Peers, Policy, PolicyRef, Port, PortNumber, Ports, Rule, RuleRef, Section,
    Stack, Tier,
};
use super::policies::Policies;
use super::truth::{Doubt, Truth};
use crate::net::{Family, Protocol};

/// A flow as the enforcing node sees it: the destination is the pod and its port, after any
/// translation of a Service.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub source: &'a End,
    pub destination: &'a End,
    pub protocol: Protocol,
    pub port: u16,
    /// None for whichever the ends share.
    pub family: Option<Family>,
}

/// What policies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyVerdict {
    Allow,
    Deny,
    Unknown,
}

/// What both sides say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The policies of the source.
    pub egress: DirectionJudgement,
    /// The policies of the destination.
    pub ingress: DirectionJudgement,
}

/// What one side says, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectionJudgement {
    pub direction: Direction,
    pub verdict: PolicyVerdict,
    pub reason: Reason,
    /// What leaves an unknown verdict open; empty for the others.
    pub doubts: Vec<Doubt>,
    /// The rules that decide. For a denial that no rule states, the sections that isolate.
    pub decided_by: Vec<RuleRef>,
    /// The rules that handed the flow on to the next tier.
    pub passed_by: Vec<RuleRef>,
    /// Every policy that selects this end for this direction, also after the decision.
    pub selecting: Vec<PolicyRef>,
    /// Why the other rules that were asked did not match, nearest first.
    pub misses: Vec<RuleMiss>,
    /// What lets the flow past a rule that denies it.
    pub exception: Option<Fix>,
}

/// What kind of decision it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No policy selects this end for this direction.
    Unselected,
    /// Policies do not apply to this end at all.
    Unpoliced(Unpoliced),
    /// A node may always reach its own pods, for the kubelet's probes.
    NodeLocal,
    /// Loopback traffic never leaves the pod.
    Loopback,
    /// A rule admits it.
    Admitted,
    /// A rule denies it.
    Refused,
    /// A policy isolates this end, and no rule admits the flow.
    Isolated,
    /// Policies select this end, but none of them decides.
    Undecided,
    /// It could be either.
    Open,
}

/// Why policies do not apply to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unpoliced {
    /// A pod in its node's network namespace.
    HostNetwork,
    Node,
    /// Nothing of this cluster.
    Outside,
}

/// A rule that may decide, or an isolating section where there is no rule.
#[derive(Debug, Clone, Copy)]
struct Hit<'p> {
    policy: &'p Policy,
    section: &'p Section,
    rule: Option<&'p Rule>,
    is_certain: bool,
}

/// A rule that does not match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missed<'p> {
    pub policy: &'p Policy,
    pub section: &'p Section,
    /// None for a section without any rule.
    pub rule: Option<&'p Rule>,
}

/// One side of a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub direction: Direction,
    /// Whose policies are asked.
    pub subject: &'a End,
    pub peer: &'a End,
    pub question: &'a Question<'a>,
    pub families: Families,
}

/// What a walk over the tiers has gathered.
#[derive(Debug, Default)]
struct Walk<'p> {
    allowed_by: Vec<Hit<'p>>,
    denied_by: Vec<Hit<'p>>,
    passed_by: Vec<Hit<'p>>,
    /// No tier decides.
    may_fall_through: bool,
    /// Whether any policy that was asked selects the subject.
    is_selected: bool,
    missed: Vec<Missed<'p>>,
    doubts: Vec<Doubt>,
}

/// Judges one side of a flow.
pub(super) fn judge(
    policies: &Policies,
    direction: Direction,
    question: &Question<'_>,
) -> DirectionJudgement {
    let side = Side::of(policies, direction, question);
    if question.destination.is_loopback() {
        return side.judgement(PolicyVerdict::Allow, Reason::Loopback);
    }
    let same_node = side.node_to_own_pod();
    if same_node.is_yes() {
        return side.judgement(PolicyVerdict::Allow, Reason::NodeLocal);
    }
    let judgements = policies.stacks.iter().map(|stack| {
        let mut walk = Walk::default();
        walk.stack(stack, side);
        walk.judgement(policies, side)
    });
    let Some(mut judgement) = judgements.reduce(either) else {
        return side.judgement(PolicyVerdict::Allow, Reason::Unselected);
    };
    if judgement.verdict == PolicyVerdict::Deny {
        let doubt = match same_node {
            Truth::Maybe(doubt) => Some(doubt),
            _ if question.source.is_same_pod(question.destination) => Some(Doubt::SelfTraffic),
            _ => None,
        };
        if let Some(doubt) = doubt {
            judgement.verdict = PolicyVerdict::Unknown;
            judgement.reason = Reason::Open;
            judgement.doubts = vec![doubt];
        }
    }
    judgement
}

/// What is left where it is not known which of two judgements counts.
fn either(one: DirectionJudgement, other: DirectionJudgement) -> DirectionJudgement {
    if one.verdict == other.verdict {
        return one;
    }
    let mut doubts = one.doubts;
    doubts.extend(other.doubts);
    doubts.push(Doubt::TwoPlugins);
    DirectionJudgement {
        verdict: PolicyVerdict::Unknown,
        reason: Reason::Open,
        doubts,
        decided_by: [one.decided_by, other.decided_by].concat(),
        ..one
    }
}

// === impl Side ===

impl<'a> Side<'a> {
    pub(super) fn of(
        policies: &Policies,
        direction: Direction,
        question: &'a Question<'a>,
    ) -> Self {
        let (subject, peer) = match direction {
            Direction::Egress => (question.source, question.destination),
            Direction::Ingress => (question.destination, question.source),
        };
        Self {
            direction,
            subject,
            peer,
            question,
            families: question.families(policies.families),
        }
    }

    const fn judgement(self, verdict: PolicyVerdict, reason: Reason) -> DirectionJudgement {
        DirectionJudgement {
            direction: self.direction,
            verdict,
            reason,
            doubts: Vec::new(),
            decided_by: Vec::new(),
            passed_by: Vec::new(),
            selecting: Vec::new(),
            misses: Vec::new(),
            exception: None,
        }
    }

    /// Whether a node, or a pod in its network namespace, calls a pod that runs on it: "…OR if the
    /// traffic source is the pod's local node" (NetworkPolicySpec.ingress). What holds for a whole
    /// workload does not depend on where its pods happen to run.
    fn node_to_own_pod(self) -> Truth {
        let is_policed_pod = self
            .subject
            .pod
            .as_ref()
            .is_some_and(|pod| !pod.host_network);
        let is_placed = |end: &End| end.pod.as_ref().is_none_or(|pod| !pod.is_workload);
        if self.direction == Direction::Egress
            || !self.peer.is_node_like()
            || !is_policed_pod
            || !is_placed(self.subject)
            || !is_placed(self.peer)
        {
            return Truth::No;
        }
        match (&self.subject.node, &self.peer.node) {
            (Some(here), Some(there)) => Truth::from(here.name == there.name),
            _ => Truth::Maybe(Doubt::SameNode),
        }
    }

    /// What a condition on the subject may refer to.
    pub(super) const fn of_subject(self) -> Context<'a> {
        Context {
            families: self.families,
            other: None,
        }
    }

    /// What a condition on the peer may refer to.
    pub(super) const fn of_peer(self) -> Context<'a> {
        Context {
            families: self.families,
            other: Some(self.subject),
        }
    }

    pub(super) fn rule_matches(self, rule: &Rule) -> Truth {
        let ports = self.ports_match(&rule.ports);
        if ports.is_no() {
            return ports;
        }
        let subject = rule.subject.truth(self.subject, self.of_subject());
        if subject.is_no() {
            return subject;
        }
        ports.and(subject).and(self.peers_match(&rule.peers))
    }

    pub(super) fn peers_match(self, peers: &Peers) -> Truth {
        match peers {
            Peers::Any => Truth::Yes,
            Peers::OneOf(peers) => Truth::any(
                peers
                    .iter()
                    .map(|peer| peer.truth(self.peer, self.of_peer())),
            ),
        }
    }

    pub(super) fn ports_match(self, ports: &Ports) -> Truth {
        match ports {
            Ports::Any => Truth::Yes,
            Ports::OneOf(ports) => Truth::any(ports.iter().map(|port| self.port_matches(port))),
        }
    }

    fn port_matches(self, port: &Port) -> Truth {
        let Question {
            destination,
            protocol,
            port: asked,
            ..
        } = *self.question;
        if port.protocol.is_some_and(|wanted| wanted != protocol) {
            return Truth::No;
        }
        match &port.number {
            PortNumber::Any => Truth::Yes,
            PortNumber::Range(range) => range.contains(asked).into(),
            PortNumber::Named(name) => {
                match (destination.named_port(name, protocol), &destination.doubt) {
                    (None, Some(doubt)) => Truth::Maybe(doubt.clone()),
                    (number, _) => (number == Some(asked)).into(),
                }
            }
            PortNumber::Unclear(doubt) => Truth::Maybe(doubt.clone()),
        }
    }
}

// === impl Question ===

impl Question<'_> {
    /// The families the flow can have: what was asked for, else what both ends have.
    fn families(&self, of_cluster: Families) -> Families {
        match self.family {
            Some(family) => Families::only(family),
            None => Families::between(self.source, self.destination, of_cluster),
        }
    }
}

// === impl Walk ===

impl<'p> Walk<'p> {
    fn stack(&mut self, stack: &'p Stack, side: Side<'_>) {
        let is_self = side.question.source.is_same_pod(side.question.destination);
        let tiers = stack.tiers.iter();
        let mut concerned = tiers.filter(|tier| !(is_self && tier.spares_self));
        self.may_fall_through = concerned.all(|tier| self.tier(tier, side));
    }

    /// Asks one tier; says whether the next one may have to be asked.
    fn tier(&mut self, tier: &'p Tier, side: Side<'_>) -> bool {
        let candidates = tier.concerning(side.subject.namespace());
        let mut isolated = Truth::No;
        let mut isolating = Vec::new();
        let mut may_leave = false;
        for group in candidates.chunk_by(|one, other| one.rank == other.rank) {
            let mut decided: Option<Hit<'p>> = None;
            for &policy in group {
                let selects = policy.subject.truth(side.subject, side.of_subject());
                let Some(section) = policy.section(side.direction).filter(|_| !selects.is_no())
                else {
                    continue;
                };
                self.is_selected = true;
                let closes = selects.clone().and(section.isolates.clone());
                if !closes.is_no() {
                    let is_certain = closes.is_yes();
                    isolating.push(Hit {
                        policy,
                        section,
                        rule: None,
                        is_certain,
                    });
                    isolated = isolated.or(closes);
                }
                let hit = self.rules(policy, section, &selects, side, &mut may_leave);
                if let (Some(one), Some(other)) = (&decided, &hit)
                    && one.action() != other.action()
                {
                    let ids = (one.policy.id.clone(), other.policy.id.clone());
                    self.doubts.push(Doubt::EqualPriority(ids.0, ids.1));
                }
                decided = decided.or(hit);
            }
            if decided.is_some() {
                return may_leave;
            }
        }
        if let Truth::Maybe(doubt) = &isolated {
            self.doubts.push(doubt.clone());
        }
        if !isolated.is_no() {
            self.denied_by.extend(isolating);
        }
        may_leave || !isolated.is_yes()
    }

    /// Asks the rules of one policy, top down; gives the one that certainly matches.
    fn rules(
        &mut self,
        policy: &'p Policy,
        section: &'p Section,
        selects: &Truth,
        side: Side<'_>,
        may_leave: &mut bool,
    ) -> Option<Hit<'p>> {
        // An empty list of what only ever denies keeps nobody out.
        if section.rules.is_empty() && !section.isolates.is_no() {
            self.missed.push(Missed {
                policy,
                section,
                rule: None,
            });
        }
        for rule in &section.rules {
            let matches = side.rule_matches(rule).and(selects.clone());
            let is_certain = matches.is_yes();
            match matches {
                Truth::No => {
                    self.missed.push(Missed {
                        policy,
                        section,
                        rule: Some(rule),
                    });
                    continue;
                }
                Truth::Maybe(doubt) => self.doubts.push(doubt),
                Truth::Yes => {}
            }
            let hit = Hit {
                policy,
                section,
                rule: Some(rule),
                is_certain,
            };
            match rule.action {
                Action::Allow => self.allowed_by.push(hit),
                Action::Deny => self.denied_by.push(hit),
                Action::Pass => {
                    self.passed_by.push(hit);
                    *may_leave = true;
                }
            }
            if is_certain {
                return Some(hit);
            }
        }
        None
    }

    fn judgement(mut self, policies: &Policies, side: Side<'_>) -> DirectionJudgement {
        let may_allow = self.may_fall_through || !self.allowed_by.is_empty();
        let (verdict, decisive) = match (may_allow, self.denied_by.is_empty()) {
            (true, true) => (PolicyVerdict::Allow, std::mem::take(&mut self.allowed_by)),
            (false, _) => (PolicyVerdict::Deny, std::mem::take(&mut self.denied_by)),
            (true, false) => {
                let mut hits = std::mem::take(&mut self.allowed_by);
                hits.append(&mut self.denied_by);
                (PolicyVerdict::Unknown, hits)
            }
        };
        let reason = self.reason(verdict, &decisive, side);
        let refusing = decisive.iter().find_map(|hit| Some((hit, hit.rule?)));
        let exception = refusing
            .filter(|_| reason == Reason::Refused)
            .and_then(|(hit, rule)| fix::excepting(hit.policy, hit.section, rule, side));
        if verdict != PolicyVerdict::Unknown {
            self.doubts.clear();
        }
        DirectionJudgement {
            direction: side.direction,
            verdict,
            reason,
            doubts: distinct(self.doubts),
            decided_by: references(&decisive, side.direction),
            passed_by: references(&self.passed_by, side.direction),
            selecting: policies.selecting(side),
            misses: explain::misses(policies, &self.missed, side),
            exception,
        }
    }

    fn reason(&self, verdict: PolicyVerdict, decisive: &[Hit<'_>], side: Side<'_>) -> Reason {
        let by_rule = decisive.iter().any(|hit| hit.rule.is_some());
        match verdict {
            PolicyVerdict::Unknown => Reason::Open,
            PolicyVerdict::Deny if by_rule => Reason::Refused,
            PolicyVerdict::Deny => Reason::Isolated,
            PolicyVerdict::Allow if by_rule => Reason::Admitted,
            PolicyVerdict::Allow if self.is_selected => Reason::Undecided,
            PolicyVerdict::Allow => match &side.subject.pod {
                Some(pod) if pod.host_network => Reason::Unpoliced(Unpoliced::HostNetwork),
                Some(_) => Reason::Unselected,
                None if side.subject.node.is_some() => Reason::Unpoliced(Unpoliced::Node),
                None => Reason::Unpoliced(Unpoliced::Outside),
            },
        }
    }
}

/// Certain ones, where there are any.
fn references(hits: &[Hit<'_>], direction: Direction) -> Vec<RuleRef> {
    let certain = hits.iter().any(|hit| hit.is_certain);
    let relevant = hits.iter().filter(|hit| hit.is_certain || !certain);
    let references = relevant.map(|hit| match hit.rule {
        Some(rule) => hit.policy.rule_ref(direction, hit.section, rule),
        None => hit.policy.section_ref(direction, hit.section),
    });
    references.collect()
}

fn distinct(doubts: Vec<Doubt>) -> Vec<Doubt> {
    let mut seen = Vec::new();
    for doubt in doubts {
        if !seen.contains(&doubt) {
            seen.push(doubt);
        }
    }
    seen
}

// === impl Hit ===

impl Hit<'_> {
    fn action(&self) -> Option<Action> {
        self.rule.map(|rule| rule.action)
    }
}

// === impl Judgement ===

impl Judgement {
    /// A flow passes when both sides allow it, and is denied when either denies it.
    #[must_use]
    pub const fn verdict(&self) -> PolicyVerdict {
        match (self.egress.verdict, self.ingress.verdict) {
            (PolicyVerdict::Deny, _) | (_, PolicyVerdict::Deny) => PolicyVerdict::Deny,
            (PolicyVerdict::Unknown, _) | (_, PolicyVerdict::Unknown) => PolicyVerdict::Unknown,
            (PolicyVerdict::Allow, PolicyVerdict::Allow) => PolicyVerdict::Allow,
        }
    }

    /// Both sides, in the order a packet meets them.
    pub fn directions(&self) -> impl Iterator<Item = &DirectionJudgement> {
        [&self.egress, &self.ingress].into_iter()
    }
}

// === impl DirectionJudgement ===

impl DirectionJudgement {
    /// The smallest change that would admit a flow that is denied.
    #[must_use]
    pub fn opening(&self) -> Option<&Fix> {
        let of_misses = self.misses.iter().find_map(|miss| miss.fix.as_ref());
        self.exception
            .as_ref()
            .or(of_misses)
            .filter(|_| self.verdict == PolicyVerdict::Deny)
    }
}

// === impl PolicyVerdict ===

impl fmt::Display for PolicyVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unknown => "unknown",
        })
    }
}
