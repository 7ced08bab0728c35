//! `log`: what a container wrote.

use std::io;

use bytes::Bytes;
use jiff::{Timestamp, ToSpan};
use tokio::sync::mpsc;

use super::pods::{self, Found};
use super::query::Query;
use super::refusal::Refusal;
use super::request::{Call, Target};
use super::respond::{self, Response};
use crate::runtime::{Log, LogEntry};
use crate::store::ResourceType;
use crate::world::World;

const TYPE: &str = "text/plain";

/// Answers `pods/NAME/log`.
pub fn answer(
    world: &World,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
) -> Result<Response, Refusal> {
    let found = pods::find(world, call, target, kind)?;
    let Some(log) = log_of(&found, call.query.is_set("previous"))? else {
        return Ok(respond::plain(200, TYPE, ""));
    };
    let stamped = call.query.is_set("timestamps");
    let following = call.query.is_set("follow");
    let mut entries = log.from(0);
    // The last line may still grow.
    if following
        && entries
            .last()
            .is_some_and(|last| !last.bytes.ends_with(b"\n"))
    {
        entries.pop();
    }
    let position = entries.len();
    let entries = wanted(entries, &call.query);
    let mut text: Vec<u8> = entries
        .iter()
        .flat_map(|entry| line(entry, stamped))
        .collect();
    if let Some(limit) = call.query.number("limitBytes") {
        text.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    if !following {
        return Ok(respond::plain(200, TYPE, text));
    }
    let (out, pieces) = mpsc::channel(64);
    tokio::spawn(async move {
        if out.send(Ok(text.into())).await.is_ok() {
            follow(log, position, stamped, out).await;
        }
    });
    Ok(respond::streamed(TYPE, pieces))
}

/// The log there is; a container that the lab serves itself never writes one.
fn log_of(found: &Found, previous: bool) -> Result<Option<Log>, Refusal> {
    let made = found.made.as_ref();
    let process = made.and_then(|made| {
        if previous {
            made.previous.lock().clone()
        } else {
            made.process.lock().clone()
        }
    });
    if let Some(process) = process {
        return Ok(Some(process.log));
    }
    let pod = found.object["metadata"]["name"]
        .as_str()
        .unwrap_or_default();
    let name = &found.container;
    if previous {
        return Err(Refusal::bad_request(format!(
            "previous terminated container \"{name}\" in pod \"{pod}\" not found"
        )));
    }
    let waiting = found
        .status()
        .and_then(|status| status["state"]["waiting"]["reason"].as_str());
    if let Some(reason) = waiting {
        return Err(Refusal::bad_request(format!(
            "container \"{name}\" in pod \"{pod}\" is waiting to start: {reason}"
        )));
    }
    if found.run.is_none() || (found.ephemeral && made.is_none()) {
        return Err(Refusal::bad_request(format!(
            "container \"{name}\" in pod \"{pod}\" is not available"
        )));
    }
    Ok(None)
}

/// The entries a query asks for.
fn wanted(mut entries: Vec<LogEntry>, query: &Query) -> Vec<LogEntry> {
    let seconds = query
        .number("sinceSeconds")
        .and_then(|seconds| i64::try_from(seconds).ok())
        .and_then(|seconds| Timestamp::now().checked_sub(seconds.seconds()).ok());
    let since = query.get("sinceTime").and_then(|time| time.parse().ok());
    if let Some(since) = seconds.or(since) {
        entries.retain(|entry| entry.time >= since);
    }
    if let Some(tail) = query.number("tailLines") {
        let tail = usize::try_from(tail).unwrap_or(usize::MAX);
        entries.drain(..entries.len().saturating_sub(tail));
    }
    entries
}

fn line(entry: &LogEntry, stamped: bool) -> Vec<u8> {
    let mut line = if stamped {
        format!("{:.9} ", entry.time).into_bytes()
    } else {
        Vec::new()
    };
    line.extend_from_slice(&entry.bytes);
    line
}

/// Sends what comes, line by line, until the container ends.
async fn follow(
    log: Log,
    mut position: usize,
    stamped: bool,
    out: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut grown = log.watch();
    loop {
        let (_, more) = *grown.borrow_and_update();
        let fresh = log.from(position);
        let whole = fresh
            .iter()
            .take_while(|entry| !more || entry.bytes.ends_with(b"\n"));
        let lines: Vec<Vec<u8>> = whole.map(|entry| line(entry, stamped)).collect();
        position += lines.len();
        for line in lines {
            if out.send(Ok(line.into())).await.is_err() {
                return;
            }
        }
        if !more {
            return;
        }
        tokio::select! {
            changed = grown.changed() => if changed.is_err() { return },
            () = out.closed() => return,
        }
    }
}
