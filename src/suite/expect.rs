//! What a check may expect beside the verdict: how much is lost, how long it takes, and who is to blame.

use std::fmt;
use std::time::Duration;

use crate::cluster::{ObjectRef, Resource};
use crate::report::{Aim, Measurement, PathReport};
use crate::target::Kind;

/// The object that must be the reason: `KIND/NAME` or `NAMESPACE/KIND/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blamed {
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// The most that may be measured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Percent of all connects.
    pub loss: Option<f64>,
    /// What 95 of 100 connects must keep.
    pub latency: Option<Duration>,
}

/// How measurements compare with limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    Kept,
    Exceeded(String),
    NotMeasured,
}

// === impl Blamed ===

impl Blamed {
    /// Parses `KIND/NAME` or `NAMESPACE/KIND/NAME`; the kind as kubectl spells it, or as its manifest does.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split('/').collect();
        let (namespace, kind, name) = match words.as_slice() {
            [kind, name] => (None, kind, name),
            [namespace, kind, name] => (Some((*namespace).to_owned()), kind, name),
            _ => return None,
        };
        if words.iter().any(|word| word.is_empty()) {
            return None;
        }
        Some(Self {
            kind: kind_of(kind),
            namespace,
            name: (*name).to_owned(),
        })
    }

    /// Whether it is this object.
    #[must_use]
    pub fn is(&self, object: &ObjectRef) -> bool {
        let is_there = self
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == object.namespace);
        self.kind.eq_ignore_ascii_case(&object.kind) && self.name == object.name && is_there
    }
}

impl fmt::Display for Blamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// The kind as a manifest spells it; one that is not known stays as it is.
fn kind_of(text: &str) -> String {
    if let Some(kind) = Kind::parse(text) {
        return kind.resource().kind().to_owned();
    }
    let short = match text.to_lowercase().as_str() {
        "netpol" => "networkpolicies".to_owned(),
        "ep" => "endpoints".to_owned(),
        "cm" => "configmaps".to_owned(),
        "ns" => "namespaces".to_owned(),
        other => other.to_owned(),
    };
    let mut all = Resource::ALL.iter();
    let known = all.find(|one| one.plural() == short || one.kind().eq_ignore_ascii_case(&short));
    known.map_or(text, |one| one.kind()).to_owned()
}

// === impl Limits ===

impl Limits {
    /// Compares with what was measured over the Service's address, else with the backends by themselves.
    #[must_use]
    pub fn compare(&self, report: &PathReport) -> Compared {
        if *self == Self::default() {
            return Compared::Kept;
        }
        let of = |aim| -> Vec<&Measurement> {
            let all = report.measurements.iter();
            all.filter(|one| one.aim == aim).collect()
        };
        let mut measured = of(Aim::Service);
        if measured.is_empty() {
            measured = of(Aim::Backend);
        }
        if measured.is_empty() {
            return Compared::NotMeasured;
        }
        let is_over = |one: &&&Measurement| {
            self.loss.is_some_and(|most| one.loss_percent > most)
                || self.latency.is_some_and(|most| is_slower(one, most))
        };
        let over = measured.iter().find(is_over);
        over.map_or(Compared::Kept, |one| {
            Compared::Exceeded(format!("{}, allowed {self}", one.words()))
        })
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loss = self.loss.map(|loss| format!("loss {loss}%"));
        let latency = self
            .latency
            .map(|latency| format!("latency {} ms", latency.as_millis()));
        let all: Vec<String> = loss.into_iter().chain(latency).collect();
        f.write_str(&all.join(", "))
    }
}

fn is_slower(one: &Measurement, most: Duration) -> bool {
    let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    one.p95_us.is_none_or(|p95| p95 > most)
}

/// `1%`, `0.5 %`, `0`: percent.
#[must_use]
pub fn percent(text: &str) -> Option<f64> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let value: f64 = number.parse().ok()?;
    (0.0..=100.0).contains(&value).then_some(value)
}

/// `20ms`, `1s`, `2m`.
#[must_use]
pub fn latency(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => crate::duration::duration(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blamed_object_is_named_as_in_kubectl() {
        let policy = ObjectRef::new("NetworkPolicy", "shop", "lock");
        for (text, expected) in [
            ("NetworkPolicy/lock", true),
            ("networkpolicy/lock", true),
            ("netpol/lock", true),
            ("shop/networkpolicies/lock", true),
            ("data/netpol/lock", false),
            ("netpol/other", false),
            ("svc/lock", false),
        ] {
            let blamed = Blamed::parse(text).expect(text);
            assert_eq!(blamed.is(&policy), expected, "{text}");
        }
        for text in ["lock", "a/b/c/d", "/lock", "netpol/"] {
            assert_eq!(Blamed::parse(text), None, "{text}");
        }
    }

    #[test]
    fn limits_are_read_with_their_units() {
        assert_eq!(percent("1%"), Some(1.0));
        assert_eq!(percent("0.5"), Some(0.5));
        assert_eq!(percent("101%"), None);
        assert_eq!(percent("few"), None);
        assert_eq!(latency("20ms"), Some(Duration::from_millis(20)));
        assert_eq!(latency("2s"), Some(Duration::from_secs(2)));
        assert_eq!(latency("fast"), None);
    }
}
