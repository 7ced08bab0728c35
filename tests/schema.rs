//! The published schemas: what the program prints, and the suites it reads, are as they say.

use serde_json::{Value, json};

use crate::support::project;

/// What is wrong with a value, by the part of JSON Schema that the schemas use; patterns are for editors.
fn wrong(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} is nowhere"));
        return wrong(root, target, value, at);
    }
    let mut all = Vec::new();
    if let Some(options) = schema["oneOf"].as_array() {
        let fits = |option: &&Value| wrong(root, option, value, at).is_empty();
        if options.iter().filter(fits).count() != 1 {
            all.push(format!("{at}: is not one of the forms: {value}"));
        }
    }
    let is_of = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("{other} is no type"),
    };
    if schema["type"].as_str().is_some_and(|name| !is_of(name)) {
        all.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let Some(options) = schema["enum"].as_array()
        && !options.contains(value)
    {
        all.push(format!("{at}: {value} is none of {options:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        all.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().expect("a name");
        if value.get(name).is_none() {
            all.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, part) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(own) => all.extend(wrong(root, own, part, &format!("{at}/{name}"))),
            // A report may gain fields; the schema has to gain them with it.
            None if schema["type"] == "object" => all.push(format!("{at}: {name} is not told of")),
            None => {}
        }
    }
    for (position, part) in value.as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}/{position}");
        all.extend(wrong(root, &schema["items"], part, &at));
    }
    all
}

/// What the program prints.
fn said(words: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(words)
        .current_dir(project())
        .output()
        .expect("the program runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn schema(of: &str) -> Value {
    serde_json::from_str(&said(&["schema", of])).expect("a schema")
}

#[test]
fn reports_are_as_their_schema_says() {
    let schema = schema("report");
    for demo in said(&["demo", "--list"]).lines() {
        let name = demo.split_whitespace().next().expect("a name");
        let report = said(&["demo", name, "-o", "json"]);
        let report: Value = serde_json::from_str(&report).expect("a report");
        let wrong = wrong(&schema, &schema, &report, name);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    let no_report = json!({"apiVersion": "netpath/v1", "verdict": "Fine"});
    assert!(wrong(&schema, &schema, &no_report, "").len() > 5);
}

#[test]
fn suites_and_their_reports_are_as_their_schemas_say() {
    let suite = json!({
        "apiVersion": "netpath/v1", "kind": "Suite", "namespace": "shop",
        "checks": [
            {"from": "client-1", "to": ["svc/api", "svc/web"], "tags": ["smoke"], "retries": 1, "timeout": "2s"},
            {"from": "client-1", "to": "svc/api", "port": 9090, "expect": "Unreachable", "code": "SVC-06", "by": "svc/api"},
            {"from": "client-1", "to": "svc/api", "loss": "1%", "latency": "20ms"},
            {"from": "client-9", "to": "svc/api"},
        ],
    });
    let of_suite = schema("suite");
    let found = wrong(&of_suite, &of_suite, &suite, "suite");
    assert!(found.is_empty(), "{}", found.join("\n"));
    let odd =
        json!({"apiVersion": "netpath/v1", "kind": "Suite", "checks": [{"from": 1, "too": "b"}]});
    assert_eq!(wrong(&of_suite, &of_suite, &odd, "suite").len(), 3);

    let file = std::env::temp_dir().join(format!("netpath-schema-{}.json", std::process::id()));
    std::fs::write(&file, suite.to_string()).expect("a file");
    let path = file.display().to_string();
    let report = said(&[
        "check",
        &path,
        "--snapshot",
        "src/demo/world.json",
        "-o",
        "json",
    ]);
    let _ = std::fs::remove_file(&file);
    let report: Value = serde_json::from_str(&report).expect("a report");
    let of_report = schema("suite-report");
    let found = wrong(&of_report, &of_report, &report, "report");
    assert!(found.is_empty(), "{}", found.join("\n"));
    let outcomes: Vec<&str> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| check["outcome"].as_str().expect("an outcome"))
        .collect();
    // Nothing is measured in a snapshot, so that no limit is kept or exceeded.
    let expected = ["passed", "passed", "passed", "undetermined", "notAsked"];
    assert_eq!(outcomes, expected);
}
