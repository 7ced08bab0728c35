//! Names that controllers make up: the same every time.

use serde_json::Value;

use crate::net::fingerprint;

/// Kubernetes' letters for made-up names: no vowels, nothing that looks like another.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// `count` letters that depend on the text.
pub fn letters(text: &str, count: usize) -> String {
    let mut left = fingerprint(text);
    let pick = |_| {
        let letter = LETTERS[(left % 27) as usize];
        left = (left / 27) ^ fingerprint(&format!("{text}{left}"));
        char::from(letter)
    };
    (0..count).map(pick).collect()
}

/// A name below `prefix` that nothing has yet.
pub fn fresh(prefix: &str, taken: impl Fn(&str) -> bool) -> String {
    let names = (0..).map(|round| format!("{prefix}{}", letters(&format!("{prefix}{round}"), 5)));
    names
        .into_iter()
        .find(|name| !taken(name))
        .unwrap_or_default()
}

/// The hash of a pod template, as a label value.
pub fn template_hash(template: &Value) -> String {
    letters(&template.to_string(), 10)
}
