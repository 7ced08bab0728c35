//! Ended at any moment, also while it thinks: soon, with nothing left that could be removed.

use std::fmt::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::stub::{Asked, Manner, Stub};
use super::world::shop;

const SIGNALS: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// Much less than all of the probing may take, and much more than tidying up does.
const SOON: Duration = Duration::from_secs(20);

/// So many checks are thought about for a long time.
const CHECKS: usize = 400;

/// A server where pods start, and never say anything.
fn silent() -> Stub {
    Stub::that(shop(), |asked: &Asked| {
        if asked.url.contains("/log") {
            Manner::Silence
        } else {
            Manner::Plain
        }
    })
}

fn start(stub: &Stub, suite: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(["check", suite, "--deep", "--timeout", "60s"])
        .args(["--server", &stub.url, "--agent-image", "probe"])
        .env_clear()
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Many questions, so that finding the next step takes long.
fn suite() -> String {
    let mut text = "apiVersion: netpath/v1\nkind: Suite\nchecks:\n".to_owned();
    for number in 0..CHECKS {
        let port = 8080 + number % 7;
        let _ = writeln!(
            text,
            "- {{name: c{number}, from: shop/pod/client-1, to: \"shop/svc/api:{port}\", expect: Reachable}}"
        );
    }
    text
}

/// Sends a signal, and sees the program end: how, how soon, and what it said.
fn end(mut program: Child, signal: Signal) -> (Option<i32>, Duration, String) {
    let id = i32::try_from(program.id()).expect("a process");
    let since = Instant::now();
    kill(Pid::from_raw(id), signal).expect("it runs");
    while program.try_wait().expect("a status").is_none() {
        assert!(since.elapsed() < SOON, "{signal} is not heard");
        std::thread::sleep(Duration::from_millis(10));
    }
    let elapsed = since.elapsed();
    let output = program.wait_with_output().expect("it ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), elapsed, said)
}

/// The moments are whatever they are on this machine: what is asserted holds at each.
#[test]
fn at_any_moment_nothing_is_left_behind() {
    let file = std::env::temp_dir().join(format!("netpath-signals-{}.yaml", std::process::id()));
    std::fs::write(&file, suite()).expect("a file");
    let suite = file.display().to_string();
    for (number, signal) in SIGNALS.iter().cycle().take(12).enumerate() {
        let stub = silent();
        let program = start(&stub, &suite);
        std::thread::sleep(Duration::from_millis(150 * number as u64));
        let (code, elapsed, said) = end(program, *signal);
        // Before there is anything to tidy up the signal ends it by itself.
        assert!(
            matches!(code, None | Some(130)),
            "{signal}: {code:?} {said}"
        );
        let left = stub.made();
        assert!(
            left.is_empty(),
            "{signal} after {elapsed:?}: {left:?} {said}"
        );
    }
    let _ = std::fs::remove_file(&file);
}

#[test]
fn while_it_thinks_it_hears() {
    let file = std::env::temp_dir().join(format!("netpath-thinks-{}.yaml", std::process::id()));
    std::fs::write(&file, suite()).expect("a file");
    for signal in SIGNALS {
        let stub = silent();
        let program = start(&stub, &file.display().to_string());
        let since = Instant::now();
        // Something is there to be removed, so that signals are heard by the program itself.
        while stub.made().is_empty() {
            assert!(since.elapsed() < SOON * 6, "it makes nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        let (code, elapsed, said) = end(program, signal);
        assert_eq!(code, Some(130), "{signal} after {elapsed:?}: {said}");
        assert!(said.contains("interrupted"), "{said}");
        assert_eq!(stub.made(), Vec::<serde_json::Value>::new(), "{signal}");
    }
    let _ = std::fs::remove_file(&file);
}
