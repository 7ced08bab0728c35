//! What was asked of a server that holds more: of a live one, or for a capture of one path.
//!
//! In `snapshot.json` each entry is written as kubectl would say it: `pods in shop`, `nodes`,
//! `configmaps/coredns-custom in kube-system`, `pods with app=api`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Resource;

/// What a view covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Lists that were read whole; an empty namespace stands for all of them.
    pub lists: BTreeSet<(Resource, String)>,
    /// Objects that were asked for by name and do not exist.
    pub absent: BTreeSet<(Resource, String, String)>,
    /// Label selectors that no object of any namespace meets.
    pub unmet: BTreeSet<(Resource, String)>,
}

// === impl Coverage ===

impl Coverage {
    /// Reads what a snapshot says. An entry of a resource that is not known says nothing.
    pub(super) fn read(lists: &[String], absent: &[String], unmet: &[String]) -> Self {
        let list = |text: &String| {
            let (name, namespace) = parts(text);
            Some((Resource::named(name)?, namespace.to_owned()))
        };
        let object = |text: &String| {
            let (name, namespace) = parts(text);
            let (resource, name) = name.split_once('/')?;
            let resource = Resource::named(resource)?;
            Some((resource, namespace.to_owned(), name.to_owned()))
        };
        let selector = |text: &String| {
            let (resource, labels) = text.split_once(" with ")?;
            Some((Resource::named(resource)?, labels.to_owned()))
        };
        Self {
            lists: lists.iter().filter_map(list).collect(),
            absent: absent.iter().filter_map(object).collect(),
            unmet: unmet.iter().filter_map(selector).collect(),
        }
    }

    /// What a snapshot says of it.
    pub(super) fn recorded(&self) -> Value {
        let lists = self.lists.iter();
        let lists: Vec<String> = lists
            .map(|(resource, namespace)| within(resource.qualified(), namespace))
            .collect();
        let absent = self.absent.iter().map(|(resource, namespace, name)| {
            within(format!("{}/{name}", resource.qualified()), namespace)
        });
        let unmet = self.unmet.iter();
        let unmet =
            unmet.map(|(resource, labels)| format!("{} with {labels}", resource.qualified()));
        json!({
            "lists": lists,
            "absent": absent.collect::<Vec<_>>(),
            "unmet": unmet.collect::<Vec<_>>(),
        })
    }
}

fn parts(text: &str) -> (&str, &str) {
    text.split_once(" in ").unwrap_or((text, ""))
}

fn within(what: String, namespace: &str) -> String {
    if namespace.is_empty() {
        what
    } else {
        format!("{what} in {namespace}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut coverage = Coverage::default();
        coverage.lists.insert((Resource::Nodes, String::new()));
        let policies = (Resource::NetworkPolicies, "shop".to_owned());
        coverage.lists.insert(policies);
        let custom = ("kube-system".to_owned(), "coredns-custom".to_owned());
        coverage
            .absent
            .insert((Resource::ConfigMaps, custom.0, custom.1));
        coverage.unmet.insert((Resource::Pods, "app=x".to_owned()));
        let recorded = coverage.recorded();
        let texts = |field: &str| -> Vec<String> {
            serde_json::from_value(recorded[field].clone()).expect("texts")
        };
        assert_eq!(
            texts("absent"),
            ["configmaps/coredns-custom in kube-system"]
        );
        let read = Coverage::read(&texts("lists"), &texts("absent"), &texts("unmet"));
        assert_eq!(read, coverage);
    }
}
