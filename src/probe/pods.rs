//! The pods of the API server, as far as probing needs them.
//!
//! ```text
//!  bytes ─► Value ─► Pod        (as everywhere: serde's code for a type stands in the program once,
//!                                not once for each wire format)
//! ```

use futures::Stream;
use kube::Client;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams};
use kube::api::{Request, WatchEvent, WatchParams};
use serde_json::Value;

use crate::cluster::Pod;
use crate::cluster::live::patiently;

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
    pub async fn create(&self, object: &Value) -> kube::Result<String> {
        let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
        let request = self.request.create(&PostParams::default(), body);
        let made = self.ask(request).await?;
        let name = made.pointer("/metadata/name").and_then(Value::as_str);
        Ok(name.unwrap_or_default().to_owned())
    }

    /// Deletes a pod at once.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, name: &str) -> kube::Result<()> {
        let parameters = DeleteParams::default().grace_period(0);
        self.ask(self.request.delete(name, &parameters)).await?;
        Ok(())
    }

    /// Adds what a strategic merge patch says to the pod's ephemeral containers, or only tries it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn patch_ephemeral(
        &self,
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
        self.ask(request).await?;
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
        let request = request.map_err(kube::Error::BuildRequest)?;
        self.client.request_events(request).await
    }

    async fn ask(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> kube::Result<Value> {
        let request = request.map_err(kube::Error::BuildRequest)?;
        patiently(&self.client, &request).await
    }
}

/// Reads a pod out of what the server sent.
///
/// # Errors
/// When it is none.
pub fn pod(object: Value) -> kube::Result<Pod> {
    serde_json::from_value(object).map_err(kube::Error::SerdeError)
}
