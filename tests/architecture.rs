//! One direction: what a module may know of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::project;

/// The modules of the library, from what knows nothing to what knows everything. A module uses only what
/// stands before it.
const ORDER: [&str; 40] = [
    "log",
    "text",
    "visible",
    "shell",
    "causes",
    "duration",
    "net",
    "exit",
    "terminal",
    "resource",
    "target",
    "cluster",
    "gateway",
    "resolve",
    "facts",
    "route",
    "nat",
    "dns",
    "policy",
    "mesh",
    "node",
    "dataplane",
    "observe",
    "tap",
    "world",
    "path",
    "confirm",
    "diagnose",
    "plan",
    "probe",
    "sweep",
    "report",
    "suite",
    "demo",
    "cli",
    "error",
    "commands",
    "lib",
    "main",
    "",
];

/// The same within the walk: hops and breaks, what every stage may look at, the stages, their order.
const WITHIN_PATH: [&str; 10] = [
    "hop",
    "plane_fault",
    "fault",
    "trouble",
    "cluster_set",
    "breaks",
    "trail",
    "context",
    "stages",
    "order",
];

#[test]
fn no_module_uses_what_stands_behind_it() {
    let wrong = upward(&project().join("src"), "crate::", &ORDER);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_stage_of_the_walk_knows_the_order() {
    let wrong = upward(&project().join("src/path"), "crate::path::", &WITHIN_PATH);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The agent knows networks only, the lab nothing of the product.
#[test]
fn other_crates_do_not_know_the_plugin() {
    for (krate, strangers) in [
        (
            "protocol",
            &["netpath::", "netpath_agent", "netpath_lab", "kube"][..],
        ),
        ("agent", &["netpath::", "netpath_lab", "kube"]),
        ("lab", &["netpath::", "netpath_agent"]),
    ] {
        for file in sources(&project().join("crates").join(krate).join("src")) {
            let text = fs::read_to_string(&file).expect("a source file");
            for line in text
                .lines()
                .filter(|line| line.trim_start().starts_with("use "))
            {
                let stranger = strangers.iter().find(|name| line.contains(*name));
                let is_own_word = krate == "lab" && line.contains("k8s_openapi");
                assert!(
                    stranger.is_none() || is_own_word,
                    "{}: {line}",
                    file.display()
                );
            }
        }
    }
}

/// Uses of a module by one that stands before it, as `module -> used (file)`.
fn upward(folder: &Path, prefix: &str, order: &[&str]) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    for file in sources(folder) {
        let text = fs::read_to_string(&file).expect("a source file");
        let inside = file.strip_prefix(folder).expect("a file of the folder");
        let module = inside.iter().next().and_then(|name| name.to_str());
        let module = module.unwrap_or_default().trim_end_matches(".rs");
        let Some(own) = order.iter().position(|name| *name == module) else {
            // The module's own file puts its parts together.
            assert_eq!(
                module,
                "mod",
                "{} has no place in the order",
                file.display()
            );
            continue;
        };
        for used in text
            .match_indices(prefix)
            .map(|(at, _)| word(&text[at + prefix.len()..]))
        {
            let place = order.iter().position(|name| *name == used);
            if place.is_some_and(|place| place > own) {
                wrong.insert(format!("{module} -> {used} ({})", inside.display()));
            }
        }
    }
    wrong.into_iter().collect()
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Crates that exist for Linux only, by the beginning of their names.
const LINUX_ONLY: [&str; 10] = [
    "nix ",
    "netlink-",
    "rtnetlink",
    "neli",
    "procfs",
    "caps ",
    "libbpf",
    "aya",
    "inotify",
    "pnet",
];

/// On-call engineers sit at a Mac or at Windows, too.
#[test]
fn the_plugin_needs_nothing_of_linux() {
    for target in ["aarch64-apple-darwin", "x86_64-pc-windows-msvc"] {
        let output = std::process::Command::new(env!("CARGO"))
            .current_dir(project())
            .args(["tree", "--locked", "--package", "kubectl-netpath"])
            .args(["--edges", "normal", "--prefix", "none", "--target", target])
            .output()
            .expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{target}: {errors}");
        let tree = String::from_utf8_lossy(&output.stdout);
        assert!(tree.contains("kube v"), "{target}: {tree}");
        let is_linux = |line: &&str| LINUX_ONLY.iter().any(|name| line.starts_with(name));
        let found: Vec<&str> = tree.lines().filter(is_linux).collect();
        assert_eq!(found, Vec::<&str>::new(), "{target}");
    }
}
