//! An answer from the API takes at most 3 sequential round trips and 12 requests, whatever the size of
//! the cluster, and the answer is the same.

use netpath::cluster::live::{MAX_REQUESTS, MAX_ROUNDS};
use netpath::cluster::snapshot::objects;

use serde_json::Value;

use super::path;
use super::stub::Stub;
use super::world::{changed, grown, shop};
use crate::support::project;

/// Ends of every kind, and questions whose answers take looking around.
const QUESTIONS: [(&str, &str); 12] = [
    ("pod/client-1", "svc/api"),
    ("client-1", "data/svc/db"),
    ("deploy/api", "svc/web"),
    ("pod/client-1", "deploy/web"),
    ("pod/client-1", "pod/client-2"),
    ("pod/client-1", "svc/ap"),
    ("pod/client-1", "dns/api.shop.svc.cluster.local:8080"),
    ("pod/client-1", "ip/10.96.6.170:8080"),
    ("external", "svc/web-np"),
    ("node/node1", "svc/api"),
    ("pod/client-1", "node/node2:30080"),
    ("pod/client-1", "https://kubernetes.default"),
];

#[test]
fn answers_take_three_rounds_and_twelve_requests() {
    assert_eq!((MAX_ROUNDS, MAX_REQUESTS), (3, 12));
    let worlds = [0, 1_000, 10_000].map(|pods| (pods, grown(shop(), pods)));
    for (source, destination) in QUESTIONS {
        let mut before = None;
        for (pods, world) in &worlds {
            let stub = Stub::in_rounds(world.clone());
            let (code, report) = path(&stub.url, source, destination);
            let asked = stub.asked();
            let question = format!("{source} {destination} among {pods} pods");
            assert!(
                asked.len() <= MAX_REQUESTS && stub.rounds() <= MAX_ROUNDS,
                "{question}: {} requests in {} rounds: {:#?}",
                asked.len(),
                stub.rounds(),
                asked.iter().map(|asked| &asked.url).collect::<Vec<_>>()
            );
            for asked in &asked {
                assert!(
                    asked.user_agent.starts_with("kubectl-netpath/"),
                    "{asked:?}"
                );
            }
            assert_eq!(report["unread"], serde_json::json!([]), "{question}");
            let answer = (
                code,
                report["verdict"].clone(),
                report["findings"][0]["code"].clone(),
            );
            let expected = before.get_or_insert_with(|| answer.clone());
            assert_eq!(answer, *expected, "{question}");
        }
    }
}

/// A field selector finds a pod or a Service by its first address only.
#[test]
fn an_address_of_the_second_family_is_found() {
    let recorded = project().join("tests/scenarios/recorded/dual-ok/objects.yaml");
    let text = std::fs::read_to_string(recorded).expect("a recording");
    let world = objects(&text).expect("objects")[0]["items"]
        .as_array()
        .expect("a List")
        .clone();
    let second = |kind: &str, name: &str, list: &str| {
        let mut all = world.iter();
        let is_it = |object: &&Value| {
            let own = object["metadata"]["name"].as_str().unwrap_or_default();
            object["kind"] == kind && own.starts_with(name)
        };
        let own = all
            .find(is_it)
            .expect("the object")
            .pointer(list)
            .expect("two addresses");
        own.as_str().expect("an address").to_owned()
    };
    let questions = [
        (
            "pod/client-1".to_owned(),
            second("Pod", "api-", "/status/podIPs/1/ip"),
            9090,
        ),
        (
            "pod/client-1".to_owned(),
            second("Service", "api-dual", "/spec/clusterIPs/1"),
            8080,
        ),
    ];
    for (source, address, port) in questions {
        let stub = Stub::in_rounds(world.clone());
        let (code, report) = path(&stub.url, &source, &format!("[{address}]:{port}"));
        let backends = report["paths"][0]["backends"]
            .as_array()
            .map_or(0, Vec::len);
        let verdict = report["verdict"].as_str();
        assert_eq!(
            (code, verdict),
            (0, Some("Reachable")),
            "{address}: {report:#}"
        );
        assert!(backends > 0, "{address}: {report:#}");
        assert!(stub.asked().len() <= MAX_REQUESTS && stub.rounds() <= MAX_ROUNDS);
    }
}

/// 2,500 endpoints of one Service: more than one page of pods.
#[test]
fn a_service_of_thousands_is_answered_within_the_bounds() {
    let stub = Stub::in_rounds(grown(shop(), 10_000));
    let (code, report) = path(&stub.url, "pod/client-1", "svc/crowd");
    assert_eq!(
        (code, &report["verdict"]),
        (0, &"Reachable".into()),
        "{report:#}"
    );
    assert!(stub.asked().len() <= MAX_REQUESTS && stub.rounds() <= MAX_ROUNDS);
    let backends = report["paths"].as_array().into_iter().flatten();
    let backends = backends.map(|path| path["backends"].as_array().map_or(0, Vec::len));
    assert_eq!(backends.sum::<usize>(), 2_500);
}

#[test]
fn what_breaks_in_a_small_cluster_breaks_in_a_large_one() {
    for (changes, code) in [
        (include_str!("../../src/demo/selector-typo.json"), "SVC-01"),
        (include_str!("../../src/demo/forgot-dns.json"), "POL-01"),
        (include_str!("../../src/demo/locked-out.json"), "POL-02"),
    ] {
        for pods in [0, 10_000] {
            let stub = Stub::in_rounds(grown(changed(changes), pods));
            let (exit, report) = path(&stub.url, "pod/client-1", "svc/api");
            assert_eq!(exit, 1, "{report:#}");
            assert_eq!(report["findings"][0]["code"], code, "among {pods} pods");
            assert!(stub.asked().len() <= MAX_REQUESTS && stub.rounds() <= MAX_ROUNDS);
        }
    }
}
