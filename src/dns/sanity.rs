//! What CoreDNS refuses beyond a syntax error: it would not start with such a file.

use super::corefile::{BadCorefile, Corefile, ServerBlock};

/// Plugins whose setup returns `plugin.ErrOnce` (coredns `plugin/*/setup.go`).
const ONCE: [&str; 7] = [
    "cache",
    "errors",
    "hosts",
    "kubernetes",
    "loop",
    "ready",
    "reload",
];

/// Finds a plugin that stands twice where it may stand once, or a zone that is served twice.
///
/// # Errors
/// The first of them, in the words of CoreDNS.
pub(super) fn check(corefile: &Corefile) -> Result<(), BadCorefile> {
    corefile.blocks.iter().try_for_each(once)?;
    let mut seen: Vec<(&str, u16)> = Vec::new();
    // A block with a view shares its zone with others.
    let plain = |block: &&ServerBlock| block.all("view").next().is_none();
    for block in corefile.blocks.iter().filter(plain) {
        for zone in &block.zones {
            let served = (zone.as_str(), block.port);
            // Port 0 stands for other protocols, whose ports are not told apart.
            if block.port != 0 && seen.contains(&served) {
                return Err(BadCorefile {
                    at: block.at.clone(),
                    message: format!(
                        "cannot serve dns://{zone}.:{} - it is already defined",
                        block.port
                    ),
                });
            }
            seen.push(served);
        }
    }
    Ok(())
}

fn once(block: &ServerBlock) -> Result<(), BadCorefile> {
    let twice = ONCE.iter().find_map(|name| block.all(name).nth(1));
    twice.map_or(Ok(()), |plugin| {
        Err(BadCorefile {
            at: plugin.at.clone(),
            message: format!(
                "plugin/{}: this plugin can only be used once per Server Block",
                plugin.name
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_coredns_refuses_is_refused() {
        for (text, line) in [
            (". {\n hosts {\n }\n hosts {\n }\n}", 4),
            (". {\n errors\n}\n.:53 {\n errors\n}", 4),
        ] {
            let bad = Corefile::parse(text).expect_err(text);
            assert_eq!(bad.at.line, line, "{bad}");
        }
        for text in [
            ". {\n forward a.example 10.0.0.1\n forward . 10.0.0.2\n}",
            ". {\n view a {\n expr true\n }\n}\n. {\n errors\n}",
            "a.example:53 {\n}\na.example:5353 {\n}",
        ] {
            assert!(Corefile::parse(text).is_ok(), "{text}");
        }
    }
}
