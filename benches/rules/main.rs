//! Rule dumps of clusters of 1,000, 10,000 and 50,000 Services: reading one, walking a packet through it,
//! and beside it how long the kernel's own tool takes to print it.
//!
//! `cargo bench --bench rules`. Below each time stands what was allocated; the text itself is one of it,
//! and what reading adds is compared with its length at the start. The rules are loaded into a user
//! namespace where that is allowed; else that is said.

#[path = "dump.rs"]
mod dump;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use divan::{AllocProfiler, Bencher, black_box};
use netpath::cluster::snapshot;
use netpath::commands::examine;
use netpath::nat::eval::{Question, Tracer};
use netpath::nat::model::Ruleset;
use netpath::nat::read::{read_iptables, read_nft};
use netpath::net::{Family, Packet, Protocol};
use netpath::observe::Observations;
use netpath::path::Stage;
use netpath::route::Host;
use netpath::target::Request;
use netpath::world::World;

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

const SIZES: [u32; 3] = [1_000, 10_000, 50_000];
const ENDPOINTS: [u32; 3] = [100, 1_000, 4_000];

fn main() {
    for size in SIZES {
        let (iptables, nftables) = (dump::iptables(size).len(), dump::nftables(size).len());
        println!("{size} Services: iptables-save {iptables} bytes, nft -j {nftables} bytes");
    }
    divan::main();
}

fn iptables(text: &Arc<str>) -> Ruleset {
    let mut rules = Ruleset::default();
    read_iptables(&mut rules, Arc::clone(text), Some(Family::V4), false).expect("a dump");
    rules
}

fn nftables(text: &Arc<str>) -> Ruleset {
    let mut rules = Ruleset::default();
    read_nft(&mut rules, Arc::clone(text)).expect("a listing");
    rules
}

fn host() -> Host {
    Host {
        addresses: Some(vec![[192, 168, 0, 2].into()]),
        ..Host::default()
    }
}

/// A pod to a Service in the middle.
fn question(size: u32) -> Question {
    let packet = Packet::new(
        [10, 0, 0, 2].into(),
        dump::cluster_ip(size / 2 + 7).into(),
        80,
        Protocol::Tcp,
    );
    Question::incoming(packet, "pod0")
}

/// Reads, and walks the first packet: what one question costs.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn read_and_walk_iptables(bencher: Bencher<'_, '_>, size: u32) {
    read_and_walk(bencher, size, dump::iptables, iptables);
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn read_and_walk_nftables(bencher: Bencher<'_, '_>, size: u32) {
    read_and_walk(bencher, size, dump::nftables, nftables);
}

/// Every further packet.
#[divan::bench(args = SIZES, sample_count = 100)]
fn walk_iptables(bencher: Bencher<'_, '_>, size: u32) {
    walk(bencher, &iptables(&dump::iptables(size).into()), size);
}

#[divan::bench(args = SIZES, sample_count = 100)]
fn walk_nftables(bencher: Bencher<'_, '_>, size: u32) {
    walk(bencher, &nftables(&dump::nftables(size).into()), size);
}

/// A whole diagnosis for one Service of so many endpoints: the node's rules are walked once for all.
#[divan::bench(args = ENDPOINTS, sample_count = 5, sample_size = 1)]
fn endpoints_iptables(bencher: Bencher<'_, '_>, endpoints: u32) {
    diagnose(bencher, endpoints, false);
}

#[divan::bench(args = ENDPOINTS, sample_count = 5, sample_size = 1)]
fn endpoints_nftables(bencher: Bencher<'_, '_>, endpoints: u32) {
    diagnose(bencher, endpoints, true);
}

fn diagnose(bencher: Bencher<'_, '_>, endpoints: u32, is_nftables: bool) {
    let text = dump::objects(endpoints);
    let mut view = snapshot::parse("objects.yaml", &text).expect("our own objects");
    let facts = dump::node_facts(endpoints, is_nftables);
    view.facts.nodes.insert("node1".to_owned(), facts);
    let request = Request {
        source: "pod/client".parse().expect("a target"),
        destination: "svc/large:80".parse().expect("a target"),
        source_namespace: "ns0".to_owned(),
        destination_namespace: "ns0".to_owned(),
        protocol: None,
        http: netpath::target::HttpAsked::default(),
    };
    bencher.bench_local(|| {
        let report = examine(&World::of(&view), &request, &Observations::default());
        let report = report.expect("both ends are there");
        let hops = report.paths.iter().flat_map(|path| &path.hops);
        assert!(
            hops.clone().any(|hop| hop.stage == Stage::Nat),
            "the node was asked"
        );
        black_box(report)
    });
}

/// What the node pays to print them.
#[divan::bench(args = SIZES[..2].iter().copied(), sample_count = 5, sample_size = 1)]
fn kernel_prints_iptables(bencher: Bencher<'_, '_>, size: u32) {
    let Some(place) = Namespace::with(&dump::iptables(size)) else {
        eprintln!("SKIPPED: no namespace in which iptables-nft-restore takes the rules");
        return;
    };
    bencher.bench_local(|| {
        let output = place.enter("iptables-nft-save").output();
        black_box(output.expect("iptables-nft-save runs").stdout.len())
    });
}

fn read_and_walk(
    bencher: Bencher<'_, '_>,
    size: u32,
    dump: fn(u32) -> String,
    read: fn(&Arc<str>) -> Ruleset,
) {
    let (text, host, question): (Arc<str>, _, _) = (dump(size).into(), host(), question(size));
    bencher.bench_local(|| {
        let rules = read(&text);
        let answer = Tracer::new(&rules, &host).walk(&question);
        assert_eq!(answer.outcomes.len(), 3, "three endpoints");
        black_box(rules)
    });
}

fn walk(bencher: Bencher<'_, '_>, rules: &Ruleset, size: u32) {
    let (host, question) = (host(), question(size));
    let tracer = Tracer::new(rules, &host);
    bencher.bench_local(|| black_box(tracer.walk(&question)));
}

/// A network namespace with rules loaded; it ends with the process that holds it.
struct Namespace {
    holder: Child,
    enter: &'static [&'static str],
}

/// How to make one and how to enter it: as root, and as anybody. The kernel takes only small rule sets
/// from the latter at once.
const WAYS: [(&str, &[&str]); 2] = [
    ("-n", &["-n"]),
    ("-Urn", &["-U", "-n", "--preserve-credentials"]),
];

// === impl Namespace ===

impl Namespace {
    fn with(rules: &str) -> Option<Self> {
        let made = |(flags, enter)| Self::made(flags, enter, rules);
        WAYS.into_iter().find_map(made)
    }

    fn made(flags: &str, enter: &'static [&'static str], rules: &str) -> Option<Self> {
        let mut holder = Command::new("unshare")
            .args([flags, "sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let stdout = holder.stdout.take();
        let place = Self { holder, enter };
        stdout?.read_exact(&mut [0; 6]).ok()?;
        let mut restore = place
            .enter("iptables-nft-restore")
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        restore.stdin.take()?.write_all(rules.as_bytes()).ok()?;
        restore.wait().ok()?.success().then_some(place)
    }

    fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.holder.id().to_string()])
            .args(self.enter)
            .arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its input ends with us anyway.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
