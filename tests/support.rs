//! What the tests share: where things are, and what they once looked like.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A corpus that lies beside the project, or `None` after saying visibly that the test skips.
pub fn corpus(name: &str) -> Option<PathBuf> {
    let path = project().join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there", path.display());
    None
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
