//! Keeps the rules of all nodes in step with policies, pods and namespaces.

use std::collections::BTreeMap;

use anyhow::Result;

use super::peers::subjects;
use super::rules::{TABLE, table};
use crate::net::Wires;
use crate::store::Store;

/// The engine of a cluster.
#[derive(Debug)]
pub struct Engine {
    /// Whether anything is enforced.
    on: bool,
    /// What was last written, by node.
    written: BTreeMap<String, String>,
}

// === impl Engine ===

impl Engine {
    pub const fn new(on: bool) -> Self {
        Self {
            on,
            written: BTreeMap::new(),
        }
    }

    /// Stops or starts enforcing. Stopped, it takes its rules away.
    pub fn switch(&mut self, on: bool, wires: &Wires) -> Result<()> {
        self.on = on;
        if !on {
            for node in std::mem::take(&mut self.written).into_keys() {
                wires
                    .host(&node)?
                    .run("nft", &["delete", "table", "inet", TABLE], "")?;
            }
        }
        Ok(())
    }

    /// Writes rules where they changed.
    pub fn sync(&mut self, store: &Store, wires: &Wires) -> Result<()> {
        if !self.on {
            return Ok(());
        }
        let policies = store.typed("networking.k8s.io", "networkpolicies");
        if policies.is_empty() && self.written.is_empty() {
            return Ok(());
        }
        let all = subjects(&store.typed("", "pods"));
        let namespaces = store.typed("", "namespaces");
        for node in &wires.plan.nodes {
            let name = &node.host.name;
            let text = table(name, &policies, &all, &namespaces);
            if self.written.get(name) != Some(&text) {
                wires.host(name)?.must("nft", &["-f", "-"], &text)?;
                self.written.insert(name.clone(), text);
            }
        }
        Ok(())
    }
}
