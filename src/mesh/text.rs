//! Patterns of texts, ports and addresses, as meshes write them.

use std::net::IpAddr;

use crate::net::{PortRange, parse_prefix};
use crate::policy::{Doubt, Truth};

/// Istio's matches: exact, `prefix*`, `*suffix` and, as `*`, anything that is not empty. A star
/// elsewhere is a letter like any other.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        _ if pattern == "*" => !text.is_empty(),
        (Some(suffix), _) => text.ends_with(suffix),
        (None, Some(prefix)) => text.starts_with(prefix),
        (None, None) => pattern == text,
    }
}

/// Whether an address lies in one of some blocks; open where the address is not known.
pub(super) fn within(blocks: &[&str], address: Option<IpAddr>, of: &str) -> Truth {
    let Some(address) = address else {
        let end = of.to_owned();
        return Truth::Maybe(Doubt::AddressUnknown { end });
    };
    let blocks = blocks.iter().filter_map(|block| parse_prefix(block).ok());
    blocks
        .into_iter()
        .any(|block| block.contains(&address))
        .into()
}

/// Whether a list of ports and ranges, as `25,8000-8100`, holds a port.
pub(super) fn lists_port(list: &str, port: u16) -> bool {
    let parts = list.split(',').map(str::trim);
    parts.filter_map(range).any(|range| range.contains(port))
}

fn range(text: &str) -> Option<PortRange> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(PortRange {
        first: first.trim().parse().ok()?,
        last: last.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_count_at_the_ends_only() {
        for (pattern, text, is_fit) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("*", "ab", true),
            ("*", "", false),
            ("a*c", "abc", false),
            ("a*c", "a*c", true),
        ] {
            assert_eq!(fits(pattern, text), is_fit, "{pattern} {text}");
        }
    }

    #[test]
    fn ports_come_alone_and_in_ranges() {
        assert!(lists_port("25, 8000-8100", 8080));
        assert!(!lists_port("25,8000-8100", 80));
        assert!(!lists_port("", 80));
    }
}
