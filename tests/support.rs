//! What the tests share: where things are.

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
