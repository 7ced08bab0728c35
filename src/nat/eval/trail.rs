//! The rules a packet met on its way.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::nat::model::{Action, Backend, ChainId, Ruleset, Step, TableFamily};
use crate::nat::read::nft::rule_text;

/// The rules that acted, last one first. Branches share their past.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail(Option<Rc<Node>>);

#[derive(Debug)]
struct Node {
    event: Event,
    before: Trail,
}

/// One thing on the way.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// Positions of table, chain and rule.
    Rule(u32, u32, u32),
    /// The policy of a base chain.
    Policy(u32, u32),
    /// Anything that is no rule: routing, IPVS.
    Note(Rc<str>),
}

/// One thing on the way, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailStep {
    /// `nat`, `ip kube-proxy`; empty for what is no rule.
    pub table: String,
    /// Empty for what is no rule.
    pub chain: String,
    /// The rule as its tool prints it, without its counters. One rule may name a thousand endpoints, and
    /// each of them has it on its trail.
    pub text: Arc<str>,
    /// How many packets it has counted.
    pub packets: Option<u64>,
    /// Whether it is of ip6tables.
    pub is_v6: bool,
}

/// Events made readable, each rule once: branches share most of their past.
pub(super) struct Shown<'a> {
    rules: &'a Ruleset,
    known: HashMap<(u32, u32, u32), Option<TrailStep>>,
}

// === impl Trail ===

impl Trail {
    /// The trail with one event more.
    pub(super) fn and(&self, event: Event) -> Self {
        Self(Some(Rc::new(Node {
            event,
            before: self.clone(),
        })))
    }

    /// The events for people, first one first.
    pub(super) fn read(&self, shown: &mut Shown<'_>) -> Vec<TrailStep> {
        let mut steps = Vec::new();
        let mut at = self;
        while let Some(node) = &at.0 {
            steps.extend(shown.step(&node.event));
            at = &node.before;
        }
        steps.reverse();
        steps
    }
}

// === impl Shown ===

impl<'a> Shown<'a> {
    pub(super) fn new(rules: &'a Ruleset) -> Self {
        Self {
            rules,
            known: HashMap::new(),
        }
    }

    fn step(&mut self, event: &Event) -> Option<TrailStep> {
        match event {
            Event::Rule(table, chain, rule) => self
                .known
                .entry((*table, *chain, *rule))
                .or_insert_with(|| event.read(self.rules))
                .clone(),
            _ => event.read(self.rules),
        }
    }
}

// === impl Event ===

impl Event {
    fn read(&self, rules: &Ruleset) -> Option<TrailStep> {
        let (table, chain) = match self {
            Self::Note(text) => {
                return Some(TrailStep {
                    table: String::new(),
                    chain: String::new(),
                    text: Arc::from(&**text),
                    packets: None,
                    is_v6: false,
                });
            }
            Self::Rule(table, chain, _) | Self::Policy(table, chain) => (*table, *chain),
        };
        let table = rules.tables.get(table as usize)?;
        let (chain_id, chain) = (ChainId(chain), table.chains.get(chain as usize)?);
        let (text, packets) = match self {
            Self::Rule(_, _, rule) => {
                let raw = table.text(chain.rules.get(*rule as usize)?);
                match (raw.starts_with('{'), table.backend) {
                    (false, Backend::IptablesNft | Backend::IptablesLegacy) => counted(raw),
                    _ => (rule_text(raw), nft_counter(raw)),
                }
            }
            _ => ("policy drop".to_owned(), None),
        };
        Some(TrailStep {
            table: table.title(),
            chain: table.chain_name(chain_id).to_owned(),
            text: text.into(),
            packets,
            is_v6: table.family == TableFamily::Ip6,
        })
    }
}

/// Splits `[3:180] -A …`.
fn counted(line: &str) -> (String, Option<u64>) {
    let Some((counters, rule)) = line
        .strip_prefix('[')
        .and_then(|line| line.split_once("] "))
    else {
        return (line.to_owned(), None);
    };
    let packets = counters.split(':').next().unwrap_or_default();
    (rule.to_owned(), packets.parse().ok())
}

fn nft_counter(rule: &str) -> Option<u64> {
    let rule: serde_json::Value = serde_json::from_str(rule).ok()?;
    let parts = rule.get("expr")?.as_array()?;
    let counter = parts.iter().find_map(|part| part.get("counter"))?;
    counter.get("packets")?.as_u64()
}

// === impl TrailStep ===

impl TrailStep {
    /// The rules of a chain, each with what it does, without any packet.
    #[must_use]
    pub fn rules_of<'a>(
        rules: &'a Ruleset,
        table_name: &str,
        chain: &str,
    ) -> Vec<(Vec<&'a Action>, Self)> {
        let mut found = Vec::new();
        for (table_id, table) in (0u32..).zip(&rules.tables) {
            let Some(id) = table.chain_id(chain).filter(|_| &*table.name == table_name) else {
                continue;
            };
            for (position, rule) in (0u32..).zip(&table.chain(id).rules) {
                let actions = table.steps(rule).iter().filter_map(|step| match step {
                    Step::Act(action) => Some(action),
                    _ => None,
                });
                let shown = Event::Rule(table_id, id.0, position).read(rules);
                found.extend(shown.map(|shown| (actions.collect(), shown)));
            }
        }
        found
    }

    /// The same as its `Display`, but for rules that name hundreds of endpoints: those end in `…`.
    #[must_use]
    pub fn brief(&self) -> String {
        const LONGEST: usize = 400;
        match self.text.char_indices().nth(LONGEST) {
            Some((cut, _)) => Self {
                text: format!("{}…", &self.text[..cut]).into(),
                ..self.clone()
            }
            .to_string(),
            None => self.to_string(),
        }
    }

    /// Whether it is a rule that puts an address of the node in the place of the source.
    #[must_use]
    pub fn masquerades(&self) -> bool {
        self.text.contains("-j MASQUERADE") || self.text.contains("masquerade")
    }

    /// Whether it is a rule that rewrites the destination.
    #[must_use]
    pub fn translates(&self) -> bool {
        [
            "-j DNAT",
            "-j REDIRECT",
            "-j NETMAP",
            "dnat ",
            "redirect",
            "IPVS:",
        ]
        .iter()
        .any(|word| self.text.contains(word))
    }
}

/// `nat: -A KUBE-SERVICES …`, or `ip kube-proxy services: ip daddr …`.
impl std::fmt::Display for TrailStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.table.is_empty() {
            return f.write_str(&self.text);
        }
        if self.text.starts_with("-A ") {
            return write!(f, "{}: {}", self.table, self.text);
        }
        write!(f, "{} {}: {}", self.table, self.chain, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_many_endpoints_is_cut_between_characters() {
        let step = |text: String| TrailStep {
            table: "ip kube-proxy".to_owned(),
            chain: "service-x".to_owned(),
            text: text.into(),
            packets: None,
            is_v6: false,
        };
        let short = step("dnat ip to 10.0.0.1".to_owned());
        assert_eq!(short.brief(), short.to_string());
        let long = step("ü".repeat(1_000)).brief();
        assert!(long.ends_with("ü…") && long.chars().count() < 450, "{long}");
    }
}
