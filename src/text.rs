//! Small matters of words: near names and counts.

use std::collections::BTreeSet;

/// The candidates nearest to `wanted` by edit distance, nearest first, at most three: typing slips,
/// a doubled or missing letter, a missing prefix or suffix.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let allowed = (wanted.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|candidate| {
            let distance = edit_distance(wanted, candidate);
            let is_part = wanted.len() > 2
                && (candidate.contains(wanted)
                    || wanted.contains(candidate) && candidate.len() > 2);
            (distance <= allowed || is_part).then_some((distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.truncate(3);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in right.iter().enumerate() {
            let substituted = above[column] + usize::from(a != b);
            let mut least = substituted
                .min(above[column + 1] + 1)
                .min(current[column] + 1);
            let swapped = row > 0 && column > 0 && left[row - 1] == b && right[column - 1] == a;
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

/// `1 pod`, `3 pods`.
#[must_use]
pub fn count(number: usize, word: &str) -> String {
    let plural = match word {
        _ if number == 1 => word.to_owned(),
        word if word.ends_with('y') => format!("{}ies", &word[..word.len() - 1]),
        word => format!("{word}s"),
    };
    format!("{number} {plural}")
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list<S: AsRef<str>>(words: &[S]) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        for (wanted, candidates, expected) in [
            ("ap", &["api", "web", "cart"][..], &["api"][..]),
            ("apii", &["api", "web"], &["api"]),
            ("pai", &["api", "web"], &["api"]),
            ("payment", &["payments", "shipment"], &["payments"]),
            ("api", &["shop-api", "web"], &["shop-api"]),
            ("zzz", &["api", "web"], &[]),
        ] {
            assert_eq!(
                nearest(wanted, candidates.iter().copied()),
                expected,
                "{wanted}"
            );
        }
    }

    #[test]
    fn counts_and_lists_read_well() {
        assert_eq!(count(1, "policy"), "1 policy");
        assert_eq!(count(2, "policy"), "2 policies");
        assert_eq!(count(0, "pod"), "0 pods");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a"]), "a");
    }
}
