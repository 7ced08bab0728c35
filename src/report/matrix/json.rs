//! For scripts: the lines that policies tell apart, and for each pair of them a port set.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde::ser::{Error, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use super::MatrixReport;
use super::reasons::{Reason, Reasons};
use crate::cluster::ObjectRef;
use crate::net::Protocol;
use crate::policy::PortSet;
use crate::policy::matrix::{Line, Openness};
use crate::report::{Gaps, json};

/// The whole matrix (fields are only ever added).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'r> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'r str>,
    #[serde(flatten)]
    port: Option<Port>,
    /// Rows and columns.
    groups: Vec<Group<'r>>,
    port_sets: Vec<Ports<'r>>,
    /// From each group a row: the positions of port sets towards every group; null between two
    /// groups that are not of the namespace.
    pairs: Rows<'r>,
    /// Why some of them are not known, each with the first pair it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
    /// Whether there may be more reasons than these.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more_reasons: bool,
    #[serde(flatten)]
    gaps: &'r Gaps,
}

#[derive(Serialize)]
struct Port {
    protocol: Protocol,
    port: u16,
}

/// Workloads that behave alike.
#[derive(Serialize)]
struct Group<'r> {
    members: Vec<Member<'r>>,
}

#[derive(Serialize)]
struct Member<'r> {
    #[serde(flatten)]
    object: &'r ObjectRef,
    /// How many of its pods are meant.
    pods: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<usize>,
}

#[derive(Serialize)]
struct Ports<'r> {
    verdict: Openness,
    ports: &'r PortSet,
}

/// Made while they are written: all of them at once may be larger than the memory.
struct Rows<'r> {
    report: &'r MatrixReport<'r>,
    lines: &'r [Line],
    /// The position of each port set among those that occur, as text.
    positions: &'r [String],
}

pub(super) fn print(report: &MatrixReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let lines = report.matrix.classed(report.namespace.as_deref());
    let matrix = &report.matrix.matrix;
    let (used, positions) = used(report, &lines);
    let reasons = Reasons::of(report, &lines);
    let groups = lines.iter().map(|line| Group {
        members: line
            .members
            .iter()
            .map(|member| {
                let unit = &report.matrix.units[member.unit];
                Member {
                    object: &unit.object,
                    pods: member.pods,
                    of: Some(unit.pods()).filter(|all| *all != member.pods),
                }
            })
            .collect(),
    });
    let document = Document {
        api_version: "netpath/v1",
        kind: "MatrixReport",
        namespace: report.namespace.as_deref(),
        port: report.port.map(|(protocol, port)| Port { protocol, port }),
        groups: groups.collect(),
        port_sets: used
            .iter()
            .map(|id| Ports {
                verdict: matrix.sets()[*id].openness(report.port),
                ports: &matrix.sets()[*id],
            })
            .collect(),
        pairs: Rows {
            report,
            lines: &lines,
            positions: &positions,
        },
        reasons: reasons.found,
        more_reasons: reasons.is_cut,
        gaps: &report.gaps,
    };
    let mut out = BufWriter::new(out);
    json::print(&document, &mut out)?;
    out.flush()
}

/// The port sets that occur, and the position of each among them.
fn used(report: &MatrixReport<'_>, lines: &[Line]) -> (Vec<usize>, Vec<String>) {
    let matrix = &report.matrix.matrix;
    let mut occurs = vec![false; matrix.sets().len()];
    for source in lines {
        for destination in lines {
            if source.is_focus || destination.is_focus {
                occurs[matrix.id_between(source.class, destination.class) as usize] = true;
            }
        }
    }
    let used: Vec<usize> = (0..occurs.len()).filter(|id| occurs[*id]).collect();
    let mut positions = vec![String::new(); occurs.len()];
    for (position, id) in used.iter().enumerate() {
        positions[*id] = position.to_string();
    }
    (used, positions)
}

// === impl Rows ===

impl Rows<'_> {
    /// `[0,0,1,null]`, on one line however the rest is printed.
    fn row(&self, source: &Line) -> Result<Box<RawValue>, serde_json::Error> {
        let matrix = &self.report.matrix.matrix;
        let mut text = String::with_capacity(self.lines.len() * 4);
        for (at, destination) in self.lines.iter().enumerate() {
            text.push(if at == 0 { '[' } else { ',' });
            text.push_str(if source.is_focus || destination.is_focus {
                let id = matrix.id_between(source.class, destination.class);
                &self.positions[id as usize]
            } else {
                "null"
            });
        }
        text.push(']');
        RawValue::from_string(text)
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.lines.len()))?;
        for source in self.lines {
            rows.serialize_element(&self.row(source).map_err(S::Error::custom)?)?;
        }
        rows.end()
    }
}
