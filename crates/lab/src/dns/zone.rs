//! The cluster's zone. Source: Kubernetes DNS-Based Service Discovery 1.1.0, CoreDNS `kubernetes`.

use std::net::IpAddr;

use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SRV, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::index::{Index, NameEntry};

/// What the zone says to a question.
#[derive(Debug)]
pub enum Answer {
    /// Records for the answer section, and addresses to go along.
    Records {
        answers: Vec<Record>,
        extra: Vec<Record>,
    },
    /// A name outside that stands for this one.
    Alias(Name),
    /// The name exists and has nothing of this kind.
    NoData,
    NoSuchName,
}

/// Asks for a name below a zone; both in lower case without the final dot.
pub fn answer(index: &Index, name: &str, zone: &str, kind: RecordType, ttl: u32) -> Answer {
    let relative = name
        .strip_suffix(zone)
        .unwrap_or(name)
        .trim_end_matches('.');
    let mut labels: Vec<&str> = relative
        .split('.')
        .filter(|label| !label.is_empty())
        .collect();
    labels.reverse();
    let fqdn = fqdn(name);
    let query = Query {
        zone,
        name: &fqdn,
        kind,
        ttl,
    };
    match labels.as_slice() {
        [] | ["svc" | "pod"] => Answer::NoData,
        ["dns-version"] => query.text("1.1.0"),
        ["svc", namespace, rest @ ..] if index.namespaces.contains(*namespace) => match rest {
            [] => Answer::NoData,
            [service, below @ ..] => match index
                .services
                .get(&((*namespace).to_owned(), (*service).to_owned()))
            {
                Some(entry) => query.service(entry, &format!("{service}.{namespace}.svc"), below),
                None => Answer::NoSuchName,
            },
        },
        ["pod", namespace, rest @ ..] if index.namespaces.contains(*namespace) => match rest {
            [] => Answer::NoData,
            [dashed] => {
                pod_address(dashed).map_or(Answer::NoSuchName, |address| query.addresses([address]))
            }
            _ => Answer::NoSuchName,
        },
        _ => Answer::NoSuchName,
    }
}

/// One question.
struct Query<'a> {
    zone: &'a str,
    name: &'a Name,
    kind: RecordType,
    ttl: u32,
}

// === impl Query ===

impl Query<'_> {
    /// A Service or what lies below it; `below` from right to left.
    fn service(&self, entry: &NameEntry, path: &str, below: &[&str]) -> Answer {
        if let Some(target) = &entry.external {
            return match below {
                [] => Answer::Alias(fqdn(target)),
                _ => Answer::NoSuchName,
            };
        }
        match below {
            [] if self.kind == RecordType::SRV => self.services(entry, path, |_, _| true),
            [] if entry.addresses.is_empty() => {
                if entry.endpoints.is_empty() {
                    return Answer::NoSuchName;
                }
                self.addresses(entry.endpoints.iter().map(|one| one.address))
            }
            [] => self.addresses(entry.addresses.iter().copied()),
            [protocol, port] if protocol.starts_with('_') && port.starts_with('_') => {
                let (protocol, port) = (&protocol[1..], &port[1..]);
                self.services(entry, path, |name, of| name == port && of == protocol)
            }
            [own] => {
                let mut found = entry
                    .endpoints
                    .iter()
                    .filter(|one| one.name == *own)
                    .peekable();
                if found.peek().is_none() {
                    return Answer::NoSuchName;
                }
                self.addresses(found.map(|one| one.address))
            }
            _ => Answer::NoSuchName,
        }
    }

    fn addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) -> Answer {
        let records = addresses
            .into_iter()
            .map(|address| self.address(self.name.clone(), address));
        let answers: Vec<Record> = records
            .filter(|record| record.record_type() == self.kind)
            .collect();
        if answers.is_empty() {
            return Answer::NoData;
        }
        Answer::Records {
            answers,
            extra: Vec::new(),
        }
    }

    fn address(&self, name: Name, address: IpAddr) -> Record {
        let data = match address {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        Record::from_rdata(name, self.ttl, data)
    }

    /// SRV records of the ports that fit, with the addresses of their targets.
    fn services(&self, entry: &NameEntry, path: &str, fits: impl Fn(&str, &str) -> bool) -> Answer {
        let mut answers = Vec::new();
        let mut extra = Vec::new();
        let mut add = |target: String, addresses: &[IpAddr], ports: &[(String, String, u16)]| {
            let target = fqdn(&target);
            for (_, _, port) in ports
                .iter()
                .filter(|(name, protocol, _)| fits(name, protocol))
            {
                let data = RData::SRV(SRV::new(0, 100, *port, target.clone()));
                answers.push(Record::from_rdata(self.name.clone(), self.ttl, data));
                extra.extend(
                    addresses
                        .iter()
                        .map(|one| self.address(target.clone(), *one)),
                );
            }
        };
        let zone = self.zone;
        if entry.addresses.is_empty() {
            for one in &entry.endpoints {
                add(
                    format!("{}.{path}.{zone}", one.name),
                    &[one.address],
                    &one.ports,
                );
            }
        } else {
            add(format!("{path}.{zone}"), &entry.addresses, &entry.ports);
        }
        match self.kind {
            _ if answers.is_empty() => Answer::NoSuchName,
            RecordType::SRV => Answer::Records { answers, extra },
            _ => Answer::NoData,
        }
    }

    fn text(&self, text: &str) -> Answer {
        if self.kind != RecordType::TXT {
            return Answer::NoData;
        }
        let data = RData::TXT(TXT::new(vec![text.to_owned()]));
        let answers = vec![Record::from_rdata(self.name.clone(), self.ttl, data)];
        Answer::Records {
            answers,
            extra: Vec::new(),
        }
    }
}

/// A record that sends a name on to another.
pub fn alias(name: &str, target: &Name, ttl: u32) -> Record {
    Record::from_rdata(fqdn(name), ttl, RData::CNAME(CNAME(target.clone())))
}

/// `10-244-1-5` (pods insecure: whatever address is asked for).
fn pod_address(dashed: &str) -> Option<IpAddr> {
    let four = dashed.replace('-', ".").parse().map(IpAddr::V4);
    four.or_else(|_| dashed.replace('-', ":").parse().map(IpAddr::V6))
        .ok()
}

/// A name from text; one that cannot be a name is the root.
pub fn fqdn(text: &str) -> Name {
    let mut name = Name::from_utf8(text).unwrap_or_default();
    name.set_fqdn(true);
    name
}
