//! The lines of a picture of a matrix: workloads one by one, or those that are alike together.

use std::collections::{BTreeMap, HashMap};

use super::UnitMatrix;

/// A row and column: pods that share a class, or that look alike from the lines in focus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// By name.
    pub members: Vec<Member>,
    /// The class that speaks for all of them.
    pub class: usize,
    /// Whether it was asked for. What passes between two lines that were not is not looked at.
    pub is_focus: bool,
}

/// A unit, or some of its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its position among the units.
    pub unit: usize,
    pub pods: usize,
}

// === impl UnitMatrix ===

impl UnitMatrix {
    /// Every unit of a namespace (none: of all) by itself, then what else there is, in groups that
    /// behave alike towards these.
    #[must_use]
    pub fn lines(&self, namespace: Option<&str>) -> Vec<Line> {
        let (mut lines, others) = self.split(namespace);
        let focus = classes(&lines);
        lines.extend(self.alike(&focus, others));
        lines
    }

    /// The same with one line for all units that no policy tells apart.
    #[must_use]
    pub fn classed(&self, namespace: Option<&str>) -> Vec<Line> {
        let (own, others) = self.split(namespace);
        let focus = classes(&own);
        let mut lines: Vec<Line> = Vec::new();
        let mut known: HashMap<usize, usize> = HashMap::new();
        for line in own {
            let at = *known.entry(line.class).or_insert(lines.len());
            match lines.get_mut(at) {
                Some(known) => known.members.extend(line.members),
                None => lines.push(line),
            }
        }
        lines.extend(self.alike(&focus, others));
        lines
    }

    /// A line for each part of each unit: those of a namespace, and the others.
    fn split(&self, namespace: Option<&str>) -> (Vec<Line>, Vec<Line>) {
        let lines = self.units.iter().enumerate().flat_map(|(at, unit)| {
            let is_focus = namespace.is_none_or(|wanted| unit.object.namespace == wanted);
            unit.parts.iter().map(move |part| Line {
                members: vec![Member {
                    unit: at,
                    pods: part.pods,
                }],
                class: part.class,
                is_focus,
            })
        });
        lines.partition(|line| line.is_focus)
    }

    /// Joins lines that send the same to some classes, and get the same from them. What is outside
    /// stays apart.
    fn alike(&self, focus: &[usize], lines: Vec<Line>) -> Vec<Line> {
        let mut groups: Vec<Line> = Vec::new();
        let mut by_class: BTreeMap<(bool, usize), usize> = BTreeMap::new();
        let mut by_pairs: HashMap<(bool, Vec<u32>), usize> = HashMap::new();
        for line in lines {
            let is_outside = self.units[line.members[0].unit].is_outside();
            let group = *by_class.entry((is_outside, line.class)).or_insert_with(|| {
                let sent = focus
                    .iter()
                    .map(|to| self.matrix.id_between(line.class, *to));
                let got = focus
                    .iter()
                    .map(|of| self.matrix.id_between(*of, line.class));
                let next = by_pairs.len();
                *by_pairs
                    .entry((is_outside, sent.chain(got).collect()))
                    .or_insert(next)
            });
            match groups.get_mut(group) {
                Some(group) => group.members.extend(line.members),
                None => groups.push(line),
            }
        }
        groups
    }
}

/// The classes of some lines, each once.
fn classes(lines: &[Line]) -> Vec<usize> {
    let mut classes: Vec<usize> = lines.iter().map(|line| line.class).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}
