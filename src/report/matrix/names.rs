//! What to call the lines of a matrix.

use std::collections::BTreeMap;

use super::MatrixReport;
use crate::cluster::ObjectRef;
use crate::policy::matrix::{ELSEWHERE, Line, Member, OUTSIDE};
use crate::report::text::short;

/// How long a name may be.
pub(super) const LONGEST: usize = 40;

/// `deploy/web`, or `ops/deploy/web` where it is not of the namespace in focus.
pub(super) fn unit(object: &ObjectRef, namespace: Option<&str>) -> String {
    if object.kind == OUTSIDE {
        return match object.name.as_str() {
            ELSEWHERE => "outside".to_owned(),
            block => format!("outside {block}"),
        };
    }
    match namespace {
        Some(wanted) if wanted == object.namespace => short(object),
        _ => format!("{}/{}", object.namespace, short(object)),
    }
}

/// `deploy/web`, `deploy/web (2 of 3 pods)`.
pub(super) fn member(report: &MatrixReport<'_>, member: Member) -> String {
    let of = &report.matrix.units[member.unit];
    let name = unit(&of.object, report.namespace.as_deref());
    match of.pods() {
        all if all == member.pods => name,
        all => format!("{name} ({} of {all} pods)", member.pods),
    }
}

/// `deploy/web`, `deploy/web, deploy/api and 3 more`, `ops/*` for a whole namespace.
pub(super) fn line(report: &MatrixReport<'_>, line: &Line) -> String {
    let mut names: Vec<String> = Vec::new();
    for (namespace, members) in by_namespace(report, line) {
        if members.len() > 1 && is_whole(report, namespace, &members) {
            names.push(format!("{namespace}/*"));
        } else {
            names.extend(members.into_iter().map(|of| member(report, of)));
        }
    }
    // As many as there is room for.
    for named in (1..=names.len()).rev() {
        let more = names.len() - named;
        let mut shown = names[..named].to_vec();
        shown.extend((more > 0).then(|| format!("{more} more")));
        let text = crate::text::list(&shown);
        if named == 1 || text.chars().count() <= LONGEST {
            return text;
        }
    }
    String::new()
}

/// The members of a line, those of a namespace together.
fn by_namespace<'r>(report: &'r MatrixReport<'_>, line: &Line) -> BTreeMap<&'r str, Vec<Member>> {
    let mut by_namespace: BTreeMap<&str, Vec<Member>> = BTreeMap::new();
    for member in &line.members {
        let object = &report.matrix.units[member.unit].object;
        by_namespace
            .entry(&object.namespace)
            .or_default()
            .push(*member);
    }
    by_namespace
}

/// Whether every pod of a namespace is among some members.
fn is_whole(report: &MatrixReport<'_>, namespace: &str, members: &[Member]) -> bool {
    let units = report.matrix.units.iter();
    let there: usize = units
        .filter(|unit| unit.object.namespace == namespace)
        .map(|unit| unit.parts.len())
        .sum();
    !namespace.is_empty() && members.len() == there
}
