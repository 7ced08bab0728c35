//! Rows for people, as `kubectl get` asks for them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::columns::{self, Column};
use super::form;
use crate::store::ResourceType;

/// A table of objects.
pub fn of(kind: &ResourceType, objects: &[&Value], meta: &Value, include: &str) -> Value {
    let columns = columns::of(kind);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|column| (column.cell)(object)).collect();
            let mut row = json!({"cells": cells});
            match include {
                "None" => {}
                "Object" => row["object"] = (*object).clone(),
                _ => row["object"] = form::metadata(object),
            }
            row
        })
        .collect();
    let definitions: Vec<Value> = columns.iter().map(definition).collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
        "columnDefinitions": definitions, "rows": rows})
}

fn definition(column: &Column) -> Value {
    let format = if column.name == "Name" { "name" } else { "" };
    json!({"name": column.name, "type": "string", "format": format, "description": "",
        "priority": i32::from(column.wide)})
}

/// How long ago, in kubectl's short form: `12s`, `5m3s`, `7h`, `12d`.
pub fn age(time: &Value) -> String {
    let since = time
        .as_str()
        .and_then(|time| time.parse::<Timestamp>().ok());
    let Some(since) = since else {
        return "<unknown>".to_owned();
    };
    let seconds = Timestamp::now().as_second() - since.as_second();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 != 0 => format!("{minutes}m{}s", seconds % 60),
        120..10_800 => format!("{minutes}m"),
        10_800..28_800 if minutes % 60 != 0 => format!("{hours}h{}m", minutes % 60),
        10_800..172_800 => format!("{hours}h"),
        _ => format!("{days}d"),
    }
}
