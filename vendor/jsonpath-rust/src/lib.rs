//! JSONPath (RFC 9535) as far as a path names one value: members and positions,
//! `$.credential.access_token` or `$['list'][0]`. No wildcards, slices, filters or descendants.

use std::fmt;

use serde_json::Value;

/// Values that paths lead into.
pub trait JsonPath {
    /// The value at the end of a path; nothing where there is none.
    ///
    /// # Errors
    /// When the path does not name one value.
    fn query(&self, path: &str) -> Result<Vec<&Value>, Unsupported>;
}

/// A path that names no value, or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported;

impl JsonPath for Value {
    fn query(&self, path: &str) -> Result<Vec<&Value>, Unsupported> {
        let pointer = pointer(path).ok_or(Unsupported)?;
        Ok(self.pointer(&pointer).into_iter().collect())
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only names and positions are understood, as in $.status.token or $.items[0]")
    }
}

impl std::error::Error for Unsupported {}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &str) -> Option<String> {
    let mut rest = path.strip_prefix('$')?;
    let mut pointer = String::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = match rest.strip_prefix('.') {
            Some(named) => {
                let (name, after) = named.split_at(named.find(['.', '[']).unwrap_or(named.len()));
                (Some(name).filter(|name| is_name(name))?, after)
            }
            None => {
                let (selector, after) = rest.strip_prefix('[')?.split_once(']')?;
                (quoted(selector).or_else(|| position(selector))?, after)
            }
        };
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    Some(pointer)
}

fn is_name(text: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    !text.is_empty() && text.chars().all(is_part)
}

fn quoted(selector: &str) -> Option<&str> {
    let single =
        |text: &str| text.len() > 1 && !text[1..text.len() - 1].contains(['\'', '"', '\\']);
    let is_quoted = ['\'', '"']
        .iter()
        .any(|&mark| selector.starts_with(mark) && selector.ends_with(mark));
    (is_quoted && single(selector)).then(|| &selector[1..selector.len() - 1])
}

fn position(selector: &str) -> Option<&str> {
    selector.parse::<usize>().ok().map(|_| selector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_lead_to_one_value() {
        let json: Value = r#"{"a": {"b-c": [1, {"/d": 2}]}, "x": null}"#.parse().unwrap();
        let at = |path| {
            json.query(path)
                .map(|found| found.into_iter().cloned().collect())
        };
        assert_eq!(at("$.a.b-c[0]"), Ok(vec![Value::from(1)]));
        assert_eq!(at("$['a'][\"b-c\"][1]['/d']"), Ok(vec![Value::from(2)]));
        assert_eq!(at("$"), Ok(vec![json.clone()]));
        for missing in ["$.b", "$.a.b-c[2]", "$.x.y"] {
            assert_eq!(at(missing), Ok(vec![]), "{missing}");
        }
        for other in [
            "", "a", "$.", "$..a", "$.*", "$[*]", "$[?@.a]", "$[0:1]", "$['a", "$[']",
        ] {
            assert_eq!(at(other), Err(Unsupported), "{other}");
        }
    }
}
