//! The report for people: a picture of the path, the break marked where it happens, then the cause.

mod answer;
mod findings;
mod picture;
mod style;

use std::io::{self, Write};

use super::measurement::{Aim, Measurement};
use super::model::PathReport;
use crate::cluster::ObjectRef;
use crate::diagnose::Verdict;
use crate::path::Basis;
use crate::terminal::Terminal;
pub(crate) use style::Style;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Normal,
    /// With every fact.
    Wide,
}

/// Prints the whole report.
pub(super) fn print(
    report: &PathReport,
    terminal: Terminal,
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = Style::new(terminal);
    heading(report, style, out)?;
    writeln!(out)?;
    answer::print(report, style, out)?;
    writeln!(out)?;
    picture::print(report, style, detail, out)?;
    if let Some(families) = families(report) {
        writeln!(out, "{}", style.plain(&families))?;
    }
    measured(report, style, out)?;
    if !report.findings.is_empty() {
        writeln!(out)?;
    }
    findings::print(report, style, detail, out)?;
    open_ends(report, style, out)
}

/// `pod/client-1 → svc/api:8080 TCP`
fn heading(report: &PathReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let destination = &report.destination;
    let port = destination
        .port
        .map_or_else(String::new, |port| format!(":{port}"));
    let protocol = destination.protocol.as_deref().unwrap_or_default();
    let namespaces =
        [&report.source.object, &destination.object].map(|object| object.namespace.as_str());
    let namespace = match namespaces {
        ["", ""] => String::new(),
        [one, other] if one == other || other.is_empty() => format!("namespace {one}"),
        ["", other] => format!("namespace {other}"),
        [one, other] => format!("namespace {one} {} {other}", style.arrow()),
    };
    let place = destination
        .url
        .clone()
        .unwrap_or_else(|| format!("{}{port}", short(&destination.object)));
    let line = format!(
        "{} {} {place} {protocol}",
        short(&report.source.object),
        style.arrow(),
    );
    let context = report.context.as_ref();
    let context = context.map_or_else(String::new, |context| format!("context {context}"));
    let elapsed = report.elapsed_ms.map_or_else(String::new, seconds);
    let asked: Vec<String> = [namespace, context, elapsed]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let asked = asked.join(" · ");
    writeln!(out, "{}   {}", style.strong(&line), style.faint(&asked))
}

/// `IPv4: Reachable · IPv6: Unreachable`, where the families of a path fare differently.
fn families(report: &PathReport) -> Option<String> {
    let mut all: Vec<&str> = report
        .paths
        .iter()
        .filter_map(|path| path.family.as_deref())
        .collect();
    all.sort_unstable();
    all.dedup();
    let verdict_of = |family: &str| {
        let own = report
            .paths
            .iter()
            .filter(|path| path.family.as_deref() == Some(family));
        let mut verdicts: Vec<Verdict> = own.map(|path| path.verdict).collect();
        verdicts.dedup();
        match verdicts.as_slice() {
            [one] => *one,
            several if several.contains(&Verdict::Unreachable) => Verdict::Degraded,
            _ => Verdict::Undetermined,
        }
    };
    let verdicts: Vec<Verdict> = all.iter().map(|family| verdict_of(family)).collect();
    let differ = verdicts.windows(2).any(|pair| pair[0] != pair[1]);
    let told = all.iter().zip(&verdicts);
    let told: Vec<String> = told
        .map(|(family, verdict)| format!("{family}: {verdict:?}"))
        .collect();
    differ.then(|| told.join(" · "))
}

/// The numbers of the Service's address, else of the backends, and of the lookup, in one line.
fn measured(report: &PathReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let of = |aim| report.measurements.iter().filter(move |one| one.aim == aim);
    let services: Vec<String> = of(Aim::Service).map(Measurement::words).collect();
    let backends: Vec<String> = of(Aim::Backend).map(Measurement::words).collect();
    let name = of(Aim::Name).map(Measurement::words);
    let connects = if services.is_empty() {
        backends
    } else {
        services
    };
    if connects.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = connects.into_iter().chain(name).collect();
    let lines = style.note(&format!("measured: {}", all.join("; ")));
    writeln!(out)?;
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// `1.9 s`
fn seconds(milliseconds: u64) -> String {
    let tenths = milliseconds.div_ceil(100);
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// `pod/client-1`, as it would be typed.
pub(in crate::report) fn short(object: &ObjectRef) -> String {
    let kind = match object.kind.as_str() {
        "Service" => "svc",
        "Deployment" => "deploy",
        "StatefulSet" => "sts",
        "DaemonSet" => "ds",
        "ReplicaSet" => "rs",
        "Address" => "ip",
        "Name" => "dns",
        other => return format!("{}/{}", other.to_lowercase(), object.name),
    };
    format!("{kind}/{}", object.name)
}

/// What the verdict does not rest on, what could not be read, and what is left in the cluster.
fn open_ends(report: &PathReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let notes = notes(report);
    if !notes.is_empty() && report.findings.is_empty() {
        writeln!(out)?;
    }
    let lines = notes.iter().flat_map(|note| style.note(note));
    lines
        .into_iter()
        .try_for_each(|line| writeln!(out, "{line}"))
}

fn notes(report: &PathReport) -> Vec<String> {
    let mut notes = Vec::new();
    let is_prediction = !report.basis.contains(&Basis::Probe);
    if is_prediction && report.verdict == Verdict::Reachable && !report.not_looked_at.is_empty() {
        let what = crate::text::list(&report.not_looked_at);
        notes.push(format!("not looked at: {what}"));
    }
    notes.extend(
        report
            .dataplanes
            .iter()
            .map(|one| format!("{} {}", one.name, one.role)),
    );
    notes.extend(report.unread.iter().map(|unread| {
        format!(
            "not read: {} ({}); needs {}",
            unread.what, unread.why, unread.grant
        )
    }));
    let rejected = report.rejected.iter().take(5);
    notes.extend(rejected.map(|one| format!("not understood: {}: {}", one.object, one.why)));
    if report.rejected.len() > 5 {
        notes.push(format!(
            "not understood: {} more",
            report.rejected.len() - 5
        ));
    }
    for group in report.left.chunk_by(|left, right| left.why == right.why) {
        let what: Vec<&str> = group.iter().map(|left| left.what.as_str()).collect();
        let what = crate::text::list(&what);
        notes.push(format!("left behind: {what} ({})", group[0].why));
    }
    notes
}
