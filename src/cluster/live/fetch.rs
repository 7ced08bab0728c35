//! One query, asked; and what the answer means.

use std::collections::BTreeMap;

use http::Request;
use kube::Client;
use serde_json::Value;

use super::patience::patiently;
use crate::cluster::query::Query;
use crate::cluster::scope::ScopeProgress;
use crate::cluster::{Builder, Resource, Unread};

/// Why the cluster could not be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("{0}")]
    Config(String),
    #[error("cannot reach the API server: {0}")]
    Unreachable(String),
    #[error("the API server does not accept these credentials: {0}")]
    Unauthorized(String),
}

/// What one query got.
#[derive(Debug)]
pub enum Answer {
    /// An object or a list.
    Found(Value),
    /// No such object, or a resource this server does not have.
    Absent,
    /// Not given, with the reason.
    Refused(Unread),
}

/// Asks one query.
///
/// # Errors
/// When the server cannot be reached, or does not know the user: then no query will succeed.
pub async fn fetch(client: &Client, query: &Query) -> Result<Answer, LiveError> {
    let accept = if query.metadata_only {
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
    } else {
        "application/json"
    };
    let request = Request::get(query.url())
        .header(http::header::ACCEPT, accept)
        .body(Vec::new())
        .map_err(|error| LiveError::Config(error.to_string()))?;
    match patiently(client, &request).await {
        Ok(value) => Ok(Answer::Found(value)),
        Err(error) => refusal(query, &error),
    }
}

/// The API groups the server has: they tell which dialects of policies can exist.
/// Each group comes with its versions, preferred one first.
pub(super) async fn api_groups(client: &Client) -> Result<BTreeMap<String, Vec<String>>, Unread> {
    let request = Request::get("/apis").body(Vec::new());
    let answer = match request.map_err(kube::Error::HttpError) {
        Ok(request) => patiently(client, &request).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(list) => Ok(names(&list)),
        Err(error) => Err(Unread {
            what: "clusternetworkpolicies.policy.networking.k8s.io".to_owned(),
            why: format!("the list of API groups: {}", root_cause(&error)),
            grant: "get /apis (ClusterRole system:discovery)".to_owned(),
            resource: Some(Resource::ClusterNetworkPolicies),
            namespace: String::new(),
        }),
    }
}

/// The names of a list of API groups, with their versions.
fn names(list: &Value) -> BTreeMap<String, Vec<String>> {
    let groups = list["groups"].as_array().into_iter().flatten();
    let named = groups.filter_map(|group| {
        let version = |value: &Value| value["version"].as_str().map(str::to_owned);
        let mut versions: Vec<String> = version(&group["preferredVersion"]).into_iter().collect();
        let others = group["versions"].as_array().into_iter().flatten();
        versions.extend(others.filter_map(version));
        Some((group["name"].as_str()?.to_owned(), versions))
    });
    named.collect()
}

/// Sorts an error: one object's absence, one resource's refusal, or the end of it all.
pub(super) fn refusal(query: &Query, error: &kube::Error) -> Result<Answer, LiveError> {
    match error {
        kube::Error::Api(status) => match status.code {
            404 => Ok(Answer::Absent),
            401 => Err(LiveError::Unauthorized(status.message.clone())),
            403 => Ok(Answer::Refused(unread(
                query,
                "forbidden".to_owned(),
                query.grant(),
            ))),
            _ => {
                let why = format!("{} {}", status.code, first_line(&status.message));
                Ok(Answer::Refused(unread(
                    query,
                    why,
                    "another try".to_owned(),
                )))
            }
        },
        kube::Error::SerdeError(error) => {
            let why = format!("the response is not JSON: {error}");
            Ok(Answer::Refused(unread(
                query,
                why,
                "another try".to_owned(),
            )))
        }
        other => Err(LiveError::Unreachable(root_cause(other))),
    }
}

fn unread(query: &Query, why: String, grant: String) -> Unread {
    Unread {
        what: query.what(),
        why,
        grant,
        resource: Some(query.resource),
        namespace: query.namespace.clone().unwrap_or_default(),
    }
}

/// The innermost error says what happened; the outer ones only where.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    first_line(&innermost.to_string()).to_owned()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

// === impl Answer ===

impl Answer {
    /// The objects that were found, each with its kind, and whether a list was cut short.
    pub(super) fn into_objects(self, query: &Query) -> (Vec<Value>, bool) {
        let Self::Found(value) = self else {
            return (Vec::new(), false);
        };
        let token = value.pointer("/metadata/continue").and_then(Value::as_str);
        let is_cut = token.is_some_and(|token| !token.is_empty());
        let mut objects = match value {
            Value::Object(mut fields) if fields.contains_key("items") => {
                match fields.remove("items") {
                    Some(Value::Array(items)) => items,
                    // Go prints an empty list as null.
                    _ => Vec::new(),
                }
            }
            object => vec![object],
        };
        for object in &mut objects {
            // Items of a list do not repeat their kind, and metadata-only answers carry another.
            object["apiVersion"] = query.api_version().into();
            object["kind"] = query.resource.kind().into();
        }
        (objects, is_cut)
    }

    /// Puts what was found into a view, and notes what was not. The objects themselves go to `raw`,
    /// if somebody keeps them.
    pub(super) fn put_into(
        self,
        query: &Query,
        builder: &mut Builder,
        asked: &mut ScopeProgress,
        raw: Option<&mut Vec<Value>>,
    ) {
        if let Self::Refused(unread) = self {
            return asked.refuse(query, unread);
        }
        if let (Self::Absent, Some(name)) = (&self, &query.name) {
            let namespace = query.namespace.as_deref().unwrap_or_default();
            builder.view().mark_absent(query.resource, namespace, name);
        }
        // A version that is not served holds nothing that another one does not.
        let (objects, is_cut) = self.into_objects(query);
        if is_cut {
            asked.cut_short(query);
        }
        let is_of_all = query.namespace.is_none() && query.fields.is_none();
        if let Some(labels) = query
            .labels
            .as_ref()
            .filter(|_| is_of_all && objects.is_empty())
        {
            builder.view().mark_unmet(query.resource, labels);
        }
        if query.is_whole() && !is_cut {
            builder
                .view()
                .mark_whole(query.resource, query.namespace.as_deref());
        }
        if let Some(raw) = raw {
            raw.extend(objects.iter().cloned());
        }
        for object in objects {
            builder.add_as(query.resource, object);
        }
    }
}

// === impl LiveError ===

impl LiveError {
    /// An error of the kubeconfig, in its own words.
    pub(super) fn config(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Config(format!(
            "cannot use the kubeconfig: {}",
            first_line(&error.to_string())
        ))
    }

    /// What the user can do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Config(_) => {
                "check --kubeconfig, $KUBECONFIG and --context, or use --snapshot PATH"
            }
            Self::Unreachable(_) => "check with: kubectl get --raw /version",
            Self::Unauthorized(_) => "log in again; check with: kubectl auth whoami",
        }
    }
}
