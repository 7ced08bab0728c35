//! A rule of the JSON listing in the words of `nft list`, for people.

use serde_json::value::RawValue;

use super::json::{Json, Kind, Row};

/// The text of a rule object (`{"family": …, "expr": […]}`); the object itself where it has no
/// expressions.
#[must_use]
pub fn rule_text(rule: &str) -> String {
    let Ok(raw) = serde_json::from_str::<&RawValue>(rule) else {
        return rule.to_owned();
    };
    let mut row = Row::default();
    let Some(parts) = row.read(raw).get("expr").and_then(Json::list) else {
        return rule.to_owned();
    };
    let texts: Vec<String> = parts.map(statement).collect();
    texts.join(" ")
}

/// One statement.
pub(super) fn statement(value: Json<'_>) -> String {
    let Some((name, content)) = value.only() else {
        return expression(value);
    };
    let part = |key: &str| content.get(key).map(expression).unwrap_or_default();
    match (name, content.kind()) {
        ("match", _) => {
            let operator = match part("op").as_str() {
                "==" | "in" => String::new(),
                other => format!("{other} "),
            };
            format!("{} {operator}{}", part("left"), part("right"))
        }
        ("vmap", _) => format!("{} vmap {}", part("key"), part("data")),
        ("mangle", _) => format!("{} set {}", part("key"), part("value")),
        ("counter", Some(Kind::Object)) => match content.get("packets") {
            Some(packets) => format!("counter packets {}", expression(packets)),
            None => "counter".to_owned(),
        },
        ("jump" | "goto", _) => format!("{name} {}", part("target")),
        ("dnat" | "snat" | "masquerade" | "redirect" | "tproxy", Some(Kind::Object)) => {
            translation(name, content)
        }
        ("reject", Some(Kind::Object)) if content.only().is_some() => match part("type").as_str() {
            "tcp reset" => "reject with tcp reset".to_owned(),
            kind => format!("reject with {kind} {}", part("expr")),
        },
        ("xt", _) => format!("xt {} {}", part("type"), part("name")),
        (_, _) if content.is_null() => name.to_owned(),
        (_, Some(Kind::Object)) => {
            let words = content
                .entries()
                .map(|(key, value)| format!("{key} {}", expression(value)));
            let words: Vec<String> = words.collect();
            format!("{name} {}", words.join(" "))
        }
        _ => format!("{name} {}", expression(content)),
    }
}

fn translation(name: &str, object: Json<'_>) -> String {
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
pub(super) fn expression(value: Json<'_>) -> String {
    let list = |all: Json<'_>, between: &str| {
        let texts: Vec<String> = all.list().into_iter().flatten().map(expression).collect();
        texts.join(between)
    };
    let (name, content) = match value.kind() {
        Some(Kind::Object) => match value.only() {
            Some(only) => only,
            None => return "{}".to_owned(),
        },
        Some(Kind::List) => {
            return match (value.at(0), value.at(1), value.at(2)) {
                (Some(key), Some(to), None) if to.kind() == Some(Kind::Object) => {
                    format!("{} : {}", expression(key), expression(to))
                }
                _ => list(value, ","),
            };
        }
        _ => return value.plain().to_owned(),
    };
    let part = |key: &str| content.get(key).map(expression).unwrap_or_default();
    match (name, content.kind()) {
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
            let flags = content.get("flags");
            let flags = flags.map(|flags| list(flags, " . ")).unwrap_or_default();
            format!("fib {flags} {}", part("result"))
        }
        ("numgen", _) => format!("numgen {} mod {}", part("mode"), part("mod")),
        ("jhash" | "symhash", _) => format!("{name} {} mod {}", part("expr"), part("mod")),
        ("map", _) => format!("{} map {}", part("key"), part("data")),
        ("prefix", _) => format!("{}/{}", part("addr"), part("len")),
        ("elem", _) => part("val"),
        ("concat", Some(Kind::List)) => list(content, " . "),
        ("range", Some(Kind::List)) => list(content, "-"),
        ("set", Some(Kind::List)) => format!("{{ {} }}", list(content, ", ")),
        ("&" | "|" | "^" | "<<" | ">>", Some(Kind::List)) => list(content, &format!(" {name} ")),
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
