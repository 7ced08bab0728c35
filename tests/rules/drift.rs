//! `rules --drift` on the recordings of a real cluster: what is healthy shows no difference, and what is
//! falsified shows as exactly that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{rules, write};
use crate::support::project;

/// The recordings, or `None` after saying visibly that the test skips.
fn recordings() -> Option<PathBuf> {
    let path = project().join("../shared/scenarios");
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there", path.display());
    None
}

/// What `--drift` lists for arguments: kind and Service of each difference, and the exit code.
fn drift(args: &[&str]) -> (Vec<String>, Option<i32>) {
    let said = rules(&[args, &["--drift", "-o", "json"]].concat());
    assert_eq!(said.stderr, "", "{args:?}");
    let lines = said.stdout.lines().map(|line| {
        let found: Value = serde_json::from_str(line).expect("JSON");
        let service = found["service"].as_str().unwrap_or("no Service");
        format!(
            "{}: {service}",
            found["difference"].as_str().expect("a kind")
        )
    });
    (lines.collect(), said.code)
}

/// Recordings of a node whose rules were not what the objects say, with how many differences of which
/// kind. The last one was taken while kube-proxy was at work: two of three Services had lost the endpoint.
const DIFFERENT: [(&str, &str, &str, usize); 4] = [
    ("one-endpoint-rule-wrong", "node1", "wrong DNAT target", 1),
    ("service-rules-flushed", "node1", "service missing", 11),
    ("pod-veth-off-the-bridge", "node1", "endpoint missing", 2),
    ("pod-veth-off-the-bridge", "node2", "endpoint missing", 5),
];

#[test]
fn recordings_show_what_was_done_to_them() {
    let Some(root) = recordings() else { return };
    let (mut nodes, mut wrong) = (0, Vec::new());
    let mut folders: Vec<_> = fs::read_dir(&root)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("nodes").exists())
        .collect();
    folders.sort();
    for folder in folders {
        let name = folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        for node in ["node1", "node2"] {
            let snapshot = folder.to_string_lossy();
            let (found, code) = drift(&["--snapshot", &snapshot, "--node", node]);
            let expected = DIFFERENT
                .iter()
                .find(|one| (one.0, one.1) == (name.as_str(), node));
            let (kind, count) = expected.map_or(("", 0), |(_, _, kind, count)| (*kind, *count));
            let right = found.len() == count
                && found
                    .iter()
                    .all(|line| line.starts_with(&format!("{kind}: ")))
                && code == Some(i32::from(count > 0));
            if !right {
                wrong.push(format!("{name} {node}: {code:?} {found:?}"));
            }
            nodes += 1;
        }
    }
    println!("{nodes} nodes compared");
    assert!(nodes > 100);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs the comparison of one node's iptables dump with objects, both from text.
fn of_iptables(dump: &str, objects: &str) -> (Vec<String>, Option<i32>) {
    let dump = write("rules_drift", "iptables-save.txt", dump);
    let objects = write("rules_drift", "objects.yaml", objects);
    drift(&[
        "--iptables",
        &dump,
        "--objects",
        &objects,
        "--node",
        "node1",
    ])
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", path.display()))
}

/// The text without the only line that holds all of some words.
fn without(text: &str, words: &[&str]) -> String {
    let has = |line: &&str| words.iter().all(|word| line.contains(word));
    assert_eq!(text.lines().filter(has).count(), 1, "{words:?}");
    text.split_inclusive('\n')
        .filter(|line| !has(line))
        .collect()
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn a_falsified_dump_shows_the_falsification_alone() {
    let Some(root) = recordings() else { return };
    let folder = root.join("ok-pod-to-service");
    let (dump, objects) = (
        text(&folder.join("nodes/node1/iptables-save.txt")),
        text(&folder.join("objects.yaml")),
    );
    assert_eq!(of_iptables(&dump, &objects), (Vec::new(), Some(0)));
    let endpoints: Vec<&str> = dump
        .lines()
        .filter(|line| line.contains("\"shop/api:http\" -m tcp -j DNAT"))
        .collect();
    assert!(endpoints.len() > 1, "{endpoints:?}");
    let target = endpoints[0].rsplit(' ').next().expect("a target");
    let to_api = "-A KUBE-SERVICES -d 10.96.6.170/32";
    let service_rule = dump
        .lines()
        .find(|line| line.contains(to_api))
        .expect("a rule");
    let other = service_rule.replace("10.96.6.170/32", "10.96.6.171/32");
    let reject = "-A KUBE-SERVICES -d 10.96.6.170/32 -p tcp -m tcp --dport 8080 -j REJECT";
    let falsified = [
        (without(&dump, &[to_api]), vec!["service missing: shop/api"]),
        (
            replaced(
                &dump,
                &format!("--to-destination {target}"),
                "--to-destination 10.244.9.9:9090",
            ),
            vec!["wrong DNAT target: shop/api"],
        ),
        (
            replaced(&dump, service_rule, &format!("{service_rule}\n{other}")),
            vec!["rules of no Service: no Service"],
        ),
        (
            replaced(
                &without(&dump, &[to_api]),
                "*filter",
                &format!("*filter\n:KUBE-SERVICES - [0:0]\n{reject}"),
            ),
            vec!["refused although endpoints exist: shop/api"],
        ),
    ];
    for (changed, expected) in falsified {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(of_iptables(&changed, &objects), (expected, Some(1)));
    }
    // All of the masquerading at once: every Service that needs it says so.
    let (found, _) = of_iptables(
        &without(&dump, &["-j MASQUERADE", "kubernetes service traffic"]),
        &objects,
    );
    assert!(found.len() > 3, "{found:?}");
    assert!(
        found
            .iter()
            .all(|line| line.starts_with("masquerade missing: ")),
        "{found:?}"
    );
}

/// The objects falsified instead: the rules are then wrong the other way round.
#[test]
fn falsified_objects_show_the_falsification_alone() {
    let Some(root) = recordings() else { return };
    let folder = root.join("ok-pod-to-service");
    let dump = text(&folder.join("nodes/node1/iptables-save.txt"));
    let path = folder.join("objects.yaml");
    let list = netpath::cluster::snapshot::objects(&text(&path)).expect("objects");
    let objects = list[0]["items"].as_array().expect("a list").clone();
    let is = |object: &Value, kind: &str, name: &str| {
        object["kind"] == kind
            && object["metadata"]["namespace"] == "shop"
            && object["metadata"]["name"]
                .as_str()
                .is_some_and(|own| own.starts_with(name))
    };
    let list = |objects: &[Value]| {
        json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
    };
    let of = |objects: &[Value]| of_iptables(&dump, &list(objects));
    assert_eq!(of(&objects), (Vec::new(), Some(0)));

    let mut gone = objects.clone();
    gone.retain(|object| !is(object, "Service", "api"));
    let (found, code) = of(&gone);
    assert_eq!(
        (found, code),
        (vec!["rules of no Service: no Service".to_owned()], Some(1))
    );

    let mut fewer = objects.clone();
    let slice = fewer
        .iter_mut()
        .find(|object| is(object, "EndpointSlice", "api"));
    let slice = slice.expect("a slice of shop/api");
    let endpoints = slice["endpoints"].as_array_mut().expect("endpoints");
    let taken = endpoints.pop().expect("an endpoint");
    assert_eq!(
        of(&fewer),
        (vec!["stale endpoint: shop/api".to_owned()], Some(1))
    );

    let mut more = objects.clone();
    let slice = more
        .iter_mut()
        .find(|object| is(object, "EndpointSlice", "api"));
    let slice = slice.expect("a slice of shop/api");
    let mut new = taken;
    new["addresses"] = json!(["10.244.2.222"]);
    slice["endpoints"]
        .as_array_mut()
        .expect("endpoints")
        .push(new);
    assert_eq!(
        of(&more),
        (vec!["endpoint missing: shop/api".to_owned()], Some(1))
    );

    let mut service = objects
        .iter()
        .find(|object| is(object, "Service", "api"))
        .expect("api")
        .clone();
    service["metadata"]["name"] = json!("api-new");
    service["spec"]["clusterIP"] = json!("10.96.200.200");
    service["spec"]["clusterIPs"] = json!(["10.96.200.200"]);
    let mut slice = objects
        .iter()
        .find(|object| is(object, "EndpointSlice", "api"))
        .expect("api")
        .clone();
    slice["metadata"]["name"] = json!("api-new-1");
    slice["metadata"]["labels"]["kubernetes.io/service-name"] = json!("api-new");
    let both = [objects.as_slice(), &[service, slice]].concat();
    assert_eq!(
        of(&both),
        (vec!["service missing: shop/api-new".to_owned()], Some(1))
    );
}

#[test]
fn a_falsified_listing_shows_the_falsification_alone() {
    let Some(root) = recordings() else { return };
    let folder = root.join("ok-pod-to-service-nft");
    let listing: Value =
        serde_json::from_str(&text(&folder.join("nodes/node1/nft-ruleset.json"))).expect("JSON");
    let objects = folder.join("objects.yaml");
    // Jumps that iptables keeps in nftables are listed without what they ask.
    let beside = folder.join("nodes/node1/iptables-save.txt");
    let of = |listing: &Value| {
        let dump = write("rules_drift", "nft-ruleset.json", listing.to_string());
        let (objects, beside) = (objects.to_string_lossy(), beside.to_string_lossy());
        drift(&[
            "--iptables",
            &beside,
            "--nft",
            &dump,
            "--objects",
            &objects,
            "--node",
            "node1",
        ])
    };
    assert_eq!(of(&listing), (Vec::new(), Some(0)));
    let list = netpath::cluster::snapshot::objects(&text(&objects)).expect("objects");
    let items = list[0]["items"].as_array().expect("a list").iter();
    let mut services = items.filter(|object| object["kind"] == "Service");
    let api = services.find(|object| object["metadata"]["name"] == "api");
    let service = &api.expect("shop/api")["spec"]["clusterIP"];
    let is_of_service = |element: &Value| element[0]["concat"][0] == *service;

    let mut missing = listing.clone();
    let elements = elements(&mut missing, "service-ips");
    elements.retain(|element| !is_of_service(element));
    // A cluster IP without an entry is refused by the check of cluster IPs.
    assert_eq!(
        of(&missing),
        (
            vec!["refused although endpoints exist: shop/api".to_owned()],
            Some(1)
        )
    );

    let mut stale = listing.clone();
    let elements = self::elements(&mut stale, "service-ips");
    let mut other = elements
        .iter()
        .find(|element| is_of_service(element))
        .expect("one")
        .clone();
    other[0]["concat"][0] = json!("10.96.255.171");
    elements.push(other);
    assert_eq!(
        of(&stale),
        (vec!["rules of no Service: no Service".to_owned()], Some(1))
    );

    let mut wrong = listing;
    let map = endpoint_map(&mut wrong, "shop/api/tcp/http");
    map[0][1]["concat"][0] = json!("10.244.9.9");
    let (found, code) = of(&wrong);
    assert_eq!(code, Some(1));
    assert_eq!(
        count(&found),
        BTreeMap::from([
            ("endpoint missing: shop/api", 1),
            ("stale endpoint: shop/api", 1)
        ])
    );
}

fn count(lines: &[String]) -> BTreeMap<&str, usize> {
    let mut all = BTreeMap::new();
    for line in lines {
        *all.entry(line.as_str()).or_default() += 1;
    }
    all
}

/// The elements of a map of kube-proxy's IPv4 table.
fn elements<'a>(listing: &'a mut Value, map: &str) -> &'a mut Vec<Value> {
    let objects = listing["nftables"]
        .as_array_mut()
        .expect("objects")
        .iter_mut();
    let found = objects
        .filter_map(|object| object.get_mut("map"))
        .find(|found| found["name"] == map && found["family"] == "ip");
    found.expect("a map")["elem"]
        .as_array_mut()
        .expect("elements")
}

/// The choices of a Service's chain.
fn endpoint_map<'a>(listing: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    let objects = listing["nftables"]
        .as_array_mut()
        .expect("objects")
        .iter_mut();
    let rule = objects
        .filter_map(|object| object.get_mut("rule"))
        .find(|rule| {
            rule["chain"]
                .as_str()
                .is_some_and(|chain| chain.ends_with(name) && chain.starts_with("service-"))
        });
    let statements = rule.expect("a rule")["expr"]
        .as_array_mut()
        .expect("statements");
    let dnat = statements
        .iter_mut()
        .find_map(|one| one.get_mut("dnat"))
        .expect("a translation");
    dnat["addr"]["map"]["data"]["set"]
        .as_array_mut()
        .expect("choices")
}

/// The same for people: the last line counts, and says what was compared.
#[test]
fn differences_are_readable() {
    let Some(root) = recordings() else { return };
    let path = root.join("service-rules-flushed");
    let snapshot = path.to_string_lossy();
    let said = rules(&["--snapshot", &snapshot, "--node", "node1", "--drift"]);
    assert_eq!(said.code, Some(1));
    let block = "shop/api:http  10.96.6.170:8080 TCP cluster IP\n  service missing\n    expected  ";
    assert!(said.stdout.contains(block), "{}", said.stdout);
    let last = said.stdout.lines().last().expect("a last line");
    assert!(
        last.starts_with("11 differences: ")
            && last.ends_with("kube-proxy's iptables rules on node1"),
        "{last}"
    );
    let path = root.join("ok-pod-to-service");
    let snapshot = path.to_string_lossy();
    let said = rules(&["--snapshot", &snapshot, "--node", "node2", "--drift"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.stdout.starts_with("no difference: "),
        "{}",
        said.stdout
    );
}
