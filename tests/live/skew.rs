//! Servers newer or older than the types: what is not known is passed over, what is missing has its
//! default.

use serde_json::{Value, json};

use super::path;
use super::stub::Stub;
use super::world::{changed, shop};

fn answers(world: Vec<Value>) -> (i32, Value, Value) {
    let stub = Stub::of(world);
    let (code, report) = path(&stub.url, "pod/client-1", "svc/api");
    assert_eq!(report["rejected"], Value::Null, "{report:#}");
    assert_eq!(report["unread"], json!([]));
    let findings = report["findings"].as_array().into_iter().flatten();
    let codes = findings.map(|finding| finding["code"].clone()).collect();
    (code, report["verdict"].clone(), codes)
}

fn worlds() -> [Vec<Value>; 2] {
    [
        shop(),
        changed(include_str!("../../src/demo/locked-out.json")),
    ]
}

#[test]
fn fields_of_tomorrow_change_nothing() {
    fn grow(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.values_mut().for_each(grow);
                // Not where keys are data.
                let is_map = fields.values().all(Value::is_string);
                if !is_map {
                    fields.insert(
                        "ofTomorrow".to_owned(),
                        json!({"mode": "Quantum", "list": [1, null]}),
                    );
                }
            }
            Value::Array(items) => items.iter_mut().for_each(grow),
            _ => {}
        }
    }
    for world in worlds() {
        let expected = answers(world.clone());
        let mut newer = world;
        newer.iter_mut().for_each(grow);
        assert_eq!(answers(newer), expected);
    }
}

#[test]
fn fields_that_an_old_server_does_not_have_change_nothing() {
    const NEW: [&str; 10] = [
        "podIPs",
        "hostIPs",
        "clusterIPs",
        "ipFamilies",
        "ipFamilyPolicy",
        "internalTrafficPolicy",
        "managedFields",
        "serving",
        "terminating",
        "zone",
    ];
    fn shrink(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !NEW.contains(&name.as_str()));
                fields.values_mut().for_each(shrink);
            }
            Value::Array(items) => items.iter_mut().for_each(shrink),
            _ => {}
        }
    }
    for world in worlds() {
        let expected = answers(world.clone());
        let mut older = world;
        older.iter_mut().for_each(shrink);
        assert_eq!(answers(older), expected);
    }
}
