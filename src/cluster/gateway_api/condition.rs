//! What a controller says of an object.

use serde::Deserialize;

/// A condition of a status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    pub reason: String,
    pub message: String,
    pub observed_generation: Option<i64>,
}

// === impl Condition ===

impl Condition {
    /// Whether it speaks of the object as it is now. The specification demands that controllers say
    /// which generation they looked at; one that does not may be speaking of any.
    #[must_use]
    pub const fn is_current(&self, generation: Option<i64>) -> bool {
        match (self.observed_generation, generation) {
            (Some(seen), Some(now)) => seen >= now,
            // Manifests carry no generation, and some recordings drop it.
            (_, None) => true,
            (None, Some(now)) => now <= 1,
        }
    }

    /// Whether it says so.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// Whether it denies it.
    #[must_use]
    pub fn is_false(&self) -> bool {
        self.status == "False"
    }
}
