//! Files to a node's state.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::cli::RulesArgs;
use crate::cluster::snapshot;
use crate::error::Error;
use crate::facts::{BadFact, links, route_rules, routes};
use crate::nat::model::Ruleset;
use crate::nat::read::{BadDump, read_ipset, read_iptables, read_ipvs, read_nft};
use crate::net::Family;
use crate::node::NodeState;
use crate::route::{Host, Routing};

/// The node that the arguments describe.
pub(super) fn state(args: &RulesArgs) -> Result<NodeState, Error> {
    if let (Some(path), Some(name)) = (&args.snapshot, &args.node) {
        let view = snapshot::load(path)?;
        let facts = view.facts.nodes.get(name).ok_or_else(|| {
            let known: Vec<&str> = view.facts.nodes.keys().map(String::as_str).collect();
            Error::usage(
                format!("{} holds nothing of node {name}", path.display()),
                format!("nodes in it: {}", known.join(", ")),
            )
        })?;
        return Ok(NodeState::read(facts));
    }
    let mut rules = Ruleset::default();
    for path in &args.iptables {
        let legacy = path.to_string_lossy().contains("legacy");
        read_iptables(&mut rules, text(path)?, None, legacy).map_err(|bad| dump(path, &bad))?;
    }
    for path in &args.nft {
        read_nft(&mut rules, text(path)?).map_err(|bad| dump(path, &bad))?;
    }
    if args.iptables.is_empty() && args.nft.is_empty() && args.ipvs.is_none() {
        return Err(Error::usage(
            "no rule dump is given",
            "use --iptables FILE, --nft FILE, --ipvs FILE, or --snapshot PATH --node NAME",
        ));
    }
    if let Some(path) = &args.ipset {
        rules.ipsets = Some(read_ipset(&text(path)?).map_err(|bad| dump(path, &bad))?);
    }
    if let Some(path) = &args.ipvs {
        rules.virtual_servers = Some(read_ipvs(&text(path)?).map_err(|bad| dump(path, &bad))?);
    }
    Ok(NodeState {
        rules: Some(rules),
        host: host(args)?,
        ..NodeState::default()
    })
}

fn host(args: &RulesArgs) -> Result<Host, Error> {
    let mut all = Vec::new();
    for path in &args.route {
        all.extend(routes(&text(path)?, Family::V4).map_err(|bad| fact(path, &bad))?);
    }
    let rules = match &args.route_rules {
        Some(path) => route_rules(&text(path)?).map_err(|bad| fact(path, &bad))?,
        None => Vec::new(),
    };
    let links = match &args.addr {
        Some(path) => Some(links(&text(path)?).map_err(|bad| fact(path, &bad))?),
        None => None,
    };
    Ok(Host {
        links,
        addresses: (!args.local.is_empty()).then(|| args.local.clone()),
        routing: (!args.route.is_empty()).then(|| Routing::new(all, rules)),
    })
}

/// Lines of a file, or of standard input for `-`.
pub(super) fn lines(path: &Path) -> Result<Box<dyn BufRead>, Error> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Box::new(BufReader::new(file)))
}

fn text(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("cannot read {}: {error}", path.display()), "")
}

fn dump(path: &Path, bad: &BadDump) -> Error {
    Error::usage(
        format!("{}: {bad}", path.display()),
        format!("write the file with `{}`", bad.tool),
    )
}

fn fact(path: &Path, bad: &BadFact) -> Error {
    Error::usage(
        format!("{}: {bad}", path.display()),
        format!("write the file with `{}`", bad.tool),
    )
}
