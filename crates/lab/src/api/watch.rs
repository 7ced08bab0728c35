//! Watching: every change from a revision on, one JSON line each, until the time is over.
//!
//! Source: k8s.io/apiserver, `pkg/endpoints/handlers/watch.go`; KEP-3157 (`sendInitialEvents`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::form::Form;
use super::read::Filter;
use super::refusal::Refusal;
use super::request::{Call, Target};
use super::respond::{self, Response};
use crate::store::{Change, Key, ResourceType, Store};

/// How often a watch that wants bookmarks gets one.
const BOOKMARK: Duration = Duration::from_secs(10);
/// How long a watch lasts that says nothing.
const DEFAULT: Duration = Duration::from_secs(1800);

type Line = io::Result<Bytes>;

/// A watch and what it needs to know.
struct Watch {
    store: Arc<Store>,
    kind: ResourceType,
    filter: Filter,
    form: Form,
    call: Call,
    until: Instant,
    out: mpsc::Sender<Line>,
}

/// Whoever watched is gone, or nothing more can be said.
struct Over;

/// Starts a watch.
pub fn start(
    store: &Arc<Store>,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
) -> Result<Response, Refusal> {
    let filter = Filter::of(call, target, kind)?;
    let seconds = call.query.number("timeoutSeconds").filter(|time| *time > 0);
    let time = seconds.map_or(DEFAULT, Duration::from_secs);
    let (out, pieces) = mpsc::channel(64);
    let watch = Watch {
        store: store.clone(),
        kind: kind.clone(),
        filter,
        form: Form::of(call)?,
        call: call.clone(),
        until: Instant::now() + time,
        out,
    };
    tokio::spawn(async move {
        let _ = watch.run().await;
    });
    Ok(respond::streamed("application/json", pieces))
}

// === impl Watch ===

impl Watch {
    async fn run(self) -> Result<(), Over> {
        let mut seen = self.begin().await?;
        let mut news = self.store.subscribe();
        let mut next_bookmark = Instant::now() + BOOKMARK;
        loop {
            news.mark_unchanged();
            seen = self.catch_up(seen).await?;
            let wake = next_bookmark.min(self.until);
            tokio::select! {
                changed = news.changed() => changed.map_err(|_| Over)?,
                () = self.out.closed() => return Err(Over),
                () = tokio::time::sleep_until(wake) => {
                    if self.call.query.is_set("allowWatchBookmarks") {
                        self.bookmark(seen, false).await?;
                    }
                    next_bookmark = Instant::now() + BOOKMARK;
                }
            }
            if Instant::now() >= self.until {
                return Ok(());
            }
        }
    }

    /// What comes before the changes: without a revision, everything there is.
    async fn begin(&self) -> Result<u64, Over> {
        let asked = self.call.query.get("resourceVersion").unwrap_or_default();
        let initial = self.call.query.is_set("sendInitialEvents");
        let from: u64 = asked.parse().unwrap_or(0);
        if from > 0 && !initial {
            return Ok(from);
        }
        let namespace = Some(self.filter.namespace.as_str()).filter(|name| !name.is_empty());
        let (revision, all) = self.store.with(|inner| {
            let list = inner.list(&self.kind.group, &self.kind.plural, namespace);
            let all: Vec<_> = list.map(|(key, one)| (key.clone(), one.clone())).collect();
            (inner.revision(), all)
        });
        for (key, object) in &all {
            if self.filter.matches(key, object) {
                self.object("ADDED", object).await?;
            }
        }
        if initial {
            self.bookmark(revision, true).await?;
        }
        Ok(revision)
    }

    /// Sends what changed since a revision.
    async fn catch_up(&self, seen: u64) -> Result<u64, Over> {
        let (now, oldest, changes) = self
            .store
            .with(|inner| (inner.revision(), inner.compacted(), inner.since(seen)));
        let Some(changes) = changes else {
            let message = format!("too old resource version: {seen} ({oldest})");
            let status = Refusal::expired(message).status();
            self.line("ERROR", &status).await?;
            return Err(Over);
        };
        for change in &changes {
            self.change(change).await?;
        }
        // A revision that is yet to come is waited for.
        Ok(seen.max(now))
    }

    /// A change as it shows through the filter.
    async fn change(&self, change: &Change) -> Result<(), Over> {
        let own = |key: &Key| key.group == self.kind.group && key.plural == self.kind.plural;
        if !own(&change.key) {
            return Ok(());
        }
        let fits = |object: &Option<Arc<Value>>| {
            object
                .as_ref()
                .is_some_and(|object| self.filter.matches(&change.key, object))
        };
        match (fits(&change.before), fits(&change.after), &change.after) {
            (false, true, Some(after)) => self.object("ADDED", after).await,
            (true, true, Some(after)) => self.object("MODIFIED", after).await,
            (true, false, _) => {
                let Some(before) = &change.before else {
                    return Ok(());
                };
                let mut last = (**before).clone();
                last["metadata"]["resourceVersion"] = change.revision.to_string().into();
                self.object("DELETED", &last).await
            }
            _ => Ok(()),
        }
    }

    async fn object(&self, what: &str, object: &Value) -> Result<(), Over> {
        let shown = self.form.one(&self.kind, object, &self.call);
        self.line(what, &shown).await
    }

    /// How far the watch is, without an object.
    async fn bookmark(&self, revision: u64, end_of_list: bool) -> Result<(), Over> {
        let mut object = json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(),
            "metadata": {"resourceVersion": revision.to_string()}});
        if self.kind.plural == "pods" {
            object["spec"] = json!({"containers": null});
            object["status"] = json!({});
        }
        if end_of_list {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let shown = self.form.one(&self.kind, &object, &self.call);
        self.line("BOOKMARK", &shown).await
    }

    async fn line(&self, what: &str, object: &Value) -> Result<(), Over> {
        let line = format!("{}\n", json!({"type": what, "object": object}));
        self.out.send(Ok(Bytes::from(line))).await.map_err(|_| Over)
    }
}
