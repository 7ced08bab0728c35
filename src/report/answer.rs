//! The answer in one plain sentence: what stands first in the report, and what a tired reader takes away.

use super::PathReport;
use super::text::short;
use crate::diagnose::{Severity, Verdict};
use crate::path::Status;
use crate::text::count;

/// The sentence behind the verdict.
#[must_use]
pub(super) fn sentence(report: &PathReport) -> String {
    let (from, to) = (
        short(&report.source.object),
        short(&report.destination.object),
    );
    let to = match report.destination.port {
        Some(port) => format!("{to}:{port}"),
        None => to,
    };
    let cause = report
        .findings
        .first()
        .filter(|first| first.severity != Severity::Notice);
    match (report.verdict, cause) {
        (Verdict::Reachable, _) if report.measured => {
            format!("{from} reaches {to}{}", backends(report))
        }
        (Verdict::Reachable, _) => {
            format!("{from} should reach {to}; no packet was sent")
        }
        (_, Some(cause)) => cause.summary.clone(),
        (Verdict::Undetermined, None) => {
            open(report).unwrap_or_else(|| "what was read does not tell".to_owned())
        }
        (Verdict::Degraded, None) => format!("{from} reaches {to} only in part"),
        (Verdict::Unreachable, None) => format!("{from} does not reach {to}"),
    }
}

/// ` at all 3 endpoints`, where there is more than one.
fn backends(report: &PathReport) -> String {
    let all = report.paths.iter().map(|path| path.backends.len()).sum();
    if all > 1 {
        format!(" at all {}", count(all, "endpoint"))
    } else {
        String::new()
    }
}

/// What leaves the answer open: the first hop that could not be told, or something that could not be read.
fn open(report: &PathReport) -> Option<String> {
    let mut hops = report.paths.iter().flat_map(|path| &path.hops);
    let hop = hops.find(|hop| hop.status == Status::Unknown);
    let of_hop = hop.map(|hop| hop.summary.clone());
    of_hop.or_else(|| {
        let unread = report.unread.last()?;
        Some(format!("{} could not be had: {}", unread.what, unread.why))
    })
}
