//! Changes of one file of a node or pod, as `overlay.yaml` writes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::world::merge;

/// One change. Each must have something to change: an edit that misses is a mistake in the overlay.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Edit {
    /// Every line that holds the text is gone.
    Drop(String),
    /// Every occurrence of a text is another.
    Replace { from: String, to: String },
    /// The first occurrence of a text is another.
    ReplaceFirst { from: String, to: String },
    /// A line in front of the first that begins so.
    Before { line: String, insert: String },
    /// Lines at the beginning.
    Prepend(String),
    /// Lines at the end.
    Append(String),
    /// An element at the end of a JSON list.
    Push(Value),
    /// Elements of a JSON list that have these fields are gone.
    Take(Value),
    /// A JSON object after a merge patch (RFC 7386).
    Merge(Value),
    /// What iptables would do to the dump, by its arguments: `-t nat -N CHAIN`, `-t filter -I FORWARD -j DROP`
    /// (in front of the chain's rules), `-t filter -A FORWARD -j DROP` (behind all).
    Iptables(String),
    /// Settings, as `sysctl -w` makes them.
    Sysctl(BTreeMap<String, Value>),
    /// The file as a whole.
    Text(String),
    /// The file is that of another path of the base.
    Copy(String),
    /// It was not gathered.
    Remove,
    /// It was cut off in the middle.
    Halve,
}

// === impl Edit ===

impl Edit {
    /// The file after the change; `base` are the files of the recording it stands on.
    pub fn apply(
        &self,
        text: Option<String>,
        base: &BTreeMap<String, String>,
    ) -> Result<Option<String>, String> {
        match self {
            Self::Text(text) => return Ok(Some(text.clone())),
            Self::Copy(path) => {
                let text = base
                    .get(path)
                    .ok_or_else(|| format!("{path} is not there"))?;
                return Ok(Some(text.clone()));
            }
            Self::Prepend(lines) => {
                return Ok(Some(format!("{lines}\n{}", text.unwrap_or_default())));
            }
            Self::Append(lines) => {
                return Ok(Some(format!("{}\n{lines}\n", text.unwrap_or_default())));
            }
            _ => {}
        }
        let text = text.ok_or("the base has no such file")?;
        match self {
            Self::Remove => Ok(None),
            Self::Halve => Ok(Some(text[..text.len() / 2].to_owned())),
            other => other.change(&text).map(Some),
        }
    }

    /// Changes that need a text to change.
    fn change(&self, text: &str) -> Result<String, String> {
        let holds = |part: &str| {
            let found = text.contains(part).then_some(());
            found.ok_or_else(|| format!("{part:?} is not in it"))
        };
        match self {
            Self::Drop(part) => {
                holds(part)?;
                let kept = text.lines().filter(|line| !line.contains(part));
                Ok(kept.collect::<Vec<_>>().join("\n"))
            }
            Self::Replace { from, to } => holds(from).map(|()| text.replace(from, to)),
            Self::ReplaceFirst { from, to } => holds(from).map(|()| text.replacen(from, to, 1)),
            Self::Before { line, insert } => {
                let first = format!("\n{line}");
                holds(&first)?;
                Ok(text.replacen(&first, &format!("\n{insert}{first}"), 1))
            }
            Self::Push(element) => {
                let end = text.rfind(']').ok_or("it is no JSON list")?;
                let comma = if text[..end].trim_end().ends_with('[') {
                    ""
                } else {
                    ","
                };
                Ok(format!("{}{comma}{element}{}", &text[..end], &text[end..]))
            }
            Self::Take(fields) => take(text, fields),
            Self::Merge(patch) => {
                let mut value = json(text)?;
                merge(&mut value, patch);
                Ok(value.to_string())
            }
            Self::Iptables(arguments) => iptables(text, arguments),
            Self::Sysctl(settings) => Ok(sysctl(text, settings)),
            _ => Ok(text.to_owned()),
        }
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A JSON list without the elements that have some fields.
fn take(text: &str, fields: &Value) -> Result<String, String> {
    let mut list = json(text)?;
    let elements = list.as_array_mut().ok_or("it is no JSON list")?;
    let before = elements.len();
    let fields = fields.as_object().ok_or("fields are missing")?;
    elements.retain(|one| !fields.iter().all(|(name, value)| one[name] == *value));
    if elements.len() == before {
        return Err(format!("no element has {fields:?}"));
    }
    Ok(list.to_string())
}

/// A dump after `iptables ARGUMENTS`.
fn iptables(dump: &str, arguments: &str) -> Result<String, String> {
    let words: Vec<&str> = arguments.splitn(5, ' ').collect();
    let ["-t", table, act, chain, rest @ ..] = &words[..] else {
        return Err(format!("{arguments:?}: -t TABLE -I|-A|-N CHAIN …"));
    };
    let rule = rest.first().copied().unwrap_or_default();
    let head = format!("*{table}\n");
    let start = dump
        .find(&head)
        .ok_or_else(|| format!("no table {table}"))?
        + head.len();
    let length = dump[start..].find("COMMIT").ok_or("the table has no end")?;
    let end = start + length;
    let (at, line) = match *act {
        "-N" => (start, format!(":{chain} - [0:0]\n")),
        "-A" => (end, format!("[1:60] -A {chain} {rule}\n")),
        "-I" => {
            let first = dump[start..end].find(&format!("-A {chain} "));
            let at = first.map_or(end, |at| line_start(dump, start + at));
            (at, format!("[1:60] -A {chain} {rule}\n"))
        }
        other => return Err(format!("{other} is not understood")),
    };
    Ok(format!("{}{line}{}", &dump[..at], &dump[at..]))
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The output of `sysctl -a` after settings were changed.
fn sysctl(text: &str, settings: &BTreeMap<String, Value>) -> String {
    let is_set = |line: &str| {
        let name = line.split(' ').next().unwrap_or_default();
        settings.contains_key(name)
    };
    let kept = text.lines().filter(|line| !is_set(line)).map(str::to_owned);
    let set = settings.iter().map(|(name, value)| match value {
        Value::String(value) => format!("{name} = {value}"),
        value => format!("{name} = {value}"),
    });
    kept.chain(set).collect::<Vec<_>>().join("\n")
}
