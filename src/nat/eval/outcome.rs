//! What can become of a packet, and how sure that is.

use super::state::{State, Translation};
use super::trail::{Shown, TrailStep};
use crate::facts::NextHop;
use crate::nat::model::Ruleset;
use crate::net::Packet;

/// Everything that can become of a packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The most probable first. Their probabilities add up to 1 where all are known.
    pub outcomes: Vec<Outcome>,
    /// What was not known and could change the answer.
    pub doubts: Vec<Doubt>,
}

/// One end of the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub fate: Fate,
    /// The packet at the end, after all translations.
    pub packet: Packet,
    /// Whether the destination was rewritten.
    pub translated: bool,
    /// Whether a rule rewrote its source address.
    pub masqueraded: bool,
    /// Whether the source is surely what it was: no rule rewrote it, or only to the same address.
    pub source_kept: bool,
    pub mark: u32,
    /// None when it depends on a doubt.
    pub probability: Option<f64>,
    /// The doubts it depends on, by position in [`Answer::doubts`], with what they would have to be.
    pub depends: Vec<(usize, bool)>,
    /// The rules that acted, in order; the last one decided.
    pub trail: Vec<TrailStep>,
}

/// How the way ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Out through an interface, if it is known which.
    Forward(Option<NextHop>),
    /// To a process of this host.
    Deliver,
    /// Silence.
    Drop,
    /// The sender hears of it: `icmp-port-unreachable`, `tcp-reset`, `no route` …
    Reject(Box<str>),
    /// What comes next is not known.
    Unknown(String),
}

/// Something that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub kind: DoubtKind,
    pub text: String,
}

/// What sort of thing is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubtKind {
    /// A match or a statement of a rule.
    Match,
    /// Where the packet is routed.
    Route,
    /// Which of two tables is asked first.
    Order,
    /// What a program in userspace says.
    Queue,
}

/// An end before it is made readable.
#[derive(Debug)]
pub(super) struct Draft {
    pub state: State,
    pub fate: Fate,
}

// === impl Outcome ===

impl Outcome {
    /// Whether the packet gets where the rules send it.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self.fate, Fate::Forward(_) | Fate::Deliver)
    }

    /// The rule (or policy, or route) that decided.
    #[must_use]
    pub fn decided_by(&self) -> Option<&TrailStep> {
        self.trail.last()
    }
}

// === impl Answer ===

impl Answer {
    /// Nothing is known of the way of a packet.
    pub(super) fn unknown(packet: Packet, why: String) -> Self {
        Self {
            outcomes: vec![Outcome {
                fate: Fate::Unknown(why.clone()),
                packet,
                translated: false,
                masqueraded: false,
                source_kept: true,
                mark: 0,
                probability: None,
                depends: vec![(0, true)],
                trail: Vec::new(),
            }],
            doubts: vec![Doubt {
                kind: DoubtKind::Match,
                text: why,
            }],
        }
    }

    /// Whether every branch is known to its end.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.doubts.is_empty()
            && self
                .outcomes
                .iter()
                .all(|outcome| !matches!(outcome.fate, Fate::Unknown(_)))
    }
}

/// Joins equal ends, and drops every doubt that changes nothing.
pub(super) fn settle(rules: &Ruleset, drafts: Vec<Draft>, doubts: Vec<Doubt>) -> Answer {
    let mut drafts = joined(drafts);
    let mut open: Vec<u32> = Vec::new();
    // The last doubt first: it hangs on those before it. Removing one may make another irrelevant.
    let mut ids: Vec<u32> = used(&drafts);
    while let Some(id) = ids.pop() {
        let (with, without): (Vec<Draft>, Vec<Draft>) = drafts
            .into_iter()
            .partition(|draft| draft.state.assumed(id).is_some());
        let (yes, no): (Vec<Draft>, Vec<Draft>) = with
            .into_iter()
            .partition(|draft| draft.state.assumed(id) == Some(true));
        let (yes, no) = (yes, no);
        drafts = without;
        if are_alike(&yes, &no, id) {
            drafts.extend(no.into_iter().map(|mut draft| {
                draft.state.assumed.retain(|(doubt, _)| *doubt != id);
                draft
            }));
            drafts = joined(drafts);
            // Doubts that were kept may have lost their reason.
            ids = used(&drafts);
            ids.retain(|doubt| !open.contains(doubt) || *doubt > id);
            open.retain(|doubt| !ids.contains(doubt));
        } else {
            drafts.extend(yes);
            drafts.extend(no);
            open.push(id);
        }
    }
    let kept = used(&drafts);
    let mut shown = Shown::new(rules);
    let mut outcomes: Vec<Outcome> = drafts
        .into_iter()
        .map(|draft| finished(&mut shown, draft, &kept))
        .collect();
    outcomes.sort_by(|a, b| {
        b.probability
            .unwrap_or_default()
            .total_cmp(&a.probability.unwrap_or_default())
    });
    let doubts = doubts.into_iter().enumerate();
    Answer {
        outcomes,
        doubts: doubts
            .filter(|(position, _)| kept.iter().any(|id| *id as usize == *position))
            .map(|(_, doubt)| doubt)
            .collect(),
    }
}

fn used(drafts: &[Draft]) -> Vec<u32> {
    let mut ids: Vec<u32> = drafts
        .iter()
        .flat_map(|draft| draft.state.assumed.iter().map(|(id, _)| *id))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn is_same_end(a: &Draft, b: &Draft) -> bool {
    a.fate == b.fate
        && a.state.packet == b.state.packet
        && a.state.masqueraded == b.state.masqueraded
        && a.state.mark == b.state.mark
        && (a.state.destination_nat == Translation::Changed)
            == (b.state.destination_nat == Translation::Changed)
}

/// Sums up ends that are equal under the same assumptions.
fn joined(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut all: Vec<Draft> = Vec::with_capacity(drafts.len());
    // Hundreds of endpoints are common and all differ: compare within one destination only.
    let mut by_destination: std::collections::HashMap<_, Vec<usize>> =
        std::collections::HashMap::new();
    for draft in drafts {
        let packet = draft.state.packet;
        let group = by_destination
            .entry((packet.dst, packet.dport))
            .or_default();
        let same = group.iter().copied().find(|position| {
            is_same_end(&all[*position], &draft)
                && all[*position].state.assumed == draft.state.assumed
        });
        if let Some(position) = same {
            all[position].state.weight += draft.state.weight;
        } else {
            group.push(all.len());
            all.push(draft);
        }
    }
    all
}

/// Whether the two worlds of a doubt hold the same ends with the same weight.
fn are_alike(yes: &[Draft], no: &[Draft], doubt: u32) -> bool {
    let rest = |draft: &Draft| -> Vec<(u32, bool)> {
        let others = draft.state.assumed.iter().filter(|(id, _)| *id != doubt);
        others.copied().collect()
    };
    let matches = |a: &Draft, b: &Draft| {
        is_same_end(a, b) && (a.state.weight - b.state.weight).abs() < 1e-9 && rest(a) == rest(b)
    };
    yes.len() == no.len()
        && yes
            .iter()
            .all(|draft| no.iter().any(|other| matches(draft, other)))
}

fn finished(shown: &mut Shown<'_>, draft: Draft, kept: &[u32]) -> Outcome {
    let state = draft.state;
    let depends = state.assumed.iter().filter_map(|(id, answer)| {
        let position = kept.iter().position(|kept| kept == id)?;
        Some((position, *answer))
    });
    let depends: Vec<(usize, bool)> = depends.collect();
    Outcome {
        probability: depends.is_empty().then_some(state.weight),
        depends,
        packet: state.packet,
        translated: state.destination_nat == Translation::Changed,
        masqueraded: state.masqueraded,
        source_kept: state.source_nat != Translation::Changed,
        mark: state.mark,
        trail: state.trail.read(shown),
        fate: draft.fate,
    }
}
