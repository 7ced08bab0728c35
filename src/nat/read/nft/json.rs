//! JSON as a row of nodes that borrow the listing's text.
//!
//! ```text
//!  {"goto": {"target": "b"}}   ─►   Object 5 · "goto" 1 · Object 3 · "target" 1 · "b" 1
//! ```
//!
//! Each node says how many it stands for, so that one is passed over in a step. A listing of 10,000
//! Services has a million values: as a tree of its own each would cost more than reading it.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The nodes of one value; kept to be filled again.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    nodes: Vec<Node<'a>>,
    /// The lists and objects that are not closed yet.
    open: Vec<usize>,
}

#[derive(Debug)]
struct Node<'a> {
    kind: Kind,
    /// How many nodes the value takes, itself included.
    size: u32,
    /// Of texts, numbers and words; borrowed unless it held escapes.
    text: Cow<'a, str>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true`, `false`, `null`.
    Word,
    Number,
    Text,
    List,
    Object,
}

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'r>(&'r [Node<'r>]);

/// Values one after the other.
#[derive(Debug, Clone)]
pub(super) struct Items<'r>(&'r [Node<'r>]);

// === impl Row ===

impl<'a> Row<'a> {
    /// The value of a text that is known to be JSON.
    pub(super) fn read(&mut self, raw: &'a RawValue) -> Json<'_> {
        self.nodes.clear();
        self.open.clear();
        let text = raw.get();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let from = at;
            at += 1;
            match byte {
                b'{' => self.begin(Kind::Object),
                b'[' => self.begin(Kind::List),
                b'}' | b']' => self.end(),
                b'"' => {
                    let mut has_escapes = false;
                    while let Some(byte) = bytes.get(at).filter(|byte| **byte != b'"') {
                        let is_escape = *byte == b'\\';
                        has_escapes |= is_escape;
                        at += 1 + usize::from(is_escape);
                    }
                    at += 1;
                    let inner = text.get(from + 1..at - 1).unwrap_or_default();
                    self.push(
                        Kind::Text,
                        unescaped(inner, has_escapes, text.get(from..at)),
                    );
                }
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {}
                _ => {
                    let ends = |byte: &u8| {
                        matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
                    };
                    while bytes.get(at).is_some_and(|byte| !ends(byte)) {
                        at += 1;
                    }
                    let kind = if byte.is_ascii_alphabetic() {
                        Kind::Word
                    } else {
                        Kind::Number
                    };
                    let text = text.get(from..at).unwrap_or_default();
                    self.push(kind, Cow::Borrowed(text));
                }
            }
        }
        Json(&self.nodes)
    }

    #[inline]
    fn push(&mut self, kind: Kind, text: Cow<'a, str>) {
        self.nodes.push(Node {
            kind,
            size: 1,
            text,
        });
    }

    fn begin(&mut self, kind: Kind) {
        self.open.push(self.nodes.len());
        self.push(kind, Cow::Borrowed(""));
    }

    fn end(&mut self) {
        let count = self.nodes.len();
        if let Some(start) = self.open.pop()
            && let Some(node) = self.nodes.get_mut(start)
        {
            node.size = u32::try_from(count - start).unwrap_or(u32::MAX);
        }
    }
}

fn unescaped<'a>(inner: &'a str, has_escapes: bool, quoted: Option<&str>) -> Cow<'a, str> {
    if !has_escapes {
        return Cow::Borrowed(inner);
    }
    let plain = quoted.and_then(|quoted| serde_json::from_str::<String>(quoted).ok());
    plain.map_or(Cow::Borrowed(inner), Cow::Owned)
}

// === impl Json ===

impl<'r> Json<'r> {
    pub(super) fn kind(self) -> Option<Kind> {
        self.0.first().map(|node| node.kind)
    }

    /// The value under a key of an object.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        let mut entries = self.entries();
        entries
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// A member of a list.
    pub(super) fn at(self, position: usize) -> Option<Self> {
        self.list()?.nth(position)
    }

    /// The first key of an object with its value: statements and expressions have one.
    pub(super) fn only(self) -> Option<(&'r str, Self)> {
        self.entries().next()
    }

    /// What an object holds; nothing for other values.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'r str, Self)> {
        let mut inner = self.inner(Kind::Object).unwrap_or(Items(&[]));
        std::iter::from_fn(move || {
            let key = inner.next()?;
            Some((key.as_str()?, inner.next()?))
        })
    }

    /// The members of a list.
    pub(super) fn list(self) -> Option<Items<'r>> {
        self.inner(Kind::List)
    }

    /// The value as the only one of many.
    pub(super) const fn alone(self) -> Items<'r> {
        Items(self.0)
    }

    pub(super) fn as_str(self) -> Option<&'r str> {
        let node = self.0.first()?;
        (node.kind == Kind::Text).then_some(&*node.text)
    }

    pub(super) fn as_u64(self) -> Option<u64> {
        let node = self.0.first()?;
        (node.kind == Kind::Number).then(|| node.text.parse().ok())?
    }

    /// Texts, numbers and words as they are written; empty for lists and objects.
    pub(super) fn plain(self) -> &'r str {
        self.0.first().map_or("", |node| &*node.text)
    }

    pub(super) fn is_null(self) -> bool {
        self.kind() == Some(Kind::Word) && self.plain() == "null"
    }

    fn inner(self, kind: Kind) -> Option<Items<'r>> {
        let (node, inner) = self.0.split_first()?;
        (node.kind == kind).then_some(Items(inner))
    }
}

// === impl Items ===

impl<'r> Iterator for Items<'r> {
    type Item = Json<'r>;

    fn next(&mut self) -> Option<Json<'r>> {
        let size = self.0.first()?.size as usize;
        let (value, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(Json(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Number, Value};

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    /// Back to what serde_json makes of the same text.
    fn value(json: Json<'_>) -> Value {
        match json.kind() {
            Some(Kind::Word) => match json.plain() {
                "null" => Value::Null,
                word => Value::Bool(word == "true"),
            },
            Some(Kind::Number) => Value::Number(json.plain().parse::<Number>().unwrap()),
            Some(Kind::Text) => Value::String(json.as_str().unwrap().to_owned()),
            Some(Kind::List) => json.list().unwrap().map(value).collect(),
            Some(Kind::Object) => {
                let entries = json
                    .entries()
                    .map(|(key, inner)| (key.to_owned(), value(inner)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
            None => panic!("no value"),
        }
    }

    #[test]
    fn borrows_what_has_no_escapes() {
        let text = raw(r#"{"b":[1,-2,true,null],"a\n":"x\ty","c":{"d":"plain"}}"#);
        let mut row = Row::default();
        let json = row.read(&text);
        assert_eq!(json.only().map(|(name, _)| name), Some("b"));
        assert_eq!(json.get("a\n").and_then(Json::as_str), Some("x\ty"));
        let list = json.get("b").unwrap();
        assert_eq!(list.at(0).and_then(Json::as_u64), Some(1));
        assert!(list.at(3).unwrap().is_null() && list.at(4).is_none());
        assert!(matches!(
            row.nodes.last().unwrap().text,
            Cow::Borrowed("plain")
        ));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::String),
            "[ -~]{0,8}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let key = prop_oneof![any::<String>(), "[a-z]{1,3}".prop_map(String::from)];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::hash_map(key, inner, 0..5)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(wanted in any_value(), is_pretty in any::<bool>()) {
            let text = if is_pretty {
                serde_json::to_string_pretty(&wanted).unwrap()
            } else {
                wanted.to_string()
            };
            let text = raw(&text);
            let mut row = Row::default();
            prop_assert_eq!(value(row.read(&text)), serde_json::from_str::<Value>(text.get()).unwrap());
        }
    }
}
