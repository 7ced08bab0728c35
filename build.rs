//! Puts the agents into the plugin: those of a release (`NETPATH_AGENTS` names their folder), else on Linux
//! the one that is built here for the plugin's own target, else none.
//!
//! An agent is uploaded into foreign containers, so it has to be static: cargo builds everything of one call
//! with the same flags, which is why it takes a call of its own.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The architectures as Kubernetes and as Rust name them.
const ARCHITECTURES: [(&str, &str); 5] = [
    ("amd64", "x86_64"),
    ("arm64", "aarch64"),
    ("ppc64le", "powerpc64le"),
    ("riscv64", "riscv64gc"),
    ("s390x", "s390x"),
];

/// Static; for size, equal functions are folded, relocations packed, and the unwind tables, which nobody reads
/// in a program that aborts, left out.
fn flags() -> String {
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = format!("-Clink-arg=-Wl,-T,{folder}/crates/agent/no-unwind-tables.ld");
    let size = "-Clink-arg=-Wl,--icf=all,-z,pack-relative-relocs";
    ["-Ctarget-feature=+crt-static", size, &script].join("\u{1f}")
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=NETPATH_AGENTS");
    for path in ["build.rs", "Cargo.lock", "crates/agent", "crates/protocol"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let agents = match env::var_os("NETPATH_AGENTS") {
        Some(folder) => released(Path::new(&folder)),
        None => built()?,
    };
    let mut list = String::from("&[\n");
    for (arch, path) in &agents {
        println!("cargo::rerun-if-changed={}", path.display());
        let path = path.display().to_string();
        let _ = writeln!(list, "    ({arch:?}, include_bytes!({path:?})),");
    }
    list.push_str("]\n");
    fs::write(output().join("agents.rs"), list)
}

/// The agents of a release: `netpath-agent-linux-ARCH` in a folder.
fn released(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let files = ARCHITECTURES.map(|(arch, _)| {
        let path = folder.join(format!("netpath-agent-linux-{arch}"));
        (arch, path)
    });
    files
        .into_iter()
        .filter(|(_, path)| path.exists())
        .collect()
}

/// The agent for the target that the plugin is built for, if that can run it.
fn built() -> io::Result<Vec<(&'static str, PathBuf)>> {
    let target = env::var("TARGET").unwrap_or_default();
    let arch = ARCHITECTURES
        .iter()
        .find(|(_, own)| target.starts_with(own));
    let (Some((arch, _)), true) = (arch, target.contains("-linux-")) else {
        return Ok(Vec::new());
    };
    if !Path::new("crates/agent/Cargo.toml").exists() {
        return Ok(Vec::new());
    }
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let profile = if is_release { "agent" } else { "agent-quick" };
    // A folder of its own, beside those of the profiles: the lock of the outer one is taken.
    let folder = output()
        .ancestors()
        .nth(4)
        .map(|target| target.join("agent"));
    let folder = folder.unwrap_or_else(output);
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--package",
            "netpath-agent",
            "--bin",
            "netpath-agent",
        ])
        .args(["--profile", profile, "--target", &target, "--target-dir"])
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags())
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_TARGET_DIR")
        .status()?;
    if !status.success() {
        return Err(io::Error::other("the agent does not build"));
    }
    let program = folder.join(&target).join(profile).join("netpath-agent");
    println!("cargo::rustc-env=NETPATH_AGENT={}", program.display());
    Ok(vec![(arch, program)])
}

fn output() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default())
}
