//! JSON patch (RFC 6902).

use serde_json::Value;

use crate::api::refusal::Refusal;

/// Applies every operation in order, or none.
pub fn apply(object: &Value, patch: &Value) -> Result<Value, Refusal> {
    let operations = patch
        .as_array()
        .ok_or_else(|| Refusal::bad_request("a JSON patch is a list of operations"))?;
    let mut patched = object.clone();
    for operation in operations {
        step(&mut patched, operation)?;
    }
    Ok(patched)
}

fn step(object: &mut Value, operation: &Value) -> Result<(), Refusal> {
    let text = |field: &str| operation[field].as_str().unwrap_or_default();
    let (path, from) = (text("path"), text("from"));
    let value = || operation["value"].clone();
    match text("op") {
        "add" => add(object, path, value()),
        "remove" => remove(object, path).map(drop),
        "replace" => {
            remove(object, path)?;
            add(object, path, value())
        }
        "move" => {
            let moved = remove(object, from)?;
            add(object, path, moved)
        }
        "copy" => {
            let copied = object.pointer(from).cloned().ok_or_else(|| missing(from))?;
            add(object, path, copied)
        }
        "test" if object.pointer(path).unwrap_or(&Value::Null) == &operation["value"] => Ok(()),
        "test" => Err(cannot(&format!("testing path {path} failed"))),
        other => Err(Refusal::bad_request(format!("unexpected kind: {other}"))),
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), Refusal> {
    let Some((parent, last)) = path.rsplit_once('/') else {
        *object = value;
        return Ok(());
    };
    let name = unescape(last);
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.insert(name, value);
        }
        Some(Value::Array(list)) if name == "-" => list.push(value),
        Some(Value::Array(list)) => {
            let at = name.parse().ok().filter(|at| *at <= list.len());
            list.insert(at.ok_or_else(|| missing(path))?, value);
        }
        _ => return Err(missing(path)),
    }
    Ok(())
}

fn remove(object: &mut Value, path: &str) -> Result<Value, Refusal> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(|| missing(path))?;
    let name = unescape(last);
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&name).ok_or_else(|| missing(path)),
        Some(Value::Array(list)) => {
            let at: usize = name.parse().map_err(|_| missing(path))?;
            if at < list.len() {
                Ok(list.remove(at))
            } else {
                Err(missing(path))
            }
        }
        _ => Err(missing(path)),
    }
}

fn missing(path: &str) -> Refusal {
    cannot(&format!("missing value: {path}"))
}

fn cannot(why: &str) -> Refusal {
    let message = format!("the server rejected our request due to an error in our request: {why}");
    Refusal::new(422, "Invalid", message)
}

fn unescape(word: &str) -> String {
    word.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn does_what_rfc_6902_says() {
        let object = json!({"a": {"b/c": 1}, "list": [1, 2]});
        let patched = apply(
            &object,
            &json!([
                {"op": "test", "path": "/a/b~1c", "value": 1},
                {"op": "add", "path": "/list/1", "value": 9},
                {"op": "add", "path": "/list/-", "value": 3},
                {"op": "replace", "path": "/a/b~1c", "value": 2},
                {"op": "move", "from": "/list/0", "path": "/first"},
                {"op": "copy", "from": "/first", "path": "/again"},
                {"op": "remove", "path": "/first"},
            ]),
        );
        assert_eq!(
            patched.unwrap(),
            json!({"a": {"b/c": 2}, "list": [9, 2, 3], "again": 1})
        );
        for wrong in [
            json!([{"op": "remove", "path": "/nope"}]),
            json!([{"op": "test", "path": "/a", "value": 1}]),
            json!([{"op": "add", "path": "/list/7", "value": 1}]),
        ] {
            assert_eq!(apply(&object, &wrong).unwrap_err().code, 422);
        }
    }
}
