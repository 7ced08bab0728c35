//! Packets that were dropped: `cilium-dbg monitor --type drop -j`, `hubble observe -o jsonpb` and the counters of
//! `cilium-dbg bpf metrics list -o json`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use serde_json::Value;

use crate::dataplane::answer::{BadAnswer, lines, stream};

/// One packet that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    pub source: IpAddr,
    pub destination: SocketAddr,
    /// `Policy denied`
    pub reason: String,
}

/// How many packets one reason has, in both directions.
pub type Counter = BTreeMap<String, u64>;

#[derive(Deserialize)]
struct Row {
    reason: Value,
    description: Option<String>,
    packets: Option<u64>,
    /// Older versions have no rows, but one object for each reason.
    values: Option<BTreeMap<String, Count>>,
}

#[derive(Deserialize)]
struct Count {
    packets: u64,
}

/// The drops among the events of a monitor, or of Hubble. Chatter between them is passed over.
#[must_use]
pub fn drops(text: &str) -> Vec<Drop> {
    lines(text)
        .filter_map(|event| monitor(&event).or_else(|| hubble(&event)))
        .collect()
}

/// `{"type":"drop","reason":"Policy denied","summary":{"l3":{"src","dst"},"l4":{"src","dst"}}}`
fn monitor(event: &Value) -> Option<Drop> {
    let text = |pointer: &str| event.pointer(pointer)?.as_str();
    if text("/type")? != "drop" {
        return None;
    }
    let port = text("/summary/l4/dst")?.parse().ok()?;
    Some(Drop {
        source: text("/summary/l3/src")?.parse().ok()?,
        destination: SocketAddr::new(text("/summary/l3/dst")?.parse().ok()?, port),
        reason: text("/reason")?.to_owned(),
    })
}

/// `{"flow":{"verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED","IP":{"source","destination"},"l4":{"TCP":{…}}}}`
fn hubble(event: &Value) -> Option<Drop> {
    let flow = event.get("flow")?;
    let text = |pointer: &str| flow.pointer(pointer)?.as_str();
    if text("/verdict")? != "DROPPED" {
        return None;
    }
    let l4 = flow.get("l4")?.as_object()?.values().next()?;
    let port = l4.get("destination_port")?.as_u64()?;
    Some(Drop {
        source: text("/IP/source")?.parse().ok()?,
        destination: SocketAddr::new(
            text("/IP/destination")?.parse().ok()?,
            port.try_into().ok()?,
        ),
        reason: words(text("/drop_reason_desc")?),
    })
}

/// `POLICY_DENIED` as the monitor says it: `Policy denied`.
fn words(constant: &str) -> String {
    let lower = constant.to_lowercase().replace('_', " ");
    let mut letters = lower.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

/// Reads the counters, summed over directions and source lines.
///
/// # Errors
/// When the text is no such list.
pub fn counters(text: &str) -> Result<Counter, BadAnswer> {
    let rows: Vec<Row> = stream("cilium-dbg bpf metrics list -o json", text)?;
    let mut all = Counter::new();
    for row in rows {
        let reason = match (row.description, row.reason) {
            (Some(description), _) => description,
            (None, Value::String(reason)) => reason,
            (None, other) => other.to_string(),
        };
        let older = row.values.unwrap_or_default();
        let packets =
            row.packets.unwrap_or(0) + older.values().map(|count| count.packets).sum::<u64>();
        *all.entry(reason).or_default() += packets;
    }
    Ok(all)
}

/// Reasons that count what is not lost.
const HARMLESS: [&str; 4] = ["Success", "Interface", "LB:", "Request to"];

/// What packets were dropped for between two readings, and how many.
#[must_use]
pub fn growth(before: &Counter, after: &Counter) -> Vec<(String, u64)> {
    let lost = after
        .iter()
        .filter(|(reason, _)| !HARMLESS.iter().any(|harmless| reason.starts_with(harmless)));
    let grown = lost.filter_map(|(reason, now)| {
        let more = now.saturating_sub(before.get(reason).copied().unwrap_or(0));
        (more > 0).then(|| (reason.clone(), more))
    });
    grown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_among_chatter() {
        let text = concat!(
            "time=2026-11-30T16:35:10Z level=info msg=\"Initializing dissection cache...\"\n",
            r#"{"type":"drop","reason":"Policy denied","summary":{"l3":{"src":"10.244.1.157","dst":"10.244.2.239"},"l4":{"src":"41058","dst":"9090"}}}"#,
            "\n",
            r#"{"type":"drop","reason":"Unsupported L3 protocol","summary":{"l3":{"src":"fe80::1","dst":"ff02::2"}}}"#,
            "\n",
            r#"{"type":"trace","summary":{"l3":{"src":"10.0.0.1","dst":"10.0.0.2"},"l4":{"src":"1","dst":"2"}}}"#,
            "\nPolicy verdict log: flow 0x0\n",
            r#"{"flow":{"verdict":"DROPPED","drop_reason":133,"drop_reason_desc":"POLICY_DENIED","IP":{"source":"10.0.0.1","destination":"10.0.0.2"},"l4":{"TCP":{"source_port":1,"destination_port":80}}}}"#,
        );
        let all = drops(text);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].destination, "10.244.2.239:9090".parse().unwrap());
        assert_eq!(all[1].reason, "Policy denied");
    }

    #[test]
    fn counters_of_both_layouts() {
        let before = counters(
            r#"[{"reason":"Policy denied","direction":"ingress","packets":3,"bytes":2,"line":1,"file":"bpf_lxc.c"},
                {"reason":"Policy denied","direction":"egress","packets":1},{"reason":"Success","packets":9}]"#,
        )
        .unwrap();
        let after = counters(
            r#"[{"reason":133,"description":"Policy denied","values":{"ingress":{"packets":7,"bytes":1}}},
                {"reason":0,"description":"Success","values":{"egress":{"packets":99,"bytes":1}}}]"#,
        )
        .unwrap();
        assert_eq!(growth(&before, &after), [("Policy denied".to_owned(), 3)]);
        assert_eq!(growth(&after, &before), []);
        assert!(counters("REASON   DIRECTION").is_err());
    }
}
