//! A lab comes and goes without a trace.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use netpath_lab::control::Request;
use netpath_lab::{Lab, Options};

const TIMES: usize = 50;

/// What could be left behind: processes that are a lab's, mounts, interfaces, files.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    interfaces: BTreeSet<String>,
    mounts: BTreeSet<String>,
    named_namespaces: BTreeSet<String>,
    files: BTreeSet<String>,
}

#[test]
fn fifty_labs_leave_nothing() {
    let Some(first) = Lab::start_or_skip(&Options::default()) else {
        return;
    };
    let mut processes = members(&first);
    drop(first);
    let before = Traces::now();
    for round in 1..TIMES {
        let lab = Lab::start(&Options::default())
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        processes.extend(members(&lab));
    }
    gone(&processes);
    assert_eq!(Traces::now(), before);
}

/// Whoever holds a lab may be killed: the kernel ends it then.
#[test]
fn a_killed_lab_leaves_nothing() {
    let Some(lab) = Lab::start_or_skip(&Options::default()) else {
        return;
    };
    lab.run("shop/client-1", "sleep 1000 >/dev/null 2>&1 &")
        .expect("a script runs");
    let processes = members(&lab);
    assert!(
        processes.len() > 1,
        "the lab and its sleeper: {processes:?}"
    );
    let pid = i32::try_from(lab.pid()).expect("a process id");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .expect("the supervisor can be killed");
    gone(&processes);
    drop(lab);
}

/// One that was left running on purpose ends when it is told to, and takes its folder with it.
#[test]
fn a_detached_lab_goes_when_told() {
    let folder = std::env::temp_dir().join(format!("netpath-lab-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let options = Options {
        detached: Some(folder.clone()),
        ..Options::default()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        std::fs::remove_dir_all(&folder).expect("the folder can be removed");
        return;
    };
    let processes = members(&lab);
    let ready = lab.detach();
    let there = ready.kubeconfig();
    assert!(there.exists(), "{}", there.display());
    ready.ask(&Request::Down).expect("the lab listens");
    gone(&processes);
    assert!(!there.exists() && !folder.exists());
}

/// Nobody needs to be root.
#[test]
fn an_ordinary_user_can_too() {
    if !nix::unistd::getuid().is_root() {
        return;
    }
    let said = again(
        "exec setpriv --reuid 65534 --regid 65534 --clear-groups",
        "a_killed_lab_leaves_nothing",
    );
    if said.contains("Permission denied") {
        eprintln!("SKIPPED: this program is not to be read by an ordinary user");
        return;
    }
    assert!(said.contains("1 passed"), "{said}");
}

/// Where namespaces are forbidden, a test says so and passes.
#[test]
fn without_namespaces_it_says_so() {
    let forbid = "unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"' sh";
    let said = again(forbid, "a_killed_lab_leaves_nothing");
    let no_user_namespaces_at_all = said.contains("unshare failed") && !said.contains("SKIPPED");
    assert!(
        no_user_namespaces_at_all
            || (said.contains("SKIPPED: no lab here") && said.contains("1 passed")),
        "{said}"
    );
}

/// Runs one of these tests in a process of its own, behind some words of a shell.
fn again(words: &str, test: &str) -> String {
    let program = std::env::current_exe().expect("this program has a path");
    let script = format!(
        "{words} {} --exact lab_life::{test} --nocapture 2>&1",
        program.display()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .env("HOME", "/tmp")
        .output()
        .expect("a shell");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

// === impl Traces ===

impl Traces {
    fn now() -> Self {
        let lines = |path: &str| -> Vec<String> {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        };
        let names = |path: &Path| -> BTreeSet<String> {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect()
        };
        let interfaces = lines("/proc/net/dev").into_iter().skip(2);
        let mounts = lines("/proc/self/mountinfo").into_iter();
        Self {
            interfaces: interfaces
                .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
                .collect(),
            mounts: mounts
                .filter_map(|line| line.split(' ').nth(4).map(str::to_owned))
                .collect(),
            named_namespaces: names(Path::new("/run/netns")),
            files: names(Path::new("/run/lab")),
        }
    }
}

/// The processes of a lab, all of which are in its user namespace, with the supervisor first.
fn members(lab: &Lab) -> Vec<u32> {
    let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/user")).ok();
    let own: Option<PathBuf> = namespace(lab.pid());
    let all = std::fs::read_dir("/proc").expect("/proc can be read");
    let pids = all
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let mut members: Vec<u32> = pids.filter(|pid| namespace(*pid) == own).collect();
    members.sort_by_key(|pid| *pid != lab.pid());
    members
}

/// Waits until none of the processes is there, or only as a zombie of somebody's.
fn gone(processes: &[u32]) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let since = Instant::now();
    let alive = |pid: &&u32| Path::new(&format!("/proc/{pid}/root/proc")).exists();
    while processes.iter().any(|pid| alive(&pid)) {
        let left: Vec<&u32> = processes.iter().filter(alive).collect();
        assert!(since.elapsed() < PATIENCE, "still there: {left:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
