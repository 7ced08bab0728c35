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
    eprintln!(
        "{:?} pid {} port {}",
        started.elapsed(),
        lab.pid(),
        lab.port()
    );
    let mut args = std::env::args().skip(2);
    while let (Some(place), Some(script)) = (args.next(), args.next()) {
        let o = lab.run(&place, &script).unwrap();
        println!(
            "== {place}: {script} => {}\n{}{}",
            o.code, o.stdout, o.stderr
        );
    }
}
