//! The table of questions and edits, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::spec::Node;
use crate::net::Transport;
use crate::scenario::Injection;

/// What worlds can be asked, and what can be done to them.
pub static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a test reads it")]
    serde_saphyr::from_str(include_str!("grammar.yaml")).expect("the grammar")
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grammar {
    pub questions: Vec<Question>,
    pub edits: Vec<Edit>,
}

/// A way through the cluster that works before anything is changed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub name: String,
    /// Where the exchange starts, as a place of the lab.
    pub at: String,
    /// The node that is.
    pub from: String,
    /// netpath's words.
    pub ask: Vec<String>,
    #[serde(default = "shop")]
    pub namespace: String,
    /// What a user of that path opens.
    pub urls: Vec<String>,
    pub svc: String,
    pub app: String,
    #[serde(default = "shop")]
    pub ns: String,
    pub port: u16,
    pub target: u16,
    #[serde(default = "client")]
    pub source: String,
    #[serde(default = "shop")]
    pub sourcens: String,
    /// Whether the Service has session affinity, or is headless.
    #[serde(default)]
    pub pinned: bool,
}

/// One change, and how to take back what restoring the objects does not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub name: String,
    /// Only for these questions.
    #[serde(default)]
    pub only: Vec<String>,
    #[serde(default)]
    pub transport: Option<Transport>,
    /// Lists of injections, with variables.
    pub does: serde_json::Value,
    #[serde(default)]
    pub undo: serde_json::Value,
}

fn shop() -> String {
    "shop".to_owned()
}

fn client() -> String {
    "client".to_owned()
}

// === impl Grammar ===

impl Grammar {
    pub fn edit(&self, name: &str) -> Option<&Edit> {
        self.edits.iter().find(|edit| edit.name == name)
    }
}

// === impl Question ===

impl Question {
    /// What stands for the words of an edit at a node.
    fn words(&self, node: Node) -> BTreeMap<&'static str, String> {
        let (from, peer) = (Node::named(&self.from), node.other());
        [
            ("$svc", self.svc.clone()),
            ("$app", self.app.clone()),
            ("$ns", self.ns.clone()),
            ("$port", self.port.to_string()),
            ("$target", self.target.to_string()),
            ("$sourcens", self.sourcens.clone()),
            ("$source", self.source.clone()),
            ("$from_gateway", from.gateway().to_owned()),
            ("$from", from.name().to_owned()),
            ("$node_pods", node.pods().to_owned()),
            ("$node_ip", node.ip().to_owned()),
            ("$node", node.name().to_owned()),
            ("$peer_pods", peer.pods().to_owned()),
            ("$peer_ip", peer.ip().to_owned()),
            ("$peer", peer.name().to_owned()),
        ]
        .into()
    }

    /// A list of the grammar, made definite.
    pub fn fill(&self, list: &serde_json::Value, node: Node) -> Vec<Injection> {
        if list.is_null() {
            return Vec::new();
        }
        let mut text = list.to_string();
        // The longest first: `$node_ip` before `$node`.
        let mut words: Vec<_> = self.words(node).into_iter().collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        for (word, value) in words {
            // A number stays one.
            if value.parse::<u16>().is_ok() {
                text = text.replace(&format!("\"{word}\""), &value);
            }
            text = text.replace(word, &value);
        }
        serde_json::from_str(&text).unwrap_or_default()
    }
}
