//! What the zone of a cluster set answers (Multicluster DNS specification 1.0.0, KEP-1645).

use super::corefile::{Corefile, Plugin, ServerBlock, is_below};
use super::zone::{Answer, NoName};
use crate::cluster::multicluster::ServiceImport;
use crate::cluster::{ClusterView, Resource};

/// The zone of every cluster set.
pub const ZONE: &str = "clusterset.local";

/// Plugins of CoreDNS that serve it: its own external one, and Submariner's.
const PLUGINS: [&str; 2] = ["multicluster", "lighthouse"];

/// Whether a name lies in the zone.
#[must_use]
pub fn is_name(name: &str) -> bool {
    is_below(name.trim_end_matches('.'), ZONE)
}

/// Namespace and name of the ServiceImport that a name speaks of.
#[must_use]
pub fn import_of_name(name: &str) -> Option<(&str, &str)> {
    super::service_of_name(name.trim_end_matches('.'), ZONE)
}

/// Answers a name of the zone.
///
/// # Errors
/// Why it cannot be told.
pub(super) fn answer<'v>(
    view: &'v ClusterView,
    name: &str,
    zone: &str,
) -> Result<Answer<'v>, String> {
    let below = name.strip_suffix(zone).unwrap_or(name);
    let labels: Vec<&str> = below.trim_end_matches('.').split('.').collect();
    let (namespace, name) = match labels.as_slice() {
        [name, namespace, "svc"] => (*namespace, *name),
        [port, protocol, name, namespace, "svc"]
            if port.starts_with('_') && protocol.starts_with('_') =>
        {
            (*namespace, *name)
        }
        [.., _, _, "svc"] => return Err("it asks for one cluster or endpoint of an import".into()),
        _ => return Ok(Answer::None(NoName::Form)),
    };
    let Some(import) = ServiceImport::find(view, namespace, name) else {
        return no_import(view, namespace, name);
    };
    // Submariner answers with the addresses of the exported Services.
    let has_address = import.is_headless()
        || !import.ips().is_empty()
        || import.slices(view).next().is_some() && view.may_have_group("submariner.io");
    Ok(if has_address {
        Answer::Import(import)
    } else {
        Answer::None(NoName::NoClusterSetIp(import))
    })
}

fn no_import<'v>(view: &'v ClusterView, namespace: &str, name: &str) -> Result<Answer<'v>, String> {
    let resource = Resource::ServiceImports;
    if view.lacks(resource, namespace, name) {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        return Ok(Answer::None(NoName::Import { namespace, name }));
    }
    Err(format!("{} were not read", resource.qualified()))
}

/// The plugin of a block that serves a name of a cluster set.
pub(super) fn plugin<'b>(block: &'b ServerBlock, name: &str) -> Option<(&'b Plugin, String)> {
    block.plugins.iter().find_map(|plugin| {
        let zones = zones(block, plugin);
        let zone = zones.into_iter().find(|zone| is_below(name, zone))?;
        (zone != "." && !zone.is_empty()).then_some((plugin, zone))
    })
}

/// The zones of a cluster set that a plugin serves: those it names, or else those of its block. The
/// kubernetes plugin serves those behind its option `multicluster` (CoreDNS 1.12.2 and later).
pub(super) fn zones(block: &ServerBlock, plugin: &Plugin) -> Vec<String> {
    let named = if PLUGINS.contains(&plugin.name.as_str()) {
        match plugin.arguments.as_slice() {
            [] => return block.zones.clone(),
            zones => zones,
        }
    } else if plugin.name == "kubernetes" {
        plugin.option("multicluster").unwrap_or_default()
    } else {
        &[]
    };
    let normal = |zone: &String| zone.trim_matches('.').to_lowercase();
    named.iter().map(normal).collect()
}

/// The block that hands the zone over to other servers, if one is there for it alone.
pub(super) fn delegation<'c>(corefile: &'c Corefile, name: &str) -> Option<&'c ServerBlock> {
    let block = corefile.block_for(name)?;
    let mut zones = block.zones.iter();
    zones
        .any(|zone| !zone.is_empty() && is_name(zone) && is_below(name, zone))
        .then_some(block)
}
