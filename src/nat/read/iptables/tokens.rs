//! Words of a rule line.

/// One word, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Escapes (`\"`, `\\`) are left as they are: only comments and prefixes hold them.
    pub text: &'a str,
    pub quoted: bool,
}

// === impl Token ===

impl Token<'_> {
    /// Whether it can be an option; a quoted word never is.
    pub(super) fn is_option(&self) -> bool {
        !self.quoted && self.text.len() > 1 && self.text.starts_with('-')
    }

    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text == word
    }
}

/// Splits a line into words; `false` when a quote is left open.
pub(super) fn tokenize<'a>(line: &'a str, into: &mut Vec<Token<'a>>) -> bool {
    into.clear();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' => at += 1,
            b'"' => {
                let start = at + 1;
                let Some(end) = closing_quote(bytes, start) else {
                    return false;
                };
                into.push(Token {
                    text: &line[start..end],
                    quoted: true,
                });
                at = end + 1;
            }
            _ => {
                let rest = &bytes[at..];
                let length = rest
                    .iter()
                    .position(|byte| matches!(byte, b' ' | b'\t'))
                    .unwrap_or(rest.len());
                into.push(Token {
                    text: &line[at..at + length],
                    quoted: false,
                });
                at += length;
            }
        }
    }
    true
}

fn closing_quote(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_escapes_and_double_spaces() {
        let mut tokens = Vec::new();
        let line = r#"-m comment --comment "a \"quoted\" comment -j DROP" -j ACCEPT"#;
        assert!(tokenize(line, &mut tokens));
        let texts: Vec<_> = tokens.iter().map(|token| token.text).collect();
        assert_eq!(texts[3], r#"a \"quoted\" comment -j DROP"#);
        assert!(tokens[3].quoted && !tokens[3].is_option());
        assert_eq!(texts[4..], ["-j", "ACCEPT"]);
        assert!(tokenize("--nfacct-name  NAME", &mut tokens));
        assert_eq!(tokens.len(), 2);
        assert!(!tokenize(r#"--comment "open"#, &mut tokens));
        assert!(!tokenize(r#"--comment "open\"#, &mut tokens));
    }
}
