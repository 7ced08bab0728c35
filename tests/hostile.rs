//! Input that nobody meant well: no panic, one clear message, exit code 2; or an answer from what could
//! be understood.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser;
use netpath::cli::Cli;
use netpath::cluster::{Builder, snapshot};
use netpath::commands::{examine, question};
use netpath::observe::Observations;
use netpath::world::World;
use serde_json::{Value, json};

const WORLD: &str = include_str!("../src/demo/world.json");

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netpath-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn with(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, content).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Exit code, stdout and stderr of a question about a snapshot.
fn ask(snapshot: &Path, input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(["client-1", "svc/api", "-n", "shop", "--snapshot"])
        .arg(snapshot)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    // The program may end without reading it all.
    let _ = std::io::Write::write_all(&mut pipe, input.as_bytes());
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("no signal");
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn what_is_no_snapshot_says_so() {
    let folder = Folder::new("hostile");
    let bomb = {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, before) in ('b'..='z').zip('a'..) {
            let stars = vec![format!("*{before}"); 9].join(", ");
            text += &format!("{name}: &{name} [{stars}]\n");
        }
        text
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "no Kubernetes object"),
        ("braces", b"{}".to_vec(), "no Kubernetes object"),
        ("list", b"[]".to_vec(), "no Kubernetes object"),
        ("words", b"just words\n".to_vec(), "no Kubernetes object"),
        (
            "cut.json",
            WORLD.as_bytes()[..WORLD.len() / 2].to_vec(),
            "line",
        ),
        ("tabs.yaml", b"kind: Pod\n\tmetadata: {}\n".to_vec(), "tab"),
        ("open.yaml", b"kind: [Pod\n".to_vec(), "line"),
        ("bomb.yaml", bomb.into_bytes(), "line"),
        ("deep.json", "[".repeat(100_000).into_bytes(), ""),
        (
            "deep.yaml",
            format!("a: {}", "{a: ".repeat(50_000)).into_bytes(),
            "",
        ),
        ("latin.yaml", b"kind: \xff\xfe\n".to_vec(), ""),
        ("nul.yaml", b"kind: Pod\0\n".to_vec(), ""),
        (
            "helm.yaml",
            b"{{- if .Values.enabled }}\nkind: Pod\n{{- end }}\n".to_vec(),
            "",
        ),
        (
            "strange.yaml",
            b"apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\n".to_vec(),
            "no Kubernetes object",
        ),
    ];
    for (name, content, message) in cases {
        let path = folder.with(name, content);
        let (code, stdout, stderr) = ask(&path, "");
        assert_eq!((code, stdout.as_str()), (2, ""), "{name}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(name),
            "{name}: {stderr}"
        );
        assert!(stderr.contains(message), "{name}: {stderr}");
        assert!(
            stderr.lines().count() <= 2 && stderr.len() < 1_000,
            "{name}: {stderr}"
        );
    }
    let (code, _, stderr) = ask(&folder.0.join("nowhere"), "");
    assert_eq!(code, 2);
    assert!(
        stderr.contains("cannot read") && stderr.contains("nowhere"),
        "{stderr}"
    );
    let (code, _, stderr) = ask(&Folder::new("bare").0, "");
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn every_form_of_a_snapshot_gives_the_same_answer() {
    let folder = Folder::new("forms");
    let whole = folder.with("world.json", WORLD);
    let (code, expected, stderr) = ask(&whole, "");
    assert_eq!((code, stderr.as_str()), (0, ""), "{expected}");
    // Standard input.
    assert_eq!(
        ask(Path::new("-"), WORLD),
        (0, expected.clone(), String::new())
    );
    // A recording.
    folder.with("recording/objects.yaml", WORLD);
    folder.with(
        "recording/snapshot.json",
        r#"{"apiVersion": "netpath/v1", "kind": "Snapshot", "takenAt": "2026-11-21T00:53:45Z"}"#,
    );
    assert_eq!(ask(&folder.0.join("recording"), "").1, expected);
    // Twice the same, one document each, with a byte order mark and comments.
    let list: Value = serde_json::from_str(WORLD).expect("JSON");
    let mut stream = "\u{feff}# objects\n".to_owned();
    for _ in 0..2 {
        for item in list["items"].as_array().expect("a List") {
            stream += &format!("---\n{item}\n");
        }
    }
    let stream = folder.with("stream.yaml", stream);
    assert_eq!(ask(&stream, "").1, expected);
}

/// A Git repository: manifests among other things.
#[test]
fn manifests_are_found_among_other_files() {
    let folder = Folder::new("repository");
    let list: Value = serde_json::from_str(WORLD).expect("JSON");
    for (number, item) in list["items"].as_array().expect("a List").iter().enumerate() {
        folder.with(
            &format!("apps/{}/{number}.yaml", number % 5),
            item.to_string(),
        );
    }
    folder.with("README.md", "# not YAML: {{");
    folder.with("chart/values.yaml", "replicas: 3\n");
    folder.with(
        "chart/templates/web.yaml",
        "kind: {{ .Values.kind }}\n  broken: [\n",
    );
    folder.with(
        "kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    );
    let (code, stdout, stderr) = ask(&folder.0, "");
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn objects_that_are_not_understood_are_named_and_passed_over() {
    let folder = Folder::new("rejected");
    let mut list: Value = serde_json::from_str(WORLD).expect("JSON");
    let items = list["items"].as_array_mut().expect("a List");
    items.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "odd", "namespace": "shop"}, "spec": {"ports": "many"}}));
    items.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": "none"}));
    items.push(json!(17));
    items.push(json!({"kind": "Pod"}));
    let big = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "big", "namespace": "shop", "annotations": {"a": "x".repeat(5_000_000)}}});
    items.push(big);
    let path = folder.with("world.json", list.to_string());
    let (code, stdout, stderr) = ask(&path, "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stdout.contains("not understood: Service/shop/odd"),
        "{stdout}"
    );
}

/// Every value of the world in turn replaced by something it cannot be: nothing panics.
#[test]
fn no_value_of_any_object_can_make_it_panic() {
    let words = ["kubectl-netpath", "client-1", "svc/api", "-n", "shop"];
    let cli = Cli::try_parse_from(words).expect("a command line");
    let request = question(&cli.trace, "shop").expect("a question");
    let list: Value = serde_json::from_str(WORLD).expect("JSON");
    let items = list["items"].as_array().expect("a List");
    let strange = [
        json!(null),
        json!("x"),
        json!(-1),
        json!([]),
        json!({}),
        json!([null]),
        json!(""),
        json!(1e300),
    ];
    let mut tried = 0_usize;
    for (number, item) in items.iter().enumerate() {
        // Every third, and others in the next object of the kind.
        let pointers = pointers(item).into_iter().enumerate();
        for (position, pointer) in pointers.skip(number % 3).step_by(3) {
            let mut changed = item.clone();
            let value = &strange[(position / 3 + number) % strange.len()];
            *changed.pointer_mut(&pointer).expect("it was there") = value.clone();
            let mut builder = Builder::default();
            let others = items
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != number);
            others.for_each(|(_, other)| builder.add(other.clone()));
            builder.add(changed);
            let view = builder.finish();
            // Whatever the answer is.
            let _ = examine(&World::of(&view), &request, &Observations::default());
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");
}

/// JSON pointers of every value below the top.
fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            let fields = fields.iter();
            fields
                .map(|(name, child)| (name.replace('~', "~0").replace('/', "~1"), child))
                .collect()
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, child)| (at.to_string(), child))
            .collect(),
        _ => Vec::new(),
    };
    let below = children.into_iter().flat_map(|(name, child)| {
        let own = format!("/{name}");
        let deeper = pointers(child)
            .into_iter()
            .map(move |rest| format!("/{name}{rest}"));
        std::iter::once(own).chain(deeper)
    });
    below.collect()
}

/// A snapshot cut off at any place is read or refused.
#[test]
fn half_a_snapshot_is_refused() {
    for end in (0..WORLD.len()).step_by(1_009) {
        let Some(half) = WORLD.get(..end) else {
            continue;
        };
        // Whatever it says.
        let _ = snapshot::parse("half", half);
    }
}
