//! Plugin `rewrite`: the name that is looked up in the place of the one that was asked.

use regex_lite::Regex;

use super::corefile::{At, ServerBlock};
use super::handler::Handler;

/// The name that the other plugins of a block see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    pub name: String,
    /// The rule that made it.
    pub by: Option<At>,
}

// === impl Rewritten ===

impl Rewritten {
    /// The name that was asked.
    pub(super) fn plainly(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            by: None,
        }
    }
}

/// Applies the rules of a block: the first that fits, and after one with `continue` the next.
///
/// # Errors
/// What stands for a rule that cannot be evaluated.
pub(super) fn rewritten(block: &ServerBlock, name: &str) -> Result<Rewritten, Handler> {
    let mut asked = Rewritten::plainly(name);
    for plugin in block.all("rewrite") {
        let one_line = (!plugin.arguments.is_empty()).then_some(&plugin.arguments);
        let goes_on = plugin
            .arguments
            .first()
            .is_some_and(|word| word == "continue");
        for rule in one_line.into_iter().chain(&plugin.body) {
            let new = apply(rule, &asked.name).map_err(|why| Handler::Unknown {
                at: plugin.at.clone(),
                why,
            })?;
            let Some(name) = new else { continue };
            let by = Some(plugin.at.clone());
            asked = Rewritten { name, by };
            if !goes_on {
                return Ok(asked);
            }
        }
    }
    Ok(asked)
}

/// `[continue|stop] name [exact|prefix|suffix|substring|regex] FROM TO …`; none when it does not fit.
fn apply(rule: &[String], name: &str) -> Result<Option<String>, String> {
    let words: Vec<&str> = rule.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        ["continue" | "stop", rest @ ..] => rest,
        all => all,
    };
    let dotted = format!("{name}.");
    let fit = match words {
        ["name", "regex", pattern, to, ..] => {
            let pattern = Regex::new(pattern).map_err(|_| format!("rewrite regex {pattern:?}"))?;
            // CoreDNS numbers groups as {1}; the crate writes ${1}.
            let to = to.replace('{', "${");
            pattern
                .is_match(&dotted)
                .then(|| pattern.replace(&dotted, to.as_str()).into_owned())
        }
        ["name", "prefix", from, to, ..] => {
            dotted.strip_prefix(from).map(|rest| format!("{to}{rest}"))
        }
        ["name", "suffix", from, to, ..] => dotted
            .trim_end_matches('.')
            .strip_suffix(from.trim_end_matches('.'))
            .map(|rest| format!("{rest}{to}")),
        ["name", "substring", from, to, ..] => {
            dotted.contains(from).then(|| dotted.replace(from, to))
        }
        ["name", "exact", from, to, ..] | ["name", from, to, ..] => {
            (from.trim_end_matches('.') == name).then(|| (*to).to_owned())
        }
        _ => None,
    };
    Ok(fit.map(|new| new.trim_end_matches('.').to_lowercase()))
}
