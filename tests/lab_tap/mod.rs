//! The tap in the lab: every fault lies between the right two points, by real packets.

use std::process::Command;

use netpath_lab::net::Transport;
use netpath_lab::{Lab, Options};
use serde::Deserialize;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-netpath");

/// The image by which the lab has the probe.
const IMAGE: &str = "localhost/kubectl-netpath:dev";

/// A fault, and where the tap must see it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    run: String,
    #[serde(default)]
    undo: String,
    #[serde(default)]
    last: Vec<String>,
    #[serde(default)]
    gap: String,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    /// A tool without which the fault is passed over.
    #[serde(default)]
    needs: Option<String>,
    #[serde(default, rename = "in")]
    places: Vec<String>,
}

/// A lab with what scripts need to know of it.
struct Ground {
    lab: Lab,
    kind: &'static str,
    /// `shop/api-…`, its address, and the node's end of its cable.
    pod: String,
    address: String,
    client: String,
    veth: String,
}

#[test]
fn faults_are_located_over_plain_routes() {
    check("routes", &Options::default());
}

#[test]
fn faults_are_located_over_vxlan() {
    let options = Options {
        transport: Some(Transport::Vxlan),
        ..Options::default()
    };
    check("vxlan", &options);
}

#[test]
fn faults_are_located_over_ipv6() {
    let options = Options {
        dual: true,
        ..Options::default()
    };
    check("ipv6", &options);
}

/// `--pcap`: what was seen, at every point, as tcpdump reads it.
#[test]
fn the_packets_open_in_tcpdump() {
    let words = vec![env!("NETPATH_AGENT").to_owned()];
    let options = Options {
        images: [(IMAGE.to_owned(), words)].into(),
        transport: Some(Transport::Vxlan),
        ..Options::default()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        return;
    };
    let ground = Ground::of(lab, "vxlan");
    let file = std::env::temp_dir().join(format!("netpath-{}.pcapng", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let asked = || {
        let words = ["--pcap", file.to_str().expect("UTF-8")];
        ground.command(9090).args(words).output().expect("it runs")
    };
    let output = asked();
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["verdict"], "Reachable", "{report:#}");
    let points = report["tap"]["points"].as_array().map_or(0, Vec::len);

    let read = Command::new("tcpdump").args(["-nr"]).arg(&file).output();
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{error}");
            eprintln!("SKIPPED: no tcpdump here");
            return;
        }
    };
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let syn = format!("> {}.9090: Flags [S]", ground.address);
    assert!(text.contains(&syn), "{text}");
    // The tunnel carries it.
    assert!(text.contains("172.30.0.12.8472: "), "{text}");
    // Three attempts pass each point.
    assert!(
        points > 6 && text.lines().count() >= points,
        "{points} points: {text}"
    );
    let bytes = std::fs::read(&file).expect("the file");
    for point in [
        "node1 cni0 in",
        "node1 flannel.1 out",
        "node1 eth0 out",
        "node2 eth0 in",
    ] {
        let is_named = bytes
            .windows(point.len())
            .any(|part| part == point.as_bytes());
        assert!(is_named, "{point}");
    }

    // What is there stays.
    let again = asked();
    let said = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(2), "{said}");
    assert!(said.contains("name a new file"), "{said}");
    std::fs::remove_file(&file).expect("the file");
}

fn check(kind: &'static str, options: &Options) {
    let words = vec![env!("NETPATH_AGENT").to_owned()];
    let options = Options {
        images: [(IMAGE.to_owned(), words)].into(),
        ..options.clone()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        return;
    };
    let ground = Ground::of(lab, kind);
    let only = std::env::var("NETPATH_TAP_ONLY").unwrap_or_default();
    let faults: Vec<Fault> =
        serde_saphyr::from_str(include_str!("faults.yaml")).expect("the faults can be read");
    let here = faults.iter().filter(|fault| {
        (fault.places.is_empty() || fault.places.iter().any(|place| place == kind))
            && fault.name.contains(&only)
    });
    let mut wrong = Vec::new();
    for fault in here {
        if let Err(why) = ground.try_out(fault) {
            eprintln!("{kind}: {}: {why}", fault.name);
            wrong.push(format!("{}: {why}", fault.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// === impl Ground ===

impl Ground {
    fn of(lab: Lab, kind: &'static str) -> Self {
        let run = |place: &str, script: &str| {
            let outcome = lab.run(place, script).expect("a script runs");
            assert!(outcome.success(), "{place}: {script}: {}", outcome.stderr);
            outcome.stdout.trim().to_owned()
        };
        // Errors are seldom sent twice to the same host (icmp(7)).
        for node in ["node1", "node2"] {
            run(
                node,
                "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0",
            );
        }
        let pod = run("node1", "printf %s '@(name shop app=api node2)'");
        let which = if kind == "ipv6" { "pod6" } else { "pod" };
        let address = run(
            "node1",
            &format!("printf %s '@({which} shop app=api node2)'"),
        );
        let client = run("node1", &format!("printf %s '@({which} shop/client-1)'"));
        // `2: eth0@if7: …` inside is `7: veth…@if2: …` on the node.
        let index = run(
            &pod,
            "ip -o link show eth0 | sed 's/.*eth0@if\\([0-9]*\\):.*/\\1/'",
        );
        let veth = run(
            "node2",
            &format!("ip -o link | sed -n 's/^{index}: \\([^@]*\\)@.*/\\1/p'"),
        );
        Self {
            lab,
            kind,
            pod,
            address,
            client,
            veth,
        }
    }

    fn filled(&self, text: &str) -> String {
        let (tables, uplink, wire) = match self.kind {
            "vxlan" => ("iptables", "flannel.1", "udp dport 8472"),
            "ipv6" => ("ip6tables", "eth0", "tcp sport != 1 tcp dport != 1"),
            _ => ("iptables", "eth0", "tcp sport != 1 tcp dport != 1"),
        };
        text.replace("POD-NAME", &self.pod)
            .replace("POD", &self.address)
            .replace("CLIENT", &self.client)
            .replace("VETH", &self.veth)
            .replace("IPT ", &format!("{tables} "))
            .replace("UPLINK", uplink)
            .replace("WIRE", wire)
    }

    /// Breaks it, asks, and repairs it.
    fn try_out(&self, fault: &Fault) -> Result<(), String> {
        if let Some(tool) = &fault.needs
            && self.run("node2", &format!("{tool} -S")).is_err()
        {
            eprintln!("SKIPPED: {}: no {tool} here", fault.name);
            return Ok(());
        }
        let at = self.filled(&fault.at);
        if !fault.run.is_empty() {
            self.run(&at, &self.filled(&fault.run))?;
        }
        let judged = self
            .ask(fault.port.unwrap_or(9090))
            .and_then(|report| self.judge(fault, &report));
        if !fault.undo.is_empty() {
            self.run(&at, &self.filled(&fault.undo))?;
        }
        judged
    }

    fn run(&self, place: &str, script: &str) -> Result<(), String> {
        let outcome = self
            .lab
            .run(place, script)
            .map_err(|error| format!("{error:#}"))?;
        if outcome.success() {
            Ok(())
        } else {
            Err(format!("{place}: {script}: {}", outcome.stderr))
        }
    }

    fn command(&self, port: u16) -> Command {
        // By its name a pod is asked at its first address, which is that of IPv4.
        let to = match self.kind {
            "ipv6" => format!("[{}]:{port}", self.address),
            _ => format!("{}:{port}", self.pod.replacen('/', "/pod/", 1)),
        };
        let mut command = Command::new(PROGRAM);
        command
            .args(["pod/client-1", &to, "-n", "shop", "--tap"])
            .args(["--timeout", "1s", "-o", "json", "--agent-image", IMAGE])
            .env("KUBECONFIG", self.lab.kubeconfig());
        command
    }

    fn ask(&self, port: u16) -> Result<Value, String> {
        let output = self.command(port).output();
        let output = output.map_err(|error| error.to_string())?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn judge(&self, fault: &Fault, report: &Value) -> Result<(), String> {
        let tap = &report["tap"];
        let outcome = tap["outcome"].as_str().unwrap_or_default();
        let expected = fault.outcome.as_deref().unwrap_or("lost");
        let summary = tap["summary"].as_str().unwrap_or_default();
        let last = tap["lostBetween"][0].as_u64();
        let last = last.and_then(|at| tap["points"].get(usize::try_from(at).ok()?));
        let last = last.map_or_else(String::new, |point| {
            let of = |field: &str| point[field].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", of("node"), of("interface"), of("direction"))
        });
        let right_last = fault.last.is_empty()
            || fault.last.iter().any(|one| {
                // In a tunnel the packet comes by the uplink, then by the tunnel.
                self.filled(one) == last
            });
        let is_right = expected.split('|').any(|one| one == outcome)
            && right_last
            && summary.contains(&fault.gap);
        let is_alone = expected != "complete" || report["verdict"] == "Reachable";
        if is_right && is_alone {
            return Ok(());
        }
        Err(format!(
            "{outcome}, last {last:?}, {summary}; wanted {expected} {:?} {}; {} {}",
            fault.last, fault.gap, report["verdict"], report["unread"]
        ))
    }
}
