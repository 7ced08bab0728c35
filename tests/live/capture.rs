//! A capture of a large cluster: page by page, and again from the start when a page has expired.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::jiff::Timestamp;
use netpath::cluster::Facts;
use netpath::cluster::snapshot::Capture;
use serde_json::Value;

use super::stub::{Manner, Stub};
use super::world::{grown, shop};
use super::{Said, ask};

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netpath-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn capture(stub: &Stub, folder: &Path) -> Said {
    ask(&stub.url, &["snapshot", &folder.display().to_string()])
}

/// Pods in a capture.
fn pods(folder: &Path) -> usize {
    netpath::cluster::snapshot::load(folder)
        .expect("a capture")
        .pods
        .len()
}

#[test]
fn a_large_cluster_is_captured_whole() {
    let world = grown(shop(), 1_200);
    let count = world
        .iter()
        .filter(|object| object["kind"] == "Pod")
        .count();
    let stub = Stub::of(world);
    let folder = Folder::new("pages");
    let said = capture(&stub, &folder.0);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(pods(&folder.0), count);
    let pages = stub
        .asked()
        .into_iter()
        .filter(|asked| asked.what == "pods")
        .count();
    assert_eq!(pages, 3, "500 a page");
}

#[test]
fn an_expired_page_starts_the_list_again() {
    let world = grown(shop(), 1_200);
    let count = world
        .iter()
        .filter(|object| object["kind"] == "Pod")
        .count();
    let once = AtomicBool::new(false);
    let stub = Stub::that(world, move |asked| {
        let is_later = asked.what == "pods" && asked.url.contains("continue=");
        if is_later && !once.swap(true, Ordering::SeqCst) {
            Manner::Refuse(410)
        } else {
            Manner::Plain
        }
    });
    let folder = Folder::new("expired");
    let said = capture(&stub, &folder.0);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(pods(&folder.0), count, "each once");
}

/// A capture is a bug report is a test: the same question gets the same answer from it.
#[test]
fn a_capture_answers_as_the_cluster_did() {
    let stub = Stub::of(shop());
    let folder = Folder::new("same");
    let place = folder.0.display().to_string();
    assert_eq!(capture(&stub, &folder.0).code, 0);
    let words = ["pod/client-1", "svc/api", "-n", "shop", "-o", "json"];
    let live = ask(&stub.url, &[&words[..], &["--no-probe"]].concat());
    let offline = ask(&stub.url, &[&words[..], &["--snapshot", &place]].concat());
    let parse = |said: &Said| serde_json::from_str::<Value>(&said.stdout).expect("a report");
    let (live, offline) = (parse(&live), parse(&offline));
    for part in ["verdict", "paths", "findings", "destination"] {
        assert_eq!(live[part], offline[part], "{part}");
    }
}

/// What is refused is said, and the capture goes on without it.
#[test]
fn what_is_refused_is_left_out_and_named() {
    let stub = Stub::that(shop(), |asked| match asked.what.as_str() {
        "nodes" => Manner::Refuse(403),
        _ => Manner::Plain,
    });
    let folder = Folder::new("refused");
    let said = capture(&stub, &folder.0);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("get,list nodes"), "{}", said.stderr);
}

/// A suite reads the cluster once, however many checks it holds.
#[test]
fn a_suite_reads_the_cluster_once() {
    let stub = Stub::of(shop());
    let folder = Folder::new("suite");
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let file = folder.0.join("suite.yaml");
    let suite = "apiVersion: netpath/v1\nkind: Suite\nchecks:\n- {from: [pod/client-1, pod/client-2], to: [svc/api, svc/web, data/svc/db]}\n";
    std::fs::write(&file, suite).expect("a file");
    let said = ask(
        &stub.url,
        &[
            "check",
            &file.display().to_string(),
            "-n",
            "shop",
            "--no-probe",
        ],
    );
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.ends_with("6 passed\n"), "{}", said.stdout);
    let pods = stub
        .asked()
        .into_iter()
        .filter(|asked| asked.what == "pods")
        .count();
    assert_eq!(pods, 1);
}

/// What was gathered on nodes and in pods comes back as it was.
#[test]
fn facts_are_written_where_a_snapshot_has_them() {
    let mut facts = Facts::default();
    let node = facts.nodes.entry("node1".to_owned()).or_default();
    assert!(node.set("ip-route.json", "[]".to_owned()));
    let pod = ("shop".to_owned(), "client-1".to_owned());
    let of_pod = facts.pods.entry(pod).or_default();
    assert!(of_pod.set("sockets.txt", "tcp LISTEN 0 8 *:80 *:*\n".to_owned()));
    let folder = Folder::new("facts");
    let capture = Capture {
        objects: Vec::new(),
        facts: facts.clone(),
        unread: Vec::new(),
        coverage: None,
        server_version: None,
        taken_at: Timestamp::UNIX_EPOCH,
    };
    let written = capture.write(&folder.0).expect("a folder");
    assert_eq!(written.len(), 4, "{written:?}");
    let view = netpath::cluster::snapshot::load(&folder.0).expect("a capture");
    assert_eq!(view.facts.nodes, facts.nodes);
    assert_eq!(view.facts.pods, facts.pods);
}
