//! A suite from what holds now: every workload of a namespace to every Service of it, with what was found.
//!
//! ```text
//!  ClusterView ─► candidates (Checks) ─► answered as any suite ─► what holds, by source and verdict ─► YAML
//! ```
//!
//! What is broken is not proposed as what should be: only a denial by policies is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::api::core::v1::ServicePort;

use super::report::CheckReport;
use super::{Check, Suite};
use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, Named, Table};
use crate::diagnose::{Severity, Verdict};
use crate::report::PathReport;
use crate::target::Kind;

/// Every pair that is asked about.
#[must_use]
pub fn candidates(view: &ClusterView, namespace: &str) -> Suite {
    let sources = sources(view, namespace);
    let mut checks = Vec::new();
    for destination in destinations(view, namespace) {
        let all = sources.iter();
        checks.extend(all.map(|source| Check::reachable(source, &destination, namespace)));
    }
    Suite {
        name: namespace.to_owned(),
        checks,
    }
}

/// Workloads, and pods that none made.
fn sources(view: &ClusterView, namespace: &str) -> Vec<String> {
    let kinds = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
    let workloads = kinds.into_iter().flat_map(|kind| {
        let table = view.workloads.get(&kind.resource()).into_iter();
        let own = table.flat_map(Table::iter);
        let own = own.filter(|workload| workload.namespace() == namespace);
        own.map(move |workload| format!("{}/{}", kind.short(), workload.name()))
    });
    let pods = view.pods.iter();
    let bare = pods.filter(|pod| {
        let is_here = pod.namespace() == namespace && !pod.is_finished();
        is_here && pod.controller().is_none()
    });
    let bare = bare.map(|pod| format!("pod/{}", pod.name()));
    workloads.chain(bare).collect()
}

/// Services, with each of their ports where there are several.
fn destinations(view: &ClusterView, namespace: &str) -> Vec<String> {
    let services = view.services.iter();
    let own = services.filter(|service| service.namespace() == namespace);
    let all = own.flat_map(|service| {
        let name = format!("svc/{}", service.name());
        match service.ports() {
            [_] => vec![name],
            ports => {
                let named = ports.iter();
                named
                    .map(|port| format!("{name}:{}", port_word(port)))
                    .collect()
            }
        }
    });
    all.collect()
}

fn port_word(port: &ServicePort) -> String {
    port.name.clone().unwrap_or_else(|| port.port.to_string())
}

/// What the answers say, as the text of a suite.
#[must_use]
pub fn proposal(reports: &[CheckReport], namespace: &str) -> String {
    let mut holds: BTreeMap<(String, Expected), Vec<String>> = BTreeMap::new();
    let mut others = Vec::new();
    for report in reports {
        let expected = report.path.as_ref().and_then(Expected::of);
        match expected {
            Some(expected) => holds
                .entry((report.source.clone(), expected))
                .or_default()
                .push(report.destination.clone()),
            None => others.push(other(report)),
        }
    }
    let mut text = format!(
        "# What holds now in namespace {namespace}: keep what should stay so, and delete the rest.\n\
         # yaml-language-server: $schema=suite.schema.json (kubectl netpath schema > suite.schema.json)\n\
         apiVersion: netpath/v1\nkind: Suite\nname: {}\nnamespace: {}\nchecks:\n",
        quoted(namespace),
        quoted(namespace)
    );
    for ((source, expected), destinations) in &holds {
        // Writing to a string does not fail.
        let _ = expected.write(source, destinations, &mut text);
    }
    if holds.is_empty() {
        text.push_str("  []\n");
    }
    for line in others {
        let _ = writeln!(text, "# not proposed: {line}");
    }
    text
}

/// What may be expected from now on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Expected {
    Reachable,
    /// By the deciding cause.
    Unreachable(String),
}

// === impl Expected ===

impl Expected {
    fn of(path: &PathReport) -> Option<Self> {
        let cause = path.findings.first();
        let cause = cause.filter(|cause| cause.severity != Severity::Notice);
        match (path.verdict, cause) {
            (Verdict::Reachable, None) => Some(Self::Reachable),
            (Verdict::Unreachable, Some(cause)) if cause.code.starts_with("POL-") => {
                Some(Self::Unreachable(cause.code.clone()))
            }
            _ => None,
        }
    }

    fn write(&self, source: &str, destinations: &[String], text: &mut String) -> std::fmt::Result {
        writeln!(text, "- from: {}", quoted(source))?;
        match destinations {
            [only] => writeln!(text, "  to: {}", quoted(only))?,
            several => {
                let several: Vec<String> = several.iter().map(|one| quoted(one)).collect();
                writeln!(text, "  to: [{}]", several.join(", "))?;
            }
        }
        match self {
            Self::Reachable => Ok(()),
            Self::Unreachable(code) => {
                writeln!(text, "  expect: Unreachable\n  code: {code}")
            }
        }
    }
}

/// `deploy/web → svc/db: Unreachable, SVC-01 selector matches no pod`
fn other(report: &CheckReport) -> String {
    let pair = format!("{} → {}", report.source, report.destination);
    let Some(path) = &report.path else {
        return format!("{pair}: {}", one_line(&report.why));
    };
    let cause = path.findings.first();
    let cause = cause.map_or_else(
        || one_line(&path.answer),
        |cause| format!("{} {}", cause.code, cause.title),
    );
    format!("{pair} is {:?}: {cause}", path.verdict)
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// A YAML scalar; names of Kubernetes need no quotes, unless they read as a number, say.
fn quoted(text: &str) -> String {
    let is_plain = text
        .chars()
        .all(|one| one.is_ascii_alphanumeric() || "-./".contains(one));
    let begins_plain = text.starts_with(|one: char| one.is_ascii_alphabetic());
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text);
    if is_plain && begins_plain && !is_word {
        text.to_owned()
    } else {
        format!("\"{text}\"")
    }
}
