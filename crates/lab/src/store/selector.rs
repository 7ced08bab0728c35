//! Label selectors, as a query writes them and as objects hold them.
//!
//! Source: k8s.io/apimachinery, `labels.Parse` and `LabelSelectorAsSelector`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Requirements that must all hold. Without any, everything matches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// A selector that cannot be read, in the API server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSelector(pub String);

// === impl Selector ===

impl Selector {
    /// Reads `app=web,tier in (a,b),!old`.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
        };
        let mut requirements = Vec::new();
        while parser.peek().is_some() {
            requirements.push(parser.requirement()?);
            match parser.next() {
                None | Some(",") => {}
                Some(other) => {
                    return Err(BadSelector(format!(
                        "found '{other}', expected: ',' or 'end of string'"
                    )));
                }
            }
        }
        Ok(Self { requirements })
    }

    pub fn from_map(map: &BTreeMap<String, String>) -> Self {
        let equal = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            test: Test::In(vec![value.clone()]),
        };
        Self {
            requirements: map.iter().map(equal).collect(),
        }
    }

    /// The selector of an object. An unknown operator matches nothing.
    pub fn from_object(selector: &LabelSelector) -> Self {
        let mut all = Self::from_map(&selector.match_labels.clone().unwrap_or_default());
        for one in selector.match_expressions.iter().flatten() {
            let values = one.values.clone().unwrap_or_default();
            let test = match one.operator.as_str() {
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::Absent,
                "NotIn" => Test::NotIn(values),
                _ => Test::In(values),
            };
            let key = one.key.clone();
            all.requirements.push(Requirement { key, test });
        }
        all
    }

    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements
            .iter()
            .all(|one| one.holds(labels.get(&one.key)))
    }
}

// === impl Requirement ===

impl Requirement {
    fn holds(&self, value: Option<&String>) -> bool {
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, BadSelector> {
        let absent = self.peek() == Some("!");
        if absent {
            self.at += 1;
        }
        let key = match self.next() {
            Some(key) if is_word(key) => key.to_owned(),
            found => return Err(expected(found, "identifier")),
        };
        if absent {
            let test = Test::Absent;
            return Ok(Requirement { key, test });
        }
        let test = match self.peek() {
            None | Some(",") => Test::Exists,
            Some("=" | "==") => {
                self.at += 1;
                Test::In(vec![self.value()])
            }
            Some("!=") => {
                self.at += 1;
                Test::NotIn(vec![self.value()])
            }
            Some("in") => {
                self.at += 1;
                Test::In(self.values()?)
            }
            Some("notin") => {
                self.at += 1;
                Test::NotIn(self.values()?)
            }
            found => return Err(expected(found, "in, notin, =, ==, !=, gt, lt")),
        };
        Ok(Requirement { key, test })
    }

    /// The right side of `=`, which may be empty.
    fn value(&mut self) -> String {
        match self.peek() {
            Some(value) if is_word(value) => {
                self.at += 1;
                value.to_owned()
            }
            _ => String::new(),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, BadSelector> {
        if self.next() != Some("(") {
            self.at -= 1;
            return Err(expected(self.peek(), "'('"));
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Some(")") => return Ok(values),
                Some(",") => {}
                Some(value) if is_word(value) => values.push(value.to_owned()),
                found => return Err(expected(found, "',', ')' or identifier")),
            }
        }
    }
}

fn expected(found: Option<&str>, wanted: &str) -> BadSelector {
    BadSelector(format!(
        "found '{}', expected: {wanted}",
        found.unwrap_or_default()
    ))
}

fn is_word(token: &str) -> bool {
    !matches!(token, "(" | ")" | "," | "!" | "=" | "==" | "!=" | "")
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let length = match rest.as_bytes() {
            [b'!' | b'=', b'=', ..] => 2,
            [b'!' | b'=' | b'(' | b')' | b',', ..] => 1,
            _ => rest
                .find(['!', '=', '(', ')', ',', ' '])
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length.max(1));
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}
