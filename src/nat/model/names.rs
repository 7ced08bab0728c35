//! Names of chains, kept close together: a big cluster has a hundred thousand.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::Span;

/// Names in the order they were added, found again by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    text: String,
    spans: Vec<Span>,
    by_hash: HashMap<u64, u32>,
    hasher: RandomState,
}

// === impl Names ===

impl Names {
    /// Adds a name that is not there yet; its position is its number.
    pub(super) fn add(&mut self, name: &str) -> u32 {
        let number = u32::try_from(self.spans.len()).unwrap_or(u32::MAX);
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let length = u32::try_from(name.len()).unwrap_or_default();
        self.text.push_str(name);
        self.spans.push(Span { start, length });
        // Of two names with one hash the first is found by it, the other by looking at all.
        let hash = self.hasher.hash_one(name);
        self.by_hash.entry(hash).or_insert(number);
        number
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let number = *self.by_hash.get(&self.hasher.hash_one(name))?;
        if self.get(number) == name {
            return Some(number);
        }
        let position = (0..self.spans.len()).find(|position| {
            u32::try_from(*position).is_ok_and(|number| self.get(number) == name)
        })?;
        u32::try_from(position).ok()
    }

    pub(super) fn get(&self, number: u32) -> &str {
        let span = self.spans.get(number as usize).copied().unwrap_or_default();
        let start = span.start as usize;
        self.text
            .get(start..start + span.length as usize)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_unknown_ones_are_not() {
        let mut names = Names::default();
        assert_eq!((names.add("KUBE-SVC-A"), names.add("KUBE-SVC-B")), (0, 1));
        assert_eq!(names.find("KUBE-SVC-B"), Some(1));
        assert_eq!(names.find("KUBE-SVC"), None);
        assert_eq!((names.get(0), names.get(9)), ("KUBE-SVC-A", ""));
    }
}
