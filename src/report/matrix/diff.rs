//! What opened and what closed between two clusters, and which object did it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::MatrixFormat;
use super::names;
use crate::cluster::ObjectRef;
use crate::policy::PortSet;
use crate::policy::matrix::diff::{Cause, Change, ChangedPair, Difference};
use crate::report::json;
use crate::report::text::Style;
use crate::terminal::Terminal;
use crate::text::{count, list};

/// How many ends of a group are named in text.
const NAMED: usize = 4;

/// The difference, and what was compared (fields are only ever added).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub before: String,
    pub after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(flatten)]
    pub difference: Difference,
}

/// Pairs that changed alike.
type Group<'r> = (&'r PortSet, &'r PortSet, &'r [Cause]);

// === impl DiffReport ===

impl DiffReport {
    /// Keeps what concerns a namespace.
    #[must_use]
    pub fn new(
        before: String,
        after: String,
        namespace: Option<String>,
        mut difference: Difference,
    ) -> Self {
        let is_meant = |object: &ObjectRef| {
            let wanted = namespace.as_ref();
            wanted.is_none_or(|wanted| object.namespace == *wanted)
        };
        difference.appeared.retain(is_meant);
        difference.gone.retain(is_meant);
        difference
            .pairs
            .retain(|pair| is_meant(&pair.source) || is_meant(&pair.destination));
        Self {
            api_version: "netpath/v1",
            kind: "MatrixDiff",
            before,
            after,
            namespace,
            difference,
        }
    }
}

/// Prints a difference; pictures of one are told in text.
///
/// # Errors
/// When `out` does.
pub fn print_difference(
    report: &DiffReport,
    format: MatrixFormat,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        MatrixFormat::Json => json::print(report, out),
        MatrixFormat::Csv => csv(report, out),
        MatrixFormat::Text | MatrixFormat::Mermaid | MatrixFormat::Svg => {
            text(report, Style::new(terminal), out)
        }
    }
}

fn text(report: &DiffReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let Difference {
        appeared,
        gone,
        pairs,
    } = &report.difference;
    let title = format!("{} {} {}", report.before, style.arrow(), report.after);
    let of = report.namespace.as_deref();
    let note = of.map_or_else(
        || "all namespaces".to_owned(),
        |of| format!("namespace {of}"),
    );
    writeln!(out, "{}   {}\n", style.strong(&title), style.faint(&note))?;
    let mut groups: BTreeMap<Group<'_>, Vec<&ChangedPair>> = BTreeMap::new();
    for pair in pairs {
        let key = (&pair.opened, &pair.closed, pair.because.as_slice());
        groups.entry(key).or_default().push(pair);
    }
    for ((opened, closed, because), pairs) in &groups {
        for (what, set) in [("opened", *opened), ("closed", *closed)] {
            if !set.is_empty() {
                writeln!(out, "{}", style.strong(&format!("{what}  {set}")))?;
            }
        }
        for line in style.wrapped("because", &causes(because)) {
            writeln!(out, "{line}")?;
        }
        for line in blocks(of, pairs) {
            writeln!(out, "  {}", style.plain(&line))?;
        }
        writeln!(out)?;
    }
    for (what, objects) in [("new", appeared), ("gone", gone)] {
        if !objects.is_empty() {
            let names: Vec<String> = objects.iter().map(|one| names::unit(one, of)).collect();
            for line in style.wrapped(what, &some(&names)) {
                writeln!(out, "{line}")?;
            }
        }
    }
    let has = |set: fn(&ChangedPair) -> &PortSet| {
        let changed = pairs.iter().filter(|pair| !set(pair).is_empty());
        count(changed.count(), "pair")
    };
    let (opened, closed) = (has(|pair| &pair.opened), has(|pair| &pair.closed));
    match pairs.as_slice() {
        [] => writeln!(out, "  nothing opened or closed between workloads of both"),
        _ => writeln!(out, "  {opened} opened, {closed} closed"),
    }
}

/// `NetworkPolicy shop/deny added and Namespace ops changed`.
fn causes(causes: &[Cause]) -> String {
    let names: Vec<String> = causes
        .iter()
        .map(|cause| {
            let change = match cause.change {
                Change::Added => "added",
                Change::Removed => "removed",
                Change::Changed => "changed",
            };
            format!("{} {change}", cause.object)
        })
        .collect();
    if names.is_empty() {
        "the address or place of one of the ends changed".to_owned()
    } else {
        some(&names)
    }
}

/// Pairs as sources and destinations that all combine: `a and b → c, d and 7 more`.
fn blocks(namespace: Option<&str>, pairs: &[&ChangedPair]) -> Vec<String> {
    let mut of_source: BTreeMap<&ObjectRef, BTreeSet<&ObjectRef>> = BTreeMap::new();
    for pair in pairs {
        of_source
            .entry(&pair.source)
            .or_default()
            .insert(&pair.destination);
    }
    let mut blocks: BTreeMap<BTreeSet<&ObjectRef>, Vec<&ObjectRef>> = BTreeMap::new();
    for (source, destinations) in of_source {
        blocks.entry(destinations).or_default().push(source);
    }
    let named = |objects: &mut dyn Iterator<Item = &&ObjectRef>| {
        let names: Vec<String> = objects.map(|one| names::unit(one, namespace)).collect();
        some(&names)
    };
    let more = blocks.len().saturating_sub(NAMED * 2);
    let mut lines: Vec<String> = blocks
        .iter()
        .take(NAMED * 2)
        .map(|(destinations, sources)| {
            format!(
                "{} → {}",
                named(&mut sources.iter()),
                named(&mut destinations.iter())
            )
        })
        .collect();
    lines.extend((more > 0).then(|| format!("{more} more such lines; -o json has every pair")));
    lines
}

/// The first names, and how many more there are.
fn some(names: &[String]) -> String {
    if names.len() <= NAMED + 1 {
        return list(names);
    }
    let mut shown = names[..NAMED].to_vec();
    shown.push(format!("{} more", names.len() - NAMED));
    list(&shown)
}

fn csv(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    out.write_all(b"source,destination,opened,closed,because\r\n")?;
    for pair in &report.difference.pairs {
        let fields = [
            names::unit(&pair.source, None),
            names::unit(&pair.destination, None),
            pair.opened.to_string(),
            pair.closed.to_string(),
            causes(&pair.because),
        ];
        let fields = fields.map(|field| super::csv::quoted(&field).into_owned());
        write!(out, "{}\r\n", fields.join(","))?;
    }
    out.flush()
}
