//! What of an object goes into a capture: an allow-list, kind by kind.
//!
//! ```text
//!  object ─► fields that are read ─► annotations and keys by name ─► values cut to what is read
//! ```
//!
//! A list of what to leave out forgets something: copies of whole objects in annotations, arguments,
//! headers of probes, credentials in names of images. So what is not known to be read is left out, and
//! what was left out is listed.

mod allow;
mod corefile;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value};

use self::allow::Kept;
use crate::cluster::Resource;

/// What was left out: kinds and fields, with how often.
pub(super) type LeftOut = BTreeMap<String, usize>;

/// The part of an object that a capture keeps; nothing of a kind that netpath does not read.
pub(super) fn redacted(object: Value, left_out: &mut LeftOut) -> Option<Value> {
    let text = |field: &str| {
        object
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let kind = text("kind").to_owned();
    let Some(resource) = Resource::of(text("apiVersion"), &kind) else {
        *left_out.entry(kind).or_default() += 1;
        return None;
    };
    let fields = allow::fields(resource);
    let wanted: Vec<Vec<&str>> = fields
        .iter()
        .map(|field| field.split('.').collect())
        .collect();
    let wanted: Vec<&[&str]> = wanted.iter().map(Vec::as_slice).collect();
    let mut sieve = Sieve { kind, left_out };
    let mut kept = sieve.kept(object, &wanted, "");
    let (namespace, name) = (
        own(&kept, "/metadata/namespace"),
        own(&kept, "/metadata/name"),
    );
    if resource == Resource::ConfigMaps
        && let Some(data) = kept.get_mut("data").and_then(Value::as_object_mut)
    {
        sieve.only(data, "data", |key| {
            allow::config_key(&namespace, &name, key)
        });
    }
    sieve.values(&mut kept, "");
    Some(kept)
}

fn own(object: &Value, pointer: &str) -> String {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// Goes through one object.
struct Sieve<'l> {
    kind: String,
    left_out: &'l mut LeftOut,
}

// === impl Sieve ===

impl Sieve<'_> {
    fn leave_out(&mut self, field: &str) {
        let entry = format!("{} {field}", self.kind);
        *self.left_out.entry(entry).or_default() += 1;
    }

    /// The fields of a value that are wanted; an entry of a list like the list itself.
    fn kept(&mut self, value: Value, wanted: &[&[&str]], at: &str) -> Value {
        match value {
            Value::Object(fields) => {
                let mut kept = Map::new();
                for (name, value) in fields {
                    let here = if at.is_empty() {
                        name.clone()
                    } else {
                        format!("{at}.{name}")
                    };
                    let below: Vec<&[&str]> = wanted
                        .iter()
                        .filter_map(|path| path.split_first())
                        .filter(|(first, _)| **first == name)
                        .map(|(_, rest)| rest)
                        .collect();
                    if below.iter().any(|rest| rest.is_empty()) {
                        kept.insert(name, value);
                    } else if below.is_empty() {
                        self.leave_out(&here);
                    } else {
                        kept.insert(name, self.kept(value, &below, &here));
                    }
                }
                Value::Object(kept)
            }
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.kept(item, wanted, at));
                Value::Array(items.collect())
            }
            // A field that should be an object is none: nobody reads it.
            _ => {
                self.leave_out(at);
                Value::Null
            }
        }
    }

    /// Keeps the entries of a map that are allowed by name.
    fn only(&mut self, map: &mut Map<String, Value>, at: &str, kept: impl Fn(&str) -> Kept) {
        map.retain(|key, value| {
            let kept = kept(key);
            if matches!(kept, Kept::Nothing | Kept::Name) {
                let key: String = key.chars().take(100).collect();
                self.leave_out(&format!("{at}[{key}]"));
            }
            if let Value::String(text) = value
                && let Some(cut) = part(kept, text)
            {
                *text = cut;
            }
            kept != Kept::Nothing
        });
    }

    /// Cuts values to the part of them that is read, wherever they stand.
    fn values(&mut self, value: &mut Value, name: &str) {
        match value {
            Value::Object(fields) => self.fields(fields),
            Value::Array(items) => {
                match name {
                    "env" => items.retain(|variable| is_read(&own(variable, "/name"))),
                    "args" | "command" => items.retain(|word| {
                        let is_read = word.as_str().is_some_and(allow::argument);
                        if !is_read {
                            self.leave_out(&format!("spec.containers.{name}"));
                        }
                        is_read
                    }),
                    _ => {}
                }
                for item in items {
                    self.values(item, name);
                }
            }
            Value::String(text) => {
                if let Some(cut) = cut(name, text) {
                    *text = cut;
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, fields: &mut Map<String, Value>) {
        let is_variable = fields
            .get("name")
            .and_then(Value::as_str)
            .is_some_and(is_proxy);
        for (name, value) in fields {
            match (name.as_str(), &mut *value) {
                ("annotations", Value::Object(annotations)) => {
                    self.only(annotations, "metadata.annotations", allow::annotation);
                }
                // What policies and routes ask of HTTP: that they ask, and for which name.
                ("headers" | "headerMatches" | "queryParams", headers) => {
                    self.leave_out(name);
                    blank(headers);
                }
                ("value", Value::String(text)) if is_variable => *text = proxy(text),
                ("terminated", Value::Object(ended)) => self.last_words(ended),
                _ => self.values(value, name),
            }
        }
    }

    /// An application's last words: only those of CoreDNS are read (DNS-04), and variables of Services
    /// (SVC-17).
    fn last_words(&mut self, ended: &mut Map<String, Value>) {
        let Some(Value::String(message)) = ended.get_mut("message") else {
            return;
        };
        if message.contains("plugin/loop") {
            return;
        }
        let is_variable = |word: &&str| {
            (word.contains("_PORT") || word.contains("tcp://")) && !word.contains('@')
        };
        let kept: Vec<&str> = message.split_whitespace().filter(is_variable).collect();
        let kept = kept.join(" ");
        if kept == *message {
            return;
        }
        if kept.is_empty() {
            ended.remove("message");
        } else {
            *message = kept;
        }
        self.leave_out("terminated.message");
    }
}

/// What an entry of a map becomes; none where it stays as it is.
fn part(kept: Kept, text: &str) -> Option<String> {
    match kept {
        Kept::Whole | Kept::Nothing => None,
        Kept::Name => Some(String::new()),
        Kept::Corefile(within) => Some(corefile::without_credentials(text, within)),
        Kept::Hosts => {
            let is_entry = |line: &&str| {
                let address = line.split_whitespace().next();
                address.is_some_and(|address| address.parse::<IpAddr>().is_ok())
            };
            Some(text.split_inclusive('\n').filter(is_entry).collect())
        }
        Kept::Lines(keys) => {
            let is_kept = |line: &&str| {
                let key = line.split_once(':').map(|(key, _)| key.trim());
                key.is_some_and(|key| keys.contains(&key))
            };
            let lines = text.split_inclusive('\n');
            Some(lines.filter(is_kept).collect())
        }
        Kept::Fields(fields) => {
            let wanted: Vec<Vec<&str>> = fields
                .iter()
                .map(|field| field.split('.').collect())
                .collect();
            let wanted: Vec<&[&str]> = wanted.iter().map(Vec::as_slice).collect();
            let document = serde_saphyr::from_str(text).unwrap_or_default();
            let mut ignored = LeftOut::new();
            let mut sieve = Sieve {
                kind: String::new(),
                left_out: &mut ignored,
            };
            Some(sieve.kept(document, &wanted, "").to_string())
        }
    }
}

/// Takes the values out of conditions on headers: texts, and what stands for one in an object.
fn blank(headers: &mut Value) {
    match headers {
        // `X-Token: abc`, as Cilium writes it.
        Value::Array(items) if items.iter().all(Value::is_string) => items.clear(),
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if !["name", "type"].contains(&name.as_str()) => {
                        text.clear();
                    }
                    value => blank(value),
                }
            }
        }
        _ => {}
    }
}

/// Variables that are read: proxies, and the switch of Calico's eBPF.
fn is_read(name: &str) -> bool {
    is_proxy(name) || name == "FELIX_BPFENABLED"
}

/// The proxy settings of a process: they decide where requests go (SRC-05).
fn is_proxy(name: &str) -> bool {
    let known = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A value without what hides in it; none where it stays as it is.
fn cut(name: &str, text: &str) -> Option<String> {
    match name {
        // `user:password@registry/…` is no image, and people try it.
        "image" => text
            .rsplit_once('@')
            .filter(|(_, rest)| !rest.starts_with("sha256:"))
            .map(|(_, rest)| rest.to_owned()),
        "path" => text.split_once(['?', '#']).map(|(path, _)| path.to_owned()),
        _ => None,
    }
}

/// Scheme, host and port of a proxy; lists of hosts stay as they are.
fn proxy(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return match text.rsplit_once('@') {
            Some((_, host)) => host.to_owned(),
            None => text.split(['?', '#']).next().unwrap_or_default().to_owned(),
        };
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_read_stays_and_the_rest_is_listed() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "labels": {"app": "a"}, "managedFields": [{"manager": "x", "fieldsV1": {"f:SECRET": {}}}],
                "annotations": {"copy.example/of-it-all": "SECRET", "kubernetes.io/config.mirror": "1"}},
            "spec": {"nodeName": "n", "volumes": [{"secret": {"secretName": "SECRET"}}], "containers": [{
                "name": "c", "image": "me:SECRET@registry.example/x:1", "args": ["SECRET"],
                "ports": [{"containerPort": 80}],
                "env": [
                    {"name": "PASSWORD", "value": "SECRET"},
                    {"name": "HTTP_PROXY", "value": "http://proxy:3128"},
                    {"name": "https_proxy", "value": "http://me:SECRET@proxy:3128/?token=SECRET"},
                    {"name": "NO_PROXY", "value": "localhost,.svc"},
                    {"name": "MY_PROXY", "value": "SECRET"},
                ],
                "readinessProbe": {"httpGet": {"path": "/ready?key=SECRET", "port": 80, "httpHeaders": [{"name": "a", "value": "SECRET"}]}},
            }]},
            "status": {"podIP": "10.0.0.1"},
        });
        let mut left_out = LeftOut::new();
        let kept = redacted(pod, &mut left_out).expect("a pod");
        let text = kept.to_string();
        assert!(
            !text.contains("SECRET") && text.contains("managedFields"),
            "{text}"
        );
        let container = &kept["spec"]["containers"][0];
        assert_eq!(container["image"], "registry.example/x:1");
        assert_eq!(
            container["readinessProbe"]["httpGet"],
            json!({"path": "/ready", "port": 80})
        );
        let proxies: Vec<&str> = container["env"]
            .as_array()
            .expect("env")
            .iter()
            .filter_map(|one| one["value"].as_str())
            .collect();
        assert_eq!(
            proxies,
            ["http://proxy:3128", "http://proxy:3128", "localhost,.svc"]
        );
        assert_eq!(
            kept["metadata"]["annotations"],
            json!({"kubernetes.io/config.mirror": "1"})
        );
        for entry in [
            "Pod spec.volumes",
            "Pod spec.containers.args",
            "Pod metadata.annotations[copy.example/of-it-all]",
        ] {
            assert_eq!(left_out.get(entry), Some(&1), "{entry} in {left_out:?}");
        }
        assert!(redacted(json!({"apiVersion": "v1", "kind": "Secret"}), &mut left_out).is_none());
    }

    #[test]
    fn an_image_by_digest_stays() {
        assert_eq!(cut("image", "registry.example/x@sha256:00"), None);
    }
}
