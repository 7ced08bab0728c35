//! `ip -j`, `bridge -j` and `bpftool -j net`: the first byte picks the command.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use netpath::facts::{
    attached, bridge_ports, forwarding_entries, links, neighbours, route_rules, routes,
};
use netpath::net::Family;
use netpath::route::{Host, Query, Routing};

fuzz_target!(|text: &str| {
    let mut rest = text.chars();
    let command = rest.next();
    let text = rest.as_str();
    match command {
        Some('a') => {
            let Ok(links) = links(text) else { return };
            let host = Host {
                links: Some(links),
                ..Host::default()
            };
            let _ = host.link_with([10, 0, 0, 1].into());
        }
        Some('r') => {
            for family in Family::ALL {
                let Ok(routes) = routes(text, family) else {
                    continue;
                };
                let host = Host {
                    routing: Some(Routing::new(routes, Vec::new())),
                    ..Host::default()
                };
                let to: IpAddr = match family {
                    Family::V4 => [10, 244, 1, 2].into(),
                    Family::V6 => [0xfd00, 0, 0, 0, 0, 0, 0, 2].into(),
                };
                let _ = host.route(Query {
                    src: None,
                    dst: to,
                    iif: None,
                    mark: 0,
                    protocol: None,
                });
            }
        }
        Some('u') => drop(route_rules(text)),
        Some('n') => drop(neighbours(text)),
        Some('f') => drop(forwarding_entries(text)),
        Some('p') => drop(attached(text)),
        _ => drop(bridge_ports(text)),
    }
});
