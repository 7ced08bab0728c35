//! A rule of the JSON listing in the words of `nft list`, for people.

use serde_json::{Map, Value};

/// The text of a rule object (`{"family": …, "expr": […]}`); the object itself where it has no
/// expressions.
#[must_use]
pub fn rule_text(rule: &str) -> String {
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(rule);
    let Some(Value::Array(parts)) = parsed.ok().and_then(|mut object| object.remove("expr")) else {
        return rule.to_owned();
    };
    let texts: Vec<String> = parts.iter().map(statement).collect();
    texts.join(" ")
}

/// One statement.
pub(super) fn statement(value: &Value) -> String {
    let Some((name, content)) = value.as_object().and_then(|object| object.iter().next()) else {
        return expression(value);
    };
    let part = |key: &str| content.get(key).map(expression).unwrap_or_default();
    match (name.as_str(), content) {
        ("match", _) => {
            let operator = match part("op").as_str() {
                "==" | "in" => String::new(),
                other => format!("{other} "),
            };
            format!("{} {operator}{}", part("left"), part("right"))
        }
        ("vmap", _) => format!("{} vmap {}", part("key"), part("data")),
        ("mangle", _) => format!("{} set {}", part("key"), part("value")),
        ("counter", Value::Object(counter)) => match counter.get("packets") {
            Some(packets) => format!("counter packets {packets}"),
            None => "counter".to_owned(),
        },
        ("jump" | "goto", _) => format!("{name} {}", part("target")),
        ("dnat" | "snat" | "masquerade" | "redirect" | "tproxy", Value::Object(object)) => {
            translation(name, object)
        }
        ("reject", Value::Object(object)) if !object.is_empty() => match part("type").as_str() {
            "tcp reset" => "reject with tcp reset".to_owned(),
            kind => format!("reject with {kind} {}", part("expr")),
        },
        ("xt", _) => format!("xt {} {}", part("type"), part("name")),
        (_, Value::Null) => name.clone(),
        (_, Value::Object(object)) => {
            let words = object
                .iter()
                .map(|(key, value)| format!("{key} {}", expression(value)));
            let words: Vec<String> = words.collect();
            format!("{name} {}", words.join(" "))
        }
        (_, other) => format!("{name} {}", expression(other)),
    }
}

fn translation(name: &str, object: &Map<String, Value>) -> String {
    let mut text = name.to_owned();
    if let Some(family) = object.get("family") {
        text = format!("{text} {}", expression(family));
    }
    let address = object.get("addr").map(expression);
    let port = object
        .get("port")
        .map(|port| format!(":{}", expression(port)));
    if address.is_some() || port.is_some() {
        text = format!(
            "{text} to {}{}",
            address.unwrap_or_default(),
            port.unwrap_or_default()
        );
    }
    if let Some(flags) = object.get("flags") {
        text = format!("{text} {}", expression(flags));
    }
    text
}

/// One expression.
pub(super) fn expression(value: &Value) -> String {
    let list = |all: &[Value], between: &str| {
        let texts: Vec<String> = all.iter().map(expression).collect();
        texts.join(between)
    };
    let object = match value {
        Value::String(text) => return text.clone(),
        Value::Array(pair) if pair.len() == 2 && pair[1].is_object() => {
            return format!("{} : {}", expression(&pair[0]), expression(&pair[1]));
        }
        Value::Array(all) => return list(all, ","),
        Value::Object(object) => object,
        other => return other.to_string(),
    };
    let Some((name, content)) = object.iter().next() else {
        return "{}".to_owned();
    };
    let part = |key: &str| content.get(key).map(expression).unwrap_or_default();
    match (name.as_str(), content) {
        ("payload", _) if content.get("protocol").is_some() => {
            format!("{} {}", part("protocol"), part("field"))
        }
        ("meta", _) => match part("key").as_str() {
            key @ ("iifname" | "oifname" | "iif" | "oif") => key.to_owned(),
            key => format!("meta {key}"),
        },
        ("ct", _) => {
            let words = [part("dir"), part("family"), part("key")];
            let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
            format!("ct {}", words.join(" "))
        }
        ("fib", _) => {
            let flags = content.get("flags").and_then(Value::as_array);
            let flags = flags.map(|flags| list(flags, " . ")).unwrap_or_default();
            format!("fib {flags} {}", part("result"))
        }
        ("numgen", _) => format!("numgen {} mod {}", part("mode"), part("mod")),
        ("jhash" | "symhash", _) => format!("{name} {} mod {}", part("expr"), part("mod")),
        ("map", _) => format!("{} map {}", part("key"), part("data")),
        ("prefix", _) => format!("{}/{}", part("addr"), part("len")),
        ("elem", _) => part("val"),
        ("concat", Value::Array(all)) => list(all, " . "),
        ("range", Value::Array(all)) => list(all, "-"),
        ("set", Value::Array(all)) => format!("{{ {} }}", list(all, ", ")),
        ("&" | "|" | "^" | "<<" | ">>", Value::Array(all)) => list(all, &format!(" {name} ")),
        _ => statement(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_nft() {
        for (json, expected) in [
            (
                r#"{"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"@cluster-ips"}},
                {"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"10.0.0.0","len":8}}}},
                {"mangle":{"key":{"meta":{"key":"mark"}},"value":{"|":[{"meta":{"key":"mark"}},16384]}}}]}"#,
                "ip daddr @cluster-ips ip saddr != 10.0.0.0/8 meta mark set meta mark | 16384",
            ),
            (
                r#"{"expr":[{"dnat":{"family":"ip","addr":{"map":{"key":{"numgen":{"mode":"random","mod":2,"offset":0}},
                "data":{"set":[[0,{"concat":["10.0.0.1",80]}],[1,{"concat":["10.0.0.2",80]}]]}}}}}]}"#,
                "dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }",
            ),
            (
                r#"{"expr":[{"counter":{"packets":5,"bytes":3}},{"reject":{"type":"icmpx","expr":"admin-prohibited"}}]}"#,
                "counter packets 5 reject with icmpx admin-prohibited",
            ),
            (r#"{"expr":[{"goto":{"target":"b"}}]}"#, "goto b"),
            ("junk", "junk"),
        ] {
            assert_eq!(rule_text(json), expected);
        }
    }
}
