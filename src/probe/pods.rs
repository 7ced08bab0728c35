//! The pods of the API server, as far as probing needs them.
//!
//! ```text
//!  bytes ─► Value ─► Pod        (as everywhere: serde's code for a type stands in the program once,
//!                                not once for each wire format)
//! ```

use futures::Stream;
use futures::stream::try_unfold;
use http::HeaderValue;
use http::header::ACCEPT_ENCODING;
use kube::Client;
use kube::api::{
    DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::api::{Request, WatchEvent, WatchParams};
use serde_json::Value;

use crate::cluster::Pod;
use crate::cluster::live::{line, patiently};
use crate::cluster::names::is_name;
use crate::probe::gate::Gate;

/// The most bytes of one event of a watch: a pod is at most 1.5 MiB (etcd's limit of a request).
const EVENT: usize = 4 << 20;

/// The pods of one namespace, or of all.
#[derive(Clone)]
pub struct Pods {
    client: Client,
    request: Request,
}

/// One page of a list.
pub struct Page {
    pub pods: Vec<Pod>,
    /// Where the list goes on.
    pub token: Option<String>,
}

// === impl Pods ===

impl Pods {
    /// The pods of a namespace; of all namespaces without one.
    #[must_use]
    pub fn new(client: &Client, namespace: Option<&str>) -> Self {
        let path = namespace.map_or_else(
            || "/api/v1/pods".to_owned(),
            |namespace| format!("/api/v1/namespaces/{namespace}/pods"),
        );
        Self {
            client: client.clone(),
            request: Request::new(path),
        }
    }

    /// One pod.
    ///
    /// # Errors
    /// The server's refusal, or what broke on the way; so for all that follow.
    pub async fn get(&self, name: &str) -> kube::Result<Pod> {
        let request = self.request.get(name, &GetParams::default());
        pod(self.ask(request).await?)
    }

    /// One page of the pods that the parameters select.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn list(&self, parameters: &ListParams) -> kube::Result<Page> {
        let mut list = self.ask(self.request.list(parameters)).await?;
        let token = list.pointer("/metadata/continue").and_then(Value::as_str);
        let token = token.filter(|token| !token.is_empty()).map(str::to_owned);
        let pods = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items.into_iter().map(pod).collect::<kube::Result<_>>()?,
            // Go prints an empty list as null.
            _ => Vec::new(),
        };
        Ok(Page { pods, token })
    }

    /// Creates a pod, and says what it is called.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn create(&self, gate: &Gate, object: Value) -> kube::Result<String> {
        let pods = self.clone();
        let creation = async move {
            let body = serde_json::to_vec(&object).map_err(kube::Error::SerdeError)?;
            let request = pods.request.create(&PostParams::default(), body);
            pods.ask(request).await
        };
        let made = gate.pass(creation).await.unwrap_or_else(given_up)?;
        let name = made.pointer("/metadata/name").and_then(Value::as_str);
        // It goes into the paths of what is asked next.
        let name = name.filter(|name| is_name(name)).ok_or_else(|| {
            kube::Error::Service("the API server gave the new pod no name it accepts".into())
        })?;
        Ok(name.to_owned())
    }

    /// Deletes a pod at once, if it is still the one that was seen.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, name: &str, uid: &str) -> kube::Result<()> {
        let seen = Preconditions {
            uid: Some(uid.to_owned()),
            ..Preconditions::default()
        };
        let parameters = DeleteParams::default().grace_period(0).preconditions(seen);
        self.ask(self.request.delete(name, &parameters)).await?;
        Ok(())
    }

    /// Adds what a strategic merge patch says to the pod's ephemeral containers, or only tries it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn patch_ephemeral(
        &self,
        gate: &Gate,
        name: &str,
        patch: &Value,
        dry_run: bool,
    ) -> kube::Result<()> {
        let parameters = PatchParams {
            dry_run,
            ..PatchParams::default()
        };
        let patch = Patch::Strategic(patch);
        let part = "ephemeralcontainers";
        let request = self
            .request
            .patch_subresource(part, name, &parameters, &patch);
        let pods = self.clone();
        let creation = async move { pods.ask(request).await };
        gate.pass(creation).await.unwrap_or_else(given_up)?;
        Ok(())
    }

    /// What happens to one pod, beginning with the pod as it is.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn watch(
        &self,
        name: &str,
    ) -> kube::Result<impl Stream<Item = kube::Result<WatchEvent<Value>>> + use<>> {
        let parameters = WatchParams::default()
            .fields(&format!("metadata.name={name}"))
            .timeout(60);
        // Version 0: the watch begins with the pod as it is now.
        let request = self.request.watch(&parameters, "0");
        let mut request = request.map_err(kube::Error::BuildRequest)?;
        // A server may compress every event by itself, which only the first of is read of.
        let plain = HeaderValue::from_static("identity");
        request.headers_mut().insert(ACCEPT_ENCODING, plain);
        let stream = Box::pin(self.client.request_stream(request).await?);
        Ok(try_unfold(stream, async |mut stream| {
            let event = line(&mut stream, EVENT)
                .await
                .map_err(kube::Error::ReadEvents)?;
            let event = event
                .map(|event| serde_json::from_slice(&event))
                .transpose();
            let event = event.map_err(kube::Error::SerdeError)?;
            Ok(event.map(|event| (event, stream)))
        }))
    }

    async fn ask(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> kube::Result<Value> {
        let request = request.map_err(kube::Error::BuildRequest)?;
        patiently(&self.client, &request).await
    }
}

/// The task that created something is gone.
fn given_up() -> kube::Result<Value> {
    Err(kube::Error::Service("it was given up".into()))
}

/// Reads a pod out of what the server sent.
///
/// # Errors
/// When it is none.
pub fn pod(object: Value) -> kube::Result<Pod> {
    serde_json::from_value(object).map_err(kube::Error::SerdeError)
}
