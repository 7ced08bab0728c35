//! Any right may be missing: the verdict is never falsified by it, and the report says which right
//! would settle it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::stub::{Manner, Stub};
use super::world::{changed, shop};
use super::{ask, path};

/// Worlds with the truth about client-1 and api in them.
fn worlds() -> [(&'static str, Option<&'static str>, Vec<Value>); 4] {
    [
        ("Reachable", None, shop()),
        (
            "Unreachable",
            Some("SVC-01"),
            changed(include_str!("../../src/demo/selector-typo.json")),
        ),
        (
            "Unreachable",
            Some("POL-01"),
            changed(include_str!("../../src/demo/forgot-dns.json")),
        ),
        (
            "Unreachable",
            Some("POL-02"),
            changed(include_str!("../../src/demo/locked-out.json")),
        ),
    ]
}

/// Every resource that an answer asks for, refused alone: everywhere, or in lists over all namespaces.
#[test]
fn no_missing_right_falsifies_a_verdict() {
    for (truth, cause, world) in worlds() {
        let stub = Stub::of(world.clone());
        path(&stub.url, "pod/client-1", "svc/api");
        let all: BTreeSet<String> = stub.asked().into_iter().map(|asked| asked.what).collect();
        assert!(all.len() > 5, "{all:?}");
        for what in all {
            for only_wide in [false, true] {
                let refused = what.clone();
                let stub = Stub::that(world.clone(), move |asked| {
                    let is_meant =
                        asked.what == refused && !(only_wide && asked.namespace.is_some());
                    if is_meant {
                        Manner::Refuse(403)
                    } else {
                        Manner::Plain
                    }
                });
                let case =
                    format!("{cause:?} without {what}, only over all namespaces: {only_wide}");
                judge(&stub, truth, cause, &what, &case);
            }
        }
    }
}

fn judge(stub: &Stub, truth: &str, cause: Option<&str>, what: &str, case: &str) {
    let words = [
        "pod/client-1",
        "svc/api",
        "-n",
        "shop",
        "--no-probe",
        "-o",
        "json",
    ];
    let said = ask(&stub.url, &words);
    if said.code == 2 {
        // An end itself could not be read: no report, but the right that is missing.
        assert!(
            ["pods", "services"].contains(&what),
            "{case}: {}",
            said.stderr
        );
        let grant = format!("get,list {what}");
        assert!(said.stderr.contains(&grant), "{case}: {}", said.stderr);
        return;
    }
    assert_eq!(said.stderr, "", "{case}");
    let report: Value = serde_json::from_str(&said.stdout).expect("a report");
    let verdict = report["verdict"].as_str().expect("a verdict");
    assert!(
        [truth, "Undetermined"].contains(&verdict),
        "{case}: {verdict}: {report:#}"
    );
    for finding in report["findings"].as_array().into_iter().flatten() {
        let code = finding["code"].as_str();
        let is_broken = finding["severity"] == "broken";
        assert!(code == cause || !is_broken, "{case}: {finding:#}");
    }
    let grants = report["unread"].as_array().into_iter().flatten();
    let is_named = grants
        .filter_map(|unread| unread["grant"].as_str())
        .any(|grant| grant.contains(what));
    if verdict == "Undetermined" {
        assert!(is_named, "{case}: {:#}", report["unread"]);
    }
}

/// What was refused is listed even where it did not matter, events apart.
#[test]
fn policies_that_cannot_be_read_leave_the_answer_open() {
    let stub = Stub::that(shop(), |asked| {
        if asked.what.starts_with("networkpolicies") {
            Manner::Refuse(403)
        } else {
            Manner::Plain
        }
    });
    let (code, report) = path(&stub.url, "pod/client-1", "svc/api");
    assert_eq!(
        (code, &report["verdict"]),
        (3, &"Undetermined".into()),
        "{report:#}"
    );
    assert_eq!(report["unread"][0]["why"], "forbidden");
    let grants: Vec<&str> = report["unread"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|unread| unread["grant"].as_str())
        .collect();
    let wanted = "get,list networkpolicies.networking.k8s.io in shop";
    assert!(grants.contains(&wanted), "{grants:?}");
}

/// Somebody with rights in one namespace only still gets an answer about it.
#[test]
fn rights_in_one_namespace_are_enough_for_its_services() {
    let stub = Stub::that(shop(), |asked| match asked.namespace.as_deref() {
        Some("shop") => Manner::Plain,
        _ => Manner::Refuse(403),
    });
    let (code, report) = path(&stub.url, "pod/client-1", "svc/api");
    assert!([0, 3].contains(&code), "{report:#}");
    let stages = report["paths"][0]["hops"].as_array().into_iter().flatten();
    let passed: Vec<&str> = stages
        .filter(|hop| hop["status"] == "pass")
        .filter_map(|hop| hop["stage"].as_str())
        .collect();
    for stage in ["source", "service", "endpoints"] {
        assert!(passed.contains(&stage), "{passed:?}: {report:#}");
    }
}
