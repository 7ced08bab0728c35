//! `kubectl netpath rules`, beyond the corpora.
//!
//! ```text
//!  random   rule sets, printed for iptables and for nft
//!  kernel   … loaded into a real kernel, packets sent: kernel and evaluator agree
//!  notation what listings say without words
//!  property … one meaning in both notations, printed and read again, any dump walked to an end
//!  hostile  files that are no dumps, or half of one
//!  drift    recordings: healthy ones show nothing, falsified ones what was falsified
//! ```

mod drift;
mod hostile;
mod kernel;
mod notation;
mod property;
mod random;

use std::path::PathBuf;
use std::process::Command;

/// What the program said.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `kubectl-netpath rules`.
fn rules(args: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .arg("rules")
        .args(args)
        .output()
        .expect("the program runs");
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("the program writes UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("the program writes UTF-8"),
    }
}

/// A file of a test, under the build's own folder.
fn write(test: &str, name: &str, content: impl AsRef<[u8]>) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path.to_string_lossy().into_owned()
}
