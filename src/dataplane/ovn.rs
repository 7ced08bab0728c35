//! OVN: `ovn-nbctl --format=json list Load_Balancer`, the Services of a zone.
//!
//! ```text
//!  {"headings":["name","vips",…],"data":[["Service_shop/api_TCP_cluster",
//!     ["map",[["10.96.6.170:8080","10.244.1.11:9090,10.244.2.9:9090"]]],…]]}
//! ```

use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::Value;

use super::answer::{BadAnswer, bad, json};
use super::{ServiceTable, Slot};
use crate::net::Protocol;

const COMMAND: &str = "ovn-nbctl --format=json list Load_Balancer";

#[derive(Deserialize)]
struct Listing {
    headings: Vec<String>,
    data: Vec<Vec<Value>>,
}

/// Reads the load balancers. Several may serve one address: for the cluster, and for single nodes.
///
/// # Errors
/// When the text is no such table, or has no column `vips`.
pub fn load_balancers(text: &str) -> Result<ServiceTable, BadAnswer> {
    let listing: Listing = json(COMMAND, text)?;
    let column = |name: &str| listing.headings.iter().position(|heading| heading == name);
    let vips = column("vips").ok_or_else(|| bad(COMMAND, "no column vips"))?;
    let (name, protocol) = (column("name"), column("protocol"));
    let mut table = ServiceTable::default();
    for row in &listing.data {
        let text = |column: Option<usize>| row.get(column?)?.as_str();
        // A set that is empty means TCP.
        let protocol = text(protocol).unwrap_or("tcp").to_uppercase();
        let Ok(protocol) = protocol.parse::<Protocol>() else {
            continue;
        };
        let pairs = row.get(vips).map(map).unwrap_or_default();
        for (vip, backends) in pairs {
            let wrong = || bad(COMMAND, format!("{vip}: {backends:?}"));
            // A port of a template (`^NODEIP_IPv4_1:30180`) is told by no address.
            let Ok(vip) = vip.parse::<SocketAddr>() else {
                continue;
            };
            let entry = table.entry(vip.ip(), vip.port(), protocol, false);
            entry.head = Some(text(name).unwrap_or_default().to_owned());
            for to in backends
                .split(',')
                .filter(|to| !to.is_empty() && !to.starts_with('^'))
            {
                let to = to.parse().map_err(|_| wrong())?;
                let is_new = !entry.backends().any(|known| known == to);
                let next = entry.slots.len().try_into().unwrap_or(u32::MAX - 1) + 1;
                if is_new {
                    entry.slots.insert(next, Slot::Backend(to));
                }
            }
        }
    }
    Ok(table)
}

/// `["map",[["k","v"],…]]`
fn map(value: &Value) -> Vec<(String, String)> {
    let pairs = value.get(1).and_then(Value::as_array);
    let pairs = pairs.into_iter().flatten().filter_map(|pair| {
        let text = |index: usize| pair.get(index)?.as_str().map(str::to_owned);
        Some((text(0)?, text(1)?))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balancers_of_one_address_add_up() {
        let table = load_balancers(
            r#"{"headings":["_uuid","name","protocol","vips"],"data":[
                [["uuid","x"],"Service_shop/api_TCP_cluster","tcp",["map",[["10.96.6.170:8080","10.244.1.11:9090,10.244.2.9:9090"],["[fd00::7]:80",""]]]],
                [["uuid","y"],"Service_shop/api_TCP_node_switch_node1",["set",[]],["map",[["10.96.6.170:8080","10.244.1.11:9090"],["^NODEIP_IPv4_1:30180","^LB"]]]],
                [["uuid","z"],"Service_shop/dns_UDP_cluster","udp",["map",[]]]]}"#,
        )
        .unwrap();
        let api = table
            .get("10.96.6.170".parse().unwrap(), 8080, Protocol::Tcp)
            .unwrap();
        assert_eq!((api.backends().count(), api.hole()), (2, None));
        let empty = table
            .get("fd00::7".parse().unwrap(), 80, Protocol::Tcp)
            .unwrap();
        assert_eq!((empty.backends().count(), empty.hole()), (0, None));
    }

    #[test]
    fn what_is_no_table_is_an_error() {
        for text in [
            "ovn-nbctl: unix:/var/run/ovn/ovnnb_db.sock: database connection failed",
            r#"{"headings":["name"],"data":[]}"#,
            r#"{"headings":["vips"],"data":[[["map",[["10.0.0.1:80","nowhere"]]]]]}"#,
            "[]",
        ] {
            assert!(load_balancers(text).is_err(), "{text}");
        }
    }
}
