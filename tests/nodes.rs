//! Stages `nat`, `route`, `destination` and `return` over the facts of nodes and pods: what the
//! recordings of faults hold, and small worlds that no recording has, each a healthy recording with one
//! file falsified.

use std::path::PathBuf;

use netpath::cli::{Cli, TraceArgs};
use netpath::cluster::{ClusterView, NodeFacts, PodFacts, snapshot};
use netpath::commands::{examine, question};
use netpath::diagnose::{Severity, Verdict};
use netpath::observe::Observations;
use netpath::path::{Basis, Status};
use netpath::report::PathReport;

use k8s_openapi::api::core::v1::{ConfigMap, NodeAddress};

use crate::findings::{Said, of_report};
use crate::support;

/// A healthy recording with one thing falsified, and what that makes of it.
struct World {
    /// What is falsified.
    what: &'static str,
    recording: &'static str,
    args: &'static [&'static str],
    change: fn(&mut ClusterView),
    code: &'static str,
    verdict: Verdict,
}

/// A recording: a copy among the tests, or the one beside the project.
pub fn recording(name: &str) -> Option<PathBuf> {
    let copies = ["tests/scenarios", "../shared/scenarios"];
    let found = copies
        .map(|folder| support::project().join(folder).join(name))
        .into_iter()
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: recording {name} is not there");
    }
    found
}

pub fn ask(view: &ClusterView, args: &[&str]) -> PathReport {
    use clap::Parser;
    let line = std::iter::once(&"netpath")
        .chain(args)
        .chain(&["-n", "shop"]);
    let args: TraceArgs = Cli::parse_from(line).trace;
    let request = question(&args, "shop").expect("a question that makes sense");
    examine(
        &netpath::world::World::of(view),
        &request,
        &Observations::default(),
    )
    .expect("both ends are there")
}

/// The findings that are faults, worst first.
pub fn faults(report: &PathReport) -> Vec<&str> {
    let found = report.findings.iter();
    let found = found.filter(|finding| finding.severity != Severity::Notice);
    found.map(|finding| finding.code.as_str()).collect()
}

pub fn node<'f>(view: &'f mut ClusterView, name: &str) -> &'f mut NodeFacts {
    view.facts
        .nodes
        .get_mut(name)
        .expect("a node of the recording")
}

/// The facts of the first pod whose name begins so.
pub fn pod<'f>(view: &'f mut ClusterView, name: &str) -> &'f mut PodFacts {
    let mut all = view.facts.pods.iter_mut();
    let found = all.find(|((_, own), _)| own.starts_with(name));
    found.expect("a pod of the recording").1
}

/// Replaces text that must be there.
pub fn replace(text: &mut Option<String>, from: &str, to: &str) {
    let text = text.as_mut().expect("a file of the recording");
    assert!(text.contains(from), "{from:?} is not in the recording");
    *text = text.replace(from, to);
}

/// Puts a line in front of the first that begins so.
fn before(text: &mut Option<String>, line: &str, new: &str) {
    replace_first(text, &format!("\n{line}"), &format!("\n{new}\n{line}"));
}

pub fn replace_first(text: &mut Option<String>, from: &str, to: &str) {
    let text = text.as_mut().expect("a file of the recording");
    assert!(text.contains(from), "{from:?} is not in the recording");
    *text = text.replacen(from, to, 1);
}

fn set(text: &mut Option<String>, name: &str, value: &str) {
    let all = text.as_mut().expect("sysctls of the recording");
    let lines: Vec<String> = all
        .lines()
        .filter(|line| !line.starts_with(&format!("{name} ")))
        .map(str::to_owned)
        .chain([format!("{name} = {value}")])
        .collect();
    *all = lines.join("\n");
}

/// Drops the lines of a text that hold a word.
pub fn drop_lines(text: &mut Option<String>, word: &str) {
    let all = text.as_mut().expect("a file of the recording");
    assert!(all.contains(word), "{word:?} is not in the recording");
    let kept: Vec<&str> = all.lines().filter(|line| !line.contains(word)).collect();
    *all = kept.join("\n");
}

/// Two readings of a node's counters, between which they have grown by so much.
fn counted(invalid: u32, insert_failed: u32) -> String {
    let line = |invalid, failed| {
        format!("cpu=0 found=9 invalid={invalid} insert=0 insert_failed={failed} drop=0\n")
    };
    line(70, 5) + &line(70 + invalid, 5 + insert_failed)
}

/// Lets a node run another kernel.
fn run_kernel(view: &mut ClusterView, name: &str, version: &str) {
    let mut object = view.nodes.get("", name).expect("a node").clone();
    let status = object.status.as_mut().expect("its status");
    let info = status.node_info.as_mut().expect("what it runs");
    version.clone_into(&mut info.kernel_version);
    view.nodes.insert("", name, object);
}

/// Lets a pod ask for a port of its node.
pub fn give_host_port(view: &mut ClusterView, name: &str, port: i32) {
    let mut object = view.pods.get("shop", name).expect("a pod").clone();
    let spec = object.spec.as_mut().expect("its spec");
    let ports = spec.containers[0].ports.as_mut().expect("its ports");
    ports[0].host_port = Some(port);
    view.pods.insert("shop", name, object);
}

const SERVICE: &[&str] = &["pod/client-1", "svc/api"];
const TO_SERVICE: &str = "ok-pod-to-service";

/// The worlds, by family of cause.
#[allow(clippy::too_many_lines)]
fn worlds() -> Vec<World> {
    use Verdict::{Degraded, Unreachable};

    let world = |what, code, verdict, change: fn(&mut ClusterView)| World {
        what,
        recording: TO_SERVICE,
        args: SERVICE,
        change,
        code,
        verdict,
    };
    let overlay = |what, code, change: fn(&mut ClusterView)| World {
        what,
        recording: "overlay-ok",
        args: &["pod/client-1", "svc/web:80"],
        change,
        code,
        verdict: Verdict::Degraded,
    };
    vec![
        world(
            "no rules of kube-proxy at all",
            "KPX-01",
            Unreachable,
            |view| {
                drop_lines(&mut node(view, "node1").iptables, "KUBE-");
            },
        ),
        world(
            "the jump from PREROUTING is gone",
            "KPX-03",
            Unreachable,
            |view| {
                drop_lines(&mut node(view, "node1").iptables, "-A PREROUTING");
            },
        ),
        world(
            "an endpoint that the rules do not know yet",
            "KPX-02",
            Degraded,
            |view| {
                let rules = &mut node(view, "node1").iptables;
                drop_lines(rules, "-> 10.244.1.11:9090");
                replace(
                    rules,
                    "-> 10.244.1.12:9090\" -m statistic --mode random --probability 0.50000000000",
                    "-> 10.244.1.12:9090\" -m statistic --mode random --probability 0.50000000000",
                );
            },
        ),
        world(
            "an endpoint's rule leads elsewhere",
            "KPX-09",
            Degraded,
            |view| {
                let rules = &mut node(view, "node1").iptables;
                replace_first(
                    rules,
                    "--to-destination 10.244.2.9:9090",
                    "--to-destination 10.244.2.99:9090",
                );
            },
        ),
        world(
            "a REJECT from when there were no endpoints",
            "KPX-02",
            Unreachable,
            |view| {
                let rules = &mut node(view, "node1").iptables;
                drop_lines(rules, "--comment \"shop/api:http cluster IP\"");
                before(
                    rules,
                    "[0:0] -A KUBE-FORWARD",
                    "[4:240] -A KUBE-SERVICES -d 10.96.6.170/32 -p tcp -m comment --comment \"shop/api:http has no endpoints\" -m tcp --dport 8080 -j REJECT --reject-with icmp-port-unreachable",
                );
            },
        ),
        world("a foreign DNAT in front", "KPX-08", Unreachable, |view| {
            let rules = &mut node(view, "node1").iptables;
            let first = "-A PREROUTING -d 10.96.6.170/32 -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 15001";
            let text = rules.as_mut().expect("rules");
            let at = text.find("*nat").expect("a nat table");
            let line = at
                + text[at..]
                    .find('[')
                    .and_then(|_| text[at..].find("\n["))
                    .expect("a rule")
                + 1;
            text.insert_str(line, &format!("[1:60] {first}\n"));
        }),
        world(
            "NOTRACK for the Service's address",
            "KPX-20",
            Unreachable,
            |view| {
                let rules = node(view, "node1").iptables.as_mut().expect("rules");
                rules.push_str("\n*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n[7:420] -A PREROUTING -d 10.96.6.170/32 -j CT --notrack\nCOMMIT\n");
            },
        ),
        world(
            "the source's node does not forward",
            "RTE-01",
            Unreachable,
            |view| {
                let text = &mut node(view, "node1").sysctls;
                replace(text, "forwarding = 1", "forwarding = 0");
                set(text, "net.ipv4.ip_forward", "0");
            },
        ),
        world(
            "one interface does not forward",
            "RTE-01",
            Unreachable,
            |view| {
                set(
                    &mut node(view, "node1").sysctls,
                    "net.ipv4.conf.cni0.forwarding",
                    "0",
                );
            },
        ),
        world(
            "the backend's node does not forward",
            "RTE-01",
            Degraded,
            |view| {
                let text = &mut node(view, "node2").sysctls;
                replace(text, "forwarding = 1", "forwarding = 0");
                set(text, "net.ipv4.ip_forward", "0");
            },
        ),
        world(
            "FORWARD drops what nothing accepts",
            "RTE-02",
            Unreachable,
            |view| {
                replace(
                    &mut node(view, "node1").iptables,
                    ":FORWARD ACCEPT",
                    ":FORWARD DROP",
                );
            },
        ),
        world(
            "a firewall on the source's node drops one endpoint",
            "RTE-21",
            Degraded,
            |view| {
                let rules = &mut node(view, "node1").iptables;
                replace_first(
                    rules,
                    "-A FORWARD -m conntrack",
                    "-A FORWARD -d 10.244.2.0/24 -j DROP\n[1:60] -A FORWARD -m conntrack",
                );
            },
        ),
        world(
            "a firewall on the backend's node drops answers",
            "RTE-21",
            Degraded,
            |view| {
                let rules = &mut node(view, "node2").iptables;
                replace_first(
                    rules,
                    "-A FORWARD -m conntrack",
                    "-A FORWARD -s 10.244.2.0/24 -p tcp -m tcp --sport 9090 -j DROP\n[1:60] -A FORWARD -m conntrack",
                );
            },
        ),
        world(
            "no route to the backend's node",
            "RTE-05",
            Degraded,
            |view| {
                replace(
                    &mut node(view, "node1").routes,
                    "10.244.2.0/24",
                    "10.244.9.0/24",
                );
            },
        ),
        world("no route back", "RTE-05", Degraded, |view| {
            replace(
                &mut node(view, "node2").routes,
                "10.244.1.0/24",
                "10.244.9.0/24",
            );
        }),
        world(
            "the route leads to an address that is gone",
            "RTE-06",
            Degraded,
            |view| {
                let facts = node(view, "node1");
                replace(
                    &mut facts.routes,
                    "\"gateway\":\"172.30.0.12\"",
                    "\"gateway\":\"172.30.0.99\"",
                );
                replace_first(
                    &mut facts.neighbours,
                    "[{",
                    "[{\"dst\":\"172.30.0.99\",\"dev\":\"eth0\",\"state\":[\"FAILED\"]},{",
                );
            },
        ),
        world("a blackhole route", "RTE-06", Degraded, |view| {
            replace_first(
                &mut node(view, "node1").routes,
                "[{",
                "[{\"type\":\"blackhole\",\"dst\":\"10.244.2.0/25\",\"flags\":[]},{",
            );
        }),
        world(
            "a policy rule that sends pods to a dead end",
            "RTE-32",
            Unreachable,
            |view| {
                let facts = node(view, "node1");
                replace_first(
                    &mut facts.rules,
                    "{\"priority\":32766",
                    "{\"priority\":99,\"src\":\"10.244.0.0\",\"srclen\":16,\"table\":\"99\"},{\"priority\":32766",
                );
                replace_first(
                    &mut facts.routes,
                    "[{",
                    "[{\"type\":\"unreachable\",\"dst\":\"default\",\"table\":\"99\",\"flags\":[]},{",
                );
            },
        ),
        world("a link address noted by hand", "RTE-20", Degraded, |view| {
            let text = node(view, "node1").neighbours.as_mut().expect("neighbours");
            let at = text.find("\"dst\":\"172.30.0.12\"").expect("the peer");
            let end = at + text[at..].find('}').expect("its end");
            text.replace_range(at..end, "\"dst\":\"172.30.0.12\",\"dev\":\"eth0\",\"lladdr\":\"02:00:00:00:00:99\",\"state\":[\"PERMANENT\"]");
        }),
        world(
            "strict filtering, and another way back",
            "RTE-14",
            Degraded,
            |view| {
                let facts = node(view, "node2");
                set(&mut facts.sysctls, "net.ipv4.conf.eth0.rp_filter", "1");
                replace(
                    &mut facts.routes,
                    "\"dst\":\"10.244.1.0/24\",\"gateway\":\"172.30.0.11\",\"dev\":\"eth0\"",
                    "\"dst\":\"10.244.1.0/24\",\"dev\":\"cni0\"",
                );
            },
        ),
        world(
            "the bridge has lost its address",
            "RTE-30",
            Unreachable,
            |view| {
                replace(
                    &mut node(view, "node1").addresses,
                    "\"local\":\"10.244.1.1\"",
                    "\"local\":\"fe80::99\"",
                );
            },
        ),
        world("the connection table is full", "KPX-11", Degraded, |view| {
            set(
                &mut node(view, "node1").sysctls,
                "net.netfilter.nf_conntrack_count",
                "262144",
            );
        }),
        world("the neighbour table is full", "RTE-19", Degraded, |view| {
            let settings = &mut node(view, "node1").sysctls;
            set(settings, "net.ipv4.neigh.default.gc_thresh3", "1");
        }),
        world(
            "silent connections are forgotten",
            "KPX-19",
            Degraded,
            |view| {
                let settings = &mut node(view, "node1").sysctls;
                let name = "net.netfilter.nf_conntrack_tcp_timeout_established";
                set(settings, name, "10");
            },
        ),
        world(
            "a policy engine that is behind rejects what policies admit",
            "POL-16",
            Degraded,
            |view| {
                let rules = &mut node(view, "node2").iptables;
                replace_first(rules, "*filter\n", "*filter\n:KUBE-POD-FW-XYZ - [0:0]\n");
                replace_first(
                    rules,
                    "-A FORWARD -m conntrack",
                    "-A FORWARD -d 10.244.2.9/32 -j KUBE-POD-FW-XYZ\n[1:60] -A KUBE-POD-FW-XYZ -j REJECT --reject-with icmp-port-unreachable\n[1:60] -A FORWARD -m conntrack",
                );
            },
        ),
        world(
            "rules of a stopped iptables kube-proxy beside those of nftables",
            "KPX-18",
            Verdict::Undetermined,
            |view| {
                let Some(folder) = recording("ok-pod-to-service-nft") else {
                    return;
                };
                let other = snapshot::load(&folder).expect("a recording");
                let rules = other.facts.nodes["node1"].nft_json.clone().expect("rules");
                let service = other.services.get("shop", "api").expect("a Service");
                let spec = service.spec.as_ref().expect("its spec");
                let address = spec.cluster_ip.as_deref().expect("its address");
                node(view, "node1").nft_json = Some(rules.replace(address, "10.96.6.170"));
            },
        ),
        world("nothing listens in one pod", "EPS-04", Degraded, |view| {
            replace(
                &mut pod(view, "api-54dbf8cbb5-jf4st").sockets,
                ":9090",
                ":9999",
            );
        }),
        world("a full accept queue", "DST-04", Degraded, |view| {
            replace(
                &mut pod(view, "api-54dbf8cbb5-jf4st").sockets,
                "LISTEN 0      4096",
                "LISTEN 4097      4096",
            );
        }),
        world("a filter inside the pod", "EPS-04", Degraded, |view| {
            pod(view, "api-54dbf8cbb5-jf4st").iptables = Some("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n[9:540] -A INPUT -p tcp -m tcp --dport 9090 -j DROP\nCOMMIT\n".to_owned());
        }),
        world(
            "the pod has another address than its status",
            "DST-09",
            Degraded,
            |view| {
                let facts = pod(view, "api-54dbf8cbb5-jf4st");
                replace(&mut facts.addresses, "10.244.2.9", "10.244.2.77");
            },
        ),
        world(
            "two backends of iptables serve it, one is from an earlier time",
            "KPX-04",
            Verdict::Undetermined,
            |view| {
                node(view, "node1").iptables_legacy = Some("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-RUKNB3TURLFC6SGL - [0:0]\n[9:540] -A PREROUTING -j KUBE-SERVICES\n[9:540] -A KUBE-SERVICES -d 10.96.6.170/32 -p tcp -m tcp --dport 8080 -j KUBE-SVC-RUKNB3TURLFC6SGL\n[9:540] -A KUBE-SVC-RUKNB3TURLFC6SGL -p tcp -j DNAT --to-destination 10.244.2.66:9090\nCOMMIT\n".to_owned());
            },
        ),
        world(
            "a foreign table of the same priority translates it, too",
            "KPX-08",
            Verdict::Undetermined,
            |view| {
                node(view, "node1").iptables_legacy = Some("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n[9:540] -A PREROUTING -d 10.96.6.170/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.1.1:1\nCOMMIT\n".to_owned());
            },
        ),
        world(
            "pods ask a cache on their node that is not there",
            "DNS-17",
            Unreachable,
            |view| {
                replace(
                    &mut pod(view, "client-1").resolv_conf,
                    "10.96.0.10",
                    "169.254.20.10",
                );
            },
        ),
        World {
            what: "nothing masquerades what comes in at a node",
            recording: "ok-nodeport-from-outside",
            args: &["external/172.30.0.200", "node/node2:30180"],
            change: |view| {
                drop_lines(
                    &mut node(view, "node2").iptables,
                    "MASQUERADE --random-fully",
                );
            },
            code: "KPX-07",
            verdict: Degraded,
        },
        World {
            what: "kube-proxy does not know that an endpoint is on its own node",
            recording: "ok-nodeport-from-outside",
            args: &["external/172.30.0.200", "node/node2:30180"],
            change: |view| {
                let service = view.services.get("shop", "web-np").expect("a Service");
                let mut service = service.clone();
                let spec = service.spec.as_mut().expect("its spec");
                spec.external_traffic_policy = Some("Local".to_owned());
                view.services.insert("shop", "web-np", service);
                let rules = &mut node(view, "node2").iptables;
                drop_lines(rules, "--dport 30180");
                before(
                    rules,
                    "[0:0] -A KUBE-FORWARD",
                    "[4:240] -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment \"shop/web-np:http has no local endpoints\" -m addrtype --dst-type LOCAL -m tcp --dport 30180 -j DROP",
                );
            },
            code: "KPX-06",
            verdict: Unreachable,
        },
        World {
            what: "IPv6 on one family only",
            recording: "dual-ok",
            args: &["pod/client-1", "svc/api-dual"],
            change: |view| {
                let mut all = view.facts.pods.iter_mut();
                for ((_, _), facts) in all
                    .by_ref()
                    .filter(|((_, name), _)| name.starts_with("api-"))
                {
                    replace(&mut facts.sockets, "*:9090", "0.0.0.0:9090");
                }
            },
            code: "DST-03",
            verdict: Degraded,
        },
        World {
            what: "a pod that may not come back to itself",
            recording: TO_SERVICE,
            args: &["pod/api-54dbf8cbb5-jf4st", "svc/api"],
            change: |view| {
                replace(
                    &mut node(view, "node2").bridge_links,
                    "\"hairpin\":true",
                    "\"hairpin\":false",
                );
            },
            code: "KPX-16",
            verdict: Degraded,
        },
        World {
            what: "a stale UDP connection",
            recording: TO_SERVICE,
            args: &["pod/client-1", "svc/web:81", "--protocol", "udp"],
            change: |view| {
                let text = node(view, "node1").conntrack.as_mut().expect("connections");
                text.insert_str(0, "ipv4 2 udp 17 29 src=10.244.1.9 dst=10.96.168.71 sport=5000 dport=81 [UNREPLIED] src=10.244.2.66 dst=10.244.1.9 sport=8081 dport=5000 mark=0 use=1\n");
            },
            code: "KPX-10",
            verdict: Degraded,
        },
        World {
            what: "a server that answers datagrams from another address",
            recording: TO_SERVICE,
            args: &["pod/client-1", "svc/web:81", "--protocol", "udp"],
            change: |view| {
                let pod =
                    view.pods
                        .iter()
                        .find(|pod| {
                            pod.metadata.labels.as_ref().is_some_and(|labels| {
                                labels.get("app").is_some_and(|app| app == "web")
                            })
                        })
                        .expect("web");
                let own = pod
                    .status
                    .as_ref()
                    .and_then(|status| status.pod_ip.clone())
                    .expect("its address");
                let place = pod
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.node_name.clone())
                    .expect("its node");
                let text = node(view, &place).conntrack.get_or_insert_default();
                text.insert_str(0, &format!("ipv4 2 udp 17 29 src=10.244.1.9 dst=10.96.168.71 sport=5000 dport=81 [UNREPLIED] src={own} dst=10.244.1.9 sport=8081 dport=5000 mark=0 use=1\nipv4 2 udp 17 29 src=10.244.99.7 dst=10.244.1.9 sport=8081 dport=5000 [UNREPLIED] src=10.244.1.9 dst=10.244.99.7 sport=5000 dport=8081 mark=0 use=1\n"));
            },
            code: "DST-10",
            verdict: Degraded,
        },
        World {
            what: "a stale connection to a DNS pod",
            recording: TO_SERVICE,
            args: SERVICE,
            change: |view| {
                let text = node(view, "node1").conntrack.as_mut().expect("connections");
                text.insert_str(0, "ipv4 2 udp 17 29 src=10.244.1.9 dst=10.96.0.10 sport=5000 dport=53 [UNREPLIED] src=10.244.2.66 dst=10.244.1.9 sport=53 dport=5000 mark=0 use=1\n");
            },
            code: "DNS-19",
            verdict: Degraded,
        },
        World {
            what: "no rule masquerades what leaves the cluster, on one node",
            recording: TO_SERVICE,
            args: &["pod/client-1", "ip/172.30.0.200:80"],
            change: |view| drop_lines(&mut node(view, "node1").iptables, "lab pod egress"),
            code: "RTE-25",
            verdict: Unreachable,
        },
        World {
            what: "masqueraded connections collide, as a counter that grows tells",
            recording: TO_SERVICE,
            args: &["pod/client-1", "ip/172.30.0.200:80"],
            change: |view| node(view, "node1").conntrack_stats = Some(counted(0, 3)),
            code: "KPX-13",
            verdict: Verdict::Reachable,
        },
        World {
            what: "lookups collide on an old kernel",
            recording: TO_SERVICE,
            args: SERVICE,
            change: |view| {
                run_kernel(view, "node1", "4.15.0-213-generic");
                node(view, "node1").conntrack_stats = Some(counted(0, 3));
            },
            code: "DNS-15",
            verdict: Verdict::Reachable,
        },
        World {
            what: "packets of no connection pass untranslated",
            recording: "ok-pod-to-service-nft",
            args: SERVICE,
            change: |view| node(view, "node1").conntrack_stats = Some(counted(12, 0)),
            code: "KPX-12",
            verdict: Verdict::Reachable,
        },
        World {
            what: "two bridges of one range",
            recording: TO_SERVICE,
            args: SERVICE,
            change: |view| {
                let links = &mut node(view, "node2").addresses;
                replace(links, "\"master\":\"cni0\"", "\"master\":\"cbr0\"");
                replace_first(
                    links,
                    "[{",
                    "[{\"ifindex\":90,\"ifname\":\"cbr0\",\"flags\":[\"UP\",\"LOWER_UP\"],\"mtu\":1500,\"linkinfo\":{\"info_kind\":\"bridge\"},\"addr_info\":[{\"family\":\"inet\",\"local\":\"10.244.2.254\",\"prefixlen\":24,\"scope\":\"global\"}]},{",
                );
            },
            code: "RTE-33",
            verdict: Degraded,
        },
        World {
            what: "what enters by one interface would be answered by another",
            recording: "ok-nodeport-from-outside",
            args: &["external/172.30.0.200", "node/node2:30180"],
            change: |view| {
                let facts = node(view, "node2");
                set(&mut facts.sysctls, "net.ipv4.conf.eth0.rp_filter", "1");
                replace_first(
                    &mut facts.routes,
                    "[{",
                    "[{\"dst\":\"172.30.0.200\",\"dev\":\"eth1\",\"flags\":[]},{",
                );
            },
            code: "EXT-12",
            verdict: Unreachable,
        },
        World {
            what: "nodePort on another address of a node in nftables mode",
            recording: "ok-nodeport-from-outside-nft",
            args: &["external/172.30.0.200", "node/node2:30180"],
            change: |view| {
                let rules = node(view, "node2").nft_json.as_mut().expect("rules");
                *rules = rules.replace("\"172.30.0.12\"", "\"172.30.0.13\"");
            },
            code: "KPX-02",
            verdict: Unreachable,
        },
        overlay("the tunnel's entry names another node", "RTE-09", |view| {
            replace(
                &mut node(view, "node1").bridge_fdb,
                "\"dst\":\"172.30.0.12\"",
                "\"dst\":\"10.0.2.15\"",
            );
        }),
        overlay(
            "the peer's tunnel has another link address",
            "RTE-08",
            |view| {
                replace(
                    &mut node(view, "node2").addresses,
                    "0a:58:0a:f4:02:00",
                    "0a:58:0a:f4:02:99",
                );
            },
        ),
        overlay("another network identifier", "RTE-10", |view| {
            replace(
                &mut node(view, "node2").addresses,
                "\"info_data\":{\"id\":1,",
                "\"info_data\":{\"id\":4096,",
            );
        }),
        overlay(
            "the peer's uplink takes less than the tunnel sends",
            "RTE-11",
            |view| {
                let text = node(view, "node2").addresses.as_mut().expect("addresses");
                let at = text.find("\"ifname\":\"eth0\"").expect("eth0");
                let mtu = at + text[at..].find("\"mtu\":1500").expect("its MTU");
                text.replace_range(mtu..mtu + 10, "\"mtu\":1400");
            },
        ),
    ]
}

/// What every world with its lie is told; None where a recording is not there.
pub fn said() -> Option<Vec<Said>> {
    let all = worlds().into_iter();
    let said = all.map(|world| {
        let mut view = snapshot::load(&recording(world.recording)?).ok()?;
        (world.change)(&mut view);
        let report = ask(&view, world.args);
        Some(Said {
            scenario: format!("nodes/{}", world.what),
            findings: report.findings.iter().map(of_report).collect(),
        })
    });
    said.collect()
}

/// Every world is healthy without its lie, and gives the cause with it.
#[test]
fn one_falsified_file_gives_one_cause() {
    let mut wrong = Vec::new();
    for world in worlds() {
        let Some(folder) = recording(world.recording) else {
            return;
        };
        let mut view = snapshot::load(&folder).expect("a recording");
        let healthy = ask(&view, world.args);
        if !faults(&healthy).is_empty() || healthy.verdict != Verdict::Reachable {
            wrong.push(format!(
                "{}: not healthy before: {:?}",
                world.what,
                faults(&healthy)
            ));
        }
        (world.change)(&mut view);
        let report = ask(&view, world.args);
        let found = faults(&report);
        if found.first() != Some(&world.code) || found.len() > 1 || report.verdict != world.verdict
        {
            wrong.push(format!(
                "{}: {} {:?} expected, {found:?} {:?} found",
                world.what, world.code, world.verdict, report.verdict
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An address of a node that node ports do not answer on: nftables mode by default, others by
/// configuration.
#[test]
fn node_ports_answer_where_kube_proxy_says() {
    let args = ["external/172.30.0.200", "ip/10.0.2.15:30180"];
    for (name, configured, code) in [
        ("ok-nodeport-from-outside", None, None),
        ("ok-nodeport-from-outside-nft", None, Some("KPX-14")),
        (
            "ok-nodeport-from-outside",
            Some("172.30.0.0/16"),
            Some("KPX-15"),
        ),
        (
            "ok-nodeport-from-outside",
            Some("192.168.0.0/16"),
            Some("KPX-15"),
        ),
    ] {
        let Some(folder) = recording(name) else {
            return;
        };
        let mut view = snapshot::load(&folder).expect("a recording");
        let mut object = view.nodes.get("", "node2").expect("a node").clone();
        let status = object.status.as_mut().expect("its status");
        let addresses = status.addresses.as_mut().expect("its addresses");
        addresses.push(NodeAddress {
            address: "10.0.2.15".to_owned(),
            type_: "InternalIP".to_owned(),
        });
        view.nodes.insert("", "node2", object);
        replace_first(
            &mut node(&mut view, "node2").addresses,
            "\"local\":\"172.30.0.12\"",
            "\"local\":\"10.0.2.15\",\"prefixlen\":24,\"scope\":\"global\"},{\"family\":\"inet\",\"local\":\"172.30.0.12\"",
        );
        if let Some(net) = configured {
            let map = ConfigMap {
                data: Some(
                    [(
                        "config.conf".to_owned(),
                        format!("nodePortAddresses: [{net}]"),
                    )]
                    .into(),
                ),
                ..ConfigMap::default()
            };
            view.config_maps.insert("kube-system", "kube-proxy", map);
            drop_lines(&mut node(&mut view, "node2").iptables, "--dport 30180");
        }
        let report = ask(&view, &args);
        let expected: Vec<&str> = code.into_iter().collect();
        assert_eq!(faults(&report), expected, "{name} {configured:?}");
    }
}

/// What hides the client is told, and is no fault.
#[test]
fn what_hides_the_client_is_a_notice() {
    type Lie = fn(&mut ClusterView);
    let foreign: Lie = |view| {
        let rules = &mut node(view, "node1").iptables;
        replace_first(
            rules,
            "-A POSTROUTING -m comment",
            "-A POSTROUTING -s 10.244.1.9/32 -j MASQUERADE\n[5:300] -A POSTROUTING -m comment",
        );
    };
    let by_proxy: Lie = |view| {
        let rules = &mut node(view, "node1").iptables;
        replace(
            rules,
            "-A KUBE-SVC-RUKNB3TURLFC6SGL ! -s 10.244.0.0/16",
            "-A KUBE-SVC-RUKNB3TURLFC6SGL ! -s 10.99.0.0/16",
        );
    };
    for (code, change) in [("RTE-26", foreign), ("KPX-05", by_proxy)] {
        let Some(folder) = recording(TO_SERVICE) else {
            return;
        };
        let mut view = snapshot::load(&folder).expect("a recording");
        change(&mut view);
        let report = ask(&view, SERVICE);
        let told: Vec<&str> = report
            .findings
            .iter()
            .map(|found| found.code.as_str())
            .collect();
        assert_eq!((told, report.verdict), (vec![code], Verdict::Reachable));
    }
}

/// The recorded faults of nodes and pods, each by its cause, with proof and a way out.
#[test]
fn recorded_faults_of_nodes_are_named() {
    let mut wrong = Vec::new();
    for (name, code, args) in [
        (
            "bridge-nf-off-same-node",
            "KPX-17",
            &["pod/client-2", "svc/api"][..],
        ),
        ("foreign-dnat-grabs-the-service", "KPX-08", SERVICE),
        (
            "listens-on-loopback-only",
            "DST-02",
            &["pod/client-1", "svc/lo"],
        ),
        (
            "nodeport-dropped-by-host-firewall",
            "EXT-01",
            &["external", "node/node2:30180"],
        ),
        ("one-endpoint-dead", "EPS-04", SERVICE),
        ("service-rules-flushed", "KPX-03", SERVICE),
    ] {
        let Some(folder) = recording(name) else {
            return;
        };
        let view = snapshot::load(&folder).expect("a recording");
        let report = ask(&view, args);
        let first = report.findings.first();
        let is_whole = first.is_some_and(|first| {
            first.code == code && !first.evidence.is_empty() && !first.fix.commands.is_empty()
        });
        if !is_whole || faults(&report).len() != 1 || !report.basis.contains(&Basis::Node) {
            wrong.push(format!("{name}: {code} expected, {:?}", faults(&report)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a node was not looked at, nothing is claimed of it, and the report says so.
#[test]
fn what_was_not_gathered_is_not_claimed() {
    let Some(folder) = recording("service-rules-flushed") else {
        return;
    };
    let mut view = snapshot::load(&folder).expect("a recording");
    view.facts = netpath::cluster::Facts::default();
    let report = ask(&view, SERVICE);
    assert_eq!(report.verdict, Verdict::Reachable);
    assert_eq!(report.basis, [Basis::Api]);

    let mut view = snapshot::load(&folder).expect("a recording");
    view.facts.nodes.remove("node1");
    let report = ask(&view, SERVICE);
    assert_eq!(faults(&report), Vec::<&str>::new());
    assert!(
        report
            .not_looked_at
            .iter()
            .any(|what| what.ends_with("on node1"))
    );

    // A dump of another backend than kube-proxy's says nothing of its rules.
    let mut view = snapshot::load(&folder).expect("a recording");
    node(&mut view, "node1").iptables = None;
    assert_eq!(faults(&ask(&view, SERVICE)), Vec::<&str>::new());
    node(&mut view, "node1").iptables = Some("Cannot open netlink socket".to_owned());
    assert_eq!(faults(&ask(&view, SERVICE)), Vec::<&str>::new());
}

/// Where Services are served out of sight of all rules, their absence proves nothing.
#[test]
fn another_dataplane_leaves_it_open() {
    let Some(folder) = recording(TO_SERVICE) else {
        return;
    };
    let mut view = snapshot::load(&folder).expect("a recording");
    let rules = &mut node(&mut view, "node1").iptables;
    drop_lines(rules, "KUBE-");
    replace_first(rules, "*filter\n", "*filter\n:CILIUM_FORWARD - [0:0]\n");
    let report = ask(&view, SERVICE);
    assert_eq!(report.verdict, Verdict::Undetermined);
    assert_eq!(faults(&report), Vec::<&str>::new());
}

/// A cache on the node that is there is as good as the cluster's DNS.
#[test]
fn a_cache_on_the_node_is_healthy() {
    let Some(folder) = recording(TO_SERVICE) else {
        return;
    };
    let mut view = snapshot::load(&folder).expect("a recording");
    replace(
        &mut pod(&mut view, "client-1").resolv_conf,
        "10.96.0.10",
        "169.254.20.10",
    );
    let facts = node(&mut view, "node1");
    replace_first(
        &mut facts.addresses,
        "\"local\":\"10.244.1.1\"",
        "\"local\":\"169.254.20.10\",\"prefixlen\":32,\"scope\":\"global\"},{\"family\":\"inet\",\"local\":\"10.244.1.1\"",
    );
    let sockets = facts.sockets.as_mut().expect("sockets");
    sockets.push_str("\nudp UNCONN 0 0 169.254.20.10:53 0.0.0.0:*\n");
    let report = ask(&view, SERVICE);
    assert_eq!(
        (faults(&report), report.verdict),
        (Vec::new(), Verdict::Reachable)
    );
}

/// What counters say is no fault where nothing of this path can be lost by it: one reading alone, ports
/// picked at random, a kernel that resolves such collisions, a kernel that is liberal, a rule that drops
/// what belongs to no connection.
#[test]
fn counters_alone_are_no_fault() {
    type Change = fn(&mut ClusterView);
    const OUT: &[&str] = &["pod/client-1", "ip/172.30.0.200:80"];
    let cases: [(&str, &[&str], Change); 5] = [
        (TO_SERVICE, OUT, |view| {
            let one_reading = "cpu=0 found=9 invalid=700 insert=0 insert_failed=50 drop=0\n";
            node(view, "node1").conntrack_stats = Some(one_reading.to_owned());
        }),
        (TO_SERVICE, OUT, |view| {
            let facts = node(view, "node1");
            facts.conntrack_stats = Some(counted(0, 3));
            let rules = &mut facts.iptables;
            replace(
                rules,
                "egress\" -j MASQUERADE",
                "egress\" -j MASQUERADE --random-fully",
            );
        }),
        (TO_SERVICE, SERVICE, |view| {
            node(view, "node1").conntrack_stats = Some(counted(0, 3));
        }),
        ("ok-pod-to-service-nft", SERVICE, |view| {
            let facts = node(view, "node1");
            facts.conntrack_stats = Some(counted(12, 0));
            set(
                &mut facts.sysctls,
                "net.netfilter.nf_conntrack_tcp_be_liberal",
                "1",
            );
        }),
        (TO_SERVICE, SERVICE, |view| {
            node(view, "node1").conntrack_stats = Some(counted(12, 0));
        }),
    ];
    for (number, (name, args, change)) in cases.into_iter().enumerate() {
        let Some(folder) = recording(name) else {
            return;
        };
        let mut view = snapshot::load(&folder).expect("a recording");
        change(&mut view);
        let report = ask(&view, args);
        assert_eq!(faults(&report), [] as [&str; 0], "case {number}");
        assert_eq!(report.verdict, Verdict::Reachable, "case {number}");
    }
}

/// A program in front of all rules is told, unless somebody is there who is known to use such.
#[test]
fn a_program_on_an_interface_is_a_notice() {
    let Some(folder) = recording(TO_SERVICE) else {
        return;
    };
    let mut view = snapshot::load(&folder).expect("a recording");
    let listing = r#"[{"xdp":[],"tc":[{"devname":"cni0","ifindex":3,"kind":"clsact/ingress","name":"old_filter","id":9},
        {"devname":"docker0","ifindex":7,"kind":"clsact/ingress","name":"elsewhere","id":8}]}]"#;
    node(&mut view, "node1").attached = Some(listing.to_owned());
    let told = |view: &ClusterView| {
        let report = ask(view, SERVICE);
        let mut hops = report.paths.iter().flat_map(|path| &path.hops);
        assert!(hops.all(|hop| hop.status == Status::Pass), "no hop limps");
        let codes: Vec<String> = report.findings.iter().map(|one| one.code.clone()).collect();
        (codes, report.verdict)
    };
    let (codes, verdict) = told(&view);
    assert_eq!(
        (codes, verdict),
        (vec!["RTE-31".to_owned()], Verdict::Reachable)
    );
    let rules = &mut node(&mut view, "node1").iptables;
    replace_first(rules, "*filter\n", "*filter\n:cali-FORWARD - [0:0]\n");
    let (codes, verdict) = told(&view);
    assert_eq!((codes, verdict), (Vec::new(), Verdict::Reachable));
}

/// A host port that no rule leads to its pod; with the rule, and where somebody listens himself, all is
/// well.
#[test]
fn a_host_port_needs_a_rule() {
    type Change = fn(&mut NodeFacts);
    let args = ["external/172.30.0.200", "node/node2:8088"];
    let cases: [(Change, &[&str]); 3] = [
        (|_| (), &["EXT-10"]),
        (
            |facts| {
                let text = facts.iptables.as_mut().expect("rules");
                let nat = text.find("*nat").expect("a nat table");
                let first = nat + text[nat..].find("\n[").expect("a rule") + 1;
                text.insert_str(first, "[1:60] -A PREROUTING -p tcp -m tcp --dport 8088 -j DNAT --to-destination 10.244.2.9:9090\n");
            },
            &[],
        ),
        (
            |facts| {
                let sockets = facts.sockets.as_mut().expect("sockets");
                sockets.push_str("\ntcp LISTEN 0 4096 0.0.0.0:8088 0.0.0.0:*\n");
            },
            &[],
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let Some(folder) = recording("ok-nodeport-from-outside") else {
            return;
        };
        let mut view = snapshot::load(&folder).expect("a recording");
        give_host_port(&mut view, "api-54dbf8cbb5-jf4st", 8088);
        change(node(&mut view, "node2"));
        assert_eq!(faults(&ask(&view, &args)), expected, "case {number}");
    }
}

/// A firewall that knows its clients decides nothing about one that was not named.
#[test]
fn a_client_that_was_not_named_is_not_judged() {
    let Some(folder) = recording("ok-nodeport-from-outside") else {
        return;
    };
    let mut view = snapshot::load(&folder).expect("a recording");
    let rules = node(&mut view, "node2").iptables.as_mut().expect("rules");
    rules.push_str("\n*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n[1:60] -A PREROUTING -s 172.30.0.0/24 -j ACCEPT\n[1:60] -A PREROUTING -p tcp -m tcp --dport 30180 -j DROP\nCOMMIT\n");
    let open = ask(&view, &["external", "node/node2:30180"]);
    assert_eq!(
        (faults(&open), open.verdict),
        (Vec::new(), Verdict::Undetermined)
    );
    let admitted = ask(&view, &["external/172.30.0.200", "node/node2:30180"]);
    assert_eq!(admitted.verdict, Verdict::Reachable);
    let refused = ask(&view, &["external/198.51.100.7", "node/node2:30180"]);
    assert_eq!(faults(&refused), ["EXT-01"]);
}
