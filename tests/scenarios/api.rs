//! Every cause the API shows, alone in an otherwise healthy world: read once for the tests that combine them.

use std::sync::OnceLock;

use super::scenario::{Scenario, folders};

/// Every scenario of the folder.
pub fn scenarios() -> &'static [Scenario] {
    static ALL: OnceLock<Vec<Scenario>> = OnceLock::new();
    ALL.get_or_init(|| {
        let folders = folders("api");
        folders.iter().map(|path| Scenario::read(path)).collect()
    })
}
