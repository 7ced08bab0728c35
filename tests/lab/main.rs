//! `cargo run --example lab -- up`: a cluster to play with, without Kubernetes.

#[path = "mod.rs"]
mod lab;

fn main() {
    lab::supervisor::run_if_told();
    let options = lab::Options {
        scenario: std::env::args().nth(1).map(Into::into),
        ..lab::Options::default()
    };
    let started = std::time::Instant::now();
    let lab = lab::Lab::start(&options).expect("a lab");
    eprintln!("{:?} pid {} port {}", started.elapsed(), lab.pid(), lab.port());
    for (place, script) in [("node1", "ip -br a; ip r"), ("fabric", "bridge link"), ("node1", "ping -c1 -W1 172.30.0.12")] {
        println!("{:?}", lab.run(place, script));
    }
}
