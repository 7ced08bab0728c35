//! The Corefile: which names a CoreDNS answers, and from where.

use std::fmt;

use serde::Serialize;

use super::import::{self, Files};
use super::{cluster_set, sanity};

/// A parsed Corefile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Corefile {
    pub blocks: Vec<ServerBlock>,
}

/// A line of the Corefile, or of a file that it imports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct At {
    /// The imported file: a key of the ConfigMap `coredns-custom`.
    pub file: Option<String>,
    pub line: usize,
}

/// One server block: `ZONE… { PLUGIN… }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ServerBlock {
    /// Zones without their final dot; the root zone is empty.
    pub zones: Vec<String>,
    pub port: u16,
    pub plugins: Vec<Plugin>,
    pub at: At,
}

/// One directive with its arguments and its own block.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plugin {
    pub name: String,
    pub arguments: Vec<String>,
    /// The lines of its block, as words.
    pub body: Vec<Vec<String>>,
    pub at: At,
}

/// A Corefile that CoreDNS would refuse, too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct BadCorefile {
    pub at: At,
    pub message: String,
}

/// One word of a file.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub text: String,
    pub at: At,
}

// === impl At ===

impl At {
    /// Where a file begins.
    const fn first() -> Self {
        Self {
            file: None,
            line: 1,
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or("Corefile");
        write!(f, "{file} line {}", self.line)
    }
}

// === impl Corefile ===

impl Corefile {
    /// Parses the Caddyfile syntax that CoreDNS uses, snippets and their imports included. Files that it
    /// imports are not known.
    ///
    /// # Errors
    /// As [`Self::parse_with`].
    pub fn parse(text: &str) -> Result<Self, BadCorefile> {
        Self::parse_with(text, &|_| None)
    }

    /// The same, with what is known of imported files. An import of a file that is not known stays in
    /// its block as a plugin of that name; between blocks it is passed over.
    ///
    /// # Errors
    /// When braces do not match, a block has no zone, imports multiply beyond all use, or CoreDNS would
    /// refuse it for another reason.
    pub fn parse_with(text: &str, files: Files<'_>) -> Result<Self, BadCorefile> {
        let tokens = import::expanded(tokens(text, None)?, files)?;
        let mut reader = Reader { tokens, next: 0 };
        let (mut corefile, mut snippets) = (Self::default(), Vec::new());
        while let Some(first) = reader.peek() {
            let at = first.at.clone();
            if first.text == import::DIRECTIVE {
                reader.next += 1;
                reader.rest_of_line(&at);
                continue;
            }
            let keys = reader.words_before_brace()?;
            let plugins = reader.plugins()?;
            if let [key] = keys.as_slice() {
                let name = key.strip_prefix('(').and_then(|key| key.strip_suffix(')'));
                if let Some(name) = name {
                    snippets.push((name.to_owned(), plugins));
                    continue;
                }
            }
            corefile.blocks.push(block(&keys, plugins, at)?);
        }
        let mut room = DIRECTIVES;
        for block in &mut corefile.blocks {
            expand_imports(block, &snippets, &mut room)?;
        }
        sanity::check(&corefile)?;
        Ok(corefile)
    }

    /// The block whose zone is the longest suffix of the name, as CoreDNS picks its server.
    #[must_use]
    pub fn block_for(&self, name: &str) -> Option<&ServerBlock> {
        let matching = self
            .blocks
            .iter()
            .filter(|block| block.port == 53)
            .filter_map(|block| {
                let zones = block.zones.iter().filter(|zone| is_below(name, zone));
                zones.map(String::len).max().map(|length| (length, block))
            });
        // Of equal zones CoreDNS refuses to start; the first stands for both here.
        matching
            .rev()
            .max_by_key(|(length, _)| *length)
            .map(|(_, block)| block)
    }

    /// Puts the lines of hosts files beside those that stand in the Corefile itself. `file` gives the
    /// text of a file by its name without folders: k3s mounts its `NodeHosts` from the same ConfigMap.
    pub(super) fn fill_hosts<'t>(&mut self, file: impl Fn(&str) -> Option<&'t str>) {
        let plugins = self.blocks.iter_mut().flat_map(|block| &mut block.plugins);
        for plugin in plugins.filter(|plugin| plugin.name == "hosts") {
            let path = plugin.arguments.first().map(String::as_str);
            let name = path.and_then(|path| path.rsplit('/').next());
            let lines = name.and_then(&file).into_iter().flat_map(str::lines);
            let words = lines.map(|line| {
                let line = line.split('#').next().unwrap_or_default();
                line.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            });
            plugin.body.extend(words.filter(|words| !words.is_empty()));
        }
    }

    /// Whether any block answers for a cluster (plugin `kubernetes`).
    #[must_use]
    pub fn serves_a_cluster(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| !block.kubernetes_zones().is_empty())
    }
}

// === impl ServerBlock ===

impl ServerBlock {
    /// The plugins of a name, in the order of the file.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Plugin> {
        self.plugins
            .iter()
            .filter(move |plugin| plugin.name == name)
    }

    /// The zones the kubernetes plugin serves here, reverse zones left out.
    #[must_use]
    pub fn kubernetes_zones(&self) -> Vec<String> {
        let zones = self
            .all("kubernetes")
            .flat_map(|plugin| match plugin.arguments.as_slice() {
                [] => self.zones.clone(),
                zones => zones.iter().map(|zone| normal_zone(zone)).collect(),
            });
        let of_sets: Vec<String> = self
            .all("kubernetes")
            .flat_map(|plugin| cluster_set::zones(self, plugin))
            .collect();
        zones
            .filter(|zone| !is_below(zone, "arpa") && !of_sets.contains(zone))
            .collect()
    }
}

// === impl Plugin ===

impl Plugin {
    /// The words behind the first line of its block that starts with `name`.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&[String]> {
        self.body.iter().find_map(|line| match line.split_first() {
            Some((first, rest)) if first == name => Some(rest),
            _ => None,
        })
    }
}

/// Whether a name lies in a zone. Every name lies in the root zone.
pub(super) fn is_below(name: &str, zone: &str) -> bool {
    zone.is_empty()
        || name
            .strip_suffix(zone)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn normal_zone(zone: &str) -> String {
    zone.trim_matches('.').to_lowercase()
}

fn block(keys: &[String], plugins: Vec<Plugin>, at: At) -> Result<ServerBlock, BadCorefile> {
    let mut block = ServerBlock {
        port: 53,
        plugins,
        at,
        ..ServerBlock::default()
    };
    for key in keys
        .iter()
        .flat_map(|key| key.split(','))
        .filter(|key| !key.is_empty())
    {
        let key = key.strip_prefix("dns://").unwrap_or(key);
        let (zone, port) = key.rsplit_once(':').unwrap_or((key, "53"));
        // tls://, https:// and grpc:// blocks serve no plain DNS; port 0 keeps them apart.
        block.port = port.parse().unwrap_or(0);
        block.zones.push(normal_zone(zone));
    }
    if block.zones.is_empty() {
        return Err(BadCorefile {
            at: block.at,
            message: "a server block without a zone".to_owned(),
        });
    }
    Ok(block)
}

/// How many directives imports may make, over all blocks: a ConfigMap has room for a hundred thousand
/// imports of a snippet that is as long.
const DIRECTIVES: usize = 10_000;

fn expand_imports(
    block: &mut ServerBlock,
    snippets: &[(String, Vec<Plugin>)],
    room: &mut usize,
) -> Result<(), BadCorefile> {
    let mut expanded = Vec::new();
    for plugin in block.plugins.drain(..) {
        let snippet = (plugin.name == import::DIRECTIVE)
            .then(|| plugin.arguments.first())
            .flatten()
            .and_then(|wanted| snippets.iter().find(|(name, _)| name == wanted));
        match snippet {
            Some((_, imported)) => {
                *room = room
                    .checked_sub(imported.len())
                    .ok_or_else(|| BadCorefile {
                        at: plugin.at.clone(),
                        message: format!("imports make more than {DIRECTIVES} directives"),
                    })?;
                expanded.extend(imported.iter().cloned());
            }
            None => expanded.push(plugin),
        }
    }
    block.plugins = expanded;
    Ok(())
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
}

// === impl Reader ===

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<&Token, BadCorefile> {
        let token = self.tokens.get(self.next).ok_or_else(|| BadCorefile {
            at: self
                .tokens
                .last()
                .map_or_else(At::first, |token| token.at.clone()),
            message: "ends inside a block: a } is missing".to_owned(),
        })?;
        self.next += 1;
        Ok(token)
    }

    fn words_before_brace(&mut self) -> Result<Vec<String>, BadCorefile> {
        let mut words = Vec::new();
        loop {
            let token = self.take()?;
            match token.text.as_str() {
                "{" => return Ok(words),
                "}" => {
                    return Err(BadCorefile {
                        at: token.at.clone(),
                        message: "a } without its {".to_owned(),
                    });
                }
                word => words.push(word.to_owned()),
            }
        }
    }

    /// The directives up to the closing brace of the block.
    fn plugins(&mut self) -> Result<Vec<Plugin>, BadCorefile> {
        let mut plugins = Vec::new();
        loop {
            let token = self.take()?;
            if token.text == "}" {
                return Ok(plugins);
            }
            let mut plugin = Plugin {
                name: token.text.clone(),
                at: token.at.clone(),
                ..Plugin::default()
            };
            plugin.arguments = self.rest_of_line(&plugin.at);
            if self.peek().is_some_and(|token| token.text == "{") {
                self.next += 1;
                plugin.body = self.body()?;
            }
            plugins.push(plugin);
        }
    }

    fn rest_of_line(&mut self, at: &At) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(token) = self.peek() {
            if token.at != *at || token.text == "{" || token.text == "}" {
                break;
            }
            words.push(token.text.clone());
            self.next += 1;
        }
        words
    }

    fn body(&mut self) -> Result<Vec<Vec<String>>, BadCorefile> {
        let (mut lines, mut depth) = (Vec::new(), 0_usize);
        loop {
            let token = self.take()?;
            let Token { text, at } = token.clone();
            match text.as_str() {
                "}" if depth == 0 => return Ok(lines),
                "}" => depth -= 1,
                "{" => depth += 1,
                _ => {
                    let mut words = vec![text];
                    words.extend(self.rest_of_line(&at));
                    lines.push(words);
                }
            }
        }
    }
}

/// Words, quoted or not; `#` starts a comment.
pub(super) fn tokens(text: &str, file: Option<&str>) -> Result<Vec<Token>, BadCorefile> {
    let at = |line| At {
        file: file.map(str::to_owned),
        line,
    };
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => line += 1,
            '#' => while characters.next_if(|next| *next != '\n').is_some() {},
            '"' => {
                let start = line;
                let mut word = String::new();
                loop {
                    match characters.next() {
                        Some('"') => break,
                        Some('\\') if characters.peek() == Some(&'"') => {
                            word.extend(characters.next());
                        }
                        Some(other) => {
                            line += usize::from(other == '\n');
                            word.push(other);
                        }
                        None => {
                            return Err(BadCorefile {
                                at: at(start),
                                message: "a quote without its end".to_owned(),
                            });
                        }
                    }
                }
                tokens.push(Token {
                    text: word,
                    at: at(line),
                });
            }
            space if space.is_whitespace() => {}
            other => {
                let mut word = String::from(other);
                while let Some(next) = characters.next_if(|next| !next.is_whitespace()) {
                    word.push(next);
                }
                tokens.push(Token {
                    text: word,
                    at: at(line),
                });
            }
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: &str = ".:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
}
(common) {
    errors
    log
}
# a stub zone
corp.example:53, dns://lab.example {
    import common
    forward . 10.0.0.53 \"10.0.0.54\"
}
";

    #[test]
    fn blocks_plugins_and_snippets() {
        let corefile = Corefile::parse(USUAL).expect("a Corefile");
        assert_eq!(corefile.blocks.len(), 2);
        let root = &corefile.blocks[0];
        assert_eq!(root.zones, [""]);
        assert_eq!(root.kubernetes_zones(), ["cluster.local"]);
        let kubernetes = root.all("kubernetes").next().expect("the plugin");
        assert_eq!(
            kubernetes.option("pods"),
            Some(&["insecure".to_owned()][..])
        );
        let stub = corefile.block_for("a.corp.example").expect("a block");
        assert_eq!(stub.zones, ["corp.example", "lab.example"]);
        let names: Vec<&str> = stub
            .plugins
            .iter()
            .map(|plugin| plugin.name.as_str())
            .collect();
        assert_eq!(names, ["errors", "log", "forward"]);
        assert_eq!(corefile.block_for("notcorp.example"), Some(root));
    }

    #[test]
    fn broken_files_name_their_line() {
        for (text, line, message) in [
            (".:53 {\n errors\n", 2, "is missing"),
            ("}", 1, "without its {"),
            ("{\n errors\n}", 1, "without a zone"),
            (". {\n log \"x\n}", 2, "quote"),
        ] {
            let bad = Corefile::parse(text).expect_err(text);
            assert_eq!(bad.at.line, line, "{text}");
            assert!(bad.message.contains(message), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z.:{}#\"\\\\() \n]{0,80}") {
            let _ = Corefile::parse(&text);
        }
    }
}
