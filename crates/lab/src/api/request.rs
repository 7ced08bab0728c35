//! What a request asks for: the words of its URL.
//!
//! Source: k8s.io/apiserver, `pkg/endpoints/request/requestinfo.go`.

use hyper::{HeaderMap, Method};

use super::query::{Query, decode};
use super::refusal::Refusal;
use crate::store::{Key, Registry, ResourceType};

/// A request, without its body.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub query: Query,
    pub headers: HeaderMap,
    /// What part of which objects, if it is about objects.
    pub target: Option<Target>,
}

/// The words of a URL about objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    pub group: String,
    pub version: String,
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub subresource: String,
    /// What follows the subresource, as for `proxy`.
    pub rest: String,
}

// === impl Call ===

impl Call {
    pub fn new<B>(request: &hyper::Request<B>) -> Self {
        let path = request.uri().path().to_owned();
        Self {
            method: request.method().clone(),
            target: Target::parse(&path),
            path,
            query: Query::parse(request.uri().query().unwrap_or_default()),
            headers: request.headers().clone(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The verb by which rights are given.
    pub fn verb(&self) -> &'static str {
        let Some(target) = &self.target else {
            return match self.method {
                Method::POST => "post",
                Method::PUT => "put",
                Method::PATCH => "patch",
                Method::DELETE => "delete",
                Method::HEAD => "head",
                _ => "get",
            };
        };
        let one = !target.name.is_empty();
        match self.method {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if one => "delete",
            Method::DELETE => "deletecollection",
            _ if self.query.is_set("watch") && target.subresource.is_empty() => "watch",
            _ if one => "get",
            _ => "list",
        }
    }

    /// Whether changes are only tried out.
    pub fn is_dry(&self) -> bool {
        self.query.get("dryRun") == Some("All")
    }
}

// === impl Target ===

impl Target {
    fn parse(path: &str) -> Option<Self> {
        let words: Vec<String> = path
            .split('/')
            .filter(|word| !word.is_empty())
            .map(decode)
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (group, version, rest) = match words.as_slice() {
            ["api", version, rest @ ..] => ("", version, rest),
            ["apis", group, version, rest @ ..] => (*group, version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            [] => return None,
            // The namespaces themselves, and their parts.
            ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => {
                ("", rest)
            }
            ["namespaces", namespace, rest @ ..] => (*namespace, rest),
            rest => ("", rest),
        };
        let word = |at: usize| rest.get(at).copied().unwrap_or_default().to_owned();
        Some(Self {
            group: group.to_owned(),
            version: (*version).to_owned(),
            resource: word(0),
            namespace: namespace.to_owned(),
            name: word(1),
            subresource: word(2),
            rest: rest.get(3..).unwrap_or_default().join("/"),
        })
    }

    /// The kind it is about, or a plain 404 where its group and version are not served (`None`).
    pub fn kind(&self, registry: &Registry) -> Result<ResourceType, Option<Refusal>> {
        if let Some(kind) = registry.by_plural(&self.group, &self.version, &self.resource) {
            return Ok(kind.clone());
        }
        let served = registry
            .types()
            .iter()
            .any(|kind| kind.group == self.group && kind.version == self.version);
        Err(served.then(Refusal::no_resource))
    }

    pub fn key(&self, kind: &ResourceType) -> Key {
        Key::new(&kind.group, &kind.plural, &self.namespace, &self.name)
    }

    /// `pods`, `pods/exec`.
    pub fn resource_path(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let read = |path| {
            Target::parse(path).map(|target| {
                let Target {
                    group,
                    resource,
                    namespace,
                    name,
                    subresource,
                    rest,
                    ..
                } = target;
                [group, resource, namespace, name, subresource, rest].join("|")
            })
        };
        assert_eq!(
            read("/api/v1/namespaces/shop/pods/a/log").as_deref(),
            Some("|pods|shop|a|log|")
        );
        assert_eq!(read("/api/v1/pods").as_deref(), Some("|pods||||"));
        assert_eq!(
            read("/api/v1/namespaces/shop").as_deref(),
            Some("|namespaces||shop||")
        );
        assert_eq!(
            read("/apis/apps/v1/namespaces/shop/deployments").as_deref(),
            Some("apps|deployments|shop|||")
        );
        assert_eq!(
            read("/api/v1/nodes/n/proxy/configz").as_deref(),
            Some("|nodes||n|proxy|configz")
        );
        assert_eq!(read("/apis/apps/v1"), None);
        assert_eq!(read("/version"), None);
    }
}
