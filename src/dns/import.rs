//! `import`: what other files add to a Corefile.
//!
//! AKS and k3s mount the ConfigMap `coredns-custom` beside the Corefile and import its keys:
//! `custom/*.override` into the root block, `custom/*.server` beside it.

use super::corefile::{BadCorefile, Token, tokens};

/// The word that imports.
pub(super) const DIRECTIVE: &str = "import";

/// How deep imported files may import others.
const MAX_DEPTH: usize = 4;

/// The files that a pattern matches, each with its name; none where nothing says what is there.
pub type Files<'a> = &'a dyn Fn(&str) -> Option<Vec<(String, String)>>;

/// Puts the words of imported files in the place of their imports, as Caddy's parser does. A pattern
/// that matches nothing imports nothing; one of unknown files stays.
///
/// # Errors
/// When an imported file has a quote without its end.
pub(super) fn expanded(words: Vec<Token>, files: Files<'_>) -> Result<Vec<Token>, BadCorefile> {
    expanded_to(words, files, MAX_DEPTH)
}

fn expanded_to(
    words: Vec<Token>,
    files: Files<'_>,
    depth: usize,
) -> Result<Vec<Token>, BadCorefile> {
    let snippets: Vec<String> = words.iter().filter_map(snippet).collect();
    let mut expanded: Vec<Token> = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let starts_line = expanded.last().is_none_or(|before| before.at != word.at);
        let pattern = words
            .peek()
            .filter(|next| next.at == word.at && !snippets.contains(&next.text))
            .filter(|_| word.text == DIRECTIVE && starts_line && depth > 0);
        let Some(found) = pattern.and_then(|pattern| files(&pattern.text)) else {
            expanded.push(word);
            continue;
        };
        words.next();
        for (name, text) in found {
            let imported = tokens(&text, Some(&name))?;
            expanded.extend(expanded_to(imported, files, depth - 1)?);
        }
    }
    Ok(expanded)
}

/// The name of a snippet, where a word begins one: `(name)`.
fn snippet(word: &Token) -> Option<String> {
    let name = word.text.strip_prefix('(')?.strip_suffix(')')?;
    Some(name.to_owned())
}

/// Whether a file name matches a pattern with one or several `*`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(left) = name.strip_prefix(before) else {
        return false;
    };
    (0..=left.len())
        .filter_map(|start| left.get(start..))
        .any(|left| matches(rest, left))
}

#[cfg(test)]
mod tests {
    use crate::dns::Corefile;

    const AKS: &str = ".:53 {
    kubernetes cluster.local
    forward . /etc/resolv.conf
    import custom/*.override
}
import custom/*.server
";

    fn files(pattern: &str) -> Option<Vec<(String, String)>> {
        let all = [
            ("a.override", "log"),
            ("b.server", "corp.example:53 {\n forward . 10.0.0.53\n}"),
        ];
        let pattern = pattern.strip_prefix("custom/")?;
        let matching = all.iter().filter(|(name, _)| super::matches(pattern, name));
        Some(
            matching
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn imported_files_stand_where_they_are_imported() {
        let corefile = Corefile::parse_with(AKS, &files).expect("a Corefile");
        let names = |at: usize| {
            let plugins = corefile.blocks[at].plugins.iter();
            plugins
                .map(|plugin| plugin.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(0), ["kubernetes", "forward", "log"]);
        assert_eq!(names(1), ["forward"]);
        assert_eq!(
            corefile.blocks[1].plugins[0].at.to_string(),
            "b.server line 2"
        );
    }

    #[test]
    fn imports_of_unknown_files_are_no_error() {
        let corefile = Corefile::parse(AKS).expect("a Corefile");
        assert_eq!(corefile.blocks.len(), 1);
        assert_eq!(corefile.blocks[0].all("import").count(), 1);
    }

    #[test]
    fn patterns_are_matched_as_globs() {
        for (pattern, name, fits) in [
            ("*.server", "a.server", true),
            ("*.server", "a.server.bak", false),
            ("a*b*c", "aXbYc", true),
            ("zone", "zone", true),
            ("zone", "zones", false),
        ] {
            assert_eq!(super::matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
