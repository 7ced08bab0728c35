//! What the tests share: where things are, and what they once looked like.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A corpus of many cases: the one that lies beside the project, or else the part of it that is pinned in the project.
/// `NETPATH_PINNED=1` takes the pinned part, to see what a clone sees.
pub fn corpus(name: &str) -> PathBuf {
    collection(&format!("data/{name}"), name)
}

/// The same for a collection that is called otherwise there.
pub fn collection(beside_as: &str, pinned_as: &str) -> PathBuf {
    let is_pinned = std::env::var_os("NETPATH_PINNED").is_some();
    let whole = (!is_pinned).then(|| beside(beside_as)).flatten();
    whole.unwrap_or_else(|| project().join("tests/pinned").join(pinned_as))
}

/// What lies beside the project because it is too large for it, or `None` after saying visibly that a test skips it.
/// Where everything is checked (`CI`), it must be there.
pub fn beside(name: &str) -> Option<PathBuf> {
    let path = place_beside(name);
    if path.exists() {
        return Some(path);
    }
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    assert!(!is_ci, "{} is not there, and this is CI", path.display());
    eprintln!("SKIPPED: {} is not there", path.display());
    None
}

/// Where it lies, if it does.
pub fn place_beside(name: &str) -> PathBuf {
    project().join("../shared").join(name)
}

/// Compares a text with the file that holds what it was when somebody looked at it last. With
/// `UPDATE=1` the file is written instead, to be looked at in the diff.
pub fn golden(path: &str, text: &str) {
    let file = project().join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().expect("a file in the project")).expect("a folder");
        return fs::write(&file, text).expect("the project can be written");
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    let differs = known
        .lines()
        .zip(text.lines())
        .position(|(known, new)| known != new)
        .unwrap_or_else(|| known.lines().count().min(text.lines().count()));
    assert!(
        known == text,
        "{path} is not current from line {}:\n  file: {}\n  now:  {}\n(UPDATE=1 writes it)",
        differs + 1,
        known.lines().nth(differs).unwrap_or("(its end)"),
        text.lines().nth(differs).unwrap_or("(its end)"),
    );
}
