//! Own ground: a user namespace in which an ordinary user may build networks.
//!
//! ```text
//!  test ─► unshare -Urnm this program --exact test ─► body: ip, nft, servers, the agent
//! ```

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use netpath_protocol::{Attempt, Failure, Hello, Line, Outcome};
use nix::sched::{CloneFlags, setns};

/// Set to the test's name inside.
const INSIDE: &str = "NETPATH_TEST_GROUND";

/// A test whose body runs on ground of its own.
macro_rules! on_own_ground {
    ($(#[$doc:meta])* fn $name:ident() $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            crate::agent::ground::run(concat!(module_path!(), "::", stringify!($name)), || $body);
        }
    };
}
pub(crate) use on_own_ground;

/// Runs `body` inside; outside, starts this program again so that it gets there.
pub fn run(path: &str, body: fn()) {
    let (_, name) = path.split_once("::").expect("a path below the crate");
    if std::env::var(INSIDE).is_ok_and(|inside| inside == name) {
        sh("mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip link set lo up");
        return body();
    }
    let ground = ["-Urnm", "--"];
    let works = Command::new("unshare").args(ground).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {name}: no user namespaces here (unshare -Urnm)");
        return;
    }
    if !Command::new("nft")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("SKIPPED: {name}: no nft here");
        return;
    }
    let output = Command::new("unshare")
        .args(ground)
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, name)
        .output()
        .expect("unshare ran a moment ago");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "nothing ran: {stdout}");
    // What the body has to say is for whoever runs the tests.
    for line in stdout.lines().filter(|line| line.contains("packets")) {
        println!("{line}");
    }
    for line in stderr.lines().filter(|line| line.contains("SKIPPED")) {
        eprintln!("{line}");
    }
}

/// Runs a shell script that must succeed.
pub fn sh(script: &str) {
    let output = Command::new("sh")
        .args(["-euc", script])
        .output()
        .expect("sh runs");
    assert!(
        output.status.success(),
        "{script}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Does something on a thread that is in another network namespace; a socket stays in the one it was
/// opened in.
pub fn at<T: Send + 'static>(place: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let place = File::open(format!("/run/netns/{place}")).expect("a network namespace");
    let thread = thread::spawn(move || {
        setns(place, CloneFlags::CLONE_NEWNET).expect("root of this user namespace");
        work()
    });
    thread.join().expect("the work does not panic")
}

/// Namespaces in a row, each joined to the next, with routes from end to end in both families.
///
/// Between the first and the second lie 10.0.1.0/24 and fd00:1::/64, and so on; the nearer one is .1,
/// the farther one .2.
pub fn chain(places: &[&str]) {
    let mut script = String::new();
    for place in places {
        script += &format!(
            "ip netns add {place}; ip -n {place} link set lo up
             nsenter --net=/run/netns/{place} sysctl -qw net.ipv4.ip_forward=1 \
               net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
               net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
            "
        );
    }
    for (number, pair) in (1..).zip(places.windows(2)) {
        let (near, far) = (pair[0], pair[1]);
        script +=
            &format!("ip link add {far} netns {near} type veth peer name {near} netns {far}\n");
        for (place, to, host) in [(near, far, 1), (far, near, 2)] {
            script += &format!(
                "ip -n {place} addr add 10.0.{number}.{host}/24 dev {to}
                 ip -n {place} addr add fd00:{number}::{host}/64 dev {to} nodad
                 ip -n {place} link set {to} up\n"
            );
        }
    }
    let last = places.len() - 1;
    for (at, place) in places.iter().enumerate() {
        for net in 1..=last {
            // Net n lies between place n-1 and place n.
            let (hop, host) = if net > at + 1 { (at + 1, 2) } else { (at, 1) };
            if net > at + 1 || net < at {
                script += &format!(
                    "ip -n {place} route add 10.0.{net}.0/24 via 10.0.{hop}.{host}
                     ip -n {place} route add fd00:{net}::/64 via fd00:{hop}::{host}\n"
                );
            }
        }
    }
    sh(&script);
}

/// What the agent said.
pub struct Said {
    pub hello: Hello,
    pub lines: Vec<Line>,
    pub stderr: String,
    pub code: Option<i32>,
}

/// Runs the agent in a place with tasks in JSON.
pub fn agent(place: &str, tasks: &str) -> Said {
    let plan = format!("{{\"version\":1,\"deadlineMs\":20000,\"tasks\":[{tasks}]}}");
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{place}"));
    command.args([super::PROGRAM, "--plan", "-"]);
    ask(command, &plan)
}

/// Runs an agent with a plan on its standard input.
pub fn ask(mut command: Command, plan: &str) -> Said {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // It may end before it has read everything.
    let _ = stdin.write_all(plan.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<Line> = stdout
        .lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("no line of ours: {line}"))
        })
        .collect();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!lines.is_empty(), "it said nothing: {stderr}");
    let Line::Hello(hello) = lines.remove(0) else {
        panic!("no greeting: {stdout}");
    };
    Said {
        hello,
        lines,
        stderr,
        code: output.status.code(),
    }
}

// === impl Said ===

impl Said {
    /// The answer to a task.
    pub fn outcome(&self, task: usize) -> &Outcome {
        let outcome = self.lines.iter().find_map(|line| match line {
            Line::Observation(seen) if seen.task == task => Some(&seen.outcome),
            _ => None,
        });
        outcome.unwrap_or_else(|| panic!("no answer to task {task}: {:?}", self.lines))
    }

    /// The attempts of a task.
    pub fn attempts(&self, task: usize) -> &[Attempt] {
        match self.outcome(task) {
            Outcome::Attempts(attempts) => attempts,
            other => panic!("no attempts: {other:?}"),
        }
    }

    /// A fact, put together.
    pub fn fact(&self, file: &str) -> Result<String, String> {
        let mut text = None;
        for line in &self.lines {
            if let Line::Fact(fact) = line
                && fact.file == file
            {
                if let Some(missing) = &fact.missing {
                    return Err(missing.clone());
                }
                *text.get_or_insert_with(String::new) += &fact.text;
            }
        }
        text.ok_or_else(|| "never mentioned".to_owned())
    }
}

/// One attempt: how it failed, and after how many milliseconds.
pub fn told(attempt: &Attempt) -> (Option<Failure>, u64) {
    (attempt.error.clone(), attempt.elapsed_us / 1000)
}
