//! Formulas over all classes at once.
//!
//! Each label that is asked for becomes a column of small numbers, so that a condition on it is one
//! pass over that column, and a formula is a few operations on sets.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;

use super::bits::{Bits, Tri};
use super::classes::Class;
use crate::cluster::{Operator, Requirement};
use crate::net::Protocol;
use crate::policy::alike::for_each_formula;
use crate::policy::ends::{End, Labelled, NAMESPACE_NAME, SERVICE_ACCOUNT_NAME};
use crate::policy::formula::{Context, Domain, Families, Formula};
use crate::policy::model::{Peers, Rule, Tier};
use crate::policy::policies::Policies;
use crate::policy::truth::Truth;

/// The classes, ready for formulas.
pub(super) struct Universe<'c> {
    pub classes: &'c [Class],
    /// The families a flow has where neither end says so.
    families: Families,
    columns: HashMap<(Domain, String), Column>,
    /// Pods that selectors see.
    pods: Tri,
    /// Every address with the class that has it, in order.
    addresses: Vec<(IpAddr, usize)>,
    /// Classes whose addresses are not known.
    nowhere: Vec<usize>,
    /// Classes by the namespace of their pods; none for what is no pod.
    by_namespace: HashMap<Option<&'c str>, Vec<usize>>,
    cache: HashMap<(Formula, Option<Seat>), Rc<Tri>>,
    of_rules: HashMap<(*const Rule, Option<Seat>), Rc<Tri>>,
    ports: HashMap<(String, Protocol), BTreeMap<u16, Rc<Tri>>>,
}

/// What a condition on a peer looks at in the subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    families: bool,
    node: bool,
}

/// The subject as far as conditions on peers look at it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Seat {
    families: Option<(bool, bool)>,
    node: Option<(Option<String>, bool)>,
}

/// The values of one label, as numbers; 0 where it is absent.
struct Column {
    values: HashMap<String, u32>,
    of_class: Vec<u32>,
    /// Pods whose value may be another.
    doubtful: Bits,
}

// === impl Needs ===

impl Needs {
    fn of(formula: &Formula) -> Self {
        let all = |parts: &[Formula]| parts.iter().map(Self::of).fold(Self::default(), Self::or);
        match formula {
            Formula::Within(_) => Self {
                families: true,
                node: false,
            },
            Formula::SameNode => Self {
                families: false,
                node: true,
            },
            Formula::All(parts) | Formula::Any(parts) => all(parts),
            Formula::Not(part) => Self::of(part),
            _ => Self::default(),
        }
    }

    /// What any condition of any policy looks at.
    pub(super) fn of_policies(policies: &Policies) -> Self {
        let mut needs = Self::default();
        let tiers = policies.stacks.iter().flat_map(|stack| &stack.tiers);
        for policy in tiers.flat_map(Tier::policies) {
            for_each_formula(policy, &mut |formula| {
                needs.families |= matches!(formula, Formula::Within(_));
                needs.node |= matches!(formula, Formula::SameNode);
            });
        }
        needs
    }

    const fn or(self, other: Self) -> Self {
        Self {
            families: self.families || other.families,
            node: self.node || other.node,
        }
    }

    const fn is_nothing(self) -> bool {
        !self.families && !self.node
    }
}

// === impl Seat ===

impl Seat {
    pub(super) fn of(end: &End, needs: Needs) -> Self {
        let families = end.families();
        let node = || end.node.as_ref().map(|node| node.name.clone());
        Self {
            families: needs.families.then_some((families.v4, families.v6)),
            node: needs.node.then(|| (node(), end.is_outside().is_yes())),
        }
    }
}

// === impl Universe ===

impl<'c> Universe<'c> {
    pub(super) fn new(classes: &'c [Class], families: Families) -> Self {
        let of_class = |(class, Class { end, .. }): (usize, &'c Class)| {
            end.addresses.iter().map(move |addr| (*addr, class))
        };
        let mut addresses: Vec<_> = classes.iter().enumerate().flat_map(of_class).collect();
        addresses.sort_unstable();
        let is_nowhere = |class: &usize| classes[*class].end.addresses.is_empty();
        let mut by_namespace: HashMap<_, Vec<usize>> = HashMap::new();
        for (class, Class { end, .. }) in classes.iter().enumerate() {
            by_namespace.entry(end.namespace()).or_default().push(class);
        }
        let mut universe = Self {
            classes,
            families,
            columns: HashMap::new(),
            pods: Tri::no(classes.len()),
            addresses,
            nowhere: (0..classes.len()).filter(is_nowhere).collect(),
            by_namespace,
            cache: HashMap::new(),
            of_rules: HashMap::new(),
            ports: HashMap::new(),
        };
        universe.pods = universe.each(0..classes.len(), End::is_selectable);
        universe
    }

    pub(super) const fn len(&self) -> usize {
        self.classes.len()
    }

    /// For which classes the peers of a rule hold, seen from a subject.
    pub(super) fn peers(&mut self, rule: &Rule, subject: &End) -> Rc<Tri> {
        let Peers::OneOf(peers) = &rule.peers else {
            return Rc::new(Tri::yes(self.len()));
        };
        let needs = peers
            .iter()
            .map(Needs::of)
            .fold(Needs::default(), Needs::or);
        let seat = (!needs.is_nothing()).then(|| Seat::of(subject, needs));
        let key = (std::ptr::from_ref(rule), seat);
        if let Some(known) = self.of_rules.get(&key) {
            return Rc::clone(known);
        }
        let mut any = Tri::no(self.len());
        for peer in peers {
            any.or(&self.holds(peer, Some(subject)));
        }
        let any = Rc::new(any);
        self.of_rules.insert(key, Rc::clone(&any));
        any
    }

    /// For which classes a formula holds: as a peer of a subject, or by itself.
    pub(super) fn holds(&mut self, formula: &Formula, subject: Option<&End>) -> Rc<Tri> {
        let needs = Needs::of(formula);
        let subject = subject.filter(|_| !needs.is_nothing());
        let seat = subject.map(|subject| Seat::of(subject, needs));
        let key = (formula.clone(), seat);
        if let Some(known) = self.cache.get(&key) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.evaluate(formula, subject));
        self.cache.insert(key, Rc::clone(&found));
        found
    }

    /// The classes for which a named port is this number.
    pub(super) fn called(&mut self, name: &str, protocol: Protocol, number: u16) -> Rc<Tri> {
        self.numbers(name, protocol);
        let known = self.ports.get(&(name.to_owned(), protocol));
        let known = known
            .and_then(|numbers| numbers.get(&number))
            .map(Rc::clone);
        known.unwrap_or_else(|| Rc::new(Tri::no(self.len())))
    }

    /// Every number that a named port has somewhere.
    pub(super) fn numbers(&mut self, name: &str, protocol: Protocol) -> Vec<u16> {
        let key = (name.to_owned(), protocol);
        if !self.ports.contains_key(&key) {
            let found = self.named(name, protocol);
            self.ports.insert(key.clone(), found);
        }
        self.ports[&key].keys().copied().collect()
    }

    fn named(&self, name: &str, protocol: Protocol) -> BTreeMap<u16, Rc<Tri>> {
        let mut unknown = Bits::none(self.len());
        let mut sets: BTreeMap<u16, Bits> = BTreeMap::new();
        for (class, Class { end, .. }) in self.classes.iter().enumerate() {
            match (end.named_port(name, protocol), &end.doubt) {
                (Some(number), _) => {
                    let set = sets.entry(number).or_insert_with(|| Bits::none(self.len()));
                    set.insert(class);
                }
                (None, Some(_)) => unknown.insert(class),
                (None, None) => {}
            }
        }
        let tri = |yes: Bits| Rc::new(Tri::certain(yes, unknown.clone()));
        sets.into_iter()
            .map(|(number, yes)| (number, tri(yes)))
            .collect()
    }

    fn evaluate(&mut self, formula: &Formula, subject: Option<&End>) -> Tri {
        match formula {
            Formula::All(parts) => {
                let mut all = Tri::yes(self.len());
                for part in parts {
                    all.and(&self.holds(part, subject));
                }
                all
            }
            Formula::Any(parts) => {
                let mut any = Tri::no(self.len());
                for part in parts {
                    any.or(&self.holds(part, subject));
                }
                any
            }
            Formula::Not(part) => Tri::clone(&self.holds(part, subject)).negate(),
            Formula::Pod => self.pods.clone(),
            Formula::Unclear(_) => Tri::unclear(self.len()),
            Formula::Label(domain @ (Domain::Pod | Domain::Namespace), requirement) => {
                self.label(*domain, requirement)
            }
            Formula::Namespace(name) => {
                let keys = [Some(name.as_str()), None];
                let members = keys.iter().filter_map(|key| self.by_namespace.get(key));
                self.one_by_one(formula, subject, members.flatten().copied())
            }
            Formula::Within(net) => {
                let candidates = self.in_block(*net).chain(self.nowhere.iter().copied());
                self.one_by_one(formula, subject, candidates)
            }
            _ => self.one_by_one(formula, subject, 0..self.len()),
        }
    }

    /// Those with an address in a block: of an address that is known, nothing else can be inside.
    fn in_block(&self, net: IpNet) -> impl Iterator<Item = usize> {
        let first = self
            .addresses
            .partition_point(|(addr, _)| *addr < net.network());
        let inside = self.addresses[first..].iter();
        inside
            .take_while(move |(addr, _)| *addr <= net.broadcast())
            .map(|(_, class)| *class)
    }

    /// What cannot be read off columns, class by class.
    fn one_by_one(
        &self,
        formula: &Formula,
        subject: Option<&End>,
        candidates: impl Iterator<Item = usize>,
    ) -> Tri {
        let of_cluster = self.families;
        self.each(candidates, |end| {
            let families = match subject {
                Some(subject) => Families::between(subject, end, of_cluster),
                None => Families::between(end, end, of_cluster),
            };
            let context = Context {
                families,
                other: subject,
            };
            formula.truth(end, context)
        })
    }

    fn each(&self, candidates: impl Iterator<Item = usize>, truth: impl Fn(&End) -> Truth) -> Tri {
        let mut tri = Tri::no(self.len());
        for number in candidates {
            match truth(&self.classes[number].end) {
                Truth::Yes => tri.yes.insert(number),
                Truth::Maybe(_) => tri.maybe.insert(number),
                Truth::No => {}
            }
        }
        tri
    }

    fn label(&mut self, domain: Domain, requirement: &Requirement) -> Tri {
        let length = self.len();
        let key = (domain, requirement.key.clone());
        if !self.columns.contains_key(&key) {
            let column = self.column(domain, &requirement.key);
            self.columns.insert(key.clone(), column);
        }
        let column = &self.columns[&key];
        let wanted: Vec<u32> = requirement
            .values
            .iter()
            .filter_map(|value| column.values.get(value))
            .copied()
            .collect();
        let holds = |value: u32| match requirement.operator {
            Operator::In => wanted.contains(&value),
            Operator::NotIn => !wanted.contains(&value),
            Operator::Exists => value != 0,
            Operator::DoesNotExist => value == 0,
        };
        let mut yes = Bits::where_holds(length, |class| holds(column.of_class[class]));
        let mut maybe = Bits::none(length);
        if !column.doubtful.is_empty() {
            yes.drop(&column.doubtful);
            maybe.add(&column.doubtful);
        }
        let mut tri = Tri::certain(yes, maybe);
        tri.and(&self.pods);
        tri
    }

    fn column(&self, domain: Domain, key: &str) -> Column {
        let mut values: HashMap<String, u32> = HashMap::new();
        let mut doubtful = Bits::none(self.len());
        let mut of_class = Vec::with_capacity(self.len());
        for (number, class) in self.classes.iter().enumerate() {
            let pod = class.end.pod.as_ref();
            let labelled: Option<&Labelled> = match domain {
                Domain::Namespace => pod.map(|pod| &*pod.namespace),
                Domain::ServiceAccount => pod.map(|pod| &pod.service_account),
                Domain::Pod | Domain::Node => None,
            };
            let labels: Option<&BTreeMap<String, String>> = match labelled {
                Some(labelled) => Some(&labelled.labels),
                None => pod.map(|pod| &pod.labels),
            };
            let is_name = [NAMESPACE_NAME, SERVICE_ACCOUNT_NAME].contains(&key);
            if labelled.is_some_and(|labelled| labelled.doubt.is_some()) && !is_name {
                doubtful.insert(number);
            }
            let value = labels.and_then(|labels| labels.get(key));
            let next = u32::try_from(values.len() + 1).unwrap_or(u32::MAX);
            of_class.push(value.map_or(0, |value| {
                if let Some(known) = values.get(value) {
                    return *known;
                }
                values.insert(value.clone(), next);
                next
            }));
        }
        Column {
            values,
            of_class,
            doubtful,
        }
    }
}
