//! Kubernetes' protobuf: kubectl's typed commands (`create namespace`, `debug node/…`, `auth can-i`) speak
//! it without being asked. Read only; answers are JSON.
//!
//! ```text
//!  "k8s\0" Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: the object's own message }
//! ```
//!
//! Source: k8s.io/apimachinery `pkg/runtime/serializer/protobuf`; the messages are those of the
//! `generated.proto` files of v1.36, as far as such commands send them.

use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;

/// `Message 1=field:type …`: s(tring), i(nteger), b(ool), (b)y(tes) or a message, `[]` a list, `{}` a map,
/// `-` passed over.
const MESSAGES: &str = include_str!("messages.txt");
const MAGIC: &[u8] = b"k8s\0";

/// Messages that JSON shows in the place of their parent's field.
const INLINE: [&str; 4] = [
    "volumeSource",
    "handler",
    "localObjectReference",
    "ephemeralContainerCommon",
];
/// Fields whose zero says something. All others are absent then: Go writes them always.
const ZERO_COUNTS: [&str; 12] = [
    "replicas",
    "gracePeriodSeconds",
    "terminationGracePeriodSeconds",
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "privileged",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
    "automountServiceAccountToken",
    "shareProcessNamespace",
    "enableServiceLinks",
];

/// One field on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads an object.
pub fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    decode(bytes).ok_or_else(|| {
        let message = "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml";
        Refusal::new(415, "UnsupportedMediaType", message)
    })
}

fn decode(bytes: &[u8]) -> Option<Value> {
    let envelope = fields(bytes.strip_prefix(MAGIC)?)?;
    let part = |number: u64| {
        envelope.iter().find_map(|(own, wire)| match wire {
            Wire::Bytes(bytes) if *own == number => Some(*bytes),
            _ => None,
        })
    };
    let mut words = ["", ""];
    for (number, wire) in fields(part(1)?)? {
        if let (Wire::Bytes(text), 1 | 2) = (wire, number) {
            words[usize::from(number == 2)] = std::str::from_utf8(text).ok()?;
        }
    }
    let [api_version, kind] = words;
    let mut object = message(kind, part(2)?)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Some(Value::Object(object))
}

/// A message as JSON shows it, or `None` where it holds what is not known here.
fn message(name: &str, bytes: &[u8]) -> Option<Map<String, Value>> {
    let known = MESSAGES
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let mut object = Map::new();
    for (number, wire) in fields(bytes)? {
        let prefix = format!("{number}=");
        let entry = known
            .split(' ')
            .find_map(|field| field.strip_prefix(&prefix));
        let (field, kind) = match entry.and_then(|entry| entry.split_once(':')) {
            // Only controllers write a status.
            Some((_, "-")) => continue,
            Some(known) => known,
            // Go writes empty fields, too.
            None if is_empty(&wire) => continue,
            None => return None,
        };
        if let Some(kind) = kind.strip_prefix("{}") {
            let entry = object.entry(field).or_insert_with(|| json!({}));
            let (key, value) = pair(kind, &wire)?;
            entry.as_object_mut()?.insert(key, value);
        } else if let Some(kind) = kind.strip_prefix("[]") {
            let value = value(kind, &wire)?;
            let entry = object.entry(field).or_insert_with(|| json!([]));
            entry.as_array_mut()?.push(value);
        } else if INLINE.contains(&field) {
            let Value::Object(inner) = value(kind, &wire)? else {
                return None;
            };
            object.extend(inner);
        } else {
            let value = value(kind, &wire)?;
            let says_nothing =
                matches!(&value, Value::Null) || value == "" || value == 0 || value == false;
            if !says_nothing || (ZERO_COUNTS.contains(&field) && !value.is_null()) {
                object.insert(field.to_owned(), value);
            }
        }
    }
    Some(object)
}

fn is_empty(wire: &Wire<'_>) -> bool {
    matches!(wire, Wire::Number(0) | Wire::Bytes([]))
}

fn value(kind: &str, wire: &Wire<'_>) -> Option<Value> {
    Some(match (kind, wire) {
        ("b", Wire::Number(number)) => (*number != 0).into(),
        ("i", Wire::Number(number)) => number.cast_signed().into(),
        ("s", Wire::Bytes(bytes)) => std::str::from_utf8(bytes).ok()?.into(),
        ("y", Wire::Bytes(bytes)) => BASE64.encode(bytes).into(),
        ("Time", Wire::Bytes(bytes)) => time(bytes)?,
        ("Quantity", Wire::Bytes(bytes)) => only(bytes)?,
        ("IntOrString", Wire::Bytes(bytes)) => int_or_string(bytes)?,
        (name, Wire::Bytes(bytes)) => Value::Object(message(name, bytes)?),
        _ => return None,
    })
}

/// An entry of a map.
fn pair(kind: &str, wire: &Wire<'_>) -> Option<(String, Value)> {
    let Wire::Bytes(bytes) = wire else {
        return None;
    };
    let (mut key, mut held) = (String::new(), Value::from(""));
    for (number, wire) in fields(bytes)? {
        match number {
            1 => value("s", &wire)?.as_str()?.clone_into(&mut key),
            _ => held = value(kind, &wire)?,
        }
    }
    Some((key, held))
}

fn time(bytes: &[u8]) -> Option<Value> {
    let all = fields(bytes)?;
    let seconds = all.iter().find_map(|(number, wire)| match wire {
        Wire::Number(seconds) if *number == 1 => Some(seconds.cast_signed()),
        _ => None,
    });
    let Some(seconds) = seconds else {
        return Some(Value::Null);
    };
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into())
}

fn only(bytes: &[u8]) -> Option<Value> {
    let (_, wire) = fields(bytes)?.into_iter().next()?;
    value("s", &wire)
}

fn int_or_string(bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut text) = (false, Value::from(0), Value::from(""));
    for (field, wire) in fields(bytes)? {
        match field {
            1 => is_text = matches!(wire, Wire::Number(1)),
            2 => number = value("i", &wire)?,
            _ => text = value("s", &wire)?,
        }
    }
    Some(if is_text { text } else { number })
}

/// The fields of a message in their order.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let wire = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (own, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Wire::Bytes(own)
            }
            _ => return None,
        };
        all.push((tag >> 3, wire));
    }
    Some(all)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kubectl sends `create namespace a`: every field Go always writes is there, empty.
    #[test]
    fn reads_what_kubectl_sends() {
        let mut bytes = b"k8s\0".to_vec();
        bytes.extend(b"\x0a\x0f\x0a\x02v1\x12\x09Namespace");
        bytes.extend(b"\x12\x1d\x0a\x17\x0a\x01a\x12\x00\x1a\x00\x38\x00\x42\x00\x5a\x0a\x0a\x04team\x12\x02ab\x12\x00\x1a\x00");
        assert_eq!(
            parse(&bytes),
            Ok(
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {"team": "ab"}}, "spec": {}})
            )
        );
        assert_eq!(parse(&bytes[..20]).unwrap_err().code, 415);
    }
}
