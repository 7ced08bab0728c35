//! JSON patches that apply to the object as it was read, and to nothing else.

use serde_json::{Value, json};

/// The steps of a JSON patch (RFC 6902) behind a `test` of each thing that they are about: the entry of
/// a list whose position they name, the value they replace or take away. One that was moved, changed or
/// removed since makes the patch fail whole.
pub(super) fn guarded(current: &Value, steps: &Value) -> Value {
    let steps = steps.as_array().map_or(&[][..], Vec::as_slice);
    let mut all: Vec<Value> = Vec::new();
    for step in steps {
        let test = step["path"].as_str().and_then(|path| test(current, path));
        all.extend(test.filter(|test| !all.contains(test)));
    }
    if all.is_empty() {
        all.extend(of("/metadata/uid", current));
    }
    all.extend(steps.iter().cloned());
    Value::Array(all)
}

/// What has to be there for a step at a path to mean what it meant.
fn test(current: &Value, path: &str) -> Option<Value> {
    let Some(entry) = entry(path) else {
        let is_end = path.ends_with("/-");
        return if is_end { None } else { of(path, current) };
    };
    // The number of a Service's port names it; what a server adds by itself does not count.
    of(&format!("{entry}/port"), current).or_else(|| of(entry, current))
}

fn of(path: &str, current: &Value) -> Option<Value> {
    let value = current.pointer(path)?;
    Some(json!({"op": "test", "path": path, "value": value}))
}

/// The longest beginning of a path that ends with a position in a list.
fn entry(path: &str) -> Option<&str> {
    let mut end = path.len();
    loop {
        let start = path[..end].rfind('/')?;
        let part = &path[start + 1..end];
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(&path[..end]);
        }
        end = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_names_what_it_is_about() {
        let current = json!({"metadata": {"uid": "u"}, "spec": {
            "ports": [{"port": 80, "targetPort": 8080}],
            "ingress": [{"from": [{"podSelector": {}}]}],
        }});
        for (step, tests) in [
            (
                json!({"op": "replace", "path": "/spec/ports/0/targetPort", "value": 1}),
                json!([["/spec/ports/0/port", 80]]),
            ),
            (
                json!({"op": "add", "path": "/spec/ports/-", "value": {}}),
                json!([["/metadata/uid", "u"]]),
            ),
            (
                json!({"op": "add", "path": "/spec/ingress/0/from/-", "value": {}}),
                json!([["/spec/ingress/0", {"from": [{"podSelector": {}}]}]]),
            ),
            (
                json!({"op": "remove", "path": "/spec/ingress/0"}),
                json!([["/spec/ingress/0", {"from": [{"podSelector": {}}]}]]),
            ),
            (
                json!({"op": "remove", "path": "/spec/ingress/7"}),
                json!([["/metadata/uid", "u"]]),
            ),
        ] {
            let patch = guarded(&current, &json!([step.clone()]));
            let patch = patch.as_array().expect("steps");
            let (last, before) = patch.split_last().expect("the step");
            assert_eq!(*last, step);
            let before: Vec<Value> = before
                .iter()
                .map(|test| json!([test["path"], test["value"]]))
                .collect();
            assert_eq!(json!(before), tests, "{step}");
        }
    }
}
