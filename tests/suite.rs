//! Suites as CI uses them: the forms of results against the schemas of those who read them, proposals, Jobs, metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use netpath::cluster::snapshot;
use serde_json::{Value, json};

use crate::support::project;

struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(words: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(words)
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    Said {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn world() -> String {
    project().join("src/demo/world.json").display().to_string()
}

/// A folder of its own for each test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netpath-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Something of every outcome that a snapshot can give.
const SUITE: &str = r#"apiVersion: netpath/v1
kind: Suite
name: the <shop> & "more"
namespace: shop
checks:
- {from: client-1, to: [svc/api, svc/web], tags: [smoke]}
- {name: the wrong port, from: client-1, to: 'svc/api:9090'}
- {from: client-1, to: svc/api, loss: 1%}
- {from: client-9, to: svc/api}
"#;

fn results(form: &str) -> String {
    let folder = Folder::new(&format!("results-{form}"));
    let suite = folder.file("suite.yaml", SUITE);
    run(&["check", &suite, "--snapshot", &world(), "-o", form]).stdout
}

/// An element with its attributes, and how deep it stands.
#[derive(Debug)]
struct Element {
    name: String,
    depth: usize,
    attributes: BTreeMap<String, String>,
}

/// The elements of a well-formed document; panics where it is none.
fn elements(xml: &str) -> Vec<Element> {
    let mut rest = xml.trim_start();
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains('>'), "{text}");
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, is_empty) = tag
            .strip_suffix('/')
            .map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        all.push(Element {
            name: name.to_owned(),
            depth: open.len(),
            attributes: self::attributes(attributes),
        });
        if !is_empty {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
    all
}

fn attributes(mut text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    while let Some((name, rest)) = text.trim_start().split_once("=\"") {
        let (value, rest) = rest.split_once('"').expect("a quoted value");
        assert!(!value.contains('<'), "{value}");
        let is_new = all.insert(name.to_owned(), value.to_owned()).is_none();
        assert!(is_new, "{name} stands twice");
        text = rest;
    }
    all
}

/// What an element may and must carry: its attributes (`!` for required ones), and what it stands in.
type Rule = (&'static str, &'static str, &'static [&'static str]);

/// Jenkins: `jenkins-junit.xsd` of the xUnit plugin.
const JENKINS: [Rule; 9] = [
    (
        "testsuites",
        "",
        &["name", "time", "tests", "failures", "disabled", "errors"],
    ),
    (
        "testsuite",
        "testsuites",
        &[
            "name!",
            "tests!",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        ],
    ),
    ("properties", "testsuite", &[]),
    ("property", "properties", &["name!", "value!"]),
    (
        "testcase",
        "testsuite",
        &["name!", "assertions", "time", "classname", "status"],
    ),
    ("failure", "testcase", &["type", "message"]),
    ("error", "testcase", &["type", "message"]),
    ("system-out", "testsuite", &[]),
    ("system-err", "testsuite", &[]),
];

/// Ant: `JUnit.xsd` of windyroad, which describes what Ant's task writes.
const ANT: [Rule; 9] = [
    ("testsuites", "", &[]),
    (
        "testsuite",
        "testsuites",
        &[
            "name!",
            "timestamp!",
            "hostname!",
            "tests!",
            "failures!",
            "errors!",
            "time!",
            "skipped",
            "package!",
            "id!",
        ],
    ),
    ("properties", "testsuite", &[]),
    ("property", "properties", &["name!", "value!"]),
    ("testcase", "testsuite", &["name!", "classname!", "time!"]),
    ("failure", "testcase", &["type!", "message"]),
    ("error", "testcase", &["type!", "message"]),
    ("system-out", "testsuite", &[]),
    ("system-err", "testsuite", &[]),
];

fn follows(elements: &[Element], rules: &[Rule]) {
    let mut above: Vec<&str> = Vec::new();
    for element in elements {
        above.truncate(element.depth);
        let parent = above.last().copied().unwrap_or_default();
        let rule = rules.iter().find(|rule| rule.0 == element.name);
        let (_, place, allowed) = rule.unwrap_or_else(|| panic!("{} is unknown", element.name));
        assert_eq!(*place, parent, "{element:?}");
        for name in allowed.iter().filter_map(|name| name.strip_suffix('!')) {
            assert!(
                element.attributes.contains_key(name),
                "{name} of {element:?}"
            );
        }
        for name in element.attributes.keys() {
            let is_allowed = allowed.iter().any(|one| one.trim_end_matches('!') == name);
            assert!(is_allowed, "{name} of {element:?}");
        }
        above.push(&element.name);
    }
}

/// What both schemas say of structure, order and types.
#[test]
fn junit_is_valid_for_jenkins_and_ant() {
    let xml = results("junit");
    let all = elements(&xml);
    follows(&all, &JENKINS);
    follows(&all, &ANT);
    let suite = all
        .iter()
        .find(|one| one.name == "testsuite")
        .expect("a suite");
    let number = |name: &str| suite.attributes[name].parse::<usize>().expect("a number");
    let count = |name: &str| all.iter().filter(|one| one.name == name).count();
    assert_eq!(
        (number("tests"), number("failures"), number("errors")),
        (5, 1, 2)
    );
    assert_eq!(
        (count("testcase"), count("failure"), count("error")),
        (5, 1, 2)
    );
    // xs:dateTime without a zone and without fractions, xs:decimal.
    let at = &suite.attributes["timestamp"];
    assert!(at.len() == 19 && at.as_bytes()[10] == b'T', "{at}");
    for timed in all.iter().filter_map(|one| one.attributes.get("time")) {
        assert!(
            timed.parse::<f64>().is_ok_and(|time| time >= 0.0),
            "{timed}"
        );
    }
    // xs:sequence: properties, then cases, then the two streams.
    let order = ["properties", "testcase", "system-out", "system-err"];
    let places = all.iter().filter(|one| one.depth == 2);
    let places: Vec<usize> = places
        .map(|one| {
            order
                .iter()
                .position(|name| *name == one.name)
                .expect("known")
        })
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let failure = all.iter().find(|one| one.name == "failure").expect("one");
    assert!(
        failure.attributes["message"].contains("fix: "),
        "{failure:?}"
    );
}

/// The check above can fail.
#[test]
fn what_is_no_junit_is_seen() {
    for bad in [
        "<testsuites><testsuite/></testsuites>",
        "<testsuites><testcase name=\"a\" classname=\"b\" time=\"0\"/></testsuites>",
        "<testsuites a=\"b\"></testsuites>",
        "<testsuites>",
    ] {
        let seen = std::panic::catch_unwind(|| follows(&elements(bad), &ANT));
        assert!(seen.is_err(), "{bad}");
    }
}

/// What sarif-schema-2.1.0.json requires of a log, a run, a tool, a rule, a result and a location.
#[test]
fn sarif_has_what_its_schema_requires() {
    let log: Value = serde_json::from_str(&results("sarif")).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let [run] = log["runs"].as_array().expect("runs").as_slice() else {
        panic!("{log:#}");
    };
    let driver = &run["tool"]["driver"];
    assert!(driver["name"].is_string() && driver["informationUri"].is_string());
    let rules = driver["rules"].as_array().expect("rules");
    let ids: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    let mut unique = ids.clone();
    unique.dedup();
    assert!(ids.len() == rules.len() && unique == ids, "{ids:?}");
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 3);
    for result in results {
        assert!(result["message"]["text"].is_string());
        assert!(ids.contains(&result["ruleId"].as_str().expect("a rule")));
        let level = result["level"].as_str().expect("a level");
        assert!(["none", "note", "warning", "error"].contains(&level));
        for location in result["locations"].as_array().expect("locations") {
            let place = &location["physicalLocation"];
            assert!(place["artifactLocation"]["uri"].is_string());
            assert!(place["region"]["startLine"].as_u64() >= Some(1));
        }
    }
}

/// A proposal is a suite, it holds where it was made, and cements no fault.
#[test]
fn a_proposal_holds_where_it_was_made() {
    let folder = Folder::new("proposal");
    for scenario in ["POL-02-destination-isolated", "SVC-01-selector-typo"] {
        let objects = scenario_objects(&folder, scenario);
        let said = run(&["check", "--write", "-n", "shop", "--snapshot", &objects]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{scenario}");
        let suite = folder.file("suite.yaml", &said.stdout);
        let checked = run(&["check", &suite, "--snapshot", &objects]);
        assert_eq!(checked.code, 0, "{}\n{}", said.stdout, checked.stdout);
        let is_policy = scenario.starts_with("POL");
        let is_denied = said.stdout.contains("expect: Unreachable");
        assert_eq!(is_denied, is_policy, "{}", said.stdout);
        let is_left_out = said.stdout.contains("svc/api is Unreachable: SVC-01");
        assert_eq!(is_left_out, !is_policy, "{}", said.stdout);
    }
    let said = run(&["check", "--write", "-n", "nowhere", "--snapshot", &world()]);
    assert_eq!(said.code, 2);
    assert!(
        said.stderr.contains("namespace nowhere has no pair"),
        "{}",
        said.stderr
    );
}

/// The objects of a recording with such a fault, as a file.
fn scenario_objects(folder: &Folder, scenario: &str) -> String {
    let recorded = project().join("tests/scenarios/recorded/ok-pod-to-service/objects.yaml");
    let text = std::fs::read_to_string(recorded).expect("a recording");
    let mut list = snapshot::objects(&text).expect("objects").remove(0);
    let items = list["items"].as_array_mut().expect("a List");
    if scenario.starts_with("POL") {
        items.push(
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "api-lockdown", "namespace": "shop"},
            "spec": {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}}),
        );
    } else {
        for item in items {
            if item["kind"] == "Service" && item["metadata"]["name"] == "api" {
                item["spec"]["selector"] = json!({"app": "apii"});
            } else if item["metadata"]["labels"]["kubernetes.io/service-name"] == "api" {
                item["endpoints"] = json!([]);
            }
        }
    }
    folder.file("objects.json", &list.to_string())
}

fn objects(words: &[&str]) -> Vec<Value> {
    let said = run(words);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let documents = said.stdout.split("---\n");
    documents
        .map(|text| serde_saphyr::from_str(text).expect("YAML"))
        .collect()
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    objects
        .iter()
        .filter_map(|one| one["kind"].as_str())
        .collect()
}

/// A Job with all it needs and no more; a CronJob with a schedule; probing granted in its namespace alone.
#[test]
fn a_suite_becomes_a_job() {
    let folder = Folder::new("job");
    let suite = folder.file("suite.yaml", SUITE);
    let words = ["check", suite.as_str(), "--in-cluster", "-n", "shop"];
    let all = objects(&words);
    assert_eq!(
        kinds(&all),
        [
            "ServiceAccount",
            "ClusterRole",
            "Role",
            "ClusterRoleBinding",
            "RoleBinding",
            "ConfigMap",
            "Job"
        ]
    );
    let job = all.last().expect("a Job");
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "netpath-check");
    assert_eq!(pod["containers"][0]["args"][0], "check");
    assert!(job["spec"]["completionMode"].is_null());
    assert_eq!(all[5]["data"]["suite.yaml"], SUITE);
    let binding = &all[4];
    assert_eq!(binding["roleRef"]["name"], all[2]["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["name"], "netpath-check");

    let scheduled = objects(&[&words[..], &["--schedule", "*/10 * * * *", "--no-probe"]].concat());
    let last = scheduled.last().expect("a CronJob");
    assert_eq!(
        (&last["kind"], &last["spec"]["schedule"]),
        (&"CronJob".into(), &"*/10 * * * *".into())
    );
    let elsewhere = folder.file(
        "elsewhere.yaml",
        "apiVersion: netpath/v1\nkind: Suite\nchecks: [{from: data/pod/db-0, to: shop/svc/api}]\n",
    );
    let all = objects(&["check", &elsewhere, "--in-cluster", "-n", "shop"]);
    assert_eq!(kinds(&all)[1..3], ["ClusterRole", "ClusterRoleBinding"]);
}

/// A large suite is shared by the pods of an Indexed Job; the shares are the whole.
#[test]
fn a_large_suite_is_shared() {
    let folder = Folder::new("shares");
    let entries = (0..60).map(|at| {
        format!(
            "- {{from: pod/client-{}, to: 'svc/api:{}'}}\n",
            at % 6,
            8000 + at
        )
    });
    let text = format!(
        "apiVersion: netpath/v1\nkind: Suite\nnamespace: shop\nchecks:\n{}",
        entries.collect::<String>()
    );
    let suite = folder.file("suite.yaml", &text);
    let all = objects(&["check", &suite, "--in-cluster", "-n", "shop"]);
    let spec = &all.last().expect("a Job")["spec"];
    assert_eq!(
        (&spec["completionMode"], &spec["completions"]),
        (&"Indexed".into(), &2.into())
    );
    let words = &spec["template"]["spec"]["containers"][0]["args"];
    let words: Vec<&str> = words
        .as_array()
        .expect("words")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        words.ends_with(&["--shard", "$(JOB_COMPLETION_INDEX)/2"]),
        "{words:?}"
    );
    let mut names = Vec::new();
    for share in ["0/2", "1/2"] {
        let said = run(&[
            "check",
            &suite,
            "--snapshot",
            &world(),
            "--shard",
            share,
            "-o",
            "json",
        ]);
        let report: Value = serde_json::from_str(&said.stdout).expect("JSON");
        let checks = report["checks"].as_array().expect("checks");
        assert!(checks.len() == 30, "{}", checks.len());
        names.extend(
            checks
                .iter()
                .map(|check| check["name"].as_str().expect("a name").to_owned()),
        );
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 60);
}

/// Every line is a comment, or a sample that Prometheus can read; the cause is a label.
#[test]
fn metrics_are_prometheus_text() {
    let folder = Folder::new("metrics");
    let suite = folder.file("suite.yaml", SUITE);
    let file = folder.path().join("netpath.prom").display().to_string();
    run(&["check", &suite, "--snapshot", &world(), "--metrics", &file]);
    let text = std::fs::read_to_string(&file).expect("the metrics");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap_or_default();
        assert!(text.contains(&format!("# TYPE {name} gauge\n")), "{line}");
        assert!(
            series.contains("{suite=\"the <shop> & \\\"more\\\"\"") && series.ends_with('}'),
            "{line}"
        );
    }
    assert!(
        text.contains("netpath_checks{suite=\"the <shop> & \\\"more\\\"\",outcome=\"failed\"} 1\n")
    );
    assert!(text.contains("code=\"SVC-06\""), "{text}");
    let said = run(&[
        "check",
        &suite,
        "--snapshot",
        &world(),
        "--metrics",
        "/nonexistent/file",
    ]);
    assert_eq!(said.code, 2, "{}", said.stderr);
}
