//! Commands that are proposed: lists of words, each quoted as a POSIX shell needs it.
//!
//! Names, selectors and the words of rules come from outside, and what is printed is pasted. So the
//! fixed part of a command is a literal, and whatever is put into it is one word or part of one:
//! `words!` takes nothing else, and there is no way around it.

use std::fmt;

use serde::Serialize;

use crate::visible::acts;

/// A command to paste.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Command(String);

/// Something put into a command, quoted (POSIX.1-2017, Shell Command Language 2.2).
#[derive(Debug, Clone, Copy)]
pub struct Word<'w, W: ?Sized>(pub &'w W);

/// A command of fixed words, with a `{}` for every word, or part of one, that comes from elsewhere.
///
/// The literal goes through `concat!`, so that names in braces do not compile: they would not be
/// quoted.
macro_rules! words {
    ($fixed:literal $(, $word:expr)* $(,)?) => {
        $crate::shell::Command::of(format!(concat!($fixed) $(, $crate::shell::Word(&$word))*))
    };
}
pub(crate) use words;

// === impl Command ===

impl Command {
    /// Text that is quoted already: for [`words!`](crate::shell::words) alone.
    pub(crate) const fn of(text: String) -> Self {
        Self(text)
    }

    /// The same with more words behind it.
    #[must_use]
    pub fn and<W: AsRef<str>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        for word in words {
            self.0 = format!("{} {}", self.0, Word(word.as_ref()));
        }
        self
    }

    /// The same with fixed words behind it; none remains none.
    #[must_use]
    pub fn with(self, fixed: &'static str) -> Self {
        if self.0.is_empty() {
            return self;
        }
        Self(format!("{self} {fixed}"))
    }

    /// The same with another command's words behind it.
    #[must_use]
    pub fn before(self, rest: &Self) -> Self {
        Self(format!("{self} {rest}"))
    }

    /// One command after another, as long as they succeed.
    #[must_use]
    pub fn then(self, next: &Self) -> Self {
        Self(format!("{self} && {next}"))
    }

    /// Whether it can be shown and pasted: it is one, and nothing in it acts on a terminal. A shell has
    /// no portable way to quote a control character in place.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        !self.0.is_empty() && !self.0.contains(acts)
    }

    /// The line to paste.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A command without anything from outside.
impl From<&'static str> for Command {
    fn from(fixed: &'static str) -> Self {
        Self(fixed.to_owned())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Word ===

impl<W: fmt::Display + ?Sized> fmt::Display for Word<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.to_string();
        if !word.is_empty() && word.chars().all(is_plain) {
            return f.write_str(&word);
        }
        write!(f, "'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether a character means itself in every shell.
const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(
            character,
            '_' | '@' | '%' | '+' | ':' | ',' | '.' | '/' | '-' | '='
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_one_word() {
        for (name, expected) in [
            ("web", "kubectl delete pod web"),
            ("", "kubectl delete pod ''"),
            ("a b", "kubectl delete pod 'a b'"),
            ("$(id)", "kubectl delete pod '$(id)'"),
            ("a';id;'", r"kubectl delete pod 'a'\'';id;'\'''"),
            ("`id`\\", "kubectl delete pod '`id`\\'"),
        ] {
            assert_eq!(words!("kubectl delete pod {}", name).as_str(), expected);
        }
        let selector = words!("--field-selector=spec.nodeName={}", "a b");
        assert_eq!(selector.as_str(), "--field-selector=spec.nodeName='a b'");
    }

    #[test]
    fn what_acts_is_not_proposed() {
        assert!(words!("ip link set {} up", "eth0").is_safe());
        for name in ["a\nb", "\u{1b}[2J", "a\u{202e}b", "\u{9b}"] {
            assert!(!words!("ip link set {} up", name).is_safe(), "{name:?}");
        }
        assert!(!Command::default().is_safe());
    }

    /// What a shell makes of it is what was put in.
    #[test]
    fn a_shell_reads_the_word_back() {
        for word in [
            "a'b",
            "\"x\" $HOME `id` \\n *",
            "~",
            "#",
            "!!",
            "{a,b}",
            "é",
            "-n",
        ] {
            let line = words!("printf %s {}", word);
            let output = std::process::Command::new("sh")
                .args(["-c", line.as_str()])
                .output();
            let output = output.expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{line}");
        }
    }
}
