//! The differences between a node's rules and the Services, for people and as JSON lines.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::{RulesArgs, RulesFormat};
use crate::cluster::{ClusterView, Named, snapshot};
use crate::error::{Error, Exit};
use crate::nat::proxy::{Difference, Drift, OriginKind, ProxySetup};
use crate::node::NodeState;
use crate::report::Style;
use crate::report::json::print_line;
use crate::terminal::Terminal;
use crate::world::NodeSite;

/// Compares and prints.
pub(super) fn run(
    args: &RulesArgs,
    state: NodeState,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let path = args.objects.as_ref().or(args.snapshot.as_ref());
    let path = path.ok_or_else(|| {
        Error::usage(
            "there is nothing to compare the rules with",
            "use --objects FILE with Services and EndpointSlices, or --snapshot PATH --node NAME",
        )
    })?;
    let view = snapshot::load(path)?;
    let node = node_name(args, &view)?;
    let facts = view.facts.nodes.get(&node);
    let has_rules = state.rules.is_some();
    let mut site = NodeSite::of(&view, &node, state);
    if let Some(facts) = facts {
        site = site.with_tables(&view, facts);
    }
    let with = match site.tables.services() {
        Some((dataplane, _)) => format!("{}'s Service table", dataplane.name()),
        None => format!("kube-proxy's {} rules", site.setup.mode.name()),
    };
    if !has_rules && site.tables.services().is_none() {
        return Err(Error::usage(
            format!("no rules of node {node} were gathered"),
            "use --iptables FILE, --nft FILE or --ipvs FILE",
        ));
    }
    let drift = site.drift(&view);
    match args.output {
        RulesFormat::Text => text(drift, &site.setup, &with, Style::new(terminal), out)?,
        RulesFormat::Json => json(drift, out)?,
    }
    Ok(
        match (drift.differences.is_empty(), drift.open.is_empty()) {
            (false, _) => Exit::Broken,
            (true, true) => Exit::Fine,
            (true, false) => Exit::Undetermined,
        },
    )
}

/// The node that was named, or the only one there is. Without any, nothing is local.
fn node_name(args: &RulesArgs, view: &ClusterView) -> Result<String, Error> {
    if let Some(name) = &args.node {
        return Ok(name.clone());
    }
    let names: Vec<&str> = view.nodes.iter().map(Named::name).collect();
    match names.as_slice() {
        [] => Ok(String::new()),
        [only] => Ok((*only).to_owned()),
        several => Err(Error::usage(
            "which node the rules are from decides which endpoints are local",
            format!("use --node with one of {}", several.join(", ")),
        )),
    }
}

fn text(
    drift: &Drift,
    setup: &ProxySetup,
    with: &str,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    for difference in &drift.differences {
        let service = difference.service.as_ref().map_or_else(
            || "no Service".to_owned(),
            |service| format!("{}/{}:{}", service.namespace, service.name, difference.port),
        );
        let kind = difference.entry_kind.map_or("", |kind| kind.name());
        writeln!(
            out,
            "{}  {} {kind}",
            style.strong(&service),
            difference.entry
        )?;
        writeln!(out, "  {}{}", difference.kind.name(), detail(difference))?;
        let side = |name: &str, all: &[String]| {
            let shown = if all.len() > 6 {
                format!("{} and {} more", all[..6].join(" "), all.len() - 6)
            } else {
                all.join(" ")
            };
            (!all.is_empty()).then(|| format!("    {name:9} {shown}"))
        };
        let sides = [
            side("expected", &difference.expected),
            side("actual", &difference.actual),
            difference
                .rule
                .as_ref()
                .map(|rule| format!("    {:9} {rule}", "rule")),
        ];
        for line in sides.into_iter().flatten() {
            writeln!(out, "{}", style.plain(&line))?;
        }
    }
    let count = drift.differences.len();
    if count > 0 {
        writeln!(out)?;
    }
    let verdict = match count {
        0 => "no difference".to_owned(),
        1 => "1 difference".to_owned(),
        several => format!("{several} differences"),
    };
    for why in &drift.open {
        writeln!(out, "not compared: {}", style.plain(why))?;
    }
    let node = if setup.node.is_empty() {
        String::new()
    } else {
        format!(" on {}", setup.node)
    };
    writeln!(
        out,
        "{verdict}: {} addresses of Services compared with {with}{node}",
        drift.entries
    )
}

fn detail(difference: &Difference) -> String {
    let endpoint = difference.endpoint.map(|endpoint| format!(" {endpoint}"));
    let detail = endpoint.unwrap_or_default();
    let origins: Vec<&str> = difference.origins.iter().map(|one| origin(*one)).collect();
    if !origins.is_empty() && origins.len() < 3 {
        return format!("{detail}, seen from {}", origins.join(" and "));
    }
    detail
}

const fn origin(kind: OriginKind) -> &'static str {
    match kind {
        OriginKind::Pod => "pods",
        OriginKind::Node => "the node",
        OriginKind::Outside => "outside",
    }
}

#[derive(Serialize)]
struct NotCompared<'a> {
    #[serde(rename = "notCompared")]
    why: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    difference: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    port: &'a str,
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<std::net::SocketAddr>,
    from: Vec<&'static str>,
    expected: &'a [String],
    actual: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

fn json(drift: &Drift, out: &mut dyn Write) -> io::Result<()> {
    for difference in &drift.differences {
        let service = difference.service.as_ref();
        let line = Line {
            difference: difference.kind.name(),
            service: service.map(|service| format!("{}/{}", service.namespace, service.name)),
            port: &difference.port,
            address: &difference.entry,
            endpoint: difference.endpoint,
            from: difference.origins.iter().map(|one| origin(*one)).collect(),
            expected: &difference.expected,
            actual: &difference.actual,
            rule: difference.rule.as_ref().map(ToString::to_string),
        };
        print_line(&line, out)?;
    }
    for why in &drift.open {
        print_line(&NotCompared { why }, out)?;
    }
    Ok(())
}
