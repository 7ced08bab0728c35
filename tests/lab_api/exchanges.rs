//! Requests that were recorded with a real API server and kubelet, sent again to the lab's.

use std::path::Path;

use anyhow::Result;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::client::{Answer, Client, Frames};
use super::compare::compare;
use crate::support;
use netpath_lab::{Lab, Options};

/// In the order in which they find what they need.
const TOPICS: [&str; 11] = [
    "version-and-discovery",
    "list-paging",
    "refusals",
    "access-reviews",
    "watch-expired",
    "node-proxy",
    "ephemeral-admission",
    "ephemeral-life",
    "ephemeral-image-failure",
    "exec-and-attach",
    "node-debug-pod",
];

#[test]
fn answers_as_a_real_api_server() {
    let folder = support::project().join("../shared/exchanges");
    if !folder.exists() {
        eprintln!("SKIPPED: {} is not there", folder.display());
        return;
    }
    let options = Options {
        scenario: Some(support::project().join("crates/lab/scenarios/exchanges")),
        ..Options::default()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        return;
    };
    let replay = replay(&lab, &folder);
    let wrong = super::runtime().block_on(replay).expect("a replay");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Sends everything; what differs, in words.
async fn replay(lab: &Lab, folder: &Path) -> Result<Vec<String>> {
    let mut session = Session {
        admin: Client::of(lab, true)?,
        anonymous: Client::of(lab, false)?,
        token: String::new(),
        revision: String::new(),
    };
    let mut wrong = Vec::new();
    for topic in TOPICS {
        if topic == "exec-and-attach" {
            session.start_what_is_attached_to().await?;
        }
        let text = std::fs::read_to_string(folder.join(format!("{topic}.json")))?;
        let recorded: Value = serde_json::from_str(&text)?;
        for (at, exchange) in recorded["exchanges"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let name = format!(
                "{topic} {at} {} {}",
                exchange["request"]["method"], exchange["request"]["path"]
            );
            let found = session.exchange(exchange).await;
            let found = found.unwrap_or_else(|error| vec![format!("{error:#}")]);
            wrong.extend(
                found
                    .iter()
                    .map(|difference| format!("{name}\n    {difference}")),
            );
        }
    }
    Ok(wrong)
}

/// What requests need of earlier answers.
struct Session {
    admin: Client,
    anonymous: Client,
    /// The last continue token.
    token: String,
    /// The revision before the last change, or of what it made.
    revision: String,
}

// === impl Session ===

impl Session {
    /// The container that the recording attaches to.
    async fn start_what_is_attached_to(&self) -> Result<()> {
        let path = "/api/v1/namespaces/shop/pods/client-1/ephemeralcontainers";
        let headers = [("content-type", "application/strategic-merge-patch+json")];
        let body = json!({"spec": {"ephemeralContainers": [{"name": "np-io", "image": "docker.io/library/busybox:1.36",
            "command": ["sh"], "stdin": true}]}});
        let answer = self
            .admin
            .send("PATCH", path, &owned(&headers), &body)
            .await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.json()?);
        let watch = "/api/v1/namespaces/shop/pods?watch=1&fieldSelector=metadata.name%3Dclient-1&timeoutSeconds=1";
        self.admin.get(watch).await?;
        Ok(())
    }

    async fn exchange(&mut self, exchange: &Value) -> Result<Vec<String>> {
        let request = &exchange["request"];
        let path = self.path(request["path"].as_str().unwrap_or_default());
        let method = request["method"].as_str().unwrap_or_default();
        if method.contains("websocket") {
            let says = frames(exchange, "client");
            let protocol = request["subprotocols"][0].as_str().unwrap_or_default();
            let ours = self.admin.talk(&path, protocol, &says).await?;
            return Ok(compare_frames(exchange, &ours));
        }
        if method != "GET" {
            let now = self.admin.get("/api/v1/namespaces").await?.json()?;
            self.revision = text(&now["metadata"]["resourceVersion"]);
        }
        let headers: Vec<(String, String)> = request["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let has = |wanted: &str| headers.iter().any(|(name, _)| name == wanted);
        // Refused as `system:anonymous`: the recording was made without a certificate.
        let refused = exchange["response"]["body"]["message"].as_str();
        let nobody = refused.is_some_and(|message| message.contains("system:anonymous"));
        let client = if nobody || has("Authorization") {
            &self.anonymous
        } else {
            &self.admin
        };
        let answer = client
            .send(method, &path, &headers, &request["body"])
            .await?;
        let body = answer.json().unwrap_or_default();
        if let Some(token) = body["metadata"]["continue"].as_str() {
            token.clone_into(&mut self.token);
        }
        if answer.status == 201
            && let Some(revision) = body["metadata"]["resourceVersion"].as_str()
        {
            revision.clone_into(&mut self.revision);
        }
        compare_answer(&exchange["response"], &answer)
    }

    /// A recorded path with our tokens and revisions in the place of those of then.
    fn path(&self, recorded: &str) -> String {
        let mut path = recorded.to_owned();
        for (name, own) in [
            ("continue=", &self.token),
            ("resourceVersion=", &self.revision),
        ] {
            let Some((before, rest)) = path.split_once(name) else {
                continue;
            };
            let (value, after) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
            // What was meant to be wrong stays wrong: no token, long gone, yet to come.
            let value = match value {
                "bogus" | "1" | "999999999" => value,
                "1337" => "1",
                _ => own,
            };
            path = format!("{before}{name}{value}{after}");
        }
        // Everything happens in the first half of what the recording waited.
        path.replace("timeoutSeconds=8", "timeoutSeconds=4")
            .replace("timeoutSeconds=9", "timeoutSeconds=6")
    }
}

fn compare_answer(recorded: &Value, ours: &Answer) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    if recorded["status"] != ours.status {
        differences.push(format!(
            "status {} where {} was recorded",
            ours.status, recorded["status"]
        ));
    }
    for name in ["Content-Type", "Cache-Control"] {
        let wanted = recorded["headers"][name].as_str();
        if wanted != ours.header(name) {
            differences.push(format!(
                "{name}: {:?} where {wanted:?} was recorded",
                ours.header(name)
            ));
        }
    }
    if ours.header("Audit-Id").is_none() {
        differences.push("no Audit-Id".to_owned());
    }
    match &recorded["body"] {
        Value::Array(lines) => differences.extend(compare_watch(lines, ours)?),
        Value::String(wanted) => differences.extend(compare_text(wanted, ours)),
        body => differences.extend(compare(body, &ours.json()?)),
    }
    Ok(differences)
}

/// The same lines in any order (two streams race), times aside.
fn compare_text(recorded: &str, ours: &Answer) -> Option<String> {
    let lines = |text: &str| {
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| match line.split_once("Z ") {
                Some((time, rest)) => format!("{} {rest}", time.len()),
                None => line.to_owned(),
            })
            .collect();
        lines.sort();
        lines
    };
    let own = String::from_utf8_lossy(&ours.body);
    // How far the container was by then is a matter of time.
    let (recorded, own) = (lines(recorded), lines(&own));
    let shorter = recorded.iter().all(|line| own.contains(line));
    (!shorter).then(|| format!("text {own:?} where {recorded:?} was recorded"))
}

/// The same story: which kinds of event, and what they say of the pod and its containers.
fn compare_watch(recorded: &[Value], ours: &Answer) -> Result<Vec<String>> {
    let recorded: Vec<Value> = recorded
        .iter()
        .map(|line| serde_json::from_str(line.as_str().unwrap_or_default()))
        .collect::<Result<_, _>>()?;
    let own: Vec<Value> = String::from_utf8_lossy(&ours.body)
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let (wanted, told) = (story(&recorded), story(&own));
    let mut differences = Vec::new();
    if wanted != told {
        differences.push(format!("story {told:#?} where {wanted:#?} was recorded"));
    }
    for kind in ["ERROR", "BOOKMARK", "MODIFIED"] {
        let last = |events: &[Value]| {
            events
                .iter()
                .rfind(|event| event["type"] == kind)
                .map(|event| event["object"].clone())
        };
        if let (Some(wanted), Some(told)) = (last(&recorded), last(&own)) {
            differences.extend(compare(&wanted, &told));
        }
    }
    Ok(differences)
}

fn story(events: &[Value]) -> Vec<String> {
    let mut told: Vec<String> = events.iter().map(chapter).collect();
    told.dedup();
    told
}

fn chapter(event: &Value) -> String {
    let status = &event["object"]["status"];
    let states = ["containerStatuses", "ephemeralContainerStatuses"].map(|list| {
        let all = status[list].as_array().into_iter().flatten();
        let states: Vec<String> = all
            .map(|one| {
                let state = one["state"]
                    .as_object()
                    .and_then(|state| state.iter().next());
                state.map_or_else(String::new, |(kind, what)| {
                    format!("{kind} {} {}", what["reason"], what["exitCode"])
                })
            })
            .collect();
        states.join(", ")
    });
    format!(
        "{} {} {} [{}]",
        event["type"],
        status["phase"],
        status["reason"],
        states.join("; ")
    )
}

fn compare_frames(exchange: &Value, ours: &Frames) -> Vec<String> {
    let mut recorded = frames(exchange, "server");
    let closing = recorded.pop().unwrap_or_default();
    let mut differences = Vec::new();
    let spoken = exchange["response"]["subprotocol"]
        .as_str()
        .unwrap_or_default();
    if ours.protocol != spoken {
        differences.push(format!(
            "protocol {} where {spoken} was recorded",
            ours.protocol
        ));
    }
    let code = closing
        .first_chunk()
        .map(|bytes| u16::from_be_bytes(*bytes));
    if ours.closed != code {
        differences.push(format!(
            "closed with {:?} where {code:?} was recorded",
            ours.closed
        ));
    }
    for channel in 1..=3 {
        let (wanted, told) = (
            on_channel(&recorded, channel),
            on_channel(&ours.messages, channel),
        );
        let same = normal(wanted.as_deref()) == normal(told.as_deref());
        let (wanted, told) = (wanted.unwrap_or_default(), told.unwrap_or_default());
        if !same && !is_start_of(&wanted, &told) {
            differences.push(format!(
                "channel {channel}: {told:?} where {wanted:?} was recorded"
            ));
        }
    }
    differences
}

/// What was said on a channel, in one piece; `None` where nothing was ever said.
fn on_channel(messages: &[Vec<u8>], channel: u8) -> Option<String> {
    let said: Vec<&[u8]> = messages
        .iter()
        .filter_map(|message| message.split_first().filter(|(own, _)| **own == channel))
        .map(|(_, bytes)| bytes)
        .collect();
    (!said.is_empty()).then(|| String::from_utf8_lossy(&said.concat()).into_owned())
}

/// Without a container's identity, and without the order of a status' fields.
fn normal(said: Option<&str>) -> Option<Value> {
    let said = said?;
    let Ok(mut status) = serde_json::from_str::<Value>(said) else {
        return Some(said.into());
    };
    for pointer in ["/message", "/details/causes/0/message"] {
        if let Some(Value::String(text)) = status.pointer_mut(pointer) {
            *text = anonymous(text);
        }
    }
    Some(status)
}

/// A long message was recorded in part: it must hold what ours says.
fn is_start_of(recorded: &str, ours: &str) -> bool {
    let status: Value = serde_json::from_str(ours).unwrap_or_default();
    let said = status["message"].to_string();
    status["message"].is_string()
        && anonymous(recorded).contains(&anonymous(said.trim_matches('"')))
}

/// Without the identity of a container.
fn anonymous(text: &str) -> String {
    match text.split_once("failed to start exec") {
        Some((before, rest)) => {
            let after = rest.split_once(": OCI").map_or(rest, |(_, after)| after);
            format!("{before}{after}")
        }
        None => text.to_owned(),
    }
}

fn frames(exchange: &Value, side: &str) -> Vec<Vec<u8>> {
    exchange["frames"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|frame| frame["dir"] == side)
        .filter_map(|frame| HEXLOWER.decode(frame["hex"].as_str()?.as_bytes()).ok())
        .collect()
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
