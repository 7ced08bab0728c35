//! One read of an API server, as data.

use super::Resource;

/// What to ask for: one object by name, or a list narrowed by selectors.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    pub resource: Resource,
    /// None for every namespace, and for cluster-wide resources.
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub labels: Option<String>,
    pub fields: Option<String>,
    /// Names and labels are enough.
    pub metadata_only: bool,
    /// At most this many; more are not fetched.
    pub limit: Option<u32>,
    /// Group and version under which the server has it, where that is not the usual one.
    pub served_as: Option<String>,
}

// === impl Query ===

impl Query {
    /// One object.
    #[must_use]
    pub fn get(resource: Resource, namespace: &str, name: &str) -> Self {
        let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
        Self {
            name: Some(name.to_owned()),
            ..Self::list(resource, namespace.as_deref())
        }
    }

    /// A list, of one namespace or of all.
    pub fn list(resource: Resource, namespace: Option<&str>) -> Self {
        Self {
            resource,
            namespace: namespace.map(str::to_owned),
            name: None,
            labels: None,
            fields: None,
            metadata_only: false,
            limit: None,
            served_as: None,
        }
    }

    /// Only what these labels select.
    #[must_use]
    pub fn labelled(self, labels: impl Into<String>) -> Self {
        Self {
            labels: Some(labels.into()),
            ..self
        }
    }

    /// Only what these fields select.
    #[must_use]
    pub fn with_fields(self, fields: impl Into<String>) -> Self {
        Self {
            fields: Some(fields.into()),
            ..self
        }
    }

    /// At most so many.
    #[must_use]
    pub fn at_most(self, limit: u32) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// Names and labels alone.
    #[must_use]
    pub fn metadata(self) -> Self {
        Self {
            metadata_only: true,
            ..self
        }
    }

    /// In another version than the usual one.
    #[must_use]
    pub fn in_version(self, version: &str) -> Self {
        let api_version = format!("{}/{version}", self.resource.group());
        self.served_as(api_version)
    }

    /// Asked for under this group and version.
    #[must_use]
    pub fn served_as(self, api_version: String) -> Self {
        Self {
            served_as: Some(api_version),
            ..self
        }
    }

    /// Group and version of its objects.
    #[must_use]
    pub fn api_version(&self) -> String {
        let usual = || self.resource.api_version();
        self.served_as.clone().unwrap_or_else(usual)
    }

    /// Whether the answer is all there is of the resource in its namespace, unless it was cut.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.name.is_none() && self.labels.is_none() && self.fields.is_none()
    }

    /// Path and query of the URL.
    #[must_use]
    pub fn url(&self) -> String {
        let resource = self.resource;
        let api_version = self.api_version();
        let mut url = if api_version.contains('/') {
            format!("/apis/{api_version}")
        } else {
            format!("/api/{api_version}")
        };
        if let Some(namespace) = &self.namespace {
            url.push_str("/namespaces/");
            url.push_str(namespace);
        }
        url.push('/');
        url.push_str(resource.plural());
        if let Some(name) = &self.name {
            url.push('/');
            url.push_str(name);
        }
        let limit = self.limit.map(|limit| limit.to_string());
        let parameters = [
            ("labelSelector", self.labels.as_deref()),
            ("fieldSelector", self.fields.as_deref()),
            ("limit", limit.as_deref()),
        ];
        let given = parameters
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        for (position, (name, value)) in given.enumerate() {
            url.push(if position == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&escape(value));
        }
        url
    }

    /// `networkpolicies.networking.k8s.io in data`
    #[must_use]
    pub fn what(&self) -> String {
        let resource = self.resource.qualified();
        let named = self
            .name
            .as_ref()
            .map_or_else(|| resource.clone(), |name| format!("{resource}/{name}"));
        match &self.namespace {
            Some(namespace) => format!("{named} in {namespace}"),
            None => named,
        }
    }

    /// The permission it needs: `get,list pods in shop`.
    #[must_use]
    pub fn grant(&self) -> String {
        let resource = self.resource.qualified();
        match &self.namespace {
            Some(namespace) => format!("get,list {resource} in {namespace}"),
            None => format!("get,list {resource}"),
        }
    }
}

/// Percent-encodes a query value (RFC 3986): all but the unreserved characters.
fn escape(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_what_the_api_server_expects() {
        for (query, url) in [
            (
                Query::get(Resource::Pods, "shop", "a"),
                "/api/v1/namespaces/shop/pods/a",
            ),
            (Query::get(Resource::Nodes, "", "n"), "/api/v1/nodes/n"),
            (
                Query::list(Resource::EndpointSlices, None)
                    .labelled("kubernetes.io/service-name in (a,b)"),
                "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=kubernetes.io%2Fservice-name%20in%20%28a%2Cb%29",
            ),
            (
                Query::list(Resource::Services, None)
                    .with_fields("metadata.name=b")
                    .at_most(50),
                "/api/v1/services?fieldSelector=metadata.name%3Db&limit=50",
            ),
        ] {
            assert_eq!(query.url(), url);
        }
    }
}
