//! Pod status, as kubelet of v1.36 writes it.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::store::now;

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Waiting {
        reason: String,
        message: String,
    },
    Running {
        since: String,
    },
    Terminated {
        code: i32,
        reason: String,
        since: String,
        until: String,
    },
}

/// What kubelet knows of one container.
#[derive(Debug, Clone)]
pub struct Seen {
    pub name: String,
    pub image: String,
    pub state: State,
    pub last: Option<State>,
    pub restarts: u32,
    pub ready: bool,
    pub user: Option<(u32, u32)>,
}

// === impl State ===

impl State {
    pub fn creating() -> Self {
        Self::Waiting {
            reason: "ContainerCreating".to_owned(),
            message: String::new(),
        }
    }

    fn value(&self, id: &str) -> Value {
        match self {
            Self::Waiting { reason, message } if message.is_empty() => {
                json!({"waiting": {"reason": reason}})
            }
            Self::Waiting { reason, message } => {
                json!({"waiting": {"reason": reason, "message": message}})
            }
            Self::Running { since } => json!({"running": {"startedAt": since}}),
            Self::Terminated {
                code,
                reason,
                since,
                until,
            } => json!({"terminated": {
                "exitCode": code, "reason": reason, "startedAt": since, "finishedAt": until, "containerID": id}}),
        }
    }

    pub const fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}

// === impl Seen ===

impl Seen {
    /// An entry of `containerStatuses`; of `ephemeralContainerStatuses` it lacks a field.
    pub fn value(&self, ephemeral: bool) -> Value {
        let created = !matches!(self.state, State::Waiting { .. });
        let id = if created {
            identity("containerd://", &self.name, &self.state)
        } else {
            String::new()
        };
        let mut status = json!({
            "name": self.name,
            "state": self.state.value(&id),
            "lastState": self.last.as_ref().map_or_else(|| json!({}), |last| last.value(&id)),
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.image,
            "imageID": if created { identity("sha256:", &self.image, &State::creating()) } else { String::new() },
        });
        if created {
            status["containerID"] = id.into();
            status["resources"] = json!({});
        }
        if !ephemeral {
            status["started"] = self.state.is_running().into();
        }
        if let Some((uid, gid)) = self.user.filter(|_| created) {
            status["user"] =
                json!({"linux": {"uid": uid, "gid": gid, "supplementalGroups": [gid]}});
        }
        status
    }
}

/// The status of a pod that has just been given to a node.
pub fn first(pod: &Value, host: &[IpAddr], addresses: &[IpAddr]) -> Map<String, Value> {
    let mut status = Map::new();
    if let Value::Object(old) = &pod["status"] {
        status.extend(old.clone());
    }
    status.insert("phase".to_owned(), "Pending".into());
    let time = now();
    let list = |addresses: &[IpAddr]| -> Value {
        addresses
            .iter()
            .map(|one| json!({"ip": one.to_string()}))
            .collect()
    };
    if let Some(primary) = host.first() {
        status.insert("hostIP".to_owned(), primary.to_string().into());
        status.insert("hostIPs".to_owned(), list(host));
    }
    if let Some(primary) = addresses.first() {
        status.insert("podIP".to_owned(), primary.to_string().into());
        status.insert("podIPs".to_owned(), list(addresses));
    }
    status.entry("startTime").or_insert_with(|| time.into());
    status
        .entry("qosClass")
        .or_insert_with(|| "BestEffort".into());
    status
}

/// Writes the containers' states and what follows from them: conditions and phase.
pub fn apply(pod: &mut Value, containers: &[Seen], over: bool) {
    let generation = pod["metadata"]["generation"].clone();
    let gates: Vec<String> = pod["spec"]["readinessGates"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|gate| gate["conditionType"].as_str().map(str::to_owned))
        .collect();
    let status = &mut pod["status"];
    status["observedGeneration"] = generation.clone();
    status["containerStatuses"] = containers.iter().map(|one| one.value(false)).collect();
    let unready: Vec<&str> = containers
        .iter()
        .filter(|one| !one.ready)
        .map(|one| one.name.as_str())
        .collect();
    let running = containers.iter().any(|one| one.state.is_running());
    let ended = |one: &Seen| match one.state {
        State::Terminated { code, .. } => Some(code),
        _ => None,
    };
    let codes: Vec<Option<i32>> = containers.iter().map(ended).collect();
    let phase = match codes.iter().copied().collect::<Option<Vec<i32>>>() {
        Some(codes) if over && codes.iter().all(|code| *code == 0) => "Succeeded",
        Some(_) if over => "Failed",
        _ if running || containers.iter().any(|one| one.restarts > 0) => "Running",
        _ => "Pending",
    };
    status["phase"] = phase.into();
    let gate_open = |name: &String| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions
            .into_iter()
            .any(|one| one["type"] == name.as_str() && one["status"] == "True")
    };
    let closed: Vec<&String> = gates.iter().filter(|gate| !gate_open(gate)).collect();
    let why = match phase {
        "Succeeded" => Some(("PodCompleted", String::new())),
        "Failed" => Some(("PodFailed", String::new())),
        _ if !unready.is_empty() => Some((
            "ContainersNotReady",
            format!("containers with unready status: [{}]", unready.join(" ")),
        )),
        _ => None,
    };
    let gated = (!closed.is_empty() && why.is_none()).then(|| {
        let missing: Vec<String> = closed
            .iter()
            .map(|gate| {
                format!("the status of pod readiness gate \"{gate}\" is not \"True\", but False")
            })
            .collect();
        ("ReadinessGatesNotReady", missing.join(", "))
    });
    condition(
        status,
        &generation,
        "PodReadyToStartContainers",
        !over,
        None,
    );
    condition(status, &generation, "Initialized", true, None);
    condition(
        status,
        &generation,
        "Ready",
        why.is_none() && gated.is_none(),
        gated.or_else(|| why.clone()),
    );
    condition(status, &generation, "ContainersReady", why.is_none(), why);
    condition(status, &generation, "PodScheduled", true, None);
}

/// Sets a condition; its time changes with its status alone.
pub fn condition(
    status: &mut Value,
    generation: &Value,
    kind: &str,
    holds: bool,
    why: Option<(&str, String)>,
) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else {
        return;
    };
    let word = if holds { "True" } else { "False" };
    let old = conditions.iter().position(|one| one["type"] == kind);
    let since = old
        .filter(|at| conditions[*at]["status"] == word)
        .map_or_else(
            || now().into(),
            |at| conditions[at]["lastTransitionTime"].clone(),
        );
    let mut entry = json!({"type": kind, "observedGeneration": generation, "status": word,
        "lastProbeTime": null, "lastTransitionTime": since});
    if let Some((reason, message)) = why {
        entry["reason"] = reason.into();
        if !message.is_empty() {
            entry["message"] = message.into();
        }
    }
    match old {
        Some(at) => conditions[at] = entry,
        None => conditions.push(entry),
    }
}

/// A stable hexadecimal name, as long as a SHA-256.
fn identity(prefix: &str, name: &str, state: &State) -> String {
    use sha2::{Digest, Sha256};
    let since = match state {
        State::Running { since } | State::Terminated { since, .. } => since.as_str(),
        State::Waiting { .. } => "",
    };
    format!(
        "{prefix}{}",
        data_encoding::HEXLOWER.encode(&Sha256::digest(format!("{name} {since}")))
    )
}
