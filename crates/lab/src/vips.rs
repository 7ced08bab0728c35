//! Addresses and ports of Services.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::net::fingerprint;
use super::store::Inner;

/// An address or a port that cannot be given, in the API server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub field: String,
    pub message: String,
}

/// Gives a Service the ClusterIPs and NodePorts it lacks.
pub fn allocate(inner: &Inner, service: &mut Value) -> Result<(), Refused> {
    let kind = service["spec"]["type"]
        .as_str()
        .unwrap_or("ClusterIP")
        .to_owned();
    if kind == "ExternalName" {
        return Ok(());
    }
    families(inner, service);
    if service["spec"]["clusterIP"] == "None" {
        service["spec"]["clusterIPs"] = json!(["None"]);
    } else {
        addresses(inner, service)?;
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        ports(inner, service)?;
    }
    Ok(())
}

/// The ranges Services take their addresses from.
fn ranges(inner: &Inner) -> Vec<IpNet> {
    let objects = inner.list("networking.k8s.io", "servicecidrs", None);
    let listed = objects.flat_map(|(_, range)| {
        range["spec"]["cidrs"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    });
    let ranges: Vec<IpNet> = listed
        .filter_map(|range| range.as_str()?.parse().ok())
        .collect();
    if ranges.is_empty() {
        return IpNet::new([10, 96, 0, 0].into(), 16).into_iter().collect();
    }
    ranges
}

fn families(inner: &Inner, service: &mut Value) {
    let available = ranges(inner);
    let word = |range: &IpNet| {
        if range.addr().is_ipv6() {
            "IPv6"
        } else {
            "IPv4"
        }
    };
    let spec = &mut service["spec"];
    if spec["ipFamilyPolicy"].is_null() {
        let listed = spec["ipFamilies"].as_array().map_or(0, Vec::len);
        spec["ipFamilyPolicy"] = if listed > 1 {
            "RequireDualStack"
        } else {
            "SingleStack"
        }
        .into();
    }
    if spec["ipFamilies"].as_array().is_none_or(Vec::is_empty) {
        let count = if spec["ipFamilyPolicy"] == "SingleStack" {
            1
        } else {
            2
        };
        spec["ipFamilies"] = available
            .iter()
            .take(count)
            .map(|range| json!(word(range)))
            .collect();
    }
}

fn addresses(inner: &Inner, service: &mut Value) -> Result<(), Refused> {
    let own = service["metadata"]["uid"].clone();
    let taken: BTreeSet<String> = inner
        .list("", "services", None)
        .filter(|(_, other)| other["metadata"]["uid"] != own)
        .flat_map(|(_, other)| {
            other["spec"]["clusterIPs"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .filter_map(|ip| ip.as_str().map(str::to_owned))
        .collect();
    let wanted: Vec<String> = match (
        &service["spec"]["clusterIPs"],
        &service["spec"]["clusterIP"],
    ) {
        (Value::Array(listed), _) if !listed.is_empty() => listed
            .iter()
            .filter_map(|ip| ip.as_str().map(str::to_owned))
            .collect(),
        (_, Value::String(one)) if !one.is_empty() => vec![one.clone()],
        _ => Vec::new(),
    };
    if let Some(double) = wanted.iter().find(|ip| taken.contains(*ip)) {
        return Err(Refused {
            field: "spec.clusterIPs".to_owned(),
            message: format!(
                "Invalid value: {}: failed to allocate IP {double}: provided IP is already allocated",
                json!(wanted)
            ),
        });
    }
    let seed = fingerprint(&format!(
        "{}/{}",
        service["metadata"]["namespace"], service["metadata"]["name"]
    ));
    let mut given = wanted;
    let families = service["spec"]["ipFamilies"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for family in families.iter().skip(given.len()) {
        let range = ranges(inner)
            .into_iter()
            .find(|range| range.addr().is_ipv6() == (family == "IPv6"));
        given.extend(range.and_then(|range| free(&range, seed, &taken)));
    }
    service["spec"]["clusterIP"] = given.first().cloned().into();
    service["spec"]["clusterIPs"] = given.into();
    Ok(())
}

/// An address that depends on the name alone while the range is not crowded.
fn free(range: &IpNet, seed: u32, taken: &BTreeSet<String>) -> Option<String> {
    let size = u32::min(31, u32::from(range.max_prefix_len() - range.prefix_len()));
    let span = (1_u32 << size) - 1;
    let first: IpAddr = range.network();
    // The lowest addresses are for those who ask for one by name.
    let reserved = u32::min(16, span / 2);
    let nth = |round: u32| reserved + seed.wrapping_add(round) % (span - reserved);
    (0..span)
        .map(|round| add(first, nth(round)).to_string())
        .find(|address| !taken.contains(address))
}

fn add(first: IpAddr, offset: u32) -> IpAddr {
    match first {
        IpAddr::V4(first) => (u32::from(first) + offset).to_be_bytes().into(),
        IpAddr::V6(first) => (u128::from(first) + u128::from(offset))
            .to_be_bytes()
            .into(),
    }
}

fn ports(inner: &Inner, service: &mut Value) -> Result<(), Refused> {
    const FIRST: u64 = 30_000;
    const LAST: u64 = 32_767;
    let own = service["metadata"]["uid"].clone();
    let taken: BTreeSet<u64> = inner
        .list("", "services", None)
        .filter(|(_, other)| other["metadata"]["uid"] != own)
        .flat_map(|(_, other)| {
            let ports = other["spec"]["ports"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            ports
                .into_iter()
                .filter_map(|port| port["nodePort"].as_u64())
                .collect::<Vec<_>>()
        })
        .collect();
    let seed = u64::from(fingerprint(&service["metadata"]["name"].to_string()));
    let local = service["spec"]["externalTrafficPolicy"] == "Local"
        && service["spec"]["type"] == "LoadBalancer";
    let wants_ports = service["spec"]["allocateLoadBalancerNodePorts"] != false;
    let mut given = taken.clone();
    let mut next = |wanted: Option<u64>, field: String| match wanted {
        Some(port) if taken.contains(&port) => Err(Refused {
            field,
            message: format!("Invalid value: {port}: provided port is already allocated"),
        }),
        Some(port) => Ok(port),
        None => {
            let mut all =
                (0..=LAST - FIRST).map(|round| FIRST + (seed + round) % (LAST - FIRST + 1));
            let port = all.find(|port| !given.contains(port)).unwrap_or(FIRST);
            given.insert(port);
            Ok(port)
        }
    };
    let listed = service["spec"]["ports"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .enumerate();
    for (at, port) in listed.filter(|_| wants_ports) {
        let wanted = port["nodePort"].as_u64().filter(|port| *port > 0);
        port["nodePort"] = json!(next(wanted, format!("spec.ports[{at}].nodePort"))?);
    }
    if local {
        let wanted = service["spec"]["healthCheckNodePort"]
            .as_u64()
            .filter(|port| *port > 0);
        service["spec"]["healthCheckNodePort"] =
            json!(next(wanted, "spec.healthCheckNodePort".to_owned())?);
    }
    Ok(())
}
