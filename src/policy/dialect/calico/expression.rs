//! Calico's selector expressions.
//!
//! ```text
//!  or  := and { "||" and }
//!  and := not { "&&" not }
//!  not := { "!" } ( "(" or ")" | "has(" KEY ")" | "all()" | "global()" | KEY TEST )
//!  TEST := "==" STR | "!=" STR | "in" SET | "not in" SET | "contains" STR | "starts with" STR | "ends with" STR
//! ```
//!
//! `!=` and `not in` also hold where the label is absent (documentation of Calico's
//! NetworkPolicy, "Selectors").

use crate::cluster::{Operator, Requirement};
use crate::policy::ends::{NAMESPACE_NAME, SERVICE_ACCOUNT_NAME};
use crate::policy::formula::{Anchor, Domain, Formula, Part};

/// What an expression is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Endpoints,
    Namespaces,
    ServiceAccounts,
}

/// Parentheses and negations deeper than this are no selector anybody wrote.
const MAX_DEPTH: usize = 64;

/// Reads an expression; an empty one holds for everything.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn parse(text: &str, about: About) -> Result<Formula, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        about,
        depth: 0,
    };
    if parser.tokens.is_empty() {
        return Ok(Formula::EVERYTHING);
    }
    let formula = parser.or()?;
    match parser.tokens.first() {
        None => Ok(formula),
        Some(rest) => Err(format!("{rest:?} stands where the selector should end")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    /// One of `( ) { } , ! == != && ||`.
    Sign(&'static str),
    Text(&'a str),
    /// A key, or the word of an operator or function.
    Word(&'a str),
}

const SIGNS: [&str; 10] = ["==", "!=", "&&", "||", "(", ")", "{", "}", ",", "!"];

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(*sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' || first == '\'' {
            let (value, behind) = rest[1..]
                .split_once(first)
                .ok_or_else(|| format!("no closing {first}"))?;
            tokens.push(Token::Text(value));
            rest = behind;
        } else {
            let is_key = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
            let end = rest.find(|c| !is_key(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("{first:?} is not valid in a selector"));
            }
            tokens.push(Token::Word(&rest[..end]));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    about: About,
    depth: usize,
}

// === impl Parser ===

impl<'t, 'a> Parser<'t, 'a> {
    fn or(&mut self) -> Result<Formula, String> {
        let mut parts = vec![self.and()?];
        while self.eat("||") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Formula::Any))
    }

    fn and(&mut self) -> Result<Formula, String> {
        let mut parts = vec![self.not()?];
        while self.eat("&&") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Formula::All))
    }

    fn not(&mut self) -> Result<Formula, String> {
        let mut is_negated = false;
        while self.eat("!") {
            is_negated = !is_negated;
        }
        let formula = if self.eat("(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("too many parentheses".to_owned());
            }
            let inner = self.or()?;
            self.expect(")")?;
            self.depth -= 1;
            inner
        } else {
            self.term()?
        };
        Ok(if is_negated {
            Formula::Not(Box::new(formula))
        } else {
            formula
        })
    }

    fn term(&mut self) -> Result<Formula, String> {
        let Some(Token::Word(word)) = self.next() else {
            return Err("a label, has(), all() or a parenthesis is missing".to_owned());
        };
        let is_call = self.tokens.first() == Some(&Token::Sign("("));
        match *word {
            "all" if is_call => self.call().map(|()| self.everywhere(true)),
            "global" if is_call => self.call().map(|()| self.everywhere(false)),
            "has" if is_call => {
                self.expect("(")?;
                let Some(Token::Word(key)) = self.next() else {
                    return Err("has() needs a label".to_owned());
                };
                self.expect(")")?;
                Ok(self.label(key, Operator::Exists, Vec::new()))
            }
            key => self.test(key),
        }
    }

    fn test(&mut self, key: &str) -> Result<Formula, String> {
        let operator = self.next();
        match operator {
            Some(Token::Sign("==")) => {
                let value = self.text()?;
                Ok(self.label(key, Operator::In, vec![value]))
            }
            Some(Token::Sign("!=")) => {
                let value = self.text()?;
                Ok(self.label(key, Operator::NotIn, vec![value]))
            }
            Some(Token::Word("in")) => {
                let values = self.set()?;
                Ok(self.label(key, Operator::In, values))
            }
            Some(Token::Word("notin")) => {
                let values = self.set()?;
                Ok(self.label(key, Operator::NotIn, values))
            }
            Some(Token::Word("not")) if self.eat_word("in") => {
                let values = self.set()?;
                Ok(self.label(key, Operator::NotIn, values))
            }
            Some(Token::Word("contains")) => self.part(key, Anchor::Anywhere),
            Some(Token::Word("startswith")) => self.part(key, Anchor::Start),
            Some(Token::Word("endswith")) => self.part(key, Anchor::End),
            Some(Token::Word("starts")) if self.eat_word("with") => self.part(key, Anchor::Start),
            Some(Token::Word("ends")) if self.eat_word("with") => self.part(key, Anchor::End),
            _ => Err(format!("no operator behind the label {key:?}")),
        }
    }

    fn part(&mut self, key: &str, place: Anchor) -> Result<Formula, String> {
        let text = self.text()?;
        let (domain, key) = self.meaning(key);
        Ok(Formula::Part(
            domain,
            Part {
                key: key.to_owned(),
                place,
                text,
            },
        ))
    }

    fn text(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Text(value)) => Ok((*value).to_owned()),
            _ => Err("a text in quotes is missing".to_owned()),
        }
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        self.expect("{")?;
        let mut values = Vec::new();
        while !self.eat("}") {
            values.push(self.text()?);
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(values)
    }

    fn call(&mut self) -> Result<(), String> {
        self.expect("(")?;
        self.expect(")")
    }

    fn next(&mut self) -> Option<&'t Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Sign(found)) if *found == sign);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(found)) if *found == word);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.eat(sign) {
            Ok(())
        } else {
            Err(format!("{sign:?} is missing"))
        }
    }

    /// `all()` is everything, but among namespaces what has one; `global()` is what has none.
    fn everywhere(&self, in_namespaces: bool) -> Formula {
        if in_namespaces && self.about != About::Namespaces {
            return Formula::EVERYTHING;
        }
        let operator = if in_namespaces {
            Operator::Exists
        } else {
            Operator::DoesNotExist
        };
        let key = NAMESPACE_NAME.to_owned();
        Formula::Label(
            Domain::Namespace,
            Requirement {
                key,
                operator,
                values: Vec::new(),
            },
        )
    }

    fn label(&self, key: &str, operator: Operator, values: Vec<String>) -> Formula {
        let (domain, key) = self.meaning(key);
        let key = key.to_owned();
        Formula::Label(
            domain,
            Requirement {
                key,
                operator,
                values,
            },
        )
    }

    /// Calico hangs the labels of namespace and service account on each pod, under prefixes, and
    /// their names under keys of its own (`libcalico-go/lib/backend/k8s/conversion`).
    fn meaning<'k>(&self, key: &'k str) -> (Domain, &'k str) {
        const NAME: &str = "projectcalico.org/name";
        match (self.about, key) {
            (About::Namespaces, NAME) | (About::Endpoints, "projectcalico.org/namespace") => {
                (Domain::Namespace, NAMESPACE_NAME)
            }
            (About::ServiceAccounts, NAME)
            | (About::Endpoints, "projectcalico.org/serviceaccount") => {
                (Domain::ServiceAccount, SERVICE_ACCOUNT_NAME)
            }
            (About::Namespaces, key) => (Domain::Namespace, key),
            (About::ServiceAccounts, key) => (Domain::ServiceAccount, key),
            (About::Endpoints, key) => match (key.strip_prefix("pcns."), key.strip_prefix("pcsa."))
            {
                (Some(NAME), _) => (Domain::Namespace, NAMESPACE_NAME),
                (_, Some(NAME)) => (Domain::ServiceAccount, SERVICE_ACCOUNT_NAME),
                (Some(key), _) => (Domain::Namespace, key),
                (_, Some(key)) => (Domain::ServiceAccount, key),
                (None, None) => (Domain::Pod, key),
            },
        }
    }
}

fn one_or(mut parts: Vec<Formula>, several: impl Fn(Vec<Formula>) -> Formula) -> Formula {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            several(parts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_calico_reads_them() {
        let show = |text| match parse(text, About::Endpoints) {
            Ok(formula) => format!("{formula:?}"),
            Err(why) => format!("error: {why}"),
        };
        let same = [
            ("a == 'b'", "a==\"b\""),
            (
                "a == 'b' && c == 'd' || e == 'f'",
                "(a == 'b' && c == 'd') || e == 'f'",
            ),
            ("a not in {'b', 'c'}", "a notin { \"b\",'c', }"),
            ("!!has(a)", "has(a)"),
            ("a starts with 'b'", "a startswith 'b'"),
            (
                "projectcalico.org/namespace == 'x'",
                "pcns.projectcalico.org/name == 'x'",
            ),
            ("", "   "),
        ];
        for (one, other) in same {
            assert_eq!(show(one), show(other), "{one} / {other}");
            assert!(!show(one).starts_with("error"), "{one}: {}", show(one));
        }
        let different = [
            (
                "a == 'b' && (c == 'd' || e == 'f')",
                "a == 'b' && c == 'd' || e == 'f'",
            ),
            ("a != 'b'", "!has(a)"),
            ("all()", "global()"),
        ];
        for (one, other) in different {
            assert_ne!(show(one), show(other), "{one} / {other}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "a =",
            "a = 'b'",
            "a == b",
            "a == 'b",
            "has(",
            "has()",
            "a in 'b'",
            "a in {b}",
            "(a == 'b'",
            "a == 'b')",
            "a & b",
            "&& a",
            "all(",
            "a ==",
            "§",
            "a == 'b' c == 'd'",
        ] {
            assert!(parse(text, About::Endpoints).is_err(), "{text}");
        }
        let deep = format!("{}all(){}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(parse(&deep, About::Endpoints).is_err());
    }
}
