//! Commands that a finding offers do what they say: pasted into the world, they make it go away.

use netpath::report::ReportFinding;
use serde_json::Value;

use super::api::scenarios;
use super::report;
use super::slices::{assign, follow};
use super::world::{Key, World, merge};

/// Something a command changes.
#[derive(Debug)]
enum Change {
    Merge(Key, Value),
    Json(Key, Value),
    Delete(Key),
    Apply(Value),
}

/// The object of `echo '…' | kubectl apply -f -`.
fn applied(command: &str) -> Option<&str> {
    let rest = command.strip_prefix("echo '")?;
    rest.strip_suffix("' | kubectl apply -f -")
}

#[test]
fn every_patch_repairs_what_it_is_offered_for() {
    let (mut complaints, mut tried) = (Vec::new(), 0);
    for scenario in scenarios() {
        let world = World::base().with(&scenario.overlay);
        let Ok(answer) = scenario.expected.ask(&world.view()) else {
            continue;
        };
        for finding in &answer.findings {
            for command in &finding.fix.commands {
                let change = match read(command, &world) {
                    Ok(Some(change)) => change,
                    Ok(None) => continue,
                    Err(problem) => {
                        complaints.push(format!("{}: {problem}: {command}", scenario.name));
                        continue;
                    }
                };
                tried += 1;
                let mut repaired = world.clone();
                if let Err(problem) = apply(&mut repaired, change) {
                    complaints.push(format!("{}: {problem}: {command}", scenario.name));
                    continue;
                }
                assign(&mut repaired);
                follow(&mut repaired);
                let after = scenario.expected.ask(&repaired.view()).expect("an answer");
                if after.findings.iter().any(|other| is_same(other, finding)) {
                    complaints.push(format!(
                        "{}: {} is still there after {command}",
                        scenario.name, finding.code
                    ));
                }
            }
        }
    }
    println!("{tried} commands tried");
    report(&complaints, tried);
}

/// Every command is one that a shell and kubectl take: known verb, closed quotes.
#[test]
fn every_command_can_be_pasted() {
    const VERBS: [&str; 12] = [
        "patch",
        "get",
        "describe",
        "logs",
        "edit",
        "label",
        "delete",
        "scale",
        "port-forward",
        "rollout",
        "explain",
        "apply",
    ];
    let (mut complaints, mut seen) = (Vec::new(), 0);
    for scenario in scenarios() {
        let view = World::base().with(&scenario.overlay).view();
        let Ok(answer) = scenario.expected.ask(&view) else {
            continue;
        };
        for command in answer
            .findings
            .iter()
            .flat_map(|finding| &finding.fix.commands)
        {
            seen += 1;
            let words = words(command);
            let is_fine = words.as_ref().is_ok_and(|words| {
                let skip = if words.get(1).is_some_and(|word| word == "-n") {
                    3
                } else {
                    1
                };
                words.first().is_some_and(|word| word == "kubectl")
                    && words
                        .get(skip)
                        .is_some_and(|verb| VERBS.contains(&verb.as_str()))
            });
            if !is_fine && applied(command).is_none() {
                complaints.push(format!("{}: {command}", scenario.name));
            }
        }
    }
    report(&complaints, seen);
}

fn is_same(one: &ReportFinding, other: &ReportFinding) -> bool {
    one.code == other.code && one.object == other.object
}

/// Reads `kubectl -n NS patch KIND NAME --type=… -p '…'`, `label` and `delete`; nothing for commands
/// that only look, or open an editor.
fn read(command: &str, world: &World) -> Result<Option<Change>, String> {
    if let Some(object) = applied(command) {
        let object = serde_json::from_str(object).map_err(|error| error.to_string())?;
        return Ok(Some(Change::Apply(object)));
    }
    let mut words = words(command)?.into_iter().skip(1).peekable();
    let namespace = if words.next_if_eq("-n").is_some() {
        words.next().ok_or("no namespace")?
    } else {
        String::new()
    };
    let verb = words.next().unwrap_or_default();
    if !["patch", "label", "delete"].contains(&verb.as_str()) {
        return Ok(None);
    }
    let kind = words.next().ok_or("no kind")?;
    let name = words.next().ok_or("no name")?;
    if name == "--all" {
        return Ok(None);
    }
    let key = world
        .keys()
        .find(|(own, of, named)| {
            // Calico's kinds are named with their resource and group.
            let plural = kind.split_once('.').map(|(plural, _)| plural);
            let is_kind = own.eq_ignore_ascii_case(&kind)
                || plural.is_some_and(|plural| plural == plural_of(own));
            is_kind && *of == namespace && *named == name
        })
        .cloned()
        .ok_or("no such object")?;
    let rest: Vec<String> = words.collect();
    match verb.as_str() {
        "delete" => Ok(Some(Change::Delete(key))),
        "label" => {
            let (label, value) = rest
                .first()
                .and_then(|word| word.split_once('='))
                .ok_or("no label")?;
            let patch = serde_json::json!({"metadata": {"labels": {label: value}}});
            Ok(Some(Change::Merge(key, patch)))
        }
        _ => {
            let at = rest.iter().position(|word| word == "-p").ok_or("no -p")?;
            let text = rest.get(at + 1).ok_or("no patch")?;
            let patch = serde_json::from_str(text).map_err(|error| error.to_string())?;
            match rest.iter().find_map(|word| word.strip_prefix("--type=")) {
                Some("merge") => Ok(Some(Change::Merge(key, patch))),
                Some("json") => Ok(Some(Change::Json(key, patch))),
                other => Err(format!("--type is {other:?}")),
            }
        }
    }
}

fn plural_of(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    }
}

/// The words of a command line, as a POSIX shell splits it.
fn words(command: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                quoted = !quoted;
                any = true;
            }
            '\\' if !quoted => word.extend(characters.next()),
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            '|' | ';' | '&' | '<' | '>' | '$' | '`' | '(' | '*' if !quoted => {
                return Err(format!("{character:?} means something to the shell"));
            }
            other => word.push(other),
        }
    }
    if quoted {
        return Err("a quote is open".to_owned());
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

fn apply(world: &mut World, change: Change) -> Result<(), String> {
    match change {
        Change::Apply(object) => {
            world.insert(object);
            Ok(())
        }
        Change::Delete(key) => world
            .remove(&key)
            .map(drop)
            .ok_or_else(|| "not there".to_owned()),
        Change::Merge(key, patch) => {
            merge(world.object(&key).ok_or("not there")?, &patch);
            Ok(())
        }
        Change::Json(key, patch) => {
            let object = world.object(&key).ok_or("not there")?;
            let steps = patch.as_array().ok_or("a JSON patch is a list")?;
            steps.iter().try_for_each(|step| json_patch(object, step))
        }
    }
}

/// One step of a JSON patch (RFC 6902): add, replace or remove.
fn json_patch(object: &mut Value, step: &Value) -> Result<(), String> {
    let path = step["path"].as_str().ok_or("no path")?;
    let (parent, last) = path.rsplit_once('/').ok_or("a path starts with /")?;
    let last = last.replace("~1", "/").replace("~0", "~");
    let missing = || format!("{path} is not there");
    let parent = object.pointer_mut(parent).ok_or_else(missing)?;
    let value = step["value"].clone();
    match (step["op"].as_str().unwrap_or_default(), parent) {
        ("add", Value::Array(items)) if last == "-" => items.push(value),
        ("add", Value::Array(items)) => {
            let at: usize = last.parse().map_err(|_| missing())?;
            items.insert(at.min(items.len()), value);
        }
        ("add", Value::Object(fields)) => drop(fields.insert(last, value)),
        ("replace", Value::Object(fields)) => {
            *fields.get_mut(&last).ok_or_else(missing)? = value;
        }
        ("replace", Value::Array(items)) => {
            let at: usize = last.parse().map_err(|_| missing())?;
            *items.get_mut(at).ok_or_else(missing)? = value;
        }
        ("remove", Value::Object(fields)) => drop(fields.remove(&last).ok_or_else(missing)?),
        ("remove", Value::Array(items)) => {
            let at: usize = last.parse().map_err(|_| missing())?;
            if at >= items.len() {
                return Err(missing());
            }
            items.remove(at);
        }
        (op, _) => return Err(format!("cannot {op} {path}")),
    }
    Ok(())
}
