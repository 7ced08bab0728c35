//! Why some pairs are not known.

use serde::Serialize;

use super::{MatrixReport, names};
use crate::net::Protocol;
use crate::policy::matrix::Line;
use crate::policy::{PolicyVerdict, PortSet};

/// How many pairs are asked at most: a matrix can have millions that share one reason.
const ENOUGH: usize = 2_000;

/// A reason, with the first pair of lines that it is about, by position.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    pub why: String,
    pub from: usize,
    pub to: usize,
}

/// Reasons in the order in which they are met, row by row.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    pub found: Vec<Reason>,
    /// Whether there may be more: not every pair was asked.
    pub is_cut: bool,
}

// === impl Reason ===

impl Reason {
    /// `deploy/web → deploy/api`, of the lines it was found for.
    pub(super) fn pair(&self, report: &MatrixReport<'_>, lines: &[Line]) -> String {
        let [from, to] = [self.from, self.to].map(|at| names::line(report, &lines[at]));
        format!("{from} → {to}")
    }
}

// === impl Reasons ===

impl Reasons {
    /// Asks what is open between some lines of a matrix, leaving out what was not asked for.
    pub(super) fn of(report: &MatrixReport<'_>, lines: &[Line]) -> Self {
        let matrix = &report.matrix.matrix;
        let sets = matrix.sets().iter();
        let is_open: Vec<bool> = sets.map(|set| is_open(set, report.port)).collect();
        let mut reasons = Self::default();
        if !is_open.contains(&true) {
            return reasons;
        }
        let mut asked = 0;
        for (from, source) in lines.iter().enumerate() {
            for (to, destination) in lines.iter().enumerate() {
                let classes @ [one, other] = [source.class, destination.class];
                let is_meant = source.is_focus || destination.is_focus;
                if !is_meant || !is_open[matrix.id_between(one, other) as usize] {
                    continue;
                }
                if asked == ENOUGH {
                    reasons.is_cut = true;
                    return reasons;
                }
                asked += 1;
                reasons.ask(report, classes, [from, to]);
            }
        }
        reasons
    }

    fn ask(&mut self, report: &MatrixReport<'_>, classes: [usize; 2], [from, to]: [usize; 2]) {
        let matrix = &report.matrix.matrix;
        for doubt in matrix.doubts(report.policies, classes, report.port) {
            let why = doubt.to_string();
            if self.found.iter().all(|known| known.why != why) {
                self.found.push(Reason { why, from, to });
            }
        }
    }
}

/// Whether anything that was asked for is in doubt.
fn is_open(set: &PortSet, port: Option<(Protocol, u16)>) -> bool {
    match port {
        Some((protocol, port)) => set.verdict(protocol, port) == PolicyVerdict::Unknown,
        None => set.intervals().iter().any(|interval| !interval.is_certain),
    }
}
