//! Recordings of a real cluster: kept once, and what lies beside the project.

use std::collections::BTreeMap;
use std::path::PathBuf;

use libtest_mimic::Trial;

use super::harness::check;
use super::scenario::trials_beside;
use super::{entries, folder};

/// Files of less than this may say the same: a resolv.conf, a mode.
const TINY: usize = 1024;

/// The recordings in both proxy modes and the large ones lie beside the project. In `one-endpoint-rule-wrong` the
/// planted rule stands behind the right one and never acts: the copy here expects what is so.
pub fn trials() -> Vec<Trial> {
    let mut trials = trials_beside("beside", "scenarios");
    trials.retain(|trial| trial.name() != "beside/one-endpoint-rule-wrong");
    let once = check("recorded/no-file-is-kept-twice", no_file_is_kept_twice);
    trials.push(once);
    trials
}

fn no_file_is_kept_twice() {
    let (mut known, mut open) = (BTreeMap::<String, PathBuf>::new(), vec![folder("recorded")]);
    let mut twice = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(entries(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        if text.len() >= TINY
            && let Some(other) = known.insert(text, path.clone())
        {
            twice.push(format!("{} is {}", path.display(), other.display()));
        }
    }
    assert!(
        twice.is_empty(),
        "overlays say it shorter:\n{}",
        twice.join("\n")
    );
}
