//! A share of a suite: the pods of an Indexed Job take one each.

use std::fmt;
use std::str::FromStr;

use super::{Check, Suite};

/// One of so many shares, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

// === impl Shard ===

impl FromStr for Shard {
    type Err = String;

    /// `2/5`: the third of five.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a share; write INDEX/COUNT, as 0/4");
        let (index, of) = text.split_once('/').ok_or_else(bad)?;
        let (index, of) = index.parse().ok().zip(of.parse().ok()).ok_or_else(bad)?;
        if index < of {
            Ok(Self { index, of })
        } else {
            Err(bad())
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

// === impl Suite ===

impl Suite {
    /// The sources, each once, in the order of the checks.
    #[must_use]
    pub fn sources(&self) -> Vec<(Option<&str>, &str)> {
        let mut all = Vec::new();
        for check in &self.checks {
            let source = source(check);
            if !all.contains(&source) {
                all.push(source);
            }
        }
        all
    }

    /// Only the checks of one share: all of a source are in the same one, because they share a probe.
    #[must_use]
    pub fn shard(mut self, shard: Option<Shard>) -> Self {
        let Some(shard) = shard else { return self };
        let all: Vec<(Option<String>, String)> = self
            .sources()
            .into_iter()
            .map(|(namespace, source)| (namespace.map(str::to_owned), source.to_owned()))
            .collect();
        self.checks.retain(|check| {
            let (namespace, source) = source(check);
            let place = all
                .iter()
                .position(|(other, name)| other.as_deref() == namespace && name == source);
            place.is_some_and(|place| place % shard.of == shard.index)
        });
        self
    }
}

fn source(check: &Check) -> (Option<&str>, &str) {
    (check.namespace.as_deref(), check.source.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_and_keep_a_source_together() {
        let pairs = [("a", "x"), ("b", "x"), ("a", "y"), ("c", "x"), ("c", "y")];
        let suite = Suite {
            name: String::new(),
            checks: pairs
                .iter()
                .map(|(from, to)| Check::reachable(from, to, "shop"))
                .collect(),
        };
        let of = |share: &str| {
            let share: Shard = share.parse().expect("a share");
            let part = suite.clone().shard(Some(share));
            part.checks
                .iter()
                .map(|check| check.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("0/2"), ["a → x", "a → y", "c → x", "c → y"]);
        assert_eq!(of("1/2"), ["b → x"]);
        for bad in ["2/2", "1", "a/b", "0/0", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
