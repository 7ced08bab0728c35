//! Host names of listeners, routes and requests.

/// How exactly a pattern names a host: an exact name before a wildcard, a longer one before a shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exactness {
    is_exact: bool,
    length: usize,
}

/// Whether a pattern takes a host, and how exactly. No pattern takes every host; `*.a.b` takes every
/// name below `a.b`, however deep, but not `a.b` itself (Gateway API, `Hostname`).
#[must_use]
pub fn takes(pattern: Option<&str>, host: &str) -> Option<Exactness> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let Some(pattern) = pattern.filter(|text| !text.is_empty() && *text != "*") else {
        return Some(Exactness {
            is_exact: false,
            length: 0,
        });
    };
    let pattern = pattern.to_ascii_lowercase();
    let is_exact = !pattern.starts_with("*.");
    let is_taken = if is_exact {
        pattern == host
    } else {
        is_below(&host, &pattern[1..])
    };
    is_taken.then_some(Exactness {
        is_exact,
        length: pattern.len(),
    })
}

/// Whether two patterns have a host in common.
#[must_use]
pub fn intersect(left: Option<&str>, right: Option<&str>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return true;
    };
    if left.is_empty() || right.is_empty() || left == "*" || right == "*" {
        return true;
    }
    let (left, right) = (left.to_ascii_lowercase(), right.to_ascii_lowercase());
    match (left.strip_prefix('*'), right.strip_prefix('*')) {
        (None, None) => left == right,
        (Some(suffix), None) => is_below(&right, suffix),
        (None, Some(suffix)) => is_below(&left, suffix),
        (Some(one), Some(other)) => one.ends_with(other) || other.ends_with(one),
    }
}

/// Whether a name ends in `.suffix` with something before it.
fn is_below(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len() && name.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_as_the_specification_says() {
        for (pattern, host, expected) in [
            (None, "a.example", true),
            (Some(""), "a.example", true),
            (Some("a.example"), "A.example.", true),
            (Some("*.example"), "a.example", true),
            (Some("*.example"), "a.b.example", true),
            (Some("*.example"), "example", false),
            (Some("*.example"), "badexample", false),
        ] {
            assert_eq!(
                takes(pattern, host).is_some(),
                expected,
                "{pattern:?} {host}"
            );
        }
        let order = [
            None,
            Some("*.example"),
            Some("*.b.example"),
            Some("a.b.example"),
        ];
        let exactness = order.map(|pattern| takes(pattern, "a.b.example"));
        assert!(exactness.is_sorted(), "{exactness:?}");
    }

    #[test]
    fn patterns_intersect_where_a_host_is_in_both() {
        for (left, right, expected) in [
            ("*.example", "a.example", true),
            ("*.example", "example", false),
            ("*.example", "*.b.example", true),
            ("*.a.example", "*.b.example", false),
            ("a.example", "b.example", false),
            ("", "b.example", true),
        ] {
            assert_eq!(
                intersect(Some(left), Some(right)),
                expected,
                "{left} {right}"
            );
            assert_eq!(
                intersect(Some(right), Some(left)),
                expected,
                "{right} {left}"
            );
        }
    }
}
