//! The command line as a contract: the grammar of ends, exit codes, near names, streams.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::project;

struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program on the demonstration's world, in namespace shop.
fn ask(words: &[&str]) -> Said {
    let world = project().join("src/demo/world.json");
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(words)
        .args(["-n", "shop", "--snapshot"])
        .arg(world)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    Said {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn json(words: &[&str]) -> (i32, Value) {
    let said = ask(&[words, &["-o", "json"]].concat());
    assert_eq!(said.stderr, "", "{words:?}");
    (said.code, serde_json::from_str(&said.stdout).expect("JSON"))
}

#[test]
fn ends_are_spelt_as_in_kubectl() {
    for source in [
        "client-1",
        "pod/client-1",
        "po/client-1",
        "pods/client-1",
        "Pod/client-1",
        "shop/pod/client-1",
        "deploy/api",
        "deployment/api",
        "deployments/api",
        "deployments.apps/api",
        "deployments.v1.apps/api",
        "data/sts/db",
        "data/statefulset/db",
        "data/statefulsets.apps/db",
        "node/node1",
        "no/node2",
        "nodes/node1",
        "ip/10.244.1.9",
        "10.244.1.9",
    ] {
        let (code, report) = json(&[source, "svc/api"]);
        assert_eq!(
            (code, &report["verdict"]),
            (0, &"Reachable".into()),
            "{source}"
        );
    }
    for destination in [
        "svc/api",
        "service/api",
        "services/api",
        "svc/api:8080",
        "svc/api:http",
        "shop/svc/api",
        "dns/api",
        "dns/api.shop:8080",
        "api.shop.svc.cluster.local:8080",
        "http://api:8080/cart",
        "ip/10.96.6.170:8080",
        "10.96.6.170:8080",
        "deploy/api:9090",
        "pod/client-2:80",
        "data/svc/db",
        "data/sts/db:5432",
        "data/pod/db-0",
        "node/node1:10250",
    ] {
        let (code, report) = json(&["client-1", destination]);
        assert_eq!(
            (code, &report["verdict"]),
            (0, &"Reachable".into()),
            "{destination}: {report:#}"
        );
    }
    let (code, report) = json(&[
        "client-1",
        "svc/db",
        "--to-namespace",
        "data",
        "--port",
        "5432",
    ]);
    assert_eq!(
        (code, &report["destination"]["namespace"]),
        (0, &"data".into())
    );
}

/// What is no diagnosis is wrong usage, with the way out.
#[test]
fn wrong_names_answer_with_the_nearest() {
    for (words, error, hint) in [
        (
            ["client-9", "svc/api"],
            "there is no pod/client-9 in namespace shop",
            "pod/client-1",
        ),
        (
            ["pod/db-0", "svc/api"],
            "no pod/db-0 in namespace shop",
            "data/pod/db-0",
        ),
        (["deploy/apo", "svc/api"], "no deploy/apo", "deploy/api"),
        (
            ["node/nod1", "svc/api"],
            "there is no node/nod1",
            "node/node1",
        ),
        (["client-1", "scv/api"], "unknown kind \"scv\"", "svc/api"),
        (
            ["client-1", "shop/api"],
            "unknown kind \"shop\"",
            "shop/pod/api",
        ),
        (["client-1", "svc/api:0"], "is not a port", "1 to 65535"),
        (
            ["client-1", "pod/client-3"],
            "no pod/client-3",
            "pod/client-1",
        ),
    ] {
        let said = ask(&words);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{words:?}");
        assert!(
            said.stderr.starts_with("error: ") && said.stderr.contains(error),
            "{}",
            said.stderr
        );
        assert!(
            said.stderr.contains("hint: ") && said.stderr.contains(hint),
            "{}",
            said.stderr
        );
    }
}

/// A Service that is not there is a diagnosis.
#[test]
fn missing_services_are_reported() {
    for (destination, code) in [
        ("svc/ap", "DNS-01"),
        ("svc/db", "DNS-02"),
        ("dns/nowhere", "DNS-01"),
    ] {
        let (exit, report) = json(&["client-1", destination]);
        assert_eq!(exit, 1, "{report:#}");
        assert_eq!(report["findings"][0]["code"], code, "{destination}");
    }
}

#[test]
fn exit_codes_are_a_contract() {
    for (words, code) in [
        (&["client-1", "svc/api"][..], 0),
        (&["client-1", "svc/api:9090"], 1),
        (&["client-1"], 2),
        (&["client-1", "svc/api", "--protocol", "icmp"], 2),
        (&["client-1", "svc/api", "--no-such-flag"], 2),
        (&["client-1", "svc/api", "--no-probe", "--deep"], 2),
        (&["client-1", "svc/api", "-o", "xml"], 2),
    ] {
        let said = ask(words);
        assert_eq!(said.code, code, "{words:?}: {}", said.stderr);
        assert_eq!(said.stdout.is_empty(), code == 2, "{words:?}");
        assert_eq!(said.stderr.is_empty(), code != 2, "{words:?}");
    }
}

/// The pods of a workload are walked, and told once with their number.
#[test]
fn workloads_stand_for_their_pods() {
    let (_, report) = json(&["deploy/api", "deploy/web:8080"]);
    let paths = report["paths"].as_array().expect("paths");
    let sum = |end: &str| -> usize {
        paths
            .iter()
            .map(|path| path[end].as_array().map_or(0, Vec::len))
            .max()
            .unwrap_or(0)
    };
    assert_eq!((sum("sources"), sum("backends")), (3, 2), "{report:#}");
    let said = ask(&["deploy/api", "deploy/web:8080"]);
    assert!(
        said.stdout.contains("3 pods on node1 and node2"),
        "{}",
        said.stdout
    );
}

/// A reader that goes away is no error.
#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(["explain", "POL"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn help_is_what_the_manual_says() {
    let said = ask(&["--help"]);
    assert_eq!(said.code, 0);
    for word in [
        "kubectl netpath",
        "snapshot",
        "demo",
        "explain",
        "policy",
        "rules",
        "check",
        "--to-namespace",
        "--no-probe",
    ] {
        assert!(said.stdout.contains(word), "{word}");
    }
    assert!(!said.stdout.contains("__complete"), "{}", said.stdout);
}

#[test]
fn completion_speaks_kubectls_protocol() {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(["__complete", "client-1", "svc/api", "-o", "w"])
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        text,
        "wide\tFor people, with everything that was looked at\n:4\n"
    );
    assert!(output.status.success() && output.stderr.is_empty());
}

/// Ends of which nothing could be said are refused, and never green.
#[test]
fn ends_that_say_nothing_are_refused() {
    for (destination, says) in [
        ("10.0.0.300:80", "is not an IP address"),
        ("10.0.0:80", "is not an IP address"),
        ("10.0.0.0/8", "is not an IP address"),
        ("dns/10.0.0.300", "is not an IP address"),
        ("http://10.0.0.300/", "is not an IP address"),
        ("fd00::zz", "is not an IP address"),
        ("0.0.0.0:80", "the unspecified address"),
        ("224.0.0.1:80", "a multicast address"),
        ("ip/255.255.255.255:80", "the broadcast address"),
        ("client-1", "a pod always reaches itself"),
        ("node/node1", "has no port to ask"),
    ] {
        let said = ask(&["client-1", destination]);
        assert_eq!(said.code, 2, "{destination}: {}", said.stdout);
        assert!(said.stderr.contains(says), "{destination}: {}", said.stderr);
        assert!(said.stderr.contains("hint: "), "{destination}");
    }
}

/// Who types only a name may mean the Service or the workload that is called so.
#[test]
fn a_bare_name_offers_what_has_it() {
    let said = ask(&["client-1", "api"]);
    assert_eq!(said.code, 2);
    for candidate in ["svc/api", "deploy/api"] {
        assert!(said.stderr.contains(candidate), "{}", said.stderr);
    }
}

/// What stands first in every help can be copied.
#[test]
fn every_help_begins_with_examples() {
    for words in [
        &["--help"][..],
        &["check", "--help"],
        &["snapshot", "--help"],
        &["demo", "--help"],
        &["explain", "--help"],
        &["policy", "--help"],
        &["matrix", "--help"],
        &["rules", "--help"],
        &["cleanup", "--help"],
        &["rbac", "--help"],
        &["schema", "--help"],
        &["completion", "--help"],
        &[],
        &["help"],
        &["help", "check"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
            .args(words)
            .output()
            .expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{words:?}");
        assert!(text.starts_with("Examples:\n"), "{words:?}: {text}");
    }
}

/// `check` judges, counts and maps to exit codes; JUnit holds what CI shows.
#[test]
fn suites_are_judged() {
    let folder = std::env::temp_dir().join(format!("netpath-suites-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let check = |checks: &str, form: &str| {
        let file = folder.join("suite.yaml");
        let suite = format!("apiVersion: netpath/v1\nkind: Suite\nname: <shop>\nchecks:\n{checks}");
        std::fs::write(&file, suite).expect("a file");
        ask(&["check", &file.display().to_string(), "-o", form])
    };
    let good = "- {from: client-1, to: [svc/api, svc/web]}\n";
    let bad = "- {from: client-1, to: 'svc/api:9090'}\n";
    let blocked = "- {from: client-1, to: 'svc/api:9090', expect: Unreachable, code: SVC-06}\n";
    let other = "- {from: client-1, to: 'svc/api:9090', expect: Unreachable, code: POL-02}\n";
    let nobody = "- {from: client-9, to: svc/api}\n";
    for (checks, code, last) in [
        (good.to_owned(), 0, "2 passed"),
        (format!("{good}{blocked}"), 0, "3 passed"),
        (format!("{good}{bad}"), 1, "2 passed, 1 failed"),
        (format!("{good}{other}"), 1, "2 passed, 1 failed"),
        (
            format!("{good}{nobody}"),
            2,
            "2 passed, 1 could not be asked",
        ),
        (
            format!("{good}{nobody}{bad}"),
            1,
            "2 passed, 1 failed, 1 could not be asked",
        ),
    ] {
        let said = check(&checks, "text");
        assert_eq!(said.code, code, "{checks}{}", said.stdout);
        assert_eq!(said.stdout.lines().last(), Some(last), "{}", said.stdout);
    }
    let said = check(&format!("{good}{bad}{nobody}"), "junit");
    assert!(
        said.stdout
            .contains("tests=\"4\" failures=\"1\" errors=\"1\""),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("name=\"&lt;shop&gt;\""),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("SVC-06"), "{}", said.stdout);
    let said = check("- {from: client-1}\n", "text");
    assert_eq!(said.code, 2);
    assert!(
        said.stderr.contains("missing field `to`"),
        "{}",
        said.stderr
    );
    let _ = std::fs::remove_dir_all(&folder);
}
